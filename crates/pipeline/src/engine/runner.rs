//! Runs a graph: looks results up, runs what must run, side by side where the graph allows.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{Digest, ObjectStore};

use super::{
    Cache, Cancel, Entry, Event, Failure, Graph, Input, Journal, JournalError, Output, Record, Reporter, Scope, Step,
    StepStatus, key,
};

/// Takes each finished step before anything builds on it, for instance to log it to tracking.
pub trait Sink: Send + Sync {
    /// Takes one finished step.
    fn finished(&self, record: &Record, cached: bool, seconds: f64) -> Result<(), Failure>;
}

/// What the engine needs besides the graph.
pub struct Engine {
    /// The steps.
    pub graph: Graph,
    /// Stored results; absent when everything must run, as when verifying.
    pub cache: Option<Cache>,
    /// Where artifacts lie.
    pub objects: Arc<ObjectStore>,
    /// The run's journal; absent when nothing must be left behind.
    pub journal: Option<Journal>,
    /// Takes finished steps.
    pub sink: Arc<dyn Sink>,
    /// Takes events.
    pub reporter: Arc<dyn Reporter>,
    /// Says when to stop.
    pub cancel: Cancel,
    /// The thread budget, owned here and shared by all that a step starts.
    pub threads: usize,
    /// The run's id.
    pub run: String,
}

/// How one step ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its name.
    pub name: String,
    /// How.
    pub status: StepStatus,
    /// Wall time.
    pub seconds: f64,
    /// What it left, when it did.
    pub record: Option<Record>,
}

/// How a graph ended.
#[derive(Debug)]
pub struct Outcome {
    /// All steps, in the graph's order.
    pub steps: Vec<Finished>,
    /// The problems of all steps that failed, in the graph's order; or that the user stopped the run before its end.
    pub failure: Option<Failure>,
}

/// A step that has not stopped this long after the user asked is left behind; the process ends next.
const GRACE: Duration = Duration::from_millis(500);
/// How often the user's wish to stop is looked at while steps run.
const GLANCE: Duration = Duration::from_millis(50);

type Message = (String, f64, Result<(Record, bool), Failure>);

