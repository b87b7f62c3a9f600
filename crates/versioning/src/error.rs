//! What can go wrong with versioned data.

use std::fmt;

use trainyard_diagnostics::{Diagnostic, Place, nearest};

use crate::md5::ObjectId;
use crate::tree::BadTree;

/// Says what went wrong. Paths are those below the project's root.
#[derive(Debug)]
pub enum Error {
    /// A file could not be read or written.
    Files(trainyard_files::Error),
    /// There is no `.dvc` folder here or above.
    NoRepository,
    /// A path does not lie in the project.
    Outside {
        /// The path as given.
        path: String,
    },
    /// Nothing lies at a path.
    NotFound {
        /// The path.
        path: String,
    },
    /// A path is no data: the project itself, or one of the files that describe it.
    NotData {
        /// The path.
        path: String,
    },
    /// A name is not UTF-8, or holds control characters where DVC's files can't.
    Name {
        /// The path, with what can't be shown escaped.
        path: String,
    },
    /// A device, a pipe or a socket.
    Special {
        /// The path.
        path: String,
    },
    /// A symbolic link points at nothing, or in a circle.
    BrokenLink {
        /// The path.
        path: String,
    },
    /// A folder above the path is a symbolic link.
    LinkedFolder {
        /// The path.
        path: String,
        /// The link.
        link: String,
    },
    /// A path lies in versioned data, or holds some.
    Overlap {
        /// The path.
        path: String,
        /// What is versioned.
        with: String,
        /// The file that describes it.
        file: String,
    },
    /// Git has a path, which DVC would have to ignore.
    InGit {
        /// The path.
        path: String,
    },
    /// A path, or the file that would describe it, is ignored.
    Ignored {
        /// The path.
        path: String,
        /// The kind of file whose patterns say so.
        by: &'static str,
    },
    /// A folder to version holds a `.dvcignore`.
    IgnoreInside {
        /// The file.
        path: String,
    },
    /// A file changed while it was read.
    Changed {
        /// The path.
        path: String,
    },
    /// A `.dvc` file has markers of a conflict.
    Conflict {
        /// Where.
        place: Place,
    },
    /// A file of DVC's can't be read.
    Syntax {
        /// Where.
        place: Place,
        /// Why.
        why: String,
    },
    /// A file of DVC's has a key that DVC does not know.
    UnknownKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What there is.
        known: &'static [&'static str],
    },
    /// Data was versioned by DVC 2, whose digests are others.
    Dvc2 {
        /// Where.
        place: Place,
        /// The data.
        path: String,
    },
    /// Data is not described in a way that this crate serves.
    NotOurs {
        /// The data.
        path: String,
        /// The file that describes it.
        file: String,
        /// What it is.
        why: &'static str,
    },
    /// A value of DVC's settings can't be used.
    Config {
        /// Where.
        place: Place,
        /// What is wrong with it.
        why: String,
    },
    /// A `.dir` object can't be used.
    Tree {
        /// The object.
        id: ObjectId,
        /// Its file, below the cache's folder.
        file: String,
        /// Why.
        why: BadTree,
    },
    /// Objects are not in the cache.
    Missing {
        /// The data that they are of.
        path: String,
        /// One of them.
        id: ObjectId,
        /// How many.
        count: usize,
    },
    /// What lies in the workspace is in no version and would be lost.
    Unsaved {
        /// The data.
        path: String,
        /// Some of the files.
        files: Vec<String>,
        /// How many.
        count: usize,
    },
    /// No versioned data of this name.
    NotVersioned {
        /// The path.
        path: String,
        /// What is versioned.
        known: Vec<String>,
    },
    /// No kind of link in `cache.type` can be made.
    NoLink {
        /// The file to make.
        path: String,
        /// The last refusal.
        source: std::io::Error,
    },
    /// The program `git` can't be run, or refuses.
    Git {
        /// What it was asked for.
        command: String,
        /// What it said.
        said: String,
    },
    /// Git knows no such revision.
    Revision {
        /// The revision.
        revision: String,
    },
    /// Another process works on the data.
    Locked {
        /// What that process says of itself.
        holder: String,
    },
    /// A remote, or an object on its way, is not as it should be.
    Remote(Box<crate::remote::Problem>),
    /// The cache lies outside of the project: others may use it.
    SharedCache {
        /// Its folder.
        folder: String,
    },
}

