//! Steps of the tests' own making, and a folder to run them in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use trainyard_files::{Digest, DiskIo, ObjectStore};
use trainyard_pipeline::engine::{
    Cache, Cancel, Done, Engine, Entry, Event, Failure, Finished, Graph, Input, Journal, Outcome, Output, Read, Record,
    Reporter, Scope, Sink, Step, StepStatus, still_done,
};

/// What a step does: from its scope to the bytes of its one artifact, `out`.
type Work = Arc<dyn Fn(&Scope) -> Result<Vec<u8>, Failure> + Send + Sync>;

/// A step that reads `out` of other steps and makes `out`.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) name: &'static str,
    pub(crate) needs: Vec<&'static str>,
    pub(crate) after: Vec<&'static str>,
    pub(crate) code: &'static str,
    pub(crate) input: &'static str,
    pub(crate) cacheable: bool,
    pub(crate) work: Work,
    pub(crate) times_run: Arc<AtomicUsize>,
}

impl Fake {
    /// A step whose artifact joins its name, its input and what it reads.
    pub(crate) fn new(name: &'static str, needs: &[&'static str]) -> Fake {
        let fake = Fake {
            name,
            needs: needs.to_vec(),
            after: Vec::new(),
            code: "1",
            input: "",
            cacheable: true,
            work: Arc::new(|_| Ok(Vec::new())),
            times_run: Arc::default(),
        };
        fake.with_input("a")
    }

    pub(crate) fn with_input(self, input: &'static str) -> Fake {
        let (name, needs) = (self.name, self.needs.clone());
        let work = move |scope: &Scope| {
            let mut bytes = format!("{name}({input}").into_bytes();
            for need in &needs {
                bytes.extend(scope.read(need, "out")?);
            }
            bytes.push(b')');
            Ok(bytes)
        };
        Fake { input, ..self }.doing(work)
    }

    pub(crate) fn with_code(self, code: &'static str) -> Fake {
        Fake { code, ..self }
    }

    pub(crate) fn doing(self, work: impl Fn(&Scope) -> Result<Vec<u8>, Failure> + Send + Sync + 'static) -> Fake {
        Fake { work: Arc::new(work), ..self }
    }
}

impl Step for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn reads(&self) -> Vec<Read> {
        self.needs.iter().map(|need| Read::new(need, "out")).collect()
    }

    fn after(&self) -> Vec<&'static str> {
        self.after.clone()
    }

    fn code(&self) -> Digest {
        Digest::of(self.code.as_bytes())
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(vec![Input::new("setting", Digest::of(self.input.as_bytes()))])
    }

    fn cacheable(&self) -> bool {
        self.cacheable
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        self.times_run.fetch_add(1, Ordering::SeqCst);
        let out = scope.store(&(self.work)(scope)?)?;
        Ok(Output { artifacts: BTreeMap::from([("out".to_owned(), out)]), ..Output::default() })
    }
}

/// Keeps events as short texts, in order.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Reporter for Heard {
    fn report(&self, event: &Event) {
        let text = match event {
            Event::StepStarted { step } => format!("{step} started"),
            Event::StepFinished { step, status, .. } => format!("{step} {status:?}").to_lowercase(),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

struct Nowhere;

impl Sink for Nowhere {
    fn finished(&self, _steps: &[Done]) -> Result<(), Failure> {
        Ok(())
    }
}

/// A folder with a store, a cache and a journal.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) objects: Arc<ObjectStore>,
    pub(crate) cancel: Cancel,
    pub(crate) heard: Arc<Heard>,
    pub(crate) threads: usize,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let objects = Arc::new(ObjectStore::open(Arc::new(DiskIo), folder.path().join("objects")));
        World { folder, objects, cancel: Cancel::default(), heard: Arc::default(), threads: 2 }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path("runs/r/journal.jsonl")
    }

    pub(crate) fn cache(&self) -> Cache {
        Cache::new(Arc::new(DiskIo), self.path("cache"), Arc::clone(&self.objects))
    }

    pub(crate) fn object(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        self.path("objects").join(&text[..2]).join(&text[2..])
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        Journal::read(&DiskIo, &self.journal()).unwrap()
    }

    pub(crate) fn engine(&self, steps: &[Fake], cache: Option<Cache>) -> Engine {
        let steps = steps.iter().map(|step| Arc::new(step.clone()) as Arc<dyn Step>).collect();
        Engine {
            graph: Graph::new(steps).unwrap(),
            cache,
            objects: Arc::clone(&self.objects),
            journal: Some(Journal::open(Arc::new(DiskIo), self.journal())),
            sink: Arc::new(Nowhere),
            reporter: self.heard.clone(),
            cancel: self.cancel.clone(),
            threads: self.threads,
            run: "r".to_owned(),
        }
    }

    /// Runs as a new run does.
    pub(crate) fn run(&self, steps: &[Fake]) -> Outcome {
        self.engine(steps, Some(self.cache())).run(BTreeMap::new(), None)
    }

    /// Runs what the journal does not know as done, without a cache.
    pub(crate) fn resume(&self, steps: &[Fake]) -> Outcome {
        let engine = self.engine(steps, None);
        let done = still_done(&engine.graph, &self.cache(), &self.entries());
        engine.run(done, None)
    }

    /// Gives the bytes of a step's artifact.
    pub(crate) fn bytes(&self, outcome: &Outcome, step: &str) -> Vec<u8> {
        self.objects.get(&out(&found(outcome, step).record)).unwrap()
    }
}

pub(crate) fn out(record: &Option<Record>) -> Digest {
    record.as_ref().unwrap().output.artifacts["out"]
}

pub(crate) fn found<'a>(outcome: &'a Outcome, step: &str) -> &'a Finished {
    outcome.steps.iter().find(|finished| finished.name == step).unwrap()
}

/// The names of the steps that ended so, in the graph's order.
pub(crate) fn ended(outcome: &Outcome, status: StepStatus) -> Vec<&str> {
    outcome.steps.iter().filter(|step| step.status == status).map(|step| step.name.as_str()).collect()
}

/// The codes of the problems that a run ended with.
pub(crate) fn codes(outcome: &Outcome) -> Vec<String> {
    match &outcome.failure {
        Some(Failure::Problems(problems)) => problems.iter().map(|problem| problem.code.clone()).collect(),
        Some(Failure::Interrupted) => vec!["interrupted".to_owned()],
        None => Vec::new(),
    }
}

/// `a` feeds `b` and `c`; `d` joins them.
pub(crate) fn diamond() -> [Fake; 4] {
    [Fake::new("a", &[]), Fake::new("b", &["a"]), Fake::new("c", &["a"]), Fake::new("d", &["b", "c"])]
}
