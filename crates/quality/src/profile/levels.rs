//! Categories: their levels, and how much two columns of them have to do with one another.

use std::collections::HashMap;

use rayon::prelude::*;

use super::hash::Mixing;

/// A column of up to this many levels is held against others.
pub(super) const MOST_LEVELS: usize = 50;

/// Stands for a missing cell.
const NONE: u8 = u8::MAX;

/// Gives each level of a column a number, in the order in which they occur.
#[derive(Debug, Default)]
pub(super) struct Levels {
    known: HashMap<u64, u8, Mixing>,
    /// Those of the block.
    codes: Vec<u8>,
    is_over: bool,
}

impl Levels {
    /// Takes the cell of the next row, by its hash.
    pub(super) fn push(&mut self, cell: Option<u64>) {
        if self.is_over {
            return;
        }
        let code = match cell {
            None => NONE,
            Some(hash) => {
                let next = self.known.len();
                let code = *self.known.entry(hash).or_insert(next as u8);
                self.is_over = self.known.len() > MOST_LEVELS;
                code
            }
        };
        self.codes.push(code);
        if self.is_over {
            *self = Levels { is_over: true, ..Levels::default() };
        }
    }

    /// Begins another block.
    pub(super) fn clear(&mut self) {
        self.codes.clear();
    }
}

/// Counts the levels of every two columns.
#[derive(Debug)]
pub(super) struct Tables {
    tables: Vec<Table>,
}

/// The columns by their places among those of categories, and the counts of each two levels.
#[derive(Debug)]
struct Table {
    a: usize,
    b: usize,
    counts: Vec<u64>,
}

impl Tables {
    pub(super) fn new(columns: usize) -> Tables {
        let of = |a| (a + 1..columns).map(move |b| Table { a, b, counts: Vec::new() });
        Tables { tables: (0..columns).flat_map(of).collect() }
    }

    /// Takes the blocks of all columns, which begin at the same row.
    pub(super) fn add(&mut self, columns: &[&Levels]) {
        self.tables.par_iter_mut().for_each(|table| {
            let (Some(a), Some(b)) = (columns.get(table.a), columns.get(table.b)) else { return };
            if a.is_over || b.is_over {
                table.counts = Vec::new();
                return;
            }
            if table.counts.is_empty() {
                table.counts = vec![0; MOST_LEVELS * MOST_LEVELS];
            }
            for (a, b) in a.codes.iter().zip(&b.codes) {
                if *a != NONE && *b != NONE {
                    table.counts[usize::from(*a) * MOST_LEVELS + usize::from(*b)] += 1;
                }
            }
        });
    }

    /// Gives every pair with its rows and Cramér's V, from 0 to 1; nothing where a column has one level in the rows of
    /// both, or more than [`MOST_LEVELS`].
    pub(super) fn finish(&self, columns: &[&Levels]) -> Vec<(usize, usize, u64, Option<f64>)> {
        let is_over = |at: usize| columns.get(at).is_none_or(|levels| levels.is_over);
        let kept = self.tables.iter().filter(|table| !is_over(table.a) && !is_over(table.b));
        kept.map(|table| (table.a, table.b, table.counts.iter().sum(), cramer(&table.counts))).collect()
    }
}

/// Gives √(χ² / (n (min(rows, columns) − 1))) without a correction, as SciPy's `association`.
fn cramer(counts: &[u64]) -> Option<f64> {
    let n: u64 = counts.iter().sum();
    let rows: Vec<u64> = counts.chunks(MOST_LEVELS).map(|row| row.iter().sum()).collect();
    let columns: Vec<u64> = (0..MOST_LEVELS).map(|at| counts.iter().skip(at).step_by(MOST_LEVELS).sum()).collect();
    let there = |sums: &[u64]| sums.iter().filter(|sum| **sum > 0).count();
    let least = there(&rows).min(there(&columns));
    if least < 2 {
        return None;
    }
    let mut statistic = 0.0;
    for (row, counts) in rows.iter().zip(counts.chunks(MOST_LEVELS)) {
        for (column, count) in columns.iter().zip(counts) {
            if *row > 0 && *column > 0 {
                let expected = *row as f64 * *column as f64 / n as f64;
                let off = *count as f64 - expected;
                statistic += off * off / expected;
            }
        }
    }
    Some((statistic / (n as f64 * (least - 1) as f64)).sqrt().min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_become_too_many_are_let_go() {
        let (mut few, mut many) = (Levels::default(), Levels::default());
        for row in 0..60_u64 {
            few.push(Some(row % 3));
            many.push(Some(row));
        }
        let mut tables = Tables::new(2);
        tables.add(&[&few, &many]);
        assert!(tables.finish(&[&few, &many]).is_empty());
        tables.add(&[&few, &few]);
        let found = tables.finish(&[&few, &few]);
        assert!(found[0].2 == 60 && found[0].3.is_some_and(|v| (v - 1.0).abs() < 1e-14), "{found:?}");
    }
}
