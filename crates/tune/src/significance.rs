//! Whether a tuned model is better than a baseline, beyond what the folds say by chance.

use crate::Direction;
use crate::student::{above, exceeded};

/// What a paired test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// By how much the tuned model is better on average; below 0 where it is worse.
    pub gain: f64,
    /// The standard error of the gain.
    pub error: f64,
    /// The statistic.
    pub t: f64,
    /// The degrees of freedom.
    pub freedom: u64,
    /// The probability of such a gain or a greater one if there were none.
    pub p: f64,
    /// What the gain is not below, with a confidence of 95 %.
    pub lower: f64,
}

/// Tests whether `tuned` is better than `baseline`, fold by fold, by the corrected resampled t test.
///
/// The folds train on rows that they share, so that their values are not independent, and the plain test finds what is
/// not there. Nadeau and Bengio ("Inference for the Generalization Error", Machine Learning 52, 2003, section 4) take
/// `(1/n + test/train) × s²` for the variance of the mean of `n` differences; `ratio` is `test/train`, the rows of a
/// fold's test part over those of its training part, which is `1 / (k − 1)` for `k` folds. A `ratio` of 0 is the plain
/// paired t test.
///
/// None where there are fewer than two folds, another number of folds on either side, or a value that is not finite.
pub fn paired(direction: Direction, tuned: &[f64], baseline: &[f64], ratio: f64) -> Option<Paired> {
    let count = tuned.len();
    let is_finite = tuned.iter().chain(baseline).all(|value| value.is_finite());
    if count < 2 || baseline.len() != count || !is_finite {
        return None;
    }
    let gains: Vec<f64> = tuned.iter().zip(baseline).map(|(tuned, base)| direction.loss(*base - *tuned)).collect();
    let gain = gains.iter().sum::<f64>() / count as f64;
    let squares = gains.iter().map(|value| (value - gain) * (value - gain)).sum::<f64>();
    let error = libm::sqrt(squares / (count - 1) as f64 * (1.0 / count as f64 + ratio));
    let freedom = (count - 1) as u64;
    let t = if gain == 0.0 { 0.0 } else { gain / error };
    let p = above(t, freedom as f64);
    let lower = gain - exceeded(0.05, freedom as f64) * error;
    Some(Paired { gain, error, t, freedom, p, lower })
}
