//! Types and values: the six column types of a table, and one cell.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

/// The type of a column or of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// True or false.
    Boolean,
    /// A 64-bit signed integer. Overflow is a runtime error, as in DuckDB.
    Integer,
    /// A 64-bit float. NaN is equal to itself and greater than every other number, as in DuckDB.
    Float,
    /// UTF-8 text, compared by its bytes.
    Text,
    /// A day of the proleptic Gregorian calendar.
    Date,
    /// A date and a time of day in microseconds, without a time zone.
    Timestamp,
}

impl Type {
    /// Every type, in declaration order.
    pub const ALL: [Type; 6] = [Type::Boolean, Type::Integer, Type::Float, Type::Text, Type::Date, Type::Timestamp];

    /// Returns the type's name as messages and specs spell it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Boolean => "boolean",
            Type::Integer => "integer",
            Type::Float => "float",
            Type::Text => "text",
            Type::Date => "date",
            Type::Timestamp => "timestamp",
        }
    }

    /// Returns the type's name in SQL, which DuckDB understands too.
    pub fn sql(self) -> &'static str {
        match self {
            Type::Boolean => "BOOLEAN",
            Type::Integer => "BIGINT",
            Type::Float => "DOUBLE",
            Type::Text => "VARCHAR",
            Type::Date => "DATE",
            Type::Timestamp => "TIMESTAMP",
        }
    }

    /// Returns the Arrow type of a column of this type.
    pub fn arrow(self) -> DataType {
        match self {
            Type::Boolean => DataType::Boolean,
            Type::Integer => DataType::Int64,
            Type::Float => DataType::Float64,
            Type::Text => DataType::LargeUtf8,
            Type::Date => DataType::Date32,
            Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// Returns the type whose columns have this Arrow type, or `None` where the type is not one of a table's.
    pub fn of_arrow(data_type: &DataType) -> Option<Type> {
        Type::ALL.into_iter().find(|kind| kind.arrow() == *data_type)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A column that an expression may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name, as the table has it.
    pub name: String,
    /// The type of its values.
    pub kind: Type,
}

/// One cell.
///
/// Equality is that of the bits where floats are concerned: NaN equals the same NaN, and `0.0` differs from `-0.0`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float. JSON has no NaN and no infinities: there it is a number or `"NaN"`, `"inf"`, `"-inf"`.
    Float(#[serde(with = "any_float")] f64),
    /// Text.
    Text(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 00:00:00.
    Timestamp(i64),
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Date(a), Value::Date(b)) => a == b,
            (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// Returns the value's type, or `None` for NULL.
    pub fn kind(&self) -> Option<Type> {
        match self {
            Value::Null => None,
            Value::Boolean(_) => Some(Type::Boolean),
            Value::Integer(_) => Some(Type::Integer),
            Value::Float(_) => Some(Type::Float),
            Value::Text(_) => Some(Type::Text),
            Value::Date(_) => Some(Type::Date),
            Value::Timestamp(_) => Some(Type::Timestamp),
        }
    }

    /// Reads one cell of an Arrow array, or `None` where the array's type is not one of a table's or the row is outside.
    pub fn of_array(array: &dyn Array, row: usize) -> Option<Value> {
        let kind = Type::of_arrow(array.data_type())?;
        if row >= array.len() {
            return None;
        }
        if array.is_null(row) {
            return Some(Value::Null);
        }
        Some(match kind {
            Type::Boolean => Value::Boolean(array.as_boolean_opt()?.value(row)),
            Type::Integer => Value::Integer(array.as_primitive_opt::<Int64Type>()?.value(row)),
            Type::Float => Value::Float(array.as_primitive_opt::<Float64Type>()?.value(row)),
            Type::Text => Value::Text(array.as_string_opt::<i64>()?.value(row).to_owned()),
            Type::Date => Value::Date(array.as_primitive_opt::<Date32Type>()?.value(row)),
            Type::Timestamp => Value::Timestamp(array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row)),
        })
    }
}

/// One row: a value for each column by its name. A column that is absent is an error, not NULL.
pub type Row = BTreeMap<String, Value>;

/// Returns one row of a table, without the columns whose type is not one of a table's.
pub fn row_of(table: &RecordBatch, row: usize) -> Row {
    let schema = table.schema();
    let cells = schema.fields().iter().zip(table.columns());
    cells.filter_map(|(field, array)| Some((field.name().clone(), Value::of_array(array, row)?))).collect()
}

/// Floats in formats that know only finite numbers.
mod any_float {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            serializer.serialize_f64(*value)
        } else if value.is_nan() {
            serializer.serialize_str("NaN")
        } else {
            serializer.serialize_str(if *value > 0.0 { "inf" } else { "-inf" })
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(number),
            Written::Text(text) => match text.as_str() {
                "NaN" => Ok(f64::NAN),
                "inf" => Ok(f64::INFINITY),
                "-inf" => Ok(f64::NEG_INFINITY),
                _ => Err(serde::de::Error::custom("expected a number, \"NaN\", \"inf\" or \"-inf\"")),
            },
        }
    }
}
