//! Memory that is exhausted, permission that is lost half-way, a tracking file of a later version: the end is clear, what
//! is told is true, and the run goes on when that is over.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;

use crate::interrupted::started;
use crate::project::{Project, below, candidate};
use crate::text;

/// Runs in at most so many KiB of address space.
fn limited(project: &Project, kib: u64, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {kib} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_trainyard")]);
    command.args(arguments).current_dir(project.path("")).env("NO_COLOR", "1").env("COLUMNS", "100");
    command.output().unwrap()
}

/// The limits that are tried, in KiB: from the least in which the program starts, each larger by a quarter.
fn limits(project: &Project) -> impl Iterator<Item = u64> + use<> {
    let more = |kib: &u64| Some(kib + kib / 4);
    let starts = |kib: &u64| limited(project, *kib, &["--version"]).status.success();
    let least = std::iter::successors(Some(16 << 10), more).find(starts);
    std::iter::successors(least, more)
}

#[test]
fn exhausted_memory_is_named_with_the_step_and_the_run_goes_on_with_more() {
    let roomy = Project::with_rows(20_000);
    let whole = candidate(&roomy.run());
    let in_a_step = Cell::new(0);
    let ended_well = |kib: u64| {
        let project = Project::with_rows(20_000);
        let output = limited(&project, kib, &["run", "--threads", "2"]);
        if output.status.success() {
            return true;
        }
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{kib} KiB: {said}");
        let runs = project.json(&["runs", "list"]);
        // Threads that can't be started are told by the engine.
        if said.contains("error[memory/exhausted]") && said.contains(" in step ") {
            in_a_step.set(in_a_step.get() + 1);
            assert_eq!(runs["runs"][0]["state"], "CRASHED", "{kib} KiB: {runs}");
            let run = runs["runs"][0]["run"].as_str().unwrap();
            assert!(said.contains(&format!("trainyard resume {run}")), "{kib} KiB: {said}");
            assert_eq!(candidate(&project.json(&["resume"])), whole, "{kib} KiB");
        }
        false
    };
    let enough = limits(&roomy).find(|kib| ended_well(*kib)).unwrap();
    // Below what is just enough, nearer together: there the steps are at work.
    for step in 1..=8 {
        ended_well(enough - enough * step / 40);
    }
    // Threads take their space by chance: where all limits missed the steps, those between are tried.
    for step in (1..=48).take_while(|_| in_a_step.get() == 0) {
        ended_well(enough - enough * step / 200);
    }
    assert!(in_a_step.get() > 0, "the memory was never exhausted in a step");
}

#[test]
fn exhausted_memory_is_one_document_with_json() {
    let project = Project::with_rows(20_000);
    let exhausted = limits(&project).take(9).find_map(|kib| {
        let output = limited(&project, kib, &["run", "--json", "--threads", "1"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (document["error"][0]["code"] == "memory/exhausted").then_some((output, document))
    });
    let (output, document) = exhausted.unwrap();
    assert_eq!((output.status.code(), &document["exit"]), (Some(1), &1.into()));
}

#[test]
fn permission_that_is_lost_half_way_is_named_and_the_run_goes_on_when_it_is_back() {
    let whole = candidate(&Project::with_rows(20_000).run());
    let project = Project::with_rows(20_000);
    let binary = project.path("trainyard");
    fs::copy(env!("CARGO_BIN_EXE_trainyard"), &binary).unwrap();
    let user = fs::create_dir(project.path("probe")).is_ok_and(|()| {
        fs::set_permissions(project.path("probe"), fs::Permissions::from_mode(0o555)).unwrap();
        fs::write(project.path("probe/file"), "").is_ok()
    });
    fs::remove_dir_all(project.path("probe")).unwrap();
    let user = user.then_some(65_534);
    if let Some(user) = user {
        // Root may write everywhere: another user runs it.
        let (folders, files) = below(&project.path(""));
        for path in folders.into_iter().chain(files) {
            chown(path, Some(user), Some(user)).unwrap();
        }
    }
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.args(arguments).arg("--json").current_dir(project.path("")).env_remove("TRAINYARD_ENV");
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        command
    };
    let mut child = started(command(&["run"]), "train");
    let (state, _) = below(&project.path(".trainyard"));
    let permit =
        |mode| state.iter().for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap());
    permit(0o555);
    let ended = child.wait().unwrap();
    let listed = command(&["runs", "list"]).output().unwrap();
    permit(0o755);
    assert_eq!(ended.code(), Some(1));
    let runs: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(["FAILED", "CRASHED"].contains(&runs["runs"][0]["state"].as_str().unwrap()), "{runs}");
    let resumed = command(&["resume"]).output().unwrap();
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    assert_eq!(candidate(&serde_json::from_slice(&resumed.stdout).unwrap()), whole);
}

#[test]
fn a_tracking_file_of_a_later_version_is_refused_and_left_alone() {
    let project = Project::new();
    project.run();
    let file = project.path(".trainyard/tracking/tracking.db");
    Connection::open(file).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let before = project.files();
    for arguments in [["run", "-q"], ["resume", "-q"], ["runs", "list"], ["models", "list"], ["check", "-q"]] {
        let output = project.call(&arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("later version") && said.contains("tracking.db"), "{arguments:?}: {said}");
    }
    assert!(project.files() == before, "something was written");
}
