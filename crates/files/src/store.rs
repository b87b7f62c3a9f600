//! Bytes stored under their own digest.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::atomic::{create_folder, folder_of, publish};
use crate::temporary::Access;
use crate::{Digest, Error, FileDigests, Io, Operation, sweep_temporaries};

/// Stores objects, read-only, under their digests: `<root>/ab/cdef…`.
///
/// Many threads and processes may write at once. What is read is verified: a damaged object is an error, never data.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    io: Arc<dyn Io>,
    root: PathBuf,
    /// The folders whose own names this store has forced to the disk, or seen forced.
    durable: Arc<Mutex<BTreeSet<PathBuf>>>,
    digests: Arc<FileDigests>,
}

impl ObjectStore {
    /// Opens the store in the folder `root`, which the first object creates.
    pub fn open(io: Arc<dyn Io>, root: PathBuf) -> Self {
        Self { io, root, durable: Arc::default(), digests: Arc::default() }
    }

    /// Returns the folder of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where an object lies, or would lie.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        let (folder, name) = text.split_at(2);
        self.root.join(folder).join(name)
    }

    /// Stores bytes and returns their digest. When this returns they are on the disk, whole.
    ///
    /// An object that is already there is compared; a damaged one is replaced.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        let path = self.path(&digest);
        let folder = folder_of(&path);
        self.provide(folder)?;
        if self.holds(&path, bytes) {
            // Its writer may not have got as far as this.
            self.io.sync_dir(folder).map_err(|error| Error::io(Operation::Sync, folder, error))?;
            return Ok(digest);
        }
        publish(&*self.io, &path, bytes, Access::ReadOnly)?;
        Ok(digest)
    }

    /// Makes a folder of the store exist on the disk, at the cost of a look where this store has done so before.
    fn provide(&self, folder: &Path) -> Result<(), Error> {
        let durable = || self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if !(durable().contains(folder) && self.io.exists(folder)) {
            create_folder(&*self.io, folder)?;
            durable().insert(folder.to_path_buf());
        }
        Ok(())
    }

    fn holds(&self, path: &Path, bytes: &[u8]) -> bool {
        match self.io.metadata(path) {
            // One that can't be read is as good as damaged: it is replaced.
            Ok(metadata) if metadata.len == bytes.len() as u64 => self.io.read(path).is_ok_and(|found| found == bytes),
            _ => false,
        }
    }

    /// Reads an object; [`Error::Absent`] where there is none, [`Error::Damaged`] where its bytes are others.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        match self.io.read(&path) {
            Ok(bytes) if Digest::of(&bytes) == *digest => Ok(bytes),
            Ok(_) => Err(Error::Damaged { digest: *digest, path }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::Absent { digest: *digest, path }),
            Err(error) => Err(Error::io(Operation::Read, &path, error)),
        }
    }

    /// Says whether an object is there; its bytes are not looked at.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.io.exists(&self.path(digest))
    }

    /// Says whether an object is there and whole. One that was found so is not read again while it is at rest
    /// ([`FileDigests`]).
    pub fn verify(&self, digest: &Digest) -> Result<bool, Error> {
        match self.size(digest) {
            Ok(_) => Ok(true),
            Err(Error::Absent { .. } | Error::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the length of an object, in bytes, that is there and whole, as [`verify`](Self::verify) says;
    /// [`Error::Absent`] and [`Error::Damaged`] for any other. However long, it is not held in memory.
    pub fn size(&self, digest: &Digest) -> Result<u64, Error> {
        let path = self.path(digest);
        match self.digests.of(&*self.io, &path) {
            Ok((found, length)) if found == *digest => Ok(length),
            Ok(_) => Err(Error::Damaged { digest: *digest, path }),
            Err(Error::Io { cause: crate::Cause::NotFound, .. }) => Err(Error::Absent { digest: *digest, path }),
            Err(error) => Err(error),
        }
    }

    /// Returns what is known of the files that this store, and whoever asks it, has looked at.
    pub fn digests(&self) -> &FileDigests {
        &self.digests
    }

    /// Removes an object; one that is not there is fine.
    pub fn discard(&self, digest: &Digest) -> Result<(), Error> {
        let path = self.path(digest);
        match self.io.remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(Operation::Remove, &path, error)),
            _ => Ok(()),
        }
    }

    /// Removes the half-written files that dead writers left, as [`sweep_temporaries`] does; returns how many.
    ///
    /// Safe at any time, beside writers in this process and in others; no object is touched or read. It lists the
    /// store's folders, at most 256, so 100,000 objects cost the reading of their names: about 0.1 s. Calling
    /// it under the project's lock only spares two processes the same work.
    pub fn sweep(&self) -> Result<usize, Error> {
        let folders = match self.io.list(&self.root) {
            Ok(folders) => folders,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(Error::io(Operation::List, &self.root, error)),
        };
        let mut removed = 0;
        for folder in folders {
            if self.io.metadata(&folder).is_ok_and(|metadata| metadata.is_dir) {
                removed += sweep_temporaries(&*self.io, &folder)?;
            }
        }
        Ok(removed)
    }
}
