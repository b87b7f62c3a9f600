//! Metrics, their curves and their uncertainty.
//!
//! Definitions are scikit-learn's. Sums are exact, so a metric does not depend on the order of the rows. Binary targets
//! are 0 and 1, predictions are probabilities of 1, and a row is predicted positive when its probability is at least the
//! threshold.

mod binary;
mod bootstrap;
mod curves;
mod ranking;
mod regression;

use std::collections::BTreeMap;

pub use self::binary::{accuracy, average_precision, brier, confusion, f1, log_loss, precision, recall, roc_auc};
pub use self::bootstrap::{Interval, Paired, bootstrap, paired_bootstrap};
pub use self::curves::{PrecisionRecallPoint, RocPoint, precision_recall, roc};
pub use self::regression::{mae, median_absolute_error, r2, rmse};

use crate::Error;

/// Names the kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Targets are 0 and 1.
    Binary,
    /// Targets are numbers.
    Regression,
}

/// The names of the metrics of a binary target, in alphabetical order.
pub const BINARY: [&str; 8] =
    ["accuracy", "average_precision", "brier", "f1", "log_loss", "precision", "recall", "roc_auc"];

/// The names of the metrics of a numeric target, in alphabetical order.
pub const REGRESSION: [&str; 4] = ["mae", "median_absolute_error", "r2", "rmse"];

impl Task {
    /// Gives the names of the task's metrics.
    pub fn metrics(self) -> &'static [&'static str] {
        match self {
            Task::Binary => &BINARY,
            Task::Regression => &REGRESSION,
        }
    }
}

/// Computes every binary metric, by name.
///
/// `roc_auc` is NaN when there is one class; precision, recall and F1 of nothing are 0.
///
/// # Errors
/// No rows, lengths that differ, targets other than 0 and 1, predictions that are no probabilities.
pub fn binary(targets: &[f64], predictions: &[f64], threshold: f64) -> Result<BTreeMap<String, f64>, Error> {
    let confusion = confusion(targets, predictions, threshold)?;
    let ranking = ranking::Ranking::new(targets, predictions);
    let values = [
        binary::accuracy_of(confusion),
        ranking.average_precision(),
        brier(targets, predictions)?,
        binary::f1_of(confusion),
        log_loss(targets, predictions)?,
        binary::precision_of(confusion),
        binary::recall_of(confusion),
        ranking.roc_auc(),
    ];
    Ok(BINARY.iter().map(|name| (*name).to_owned()).zip(values).collect())
}

/// Computes every regression metric, by name.
///
/// `r2` is NaN for one row.
///
/// # Errors
/// No rows, lengths that differ, targets or predictions that are not finite.
pub fn regression(targets: &[f64], predictions: &[f64]) -> Result<BTreeMap<String, f64>, Error> {
    let values = [
        mae(targets, predictions)?,
        median_absolute_error(targets, predictions)?,
        r2(targets, predictions)?,
        rmse(targets, predictions)?,
    ];
    Ok(REGRESSION.iter().map(|name| (*name).to_owned()).zip(values).collect())
}

/// Computes the metric `name` of a task.
///
/// # Errors
/// A name that the task does not have, and as [`binary`] and [`regression`].
pub fn by_name(name: &str, task: Task, targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
    Metric::named(task, name)?.of(targets, predictions, threshold)
}

/// One metric of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    Accuracy,
    AveragePrecision,
    Brier,
    F1,
    LogLoss,
    Precision,
    Recall,
    RocAuc,
    Mae,
    MedianAbsoluteError,
    R2,
    Rmse,
}

impl Metric {
    fn named(task: Task, name: &str) -> Result<Metric, Error> {
        Ok(match (task, name) {
            (Task::Binary, "accuracy") => Metric::Accuracy,
            (Task::Binary, "average_precision") => Metric::AveragePrecision,
            (Task::Binary, "brier") => Metric::Brier,
            (Task::Binary, "f1") => Metric::F1,
            (Task::Binary, "log_loss") => Metric::LogLoss,
            (Task::Binary, "precision") => Metric::Precision,
            (Task::Binary, "recall") => Metric::Recall,
            (Task::Binary, "roc_auc") => Metric::RocAuc,
            (Task::Regression, "mae") => Metric::Mae,
            (Task::Regression, "median_absolute_error") => Metric::MedianAbsoluteError,
            (Task::Regression, "r2") => Metric::R2,
            (Task::Regression, "rmse") => Metric::Rmse,
            _ => return Err(Error::UnknownMetric { name: name.to_owned(), known: task.metrics() }),
        })
    }

    fn of(self, targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
        match self {
            Metric::Accuracy => accuracy(targets, predictions, threshold),
            Metric::AveragePrecision => average_precision(targets, predictions),
            Metric::Brier => brier(targets, predictions),
            Metric::F1 => f1(targets, predictions, threshold),
            Metric::LogLoss => log_loss(targets, predictions),
            Metric::Precision => precision(targets, predictions, threshold),
            Metric::Recall => recall(targets, predictions, threshold),
            Metric::RocAuc => roc_auc(targets, predictions),
            Metric::Mae => mae(targets, predictions),
            Metric::MedianAbsoluteError => median_absolute_error(targets, predictions),
            Metric::R2 => r2(targets, predictions),
            Metric::Rmse => rmse(targets, predictions),
        }
    }
}

/// What a metric asks of its predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Predictions {
    Finite,
    Probabilities,
}

fn check(
    operation: &'static str,
    task: Task,
    targets: &[f64],
    predictions: &[f64],
    kind: Predictions,
) -> Result<(), Error> {
    crate::error::check_length(operation, "predictions", targets.len(), predictions.len())?;
    crate::error::check_targets(operation, targets, targets.len(), task == Task::Binary)?;
    let is_good = |value: f64| match kind {
        Predictions::Finite => value.is_finite(),
        Predictions::Probabilities => (0.0..=1.0).contains(&value),
    };
    match predictions.iter().position(|&value| !is_good(value)) {
        Some(row) => Err(Error::Prediction { operation, row, value: predictions[row] }),
        None => Ok(()),
    }
}
