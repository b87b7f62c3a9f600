//! Proof of reproducibility: a run is repeated in an empty folder from its recorded configuration and the data that it
//! read, and every artifact compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::ObjectStore;

use crate::bundle;
use crate::difference::{self, Difference};
use crate::engine::{
    Cancel, Done, Engine, Entry, Failure as StepFailure, Finished, Graph, Input, Journal, Record, Reporter, Sink,
    StepStatus,
};
use crate::given::outside_scratch;
use crate::look::{find_run, or_imported, states_of};
use crate::project::{self, Request, SCHEMA, STATE};
use crate::session::{Failure, graph_of};
use crate::steps::{ENGINE, Mode, SourceAt, StoredIncumbent};
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
    /// What the store has of the recorded bytes: `whole`, `absent`, or `damaged` where they are others.
    pub stored: &'static str,
    /// Whether the digests are the same, and the stored bytes are not others.
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
    /// The first place where the replay differs from the run.
    pub first_difference: Option<Difference>,
}

/// What `verify` found.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The run.
    pub run: String,
    /// The bundle that holds it; none for a run of the project.
    pub bundle: Option<String>,
    /// Whether every artifact of every repetition is the same.
    pub identical: bool,
    /// Whether the source changed since, or is not part of a bundle, so that the stored table stood for it.
    pub source_changed: bool,
    /// The steps whose code is not that of the run: another build of Trainyard repeats them.
    pub other_code: Vec<String>,
    /// The engines whose library here is not the one that the run loaded.
    pub other_engines: Vec<String>,
    /// The repetitions.
    pub replays: Vec<Replay>,
}

struct Nothing;

impl Sink for Nothing {
    fn finished(&self, _steps: &[Done]) -> Result<(), StepFailure> {
        Ok(())
    }
}

/// A run that is to be repeated, and what it is repeated from.
pub(crate) struct Recorded {
    pub(crate) stores: Stores,
    pub(crate) run: String,
    pub(crate) entries: Vec<Entry>,
    pub(crate) source: SourceAt,
    pub(crate) incumbent: Option<Box<StoredIncumbent>>,
    /// What lies in it is gone when the replays are.
    pub(crate) scratch: PathBuf,
}

/// Gives the last record of each step, where the run got far enough to be repeated.
///
/// # Errors
/// It trained no model, and did not end before it would have.
pub(crate) fn provable(run: &str, entries: &[Entry]) -> Result<BTreeMap<String, Record>, Diagnostic> {
    let recorded: BTreeMap<String, Record> =
        Journal::done(entries).into_iter().map(|(name, (record, _, _))| (name, record)).collect();
    // A run that ended well before it trained, as where nothing had drifted, repeats all that it did.
    let has_ended = entries.iter().any(|entry| matches!(entry, Entry::Ended { status, .. } if status != "FAILED"));
    if recorded.contains_key("train") || has_ended {
        return Ok(recorded);
    }
    let title = format!("run {run} trained no model that could be verified");
    Err(Diagnostic::error("verify/unfinished", title).help(format!("`trainyard resume {run}` first")))
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
    let states = states_of(&stores);
    let found = find_run(&states, run).map_err(|problem| or_imported(problem, &stores.tracking, run))?;
    let run = found.run.clone();
    stores.recorded(&run)?;
    let entries = stores.entries(&run)?;
    let scratch = Scratch(stores.root.join(STATE).join(format!("{VERIFY}{}-{}", std::process::id(), now_ms())));
    let recorded = Recorded {
        source: SourceAt::Project(stores.root.clone()),
        incumbent: None,
        scratch: scratch.0.clone(),
        stores,
        run,
        entries,
    };
    repeat(&recorded, request, threads, &reporter, cancel)
}

