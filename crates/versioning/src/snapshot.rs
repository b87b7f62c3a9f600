//! What lies in the workspace at a versioned path: names and stamps first, digests as far as they are needed.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use trainyard_files::{Io, Kind, Operation, WriteSync};

use crate::cache::{Cache, Incoming, MANY, is_half_written};
use crate::ignore::Ignore;
use crate::known::{Known, Stamp, now};
use crate::md5::{Hasher, Md5, ObjectId};
use crate::repository::{Repository, joined, shown};
use crate::tree::Tree;
use crate::{Error, Errors};

/// Files up to this length are read as a whole.
const WHOLE: u64 = 4 << 20;
/// How much of a longer one is read at once.
const PIECE: usize = 1 << 20;
/// After so many files, what was copied so far is forced to the disk.
const BATCH: usize = 32_768;
/// The most problems of one kind that are told.
const TOLD: usize = 20;

/// Is a state of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// The files of a folder; of a file, itself under an empty name.
    pub(crate) tree: Tree,
    /// One for each file.
    pub(crate) stamps: Vec<Stamp>,
    pub(crate) is_folder: bool,
    pub(crate) is_executable: bool,
    /// Links to folders, which DVC leaves out.
    pub(crate) left_out: Vec<String>,
}

impl Snapshot {
    /// Returns the object that this is, once all digests are known.
    pub(crate) fn id(&self) -> ObjectId {
        match self.is_folder {
            true => self.tree.id(),
            false => ObjectId::file(self.tree.md5(0)),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.stamps.iter().map(|stamp| stamp.size).sum()
    }

    /// Returns where a file lies, below the root.
    pub(crate) fn path(&self, at: usize, root: &str) -> String {
        let name = self.tree.name(at);
        if name.is_empty() { root.to_owned() } else { joined(root, name) }
    }
}

/// Collects problems of many threads, up to a number that people still read.
#[derive(Default)]
struct Collected(Mutex<Errors>);

impl Collected {
    fn push(&self, error: Error) {
        let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < TOLD {
            errors.push(error);
        }
    }

    fn is_full(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() >= TOLD
    }

    fn into_result<T>(self, value: T) -> Result<T, Errors> {
        let mut errors = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        errors.sort_by_key(ToString::to_string);
        if errors.is_empty() { Ok(value) } else { Err(errors) }
    }
}

/// Looks at what lies at a path; nothing is read. None where nothing is there.
pub(crate) fn look(repository: &Repository, path: &str) -> Result<Option<Snapshot>, Errors> {
    let io = &*repository.io;
    let place = repository.place(path);
    let metadata = match io.metadata(&place) {
        Ok(metadata) => metadata,
        Err(error) => {
            let is_link = io.read_link(&place).is_ok_and(|link| link.is_some());
            return match error.kind() {
                _ if is_link => Err(Error::BrokenLink { path: path.to_owned() }.into()),
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
                _ => Err(unreadable(&place, error).into()),
            };
        }
    };
    if metadata.is_file {
        let mut tree = Tree::default();
        tree.push("");
        let is_executable = metadata.mode & 0o111 != 0;
        let stamps = vec![Stamp::of(&metadata)];
        return Ok(Some(Snapshot { tree, stamps, is_executable, ..Snapshot::default() }));
    }
    if !metadata.is_dir {
        return Err(Error::Special { path: path.to_owned() }.into());
    }
    if io.read_link(&place).is_ok_and(|link| link.is_some()) {
        return Err(Error::LinkedFolder { path: path.to_owned(), link: path.to_owned() }.into());
    }
    let mut walk = Walk {
        repository,
        root: path,
        ignore: repository.ignore(path),
        snapshot: Snapshot { is_folder: true, ..Snapshot::default() },
        errors: Collected::default(),
    };
    let entries = io.entries(&place).map_err(|error| unreadable(&place, error))?;
    walk.folder("", entries);
    let Walk { mut snapshot, errors, .. } = walk;
    errors.into_result(())?;
    stamp(repository, path, &mut snapshot)?;
    Ok(Some(snapshot))
}

struct Walk<'a> {
    repository: &'a Repository,
    root: &'a str,
    ignore: Ignore,
    snapshot: Snapshot,
    errors: Collected,
}

