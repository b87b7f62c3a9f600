//! Rows of a numeric target under any counts.

use trainyard_exact::halfway;

use super::super::regression::r2_of;
use super::super::{Metric, REGRESSION};
use super::sorted;
use crate::binning::sortable;

pub(super) struct RegressionSample {
    targets: Vec<f64>,
    errors: Vec<f64>,
    /// Where the rows lie from the smallest absolute error to the largest.
    by_error: Vec<u32>,
}

impl RegressionSample {
    pub(super) fn new(targets: Vec<f64>, predictions: &[f64]) -> RegressionSample {
        let errors: Vec<f64> = targets.iter().zip(predictions).map(|(target, value)| target - value).collect();
        let by_error = sorted(errors.len(), |row| sortable(errors[row].abs()));
        RegressionSample { targets, errors, by_error }
    }

    pub(super) fn all(&self, counts: &[u32]) -> [f64; REGRESSION.len()] {
        let [sum, absolute, squared] = self.sums(counts);
        let rows = counts.len() as f64;
        [absolute / rows, self.median(counts), self.r2(counts, sum, squared), (squared / rows).sqrt()]
    }

    pub(super) fn one(&self, metric: Metric, counts: &[u32]) -> f64 {
        let rows = counts.len() as f64;
        match metric {
            Metric::Mae => self.sums(counts)[1] / rows,
            Metric::MedianAbsoluteError => self.median(counts),
            Metric::R2 => {
                let [sum, _, squared] = self.sums(counts);
                self.r2(counts, sum, squared)
            }
            Metric::Rmse => (self.sums(counts)[2] / rows).sqrt(),
            // `Metric::named` gives none of these for a regression task, and further ones are not counted.
            Metric::Accuracy
            | Metric::AveragePrecision
            | Metric::Brier
            | Metric::F1
            | Metric::LogLoss
            | Metric::Precision
            | Metric::Recall
            | Metric::RocAuc
            | Metric::Further(_) => f64::NAN,
        }
    }

    /// Gives the sums of targets, absolute errors and squared errors.
    fn sums(&self, counts: &[u32]) -> [f64; 3] {
        let (mut sum, mut absolute, mut squared) = (0.0, 0.0, 0.0);
        for ((target, error), &count) in self.targets.iter().zip(&self.errors).zip(counts) {
            let weight = f64::from(count);
            sum += weight * target;
            absolute += weight * error.abs();
            squared += weight * (error * error);
        }
        [sum, absolute, squared]
    }

    fn r2(&self, counts: &[u32], sum: f64, squared: f64) -> f64 {
        let mean = sum / counts.len() as f64;
        let (mut spread, mut distinct, mut first) = (0.0, false, None);
        for (target, &count) in self.targets.iter().zip(counts).filter(|(_, count)| **count > 0) {
            spread += f64::from(count) * ((target - mean) * (target - mean));
            distinct |= *first.get_or_insert(*target) != *target;
        }
        if distinct { r2_of(counts.len(), squared, spread) } else { f64::NAN }
    }

    fn median(&self, counts: &[u32]) -> f64 {
        let (low, high) = ((counts.len() - 1) / 2, counts.len() / 2);
        let (mut seen, mut lower) = (0, None);
        for &place in &self.by_error {
            seen += counts[place as usize] as usize;
            let error = self.errors[place as usize].abs();
            if seen > low {
                lower.get_or_insert(error);
            }
            if seen > high {
                return halfway(lower.unwrap_or(error), error);
            }
        }
        f64::NAN
    }
}
