//! Expectations: a suite from the data, a run that it lets through, warns of or ends, and any file held against it.

use std::fs;

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project};
use crate::text;

const SUITE: &str = "expectations/customers.json";

/// Has the project's data held against a suite.
fn with_suite(project: &Project) {
    let spec = project.read("trainyard.yaml");
    project.write("trainyard.yaml", format!("{spec}validate: {{suite: {SUITE}}}\n"));
}

fn suite(expectations: &Value) -> String {
    json!({ "name": "customers", "expectations": expectations }).to_string()
}

#[test]
fn a_proposed_suite_lets_its_own_data_through_and_the_run_says_so() {
    let project = Project::with_rows(600);
    let written = project.call(&["data", "validate", "init", CUSTOMERS]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert!(text(&written.stdout).contains(SUITE), "{}", text(&written.stdout));
    let held = project.call(&["data", "validate", CUSTOMERS, "--suite", SUITE, "--json"]);
    let validation: Value = serde_json::from_slice(&held.stdout).unwrap();
    assert_eq!((held.status.code(), &validation["success"]), (Some(0), &json!(true)), "{validation:#}");
    with_suite(&project);
    let result = project.run();
    let run = result["run"].as_str().unwrap();
    let steps: Vec<&str> =
        result["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(steps[1..4], ["ingest", "validate", "split"]);
    let shown = project.json(&["runs", "show", run]);
    let total = validation["statistics"]["evaluated_expectations"].as_f64().unwrap();
    assert_eq!(shown["metrics"]["expectations_met"].as_f64(), Some(total), "{shown:#}");
    // The stored result is that of the command, and a run that is repeated comes to the same.
    assert!(project.call(&["verify", run]).status.success());
    let again = project.call(&["run"]);
    let line = text(&again.stderr).lines().find(|line| line.contains("validate")).unwrap().to_owned();
    assert!(line.contains("expectations met") && line.contains("cached"), "{line}");
}

#[test]
fn a_warning_is_told_and_a_critical_one_ends_the_run() {
    let project = Project::with_rows(600);
    let high = json!({"type": "expect_column_max_to_be_between",
    "kwargs": {"column": "tenure", "max_value": 1}, "severity": "warning"});
    project.write(SUITE, suite(&json!([high])));
    with_suite(&project);
    let output = project.call(&["run"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("warning[expectations/not-met]") && said.contains("max_value 1"), "{said}");
    let critical = json!({"type": "expect_column_values_to_be_null", "kwargs": {"column": "tenure"}});
    project.write(SUITE, suite(&json!([high, critical])));
    let output = project.call(&["run"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("error[expectations/not-met]: 1 critical expectation is not met"), "{said}");
    let runs = project.json(&["runs", "list"]);
    let statuses: Vec<&Value> = runs["runs"].as_array().unwrap().iter().map(|run| &run["status"]).collect();
    assert!(statuses.contains(&&json!("FAILED")), "{runs:#}");
    let held = project.call(&["data", "validate", CUSTOMERS, "--suite", SUITE]);
    let table = text(&held.stdout);
    assert_eq!(held.status.code(), Some(3), "{table}");
    assert!(table.contains("0 of 2 expectations met; not met: 1 critical, 1 warning"), "{table}");
}

#[test]
fn a_run_goes_on_with_data_that_was_mended_and_its_refusal_left_a_record() {
    let project = Project::with_rows(600);
    let good = project.read(CUSTOMERS);
    let (head, rows) = good.split_once('\n').unwrap();
    let bad = format!("{head}\n{}", rows.replacen("-", "–", 1));
    assert_ne!(bad, good);
    project.write(CUSTOMERS, bad);
    let regex = json!({"type": "expect_column_values_to_match_regex",
        "kwargs": {"column": "customerID", "regex": "^[0-9]+-[A-Z]+$"}});
    project.write(SUITE, suite(&json!([regex])));
    with_suite(&project);
    assert_eq!(project.call(&["run"]).status.code(), Some(3));
    let runs = project.json(&["runs", "list"]);
    let run = runs["runs"][0]["run"].as_str().unwrap_or_else(|| panic!("{runs:#}")).to_owned();
    let shown = project.json(&["runs", "show", &run]);
    assert_eq!(shown["metrics"]["expectations_met"].as_f64(), Some(0.0), "{shown:#}");
    assert!(shown["artifacts"].to_string().contains("validation.json"), "{shown:#}");
    assert_eq!(project.call(&["resume"]).status.code(), Some(3), "nothing was mended");
    project.write(CUSTOMERS, good);
    let resumed = project.call(&["resume", &run]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    assert!(project.call(&["verify", &run]).status.success());
}

#[test]
fn any_file_is_held_against_a_suite_and_one_without_a_project_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("days.csv"), "day,visitors\n2026-01-01,3\n2026-01-02,\n").unwrap();
    let expectations = json!([
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "visitors", "mostly": 0.5}},
        {"type": "expect_column_max_to_be_between",
    "kwargs": {"column": "day", "min_value": {"$PARAMETER": "now() - timedelta(days=36500)"}}},
        {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "day", "strictly": true}},
    ]);
    fs::write(path("days.json"), suite(&expectations)).unwrap();
    let output = crate::trainyard(&["data", "validate", &path("days.csv"), "--suite", &path("days.json")]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("3 of 3 expectations met"), "{said}");
}
