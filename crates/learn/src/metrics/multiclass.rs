//! Metrics of a target of several classes.

use trainyard_exact::sum;

use super::Metric;
use super::binary::{f1_of, log_loss_term, precision_of, recall_of};
use super::ranking::Ranking;

/// Gives the class that is most likely, of equal ones the first.
pub fn most_likely(probabilities: &[f64]) -> usize {
    let better = |best: usize, class: usize| if probabilities[class] > probabilities[best] { class } else { best };
    (0..probabilities.len()).fold(0, better)
}

/// Gives the cell of the confusion of each row: truth times the number of classes, plus prediction.
pub(super) fn cells<'a>(
    targets: &'a [f64],
    predictions: &'a [f64],
    classes: usize,
) -> impl Iterator<Item = usize> + 'a {
    let rows = targets.iter().zip(predictions.chunks_exact(classes.max(1)));
    rows.map(move |(target, row)| *target as usize * classes + most_likely(row))
}

/// Gives what a row adds to the log loss: minus the logarithm of the probability of its class.
pub(super) fn row_log_loss(target: f64, row: &[f64]) -> f64 {
    log_loss_term(true, row[target as usize])
}

/// Gives the squared distance of a row's probabilities and truth.
pub(super) fn row_brier(target: f64, row: &[f64]) -> f64 {
    let distance = |(class, probability): (usize, &f64)| probability - if class == target as usize { 1.0 } else { 0.0 };
    row.iter().enumerate().map(distance).map(|distance| distance * distance).sum()
}

/// Rows by truth and prediction.
#[derive(Debug)]
pub(super) struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Adds up how often each cell occurs.
    pub(super) fn new(classes: usize, cells: impl Iterator<Item = (usize, u64)>) -> Confusion {
        let mut counts = vec![0; classes * classes];
        cells.for_each(|(cell, count)| counts[cell] += count);
        Confusion { classes, counts }
    }

    pub(super) fn accuracy(&self) -> f64 {
        let right: u64 = self.counts.iter().step_by(self.classes + 1).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Gives the mean over classes of what `of` says of each against all others.
    pub(super) fn mean(&self, of: fn([[u64; 2]; 2]) -> f64) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let against_others = |class: usize| {
            let truly: u64 = self.counts[class * self.classes..(class + 1) * self.classes].iter().sum();
            let predicted: u64 = self.counts.iter().skip(class).step_by(self.classes).sum();
            let both = self.counts[class * self.classes + class];
            of([[all + both - truly - predicted, predicted - both], [truly - both, both]])
        };
        (0..self.classes).map(against_others).sum::<f64>() / self.classes as f64
    }

    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Accuracy => Some(self.accuracy()),
            Metric::F1 => Some(self.mean(f1_of)),
            Metric::Precision => Some(self.mean(precision_of)),
            Metric::Recall => Some(self.mean(recall_of)),
            _ => None,
        }
    }
}

/// What is computed once for all metrics.
pub(super) struct Measured<'a> {
    targets: &'a [f64],
    predictions: &'a [f64],
    classes: usize,
    confusion: Confusion,
    /// Each class against all others.
    rankings: Vec<Ranking>,
}

impl<'a> Measured<'a> {
    pub(super) fn new(targets: &'a [f64], predictions: &'a [f64], classes: usize) -> Measured<'a> {
        let ranking = |class: usize| {
            let (truths, probabilities) = against_others(class, targets, predictions, classes);
            Ranking::new(&truths, &probabilities)
        };
        Measured {
            targets,
            predictions,
            classes,
            confusion: Confusion::new(classes, cells(targets, predictions, classes).map(|cell| (cell, 1))),
            rankings: (0..classes).map(ranking).collect(),
        }
    }

    /// Gives a metric of classes; NaN where it is undefined.
    pub(super) fn value(&self, metric: Metric) -> f64 {
        let rows = || self.targets.iter().zip(self.predictions.chunks_exact(self.classes));
        let mean =
            |of: fn(f64, &[f64]) -> f64| sum(rows().map(|(target, row)| of(*target, row))) / self.targets.len() as f64;
        let over_classes = |of: fn(&Ranking) -> f64| self.rankings.iter().map(of).sum::<f64>() / self.classes as f64;
        match metric {
            Metric::AveragePrecision => over_classes(Ranking::average_precision),
            Metric::RocAuc => over_classes(Ranking::roc_auc),
            Metric::Brier => mean(row_brier),
            Metric::LogLoss => mean(row_log_loss),
            other => self.confusion.value(other).unwrap_or(f64::NAN),
        }
    }
}

/// Gives a class's truth (1 for its rows, 0 for the others) and probability of every row.
pub(super) fn against_others(
    class: usize,
    targets: &[f64],
    predictions: &[f64],
    classes: usize,
) -> (Vec<f64>, Vec<f64>) {
    let truths = targets.iter().map(|target| if *target as usize == class { 1.0 } else { 0.0 }).collect();
    (truths, predictions.iter().skip(class).step_by(classes).copied().collect())
}
