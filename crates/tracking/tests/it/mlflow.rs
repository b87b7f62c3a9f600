//! Runs and models on a real MLflow server, read back with its official client; and that server failing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_files::Digest;
use trainyard_judges::{Asked, Mlflow, Proxy, Way, mlflow};
use trainyard_spec::Stage;
use trainyard_stores::Runtime;
use trainyard_tracking::{
    Action, Batch, EmbeddedStore, End, Error, Input, Metric, MlflowServer, MlflowStore, ModelReference, NewRun,
    Promotion, Reason, ServerError, Status, Tracking,
};

use crate::given::{change, map, objects, open, promotion, trained};

const PATIENCE: Duration = Duration::from_secs(60);

fn on(dir: &TempDir, uri: &str) -> MlflowStore {
    of_project(&Arc::new(open(dir.path())), uri, "churn")
}

pub(crate) fn of_project(local: &Arc<EmbeddedStore>, uri: &str, project: &str) -> MlflowStore {
    let server = MlflowServer::new(uri, Arc::new(Runtime::default()));
    MlflowStore::new(Arc::clone(local), Arc::new(server), project)
}

fn metric(key: &str, step: i64, value: f64) -> Metric {
    Metric { key: key.to_owned(), value, step, timestamp_ms: 1_700_000_000_000 + step }
}

pub(crate) fn begin(run: &str) -> NewRun {
    NewRun {
        run: run.to_owned(),
        experiment: "churn / weekly: ü".to_owned(),
        name: format!("churn {run}"),
        tags: map([("team", "growth")]),
        started_ms: 1_700_000_000_000,
    }
}

/// Logs what a whole run does, in several batches, and ends it.
pub(crate) fn log_whole(store: &dyn Tracking, run: &str) {
    store.start_run(&begin(run)).unwrap();
    store.log_params(run, &map([("max_iter", "100"), ("long", &"é".repeat(6001)), ("empty", "")])).unwrap();
    let mut metrics: Vec<Metric> = (0..2500).map(|step| metric("loss", step, 1.0 / (step + 1) as f64)).collect();
    metrics.extend([
        metric("nan", 0, f64::NAN),
        metric("most", 0, f64::INFINITY),
        metric("least", 0, f64::NEG_INFINITY),
    ]);
    store.log_metrics(run, &metrics).unwrap();
    let input =
        Input { name: "master".to_owned(), digest: Digest::of(b"data"), source: "data.csv".to_owned(), rows: 7 };
    store.log_input(run, &input).unwrap();
    store.log_artifact(run, "report/überblick 1.json", b"{}").unwrap();
    store.log_artifact(run, "model/MLmodel", b"flavors: {}\n").unwrap();
    store.log_artifact(run, "model/model.json", b"{\"of\":1}").unwrap();
    let end = End { status: Status::Refused, ended_ms: 1_700_000_060_000, reason: Some(reason()) };
    let tags = map([("decision", "refused"), ("long", &"x".repeat(9000))]);
    store.log_batch(run, &Batch { tags, end: Some(end), ..Batch::default() }).unwrap();
}

pub(crate) fn reason() -> Reason {
    Reason { code: "gate/missed".to_owned(), message: "roc_auc 0.7 < 0.8".to_owned() }
}

