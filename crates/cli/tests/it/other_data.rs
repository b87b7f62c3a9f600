//! Projects made from other tables, and predictions.

use serde_json::Value;

use crate::project::{CUSTOMERS, Project, synthesise};
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
fn a_project_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("rows: #1.csv");
    let label = |row: usize| if row * 37 % 101 > 50 { "a: b" } else { "- no" };
    let rows: String = (0..400).map(|row| format!("{row},{},{}\n", row * 37 % 101, label(row))).collect();
    std::fs::write(&table, format!("key,a: b # c,it's\n{rows}")).unwrap();
    for name in ["2024", "no", "on", "_x", "Zoë 1", "a: b", "-x"] {
        let project = folder.path().join("in").join(name);
        let project = project.to_str().unwrap();
        let output = trainyard(&["init", project, "--from", table.to_str().unwrap(), "--target", "it's"]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let output = trainyard(&["run", project]);
        assert!([Some(0), Some(3)].contains(&output.status.code()), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn a_table_that_gives_no_features_makes_no_project() {
    let folder = tempfile::tempdir().unwrap();
    for (table, target, code) in [
        ("data/sms_spam/messages.tsv", "ham", "init/no-features"),
        ("data/adult/adult.csv", "native-country", "init/task"),
        ("data/telco_churn/customers.csv", "Chrun", "init/unknown-column"),
    ] {
        let Some(table) = trainyard_judges::shared(table) else { return };
        let project = folder.path().join("project");
        let output =
            trainyard(&["init", project.to_str().unwrap(), "--from", table.to_str().unwrap(), "--target", target]);
        assert_eq!(output.status.code(), Some(1), "{target}");
        assert!(text(&output.stderr).contains(code), "{}", text(&output.stderr));
        assert!(!project.exists(), "something was written");
    }
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
fn a_table_that_pandas_wrote_is_master_data() {
    let Some(python) = trainyard_judges::python("core") else { return };
    let project = Project::with_rows(800);
    let (from, to) = (project.path(CUSTOMERS), project.path("data/raw/customers.parquet"));
    let script = "import pandas\npandas.read_csv(data['from']).to_parquet(data['to'])\nanswer = True";
    python.run(script, &serde_json::json!({ "from": from, "to": to }));
    let output = project.call(&["run", "--set", "data.source=data/raw/customers.parquet"]);
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", text(&output.stderr));
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

#[test]
fn what_cannot_be_predicted_is_explained_and_nothing_is_written() {
    let project = Project::new();
    project.run();
    let model = ["predict", "--model", "churn-predictor/1"];
    let refused = |arguments: &[&str], expected: &str| {
        let output = project.call(&[&model[..], arguments].concat());
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(expected), "{said}");
    };
    refused(&["--input", "nosuch.parquet"], "--input FILE");
    refused(&["--input", CUSTOMERS, "--output", "absent/out.csv"], "there is no folder absent");
    assert!(!project.path("absent").exists());
    project.write("narrow.csv", "customerID,tenure\na,1\n");
    refused(&["--input", "narrow.csv"], "columns that the features need");
}
