//! A candidate beside the incumbent, on rows that neither has seen.

use std::collections::BTreeMap;

use arrow_array::{BooleanArray, RecordBatch};
use serde::{Deserialize, Serialize};
use trainyard_files::Digest;
use trainyard_learn::metrics::Scored;
use trainyard_spec::{DataSpec, Task};

use crate::{Error, Model};

/// Fewer rows than this say too little.
const LEAST_ROWS: u64 = 100;

/// The metrics of two classes that no threshold changes.
const OF_PROBABILITIES: [&str; 7] =
    ["roc_auc", "roc_auc_weighted", "average_precision", "log_loss", "brier", "d2_log_loss", "d2_brier"];

/// Fewer rows of a class than this say too little.
const LEAST_OF_CLASS: u64 = 20;

/// What stands beside a candidate.
#[derive(Debug)]
pub struct Incumbent<'a> {
    /// The digest of its folder.
    pub digest: Digest,
    /// The model, or why it cannot be read.
    pub model: Result<&'a Model, String>,
}

/// What is to be compared.
#[derive(Debug)]
pub struct CompareRequest<'a> {
    /// The new model.
    pub candidate: &'a Model,
    /// The digest of its folder.
    pub candidate_digest: Digest,
    /// The model that holds the place, if there is one.
    pub incumbent: Option<Incumbent<'a>>,
    /// The candidate's reference test.
    pub reference: &'a RecordBatch,
    /// Where the weight of its rows is.
    pub data: &'a DataSpec,
    /// The metrics that are asked for beside those of every report.
    pub more: &'a [&'a str],
    /// The metric whose difference gets an interval.
    pub metric: &'a str,
    /// How often rows are drawn again.
    pub resamples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

/// How a comparison ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Comparison {
    /// There is no incumbent.
    NoIncumbent,
    /// The incumbent has the candidate's digest.
    SameModel,
    /// Too few rows are left.
    TooFewRows {
        /// The rows left.
        rows: u64,
        /// The rows that the incumbent has seen.
        excluded: u64,
        /// The rows left of the smaller class, in classification.
        smallest_class: Option<u64>,
    },
    /// Which rows the incumbent has seen can't be told: they had columns that are gone.
    SeenUnknown {
        /// The columns.
        missing: Vec<String>,
    },
    /// The incumbent predicts something else.
    OtherTarget {
        /// What the candidate predicts.
        candidate: String,
        /// What the incumbent predicts.
        incumbent: String,
    },
    /// The incumbent cannot be read, or cannot predict these rows.
    IncumbentFails {
        /// What it says.
        error: String,
    },
    /// Both were measured on the same rows.
    Measured(Measured),
}

/// Two models on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The rows.
    pub rows: u64,
    /// The rows of the reference that were left out because the incumbent has seen them.
    pub excluded: u64,
    /// The candidate's metrics, with its own threshold.
    #[serde(with = "crate::nan::map")]
    pub candidate: BTreeMap<String, f64>,
    /// The incumbent's metrics, with its own threshold.
    #[serde(with = "crate::nan::map")]
    pub incumbent: BTreeMap<String, f64>,
    /// The metric that decides.
    pub metric: String,
    /// The candidate's value less the incumbent's.
    #[serde(with = "crate::nan")]
    pub difference: f64,
    /// The lower bound of its paired 95 % bootstrap interval.
    #[serde(with = "crate::nan")]
    pub low: f64,
    /// The upper bound.
    #[serde(with = "crate::nan")]
    pub high: f64,
    /// The two-sided p-value of no difference.
    #[serde(with = "crate::nan")]
    pub p_value: f64,
}

