//! A project with versioned data: its root, its settings, and everything that its files describe.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use trainyard_diagnostics::Diagnostic;
use trainyard_files::{FileLock, Io, Kind as FileKind, Operation, create_folder, write_atomic};

use crate::cache::Cache;
use crate::config::{Config, Link};
use crate::dvc_file::{DvcFile, Output, read_lock};
use crate::git::Git;
use crate::ignore::Ignore;
use crate::{Error, Errors};

/// What DVC writes into a new `.dvcignore`.
const DVCIGNORE: &str = "# Add patterns of files dvc should ignore, which could improve
# the performance. Learn more at
# https://dvc.org/doc/user-guide/dvcignore
";
const GITIGNORE: &str = "/config.local\n/tmp\n/cache\n";
const NO_SCM: &str = "[core]\n    no_scm = True\n";

/// Says where DVC's settings lie that are not the project's own.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The files of the system and of the user, the weakest first; those that are absent say nothing.
    pub files: Vec<PathBuf>,
    /// The user's folder.
    pub home: Option<PathBuf>,
}

/// Is a project with versioned data.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) root: PathBuf,
    pub(crate) config: Config,
    pub(crate) cache: Cache,
    pub(crate) git: Option<Git>,
}

/// Holds what all files of a project describe.
#[derive(Debug, Default)]
pub struct Described {
    /// The outputs, in the order of the files that describe them.
    pub outputs: Vec<Output>,
    pub(crate) files: BTreeMap<String, DvcFile>,
    /// What could not be read.
    pub errors: Errors,
}

impl Repository {
    /// Finds the project that holds a folder: the nearest `.dvc` in it or above.
    pub fn open(io: Arc<dyn Io>, folder: &Path, settings: &Settings) -> Result<Self, Error> {
        let folder = whole(folder)?;
        let is_root = |folder: &&Path| io.metadata(&folder.join(".dvc")).is_ok_and(|found| found.is_dir);
        let root = folder.ancestors().find(is_root).ok_or(Error::NoRepository)?.to_path_buf();
        Self::at(io, root, settings)
    }

    /// Does so; where there is none, it is the folder itself, and begins with the first data that is added.
    pub fn open_or_new(io: Arc<dyn Io>, folder: &Path, settings: &Settings) -> Result<Self, Error> {
        match Self::open(io.clone(), folder, settings) {
            Err(Error::NoRepository) => Self::at(io, whole(folder)?, settings),
            found => found,
        }
    }

