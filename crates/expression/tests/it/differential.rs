//! Thousands of random expressions over nasty values, judged by DuckDB.

use arrow_array::RecordBatch;
use serde_json::{Value as Json, json};
use trainyard_expression::{Type, Value};
use trainyard_judges::{Judge, json_number, number, python};
use trainyard_random::Key;

use crate::generator::Generator;
use crate::nasty::nasty;
use crate::support::{batch, bound, columns, rows};

/// Asks DuckDB for every expression: the values, or the error and the values of the rows that have none.
const SCRIPT: &str = r#"
import duckdb, pyarrow as pa
assert duckdb.__version__ == "2.0.0", duckdb.__version__
types = {"boolean": pa.bool_(), "integer": pa.int64(), "float": pa.float64(), "text": pa.large_string()}
def column(kind, values):
    if kind == "date":
        return pa.array(values, pa.int32()).cast(pa.date32())
    if kind == "timestamp":
        return pa.array(values, pa.int64()).cast(pa.timestamp("us"))
    if kind == "float":
        values = [float(v) if v is not None else None for v in values]
    if kind == "text":
        # Each text was sent behind a mark, for the text NaN would arrive as the number.
        values = [v[1:] if v is not None else None for v in values]
    return pa.array(values, types[kind])
table = pa.table({c["name"]: column(c["kind"], c["values"]) for c in data["columns"]})
connection = duckdb.connect()
connection.execute("SET threads = 1")
# Without it a constant that fails is an error even in a branch that no row reaches.
connection.execute("PRAGMA disable_optimizer")
connection.register("given", table)
connection.execute("CREATE TABLE t AS SELECT * FROM given")
sql_type = {"boolean": "BOOLEAN", "integer": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMP"}
def ask(expression, kind):
    result = connection.execute(f"SELECT CAST({expression} AS {sql_type[kind]}) AS x FROM t").to_arrow_table()["x"]
    if kind == "date":
        result = result.cast(pa.int32())
    if kind == "timestamp":
        result = result.cast(pa.int64())
    return result.to_pylist()
answer = []
for e in data["expressions"]:
    try:
        answer.append({"values": ask(e["sql"], e["kind"])})
    except duckdb.Error as error:
        text = str(error).split("\n")[0]
        if any(word in text for word in ("Binder Error", "Parser Error", "Catalog Error")):
            answer.append({"refused": text})
            continue
        try:
            answer.append({"error": text, "values": ask(f"TRY({e['sql']})", e["kind"])})
        except duckdb.Error as second:
            answer.append({"error": text, "second": str(second).split("\n")[0]})
"#;

fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(value) | Value::Timestamp(value) => json!(value),
        Value::Float(value) => json_number(*value),
        Value::Text(value) => json!(format!("={value}")),
        Value::Date(value) => json!(value),
    }
}

fn cell(kind: Type, json: &Json) -> Value {
    match (kind, json) {
        (_, Json::Null) => Value::Null,
        (Type::Boolean, json) => Value::Boolean(json.as_bool().unwrap()),
        (Type::Integer, json) => Value::Integer(json.as_i64().unwrap()),
        (Type::Float, json) => Value::Float(number(json)),
        (Type::Text, json) => Value::Text(json.as_str().unwrap().to_owned()),
        (Type::Date, json) => Value::Date(json.as_i64().unwrap() as i32),
        (Type::Timestamp, json) => Value::Timestamp(json.as_i64().unwrap()),
    }
}

