//! A sketch of how many values differ.

use std::f64::consts::LN_2;

/// Estimates a number of different hashes from the longest runs of zeros in them.
///
/// HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, 2007) with hashes of 64 bits and the estimator of Ertl ("New
/// cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6), which has no bias at any size. The
/// standard error is 1.04 / √m for m registers.
#[derive(Debug)]
pub(super) struct Distinct {
    bits: u32,
    registers: Vec<u8>,
}

impl Distinct {
    /// Makes a sketch of 2^`bits` registers, from 4 to 18 bits.
    pub(super) fn new(bits: u32) -> Distinct {
        Distinct { bits, registers: vec![0; 1 << bits] }
    }

    /// Takes a hash.
    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        let place = (hash >> (64 - self.bits)) as usize;
        // A bit behind the hash ends the longest run.
        let rest = hash << self.bits | 1 << (self.bits - 1);
        let run = rest.leading_zeros() as u8 + 1;
        if let Some(longest) = self.registers.get_mut(place) {
            *longest = run.max(*longest);
        }
    }

    /// Gives the standard error, as a share of the number.
    pub(super) fn standard_error(&self) -> f64 {
        1.04 / (self.registers.len() as f64).sqrt()
    }

    /// Estimates the number.
    pub(super) fn estimate(&self) -> u64 {
        let longest = (64 - self.bits) as usize;
        let mut runs = vec![0_u32; longest + 2];
        self.registers.iter().for_each(|run| runs[usize::from(*run)] += 1);
        let registers = self.registers.len() as f64;
        let mut sum = registers * tau(1.0 - f64::from(runs[longest + 1]) / registers);
        for run in (1..=longest).rev() {
            sum = 0.5 * (sum + f64::from(runs[run]));
        }
        sum += registers * sigma(f64::from(runs[0]) / registers);
        (registers * registers / (2.0 * LN_2 * sum)).round() as u64
    }
}

/// Gives x + Σ x^(2^k) 2^(k−1), for x from 0 to 1.
fn sigma(x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut weight, mut sum) = (x, 1.0, x);
    loop {
        x *= x;
        let next = sum + x * weight;
        if next == sum {
            return sum;
        }
        sum = next;
        weight += weight;
    }
}

/// Gives (1 − x − Σ (1 − x^(2^−k))² 2^−k) / 3, for x from 0 to 1.
fn tau(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut x, mut weight, mut sum) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        weight *= 0.5;
        let next = sum - (1.0 - x) * (1.0 - x) * weight;
        if next == sum {
            return sum / 3.0;
        }
        sum = next;
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::mix;
    use super::*;

    #[test]
    fn estimates_are_within_three_standard_errors() {
        for (bits, counts) in [(9, [1, 100, 5_000, 400_000]), (14, [10, 3_000, 40_000, 3_000_000])] {
            for count in counts {
                let mut sketch = Distinct::new(bits);
                // Each twice: what comes again changes nothing.
                (0..2 * count).for_each(|at| sketch.add(mix(at % count)));
                let off = (sketch.estimate() as f64 / count as f64 - 1.0).abs();
                assert!(off <= 3.0 * sketch.standard_error(), "{bits} bits, {count}: {}", sketch.estimate());
            }
        }
        assert_eq!(Distinct::new(14).estimate(), 0);
        assert!((Distinct::new(14).standard_error() - 0.008125).abs() < 1e-12);
    }
}
