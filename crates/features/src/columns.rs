//! The columns that the features read, brought to the types of the fit.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, new_null_array};
use serde::{Deserialize, Serialize};
use trainyard_diagnostics::nearest;
use trainyard_expression::{Row, Type, Value};

use crate::{Error, MissingColumn};

/// Beyond ±2⁵³ a double no longer tells neighbouring integers apart.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A raw column that the features need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The column's name.
    pub name: String,
    /// The type it had in the training rows.
    pub kind: Type,
    /// Whether only numeric features read it, so that an integer, a float or a boolean will do.
    pub any_number: bool,
}

/// Takes the inputs out of `table`, in their order and with their types; further columns do not matter.
pub(crate) fn of_table(inputs: &[Input], table: &RecordBatch) -> Result<Vec<ArrayRef>, Error> {
    let schema = table.schema();
    let known = || schema.fields().iter().map(|field| field.name().as_str());
    let missing: Vec<MissingColumn> = inputs
        .iter()
        .filter(|input| table.column_by_name(&input.name).is_none())
        .map(|input| MissingColumn::new(&input.name, nearest(&input.name, known())))
        .collect();
    if !missing.is_empty() {
        return Err(Error::MissingColumns { missing });
    }
    let columns = inputs.iter().filter_map(|input| Some((input, table.column_by_name(&input.name)?)));
    columns.map(|(input, array)| admit(input, array)).collect()
}

/// Takes the inputs out of `row`, with the outcome of [`of_table`].
pub(crate) fn of_row(inputs: &[Input], row: &Row, into: &mut Vec<Value>) -> Result<(), Error> {
    for input in inputs {
        match row.get(&input.name) {
            Some(value) => into.push(admit_value(input, value)?),
            None => {
                let missing = inputs.iter().filter(|input| !row.contains_key(&input.name));
                let near = |input: &Input| nearest(&input.name, row.keys().map(String::as_str));
                let missing = missing.map(|input| MissingColumn::new(&input.name, near(input))).collect();
                return Err(Error::MissingColumns { missing });
            }
        }
    }
    Ok(())
}

fn admit(input: &Input, array: &ArrayRef) -> Result<ArrayRef, Error> {
    let kind = Type::of_arrow(array.data_type());
    if kind == Some(input.kind) || (input.any_number && kind.is_some_and(is_number)) {
        return Ok(array.clone());
    }
    if array.null_count() == array.len() || array.data_type().is_null() {
        return Ok(new_null_array(&input.kind.arrow(), array.len()));
    }
    let wrong = |row| Error::WrongType {
        column: input.name.clone(),
        expected: input.kind,
        found: kind.map_or_else(|| array.data_type().to_string(), |kind| kind.name().to_owned()),
        row,
    };
    if let (Type::Float, Some(integers)) = (input.kind, array.as_primitive_opt::<Int64Type>()) {
        let floats: Float64Array = integers.unary(|integer| integer as f64);
        return Ok(Arc::new(floats));
    }
    if let (Type::Integer, Some(floats)) = (input.kind, array.as_primitive_opt::<Float64Type>()) {
        // A whole number that arrives as a float is the integer; NaN stands for missing.
        let whole = |float: Option<f64>| float.is_none_or(|float| float.is_nan() || is_whole(float));
        if let Some(row) = floats.iter().position(|float| !whole(float)) {
            return Err(wrong(Some(row)));
        }
        let integers: Int64Array =
            floats.iter().map(|float| float.filter(|float| !float.is_nan()).map(|float| float as i64)).collect();
        return Ok(Arc::new(integers));
    }
    Err(wrong(None))
}

fn admit_value(input: &Input, value: &Value) -> Result<Value, Error> {
    match (input.kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (kind, value) if value.kind() == Some(kind) => Ok(value.clone()),
        (_, value) if input.any_number && value.kind().is_some_and(is_number) => Ok(value.clone()),
        (Type::Float, Value::Integer(integer)) => Ok(Value::Float(*integer as f64)),
        (Type::Integer, Value::Float(float)) if float.is_nan() => Ok(Value::Null),
        (Type::Integer, Value::Float(float)) if is_whole(*float) => Ok(Value::Integer(*float as i64)),
        (expected, value) => Err(Error::WrongType {
            column: input.name.clone(),
            expected,
            found: value.kind().map_or("null", Type::name).to_owned(),
            row: None,
        }),
    }
}

fn is_whole(float: f64) -> bool {
    float.trunc() == float && float.abs() <= EXACT
}

/// Says whether a numeric feature can read the type: integers, floats, and booleans as 0 and 1.
pub(crate) fn is_number(kind: Type) -> bool {
    matches!(kind, Type::Boolean | Type::Integer | Type::Float)
}

/// Reads a column as doubles, NaN where missing.
///
/// # Errors
/// [`Error::Infinite`] for the first infinite value.
pub(crate) fn numbers(column: &str, array: &ArrayRef) -> Result<Vec<f64>, Error> {
    let missing = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let values: Vec<f64> = if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
        if floats.null_count() == 0 { floats.values().to_vec() } else { floats.iter().map(missing).collect() }
    } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
        integers.iter().map(|value| missing(value.map(|value| value as f64))).collect()
    } else if let Some(booleans) = array.as_boolean_opt() {
        booleans.iter().map(|value| missing(value.map(f64::from))).collect()
    } else {
        vec![f64::NAN; array.len()]
    };
    match values.iter().position(|value| value.is_infinite()) {
        Some(row) => Err(Error::Infinite { column: column.to_owned(), row: Some(row) }),
        None => Ok(values),
    }
}

/// Reads a cell as a double, with the outcome of [`numbers`].
pub(crate) fn number(column: &str, value: &Value) -> Result<f64, Error> {
    match value {
        Value::Float(float) if float.is_infinite() => Err(Error::Infinite { column: column.to_owned(), row: None }),
        Value::Float(float) => Ok(*float),
        Value::Integer(integer) => Ok(*integer as f64),
        Value::Boolean(boolean) => Ok(f64::from(*boolean)),
        Value::Null | Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => Ok(f64::NAN),
    }
}
