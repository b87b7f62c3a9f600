//! What lies in the workspace at a versioned path: names and stamps first, digests as far as they are needed.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use trainyard_files::{Kind, Metadata, Operation};

use crate::cache::{Incoming, MANY, batches, is_half_written, take_in_batches};
use crate::ignore::Ignore;
use crate::known::{Known, Stamp, now};
use crate::md5::{Md5, ObjectId, digest_all};
use crate::passage::{PIECE, SHORT, digest_and_write, digest_of, groups, open, read_whole};
use crate::remote::Tally;
use crate::repository::{Repository, joined, shown};
use crate::tree::Tree;
use crate::{Error, Errors};

/// About so many files of one folder is asked at once.
const ASKED: usize = 256;
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
        errors.dedup_by_key(|error| error.to_string());
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
        let folder = if below.is_empty() { self.root.to_owned() } else { joined(self.root, below) };
        for (name, kind) in names {
            let name = name.trim_end_matches('/');
            let path = joined(&folder, name);
            let below = &path[self.root.len() + 1..];
            if self.ignore.leaves_out(&path, kind == Kind::Folder) {
                continue;
            }
            match kind {
                Kind::Folder => {
                    let place = self.repository.place(&path);
                    match self.repository.io.entries(&place) {
                        // Another project looks after itself.
                        Ok(entries) if entries.iter().any(|(name, _)| name == ".dvc") => {}
                        Ok(entries) => self.folder(below, entries),
                        Err(error) => self.errors.push(unreadable(&place, error)),
                    }
                }
                Kind::File if name == ".dvcignore" => self.errors.push(Error::IgnoreInside { path }),
                Kind::File if is_half_written(name) => {}
                Kind::File => self.snapshot.tree.push(below),
                Kind::Link => match self.repository.io.metadata(&self.repository.place(&path)) {
                    Ok(metadata) if metadata.is_dir => self.snapshot.left_out.push(path),
                    Ok(metadata) if metadata.is_file => self.snapshot.tree.push(below),
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
    let told = |at: usize, found: std::io::Result<Metadata>| match found {
        Ok(metadata) => Stamp::of(&metadata),
        Err(error) => {
            errors.push(match error.kind() {
                ErrorKind::NotFound => Error::Changed { path: snapshot.path(at, path) },
                _ => unreadable(&repository.place(&snapshot.path(at, path)), error),
            });
            Stamp::NONE
        }
    };
    let files = |files: &Range<usize>| {
        let (folder, _) = split(snapshot.tree.name(files.start));
        let names: Vec<&str> = files.clone().map(|at| split(snapshot.tree.name(at)).1).collect();
        match repository.io.metadata_in(&repository.place(path).join(folder), &names) {
            Ok(found) => files.clone().zip(found).map(|(at, found)| told(at, found)).collect(),
            Err(error) => {
                told(files.start, Err(error));
                vec![Stamp::NONE; files.len()]
            }
        }
    };
    let stamps: Vec<Vec<Stamp>> = beside_each_other(&snapshot.tree).par_iter().map(files).collect();
    snapshot.stamps = stamps.concat();
    errors.into_result(())
}

/// Splits a path into the folder and the name in it.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Divides files into such as lie in one folder.
fn beside_each_other(tree: &Tree) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut folder = "";
    for at in 0..tree.len() {
        let above = split(tree.name(at)).0;
        match parts.last_mut() {
            Some(part) if above == folder && part.len() < ASKED => part.end = at + 1,
            _ => parts.push(at..at + 1),
        }
        folder = above;
    }
    parts
}

/// Finds out the digests of all files: those that are known are not read. Says how many were.
pub(crate) fn digest(
    repository: &Repository,
    path: &str,
    snapshot: &mut Snapshot,
    tally: &Tally<'_>,
) -> Result<usize, Errors> {
    let began = now();
    let unknown = Known::load(repository, path).recognise(snapshot);
    if unknown.is_empty() {
        return Ok(0);
    }
    for (at, md5) in read(repository, path, snapshot, &unknown, None, tally)? {
        snapshot.tree.set_md5(at, md5);
    }
    // Without the record the files are read again the next time: no reason to fail where nothing may be written.
    let _ = Known::save(repository, path, snapshot, began);
    Ok(unknown.len())
}

/// Finds out the digests of all files and takes those into the cache that it does not hold; the caller keeps the
/// records.
pub(crate) fn take_in(
    repository: &Repository,
    path: &str,
    snapshot: &mut Snapshot,
    tally: &Tally<'_>,
) -> Result<(), Errors> {
    let began = now();
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
    tally.objects(snapshot.tree.len() - unknown.len())?;
    let batches = batches(&unknown, |at| snapshot.stamps[*at].size);
    let mut found = Vec::with_capacity(unknown.len());
    let taken = take_in_batches(&repository.cache, batches, |batch, incoming| {
        found.extend(read(repository, path, snapshot, batch, Some(incoming), tally)?);
        Ok(ControlFlow::Continue(()))
    });
    for (at, md5) in &found {
        snapshot.tree.set_md5(*at, *md5);
    }
    if taken.is_err() {
        // What was digested until now need not be so again.
        let mut known = snapshot.clone();
        let done: BTreeSet<usize> = found.iter().map(|(at, _)| *at).collect();
        unknown.iter().filter(|at| !done.contains(at)).for_each(|at| known.stamps[*at] = Stamp::NONE);
        let _ = Known::save(repository, path, &known, began);
    }
    taken
}

/// Returns the digests of files, and takes them in where that is asked for.
fn read(
    repository: &Repository,
    path: &str,
    snapshot: &Snapshot,
    files: &[usize],
    incoming: Option<&Incoming>,
    tally: &Tally<'_>,
) -> Result<Vec<(usize, Md5)>, Errors> {
    let errors = Collected::default();
    let clones = AtomicBool::new(true);
    let reader = Reader { repository, path, snapshot, incoming, tally, clones };
    let groups = groups(files.iter().map(|at| snapshot.stamps[*at].size));
    let one = |buffer: &mut Vec<u8>, group: &Range<usize>| {
        let mut found = Vec::with_capacity(group.len());
        if !errors.is_full() {
            reader.group(&files[group.clone()], buffer, &mut |at, end| match end {
                Ok(md5) => found.push((at, md5)),
                Err(error) => errors.push(error),
            });
        }
        found
    };
    let digests: Vec<_> = groups.par_iter().map_init(Vec::new, one).collect();
    errors.into_result(digests.into_iter().flatten().collect())
}

/// Digests files, and copies them in the same pass where they are to come into the cache.
struct Reader<'a> {
    repository: &'a Repository,
    /// The path that the snapshot is of.
    path: &'a str,
    snapshot: &'a Snapshot,
    incoming: Option<&'a Incoming>,
    tally: &'a Tally<'a>,
    /// Whether the file system may share blocks, as far as was found out.
    clones: AtomicBool,
}

