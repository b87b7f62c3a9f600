//! Metrics of predicted classes, with weights.

use trainyard_exact::{power_of_two, sum};

use super::{Predictions, Task, check};
use crate::Error;
use crate::binning::sortable;
use crate::error::{check_targets, check_weights};

/// Says what a confusion of two classes costs in Cohen's kappa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KappaWeights {
    /// Every confusion costs the same.
    Equal,
    /// A confusion costs the distance of the classes' numbers.
    Linear,
    /// A confusion costs the square of that distance.
    Quadratic,
}

/// Holds the weight of rows by true and predicted class.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedConfusion {
    classes: usize,
    /// By true class, then by predicted class; scaled by a power of two, so that products stay inside the range.
    cells: Vec<f64>,
}

impl WeightedConfusion {
    /// Adds up the rows; each weighs 1 without `weights`.
    ///
    /// `targets` and `predicted` are numbers of classes, 0 to `classes` − 1, one a row. The order of rows does not matter.
    ///
    /// # Errors
    /// No rows, lengths that differ, what is no class, weights that are negative or all zero.
    pub fn new(
        targets: &[f64],
        predicted: &[f64],
        classes: usize,
        weights: Option<&[f64]>,
    ) -> Result<WeightedConfusion, Error> {
        let operation = "confusion";
        check_targets(operation, targets, targets.len(), Some(classes))?;
        check_targets(operation, predicted, targets.len(), Some(classes))?;
        check_weights(operation, weights, targets.len())?;
        let total = weights.map_or(targets.len() as f64, |weights| sum(weights.iter().copied()));
        let scale = power_of_two(1023 - (total.to_bits() >> 52) as i32);
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]) * scale;
        let mut rows: Vec<(usize, f64)> = (targets.iter().zip(predicted).enumerate())
            .map(|(row, (target, predicted))| (*target as usize * classes + *predicted as usize, weight(row)))
            .collect();
        rows.sort_unstable_by_key(|(cell, weight)| (*cell, sortable(*weight)));
        let mut cells = vec![0.0; classes * classes];
        rows.into_iter().for_each(|(cell, weight)| cells[cell] += weight);
        Ok(WeightedConfusion { classes, cells })
    }

    /// Takes weights by true class, then by predicted class.
    pub(super) fn of_cells(classes: usize, mut cells: Vec<f64>) -> WeightedConfusion {
        let total: f64 = cells.iter().sum();
        let scale = power_of_two(1023 - (total.to_bits() >> 52) as i32);
        cells.iter_mut().for_each(|cell| *cell *= scale);
        WeightedConfusion { classes, cells }
    }

    /// Computes the share of rows that are predicted to be of their class.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes).map(|class| self.cell(class, class)).sum::<f64>() / self.total()
    }

    /// Computes, for `class`, the share of its rows among those predicted to be of it; 0 when there are none.
    ///
    /// # Panics
    /// Panics when there is no such class.
    pub fn precision(&self, class: usize) -> f64 {
        share(self.cell(class, class), self.predicted(class))
    }

    /// Computes, for `class`, the share of its rows that are predicted to be of it; 0 when there are none.
    ///
    /// # Panics
    /// Panics when there is no such class.
    pub fn recall(&self, class: usize) -> f64 {
        share(self.cell(class, class), self.truly(class))
    }

    /// Computes the likelihood ratios of two classes: recall / (1 − specificity), and (1 − recall) / specificity of the
    /// class 1.
    ///
    /// The first is infinite or NaN where no negative is predicted positive, the second where every negative is.
    pub fn likelihood_ratios(&self) -> (f64, f64) {
        let (recall, specificity) = (self.recall(1), self.specificity(1));
        (recall / (1.0 - specificity), (1.0 - recall) / specificity)
    }

    /// Gives the mean over classes of what `of` says of each, the classes counting by the weight of their rows.
    pub(super) fn mean_by_rows(&self, of: impl Fn(usize) -> f64) -> f64 {
        (0..self.classes).map(|class| self.truly(class) * of(class)).sum::<f64>() / self.total()
    }

    /// Computes the mean recall of the classes that have rows.
    pub fn balanced_accuracy(&self) -> f64 {
        let of_class = |class: usize| (self.cell(class, class), self.truly(class));
        let recalls: Vec<f64> = (0..self.classes)
            .map(of_class)
            .filter(|(_, whole)| *whole > 0.0)
            .map(|(part, whole)| part / whole)
            .collect();
        sum(recalls.iter().copied()) / recalls.len() as f64
    }

    /// Computes the correlation of truth and prediction, −1 to 1; 0 where either is of one class.
    ///
    /// Gorodkin: "Comparing two K-category assignments by a K-category correlation coefficient", 2004.
    pub fn matthews_corrcoef(&self) -> f64 {
        let total = self.total();
        let over = |of: &dyn Fn(usize) -> f64| (0..self.classes).map(of).sum::<f64>();
        let right = over(&|class| self.cell(class, class));
        let both = right * total - over(&|class| self.truly(class) * self.predicted(class));
        let truth = total * total - over(&|class| self.truly(class) * self.truly(class));
        let prediction = total * total - over(&|class| self.predicted(class) * self.predicted(class));
        if truth * prediction == 0.0 { 0.0 } else { both / (truth * prediction).sqrt() }
    }

    /// Computes 1 − the cost of confusions / its expectation for independent predictions; NaN where that is 0.
    ///
    /// Cohen: "A coefficient of agreement for nominal scales", 1960, and "Weighted kappa", 1968.
    pub fn cohen_kappa(&self, weights: KappaWeights) -> f64 {
        let (mut observed, mut expected) = (0.0, 0.0);
        for class in 0..self.classes {
            for other in 0..self.classes {
                let distance = class.abs_diff(other) as f64;
                let cost = match weights {
                    KappaWeights::Equal => f64::from(u8::from(class != other)),
                    KappaWeights::Linear => distance,
                    KappaWeights::Quadratic => distance * distance,
                };
                observed += cost * self.cell(class, other);
                expected += cost * (self.truly(class) * self.predicted(other) / self.total());
            }
        }
        if expected == 0.0 { f64::NAN } else { 1.0 - observed / expected }
    }

    /// Computes the share of rows of a wrong class; of one class a row, the Hamming loss is the same.
    pub fn zero_one_loss(&self) -> f64 {
        let wrong = |at: &usize| at / self.classes != at % self.classes;
        (0..self.cells.len()).filter(wrong).map(|at| self.cells[at]).sum::<f64>() / self.total()
    }

    /// Computes, for `class`, the rows in both truth and prediction by those in either; 0 when there are none.
    ///
    /// # Panics
    /// Panics when there is no such class.
    pub fn jaccard(&self, class: usize) -> f64 {
        let both = self.cell(class, class);
        share(both, self.truly(class) + self.predicted(class) - both)
    }

    /// Computes, for `class`, (1 + β²) · precision · recall / (β² · precision + recall); 0 when there are no such rows.
    ///
    /// van Rijsbergen: "Information retrieval", 1979, chapter 7: recall counts `beta` times as much as precision.
    ///
    /// # Errors
    /// A `beta` that is negative or not finite.
    ///
    /// # Panics
    /// Panics when there is no such class.
    pub fn fbeta(&self, class: usize, beta: f64) -> Result<f64, Error> {
        if !(beta.is_finite() && beta >= 0.0) {
            return Err(Error::Parameter { name: "beta", value: beta, allowed: "at least 0" });
        }
        let square = beta * beta;
        let both = (1.0 + square) * self.cell(class, class);
        Ok(share(both, square * self.truly(class) + self.predicted(class)))
    }

    /// Computes the share of the rows of other classes that are not predicted to be of `class`; 0 when there are none.
    ///
    /// # Panics
    /// Panics when there is no such class.
    pub fn specificity(&self, class: usize) -> f64 {
        let others = (0..self.classes).filter(|other| *other != class);
        let (wrong, all) =
            others.fold((0.0, 0.0), |(wrong, all), other| (wrong + self.cell(other, class), all + self.truly(other)));
        share(all - wrong, all)
    }

    fn cell(&self, truth: usize, predicted: usize) -> f64 {
        self.cells[truth * self.classes + predicted]
    }

    fn truly(&self, class: usize) -> f64 {
        (0..self.classes).map(|predicted| self.cell(class, predicted)).sum()
    }

    fn predicted(&self, class: usize) -> f64 {
        (0..self.classes).map(|truth| self.cell(truth, class)).sum()
    }

    fn total(&self) -> f64 {
        (0..self.classes).map(|class| self.predicted(class)).sum()
    }
}

/// Computes the share of rows whose class is among the `k` of highest score; of equal scores the last class comes first.
///
/// `scores` are finite, those of all classes, row after row; `targets` are the numbers of classes.
///
/// # Errors
/// `k` of 0, no rows, lengths that differ, targets that are no class, scores that are not finite, weights that are
/// negative or all zero.
pub fn top_k_accuracy(
    targets: &[f64],
    scores: &[f64],
    classes: usize,
    k: usize,
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    let operation = "top_k_accuracy";
    if k == 0 {
        return Err(Error::Parameter { name: "k", value: 0.0, allowed: "at least 1" });
    }
    check(operation, Task::Multiclass { classes }, targets, scores, Predictions::Finite)?;
    check_weights(operation, weights, targets.len())?;
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let is_hit = |row: &usize| {
        let (class, scores) = (targets[*row] as usize, &scores[row * classes..][..classes]);
        let is_ahead =
            |(other, score): &(usize, &f64)| **score > scores[class] || (**score == scores[class] && *other > class);
        scores.iter().enumerate().filter(is_ahead).count() < k
    };
    Ok(sum((0..targets.len()).filter(is_hit).map(weight)) / sum((0..targets.len()).map(weight)))
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
