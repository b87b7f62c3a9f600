//! Digests of rows: what a row is, apart from where it stands and how its file was written.

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use rayon::prelude::*;

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
    let columns = schema.fields().iter().zip(table.columns());
    let mut columns: Vec<(&str, Cells<'_>)> =
        columns.map(|(field, array)| (field.name().as_str(), Cells::of(array.as_ref()))).collect();
    columns.sort_by_key(|(name, _)| *name);
    let (keys, content): (Vec<_>, Vec<_>) = columns.into_iter().partition(|(name, _)| Some(*name) == key);
    let rows: Vec<usize> = (0..table.num_rows()).collect();
    let blocks = rows.par_chunks(BLOCK).map(|rows| {
        let mut bytes = Vec::new();
        let digest = |row: usize| {
            bytes.clear();
            for (name, cells) in &content {
                part(&mut bytes, name.as_bytes());
                cells.write(row, &mut bytes);
            }
            let content = first_eight(&bytes);
            let key = keys.first().map(|(_, cells)| {
                bytes.clear();
                cells.write(row, &mut bytes);
                first_eight(&bytes)
            });
            RowDigest { key: key.unwrap_or(content), content }
        };
        rows.iter().copied().map(digest).collect::<Vec<RowDigest>>()
    });
    blocks.collect::<Vec<_>>().concat()
}

/// A column of one of the canonical types.
enum Cells<'a> {
    Boolean(&'a BooleanArray),
    Integer(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a LargeStringArray),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
    /// A type that no table holds counts as missing throughout.
    Missing,
}

impl<'a> Cells<'a> {
    fn of(array: &'a dyn Array) -> Cells<'a> {
        match array.data_type() {
            DataType::Boolean => Cells::Boolean(array.as_boolean()),
            DataType::Int64 => Cells::Integer(array.as_primitive()),
            DataType::Float64 => Cells::Float(array.as_primitive()),
            DataType::LargeUtf8 => Cells::Text(array.as_string()),
            DataType::Date32 => Cells::Date(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Cells::Timestamp(array.as_primitive()),
            _ => Cells::Missing,
        }
    }

    fn is_missing(&self, row: usize) -> bool {
        match self {
            Cells::Boolean(array) => array.is_null(row),
            Cells::Integer(array) => array.is_null(row),
            Cells::Float(array) => array.is_null(row),
            Cells::Text(array) => array.is_null(row),
            Cells::Date(array) => array.is_null(row),
            Cells::Timestamp(array) => array.is_null(row),
            Cells::Missing => true,
        }
    }

    /// Writes the cell of a row: a mark of its type, then its value.
    fn write(&self, row: usize, bytes: &mut Vec<u8>) {
        if self.is_missing(row) {
            return bytes.push(0);
        }
        match self {
            Cells::Boolean(array) => bytes.extend_from_slice(&[1, u8::from(array.value(row))]),
            Cells::Integer(array) => integer(bytes, array.value(row)),
            Cells::Float(array) => float(bytes, array.value(row)),
            Cells::Text(array) => {
                bytes.push(3);
                part(bytes, array.value(row).as_bytes());
            }
            Cells::Date(array) => {
                bytes.push(4);
                bytes.extend_from_slice(&array.value(row).to_le_bytes());
            }
            Cells::Timestamp(array) => {
                bytes.push(5);
                bytes.extend_from_slice(&array.value(row).to_le_bytes());
            }
            Cells::Missing => {}
        }
    }
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
