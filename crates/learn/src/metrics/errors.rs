//! Errors and deviances of a numeric target, with weights.

use trainyard_exact::sum;

use super::weighed::{Exact, middle, weighted_quantile};
use super::{Predictions, Scored, Task, check};
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
    mean_of("mean_absolute_percentage_error", targets, predictions, weights, share_of_target)
}

/// Computes the mean squared difference of log(1 + target) and log(1 + prediction).
///
/// # Errors
/// As [`mean_absolute_percentage_error`], and a target or prediction of −1 or less.
pub fn mean_squared_log_error(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Result<f64, Error> {
    let operation = "mean_squared_log_error";
    check_domain(operation, targets, predictions, |target| target > -1.0, |prediction| prediction > -1.0)?;
    mean_of(operation, targets, predictions, weights, squared_log_error)
}

/// Computes 1 − the variance of the errors / the variance of the targets.
///
/// For a constant target 1 when the errors are all equal, else 0.
///
/// # Errors
/// As [`mean_absolute_percentage_error`].
pub fn explained_variance(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Result<f64, Error> {
    Scored { task: Task::Regression, targets, predictions, weights, threshold: 0.0 }.metric("explained_variance")
}

/// Computes the mean hinge loss of margins: max(0, 1 − margin) for the class 1, max(0, 1 + margin) for the class 0.
///
/// # Errors
/// No rows, lengths that differ, targets other than 0 and 1, margins that are not finite, weights that are negative or
/// all zero.
pub fn hinge_loss(targets: &[f64], margins: &[f64], weights: Option<&[f64]>) -> Result<f64, Error> {
    check("hinge_loss", Task::Binary, targets, margins, Predictions::Finite)?;
    mean_of("hinge_loss", targets, margins, weights, |target, margin| {
        (1.0 - if target > 0.5 { margin } else { -margin }).max(0.0)
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
    mean_of("pinball_loss", targets, predictions, weights, |target, prediction| pinball(target - prediction, quantile))
}

/// Computes 1 − the pinball loss / that of the targets' own quantile, 1 at best and unbounded below.
///
/// Koenker and Machado: "Goodness of fit and related inference processes for quantile regression", 1999. The quantile
/// of the targets is the averaged inverse of their distribution (Hyndman and Fan: "Sample quantiles in statistical
/// packages", 1996, definition 2), weights counting. NaN for one row; for a constant target 1 when every prediction is
/// right, else 0.
///
/// # Errors
/// As [`pinball_loss`].
pub fn d2_pinball(targets: &[f64], predictions: &[f64], quantile: f64, weights: Option<&[f64]>) -> Result<f64, Error> {
    let loss = pinball_loss(targets, predictions, quantile, weights)?;
    if targets.len() < 2 {
        return Ok(f64::NAN);
    }
    let mut rows: Vec<(f64, f64)> =
        targets.iter().enumerate().map(|(row, target)| (*target, weights.map_or(1.0, |of| of[row]))).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let own = weighted_quantile::<Exact>(rows.iter().copied(), quantile);
    let alone = pinball_loss(targets, &vec![own; targets.len()], quantile, weights)?;
    Ok(explained(loss, alone))
}

/// Computes 1 − the mean absolute error / that of the targets' median: [`d2_pinball`] of the quantile 0.5.
///
/// # Errors
/// As [`mean_absolute_percentage_error`].
pub fn d2_absolute_error(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Result<f64, Error> {
    d2_pinball(targets, predictions, 0.5, weights)
}

/// Computes 1 − the mean Tweedie deviance / that of the targets' mean, 1 at best and unbounded below.
///
/// Hastie, Tibshirani and Wainwright: "Statistical learning with sparsity", 2015, equation 3.11. NaN for one row and where
/// all targets are equal.
///
/// # Errors
/// As [`tweedie_deviance`].
pub fn d2_tweedie(targets: &[f64], predictions: &[f64], power: f64, weights: Option<&[f64]>) -> Result<f64, Error> {
    let deviance = tweedie_deviance(targets, predictions, power, weights)?;
    let counts = |row: usize| weights.is_none_or(|weights| weights[row] > 0.0);
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let Some(mean) = middle::<Exact>(targets, weight, counts) else { return Ok(f64::NAN) };
    // Of targets that are all 0 the mean has no deviance.
    let alone = tweedie_deviance(targets, &vec![mean; targets.len()], power, weights)?;
    Ok(if alone > 0.0 { 1.0 - deviance / alone } else { f64::NAN })
}

/// Gives the share of a loss that is explained; of no loss to explain 1 when none is left, else 0.
pub(super) fn explained(loss: f64, alone: f64) -> f64 {
    if alone > 0.0 {
        1.0 - loss / alone
    } else if loss > 0.0 {
        0.0
    } else {
        1.0
    }
}

/// Gives |error| / |target|.
pub(super) fn share_of_target(target: f64, prediction: f64) -> f64 {
    (prediction - target).abs() / target.abs().max(f64::EPSILON)
}

/// Gives the squared difference of the logarithms of 1 + target and 1 + prediction.
pub(super) fn squared_log_error(target: f64, prediction: f64) -> f64 {
    let difference = libm::log1p(target) - libm::log1p(prediction);
    difference * difference
}

/// Gives what an error costs a prediction of a quantile.
pub(super) fn pinball(error: f64, quantile: f64) -> f64 {
    if error >= 0.0 { quantile * error } else { (quantile - 1.0) * error }
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
    mean_of(operation, targets, predictions, weights, |target, prediction| deviance_of(target, prediction, power))
}

/// Gives the Tweedie deviance of one row.
pub(super) fn deviance_of(target: f64, prediction: f64, power: f64) -> f64 {
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
