//! Runs a graph: looks results up, runs what must run, side by side where the graph allows.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::time::{Duration, Instant};

use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{Digest, ObjectStore};

use super::{
    Cache, Cancel, Entry, Event, Failure, Graph, Input, Journal, JournalError, Output, Record, Reporter, Scope, Step,
    StepStatus, key,
};

/// A step that is done.
#[derive(Debug, Clone)]
pub struct Done {
    /// What it left.
    pub record: Record,
    /// Whether a stored result stood for it.
    pub cached: bool,
    /// Wall time.
    pub seconds: f64,
}

/// Takes finished steps before anything new is made from them, for instance to log them to tracking.
pub trait Sink: Send + Sync {
    /// Takes steps that finished one after the other: all of them, or none on failure. Before the first step is made it
    /// is called even where none is done.
    fn finished(&self, steps: &[Done]) -> Result<(), Failure>;

    /// Takes the last steps of a run of which nothing is left to do, as [`finished`](Sink::finished) does, together
    /// with the run's end. Gives the journal's last line, where it shall have one.
    fn ended(&self, last: &[Done], _all: &[Finished]) -> Result<Option<Entry>, Failure> {
        self.finished(last).map(|()| None)
    }
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
    /// What of that deserves attention.
    pub warnings: Vec<Diagnostic>,
}

impl Finished {
    fn new(name: String, status: StepStatus, seconds: f64, record: Option<Record>) -> Finished {
        Finished { name, status, seconds, record, warnings: Vec::new() }
    }
}

/// How a graph ended.
#[derive(Debug)]
pub struct Outcome {
    /// All steps, in the graph's order.
    pub steps: Vec<Finished>,
    /// The problems of all steps that failed, in the graph's order; or that the user stopped the run before its end.
    pub failure: Option<Failure>,
    /// Whether nothing is left to do: every step is done, or left out because another ended the run.
    pub is_whole: bool,
}

/// A step that has not stopped this long after the user asked is left behind; the process ends next.
const GRACE: Duration = Duration::from_millis(500);
/// How often the user's wish to stop is looked at while steps run.
const GLANCE: Duration = Duration::from_millis(50);

type Message = (String, f64, Result<(Record, bool), Failure>);

/// An engine at work.
struct Running {
    engine: Engine,
    /// Cached steps that are not logged yet. What was stored before is safe: they are logged together, in one
    /// transaction, before the next step makes something new.
    unlogged: Mutex<Vec<Done>>,
    /// Held by who logs.
    log: Mutex<Log>,
    /// The threads that steps compute with, started for the first step that runs.
    pool: Mutex<Option<Arc<rayon::ThreadPool>>>,
}

