//! What a table holds, as one digest.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use blake3::Hasher;
use trainyard_files::Digest;

/// Gives the digest of a table's names, types and values, in its order of columns and rows.
///
/// Tables that differ in no cell have the same one, however they came to be.
pub fn content(table: &RecordBatch) -> Digest {
    let mut hasher = Hasher::new();
    let mut bytes = Vec::new();
    part(&mut bytes, b"trainyard table 1");
    bytes.extend_from_slice(&(table.num_rows() as u64).to_le_bytes());
    for (field, column) in table.schema().fields().iter().zip(table.columns()) {
        part(&mut bytes, field.name().as_bytes());
        part(&mut bytes, column.data_type().to_string().as_bytes());
        for row in 0..column.len() {
            cell(&mut bytes, column.as_ref(), row);
            if bytes.len() > 1 << 16 {
                hasher.update(&bytes);
                bytes.clear();
            }
        }
    }
    hasher.update(&bytes);
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

fn part(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(part);
}

fn cell(bytes: &mut Vec<u8>, column: &dyn Array, row: usize) {
    if column.is_null(row) {
        return bytes.push(0);
    }
    bytes.push(1);
    match column.data_type() {
        DataType::Boolean => bytes.push(column.as_boolean().value(row).into()),
        DataType::Int64 => bytes.extend_from_slice(&column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            let value = if value.is_nan() { f64::NAN } else { value };
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        DataType::Date32 => bytes.extend_from_slice(&column.as_primitive::<Date32Type>().value(row).to_le_bytes()),
        DataType::Timestamp(..) => {
            bytes.extend_from_slice(&column.as_primitive::<TimestampMicrosecondType>().value(row).to_le_bytes());
        }
        DataType::LargeUtf8 => part(bytes, column.as_string::<i64>().value(row).as_bytes()),
        // No table holds another type.
        _ => {}
    }
}
