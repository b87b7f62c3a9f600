//! Every metric of rows that count differently: by weights, by how often a resample drew them, or both.

use std::cell::LazyCell;

use trainyard_exact::{halfway, power_of_two};

use super::binary::log_loss_term;
use super::errors::{deviance_of, explained, pinball, share_of_target, squared_log_error};
use super::multiclass::{most_likely, row_brier, row_log_loss};
use super::weighted::{KappaWeights, WeightedConfusion};
use super::{Further, Metric, Task};
use crate::binning::sortable;

/// The exponent of two from which a sum of weights is brought near 1.
const FAR: i32 = 256;

/// How terms are added.
pub(super) trait Adding {
    /// Whether the rows are a resample, on which a metric is undefined that does not tell one model from another there.
    const DRAWN: bool;

    fn sum(terms: impl Iterator<Item = f64>) -> f64;
}

/// Exactly, for what is reported.
pub(super) struct Exact;

/// In the order of the rows, for resamples.
pub(super) struct Plain;

impl Adding for Exact {
    const DRAWN: bool = false;

    fn sum(terms: impl Iterator<Item = f64>) -> f64 {
        trainyard_exact::sum(terms)
    }
}

impl Adding for Plain {
    const DRAWN: bool = true;

    fn sum(terms: impl Iterator<Item = f64>) -> f64 {
        terms.sum()
    }
}

/// Rows in one order, ready to be measured under any weights.
pub(super) struct Weighed {
    task: Task,
    targets: Vec<f64>,
    /// Of regression; of classes what follows is enough.
    predictions: Vec<f64>,
    /// The place of each row in the confusion: true class times the number of classes, plus predicted class.
    cells: Vec<u32>,
    log_loss: Vec<f64>,
    brier: Vec<f64>,
    /// The positive class of two, or each of several, against all others.
    rankings: Vec<Ranked>,
    /// The rows from the smallest absolute error to the largest.
    by_error: Vec<u32>,
    /// The rows from the smallest target to the largest.
    by_target: Vec<u32>,
}

/// Rows from the lowest prediction to the highest.
struct Ranked {
    rows: Vec<u32>,
    is_positive: Vec<bool>,
    /// Whether the next row has a higher prediction.
    ends_level: Vec<bool>,
}

impl Ranked {
    fn new(predictions: &[f64], is_positive: impl Fn(usize) -> bool) -> Ranked {
        let rows = order(predictions.len(), |row| sortable(predictions[row]));
        let at = |place: &u32| predictions[*place as usize];
        Ranked {
            is_positive: rows.iter().map(|row| is_positive(*row as usize)).collect(),
            ends_level: rows.windows(2).map(|pair| at(&pair[0]) != at(&pair[1])).chain([true]).collect(),
            rows,
        }
    }

    /// Gives the weights of negatives and positives at each prediction, from the lowest to the highest.
    fn levels(&self, weights: &[f64]) -> Vec<[f64; 2]> {
        let (mut levels, mut level) = (Vec::new(), [0.0; 2]);
        for ((row, is_positive), ends_level) in self.rows.iter().zip(&self.is_positive).zip(&self.ends_level) {
            level[usize::from(*is_positive)] += weights[*row as usize];
            if *ends_level {
                levels.push(level);
                level = [0.0; 2];
            }
        }
        levels
    }

    /// Gives the area under the ROC curve, ties counted half; NaN when there is one class.
    fn roc_auc(&self, weights: &[f64]) -> f64 {
        let (mut area, mut below, mut all) = (0.0, 0.0, 0.0);
        for [negatives, positives] in self.levels(weights) {
            area += positives * (below + 0.5 * negatives);
            below += negatives;
            all += positives;
        }
        if below > 0.0 && all > 0.0 { area / below / all } else { f64::NAN }
    }