impl Reader<'_> {
    /// Does so for some files; tells the end of each.
    fn group(&self, files: &[usize], buffer: &mut Vec<u8>, tell: &mut dyn FnMut(usize, Result<Md5, Error>)) {
        let io = &*self.repository.io;
        let mut read: Vec<(usize, PathBuf, Range<usize>)> = Vec::with_capacity(files.len());
        for at in files {
            let place = self.repository.place(&self.snapshot.path(*at, self.path));
            let length = self.snapshot.stamps[*at].size;
            if length > SHORT {
                let ended = self.long(*at, &place);
                tell(*at, ended.and_then(|md5| self.tally.object().map(|()| md5)));
                continue;
            }
            let start = read.last().map_or(0, |(_, _, bytes)| bytes.end);
            match read_whole(io, &place, length, (buffer, start)) {
                Ok(Some(end)) => read.push((*at, place, start..end)),
                Ok(None) => tell(*at, Err(self.changed(*at))),
                Err(error) => tell(*at, Err(error)),
            }
        }
        let texts: Vec<&[u8]> = read.iter().map(|(_, _, bytes)| &buffer[bytes.clone()]).collect();
        let digests = digest_all(&texts);
        for (((at, place, _), bytes), md5) in read.iter().zip(texts).zip(digests) {
            let ended = self.stays(*at, place).and_then(|()| self.keep(bytes, md5));
            let told = |md5| self.tally.bytes(bytes.len()).and_then(|()| self.tally.object()).map(|()| md5);
            tell(*at, ended.and_then(told));
        }
    }

    fn changed(&self, at: usize) -> Error {
        Error::Changed { path: self.snapshot.path(at, self.path) }
    }

    /// Wants a file to be what it was when it was looked at.
    fn stays(&self, at: usize, place: &Path) -> Result<(), Error> {
        let found = self.repository.io.metadata(place);
        let is_same = found.is_ok_and(|metadata| Stamp::of(&metadata) == self.snapshot.stamps[at]);
        if is_same { Ok(()) } else { Err(self.changed(at)) }
    }

    /// Takes in what was read.
    fn keep(&self, bytes: &[u8], md5: Md5) -> Result<Md5, Error> {
        let id = ObjectId::file(md5);
        match self.incoming {
            Some(incoming) if self.repository.cache.size(&id) != Some(bytes.len() as u64) => {
                incoming.write(id, |file| file.write_all(bytes))?;
            }
            _ => {}
        }
        Ok(md5)
    }

    fn long(&self, at: usize, place: &Path) -> Result<Md5, Error> {
        let io = &*self.repository.io;
        let told = |read| self.tally.bytes(read);
        let (found, copy) = match self.incoming {
            None => (digest_of(&mut *open(io, place)?, place, &mut vec![0; PIECE], told), None),
            Some(incoming) => match self.clone_of(place, incoming) {
                // What shares the blocks stays as it is, whatever happens to the file.
                Some(copy) => {
                    let digested =
                        open(io, &copy).and_then(|mut file| digest_of(&mut *file, &copy, &mut vec![0; PIECE], told));
                    (digested, Some((incoming, copy, None)))
                }
                None => {
                    // One byte more than there should be shows a file that grows.
                    let mut source = open(io, place)?.take(self.snapshot.stamps[at].size + 1);
                    let (copy, mut file) = incoming.create_long()?;
                    let digested = digest_and_write(&mut source, place, (&mut *file, &copy), told);
                    (digested, Some((incoming, copy, Some(file))))
                }
            },
        };
        let is_whole = |length| length == self.snapshot.stamps[at].size;
        let found = found.and_then(|(md5, length)| if is_whole(length) { Ok(md5) } else { Err(self.changed(at)) });
        let found = found.and_then(|md5| self.stays(at, place).map(|()| md5));
        let Some((incoming, copy, file)) = copy else { return found };
        match found {
            Ok(md5) if self.repository.cache.size(&ObjectId::file(md5)) != Some(self.snapshot.stamps[at].size) => {
                incoming.accept(copy, ObjectId::file(md5), file)?;
            }
            _ => incoming.discard(&copy),
        }
        found
    }

    /// Makes a file that shares the blocks of another, where the file system can.
    fn clone_of(&self, place: &Path, incoming: &Incoming) -> Option<PathBuf> {
        if !self.clones.load(Ordering::Relaxed) {
            return None;
        }
        let path = incoming.path();
        let made = self.repository.io.clone_file(place, &path).is_ok();
        self.clones.store(made, Ordering::Relaxed);
        made.then_some(path)
    }
}
