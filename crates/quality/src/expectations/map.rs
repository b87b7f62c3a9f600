//! Expectations of each row: of a cell, of two, of several.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json, json};

use super::catalog::Domain;
use super::condition::{Values, as_moment, is_of_moments, unlike};
use super::dateutil;
use super::facts::{Facts, NO_GROUP};
use super::json;
use super::judge::{Found, Options, View, observed};
use super::limit::{self, Limits};
use super::pattern::Pattern;
use super::result::{Detail, MOST_LISTED, ResultFormat};
use super::scan;
use super::schema::Schema;
use super::strptime::Format;
use super::suite::Expectation;
use super::table::Column;
use super::types;
use super::value::{Cell, Class, Key, Value};

/// After how many cells the wish to stop is looked at.
const BETWEEN_LOOKS: usize = 64;

/// Holds the rows of a view that are not as expected.
struct Unexpected {
    rows: Vec<usize>,
    /// The rows that were judged; `None` where missing cells are what is judged.
    judged: Option<usize>,
}

pub(crate) fn judge(expectation: &Expectation, view: &View<'_>, format: &ResultFormat, options: &Options) -> Found {
    let name = expectation.definition.name;
    let names = match expectation.definition.domain {
        Domain::Pair => vec!["column_A", "column_B"].into_iter().filter_map(|name| expectation.text(name)).collect(),
        Domain::Columns => expectation.texts("column_list"),
        _ => expectation.text("column").into_iter().collect(),
    };
    let facts = names.iter().map(|name| view.facts(name)).collect::<Result<Vec<_>, _>>()?;
    if let ([facts], "column_values_to_be_of_type" | "column_values_to_be_in_type_list") = (facts.as_slice(), name)
        && let Some((success, type_name)) = types::whole(facts.column, expectation)
    {
        return Ok((success, observed(json!(type_name))));
    }
    let unexpected = match facts.as_slice() {
        [facts] => {
            let rows = single(name, facts, expectation, options)?;
            Unexpected { rows, judged: (!is_of_missing(name)).then(|| facts.rows() - facts.missing()) }
        }
        several => joint(name, several, expectation, options)?,
    };
    conclude(expectation, &unexpected, view, &names, &facts, format, options)
}

/// Gives the result of a column that is as expected in every row.
pub(super) fn as_expected(
    expectation: &Expectation,
    view: &View<'_>,
    missing: usize,
    format: &ResultFormat,
    options: &Options,
) -> Found {
    let judged = (!is_of_missing(expectation.definition.name)).then(|| view.count() - missing);
    let names: Vec<&str> = expectation.text("column").into_iter().collect();
    conclude(expectation, &Unexpected { rows: Vec::new(), judged }, view, &names, &[], format, options)
}

/// Tells whether missing cells are what is judged.
pub(super) fn is_of_missing(name: &str) -> bool {
    matches!(name, "column_values_to_be_null" | "column_values_to_not_be_null")
}

