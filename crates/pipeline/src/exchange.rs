//! Runs and models brought to an MLflow server, and runs fetched from one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use trainyard_diagnostics::Diagnostic;
use trainyard_tracking::{
    Action, Brought, BroughtModel, Change, Fetched, Fetching, MlflowStore, RunRecord, Tracking, VersionRecord,
};

use crate::project::{self, Request};
use crate::session::Failure;
use crate::stores::{Stores, now_ms, server, who};

/// What came of bringing runs and models to a server.
#[derive(Debug)]
pub struct Sent {
    /// The runs.
    pub runs: Brought,
    /// The registered models; none where the server could not be told of all runs.
    pub models: Vec<BroughtModel>,
}

fn told(error: trainyard_tracking::Error) -> Vec<Diagnostic> {
    vec![error.diagnostic()]
}

/// Brings runs to a server, all of the project where none is named, and the versions of models that they made, with stages
/// and aliases. Again it brings what is missing there. `watch` hears how many runs are done and of how many, and says
/// whether to go on.
pub fn send(
    request: &Request,
    to: &str,
    ids: &[String],
    patience: Duration,
    watch: &dyn Fn(usize, usize) -> bool,
) -> Result<Sent, Vec<Diagnostic>> {
    let resolved = project::load(&*request.io, request)?;
    let looked = crate::look::tracking(&request.root)?;
    let mut runs: Vec<RunRecord> = Vec::new();
    for id in ids {
        let run = looked.find_run(id).map_err(told)?;
        if runs.iter().all(|known| known.run != run.run) {
            runs.push(run);
        }
    }
    if ids.is_empty() {
        runs = looked.runs(usize::MAX, None).map_err(told)?;
        // As they were begun.
        runs.reverse();
    }
    if runs.is_empty() {
        let diagnostic = Diagnostic::error("export/no-run", "there is no run to export");
        return Err(vec![diagnostic.help("`trainyard run` makes one")]);
    }
    drop(looked);
    let stores = Stores::open(&request.io, &request.root)?;
    let project = &resolved.project;
    let store = MlflowStore::new(Arc::clone(&stores.tracking), server(to, &request.runtime), &project.name.value);
    let all = runs.len();
    let brought = store.export_runs(&runs, patience, &|done| watch(done, all)).map_err(told)?;
    let mut sent = Sent { runs: brought, models: Vec::new() };
    let has_own_registry = project.tracking.uri.value.trim_end_matches('/') == to.trim_end_matches('/');
    // What the server refuses of one run is no reason to keep back the others' models.
    let waits = sent.runs.undelivered.iter().flat_map(|left| &left.runs).any(|waiting| waiting.refused.is_none());
    if waits || sent.runs.is_stopped || has_own_registry {
        return Ok(sent);
    }
    let registry = stores.tracking_of(&resolved, &request.runtime);
    // A run that promotes meanwhile would change what is told here.
    let _lock = stores.lock("", false).map_err(|failure| match failure {
        Failure::Problems(problems) => problems,
        Failure::Interrupted { .. } => Vec::new(),
    })?;
    for model in registry.models().map_err(told)? {
        let mut versions = registry.versions(&model.name).map_err(told)?;
        // What others made is theirs to bring.
        versions.retain(|version| matches!(stores.tracking.run(&version.run), Ok(Some(_))));
        if !ids.is_empty() {
            versions.retain(|version| runs.iter().any(|run| run.run == version.run));
        }
        if !versions.is_empty() {
            sent.models.push(send_model(&store, &*registry, &model.name, &versions, &model.aliases)?);
        }
    }
    Ok(sent)
}

fn send_model(
    store: &MlflowStore,
    registry: &dyn Tracking,
    model: &str,
    versions: &[VersionRecord],
    aliases: &BTreeMap<String, u32>,
) -> Result<BroughtModel, Vec<Diagnostic>> {
    let history = registry.history(model).map_err(told)?;
    let made = history.into_iter().filter(|entry| entry.action == Action::Promoted && entry.run.is_some());
    let reasons = made.filter_map(|entry| Some((entry.version?, entry.reason))).collect();
    let change = Change {
        at_ms: now_ms(),
        who: who(),
        run: None,
        reason: "exported as it stands in the project's own registry".to_owned(),
        decision: Value::Null,
    };
    store.export_model(model, versions, aliases, &reasons, &change).map_err(told)
}

/// Brings ended runs of a server into the project; what is here already is not read again. `watch` hears how many runs and
/// bytes are done, and says whether to go on.
pub fn fetch(
    request: &Request,
    from: &str,
    asked: &Fetching,
    watch: &dyn Fn(usize, u64) -> bool,
) -> Result<Fetched, Vec<Diagnostic>> {
    let resolved = project::load(&*request.io, request)?;
    let stores = Stores::open(&request.io, &request.root)?;
    let name = &resolved.project.name.value;
    let store = MlflowStore::new(Arc::clone(&stores.tracking), server(from, &request.runtime), name);
    store.import_runs(asked, watch).map_err(told)
}
