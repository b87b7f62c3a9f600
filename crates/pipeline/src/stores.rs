//! What a project keeps for itself: objects, cache, runs, tracking, the lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{
    Digester, Error as FileError, Holder, Io, ObjectStore, Operation, ProjectLock, abandoned_temporaries,
    create_folder, host_name, sweep_temporaries,
};
use trainyard_sources::Runtime;
use trainyard_spec::Resolved;
use trainyard_tracking::{EmbeddedStore, MlflowServer, MlflowStore, Tracking};

use crate::engine::{Cache, Entry, Journal, journal_problem};
use crate::project::{Request, STATE};
use crate::session::Failure;
use crate::steps::{Context, Mode, STUDIES};

/// The stores of a project.
pub(crate) struct Stores {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) root: PathBuf,
    pub(crate) objects: Arc<ObjectStore>,
    pub(crate) tracking: Arc<EmbeddedStore>,
    cache: Cache,
    /// The tracking servers that are named, each with what is known of it.
    servers: Arc<Mutex<BTreeMap<String, Arc<MlflowServer>>>>,
}

/// How long what nobody misses may lie about; looking for it costs a look into every run's folder.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a search that has not ended waits for the run that goes on with it.
const LONG_AGO: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What the name of a scratch folder of `verify` begins with; the process's id and the time follow.
pub(crate) const VERIFY: &str = "verify-";

/// What the name of a folder begins with that objects are fetched into; the process's id and the time follow.
pub(crate) const FETCH: &str = "fetch-";

/// Removes a scratch folder however the command ends.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch folder that stays behind costs space only; the next command uses another.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Lists the scratch folders in `parent` whose names begin with one of `prefixes` and whose processes are gone.
pub(crate) fn abandoned(io: &dyn Io, parent: &Path, prefixes: &[&str]) -> Vec<PathBuf> {
    let mut scratches = io.list(parent).unwrap_or_default();
    scratches.retain(|scratch| {
        let name = scratch.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rest = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
        let pid = rest.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        pid.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists())
    });
    scratches
}

impl Stores {
    /// Opens what is there; writes nothing into the project.
    pub(crate) fn look(io: &Arc<dyn Io>, root: &Path) -> Result<Stores, Vec<Diagnostic>> {
        let io = Arc::clone(io);
        let state = root.join(STATE);
        let objects = Arc::new(ObjectStore::open(Arc::clone(&io), state.join("objects")));
        let tracking = EmbeddedStore::look(&state.join("tracking"), Arc::clone(&objects));
        Stores::of(&io, root, objects, tracking)
    }

    /// Opens what is there but for runs and models, of which there are none then; writes nothing into the project.
    pub(crate) fn look_without_tracking(io: &Arc<dyn Io>, root: &Path) -> Result<Stores, Vec<Diagnostic>> {
        let state = root.join(STATE);
        let objects = Arc::new(ObjectStore::open(Arc::clone(io), state.join("objects")));
        // There is no store of this name, which is one without runs.
        let tracking = EmbeddedStore::look(&state.join("no-tracking"), Arc::clone(&objects));
        Stores::of(io, root, objects, tracking)
    }

    /// Removes what writers that died left half-written: after a crash, and else once a day. Only who holds the project's
    /// lock may ask for it.
    pub(crate) fn sweep(&self) {
        let marker = self.sweep_marker();
        let swept = self.io.metadata(&marker).ok().and_then(|metadata| metadata.modified);
        let is_recent = |swept| SystemTime::now().duration_since(swept).is_ok_and(|age| age < BETWEEN_SWEEPS);
        if swept.is_some_and(is_recent) {
            return;
        }
        let _ = self.io.remove_file(&marker);
        let _ = self.io.create(&marker);
        // A leftover costs space only: where it can't be removed, the run goes on.
        for search in self.old_searches() {
            let _ = self.io.remove_file(&search);
        }
        for folder in self.written_folders() {
            let _ = sweep_temporaries(&*self.io, &folder);
        }
        let _ = self.objects.sweep();
        for scratch in self.abandoned_scratches() {
            let _ = self.io.remove_dir_all(&scratch);
        }
    }

    /// Lists what [`Stores::sweep`] would remove, but for what is in the object store.
    pub(crate) fn abandoned(&self) -> Vec<PathBuf> {
        let folders = self.written_folders().into_iter();
        let files = folders.flat_map(|folder| abandoned_temporaries(&*self.io, &folder).unwrap_or_default());
        files.chain(self.abandoned_scratches()).collect()
    }

    /// Lists searches to which nobody added anything for a month.
    fn old_searches(&self) -> Vec<PathBuf> {
        let mut searches = self.io.list(&self.state().join(STUDIES)).unwrap_or_default();
        searches.retain(|search| {
            let modified = self.io.metadata(search).ok().and_then(|metadata| metadata.modified);
            modified.and_then(|then| SystemTime::now().duration_since(then).ok()).is_some_and(|age| age > LONG_AGO)
        });
        searches
    }

