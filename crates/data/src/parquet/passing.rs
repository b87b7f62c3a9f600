//! Columns of a Parquet file gone through one by one, a batch at a time, so that none is held whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use trainyard_files::Io;

use super::guarded;
use super::stream::File;
use crate::ReadOptions;
use crate::canonical::{canonical, named};
use crate::csv::data_type;
use crate::format::Format;
use crate::pattern::matching;

/// Rows of a batch: eight bytes of each stay in a core's own cache, and the next batch takes the place of the last one.
const ROWS: usize = 8192;

/// The numbers and the texts of a Parquet file, whose columns can pass by.
///
/// What can't pass, or not without a fault, is for [`crate::read_part`] to read, which also says what is wrong.
#[derive(Debug)]
pub struct Passing {
    file: File<Arc<dyn Io>>,
    about: ArrowReaderMetadata,
    /// The names of the columns that are not dropped.
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
}

/// A column that can pass.
#[derive(Debug)]
struct Column {
    name: String,
    /// Its place in the file.
    at: usize,
    kind: DataType,
    /// How many it takes in the file.
    bytes: u64,
}

impl Passing {
    /// Opens the file at `path`; `None` where it is no single Parquet file, or one that can't be read as `options` say.
    pub fn open(io: &Arc<dyn Io>, path: &Path, options: &ReadOptions) -> Option<Passing> {
        let is_one = matches!(Format::of(path), Some((Format::Parquet, _))) && matching(io.as_ref(), path).is_none();
        let length = io.metadata(path).ok().filter(|metadata| is_one && !metadata.is_dir)?.len;
        let file = File { io: Arc::clone(io), path: PathBuf::from(path), length };
        let about = guarded("", || ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())).ok()?;
        let all = named(about.schema(), "").ok()?;
        if options.check_names(&all).is_err() || options.check_typed(&all).is_err() {
            return None;
        }
        let rows = about.metadata().row_groups().iter().map(|group| group.num_rows()).sum::<i64>();
        let rows = usize::try_from(rows).ok().filter(|rows| *rows > 0)?;
        let columns = columns(&about, &all, options);
        let about = with_dictionaries(&about, &columns)?;
        let names = all.into_iter().filter(|name| !options.drop.contains(name)).collect();
        Some(Passing { file, about, names, columns, rows })
    }

    /// Gives the names of all columns that are not dropped, in the order of the file.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Gives the number of rows, 1 or more.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Gives the type that a column passes in, with the bytes that it takes in the file: `Int64`, `Float64`, or
    /// `Dictionary(Int32, LargeUtf8)` for texts of which the file keeps a dictionary; `None` where it can't pass.
    pub fn kind(&self, column: &str) -> Option<(DataType, u64)> {
        let column = self.columns.iter().find(|known| known.name == column)?;
        Some((column.kind.clone(), column.bytes))
    }

    /// Lets a column pass, some thousand rows at a time, until `take` says `false`; tells whether all of it has.
    pub fn pass(&self, column: &str, take: &mut dyn FnMut(&ArrayRef) -> bool) -> bool {
        let Some(column) = self.columns.iter().find(|known| known.name == column) else { return false };
        let pass = || -> Result<bool, ParquetError> {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.about.clone());
            let mask = ProjectionMask::roots(builder.parquet_schema(), [column.at]);
            let mut rows = 0;
            for batch in builder.with_projection(mask).with_batch_size(ROWS).build()? {
                let batch = batch?;
                let passing = batch.column(0);
                let fits = |array: &ArrayRef| *array.data_type() == column.kind;
                let passing = if fits(passing) { Some(Arc::clone(passing)) } else { canonical(passing).filter(fits) };
                rows += batch.num_rows();
                if !passing.is_some_and(|passing| take(&passing)) {
                    return Ok(false);
                }
            }
            Ok(rows == self.rows)
        };
        guarded("", pass).unwrap_or(false)
    }
}

/// Finds the columns that can pass.
fn columns(about: &ArrowReaderMetadata, names: &[String], options: &ReadOptions) -> Vec<Column> {
    let described = about.metadata();
    let leaves = described.file_metadata().schema_descr();
    let mut columns = Vec::new();
    for leaf in 0..leaves.num_columns() {
        let at = leaves.get_column_root_idx(leaf);
        let Some(name) = names.get(at).filter(|name| !options.drop.contains(*name)) else { continue };
        let chunks = || described.row_groups().iter().map(|group| group.column(leaf));
        let kind = match about.schema().field(at).data_type() {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => DataType::Int64,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if chunks().all(has_dictionary) => dictionary(),
            DataType::Dictionary(_, texts) if texts.is_string() && chunks().all(has_dictionary) => dictionary(),
            _ => continue,
        };
        // Another type is read from texts, of which the whole is made.
        let texts = if kind == dictionary() { DataType::LargeUtf8 } else { kind.clone() };
        if options.declared(name).is_some_and(|declared| data_type(declared) != texts) {
            continue;
        }
        let bytes = chunks().map(|chunk| chunk.byte_range().1).fold(0_u64, u64::saturating_add);
        columns.push(Column { name: name.clone(), at, kind, bytes });
    }
    columns
}

/// Says whether every value of a column, in one group of rows, is a place in a dictionary.
fn has_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let is_only = |encoding| chunk.page_encoding_stats_mask().is_some_and(|mask| mask.is_only(encoding));
    chunk.dictionary_page_offset().is_some()
        && (is_only(Encoding::RLE_DICTIONARY) || is_only(Encoding::PLAIN_DICTIONARY))
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8))
}

/// Asks for the dictionaries of texts; `None` where they are not to be had.
fn with_dictionaries(about: &ArrowReaderMetadata, columns: &[Column]) -> Option<ArrowReaderMetadata> {
    let mut fields: Vec<Arc<Field>> = about.schema().fields().iter().cloned().collect();
    for column in columns.iter().filter(|column| column.kind == dictionary()) {
        fields[column.at] = Arc::new(fields[column.at].as_ref().clone().with_data_type(dictionary()));
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, about.schema().metadata().clone()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    ArrowReaderMetadata::try_new(Arc::clone(about.metadata()), options).ok()
}
