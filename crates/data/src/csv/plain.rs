//! Chunks without quotes and comments, whose cells stay where they are in the text.
//!
//! What is between two delimiters or line ends is a cell there to any parser, so that one that finds these with wide
//! registers can read them; all other chunks are for `csv-core`.

use simd_csv::ZeroCopyReaderBuilder;

use super::LONGEST_ROW;
use super::chunks::{Broken, Chunk};
use super::explain::row_start;
use super::rows::{Places, Rows};
use crate::ReadOptions;

/// Bytes that are looked at, or copied by the reader, at a time: few enough to stay in the nearest cache.
const BUFFER: usize = 1 << 13;

/// What stands around quoted cells where there are none: no text holds it.
const NO_QUOTE: u8 = 0;

/// Says whether a text without zeros is all whole rows of cells that no mark has changed.
pub(super) fn is_plain(text: &str, is_last: bool, options: &ReadOptions) -> bool {
    let (bytes, delimiter) = (text.as_bytes(), options.delimiter());
    let is_cut = delimiter.is_ascii() && !matches!(delimiter, b'\n' | b'\r' | NO_QUOTE);
    let is_whole = is_last || bytes.last() == Some(&b'\n');
    // The reader takes a mark of UTF-8 away, which below the header is a letter.
    if !is_cut || !is_whole || bytes.len() > LONGEST_ROW || text.starts_with('\u{feff}') {
        return false;
    }
    let quote = options.quote().unwrap_or(NO_QUOTE);
    let comment = options.comment.unwrap_or(NO_QUOTE);
    let mut has_return = false;
    // A file that quotes some cells shows it early.
    for some in bytes.chunks(BUFFER) {
        // A loop that the processor does many steps of at once.
        let (is_marked, returns) = some.iter().fold((false, false), |(is_marked, returns), byte| {
            (is_marked | (*byte == quote) | (*byte == comment), returns | (*byte == b'\r'))
        });
        if is_marked {
            return false;
        }
        has_return |= returns;
    }
    // Without a line end behind it, `\r` ends a row to the one parser and not to the other.
    let is_lone = || {
        let pairs = bytes.iter().zip(&bytes[1..]);
        let within = pairs.fold(false, |found, (byte, next)| found | (*byte == b'\r') & (*next != b'\n'));
        within || bytes.last() == Some(&b'\r')
    };
    !(has_return && is_lone())
}

/// Cuts a plain text into cells.
pub(super) fn parsed<'a>(text: &'a str, width: usize, options: &ReadOptions) -> (Rows<'a>, Chunk<()>) {
    let bytes = text.as_bytes();
    let mut done = Chunk::new(bytes.len());
    let mut places = Places::of(bytes.len(), width);
    let mut reader = ZeroCopyReaderBuilder::with_capacity(BUFFER)
        .delimiter(options.delimiter())
        .quote(NO_QUOTE)
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut start = row_start(bytes, 0, options);
    // Bytes in memory are read without errors.
    while let Ok(Some(row)) = reader.read_byte_record() {
        if row.len() != width {
            done.broken = Some(Broken::Ragged { at: start, cells: row.len() });
            break;
        }
        let mut next = start;
        places.push(
            start,
            row.iter().map(|cell| {
                next += cell.len() + 1;
                next
            }),
        );
        done.starts.push(start as u32);
        start = row_start(bytes, start + row.as_slice().len(), options);
    }
    done.used = start;
    (Rows::delimited(text, places), done)
}

#[cfg(test)]
mod tests {
    use trainyard_random::Key;
    use trainyard_spec::Quote;

    use super::*;
    use crate::csv::chunks::{parsed_any, parser};

    /// What a chunk gave: its cells, the rows' places, the bytes that are done, what is wrong, and an open quote.
    #[derive(Debug, PartialEq)]
    struct Gave {
        cells: Vec<Vec<String>>,
        starts: Vec<usize>,
        used: usize,
        broken: Option<Broken>,
        is_open: bool,
    }

