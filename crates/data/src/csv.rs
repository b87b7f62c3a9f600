//! CSV to a table and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;
use trainyard_spec::ColumnType;

use crate::error::Line;
use crate::{Error, ReadOptions};

mod values;
mod write;

pub(crate) use values::{column, date, timestamp};
pub use write::to_csv;
pub(crate) use write::{cell_text, to_csv_with};

/// A type is inferred from this many values; a later value that breaks it is an error, not another guess.
const INFERRED_FROM: usize = 1000;

/// All cells of a file, row by row, with the line that each row starts on.
struct Cells<'a> {
    file: &'a str,
    names: Vec<String>,
    rows: Vec<csv::ByteRecord>,
    text: &'a [u8],
    delimiter: u8,
}

/// Reads a CSV text into one table.
pub(crate) fn read(bytes: &[u8], file: &str, options: &ReadOptions) -> Result<RecordBatch, Error> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::Empty { file: file.to_owned() });
    }
    let not_utf8 = std::str::from_utf8(text).err().map(|error| error.valid_up_to());
    // UTF-16 without a mark at its beginning is valid UTF-8 with a zero beside every letter.
    if let Some(wrong) = not_utf8.or_else(|| text.iter().position(|byte| *byte == 0)) {
        let line = text[..wrong].iter().filter(|byte| **byte == b'\n').count() + 1;
        let byte = bytes.len() - text.len() + wrong + 1;
        // Its mark, or a zero in the header or its line end, tells UTF-16 from a page of one byte a letter; the letters
        // themselves need not hold one, as Cyrillic ones do not.
        let header = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| (end + 2).min(text.len()));
        let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let utf16 = marked || text[..header].contains(&0);
        return Err(Error::Encoding { file: file.to_owned(), line, byte, utf16 });
    }
    let cells = split(text, file, options)?;
    if let Some(name) = options.types.keys().find(|name| !cells.names.contains(name)) {
        return Err(Error::UnknownTyped { name: name.clone(), columns: cells.names.clone() });
    }
    let columns: Result<Vec<ArrayRef>, Error> =
        (0..cells.names.len()).into_par_iter().map(|column| build(&cells, column, options)).collect();
    let columns = columns?;
    let fields: Vec<Field> = cells
        .names
        .iter()
        .zip(&columns)
        .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
        .collect();
    table(fields, columns, cells.rows.len(), file)
}

fn table(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize, file: &str) -> Result<RecordBatch, Error> {
    let sized = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &sized)
        .map_err(|error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() })
}

fn split<'a>(text: &'a [u8], file: &'a str, options: &ReadOptions) -> Result<Cells<'a>, Error> {
    let delimiter = options.delimiter.unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
    let mut rows = Vec::new();
    let unreadable = |error: csv::Error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() };
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(unreadable)? {
        return Err(Error::Empty { file: file.to_owned() });
    }
    let header = record.clone();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        rows.push(record.clone());
    }
    let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    if let ([only], Some(first)) = (names.as_slice(), rows.first())
        && let Some(likely) = likely_delimiter(only, first, delimiter)
    {
        let line = line_at(text, &header, file);
        return Err(Error::Delimiter { line, delimiter: char::from(delimiter), likely });
    }
    let mut before = BTreeSet::new();
    for (position, name) in names.iter().enumerate() {
        let line = || Some(cell_line(text, &header, position, delimiter, file));
        let file = || file.to_owned();
        if name.trim().is_empty() {
            return Err(Error::EmptyName { file: file(), line: line(), position: position + 1 });
        }
        if !before.insert(name) {
            return Err(Error::DuplicateColumn { file: file(), line: line(), name: name.clone() });
        }
    }
    if rows.is_empty() {
        return Err(Error::HeaderOnly { file: file.to_owned() });
    }
    if let Some(last) = rows.last() {
        let start = last.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0)).min(text.len());
        let open = text[start..].iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        // An unclosed quote swallows the rest of the file into one cell, line ends included.
        if open && last.iter().any(|cell| cell.contains(&b'\n')) {
            return Err(Error::UnclosedQuote { line: line_at(text, last, file) });
        }
    }
    if let Some(row) = rows.iter().find(|row| row.len() != names.len()) {
        let (expected, got) = (names.len(), row.len());
        return Err(Error::Ragged { line: line_at(text, row, file), expected, got });
    }
    Ok(Cells { file, names, rows, text, delimiter })
}

