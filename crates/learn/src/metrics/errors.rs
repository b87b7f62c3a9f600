//! Errors and deviances of a numeric target, with weights.

use trainyard_exact::sum;

use super::{Predictions, Task, check};
use crate::Error;
use crate::error::check_weights;

/// Computes the largest absolute error.
///
/// # Errors
/// No rows, lengths that differ, targets or predictions that are not finite.
pub fn max_error(targets: &[f64], predictions: &[f64]) -> Result<f64, Error> {
    check("max_error", Task::Regression, targets, predictions, Predictions::Finite)?;
    let errors = targets.iter().zip(predictions).map(|(target, prediction)| (target - prediction).abs());
    Ok(errors.fold(0.0, f64::max))
}

/// Computes the mean of |error| / |target|, as a share and not in percent; targets below the double's epsilon count as
/// it.
///
/// # Errors
/// As [`max_error`], and weights that are negative or all zero.
pub fn mean_absolute_percentage_error(
    targets: &[f64],
    predictions: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    mean_of("mean_absolute_percentage_error", targets, predictions, weights, |target, prediction| {
        (prediction - target).abs() / target.abs().max(f64::EPSILON)
    })
}

/// Computes the mean squared difference of log(1 + target) and log(1 + prediction).
///
/// # Errors
/// As [`mean_absolute_percentage_error`], and a target or prediction of −1 or less.
pub fn mean_squared_log_error(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Result<f64, Error> {
    let operation = "mean_squared_log_error";
    check_domain(operation, targets, predictions, |target| target > -1.0, |prediction| prediction > -1.0)?;
    mean_of(operation, targets, predictions, weights, |target, prediction| {
        let difference = libm::log1p(target) - libm::log1p(prediction);
        difference * difference
    })
}

/// Computes 1 − the variance of the errors / the variance of the targets.
///
/// For a constant target 1 when the errors are all equal, else 0.
///
/// # Errors
/// As [`mean_absolute_percentage_error`].
pub fn explained_variance(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Result<f64, Error> {
    let mean = |of: &dyn Fn(f64, f64) -> f64| mean_of("explained_variance", targets, predictions, weights, of);
    let (shift, centre) = (mean(&|target, prediction| target - prediction)?, mean(&|target, _| target)?);
    let residual = mean(&|target, prediction| (target - prediction - shift) * (target - prediction - shift))?;
    let spread = mean(&|target, _| (target - centre) * (target - centre))?;
    Ok(if residual == 0.0 {
        1.0
    } else if spread == 0.0 {
        0.0
    } else {
        1.0 - residual / spread
    })
}

/// Computes the mean pinball loss of predictions of the `quantile`: an error e = target − prediction costs quantile · e
/// where it is positive, and (1 − quantile) · −e where it is negative.
///
/// Koenker and Bassett: "Regression quantiles", 1978. For the quantile 0.5 it is half the mean absolute error.
///
/// # Errors
/// As [`mean_absolute_percentage_error`], and a quantile outside 0 to 1.
pub fn pinball_loss(
    targets: &[f64],
    predictions: &[f64],
    quantile: f64,
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    if !(0.0..=1.0).contains(&quantile) {
        return Err(Error::Parameter { name: "quantile", value: quantile, allowed: "from 0 to 1" });
    }
    mean_of("pinball_loss", targets, predictions, weights, |target, prediction| {
        let error = target - prediction;
        if error >= 0.0 { quantile * error } else { (quantile - 1.0) * error }
    })
}

/// Computes the mean Tweedie deviance: of power 0 the mean squared error, of 1 the Poisson, of 2 the gamma deviance.
///
/// Jørgensen: "The theory of dispersion models", 1997, chapter 4. Predictions are above 0 except for power 0; targets are
/// at least 0 for powers from 1 to below 2, and above 0 from 2 on.
///
/// # Errors
/// As [`mean_absolute_percentage_error`], a power between 0 and 1 or not finite, targets and predictions outside these
/// ranges.
pub fn tweedie_deviance(
    targets: &[f64],
    predictions: &[f64],
    power: f64,
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    let operation = "tweedie_deviance";
    if !power.is_finite() || (power > 0.0 && power < 1.0) {
        return Err(Error::Parameter { name: "power", value: power, allowed: "at most 0 or at least 1" });
    }
    let is_target = |target: f64| power < 1.0 || target > 0.0 || (power < 2.0 && target == 0.0);
    check_domain(operation, targets, predictions, is_target, |prediction| power == 0.0 || prediction > 0.0)?;
    let deviance = |target: f64, prediction: f64| {
        if power == 0.0 {
            return (target - prediction) * (target - prediction);
        }
        2.0 * if power == 1.0 {
            let surprise = if target == 0.0 { 0.0 } else { target * libm::log(target / prediction) };
            surprise - target + prediction
        } else if power == 2.0 {
            libm::log(prediction / target) + target / prediction - 1.0
        } else {
            let (one, two) = (1.0 - power, 2.0 - power);
            libm::pow(target.max(0.0), two) / (one * two) - target * libm::pow(prediction, one) / one
                + libm::pow(prediction, two) / two
        }
    };
    mean_of(operation, targets, predictions, weights, deviance)
}

fn mean_of(
    operation: &'static str,
    targets: &[f64],
    predictions: &[f64],
    weights: Option<&[f64]>,
    term: impl Fn(f64, f64) -> f64,
) -> Result<f64, Error> {
    check(operation, Task::Regression, targets, predictions, Predictions::Finite)?;
    check_weights(operation, weights, targets.len())?;
    let terms = targets.iter().zip(predictions).map(|(target, prediction)| term(*target, *prediction));
    Ok(match weights {
        None => sum(terms) / targets.len() as f64,
        Some(weights) => sum(terms.zip(weights).map(|(term, weight)| term * weight)) / sum(weights.iter().copied()),
    })
}

fn check_domain(
    operation: &'static str,
    targets: &[f64],
    predictions: &[f64],
    is_target: impl Fn(f64) -> bool,
    is_prediction: impl Fn(f64) -> bool,
) -> Result<(), Error> {
    if let Some(row) = targets.iter().position(|target| !is_target(*target)) {
        return Err(Error::Target { operation, row, value: targets[row] });
    }
    match predictions.iter().position(|prediction| !is_prediction(*prediction)) {
        Some(row) => Err(Error::Prediction { operation, row, value: predictions[row] }),
        None => Ok(()),
    }
}
