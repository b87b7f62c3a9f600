//! What a run did, one JSON line each; what it made is on disk before anything builds on it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use trainyard_files::{Io, WriteSync, create_folder};

use super::Record;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The run began, or went on after an interruption.
    Began {
        /// Milliseconds since 1970, for people only.
        at: i64,
        /// The process.
        pid: u32,
        /// Its host.
        host: String,
        /// The steps in order.
        steps: Vec<String>,
        /// The one step that was asked for, in a run that is driven step by step.
        only: Option<String>,
        /// The moment that the run takes for now, in microseconds since 1970; absent in journals of old, which took none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        as_of: Option<i64>,
    },
    /// A step began.
    StepBegan {
        /// Its name.
        step: String,
    },
    /// A step is done: its objects are stored.
    StepDone {
        /// What it left.
        record: Box<Record>,
        /// Whether a stored result stood for it.
        cached: bool,
        /// Wall time.
        seconds: f64,
    },
    /// A step failed.
    StepFailed {
        /// Its name.
        step: String,
        /// The problems' codes and titles.
        problems: Vec<String>,
    },
    /// The user stopped the run.
    Interrupted {
        /// Milliseconds since 1970.
        at: i64,
    },
    /// The run ended.
    Ended {
        /// Milliseconds since 1970.
        at: i64,
        /// FINISHED, FAILED or REFUSED.
        status: String,
    },
}

/// Why the journal can't be used.
#[derive(Debug)]
pub enum JournalError {
    /// The disk said no.
    Io(PathBuf, std::io::Error),
    /// A whole line can't be understood.
    Damaged(PathBuf, usize),
}

impl fmt::Display for JournalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Io(path, error) => write!(formatter, "{}: {error}", path.display()),
            JournalError::Damaged(path, line) => write!(formatter, "{}:{line}: not a journal entry", path.display()),
        }
    }
}

impl std::error::Error for JournalError {}

/// Ends a line that a crash tore, so that no reader takes it for an entry; an entry ends with a brace.
const TORN: &[u8] = b" torn\n";

/// Appends to one run's journal.
#[derive(Debug)]
pub struct Journal {
    io: Arc<dyn Io>,
    path: PathBuf,
    /// Whether the file's name is known to be on the disk before the first entry.
    is_named: bool,
    one_at_a_time: Mutex<()>,
}

impl Journal {
    /// Opens the journal at `path`; nothing is written before the first entry.
    pub fn open(io: Arc<dyn Io>, path: PathBuf) -> Journal {
        Journal { io, path, is_named: false, one_at_a_time: Mutex::new(()) }
    }

    /// Makes an empty journal at `path`, in a folder that is there. Before the first entry the caller forces the folder to
    /// the disk.
    pub fn create(io: Arc<dyn Io>, path: PathBuf) -> Result<Journal, JournalError> {
        match io.append(&path) {
            Ok(_) => Ok(Journal { io, path, is_named: true, one_at_a_time: Mutex::new(()) }),
            Err(error) => Err(JournalError::Io(path, error)),
        }
    }

    /// Writes entries, in order, and waits until they are on disk, with all before them.
    pub fn write(&self, entries: &[Entry]) -> Result<(), JournalError> {
        self.append(entries, true)
    }

    /// Writes one entry on which nothing builds: a process that dies keeps it, a power cut may take it before the next
    /// [`write`](Journal::write).
    pub fn note(&self, entry: &Entry) -> Result<(), JournalError> {
        self.append(std::slice::from_ref(entry), false)
    }

    fn append(&self, entries: &[Entry], sync: bool) -> Result<(), JournalError> {
        let failed = |error| JournalError::Io(self.path.clone(), error);
        let guard = self.one_at_a_time.lock();
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry).map_err(|error| failed(error.into()))?;
            lines.push(b'\n');
        }
        // A line that a crash tore has no line end. Another process of the run may be writing it at this moment: then
        // the mark comes after its end and stands alone.
        let before = self.io.read(&self.path);
        if before.as_ref().is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n')) {
            lines.splice(0..0, TORN.iter().copied());
        }
        let mut file = self.open_file().map_err(failed)?;
        file.write_all(&lines).map_err(failed)?;
        if sync {
            file.sync().map_err(failed)?;
        }
        let is_first = before.map_or(true, |bytes| bytes.is_empty());
        if let (true, false, Some(folder)) = (is_first, self.is_named, self.path.parent()) {
            self.io.sync_dir(folder).map_err(failed)?;
        }
        drop(guard);
        Ok(())
    }

    /// Opens the file at its end; the folder is made when absent.
    fn open_file(&self) -> std::io::Result<Box<dyn WriteSync>> {
        match (self.io.append(&self.path), self.path.parent()) {
            (Err(error), Some(folder)) if error.kind() == ErrorKind::NotFound => {
                create_folder(&*self.io, folder).map_err(std::io::Error::other)?;
                self.io.append(&self.path)
            }
            (opened, _) => opened,
        }
    }

    /// Reads all entries; lines that a crash tore are left out.
    pub fn read(io: &dyn Io, path: &Path) -> Result<Vec<Entry>, JournalError> {
        let bytes = match io.read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(JournalError::Io(path.to_owned(), error)),
        };
        // What follows the last line end is torn, or just being written.
        let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let mut entries = Vec::new();
        for (number, line) in whole.enumerate().filter(|(_, line)| !line.ends_with(TORN)) {
            let entry = serde_json::from_slice(line);
            entries.push(entry.map_err(|_| JournalError::Damaged(path.to_owned(), number + 1))?);
        }
        Ok(entries)
    }

    /// Gives the moment that a run takes for now, in microseconds since 1970: that of its first line.
    pub fn as_of(entries: &[Entry]) -> Option<i64> {
        entries.iter().find_map(|entry| match entry {
            Entry::Began { at, as_of, .. } => Some(as_of.unwrap_or(at.saturating_mul(1000))),
            _ => None,
        })
    }

    /// Gives the records of the steps that are done, by name, with whether they were cached and their seconds.
    pub fn done(entries: &[Entry]) -> BTreeMap<String, (Record, bool, f64)> {
        let mut done = BTreeMap::new();
        for entry in entries {
            if let Entry::StepDone { record, cached, seconds } = entry {
                done.insert(record.step.clone(), ((**record).clone(), *cached, *seconds));
            }
        }
        done
    }
}
