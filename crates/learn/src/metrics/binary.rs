//! Metrics of a binary target.

use trainyard_exact::sum;

use super::ranking::{self, Ranking};
use super::{Predictions, Task, check};
use crate::Error;

/// Counts rows by truth (outer) and prediction (inner), class 0 first.
///
/// # Errors
/// No rows, lengths that differ, targets other than 0 and 1, predictions that are not finite.
pub fn confusion(targets: &[f64], predictions: &[f64], threshold: f64) -> Result<[[u64; 2]; 2], Error> {
    check("confusion", Task::Binary, targets, predictions, Predictions::Finite)?;
    let mut counts = [[0; 2]; 2];
    for (&target, &prediction) in targets.iter().zip(predictions) {
        counts[usize::from(target > 0.5)][usize::from(prediction >= threshold)] += 1;
    }
    Ok(counts)
}

/// Computes the share of rows on their side of the threshold.
///
/// # Errors
/// As [`confusion`].
pub fn accuracy(targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
    confusion(targets, predictions, threshold).map(accuracy_of)
}

/// Computes the share of positives among the rows predicted positive; 0 when there are none.
///
/// # Errors
/// As [`confusion`].
pub fn precision(targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
    confusion(targets, predictions, threshold).map(precision_of)
}

/// Computes the share of positives that are predicted positive; 0 when there are none.
///
/// # Errors
/// As [`confusion`].
pub fn recall(targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
    confusion(targets, predictions, threshold).map(recall_of)
}

/// Computes the harmonic mean of precision and recall; 0 when there is neither.
///
/// # Errors
/// As [`confusion`].
pub fn f1(targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
    confusion(targets, predictions, threshold).map(f1_of)
}

/// Computes the area under the ROC curve, ties counted half; NaN when there is one class.
///
/// # Errors
/// As [`confusion`].
pub fn roc_auc(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("roc_auc", Task::Binary, targets, predictions, Predictions::Finite)?;
    Ok(ranking::roc_auc(targets, predictions))
}

/// Computes Σ (Rₙ − Rₙ₋₁) Pₙ over distinct predictions; 0 when there are no positives.
///
/// # Errors
/// As [`confusion`].
pub fn average_precision(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("average_precision", Task::Binary, targets, predictions, Predictions::Finite)?;
    Ok(Ranking::new(targets, predictions).average_precision())
}

/// Computes the mean negative log-likelihood; probabilities are clipped by the double's epsilon.
///
/// # Errors
/// As [`confusion`], and predictions outside 0 to 1.
pub fn log_loss(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("log_loss", Task::Binary, targets, predictions, Predictions::Probabilities)?;
    let terms = targets.iter().zip(predictions).map(|(&target, &prediction)| log_loss_term(target > 0.5, prediction));
    Ok(sum(terms) / targets.len() as f64)
}

/// Computes the mean squared distance of probability and truth.
///
/// # Errors
/// As [`confusion`], and predictions outside 0 to 1.
pub fn brier(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("brier", Task::Binary, targets, predictions, Predictions::Probabilities)?;
    let terms =
        targets.iter().zip(predictions).map(|(target, prediction)| (prediction - target) * (prediction - target));
    Ok(sum(terms) / targets.len() as f64)
}

pub(super) fn log_loss_term(is_positive: bool, prediction: f64) -> f64 {
    let likelihood = if is_positive { prediction } else { 1.0 - prediction };
    -libm::log(likelihood.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
}

pub(super) fn accuracy_of([[tn, fp], [fneg, tp]]: [[u64; 2]; 2]) -> f64 {
    share(tn + tp, tn + fp + fneg + tp)
}

pub(super) fn precision_of([[_, fp], [_, tp]]: [[u64; 2]; 2]) -> f64 {
    share(tp, tp + fp)
}

pub(super) fn recall_of([_, [fneg, tp]]: [[u64; 2]; 2]) -> f64 {
    share(tp, tp + fneg)
}

pub(super) fn f1_of([[_, fp], [fneg, tp]]: [[u64; 2]; 2]) -> f64 {
    share(2 * tp, 2 * tp + fp + fneg)
}

pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
