//! A CSV file as batches: a first pass finds the types of its columns, a second one gives their values.

use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use csv::{ByteRecord, Position};
use rayon::prelude::*;
use trainyard_spec::ColumnType;

use super::chunks::{Failure, Sizes, Taker, walk};
use super::column::{Column, INFERRED_FROM, parts};
use super::explain::{self, cell_line};
use super::rows::Rows;
use super::text::{Open, line_ends, open_at};
use super::values::{Decimal, boolean, date, float, infer, integer, timestamp};
use super::{BUFFER, LONGEST_ROW, Stop, TOGETHER, WrongCell, data_type, kept, kind_name, malformed, reader};
use crate::batches::Stray;
use crate::{Declared, Error, ReadOptions};

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
    /// Whether a column that is kept has any value.
    pub(crate) filled: Vec<bool>,
    pub(crate) rows: usize,
    /// Of the chunks, which are batches.
    sizes: Sizes,
}

impl Shape {
    pub(crate) fn schema(&self) -> SchemaRef {
        let field = |(at, kind): &(usize, ColumnType)| Field::new(&self.names[*at], data_type(*kind), true);
        Arc::new(Schema::new(self.kinds.iter().map(field).collect::<Vec<_>>()))
    }
}

/// The bytes of a chunk, which is a batch.
pub(crate) const SIZES: Sizes = Sizes { least: 1 << 20, most: 1 << 22 };

/// Finds the names of the columns and the types of all their values.
pub(crate) fn shape(open: &Open<'_>, file: &str, options: &ReadOptions, sizes: Sizes) -> Result<Shape, Error> {
    let begin = |names: &[String]| {
        let guesses = kept(names, options).map(|(at, kind)| (at, Guess::new(kind, options.decimal()))).collect();
        Ok(Guesses { names: names.to_vec(), guesses, rows: 0, options })
    };
    let walked = walk(open, options, sizes, begin).map_err(|failure| explained(failure, open, file, options))?;
    let Guesses { names, mut guesses, rows, .. } = walked;
    guesses.iter_mut().for_each(|(_, guess)| guess.decide());
    let strays = guesses.iter().filter_map(|(at, guess)| {
        let (count, (row, value)) = (guess.strays, guess.first_stray.as_ref()?);
        let (row, value) = (row + 1, value.clone());
        Some(Stray { column: names[*at].clone(), first: guess.first?, all: guess.kind?, count, row, value })
    });
    let strays = strays.collect();
    let kinds = guesses.iter().map(|(at, guess)| (*at, guess.kind.unwrap_or(ColumnType::Text))).collect();
    let filled = guesses.iter().map(|(_, guess)| guess.some).collect();
    Ok(Shape { names, kinds, strays, filled, rows, sizes })
}

/// What is known of the types of all columns that are kept.
struct Guesses<'a> {
    names: Vec<String>,
    guesses: Vec<(usize, Guess)>,
    rows: usize,
    options: &'a ReadOptions,
}

impl Taker for Guesses<'_> {
    /// How many rows a chunk has, its rows, and what it says of each column: nothing where the first values are not all
    /// known. Only then the rows are there, whose cells are looked at in their order.
    type Part = (usize, Rows<'static>, Vec<Option<Guess>>);

    fn part(&self, rows: Rows<'_>) -> Self::Part {
        let of_column = |(at, guess): &(usize, Guess)| {
            let mut guess = guess.next()?;
            guess.take_all(&rows, *at, self.options, 0);
            Some(guess)
        };
        let guesses: Vec<_> = self.guesses.par_iter().map(of_column).collect();
        let are_wanted = guesses.iter().any(Option::is_none);
        (rows.len(), if are_wanted { rows.into_owned() } else { Rows::default() }, guesses)
    }

    fn take(&mut self, parts: Vec<(Self::Part, usize)>) -> Result<(), Stop> {
        for ((count, rows, parts), before) in parts {
            self.rows += count;
            self.guesses.par_iter_mut().zip(parts).for_each(|((at, guess), part)| match part {
                Some(part) => guess.join(part, before),
                None => guess.take_all(&rows, *at, self.options, before),
            });
        }
        Ok(())
    }
}