/// Says what the official client finds of our run, wherever it is.
const FOUND: &str = r#"
import json
experiment = client.get_experiment_by_name(given["experiment"])
runs = client.search_runs([experiment.experiment_id], f"tags.`trainyard.run` = '{given['run']}'")
answer = {"runs": len(runs)}
if runs:
    run = runs[0]
    history = lambda key: [[number(m.value), m.step, m.timestamp] for m in client.get_metric_history(run.info.run_id, key)]
    files = lambda path: [f.path if not f.is_dir else files(f.path) for f in client.list_artifacts(run.info.run_id, path)]
    models = mlflow.search_logged_models([experiment.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'",
                                         output_format="list")
    folder = mlflow.artifacts.download_artifacts(f"models:/{models[0].model_id}") if models else None
    import os
    answer |= {
        "name": run.info.run_name, "status": run.info.status, "start": run.info.start_time, "end": run.info.end_time,
        "params": run.data.params, "tags": run.data.tags, "metrics": {k: number(v) for k, v in run.data.metrics.items()},
        "histories": {key: history(key) for key in run.data.metrics},
        "inputs": [[i.dataset.name, i.dataset.digest, json.loads(i.dataset.profile), {t.key: t.value for t in i.tags}]
                   for i in run.inputs.dataset_inputs],
        "files": files(None), "outputs": [m.model_id for m in run.outputs.model_outputs],
        "models": [[m.model_id, str(m.status)] for m in models],
        "model": {name: open(f"{folder}/{name}").read() for name in sorted(os.listdir(folder))} if folder else None,
    }
"#;

fn found(server: &mut Mlflow, run: &str) -> Value {
    server.ask(FOUND, &json!({ "experiment": begin(run).experiment, "run": run }))
}

/// Holds what the server has of a run against what was logged: all of it, and once.
pub(crate) fn assert_whole(server: &mut Mlflow, run: &str) {
    let found = found(server, run);
    assert_eq!(found["runs"], 1, "{run}: {found}");
    assert_eq!((&found["name"], &found["status"]), (&json!(format!("churn {run}")), &json!("FINISHED")), "{run}");
    assert_eq!((&found["start"], &found["end"]), (&json!(1_700_000_000_000_i64), &json!(1_700_000_060_000_i64)));
    assert_eq!(found["params"]["max_iter"], "100");
    assert_eq!(found["params"]["empty"], "");
    assert!(found["params"]["long"].as_str().unwrap().ends_with("[cut: 6001 characters]"));
    let tag = |key: &str| found["tags"][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (tag("team"), tag("decision"), tag("trainyard.status")),
        ("growth".into(), "refused".into(), "REFUSED".into())
    );
    assert_eq!(tag("trainyard.reason"), "gate/missed: roc_auc 0.7 < 0.8");
    assert!(tag("long").ends_with("[cut: 9000 characters]"));
    let history = found["histories"]["loss"].as_array().unwrap();
    assert_eq!(history.len(), 2500, "{run}: a metric is lost, or there twice");
    for (step, entry) in history.iter().enumerate() {
        let step = step as i64;
        assert_eq!(entry, &json!([1.0 / (step + 1) as f64, step, 1_700_000_000_000 + step]));
    }
    assert_eq!(
        (&found["metrics"]["nan"], &found["metrics"]["most"], &found["metrics"]["least"]),
        (&json!("nan"), &json!(f64::MAX), &json!(-f64::MAX)),
        "MLflow's SQL stores keep infinities as the largest numbers"
    );
    let digest = Digest::of(b"data").to_string();
    let input = json!(["master", digest[..32], { "num_rows": 7 }, { "mlflow.data.context": "master" }]);
    assert_eq!(found["inputs"], json!([input]));
    assert_eq!(found["files"], json!([["report/überblick 1.json"]]), "{run}");
    assert_eq!(found["models"].as_array().unwrap().len(), 1, "{run}: {}", found["models"]);
    assert_eq!(found["models"][0][1], "READY");
    assert_eq!(found["outputs"], json!([found["models"][0][0]]));
    assert_eq!(found["model"]["model.json"], "{\"of\":1}");
    let described = found["model"]["MLmodel"].as_str().unwrap();
    assert!(described.starts_with("flavors: {}\n") && described.contains("\nmodel_id: m-"), "{described}");
}

fn assert_settled(store: &MlflowStore) {
    let undelivered = store.settle(PATIENCE).unwrap();
    assert!(undelivered.is_none(), "{undelivered:?}");
}

fn promoted(store: &MlflowStore, run: &str, alias: &str) -> trainyard_tracking::VersionRecord {
    store.promote(&promotion(trained(store, run), Stage::Staging, alias)).unwrap().version
}

/// Starting a server takes many seconds: all is asked of one.
#[test]
fn a_real_server_is_told_everything_once_however_it_fails() {
    let Some(mut server) = mlflow() else { return };
    whole_runs(&mut server);
    failing_ways(&mut server);
    a_server_that_dies(&mut server);
    the_registry(&mut server);
    two_at_once(&mut server);
    one_that_was_displaced(&mut server);
    what_the_server_refuses(&mut server);
    long_artifacts(&mut server);
}

const LONG: usize = 64;

/// Puts an object of as many MiB into a store without holding it, and logs it as an artifact and as a file of the model.
fn log_long(store: &MlflowStore, dir: &TempDir, run: &str) -> Digest {
    let block: Vec<u8> = (0..1_usize << 20).map(|at| (at % 251) as u8).collect();
    let objects = objects(dir.path());
    std::fs::create_dir_all(objects.root()).unwrap();
    let written = objects.root().join("written");
    let mut file = std::fs::File::create(&written).unwrap();
    for _ in 0..LONG {
        std::io::Write::write_all(&mut file, &block).unwrap();
    }
    let (digest, _) = trainyard_files::hash_file(&trainyard_files::DiskIo, &written).unwrap();
    let path = objects.path(&digest);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::rename(written, path).unwrap();
    let artifacts = BTreeMap::from([("long.bin".to_owned(), digest), ("model/long.bin".to_owned(), digest)]);
    let start = Some(begin(run));
    store.log_batch(run, &Batch { start, artifacts, ..Batch::default() }).unwrap();
    digest
}

/// Long files arrive, and a damaged one does not.
fn long_artifacts(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = on(&dir, &server.url());
    let digest = log_long(&store, &dir, "long");
    assert_settled(&store);
    let is_whole = r#"
experiment = client.get_experiment_by_name(given["experiment"]).experiment_id
run = client.search_runs([experiment], f"tags.`trainyard.run` = '{given['run']}'")[0].info.run_id
model = mlflow.search_logged_models([experiment], filter_string=f"source_run_id = '{run}'", output_format="list")
block = bytes(i % 251 for i in range(1 << 20))
answer = []
paths = [mlflow.artifacts.download_artifacts(f"runs:/{run}/long.bin"),
         mlflow.artifacts.download_artifacts(f"models:/{model[0].model_id}") + "/long.bin"]
for path in paths:
    with open(path, "rb") as file:
        answer.append(all(file.read(1 << 20) == block for _ in range(given["long"])) and not file.read())
"#;
    let asked = |run: &str| json!({ "experiment": begin(run).experiment, "run": run, "long": LONG });
    assert_eq!(server.ask(is_whole, &asked("long")), json!([true, true]));
    drop(store);
    // A bit flips on the disk before the server hears of the run.
    let dir = TempDir::new().unwrap();
    let is_up = Arc::new(AtomicBool::new(false));
    let asked_for = Arc::clone(&is_up);
    let choose = move |_: &Asked, _| if asked_for.load(Ordering::SeqCst) { Way::Through } else { Way::Status(503) };
    let proxy = Proxy::new(server.port(), choose);
    let store = on(&dir, &proxy.url());
    log_long(&store, &dir, "damaged");
    let mut file = std::fs::OpenOptions::new().write(true).open(objects(dir.path()).path(&digest)).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(40 << 20)).unwrap();
    std::io::Write::write_all(&mut file, b"!").unwrap();
    drop(file);
    is_up.store(true, Ordering::SeqCst);
    let undelivered = store.settle(PATIENCE).unwrap().unwrap();
    let refused = undelivered.runs[0].refused.as_ref().unwrap();
    assert!(refused.contains("do not have the digest") || refused.contains("damaged"), "{refused}");
    let files = r#"
experiment = client.get_experiment_by_name(given["experiment"]).experiment_id
run = client.search_runs([experiment], f"tags.`trainyard.run` = '{given['run']}'")[0].info.run_id
answer = [file.path for file in client.list_artifacts(run)]
"#;
    assert_eq!(server.ask(files, &asked("damaged")), json!([]));
}

