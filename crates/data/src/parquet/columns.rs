//! The columns of a Parquet file, decoded beside one another.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::concat::concat;
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use rayon::prelude::*;

use super::guarded;
use crate::Error;
use crate::canonical::canonical_table;

/// Rows of a batch, which mostly holds a whole row group.
const ROWS: usize = 1 << 20;

/// Rows of the row groups that are decoded in one piece; small ones go together.
const PIECE: i64 = 1 << 17;

/// Some bytes of a file: the pages of the columns that are wanted.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    length: u64,
    /// Each with the place where it begins, in their order.
    parts: Arc<Vec<(u64, Bytes)>>,
}

impl Parts {
    pub(super) fn read<R: ChunkReader>(
        file: &R,
        about: &ArrowReaderMetadata,
        kept: &[usize],
    ) -> Result<Parts, ParquetError> {
        let described = about.metadata();
        // A column of the table may be of several in the file, where values lie in one another.
        let mask = ProjectionMask::roots(described.file_metadata().schema_descr(), kept.iter().copied());
        let mut parts = Vec::new();
        for group in described.row_groups() {
            for (_, column) in group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)) {
                let (start, length) = column.byte_range();
                if start.checked_add(length).is_none_or(|end| end > file.len()) {
                    return Err(ends_early());
                }
                parts.push((start, file.get_bytes(start, usize::try_from(length)?)?));
            }
        }
        parts.sort_by_key(|(start, _)| *start);
        Ok(Parts { length: file.len(), parts: Arc::new(parts) })
    }

    /// Gives what is there of the file from a place on.
    fn starting_at(&self, start: u64) -> Result<Bytes, ParquetError> {
        let next = self.parts.partition_point(|(begin, _)| *begin <= start);
        let (begin, bytes) = next.checked_sub(1).and_then(|at| self.parts.get(at)).ok_or_else(ends_early)?;
        let skipped = usize::try_from(start - begin)?;
        if skipped > bytes.len() { Err(ends_early()) } else { Ok(bytes.slice(skipped..)) }
    }
}

fn ends_early() -> ParquetError {
    ParquetError::EOF("it ends before its pages do".to_owned())
}

impl Length for Parts {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Parts {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.starting_at(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.starting_at(start)?;
        if length > bytes.len() { Err(ends_early()) } else { Ok(bytes.slice(..length)) }
    }
}

/// Decodes the columns at these places into one table of the canonical types.
pub(super) fn decoded<R: ChunkReader + Clone + 'static>(
    source: &R,
    about: &ArrowReaderMetadata,
    kept: &[usize],
    file: &str,
) -> Result<RecordBatch, Error> {
    let damaged = |cause: String| Error::Parquet { file: file.to_owned(), cause };
    let about = &with_long_texts(about);
    let pieces = pieces(about);
    let of_piece =
        |(at, groups): &(usize, Vec<usize>)| guarded(file, || one_column(source, about, kept[*at], groups.clone()));
    let work: Vec<(usize, Vec<usize>)> =
        (0..kept.len()).flat_map(|at| pieces.iter().map(move |groups| (at, groups.clone()))).collect();
    let done: Vec<Result<Vec<ArrayRef>, Error>> = work.par_iter().map(of_piece).collect();
    let mut columns: Vec<Vec<ArrayRef>> = kept.iter().map(|_| Vec::new()).collect();
    for ((at, _), arrays) in work.iter().zip(done) {
        columns[*at].extend(arrays?);
    }
    let schema: Arc<Schema> = about.schema().project(kept).map_err(|error| damaged(error.to_string()))?.into();
    let joined: Vec<Result<ArrayRef, ArrowError>> = columns
        .into_par_iter()
        .enumerate()
        .map(|(at, parts)| match parts.as_slice() {
            [] => Ok(new_empty_array(schema.field(at).data_type())),
            [one] => Ok(Arc::clone(one)),
            many => concat(&many.iter().map(|part| part as &dyn Array).collect::<Vec<_>>()),
        })
        .collect();
    let joined = joined.into_iter().collect::<Result<Vec<ArrayRef>, ArrowError>>();
    let rows = about.metadata().row_groups().iter().map(|group| group.num_rows()).sum::<i64>();
    let sized = RecordBatchOptions::new().with_row_count(Some(usize::try_from(rows).unwrap_or(0)));
    let table = joined.and_then(|columns| RecordBatch::try_new_with_options(schema, columns, &sized));
    canonical_table(&table.map_err(|error| damaged(error.to_string()))?, file, damaged)
}

/// Asks for texts in the form that every table has, so that none is copied into it afterwards.
fn with_long_texts(about: &ArrowReaderMetadata) -> ArrowReaderMetadata {
    let of = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::Utf8View => Arc::new(field.as_ref().clone().with_data_type(DataType::LargeUtf8)),
        _ => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = about.schema().fields().iter().map(of).collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, about.schema().metadata().clone()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    ArrowReaderMetadata::try_new(Arc::clone(about.metadata()), options).unwrap_or_else(|_| about.clone())
}

/// Cuts the row groups into runs, none of them much larger than the others where the file lets that be.
fn pieces(about: &ArrowReaderMetadata) -> Vec<Vec<usize>> {
    let (mut pieces, mut piece, mut rows) = (Vec::new(), Vec::new(), 0_i64);
    for (at, group) in about.metadata().row_groups().iter().enumerate() {
        piece.push(at);
        rows = rows.saturating_add(group.num_rows());
        if rows >= PIECE {
            pieces.push(std::mem::take(&mut piece));
            rows = 0;
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

fn one_column<R: ChunkReader + Clone + 'static>(
    source: &R,
    about: &ArrowReaderMetadata,
    column: usize,
    groups: Vec<usize>,
) -> Result<Vec<ArrayRef>, ParquetError> {
    let mask = ProjectionMask::roots(about.metadata().file_metadata().schema_descr(), [column]);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(source.clone(), about.clone())
        .with_projection(mask)
        .with_row_groups(groups)
        .with_batch_size(ROWS)
        .build()?;
    reader.map(|batch| Ok(Arc::clone(batch?.column(0)))).collect()
}