    /// Gives Σ (Rₙ − Rₙ₋₁) Pₙ over distinct predictions; without positives 0, in a resample NaN.
    fn average_precision<A: Adding>(&self, weights: &[f64]) -> f64 {
        let (mut area, mut predicted, mut found) = (0.0, 0.0, 0.0);
        for [negatives, positives] in self.levels(weights).into_iter().rev() {
            predicted += negatives + positives;
            found += positives;
            if positives > 0.0 {
                area += positives * (found / predicted);
            }
        }
        if found > 0.0 {
            area / found
        } else if A::DRAWN {
            f64::NAN
        } else {
            0.0
        }
    }
}

impl Weighed {
    pub(super) fn new(task: Task, targets: Vec<f64>, predictions: Vec<f64>, threshold: f64) -> Weighed {
        let mut weighed = Weighed {
            task,
            predictions: Vec::new(),
            cells: Vec::new(),
            log_loss: Vec::new(),
            brier: Vec::new(),
            rankings: Vec::new(),
            by_error: Vec::new(),
            by_target: Vec::new(),
            targets,
        };
        let targets = &weighed.targets;
        let rows = targets.len();
        match task {
            Task::Binary => {
                let cell = |row: usize| 2 * u32::from(targets[row] > 0.5) + u32::from(predictions[row] >= threshold);
                let square = |row: usize| (predictions[row] - targets[row]) * (predictions[row] - targets[row]);
                weighed.cells = (0..rows).map(cell).collect();
                weighed.log_loss = (0..rows).map(|row| log_loss_term(targets[row] > 0.5, predictions[row])).collect();
                weighed.brier = (0..rows).map(square).collect();
                weighed.rankings = vec![Ranked::new(&predictions, |row| targets[row] > 0.5)];
            }
            Task::Multiclass { classes } => {
                let of = |row: usize| &predictions[row * classes..][..classes];
                let cell = |row: usize| (targets[row] as usize * classes + most_likely(of(row))) as u32;
                let ranking = |class: usize| {
                    let scores: Vec<f64> = predictions.iter().skip(class).step_by(classes).copied().collect();
                    Ranked::new(&scores, |row| targets[row] as usize == class)
                };
                weighed.cells = (0..rows).map(cell).collect();
                weighed.log_loss = (0..rows).map(|row| row_log_loss(targets[row], of(row))).collect();
                weighed.brier = (0..rows).map(|row| row_brier(targets[row], of(row))).collect();
                weighed.rankings = (0..classes).map(ranking).collect();
            }
            Task::Regression => {
                weighed.by_error = order(rows, |row| sortable((targets[row] - predictions[row]).abs()));
                weighed.by_target = order(rows, |row| sortable(targets[row]));
                weighed.predictions = predictions;
            }
        }
        weighed
    }

    /// Gives metrics under weights; NaN where undefined, and everywhere where no row counts.
    pub(super) fn values<A: Adding>(&self, metrics: &[Metric], weights: &[f64]) -> Vec<f64> {
        let total = A::sum(weights.iter().copied());
        if total.is_nan() || total <= 0.0 {
            return vec![f64::NAN; metrics.len()];
        }
        let exponent = (total.to_bits() >> 52) as i32 - 1023;
        if exponent.abs() > FAR {
            // The product of two such weights may be no double.
            let scale = power_of_two(-exponent.clamp(-1022, 1022));
            let scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
            return self.values::<A>(metrics, &scaled);
        }
        let confusion = LazyCell::new(|| self.confusion(weights));
        metrics.iter().map(|metric| self.value::<A>(*metric, weights, total, &confusion)).collect()
    }