/// Counts the floats between two floats.
fn distance(a: f64, b: f64) -> u64 {
    let ordered = |x: f64| {
        let bits = x.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    ordered(a).abs_diff(ordered(b))
}

fn agree(ours: &Value, theirs: &Value, ulps: u64) -> bool {
    match (ours, theirs) {
        (Value::Float(a), Value::Float(b)) if a.is_nan() || b.is_nan() => a.is_nan() && b.is_nan(),
        (Value::Float(a), Value::Float(b)) if ulps > 0 => distance(*a, *b) <= ulps,
        _ => ours == theirs,
    }
}

/// Checks expressions against DuckDB and rows against batches; gives how many gave values throughout.
fn judge(judge: &Judge, table: &RecordBatch, expressions: &[(String, Type)], ulps: u64) -> usize {
    let columns: Vec<Json> = columns(table)
        .into_iter()
        .enumerate()
        .map(|(place, column)| {
            let array = table.column(place);
            let values: Vec<Json> = (0..array.len()).map(|row| plain(&Value::of_array(array, row).unwrap())).collect();
            json!({"name": column.name, "kind": column.kind.name(), "values": values})
        })
        .collect();
    let asked: Vec<Json> = expressions.iter().map(|(sql, kind)| json!({"sql": sql, "kind": kind.name()})).collect();
    let answers = judge.run(SCRIPT, &json!({"columns": columns, "expressions": asked}));
    let mut wrong = Vec::new();
    let mut clean = 0;
    let mut passed_over = std::collections::BTreeSet::new();
    for ((sql, kind), answer) in expressions.iter().zip(answers.as_array().unwrap()) {
        let bound = bound(sql, table);
        assert_eq!(bound.kind(), *kind, "{sql}");
        let whole = batch(&bound, table);
        let single = rows(&bound, table);
        // The same bits in a batch and in a row, and a batch fails exactly where a row does.
        match &whole {
            Ok(whole) => {
                clean += 1;
                for (row, (batch, single)) in whole.iter().zip(&single).enumerate() {
                    assert_eq!(Some(batch), single.as_ref().ok(), "row {row} of {sql}");
                }
            }
            Err(error) => {
                let row = error.row.unwrap();
                assert!(single[row].is_err(), "{error} but not alone: {sql}");
            }
        }
        if let Some(refused) = answer.get("refused") {
            wrong.push(format!("{sql}\n    refused: {refused}"));
            continue;
        }
        if answer.get("error").is_some() && whole.is_ok() {
            let ours = whole.as_ref().err().map(ToString::to_string);
            wrong.push(format!("{sql}\n    ours: {ours:?}\n    theirs: {:?}", answer.get("error")));
            continue;
        }
        let Some(values) = answer.get("values").and_then(Json::as_array) else { continue };
        for (row, (ours, theirs)) in single.iter().zip(values).enumerate() {
            let theirs = cell(*kind, theirs);
            let ours = match ours {
                Ok(ours) => ours.clone(),
                // DuckDB passes over the other arguments, and their errors, where one is NULL in a whole chunk; TRY makes
                // chunks of one row. That is rare, and only the error is lost by it.
                Err(_) if theirs != Value::Null || answer.get("error").is_none() => {
                    passed_over.insert(sql);
                    continue;
                }
                Err(_) => Value::Null,
            };
            if !agree(&ours, &theirs, ulps) {
                let inputs: Vec<String> = trainyard_expression::row_of(table, row)
                    .into_iter()
                    .filter(|(name, _)| sql.contains(name.as_str()))
                    .map(|(name, value)| format!("{name}={value:?}"))
                    .collect();
                wrong.push(format!(
                    "{sql}\n    row {row}: {}\n    ours: {ours:?}\n    theirs: {theirs:?}",
                    inputs.join(" ")
                ));
                break;
            }
        }
    }
    assert!(passed_over.len() * 100 <= expressions.len(), "errors passed over: {passed_over:#?}");
    // The shortest says most.
    wrong.sort_by_key(String::len);
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        expressions.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    clean
}

fn random(judge_with: &Judge, seed: u64, count: usize, literals: bool) -> usize {
    let mut stream = Key::new(seed, "expression: differential").stream();
    let mut expressions = Vec::new();
    for turn in 0..count {
        let kind = Type::ALL[turn % Type::ALL.len()];
        // Shallow ones fail seldom, deep ones mix everything.
        let depth = 1 + (turn as u32 / 6) % 4;
        expressions.push((Generator { stream: &mut stream, literals }.of(kind, depth), kind));
    }
    judge(judge_with, &nasty(), &expressions, 0)
}

#[test]
fn random_expressions_over_columns_agree_with_duckdb() {
    let Some(python) = python("core") else { return };
    let clean = random(&python, 1, 6_000, false);
    assert!(clean > 2_000, "only {clean} expressions gave values");
}

#[test]
fn random_expressions_with_literals_agree_with_duckdb() {
    let Some(python) = python("core") else { return };
    let clean = random(&python, 2, 4_000, true);
    assert!(clean > 2_000, "only {clean} expressions gave values");
}

#[test]
fn transcendental_functions_agree_within_two_ulps() {
    let Some(python) = python("core") else { return };
    let mut expressions = Vec::new();
    for name in [
        "cbrt", "exp", "ln", "log10", "log2", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
        "tanh", "degrees", "radians",
    ] {
        for argument in ["f1", "f2", "f1 / 1e300", "i1 / 1e19", "n1", "n1 / 8", "abs(f1)", "f1 * 1e-3"] {
            expressions.push((format!("{name}({argument})"), Type::Float));
        }
    }
    for (a, b) in [("f1", "f2"), ("f2", "n1"), ("n1", "n1"), ("n1", "f1"), ("abs(f1)", "n1 / 4"), ("i1", "i2")] {
        expressions.push((format!("pow({a}, {b})"), Type::Float));
        expressions.push((format!("{a} ^ ({b})"), Type::Float));
        expressions.push((format!("atan2({a}, {b})"), Type::Float));
    }
    judge(&python, &nasty(), &expressions, 2);
}
