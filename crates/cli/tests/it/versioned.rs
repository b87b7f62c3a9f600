//! `trainyard data add`, `status`, `checkout`, `diff` and `gc`, as a user meets them.

use std::fs;

use serde_json::json;

use crate::project::{CUSTOMERS, Project};
use crate::text;

#[test]
fn data_goes_to_a_version_and_back() {
    let project = Project::with_rows(100);
    let began = project.json(&["data", "add", "data/raw"]);
    let added = &began["added"][0];
    assert_eq!(
        (&began["began"], &added["path"], &added["file"]),
        (&json!(true), &json!("data/raw"), &json!("data/raw.dvc"))
    );
    assert_eq!((&added["files"], &added["unchanged"]), (&json!(1), &json!(false)));
    assert!(project.read("data/raw.dvc").contains(added["md5"].as_str().unwrap()));
    assert_eq!(project.read(".dvc/config"), "[core]\n    no_scm = True\n");
    assert_eq!(project.json(&["data", "add", "data/raw"])["added"][0]["unchanged"], true);

    let first = project.read(CUSTOMERS);
    project.write(CUSTOMERS, "other customers");
    let found = project.json(&["data", "status"]);
    assert_eq!((&found["clean"], &found["data"][0]["state"]), (&json!(false), &json!("modified")));
    assert_eq!(found["data"][0]["modified"], json!(["customers.csv"]));
    let said = text(&project.call(&["data", "status"]).stdout);
    assert_eq!(said, "  modified   data/raw\n               ~ customers.csv\n\n0 of 1 path as versioned\n");

    let before = project.read("data/raw.dvc");
    project.json(&["data", "add", CUSTOMERS.rsplit_once('/').unwrap().0]);
    project.write("data/raw.dvc", before);
    // A path may be that of the .dvc file.
    let done = project.json(&["data", "checkout", "data/raw.dvc"]);
    assert_eq!(done["data"][0], json!({ "path": "data/raw", "added": 0, "modified": 1, "deleted": 0 }));
    assert_eq!(project.read(CUSTOMERS), first);
    assert_eq!(project.json(&["data", "status"])["clean"], true);

    let planned = project.json(&["data", "gc", "--dry-run"]);
    assert_eq!((&planned["dry_run"], &planned["kept"]), (&json!(true), &json!(2)));
    let done = project.json(&["data", "gc"]);
    assert_eq!((&done["removed"], done["removed"].as_array().map(Vec::len)), (&planned["removed"], Some(2)));
    assert_eq!(text(&project.call(&["data", "gc"]).stdout).split(',').next(), Some("Removed 0 objects (0 bytes)"));
}

#[test]
fn settings_of_the_user_hold_below_those_of_the_project() {
    let project = Project::with_rows(10);
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config"), "[cache]\n    type = symlink\n    dir = ~/cache\n").unwrap();
    let add = |path: &str| {
        let mut command = project.command(&["data", "add", path]);
        command.env("HOME", home.path()).env("DVC_GLOBAL_CONFIG_DIR", home.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    add(CUSTOMERS);
    let is_link = |path: &str| fs::symlink_metadata(project.path(path)).unwrap().is_symlink();
    assert!(is_link(CUSTOMERS) && home.path().join("cache/files/md5").is_dir());
    project.write(".dvc/config", "[core]\n    no_scm = True\n[cache]\n    type = copy\n    dir = cache\n");
    project.write("b.csv", "b");
    add("b.csv");
    assert!(!is_link("b.csv") && project.path(".dvc/cache/files/md5").is_dir());
}
