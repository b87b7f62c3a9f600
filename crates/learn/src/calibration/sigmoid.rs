//! Platt's sigmoid.

use serde::{Deserialize, Serialize};
use trainyard_exact::{ExactSum, sum};

use crate::{Error, sigmoid};

const OPERATION: &str = "sigmoid calibration";

/// The most Newton steps; ten are many.
const STEPS: usize = 200;

/// The slope of the mean loss, for standardized scores, above which a fit has not reached its optimum.
const TOLERANCE: f64 = 1e-9;

/// Holds a fitted sigmoid: the probability is 1 / (1 + exp(−(slope · score + intercept))).
///
/// The signs are those of a logistic regression; Platt's A and B, scikit-learn's `a_` and `b_`, are their opposites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct SigmoidCalibrator {
    slope: f64,
    intercept: f64,
}

impl SigmoidCalibrator {
    /// Minimises the weighted log loss of smoothed targets over slope and intercept.
    ///
    /// Smoothed targets are (N₁ + 1) / (N₁ + 2) and 1 / (N₀ + 2) for sums of weights N₁ of positives and N₀ of negatives,
    /// so that there is an optimum even where one class is missing (Platt: "Probabilistic outputs for support vector
    /// machines", 1999, section 2.2). Newton's method with backtracking and a loss without cancellation (Lin, Lin and
    /// Weng: "A note on Platt's probabilistic outputs for support vector machines", 2007, algorithm 1), run to the
    /// limit of doubles. Scores are standardized on the way, so that their unit does not matter; where all are equal, the
    /// slope is 0. Sums are exact: the order of rows does not matter.
    ///
    /// `scores` are margins or probabilities, one a row; `targets` are 0 and 1; rows of weight 0 do not count.
    ///
    /// # Errors
    /// No rows, lengths that differ, scores that are not finite, targets other than 0 and 1, weights that are negative or
    /// all zero; [`Error::Diverged`] when a parameter leaves the range of doubles, as for scores below 1e-300.
    pub fn fit(scores: &[f64], targets: &[f64], weights: Option<&[f64]>) -> Result<SigmoidCalibrator, Error> {
        super::check(OPERATION, scores, targets, weights)?;
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let counting: Vec<usize> = (0..scores.len()).filter(|&row| weight(row) > 0.0).collect();
        let prior = |class: f64| sum(counting.iter().filter(|row| targets[**row] == class).map(|row| weight(*row)));
        let (negative, positive) = (prior(0.0), prior(1.0));
        let total = negative + positive;
        let smoothed = [1.0 / (negative + 2.0), (positive + 1.0) / (positive + 2.0)];
        // Divided by the largest first, so that squares stay inside the range of doubles.
        let largest = counting.iter().fold(0.0, |largest: f64, row| largest.max(scores[*row].abs()));
        let unit = if largest > 0.0 { largest } else { 1.0 };
        let share = |row: usize| weight(row) / total;
        let centre = sum(counting.iter().map(|&row| share(row) * (scores[row] / unit)));
        let far = |row: usize| scores[row] / unit - centre;
        let deviation = sum(counting.iter().map(|&row| share(row) * far(row) * far(row))).sqrt();
        let is_constant = counting.iter().all(|&row| scores[row] == scores[counting[0]]) || deviation == 0.0;
        let row = |&row: &usize| Row {
            score: if is_constant { 0.0 } else { far(row) / deviation },
            target: smoothed[usize::from(targets[row] > 0.5)],
            weight: share(row),
        };
        let rows: Vec<Row> = counting.iter().map(row).collect();
        let start = libm::log((positive + 1.0) / (negative + 1.0));
        let [steep, level] = minimum(&rows, start).ok_or(Error::Diverged { operation: OPERATION })?;
        let (slope, intercept) =
            if is_constant { (0.0, level) } else { (steep / deviation / unit, level - steep * (centre / deviation)) };
        if !(slope.is_finite() && intercept.is_finite()) {
            return Err(Error::Diverged { operation: OPERATION });
        }
        Ok(SigmoidCalibrator { slope, intercept })
    }

