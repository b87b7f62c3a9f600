//! Uncertainty of metrics by resampling rows (Efron and Tibshirani: "An Introduction to the Bootstrap", 1993,
//! chapter 13).

use std::collections::BTreeMap;

use rayon::prelude::*;
use trainyard_random::{Key, Stream};

use self::binary::BinarySample;
use self::multiclass::MulticlassSample;
use self::regression::RegressionSample;
use super::weighed::{Plain, Weighed};
use super::{CLASSIFICATION, Metric, REGRESSION, Scored, Task};
use crate::Error;
use crate::binning::sortable;

mod binary;
mod multiclass;
mod regression;

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

/// Gives a 95 % interval of every metric of the task, by name, each row counting once.
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
    Scored { task, targets, predictions, weights: None, threshold }.bootstrap(&[], resamples, seed)
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
    Scored { task, targets, predictions: a, weights: None, threshold }.paired(b, metric, resamples, seed)
}

/// Gives the interval of each metric; the metrics of every report come first.
pub(super) fn intervals(
    scored: &Scored<'_>,
    metrics: &[Metric],
    resamples: usize,
    seed: u64,
) -> Result<Vec<Interval>, Error> {
    check_resamples(resamples)?;
    let (targets, predictions) = (scored.targets, scored.predictions);
    let order = match scored.task {
        // By hand and not by `sorted_rows`: the order decides the draws, and these have been so from the first.
        Task::Binary | Task::Regression if scored.weights.is_none() => {
            sorted(targets.len(), |row| (sortable(predictions[row]), sortable(targets[row])))
        }
        _ => sorted_rows(scored, &[predictions]),
    };
    let counted = metrics.iter().take_while(|metric| !scored.needs_weighing(**metric)).count();
    let sample = (counted > 0).then(|| Sample::new(scored, &order));
    let weighed = (counted < metrics.len()).then(|| scored.weighed(&order));
    let drawn = resample(targets.len(), resamples, seed, |counts, work| {
        let mut values: Vec<f64> = Vec::with_capacity(metrics.len());
        if let Some(sample) = &sample {
            values.extend(sample.all(counts, work).into_iter().take(counted));
        }
        if let Some((rows, weights)) = &weighed {
            values.extend(rows.values::<Plain>(&metrics[counted..], &times(weights, counts)));
        }
        values
    });
    let interval = |metric: usize| {
        let mut values: Vec<f64> = drawn.iter().map(|values| values[metric]).filter(|value| !value.is_nan()).collect();
        let (low, high) = percentiles(&mut values);
        Interval { low, high, skipped: resamples - values.len() }
    };
    Ok((0..metrics.len()).map(interval).collect())
}

/// Gives the difference of a metric between two models' predictions of the same rows.
pub(super) fn paired(
    a: &Scored<'_>,
    b: &Scored<'_>,
    name: &str,
    metric: Metric,
    resamples: usize,
    seed: u64,
) -> Result<Paired, Error> {
    check_resamples(resamples)?;
    let difference = a.metric(name)? - b.metric(name)?;
    let order = sorted_rows(a, &[a.predictions, b.predictions]);
    let differences = if a.needs_weighing(metric) {
        let samples: [(Weighed, Vec<f64>); 2] = [a, b].map(|scored| scored.weighed(&order));
        resample(a.targets.len(), resamples, seed, |counts, _| {
            let [a, b] = samples.each_ref().map(|(rows, weights)| {
                let values = rows.values::<Plain>(&[metric], &times(weights, counts));
                values.first().copied().unwrap_or(f64::NAN)
            });
            a - b
        })
    } else {
        let samples = [a, b].map(|scored| Sample::new(scored, &order));
        resample(a.targets.len(), resamples, seed, |counts, work| {
            let [a, b] = samples.each_ref().map(|sample| sample.one(metric, counts, work));
            a - b
        })
    };
    let mut values: Vec<f64> = differences.into_iter().filter(|value| !value.is_nan()).collect();
    let (low, high) = percentiles(&mut values);
    let share = |count: usize| (count + 1) as f64 / (values.len() + 1) as f64;
    let below = share(values.iter().filter(|value| **value <= 0.0).count());
    let above = share(values.iter().filter(|value| **value >= 0.0).count());
    let p_value = if values.is_empty() { f64::NAN } else { (2.0 * below.min(above)).min(1.0) };
    Ok(Paired { difference, low, high, p_value, skipped: resamples - values.len() })
}

fn check_resamples(resamples: usize) -> Result<(), Error> {
    let few = Error::Parameter { name: "resamples", value: 0.0, allowed: "at least 1" };
    if resamples == 0 { Err(few) } else { Ok(()) }
}

/// Gives how much each row counts in a resample.
fn times(weights: &[f64], counts: &[u32]) -> Vec<f64> {
    weights.iter().zip(counts).map(|(weight, count)| weight * f64::from(*count)).collect()
}

