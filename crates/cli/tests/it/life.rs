//! A project's life: run, cached, grown, damaged, refused, killed.

#![expect(clippy::unwrap_used, reason = "a test that can't set up its project has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Project {
        let folder = tempfile::tempdir().unwrap();
        let example = trainyard_judges::repository().join("examples/churn");
        let files =
            ["trainyard.yaml", "versions/splits/v1.yaml", "versions/features/v1.yaml", "versions/models/v1.yaml"];
        for file in files.into_iter().chain(["environments/strict.yaml"]) {
            let target = folder.path().join(file);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(example.join(file), target).unwrap();
        }
        let project = Project { folder };
        project.customers(1500, 7, "data/raw/customers.csv");
        project
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn customers(&self, rows: u32, seed: u32, file: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let (rows, seed) = (rows.to_string(), seed.to_string());
        let made = trainyard(&["synth", "churn", "--rows", &rows, "--seed", &seed, "--output", path.to_str().unwrap()]);
        assert_eq!(made.0, 0, "{}", made.2);
    }

    /// Runs a command on the project; gives exit code, its document and its errors.
    fn call(&self, arguments: &[&str]) -> (i32, Value, String) {
        let mut all = arguments.to_vec();
        all.extend(["--project", self.folder.path().to_str().unwrap(), "--json"]);
        let (code, stdout, stderr) = trainyard(&all);
        (code, serde_json::from_str(&stdout).unwrap_or(Value::Null), stderr)
    }

    fn refused(&self, arguments: &[&str], code: &str) {
        let (exit, document, _) = self.call(arguments);
        assert_eq!(exit, 1, "{document:#}");
        assert!(document.to_string().contains(code), "{document:#}");
    }
}

