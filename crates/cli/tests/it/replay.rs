//! Past decisions, judged again by another policy.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use trainyard_files::{Digest, Digester};

use crate::policy::{BETTER, GOOD, STUMP, run, with_promotion};
use crate::project::Project;
use crate::registry::{MODEL, failed};
use crate::text;

/// Judges the history again by a policy.
fn replayed(project: &Project, policy: &str, words: &[&str]) -> Value {
    project.write("policy.yaml", policy);
    project.json(&[&["gate", "replay", "policy.yaml"], words].concat())
}

/// Gives `then`, or `then → now` where that is something else, of every decision.
fn told(found: &Value) -> Vec<String> {
    let all = found["decisions"].as_array().unwrap().iter();
    let one = |one: &Value| {
        let (then, now) = (one["then"].as_str().unwrap(), one["now"].as_str().unwrap_or("unknown"));
        assert_eq!(one["changed"], json!(then != now && now != "unknown"), "{one}");
        if then == now { then.to_owned() } else { format!("{then} → {now}") }
    };
    all.map(one).collect()
}

fn why(found: &Value, place: usize) -> &str {
    found["decisions"][place]["why"].as_str().unwrap()
}

/// Every file but those of the tracking store, whose log SQLite tidies up when somebody looks into it.
fn files(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let tracking = project.path(".trainyard/tracking");
    project.files().into_iter().filter(|(path, _)| !path.starts_with(&tracking)).collect()
}

/// Makes a history: promoted twice, kept twice, refused, taken back by hand, and promoted.
fn decided() -> Project {
    let project = with_promotion(Project::new(), "{to: Production, alias: champion}");
    let runs: [(_, &[&str], _); 5] = [
        (STUMP, &[], "promoted"),
        (GOOD, &[], "promoted"),
        (STUMP, &[], "kept"),
        (BETTER, &["promote.significant=0.05"], "kept"),
        (BETTER, &["gates.at_least.precision=0.99"], "refused"),
    ];
    for (model, policy, expected) in runs {
        assert_eq!(run(&project, model, policy).1["decision"], expected);
    }
    project.json(&["models", "rollback", MODEL]);
    assert_eq!(run(&project, BETTER, &[]).1["decision"], "promoted");
    project
}

