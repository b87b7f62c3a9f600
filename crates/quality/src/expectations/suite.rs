//! Suites: read from the JSON of Great Expectations, every problem in one pass, and written so that it reads them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use trainyard_diagnostics::{Place, Problems, Source};

use super::catalog::{self, CATALOG, Definition, Domain, Kind};
use super::condition::{self, Condition, PARSERS};
use super::divergence;
use super::error::Error;
use super::json::{self, Inner, Node};
use super::parameter;
use super::pattern::Pattern;
use super::result::ResultFormat;
use super::schema::Schema;
use super::strptime::Format;
use super::value::{Cell, Value};

/// The version of Great Expectations whose form is written.
pub(crate) const VERSION: &str = "1.24.1";

/// Says how grave it is when an expectation is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing may be built on the data.
    Critical,
    /// Somebody should look.
    Warning,
    /// It is told.
    Info,
}

impl Severity {
    const ALL: [Severity; 3] = [Severity::Critical, Severity::Warning, Severity::Info];

    /// Gives its name in a suite.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// Holds one expectation.
#[derive(Debug, Clone)]
pub struct Expectation {
    pub(crate) definition: &'static Definition,
    pub(crate) arguments: Vec<(String, Value)>,
    pub(crate) condition: Option<Condition>,
    severity: Severity,
    /// What else the entry holds: `id`, `meta`, `notes`, `description`.
    others: Vec<(String, Value)>,
}

/// Holds a suite of expectations.
#[derive(Debug, Clone)]
pub struct Suite {
    name: String,
    expectations: Vec<Expectation>,
    /// What else the suite holds: `id`, `meta`, `notes`.
    others: Vec<(String, Value)>,
}

const SUITE_KEYS: [&str; 10] = [
    "name",
    "expectations",
    "meta",
    "notes",
    "id",
    "suite_parameters",
    "expectation_suite_name",
    "data_asset_type",
    "evaluation_parameters",
    "ge_cloud_id",
];

const ENTRY_KEYS: [&str; 12] = [
    "type",
    "kwargs",
    "severity",
    "meta",
    "id",
    "notes",
    "description",
    "expectation_type",
    "expectation_context",
    "rendered_content",
    "success_on_last_run",
    "windows",
];

impl Expectation {
    /// Makes an expectation of known arguments; for suites that are proposed.
    pub(crate) fn new(name: &str, arguments: Vec<(&str, Value)>, severity: Severity) -> Option<Expectation> {
        let arguments = arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let definition = catalog::find(&format!("expect_{name}"))?;
        Some(Expectation { definition, arguments, condition: None, severity, others: Vec::new() })
    }

    /// Gives its full name.
    pub fn name(&self) -> String {
        self.definition.full_name()
    }

    /// Gives how grave it is when it is not met.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Gives its arguments in the order of the file.
    pub fn arguments(&self) -> &[(String, Value)] {
        &self.arguments
    }

    /// Gives an argument that is written and not null.
    pub(crate) fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.iter().find(|(known, value)| known == name && *value != Value::Null).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.argument(name)?.as_text()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.argument(name) == Some(&Value::Bool(true))
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        self.argument(name).and_then(Value::as_texts).unwrap_or_default()
    }

    /// Gives the names of the columns that it is about.
    pub fn columns(&self) -> Vec<&str> {
        let single = ["column", "column_A", "column_B"].into_iter().filter_map(|name| self.text(name));
        single.chain(self.texts("column_list")).chain(self.texts("column_set")).collect()
    }

    pub(crate) fn other(&self, key: &str) -> Option<&Value> {
        self.others.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn to_value(&self) -> Value {
        let entry = [
            ("type", Value::Text(self.name())),
            ("kwargs", Value::Map(self.arguments.clone())),
            ("severity", self.severity.name().into()),
        ];
        let mut entries: Vec<_> = entry.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        entries.extend(self.others.iter().cloned());
        if self.other("meta").is_none() {
            entries.push(("meta".to_owned(), Value::Map(Vec::new())));
        }
        Value::Map(entries)
    }

    /// Tells whether what it expects depends on the time.
    pub fn reads_clock(&self) -> bool {
        let expressions = self.arguments.iter().filter_map(|(_, value)| parameter::expression(value));
        expressions.into_iter().any(parameter::reads_clock)
    }
}

impl Suite {
    /// Makes a suite.
    pub(crate) fn new(name: &str, expectations: Vec<Expectation>) -> Suite {
        Suite { name: name.to_owned(), expectations, others: Vec::new() }
    }

