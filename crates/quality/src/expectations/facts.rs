//! What several expectations need to know of one column, each found once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::OnceLock;

use arrow_array::{Array, LargeStringArray};
use foldhash::fast::RandomState;
use trainyard_exact::Spread;

use super::table::Column;
use super::value::{Cell, Class, Key};

/// The group of a missing cell.
pub(crate) const NO_GROUP: u32 = u32::MAX;

/// Holds the distinct values of a column.
#[derive(Debug)]
pub(crate) struct Groups {
    /// The group of each row; [`NO_GROUP`] where the cell is missing.
    pub(crate) of_row: Vec<u32>,
    /// The first row of each group.
    pub(crate) first: Vec<u32>,
    /// The rows of each group.
    pub(crate) counts: Vec<u64>,
}

impl Groups {
    fn new(rows: usize) -> Groups {
        Groups { of_row: vec![NO_GROUP; rows], first: Vec::new(), counts: Vec::new() }
    }

    /// Puts a row to the others of its key; a new key gets the next number.
    #[inline]
    fn add<K: Eq + Hash>(&mut self, known: &mut HashMap<K, u32, RandomState>, row: usize, key: K) {
        let group = *known.entry(key).or_insert_with(|| {
            self.first.push(row as u32);
            self.counts.push(0);
            self.first.len() as u32 - 1
        });
        self.of_row[row] = group;
        self.counts[group as usize] += 1;
    }

    /// Groups rows by their keys, numbered in the order in which they first stand.
    fn of<K: Eq + Hash>(rows: usize, keys: impl Iterator<Item = Option<K>>) -> Groups {
        let mut groups = Groups::new(rows);
        let mut known = HashMap::default();
        for (row, key) in keys.enumerate() {
            if let Some(key) = key {
                groups.add(&mut known, row, key);
            }
        }
        groups
    }

    /// Groups texts; short ones are told apart as numbers, without a look at where they lie.
    fn of_texts(texts: &LargeStringArray) -> Groups {
        let mut groups = Groups::new(texts.len());
        let (mut short, mut long) = (HashMap::default(), HashMap::default());
        for (row, text) in texts.iter().enumerate() {
            let Some(text) = text else { continue };
            match packed(text.as_bytes()) {
                Some(key) => groups.add(&mut short, row, key),
                None => groups.add(&mut long, row, text),
            }
        }
        groups
    }
}

/// Gives a number that only this text has, which has fewer than 16 bytes: its bytes, with its length above them.
#[inline]
fn packed(text: &[u8]) -> Option<u128> {
    let length = text.len();
    let (low, high) = match length {
        // The last bytes overlap the first ones, which are shifted out.
        8..16 => {
            let (first, last) = (text.first_chunk()?, text.last_chunk()?);
            let above = u64::from_le_bytes(*last).checked_shr(8 * (16 - length as u32)).unwrap_or(0);
            (u64::from_le_bytes(*first), above)
        }
        4..8 => {
            let (first, last) = (text.first_chunk()?, text.last_chunk()?);
            let above = u32::from_le_bytes(*last).checked_shr(8 * (8 - length as u32)).unwrap_or(0);
            (u64::from(u32::from_le_bytes(*first)) | u64::from(above) << 32, 0)
        }
        0..4 => (text.iter().fold(0, |packed, byte| packed << 8 | u64::from(*byte)), 0),
        _ => return None,
    };
    Some(u128::from(low) | u128::from(high | (length as u64) << 56) << 64)
}