    /// Gives what one unit of score adds to the log-odds.
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// Gives the log-odds where the score is 0.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Maps one finite score to a probability.
    pub fn predict_row(&self, score: f64) -> f64 {
        sigmoid(self.slope * score + self.intercept)
    }
}

/// One row as the fit sees it.
struct Row {
    /// Standardized.
    score: f64,
    /// Smoothed, inside 0 to 1.
    target: f64,
    /// The share of all weight.
    weight: f64,
}

/// The mean loss at a point, its first and its second derivatives.
struct Value {
    loss: f64,
    gradient: [f64; 2],
    /// By slope twice, by slope and intercept, by intercept twice.
    curvature: [f64; 3],
}

impl Value {
    fn at(rows: &[Row], [slope, intercept]: [f64; 2]) -> Value {
        let mut sums: [ExactSum; 6] = std::array::from_fn(|_| ExactSum::default());
        for Row { score, target, weight } in rows {
            let margin = slope * score + intercept;
            let tail = libm::exp(-margin.abs());
            let (large, small) = (1.0 / (1.0 + tail), tail / (1.0 + tail));
            let (probability, linear) =
                if margin >= 0.0 { (large, (1.0 - target) * margin) } else { (small, -target * margin) };
            let steep = weight * (probability - target);
            let bend = weight * (large * small);
            let terms =
                [weight * (linear + libm::log1p(tail)), steep * score, steep, bend * score * score, bend * score, bend];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.add(term));
        }
        let [loss, by_slope, by_intercept, twice, mixed, level] = sums.map(ExactSum::total);
        Value { loss, gradient: [by_slope, by_intercept], curvature: [twice, mixed, level] }
    }

    fn steepness(&self) -> f64 {
        self.gradient[0].abs().max(self.gradient[1].abs())
    }

    /// Gives Newton's step; the ridge of 1e-12 keeps the curvature invertible.
    fn step(&self) -> [f64; 2] {
        let [first, second] = self.gradient;
        let [twice, mixed, level] = self.curvature;
        let (twice, level) = (twice + 1e-12, level + 1e-12);
        let determinant = twice * level - mixed * mixed;
        [(mixed * second - level * first) / determinant, (mixed * first - twice * second) / determinant]
    }
}

/// Gives the slope and intercept of least loss; `None` where it is not found.
fn minimum(rows: &[Row], start: f64) -> Option<[f64; 2]> {
    let mut point = [0.0, start];
    let mut value = Value::at(rows, point);
    for _ in 0..STEPS {
        let step = value.step();
        let descent = step[0] * value.gradient[0] + step[1] * value.gradient[1];
        let lengths =
            std::iter::successors(Some(1.0), |length| Some(length / 2.0)).take_while(|length| *length > 1e-10);
        let tried = lengths.map(|length| {
            let next = [point[0] + length * step[0], point[1] + length * step[1]];
            (length, next, Value::at(rows, next))
        });
        // At the end the loss is flat to the last bit, and only its slope says that a step is worth taking.
        let is_better = |length: f64, next: &Value| {
            next.loss < value.loss + 1e-4 * length * descent
                || (next.loss <= value.loss * (1.0 + 1e-14) && next.steepness() < 0.5 * value.steepness())
        };
        // Where the slope is only rounding, halving the step cannot help.
        let halvings = if value.steepness() <= 1e-14 { 1 } else { usize::MAX };
        match { tried }.take(halvings).find(|(length, _, next)| is_better(*length, next)) {
            Some((_, next, at)) => (point, value) = (next, at),
            None => break,
        }
    }
    (value.steepness() <= TOLERANCE).then_some(point)
}

/// What is read from a file, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    slope: f64,
    intercept: f64,
}

impl TryFrom<Stored> for SigmoidCalibrator {
    type Error = Error;

    fn try_from(Stored { slope, intercept }: Stored) -> Result<SigmoidCalibrator, Error> {
        if slope.is_finite() && intercept.is_finite() {
            Ok(SigmoidCalibrator { slope, intercept })
        } else {
            Err(Error::Damaged { what: "a number of a sigmoid calibration is not finite" })
        }
    }
}