    /// Reads a suite from the bytes of a file, called `file` in messages.
    ///
    /// # Errors
    /// Bytes that are no UTF-8 or begin with a byte-order mark, which JSON does not have; then as [`Suite::read`].
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Suite, Problems> {
        let what = match bytes {
            [0xef, 0xbb, 0xbf, ..] => "it begins with a byte-order mark".to_owned(),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16".to_owned(),
            bytes => match std::str::from_utf8(bytes) {
                Ok(text) => return Suite::read(text, file),
                Err(error) => format!("the first wrong byte is byte {}", error.valid_up_to()),
            },
        };
        let mut problems = Problems::new();
        problems.push(Error::Encoding { file: file.to_owned(), what }.diagnostic());
        Err(problems)
    }

    /// Reads a suite, called `file` in messages.
    ///
    /// # Errors
    /// All that is wrong with it, each at its place.
    pub fn read(text: &str, file: &str) -> Result<Suite, Problems> {
        let mut reader = Reader { source: Source::new(file, text), problems: Problems::new() };
        let suite = match json::parse(text) {
            Ok(node) => reader.suite(&node),
            Err(fault) => {
                let place = reader.place(&fault.span);
                reader.problem(Error::NotJson { place, what: fault.what });
                None
            }
        };
        match suite {
            Some(suite) => reader.problems.into_result(suite),
            None => Err(reader.problems),
        }
    }

    /// Gives its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives its expectations in the order of the file.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// Tells whether an expectation depends on the time.
    pub fn reads_clock(&self) -> bool {
        self.expectations.iter().any(Expectation::reads_clock)
    }

    /// Gives the columns whose cells are looked at; `None` where all may be, as by SQL in a `row_condition`.
    pub fn columns(&self) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for expectation in &self.expectations {
            if expectation.definition.domain != Domain::Table {
                names.extend(expectation.columns().into_iter().map(str::to_owned));
            }
            if !expectation.condition.as_ref().is_none_or(|condition| condition.name_columns(&mut names)) {
                return None;
            }
            let format = expectation.argument("result_format").map(ResultFormat::of);
            names.extend(format.and_then(Result::ok).into_iter().flat_map(|format| format.index_columns));
        }
        Some(names)
    }

    /// Writes it as Great Expectations does: keys in their order, two spaces, a newline at the end.
    pub fn write(&self) -> String {
        let mut entries = self.others.clone();
        entries.push(("name".to_owned(), Value::Text(self.name.clone())));
        let expectations = self.expectations.iter().map(Expectation::to_value).collect();
        entries.push(("expectations".to_owned(), Value::List(expectations)));
        if !entries.iter().any(|(key, _)| key == "meta") {
            let meta = vec![("great_expectations_version".to_owned(), VERSION.into())];
            entries.push(("meta".to_owned(), Value::Map(meta)));
        }
        for key in ["id", "notes"] {
            if !entries.iter().any(|(known, _)| known == key) {
                entries.push((key.to_owned(), Value::Null));
            }
        }
        let mut text = String::new();
        Value::Map(entries).write(0, &mut text);
        text.push('\n');
        text
    }
}

struct Reader {
    source: Arc<Source>,
    problems: Problems,
}

type Entries = [(String, Range<usize>, Node)];

fn get<'a>(entries: &'a Entries, key: &str) -> Option<&'a Node> {
    entries.iter().find(|(known, ..)| known == key).map(|(.., node)| node)
}

impl Reader {
    fn place(&self, span: &Range<usize>) -> Place {
        Place::new(Arc::clone(&self.source), span.clone())
    }

    fn problem(&mut self, error: Error) {
        self.problems.push(error.diagnostic());
    }

