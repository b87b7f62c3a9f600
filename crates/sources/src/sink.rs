//! Who takes the rows of a database as they come.

use std::io::{BufWriter, Error as DiskError};
use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat;
use trainyard_data::{ArrowFile, Error as DataError, ReadOptions};
use trainyard_files::{Error as FileError, Io, Operation, WriteSync};

use crate::Error;

/// Takes the rows of a database as they come.
///
/// What was taken counts only once the reading came to its end: until then a connection may break, and all begins anew.
pub trait Sink {
    /// Begins a table of these columns, of the canonical types. All that was taken before is void.
    ///
    /// # Errors
    /// What ends the reading, such as [`Error::Interrupted`].
    fn begin(&mut self, schema: &SchemaRef) -> Result<(), Error>;

    /// Takes the next rows, at least one.
    ///
    /// # Errors
    /// As [`Sink::begin`].
    fn take(&mut self, batch: RecordBatch) -> Result<(), Error>;
}

/// Leaves out the columns that are to be dropped, or not wanted.
pub(crate) struct Kept<'a> {
    pub(crate) source: &'a str,
    pub(crate) options: &'a ReadOptions,
    pub(crate) to: &'a mut dyn Sink,
}

impl Kept<'_> {
    fn of(&self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        trainyard_data::without(batch, self.source, self.options).map_err(Error::Data)
    }
}

impl Sink for Kept<'_> {
    fn begin(&mut self, schema: &SchemaRef) -> Result<(), Error> {
        let empty = self.of(RecordBatch::new_empty(SchemaRef::clone(schema)))?;
        self.to.begin(&empty.schema())
    }

    fn take(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let batch = self.of(batch)?;
        self.to.take(batch)
    }
}

/// Holds all rows in memory.
#[derive(Default)]
pub(crate) struct Held {
    schema: Option<SchemaRef>,
    /// The parts of each column.
    columns: Vec<Vec<ArrayRef>>,
    rows: usize,
}

impl Sink for Held {
    fn begin(&mut self, schema: &SchemaRef) -> Result<(), Error> {
        let columns = vec![Vec::new(); schema.fields().len()];
        *self = Held { schema: Some(SchemaRef::clone(schema)), columns, rows: 0 };
        Ok(())
    }

    fn take(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let (_, columns, rows) = batch.into_parts();
        self.rows += rows;
        self.columns.iter_mut().zip(columns).for_each(|(parts, part)| parts.push(part));
        Ok(())
    }
}

impl Held {
    /// Gives the rows as one table, called `source` in messages.
    pub(crate) fn table(self, source: &str) -> Result<RecordBatch, Error> {
        let Some(schema) = self.schema else {
            return Err(Error::Data(DataError::NoRows { file: source.to_owned() }));
        };
        // The parts of a column go when it is whole: there are never two tables.
        let columns = self.columns.into_iter().map(|parts| match parts.as_slice() {
            [whole] => Ok(ArrayRef::clone(whole)),
            parts => concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
        });
        let rows = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let table = columns
            .collect::<Result<Vec<_>, _>>()
            .and_then(|columns| RecordBatch::try_new_with_options(schema, columns, &rows));
        table.map_err(|error| Error::Data(DataError::Unreadable { file: source.to_owned(), cause: error.to_string() }))
    }
}

/// Bytes that are gathered before the disk takes them.
const BUFFER: usize = 1 << 18;

/// Writes the rows into a file of Arrow.
pub(crate) struct Spool<'a> {
    io: &'a dyn Io,
    path: &'a Path,
    file: Option<ArrowFile<BufWriter<Box<dyn WriteSync>>>>,
}

impl<'a> Spool<'a> {
    pub(crate) fn new(io: &'a dyn Io, path: &'a Path) -> Spool<'a> {
        Spool { io, path, file: None }
    }

    fn failed(&self, operation: Operation, error: DiskError) -> Error {
        Error::File(Box::new(FileError::io(operation, self.path, error).diagnostic()))
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let ended = self.file.take().map_or(Ok(()), ArrowFile::finish);
        ended.map_err(|error| self.failed(Operation::Write, error))
    }
}

impl Sink for Spool<'_> {
    fn begin(&mut self, schema: &SchemaRef) -> Result<(), Error> {
        if self.file.take().is_some() {
            self.io.remove_file(self.path).map_err(|error| self.failed(Operation::Remove, error))?;
        }
        let file = self.io.create(self.path).map_err(|error| self.failed(Operation::Create, error))?;
        let begun = ArrowFile::begin(BufWriter::with_capacity(BUFFER, file), schema);
        self.file = Some(begun.map_err(|error| self.failed(Operation::Write, error))?);
        Ok(())
    }

    fn take(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write(&batch));
        written.map_err(|error| self.failed(Operation::Write, error))
    }
}
