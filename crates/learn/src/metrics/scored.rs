//! Predictions beside what happened, weights included: what reports, intervals, gates and comparisons measure.

use std::collections::BTreeMap;

use trainyard_exact::sum;

use super::bootstrap::{Interval, Paired, intervals, paired};
use super::multiclass::most_likely;
use super::weighed::{Exact, Weighed};
use super::{Metric, Predictions, Task, all, check};
use crate::Error;
use crate::error::check_weights;

/// Predictions of rows beside what happened.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// What is predicted.
    pub task: Task,
    /// What happened, a number a row.
    pub targets: &'a [f64],
    /// The predictions: [`Task::outputs`] a row.
    pub predictions: &'a [f64],
    /// How much each row counts, 0 or more; without, each counts once.
    pub weights: Option<&'a [f64]>,
    /// The probability from which on a row is predicted positive, where there are two classes.
    pub threshold: f64,
}

impl Scored<'_> {
    /// Computes one metric: one of [`Task::metrics`] or of [`Task::more_metrics`].
    ///
    /// NaN where it is undefined: `roc_auc` of one class, `r2` of one row, a deviance of a prediction that is not above 0.
    ///
    /// # Errors
    /// A name that the task does not have, no rows, lengths that differ, targets or predictions that do not fit the task,
    /// weights that are negative or all zero.
    pub fn metric(&self, name: &str) -> Result<f64, Error> {
        let metric = Metric::named(self.task, name)?;
        if let (None, false) = (self.weights, matches!(metric, Metric::Further(_))) {
            return metric.of(self.task, self.targets, self.predictions, self.threshold);
        }
        self.check("metrics")?;
        let (rows, weights) = self.in_order();
        Ok(rows.values::<Exact>(&[metric], &weights).first().copied().unwrap_or(f64::NAN))
    }

    /// Computes the metrics that every report has, and those of `more`, by name.
    ///
    /// # Errors
    /// As [`Scored::metric`].
    pub fn metrics(&self, more: &[&str]) -> Result<BTreeMap<String, f64>, Error> {
        let (names, metrics) = self.named(more)?;
        let Some(first) = (0..metrics.len()).find(|at| self.needs_weighing(metrics[*at])) else {
            return all(self.task, self.targets, self.predictions, self.threshold);
        };
        self.check("metrics")?;
        // Where each row counts once, the metrics of every report come first, and are computed by counts.
        let mut values =
            if first > 0 { all(self.task, self.targets, self.predictions, self.threshold)? } else { BTreeMap::new() };
        let (rows, weights) = self.in_order();
        let found = rows.values::<Exact>(&metrics[first..], &weights);
        values.extend(names[first..].iter().map(|name| (*name).to_owned()).zip(found));
        Ok(values)
    }

    /// Gives a 95 % interval of the metrics that every report has, and of those of `more`, by name.
    ///
    /// Rows are drawn with equal chances, and each counts by its weight as often as it is drawn. Draws are keyed by `seed`,
    /// resample and position among the sorted rows, so that neither threads nor the order of the rows matter.
    ///
    /// # Errors
    /// As [`Scored::metric`], predictions of classes that are no probabilities, and no resamples.
    pub fn bootstrap(&self, more: &[&str], resamples: usize, seed: u64) -> Result<BTreeMap<String, Interval>, Error> {
        self.check("bootstrap")?;
        let (names, metrics) = self.named(more)?;
        let found = intervals(self, &metrics, resamples, seed)?;
        Ok(names.into_iter().map(str::to_owned).zip(found).collect())
    }

    /// Gives the difference of a metric between these predictions and `others` of the same rows, drawing the same rows for
    /// both.
    ///
    /// # Errors
    /// As [`Scored::bootstrap`].
    pub fn paired(&self, others: &[f64], name: &str, resamples: usize, seed: u64) -> Result<Paired, Error> {
        let metric = Metric::named(self.task, name)?;
        let other = Scored { predictions: others, ..*self };
        self.check("paired bootstrap")?;
        other.check("paired bootstrap")?;
        paired(self, &other, name, metric, resamples, seed)
    }

    /// Adds up rows by truth (outer) and predicted class (inner), in the order of the classes: their number, or their
    /// weight. Nothing for numbers.
    ///
    /// # Errors
    /// As [`Scored::metric`].
    pub fn confusion(&self) -> Result<Vec<Vec<f64>>, Error> {
        self.check("confusion")?;
        let Some(classes) = self.task.classes() else { return Ok(Vec::new()) };
        let predicted = |row: usize| match self.task {
            Task::Multiclass { .. } => most_likely(&self.predictions[row * classes..][..classes]),
            _ => usize::from(self.predictions[row] >= self.threshold),
        };
        let cell = |row: usize| (self.targets[row] as usize * classes + predicted(row), self.weight(row));
        let mut rows: Vec<(usize, f64)> = (0..self.targets.len()).map(cell).collect();
        rows.sort_unstable_by_key(|(cell, _)| *cell);
        let mut sums = vec![vec![0.0; classes]; classes];
        for rows in rows.chunk_by(|a, b| a.0 == b.0) {
            let cell = rows[0].0;
            sums[cell / classes][cell % classes] = sum(rows.iter().map(|(_, weight)| *weight));
        }
        Ok(sums)
    }

    /// Gives the metrics of every report and those of `more` that are none of them, each once.
    fn named<'n>(&self, more: &[&'n str]) -> Result<(Vec<&'n str>, Vec<Metric>), Error> {
        let mut names: Vec<&'n str> = self.task.metrics().to_vec();
        more.iter().for_each(|name| {
            if !names.contains(name) {
                names.push(name);
            }
        });
        let metrics =
            names.iter().map(|name| Metric::named(self.task, name)).collect::<Result<Vec<Metric>, Error>>()?;
        Ok((names, metrics))
    }

    /// Says whether counts of rows do not tell a metric.
    pub(super) fn needs_weighing(&self, metric: Metric) -> bool {
        self.weights.is_some() || matches!(metric, Metric::Further(_))
    }

    fn check(&self, operation: &'static str) -> Result<(), Error> {
        let kind = if self.task == Task::Regression { Predictions::Finite } else { Predictions::Probabilities };
        check(operation, self.task, self.targets, self.predictions, kind)?;
        check_weights(operation, self.weights, self.targets.len())
    }

    /// Gives the weight of a row.
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// Gives the rows in the order of `order`, and how much each counts.
    pub(super) fn weighed(&self, order: &[u32]) -> (Weighed, Vec<f64>) {
        let outputs = self.task.outputs();
        let targets = order.iter().map(|row| self.targets[*row as usize]).collect();
        let of_row = |row: &u32| &self.predictions[*row as usize * outputs..][..outputs];
        let predictions = order.iter().flat_map(of_row).copied().collect();
        let weights = order.iter().map(|row| self.weight(*row as usize)).collect();
        (Weighed::new(self.task, targets, predictions, self.threshold), weights)
    }

    /// Gives the rows in an order of their own, so that theirs as given does not matter.
    fn in_order(&self) -> (Weighed, Vec<f64>) {
        self.weighed(&super::bootstrap::sorted_rows(self, &[self.predictions]))
    }
}
