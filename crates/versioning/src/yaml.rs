//! The little YAML that DVC's files hold: read with places, and texts written as DVC's own writer does.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// The deepest nesting and the most nodes that are read.
const DEEPEST: usize = 64;
const MOST_NODES: usize = 2_000_000;

/// Is a value and the bytes of the text that it takes.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A text, and whether it stands without quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// Is a key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null"))
    }

    pub(crate) fn map(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(nodes) => Some(nodes),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
}

/// Says what is no YAML, and at which byte.
#[derive(Clone, Debug)]
pub(crate) struct Syntax {
    pub(crate) at: usize,
    pub(crate) why: String,
}

struct Open {
    content: Content,
    key: Option<(String, Range<usize>)>,
    start: usize,
}

/// Reads one document without aliases; an empty text is null.
pub(crate) fn parse(text: &str) -> Result<Node, Syntax> {
    // The parser counts letters.
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let byte = |letter: usize| offsets.get(letter).copied().unwrap_or(text.len());
    let wrong = |at: usize, why: &str| Syntax { at, why: why.to_owned() };
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for (count, event) in Parser::new_from_str(text).enumerate() {
        let (event, span) =
            event.map_err(|error| Syntax { at: byte(error.marker().index()), why: error.info().to_owned() })?;
        let span = byte(span.start.index())..byte(span.end.index());
        if open.len() > DEEPEST || count > MOST_NODES {
            return Err(wrong(span.start, "it is nested too deeply, or too long"));
        }
        let done = match event {
            Event::Scalar(scalar, style, _, _) => {
                Some(Node { content: Content::Scalar(scalar.into_owned(), style == ScalarStyle::Plain), span })
            }
            Event::SequenceStart(..) => {
                open.push(Open { content: Content::List(Vec::new()), key: None, start: span.start });
                None
            }
            Event::MappingStart(..) => {
                open.push(Open { content: Content::Map(Vec::new()), key: None, start: span.start });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop().map(|done| Node { content: done.content, span: done.start..span.end })
            }
            Event::Alias(_) => return Err(wrong(span.start, "aliases are no part of these files")),
            Event::DocumentStart(_) if root.is_some() => return Err(wrong(span.start, "a second document begins")),
            _ => None,
        };
        let Some(node) = done else { continue };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open { content: Content::List(nodes), .. }) => nodes.push(node),
            Some(Open { content: Content::Map(entries), key, .. }) => match (key.take(), node.text()) {
                (None, Some(text)) => {
                    if entries.iter().any(|entry| entry.key == text) {
                        return Err(wrong(node.span.start, "the key is there twice"));
                    }
                    *key = Some((text.to_owned(), node.span));
                }
                (None, None) => return Err(wrong(node.span.start, "a key is no text")),
                (Some((key, key_span)), _) => entries.push(Entry { key, key_span, value: node }),
            },
            Some(Open { content: Content::Scalar(..), .. }) => {}
        }
    }
    Ok(root.unwrap_or(Node { content: Content::Scalar(String::new(), true), span: 0..0 }))
}

/// Where DVC's writer breaks lines, and how far it indents what goes on.
const WIDTH: usize = 80;
const INDENT: usize = 4;

/// Writes a text as the value of a key, behind its colon, as DVC does; `column` letters stand before it in the line.
///
/// The text holds no line breaks and no control characters.
pub(crate) fn value(text: &str, column: usize) -> String {
    if is_plain(text) && !is_other_type(text) {
        plain(text, column)
    } else if text.contains('\'') {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!(" \"{escaped}\"")
    } else {
        single_quoted(text, column)
    }
}

/// Splits a text into words and the blanks between them.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let begins = text[..at].chars().next_back().is_some_and(|before| (before == ' ') != (c == ' '));
        if begins {
            words.push(&text[start..at]);
            start = at;
        }
    }
    words.push(&text[start..]);
    words
}

