//! One execution: from the request to the result, under the project's lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use trainyard_diagnostics::{Diagnostic, Fault, nearest};
use trainyard_files::{
    Digester, Error as FileError, Holder, Io, ObjectStore, ProjectLock, host_name, sweep_temporaries, write_atomic,
};
use trainyard_spec::Resolved;
use trainyard_tracking::{EmbeddedStore, Input, Metric, NewRun, Reason, Status, Tracking};

use crate::engine::{
    Cache, Cancel, Engine, Entry, Event, Failure as StepFailure, Graph, Journal, Outcome, Record, Reporter, Sink,
    StepStatus, journal_problem, still_done,
};
use crate::project::{self, Request, STATE};
use crate::report::{RunResult, result_of};
use crate::steps::{self, Context, Mode};

/// Why a command did not give its result.
#[derive(Debug, Clone)]
pub enum Failure {
    /// Problems, each told to the user.
    Problems(Vec<Diagnostic>),
    /// The user stopped the run.
    Interrupted {
        /// Its id, for `resume`.
        run: String,
    },
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(problems: Vec<Diagnostic>) -> Failure {
        Failure::Problems(problems)
    }
}

impl From<Diagnostic> for Failure {
    fn from(problem: Diagnostic) -> Failure {
        Failure::Problems(vec![problem])
    }
}

/// What one step did.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// The run.
    pub run: String,
    /// The step.
    pub name: String,
    /// How it ended.
    pub status: StepStatus,
    /// Wall time.
    pub seconds: f64,
    /// What it worked on.
    pub subject: String,
    /// What came out.
    pub result: String,
    /// The run's result, when this was its last step.
    pub ended: Option<RunResult>,
}

/// The stores of a project.
pub(crate) struct Stores {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) root: PathBuf,
    pub(crate) objects: Arc<ObjectStore>,
    pub(crate) tracking: Arc<dyn Tracking>,
}

