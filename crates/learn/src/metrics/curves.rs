//! Curves as data.

use super::ranking::{Cut, cuts};
use super::{Predictions, Task, check};
use crate::Error;
use crate::error::check_weights;

/// A point of the ROC curve: what happens when predictions of at least `threshold` are positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// The threshold; infinite at the first point.
    pub threshold: f64,
    /// The share of negatives predicted positive; NaN without negatives.
    pub false_positive_rate: f64,
    /// The share of positives predicted positive; NaN without positives.
    pub true_positive_rate: f64,
}

/// A point of the precision-recall curve: what happens when predictions of at least `threshold` are positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionRecallPoint {
    /// The threshold; infinite at the last point.
    pub threshold: f64,
    /// The share of positives among those predicted positive; 1 at the last point, where there are none.
    pub precision: f64,
    /// The share of positives predicted positive; 1 when there are no positives, but 0 at the last point.
    pub recall: f64,
}

/// A point of the detection error tradeoff: what happens when predictions of at least `threshold` are positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetPoint {
    /// The threshold.
    pub threshold: f64,
    /// The share of negatives predicted positive.
    pub false_positive_rate: f64,
    /// The share of positives predicted negative.
    pub false_negative_rate: f64,
}

/// Gives the detection error tradeoff from the lowest threshold to the highest, one point a distinct prediction: from the
/// last point that misses no positive to the last that takes no negative for one, where there is such a point. With
/// `weights` rows count by them.
///
/// Martin and others: "The DET curve in assessment of detection task performance", 1997.
///
/// # Errors
/// As [`roc`], and one class alone.
pub fn det(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Result<Vec<DetPoint>, Error> {
    let operation = "det";
    let (cuts, all) = cut(operation, targets, predictions, weights)?;
    if all.negatives == 0.0 || all.positives == 0.0 {
        return Err(Error::OneClass { operation, class: if all.positives == 0.0 { 0.0 } else { 1.0 } });
    }
    let first = cuts.iter().rposition(|cut| cut.negatives == 0.0).unwrap_or(0);
    let last = cuts.iter().position(|cut| cut.positives == all.positives).unwrap_or(first).max(first);
    let point = |cut: &Cut| DetPoint {
        threshold: cut.threshold,
        false_positive_rate: cut.negatives / all.negatives,
        false_negative_rate: (all.positives - cut.positives) / all.positives,
    };
    Ok(cuts[first..=last].iter().rev().map(point).collect())
}

/// Gives the ROC curve from the highest threshold to the lowest: (0, 0) to (1, 1), one point a distinct prediction.
/// With `weights` rows count by them, and those of weight 0 make no point.
///
/// # Errors
/// No rows, lengths that differ, targets other than 0 and 1, predictions that are not finite, weights that are negative
/// or all zero.
pub fn roc(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Result<Vec<RocPoint>, Error> {
    let (cuts, all) = cut("roc", targets, predictions, weights)?;
    let rate = |part: f64, whole: f64| if whole == 0.0 { f64::NAN } else { part / whole };
    let point = |cut: &Cut| RocPoint {
        threshold: cut.threshold,
        false_positive_rate: rate(cut.negatives, all.negatives),
        true_positive_rate: rate(cut.positives, all.positives),
    };
    let nothing = Cut { threshold: f64::INFINITY, negatives: 0.0, positives: 0.0 };
    Ok(std::iter::once(&nothing).chain(&cuts).map(point).collect())
}

/// Gives the precision-recall curve from the lowest threshold to the highest, one point a distinct prediction, then
/// (precision 1, recall 0). With `weights` rows count by them, and those of weight 0 make no point.
///
/// # Errors
/// As [`roc`].
pub fn precision_recall(
    targets: &[f64],
    predictions: &[f64],
    weights: Option<&[f64]>,
) -> Result<Vec<PrecisionRecallPoint>, Error> {
    let (cuts, all) = cut("precision_recall", targets, predictions, weights)?;
    let point = |cut: &Cut| PrecisionRecallPoint {
        threshold: cut.threshold,
        precision: cut.positives / (cut.negatives + cut.positives),
        recall: if all.positives == 0.0 { 1.0 } else { cut.positives / all.positives },
    };
    let nothing = PrecisionRecallPoint { threshold: f64::INFINITY, precision: 1.0, recall: 0.0 };
    Ok(cuts.iter().rev().map(point).chain([nothing]).collect())
}

/// Checks the rows, and gives what each threshold cuts off and the last of it: all rows.
fn cut(
    operation: &'static str,
    targets: &[f64],
    predictions: &[f64],
    weights: Option<&[f64]>,
) -> Result<(Vec<Cut>, Cut), Error> {
    check(operation, Task::Binary, targets, predictions, Predictions::Finite)?;
    check_weights(operation, weights, targets.len())?;
    let cuts = cuts(targets, predictions, weights);
    let all = *cuts.last().ok_or(Error::Empty { operation })?;
    Ok((cuts, all))
}
