//! A file as a stream of batches, in bounded memory.
//!
//! A table in memory is typed by its first values, and a later value that breaks the type is an error. Here a first
//! pass over all values gives each column the narrowest type that all of them are of: where [`crate::read`] reads a
//! file, the types are the same, and where it refuses one, [`Batches::strays`] says which column would break.
//! Several files come one after the other.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use trainyard_expression::Type;
use trainyard_files::Io;
use trainyard_spec::ColumnType;

use crate::csv::stream as csv_stream;
use crate::format::{self, Format, Packing};
use crate::parquet::stream::Chunks;
use crate::read::{column_type, missing};
use crate::{Error, ReadOptions, ipc, json_lines, pattern};

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

/// A file, or several of a pattern, whose batches can be gone through more than once.
#[derive(Debug)]
pub struct Batches<'a> {
    io: &'a Arc<dyn Io>,
    files: Vec<OneFile>,
    schema: SchemaRef,
    strays: Vec<Stray>,
}

#[derive(Debug)]
struct OneFile {
    path: PathBuf,
    shown: String,
    /// As the whole has them, with the delimiter of this file's form.
    options: ReadOptions,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Csv(csv_stream::Shape, Packing),
    JsonLines(json_lines::Shape, Packing),
    Parquet(Chunks),
    Arrow(ipc::Shape),
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

impl OneFile {
    fn open(io: &Arc<dyn Io>, path: &Path, shown: &str, options: &ReadOptions) -> Result<OneFile, Error> {
        let (format, packing) = check(io.as_ref(), path, shown)?;
        let delimiter = options.delimiter.or(Some(format.delimiter()));
        let options = ReadOptions { delimiter, ..options.clone() };
        let open = || format::open(io.as_ref(), path, packing);
        let packed = |error: Error| error.of_packed(packing);
        let source = match format {
            Format::Parquet => Source::Parquet(Chunks::open(io, path, shown, &options)?),
            Format::Arrow => Source::Arrow(ipc::shape(open().map_err(unreadable(shown))?, shown, &options)?),
            Format::JsonLines => Source::JsonLines(json_lines::shape(&open, shown, &options).map_err(packed)?, packing),
            Format::Csv | Format::Tsv => {
                let shape = csv_stream::shape(&open, shown, &options, csv_stream::SIZES).map_err(packed)?;
                Source::Csv(shape, packing)
            }
        };
        let file = OneFile { path: path.to_path_buf(), shown: shown.to_owned(), options, source };
        file.options.check_names(file.names())?;
        Ok(file)
    }

    /// Gives the names of all columns.
    fn names(&self) -> &[String] {
        match &self.source {
            Source::Csv(shape, _) => &shape.names,
            Source::JsonLines(shape, _) => &shape.names,
            Source::Parquet(chunks) => chunks.names(),
            Source::Arrow(shape) => &shape.names,
        }
    }

    fn schema(&self) -> SchemaRef {
        match &self.source {
            Source::Csv(shape, _) => shape.schema(),
            Source::JsonLines(shape, _) => Arc::clone(&shape.schema),
            Source::Parquet(chunks) => chunks.schema(),
            Source::Arrow(shape) => Arc::clone(&shape.schema),
        }
    }

    fn rows(&self) -> usize {
        match &self.source {
            Source::Csv(shape, _) => shape.rows,
            Source::JsonLines(shape, _) => shape.rows,
            Source::Parquet(chunks) => chunks.rows,
            Source::Arrow(shape) => shape.rows,
        }
    }

    /// Says which of the columns that are kept have any value.
    fn filled(&self, io: &Arc<dyn Io>) -> Result<Vec<bool>, Error> {
        match &self.source {
            Source::Csv(shape, _) => Ok(shape.filled.clone()),
            Source::JsonLines(shape, _) => Ok(shape.filled(&self.options)),
            Source::Parquet(_) | Source::Arrow(_) => {
                let mut filled = vec![false; self.schema().fields().len()];
                self.scan(io, &mut |batch| {
                    for (filled, column) in filled.iter_mut().zip(batch.columns()) {
                        *filled |= column.null_count() < column.len();
                    }
                    Ok(())
                })?;
                Ok(filled)
            }
        }
    }

