//! Curves as data.

use super::ranking::Ranking;
use super::{Predictions, Task, check};
use crate::Error;

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
/// last point that misses no positive to the first that takes a negative for one.
///
/// Martin and others: "The DET curve in assessment of detection task performance", 1997.
///
/// # Errors
/// As [`roc`], and one class alone.
pub fn det(targets: &[f64], predictions: &[f64]) -> Result<Vec<DetPoint>, Error> {
    let operation = "det";
    check(operation, Task::Binary, targets, predictions, Predictions::Finite)?;
    let ranking = Ranking::new(targets, predictions);
    if ranking.negatives == 0 || ranking.positives == 0 {
        return Err(Error::OneClass { operation, class: if ranking.positives == 0 { 0.0 } else { 1.0 } });
    }
    let (mut negatives, mut positives) = (0, 0);
    // From the highest threshold down: false positives rise and false negatives fall.
    let fallen = ranking.levels.iter().rev().map(|level| {
        negatives += level.negatives;
        positives += level.positives;
        (level.prediction, negatives, ranking.positives - positives)
    });
    let fallen: Vec<(f64, u64, u64)> = fallen.collect();
    let least = fallen.first().map_or(0, |(_, wrong, _)| *wrong);
    let first = fallen.iter().rposition(|(_, wrong, _)| *wrong == least).unwrap_or(0);
    let last = fallen.iter().position(|(_, _, missed)| *missed == 0).unwrap_or(first).max(first);
    let point = |(threshold, wrong, missed): &(f64, u64, u64)| DetPoint {
        threshold: *threshold,
        false_positive_rate: *wrong as f64 / ranking.negatives as f64,
        false_negative_rate: *missed as f64 / ranking.positives as f64,
    };
    Ok(fallen[first..=last].iter().rev().map(point).collect())
}

/// Gives the ROC curve from the highest threshold to the lowest: (0, 0) to (1, 1), one point a distinct prediction.
///
/// # Errors
/// No rows, lengths that differ, targets other than 0 and 1, predictions that are not finite.
pub fn roc(targets: &[f64], predictions: &[f64]) -> Result<Vec<RocPoint>, Error> {
    check("roc", Task::Binary, targets, predictions, Predictions::Finite)?;
    let ranking = Ranking::new(targets, predictions);
    let rate = |part: u64, whole: u64| if whole == 0 { f64::NAN } else { part as f64 / whole as f64 };
    let (mut negatives, mut positives) = (0, 0);
    let mut point = |threshold, more_negatives, more_positives| {
        negatives += more_negatives;
        positives += more_positives;
        RocPoint {
            threshold,
            false_positive_rate: rate(negatives, ranking.negatives),
            true_positive_rate: rate(positives, ranking.positives),
        }
    };
    let mut points = vec![point(f64::INFINITY, 0, 0)];
    points.extend(ranking.levels.iter().rev().map(|level| point(level.prediction, level.negatives, level.positives)));
    Ok(points)
}

/// Gives the precision-recall curve from the lowest threshold to the highest, one point a distinct prediction, then
/// (precision 1, recall 0).
///
/// # Errors
/// As [`roc`].
pub fn precision_recall(targets: &[f64], predictions: &[f64]) -> Result<Vec<PrecisionRecallPoint>, Error> {
    check("precision_recall", Task::Binary, targets, predictions, Predictions::Finite)?;
    let ranking = Ranking::new(targets, predictions);
    let mut points = vec![PrecisionRecallPoint { threshold: f64::INFINITY, precision: 1.0, recall: 0.0 }];
    let (mut predicted, mut found) = (0, 0);
    for level in ranking.levels.iter().rev() {
        predicted += level.negatives + level.positives;
        found += level.positives;
        let recall = if ranking.positives == 0 { 1.0 } else { found as f64 / ranking.positives as f64 };
        let precision = found as f64 / predicted as f64;
        points.push(PrecisionRecallPoint { threshold: level.prediction, precision, recall });
    }
    points.reverse();
    Ok(points)
}
