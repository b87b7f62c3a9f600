//! A Parquet file as batches, read page by page.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use trainyard_files::{Io, ReadSeek};

use super::guarded;
use crate::canonical::{CHANGED, canonical, canonical_field, fitted, is_unsigned, named};
use crate::read::{declared, declared_behind};
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
        // No more than is there, whatever a damaged file says of its pages.
        let there = usize::try_from(self.length.saturating_sub(start)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(length.min(there));
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
    pub(crate) rows: usize,
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
        let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        if rows == 0 {
            return Err(Error::NoRows { file: shown.to_owned() });
        }
        let names = named(builder.schema(), shown)?;
        let kept: Vec<usize> = (0..names.len()).filter(|at| options.keeps(&names[*at])).collect();
        let mut fields: Vec<Field> = Vec::new();
        // Of the columns that are kept those of unsigned numbers, with their places in the file.
        let mut wide = Vec::new();
        for place in &kept {
            let field = builder.schema().field(*place);
            if is_unsigned(field.data_type()) {
                wide.push((fields.len(), *place));
            }
            fields.push(canonical_field(field, shown)?);
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
        Ok(Chunks { file, names, kept, rows, canonical, declared })
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
            let changed = || Error::Parquet { file: shown.to_owned(), cause: CHANGED.to_owned() };
            let table = fitted(&batch, &self.canonical).ok_or_else(changed)?;
            let table = declared_behind(before, table, &self.names, shown, options)?;
            before += table.num_rows();
            give(&table)
        })
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
