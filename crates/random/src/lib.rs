//! Counter-based randomness, keyed by seed, purpose and index.
//!
//! A draw is a pure function of `(seed, purpose, index)`: no state is shared, so the order in which threads ask can
//! never change what they get. The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers:
//! as easy as 1, 2, 3", SC 2011), checked against its published known answers.
//!
//! Never: a clock, a global generator, an unkeyed draw.

mod philox;
mod stream;

pub use stream::Stream;

/// Names one family of draws.
///
/// Two keys made from different seeds, purposes or derivations give unrelated draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    words: [u32; 2],
    hash: [u8; 32],
}

impl Key {
    /// Makes the key of a `seed` used for one `purpose`, such as `"split/reference"`.
    pub fn new(seed: u64, purpose: &str) -> Key {
        let mut hasher = blake3::Hasher::new_derive_key("trainyard 2026 randomness key");
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Key::from_hash(*hasher.finalize().as_bytes())
    }

    /// Derives the key of one member of this family, for instance of tree `index`.
    pub fn derive(&self, index: u64) -> Key {
        let mut hasher = blake3::Hasher::new_keyed(&self.hash);
        hasher.update(b"derive");
        hasher.update(&index.to_le_bytes());
        Key::from_hash(*hasher.finalize().as_bytes())
    }

    /// Gives 128 random bits for `index`, in four words; the first two are those of [`Key::at`].
    #[inline]
    pub fn words(&self, index: u64) -> [u32; 4] {
        philox::block([index as u32, (index >> 32) as u32, 0, 0], self.words)
    }

    /// Gives the words of several indices from `first` on: what [`Key::words`] gives of each, side by side.
    #[inline(always)]
    pub fn many_words<const LANES: usize>(&self, first: u64) -> [[u32; 4]; LANES] {
        let index = |lane: usize| first.wrapping_add(lane as u64);
        let low = std::array::from_fn(|lane| index(lane) & u64::from(u32::MAX));
        let high = std::array::from_fn(|lane| index(lane) >> 32);
        let words = philox::blocks([low, high, [0; LANES], [0; LANES]], self.words);
        std::array::from_fn(|lane| words.each_ref().map(|word| word[lane] as u32))
    }

    /// Gives 64 random bits for `index`.
    #[inline]
    pub fn at(&self, index: u64) -> u64 {
        let [low, high, ..] = self.words(index);
        u64::from(low) | u64::from(high) << 32
    }

    /// Gives a uniform number in `[0, 1)` for `index`, with 53 random bits.
    #[inline]
    pub fn uniform(&self, index: u64) -> f64 {
        unit(self.at(index))
    }

    /// Hashes `data` under this key to 64 bits (keyed BLAKE3, its first eight bytes, little-endian).
    pub fn bytes(&self, data: &[u8]) -> u64 {
        let hash = blake3::keyed_hash(&self.hash, data);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    /// Opens the stream of successive draws of this key; a stream always starts at its first draw.
    pub fn stream(&self) -> Stream {
        Stream::new(self.words)
    }

    fn from_hash(hash: [u8; 32]) -> Key {
        let word = |at: usize| u32::from_le_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]);
        Key { words: [word(0), word(4)], hash }
    }
}

/// Maps 64 random bits to a number in `[0, 1)`, using the upper 53.
#[inline]
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_purpose_and_index_alone() {
        let key = Key::new(42, "test");
        assert_eq!(key.at(7), Key::new(42, "test").at(7));
        assert_ne!(key.at(7), key.at(8));
        assert_ne!(key.at(7), Key::new(43, "test").at(7));
        assert_ne!(key.at(7), Key::new(42, "other").at(7));
        assert_ne!(key.derive(0).at(7), key.derive(1).at(7));
        assert_ne!(key.bytes(b"a"), key.bytes(b"b"));
        let [low, high, ..] = key.words(7);
        assert_eq!(key.at(7), u64::from(low) | u64::from(high) << 32);
    }

    #[test]
    fn many_words_are_those_of_each_index() {
        let key = Key::new(42, "test");
        for first in [0, 7, u64::from(u32::MAX) - 3, u64::MAX - 2] {
            let each = std::array::from_fn(|lane| key.words(first.wrapping_add(lane as u64)));
            assert_eq!(key.many_words::<8>(first), each, "from {first} on");
        }
    }

    #[test]
    fn the_values_are_frozen() {
        // These values are part of the promise "same versions, same bytes": a change here is a new format.
        let key = Key::new(42, "frozen");
        assert_eq!(
            [key.at(0), key.at(1), key.derive(3).at(0), key.bytes(b"row")],
            [FROZEN[0], FROZEN[1], FROZEN[2], FROZEN[3]]
        );
    }

    const FROZEN: [u64; 4] = [6278347444007005013, 2685406154432837609, 13586518921576671645, 11203830385124565466];

    #[test]
    fn uniform_draws_have_the_right_moments() {
        let key = Key::new(1, "moments");
        let draws: Vec<f64> = (0..100_000).map(|index| key.uniform(index)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.004, "{mean}");
        assert!((variance - 1.0 / 12.0).abs() < 0.002, "{variance}");
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
    }
}
