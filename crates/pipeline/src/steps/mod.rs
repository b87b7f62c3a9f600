//! The steps, a file each, and the graph that a configuration asks for.

mod baseline;
mod calibrate;
mod compare;
pub(crate) mod context;
mod drift;
mod evaluate;
mod explain;
mod features;
mod gate;
mod ingest;
mod kept_search;
mod pixels;
mod promote;
mod resolve;
mod search;
mod split;
mod telling;
mod train;
mod training;
mod tune;
mod tuned;
mod validate;
mod version;
mod versioned;

use std::sync::Arc;

use trainyard_diagnostics::Diagnostic;

pub(crate) use compare::compared;
pub(crate) use context::{Context, MODEL_FILES, Mode, SourceAt, StoredIncumbent, metrics_of};
pub(crate) use ingest::Ingest;
pub(crate) use promote::words;
pub(crate) use training::ENGINE;
pub(crate) use tune::{REPORT, STUDIES, Tune, search_of};
pub(crate) use validate::Validate;
pub(crate) use version::{DATA_VERSIONS, Version};

use crate::engine::{Graph, GraphError, Step};

/// The names of all steps, in order.
pub(crate) const NAMES: [&str; 16] = [
    "resolve",
    "ingest",
    "validate",
    "drift",
    "split",
    "version",
    "features",
    "baseline",
    "tune",
    "train",
    "calibrate",
    "evaluate",
    "explain",
    "gate",
    "compare",
    "promote",
];

/// Removes the reports of steps that a run of this configuration does not have: they are of other data.
pub(crate) fn remove_stale_reports(context: &Context) -> Result<(), Diagnostic> {
    if context.resolved.project.drift.is_none() { drift::remove_page(context) } else { Ok(()) }
}

/// Makes the steps that the configuration asks for; absent sections leave their step out.
pub(crate) fn assemble(context: &Arc<Context>) -> Result<Graph, GraphError> {
    let project = &context.resolved.project;
    let mut steps: Vec<Arc<dyn Step>> =
        vec![Arc::new(resolve::Resolve(Arc::clone(context))), Arc::new(Ingest::new(context))];
    if project.validate.is_some() {
        steps.push(Arc::new(Validate::new(context)));
    }
    if project.drift.is_some() {
        steps.push(Arc::new(drift::Drift::new(context)));
    }
    steps.push(Arc::new(split::Split(Arc::clone(context))));
    if context.versions_data() {
        steps.push(Arc::new(Version(Arc::clone(context))));
    }
    steps.push(Arc::new(features::Features(Arc::clone(context))));
    steps.push(Arc::new(baseline::Baseline(Arc::clone(context))));
    if context.resolved.model.spec.tune.is_some() {
        steps.push(Arc::new(Tune::new(context)));
    }
    steps.push(Arc::new(train::Train(Arc::clone(context))));
    if context.resolved.model.spec.is_calibrated() {
        steps.push(Arc::new(calibrate::Calibrate(Arc::clone(context))));
    }
    steps.push(Arc::new(evaluate::Evaluate(Arc::clone(context))));
    if context.resolved.model.spec.explain.is_some() {
        steps.push(Arc::new(explain::Explain(Arc::clone(context))));
    }
    if !project.gates.is_empty() {
        steps.push(Arc::new(gate::Gate(Arc::clone(context))));
    }
    if project.promote.is_some() {
        steps.push(Arc::new(compare::Compare(Arc::clone(context))));
        if context.is_live() {
            steps.push(Arc::new(promote::Promote(Arc::clone(context))));
        }
    }
    Graph::new(steps)
}