    fn scan(
        &self,
        io: &Arc<dyn Io>,
        give: &mut (dyn FnMut(&RecordBatch) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        let (shown, options) = (self.shown.as_str(), &self.options);
        let opened = |packing: Packing| move || format::open(io.as_ref(), &self.path, packing);
        match &self.source {
            Source::Csv(shape, packing) => csv_stream::scan(&opened(*packing), shown, options, shape, give)
                .map_err(|error| error.of_packed(*packing)),
            Source::JsonLines(shape, packing) => json_lines::scan(&opened(*packing), shown, options, shape, give)
                .map_err(|error| error.of_packed(*packing)),
            Source::Parquet(chunks) => chunks.scan(shown, options, give),
            Source::Arrow(shape) => {
                let source = opened(Packing::Plain)().map_err(unreadable(shown))?;
                ipc::scan(source, shown, options, shape, give)
            }
        }
    }
}

fn unreadable(shown: &str) -> impl Fn(std::io::Error) -> Error + use<'_> {
    move |error| Error::Unreadable { file: shown.to_owned(), cause: error.to_string() }
}

impl<'a> Batches<'a> {
    /// Opens the file at `path`, called `shown` in messages, or the files where it is a pattern, and finds the types
    /// of the columns; all but Parquet is read to its end for that, and Parquet where it is one of several files.
    ///
    /// # Errors
    /// See [`Error`]; those of [`crate::read`], but for values that break the type of the first ones.
    pub fn open(io: &'a Arc<dyn Io>, path: &Path, shown: &str, options: &ReadOptions) -> Result<Batches<'a>, Error> {
        let several = pattern::named(io.as_ref(), path, shown);
        let is_one = several.is_none();
        let mut files = Vec::new();
        for (path, shown) in several.unwrap_or_else(|| vec![(path.to_path_buf(), shown.to_owned())]) {
            files.push(OneFile::open(io, &path, &shown, options)?);
        }
        let Some(first) = files.first() else { return Err(Error::NoMatch { pattern: shown.to_owned() }) };
        let schema = if is_one { first.schema() } else { common(io, first, &files)? };
        let strays = strays(&files, &schema);
        Ok(Batches { io, files, schema, strays })
    }

    /// Gives the columns that are kept, in the canonical types.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Gives the columns whose values are not all of the type of the first thousand; only CSV files have such.
    pub fn strays(&self) -> &[Stray] {
        &self.strays
    }

    /// Gives every batch in the file's order; their sizes depend on the file alone. A few are held at a time.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn scan(&self, take: &mut (dyn FnMut(&RecordBatch) + Send)) -> Result<(), Error> {
        for file in &self.files {
            file.scan(self.io, &mut |batch| {
                if batch.schema() == self.schema {
                    take(batch);
                    return Ok(());
                }
                let columns =
                    self.schema.fields().iter().filter_map(|field| {
                        Some(pattern::widened(batch.column_by_name(field.name())?, field.data_type()))
                    });
                let sized = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let batch = RecordBatch::try_new_with_options(self.schema(), columns.collect(), &sized);
                take(&batch.map_err(|error| Error::Unreadable { file: file.shown.clone(), cause: error.to_string() })?);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Finds the types of the columns of several files, as one table has them.
fn common(io: &Arc<dyn Io>, first: &OneFile, files: &[OneFile]) -> Result<SchemaRef, Error> {
    for file in &files[1..] {
        pattern::same_columns((&first.shown, first.names()), (&file.shown, file.names()))?;
    }
    let mut parts = Vec::with_capacity(files.len());
    for file in files {
        parts.push((file.shown.as_str(), file.schema(), file.filled(io)?));
    }
    let mut fields = Vec::new();
    for field in first.schema().fields() {
        let filled = parts.iter().filter_map(|(file, schema, filled)| {
            let (at, own) = schema.column_with_name(field.name())?;
            filled.get(at).is_some_and(|filled| *filled).then(|| (*file, own.data_type()))
        });
        fields.push(Field::new(field.name(), pattern::one_kind(field.name(), filled)?, true));
    }
    Ok(Schema::new(fields).into())
}

/// Gathers what strays in any of the files; rows are counted over all of them.
fn strays(files: &[OneFile], schema: &SchemaRef) -> Vec<Stray> {
    let (mut all, mut before): (Vec<Stray>, usize) = (Vec::new(), 0);
    for file in files {
        let own = if let Source::Csv(shape, _) = &file.source { shape.strays.as_slice() } else { &[] };
        for stray in own {
            match all.iter_mut().find(|known| known.column == stray.column) {
                Some(known) => known.count += stray.count,
                None => all.push(Stray { row: before + stray.row, ..stray.clone() }),
            }
        }
        before += file.rows();
    }
    for stray in &mut all {
        let kind = schema.field_with_name(&stray.column).ok().and_then(|field| Type::of_arrow(field.data_type()));
        stray.all = kind.map_or(stray.all, column_type);
    }
    all
}