impl Error {
    /// Draws the error for a user.
    pub fn diagnostic(&self) -> Diagnostic {
        let title = self.to_string();
        match self {
            Self::Files(error) => error.diagnostic(),
            Self::Remote(problem) => problem.diagnostic(),
            Self::NoRepository => {
                Diagnostic::error("versioned/no-repository", title).help("`trainyard data add PATH` begins with it")
            }
            Self::Outside { .. } => Diagnostic::error("versioned/outside", title)
                .note("a .dvc file lies beside its data, and both in the project")
                .help("move or copy the data into the project"),
            Self::NotFound { .. } => Diagnostic::error("versioned/not-found", title)
                .help("check the path, and the folder that it starts from"),
            Self::NotData { .. } => {
                Diagnostic::error("versioned/not-data", title).help("name the files or the folder that hold the data")
            }
            Self::Name { .. } => Diagnostic::error("versioned/name", title)
                .note("the files of DVC hold names as UTF-8, without control characters in that of the data itself")
                .help("rename it"),
            Self::Special { .. } => Diagnostic::error("versioned/special-file", title).help("move it elsewhere"),
            Self::BrokenLink { .. } => {
                Diagnostic::error("versioned/broken-link", title).help("mend the link, or remove it")
            }
            Self::LinkedFolder { link, .. } => Diagnostic::error("versioned/linked-folder", title)
                .note(format!("{link} is a symbolic link; to follow it could write outside of the project"))
                .help("put a folder in the place of the link"),
            Self::Overlap { with, file, .. } => {
                Diagnostic::error("versioned/overlap", title).note(format!("{with} is versioned by {file}")).help(
                    format!("`trainyard data add {with}` versions it with all that it holds; or remove {file} first"),
                )
            }
            Self::InGit { path } => Diagnostic::error("versioned/in-git", title)
                .help(format!("`git rm -r --cached {path}` and a commit take it out of Git, and leave it here")),
            Self::Ignored { by, .. } => {
                Diagnostic::error("versioned/ignored", title).help(format!("take the pattern out of {by}"))
            }
            Self::IgnoreInside { .. } => Diagnostic::error("versioned/ignore-inside", title)
                .note("DVC refuses such a folder, too: its contents would depend on who asks")
                .help("move its patterns to the .dvcignore of the project"),
            Self::Changed { .. } => Diagnostic::error("versioned/changed", title)
                .help("wait until nothing writes it any more, and repeat the command"),
            Self::Conflict { place } => Diagnostic::error("versioned/conflict", title)
                .at(place.clone(), "two versions, of which one must go")
                .help("keep the lines of one version and remove the markers; then `trainyard data checkout`"),
            Self::Syntax { place, why } => {
                Diagnostic::error("versioned/syntax", title).at(place.clone(), why).help("restore the file from Git")
            }
            Self::UnknownKey { place, key, known } => {
                let help = match nearest(key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "remove it; what people note of data goes under `meta`".to_owned(),
                };
                Diagnostic::error("versioned/unknown-key", title)
                    .at(place.clone(), "DVC 3 knows no such key")
                    .help(help)
            }
            Self::Dvc2 { place, path } => Diagnostic::error("versioned/old-dvc", title)
                .at(place.clone(), "no `hash: md5` beside it")
                .note("DVC 2 took the digest of text files with other line ends, and kept its cache elsewhere")
                .help(format!(
                    "`trainyard data add {path}` versions it anew; `dvc cache migrate --dvc-files` mends all"
                )),
            Self::NotOurs { file, .. } => Diagnostic::error("versioned/not-ours", title)
                .note(format!("{file} describes it"))
                .help("use `dvc` for it"),
            Self::Config { place, why } => Diagnostic::error("versioned/config", title)
                .at(place.clone(), why)
                .help("correct the line; `dvc config --help` lists what DVC knows"),
            Self::Tree { file, why, .. } => Diagnostic::error("versioned/damaged-list", title)
                .note(format!("{file} in the cache: {why}"))
                .help("remove the object and fetch it again, or version the folder anew"),
            Self::Missing { id, .. } => Diagnostic::error("versioned/missing", title)
                .note(format!("object {id}"))
                .help("`trainyard data pull` brings it where a remote has it"),
            Self::Unsaved { path, files, count } => {
                let shown = files
                    .iter()
                    .fold(Diagnostic::error("versioned/unsaved", title), |problem, file| problem.note(file.clone()));
                let more = count - files.len();
                let shown = if more > 0 { shown.note(format!("and {more} more")) } else { shown };
                shown.help(format!("`trainyard data add {path}` keeps it as a version; --force gives it up"))
            }
            Self::NotVersioned { path, known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                Diagnostic::error("versioned/not-versioned", title).help(trainyard_diagnostics::there_are(
                    "versioned paths",
                    &known,
                    path,
                ))
            }
            Self::NoLink { source, .. } => Diagnostic::error("versioned/no-link", title)
                .note(source.to_string())
                .help("add `copy` to cache.type in .dvc/config"),
            Self::Git { said, .. } => {
                let problem = Diagnostic::error("versioned/git", title);
                let problem = said.lines().fold(problem, |problem, line| problem.note(line));
                problem.help("install git, or repair the repository; without Git, set core.no_scm in .dvc/config")
            }
            Self::Revision { .. } => Diagnostic::error("versioned/revision", title)
                .help("`git log --oneline` lists commits, `git branch -a` and `git tag` their names"),
            Self::Locked { holder } => Diagnostic::error("versioned/locked", title)
                .note(if holder.is_empty() {
                    "it has not said who it is".to_owned()
                } else {
                    format!("process {holder}")
                })
                .help("wait until it ends, or stop it, and repeat the command"),
            Self::SharedCache { folder } => Diagnostic::error("versioned/shared-cache", title)
                .note(format!("the cache is {folder}; what other projects need of it can't be seen from here"))
                .help("repeat the command with --force if no other project uses it"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(error) => error.fmt(f),
            Self::Remote(problem) => problem.fmt(f),
            Self::NoRepository => f.write_str("no data is versioned here"),
            Self::Outside { path } => write!(f, "{path} lies outside of the project"),
            Self::NotFound { path } => write!(f, "there is nothing at {path}"),
            Self::NotData { path } => write!(f, "{path} is no data to version"),
            Self::Name { path } => write!(f, "{path} has a name that DVC's files can't hold"),
            Self::Special { path } => write!(f, "{path} is a device, a pipe or a socket"),
            Self::BrokenLink { path } => write!(f, "the link {path} leads nowhere"),
            Self::LinkedFolder { path, .. } => write!(f, "{path} lies behind a link to a folder"),
            Self::Overlap { path, with, .. } => write!(f, "{path} and the versioned {with} lie in one another"),
            Self::InGit { path } => write!(f, "{path} is in Git already"),
            Self::Ignored { path, by } => write!(f, "{path} is left out by {by}"),
            Self::IgnoreInside { path } => write!(f, "{path} lies in a folder to version"),
            Self::Changed { path } => write!(f, "{path} changed while it was read"),
            Self::Conflict { place } => write!(f, "{} has a conflict", place.source.name),
            Self::Syntax { place, .. } => write!(f, "{} can't be read", place.source.name),
            Self::UnknownKey { key, .. } => write!(f, "unknown key {key}"),
            Self::Dvc2 { path, .. } => write!(f, "{path} was versioned by DVC 2"),
            Self::NotOurs { path, why, .. } => write!(f, "{path} is {why}"),
            Self::Config { .. } => f.write_str("a setting of DVC can't be used"),
            Self::Tree { id, .. } => write!(f, "the list of files {id} is damaged"),
            Self::Missing { path, count: 1, .. } => write!(f, "an object of {path} is not in the cache"),
            Self::Missing { path, count, .. } => write!(f, "{count} objects of {path} are not in the cache"),
            Self::Unsaved { path, count: 1, .. } => write!(f, "a change in {path} is in no version and would be lost"),
            Self::Unsaved { path, count, .. } => {
                write!(f, "{count} changes in {path} are in no version and would be lost")
            }
            Self::NotVersioned { path, .. } => write!(f, "{path} is not versioned"),
            Self::NoLink { path, .. } => {
                write!(f, "{path} can't be made from the cache in any way that cache.type names")
            }
            Self::Git { command, .. } => write!(f, "`git {command}` failed"),
            Self::Revision { revision } => write!(f, "Git knows no revision {revision}"),
            Self::Locked { .. } => f.write_str("another process is working on the versioned data"),
            Self::SharedCache { .. } => f.write_str("the cache does not belong to this project alone"),
        }
    }
}

impl std::error::Error for Error {}

impl From<trainyard_files::Error> for Error {
    fn from(error: trainyard_files::Error) -> Self {
        Self::Files(error)
    }
}

/// Holds everything that was found wrong, in one pass.
pub type Errors = Vec<Error>;

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        vec![error]
    }
}

/// Says why something was not done, and what of it was done all the same.
#[derive(Debug)]
pub struct Failure {
    /// Everything that was found wrong.
    pub errors: Errors,
    /// Whether the cache or the workspace may have been written to before.
    pub has_written: bool,
}

impl Failure {
    /// Fails in the middle of writing.
    pub(crate) fn midway(errors: impl Into<Errors>) -> Self {
        Self { errors: errors.into(), has_written: true }
    }
}

impl From<Errors> for Failure {
    fn from(errors: Errors) -> Self {
        Self { errors, has_written: false }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        vec![error].into()
    }
}
