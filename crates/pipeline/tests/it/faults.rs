//! The disk fills up, permission is lost, the clock goes back, stored results are damaged: the end is clear, nothing
//! half-made is visible, and the run ends with the same bytes once that is over. With `TRAINYARD_LONG=1` at every
//! operation, otherwise at a sample of them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trainyard_diagnostics::Fault;
use trainyard_faults::{Op, RecordingIo, Then};
use trainyard_files::{Digest, DiskIo, ObjectStore};
use trainyard_pipeline::{Failure, tracking};
use trainyard_tracking::{EmbeddedStore, NewRun, Status, Tracking};

use crate::shop;
use crate::whole::{Whole, half_written, run_on, sampled};

/// Runs on a disk with this fault at operation `at`, and holds what is told and left against what must be.
fn ends_clearly(whole: &Whole, at: usize, then: Then) {
    let project = whole.fresh();
    let root = project.path();
    let what = format!("{then:?} at operation {at}");
    let failure = run_on(root, Arc::new(RecordingIo::failing(root, at, then))).err();
    let Some(Failure::Problems(problems)) = &failure else { panic!("{what}: {failure:?}") };
    let [problem] = problems.as_slice() else { panic!("{what}: {problems:?}") };
    assert!(problem.title.contains(root.to_str().unwrap()), "{what}: {problem:?} names no file");
    assert!(problem.fault == Fault::User && !problem.help.is_empty(), "{what}: {problem:?}");
    whole.shows_nothing_else(root, &what);
    if then == Then::Full {
        assert_eq!(half_written(root), Vec::<PathBuf>::new(), "{what}");
    }
    // A last line that was written, though not forced, tells the truth: the run has ended.
    whole.recovers(root, &["crashed", "failed", "ended"], &what);
}

#[test]
fn a_disk_that_is_full_at_any_write_is_named_and_the_run_goes_on_when_there_is_room() {
    for (whole, least, step) in [(Whole::new(), 50, 9), (Whole::again(), 5, 1)] {
        let changes = whole.changes();
        let writes: Vec<usize> = (0..changes.len()).filter(|at| matches!(changes[*at], Op::Write(..))).collect();
        assert!(writes.len() > least, "{}", writes.len());
        for number in sampled(writes.len(), step) {
            ends_clearly(&whole, writes[number], Then::Full);
        }
    }
}

#[test]
fn permission_that_is_lost_at_any_change_is_named_and_the_run_goes_on_when_it_is_back() {
    let whole = Whole::new();
    for at in sampled(whole.changes().len(), 37) {
        ends_clearly(&whole, at, Then::Stops(ErrorKind::PermissionDenied));
    }
}

#[test]
fn a_stored_object_that_was_cut_is_made_again() {
    let whole = Whole::new();
    let done = whole.fresh();
    run_on(done.path(), Arc::new(DiskIo)).unwrap();
    let folder = done.path().join(".trainyard/objects");
    let digests = objects_in(&folder);
    assert!(digests.len() > 15, "{}", digests.len());
    let mut needed = 0;
    for number in sampled(digests.len(), 5) {
        let project = tempfile::tempdir().unwrap();
        shop::copy(done.path(), project.path());
        let objects = ObjectStore::open(Arc::new(DiskIo), project.path().join(".trainyard/objects"));
        let path = objects.path(&digests[number]);
        let bytes = fs::read(&path).unwrap();
        // Nobody may write an object: another file takes its place.
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let what = path.display().to_string();
        let result = run_on(project.path(), Arc::new(DiskIo)).unwrap();
        assert_eq!(result.candidate["digest"], whole.digest, "{what}");
        // What the first run alone needed, such as its comparison with nothing, is not made again.
        let journal = project.path().join(".trainyard/runs").join(&result.run).join("journal.jsonl");
        if fs::read_to_string(journal).unwrap().contains(&digests[number].to_string()) {
            needed += 1;
            assert_eq!(fs::read(&path).unwrap(), bytes, "{what}");
        }
        assert_eq!(tracking(project.path()).unwrap().versions("shop-model").unwrap().len(), 1, "{what}");
    }
    assert!(needed > 0);
}

/// Names the objects in a store's folder.
fn objects_in(folder: &Path) -> Vec<Digest> {
    let list = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let objects = list(folder.to_owned()).flat_map(|folder| {
        let half = name(&folder);
        list(folder).map(move |object| (half.clone() + &name(&object)).parse().unwrap())
    });
    let mut digests: Vec<Digest> = objects.collect();
    digests.sort_by_key(ToString::to_string);
    digests
}

#[test]
fn a_clock_that_went_back_changes_no_order_and_no_result() {
    let whole = Whole::new();
    let project = whole.fresh();
    let root = project.path();
    let folder = root.join(".trainyard");
    let objects = Arc::new(ObjectStore::open(Arc::new(DiskIo), folder.join("objects")));
    let store = EmbeddedStore::open(&folder.join("tracking"), objects).unwrap();
    // The year 2100, and an end before the beginning.
    let (later, earlier) = (4_102_444_800_000, 0);
    let run = NewRun {
        run: "future".to_owned(),
        experiment: "shop".to_owned(),
        name: String::new(),
        tags: Default::default(),
        started_ms: later,
    };
    store.start_run(&run).unwrap();
    store.end_run("future", Status::Failed, earlier, None).unwrap();
    drop(store);
    let first = run_on(root, Arc::new(DiskIo)).unwrap();
    let second = run_on(root, Arc::new(DiskIo)).unwrap();
    assert_eq!((&first.candidate["digest"], &second.candidate["digest"]), (&whole.digest, &whole.digest));
    let store = tracking(root).unwrap();
    let listed: Vec<String> = store.runs(9, None).unwrap().into_iter().map(|run| run.run).collect();
    assert_eq!(listed, [second.run, first.run, "future".to_owned()]);
    store.check().unwrap();
}
