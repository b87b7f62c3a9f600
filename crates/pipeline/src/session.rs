//! One execution: from the request to the result, under the project's lock.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use trainyard_diagnostics::{Diagnostic, Fault, Severity, conceal, nearest};
use trainyard_files::{host_name, write_atomic};
use trainyard_spec::Resolved;
use trainyard_tracking::{Error, Reason, Status};

use crate::engine::{
    Action, Cancel, Engine, Entry, Event, Failure as StepFailure, Graph, Journal, Outcome, Planned, Record, Reporter,
    Sink, StepStatus, journal_problem, plan, still_done,
};
use crate::look::{RunState, find_run, or_imported};
use crate::project::{self, Request};
use crate::report::{RunResult, result_of};
use crate::sink::TrackingSink;
use crate::steps::{self, Context, Mode};
use crate::stores::{Stores, new_run_id, now_ms};

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
    let ahead = looking.context(resolved.clone(), "none", Mode::Live, request);
    let planned = thread::scope(|scope| {
        let reached = scope.spawn(|| reach(&ahead, &*reporter));
        let planned = crate::look::preflight(&ahead, &looking.cache(), request, &*reporter)?;
        reached.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok::<_, Failure>(planned)
    })?;
    let stores = looking.opened()?;
    let run = new_run_id(&stores);
    let _lock = stores.lock(&run, false)?;
    stores.sweep();
    let context = stores.context(resolved, &run, Mode::Live, request);
    if let (Ok(mut from), Ok(mut to)) = (ahead.read_ahead.lock(), context.read_ahead.lock()) {
        *to = from.take();
    }
    if let (Ok(mut from), Ok(mut to)) = (ahead.listing.lock(), context.listing.lock()) {
        *to = from.take();
    }
    if let Some(document) = ahead.document.get() {
        let _ = context.document.set(Arc::clone(document));
    }
    let ready = planned.iter().filter(|step| step.action == Action::Cached).count();
    reporter.report(&Event::Checked { project: project::PROJECT.to_owned(), steps: planned.len(), ready });
    let journal = begin(&stores, &context)?;
    execute(&stores, &context, journal, request, reporter, cancel)
}

