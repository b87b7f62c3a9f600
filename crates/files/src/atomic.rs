//! Files and folders that are there whole, or not at all.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::temporary::{self, Access};
use crate::{Error, Io, Operation};

/// As many links as the kernel follows before it takes them for a circle.
const LINKS: usize = 40;

/// Writes a file so that at any moment, even after a power cut, its path holds either the old bytes or the new.
///
/// The bytes go to a temporary file in the same folder, are forced to the disk, and take the name in one step; then
/// the folder is forced to the disk. On failure the temporary file is removed and the old file stands. A folder that
/// does not exist is created.
///
/// A symbolic link stays, and the file that it points at is written in this way, in its own folder, which must exist.
/// A file that is there keeps its permission bits; its owner, and all else that is kept beside the bytes, are those
/// of a new file. A device or a pipe is refused.
pub fn write_atomic(io: &dyn Io, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (path, access) = prepare(io, path)?;
    publish(io, &path, bytes, access)
}

/// Writes a file as [`write_atomic`] does, with the bytes that `fill` writes: for what need not be held in memory.
///
/// # Errors
/// What `fill` gives, or what the disk says; the old file stands then.
pub fn write_atomic_by<E: From<Error>>(
    io: &dyn Io,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let (path, access) = prepare(io, path)?;
    let folder = folder_of(&path);
    let temporary = temporary::write_by(io, folder, access, |_, file| fill(file))?;
    take_name(io, &temporary, &path)?;
    Ok(())
}

/// Makes the folder of a file that is to be written; gives where its bytes go, and who may do what with it.
fn prepare(io: &dyn Io, path: &Path) -> Result<(PathBuf, Access), Error> {
    create_folder(io, folder_of(path))?;
    let path = follow(io, path)?;
    let access = match io.metadata(&path) {
        Ok(found) if found.is_file => Access::Kept(found.mode),
        // The rename will say what is wrong with it.
        Ok(found) if found.is_dir => Access::Usual,
        Ok(_) => {
            let error = io::Error::new(ErrorKind::InvalidInput, "it is a device or a pipe, not a file");
            return Err(Error::io(Operation::Write, &path, error));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Access::Usual,
        Err(error) => return Err(Error::io(Operation::Write, &path, error)),
    };
    Ok((path, access))
}

/// Returns the path at which the links that start at `path` end; nothing needs to lie there.
fn follow(io: &dyn Io, path: &Path) -> Result<PathBuf, Error> {
    let mut end = path.to_path_buf();
    for _ in 0..LINKS {
        match io.read_link(&end) {
            Ok(Some(target)) => end = folder_of(&end).join(target),
            Ok(None) => return Ok(end),
            Err(error) => return Err(Error::io(Operation::Write, &end, error)),
        }
    }
    Err(Error::io(Operation::Write, path, Errno::LOOP.into()))
}

/// Writes `bytes` under `path`, whose folder exists; a link that lies there is replaced.
pub(crate) fn publish(io: &dyn Io, path: &Path, bytes: &[u8], access: Access) -> Result<(), Error> {
    let folder = folder_of(path);
    let temporary = temporary::write(io, folder, bytes, access)?;
    take_name(io, &temporary, path)
}

/// Gives a temporary file its name, for good.
fn take_name(io: &dyn Io, temporary: &Path, path: &Path) -> Result<(), Error> {
    let folder = folder_of(path);
    if let Err(error) = io.rename(temporary, path) {
        temporary::discard(io, temporary);
        return Err(Error::io(Operation::Rename, path, error));
    }
    io.sync_dir(folder).map_err(|error| Error::io(Operation::Sync, folder, error))
}

/// Creates a folder and those above it, each forced to the disk before anything is put into it.
///
/// The name of the lowest folder that is there already is forced too: whoever made it may have died before that. Those
/// above it are taken as durable, since this function puts nothing into a folder whose name is not.
pub fn create_folder(io: &dyn Io, path: &Path) -> Result<(), Error> {
    let mut absent = Vec::new();
    for folder in path.ancestors() {
        if folder.as_os_str().is_empty() {
            break;
        }
        match io.metadata(folder) {
            Ok(metadata) if metadata.is_dir => {
                sync_name_of_found(io, folder)?;
                break;
            }
            Ok(_) => {
                let error = io::Error::from(ErrorKind::NotADirectory);
                return Err(Error::io(Operation::Create, folder, error));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => absent.push(folder),
            Err(error) => return Err(Error::io(Operation::Create, folder, error)),
        }
    }
    for folder in absent.into_iter().rev() {
        io.create_dir_all(folder).map_err(|error| Error::io(Operation::Create, folder, error))?;
        let above = folder_of(folder);
        io.sync_dir(above).map_err(|error| Error::io(Operation::Sync, above, error))?;
    }
    Ok(())
}

/// Forces the name of a folder that somebody else made to the disk.
fn sync_name_of_found(io: &dyn Io, folder: &Path) -> Result<(), Error> {
    // `/`, `.` and `..` have no name that could be lost.
    if folder.file_name().is_none() {
        return Ok(());
    }
    let above = folder_of(folder);
    match io.sync_dir(above) {
        // Where this user may not look, or nobody may write, as above a home or a mount, no dead run made the folder.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => Ok(()),
        other => other.map_err(|error| Error::io(Operation::Sync, above, error)),
    }
}

/// Returns the folder that holds a path; the current one for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
