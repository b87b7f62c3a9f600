//! A CSV file as batches: a first pass finds the types of its columns, a second one gives their values.

use std::io::{Cursor, Read};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use csv::{ByteRecord, Position, StringRecord};
use rayon::prelude::*;
use trainyard_spec::ColumnType;

use super::column::{Column, INFERRED_FROM};
use super::explain::{self, cell_line};
use super::text::{Open, Ration, Text};
use super::values::{boolean, date, float, infer, integer, timestamp};
use super::{
    BUFFER, Block, LONGEST_ROW, Stop, WrongCell, check_closed, kept, kind_name, likely_delimiter, malformed, next_row,
    reader, take,
};
use crate::batches::Stray;
use crate::{Error, ReadOptions};

/// A file of up to this many bytes is read whole to say what is wrong with it.
const SMALL: usize = 64 << 20;

/// The bytes of a large file that are looked at for what is wrong with its header, or with one row.
const WINDOW: usize = 1 << 20;

/// The names and types of a file's columns.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The names of all columns.
    pub(crate) names: Vec<String>,
    /// The places of those that are kept, with their types.
    kinds: Vec<(usize, ColumnType)>,
    pub(crate) strays: Vec<Stray>,
}

impl Shape {
    pub(crate) fn schema(&self) -> SchemaRef {
        let field = |(at, kind): &(usize, ColumnType)| Field::new(&self.names[*at], data_type(*kind), true);
        Arc::new(Schema::new(self.kinds.iter().map(field).collect::<Vec<_>>()))
    }
}

fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Text => DataType::LargeUtf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// Finds the names of the columns and the types of all their values.
pub(crate) fn shape(open: &Open<'_>, file: &str, options: &ReadOptions) -> Result<Shape, Error> {
    let mut names: Vec<String> = Vec::new();
    let mut guesses: Vec<(usize, Guess)> = Vec::new();
    let walked = walk(open, options, &mut |header, rows, before| {
        if names.is_empty() {
            names = header.iter().map(str::to_owned).collect();
            let header: Vec<&str> = header.iter().collect();
            guesses = kept(&header, options).map(|(at, kind)| (at, Guess::new(kind))).collect();
        }
        guesses.par_iter_mut().for_each(|(at, guess)| {
            for (row, record) in rows.iter().enumerate() {
                if let Some(cell) = record.get(*at).filter(|cell| !options.is_missing(cell)) {
                    guess.take(cell, before + row);
                }
            }
        });
        Ok(())
    });
    walked.map_err(|failure| failure.explained(open, file, options))?;
    guesses.iter_mut().for_each(|(_, guess)| guess.decide());
    let strays = guesses.iter().filter_map(|(at, guess)| {
        let (count, (row, value)) = (guess.strays, guess.first_stray.as_ref()?);
        let (row, value) = (row + 1, value.clone());
        Some(Stray { column: names[*at].clone(), first: guess.first?, all: guess.kind?, count, row, value })
    });
    let strays = strays.collect();
    let kinds = guesses.iter().map(|(at, guess)| (*at, guess.kind.unwrap_or(ColumnType::Text))).collect();
    Ok(Shape { names, kinds, strays })
}

/// Gives the rows as batches of the types that a first pass found.
pub(crate) fn scan(
    open: &Open<'_>,
    file: &str,
    options: &ReadOptions,
    shape: &Shape,
    give: &mut (dyn FnMut(&RecordBatch) -> Result<(), Error> + Send),
) -> Result<(), Error> {
    let schema = shape.schema();
    let mut given = Ok(());
    let walked = walk(open, options, &mut |header, rows, before| {
        if !header.iter().eq(shape.names.iter().map(String::as_str)) {
            return Err(malformed());
        }
        let mut columns: Vec<(usize, Column)> =
            shape.kinds.iter().map(|(at, kind)| (*at, Column::new(Some(*kind)))).collect();
        take(&mut columns, rows, before, options).map_err(Stop::Type)?;
        let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, column)| column.finish()).collect();
        let sized = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &sized)
            .map_err(|error| Stop::Text(error.to_string()))?;
        given = give(&batch);
        if given.is_err() { Err(malformed()) } else { Ok(()) }
    });
    // What the receiver of the batches says comes before what the reader makes of it.
    given?;
    walked.map_err(|failure| failure.explained(open, file, options))
}

/// What is known of the type of a column while its values pass.
struct Guess {
    /// The narrowest type of all values so far; nothing before the first one.
    kind: Option<ColumnType>,
    /// The type of the first values, once there are enough of them.
    first: Option<ColumnType>,
    declared: bool,
    seen: usize,
    strays: u64,
    first_stray: Option<(usize, String)>,
}

