//! Isotonic regression.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::binning::sortable;

const OPERATION: &str = "isotonic calibration";

/// Scores nearer than this to the first of a tie belong to it, as in scikit-learn.
const RESOLUTION: f64 = 1e-15;

/// Holds a rising function: straight between knots, level beyond the first and the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct IsotonicCalibrator {
    /// The scores of the knots, rising; at least one.
    scores: Vec<f64>,
    /// Their probabilities, never falling.
    probabilities: Vec<f64>,
}

impl IsotonicCalibrator {
    /// Minimises the weighted squared error over all functions of the score that never fall.
    ///
    /// Pools adjacent violators (Best and Chakravarti: "Active set algorithms for isotonic regression; a unifying
    /// framework", 1990, section 3), after rows of equal score (within 1e-15) were made one with their mean target. Rows
    /// are sorted first: their order as given does not matter.
    ///
    /// `scores` are margins or probabilities, one a row; `targets` are 0 and 1; rows of weight 0 do not count.
    ///
    /// # Errors
    /// No rows, lengths that differ, scores that are not finite, targets other than 0 and 1, weights that are negative or
    /// all zero.
    pub fn fit(scores: &[f64], targets: &[f64], weights: Option<&[f64]>) -> Result<IsotonicCalibrator, Error> {
        super::check(OPERATION, scores, targets, weights)?;
        let row = |row: usize| (scores[row], targets[row], weights.map_or(1.0, |weights| weights[row]));
        let mut rows: Vec<(f64, f64, f64)> =
            (0..scores.len()).map(row).filter(|(_, _, weight)| *weight > 0.0).collect();
        rows.sort_unstable_by_key(|(score, target, weight)| (sortable(*score), *target > 0.5, sortable(*weight)));
        let mut ties: Vec<Block> = Vec::new();
        for (score, target, weight) in rows {
            match ties.last_mut() {
                Some(tie) if score - tie.first < RESOLUTION => {
                    tie.weight += weight;
                    tie.positive += weight * target;
                }
                // Adding 0 makes both zeros the one, whichever came first.
                _ => ties.push(Block { first: score + 0.0, last: score + 0.0, weight, positive: weight * target }),
            }
        }
        let mut blocks: Vec<Block> = Vec::new();
        for mut block in ties {
            while let Some(below) = blocks.pop_if(|below| below.mean() >= block.mean()) {
                block = below.pooled_with(&block);
            }
            blocks.push(block);
        }
        let mut knots = IsotonicCalibrator { scores: Vec::new(), probabilities: Vec::new() };
        for block in blocks {
            let ends = [block.first, block.last];
            for score in &ends[..if block.first == block.last { 1 } else { 2 }] {
                knots.scores.push(*score);
                knots.probabilities.push(block.mean());
            }
        }
        Ok(knots)
    }

    /// Gives the knots, from the lowest score: scores, and their probabilities.
    pub fn knots(&self) -> (&[f64], &[f64]) {
        (&self.scores, &self.probabilities)
    }

    /// Maps one finite score to a probability.
    pub fn predict_row(&self, score: f64) -> f64 {
        let last = self.scores.len() - 1;
        let above = self.scores.partition_point(|knot| *knot < score).min(last);
        let (right, high) = (self.scores[above], self.probabilities[above]);
        if above == 0 || score >= right {
            return high;
        }
        let (left, low) = (self.scores[above - 1], self.probabilities[above - 1]);
        // Halves, since the distance of two doubles need not be one.
        let share = (score / 2.0 - left / 2.0) / (right / 2.0 - left / 2.0);
        (low + (high - low) * share).min(high)
    }
}

/// Neighbouring scores of one probability.
#[derive(Debug, Clone, Copy)]
struct Block {
    first: f64,
    last: f64,
    weight: f64,
    /// The weight of the positives.
    positive: f64,
}

impl Block {
    /// Gives the mean target, at most 1 whatever the rounding.
    fn mean(&self) -> f64 {
        (self.positive / self.weight).min(1.0)
    }

    fn pooled_with(&self, above: &Block) -> Block {
        Block {
            first: self.first,
            last: above.last,
            weight: self.weight + above.weight,
            positive: self.positive + above.positive,
        }
    }
}

/// What is read from a file, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    scores: Vec<f64>,
    probabilities: Vec<f64>,
}

impl TryFrom<Stored> for IsotonicCalibrator {
    type Error = Error;

    fn try_from(Stored { scores, probabilities }: Stored) -> Result<IsotonicCalibrator, Error> {
        let rules = [
            (scores.is_empty(), "an isotonic calibration has no knots"),
            (scores.len() != probabilities.len(), "the lists of an isotonic calibration differ in length"),
            (!scores.iter().all(|score| score.is_finite()), "a knot of an isotonic calibration is not finite"),
            (!scores.is_sorted_by(|a, b| a < b), "the knots of an isotonic calibration are not in order"),
            (
                !probabilities.iter().all(|value| (0.0..=1.0).contains(value)),
                "a probability of an isotonic calibration is none",
            ),
            (!probabilities.is_sorted(), "the probabilities of an isotonic calibration fall"),
        ];
        match rules.into_iter().find(|(is_broken, _)| *is_broken) {
            Some((_, what)) => Err(Error::Damaged { what }),
            None => Ok(IsotonicCalibrator { scores, probabilities }),
        }
    }
}