fn conclude(
    expectation: &Expectation,
    unexpected: &Unexpected,
    view: &View<'_>,
    names: &[&str],
    facts: &[&Facts<'_>],
    format: &ResultFormat,
    options: &Options,
) -> Found {
    let mostly = match expectation.argument("mostly") {
        Some(mostly) => limit::number(mostly, options)?,
        None => 1.0,
    };
    let judged = unexpected.judged.unwrap_or(view.count());
    let share = (judged as f64 - unexpected.rows.len() as f64) / judged as f64;
    // Where no row is judged, none is wrong.
    let success = judged == 0 || share >= mostly;
    let mut result = describe(unexpected, view, expectation.definition.domain, names, facts, format)?;
    if expectation.definition.name == "column_values_to_be_null" {
        // As the real tool has it: of this one expectation it does not say what names the rows.
        result.remove("unexpected_index_column_names");
    }
    Ok((success, result))
}

/// Collects the rows whose cell does not hold; missing cells are not asked.
fn failing(
    facts: &Facts<'_>,
    options: &Options,
    mut holds: impl FnMut(Cell<'_>) -> Result<bool, String>,
) -> Result<Vec<usize>, String> {
    let mut rows = Vec::new();
    let mut asked = 0_usize;
    let mut holds = |cell: Cell<'_>| {
        // One cell may take a tenth of a second, as where a pattern goes back and forth.
        if asked.is_multiple_of(BETWEEN_LOOKS) {
            options.stop.check()?;
        }
        asked += 1;
        holds(cell)
    };
    if let Column::Text(_) = facts.column {
        // Each text is judged once, however often it occurs.
        let groups = facts.groups();
        let judged = groups.first.iter().map(|row| holds(facts.column.cell(*row as usize)));
        let judged = judged.collect::<Result<Vec<bool>, _>>()?;
        if judged.iter().all(|holds| *holds) {
            return Ok(rows);
        }
        let of_row = groups.of_row.iter().enumerate();
        rows.extend(of_row.filter(|(_, group)| **group != NO_GROUP && !judged[**group as usize]).map(|(row, _)| row));
        return Ok(rows);
    }
    for (row, cell) in facts.cells() {
        if !holds(cell)? {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Gives the rows of a column whose cell is not as expected.
pub(super) fn single(
    name: &str,
    facts: &Facts<'_>,
    expectation: &Expectation,
    options: &Options,
) -> Result<Vec<usize>, String> {
    let values = |of_moments| {
        let values = expectation.argument("value_set").and_then(Value::as_list).unwrap_or_default();
        Values::new(values.iter(), of_moments)
    };
    let of_moments = is_of_moments(facts.column);
    match name {
        "column_values_to_be_null" => Ok(facts.cells().map(|(row, _)| row).collect()),
        "column_values_to_not_be_null" if facts.missing() == 0 => Ok(Vec::new()),
        "column_values_to_not_be_null" => Ok((0..facts.rows()).filter(|row| facts.column.is_missing(*row)).collect()),
        "column_values_to_be_unique" => {
            let groups = facts.groups();
            let of_row = groups.of_row.iter().enumerate();
            let repeated = of_row.filter(|(_, group)| **group != NO_GROUP && groups.counts[**group as usize] > 1);
            Ok(repeated.map(|(row, _)| row).collect())
        }
        "column_values_to_be_between" => {
            let limits = Limits::of(expectation, facts.class(), options)?;
            match scan::outside(facts.column, &limits) {
                Some(rows) => Ok(rows),
                None => failing(facts, options, |cell| limits.hold(cell)),
            }
        }
        "column_values_to_be_in_set" | "column_values_to_not_be_in_set" => {
            let values = values(of_moments);
            let is_unexpected = name == "column_values_to_not_be_in_set";
            match scan::among(facts.column, &values, is_unexpected) {
                Some(rows) => Ok(rows),
                None => failing(facts, options, |cell| Ok(values.has(cell) != is_unexpected)),
            }
        }
        "column_values_to_be_increasing" => order(facts, expectation.flag("strictly"), false),
        "column_values_to_be_decreasing" => order(facts, expectation.flag("strictly"), true),
        "column_value_lengths_to_be_between" => {
            let limits = Limits::of(expectation, Some(Class::Number), options)?;
            failing(facts, options, |cell| limits.hold(Cell::Int(cell.text().chars().count() as i64)))
        }
        "column_value_lengths_to_equal" => {
            let value = expectation.argument("value").ok_or("`value` is needed")?;
            let length = limit::number(value, options)?;
            failing(facts, options, |cell| Ok(cell.text().chars().count() as f64 == length))
        }
        "column_value_z_scores_to_be_less_than" => z_scores(facts, expectation, options),
        "column_values_to_be_of_type" | "column_values_to_be_in_type_list" => {
            let names = expectation.text("type_").map_or_else(|| expectation.texts("type_list"), |name| vec![name]);
            let types = types::of_values(&names)?;
            failing(facts, options, |cell| Ok(types.has(cell)))
        }
        _ => texts(name, facts, expectation, options),
    }
}

/// Judges what texts look like.
fn texts(name: &str, facts: &Facts<'_>, expectation: &Expectation, options: &Options) -> Result<Vec<usize>, String> {
    let text = |cell: Cell<'_>, what: &str| match cell {
        Cell::Text(text) => Ok(text.to_owned()),
        other => Err(format!("{what} is asked of texts, and {} are no texts", other.class().name())),
    };
    let patterns = |argument: &str| {
        let single = expectation.text(argument).into_iter();
        single.chain(expectation.texts(argument)).map(Pattern::new).collect::<Result<Vec<_>, _>>()
    };
    let any = |patterns: &[Pattern], cell: Cell<'_>| {
        let text = cell.text();
        for pattern in patterns {
            if pattern.is_in(&text)? {
                return Ok::<_, String>(true);
            }
        }
        Ok(false)
    };
    match name {
        "column_values_to_match_regex" => match expectation.argument("regex") {
            None => Ok(Vec::new()),
            Some(_) => {
                let patterns = patterns("regex")?;
                failing(facts, options, |cell| any(&patterns, cell))
            }
        },
        "column_values_to_not_match_regex" => {
            let patterns = patterns("regex")?;
            failing(facts, options, |cell| Ok(!any(&patterns, cell)?))
        }
        "column_values_to_not_match_regex_list" => {
            let patterns = patterns("regex_list")?;
            failing(facts, options, |cell| Ok(!any(&patterns, cell)?))
        }
        "column_values_to_match_regex_list" => {
            let patterns = patterns("regex_list")?;
            if expectation.text("match_on") != Some("all") {
                return failing(facts, options, |cell| any(&patterns, cell));
            }
            failing(facts, options, |cell| {
                let text = cell.text();
                for pattern in &patterns {
                    if !pattern.is_in(&text)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            })
        }
        "column_values_to_match_strftime_format" => {
            let format = Format::new(expectation.text("strftime_format").unwrap_or_default())?;
            failing(facts, options, |cell| Ok(format.matches(&text(cell, "strftime_format")?)))
        }
        "column_values_to_be_dateutil_parseable" => {
            failing(facts, options, |cell| Ok(dateutil::is_date(&text(cell, "a date")?)))
        }
        "column_values_to_be_json_parseable" => {
            failing(facts, options, |cell| Ok(text(cell, "JSON").is_ok_and(|text| json::loads(&text).is_ok())))
        }
        "column_values_to_match_json_schema" => {
            let schema = Schema::new(expectation.argument("json_schema").ok_or("`json_schema` is needed")?)?;
            failing(facts, options, |cell| {
                let text = text(cell, "JSON")?;
                let value = json::loads(&text).map_err(|fault| format!("{text:?} is no JSON: {}", fault.what))?;
                schema.holds(&value)
            })
        }
        other => Err(format!("expect_{other} is not known")),
    }
}

/// Finds the rows that break the order; a missing cell stands in nobody's way.
fn order(facts: &Facts<'_>, strictly: bool, falling: bool) -> Result<Vec<usize>, String> {
    let mut rows = Vec::new();
    let mut before: Option<Cell<'_>> = None;
    for (row, cell) in facts.cells() {
        if let Cell::Text(_) = cell {
            return Err("an order is asked of numbers and dates, not of texts".to_owned());
        }
        if let Some(before) = before {
            let order = cell.compare(before).ok_or_else(|| unlike(before.class(), cell.class()))?;
            let order = if falling { order.reverse() } else { order };
            if order.is_lt() || (strictly && order.is_eq()) {
                rows.push(row);
            }
        }
        before = Some(cell);
    }
    Ok(rows)
}

fn z_scores(facts: &Facts<'_>, expectation: &Expectation, options: &Options) -> Result<Vec<usize>, String> {
    let threshold = limit::number(expectation.argument("threshold").ok_or("`threshold` is needed")?, options)?;
    let (mean, deviation) = facts.spread().ok_or("scores are asked of numbers")?;
    let (Some(mean), Some(deviation)) = (mean, deviation) else {
        return Ok(Vec::new());
    };
    let double_sided = expectation.flag("double_sided");
    failing(facts, options, |cell| {
        let score = (cell.number().unwrap_or(f64::NAN) - mean) / deviation;
        let within = if double_sided { score.abs() < threshold.abs() } else { score < threshold };
        // Without any spread there is no score, and nothing to be far from.
        Ok(within || score.is_nan() || deviation == 0.0)
    })
}

/// Judges rows by several cells.
fn joint(name: &str, facts: &[&Facts<'_>], expectation: &Expectation, options: &Options) -> Result<Unexpected, String> {
    let rows = facts.first().map_or(0, |facts| facts.rows());
    let is_left_out = |row: usize| {
        let mut missing = facts.iter().map(|facts| facts.column.is_missing(row));
        match expectation.text("ignore_row_if") {
            Some("either_value_is_missing" | "any_value_is_missing") => missing.any(|missing| missing),
            Some("neither" | "never") => false,
            _ => missing.all(|missing| missing),
        }
    };
    let judged: Vec<usize> = (0..rows).filter(|row| !is_left_out(*row)).collect();
    let of_moments = facts.iter().any(|facts| is_of_moments(facts.column));
    let cell = |at: usize, row: usize| as_moment(facts[at].column.cell(row), of_moments);
    let count = judged.len();
    let mut unexpected = Vec::new();
    match name {
        "column_pair_values_to_be_equal" => {
            unexpected.extend(
                judged
                    .into_iter()
                    .filter(|row| !cell(0, *row).compare(cell(1, *row)).is_some_and(|order| order.is_eq())),
            );
        }
        "column_pair_values_a_to_be_greater_than_b" => {
            let or_equal = expectation.flag("or_equal");
            for row in judged {
                let (left, right) = (cell(0, row), cell(1, row));
                let holds = match left.compare(right) {
                    Some(order) => order.is_gt() || (or_equal && order.is_eq()),
                    None if left.is_missing() || right.is_missing() => false,
                    None => return Err(unlike(left.class(), right.class())),
                };
                unexpected.extend((!holds).then_some(row));
            }
        }
        "column_pair_values_to_be_in_set" => {
            let pairs = expectation.argument("value_pairs_set").and_then(Value::as_list).unwrap_or_default();
            let pairs: HashSet<_> = pairs
                .iter()
                .filter_map(|pair| match pair.as_list()? {
                    [left, right] => Some(
                        [left, right]
                            .map(|part| Cell::of(part).map_or(Key::Missing, |part| as_moment(part, of_moments).key())),
                    ),
                    _ => None,
                })
                .collect();
            unexpected.extend(judged.into_iter().filter(|row| !pairs.contains(&[0, 1].map(|at| cell(at, *row).key()))));
        }
        "compound_columns_to_be_unique" => {
            let ids = compound(facts);
            let mut seen: HashMap<u32, u32> = HashMap::new();
            for row in &judged {
                *seen.entry(ids[*row]).or_default() += 1;
            }
            unexpected.extend(judged.into_iter().filter(|row| seen[&ids[*row]] > 1));
        }
        "multicolumn_sum_to_equal" => {
            let total = limit::cell(expectation.argument("sum_total").ok_or("`sum_total` is needed")?, options)?;
            for row in judged {
                // In the order of the columns, as pandas adds them; integers are added without rounding.
                let (mut sum, mut whole) = (0.0, Some(0_i128));
                for at in 0..facts.len() {
                    let cell = cell(at, row);
                    sum += match cell {
                        Cell::Missing => f64::NAN,
                        cell => cell.number().ok_or_else(|| format!("{} have no sum", cell.class().name()))?,
                    };
                    whole = match cell {
                        Cell::Int(value) => whole.map(|sum| sum + i128::from(value)),
                        Cell::Bool(value) => whole.map(|sum| sum + i128::from(value)),
                        _ => None,
                    };
                }
                let sum = match whole.map(i64::try_from) {
                    Some(Ok(whole)) => Cell::Int(whole),
                    _ => Cell::float(sum),
                };
                unexpected.extend((!sum.compare(total).is_some_and(|order| order.is_eq())).then_some(row));
            }
        }
        "select_column_values_to_be_unique_within_record" => {
            unexpected.extend(judged.into_iter().filter(|row| {
                let distinct: HashSet<_> = (0..facts.len()).map(|at| cell(at, *row).key()).collect();
                distinct.len() < facts.len()
            }));
        }
        other => return Err(format!("expect_{other} is not known")),
    }
    Ok(Unexpected { rows: unexpected, judged: Some(count) })
}

/// Numbers rows so that those that are equal in every column have one number; missing cells are equal.
fn compound(facts: &[&Facts<'_>]) -> Vec<u32> {
    let mut ids: Vec<u32> = facts.first().map_or_else(Vec::new, |facts| facts.groups().of_row.clone());
    for facts in facts.iter().skip(1) {
        let mut known: HashMap<u64, u32> = HashMap::new();
        for (id, group) in ids.iter_mut().zip(&facts.groups().of_row) {
            let next = known.len() as u32;
            *id = *known.entry(u64::from(*id) << 32 | u64::from(*group)).or_insert(next);
        }
    }
    ids
}

/// Writes the result in the form of Great Expectations.
fn describe(
    unexpected: &Unexpected,
    view: &View<'_>,
    domain: Domain,
    names: &[&str],
    facts: &[&Facts<'_>],
    format: &ResultFormat,
) -> Result<Map<String, Json>, String> {
    let mut result = Map::new();
    if format.detail == Detail::BooleanOnly {
        // Nothing of it is shown.
        return Ok(result);
    }
    let elements = view.count();
    let count = unexpected.rows.len();
    let percent = |part: usize, of: usize| if of == 0 { Json::Null } else { json!(part as f64 / of as f64 * 100.0) };
    let judged = unexpected.judged.unwrap_or(elements);
    result.insert("element_count".to_owned(), json!(elements));
    result.insert("unexpected_count".to_owned(), json!(count));
    result.insert("unexpected_percent".to_owned(), percent(count, judged));
    let most = if format.detail == Detail::Complete { MOST_LISTED } else { format.partial.min(MOST_LISTED) };
    let listed: Vec<usize> = unexpected.rows.iter().copied().take(most).collect();
    let value = |row: usize| -> Json {
        let cells = facts.iter().map(|facts| facts.column.cell(row).to_json());
        match domain {
            Domain::Pair => cells.collect(),
            Domain::Columns => names.iter().map(|name| (*name).to_owned()).zip(cells).collect::<Map<_, _>>().into(),
            _ => cells.collect::<Vec<_>>().pop().unwrap_or_default(),
        }
    };
    let values: Vec<Json> = listed.iter().map(|row| value(*row)).collect();
    if !format.without_values {
        let partial = values.iter().take(format.partial).cloned().collect();
        result.insert("partial_unexpected_list".to_owned(), partial);
    }
    if !format.index_columns.is_empty() {
        result.insert("unexpected_index_column_names".to_owned(), json!(format.index_columns));
    }
    if let Some(judged) = unexpected.judged {
        let missing = elements - judged;
        result.insert("missing_count".to_owned(), json!(missing));
        result.insert("missing_percent".to_owned(), percent(missing, elements));
        result.insert("unexpected_percent_total".to_owned(), percent(count, elements));
        result.insert("unexpected_percent_nonmissing".to_owned(), percent(count, judged));
    }
    if format.detail < Detail::Summary {
        return Ok(result);
    }
    let index = |rows: &mut dyn Iterator<Item = usize>| indices(rows, view, names, format);
    if format.partial > 0 {
        if !format.without_values {
            let counts = counts(&listed, facts, domain, format.partial);
            result.insert("partial_unexpected_counts".to_owned(), counts);
        }
        let partial = index(&mut unexpected.rows.iter().copied().take(format.partial))?;
        result.insert("partial_unexpected_index_list".to_owned(), partial);
    }
    if format.detail < Detail::Complete {
        return Ok(result);
    }
    if !format.without_values {
        result.insert("unexpected_list".to_owned(), Json::Array(values));
    }
    result.insert("unexpected_index_list".to_owned(), index(&mut unexpected.rows.iter().copied())?);
    let rows: Vec<String> = unexpected.rows.iter().map(|row| view.row(*row).to_string()).collect();
    let query = format!("df.filter(items=[{}], axis=0)", rows.join(", "));
    result.insert("unexpected_index_query".to_owned(), json!(query));
    Ok(result)
}

/// Names rows: by their numbers, or by the values of the index columns beside the unexpected ones.
fn indices(
    rows: &mut dyn Iterator<Item = usize>,
    view: &View<'_>,
    names: &[&str],
    format: &ResultFormat,
) -> Result<Json, String> {
    if format.index_columns.is_empty() {
        return Ok(rows.map(|row| json!(view.row(row))).collect());
    }
    let shown = if format.without_values { &[] } else { names };
    let named = shown.iter().copied().chain(format.index_columns.iter().map(String::as_str));
    let columns =
        named.map(|name| Ok((name, super::condition::find(view.whole, name)?))).collect::<Result<Vec<_>, String>>()?;
    let record = |row: usize| -> Json {
        let cells = columns.iter().map(|(name, column)| ((*name).to_owned(), column.cell(view.row(row)).to_json()));
        cells.collect::<Map<_, _>>().into()
    };
    Ok(rows.map(record).collect())
}

/// Counts the listed values, most frequent first; missing cells are counted one by one, as pandas' NaN are.
fn counts(listed: &[usize], facts: &[&Facts<'_>], domain: Domain, most: usize) -> Json {
    let cells = |row: usize| facts.iter().map(|facts| facts.column.cell(row)).collect::<Vec<_>>();
    let mut counted: Vec<(Vec<Cell<'_>>, u64)> = Vec::new();
    let mut known: HashMap<Vec<Key<'_>>, usize> = HashMap::new();
    for row in listed {
        let cells = cells(*row);
        let key: Vec<_> = cells.iter().map(|cell| cell.key()).collect();
        match known.get(&key).filter(|_| !key.contains(&Key::Missing)) {
            Some(at) => counted[*at].1 += 1,
            None => {
                known.insert(key, counted.len());
                counted.push((cells, 1));
            }
        }
    }
    // Stable, so that values that are equally frequent are taken in the order of the rows.
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted.truncate(most);
    let class_of = |cells: &[Cell<'_>]| cells.iter().map(|cell| cell.class()).collect::<Vec<_>>();
    let has_no_order = |left: &(Vec<Cell<'_>>, u64), right: &(Vec<Cell<'_>>, u64)| {
        let classes = class_of(&left.0).into_iter().zip(class_of(&right.0));
        left.1 == right.1
            && classes
                .into_iter()
                .any(|(left, right)| left != right && left != Class::Missing && right != Class::Missing)
    };
    if domain == Domain::Column && counted.windows(2).any(|pair| has_no_order(&pair[0], &pair[1])) {
        return json!([{ "error": "values of several types have no order" }]);
    }
    counted.sort_by(|(left, left_count), (right, right_count)| {
        let cells = left.iter().zip(right).map(|(left, right)| left.order(*right));
        right_count.cmp(left_count).then_with(|| cells.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then))
    });
    let entry = |(cells, count): (Vec<Cell<'_>>, u64)| {
        let mut values: Vec<Json> = cells.into_iter().map(Cell::to_json).collect();
        let value = if domain == Domain::Column { values.pop().unwrap_or_default() } else { Json::Array(values) };
        json!({ "value": value, "count": count })
    };
    counted.into_iter().map(entry).collect()
}
