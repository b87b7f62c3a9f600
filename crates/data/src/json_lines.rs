//! JSON lines to a table: an object a line, its keys the columns.
//!
//! A line ends at `\n` alone. Keys may come in any order; one that a row lacks is missing there.

mod line;

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use rayon::prelude::*;
use trainyard_spec::ColumnType;

use crate::cells::{Cell, Cells};
use crate::csv::{LONGEST_ROW, Open, data_type, without_mark};
use crate::error::Line;
use crate::read::{Found, sized};
use crate::{Error, ReadOptions};
use line::{Held, Row};

/// Bytes of the lines that are taken apart before their columns take them.
const BLOCK: usize = 1 << 22;

/// The most columns; a file with more has names or ids for keys.
const MOST_COLUMNS: usize = 10_000;

/// The bytes of a line that a message shows.
const SHOWN: usize = 240;

/// Reads a file into one table, without holding its text.
///
/// # Errors
/// See [`Error`]; each names the line.
pub(crate) fn read(open: &Open<'_>, file: &str, options: &ReadOptions) -> Result<Found, Error> {
    let mut columns = Columns::new(file, options);
    each_block(open, file, options, &mut |rows| rows.iter().try_for_each(|row| columns.take(row)))?;
    columns.check()?;
    columns.finish()
}

/// The columns of a file that was read once.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The names of all columns.
    pub(crate) names: Vec<String>,
    /// The types of their values, and whether they have any.
    kinds: Vec<(ColumnType, bool)>,
    pub(crate) rows: usize,
    pub(crate) schema: SchemaRef,
}

/// Finds the columns and the types of all their values.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn shape(open: &Open<'_>, file: &str, options: &ReadOptions) -> Result<Shape, Error> {
    let mut columns = Columns::new(file, options);
    each_block(open, file, options, &mut |rows| {
        rows.iter().try_for_each(|row| columns.take(row))?;
        columns.columns.par_iter_mut().for_each(|(_, column)| column.forget());
        Ok(())
    })?;
    columns.check()?;
    let names: Vec<String> = columns.columns.iter().map(|(name, _)| name.clone()).collect();
    let kinds: Vec<(ColumnType, bool)> = columns.columns.iter().map(|(_, column)| column.kind()).collect();
    let kept = names.iter().zip(&kinds).filter(|(name, _)| options.keeps(name));
    let schema =
        Schema::new(kept.map(|(name, (kind, _))| Field::new(name, data_type(*kind), true)).collect::<Vec<_>>());
    Ok(Shape { names, kinds, rows: columns.rows, schema: schema.into() })
}

impl Shape {
    /// Says of each column that is kept whether it has any value.
    pub(crate) fn filled(&self, options: &ReadOptions) -> Vec<bool> {
        let kept = self.names.iter().zip(&self.kinds).filter(|(name, _)| options.keeps(name));
        kept.map(|(_, (_, some))| *some).collect()
    }
}

/// Gives the rows as batches of the types that a first pass found.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn scan(
    open: &Open<'_>,
    file: &str,
    options: &ReadOptions,
    shape: &Shape,
    give: &mut (dyn FnMut(&RecordBatch) -> Result<(), Error> + Send),
) -> Result<(), Error> {
    each_block(open, file, options, &mut |rows| {
        let mut columns = Columns::new(file, options);
        for (name, (kind, _)) in shape.names.iter().zip(&shape.kinds) {
            let cells = if options.keeps(name) { Cells::known(name, *kind, options) } else { Cells::absent() };
            columns.places.insert(name.clone(), columns.columns.len());
            columns.columns.push((name.clone(), cells));
        }
        rows.iter().try_for_each(|row| columns.take(row))?;
        let table = columns.finish()?.table;
        if table.num_rows() == 0 { Ok(()) } else { give(&table) }
    })
}

