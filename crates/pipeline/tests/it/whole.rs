//! What an uninterrupted run of the project `shop` leaves, to hold against what is made of an interrupted one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use trainyard_faults::{Op, RecordingIo};
use trainyard_files::{Digest, DiskIo, Io};
use trainyard_pipeline::{Cancel, Failure, Request, RunResult, Silent, resume, run, run_states, tracking};
use trainyard_tracking::{Status, Tracking};

use crate::shop;

/// The tracking file, which SQLite writes without the disk of the test, and its log.
const BESIDE: [&str; 2] = [".trainyard/tracking/tracking.db", ".trainyard/tracking/tracking.db-wal"];

/// Says whether everything is tried, or a sample: of `count` cases, those in steps of `step`.
pub(crate) fn sampled(count: usize, step: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(if std::env::var_os("TRAINYARD_LONG").is_some() { 1 } else { step })
}

/// Says whether an operation belongs to the versions of data.
pub(crate) fn is_versioning(op: &Op) -> bool {
    let told = format!("{op:?}");
    [".dvc", ".gitignore", "data/known", "data/raw"].iter().any(|part| told.contains(part))
}

/// An uninterrupted run.
pub(crate) struct Whole {
    template: TempDir,
    /// The digest of its candidate.
    pub(crate) digest: Value,
    files: BTreeMap<PathBuf, Digest>,
    /// What it did to the disk.
    pub(crate) ops: Vec<Op>,
}

impl Whole {
    /// The first run of the project.
    pub(crate) fn new() -> Whole {
        Whole::of(shop::project(), 300)
    }

    /// A run of the project with nothing changed since the one before.
    pub(crate) fn again() -> Whole {
        let template = shop::project();
        run_on(&template.path().join("shop"), Arc::new(DiskIo)).unwrap();
        Whole::of(template, 40)
    }

    /// The first run of the project, with its split versioned.
    pub(crate) fn versioned() -> Whole {
        let template = shop::project();
        let project = template.path().join("shop/trainyard.yaml");
        let text = std::fs::read_to_string(&project).unwrap();
        std::fs::write(project, format!("{text}versioning: {{master: true}}\n")).unwrap();
        Whole::of(template, 350)
    }

    fn of(template: TempDir, least: usize) -> Whole {
        let mut whole = Whole { template, digest: Value::Null, files: BTreeMap::new(), ops: Vec::new() };
        let project = whole.fresh();
        let io = RecordingIo::new(project.path()).beside(&BESIDE);
        let result = run_on(project.path(), Arc::new(io.clone())).unwrap();
        assert!(result.candidate["digest"].is_string(), "{}", result.candidate);
        whole.digest = result.candidate["digest"].clone();
        whole.files = files(project.path());
        whole.ops = io.ops();
        assert!(whole.ops.len() > least, "{}", whole.ops.len());
        whole
    }

    /// The project before anything was run.
    pub(crate) fn template(&self) -> PathBuf {
        self.template.path().join("shop")
    }

    /// A copy of it.
    pub(crate) fn fresh(&self) -> TempDir {
        let folder = TempDir::new().unwrap();
        shop::copy(&self.template(), folder.path());
        folder
    }

    /// What it changed on the disk by itself.
    pub(crate) fn changes(&self) -> Vec<&Op> {
        self.ops.iter().filter(|op| !matches!(op, Op::Beside(_))).collect()
    }

    /// Checks that each file of the project in `root` is as the whole run left it. The lock of versions, which grows as
    /// steps end, is not looked at: to go on means to read it.
    pub(crate) fn shows_nothing_else(&self, root: &Path, what: &str) {
        for (path, digest) in files(root) {
            let same = self.files.get(&path) == Some(&digest);
            assert!(same || path.ends_with("lock.yaml"), "{what}: {}", path.display());
        }
    }

    /// Checks what is told of an interrupted run, goes on with it, and holds what comes out against the whole run.
    pub(crate) fn recovers(&self, root: &Path, states: &[&str], what: &str) {
        tells_the_truth(root, states, what);
        let told = run_states(root).unwrap();
        let open = told.last().is_some_and(|state| state.state != "ended");
        let result = if open { resumes(root) } else { run_on(root, Arc::new(DiskIo)) };
        let result = result.unwrap_or_else(|failure| panic!("{what}: {failure:?}"));
        assert_eq!(result.candidate["digest"], self.digest, "{what}");
        assert_eq!(files(root), self.files, "{what}");
        let store = tracking(root).unwrap();
        store.check().unwrap();
        assert_eq!(store.versions("shop-model").unwrap().len(), 1, "{what}");
        tells_the_truth(root, &["ended"], what);
    }
}

/// Checks that the journal, the tracking store and the object store agree on what there is.
fn tells_the_truth(root: &Path, states: &[&str], what: &str) {
    let told = run_states(root).unwrap();
    let store = tracking(root).unwrap();
    for state in &told {
        assert!(states.contains(&state.state.as_str()), "{what}: {}", state.state);
        let ended = store.run(&state.run).unwrap().is_some_and(|run| run.status == Status::Finished);
        assert!(ended || state.state != "ended", "{what}: tracking does not know of the end");
    }
    for run in store.runs(9, None).unwrap() {
        assert!(told.iter().any(|state| state.run == run.run), "{what}: only tracking knows of run {}", run.run);
        for artifact in store.artifacts(&run.run).unwrap() {
            let bytes = store.read_artifact(&run.run, &artifact.path);
            assert!(bytes.is_ok(), "{what}: {} is told, not there: {bytes:?}", artifact.path);
        }
    }
    store.check().unwrap();
}

fn request(root: &Path, io: Arc<dyn Io>) -> Request {
    Request { io, ..shop::request(root) }
}

/// Runs the project in `root` on a disk.
pub(crate) fn run_on(root: &Path, io: Arc<dyn Io>) -> Result<RunResult, Failure> {
    run(&request(root, io), Arc::new(Silent), &Cancel::default())
}

fn resumes(root: &Path) -> Result<RunResult, Failure> {
    resume(&request(root, Arc::new(DiskIo)), None, Arc::new(Silent), &Cancel::default())
}

/// Names every file below a folder, by its path from there.
fn paths(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let (below, files): (Vec<_>, Vec<_>) =
            DiskIo.list(&folder).unwrap().into_iter().partition(|path| path.is_dir());
        folders.extend(below);
        found.extend(files.iter().map(|path| path.strip_prefix(root).unwrap().to_owned()));
    }
    found
}

/// Names the files that a writer left half-written.
pub(crate) fn half_written(root: &Path) -> Vec<PathBuf> {
    let mut paths = paths(root);
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "tmp"));
    paths
}

/// Gives every whole file of the project that is not Trainyard's own: its digest, without the lines that name the run.
fn files(root: &Path) -> BTreeMap<PathBuf, Digest> {
    let own = [".trainyard", ".dvc/tmp"];
    let theirs = |path: &PathBuf| {
        !own.iter().any(|folder| path.starts_with(folder)) && path.extension().is_none_or(|ending| ending != "tmp")
    };
    let digest = |path: PathBuf| {
        let bytes = std::fs::read(root.join(&path)).unwrap();
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_start);
        let kept: Vec<&[u8]> = lines.filter(|line| !line.starts_with(b"run:")).collect();
        (path, Digest::of(&kept.join(&b'\n')))
    };
    paths(root).into_iter().filter(theirs).map(digest).collect()
}
