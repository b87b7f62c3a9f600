//! A project whose runs and models are on a real MLflow server, read back with its official client.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_judges::{Mlflow, Reply, Web, mlflow};

use crate::project::{CUSTOMERS, Project};
use crate::text;

/// Gives what the official client finds of our runs: the newest first.
const RUNS: &str = r#"
experiment = client.get_experiment_by_name(given["experiment"])
runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"]) if experiment else []
answer = [{"run": r.data.tags.get("trainyard.run"), "status": r.info.status, "tags": r.data.tags, "params": r.data.params,
           "metrics": {k: number(v) for k, v in r.data.metrics.items()},
           "inputs": sorted(i.dataset.name for i in r.inputs.dataset_inputs),
           "files": sorted(f.path for f in client.list_artifacts(r.info.run_id)),
           "models": len(r.outputs.model_outputs)} for r in runs]
"#;

/// Loads models as MLflow's users do, and predicts.
pub(crate) const PREDICTED: &str = r#"
import pandas
rows = pandas.read_csv(given["rows"]).drop(columns=["customerID", "Churn"], errors="ignore")
answer = {}
for uri in given["models"]:
    model = mlflow.pyfunc.load_model(uri)
    fields = model.metadata.get_input_schema().inputs
    given_rows = {f.name: rows[[f.name]].to_numpy(dtype=object if f.type == "object" or "object" in str(f.type) else "float64")
                  for f in fields}
    answer[uri] = model.predict(given_rows)["probabilities"][:, 1].tolist()
"#;

fn on(server: &str, experiment: &str) -> Project {
    let project = Project::new();
    let before = "tracking: {experiment: churn, ";
    project.edit("trainyard.yaml", before, &format!("tracking: {{uri: '{server}', experiment: {experiment}, "));
    project.edit("trainyard.yaml", "model: churn-predictor", &format!("model: {experiment}-predictor"));
    project
}

fn runs(server: &mut Mlflow, experiment: &str) -> Vec<Value> {
    server.ask(RUNS, &json!({ "experiment": experiment })).as_array().unwrap().clone()
}

fn failed(project: &Project, arguments: &[&str]) -> (i32, Value, String) {
    let output = project.call(&[arguments, &["--json"]].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), document, text(&output.stderr))
}

/// Starting a server takes many seconds: all is asked of one.
#[test]
fn a_project_on_a_server_is_tracked_promoted_and_resumed_there() {
    let Some(mut server) = mlflow() else { return };
    a_run_is_there_with_its_model(&mut server);
    steps_of_many_processes_are_one_run(&mut server);
    a_server_that_is_down_delays_the_decision_alone(&mut server);
    a_process_that_dies_is_taken_up(&mut server);
}

