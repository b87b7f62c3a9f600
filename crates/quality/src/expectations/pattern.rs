//! Regular expressions as Python's `re` reads them: look-around and references work, and a pattern that explodes on a
//! text ends in an error.

use fancy_regex::{Regex, RegexBuilder};

/// How many steps back one search may take, in Python's engine about a tenth of a second.
const MOST_STEPS: usize = 1_000_000;

/// Holds a pattern that texts are searched for.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Whether an end of the text is asked for, which in Python also is the place before a last newline.
    has_end: bool,
}

impl Pattern {
    /// Reads a pattern; the error says where it is wrong.
    pub(crate) fn new(pattern: &str) -> Result<Pattern, String> {
        let (translated, has_end) = translate(pattern)?;
        let regex = RegexBuilder::new(&translated).backtrack_limit(MOST_STEPS).build();
        let words = |error: fancy_regex::Error| {
            let words = error.to_string();
            // The engine names a part of itself that it had no room for.
            if words.contains("NFA") { "the pattern is too large".to_owned() } else { words }
        };
        Ok(Pattern { regex: regex.map_err(words)?, has_end })
    }

    /// Tells whether the pattern is found in `text`.
    ///
    /// # Errors
    /// A search that takes too many steps.
    pub(crate) fn is_in(&self, text: &str) -> Result<bool, String> {
        let found = |text: &str| {
            self.regex.is_match(text).map_err(|_| {
                let shown: String = text.chars().take(60).collect();
                format!("the search takes more than {MOST_STEPS} steps on {shown:?}: the pattern explodes")
            })
        };
        Ok(found(text)? || (self.has_end && text.ends_with('\n') && found(&text[..text.len() - 1])?))
    }
}

/// The letters that Python reads behind a backslash as we do, outside of brackets and within.
const ESCAPES: &str = "AbBdDsSwWafnrtvxuU";
const ESCAPES_IN_CLASS: &str = "dDsSwWafnrtvxuU";

/// Writes what Python writes otherwise: `\Z` is `\z`, `{,n}` is `{0,n}`, a `[` within brackets is a character, and so is
/// what is no letter behind a backslash. The error is an escape that Python does not have.
fn translate(pattern: &str) -> Result<(String, bool), String> {
    let mut text = String::with_capacity(pattern.len() + 8);
    let (mut in_class, mut has_end) = (false, false);
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\\' => {
                let escaped = rest.chars().next();
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
                match escaped {
                    Some('Z') if !in_class => text.push_str("\\z"),
                    Some('b') if in_class => text.push_str("\\x08"),
                    // What follows in braces would be taken for the kind of border.
                    Some('b') if rest.starts_with('{') => text.push_str("(?:\\b)"),
                    Some('N') => return Err("\\N: characters are not known by their names here".to_owned()),
                    Some(letter) if letter.is_ascii_alphabetic() => {
                        let known = if in_class { ESCAPES_IN_CLASS } else { ESCAPES };
                        if !known.contains(letter) {
                            return Err(format!("\\{letter} is no escape of Python's"));
                        }
                        text.extend(['\\', letter]);
                    }
                    Some(sign @ ('<' | '>')) => text.push(sign),
                    Some(other) if other.is_ascii() => text.extend(['\\', other]),
                    Some(other) => text.push(other),
                    None => text.push('\\'),
                }
            }
            '[' if in_class => text.push_str("\\["),
            '[' => {
                in_class = true;
                text.push('[');
                if let Some(after) = rest.strip_prefix('^') {
                    rest = after;
                    text.push('^');
                }
                if let Some(after) = rest.strip_prefix(']') {
                    rest = after;
                    text.push_str("\\]");
                }
            }
            ']' => {
                in_class = false;
                text.push(']');
            }
            // Sets of the `regex` crate that Python does not have.
            '&' | '~' | '-' if in_class && rest.starts_with(character) => {
                text.push('\\');
                text.push(character);
            }
            '{' if !in_class && rest.starts_with(',') => text.push_str("{0"),
            '$' if !in_class => {
                has_end = true;
                text.push('$');
            }
            character => text.push(character),
        }
    }
    Ok((text, has_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().is_in(text).unwrap()
    }

    #[test]
    fn patterns_mean_what_python_means_by_them() {
        assert!(is_in("(?<=a)b", "ab") && !is_in("(?<=a)b", "cb"));
        assert!(is_in("^a$", "a\n") && !is_in(r"\Aa\Z", "a\n") && !is_in("^a$", "a\n\n"));
        assert!(is_in("^a{,2}$", "aa") && !is_in("^a{,2}$", "aaa"));
        assert!(is_in("^[[a]+$", "[a[") && is_in("^[]a]+$", "]a"));
        assert!(is_in(r"^(a)\1$", "aa") && is_in("(?P<x>a)(?P=x)", "aa"));
        assert!(is_in("^\\d+$", "٣"));
        assert!(is_in(r"\<", "a<b") && !is_in(r"\<", "word") && is_in(r"\>\é\-\@\ $", ">é-@ "));
        assert!(is_in(r"[\b]", "\u{8}") && !is_in(r"[\b]", "b") && is_in(r"\bword\b", "a word"));
    }

    #[test]
    fn escapes_that_python_does_not_have_are_refused() {
        for pattern in [r"\z", r"\p{L}", r"\h", r"\K", r"\G", r"\R", r"\e", r"[\Z]", r"\N{DIGIT ONE}", r"[\A]"] {
            let error = Pattern::new(pattern).unwrap_err();
            assert!(error.contains("escape") || error.contains("names"), "{pattern}: {error}");
        }
        assert_eq!(Pattern::new("(a{1000}){1000}").unwrap_err(), "the pattern is too large");
    }

    #[test]
    fn a_pattern_that_explodes_ends_in_an_error() {
        let pattern = Pattern::new(r"^(a|a)*\1$").unwrap();
        let error = pattern.is_in(&format!("{}b", "a".repeat(40))).unwrap_err();
        assert!(error.contains("explodes"), "{error}");
    }
}
