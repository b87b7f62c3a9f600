//! A lock that other programs know, too: flock(2) on a file that they have agreed upon.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::{Error, Operation};

/// How often, and how long, a lock that somebody has for a moment is tried again: three seconds in all.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);

/// Holds a lock until it is dropped, or the process ends.
///
/// Its file names the holder's process, as Python's `zc.lockfile` writes it, which DVC takes its own lock with.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock whose file lies at `path`, in a folder that exists; the file is never removed.
    ///
    /// Where another process keeps it, gives what that one wrote into the file.
    pub fn take(path: &Path) -> Result<Result<Self, String>, Error> {
        let failed = |error| Error::io(Operation::Lock, path, error);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        for attempt in 0..ATTEMPTS {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let name = format!(" {}\n", std::process::id());
                    let named = file.write_all(name.as_bytes()).and_then(|()| file.set_len(name.len() as u64));
                    return named.map(|()| Ok(Self { _file: file })).map_err(failed);
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) if attempt + 1 < ATTEMPTS => sleep(PAUSE),
                Err(Errno::WOULDBLOCK | Errno::INTR) => break,
                Err(error) => return Err(failed(error.into())),
            }
        }
        let mut holder = String::new();
        // What can't be read names nobody.
        let _ = file.read_to_string(&mut holder);
        Ok(Err(holder.trim().to_owned()))
    }
}
