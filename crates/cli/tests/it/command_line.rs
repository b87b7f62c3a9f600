//! Wrong command lines: exit code 2, a message on stderr, or one document with `--json`.

use crate::{text, trainyard};

const WRONG: &[&[&str]] = &[
    &[],
    &["rnu"],
    &["run", "--sed", "1"],
    &["run", "a", "b"],
    &["run", "a", "--project", "b"],
    &["run", "--set", "no-equals-sign"],
    &["run", "--threads", "0"],
    &["run", "--split", "one"],
    &["run", "-q", "-v"],
    &["check", "--color", "sometimes"],
    &["step", "train"],
    &["why"],
    &["verify"],
    &["verify", "x", "--at", "0"],
    &["runs"],
    &["runs", "list", "--status", "asleep"],
    &["runs", "compare", "a"],
    &["models"],
    &["init", "folder"],
    &["synth"],
    &["synth", "churn"],
    &["synth", "churn", "--output", "x.csv", "--rows", "0"],
    &["synth", "churn", "--output", "x.xyz"],
    &["synth", "classification", "--output", "x.csv", "--balance", "1"],
    &["synth", "regression", "--output", "x.csv", "--features", "3", "--informative", "4"],
    &["data", "profile", "sqlite:///shop.db"],
    &["data", "profile", "sqlite:///shop.db", "--table", "customers", "--query", "SELECT 1"],
    &["data", "drift", "june.csv", "july.csv", "--table", "customers"],
    &["predict", "--model", "churn"],
    &["predict", "--model", "churn", "--input", "x.csv", "--output", "x.xls"],
];

#[test]
fn wrong_command_lines_exit_with_2_and_leave_stdout_empty() {
    for arguments in WRONG {
        let output = trainyard(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn with_json_a_wrong_command_line_is_one_document() {
    for arguments in WRONG.iter().filter(|arguments| !arguments.is_empty()) {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let output = trainyard(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert_eq!(document["exit"], 2, "{arguments:?}");
        assert!(document["error"][0]["title"].as_str().is_some_and(|title| !title.is_empty()), "{document}");
    }
}

#[test]
fn the_version_goes_to_stdout() {
    let output = trainyard(&["--version"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "trainyard 0.1.0\n".to_owned()));
}

#[test]
fn a_document_for_a_wrong_command_line_holds_all_that_is_said() {
    let output = trainyard(&["runs", "show", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = document.to_string();
    assert!(said.contains("<RUN>") && said.contains("Usage: trainyard runs show"), "{said}");
    assert_eq!(trainyard(&["runs", "list", "--limit", "0"]).status.code(), Some(2));
}
