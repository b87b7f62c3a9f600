//! Why a CSV text is no table: what only an error needs to know, from a second reading.

use std::collections::BTreeSet;
use std::io::Read;

use csv::{ByteRecord, Position};

use super::text::{Open, without_mark};
use super::{LONGEST_ROW, Stop, kind_name, likely_delimiter, reader};
use crate::error::Line;
use crate::{Declared, Error, ReadOptions};

/// Says why a file could not be read, by its whole text.
pub(super) fn explain(open: &Open<'_>, file: &str, options: &ReadOptions, stop: Stop) -> Error {
    let wrong = match stop {
        Stop::LongRow(line) => return Error::LongRow { file: file.to_owned(), line, most: LONGEST_ROW },
        Stop::Text(cause) => Err(cause),
        Stop::Type(wrong) => Ok(wrong),
    };
    let mut bytes = Vec::new();
    let read = open().and_then(|mut opened| opened.read_to_end(&mut bytes));
    let unreadable = |cause: String| Error::Unreadable { file: file.to_owned(), cause };
    if let Err(error) = read {
        return unreadable(error.to_string());
    }
    let last = bytes.rsplit(|byte| *byte == b'\n').next().and_then(<[u8]>::first);
    if last.is_some() && last.copied() == options.comment {
        // A comment that no line end closes is a row to the parser.
        bytes.push(b'\n');
    }
    let found = encoding(&bytes, file).and_then(|text| {
        let names = structure(text, file, options)?;
        match &wrong {
            Err(_) => Ok(()),
            Ok(wrong) => {
                let mut record = ByteRecord::new();
                let mut records = reader(text, options);
                // The header comes first.
                for _ in 0..=wrong.row + 1 {
                    records.read_byte_record(&mut record).map_err(|error| unreadable(error.to_string()))?;
                }
                let column = names.get(wrong.column).cloned().unwrap_or_default();
                Err(Error::Type {
                    line: cell_line(text, &record, wrong.column, options, file),
                    kind: kind_name(wrong.kind),
                    value: String::from_utf8_lossy(record.get(wrong.column).unwrap_or_default()).into_owned(),
                    declared: if wrong.declared { options.declared_by(&column) } else { Declared::No },
                    column,
                })
            }
        }
    });
    match (found, wrong) {
        (Err(error), _) => error,
        (Ok(()), Err(cause)) => unreadable(cause),
        (Ok(()), Ok(_)) => unreadable("it changed while it was read".to_owned()),
    }
}

/// Gives the text of a file's bytes.
fn encoding<'a>(bytes: &'a [u8], file: &str) -> Result<&'a [u8], Error> {
    let text = without_mark(bytes);
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
    Ok(text)
}

/// Gives the names of the columns where every row has a cell for each.
fn structure(text: &[u8], file: &str, options: &ReadOptions) -> Result<Vec<String>, Error> {
    let delimiter = options.delimiter();
    let mut reader = reader(text, options);
    let unreadable = |error: csv::Error| Error::Unreadable { file: file.to_owned(), cause: error.to_string() };
    let mut header = ByteRecord::new();
    if !reader.read_byte_record(&mut header).map_err(unreadable)? {
        return Err(Error::Empty { file: file.to_owned() });
    }
    // Of the rows only places are kept: an unclosed quote makes one as large as the file.
    let (mut row, mut first, mut last, mut ragged) = (ByteRecord::new(), None, None, None);
    while reader.read_byte_record(&mut row).map_err(unreadable)? {
        if first.is_none() && header.len() == 1 {
            first = Some(row.clone());
        }
        if ragged.is_none() && row.len() != header.len() {
            ragged = Some((row.position().cloned(), row.len()));
        }
        let end = byte_of(reader.position()).min(text.len());
        last = Some((row.position().cloned(), end, row.iter().any(|cell| cell.contains(&b'\n'))));
    }
    let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    if let ([only], Some(first)) = (names.as_slice(), &first)
        && let Some(likely) = likely_delimiter(only, first.as_slice(), delimiter)
    {
        let line = line_at(text, header.position(), options, file);
        return Err(Error::Delimiter { line, delimiter: char::from(delimiter), likely });
    }
    let mut before = BTreeSet::new();
    for (position, name) in names.iter().enumerate() {
        let line = || Some(cell_line(text, &header, position, options, file));
        let file = || file.to_owned();
        if name.trim().is_empty() {
            return Err(Error::EmptyName { file: file(), line: line(), position: position + 1 });
        }
        if !before.insert(name) {
            return Err(Error::DuplicateColumn { file: file(), line: line(), name: name.clone() });
        }
    }
    let Some((position, end, spans_lines)) = last else {
        return Err(Error::HeaderOnly { file: file.to_owned() });
    };
    // An unclosed quote swallows the rest of the file into one cell, line ends included.
    let start = start_of(text, position.as_ref(), options);
    if spans_lines && quotes(&text[start..end.max(start)], options) % 2 == 1 {
        return Err(Error::UnclosedQuote { line: line_at(text, position.as_ref(), options, file) });
    }
    if let Some((position, got)) = ragged {
        return Err(Error::Ragged {
            line: line_at(text, position.as_ref(), options, file),
            expected: names.len(),
            got,
        });
    }
    options.check_typed(&names)?;
    Ok(names)
}

/// Gives the names of the columns, of a text that has them in its first line.
pub(super) fn names(text: &[u8], options: &ReadOptions) -> Vec<String> {
    let mut header = ByteRecord::new();
    // What can't be read has no names.
    let read = reader(without_mark(text), options).read_byte_record(&mut header).unwrap_or(false);
    let names = header.iter().filter(|_| read);
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Counts quotes: where their number is odd, one is open.
pub(super) fn quotes(text: &[u8], options: &ReadOptions) -> usize {
    options.quote().map_or(0, |quote| text.iter().filter(|byte| **byte == quote).count())
}

fn byte_of(position: &Position) -> usize {
    usize::try_from(position.byte()).unwrap_or(0)
}

/// Gives the byte that a row starts at, behind the line ends and comments that its place may lie on.
pub(super) fn row_start(text: &[u8], place: usize, options: &ReadOptions) -> usize {
    let mut at = place.min(text.len());
    loop {
        at += text[at..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let comment = text[at..].first().filter(|first| options.comment == Some(**first));
        if comment.is_none() {
            return at;
        }
        at = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| at + end);
    }
}

fn start_of(text: &[u8], row: Option<&Position>, options: &ReadOptions) -> usize {
    row_start(text, row.map_or(0, byte_of), options)
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
fn line_at(text: &[u8], row: Option<&Position>, options: &ReadOptions, file: &str) -> Line {
    let start = start_of(text, row, options);
    let line = line_of(text, start..start, file);
    Line { span: 0..line.text.len(), ..line }
}

/// Gives the line of one cell of a row, the cell meant.
pub(super) fn cell_line(text: &[u8], row: &ByteRecord, column: usize, options: &ReadOptions, file: &str) -> Line {
    let (delimiter, quote) = (options.delimiter(), options.quote());
    let is_quote = |byte: u8| Some(byte) == quote;
    let (mut at, mut quoted) = (start_of(text, row.position(), options), false);
    let mut cell = at;
    let mut left = column;
    while let Some(byte) = text.get(at) {
        match byte {
            // Quotes mean something only where a cell begins with one; a doubled one closes and opens again.
            byte if is_quote(*byte) && (quoted || at == cell) => quoted = !quoted,
            byte if is_quote(*byte) && is_quote(text[cell]) && is_quote(text[at - 1]) => quoted = true,
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