/// How logging stands.
#[derive(Default)]
struct Log {
    /// Whether the sink has been called.
    begun: bool,
    /// What could not be logged keeps every later step from being made: nothing builds on it.
    failed: Option<Failure>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Runs the steps that are not in `done`; with `only`, just that one.
    pub fn run(self, done: BTreeMap<String, (Record, bool, f64)>, only: Option<&str>) -> Outcome {
        let running = Arc::new(Running {
            engine: self,
            unlogged: Mutex::default(),
            log: Mutex::default(),
            pool: Mutex::default(),
        });
        let engine = &running.engine;
        let threads = engine.threads.max(1);
        let mut finished: BTreeMap<String, Finished> = BTreeMap::new();
        let mut outputs: BTreeMap<String, Arc<Output>> = BTreeMap::new();
        for (name, (record, cached, seconds)) in done {
            outputs.insert(name.clone(), Arc::new(record.output.clone()));
            let status = if cached { StepStatus::Cached } else { StepStatus::Ran };
            finished.insert(name.clone(), Finished::new(name, status, seconds, Some(record)));
        }
        let mut open: Vec<Arc<dyn Step>> = engine.graph.steps().to_vec();
        let mut left_out: BTreeSet<&'static str> = BTreeSet::new();
        for step in engine.graph.steps() {
            if outputs.get(step.name()).is_some_and(|output| step.ends_run(output)) {
                left_out.extend(engine.graph.needing(step.name()));
            }
        }
        open.retain(|step| !left_out.contains(step.name()));
        open.retain(|step| !finished.contains_key(step.name()) && only.is_none_or(|name| name == step.name()));
        let (sender, receiver) = mpsc::channel::<Message>();
        let place = |name: &str| engine.graph.steps().iter().position(|step| step.name() == name).unwrap_or(usize::MAX);
        let (mut at_work, mut interrupted) = (0, false);
        let mut failed: BTreeMap<usize, Vec<Diagnostic>> = BTreeMap::new();
        let mut settled: Option<Message> = None;
        loop {
            let stopping = engine.cancel.is_cancelled();
            // No more steps than threads: one that had to wait for a thread would only seem to have started.
            while settled.is_none() && at_work < threads && failed.is_empty() && !interrupted && !stopping {
                let is_ready = |step: &Arc<dyn Step>| {
                    engine.graph.needs(step.name()).iter().all(|need| outputs.contains_key(*need))
                };
                let Some(next) = open.iter().position(is_ready) else { break };
                let step = open.remove(next);
                let is_last = open.is_empty() && at_work == 0;
                settled = running.start(&step, &outputs, sender.clone(), is_last);
                at_work += usize::from(settled.is_none());
            }
            let (name, seconds, result) = match settled.take() {
                Some(message) => message,
                None if at_work == 0 => break,
                None => match receiver.recv_timeout(if stopping { GRACE } else { GLANCE }) {
                    Ok(message) => {
                        at_work -= 1;
                        message
                    }
                    Err(_) if stopping => break,
                    Err(_) => continue,
                },
            };
            let (status, record) = match result {
                Ok((record, cached)) => {
                    outputs.insert(name.clone(), Arc::new(record.output.clone()));
                    if engine.graph.find(&name).is_some_and(|step| step.ends_run(&record.output)) {
                        left_out.extend(engine.graph.needing(&name));
                        open.retain(|step| !left_out.contains(step.name()));
                    }
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
            finished.insert(name.clone(), Finished::new(name, status, seconds, record));
        }
        // Of a step that was left behind nothing more is awaited, not even that it lets go of the log.
        let guard = match running.log.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let unfinished = at_work > 0 || !open.is_empty();
        let skipped = |name: &str| Finished::new(name.to_owned(), StepStatus::Skipped, 0.0, None);
        let mut ended = |step: &Arc<dyn Step>| {
            let mut ended = finished.remove(step.name()).unwrap_or_else(|| skipped(step.name()));
            ended.warnings = ended.record.as_ref().map(|record| step.warnings(&record.output)).unwrap_or_default();
            ended
        };
        let steps: Vec<Finished> = engine.graph.steps().iter().map(&mut ended).collect();
        let is_whole = steps.iter().all(|step| step.record.is_some() || left_out.contains(step.name.as_str()));
        let last = locked(&running.unlogged).last().map(|done| done.record.step.clone()).unwrap_or_default();
        let all = is_whole.then_some(steps.as_slice());
        let logged = guard.map_or(Ok(()), |mut guard| guarded(&last, || running.log_held(&mut guard, all)));
        // A user's stop, and what has failed before, are what is told.
        if let (Err(Failure::Problems(problems)), true, false) = (logged, failed.is_empty(), interrupted) {
            failed.insert(usize::MAX, problems);
        }
        let failure = if !failed.is_empty() {
            // What several steps met is told once.
            let mut told: Vec<Diagnostic> = Vec::new();
            for problem in failed.into_values().flatten() {
                if !told.contains(&problem) {
                    told.push(problem);
                }
            }
            Some(Failure::Problems(told))
        } else {
            (interrupted || unfinished && engine.cancel.is_cancelled()).then_some(Failure::Interrupted)
        };
        Outcome { steps, failure, is_whole }
    }
}

/// What is known of a step before it runs.
enum Found {
    /// A stored result stands for it.
    Stored(Box<Record>),
    /// It has to run.
    Nothing { code: Digest, inputs: Vec<Input> },
}

impl Running {
    /// Starts a step on a thread of its own; one for which a stored result stands is settled here and given back.
    fn start(
        self: &Arc<Self>,
        step: &Arc<dyn Step>,
        outputs: &BTreeMap<String, Arc<Output>>,
        sender: mpsc::Sender<Message>,
        is_last: bool,
    ) -> Option<Message> {
        let (running, with_pool) = (Arc::clone(self), Arc::clone(self));
        let scope = Scope {
            step: step.name(),
            reads: step.reads(),
            outputs: outputs.clone(),
            objects: Arc::clone(&self.engine.objects),
            reporter: Arc::clone(&self.engine.reporter),
            cancel: self.engine.cancel.clone(),
            log: Arc::new(move || running.log()),
            pool: Arc::new(move || with_pool.pool()),
        };
        let started = Instant::now();
        let found = guarded(step.name(), || self.look_up(&**step, &scope));
        let (code, inputs) = match found {
            Ok(Found::Nothing { code, inputs }) => (code, inputs),
            Ok(Found::Stored(record)) => return Some(self.finish(&**step, started, Ok((*record, true)), true)),
            Err(failure) => return Some(self.finish(&**step, started, Err(failure), is_last)),
        };
        let (running, own) = (Arc::clone(self), Arc::clone(step));
        let work = move || {
            let result = guarded(own.name(), || Ok((running.make(&*own, &scope, code, inputs)?, false)));
            // The receiver is gone only when the run was left behind after an interruption.
            let _ = sender.send(running.finish(&*own, started, result, is_last));
        };
        match spawn(step.name().to_owned(), work) {
            Ok(()) => None,
            Err(error) => Some(self.finish(&**step, started, Err(no_threads(&error).into()), is_last)),
        }
    }

    fn finish(
        &self,
        step: &dyn Step,
        started: Instant,
        result: Result<(Record, bool), Failure>,
        can_wait: bool,
    ) -> Message {
        let seconds = started.elapsed().as_secs_f64();
        let settled = guarded(step.name(), || self.settle(step, result, seconds, can_wait));
        (step.name().to_owned(), seconds, settled)
    }

    /// Looks for a stored result, and publishes it where there is one.
    fn look_up(&self, step: &dyn Step, scope: &Scope) -> Result<Found, Failure> {
        scope.check()?;
        self.engine.reporter.report(&Event::StepStarted { step: step.name().to_owned() });
        let code = step.code();
        let inputs = declared(step, &scope.outputs)?;
        let found = match &self.engine.cache {
            Some(cache) if step.cacheable() => cache.find(step.name(), &key(step.name(), &code, &inputs)),
            _ => None,
        };
        let Some(mut record) = found else { return Ok(Found::Nothing { code, inputs }) };
        step.refresh(&mut record.output);
        step.publish(scope, &record)?;
        Ok(Found::Stored(Box::new(record)))
    }

    /// Runs a step, and publishes and keeps its result.
    fn make(&self, step: &dyn Step, scope: &Scope, code: Digest, inputs: Vec<Input>) -> Result<Record, Failure> {
        let engine = &self.engine;
        if step.logs_first() {
            self.log()?;
        }
        // That may have taken long enough for the user to stop.
        scope.check()?;
        if let Some(journal) = &engine.journal {
            let began = Entry::StepBegan { step: step.name().to_owned() };
            journal.note(&began).map_err(|error| journal_problem(&error))?;
        }
        let output = if step.computes() { self.pool()?.install(|| step.run(scope)) } else { step.run(scope) }?;
        scope.check()?;
        let mut record = Record {
            step: step.name().to_owned(),
            key: key(step.name(), &code, &inputs),
            code,
            inputs,
            output,
            run: engine.run.clone(),
        };
        step.publish(scope, &record)?;
        if let Some(cache) = engine.cache.as_ref().filter(|_| step.cacheable()) {
            let keep = |record: &Record| cache.keep(record).map_err(|error| Failure::from(error.diagnostic()));
            keep(&record)?;
            if step.settles_its_inputs() {
                record.inputs = declared(step, &scope.outputs)?;
                let settled = key(step.name(), &code, &record.inputs);
                if settled != record.key {
                    record.key = settled;
                    keep(&record)?;
                }
            }
        }
        Ok(record)
    }

    /// Logs and journals how a step ended. One that can wait is logged together with the next ones, or with the run's
    /// end: one that was cached, and one after which none begins.
    fn settle(
        &self,
        step: &dyn Step,
        result: Result<(Record, bool), Failure>,
        seconds: f64,
        can_wait: bool,
    ) -> Result<(Record, bool), Failure> {
        let settled = result.and_then(|(record, cached)| {
            locked(&self.unlogged).push(Done { record: record.clone(), cached, seconds });
            if !can_wait {
                self.log()?;
            }
            Ok((record, cached))
        });
        let (status, (subject, text)) = match &settled {
            Ok((record, true)) => (StepStatus::Cached, record.output.headline.clone()),
            Ok((record, false)) => (StepStatus::Ran, record.output.headline.clone()),
            Err(Failure::Interrupted) => (StepStatus::Failed, (String::new(), "stopped".to_owned())),
            Err(Failure::Problems(problems)) => {
                let titles = problems.iter().map(|problem| format!("{}: {}", problem.code, problem.title)).collect();
                // The failure itself is on its way to the user; a journal that can't be written must not hide it.
                let _ = self.log();
                let _ = self.write(&[Entry::StepFailed { step: step.name().to_owned(), problems: titles }]);
                (StepStatus::Failed, (String::new(), "failed".to_owned()))
            }
        };
        let warnings = settled.as_ref().map(|(record, _)| step.warnings(&record.output)).unwrap_or_default();
        for diagnostic in warnings {
            self.engine.reporter.report(&Event::Warning { diagnostic });
        }
        let step = step.name().to_owned();
        self.engine.reporter.report(&Event::StepFinished { step, status, seconds, subject, result: text });
        settled
    }

    /// Logs and journals the steps that are done and not logged yet, and waits until that is on the disk. Once it has
    /// failed it fails for every step: `resume` finds their stored results again.
    fn log(&self) -> Result<(), Failure> {
        self.log_held(&mut locked(&self.log), None)
    }

    /// Does that for who holds the log; with `all` steps of a run that are done, its end too.
    fn log_held(&self, log: &mut Log, all: Option<&[Finished]>) -> Result<(), Failure> {
        if let Some(failure) = &log.failed {
            return Err(failure.clone());
        }
        let steps = std::mem::take(&mut *locked(&self.unlogged));
        if steps.is_empty() && log.begun && all.is_none() {
            return Ok(());
        }
        log.begun = true;
        let entry = |done: &Done| {
            let Done { record, cached, seconds } = done.clone();
            Entry::StepDone { record: Box::new(record), cached, seconds }
        };
        let taken = match all {
            Some(all) => self.engine.sink.ended(&steps, all),
            None => self.engine.sink.finished(&steps).map(|()| None),
        };
        let logged = taken.and_then(|last| self.write(&steps.iter().map(entry).chain(last).collect::<Vec<_>>()));
        log.failed = logged.clone().err();
        logged
    }

    fn write(&self, entries: &[Entry]) -> Result<(), Failure> {
        match &self.engine.journal {
            _ if entries.is_empty() => Ok(()),
            Some(journal) => journal.write(entries).map_err(|error| journal_problem(&error).into()),
            None => Ok(()),
        }
    }

    fn pool(&self) -> Result<Arc<rayon::ThreadPool>, Failure> {
        let mut pool = locked(&self.pool);
        if let Some(pool) = &*pool {
            return Ok(Arc::clone(pool));
        }
        let started = start_threads(self.engine.threads).map_err(|error| no_threads(&error))?;
        let started = Arc::new(started);
        *pool = Some(Arc::clone(&started));
        Ok(started)
    }
}

/// Does a step's work; one that panics has failed.
fn guarded<T>(step: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(broken(step, &*panic)))
}

/// Starts threads to compute with.
pub(crate) fn start_threads(threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let one = |thread: rayon::ThreadBuilder| spawn(format!("compute {}", thread.index()), || thread.run());
    rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).spawn_handler(one).build()
}

/// What must be free before a thread is started, in bytes. One that does not get the little that it needs before its
/// first line ends the process without a word; the command line's allocator says that the memory is exhausted.
const ROOM: usize = 8 << 20;

/// Starts a thread where there is room for one, and waits for its first line: threads that start at once could take the
/// room from one another.
fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut room: Vec<u8> = Vec::new();
    room.try_reserve_exact(ROOM).map_err(|_| io::ErrorKind::OutOfMemory)?;
    drop(black_box(room));
    let (begins, begun) = mpsc::channel();
    std::thread::Builder::new().name(name).spawn(move || {
        let _ = begins.send(());
        work();
    })?;
    let _ = begun.recv();
    Ok(())
}

fn no_threads(error: &dyn std::error::Error) -> Diagnostic {
    threads_refused(error, "then `trainyard resume`")
}

/// Says that the system gives no threads, and what to do, ending with `next`.
pub(crate) fn threads_refused(error: &dyn std::error::Error, next: &str) -> Diagnostic {
    Diagnostic::error("engine/threads", format!("no threads could be started: {error}"))
        .help(format!("end other programs, or raise the limits of processes and of memory, {next}"))
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
