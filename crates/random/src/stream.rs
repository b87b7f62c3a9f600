//! Successive draws of one key.

use crate::{philox, unit};

/// Gives the draws of one key one after another.
///
/// Its counters lie in another half of the counter space than those of [`crate::Key::at`], so the two never coincide.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u32; 2],
    next: u64,
    spare: Option<u64>,
}

impl Stream {
    pub(crate) fn new(key: [u32; 2]) -> Stream {
        Stream { key, next: 0, spare: None }
    }

    /// Gives the next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let [a, b, c, d] = philox::block([self.next as u32, (self.next >> 32) as u32, 1, 0], self.key);
        self.next += 1;
        self.spare = Some(u64::from(c) | u64::from(d) << 32);
        u64::from(a) | u64::from(b) << 32
    }

    /// Gives the next uniform number in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        unit(self.next_u64())
    }

    /// Gives the next unbiased number below `bound`; 0 when `bound` is 0 or 1.
    ///
    /// Multiply-shift with rejection (Lemire: "Fast random integer generation in an interval", 2019).
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Permutes `items` uniformly (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Key;

    #[test]
    fn below_is_unbiased_and_in_range() {
        let mut stream = Key::new(3, "below").stream();
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        assert_eq!((stream.below(0), stream.below(1)), (0, 0));
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_repeats_itself() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            Key::new(seed, "shuffle").stream().shuffle(&mut items);
            items
        };
        let mut sorted = shuffled(1);
        assert_eq!(sorted, shuffled(1));
        assert_ne!(sorted, shuffled(2));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }
}
