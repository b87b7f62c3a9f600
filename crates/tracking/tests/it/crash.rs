//! A process is killed anywhere: what it was told is done is there, and nothing is half there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::tempdir;
use trainyard_faults::{Process, arguments, say, wait_for_death};
use trainyard_spec::Stage;
use trainyard_tracking::{EmbeddedStore, FILE_NAME, Status, Tracking};

use crate::given::{change, map, open, promotion, trained};

const MODEL: &str = "churn-predictor";

/// Promotes one model after the other until it is killed; says which.
fn promote_without_end(dir: &Path, round: &str) {
    let store = open(dir);
    say("open");
    for number in 0.. {
        let run = format!("r{round}-{number}");
        let version = trained(&store, &run);
        let (stage, alias) =
            if number % 2 == 0 { (Stage::Staging, "challenger") } else { (Stage::Production, "champion") };
        store.promote(&promotion(version, stage, alias)).unwrap();
        store.end_run(&run, Status::Finished, 4_000, None).unwrap();
        say(&run);
    }
}

fn check_whole(store: &EmbeddedStore) {
    store.check().unwrap();
    let versions = store.versions(MODEL).unwrap();
    let promoted: BTreeMap<u32, String> =
        store.history(MODEL).unwrap().into_iter().map(|entry| (entry.version.unwrap(), entry.run.unwrap())).collect();
    assert_eq!(promoted, versions.iter().map(|version| (version.version, version.run.clone())).collect());
    for version in &versions {
        assert_eq!(store.read_folder(&version.run, "model").unwrap().len(), 2);
    }
    for stage in [Stage::Staging, Stage::Production] {
        assert!(versions.iter().filter(|version| version.stage == stage).count() <= 1);
    }
    if let Some(model) = store.models().unwrap().first() {
        assert!(model.aliases.contains_key("challenger"));
        assert_eq!(usize::try_from(model.latest).unwrap(), versions.len());
    }
}

#[test]
fn killed_promotions_are_done_or_not_begun() {
    if let Some(told) = arguments() {
        let [dir, round] = told.as_slice() else { panic!("{told:?}") };
        return promote_without_end(Path::new(dir), round);
    }
    let dir = tempdir().unwrap();
    for round in 0..24_u32 {
        let name = "crash::killed_promotions_are_done_or_not_begun";
        let mut child = Process::start(name, &[dir.path().to_str().unwrap(), &round.to_string()]);
        assert_eq!(child.hear().as_deref(), Some("open"));
        let mut told = Vec::new();
        for _ in 0..round % 4 {
            told.push(child.hear().unwrap());
        }
        // A promotion takes some milliseconds: the rounds end at different points of it.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 400));
        child.kill();
        let store = open(dir.path());
        check_whole(&store);
        for run in &told {
            assert!(store.versions(MODEL).unwrap().iter().any(|version| version.run == *run), "{run} was promoted");
            assert_eq!(store.run(run).unwrap().unwrap().status, Status::Finished);
        }
        // Whatever was going on can be repeated to its end.
        if let Some(run) = store.runs(1, Some(Status::Running)).unwrap().first() {
            let again = promotion(trained(&store, &run.run), Stage::Staging, "challenger");
            let version = store.promote(&again).unwrap().version;
            assert_eq!(store.promote(&again).unwrap().version.version, version.version);
            store.end_run(&run.run, Status::Finished, 5_000, None).unwrap();
        }
        check_whole(&store);
    }
}

/// Takes promotions back and does them again until it is killed; says each.
fn decide_without_end(dir: &Path) {
    let store = open(dir);
    say("open");
    loop {
        store.rollback(MODEL, "champion", &change()).unwrap();
        say("back");
        store.promote_version(MODEL, 2, Stage::Production, Some("champion"), &change()).unwrap();
        say("forth");
    }
}

#[test]
fn killed_rollbacks_are_done_or_not_begun() {
    if let Some(told) = arguments() {
        let [dir] = told.as_slice() else { panic!("{told:?}") };
        return decide_without_end(Path::new(dir));
    }
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    for run in ["a", "b"] {
        store.promote(&promotion(trained(&store, run), Stage::Production, "champion")).unwrap();
    }
    drop(store);
    for round in 0..12_u32 {
        let test = "crash::killed_rollbacks_are_done_or_not_begun";
        let mut child = Process::start(test, &[dir.path().to_str().unwrap()]);
        assert_eq!(child.hear().as_deref(), Some("open"));
        for _ in 0..round % 4 {
            child.hear().unwrap();
        }
        std::thread::sleep(Duration::from_micros(u64::from(round) * 300));
        child.kill();
        let store = open(dir.path());
        store.check().unwrap();
        // Alias, stage, the other's stage and `previous` go together.
        let standing = store.standing_at(MODEL, i64::MAX).unwrap();
        let champion = standing.aliases["champion"];
        let other = 3 - champion;
        assert_eq!(standing.aliases["previous"], other);
        assert_eq!(standing.versions[&champion].stage, Stage::Production);
        assert_eq!(standing.versions[&other].stage, Stage::Archived);
        store.promote_version(MODEL, 2, Stage::Production, Some("champion"), &change()).unwrap();
    }
}

/// Begins a transaction of many pages, so that some are in the file already, and never ends it.
fn never_commit(dir: &Path) {
    let connection = Connection::open(dir.join(FILE_NAME)).unwrap();
    connection.execute_batch("PRAGMA cache_size = 1; BEGIN IMMEDIATE;").unwrap();
    connection.execute("UPDATE versions SET stage = 'Production' WHERE version = 1", []).unwrap();
    for number in 0..2000 {
        let sql = "INSERT INTO tags (run, key, value) VALUES ('a', ?1, ?2)";
        connection.execute(sql, (format!("k{number}"), "x".repeat(2000))).unwrap();
    }
    say("inside");
    wait_for_death();
}

#[test]
fn a_transaction_that_never_ended_never_was() {
    if let Some(told) = arguments() {
        let [dir] = told.as_slice() else { panic!("{told:?}") };
        return never_commit(Path::new(dir));
    }
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    store.promote(&promotion(trained(&store, "a"), Stage::Staging, "challenger")).unwrap();
    let (run, head) = (store.run("a").unwrap(), store.head(MODEL).unwrap());
    let mut child = Process::start("crash::a_transaction_that_never_ended_never_was", &[dir.path().to_str().unwrap()]);
    assert_eq!(child.hear().as_deref(), Some("inside"));
    let log = std::fs::metadata(dir.path().join(format!("{FILE_NAME}-wal"))).unwrap().len();
    assert!(log > 1_000_000, "nothing of the transaction reached the disk");
    // While it writes, readers see what was before.
    assert_eq!(store.run("a").unwrap(), run);
    child.kill();
    drop(store);
    let store = open(dir.path());
    assert_eq!((store.run("a").unwrap(), store.head(MODEL).unwrap()), (run, head));
    check_whole(&store);
    store.set_tags("a", &map([("k1", "mine")])).unwrap();
}