fn a_run_is_there_with_its_model(server: &mut Mlflow) {
    let project = on(&server.url(), "weekly");
    let result = project.run();
    let run = result["run"].as_str().unwrap();
    assert_eq!((&result["decision"], &result["model"]["version"]), (&json!("promoted"), &json!(1)));
    let found = runs(server, "weekly");
    assert_eq!(found.len(), 1, "{found:?}");
    let tracked = &found[0];
    assert_eq!((&tracked["run"], &tracked["status"]), (&json!(run), &json!("FINISHED")));
    assert_eq!((&tracked["tags"]["team"], &tracked["tags"]["decision"]), (&json!("growth"), &json!("promoted")));
    let shown = project.json(&["runs", "show", run]);
    assert!(shown["pages"][0].as_str().unwrap().starts_with(&format!("{}/#/experiments/", server.url())), "{shown}");
    for (name, value) in shown["metrics"].as_object().unwrap() {
        assert_eq!(&tracked["metrics"][name], value, "{name}");
    }
    for (name, value) in shown["params"].as_object().unwrap() {
        assert_eq!(&tracked["params"][name], value, "{name}");
    }
    assert_eq!(tracked["inputs"], json!(["master", "reference", "train", "validation"]));
    assert_eq!(tracked["models"], 1);
    for file in ["configuration.json", "confusion_matrix.png", "evaluation.json", "feature_importance.png"] {
        assert!(tracked["files"].as_array().unwrap().contains(&json!(file)), "{file}: {}", tracked["files"]);
    }
    // The model, by alias, stage and number, as MLflow's users load it.
    project.customers(40, 11, "data/new.csv");
    let names =
        ["models:/weekly-predictor@challenger", "models:/weekly-predictor/Staging", "models:/weekly-predictor/1"];
    let asked = json!({ "rows": project.path("data/new.csv"), "models": names });
    let predicted = server.ask(PREDICTED, &asked);
    let ours = project.json(&["predict", "--model", "weekly-predictor@challenger", "--input", "data/new.csv"]);
    let ours: Vec<f64> =
        ours["predictions"].as_array().unwrap().iter().map(|row| row["probability"].as_f64().unwrap()).collect();
    for name in names {
        let theirs: Vec<f64> = serde_json::from_value(predicted[name].clone()).unwrap();
        assert_eq!(theirs.len(), 40);
        let far = ours.iter().zip(&theirs).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        assert!(far < 1e-6, "{name}: {far}");
    }
    // The same again is kept; what nobody can do twice is not done twice.
    assert_eq!(project.run()["decision"], "kept");
    assert_eq!(runs(server, "weekly").len(), 2, "one run for each execution");
    assert_eq!(project.json(&["models", "show", "weekly-predictor"])["versions"].as_array().unwrap().len(), 1);
    assert_eq!(project.json(&["runs", "sync"])["delivered"], json!([]));
    // A better one is compared with it there.
    project.write(
        "versions/models/v2.yaml",
        project.read("versions/models/v1.yaml").replace("n_estimators: 100", "n_estimators: 60"),
    );
    let second = project.json(&["run", "--model", "2"]);
    let second = second["run"].as_str().unwrap();
    // A replay asks nobody, nor does a bundle.
    server.kill();
    for run in [run, second] {
        let proven = project.json(&["verify", run]);
        assert_eq!(proven["identical"], true, "{proven}");
    }
    project.write("policy.yaml", "gates: {at_least: {roc_auc: 1}}\n");
    let judged = project.json(&["gate", "replay", "policy.yaml"]);
    assert_eq!((&judged["judged"], &judged["changed"]), (&json!(3), &json!(3)), "{judged}");
    assert_eq!(judged["decisions"][0]["registry"], server.url());
    project.json(&["export", second, "second.tar.zst"]);
    assert_eq!(project.json(&["verify", "second.tar.zst"])["identical"], true);
    server.start();
}

fn steps_of_many_processes_are_one_run(server: &mut Mlflow) {
    let project = on(&server.url(), "stepwise");
    let order =
        ["resolve", "ingest", "split", "features", "baseline", "train", "evaluate", "gate", "compare", "promote"];
    for step in order {
        project.json(&["step", step, "--run", "outside-1"]);
    }
    let found = runs(server, "stepwise");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["run"], &found[0]["status"]), (&json!("outside-1"), &json!("FINISHED")));
    assert_eq!(found[0]["tags"]["decision"], "promoted");
}

