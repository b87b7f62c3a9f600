//! The step `version`, with DVC itself as judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;
use tempfile::tempdir;
use trainyard_judges::{Judge, python};

use crate::project::{CUSTOMERS, Project, REFERENCE, below, steps};
use crate::text;

const SPLIT: &str = "data/splits/v1";
const PROJECT: &str = "trainyard.yaml";

/// A project whose split is versioned.
fn versioned(spec: &str) -> Project {
    let project = Project::new();
    project.write(PROJECT, format!("{}versioning: {spec}\n", project.read(PROJECT)));
    project
}

fn git(project: &Project, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(arguments);
    let output = command.current_dir(project.path("")).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

/// Runs DVC in the project, with settings of its own.
fn dvc(project: &Project, judge: &Judge, arguments: &[&str]) -> String {
    let elsewhere = tempdir().unwrap();
    let mut command = Command::new(judge.interpreter());
    command.args(["-m", "dvc"]).args(arguments).current_dir(project.path(""));
    for variable in ["DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"] {
        command.env(variable, elsewhere.path().join(variable));
    }
    let output = command.env("DVC_NO_ANALYTICS", "1").env("NO_COLOR", "1").output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "dvc {arguments:?}: {said}");
    said
}

/// The files below a folder of the project, with their bytes.
fn held(project: &Project, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let (_, files) = below(&project.path(folder));
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn md5(project: &Project, file: &str) -> String {
    let text = project.read(file);
    let line = text.lines().find_map(|line| line.strip_prefix("- md5: ")).unwrap();
    line.to_owned()
}

fn tags(project: &Project, run: &Value) -> Value {
    project.json(&["runs", "show", run["run"].as_str().unwrap()])["tags"].take()
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// What the step of a run left, from its journal.
fn facts(project: &Project, run: &Value) -> Value {
    let journal = project.read(&format!(".trainyard/runs/{}/journal.jsonl", run["run"].as_str().unwrap()));
    let line =
        journal.lines().find(|line| line.contains("\"step\":\"version\"") && line.contains("\"facts\"")).unwrap();
    let entry: Value = serde_json::from_str(line).unwrap();
    found(&entry, "facts").unwrap_or_else(|| panic!("{line}")).clone()
}

/// Finds a key at any depth.
fn found<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(key).or_else(|| object.values().find_map(|inner| found(inner, key))),
        Value::Array(items) => items.iter().find_map(|inner| found(inner, key)),
        _ => None,
    }
}

#[test]
fn dvc_finds_split_and_reference_as_it_would_have_versioned_them() {
    let Some(judge) = python("versioned") else { return };
    let project = versioned("{}");
    git(&project, &["init", "-q"]);
    project.write(".gitignore", "/.trainyard/\n/data/raw/\n");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "begin"]);
    let run = project.run();
    assert!(steps(&run, "ran").contains(&"version".to_owned()));
    assert_eq!(project.read("data/splits/.gitignore"), "/v1\n");
    assert_eq!(project.read("data/reference/tests/v1/.gitignore"), "/test_reference.parquet\n");
    let files = held(&project, SPLIT);
    let text = project.read("data/splits/v1.dvc");
    let size: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let expected = format!("  size: {size}\n  nfiles: {}\n  hash: md5\n  path: v1\n", files.len());
    assert!(text.ends_with(&expected), "{text}");
    assert!(dvc(&project, &judge, &["status"]).contains("up to date"));

    // What it puts back is what was split, and it finds nothing to write anew.
    fs::remove_dir_all(project.path(SPLIT)).unwrap();
    let reference = fs::read(project.path(REFERENCE)).unwrap();
    fs::remove_file(project.path(REFERENCE)).unwrap();
    dvc(&project, &judge, &["checkout", "-q"]);
    assert_eq!(held(&project, SPLIT), files);
    assert_eq!(fs::read(project.path(REFERENCE)).unwrap(), reference);
    dvc(&project, &judge, &["add", "-q", SPLIT, REFERENCE]);
    assert_eq!(project.read("data/splits/v1.dvc"), text);

    let logged = tags(&project, &run);
    assert_eq!(logged["data_version_split"], md5(&project, "data/splits/v1.dvc"));
    assert_eq!(logged["data_version_reference"], md5(&project, &format!("{REFERENCE}.dvc")));
    assert_eq!(logged["git_commit"], git(&project, &["rev-parse", "HEAD"]));
    assert_eq!(logged["git_dirty"], "false");
    let shown = project.call(&["runs", "show", run["run"].as_str().unwrap()]);
    assert!(crate::text(&shown.stdout).contains(&md5(&project, "data/splits/v1.dvc")));
}