    fn gave((rows, chunk): (Rows<'_>, Chunk<()>), text: &str, width: usize, options: &ReadOptions) -> Gave {
        // A place may lie on the line ends before its row.
        let start = |at: usize| row_start(text.as_bytes(), at, options);
        let cell = |row, column| rows.cell(row, column).unwrap().to_owned();
        Gave {
            cells: (0..rows.len()).map(|row| (0..width).map(|column| cell(row, column)).collect()).collect(),
            starts: chunk.starts.iter().map(|at| start(*at as usize)).collect(),
            used: if chunk.broken.is_some() { start(chunk.used) } else { chunk.used },
            broken: chunk.broken.map(|broken| match broken {
                Broken::Ragged { at, cells } => Broken::Ragged { at: start(at), cells },
                other => other,
            }),
            is_open: chunk.is_open,
        }
    }

    #[test]
    fn plain_texts_give_what_the_other_parser_gives() {
        let with = |delimiter, quote, comment| ReadOptions { delimiter, quote, comment, ..ReadOptions::default() };
        let dialects = [
            ReadOptions::default(),
            with(Some(b';'), None, Some(b'#')),
            with(Some(b'\t'), Some(Quote::Mark('\'')), None),
            with(Some(b' '), Some(Quote::None), Some(b'\'')),
            with(Some(b'|'), Some(Quote::None), None),
        ];
        let (key, mut plain, mut rows, mut ragged) = (Key::new(13, "plain"), 0, 0, 0);
        for round in 0..60_000 {
            let options = &dialects[round as usize % dialects.len()];
            let delimiter = char::from(options.delimiter()).to_string();
            let is_long = round % 50 == 0;
            // Rows that no buffer of the reader holds.
            let cell = "cells of a row ".repeat(if is_long { 400 } else { 1 });
            let alphabet = [
                delimiter.as_str(),
                "\n",
                "\r\n",
                &cell,
                "1",
                " ",
                "é",
                "0.5",
                "\u{feff}",
                "\r",
                "#",
                "'",
                "\"",
                "\t",
                ";",
            ];
            let mut draws = key.derive(round).stream();
            let (width, most) = (1 + draws.below(4) as usize, 7 + draws.below(9));
            let mut text = String::new();
            for _ in 0..draws.below(if is_long { 400 } else { 60 }) {
                if draws.below(3) == 0 {
                    // A row of as many cells as there should be.
                    text += &vec!["x"; width].join(&delimiter);
                    text += ["\n", "\r\n"][draws.below(2) as usize];
                } else {
                    text += alphabet[draws.below(most) as usize];
                }
            }
            for is_last in [false, true] {
                if !is_plain(&text, is_last, options) {
                    continue;
                }
                let ours = gave(parsed(&text, width, options), &text, width, options);
                let core = parsed_any(&mut parser(options), &text, width, is_last, options);
                assert_eq!(ours, gave(core, &text, width, options), "{text:?} by {options:?}");
                plain += 1;
                rows += ours.cells.len();
                ragged += usize::from(ours.broken.is_some());
            }
        }
        assert!(plain > 10_000 && rows > 50_000 && ragged > 5000, "{plain} plain, {rows} rows, {ragged} ragged");
    }

    #[test]
    fn what_two_parsers_may_read_in_two_ways_is_not_plain() {
        let options = ReadOptions::default();
        let comments = ReadOptions { comment: Some(b'#'), ..ReadOptions::default() };
        for (text, is_last, options) in [
            ("a,\"b\"\n", true, &options),
            ("a\rb\n", true, &options),
            ("a\r", true, &options),
            ("a\r\r\n", true, &options),
            ("\u{feff}a\n", true, &options),
            ("a\nb", false, &options),
            ("a\n#b\n", true, &comments),
        ] {
            assert!(!is_plain(text, is_last, options), "{text:?}");
        }
        for (text, is_last) in [("a\nb", true), ("a\r\n\r\nb\r\n", false), ("", true), ("\n#é\u{feff}\n", false)] {
            assert!(is_plain(text, is_last, &options), "{text:?}");
        }
    }
}