impl Guess {
    fn new(declared: Option<ColumnType>) -> Guess {
        Guess { kind: declared, first: None, declared: declared.is_some(), seen: 0, strays: 0, first_stray: None }
    }

    fn take(&mut self, cell: &str, row: usize) {
        if self.declared || self.first == Some(ColumnType::Text) {
            return;
        }
        self.kind = Some(match self.kind {
            None => infer(std::iter::once(cell)),
            Some(kind) => widened(kind, cell),
        });
        self.seen += 1;
        match self.first {
            None if self.seen == INFERRED_FROM => self.first = self.kind,
            // Only whole numbers may turn out to be something else, which is fractions.
            Some(first) if widened(first, cell) != first => {
                if first == ColumnType::Integer && float(cell).is_some() {
                    return;
                }
                self.strays += 1;
                self.first_stray.get_or_insert_with(|| (row, cell.to_owned()));
            }
            _ => {}
        }
    }

    fn decide(&mut self) {
        self.first = self.first.or(self.kind);
    }
}

/// Gives the narrowest type that a value and those before it are of.
fn widened(kind: ColumnType, cell: &str) -> ColumnType {
    match kind {
        ColumnType::Boolean if boolean(cell).is_some() => kind,
        ColumnType::Integer if integer(cell).is_some() => kind,
        ColumnType::Integer | ColumnType::Float if float(cell).is_some() => ColumnType::Float,
        ColumnType::Date if date(cell).is_some() => kind,
        ColumnType::Date | ColumnType::Timestamp if timestamp(cell).is_some() => ColumnType::Timestamp,
        _ => ColumnType::Text,
    }
}

/// Why a walk did not reach the end of the file.
struct Failure {
    stop: Stop,
    /// The row that it stopped at, with the number of its cells, and that of the header's.
    row: Option<(Position, usize, usize)>,
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        Failure { stop, row: None }
    }
}

/// Takes rows below a header, the first of which stands at a place that is counted from 0.
type Rows<'a> = dyn FnMut(&StringRecord, &[StringRecord], usize) -> Result<(), Stop> + Send + 'a;

/// Gives the rows of a file, block by block, while the next block is read.
fn walk(open: &Open<'_>, options: &ReadOptions, each: &mut Rows<'_>) -> Result<(), Failure> {
    let ration = Ration::new(LONGEST_ROW);
    let mut reader = reader(ration.limit(Text::open(open).map_err(Stop::from)?), options);
    let mut header = StringRecord::new();
    next_row(&mut reader, &mut header, &ration)?;
    let names: Vec<&str> = header.iter().collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let blank = names.iter().any(|name| name.trim().is_empty());
    let known = options.types.keys().all(|name| distinct.binary_search(&name.as_str()).is_ok());
    if blank || distinct.len() != names.len() || !known {
        return Err(malformed().into());
    }
    let width = names.len();
    let failed = |block: &Block, stop: Stop| {
        let row = block.records.get(block.filled).filter(|row| row.len() != width);
        let place = row.and_then(|row| Some((row.position()?.clone(), row.len(), width)));
        Failure { row: place.filter(|_| matches!(stop, Stop::Text(_))), stop }
    };
    let (mut block, mut next) = (Block::default(), Block::default());
    if let Err(stop) = block.fill(&mut reader, width, &ration) {
        return Err(failed(&block, stop));
    }
    match (names.as_slice(), block.rows().first()) {
        ([only], Some(first)) if likely_delimiter(only, first.as_slice().as_bytes(), options.delimiter()).is_some() => {
            return Err(malformed().into());
        }
        (_, None) => return Err(malformed().into()),
        _ => {}
    }
    let mut rows = 0;
    while !block.rows().is_empty() {
        let (filled, taken) =
            rayon::join(|| next.fill(&mut reader, width, &ration), || each(&header, block.rows(), rows));
        taken.map_err(|stop| {
            let at = match &stop {
                Stop::Type(wrong) => block.rows().get(wrong.row - rows),
                _ => None,
            };
            let row = at.and_then(|row| Some((row.position()?.clone(), width, width)));
            Failure { stop, row }
        })?;
        if let Err(stop) = filled {
            return Err(failed(&next, stop));
        }
        rows += block.rows().len();
        if let ([], Some(last)) = (next.rows(), block.rows().last())
            && let Err(stop) = check_closed(open, last)
        {
            let row = last.position().map(|position| (position.clone(), width, width));
            return Err(Failure { stop, row });
        }
        std::mem::swap(&mut block, &mut next);
    }
    Ok(())
}

