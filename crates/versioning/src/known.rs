//! What is known of files that were digested before, so that only what changed is read again.

use std::time::{SystemTime, UNIX_EPOCH};

use trainyard_files::{Digest, Metadata, sweep_temporaries, write_atomic};

use crate::Error;
use crate::md5::Md5;
use crate::repository::Repository;
use crate::snapshot::Snapshot;

const MAGIC: &[u8; 8] = b"TYknown1";
/// The length of the digest at the end.
const SEAL: usize = 32;
/// A change sooner than this after the one before may leave the same time behind: a kernel's clock has ticks.
const TICK: i64 = 50_000_000;
/// The same on file systems that count whole seconds, or pairs of them.
const COARSE_TICK: i64 = 2_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// Tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    pub(crate) inode: u64,
    /// When it changed last, in nanoseconds since 1970; the least number where that is not kept.
    pub(crate) modified: i64,
}

impl Stamp {
    /// Is of no file.
    pub(crate) const NONE: Self = Self { size: 0, inode: 0, modified: i64::MIN };

    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified.and_then(nanoseconds).unwrap_or(i64::MIN);
        Self { size: metadata.len, inode: metadata.inode, modified }
    }

    /// Returns the stamp where a change after the moment `at` could not have left it.
    pub(crate) fn if_at_rest(self, at: i64) -> Option<Self> {
        self.was_at_rest(at).then_some(self)
    }

    /// Says whether a change after the moment `at` could not have left this stamp.
    fn was_at_rest(&self, at: i64) -> bool {
        let tick = if self.modified % SECOND == 0 { COARSE_TICK } else { TICK };
        self.modified != i64::MIN && self.modified.saturating_add(tick) < at
    }
}

/// Returns the present moment, in nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    nanoseconds(SystemTime::now()).unwrap_or(0)
}

fn nanoseconds(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|nanoseconds| -nanoseconds),
    }
}

/// Holds the records of one versioned path, in the order of the names, each written as what differs from the one
/// before.
#[derive(Debug, Default)]
pub(crate) struct Known {
    bytes: Vec<u8>,
    /// When the digests began to be taken.
    at: i64,
}

impl Known {
    /// Reads the records of a path; what is not there, or damaged, knows nothing.
    pub(crate) fn load(repository: &Repository, path: &str) -> Self {
        let bytes = repository.io.read(&place(repository, path)).unwrap_or_default();
        let Some((body, seal)) = bytes.len().checked_sub(SEAL).map(|end| bytes.split_at(end)) else {
            return Self::default();
        };
        if !body.starts_with(MAGIC) || Digest::of(body).to_string() != hex(seal) {
            return Self::default();
        }
        let Some(at) = body.get(8..16).and_then(|at| Some(i64::from_le_bytes(at.try_into().ok()?))) else {
            return Self::default();
        };
        let end = body.len();
        let mut bytes = bytes;
        bytes.truncate(end);
        Self { bytes, at }
    }

    /// Fills in the digests of the files that have not changed since; returns the others.
    pub(crate) fn recognise(&self, snapshot: &mut Snapshot) -> Vec<usize> {
        let mut unknown = Vec::new();
        let mut records = Records { rest: self.bytes.get(16..).unwrap_or_default(), name: Vec::new() };
        let mut record = records.next();
        for at in 0..snapshot.tree.len() {
            let name = snapshot.tree.name(at).as_bytes();
            while record.is_some() && records.name.as_slice() < name {
                record = records.next();
            }
            let known = record.filter(|(stamp, _)| {
                records.name == name && *stamp == snapshot.stamps[at] && stamp.was_at_rest(self.at)
            });
            match known {
                Some((_, md5)) => snapshot.tree.set_md5(at, md5),
                None => unknown.push(at),
            }
        }
        unknown
    }

    /// Keeps the digests of a snapshot that was taken, or digested, from the moment `at` on.
    pub(crate) fn save(repository: &Repository, path: &str, snapshot: &Snapshot, at: i64) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(64 + snapshot.tree.len() * 56);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&at.to_le_bytes());
        let mut before: &[u8] = b"";
        for (file, stamp) in snapshot.stamps.iter().enumerate() {
            let name = snapshot.tree.name(file).as_bytes();
            let same = before.iter().zip(name).take_while(|(one, other)| one == other).count();
            let same = same.min(usize::from(u16::MAX));
            let rest = &name[same..];
            // No path has more than 4,096 bytes.
            let length = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
            bytes.extend_from_slice(&length(same));
            bytes.extend_from_slice(&length(rest.len()));
            bytes.extend_from_slice(rest);
            bytes.extend_from_slice(&stamp.size.to_le_bytes());
            bytes.extend_from_slice(&stamp.inode.to_le_bytes());
            bytes.extend_from_slice(&stamp.modified.to_le_bytes());
            bytes.extend_from_slice(snapshot.tree.md5(file).bytes());
            before = name;
        }
        let seal = Digest::of(&bytes).to_string();
        bytes.extend(
            seal.as_bytes().chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()),
        );
        hide(repository)?;
        let place = place(repository, path);
        if let Some(folder) = place.parent() {
            sweep_temporaries(&*repository.io, folder)?;
        }
        Ok(write_atomic(&*repository.io, &place, &bytes)?)
    }
}

/// Keeps the folder of records out of Git where nobody else has made it.
fn hide(repository: &Repository) -> Result<(), Error> {
    let folder = repository.root.join(".trainyard");
    if repository.git.is_some() && !repository.io.exists(&folder) {
        write_atomic(&*repository.io, &folder.join(".gitignore"), b"*\n")?;
    }
    Ok(())
}

fn place(repository: &Repository, path: &str) -> std::path::PathBuf {
    let name = Digest::of(path.as_bytes()).to_string();
    repository.root.join(".trainyard/data/known").join(&name[..32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads records one by one; `name` is that of the last.
struct Records<'a> {
    rest: &'a [u8],
    name: Vec<u8>,
}

impl Records<'_> {
    fn next(&mut self) -> Option<(Stamp, Md5)> {
        let same = usize::from(u16::from_le_bytes(self.take()?));
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let rest = self.rest.get(..length)?;
        self.rest = &self.rest[length..];
        self.name.truncate(same);
        self.name.extend_from_slice(rest);
        let size = u64::from_le_bytes(self.take()?);
        let inode = u64::from_le_bytes(self.take()?);
        let modified = i64::from_le_bytes(self.take()?);
        Some((Stamp { size, inode, modified }, Md5::from_bytes(self.take()?)))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }
}
