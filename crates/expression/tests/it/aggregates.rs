//! Fitted aggregates.

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_expression::{Fault, Settings, Type, Value, compile};
use trainyard_judges::{json_number, number, python};
use trainyard_random::Key;

use crate::support::{batch, columns, table};

fn fit(sql: &str, table: &RecordBatch) -> Value {
    let columns = columns(table);
    let settings = Settings { columns: &columns, forbidden: &[], fitted: true };
    let expression = compile(sql, &settings).unwrap_or_else(|problems| panic!("{sql}: {problems:?}"));
    assert_eq!(expression.aggregates().len(), 1, "{sql}");
    expression.aggregates()[0].fit(table).unwrap()
}

fn floats(values: &[f64]) -> Vec<Value> {
    values.iter().copied().map(Value::Float).collect()
}

#[test]
fn null_and_nan_are_missing() {
    let mut values = floats(&[1.0, f64::NAN, 2.0, 4.0, -0.0]);
    values.push(Value::Null);
    let table = table(&[("x", Type::Float, values)]);
    assert_eq!(fit("fitted_count(x)", &table), Value::Integer(4));
    assert_eq!(fit("fitted_mean(x)", &table), Value::Float(1.75));
    assert_eq!(fit("fitted_median(x)", &table), Value::Float(1.5));
    assert_eq!(fit("fitted_min(x)", &table), Value::Float(-0.0));
    assert_eq!(fit("fitted_max(x)", &table), Value::Float(4.0));
    assert_eq!(fit("fitted_quantile(x, 0.25)", &table), Value::Float(0.75));
    assert_eq!(fit("fitted_quantile(x, 1)", &table), Value::Float(4.0));
    assert_eq!(fit("fitted_min(x) + 1.0", &table), Value::Float(-0.0));
}

#[test]
fn nothing_gives_null() {
    let table = table(&[("x", Type::Float, floats(&[f64::NAN])), ("s", Type::Text, vec![Value::Null])]);
    for sql in [
        "fitted_mean(x)",
        "fitted_median(x)",
        "fitted_min(s)",
        "fitted_max(x)",
        "fitted_stddev(x)",
        "fitted_quantile(x, 0.5)",
    ] {
        assert_eq!(fit(sql, &table), Value::Null, "{sql}");
    }
    assert_eq!(fit("fitted_count(s)", &table), Value::Integer(0));
    let one = crate::support::table(&[("x", Type::Float, floats(&[3.0]))]);
    assert_eq!(fit("fitted_stddev(x)", &one), Value::Null);
    assert_eq!(fit("fitted_stddev(x / 0)", &one), Value::Null);
}

#[test]
fn other_types_have_extremes_and_counts() {
    let text = |text: &str| Value::Text(text.to_owned());
    let table = table(&[
        ("s", Type::Text, vec![text("b"), text("a"), Value::Null]),
        ("d", Type::Date, vec![Value::Date(3), Value::Date(-3), Value::Null]),
        ("i", Type::Integer, vec![Value::Integer(i64::MAX), Value::Integer(i64::MAX), Value::Integer(-2)]),
    ]);
    assert_eq!(fit("fitted_min(s)", &table), text("a"));
    assert_eq!(fit("fitted_max(d)", &table), Value::Date(3));
    assert_eq!(fit("fitted_count(s)", &table), Value::Integer(2));
    // The sum of the integers does not fit into 64 bits.
    assert_eq!(fit("fitted_mean(i)", &table), Value::Float(6148914691236517000.0));
}

#[test]
fn a_fitted_expression_binds_by_place_and_shares_equal_aggregates() {
    let table = table(&[("x", Type::Float, floats(&[1.0, 2.0, 6.0]))]);
    let columns = columns(&table);
    let settings = Settings { columns: &columns, forbidden: &[], fitted: true };
    let sql = "CASE WHEN x > fitted_mean(x) THEN (x - fitted_mean(x)) / fitted_max( x  * 1.0 ) ELSE 0.0 END";
    let expression = compile(sql, &settings).unwrap();
    let arguments: Vec<&str> = expression.aggregates().iter().map(|aggregate| aggregate.argument.sql()).collect();
    assert_eq!(arguments, ["x", "x  * 1.0"]);
    let fitted: Vec<Value> = expression.aggregates().iter().map(|aggregate| aggregate.fit(&table).unwrap()).collect();
    assert_eq!(fitted, floats(&[3.0, 6.0]));
    assert_eq!(batch(&expression.bind(&fitted), &table).unwrap(), floats(&[0.0, 0.0, 0.5]));
    assert_eq!(batch(&expression.bind(&[Value::Null, Value::Null]), &table).unwrap(), floats(&[0.0, 0.0, 0.0]));
    let missing = batch(&expression.bind(&fitted[..1]), &table).unwrap_err();
    assert_eq!(missing.fault, Fault::Fitted { index: 1, expected: Type::Float });
    let wrong = batch(&expression.bind(&[Value::Integer(1), Value::Null]), &table).unwrap_err();
    assert_eq!(wrong.fault, Fault::Fitted { index: 0, expected: Type::Float });
}

