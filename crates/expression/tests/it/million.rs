//! A million rows at once and one row at a time.

use trainyard_expression::{Type, Value};
use trainyard_random::Key;

use crate::support::{batch, bound, rows, table};

const ROWS: u64 = 1_000_000;

#[test]
fn a_million_rows_have_the_bits_of_single_rows() {
    let key = Key::new(1, "expression/million");
    let [wide, small] = [0, 1].map(|column| key.derive(column));
    // Every power of two that a double has, and a missing value now and then.
    let float =
        |row: u64| if row.is_multiple_of(97) { Value::Null } else { Value::Float(f64::from_bits(wide.at(row))) };
    let integer = |row: u64| Value::Integer(small.at(row) as i64 % 1000 - 500);
    let table = table(&[
        ("f", Type::Float, (0..ROWS).map(float).collect()),
        ("n", Type::Integer, (0..ROWS).map(integer).collect()),
    ]);
    for sql in ["ln(abs(f)) * n + exp(n / 100.0)", "CASE WHEN f > n THEN power(abs(f), 0.3) ELSE sin(n) END"] {
        let bound = bound(sql, &table);
        let whole = batch(&bound, &table).unwrap();
        let bits = |value: &Value| match value {
            Value::Float(value) => Some(if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }),
            _ => None,
        };
        for (row, single) in rows(&bound, &table).into_iter().enumerate() {
            assert_eq!(bits(&single.unwrap()), bits(&whole[row]), "{sql}, row {row}");
        }
    }
}
