//! Files that are being written, under names that say whose they are.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, test_kill_process};

use crate::{Digest, Error, Io, Operation, WriteSync, host_name};

const PREFIX: &str = ".trainyard-";
const SUFFIX: &str = ".tmp";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Returns a short stand-in for this host's name that is safe in a file name.
fn host_mark() -> String {
    let mut mark = Digest::of(host_name().as_bytes()).to_string();
    mark.truncate(8);
    mark
}

/// Writes `bytes` into a file of its own in `folder`, forced to the disk; returns its path. Nothing is left on failure.
pub(crate) fn write(io: &dyn Io, folder: &Path, bytes: &[u8], readonly: bool) -> Result<PathBuf, Error> {
    let (path, file) = create(io, folder)?;
    let written = fill(io, &path, file, bytes, readonly);
    if written.is_err() {
        discard(io, &path);
    }
    written.map(|()| path)
}

/// Removes a temporary file after a failure. The failure itself is what the caller hears about.
pub(crate) fn discard(io: &dyn Io, path: &Path) {
    let _ = io.remove_file(path);
}

fn create(io: &dyn Io, folder: &Path) -> Result<(PathBuf, Box<dyn WriteSync>), Error> {
    let (host, pid) = (host_mark(), std::process::id());
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{PREFIX}{host}-{pid}-{number}{SUFFIX}"));
        match io.create(&path) {
            Ok(file) => return Ok((path, file)),
            // Left by a dead process that had the same pid.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(Operation::Create, &path, error)),
        }
    }
}

fn fill(io: &dyn Io, path: &Path, mut file: Box<dyn WriteSync>, bytes: &[u8], readonly: bool) -> Result<(), Error> {
    let failed = |operation| move |error: io::Error| Error::io(operation, path, error);
    file.write_all(bytes).map_err(failed(Operation::Write))?;
    file.flush().map_err(failed(Operation::Write))?;
    if readonly {
        io.set_readonly(path).map_err(failed(Operation::Protect))?;
    }
    file.sync().map_err(failed(Operation::Sync))
}

/// Removes from `folder` the temporary files that dead processes of this host left behind; returns how many.
///
/// Files of living processes and of other hosts stay.
pub fn sweep_temporaries(io: &dyn Io, folder: &Path) -> Result<usize, Error> {
    let entries = match io.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Error::io(Operation::List, folder, error)),
    };
    let host = host_mark();
    let mut removed = 0;
    for path in entries {
        let Some(pid) = path.file_name().and_then(|name| name.to_str()).and_then(|name| owner(name, &host)) else {
            continue;
        };
        if is_alive(pid) {
            continue;
        }
        match io.remove_file(&path) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(Operation::Remove, &path, error)),
        }
    }
    Ok(removed)
}

/// Returns the pid in a temporary file's name, if it is one of this host.
fn owner(name: &str, host: &str) -> Option<u32> {
    let rest = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let rest = rest.strip_prefix(host)?.strip_prefix('-')?;
    let (pid, number) = rest.split_once('-')?;
    number.parse::<u64>().ok()?;
    pid.parse().ok()
}

/// Says whether a process of this host lives; one that may not be signalled does.
pub(crate) fn is_alive(pid: u32) -> bool {
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        Some(pid) => test_kill_process(pid) != Err(rustix::io::Errno::SRCH),
        None => false,
    }
}
