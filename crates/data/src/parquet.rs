//! Parquet to a table and back; the same table gives the same bytes.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use trainyard_files::Io;

use crate::canonical::named;
use crate::read::Found;
use crate::{Error, ReadOptions};
use stream::File;

mod columns;
pub(crate) mod passing;
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
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let about = guarded(file, || ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::default()))?;
    let kept: Vec<usize> = (0..named(about.schema(), file)?.len()).collect();
    columns::decoded(&bytes, &about, &kept, file)
}

/// Reads the columns that are kept; of the others not even the bytes.
pub(crate) fn read(io: &dyn Io, path: &Path, file: &str, options: &ReadOptions) -> Result<Found, Error> {
    let unreadable = |error: io::Error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() };
    let some = !options.drop.is_empty() || options.columns.is_some();
    if !some {
        let bytes = bytes::Bytes::from(io.read(path).map_err(unreadable)?);
        let about = guarded(file, || ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::default()))?;
        let names = named(about.schema(), file)?;
        let kept: Vec<usize> = (0..names.len()).collect();
        return Ok(Found { table: columns::decoded(&bytes, &about, &kept, file)?, names });
    }
    let whole = File { io, path: path.to_path_buf(), length: io.metadata(path).map_err(unreadable)?.len };
    let about = guarded(file, || ArrowReaderMetadata::load(&whole, ArrowReaderOptions::default()))?;
    let names = named(about.schema(), file)?;
    let kept: Vec<usize> = (0..names.len()).filter(|at| options.keeps(&names[*at])).collect();
    let parts = guarded(file, || columns::Parts::read(&whole, &about, &kept))?;
    Ok(Found { table: columns::decoded(&parts, &about, &kept, file)?, names })
}

/// Does what may panic on some damaged files, where it should give an error.
fn guarded<T>(file: &str, work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Error> {
    let damaged = |cause: String| Error::Parquet { file: file.to_owned(), cause };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| damaged(error.to_string())),
        Err(_) => Err(damaged("its pages contradict its own description".to_owned())),
    }
}