/// Compares a candidate with the incumbent on the reference less the rows that the incumbent has seen.
///
/// # Errors
/// The candidate cannot predict the reference, or the metric is not one of the task. What is the matter with the
/// incumbent is an outcome, not an error.
pub fn compare(request: &CompareRequest<'_>) -> Result<Comparison, Error> {
    let Some(incumbent) = &request.incumbent else { return Ok(Comparison::NoIncumbent) };
    if incumbent.digest == request.candidate_digest {
        return Ok(Comparison::SameModel);
    }
    let candidate = request.candidate;
    let incumbent = match &incumbent.model {
        Ok(model) => *model,
        Err(error) => return Ok(Comparison::IncumbentFails { error: error.clone() }),
    };
    let (of_candidate, of_incumbent) = (&candidate.target, &incumbent.target);
    // What the rows of the other of two classes are called does not matter.
    let same_classes = match of_candidate.task {
        Task::Binary => of_candidate.positive() == of_incumbent.positive(),
        Task::Multiclass | Task::Regression => of_candidate.classes == of_incumbent.classes,
    };
    let is_same = of_candidate.column == of_incumbent.column && of_candidate.task == of_incumbent.task && same_classes;
    if !is_same {
        let describe = |model: &Model| format!("{} ({})", model.target, model.target.task.name());
        return Ok(Comparison::OtherTarget { candidate: describe(candidate), incumbent: describe(incumbent) });
    }

    let fresh: BooleanArray = match incumbent.seen.in_table(request.reference) {
        Ok(seen) => seen.into_iter().map(|seen| Some(!seen)).collect(),
        Err(missing) => return Ok(Comparison::SeenUnknown { missing }),
    };
    let table = arrow_select::filter::filter_record_batch(request.reference, &fresh)
        .map_err(|error| Error::Table { what: error.to_string() })?;
    let rows = table.num_rows() as u64;
    let excluded = request.reference.num_rows() as u64 - rows;
    let targets = trainyard_data::targets(&table, &candidate.target)?;
    let of_class = |class: usize| targets.iter().filter(|target| **target as usize == class).count() as u64;
    let smallest_class = candidate.target.classes.as_ref().and_then(|classes| (0..classes.len()).map(of_class).min());
    if rows < LEAST_ROWS || smallest_class.is_some_and(|count| count < LEAST_OF_CLASS) {
        return Ok(Comparison::TooFewRows { rows, excluded, smallest_class });
    }

    let weights = trainyard_data::weights(&table, request.data)?;
    let of_candidate = candidate.predict(&table)?;
    let measured = incumbent.predict(&table).and_then(|predictions| {
        let scored = incumbent.scored(&targets, &predictions, weights.as_deref());
        let metrics = incumbent.measure(&scored, request.more)?;
        Ok((predictions, metrics))
    });
    let (of_incumbent, incumbent_metrics) = match measured {
        Ok(measured) => measured,
        Err(error) => return Ok(Comparison::IncumbentFails { error: error.to_string() }),
    };
    let (a, b, threshold) = comparable(request.metric, candidate, &of_candidate, incumbent, &of_incumbent);
    let weights = weights.as_deref();
    let scored = Scored { task: candidate.task(), targets: &targets, predictions: &a, weights, threshold };
    let paired = scored.paired(&b, request.metric, request.resamples, request.seed).map_err(|error| Error::Learn {
        candidate: candidate.name.clone(),
        part: "comparison".into(),
        error,
    })?;
    Ok(Comparison::Measured(Measured {
        rows,
        excluded,
        candidate: candidate.measure(&candidate.scored(&targets, &of_candidate, weights), request.more)?,
        incumbent: incumbent_metrics,
        metric: request.metric.to_owned(),
        difference: paired.difference,
        low: paired.low,
        high: paired.high,
        p_value: paired.p_value,
    }))
}

/// Gives predictions that one threshold serves: where thresholds differ and the metric looks at classes, the classes.
fn comparable(
    metric: &str,
    candidate: &Model,
    of_candidate: &[f64],
    incumbent: &Model,
    of_incumbent: &[f64],
) -> (Vec<f64>, Vec<f64>, f64) {
    // Of several classes the most likely one is taken, whatever the threshold.
    let looks_at_classes = candidate.target.task == Task::Binary && !OF_PROBABILITIES.contains(&metric);
    if !looks_at_classes || candidate.threshold == incumbent.threshold {
        return (of_candidate.to_vec(), of_incumbent.to_vec(), candidate.threshold);
    }
    let classes = |predictions: &[f64], threshold: f64| -> Vec<f64> {
        predictions.iter().map(|value| f64::from(*value >= threshold)).collect()
    };
    (classes(of_candidate, candidate.threshold), classes(of_incumbent, incumbent.threshold), 0.5)
}
