//! Files that are being written, under names that say whose they are.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::place::{is_alive, is_known, mark};
use crate::{Error, Io, Operation, WriteSync};

const PREFIX: &str = ".trainyard-";
const SUFFIX: &str = ".tmp";
/// Nobody takes this long between two writes to one file: what is older has no writer, wherever that lived.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Says who may do what with a new file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// What the system gives to new files.
    Usual,
    /// These permission bits, from before the first byte is in it.
    Kept(u32),
    /// Nobody may write it.
    ReadOnly,
}

/// Writes `bytes` into a file of its own in `folder`, forced to the disk; returns its path. Nothing is left on failure.
pub(crate) fn write(io: &dyn Io, folder: &Path, bytes: &[u8], access: Access) -> Result<PathBuf, Error> {
    write_by(io, folder, access, |path, file: &mut dyn Write| {
        file.write_all(bytes).map_err(|error| Error::io(Operation::Write, path, error))
    })
}

/// Writes what `content`, which is told the file's path, writes into a file of its own in `folder`, as [`write`] does.
pub(crate) fn write_by<E: From<Error>>(
    io: &dyn Io,
    folder: &Path,
    access: Access,
    content: impl FnOnce(&Path, &mut dyn Write) -> Result<(), E>,
) -> Result<PathBuf, E> {
    let (path, file) = create_temporary(io, folder)?;
    let written = fill(io, &path, file, access, content);
    if written.is_err() {
        discard(io, &path);
    }
    written.map(|()| path)
}

/// Removes a temporary file after a failure. The failure itself is what the caller hears about.
pub(crate) fn discard(io: &dyn Io, path: &Path) {
    let _ = io.remove_file(path);
}

/// Returns a path in `folder`, under the name of a temporary file of this process, that no other call returns.
///
/// What is made there counts as half-written until it is moved to its own name: [`sweep_temporaries`] removes it when
/// this process is dead.
pub fn temporary_path(folder: &Path) -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{PREFIX}{}-{}-{number}{SUFFIX}", mark(), std::process::id()))
}

/// Creates a temporary file in `folder`, at a path as [`temporary_path`] gives it.
pub fn create_temporary(io: &dyn Io, folder: &Path) -> Result<(PathBuf, Box<dyn WriteSync>), Error> {
    create_temporary_by(folder, |path| io.create(path))
}

/// Creates one in another way than the usual: `create` makes a file that did not exist.
pub fn create_temporary_by(
    folder: &Path,
    create: impl Fn(&Path) -> io::Result<Box<dyn WriteSync>>,
) -> Result<(PathBuf, Box<dyn WriteSync>), Error> {
    loop {
        let path = temporary_path(folder);
        match create(&path) {
            Ok(file) => return Ok((path, file)),
            // Left by a dead process that had the same pid.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(Operation::Create, &path, error)),
        }
    }
}

fn fill<E: From<Error>>(
    io: &dyn Io,
    path: &Path,
    mut file: Box<dyn WriteSync>,
    access: Access,
    content: impl FnOnce(&Path, &mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |operation| move |error: io::Error| Error::io(operation, path, error);
    if let Access::Kept(mode) = access {
        // Some file systems refuse every change of permissions; there all files have the same.
        if io.metadata(path).map_err(failed(Operation::Protect))?.mode != mode {
            io.set_mode(path, mode).map_err(failed(Operation::Protect))?;
        }
    }
    content(path, &mut file)?;
    file.flush().map_err(failed(Operation::Write))?;
    if let Access::ReadOnly = access {
        io.set_readonly(path).map_err(failed(Operation::Protect))?;
    }
    file.sync().map_err(failed(Operation::Sync))?;
    Ok(())
}

/// Removes from `folder` the temporary files that dead writers left behind; returns how many.
///
/// Safe at any time, beside writers in this process and in others: a file goes only when its writer can be seen to be
/// dead, or when it is a day old and its writer can't be seen from here (another host, container or boot). Should such
/// a writer have slept for a day, its write fails and the old file stands. The folder is listed; nothing is read.
pub fn sweep_temporaries(io: &dyn Io, folder: &Path) -> Result<usize, Error> {
    let mut removed = 0;
    for path in abandoned_temporaries(io, folder)? {
        match io.remove_file(&path) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(Operation::Remove, &path, error)),
        }
    }
    Ok(removed)
}

/// Lists the temporary files in `folder` that [`sweep_temporaries`] would remove.
pub fn abandoned_temporaries(io: &dyn Io, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut entries = match io.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(Operation::List, folder, error)),
    };
    entries.retain(|path| {
        let Some((place, pid)) = path.file_name().and_then(|name| name.to_str()).and_then(writer) else {
            return false;
        };
        if is_known() && place == mark() { !is_alive(pid) } else { is_abandoned(io, path) }
    });
    Ok(entries)
}

/// Says whether a name is that of a temporary file, of whatever process.
pub fn is_temporary(name: &str) -> bool {
    writer(name).is_some()
}

/// Returns the mark and the pid in the name of a temporary file; none for any other name.
fn writer(name: &str) -> Option<(&str, u32)> {
    let rest = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let (place, rest) = rest.split_once('-')?;
    let (pid, number) = rest.split_once('-')?;
    number.parse::<u64>().ok()?;
    let is_mark = place.len() == 8 && place.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_mark.then_some(place).zip(pid.parse().ok())
}

/// Says whether a file has not been written for a day; one of an unknown age, or from the future, counts as fresh.
fn is_abandoned(io: &dyn Io, path: &Path) -> bool {
    let modified = io.metadata(path).ok().and_then(|metadata| metadata.modified);
    modified.and_then(|modified| SystemTime::now().duration_since(modified).ok()).is_some_and(|age| age > ABANDONED)
}
