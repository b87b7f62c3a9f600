//! The disk as a trait, so that a test can make it fail or stop it anywhere.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, Stat, statat};

use crate::unbuffered::Unbuffered;
use crate::{Error, Operation};

/// Reads a file from any position.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// Writes a file that can be forced to the disk.
pub trait WriteSync: Write + Send {
    /// Returns once everything written so far has reached the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Returns what another thread forces the bytes to the disk with while this one writes on, so that little is left
    /// for [`sync`](Self::sync), which is still needed; none where that would not help, the default.
    ///
    /// A failure is told once: to whoever syncs first.
    fn sync_ahead(&self) -> Option<SyncAhead> {
        None
    }
}

/// Forces what was written so far to the disk.
pub type SyncAhead = Box<dyn FnMut() -> io::Result<()> + Send>;

/// Describes what lies at a path; links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The length in bytes; meaningless for a folder.
    pub len: u64,
    /// Whether a folder lies there.
    pub is_dir: bool,
    /// Whether a plain file lies there; a device or a pipe is neither.
    pub is_file: bool,
    /// Whether nobody may write it.
    pub readonly: bool,
    /// Who may read, write and execute it: the nine permission bits.
    pub mode: u32,
    /// When its bytes changed last, by the clock of the file system; absent where that is not kept.
    pub modified: Option<SystemTime>,
    /// The number that the file system knows it by; another file may get it once this one is gone.
    pub inode: u64,
}

/// Says what an entry of a folder is; links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Other,
}

/// Stands for the disk.
pub trait Io: Send + Sync + Debug {
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>>;
    /// Creates a file that did not exist; `AlreadyExists` where one does.
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteSync>>;
    /// Creates a file that did not exist and that nobody may write but through what is returned: mode 0444.
    fn create_readonly(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        let file = self.create(path)?;
        self.set_readonly(path)?;
        Ok(file)
    }
    /// Does so for a long file that nobody reads soon: where the system can, its bytes take no memory that other files
    /// would be kept in. All is written, and the file of its length, once it is flushed; after that nothing more is.
    fn create_unbuffered(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        self.create_readonly(path)
    }
    /// Opens a file for writing at its end, and creates it where there is none.
    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteSync>>;
    /// Moves a file to another name and replaces what lies there, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and everything in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder and those above it; one that exists is left as it is.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Returns once the folder's entries (new names, moved names) have reached the disk.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Lists a folder's entries as full paths, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Lists the names of a folder's entries and what each is, in no order; cheaper than [`list`](Self::list).
    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Kind)>>;
    /// Describes what lies at a path.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// Describes what lies under some names in a folder; cheaper than asking for each path. Fails where the folder can't
    /// be opened.
    fn metadata_in(&self, folder: &Path, names: &[&str]) -> io::Result<Vec<io::Result<Metadata>>> {
        Ok(names.iter().map(|name| self.metadata(&folder.join(name))).collect())
    }
    /// Takes everybody's permission to write a file: mode 0444.
    fn set_readonly(&self, path: &Path) -> io::Result<()>;
    /// Sets the nine permission bits of a file; nothing to do on a disk that keeps none, which is the default.
    fn set_mode(&self, _path: &Path, _mode: u32) -> io::Result<()> {
        Ok(())
    }
    /// Returns what a symbolic link says; none for anything else, and always on a disk without links, the default.
    fn read_link(&self, _path: &Path) -> io::Result<Option<PathBuf>> {
        Ok(None)
    }
    /// Gives a file a second name, where none lies.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a symbolic link, where nothing lies.
    fn symbolic_link(&self, target: &Path, at: &Path) -> io::Result<()>;
    /// Makes a new file that shares its blocks with another; an error where the file system can't.
    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Returns once everything written so far on the file system that holds a path, bytes and names, has reached the
    /// disk.
    fn sync_all(&self, path: &Path) -> io::Result<()>;
    /// Says whether anything lies at a path; not to be known counts as no.
    fn exists(&self, path: &Path) -> bool;
}

/// Reads a whole file; the error names it.
pub fn read(io: &dyn Io, path: &Path) -> Result<Vec<u8>, Error> {
    io.read(path).map_err(|source| Error::io(Operation::Read, path, source))
}

const READONLY: u32 = 0o444;

/// Is the real disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskIo;

fn described(found: &Stat) -> Metadata {
    let kind = FileType::from_raw_mode(found.st_mode);
    let seconds = Duration::from_secs(found.st_mtime.unsigned_abs());
    let at = if found.st_mtime < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
    Metadata {
        len: u64::try_from(found.st_size).unwrap_or(0),
        is_dir: kind.is_dir(),
        is_file: kind.is_file(),
        readonly: found.st_mode & 0o222 == 0,
        mode: found.st_mode & 0o777,
        modified: at.and_then(|at| at.checked_add(Duration::from_nanos(found.st_mtime_nsec))),
        inode: found.st_ino,
    }
}

/// Gives a new file the permissions that were asked for: the process may take more away.
fn make_readonly(file: &File) -> io::Result<()> {
    if file.metadata()?.mode() & 0o777 == READONLY {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(READONLY))
}

impl WriteSync for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }

    fn sync_ahead(&self) -> Option<SyncAhead> {
        let twin = self.try_clone().ok()?;
        Some(Box::new(move || twin.sync_data()))
    }
}

impl Io for DiskIo {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(File::open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn create_readonly(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(READONLY).open(path)?;
        make_readonly(&file)?;
        Ok(Box::new(file))
    }

    fn create_unbuffered(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        match Unbuffered::create(path, READONLY)? {
            Some(file) => {
                make_readonly(file.file())?;
                Ok(Box::new(file))
            }
            None => self.create_readonly(path),
        }
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteSync>> {
        Ok(Box::new(OpenOptions::new().append(true).create(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        match File::open(path)?.sync_all() {
            // Some network file systems have no fsync of a folder; there a rename is as durable as it gets.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            other => other,
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        // The same order as that of paths, which would be compared part by part: they differ in the last one only.
        entries.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
        Ok(entries)
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        let one = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            let found = entry.file_type()?;
            let kind = match () {
                () if found.is_symlink() => Kind::Link,
                () if found.is_dir() => Kind::Folder,
                () if found.is_file() => Kind::File,
                () => Kind::Other,
            };
            Ok((entry.file_name(), kind))
        };
        fs::read_dir(path)?.map(one).collect()
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = fs::metadata(path)?;
        Ok(Metadata {
            len: metadata.len(),
            is_dir: metadata.is_dir(),
            is_file: metadata.is_file(),
            readonly: metadata.permissions().readonly(),
            mode: metadata.permissions().mode() & 0o777,
            modified: metadata.modified().ok(),
            inode: metadata.ino(),
        })
    }

    fn metadata_in(&self, folder: &Path, names: &[&str]) -> io::Result<Vec<io::Result<Metadata>>> {
        let folder = File::open(folder)?;
        let one = |name: &&str| Ok(described(&statat(&folder, *name, AtFlags::empty())?));
        Ok(names.iter().map(one).collect())
    }

    fn set_readonly(&self, path: &Path) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(READONLY))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    fn read_link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => fs::read_link(path).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn symbolic_link(&self, target: &Path, at: &Path) -> io::Result<()> {
        symlink(target, at)
    }

    fn clone_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let source = File::open(from)?;
        let target = OpenOptions::new().write(true).create_new(true).open(to)?;
        rustix::fs::ioctl_ficlone(&target, &source).map_err(|error| {
            // The refusal is what the caller hears about.
            let _ = fs::remove_file(to);
            error.into()
        })
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(path)?)?)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}
