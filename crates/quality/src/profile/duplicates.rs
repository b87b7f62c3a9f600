//! Rows that are equal in everything.

use std::collections::HashMap;

use super::hash::Mixing;
use super::report::Duplicates;

/// Counts the different rows by their hashes; of very many only those whose hash begins with some zeros.
///
/// Distinct sampling (Gibbons: "Distinct sampling for highly-accurate answers to distinct values queries and event
/// reports", VLDB 2001). A row and those equal to it are counted together or not at all, so that a table without
/// duplicates has none in the sample.
#[derive(Debug)]
pub(super) struct Rows {
    keep: usize,
    counts: HashMap<u64, u32, Mixing>,
    /// The zeros that a hash has to begin with.
    zeros: u32,
    rows: u64,
    first: Option<u64>,
}

impl Rows {
    pub(super) fn new(keep: usize) -> Rows {
        Rows { keep, counts: HashMap::default(), zeros: 0, rows: 0, first: None }
    }

    /// Takes the hash of the next row.
    pub(super) fn add(&mut self, hash: u64) {
        self.rows += 1;
        if hash.leading_zeros() < self.zeros {
            return;
        }
        let count = self.counts.entry(hash).or_insert(0);
        *count = count.saturating_add(1);
        if *count > 1 && self.first.is_none() {
            self.first = Some(self.rows);
        }
        if self.counts.len() > self.keep {
            self.zeros += 1;
            let zeros = self.zeros;
            self.counts.retain(|hash, _| hash.leading_zeros() >= zeros);
        }
    }

    /// Gives the number of repetitions, and how exact it is.
    pub(super) fn finish(&self) -> Duplicates {
        let scale = (1_u64 << self.zeros) as f64;
        let again = |count: &u32| f64::from(*count) - 1.0;
        let repeated: f64 = self.counts.values().map(again).sum();
        // Each group of equal rows is in the sample with a chance of 1 in `scale`.
        let squares: f64 = self.counts.values().map(|count| again(count) * again(count)).sum();
        let exact = self.zeros == 0;
        let rows = ((repeated * scale) as u64).min(self.rows.saturating_sub(1));
        Duplicates {
            rows,
            share: if self.rows == 0 { 0.0 } else { rows as f64 / self.rows as f64 },
            exact,
            standard_error: (!exact).then(|| (squares * scale * (scale - 1.0)).sqrt()),
            first: self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::mix;
    use super::*;

    #[test]
    fn few_rows_are_counted_and_many_are_estimated() {
        let told = |rows: u64, different: u64, keep: usize| {
            let mut counted = Rows::new(keep);
            (0..rows).for_each(|row| counted.add(mix(row % different)));
            counted.finish()
        };
        let few = told(1000, 900, 4096);
        assert_eq!((few.rows, few.exact, few.standard_error, few.first), (100, true, None, Some(901)));
        let none = told(100_000, 100_000, 4096);
        assert_eq!((none.rows, none.exact, none.first), (0, false, None));
        let many = told(110_000, 100_000, 4096);
        let error = many.standard_error.unwrap();
        assert!(!many.exact && error < 3000.0, "{error}");
        assert!((many.rows as f64 - 10_000.0).abs() < 4.0 * error, "{} ± {error}", many.rows);
        assert_eq!(told(0, 1, 10).rows, 0);
    }
}
