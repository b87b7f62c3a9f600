//! Row conditions of expectations: as pandas writes them, as SQL, and as objects.

use std::sync::LazyLock;

use arrow_array::{BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, TimestampMicrosecondArray};
use serde_json::{Value, json};
use trainyard_quality::expectations::{Column, Options, Suite, Table, validate};

use crate::places;

/// A column of each type, with rows at the bounds of what each holds.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let columns = [
        ("b", Column::Bool(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("i", Column::Int(Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MIN)]))),
        ("f", Column::Float(Float64Array::from(vec![Some(f64::NAN), Some(f64::INFINITY), Some(-0.0)]))),
        ("s", Column::Text(LargeStringArray::from(vec![Some("One year"), Some(""), None]))),
        ("d", Column::Date(Date32Array::from(vec![Some(0), Some(i32::MAX), None]))),
        ("t", Column::Moment(TimestampMicrosecondArray::from(vec![Some(i64::MIN), Some(0), None]))),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect();
    Table::new(columns, 3).expect("columns of one length")
});

/// Checks one condition, in each of the languages.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut forms = vec![(json!(text), "pandas"), (json!(text), "sql")];
    forms.extend(serde_json::from_str::<Value>(text).ok().map(|object| (object, "great_expectations")));
    for (condition, parser) in forms {
        let arguments = json!({"row_condition": condition, "condition_parser": parser});
        let suite = json!({"name": "c", "expectations": [{"type": "expect_table_row_count_to_equal",
            "kwargs": merged(&arguments, &json!({"value": 3}))}]});
        match Suite::read(&suite.to_string(), "suite.json") {
            Ok(suite) => {
                let validation = validate(&suite, &TABLE, &Options::default());
                assert_eq!(validation.judgements.len(), 1);
                let judgement = &validation.judgements[0];
                let rows = judgement.result.get("observed_value").and_then(Value::as_u64);
                assert!(judgement.exception.is_some() || rows.is_some_and(|rows| rows <= 3), "{judgement:?}");
                let again = Suite::read(&suite.write(), "suite.json").expect("what is written is read");
                assert_eq!(validate(&again, &TABLE, &Options::default()).to_json(), validation.to_json());
            }
            Err(problems) => places::check_all(&problems),
        }
    }
}

fn merged(one: &Value, other: &Value) -> Value {
    let entries = [one, other].into_iter().flat_map(|value| value.as_object().into_iter().flatten());
    Value::Object(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
}
