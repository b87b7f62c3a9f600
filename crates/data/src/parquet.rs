//! Parquet to a table and back; the same table gives the same bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Int8Type, Int16Type, Int32Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::Error;
use crate::csv::is_canonical;

pub(crate) mod stream;

/// Where validation begins in a split by time: what a frozen reference test says in its schema's metadata.
pub(crate) const VALIDATION_FROM: &str = "trainyard.validation_from";

/// Writes a table; the bytes depend on the table alone.
///
/// # Errors
/// The writer's own, which no table of the canonical types meets.
pub fn to_parquet(table: &RecordBatch) -> Result<Vec<u8>, Error> {
    let failed = |error: ParquetError| Error::Parquet { file: "a table".to_owned(), cause: error.to_string() };
    let properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_created_by("trainyard".to_owned()).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, table.schema(), Some(properties)).map_err(failed)?;
    writer.write(table).map_err(failed)?;
    writer.close().map_err(failed)?;
    Ok(bytes)
}

/// Reads any Parquet file into one table of the canonical types.
///
/// # Errors
/// [`Error::Parquet`] for bytes that are none, [`Error::UnsupportedType`] for a column that no table holds.
pub fn from_parquet(bytes: &[u8], file: &str) -> Result<RecordBatch, Error> {
    let damaged = |cause: String| Error::Parquet { file: file.to_owned(), cause };
    // On some damaged files the Parquet reader panics where it should give an error.
    let decoded = catch_unwind(AssertUnwindSafe(|| decoded(bytes)));
    let table = match decoded {
        Ok(table) => table.map_err(|error| damaged(error.to_string()))?,
        Err(_) => return Err(damaged("its pages contradict its own description".to_owned())),
    };
    let mut fields: Vec<Field> = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in table.schema().fields().iter().zip(table.columns()) {
        let (file, name) = (file.to_owned(), field.name().clone());
        if name.trim().is_empty() {
            return Err(Error::EmptyName { file, line: None, position: fields.len() + 1 });
        }
        if fields.iter().any(|field| *field.name() == name) {
            return Err(Error::DuplicateColumn { file, line: None, name });
        }
        let column = canonical(column).ok_or_else(|| Error::UnsupportedType {
            file,
            column: name,
            kind: field.data_type().to_string(),
        })?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let sized = RecordBatchOptions::new().with_row_count(Some(table.num_rows()));
    // Of what a file says about itself only our own is kept: a table's bytes may not depend on the library that wrote it.
    let mut metadata = table.schema().metadata().clone();
    metadata.retain(|name, _| name == VALIDATION_FROM);
    RecordBatch::try_new_with_options(Arc::new(Schema::new_with_metadata(fields, metadata)), columns, &sized)
        .map_err(|error| damaged(error.to_string()))
}

/// Reads a file as it is.
fn decoded(bytes: &[u8]) -> Result<RecordBatch, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(bytes))?;
    let schema = Arc::clone(builder.schema());
    let batches = builder.with_batch_size(1 << 20).build()?.collect::<Result<Vec<RecordBatch>, _>>()?;
    match batches.as_slice() {
        // The reader's batches leave out what the file says about itself.
        [one] => Ok(one.clone().with_schema(schema)?),
        many => Ok(concat_batches(&schema, many)?),
    }
}

/// Casts a column to its canonical type; nothing for a type that has none.
fn canonical(column: &ArrayRef) -> Option<ArrayRef> {
    if is_canonical(column.data_type()) {
        return Some(Arc::clone(column));
    }
    macro_rules! integers {
        ($kind:ty) => {
            Arc::new(
                column
                    .as_primitive::<$kind>()
                    .iter()
                    .map(|value| value.and_then(|value| i64::try_from(value).ok()))
                    .collect::<Int64Array>(),
            )
        };
    }
    macro_rules! moments {
        ($kind:ty, $scale:expr) => {
            Arc::new(
                column
                    .as_primitive::<$kind>()
                    .iter()
                    .map(|value| value.and_then($scale))
                    .collect::<TimestampMicrosecondArray>(),
            )
        };
    }
    let array: ArrayRef = match column.data_type() {
        DataType::Int8 => integers!(Int8Type),
        DataType::Int16 => integers!(Int16Type),
        DataType::Int32 => integers!(Int32Type),
        DataType::UInt8 => integers!(UInt8Type),
        DataType::UInt16 => integers!(UInt16Type),
        DataType::UInt32 => integers!(UInt32Type),
        DataType::UInt64 => {
            let values = column.as_primitive::<UInt64Type>();
            if values.iter().flatten().all(|value| i64::try_from(value).is_ok()) {
                integers!(UInt64Type)
            } else {
                Arc::new(values.iter().map(|value| value.map(|value| value as f64)).collect::<Float64Array>())
            }
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().iter();
            Arc::new(values.map(|value| value.map(f64::from)).collect::<Float64Array>())
        }
        DataType::Decimal128(_, scale) => {
            let unit = libm::pow(10.0, f64::from(*scale));
            let values = column.as_primitive::<Decimal128Type>().iter();
            Arc::new(values.map(|value| value.map(|value| value as f64 / unit)).collect::<Float64Array>())
        }
        DataType::Utf8 => Arc::new(column.as_string::<i32>().iter().collect::<LargeStringArray>()),
        DataType::Utf8View => Arc::new(column.as_string_view().iter().collect::<LargeStringArray>()),
        DataType::Timestamp(TimeUnit::Second, _) => {
            moments!(TimestampSecondType, |value: i64| value.checked_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            moments!(TimestampMillisecondType, |value: i64| value.checked_mul(1000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => moments!(TimestampMicrosecondType, Some),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            moments!(TimestampNanosecondType, |value: i64| Some(value.div_euclid(1000)))
        }
        // What pandas makes of a column without any value.
        DataType::Null => Arc::new(LargeStringArray::new_null(column.len())),
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            let values = canonical(dictionary.values())?;
            if values.is_empty() {
                return Some(arrow_array::new_null_array(values.data_type(), column.len()));
            }
            let keys = dictionary.normalized_keys();
            let picked = (0..column.len()).map(|row| column.is_valid(row).then(|| keys[row] as u64));
            let picked: arrow_array::UInt64Array = picked.collect();
            arrow_select::take::take(&values, &picked, None).ok()?
        }
        _ => return None,
    };
    Some(array)
}
