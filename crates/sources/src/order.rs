//! Rows in the order of their key, which no database promises.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::DataType;
use trainyard_data::Error as DataError;

use crate::Error;

/// Sorts rows by the column `key`: numbers by size, texts by their bytes, missing ones first, equal ones as they came.
/// Where there is no such column they stay as they came.
///
/// # Errors
/// [`Error::Data`] where Arrow can't put the rows in order, which no table of the canonical types meets.
pub fn by_key(table: RecordBatch, key: Option<&str>) -> Result<RecordBatch, Error> {
    let Some(column) = key.and_then(|key| table.column_by_name(key)) else { return Ok(table) };
    let mut rows: Vec<u64> = (0..table.num_rows() as u64).collect();
    sort(&mut rows, column);
    if rows.is_sorted() {
        return Ok(table);
    }
    let rows = UInt64Array::from(rows);
    let (schema, columns, _) = table.into_parts();
    // Each column gives its memory back once it is sorted: there are never two tables.
    let sorted: Result<Vec<ArrayRef>, _> =
        columns.into_iter().map(|column| arrow_select::take::take(&column, &rows, None)).collect();
    sorted
        .and_then(|columns| RecordBatch::try_new(schema, columns))
        .map_err(|error| Error::Data(DataError::Unreadable { file: "the table".to_owned(), cause: error.to_string() }))
}

fn sort(rows: &mut [u64], column: &ArrayRef) {
    fn by<T>(rows: &mut [u64], column: &dyn Array, value: impl Fn(usize) -> T, compare: impl Fn(&T, &T) -> Ordering) {
        rows.sort_by(|one, other| {
            let (one, other) = (*one as usize, *other as usize);
            match (column.is_valid(one), column.is_valid(other)) {
                (true, true) => compare(&value(one), &value(other)),
                (one, other) => one.cmp(&other),
            }
        });
    }
    match column.data_type() {
        DataType::Int64 => by(rows, column, |row| column.as_primitive::<Int64Type>().value(row), i64::cmp),
        DataType::Float64 => by(rows, column, |row| column.as_primitive::<Float64Type>().value(row), f64::total_cmp),
        DataType::LargeUtf8 => {
            let texts = column.as_string::<i64>();
            by(rows, column, |row| texts.value(row), Ord::cmp);
        }
        DataType::Boolean => by(rows, column, |row| column.as_boolean().value(row), bool::cmp),
        DataType::Date32 => by(rows, column, |row| column.as_primitive::<Date32Type>().value(row), i32::cmp),
        DataType::Timestamp(..) => {
            by(rows, column, |row| column.as_primitive::<TimestampMicrosecondType>().value(row), i64::cmp)
        }
        _ => {}
    }
}