#[test]
fn a_policy_changes_past_decisions_in_every_direction() {
    let project = decided();
    project.write("policy.yaml", "");
    let before = files(&project);
    // The same as it was.
    let same = replayed(&project, "promote: {alias: champion, to: Production, significant: 0.05}\n", &[]);
    assert_eq!(told(&same), ["promoted", "promoted", "kept", "kept", "refused", "promoted"]);
    assert_eq!((&same["changed"], &same["unknown"], &same["by_hand"]), (&json!(0), &json!(0), &json!(1)));
    assert!(same["decisions"].as_array().unwrap().iter().all(|one| one["computed"] == json!([])), "{same:#}");
    // Gates of another kind: what was let through is refused, and what was refused is compared.
    let gates = replayed(&project, "gates: {at_least: {roc_auc: 0.8}}\n", &[]);
    let expected = ["promoted → refused", "promoted", "kept → refused", "kept", "refused → promoted", "promoted"];
    assert_eq!(told(&gates), expected);
    assert_eq!((&gates["changed"], &gates["judged"]), (&json!(3), &json!(6)));
    assert!(why(&gates, 0).starts_with("roc_auc 0.7") && why(&gates, 0).ends_with(", not ≥ 0.8"), "{gates:#}");
    assert!(why(&gates, 4).starts_with("no gate on precision; roc_auc +0.0"), "{gates:#}");
    // A gate that is lowered lets through what it said no to, and says the value.
    let lower = replayed(&project, "gates: {at_least: {precision: 0.2}}\n", &[]);
    assert_eq!(told(&lower)[4], "refused → promoted");
    assert!(why(&lower, 4).starts_with("precision 0.") && why(&lower, 4).contains(", ≥ 0.2; roc_auc +"), "{lower:#}");
    // An empty section asks for nothing; one that is left out is as it was.
    assert_eq!(told(&replayed(&project, "gates: {}\n", &[]))[4], "refused → promoted");
    let gain = replayed(&project, "promote: {alias: champion, minimum_gain: 0.05}\n", &[]);
    assert_eq!(told(&gain), ["promoted", "promoted", "kept", "kept", "refused", "promoted"]);
    assert!(why(&gain, 3).contains("is less than the 0.05 asked for"), "{gain:#}");
    // What was taken back stands no longer: the last one was compared with the first.
    let more = replayed(&project, "promote: {alias: champion, minimum_gain: 0.112}\n", &[]);
    assert_eq!(told(&more), ["promoted", "promoted → kept", "kept", "kept", "refused", "promoted"]);
    let lost = replayed(&project, "promote: {alias: champion, may_lose: {roc_auc: 0.01}}\n", &[]);
    assert_eq!(told(&lost)[2..4], ["kept → refused", "kept → promoted"]);
    // Nobody ever held this alias.
    let nobody = replayed(&project, "promote: {alias: rookie}\n", &[]);
    assert_eq!(told(&nobody)[2..], ["kept → promoted", "kept → promoted", "refused", "promoted"]);
    assert_eq!(nobody["decisions"][2]["comparison"]["outcome"], "no_incumbent");
    // What was measured with a clock is recorded, too.
    let slow = replayed(&project, "gates: {at_most: {latency_p95_ms: 0.000001, training_seconds: 100000}}\n", &[]);
    assert!(told(&slow).iter().all(|one| one.ends_with("refused")), "{slow:#}");
    // A whole project file is a policy, and so is that with other values.
    let whole = project.json(&["gate", "replay", "trainyard.yaml"]);
    assert_eq!(told(&whole)[3], "kept → promoted");
    let set = ["gate", "replay", "trainyard.yaml", "--set", "gates.at_most.log_loss=0.5"];
    assert_eq!(told(&project.json(&set))[0], "promoted → refused");

    // As a person reads it.
    project.write("policy.yaml", "gates: {at_least: {roc_auc: 0.8}}\n");
    let shown = text(&project.call(&["gate", "replay", "policy.yaml"]).stdout);
    assert!(shown.contains("v1        promoted → refused   roc_auc 0.7"), "{shown}");
    let closing = "3 of 6 decisions would have been others. 1 change by hand is left as it was.\n";
    assert!(shown.ends_with(&format!("\n\n{closing}")), "{shown}");
    let changed = text(&project.call(&["gate", "replay", "policy.yaml", "--changed"]).stdout);
    assert_eq!((changed.lines().count(), changed.ends_with(closing)), (1 + 3 + 2, true), "{changed}");
    let third = gates["decisions"][2]["at_ms"].as_i64().unwrap();
    let moment = chrono::DateTime::from_timestamp_millis(third).unwrap();
    let since = moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let later = project.json(&["gate", "replay", "policy.yaml", "--since", &since, "--model", MODEL, "--changed"]);
    assert_eq!((&later["judged"], told(&later).len()), (&json!(4), 2));
    let nothing = text(&project.call(&["gate", "replay", "policy.yaml", "--since", "2999-01-01"]).stdout);
    assert_eq!(nothing, "No run has decided anything since 2999-01-01 00:00:00 UTC.\n");
    let unknown = failed(&project, &["gate", "replay", "policy.yaml", "--model", "churn-predicter"]);
    assert_eq!(unknown, (1, "tracking/unknown-model".to_owned()));
    project.write("policy.yaml", "");
    assert!(files(&project) == before, "something was written");
}

