//! Splits by group and by time, without validation and without a key, from rows to a decision.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::project::{CUSTOMERS, Project};
use crate::{text, trainyard};

const SPLIT: &str = "versions/splits/v1.yaml";
const MODEL: &str = "versions/models/v1.yaml";

/// Copies the bike example and runs it on `source`.
fn bike(folder: &Path, source: &Path) -> Value {
    let example = trainyard_judges::repository().join("examples/bike");
    for file in ["trainyard.yaml", "versions/splits/v1.yaml", "versions/features/v1.yaml", "versions/models/v1.yaml"] {
        let target = folder.join(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(example.join(file), target).unwrap();
    }
    let (folder, source) = (folder.to_str().unwrap(), format!("data.source={}", source.display()));
    let output = trainyard(&["run", folder, "--set", &source, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_bike_example_holds_its_own_data_and_reaches_its_gates() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("hours.csv");
    let output = trainyard(&["synth", "bike", "--rows", "8760", "--seed", "1", "--output", made.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let kept = trainyard_judges::repository().join("examples/bike/data/raw/hours.csv");
    assert_eq!(fs::read(&made).unwrap(), fs::read(kept).unwrap());
    let result = bike(folder.path(), &made);
    assert_eq!(result["decision"], "promoted", "{result:#}");
}

#[test]
fn the_bike_example_runs_on_the_real_hours() {
    let Some(real) = trainyard_judges::shared("data/bike_sharing/hour.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let result = bike(folder.path(), &real);
    assert_eq!(result["decision"], "promoted", "{result:#}");
}

#[test]
fn without_validation_and_without_a_key_one_candidate_or_several_are_decided() {
    for candidates in ["", "  small: {estimator: gradient_boosting, max_iter: 10}\n"] {
        let project = Project::with_rows(600);
        project.edit("trainyard.yaml", "  key: customerID ", "  drop: [customerID] ");
        project.edit(SPLIT, "train: 0.6, validation: 0.2,", "train: 0.8,");
        project.edit(MODEL, "candidates:\n", &format!("candidates:\n{candidates}"));
        let result = project.run();
        assert!(result["metrics"]["reference"]["roc_auc"].as_f64().unwrap() > 0.7, "{result:#}");
        assert!(!project.path("data/splits/v1/validation.parquet").exists());
    }
}

#[test]
fn a_run_by_time_goes_on_as_the_data_grows_and_can_be_repeated() {
    let project = Project::with_rows(900);
    let table = project.read(CUSTOMERS);
    let with_day = |(row, line): (usize, &str)| match row {
        0 => format!("day,{line}\n"),
        _ => format!("2024-{:02}-{:02},{line}\n", 1 + row / 100, 1 + row % 28),
    };
    let lines: Vec<String> = table.lines().enumerate().map(with_day).collect();
    project.write(CUSTOMERS, lines[..800].concat());
    project.write(SPLIT, "by_time: day\nshares: {train: 0.6, validation: 0.2, reference_test: 0.2}\n");
    project.run();
    project.write(CUSTOMERS, lines.concat());
    let output = project.call(&["run"]);
    assert!(text(&output.stderr).contains("split/later-rows"), "{}", text(&output.stderr));
    let run = project.run()["run"].as_str().unwrap().to_owned();
    assert!(project.call(&["verify", &run]).status.success());
}
