//! Rows of a target of several classes under any counts.

use super::super::multiclass::{Confusion, against_others, cells, row_brier, row_log_loss};
use super::super::{CLASSIFICATION, Metric};
use super::binary::BinarySample;

/// Rows in the order of the counts.
pub(super) struct MulticlassSample {
    /// Each class against all others.
    of_class: Vec<BinarySample>,
    /// The cell of the confusion of each row.
    cells: Vec<u32>,
    log_loss: Vec<f64>,
    brier: Vec<f64>,
}

impl MulticlassSample {
    pub(super) fn new(targets: &[f64], predictions: &[f64], classes: usize) -> MulticlassSample {
        let of_class = |class| {
            let (truths, probabilities) = against_others(class, targets, predictions, classes);
            BinarySample::new(&truths, &probabilities, 0.5)
        };
        let each = |of: fn(f64, &[f64]) -> f64| {
            targets.iter().zip(predictions.chunks_exact(classes)).map(|(target, row)| of(*target, row)).collect()
        };
        MulticlassSample {
            of_class: (0..classes).map(of_class).collect(),
            cells: cells(targets, predictions, classes).map(|cell| cell as u32).collect(),
            log_loss: each(row_log_loss),
            brier: each(row_brier),
        }
    }

    /// Gives the metrics in the order of their names; NaN where undefined.
    pub(super) fn all(&self, counts: &[u32], work: &mut Vec<u32>) -> [f64; CLASSIFICATION.len()] {
        let confusion = self.confusion(counts);
        let (mut average_precision, mut roc_auc) = (0.0, 0.0);
        for class in &self.of_class {
            let drawn = class.drawn(counts, work);
            average_precision += class.average_precision(drawn);
            roc_auc += class.roc_auc(drawn);
        }
        let classes = self.of_class.len() as f64;
        let of = |metric| confusion.value(metric).unwrap_or(f64::NAN);
        [
            of(Metric::Accuracy),
            average_precision / classes,
            mean(counts, &self.brier),
            of(Metric::F1),
            mean(counts, &self.log_loss),
            of(Metric::Precision),
            of(Metric::Recall),
            roc_auc / classes,
        ]
    }

    /// Gives one metric; NaN where undefined.
    pub(super) fn one(&self, metric: Metric, counts: &[u32], work: &mut Vec<u32>) -> f64 {
        let mut over_classes = |of: fn(&BinarySample, &[u32]) -> f64| {
            let sum: f64 = self.of_class.iter().map(|class| of(class, class.drawn(counts, work))).sum();
            sum / self.of_class.len() as f64
        };
        match metric {
            Metric::AveragePrecision => over_classes(BinarySample::average_precision),
            Metric::RocAuc => over_classes(BinarySample::roc_auc),
            Metric::Brier => mean(counts, &self.brier),
            Metric::LogLoss => mean(counts, &self.log_loss),
            other => self.confusion(counts).value(other).unwrap_or(f64::NAN),
        }
    }

    fn confusion(&self, counts: &[u32]) -> Confusion {
        let cells = self.cells.iter().zip(counts).map(|(cell, count)| (*cell as usize, u64::from(*count)));
        Confusion::new(self.of_class.len(), cells)
    }
}

fn mean(counts: &[u32], values: &[f64]) -> f64 {
    counts.iter().zip(values).map(|(count, value)| f64::from(*count) * value).sum::<f64>() / counts.len() as f64
}
