//! A project on a real MLflow server over a long line, over TLS, with rivals, and with deaths at every question.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use trainyard_judges::{Asked, Mlflow, Proxy, Reply, Way, Web, mlflow, s3, tls};

use crate::project::Project;
use crate::text;

/// A line so long that a run's steps are done before its first answer comes.
const LONG: Duration = Duration::from_millis(500);

/// What the official client finds of a registered model.
const STANDS: &str = r#"
name = given["model"]
versions = client.search_model_versions(f"name = '{name}'")
answer = {"aliases": {k: int(v) for k, v in client.get_registered_model(name).aliases.items()},
          "stages": {int(v.version): v.current_stage for v in versions}}
"#;

fn on(server: &str, name: &str) -> Project {
    let project = Project::new();
    let before = "tracking: {experiment: churn, ";
    project.edit("trainyard.yaml", before, &format!("tracking: {{uri: '{server}', experiment: {name}, "));
    project.edit("trainyard.yaml", "model: churn-predictor", &format!("model: {name}-predictor"));
    project
}

/// Has a project make two versions.
fn with_two_versions(server: &str, name: &str) -> Project {
    let project = on(server, name);
    assert_eq!(project.run()["decision"], "promoted");
    project.customers(150, 8, "more.csv");
    project.grow("more.csv");
    let lenient = ["run", "--set", "promote.when=not_worse", "--set", "promote.may_lose={roc_auc: 1}"];
    let second = project.json(&lenient);
    assert_eq!((&second["decision"], &second["model"]["version"]), (&json!("promoted"), &json!(2)));
    project
}

fn stands(server: &mut Mlflow, name: &str) -> Value {
    server.ask(STANDS, &json!({ "model": format!("{name}-predictor") }))
}

