//! The cache: every object that was versioned, read-only, under its digest, as DVC lays it out.

use std::collections::BTreeSet;
use std::io::{BufReader, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use trainyard_files::{
    Io, Operation, WriteSync, create_folder, create_temporary_by, is_temporary, sweep_temporaries, temporary_path,
};

use crate::md5::{Md5, ObjectId};
use crate::tree::Tree;
use crate::{Error, Errors};

/// Up to so many new files are each forced to the disk; more, all at once with whatever else waits.
const SINGLY: usize = 16;

/// Where more objects than this are asked for, the cache is listed as a whole.
pub(crate) const MANY: usize = 500;
/// So many objects, or bytes, become visible together: what a death of the process makes undone.
const BATCH: usize = 8192;
const BATCH_BYTES: u64 = 64 << 20;
/// The most folders that new objects are written in.
const FOLDERS: usize = 8;

/// Holds objects as DVC 3 does: `files/md5/ab/cdef…`, the list of a folder with `.dir` at its end.
#[derive(Clone, Debug)]
pub struct Cache {
    io: Arc<dyn Io>,
    folder: PathBuf,
    is_shared: bool,
}

impl Cache {
    pub(crate) fn new(io: Arc<dyn Io>, folder: PathBuf, is_shared: bool) -> Self {
        Self { io, folder, is_shared }
    }

    /// Returns the cache's folder, as `cache.dir` names it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the disk that it lies on.
    pub(crate) fn io(&self) -> &dyn Io {
        &*self.io
    }

    /// Says whether its folder is there.
    pub(crate) fn is_there(&self) -> bool {
        self.io.metadata(&self.folder).is_ok_and(|found| found.is_dir)
    }

    fn objects(&self) -> PathBuf {
        self.folder.join("files/md5")
    }

    /// Returns where an object lies, or would lie.
    pub fn path(&self, id: &ObjectId) -> PathBuf {
        let name = id.to_string();
        let (folder, name) = name.split_at(2);
        let mut path = self.objects();
        path.push(folder);
        path.push(name);
        path
    }

    /// Returns the length of an object; none where it is not there.
    pub fn size(&self, id: &ObjectId) -> Option<u64> {
        self.io.metadata(&self.path(id)).ok().filter(|found| found.is_file).map(|found| found.len)
    }

    /// Says whether an object is there; its bytes are not looked at.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.size(id).is_some()
    }

    /// Reads the list of a folder's files; none where it is not there.
    pub fn tree(&self, id: &ObjectId) -> Result<Option<Tree>, Error> {
        let path = self.path(id);
        let file = match self.io.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(trainyard_files::Error::io(Operation::Open, &path, error).into()),
        };
        let below = || path.strip_prefix(&self.folder).unwrap_or(&path).display().to_string();
        let damaged = |why| Error::Tree { id: *id, file: below(), why };
        Tree::read(BufReader::with_capacity(256 << 10, file)).map(Some).map_err(damaged)
    }

    /// Lists all objects with their lengths, in no order.
    pub fn list(&self) -> Result<Vec<(ObjectId, u64)>, Error> {
        let mut found = Vec::new();
        self.each(|id, path| {
            if let Ok(metadata) = self.io.metadata(&path()) {
                found.push((id, metadata.len));
            }
        })?;
        Ok(found)
    }

    /// Lists the digests of all files' objects, in their order; nothing is asked about the objects themselves.
    pub(crate) fn files(&self) -> Result<Vec<Md5>, Error> {
        let mut found = Vec::new();
        self.each(|id, _| {
            if !id.is_folder {
                found.push(id.md5);
            }
        })?;
        found.sort_unstable();
        Ok(found)
    }

    fn each(&self, mut take: impl FnMut(ObjectId, &dyn Fn() -> PathBuf)) -> Result<(), Error> {
        let objects = self.objects();
        let mut text = String::new();
        for (prefix, _) in entries(&*self.io, &objects)? {
            let folder = objects.join(&prefix);
            if prefix.len() != 2 {
                continue;
            }
            for (name, _) in entries(&*self.io, &folder)? {
                text.clear();
                text.extend([prefix.as_str(), name.as_str()]);
                if let Some(id) = ObjectId::parse(&text) {
                    take(id, &|| folder.join(&name));
                }
            }
        }
        Ok(())
    }

    /// Removes an object; one that is not there is fine.
    pub(crate) fn remove(&self, id: &ObjectId) -> Result<(), Error> {
        let path = self.path(id);
        match self.io.remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(trainyard_files::Error::io(Operation::Remove, &path, error).into())
            }
            _ => Ok(()),
        }
    }

    /// Removes what processes that died left half-written.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        let folder = self.folder.join(".trainyard");
        for (name, _) in entries(&*self.io, &folder)? {
            sweep_temporaries(&*self.io, &folder.join(name))?;
        }
        Ok(())
    }

    /// Forces all that was written so far to the disk.
    fn sync(&self) -> Result<(), Error> {
        let synced = self.io.sync_all(&self.folder);
        synced.map_err(|error| trainyard_files::Error::io(Operation::Sync, &self.folder, error).into())
    }

    /// Begins to take objects in.
    pub fn incoming(&self) -> Result<Incoming, Error> {
        let folder = self.folder.join(".trainyard");
        for thread in 0..FOLDERS.min(rayon::current_num_threads()) {
            let folder = folder.join(thread.to_string());
            let made = self.io.create_dir_all(&folder);
            made.map_err(|error| trainyard_files::Error::io(Operation::Create, &folder, error))?;
        }
        Ok(Incoming { cache: self.clone(), folder, ready: Mutex::default() })
    }
}

