//! Words read as conditions and orders.

use std::ops::Range;
use std::sync::Arc;

use trainyard_diagnostics::{Source, nearest};

use super::words::{Kind, Word, words};
use super::{Attribute, Condition, Dataset, Fault, FilterError, Order, OrderBy, Subject, Test};
use crate::Status;

/// The names before the dot, what each is, and whether it is MLflow's first name for it.
const ENTITIES: [(&str, Entity); 15] = [
    ("metrics", Entity::Metric),
    ("params", Entity::Param),
    ("tags", Entity::Tag),
    ("attributes", Entity::Attribute),
    ("datasets", Entity::Dataset),
    ("metric", Entity::Metric),
    ("param", Entity::Param),
    ("parameter", Entity::Param),
    ("parameters", Entity::Param),
    ("tag", Entity::Tag),
    ("attribute", Entity::Attribute),
    ("attr", Entity::Attribute),
    ("run", Entity::Attribute),
    ("dataset", Entity::Dataset),
    ("input", Entity::Dataset),
];

/// The names of attributes, MLflow's own and ours.
const ATTRIBUTES: [(&str, Attribute); 10] = [
    ("run_id", Attribute::Run),
    ("run_name", Attribute::Name),
    ("experiment", Attribute::Experiment),
    ("status", Attribute::Status),
    ("start_time", Attribute::Started),
    ("end_time", Attribute::Ended),
    ("id", Attribute::Run),
    ("name", Attribute::Name),
    ("created", Attribute::Started),
    ("experiment_name", Attribute::Experiment),
];

const DATASETS: [(&str, Dataset); 2] = [("name", Dataset::Name), ("digest", Dataset::Digest)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entity {
    Metric,
    Param,
    Tag,
    Attribute,
    Dataset,
}

/// Whether a subject is a number, a text, or a text that a list may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Text,
    Name,
}

impl Class {
    fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Metric(_) | Subject::Attribute(Attribute::Started | Attribute::Ended) => Self::Number,
            Subject::Param(_) | Subject::Tag(_) => Self::Text,
            Subject::Attribute(_) | Subject::Dataset(_) => Self::Name,
        }
    }

    /// What may stand between a subject of this class and its value.
    const fn comparators(self) -> &'static str {
        match self {
            Self::Number => ">, >=, =, !=, <, <=, IS NULL and IS NOT NULL",
            Self::Text => "=, !=, LIKE, ILIKE, IS NULL and IS NOT NULL",
            Self::Name => "=, !=, LIKE, ILIKE, IN, NOT IN, IS NULL and IS NOT NULL",
        }
    }
}

struct Reader {
    source: Arc<Source>,
    words: Vec<Word>,
    at: usize,
}

/// Reads a filter, `name` being what the user knows it by; an empty one lets every run through.
pub fn parse_filter(name: &str, text: &str) -> Result<Vec<Condition>, Box<FilterError>> {
    let mut reader = Reader::new(name, text);
    let mut conditions = Vec::new();
    while reader.peek().is_some() {
        if !conditions.is_empty() {
            reader.and()?;
        }
        conditions.push(reader.condition()?);
    }
    Ok(conditions)
}

/// Reads what runs are ordered by: subjects with `asc` or `desc`, between commas.
pub fn parse_order(name: &str, text: &str) -> Result<Vec<OrderBy>, Box<FilterError>> {
    let mut reader = Reader::new(name, text);
    let mut order = Vec::new();
    while reader.peek().is_some() {
        if !order.is_empty() {
            match reader.next() {
                Some(comma) if comma.is_sign(",") => {}
                Some(other) => {
                    let title = format!("`{}` is no part of an order", other.text);
                    let help = "write `asc` or `desc` after a name, and a comma before the next";
                    return Err(reader.wrong(Fault::Syntax, other.span, title, "", help));
                }
                None => break,
            }
        }
        let start = reader.here();
        let subject = reader.subject()?;
        if let Subject::Dataset(_) = subject {
            let span = start.start..reader.end();
            let help = "order by a metric, a parameter, a tag or an attribute";
            return Err(reader.wrong(
                Fault::Comparator,
                span,
                "runs cannot be ordered by their data sets".to_owned(),
                "a run reads several",
                help,
            ));
        }
        let descending = match reader.peek() {
            Some(word) if word.is("desc") || word.is("asc") => {
                let descending = word.is("desc");
                reader.at += 1;
                descending
            }
            _ => false,
        };
        order.push(OrderBy { subject, descending });
    }
    Ok(order)
}

