//! What is promoted: fitted features, estimator, calibration and threshold as one value.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use trainyard_data::Target;
use trainyard_features::FittedFeatures;
use trainyard_features::{Row, Type};
use trainyard_learn::{Matrix, metrics};
use trainyard_spec::Task;

use crate::{Calibration, Error, Estimator, SeenRows};

/// Predicts from raw columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// What it predicts.
    pub target: Target,
    /// From raw columns to features.
    pub features: FittedFeatures,
    /// From features to predictions.
    pub estimator: Estimator,
    /// From the estimator's scores to probabilities, where they were fitted.
    pub calibration: Option<Calibration>,
    /// The probability from which on a row counts as positive, where there are two classes.
    pub threshold: f64,
    /// The candidate's name, or `baseline`.
    pub name: String,
    /// The estimator's name as specs spell it.
    pub estimator_name: String,
    /// All hyper-parameters, and `trees` where their number was fitted.
    pub parameters: BTreeMap<String, String>,
    /// The rows that may not judge it.
    pub seen: SeenRows,
}

impl Model {
    /// Predicts every row: the probability of the positive class, the probabilities of several classes, row after row, or
    /// a value.
    ///
    /// # Errors
    /// As [`FittedFeatures::transform`].
    pub fn predict(&self, table: &RecordBatch) -> Result<Vec<f64>, Error> {
        let features = self.features.transform(table)?;
        Ok(self.predict_features(&Matrix::of(&features.columns, features.rows)))
    }

    /// Predicts rows of features, as [`Model::predict`].
    pub(crate) fn predict_features(&self, matrix: &Matrix<'_>) -> Vec<f64> {
        match &self.calibration {
            None => self.estimator.predict(matrix),
            Some(calibration) => calibration.probabilities(self.estimator.scores(matrix)),
        }
    }

    /// Predicts every row as [`Model::predict`], without the calibration.
    ///
    /// # Errors
    /// As [`FittedFeatures::transform`].
    pub fn predict_uncalibrated(&self, table: &RecordBatch) -> Result<Vec<f64>, Error> {
        let features = self.features.transform(table)?;
        Ok(self.estimator.predict(&Matrix::of(&features.columns, features.rows)))
    }

    /// Predicts one row, with the bits of [`Model::predict`].
    ///
    /// # Errors
    /// As [`FittedFeatures::transform_row`].
    pub fn predict_row(&self, row: &Row) -> Result<Vec<f64>, Error> {
        let features = self.features.transform_row(row)?;
        Ok(match &self.calibration {
            None => self.estimator.predict_row(&features),
            Some(calibration) => calibration.probabilities(self.estimator.scores_row(&features)),
        })
    }

    /// Gives the class that the prediction of a row says; `None` in regression.
    pub fn class(&self, prediction: &[f64]) -> Option<&str> {
        let classes = self.target.classes.as_ref()?;
        let class = match prediction {
            [probability] => usize::from(*probability >= self.threshold),
            probabilities => metrics::most_likely(probabilities),
        };
        classes.get(class).map(String::as_str)
    }

    /// Gives the task as the learners spell it.
    pub fn task(&self) -> metrics::Task {
        learn_task(&self.target)
    }

    /// Gives predictions beside what happened, with the model's own threshold, to be measured.
    pub fn scored<'r>(
        &self,
        targets: &'r [f64],
        predictions: &'r [f64],
        weights: Option<&'r [f64]>,
    ) -> metrics::Scored<'r> {
        metrics::Scored { task: self.task(), targets, predictions, weights, threshold: self.threshold }
    }

    /// Computes the metrics that every report has, each row counting once, with the model's own threshold.
    ///
    /// # Errors
    /// No rows, lengths that differ, targets that do not fit the task.
    pub fn metrics(&self, targets: &[f64], predictions: &[f64]) -> Result<BTreeMap<String, f64>, Error> {
        self.measure(&self.scored(targets, predictions, None), &[])
    }

    /// Computes the metrics that every report has, and those of `more` that the task has.
    ///
    /// # Errors
    /// No rows, lengths that differ, targets that do not fit the task, weights that are negative or all zero.
    pub fn measure(&self, scored: &metrics::Scored<'_>, more: &[&str]) -> Result<BTreeMap<String, f64>, Error> {
        let found = scored.metrics(&of_task(scored.task, more));
        found.map_err(|error| Error::Learn { candidate: self.name.clone(), part: "metrics".into(), error })
    }

    /// Gives the importance of each feature, by name, in the order of the features.
    pub fn importance(&self) -> Vec<(String, f64)> {
        let names = self.features.names();
        names.iter().cloned().zip(self.estimator.importance(names.len())).collect()
    }

    /// Gives the raw columns that it reads, with their types in the training rows.
    pub fn inputs(&self) -> Vec<(String, Type)> {
        self.features.inputs()
    }
}

/// Gives those of the metrics that a task has.
pub fn of_task<'n>(task: metrics::Task, names: &[&'n str]) -> Vec<&'n str> {
    let has = |name: &&&str| task.metrics().contains(*name) || task.more_metrics().contains(*name);
    names.iter().filter(has).copied().collect()
}

/// Gives the task as the learners spell it.
pub(crate) fn learn_task(target: &Target) -> metrics::Task {
    match target.task {
        Task::Binary => metrics::Task::Binary,
        Task::Multiclass => metrics::Task::Multiclass { classes: target.classes.as_ref().map_or(0, Vec::len) },
        Task::Regression => metrics::Task::Regression,
    }
}
