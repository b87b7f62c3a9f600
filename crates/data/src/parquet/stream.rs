//! A Parquet file as batches, read page by page.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use trainyard_files::{Io, ReadSeek};

use super::guarded;
use crate::canonical::{canonical, named};
use crate::read::declared;
use crate::{Error, ReadOptions};

/// Rows of a batch.
const ROWS: usize = 8192;

/// A file whose parts the reader asks for.
#[derive(Debug, Clone)]
pub(super) struct File<I> {
    pub(super) io: I,
    pub(super) path: PathBuf,
    pub(super) length: u64,
}

impl<I> Length for File<I> {
    fn len(&self) -> u64 {
        self.length
    }
}

impl<I: Deref<Target: Io>> File<I> {
    fn at(&self, start: u64) -> std::io::Result<Box<dyn ReadSeek>> {
        let mut file = self.io.open(&self.path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file)
    }
}

impl<I: Deref<Target: Io> + Send + Sync> ChunkReader for File<I> {
    type T = BufReader<Box<dyn ReadSeek>>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(self.at(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = Vec::new();
        let read = self.at(start)?.take(length as u64).read_to_end(&mut bytes)?;
        if read == length { Ok(bytes.into()) } else { Err(ParquetError::EOF("it ends before its pages do".to_owned())) }
    }
}

/// The columns of a file, in the canonical types.
#[derive(Debug)]
pub(crate) struct Chunks {
    file: File<Arc<dyn Io>>,
    /// The names of all columns.
    names: Vec<String>,
    /// The places of those that are kept.
    kept: Vec<usize>,
    /// As the file has them.
    canonical: SchemaRef,
    /// As they are declared.
    declared: SchemaRef,
}

impl Chunks {
    pub(crate) fn open(io: &Arc<dyn Io>, path: &Path, shown: &str, options: &ReadOptions) -> Result<Chunks, Error> {
        let unreadable = |error: std::io::Error| Error::Unreadable { file: shown.to_owned(), cause: error.to_string() };
        let length = io.metadata(path).map_err(unreadable)?.len;
        let file = File { io: Arc::clone(io), path: path.to_path_buf(), length };
        let builder = guarded(shown, || ParquetRecordBatchReaderBuilder::try_new(file.clone()))?;
        if builder.metadata().file_metadata().num_rows() == 0 {
            return Err(Error::NoRows { file: shown.to_owned() });
        }
        let names = named(builder.schema(), shown)?;
        let kept: Vec<usize> = (0..names.len()).filter(|at| options.keeps(&names[*at])).collect();
        let mut fields: Vec<Field> = Vec::new();
        // Of the columns that are kept those of unsigned numbers, with their places in the file.
        let mut wide = Vec::new();
        for field in kept.iter().map(|at| builder.schema().field(*at)) {
            let (file, name) = (shown.to_owned(), field.name().clone());
            let kind = canonical(&new_empty_array(field.data_type())).map(|column| column.data_type().clone());
            let Some(kind) = kind else {
                return Err(Error::UnsupportedType { file, column: name, kind: field.data_type().to_string() });
            };
            if is_unsigned(field.data_type()) {
                wide.push((fields.len(), kept[fields.len()]));
            }
            fields.push(Field::new(name, kind, true));
        }
        if !wide.is_empty() {
            // Whether they are integers or floats, all their values decide.
            let mask = ProjectionMask::roots(builder.parquet_schema(), wide.iter().map(|(_, place)| *place));
            let reader = guarded(shown, || builder.with_projection(mask).with_batch_size(ROWS).build())?;
            each(shown, reader, &mut |batch| {
                for (column, (at, _)) in batch.columns().iter().zip(&wide) {
                    if canonical(column).is_some_and(|column| *column.data_type() == DataType::Float64) {
                        fields[*at] = Field::new(fields[*at].name(), DataType::Float64, true);
                    }
                }
                Ok(())
            })?;
        }
        let canonical: SchemaRef = Arc::new(Schema::new(fields));
        let declared = declared(RecordBatch::new_empty(Arc::clone(&canonical)), &names, shown, options)?.schema();
        Ok(Chunks { file, names, kept, canonical, declared })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.declared)
    }

    pub(crate) fn scan(
        &self,
        shown: &str,
        options: &ReadOptions,
        give: &mut (dyn FnMut(&RecordBatch) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        let file = self.file.clone();
        let reader = guarded(shown, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(ROWS);
            let mask = ProjectionMask::roots(builder.parquet_schema(), self.kept.iter().copied());
            builder.with_projection(mask).build()
        })?;
        let mut before = 0;
        each(shown, reader, &mut |batch| {
            let table = self.canonical(&batch, shown)?;
            let table = declared(table, &self.names, shown, options).map_err(|error| match error {
                Error::Value { file, row, column, kind, value, declared } => {
                    Error::Value { file, row: before + row, column, kind, value, declared }
                }
                other => other,
            })?;
            before += table.num_rows();
            give(&table)
        })
    }

    fn canonical(&self, batch: &RecordBatch, shown: &str) -> Result<RecordBatch, Error> {
        let changed = || Error::Parquet { file: shown.to_owned(), cause: "it changed while it was read".to_owned() };
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (column, field) in batch.columns().iter().zip(self.canonical.fields()) {
            let column = canonical(column).ok_or_else(changed)?;
            columns.push(match (column.data_type(), field.data_type()) {
                (DataType::Int64, DataType::Float64) => floats(&column),
                _ => column,
            });
        }
        let sized = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.canonical), columns, &sized).map_err(|_| changed())
    }
}

fn floats(integers: &ArrayRef) -> ArrayRef {
    let values = integers.as_primitive::<Int64Type>().iter();
    Arc::new(values.map(|value| value.map(|value| value as f64)).collect::<Float64Array>())
}

fn is_unsigned(kind: &DataType) -> bool {
    match kind {
        DataType::UInt64 => true,
        DataType::Dictionary(_, values) => is_unsigned(values),
        _ => false,
    }
}

fn each(
    shown: &str,
    mut reader: ParquetRecordBatchReader,
    take: &mut (dyn FnMut(RecordBatch) -> Result<(), Error> + '_),
) -> Result<(), Error> {
    while let Some(batch) = guarded(shown, || reader.next().transpose().map_err(Into::into))? {
        take(batch)?;
    }
    Ok(())
}