#[test]
fn what_was_not_recorded_is_computed_as_a_run_would_have() {
    let project = with_promotion(Project::new(), "{to: Production, alias: champion}");
    project.edit("trainyard.yaml", "promote:", "evaluate: {slices: [Contract]}\npromote:");
    run(&project, STUMP, &[]);
    run(&project, GOOD, &[]);
    let twin = Project::new();
    for (path, bytes) in project.files() {
        twin.write(path.strip_prefix(project.path("")).unwrap().to_str().unwrap(), bytes);
    }
    // The same candidate, under either policy.
    let (_, here) = run(&project, BETTER, &[]);
    let gates = "gates={at_least: {f2: 0.1, balanced_accuracy: 0.6}, worst_slice: {at_least: {accuracy: 0.1, f2: 0}}}";
    let promote = "promote={alias: champion, metric: balanced_accuracy, significant: 0.6, may_lose: {d2_brier: 0.5}}";
    let (_, there) = run(&twin, BETTER, &[gates, promote]);
    assert_eq!(here["candidate"]["digest"], there["candidate"]["digest"]);
    let policy = [gates, promote].map(|section| section.replacen('=', ": ", 1) + "\n").concat();
    let found = replayed(&project, &policy, &[]);
    let last = &found["decisions"][2];
    assert_eq!((&last["now"], &last["computed"]), (&there["decision"], &json!(["metrics", "slices", "comparison"])));
    assert_eq!(last["comparison"], there["comparison"]);
    assert_eq!((&last["gates"], &last["comparison"]["metric"]), (&there["gates"], &json!("balanced_accuracy")));
    assert_eq!(last["why"], there["reason"]);
    assert!(last["gates"][3]["slice"].is_string() && last["gates"][3]["name"] == "worst_slice.f2", "{last:#}");
    // Of a metric that every report has, values are recorded, and chance is not.
    let recorded = replayed(&project, "promote: {alias: champion, metric: f1}\n", &[]);
    assert_eq!(recorded["decisions"][2]["computed"], json!([]));
    let chance = "promote: {alias: champion, metric: f1, significant: 0.5}\n";
    assert_eq!(replayed(&project, chance, &[])["decisions"][2]["computed"], json!(["comparison"]));
    let (_, with_chance) = run(&twin, BETTER, &["promote.metric=f1", "promote.significant=0.5"]);
    assert_eq!(replayed(&project, chance, &[])["decisions"][2]["comparison"], with_chance["comparison"]);

    // Without the model that stood there the comparison can't be made; gates are judged all the same.
    let history = project.json(&["models", "history", MODEL])["history"].clone();
    let files = project.json(&["runs", "show", history[1]["run"].as_str().unwrap()])["artifacts"].clone();
    let model = files.as_array().unwrap().iter().find(|file| file["path"] == "model/model.json").unwrap();
    let (object, bytes) = taken(&project, model["digest"].as_str().unwrap());
    let gone = replayed(&project, chance, &[]);
    assert_eq!((&here["decision"], told(&gone)[2].as_str()), (&json!("promoted"), "promoted → unknown"));
    assert!(why(&gone, 2).starts_with("churn-predictor v2 can't be read: "), "{gone:#}");
    assert_eq!(told(&replayed(&project, "gates: {at_least: {f2: 0.9}}\n", &[]))[2], "promoted → refused");
    fs::write(object, bytes).unwrap();
    // Without the reference test only what was recorded can be judged again.
    taken(&project, history[2]["decision"]["reference"].as_str().unwrap());
    let gone = replayed(&project, &policy, &[]);
    assert_eq!(told(&gone), ["promoted → unknown", "promoted → unknown", "promoted → unknown"]);
    assert!(why(&gone, 2).starts_with("the reference test can't be read: "), "{gone:#}");
    assert_eq!((&gone["changed"], &gone["unknown"]), (&json!(0), &json!(3)));
    let shown = text(&project.call(&["gate", "replay", "policy.yaml"]).stdout);
    assert!(shown.ends_with("None of 3 decisions would have been another; 3 are unknown.\n"), "{shown}");
    // A gate that says no by what is recorded is enough.
    let strict = "gates: {at_least: {roc_auc: 0.99, f2: 0.1}}\n";
    assert!(told(&replayed(&project, strict, &[])).iter().all(|one| one == "promoted → refused"));
    // What fits no run is the policy's fault, and shown in it.
    project.write("policy.yaml", "promote:\n  alias: champion\n  metric: rmse\n");
    let output = project.call(&["gate", "replay", "policy.yaml"]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("error[spec/other-task]"), "{said}");
    assert!(said.contains("policy.yaml:3:11"), "{said}");
}

/// Takes an object out of the store; gives where it lay, and its bytes.
fn taken(project: &Project, digest: &str) -> (PathBuf, Vec<u8>) {
    let is_it = |path: &Path| path.to_string_lossy().replace('/', "").ends_with(digest);
    let found = project.files().into_iter().find(|(path, _)| is_it(path)).expect("the object is stored");
    fs::remove_file(&found.0).unwrap();
    found
}

