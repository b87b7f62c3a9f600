//! A project's folder: where its files lie, and how they become a configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trainyard_diagnostics::{Diagnostic, Source};
use trainyard_files::Io;
use trainyard_spec::{Choice, Lock, Resolved, SpecFiles, resolve};

/// The project file.
pub(crate) const PROJECT: &str = "trainyard.yaml";
/// The lock.
pub(crate) const LOCK: &str = "versions/lock.yaml";
/// What Trainyard keeps for itself.
pub(crate) const STATE: &str = ".trainyard";

/// What a command asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The project's folder.
    pub root: PathBuf,
    /// The environment, if one is chosen.
    pub environment: Option<String>,
    /// `--set key=value`.
    pub overrides: Vec<(String, String)>,
    /// Versions chosen by flags.
    pub choose: Choice,
    /// The thread budget, at least 1.
    pub threads: usize,
}

/// Reads all spec files of a project and resolves them.
pub(crate) fn load(io: &dyn Io, request: &Request) -> Result<Resolved, Vec<Diagnostic>> {
    let root = &request.root;
    let Some(project) = text(io, root, PROJECT)? else {
        let title = format!("there is no {PROJECT} in {}", root.display());
        return Err(vec![
            Diagnostic::error("project/absent", title)
                .help("go to a project's folder, name it with --project, or make one: `trainyard init DIR --from CSV --target COLUMN`"),
        ]);
    };
    let mut known_environments = Vec::new();
    for path in io.list(&root.join("environments")).unwrap_or_default() {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            known_environments.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    let environment = match &request.environment {
        Some(name) => {
            let file = format!("environments/{name}.yaml");
            let known = known_environments.contains(name);
            let source = if known { text(io, root, &file)? } else { None };
            Some((name.clone(), source.unwrap_or_else(|| Source::new(file, ""))))
        }
        None => None,
    };
    let files = SpecFiles {
        project,
        environment,
        known_environments,
        overrides: request.overrides.clone(),
        splits: versions(io, root, "versions/splits")?,
        features: versions(io, root, "versions/features")?,
        models: versions(io, root, "versions/models")?,
        lock: text(io, root, LOCK)?,
        choose: request.choose,
    };
    resolve(&files).map_err(|problems| problems.into_vec())
}

/// Reads the lock; a project that has none has an empty one.
pub(crate) fn read_lock(io: &dyn Io, root: &Path) -> Result<Lock, Vec<Diagnostic>> {
    match text(io, root, LOCK)? {
        Some(source) => Lock::parse(&source).map_err(|problems| problems.into_vec()),
        None => Ok(Lock::default()),
    }
}

fn versions(io: &dyn Io, root: &Path, folder: &str) -> Result<BTreeMap<u32, Arc<Source>>, Vec<Diagnostic>> {
    let mut found = BTreeMap::new();
    for path in io.list(&root.join(folder)).unwrap_or_default() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number =
            name.strip_prefix('v').and_then(|rest| rest.strip_suffix(".yaml")).and_then(|text| text.parse().ok());
        if let Some(number) = number
            && let Some(source) = text(io, root, &format!("{folder}/{name}"))?
        {
            found.insert(number, source);
        }
    }
    Ok(found)
}

fn text(io: &dyn Io, root: &Path, name: &str) -> Result<Option<Arc<Source>>, Vec<Diagnostic>> {
    match io.read(&root.join(name)) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Source::new(name, text))),
            Err(error) => Err(vec![
                Diagnostic::error("project/encoding", format!("{name} is not UTF-8"))
                    .note(format!("the first wrong byte is byte {}", error.utf8_error().valid_up_to()))
                    .help("save it as UTF-8"),
            ]),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(vec![Diagnostic::error("project/unreadable", format!("{name} can't be read: {error}"))]),
    }
}
