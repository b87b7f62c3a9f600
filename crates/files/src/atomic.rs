//! Files and folders that are there whole, or not at all.

use std::io::ErrorKind;
use std::path::Path;

use crate::{Error, Io, Operation, temporary};

/// Writes a file so that at any moment, even after a power cut, its path holds either the old bytes or the new.
///
/// The bytes go to a temporary file in the same folder, are forced to the disk, and take the name in one step; then
/// the folder is forced to the disk. On failure the temporary file is removed and the old file stands. A folder that
/// does not exist is created.
pub fn write_atomic(io: &dyn Io, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = folder_of(path);
    create_folder(io, folder)?;
    publish(io, path, bytes, false)
}

/// Writes `bytes` under `path`, whose folder exists.
pub(crate) fn publish(io: &dyn Io, path: &Path, bytes: &[u8], readonly: bool) -> Result<(), Error> {
    let folder = folder_of(path);
    let temporary = temporary::write(io, folder, bytes, readonly)?;
    if let Err(error) = io.rename(&temporary, path) {
        temporary::discard(io, &temporary);
        return Err(Error::io(Operation::Rename, path, error));
    }
    io.sync_dir(folder).map_err(|error| Error::io(Operation::Sync, folder, error))
}

/// Creates a folder and those above it, each forced to the disk; one that exists is left as it is.
pub fn create_folder(io: &dyn Io, path: &Path) -> Result<(), Error> {
    let mut absent = Vec::new();
    for folder in path.ancestors() {
        if folder.as_os_str().is_empty() {
            break;
        }
        match io.metadata(folder) {
            Ok(metadata) if metadata.is_dir => break,
            Ok(_) => {
                let error = std::io::Error::from(ErrorKind::NotADirectory);
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

/// Returns the folder that holds a path; the current one for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
