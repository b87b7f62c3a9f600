//! Regular expressions, whose patterns are literals and compile before any row is read.

use regex::{Captures, Regex, RegexBuilder};

/// The options of the `regexp_*` functions, by their letters.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    fold: bool,
    dot_all: bool,
    literal: bool,
    /// Whether `regexp_replace` replaces every match.
    pub(crate) every: bool,
}

impl Options {
    /// Reads `i`, `c`, `s`, `l` and, where `every` is allowed, `g`; gives the first letter that is none of them.
    pub(crate) fn parse(letters: &str, every: bool) -> Result<Options, char> {
        let mut options = Options::default();
        for letter in letters.chars() {
            match letter {
                'i' => options.fold = true,
                'c' => options.fold = false,
                's' => options.dot_all = true,
                'l' => options.literal = true,
                'g' if every => options.every = true,
                other => return Err(other),
            }
        }
        Ok(options)
    }

    /// Compiles a pattern; gives what its parser says where it does not compile.
    pub(crate) fn compile(self, pattern: &str, whole: bool) -> Result<Regex, String> {
        let pattern = if self.literal { regex::escape(pattern) } else { plain_classes(pattern) };
        let built = |pattern: &str| {
            RegexBuilder::new(pattern).case_insensitive(self.fold).dot_matches_new_line(self.dot_all).build()
        };
        // The pattern is compiled alone first, so that a message never speaks of what is put around it.
        let alone = built(&pattern).map_err(|error| message(&error))?;
        if whole { built(&format!(r"\A(?:{pattern})\z")).map_err(|error| message(&error)) } else { Ok(alone) }
    }
}

/// Gives the pattern with `\d`, `\s`, `\w` and `\b` meaning ASCII, as they do in RE2.
fn plain_classes(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            match character {
                '[' => in_class = true,
                ']' => in_class = false,
                _ => {}
            }
            plain.push(character);
            continue;
        }
        let Some(escaped) = characters.next() else {
            plain.push('\\');
            break;
        };
        match escaped {
            'd' => plain.push_str("[0-9]"),
            'D' => plain.push_str("[^0-9]"),
            's' => plain.push_str(r"[\t\n\f\r ]"),
            'S' => plain.push_str(r"[^\t\n\f\r ]"),
            'w' => plain.push_str("[0-9A-Za-z_]"),
            'W' => plain.push_str("[^0-9A-Za-z_]"),
            'b' if !in_class => plain.push_str(r"(?-u:\b)"),
            other => plain.extend(['\\', other]),
        }
    }
    plain
}

/// Gives the last line of a regex error, which is the reason without the drawing.
fn message(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

/// A replacement in which `\1` is a group.
#[derive(Debug, Clone)]
pub(crate) struct Replacement {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Replacement {
    /// Reads a replacement; `None` where it names a group that the pattern lacks or escapes something else.
    pub(crate) fn parse(text: &str, groups: usize) -> Option<Replacement> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                plain.push(character);
                continue;
            }
            match characters.next()? {
                '\\' => plain.push('\\'),
                digit => {
                    let group = digit.to_digit(10)? as usize;
                    if group > groups {
                        return None;
                    }
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Group(group));
                }
            }
        }
        pieces.push(Piece::Text(plain));
        Some(Replacement { pieces })
    }

    fn write(&self, captures: &Captures<'_>, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Group(group) => out.push_str(captures.get(*group).map_or("", |found| found.as_str())),
            }
        }
    }

    /// Appends a text with its first match, or every match, replaced.
    pub(crate) fn replace(&self, regex: &Regex, text: &str, every: bool, out: &mut String) {
        let mut last = 0;
        for captures in regex.captures_iter(text).take(if every { usize::MAX } else { 1 }) {
            let Some(whole) = captures.get(0) else { break };
            out.push_str(text.get(last..whole.start()).unwrap_or_default());
            self.write(&captures, out);
            last = whole.end();
        }
        out.push_str(text.get(last..).unwrap_or_default());
    }
}