/// Gives the character, other than the one read with, that cuts the only name of a header and the first row, too, into
/// at least as many parts: a quoted cell or a decimal comma may hold one more.
fn likely_delimiter(header: &str, first: &csv::ByteRecord, read_with: u8) -> Option<char> {
    let cells = |delimiter: char| {
        let count = |text: &[u8]| text.iter().filter(|byte| **byte == delimiter as u8).count();
        (count(header.as_bytes()), count(first.as_slice()))
    };
    [';', '\t', '|', ','].into_iter().filter(|delimiter| *delimiter as u8 != read_with).find(|delimiter| {
        let (in_header, in_first) = cells(*delimiter);
        in_header > 0 && in_first >= in_header
    })
}

/// Gives the byte that a row starts at.
fn start_of(text: &[u8], row: &csv::ByteRecord) -> usize {
    let start = row.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0)).min(text.len());
    // The position of a row may lie on the line end before it.
    start + text[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count()
}

/// Gives the line of `span`'s start; its number counts lines, not rows, since a cell may hold line ends.
fn line_of(text: &[u8], span: std::ops::Range<usize>, file: &str) -> Line {
    let start = text[..span.start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let number = text[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    let end = text[start..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| start + at);
    let line = String::from_utf8_lossy(&text[start..end]).trim_end_matches('\r').to_owned();
    let within = |at: usize| (at - start).min(line.len());
    Line { file: file.to_owned(), number, span: within(span.start)..within(span.end), text: line }
}

/// Gives the line that a row starts on, all of it meant.
fn line_at(text: &[u8], row: &csv::ByteRecord, file: &str) -> Line {
    let start = start_of(text, row);
    let line = line_of(text, start..start, file);
    Line { span: 0..line.text.len(), ..line }
}

/// Gives the line of one cell of a row, the cell meant.
fn cell_line(text: &[u8], row: &csv::ByteRecord, column: usize, delimiter: u8, file: &str) -> Line {
    let (mut at, mut quoted) = (start_of(text, row), false);
    let mut cell = at;
    let mut left = column;
    while let Some(byte) = text.get(at) {
        match byte {
            // Quotes mean something only where a cell begins with one; a doubled one closes and opens again.
            b'"' if quoted || at == cell => quoted = !quoted,
            b'"' if text[cell] == b'"' && text[at - 1] == b'"' => quoted = true,
            b'\n' | b'\r' if !quoted => break,
            byte if *byte == delimiter && !quoted => {
                if left == 0 {
                    break;
                }
                left -= 1;
                cell = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    line_of(text, cell..at, file)
}

fn is_missing(cell: &str, options: &ReadOptions) -> bool {
    cell.trim().is_empty() || options.missing.iter().any(|token| token == cell.trim())
}

fn cell(row: &csv::ByteRecord, column: usize) -> &str {
    std::str::from_utf8(row.get(column).unwrap_or_default()).unwrap_or_default()
}

fn build(cells: &Cells<'_>, column: usize, options: &ReadOptions) -> Result<ArrayRef, Error> {
    let name = &cells.names[column];
    // A column that is left out may hold anything.
    let dropped = options.drop.contains(name).then_some(ColumnType::Text);
    let declared = dropped.or_else(|| options.types.get(name).copied());
    let values = || cells.rows.iter().map(|row| Some(cell(row, column)).filter(|cell| !is_missing(cell, options)));
    let kind = declared.unwrap_or_else(|| values::infer(values().flatten().take(INFERRED_FROM)));
    // A whole-number column may turn out to hold fractions; anything else is an error below.
    let fractions =
        declared.is_none() && kind == ColumnType::Integer && values().flatten().any(|value| !values::is_integer(value));
    let read_as = if fractions { ColumnType::Float } else { kind };
    values::column(read_as, values()).map_err(|(row, value)| Error::Type {
        line: cell_line(cells.text, &cells.rows[row], column, cells.delimiter, cells.file),
        column: name.clone(),
        kind: kind_name(kind),
        value: value.to_owned(),
        declared: declared.is_some(),
    })
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

/// Says whether an Arrow type is one of those that every table is made of.
pub(crate) fn is_canonical(kind: &DataType) -> bool {
    use arrow_schema::TimeUnit::Microsecond;
    matches!(
        kind,
        DataType::Boolean
            | DataType::Int64
            | DataType::Float64
            | DataType::LargeUtf8
            | DataType::Date32
            | DataType::Timestamp(Microsecond, None)
    )
}