/// Lists the names of a folder that are text; a folder that is not there has none.
fn entries(io: &dyn Io, folder: &Path) -> Result<Vec<(String, trainyard_files::Kind)>, Error> {
    match io.entries(folder) {
        Ok(entries) => {
            Ok(entries.into_iter().filter_map(|(name, kind)| Some((name.into_string().ok()?, kind))).collect())
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(trainyard_files::Error::io(Operation::List, folder, error).into()),
    }
}

/// Divides what stands in a row, by its lengths, into what becomes visible together.
pub(crate) fn batches<T>(all: &[T], length: impl Fn(&T) -> u64) -> Vec<&[T]> {
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, one) in all.iter().enumerate() {
        bytes = u64::saturating_add(bytes, length(one));
        let count = at + 1 - start;
        // Every thread has one to do, however long they are.
        let is_full = bytes >= BATCH_BYTES && count >= rayon::current_num_threads();
        if is_full || count == BATCH || at + 1 == all.len() {
            batches.push(&all[start..=at]);
            (start, bytes) = (at + 1, 0);
        }
    }
    batches
}

/// Takes objects in, batch by batch: while one is forced to the disk and gets its names, the next is made.
///
/// All that `make` has made when it breaks off becomes visible; nothing of the batch in which it failed. When this
/// returns, on failure too, what is visible is on the disk, as far as the disk still does what it is told.
pub(crate) fn take_in_batches<T>(
    cache: &Cache,
    batches: Vec<&[T]>,
    mut make: impl FnMut(&[T], &Incoming) -> Result<ControlFlow<()>, Errors>,
) -> Result<(), Errors> {
    let mut names_wait = false;
    let taken = std::thread::scope(|scope| {
        let mut before: Option<ScopedJoinHandle<'_, Result<bool, Error>>> = None;
        let mut end =
            |thread: Option<ScopedJoinHandle<'_, Result<bool, Error>>>| match thread.map(ScopedJoinHandle::join) {
                None => Ok(()),
                Some(Ok(finished)) => finished.map(|wait| names_wait |= wait),
                Some(Err(panic)) => std::panic::resume_unwind(panic),
            };
        for batch in batches {
            let incoming = cache.incoming()?;
            let made = make(batch, &incoming);
            let ended = end(before.take());
            let goes_on = match (made, ended) {
                (Ok(goes_on), ended) => ended.map(|()| goes_on)?,
                (Err(mut errors), ended) => {
                    errors.extend(ended.err());
                    return Err(errors);
                }
            };
            before = Some(scope.spawn(move || incoming.finish_but_names()));
            if goes_on.is_break() {
                break;
            }
        }
        Ok::<_, Errors>(end(before)?)
    });
    let synced = if names_wait { cache.sync() } else { Ok(()) };
    taken?;
    Ok(synced?)
}

struct Ready {
    path: PathBuf,
    id: ObjectId,
    /// Open as long as it may have to be forced to the disk by itself.
    file: Option<Box<dyn WriteSync>>,
}

