//! The fold runner: every candidate on every fold, everything fitted on the fold's training part alone.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, UInt64Array};
use rayon::prelude::*;
use trainyard_data::rows::RowDigest;
use trainyard_features::{FittedFeatures, Plan};

use crate::fit::stops_early;
use crate::prepared::{Prepared, Rows, Wanted};
use crate::progress::Part;
use crate::report::Spread;
use crate::train::{Course, TrainRequest, arrow, check_weights};
use crate::{Error, Estimator, folds};

/// The most rows whose folds are fitted side by side; of more, one fold fills the memory and keeps all threads busy.
const SIDE_BY_SIDE: usize = 1_000_000;

/// The key that asks for folds.
const CROSS_VALIDATION: &str = "cross_validation: {folds: …}";

/// What one fold gives.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldFits {
    /// The features, fitted on the rows outside the fold.
    pub features: FittedFeatures,
    /// The fold's rows, in the order of the table.
    pub rows: Vec<usize>,
    /// Every candidate, in the order of the spec.
    pub candidates: Vec<FoldFit>,
}

/// One candidate in one fold.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldFit {
    /// Fitted on the rows outside the fold.
    pub estimator: Estimator,
    /// Its predictions for the fold's rows: one value a row, or one probability a row and class.
    pub predictions: Vec<f64>,
    /// Every metric on the fold's rows.
    pub metrics: BTreeMap<String, f64>,
}

/// Fits every candidate on the training rows outside one fold and measures it inside.
///
/// `folds` gives each training row its fold, of which there are `of`. With a split by time it gives blocks in the order
/// of time, one more than folds: fold `f` is judged on block `f + 1`, and only the blocks before it train. Binned rows are
/// made once and shared by the candidates. With `early_stopping` the fold's rows say when to stop; nothing else of them
/// reaches a fit.
///
/// # Errors
/// See [`Error`]; among them a fold or a rest without rows.
pub fn fit_fold(request: &TrainRequest<'_>, folds: &[u32], fold: usize, of: usize) -> Result<FoldFits, Error> {
    let candidates = request.spec.candidates.iter().map(|(name, spec)| (name.value.as_str(), spec)).collect();
    Course::new(request, candidates, of)?.fit_fold(folds, fold, Part::Fold { fold, of })
}

/// What folds say about one candidate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Validated {
    pub(crate) cross_validation: BTreeMap<String, Spread>,
    pub(crate) out_of_fold: BTreeMap<String, f64>,
    pub(crate) trees: Option<usize>,
}

