//! SQL expressions: compiled, and evaluated over a table, over a part of it and over each row.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    TimestampMicrosecondArray,
};
use trainyard_diagnostics::Source;
use trainyard_expression::{Bound, Column, RuntimeError, Settings, Type, Value, compile, row_of};

use crate::places;

/// Two columns of each type, the target `y`, and rows at the bounds of what each type holds.
static TABLE: LazyLock<RecordBatch> = LazyLock::new(|| {
    let column = |name: &str, array: ArrayRef| (name.to_owned(), array, true);
    let columns = [
        column("b1", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)]))),
        column("b2", Arc::new(BooleanArray::from(vec![false, false, true, true]))),
        column("i1", Arc::new(Int64Array::from(vec![Some(7), None, Some(i64::MAX), Some(i64::MIN)]))),
        column("n1", Arc::new(Int64Array::from(vec![2, 0, -1, 3]))),
        column("f1", Arc::new(Float64Array::from(vec![Some(-0.0), Some(f64::NAN), None, Some(1e300)]))),
        column("f2", Arc::new(Float64Array::from(vec![1.5, f64::NEG_INFINITY, 1e-3, 2.0]))),
        column("s1", Arc::new(LargeStringArray::from(vec![Some("a-b"), Some(""), None, Some("héllo 日本 ẞ")]))),
        column("s2", Arc::new(LargeStringArray::from(vec!["12", "2024-02-29", " x_%", "nan"]))),
        column("d1", Arc::new(Date32Array::from(vec![Some(0), Some(-719_162), None, Some(2_932_896)]))),
        column("d2", Arc::new(Date32Array::from(vec![19_782, -1, 1, i32::MAX]))),
        column("t1", Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(-1), None, Some(i64::MAX)]))),
        column(
            "t2",
            Arc::new(TimestampMicrosecondArray::from(vec![1, i64::MIN, 86_400_000_000, 1_709_209_815_123_456])),
        ),
        column("y", Arc::new(BooleanArray::from(vec![true, false, true, false]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
});

/// Checks one expression.
pub fn check(input: &[u8]) {
    let Ok(sql) = std::str::from_utf8(input) else { return };
    let source = Source::new("expression", sql);
    let place = |span| Some(trainyard_diagnostics::Place { source: source.clone(), span });
    let schema = TABLE.schema();
    let kind = |field: &arrow_schema::FieldRef| Type::of_arrow(field.data_type()).expect("a type of a table");
    let columns: Vec<Column> =
        schema.fields().iter().map(|field| Column { name: field.name().clone(), kind: kind(field) }).collect();
    let settings = Settings { columns: &columns, forbidden: &[("y", "it is the target")], fitted: true };
    let expression = match compile(sql, &settings) {
        Ok(expression) => expression,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a word");
            return places::check_all(
                &problems.iter().map(|problem| problem.diagnostic(place, "")).collect::<Vec<_>>(),
            );
        }
    };
    assert_eq!(expression.sql(), sql);
    let mut fitted = Vec::new();
    for aggregate in expression.aggregates() {
        match aggregate.fit(&TABLE) {
            Ok(value) => {
                assert!(value.kind().is_none_or(|kind| kind == aggregate.kind()), "{value:?}");
                fitted.push(value);
            }
            Err(error) => return check_error(&error),
        }
    }
    evaluate(&expression.bind(&fitted));
}

/// Checks that a table, its end and each of its rows give the same bits, or that the row that the table blames fails.
fn evaluate(bound: &Bound) {
    let rows: Vec<Result<Value, RuntimeError>> = (0..TABLE.num_rows())
        .map(|at| {
            let row = row_of(&TABLE, at);
            bound.evaluate_row(&|name| row.get(name).cloned())
        })
        .collect();
    rows.iter().filter_map(|row| row.as_ref().err()).for_each(check_error);
    for from in [0, 1] {
        let part = TABLE.slice(from, TABLE.num_rows() - from);
        match bound.evaluate(&part) {
            Ok(array) => {
                assert_eq!(*array.data_type(), bound.kind().arrow());
                assert_eq!(array.len(), part.num_rows());
                for (at, row) in rows[from..].iter().enumerate() {
                    assert_eq!(
                        row.as_ref().ok(),
                        Value::of_array(&array, at).as_ref(),
                        "row {at} of {}",
                        part.num_rows()
                    );
                }
            }
            Err(error) => {
                check_error(&error);
                let blamed = error.row.map_or(from..rows.len(), |row| from + row..from + row + 1);
                assert!(rows[blamed].iter().any(Result::is_err), "{error:?}");
            }
        }
    }
}

fn check_error(error: &RuntimeError) {
    let source = Source::new("expression", error.sql.clone());
    let place = |span| Some(trainyard_diagnostics::Place { source: source.clone(), span });
    places::check_all([&error.diagnostic(place, "")]);
}
