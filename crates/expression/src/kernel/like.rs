//! LIKE and ILIKE: `%` is any text, `_` is one code point.

use super::text::lower;

/// Tells whether an escape ends a pattern, which has nothing to escape there.
pub(crate) fn ends_with_escape(pattern: &str, escape: Option<char>) -> bool {
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape && characters.next().is_none() {
            return true;
        }
    }
    false
}

/// Matches a text against a pattern, ignoring case where `fold` is set.
pub(crate) fn matches(text: &str, pattern: &str, escape: Option<char>, fold: bool) -> bool {
    let same = |left: char, right: char| left == right || (fold && lower(left) == lower(right));
    let (mut text, mut pattern) = (text, pattern);
    // Where to go on when the text after the last `%` does not match: one code point later.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        let mut ahead = pattern.chars();
        let next = ahead.next();
        let (escaped, next, after) = match next {
            Some(character) if Some(character) == escape => {
                let literal = ahead.next();
                (true, literal, ahead.as_str())
            }
            other => (false, other, ahead.as_str()),
        };
        if next == Some('%') && !escaped {
            if after.is_empty() {
                return true;
            }
            retry = Some((text, after));
            pattern = after;
            continue;
        }
        let mut here = text.chars();
        let step = match (here.next(), next) {
            (None, None) => return true,
            (Some(_), Some('_')) if !escaped => true,
            (Some(left), Some(right)) => same(left, right),
            _ => false,
        };
        if step {
            text = here.as_str();
            pattern = after;
            continue;
        }
        let Some((from, rest)) = retry else { return false };
        let mut from = from.chars();
        if from.next().is_none() {
            return false;
        }
        text = from.as_str();
        pattern = rest;
        retry = Some((text, rest));
    }
}

/// A pattern known before any row is read.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// No wildcard.
    Exact(String),
    /// `text%`.
    Prefix(String),
    /// `%text`.
    Suffix(String),
    /// `%text%`.
    Inside(String),
    /// Anything else.
    General { pattern: String, escape: Option<char>, fold: bool },
}

impl Pattern {
    /// Prepares a pattern.
    pub(crate) fn new(pattern: &str, escape: Option<char>, fold: bool) -> Pattern {
        let plain = |text: &str| !text.contains(['%', '_']) && !escape.is_some_and(|escape| text.contains(escape));
        if !fold {
            if plain(pattern) {
                return Pattern::Exact(pattern.to_owned());
            }
            let (start, end) = (pattern.strip_prefix('%'), pattern.strip_suffix('%'));
            match (start, end, start.and_then(|rest| rest.strip_suffix('%'))) {
                (_, _, Some(inside)) if plain(inside) => return Pattern::Inside(inside.to_owned()),
                (Some(suffix), _, _) if plain(suffix) => return Pattern::Suffix(suffix.to_owned()),
                (_, Some(prefix), _) if plain(prefix) => return Pattern::Prefix(prefix.to_owned()),
                _ => {}
            }
        }
        Pattern::General { pattern: pattern.to_owned(), escape, fold }
    }

    /// Matches a text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Exact(exact) => text == exact,
            Pattern::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Pattern::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Pattern::Inside(inside) => text.contains(inside.as_str()),
            Pattern::General { pattern, escape, fold } => matches(text, pattern, *escape, *fold),
        }
    }
}