impl Walk<'_> {
    fn folder(&mut self, below: &str, entries: Vec<(std::ffi::OsString, Kind)>) {
        let mut names = Vec::with_capacity(entries.len());
        for (name, kind) in entries {
            match name.into_string() {
                // Behind the names of folders stands what their files' names go on with, which decides their order.
                Ok(name) if kind == Kind::Folder => names.push((format!("{name}/"), kind)),
                Ok(name) => names.push((name, kind)),
                Err(name) => {
                    let path = Path::new(self.root).join(below).join(name);
                    self.errors.push(Error::Name { path: shown(&path) });
                }
            }
        }
        names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (name, kind) in names {
            let name = name.trim_end_matches('/');
            let below = joined(below, name);
            let path = joined(self.root, &below);
            if self.ignore.leaves_out(&path, kind == Kind::Folder) {
                continue;
            }
            match kind {
                Kind::Folder => {
                    let place = self.repository.place(&path);
                    match self.repository.io.entries(&place) {
                        // Another project looks after itself.
                        Ok(entries) if entries.iter().any(|(name, _)| name == ".dvc") => {}
                        Ok(entries) => self.folder(&below, entries),
                        Err(error) => self.errors.push(unreadable(&place, error)),
                    }
                }
                Kind::File if name == ".dvcignore" => self.errors.push(Error::IgnoreInside { path }),
                Kind::File if is_half_written(name) => {}
                Kind::File => self.snapshot.tree.push(&below),
                Kind::Link => match self.repository.io.metadata(&self.repository.place(&path)) {
                    Ok(metadata) if metadata.is_dir => self.snapshot.left_out.push(path),
                    Ok(metadata) if metadata.is_file => self.snapshot.tree.push(&below),
                    Ok(_) => self.errors.push(Error::Special { path }),
                    Err(_) => self.errors.push(Error::BrokenLink { path }),
                },
                Kind::Other => self.errors.push(Error::Special { path }),
            }
        }
    }
}

fn unreadable(place: &Path, error: std::io::Error) -> Error {
    trainyard_files::Error::io(Operation::Read, place, error).into()
}

/// Asks what all files of a snapshot are like.
fn stamp(repository: &Repository, path: &str, snapshot: &mut Snapshot) -> Result<(), Errors> {
    let errors = Collected::default();
    let unseen = Stamp { size: 0, inode: 0, modified: i64::MIN };
    let one = |at: usize| {
        let place = repository.place(&snapshot.path(at, path));
        match repository.io.metadata(&place) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => {
                errors.push(match error.kind() {
                    ErrorKind::NotFound => Error::Changed { path: snapshot.path(at, path) },
                    _ => unreadable(&place, error),
                });
                unseen
            }
        }
    };
    let stamps = (0..snapshot.tree.len()).into_par_iter().with_min_len(256).map(one).collect();
    snapshot.stamps = stamps;
    errors.into_result(())
}

/// Finds out the digests of all files: those that are known are not read. Says how many were.
pub(crate) fn digest(repository: &Repository, path: &str, snapshot: &mut Snapshot) -> Result<usize, Errors> {
    let began = now();
    let unknown = Known::load(repository, path).recognise(snapshot);
    if unknown.is_empty() {
        return Ok(0);
    }
    read(repository, path, snapshot, &unknown, None)?;
    // Without the record the files are read again the next time: no reason to fail where nothing may be written.
    let _ = Known::save(repository, path, snapshot, began);
    Ok(unknown.len())
}

