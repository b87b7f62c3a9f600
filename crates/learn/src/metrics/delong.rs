//! DeLong's test of two ROC curves on the same rows.

use super::{Predictions, Task, check};
use crate::Error;
use crate::binning::sortable;

/// The outcome of DeLong's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeLong {
    /// The area under the ROC curve of the first model, 0 to 1.
    pub first: f64,
    /// The area of the second model, 0 to 1.
    pub second: f64,
    /// The standard error of first − second; NaN where a class has one row.
    pub standard_error: f64,
    /// (first − second) / standard error; 0 for equal areas without error, NaN where a class has one row.
    pub z: f64,
    /// Two-sided: the chance of a |z| as large where the areas are equal; NaN where a class has one row.
    pub p_value: f64,
}

/// Tests whether two models, judged on the same rows, have the same area under the ROC curve.
///
/// DeLong, DeLong and Clarke-Pearson: "Comparing the areas under two or more correlated receiver operating
/// characteristic curves", 1988; structural components by sorting as in Sun and Xu: "Fast implementation of DeLong's
/// algorithm", 2014. The normal distribution of z holds for many rows of either class. Counts are integers, so the order
/// of rows does not matter; up to 2^30 rows.
///
/// `targets` are 0 and 1; `a` and `b` are margins or probabilities, one a row.
///
/// # Errors
/// No rows, lengths that differ, targets other than 0 and 1, predictions that are not finite, one class.
pub fn delong(targets: &[f64], a: &[f64], b: &[f64]) -> Result<DeLong, Error> {
    let operation = "DeLong's test";
    [a, b].into_iter().try_for_each(|model| check(operation, Task::Binary, targets, model, Predictions::Finite))?;
    let positives = targets.iter().filter(|target| **target > 0.5).count();
    let negatives = targets.len() - positives;
    if positives == 0 || negatives == 0 {
        return Err(Error::OneClass { operation, class: if positives == 0 { 0.0 } else { 1.0 } });
    }
    let wins = [a, b].map(|model| doubled_wins(targets, model));
    let of_positives = |model: usize| wins[model].iter().zip(targets).filter(|(_, target)| **target > 0.5);
    let [first, second] = [0, 1].map(|model| of_positives(model).map(|(wins, _)| i128::from(*wins)).sum::<i128>());
    let pairs = 2.0 * positives as f64 * negatives as f64;
    let difference = (first - second) as f64 / pairs;
    let differences = |class: f64| {
        let rows = wins[0].iter().zip(&wins[1]).zip(targets).filter(move |(_, target)| **target == class);
        rows.map(|((a, b), _)| i128::from(a - b))
    };
    let variance = variance_of_mean(differences(1.0)) / square(2.0 * negatives as f64)
        + variance_of_mean(differences(0.0)) / square(2.0 * positives as f64);
    let standard_error = variance.sqrt();
    let z = if first == second && standard_error == 0.0 { 0.0 } else { difference / standard_error };
    Ok(DeLong {
        first: first as f64 / pairs,
        second: second as f64 / pairs,
        standard_error,
        z,
        p_value: libm::erfc(z.abs() / std::f64::consts::SQRT_2),
    })
}

/// Gives, for each row, twice the rows of the other class that it is in order with; ties count one.
fn doubled_wins(targets: &[f64], predictions: &[f64]) -> Vec<i64> {
    let mut order: Vec<(u64, usize)> = predictions.iter().map(|prediction| sortable(*prediction)).zip(0..).collect();
    order.sort_unstable();
    let positives = targets.iter().filter(|target| **target > 0.5).count() as i64;
    let (mut negatives_below, mut positives_below) = (0, 0);
    let mut wins = vec![0; targets.len()];
    for level in order.chunk_by(|(a, _), (b, _)| a == b) {
        let of_level = level.iter().filter(|(_, row)| targets[*row] > 0.5).count() as i64;
        let others = level.len() as i64 - of_level;
        for (_, row) in level {
            wins[*row] = if targets[*row] > 0.5 {
                2 * negatives_below + others
            } else {
                2 * (positives - positives_below - of_level) + of_level
            };
        }
        negatives_below += others;
        positives_below += of_level;
    }
    wins
}

/// Gives the variance of the mean of integers; NaN for one.
fn variance_of_mean(values: impl Iterator<Item = i128>) -> f64 {
    let (count, total, squares) =
        values.fold((0, 0, 0), |(count, total, squares), value| (count + 1, total + value, squares + value * value));
    let rows = count as f64;
    (count * squares - total * total) as f64 / (rows * rows * (rows - 1.0))
}

fn square(value: f64) -> f64 {
    value * value
}