    /// Lists the folders of single files that runs write.
    fn written_folders(&self) -> Vec<PathBuf> {
        let splits = self.root.join("data/splits");
        let mut folders = vec![self.state(), self.state().join("reports"), self.root.join("versions")];
        folders.extend(self.io.list(&splits).unwrap_or_default().into_iter().map(|split| split.join("optional_tests")));
        for parent in
            [self.state().join("cache"), self.state().join("runs"), splits, self.root.join("data/reference/tests")]
        {
            folders.extend(self.io.list(&parent).unwrap_or_default());
        }
        folders
    }

    /// Lists the scratch folders whose processes are gone.
    fn abandoned_scratches(&self) -> Vec<PathBuf> {
        abandoned(&*self.io, &self.state(), &[VERIFY, FETCH])
    }

    /// Opens the stores for writing.
    pub(crate) fn open(io: &Arc<dyn Io>, root: &Path) -> Result<Stores, Vec<Diagnostic>> {
        let objects = ObjectStore::open(Arc::clone(io), root.join(STATE).join("objects"));
        Stores::writing(io, root, Arc::new(objects))
    }

    /// Opens for writing what was only looked at; the objects that were found whole need not be read again.
    pub(crate) fn opened(self) -> Result<Stores, Vec<Diagnostic>> {
        if self.tracking.allow_writing().map_err(|error| vec![error.diagnostic()])? {
            return Ok(self);
        }
        let stores = Stores::writing(&self.io, &self.root, Arc::clone(&self.objects))?;
        Ok(Stores { servers: self.servers, ..stores })
    }

    fn writing(io: &Arc<dyn Io>, root: &Path, objects: Arc<ObjectStore>) -> Result<Stores, Vec<Diagnostic>> {
        let tracking = EmbeddedStore::open(&root.join(STATE).join("tracking"), Arc::clone(&objects));
        Stores::of(io, root, objects, tracking)
    }

    fn of(
        io: &Arc<dyn Io>,
        root: &Path,
        objects: Arc<ObjectStore>,
        tracking: Result<EmbeddedStore, trainyard_tracking::Error>,
    ) -> Result<Stores, Vec<Diagnostic>> {
        let tracking = tracking.map_err(|error| vec![error.diagnostic()])?;
        let cache = Cache::new(Arc::clone(io), root.join(STATE).join("cache"), Arc::clone(&objects));
        Ok(Stores {
            io: Arc::clone(io),
            root: root.to_owned(),
            objects,
            tracking: Arc::new(tracking),
            cache,
            servers: Arc::default(),
        })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join(STATE)
    }

    pub(crate) fn cache(&self) -> Cache {
        self.cache.clone()
    }

    pub(crate) fn run_folder(&self, run: &str) -> PathBuf {
        self.runs_folder().join(run)
    }

    fn runs_folder(&self) -> PathBuf {
        self.state().join("runs")
    }

    fn make_runs_folder(&self) -> Result<(), Failure> {
        create_folder(&*self.io, &self.runs_folder()).map_err(|error| error.diagnostic().into())
    }

    /// Makes a run's folder; whoever puts the first file into it forces its name to the disk. The project is locked.
    pub(crate) fn make_run_folder(&self, run: &str) -> Result<(), Failure> {
        if !self.io.exists(&self.runs_folder()) {
            self.make_runs_folder()?;
        }
        let folder = self.run_folder(run);
        let failed = |error| FileError::io(Operation::Create, &folder, error).diagnostic().into();
        self.io.create_dir_all(&folder).map_err(failed)
    }

    pub(crate) fn journal(&self, run: &str) -> Journal {
        Journal::open(Arc::clone(&self.io), self.journal_path(run))
    }

    pub(crate) fn configuration_path(&self, run: &str) -> PathBuf {
        self.run_folder(run).join("configuration.json")
    }

    pub(crate) fn journal_path(&self, run: &str) -> PathBuf {
        self.run_folder(run).join("journal.jsonl")
    }

    pub(crate) fn entries(&self, run: &str) -> Result<Vec<Entry>, Vec<Diagnostic>> {
        Journal::read(&*self.io, &self.journal_path(run)).map_err(|error| vec![journal_problem(&error)])
    }

    pub(crate) fn context(&self, resolved: Resolved, run: &str, mode: Mode, request: &Request) -> Arc<Context> {
        self.context_in(self.root.clone(), resolved, run, mode, request)
    }