    /// Makes what `dvc init` makes, where that is not there yet; in a folder without Git what `dvc init --no-scm`
    /// makes.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        let config = self.root.join(".dvc/config");
        if self.io.exists(&config) {
            return Ok(());
        }
        create_folder(&*self.io, &self.root.join(".dvc/tmp"))?;
        let ignore = self.root.join(".dvcignore");
        if !self.io.exists(&ignore) {
            write_atomic(&*self.io, &ignore, DVCIGNORE.as_bytes())?;
        }
        if self.git.is_some() {
            write_atomic(&*self.io, &self.root.join(".dvc/.gitignore"), GITIGNORE.as_bytes())?;
        }
        // The last of the files says that the others are there.
        let text = if self.git.is_some() { "" } else { NO_SCM };
        Ok(write_atomic(&*self.io, &config, text.as_bytes())?)
    }

    /// Says whether nothing was versioned here yet.
    pub fn is_new(&self) -> bool {
        !self.io.exists(&self.root.join(".dvc/config"))
    }

    /// Says whether Git is asked, and kept from taking the data.
    pub fn is_in_git(&self) -> bool {
        self.git.is_some()
    }

    /// Tells that Git holds the project and no program `git` is there to ask, where that is so: data is versioned all
    /// the same.
    pub fn without_git(&self) -> Option<Diagnostic> {
        self.git.as_ref().filter(|git| !git.can_answer())?;
        let title = "the project lies in a Git repository, and there is no program git on this machine";
        Some(
            Diagnostic::warning("versioned/without-git", title)
                .note("data is versioned and kept out of Git by .gitignore; no commit is recorded, nothing is staged")
                .note("whether Git has some of it already can't be seen from here")
                .help("install git; or commit the .dvc files and .gitignore from where it is"),
        )
    }

    fn at(io: Arc<dyn Io>, root: PathBuf, settings: &Settings) -> Result<Self, Error> {
        let mut config = Config::default();
        let own = [root.join(".dvc/config"), root.join(".dvc/config.local")];
        for path in settings.files.iter().chain(&own) {
            match io.read(path) {
                Ok(bytes) => {
                    let shown = path.strip_prefix(&root).unwrap_or(path).display().to_string();
                    config.read(path, shown, &String::from_utf8_lossy(&bytes), settings.home.as_deref())?;
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err(trainyard_files::Error::io(Operation::Read, path, error).into()),
            }
        }
        let folder = config.cache.clone().unwrap_or_else(|| root.join(".dvc/cache"));
        let cache = Cache::new(io.clone(), folder, config.is_shared);
        let git = if config.no_scm { None } else { Git::find(&root) };
        Ok(Self { io, root, config, cache, git })
    }

    /// Takes another way for files to come out of the cache than the settings say; copies where that fails.
    #[must_use]
    pub fn with_link(mut self, link: Link) -> Self {
        self.config.links = vec![link, Link::Copy];
        self
    }

    /// Returns the project's root, an absolute path without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns DVC's settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Returns where a path below the root lies.
    pub fn place(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// Says whether the cache lies outside of the project, where others may use it.
    pub fn shares_cache(&self) -> bool {
        !self.cache.folder().starts_with(&self.root)
    }

    /// Returns a path as the project's files name it: below the root, with `/` between its parts; empty for the root.
    ///
    /// Nothing needs to lie there, but for the folder above it. A relative path starts from the current folder.
    pub fn below(&self, path: &Path) -> Result<String, Error> {
        let shown = || shown(path);
        let here = std::env::current_dir()
            .map_err(|error| Error::from(trainyard_files::Error::io(Operation::Open, Path::new("."), error)))?;
        let path = normal(&here.join(path));
        // What lies at the path may be a link; those above it are followed.
        let found = match (path.parent(), path.file_name()) {
            _ if path == self.root => path.clone(),
            (Some(folder), Some(name)) => {
                let found = folder.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
                match found {
                    Some((above, found)) => {
                        found.join(folder.strip_prefix(above).unwrap_or_else(|_| Path::new(""))).join(name)
                    }
                    None => path.clone(),
                }
            }
            _ => path.canonicalize().unwrap_or_else(|_| path.clone()),
        };
        let below = found.strip_prefix(&self.root);
        let below = below.map_err(|_| Error::Outside { path: shown() })?;
        let parts: Option<Vec<&str>> = below.iter().map(OsStr::to_str).collect();
        Ok(parts.ok_or_else(|| Error::Name { path: shown() })?.join("/"))
    }

    /// Keeps other processes, those of DVC included, from changing the versioned data until the lock is dropped.
    pub fn lock(&self) -> Result<FileLock, Error> {
        let folder = self.root.join(".dvc/tmp");
        create_folder(&*self.io, &folder)?;
        FileLock::take(&folder.join("lock"))?.map_err(|holder| Error::Locked { holder })
    }

    /// Reads every file of the workspace that describes versioned data.
    pub fn described(&self) -> Described {
        let mut described = Described::default();
        let mut ignore = Patterns::default();
        ignore.data.add("", DEFAULTS);
        self.describe("", &mut ignore, &mut described);
        described
    }

    fn describe(&self, folder: &str, patterns: &mut Patterns, described: &mut Described) {
        let place = self.place(folder);
        let mut entries = match self.io.entries(&place) {
            Ok(entries) => entries,
            // What may not be looked into describes nothing that could be used.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return,
            Err(error) => {
                described.errors.push(trainyard_files::Error::io(Operation::List, &place, error).into());
                return;
            }
        };
        entries.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let entries: Vec<(&str, FileKind)> =
            entries.iter().filter_map(|(name, kind)| Some((name.to_str()?, *kind))).collect();
        let has = |wanted: &str| entries.iter().any(|(name, _)| *name == wanted);
        if !folder.is_empty() && has(".dvc") {
            // Another project, which looks after itself.
            return;
        }
        for (name, patterns) in [(".dvcignore", &mut patterns.data), (".gitignore", &mut patterns.git)] {
            if has(name)
                && let Ok(text) = self.io.read(&place.join(name))
            {
                patterns.add(folder, &String::from_utf8_lossy(&text));
            }
        }
        for (name, kind) in &entries {
            let path = joined(folder, name);
            let is_described = *kind != FileKind::Folder && crate::git::describes(name);
            if is_described && !patterns.data.leaves_out(&path, false) {
                self.read_described(&path, described);
            }
        }
        for (name, _) in entries.iter().filter(|(_, kind)| *kind == FileKind::Folder) {
            let path = joined(folder, name);
            let is_data = described.outputs.iter().any(|output| output.path == path);
            // As with DVC, what Git would ignore counts where Git is asked at all.
            let is_ignored = self.git.is_some() && patterns.git.leaves_out(&path, true);
            let is_left_out = patterns.data.leaves_out(&path, true) || is_ignored;
            if !is_data && !is_left_out && *name != ".trainyard" {
                self.describe(&path, patterns, described);
            }
        }
    }

    fn read_described(&self, path: &str, described: &mut Described) {
        let place = self.place(path);
        let bytes = match self.io.read(&place) {
            Ok(bytes) => bytes,
            Err(error) => {
                described.errors.push(trainyard_files::Error::io(Operation::Read, &place, error).into());
                return;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        match read_any(path, &text) {
            Ok((outputs, file)) => {
                described.outputs.extend(outputs);
                described.files.extend(file.map(|file| (path.to_owned(), file)));
            }
            Err(errors) => described.errors.extend(errors),
        }
    }

    /// Returns the patterns that hold for what lies at a path: those of every `.dvcignore` above it.
    pub(crate) fn ignore(&self, path: &str) -> Ignore {
        let mut ignore = Ignore::default();
        ignore.add("", DEFAULTS);
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        for folder in [""].into_iter().chain(above) {
            if let Ok(text) = self.io.read(&self.place(folder).join(".dvcignore")) {
                ignore.add(folder, &String::from_utf8_lossy(&text));
            }
        }
        ignore
    }
}

/// What DVC leaves out of itself.
const DEFAULTS: &str = ".hg/\n.git/\n.git\n.dvc/";

#[derive(Default)]
struct Patterns {
    data: Ignore,
    git: Ignore,
}

/// Reads a file that describes versioned data, of either kind.
pub(crate) fn read_any(path: &str, text: &str) -> Result<(Vec<Output>, Option<DvcFile>), Errors> {
    if path.ends_with(".dvc") {
        let file = DvcFile::read(path, text)?;
        Ok((file.outputs.clone(), Some(file)))
    } else {
        Ok((read_lock(path, text)?, None))
    }
}

/// Joins a name to a folder below the root.
pub(crate) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Shows a path; what is no UTF-8 or moves the cursor, escaped.
pub(crate) fn shown(path: &Path) -> String {
    match path.to_str().filter(|text| !text.chars().any(char::is_control)) {
        Some(text) => text.to_owned(),
        None => format!("{path:?}"),
    }
}

/// Takes `.` and `..` out of an absolute path, without looking at the disk.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

fn whole(folder: &Path) -> Result<PathBuf, Error> {
    folder.canonicalize().map_err(|error| trainyard_files::Error::io(Operation::Open, folder, error).into())
}
