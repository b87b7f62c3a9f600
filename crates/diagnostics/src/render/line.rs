//! One line of a source, laid out in columns of a terminal.

use std::ops::Range;

use crate::width::{columns, visible};

/// The columns from one tab stop to the next.
const TAB: usize = 4;

/// Holds a line; where a character stands is counted when it is asked for, since a line may have gigabytes.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// The byte of the source that it begins at.
    start: usize,
    text: &'a str,
    width: usize,
}

/// What is drawn of a character.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Character(char),
    Blanks(usize),
}

impl Cell {
    fn columns(self) -> usize {
        match self {
            Cell::Blanks(count) => count,
            Cell::Character(c) => columns(c),
        }
    }
}

impl<'a> Line<'a> {
    /// Takes the text that begins at byte `start` of the source; `text` holds no newline.
    pub(crate) fn new(start: usize, text: &'a str) -> Line<'a> {
        let text = text.strip_suffix('\r').unwrap_or(text);
        let width = cells(text).last().map_or(0, |(_, column, cell)| column + cell.columns());
        Line { start, text, width }
    }

    /// Gives the columns of a byte range, at least one, cut to this line; a column behind the end is allowed.
    pub(crate) fn columns_of(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.column(span.start);
        let end = self.column(span.end).max(start + 1);
        start..end
    }

    fn column(&self, offset: usize) -> usize {
        let offset = offset.saturating_sub(self.start);
        cells(self.text).find(|(at, _, _)| *at >= offset).map_or(self.width, |(_, column, _)| column)
    }

    /// Gives the columns that the whole line takes.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Draws the columns of the window, `…` standing where the line goes on.
    pub(crate) fn draw(&self, window: &Range<usize>) -> String {
        let cut_left = window.start > 0;
        let cut_right = self.width > window.end;
        let inner = window.start + usize::from(cut_left)..window.end - usize::from(cut_right && window.end > 0);
        let mut text = String::new();
        let mut column = window.start;
        if cut_left {
            text.push('…');
            column += 1;
        }
        for (_, at, cell) in cells(self.text).skip_while(|(_, column, _)| *column < inner.start) {
            if at + cell.columns() > inner.end {
                break;
            }
            // A wide character cut by the window's left edge leaves a blank.
            text.extend(std::iter::repeat_n(' ', at.saturating_sub(column)));
            match cell {
                Cell::Blanks(count) => text.extend(std::iter::repeat_n(' ', count)),
                Cell::Character(c) => text.push(c),
            }
            column = at + cell.columns();
        }
        if cut_right {
            text.extend(std::iter::repeat_n(' ', inner.end.saturating_sub(column)));
            text.push('…');
        }
        text
    }
}

/// Gives for each character its byte in the text, its first column, and what is drawn.
fn cells(text: &str) -> impl Iterator<Item = (usize, usize, Cell)> {
    let mut width = 0;
    text.char_indices().map(move |(offset, c)| {
        let cell = if c == '\t' { Cell::Blanks(TAB - width % TAB) } else { Cell::Character(visible(c)) };
        let column = width;
        width += cell.columns();
        (offset, column, cell)
    })
}
