//! One line of a source, laid out in columns of a terminal.

use std::ops::Range;

use crate::width::{columns, visible};

/// The columns from one tab stop to the next.
const TAB: usize = 4;

/// Holds a line with the column at which each character begins.
#[derive(Debug)]
pub(crate) struct Line {
    /// Byte offset in the source, first column, and what is drawn.
    cells: Vec<(usize, usize, Cell)>,
    end: usize,
    width: usize,
}

#[derive(Debug, Clone, Copy)]
enum Cell {
    Character(char),
    Blanks(usize),
}

impl Line {
    /// Lays out the text that begins at byte `start` of the source; `text` holds no newline.
    pub(crate) fn new(start: usize, text: &str) -> Line {
        let text = text.strip_suffix('\r').unwrap_or(text);
        let mut cells = Vec::with_capacity(text.len());
        let mut width = 0;
        for (offset, c) in text.char_indices() {
            let cell = if c == '\t' { Cell::Blanks(TAB - width % TAB) } else { Cell::Character(visible(c)) };
            cells.push((start + offset, width, cell));
            width += match cell {
                Cell::Blanks(count) => count,
                Cell::Character(shown) => columns(shown),
            };
        }
        Line { cells, end: start + text.len(), width }
    }

    /// Gives the columns of a byte range, at least one, cut to this line; a column behind the end is allowed.
    pub(crate) fn columns_of(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.column(span.start);
        let end = self.column(span.end).max(start + 1);
        start..end
    }

    fn column(&self, offset: usize) -> usize {
        if offset >= self.end {
            return self.width;
        }
        let index = self.cells.partition_point(|(at, _, _)| *at < offset);
        self.cells.get(index).map_or(self.width, |(_, column, _)| *column)
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
        let first = self.cells.partition_point(|(_, column, _)| *column < inner.start);
        for (_, at, cell) in self.cells.iter().skip(first) {
            let wide = match cell {
                Cell::Blanks(count) => *count,
                Cell::Character(c) => columns(*c),
            };
            if at + wide > inner.end {
                break;
            }
            // A wide character cut by the window's left edge leaves a blank.
            text.extend(std::iter::repeat_n(' ', at.saturating_sub(column)));
            match cell {
                Cell::Blanks(count) => text.extend(std::iter::repeat_n(' ', *count)),
                Cell::Character(c) => text.push(*c),
            }
            column = at + wide;
        }
        if cut_right {
            text.extend(std::iter::repeat_n(' ', inner.end.saturating_sub(column)));
            text.push('…');
        }
        text
    }
}
