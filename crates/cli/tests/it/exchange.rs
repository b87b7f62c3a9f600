//! A project's runs and models brought to a real MLflow server and fetched from it by commands.

use std::fs;

use serde_json::{Value, json};
use trainyard_judges::{Mlflow, Reply, Web, mlflow};

use crate::mlflow::PREDICTED;
use crate::project::Project;
use crate::text;

const REGISTERED: &str = r#"
found = client.search_model_versions(f"name='{given}'")
answer = {"versions": [[int(v.version), v.current_stage, v.tags.get("trainyard.run")]
                       for v in sorted(found, key=lambda v: int(v.version))],
          "aliases": {a: int(v) for a, v in client.get_registered_model(given).aliases.items()}}
"#;

/// Counts what the official client finds of our runs in an experiment.
const COUNTED: &str = r#"
experiment = client.get_experiment_by_name(given)
runs = client.search_runs([experiment.experiment_id], max_results=1000)
answer = {r.data.tags["trainyard.run"]: {
    "status": r.info.status, "params": r.data.params, "metrics": {k: number(v) for k, v in r.data.metrics.items()},
    "values": sum(len(client.get_metric_history(r.info.run_id, k)) for k in r.data.metrics),
    "files": sorted(f.path for f in client.list_artifacts(r.info.run_id))} for r in runs}
answer = answer if len(answer) == len(runs) else "a run is there twice"
"#;

