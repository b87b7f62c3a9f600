//! Metrics, their curves and their uncertainty.
//!
//! Definitions are scikit-learn's. Sums are exact, so a metric does not depend on the order of the rows. Binary targets
//! are 0 and 1, predictions are probabilities of 1, and a row is predicted positive when its probability is at least the
//! threshold. Targets of several classes are their numbers, 0 to `classes` − 1, predictions are the probabilities of all
//! classes, row after row, and a row is predicted to be of the class that is most likely, the first of equal ones.

mod binary;
mod bootstrap;
mod calibration;
mod curves;
mod delong;
mod errors;
mod multiclass;
mod ranking;
mod regression;
mod scored;
mod threshold;
mod weighed;
mod weighted;

use std::collections::BTreeMap;

pub use self::binary::{accuracy, average_precision, brier, confusion, f1, log_loss, precision, recall, roc_auc};
pub use self::bootstrap::{Interval, Paired, bootstrap, paired_bootstrap};
pub use self::calibration::{CalibrationBins, CalibrationPoint, calibration_curve, expected_calibration_error};
pub use self::curves::{DetPoint, PrecisionRecallPoint, RocPoint, det, precision_recall, roc};
pub use self::delong::{DeLong, delong};
pub use self::errors::{
    d2_absolute_error, d2_pinball, d2_tweedie, explained_variance, hinge_loss, max_error,
    mean_absolute_percentage_error, mean_squared_log_error, pinball_loss, tweedie_deviance,
};
pub use self::multiclass::most_likely;
pub use self::ranking::{dcg, ndcg};
pub use self::regression::{mae, median_absolute_error, r2, rmse};
pub use self::scored::Scored;
pub use self::threshold::{Threshold, ThresholdRule, choose_threshold};
pub use self::weighted::{KappaWeights, WeightedConfusion, top_k_accuracy};

use crate::Error;

/// Names the kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Targets are 0 and 1.
    Binary,
    /// Targets are the numbers of classes.
    Multiclass {
        /// The number of classes.
        classes: usize,
    },
    /// Targets are numbers.
    Regression,
}

/// The names of the metrics of classes, in alphabetical order.
pub const CLASSIFICATION: [&str; 8] =
    ["accuracy", "average_precision", "brier", "f1", "log_loss", "precision", "recall", "roc_auc"];

/// The names of the metrics of a numeric target, in alphabetical order.
pub const REGRESSION: [&str; 4] = ["mae", "median_absolute_error", "r2", "rmse"];

/// The names of the metrics of classes that are computed where they are asked for, in alphabetical order.
const MORE_OF_CLASSES: [&str; 14] = [
    "balanced_accuracy",
    "cohen_kappa",
    "d2_brier",
    "d2_log_loss",
    "f0_5",
    "f1_macro",
    "f1_weighted",
    "f2",
    "jaccard",
    "matthews_corrcoef",
    "precision_weighted",
    "recall_weighted",
    "roc_auc_weighted",
    "specificity",
];

/// The names of the metrics of a numeric target that are computed where they are asked for, in alphabetical order.
const MORE_OF_NUMBERS: [&str; 11] = [
    "d2_absolute_error",
    "d2_gamma",
    "d2_poisson",
    "explained_variance",
    "gamma_deviance",
    "mape",
    "max_error",
    "mse",
    "msle",
    "poisson_deviance",
    "rmsle",
];

impl Task {
    /// Gives the names of the task's further metrics, which are computed where they are asked for.
    pub fn more_metrics(self) -> &'static [&'static str] {
        match self {
            Task::Binary | Task::Multiclass { .. } => &MORE_OF_CLASSES,
            Task::Regression => &MORE_OF_NUMBERS,
        }
    }

    /// Says whether a metric of this name is one of the task.
    pub fn has_metric(self, name: &str) -> bool {
        Metric::named(self, name).is_ok()
    }

    /// Gives the names of the metrics that every report of the task has.
    pub fn metrics(self) -> &'static [&'static str] {
        match self {
            Task::Binary | Task::Multiclass { .. } => &CLASSIFICATION,
            Task::Regression => &REGRESSION,
        }
    }

    /// Gives the number of values that predict a row.
    pub fn outputs(self) -> usize {
        match self {
            Task::Multiclass { classes } => classes,
            Task::Binary | Task::Regression => 1,
        }
    }

    /// Gives the number of classes that targets are numbers of; `None` where they are values.
    fn classes(self) -> Option<usize> {
        match self {
            Task::Binary => Some(2),
            Task::Multiclass { classes } => Some(classes),
            Task::Regression => None,
        }
    }
}

