//! How well probabilities agree with what happens.

use trainyard_exact::{ExactSum, power_of_two, quantile};

use super::{Predictions, Task, check};
use crate::Error;
use crate::error::check_weights;

/// Says where the bins of a calibration curve lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalibrationBins {
    /// Bins of equal width, 0 to 1.
    Uniform,
    /// Bins between quantiles of the predictions, linear between values.
    Quantile,
}

/// A bin of a calibration curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationPoint {
    /// The mean probability of the bin's rows.
    pub mean_prediction: f64,
    /// The share of positives among them.
    pub positive_share: f64,
    /// Their number, weighted or not; at least 1.
    pub rows: u64,
}

/// Gives the calibration curve, from the lowest bin to the highest; bins without rows are left out.
///
/// As scikit-learn's `calibration_curve` (Niculescu-Mizil and Caruana: "Predicting good probabilities with supervised
/// learning", 2005, section 4): a prediction on the edge of two bins belongs to the lower one. With `weights` both
/// means of a bin count rows by them, and those of weight 0 are no rows; quantiles are of the other rows, each counting
/// once.
///
/// # Errors
/// No bins, no rows, lengths that differ, targets other than 0 and 1, predictions outside 0 to 1, weights that are
/// negative or all zero.
pub fn calibration_curve(
    targets: &[f64],
    predictions: &[f64],
    weights: Option<&[f64]>,
    bins: usize,
    placed: CalibrationBins,
) -> Result<Vec<CalibrationPoint>, Error> {
    let operation = "calibration_curve";
    check(operation, Task::Binary, targets, predictions, Predictions::Probabilities)?;
    check_weights(operation, weights, targets.len())?;
    if bins == 0 {
        return Err(Error::Parameter { name: "bins", value: 0.0, allowed: "at least 1" });
    }
    let width = 1.0 / bins as f64;
    let counts = |row: &usize| weights.is_none_or(|weights| weights[*row] > 0.0);
    let counted: Vec<usize> = (0..targets.len()).filter(counts).collect();
    let inner: Vec<f64> = match placed {
        CalibrationBins::Uniform => (1..bins).map(|edge| edge as f64 * width).collect(),
        CalibrationBins::Quantile => {
            let mut sorted: Vec<f64> = counted.iter().map(|row| predictions[*row]).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            // Through percent, as NumPy's `percentile`: the same edge to the last bit decides ties the same.
            let edge = |edge: usize| quantile(&sorted, edge as f64 * width * 100.0 / 100.0);
            (1..bins).filter_map(edge).collect()
        }
    };
    let bin = |row: usize| inner.partition_point(|edge| *edge < predictions[row]);
    let mut rows: Vec<(usize, usize)> = counted.into_iter().map(|row| (bin(row), row)).collect();
    rows.sort_unstable();
    // Scaled by a power of two, so that sums stay inside the range.
    let scale = weights.map_or(1.0, |weights| {
        let total: f64 = weights.iter().sum();
        power_of_two(1023 - (total.to_bits() >> 52) as i32)
    });
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row] * scale);
    let point = |rows: &[(usize, usize)]| {
        let total = |of: &dyn Fn(usize) -> f64| rows.iter().map(|(_, row)| of(*row)).collect::<ExactSum>().total();
        let count = total(&weight);
        CalibrationPoint {
            mean_prediction: total(&|row| weight(row) * predictions[row]) / count,
            positive_share: total(&|row| if targets[row] > 0.5 { weight(row) } else { 0.0 }) / count,
            rows: rows.len() as u64,
        }
    };
    Ok(rows.chunk_by(|(a, _), (b, _)| a == b).map(point).collect())
}

/// Computes the expected calibration error, 0 to 1: Σ over bins of (rows of the bin / rows) · |share of positives − mean
/// probability|; with weights rows count by them.
///
/// Bins are of equal width, closed above (Guo, Pleiss, Sun and Weinberger: "On calibration of modern neural networks",
/// 2017, equation 3, with the probability of class 1 in place of that of the predicted class).
///
/// # Errors
/// As [`calibration_curve`], and weights that are negative or all zero.
pub fn expected_calibration_error(
    targets: &[f64],
    predictions: &[f64],
    bins: usize,
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    if let Some(weights) = weights {
        return weighted_error(targets, predictions, bins, weights);
    }
    let curve = calibration_curve(targets, predictions, None, bins, CalibrationBins::Uniform)?;
    let term = |point: &CalibrationPoint| point.rows as f64 * (point.positive_share - point.mean_prediction).abs();
    Ok(trainyard_exact::sum(curve.iter().map(term)) / targets.len() as f64)
}

fn weighted_error(targets: &[f64], predictions: &[f64], bins: usize, weights: &[f64]) -> Result<f64, Error> {
    let operation = "expected_calibration_error";
    check(operation, Task::Binary, targets, predictions, Predictions::Probabilities)?;
    check_weights(operation, Some(weights), targets.len())?;
    if bins == 0 {
        return Err(Error::Parameter { name: "bins", value: 0.0, allowed: "at least 1" });
    }
    let width = 1.0 / bins as f64;
    let inner: Vec<f64> = (1..bins).map(|edge| edge as f64 * width).collect();
    let mut gaps = vec![ExactSum::default(); bins];
    for ((target, prediction), weight) in targets.iter().zip(predictions).zip(weights) {
        // Of a bin, weight · |share of positives − mean probability| is the size of this sum.
        gaps[inner.partition_point(|edge| edge < prediction)].add(weight * (target - prediction));
    }
    let total = trainyard_exact::sum(weights.iter().copied());
    Ok(trainyard_exact::sum(gaps.into_iter().map(|gap| gap.total().abs())) / total)
}
