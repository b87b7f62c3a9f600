//! Uncertainty of metrics by resampling rows (Efron and Tibshirani: "An Introduction to the Bootstrap", 1993,
//! chapter 13).

use std::collections::BTreeMap;

use rayon::prelude::*;
use trainyard_random::Key;

use super::binary::{accuracy_of, f1_of, log_loss_term, precision_of, recall_of};
use super::ranking::{Area, Steps};
use super::regression::r2_of;
use super::{BINARY, Predictions, REGRESSION, Task, by_name, check};
use crate::Error;
use crate::binning::sortable;

/// The bounds of a 95 % percentile interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The 2.5 % quantile; NaN when no resample counts.
    pub low: f64,
    /// The 97.5 % quantile; NaN when no resample counts.
    pub high: f64,
    /// The resamples that do not count, because the metric is undefined on them (such as `roc_auc` of one class).
    pub skipped: usize,
}

/// The difference of a metric between two models on the same rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The metric of the first model less that of the second.
    pub difference: f64,
    /// The 2.5 % quantile of the difference; NaN when no resample counts.
    pub low: f64,
    /// The 97.5 % quantile of the difference; NaN when no resample counts.
    pub high: f64,
    /// Two-sided: twice the smaller share of resamples on one side of zero, at most 1; NaN when no resample counts.
    pub p_value: f64,
    /// The resamples that do not count, because the metric is undefined on them.
    pub skipped: usize,
}

/// Gives a 95 % interval of every metric of the task, by name.
///
/// Draws are keyed by `seed`, resample and position among the sorted rows, so that neither threads nor the order of the
/// rows matter. Rows are sorted once; a resample costs one pass.
///
/// # Errors
/// As [`super::binary`] and [`super::regression`]; no resamples.
pub fn bootstrap(
    task: Task,
    targets: &[f64],
    predictions: &[f64],
    threshold: f64,
    resamples: usize,
    seed: u64,
) -> Result<BTreeMap<String, Interval>, Error> {
    check_resamples("bootstrap", task, targets, &[predictions], resamples)?;
    let order = sorted(targets.len(), |row| (sortable(predictions[row]), sortable(targets[row])));
    let sample = Sample::new(task, targets, predictions, threshold, &order);
    let drawn = resample(targets.len(), resamples, seed, |counts, work| sample.metrics(counts, work));
    let interval = |metric: usize| {
        let mut values: Vec<f64> = drawn.iter().map(|values| values[metric]).filter(|value| !value.is_nan()).collect();
        let (low, high) = percentiles(&mut values);
        Interval { low, high, skipped: resamples - values.len() }
    };
    Ok(task.metrics().iter().enumerate().map(|(metric, name)| ((*name).to_owned(), interval(metric))).collect())
}

/// Gives the difference of `metric` between models `a` and `b`, drawing the same rows for both.
///
/// # Errors
/// A metric that the task does not have, and as [`bootstrap`].
#[expect(clippy::too_many_arguments, reason = "the question has that many parts, each of another kind")]
pub fn paired_bootstrap(
    metric: &str,
    task: Task,
    targets: &[f64],
    a: &[f64],
    b: &[f64],
    threshold: f64,
    resamples: usize,
    seed: u64,
) -> Result<Paired, Error> {
    let difference = by_name(metric, task, targets, a, threshold)? - by_name(metric, task, targets, b, threshold)?;
    check_resamples("paired bootstrap", task, targets, &[a, b], resamples)?;
    let place = task.metrics().iter().position(|name| *name == metric).unwrap_or(0);
    let order = sorted(targets.len(), |row| (sortable(targets[row]), sortable(a[row]), sortable(b[row])));
    let samples = [a, b].map(|predictions| Sample::new(task, targets, predictions, threshold, &order));
    let differences = resample(targets.len(), resamples, seed, |counts, work| {
        let [a, b] = samples.each_ref().map(|sample| sample.metrics(counts, work)[place]);
        a - b
    });
    let mut values: Vec<f64> = differences.into_iter().filter(|value| !value.is_nan()).collect();
    let (low, high) = percentiles(&mut values);
    let share = |count: usize| (count + 1) as f64 / (values.len() + 1) as f64;
    let below = share(values.iter().filter(|value| **value <= 0.0).count());
    let above = share(values.iter().filter(|value| **value >= 0.0).count());
    let p_value = if values.is_empty() { f64::NAN } else { (2.0 * below.min(above)).min(1.0) };
    Ok(Paired { difference, low, high, p_value, skipped: resamples - values.len() })
}