/// Computes every metric of the task, by name.
///
/// # Errors
/// As [`binary`], [`multiclass`] and [`regression`].
pub fn all(task: Task, targets: &[f64], predictions: &[f64], threshold: f64) -> Result<BTreeMap<String, f64>, Error> {
    match task {
        Task::Binary => binary(targets, predictions, threshold),
        Task::Multiclass { classes } => multiclass(targets, predictions, classes),
        Task::Regression => regression(targets, predictions),
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
    Ok(CLASSIFICATION.iter().map(|name| (*name).to_owned()).zip(values).collect())
}

/// Computes every metric of several classes, by name.
///
/// Precision, recall, F1, `roc_auc` and `average_precision` are the plain means of those of each class against all
/// others ("macro" and "ovr" in scikit-learn). `brier` is the mean over rows of the sum over classes, 0 to 2. `roc_auc` is
/// NaN when a class has no rows, or all.
///
/// # Errors
/// No rows, not one prediction a row and class, targets that are no class, predictions that are no probabilities.
pub fn multiclass(targets: &[f64], predictions: &[f64], classes: usize) -> Result<BTreeMap<String, f64>, Error> {
    check("metrics", Task::Multiclass { classes }, targets, predictions, Predictions::Probabilities)?;
    let measured = multiclass::Measured::new(targets, predictions, classes);
    let value = |name: &&str| Ok(((*name).to_owned(), measured.value(Metric::named(Task::Binary, name)?)));
    CLASSIFICATION.iter().map(value).collect()
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

/// Computes the metric `name` of a task: one that every report has, or one of the further ones.
///
/// # Errors
/// A name that the task does not have, and as [`binary`] and [`regression`].
pub fn by_name(name: &str, task: Task, targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
    Scored { task, targets, predictions, weights: None, threshold }.metric(name)
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
    /// One that is computed only where it is asked for.
    Further(Further),
}

/// A metric that is computed only where it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Further {
    BalancedAccuracy,
    CohenKappa,
    D2Brier,
    D2LogLoss,
    F05,
    F1Macro,
    F1Weighted,
    F2,
    Jaccard,
    MatthewsCorrcoef,
    PrecisionWeighted,
    RecallWeighted,
    RocAucWeighted,
    Specificity,
    D2AbsoluteError,
    D2Gamma,
    D2Poisson,
    ExplainedVariance,
    GammaDeviance,
    Mape,
    MaxError,
    Mse,
    Msle,
    PoissonDeviance,
    Rmsle,
}

impl Metric {
    fn named(task: Task, name: &str) -> Result<Metric, Error> {
        let (known, further) = (task.metrics(), task.more_metrics());
        if !known.contains(&name) && !further.contains(&name) {
            return Err(Error::UnknownMetric { name: name.to_owned(), known });
        }
        Ok(match name {
            "accuracy" => Metric::Accuracy,
            "average_precision" => Metric::AveragePrecision,
            "brier" => Metric::Brier,
            "f1" => Metric::F1,
            "log_loss" => Metric::LogLoss,
            "precision" => Metric::Precision,
            "recall" => Metric::Recall,
            "roc_auc" => Metric::RocAuc,
            "mae" => Metric::Mae,
            "median_absolute_error" => Metric::MedianAbsoluteError,
            "r2" => Metric::R2,
            "rmse" => Metric::Rmse,
            other => match Further::named(other) {
                Some(further) => Metric::Further(further),
                None => return Err(Error::UnknownMetric { name: name.to_owned(), known }),
            },
        })
    }

    /// Computes one of the metrics that every report has, each row counting once.
    fn of(self, task: Task, targets: &[f64], predictions: &[f64], threshold: f64) -> Result<f64, Error> {
        if let Task::Multiclass { classes } = task {
            check("metrics", task, targets, predictions, Predictions::Probabilities)?;
            return Ok(multiclass::Measured::new(targets, predictions, classes).value(self));
        }
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
            Metric::Further(_) => Ok(f64::NAN),
        }
    }
}

impl Further {
    fn named(name: &str) -> Option<Further> {
        Some(match name {
            "balanced_accuracy" => Further::BalancedAccuracy,
            "cohen_kappa" => Further::CohenKappa,
            "d2_brier" => Further::D2Brier,
            "d2_log_loss" => Further::D2LogLoss,
            "f0_5" => Further::F05,
            "f1_macro" => Further::F1Macro,
            "f1_weighted" => Further::F1Weighted,
            "f2" => Further::F2,
            "jaccard" => Further::Jaccard,
            "matthews_corrcoef" => Further::MatthewsCorrcoef,
            "precision_weighted" => Further::PrecisionWeighted,
            "recall_weighted" => Further::RecallWeighted,
            "roc_auc_weighted" => Further::RocAucWeighted,
            "specificity" => Further::Specificity,
            "d2_absolute_error" => Further::D2AbsoluteError,
            "d2_gamma" => Further::D2Gamma,
            "d2_poisson" => Further::D2Poisson,
            "explained_variance" => Further::ExplainedVariance,
            "gamma_deviance" => Further::GammaDeviance,
            "mape" => Further::Mape,
            "max_error" => Further::MaxError,
            "mse" => Further::Mse,
            "msle" => Further::Msle,
            "poisson_deviance" => Further::PoissonDeviance,
            "rmsle" => Further::Rmsle,
            _ => return None,
        })
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
    crate::error::check_length(operation, "predictions", targets.len() * task.outputs(), predictions.len())?;
    crate::error::check_targets(operation, targets, targets.len(), task.classes())?;
    let is_good = |value: f64| match kind {
        Predictions::Finite => value.is_finite(),
        Predictions::Probabilities => (0.0..=1.0).contains(&value),
    };
    match predictions.iter().position(|&value| !is_good(value)) {
        Some(at) => Err(Error::Prediction { operation, row: at / task.outputs(), value: predictions[at] }),
        None => Ok(()),
    }
}
