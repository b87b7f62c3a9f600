//! Metrics of a numeric target.

use trainyard_exact::{Spread, median, sum};

use super::{Predictions, Task, check};
use crate::Error;

/// Computes the root of the mean squared error.
///
/// # Errors
/// No rows, lengths that differ, targets or predictions that are not finite.
pub fn rmse(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("rmse", Task::Regression, targets, predictions, Predictions::Finite)?;
    Ok((sum(squares(targets, predictions)) / targets.len() as f64).sqrt())
}

/// Computes the mean absolute error.
///
/// # Errors
/// As [`rmse`].
pub fn mae(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("mae", Task::Regression, targets, predictions, Predictions::Finite)?;
    let terms = targets.iter().zip(predictions).map(|(target, prediction)| (target - prediction).abs());
    Ok(sum(terms) / targets.len() as f64)
}

/// Computes the coefficient of determination.
///
/// NaN for one row; for a constant target 1 when every prediction is right, else 0.
///
/// # Errors
/// As [`rmse`].
pub fn r2(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("r2", Task::Regression, targets, predictions, Predictions::Finite)?;
    let spread = Spread::of(targets).map_or(0.0, |spread| spread.squares);
    Ok(r2_of(targets.len(), sum(squares(targets, predictions)), spread))
}

/// Computes the median of the absolute errors.
///
/// # Errors
/// As [`rmse`].
pub fn median_absolute_error(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("median_absolute_error", Task::Regression, targets, predictions, Predictions::Finite)?;
    let mut errors: Vec<f64> =
        targets.iter().zip(predictions).map(|(target, prediction)| (target - prediction).abs()).collect();
    Ok(median(&mut errors).unwrap_or(f64::NAN))
}

pub(super) fn r2_of(rows: usize, residual: f64, spread: f64) -> f64 {
    if rows < 2 {
        f64::NAN
    } else if spread > 0.0 {
        1.0 - residual / spread
    } else if residual > 0.0 {
        0.0
    } else {
        1.0
    }
}

fn squares<'a>(targets: &'a [f64], predictions: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    targets.iter().zip(predictions).map(|(target, prediction)| (target - prediction) * (target - prediction))
}
