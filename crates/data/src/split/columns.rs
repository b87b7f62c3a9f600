//! The columns that a split goes by, held against the table.

use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use trainyard_spec::{Located, SplitSpec, TimeSpec};

use super::{Error, time};

/// Checks the columns and borders of a split against the table.
///
/// # Errors
/// All that is wrong with them.
pub fn check_columns(spec: &SplitSpec, table: &RecordBatch) -> Result<(), Vec<Error>> {
    let mut errors = Vec::new();
    if let Some(column) = &spec.by_group {
        present(table, column, "group", &mut errors);
    }
    if let Some(time) = &spec.by_time
        && let Some(array) = present(table, &time.column, "moment", &mut errors)
    {
        check_time(time, array, &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Gives the column, unless it is absent; notes rows without a value.
fn present<'a>(
    table: &'a RecordBatch,
    column: &Located<String>,
    what: &'static str,
    errors: &mut Vec<Error>,
) -> Option<&'a dyn Array> {
    let Some(array) = table.column_by_name(&column.value) else {
        let known = table.schema().fields().iter().map(|field| field.name().clone()).collect();
        errors.push(Error::UnknownColumn { column: column.clone(), known });
        return None;
    };
    if array.null_count() > 0 {
        let (rows, of) = (array.null_count(), array.len());
        errors.push(Error::Missing { column: column.clone(), what, rows, of });
    }
    Some(array.as_ref())
}

fn check_time(spec: &TimeSpec, array: &dyn Array, errors: &mut Vec<Error>) {
    let kind = array.data_type();
    let name = match kind {
        DataType::Date32 => "days, as 2012-10-01",
        DataType::Timestamp(_, _) => "moments, as 2012-10-01 06:00:00",
        DataType::Int64 => "whole numbers",
        other => {
            let kind = match other {
                DataType::Boolean => "truth values",
                DataType::Float64 => "fractions",
                _ => "text",
            };
            return errors.push(Error::NoTime { column: spec.column.clone(), kind });
        }
    };
    let mut read = |border: &Option<Located<String>>| {
        let border = border.as_ref()?;
        let moment = time::moment(&border.value, kind);
        if moment.is_none() {
            errors.push(Error::Border { border: border.clone(), column: spec.column.value.clone(), kind: name });
        }
        moment
    };
    let (validation, reference) = (read(&spec.validation_from), read(&spec.reference_test_from));
    if let (Some(validation), Some(reference), Some(first), Some(second)) =
        (validation, reference, &spec.validation_from, &spec.reference_test_from)
        && validation >= reference
    {
        errors.push(Error::BorderOrder { first: first.clone(), second: second.clone() });
    }
}
