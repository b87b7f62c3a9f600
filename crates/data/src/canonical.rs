//! The six types that every table is made of.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, RecordBatchOptions,
    TimestampMicrosecondArray, new_empty_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rayon::prelude::*;

use crate::{Declared, Error};

/// Where validation begins in a split by time: what a frozen reference test says in its schema's metadata.
pub(crate) const VALIDATION_FROM: &str = "trainyard.validation_from";

/// Gives the names of a file's columns.
///
/// # Errors
/// [`Error::EmptyName`], [`Error::DuplicateColumn`].
pub(crate) fn named(schema: &Schema, file: &str) -> Result<Vec<String>, Error> {
    let (mut names, mut before) = (Vec::with_capacity(schema.fields().len()), HashSet::new());
    for field in schema.fields() {
        let (file, name) = (file.to_owned(), field.name().clone());
        if name.trim().is_empty() {
            return Err(Error::EmptyName { file, line: None, position: names.len() + 1 });
        }
        if !before.insert(field.name()) {
            return Err(Error::DuplicateColumn { file, line: None, name });
        }
        names.push(name);
    }
    Ok(names)
}

/// Gives a table of columns with such names in the canonical types.
///
/// # Errors
/// [`Error::UnsupportedType`]; what `damaged` makes of the cause where columns and their description contradict each
/// other.
pub(crate) fn canonical_table(
    table: &RecordBatch,
    file: &str,
    damaged: impl Fn(String) -> Error,
) -> Result<RecordBatch, Error> {
    let schema = table.schema();
    let cast: Vec<Option<ArrayRef>> = table.columns().par_iter().map(canonical).collect();
    let mut fields = Vec::with_capacity(cast.len());
    let mut columns = Vec::with_capacity(cast.len());
    for ((field, before), column) in schema.fields().iter().zip(table.columns()).zip(cast) {
        let column = column.ok_or_else(|| Error::UnsupportedType {
            file: file.to_owned(),
            column: field.name().clone(),
            kind: field.data_type().to_string(),
        })?;
        let missing = before.logical_nulls();
        if column.null_count() > missing.as_ref().map_or(0, |missing| missing.null_count()) {
            let is_lost =
                |row: &usize| column.is_null(*row) && missing.as_ref().is_none_or(|missing| missing.is_valid(*row));
            return Err(Error::Value {
                file: file.to_owned(),
                row: (0..column.len()).find(is_lost).unwrap_or(0) + 1,
                column: field.name().clone(),
                kind: type_name(column.data_type()),
                value: "a moment that microseconds do not reach".to_owned(),
                declared: Declared::No,
            });
        }
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

/// Says whether an Arrow type is one of those that every table is made of.
pub(crate) fn is_canonical(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Boolean
            | DataType::Int64
            | DataType::Float64
            | DataType::LargeUtf8
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, None)
    )
}

/// Gives the name of a canonical type, as specifications write it.
pub fn type_name(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "boolean",
        DataType::Int64 => "integer",
        DataType::Float64 => "float",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp",
        _ => "text",
    }
}

/// Casts a column to its canonical type; nothing for a type that has none.
pub(crate) fn canonical(column: &ArrayRef) -> Option<ArrayRef> {
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
        DataType::Utf8 => {
            let (offsets, values, nulls) = column.as_string::<i32>().clone().into_parts();
            let offsets = OffsetBuffer::new(offsets.iter().map(|offset| i64::from(*offset)).collect());
            Arc::new(LargeStringArray::try_new(offsets, values, nulls).ok()?)
        }
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

/// What is said of a file whose second reading is not as the first.
pub(crate) const CHANGED: &str = "it changed while it was read";

/// Gives the canonical type of a column; of unsigned numbers, whose values decide, that of integers.
///
/// # Errors
/// [`Error::UnsupportedType`].
pub(crate) fn canonical_field(field: &Field, file: &str) -> Result<Field, Error> {
    let kind = canonical(&new_empty_array(field.data_type())).map(|column| column.data_type().clone());
    let unsupported = || Error::UnsupportedType {
        file: file.to_owned(),
        column: field.name().clone(),
        kind: field.data_type().to_string(),
    };
    Ok(Field::new(field.name(), kind.ok_or_else(unsupported)?, true))
}

/// Says whether the values of a column decide if they are integers or floats.
pub(crate) fn is_unsigned(kind: &DataType) -> bool {
    match kind {
        DataType::UInt64 => true,
        DataType::Dictionary(_, values) => is_unsigned(values),
        _ => false,
    }
}

/// Casts a batch to the canonical types that its whole file has; nothing where it is not of them.
pub(crate) fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> Option<RecordBatch> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        let column = canonical(column)?;
        columns.push(match (column.data_type(), field.data_type()) {
            (DataType::Int64, DataType::Float64) => floats(&column),
            _ => column,
        });
    }
    let sized = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &sized).ok()
}

/// Makes floats of integers.
pub(crate) fn floats(integers: &ArrayRef) -> ArrayRef {
    let values = integers.as_primitive::<Int64Type>().iter();
    Arc::new(values.map(|value| value.map(|value| value as f64)).collect::<Float64Array>())
}
