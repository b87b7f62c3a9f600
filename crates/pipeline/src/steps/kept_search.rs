//! A search on disk, from which a run that died goes on.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Error, Io, Operation, create_folder, write_atomic};
use trainyard_tune::journal::{self, Log};
use trainyard_tune::{Record, Report, Space, Trial};

use crate::engine::Failure;

/// A search on disk, a line for each trial that has ended.
pub(super) struct Kept {
    io: Arc<dyn Io>,
    path: PathBuf,
    log: Mutex<Log>,
    /// Why a line could not be written.
    problem: OnceLock<Diagnostic>,
}

impl Kept {
    /// Goes on with the search of a file, which is that of `begun` with what came of it; begins one where there is
    /// none, with a warning where there is a file that says nothing sound.
    pub(super) fn open(
        io: Arc<dyn Io>,
        folder: &Path,
        path: &Path,
        begun: Record,
    ) -> Result<(Record, Kept, Option<Diagnostic>), Failure> {
        let mut warning = None;
        let known = match io.read(path) {
            Ok(mut bytes) => {
                // A death may have cut the last line, in the middle of a letter.
                bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
                let known = String::from_utf8(bytes).ok().and_then(|text| same(&text, &begun));
                if known.is_none() {
                    let title = "what an earlier run left of this search is damaged: it begins anew";
                    warning = Some(Diagnostic::warning("tune/search-lost", title).note(path.display().to_string()));
                }
                known
            }
            Err(_) => None,
        };
        let (record, log, text) = known.unwrap_or_else(|| {
            let (log, text) = Log::begin(&begun);
            (begun, log, text)
        });
        create_folder(&*io, folder).map_err(|error| error.diagnostic())?;
        write_atomic(&*io, path, text.as_bytes()).map_err(|error| error.diagnostic())?;
        Ok((record, Kept { io, path: path.to_owned(), log: Mutex::new(log), problem: OnceLock::new() }, warning))
    }

    /// Adds a trial that has ended. After one that could not be written none is: the search ends.
    pub(super) fn append(&self, space: &Space, trial: &Trial, rungs: &[Report]) {
        if self.problem.get().is_some() {
            return;
        }
        let mut text = String::new();
        self.log.lock().unwrap_or_else(PoisonError::into_inner).ended(space, trial, rungs, &mut text);
        if let Err(problem) = self.write(&text) {
            let _ = self.problem.set(problem);
        }
    }

    /// Says why a line could not be written.
    pub(super) fn problem(&self) -> Option<&Diagnostic> {
        self.problem.get()
    }

    /// Writes when and why the search stopped.
    pub(super) fn end(&self, record: &Record) -> Result<(), Failure> {
        let mut text = String::new();
        self.log.lock().unwrap_or_else(PoisonError::into_inner).append(record, &mut text);
        Ok(self.write(&text)?)
    }

    /// Forgets the search.
    pub(super) fn remove(&self) {
        // One that stays costs space, and the same failures once more.
        let _ = self.io.remove_file(&self.path);
    }

    fn write(&self, text: &str) -> Result<(), Diagnostic> {
        if text.is_empty() {
            return Ok(());
        }
        let write = || {
            let mut file = self.io.append(&self.path)?;
            file.write_all(text.as_bytes())?;
            file.sync()
        };
        write().map_err(|error| Error::io(Operation::Write, &self.path, error).diagnostic())
    }
}

/// Reads what was written of the same search.
fn same(text: &str, begun: &Record) -> Option<(Record, Log, String)> {
    let study = &begun.study;
    let read = journal::read(text, Some(&study.name)).ok()?;
    let is_same = read.record.study.space == study.space && read.record.study.direction == study.direction;
    is_same.then(|| (read.record, read.log, text[..read.whole].to_owned()))
}
