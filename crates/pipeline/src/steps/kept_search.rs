//! A search on disk, from which a run that died goes on.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

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
    /// How long runs that died had searched.
    spent: Duration,
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
        let spent = known.as_ref().and_then(|_| spent(&*io, path)).unwrap_or_default();
        let (record, log, text) = known.unwrap_or_else(|| {
            let (log, text) = Log::begin(&begun);
            (begun, log, text)
        });
        create_folder(&*io, folder).map_err(|error| error.diagnostic())?;
        write_atomic(&*io, path, text.as_bytes()).map_err(|error| error.diagnostic())?;
        let kept = Kept { io, path: path.to_owned(), log: Mutex::new(log), spent, problem: OnceLock::new() };
        Ok((record, kept, warning))
    }

    /// Says how long runs that died had searched, as far as it was kept.
    pub(super) const fn spent(&self) -> Duration {
        self.spent
    }

    /// Keeps how long the search has taken so far. What is lost of it lets a search that goes on take longer, no more.
    pub(super) fn keep_spent(&self, spent: Duration) {
        let path = seconds_file(&self.path);
        let _ = self.io.remove_file(&path);
        let write = || {
            let mut file = self.io.create(&path)?;
            file.write_all(format!("{}\n", spent.as_secs_f64()).as_bytes())?;
            file.flush()
        };
        let _ = write();
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
        let _ = self.io.remove_file(&seconds_file(&self.path));
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

fn seconds_file(path: &Path) -> PathBuf {
    path.with_extension("seconds")
}

fn spent(io: &dyn Io, path: &Path) -> Option<Duration> {
    let text = String::from_utf8(io.read(&seconds_file(path)).ok()?).ok()?;
    Duration::try_from_secs_f64(text.strip_suffix('\n')?.parse().ok()?).ok()
}

/// Reads what was written of the same search.
fn same(text: &str, begun: &Record) -> Option<(Record, Log, String)> {
    let study = &begun.study;
    let read = journal::read(text, Some(&study.name)).ok()?;
    let is_same = read.record.study.space == study.space && read.record.study.direction == study.direction;
    is_same.then(|| (read.record, read.log, text[..read.whole].to_owned()))
}

#[cfg(test)]
mod tests {
    use trainyard_files::DiskIo;
    use trainyard_tune::Direction;

    use super::*;

    #[test]
    fn the_seconds_of_a_search_that_died_are_known_as_long_as_its_trials_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("search.journal");
        let open = || {
            let begun = Record::new("trees".to_owned(), Direction::Maximize, Space::new(Vec::new()).unwrap());
            Kept::open(Arc::new(DiskIo), folder.path(), &path, begun).unwrap_or_else(|_| panic!("it opens")).1
        };
        let kept = open();
        assert_eq!(kept.spent(), Duration::ZERO);
        kept.keep_spent(Duration::from_millis(1500));
        kept.keep_spent(Duration::from_millis(2500));
        assert_eq!(open().spent(), Duration::from_millis(2500));
        std::fs::write(path.with_extension("seconds"), "2.").unwrap();
        assert_eq!(open().spent(), Duration::ZERO, "a death cut it");
        kept.keep_spent(Duration::from_millis(2500));
        std::fs::write(&path, "no journal").unwrap();
        assert_eq!(open().spent(), Duration::ZERO, "it begins anew");
    }
}