    /// Gives the context of a run that takes another folder for its project's: a replay has one of its own.
    pub(crate) fn context_in(
        &self,
        root: PathBuf,
        resolved: Resolved,
        run: &str,
        mode: Mode,
        request: &Request,
    ) -> Arc<Context> {
        let tracking = match mode {
            Mode::Live => self.tracking_of(&resolved, &request.runtime),
            // A replay decides by what the run recorded, and tells nobody.
            Mode::Replay { .. } => Arc::clone(&self.tracking) as Arc<dyn Tracking>,
        };
        Arc::new(Context {
            root,
            io: Arc::clone(&self.io),
            resolved,
            document: OnceLock::new(),
            run: run.to_owned(),
            objects: Arc::clone(&self.objects),
            tracking,
            mode,
            engines: Arc::clone(&request.engines),
            runtime: Arc::clone(&request.runtime),
            data_settings: request.data_settings.clone(),
            as_of: OnceLock::new(),
            now_ms,
            who,
            reference_uses: Mutex::default(),
            tables: Mutex::new(BTreeMap::new()),
            read_ahead: Mutex::new(None),
            listing: Mutex::new(None),
        })
    }

    /// Gives what a configuration says of tracking: the store of the project, or that and a server. Nothing is asked.
    pub(crate) fn tracking_of(&self, resolved: &Resolved, runtime: &Arc<Runtime>) -> Arc<dyn Tracking> {
        let project = &resolved.project;
        let (local, uri) = (Arc::clone(&self.tracking), &project.tracking.uri.value);
        match uri.is_empty() {
            true => local,
            false => {
                let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
                let server = servers.entry(uri.clone()).or_insert_with(|| server(uri, runtime));
                Arc::new(MlflowStore::new(local, Arc::clone(server), &project.name.value))
            }
        }
    }

    /// Reads the configuration that a run recorded.
    pub(crate) fn recorded(&self, run: &str) -> Result<Resolved, Vec<Diagnostic>> {
        let path = self.configuration_path(run);
        let value: Option<Value> = self.io.read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(value) = value else {
            let title = format!("run {run} has no readable configuration");
            return Err(vec![
                Diagnostic::error("run/no-configuration", title).help(
                    "bring its folder in .trainyard/runs back from a copy, or start another run: `trainyard run`",
                ),
            ]);
        };
        Resolved::from_json(&value).map_err(|problems| problems.into_vec())
    }

    /// Says, by its time, when what is left over was last looked for.
    fn sweep_marker(&self) -> PathBuf {
        self.state().join("swept")
    }

    fn lock_path(&self) -> PathBuf {
        self.state().join("lock")
    }

    pub(crate) fn holder_of(&self) -> Option<Holder> {
        ProjectLock::holder(&self.lock_path()).ok().flatten()
    }

    pub(crate) fn lock(&self, run: &str, shared: bool) -> Result<ProjectLock, Failure> {
        self.lock_for(if shared { "step" } else { "run" }, run, shared)
    }

    /// Takes the lock for a command, which is named to whoever wants it meanwhile.
    pub(crate) fn lock_for(&self, command: &str, run: &str, shared: bool) -> Result<ProjectLock, Failure> {
        let holder = Holder {
            pid: std::process::id(),
            host: host_name(),
            command: command.to_owned(),
            run: run.to_owned(),
            since_unix: now_ms() / 1000,
        };
        let path = self.lock_path();
        // Where there is a lock, the folder of all runs is known to be on the disk.
        if !self.io.exists(&path) {
            self.make_runs_folder()?;
        }
        let locked =
            if shared { ProjectLock::shared_by_run(&path, holder) } else { ProjectLock::exclusive(&path, holder) };
        let locked = locked.map_err(|error: FileError| Failure::from(error.diagnostic()))?;
        if locked.follows_crash() {
            // Who takes the lock next does not see it any more.
            let _ = self.io.remove_file(&self.sweep_marker());
        }
        Ok(locked)
    }
}

pub(crate) fn server(uri: &str, runtime: &Arc<Runtime>) -> Arc<MlflowServer> {
    Arc::new(MlflowServer::new(uri, Arc::clone(runtime)))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Says who asks, as `user@host`, for the history of the registry.
pub(crate) fn who() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    let user = named.unwrap_or_else(|| user_of(rustix::process::getuid().as_raw()));
    format!("{user}@{}", host_name())
}

/// Gives the name of a user where the system's list has it, else the number.
fn user_of(number: u32) -> String {
    let number = number.to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

/// Gives ids that are short and not in use.
pub(crate) fn new_run_id(stores: &Stores) -> String {
    for attempt in 0.. {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let digest =
            Digester::new("run").number(nanos as u64).number(std::process::id().into()).number(attempt).finish();
        let id = digest.to_string()[..8].to_owned();
        if !stores.io.exists(&stores.run_folder(&id)) {
            return id;
        }
    }
    String::new()
}