/// The actions of a model's history, the oldest first.
fn actions(project: &Project, name: &str) -> Vec<String> {
    let history = project.json(&["models", "history", &format!("{name}-predictor")]);
    let entries = history["history"].as_array().unwrap().iter();
    entries.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

/// Gives what an audit finds wrong: codes and notes.
fn audited(project: &Project) -> String {
    let output = project.call(&["models", "audit"]);
    if output.status.success() { String::new() } else { text(&output.stdout) + &text(&output.stderr) }
}

/// Calls with variables of the environment, and gives whether it went well with all that was said.
fn with(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command: Command = project.command(arguments);
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// What a gate before the server does with each request; none lets all through.
type Plan = Arc<Mutex<Option<Box<dyn FnMut(&Asked) -> Way + Send>>>>;

/// Opens a gate before the server, which keeps one address whatever is planned.
fn gate(server: &Mlflow) -> (Proxy, Plan) {
    let plan: Plan = Arc::default();
    let followed = Arc::clone(&plan);
    let proxy = Proxy::new(server.port(), move |asked, _| {
        let mut plan = followed.lock().unwrap_or_else(PoisonError::into_inner);
        plan.as_mut().map_or(Way::Through, |plan| plan(asked))
    });
    (proxy, plan)
}

fn follow(plan: &Plan, way: impl FnMut(&Asked) -> Way + Send + 'static) {
    *plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(way));
}

fn follow_none(plan: &Plan) {
    *plan.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Calls, and kills the process when it asks a question for the time `at`, which goes `way`; says how it ended.
fn killed(plan: &Plan, project: &Project, arguments: &[&str], at: usize, way: Way) -> ExitStatus {
    let child: Arc<Mutex<Option<Child>>> = Arc::default();
    let (doomed, mut heard) = (Arc::clone(&child), 0);
    follow(plan, move |_| {
        heard += 1;
        if heard != at + 1 {
            return Way::Through;
        }
        loop {
            if let Some(child) = doomed.lock().unwrap().as_mut() {
                child.kill().unwrap();
                return way;
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    let mut command = project.command(arguments);
    *child.lock().unwrap() = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let status = loop {
        if let Some(status) = child.lock().unwrap().as_mut().unwrap().try_wait().unwrap() {
            break status;
        }
        thread::sleep(Duration::from_millis(1));
    };
    follow_none(plan);
    status
}

/// What `doctor` says of the server: its health, what is found, and what mends it.
fn doctor(project: &Project) -> (String, String, String) {
    let output = project.call(&["doctor", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let areas = document["areas"].as_array().unwrap().iter();
    let found = areas.flat_map(|area| area["findings"].as_array().unwrap()).find(|one| one["name"] == "server");
    let told = |name: &str| found.unwrap()[name].as_str().unwrap_or_default().to_owned();
    (told("health"), told("what"), told("mend"))
}

/// Starting a server takes many seconds: much is asked of one.
#[test]
fn a_server_that_is_far_and_shared() {
    let Some(mut server) = mlflow() else { return };
    a_run_asks_few_questions_one_after_the_other(&server);
    who_comes_between_is_told(&mut server);
    what_is_deleted_on_the_server_is_told(&mut server);
}

#[test]
fn what_dies_beside_a_server_is_done_once() {
    let Some(mut server) = mlflow() else { return };
    a_change_by_hand_that_dies_is_done_once(&mut server);
    a_promotion_that_dies_is_done_once(&mut server);
}

/// A server whose artifacts lie in a store of objects is not asked to pass them on: long ones go there in parts.
#[test]
fn long_artifacts_go_straight_to_their_store() {
    let Some(mut server) = mlflow() else { return };
    let Some(mut store) = s3() else { return };
    store.bucket("kept");
    server.ask("client.create_experiment('stored', artifact_location='s3://kept/runs')", &Value::Null);
    let project = on(&server.url(), "stored");
    let large = "n_estimators: 1500, learning_rate: 0.01, max_leaf_nodes: 63, min_samples_leaf: 2";
    let small = "n_estimators: 100, learning_rate: 0.05, max_leaf_nodes: 15, min_samples_leaf: 20";
    project.edit("versions/models/v1.yaml", small, large);
    let url = store.url();
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "ours"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    // Whether a gate lets it pass is all the same.
    let (_, said) = with(&project, &["run"], &variables);
    let (is_done, told) = with(&project, &["runs", "sync"], &variables);
    assert!(is_done && !said.contains("tracking/undelivered"), "{said}{told}");
    let kept = store.list("kept");
    let (name, length) = kept.iter().max_by_key(|(_, length)| **length).unwrap();
    assert!(*length > 8 << 20, "{name} has {length} bytes, too few for two parts: {kept:?}");
    store.get("kept", name, &project.path("fetched"));
    let fetched = std::fs::read(project.path("fetched")).unwrap();
    let objects = project.files().into_iter().filter(|(path, _)| path.starts_with(project.path(".trainyard/objects")));
    assert!(objects.into_iter().any(|(_, bytes)| bytes == fetched), "{name} is not what was made");
}

#[test]
fn a_server_that_is_guarded_or_down() {
    let Some(mut server) = mlflow() else { return };
    certificates_and_ways_are_taken_from_the_environment(&server);
    doctor_asks_the_server(&mut server);
}

fn a_run_asks_few_questions_one_after_the_other(server: &Mlflow) {
    let proxy = Proxy::new(server.port(), |_, _| Way::Late(LONG));
    let project = on(&proxy.url(), "far");
    let mut before = 0;
    let mut count = |what: &str, most: usize| {
        let all = proxy.trips();
        let (trips, heard) = (all - before, proxy.heard());
        assert!(trips <= most, "{what} takes {trips} round trips: {heard:#?}");
        before = all;
    };
    // The experiment and the registered model are made, too.
    assert_eq!(project.run()["decision"], "promoted");
    count("a first promotion", 12);
    assert_eq!(project.run()["decision"], "kept");
    count("a run that is kept", 7);
}

fn who_comes_between_is_told(server: &mut Mlflow) {
    let (proxy, plan) = gate(server);
    let project = with_two_versions(&proxy.url(), "between");
    let ((held, hears), (go, goes_on)) = (channel(), channel::<()>());
    let mut is_held = false;
    follow(&plan, move |asked| {
        if asked.path.contains("transition-stage") && !is_held {
            is_held = true;
            held.send(()).unwrap();
            goes_on.recv().unwrap();
        }
        Way::Through
    });
    // The first version is to be in charge again; while our word is on its way, another makes a third and puts it there.
    let asked = ["models", "promote", "between-predictor/1", "--to", "Production", "--reason", "why", "--force"];
    let mut command = project.command(&asked);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    hears.recv().unwrap();
    let rival = r#"
first = client.get_model_version("between-predictor", "1")
version = client.create_model_version("between-predictor", first.source, run_id=first.run_id,
                                      model_id=first.source.removeprefix("models:/")).version
client.transition_model_version_stage("between-predictor", version, "Production", archive_existing_versions=True)
"#;
    server.ask(rival, &Value::Null);
    // Whoever wants the project meanwhile is told what holds it.
    let (is_done, said) = with(&project, &["run", "--set", "tracking.uri="], &[]);
    assert!(!is_done && said.contains("`trainyard models promote` is working on this project"), "{said}");
    go.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("tracking/changed-meanwhile"), "{said}");
    assert!(said.contains("v3"), "{said}");
    assert_eq!(stands(server, "between")["stages"], json!({ "1": "Production", "2": "Staging", "3": "Archived" }));
    let told = actions(&project, "between");
    assert_eq!(told[told.len() - 2..], ["promoted", "observed"], "{told:?}");
    assert_eq!(audited(&project), "");
}

/// Kills a rollback, and a promotion by hand, at each of their questions in turn. What is asked for again is done once.
fn a_change_by_hand_that_dies_is_done_once(server: &mut Mlflow) {
    let (proxy, plan) = gate(server);
    let project = with_two_versions(&proxy.url(), "undone");
    let back: &[&str] = &["models", "rollback", "undone-predictor", "--reason", "worse"];
    let forth: &[&str] =
        &["models", "promote", "undone-predictor/2", "--to", "Staging", "--force", "--reason", "better"];
    let first = json!({ "aliases": { "challenger": 1, "previous": 2 }, "stages": { "1": "Staging", "2": "Archived" } });
    let second =
        json!({ "aliases": { "challenger": 2, "previous": 1 }, "stages": { "1": "Archived", "2": "Staging" } });
    for way in [Way::Unheard, Way::Lost] {
        let mut at = 0;
        loop {
            let mut has_died = false;
            for (arguments, action, stood) in [(back, "rolled_back", &first), (forth, "promoted", &second)] {
                let before = actions(&project, "undone");
                let status = killed(&plan, &project, arguments, at, way);
                has_died |= !status.success();
                if !status.success() {
                    let again = project.call(arguments);
                    assert!(again.status.success(), "{action}, question {at}, {way:?}: {}", text(&again.stderr));
                }
                assert_eq!(stands(server, "undone"), *stood, "{action}, question {at}, {way:?}");
                let told = actions(&project, "undone");
                assert_eq!(told[before.len()..], [action], "question {at}, {way:?}");
                assert_eq!(audited(&project), "", "{action}, question {at}, {way:?}");
            }
            if !has_died {
                break;
            }
            at += 1;
        }
        assert!(at > 5, "{at} questions are too few");
    }
}

/// Kills a run at each change that its promotion makes on the server; it is resumed.
fn a_promotion_that_dies_is_done_once(server: &mut Mlflow) {
    for (number, route) in
        ["registered-models/create", "model-versions/create", "transition-stage", "registered-models/alias", "set-tag"]
            .into_iter()
            .enumerate()
    {
        let (proxy, plan) = gate(server);
        let name = format!("taken{number}");
        let project = on(&proxy.url(), &name);
        let child: Arc<Mutex<Option<Child>>> = Arc::default();
        let doomed = Arc::clone(&child);
        follow(&plan, move |asked| {
            if asked.path.contains(route) {
                doomed.lock().unwrap().as_mut().unwrap().kill().unwrap();
                return Way::Unheard;
            }
            Way::Through
        });
        let mut command = project.command(&["run"]);
        *child.lock().unwrap() = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        while child.lock().unwrap().as_mut().unwrap().try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        follow_none(&plan);
        let resumed = project.call(&["resume"]);
        assert!(resumed.status.success(), "{route}: {}", text(&resumed.stderr));
        let expected = json!({ "aliases": { "challenger": 1 }, "stages": { "1": "Staging" } });
        assert_eq!(stands(server, &name), expected, "{route}");
        assert_eq!(actions(&project, &name), ["promoted"], "{route}");
        assert_eq!(audited(&project), "", "{route}");
    }
}

fn what_is_deleted_on_the_server_is_told(server: &mut Mlflow) {
    let project = with_two_versions(&server.url(), "deleted");
    assert_eq!(audited(&project), "");
    // What another changed is found, and recorded with the next change.
    server.ask("client.set_registered_model_alias('deleted-predictor', 'champion', '1')", &Value::Null);
    let found = audited(&project);
    assert!(found.contains("tracking/registry-differs") && found.contains("champion → v1"), "{found}");
    server.ask("client.delete_model_version('deleted-predictor', '1')", &Value::Null);
    let found = audited(&project);
    assert!(found.contains("v1 deleted"), "{found}");
    let (is_done, said) = with(&project, &["models", "rollback", "deleted-predictor", "--reason", "worse"], &[]);
    assert!(!is_done && said.contains("tracking/nothing-before"), "{said}");
    assert!(said.contains("deleted from the registry: v1"), "{said}");
    let forth = ["models", "promote", "deleted-predictor/2", "--to", "Production", "--reason", "it is all there is"];
    project.json(&forth);
    let told = actions(&project, "deleted");
    assert_eq!(told, ["promoted", "promoted", "observed", "promoted"]);
    let shown = text(&project.call(&["models", "history", "deleted-predictor"]).stdout);
    assert!(shown.contains("v1 deleted"), "{shown}");
    assert_eq!(audited(&project), "");
    let standing = project.json(&["models", "as-of", "2099-01-01", "deleted-predictor"])["models"].clone();
    let versions = standing["deleted-predictor"]["versions"].as_object().unwrap();
    assert_eq!(versions.keys().collect::<Vec<_>>(), ["2"]);
}

fn certificates_and_ways_are_taken_from_the_environment(server: &Mlflow) {
    let Some(guarded) = tls(server.port(), false) else { return };
    let (authority, listed) = (guarded.authority().to_str().unwrap(), ["models", "list"]);
    let project = on(&guarded.url(), "guarded");
    let known = ("MLFLOW_TRACKING_SERVER_CERT_PATH", authority);
    for trusted in [
        known,
        ("REQUESTS_CA_BUNDLE", authority),
        ("SSL_CERT_FILE", authority),
        ("MLFLOW_TRACKING_INSECURE_TLS", "true"),
    ] {
        let (is_done, said) = with(&project, &listed, &[trusted]);
        assert!(is_done, "{trusted:?}: {said}");
    }
    let (is_done, said) = with(&project, &["run"], &[known]);
    assert!(is_done, "{said}");
    for command in [&["run"][..], &listed] {
        let (is_done, said) = with(&project, command, &[]);
        assert!(!is_done && said.contains("tracking/server-untrusted"), "{said}");
        assert!(said.contains("certificate") && said.contains("MLFLOW_TRACKING_SERVER_CERT_PATH"), "{said}");
    }
    let (is_done, said) = with(&project, &listed, &[known, ("MLFLOW_TRACKING_INSECURE_TLS", "true")]);
    assert!(!is_done && said.contains("both set"), "{said}");
    // A server that asks who comes.
    let Some(asking) = tls(server.port(), true) else { return };
    let project = on(&asking.url(), "asking");
    let known = ("MLFLOW_TRACKING_SERVER_CERT_PATH", asking.authority().to_str().unwrap());
    let shown = ("MLFLOW_TRACKING_CLIENT_CERT_PATH", asking.own().to_str().unwrap());
    let (is_done, said) = with(&project, &listed, &[known, shown]);
    assert!(is_done, "{said}");
    let (is_done, said) = with(&project, &listed, &[known]);
    assert!(!is_done && said.contains("MLFLOW_TRACKING_CLIENT_CERT_PATH"), "{said}");
    // The way leads through another machine, unless it is said not to.
    let proxy = Proxy::new(server.port(), |_, _| Way::Through);
    let project = on(&server.url(), "around");
    let way = proxy.url();
    let ways = [("HTTP_PROXY", way.as_str()), ("http_proxy", &way), ("NO_PROXY", ""), ("no_proxy", "")];
    let (is_done, said) = with(&project, &listed, &ways);
    assert!(is_done, "{said}");
    let heard = proxy.heard().len();
    assert!(heard > 0, "nobody came by");
    let ways =
        [("HTTP_PROXY", way.as_str()), ("http_proxy", &way), ("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")];
    assert!(with(&project, &listed, &ways).0);
    assert_eq!(proxy.heard().len(), heard);
    // A user with a password.
    let closed = Web::new(|asked| {
        let is_let_in = asked.headers.get("authorization").is_some_and(|said| said == "Basic YWRhOnBAc3M=");
        Reply::status(if is_let_in { 200 } else { 401 }).body(b"{}")
    });
    let project = on(&closed.url(), "closed");
    let user = [("MLFLOW_TRACKING_USERNAME", "ada"), ("MLFLOW_TRACKING_PASSWORD", "p@ss")];
    let (is_done, said) = with(&project, &listed, &user);
    assert!(is_done, "{said}");
    let (is_done, said) = with(&project, &listed, &[]);
    assert!(!is_done && said.contains("MLFLOW_TRACKING_USERNAME"), "{said}");
}

fn doctor_asks_the_server(server: &mut Mlflow) {
    let project = on(&server.url(), "asked");
    let (health, what, _) = doctor(&project);
    assert!(health == "well" && what.starts_with("MLflow 3.") && what.contains("answers in"), "{health}: {what}");
    server.kill();
    let (health, what, mend) = doctor(&project);
    assert!(health == "broken" && what.contains("can't be reached") && !mend.is_empty(), "{health}: {what}: {mend}");
    // The second time that the registry is asked for, nobody waits as long as at the first.
    let asked =
        |proxy: &Proxy| proxy.heard().iter().filter(|(asked, _)| asked.contains("registered-models/get")).count();
    let down = Proxy::new(server.port(), |_, _| Way::Status(503));
    let waiting = on(&down.url(), "waiting");
    assert_eq!(waiting.call(&["run"]).status.code(), Some(1));
    assert!(asked(&down) <= 10, "{:?}", down.heard());
    assert_eq!(project.call(&["run"]).status.code(), Some(1));
    server.start();
    let (health, what, mend) = doctor(&project);
    assert!(what.contains("1 run waits to be told"), "{what}");
    assert_eq!((health.as_str(), mend.as_str()), ("warning", "`trainyard runs sync`"));
    project.json(&["runs", "sync"]);
    assert_eq!(doctor(&project).0, "well");
    let page = Web::new(|_| Reply::status(404).body(b"<html><h1>Welcome</h1></html>"));
    let (health, what, _) = doctor(&on(&page.url(), "page"));
    assert!(health == "broken" && what.contains("is no MLflow server"), "{health}: {what}");
    let closed = Web::new(|_| Reply::status(401));
    let (health, what, mend) = doctor(&on(&closed.url(), "closed"));
    assert!(health == "broken" && what.contains("does not let you in"), "{health}: {what}");
    assert!(mend.contains("MLFLOW_TRACKING_TOKEN"), "{mend}");
    let silent = Proxy::new(server.port(), |_, _| Way::Late(Duration::from_secs(60)));
    let (health, what, _) = doctor(&on(&silent.url(), "silent"));
    assert!(health == "broken" && what.contains("can't be reached"), "{health}: {what}");
}
