//! Training: all candidates by cross-validation and on the training rows, then the choice among them.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use rayon::prelude::*;
use trainyard_data::Target;
use trainyard_data::rows::{self, RowDigest};
use trainyard_engines::Engines;
use trainyard_features::Plan;
use trainyard_learn::metrics::{self, Scored};
use trainyard_spec::{DataSpec, EstimatorSpec, ModelSpec, Refit, SplitSpec, metric_higher_is_better};

use crate::cross_validation::Validated;
use crate::external::Native;
use crate::fit::{Fitted, Job, stops_early};
use crate::model::{learn_task, of_task};
use crate::prepared::{CrossFits, Prepared, Rows, Wanted};
use crate::progress::{Part, Report};
use crate::report::{CandidateReport, ChosenBy, Repeats, TrainReport};
use crate::{Error, Model, SeenRows, folds};

/// What training needs.
pub struct TrainRequest<'a> {
    /// The training rows.
    pub train: &'a RecordBatch,
    /// The validation rows, where the split has a share for them.
    pub validation: Option<&'a RecordBatch>,
    /// Where key and target are.
    pub data: &'a DataSpec,
    /// What is predicted.
    pub target: &'a Target,
    /// From columns to features.
    pub plan: &'a Plan,
    /// Baseline, candidates and how they are chosen.
    pub spec: &'a ModelSpec,
    /// What the split keeps together, which no fold cuts either.
    pub split: &'a SplitSpec,
    /// Hears of progress, and may stop.
    pub progress: &'a Report<'a>,
    /// Where external engines are, for the candidates that are fitted by one.
    pub engines: &'a Engines,
}

/// What training gives.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The chosen model.
    pub model: Model,
    /// How it came about.
    pub report: TrainReport,
    /// The model as an external engine wrote it, where one fitted it.
    pub native: Option<Native>,
}

/// Trains every candidate and gives the best.
///
/// Every candidate is cross-validated on the training rows, as often as the spec asks with folds drawn by other chances,
/// everything that is learned from data being fitted on each fold's training part alone; what the split keeps together
/// is never cut, and no fold of a split by time trains on rows that come after those it is judged on. With
/// `early_stopping` the number of trees is the mean best iteration over the folds, and only then fixed for the fit on all
/// training rows. The candidate is chosen on the validation rows, or, without any, on the out-of-fold predictions. With
/// `refit: train_and_validation` the chosen one is fitted again on both, its number of trees kept.
///
/// Work runs on the current `rayon` pool; the model's bytes do not depend on its threads.
///
/// # Errors
/// See [`Error`]; the first of several in the order of the candidates.
pub fn train(request: &TrainRequest<'_>) -> Result<Trained, Error> {
    let candidates: Vec<(&str, &EstimatorSpec)> =
        request.spec.candidates.iter().map(|(name, spec)| (name.value.as_str(), spec)).collect();
    Course::new(request, candidates, request.spec.cross_validation.folds as usize)?.run()
}

/// Trains the baseline on the training rows.
///
/// Folds are made only where a baseline that stops early needs them; it is never fitted again on validation rows.
///
/// # Errors
/// See [`Error`].
pub fn train_baseline(request: &TrainRequest<'_>) -> Result<Trained, Error> {
    let baseline = &request.spec.baseline.value;
    let folds = if stops_early(baseline) { request.spec.cross_validation.folds as usize } else { 0 };
    let mut course = Course::new(request, vec![("baseline", baseline)], folds)?;
    course.refit = false;
    course.run()
}

/// One training.
pub(crate) struct Course<'a> {
    pub(crate) request: &'a TrainRequest<'a>,
    pub(crate) candidates: Vec<(&'a str, &'a EstimatorSpec)>,
    pub(crate) folds: usize,
    /// How often train is cut into folds; the first time as if it were the only one.
    pub(crate) repeats: usize,
    pub(crate) refit: bool,
    pub(crate) wanted: Wanted,
    pub(crate) targets: Vec<f64>,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) validation_targets: Option<Vec<f64>>,
    pub(crate) validation_weights: Option<Vec<f64>>,
    pub(crate) digests: Vec<RowDigest>,
}