/// Reads the lines of a file, block by block.
fn each_block(
    open: &Open<'_>,
    file: &str,
    options: &ReadOptions,
    take: &mut dyn FnMut(&[Parsed<'_>]) -> Result<(), Error>,
) -> Result<(), Error> {
    let unreadable = |error: io::Error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() };
    let mut lines = Lines { text: BufReader::with_capacity(1 << 18, open().map_err(unreadable)?), number: 0 };
    let mut block = Block::default();
    while lines.fill(&mut block, file).map_err(|stop| stop.unwrap_or_else(unreadable))? {
        let text = std::str::from_utf8(&block.text).map_err(|error| block.not_utf8(error.valid_up_to(), file))?;
        let parsed = |line: &Span| {
            let shown = Shown { file, number: line.number, text: &text[line.start..line.end] };
            Parsed { row: line::row(shown.text, options), shown }
        };
        take(&block.lines.par_iter().map(parsed).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// A line that was taken apart, unless it is none of a table.
struct Parsed<'a> {
    row: Result<Row<'a>, line::Wrong>,
    shown: Shown<'a>,
}

/// The lines of a file.
struct Lines<R> {
    text: R,
    /// Lines read so far.
    number: usize,
}

/// Some lines of a file, without the blank ones.
#[derive(Default)]
struct Block {
    text: Vec<u8>,
    lines: Vec<Span>,
    /// Bytes and lines of the file before the block.
    before: (usize, usize),
}

struct Span {
    start: usize,
    end: usize,
    number: usize,
}

/// Why reading stopped: an error to tell, or one of the disk.
enum Stop {
    Told(Error),
    Disk(io::Error),
}

impl Stop {
    fn unwrap_or_else(self, disk: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Stop::Told(error) => error,
            Stop::Disk(error) => disk(error),
        }
    }
}

impl<R: BufRead> Lines<R> {
    /// Reads the next lines; says whether there were any.
    fn fill(&mut self, block: &mut Block, file: &str) -> Result<bool, Stop> {
        block.before = (block.before.0 + block.text.len(), self.number);
        block.text.clear();
        block.lines.clear();
        while block.text.len() < BLOCK {
            let start = block.text.len();
            let read = self.text.by_ref().take(LONGEST_ROW as u64 + 1).read_until(b'\n', &mut block.text);
            let read = read.map_err(Stop::Disk)?;
            if read == 0 {
                break;
            }
            self.number += 1;
            if read > LONGEST_ROW {
                let line = self.number as u64;
                return Err(Stop::Told(Error::LongRow { file: file.to_owned(), line, most: LONGEST_ROW }));
            }
            let line = &block.text[start..];
            let mark = if self.number == 1 { line.len() - without_mark(line).len() } else { 0 };
            let blank = line[mark..].iter().all(u8::is_ascii_whitespace);
            let end = start + line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
            if !blank {
                block.lines.push(Span { start: start + mark, end, number: self.number });
            }
        }
        Ok(!block.text.is_empty())
    }
}

impl Block {
    fn not_utf8(&self, at: usize, file: &str) -> Error {
        let line = self.before.1 + self.text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let utf16 = self.before.0 == 0 && (self.text.starts_with(b"\xff\xfe") || self.text.starts_with(b"\xfe\xff"));
        Error::Encoding { file: file.to_owned(), line, byte: self.before.0 + at + 1, utf16 }
    }
}

/// A line, as far as a message shows it.
struct Shown<'a> {
    file: &'a str,
    number: usize,
    text: &'a str,
}

impl Shown<'_> {
    /// Gives the line with the bytes from `at` on in question.
    fn line(&self, at: usize, length: usize) -> Line {
        let text = self.text.trim_end();
        let boundary = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        // Of a long line the part around the place is shown.
        let from = if at > SHOWN / 2 { boundary(at - SHOWN / 2) } else { 0 };
        let to = boundary(from + SHOWN);
        let (start, end) = (boundary(at).clamp(from, to), boundary(at + length.max(1)).clamp(from, to));
        let text = text[from..to].to_owned();
        Line { file: self.file.to_owned(), number: self.number, span: start - from..end - from, text }
    }

    fn whole(&self) -> Line {
        self.line(0, self.text.trim_end().len())
    }

    /// Gives the line with a key in question.
    fn key(&self, name: &str) -> Line {
        let quoted = serde_json::Value::from(name).to_string();
        match self.text.find(&quoted) {
            Some(at) => self.line(at, quoted.len()),
            None => self.whole(),
        }
    }

    fn wrong(&self, wrong: &line::Wrong) -> Error {
        match wrong {
            line::Wrong::Syntax { cause, column } => {
                Error::JsonLine { line: self.line(column.saturating_sub(1), 1), cause: cause.clone() }
            }
            line::Wrong::NotObject(found) => Error::NotObject { line: self.whole(), found },
        }
    }
}