/// Removes a scratch folder however the command ends.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch folder that stays behind costs space only; the next command uses another.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Stores {
    /// Opens what is there; writes nothing into the project.
    pub(crate) fn look(io: &Arc<dyn Io>, root: &Path) -> Result<Stores, Vec<Diagnostic>> {
        let io = Arc::clone(io);
        let state = root.join(STATE);
        let objects = Arc::new(ObjectStore::open(Arc::clone(&io), state.join("objects")));
        let tracking = EmbeddedStore::look(&state.join("tracking"), Arc::clone(&objects));
        let tracking = tracking.map_err(|error| vec![error.diagnostic()])?;
        Ok(Stores { io, root: root.to_owned(), objects, tracking: Arc::new(tracking) })
    }

    /// Removes what writers that died left half-written. Only who holds the project's lock may ask for it.
    fn sweep(&self) {
        let mut folders = vec![self.state(), self.root.join("versions")];
        for parent in [
            self.state().join("cache"),
            self.state().join("runs"),
            self.root.join("data/splits"),
            self.root.join("data/reference/tests"),
        ] {
            folders.extend(self.io.list(&parent).unwrap_or_default());
        }
        // A leftover costs space only: where it can't be removed, the run goes on.
        for folder in folders {
            let _ = sweep_temporaries(&*self.io, &folder);
        }
        let _ = self.objects.sweep();
    }

    /// Opens the stores for writing.
    pub(crate) fn open(io: &Arc<dyn Io>, root: &Path) -> Result<Stores, Vec<Diagnostic>> {
        let io = Arc::clone(io);
        let state = root.join(STATE);
        let objects = Arc::new(ObjectStore::open(Arc::clone(&io), state.join("objects")));
        let tracking = EmbeddedStore::open(&state.join("tracking"), Arc::clone(&objects));
        let tracking = tracking.map_err(|error| vec![error.diagnostic()])?;
        Ok(Stores { io, root: root.to_owned(), objects, tracking: Arc::new(tracking) })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join(STATE)
    }

    pub(crate) fn cache(&self) -> Cache {
        Cache::new(Arc::clone(&self.io), self.state().join("cache"), Arc::clone(&self.objects))
    }

    pub(crate) fn run_folder(&self, run: &str) -> PathBuf {
        self.state().join("runs").join(run)
    }

    pub(crate) fn configuration_path(&self, run: &str) -> PathBuf {
        self.run_folder(run).join("configuration.json")
    }

    pub(crate) fn journal_path(&self, run: &str) -> PathBuf {
        self.run_folder(run).join("journal.jsonl")
    }

    pub(crate) fn entries(&self, run: &str) -> Result<Vec<Entry>, Vec<Diagnostic>> {
        Journal::read(&*self.io, &self.journal_path(run)).map_err(|error| vec![journal_problem(&error)])
    }

    pub(crate) fn context(&self, resolved: Resolved, run: &str, mode: Mode) -> Arc<Context> {
        Arc::new(Context {
            root: self.root.clone(),
            io: Arc::clone(&self.io),
            resolved,
            run: run.to_owned(),
            tracking: Arc::clone(&self.tracking),
            mode,
            now_ms,
            tables: Mutex::new(BTreeMap::new()),
            read_ahead: Mutex::new(None),
        })
    }

    /// Reads the configuration that a run recorded.
    pub(crate) fn recorded(&self, run: &str) -> Result<Resolved, Vec<Diagnostic>> {
        let path = self.configuration_path(run);
        let value: Option<Value> = self.io.read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(value) = value else {
            let title = format!("run {run} has no readable configuration");
            return Err(vec![
                Diagnostic::error("run/no-configuration", title).help("`trainyard runs list` shows the runs"),
            ]);
        };
        Resolved::from_json(&value).map_err(|problems| problems.into_vec())
    }

    fn lock_path(&self) -> PathBuf {
        self.state().join("lock")
    }

    pub(crate) fn holder_of(&self) -> Option<Holder> {
        ProjectLock::holder(&self.lock_path()).ok().flatten()
    }

    fn lock(&self, run: &str, shared: bool) -> Result<ProjectLock, Failure> {
        let command = std::env::args().skip(1).take(2).collect::<Vec<_>>().join(" ");
        let holder = Holder {
            pid: std::process::id(),
            host: host_name(),
            command,
            run: run.to_owned(),
            since_unix: now_ms() / 1000,
        };
        let path = self.lock_path();
        let locked =
            if shared { ProjectLock::shared_by_run(&path, holder) } else { ProjectLock::exclusive(&path, holder) };
        locked.map_err(|error: FileError| error.diagnostic().into())
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Gives ids that are short and not in use.
fn new_run_id(stores: &Stores) -> String {
    for attempt in 0.. {
        let nanos =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let digest =
            Digester::new("run").number(nanos as u64).number(std::process::id().into()).number(attempt).finish();
        let id = digest.to_string()[..8].to_owned();
        if !stores.io.exists(&stores.run_folder(&id)) {
            return id;
        }
    }
    String::new()
}

/// Logs finished steps to the tracking run.
struct TrackingSink {
    context: Arc<Context>,
    objects: Arc<ObjectStore>,
}

impl Sink for TrackingSink {
    fn finished(&self, record: &Record, cached: bool, seconds: f64) -> Result<(), StepFailure> {
        let (tracking, run, logged) = (&self.context.tracking, self.context.run.as_str(), &record.output.logged);
        let failed = |error: trainyard_tracking::Error| StepFailure::from(error.diagnostic());
        let now = now_ms();
        tracking.log_params(run, &logged.params).map_err(failed)?;
        let metric = |key: &str, value: f64, step: i64| Metric { key: key.to_owned(), value, step, timestamp_ms: now };
        let mut metrics: Vec<Metric> =
            logged.metrics.iter().map(|(key, step, value)| metric(key, *value, *step)).collect();
        metrics.extend(record.output.measurements.iter().map(|(key, value)| metric(key, *value, 0)));
        metrics.push(metric(&format!("step_{}_seconds", record.step), seconds, 0));
        tracking.log_metrics(run, &metrics).map_err(failed)?;
        let mut tags = logged.tags.clone();
        if cached && record.step == "train" {
            tags.insert("cached_from".to_owned(), record.run.clone());
        }
        tracking.set_tags(run, &tags).map_err(failed)?;
        for (name, digest, source, rows) in &logged.inputs {
            let input = Input { name: name.clone(), digest: *digest, source: source.clone(), rows: *rows };
            tracking.log_input(run, &input).map_err(failed)?;
        }
        for (path, digest) in &logged.files {
            let bytes = self.objects.get(digest).map_err(|error| error.diagnostic())?;
            tracking.log_artifact(run, path, &bytes).map_err(failed)?;
        }
        Ok(())
    }
}

fn broken_graph(error: &crate::engine::GraphError) -> Diagnostic {
    Diagnostic::error("engine/graph", error.to_string()).with_fault(Fault::Internal)
}

pub(crate) fn graph_of(context: &Arc<Context>) -> Result<Graph, Vec<Diagnostic>> {
    steps::assemble(context).map_err(|error| vec![broken_graph(&error)])
}

/// Runs the project: a new run, from the files as they are.
pub fn run(request: &Request, reporter: Arc<dyn Reporter>, cancel: &Cancel) -> Result<RunResult, Failure> {
    let resolved = project::load(&*request.io, request)?;
    // All that is knowable is checked before anything is written.
    let looking = Stores::look(&request.io, &request.root)?;
    let ahead = looking.context(resolved.clone(), "none", Mode::Live);
    let planned = crate::look::preflight(&ahead, &looking.cache(), &*reporter)?;
    let stores = Stores::open(&request.io, &request.root)?;
    let run = new_run_id(&stores);
    let _lock = stores.lock(&run, false)?;
    stores.sweep();
    let context = stores.context(resolved, &run, Mode::Live);
    if let (Ok(mut from), Ok(mut to)) = (ahead.read_ahead.lock(), context.read_ahead.lock()) {
        *to = from.take();
    }
    let ready = planned.iter().filter(|step| step.action == crate::engine::Action::Cached).count();
    reporter.report(&Event::Checked { project: project::PROJECT.to_owned(), steps: planned.len(), ready });
    begin(&stores, &context)?;
    execute(&stores, &context, request.threads, reporter, cancel)
}

/// Goes on with a run that did not end: the one named, else the latest.
pub fn resume(
    request: &Request,
    run: Option<&str>,
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<RunResult, Failure> {
    let states = crate::look::run_states(&request.root)?;
    let open: Vec<&str> =
        states.iter().filter(|state| state.state != "ended").map(|state| state.run.as_str()).collect();
    let run = match run {
        None => open.last().map(|run| (*run).to_owned()),
        Some(wanted) => open.iter().find(|run| run.starts_with(wanted)).map(|run| (*run).to_owned()),
    };
    let Some(run) = run else {
        return Err(Diagnostic::error("resume/nothing", "there is no unfinished run to resume")
            .help("`trainyard run` starts a new one; what is done already comes from the cache")
            .into());
    };
    let stores = Stores::open(&request.io, &request.root)?;
    let _lock = stores.lock(&run, false)?;
    stores.sweep();
    let context = stores.context(stores.recorded(&run)?, &run, Mode::Live);
    reopen(&context)?;
    execute(&stores, &context, request.threads, reporter, cancel)
}

/// Opens the tracking run again, unless only the journal's last word is missing.
fn reopen(context: &Arc<Context>) -> Result<(), Failure> {
    let record = context.tracking.run(&context.run).map_err(|error| Failure::from(error.diagnostic()))?;
    match record.map(|record| record.status) {
        Some(Status::Finished | Status::Refused) => Ok(()),
        _ => begin_tracking(context),
    }
}

/// Runs one step of the run `run`; the step `resolve` begins the run.
pub fn step(
    request: &Request,
    name: &str,
    run: &str,
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<StepReport, Failure> {
    if !steps::NAMES.contains(&name) {
        let problem = Diagnostic::error("step/unknown", format!("there is no step named {name}"));
        let near = nearest(name, steps::NAMES).map(|near| format!("did you mean `{near}`? "));
        return Err(problem
            .help(format!("{}the steps are {}", near.unwrap_or_default(), steps::NAMES.join(", ")))
            .into());
    }
    let bad_id =
        run.is_empty() || !run.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) || run.starts_with('.');
    if bad_id {
        return Err(Diagnostic::error("step/run-id", format!("{run:?} can't be a run's id"))
            .help("use letters, digits, `-`, `_` and `.`")
            .into());
    }
    let looking = Stores::look(&request.io, &request.root)?;
    let known = looking.io.exists(&looking.configuration_path(run));
    let resolved = match (known, name) {
        (true, _) => looking.recorded(run)?,
        (false, "resolve") => {
            let resolved = project::load(&*request.io, request)?;
            let context = looking.context(resolved.clone(), run, Mode::Live);
            crate::look::preflight(&context, &looking.cache(), &*reporter)?;
            resolved
        }
        (false, _) => {
            return Err(Diagnostic::error("step/unknown-run", format!("there is no run named {run}"))
                .help(format!("the first step begins it: `trainyard step resolve --run {run}`"))
                .into());
        }
    };
    let stores = Stores::open(&request.io, &request.root)?;
    let _lock = stores.lock(run, true)?;
    let context = stores.context(resolved, run, Mode::Live);
    if !known {
        begin(&stores, &context)?;
    }
    let graph = graph_of(&context)?;
    let Some(found) = graph.find(name) else {
        return Err(Diagnostic::error("step/left-out", format!("this project has no step {name}"))
            .help("add its section to trainyard.yaml")
            .into());
    };
    let done = still_done(&graph, &stores.cache(), &stores.entries(run)?);
    let missing: Vec<&str> = graph.needs(found.name()).into_iter().filter(|need| !done.contains_key(*need)).collect();
    if !missing.is_empty() && !done.contains_key(name) {
        return Err(Diagnostic::error(
            "step/too-early",
            format!("step {name} needs {}, not done in run {run}", missing.join(", ")),
        )
        .help(format!("`trainyard step {} --run {run}`", missing[0]))
        .into());
    }
    let total = graph.steps().len();
    let outcome = start_engine(&stores, &context, graph, request.threads, Arc::clone(&reporter), cancel, Some(name))?
        .run(done, Some(name));
    let line = outcome.steps.iter().find(|step| step.name == name);
    let (status, seconds) = line.map_or((StepStatus::Failed, 0.0), |line| (line.status, line.seconds));
    let headline =
        line.and_then(|line| line.record.as_ref()).map(|record| record.output.headline.clone()).unwrap_or_default();
    let complete = outcome.steps.iter().filter(|step| step.record.is_some()).count() == total;
    let failed = outcome.failure.is_some();
    let ended = if complete || failed { Some(end(&stores, &context, outcome, seconds)?) } else { None };
    Ok(StepReport {
        run: run.to_owned(),
        name: name.to_owned(),
        status,
        seconds,
        subject: headline.0,
        result: headline.1,
        ended,
    })
}

/// Makes the run's folder and its tracking run.
fn begin(stores: &Stores, context: &Arc<Context>) -> Result<(), Failure> {
    let path = stores.configuration_path(&context.run);
    let bytes = serde_json::to_vec_pretty(&context.resolved.to_json()).unwrap_or_default();
    write_atomic(&*stores.io, &path, &bytes).map_err(|error| error.diagnostic())?;
    begin_tracking(context)
}

fn begin_tracking(context: &Arc<Context>) -> Result<(), Failure> {
    let project = &context.resolved.project;
    let tags = project.tracking.tags.iter().map(|(key, value)| (key.clone(), value.value.clone()));
    let started = context.tracking.start_run(&NewRun {
        run: context.run.clone(),
        experiment: project.tracking.experiment.value.clone(),
        name: format!("{} {}", project.name.value, context.run),
        tags: tags.collect(),
        started_ms: now_ms(),
    });
    started.map_err(|error| error.diagnostic().into())
}

fn start_engine(
    stores: &Stores,
    context: &Arc<Context>,
    graph: Graph,
    threads: usize,
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
    only: Option<&str>,
) -> Result<Engine, Failure> {
    let journal = Journal::open(Arc::clone(&stores.io), stores.journal_path(&context.run))
        .map_err(|error| journal_problem(&error))?;
    let names = graph.steps().iter().map(|step| step.name().to_owned()).collect();
    let only_step = only.map(str::to_owned);
    let began =
        Entry::Began { at: now_ms(), pid: std::process::id(), host: host_name(), steps: names, only: only_step };
    journal.write(&began).map_err(|error| journal_problem(&error))?;
    if only.is_none() {
        reporter.report(&Event::Started { run: context.run.clone() });
    }
    Ok(Engine {
        graph,
        cache: Some(stores.cache()),
        objects: Arc::clone(&stores.objects),
        journal: Some(journal),
        sink: Arc::new(TrackingSink { context: Arc::clone(context), objects: Arc::clone(&stores.objects) }),
        reporter,
        cancel: cancel.clone(),
        threads,
        run: context.run.clone(),
    })
}

fn execute(
    stores: &Stores,
    context: &Arc<Context>,
    threads: usize,
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<RunResult, Failure> {
    let started = Instant::now();
    let graph = graph_of(context)?;
    let done = still_done(&graph, &stores.cache(), &stores.entries(&context.run)?);
    let outcome = start_engine(stores, context, graph, threads, reporter, cancel, None)?.run(done, None);
    end(stores, context, outcome, started.elapsed().as_secs_f64())
}

/// Writes how the run ended and gives its result, or its problems.
fn end(stores: &Stores, context: &Arc<Context>, outcome: Outcome, seconds: f64) -> Result<RunResult, Failure> {
    let run = context.run.clone();
    let journal =
        Journal::open(Arc::clone(&stores.io), stores.journal_path(&run)).map_err(|error| journal_problem(&error))?;
    let close = |status: Status, reason: Option<Reason>| -> Result<(), Failure> {
        let ended = context.tracking.end_run(&run, status, now_ms(), reason.as_ref());
        ended.map_err(|error| Failure::from(error.diagnostic()))
    };
    match outcome.failure {
        Some(StepFailure::Interrupted) => {
            journal.write(&Entry::Interrupted { at: now_ms() }).map_err(|error| journal_problem(&error))?;
            let message = "stopped by the user".to_owned();
            close(Status::Killed, Some(Reason { code: "interrupted".to_owned(), message }))?;
            Err(Failure::Interrupted { run })
        }
        Some(StepFailure::Problems(problems)) => {
            let reason =
                problems.first().map(|problem| Reason { code: problem.code.clone(), message: problem.title.clone() });
            // The disk or the store may be what failed: the problems themselves must reach the user all the same.
            let _ = close(Status::Failed, reason);
            let _ = journal.write(&Entry::Ended { at: now_ms(), status: "FAILED".to_owned() });
            Err(Failure::Problems(problems))
        }
        None => {
            let result = result_of(context, &outcome.steps, seconds)?;
            let (status, reason) = match result.status.as_str() {
                "REFUSED" => {
                    (Status::Refused, Some(Reason { code: "refused".to_owned(), message: result.reason.clone() }))
                }
                _ => (Status::Finished, None),
            };
            close(status, reason)?;
            let ended = Entry::Ended { at: now_ms(), status: result.status.clone() };
            journal.write(&ended).map_err(|error| journal_problem(&error))?;
            Ok(result)
        }
    }
}