/// Finds out the digests of all files and takes those into the cache that it does not hold; the caller keeps the
/// records.
pub(crate) fn take_in(repository: &Repository, path: &str, snapshot: &mut Snapshot) -> Result<(), Errors> {
    let mut unknown = Known::load(repository, path).recognise(snapshot);
    if unknown.len() < snapshot.tree.len() {
        // To list the cache as a whole is worth it for many files only.
        let held = if snapshot.tree.len() > MANY { Some(repository.cache.files()?) } else { None };
        let is_held = |md5: Md5| match &held {
            Some(held) => held.binary_search(&md5).is_ok(),
            None => repository.cache.contains(&ObjectId::file(md5)),
        };
        let is_lost = |at: &usize| unknown.binary_search(at).is_err() && !is_held(snapshot.tree.md5(*at));
        let lost: Vec<usize> = (0..snapshot.tree.len()).filter(is_lost).collect();
        unknown.extend(lost);
        unknown.sort_unstable();
    }
    for batch in unknown.chunks(BATCH) {
        let incoming = repository.cache.incoming()?;
        read(repository, path, snapshot, batch, Some(&incoming))?;
        incoming.finish()?;
    }
    Ok(())
}

fn read(
    repository: &Repository,
    path: &str,
    snapshot: &mut Snapshot,
    files: &[usize],
    incoming: Option<&Incoming>,
) -> Result<(), Errors> {
    let errors = Collected::default();
    let reader = Reader { io: &*repository.io, cache: &repository.cache, incoming, clones: AtomicBool::new(true) };
    let one = |buffer: &mut Vec<u8>, at: &usize| {
        if errors.is_full() {
            return None;
        }
        let stamp = snapshot.stamps[*at];
        let shown = snapshot.path(*at, path);
        match reader.file(&repository.place(&shown), &shown, stamp, buffer) {
            Ok(md5) => Some((*at, md5)),
            Err(error) => {
                errors.push(error);
                None
            }
        }
    };
    let digests: Vec<_> = files.par_iter().with_min_len(8).map_init(Vec::new, one).collect();
    for (at, md5) in digests.into_iter().flatten() {
        snapshot.tree.set_md5(at, md5);
    }
    errors.into_result(())
}

/// Digests files, and copies them in the same pass where they are to come into the cache.
struct Reader<'a> {
    io: &'a dyn Io,
    cache: &'a Cache,
    incoming: Option<&'a Incoming>,
    /// Whether the file system may share blocks, as far as was found out.
    clones: AtomicBool,
}

