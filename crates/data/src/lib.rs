//! Tables: sources, splits, synthetic data.
//!
//! A table is one Arrow record batch of six canonical types (`Boolean`, `Int64`, `Float64`, `LargeUtf8`, `Date32`,
//! `Timestamp(Microsecond)`); a row's position is its place in the source.
//!
//! Never: fits anything; reads a clock; draws without a key.

mod batches;
mod canonical;
pub mod cells;
mod csv;
mod error;
mod format;
pub mod images;
mod ipc;
mod json_lines;
mod parquet;
mod pattern;
pub mod png;
mod read;
pub mod rows;
pub mod slices;
pub mod split;
pub mod synth;
mod target;

use canonical::VALIDATION_FROM;

pub use batches::{Batches, Stray};
pub use canonical::type_name;
pub use csv::to_csv;
pub use error::{Error, Line};
pub use ipc::ArrowFile;
pub use parquet::passing::Passing;
pub use parquet::{from_parquet, to_parquet};
pub use pattern::{is_match, matching};
pub use read::{Declared, ReadOptions, column_type, is_table, read, read_files, read_part, without};
pub use target::{Checked, Master, Target, check, targets, weights};

/// Reads a CSV text, called `file` in messages.
///
/// # Errors
/// See [`Error`].
pub fn read_csv_bytes(bytes: &[u8], file: &str, options: &ReadOptions) -> Result<arrow_array::RecordBatch, Error> {
    csv::read(&|| Ok(Box::new(std::io::Cursor::new(bytes))), file, options).map(|found| found.table)
}

/// Reads a table from the bytes of Arrow's file or stream, called `name` in messages; types and columns to drop as
/// `options` say.
///
/// # Errors
/// See [`Error`].
pub fn read_arrow_bytes(bytes: &[u8], name: &str, options: &ReadOptions) -> Result<arrow_array::RecordBatch, Error> {
    let found = ipc::read(Box::new(std::io::Cursor::new(bytes)), name, options)?;
    options.check_names(&found.names)?;
    read::declared(found.table, &found.names, name, options)
}
