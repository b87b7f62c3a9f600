//! The records of a CSV file, parsed chunk by chunk beside one another.
//!
//! Where a record ends only somebody knows who has read all before it: a line end may stand in quotes. So a chunk ends
//! at a line end that is likely none of a cell, and whoever parses it says where its last record really ended. Where that
//! is earlier, what follows was for nothing and is cut anew from there. Cuts change the work, never what comes of it.

use std::collections::HashSet;
use std::io::{self, Read};
use std::ops::Range;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use rayon::prelude::*;

use super::explain::{quotes, row_start};
use super::plain;
use super::rows::{Places, Rows};
use super::text::{Open, line_ends, open_at};
use super::{LONGEST_ROW, Stop, likely_delimiter, malformed};
use crate::ReadOptions;

/// Bytes that are read at a time.
const WAVE: usize = 1 << 22;

/// The most chunks that are parsed at a time.
const MOST: usize = 16;

/// How many headers long a chunk is at least, so that it has some rows of a wide table.
const HEADERS: usize = 32;

/// The bytes of a chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(super) least: usize,
    /// Of a table whose header is long.
    pub(super) most: usize,
}

/// Takes the rows of a file.
pub(super) trait Taker: Sync {
    /// What is made of the rows of a chunk without those before it.
    type Part: Send;

    /// Makes a part; it may come to nothing.
    fn part(&self, rows: Rows<'_>) -> Self::Part;

    /// Takes parts in the order of the file, each with the number of rows that stand before it.
    fn take(&mut self, parts: Vec<(Self::Part, usize)>) -> Result<(), Stop>;
}

/// Why a walk did not reach the end of the file.
pub(super) struct Failure {
    pub(super) stop: Stop,
    /// The row that it stopped at: its byte behind the mark, and the number of its cells and of the header's.
    pub(super) row: Option<(u64, usize, usize)>,
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        Failure { stop, row: None }
    }
}

/// Gives all rows of a file to the taker that is made for its header.
pub(super) fn walk<T: Taker>(
    open: &Open<'_>,
    options: &ReadOptions,
    sizes: Sizes,
    begin: impl FnOnce(&[String]) -> Result<T, Stop>,
) -> Result<T, Failure> {
    let mut file = open_at(open, 0).map_err(Stop::from)?;
    let mut wave = Wave::default();
    wave.read(&mut file, WAVE).map_err(Stop::from)?;
    let (names, header) = loop {
        match parsed_header(parser(options), wave.text(), wave.at_end).map_err(Failure::from)? {
            Some(found) => break found,
            None if wave.text().len() > LONGEST_ROW => {
                return Err(long(wave.text(), || line_of(open, 0, wave.text(), options)).into());
            }
            None => wave.read(&mut file, wave.text().len()).map_err(Stop::from)?,
        }
    };
    let distinct: HashSet<&str> = names.iter().map(String::as_str).collect();
    let blank = names.iter().any(|name| name.trim().is_empty());
    if blank || distinct.len() != names.len() || options.check_typed(&names).is_err() {
        return Err(malformed().into());
    }
    let mut walk = Walk {
        width: names.len(),
        // Of a header of one name, which may be several to another delimiter.
        only: if let [only] = names.as_slice() { Some(only) } else { None },
        options,
        taker: begin(&names)?,
        rows: 0,
        open_row: None,
    };
    let chunk = (header * HEADERS).clamp(sizes.least, sizes.most);
    let mut cutting = Cutting { chunk, most: 1, counts_quotes: false, whole: 0, options };
    let (mut next, mut fetched) = (Wave::default(), None);
    let mut parsers = Vec::new();
    // The bytes before the wave, and those of it that are done.
    let (mut base, mut done) = (0_u64, header);
    loop {
        let ranges = cutting.ranges(wave.text(), done, wave.at_end);
        if ranges.is_empty() && wave.at_end {
            return walk.finish();
        }
        if ranges.is_empty() {
            let rest = &wave.text()[done..];
            if rest.len() > LONGEST_ROW {
                return Err(long(rest, || line_of(open, base + done as u64, rest, options)).into());
            }
            fetched.take().unwrap_or_else(|| next.read(&mut file, WAVE)).map_err(Stop::from)?;
            next.prepend(rest);
            base += done as u64;
            done = 0;
            std::mem::swap(&mut wave, &mut next);
            next.clear(chunk);
            let lacking = (2 * cutting.whole).min(LONGEST_ROW + 1).saturating_sub(wave.text().len());
            wave.read(&mut file, lacking).map_err(Stop::from)?;
            continue;
        }
        let wants = fetched.is_none() && !wave.at_end;
        while parsers.len() < ranges.len() {
            parsers.push(parser(options));
        }
        let (read, chunks) = rayon::join(
            || wants.then(|| next.read(&mut file, WAVE)),
            || {
                let ranges = ranges.par_iter().zip(&mut parsers);
                ranges.map(|(range, parser)| walk.chunk(parser, &wave, range)).collect::<Vec<_>>()
            },
        );
        fetched = fetched.or(read);
        cutting.grow();
        let chunks = ranges.iter().zip(chunks).map(|(range, chunk)| (chunk, base + range.start as u64));
        let (taken, used) = walk.take(chunks).map_err(|failure| match failure.stop {
            Stop::LongRow(at) => long(&[], || line_of(open, at, &[], options)).into(),
            _ => failure,
        })?;
        if let Some(last) = ranges.iter().take(taken).next_back() {
            done = last.start + used;
            if used < last.len() {
                cutting.shrink(if used == 0 { last.len() } else { 0 });
            }
        }
    }
}