    fn value<A: Adding>(
        &self,
        metric: Metric,
        weights: &[f64],
        total: f64,
        confusion: &LazyCell<WeightedConfusion, impl FnOnce() -> WeightedConfusion>,
    ) -> f64 {
        let mean = |values: &[f64]| A::sum(values.iter().zip(weights).map(|(value, weight)| value * weight)) / total;
        let over_rankings =
            |of: &dyn Fn(&Ranked) -> f64| self.rankings.iter().map(of).sum::<f64>() / self.rankings.len() as f64;
        match metric {
            Metric::Accuracy => confusion.accuracy(),
            Metric::Precision => self.over_classes(|class| confusion.precision(class)),
            Metric::Recall => self.over_classes(|class| confusion.recall(class)),
            Metric::F1 => self.over_classes(|class| confusion.fbeta(class, 1.0).unwrap_or(f64::NAN)),
            Metric::RocAuc => over_rankings(&|ranked| ranked.roc_auc(weights)),
            Metric::AveragePrecision => over_rankings(&|ranked| ranked.average_precision::<A>(weights)),
            Metric::LogLoss => mean(&self.log_loss),
            Metric::Brier => mean(&self.brier),
            Metric::Mae => self.mean_of::<A>(weights, total, |target, prediction| (target - prediction).abs()),
            Metric::Rmse => self.mean_of::<A>(weights, total, square).sqrt(),
            Metric::R2 => self.r2::<A>(weights, total),
            Metric::MedianAbsoluteError => {
                let error = |row: &u32| (self.targets[*row as usize] - self.predictions[*row as usize]).abs();
                weighted_quantile::<A>(self.by_error.iter().map(|row| (error(row), weights[*row as usize])), 0.5)
            }
            Metric::Further(further) => match self.task {
                Task::Regression => self.further_of_numbers::<A>(further, weights, total),
                Task::Binary | Task::Multiclass { .. } => {
                    self.further_of_classes::<A>(further, weights, total, confusion)
                }
            },
        }
    }

    /// Gives what `of` says of the positive class of two, or the mean over several classes.
    fn over_classes(&self, of: impl Fn(usize) -> f64) -> f64 {
        match self.task {
            Task::Multiclass { classes } => (0..classes).map(of).sum::<f64>() / classes as f64,
            Task::Binary | Task::Regression => of(1),
        }
    }

    fn further_of_classes<A: Adding>(
        &self,
        metric: Further,
        weights: &[f64],
        total: f64,
        confusion: &WeightedConfusion,
    ) -> f64 {
        let classes = self.task.classes().unwrap_or_default();
        let fbeta = |class: usize, beta: f64| confusion.fbeta(class, beta).unwrap_or(f64::NAN);
        let mean = |values: &[f64]| A::sum(values.iter().zip(weights).map(|(value, weight)| value * weight)) / total;
        match metric {
            Further::BalancedAccuracy => confusion.balanced_accuracy(),
            Further::CohenKappa => confusion.cohen_kappa(KappaWeights::Equal),
            Further::MatthewsCorrcoef => confusion.matthews_corrcoef(),
            Further::F05 => self.over_classes(|class| fbeta(class, 0.5)),
            Further::F2 => self.over_classes(|class| fbeta(class, 2.0)),
            Further::F1Macro => (0..classes).map(|class| fbeta(class, 1.0)).sum::<f64>() / classes as f64,
            Further::F1Weighted => confusion.mean_by_rows(|class| fbeta(class, 1.0)),
            Further::PrecisionWeighted => confusion.mean_by_rows(|class| confusion.precision(class)),
            Further::RecallWeighted => confusion.mean_by_rows(|class| confusion.recall(class)),
            Further::Jaccard => self.over_classes(|class| confusion.jaccard(class)),
            Further::Specificity => self.over_classes(|class| confusion.specificity(class)),
            Further::RocAucWeighted => match self.rankings.as_slice() {
                [one] => one.roc_auc(weights),
                several => {
                    let shares = self.shares(weights, total);
                    several.iter().zip(shares).map(|(ranked, share)| share * ranked.roc_auc(weights)).sum()
                }
            },
            Further::D2LogLoss => {
                let shares = self.shares(weights, total);
                let of_row = |target: &f64| log_loss_term(true, shares[*target as usize]);
                let alone = mean(&self.targets.iter().map(of_row).collect::<Vec<f64>>());
                if is_spread(&shares) { 1.0 - mean(&self.log_loss) / alone } else { f64::NAN }
            }
            Further::D2Brier => {
                let shares = self.shares(weights, total);
                // Of two classes one alone is measured, which halves the sum over both.
                let of_row = |target: &f64| match self.task {
                    Task::Binary => (shares[1] - target) * (shares[1] - target),
                    _ => row_brier(*target, &shares),
                };
                let alone = mean(&self.targets.iter().map(of_row).collect::<Vec<f64>>());
                if is_spread(&shares) { 1.0 - mean(&self.brier) / alone } else { f64::NAN }
            }
            _ => f64::NAN,
        }
    }