/// What is delivered is not held: the process that delivers long files stays smaller than one of them.
#[test]
fn long_artifacts_are_not_held() {
    let peak = trainyard_judges::peak_memory("mlflow::long_artifacts_are_not_held", "long", || {
        let Some(server) = mlflow() else { return };
        let dir = TempDir::new().unwrap();
        let store = on(&dir, &server.url());
        log_long(&store, &dir, "long");
        assert_settled(&store);
    });
    assert!(peak < (LONG as u64) << 20, "{} MiB", peak >> 20);
}

fn whole_runs(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = on(&dir, &server.url());
    store.reach(&begin("a").experiment).unwrap();
    log_whole(&store, "whole");
    assert_settled(&store);
    assert_whole(server, "whole");
    assert!(store.local().pages("whole").unwrap()[0].starts_with(&format!("{}/#/experiments/", server.url())));
    // A run that goes on, from another process: it fails, is taken up, and finishes.
    store.start_run(&begin("resumed")).unwrap();
    store.end_run("resumed", Status::Failed, 1_700_000_001_000, Some(&reason())).unwrap();
    assert_settled(&store);
    assert_eq!(found(server, "resumed")["status"], "FAILED");
    drop(store);
    let store = on(&dir, &server.url());
    store.start_run(&begin("resumed")).unwrap();
    assert_settled(&store);
    assert_eq!(found(server, "resumed")["status"], "RUNNING");
    store.end_run("resumed", Status::Killed, 1_700_000_002_000, None).unwrap();
    assert_settled(&store);
    let found = found(server, "resumed");
    assert_eq!((&found["runs"], &found["status"]), (&json!(1), &json!("KILLED")));
}