/// Says that a row is too long, unless it is no text.
fn long(row: &[u8], line: impl FnOnce() -> u64) -> Stop {
    // A letter may go on behind what was read.
    let is_text =
        std::str::from_utf8(row).map_or_else(|error| error.error_len().is_none(), |_| true) && !row.contains(&0);
    if is_text { Stop::LongRow(line()) } else { malformed() }
}

/// Gives the line of a row, whose place may lie on the line end or the comment before it.
fn line_of(open: &Open<'_>, at: u64, row: &[u8], options: &ReadOptions) -> u64 {
    let ends = row_start(row, 0, options);
    line_ends(open, at + ends as u64).map_or(0, |lines| lines as u64 + 1)
}

/// Bytes that were read together.
#[derive(Default)]
struct Wave {
    buffer: Vec<u8>,
    /// There may be free bytes before the text.
    start: usize,
    end: usize,
    at_end: bool,
}

impl Wave {
    fn text(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Empties it but for some bytes that are free before the text.
    fn clear(&mut self, free: usize) {
        if self.buffer.len() < free {
            self.buffer.resize(free, 0);
        }
        (self.start, self.end, self.at_end) = (free, free, false);
    }

    /// Reads more, to the end of the file at most.
    fn read(&mut self, file: &mut impl Read, more: usize) -> io::Result<()> {
        let wanted = self.end + more;
        if self.buffer.len() < wanted {
            self.buffer.reserve_exact(wanted - self.buffer.len());
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted && !self.at_end {
            match file.read(&mut self.buffer[self.end..wanted]) {
                Ok(0) => self.at_end = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Puts what is left of the wave before in front.
    fn prepend(&mut self, before: &[u8]) {
        match self.start.checked_sub(before.len()) {
            Some(start) => {
                self.buffer[start..self.start].copy_from_slice(before);
                self.start = start;
            }
            None => {
                let joined = [before, self.text()].concat();
                *self = Wave { start: 0, end: joined.len(), buffer: joined, at_end: self.at_end };
            }
        }
    }
}

/// Where chunks are cut.
struct Cutting<'a> {
    /// Their bytes.
    chunk: usize,
    /// How many there are at a time: fewer where cuts were wrong.
    most: usize,
    /// Whether quotes are looked at, once there was a line end in some.
    counts_quotes: bool,
    /// Bytes that are known to hold no whole row.
    whole: usize,
    options: &'a ReadOptions,
}

impl Cutting<'_> {
    fn grow(&mut self) {
        self.most = (2 * self.most).min(MOST);
        self.whole = 0;
    }

    /// Goes on after a chunk that did not end where a row does.
    fn shrink(&mut self, whole: usize) {
        (self.most, self.counts_quotes, self.whole) = (1, true, whole);
    }

    /// Gives the next chunks, none where more has to be read.
    fn ranges(&mut self, text: &[u8], from: usize, at_end: bool) -> Vec<Range<usize>> {
        let (mut ranges, mut start) = (Vec::new(), from);
        while ranges.len() < self.most && start < text.len() {
            let whole = if start == from { self.whole } else { 0 };
            let Some(length) = self.cut(&text[start..], whole, at_end) else { break };
            ranges.push(start..start + length);
            start += length;
        }
        if ranges.is_empty() {
            // Nothing in it ends a row.
            self.whole = self.whole.max(text.len() - from);
        }
        ranges
    }

    fn cut(&self, text: &[u8], whole: usize, at_end: bool) -> Option<usize> {
        let mut length = self.chunk.max(2 * whole);
        loop {
            if length >= text.len() && at_end {
                return Some(text.len());
            }
            let head = &text[..length.min(text.len())];
            if let Some(end) = self.line_end(head).filter(|end| *end > whole) {
                return Some(end);
            }
            if length >= text.len() {
                return None;
            }
            length *= 2;
        }
    }

    /// Finds the last line end that is likely to end a row.
    fn line_end(&self, text: &[u8]) -> Option<usize> {
        if let Some(quote) = self.options.quote().filter(|_| self.counts_quotes) {
            let mut is_quoted = quotes(text, self.options) % 2 == 1;
            for (at, byte) in text.iter().enumerate().rev() {
                match byte {
                    byte if *byte == quote => is_quoted = !is_quoted,
                    b'\n' if !is_quoted => return Some(at + 1),
                    _ => {}
                }
            }
        }
        let last = |wanted: u8| text.iter().rposition(|byte| *byte == wanted).map(|at| at + 1);
        // A comment goes on behind the other line end.
        last(b'\n').or_else(|| self.options.comment.map_or_else(|| last(b'\r'), |_| None))
    }
}

/// What a chunk gave.
pub(super) struct Chunk<P> {
    part: P,
    /// Where its rows begin, or line ends and comments before them.
    pub(super) starts: Vec<u32>,
    /// Its bytes, and those up to the end of the last whole row.
    length: usize,
    pub(super) used: usize,
    pub(super) broken: Option<Broken>,
    /// Whether the last row may have a quote that nothing closes.
    pub(super) is_open: bool,
    /// Its first cell, where that is to be looked at.
    first: Option<String>,
}

impl Chunk<()> {
    pub(super) fn new(length: usize) -> Chunk<()> {
        Chunk { part: (), starts: Vec::new(), length, used: 0, broken: None, is_open: false, first: None }
    }
}

/// What is wrong with a chunk, behind its rows.
#[derive(Debug, PartialEq)]
pub(super) enum Broken {
    /// It is no UTF-8, or holds a zero.
    Text,
    /// A row of another number of cells begins here.
    Ragged { at: usize, cells: usize },
    /// A row that is too long begins here.
    Long(usize),
}

struct Walk<'a, T> {
    width: usize,
    only: Option<&'a String>,
    options: &'a ReadOptions,
    taker: T,
    /// Rows so far.
    rows: usize,
    /// Where the last row begins, if a quote in it may stay open.
    open_row: Option<u64>,
}

impl<T: Taker> Walk<'_, T> {
    fn chunk(&self, parser: &mut Reader, wave: &Wave, range: &Range<usize>) -> Chunk<T::Part> {
        let text = wave.text();
        let is_last = wave.at_end && range.end == text.len();
        let (rows, chunk) = parsed(parser, &text[range.clone()], self.width, is_last, self.options);
        let is_looked_at = self.rows == 0 && self.only.is_some() && rows.len() > 0;
        let first = is_looked_at.then(|| rows.cell(0, 0).unwrap_or_default().to_owned());
        Chunk {
            part: self.taker.part(rows),
            starts: chunk.starts,
            length: chunk.length,
            used: chunk.used,
            broken: chunk.broken,
            is_open: chunk.is_open,
            first,
        }
    }

    /// Takes what chunks gave, each with the byte that it begins at, up to the first one that is not done to its end:
    /// what follows it was cut at the wrong place. Says how many were taken and how much is done of the last one.
    fn take(&mut self, chunks: impl Iterator<Item = (Chunk<T::Part>, u64)>) -> Result<(usize, usize), Failure> {
        let (mut parts, mut places, mut used, mut broken) = (Vec::new(), Vec::new(), 0, None);
        for (chunk, base) in chunks {
            if let (0, Some(only), Some(first)) = (self.rows, self.only, &chunk.first)
                && likely_delimiter(only, first.as_bytes(), self.options.delimiter()).is_some()
            {
                return Err(malformed().into());
            }
            let rows = self.rows;
            self.rows += chunk.starts.len();
            parts.push((chunk.part, rows));
            used = chunk.used;
            if let Some(last) = chunk.starts.last() {
                self.open_row = chunk.is_open.then(|| base + u64::from(*last));
            }
            places.push((chunk.starts, base, rows));
            broken = chunk.broken.map(|broken| (broken, base));
            if broken.is_some() || chunk.used < chunk.length {
                break;
            }
        }
        let width = self.width;
        self.taker.take(parts).map_err(|stop| {
            let row = match &stop {
                Stop::Type(wrong) => {
                    places.iter().rev().find(|(_, _, rows)| *rows <= wrong.row).and_then(|(starts, base, rows)| {
                        let start = starts.get(wrong.row - rows)?;
                        Some((base + u64::from(*start), width, width))
                    })
                }
                _ => None,
            };
            Failure { stop, row }
        })?;
        match broken {
            None => Ok((places.len(), used)),
            Some((Broken::Text, _)) => Err(malformed().into()),
            Some((Broken::Long(at), base)) => Err(Stop::LongRow(base + at as u64).into()),
            Some((Broken::Ragged { at, cells }, base)) => {
                Err(Failure { stop: malformed(), row: Some((base + at as u64, cells, width)) })
            }
        }
    }

    fn finish(self) -> Result<T, Failure> {
        match self.open_row {
            Some(at) => Err(Failure { stop: malformed(), row: Some((at, self.width, self.width)) }),
            None if self.rows == 0 => Err(malformed().into()),
            None => Ok(self.taker),
        }
    }
}

/// Builds a parser, which takes as long as parsing some rows; one that is cloned does not parse.
pub(super) fn parser(options: &ReadOptions) -> Reader {
    let quote = options.quote();
    ReaderBuilder::new()
        .delimiter(options.delimiter())
        .quote(quote.unwrap_or(b'"'))
        .quoting(quote.is_some())
        .comment(options.comment)
        .build()
}

/// Reads the names of the columns, and says how long the header is; nothing where it goes on behind the text.
fn parsed_header(mut parser: Reader, text: &[u8], at_end: bool) -> Result<Option<(Vec<String>, usize)>, Stop> {
    let (mut cells, mut ends) = (vec![0; text.len() + 1], vec![0; 64]);
    let (mut read, mut written, mut ended) = (0, 0, 0);
    loop {
        let (result, bytes, out, fields) = parser.read_record(&text[read..], &mut cells[written..], &mut ends[ended..]);
        read += bytes;
        written += out;
        ended += fields;
        match result {
            ReadRecordResult::Record => break,
            ReadRecordResult::InputEmpty if !at_end => return Ok(None),
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
            ReadRecordResult::OutputFull => cells.resize(2 * cells.len(), 0),
            ReadRecordResult::End => return Err(malformed()),
        }
    }
    let header = &text[..read];
    if std::str::from_utf8(header).is_err() || header.contains(&0) {
        return Err(malformed());
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let names = starts.zip(&ends[..ended]).map(|(start, end)| String::from_utf8(cells[start..*end].to_vec()));
    let names = names.collect::<Result<Vec<String>, _>>().map_err(|_| malformed())?;
    Ok(Some((names, read)))
}

/// Gives the text that bytes are, if they are UTF-8 without a zero.
fn text_of(bytes: &[u8]) -> Option<&str> {
    // A loop that the processor does many steps of at once.
    let has_zero = bytes.iter().fold(false, |found, byte| found | (*byte == 0));
    std::str::from_utf8(bytes).ok().filter(|_| !has_zero)
}

/// Cuts a chunk into cells.
fn parsed<'a>(
    parser: &mut Reader,
    chunk: &'a [u8],
    width: usize,
    is_last: bool,
    options: &ReadOptions,
) -> (Rows<'a>, Chunk<()>) {
    match text_of(chunk) {
        None => (Rows::default(), Chunk { broken: Some(Broken::Text), ..Chunk::new(chunk.len()) }),
        Some(text) if plain::is_plain(text, is_last, options) => plain::parsed(text, width, options),
        Some(text) => parsed_any(parser, text, width, is_last, options),
    }
}

/// Cuts any text into cells.
pub(super) fn parsed_any<'a>(
    parser: &mut Reader,
    text: &str,
    width: usize,
    is_last: bool,
    options: &ReadOptions,
) -> (Rows<'a>, Chunk<()>) {
    let chunk = text.as_bytes();
    parser.reset();
    // At the beginning of a row that is not the first, the mark of UTF-8 is like any other letter.
    parser.read_record(b"\n", &mut [0], &mut [0]);
    let mut done = Chunk::new(chunk.len());
    let mut cells = vec![0; chunk.len() + 1];
    let mut places = Places::of(chunk.len(), width);
    let mut of_row = vec![0; width + 1];
    // What was read and written, and what of it was when the row began.
    let (mut read, mut written, mut ended) = (0, 0, 0);
    let begin = |read| if options.comment.is_some() { row_start(chunk, read, options) } else { read };
    let (mut start, mut first, mut before, mut end) = (begin(0), 0, 0, 0);
    // A comment that no line end closes is a row to the parser.
    while options.comment.is_none() || start < chunk.len() {
        let (result, bytes, out, fields) =
            parser.read_record(&chunk[read..], &mut cells[written..], &mut of_row[ended..]);
        read += bytes;
        written += out;
        ended += fields;
        match result {
            ReadRecordResult::Record if read - start > LONGEST_ROW => {
                done.broken = Some(Broken::Long(start));
                break;
            }
            ReadRecordResult::Record if ended != width => {
                done.broken = Some(Broken::Ragged { at: start, cells: ended });
                break;
            }
            ReadRecordResult::Record => {
                places.push(first, of_row[..width].iter().map(|end| first + end));
                done.starts.push(start as u32);
                (start, before, first, ended, end) = (begin(read), first, written, 0, read);
            }
            ReadRecordResult::OutputEndsFull => of_row.resize(2 * of_row.len(), 0),
            ReadRecordResult::OutputFull => cells.resize(2 * cells.len(), 0),
            ReadRecordResult::InputEmpty if is_last => {}
            ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
        }
    }
    // Nothing but line ends and comments behind the last row is no beginning of another.
    done.used = if written == first && ended == 0 { read.max(start) } else { start };
    if let Some(last) = done.starts.last() {
        let spans_lines = cells[before..first].iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        done.is_open = spans_lines && quotes(&chunk[*last as usize..end], options) % 2 == 1;
    }
    cells.truncate(first);
    // A part of what is UTF-8 is, too.
    let text = String::from_utf8(cells).unwrap_or_default();
    (Rows::joined(text, places), done)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use arrow_array::RecordBatch;
    use arrow_select::concat::concat_batches;
    use trainyard_random::Key;
    use trainyard_spec::Quote;

    use super::*;
    use crate::csv::{read_in, stream, to_csv};
    use crate::{Error, Stray};

    fn of(bytes: usize) -> Sizes {
        Sizes { least: bytes, most: bytes }
    }

    fn whole(text: &[u8], sizes: Sizes) -> Result<RecordBatch, Error> {
        whole_as(text, sizes, &ReadOptions::default())
    }

    fn whole_as(text: &[u8], sizes: Sizes, options: &ReadOptions) -> Result<RecordBatch, Error> {
        let found = read_in(&|| Ok(Box::new(Cursor::new(text))), "rows.csv", options, sizes);
        found.map(|found| found.table)
    }

    fn streamed(text: &[u8], sizes: Sizes) -> Result<(RecordBatch, Vec<Stray>), Error> {
        streamed_as(text, sizes, &ReadOptions::default())
    }

    fn streamed_as(text: &[u8], sizes: Sizes, options: &ReadOptions) -> Result<(RecordBatch, Vec<Stray>), Error> {
        let open = || Ok(Box::new(Cursor::new(text)) as _);
        let shape = stream::shape(&open, "rows.csv", options, sizes)?;
        let mut batches = Vec::new();
        stream::scan(&open, "rows.csv", options, &shape, &mut |batch| {
            batches.push(batch.clone());
            Ok(())
        })?;
        Ok((concat_batches(&shape.schema(), &batches).unwrap(), shape.strays))
    }

    /// Holds chunks of a few bytes against one chunk, also in a pool of another size.
    fn check(text: &[u8], sizes: &[usize]) {
        check_as(text, sizes, &ReadOptions::default());
    }

    fn check_as(text: &[u8], sizes: &[usize], options: &ReadOptions) {
        let (table, batches) = (whole_as(text, of(1 << 20), options), streamed_as(text, of(1 << 20), options));
        for size in sizes {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(whole_as(text, of(*size), options), table, "{size}: {shown:?}");
            assert_eq!(streamed_as(text, of(*size), options), batches, "{size}: {shown:?}");
        }
        if let (Ok(table), Ok((streamed, strays))) = (&table, &batches) {
            assert_eq!((table, &[][..]), (streamed, strays.as_slice()));
        }
    }

    /// Gives the rows as the parser of whole files sees them, of a file with rows of as many cells as its header.
    fn rows(text: &[u8], options: &ReadOptions) -> Option<Vec<Vec<String>>> {
        // A comment that no line end closes is a row to the parser.
        let text = [text, b"\n"].concat();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .quote(options.quote().unwrap_or(b'"'))
            .quoting(options.quote().is_some())
            .comment(options.comment)
            .from_reader(text.as_slice());
        reader.records().map(|row| Some(row.ok()?.iter().map(str::to_owned).collect())).collect()
    }

    #[test]
    fn any_text_gives_the_same_in_chunks_of_any_size() {
        let key = Key::new(7, "chunks");
        let parts = ["a", ",", "\n", "\"", "\"\"", "\r\n", "\r", "1", "é", "0.5", "\",\"", "\n\"", "\"\n", "x\"y"];
        let (mut tables, mut refused) = (0, 0);
        for text in 0..1500 {
            let mut draws = key.derive(text).stream();
            let columns = draws.below(3) as usize;
            let mut bytes = ["a\n", "a,b\n", "\"a\n\",b\r\nc,d\n"][columns].as_bytes().to_vec();
            for _ in 0..draws.below(60) {
                let row = ["1\n", "\"x\n\",2\n", "3,\"y\"\"\n\"\n"][columns];
                let most = if text % 3 == 0 { 20 } else { 2 * parts.len() as u64 };
                let part = parts.get(draws.below(most) as usize).copied().unwrap_or(row);
                bytes.extend_from_slice(part.as_bytes());
            }
            check(&bytes, &[1, 3, 8, 31]);
            match whole(&bytes, of(5)) {
                Err(_) => refused += 1,
                Ok(table) => {
                    tables += 1;
                    let rows = rows(&bytes, &ReadOptions::default()).unwrap();
                    assert_eq!((table.num_rows() + 1, table.num_columns()), (rows.len(), rows[0].len()));
                }
            }
        }
        assert!(tables > 100 && refused > 100, "{tables} tables, {refused} refused");
    }

    #[test]
    fn comments_and_other_quotes_give_the_same_in_chunks_of_any_size() {
        let key = Key::new(11, "dialects");
        let with = |quote| ReadOptions { quote: Some(quote), comment: Some(b'#'), ..ReadOptions::default() };
        let dialects = [with(Quote::Mark('\'')), with(Quote::Mark('"')), with(Quote::None)];
        let parts = ["a", ",", "\n", "'", "\"", "''", "\r\n", "\r", "\n#", "#", "é", "0.5", "\n'#\n", "#'\n", "#,,\""];
        let (mut tables, mut refused) = (0, 0);
        for text in 0..1500 {
            let options = &dialects[text as usize % dialects.len()];
            let mut draws = key.derive(text).stream();
            let columns = draws.below(2) as usize;
            let mut bytes = ["# of 'one\na\n", "#\n\n#a,b\na,b\n"][columns].as_bytes().to_vec();
            for _ in 0..draws.below(60) {
                let row = ["1\n#'\n", "# \"two\",3\n'x',#2\n"][columns];
                let most = if text % 4 == 0 { 20 } else { 4 * parts.len() as u64 };
                let part = parts.get(draws.below(most) as usize).copied().unwrap_or(row);
                bytes.extend_from_slice(part.as_bytes());
            }
            check_as(&bytes, &[1, 3, 8, 31], options);
            match whole_as(&bytes, of(5), options) {
                Err(_) => refused += 1,
                Ok(table) => {
                    tables += 1;
                    let rows = rows(&bytes, options).unwrap();
                    assert_eq!((table.num_rows() + 1, table.num_columns()), (rows.len(), rows[0].len()));
                }
            }
        }
        assert!(tables > 100 && refused > 100, "{tables} tables, {refused} refused");
    }

    #[test]
    fn types_and_values_are_those_of_one_chunk() {
        let row = |row: usize| {
            let late = if row < 1100 { row.to_string() } else { format!("{row}.5") };
            let none = if row < 1500 { "" } else { "2024-02-29" };
            let zero = if row.is_multiple_of(7) { "-0" } else { "9007199254740993" };
            format!("{row},{late},{none},{zero},\"{}\"\"\nof {row}\",{}\r\n", row % 3, row.is_multiple_of(2))
        };
        let rows: String = (0..2000).map(row).collect();
        let text = format!("\u{feff}id,late,none,zero,name,flag\n{rows}");
        check(text.as_bytes(), &[1, 100, 1000, 10_000]);
        // Beyond the first thousand values a fraction makes floats of what are integers elsewhere.
        let more = format!("{text}1,2,2024-01-01,0.5,x,true\n");
        check(more.as_bytes(), &[100, 5000]);
        assert_eq!(to_csv(&whole(more.as_bytes(), of(64)).unwrap()).split(|byte| *byte == b'\n').count(), 4003);
        for wrong in
            ["x,2,,3,x,true", "1,x,,3,x,true", "1,2,soon,3,x,true", "1,2,,3,x,maybe", "1,2,,3,x", "1,\"2", "\u{0},"]
        {
            for at in [1100, 1600, 1999] {
                let mut lines: Vec<String> = (0..2000).map(row).collect();
                lines.insert(at, format!("{wrong}\n"));
                lines.insert(at + 1, "y,y,y,y,y,y\n".to_owned());
                let text = format!("id,late,none,zero,name,flag\n{}", lines.concat());
                let one = whole(text.as_bytes(), of(1 << 20)).unwrap_err();
                for size in [64, 4096] {
                    assert_eq!(whole(text.as_bytes(), of(size)), Err(one.clone()), "{wrong} at {at}");
                    assert_eq!(streamed(text.as_bytes(), of(size)), streamed(text.as_bytes(), of(1 << 20)));
                }
            }
        }
    }
}