fn plain(text: &str, column: usize) -> String {
    let mut out = " ".to_owned();
    let mut column = column + 1;
    let broken = format!("\n{}", " ".repeat(INDENT));
    for word in words(text) {
        let length = word.chars().count();
        if word == " " && column >= WIDTH {
            out.push_str(&broken);
            column = INDENT;
            continue;
        }
        if !word.starts_with(' ') && column + length > WIDTH && column > INDENT {
            out.push_str(&broken);
            column = INDENT;
        }
        out.push_str(word);
        column += length;
    }
    out
}

fn single_quoted(text: &str, column: usize) -> String {
    let mut out = " '".to_owned();
    let mut column = column + 2;
    let words = words(text);
    for (at, word) in words.iter().enumerate() {
        if *word == " " && column > WIDTH && at > 0 && at + 1 < words.len() {
            out.push_str(&format!("\n{}", " ".repeat(INDENT)));
            column = INDENT;
        } else {
            out.push_str(word);
            column += word.chars().count();
        }
    }
    out.push('\'');
    out
}

/// Says whether a text may stand without quotes.
fn is_plain(text: &str) -> bool {
    let is_blank = |c: Option<char>| c.is_none_or(|c| c == ' ');
    let letters: Vec<char> = text.chars().collect();
    let (Some(first), Some(last)) = (letters.first(), letters.last()) else { return false };
    if *first == ' ' || *last == ' ' || text.starts_with("---") || text.starts_with("...") {
        return false;
    }
    if "#,[]{}&*!|>'\"%@`".contains(*first) || "?:-".contains(*first) && is_blank(letters.get(1).copied()) {
        return false;
    }
    letters.iter().enumerate().skip(1).all(|(at, c)| match c {
        ':' => !is_blank(letters.get(at + 1).copied()),
        '#' => letters[at - 1] != ' ',
        _ => true,
    })
}