#[test]
fn a_run_tells_whether_a_commit_holds_what_it_used() {
    let project = versioned("{}");
    git(&project, &["init", "-q"]);
    project.write(".gitignore", "/.trainyard/\n/data/raw/\n");
    // No commit yet.
    let run = project.run();
    assert_eq!(tags(&project, &run)["git_commit"], Value::Null);
    assert_eq!(facts(&project, &run)["git_commit"], Value::Null);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "begin"]);
    let dirty = || tags(&project, &project.run())["git_dirty"].as_str().unwrap().to_owned();
    assert_eq!(dirty(), "false");
    project.write("notes.txt", "nothing that a run reads");
    assert_eq!(dirty(), "false");
    project.write("versions/models/v2.yaml", project.read("versions/models/v1.yaml"));
    assert_eq!(dirty(), "true");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "second model"]);
    assert_eq!(dirty(), "false");
    project.edit(PROJECT, "versioning: {}", "versioning: {paths: []}");
    assert_eq!(dirty(), "true");
}

#[test]
fn what_is_versioned_stays_untouched_and_what_is_lost_is_written_again() {
    let project = versioned("{}");
    let first = project.run();
    assert_eq!(facts(&project, &first)["new"].as_array().unwrap().len(), 2);
    let described = ["data/splits/v1.dvc".to_owned(), format!("{REFERENCE}.dvc")];
    let state = || described.clone().map(|file| (project.read(&file), modified(&project.path(&file))));
    let before = state();
    let second = project.run();
    assert_eq!(steps(&second, "ran"), ["version", "compare", "promote"]);
    assert_eq!(facts(&project, &second)["new"], Value::Array(Vec::new()));
    assert_eq!(facts(&project, &second)["versions"], facts(&project, &first)["versions"]);
    assert_eq!(state(), before);

    fs::remove_file(project.path(&described[0])).unwrap();
    let third = project.run();
    assert!(steps(&third, "cached").contains(&"split".to_owned()));
    assert_eq!(project.read(&described[0]), before[0].0);
    assert_eq!(modified(&project.path(&described[1])), before[1].1);

    // A repetition leaves the versions alone, and they leave its bytes alone.
    fs::remove_file(project.path(&described[0])).unwrap();
    let proof = project.json(&["verify", first["run"].as_str().unwrap()]);
    assert_eq!(proof["identical"], true);
    assert!(!project.path(&described[0]).exists());
}

#[test]
fn master_and_folders_are_versioned_where_they_are_named() {
    let Some(judge) = python("versioned") else { return };
    let project = versioned("{link: hardlink, master: true, paths: [data/images]}");
    for number in 0..3 {
        project.write(&format!("data/images/{number}.png"), format!("not really a picture {number}"));
    }
    let run = project.run();
    let logged = tags(&project, &run);
    assert_eq!(logged["data_version_master"], md5(&project, &format!("{CUSTOMERS}.dvc")));
    let versions = facts(&project, &run)["versions"].clone();
    let paths: Vec<&str> = versions.as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths, [SPLIT, REFERENCE, CUSTOMERS, "data/images"]);
    assert_eq!(versions[3]["files"], 3);
    assert!(fs::metadata(project.path("data/images/1.png")).unwrap().permissions().readonly());
    assert!(dvc(&project, &judge, &["status"]).contains("up to date"));
    assert_eq!(steps(&project.run(), "ran"), ["version", "compare", "promote"]);

    // The folder that holds the master data may be versioned as a whole.
    let project = versioned("{master: true}");
    project.json(&["run"]);
    fs::remove_file(project.path(&format!("{CUSTOMERS}.dvc"))).unwrap();
    dvc(&project, &judge, &["add", "-q", "data/raw"]);
    let logged = tags(&project, &project.run());
    assert_eq!(logged["data_version_master"], md5(&project, "data/raw.dvc"));
    assert!(!project.path(&format!("{CUSTOMERS}.dvc")).exists());
}