/// Takes objects into the cache: they are written beside it, forced to the disk together, and only then get their
/// names.
///
/// Many threads may write at once. What was not [finished](Self::finish) is removed when this is dropped.
pub struct Incoming {
    cache: Cache,
    folder: PathBuf,
    ready: Mutex<Vec<Ready>>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Incoming {
    /// Creates a file for an object's bytes; [`accept`](Self::accept) or [`discard`](Self::discard) comes next.
    pub fn create(&self) -> Result<(PathBuf, Box<dyn WriteSync>), Error> {
        Ok(create_temporary_by(&self.mine(), |path| self.cache.io.create_readonly(path))?)
    }

    /// Does so for a long object that nobody reads soon.
    pub(crate) fn create_long(&self) -> Result<(PathBuf, Box<dyn WriteSync>), Error> {
        Ok(create_temporary_by(&self.mine(), |path| self.cache.io.create_unbuffered(path))?)
    }

    /// Returns a folder that few other threads make files in: they would wait for each other.
    fn mine(&self) -> PathBuf {
        let folders = FOLDERS.min(rayon::current_num_threads());
        self.folder.join((rayon::current_thread_index().unwrap_or(0) % folders).to_string())
    }

    /// Returns a path for an object that is made in another way.
    pub(crate) fn path(&self) -> PathBuf {
        temporary_path(&self.mine())
    }

    /// Takes a file that is complete, as [`create`](Self::create) gave it or made at a [`path`](Self::path); the caller
    /// vouches for its digest.
    pub fn accept(&self, path: PathBuf, id: ObjectId, file: Option<Box<dyn WriteSync>>) -> Result<(), Error> {
        if file.is_none()
            && let Err(error) = self.cache.io.set_readonly(&path)
        {
            self.discard(&path);
            return Err(trainyard_files::Error::io(Operation::Protect, &path, error).into());
        }
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() == SINGLY {
            ready.iter_mut().for_each(|one| one.file = None);
        }
        let file = file.filter(|_| ready.len() < SINGLY);
        ready.push(Ready { path, id, file });
        Ok(())
    }

    /// Stores bytes.
    pub fn write(
        &self,
        id: ObjectId,
        write: impl FnOnce(&mut dyn WriteSync) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let (path, mut file) = self.create()?;
        if let Err(error) = write(&mut *file).and_then(|()| file.flush()) {
            self.discard(&path);
            return Err(trainyard_files::Error::io(Operation::Write, &path, error).into());
        }
        self.accept(path, id, Some(file))
    }

    /// Gives up a file.
    pub fn discard(&self, path: &Path) {
        // The failure that led here is what the caller hears about.
        let _ = self.cache.io.remove_file(path);
    }

    /// Makes all objects visible. When this returns they are on the disk, whole; on failure some of them may be.
    pub fn finish(&self) -> Result<(), Error> {
        if self.finish_but_names()? { self.cache.sync() } else { Ok(()) }
    }

    /// Makes all objects visible, and on the disk; says whether their names still have to be [forced](Cache::sync) to it.
    fn finish_but_names(&self) -> Result<bool, Error> {
        let mut ready = std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner));
        let moved = self.publish(&mut ready);
        if moved.is_err() {
            // Those that got their names are not there any more.
            ready.iter().for_each(|one| self.discard(&one.path));
        }
        moved
    }

    fn publish(&self, ready: &mut [Ready]) -> Result<bool, Error> {
        let io = &*self.cache.io;
        let io_error = trainyard_files::Error::io;
        let folders: BTreeSet<PathBuf> =
            ready.iter().filter_map(|one| self.cache.path(&one.id).parent().map(Path::to_path_buf)).collect();
        let singly = ready.len() <= SINGLY && ready.iter().all(|one| one.file.is_some());
        for folder in &folders {
            let is_new = !io.exists(folder);
            if singly {
                create_folder(io, folder)?;
            } else {
                io.create_dir_all(folder).map_err(|error| io_error(Operation::Create, folder, error))?;
            }
            if is_new && self.cache.is_shared {
                // As DVC has it, less the bit that hands the group down, which is no permission.
                io.set_mode(folder, 0o775).map_err(|error| io_error(Operation::Protect, folder, error))?;
            }
        }
        if singly {
            for one in ready.iter_mut() {
                if let Some(mut file) = one.file.take() {
                    file.sync().map_err(|error| io_error(Operation::Sync, &one.path, error))?;
                }
            }
        } else if !ready.is_empty() {
            self.cache.sync()?;
        }
        for one in ready.iter() {
            let path = self.cache.path(&one.id);
            io.rename(&one.path, &path).map_err(|error| io_error(Operation::Rename, &path, error))?;
        }
        if singly {
            for folder in &folders {
                io.sync_dir(folder).map_err(|error| io_error(Operation::Sync, folder, error))?;
            }
        }
        Ok(!singly)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let ready = std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner));
        ready.iter().for_each(|one| self.discard(&one.path));
    }
}

/// Returns how many objects a folder's list names that the cache does not hold, and one of them.
pub(crate) fn missing(cache: &Cache, tree: &Tree) -> Result<Option<(ObjectId, usize)>, Errors> {
    let listed = if tree.len() > MANY { Some(cache.files()?) } else { None };
    Ok(absent(cache, listed.as_deref(), tree))
}

/// Does so with the cache's list of all files' objects, where that was made.
pub(crate) fn absent(cache: &Cache, listed: Option<&[Md5]>, tree: &Tree) -> Option<(ObjectId, usize)> {
    let is_there = |md5: Md5| match listed {
        Some(files) => files.binary_search(&md5).is_ok(),
        None => cache.contains(&ObjectId::file(md5)),
    };
    let mut absent = tree.iter().map(|(_, md5)| md5).filter(|md5| !is_there(*md5));
    absent.next().map(|first| (ObjectId::file(first), 1 + absent.count()))
}

/// Says whether a name in the workspace is that of a file which is being written.
pub(crate) fn is_half_written(name: &str) -> bool {
    is_temporary(name)
}