    fn wanted<T>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        let place = self.place(&node.span);
        self.problem(Error::NotASuite { place, wanted: wanted.to_owned() });
        None
    }

    fn map<'a>(&mut self, node: &'a Node, wanted: &str) -> Option<&'a Entries> {
        match &node.inner {
            Inner::Map(entries) => Some(entries),
            _ => self.wanted(node, wanted),
        }
    }

    fn keys(&mut self, entries: &Entries, known: &[&'static str]) {
        for (key, span, _) in entries.iter().filter(|(key, ..)| !known.contains(&key.as_str())) {
            let place = self.place(span);
            self.problem(Error::UnknownKey { place, key: key.clone(), known: known.to_vec() });
        }
    }

    fn suite(&mut self, node: &Node) -> Option<Suite> {
        let entries = self.map(node, "an object with `expectations` is expected")?;
        self.keys(entries, &SUITE_KEYS);
        let name = get(entries, "name").or_else(|| get(entries, "expectation_suite_name"));
        let name = match name.map(|node| (node, node.value())) {
            Some((_, Value::Text(name))) => name,
            Some((node, _)) => self.wanted(node, "a text is expected")?,
            None => String::new(),
        };
        let Some(list) = get(entries, "expectations") else {
            return self.wanted(node, "it has no `expectations`");
        };
        let Inner::List(items) = &list.inner else {
            return self.wanted(list, "a list is expected");
        };
        if items.is_empty() {
            let place = self.place(&list.span);
            self.problem(Error::Empty { place });
        }
        let expectations = items.iter().filter_map(|item| self.expectation(item)).collect();
        let others = entries.iter().filter(|(key, ..)| matches!(key.as_str(), "id" | "meta" | "notes"));
        let others = others.map(|(key, _, node)| (key.clone(), node.value())).collect();
        Some(Suite { name, expectations, others })
    }

    fn expectation(&mut self, node: &Node) -> Option<Expectation> {
        let entries = self.map(node, "an object with `type` and `kwargs` is expected")?;
        self.keys(entries, &ENTRY_KEYS);
        let severity = self.severity(entries);
        let Some(kind) = get(entries, "type").or_else(|| get(entries, "expectation_type")) else {
            return self.wanted(node, "it has no `type`");
        };
        let Value::Text(name) = kind.value() else {
            return self.wanted(kind, "the name of an expectation is expected");
        };
        let Some(definition) = catalog::find(&name) else {
            let place = self.place(&kind.span);
            let known = CATALOG.iter().map(Definition::full_name).collect();
            self.problem(Error::UnknownExpectation { place, name, known });
            return None;
        };
        let (arguments, condition) = match get(entries, "kwargs") {
            Some(node) => {
                let entries = self.map(node, "an object of arguments is expected")?;
                self.arguments(definition, entries, &node.span)
            }
            None => self.arguments(definition, &[], &kind.span),
        };
        let others = entries.iter().filter(|(key, ..)| matches!(key.as_str(), "id" | "meta" | "notes" | "description"));
        let others = others.map(|(key, _, node)| (key.clone(), node.value())).collect();
        Some(Expectation { definition, arguments, condition, severity, others })
    }

    fn severity(&mut self, entries: &Entries) -> Severity {
        let Some(node) = get(entries, "severity") else {
            return Severity::Critical;
        };
        let value = node.value();
        let found = Severity::ALL.into_iter().find(|severity| value.as_text() == Some(severity.name()));
        found.unwrap_or_else(|| {
            let place = self.place(&node.span);
            let name = value.as_text().map_or_else(|| value.to_json().to_string(), str::to_owned);
            self.problem(Error::UnknownSeverity { place, name });
            Severity::Critical
        })
    }

    fn arguments(
        &mut self,
        definition: &'static Definition,
        entries: &Entries,
        whole: &Range<usize>,
    ) -> (Vec<(String, Value)>, Option<Condition>) {
        let known = definition.all_arguments();
        for (name, span, node) in entries {
            let Some((_, kind, _)) = known.iter().find(|(known, ..)| known == name) else {
                let place = self.place(span);
                let known = known.iter().map(|(name, ..)| *name).filter(|name| *name != "batch_id").collect();
                let expectation = definition.full_name();
                self.problem(Error::UnknownArgument { place, name: name.clone(), expectation, known });
                continue;
            };
            if let Err(wanted) = check(*kind, &node.value()) {
                let place = self.place(&node.span);
                self.problem(Error::WrongArgument { place, name: name.clone(), wanted });
            }
        }
        for (name, ..) in known.iter().filter(|(name, _, needed)| *needed && get(entries, name).is_none()) {
            let place = self.place(whole);
            self.problem(Error::MissingArgument { place, name, expectation: definition.full_name() });
        }
        let arguments: Vec<_> = entries.iter().map(|(name, _, node)| (name.clone(), node.value())).collect();
        if let Err((name, wanted)) = together(definition, &arguments) {
            let span = entries.iter().find(|(known, ..)| known == name).map_or(whole, |(.., node)| &node.span);
            let place = self.place(span);
            self.problem(Error::WrongArgument { place, name: name.to_owned(), wanted });
        }
        let parser = get(entries, "condition_parser").map(Node::value);
        let parser = parser.as_ref().and_then(Value::as_text);
        let condition = get(entries, "row_condition").and_then(|node| {
            condition::read(&node.value(), parser).unwrap_or_else(|what| {
                let place = self.place(&node.span);
                self.problem(Error::RowCondition { place, what });
                None
            })
        });
        (arguments, condition)
    }
}

