//! What searches found, as `train` and `calibrate` take it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trainyard_spec::{FeatureSpec, ModelSpec};

use super::context::{Context, json as parse};
use crate::engine::{Failure, Read, Scope};

/// What a search found for a candidate, as `train` reads it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The values, by the parameters' names.
    pub(crate) values: BTreeMap<String, Value>,
    /// The trial.
    pub(crate) trial: u64,
    /// Its value: the mean over the folds.
    pub(crate) value: f64,
    /// Its values by fold.
    pub(crate) folds: Vec<f64>,
}

/// What the searches of a run found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct AllFound {
    /// By candidate.
    pub(crate) candidates: BTreeMap<String, Found>,
    /// The keys of the features' groups with their values.
    pub(crate) features: BTreeMap<String, Value>,
}

/// The versions as a search left them.
pub(super) struct Tuned {
    pub(super) model: ModelSpec,
    pub(super) features: FeatureSpec,
}

/// Gives model and features as the search left them; where there is none, as they are written.
pub(super) fn tuned(context: &Context, scope: &Scope) -> Result<Tuned, Failure> {
    let resolved = &context.resolved;
    let mut tuned = Tuned { model: resolved.model.spec.clone(), features: resolved.features.spec.clone() };
    if tuned.model.tune.is_none() {
        return Ok(tuned);
    }
    let problems = |problems: trainyard_diagnostics::Problems| Failure::Problems(problems.into_vec());
    let found: AllFound = parse(&scope.read("tune", "found")?)?;
    for (name, candidate) in &mut tuned.model.candidates {
        if let Some(found) = found.candidates.get(&name.value) {
            let values: Vec<(String, Value)> = found.values.clone().into_iter().collect();
            *candidate = candidate.with(&values).map_err(problems)?;
        }
    }
    if !found.features.is_empty() {
        let values: Vec<(String, Value)> = found.features.into_iter().collect();
        tuned.features = tuned.features.with(&values).map_err(problems)?;
    }
    Ok(tuned)
}

/// Names what a training of tuned candidates reads besides.
pub(super) fn tuned_reads(context: &Context) -> Option<Read> {
    context.resolved.model.spec.tune.as_ref().map(|_| Read::new("tune", "found"))
}
