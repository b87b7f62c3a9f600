//! A disk in memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Cursor, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use trainyard_files::{Io, Kind, Metadata, ReadSeek, WriteSync};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Holds files by path; every folder is there.
#[derive(Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Files>>);

impl Memory {
    /// Makes a disk of one file.
    pub(crate) fn with(path: &str, bytes: &[u8]) -> Memory {
        Memory(Arc::new(Mutex::new(BTreeMap::from([(path.into(), bytes.to_vec())]))))
    }

    /// Gives the bytes of a file, none where there is none.
    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        self.files().get(Path::new(path)).cloned().unwrap_or_default()
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().expect("nobody panics while holding it")
    }

    fn writer(&self, path: &Path) -> Box<dyn WriteSync> {
        self.files().entry(path.to_owned()).or_default();
        Box::new(Writer { files: Arc::clone(&self.0), path: path.to_owned() })
    }
}

/// Appends to a file.
struct Writer {
    files: Arc<Mutex<Files>>,
    path: PathBuf,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut files = self.files.lock().expect("nobody panics while holding it");
        files.entry(self.path.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteSync for Writer {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Io for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files().get(path).cloned().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(Cursor::new(self.read(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        if self.exists(path) { Err(ErrorKind::AlreadyExists.into()) } else { Ok(self.writer(path)) }
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        Ok(self.writer(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        let bytes = files.remove(from).ok_or(ErrorKind::NotFound)?;
        files.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files().remove(path).map(|_| ()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files().retain(|file, _| !file.starts_with(path));
        Ok(())
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.files().keys().filter(|file| file.parent() == Some(path)).cloned().collect())
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        let name = |file: &PathBuf| Some((file.file_name()?.to_owned(), Kind::File));
        Ok(self.list(path)?.iter().filter_map(name).collect())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let bytes = self.read(from)?;
        self.files().insert(to.to_owned(), bytes);
        Ok(())
    }

    fn symbolic_link(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn clone_file(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let len = self.read(path)?.len() as u64;
        Ok(Metadata { len, is_dir: false, is_file: true, readonly: false, mode: 0o644, modified: None, inode: 0 })
    }

    fn set_readonly(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.files().contains_key(path)
    }
}
