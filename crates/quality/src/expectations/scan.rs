//! Columns of numbers looked through without a cell for each value.

use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray};

use super::condition::Values;
use super::limit::Limits;
use super::table::Column;

/// How many values are counted before it is asked which of them they were.
const STRETCH: usize = 1024;
/// Up to this many values are compared one by one.
const FEW: usize = 4;

/// Gives the rows whose value lies outside of the limits; `None` where that takes a look at each cell.
pub(super) fn outside(column: &Column, limits: &Limits) -> Option<Vec<usize>> {
    match column {
        Column::Float(array) => {
            let (least, most) = limits.doubles()?;
            // NaN, which is missing, is on neither side.
            Some(rows_where(array, |value| (value < least) | (value > most)))
        }
        Column::Int(array) => {
            let (least, most) = limits.integers()?;
            Some(rows_where(array, |value| (value < least) | (value > most)))
        }
        _ => None,
    }
}

/// Gives the rows whose value is among some, or is not; `None` where that takes a look at each cell.
pub(super) fn among(column: &Column, values: &Values<'_>, is_among: bool) -> Option<Vec<usize>> {
    match column {
        Column::Float(array) => {
            let doubles = values.doubles();
            let has = |value: f64| doubles.binary_search_by(|known| known.total_cmp(&(value + 0.0))).is_ok();
            Some(match few(&doubles) {
                Some(few) => rows_where(array, |value| (few.contains(&value) == is_among) & !value.is_nan()),
                None => rows_where(array, |value| (has(value) == is_among) & !value.is_nan()),
            })
        }
        Column::Int(array) => {
            let integers = values.integers();
            Some(match few(&integers) {
                Some(few) => rows_where(array, |value| few.contains(&value) == is_among),
                None => rows_where(array, |value| integers.binary_search(&value).is_ok() == is_among),
            })
        }
        _ => None,
    }
}

/// Gives a few values as so many that a comparison with all takes no branch: the last one again and again.
fn few<T: Copy>(values: &[T]) -> Option<[T; FEW]> {
    let last = values.len().checked_sub(1).filter(|last| *last < FEW)?;
    Some(std::array::from_fn(|at| values[at.min(last)]))
}

/// Gives the rows for which something is so; those without a value are not asked.
fn rows_where<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, is_so: impl Fn(T::Native) -> bool) -> Vec<usize> {
    let mut rows = Vec::new();
    for (stretch, values) in array.values().chunks(STRETCH).enumerate() {
        if values.iter().map(|value| u64::from(is_so(*value))).sum::<u64>() > 0 {
            let found = values.iter().enumerate().filter(|(_, value)| is_so(**value));
            rows.extend(found.map(|(row, _)| stretch * STRETCH + row).filter(|row| array.is_valid(*row)));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array};

    use super::super::facts::Facts;
    use super::super::judge::Options;
    use super::super::suite::Suite;
    use super::super::value::{Class, Value};
    use super::*;

    fn columns() -> [Column; 4] {
        let large = 1_i64 << 53;
        let integers = [Some(0), Some(-1), None, Some(3), Some(large), Some(large + 1), Some(i64::MAX), Some(i64::MIN)];
        let doubles = [
            Some(0.0),
            Some(-0.0),
            None,
            Some(f64::NAN),
            Some(2.5),
            Some(3.0),
            Some(f64::INFINITY),
            Some(f64::NEG_INFINITY),
            Some(large as f64),
            Some(9_223_372_036_854_775_807.0),
            Some(5e-324),
        ];
        let whole = |values: &[Option<i64>]| Int64Array::from(values.to_vec());
        let parts = |values: &[Option<f64>]| Float64Array::from(values.to_vec());
        let kept = integers.iter().copied().filter(Option::is_some).cycle().take(2 * STRETCH + 5).collect::<Vec<_>>();
        let given = doubles.iter().copied().filter(Option::is_some).cycle().take(2 * STRETCH + 5).collect::<Vec<_>>();
        [
            Column::Int(whole(&integers)),
            Column::Int(whole(&kept)),
            Column::Float(parts(&doubles)),
            Column::Float(parts(&given)),
        ]
    }

    #[test]
    fn limits_are_those_of_each_cell() {
        let bounds = [
            "null",
            "0",
            "-0.0",
            "3",
            "2.5",
            "-1",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "-9223372036854775808",
            "1e300",
            "Infinity",
            "-Infinity",
            "9007199254740992.0",
            "5e-324",
        ];
        let mut scanned = 0;
        for least in bounds {
            for most in bounds {
                for strict in ["false", "true"] {
                    let suite = format!(
                        r#"{{"name": "s", "expectations": [{{"type": "expect_column_values_to_be_between", "kwargs":
                        {{"column": "x", "min_value": {least}, "max_value": {most}, "strict_min": {strict}, "strict_max": {strict}}}}}]}}"#
                    );
                    let Ok(suite) = Suite::read(&suite, "suite") else { continue };
                    let options = Options::default();
                    let limits = Limits::of(&suite.expectations()[0], Some(Class::Number), &options).unwrap();
                    for column in &columns() {
                        let Some(rows) = outside(column, &limits) else { continue };
                        scanned += 1;
                        let facts = Facts::new(column);
                        let cells = facts.cells().filter(|(_, cell)| !limits.hold(*cell).unwrap());
                        let expected: Vec<usize> = cells.map(|(row, _)| row).collect();
                        assert_eq!(rows, expected, "{least} {most} {strict}");
                    }
                }
            }
        }
        assert!(scanned > 500, "{scanned}");
    }

    #[test]
    fn sets_are_those_of_each_cell() {
        let large = 1_i64 << 53;
        let some = [
            Value::Int(0),
            Value::Float(2.5),
            Value::Bool(true),
            Value::Text("3".to_owned()),
            Value::Null,
            Value::Int(large + 1),
            Value::Float(f64::INFINITY),
            Value::Int(i64::MAX),
            Value::Float(-1.0),
            Value::Int(3),
        ];
        for count in 0..=some.len() {
            let values = Values::new(some[..count].iter(), false);
            for column in &columns() {
                for is_among in [true, false] {
                    let facts = Facts::new(column);
                    let cells = facts.cells().filter(|(_, cell)| values.has(*cell) == is_among);
                    let expected: Vec<usize> = cells.map(|(row, _)| row).collect();
                    assert_eq!(among(column, &values, is_among), Some(expected), "{count} {is_among}");
                }
            }
        }
    }
}
