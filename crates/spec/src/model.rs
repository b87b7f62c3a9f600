//! A model version: which estimators compete, and how one is chosen.

use crate::calibrate::{CalibrateSpec, Calibration, ThresholdOrRule, ThresholdSpec};
use crate::declare::{
    Decoder, Section, bare, choice, decided, defaulted, integer, named, optional, rec, record, required, unless_given,
};
use crate::error::Error;
use crate::estimator::{Baseline, Candidates, EstimatorSpec};
use crate::metric::{self, Metric};
use crate::tune::{self, TuneSpec};
use crate::{Located, Origin, Task};

named! {
    /// The rows of the final fit.
    pub enum Refit {
        /// Train alone.
        Train = "train",
        /// Train and validation; what was chosen on validation stays.
        TrainAndValidation = "train_and_validation",
    }
}

record! {
    /// Which estimators compete, and how one is chosen.
    pub struct ModelSpec {
        /// The seed of every random choice in training.
        seed: Located<u64> = defaulted(integer(0, u64::MAX), 0),
        /// The estimator that every number stands beside. Default: dummy, which predicts the mean, or the share of each class.
        baseline: Located<EstimatorSpec> = defaulted(Baseline, EstimatorSpec::Dummy {}),
        /// The estimators that compete, by name; a name of your own needs `estimator: NAME` beside the parameters.
        candidates: Vec<(Located<String>, EstimatorSpec)> = required(Candidates, "{gradient_boosting: {}}"),
        /// The folds of train that tell how much a metric varies.
        cross_validation: CrossValidation = unless_given(rec(), CrossValidation { folds: 5, repeats: None }),
        /// The rows of the final fit.
        refit: Refit = unless_given(bare(choice()), Refit::Train),
        /// The metric by which a candidate is chosen. Default: roc_auc; of several classes log_loss, in regression rmse.
        metric: Located<String> = decided(Metric),
        /// The search for parameters of the candidates; left out, they are as they are written.
        tune: Option<TuneSpec> = optional(rec()),
        /// How the chosen candidate's scores become probabilities; left out where its own are good enough.
        calibrate: Option<Located<CalibrateSpec>> = optional(Calibration),
        /// How predictions of the chosen model are explained; left out where nobody asks.
        explain: Option<ExplainSpec> = optional(rec()),
        /// The probability from which a row counts as positive, or `max_f1`, or the rule that finds it on the validation
        /// rows, `{rule: precision_at_least, value: 0.7}`; without a validation share on held-out scores of train. For
        /// two classes.
        threshold: Located<ThresholdSpec> =
            unless_given(ThresholdOrRule, Located::of_default(ThresholdSpec::Fixed(0.5))),
        /// The threads of each fit of xgboost and lightgbm, whose results may depend on it; folds and candidates are fitted
        /// side by side. Default: 1.
        engine_threads: Option<Located<u32>> = optional(integer(1, 1024)),
    }
    check check_model
}

fn check_model(spec: &mut ModelSpec, _: &Section<'_>, decoder: &mut Decoder) {
    if let Some(tune) = &mut spec.tune {
        tune::check_against(tune, &spec.candidates, decoder);
    }
}

impl ModelSpec {
    /// Says whether something is fitted to the scores of the chosen candidate.
    pub fn is_calibrated(&self) -> bool {
        self.calibrate.is_some() || self.threshold.value.is_rule()
    }

    /// Refuses a calibration, a threshold and metrics of another task. `because` is what makes the task what it is: a line
    /// of the spec, or the table.
    pub fn misfits(&self, task: Task, because: &Origin) -> Vec<Error> {
        let mut found = Vec::new();
        let threshold = &self.threshold.origin;
        if task != Task::Binary && matches!(threshold, Origin::File(_) | Origin::Flag(_)) {
            let (threshold, because) = (threshold.clone(), because.clone());
            found.push(Error::ThresholdWithoutPositive { threshold, task, because });
        }
        if let (Task::Regression, Some(calibrate)) = (task, &self.calibrate) {
            let (calibrate, because) = (calibrate.origin.clone(), because.clone());
            found.push(Error::CalibrationWithoutClasses { calibrate, because });
        }
        if let Some(metric) = self.tune.as_ref().and_then(|tune| tune.metric.as_ref()) {
            found.extend(metric::of_other_task(metric, "tune.metric".to_owned(), task, because, false));
        }
        let baseline = (format!("baseline.{}", self.baseline.value.name()), &self.baseline.value);
        let candidates = self.candidates.iter().map(|(name, spec)| (format!("candidates.{}", name.value), spec));
        for (path, spec) in std::iter::once(baseline).chain(candidates) {
            if let EstimatorSpec::GradientBoosting(spec) = spec
                && let Some(metric) = &spec.scoring
            {
                found.extend(metric::of_other_task(metric, format!("{path}.scoring"), task, because, false));
            }
        }
        found
    }
}

record! {
    /// Cross-validation within train.
    pub struct CrossValidation {
        /// The number of folds; 0 turns cross-validation off.
        folds: u32 = unless_given(bare(integer(2, 100).or(0)), 5),
        /// How often train is cut into folds, each time by other chances: more tells better how much a metric varies, and
        /// costs as many fits. Not with a split by time, whose blocks lie where they lie. Default: 1.
        repeats: Option<Located<u32>> = optional(integer(1, 100)),
    }
    check check_cross_validation
}

impl CrossValidation {
    /// Gives how often train is cut into folds.
    pub fn repeats(&self) -> u32 {
        self.repeats.as_ref().map_or(1, |repeats| repeats.value)
    }
}

fn check_cross_validation(validation: &mut CrossValidation, section: &Section<'_>, decoder: &mut Decoder) {
    if validation.folds == 0
        && let Some((key, _)) = section.entries.iter().find(|(key, _)| key.value == "repeats")
        && validation.repeats.is_some()
    {
        let why = "there are no folds to make again";
        decoder.errors.push(Error::LoneParameter { key: key.clone(), needs: "folds: 5", why });
    }
}

record! {
    /// How predictions are explained: contributions of features to single rows, and importance.
    pub struct ExplainSpec {
        /// The most rows that are explained one by one, of validation, else of train.
        rows: u32 = unless_given(bare(integer(1, 10_000_000)), 1000),
        /// How often each feature is shuffled to see what its loss costs; 0 leaves that out.
        permutations: u32 = unless_given(bare(integer(0, 1000)), 5),
    }
}
