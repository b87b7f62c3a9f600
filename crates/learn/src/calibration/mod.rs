//! Calibration: scores of a classifier mapped to probabilities.
//!
//! Platt's sigmoid and isotonic regression, fitted on rows that the classifier has not seen. Of several classes each is
//! calibrated against the rest. Definitions are those of scikit-learn's `CalibratedClassifierCV`.

mod isotonic;
mod sigmoid;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::isotonic::IsotonicCalibrator;
pub use self::sigmoid::SigmoidCalibrator;

use crate::Error;
use crate::error::{check_length, check_targets, check_weights};

/// Names the way to map scores to probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// Platt's sigmoid: two parameters, right for margins that are off by scale and shift; for few rows.
    Sigmoid,
    /// Isotonic regression: any rising function; for a thousand rows and more.
    Isotonic,
}

/// Holds a fitted map from the scores of one class to its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Calibrator {
    /// Platt's sigmoid.
    Sigmoid(SigmoidCalibrator),
    /// Isotonic regression.
    Isotonic(IsotonicCalibrator),
}

impl Calibrator {
    /// Fits the map to one score a row and targets of 0 and 1.
    ///
    /// # Errors
    /// As [`SigmoidCalibrator::fit`] and [`IsotonicCalibrator::fit`].
    pub fn fit(
        method: CalibrationMethod,
        scores: &[f64],
        targets: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Calibrator, Error> {
        match method {
            CalibrationMethod::Sigmoid => SigmoidCalibrator::fit(scores, targets, weights).map(Calibrator::Sigmoid),
            CalibrationMethod::Isotonic => IsotonicCalibrator::fit(scores, targets, weights).map(Calibrator::Isotonic),
        }
    }

    /// Maps each score to a probability, 0 to 1.
    ///
    /// # Errors
    /// [`Error::Prediction`] for a score that is not finite.
    pub fn predict(&self, scores: &[f64]) -> Result<Vec<f64>, Error> {
        check_scores("calibration", scores, 1)?;
        Ok(scores.iter().map(|score| self.predict_row(*score)).collect())
    }

    /// Maps one finite score, with the bits of [`Calibrator::predict`].
    pub fn predict_row(&self, score: f64) -> f64 {
        match self {
            Calibrator::Sigmoid(calibrator) => calibrator.predict_row(score),
            Calibrator::Isotonic(calibrator) => calibrator.predict_row(score),
        }
    }
}

/// Holds one calibrator a class, each fitted against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredMulticlass")]
pub struct MulticlassCalibrator {
    calibrators: Vec<Calibrator>,
}

impl MulticlassCalibrator {
    /// Fits one map a class, to its scores and to whether rows are of it.
    ///
    /// `scores` holds the scores of all classes, row after row; `targets` are the numbers of classes, 0 to `classes` − 1.
    ///
    /// # Errors
    /// Fewer than two classes, no rows, lengths that differ, scores that are not finite, targets that are no class,
    /// weights that are negative or all zero; [`Error::Diverged`] as [`SigmoidCalibrator::fit`].
    pub fn fit(
        method: CalibrationMethod,
        scores: &[f64],
        targets: &[f64],
        classes: usize,
        weights: Option<&[f64]>,
    ) -> Result<MulticlassCalibrator, Error> {
        let operation = "calibration";
        if classes < 2 {
            return Err(Error::Parameter { name: "classes", value: classes as f64, allowed: "at least 2" });
        }
        check_length(operation, "scores", targets.len() * classes, scores.len())?;
        check_targets(operation, targets, targets.len(), Some(classes))?;
        check_scores(operation, scores, classes)?;
        let fit = |class: usize| {
            let of_class: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
            let is_class: Vec<f64> = targets.iter().map(|target| f64::from(*target == class as f64)).collect();
            Calibrator::fit(method, &of_class, &is_class, weights)
        };
        // Results are gathered before the first error is taken, so that it is the first class's on any number of threads.
        let fitted: Vec<Result<Calibrator, Error>> = (0..classes).into_par_iter().map(fit).collect();
        Ok(MulticlassCalibrator { calibrators: fitted.into_iter().collect::<Result<_, _>>()? })
    }

    /// Gives the number of classes.
    pub fn classes(&self) -> usize {
        self.calibrators.len()
    }

    /// Gives the map of each class, before the shares of a row are made to add up to 1.
    pub fn calibrators(&self) -> &[Calibrator] {
        &self.calibrators
    }

    /// Maps the scores of all classes, row after row, to probabilities in the same places, which add up to 1 a row.
    ///
    /// # Errors
    /// [`Error::Length`] for scores that are not as many a row as there are classes, [`Error::Prediction`] for one that
    /// is not finite.
    pub fn predict(&self, scores: &[f64]) -> Result<Vec<f64>, Error> {
        let classes = self.classes();
        check_length("calibration", "scores", scores.len().div_ceil(classes) * classes, scores.len())?;
        check_scores("calibration", scores, classes)?;
        let mut probabilities = scores.to_vec();
        probabilities.chunks_mut(classes).for_each(|row| self.predict_row(row));
        Ok(probabilities)
    }

    /// Replaces the finite scores of one row by probabilities, with the bits of [`MulticlassCalibrator::predict`].
    ///
    /// Each class's own probability is divided by their sum; where all are 0, the classes are equally likely.
    pub fn predict_row(&self, row: &mut [f64]) {
        for (value, calibrator) in row.iter_mut().zip(&self.calibrators) {
            *value = calibrator.predict_row(*value);
        }
        let total: f64 = row.iter().sum();
        let even = 1.0 / self.classes() as f64;
        row.iter_mut().for_each(|value| *value = if total > 0.0 { *value / total } else { even });
    }
}

/// What is read from a file, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMulticlass {
    calibrators: Vec<Calibrator>,
}

impl TryFrom<StoredMulticlass> for MulticlassCalibrator {
    type Error = Error;

    fn try_from(stored: StoredMulticlass) -> Result<MulticlassCalibrator, Error> {
        if stored.calibrators.len() < 2 {
            return Err(Error::Damaged { what: "a calibration of several classes has fewer than two" });
        }
        Ok(MulticlassCalibrator { calibrators: stored.calibrators })
    }
}

/// Refuses what no calibrator can be fitted to.
fn check(operation: &'static str, scores: &[f64], targets: &[f64], weights: Option<&[f64]>) -> Result<(), Error> {
    check_targets(operation, targets, scores.len(), Some(2))?;
    check_weights(operation, weights, scores.len())?;
    check_scores(operation, scores, 1)
}

fn check_scores(operation: &'static str, scores: &[f64], classes: usize) -> Result<(), Error> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(at) => Err(Error::Prediction { operation, row: at / classes, value: scores[at] }),
        None => Ok(()),
    }
}
