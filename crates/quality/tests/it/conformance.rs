//! Answers of the real Great Expectations 1.24.1, recorded case by case.

use std::fs;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, RecordBatch, TimestampMicrosecondArray,
};
use serde_json::{Map, Value as Json, json};
use trainyard_quality::expectations::{Column, Options, ResultFormat, Suite, Table, Value, read_moment, validate};

/// What the real tool answers and we do not, on purpose: it gives no distinct values (`observed_value` is null), and
/// our tables have no time zones.
const OTHERWISE: [&str; 1] = ["negative_pandas_datetime_with_timezone"];

fn texts(cells: &[Json]) -> Vec<Option<String>> {
    let text = |cell: &Json| match cell {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    cells.iter().map(text).collect()
}

fn scalar(cell: &Json) -> Value {
    match cell {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap()), Value::Int),
        Json::String(text) => Value::Text(text.clone()),
        other => panic!("no cell: {other}"),
    }
}

/// Makes the column that pandas makes of the cells.
fn column(cells: &[Json], dtype: Option<&str>) -> Column {
    let all = |holds: fn(&Json) -> bool| cells.iter().all(|cell| cell.is_null() || holds(cell));
    let has_null = cells.iter().any(Json::is_null);
    match dtype {
        Some("datetime64" | "datetime64[ns]" | "datetime" | "timestamp") => {
            let moments = texts(cells).into_iter().map(|text| text.map(|text| read_moment(&text).unwrap()));
            Column::Moment(moments.collect::<TimestampMicrosecondArray>())
        }
        Some("str") => Column::Text(texts(cells).into_iter().collect::<LargeStringArray>()),
        Some("Int64Dtype" | "int" | "int64") if all(Json::is_i64) => {
            Column::Int(cells.iter().map(Json::as_i64).collect::<Int64Array>())
        }
        Some("float" | "float64") if all(Json::is_number) => {
            Column::Float(cells.iter().map(Json::as_f64).collect::<Float64Array>())
        }
        _ if all(Json::is_string) => Column::Text(texts(cells).into_iter().collect::<LargeStringArray>()),
        _ if all(Json::is_boolean) && !has_null => {
            Column::Bool(cells.iter().map(Json::as_bool).collect::<BooleanArray>())
        }
        Some("object") => Column::Mixed(cells.iter().map(scalar).collect()),
        _ if all(Json::is_i64) && !has_null => Column::Int(cells.iter().map(Json::as_i64).collect::<Int64Array>()),
        _ if all(Json::is_number) => Column::Float(cells.iter().map(Json::as_f64).collect::<Float64Array>()),
        _ => Column::Mixed(cells.iter().map(scalar).collect()),
    }
}

fn columns(case: &Json) -> (Vec<(String, Column)>, usize) {
    let data = case["data"].as_object().unwrap();
    let rows = data.values().next().map_or(0, |cells| cells.as_array().unwrap().len());
    let dtype = |name: &str| case["dtypes"].get(name).and_then(Json::as_str);
    let mut columns: Vec<_> =
        data.iter().map(|(name, cells)| (name.clone(), column(cells.as_array().unwrap(), dtype(name)))).collect();
    if case["pk_index"] == json!(true) && !data.contains_key("pk_index") {
        let numbers = (0..rows as i64).map(Some).collect::<Int64Array>();
        columns.push(("pk_index".to_owned(), Column::Int(numbers)));
    }
    (columns, rows)
}

/// Gives the same as a table of arrays; `None` where a column is of several types.
fn arrays(columns: &[(String, Column)]) -> Option<RecordBatch> {
    let arrays = columns.iter().map(|(name, column)| {
        let array: ArrayRef = match column {
            Column::Bool(array) => Arc::new(array.clone()),
            Column::Int(array) => Arc::new(array.clone()),
            Column::Float(array) => Arc::new(array.clone()),
            Column::Text(array) => Arc::new(array.clone()),
            Column::Date(array) => Arc::new(array.clone()),
            Column::Moment(array) => Arc::new(array.clone()),
            Column::Mixed(_) => return None,
        };
        Some((name.clone(), array))
    });
    RecordBatch::try_from_iter(arrays.collect::<Option<Vec<_>>>()?).ok()
}

