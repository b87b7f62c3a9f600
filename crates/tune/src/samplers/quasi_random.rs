//! Points that fill the space evenly.

use trainyard_random::{Key, Stream};

use super::Sampler;
use crate::{Study, Values};

/// The bases of the dimensions: beyond them the sequence would need thousands of points to look even.
const PRIMES: [u64; 32] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131,
];
/// A share has this many binary digits.
const BITS: u32 = 53;

/// Follows a Halton sequence whose digits are permuted by chance (A. Owen: "A randomized Halton algorithm in R", 2017):
/// each point is uniform, and any run of points is more even than chance. The parameters behind the 32nd are drawn by
/// chance.
#[derive(Debug, Clone)]
pub struct QuasiRandom {
    key: Key,
    /// By dimension, then by digit, from the most significant one: what each digit becomes.
    permutations: Vec<Vec<Vec<u64>>>,
}

impl QuasiRandom {
    /// Makes the sampler of a `seed`.
    pub fn new(seed: u64) -> QuasiRandom {
        let key = Key::new(seed, "tune/quasi-random");
        let permutations = PRIMES.iter().enumerate().map(|(at, &base)| permutations(key.derive(at as u64), base));
        QuasiRandom { key, permutations: permutations.collect() }
    }

    /// Gives the share, from 0 to below 1, of a dimension at the trial `number`.
    pub(crate) fn share(&self, dimension: usize, number: u64) -> f64 {
        let Some(permutations) = self.permutations.get(dimension) else {
            return self.key.derive(dimension as u64).uniform(number);
        };
        let base = PRIMES[dimension];
        let (mut share, mut place, mut rest) = (0.0, 1.0 / base as f64, number);
        for permutation in permutations {
            share += permutation[(rest % base) as usize] as f64 * place;
            rest /= base;
            place /= base as f64;
        }
        // All digits at their greatest may round up to 1.
        if share < 1.0 { share } else { 1.0 - f64::EPSILON }
    }
}

/// Draws the permutations of as many digits as a double has room for.
fn permutations(key: Key, base: u64) -> Vec<Vec<u64>> {
    let mut stream: Stream = key.stream();
    let digits = (f64::from(BITS) / libm::log2(base as f64)) as usize + 1;
    let permutation = |_| {
        let mut permutation: Vec<u64> = (0..base).collect();
        stream.shuffle(&mut permutation);
        permutation
    };
    (0..digits).map(permutation).collect()
}

impl Sampler for QuasiRandom {
    fn suggest(&mut self, study: &Study, number: u64) -> Option<Values> {
        Some(study.space.fill(|at, parameter| parameter.distribution.at(self.share(at, number))))
    }
}