fn check_resamples(
    operation: &'static str,
    task: Task,
    targets: &[f64],
    predictions: &[&[f64]],
    resamples: usize,
) -> Result<(), Error> {
    if resamples == 0 {
        return Err(Error::Parameter { name: "resamples", value: 0.0, allowed: "at least 1" });
    }
    let kind = if task == Task::Binary { Predictions::Probabilities } else { Predictions::Finite };
    predictions.iter().try_for_each(|predictions| check(operation, task, targets, predictions, kind))
}

fn sorted<K: Ord>(rows: usize, key: impl Fn(usize) -> K) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_by_cached_key(|&row| key(row as usize));
    order
}

/// Runs `measure` on the counts of each resample; gives the results in order.
fn resample<T: Send>(
    rows: usize,
    resamples: usize,
    seed: u64,
    measure: impl Fn(&[u32], &mut Vec<u32>) -> T + Sync,
) -> Vec<T> {
    let key = Key::new(seed, "learn/bootstrap");
    let draw = |(counts, work): &mut (Vec<u32>, Vec<u32>), resample: usize| {
        counts.clear();
        counts.resize(rows, 0);
        let mut stream = key.derive(resample as u64).stream();
        for _ in 0..rows {
            // The bias of multiply-shift is below rows / 2^64.
            counts[((u128::from(stream.next_u64()) * rows as u128) >> 64) as usize] += 1;
        }
        measure(counts, work)
    };
    (0..resamples).into_par_iter().map_init(|| (Vec::new(), Vec::new()), draw).collect()
}

/// Gives the 2.5 % and 97.5 % quantiles, linear between values; sorts them.
fn percentiles(values: &mut [f64]) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return (f64::NAN, f64::NAN) };
    let quantile = |share: f64| {
        let place = share * last as f64;
        let below = place.floor() as usize;
        let above = (below + 1).min(last);
        values[below] + (values[above] - values[below]) * (place - below as f64)
    };
    (quantile(0.025), quantile(0.975))
}

/// The rows of one model, ready to be measured under any counts.
enum Sample {
    Binary(BinarySample),
    Regression(RegressionSample),
}

/// Rows from the lowest prediction to the highest.
struct BinarySample {
    /// Where each row's count lies.
    places: Vec<u32>,
    rows: Vec<BinaryRow>,
    /// The first row predicted positive.
    first_positive: usize,
}

#[derive(Clone, Copy)]
struct BinaryRow {
    is_positive: bool,
    /// Whether the next row has a higher prediction.
    ends_level: bool,
    log_loss: f64,
    brier: f64,
}

struct RegressionSample {
    targets: Vec<f64>,
    errors: Vec<f64>,
    /// Where the rows lie from the smallest absolute error to the largest.
    by_error: Vec<u32>,
}

impl Sample {
    /// Takes rows in the order `order`, which is that of the counts.
    fn new(task: Task, targets: &[f64], predictions: &[f64], threshold: f64, order: &[u32]) -> Sample {
        let targets: Vec<f64> = order.iter().map(|&row| targets[row as usize]).collect();
        let predictions: Vec<f64> = order.iter().map(|&row| predictions[row as usize]).collect();
        match task {
            Task::Binary => Sample::Binary(BinarySample::new(&targets, &predictions, threshold)),
            Task::Regression => {
                let errors: Vec<f64> = targets.iter().zip(&predictions).map(|(target, value)| target - value).collect();
                let by_error = sorted(errors.len(), |row| sortable(errors[row].abs()));
                Sample::Regression(RegressionSample { targets, errors, by_error })
            }
        }
    }

    /// Gives the task's metrics in the order of their names; NaN where undefined.
    fn metrics(&self, counts: &[u32], work: &mut Vec<u32>) -> [f64; BINARY.len()] {
        match self {
            Sample::Binary(sample) => sample.metrics(counts, work),
            Sample::Regression(sample) => {
                let mut all = [f64::NAN; BINARY.len()];
                all[..REGRESSION.len()].copy_from_slice(&sample.metrics(counts));
                all
            }
        }
    }
}

