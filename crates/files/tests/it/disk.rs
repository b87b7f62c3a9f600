//! A disk that records what is done to it, and fails or stops at a chosen operation.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use trainyard_files::{DiskIo, Io, Metadata, ReadSeek, WriteSync};

/// One operation that changes the disk, with paths below the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Folder(PathBuf),
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    Sync(PathBuf),
    Readonly(PathBuf),
    Mode(PathBuf, u32),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
}

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// That one operation fails; the disk works again afterwards.
    Fails(io::ErrorKind),
    /// That operation and all later ones fail: the process is as good as dead.
    Stops,
}

#[derive(Debug, Default)]
struct State {
    ops: Vec<Op>,
    at: Option<(usize, Then)>,
    seen: usize,
    looked: Looked,
}

/// How often the disk was asked about what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// At the bytes of a file.
    pub(crate) bytes: usize,
    /// At the entries of a folder.
    pub(crate) lists: usize,
    /// At what lies at a path.
    pub(crate) metadata: usize,
}

/// Passes everything on to the real disk, below `root`.
#[derive(Clone, Debug)]
pub(crate) struct RecordingIo {
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

impl RecordingIo {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), state: Arc::default() }
    }

    /// Fails or stops when operation number `n`, from 0, is asked for.
    pub(crate) fn failing(root: &Path, n: usize, then: Then) -> Self {
        let io = Self::new(root);
        io.state.lock().unwrap().at = Some((n, then));
        io
    }

    /// Returns the operations that were done.
    pub(crate) fn ops(&self) -> Vec<Op> {
        self.state.lock().unwrap().ops.clone()
    }

    /// Says whether the chosen operation was asked for.
    pub(crate) fn reached(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.at.is_some_and(|(n, _)| n < state.seen)
    }

    /// Returns how often the disk was asked, not changed.
    pub(crate) fn looked(&self) -> Looked {
        self.state.lock().unwrap().looked
    }

    fn short(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_path_buf()
    }

    /// Notes an operation, or says that it fails.
    fn allow(&self, op: Op) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let number = state.seen;
        state.seen += 1;
        match state.at {
            Some((n, Then::Fails(kind))) if n == number => Err(kind.into()),
            Some((n, Then::Stops)) if n <= number => Err(io::ErrorKind::Other.into()),
            _ => {
                state.ops.push(op);
                Ok(())
            }
        }
    }
}

struct Recorded {
    io: RecordingIo,
    path: PathBuf,
    file: Box<dyn WriteSync>,
}

impl Write for Recorded {
    /// Takes at most 7 bytes at a time, so that there is a half-written state to stop in.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(7)];
        self.io.allow(Op::Write(self.io.short(&self.path), part.to_vec()))?;
        self.file.write_all(part)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteSync for Recorded {
    fn sync(&mut self) -> io::Result<()> {
        self.io.allow(Op::Sync(self.io.short(&self.path)))?;
        self.file.sync()
    }
}

impl Io for RecordingIo {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.state.lock().unwrap().looked.bytes += 1;
        DiskIo.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        self.state.lock().unwrap().looked.bytes += 1;
        DiskIo.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        self.allow(Op::Create(self.short(path)))?;
        Ok(Box::new(Recorded { io: self.clone(), path: path.to_path_buf(), file: DiskIo.create(path)? }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        Ok(Box::new(Recorded { io: self.clone(), path: path.to_path_buf(), file: DiskIo.append(path)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.allow(Op::Rename(self.short(from), self.short(to)))?;
        DiskIo.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.allow(Op::Remove(self.short(path)))?;
        DiskIo.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.allow(Op::Remove(self.short(path)))?;
        DiskIo.remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.allow(Op::Folder(self.short(path)))?;
        DiskIo.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.allow(Op::SyncDir(self.short(path)))?;
        DiskIo.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.state.lock().unwrap().looked.lists += 1;
        DiskIo.list(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.state.lock().unwrap().looked.metadata += 1;
        DiskIo.metadata(path)
    }

    fn set_readonly(&self, path: &Path) -> io::Result<()> {
        self.allow(Op::Readonly(self.short(path)))?;
        DiskIo.set_readonly(path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.allow(Op::Mode(self.short(path), mode))?;
        DiskIo.set_mode(path, mode)
    }

    fn read_link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        DiskIo.read_link(path)
    }

    fn exists(&self, path: &Path) -> bool {
        DiskIo.exists(path)
    }
}
