//! A folder that is there whole, or not at all.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Io, create_folder, host_name, write_atomic};

/// What is moved last when files must be moved one by one: without it, a folder is no project.
const LAST: &str = "trainyard.yaml";

/// Where a folder is made: an absent one, or one that is empty.
pub(super) fn free(io: &dyn Io, folder: &Path) -> Result<PathBuf, Vec<Diagnostic>> {
    let refused = |title: String| {
        vec![
            Diagnostic::error("init/occupied", title)
                .help("name a new folder: `trainyard init NEW --from CSV --target COLUMN`"),
        ]
    };
    match io.metadata(folder) {
        Ok(found) if !found.is_dir => return Err(refused(format!("{} is a file, not a folder", folder.display()))),
        Ok(_) if io.list(folder).is_ok_and(|files| !files.is_empty()) => {
            return Err(refused(format!("{} is not empty", folder.display())));
        }
        // Links are followed, and `.` gets its name, since the folder itself is replaced.
        Ok(_) => return std::fs::canonicalize(folder).map_err(|error| vec![failed(folder, &error)]),
        Err(_) => {}
    }
    Ok(folder.components().collect())
}

/// Writes the files into a folder beside `folder`, which then takes its name in one step.
pub(super) fn make(io: &dyn Io, folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Vec<Diagnostic>> {
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.init-{}-", host_name());
    sweep(io, above, &prefix);
    let staged = above.join(format!("{prefix}{}", std::process::id()));
    let made = fill(io, above, &staged, files).and_then(|()| publish(io, above, &staged, folder));
    if made.is_err() {
        // The failure itself is what the user hears about.
        let _ = io.remove_dir_all(&staged);
    }
    made
}

fn fill(io: &dyn Io, above: &Path, staged: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Vec<Diagnostic>> {
    create_folder(io, above).map_err(|error| vec![error.diagnostic()])?;
    for (name, bytes) in files {
        write_atomic(io, &staged.join(name), bytes).map_err(|error| vec![error.diagnostic()])?;
    }
    Ok(())
}

fn publish(io: &dyn Io, above: &Path, staged: &Path, folder: &Path) -> Result<(), Vec<Diagnostic>> {
    if let Ok(found) = io.metadata(folder) {
        let is_current = std::env::current_dir().is_ok_and(|current| current == folder);
        let _ = io.set_mode(staged, found.mode);
        if is_current {
            return move_into(io, staged, folder).map_err(|error| vec![failed(folder, &error)]);
        }
    }
    io.rename(staged, folder).and_then(|()| io.sync_dir(above)).map_err(|error| vec![failed(folder, &error)])
}

/// Fills the folder that somebody stands in, which can't be replaced under their feet.
fn move_into(io: &dyn Io, staged: &Path, folder: &Path) -> io::Result<()> {
    let mut entries = io.list(staged)?;
    entries.sort_by_key(|path| path.ends_with(LAST));
    for path in entries {
        io.rename(&path, &folder.join(path.file_name().unwrap_or_default()))?;
    }
    io.sync_dir(folder)?;
    io.remove_dir_all(staged)
}

/// Removes what an `init` of the same folder left when it died.
fn sweep(io: &dyn Io, above: &Path, prefix: &str) {
    for path in io.list(above).unwrap_or_default() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let pid = name.strip_prefix(prefix).and_then(|pid| pid.parse::<i32>().ok()).and_then(Pid::from_raw);
        let is_dead = |pid: Pid| {
            pid.as_raw_nonzero().get().unsigned_abs() == std::process::id()
                || test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
        };
        if pid.is_some_and(is_dead) {
            let _ = io.remove_dir_all(&path);
        }
    }
}

fn failed(folder: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error("init/unwritable", format!("{} can't be made: {error}", folder.display()))
        .help("name a new folder where you may write")
}
