//! What several tests share.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use trainyard_expression::{Bound, Column, RuntimeError, Settings, Type, Value, compile, row_of};

/// Makes a column of values of one type.
pub(crate) fn array(kind: Type, values: &[Value]) -> ArrayRef {
    macro_rules! collect {
        ($array:ty, $variant:ident) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        Value::$variant(native) => Some(native.clone()),
                        Value::Null => None,
                        other => panic!("{other:?} in a column of {kind}"),
                    })
                    .collect::<$array>(),
            )
        };
    }
    match kind {
        Type::Boolean => collect!(BooleanArray, Boolean),
        Type::Integer => collect!(Int64Array, Integer),
        Type::Float => collect!(Float64Array, Float),
        Type::Text => collect!(LargeStringArray, Text),
        Type::Date => collect!(Date32Array, Date),
        Type::Timestamp => collect!(TimestampMicrosecondArray, Timestamp),
    }
}

/// Makes a table of named columns.
pub(crate) fn table(columns: &[(&str, Type, Vec<Value>)]) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(name, kind, _)| Field::new(*name, kind.arrow(), true)).collect();
    let arrays = columns.iter().map(|(_, kind, values)| array(*kind, values)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// Gives the columns of a table as settings want them.
pub(crate) fn columns(table: &RecordBatch) -> Vec<Column> {
    let schema = table.schema();
    let fields = schema.fields().iter();
    fields
        .map(|field| Column { name: field.name().clone(), kind: Type::of_arrow(field.data_type()).unwrap() })
        .collect()
}

/// Compiles an expression over a table; panics with the problems.
pub(crate) fn bound(sql: &str, table: &RecordBatch) -> Bound {
    let columns = columns(table);
    let settings = Settings { columns: &columns, forbidden: &[], fitted: false };
    compile(sql, &settings).unwrap_or_else(|problems| panic!("{sql}\n{problems:#?}")).bind(&[])
}

/// Evaluates over a whole table.
pub(crate) fn batch(bound: &Bound, table: &RecordBatch) -> Result<Vec<Value>, RuntimeError> {
    let array = bound.evaluate(table)?;
    assert_eq!(array.data_type(), &bound.kind().arrow());
    assert_eq!(array.len(), table.num_rows());
    Ok((0..array.len()).map(|row| Value::of_array(&array, row).unwrap()).collect())
}

/// Evaluates row by row.
pub(crate) fn rows(bound: &Bound, table: &RecordBatch) -> Vec<Result<Value, RuntimeError>> {
    (0..table.num_rows())
        .map(|row| {
            let row = row_of(table, row);
            bound.evaluate_row(&|name| row.get(name).cloned())
        })
        .collect()
}

/// Evaluates an expression without columns.
pub(crate) fn constant(sql: &str) -> Result<Value, RuntimeError> {
    let table = table(&[("unused", Type::Boolean, vec![Value::Null])]);
    let bound = bound(sql, &table);
    let row = rows(&bound, &table).remove(0);
    let whole = batch(&bound, &table);
    match (&row, &whole) {
        (Ok(row), Ok(whole)) => assert_eq!(row, &whole[0], "{sql}"),
        (Err(_), Err(_)) => {}
        other => panic!("{sql}: {other:?}"),
    }
    row
}