#[test]
fn a_lost_reference_comes_back_from_the_cache_of_versioned_data() {
    let project = versioned("{}");
    let first = project.run();
    let reference = fs::read(project.path(REFERENCE)).unwrap();
    fs::remove_file(project.path(REFERENCE)).unwrap();
    // A clone has no results of steps.
    fs::remove_dir_all(project.path(".trainyard")).unwrap();
    let plan = project.call(&["plan"]);
    assert!(plan.status.success(), "{}", text(&plan.stderr));
    assert!(!project.path(REFERENCE).exists());
    let output = project.call(&["run"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("split/reference-restored"), "{said}");
    assert_eq!(fs::read(project.path(REFERENCE)).unwrap(), reference);
    let again = project.run();
    assert_eq!(again["candidate"]["digest"], first["candidate"]["digest"]);
}

/// A folder without programs, in which nothing is found by its name.
fn nothing_to_call(project: &Project) -> PathBuf {
    let folder = project.path("empty");
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn without_the_program_git_data_is_versioned_all_the_same_and_the_run_says_so_once() {
    let project = versioned("{master: true}");
    git(&project, &["init", "-q"]);
    project.write(".gitignore", "/.trainyard/\n");
    git(&project, &["add", ".gitignore", PROJECT, "versions"]);
    git(&project, &["commit", "-q", "-m", "begin"]);
    let path = nothing_to_call(&project);
    let call = |arguments: &[&str]| project.command(arguments).env("PATH", &path).output().unwrap();
    let output = call(&["run", "--json"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("versioned/without-git").count(), 1, "{said}");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts(&project, &run)["git_commit"], Value::Null);
    assert_eq!(tags(&project, &run)["git_commit"], Value::Null);
    assert_eq!(tags(&project, &run)["data_version_split"], md5(&project, "data/splits/v1.dvc"));
    // Git, once it is there, takes none of the data.
    assert_eq!(project.read("data/splits/.gitignore"), "/v1\n");
    let staged = git(&project, &["diff", "--cached", "--name-only"]);
    assert_eq!(staged, "");
    git(&project, &["add", "-A", "data"]);
    let taken = git(&project, &["ls-files", "data"]);
    assert!(!taken.is_empty() && taken.lines().all(|file| file.ends_with(".dvc") || file.ends_with(".gitignore")));

    project.write("data/more.csv", "1,2\n");
    let added = call(&["data", "add", "data/more.csv"]);
    assert!(added.status.success() && text(&added.stderr).contains("warning[versioned/without-git]"));
    assert_eq!(project.read("data/.gitignore"), "/more.csv\n");
    // What commits name could be lost: that is not guessed.
    let refused = call(&["data", "gc"]);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("error[versioned/git]"));
}

#[test]
fn master_data_that_changed_after_it_was_read_is_in_no_version() {
    let project = versioned("{master: true}");
    for step in ["resolve", "ingest", "split"] {
        project.json(&["step", step, "--run", "nightly"]);
    }
    let read = project.read(CUSTOMERS);
    project.customers(1500, 8, CUSTOMERS);
    let refused = project.call(&["step", "version", "--run", "nightly"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("error[versioned/not-read]: {CUSTOMERS} is no longer what this run has")), "{said}");
    assert!(!project.path("data/splits/v1.dvc").exists() && !project.path(".dvc").exists());
    // With the bytes that it read, the run goes on.
    project.write(CUSTOMERS, read);
    let resumed = project.json(&["resume"]);
    assert_eq!(tags(&project, &resumed)["data_version_master"], md5(&project, &format!("{CUSTOMERS}.dvc")));
}