/// Says whether a text without quotes would be read as something else: a number, a date, a truth, nothing.
fn is_other_type(text: &str) -> bool {
    matches!(
        text,
        "" | "~" | "null" | "Null" | "NULL" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "<<" | "="
    ) || is_number(text)
        || is_time(text)
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let starts = |text: &str| text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest.is_empty() || !(rest.len() < text.len() || starts(text) || text.starts_with('.')) {
        return false;
    }
    let among = |text: &str, known: &str| !text.is_empty() && text.chars().all(|c| known.contains(c));
    let is_integer = digits(rest)
        || rest.strip_prefix("0b").is_some_and(|rest| among(rest, "01_"))
        || rest.strip_prefix("0o").is_some_and(|rest| among(rest, "01234567_"))
        || rest.strip_prefix("0x").is_some_and(|rest| among(rest, "0123456789abcdefABCDEF_"));
    if is_integer || matches!(rest, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let signed = exponent.is_some_and(|exponent| exponent.starts_with(['-', '+']));
    let power = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    if power.is_some_and(|power| power.is_empty() || !power.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    match mantissa.split_once('.') {
        None => power.is_some() && starts(mantissa) && digits(mantissa),
        Some(("", after)) => !after.is_empty() && digits(after) && (power.is_none() || signed),
        Some((before, after)) => starts(before) && digits(before) && digits(after),
    }
}

/// Says whether a text is a date, or a date and a time of day.
fn is_time(text: &str) -> bool {
    // Takes between `least` and `most` digits.
    fn digits(text: &str, least: usize, most: usize) -> Option<&str> {
        let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        (count >= least).then(|| &text[count..])
    }
    let date = |least| {
        let rest = digits(text, 4, 4)?.strip_prefix('-')?;
        digits(digits(rest, least, 2)?.strip_prefix('-')?, least, 2)
    };
    if date(2) == Some("") {
        return true;
    }
    let zoned = || {
        let rest = date(1)?;
        let blanks = rest.trim_start_matches([' ', '\t']);
        let rest = if blanks.len() < rest.len() { blanks } else { rest.strip_prefix(['T', 't'])? };
        let rest = digits(digits(rest, 1, 2)?.strip_prefix(':')?, 2, 2)?.strip_prefix(':')?;
        let rest = digits(rest, 2, 2)?;
        let rest = rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        if rest.is_empty() {
            return Some(());
        }
        let zone = rest.trim_start_matches([' ', '\t']);
        if zone == "Z" {
            return Some(());
        }
        let rest = digits(zone.strip_prefix(['-', '+'])?, 1, 2)?;
        (rest.is_empty() || digits(rest.strip_prefix(':')?, 2, 2)?.is_empty()).then_some(())
    };
    zoned().is_some()
}

#[cfg(test)]
mod tests {
    use super::{parse, value};

    #[test]
    fn values_are_quoted_where_they_would_be_something_else() {
        for text in ["a", "a b", "a: ", "-a", "a#b", "ü𝄞", "1a", "1.2.3", "nulls", "a'b\"c", "_1", "e5", "2020-1-1"]
        {
            let expected = if text == "a: " { " 'a: '".to_owned() } else { format!(" {text}") };
            assert_eq!(value(text, 7), expected);
        }
        for text in
            ["1", "1e5", "12e-3", "1.", ".5", "-.inf", "true", "~", "2020-01-01", "2020-1-1 1:00:00", "- a", "#a"]
        {
            assert_eq!(value(text, 7), format!(" '{text}'"));
        }
        assert_eq!(value("'a'", 7), " \"'a'\"");
        assert_eq!(value("it's: \"so\\\"", 7), " \"it's: \\\"so\\\\\\\"\"");
    }

    #[test]
    fn places_are_bytes() {
        let text = "ü: [1, 'b']\nouts:\n- md5: x\n  path: ä b\n";
        let node = parse(text).unwrap();
        let path = node.get("outs").and_then(|outs| outs.list()?.first()?.get("path")).unwrap();
        assert_eq!((path.text(), &text[path.span.clone()]), (Some("ä b"), "ä b"));
        assert!(parse("").unwrap().is_null());
        for text in ["a: *b", "a: 1\na: 2", "[", "--- 1\n--- 2", "<<<<<<< ours\na: 1"] {
            assert!(parse(text).is_err() || parse(text).unwrap().map().is_none(), "{text}");
        }
    }

    #[test]
    fn values_are_those_of_the_writer_that_dvc_has() {
        let Some(judge) = trainyard_judges::python("versioned") else { return };
        let parts = [
            "a",
            "b1",
            "-",
            ":",
            ": ",
            " ",
            " #",
            "#",
            "'",
            "\"",
            "\\",
            "[",
            "{",
            "&",
            "*",
            "!",
            "|",
            ">",
            "%",
            "@",
            "`",
            "?",
            ",",
            "0",
            "1",
            "7",
            "e",
            "E",
            "+",
            "_",
            ".",
            "0x",
            "0o",
            "0b",
            ".inf",
            ".nan",
            "true",
            "null",
            "~",
            "<<",
            "=",
            "2020",
            "-01",
            "T",
            "ü",
            "文",
            "𝄞",
            "words that go on",
            "oneverylongwordthatgoesonandon",
            "Z",
            "12:30:00",
            "---",
        ];
        // Numbers that look random and are the same in every run.
        let mut state = 7_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let texts: Vec<String> = (0..4000)
            .map(|number| {
                (0..1 + next(if number % 4 == 0 { 24 } else { 4 }))
                    .map(|_| parts[next(parts.len())])
                    .collect::<String>()
            })
            // Of texts in double quotes only those in one line are written as DVC writes them.
            .filter(|text| !text.contains('\'') || text.len() < 50)
            .collect();
        let script = "
import io
from dvc.utils.serialize._yaml import _dump
answer = []
for text in data:
    out = io.StringIO()
    _dump({'outs': [{'md5': 'x', 'path': text}]}, out)
    answer.append(out.getvalue())";
        let theirs = judge.run(script, &serde_json::json!(texts));
        for (text, theirs) in texts.iter().zip(theirs.as_array().unwrap()) {
            let ours = format!("outs:\n- md5: x\n  path:{}\n", value(text, 7));
            assert_eq!(Some(ours.as_str()), theirs.as_str(), "{text:?}");
        }
    }
}
