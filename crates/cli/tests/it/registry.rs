//! The registry by hand, through the binary: promoted, rolled back, archived, told and audited.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::{Value, json};
use trainyard_files::Digest;

use crate::project::{Project, REFERENCE};
use crate::text;

pub(crate) const MODEL: &str = "churn-predictor";

/// Gives `version stage aliases` of every version, the newest first.
pub(crate) fn shown(project: &Project) -> Vec<String> {
    let found = project.json(&["models", "show", MODEL]);
    let line = |version: &Value| {
        let aliases: Vec<&str> = version["aliases"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let stage = version["stage"].as_str().unwrap();
        format!("{} {stage} {}", version["version"], aliases.join(" ")).trim_end().to_owned()
    };
    found["versions"].as_array().unwrap().iter().map(line).collect()
}

/// Gives the entries of the history.
pub(crate) fn history(project: &Project) -> Vec<Value> {
    project.json(&["models", "history", MODEL])["history"].as_array().unwrap().clone()
}

/// Makes two versions, and a candidate that a gate refused.
fn two_versions() -> Project {
    let project = Project::new();
    project.run();
    project.customers(150, 8, "more.csv");
    project.grow("more.csv");
    let lenient = ["--set", "promote.when=not_worse", "--set", "promote.may_lose={roc_auc: 1}"];
    assert_eq!(project.json(&[&["run"][..], &lenient].concat())["decision"], "promoted");
    let refused = project.call(&["run", "--env", "strict"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    project
}

pub(crate) fn failed(project: &Project, arguments: &[&str]) -> (i32, String) {
    let output = project.call(&[arguments, &["--json"]].concat());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let code = document["error"][0]["code"].as_str().unwrap_or_default().to_owned();
    (output.status.code().unwrap(), code)
}

#[test]
fn what_was_decided_is_told_with_its_grounds_and_can_be_taken_back() {
    let project = two_versions();
    assert_eq!(shown(&project), ["2 Staging challenger", "1 Archived previous"]);
    let told = history(&project);
    let actions: Vec<&str> = told.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["promoted", "promoted", "refused"]);
    let refused = &told[2];
    assert_eq!((&refused["version"], &refused["decision"]["reason"]["kind"]), (&Value::Null, &json!("gates")));
    let gates = refused["decision"]["gates"].as_array().unwrap();
    assert!(gates.iter().any(|gate| gate["passed"] == false && gate["value"].is_number()), "{gates:?}");
    assert_eq!(told[1]["decision"]["comparison"]["outcome"], "measured");
    assert_eq!(told[1]["decision"]["incumbent"]["version"], 1);
    let reference = Digest::of(&fs::read(project.path(REFERENCE)).unwrap()).to_string();
    assert!(told.iter().all(|entry| entry["decision"]["reference"] == reference.as_str()), "{told:?}");
    assert!(told.iter().all(|entry| entry["who"].as_str().unwrap().contains('@')));

    let promote = ["models", "promote", "churn-predictor@challenger", "--to", "Production", "--reason", "a good week"];
    let promoted = project.json(&promote);
    assert_eq!((&promoted["stage"], &promoted["aliases"]), (&json!("Production"), &json!(["challenger", "champion"])));
    let entry = history(&project).pop().unwrap();
    assert_eq!((&entry["reason"], &entry["action"]), (&json!("a good week"), &json!("promoted")));
    // The first version was archived for the second: who wants it back has to mean it.
    let back = ["models", "promote", "churn-predictor/1", "--to", "Production"];
    assert_eq!(failed(&project, &back), (1, "tracking/needs-force".to_owned()));
    let forced = project.json(&[&back[..], &["--force", "--reason", "v2 fails on new customers"]].concat());
    assert_eq!(forced["stage"], "Production");
    assert_eq!(shown(&project), ["2 Archived challenger previous", "1 Production champion"]);
    assert_eq!(history(&project).pop().unwrap()["decision"]["forced"], true);
    let back = project.json(&["models", "rollback", MODEL, "--alias", "champion"]);
    assert_eq!(back["version"], 2);
    assert_eq!(shown(&project), ["2 Production challenger champion", "1 Archived previous"]);
    let away = project.json(&["models", "archive", "churn-predictor/2", "--reason", "old"]);
    assert_eq!((&away["stage"], &away["aliases"]), (&json!("Archived"), &json!([])));
    let page = text(&project.call(&["models", "history", MODEL]).stdout);
    assert!(page.contains("refused") && page.contains("rolled back") && page.contains("v2 fails on"), "{page}");
    project.json(&["models", "audit"]);
}

#[test]
fn what_stood_at_a_moment_is_told() {
    let project = two_versions();
    let told = history(&project);
    let at = |entry: &Value| {
        let moment = chrono::DateTime::from_timestamp_millis(entry["at_ms"].as_i64().unwrap()).unwrap();
        moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    };
    let standing = |time: &str| project.json(&["models", "as-of", time])["models"][MODEL].clone();
    let first = standing(&at(&told[0]));
    assert_eq!((&first["aliases"], &first["versions"]["1"]["stage"]), (&json!({"challenger": 1}), &json!("Staging")));
    let second = standing(&at(&told[1]));
    assert_eq!(second["aliases"], json!({"challenger": 2, "previous": 1}));
    assert_eq!(second["versions"]["1"]["stage"], "Archived");
    assert_eq!(second["versions"]["2"]["digest"], project.json(&["models", "show", "churn-predictor/2"])["digest"]);
    assert_eq!(standing("2020-01-31"), json!({"versions": {}, "aliases": {}}));
}

#[test]
fn an_audit_sees_what_was_changed_cut_off_or_lost() {
    let project = two_versions();
    let audit = project.json(&["models", "audit"]);
    assert_eq!((&audit["entries"], &audit["whole"]), (&json!(3), &json!(2)));
    let head = audit["head"].as_str().unwrap().to_owned();
    project.json(&["models", "rollback", MODEL]);
    assert_eq!(project.json(&["models", "audit", "--expect", &head[..12]])["expected_at"], 3);
    let strange = ["models", "audit", "--expect", "00c0ffee"];
    assert_eq!(failed(&project, &strange), (1, "tracking/unknown-head".to_owned()));
    // Somebody gets round the triggers, and cuts the history off where nothing else shows it.
    let store = project.path(".trainyard/tracking/tracking.db");
    let database = Connection::open(&store).unwrap();
    let guarded = "DROP TRIGGER history_stands; DROP TRIGGER history_stays;";
    database.execute_batch(guarded).unwrap();
    database.execute("UPDATE history SET reason = reason || ' ' WHERE sequence = 2", []).unwrap();
    drop(database);
    assert_eq!(failed(&project, &["models", "audit"]), (1, "tracking/broken-history".to_owned()));
    let database = Connection::open(&store).unwrap();
    database.execute("UPDATE history SET reason = rtrim(reason) WHERE sequence = 2", []).unwrap();
    drop(database);
    project.json(&["models", "audit"]);
    // A model whose bytes are gone is named.
    let run = history(&project)[0]["run"].as_str().unwrap().to_owned();
    let files = project.json(&["runs", "show", &run])["artifacts"].clone();
    let model = files.as_array().unwrap().iter().find(|file| file["path"] == "model/model.json").unwrap().clone();
    let digest = model["digest"].as_str().unwrap();
    // An object lies under its digest, whose first letters may be a folder.
    let is_model = |path: &PathBuf| path.to_string_lossy().replace('/', "").ends_with(digest);
    let object = project.files().into_iter().map(|(path, _)| path).find(is_model);
    fs::remove_file(object.expect("the object of the model")).unwrap();
    assert_eq!(failed(&project, &["models", "audit"]), (1, "tracking/model-bytes".to_owned()));
}

#[test]
fn of_two_at_once_each_is_done_whole_or_told() {
    let project = two_versions();
    for round in 0..6 {
        let promote = |version: &str| {
            let words = ["models", "promote", version, "--to", "Production", "--force", "--reason", "race"];
            project.command(&words).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        };
        let racers = [promote("churn-predictor/1"), promote("churn-predictor/2")];
        let ends = racers.map(|racer| racer.wait_with_output().unwrap());
        assert!(ends.iter().any(|end| end.status.success()), "round {round}");
        for end in ends.iter().filter(|end| !end.status.success()) {
            let said = text(&end.stderr);
            assert!(end.status.code() == Some(1) && said.contains("files/project-locked"), "round {round}: {said}");
        }
        let found = shown(&project);
        assert_eq!(found.iter().filter(|line| line.contains("Production") && line.contains("champion")).count(), 1);
        assert_eq!(found.iter().filter(|line| line.contains("Production")).count(), 1, "{found:?}");
        project.json(&["models", "audit"]);
    }
}
