//! CSV to a table and back.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};

use arrow_array::ArrayRef;
use arrow_schema::Field;
use csv::StringRecord;
use rayon::prelude::*;
use trainyard_spec::ColumnType;

use crate::read::{Found, sized};
use crate::{Error, ReadOptions};

mod column;
mod explain;
pub(crate) mod stream;
mod text;
mod values;
mod write;

pub(crate) use column::{Column, column};
pub(crate) use text::{Open, without_mark};
use text::{Ration, Text};
pub(crate) use values::{date, timestamp};
pub use write::to_csv;
pub(crate) use write::{cell_text, to_csv_with};

/// Bytes that are asked of the file at a time.
const BUFFER: usize = 1 << 18;

/// Bytes of the rows that are cut into cells before their columns take them.
const BLOCK: usize = 1 << 20;

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

impl From<csv::Error> for Stop {
    fn from(error: csv::Error) -> Stop {
        Stop::Text(error.to_string())
    }
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
    table(open, options).map_err(|stop| explain::explain(open, file, options, stop))
}

fn reader<R: Read>(text: R, options: &ReadOptions) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .delimiter(options.delimiter())
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(BUFFER)
        .from_reader(text)
}

fn table(open: &Open<'_>, options: &ReadOptions) -> Result<Found, Stop> {
    let ration = Ration::new(LONGEST_ROW);
    let mut reader = reader(ration.limit(Text::open(open)?), options);
    let mut header = StringRecord::new();
    next_row(&mut reader, &mut header, &ration)?;
    let names: Vec<&str> = header.iter().collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    let blank = names.iter().any(|name| name.trim().is_empty());
    if blank || distinct.len() != names.len() || !options.types.keys().all(|name| distinct.contains(name.as_str())) {
        return Err(malformed());
    }
    let mut columns: Vec<(usize, Column)> = kept(&names, options).map(|(at, kind)| (at, Column::new(kind))).collect();
    let (mut block, mut next) = (Block::default(), Block::default());
    block.fill(&mut reader, names.len(), &ration)?;
    match (names.as_slice(), block.rows().first()) {
        ([only], Some(first)) if likely_delimiter(only, first.as_slice().as_bytes(), options.delimiter()).is_some() => {
            return Err(malformed());
        }
        (_, None) => return Err(malformed()),
        _ => {}
    }
    let mut rows = 0;
    while !block.rows().is_empty() {
        let (filled, taken) = rayon::join(
            || next.fill(&mut reader, names.len(), &ration),
            || take(&mut columns, block.rows(), rows, options),
        );
        filled?;
        taken.map_err(Stop::Type)?;
        rows += block.rows().len();
        if let ([], Some(last)) = (next.rows(), block.rows().last()) {
            check_closed(open, last)?;
        }
        std::mem::swap(&mut block, &mut next);
    }
    let finished = columns.into_iter().map(|(at, column)| {
        let array = column.finish();
        (Field::new(names[at], array.data_type().clone(), true), array)
    });
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = finished.unzip();
    let table = sized(fields, arrays, rows).map_err(|error| Stop::Text(error.to_string()))?;
    Ok(Found { table, names: names.into_iter().map(str::to_owned).collect() })
}

/// Gives the places of the columns that are kept, and the types that they are declared to be of.
fn kept<'a>(
    names: &'a [&str],
    options: &'a ReadOptions,
) -> impl Iterator<Item = (usize, Option<ColumnType>)> + use<'a> {
    let kept = names.iter().enumerate().filter(|(_, name)| options.keeps(name));
    kept.map(|(at, name)| (at, options.declared(name)))
}

/// Reads one row, unless it is longer than any is.
fn next_row<R: Read>(reader: &mut csv::Reader<R>, record: &mut StringRecord, ration: &Ration) -> Result<bool, Stop> {
    ration.renew();
    let line = reader.position().line();
    reader.read_record(record).map_err(|error| match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::FileTooLarge => Stop::LongRow(line),
        _ => error.into(),
    })
}

/// Rows that are cut into cells; their memory serves the next ones, too.
#[derive(Default)]
struct Block {
    records: Vec<StringRecord>,
    filled: usize,
}

impl Block {
    /// Reads the next rows, each of as many cells as the header; none at the end of the file.
    fn fill<R: Read>(&mut self, reader: &mut csv::Reader<R>, width: usize, ration: &Ration) -> Result<(), Stop> {
        self.filled = 0;
        let mut size = 0;
        while size < BLOCK {
            if self.filled == self.records.len() {
                self.records.push(StringRecord::new());
            }
            let record = &mut self.records[self.filled];
            if !next_row(reader, record, ration)? {
                break;
            }
            if record.len() != width {
                return Err(malformed());
            }
            size += record.as_slice().len() + width * size_of::<usize>();
            self.filled += 1;
        }
        Ok(())
    }

    fn rows(&self) -> &[StringRecord] {
        &self.records[..self.filled]
    }
}

/// Appends rows to the columns; the first cell, row by row, that is not of its column's type otherwise.
fn take(
    columns: &mut [(usize, Column)],
    rows: &[StringRecord],
    before: usize,
    options: &ReadOptions,
) -> Result<(), WrongCell> {
    let wrong = columns.par_iter_mut().filter_map(|(at, column)| {
        rows.iter().enumerate().find_map(|(row, record)| {
            let cell = record.get(*at).filter(|cell| !options.is_missing(cell));
            let kind = column.append(cell).err()?;
            Some(WrongCell { row: before + row, column: *at, kind, declared: column.declared })
        })
    });
    match wrong.min_by_key(|wrong| (wrong.row, wrong.column)) {
        Some(wrong) => Err(wrong),
        None => Ok(()),
    }
}

/// Refuses a file whose last row opens a quote that nothing closes: the rest of the file is one cell.
fn check_closed(open: &Open<'_>, last: &StringRecord) -> Result<(), Stop> {
    if !last.iter().any(|cell| cell.contains(['\n', '\r'])) {
        return Ok(());
    }
    let mut text = Text::open_at(open, last.position().map_or(0, csv::Position::byte))?;
    let (mut buffer, mut quotes) = (vec![0; BUFFER], 0);
    loop {
        match text.read(&mut buffer)? {
            0 if quotes % 2 == 1 => return Err(malformed()),
            0 => return Ok(()),
            read => quotes += explain::quotes(&buffer[..read]),
        }
    }
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

    /// Gives the type that a column is held to; one that is left out may hold anything.
    pub(crate) fn declared(&self, column: &str) -> Option<ColumnType> {
        let dropped = self.drop.iter().any(|name| name == column).then_some(ColumnType::Text);
        dropped.or_else(|| self.types.get(column).copied())
    }

    pub(crate) fn is_missing(&self, cell: &str) -> bool {
        let cell = cell.trim();
        cell.is_empty() || self.missing.iter().any(|token| token == cell)
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
