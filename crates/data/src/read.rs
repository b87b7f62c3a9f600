//! A file to a table, by its ending; or several, by a pattern.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field, Schema};
use trainyard_diagnostics::{Place, nearest};
use trainyard_expression::Type;
use trainyard_files::Io;
use trainyard_spec::{ColumnType, DataSpec, DecimalMark, Located, Origin, Quote};

use crate::format::{self, Format, Packing};
use crate::pattern::{self, matching};
use crate::{Error, csv, ipc, json_lines, parquet};

/// Says how a file is read.
///
/// In a column of floats `nan` and `inf`, in any case and with a sign or none, are the floats of that name, not missing;
/// name them in `missing` where they mean that nothing is known. Other words, such as `infinity`, are text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadOptions {
    /// Types that are not to be inferred, as the specification declares them.
    pub types: BTreeMap<String, ColumnType>,
    /// Types that were inferred before and hold from then on; those of `types` come first.
    pub kept: BTreeMap<String, Located<ColumnType>>,
    /// Cells that count as missing; blank ones always do.
    pub missing: Vec<String>,
    /// The byte between cells of CSV; by the file's ending where none is given: a tab in .tsv files, a comma in others.
    pub delimiter: Option<u8>,
    /// What stands around cells of CSV that hold a delimiter or a line end: `"` where nothing is said.
    pub quote: Option<Quote>,
    /// The byte that a line of CSV begins with that is skipped.
    pub comment: Option<u8>,
    /// Whether a comma stands before the fraction of a number in CSV; a point does otherwise.
    pub decimal_comma: bool,
    /// Columns to leave out.
    pub drop: Vec<String>,
    /// The columns that are wanted; all where nothing is said. A name that the file does not have is no error.
    /// What is not wanted is not decoded, so that a value of a wrong type in it goes unseen, but never a broken row.
    pub columns: Option<BTreeSet<String>>,
}

impl ReadOptions {
    /// Takes what a project says of its data.
    pub fn of(data: &DataSpec) -> ReadOptions {
        // The spec fills in what the source's ending says; a file with another ending, as one to predict, has its own.
        let usual = Format::of(Path::new(data.source.path())).map_or(b',', |(format, _)| format.delimiter());
        let delimiter = u8::try_from(data.delimiter.value).unwrap_or(b',');
        let is_kept = |kind: &Located<ColumnType>| matches!(kind.origin, Origin::Kept(_));
        let (kept, types): (BTreeMap<_, _>, BTreeMap<_, _>) =
            data.types.clone().into_iter().partition(|(_, kind)| is_kept(kind));
        ReadOptions {
            types: types.into_iter().map(|(name, kind)| (name, kind.value)).collect(),
            kept,
            missing: data.missing.clone(),
            delimiter: (delimiter != usual).then_some(delimiter),
            quote: data.quote.as_ref().map(|quote| quote.value),
            comment: data.comment.as_ref().and_then(|comment| u8::try_from(comment.value).ok()),
            decimal_comma: data.decimal.as_ref().is_some_and(|decimal| decimal.value == DecimalMark::Comma),
            drop: data.drop.iter().map(|name| name.value.clone()).collect(),
            columns: None,
        }
    }

    /// Says whether a table keeps the column of this name: one that is wanted and not left out.
    pub fn keeps(&self, column: &str) -> bool {
        !self.drop.iter().any(|name| name == column)
            && self.columns.as_ref().is_none_or(|columns| columns.contains(column))
    }

    /// Looks for types of columns that are not there.
    ///
    /// # Errors
    /// [`Error::UnknownTyped`] and [`Error::Gone`].
    pub fn check_typed(&self, names: &[String]) -> Result<(), Error> {
        if self.types.is_empty() && self.kept.is_empty() {
            return Ok(());
        }
        let known: HashSet<&str> = names.iter().map(String::as_str).collect();
        let is_absent = |name: &&String| !known.contains(name.as_str());
        if let Some(name) = self.types.keys().find(is_absent) {
            return Err(Error::UnknownTyped { name: name.clone(), columns: names.to_vec() });
        }
        let gone: Vec<String> = self.kept.keys().filter(is_absent).cloned().collect();
        let places = gone.iter().filter_map(|name| self.kept[name].place()).collect();
        match gone.is_empty() {
            true => Ok(()),
            false => Err(Error::Gone { gone, places, columns: names.to_vec() }),
        }
    }