impl Course<'_> {
    /// Fits and measures every candidate in every fold.
    pub(crate) fn cross_validate(&self) -> Result<Vec<Validated>, Error> {
        let request = self.request;
        let assign = |repeat: usize| {
            let seed = folds::seed(request, repeat);
            folds::assign(request, &self.targets, &self.digests, self.folds, seed, CROSS_VALIDATION)
        };
        let fold_of = (0..self.repeats).map(assign).collect::<Result<Vec<Vec<u32>>, Error>>()?;
        let fits = self.folds * self.repeats;
        let results = self.each(fits, |fit| {
            let part = Part::Fold { fold: fit, of: fits };
            self.fit_fold(&fold_of[fit / self.folds], fit % self.folds, part)
        })?;
        let mut validated = Vec::with_capacity(self.candidates.len());
        for (candidate, (name, spec)) in self.candidates.iter().enumerate() {
            let mut of_repeats: Vec<BTreeMap<String, f64>> = Vec::with_capacity(self.repeats);
            let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
            let mut trees = 0;
            for repeat in results.chunks(self.folds) {
                let mut parts: Vec<(&[usize], &[f64])> = Vec::with_capacity(repeat.len());
                for (rows, fit) in repeat.iter().filter_map(|fold| Some((&fold.rows, fold.candidates.get(candidate)?)))
                {
                    parts.push((rows, &fit.predictions));
                    for (metric, value) in &fit.metrics {
                        values.entry(metric.clone()).or_default().push(*value);
                    }
                    trees += fit.estimator.trees().unwrap_or(0);
                }
                let (rows, predictions) = self.in_order(&parts);
                let weights = self.weights.as_ref().map(|weights| pick(weights, &rows));
                of_repeats.push(self.metrics(name, &pick(&self.targets, &rows), &predictions, weights.as_deref())?);
            }
            validated.push(Validated {
                cross_validation: values.into_iter().map(|(metric, folds)| (metric, Spread::of(folds))).collect(),
                out_of_fold: means(of_repeats),
                // Rounded half up in whole numbers, so that no machine rounds otherwise.
                trees: stops_early(spec).then(|| ((2 * trees + fits) / (2 * fits)).max(1)),
            });
        }
        Ok(validated)
    }

    /// Does work on every fold of one cut, side by side while there is memory for that.
    pub(crate) fn each_fold<T: Send>(
        &self,
        work: impl Fn(usize) -> Result<T, Error> + Sync + Send,
    ) -> Result<Vec<T>, Error> {
        self.each(self.folds, work)
    }

    fn each<T: Send>(
        &self,
        count: usize,
        work: impl Fn(usize) -> Result<T, Error> + Sync + Send,
    ) -> Result<Vec<T>, Error> {
        let done: Vec<Result<T, Error>> = if self.targets.len() <= SIDE_BY_SIDE {
            (0..count).into_par_iter().map(work).collect()
        } else {
            (0..count).map(work).collect()
        };
        done.into_iter().collect()
    }

    /// Joins the rows of all folds, and what was said of them, in the order of the rows. Those before the first judged
    /// block of a split by time are in no fold.
    pub(crate) fn in_order(&self, folds: &[(&[usize], &[f64])]) -> (Vec<usize>, Vec<f64>) {
        let outputs = self.task().outputs();
        let each = folds.iter().flat_map(|(rows, values)| rows.iter().copied().zip(values.chunks_exact(outputs)));
        let mut by_row: Vec<(usize, &[f64])> = each.collect();
        by_row.sort_unstable_by_key(|(row, _)| *row);
        let rows = by_row.iter().map(|(row, _)| *row).collect();
        (rows, by_row.iter().flat_map(|(_, values)| *values).copied().collect())
    }

    fn fit_fold(&self, fold_of: &[u32], fold: usize, part: Part) -> Result<FoldFits, Error> {
        let (rows, features, candidates) = self.in_fold(fold_of, fold, part, |prepared| {
            let fit = |&(name, spec): &(_, _)| -> Result<FoldFit, Error> {
                let fitted = self.job(name, spec, part, None).fit(prepared)?;
                let (mut predictions, mut metrics) = (Vec::new(), BTreeMap::new());
                if let Some(held) = &prepared.held {
                    predictions = fitted.held_predictions(prepared);
                    metrics = self.metrics(name, held.targets, &predictions, held.weights)?;
                }
                Ok(FoldFit { estimator: fitted.estimator, predictions, metrics })
            };
            let candidates: Vec<Result<FoldFit, Error>> = self.candidates.par_iter().map(fit).collect();
            candidates.into_iter().collect::<Result<Vec<FoldFit>, Error>>()
        })?;
        Ok(FoldFits { features, rows, candidates })
    }

    /// Does work on what is fitted outside one fold; gives the fold's rows, the features, and what the work gave.
    pub(crate) fn in_fold<T>(
        &self,
        fold_of: &[u32],
        fold: usize,
        part: Part,
        work: impl FnOnce(&Prepared<'_>) -> Result<T, Error>,
    ) -> Result<(Vec<usize>, FittedFeatures, T), Error> {
        let parts = self.fold_parts(fold_of, fold, part)?;
        let prepared = self.prepare_fold(&parts, self.request.plan, &self.wanted)?;
        let done = work(&prepared)?;
        let Prepared { features, .. } = prepared;
        Ok((parts.held.rows, features, done))
    }

    /// Gives the rows outside one fold and those of it.
    ///
    /// # Errors
    /// A side without rows, or without what counts.
    pub(crate) fn fold_parts(&self, fold_of: &[u32], fold: usize, part: Part) -> Result<FoldParts, Error> {
        let rows_where = |is_in: &dyn Fn(usize) -> bool| -> Vec<usize> {
            let rows = fold_of.iter().take(self.targets.len()).enumerate();
            rows.filter(|(_, of)| is_in(**of as usize)).map(|(row, _)| row).collect()
        };
        let (train_rows, rows) = match self.request.split.by_time {
            Some(_) => (rows_where(&|block| block <= fold), rows_where(&|block| block == fold + 1)),
            None => (rows_where(&|of| of != fold), rows_where(&|of| of == fold)),
        };
        if train_rows.is_empty() || rows.is_empty() {
            return Err(Error::TooFewForFolds {
                key: CROSS_VALIDATION,
                folds: self.folds,
                what: "rows that differ".into(),
                needed: self.folds,
                found: rows.len().min(train_rows.len()),
            });
        }
        let side = |rows: Vec<usize>| FoldSide {
            targets: pick(&self.targets, &rows),
            weights: self.weights.as_ref().map(|weights| pick(weights, &rows)),
            rows,
        };
        let (train, held) = (side(train_rows), side(rows));
        self.check_rows(&train.targets, train.weights.as_deref(), &format!("the training rows of {part}"))?;
        check_weights(held.weights.as_deref(), &format!("the rows of {part}"))?;
        Ok(FoldParts { train, held })
    }

    /// Fits features and bins on the rows outside one fold.
    pub(crate) fn prepare_fold<'p>(
        &self,
        parts: &'p FoldParts,
        plan: &Plan,
        wanted: &Wanted,
    ) -> Result<Prepared<'p>, Error> {
        let FoldParts { train, held } = parts;
        let digests: Vec<RowDigest> = train.rows.iter().map(|row| self.digests[*row]).collect();
        let (train_table, held_table) = (take(self.request.train, &train.rows)?, take(self.request.train, &held.rows)?);
        let train = Rows { table: &train_table, targets: &train.targets, weights: train.weights.as_deref() };
        let held = Rows { table: &held_table, targets: &held.targets, weights: held.weights.as_deref() };
        self.prepare_by(plan, train, Some(held), wanted, &digests)
    }
}