#[test]
fn a_failing_argument_points_into_its_own_text() {
    let table = table(&[("s", Type::Text, vec![Value::Text("1".to_owned()), Value::Text("?".to_owned())])]);
    let columns = columns(&table);
    let settings = Settings { columns: &columns, forbidden: &[], fitted: true };
    let expression = compile("1 + fitted_mean( 2 * CAST(s AS DOUBLE) )", &settings).unwrap();
    let error = expression.aggregates()[0].fit(&table).unwrap_err();
    assert_eq!(
        (error.row, error.sql.as_str(), &error.sql[error.span.clone()]),
        (Some(1), "2 * CAST(s AS DOUBLE)", "CAST(s AS DOUBLE)")
    );
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let mut stream = Key::new(3, "expression: order").stream();
    let mut values: Vec<f64> =
        (0..5_000).map(|_| (stream.uniform() - 0.5) * libm::pow(10.0, stream.below(40) as f64 - 20.0)).collect();
    let fit_all = |values: &[f64]| {
        let table = table(&[("x", Type::Float, floats(values))]);
        ["fitted_mean(x)", "fitted_stddev(x)", "fitted_median(x)", "fitted_min(x)", "fitted_quantile(x, 0.3)"]
            .map(|sql| fit(sql, &table))
    };
    let first = fit_all(&values);
    for _ in 0..3 {
        stream.shuffle(&mut values);
        assert_eq!(fit_all(&values), first);
    }
}

#[test]
fn numpy_agrees() {
    let Some(judge) = python("core") else { return };
    let mut stream = Key::new(4, "expression: numpy").stream();
    let mut cases = Vec::new();
    for size in [1_u64, 2, 3, 10, 101, 1000] {
        for scale in [1.0, 1e150, 1e-150] {
            cases.push((0..size).map(|_| (stream.uniform() * 3.0 - 1.0) * scale).collect::<Vec<f64>>());
        }
    }
    let script = r#"
import numpy as np, math, statistics
answer = []
for case in data:
    x = np.array(case)
    answer.append([math.fsum(case) / len(case), np.median(x), x.std(ddof=1) if len(x) > 1 else None] + [np.quantile(x, q) for q in (0, 0.1, 0.25, 0.5, 0.9, 1)])
"#;
    let sent: Vec<Vec<serde_json::Value>> =
        cases.iter().map(|case| case.iter().map(|x| json_number(*x)).collect()).collect();
    let answer = judge.run(script, &json!(sent));
    let calls = [
        "fitted_mean(x)",
        "fitted_median(x)",
        "fitted_stddev(x)",
        "fitted_quantile(x, 0)",
        "fitted_quantile(x, 0.1)",
        "fitted_quantile(x, 0.25)",
        "fitted_quantile(x, 0.5)",
        "fitted_quantile(x, 0.9)",
        "fitted_quantile(x, 1)",
    ];
    for (case, row) in cases.iter().zip(answer.as_array().unwrap()) {
        let table = table(&[("x", Type::Float, floats(case))]);
        for (call, theirs) in calls.iter().zip(row.as_array().unwrap()) {
            match (fit(call, &table), theirs) {
                (Value::Null, serde_json::Value::Null) => {}
                // The mean is that of an exactly rounded sum; NumPy's standard deviation rounds on its way.
                (Value::Float(ours), theirs) if call.contains("stddev") => {
                    let theirs = number(theirs);
                    assert!((ours - theirs).abs() <= 1e-14 * theirs.abs(), "{call}: {ours} {theirs}");
                }
                (Value::Float(ours), theirs) => {
                    assert_eq!(
                        ours.to_bits(),
                        number(theirs).to_bits(),
                        "{call} of {} values: {ours} {theirs}",
                        case.len()
                    );
                }
                other => panic!("{call}: {other:?}"),
            }
        }
    }
}