/// Holds a column and what is known of it.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) column: &'a Column,
    missing: OnceLock<usize>,
    groups: OnceLock<Groups>,
    numbers: OnceLock<Option<Cow<'a, [f64]>>>,
    sorted: OnceLock<Vec<f64>>,
    spread: OnceLock<Option<Spread>>,
    class: OnceLock<Option<Class>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(column: &'a Column) -> Facts<'a> {
        Facts {
            column,
            missing: OnceLock::new(),
            groups: OnceLock::new(),
            numbers: OnceLock::new(),
            sorted: OnceLock::new(),
            spread: OnceLock::new(),
            class: OnceLock::new(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.column.len()
    }

    pub(crate) fn missing(&self) -> usize {
        *self.missing.get_or_init(|| match self.column {
            Column::Float(array) if array.null_count() == 0 => {
                array.values().iter().map(|value| usize::from(value.is_nan())).sum()
            }
            Column::Bool(array) => array.null_count(),
            Column::Int(array) => array.null_count(),
            Column::Text(array) => array.null_count(),
            column => (0..self.rows()).filter(|row| column.is_missing(*row)).count(),
        })
    }

    /// Gives the class that all cells have; `None` where they are of several. An empty column is of no class, too.
    pub(crate) fn class(&self) -> Option<Class> {
        *self.class.get_or_init(|| match self.column {
            Column::Bool(_) | Column::Int(_) | Column::Float(_) => Some(Class::Number),
            Column::Text(_) => Some(Class::Text),
            Column::Date(_) | Column::Moment(_) => Some(Class::Moment),
            Column::Mixed(_) => {
                let mut cells = self.cells();
                let first = cells.next().map(|(_, cell)| cell.class())?;
                cells.all(|(_, cell)| cell.class() == first).then_some(first)
            }
        })
    }

    /// Gives the cells that are not missing, with their rows.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (usize, Cell<'a>)> {
        let column = self.column;
        (0..column.len()).map(move |row| (row, column.cell(row))).filter(|(_, cell)| !cell.is_missing())
    }

    pub(crate) fn groups(&self) -> &Groups {
        self.groups.get_or_init(|| match self.column {
            Column::Text(array) => Groups::of_texts(array),
            Column::Int(array) => Groups::of(self.rows(), array.iter()),
            column => {
                let key = |row| Some(column.cell(row).key()).filter(|key| *key != Key::Missing);
                Groups::of(self.rows(), (0..self.rows()).map(key))
            }
        })
    }

    /// Gives the distinct cells in their order, each with the number of its rows.
    pub(crate) fn distinct(&self) -> Vec<(Cell<'a>, u64)> {
        let groups = self.groups();
        let mut cells: Vec<_> = groups
            .first
            .iter()
            .zip(&groups.counts)
            .map(|(row, count)| (self.column.cell(*row as usize), *count))
            .collect();
        cells.sort_by(|(left, _), (right, _)| left.order(*right));
        cells
    }

    /// Gives the cells that are not missing as numbers, in the order of the rows; `None` where one is no number.
    pub(crate) fn numbers(&self) -> Option<&[f64]> {
        let numbers = self.numbers.get_or_init(|| match self.column {
            Column::Float(array) if self.missing() == 0 => Some(Cow::Borrowed(&array.values()[..])),
            Column::Int(array) if array.null_count() == 0 => {
                Some(array.values().iter().map(|value| *value as f64).collect())
            }
            _ => self.cells().map(|(_, cell)| cell.number()).collect(),
        });
        numbers.as_deref()
    }

    /// Gives the numbers in ascending order.
    pub(crate) fn sorted(&self) -> Option<&[f64]> {
        let numbers = self.numbers()?;
        Some(self.sorted.get_or_init(|| {
            let mut sorted = numbers.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted
        }))
    }

    pub(crate) fn sum(&self) -> Option<f64> {
        Some(trainyard_exact::sum(self.numbers()?.iter().copied()))
    }

    /// Gives mean and sample deviation; the deviation needs two numbers.
    pub(crate) fn spread(&self) -> Option<(Option<f64>, Option<f64>)> {
        let numbers = self.numbers()?;
        let spread = self.spread.get_or_init(|| Spread::of(numbers));
        let deviation = spread.and_then(|spread| spread.sample_variance()).map(f64::sqrt);
        Some((spread.map(|spread| spread.mean), deviation))
    }

    /// Gives the least and the greatest cell; the error is two classes that can't be compared.
    pub(crate) fn extremes(&self) -> Result<Option<(Cell<'a>, Cell<'a>)>, (Class, Class)> {
        let mut found: Option<(Cell<'a>, Cell<'a>)> = None;
        for (_, cell) in self.cells() {
            let (least, greatest) = found.unwrap_or((cell, cell));
            let unlike = || (least.class(), cell.class());
            let below = cell.compare(least).ok_or_else(unlike)?.is_lt();
            let above = cell.compare(greatest).ok_or_else(unlike)?.is_gt();
            found = Some((if below { cell } else { least }, if above { cell } else { greatest }));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn short_texts_are_told_apart_by_their_numbers() {
        let letters = [0_u8, 1, b'a', 0xff];
        let mut texts: BTreeSet<Vec<u8>> = BTreeSet::from([Vec::new()]);
        // All that differ in two places, whatever their length.
        for length in 1..16 {
            for (one, other) in (0..length).flat_map(|one| (0..length).map(move |other| (one, other))) {
                for (a, b) in letters.iter().flat_map(|a| letters.iter().map(move |b| (*a, *b))) {
                    let mut text = vec![b'a'; length];
                    (text[one], text[other]) = (a, b);
                    texts.insert(text);
                }
            }
        }
        let numbers: BTreeSet<u128> = texts.iter().map(|text| packed(text).unwrap()).collect();
        assert_eq!(numbers.len(), texts.len());
        assert_eq!(packed(&[b'a'; 16]), None);
    }

    #[test]
    fn groups_are_numbered_as_they_come() {
        let long = "a text of more than sixteen bytes";
        let texts = [Some("b"), None, Some(long), Some(""), Some("b"), Some(long), Some("b\0")];
        let groups = Groups::of_texts(&LargeStringArray::from(texts.to_vec()));
        assert_eq!(groups.of_row, [0, NO_GROUP, 1, 2, 0, 1, 3]);
        assert_eq!((groups.first, groups.counts), (vec![0, 2, 3, 6], vec![2, 2, 1, 1]));
    }
}
