//! Where engines lie.

use std::io::Read;
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

impl Library {
    /// Refuses what this machine cannot load, as far as its first bytes tell, and a version that is not known to work.
    ///
    /// # Errors
    /// [`Error::NotALibrary`] and [`Error::Version`].
    pub(crate) fn refuse_unfit(&self) -> Result<(), Error> {
        let mut head = Vec::new();
        let read = std::fs::File::open(&self.path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
        let what = match read {
            Ok(_) => misfit(&head),
            Err(error) => Some(format!("cannot be read: {error}")),
        };
        match what {
            Some(what) => Err(Error::NotALibrary { engine: self.engine, path: self.path.clone(), what }),
            None => self.refuse_version(),
        }
    }

    /// Refuses a version that is not known to work; one that is not told is tried.
    ///
    /// # Errors
    /// [`Error::Version`].
    pub(crate) fn refuse_version(&self) -> Result<(), Error> {
        let Some(found) = &self.version else { return Ok(()) };
        let mut numbers = found.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let [from, before] = self.engine.tested();
        if from <= version && version < before {
            return Ok(());
        }
        Err(Error::Version { engine: self.engine, path: self.path.clone(), found: found.clone() })
    }
}

/// The bytes of an ELF file up to the machine that it is for.
const HEAD: u64 = 20;

/// The machines by their number in an ELF file, and as Rust calls them.
const MACHINES: [(u16, &str); 5] = [(3, "x86"), (40, "arm"), (62, "x86_64"), (183, "aarch64"), (243, "riscv64")];

/// Says why a file that begins so is no shared object for this machine; nothing where it may be one.
fn misfit(head: &[u8]) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let (Some(b"\x7fELF"), Some(kind), Some(machine)) = (head.get(..4), head.get(16..18), head.get(18..20)) else {
        return Some("is no shared object".to_owned());
    };
    // The sixth byte tells the order of those that follow.
    let number = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1]];
        if head[5] == 2 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    };
    if number(kind) != 3 {
        return Some("is no shared object".to_owned());
    }
    let machine = number(machine);
    let name = MACHINES.iter().find(|(known, _)| *known == machine).map(|(_, name)| *name);
    if name == Some(std::env::consts::ARCH) {
        return None;
    }
    let name = name.map_or_else(|| format!("machine {machine}"), str::to_owned);
    Some(format!("is built for {name}, and this machine is {}", std::env::consts::ARCH))
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

#[cfg(test)]
mod tests {
    use super::misfit;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_first_bytes_tell_what_a_file_is_for() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        // A program that may lie anywhere is a shared object by its kind.
        assert_eq!(misfit(&own[..20]), None);
        let mut other = own[..20].to_vec();
        other[18..].copy_from_slice(&if cfg!(target_arch = "x86_64") { [183, 0] } else { [62, 0] });
        assert!(misfit(&other).unwrap().starts_with("is built for "), "{other:?}");
        other[18..].copy_from_slice(&[1, 9]);
        assert!(misfit(&other).unwrap().starts_with("is built for machine 2305, and"), "{other:?}");
        for no_library in [&b"#!/bin/sh\n"[..], b"", b"\x7fELF", b"PK\x03\x04 and a wheel behind that"] {
            assert_eq!(misfit(no_library).as_deref(), Some("is no shared object"));
        }
    }
}
