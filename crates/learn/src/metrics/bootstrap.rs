//! Uncertainty of metrics by resampling rows (Efron and Tibshirani: "An Introduction to the Bootstrap", 1993,
//! chapter 13).

use std::collections::BTreeMap;

use rayon::prelude::*;
use trainyard_exact::halfway;
use trainyard_random::{Key, Stream};

use super::binary::{accuracy_of, f1_of, log_loss_term, precision_of, recall_of};
use super::ranking::{Area, Steps};
use super::regression::r2_of;
use super::{BINARY, Metric, Predictions, REGRESSION, Task, check};
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
    let drawn = resample(targets.len(), resamples, seed, |counts, work| sample.all(counts, work));
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
    let metric = Metric::named(task, metric)?;
    check_resamples("paired bootstrap", task, targets, &[a, b], resamples)?;
    let difference = metric.of(targets, a, threshold)? - metric.of(targets, b, threshold)?;
    let order = sorted(targets.len(), |row| (sortable(targets[row]), sortable(a[row]), sortable(b[row])));
    let samples = [a, b].map(|predictions| Sample::new(task, targets, predictions, threshold, &order));
    let differences = resample(targets.len(), resamples, seed, |counts, work| {
        let [a, b] = samples.each_ref().map(|sample| sample.one(metric, counts, work));
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
    Regression(RegressionSample),
}

/// Rows from the lowest prediction to the highest, a list for each thing that is known of them.
struct BinarySample {
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
    fn all(&self, counts: &[u32], work: &mut Vec<u32>) -> [f64; BINARY.len()] {
        match self {
            Sample::Binary(sample) => sample.all(sample.drawn(counts, work)),
            Sample::Regression(sample) => {
                let mut all = [f64::NAN; BINARY.len()];
                all[..REGRESSION.len()].copy_from_slice(&sample.all(counts));
                all
            }
        }
    }

    /// Gives one metric; NaN where undefined.
    fn one(&self, metric: Metric, counts: &[u32], work: &mut Vec<u32>) -> f64 {
        match self {
            Sample::Binary(sample) => sample.one(metric, sample.drawn(counts, work)),
            Sample::Regression(sample) => sample.one(metric, counts),
        }
    }
}

impl BinarySample {
    fn new(targets: &[f64], predictions: &[f64], threshold: f64) -> BinarySample {
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
    fn drawn<'a>(&self, counts: &'a [u32], work: &'a mut Vec<u32>) -> &'a [u32] {
        let Some(places) = &self.places else { return counts };
        work.clear();
        work.extend(places.iter().map(|&place| counts[place as usize]));
        work
    }

    fn all(&self, drawn: &[u32]) -> [f64; BINARY.len()] {
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

    fn one(&self, metric: Metric, drawn: &[u32]) -> f64 {
        match metric {
            Metric::Accuracy => accuracy_of(self.confusion(drawn)),
            Metric::AveragePrecision => self.average_precision(drawn),
            Metric::Brier => self.losses(drawn)[1],
            Metric::F1 => f1_of(self.confusion(drawn)),
            Metric::LogLoss => self.losses(drawn)[0],
            Metric::Precision => precision_of(self.confusion(drawn)),
            Metric::Recall => recall_of(self.confusion(drawn)),
            Metric::RocAuc => self.roc_auc(drawn),
            // `Metric::named` gives none of these for a binary task.
            Metric::Mae | Metric::MedianAbsoluteError | Metric::R2 | Metric::Rmse => f64::NAN,
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

    fn roc_auc(&self, drawn: &[u32]) -> f64 {
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

    fn average_precision(&self, drawn: &[u32]) -> f64 {
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

impl RegressionSample {
    fn all(&self, counts: &[u32]) -> [f64; REGRESSION.len()] {
        let [sum, absolute, squared] = self.sums(counts);
        let rows = counts.len() as f64;
        [absolute / rows, self.median(counts), self.r2(counts, sum, squared), (squared / rows).sqrt()]
    }

    fn one(&self, metric: Metric, counts: &[u32]) -> f64 {
        let rows = counts.len() as f64;
        match metric {
            Metric::Mae => self.sums(counts)[1] / rows,
            Metric::MedianAbsoluteError => self.median(counts),
            Metric::R2 => {
                let [sum, _, squared] = self.sums(counts);
                self.r2(counts, sum, squared)
            }
            Metric::Rmse => (self.sums(counts)[2] / rows).sqrt(),
            // `Metric::named` gives none of these for a regression task.
            Metric::Accuracy
            | Metric::AveragePrecision
            | Metric::Brier
            | Metric::F1
            | Metric::LogLoss
            | Metric::Precision
            | Metric::Recall
            | Metric::RocAuc => f64::NAN,
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
