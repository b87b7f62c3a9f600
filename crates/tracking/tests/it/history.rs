//! The history only grows, and tells when somebody else wrote to it.

use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;
use trainyard_files::Digest;
use trainyard_spec::Stage;
use trainyard_tracking::{Action, EmbeddedStore, Error, FILE_NAME, HistoryFault, Tracking};

use crate::given::{change, open, promotion, store, trained};

fn promoted_three_times() -> (TempDir, EmbeddedStore) {
    let (dir, store) = store();
    for run in ["a", "b", "c"] {
        store.promote(&promotion(trained(&store, run), Stage::Staging, "challenger")).unwrap();
    }
    (dir, store)
}

fn raw(dir: &Path) -> Connection {
    let connection = Connection::open(dir.join(FILE_NAME)).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection
}

#[test]
fn entries_are_linked_from_the_first() {
    let (_dir, store) = promoted_three_times();
    let history = store.history("churn-predictor").unwrap();
    assert_eq!(history[0].previous, Digest::from_bytes([0; 32]));
    assert!(
        history.windows(2).all(|pair| pair[1].previous == pair[0].hash && pair[1].sequence == pair[0].sequence + 1)
    );
    store.verify_history().unwrap();
}

#[test]
fn the_database_itself_refuses_to_change_the_past() {
    let (dir, store) = promoted_three_times();
    let raw = raw(dir.path());
    for (sql, rule) in [
        ("UPDATE history SET reason = 'x'", "history never changes"),
        ("DELETE FROM history WHERE sequence = 3", "history is never deleted"),
        (
            "INSERT OR REPLACE INTO history SELECT 2, registry, model, version, action, effects, who, run, 'x', decision, at_ms, previous, hash FROM history WHERE sequence = 2",
            "grows at its end",
        ),
        (
            "INSERT INTO history SELECT 9, registry, model, version, action, effects, who, run, 'x', decision, at_ms, previous, hash FROM history WHERE sequence = 3",
            "grows at its end",
        ),
        ("DELETE FROM versions", "versions are never deleted"),
        ("UPDATE versions SET digest = 'x'", "changes its stage, nothing else"),
        ("UPDATE versions SET stage = 'Staging'", "UNIQUE"),
        ("DELETE FROM runs", "runs are never deleted"),
        ("UPDATE params SET value = 'x'", ""),
        ("DELETE FROM reference_uses", ""),
        ("UPDATE runs SET status = 'DONE'", "CHECK"),
        ("INSERT INTO aliases VALUES ('churn-predictor', 'x', 99)", "FOREIGN KEY"),
    ] {
        match raw.execute(sql, []) {
            Err(error) => assert!(error.to_string().contains(rule), "{sql}: {error}"),
            Ok(changed) => assert!(rule.is_empty() && changed == 0, "{sql}"),
        }
    }
    store.verify_history().unwrap();
    store.check().unwrap();
}

#[test]
fn whoever_gets_round_the_triggers_is_seen() {
    for (sql, expected, at) in [
        ("UPDATE history SET reason = 'x' WHERE sequence = 2", HistoryFault::Altered, 2),
        ("UPDATE history SET at_ms = at_ms + 1 WHERE sequence = 3", HistoryFault::Altered, 3),
        ("UPDATE history SET run = NULL WHERE sequence = 1", HistoryFault::Altered, 1),
        ("UPDATE history SET decision = '{}' WHERE sequence = 1", HistoryFault::Altered, 1),
        ("UPDATE history SET who = 'bob@lab' WHERE sequence = 1", HistoryFault::Altered, 1),
        ("UPDATE history SET who = NULL WHERE sequence = 1", HistoryFault::Altered, 1),
        ("UPDATE history SET registry = 'http://elsewhere' WHERE sequence = 1", HistoryFault::Altered, 1),
        ("UPDATE history SET version = NULL WHERE sequence = 1", HistoryFault::Altered, 1),
        ("DELETE FROM history WHERE sequence = 1", HistoryFault::Unlinked, 2),
        ("DELETE FROM history WHERE sequence = 2", HistoryFault::Unlinked, 3),
        ("DELETE FROM history WHERE sequence = 3", HistoryFault::Disagrees, 2),
        ("UPDATE versions SET stage = 'Production' WHERE version = 3", HistoryFault::Disagrees, 3),
        ("UPDATE aliases SET version = 1 WHERE alias = 'challenger'", HistoryFault::Disagrees, 3),
        ("DELETE FROM aliases", HistoryFault::Disagrees, 3),
    ] {
        let (dir, store) = promoted_three_times();
        drop(store);
        let raw = raw(dir.path());
        raw.execute_batch("DROP TRIGGER history_stands; DROP TRIGGER history_stays;").unwrap();
        assert!(raw.execute(sql, []).unwrap() > 0, "{sql}");
        drop(raw);
        let error = open(dir.path()).verify_history().unwrap_err();
        let Error::HistoryBroken { sequence, fault } = error else { panic!("{sql}: {error:?}") };
        assert_eq!((fault, sequence), (expected, at), "{sql}");
    }
}

#[test]
fn one_flipped_byte_anywhere_is_seen() {
    let (dir, store) = store();
    store.promote(&promotion(trained(&store, "a"), Stage::Staging, "challenger")).unwrap();
    let mut refused = change();
    refused.run = Some("b".to_owned());
    store.record_decision("churn-predictor", Action::Refused, &refused).unwrap();
    drop(store);
    raw(dir.path()).execute_batch("DROP TRIGGER history_stands; DROP TRIGGER history_stays;").unwrap();
    let store = open(dir.path());
    store.verify_history().unwrap();
    let database = raw(dir.path());
    let mut flipped = 0;
    for column in ["registry", "model", "action", "effects", "who", "run", "reason", "decision", "previous", "hash"] {
        for sequence in [1, 2] {
            let sql = format!("SELECT {column} FROM history WHERE sequence = {sequence}");
            let Some(text) = database.query_row(&sql, [], |row| row.get::<_, Option<String>>(0)).unwrap() else {
                continue;
            };
            let update = format!("UPDATE history SET {column} = ?1 WHERE sequence = {sequence}");
            for at in 0..text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1;
                // A flipped byte of a letter of more than one byte is no text, and can't be read.
                let Ok(other) = String::from_utf8(bytes) else { continue };
                database.execute(&update, [&other]).unwrap();
                assert!(store.verify_history().is_err(), "{column} of {sequence}, byte {at}: {other}");
                flipped += 1;
            }
            database.execute(&update, [&text]).unwrap();
        }
    }
    assert!(flipped > 500, "{flipped}");
    store.check().unwrap();
}
