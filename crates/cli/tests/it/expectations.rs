//! Expectations: a suite from the data, a run that it lets through, warns of or ends, and any file held against it.

use std::fs;

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project, steps};
use crate::{text, trainyard};

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
    // A result that is cached warns of the same.
    let again = project.call(&["run", "--json"]);
    let result: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(steps(&result, "cached")[2], "validate");
    assert_eq!((&result["validation"]["warnings"], &result["validation"]["met"]), (&json!(1), &json!(0)));
    assert_eq!(result["warnings"][0]["code"], "expectations/not-met");
    assert!(text(&again.stderr).contains("max_value 1"), "{}", text(&again.stderr));
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
    let output = trainyard(&["data", "validate", &path("days.csv"), "--suite", &path("days.json")]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("3 of 3 expectations met"), "{said}");
}

#[test]
fn columns_of_parquet_that_pass_by_are_judged_as_those_that_are_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let files = [path("rows.csv"), path("rows.parquet")];
    for file in &files {
        let made = trainyard(&["synth", "churn", "--rows", "20000", "--seed", "1", "--output", file]);
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    assert!(trainyard(&["data", "validate", "init", &files[0], "--out", &path("suite.json")]).status.success());
    let both = |code: i32| {
        let held = [0, 1].map(|at| {
            let output = trainyard(&["data", "validate", &files[at], "--suite", &path("suite.json"), "--json"]);
            assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).unwrap()
        });
        assert_eq!(held[0], held[1]);
        held[0].clone()
    };
    let met = both(0);
    assert!(met["results"].as_array().unwrap().len() > 20, "{met:#}");
    // One that is not met by a few rows takes the whole column, and names them.
    let few = json!({"type": "expect_column_values_to_be_between", "kwargs": {"column": "tenure", "max_value": 70}});
    fs::write(path("suite.json"), suite(&json!([few]))).unwrap();
    let result = &both(3)["results"][0]["result"];
    assert!(result["unexpected_count"].as_u64().unwrap() > 0, "{result:#}");
    assert_eq!(result["partial_unexpected_index_list"].as_array().unwrap().len(), 20);
}

#[test]
fn a_file_is_read_as_the_project_reads_its_own_and_commands_fit_where_they_are_typed() {
    let project = Project::with_rows(300);
    let head = project.read(CUSTOMERS).lines().next().unwrap().to_owned();
    let place = head.split(',').position(|name| name == "tenure").unwrap();
    let unknown = |line: &str| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells[place] = "not told";
        cells.join(",")
    };
    let source = project.read(CUSTOMERS);
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    lines[7] = unknown(&lines[7]);
    project.write(CUSTOMERS, lines.join("\n") + "\n");
    project.edit("trainyard.yaml", "data:\n", "data:\n  missing: [not told]\n");
    let number =
        json!({"type": "expect_column_values_to_be_of_type", "kwargs": {"column": "tenure", "type_": "int64"}});
    let low = json!({"type": "expect_column_max_to_be_between", "kwargs": {"column": "tenure", "max_value": 1}});
    project.write(SUITE, suite(&json!([number])));
    let held = project.call(&["data", "validate", CUSTOMERS, "--suite", SUITE]);
    assert_eq!(held.status.code(), Some(0), "{}{}", text(&held.stdout), text(&held.stderr));
    // Without the project the words make it a column of texts.
    let path = |file: &str| project.path(file).to_str().unwrap().to_owned();
    let (table, suite_file, root) = (path(CUSTOMERS), path(SUITE), path("").trim_end_matches('/').to_owned());
    let outside = trainyard(&["data", "validate", &table, "--suite", &suite_file]);
    assert_eq!(outside.status.code(), Some(3), "{}", text(&outside.stdout));
    let named = trainyard(&["data", "validate", &table, "--suite", &suite_file, "--project", &root]);
    assert_eq!(named.status.code(), Some(0), "{}", text(&named.stderr));
    // What a run from elsewhere advises can be typed there.
    project.write(SUITE, suite(&json!([low])));
    with_suite(&project);
    let refused = trainyard(&["run", &root]);
    let said = text(&refused.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    let advised = format!("trainyard data validate {table} --suite {suite_file} --project {root}");
    assert!(said.contains(&advised), "{said}\n{advised}");
    let words: Vec<&str> = advised.split(' ').skip(1).collect();
    assert_eq!(trainyard(&words).status.code(), Some(3));
}

#[test]
fn freshness_is_judged_every_run_and_repeated_as_it_was() {
    let project = Project::with_rows(400);
    let source = project.read(CUSTOMERS);
    let stamped = |day: &str| {
        let mut lines = source.lines();
        let head = lines.next().unwrap();
        let rows: String = lines.map(|line| format!("{line},{day}\n")).collect();
        format!("{head},loaded\n{rows}")
    };
    project.write(CUSTOMERS, stamped("2026-01-30"));
    let fresh = json!({"type": "expect_column_max_to_be_between",
        "kwargs": {"column": "loaded", "min_value": {"$PARAMETER": "now() - timedelta(days=1)"}}});
    project.write(SUITE, suite(&json!([fresh])));
    with_suite(&project);
    let result = project.json(&["run", "--as-of", "2026-01-31"]);
    let run = result["run"].as_str().unwrap().to_owned();
    assert_eq!(result["validation"]["as_of"], "2026-01-31T00:00:00");
    assert!(result["again"].as_str().unwrap().ends_with(" --as-of 2026-01-31T00:00:00"), "{}", result["again"]);
    // However often, and whenever: no stored result stands for it.
    let again = project.json(&["run", "--as-of", "2026-01-31T00:00:00"]);
    let ran = steps(&again, "ran");
    assert_eq!((ran[0].as_str(), ran.contains(&"split".to_owned())), ("validate", false), "{ran:?}");
    let planned = project.json(&["plan"]);
    assert_eq!(planned["steps"][2]["reasons"][0], "its expectations ask for the time, so it always runs");
    let stale = project.call(&["run", "--as-of", "2026-02-01T00:00:01Z"]);
    assert_eq!(stale.status.code(), Some(3), "{}", text(&stale.stderr));
    assert_eq!(project.call(&["run"]).status.code(), Some(3), "today it is old");
    let verified = project.call(&["verify", &run]);
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    // A run that goes on takes for now what it took when it began.
    project.json(&["step", "resolve", "--run", "nightly", "--as-of", "2026-01-31"]);
    for step in ["ingest", "validate"] {
        project.json(&["step", step, "--run", "nightly"]);
    }
    project.json(&["step", "resolve", "--run", "weekly", "--as-of", "2026-03-01"]);
    assert_eq!(project.call(&["resume", "weekly"]).status.code(), Some(3));
    project.write(CUSTOMERS, stamped("2026-02-28"));
    let resumed = project.json(&["resume", "weekly"]);
    assert_eq!(resumed["validation"]["as_of"], "2026-03-01T00:00:00");
    let wrong = project.call(&["run", "--as-of", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
}
