//! Proof of reproducibility: a run is repeated from its recorded configuration, and every artifact compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::ObjectStore;

use crate::engine::{
    Cancel, Done, Engine, Entry, Failure as StepFailure, Input, Journal, Record, Reporter, Sink, StepStatus,
};
use crate::look::find_run;
use crate::project::{self, Request, SCHEMA, STATE};
use crate::session::{Failure, graph_of};
use crate::steps::{ENGINE, Mode};
use crate::stores::{Scratch, Stores, VERIFY, now_ms};

/// One artifact, then and now.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// The step that makes it.
    pub step: String,
    /// Its name.
    pub artifact: String,
    /// `native`: the same bytes are promised on every machine; `external`: the same library, the same number of its
    /// threads and the same family of processors give the same bytes.
    pub kind: String,
    /// The digest that the run recorded.
    pub recorded: String,
    /// The digest now; absent when the step failed.
    pub replayed: Option<String>,
    /// Whether they are the same.
    pub identical: bool,
}

/// One repetition.
#[derive(Debug, Clone, Serialize)]
pub struct Replay {
    /// Its threads.
    pub threads: usize,
    /// Wall time.
    pub seconds: f64,
    /// Every artifact of every step.
    pub artifacts: Vec<Verified>,
}

/// What `verify` found.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The run.
    pub run: String,
    /// Whether every artifact of every repetition is the same.
    pub identical: bool,
    /// Whether the source changed since, so that the stored table stood for it.
    pub source_changed: bool,
    /// The repetitions.
    pub replays: Vec<Replay>,
}

struct Nothing;

impl Sink for Nothing {
    fn finished(&self, _steps: &[Done]) -> Result<(), StepFailure> {
        Ok(())
    }
}

/// Repeats the run `run` once for each thread count and compares all artifacts.
pub fn verify(
    request: &Request,
    run: &str,
    threads: &[usize],
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<VerifyReport, Failure> {
    let stores = Stores::look(&request.io, &request.root)?;
    let run = find_run(&crate::look::run_states(&request.root)?, run)?.run.clone();
    let resolved = stores.recorded(&run)?;
    // What is compared is the record, whatever a secret's length is by now.
    let document = Arc::new(resolved.to_json());
    let resolved = project::complete(resolved, request);
    let entries = stores.entries(&run)?;
    let recorded: BTreeMap<String, Record> =
        Journal::done(&entries).into_iter().map(|(name, (record, _, _))| (name, record)).collect();
    // A run that ended well before it trained, as where nothing had drifted, repeats all that it did.
    let has_ended = entries.iter().any(|entry| matches!(entry, Entry::Ended { status, .. } if status != "FAILED"));
    if !recorded.contains_key("train") && !has_ended {
        return Err(Diagnostic::error(
            "verify/unfinished",
            format!("run {run} trained no model that could be verified"),
        )
        .help(format!("`trainyard resume {run}` first"))
        .into());
    }
    let mut source_changed = false;
    let mut replays = Vec::new();
    for &threads in threads {
        let started = std::time::Instant::now();
        let scratch = Scratch(stores.root.join(STATE).join(format!("{VERIFY}{}-{}", std::process::id(), now_ms())));
        let mode = Mode::Replay { recorded: recorded.clone(), objects: Arc::clone(&stores.objects) };
        let context = stores.context(resolved.clone(), &run, mode, request);
        let _ = context.document.set(Arc::clone(&document));
        if let Some(as_of) = Journal::as_of(&entries) {
            let _ = context.as_of.set(as_of);
        }
        let graph = graph_of(&context)?;
        if let (Some(ingest), Some(record)) = (graph.find("ingest"), recorded.get("ingest")) {
            let now = ingest.inputs().ok();
            // The record's schema is that of after the run, the configuration's that of before.
            let holds = |input: &Input| input.name == SCHEMA || record.inputs.contains(input);
            let unchanged = now.is_some_and(|now| now.iter().all(holds));
            source_changed |= !unchanged;
        }
        let engine = Engine {
            graph,
            cache: None,
            objects: Arc::new(ObjectStore::open(Arc::clone(&stores.io), scratch.0.clone())),
            journal: None,
            sink: Arc::new(Nothing),
            reporter: Arc::clone(&reporter),
            cancel: cancel.clone(),
            threads,
            run: run.clone(),
        };
        let outcome = engine.run(BTreeMap::new(), None);
        match outcome.failure {
            Some(StepFailure::Interrupted) => return Err(Failure::Interrupted { run }),
            Some(StepFailure::Problems(problems)) => return Err(Failure::Problems(problems)),
            None => {}
        }
        let mut artifacts = Vec::new();
        for step in &outcome.steps {
            let Some(then) = recorded.get(&step.name) else { continue };
            let now =
                step.record.as_ref().filter(|_| step.status == StepStatus::Ran).map(|record| &record.output.artifacts);
            let is_external = then.inputs.iter().any(|input| input.name.starts_with(ENGINE));
            for (artifact, digest) in &then.output.artifacts {
                let replayed = now.and_then(|now| now.get(artifact)).map(ToString::to_string);
                artifacts.push(Verified {
                    step: step.name.clone(),
                    artifact: artifact.clone(),
                    kind: if is_external { "external" } else { "native" }.to_owned(),
                    recorded: digest.to_string(),
                    identical: replayed.as_deref() == Some(digest.to_string().as_str()),
                    replayed,
                });
            }
        }
        replays.push(Replay { threads, seconds: started.elapsed().as_secs_f64(), artifacts });
    }
    let identical = replays.iter().flat_map(|replay| &replay.artifacts).all(|artifact| artifact.identical);
    Ok(VerifyReport { run, identical, source_changed, replays })
}
