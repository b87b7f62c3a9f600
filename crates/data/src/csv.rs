//! CSV to a table and back.

use std::io::Read;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, TimeUnit};
use rayon::prelude::*;
use trainyard_spec::{ColumnType, Quote};

use crate::read::{Found, sized};
use crate::{Error, ReadOptions};

mod chunks;
mod column;
mod explain;
mod plain;
mod rows;
pub(crate) mod stream;
mod text;
mod values;
mod write;

use chunks::{Sizes, Taker, walk};
pub(crate) use column::{Column, column};
use rows::Rows;
pub(crate) use text::{Open, without_mark};
pub(crate) use values::{Decimal, date, timestamp};
pub use write::to_csv;
pub(crate) use write::{cell_text, to_csv_with};

/// Bytes that are asked of the file at a time.
const BUFFER: usize = 1 << 18;

/// The bytes of a chunk of a table: as many as a processor has close by.
const SIZES: Sizes = Sizes { least: 1 << 18, most: 1 << 22 };

/// Columns that one thread takes at least.
const TOGETHER: usize = 4;

/// The bytes of the longest row: what is longer is a quote that nothing closes, or no table.
pub(crate) const LONGEST_ROW: usize = 64 << 20;

/// Why a file was not read to its end.
enum Stop {
    /// A row is longer than any is read, from this line on.
    LongRow(u64),
    /// The text or its form is wrong.
    Text(String),
    /// A cell is not of its column's type.
    Type(WrongCell),
}

struct WrongCell {
    /// Its row, from 0 below the header.
    row: usize,
    column: usize,
    kind: ColumnType,
    declared: bool,
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        Stop::Text(error.to_string())
    }
}

/// Stands for what a second reading describes.
fn malformed() -> Stop {
    Stop::Text("it changed while it was read".to_owned())
}

/// Reads a CSV file into one table, in one pass and without holding its text.
pub(crate) fn read(open: &Open<'_>, file: &str, options: &ReadOptions) -> Result<Found, Error> {
    read_in(open, file, options, SIZES)
}

fn read_in(open: &Open<'_>, file: &str, options: &ReadOptions, sizes: Sizes) -> Result<Found, Error> {
    let begin = |names: &[String]| {
        let columns = kept(names, options).map(|(at, kind)| (at, Column::new(kind, options.decimal()))).collect();
        Ok(Table { names: names.to_vec(), columns, rows: 0, options })
    };
    let read = walk(open, options, sizes, begin).map_err(|failure| failure.stop).and_then(Table::finish);
    read.map_err(|stop| explain::explain(open, file, options, stop))
}

fn reader<R: Read>(text: R, options: &ReadOptions) -> csv::Reader<R> {
    let quote = options.quote();
    csv::ReaderBuilder::new()
        .delimiter(options.delimiter())
        .quote(quote.unwrap_or(b'"'))
        .quoting(quote.is_some())
        .comment(options.comment)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(BUFFER)
        .from_reader(text)
}

/// A table that grows.
struct Table<'a> {
    names: Vec<String>,
    /// The columns that are kept, with their places.
    columns: Vec<(usize, Column)>,
    rows: usize,
    options: &'a ReadOptions,
}

/// The columns of a chunk, each up to the first cell that is not of its type.
struct Part {
    columns: Vec<(column::Part, Option<(usize, ColumnType)>)>,
    rows: usize,
}

