//! Who may work on a project at the same time.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use trainyard_files::{Holder, ProjectLock, host_name};
use trainyard_pipeline::{Cancel, Failure, Request, RunResult, Silent, StepReport, run, step};

use crate::shop;

struct Project(TempDir);

impl Project {
    fn new() -> Project {
        Project(shop::project())
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("shop")
    }

    fn lock(&self) -> PathBuf {
        self.root().join(".trainyard/lock")
    }

    fn request(&self) -> Request {
        shop::request(&self.root())
    }

    fn run(&self) -> Result<RunResult, Failure> {
        run(&self.request(), Arc::new(Silent), &Cancel::default())
    }

    fn step(&self, name: &str, run: &str) -> Result<StepReport, Failure> {
        step(&self.request(), name, run, Arc::new(Silent), &Cancel::default())
    }
}

/// A session that is not this one, although it lives in the same process.
fn holder(run: &str, pid: u32) -> Holder {
    Holder { pid, host: host_name(), command: "run".to_owned(), run: run.to_owned(), since_unix: 0 }
}

fn text<T>(result: Result<T, Failure>) -> String {
    match result {
        Ok(_) => "it was let in".to_owned(),
        Err(Failure::Problems(problems)) => format!("{problems:?}"),
        Err(failure) => format!("{failure:?}"),
    }
}

#[test]
fn a_second_session_is_refused_with_process_and_host_and_let_in_afterwards() {
    let project = Project::new();
    let pid = std::process::id();
    let held = ProjectLock::exclusive(&project.lock(), holder("first", pid)).unwrap();
    for said in [text(project.run()), text(project.step("resolve", "second"))] {
        assert!(said.contains(&pid.to_string()) && said.contains(&host_name()), "{said}");
    }
    assert!(!project.root().join(".trainyard/runs").exists(), "nothing was begun");
    drop(held);
    assert_eq!(project.run().unwrap().status, "FINISHED");
}

#[test]
fn steps_of_one_run_share_the_lock_and_keep_others_out() {
    let project = Project::new();
    let _other = ProjectLock::shared_by_run(&project.lock(), holder("one", std::process::id())).unwrap();
    assert_eq!(project.step("resolve", "one").unwrap().name, "resolve");
    assert_eq!(project.step("ingest", "one").unwrap().name, "ingest");
    for said in [text(project.step("resolve", "two")), text(project.run())] {
        assert!(said.contains(&std::process::id().to_string()), "{said}");
    }
}

#[test]
fn what_a_dead_process_left_in_the_lock_holds_nothing() {
    let project = Project::new();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    fs::create_dir_all(project.root().join(".trainyard")).unwrap();
    fs::write(project.lock(), serde_json::to_vec(&[holder("dead", dead)]).unwrap()).unwrap();
    assert_eq!(project.run().unwrap().status, "FINISHED");
}

#[test]
fn a_step_of_a_run_with_a_damaged_object_can_be_mended_by_its_step() {
    let project = Project::new();
    for name in ["resolve", "ingest"] {
        project.step(name, "one").unwrap();
    }
    let record = fs::read(project.root().join(".trainyard/cache/ingest/latest.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let digest = record["output"]["artifacts"]["table"].as_str().unwrap();
    fs::remove_file(project.root().join(".trainyard/objects").join(&digest[..2]).join(&digest[2..])).unwrap();
    let said = text(project.step("split", "one"));
    assert!(said.contains("step/too-early") && said.contains("ingest"), "{said}");
    project.step("ingest", "one").unwrap();
    project.step("split", "one").unwrap();
}