impl Reader {
    fn new(name: &str, text: &str) -> Self {
        Self { source: Source::new(name, text), words: words(text), at: 0 }
    }

    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at)
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    /// Gives the place of the next word, or the end.
    fn here(&self) -> Range<usize> {
        let end = self.source.text.trim_end().len();
        self.peek().map_or(end..end, |word| word.span.clone())
    }

    /// Gives the end of the word before.
    fn end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.words.get(at)).map_or(0, |word| word.span.end)
    }

    fn wrong(
        &self,
        fault: Fault,
        place: Range<usize>,
        title: String,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<FilterError> {
        let (label, help) = (label.into(), help.into());
        Box::new(FilterError { source: Arc::clone(&self.source), place, fault, title, label, help })
    }

    fn and(&mut self) -> Result<(), Box<FilterError>> {
        match self.next() {
            Some(word) if word.is("and") => match self.peek() {
                Some(_) => Ok(()),
                None => Err(self.wrong(
                    Fault::Syntax,
                    word.span,
                    "the filter ends after `and`".to_owned(),
                    "nothing follows",
                    "write another condition, or leave `and` out",
                )),
            },
            Some(word) if word.is("or") => Err(self.wrong(
                Fault::Syntax,
                word.span,
                "conditions are joined by `and` alone".to_owned(),
                "MLflow's filters know no `or`",
                "ask twice, or write the whole as SQL: `trainyard runs sql`",
            )),
            Some(word) => {
                let title = format!("`{}` stands where `and` or the end was expected", word.text);
                Err(self.wrong(Fault::Syntax, word.span, title, "", "join conditions by `and`"))
            }
            None => Ok(()),
        }
    }

    /// Reads `metrics.name`, `attributes.name`, or an attribute's bare name.
    fn subject(&mut self) -> Result<Subject, Box<FilterError>> {
        let help = "write metrics.NAME, params.NAME, tags.NAME, or an attribute such as status";
        let place = self.here();
        let Some(first) = self.next() else {
            let title = "a name was expected, and the text ends".to_owned();
            return Err(self.wrong(Fault::Syntax, place, title, "", help));
        };
        if first.kind == Kind::Open {
            return Err(self.unclosed(&first));
        }
        if !matches!(first.kind, Kind::Bare | Kind::Quoted) {
            let title = format!("`{}` stands where a name was expected", first.text);
            return Err(self.wrong(Fault::Syntax, first.span, title, "", help));
        }
        if !self.peek().is_some_and(|word| word.is_sign(".")) {
            return self.attribute(&first, true);
        }
        self.at += 1;
        let known = ENTITIES.iter().find(|(name, _)| first.text.eq_ignore_ascii_case(name));
        let Some((_, entity)) = known else {
            let title = format!("runs have no `{}`", first.text);
            let near = nearest(&first.text, ENTITIES.iter().map(|(name, _)| *name));
            let help = near.map_or_else(|| help.to_owned(), |near| format!("did you mean `{near}`?"));
            let label = "neither metrics, params, tags, attributes nor datasets";
            return Err(self.wrong(Fault::UnknownName, first.span, title, label, help));
        };
        let key = self.key(*entity)?;
        match entity {
            Entity::Metric => Ok(Subject::Metric(key.text)),
            Entity::Param => Ok(Subject::Param(key.text)),
            Entity::Tag => Ok(Subject::Tag(key.text)),
            Entity::Attribute => self.attribute(&key, false),
            Entity::Dataset => {
                let found = DATASETS.iter().find(|(name, _)| key.text.eq_ignore_ascii_case(name));
                found.map(|(_, dataset)| Subject::Dataset(*dataset)).ok_or_else(|| {
                    let title = format!("data sets have no `{}`", key.text);
                    self.wrong(Fault::UnknownName, key.span, title, "", "write datasets.name or datasets.digest")
                })
            }
        }
    }

    /// Reads what stands after the dot: words and dots up to a blank, or one name in quotes.
    fn key(&mut self, entity: Entity) -> Result<Word, Box<FilterError>> {
        let place = self.here();
        let Some(mut key) = self.next() else {
            let title = "a name was expected after the dot, and the text ends".to_owned();
            return Err(self.wrong(Fault::Syntax, place, title, "", "write the name after the dot"));
        };
        match key.kind {
            Kind::Quoted => return Ok(key),
            Kind::Open => return Err(self.unclosed(&key)),
            Kind::Bare | Kind::Number(_) => {}
            _ => {
                let title = format!("`{}` stands where a name was expected", key.text);
                let help = "put names of other signs between backticks: metrics.`a b`";
                return Err(self.wrong(Fault::Syntax, key.span, title, "", help));
            }
        }
        if entity == Entity::Attribute {
            return Ok(key);
        }
        while let Some(next) = self.peek() {
            let joins = next.span.start == key.span.end
                && (next.is_sign(".") || matches!(next.kind, Kind::Bare | Kind::Number(_)));
            if !joins {
                break;
            }
            key.text.push_str(&self.source.text[next.span.clone()]);
            key.span.end = next.span.end;
            self.at += 1;
        }
        Ok(key)
    }

    fn attribute(&self, word: &Word, is_bare: bool) -> Result<Subject, Box<FilterError>> {
        let same = |name: &str| name.eq_ignore_ascii_case(&word.text.replace(' ', "_"));
        if let Some((_, attribute)) = ATTRIBUTES.iter().find(|(name, _)| same(name)) {
            return Ok(Subject::Attribute(*attribute));
        }
        let near = nearest(&word.text, ATTRIBUTES.iter().map(|(name, _)| *name));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if is_bare => format!("write metrics.{0}, params.{0} or tags.{0} where it is one of them", word.text),
            None => "the attributes are run_id, run_name, experiment, status, start_time and end_time".to_owned(),
        };
        let title = format!("runs have no attribute `{}`", word.text);
        Err(self.wrong(Fault::UnknownName, word.span.clone(), title, "", help))
    }

    fn unclosed(&self, word: &Word) -> Box<FilterError> {
        let title = "a quote is not closed".to_owned();
        self.wrong(Fault::Syntax, word.span.clone(), title, "it opens here", "close it, or double it inside a text")
    }

    fn condition(&mut self) -> Result<Condition, Box<FilterError>> {
        let start = self.here().start;
        let subject = self.subject()?;
        let class = Class::of(&subject);
        let whole = start..self.end();
        let place = self.here();
        let Some(comparator) = self.next() else {
            let title = format!("the filter ends after `{}`", &self.source.text[whole.clone()]);
            let help = format!("write a comparator and a value: {}", class.comparators());
            return Err(self.wrong(Fault::Syntax, place, title, "", help));
        };
        let test = match comparator.text.to_ascii_lowercase().as_str() {
            "is" if comparator.kind == Kind::Bare => self.null(&comparator)?,
            "like" | "ilike" if comparator.kind == Kind::Bare && class != Class::Number => {
                Test::Like(self.text(&subject)?.text, comparator.is("like"))
            }
            "in" if comparator.kind == Kind::Bare && class == Class::Name => Test::In(self.list(&subject)?, true),
            "not" if comparator.kind == Kind::Bare && class == Class::Name => {
                let place = self.here();
                match self.next() {
                    Some(word) if word.is("in") => Test::In(self.list(&subject)?, false),
                    _ => {
                        let title = "`not` stands before `in` alone".to_owned();
                        return Err(self.wrong(Fault::Syntax, place, title, "", "write NOT IN ('a', 'b')"));
                    }
                }
            }
            sign => match (comparator.kind == Kind::Sign).then(|| order(sign)).flatten() {
                Some(order) if class == Class::Number => Test::Number(order, self.number(&subject)?),
                Some(Order::Equal) => Test::Text(true, self.value(&subject)?),
                Some(Order::NotEqual) => Test::Text(false, self.value(&subject)?),
                _ => return Err(self.no_comparator(&comparator, &self.source.text[whole], class)),
            },
        };
        Ok(Condition { subject, test })
    }

    fn no_comparator(&self, comparator: &Word, subject: &str, class: Class) -> Box<FilterError> {
        let known = ["like", "ilike", "in", "not", "is"].iter().any(|known| comparator.is(known))
            || comparator.kind == Kind::Sign && order(&comparator.text).is_some();
        let help = format!("for `{subject}` there are {}", class.comparators());
        let (fault, title) = match known {
            true => (Fault::Comparator, format!("`{}` does not compare `{subject}`", comparator.text)),
            false => (Fault::Syntax, format!("`{}` stands where a comparator was expected", comparator.text)),
        };
        let label = match class {
            Class::Number if known => "a number",
            _ if known => "a text",
            _ => "",
        };
        self.wrong(fault, comparator.span.clone(), title, label, help)
    }

    fn null(&mut self, is: &Word) -> Result<Test, Box<FilterError>> {
        let not = self.peek().is_some_and(|word| word.is("not"));
        self.at += usize::from(not);
        match self.next() {
            Some(word) if word.is("null") => Ok(if not { Test::NotNull } else { Test::Null }),
            other => {
                let place = other.map_or_else(|| is.span.clone(), |word| word.span);
                let title = "`is` stands before `null` and `not null` alone".to_owned();
                Err(self.wrong(Fault::Syntax, place, title, "", "write IS NULL, IS NOT NULL, or compare with ="))
            }
        }
    }

    /// Reads a text in quotes.
    fn text(&mut self, subject: &Subject) -> Result<Word, Box<FilterError>> {
        let place = self.here();
        match self.next() {
            Some(word) if word.kind == Kind::Single || self.source.text[word.span.clone()].starts_with('"') => {
                if word.kind == Kind::Open { Err(self.unclosed(&word)) } else { Ok(word) }
            }
            Some(word) if word.kind == Kind::Open => Err(self.unclosed(&word)),
            Some(word) => {
                let what = match subject {
                    Subject::Param(_) => "parameters are texts",
                    Subject::Tag(_) => "tags are texts",
                    _ => "it is a text",
                };
                let title = "a text was expected, between quotes".to_owned();
                let help = format!("write '{}'", word.text.replace('\'', "''"));
                Err(self.wrong(Fault::Value, word.span, title, what, help))
            }
            None => {
                let title = "a text was expected, and the filter ends".to_owned();
                Err(self.wrong(Fault::Syntax, place, title, "", "write a text between quotes"))
            }
        }
    }

    /// Reads a text that the subject may have: of a status in capitals.
    fn value(&mut self, subject: &Subject) -> Result<String, Box<FilterError>> {
        let word = self.text(subject)?;
        if *subject != Subject::Attribute(Attribute::Status) {
            return Ok(word.text);
        }
        if let Some(status) = Status::parse(&word.text) {
            return Ok(status.name().to_owned());
        }
        let names = Status::ALL.map(|status| status.name().to_ascii_lowercase());
        let help = match nearest(&word.text.to_ascii_lowercase(), names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("write one of {}", names.join(", ")),
        };
        Err(self.wrong(Fault::Value, word.span, format!("no run is `{}`", word.text), "", help))
    }

    fn list(&mut self, subject: &Subject) -> Result<Vec<String>, Box<FilterError>> {
        let mut texts = Vec::new();
        loop {
            let place = self.here();
            let sign = self.next();
            let expected = if texts.is_empty() { "(" } else { "," };
            match sign {
                Some(word) if word.is_sign(expected) => texts.push(self.value(subject)?),
                Some(word) if word.is_sign(")") && !texts.is_empty() => return Ok(texts),
                _ => {
                    let title = "a list of texts was expected".to_owned();
                    return Err(self.wrong(Fault::Syntax, place, title, "", "write IN ('a', 'b')"));
                }
            }
        }
    }

    fn number(&mut self, subject: &Subject) -> Result<f64, Box<FilterError>> {
        let place = self.here();
        match self.next() {
            Some(Word { kind: Kind::Number(value), .. }) => Ok(value),
            Some(word) if word.kind == Kind::Open => Err(self.unclosed(&word)),
            Some(word) => {
                let quoted = matches!(word.kind, Kind::Single | Kind::Quoted) && word.text.parse::<f64>().is_ok();
                let help = match subject {
                    _ if quoted => format!("write {} without quotes", word.text),
                    Subject::Metric(_) => "write a number, such as 0.8".to_owned(),
                    _ => "write the time in milliseconds since 1970, such as 1767225600000".to_owned(),
                };
                Err(self.wrong(Fault::Value, word.span, format!("`{}` is no number", word.text), "", help))
            }
            None => {
                let title = "a number was expected, and the filter ends".to_owned();
                Err(self.wrong(Fault::Syntax, place, title, "", "write a number, such as 0.8"))
            }
        }
    }
}

fn order(sign: &str) -> Option<Order> {
    Some(match sign {
        "=" | "==" => Order::Equal,
        "!=" | "<>" => Order::NotEqual,
        "<" => Order::Less,
        "<=" => Order::LessOrEqual,
        ">" => Order::Greater,
        ">=" => Order::GreaterOrEqual,
        _ => return None,
    })
}
