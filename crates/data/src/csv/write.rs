//! A table as CSV.

use arrow_array::{Array, RecordBatch};
use trainyard_expression::Value;

/// Writes a table as CSV: numbers in their shortest form that reads back the same, missing cells empty.
pub fn to_csv(table: &RecordBatch) -> Vec<u8> {
    to_csv_with(table, "")
}

/// Writes a table as CSV with `missing` where a cell has no value.
pub(crate) fn to_csv_with(table: &RecordBatch, missing: &str) -> Vec<u8> {
    let mut text = String::new();
    let schema = table.schema();
    let names: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    text.push_str(&names.join(","));
    text.push('\n');
    for row in 0..table.num_rows() {
        for (at, column) in table.columns().iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            match cell_text(column.as_ref(), row) {
                // A line of nothing is no row to a reader.
                None if missing.is_empty() && table.num_columns() == 1 => text.push_str("\"\""),
                None => text.push_str(missing),
                Some(cell) => text.push_str(&quoted(&cell)),
            }
        }
        text.push('\n');
    }
    text.into_bytes()
}

/// Gives a cell as a CSV file writes it, before any quotes; nothing for a missing one.
pub(crate) fn cell_text(column: &dyn Array, row: usize) -> Option<String> {
    Some(match Value::of_array(column, row).unwrap_or(Value::Null) {
        Value::Null => return None,
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => match value.abs() {
            // Without an exponent these are rows of zeros.
            size if size.is_finite() && size != 0.0 && !(1e-5..1e16).contains(&size) => format!("{value:e}"),
            _ => value.to_string(),
        },
        Value::Text(value) => value,
        Value::Date(days) => {
            let date = chrono::NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(days.into()))?;
            date.to_string()
        }
        Value::Timestamp(micros) => {
            let moment = chrono::DateTime::from_timestamp_micros(micros)?;
            moment.naive_utc().format("%Y-%m-%d %H:%M:%S%.f").to_string()
        }
    })
}

fn quoted(text: &str) -> String {
    let needs = text.contains([',', '"', '\n', '\r']);
    if needs { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
