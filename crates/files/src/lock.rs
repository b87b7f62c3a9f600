//! The project's lock: held by a living process or by nobody.
//!
//! Two files. `<path>` carries the flock(2) that decides, which the kernel drops with the process, and the holders'
//! names as JSON, for messages; nobody is let in or kept out because of a name. `<path>.gate` is locked for the moment in which a process takes or leaves the first, so that what
//! is written there always fits who holds it. Neither file is ever removed: a removed file could be locked twice.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use serde::{Deserialize, Serialize};

use crate::atomic::folder_of;
use crate::place::{Place, is_alive};
use crate::{DiskIo, Error, Operation, create_folder};

/// How often, and how long, a lock that somebody has for a moment is tried again: two seconds in all.
const ATTEMPTS: u32 = 400;
const PAUSE: Duration = Duration::from_millis(5);
/// A reader of [`ProjectLock::holder`] has the lock for microseconds; a run has it for longer than this many attempts.
const PROBE_ATTEMPTS: u32 = 10;

/// Names the process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process; 0 where it is not known.
    pub pid: u32,
    /// The host that it runs on.
    pub host: String,
    /// The command line, for people.
    pub command: String,
    /// The run that it works for; may be empty.
    pub run: String,
    /// When it took the lock, in seconds since 1970.
    pub since_unix: i64,
}

impl Holder {
    fn unknown() -> Self {
        Self { pid: 0, host: String::new(), command: String::new(), run: String::new(), since_unix: 0 }
    }
}

/// Is a holder as the lock's file names it: with where its pid counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    holder: Holder,
    #[serde(flatten)]
    place: Place,
}

impl Entry {
    /// Wraps a holder of this place.
    fn here(holder: &Holder) -> Self {
        Self { holder: holder.clone(), place: Place::here().clone() }
    }

    /// Says whether the holder lives; none where its pid can't be looked up from here.
    fn lives(&self) -> Option<bool> {
        self.place.is_here(&self.holder.host).then(|| is_alive(self.holder.pid))
    }
}

/// Returns the name of this host.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Holds a project until it is dropped or its process dies, however it dies.
#[derive(Debug)]
pub struct ProjectLock {
    file: File,
    path: PathBuf,
    holder: Holder,
    follows_crash: bool,
}

impl ProjectLock {
    /// Takes the lock for this process alone, or says who holds it: [`Error::Held`].
    pub fn exclusive(path: &Path, holder: Holder) -> Result<Self, Error> {
        Self::acquire(path, holder, false)
    }

    /// Takes the lock together with other processes that name the same run; any other holder refuses it.
    pub fn shared_by_run(path: &Path, holder: Holder) -> Result<Self, Error> {
        Self::acquire(path, holder, true)
    }