fn failing_ways(server: &mut Mlflow) {
    let ways = [
        Way::Lost,
        Way::Unheard,
        Way::Status(503),
        Way::Status(429),
        Way::Status(500),
        Way::Late(Duration::from_millis(150)),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let run = format!("failing{number}");
        let dir = TempDir::new().unwrap();
        // Every other one fails, in no order that tries could fall in step with.
        let goes_well =
            move |before: usize| ((before + number * 1000).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(2);
        let choose = move |_: &Asked, before: usize| if goes_well(before) { Way::Through } else { way };
        let proxy = Proxy::new(server.port(), choose);
        let store = on(&dir, &proxy.url());
        log_whole(&store, &run);
        let undelivered = store.settle(PATIENCE).unwrap();
        assert!(undelivered.is_none(), "{undelivered:?} {:?}", proxy.heard());
        assert_whole(server, &run);
        assert!(proxy.heard().iter().any(|(_, chosen)| *chosen == way), "{:?}", proxy.heard());
    }
}

fn a_server_that_dies(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = on(&dir, &server.url());
    store.start_run(&begin("died")).unwrap();
    assert_settled(&store);
    server.kill();
    assert!(matches!(store.reach("another"), Err(Error::Server(error)) if error.may_pass()));
    // Logging goes on, and says nothing.
    log_whole(&store, "died");
    let undelivered = store.settle(Duration::from_millis(300)).unwrap().unwrap();
    assert_eq!(undelivered.runs.len(), 1);
    assert!(undelivered.diagnostic().title.contains("all of run died"), "{undelivered:?}");
    let head = store.head("churn-predictor");
    assert!(matches!(head, Err(Error::RegistryUnreachable { .. })), "{head:?}");
    let refused = store.promote(&promotion(trained_of(&store, "died"), Stage::Staging, "challenger"));
    assert!(matches!(refused, Err(Error::RegistryUnreachable { .. })), "{refused:?}");
    drop(store);
    // Another process delivers what is left.
    server.start();
    let store = on(&dir, &server.url());
    let undelivered = store.sync(PATIENCE).unwrap();
    assert!(undelivered.is_none(), "{undelivered:?}");
    assert_whole(server, "died");
}

fn trained_of(store: &MlflowStore, run: &str) -> trainyard_tracking::NewVersion {
    let other = TempDir::new().unwrap();
    let mut version = trained(&open(other.path()), run);
    version.rows = BTreeMap::new();
    let _ = store;
    version
}

const REGISTERED: &str = r#"
name = given["model"]
model = client.get_registered_model(name)
versions = client.search_model_versions(f"name = '{name}'")
answer = {
    "tags": model.tags, "aliases": {k: int(v) for k, v in model.aliases.items()},
    "versions": {int(v.version): {"stage": v.current_stage, "tags": v.tags, "description": v.description,
                                  "source": v.source, "status": v.status} for v in versions},
}
"#;

fn the_registry(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = on(&dir, &server.url());
    let model = "churn-predictor";
    assert!(store.find_version(&ModelReference::alias(model, "challenger")).unwrap().is_none());
    let empty = store.head(model).unwrap();
    let first = promoted(&store, "first", "challenger");
    assert_eq!(
        (first.version, first.stage, first.aliases.as_slice()),
        (1, Stage::Staging, &["challenger".to_owned()][..])
    );
    assert_ne!(store.head(model).unwrap(), empty);
    // Done is done.
    let again = store.promote(&promotion(trained(&store, "first"), Stage::Staging, "challenger")).unwrap();
    assert!(!again.newly && again.version.version == 1);
    // Against a stale head nothing is promoted.
    let stale =
        Promotion { expected_head: Some(empty), ..promotion(trained(&store, "second"), Stage::Staging, "challenger") };
    assert!(matches!(store.promote(&stale), Err(Error::HeadMoved { .. })));
    let second = promoted(&store, "second", "challenger");
    assert_eq!(second.version, 2);
    // The mark of the history is written beside what comes next.
    assert_settled(&store);
    let registered = server.ask(REGISTERED, &json!({ "model": model }));
    assert_eq!(registered["aliases"], json!({ "challenger": 2, "previous": 1 }));
    assert_eq!(registered["tags"], json!({ "trainyard.project": "churn" }));
    let (one, two) = (&registered["versions"]["1"], &registered["versions"]["2"]);
    assert_eq!(
        (&one["stage"], &two["stage"], &two["status"]),
        (&json!("Archived"), &json!("Staging"), &json!("READY"))
    );
    assert_eq!(two["description"], "roc_auc is better");
    assert_eq!(two["tags"]["trainyard.digest"], json!(second.digest.to_string()));
    let history = store.history(model).unwrap();
    assert_eq!(history.iter().map(|entry| entry.action).collect::<Vec<_>>(), [Action::Promoted, Action::Promoted]);
    assert_eq!(
        two["tags"]["trainyard.history"],
        json!(history[1].hash.to_string()),
        "the version carries the chain's head"
    );
    assert_eq!(history[0].registry, server.url());
    // Somebody else changes the registry: the history says so before it tells what follows.
    let code = "client.set_registered_model_alias(given['model'], 'champion', '1')";
    server.ask(code, &json!({ "model": model }));
    store.transition(model, 2, Stage::Production, &change()).unwrap();
    let history = store.history(model).unwrap();
    let told: Vec<_> = history[2..].iter().map(|entry| (entry.action, entry.effects.len())).collect();
    assert_eq!(told, [(Action::Observed, 1), (Action::Transitioned, 1)]);
    store.verify_history().unwrap();
    assert_eq!(store.models().unwrap().iter().filter(|one| one.name == model).count(), 1);
    let by_stage = store.find_version(&format!("{model}/Production").parse().unwrap()).unwrap().unwrap();
    assert_eq!(by_stage.version, 2);
    store.set_alias(model, "champion", 2, &change()).unwrap();
    assert_eq!(server.ask(REGISTERED, &json!({ "model": model }))["aliases"]["champion"], 2);
    // By hand: back to the first, the second promoted again, the first put away.
    let by_hand = |server: &mut Mlflow| {
        let found = server.ask(REGISTERED, &json!({ "model": model }));
        let stage = |version: &str| found["versions"][version]["stage"].as_str().unwrap().to_owned();
        (stage("1"), stage("2"), found["aliases"].clone())
    };
    let (archived, production) = ("Archived".to_owned(), "Production".to_owned());
    assert_eq!(store.rollback(model, "champion", &change()).unwrap().version, 1);
    let expected = json!({ "challenger": 2, "champion": 1, "previous": 2 });
    assert_eq!(by_hand(server), (production.clone(), archived.clone(), expected));
    assert!(matches!(store.rollback(model, "champion", &change()), Err(Error::NothingBefore { .. })));
    store.promote_version(model, 2, Stage::Production, Some("champion"), &change()).unwrap();
    store.promote_version(model, 2, Stage::Production, Some("champion"), &change()).unwrap();
    store.archive(model, 1, &change()).unwrap();
    assert_eq!(by_hand(server), (archived, production, json!({ "challenger": 2, "champion": 2 })));
    let kept = trainyard_tracking::Change { run: Some("second".to_owned()), ..change() };
    store.record_decision(model, Action::Kept, &kept).unwrap();
    store.record_decision(model, Action::Kept, &kept).unwrap();
    let actions: Vec<_> = store.history(model).unwrap().iter().map(|entry| entry.action).collect();
    let expected = [Action::Aliased, Action::RolledBack, Action::Promoted, Action::Archived, Action::Kept];
    assert_eq!(actions[4..], expected);
    assert_eq!(store.standing_at(model, i64::MAX).unwrap().aliases["champion"], 2);
    store.verify_history().unwrap();
    // A project elsewhere reads the files of a version that it never made.
    let elsewhere = TempDir::new().unwrap();
    let reader = on(&elsewhere, &server.url());
    let version = reader.version_by(&ModelReference::alias(model, "champion")).unwrap();
    let files = reader.version_files(&version).unwrap();
    assert_eq!(files["model.json"], b"{\"of\":\"second\"}");
    // The name belongs to the project that registered it.
    let other = of_project(&Arc::new(open(elsewhere.path())), &server.url(), "another");
    let refused = other.promote(&promotion(trained(&other, "theirs"), Stage::Staging, "challenger"));
    assert!(
        matches!(&refused, Err(Error::Server(error)) if matches!(**error, ServerError::OtherProject { .. })),
        "{refused:?}"
    );
}

/// Two promotions at once: whoever finds another's alias after writing is told, and the history has it.
fn two_at_once(server: &mut Mlflow) {
    let (dir, other_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let model = "raced";
    let other = Arc::new(on(&other_dir, &server.url()));
    let ours = |store: &MlflowStore, run: &str| Promotion {
        model: model.to_owned(),
        ..promotion(trained(store, run), Stage::Staging, "challenger")
    };
    other.promote(&ours(&other, "rival0")).unwrap();
    let moved = Arc::new(AtomicUsize::new(0));
    let (rival, count) = (Arc::clone(&other), Arc::clone(&moved));
    // As soon as our alias was moved, the other's is.
    let theirs = ours(&other, "rival1");
    let proxy = Proxy::new(server.port(), move |asked, _| {
        let reads_back = asked.method == "GET" && asked.path.contains("registered-models/get");
        if reads_back && count.fetch_add(1, Ordering::SeqCst) == 1 {
            rival.promote(&theirs).unwrap();
        }
        Way::Through
    });
    let store = on(&dir, &proxy.url());
    let lost = store.promote(&ours(&store, "ours"));
    assert!(matches!(&lost, Err(Error::Server(error)) if matches!(**error, ServerError::RaceLost { .. })), "{lost:?}");
    let history = store.history(model).unwrap();
    assert_eq!(history.last().unwrap().action, Action::Lost, "{history:?}");
    store.verify_history().unwrap();
    assert_eq!(server.ask(REGISTERED, &json!({ "model": model }))["aliases"]["challenger"], 3);
}

/// Who promotes between our last reading and our writing is displaced, and that is noticed.
fn one_that_was_displaced(server: &mut Mlflow) {
    let (dir, other_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let model = "displaced";
    let other = on(&other_dir, &server.url());
    let ours = |store: &MlflowStore, run: &str| Promotion {
        model: model.to_owned(),
        ..promotion(trained(store, run), Stage::Staging, "challenger")
    };
    other.promote(&ours(&other, "rival0")).unwrap();
    let mut theirs = Some(ours(&other, "rival1"));
    let proxy = Proxy::new(server.port(), move |asked, _| {
        if asked.path.contains("model-versions/create")
            && let Some(theirs) = theirs.take()
        {
            other.promote(&theirs).unwrap();
        }
        Way::Through
    });
    let store = on(&dir, &proxy.url());
    let promoted = store.promote(&ours(&store, "ours")).unwrap();
    assert_eq!(promoted.version.version, 3);
    let meanwhile = store.take_meanwhile().unwrap();
    assert!(meanwhile.changes.iter().any(|change| change.contains("v2")), "{meanwhile:?}");
    assert!(store.take_meanwhile().is_none(), "it is told once");
    let history = store.history(model).unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::Observed, Action::Promoted, Action::Observed]);
    store.verify_history().unwrap();
    let registered = server.ask(REGISTERED, &json!({ "model": model }));
    let stage = |version: &str| registered["versions"][version]["stage"].clone();
    assert_eq!((stage("1"), stage("2"), stage("3")), (json!("Archived"), json!("Archived"), json!("Staging")));
    assert_eq!(registered["aliases"], json!({ "challenger": 3, "previous": 1 }));
    assert_eq!(store.standing_at(model, i64::MAX).unwrap().aliases["challenger"], 3);
}

fn what_the_server_refuses(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = on(&dir, &server.url());
    store.start_run(&NewRun { experiment: "doomed".to_owned(), ..begin("doomed") }).unwrap();
    assert_settled(&store);
    server.ask("client.delete_experiment(client.get_experiment_by_name('doomed').experiment_id)", &Value::Null);
    let again = on(&dir, &server.url());
    let refused = again.reach("doomed");
    assert!(
        matches!(&refused, Err(Error::Server(error)) if matches!(**error, ServerError::ExperimentDeleted { .. })),
        "{refused:?}"
    );
    // One run that is refused keeps no other from going on.
    again.start_run(&NewRun { experiment: "doomed".to_owned(), ..begin("refused") }).unwrap();
    log_whole(&again, "after");
    let undelivered = again.settle(PATIENCE).unwrap().unwrap();
    assert_eq!(undelivered.runs.iter().map(|one| one.run.as_str()).collect::<Vec<_>>(), ["refused"]);
    assert!(undelivered.runs[0].refused.as_ref().unwrap().contains("was deleted"), "{undelivered:?}");
    assert_whole(server, "after");
    server.ask("client.restore_experiment(client.search_experiments(view_type=2, filter_string=\"name = 'doomed'\")[0].experiment_id)", &Value::Null);
    assert!(again.sync(PATIENCE).unwrap().is_none());
    // What answers is a server, and not MLflow's.
    let web = trainyard_judges::Web::new(|_| trainyard_judges::Reply::status(404).body(b"<html>Not here</html>"));
    let strange = on(&dir, &web.url()).reach("churn");
    assert!(
        matches!(&strange, Err(Error::Server(error)) if matches!(**error, ServerError::NotMlflow { .. })),
        "{strange:?}"
    );
    let closed = trainyard_judges::Web::new(|_| trainyard_judges::Reply::status(401));
    let denied = on(&dir, &closed.url()).reach("churn");
    assert!(
        matches!(&denied, Err(Error::Server(error)) if matches!(**error, ServerError::Denied { .. })),
        "{denied:?}"
    );
}