/// Checks one argument by itself; the error says what is wanted.
fn check(kind: Kind, value: &Value) -> Result<(), String> {
    let is_parameter = parameter::expression(value).is_some();
    if let Some(expression) = parameter::expression(value) {
        parameter::evaluate(expression, Some(0))?;
    }
    let is_bound = is_parameter || *value == Value::Null;
    let is_number = value.as_number().is_some();
    let is_integer = matches!(value, Value::Int(_)) || matches!(value, Value::Float(value) if value.fract() == 0.0);
    let (holds, wanted) = match kind {
        Kind::Anything | Kind::Condition => (true, ""),
        Kind::Name => (value.as_text().is_some(), "the name of a column is expected"),
        Kind::Names => {
            (value.as_texts().is_some_and(|names| names.len() >= 2), "a list of at least two columns is expected")
        }
        Kind::NamesOrNull | Kind::TextsOrNull => {
            (*value == Value::Null || value.as_texts().is_some(), "a list of names is expected")
        }
        Kind::Text => (value.as_text().is_some(), "a text is expected"),
        Kind::Number => (is_number || is_parameter, "a number is expected"),
        Kind::NumberOrNull => (
            *value == Value::Null || is_parameter || value.as_number().is_some_and(|value| value >= 0.0),
            "a number, 0 or more, is expected",
        ),
        Kind::Integer => (is_integer || is_parameter, "an integer is expected"),
        Kind::IntegerOrNull => (is_integer || *value == Value::Null, "an integer is expected"),
        Kind::Bool => (matches!(value, Value::Bool(_) | Value::Null), "true or false is expected"),
        Kind::Bound => (
            is_bound || is_number || value.as_text().is_some_and(|text| !text.is_empty()),
            "a number, a date or a text is expected",
        ),
        Kind::NumberBound => (is_bound || is_number, "a number is expected"),
        Kind::IntegerBound => (is_bound || is_integer, "an integer is expected"),
        Kind::Values | Kind::SomeValues => {
            let items = value.as_list();
            let are_scalars = items.is_some_and(|items| items.iter().all(|item| Cell::of(item).is_some()));
            let is_some = kind == Kind::Values || items.is_some_and(|items| !items.is_empty());
            (are_scalars && is_some, "a list of values is expected, with one value at least where values are compared")
        }
        Kind::Share => (
            is_parameter || value.as_number().is_some_and(|share| (0.0..=1.0).contains(&share)),
            "a share from 0 to 1 is expected",
        ),
        Kind::Pairs => {
            let is_pair = |pair: &Value| {
                pair.as_list().is_some_and(|pair| pair.len() == 2 && pair.iter().all(|part| Cell::of(part).is_some()))
            };
            let pairs = value.as_list();
            (pairs.is_some_and(|pairs| pairs.iter().all(is_pair)), "a list of pairs is expected, as `[[1, 2], [3, 4]]`")
        }
        Kind::Quantiles => return quantiles(value),
        Kind::Partition => return divergence::check_partition(value),
        Kind::Schema => {
            return match value {
                Value::Map(_) => Schema::new(value).map(|_| ()),
                _ => Err("a JSON schema, an object, is expected".to_owned()),
            };
        }
        Kind::Regex => {
            return match value.as_text() {
                Some(text) => Pattern::new(text).map(|_| ()),
                None => Err("a regular expression is expected".to_owned()),
            };
        }
        Kind::Regexes => {
            return match value.as_texts() {
                Some(texts) if !texts.is_empty() => {
                    texts.into_iter().try_for_each(|text| Pattern::new(text).map(|_| ()))
                }
                _ => Err("a list of regular expressions is expected".to_owned()),
            };
        }
        Kind::Format => {
            return match value.as_text() {
                Some(text) => Format::new(text).map(|_| ()),
                None => Err("a format such as %Y-%m-%d is expected".to_owned()),
            };
        }
        Kind::MatchOn => (matches!(value.as_text(), Some("any" | "all")), "`any` or `all` is expected"),
        Kind::IgnorePair => (
            matches!(value.as_text(), Some("both_values_are_missing" | "either_value_is_missing" | "neither")),
            "both_values_are_missing, either_value_is_missing or neither is expected",
        ),
        Kind::IgnoreColumns => (
            matches!(value.as_text(), Some("all_values_are_missing" | "any_value_is_missing" | "never")),
            "all_values_are_missing, any_value_is_missing or never is expected",
        ),
        Kind::Interpolation => (
            matches!(value, Value::Bool(false) | Value::Null)
                || matches!(value.as_text(), Some("linear" | "lower" | "higher" | "midpoint" | "nearest")),
            "false, linear, lower, higher, midpoint or nearest is expected",
        ),
        Kind::Parser => {
            let known = value.as_text().is_none_or(|name| PARSERS.contains(&name));
            let is_name = known && matches!(value, Value::Text(_) | Value::Null);
            (is_name, "pandas, great_expectations, spark or sql is expected")
        }
        Kind::ResultFormat => return super::result::ResultFormat::of(value).map(|_| ()),
    };
    if holds { Ok(()) } else { Err(wanted.to_owned()) }
}