#[test]
fn a_history_without_decisions_is_told_as_such() {
    let project = Project::new();
    project.write("policy.yaml", "gates: {}\n");
    let output = project.call(&["gate", "replay", "policy.yaml"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(said, "No run has decided anything yet. With `promote` in trainyard.yaml one does: trainyard run\n");
    let found = project.json(&["gate", "replay", "policy.yaml"]);
    assert_eq!((&found["judged"], &found["decisions"]), (&json!(0), &json!([])));
    assert!(!project.path(".trainyard").exists());
    let elsewhere = tempfile::tempdir().unwrap();
    let place = elsewhere.path().to_str().unwrap();
    let (code, problem) = failed(&project, &["gate", "replay", "policy.yaml", "--project", place]);
    assert_eq!((code, problem.as_str()), (1, "project/absent"));
}

/// Entries of the first schema say neither what was compared nor with what: that is read from the run.
#[test]
fn a_history_of_the_first_schema_is_judged_again() {
    let project = with_promotion(Project::new(), "{to: Production, alias: champion}");
    run(&project, STUMP, &[]);
    run(&project, GOOD, &[]);
    let policy = "gates: {at_least: {roc_auc: 0.8}}\npromote: {alias: champion, minimum_gain: 0.2}\n";
    let now = replayed(&project, policy, &[]);
    assert_eq!(told(&now), ["promoted → refused", "promoted → kept"]);
    to_first_schema(&project);
    let then = replayed(&project, policy, &[]);
    assert_eq!(told(&then), told(&now));
    assert_eq!((why(&then, 0), why(&then, 1)), (why(&now, 0), why(&now, 1)));
    assert_eq!(then["decisions"][1]["comparison"], now["decisions"][1]["comparison"]);
    assert_eq!(then["decisions"][1]["computed"], json!([]));
    // Another metric needs the model that stood there, whom only the entries before tell.
    let other = "promote: {alias: champion, metric: balanced_accuracy}\n";
    assert_eq!(replayed(&project, other, &[])["decisions"][1]["computed"], json!(["comparison"]));
}

#[test]
fn an_altered_history_is_not_judged() {
    let project = with_promotion(Project::new(), "{to: Production, alias: champion}");
    run(&project, STUMP, &[]);
    project.write("policy.yaml", "gates: {}\n");
    let database = Connection::open(project.path(".trainyard/tracking/tracking.db")).unwrap();
    database.execute_batch("DROP TRIGGER history_stands; UPDATE history SET reason = 'it was better'").unwrap();
    drop(database);
    let (code, problem) = failed(&project, &["gate", "replay", "policy.yaml"]);
    assert_eq!((code, problem.as_str()), (1, "tracking/broken-history"));
}

/// Writes the store anew as the first schema's program would have.
fn to_first_schema(project: &Project) {
    let folder = project.path(".trainyard/tracking");
    let later = project.path("later");
    fs::rename(&folder, &later).unwrap();
    fs::create_dir(&folder).unwrap();
    let store = Connection::open(folder.join("tracking.db")).unwrap();
    let schemas = trainyard_judges::repository().join("crates/tracking/src/embedded");
    store.execute_batch(&fs::read_to_string(schemas.join("schema_v1.sql")).unwrap()).unwrap();
    store.execute("ATTACH ?1 AS later", [later.join("tracking.db").to_str().unwrap()]).unwrap();
    let tables = ["runs", "params", "metrics", "tags", "inputs", "artifacts", "models", "versions", "aliases"];
    for table in tables.iter().chain(&["reference_uses"]) {
        let columns: Vec<String> = store
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .and_then(|mut found| found.query_map([], |row| row.get(0))?.collect())
            .unwrap();
        let columns = columns.join(", ");
        store.execute_batch(&format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM later.{table}")).unwrap();
    }
    type Entry = (i64, i64, String, String, String, String, i64);
    let entries: Vec<Entry> = store
        .prepare("SELECT sequence, version, effects, run, reason, decision, at_ms FROM later.history ORDER BY sequence")
        .and_then(|mut found| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
            };
            found.query_map([], read)?.collect()
        })
        .unwrap();
    let mut previous = Digest::from_bytes([0; 32]);
    for (sequence, version, effects, run, reason, decision, at_ms) in entries {
        let decision: Value = serde_json::from_str(&decision).unwrap();
        let decision = json!({ "decision": decision["decision"], "reason": decision["reason"] }).to_string();
        let hash = Digester::new("trainyard registry history 1")
            .digest(&previous)
            .number(sequence as u64)
            .text(MODEL)
            .number(version as u64)
            .text("promoted")
            .text(&effects)
            .number(1)
            .text(&run)
            .text(&reason)
            .text(&decision)
            .number(at_ms as u64)
            .finish();
        store
            .execute(
                "INSERT INTO history VALUES (?1, ?2, ?3, 'promoted', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    sequence,
                    MODEL,
                    version,
                    effects,
                    run,
                    reason,
                    decision,
                    at_ms,
                    previous.to_string(),
                    hash.to_string()
                ],
            )
            .unwrap();
        previous = hash;
    }
    let application: i64 = store.query_row("PRAGMA later.application_id", [], |row| row.get(0)).unwrap();
    store.pragma_update(None, "application_id", application).unwrap();
    store.pragma_update(None, "user_version", 1).unwrap();
    drop(store);
    fs::remove_dir_all(later).unwrap();
}