impl Engine {
    /// Runs the steps that are not in `done`; with `only`, just that one.
    pub fn run(self, done: BTreeMap<String, (Record, bool, f64)>, only: Option<&str>) -> Outcome {
        let engine = Arc::new(self);
        let threads = engine.threads.max(1);
        let pool = match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
            Ok(pool) => Arc::new(pool),
            Err(error) => return Outcome { steps: Vec::new(), failure: Some(no_threads(&error).into()) },
        };
        let mut finished: BTreeMap<String, Finished> = BTreeMap::new();
        let mut outputs: BTreeMap<String, Arc<Output>> = BTreeMap::new();
        for (name, (record, cached, seconds)) in done {
            outputs.insert(name.clone(), Arc::new(record.output.clone()));
            let status = if cached { StepStatus::Cached } else { StepStatus::Ran };
            finished.insert(name.clone(), Finished { name, status, seconds, record: Some(record) });
        }
        let mut open: Vec<Arc<dyn Step>> = engine.graph.steps().to_vec();
        open.retain(|step| !finished.contains_key(step.name()) && only.is_none_or(|name| name == step.name()));
        let (sender, receiver) = mpsc::channel::<Message>();
        let place = |name: &str| engine.graph.steps().iter().position(|step| step.name() == name).unwrap_or(usize::MAX);
        let (mut running, mut interrupted) = (0, false);
        let mut failed: BTreeMap<usize, Vec<Diagnostic>> = BTreeMap::new();
        loop {
            let stopping = engine.cancel.is_cancelled();
            // No more steps than threads: one that had to wait for a thread would only seem to have started.
            while running < threads && failed.is_empty() && !interrupted && !stopping {
                let is_ready = |step: &Arc<dyn Step>| {
                    engine.graph.needs(step.name()).iter().all(|need| outputs.contains_key(*need))
                };
                let Some(next) = open.iter().position(is_ready) else { break };
                let step = open.remove(next);
                match engine.start(&step, &outputs, &pool, sender.clone()) {
                    Ok(()) => running += 1,
                    Err(error) => drop(failed.insert(place(step.name()), vec![no_threads(&error)])),
                }
            }
            if running == 0 {
                break;
            }
            let (name, seconds, result) = match receiver.recv_timeout(if stopping { GRACE } else { GLANCE }) {
                Ok(message) => message,
                Err(_) if stopping => break,
                Err(_) => continue,
            };
            running -= 1;
            let (status, record) = match result {
                Ok((record, cached)) => {
                    outputs.insert(name.clone(), Arc::new(record.output.clone()));
                    (if cached { StepStatus::Cached } else { StepStatus::Ran }, Some(record))
                }
                Err(failure) => {
                    match failure {
                        // What breaks first after the user's stop is taken for its echo.
                        Failure::Problems(problems) if !failed.is_empty() || !engine.cancel.is_cancelled() => {
                            failed.insert(place(&name), problems);
                        }
                        _ => interrupted = true,
                    }
                    (StepStatus::Failed, None)
                }
            };
            finished.insert(name.clone(), Finished { name, status, seconds, record });
        }
        let unfinished = running > 0 || !open.is_empty();
        let failure = if !failed.is_empty() {
            Some(Failure::Problems(failed.into_values().flatten().collect()))
        } else {
            (interrupted || unfinished && engine.cancel.is_cancelled()).then_some(Failure::Interrupted)
        };
        let skipped =
            |name: &str| Finished { name: name.to_owned(), status: StepStatus::Skipped, seconds: 0.0, record: None };
        let names = engine.graph.steps().iter().map(|step| step.name());
        let steps = names.map(|name| finished.remove(name).unwrap_or_else(|| skipped(name))).collect();
        Outcome { steps, failure }
    }

    fn start(
        self: &Arc<Self>,
        step: &Arc<dyn Step>,
        outputs: &BTreeMap<String, Arc<Output>>,
        pool: &Arc<rayon::ThreadPool>,
        sender: mpsc::Sender<Message>,
    ) -> io::Result<()> {
        let scope = Scope {
            step: step.name(),
            reads: step.reads(),
            outputs: outputs.clone(),
            objects: Arc::clone(&self.objects),
            reporter: Arc::clone(&self.reporter),
            cancel: self.cancel.clone(),
        };
        let name = step.name();
        let (engine, step, pool) = (Arc::clone(self), Arc::clone(step), Arc::clone(pool));
        let work = move || {
            let started = Instant::now();
            let guarded = |work: &dyn Fn() -> Result<(Record, bool), Failure>| {
                catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(broken(step.name(), &*panic)))
            };
            let result = guarded(&|| engine.one(&*step, &scope, &pool));
            let seconds = started.elapsed().as_secs_f64();
            let result = guarded(&|| engine.settle(&*step, result.clone(), seconds));
            // The receiver is gone only when the run was left behind after an interruption.
            let _ = sender.send((step.name().to_owned(), seconds, result));
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
    }

    /// Looks one step up or runs it, and publishes its result.
    fn one(&self, step: &dyn Step, scope: &Scope, pool: &rayon::ThreadPool) -> Result<(Record, bool), Failure> {
        scope.check()?;
        if let Some(journal) = &self.journal {
            let began = Entry::StepBegan { step: step.name().to_owned() };
            journal.note(&began).map_err(|error| journal_problem(&error))?;
        }
        self.reporter.report(&Event::StepStarted { step: step.name().to_owned() });
        let code = step.code();
        let inputs = declared(step, &scope.outputs)?;
        let found = match &self.cache {
            Some(cache) if step.cacheable() => cache.find(step.name(), &key(step.name(), &code, &inputs)),
            _ => None,
        };
        if let Some(mut record) = found {
            step.refresh(&mut record.output);
            step.publish(scope, &record)?;
            return Ok((record, true));
        }
        let output = pool.install(|| step.run(scope))?;
        scope.check()?;
        let mut record = Record {
            step: step.name().to_owned(),
            key: key(step.name(), &code, &inputs),
            code,
            inputs,
            output,
            run: self.run.clone(),
        };
        step.publish(scope, &record)?;
        if let Some(cache) = &self.cache {
            let keep = |record: &Record| cache.keep(record).map_err(|error| Failure::from(error.diagnostic()));
            keep(&record)?;
            if step.settles_its_inputs() {
                record.inputs = declared(step, &scope.outputs)?;
                record.key = key(step.name(), &code, &record.inputs);
                keep(&record)?;
            }
        }
        Ok((record, false))
    }

    /// Logs and journals how a step ended.
    fn settle(
        &self,
        step: &dyn Step,
        result: Result<(Record, bool), Failure>,
        seconds: f64,
    ) -> Result<(Record, bool), Failure> {
        let settled = result.and_then(|(record, cached)| {
            self.sink.finished(&record, cached, seconds)?;
            self.write(&Entry::StepDone { record: Box::new(record.clone()), cached, seconds })?;
            Ok((record, cached))
        });
        let (status, (subject, text)) = match &settled {
            Ok((record, true)) => (StepStatus::Cached, record.output.headline.clone()),
            Ok((record, false)) => (StepStatus::Ran, record.output.headline.clone()),
            Err(Failure::Interrupted) => (StepStatus::Failed, (String::new(), "stopped".to_owned())),
            Err(Failure::Problems(problems)) => {
                let titles = problems.iter().map(|problem| format!("{}: {}", problem.code, problem.title)).collect();
                // The failure itself is on its way to the user; a journal that can't be written must not hide it.
                let _ = self.write(&Entry::StepFailed { step: step.name().to_owned(), problems: titles });
                (StepStatus::Failed, (String::new(), "failed".to_owned()))
            }
        };
        let step = step.name().to_owned();
        self.reporter.report(&Event::StepFinished { step, status, seconds, subject, result: text });
        settled
    }

    fn write(&self, entry: &Entry) -> Result<(), Failure> {
        match &self.journal {
            Some(journal) => journal.write(entry).map_err(|error| journal_problem(&error).into()),
            None => Ok(()),
        }
    }
}