impl BinaryRow {
    /// Gives `count` to the row's class: negatives, positives.
    #[inline]
    fn split(&self, count: u32) -> [u64; 2] {
        let positives = u64::from(count) * u64::from(self.is_positive);
        [u64::from(count) - positives, positives]
    }
}

impl BinarySample {
    fn new(targets: &[f64], predictions: &[f64], threshold: f64) -> BinarySample {
        let places = sorted(targets.len(), |row| (sortable(predictions[row]), sortable(targets[row])));
        let prediction = |rank: usize| places.get(rank).map(|&place| predictions[place as usize]);
        let row = |(rank, &place): (usize, &u32)| {
            let (target, value) = (targets[place as usize], predictions[place as usize]);
            BinaryRow {
                is_positive: target > 0.5,
                ends_level: prediction(rank + 1) != Some(value),
                log_loss: log_loss_term(target > 0.5, value),
                brier: (value - target) * (value - target),
            }
        };
        let rows = places.iter().enumerate().map(row).collect();
        let first_positive = places.partition_point(|&place| predictions[place as usize] < threshold);
        BinarySample { places, rows, first_positive }
    }

    fn metrics(&self, counts: &[u32], work: &mut Vec<u32>) -> [f64; BINARY.len()] {
        work.clear();
        work.extend(self.places.iter().map(|&place| counts[place as usize]));
        let (mut log_loss, mut brier) = (0.0, 0.0);
        let (mut true_positives, mut false_positives) = (0, 0);
        let mut area = Area::default();
        let (mut negatives, mut positives) = (0, 0);
        // No branch depends on a count or a class: in a resample it would be taken at random.
        for (rank, (row, &count)) in self.rows.iter().zip(&*work).enumerate() {
            let weight = f64::from(count);
            log_loss += weight * row.log_loss;
            brier += weight * row.brier;
            let [more_negatives, more_positives] = row.split(count);
            let predicted = u64::from(rank >= self.first_positive);
            true_positives += predicted * more_positives;
            false_positives += predicted * more_negatives;
            negatives += more_negatives;
            positives += more_positives;
            if row.ends_level {
                area.rise(negatives, positives);
                (negatives, positives) = (0, 0);
            }
        }
        let mut steps = Steps::default();
        for (row, &count) in self.rows.iter().zip(&*work).rev() {
            // A level is complete where the next lower one ends.
            if row.ends_level {
                steps.fall(negatives, positives);
                (negatives, positives) = (0, 0);
            }
            let [more_negatives, more_positives] = row.split(count);
            negatives += more_negatives;
            positives += more_positives;
        }
        steps.fall(negatives, positives);
        let [negatives, positives] = area.classes();
        let confusion = [[negatives - false_positives, false_positives], [positives - true_positives, true_positives]];
        let rows = counts.len() as f64;
        [
            accuracy_of(confusion),
            if positives == 0 { f64::NAN } else { steps.value() },
            brier / rows,
            f1_of(confusion),
            log_loss / rows,
            precision_of(confusion),
            recall_of(confusion),
            area.value(),
        ]
    }
}

impl RegressionSample {
    fn metrics(&self, counts: &[u32]) -> [f64; REGRESSION.len()] {
        let rows = counts.len() as f64;
        let (mut sum, mut absolute, mut squared) = (0.0, 0.0, 0.0);
        for ((target, error), &count) in self.targets.iter().zip(&self.errors).zip(counts) {
            let weight = f64::from(count);
            sum += weight * target;
            absolute += weight * error.abs();
            squared += weight * (error * error);
        }
        let mean = sum / rows;
        let (mut spread, mut distinct, mut first) = (0.0, false, None);
        for (target, &count) in self.targets.iter().zip(counts).filter(|(_, count)| **count > 0) {
            spread += f64::from(count) * ((target - mean) * (target - mean));
            distinct |= *first.get_or_insert(*target) != *target;
        }
        let r2 = if distinct { r2_of(counts.len(), squared, spread) } else { f64::NAN };
        [absolute / rows, self.median(counts), r2, (squared / rows).sqrt()]
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
                return 0.5 * lower.unwrap_or(error) + 0.5 * error;
            }
        }
        f64::NAN
    }
}
