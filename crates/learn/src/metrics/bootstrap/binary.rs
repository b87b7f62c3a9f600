//! Rows of a binary target under any counts.

use super::super::binary::{accuracy_of, f1_of, log_loss_term, precision_of, recall_of};
use super::super::ranking::{Area, Steps};
use super::super::{CLASSIFICATION, Metric};
use super::sorted;
use crate::binning::sortable;

/// Rows from the lowest prediction to the highest, a list for each thing that is known of them.
pub(super) struct BinarySample {
    /// Where each row's count lies; `None` where the counts are in this order already.
    places: Option<Vec<u32>>,
    /// 1 for a row of the positive class, else 0.
    classes: Vec<u32>,
    /// Whether the next row has a higher prediction.
    ends_level: Vec<bool>,
    log_loss: Vec<f64>,
    brier: Vec<f64>,
    /// The first row predicted positive.
    first_positive: usize,
}

impl BinarySample {
    pub(super) fn new(targets: &[f64], predictions: &[f64], threshold: f64) -> BinarySample {
        let places = sorted(targets.len(), |row| (sortable(predictions[row]), sortable(targets[row])));
        let target = |place: &u32| targets[*place as usize];
        let prediction = |place: &u32| predictions[*place as usize];
        let ends = places.windows(2).map(|pair| prediction(&pair[0]) != prediction(&pair[1])).chain([true]);
        let square = |place: &u32| (prediction(place) - target(place)) * (prediction(place) - target(place));
        BinarySample {
            classes: places.iter().map(|place| u32::from(target(place) > 0.5)).collect(),
            ends_level: ends.collect(),
            log_loss: places.iter().map(|place| log_loss_term(target(place) > 0.5, prediction(place))).collect(),
            brier: places.iter().map(square).collect(),
            first_positive: places.partition_point(|place| prediction(place) < threshold),
            places: if places.is_sorted() { None } else { Some(places) },
        }
    }

    /// Gives the count of each row.
    pub(super) fn drawn<'a>(&self, counts: &'a [u32], work: &'a mut Vec<u32>) -> &'a [u32] {
        let Some(places) = &self.places else { return counts };
        work.clear();
        work.extend(places.iter().map(|&place| counts[place as usize]));
        work
    }

    pub(super) fn all(&self, drawn: &[u32]) -> [f64; CLASSIFICATION.len()] {
        let (confusion, [log_loss, brier]) = (self.confusion(drawn), self.losses(drawn));
        [
            accuracy_of(confusion),
            self.average_precision(drawn),
            brier,
            f1_of(confusion),
            log_loss,
            precision_of(confusion),
            recall_of(confusion),
            self.roc_auc(drawn),
        ]
    }

    pub(super) fn one(&self, metric: Metric, drawn: &[u32]) -> f64 {
        match metric {
            Metric::Accuracy => accuracy_of(self.confusion(drawn)),
            Metric::AveragePrecision => self.average_precision(drawn),
            Metric::Brier => self.losses(drawn)[1],
            Metric::F1 => f1_of(self.confusion(drawn)),
            Metric::LogLoss => self.losses(drawn)[0],
            Metric::Precision => precision_of(self.confusion(drawn)),
            Metric::Recall => recall_of(self.confusion(drawn)),
            Metric::RocAuc => self.roc_auc(drawn),
            // `Metric::named` gives none of these for a binary task, and further ones are not counted.
            Metric::Mae | Metric::MedianAbsoluteError | Metric::R2 | Metric::Rmse => f64::NAN,
            Metric::Further(_) => f64::NAN,
        }
    }

    fn confusion(&self, drawn: &[u32]) -> [[u64; 2]; 2] {
        let count = |rows: std::ops::Range<usize>| {
            let pairs = drawn[rows.clone()].iter().zip(&self.classes[rows]);
            let [all, positives] = pairs.fold([0u64; 2], |[all, positives], (&count, &class)| {
                [all + u64::from(count), positives + u64::from(count * class)]
            });
            [all - positives, positives]
        };
        let ([tn, fneg], [fp, tp]) = (count(0..self.first_positive), count(self.first_positive..drawn.len()));
        [[tn, fp], [fneg, tp]]
    }

    /// Gives the mean log loss and Brier score.
    fn losses(&self, drawn: &[u32]) -> [f64; 2] {
        let (mut log_loss, mut brier) = (0.0, 0.0);
        for ((&count, log), square) in drawn.iter().zip(&self.log_loss).zip(&self.brier) {
            log_loss += f64::from(count) * log;
            brier += f64::from(count) * square;
        }
        [log_loss / drawn.len() as f64, brier / drawn.len() as f64]
    }

    // No branch below depends on a count or a class: in a resample it would be taken at random.

    pub(super) fn roc_auc(&self, drawn: &[u32]) -> f64 {
        let mut area = Area::default();
        let (mut all, mut positives) = (0, 0);
        for ((&count, &class), &ends_level) in drawn.iter().zip(&self.classes).zip(&self.ends_level) {
            all += u64::from(count);
            positives += u64::from(count * class);
            if ends_level {
                area.rise(all - positives, positives);
                (all, positives) = (0, 0);
            }
        }
        area.value()
    }

    pub(super) fn average_precision(&self, drawn: &[u32]) -> f64 {
        let mut steps = Steps::default();
        let (mut all, mut positives) = (0, 0);
        for ((&count, &class), &ends_level) in drawn.iter().zip(&self.classes).zip(&self.ends_level).rev() {
            // A level is complete where the next lower one ends.
            if ends_level {
                steps.fall(all - positives, positives);
                (all, positives) = (0, 0);
            }
            all += u64::from(count);
            positives += u64::from(count * class);
        }
        steps.fall(all - positives, positives);
        if steps.is_empty() { f64::NAN } else { steps.value() }
    }
}
