//! What one run leaves to the next: versions that say the same, moved files, damaged ones, attempts that are repeated.

use std::fs;

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project, REFERENCE, candidate, steps};
use crate::text;

fn refused(project: &Project, arguments: &[&str], code: &str) {
    let output = project.call(arguments);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains(&format!("[{code}]")), "{arguments:?}: {said}");
}

fn run_of(result: &Value) -> &str {
    result["run"].as_str().unwrap()
}

#[test]
fn a_version_that_says_the_same_makes_the_same_model_and_can_be_verified() {
    let project = Project::new();
    let first = project.run();
    project.write("versions/features/v2.yaml", project.read("versions/features/v1.yaml"));
    let second = project.json(&["run", "--features", "2"]);
    assert_eq!((candidate(&second), &second["decision"]), (candidate(&first), &json!("kept")));
    assert_eq!(second["versions"]["features"], 2);
    let features = second["steps"].as_array().unwrap().iter().find(|step| step["name"] == "features").unwrap();
    assert!(features["subject"].as_str().unwrap().starts_with("v2"), "{features}");
    assert_eq!(project.json(&["verify", run_of(&second), "--at", "1"])["identical"], true);
    assert!(project.read("versions/lock.yaml").contains("  2:\n"), "{}", project.read("versions/lock.yaml"));
}

