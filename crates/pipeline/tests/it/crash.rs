//! The process dies at any change that it makes to the disk: what is told next is true, and the resumed run ends with the
//! same bytes. With `TRAINYARD_LONG=1` at every change, otherwise at a sample of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use trainyard_faults::{Op, Process, RecordingIo, Then, arguments, text};
use trainyard_files::DiskIo;
use trainyard_pipeline::{Cancel, Failure, Silent, resume, run_states, tracking};
use trainyard_tracking::Tracking;

use crate::shop;
use crate::whole::{Whole, half_written, is_versioning, run_on, sampled};

#[test]
fn a_death_at_any_change_of_the_disk_loses_nothing() {
    dies_at_any_change("a_death_at_any_change_of_the_disk_loses_nothing", Whole::new, |_| true, 41);
}

#[test]
fn a_death_in_a_run_with_nothing_changed_loses_nothing() {
    dies_at_any_change("a_death_in_a_run_with_nothing_changed_loses_nothing", Whole::again, |_| true, 3);
}

#[test]
fn a_death_while_data_is_versioned_loses_nothing() {
    // The other changes are those of a run without versions.
    let test = "a_death_while_data_is_versioned_loses_nothing";
    dies_at_any_change(test, Whole::versioned, is_versioning, 7);
}

fn dies_at_any_change(test: &str, whole: impl Fn() -> Whole, counts: impl Fn(&Op) -> bool, step: usize) {
    if let Some(told) = arguments() {
        let [root, at] = told.as_slice() else { panic!("{told:?}") };
        let io = RecordingIo::failing(Path::new(root), at.parse().unwrap(), Then::Dies);
        run_on(Path::new(root), Arc::new(io)).unwrap();
        return;
    }
    let whole = whole();
    let changes: Vec<usize> =
        whole.changes().iter().enumerate().filter(|(_, op)| counts(op)).map(|(at, _)| at).collect();
    assert!(changes.len() > step);
    for at in sampled(changes.len(), step).map(|number| changes[number]) {
        let project = whole.fresh();
        Process::start(&format!("crash::{test}"), &[text(project.path()), &at.to_string()]).ends();
        // Clean-up after the end may have fewer changes.
        whole.recovers(project.path(), &["crashed", "ended"], &format!("change {at}"));
        assert_eq!(half_written(project.path()), Vec::<PathBuf>::new(), "change {at}");
    }
}

#[test]
fn a_run_of_which_the_journal_lost_the_end_goes_on_and_tracking_keeps_what_it_has() {
    let whole = Whole::again();
    let project = whole.fresh();
    let run = run_on(project.path(), Arc::new(DiskIo)).unwrap().run;
    let logged = |root: &Path| tracking(root).unwrap().run(&run).unwrap();
    let before = logged(project.path());
    let journal = format!(".trainyard/runs/{run}/journal.jsonl");
    let text = fs::read_to_string(project.path().join(&journal)).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for kept in 1..lines.len() {
        let copy = TempDir::new().unwrap();
        shop::copy(project.path(), copy.path());
        fs::write(copy.path().join(&journal), lines[..kept].concat()).unwrap();
        whole.recovers(copy.path(), &["crashed", "ended"], &format!("{kept} lines"));
        assert_eq!(logged(copy.path()), before, "{kept} lines");
    }
}

#[test]
fn a_run_that_has_ended_is_not_made_anew_when_the_world_has_changed() {
    let whole = Whole::again();
    let project = whole.fresh();
    let root = project.path();
    let run = run_on(root, Arc::new(DiskIo)).unwrap().run;
    let logged = || {
        let store = tracking(root).unwrap();
        (store.run(&run).unwrap(), store.artifacts(&run).unwrap(), store.versions("shop-model").unwrap())
    };
    let before = logged();
    // Of a run with nothing changed the journal may lose all steps.
    let journal = root.join(format!(".trainyard/runs/{run}/journal.jsonl"));
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.split_inclusive('\n').next().unwrap()).unwrap();
    let source = root.join("data/raw/table.csv");
    let mut rows = fs::read_to_string(&source).unwrap();
    rows.push_str("9999,3,no\n");
    fs::write(&source, rows).unwrap();
    let refused = resume(&shop::request(root), None, Arc::new(Silent), &Cancel::default());
    let Err(Failure::Problems(problems)) = refused else { panic!("{refused:?}") };
    assert_eq!(problems[0].code, "resume/nothing");
    assert_eq!(logged(), before);
    let told = run_states(root).unwrap();
    assert_eq!(told.last().map(|state| state.state.as_str()), Some("ended"));
}

#[test]
fn what_others_left_is_looked_for_once_a_day() {
    let project = Whole::new().fresh();
    let root = project.path();
    let run = || drop(run_on(root, Arc::new(DiskIo)).unwrap());
    let age = |path: &Path, hours: u64| {
        let file = File::options().append(true).create(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    };
    run();
    // Of a writer on another host, who has not written for two days.
    let folders = [
        ".trainyard",
        ".trainyard/cache/train",
        ".trainyard/reports",
        "data/splits/v1",
        "data/splits/v1/optional_tests",
    ];
    for folder in folders {
        fs::create_dir_all(root.join(folder)).unwrap();
        age(&root.join(folder).join(".trainyard-0a1b2c3d-7-0.tmp"), 48);
    }
    run();
    assert_eq!(half_written(root).len(), folders.len());
    age(&root.join(".trainyard/swept"), 25);
    run();
    assert_eq!(half_written(root), Vec::<PathBuf>::new());
}
