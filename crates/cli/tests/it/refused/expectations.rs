//! What is wrong with a suite of expectations, or with data that is held against one.

use super::{Case, PROJECT};
use crate::project::Project;

const SUITE: &str = "expectations/customers.json";

/// Has the project's data held against a suite.
fn suite(project: &Project, text: &str) {
    project.write(SUITE, text);
    project.write(PROJECT, project.read(PROJECT) + "validate: {suite: expectations/customers.json}\n");
}

/// Has it held against one expectation.
fn expect(project: &Project, expectation: &str) {
    let text = format!("{{\n  \"name\": \"customers\",\n  \"expectations\": [\n    {expectation}\n  ]\n}}\n");
    suite(project, &text);
}

const VALIDATE: &[&str] = &["data", "validate", "data/raw/customers.csv", "--suite", SUITE];

pub(super) const CASES: &[Case] = &[
    (
        "expectations not met",
        |project| {
            let contract = concat!(
                r#"{"type": "expect_column_values_to_be_in_set", "#,
                r#""kwargs": {"column": "Contract", "value_set": ["One year", "Two year"]}},"#
            );
            let tenure =
                r#"{"type": "expect_column_max_to_be_between", "kwargs": {"column": "tenure", "max_value": 50}},"#;
            let absent = r#"{"type": "expect_column_to_exist", "kwargs": {"column": "Region"}}"#;
            expect(project, &format!("{contract}\n    {tenure}\n    {absent}"));
        },
        &["run"],
    ),
    (
        "suite absent",
        |project| project.write(PROJECT, project.read(PROJECT) + "validate: {suite: expectations/customers.json}\n"),
        &["run"],
    ),
    ("suite for data absent", |_| {}, VALIDATE),
    ("suite with a mark", |project| suite(project, "\u{feff}{\"name\": \"customers\"}\n"), &["run"]),
    ("suite no json", |project| suite(project, "{\"name\": 'customers'}\n"), &["run"]),
    ("suite of another form", |project| suite(project, "[{\"type\": \"expect_column_to_exist\"}]\n"), &["run"]),
    ("suite empty", |project| suite(project, "{\"name\": \"customers\", \"expectations\": []}\n"), &["check"]),
    (
        "suite with an unknown key",
        |project| {
            suite(
                project,
                concat!(
                    "{\"name\": \"c\", \"expectation\": [], \"expectations\": [\n",
                    "  {\"type\": \"expect_column_to_exist\", \"kwargs\": {\"column\": \"tenure\"}}]}\n"
                ),
            )
        },
        &["run"],
    ),
    (
        "expectation unknown",
        |project| expect(project, r#"{"type": "expect_column_values_to_be_betwen", "kwargs": {"column": "tenure"}}"#),
        &["run"],
    ),
    (
        "expectation argument unknown",
        |project| {
            expect(
                project,
                r#"{"type": "expect_column_values_to_be_between", "kwargs": {"column": "tenure", "max": 72}}"#,
            )
        },
        &["run"],
    ),
    (
        "expectation argument missing",
        |project| expect(project, r#"{"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "Contract"}}"#),
        &["run"],
    ),
    (
        "expectation argument wrong",
        |project| {
            let wrong =
                r#"{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "tenure", "mostly": 95}}"#;
            expect(project, wrong);
        },
        &["run"],
    ),
    (
        "expectation pattern wrong",
        |project| {
            let wrong = concat!(
                r#"{"type": "expect_column_values_to_match_regex", "#,
                r#""kwargs": {"column": "customerID", "regex": "^[A-Z"}}"#
            );
            expect(project, wrong);
        },
        &["run"],
    ),
    (
        "expectation schema wrong",
        |project| {
            let wrong = concat!(
                r#"{"type": "expect_column_values_to_match_json_schema", "#,
                r#""kwargs": {"column": "Contract", "json_schema": {"minContain": 2}}}"#
            );
            expect(project, wrong);
        },
        &["run"],
    ),
    (
        "expectation condition wrong",
        |project| {
            let wrong = concat!(
                r#"{"type": "expect_column_values_to_not_be_null", "#,
                r#""kwargs": {"column": "tenure", "row_condition": "tenure >", "condition_parser": "pandas"}}"#
            );
            expect(project, wrong);
        },
        &["run"],
    ),
    (
        "expectation severity unknown",
        |project| {
            expect(
                project,
                r#"{"type": "expect_column_to_exist", "kwargs": {"column": "tenure"}, "severity": "error"}"#,
            )
        },
        &["run"],
    ),
    (
        "suite there already",
        |project| project.write(SUITE, "{}"),
        &["data", "validate", "init", "data/raw/customers.csv"],
    ),
    (
        "suite in no folder",
        |project| project.write("expectations", "a file"),
        &["data", "validate", "init", "data/raw/customers.csv"],
    ),
];
