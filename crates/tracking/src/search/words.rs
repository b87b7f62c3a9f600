//! A filter cut into words.

use std::ops::Range;

/// What a word is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Bare,
    /// A text between `'`, or between `"` where a value stands.
    Single,
    /// A name between backticks or `"`.
    Quoted,
    /// A number.
    Number(f64),
    /// A comparator, a bracket, a comma or a dot.
    Sign,
    /// What begins with a quote that nothing closes.
    Open,
    /// Any other character.
    Stray,
}

/// Is a word with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) kind: Kind,
    /// The text; without its quotes, which are doubled inside.
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

impl Word {
    /// Says whether it is this keyword, whatever its case.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Bare && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Says whether it is this sign.
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }
}

const SIGNS: [&str; 12] = ["<=", ">=", "!=", "==", "<>", "<", ">", "=", "(", ")", ",", "."];

/// Cuts a text into words; blanks end one.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let word = word(text, at, first);
        at = word.span.end;
        words.push(word);
    }
    words
}

fn word(text: &str, at: usize, first: char) -> Word {
    let rest = &text[at..];
    if matches!(first, '\'' | '"' | '`') {
        return quoted(text, at, first);
    }
    if let Some((value, length)) = number(rest) {
        return Word { kind: Kind::Number(value), text: rest[..length].to_owned(), span: at..at + length };
    }
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Word { kind: Kind::Sign, text: (*sign).to_owned(), span: at..at + sign.len() };
    }
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | '@');
    let length = rest.find(|c: char| !in_name(c)).unwrap_or(rest.len());
    match length {
        0 => Word { kind: Kind::Stray, text: first.to_string(), span: at..at + first.len_utf8() },
        _ => Word { kind: Kind::Bare, text: rest[..length].to_owned(), span: at..at + length },
    }
}

fn quoted(text: &str, at: usize, quote: char) -> Word {
    let kind = if quote == '\'' { Kind::Single } else { Kind::Quoted };
    let mut inside = String::new();
    let mut rest = text[at + 1..].char_indices().peekable();
    while let Some((offset, c)) = rest.next() {
        if c != quote {
            inside.push(c);
        } else if rest.peek().is_some_and(|(_, next)| *next == quote) {
            inside.push(quote);
            rest.next();
        } else {
            return Word { kind, text: inside, span: at..at + 1 + offset + 1 };
        }
    }
    Word { kind: Kind::Open, text: inside, span: at..text.len() }
}

/// Reads a number and its length, where one stands that no letter follows.
fn number(text: &str) -> Option<(f64, usize)> {
    let begins = text.trim_start_matches(['+', '-']).trim_start_matches('.');
    if !begins.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut length = 0;
    let mut before = ' ';
    for c in text.chars() {
        let signed = matches!(c, '+' | '-') && (length == 0 || matches!(before, 'e' | 'E'));
        if !(c.is_alphanumeric() || matches!(c, '.' | '_') || signed) {
            break;
        }
        length += c.len_utf8();
        before = c;
    }
    text[..length].parse::<f64>().ok().map(|value| (value, length))
}
