//! `trainyard doctor`: what it says of sound and of broken things, and that it writes nothing.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::project::{CUSTOMERS, Project};
use crate::text;

const TRACKING: &str = ".trainyard/tracking/tracking.db";

/// A machine without engines, and with a pip that answers.
fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    for variable in ["TRAINYARD_LIGHTGBM", "TRAINYARD_XGBOOST", "VIRTUAL_ENV", "CONDA_PREFIX"] {
        command.env_remove(variable);
    }
    command.env("XDG_DATA_HOME", project.path("home"));
    command
}

/// Calls and gives the exit code with the document.
fn doctor(project: &Project) -> (Option<i32>, Value) {
    let output = command(project, &["doctor", "--json"]).output().unwrap();
    let document = serde_json::from_slice(&output.stdout);
    (output.status.code(), document.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr))))
}

/// Finds what is said of one thing.
fn finding<'d>(document: &'d Value, name: &str) -> &'d Value {
    let areas = document["areas"].as_array().unwrap().iter();
    let found = areas.flat_map(|area| area["findings"].as_array().unwrap()).find(|finding| finding["name"] == name);
    found.unwrap_or_else(|| panic!("nothing is said of {name}: {document:#}"))
}

/// The names of what is broken.
fn broken(document: &Value) -> Vec<&str> {
    let areas = document["areas"].as_array().unwrap().iter();
    let findings = areas.flat_map(|area| area["findings"].as_array().unwrap());
    findings.filter(|one| one["health"] == "broken").map(|one| one["name"].as_str().unwrap()).collect()
}

/// Every file of the project but those of the tracking store: SQLite tidies up its log when somebody looks into it.
fn files(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let all = project.files().into_iter();
    all.filter(|(path, _)| !path.starts_with(project.path(".trainyard/tracking"))).collect()
}

#[test]
fn a_sound_project_is_well_before_and_after_its_first_run() {
    let project = Project::new();
    let before = project.files();
    let (code, document) = doctor(&project);
    assert_eq!((code, &document["well"], &document["broken"]), (Some(0), &true.into(), &0.into()), "{document:#}");
    assert!(before == project.files(), "nothing was written");
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert!(finding(&document, "spec")["what"].as_str().unwrap().contains("1,500 rows × 21 columns"), "{document:#}");
    assert_eq!(finding(&document, "steps")["what"], "0 of 10 are done");
    assert_eq!(finding(&document, "tracking")["what"], "none yet: the first run makes it");

    project.run();
    let before = files(&project);
    let (code, document) = doctor(&project);
    assert_eq!(code, Some(0), "{document:#}");
    assert!(before == files(&project), "nothing was written");
    let tracking = finding(&document, "tracking")["what"].as_str().unwrap();
    assert_eq!(tracking, "runs: 1, models: 1; file and history are whole");
    assert!(finding(&document, "objects")["what"].as_str().unwrap().ends_with("pointed at: 1, whole"), "{document:#}");
    for (name, health) in [("lightgbm", "absent"), ("xgboost", "absent"), ("processors", "well"), ("runs", "well")] {
        assert_eq!(finding(&document, name)["health"], health, "{document:#}");
    }
    assert_eq!(finding(&document, "lightgbm")["mend"], "`trainyard engines add lightgbm`");

    let output = command(&project, &["doctor"]).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{said}");
    assert!(said.starts_with(&format!("Trainyard {}", env!("CARGO_PKG_VERSION"))), "{said}");
    assert!(said.contains("\nproject churn\n  ✓ spec "), "{said}");
    assert!(said.contains("  · lightgbm     not on this machine\n                 → `trainyard engines add"), "{said}");
    assert!(said.ends_with("\nAll is well.\n"), "{said}");
}

