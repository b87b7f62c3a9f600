//! What can go wrong with a file, a stored object or the project's lock.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use trainyard_diagnostics::Diagnostic;

use crate::{Digest, Holder};

/// Names what was being done to a path when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening a file to read it.
    Open,
    /// Reading a file.
    Read,
    /// Creating a file or a folder.
    Create,
    /// Writing a file.
    Write,
    /// Forcing a file or a folder to the disk.
    Sync,
    /// Moving a finished file to its name.
    Rename,
    /// Removing a file or a folder.
    Remove,
    /// Listing a folder.
    List,
    /// Changing a file's permissions.
    Protect,
    /// Taking the project's lock.
    Lock,
}

impl Operation {
    /// Returns the operation as the object of "cannot …".
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::List => "list",
            Self::Protect => "change the permissions of",
            Self::Lock => "lock",
        }
    }
}

/// Sorts an operating system's errors by what a user would do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing lies at the path.
    NotFound,
    /// The user may not.
    PermissionDenied,
    /// The disk or the quota is used up.
    DiskFull,
    /// The file system is mounted read-only.
    ReadOnly,
    /// A folder lies where a file should, or the reverse.
    WrongKind,
    /// Anything else; the system's own words tell.
    Other,
}

impl Cause {
    /// Sorts an error.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::PermissionDenied => Self::PermissionDenied,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::DiskFull,
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            ErrorKind::IsADirectory | ErrorKind::NotADirectory => Self::WrongKind,
            _ => Self::Other,
        }
    }

    const fn words(self) -> Option<&'static str> {
        match self {
            Self::NotFound => Some("there is nothing there"),
            Self::PermissionDenied => Some("permission denied"),
            Self::DiskFull => Some("the disk is full"),
            Self::ReadOnly => Some("the file system is read-only"),
            Self::WrongKind => Some("a folder lies where a file should, or the reverse"),
            Self::Other => None,
        }
    }
}

/// Says what went wrong, and where.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused an operation.
    Io {
        /// What was being done.
        operation: Operation,
        /// What it was done to.
        path: PathBuf,
        /// The error, sorted.
        cause: Cause,
        /// The error in the system's words.
        source: io::Error,
    },
    /// A stored object's bytes are not those that its name promises.
    Damaged {
        /// The object.
        digest: Digest,
        /// Its file.
        path: PathBuf,
    },
    /// No such object is stored.
    Absent {
        /// The object.
        digest: Digest,
        /// Where its file would be.
        path: PathBuf,
    },
    /// Another process holds the project's lock. A holder that could not be read has pid 0.
    Held(Holder),
}

impl Error {
    /// Wraps an operating system's error with what was being done to which path.
    pub fn io(operation: Operation, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_path_buf(), cause: Cause::of(&source), source }
    }

    /// Draws the error for a user.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Io { operation, cause, source, .. } => {
                let (code, help) = match cause {
                    Cause::NotFound => ("files/not-found", "check the path, and the folder that it starts from"),
                    Cause::PermissionDenied => {
                        ("files/permission-denied", "give this user access to the path, or choose another folder")
                    }
                    Cause::DiskFull => ("files/disk-full", "free some space and repeat the command"),
                    Cause::ReadOnly => {
                        ("files/read-only", "work on a copy of the project in a folder that can be written")
                    }
                    Cause::WrongKind => ("files/wrong-kind", "move away what lies there, or give another path"),
                    Cause::Other => ("files/io", "repeat the command; if it fails again, check the disk"),
                };
                Diagnostic::error(code, self.to_string())
                    .note(format!("while trying to {} it: {source}", operation.verb()))
                    .help(help)
            }
            Self::Damaged { digest, path } => Diagnostic::error("files/damaged-object", self.to_string())
                .note(format!("the bytes of {} do not have the digest {digest}", path.display()))
                .help("check the disk; running the step again writes the object anew"),
            Self::Absent { digest, path } => Diagnostic::error("files/absent-object", self.to_string())
                .note(format!("object {digest} would be {}", path.display()))
                .help("run the step that made it again, or restore the folder from a copy"),
            Self::Held(holder) => {
                let title = match (holder.run.as_str(), holder.command.as_str()) {
                    ("", "") => "another process is working on this project".to_owned(),
                    ("", command) => format!("`trainyard {command}` is working on this project"),
                    _ => "another run is working on this project".to_owned(),
                };
                let diagnostic = Diagnostic::error("files/project-locked", title);
                let diagnostic = if holder.pid == 0 {
                    diagnostic.note("its process has not said who it is")
                } else {
                    let mut note = format!("held by process {} on {}", holder.pid, holder.host);
                    if !holder.run.is_empty() {
                        note.push_str(&format!(", run {}", holder.run));
                    }
                    if !holder.command.is_empty() {
                        note.push_str(&format!(": {}", holder.command));
                    }
                    diagnostic.note(note)
                };
                diagnostic.help("wait until it ends, or stop it, and repeat the command")
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, path, cause, source } => {
                write!(f, "cannot {} {}: ", operation.verb(), path.display())?;
                match cause.words() {
                    Some(words) => f.write_str(words),
                    None => write!(f, "{source}"),
                }
            }
            Self::Damaged { digest, .. } => write!(f, "the stored object {} is damaged", digest.short()),
            Self::Absent { digest, .. } => write!(f, "the stored object {} is not there", digest.short()),
            Self::Held(holder) if holder.pid == 0 => f.write_str("another process holds the project's lock"),
            Self::Held(holder) => {
                write!(f, "process {} on {} holds the project's lock", holder.pid, holder.host)
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        error.diagnostic()
    }
}
