//! Calibration of the chosen model, and its threshold: fitted to scores of rows that gave nothing to the fit they come
//! from.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use trainyard_data::Target;
use trainyard_learn::metrics::{self, Task, ThresholdRule, choose_threshold};
use trainyard_learn::{CalibrationMethod, Calibrator, MulticlassCalibrator};
use trainyard_spec::{CalibrationRows, EstimatorSpec, Refit, ThresholdSpec};

use crate::cross_validation::pick;
use crate::fit::stops_early;
use crate::model::learn_task;
use crate::prepared::{Prepared, Rows};
use crate::progress::Part;
use crate::train::{Course, TrainRequest, course_digests};
use crate::{Error, Estimator, Model, folds};

/// The folds that find a threshold where the spec names none.
const FOLDS: usize = 5;
/// The bins of the expected calibration error.
const BINS: usize = 10;

/// Maps the scores of an estimator to probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// Of the positive class of two.
    Binary(Calibrator),
    /// Of each of several classes against the rest.
    Multiclass(MulticlassCalibrator),
}

impl Calibration {
    /// Replaces scores by probabilities, in the same places; one that is NaN stays so.
    pub fn probabilities(&self, mut scores: Vec<f64>) -> Vec<f64> {
        match self {
            Calibration::Binary(calibrator) => {
                let map =
                    |score: &mut f64| *score = if score.is_nan() { *score } else { calibrator.predict_row(*score) };
                scores.iter_mut().for_each(map);
            }
            Calibration::Multiclass(calibrator) => {
                scores.chunks_mut(calibrator.classes()).for_each(|row| calibrator.predict_row(row));
            }
        }
        scores
    }

    /// Names the map for people.
    pub(crate) fn words(&self) -> &'static str {
        let first = match self {
            Calibration::Binary(calibrator) => Some(calibrator),
            Calibration::Multiclass(calibrator) => calibrator.calibrators().first(),
        };
        match first {
            Some(Calibrator::Isotonic(_)) => "by isotonic regression",
            _ => "by a sigmoid",
        }
    }

    /// Says whether it is made for the classes of a target.
    pub(crate) fn is_for(&self, target: &Target) -> bool {
        match (self, learn_task(target)) {
            (Calibration::Binary(_), Task::Binary) => true,
            (Calibration::Multiclass(calibrator), Task::Multiclass { classes }) => calibrator.classes() == classes,
            _ => false,
        }
    }

    fn fit(
        method: CalibrationMethod,
        task: Task,
        scores: &[f64],
        targets: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Calibration, trainyard_learn::Error> {
        match task {
            Task::Multiclass { classes } => {
                MulticlassCalibrator::fit(method, scores, targets, classes, weights).map(Calibration::Multiclass)
            }
            _ => Calibrator::fit(method, scores, targets, weights).map(Calibration::Binary),
        }
    }
}

/// What calibration gives.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// The model, with its calibration and its threshold.
    pub model: Model,
    /// How they came about.
    pub report: CalibrationReport,
}

/// How a calibration and a threshold came about, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// `sigmoid` or `isotonic`; absent where probabilities are the estimator's own.
    pub method: Option<String>,
    /// The rows that it was fitted to: `out_of_fold` or `validation`.
    pub rows: Option<String>,
    /// How many they are.
    pub count: usize,
    /// Probabilities before, on those rows.
    pub before: Option<Measures>,
    /// Probabilities after. On the rows of the fit they flatter: what others show counts.
    pub after: Option<Measures>,
    /// The threshold, where there are two classes.
    pub threshold: Option<f64>,
    /// The rule that found it; absent where the spec gives it.
    pub rule: Option<String>,
    /// The rows that it was found on: `validation` or `out_of_fold`.
    pub threshold_rows: Option<String>,
    /// Precision, recall and F1 on those rows.
    pub at_threshold: Option<[f64; 3]>,
}

/// How good probabilities are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The Brier score.
    #[serde(with = "crate::nan")]
    pub brier: f64,
    /// The log loss.
    #[serde(with = "crate::nan")]
    pub log_loss: f64,
    /// The expected calibration error in ten bins of equal width, where there are two classes.
    pub expected_calibration_error: Option<f64>,
}

