//! Parquet to a table and back; the same table gives the same bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::Error;
use crate::canonical::canonical_table;

pub(crate) mod stream;

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
    canonical_table(&table, file, damaged)
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
