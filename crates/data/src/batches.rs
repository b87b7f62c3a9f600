//! A file as a stream of batches, in bounded memory.
//!
//! A table in memory is typed by its first values, and a later value that breaks the type is an error. Here a first
//! pass over all values gives each column the narrowest type that all of them are of: where [`crate::read`] reads a
//! file, the types are the same, and where it refuses one, [`Batches::strays`] says which column would break. JSON lines,
//! Arrow files and patterns of several files come as one batch, which memory has to hold.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use trainyard_files::Io;
use trainyard_spec::ColumnType;

use crate::csv::stream as csv_stream;
use crate::format::{self, Format, Packing};
use crate::parquet::stream::Chunks;
use crate::pattern::matching;
use crate::read::{found, missing};
use crate::{Error, ReadOptions};

/// The values of a column that are not of the type of its first thousand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The column.
    pub column: String,
    /// The type of the first values, by which a table in memory would be read.
    pub first: ColumnType,
    /// The type of all values.
    pub all: ColumnType,
    /// How many values are not of the first type.
    pub count: u64,
    /// The first of them: its row, from 1.
    pub row: usize,
    /// The first of them.
    pub value: String,
}

/// A file whose batches can be gone through, more than once.
#[derive(Debug)]
pub struct Batches<'a> {
    io: &'a Arc<dyn Io>,
    path: &'a Path,
    shown: &'a str,
    options: ReadOptions,
    schema: SchemaRef,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Csv(csv_stream::Shape, Packing),
    Parquet(Chunks),
    /// JSON lines, Arrow and several files are read as one table, which is the only batch.
    Table(RecordBatch),
}

/// Refuses what is no file of a known form.
fn check(io: &dyn Io, path: &Path, shown: &str) -> Result<(Format, Packing), Error> {
    let file = || shown.to_owned();
    match (io.metadata(path), Format::of(path)) {
        (Ok(metadata), _) if metadata.is_dir => Err(Error::Folder { file: file() }),
        (Ok(_), None) => Err(Error::UnknownFormat { file: file() }),
        (Ok(_), Some(known)) => Ok(known),
        (Err(error), Some(_)) if error.kind() != ErrorKind::NotFound => {
            Err(Error::Unreadable { file: file(), cause: error.to_string() })
        }
        (Err(_), _) => Err(missing(io, path, shown)),
    }
}

impl<'a> Batches<'a> {
    /// Opens the file at `path`, called `shown` in messages, and finds the types of its columns; a CSV file is read to
    /// its end for that.
    ///
    /// # Errors
    /// See [`Error`]; those of [`crate::read`], but for values that break the type of the first ones.
    pub fn open(
        io: &'a Arc<dyn Io>,
        path: &'a Path,
        shown: &'a str,
        options: &ReadOptions,
    ) -> Result<Batches<'a>, Error> {
        let several = matching(io.as_ref(), path).is_some();
        let format = if several { None } else { Some(check(io.as_ref(), path, shown)?) };
        let (source, schema, names) = match format {
            Some((Format::Parquet, _)) => {
                let chunks = Chunks::open(io, path, shown, options)?;
                let (schema, names) = (chunks.schema(), chunks.names().to_vec());
                (Source::Parquet(chunks), schema, names)
            }
            Some((format @ (Format::Csv | Format::Tsv), packing)) => {
                let delimiter = options.delimiter.or(Some(format.delimiter()));
                let options = &ReadOptions { delimiter, ..options.clone() };
                let open = || format::open(io.as_ref(), path, packing);
                let shape = csv_stream::shape(&open, shown, options, csv_stream::SIZES)
                    .map_err(|error| error.of_packed(packing))?;
                let (schema, names) = (shape.schema(), shape.names.clone());
                (Source::Csv(shape, packing), schema, names)
            }
            Some((Format::JsonLines | Format::Arrow, _)) | None => {
                let found = found(io.as_ref(), path, shown, options)?;
                let schema = found.table.schema();
                (Source::Table(found.table), schema, found.names)
            }
        };
        let delimiter = options.delimiter.or(format.map(|(format, _)| format.delimiter()));
        let options = ReadOptions { delimiter, ..options.clone() };
        options.check_names(&names)?;
        Ok(Batches { io, path, shown, options, schema, source })
    }

    /// Gives the columns that are kept, in the canonical types.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Gives the columns whose values are not all of the type of the first thousand; a Parquet file has none.
    pub fn strays(&self) -> &[Stray] {
        match &self.source {
            Source::Csv(shape, _) => &shape.strays,
            Source::Parquet(_) | Source::Table(_) => &[],
        }
    }

    /// Gives every batch in the file's order; their sizes depend on the file alone. At most two are held at a time.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn scan(&self, take: &mut (dyn FnMut(&RecordBatch) + Send)) -> Result<(), Error> {
        let mut give = |batch: &RecordBatch| -> Result<(), Error> {
            take(batch);
            Ok(())
        };
        match &self.source {
            Source::Csv(shape, packing) => {
                let open = || format::open(self.io.as_ref(), self.path, *packing);
                csv_stream::scan(&open, self.shown, &self.options, shape, &mut give)
                    .map_err(|error| error.of_packed(*packing))
            }
            Source::Parquet(chunks) => chunks.scan(self.shown, &self.options, &mut give),
            Source::Table(table) => give(table),
        }
    }
}
