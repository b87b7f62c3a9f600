//! Successive halving that begins at several lengths.

use super::{Pruner, SuccessiveHalving, View};
use crate::Report;

/// Deals trials out to brackets of successive halving, each of which lets trials live longer before it first ends one,
/// as Optuna 5's `HyperbandPruner` (Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
/// Optimization", JMLR 18, 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hyperband {
    /// The least step at which a trial may end, at least 1.
    pub least: u64,
    /// The number of steps of a trial; left out, that of the longest of the first complete trials.
    pub most: Option<u64>,
    /// One trial in so many passes a rung, at least 2.
    pub factor: u64,
    /// The number of trials at a rung from which on one may pass it; before, none does.
    pub bootstrap: usize,
}

impl Default for Hyperband {
    fn default() -> Hyperband {
        Hyperband { least: 1, most: None, factor: 3, bootstrap: 0 }
    }
}

impl Hyperband {
    /// Gives the shares of the brackets, for trials of `most` steps.
    fn shares(&self, most: u64) -> Vec<u64> {
        let (least, factor) = (self.least.max(1) as f64, self.factor.max(2) as f64);
        let count = libm::floor(libm::log(most as f64 / least) / libm::log(factor)).max(0.0) as u32 + 1;
        let share = |left: u32| libm::ceil(f64::from(count) * libm::pow(factor, f64::from(left)) / f64::from(left + 1));
        (0..count).rev().map(|left| share(left) as u64).collect()
    }
}

/// Gives the bracket of a trial.
fn bracket(study: &str, number: u64, shares: &[u64]) -> usize {
    let total = shares.iter().sum::<u64>().max(1);
    let mut place = u64::from(crc32(format!("{study}_{number}").as_bytes())) % total;
    for (bracket, share) in shares.iter().enumerate() {
        if place < *share {
            return bracket;
        }
        place -= share;
    }
    0
}

/// Gives the cyclic redundancy check of zip files and PNG images (reflected polynomial 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    let mut check = u32::MAX;
    for byte in bytes {
        check ^= u32::from(*byte);
        for _ in 0..8 {
            check = (check >> 1) ^ (0xEDB8_8320 & (check & 1).wrapping_neg());
        }
    }
    !check
}

impl Pruner for Hyperband {
    fn report(&self, view: &View<'_>, rungs: &mut Vec<Report>) -> Option<String> {
        let most = match self.most {
            Some(most) => most,
            None => view.first_length()? + 1,
        };
        let shares = self.shares(most);
        let own = bracket(view.study, view.trial.number, &shares);
        let halving = SuccessiveHalving {
            resource: Some(self.least.max(1)),
            factor: self.factor,
            rate: own as u32,
            bootstrap: self.bootstrap,
        };
        let is_rival = |number| bracket(view.study, number, &shares) == own;
        let why = halving.judge(view, rungs, is_rival)?;
        Some(format!("bracket {own}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_check_has_its_published_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
