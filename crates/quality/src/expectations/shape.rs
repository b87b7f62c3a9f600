//! Expectations of a table's shape: its columns and rows.

use serde_json::{Map, Value as Json, json};

use super::judge::{Found, Options, View, observed};
use super::limit::{self, Limits};
use super::suite::Expectation;
use super::value::{Cell, Class, Value};

pub(crate) fn judge(expectation: &Expectation, view: &View<'_>, options: &Options) -> Found {
    let names = view.whole.all_names();
    let count = match expectation.definition.name {
        "column_to_exist" => return Ok((exists(expectation, names), Map::new())),
        "table_columns_to_match_ordered_list" => return Ok(ordered(expectation, names)),
        "table_columns_to_match_set" => return Ok(set(expectation, names)),
        "table_column_count_to_be_between" | "table_column_count_to_equal" => names.len(),
        _ => view.count(),
    };
    let success = match expectation.argument("value") {
        Some(value) => limit::number(value, options)? == count as f64,
        None => Limits::of(expectation, Some(Class::Number), options)?.hold(Cell::Int(count as i64))?,
    };
    Ok((success, observed(json!(count))))
}

fn exists(expectation: &Expectation, names: &[String]) -> bool {
    let name = expectation.text("column").unwrap_or_default();
    match expectation.argument("column_index") {
        None => names.iter().any(|known| known == name),
        Some(index) => {
            // A negative index counts from the end, as in Python.
            let index = index.as_number().unwrap_or(f64::NAN);
            let index = if index < 0.0 { index + names.len() as f64 } else { index };
            index >= 0.0 && names.get(index as usize).is_some_and(|known| known == name)
        }
    }
}

fn ordered(expectation: &Expectation, names: &[String]) -> (bool, Map<String, Json>) {
    let mut result = observed(json!(names));
    let Some(expected) = expectation.argument("column_list").and_then(Value::as_texts) else {
        return (true, result);
    };
    let mismatched: Vec<Json> = (0..expected.len().max(names.len()))
        .filter(|at| expected.get(*at).copied() != names.get(*at).map(String::as_str))
        .map(|at| json!({ "Expected Column Position": at, "Expected": expected.get(at), "Found": names.get(at) }))
        .collect();
    let success = mismatched.is_empty();
    if !success {
        result.insert("details".to_owned(), json!({ "mismatched": mismatched }));
    }
    (success, result)
}

fn set(expectation: &Expectation, names: &[String]) -> (bool, Map<String, Json>) {
    let expected = expectation.argument("column_set").and_then(Value::as_texts);
    let is_exact = expectation.argument("exact_match") != Some(&Value::Bool(false));
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut result = observed(json!(sorted));
    let Some(expected) = expected else {
        return (!is_exact, result);
    };
    let unexpected: Vec<&str> = sorted.iter().copied().filter(|name| !expected.contains(name)).collect();
    let mut missing: Vec<&str> = expected.into_iter().filter(|name| !sorted.contains(name)).collect();
    missing.sort_unstable();
    missing.dedup();
    let mut mismatched = Map::new();
    if !unexpected.is_empty() {
        mismatched.insert("unexpected".to_owned(), json!(unexpected));
    }
    if !missing.is_empty() {
        mismatched.insert("missing".to_owned(), json!(missing));
    }
    let success = missing.is_empty() && (unexpected.is_empty() || !is_exact);
    if !mismatched.is_empty() {
        result.insert("details".to_owned(), json!({ "mismatched": mismatched }));
    }
    (success, result)
}
