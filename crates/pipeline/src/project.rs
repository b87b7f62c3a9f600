//! A project's folder: where its files lie, and how they become a configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trainyard_data::Master;
use trainyard_diagnostics::{Diagnostic, Problems, Source, nearest};
use trainyard_engines::Engines;
use trainyard_files::{Error as FileError, Io, Operation, read, write_atomic};
use trainyard_sources::{Error as SourceError, Listing, Runtime};
use trainyard_spec::{
    Choice, DataSpec, FeatureSpec, KeptSchema, Lock, Part, Policy, Resolved, SpecFiles, resolve_beside, sound_parts,
};
use trainyard_versioning::Settings;

use crate::engine::{Failure, start_threads, threads_refused};
use crate::files_query;
use crate::given::fetch_folder;
use crate::stores::FETCH;

/// The project file.
pub(crate) const PROJECT: &str = "trainyard.yaml";
/// The lock.
pub(crate) const LOCK: &str = "versions/lock.yaml";
/// The types that columns were found to have.
pub(crate) const SCHEMA: &str = "versions/schema.yaml";
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
    /// The moment that a new run takes for now, in microseconds since 1970 UTC; that of its begin where none is given.
    pub as_of: Option<i64>,
    /// The thread budget, at least 1.
    pub threads: usize,
    /// The disk.
    pub io: Arc<dyn Io>,
    /// Where external engines are.
    pub engines: Arc<Engines>,
    /// What waits for the servers of sources.
    pub runtime: Arc<Runtime>,
    /// Where DVC's settings lie that are not the project's own.
    pub data_settings: Settings,
}

impl Request {
    /// Does work on threads of its own, as many as the budget allows.
    pub(crate) fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Diagnostic> {
        let threads = start_threads(self.threads);
        Ok(threads.map_err(|error| threads_refused(&error, "and repeat the command"))?.install(work))
    }
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
    let (mut found, schema) =
        match (resolve_beside(&files, &|part, run| used_text(io, root, part, run)), read_schema(io, root)) {
            (Ok(resolved), Ok(schema)) => return Ok(Resolved { schema, ..resolved }),
            (Ok(_), Err(problems)) => return Err(problems),
            (Err(problems), Ok(schema)) => (problems.into_vec(), schema),
            (Err(problems), Err(more)) => return Err(problems.into_iter().chain(more).collect()),
        };
    if let Some((data, features)) = sound_parts(&files) {
        let data = schema.under(&data);
        let problems = request.on_threads(|| table_problems(io, request, &data, &features));
        found.extend(problems.unwrap_or_else(|problem| vec![problem]));
    }
    Err(found)
}

/// Gives a version file's text as a run used it, if the run's record is here.
fn used_text(io: &dyn Io, root: &Path, part: Part, run: &str) -> Option<String> {
    let path = root.join(STATE).join("runs").join(run).join("configuration.json");
    let recorded: serde_json::Value = serde_json::from_slice(&read(io, &path).ok()?).ok()?;
    let section = match part {
        Part::Split => "split",
        Part::Features => "features",
        Part::Model => "model",
    };
    Some(recorded.get(section)?.get("text")?.as_str()?.to_owned())
}

/// Gives where a source lies: relative to the project, or, when `--set` named it, to where that was typed.
pub(crate) fn source_path(root: &Path, overrides: &[(String, String)], source: &str) -> PathBuf {
    typed_path(root, overrides, "data.source", source)
}

/// Gives where a file lies that stands under `key`: relative to the project, or, when `--set` named it, to where that was
/// typed.
pub(crate) fn typed_path(root: &Path, overrides: &[(String, String)], key: &str, file: &str) -> PathBuf {
    let written = Path::new(file);
    let in_project = root.join(written);
    let typed = overrides.iter().any(|(set, _)| set == key);
    if typed && !in_project.exists() && written.exists() { written.to_owned() } else { in_project }
}

/// Points at the source, unless the problem has a better place.
pub(crate) fn about_source(error: &SourceError, data: &DataSpec) -> Diagnostic {
    let problem = error.diagnostic();
    if problem.primary.is_some() { problem } else { data.source.origin.point(problem, "this is the source") }
}