impl<'a> Course<'a> {
    pub(crate) fn new(
        request: &'a TrainRequest<'a>,
        candidates: Vec<(&'a str, &'a EstimatorSpec)>,
        folds: usize,
    ) -> Result<Course<'a>, Error> {
        let targets = |table: &RecordBatch| trainyard_data::targets(table, request.target);
        let weights = |table: &RecordBatch| trainyard_data::weights(table, request.data);
        let course = Course {
            request,
            folds,
            repeats: request.spec.cross_validation.repeats() as usize,
            refit: request.spec.refit == Refit::TrainAndValidation,
            wanted: Wanted::by(candidates.iter().map(|(_, spec)| *spec)),
            candidates,
            targets: targets(request.train)?,
            weights: weights(request.train)?,
            validation_targets: request.validation.map(targets).transpose()?,
            validation_weights: request.validation.map(weights).transpose()?.flatten(),
            digests: course_digests(request.train, request.data),
        };
        course.check()?;
        Ok(course)
    }

    /// Refuses what can be seen before anything is fitted.
    fn check(&self) -> Result<(), Error> {
        if self.candidates.is_empty() {
            return Err(Error::NoCandidates);
        }
        for (name, spec) in &self.candidates {
            self.job(name, spec, Part::Train, None).check()?;
            if stops_early(spec) && self.folds < 2 {
                return Err(Error::EarlyStoppingWithoutFolds { candidate: (*name).to_owned() });
            }
        }
        self.check_rows(&self.targets, self.weights.as_deref(), "the training rows")?;
        check_weights(self.validation_weights.as_deref(), "the validation rows")?;
        if self.chosen_by() == ChosenBy::OutOfFold && self.folds < 2 {
            let candidates = self.candidates.iter().map(|(name, _)| (*name).to_owned()).collect();
            return Err(Error::NothingToChooseBy { candidates });
        }
        Ok(())
    }

    /// Refuses rows that lack a class, or that do not count.
    pub(crate) fn check_rows(&self, targets: &[f64], weights: Option<&[f64]>, rows: &str) -> Result<(), Error> {
        check_weights(weights, rows)?;
        let counts = |class: usize| {
            let mut of_class = targets.iter().enumerate().filter(|(_, target)| **target as usize == class);
            of_class.any(|(row, _)| weights.is_none_or(|weights| weights[row] > 0.0))
        };
        let classes = self.request.target.classes.iter().flatten().enumerate();
        match classes.into_iter().find(|(class, _)| !counts(*class)) {
            Some((_, class)) => Err(Error::NoRowsOfClass { class: class.clone(), rows: rows.to_owned() }),
            None => Ok(()),
        }
    }

    fn chosen_by(&self) -> ChosenBy {
        if self.candidates.len() == 1 {
            ChosenBy::OnlyCandidate
        } else if self.request.validation.is_some() {
            ChosenBy::Validation
        } else {
            ChosenBy::OutOfFold
        }
    }

    pub(crate) fn job(&self, name: &'a str, spec: &'a EstimatorSpec, part: Part, trees: Option<usize>) -> Job<'a> {
        let request = self.request;
        Job {
            name,
            spec,
            part,
            task: self.task(),
            classes: request.target.classes.as_deref().unwrap_or(&[]),
            seed: request.spec.seed.value,
            threshold: request.spec.threshold.value.fixed(),
            trees,
            progress: request.progress,
            watch: None,
            keeps_losses: true,
            engines: request.engines,
            engine_threads: request.spec.engine_threads.as_ref().map_or(1, |threads| threads.value),
        }
    }

    /// Gives the task as the learners spell it.
    pub(crate) fn task(&self) -> metrics::Task {
        learn_task(self.request.target)
    }

    fn run(&self) -> Result<Trained, Error> {
        let validated =
            if self.folds >= 2 { self.cross_validate()? } else { vec![Validated::default(); self.candidates.len()] };
        let weights = self.weights.as_deref();
        let train = Rows { table: self.request.train, targets: &self.targets, weights };
        let held = self.validation();
        let prepared = self.prepare(train, held, &self.wanted, &self.digests)?;
        let fit = |(&(name, spec), validated): (&(&'a str, &'a EstimatorSpec), &Validated)| {
            self.job(name, spec, Part::Train, validated.trees).fit(&prepared)
        };
        let fitted: Vec<Result<Fitted, Error>> = self.candidates.par_iter().zip(&validated).map(fit).collect();
        let fitted = fitted.into_iter().collect::<Result<Vec<Fitted>, Error>>()?;
        let mut reports = Vec::with_capacity(fitted.len());
        for (((name, spec), validated), fitted) in self.candidates.iter().zip(&validated).zip(&fitted) {
            let validation = match &prepared.held {
                Some(held) => {
                    self.metrics(name, held.targets, &fitted.estimator.predict(&held.matrix()), held.weights)?
                }
                None => BTreeMap::new(),
            };
            reports.push(CandidateReport {
                name: (*name).to_owned(),
                estimator: spec.name().to_owned(),
                parameters: spec.parameters(),
                trees: fitted.estimator.trees(),
                converged: fitted.converged,
                cross_validation: validated.cross_validation.clone(),
                repeats: (self.folds >= 2 && self.repeats > 1)
                    .then_some(Repeats { repeats: self.repeats, fits: self.repeats * self.folds }),
                out_of_fold: validated.out_of_fold.clone(),
                validation,
                out_of_bag_score: fitted.out_of_bag,
                train_loss: fitted.train_loss.clone(),
                validation_loss: fitted.held_loss.clone(),
            });
        }
        let chosen = self.choose(&reports)?;
        let (name, spec) = self.candidates[chosen];
        let (features, estimator, native) = match self.refit_rows()? {
            None => (prepared.features, fitted[chosen].estimator.clone(), fitted[chosen].native.clone()),
            Some(both) => {
                drop(prepared);
                let rows = Rows { table: &both.table, targets: &both.targets, weights: both.weights.as_deref() };
                let prepared = self.prepare(rows, None, &Wanted::by([spec]), &both.digests)?;
                let trees = fitted[chosen].estimator.trees();
                let refitted = self.job(name, spec, Part::Refit, trees).fit(&prepared)?;
                (prepared.features, refitted.estimator, refitted.native)
            }
        };
        let mut parameters = spec.parameters();
        if let Some(trees) = estimator.trees() {
            parameters.insert("trees".into(), trees.to_string());
        }
        let model = Model {
            target: self.request.target.clone(),
            features,
            estimator,
            calibration: None,
            threshold: self.request.spec.threshold.value.fixed(),
            name: name.to_owned(),
            estimator_name: spec.name().to_owned(),
            parameters,
            seen: self.seen(),
        };
        let report = TrainReport {
            chosen: name.to_owned(),
            chosen_by: self.chosen_by(),
            metric: self.request.spec.metric.value.clone(),
            candidates: reports,
        };
        Ok(Trained { model, report, native })
    }

    /// Fits features and bins on `train`, whose digests say which rows are kept together.
    pub(crate) fn prepare<'r>(
        &self,
        train: Rows<'_, 'r>,
        held: Option<Rows<'_, 'r>>,
        wanted: &Wanted,
        digests: &[RowDigest],
    ) -> Result<Prepared<'r>, Error> {
        self.prepare_by(self.request.plan, train, held, wanted, digests)
    }

    /// Does the same by another plan.
    pub(crate) fn prepare_by<'r>(
        &self,
        plan: &Plan,
        train: Rows<'_, 'r>,
        held: Option<Rows<'_, 'r>>,
        wanted: &Wanted,
        digests: &[RowDigest],
    ) -> Result<Prepared<'r>, Error> {
        let folds = folds::cross_fits(self.request, plan, train.table, train.targets, digests)?;
        let classes = self.request.target.classes.as_deref().unwrap_or_default();
        Prepared::new(plan, train, held, wanted, CrossFits { classes, folds: &folds })
    }

    fn validation(&self) -> Option<Rows<'_, '_>> {
        let targets = self.validation_targets.as_deref()?;
        let weights = self.validation_weights.as_deref();
        self.request.validation.map(|table| Rows { table, targets, weights })
    }

    pub(crate) fn metrics(
        &self,
        name: &str,
        targets: &[f64],
        predictions: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<BTreeMap<String, f64>, Error> {
        let (task, threshold) = (self.task(), self.request.spec.threshold.value.fixed());
        let scored = Scored { task, targets, predictions, weights, threshold };
        let metrics = scored.metrics(&of_task(task, &[&self.request.spec.metric.value]));
        metrics.map_err(|error| Error::Learn { candidate: name.to_owned(), part: "metrics".into(), error })
    }

    /// Gives the best candidate; of equal ones the first.
    fn choose(&self, reports: &[CandidateReport]) -> Result<usize, Error> {
        let metric = &self.request.spec.metric.value;
        let higher = metric_higher_is_better(metric).unwrap_or(true);
        let score = |report: &CandidateReport| {
            let value = match self.chosen_by() {
                ChosenBy::OnlyCandidate => return Some(0.0),
                ChosenBy::Validation => report.validation.get(metric),
                ChosenBy::OutOfFold => report.out_of_fold.get(metric),
            };
            value.filter(|value| !value.is_nan()).map(|value| if higher { *value } else { -value })
        };
        let mut best: Option<(usize, f64)> = None;
        for (index, report) in reports.iter().enumerate() {
            if let Some(score) = score(report)
                && best.is_none_or(|(_, best)| score > best)
            {
                best = Some((index, score));
            }
        }
        best.map(|(index, _)| index).ok_or_else(|| Error::NoChoice { metric: metric.clone() })
    }

    /// Gives training and validation rows as one table, where the chosen candidate is to be fitted on both.
    fn refit_rows(&self) -> Result<Option<Both>, Error> {
        let Some(validation) = self.validation().filter(|_| self.refit) else { return Ok(None) };
        let train = self.request.train;
        let table = arrow_select::concat::concat_batches(&train.schema(), [train, validation.table]).map_err(arrow)?;
        let weights = self.weights.as_deref().zip(validation.weights).map(|(train, held)| [train, held].concat());
        let digests = [self.digests.clone(), course_digests(validation.table, self.request.data)].concat();
        Ok(Some(Both { table, targets: [&self.targets, validation.targets].concat(), weights, digests }))
    }

    /// Gives the rows that fitted the model or chose it.
    fn seen(&self) -> SeenRows {
        let used = self.refit || self.chosen_by() == ChosenBy::Validation;
        let validation = self.request.validation.filter(|_| used);
        let validation = validation.map(|table| course_digests(table, self.request.data)).unwrap_or_default();
        let key = self.request.data.key.as_ref().map(|key| key.value.as_str());
        SeenRows::new(&self.request.train.schema(), key, self.digests.iter().copied().chain(validation))
    }
}

/// Refuses weights of which nothing, or more than a double holds, is the sum.
pub(crate) fn check_weights(weights: Option<&[f64]>, rows: &str) -> Result<(), Error> {
    let total = weights.map_or(1.0, |weights| weights.iter().sum());
    if total > 0.0 && total.is_finite() { Ok(()) } else { Err(Error::Weights { rows: rows.to_owned(), total }) }
}

/// Training and validation rows together.
struct Both {
    table: RecordBatch,
    targets: Vec<f64>,
    weights: Option<Vec<f64>>,
    digests: Vec<RowDigest>,
}

pub(crate) fn course_digests(table: &RecordBatch, data: &DataSpec) -> Vec<RowDigest> {
    rows::digests(table, data.key.as_ref().map(|key| key.value.as_str()))
}

pub(crate) fn arrow(error: arrow_schema::ArrowError) -> Error {
    Error::Table { what: error.to_string() }
}