impl Measures {
    /// Measures probabilities; they must be finite, and targets fit the task.
    ///
    /// # Errors
    /// No rows, lengths that differ, targets that do not fit the task, weights that are negative or all zero.
    pub fn of(
        task: Task,
        targets: &[f64],
        probabilities: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Measures, trainyard_learn::Error> {
        let all = metrics::Scored { task, targets, predictions: probabilities, weights, threshold: 0.5 }.metrics(&[])?;
        let value = |name: &str| all.get(name).copied().unwrap_or(f64::NAN);
        let error = match task {
            Task::Binary => Some(metrics::expected_calibration_error(targets, probabilities, BINS, weights)?),
            _ => None,
        };
        Ok(Measures { brier: value("brier"), log_loss: value("log_loss"), expected_calibration_error: error })
    }
}

/// Scores of rows that gave nothing to the fit that scored them.
struct Held {
    name: &'static str,
    scores: Vec<f64>,
    targets: Vec<f64>,
    weights: Option<Vec<f64>>,
}

/// Maps the scores of a trained model to probabilities and finds its threshold, as the spec asks.
///
/// With `folds: k` the chosen candidate is fitted on the other folds of train, its number of trees kept, and the map is
/// fitted to the held-out scores of all folds together: one map for the one model. With `folds: prefit` it is fitted to
/// the validation rows. The threshold is found on calibrated scores of the validation rows, without a validation share on
/// the held-out scores of train. A model that was refitted on validation rows keeps what its fit on train alone says of
/// them. Every row that decides something here counts as seen.
///
/// Work runs on the current `rayon` pool; the model's bytes do not depend on its threads.
///
/// # Errors
/// See [`Error`]: scores that are not finite, one class alone, a precision that no threshold reaches.
pub fn calibrate(request: &TrainRequest<'_>, model: Model) -> Result<Calibrated, Error> {
    let candidates = request.spec.candidates.iter().map(|(name, spec)| (name.value.as_str(), spec));
    let chosen: Vec<(&str, &EstimatorSpec)> = candidates.filter(|(name, _)| *name == model.name).collect();
    let wanted = request.spec.calibrate.as_ref().map(|calibrate| calibrate.value.folds.value);
    let (folds, key) = match (wanted, request.spec.cross_validation.folds) {
        (Some(CalibrationRows::Folds(folds)), _) => (folds as usize, "calibrate: {folds: …}"),
        (_, 0) => (FOLDS, "a validation share, or a `threshold` without a rule"),
        (_, own) => (own as usize, "cross_validation: {folds: …}"),
    };
    let course = Course::new(request, chosen, folds)?;
    Fit { course, model, key }.run()
}

struct Fit<'a> {
    course: Course<'a>,
    model: Model,
    /// What asks for the folds.
    key: &'static str,
}

