//! Scores of many settings of an estimator on the same folds, whose features and bins are made once.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use trainyard_learn::metrics::Scored;
use trainyard_spec::{EstimatorSpec, FeatureSpec};

use crate::cross_validation::FoldParts;
use crate::fit::Watch;
use crate::prepared::{Prepared, Wanted};
use crate::progress::Part;
use crate::train::{Course, TrainRequest};
use crate::{Error, folds};

/// What asks for the folds.
const FOLDS: &str = "tune: {folds: …}";

/// How many features beside those of the request stay in memory.
const MOST_KEPT: usize = 4;

/// The folds of a search.
#[derive(Debug, Clone, Copy)]
pub struct SearchFolds<'a> {
    /// Into how many folds train is cut.
    pub folds: usize,
    /// Whether only the first of them judges.
    pub holdout: bool,
    /// The metric.
    pub metric: &'a str,
    /// The threads that prepare the folds.
    pub threads: &'a rayon::ThreadPool,
    /// Every candidate that will be scored, as it is written, and whether its `max_bins` is one of the things that change.
    pub candidates: &'a [(&'a str, &'a EstimatorSpec, bool)],
}

/// Features in place of those of the request.
#[derive(Debug, Clone, Copy)]
pub struct OtherFeatures<'s> {
    /// What tells them from others.
    pub key: &'s str,
    /// The features.
    pub spec: &'s FeatureSpec,
}

/// What fits outside a fold need: by key of the features, which is empty for those of the request, and fold.
type PreparedFold<'a> = ((String, usize), Arc<Prepared<'a>>);

/// Features and bins of every fold, on which settings are scored.
pub struct FoldScorer<'a> {
    course: Course<'a>,
    parts: &'a [FoldParts],
    wanted: Wanted,
    /// The oldest first.
    prepared: Mutex<Vec<PreparedFold<'a>>>,
    of: usize,
    metric: &'a str,
}