fn sorted<K: Ord>(rows: usize, key: impl Fn(usize) -> K) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_by_cached_key(|&row| key(row as usize));
    order
}

/// Sorts rows by their target, then by what each model says of them, then by how much they count, so that their order as
/// given does not matter.
pub(super) fn sorted_rows(scored: &Scored<'_>, models: &[&[f64]]) -> Vec<u32> {
    let outputs = scored.task.outputs();
    let key = |row: u32| {
        let of_models = models.iter().flat_map(move |model| &model[row as usize * outputs..][..outputs]);
        let weight = scored.weight(row as usize);
        std::iter::once(scored.targets[row as usize]).chain(of_models.copied()).chain([weight]).map(sortable)
    };
    let mut order: Vec<u32> = (0..scored.targets.len() as u32).collect();
    order.sort_by(|a, b| key(*a).cmp(key(*b)));
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
    let start = || (vec![0; rows], vec![0; rows], Vec::new());
    let draw = |(bytes, counts, work): &mut (Vec<u8>, Vec<u32>, Vec<u32>), resample: usize| {
        draw(key.derive(resample as u64).stream(), bytes, counts);
        measure(counts, work)
    };
    (0..resamples).into_par_iter().map_init(start, draw).collect()
}

/// Draws as many rows as there are and counts how often each was.
fn draw(mut stream: Stream, bytes: &mut [u8], counts: &mut [u32]) {
    let rows = bytes.len();
    // The bias of multiply-shift is below rows / 2^64.
    let draws = (0..rows).map(|_| ((u128::from(stream.next_u64()) * rows as u128) >> 64) as usize);
    tally(draws, bytes, counts);
}

/// Counts how often each row is drawn.
///
/// Counts grow as bytes, of which four times as many fit into the cache; `bytes` is all 0 before and after.
#[inline]
fn tally(draws: impl Iterator<Item = usize>, bytes: &mut [u8], counts: &mut [u32]) {
    counts.fill(0);
    for row in draws {
        bytes[row] = bytes[row].wrapping_add(1);
        if bytes[row] == 0 {
            counts[row] += 256;
        }
    }
    for (count, byte) in counts.iter_mut().zip(bytes) {
        *count += u32::from(std::mem::take(byte));
    }
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
    Multiclass(MulticlassSample),
    Regression(RegressionSample),
}

impl Sample {
    /// Takes rows in the order `order`, which is that of the counts.
    fn new(scored: &Scored<'_>, order: &[u32]) -> Sample {
        let Scored { task, predictions, threshold, .. } = *scored;
        let targets: Vec<f64> = order.iter().map(|&row| scored.targets[row as usize]).collect();
        let outputs = task.outputs();
        let row = |row: &u32| *row as usize * outputs..(*row as usize + 1) * outputs;
        let predictions: Vec<f64> = order.iter().flat_map(|at| &predictions[row(at)]).copied().collect();
        match task {
            Task::Binary => Sample::Binary(BinarySample::new(&targets, &predictions, threshold)),
            Task::Multiclass { classes } => Sample::Multiclass(MulticlassSample::new(&targets, &predictions, classes)),
            Task::Regression => Sample::Regression(RegressionSample::new(targets, &predictions)),
        }
    }

    /// Gives the task's metrics in the order of their names; NaN where undefined.
    fn all(&self, counts: &[u32], work: &mut Vec<u32>) -> [f64; CLASSIFICATION.len()] {
        match self {
            Sample::Binary(sample) => sample.all(sample.drawn(counts, work)),
            Sample::Multiclass(sample) => sample.all(counts, work),
            Sample::Regression(sample) => {
                let mut all = [f64::NAN; CLASSIFICATION.len()];
                all[..REGRESSION.len()].copy_from_slice(&sample.all(counts));
                all
            }
        }
    }

    /// Gives one metric; NaN where undefined.
    fn one(&self, metric: Metric, counts: &[u32], work: &mut Vec<u32>) -> f64 {
        match self {
            Sample::Binary(sample) => sample.one(metric, sample.drawn(counts, work)),
            Sample::Multiclass(sample) => sample.one(metric, counts, work),
            Sample::Regression(sample) => sample.one(metric, counts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tally;

    #[test]
    fn a_count_may_be_more_than_a_byte() {
        let (mut bytes, mut counts) = ([0; 4], [7; 4]);
        for _ in 0..2 {
            let draws =
                [(0, 1), (1, 255), (2, 256), (3, 70_000)].into_iter().flat_map(|(row, n)| (0..n).map(move |_| row));
            tally(draws, &mut bytes, &mut counts);
            assert_eq!((counts, bytes), ([1, 255, 256, 70_000], [0; 4]));
        }
    }
}
