//! Which bytes of a YAML scalar a part of its value was written in.

use std::ops::Range;

/// Gives the range of `raw`, a scalar as written, that gave the byte range of `value`, or nothing where they do not match.
pub(crate) fn scalar_range(raw: &str, value: &str, range: Range<usize>) -> Option<Range<usize>> {
    let starts = map(raw, value)?;
    let start = *starts.get(range.start)?;
    let end = match range.end.checked_sub(1).filter(|last| *last >= range.start) {
        Some(last) => {
            // Behind the last character of the range, which may be written in several.
            let next = starts.get(last + 1).copied()?;
            let text = raw.get(start..next)?;
            if value.get(last..last + 1).is_some_and(|c| c.trim().is_empty()) {
                next
            } else {
                start + text.trim_end().len()
            }
        }
        None => start,
    };
    Some(start..end)
}

/// Gives, for each byte of the value and for its end, the byte of the raw text at which it is written.
fn map(raw: &str, value: &str) -> Option<Vec<usize>> {
    let mut walk = Walk { raw, at: 0, starts: Vec::with_capacity(value.len() + 1) };
    match raw.chars().next() {
        Some('"') => {
            walk.at = 1;
            walk.flow(value, Walk::double)?;
        }
        Some('\'') => {
            walk.at = 1;
            walk.flow(value, Walk::single)?;
        }
        Some('|' | '>') => walk.block(value)?,
        _ => walk.flow(value, Walk::plain)?,
    }
    walk.starts.push(walk.at);
    Some(walk.starts)
}

struct Walk<'a> {
    raw: &'a str,
    at: usize,
    starts: Vec<usize>,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, value: char, from: usize, to: usize) {
        self.starts.extend(std::iter::repeat_n(from, value.len_utf8()));
        self.at = to;
    }

    /// Walks a scalar whose lines fold: blanks around one newline are a blank, every newline more is one.
    fn flow(&mut self, value: &str, mut step: impl FnMut(&mut Self, char) -> Option<()>) -> Option<()> {
        let mut values = value.chars().peekable();
        while let Some(c) = values.next() {
            let blanks = self.rest().len() - self.rest().trim_start().len();
            let newlines = self.rest().get(..blanks)?.matches('\n').count();
            if newlines > 0 && c.is_whitespace() {
                let (from, to) = (self.at, self.at + blanks);
                self.take(c, from, to);
                let mut more = newlines.saturating_sub(2);
                while more > 0 && values.peek() == Some(&'\n') {
                    values.next();
                    self.take('\n', from, to);
                    more -= 1;
                }
            } else {
                step(self, c)?;
            }
        }
        Some(())
    }

    fn plain(&mut self, value: char) -> Option<()> {
        let from = self.at;
        let to = from + self.rest().chars().next().filter(|raw| *raw == value)?.len_utf8();
        self.take(value, from, to);
        Some(())
    }

    fn single(&mut self, value: char) -> Option<()> {
        let from = self.at;
        if value == '\'' {
            self.rest().starts_with("''").then(|| self.take(value, from, from + 2))
        } else {
            self.plain(value)
        }
    }

    fn double(&mut self, value: char) -> Option<()> {
        // A backslash at the end of a line joins it to the next one.
        while let Some(after) = self.rest().strip_prefix("\\\n").or_else(|| self.rest().strip_prefix("\\\r\n")) {
            self.at = self.raw.len() - after.trim_start().len();
        }
        let Some(escape) = self.rest().strip_prefix('\\') else { return self.plain(value) };
        let length = match escape.chars().next()? {
            'x' => 4,
            'u' => 6,
            'U' => 10,
            c => 1 + c.len_utf8(),
        };
        let (from, to) = (self.at, self.at + length);
        self.take(value, from, to);
        Some(())
    }

    /// Walks a block scalar: a header line, then lines without their common indentation.
    fn block(&mut self, value: &str) -> Option<()> {
        self.at = self.raw.find('\n')? + 1;
        let first = self.rest().lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let indent = first.len() - first.trim_start_matches(' ').len();
        let mut line_start = true;
        let mut values = value.chars().peekable();
        while let Some(c) = values.next() {
            if line_start {
                let blanks = self.rest().len() - self.rest().trim_start_matches(' ').len();
                self.at += blanks.min(indent);
                line_start = false;
            }
            let blanks = self.rest().len() - self.rest().trim_start().len();
            let newlines = self.rest().get(..blanks)?.matches('\n').count();
            if c.is_whitespace() && newlines > 0 && (self.rest().starts_with(['\n', '\r']) || c == '\n') {
                let from = self.at;
                let behind = self.raw.get(from..from + blanks)?.rfind('\n')? + from + 1;
                self.take(c, from, behind);
                let mut more = newlines - 1;
                while c == '\n' && more > 0 && values.peek() == Some(&'\n') {
                    values.next();
                    self.take('\n', from, behind);
                    more -= 1;
                }
                line_start = true;
            } else if c == '\n' && self.rest().is_empty() {
                self.take(c, self.at, self.at);
            } else {
                self.plain(c)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::scalar_range;

    #[track_caller]
    fn check(raw: &str, value: &str, part: &str, written: &str) {
        let start = value.find(part).unwrap();
        let range = scalar_range(raw, value, start..start + part.len()).unwrap();
        assert_eq!(&raw[range], written);
    }

    #[test]
    fn parts_are_found_in_every_style() {
        check("tenure * Charges", "tenure * Charges", "Charges", "Charges");
        check("\"a \\\"b\\\" c\"", "a \"b\" c", "\"b\"", "\\\"b\\\"");
        check("'Contract = ''x'' AND y'", "Contract = 'x' AND y", "'x'", "''x''");
        check("'Contract = ''x'' AND y'", "Contract = 'x' AND y", "y", "y");
        check("a +\n    b", "a + b", "b", "b");
        check("a\n\n  b", "a\nb", "b", "b");
        check("|\n  a +\n    bé\n  c\n", "a +\n  bé\nc\n", "bé", "bé");
        check(">-\n  a +\n  bé\n  c\n", "a + bé c", "c", "c");
        check("\"\\u00e9x\"", "éx", "x", "x");
        check("\"é\"", "é", "é", "é");
    }

    #[test]
    fn what_does_not_match_is_refused() {
        assert_eq!(scalar_range("abc", "abd", 0..3), None);
        assert_eq!(scalar_range("", "abd", 0..3), None);
        assert_eq!(scalar_range("abc", "abc", 1..9), None);
    }
}