/// Repeats the run that a bundle holds once for each thread count and compares all artifacts; nothing but the bundle is
/// read, and what is written is gone afterwards.
pub fn verify_bundle(
    request: &Request,
    bundle: &Path,
    threads: &[usize],
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<VerifyReport, Failure> {
    let scratch = outside_scratch(&*request.io)?;
    let recorded = bundle::opened(request, bundle, &scratch.0, &|| cancel.is_cancelled())?;
    let Some(recorded) = recorded else { return Err(Failure::Interrupted { run: bundle.display().to_string() }) };
    let report = repeat(&recorded, request, threads, &reporter, cancel).map_err(|failure| match failure {
        Failure::Interrupted { .. } => Failure::Interrupted { run: bundle.display().to_string() },
        other => other,
    })?;
    Ok(VerifyReport { bundle: Some(bundle.display().to_string()), ..report })
}

fn repeat(
    from: &Recorded,
    request: &Request,
    threads: &[usize],
    reporter: &Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<VerifyReport, Failure> {
    let (stores, run, entries) = (&from.stores, &from.run, &from.entries);
    let resolved = stores.recorded(run)?;
    // What is compared is the record, whatever a secret's length is by now.
    let document = Arc::new(resolved.to_json());
    let resolved = match from.source {
        SourceAt::Project(_) => project::complete(resolved, request),
        _ => resolved,
    };
    let recorded = provable(run, entries)?;
    let mut source_changed = matches!(from.source, SourceAt::Nowhere);
    let (mut other_code, mut other_engines, mut replays) = (Vec::new(), Vec::new(), Vec::new());
    for (number, &threads) in threads.iter().enumerate() {
        let started = std::time::Instant::now();
        // Nothing of the project is there: what a step reads was declared, or is missed.
        let folder = Scratch(from.scratch.join(format!("replay-{number}")));
        let mode = Mode::Replay {
            recorded: recorded.clone(),
            objects: Arc::clone(&stores.objects),
            source: from.source.clone(),
            incumbent: from.incumbent.clone(),
        };
        let context = stores.context_in(folder.0.join("project"), resolved.clone(), run, mode, request);
        let _ = context.document.set(Arc::clone(&document));
        if let Some(as_of) = Journal::as_of(entries) {
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
        let is_other = |step: &&Arc<dyn crate::engine::Step>| {
            recorded.get(step.name()).is_some_and(|record| record.code != step.code())
        };
        other_code = graph.steps().iter().filter(is_other).map(|step| step.name().to_owned()).collect();
        other_engines = other_libraries(&graph, &recorded);
        let objects = Arc::new(ObjectStore::open(Arc::clone(&stores.io), folder.0.join("objects")));
        let engine = Engine {
            graph,
            cache: None,
            objects: Arc::clone(&objects),
            journal: None,
            sink: Arc::new(Nothing),
            reporter: Arc::clone(reporter),
            cancel: cancel.clone(),
            threads,
            run: run.clone(),
        };
        let outcome = engine.run(BTreeMap::new(), None);
        match outcome.failure {
            Some(StepFailure::Interrupted) => return Err(Failure::Interrupted { run: run.clone() }),
            Some(StepFailure::Problems(problems)) => return Err(Failure::Problems(problems)),
            None => {}
        }
        let artifacts = compared(&outcome.steps, &recorded, &stores.objects);
        let first_difference = artifacts
            .iter()
            .find(|artifact| !artifact.identical)
            .map(|artifact| first_difference(artifact, &stores.objects, &objects, &*stores.io));
        replays.push(Replay { threads, seconds: started.elapsed().as_secs_f64(), artifacts, first_difference });
    }
    let identical = replays.iter().flat_map(|replay| &replay.artifacts).all(|artifact| artifact.identical);
    Ok(VerifyReport { run: run.clone(), bundle: None, identical, source_changed, other_code, other_engines, replays })
}

/// Names the engines whose library here is not the one that the run loaded; one that is absent is told by its step.
fn other_libraries(graph: &Graph, recorded: &BTreeMap<String, Record>) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for step in graph.steps() {
        let then = recorded.get(step.name()).map(|record| record.inputs.as_slice()).unwrap_or_default();
        let then: Vec<&Input> = then.iter().filter(|input| input.name.starts_with(ENGINE)).collect();
        if then.is_empty() {
            continue;
        }
        let now = step.inputs().unwrap_or_default();
        let is_other = |input: &&&Input| now.iter().any(|here| here.name == input.name && here.digest != input.digest);
        others.extend(then.iter().filter(is_other).map(|input| input.name.trim_start_matches(ENGINE).to_owned()));
    }
    others.sort_unstable();
    others.dedup();
    others
}

/// Holds every artifact of the run beside that of the replay, in the order of the steps.
fn compared(steps: &[Finished], recorded: &BTreeMap<String, Record>, stored: &ObjectStore) -> Vec<Verified> {
    let mut artifacts = Vec::new();
    for step in steps {
        let Some(then) = recorded.get(&step.name) else { continue };
        let now =
            step.record.as_ref().filter(|_| step.status == StepStatus::Ran).map(|record| &record.output.artifacts);
        let is_external = then.inputs.iter().any(|input| input.name.starts_with(ENGINE));
        for (artifact, digest) in &then.output.artifacts {
            let replayed = now.and_then(|now| now.get(artifact)).map(ToString::to_string);
            let stored = match stored.size(digest) {
                Ok(_) => "whole",
                Err(trainyard_files::Error::Damaged { .. }) => "damaged",
                Err(_) => "absent",
            };
            let is_same = replayed.as_deref() == Some(digest.to_string().as_str());
            artifacts.push(Verified {
                step: step.name.clone(),
                artifact: artifact.clone(),
                kind: if is_external { "external" } else { "native" }.to_owned(),
                recorded: digest.to_string(),
                identical: is_same && stored != "damaged",
                stored,
                replayed,
            });
        }
    }
    artifacts
}

/// Finds where an artifact differs first; where its bytes are not stored, only the digests are told.
fn first_difference(
    artifact: &Verified,
    stored: &ObjectStore,
    replayed: &ObjectStore,
    io: &dyn trainyard_files::Io,
) -> Difference {
    let then = artifact.recorded.parse().ok().and_then(|digest| io.read(&stored.path(&digest)).ok());
    let now = artifact.replayed.as_deref().and_then(|digest| replayed.get(&digest.parse().ok()?).ok());
    let found = then.zip(now).and_then(|(then, now)| difference::first(&then, &now));
    let (place, recorded, now) = found.unwrap_or_else(|| {
        let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
        let now = artifact.replayed.as_deref().map_or_else(|| "absent".to_owned(), short);
        ("the digest".to_owned(), short(&artifact.recorded), now)
    });
    Difference { step: artifact.step.clone(), artifact: artifact.artifact.clone(), place, recorded, replayed: now }
}
