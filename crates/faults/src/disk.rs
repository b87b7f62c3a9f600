//! A disk that records what is done to it, and fails, stops or kills at a chosen operation.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::abort;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trainyard_files::{DiskIo, Io, Kind, Metadata, ReadSeek, WriteSync};

/// One operation that changes the disk, with paths below the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A folder is made.
    Folder(PathBuf),
    /// A file is made.
    Create(PathBuf),
    /// Bytes are written at a file's end.
    Write(PathBuf, Vec<u8>),
    /// A file's bytes are forced to the disk.
    Sync(PathBuf),
    /// A file may no longer be written.
    Readonly(PathBuf),
    /// A file's permission bits are set.
    Mode(PathBuf, u32),
    /// A file moves to another name.
    Rename(PathBuf, PathBuf),
    /// A file, or a folder with all in it, is removed.
    Remove(PathBuf),
    /// A folder's entries are forced to the disk.
    SyncDir(PathBuf),
    /// A file gets a second name.
    Link(PathBuf, PathBuf),
    /// A symbolic link is made: what it says, and where.
    Symlink(PathBuf, PathBuf),
    /// A file is made that shares its blocks with another.
    Clone(PathBuf, PathBuf),
    /// Everything written so far is forced to the disk.
    SyncAll,
    /// What [`RecordingIo::beside`] names is found changed: all of it, none where it is not there.
    Beside(Vec<(PathBuf, Option<Vec<u8>>)>),
}

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// That one operation fails; the disk works again afterwards.
    Fails(ErrorKind),
    /// That operation and all later ones fail.
    Stops(ErrorKind),
    /// The disk is full: from that operation on it takes no byte more; all else works.
    Full,
    /// The process dies; in a write, when half of it is done.
    Dies,
}

#[derive(Debug, Default)]
struct State {
    ops: Vec<Op>,
    at: Option<(usize, Then)>,
    seen: usize,
    looked: Looked,
    beside: Vec<PathBuf>,
    found: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl State {
    /// Notes what others wrote beside, when it changed.
    fn look_beside(&mut self, root: &Path) {
        let read = |path: &PathBuf| (path.clone(), fs::read(root.join(path)).ok());
        let found: Vec<_> = self.beside.iter().map(read).collect();
        if found != self.found {
            self.ops.push(Op::Beside(found.clone()));
            self.found = found;
        }
    }
}

/// How often the disk was asked about what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// At the bytes of a file.
    pub bytes: usize,
    /// At the entries of a folder.
    pub lists: usize,
    /// At what lies at a path.
    pub metadata: usize,
}

/// Passes everything on to the real disk, below `root`.
#[derive(Clone, Debug)]
pub struct RecordingIo {
    root: PathBuf,
    piece: usize,
    state: Arc<Mutex<State>>,
}

impl RecordingIo {
    /// Records, and never fails.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), piece: usize::MAX, state: Arc::default() }
    }

    /// Fails, stops or kills when operation number `n`, from 0, is asked for.
    pub fn failing(root: &Path, n: usize, then: Then) -> Self {
        let io = Self::new(root);
        io.state().at = Some((n, then));
        io
    }

    /// Takes at most 7 bytes in one write, so that there are many half-written states to stop in.
    pub fn in_pieces(self) -> Self {
        Self { piece: 7, ..self }
    }

    /// Looks, before each operation, at files that somebody writes without this disk; paths below the root.
    pub fn beside(self, paths: &[&str]) -> Self {
        self.state().beside = paths.iter().map(PathBuf::from).collect();
        self
    }

    /// Returns the operations that were done.
    pub fn ops(&self) -> Vec<Op> {
        let mut state = self.state();
        state.look_beside(&self.root);
        state.ops.clone()
    }

    /// Says whether the chosen operation was asked for.
    pub fn reached(&self) -> bool {
        let state = self.state();
        state.at.is_some_and(|(n, _)| n < state.seen)
    }

    /// Returns how often the disk was asked, not changed.
    pub fn looked(&self) -> Looked {
        self.state().looked
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn short(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_path_buf()
    }

    /// Notes an operation, or says that it fails, or dies after `last`.
    fn allow(&self, op: Op, last: impl FnOnce()) -> io::Result<()> {
        let mut state = self.state();
        state.look_beside(&self.root);
        let number = state.seen;
        state.seen += 1;
        match state.at {
            Some((n, Then::Fails(kind))) if n == number => Err(kind.into()),
            Some((n, Then::Stops(kind))) if n <= number => Err(kind.into()),
            Some((n, Then::Full)) if n <= number && matches!(op, Op::Write(..)) => Err(ErrorKind::StorageFull.into()),
            Some((n, Then::Dies)) if n == number => {
                last();
                abort()
            }
            _ => {
                state.ops.push(op);
                Ok(())
            }
        }
    }

    fn note(&self, op: Op) -> io::Result<()> {
        self.allow(op, || ())
    }

    fn recorded(&self, path: &Path, file: Box<dyn WriteSync>) -> Box<dyn WriteSync> {
        Box::new(Recorded { io: self.clone(), path: self.short(path), file })
    }
}

struct Recorded {
    io: RecordingIo,
    path: PathBuf,
    file: Box<dyn WriteSync>,
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(self.io.piece)];
        let file = &mut self.file;
        self.io.allow(Op::Write(self.path.clone(), part.to_vec()), || {
            let _ = file.write_all(&part[..part.len() / 2]);
        })?;
        self.file.write_all(part)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteSync for Recorded {
    fn sync(&mut self) -> io::Result<()> {
        self.io.note(Op::Sync(self.path.clone()))?;
        self.file.sync()
    }
}

impl Io for RecordingIo {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.state().looked.bytes += 1;
        DiskIo.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        self.state().looked.bytes += 1;
        DiskIo.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        self.note(Op::Create(self.short(path)))?;
        Ok(self.recorded(path, DiskIo.create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        if !path.exists() {
            self.note(Op::Create(self.short(path)))?;
        }
        Ok(self.recorded(path, DiskIo.append(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(Op::Rename(self.short(from), self.short(to)))?;
        DiskIo.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.note(Op::Remove(self.short(path)))?;
        DiskIo.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.note(Op::Remove(self.short(path)))?;
        DiskIo.remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.note(Op::Folder(self.short(path)))?;
        DiskIo.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.note(Op::SyncDir(self.short(path)))?;
        DiskIo.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.state().looked.lists += 1;
        DiskIo.list(path)
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        self.state().looked.lists += 1;
        DiskIo.entries(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(Op::Link(self.short(from), self.short(to)))?;
        DiskIo.hard_link(from, to)
    }

    fn symbolic_link(&self, target: &Path, at: &Path) -> io::Result<()> {
        self.note(Op::Symlink(target.to_path_buf(), self.short(at)))?;
        DiskIo.symbolic_link(target, at)
    }

    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        // A refusal changes nothing.
        DiskIo.clone_file(from, to)?;
        self.note(Op::Clone(self.short(from), self.short(to)))
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        // The other writers of the machine are not what is tested.
        DiskIo.metadata(path)?;
        self.note(Op::SyncAll)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.state().looked.metadata += 1;
        DiskIo.metadata(path)
    }

    fn set_readonly(&self, path: &Path) -> io::Result<()> {
        self.note(Op::Readonly(self.short(path)))?;
        DiskIo.set_readonly(path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.note(Op::Mode(self.short(path), mode))?;
        DiskIo.set_mode(path, mode)
    }

    fn read_link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        DiskIo.read_link(path)
    }

    fn exists(&self, path: &Path) -> bool {
        DiskIo.exists(path)
    }
}
