//! Proof: a run is repeated from a bundle alone, and what differs is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project, below, run_of};
use crate::text;

const BUNDLE: &str = "run.tar.zst";

/// Exports a run into a file of the project.
fn exported(project: &Project, run: &str) -> PathBuf {
    let path = project.path(BUNDLE);
    let report = project.json(&["export", run, path.to_str().unwrap()]);
    assert_eq!(report["bytes"].as_u64().unwrap(), fs::metadata(&path).unwrap().len());
    path
}

/// Takes a bundle apart with the system's own programs.
fn unpacked(bundle: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let output = Command::new("tar").args(["--zstd", "-xf"]).arg(bundle).arg("-C").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

/// Writes an archive with the system's own programs, its members in this order.
fn packed(folder: &Path, members: &[String], bundle: &Path) {
    let mut tar = Command::new("tar");
    tar.args(["--zstd", "--format=gnu", "--no-recursion", "-cPf"]).arg(bundle).arg("-C").arg(folder).args(members);
    let output = tar.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The members of an unpacked bundle in the order of its manifest.
fn members(folder: &Path) -> Vec<String> {
    let manifest = manifest(folder);
    let members = manifest["members"].as_array().unwrap().iter();
    let names = members.map(|member| member["path"].as_str().unwrap().to_owned());
    std::iter::once("manifest.json".to_owned()).chain(names).collect()
}

/// Calls the binary in a folder that holds nothing.
fn elsewhere(arguments: &[&str]) -> Output {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainyard"));
    command.args(arguments).current_dir(empty.path()).env_remove("TRAINYARD_ENV").env("NO_COLOR", "1");
    let output = command.env("TMPDIR", empty.path()).output().unwrap();
    let (_, left) = below(empty.path());
    assert!(left.is_empty() && fs::read_dir(empty.path()).unwrap().next().is_none(), "it leaves nothing: {left:?}");
    output
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

#[test]
fn a_bundle_is_the_same_twice_and_repeats_the_run_without_its_project() {
    let project = Project::new();
    project.run();
    project.customers(150, 8, "more.csv");
    project.grow("more.csv");
    // The second run has an incumbent and a reference test that it did not freeze.
    let output = project.call(&["run", "--json"]);
    let second: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(second["comparison"]["outcome"], "measured");
    let bundle = exported(&project, run_of(&second));
    let again = project.path("again.tar.zst");
    project.json(&["export", run_of(&second), again.to_str().unwrap()]);
    assert!(fs::read(&bundle).unwrap() == fs::read(&again).unwrap(), "the same run, the same bytes");

    let folder = project.path("unpacked");
    unpacked(&bundle, &folder);
    let manifest = manifest(&folder);
    assert_eq!((&manifest["format"], &manifest["data"]["form"]), (&json!(1), &json!("source_file")));
    assert_eq!(fs::read(folder.join("source/customers.csv")).unwrap(), fs::read(project.path(CUSTOMERS)).unwrap());
    assert_eq!(manifest["incumbent"]["version"], 1);
    let listed = Command::new("tar").args(["--zstd", "-tvf"]).arg(&bundle).env("TZ", "UTC").output().unwrap();
    let listed = text(&listed.stdout);
    assert!(listed.lines().all(|line| line.starts_with("-rw-r--r-- 0/0 ") && line.contains(" 1970-01-01 00:00 ")));
    let names: Vec<&str> = listed.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert!(names[0] == "manifest.json" && names[1..].is_sorted(), "{names:?}");

    let kept = project.path("kept.tar.zst");
    fs::copy(&bundle, &kept).unwrap();
    let far = tempfile::tempdir().unwrap();
    let moved = far.path().join(BUNDLE);
    fs::rename(&kept, &moved).unwrap();
    drop(project);
    let report = document(&elsewhere(&["verify", moved.to_str().unwrap(), "--at", "1,2", "--json"]));
    assert_eq!((&report["identical"], &report["run"]), (&json!(true), &second["run"]));
    assert_eq!((&report["source_changed"], &report["other_code"]), (&json!(false), &json!([])));
    let artifacts = report["replays"][1]["artifacts"].as_array().unwrap();
    assert!(artifacts.len() > 20 && artifacts.iter().any(|one| one["step"] == "compare"), "{artifacts:?}");
}

#[test]
fn a_bundle_is_verified_with_the_network_cut() {
    let can_cut = Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|output| output.status.success());
    if !can_cut {
        trainyard_judges::skip("the kernel lets this user have no network of its own");
        return;
    }
    let project = Project::with_rows(600);
    let run = project.run();
    let bundle = exported(&project, run_of(&run));
    let far = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rn", env!("CARGO_BIN_EXE_trainyard"), "verify"]).arg(bundle).args(["--at", "2", "--json"]);
    let output = command.current_dir(far.path()).output().unwrap();
    assert_eq!(document(&output)["identical"], true, "{}", text(&output.stderr));
}

#[test]
fn where_the_source_is_gone_or_a_database_the_ingested_table_is_in_the_bundle() {
    let project = Project::with_rows(600);
    let run = project.run();
    fs::remove_file(project.path(CUSTOMERS)).unwrap();
    let path = project.path(BUNDLE);
    let report = project.json(&["export", run_of(&run), path.to_str().unwrap()]);
    assert_eq!((&report["data"], &report["because"]), (&json!("ingested_table"), &json!("it can no longer be read")));
    let report = document(&elsewhere(&["verify", path.to_str().unwrap(), "--at", "2", "--json"]));
    assert_eq!((&report["identical"], &report["source_changed"]), (&json!(true), &json!(true)));

    let project = Project::with_rows(600);
    let database = rusqlite::Connection::open(project.path("shop.db")).unwrap();
    let rows = project.read(CUSTOMERS);
    let mut lines = rows.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names: Vec<String> = lines.next().unwrap().into_iter().map(|name| format!("{name} NUMERIC")).collect();
    database.execute_batch(&format!("CREATE TABLE customers ({})", names.join(", "))).unwrap();
    database.execute_batch("BEGIN").unwrap();
    for line in lines {
        let marks = vec!["?"; line.len()].join(", ");
        let empty_is_null = line.into_iter().map(|value| Some(value).filter(|value| !value.trim().is_empty()));
        let insert = format!("INSERT INTO customers VALUES ({marks})");
        database.execute(&insert, rusqlite::params_from_iter(empty_is_null)).unwrap();
    }
    database.execute_batch("COMMIT").unwrap();
    drop(database);
    let set = "data.source=sqlite:///shop.db?table=customers";
    let output = project.call(&["run", "--json", "--set", set]);
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(run["run"].is_string(), "{}", text(&output.stderr));
    let path = project.path(BUNDLE);
    let report = project.json(&["export", run_of(&run), path.to_str().unwrap()]);
    assert_eq!((&report["data"], &report["because"]), (&json!("ingested_table"), &json!("it is a database")));
    let report = document(&elsewhere(&["verify", path.to_str().unwrap(), "--at", "2", "--json"]));
    assert_eq!(report["identical"], true);
}

/// What `verify` says of a run that differs: exit code 3 and the first difference of its first replay.
fn different(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let report = document(output);
    assert_eq!(report["identical"], false);
    report["replays"][0]["first_difference"].clone()
}

#[test]
fn a_bundle_holds_the_suite_the_rows_that_drift_is_measured_from_and_the_search_that_was_learned_from() {
    let project = Project::with_rows(900);
    let space = "{gradient_boosting: {learning_rate: {float: [0.02, 0.3], log: true}, max_leaf_nodes: {int: [4, 32]}}}";
    let model = format!(
        "baseline: {{dummy: {{}}}}\ncandidates: {{gradient_boosting: {{max_iter: 20}}}}\ncross_validation: {{folds: \
         3}}\ntune: {{trials: 4, space: {space}}}\n"
    );
    project.write("versions/models/v1.yaml", &model);
    project.write("versions/models/v2.yaml", model.replace("trials: 4", "trials: 2, warm_start: 1"));
    let suite = "expectations/customers.json";
    let made = project.call(&["data", "validate", "init", CUSTOMERS, "--out", suite]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let spec = project.read("trainyard.yaml");
    let lines = spec.lines().filter(|line| !line.starts_with("gates") && !line.starts_with("  at_"));
    let spec: String = lines.map(|line| format!("{line}\n")).collect();
    let more = format!("validate: {{suite: {suite}}}\ndrift: {{against: last_promoted}}\n");
    project.write("trainyard.yaml", spec + &more);
    project.run();
    let output = project.call(&["run", "--model", "2", "--json"]);
    let second = document(&output);
    let up = project.json(&["lineage", run_of(&second), "--up"]);
    let names: Vec<&str> = up["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert!(names.contains(&suite) && names.contains(&"split.train"), "{names:?}");
    let bundle = exported(&project, run_of(&second));
    let kept = tempfile::tempdir().unwrap();
    let moved = kept.path().join(BUNDLE);
    fs::copy(&bundle, &moved).unwrap();
    drop(project);
    let report = document(&elsewhere(&["verify", moved.to_str().unwrap(), "--at", "2", "--json"]));
    let artifacts = report["replays"][0]["artifacts"].as_array().unwrap();
    for step in ["validate", "drift", "tune", "compare"] {
        assert!(artifacts.iter().any(|one| one["step"] == step), "{step}: {report:#}");
    }
    assert_eq!(report["identical"], true, "{report:#}");
}

#[test]
fn a_changed_input_is_named_by_the_first_step_and_value_that_differ() {
    let project = Project::new();
    let run = project.run();
    let configuration = format!(".trainyard/runs/{}/configuration.json", run_of(&run));
    project.edit(&configuration, "\"seed\": 42", "\"seed\": 43");
    let first = different(&project.call(&["verify", run_of(&run), "--at", "1", "--json"]));
    let of = ["step", "artifact", "place", "recorded", "replayed"].map(|key| first[key].as_str().unwrap());
    assert_eq!(of, ["resolve", "configuration", "split.spec.seed", "42", "43"]);
    let said = project.call(&["verify", run_of(&run), "--at", "1", "--quiet"]);
    let said = text(&said.stdout);
    assert!(said.contains("first difference   step resolve, configuration, at 1 thread\n"), "{said}");
    assert!(said.contains("where              split.spec.seed\n"), "{said}");
}

#[test]
fn an_edited_object_is_named_by_its_column_row_and_values() {
    let project = Project::new();
    let run = project.run();
    let journal = format!(".trainyard/runs/{}/journal.jsonl", run_of(&run));
    let artifact = |step: &str, name: &str| {
        let lines = project.read(&journal);
        let done = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut done = done.filter(|entry| entry["entry"] == "step_done" && entry["record"]["step"] == step);
        done.next().unwrap()["record"]["output"]["artifacts"][name].as_str().unwrap().to_owned()
    };
    let object = |digest: &str| format!(".trainyard/objects/{}/{}", &digest[..2], &digest[2..]);

    // The model's file is edited where it lies: its digest no longer fits, and the value is told.
    let model = artifact("train", "model/model.json");
    let before = project.read(&object(&model));
    project.edit(&object(&model), "\"threshold\":0.5", "\"threshold\":0.25");
    let first = different(&project.call(&["verify", run_of(&run), "--at", "1", "--json"]));
    assert_eq!((&first["step"], &first["artifact"]), (&json!("train"), &json!("model/model.json")));
    assert!(first["place"].as_str().unwrap().contains("threshold"), "{first}");
    assert_eq!((&first["recorded"], &first["replayed"]), (&json!("0.25"), &json!("0.5")));
    project.write(&object(&model), before);
    assert_eq!(project.json(&["verify", run_of(&run), "--at", "1"])["identical"], true);

    // Another table takes the place of the training rows, in the store and in the journal.
    let Some(judge) = trainyard_judges::python("core") else { return };
    let train = artifact("split", "train");
    let script = r#"
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.compute as pc
table = pq.read_table(data["from"])
values = table["tenure"].to_pylist()
values[6] = 1234
table = table.set_column(table.schema.get_field_index("tenure"), "tenure", pa.array(values, table["tenure"].type))
pq.write_table(table, data["to"])
"#;
    let forged = project.path("forged.parquet");
    judge.run(script, &json!({ "from": project.path(&object(&train)), "to": forged }));
    let bytes = fs::read(&forged).unwrap();
    let digest = trainyard_files::Digest::of(&bytes).to_string();
    project.write(&object(&digest), bytes);
    project.write(&journal, project.read(&journal).replace(&train, &digest));
    let first = different(&project.call(&["verify", run_of(&run), "--at", "2", "--json"]));
    let of = ["step", "artifact", "place", "recorded"].map(|key| first[key].as_str().unwrap());
    assert_eq!(of, ["split", "train", "column tenure, row 7", "1234"]);
}

#[test]
fn a_bundle_that_was_touched_is_refused() {
    let project = Project::with_rows(600);
    let run = project.run();
    let bundle = exported(&project, run_of(&run));
    let folder = project.path("unpacked");
    unpacked(&bundle, &folder);
    let names = members(&folder);
    let evil = project.path("evil.tar.zst");
    let refused = |code: &str| {
        let output = elsewhere(&["verify", evil.to_str().unwrap(), "--at", "1"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("error[{code}]")), "{code}: {said}");
    };
    packed(&folder, &names, &evil);
    let whole = document(&elsewhere(&["verify", evil.to_str().unwrap(), "--at", "1", "--json"]));
    assert_eq!(whole["identical"], true, "what the system's tar packs again is a bundle still");

    // A byte of the source, of the same length.
    let source = folder.join("source/customers.csv");
    let right = fs::read(&source).unwrap();
    let mut wrong = right.clone();
    wrong[200] ^= 1;
    fs::write(&source, &wrong).unwrap();
    packed(&folder, &names, &evil);
    refused("bundle/altered");
    // A longer member than the manifest says.
    fs::write(&source, [right.as_slice(), b"more"].concat()).unwrap();
    packed(&folder, &names, &evil);
    refused("bundle/altered");
    // A link in the place of a file.
    fs::remove_file(&source).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &source).unwrap();
    packed(&folder, &names, &evil);
    refused("bundle/unsafe");
    fs::remove_file(&source).unwrap();
    fs::write(&source, &right).unwrap();
    // A member too many, one too few, and two in the wrong order.
    fs::write(folder.join("more"), "more").unwrap();
    packed(&folder, &[names.clone(), vec!["more".to_owned()]].concat(), &evil);
    refused("bundle/unsafe");
    packed(&folder, &names[..names.len() - 1], &evil);
    refused("bundle/cut");
    let mut turned = names.clone();
    turned.swap(1, 2);
    packed(&folder, &turned, &evil);
    refused("bundle/altered");
    // The manifest comes first.
    packed(&folder, &names[1..], &evil);
    refused("bundle/none");

    // Names in the manifest that lead out, sizes that no disk has, and a format that is not known yet.
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut changed = manifest(&folder);
        edit(&mut changed);
        let other = project.path("other");
        let _ = fs::remove_dir_all(&other);
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("manifest.json"), changed.to_string()).unwrap();
        packed(&other, &["manifest.json".to_owned()], &evil);
    };
    for name in ["../evil", "/etc/evil", "source/../../evil", "source//x", "objects/abc", "elsewhere/x", "source/a\\b"]
    {
        edited(&|manifest| manifest["members"][0]["path"] = json!(name));
        refused("bundle/unsafe");
    }
    edited(&|manifest| manifest["members"][0]["bytes"] = json!(u64::MAX));
    refused("bundle/too-large");
    edited(&|manifest| manifest["format"] = json!(2));
    refused("bundle/later");
    edited(&|manifest| manifest["run"] = json!("../../evil"));
    refused("bundle/altered");
    edited(&|manifest| manifest["data"]["member"] = json!("../../evil"));
    refused("bundle/altered");

    // A file that was cut, at many places, and one that is something else.
    let bytes = fs::read(&bundle).unwrap();
    for part in 1..8 {
        fs::write(&evil, &bytes[..bytes.len() * part / 8]).unwrap();
        let output = elsewhere(&["verify", evil.to_str().unwrap(), "--at", "1"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("error[bundle/"), "{part}: {}", text(&output.stderr));
    }
    fs::write(&evil, &bytes[..bytes.len() - 1]).unwrap();
    refused("bundle/cut");
    fs::write(&evil, "no archive").unwrap();
    refused("bundle/none");
}

#[test]
fn a_run_that_is_not_done_is_exported_as_far_as_it_can_be_proven() {
    let project = Project::with_rows(600);
    let steps = ["resolve", "ingest", "split", "features", "baseline"];
    steps.iter().for_each(|step| drop(project.json(&["step", step, "--run", "nightly"])));
    let path = project.path(BUNDLE);
    let output = project.call(&["export", "nightly", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("error[verify/unfinished]") && !path.exists(), "{}", text(&output.stderr));
    project.json(&["step", "train", "--run", "nightly"]);
    let report = project.json(&["export", "nightly", path.to_str().unwrap()]);
    assert_eq!(report["status"], "open");
    let report = document(&elsewhere(&["verify", path.to_str().unwrap(), "--at", "1", "--json"]));
    let artifacts = report["replays"][0]["artifacts"].as_array().unwrap();
    assert!(report["identical"] == true && artifacts.iter().any(|one| one["step"] == "train"), "{report}");
    assert!(!artifacts.iter().any(|one| one["step"] == "evaluate"), "what the run did not do is not compared");
    // An object that the replay needs is gone.
    let output = project.call(&["run", "--json"]);
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    fs::remove_file(project.path(CUSTOMERS)).unwrap();
    let record: Value = serde_json::from_str(&project.read(".trainyard/cache/ingest/latest.json")).unwrap();
    let table = record["output"]["artifacts"]["table"].as_str().unwrap();
    fs::remove_file(project.path(&format!(".trainyard/objects/{}/{}", &table[..2], &table[2..]))).unwrap();
    let output = project.call(&["export", run_of(&run), path.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("error[files/absent-object]"), "{}", text(&output.stderr));
}