    /// Returns who holds the lock at this moment; what a dead process left in the file counts for nothing.
    pub fn holder(path: &Path) -> Result<Option<Holder>, Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(Operation::Open, path, error)),
        };
        if names(&file).is_empty() {
            return Ok(None);
        }
        // A shared lock would succeed beside the `step` processes of a run: only the exclusive one tells.
        match attempt(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(living(names(&file)))),
            Err(error) => Err(Error::io(Operation::Lock, path, error.into())),
        }
    }

    /// Returns what this process wrote beside the lock.
    pub fn held_as(&self) -> &Holder {
        &self.holder
    }

    /// Says whether a holder before this one died without leaving the lock.
    pub fn follows_crash(&self) -> bool {
        self.follows_crash
    }

    fn acquire(path: &Path, holder: Holder, shared: bool) -> Result<Self, Error> {
        // Where the file is, whoever made it has forced its folder's name to the disk before.
        if !path.exists() {
            create_folder(&DiskIo, folder_of(path))?;
        }
        let _gate = Gate::enter(path)?;
        let file = open(path)?;
        let failed = |error: Errno| Error::io(Operation::Lock, path, error.into());
        let mut refusals = 0;
        let (is_alone, others) = loop {
            if attempt(&file, FlockOperation::NonBlockingLockExclusive).map_err(failed)? {
                if shared {
                    // Not in one step for the kernel, but the gate keeps everybody else out meanwhile.
                    retry_on_intr(|| flock(&file, FlockOperation::LockShared)).map_err(failed)?;
                }
                break (true, names(&file));
            }
            let found = names(&file);
            if shared
                && found.iter().any(|other| other.holder.run == holder.run)
                && attempt(&file, FlockOperation::NonBlockingLockShared).map_err(failed)?
            {
                break (false, found);
            }
            refusals += 1;
            if refusals == PROBE_ATTEMPTS {
                return Err(Error::Held(living(found)));
            }
            sleep(PAUSE);
        };
        // Whoever is still named in a lock that nobody holds is dead, wherever that was.
        let follows_crash = others.iter().any(|other| is_alone || other.lives() == Some(false));
        let mut names: Vec<Entry> =
            others.into_iter().filter(|other| !is_alone && other.lives() != Some(false)).collect();
        names.push(Entry::here(&holder));
        write_names(&file, &names).map_err(|error| Error::io(Operation::Write, path, error))?;
        Ok(Self { file, path: path.to_path_buf(), holder, follows_crash })
    }
}

impl Drop for ProjectLock {
    /// Takes this process's name out of the file. Where that fails the name stays, without meaning once unlocked.
    fn drop(&mut self) {
        if let Ok(_gate) = Gate::enter(&self.path) {
            let mut names = names(&self.file);
            if let Some(place) = names.iter().position(|name| *name == Entry::here(&self.holder)) {
                names.remove(place);
                let _ = write_names(&self.file, &names);
            }
            let _ = retry_on_intr(|| flock(&self.file, FlockOperation::Unlock));
        }
    }
}

/// Keeps every other process from taking or leaving the lock.
struct Gate {
    _file: File,
}

impl Gate {
    fn enter(path: &Path) -> Result<Self, Error> {
        let mut name = OsString::from(path.as_os_str());
        name.push(".gate");
        let path = PathBuf::from(name);
        let file = open(&path)?;
        for _ in 0..ATTEMPTS {
            match attempt(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(true) => return Ok(Self { _file: file }),
                Ok(false) => sleep(PAUSE),
                Err(error) => return Err(Error::io(Operation::Lock, &path, error.into())),
            }
        }
        // Somebody was stopped in the very moment of taking the lock.
        Err(Error::Held(Holder::unknown()))
    }
}

/// Tries to take a lock without waiting; says whether that was possible. A signal in between counts for nothing.
fn attempt(file: &File, how: FlockOperation) -> Result<bool, Errno> {
    match retry_on_intr(|| flock(file, how)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error),
    }
}

fn open(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    opened.map_err(|error| Error::io(Operation::Lock, path, error))
}

/// Reads the names in a lock's file; what is not JSON names nobody.
fn names(file: &File) -> Vec<Entry> {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 4096];
    while let Ok(count) = file.read_at(&mut buffer, bytes.len() as u64) {
        match buffer.get(..count) {
            Some(read) if count > 0 => bytes.extend_from_slice(read),
            _ => break,
        }
    }
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Replaces the names in one write, padded over the old ones, so that a killed process leaves no half of them.
fn write_names(file: &File, names: &[Entry]) -> io::Result<()> {
    let mut text = serde_json::to_vec(names)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    if text.len() < length {
        text.resize(length, b' ');
    }
    file.write_all_at(&text, 0)
}

/// Picks the holder to show: one that is seen to live, else one that may, else nobody known.
fn living(names: Vec<Entry>) -> Holder {
    let found = [Some(true), None].iter().find_map(|lives| names.iter().find(|name| name.lives() == *lives));
    found.map_or_else(Holder::unknown, |name| name.holder.clone())
}