impl Reader<'_> {
    fn file(&self, place: &Path, shown: &str, stamp: Stamp, buffer: &mut Vec<u8>) -> Result<Md5, Error> {
        let changed = || Error::Changed { path: shown.to_owned() };
        let md5 = match self.incoming {
            Some(incoming) if stamp.size > WHOLE => self.long_into(incoming, place, stamp)?,
            _ if stamp.size > WHOLE => self.long(place, stamp)?,
            incoming => self.short(incoming, place, stamp, buffer)?,
        };
        let (md5, copy) = md5.ok_or_else(changed)?;
        let same = self.io.metadata(place).is_ok_and(|metadata| Stamp::of(&metadata) == stamp);
        match (same, copy, self.incoming) {
            (true, Some((path, file)), Some(incoming)) => {
                let id = ObjectId::file(md5);
                // For short ones that was asked before the copy was made.
                if stamp.size > WHOLE && self.cache.size(&id) == Some(stamp.size) {
                    incoming.discard(&path);
                } else {
                    incoming.accept(path, id, file)?;
                }
                Ok(md5)
            }
            (true, ..) => Ok(md5),
            (false, copy, incoming) => {
                if let (Some((path, _)), Some(incoming)) = (copy, incoming) {
                    incoming.discard(&path);
                }
                Err(changed())
            }
        }
    }

    fn short(
        &self,
        incoming: Option<&Incoming>,
        place: &Path,
        stamp: Stamp,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<(Md5, Copied)>, Error> {
        // One byte more than there should be shows a file that grew.
        let length = stamp.size as usize + 1;
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let mut file = self.open(place)?;
        let mut filled = 0;
        while filled < length {
            match file.read(&mut buffer[filled..length]).map_err(|error| reading(place, error))? {
                0 => break,
                read => filled += read,
            }
        }
        if filled as u64 != stamp.size {
            return Ok(None);
        }
        let bytes = &buffer[..filled];
        let md5 = Md5::of(bytes);
        let Some(incoming) = incoming.filter(|_| self.cache.size(&ObjectId::file(md5)) != Some(stamp.size)) else {
            return Ok(Some((md5, None)));
        };
        let (path, mut file) = incoming.create()?;
        if let Err(error) = file.write_all(bytes).and_then(|()| file.flush()) {
            incoming.discard(&path);
            return Err(trainyard_files::Error::io(Operation::Write, &path, error).into());
        }
        Ok(Some((md5, Some((path, Some(file))))))
    }

    fn long(&self, place: &Path, stamp: Stamp) -> Result<Option<(Md5, Copied)>, Error> {
        let mut file = self.open(place)?;
        let (mut hasher, mut piece, mut total) = (Hasher::default(), vec![0; PIECE], 0);
        loop {
            match file.read(&mut piece).map_err(|error| reading(place, error))? {
                0 => return Ok((total == stamp.size).then(|| (hasher.finish(), None))),
                read => {
                    hasher.update(&piece[..read]);
                    total += read as u64;
                }
            }
        }
    }

    fn long_into(&self, incoming: &Incoming, place: &Path, stamp: Stamp) -> Result<Option<(Md5, Copied)>, Error> {
        if self.clones.load(Ordering::Relaxed) {
            let path = incoming.path();
            match self.io.clone_file(place, &path) {
                // What shares the blocks stays as it is, whatever happens to the file.
                Ok(()) => {
                    let digested = self.long(&path, stamp);
                    if !matches!(digested, Ok(Some(_))) {
                        incoming.discard(&path);
                    }
                    return Ok(digested?.map(|(md5, _)| (md5, Some((path, None)))));
                }
                Err(_) => self.clones.store(false, Ordering::Relaxed),
            }
        }
        let mut source = self.open(place)?;
        let (path, mut target) = incoming.create()?;
        // One thread writes what the other has read and digests.
        let copied = std::thread::scope(|scope| {
            let (full, pieces) = sync_channel::<(Vec<u8>, usize)>(4);
            let (back, empty) = sync_channel::<Vec<u8>>(8);
            let target = &mut target;
            let writer = scope.spawn(move || {
                for (piece, length) in pieces {
                    target.write_all(&piece[..length])?;
                    // The reader may have ended.
                    let _ = back.try_send(piece);
                }
                target.flush()
            });
            let (mut hasher, mut total) = (Hasher::default(), 0);
            let read = loop {
                let mut piece = empty.try_recv().unwrap_or_else(|_| vec![0; PIECE]);
                match source.read(&mut piece) {
                    Ok(0) => break Ok(()),
                    Ok(length) => {
                        hasher.update(&piece[..length]);
                        total += length as u64;
                        // A writer that failed takes no more, and says why below.
                        if full.send((piece, length)).is_err() {
                            break Ok(());
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => break Err(reading(place, error)),
                }
            };
            drop(full);
            let broken = || std::io::Error::other("the thread that writes ended");
            let written = writer.join().unwrap_or_else(|_| Err(broken()));
            read?;
            written.map_err(|error| trainyard_files::Error::io(Operation::Write, &path, error))?;
            Ok::<_, Error>((total == stamp.size).then(|| hasher.finish()))
        });
        match copied {
            Ok(Some(md5)) => Ok(Some((md5, Some((path, Some(target)))))),
            other => {
                incoming.discard(&path);
                other.map(|_| None)
            }
        }
    }

    fn open(&self, place: &Path) -> Result<Box<dyn trainyard_files::ReadSeek>, Error> {
        self.io.open(place).map_err(|error| trainyard_files::Error::io(Operation::Open, place, error).into())
    }
}

/// Is a copy that waits to be accepted, with its file where that is still open.
type Copied = Option<(std::path::PathBuf, Option<Box<dyn WriteSync>>)>;

fn reading(place: &Path, error: std::io::Error) -> Error {
    trainyard_files::Error::io(Operation::Read, place, error).into()
}
