//! Text: everything counts code points, never bytes.

use std::sync::LazyLock;

use regex::Regex;

use crate::operation::Outcome;
use crate::runtime::Fault;

/// The longest text that a function makes, in bytes, so that one cell cannot take all memory.
const LONGEST: usize = 1 << 28;
/// The most bytes that the cells of one column may take where a function makes texts longer.
const MOST: usize = 1 << 32;

/// Refuses to lengthen a column, `out`, by a text of `size` bytes that is too much for a cell or for the column.
fn check_size(function: &'static str, size: usize, out: &str) -> Outcome<()> {
    if size > LONGEST {
        return domain(function, "the result is longer than 256 MiB");
    }
    if out.len() + size > MOST {
        return domain(function, "the results of all rows are longer than 4 GiB");
    }
    Ok(Some(()))
}

fn domain<T>(function: &'static str, reason: &'static str) -> Outcome<T> {
    Err(Box::new(Fault::Domain { function, reason }))
}

/// Gives the lower case of one character, by Unicode's simple mapping.
#[inline]
pub(crate) fn lower(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    match character {
        // The full mapping of this one letter is two characters; its simple mapping is an i.
        'İ' => 'i',
        _ => {
            let mut mapped = character.to_lowercase();
            match (mapped.next(), mapped.next()) {
                (Some(one), None) => one,
                _ => character,
            }
        }
    }
}

/// Gives the upper case of one character, by Unicode's simple mapping.
#[inline]
pub(crate) fn upper(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_uppercase();
    }
    match character {
        'ß' => 'ẞ',
        // Greek letters with iota subscript: their simple mapping keeps the iota in one letter.
        'ᾀ'..='ᾇ' | 'ᾐ'..='ᾗ' | 'ᾠ'..='ᾧ' => char::from_u32(u32::from(character) + 8).unwrap_or(character),
        'ᾳ' | 'ῃ' | 'ῳ' => char::from_u32(u32::from(character) + 9).unwrap_or(character),
        _ => {
            let mut mapped = character.to_uppercase();
            match (mapped.next(), mapped.next()) {
                (Some(one), None) => one,
                _ => character,
            }
        }
    }
}

/// Counts code points.
#[inline]
pub(crate) fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Gives the byte at which a code point starts, or the end.
fn byte_of(text: &str, place: usize) -> usize {
    if text.is_ascii() {
        return place.min(text.len());
    }
    text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte)
}

/// Gives the code points from `start` up to `end`, counted from 0.
pub(crate) fn slice(text: &str, start: usize, end: usize) -> &str {
    let from = byte_of(text, start);
    let rest = text.get(from..).unwrap_or_default();
    rest.get(..byte_of(rest, end.saturating_sub(start))).unwrap_or_default()
}

/// `substring(text, offset[, length])`: from 1; a negative offset counts from the end, a negative length goes back.
pub(crate) fn substring(text: &str, offset: i64, count: Option<i64>) -> Result<&str, Box<Fault>> {
    const LIMIT: i64 = u32::MAX as i64;
    for value in [Some(offset), count].into_iter().flatten() {
        if !(-LIMIT - 1..=LIMIT).contains(&value) {
            let reason = "an offset or length outside 32 bits";
            return Err(Box::new(Fault::Domain { function: "substring", reason }));
        }
    }
    let size = length(text) as i64;
    let start = if offset > 0 {
        offset - 1
    } else if offset < 0 {
        size + offset
    } else {
        -1
    };
    let end = match count {
        Some(count) => start + count,
        None => size.max(start),
    };
    let (start, end) = (start.min(end).clamp(0, size), start.max(end).clamp(0, size));
    Ok(slice(text, start as usize, end as usize))
}

/// `left(text, count)`: a negative count leaves out the last ones.
pub(crate) fn left(text: &str, count: i64) -> &str {
    let size = length(text) as i64;
    let count = if count < 0 { size.saturating_add(count).max(0) } else { count.min(size) };
    slice(text, 0, count as usize)
}

/// `right(text, count)`: a negative count leaves out the first ones.
pub(crate) fn right(text: &str, count: i64) -> &str {
    let size = length(text) as i64;
    let start = if count < 0 { count.saturating_neg().min(size) } else { (size - count.min(size)).max(0) };
    slice(text, start as usize, size as usize)
}

/// Gives the place of a needle in code points from 1, or 0.
pub(crate) fn position(text: &str, needle: &str) -> i64 {
    match text.find(needle) {
        Some(byte) => length(text.get(..byte).unwrap_or_default()) as i64 + 1,
        None => 0,
    }
}

