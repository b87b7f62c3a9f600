//! How a model came about, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a model was chosen, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// The name of the chosen candidate.
    pub chosen: String,
    /// The rows that chose it.
    pub chosen_by: ChosenBy,
    /// The metric that chose it.
    pub metric: String,
    /// Every candidate, in the order of the spec.
    pub candidates: Vec<CandidateReport>,
}

/// The rows that chose among candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// There was only one candidate.
    OnlyCandidate,
    /// The validation share.
    Validation,
    /// The training rows, each predicted by the fold that had not seen it.
    OutOfFold,
}

/// One candidate in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateReport {
    /// Its name.
    pub name: String,
    /// Its estimator.
    pub estimator: String,
    /// All its hyper-parameters.
    pub parameters: BTreeMap<String, String>,
    /// The trees of its fit, where it has any.
    pub trees: Option<usize>,
    /// Whether an iterative fit reached its tolerance.
    pub converged: bool,
    /// Each metric over the folds; empty without folds.
    pub cross_validation: BTreeMap<String, Spread>,
    /// How often the folds were made; absent where they were made once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
    /// Each metric over all training rows together, each predicted by the fold that had not seen it; of repeated folds the
    /// mean over repeats of the metric, not the metric of mean predictions, which no single fit makes. Empty without folds.
    #[serde(with = "crate::nan::map")]
    pub out_of_fold: BTreeMap<String, f64>,
    /// Each metric on the validation rows, by the fit on the training rows; empty without a validation share.
    #[serde(with = "crate::nan::map")]
    pub validation: BTreeMap<String, f64>,
    /// The accuracy or R² of a forest on the training rows, each predicted by the trees that had not seen it; absent unless
    /// `oob_score` asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_bag_score: Option<f64>,
    /// The mean loss on the training rows after each iteration.
    #[serde(with = "crate::nan::list")]
    pub train_loss: Vec<f64>,
    /// The mean loss on the validation rows after each iteration; empty without a validation share.
    #[serde(with = "crate::nan::list")]
    pub validation_loss: Vec<f64>,
}

/// Cross-validation that was repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// How often train was cut into folds.
    pub repeats: usize,
    /// The fits of the candidate that its spread is over.
    pub fits: usize,
}

/// A metric over folds, of repeated ones over all of all repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean of the folds' values.
    #[serde(with = "crate::nan")]
    pub mean: f64,
    /// Their population standard deviation (NumPy's default, by n).
    #[serde(with = "crate::nan")]
    pub std: f64,
    /// The values, in the order of the folds; those of the first repeat come first.
    #[serde(with = "crate::nan::list")]
    pub folds: Vec<f64>,
}

impl Spread {
    pub(crate) fn of(folds: Vec<f64>) -> Spread {
        let count = folds.len() as f64;
        let mean = folds.iter().sum::<f64>() / count;
        let variance = folds.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
        Spread { mean, std: variance.sqrt(), folds }
    }
}

/// Writes a number for people, with so many significant digits, at least one.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    rounded(value, digits).to_string()
}

/// Gives the number of so many significant digits that is nearest, at least one.
pub(crate) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits.saturating_sub(1)).parse::<f64>().unwrap_or(value)
}
