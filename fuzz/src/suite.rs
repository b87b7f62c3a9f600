//! Suites of expectations, judged over a small table.

use std::sync::LazyLock;

use arrow_array::{Float64Array, Int64Array, LargeStringArray};
use trainyard_quality::expectations::{Column, Options, Suite, Table, Value, validate};

use crate::places;

/// The columns `n`, `f` and `s`.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let columns = [
        ("n", Column::Int(Int64Array::from(vec![Some(1), Some(2), None, Some(i64::MAX)]))),
        ("f", Column::Float(Float64Array::from(vec![Some(0.5), Some(f64::INFINITY), None, Some(-1e300)]))),
        ("s", Column::Text(LargeStringArray::from(vec![Some("2024-02-29"), Some("{\"a\": [1]}"), None, Some("é")]))),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect();
    Table::new(columns, 4).expect("columns of one length")
});

/// Checks one suite.
pub fn check(input: &[u8]) {
    // A cell of JSON is read, too, whatever it is.
    if let Some(value) = std::str::from_utf8(input).ok().and_then(Value::read) {
        assert!(Value::read(&value.to_json().to_string()).is_some(), "{value:?}");
    }
    match Suite::from_bytes(input, "suite.json") {
        Ok(suite) => {
            let text = suite.write();
            let read = Suite::read(&text, "written.json").unwrap_or_else(|problems| panic!("{problems:?}: {text}"));
            assert_eq!(read.write(), text);
            let options = Options { now: Some(1_700_000_000_000_000), ..Options::default() };
            let validation = validate(&suite, &TABLE, &options);
            assert_eq!(validation.judgements.len(), suite.expectations().len());
            assert!(validation.judgements.iter().all(|judgement| !judgement.told().is_empty()));
            assert_eq!(validate(&read, &TABLE, &options).to_json(), validation.to_json());
        }
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without a word");
            places::check_all(&problems);
        }
    }
}