#[test]
fn a_moved_source_runs_nothing_again_and_is_named_as_it_is_now() {
    let project = Project::new();
    let first = project.run();
    fs::rename(project.path(CUSTOMERS), project.path("moved.csv")).unwrap();
    let second = project.json(&["run", "--set", "data.source=moved.csv"]);
    let ran = steps(&second, "ran");
    assert!(ran.iter().all(|step| ["resolve", "compare", "promote"].contains(&step.as_str())), "{ran:?}");
    assert_eq!(candidate(&second), candidate(&first));
    let shown = project.json(&["runs", "show", run_of(&second)]);
    let master = shown["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "master").unwrap();
    assert_eq!(master["source"], "moved.csv");
}

#[test]
fn a_run_is_verified_without_its_reference_file() {
    let project = Project::new();
    let first = project.run();
    fs::remove_file(project.path(REFERENCE)).unwrap();
    assert_eq!(project.json(&["verify", run_of(&first), "--at", "1"])["identical"], true);
}

#[test]
fn parameters_are_what_was_asked_for() {
    let project = Project::new();
    let first = project.run();
    let shown = project.json(&["runs", "show", run_of(&first)]);
    for version in ["split_version", "feature_version", "model_version"] {
        assert_eq!(shown["params"][version], "1");
    }
    assert!(shown["params"]["estimator"].is_null() && shown["params"]["trees"].is_null(), "{}", shown["params"]);
    assert_eq!((&shown["tags"]["estimator"], &shown["metrics"]["trees"]), (&json!("gradient_boosting"), &json!(100.0)));
}

#[test]
fn a_gate_on_a_measured_value_judges_the_value_of_this_run() {
    let project = Project::new();
    project.run();
    fs::remove_dir_all(project.path(".trainyard/cache/evaluate")).unwrap();
    let second = project.run();
    let ran = steps(&second, "ran");
    assert!(ran.contains(&"evaluate".to_owned()) && ran.contains(&"gate".to_owned()), "{ran:?}");
    let latency = |gate: &&Value| gate["name"] == "latency_p95_ms";
    let judged = second["gates"].as_array().unwrap().iter().find(latency).unwrap()["value"].clone();
    let shown = project.json(&["runs", "show", run_of(&second)]);
    assert_eq!(shown["metrics"]["latency_p95_ms"], judged);
}

#[test]
fn an_incumbent_that_can_be_read_again_is_compared_again() {
    let project = Project::new();
    let first = project.run();
    project.write("versions/models/v2.yaml", project.read("versions/models/v1.yaml").replace("100", "60"));
    let file = |name: &str| {
        let shown = project.json(&["runs", "show", run_of(&first)]);
        let files = shown["artifacts"].as_array().unwrap();
        let digest = files.iter().find(|file| file["path"] == name).unwrap()["digest"].as_str().unwrap().to_owned();
        project.path(&format!(".trainyard/objects/{}/{}", &digest[..2], &digest[2..]))
    };
    let model = file("model/model.json");
    let aside = project.path("aside");
    fs::rename(&model, &aside).unwrap();
    let second = project.json(&["run", "--model", "2"]);
    assert_eq!((&second["comparison"]["outcome"], &second["decision"]), (&json!("incumbent_fails"), &json!("kept")));
    fs::rename(&aside, &model).unwrap();
    let output = project.call(&["run", "--model", "2", "--json"]);
    let third: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(third["comparison"]["outcome"], "measured", "{}", third["comparison"]);
    assert_eq!(third["reference_uses"], 3, "each of the three runs was judged on the reference test");
}

#[test]
fn a_row_stays_seen_when_the_data_gets_another_column() {
    let project = Project::new();
    project.edit(
        "trainyard.yaml",
        "  key: customerID                # identifies a row: it keeps its side of the split as the data grows\n",
        "",
    );
    project.run();
    let table = project.read(CUSTOMERS);
    let mut lines = table.lines();
    let header = lines.next().unwrap();
    let rows: String = lines.enumerate().map(|(row, line)| format!("{},{line}\n", row % 3)).collect();
    project.write(CUSTOMERS, format!("extra,{header}\n{rows}"));
    project.write("versions/splits/v2.yaml", project.read("versions/splits/v1.yaml").replace("seed: 42", "seed: 43"));
    project.write("versions/models/v2.yaml", project.read("versions/models/v1.yaml").replace("100", "60"));
    let output = project.call(&["run", "--split", "2", "--model", "2", "--json"]);
    let second: Value = serde_json::from_slice(&output.stdout).unwrap();
    let excluded = second["comparison"]["excluded"].as_u64().unwrap_or_else(|| panic!("{}", second["comparison"]));
    assert!(excluded > 100, "{}", second["comparison"]);
}

#[test]
fn a_failed_step_is_tried_again_and_a_done_one_is_not() {
    let project = Project::new();
    project.json(&["step", "resolve", "--run", "nightly"]);
    fs::rename(project.path(CUSTOMERS), project.path("away.csv")).unwrap();
    refused(&project, &["step", "ingest", "--run", "nightly"], "data/missing-file");
    fs::rename(project.path("away.csv"), project.path(CUSTOMERS)).unwrap();
    assert_eq!(project.json(&["step", "ingest", "--run", "nightly"])["status"], "ran");
    assert_eq!(project.json(&["step", "ingest", "--run", "nightly"])["status"], "cached");
    refused(&project, &["step", "train", "--run", "nightly"], "step/too-early");
    refused(&project, &["step", "split", "--run", "nightly", "--split", "3"], "run/other-configuration");
    refused(&project, &["resume", "nightly", "--set", "gates.at_least.accuracy=0.99"], "run/other-configuration");
    refused(&project, &["step", "resolve", "--run", "a.b"], "step/run-id");
    let resumed = project.json(&["resume", "nightly"]);
    assert_eq!((&resumed["run"], &resumed["decision"]), (&json!("nightly"), &json!("promoted")));
}

#[test]
fn a_lost_race_for_the_registry_is_compared_anew() {
    let project = Project::new();
    for step in ["resolve", "ingest", "split", "features", "baseline", "train", "evaluate", "gate", "compare"] {
        project.json(&["step", step, "--run", "slow"]);
    }
    assert_eq!(project.run()["decision"], "promoted");
    refused(&project, &["step", "promote", "--run", "slow"], "tracking/head-moved");
    let resumed = project.json(&["resume", "slow"]);
    assert_eq!((&resumed["decision"], &resumed["comparison"]["outcome"]), (&json!("kept"), &json!("same_model")));
}

#[test]
fn a_run_is_found_by_its_name_or_a_beginning_that_no_other_has() {
    let project = Project::new();
    for run in ["nightly-2", "nightly"] {
        for step in ["resolve", "ingest", "split", "features", "baseline", "train"] {
            project.json(&["step", step, "--run", run]);
        }
    }
    assert_eq!(project.json(&["verify", "nightly", "--at", "1"])["run"], "nightly");
    assert_eq!(project.json(&["verify", "nightly-", "--at", "1"])["run"], "nightly-2");
    refused(&project, &["verify", "night"], "run/ambiguous");
    refused(&project, &["resume", "weekly"], "run/unknown");
}

#[test]
fn a_damaged_journal_hides_no_other_run() {
    let project = Project::new();
    let (first, second) = (project.run(), project.run());
    let journal = format!(".trainyard/runs/{}/journal.jsonl", run_of(&first));
    project.write(&journal, format!("no entry\n{}", project.read(&journal)));
    let listed = project.json(&["runs", "list"]);
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2);
    assert_eq!(project.json(&["verify", run_of(&second), "--at", "1"])["identical"], true);
    refused(&project, &["verify", run_of(&first)], "engine/journal");
}