impl Failure {
    /// Says what is wrong; a large file is not held in memory for that.
    fn explained(self, open: &Open<'_>, file: &str, options: &ReadOptions) -> Error {
        let unreadable = |error: std::io::Error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() };
        let mut first = Vec::new();
        let begun = open().and_then(|opened| opened.take(SMALL as u64 + 1).read_to_end(&mut first));
        match begun {
            Err(error) => unreadable(error),
            Ok(_) if first.len() <= SMALL => {
                explain::explain(&|| Ok(Box::new(Cursor::new(first.as_slice()))), file, options, self.stop)
            }
            Ok(_) => {
                first.truncate(WINDOW);
                self.of_large(open, &first, file, options).unwrap_or_else(unreadable)
            }
        }
    }

    fn of_large(
        self,
        open: &Open<'_>,
        first: &[u8],
        file: &str,
        options: &ReadOptions,
    ) -> Result<Error, std::io::Error> {
        if let Stop::LongRow(line) = self.stop {
            return Ok(Error::LongRow { file: file.to_owned(), line, most: LONGEST_ROW });
        }
        if let Some(error) = wrong_byte(open, first, file)? {
            return Ok(error);
        }
        if let Some((position, got, expected)) = self.row {
            let window = window(open, position.byte())?;
            let line = |column: usize| -> Result<crate::Line, std::io::Error> {
                // The window begins with the row.
                let mut row = ByteRecord::new();
                row.set_position(Some(Position::new()));
                let mut line = cell_line(&window, &row, column, options.delimiter(), file);
                line.number += line_ends(open, position.byte())?;
                Ok(line)
            };
            return Ok(match self.stop {
                Stop::Type(WrongCell { column, kind, declared, .. }) => {
                    let line = line(column)?;
                    let mut row = ByteRecord::new();
                    // A row that was read before is read again.
                    let _ = reader(window.as_slice(), options).read_byte_record(&mut row);
                    let value = String::from_utf8_lossy(row.get(column).unwrap_or_default()).into_owned();
                    let name = explain::names(first, options).get(column).cloned().unwrap_or_default();
                    Error::Type { line, column: name, kind: kind_name(kind), value, declared }
                }
                _ => {
                    let line = line(0)?;
                    let line = crate::Line { span: 0..line.text.len(), ..line };
                    if got == expected { Error::UnclosedQuote { line } } else { Error::Ragged { line, expected, got } }
                }
            });
        }
        // What is left is the header's, which the first lines show.
        let cut = first.iter().rposition(|byte| *byte == b'\n').map_or(first.len(), |at| at + 1);
        Ok(explain::explain(&|| Ok(Box::new(Cursor::new(&first[..cut]))), file, options, self.stop))
    }
}

/// Reads what follows a byte that is counted from behind the mark.
fn window(open: &Open<'_>, at: u64) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = Vec::new();
    Text::open_at(open, at)?.take(WINDOW as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Counts the line ends before a byte that is counted from behind the mark.
fn line_ends(open: &Open<'_>, before: u64) -> Result<usize, std::io::Error> {
    let mut text = Text::open(open)?.take(before);
    let (mut buffer, mut ends) = (vec![0; BUFFER], 0);
    loop {
        match text.read(&mut buffer)? {
            0 => return Ok(ends),
            read => ends += buffer[..read].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
}

/// Finds the first byte that is no UTF-8, or zero.
fn wrong_byte(open: &Open<'_>, first: &[u8], file: &str) -> Result<Option<Error>, std::io::Error> {
    let mut opened = open()?;
    let (mut buffer, mut held) = (vec![0; BUFFER], 0);
    let (mut before, mut line) = (0, 1);
    loop {
        let read = opened.read(&mut buffer[held..])?;
        let bytes = &buffer[..held + read];
        let (good, bad) = match std::str::from_utf8(bytes) {
            Ok(_) => (bytes.len(), false),
            // A letter may go on in what is read next.
            Err(error) => (error.valid_up_to(), error.error_len().is_some() || read == 0),
        };
        let zero = bytes[..good].iter().position(|byte| *byte == 0);
        let wrong = zero.or(bad.then_some(good));
        line += bytes[..wrong.unwrap_or(good)].iter().filter(|byte| **byte == b'\n').count();
        if let Some(wrong) = wrong {
            let marked = first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff");
            let header = first.iter().position(|byte| *byte == b'\n').map_or(first.len(), |end| end + 2);
            let utf16 = marked || first[..header.min(first.len())].contains(&0);
            return Ok(Some(Error::Encoding { file: file.to_owned(), line, byte: before + wrong + 1, utf16 }));
        }
        if read == 0 {
            return Ok(None);
        }
        before += good;
        let end = bytes.len();
        buffer.copy_within(good..end, 0);
        held = end - good;
    }
}
