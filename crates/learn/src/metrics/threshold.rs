//! Thresholds chosen from scores and what happened.

use super::ranking::{Cut, cuts};
use super::{Predictions, Task, check};
use crate::Error;
use crate::error::check_weights;

/// Says by what a decision threshold is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThresholdRule {
    /// This threshold, such as 0.5.
    Fixed(f64),
    /// The threshold of highest F1.
    MaxF1,
    /// Of the thresholds whose precision is at least this, 0 to 1, that of highest recall.
    PrecisionAtLeast(f64),
    /// Of the thresholds whose recall is at least this, 0 to 1, that of highest precision.
    RecallAtLeast(f64),
}

/// A threshold and what it does on the rows that it was chosen on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Rows with a score of at least this are predicted positive.
    pub threshold: f64,
    /// The share of positives among the rows predicted positive; 0 when there are none.
    pub precision: f64,
    /// The share of positives that are predicted positive; 0 when there are none.
    pub recall: f64,
    /// The harmonic mean of precision and recall; 0 when there is neither.
    pub f1: f64,
}

/// Chooses a decision threshold; the candidates are the distinct scores.
///
/// Of candidates with the same F1, or with the same precision where recall is bounded, it takes that of higher recall;
/// of those with the same recall where precision is bounded, that of higher precision. Two candidates that agree in both
/// are one. Candidates are compared exactly, by their counts, or by the sums of their weights as rounded. `targets` are 0 and 1; `scores` are margins or
/// probabilities, one a row. With `weights` rows count by them, and those of weight 0 are no candidates. What the
/// chosen threshold shows here flatters it: measure it on other rows.
///
/// # Errors
/// No rows, lengths that differ, targets other than 0 and 1, scores that are not finite, weights that are negative or
/// all zero, a bound outside 0 to 1 or a fixed threshold that is NaN; without positives [`Error::OneClass`], except for
/// a fixed threshold; [`Error::Unreachable`] when no candidate has the precision, with the best that one has.
pub fn choose_threshold(
    targets: &[f64],
    scores: &[f64],
    weights: Option<&[f64]>,
    rule: ThresholdRule,
) -> Result<Threshold, Error> {
    let operation = "a decision threshold";
    check(operation, Task::Binary, targets, scores, Predictions::Finite)?;
    check_weights(operation, weights, targets.len())?;
    let cuts = cuts(targets, scores, weights);
    let positives = cuts.last().map_or(0.0, |cut| cut.positives);
    let nothing = Counts { threshold: f64::INFINITY, predicted: 0.0, found: 0.0, positives };
    // From the highest threshold down, so that recall rises and the last of equals has the highest.
    let mut candidates = cuts.iter().map(|cut: &Cut| Counts {
        threshold: cut.threshold,
        predicted: cut.negatives + cut.positives,
        found: cut.positives,
        positives,
    });
    match rule {
        ThresholdRule::Fixed(threshold) if threshold.is_nan() => {
            return Err(Error::Parameter { name: "threshold", value: threshold, allowed: "a number" });
        }
        ThresholdRule::Fixed(threshold) => {
            let at = candidates.by_ref().take_while(|at| at.threshold >= threshold).last().unwrap_or(nothing);
            return Ok(Counts { threshold, ..at }.measured());
        }
        ThresholdRule::MaxF1 => {}
        ThresholdRule::PrecisionAtLeast(bound) => check_share("precision_at_least", bound)?,
        ThresholdRule::RecallAtLeast(bound) => check_share("recall_at_least", bound)?,
    }
    if positives == 0.0 {
        return Err(Error::OneClass { operation, class: 0.0 });
    }
    let mut best = nothing;
    let mut highest = 0.0;
    // Only a bound on precision can be out of reach: the lowest score finds every positive.
    for at in candidates {
        highest = f64::max(highest, at.precision());
        let is_better = match rule {
            ThresholdRule::Fixed(_) => false,
            ThresholdRule::MaxF1 => at.f1_is_at_least(&best),
            ThresholdRule::PrecisionAtLeast(bound) => at.precision() >= bound && at.found > best.found,
            ThresholdRule::RecallAtLeast(bound) => at.recall() >= bound && at.precision_is_at_least(&best),
        };
        if is_better {
            best = at;
        }
    }
    match rule {
        ThresholdRule::PrecisionAtLeast(bound) if best.found == 0.0 => {
            Err(Error::Unreachable { what: "precision", bound, best: highest })
        }
        _ => Ok(best.measured()),
    }
}

fn check_share(name: &'static str, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Parameter { name, value, allowed: "from 0 to 1" }) }
}

/// What a candidate does; rows count by their weight.
#[derive(Debug, Clone, Copy)]
struct Counts {
    threshold: f64,
    /// The rows predicted positive.
    predicted: f64,
    /// The positives among them.
    found: f64,
    /// All positives.
    positives: f64,
}

impl Counts {
    fn precision(&self) -> f64 {
        share(self.found, self.predicted)
    }

    fn recall(&self) -> f64 {
        share(self.found, self.positives)
    }

    fn f1_is_at_least(&self, other: &Counts) -> bool {
        let whole = |of: &Counts| of.predicted + of.positives;
        is_at_least((self.found, whole(other)), (other.found, whole(self)))
    }

    fn precision_is_at_least(&self, other: &Counts) -> bool {
        is_at_least((self.found, other.predicted), (other.found, self.predicted))
    }

    fn measured(self) -> Threshold {
        Threshold {
            threshold: self.threshold,
            precision: self.precision(),
            recall: self.recall(),
            f1: share(2.0 * self.found, self.predicted + self.positives),
        }
    }
}

/// Compares two products as they are before rounding.
fn is_at_least(left: (f64, f64), right: (f64, f64)) -> bool {
    let (near_left, near_right) = (left.0 * left.1, right.0 * right.1);
    if near_left != near_right {
        return near_left > near_right;
    }
    libm::fma(left.0, left.1, -near_left) >= libm::fma(right.0, right.1, -near_right)
}

fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
