//! The file: made, opened by many, and refused when it is not ours.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::tempdir;
use trainyard_files::Error as FilesError;
use trainyard_tracking::{EmbeddedStore, Error, FILE_NAME, SCHEMA_VERSION, Tracking};

use crate::given::{map, new_run, objects, open, promotion, store, trained};

fn try_open(dir: &Path) -> [Result<(), Error>; 2] {
    let reader = EmbeddedStore::open_existing(dir, objects(dir)).map(drop);
    [EmbeddedStore::open(dir, objects(dir)).map(drop), reader]
}

#[test]
fn the_schema_is_version_2() {
    let (dir, store) = store();
    let raw = Connection::open(store.path()).unwrap();
    let mut dump = String::new();
    for pragma in ["application_id", "user_version", "journal_mode"] {
        let value =
            raw.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
        dump.push_str(&format!("{pragma} = {value:?}\n"));
    }
    let mut statement = raw.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name").unwrap();
    let sql = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    sql.for_each(|sql| dump.push_str(&format!("{}\n", sql.unwrap())));
    let snapshot =
        std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/it/schema_v2.txt");
    if std::env::var_os("TRAINYARD_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &dump).unwrap();
    }
    // Stores of this schema exist: another schema is another version, with a migration.
    assert_eq!(SCHEMA_VERSION, 2);
    assert_eq!(dump, fs::read_to_string(snapshot).unwrap());
    drop(dir);
}

/// A store that the first schema's program wrote, with a promotion.
const FIRST: &str = include_str!("store_v1.sql");

#[test]
fn a_store_of_the_first_schema_is_read_as_it_is_and_brought_up_by_who_writes() {
    let dir = tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let raw = Connection::open(&path).unwrap();
    raw.pragma_update(None, "journal_mode", "WAL").unwrap();
    raw.execute_batch(include_str!("../../src/embedded/schema_v1.sql")).unwrap();
    raw.execute_batch(FIRST).unwrap();
    drop(raw);
    let before = fs::read(&path).unwrap();
    let reader = EmbeddedStore::open_existing(dir.path(), objects(dir.path())).unwrap().unwrap();
    let told = reader.history("churn-predictor").unwrap();
    assert_eq!(
        (told.len(), told[0].version, told[0].who.as_deref(), told[0].registry.as_str()),
        (1, Some(1), None, "")
    );
    reader.verify_history().unwrap();
    assert!(!reader.allow_writing().unwrap(), "a copy in memory is not the file");
    assert_eq!(fs::read(&path).unwrap(), before);
    let store = open(dir.path());
    assert_eq!(store.history("churn-predictor").unwrap(), told);
    store.promote(&promotion(trained(&store, "b"), trainyard_spec::Stage::Staging, "challenger")).unwrap();
    store.check().unwrap();
    let told = store.history("churn-predictor").unwrap();
    assert_eq!((told.len(), told[1].who.as_deref()), (2, Some("ada@lab")));
    assert_eq!(told[1].previous, told[0].hash);
    drop((store, reader));
    let raw = Connection::open(&path).unwrap();
    let version: i64 = raw.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, SCHEMA_VERSION);
}