#[test]
fn a_broken_tracking_file_hides_nothing_else() {
    let project = Project::new();
    project.run();
    // What the log holds goes into the file.
    let connection = rusqlite::Connection::open(project.path(TRACKING)).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let sound = fs::read(project.path(TRACKING)).unwrap();
    let mut damaged = sound.clone();
    let half = damaged.len() / 2;
    damaged[half..].fill(0x5a);
    for bytes in [damaged, b"no database at all, whatever its name says".repeat(100)] {
        for log in ["tracking.db-wal", "tracking.db-shm"] {
            let _ = fs::remove_file(project.path(&format!(".trainyard/tracking/{log}")));
        }
        project.write(TRACKING, &bytes);
        let (code, document) = doctor(&project);
        assert_eq!(code, Some(1), "{document:#}");
        assert!(broken(&document).contains(&"tracking"), "{document:#}");
        assert!(!finding(&document, "tracking")["mend"].as_str().unwrap().is_empty(), "{document:#}");
        assert_eq!(finding(&document, "spec")["health"], "well", "{document:#}");
    }
    project.write(TRACKING, &sound);
    assert_eq!(doctor(&project).0, Some(0));
}

#[test]
fn a_store_that_has_lost_its_runs_is_noticed() {
    let project = Project::new();
    let run = project.run()["run"].as_str().unwrap().to_owned();
    fs::remove_dir_all(project.path(".trainyard/tracking")).unwrap();
    let (code, document) = doctor(&project);
    assert_eq!(code, Some(0), "{document:#}");
    let tracking = finding(&document, "tracking");
    assert_eq!(tracking["what"], format!("run {run} is not in the tracking store"), "{document:#}");
    assert_eq!(tracking["health"], "warning");
}

#[test]
fn a_store_of_a_later_version_is_broken_for_this_one() {
    let project = Project::new();
    project.run();
    let connection = rusqlite::Connection::open(project.path(TRACKING)).unwrap();
    connection.pragma_update(None, "user_version", 9999).unwrap();
    drop(connection);
    let (code, document) = doctor(&project);
    assert_eq!((code, broken(&document)), (Some(1), vec!["tracking"]), "{document:#}");
    assert!(finding(&document, "tracking")["what"].as_str().unwrap().contains("later version"), "{document:#}");
}

#[test]
fn an_absent_engine_is_broken_where_the_model_version_asks_for_it() {
    let project = Project::new();
    project.write(
        "versions/models/v1.yaml",
        "baseline: {logistic_regression: {}}\ncandidates: {xgboost: {}}\ncross_validation: {folds: 2}\n",
    );
    let (code, document) = doctor(&project);
    assert_eq!((code, broken(&document)), (Some(1), vec!["xgboost"]), "{document:#}");
    assert_eq!(finding(&document, "xgboost")["mend"], "`trainyard engines add xgboost`");
    assert_eq!(finding(&document, "spec")["health"], "well", "{document:#}");

    // A file that is no library is broken for this project, and to be looked at in another.
    let file = project.path("data/no-library.so");
    fs::write(&file, "no library").unwrap();
    let of = |variable: &str| {
        let output = command(&project, &["doctor", "--json"]).env(variable, &file).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let name = variable.trim_start_matches("TRAINYARD_").to_lowercase();
        finding(&document, &name)["health"].as_str().unwrap().to_owned()
    };
    assert_eq!([of("TRAINYARD_XGBOOST"), of("TRAINYARD_LIGHTGBM")], ["broken", "warning"]);
}

#[test]
fn engines_that_are_there_are_loaded() {
    if trainyard_judges::python("core").is_none() {
        return;
    }
    let project = Project::new();
    let environment = trainyard_judges::environments().join("core");
    let output = command(&project, &["doctor", "--json"]).env("VIRTUAL_ENV", environment).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, library) in [("lightgbm", "lib_lightgbm.so"), ("xgboost", "libxgboost.so")] {
        let found = finding(&document, name);
        let what = found["what"].as_str().unwrap();
        assert!(found["health"] == "well" && what.contains(", loads from /") && what.ends_with(library), "{found}");
    }
}

