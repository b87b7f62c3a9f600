//! `trainyard data push`, `pull` and `fsck`, as a user meets them.

use std::fs;

use serde_json::json;
use trainyard_judges::azure;

use crate::project::{CUSTOMERS, Project, run_of};
use crate::text;

/// Versions the customers, with a remote beside the project's data.
fn shared() -> Project {
    let project = Project::with_rows(100);
    project.json(&["data", "add", CUSTOMERS]);
    let text = "[core]\n    no_scm = True\n    remote = backup\n['remote \"backup\"']\n    url = ../store\n";
    project.write(".dvc/config", text);
    project
}

#[test]
fn data_goes_to_a_remote_and_comes_back() {
    let project = shared();
    let bytes = fs::metadata(project.path(CUSTOMERS)).unwrap().len();
    let sent = project.json(&["data", "push"]);
    let moved = json!({ "remote": "backup", "url": "store", "objects": 1, "bytes": bytes, "present": 0 });
    assert_eq!(sent, json!({ "pushed": [moved] }));
    let said = text(&project.call(&["data", "push"]).stdout);
    assert_eq!(said, "Sent       nothing to backup, store; 1 there already\n");
    let customers = project.read(CUSTOMERS);
    fs::remove_dir_all(project.path(".dvc/cache")).unwrap();
    fs::remove_file(project.path(CUSTOMERS)).unwrap();
    let brought = project.json(&["data", "pull", "--remote", "BACKUP"]);
    assert_eq!(brought["pulled"], json!([moved]));
    assert_eq!(brought["data"][0]["added"], 1);
    assert_eq!(project.read(CUSTOMERS), customers);
}

#[test]
fn damage_is_told_with_an_exit_code_and_mended() {
    let project = shared();
    project.json(&["data", "push"]);
    let sound = project.call(&["data", "fsck"]);
    assert!(sound.status.success());
    assert!(text(&sound.stdout).starts_with("every object is there, and whole: 1 object versioned, "));
    let file = project.read(&format!("{CUSTOMERS}.dvc"));
    let digest = file.split("md5: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let object = project.path(".dvc/cache/files/md5").join(&digest[..2]).join(&digest[2..]);
    fs::remove_file(&object).unwrap();
    fs::write(&object, "other bytes").unwrap();
    let found = project.call(&["data", "fsck", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&found["sound"], &found["findings"][0]["problem"]), (&json!(false), &json!("damaged")));
    assert_eq!(found["findings"][0]["versioned"][0]["path"], CUSTOMERS);
    assert_eq!(fs::read(found["findings"][0]["set_aside"].as_str().unwrap()).unwrap(), b"other bytes");
    let mended = project.call(&["data", "fsck", "--repair"]);
    let said = text(&mended.stdout);
    assert!(mended.status.success(), "{said}");
    assert!(said.starts_with(&format!("missing, mended  {digest}\n  {CUSTOMERS} ({CUSTOMERS}.dvc)\n")), "{said}");
    assert!(project.json(&["data", "fsck"])["findings"].as_array().unwrap().is_empty());
}

/// Loses an object of versioned data, and gives its name.
fn lose(project: &Project, md5: &str) {
    fs::remove_file(project.path(".dvc/cache/files/md5").join(&md5[..2]).join(&md5[2..])).unwrap();
}

#[test]
fn damaged_data_names_the_runs_that_used_it() {
    let project = Project::with_rows(600);
    project.edit("trainyard.yaml", "promote:", "versioning: {master: true}\npromote:");
    let first = project.run();
    let second = project.run();
    let described = project.read(&format!("{CUSTOMERS}.dvc"));
    let master =
        |described: &str| described.split("md5: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    // A third run learns from more customers; what the others read is named by no file any more.
    project.customers(60, 8, "more.csv");
    project.grow("more.csv");
    let third = project.json(&["run", "--set", "gates.at_least={}"]);
    let grown = project.read(&format!("{CUSTOMERS}.dvc"));
    assert_ne!(master(&described), master(&grown));
    let check = || {
        let output = project.call(&["data", "fsck", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    lose(&project, &master(&grown));
    let found = check();
    assert_eq!(found["findings"][0]["runs"], json!([third["run"]]));
    let run = &found["runs"][0];
    assert_eq!((&run["run"], &run["status"], &run["holds"]), (&third["run"], &json!("FINISHED"), &json!(["master"])));
    // With the old version the file names what two runs read.
    project.write(&format!("{CUSTOMERS}.dvc"), &described);
    lose(&project, &master(&described));
    let found = check();
    assert_eq!(found["findings"][0]["runs"], json!([second["run"], first["run"]]));
    assert_eq!(found["runs"].as_array().unwrap().len(), 2);
    let said = text(&project.call(&["data", "fsck"]).stdout);
    let used = format!("  used by runs {}, {}\n", run_of(&second), run_of(&first));
    assert!(said.contains(&used), "{said}");
    let below = project.command(&["data", "fsck"]).current_dir(project.path("data/raw")).output().unwrap();
    assert!(text(&below.stdout).contains(&used), "{}", text(&below.stdout));
    // Records that can't be read hide no damage.
    project.write(".trainyard/tracking/tracking.db", "no database");
    let output = project.call(&["data", "fsck", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("versioned/unknown-runs"), "{}", text(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["findings"][0]["problem"], &found["findings"][0]["runs"]), (&json!("missing"), &json!(null)));
}

#[test]
fn azure_holds_what_is_pushed_byte_for_byte() {
    let Some(mut server) = azure() else { return };
    server.container("shop");
    let project = Project::with_rows(100);
    project.write("data/all/long.bin", (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    // So many that the store lists what it has.
    (0..300).for_each(|file| project.write(&format!("data/all/{file}"), format!("{file}")));
    project.write("data/all/empty", "");
    project.json(&["data", "add", "data/all"]);
    let remote = "['remote \"blobs\"']\n    url = azure://shop/some/where\n";
    project.write(".dvc/config", format!("[core]\n    no_scm = True\n    remote = blobs\n{remote}"));
    let call = |arguments: &[&str]| {
        let mut command = project.command(&[arguments, &["--json"]].concat());
        let output = command.envs(server.environment()).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}"))
    };
    let sent = call(&["data", "push"]);
    assert_eq!((&sent["pushed"][0]["objects"], &sent["pushed"][0]["present"]), (&json!(303), &json!(0)), "{sent}");
    assert_eq!(call(&["data", "push"])["pushed"][0]["present"], 303);
    let before = project.path("data/all");
    let kept = |name: &str| fs::read(before.join(name)).unwrap();
    let files = [kept("long.bin"), kept("299"), kept("empty")];
    fs::remove_dir_all(project.path(".dvc/cache")).unwrap();
    fs::remove_dir_all(&before).unwrap();
    assert_eq!(call(&["data", "pull"])["pulled"][0]["objects"], 303);
    assert!([kept("long.bin"), kept("299"), kept("empty")] == files);
    // A container that is not there.
    project.edit(".dvc/config", "azure://shop", "azure://ship");
    assert_eq!(call(&["data", "push"])["error"][0]["code"], "versioned/remote-absent");
    let listed = server.list("shop");
    assert_eq!(listed.len(), 303);
    for (name, md5) in listed {
        let id = name.strip_prefix("some/where/files/md5/").unwrap().replace('/', "");
        assert_eq!(id.trim_end_matches(".dir"), md5);
    }
}