fn same(expected: &Json, found: &Json) -> bool {
    match (expected, found) {
        (Json::Number(left), Json::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            (left - right).abs() <= 1e-7 * left.abs().max(1.0)
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => expected == found,
    }
}

/// Sets and full lists were recorded in an order of their own.
fn sorted(value: &Json) -> Json {
    let mut items = value.as_array().cloned().unwrap_or_default();
    let key = |item: &Json| item.to_string().replace(".0", "");
    items.sort_by_key(key);
    Json::Array(items)
}

fn differences(kind: &str, expected: &Map<String, Json>, found: &Map<String, Json>) -> Vec<String> {
    let mut wrong = Vec::new();
    for key in expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key))) {
        let (left, right) = (expected.get(key).cloned(), found.get(key).cloned());
        let is_set = matches!(key.as_str(), "unexpected_list" | "partial_missing_list");
        let left = if is_set { left.as_ref().map(sorted) } else { left };
        let right = if is_set { right.as_ref().map(sorted) } else { right };
        let gives_none = kind.contains("distinct_values") && key == "observed_value";
        if !gives_none && !left.as_ref().zip(right.as_ref()).is_some_and(|(left, right)| same(left, right)) {
            wrong.push(format!("{key}: expected {left:?}, found {right:?}"));
        }
    }
    wrong
}

/// JSON has no infinities, but Python writes them; serde_json reads them as texts, which a suite of ours takes
/// as numbers.
fn judge(case: &Json, arguments: &str) -> (bool, bool, Map<String, Json>) {
    let kind = case["type"].as_str().unwrap();
    let text = format!("{{\"name\": \"case\", \"expectations\": [{{\"type\": \"{kind}\", \"kwargs\": {arguments}}}]}}");
    let suite = match Suite::read(&text, "case.json") {
        Ok(suite) => suite,
        Err(_) => return (false, true, Map::new()),
    };
    let mut options = Options { now: Some(1_795_000_000_000_000), ..Options::default() };
    let index =
        if case["pk_index"] == json!(true) { ", \"unexpected_index_column_names\": [\"pk_index\"]" } else { "" };
    let format = format!("{{\"result_format\": \"COMPLETE\"{index}}}");
    options.result_format = ResultFormat::of(&Value::read(&format).unwrap()).unwrap();
    let (columns, rows) = columns(case);
    let batch = arrays(&columns);
    let validation = validate(&suite, &Table::new(columns, rows).unwrap(), &options);
    // What passes by is judged as what is held.
    if let Some(batch) = batch {
        let (passing, _) = super::passing::passed(&suite, &batch, &options, 2);
        assert_eq!(passing.to_json(), validation.to_json(), "{case}");
    }
    let judgement = &validation.judgements[0];
    (judgement.success, judgement.exception.is_some(), judgement.result.clone())
}

#[test]
fn every_recorded_case_is_answered_as_by_the_real_tool() {
    let Some(path) = trainyard_judges::shared("conformance/gx_cases.jsonl") else {
        return;
    };
    let text = fs::read_to_string(path).unwrap();
    let (mut failures, mut judged) = (Vec::new(), 0);
    for line in text.lines() {
        // Quoted here, and read as they are written by the suite's own reader.
        let plain = line.replace("-Infinity", "\"-Infinity\"").replace(" Infinity", " \"Infinity\"");
        let case: Json = serde_json::from_str(&plain).unwrap();
        let arguments =
            case["kwargs"].to_string().replace("\"-Infinity\"", "-Infinity").replace("\"Infinity\"", "Infinity");
        let title = case["title"].as_str().unwrap();
        if OTHERWISE.contains(&title) {
            continue;
        }
        judged += 1;
        let expect = &case["expect"];
        let (success, raised, found) = judge(&case, &arguments);
        let expected_success = expect["success"] == json!(true) || expect["success"] == json!("True");
        let mut wrong = Vec::new();
        if success != expected_success || json!(raised) != expect["raised"] {
            wrong.push(format!("success {success}, raised {raised}"));
        }
        wrong.extend(differences(case["type"].as_str().unwrap(), expect["result"].as_object().unwrap(), &found));
        if !wrong.is_empty() {
            failures.push(format!("{} | {title}\n    {}\n    {}", case["type"], case["kwargs"], wrong.join("\n    ")));
        }
    }
    assert!(judged > 100, "only {judged} cases are there");
    let shown: Vec<String> = failures.iter().take(40).map(|failure| failure.chars().take(1500).collect()).collect();
    assert!(failures.is_empty(), "{} of {judged} cases differ:\n{}", failures.len(), shown.join("\n"));
}
