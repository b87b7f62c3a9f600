//! Digests of files that are looked at more than once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{Digest, Error, Io, hash_file};

/// A change sooner than this after the one before may leave the same time of change behind.
const CLOCK: Duration = Duration::from_secs(2);

/// Digests files, and does not read again what has not changed since.
///
/// A file counts as unchanged while its length and its time of change are those of the last look, and only if it was
/// already at rest then: two seconds without a change. So a file that is written and looked at in turns is always read.
#[derive(Debug, Default)]
pub struct FileDigests {
    known: Mutex<BTreeMap<PathBuf, Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    length: u64,
    modified: SystemTime,
    digest: Digest,
}

impl FileDigests {
    /// Returns a file's digest and its length, as [`hash_file`] does.
    pub fn of(&self, io: &dyn Io, path: &Path) -> Result<(Digest, u64), Error> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let look = || io.metadata(path).ok().and_then(|metadata| Some((metadata.len, metadata.modified?)));
        let (state, now) = (look(), SystemTime::now());
        if let (Some((length, modified)), Some(known)) = (state, known().get(path).copied())
            && (known.length, known.modified) == (length, modified)
        {
            return Ok((known.digest, length));
        }
        let (digest, length) = hash_file(io, path)?;
        let is_at_rest = |modified| now.duration_since(modified).is_ok_and(|age| age > CLOCK);
        if let Some((_, modified)) = state.filter(|(_, modified)| is_at_rest(*modified))
            && look() == Some((length, modified))
        {
            known().insert(path.to_path_buf(), Known { length, modified, digest });
        }
        Ok((digest, length))
    }
}

#[cfg(test)]
mod tests {
    use super::{CLOCK, FileDigests};
    use crate::{Digest, DiskIo};
    use std::fs::File;
    use std::time::SystemTime;

    #[test]
    fn only_a_file_at_rest_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let write = |bytes: &[u8], age| {
            std::fs::write(&path, bytes).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
            std::fs::metadata(&path).unwrap().modified().unwrap()
        };
        let digests = FileDigests::default();
        let digest = || digests.of(&DiskIo, &path).unwrap();
        let modified = write(b"one", CLOCK / 2);
        assert_eq!(digest(), (Digest::of(b"one"), 3));
        std::fs::write(&path, b"two").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(digest(), (Digest::of(b"two"), 3), "it was not at rest");
        write(b"three", CLOCK * 2);
        assert_eq!(digest(), (Digest::of(b"three"), 5));
        assert_eq!(digest(), (Digest::of(b"three"), 5));
        write(b"fours", CLOCK * 3);
        assert_eq!(digest(), (Digest::of(b"fours"), 5), "its time of change is another");
        std::fs::remove_file(&path).unwrap();
        assert!(digests.of(&DiskIo, &path).is_err());
    }
}
