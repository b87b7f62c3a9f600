//! A sketch of the most frequent values.

use std::collections::HashMap;
use std::hash::Hash;

use super::hash::Mixing;

/// Counts values, of which it forgets the rare ones.
///
/// The algorithm of Misra and Gries ("Finding repeated elements", 1982) in batches (Anderson and others: "A
/// High-Performance Algorithm for Identifying Frequent Items in Data Streams", IMC 2017): whenever twice as many values
/// are counted as are kept, the count of the first one not to keep is taken from all. A count is never too high, and
/// too low by at most the sum of what was taken, which is at most one in `keep` of all.
#[derive(Debug)]
pub(super) struct Frequent<K, L> {
    keep: usize,
    counts: HashMap<K, (u64, L), Mixing>,
    taken: u64,
}

impl<K: Hash + Eq + Ord + Copy, L> Frequent<K, L> {
    pub(super) fn new(keep: usize) -> Frequent<K, L> {
        Frequent { keep, counts: HashMap::default(), taken: 0 }
    }

    /// Takes a value that occurs so many times; `label` is what it is told by.
    pub(super) fn add(&mut self, key: K, count: u64, label: impl FnOnce() -> L) {
        self.counts.entry(key).or_insert_with(|| (0, label())).0 += count;
        if self.counts.len() >= 2 * self.keep {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().map(|(count, _)| *count).collect();
        let (_, &mut least, _) = counts.select_nth_unstable_by(self.keep, |a, b| b.cmp(a));
        self.counts.retain(|_, (count, _)| {
            *count = count.saturating_sub(least);
            *count > 0
        });
        self.taken += least;
    }

    /// Gives how much too low a count may be.
    pub(super) fn error(&self) -> u64 {
        self.taken
    }

    /// Gives the values whose count is above the error, so that none which is left out is more frequent: by their
    /// counts, equal ones by their keys.
    pub(super) fn finish(self) -> Vec<(K, u64, L)> {
        let all = self.counts.into_iter().filter(|(_, (count, _))| *count > self.taken);
        let mut all: Vec<(K, u64, L)> = all.map(|(key, (count, label))| (key, count, label)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::mix;
    use super::*;

    #[test]
    fn no_frequent_value_is_lost_and_no_count_is_off_by_more_than_the_error() {
        let rows = 300_000_u64;
        // A tenth of all rows hold 0, a twentieth 1; the others differ.
        let key = |row: u64| match mix(row) % 20 {
            0 | 1 => 0,
            2 => 1,
            _ => row + 10,
        };
        let mut sketch: Frequent<u64, ()> = Frequent::new(64);
        (0..rows).for_each(|row| sketch.add(key(row), 1, || ()));
        let error = sketch.error();
        assert!(error > 0 && error <= rows / 64, "{error}");
        let found = sketch.finish();
        let keys: Vec<u64> = found.iter().map(|(key, ..)| *key).collect();
        assert_eq!(keys, [0, 1]);
        for (key_found, count, ()) in found {
            let real = (0..rows).filter(|row| key(*row) == key_found).count() as u64;
            assert!(count <= real && real <= count + error, "{key_found}: {count} of {real}");
        }
    }

    #[test]
    fn few_values_are_counted_exactly() {
        let mut sketch: Frequent<u64, u64> = Frequent::new(64);
        (0..1000).for_each(|row| sketch.add(row % 10, 1, || row));
        assert_eq!(sketch.error(), 0);
        assert_eq!(sketch.finish(), (0..10).map(|key| (key, 100, key)).collect::<Vec<_>>());
    }
}
