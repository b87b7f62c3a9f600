//! Which digests an edit changes.

#[path = "../../build/digests.rs"]
mod digests;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use digests::{Digests, built, of_crates, of_steps, sorted};
use tempfile::TempDir;

fn repository() -> std::path::PathBuf {
    trainyard_judges::crate_folder().join("../..")
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
        fs::create_dir_all(&target).unwrap();
        for path in built(&member) {
            let target = target.join(path.file_name().unwrap());
            if path.is_dir() {
                copy(&path, &target);
            } else {
                fs::copy(&path, target).unwrap();
            }
        }
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
        "baseline",
        "calibrate",
        "compare",
        "context",
        "drift",
        "evaluate",
        "explain",
        "features",
        "gate",
        "ingest",
        "promote",
        "resolve",
        "split",
        "train",
        "tune",
        "tuned",
        "validate",
        "version",
        "versioned",
    ];
    for (edited, expected) in [
        ("gate", &["gate"][..]),
        ("train", &["train"]),
        ("tune", &["tune"]),
        ("version", &["version"]),
        ("versioned", &["split", "version", "versioned"]),
        ("tuned", &["calibrate", "train", "tune", "tuned"]),
        ("pixels", &["ingest", "pixels", "validate", "version"]),
        ("training", &["baseline", "calibrate", "explain", "train", "training", "tune"]),
        ("context", &[&all[..], &["pixels", "training"]].concat()),
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
fn what_is_compiled_in_counts_and_what_only_tests_use_does_not() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let folder = workspace();
    let before = of_crates(folder.path(), &lock);
    let font = folder.path().join("model/assets/DejaVuSans.ttf");
    fs::write(&font, [&fs::read(&font).unwrap()[..], b" "].concat()).unwrap();
    let with_font = of_crates(folder.path(), &lock);
    let mut found = changed(&before, &with_font);
    for above in ["trainyard-cli", "trainyard-pipeline", "trainyard-stages", "trainyard-xtask", "xtask"] {
        found.remove(above);
    }
    assert_eq!(found, names(&["trainyard-model"]));
    append(&folder.path().join("judges/src/lib.rs"), "// edited");
    // Beside tests only the benchmarks start its servers.
    assert_eq!(changed(&with_font, &of_crates(folder.path(), &lock)), names(&["trainyard-judges", "xtask"]));
    fs::create_dir_all(folder.path().join("learn/tests/it")).unwrap();
    fs::write(folder.path().join("learn/tests/it/main.rs"), "// new").unwrap();
    assert!(!changed(&before, &of_crates(folder.path(), &lock)).contains("trainyard-learn"));
}

/// The crates that `src/steps/<step>.rs` hands to `code::digest`.
fn handed(text: &str) -> BTreeSet<String> {
    let (_, call) = text.split_once("code::digest(").unwrap();
    let (call, _) = call.split_once(']').unwrap();
    call.split('"').skip(3).step_by(2).map(|name| format!("trainyard-{name}")).collect()
}

#[test]
fn a_line_in_a_crate_that_a_step_names_changes_what_the_step_hands_in() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let folder = workspace();
    let mut before = of_crates(folder.path(), &lock);
    // `files` and `diagnostics` only carry what a step says: its bytes do not come from there.
    for edited in
        ["data", "quality", "features", "learn", "model", "tracking", "spec", "expression", "random", "versioning"]
    {
        append(&folder.path().join(edited).join("src/lib.rs"), "// edited");
        let after = of_crates(folder.path(), &lock);
        let touched = changed(&before, &after);
        before = after;
        for path in sorted(&folder.path().join("pipeline/src/steps")) {
            let text = fs::read_to_string(&path).unwrap();
            if text.contains("code::digest(") && text.contains(&format!("trainyard_{edited}")) {
                assert!(!handed(&text).is_disjoint(&touched), "{} does not hand in {edited}", path.display());
            }
        }
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
