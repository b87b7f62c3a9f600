//! Opening the file: a new one, one of ours, one of a later version, one that is none.

use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use trainyard_files::{DiskIo, create_folder};

use super::fault::Fault;
use crate::Error;

/// The name of the store's file in its folder.
pub const FILE_NAME: &str = "tracking.db";
/// The version of the schema that this program writes.
pub const SCHEMA_VERSION: i64 = 2;

/// Marks a file as ours: "TRYD".
const APPLICATION_ID: i64 = 0x5452_5944;
/// What leads from each version of the schema to the next, the first from nothing.
const SCHEMAS: [&str; SCHEMA_VERSION as usize] = [include_str!("schema_v1.sql"), include_str!("schema_v2.sql")];
/// How many pages are copied at once; nobody waits meanwhile.
const BACKUP_PAGES: i32 = 1024;
/// How long a writer waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// The switch to WAL is the one thing that SQLite does not wait for by itself.
const SWITCH_ATTEMPTS: u32 = 300;
const SWITCH_PAUSE: Duration = Duration::from_millis(10);

enum Found {
    Nothing,
    Ours,
    /// A store of an earlier schema; how many of them it has.
    Earlier(usize),
}

/// Opens the store for reading and writing; makes it where there is none.
pub(super) fn writable(dir: &Path) -> Result<(Connection, PathBuf), Error> {
    create_folder(&DiskIo, dir)?;
    let path = dir.join(FILE_NAME);
    refuse_folder(&path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let outcome = (|| {
        let mut connection = Connection::open_with_flags(&path, flags)?;
        prepare(&connection)?;
        match identify(&connection, &path)? {
            Found::Nothing => create(&mut connection, &path)?,
            Found::Earlier(_) => bring_up(&mut connection, &path)?,
            Found::Ours => {}
        }
        Ok(connection)
    })();
    let connection = outcome.map_err(|fault: Fault| fault.at(&path))?;
    if connection.is_readonly(rusqlite::MAIN_DB).unwrap_or(false) {
        return Err(Error::ReadOnly { path });
    }
    Ok((connection, path))
}

/// Makes a store in memory for looking only.
pub(super) fn empty(dir: &Path) -> Result<(Connection, PathBuf), Error> {
    let path = dir.join(FILE_NAME);
    let outcome = (|| {
        let mut connection = Connection::open_in_memory()?;
        connection.pragma_update(None, "foreign_keys", true)?;
        create(&mut connection, &path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    })();
    Ok((outcome.map_err(|fault: Fault| fault.at(&path))?, path))
}

/// Opens the store for reading, where there is one; says whether the connection could write.
pub(super) fn readable(dir: &Path) -> Result<Option<(Connection, PathBuf, bool)>, Error> {
    let path = dir.join(FILE_NAME);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(source) => {
            return Err(trainyard_files::Error::io(trainyard_files::Operation::Open, &path, source).into());
        }
    }
    refuse_folder(&path)?;
    let outcome = read_only(&path);
    let (outcome, can_write) = match outcome {
        // In a folder that may not be written SQLite can't keep its notes of readers. Nobody else writes there either.
        Err(Fault::Sqlite(error))
            if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) =>
        {
            (unshared(&path), false)
        }
        other => (other, true),
    };
    let outcome = outcome.and_then(|found| found.map(|connection| of_this_version(connection, &path)).transpose());
    match outcome {
        Ok(Some((connection, is_the_file))) => Ok(Some((connection, path, can_write && is_the_file))),
        Ok(None) => Ok(None),
        Err(fault) => Err(fault.at(&path)),
    }
}

/// Gives what an earlier store is in today's schema, in memory, without a change of its file; says whether the connection
/// is to the file.
fn of_this_version(connection: Connection, path: &Path) -> Result<(Connection, bool), Fault> {
    if matches!(identify(&connection, path)?, Found::Ours) {
        return Ok((connection, true));
    }
    let mut copy = Connection::open_in_memory()?;
    Backup::new(&connection, &mut copy)?.run_to_completion(BACKUP_PAGES, Duration::ZERO, None)?;
    bring_up(&mut copy, path)?;
    copy.pragma_update(None, "query_only", true)?;
    Ok((copy, false))
}

/// SQLite would call a folder a disk error.
fn refuse_folder(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Err(Error::CannotOpen { path: path.to_path_buf(), detail: "it is a folder".to_owned() });
    }
    Ok(())
}

fn read_only(path: &Path) -> Result<Option<Connection>, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    match identify(&connection, path)? {
        Found::Ours | Found::Earlier(_) => Ok(Some(connection)),
        Found::Nothing => Ok(None),
    }
}

/// Opens the store in a folder that may not be written, and so is written by nobody.
pub(super) fn unshared(path: &Path) -> Result<Option<Connection>, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if log_bytes(path) == 0 {
        Connection::open_with_flags(format!("{}?immutable=1", uri(path)), flags)?
    } else {
        // An immutable file has no log. Without locks, the index of the log is kept in memory.
        let connection = Connection::open_with_flags(format!("{}?vfs=unix-none", uri(path)), flags)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        keep_log(&connection)?;
        connection
    };
    match identify(&connection, path)? {
        Found::Ours | Found::Earlier(_) => Ok(Some(connection)),
        Found::Nothing => Ok(None),
    }
}

fn uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for character in path.to_string_lossy().chars() {
        match character {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            other => uri.push(other),
        }
    }
    uri
}

/// Gives the length of the log beside the store's file: what was written since its pages were last put into the file.
pub(super) fn log_bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    metadata(log).map_or(0, |log| log.len())
}

/// Lets the log stay as it is when the connection is closed.
pub(super) fn keep_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

fn prepare(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Says what the file is, before anything is written to it.
fn identify(connection: &Connection, path: &Path) -> Result<Found, Fault> {
    // One snapshot for all three: another process may be making the store between them.
    let _snapshot = connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let objects = number("SELECT count(*) FROM sqlite_master")?;
    match (application, version) {
        (0, 0) if objects == 0 => Ok(Found::Nothing),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(Found::Ours),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            Err(Error::Later { path: path.to_path_buf(), found, known: SCHEMA_VERSION }.into())
        }
        (APPLICATION_ID, found) => match usize::try_from(found) {
            Ok(found) if found > 0 => Ok(Found::Earlier(found)),
            _ => Err(Fault::Content(format!("there is no schema version {found}"))),
        },
        _ => Err(Error::Foreign { path: path.to_path_buf() }.into()),
    }
}

fn create(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    let mut attempt = 0;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Ok(()) => break,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && attempt < SWITCH_ATTEMPTS => {
                attempt += 1;
                sleep(SWITCH_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
    bring_up(connection, path)
}

/// Brings what is there, be it nothing, to this version of the schema.
fn bring_up(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let has = match identify(&transaction, path)? {
        Found::Nothing => 0,
        Found::Earlier(has) => has,
        Found::Ours => SCHEMAS.len(),
    };
    if has < SCHEMAS.len() {
        SCHEMAS[has..].iter().try_for_each(|schema| transaction.execute_batch(schema))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}