    /// Says who says of which type a column is that has one.
    pub fn declared_by(&self, column: &str) -> Declared {
        match self.kept.get(column) {
            _ if self.types.contains_key(column) => Declared::Spec,
            Some(kind) => Declared::Kept(kind.place()),
            None => Declared::No,
        }
    }

    /// Looks for what the options say of columns that are not there.
    ///
    /// # Errors
    /// [`Error::NoColumn`].
    pub fn check_names(&self, names: &[String]) -> Result<(), Error> {
        match self.drop.iter().find(|name| !names.contains(name)) {
            Some(name) => Err(Error::NoColumn {
                what: "column to drop",
                name: name.clone(),
                columns: names.to_vec(),
                place: None,
            }),
            None => Ok(()),
        }
    }
}

/// Says whether, and by whom, the type of a column was said before its values were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// By nobody: its first values say it.
    No,
    /// By the specification.
    Spec,
    /// By versions/schema.yaml, which keeps what was found before; at this place of it, where that is known.
    Kept(Option<Place>),
}

/// Gives the type that a column is read with, so that it fits what an expression or a model wants.
pub fn column_type(kind: Type) -> ColumnType {
    match kind {
        Type::Boolean => ColumnType::Boolean,
        Type::Integer => ColumnType::Integer,
        Type::Float => ColumnType::Float,
        Type::Text => ColumnType::Text,
        Type::Date => ColumnType::Date,
        Type::Timestamp => ColumnType::Timestamp,
    }
}

/// What a file gave.
#[derive(Debug)]
pub(crate) struct Found {
    /// The columns that are kept.
    pub(crate) table: RecordBatch,
    /// The names of all columns, in the order of the file.
    pub(crate) names: Vec<String>,
}

/// Reads the file at `path`, called `shown` in messages, into one table in the file's row order; or several files,
/// where the name is a pattern ([`crate::matching`]), one after the other.
///
/// # Errors
/// See [`Error`]; each names the file, and the line where there is one.
pub fn read(io: &dyn Io, path: &Path, shown: &str, options: &ReadOptions) -> Result<RecordBatch, Error> {
    match pattern::named(io, path, shown) {
        Some(files) => read_files(io, &files, shown, options),
        None => read_one(io, path, shown, options).map(|found| found.table),
    }
}

/// Reads the wanted columns of a file or several, as [`read`], and gives the names of all columns with them.
///
/// Files that say the types of their columns are read in part; of others every value is looked at, since one of a wrong type
/// would stop a run.
///
/// # Errors
/// As [`read`].
pub fn read_part(
    io: &dyn Io,
    path: &Path,
    shown: &str,
    options: &ReadOptions,
) -> Result<(RecordBatch, Vec<String>), Error> {
    let is_typed = matches!(Format::of(path), Some((Format::Parquet | Format::Arrow, _)));
    if !is_typed || matching(io, path).is_some() {
        let whole = read(io, path, shown, &ReadOptions { columns: None, ..options.clone() })?;
        let names = names(&whole.schema());
        return Ok((whole, names));
    }
    let found = read_one(io, path, shown, options)?;
    let kept = |name: &String| !options.drop.contains(name);
    Ok((found.table, found.names.into_iter().filter(kept).collect()))
}

/// Reads several files, each with what it is called in messages, as one table that is called `shown`, one after the other.
///
/// # Errors
/// As [`read`].
pub fn read_files(
    io: &dyn Io,
    files: &[(PathBuf, String)],
    shown: &str,
    options: &ReadOptions,
) -> Result<RecordBatch, Error> {
    let mut tables = Vec::with_capacity(files.len());
    for (file, name) in files {
        tables.push((name.clone(), read_one(io, file, name, options)?));
    }
    pattern::join(tables, shown)
}

/// Says whether a name ends as that of a table does.
pub fn is_table(name: &str) -> bool {
    Format::of(Path::new(name)).is_some()
}

