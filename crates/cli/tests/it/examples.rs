//! Every example runs as it ships, and again from what it stored.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{text, trainyard};

/// Copies a folder without what runs left in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() && name != ".trainyard" {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn examples_are_promoted_and_then_kept() {
    let examples = trainyard_judges::repository().join("examples");
    let mut names: Vec<_> = fs::read_dir(&examples).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() >= 2, "{names:?}");
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let project = folder.path().join(&name);
        copy(&examples.join(&name), &project);
        // What a run of the example itself left is not part of it.
        for left in ["data/splits", "data/reference"] {
            let _ = fs::remove_dir_all(project.join(left));
        }
        let _ = fs::remove_file(project.join("versions/lock.yaml"));
        let run = || -> Value {
            let output = trainyard(&["run", project.to_str().unwrap(), "--json"]);
            assert!(output.status.success(), "{name:?}: {}", text(&output.stderr));
            serde_json::from_slice(&output.stdout).unwrap()
        };
        assert_eq!((&run()["decision"], &run()["decision"]), (&"promoted".into(), &"kept".into()), "{name:?}");
        if project.join(".dvc").is_dir() {
            // All that the run versioned is described, and as it was versioned.
            let output = trainyard(&["data", "status", "--project", project.to_str().unwrap(), "--json"]);
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            let paths: Vec<&str> =
                found["data"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
            let expected = ["data/raw", "data/reference/tests/v1/test_reference.parquet", "data/splits/v1"];
            assert_eq!((paths.as_slice(), &found["clean"]), (&expected[..], &Value::Bool(true)), "{name:?}");
        }
    }
}
