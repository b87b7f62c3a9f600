//! Digests of rows: what a row is, apart from where it stands and how its file was written.

use arrow_array::{Array, RecordBatch};
use rayon::prelude::*;
use trainyard_expression::Value;

/// Identifies one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowDigest {
    /// Of the key; of the whole row where there is no key.
    pub key: u64,
    /// Of all columns but the key.
    pub content: u64,
}

/// Rows that one thread digests at a time.
const BLOCK: usize = 4096;

/// Gives the digest of every row: the first eight bytes of BLAKE3 over typed values in the order of the columns' names.
///
/// The order of the columns does not matter, nor whether a file was CSV or Parquet.
pub fn digests(table: &RecordBatch, key: Option<&str>) -> Vec<RowDigest> {
    let schema = table.schema();
    let mut columns: Vec<(&str, &dyn Array)> = schema
        .fields()
        .iter()
        .zip(table.columns())
        .map(|(field, array)| (field.name().as_str(), array.as_ref()))
        .collect();
    columns.sort_by_key(|(name, _)| *name);
    let key_column = key.and_then(|key| columns.iter().find(|(name, _)| *name == key).map(|(_, array)| *array));
    let content: Vec<(&str, &dyn Array)> = columns.into_iter().filter(|(name, _)| Some(*name) != key).collect();
    let rows: Vec<usize> = (0..table.num_rows()).collect();
    let blocks = rows.par_chunks(BLOCK).map(|rows| {
        let mut bytes = Vec::new();
        let digest = |row: usize| {
            bytes.clear();
            for (name, array) in &content {
                part(&mut bytes, name.as_bytes());
                value(&mut bytes, *array, row);
            }
            let content = first_eight(&bytes);
            let key = key_column.map(|array| {
                bytes.clear();
                value(&mut bytes, array, row);
                first_eight(&bytes)
            });
            RowDigest { key: key.unwrap_or(content), content }
        };
        rows.iter().copied().map(digest).collect::<Vec<RowDigest>>()
    });
    blocks.collect::<Vec<_>>().concat()
}

fn first_eight(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

fn part(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(part);
}

fn value(bytes: &mut Vec<u8>, array: &dyn Array, row: usize) {
    match Value::of_array(array, row).unwrap_or(Value::Null) {
        Value::Null => bytes.push(0),
        Value::Boolean(value) => bytes.extend_from_slice(&[1, u8::from(value)]),
        Value::Integer(value) => integer(bytes, value),
        Value::Float(value) => float(bytes, value),
        Value::Text(value) => {
            bytes.push(3);
            part(bytes, value.as_bytes());
        }
        Value::Date(value) => {
            bytes.push(4);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        Value::Timestamp(value) => {
            bytes.push(5);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
}

fn integer(bytes: &mut Vec<u8>, value: i64) {
    bytes.push(2);
    bytes.extend_from_slice(&value.to_le_bytes());
}

/// A whole number is the same whether its column is of integers or, because of a fraction elsewhere, of floats.
fn float(bytes: &mut Vec<u8>, value: f64) {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value) {
        return integer(bytes, value as i64);
    }
    let value = if value.is_nan() { f64::NAN } else { value };
    bytes.push(6);
    bytes.extend_from_slice(&value.to_bits().to_le_bytes());
}