#[test]
fn a_reader_makes_nothing_where_nothing_is() {
    let dir = tempdir().unwrap();
    assert!(EmbeddedStore::open_existing(dir.path(), objects(dir.path())).unwrap().is_none());
    assert!(EmbeddedStore::open_existing(&dir.path().join("absent"), objects(dir.path())).unwrap().is_none());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    // A process died before it had made the tables.
    fs::write(dir.path().join(FILE_NAME), b"").unwrap();
    assert!(EmbeddedStore::open_existing(dir.path(), objects(dir.path())).unwrap().is_none());
    open(dir.path()).start_run(&new_run("a")).unwrap();
    let reader = EmbeddedStore::open_existing(dir.path(), objects(dir.path())).unwrap().unwrap();
    assert_eq!(reader.runs(10, None).unwrap().len(), 1);
    assert!(matches!(reader.start_run(&new_run("b")), Err(Error::ReadOnly { .. })));
    assert!(reader.allow_writing().unwrap());
    reader.start_run(&new_run("b")).unwrap();
    let elsewhere = EmbeddedStore::look(&dir.path().join("absent"), objects(dir.path())).unwrap();
    assert!(!elsewhere.allow_writing().unwrap(), "one in memory is not the one on the disk");
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let (dir, store) = store();
    store.start_run(&new_run("a")).unwrap();
    let path = store.path().to_path_buf();
    drop(store);
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA user_version = 7; CREATE TABLE of_the_future (x)").unwrap();
    drop(raw);
    let before = fs::read(&path).unwrap();
    for outcome in try_open(dir.path()) {
        assert!(matches!(outcome, Err(Error::Later { found: 7, known: SCHEMA_VERSION, .. })), "{outcome:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let dir = tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = fs::read(&path).unwrap();
    for outcome in try_open(dir.path()) {
        assert!(matches!(outcome, Err(Error::Foreign { .. })), "{outcome:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Damages a file's bytes.
type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_file_is_called_damaged_and_left_alone() {
    let (dir, store) = store();
    for run in ["a", "b", "c"] {
        store.promote(&promotion(trained(&store, run), trainyard_spec::Stage::Staging, "challenger")).unwrap();
    }
    let path = store.path().to_path_buf();
    drop(store);
    // All of it into the file: a log would mend some of the damage.
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let whole = fs::read(&path).unwrap();
    let damages: [(&str, Damage); 5] = [
        ("text", |bytes| *bytes = b"this is not a database, it is a letter to whom it may concern".repeat(100)),
        ("cut after the header", |bytes| bytes.truncate(4096)),
        ("cut in the middle", |bytes| bytes.truncate(bytes.len() / 2)),
        ("header overwritten", |bytes| bytes[..100].fill(0xff)),
        ("pages overwritten", |bytes| bytes[4096..].fill(0xa5)),
    ];
    for (what, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let outcome = EmbeddedStore::open(dir.path(), objects(dir.path())).and_then(|store| store.check());
        let Err(Error::Damaged { path: named, .. }) = &outcome else { panic!("{what}: {outcome:?}") };
        assert_eq!(named, &path);
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}");
    }
    fs::write(&path, &whole).unwrap();
    open(dir.path()).check().unwrap();
}

#[test]
fn what_is_in_the_way_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"x").unwrap();
    let outcome = EmbeddedStore::open(&file, objects(dir.path()));
    assert!(matches!(outcome, Err(Error::Files(FilesError::Io { .. }))), "{outcome:?}");
    fs::create_dir(dir.path().join(FILE_NAME)).unwrap();
    for outcome in try_open(dir.path()) {
        assert!(matches!(outcome, Err(Error::CannotOpen { .. })), "{outcome:?}");
    }
}

#[test]
fn a_new_store_is_made_once_by_many() {
    let dir = tempdir().unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let dir = dir.path();
            scope.spawn(move || open(dir).start_run(&new_run(&format!("r{number}"))).unwrap());
        }
    });
    assert_eq!(open(dir.path()).runs(100, None).unwrap().len(), 8);
}

#[test]
fn writers_take_turns_and_readers_see_whole_states() {
    let (dir, first) = store();
    first.start_run(&new_run("shared")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let dir = dir.path();
                scope.spawn(move || {
                    let store = open(dir);
                    for number in 0..20 {
                        let value = format!("{writer}-{number}");
                        // Two tags in one transaction: no reader may see them differ.
                        store.set_tags("shared", &map([("left", &value), ("right", &value)])).unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                let reader = EmbeddedStore::open_existing(dir.path(), objects(dir.path())).unwrap().unwrap();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let tags = reader.run("shared").unwrap().unwrap().tags;
                    assert_eq!(tags.get("left"), tags.get("right"));
                }
            });
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
