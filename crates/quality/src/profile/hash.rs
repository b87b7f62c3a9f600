//! Hashes of values: the same on every machine and in every run.

use std::hash::{BuildHasherDefault, Hasher};

/// Odd constants whose bits have no pattern: those of SplitMix64 and of MurmurHash3.
const ODD: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53];

/// The hash of a missing cell.
pub(super) const MISSING: u64 = 0x6d69_7373_696e_6721;

/// Mixes 64 bits, one to one, so that each bit depends on all (Steele, Lea and Flood: "Fast Splittable Pseudorandom
/// Number Generators", 2014; the constants are those of variant 13 by Stafford).
#[inline]
pub(super) fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(ODD[0]);
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// Adds a hash to that of what came before it.
#[inline]
pub(super) fn then(before: u64, hash: u64) -> u64 {
    (before.rotate_left(23) ^ hash).wrapping_mul(ODD[0])
}

/// Hashes a text to 128 bits, by two chains of steps that lose nothing.
pub(super) fn text(text: &str) -> u128 {
    let bytes = text.as_bytes();
    let (mut a, mut b) = (ODD[1] ^ bytes.len() as u64, ODD[2]);
    let mut take = |word: u64| {
        a = (a ^ word).wrapping_mul(ODD[1]);
        a ^= a >> 32;
        b = (b.rotate_left(29) ^ word).wrapping_mul(ODD[2]);
    };
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let mut whole = [0; 8];
        whole.copy_from_slice(word);
        take(u64::from_le_bytes(whole));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    take(u64::from_le_bytes(last));
    u128::from(mix(a)) << 64 | u128::from(mix(b ^ a))
}

/// Hashes keys that are hashes or numbers already, for maps.
#[derive(Debug, Default)]
pub(super) struct Mixed(u64);

/// Builds [`Mixed`].
pub(super) type Mixing = BuildHasherDefault<Mixed>;

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = then(self.0, u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn like_texts_have_unlike_hashes() {
        let mut texts: Vec<String> = (0..100_000).map(|at: u32| at.to_string()).collect();
        texts.extend((0..300).map(|length| "a".repeat(length)));
        texts.extend((1..300).map(|length| "\0".repeat(length)));
        texts.extend((0..64).map(|at| format!("{}b{}", "a".repeat(at), "a".repeat(63 - at))));
        let hashes: BTreeSet<u128> = texts.iter().map(|one| text(one)).collect();
        assert_eq!(hashes.len(), texts.len());
        for half in [64, 0] {
            let halves: BTreeSet<u64> = hashes.iter().map(|hash| (hash >> half) as u64).collect();
            assert_eq!(halves.len(), texts.len());
            // Each bit is set in about half of them: within six standard deviations.
            let wide = 3.0 * (texts.len() as f64).sqrt();
            for bit in 0..64 {
                let set = halves.iter().filter(|hash| *hash >> bit & 1 == 1).count() as f64;
                assert!((set - texts.len() as f64 / 2.0).abs() < wide, "bit {bit}: {set} of {}", texts.len());
            }
        }
    }

    #[test]
    fn hashes_are_frozen() {
        // What is sampled by a hash may not change with the machine or the compiler.
        assert_eq!((mix(0), mix(1)), (0xe220_a839_7b1d_cdaf, 0x910a_2dec_8902_5cc1));
    }
}
