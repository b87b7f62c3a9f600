//! Texts and places in them.

use std::ops::Range;
use std::sync::Arc;

/// Holds a text that messages point into, under the name that the user knows it by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// The name as shown, such as a path relative to the project.
    pub name: String,
    /// The text.
    pub text: String,
    /// The number of the text's first line: 1 for a whole file.
    pub first_line: usize,
}

impl Source {
    /// Makes a source of a whole file.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into(), first_line: 1 })
    }

    /// Gives the position of a byte offset; an offset outside the text or inside a character is moved back into it.
    pub fn position(&self, offset: usize) -> Position {
        let offset = floor(&self.text, offset);
        let before = &self.text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let lines = before.bytes().filter(|byte| *byte == b'\n').count();
        Position { line: self.first_line + lines, column: before[start..].chars().count() + 1 }
    }
}

/// Names a position as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from the source's first line number.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Points at a range of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The text.
    pub source: Arc<Source>,
    /// The range in bytes, inside the text.
    pub span: Range<usize>,
}

impl Place {
    /// Makes a place, moving a range that lies outside the text or cuts a character to the nearest one that does not.
    pub fn new(source: Arc<Source>, span: Range<usize>) -> Place {
        let span = clamp(&source.text, span);
        Place { source, span }
    }

    /// Gives the position of the first character.
    pub fn start(&self) -> Position {
        self.source.position(self.shown().start)
    }

    /// Gives the position behind the last character.
    pub fn end(&self) -> Position {
        self.source.position(self.shown().end)
    }

    /// Gives the text of the range.
    pub fn text(&self) -> &str {
        &self.source.text[clamp(&self.source.text, self.span.clone())]
    }

    /// Gives the range as it is drawn: inside the text, without blanks at its end, and never on the empty line behind
    /// the last newline, where a reader would find nothing.
    pub(crate) fn shown(&self) -> Range<usize> {
        let text = &self.source.text;
        let span = clamp(text, self.span.clone());
        let inner = text[span.clone()].trim_end();
        if !inner.is_empty() {
            return span.start..span.start + inner.len();
        }
        if text[span.start..].trim_end().is_empty() {
            let end = text[..span.start].trim_end().len();
            if text[end..span.start].contains('\n') {
                return end..end;
            }
        }
        match text[span.clone()].find('\n') {
            Some(newline) => span.start..span.start + newline,
            None => span,
        }
    }
}

/// Moves a range into a text and onto boundaries of characters.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let start = floor(text, span.start);
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