fn read_one(io: &dyn Io, path: &Path, shown: &str, options: &ReadOptions) -> Result<Found, Error> {
    let file = || shown.to_owned();
    if io.metadata(path).is_ok_and(|metadata| metadata.is_dir) {
        return Err(Error::Folder { file: file() });
    }
    let unreadable = |error: std::io::Error| Error::Unreadable { file: file(), cause: error.to_string() };
    let format = Format::of(path);
    let packed = |error: Error| error.of_packed(format.map_or(Packing::Plain, |(_, packing)| packing));
    let filled = |found: Found| {
        let table = declared(found.table, &found.names, shown, options)?;
        if table.num_rows() == 0 { Err(Error::NoRows { file: file() }) } else { Ok(Found { table, ..found }) }
    };
    let found = match (io.metadata(path), format) {
        (Ok(_), None) => return Err(Error::UnknownFormat { file: file() }),
        (Ok(_), Some((format, packing))) => match format {
            Format::Parquet => filled(parquet::read(io, path, shown, options)?)?,
            Format::Arrow => filled(ipc::read(io.open(path).map_err(unreadable)?, shown, options)?)?,
            Format::JsonLines => {
                json_lines::read(&|| format::open(io, path, packing), shown, options).map_err(packed)?
            }
            Format::Csv | Format::Tsv => {
                let delimiter = options.delimiter.or(Some(format.delimiter()));
                let options = &ReadOptions { delimiter, ..options.clone() };
                csv::read(&|| format::open(io, path, packing), shown, options).map_err(packed)?
            }
        },
        (Err(error), Some(_)) if error.kind() != ErrorKind::NotFound => return Err(unreadable(error)),
        (Err(_), _) => return Err(missing(io, path, shown)),
    };
    options.check_names(&found.names)?;
    Ok(found)
}

/// Leaves out the columns that are to be dropped, or not wanted.
///
/// # Errors
/// [`Error::NoColumn`] for one that is not there.
pub fn without(table: RecordBatch, file: &str, options: &ReadOptions) -> Result<RecordBatch, Error> {
    let names = names(&table.schema());
    options.check_names(&names)?;
    let kept: Vec<usize> = (0..names.len()).filter(|at| options.keeps(&names[*at])).collect();
    table.project(&kept).map_err(|error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() })
}

pub(crate) fn missing(io: &dyn Io, path: &Path, shown: &str) -> Error {
    let neighbours = io.list(pattern::folder_of(path)).unwrap_or_default();
    let names: Vec<String> =
        neighbours.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let near = nearest(&wanted, names.iter().map(String::as_str)).map(str::to_owned);
    Error::Missing { file: shown.to_owned(), near }
}

pub(crate) fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// Gives the columns of a file with these `names` their declared types, by way of their texts.
pub(crate) fn declared(
    table: RecordBatch,
    names: &[String],
    file: &str,
    options: &ReadOptions,
) -> Result<RecordBatch, Error> {
    options.check_typed(names)?;
    let schema = table.schema();
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut columns = table.columns().to_vec();
    for (at, field) in schema.fields().iter().enumerate() {
        let Some(kind) = options.declared(field.name()) else { continue };
        if csv::data_type(kind) == *field.data_type() {
            continue;
        }
        let texts: Vec<Option<String>> =
            (0..table.num_rows()).map(|row| csv::cell_text(columns[at].as_ref(), row)).collect();
        let retyped = csv::column(kind, texts.iter().map(Option::as_deref)).map_err(|(row, value)| Error::Value {
            file: file.to_owned(),
            row: row + 1,
            column: field.name().clone(),
            kind: csv::kind_name(kind),
            value: value.to_owned(),
            declared: options.declared_by(field.name()),
        })?;
        fields[at] = Field::new(field.name(), retyped.data_type().clone(), true);
        columns[at] = retyped;
    }
    sized(fields, columns, table.num_rows())
        .map_err(|error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() })
}

/// As [`declared`], of a batch that `before` rows stand before.
pub(crate) fn declared_behind(
    before: usize,
    table: RecordBatch,
    names: &[String],
    file: &str,
    options: &ReadOptions,
) -> Result<RecordBatch, Error> {
    declared(table, names, file, options).map_err(|error| match error {
        Error::Value { file, row, column, kind, value, declared } => {
            Error::Value { file, row: before + row, column, kind, value, declared }
        }
        other => other,
    })
}

/// Makes a table of columns, of which there may be none.
pub(crate) fn sized(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    let rows = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)
}
