//! MLflow's plain folder: what its own client reads of it, and what a failing disk leaves.

use std::fs;
use std::io::ErrorKind;

use serde_json::{Value, json};
use trainyard_faults::{RecordingIo, Then};
use trainyard_files::{Digest, DiskIo};
use trainyard_spec::Stage;
use trainyard_tracking::{
    EmbeddedStore, ExportError, Input, Metric, NewRun, PARAM_VALUE_LIMIT, Reason, RunRecord, Status, TAG_VALUE_LIMIT,
    Tracking, export_mlruns,
};

use crate::given::{map, new_run, promotion, store, trained};

fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric { key: key.to_owned(), value, step, timestamp_ms: 1_000 + step }
}

/// Two experiments with odd names, odd values, values longer than MLflow keeps, and a registry.
fn filled() -> (tempfile::TempDir, EmbeddedStore, Vec<RunRecord>) {
    let (dir, store) = store();
    store.promote(&promotion(trained(&store, "a"), Stage::Staging, "challenger")).unwrap();
    store.promote(&promotion(trained(&store, "b"), Stage::Production, "champion")).unwrap();
    store
        .log_metrics("a", &[metric("auc", 0.1 + 0.2, 1), metric("auc", f64::NAN, 2), metric("auc", f64::INFINITY, 3)])
        .unwrap();
    store.log_metrics("a", &[metric("loss", 1e-300, -5), metric("loss/of é", -1.5, 0)]).unwrap();
    let long = "é".repeat(PARAM_VALUE_LIMIT + 500);
    store
        .log_params("a", &map([("depth", "3"), ("text", "日本 \"x\" \\ 🚆"), ("long", &long), ("empty", "")]))
        .unwrap();
    store.set_tags("a", &map([("mlflow.user", "ada"), ("long", &"x".repeat(2 * TAG_VALUE_LIMIT))])).unwrap();
    let digest = Digest::of(b"data");
    store.log_input("a", &Input { name: "master".to_owned(), digest, source: "a: b.csv".to_owned(), rows: 7 }).unwrap();
    store.log_artifact("a", "plots/é 1.txt", "größe".as_bytes()).unwrap();
    store.end_run("a", Status::Finished, 9_000, None).unwrap();
    let odd = "weird: [x] #1 🚆\u{85}";
    // MLflow keeps a folder of this name beside its runs.
    store.start_run(&NewRun { experiment: odd.to_owned(), name: "n: 'x'".to_owned(), ..new_run("tags") }).unwrap();
    let reason = Reason { code: "gate/missed".to_owned(), message: "no".to_owned() };
    store.end_run("tags", Status::Refused, 9_500, Some(&reason)).unwrap();
    let runs = store.runs(usize::MAX, None).unwrap();
    (dir, store, runs)
}

const JUDGE: &str = r#"
import os
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
import mlflow
mlflow.set_tracking_uri("file://" + data)
client = mlflow.MlflowClient()
answer = {}
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        history = {key: [[str(m.value), m.step, m.timestamp] for m in client.get_metric_history(run.info.run_id, key)]
                   for key in run.data.metrics}
        files = {}
        def below(path):
            for item in client.list_artifacts(run.info.run_id, path):
                if item.is_dir:
                    below(item.path)
                else:
                    local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=item.path)
                    files[item.path] = open(local, encoding="utf-8").read()
        below(None)
        inputs = [[i.dataset.name, i.dataset.digest, i.dataset.source, i.dataset.profile,
                   [[t.key, t.value] for t in i.tags]] for i in run.inputs.dataset_inputs]
        answer[run.info.run_id] = {
            "experiment": experiment.name, "name": run.info.run_name, "status": run.info.status,
            "start": run.info.start_time, "end": run.info.end_time, "params": run.data.params, "tags": run.data.tags,
            "history": history, "files": files, "inputs": inputs,
        }
best = client.search_runs([client.get_experiment_by_name("churn").experiment_id],
                          "params.depth = '3' and tags.team = 'growth'", order_by=["metrics.auc DESC"])
answer["found"] = [run.info.run_id for run in best]
answer["models"] = [
    [model.name, sorted(model.aliases.items()), sorted(
        [int(v.version), v.current_stage, v.run_id, v.source, v.tags["trainyard.digest"]]
        for v in client.search_model_versions(f"name = '{model.name}'"))]
    for model in client.search_registered_models()]
answer["champion"] = int(client.get_model_version_by_alias("churn-predictor", "champion").version)
"#;