fn quantiles(value: &Value) -> Result<(), String> {
    let wanted = "`{\"quantiles\": [0.5], \"value_ranges\": [[0, 1]]}` is expected, with as many ranges as quantiles";
    let quantiles = value.get("quantiles").and_then(Value::as_list).ok_or(wanted)?;
    let ranges = value.get("value_ranges").and_then(Value::as_list).ok_or(wanted)?;
    let is_share = |share: &Value| share.as_number().is_some_and(|share| (0.0..=1.0).contains(&share));
    if quantiles.len() != ranges.len() || !quantiles.iter().all(is_share) {
        return Err(wanted.to_owned());
    }
    for range in ranges {
        let bounds = range.as_list().filter(|bounds| bounds.len() == 2).ok_or(wanted)?;
        match (bounds[0].as_number(), bounds[1].as_number()) {
            (Some(lower), Some(upper)) if lower > upper => {
                return Err("a range starts above its end".to_owned());
            }
            (lower, upper) => {
                let is_open = |bound: &Value, number: Option<f64>| number.is_some() || *bound == Value::Null;
                if !is_open(&bounds[0], lower) || !is_open(&bounds[1], upper) {
                    return Err(wanted.to_owned());
                }
            }
        }
    }
    Ok(())
}

/// Checks arguments that only make sense together; the error names the one to blame.
fn together(definition: &Definition, arguments: &[(String, Value)]) -> Result<(), (&'static str, String)> {
    let find = |name: &str| arguments.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let given = |name: &str| find(name).is_some_and(|value| *value != Value::Null);
    let needs_bound = matches!(definition.name, "column_values_to_be_between" | "column_value_lengths_to_be_between");
    if needs_bound && !given("min_value") && !given("max_value") {
        return Err(("min_value", "either `min_value` or `max_value` is needed".to_owned()));
    }
    let is_ordered = matches!(definition.name, "column_values_to_be_between" | "table_row_count_to_be_between");
    let bound = |name| find(name).and_then(Cell::of);
    if let (true, Some(least), Some(most)) = (is_ordered, bound("min_value"), bound("max_value"))
        && least.compare(most).is_some_and(|order| order.is_gt())
    {
        return Err(("max_value", "it is below `min_value`: no value can lie between them".to_owned()));
    }
    Ok(())
}