/// The two sides of a fold.
#[derive(Debug, Clone)]
pub(crate) struct FoldParts {
    /// What is fitted on.
    pub(crate) train: FoldSide,
    /// The fold.
    pub(crate) held: FoldSide,
}

/// Some of the training rows, in their order.
#[derive(Debug, Clone)]
pub(crate) struct FoldSide {
    pub(crate) rows: Vec<usize>,
    pub(crate) targets: Vec<f64>,
    pub(crate) weights: Option<Vec<f64>>,
}

/// Gives the mean of each metric over repeats; what one repeat does not have has no mean.
fn means(of_repeats: Vec<BTreeMap<String, f64>>) -> BTreeMap<String, f64> {
    let count = of_repeats.len() as f64;
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (metric, value) in of_repeats.into_iter().flatten() {
        *sums.entry(metric).or_default() += value;
    }
    sums.into_iter().map(|(metric, sum)| (metric, sum / count)).collect()
}

fn take(table: &RecordBatch, rows: &[usize]) -> Result<RecordBatch, Error> {
    let rows: UInt64Array = rows.iter().map(|row| *row as u64).collect();
    arrow_select::take::take_record_batch(table, &rows).map_err(arrow)
}

pub(crate) fn pick(values: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().map(|row| values[*row]).collect()
}
