//! Where engines lie.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trainyard_files::Digest;

use crate::{Engine, Error};

/// The file beside an added engine that holds its digest.
pub(crate) const RECORD: &str = "engine.json";

/// Where to look for engines, in this order: what a variable names, what was added, Python environments.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The shared objects that [`Engine::variable`] names.
    pub named: Vec<(Engine, PathBuf)>,
    /// The folder of added engines.
    pub added: Option<PathBuf>,
    /// The roots of active Python environments.
    pub environments: Vec<PathBuf>,
}

/// A shared object that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Library {
    /// The engine.
    pub engine: Engine,
    /// Its version, where a file beside it states one.
    pub version: Option<String>,
    /// Its path.
    pub path: PathBuf,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// What is kept of an added engine.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: String,
    pub(crate) digest: Digest,
}

impl Places {
    /// Finds an engine.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::NotThere`] where a variable names no file, and [`Error::Altered`] where an added one is
    /// no longer what was added.
    pub fn find(&self, engine: Engine) -> Result<Library, Error> {
        if let Some((_, path)) = self.named.iter().find(|(of, _)| *of == engine) {
            let not_there =
                |error: std::io::Error| Error::NotThere { engine, path: path.clone(), what: error.to_string() };
            let bytes = std::fs::read(path).map_err(not_there)?;
            return Ok(library(engine, path.clone(), &bytes));
        }
        if let Some((folder, path)) = self.added(engine) {
            let altered = || Error::Altered { engine, path: path.clone() };
            let bytes = std::fs::read(&path).map_err(|_| altered())?;
            let record = std::fs::read(folder.join(RECORD)).map_err(|_| altered())?;
            let record: Record = serde_json::from_slice(&record).map_err(|_| altered())?;
            let found = library(engine, path.clone(), &bytes);
            return if found.digest == record.digest { Ok(found) } else { Err(altered()) };
        }
        let in_environments = self.environments.iter().flat_map(|root| packages(root));
        let found = in_environments.map(|packages| in_folder(engine, &packages)).find_map(|path| {
            let bytes = std::fs::read(&path).ok()?;
            Some(library(engine, path, &bytes))
        });
        found.ok_or(Error::Absent { engine })
    }

    /// Gives folder and shared object of the latest version that was added.
    fn added(&self, engine: Engine) -> Option<(PathBuf, PathBuf)> {
        let start = format!("{}-", engine.name());
        let folders = std::fs::read_dir(self.added.as_ref()?).ok()?.flatten();
        let versions = folders.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(&start)?;
            Some((version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u64>>(), entry.path()))
        });
        let (_, folder) = versions.max()?;
        let path = in_folder(engine, &folder);
        Some((folder, path))
    }
}

/// Gives the path of the shared object in a folder of packages.
pub(crate) fn in_folder(engine: Engine, packages: &Path) -> PathBuf {
    packages.join(engine.in_packages().iter().collect::<PathBuf>())
}

pub(crate) fn library(engine: Engine, path: PathBuf, bytes: &[u8]) -> Library {
    let stated = path.parent().and_then(Path::parent).map(|package| package.join(engine.version_file()));
    let version = stated.and_then(|file| std::fs::read_to_string(file).ok());
    let version = version.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Library { engine, version, path, digest: Digest::of(bytes) }
}

/// Gives the folders of packages of a Python environment, in the order of their names.
fn packages(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten();
    let pythons = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python"));
    let mut packages: Vec<PathBuf> = pythons.map(|entry| entry.path().join("site-packages")).collect();
    packages.sort_unstable();
    packages
}