    fn further_of_numbers<A: Adding>(&self, metric: Further, weights: &[f64], total: f64) -> f64 {
        let counting = || self.targets.iter().zip(&self.predictions).zip(weights).filter(|(_, weight)| **weight > 0.0);
        let deviance = |power: f64, prediction: &dyn Fn(f64) -> f64| {
            let fits = |target: f64| target > 0.0 || (power < 2.0 && target == 0.0);
            if !counting().all(|((target, other), _)| fits(*target) && prediction(*other) > 0.0) {
                return f64::NAN;
            }
            let of = |target: f64, other: f64| deviance_of(target, prediction(other), power);
            self.mean_of::<A>(weights, total, of)
        };
        let d2_deviance = |power: f64| {
            let Some(centre) = self.centre::<A>(weights) else { return f64::NAN };
            let alone = deviance(power, &|_| centre);
            if alone > 0.0 { 1.0 - deviance(power, &|own| own) / alone } else { f64::NAN }
        };
        let log_errors = || {
            let fits = counting().all(|((target, prediction), _)| *target > -1.0 && *prediction > -1.0);
            if fits { self.mean_of::<A>(weights, total, squared_log_error) } else { f64::NAN }
        };
        match metric {
            Further::Mse => self.mean_of::<A>(weights, total, square),
            Further::Mape => self.mean_of::<A>(weights, total, share_of_target),
            Further::Msle => log_errors(),
            Further::Rmsle => log_errors().sqrt(),
            Further::MaxError => {
                counting().fold(0.0, |most, ((target, prediction), _)| f64::max(most, (target - prediction).abs()))
            }
            Further::ExplainedVariance => {
                let errors: Vec<f64> = self
                    .targets
                    .iter()
                    .zip(&self.predictions)
                    .map(|(target, prediction)| target - prediction)
                    .collect();
                let residual = match middle::<A>(&errors, |row| weights[row], |row| weights[row] > 0.0) {
                    Some(shift) => self.mean_of::<A>(weights, total, |target, prediction| {
                        (target - prediction - shift) * (target - prediction - shift)
                    }),
                    None => 0.0,
                };
                match self.centre::<A>(weights) {
                    Some(centre) => {
                        let spread = self.mean_of::<A>(weights, total, |target, _| square(target, centre));
                        explained(residual, spread)
                    }
                    None if A::DRAWN => f64::NAN,
                    None => explained(residual, 0.0),
                }
            }
            Further::PoissonDeviance => deviance(1.0, &|own| own),
            Further::GammaDeviance => deviance(2.0, &|own| own),
            Further::D2Poisson => d2_deviance(1.0),
            Further::D2Gamma => d2_deviance(2.0),
            Further::D2AbsoluteError => {
                let rows = || self.by_target.iter().map(|row| (self.targets[*row as usize], weights[*row as usize]));
                let middle = weighted_quantile::<A>(rows(), 0.5);
                let loss = self.mean_of::<A>(weights, total, |target, own| pinball(target - own, 0.5));
                let alone = self.mean_of::<A>(weights, total, |target, _| pinball(target - middle, 0.5));
                let says_little = self.targets.len() < 2 || (A::DRAWN && self.centre::<A>(weights).is_none());
                if says_little { f64::NAN } else { explained(loss, alone) }
            }
            _ => f64::NAN,
        }
    }

