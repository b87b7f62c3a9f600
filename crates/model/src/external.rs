//! A fit by an external engine.

use std::collections::BTreeMap;

use trainyard_engines::{Engine, FitRequest, FitRows, Heard, Held};
use trainyard_learn::Monotonic as Way;
use trainyard_spec::{LightgbmSpec, Located, Monotonic, XgboostSpec};

use crate::class_weight::RowWeights;
use crate::estimator::Link;
use crate::fit::{Fitted, Job};
use crate::fold_scorer::is_told;
use crate::prepared::Prepared;
use crate::progress::Progress;
use crate::{Error, Estimator};

/// What does not go to the libraries as it stands in the spec: both take the number of trees apart from the parameters,
/// directions by the place of a column, and neither knows weights of classes.
const APART: [&str; 5] =
    ["n_estimators", "early_stopping_rounds", "early_stopping_round", "monotone_constraints", "class_weight"];

/// What the two engines have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct External<'s> {
    pub(crate) engine: Engine,
    iterations: usize,
    /// The iterations without a fall of the loss after which a fit stops.
    pub(crate) patience: Option<usize>,
    directions: Option<&'s BTreeMap<String, Located<Monotonic>>>,
}

impl<'s> From<&'s XgboostSpec> for External<'s> {
    fn from(spec: &'s XgboostSpec) -> External<'s> {
        External {
            engine: Engine::XgBoost,
            iterations: spec.n_estimators.value as usize,
            patience: spec.early_stopping_rounds.as_ref().map(|rounds| rounds.value as usize),
            directions: spec.monotone_constraints.as_ref(),
        }
    }
}

impl<'s> From<&'s LightgbmSpec> for External<'s> {
    fn from(spec: &'s LightgbmSpec) -> External<'s> {
        External {
            engine: Engine::LightGbm,
            iterations: spec.n_estimators.value as usize,
            patience: spec.early_stopping_round.as_ref().map(|rounds| rounds.value as usize),
            directions: spec.monotone_constraints.as_ref(),
        }
    }
}

/// The model of an external engine, as the library itself writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// The engine.
    pub engine: Engine,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Job<'_> {
    /// Fits on the training part of `rows`. Where the fit stops early, the held part says when, and the trees up to its
    /// lowest loss are the model; with the number of trees that folds have found nothing stops. The watch hears of the
    /// iterations that are told, and of no others: predictions come from another process.
    pub(crate) fn external(&self, external: External<'_>, rows: &Prepared<'_>) -> Result<Fitted, Error> {
        let engine = external.engine;
        // Texts are written without the quotes of JSON.
        let written = |value: String| value.trim_matches('"').to_owned();
        let own = self.spec.parameters().into_iter().filter(|(name, _)| !APART.contains(&name.as_str()));
        let mut parameters: Vec<(String, String)> = own.map(|(name, value)| (name, written(value))).collect();
        let directions = self.directions(external.directions, rows.features.names())?;
        if directions.iter().any(|way| *way != Way::Free) {
            parameters.push(("monotone_constraints".to_owned(), in_order(engine, &directions)));
        }
        let categories = rows.features.categories();
        let categorical = categories.iter().enumerate().filter(|(_, of)| of.is_some()).map(|(at, _)| at.to_string());
        let categorical: Vec<String> = categorical.collect();
        if engine == Engine::LightGbm && !categorical.is_empty() {
            parameters.push(("categorical_feature".to_owned(), categorical.join(",")));
        }
        let stops = external.patience.zip(rows.held.as_ref()).filter(|_| self.trees.is_none());
        let weights = RowWeights::new(self.class_weight(), self.classes, rows.train.targets);
        let train_weights = weights.of(rows.train.targets, rows.train.weights);
        let held_weights = stops.and_then(|(_, held)| weights.of(held.targets, held.weights));
        let (train, held) = (rows.train.matrix(), rows.held.as_ref().map(|held| held.matrix()));
        let iterations = self.trees.filter(|_| external.patience.is_some()).unwrap_or(external.iterations);
        let told: Vec<usize> = match self.watch {
            Some(_) => (1..=iterations).filter(|iterations| is_told(*iterations)).collect(),
            None => Vec::new(),
        };
        let patience = stops.map(|(patience, _)| patience);
        let held = rows.held.as_ref().zip(held.as_ref()).map(|(held, matrix)| Held {
            rows: FitRows { matrix, targets: held.targets, weights: held_weights.as_deref() },
            patience,
            told: &told,
        });
        let link = Link::of_margins(self.task);
        let report = |heard: Heard| match heard {
            Heard::Done { iterations: done, of } => {
                (self.progress)(&Progress::Iteration { candidate: self.name, part: self.part, done, of, loss: None })
            }
            Heard::Predicted { iterations, margins } => self
                .watch
                .is_none_or(|watch| watch(iterations, &|| link.of_table(margins.clone(), self.task.outputs()))),
            Heard::Waiting => (self.progress)(&Progress::Waiting),
        };
        let request = FitRequest {
            engine,
            parameters: &parameters,
            iterations,
            task: self.task,
            seed: self.seed,
            threads: self.engine_threads,
            rows: FitRows { matrix: &train, targets: rows.train.targets, weights: train_weights.as_deref() },
            held: held.filter(|held| held.patience.is_some() || !held.told.is_empty()),
            kept: Some(&rows.kept),
        };
        let fit = self.engines.fit(&request, &report).map_err(|error| match error {
            trainyard_engines::Error::Stopped => Error::Stopped,
            error => Error::Engine { candidate: self.name.to_owned(), part: self.part.to_string(), error },
        })?;
        let fitted = Fitted {
            estimator: Estimator::Boosting { ensembles: fit.ensembles, link },
            train_loss: Vec::new(),
            held_loss: Vec::new(),
            held: None,
            converged: true,
            out_of_bag: None,
            native: Some(Native { engine, bytes: fit.native }),
        };
        self.checked(fitted, rows)
    }
}

/// Writes the directions of all columns as the library reads them.
fn in_order(engine: Engine, directions: &[Way]) -> String {
    let number = |way: &Way| match way {
        Way::Decrease => "-1",
        Way::Free => "0",
        Way::Increase => "1",
    };
    let numbers = directions.iter().map(number).collect::<Vec<_>>().join(",");
    match engine {
        Engine::LightGbm => numbers,
        Engine::XgBoost => format!("({numbers})"),
    }
}