/// The columns so far, in the order in which their names came.
struct Columns<'a> {
    file: &'a str,
    options: &'a ReadOptions,
    columns: Vec<(String, Cells)>,
    places: HashMap<String, usize>,
    rows: usize,
}

impl<'a> Columns<'a> {
    fn new(file: &'a str, options: &'a ReadOptions) -> Columns<'a> {
        Columns { file, options, columns: Vec::new(), places: HashMap::new(), rows: 0 }
    }

    fn take(&mut self, parsed: &Parsed<'_>) -> Result<(), Error> {
        let shown = &parsed.shown;
        let row = parsed.row.as_ref().map_err(|wrong| shown.wrong(wrong))?;
        for (position, (name, held)) in row.iter().enumerate() {
            let at = self.place(position, name, shown)?;
            let (_, column) = &mut self.columns[at];
            if column.rows() > self.rows {
                return Err(Error::RepeatedKey { line: shown.key(name), name: name.to_string() });
            }
            column.pad(self.rows);
            if matches!(held, Held::Unwanted) {
                column.pad(self.rows + 1);
                continue;
            }
            let cell = match held {
                Held::Missing | Held::Unwanted => Cell::Missing,
                Held::Boolean(value) => Cell::Boolean(*value),
                Held::Integer(value) => Cell::Integer(*value),
                Held::Float(value) => Cell::Float(*value),
                Held::Text(text) => Cell::Text(text),
                Held::Nested { json, found } => match self.options.declared(name) {
                    Some(_) => Cell::Text(json),
                    None => {
                        let (line, column) = (shown.key(name), name.to_string());
                        return Err(Error::Nested { line, column, found });
                    }
                },
            };
            column.append(cell).map_err(|misfit| Error::Type {
                line: shown.key(name),
                column: name.to_string(),
                kind: misfit.kind,
                value: cell.text().unwrap_or_default().into_owned(),
                declared: misfit.declared,
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Finds the column of a name: mostly it stands where the rows before had it.
    fn place(&mut self, position: usize, name: &str, shown: &Shown<'_>) -> Result<usize, Error> {
        if self.columns.get(position).is_some_and(|(known, _)| known == name) {
            return Ok(position);
        }
        if let Some(at) = self.places.get(name) {
            return Ok(*at);
        }
        let at = self.columns.len();
        if name.trim().is_empty() {
            let line = Some(shown.key(name));
            return Err(Error::EmptyName { file: self.file.to_owned(), line, position: position + 1 });
        }
        if at == MOST_COLUMNS {
            return Err(Error::TooManyColumns { line: shown.key(name), most: MOST_COLUMNS });
        }
        let cells = match self.options.keeps(name) {
            true => Cells::new(name, self.options),
            false => Cells::absent(),
        };
        self.columns.push((name.to_owned(), cells));
        self.places.insert(name.to_owned(), at);
        Ok(at)
    }

    /// Looks for what a whole file lacks.
    fn check(&self) -> Result<(), Error> {
        if self.columns.is_empty() {
            return Err(Error::Empty { file: self.file.to_owned() });
        }
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        self.options.check_typed(&names)
    }

    fn finish(self) -> Result<Found, Error> {
        let (file, rows) = (self.file.to_owned(), self.rows);
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let kept: Vec<(String, Cells)> =
            self.columns.into_iter().filter(|(name, _)| self.options.keeps(name)).collect();
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = kept
            .into_par_iter()
            .map(|(name, mut column)| {
                column.pad(rows);
                let array = column.finish();
                (Field::new(name, array.data_type().clone(), true), array)
            })
            .unzip();
        let table =
            sized(fields, arrays, rows).map_err(|error| Error::Unreadable { file, cause: error.to_string() })?;
        Ok(Found { table, names })
    }
}