/// Gives the part of a text between separators, from 1, or from the end when negative. An empty separator parts every
/// character.
pub(crate) fn split_part<'a>(text: &'a str, separator: &str, index: i64) -> &'a str {
    let place = index.unsigned_abs().saturating_sub(1);
    let Ok(place) = usize::try_from(place) else { return "" };
    if index == 0 {
        return "";
    }
    if separator.is_empty() {
        let size = length(text);
        let place = if index > 0 { place } else { size.wrapping_sub(place + 1) };
        return if place < size { slice(text, place, place + 1) } else { "" };
    }
    let part = if index > 0 { text.split(separator).nth(place) } else { text.rsplit(separator).nth(place) };
    part.unwrap_or_default()
}

/// Trims any of `characters`; without them, every space character of Unicode.
pub(crate) fn trim<'a>(text: &'a str, characters: Option<&str>, start: bool, end: bool) -> &'a str {
    let goes = |character: char| match characters {
        Some(characters) => characters.contains(character),
        None => is_space(character),
    };
    let text = if start { text.trim_start_matches(goes) } else { text };
    if end { text.trim_end_matches(goes) } else { text }
}

/// Tells whether a character is in Unicode's category of spaces, which tabs and line ends are not.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Appends `text` with every `from` replaced by `to`.
pub(crate) fn replace(text: &str, from: &str, to: &str, out: &mut String) -> Outcome<()> {
    if from.is_empty() {
        out.push_str(text);
        return Ok(Some(()));
    }
    if to.len() > from.len() {
        check_size("replace", text.len() + text.matches(from).count() * (to.len() - from.len()), out)?;
    }
    let mut last = 0;
    for (at, found) in text.match_indices(from) {
        out.push_str(text.get(last..at).unwrap_or_default());
        out.push_str(to);
        last = at + found.len();
    }
    out.push_str(text.get(last..).unwrap_or_default());
    Ok(Some(()))
}

/// Appends a text several times.
pub(crate) fn repeat(text: &str, count: i64, out: &mut String) -> Outcome<()> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    let size = text.len().saturating_mul(count);
    check_size("repeat", size, out)?;
    if size > 0 {
        out.reserve(size);
        (0..count).for_each(|_| out.push_str(text));
    }
    Ok(Some(()))
}

/// Appends a text padded or cut to `size` code points.
pub(crate) fn pad(text: &str, size: i64, padding: &str, left: bool, out: &mut String) -> Outcome<()> {
    let function = if left { "lpad" } else { "rpad" };
    let size = usize::try_from(size.max(0)).unwrap_or(usize::MAX);
    let have = length(text);
    if size <= have {
        out.push_str(slice(text, 0, size));
        return Ok(Some(()));
    }
    if padding.is_empty() {
        return domain(function, "the padding is empty");
    }
    let widest = padding.chars().map(char::len_utf8).max().unwrap_or(1);
    check_size(function, text.len().saturating_add((size - have).saturating_mul(widest)), out)?;
    if !left {
        out.push_str(text);
    }
    out.extend(padding.chars().cycle().take(size - have));
    if left {
        out.push_str(text);
    }
    Ok(Some(()))
}

/// Appends the code point of a number.
pub(crate) fn character(code: i64, out: &mut String) -> Outcome<()> {
    match u32::try_from(code).ok().and_then(char::from_u32) {
        Some(character) => {
            out.push(character);
            Ok(Some(()))
        }
        None => domain("chr", "not a Unicode code point"),
    }
}

/// Extended grapheme clusters (Unicode Standard Annex #29, table 1c).
static GRAPHEME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let hangul = r"\p{gcb=L}*(?:\p{gcb=LV}\p{gcb=V}*|\p{gcb=LVT}|\p{gcb=V}+)\p{gcb=T}*|\p{gcb=L}+|\p{gcb=T}+";
    let emoji = r"\p{Extended_Pictographic}(?:\p{gcb=Extend}*\p{gcb=ZWJ}\p{Extended_Pictographic})*";
    let core = format!(r"(?:{hangul}|\p{{gcb=RI}}\p{{gcb=RI}}|{emoji}|[^\p{{gcb=Control}}\p{{gcb=CR}}\p{{gcb=LF}}])");
    let after = r"[\p{gcb=Extend}\p{gcb=ZWJ}\p{gcb=SpacingMark}]*";
    Regex::new(&format!(r"(?s)\r\n|\p{{gcb=Prepend}}*{core}{after}|.")).ok()
});

/// Appends a text from its last character to its first; what a reader sees as one character stays whole.
pub(crate) fn reverse(text: &str, out: &mut String) {
    match GRAPHEME.as_ref() {
        Some(grapheme) if !text.is_ascii() => {
            let clusters: Vec<&str> = grapheme.find_iter(text).map(|found| found.as_str()).collect();
            out.extend(clusters.into_iter().rev());
        }
        _ => out.extend(text.chars().rev()),
    }
}