/// Gives the rows as batches of the types that a first pass found.
pub(crate) fn scan(
    open: &Open<'_>,
    file: &str,
    options: &ReadOptions,
    shape: &Shape,
    give: Give<'_>,
) -> Result<(), Error> {
    let mut given = Ok(());
    let columns = shape.kinds.iter().map(|(at, kind)| (*at, Column::new(Some(*kind), options.decimal()))).collect();
    let typed = Typed { columns, schema: shape.schema(), options, give: Mutex::new(give), given: &mut given };
    let begin = |names: &[String]| if *names == shape.names { Ok(typed) } else { Err(malformed()) };
    let walked = walk(open, options, shape.sizes, begin).map(|_| ());
    // What the receiver of the batches says comes before what the reader makes of it.
    given?;
    walked.map_err(|failure| explained(failure, open, file, options))
}

/// Takes batches.
type Give<'a> = &'a mut (dyn FnMut(&RecordBatch) -> Result<(), Error> + Send);

/// Rows of known types.
struct Typed<'a> {
    /// The columns that are kept, with their places; they stay empty.
    columns: Vec<(usize, Column)>,
    schema: SchemaRef,
    options: &'a ReadOptions,
    /// Behind a lock that nobody waits for, since only one thread takes parts.
    give: Mutex<Give<'a>>,
    given: &'a mut Result<(), Error>,
}

impl Taker for Typed<'_> {
    type Part = Result<RecordBatch, Stop>;

    fn part(&self, rows: Rows<'_>) -> Self::Part {
        let parts = parts(&self.columns, &rows, self.options);
        let wrong = self.columns.iter().zip(&parts).filter_map(|((at, _), (_, wrong))| {
            let (row, kind) = (*wrong)?;
            Some(WrongCell { row, column: *at, kind, declared: true })
        });
        if let Some(first) = wrong.min_by_key(|wrong| wrong.row) {
            return Err(Stop::Type(first));
        }
        let columns = parts.into_par_iter().with_min_len(TOGETHER).map(|(part, _)| part.finish()).collect();
        let sized = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &sized)
            .map_err(|error| Stop::Text(error.to_string()))
    }

    fn take(&mut self, parts: Vec<(Self::Part, usize)>) -> Result<(), Stop> {
        for (part, before) in parts {
            let batch = part.map_err(|stop| match stop {
                Stop::Type(wrong) => Stop::Type(WrongCell { row: before + wrong.row, ..wrong }),
                other => other,
            })?;
            if batch.num_rows() == 0 {
                continue;
            }
            if let Ok(give) = self.give.get_mut() {
                *self.given = give(&batch);
            }
            if self.given.is_err() {
                return Err(malformed());
            }
        }
        Ok(())
    }
}

/// What is known of the type of a column while its values pass.
#[derive(Clone)]
struct Guess {
    /// The narrowest type of all values so far; nothing before the first one.
    kind: Option<ColumnType>,
    /// The type of the first values, once there are enough of them.
    first: Option<ColumnType>,
    declared: bool,
    decimal: Decimal,
    /// Whether there was any value.
    some: bool,
    seen: usize,
    strays: u64,
    first_stray: Option<(usize, String)>,
}

impl Guess {
    fn new(declared: Option<ColumnType>, decimal: Decimal) -> Guess {
        Guess {
            kind: declared,
            first: None,
            declared: declared.is_some(),
            decimal,
            some: false,
            seen: 0,
            strays: 0,
            first_stray: None,
        }
    }

    /// Starts what the next rows say, once the first values are known.
    fn next(&self) -> Option<Guess> {
        let known = self.declared || self.first.is_some();
        known.then(|| Guess { strays: 0, first_stray: None, ..self.clone() })
    }

    /// Adds what rows said that begin behind `before` others.
    fn join(&mut self, part: Guess, before: usize) {
        self.kind = self.kind.zip(part.kind).map(|(kind, other)| joined(kind, other));
        self.some |= part.some;
        self.strays += part.strays;
        let first = part.first_stray.map(|(row, value)| (before + row, value));
        self.first_stray = self.first_stray.take().or(first);
    }

    fn take_all(&mut self, rows: &Rows<'_>, column: usize, options: &ReadOptions, before: usize) {
        if self.declared || self.first == Some(ColumnType::Text) {
            self.some = self.some || rows.column(0..rows.len(), column, options).any(|cell| cell.is_some());
            return;
        }
        for (row, cell) in rows.column(0..rows.len(), column, options).enumerate() {
            if let Some(cell) = cell {
                self.some = true;
                self.take(cell, before + row);
            }
        }
    }