#[test]
fn the_official_client_reads_all_of_it() {
    let (dir, store, runs) = filled();
    let folder = dir.path().join("out of é").join("mlruns");
    let done = export_mlruns(&store, &DiskIo, &folder, &runs, &|| false).unwrap();
    assert_eq!((done.runs, done.models, done.versions, done.artifacts, done.cut), (3, 1, 2, 5, 2));
    let Some(judge) = trainyard_judges::python("tracking") else { return };
    let read = judge.run(JUDGE, &json!(folder));
    let a = &read["a"];
    assert_eq!(
        [&a["experiment"], &a["name"], &a["status"], &a["start"], &a["end"]],
        [&json!("churn"), &json!("run a"), &json!("FINISHED"), &json!(1_000), &json!(9_000)]
    );
    let auc = json!([["0.30000000000000004", 1, 1_001], ["nan", 2, 1_002], ["inf", 3, 1_003]]);
    assert_eq!(a["history"]["auc"], auc);
    // A file can't be a folder too.
    assert_eq!(a["history"]["loss_"], json!([["1e-300", -5, 995]]));
    assert_eq!(a["history"]["loss/of é"], json!([["-1.5", 0, 1_000]]));
    assert_eq!(a["tags"]["trainyard.renamed"], json!("{\"metrics.loss\":\"loss_\"}"));
    assert_eq!([&a["params"]["text"], &a["params"]["empty"]], [&json!("日本 \"x\" \\ 🚆"), &json!("")]);
    let cut = a["params"]["long"].as_str().unwrap();
    assert_eq!((cut.chars().count(), cut.ends_with("é… [cut: 6500 characters]")), (PARAM_VALUE_LIMIT, true));
    assert_eq!(a["tags"]["long"].as_str().unwrap().len(), TAG_VALUE_LIMIT + "…".len() - 1);
    assert_eq!(a["tags"]["trainyard.cut"], json!("{\"params.long\":6500,\"tags.long\":16000}"));
    assert_eq!([&a["tags"]["team"], &a["tags"]["mlflow.user"]], [&json!("growth"), &json!("ada")]);
    let digest: String = Digest::of(b"data").to_string().chars().take(36).collect();
    let context = json!([["mlflow.data.context", "master"]]);
    assert_eq!(a["inputs"], json!([["master", digest, "{\"uri\":\"a: b.csv\"}", "{\"num_rows\":7}", context]]));
    assert_eq!(a["files"]["plots/é 1.txt"], json!("größe"));
    assert_eq!(a["files"]["model/model.json"], json!("{\"of\":\"a\"}"));
    assert_eq!(read["found"], json!(["a"]));
    let digest = |run: &str| Digest::of(run.as_bytes()).to_string();
    let versions = json!([
        [1, "Staging", "a", "runs:/a/model", digest("a")],
        [2, "Production", "b", "runs:/b/model", digest("b")],
    ]);
    assert_eq!(read["models"], json!([["churn-predictor", [["challenger", "1"], ["champion", "2"]], versions]]));
    assert_eq!(read["champion"], 2);
    let odd: Vec<&Value> = read.as_object().unwrap().values().filter(|run| run["name"] == "n: 'x'").collect();
    assert_eq!((&odd[0]["experiment"], &odd[0]["status"]), (&json!("weird: [x] #1 🚆\u{85}"), &json!("FAILED")));
    let told = ["trainyard.run", "trainyard.status", "trainyard.reason"].map(|tag| odd[0]["tags"][tag].clone());
    assert_eq!(told, [json!("tags"), json!("REFUSED"), json!("gate/missed: no")]);
}

#[test]
fn nothing_is_added_to_a_folder_that_holds_something() {
    let (dir, store, runs) = filled();
    let folder = dir.path().join("mlruns");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("mine"), b"x").unwrap();
    let refused = export_mlruns(&store, &DiskIo, &folder, &runs, &|| false);
    assert!(matches!(refused, Err(ExportError::NotEmpty)), "{refused:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    fs::remove_file(folder.join("mine")).unwrap();
    // Some runs alone, with the versions that they made, into a folder that is there and empty.
    let one: Vec<RunRecord> = runs.iter().filter(|run| run.run == "b").cloned().collect();
    let done = export_mlruns(&store, &DiskIo, &folder, &one, &|| false).unwrap();
    assert_eq!((done.runs, done.versions), (1, 1));
    let stopped = export_mlruns(&store, &DiskIo, &dir.path().join("other"), &runs, &|| true);
    assert!(matches!(stopped, Err(ExportError::Stopped)));
    assert!(!dir.path().join("other").exists());
}

#[test]
fn a_failing_disk_leaves_no_folder() {
    let (_dir, store, runs) = filled();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("mlruns");
    let mut failures = 0;
    for at in 0.. {
        let io = RecordingIo::failing(place.path(), at, Then::Stops(ErrorKind::PermissionDenied));
        let outcome = export_mlruns(&store, &io, &folder, &runs, &|| false);
        if !io.reached() {
            outcome.unwrap();
            break;
        }
        failures += 1;
        // Only the last operation of all, which forces the folder's name to the disk, comes after the name is there.
        let is_named = folder.exists();
        assert!(outcome.is_err(), "operation {at}");
        assert!(!is_named || folder.join("models").is_dir(), "operation {at} left half of it");
        let _ = fs::remove_dir_all(&folder);
        for left in fs::read_dir(place.path()).unwrap() {
            fs::remove_dir_all(left.unwrap().path()).unwrap();
        }
    }
    assert!(failures > 50, "{failures}");
    assert!(folder.join("models").is_dir());
}