impl Taker for Table<'_> {
    type Part = Part;

    fn part(&self, rows: Rows<'_>) -> Part {
        Part { columns: column::parts(&self.columns, &rows, self.options), rows: rows.len() }
    }

    fn take(&mut self, parts: Vec<(Part, usize)>) -> Result<(), Stop> {
        // By columns, so that a thread adds all that a column has got at once.
        let mut of_columns: Vec<Vec<_>> = self.columns.iter().map(|_| Vec::with_capacity(parts.len())).collect();
        for (part, before) in parts {
            self.rows += part.rows;
            of_columns.iter_mut().zip(part.columns).for_each(|(of, (part, wrong))| of.push((part, wrong, before)));
        }
        let wrong = self.columns.par_iter_mut().with_min_len(TOGETHER).zip(of_columns);
        let wrong = wrong.filter_map(|((at, column), parts)| {
            parts.into_iter().find_map(|(part, wrong, before)| {
                let (row, kind) = column.extend(part).err().or(wrong)?;
                Some(WrongCell { row: before + row, column: *at, kind, declared: column.declared })
            })
        });
        match wrong.min_by_key(|wrong| (wrong.row, wrong.column)) {
            Some(wrong) => Err(Stop::Type(wrong)),
            None => Ok(()),
        }
    }
}

impl Table<'_> {
    fn finish(self) -> Result<Found, Stop> {
        let finished = self.columns.into_par_iter().map(|(at, column)| {
            let array = column.finish();
            (Field::new(&self.names[at], array.data_type().clone(), true), array)
        });
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = finished.unzip();
        let table = sized(fields, arrays, self.rows).map_err(|error| Stop::Text(error.to_string()))?;
        Ok(Found { table, names: self.names })
    }
}

/// Gives the places of the columns that are kept, and the types that they are declared to be of.
fn kept<'a>(
    names: &'a [String],
    options: &'a ReadOptions,
) -> impl Iterator<Item = (usize, Option<ColumnType>)> + use<'a> {
    let kept = names.iter().enumerate().filter(|(_, name)| options.keeps(name));
    kept.map(|(at, name)| (at, options.declared(name)))
}

/// Gives the character, other than the one read with, that cuts the only name of a header and the first row, too, into
/// at least as many parts: a quoted cell or a decimal comma may hold one more.
fn likely_delimiter(header: &str, first: &[u8], read_with: u8) -> Option<char> {
    let cells = |delimiter: char| {
        let count = |text: &[u8]| text.iter().filter(|byte| **byte == delimiter as u8).count();
        (count(header.as_bytes()), count(first))
    };
    [';', '\t', '|', ','].into_iter().filter(|delimiter| *delimiter as u8 != read_with).find(|delimiter| {
        let (in_header, in_first) = cells(*delimiter);
        in_header > 0 && in_first >= in_header
    })
}

impl ReadOptions {
    fn delimiter(&self) -> u8 {
        self.delimiter.unwrap_or(b',')
    }

    /// Gives the byte around cells that hold a delimiter or a line end; nothing where no cell is quoted.
    fn quote(&self) -> Option<u8> {
        match self.quote {
            None => Some(b'"'),
            Some(Quote::Mark(mark)) => u8::try_from(mark).ok(),
            Some(Quote::None) => None,
        }
    }

    fn decimal(&self) -> Decimal {
        if self.decimal_comma { Decimal::Comma } else { Decimal::Point }
    }

    /// Gives the type that a column is held to; one that is left out may hold anything.
    pub(crate) fn declared(&self, column: &str) -> Option<ColumnType> {
        let dropped = self.drop.iter().any(|name| name == column).then_some(ColumnType::Text);
        dropped.or_else(|| self.types.get(column).copied()).or_else(|| Some(self.kept.get(column)?.value))
    }

    #[inline]
    pub(crate) fn is_missing(&self, cell: &str) -> bool {
        let is_blank = || !cell.as_bytes().first().is_some_and(u8::is_ascii_graphic) && cell.trim().is_empty();
        is_blank() || (!self.missing.is_empty() && self.is_listed(values::trimmed(cell)))
    }

    /// Says whether `data.missing` lists a text.
    fn is_listed(&self, text: &str) -> bool {
        self.missing.iter().any(|token| token == text)
    }
}

pub(crate) fn kind_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Boolean => "boolean",
        ColumnType::Integer => "integer",
        ColumnType::Float => "float",
        ColumnType::Text => "text",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp",
    }
}

pub(crate) fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Text => DataType::LargeUtf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}
