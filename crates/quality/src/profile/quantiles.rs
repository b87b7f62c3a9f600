//! A sketch of quantiles whose error is bounded, not only likely.

/// Holds weighted keys whose ranks are those of all keys, within a bound that it keeps count of.
///
/// Levels of sorted buffers (Manku, Rajagopalan and Lindsay: "Approximate medians and other quantiles in one pass and
/// with limited memory", SIGMOD 1998; Karnin, Lang and Liberty: "Optimal quantile approximation in streams", FOCS
/// 2016). A key on level `l` stands for 2^l keys. A full level is sorted and every second key moves up, beginning with
/// the first and the second key in turn instead of at random. That moves the rank of any value by at most 2^l, so the
/// sum of these is a bound, for the worst order of rows; n keys and levels of k have one of about n / k · log2(n / k).
#[derive(Debug)]
pub(super) struct Quantiles {
    size: usize,
    levels: Vec<Level>,
    moved: u64,
}

#[derive(Debug, Default)]
struct Level {
    keys: Vec<u64>,
    /// Whether the next keys to move up begin with the second one.
    skips: bool,
}

impl Quantiles {
    /// Makes a sketch whose levels hold up to `size` keys.
    pub(super) fn new(size: usize) -> Quantiles {
        Quantiles { size, levels: Vec::new(), moved: 0 }
    }

    /// Takes a key that occurs so many times.
    pub(super) fn add(&mut self, key: u64, count: u64) {
        for level in 0..u64::BITS as usize {
            if count >> level & 1 == 1 {
                self.put(level, key);
            }
        }
    }

    fn put(&mut self, level: usize, key: u64) {
        while self.levels.len() <= level {
            self.levels.push(Level::default());
        }
        self.levels[level].keys.push(key);
        let mut full = level;
        while self.levels[full].keys.len() >= self.size {
            self.compact(full);
            full += 1;
        }
    }

    /// Moves every second key of a level up.
    fn compact(&mut self, at: usize) {
        if self.levels.len() == at + 1 {
            self.levels.push(Level::default());
        }
        let level = &mut self.levels[at];
        let mut keys = std::mem::take(&mut level.keys);
        keys.sort_unstable();
        // A key without a neighbour stays.
        let alone = if keys.len() % 2 == 1 { keys.pop() } else { None };
        let begin = usize::from(level.skips);
        level.skips = !level.skips;
        self.levels[at + 1].keys.extend(keys.iter().skip(begin).step_by(2));
        keys.clear();
        keys.extend(alone);
        self.levels[at].keys = keys;
        self.moved += 1 << at;
    }

    /// Gives the bound of the error of a rank, in rows.
    pub(super) fn error(&self) -> u64 {
        self.moved
    }

    /// Gives the keys in their order with their weights, whose sum is the number of keys that were taken.
    pub(super) fn weighted(&self) -> Vec<(u64, u64)> {
        let of = |(at, level): (usize, &Level)| level.keys.iter().map(move |key| (*key, 1 << at)).collect::<Vec<_>>();
        let mut all: Vec<(u64, u64)> = self.levels.iter().enumerate().flat_map(of).collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::mix;
    use super::*;

    /// The largest error of a rank.
    fn worst(keys: &[u64], size: usize) -> (u64, u64) {
        let mut sketch = Quantiles::new(size);
        keys.iter().for_each(|key| sketch.add(*key, 1));
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        let weighted = sketch.weighted();
        assert_eq!(weighted.iter().map(|(_, weight)| weight).sum::<u64>(), keys.len() as u64);
        let mut worst = 0;
        for share in 0..500 {
            let key = sorted[share * sorted.len() / 500];
            let rank = sorted.partition_point(|other| *other <= key) as u64;
            let told: u64 = weighted.iter().filter(|(other, _)| *other <= key).map(|(_, weight)| weight).sum();
            worst = worst.max(told.abs_diff(rank));
        }
        (worst, sketch.error())
    }

    #[test]
    fn no_rank_is_off_by_more_than_the_bound() {
        let count = 200_000_u64;
        let orders: [fn(u64) -> u64; 6] = [
            |at| at,
            |at| 200_000 - at,
            mix,
            |at| mix(at) % 50,
            |at| at ^ 0xaaaa,
            |at| if at % 2 == 0 { at } else { !at },
        ];
        for order in orders {
            let keys: Vec<u64> = (0..count).map(order).collect();
            let (worst, bound) = worst(&keys, 512);
            assert!(worst <= bound, "{worst} of {bound}");
            // 200,000 keys in levels of 512: 9 levels, each of which moves one rank in 512.
            assert!(bound <= count * 9 / 512, "{bound}");
        }
    }

    #[test]
    fn counts_are_weights_without_an_error() {
        let mut sketch = Quantiles::new(512);
        [(3, 1_000_001), (1, 6), (2, 1)].iter().for_each(|(key, count)| sketch.add(*key, *count));
        let total = |key| sketch.weighted().iter().filter(|(other, _)| *other == key).map(|(_, weight)| weight).sum();
        let totals: [u64; 3] = [1, 2, 3].map(total);
        assert_eq!((totals, sketch.error()), ([6, 1, 1_000_001], 0));
    }
}
