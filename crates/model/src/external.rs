//! A fit by an external engine.

use trainyard_engines::{Engine, FitRequest};

use crate::estimator::Link;
use crate::fit::{Fitted, Job};
use crate::prepared::Prepared;
use crate::progress::Progress;
use crate::{Error, Estimator};

/// The number of trees, which both libraries take apart from the parameters.
const TREES: &str = "n_estimators";

/// The model of an external engine, as the library itself writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// The engine.
    pub engine: Engine,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Job<'_> {
    /// Fits on the training part of `rows`.
    pub(crate) fn external(&self, engine: Engine, iterations: usize, rows: &Prepared<'_>) -> Result<Fitted, Error> {
        // Texts are written without the quotes of JSON.
        let written = |value: String| value.trim_matches('"').to_owned();
        let own = self.spec.parameters().into_iter().filter(|(name, _)| name != TREES);
        let parameters: Vec<(String, String)> = own.map(|(name, value)| (name, written(value))).collect();
        let report = |done: usize, of: usize| {
            (self.progress)(&Progress::Iteration { candidate: self.name, part: self.part, done, of, loss: None })
        };
        let request = FitRequest {
            engine,
            parameters: &parameters,
            iterations,
            task: self.task,
            seed: self.seed,
            threads: self.engine_threads,
            matrix: &rows.train.matrix(),
            targets: rows.train.targets,
            weights: rows.train.weights,
        };
        let fit = self.engines.fit(&request, &report).map_err(|error| match error {
            trainyard_engines::Error::Stopped => Error::Stopped,
            error => Error::Engine { candidate: self.name.to_owned(), part: self.part.to_string(), error },
        })?;
        let fitted = Fitted {
            estimator: Estimator::Boosting { ensembles: fit.ensembles, link: Link::of_margins(self.task) },
            train_loss: Vec::new(),
            held_loss: Vec::new(),
            converged: true,
            out_of_bag: None,
            native: Some(Native { engine, bytes: fit.native }),
        };
        self.checked(fitted, rows)
    }
}
