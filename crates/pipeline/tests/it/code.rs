//! Which digests an edit changes.

#[path = "../../build/digests.rs"]
mod digests;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use digests::{Digests, of_crates, of_steps, sorted};
use tempfile::TempDir;

fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in sorted(from) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A copy of this workspace's code.
fn workspace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for member in sorted(&repository().join("crates")) {
        let target = folder.path().join(member.file_name().unwrap());
        copy(&member.join("src"), &target.join("src"));
        fs::copy(member.join("Cargo.toml"), target.join("Cargo.toml")).unwrap();
    }
    folder
}

fn append(path: &Path, line: &str) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, format!("{text}{line}\n")).unwrap();
}

fn changed(before: &Digests, after: &Digests) -> BTreeSet<String> {
    assert_eq!(before.len(), after.len());
    before.iter().filter(|(name, digest)| after[*name] != **digest).map(|(name, _)| name.clone()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_line_in_a_step_changes_the_steps_that_use_its_file() {
    let all = [
        "baseline", "compare", "context", "evaluate", "features", "gate", "ingest", "promote", "resolve", "split",
        "train",
    ];
    for (edited, expected) in [
        ("gate", &["gate"][..]),
        ("train", &["train"]),
        ("training", &["baseline", "train", "training"]),
        ("context", &[&all[..], &["training"]].concat()),
    ] {
        let folder = workspace();
        let steps = folder.path().join("pipeline/src/steps");
        let before = of_steps(&steps);
        append(&steps.join(format!("{edited}.rs")), "// edited");
        assert_eq!(changed(&before, &of_steps(&steps)), names(expected), "{edited}");
    }
}

#[test]
fn a_line_in_a_crate_changes_it_and_those_above_it() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let folder = workspace();
    let before = of_crates(folder.path(), &lock);
    append(&folder.path().join("learn/src/lib.rs"), "// edited");
    let found = changed(&before, &of_crates(folder.path(), &lock));
    assert!(found.is_superset(&names(&["trainyard-learn", "trainyard-model", "trainyard-pipeline"])), "{found:?}");
    for below in ["trainyard-data", "trainyard-features", "trainyard-spec", "trainyard-tracking"] {
        assert!(!found.contains(below), "{below} does not use learn");
    }
}

#[test]
fn another_version_of_a_library_changes_what_is_above_it() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let (start, rest) = lock.split_once("name = \"rusqlite\"\nversion = \"").unwrap();
    let (_, end) = rest.split_once('"').unwrap();
    let other = format!("{start}name = \"rusqlite\"\nversion = \"99.0.0\"{end}");
    let folder = workspace();
    let found = changed(&of_crates(folder.path(), &lock), &of_crates(folder.path(), &other));
    assert!(found.contains("trainyard-tracking"), "{found:?}");
    assert!(!found.contains("trainyard-learn"), "{found:?}");
}
