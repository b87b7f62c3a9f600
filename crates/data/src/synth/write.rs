//! A table to a file.

use std::path::Path;

use arrow_array::RecordBatch;
use trainyard_expression::Value;
use trainyard_files::{Io, write_atomic};

use crate::csv::{cell_text, to_csv_with};
use crate::{Error, to_parquet};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text; a missing cell is written as one blank, a piece of dirt that real exports have.
    Csv,
    /// Parquet.
    Parquet,
    /// An SQLite database with one table, `data`.
    Sqlite,
}

/// Writes a table to `path`, whole or not at all.
///
/// # Errors
/// What the disk or the database says.
pub fn write(io: &dyn Io, table: &RecordBatch, path: &Path, format: Format) -> Result<(), Error> {
    let failed = |cause: String| Error::Write { file: path.to_owned(), cause };
    let bytes = match format {
        Format::Csv => to_csv_with(table, " "),
        Format::Parquet => to_parquet(table)?,
        Format::Sqlite => sqlite(table).map_err(|error| failed(error.to_string()))?,
    };
    write_atomic(io, path, &bytes).map_err(|error| failed(error.to_string()))
}

/// Makes the database in memory and gives its bytes.
fn sqlite(table: &RecordBatch) -> rusqlite::Result<Vec<u8>> {
    let mut database = rusqlite::Connection::open_in_memory()?;
    let schema = table.schema();
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let kind = match field.data_type() {
                arrow_schema::DataType::Int64 | arrow_schema::DataType::Boolean => "INTEGER",
                arrow_schema::DataType::Float64 => "REAL",
                _ => "TEXT",
            };
            format!("{} {kind}", quoted(field.name()))
        })
        .collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let transaction = database.transaction()?;
    transaction.execute_batch(&format!("CREATE TABLE data ({})", columns.join(", ")))?;
    {
        let mut insert = transaction.prepare(&format!("INSERT INTO data VALUES ({marks})"))?;
        for row in 0..table.num_rows() {
            let values = table.columns().iter().map(|column| {
                match Value::of_array(column.as_ref(), row).unwrap_or(Value::Null) {
                    Value::Null => rusqlite::types::Value::Null,
                    Value::Boolean(value) => i64::from(value).into(),
                    Value::Integer(value) => value.into(),
                    Value::Float(value) => value.into(),
                    Value::Text(value) => value.into(),
                    Value::Date(_) | Value::Timestamp(_) => cell_text(column.as_ref(), row).unwrap_or_default().into(),
                }
            });
            insert.execute(rusqlite::params_from_iter(values))?;
        }
    }
    transaction.commit()?;
    let bytes = database.serialize("main")?;
    Ok(bytes.to_vec())
}