/// Fetches the objects that the source names into a folder of their own, which is gone when they are read; gives the table
/// with what the objects were. `watch` is told how many bytes of all are there, and says whether to go on.
pub(crate) fn fetch_master(
    io: &dyn Io,
    root: &Path,
    runtime: &Runtime,
    data: &DataSpec,
    listing: Listing,
    watch: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(Master, Listing), SourceError> {
    let state = root.join(STATE);
    let is_new = !io.exists(&state);
    let scratch = fetch_folder(&state, FETCH);
    let failed = |error| SourceError::File(Box::new(FileError::io(Operation::Create, &scratch.0, error).diagnostic()));
    let fetched = io.create_dir_all(&scratch.0).map_err(failed).and_then(|()| {
        let (table, listing) = trainyard_sources::fetch(runtime, io, &scratch.0, data, listing, watch)?;
        Ok((Master::of(table, data).map_err(SourceError::Data)?, listing))
    });
    drop(scratch);
    if is_new {
        // A command that only looks leaves a project as it was; a folder with anything in it stays.
        let _ = std::fs::remove_dir(&state);
    }
    fetched
}

/// Gives the recorded configuration of a run what lets somebody in, which no record holds, from the project as it is now;
/// nothing where that has another source.
pub(crate) fn complete(mut recorded: Resolved, request: &Request) -> Resolved {
    let source = &mut recorded.project.data.source;
    // Stars are all that is left of it.
    if source.value.contains("=*")
        && let Ok(now) = load(&*request.io, request)
    {
        source.complete(&now.project.data.source);
    }
    recorded
}

/// Reads the master data, wherever it is.
pub(crate) fn read_master(
    io: &dyn Io,
    root: &Path,
    runtime: &Runtime,
    overrides: &[(String, String)],
    data: &DataSpec,
) -> Result<Master, Diagnostic> {
    let read = if data.source.sql.is_some() {
        let pointed = |problem: Diagnostic| match problem.primary {
            Some(_) => problem,
            None => data.source.origin.point(problem, "this is the source"),
        };
        let table = files_query::read(io, root, overrides, data).map_err(pointed)?;
        let table = trainyard_sources::by_key(table, data.key.as_ref().map(|key| key.value.as_str()));
        Master::of(table.map_err(|error| error.diagnostic())?, data)
    } else if trainyard_sources::is_database(data) {
        let table = trainyard_sources::read(io, root, runtime, data).map_err(|error| about_source(&error, data))?;
        Master::of(table, data)
    } else if trainyard_sources::is_object(data) {
        let fetched = trainyard_sources::look(runtime, data)
            .and_then(|listing| fetch_master(io, root, runtime, data, listing, &mut |_, _| true));
        return fetched.map(|(master, _)| master).map_err(|error| about_source(&error, data));
    } else {
        Master::read(io, &source_path(root, overrides, &data.source.value), data)
    };
    read.map_err(|error| error.diagnostic())
}

/// Holds sound parts of a configuration that is wrong elsewhere against the table, so that all problems show at once.
fn table_problems(io: &dyn Io, request: &Request, data: &DataSpec, features: &FeatureSpec) -> Vec<Diagnostic> {
    let table = match read_master(io, &request.root, &request.runtime, &request.overrides, data) {
        Ok(master) => master.table,
        Err(problem) => return vec![problem],
    };
    let mut found = Vec::new();
    if let Err(errors) = trainyard_data::check(&table, data) {
        found.extend(errors.iter().map(trainyard_data::Error::diagnostic));
    }
    if let Err(problems) = trainyard_features::plan(features, &table.schema(), data) {
        found.extend(problems.into_vec());
    }
    found
}

/// Reads gates and rules of promotion from a file that is named as it was typed, with `--set` laid over them.
pub fn read_policy(request: &Request, file: &Path) -> Result<Policy, Vec<Diagnostic>> {
    let shown = file.display().to_string();
    if let Some(source) = text(&*request.io, Path::new(""), &shown)? {
        return Policy::parse(&source, &request.overrides).map_err(Problems::into_vec);
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = request.io.list(folder).unwrap_or_default();
    let names: Vec<String> =
        beside.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let asked = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let near = nearest(&asked, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    let absent = request.io.read(file).err().unwrap_or_else(|| std::io::ErrorKind::NotFound.into());
    let mut problem = FileError::io(Operation::Open, file, absent).diagnostic();
    problem.help.splice(0..0, near);
    Err(vec![problem])
}

/// Reads the kept schema; a project that has none has an empty one.
pub(crate) fn read_schema(io: &dyn Io, root: &Path) -> Result<KeptSchema, Vec<Diagnostic>> {
    match text(io, root, SCHEMA)? {
        Some(source) => KeptSchema::parse(&source).map_err(|problems| problems.into_vec()),
        None => Ok(KeptSchema::default()),
    }
}

/// Reads the lock; a project that has none has an empty one.
pub(crate) fn read_lock(io: &dyn Io, root: &Path) -> Result<Lock, Vec<Diagnostic>> {
    match text(io, root, LOCK)? {
        Some(source) => Lock::parse(&source).map_err(|problems| problems.into_vec()),
        None => Ok(Lock::default()),
    }
}

/// Changes the lock file, when there is something to change.
pub(crate) fn change_lock(io: &dyn Io, root: &Path, change: impl FnOnce(&mut Lock)) -> Result<(), Failure> {
    let mut lock = read_lock(io, root).map_err(Failure::Problems)?;
    let before = lock.clone();
    change(&mut lock);
    if lock == before {
        return Ok(());
    }
    write_atomic(io, &root.join(LOCK), lock.to_yaml().as_bytes()).map_err(|error| error.diagnostic().into())
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
        Err(error) => Err(vec![
            Diagnostic::error("project/unreadable", format!("{name} can't be read: {error}"))
                .help("give this user the right to read it; move away a folder of that name"),
        ]),
    }
}