/// Goes on with a run that did not end: the one named, else the latest.
pub fn resume(
    request: &Request,
    run_named: Option<&str>,
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<RunResult, Failure> {
    let states = crate::look::run_states(&request.root)?;
    let open = |state: &&RunState| !["ended", "unreadable"].contains(&state.state.as_str());
    let run = match run_named {
        None => states.iter().rfind(open).map(|state| state.run.clone()),
        Some(wanted) => {
            let stores = Stores::look(&request.io, &request.root)?;
            let found = find_run(&states, wanted).map_err(|problem| or_imported(problem, &stores.tracking, wanted))?;
            // A journal that cannot be read does not say that the run has ended.
            stores.entries(&found.run)?;
            Some(found).filter(open).map(|state| state.run.clone())
        }
    };
    let Some(run) = run else {
        return Err(run_named
            .map_or_else(|| nothing("there is no unfinished run to resume".to_owned()), has_ended)
            .into());
    };
    let stores = Stores::open(&request.io, &request.root)?;
    let _lock = stores.lock(&run, false)?;
    let context = stores.context(recorded_as_asked(&stores, &run, request)?, &run, Mode::Live, request);
    stores.sweep();
    execute(&stores, &context, stores.journal(&run), request, reporter, cancel)
}

/// Reads the configuration that a run recorded, and refuses flags that ask for another one.
fn recorded_as_asked(stores: &Stores, run: &str, request: &Request) -> Result<Resolved, Vec<Diagnostic>> {
    let resolved = project::complete(stores.recorded(run)?, request);
    let asked = [
        ("--split", request.choose.split, resolved.split.version),
        ("--features", request.choose.features, resolved.features.version),
        ("--model", request.choose.model, resolved.model.version),
    ];
    let other = asked.into_iter().find(|(_, asked, has)| asked.is_some_and(|asked| asked != *has));
    // A run records them without what lets somebody in.
    let recorded = |(key, value): &(String, String)| (key.clone(), conceal(value).into_owned());
    let overrides: Vec<(String, String)> = request.overrides.iter().map(recorded).collect();
    let other = match other {
        Some((flag, ..)) => Some(flag),
        None if !overrides.is_empty() && overrides != resolved.overrides => Some("--set"),
        None if request.environment.is_some() && request.environment != resolved.environment => Some("--env"),
        None => None,
    };
    match other {
        None => Ok(resolved),
        Some(flag) => {
            let title = format!("run {run} has its configuration: {flag} asks for another one");
            Err(vec![
                Diagnostic::error("run/other-configuration", title)
                    .with_fault(Fault::CommandLine)
                    .help(format!("leave {flag} out, or start another run")),
            ])
        }
    }
}

/// The longest id that a run may be given.
const LONGEST_ID: usize = 64;

/// Runs one step of the run `run`; the step `resolve` begins the run. A step that failed may be tried again; one that is
/// done is not done again.
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
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if run.is_empty() || run.len() > LONGEST_ID || !run.chars().all(plain) {
        let title = format!("`{}` can't be a run's id", run.chars().take(LONGEST_ID).collect::<String>());
        return Err(Diagnostic::error("step/run-id", title)
            .help(format!("use at most {LONGEST_ID} letters, digits, `-` and `_`"))
            .into());
    }
    let looking = Stores::look(&request.io, &request.root)?;
    let known = looking.io.exists(&looking.configuration_path(run));
    let resolved = match (known, name) {
        (true, _) => recorded_as_asked(&looking, run, request)?,
        (false, "resolve") => {
            let resolved = project::load(&*request.io, request)?;
            let context = looking.context(resolved.clone(), run, Mode::Live, request);
            crate::look::preflight(&context, &looking.cache(), request, &*reporter)?;
            reach(&context, &*reporter)?;
            resolved
        }
        (false, _) => {
            return Err(Diagnostic::error("step/unknown-run", format!("there is no run named {run}"))
                .help(format!("the first step begins it: `trainyard step resolve --run {run}`"))
                .into());
        }
    };
    let stores = looking.opened()?;
    let _lock = stores.lock(run, true)?;
    let context = stores.context(resolved, run, Mode::Live, request);
    let journal = if known { stores.journal(run) } else { begin(&stores, &context)? };
    let graph = graph_of(&context)?;
    let Some(found) = graph.find(name) else {
        let sections = "validate is there with `validate:` in trainyard.yaml, drift with `drift:`, version with \
                        `versioning:`, gate with `gates:`, compare and promote with `promote:`; tune, calibrate and explain with their sections in \
                        the model's version";
        return Err(Diagnostic::error("step/left-out", format!("this project has no step {name}"))
            .help(sections)
            .into());
    };
    let entries = stores.entries(run)?;
    let as_of = take_as_now(&context, &entries, request);
    let done = still_done(&graph, &stores.cache(), &entries);
    if let Some((record, _, seconds)) = done.get(name) {
        let (subject, result) = record.output.headline.clone();
        let (run, name) = (run.to_owned(), name.to_owned());
        return Ok(StepReport {
            run,
            name,
            status: StepStatus::Cached,
            seconds: *seconds,
            subject,
            result,
            ended: None,
        });
    }
    let missing: Vec<&str> = graph.needs(found.name()).into_iter().filter(|need| !done.contains_key(*need)).collect();
    if !missing.is_empty() {
        return Err(Diagnostic::error(
            "step/too-early",
            format!("step {name} needs {}, not done in run {run}", missing.join(", ")),
        )
        .help(format!("`trainyard step {} --run {run}`", missing[0]))
        .into());
    }
    let sink = Arc::new(TrackingSink::new(&context)?);
    if sink.ended_as().is_some() {
        return Err(has_ended(run).into());
    }
    note_begin(&journal, &graph, Some(name), as_of)?;
    let engine = start_engine(&stores, &sink, graph, journal, request.threads, Arc::clone(&reporter), cancel);
    let outcome = engine.run(done, Some(name));
    let line = outcome.steps.iter().find(|step| step.name == name);
    let (status, seconds) = line.map_or((StepStatus::Failed, 0.0), |line| (line.status, line.seconds));
    let headline =
        line.and_then(|line| line.record.as_ref()).map(|record| record.output.headline.clone()).unwrap_or_default();
    let complete = outcome.is_whole;
    let failed = outcome.failure.is_some();
    let all: f64 = outcome.steps.iter().map(|step| step.seconds).sum();
    let ended = if complete || failed { Some(end(&stores, &sink, outcome, all)) } else { None };
    deliver(&context, STEP_PATIENCE, &*reporter);
    let ended = ended.transpose()?;
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

/// Makes the run's folder, with its configuration and an empty journal.
fn begin(stores: &Stores, context: &Arc<Context>) -> Result<Journal, Failure> {
    let path = stores.configuration_path(&context.run);
    stores.make_run_folder(&context.run)?;
    let journal = Journal::create(Arc::clone(&stores.io), stores.journal_path(&context.run));
    let journal = journal.map_err(|error| journal_problem(&error))?;
    let bytes = serde_json::to_vec_pretty(context.document()).unwrap_or_default();
    // This forces the names of both files, and of the folder, to the disk.
    write_atomic(&*stores.io, &path, &bytes).map_err(|error| error.diagnostic())?;
    steps::remove_stale_reports(context)?;
    Ok(journal)
}

/// Writes that a process begins to work on a run's steps, or on one of them.
fn note_begin(journal: &Journal, graph: &Graph, only: Option<&str>, as_of: i64) -> Result<(), Failure> {
    let steps = graph.steps().iter().map(|step| step.name().to_owned()).collect();
    let (only, as_of) = (only.map(str::to_owned), Some(as_of));
    let began = Entry::Began { at: now_ms(), pid: std::process::id(), host: host_name(), steps, only, as_of };
    journal.write(&[began]).map_err(|error| journal_problem(&error).into())
}

/// Settles what a run takes for now: the moment that it recorded when it began; where it begins, the one that is asked for,
/// or this one.
fn take_as_now(context: &Context, entries: &[Entry], request: &Request) -> i64 {
    let recorded = Journal::as_of(entries).or(request.as_of);
    *context.as_of.get_or_init(|| recorded.unwrap_or_else(|| now_ms().saturating_mul(1000)))
}

fn start_engine(
    stores: &Stores,
    sink: &Arc<TrackingSink>,
    graph: Graph,
    journal: Journal,
    threads: usize,
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Engine {
    let run = sink.context.run.clone();
    reporter.report(&Event::Started { run: run.clone() });
    Engine {
        graph,
        cache: Some(stores.cache()),
        objects: Arc::clone(&stores.objects),
        journal: Some(journal),
        sink: Arc::clone(sink) as Arc<dyn Sink>,
        reporter,
        cancel: cancel.clone(),
        threads,
        run,
    }
}

fn execute(
    stores: &Stores,
    context: &Arc<Context>,
    journal: Journal,
    request: &Request,
    reporter: Arc<dyn Reporter>,
    cancel: &Cancel,
) -> Result<RunResult, Failure> {
    let started = Instant::now();
    let graph = graph_of(context)?;
    let entries = stores.entries(&context.run)?;
    let as_of = take_as_now(context, &entries, request);
    let done = still_done(&graph, &stores.cache(), &entries);
    let sink = Arc::new(TrackingSink::new(context)?);
    if let Some(status) = sink.ended_as()
        && !stands_as_it_ended(&graph, stores, &done)
    {
        let ended = Entry::Ended { at: now_ms(), status: status.to_owned() };
        journal.write(&[ended]).map_err(|error| journal_problem(&error))?;
        return Err(has_ended(&context.run).into());
    }
    note_begin(&journal, &graph, None, as_of)?;
    let outcome =
        start_engine(stores, &sink, graph, journal, request.threads, Arc::clone(&reporter), cancel).run(done, None);
    let ended = end(stores, &sink, outcome, started.elapsed().as_secs_f64());
    let patience = if matches!(ended, Err(Failure::Interrupted { .. })) { STEP_PATIENCE } else { PATIENCE };
    deliver(context, patience, &*reporter);
    ended
}

/// How long the end of a run, and of a single step of one, waits for a server that does not get on.
const PATIENCE: Duration = Duration::from_secs(5);
const STEP_PATIENCE: Duration = Duration::from_secs(2);

/// Asks the tracking server whether it takes the project's runs. One that can't be reached now delays nothing.
fn reach(context: &Context, reporter: &dyn Reporter) -> Result<(), Failure> {
    let experiment = &context.resolved.project.tracking.experiment.value;
    match context.tracking.reach(experiment) {
        Err(Error::Server(error)) if error.may_pass() => {
            let told = Diagnostic { severity: Severity::Warning, help: Vec::new(), ..error.diagnostic() };
            let diagnostic = told.note("the run goes on; what it logs waits in the project");
            reporter.report(&Event::Warning { diagnostic });
            Ok(())
        }
        other => other.map_err(|error| error.diagnostic().into()),
    }
}

/// Waits for what the run logged to be delivered, as long as the server gets on; tells what was not.
fn deliver(context: &Context, patience: Duration, reporter: &dyn Reporter) {
    let diagnostic = match context.tracking.settle(patience) {
        Ok(None) => return,
        Ok(Some(undelivered)) => undelivered.diagnostic(),
        Err(error) => error.diagnostic(),
    };
    let diagnostic = Diagnostic { severity: Severity::Warning, ..diagnostic };
    reporter.report(&Event::Warning { diagnostic });
}

/// Says whether every step of a run that has ended is done, or only has to be looked up: nothing may be made anew for a
/// run that tracking has as ended. `promote` repeats itself and finds what it did.
fn stands_as_it_ended(graph: &Graph, stores: &Stores, done: &BTreeMap<String, (Record, bool, f64)>) -> bool {
    let Ok(planned) = plan(graph, &stores.cache()) else { return false };
    let stands = |step: &Planned| {
        let looks = graph.find(&step.name).is_some_and(|step| !step.logs_first());
        matches!(step.action, Action::Cached | Action::Skip) || looks || done.contains_key(&step.name)
    };
    planned.iter().all(stands)
}

fn has_ended(run: &str) -> Diagnostic {
    nothing(format!("run {run} has ended: there is nothing to resume"))
}

/// Says that there is nothing to go on with.
fn nothing(title: String) -> Diagnostic {
    Diagnostic::error("resume/nothing", title)
        .help("`trainyard run` starts a new one; what is done already comes from the cache")
}

/// Gives the result of a run; of one that could not be completed, its problems, and writes how it ended.
fn end(stores: &Stores, sink: &TrackingSink, outcome: Outcome, seconds: f64) -> Result<RunResult, Failure> {
    let run = sink.context.run.clone();
    let journal = stores.journal(&run);
    match outcome.failure {
        Some(StepFailure::Interrupted) => {
            journal.write(&[Entry::Interrupted { at: now_ms() }]).map_err(|error| journal_problem(&error))?;
            let message = "stopped by the user".to_owned();
            sink.close(Status::Killed, Some(Reason { code: "interrupted".to_owned(), message }))?;
            Err(Failure::Interrupted { run })
        }
        Some(StepFailure::Problems(problems)) => {
            let reason =
                problems.first().map(|problem| Reason { code: problem.code.clone(), message: problem.title.clone() });
            // The disk or the store may be what failed: the problems themselves must reach the user all the same.
            let _ = sink.close(Status::Failed, reason);
            let _ = journal.write(&[Entry::Ended { at: now_ms(), status: "FAILED".to_owned() }]);
            Err(Failure::Problems(problems))
        }
        None => result_of(&sink.context, &outcome.steps, seconds),
    }
}
