//! Rows cut into cells.

use std::borrow::Cow;
use std::ops::Range;

use crate::ReadOptions;

/// The bytes of text in a block of rows, and how many rows it has at least.
const BLOCK: usize = 1 << 14;
const LEAST: usize = 8;

/// The bytes of a cell and what ends it, for which there is room before it is known how many cells a chunk has.
const CELL: usize = 8;

/// Where the cells of rows are in a text: for each row where its first cell begins and, one number a cell, where the
/// next one does or would.
#[derive(Debug, Default)]
pub(super) struct Places {
    places: Vec<u32>,
    /// The cells of a row.
    width: usize,
}

impl Places {
    /// Makes room for the cells of a text of some bytes.
    pub(super) fn of(bytes: usize, width: usize) -> Places {
        Places { places: Vec::with_capacity(bytes / CELL), width }
    }

    /// Adds a row by where it begins and, for each of its cells, where the next one does.
    #[inline]
    pub(super) fn push(&mut self, start: usize, next: impl Iterator<Item = usize>) {
        let first = self.places.len();
        self.places.resize(first + self.width + 1, start as u32);
        self.places[first + 1..].iter_mut().zip(next).for_each(|(place, next)| *place = next as u32);
    }

    fn rows(&self) -> usize {
        self.places.len() / (self.width + 1)
    }
}

/// Some rows below the header, cut into cells.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    text: Cow<'a, str>,
    places: Places,
    /// The bytes between two cells.
    gap: usize,
}

impl<'a> Rows<'a> {
    /// Takes the cells' texts, one directly after another.
    pub(super) fn joined(text: String, places: Places) -> Rows<'a> {
        Rows { text: Cow::Owned(text), places, gap: 0 }
    }

    /// Takes the text of a file, with a delimiter or a line end behind each cell.
    pub(super) fn delimited(text: &'a str, places: Places) -> Rows<'a> {
        Rows { text: Cow::Borrowed(text), places, gap: 1 }
    }

    pub(super) fn into_owned(self) -> Rows<'static> {
        Rows { text: Cow::Owned(self.text.into_owned()), places: self.places, gap: self.gap }
    }

    pub(super) fn len(&self) -> usize {
        self.places.rows()
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> Option<&str> {
        self.cells(row..row + 1, column).next()?
    }

    /// Gives rows that follow one another, as many at a time as stay in the nearest cache while their columns are read.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let all = self.len();
        let rows = (BLOCK * all / self.text.len().max(1)).max(LEAST);
        (0..all).step_by(rows).map(move |start| start..(start + rows).min(all))
    }

    fn cells(&self, rows: Range<usize>, column: usize) -> impl Iterator<Item = Option<&str>> {
        let (text, places, gap) = (&*self.text, self.places.places.as_slice(), self.gap);
        let next = self.places.width + 1;
        rows.map(move |row| {
            let at = row * next + column;
            let place = places.get(at..at + 2)?;
            text.get(place[0] as usize..place[1] as usize - gap)
        })
    }

    /// Gives the cells of a column in these rows, nothing for the missing ones.
    pub(super) fn column(
        &self,
        rows: Range<usize>,
        column: usize,
        options: &ReadOptions,
    ) -> impl Iterator<Item = Option<&str>> {
        self.cells(rows, column).map(|cell| cell.filter(|cell| !options.is_missing(cell)))
    }
}