impl Fit<'_> {
    fn run(mut self) -> Result<Calibrated, Error> {
        let spec = self.course.request.spec;
        let task = self.course.task();
        let rule = spec.threshold.value;
        let by_validation = self.course.request.validation.is_some();
        let rows = spec.calibrate.as_ref().map(|calibrate| calibrate.value.folds.value);
        let of_folds = |rows| matches!(rows, Some(CalibrationRows::Folds(_)));
        let out_of_fold =
            if of_folds(rows) || (rule.is_rule() && !by_validation) { Some(self.out_of_fold()?) } else { None };
        let validation = if rows == Some(CalibrationRows::Validation) || (rule.is_rule() && by_validation) {
            self.validation()?
        } else {
            None
        };
        let mut report = CalibrationReport {
            method: None,
            rows: None,
            count: 0,
            before: None,
            after: None,
            threshold: (task == Task::Binary).then_some(rule.fixed()),
            rule: None,
            threshold_rows: None,
            at_threshold: None,
        };
        if let Some(calibrate) = &spec.calibrate {
            let held = if of_folds(rows) { &out_of_fold } else { &validation };
            let Some(held) = held else {
                return Err(self.failed(trainyard_learn::Error::Empty { operation: "calibration" }));
            };
            let method = match calibrate.value.method {
                trainyard_spec::CalibrationMethod::Sigmoid => CalibrationMethod::Sigmoid,
                trainyard_spec::CalibrationMethod::Isotonic => CalibrationMethod::Isotonic,
            };
            let fitted = Calibration::fit(method, task, &held.scores, &held.targets, held.weights.as_deref());
            let fitted = fitted.map_err(|error| self.failed(error))?;
            let measure = |probabilities: &[f64]| {
                let weights = held.weights.as_deref();
                Measures::of(task, &held.targets, probabilities, weights).map_err(|error| self.failed(error))
            };
            report.before = Some(measure(&self.model.estimator.predictions_of(held.scores.clone()))?);
            report.after = Some(measure(&fitted.probabilities(held.scores.clone()))?);
            report.method = Some(calibrate.value.method.name().to_owned());
            report.rows = Some(held.name.to_owned());
            report.count = held.targets.len();
            self.model.calibration = Some(fitted);
        }
        if let Some(rule) = rule_of(rule) {
            let held = if by_validation { &validation } else { &out_of_fold };
            let Some(held) = held else {
                return Err(self.failed(trainyard_learn::Error::Empty { operation: "a threshold" }));
            };
            let probabilities = match &self.model.calibration {
                Some(calibration) => calibration.probabilities(held.scores.clone()),
                None => self.model.estimator.predictions_of(held.scores.clone()),
            };
            let found = choose_threshold(&held.targets, &probabilities, held.weights.as_deref(), rule);
            let found = found.map_err(|error| self.failed(error))?;
            self.model.threshold = found.threshold;
            report.threshold = Some(found.threshold);
            report.rule = Some(words_of(&spec.threshold.value));
            report.threshold_rows = Some(held.name.to_owned());
            report.at_threshold = Some([found.precision, found.recall, found.f1]);
        }
        if let Some(rows) = self.course.request.validation.filter(|_| validation.is_some()) {
            self.model.seen = self.model.seen.and(course_digests(rows, self.course.request.data));
        }
        Ok(Calibrated { model: self.model, report })
    }

    fn failed(&self, error: trainyard_learn::Error) -> Error {
        Error::Learn { candidate: self.model.name.clone(), part: "calibration".into(), error }
    }

    /// Scores every training row by a fit on the other folds.
    fn out_of_fold(&self) -> Result<Held, Error> {
        let course = &self.course;
        // Once, however often the cross-validation cuts: the mean of several fits' scores spreads less than those of the one
        // model that the map is for.
        let seed = folds::seed(course.request, 0);
        let fold_of = folds::assign(course.request, &course.targets, &course.digests, course.folds, seed, self.key)?;
        let scored = course.each_fold(|fold| {
            let part = Part::Fold { fold, of: course.folds };
            let (rows, _, scores) = course.in_fold(&fold_of, fold, part, |prepared| {
                let estimator = self.fitted(prepared, part)?;
                Ok(prepared.held.as_ref().map(|held| estimator.scores(&held.matrix())).unwrap_or_default())
            })?;
            Ok((rows, scores))
        })?;
        let parts: Vec<(&[usize], &[f64])> =
            scored.iter().map(|(rows, scores)| (rows.as_slice(), scores.as_slice())).collect();
        let (rows, scores) = course.in_order(&parts);
        Ok(Held {
            name: "out_of_fold",
            scores,
            targets: pick(&course.targets, &rows),
            weights: course.weights.as_ref().map(|weights| pick(weights, &rows)),
        })
    }

    /// Fits the chosen candidate; where its rows would say when to stop, with the number of trees that it has.
    fn fitted(&self, prepared: &Prepared<'_>, part: Part) -> Result<Estimator, Error> {
        let Some(&(name, spec)) = self.course.candidates.first() else { return Err(Error::NoCandidates) };
        let trees = self.model.estimator.trees().filter(|_| stops_early(spec));
        Ok(self.course.job(name, spec, part, trees).fit(prepared)?.estimator)
    }

    /// Scores the validation rows by the fit on train alone.
    fn validation(&self) -> Result<Option<Held>, Error> {
        let course = &self.course;
        let Some(table) = course.request.validation else { return Ok(None) };
        let scores = if course.request.spec.refit == Refit::TrainAndValidation {
            self.before_refit(table)?
        } else {
            let features = self.model.features.transform(table)?;
            self.model.estimator.scores(&trainyard_learn::Matrix::of(&features.columns, features.rows))
        };
        Ok(Some(Held {
            name: "validation",
            scores,
            targets: course.validation_targets.clone().unwrap_or_default(),
            weights: course.validation_weights.clone(),
        }))
    }

    fn before_refit(&self, table: &RecordBatch) -> Result<Vec<f64>, Error> {
        let course = &self.course;
        let weights = course.weights.as_deref();
        let train = Rows { table: course.request.train, targets: &course.targets, weights };
        let prepared = course.prepare(train, None, &course.wanted, &course.digests)?;
        let features = prepared.features.transform(table)?;
        let estimator = self.fitted(&prepared, Part::Train)?;
        Ok(estimator.scores(&trainyard_learn::Matrix::of(&features.columns, features.rows)))
    }
}

fn rule_of(threshold: ThresholdSpec) -> Option<ThresholdRule> {
    match threshold {
        ThresholdSpec::Fixed(_) => None,
        ThresholdSpec::MaxF1 => Some(ThresholdRule::MaxF1),
        ThresholdSpec::PrecisionAtLeast(bound) => Some(ThresholdRule::PrecisionAtLeast(bound)),
        ThresholdSpec::RecallAtLeast(bound) => Some(ThresholdRule::RecallAtLeast(bound)),
    }
}

fn words_of(threshold: &ThresholdSpec) -> String {
    match threshold {
        ThresholdSpec::Fixed(threshold) => threshold.to_string(),
        ThresholdSpec::MaxF1 => "max_f1".to_owned(),
        ThresholdSpec::PrecisionAtLeast(bound) => format!("precision_at_least {bound}"),
        ThresholdSpec::RecallAtLeast(bound) => format!("recall_at_least {bound}"),
    }
}