fn no_threads(error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::error("engine/threads", format!("no threads could be started: {error}"))
        .help("end other programs, or raise the limits of processes and of memory, then `trainyard resume`")
}

/// Tells of a step that panicked, in the words of the panic.
fn broken(step: &str, panic: &(dyn Any + Send)) -> Failure {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let title = format!("step {step} broke off because of a mistake in Trainyard");
    let problem = Diagnostic::error("engine/broken", title).with_fault(Fault::Internal);
    words.map_or_else(|| problem.clone(), |words| problem.clone().note(words)).into()
}

/// Tells a user that a journal can't be used.
pub(crate) fn journal_problem(error: &JournalError) -> Diagnostic {
    let problem = Diagnostic::error("engine/journal", format!("the run's journal can't be used: {error}"));
    match error {
        JournalError::Io(..) => {
            problem.help("free disk space or mend the folder's permissions, then `trainyard resume`")
        }
        JournalError::Damaged(..) => {
            problem.help("restore the file, or start a new run: what is stored comes from the cache")
        }
    }
}

/// Joins what a step declares with the artifacts that it reads and the measured values that it judges.
pub(super) fn declared(step: &dyn Step, outputs: &BTreeMap<String, Arc<Output>>) -> Result<Vec<Input>, Failure> {
    let mut inputs = step.inputs()?;
    for read in step.reads() {
        if let Some(digest) = outputs.get(read.step).and_then(|output| output.artifacts.get(&read.artifact)) {
            inputs.push(Input::of_read(&read, *digest));
        }
    }
    for (from, name) in step.measured() {
        if let Some(value) = outputs.get(from).and_then(|output| output.measurements.get(&name)) {
            inputs.push(Input::new(format!("{from}.{name}"), Digest::of(&value.to_bits().to_le_bytes())));
        }
    }
    Ok(inputs)
}
