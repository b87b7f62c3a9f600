//! Every input of the corpus, and every case of the crates that read the same, goes through its check.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use trainyard_fuzz::TARGETS;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn root() -> PathBuf {
    // At run time, since a folder of builds may serve several checkouts.
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
}

#[test]
fn every_input_holds() {
    let mut wrong = Vec::new();
    for (name, check) in TARGETS {
        let mut inputs = files(&root().join("corpus").join(name));
        if *name == "spec" {
            let cases = root().join("../crates/spec/tests/cases");
            inputs.extend(["valid", "invalid"].iter().flat_map(|kind| files(&cases.join(kind))));
        }
        assert!(!inputs.is_empty(), "{name} has no input");
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            if catch_unwind(|| check(&bytes)).is_err() {
                wrong.push(input.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "these fail:\n{}", wrong.join("\n"));
}

#[test]
fn every_check_has_a_target_and_a_corpus() {
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> =
            entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let checks: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("fuzz_targets"), checks);
    assert_eq!(names("corpus"), checks);
}