    fn mean_of<A: Adding>(&self, weights: &[f64], total: f64, of: impl Fn(f64, f64) -> f64) -> f64 {
        let rows = self.targets.iter().zip(&self.predictions).zip(weights);
        // A row that does not count may have no finite term.
        let terms = rows.filter(|(_, weight)| **weight > 0.0);
        A::sum(terms.map(|((target, prediction), weight)| weight * of(*target, *prediction))) / total
    }

    fn r2<A: Adding>(&self, weights: &[f64], total: f64) -> f64 {
        let residual = self.mean_of::<A>(weights, total, square);
        match self.centre::<A>(weights) {
            _ if self.targets.len() < 2 => f64::NAN,
            Some(centre) => explained(residual, self.mean_of::<A>(weights, total, |target, _| square(target, centre))),
            None if A::DRAWN => f64::NAN,
            None => explained(residual, 0.0),
        }
    }

    /// Gives the mean of the targets; nothing where all that count are equal.
    fn centre<A: Adding>(&self, weights: &[f64]) -> Option<f64> {
        middle::<A>(&self.targets, |row| weights[row], |row| weights[row] > 0.0)
    }

    /// Gives the share of each class.
    fn shares(&self, weights: &[f64], total: f64) -> Vec<f64> {
        let mut shares = vec![0.0; self.task.classes().unwrap_or_default()];
        for (target, weight) in self.targets.iter().zip(weights) {
            shares[*target as usize] += weight / total;
        }
        shares
    }

    fn confusion(&self, weights: &[f64]) -> WeightedConfusion {
        let classes = self.task.classes().unwrap_or_default();
        let mut cells = vec![0.0; classes * classes];
        for (cell, weight) in self.cells.iter().zip(weights) {
            cells[*cell as usize] += weight;
        }
        WeightedConfusion::of_cells(classes, cells)
    }
}

/// Gives the weighted mean of values; nothing where those that count are all equal, so that their spread is exactly none.
pub(super) fn middle<A: Adding>(
    values: &[f64],
    weight: impl Fn(usize) -> f64,
    counts: impl Fn(usize) -> bool,
) -> Option<f64> {
    let rows = || (0..values.len()).filter(|row| counts(*row));
    let first = values[rows().next()?];
    if rows().all(|row| values[row] == first) {
        return None;
    }
    Some(A::sum(rows().map(|row| values[row] * weight(row))) / A::sum(rows().map(weight)))
}

/// Gives a quantile of values with weights, from the smallest to the largest: the first up to which their weights reach
/// the share, and where they meet it, the mean of it and the next one.
pub(super) fn weighted_quantile<A: Adding>(rows: impl Iterator<Item = (f64, f64)> + Clone, share: f64) -> f64 {
    let counting = || rows.clone().filter(|(_, weight)| *weight > 0.0);
    let total: f64 = counting().map(|(_, weight)| weight).sum();
    let wanted = share * total;
    let (mut reached, mut last, mut met) = (0.0, f64::NAN, None);
    for (value, weight) in counting() {
        if let Some(met) = met {
            return halfway(met, value);
        }
        reached += weight;
        last = value;
        if reached > wanted + f64::EPSILON * total {
            return value;
        }
        if reached >= wanted && wanted > 0.0 {
            met = Some(value);
        }
    }
    last
}

fn square(target: f64, prediction: f64) -> f64 {
    (target - prediction) * (target - prediction)
}

/// Says whether two classes or more have a share.
fn is_spread(shares: &[f64]) -> bool {
    shares.iter().filter(|share| **share > 0.0).count() > 1
}

fn order<K: Ord>(rows: usize, key: impl Fn(usize) -> K) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_by_cached_key(|&row| key(row as usize));
    order
}