fn trainyard(arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_trainyard")).args(arguments).env_remove("TRAINYARD_ENV").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn statuses(result: &Value) -> Vec<(String, String)> {
    let steps = result["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["name"].as_str().unwrap().into(), step["status"].as_str().unwrap().into())).collect()
}

fn digest(result: &Value) -> String {
    result["candidate"]["digest"].as_str().unwrap_or_else(|| panic!("no candidate: {result:#}")).to_owned()
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

const REFERENCE: &str = "data/reference/tests/v1/test_reference.parquet";

#[test]
fn a_second_run_comes_from_the_cache_and_keeps_the_model() {
    let project = Project::new();
    let (code, first, errors) = project.call(&["run"]);
    assert_eq!((code, &first["decision"]), (0, &json!("promoted")), "{errors}");
    for key in ["run", "status", "versions", "metrics", "gates", "comparison", "model"] {
        assert!(!first[key].is_null(), "{key} is missing: {first:#}");
    }
    assert!(statuses(&first).iter().all(|(_, status)| status == "ran"));
    let (_, second, _) = project.call(&["run"]);
    for (name, status) in statuses(&second) {
        let expected = if name == "compare" || name == "promote" { "ran" } else { "cached" };
        assert_eq!(status, expected, "{name}");
    }
    assert_eq!((second["decision"].as_str(), digest(&second)), (Some("kept"), digest(&first)));
    let (code, verified, _) = project.call(&["verify", first["run"].as_str().unwrap()]);
    assert_eq!((code, &verified["identical"]), (0, &json!(true)), "{verified:#}");
}

#[test]
fn threads_and_steps_one_by_one_make_the_same_model() {
    let digests = ["1", "2", "8"].map(|threads| digest(&Project::new().call(&["run", "--threads", threads]).1));
    assert_eq!((&digests[0], &digests[0]), (&digests[1], &digests[2]));
    let project = Project::new();
    let mut last = Value::Null;
    for step in
        ["resolve", "ingest", "split", "features", "baseline", "train", "evaluate", "gate", "compare", "promote"]
    {
        let (code, report, errors) = project.call(&["step", step, "--run", "by-hand"]);
        assert_eq!(code, 0, "{step}: {errors}");
        last = report;
    }
    assert_eq!(digest(&last["ended"]), digests[0]);
}

#[test]
fn the_master_may_grow_and_the_reference_stays() {
    let project = Project::new();
    project.call(&["run"]);
    let before = std::fs::read(project.path(REFERENCE)).unwrap();
    project.customers(150, 8, "more.csv");
    let more = std::fs::read_to_string(project.path("more.csv")).unwrap();
    let mut grown = std::fs::read_to_string(project.path("data/raw/customers.csv")).unwrap();
    grown.push_str(more.split_once('\n').unwrap().1);
    std::fs::write(project.path("data/raw/customers.csv"), grown).unwrap();
    let (code, result, errors) = project.call(&["run"]);
    assert!(code == 0 || code == 3, "{errors}");
    assert_eq!(statuses(&result)[2], ("split".to_owned(), "ran".to_owned()));
    assert_eq!(before, std::fs::read(project.path(REFERENCE)).unwrap());
    project
        .refused(&["run", "--set", &format!("data.source={}", project.path("more.csv").display())], "split/other-data");
}

#[test]
fn a_damaged_object_runs_its_step_again_and_nothing_else() {
    let project = Project::new();
    let (_, first, _) = project.call(&["run"]);
    let record = std::fs::read_to_string(project.path(".trainyard/cache/train/latest.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let object = record["output"]["artifacts"]["model/model.json"].as_str().unwrap();
    flip(&project.path(&format!(".trainyard/objects/{}/{}", &object[..2], &object[2..])));
    let (code, again, errors) = project.call(&["run"]);
    assert_eq!(code, 0, "{errors}");
    let ran: Vec<String> =
        statuses(&again).into_iter().filter(|(_, status)| status == "ran").map(|(name, _)| name).collect();
    assert_eq!(ran, ["train", "compare", "promote"]);
    assert_eq!(digest(&again), digest(&first));
}

#[test]
fn what_was_frozen_or_used_is_never_remade() {
    let project = Project::new();
    project.call(&["run"]);
    let reference = std::fs::read(project.path(REFERENCE)).unwrap();
    flip(&project.path(REFERENCE));
    project.refused(&["run"], "split/reference-altered");
    std::fs::remove_file(project.path(REFERENCE)).unwrap();
    project.refused(&["run"], "split/reference-absent");
    assert!(!project.path(REFERENCE).exists());
    std::fs::write(project.path(REFERENCE), reference).unwrap();
    // What was typed wrong is a wrong command line.
    assert_eq!(project.call(&["run", "--split", "4"]).0, 2);
    let file = project.path("versions/features/v1.yaml");
    let edited = std::fs::read_to_string(&file).unwrap().replace("min_frequency: 10", "min_frequency: 11");
    std::fs::write(&file, edited).unwrap();
    project.refused(&["run"], "versions/edited");
}

#[test]
fn strict_gates_refuse_with_exit_code_three() {
    let (code, result, _) = Project::new().call(&["run", "--env", "strict"]);
    assert_eq!((code, &result["status"], &result["decision"]), (3, &json!("REFUSED"), &json!("refused")), "{result:#}");
    assert!(result["model"].is_null());
}

#[test]
fn problems_are_found_before_anything_is_written() {
    let project = Project::new();
    let file = project.path("versions/features/v1.yaml");
    let sound = std::fs::read_to_string(&file).unwrap();
    for (from, to, code) in [
        ("PaymentMethod]", "PaymentMetod]", "features/unknown-column"),
        ("fitted_median(MonthlyCharges)", "AVG(MonthlyCharges) OVER ()", "expression/window"),
        ("\"tenure * MonthlyCharges\"", "\"tenure * random()\"", "expression/"),
        ("\"tenure * MonthlyCharges\"", "\"tenure * (Churn = 'Yes')\"", "error"),
        ("groups:", "grups:", "spec/unknown-key"),
    ] {
        std::fs::write(&file, sound.replace(from, to)).unwrap();
        project.refused(&["run"], code);
        assert!(!project.path(".trainyard").exists(), "{to} left something behind");
        assert!(!project.path("versions/lock.yaml").exists());
    }
}

#[test]
fn a_killed_run_is_told_and_resumed_to_the_same_model() {
    let whole = digest(&Project::new().call(&["run"]).1);
    for pause in [30, 80, 150] {
        let project = Project::new();
        let mut child = Command::new(env!("CARGO_BIN_EXE_trainyard"))
            .args(["run", "--json"])
            .arg(project.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        // The run may have ended before; then there is nothing to resume.
        let _ = child.kill();
        child.wait().unwrap();
        let (code, resumed, errors) = project.call(&["resume"]);
        let result = if code == 0 { resumed } else { project.call(&["run"]).1 };
        assert_eq!(digest(&result), whole, "{errors}");
    }
}
