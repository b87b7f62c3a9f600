//! Values counted one by one, as long as they are few.

/// Holds the different keys of a column in their order, with their counts.
#[derive(Debug)]
pub(super) struct Counted {
    limit: usize,
    /// Keys that are not yet counted.
    fresh: Vec<u64>,
    runs: Vec<(u64, u64)>,
}

impl Counted {
    pub(super) fn new(limit: usize) -> Counted {
        Counted { limit, fresh: Vec::new(), runs: Vec::new() }
    }

    /// Takes a key; says whether there may now be more than the limit of different ones, which [`Counted::is_over`]
    /// finds out.
    pub(super) fn add(&mut self, key: u64) -> bool {
        self.fresh.push(key);
        self.fresh.len() >= (self.limit / 4).clamp(64, 1 << 15)
    }

    /// Says whether there are more different keys than the limit.
    pub(super) fn is_over(&mut self) -> bool {
        self.settle();
        self.runs.len() > self.limit
    }

    /// Gives the different keys in their order with their counts.
    pub(super) fn finish(mut self) -> Vec<(u64, u64)> {
        self.settle();
        self.runs
    }

    /// Counts the fresh keys.
    fn settle(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        self.fresh.sort_unstable();
        let fresh = self.fresh.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64));
        let mut merged = Vec::with_capacity(self.runs.len());
        let mut known = self.runs.iter().copied().peekable();
        for (key, count) in fresh {
            while let Some(run) = known.next_if(|(other, _)| *other < key) {
                merged.push(run);
            }
            let before = known.next_if(|(other, _)| *other == key).map_or(0, |(_, count)| count);
            merged.push((key, before + count));
        }
        merged.extend(known);
        self.runs = merged;
        self.fresh.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_in_their_order() {
        let mut counted = Counted::new(100);
        for at in 0..10_000_u64 {
            if counted.add(at * 7919 % 100) {
                assert!(!counted.is_over());
            }
        }
        assert_eq!(counted.finish(), (0..100).map(|key| (key, 100)).collect::<Vec<_>>());
        let mut counted = Counted::new(100);
        (0..101).for_each(|key| {
            counted.add(key);
        });
        assert!(counted.is_over());
    }
}
