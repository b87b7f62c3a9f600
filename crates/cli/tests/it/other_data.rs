//! Projects made from other tables, and predictions.

use serde_json::Value;

use crate::project::{Project, synthesise};
use crate::{text, trainyard};

#[test]
fn an_initialised_project_runs_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (table, project) = (folder.path().join("customers.csv"), folder.path().join("project"));
    synthesise(&table, 1500, 7);
    let (table, project) = (table.to_str().unwrap(), project.to_str().unwrap());
    let output = trainyard(&["init", project, "--from", table, "--target", "Churn"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = trainyard(&["run", project]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // What is there is never overwritten.
    let output = trainyard(&["init", project, "--from", table, "--target", "Churn"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}

#[test]
fn a_regression_on_the_californian_houses_runs() {
    let Some(table) = trainyard_judges::shared("data/california_housing/housing.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("houses");
    let project = project.to_str().unwrap();
    let output = trainyard(&["init", project, "--from", table.to_str().unwrap(), "--target", "median_house_value"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = trainyard(&["run", project, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(result["metrics"]["reference"]["r2"].as_f64().unwrap() > 0.8, "{}", result["metrics"]);
}

#[test]
fn the_real_telco_file_is_promoted() {
    let Some(table) = trainyard_judges::shared("data/telco_churn/customers.csv") else { return };
    let result = Project::new().json(&["run", "--set", &format!("data.source={}", table.display())]);
    assert_eq!((&result["decision"], &result["reference_rows"]), (&"promoted".into(), &1409.into()));
}

#[test]
fn predictions_are_the_same_from_csv_and_from_parquet_and_by_every_name_of_the_model() {
    let project = Project::new();
    project.run();
    let predicted = |model: &str, input: &str| {
        project.customers(200, 11, input);
        let output = project.call(&["predict", "--model", model, "--input", input, "--output", "out.csv"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        project.read("out.csv")
    };
    let first = predicted("churn-predictor@challenger", "new.csv");
    assert_eq!(first.lines().count(), 201);
    assert_eq!(predicted("churn-predictor/1", "new.parquet"), first);
    let output = project.call(&["predict", "--model", "churn-predictor@champoin", "--input", "new.csv"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("challenger"), "{}", text(&output.stderr));
}