fn a_server_that_is_down_delays_the_decision_alone(server: &mut Mlflow) {
    let project = on(&server.url(), "down");
    server.kill();
    let (code, document, said) = failed(&project, &["run"]);
    assert_eq!(code, 1, "{said}");
    assert_eq!(document["error"][0]["code"], "tracking/registry-unreachable", "{document}");
    let again = text(&project.call(&["resume"]).stderr);
    for code in ["tracking/registry-unreachable", "tracking/undelivered"] {
        assert!(again.contains(code), "{again}");
    }
    let run = project.json(&["runs", "list"])["runs"][0].clone();
    assert_eq!(run["status"], "FAILED");
    assert!(run["metrics"]["reference_roc_auc"].is_number(), "the steps before the decision were done");
    let (code, document, _) = failed(&project, &["runs", "sync", "--patience", "0"]);
    assert_eq!((code, &document["error"][0]["code"]), (1, &json!("tracking/undelivered")));
    server.start();
    // What waits is told, and then the run decides.
    assert_eq!(project.json(&["runs", "sync"])["delivered"], json!([run["run"]]));
    assert_eq!(runs(server, "down")[0]["status"], "FAILED");
    let resumed = project.json(&["resume"]);
    assert_eq!((&resumed["run"], &resumed["decision"]), (&run["run"], &json!("promoted")));
    let found = runs(server, "down");
    assert_eq!((found.len(), &found[0]["status"], &found[0]["models"]), (1, &json!("FINISHED"), &json!(1)));
}

fn a_process_that_dies_is_taken_up(server: &mut Mlflow) {
    let project = on(&server.url(), "killed");
    for wait in [30_u64, 120, 250] {
        let mut command = project.command(&["run", "--threads", "1"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        let output = project.call(&["resume"]);
        let nothing = text(&output.stderr).contains("resume/nothing");
        assert!(output.status.success() || nothing, "{}", text(&output.stderr));
    }
    project.json(&["run"]);
    let ours = project.json(&["runs", "list"])["runs"].as_array().unwrap().clone();
    let theirs = runs(server, "killed");
    assert_eq!(ours.len(), theirs.len());
    for run in ours {
        let found: Vec<&Value> = theirs.iter().filter(|found| found["run"] == run["run"]).collect();
        assert_eq!(found.len(), 1, "{}", run["run"]);
        assert_eq!(found[0]["status"], run["status"]);
        assert_eq!(found[0]["metrics"].as_object().unwrap().len(), run["metrics"].as_object().unwrap().len());
    }
}

#[test]
fn what_no_waiting_mends_is_told_before_anything_is_written() {
    let closed =
        Web::new(|_| Reply::status(401).body(b"{\"error_code\": \"UNAUTHENTICATED\", \"message\": \"who are you?\"}"));
    let strange = Web::new(|_| Reply::status(404).body(b"<html><h1>Welcome</h1></html>"));
    for (server, code) in [(closed.url(), "tracking/server-denied"), (strange.url(), "tracking/not-mlflow")] {
        let project = on(&server, "refused");
        let before = project.files();
        let (exit, document, _) = failed(&project, &["run"]);
        assert_eq!((exit, &document["error"][0]["code"]), (1, &json!(code)));
        assert!(project.files() == before, "{code}: something was written");
    }
    let project = on(&closed.url(), "refused");
    let mut command = project.command(&["run", "--json"]);
    let output = command.env("MLFLOW_TRACKING_CLIENT_CERT_PATH", "/nowhere.pem").output().unwrap();
    assert!(text(&output.stdout).contains("tracking/server-settings"), "{}", text(&output.stdout));
    let project = on("http://ada:secret@host", "refused");
    let (exit, document, said) = failed(&project, &["check"]);
    assert_eq!(exit, 1);
    assert!(!document.to_string().contains("secret") && !said.contains("secret"), "{document} {said}");
    let token = Web::new(|asked| {
        let is_let_in = asked.headers.get("authorization").is_some_and(|said| said == "Bearer t0ken");
        Reply::status(if is_let_in { 500 } else { 401 })
    });
    let project = on(&token.url(), "refused");
    let output = project.command(&["runs", "sync", "--json"]).env("MLFLOW_TRACKING_TOKEN", "t0ken").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = project.command(&["models", "list", "--json"]).env("MLFLOW_TRACKING_TOKEN", "t0ken").output().unwrap();
    assert!(text(&output.stdout).contains("tracking/registry-unreachable"), "{}", text(&output.stdout));
    assert!(fs::metadata(project.path(CUSTOMERS)).is_ok());
}
