//! Arrow's own form to a table: files (.arrow, .feather of version 2, .ipc) and streams.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use trainyard_files::ReadSeek;

use crate::canonical::{CHANGED, canonical, canonical_field, canonical_table, fitted, is_unsigned, named};
use crate::read::{Found, declared, declared_behind, sized};
use crate::{Error, ReadOptions};

/// What a file of this form begins with; a stream does not.
const MAGIC: &[u8] = b"ARROW1";

/// What Feather began with before it became Arrow's form.
const OLD_FEATHER: &[u8] = b"FEA1";

/// Reads a file or a stream into one table of the canonical types.
pub(crate) fn read(source: Box<dyn ReadSeek + '_>, file: &str, options: &ReadOptions) -> Result<Found, Error> {
    let mut records = Records::open(source, file, options)?;
    let mut batches = Vec::new();
    while let Some(batch) = records.next()? {
        batches.push(batch);
    }
    let Records { schema, names, .. } = records;
    let damaged = |cause: String| Error::Arrow { file: file.to_owned(), cause };
    let table = match schema.fields().is_empty() {
        true => sized(Vec::new(), Vec::new(), batches.iter().map(RecordBatch::num_rows).sum()),
        false => concat_batches(&schema, &batches),
    };
    let table = table.map_err(|error| damaged(error.to_string()))?;
    Ok(Found { table: canonical_table(&table, file, damaged)?, names })
}

/// The columns of a file that was read once.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The names of all columns.
    pub(crate) names: Vec<String>,
    pub(crate) rows: usize,
    /// Those that are kept, as the file has them.
    canonical: SchemaRef,
    /// As they are declared.
    pub(crate) schema: SchemaRef,
}

/// Finds the columns and their types, for which the file is read to its end.
pub(crate) fn shape(source: Box<dyn ReadSeek + '_>, file: &str, options: &ReadOptions) -> Result<Shape, Error> {
    let mut records = Records::open(source, file, options)?;
    let fields = records.schema.fields().iter().map(|field| canonical_field(field, file));
    let mut fields = fields.collect::<Result<Vec<Field>, Error>>()?;
    let kinds = records.schema.fields().iter().enumerate();
    let unsigned = kinds.filter(|(_, field)| is_unsigned(field.data_type())).map(|(at, _)| at);
    let unsigned: Vec<usize> = unsigned.collect();
    let mut rows = 0;
    while let Some(batch) = records.next()? {
        rows += batch.num_rows();
        for at in &unsigned {
            if canonical(batch.column(*at)).is_some_and(|column| *column.data_type() == DataType::Float64) {
                fields[*at] = Field::new(fields[*at].name(), DataType::Float64, true);
            }
        }
    }
    if rows == 0 {
        return Err(Error::NoRows { file: file.to_owned() });
    }
    let canonical: SchemaRef = Schema::new(fields).into();
    let names = records.names;
    let schema = declared(RecordBatch::new_empty(SchemaRef::clone(&canonical)), &names, file, options)?.schema();
    Ok(Shape { names, rows, canonical, schema })
}

/// Gives the rows as batches, as many as a batch of the file has.
pub(crate) fn scan(
    source: Box<dyn ReadSeek + '_>,
    file: &str,
    options: &ReadOptions,
    shape: &Shape,
    give: &mut (dyn FnMut(&RecordBatch) -> Result<(), Error> + Send),
) -> Result<(), Error> {
    let mut records = Records::open(source, file, options)?;
    let mut before = 0;
    while let Some(batch) = records.next()? {
        let changed = || Error::Arrow { file: file.to_owned(), cause: CHANGED.to_owned() };
        let table = fitted(&batch, &shape.canonical).ok_or_else(changed)?;
        let table = declared_behind(before, table, &shape.names, file, options)?;
        before += table.num_rows();
        if table.num_rows() > 0 {
            give(&table)?;
        }
    }
    Ok(())
}

/// The record batches of a file or of a stream, one at a time, as they are written.
pub(crate) struct Records<'a> {
    file: &'a str,
    reader: Reader<'a>,
    /// The columns that are kept.
    pub(crate) schema: SchemaRef,
    /// The names of all columns.
    pub(crate) names: Vec<String>,
}

type Source<'a> = BufReader<Box<dyn ReadSeek + 'a>>;

enum Reader<'a> {
    File(FileReader<Source<'a>>),
    Stream(StreamReader<Source<'a>>),
}

impl<'a> Records<'a> {
    pub(crate) fn open(
        source: Box<dyn ReadSeek + 'a>,
        file: &'a str,
        options: &ReadOptions,
    ) -> Result<Records<'a>, Error> {
        let mut source = BufReader::new(source);
        let (is_file, whole) = guarded(file, || begun(&mut source))?;
        let names = named(&whole, file)?;
        let kept: Vec<usize> = (0..names.len()).filter(|at| options.keeps(&names[*at])).collect();
        let some = (kept.len() < names.len()).then(|| kept.clone());
        let reader = guarded(file, || {
            source.seek(SeekFrom::Start(0))?;
            Ok(match is_file {
                true => Reader::File(FileReader::try_new(source, some)?),
                false => Reader::Stream(StreamReader::try_new(source, some)?),
            })
        })?;
        let schema = guarded(file, || whole.project(&kept))?.into();
        Ok(Records { file, reader, schema, names })
    }

    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        guarded(self.file, || match &mut self.reader {
            Reader::File(reader) => reader.next().transpose(),
            Reader::Stream(reader) => reader.next().transpose(),
        })
    }
}

/// A file of Arrow that is written batch by batch, so that only one is held.
pub struct ArrowFile<W: Write>(FileWriter<W>);

impl<W: Write> ArrowFile<W> {
    /// Begins a file of these columns; its buffers are packed by LZ4.
    ///
    /// # Errors
    /// What keeps `to` from taking bytes.
    pub fn begin(to: W, schema: &Schema) -> io::Result<ArrowFile<W>> {
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME));
        let writer = options.and_then(|options| FileWriter::try_new_with_options(to, schema, options));
        writer.map(ArrowFile).map_err(of_disk)
    }

    /// Writes rows, whose columns are those that the file began with.
    ///
    /// # Errors
    /// As [`ArrowFile::begin`].
    pub fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.0.write(batch).map_err(of_disk)
    }

    /// Ends the file; without that it is none.
    ///
    /// # Errors
    /// As [`ArrowFile::begin`].
    pub fn finish(mut self) -> io::Result<()> {
        self.0.finish().and_then(|()| self.0.flush()).map_err(of_disk)
    }
}

fn of_disk(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

/// Says whether it is a file or a stream, and what its columns are.
fn begun(source: &mut Source<'_>) -> Result<(bool, SchemaRef), ArrowError> {
    let mut first = Vec::new();
    source.by_ref().take(MAGIC.len() as u64).read_to_end(&mut first)?;
    source.seek(SeekFrom::Start(0))?;
    if first.starts_with(OLD_FEATHER) {
        return Err(ArrowError::ParseError("it is of Feather's version 1; write it as version 2".to_owned()));
    }
    let is_file = first == MAGIC;
    let schema = match is_file {
        true => FileReader::try_new(source, None)?.schema(),
        false => StreamReader::try_new(source, None)?.schema(),
    };
    Ok((is_file, schema))
}

/// Does what, as in the Parquet reader, panics on some damaged files.
fn guarded<T>(file: &str, work: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, Error> {
    let damaged = |cause: String| Error::Arrow { file: file.to_owned(), cause };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| damaged(error.to_string())),
        Err(_) => Err(damaged("its parts contradict its own description".to_owned())),
    }
}