#[test]
fn without_a_project_the_machine_is_looked_at_unless_one_was_named() {
    let empty = tempfile::tempdir().unwrap();
    let call = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trainyard"));
        command.args(arguments).current_dir(empty.path()).env_remove("TRAINYARD_ENV");
        let output = command.output().unwrap();
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, document) = call(&["doctor", "--json"]);
    assert_eq!((code, finding(&document, "spec")["health"].as_str()), (Some(0), Some("absent")), "{document:#}");
    assert_eq!(finding(&document, "memory")["name"], "memory");
    let (code, document) = call(&["doctor", "--json", "--project", "nowhere"]);
    assert_eq!((code, finding(&document, "spec")["health"].as_str()), (Some(1), Some("broken")), "{document:#}");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn what_is_wrong_with_specs_data_and_models_is_told_with_what_to_do() {
    let project = Project::new();
    project.run();
    project.edit("trainyard.yaml", "active:", "activ:");
    let (code, document) = doctor(&project);
    assert_eq!((code, broken(&document)), (Some(1), vec!["spec"]), "{document:#}");
    assert_eq!(finding(&document, "spec")["mend"], "`trainyard check`");
    project.edit("trainyard.yaml", "activ:", "active:");

    let reference = project.path(crate::project::REFERENCE);
    let kept = fs::read(&reference).unwrap();
    fs::remove_file(&reference).unwrap();
    let (code, document) = doctor(&project);
    assert_eq!((code, broken(&document)), (Some(1), vec!["steps"]), "{document:#}");
    assert!(finding(&document, "steps")["what"].as_str().unwrap().contains("reference test"), "{document:#}");
    project.write(crate::project::REFERENCE, kept);

    let table = project.read(CUSTOMERS);
    fs::remove_file(project.path(CUSTOMERS)).unwrap();
    assert_eq!(broken(&doctor(&project).1), ["spec"]);
    project.write(CUSTOMERS, table);

    let exported = project.path("exported");
    project.json(&["models", "export", "churn-predictor", "--output", exported.to_str().unwrap()]);
    let model = fs::read(exported.join("model.json")).unwrap();
    let (object, _) = project
        .files()
        .into_iter()
        .find(|(path, bytes)| path.starts_with(project.path(".trainyard/objects")) && *bytes == model)
        .unwrap();
    fs::remove_file(object).unwrap();
    let (code, document) = doctor(&project);
    assert_eq!((code, broken(&document)), (Some(1), vec!["objects"]), "{document:#}");
}

#[test]
fn leftovers_of_dead_runs_are_named_and_fail_nothing() {
    let project = Project::new();
    let run = project.run()["run"].as_str().unwrap().to_owned();
    let journal = format!(".trainyard/runs/{run}/journal.jsonl");
    let text = project.read(&journal);
    let lines: Vec<&str> = text.lines().collect();
    project.write(&journal, format!("{}\n", lines[..lines.len() - 1].join("\n")));
    let half = project.path(".trainyard/.trainyard-0badcafe-1-1.tmp");
    let file = File::create(&half).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3 * 24 * 3600)).unwrap();
    let (code, document) = doctor(&project);
    assert_eq!((code, &document["warnings"]), (Some(0), &1.into()), "{document:#}");
    let runs = finding(&document, "runs");
    assert_eq!(runs["what"], format!("run {run} crashed"), "{document:#}");
    assert_eq!(runs["mend"], format!("`trainyard resume {run}`"));
    assert!(finding(&document, "leftovers")["what"].as_str().unwrap().starts_with("1 of dead"), "{document:#}");
    assert!(half.exists(), "looking removes nothing");

    // From elsewhere the command names the project.
    let elsewhere = tempfile::tempdir().unwrap();
    let path = project.path("");
    let output = command(&project, &["doctor", "--json", "--project", path.to_str().unwrap()])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mend = finding(&document, "runs")["mend"].as_str().unwrap();
    assert!(mend.starts_with(&format!("`trainyard resume {run} --project ")), "{mend}");
}

#[test]
fn a_pip_that_does_not_answer_is_not_waited_for() {
    let project = Project::new();
    let folder = project.path("silent");
    fs::create_dir_all(&folder).unwrap();
    for name in ["pip", "pip3", "python3"] {
        let path = folder.join(name);
        // The one it starts keeps the pipe when it is gone.
        fs::write(&path, "#!/bin/sh\nsleep 60 &\nwait\n").unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let paths = std::env::join_paths([folder, "/usr/bin".into(), "/bin".into()]).unwrap();
    let output = command(&project, &["doctor", "--json"]).env("PATH", paths).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let pip = finding(&document, "pip");
    assert_eq!(
        (pip["health"].as_str(), pip["what"].as_str()),
        (Some("warning"), Some("it did not answer within 5 seconds"))
    );
}
