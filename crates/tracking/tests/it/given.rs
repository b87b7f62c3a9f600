//! Stores, runs and models that the tests start from.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use trainyard_files::{Digest, DiskIo, ObjectStore};
use trainyard_spec::Stage;
use trainyard_tracking::{Change, EmbeddedStore, NewRun, NewVersion, Promotion, Tracking};

pub(crate) fn objects(dir: &Path) -> Arc<ObjectStore> {
    Arc::new(ObjectStore::open(Arc::new(DiskIo), dir.join("objects")))
}

pub(crate) fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, objects(dir)).unwrap()
}

pub(crate) fn store() -> (TempDir, EmbeddedStore) {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    (dir, store)
}

pub(crate) fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

pub(crate) fn new_run(run: &str) -> NewRun {
    NewRun {
        run: run.to_owned(),
        experiment: "churn".to_owned(),
        name: format!("run {run}"),
        tags: map([("team", "growth")]),
        started_ms: 1_000,
    }
}

/// Starts a run that has stored a model, and describes the version of it.
pub(crate) fn trained(store: &dyn Tracking, run: &str) -> NewVersion {
    store.start_run(&new_run(run)).unwrap();
    store.log_artifact(run, "model/model.json", format!("{{\"of\":\"{run}\"}}").as_bytes()).unwrap();
    store.log_artifact(run, "model/signature.json", b"{}").unwrap();
    NewVersion {
        run: run.to_owned(),
        digest: Digest::of(run.as_bytes()),
        artifact_path: "model".to_owned(),
        rows: BTreeMap::from([("train".to_owned(), 4225), ("reference".to_owned(), 1409)]),
        who: "ada@lab".to_owned(),
        created_ms: 2_000,
    }
}

pub(crate) fn promotion(version: NewVersion, stage: Stage, alias: &str) -> Promotion {
    Promotion {
        model: "churn-predictor".to_owned(),
        version,
        stage,
        alias: alias.to_owned(),
        reason: "roc_auc is better".to_owned(),
        decision: json!({"metric": "roc_auc", "difference": 0.005}),
        expected_head: None,
    }
}

pub(crate) fn change() -> Change {
    Change { at_ms: 3_000, who: "ada@lab".to_owned(), run: None, reason: "by hand".to_owned(), decision: Value::Null }
}
