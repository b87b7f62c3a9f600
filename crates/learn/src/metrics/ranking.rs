//! Rows sorted by their prediction.

use crate::binning::sortable;

/// Counts the classes at each distinct prediction.
#[derive(Debug)]
pub(super) struct Ranking {
    /// From the lowest prediction to the highest.
    pub(super) levels: Vec<Level>,
    pub(super) negatives: u64,
    pub(super) positives: u64,
}

/// The rows of one prediction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) prediction: f64,
    pub(super) negatives: u64,
    pub(super) positives: u64,
}

impl Ranking {
    pub(super) fn new(targets: &[f64], predictions: &[f64]) -> Ranking {
        let mut rows: Vec<(u64, f64, bool)> = predictions
            .iter()
            .zip(targets)
            .map(|(&prediction, &target)| (sortable(prediction), prediction, target > 0.5))
            .collect();
        rows.sort_unstable_by_key(|(key, _, _)| *key);
        let mut ranking = Ranking { levels: Vec::new(), negatives: 0, positives: 0 };
        let mut last = None;
        for (key, prediction, is_positive) in rows {
            if last != Some(key) {
                ranking.levels.push(Level { prediction, negatives: 0, positives: 0 });
                last = Some(key);
            }
            if let Some(level) = ranking.levels.last_mut() {
                level.positives += u64::from(is_positive);
                level.negatives += u64::from(!is_positive);
            }
            ranking.positives += u64::from(is_positive);
            ranking.negatives += u64::from(!is_positive);
        }
        ranking
    }

    pub(super) fn roc_auc(&self) -> f64 {
        let mut area = Area::default();
        for level in &self.levels {
            area.rise(level.negatives, level.positives);
        }
        area.value()
    }

    pub(super) fn average_precision(&self) -> f64 {
        let mut steps = Steps::default();
        for level in self.levels.iter().rev() {
            steps.fall(level.negatives, level.positives);
        }
        steps.value()
    }
}

/// The share of pairs of a positive and a negative that are in order, ties one half (Mann and Whitney), in integers
/// that hold up to 2^32 rows.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Area {
    doubled: u64,
    negatives: u64,
    positives: u64,
}

impl Area {
    /// Takes the rows of the next higher prediction.
    #[inline]
    pub(super) fn rise(&mut self, negatives: u64, positives: u64) {
        self.doubled += positives * (2 * self.negatives + negatives);
        self.negatives += negatives;
        self.positives += positives;
    }

    /// Gives the area, NaN when there is one class.
    pub(super) fn value(self) -> f64 {
        let pairs = self.negatives * self.positives;
        if pairs == 0 { f64::NAN } else { self.doubled as f64 / (2 * pairs) as f64 }
    }
}

/// Σ (recall − last recall) · precision, from the highest prediction down.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Steps {
    sum: f64,
    predicted: u64,
    positives: u64,
}

impl Steps {
    /// Takes the rows of the next lower prediction.
    #[inline]
    pub(super) fn fall(&mut self, negatives: u64, positives: u64) {
        self.predicted += negatives + positives;
        self.positives += positives;
        // Without a branch: in a resample it would be taken at random.
        self.sum += positives as f64 * (self.positives as f64 / self.predicted.max(1) as f64);
    }

    /// Says whether there are no positives.
    pub(super) fn is_empty(self) -> bool {
        self.positives == 0
    }

    /// Gives the average precision, 0 when there are no positives.
    pub(super) fn value(self) -> f64 {
        if self.positives == 0 { 0.0 } else { self.sum / self.positives as f64 }
    }
}
