//! Runs and models brought to a real MLflow server, and runs fetched from it; the official client reads and writes there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_files::Digest;
use trainyard_judges::{Asked, Mlflow, Proxy, Way, mlflow};
use trainyard_spec::Stage;
use trainyard_tracking::{
    Brought, EmbeddedStore, Error, Fetched, Fetching, Metric, MlflowStore, RunRecord, ServerError, Status, Tracking,
};

use crate::given::{change, new_run, open, promotion, trained};
use crate::mlflow::{assert_whole, begin, log_whole, of_project, reason};

const PATIENCE: Duration = Duration::from_secs(60);

fn exported(store: &MlflowStore) -> Brought {
    let runs = store.local().runs(usize::MAX, None).unwrap();
    let brought = store.export_runs(&runs, PATIENCE, &|_| true).unwrap();
    assert!(brought.undelivered.is_none() && !brought.is_stopped, "{brought:?}");
    brought
}

fn counts(brought: &Brought) -> [usize; 5] {
    [&brought.made, &brought.completed, &brought.there, &brought.running, &brought.deleted].map(Vec::len)
}

fn local(dir: &TempDir) -> Arc<EmbeddedStore> {
    Arc::new(open(dir.path()))
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Starting a server takes many seconds: all is asked of one.
#[test]
fn what_goes_to_a_real_server_is_there_once_and_what_comes_from_it_is_the_same() {
    let Some(mut server) = mlflow() else { return };
    runs_go_there_and_come_back(&mut server);
    failing_ways(&mut server);
    copies_of_a_project(&mut server);
    what_others_logged(&mut server);
    models_go_there(&mut server);
    what_is_not_there(&mut server);
}

fn runs_go_there_and_come_back(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = of_project(&local(&dir), &server.url(), "churn");
    log_whole(&**store.local(), "exported");
    store.local().start_run(&begin("open")).unwrap();
    let mut failed = begin("failed");
    failed.started_ms += 5;
    store.local().start_run(&failed).unwrap();
    store.local().end_run("failed", Status::Failed, failed.started_ms + 1000, Some(&reason())).unwrap();
    assert_eq!(counts(&exported(&store)), [2, 0, 0, 1, 0]);
    assert_whole(server, "exported");
    // Nothing is told twice.
    assert_eq!(counts(&exported(&store)), [0, 0, 2, 1, 0]);
    assert_whole(server, "exported");
    // What changed since is brought: a tag, and a run that went on.
    let tags = BTreeMap::from([("later".to_owned(), "yes".to_owned())]);
    store.local().set_tags("exported", &tags).unwrap();
    store.local().start_run(&failed).unwrap();
    let late = Metric { key: "late".to_owned(), value: 0.5, step: 3, timestamp_ms: 7 };
    store.local().log_metrics("failed", &[late]).unwrap();
    store.local().end_run("failed", Status::Finished, failed.started_ms + 9000, None).unwrap();
    store.local().end_run("open", Status::Killed, 1_700_000_009_000, None).unwrap();
    assert_eq!(counts(&exported(&store)), [1, 2, 0, 0, 0]);
    assert_eq!(counts(&exported(&store)), [0, 0, 3, 0, 0]);
    assert_whole(server, "exported");
    // A project that has none of them takes them.
    let other_dir = TempDir::new().unwrap();
    let other = of_project(&local(&other_dir), &server.url(), "churn");
    let experiments = vec![begin("a").experiment];
    let asked = Fetching { experiments, ..Fetching::default() };
    let fetched = other.import_runs(&asked, &|_, _| true).unwrap();
    let names: Vec<&str> = fetched.runs.iter().map(|run| run.run.as_str()).collect();
    assert_eq!(names.len(), 3, "{fetched:?}");
    assert_eq!((fetched.merged, fetched.cut), (0, 2), "the server keeps long values cut");
    for run in ["exported", "failed", "open"] {
        let (here, there) = (store.local().run(run).unwrap().unwrap(), other.local().run(run).unwrap().unwrap());
        assert_eq!(plain(there), plain(here), "{run}");
        assert_eq!(other.local().artifacts(run).unwrap(), store.local().artifacts(run).unwrap(), "{run}");
        assert_eq!(other.local().pages(run).unwrap(), store.local().pages(run).unwrap(), "{run}");
    }
    let history = |store: &MlflowStore| store.local().metric_history("exported", "loss").unwrap();
    assert_eq!(history(&other).len(), 2500);
    assert_eq!(history(&other), history(&store));
    // Again brings nothing, there and back.
    let again = other.import_runs(&asked, &|_, _| true).unwrap();
    assert_eq!((again.runs.len(), again.there.len()), (0, 3), "{again:?}");
    assert_eq!(exported(&other).made, Vec::<String>::new());
    assert_whole(server, "exported");
    // An imported run is none that this project compares its data with.
    assert_eq!(other.local().input_before("new", &begin("a").experiment, "master").unwrap(), None);
    assert!(store.local().input_before("new", &begin("a").experiment, "master").unwrap().is_some());
}

/// Gives a run without what a server can't keep: long values, infinities, and where it came from.
fn plain(mut run: RunRecord) -> RunRecord {
    for value in run.params.values_mut().chain(run.tags.values_mut()) {
        *value = value.chars().take(1000).collect();
    }
    for value in run.metrics.values_mut().filter(|value| value.is_infinite()) {
        *value = value.signum() * f64::MAX;
    }
    // No NaN is equal to itself.
    run.metrics.retain(|_, value| !value.is_nan());
    run.tags.remove("trainyard.imported");
    run
}

fn failing_ways(server: &mut Mlflow) {
    for (number, way) in [Way::Lost, Way::Unheard, Way::Status(503)].into_iter().enumerate() {
        let run = format!("carried{number}");
        let dir = TempDir::new().unwrap();
        let goes_well =
            move |before: usize| ((before + number * 1000).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(2);
        let choose = move |_: &Asked, before: usize| if goes_well(before) { Way::Through } else { way };
        let proxy = Proxy::new(server.port(), choose);
        let store = of_project(&local(&dir), &proxy.url(), "churn");
        log_whole(&**store.local(), &run);
        assert_eq!(counts(&exported(&store)), [1, 0, 0, 0, 0]);
        assert_whole(server, &run);
        let fresh = TempDir::new().unwrap();
        let other = of_project(&local(&fresh), &proxy.url(), "churn");
        let asked = Fetching { filter: format!("tags.`trainyard.run` = '{run}'"), ..Fetching::default() };
        let fetched = other.import_runs(&asked, &|_, _| true).unwrap();
        assert_eq!((fetched.runs.len(), fetched.runs[0].metrics), (1, 2503), "{fetched:?}");
        assert!(proxy.heard().iter().any(|(_, chosen)| *chosen == way), "{:?}", proxy.heard());
    }
}

/// A copy of a project knows nothing of what another copy brought.
fn copies_of_a_project(server: &mut Mlflow) {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let store = of_project(&local(&dirs[0]), &server.url(), "churn");
    log_whole(&**store.local(), "copied");
    drop(store);
    copied(dirs[0].path(), dirs[1].path());
    let copies = dirs.each_ref().map(|dir| of_project(&local(dir), &server.url(), "churn"));
    assert_eq!(counts(&exported(&copies[0])), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&exported(&copies[1])), [0, 1, 0, 0, 0], "it can't know that all is there");
    assert_eq!(counts(&exported(&copies[1])), [0, 0, 1, 0, 0]);
    assert_whole(server, "copied");
    // What somebody deletes there is not brought again.
    let deleted = r#"
experiment = client.get_experiment_by_name(given["experiment"])
for run in client.search_runs([experiment.experiment_id], "tags.`trainyard.run` = 'copied'"):
    client.delete_run(run.info.run_id)
"#;
    server.ask(deleted, &json!({ "experiment": begin("a").experiment }));
    assert_eq!(counts(&exported(&copies[0])), [0, 0, 0, 0, 1]);
}

const FOREIGN: &str = r#"
import math, os, tempfile
mlflow.set_experiment("other team")
class Doubled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input
with mlflow.start_run(run_name="ünïcode", tags={"owner": "bob"}) as run:
    mlflow.log_params({"depth": 6, "name with blank": "ü"})
    for step in range(30):
        mlflow.log_metric("loss", 1 / (step + 1), step=step, timestamp=1000 + step)
    mlflow.log_metric("loss", 99.0, step=3, timestamp=900)
    mlflow.log_metric("loss", 7.0, step=4, timestamp=9000)
    mlflow.log_metric("nan", math.nan)
    mlflow.log_metric("negative", -1.5, step=-2)
    mlflow.log_text("hello", "notes/read me.txt")
    mlflow.log_text("", "empty")
    import pandas
    mlflow.log_input(mlflow.data.from_pandas(pandas.DataFrame({"a": [1, 2, 3]}), name="table"), context="training")
    made = mlflow.pyfunc.log_model(name="doubled", python_model=Doubled())
dead = client.create_run(run.info.experiment_id, run_name="dead")
client.set_terminated(dead.info.run_id, "FAILED")
going = client.create_run(run.info.experiment_id, run_name="going on")
answer = {"run": run.info.run_id, "dead": dead.info.run_id, "going": going.info.run_id, "model": made.model_id,
          "files": sorted(os.listdir(mlflow.artifacts.download_artifacts(f"models:/{made.model_id}")))}
"#;

fn what_others_logged(server: &mut Mlflow) {
    let made = server.ask(FOREIGN, &Value::Null);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let dir = TempDir::new().unwrap();
    let store = of_project(&local(&dir), &server.url(), "churn");
    let asked = Fetching { experiments: vec!["other team".to_owned()], ..Fetching::default() };
    let fetched = store.import_runs(&asked, &|_, _| true).unwrap();
    assert_eq!((fetched.runs.len(), fetched.merged), (2, 2), "{fetched:?}");
    assert_eq!((fetched.running, fetched.left), (vec![text("going")], BTreeMap::new()));
    let run = store.local().run(&text("run")).unwrap().unwrap();
    assert_eq!((run.name.as_str(), run.experiment.as_str(), run.status), ("ünïcode", "other team", Status::Finished));
    assert_eq!((run.params["depth"].as_str(), run.params["name with blank"].as_str()), ("6", "ü"));
    assert_eq!(run.tags["owner"], "bob");
    assert!(run.tags["trainyard.imported"].ends_with(&format!("/runs/{}", text("run"))), "{:?}", run.tags);
    assert!(run.metrics["nan"].is_nan() && run.metrics["negative"] == -1.5);
    let loss = store.local().metric_history(&run.run, "loss").unwrap();
    assert_eq!(loss.len(), 30);
    assert_eq!((loss[3].value, loss[3].timestamp_ms, loss[4].value), (0.25, 1003, 7.0));
    assert_eq!(store.local().metric_history(&run.run, "negative").unwrap()[0].step, -2);
    assert_eq!((run.inputs.len(), run.inputs[0].name.as_str(), run.inputs[0].rows), (1, "table", 3));
    let read = |path: &str| store.local().read_artifact(&run.run, path).unwrap();
    assert_eq!((read("notes/read me.txt"), read("empty")), (b"hello".to_vec(), Vec::new()));
    for file in made["files"].as_array().unwrap() {
        let path = format!("doubled/{}", file.as_str().unwrap());
        // The client adds one to what it downloads.
        assert!(file == "registered_model_meta" || !read(&path).is_empty(), "{path}");
    }
    assert_eq!(store.local().run(&text("dead")).unwrap().unwrap().status, Status::Failed);
    // What came from there is not brought back.
    assert_eq!(counts(&exported(&store)), [0, 0, 2, 0, 0]);
    let there = "answer = len(client.search_runs([client.get_experiment_by_name('other team').experiment_id]))";
    assert_eq!(server.ask(there, &Value::Null), json!(3));
    // By the server's id, and by a filter.
    let dir = TempDir::new().unwrap();
    let store = of_project(&local(&dir), &server.url(), "churn");
    let asked = Fetching { runs: vec![text("dead")], ..Fetching::default() };
    assert_eq!(store.import_runs(&asked, &|_, _| true).unwrap().runs[0].run, text("dead"));
    let asked = Fetching { filter: "tags.owner = 'bob' and metrics.loss > 0".to_owned(), ..Fetching::default() };
    assert_eq!(store.import_runs(&asked, &|_, _| true).unwrap().runs[0].run, text("run"));
    // Somebody stops it.
    let dir = TempDir::new().unwrap();
    let store = of_project(&local(&dir), &server.url(), "churn");
    let asked = Fetching { experiments: vec!["other team".to_owned()], ..Fetching::default() };
    let stopped: Fetched = store.import_runs(&asked, &|runs, _| runs == 0).unwrap();
    assert_eq!((stopped.runs.len(), stopped.is_stopped), (1, true));
    assert_eq!(store.import_runs(&asked, &|_, _| true).unwrap().runs.len(), 1, "the rest");
}

const REGISTERED: &str = r#"
found = client.search_model_versions(f"name='{given}'")
answer = {"versions": [[int(v.version), v.current_stage, v.tags.get("trainyard.run"), v.description or ""]
                       for v in sorted(found, key=lambda v: int(v.version))],
          "aliases": {a: int(v) for a, v in client.get_registered_model(given).aliases.items()}}
"#;

fn models_go_there(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = of_project(&local(&dir), &server.url(), "churn");
    let own = Arc::clone(store.local());
    let model = "churn-predictor";
    let mut began = 5_000_000;
    let mut made = |run: &str, stage: Stage, alias: &str| {
        let mut version = trained(&*own, run);
        began += 1;
        version.created_ms = began;
        let digest = Digest::of(run.as_bytes());
        own.promote(&promotion(version, stage, alias)).unwrap();
        own.end_run(run, Status::Finished, 9_000, None).unwrap();
        digest
    };
    made("m1", Stage::Production, "champion");
    made("m2", Stage::Production, "champion");
    let brought = |reasons: &[(u32, &str)]| {
        let versions = store.local().versions(model).unwrap();
        let aliases = &store.local().models().unwrap()[0].aliases;
        let reasons = reasons.iter().map(|(version, why)| (*version, (*why).to_owned())).collect();
        store.export_model(model, &versions, aliases, &reasons, &change()).unwrap()
    };
    // A version whose run is not there waits for it.
    let early = brought(&[]);
    assert_eq!((early.made, early.without_run), (0, vec![1, 2]));
    exported(&store);
    let first = brought(&[(1, "there was none"), (2, "better")]);
    assert_eq!((first.made, first.left.len()), (2, 0), "{first:?}");
    let expected = json!({
        "versions": [[1, "Archived", "m1", "there was none"], [2, "Production", "m2", "better"]],
        "aliases": { "champion": 2, "previous": 1 },
    });
    assert_eq!(server.ask(REGISTERED, &json!(model)), expected);
    let again = brought(&[]);
    assert_eq!((again.made, again.changes), (0, 0), "{again:?}");
    // Back to the first, and a third beside it.
    store.local().rollback(model, "champion", &change()).unwrap();
    made("m3", Stage::Staging, "challenger");
    exported(&store);
    assert_eq!(brought(&[]).made, 1);
    let standing = server.ask(REGISTERED, &json!(model));
    let stages: Vec<&Value> = standing["versions"].as_array().unwrap().iter().map(|version| &version[1]).collect();
    assert_eq!(stages, [&json!("Production"), &json!("Archived"), &json!("Staging")], "{standing}");
    let aliases = &store.local().models().unwrap()[0].aliases;
    assert_eq!(standing["aliases"], json!(aliases));
    // What is told of it is in the history, and the chain is whole.
    store.verify_history().unwrap();
    assert!(store.history(model).unwrap().len() >= 4);
    // Another's version in Production stays there.
    let rival = r#"
third = client.get_model_version(given, "3")
client.create_model_version(given, third.source, run_id=third.run_id, model_id=third.source.split("/")[-1])
client.transition_model_version_stage(given, "4", "Production", archive_existing_versions=True)
client.set_registered_model_alias(given, "champion", "4")
"#;
    server.ask(rival, &json!(model));
    let left = brought(&[]);
    assert_eq!((left.made, left.left.len()), (0, 2), "{left:?}");
    let standing = server.ask(REGISTERED, &json!(model));
    assert_eq!((&standing["versions"][3][1], &standing["aliases"]["champion"]), (&json!("Production"), &json!(4)));
    // Nor is another project's model touched.
    let stranger = of_project(store.local(), &server.url(), "another");
    let versions = store.local().versions(model).unwrap();
    let refused = stranger.export_model(model, &versions, &BTreeMap::new(), &BTreeMap::new(), &change());
    let of_other =
        |error: &Error| matches!(error, Error::Server(error) if matches!(**error, ServerError::OtherProject { .. }));
    assert!(refused.as_ref().is_err_and(of_other), "{refused:?}");
}

fn what_is_not_there(server: &mut Mlflow) {
    let dir = TempDir::new().unwrap();
    let store = of_project(&local(&dir), &server.url(), "churn");
    let refused = |asked: &Fetching| match store.import_runs(asked, &|_, _| true) {
        Err(Error::Server(error)) => error.diagnostic(),
        other => panic!("{other:?}"),
    };
    let told = refused(&Fetching { experiments: vec!["other teem".to_owned()], ..Fetching::default() });
    assert_eq!((told.code.as_str(), told.help[0].as_str()), ("tracking/not-there", "did you mean `other team`?"));
    for id in ["0123456789abcdef0123456789abcdef", "no id at all"] {
        assert_eq!(refused(&Fetching { runs: vec![id.to_owned()], ..Fetching::default() }).code, "tracking/not-there");
    }
    let told = refused(&Fetching { filter: "metrics.loss >".to_owned(), ..Fetching::default() });
    assert_eq!(told.code, "import/filter", "{told:?}");
    // A damaged artifact is not brought, and told; the other runs are.
    for run in ["damaged", "good"] {
        store.local().start_run(&new_run(run)).unwrap();
        store.local().log_artifact(run, "report.txt", run.as_bytes()).unwrap();
        store.local().end_run(run, Status::Finished, 9_000, None).unwrap();
    }
    let object = dir.path().join("objects");
    let digest = Digest::of(b"damaged").to_string();
    let path = walk(&object).into_iter().find(|path| path.to_string_lossy().replace('/', "").ends_with(&digest));
    let path = path.unwrap_or_else(|| panic!("{digest} is not in {:?}", walk(&object)));
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the folder is this test's own")]
    permissions.set_readonly(false);
    fs::set_permissions(&path, permissions).unwrap();
    fs::write(&path, b"altered").unwrap();
    let runs = store.local().runs(usize::MAX, None).unwrap();
    let brought = store.export_runs(&runs, PATIENCE, &|_| true).unwrap();
    let undelivered = brought.undelivered.unwrap();
    assert_eq!((undelivered.runs.len(), undelivered.runs[0].run.as_str()), (1, "damaged"));
    assert!(undelivered.runs[0].refused.is_some(), "{undelivered:?}");
    // A server that lost what it had is told again.
    let lost = r#"
import sqlite3
experiment = client.get_experiment_by_name("churn")
for run in client.search_runs([experiment.experiment_id], "tags.`trainyard.run` = 'good'"):
    client.delete_run(run.info.run_id)
    with sqlite3.connect(f"{folder}/runs.db") as file:
        for table in ["metrics", "latest_metrics", "params", "tags", "runs"]:
            file.execute(f"DELETE FROM {table} WHERE run_uuid = ?", [run.info.run_id])
"#;
    server.ask(lost, &Value::Null);
    let good = vec![store.local().run("good").unwrap().unwrap()];
    assert_eq!(counts(&store.export_runs(&good, PATIENCE, &|_| true).unwrap()), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&store.export_runs(&good, PATIENCE, &|_| true).unwrap()), [0, 0, 1, 0, 0]);
    // The server is gone.
    server.kill();
    assert!(
        matches!(store.import_runs(&Fetching::default(), &|_, _| true), Err(Error::Server(error)) if error.may_pass())
    );
    server.start();
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(walk(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all
}
