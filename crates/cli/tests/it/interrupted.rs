//! Runs that are killed, told to stop, that meet one another, or that may not write.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::project::{Project, candidate, steps};
use crate::text;

/// Starts a run and waits until this step has started.
fn start(project: &Project, step: &str) -> Child {
    started(project.command(&["run", "--json"]), step)
}

/// Starts a command that tells its events as JSON and waits until this step has started.
pub(crate) fn started(mut command: Command, step: &str) -> Child {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_start = |line: String| {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        event["event"] == "step_started" && event["step"] == step
    };
    assert!(events.any(|line| is_start(line.unwrap())), "{step} never started");
    // A reader goes on, so that the run never meets a closed pipe.
    std::thread::spawn(move || events.for_each(drop));
    child
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

#[test]
fn a_killed_run_is_shown_as_crashed_and_resumes_to_the_same_bytes() {
    let whole = candidate(&Project::with_rows(20_000).run());
    for step in ["ingest", "split", "train", "compare"] {
        let project = Project::with_rows(20_000);
        let mut child = start(&project, step);
        child.kill().unwrap();
        child.wait().unwrap();
        let runs = project.json(&["runs", "list"]);
        assert_eq!(runs["runs"][0]["state"], "CRASHED", "{runs}");
        let resumed = project.json(&["resume"]);
        assert_eq!(resumed["run"], runs["runs"][0]["run"], "{step}");
        let half_written = |path: &std::path::Path| path.extension().is_some_and(|ending| ending == "tmp");
        assert!(!project.files().iter().any(|(path, _)| half_written(path)), "{step}: a half-written file was left");
        assert_eq!((&resumed["decision"], candidate(&resumed)), (&"promoted".into(), whole.clone()), "{step}");
    }
}

#[test]
fn an_interrupted_run_ends_and_can_be_resumed() {
    let project = Project::with_rows(20_000);
    let child = start(&project, "train");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let runs = project.json(&["runs", "list"]);
    assert_eq!(runs["runs"][0]["status"], "KILLED", "{runs}");
    let output = project.call(&["resume", "--json"]);
    let resumed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(resumed["decision"], "promoted", "{}", text(&output.stderr));
    assert!(steps(&resumed, "ran").contains(&"train".to_owned()), "{resumed:#}");
}

#[test]
fn a_second_run_at_once_is_refused_with_the_holder_named() {
    let project = Project::with_rows(100_000);
    let mut child = start(&project, "ingest");
    let output = project.call(&["run"]);
    let pid = child.id().to_string();
    child.kill().unwrap();
    child.wait().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let host = host();
    assert!(said.contains(&pid) && said.contains(&host), "{said} does not name {pid} on {host}");
}

#[test]
fn a_read_only_folder_is_named() {
    let project = Project::new();
    let binary = project.path("trainyard");
    fs::copy(env!("CARGO_BIN_EXE_trainyard"), &binary).unwrap();
    let mut command = Command::new(&binary);
    command.args(["run"]).current_dir(project.path("")).env("NO_COLOR", "1").env("COLUMNS", "100");
    fs::set_permissions(project.path(""), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::create_dir(project.path("probe")).is_ok() {
        // Root may write everywhere: another user runs it.
        fs::remove_dir(project.path("probe")).unwrap();
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    fs::set_permissions(project.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("permission") && said.contains(".trainyard"), "{said}");
}