fn names(value: &Value) -> Vec<String> {
    let mut names: Vec<String> =
        value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Starting a server takes many seconds: all is asked of one.
#[test]
fn a_project_moves_to_a_server_and_from_it_by_two_commands() {
    let Some(mut server) = mlflow() else { return };
    let (project, runs) = there(&mut server);
    back(&project, &runs, &server);
    server.kill();
    let output = project.call(&["export", "--to", &server.url()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("tracking/server-unreachable"), "{said}");
    server.start();
    assert_eq!(project.json(&["export", "--to", &server.url()])["runs"]["made"], json!([]));
}

fn there(server: &mut Mlflow) -> (Project, Vec<String>) {
    let project = Project::new();
    let first = project.run()["run"].as_str().unwrap().to_owned();
    project.write(
        "versions/models/v2.yaml",
        project.read("versions/models/v1.yaml").replace("n_estimators: 100", "n_estimators: 60"),
    );
    let second = project.json(&["run", "--model", "2"])["run"].as_str().unwrap().to_owned();
    project.json(&[
        "models",
        "promote",
        "churn-predictor/1",
        "--to",
        "Production",
        "--force",
        "--reason",
        "a good week",
    ]);
    let sent = project.json(&["export", "--to", &server.url()]);
    let mut expected = vec![first.clone(), second.clone()];
    expected.sort();
    assert_eq!(names(&sent["runs"]["made"]), expected, "{sent}");
    let found = server.ask(COUNTED, &json!("churn"));
    for run in &expected {
        let shown = project.json(&["runs", "show", run]);
        assert_eq!(found[run]["status"], "FINISHED");
        assert_eq!(found[run]["params"], shown["params"]);
        assert_eq!(found[run]["metrics"], shown["metrics"]);
        assert!(found[run]["files"].as_array().unwrap().contains(&json!("evaluation.json")), "{found}");
        assert!(shown["pages"][0].as_str().unwrap().starts_with(&server.url()), "{shown}");
    }
    // The registry stands there as here, and its models predict the same.
    let standing = server.ask(REGISTERED, &json!("churn-predictor"));
    let here = project.json(&["models", "show", "churn-predictor"]);
    for version in here["versions"].as_array().unwrap() {
        let told = json!([version["version"], version["stage"], version["run"]]);
        assert!(standing["versions"].as_array().unwrap().contains(&told), "{standing}\n{here}");
    }
    assert_eq!(standing["aliases"]["champion"], 1, "{standing}");
    project.customers(40, 11, "data/new.csv");
    let uris = ["models:/churn-predictor@champion", "models:/churn-predictor/Production"];
    let predicted = server.ask(PREDICTED, &json!({ "rows": project.path("data/new.csv"), "models": uris }));
    let ours = project.json(&["predict", "--model", "churn-predictor@champion", "--input", "data/new.csv"]);
    let ours = ours["predictions"].as_array().unwrap().iter().map(|row| row["probability"].as_f64().unwrap());
    let ours: Vec<f64> = ours.collect();
    for uri in uris {
        let theirs: Vec<f64> = serde_json::from_value(predicted[uri].clone()).unwrap();
        assert_eq!(theirs.len(), 40);
        let far = ours.iter().zip(&theirs).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        assert!(far < 1e-6, "{uri}: {far}");
    }
    // Again tells nothing, and says so.
    let output = project.call(&["export", "--to", &server.url()]);
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("new       no run") && said.contains("no new version"), "{said}");
    assert_eq!(server.ask(COUNTED, &json!("churn")), found);
    // One more, alone.
    let third = project.run()["run"].as_str().unwrap().to_owned();
    let sent = project.json(&["export", "--to", &server.url(), &third]);
    assert_eq!(names(&sent["runs"]["made"]), std::slice::from_ref(&third));
    project.json(&["models", "audit"]);
    expected.push(third);
    expected.sort();
    (project, expected)
}

fn back(project: &Project, runs: &[String], server: &Mlflow) {
    let other = Project::new();
    let fetched = other.json(&["import", &server.url(), "--experiment", "churn"]);
    let mut brought: Vec<String> =
        fetched["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect();
    brought.sort();
    assert_eq!(brought, runs, "{fetched}");
    for run in runs {
        let (here, there) = (project.json(&["runs", "show", run]), other.json(&["runs", "show", run]));
        for part in ["params", "metrics", "inputs", "artifacts", "status", "started_ms", "ended_ms", "experiment"] {
            assert_eq!(there[part], here[part], "{run}: {part}");
        }
    }
    let histories = "SELECT run_id, key, step, value FROM metrics ORDER BY run_id, key, step";
    assert_eq!(other.json(&["runs", "sql", histories]), project.json(&["runs", "sql", histories]));
    let listed = other.json(&["runs", "list", "--where", "params.model_version = '2'"]);
    assert_eq!(listed["runs"].as_array().unwrap().len(), 1, "{listed}");
    // It is no run of this project: nothing of it can be gone on with.
    let output = other.call(&["resume"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    for arguments in [&["verify", &runs[0]][..], &["resume", &runs[0]], &["lineage", &runs[0]]] {
        let said = text(&other.call(arguments).stderr);
        assert!(said.contains("run/imported") && said.contains(&server.url()), "{said}");
    }
    // A run of its own follows as if nothing had come.
    assert_eq!(other.run()["decision"], "promoted");
    let said = text(&other.call(&["import", &server.url(), "--experiment", "churn"]).stdout);
    assert!(said.starts_with("0 runs brought") && said.contains("as before 3 runs"), "{said}");
}

#[test]
fn what_can_be_no_exchange_is_told() {
    let project = Project::new();
    let refused = |arguments: &[&str]| {
        let output = project.call(&[arguments, &["--json"]].concat());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), document["error"][0]["code"].as_str().unwrap_or_default().to_owned())
    };
    let strange = Web::new(|_| Reply::status(404).body(b"<html><h1>Welcome</h1></html>"));
    let closed = Web::new(|_| Reply::status(401).body(b"{\"error_code\": \"UNAUTHENTICATED\", \"message\": \"who?\"}"));
    assert_eq!(refused(&["import", &strange.url()]), (1, "tracking/not-mlflow".to_owned()));
    assert_eq!(refused(&["import", &closed.url()]), (1, "tracking/server-denied".to_owned()));
    assert_eq!(refused(&["import", "http://"]), (1, "tracking/server-settings".to_owned()));
    assert_eq!(refused(&["export", "--to", &strange.url()]), (1, "export/no-run".to_owned()));
    assert!(!fs::exists(project.path(".trainyard/runs")).unwrap());
}