    fn take(&mut self, cell: &str, row: usize) {
        let kind = match self.kind {
            None => infer(std::iter::once(cell), self.decimal),
            Some(kind) => widened(kind, cell, self.decimal),
        };
        if self.first == Some(kind) {
            // It is of the first type, or one of a type that lies in it.
            self.kind = Some(kind);
            return;
        }
        self.kind = Some(kind);
        self.seen += 1;
        match self.first {
            None if self.seen == INFERRED_FROM => self.first = self.kind,
            // Only whole numbers may turn out to be something else, which is fractions.
            Some(first) if widened(first, cell, self.decimal) != first => {
                if first == ColumnType::Integer && float(cell, self.decimal).is_some() {
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

/// Gives the narrowest type that the values of both are of.
fn joined(one: ColumnType, other: ColumnType) -> ColumnType {
    match (one, other) {
        (one, other) if one == other => one,
        (ColumnType::Integer, ColumnType::Float) | (ColumnType::Float, ColumnType::Integer) => ColumnType::Float,
        (ColumnType::Date, ColumnType::Timestamp) | (ColumnType::Timestamp, ColumnType::Date) => ColumnType::Timestamp,
        _ => ColumnType::Text,
    }
}

/// Gives the narrowest type that a value and those before it are of.
fn widened(kind: ColumnType, cell: &str, decimal: Decimal) -> ColumnType {
    match kind {
        ColumnType::Boolean if boolean(cell).is_some() => kind,
        ColumnType::Integer if integer(cell).is_some() => kind,
        ColumnType::Integer | ColumnType::Float if float(cell, decimal).is_some() => ColumnType::Float,
        ColumnType::Date if date(cell).is_some() => kind,
        ColumnType::Date | ColumnType::Timestamp if timestamp(cell).is_some() => ColumnType::Timestamp,
        _ => ColumnType::Text,
    }
}

/// Says what is wrong; a large file is not held in memory for that.
fn explained(failure: Failure, open: &Open<'_>, file: &str, options: &ReadOptions) -> Error {
    let unreadable = |error: std::io::Error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() };
    let mut first = Vec::new();
    let begun = open().and_then(|opened| opened.take(SMALL as u64 + 1).read_to_end(&mut first));
    match begun {
        Err(error) => unreadable(error),
        Ok(_) if first.len() <= SMALL => {
            explain::explain(&|| Ok(Box::new(Cursor::new(first.as_slice()))), file, options, failure.stop)
        }
        Ok(_) => {
            first.truncate(WINDOW);
            of_large(failure, open, &first, file, options).unwrap_or_else(unreadable)
        }
    }
}

fn of_large(
    failure: Failure,
    open: &Open<'_>,
    first: &[u8],
    file: &str,
    options: &ReadOptions,
) -> Result<Error, std::io::Error> {
    if let Stop::LongRow(line) = failure.stop {
        return Ok(Error::LongRow { file: file.to_owned(), line, most: LONGEST_ROW });
    }
    if let Some(error) = wrong_byte(open, first, file)? {
        return Ok(error);
    }
    if let Some((at, got, expected)) = failure.row {
        let window = window(open, at)?;
        let line = |column: usize| -> Result<crate::Line, std::io::Error> {
            // The window begins with the row.
            let mut row = ByteRecord::new();
            row.set_position(Some(Position::new()));
            let mut line = cell_line(&window, &row, column, options, file);
            line.number += line_ends(open, at)?;
            Ok(line)
        };
        return Ok(match failure.stop {
            Stop::Type(WrongCell { column, kind, declared, .. }) => {
                let line = line(column)?;
                let mut row = ByteRecord::new();
                // A row that was read before is read again.
                let _ = reader(window.as_slice(), options).read_byte_record(&mut row);
                let value = String::from_utf8_lossy(row.get(column).unwrap_or_default()).into_owned();
                let name = explain::names(first, options).get(column).cloned().unwrap_or_default();
                let declared = if declared { options.declared_by(&name) } else { Declared::No };
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
    Ok(explain::explain(&|| Ok(Box::new(Cursor::new(&first[..cut]))), file, options, failure.stop))
}

/// Reads what follows a byte that is counted from behind the mark.
fn window(open: &Open<'_>, at: u64) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = Vec::new();
    open_at(open, at)?.take(WINDOW as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
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
