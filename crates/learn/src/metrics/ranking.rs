//! Rows sorted by their prediction.

use trainyard_exact::{mean, power_of_two, sum};

use super::{Predictions, Task, check};
use crate::Error;
use crate::binning::sortable;
use crate::error::{check_length, check_weights};

/// Computes the discounted cumulative gain within groups, the mean over groups.
///
/// Σ over ranks r of target / log₂(r + 1), the row of the highest score having rank 1 (Järvelin and Kekäläinen: "Cumulated
/// gain-based evaluation of IR techniques", 2002). Rows of equal scores share their mean gain (McSherry and Najork:
/// "Computing information retrieval performance measures efficiently in the presence of tied scores", 2008). With `most`
/// only that many ranks gain. `groups` names the group of each row, such as its query; a group counts the mean weight of
/// its rows.
///
/// # Errors
/// No rows, lengths that differ, targets or scores that are not finite, weights that are negative or all zero, `most` of 0.
pub fn dcg(
    targets: &[f64],
    scores: &[f64],
    groups: &[u64],
    most: Option<usize>,
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    over_groups("dcg", targets, scores, groups, most, weights, gain)
}

/// Computes the normalized discounted cumulative gain, 0 to 1: [`dcg`] of each group by that of its best order, the mean
/// over groups; 0 for a group without a target above 0.
///
/// # Errors
/// As [`dcg`], and targets below 0.
pub fn ndcg(
    targets: &[f64],
    scores: &[f64],
    groups: &[u64],
    most: Option<usize>,
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    let operation = "ndcg";
    if let Some(row) = targets.iter().position(|target| *target < 0.0) {
        return Err(Error::NegativeTarget { operation, row, value: targets[row] });
    }
    over_groups(operation, targets, scores, groups, most, weights, |rows, most| {
        let mut best: Vec<(f64, f64)> = rows.iter().map(|(_, target)| (*target, *target)).collect();
        best.sort_unstable_by_key(|(target, _)| std::cmp::Reverse(sortable(*target)));
        let best = gain(&best, most);
        if best > 0.0 { gain(rows, most) / best } else { 0.0 }
    })
}

/// Gives the mean over groups of what `of` says of each: of its scores and targets, from the highest score to the lowest.
fn over_groups(
    operation: &'static str,
    targets: &[f64],
    scores: &[f64],
    groups: &[u64],
    most: Option<usize>,
    weights: Option<&[f64]>,
    of: impl Fn(&[(f64, f64)], usize) -> f64,
) -> Result<f64, Error> {
    check(operation, Task::Regression, targets, scores, Predictions::Finite)?;
    check_length(operation, "groups", targets.len(), groups.len())?;
    check_weights(operation, weights, targets.len())?;
    if most == Some(0) {
        return Err(Error::Parameter { name: "most", value: 0.0, allowed: "at least 1" });
    }
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_unstable_by_key(|&row| {
        (groups[row], std::cmp::Reverse((sortable(scores[row]), sortable(targets[row]))), row)
    });
    let of_group = |rows: &[usize]| {
        let pairs: Vec<(f64, f64)> = rows.iter().map(|&row| (scores[row], targets[row])).collect();
        let weight = match weights {
            Some(weights) => mean(&rows.iter().map(|&row| weights[row]).collect::<Vec<f64>>()).unwrap_or(0.0),
            None => 1.0,
        };
        (weight, of(&pairs, most.unwrap_or(usize::MAX)))
    };
    let values: Vec<(f64, f64)> = order.chunk_by(|a, b| groups[*a] == groups[*b]).map(of_group).collect();
    Ok(sum(values.iter().map(|(weight, value)| weight * value)) / sum(values.iter().map(|(weight, _)| *weight)))
}

/// Gives the discounted gain of pairs of score and target, from the highest score to the lowest.
fn gain(rows: &[(f64, f64)], most: usize) -> f64 {
    let discount = |rank: usize| if rank < most { 1.0 / libm::log2(rank as f64 + 2.0) } else { 0.0 };
    let mut rank = 0;
    sum(rows.chunk_by(|a, b| a.0 == b.0).map(|level| {
        let discounts = sum((rank..rank + level.len()).map(discount));
        rank += level.len();
        discounts * (sum(level.iter().map(|(_, target)| *target)) / level.len() as f64)
    }))
}

/// What is predicted positive from one threshold on: the weight of its rows by class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) threshold: f64,
    pub(super) negatives: f64,
    pub(super) positives: f64,
}

/// Gives what each distinct prediction cuts off as a threshold, from the highest down; the last one has all rows.
///
/// Rows count by their weight; those of weight 0 are no rows, nor are those that weigh nothing beside all. Of equal weights each counts 1, and all others are scaled
/// by a power of two, so that their products stay inside the range. Whole weights give what as many equal rows would.
pub(super) fn cuts(targets: &[f64], predictions: &[f64], weights: Option<&[f64]>) -> Vec<Cut> {
    let weights = weights.filter(|weights| weights.iter().any(|weight| *weight != weights[0]));
    let Some(weights) = weights else {
        let ranking = Ranking::new(targets, predictions);
        let fall = |(negatives, positives): &mut (u64, u64), level: &Level| {
            *negatives += level.negatives;
            *positives += level.positives;
            Some(Cut { threshold: level.prediction, negatives: *negatives as f64, positives: *positives as f64 })
        };
        return ranking.levels.iter().rev().scan((0, 0), fall).collect();
    };
    let total: f64 = weights.iter().sum();
    let scale = power_of_two(1023 - (total.to_bits() >> 52) as i32);
    let mut rows: Vec<usize> = (0..targets.len()).filter(|row| weights[*row] * scale > 0.0).collect();
    // By weight too, so that sums do not depend on the order of the rows.
    rows.sort_unstable_by_key(|&row| (std::cmp::Reverse(sortable(predictions[row])), sortable(weights[row])));
    let (mut negatives, mut positives) = (0.0, 0.0);
    let level = |rows: &[usize]| {
        for &row in rows {
            let sum = if targets[row] > 0.5 { &mut positives } else { &mut negatives };
            *sum += weights[row] * scale;
        }
        Cut { threshold: predictions[rows[0]], negatives, positives }
    };
    rows.chunk_by(|a, b| sortable(predictions[*a]) == sortable(predictions[*b])).map(level).collect()
}

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

/// Gives the area under the ROC curve where nothing else is asked: numbers of each class, sorted by themselves, are several
/// times faster than rows.
pub(super) fn roc_auc(targets: &[f64], predictions: &[f64]) -> f64 {
    let positives = targets.iter().filter(|target| **target > 0.5).count();
    let mut classes = [Vec::with_capacity(targets.len() - positives), Vec::with_capacity(positives)];
    for (prediction, target) in predictions.iter().zip(targets) {
        classes[usize::from(*target > 0.5)].push(sortable(*prediction));
    }
    classes.iter_mut().for_each(|keys| keys.sort_unstable());
    let [negatives, positives] = classes;
    let mut area = Area::default();
    let mut at = 0;
    for level in positives.chunk_by(|first, second| first == second) {
        let below = negatives[at..].iter().take_while(|key| **key < level[0]).count();
        at += below;
        area.rise(below as u64, 0);
        let tied = negatives[at..].iter().take_while(|key| **key == level[0]).count();
        at += tied;
        area.rise(tied as u64, level.len() as u64);
    }
    area.rise((negatives.len() - at) as u64, 0);
    area.value()
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
