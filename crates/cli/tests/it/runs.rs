//! Runs as history: found by filters and by SQL, compared, and taken along as MLflow's plain folder.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::project::{Project, run_of};
use crate::text;

/// A project with two runs of two models, the first one promoted.
fn two() -> (Project, String, String) {
    let project = Project::new();
    let first = run_of(&project.run()).to_owned();
    let model = project.read("versions/models/v1.yaml");
    project.write("versions/models/v2.yaml", model.replace("C: 1", "C: 0.5"));
    let second = project.json(&["run", "--model", "2"]);
    let second = run_of(&second).to_owned();
    (project, first, second)
}

fn ids(document: &Value) -> Vec<&str> {
    document["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect()
}

#[test]
fn runs_are_found_compared_and_asked_for_by_sql() {
    let (project, first, second) = two();
    let before = project.read("versions/lock.yaml");
    // Found by a filter.
    let filter = "metrics.reference_roc_auc > 0.5 and params.model_version = '1' and status = 'finished'";
    let found = project.json(&["runs", "list", "--where", filter, "--order-by", "metrics.reference_roc_auc desc"]);
    assert_eq!(ids(&found), [first.as_str()]);
    let shown = text(&project.call(&["runs", "list", "--where", filter]).stdout);
    assert!(shown.contains("reference_roc_auc   model_version"), "{shown}");
    let output = project.call(&["runs", "list", "--where", "metrics.reference_rocauc > 0.5"]);
    assert!(text(&output.stdout).starts_with("No run meets the filter."), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("did you mean `reference_roc_auc`?"), "{}", text(&output.stderr));
    let csv = text(&project.call(&["runs", "list", "--csv"]).stdout);
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows.len() == 3 && rows[0].starts_with("run_id,experiment_name,name,status,start_ms,"), "{csv}");
    assert!(rows[1].starts_with(&second) && rows[2].starts_with(&first), "{csv}");

    // Asked for by the query of the guide.
    let query = "-- Query training history\nSELECT \n    experiment_name,\n    run_id,\n    metric_name,\n    metric_value,\n    timestamp\n\
                 FROM mlflow_metrics \nWHERE experiment_name = 'churn'\nORDER BY timestamp DESC;\n";
    project.write("history.sql", query);
    let answer = project.json(&["runs", "sql", "--file", project.path("history.sql").to_str().unwrap()]);
    let rows = answer["rows"].as_array().unwrap();
    let auc = |run: &str| {
        let of = |row: &&Value| row["run_id"] == run && row["metric_name"] == "reference_roc_auc";
        rows.iter().find(of).unwrap()["metric_value"].clone()
    };
    let record = project.json(&["runs", "show", &first]);
    assert_eq!(auc(&first), record["metrics"]["reference_roc_auc"]);
    let output = project.path("rows.parquet");
    project.json(&["runs", "sql", query, "--output", output.to_str().unwrap()]);
    if let Some(judge) = trainyard_judges::python("core") {
        let script = "import pandas\nframe = pandas.read_parquet(data)\n\
                      answer = [list(frame.columns), len(frame), str(frame['metric_value'].dtype)]";
        let columns = ["experiment_name", "run_id", "metric_name", "metric_value", "timestamp"];
        assert_eq!(judge.run(script, &json!(output)), json!([columns, rows.len(), "float64"]));
    }
    for ending in ["csv", "json", "jsonl"] {
        let file = project.path(&format!("rows.{ending}"));
        project.json(&["runs", "sql", query, "--output", file.to_str().unwrap()]);
        let held = fs::read_to_string(&file).unwrap();
        let found = match ending {
            "json" => serde_json::from_str::<Value>(&held).unwrap().as_array().unwrap().len(),
            "csv" => held.lines().count() - 1,
            _ => held.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(),
        };
        assert_eq!(found, rows.len(), "{ending}");
    }

    // Compared.
    let compared = project.json(&["runs", "compare", &first, &second]);
    assert_eq!(compared["runs"], json!([first, second]));
    let of = |part: &str, name: &str| {
        let all = compared[part].as_array().unwrap();
        all.iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name}: {compared}")).clone()
    };
    assert_eq!(of("params", "model_version")["values"], json!(["1", "2"]));
    assert_eq!(compared["params"][0]["differs"], json!(true));
    let auc = of("metrics", "reference_roc_auc");
    let [low, high] = [0, 1].map(|end| auc["intervals"][0][end].as_f64().unwrap());
    assert!(low < auc["values"][0].as_f64().unwrap() && auc["values"][0].as_f64().unwrap() < high, "{auc}");
    assert_eq!(of("inputs", "master")["differs"], json!(false));
    assert_eq!(of("code", "step train")["differs"], json!(false));
    let three = text(&project.call(&["runs", "compare", &first, &second, &first]).stdout);
    assert!(three.contains("Parameters that differ") && three.contains("The same in all"), "{three}");
    assert_eq!(project.read("versions/lock.yaml"), before);
}

#[test]
fn a_query_comes_from_the_standard_input_and_one_without_end_obeys_an_interrupt() {
    let project = Project::new();
    let mut command = project.command(&["runs", "sql", "-", "--csv"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"SELECT 1 AS a, NULL AS b, '' AS c, 'x,y' AS d")
        .unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), "a,b,c,d\n1,,\"\",\"x,y\"\n");

    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let child = project.command(&["runs", "sql", endless]).stderr(Stdio::piped()).spawn().unwrap();
    // Its processor time shows that it is at work.
    let stat = format!("/proc/{}/stat", child.id());
    let begun = Instant::now();
    let worked = || fs::read_to_string(&stat).unwrap().split(' ').nth(13).unwrap().parse::<u64>().unwrap();
    while worked() < 10 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr).lines().next()),
        (Some(130), Some("Interrupted. Nothing was run."))
    );
}

#[test]
fn a_model_that_left_as_mlruns_predicts_the_same() {
    let (project, first, _) = two();
    let folder = project.path("mlruns");
    let done = project.json(&["export", "--to", folder.to_str().unwrap()]);
    assert_eq!((&done["runs"], &done["models"]), (&json!(2), &json!(1)));
    let Some(judge) = trainyard_judges::python("tracking") else { return };
    let predicted = project.json(&["predict", "--model", "churn-predictor/1", "--input", "data/raw/customers.csv"]);
    let script = r#"
import os
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
import mlflow, pandas
mlflow.set_tracking_uri("file://" + data["folder"])
rows = pandas.read_csv(data["rows"]).head(50)
model = mlflow.pyfunc.load_model("models:/churn-predictor/1")
inputs = model.metadata.get_input_schema()
given = pandas.DataFrame({column.name: rows[column.name].astype(column.type) for column in inputs})
run = mlflow.MlflowClient().get_run(data["run"])
answer = [run.info.status, run.data.metrics["reference_roc_auc"], model.predict(given)["probabilities"][:, 1].tolist()]
"#;
    let asked = json!({"folder": folder, "run": first, "rows": project.path("data/raw/customers.csv")});
    let read = judge.run(script, &asked);
    let record = project.json(&["runs", "show", &first]);
    assert_eq!([&read[0], &read[1]], [&json!("FINISHED"), &record["metrics"]["reference_roc_auc"]]);
    let ours = predicted["predictions"].as_array().unwrap();
    let theirs = read[2].as_array().unwrap();
    assert_eq!(theirs.len(), 50);
    for (ours, theirs) in ours.iter().zip(theirs) {
        let [one, other] = [&ours["probability"], theirs].map(|value| value.as_f64().unwrap());
        assert!((one - other).abs() < 1e-5, "{one} and {other}");
    }
}