/// Does work with the folds of the training rows, on each of which everything is fitted that no setting changes.
///
/// The folds are those by which [`crate::train`] cross-validates, where they are as many.
///
/// # Errors
/// See [`Error`]: what can be seen of rows, folds and candidates before anything is fitted.
pub fn with_folds<T>(
    request: &TrainRequest<'_>,
    search: &SearchFolds<'_>,
    work: impl FnOnce(&FoldScorer<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let candidates: Vec<(&str, &EstimatorSpec)> =
        search.candidates.iter().map(|(name, spec, _)| (*name, *spec)).collect();
    let course = Course::new(request, candidates, search.folds)?;
    let mut wanted = Wanted::by(search.candidates.iter().map(|(_, spec, _)| *spec));
    wanted.lasting = true;
    // Bins that nobody can name beforehand are made of the values.
    wanted.values |= search.candidates.iter().any(|(.., changes)| *changes);
    let seed = folds::seed(request, 0);
    let fold_of = folds::assign(request, &course.targets, &course.digests, search.folds, seed, FOLDS)?;
    // In the order of time the last fold trains on all before it.
    let last = search.folds - 1;
    let judging = match (search.holdout, &request.split.by_time) {
        (false, _) => 0..search.folds,
        (true, None) => 0..1,
        (true, Some(_)) => last..search.folds,
    };
    let part = |fold: usize| Part::Fold { fold, of: search.folds };
    let parts: Vec<FoldParts> =
        judging.map(|fold| course.fold_parts(&fold_of, fold, part(fold))).collect::<Result<_, Error>>()?;
    let (of, metric) = (search.folds, search.metric);
    let scorer = FoldScorer { course, parts: &parts, wanted, prepared: Mutex::default(), of, metric };
    let prepare = || (0..scorer.folds()).into_par_iter().map(|fold| scorer.prepared(None, fold)).collect();
    let ready: Vec<Result<_, Error>> = search.threads.install(prepare);
    ready.into_iter().collect::<Result<Vec<_>, Error>>()?;
    work(&scorer)
}

/// The iterations after which boosted trees say how good they are: 5, 10, 20, 40 …
pub(crate) fn is_told(iterations: usize) -> bool {
    iterations.is_multiple_of(5) && (iterations / 5).is_power_of_two()
}

impl<'a> FoldScorer<'a> {
    /// Gives the number of folds that judge.
    pub fn folds(&self) -> usize {
        self.parts.len()
    }

    /// Gives what fits outside one fold need, made when somebody first asks for it.
    fn prepared(&self, features: Option<&OtherFeatures<'_>>, fold: usize) -> Result<Arc<Prepared<'a>>, Error> {
        let key = (features.map_or("", |features| features.key).to_owned(), fold);
        let all = || self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, prepared)) = all().iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(prepared));
        }
        let request = self.course.request;
        let other = match features {
            Some(features) => {
                let made = trainyard_features::plan(features.spec, &request.train.schema(), request.data);
                Some(made.map_err(|problems| {
                    let titles: Vec<&str> = problems.as_slice().iter().map(|problem| problem.title.as_str()).collect();
                    Error::Table { what: titles.join("; ") }
                })?)
            }
            None => None,
        };
        // Not under the lock: a thread of the pool that waits for its part of the work may take up another fit.
        let plan = other.as_ref().unwrap_or(request.plan);
        let made = Arc::new(self.course.prepare_fold(&self.parts[fold], plan, &self.wanted)?);
        let mut all = all();
        if let Some((_, prepared)) = all.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(prepared));
        }
        // Of other features few stay: they can be made again.
        if all.iter().filter(|((other, _), _)| !other.is_empty()).count() >= MOST_KEPT * self.parts.len()
            && let Some(oldest) = all.iter().position(|((other, _), _)| !other.is_empty())
        {
            all.remove(oldest);
        }
        all.push((key, Arc::clone(&made)));
        Ok(made)
    }

    /// Fits an estimator outside one fold, on other features than the request's where some are given, and gives the
    /// metric on the fold's rows.
    ///
    /// `hear` is told on the way how good boosted trees, of our own or of a library, are after 5, 10, 20, 40 … iterations,
    /// and stops the fit by giving false; `progress` is asked after every iteration of any estimator that has some. The
    /// fit runs on the current `rayon` pool.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Stopped`] where either gave false.
    pub fn score(
        &self,
        name: &str,
        spec: &EstimatorSpec,
        features: Option<&OtherFeatures<'_>>,
        fold: usize,
        hear: Option<&(dyn Fn(usize, f64) -> bool + Sync)>,
        progress: &crate::Report<'_>,
    ) -> Result<f64, Error> {
        let (parts, prepared) = (&self.parts[fold], self.prepared(features, fold)?);
        let weights = parts.held.weights.as_deref();
        let metric = |predictions: &[f64]| {
            let (task, threshold) = (self.course.task(), self.course.request.spec.threshold.value.fixed());
            Scored { task, targets: &parts.held.targets, predictions, weights, threshold }.metric(self.metric)
        };
        let watch = |iterations: usize, predictions: &dyn Fn() -> Vec<f64>| match hear {
            Some(hear) if is_told(iterations) => {
                // What cannot be measured is told at the end.
                metric(&predictions()).map_or(true, |value| hear(iterations, value))
            }
            Some(_) | None => true,
        };
        let watch: &Watch<'_> = &watch;
        let mut job = self.course.job(name, spec, Part::Fold { fold, of: self.of }, None);
        job.watch = hear.is_some().then_some(watch);
        job.progress = progress;
        job.keeps_losses = false;
        let fitted = job.fit(&prepared)?;
        metric(&fitted.held_predictions(&prepared)).map_err(|error| Error::Learn {
            candidate: name.to_owned(),
            part: "metrics".into(),
            error,
        })
    }
}
