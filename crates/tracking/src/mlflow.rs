//! Runs and models on an MLflow server: runs are logged here first and delivered after; the registry is the server's.

mod address;
mod artifacts;
mod begun;
mod client;
mod courier;
mod delivery;
mod error;
mod export;
mod import;
mod limits;
mod records;
mod registry;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use trainyard_files::Digest;
use trainyard_spec::Stage;
use trainyard_stores::Runtime;

use crate::history::Action;
use crate::limits::{Field, check};
use crate::registry::head_of;
use crate::{
    ArtifactRecord, Batch, Change, Effect, EmbeddedStore, End, Error, HistoryEntry, Input, Meanwhile, Metric,
    ModelRecord, ModelReference, NewRun, NewVersion, Promoted, Promotion, Reason, RunRecord, Standing, Status,
    Tracking, VersionRecord, Which,
};
use address::Address;
use artifacts::Place;
use begun::Begun;
use client::Client;
use courier::Courier;
use delivery::Experiments;
use registry::{Made, Registered, Registry};

pub use client::Answered;
pub use courier::{Undelivered, Waiting};
pub use error::ServerError;
pub use export::{Brought, BroughtModel};
pub use import::{Fetched, FetchedRun, Fetching, IMPORTED_TAG};

/// How long what was read of the registry stands for what is there. A promotion always reads anew.
const FRESH: Duration = Duration::from_secs(2);
/// How long a promotion waits for the run to be delivered.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the end of a run waits for a server that was waited for in vain a moment ago.
const SHORT: Duration = Duration::from_secs(1);
/// How long who ends waits for what is written beside other things.
const MARKED: Duration = Duration::from_secs(5);

/// Is an MLflow server, with what is known of it: one for all that a process asks.
#[derive(Debug)]
pub struct MlflowServer {
    address: Result<Address, ServerError>,
    client: OnceLock<Result<Arc<Client>, ServerError>>,
    runtime: Arc<Runtime>,
    experiments: Arc<Experiments>,
    read: Mutex<BTreeMap<String, (Instant, Registered)>>,
}

impl MlflowServer {
    /// Takes the server's address; nothing is asked, and what is wrong is told by who asks.
    pub fn new(uri: &str, runtime: Arc<Runtime>) -> Self {
        Self {
            address: Address::parse(uri),
            client: OnceLock::new(),
            runtime,
            experiments: Arc::default(),
            read: Mutex::default(),
        }
    }

    fn client(&self) -> Result<&Arc<Client>, ServerError> {
        let made = self.client.get_or_init(|| {
            let variable = |name: &str| std::env::var(name).ok();
            let address = self.address.as_ref().map_err(Clone::clone)?;
            Client::new(address, &variable, &self.runtime).map(Arc::new)
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// Keeps runs in the project and on an MLflow server, and models on the server.
///
/// Whatever a run logs is in the embedded store when the call returns, with a note of what the server has still to be
/// told; a thread delivers it in order, and who ends waits for it a little. What stays undelivered is delivered by the
/// next process that asks. The registry's methods ask the server and fail without it; the history of what they did is
/// the project's.
#[derive(Debug)]
pub struct MlflowStore {
    local: Arc<EmbeddedStore>,
    remote: Arc<MlflowServer>,
    project: String,
    courier: Mutex<Option<Arc<Courier>>>,
    /// The folder for the lock that one who delivers holds.
    folder: PathBuf,
    /// The marks that are being written; each says when it is.
    marks: Mutex<Vec<Receiver<()>>>,
    /// What others were found to have done while this store changed the registry.
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl MlflowStore {
    /// Prepares to track on a server; nothing is asked, and no file is touched. `project` is the name that registered models
    /// are marked with.
    pub fn new(local: Arc<EmbeddedStore>, remote: Arc<MlflowServer>, project: &str) -> Self {
        let folder = local.path().parent().map(PathBuf::from).unwrap_or_default();
        Self {
            local,
            remote,
            project: project.to_owned(),
            courier: Mutex::default(),
            folder,
            marks: Mutex::default(),
            meanwhile: Mutex::default(),
        }
    }

    /// Returns the store of the project itself.
    pub const fn local(&self) -> &Arc<EmbeddedStore> {
        &self.local
    }

    fn client(&self) -> Result<&Arc<Client>, ServerError> {
        self.remote.client()
    }

    fn server(&self) -> Result<&str, Error> {
        let address = self.remote.address.as_ref();
        Ok(address.map(|address| address.shown.as_str()).map_err(Clone::clone)?)
    }

    fn courier(&self) -> Result<Arc<Courier>, Error> {
        let mut courier = locked(&self.courier);
        if let Some(courier) = &*courier {
            return Ok(Arc::clone(courier));
        }
        let experiments = Arc::clone(&self.remote.experiments);
        let made = Courier::new(Arc::clone(self.client()?), experiments, Arc::clone(&self.local), &self.folder);
        Ok(Arc::clone(courier.insert(Arc::new(made))))
    }

    fn log(&self, run: &str, batch: &Batch) -> Result<(), Error> {
        self.local.log_batch_for(run, batch, Some(self.server()?))?;
        // What can't be delivered now is said when it is waited for.
        if let Ok(courier) = self.courier() {
            courier.wake();
        }
        Ok(())
    }

    /// Reads a registered model; what was read a moment ago stands for it.
    fn registered(&self, model: &str) -> Result<Registered, Error> {
        if let Some((at, registered)) = locked(&self.remote.read).get(model)
            && at.elapsed() < FRESH
        {
            return Ok(registered.clone());
        }
        self.registered_now(model)
    }

    fn registered_now(&self, model: &str) -> Result<Registered, Error> {
        let client = self.client()?;
        let registered = client.wait(Registry { client }.read(model)).map_err(of_registry)?;
        locked(&self.remote.read).insert(model.to_owned(), (Instant::now(), registered.clone()));
        Ok(registered)
    }

    /// Completes a change by hand that broke off on its way to the server; gives it where it is done now.
    ///
    /// One of which the server heard nothing, or after which another has changed something, is as if it had not been
    /// asked for.
    fn complete(&self) -> Result<Option<Begun>, Error> {
        let Some(begun) = Begun::read(&self.folder) else { return Ok(None) };
        let (client, server) = (self.client()?, self.server()?);
        let Begun { model, version, action, effects, change, .. } = &begun;
        if begun.server != server {
            return Ok(None);
        }
        let history = self.local.history_of(server, model)?;
        let is_it = |entry: &&HistoryEntry| {
            entry.action == *action && entry.version == Some(*version) && entry.at_ms == change.at_ms
        };
        let mut told = history.iter().rev().find(is_it).map(|entry| entry.hash);
        if told.is_none() {
            let (before, now) = (Standing::told(&history), self.registered_now(model)?.standing());
            let done = before.changes_to(&now);
            if !done.is_empty() && done.iter().all(|effect| effects.contains(effect)) {
                let mut expected = before.clone();
                expected.replay(effects);
                let left = now.changes_to(&expected);
                client.wait(Registry { client }.apply(model, &left)).map_err(of_registry)?;
                let after = self.registered_now(model)?;
                if effects.iter().all(|effect| became(&after, effect).is_ok()) {
                    let all = before.changes_to(&after.standing());
                    told = Some(self.local.append_history(server, model, Some(*version), *action, &all, change)?);
                }
            }
        }
        if let Some(hash) = told {
            self.mark(client, model, *version, hash);
            self.settle_marks();
        }
        Begun::remove(&self.folder);
        Ok(told.map(|_| begun))
    }

    /// Reads a registered model to change it, and refuses that of another project.
    fn own(&self, model: &str) -> Result<Registered, Error> {
        self.complete()?;
        let registered = self.registered_now(model)?;
        match &registered.project {
            Some(project) if *project != self.project => Err(ServerError::OtherProject {
                server: self.server()?.to_owned(),
                model: model.to_owned(),
                project: project.clone(),
            }
            .into()),
            _ => Ok(registered),
        }
    }

    /// Reads a registered model to promote to it. One that was not there a moment ago is made: the server makes a name once,
    /// so who made it knows that nothing stands there, and need not read.
    fn own_or_made(&self, model: &str, expected_head: Option<Digest>) -> Result<Registered, Error> {
        let was_absent = locked(&self.remote.read).get(model).is_some_and(|(_, known)| !known.exists);
        if was_absent && expected_head.is_none_or(|head| head == head_of(model, &[])) {
            let client = self.client()?;
            let asked = client.wait(async { Ok(Registry { client }.register(model, &self.project).await) })?;
            // Whatever came between, the reading tells.
            if asked.is_ok() {
                locked(&self.remote.read).remove(model);
                return Ok(Registered { exists: true, project: Some(self.project.clone()), ..Registered::default() });
            }
        }
        self.own(model)
    }

    /// Notes in the history what was changed on the server past this project.
    fn observe(&self, model: &str, effects: &[Effect], reason: &str, change: &Change) -> Result<(), Error> {
        if effects.is_empty() {
            return Ok(());
        }
        let seen = Change { run: None, reason: reason.to_owned(), decision: Value::Null, ..change.clone() };
        self.local.append_history(self.server()?, model, None, Action::Observed, effects, &seen).map(drop)
    }

    /// Writes on a version which entry of the history tells of it, beside what comes next: who ends waits for it.
    fn mark(&self, client: &Arc<Client>, model: &str, version: u32, hash: Digest) {
        let (client, model) = (Arc::clone(client), model.to_owned());
        let (done, marked) = channel();
        let work = move || {
            // What is done stays done, though nobody hears of the mark.
            let _ = client.wait(Registry { client: &client }.mark(&model, version, &hash));
            let _ = done.send(());
        };
        if thread::Builder::new().name("mark".to_owned()).spawn(work).is_ok() {
            locked(&self.marks).push(marked);
        }
    }

    fn settle_marks(&self) {
        for marked in std::mem::take(&mut *locked(&self.marks)) {
            let _ = marked.recv_timeout(MARKED);
        }
    }

    /// Changes a registered model: what `ask` asks of the server, what stands there after, and what the history tells.
    ///
    /// `ask` gives the version and the changes that make what stood before what should stand then. What stands there
    /// beyond them was changed by another between our reading and our writing: the server has no way to forbid it.
    fn change(
        &self,
        (model, before): (&str, Registered),
        action: Action,
        change: &Change,
        ask: impl AsyncFnOnce(Registry<'_>, &Registered) -> Result<(u32, Vec<Effect>), Error>,
        holds: impl FnOnce(&Registered, u32, &[Effect]) -> Result<(), String>,
    ) -> Result<VersionRecord, Error> {
        let client = self.client()?;
        let registry = Registry { client };
        // What a try that died has done is no other's doing.
        let is_ours = |version: &VersionRecord| change.run.as_ref() == Some(&version.run);
        if !before.versions.iter().any(is_ours) {
            let seen = self.told(model)?.changes_to(&before.standing());
            self.observe(model, &seen, "the registry was changed past this project", change)?;
        }
        let asked = self.remote.runtime.block_on(ask(registry, &before));
        let (version, planned) =
            asked.map_err(|none| ServerError::Settings { server: client.server().to_owned(), cause: none.cause })??;
        let after = self.registered_now(model)?;
        let server = client.server();
        let told = self.told(model)?;
        if let Err(found) = holds(&after, version, &planned) {
            let effects = told.changes_to(&after.standing());
            self.local.append_history(server, model, Some(version), Action::Lost, &effects, change)?;
            let (server, model) = (server.to_owned(), model.to_owned());
            return Err(ServerError::RaceLost { server, model, version, found }.into());
        }
        let mut expected = before.standing();
        expected.replay(&planned);
        let (effects, others) = (told.changes_to(&expected), expected.changes_to(&after.standing()));
        // A run's promotion is told of though nothing is left to change: a try that died has done it.
        if !effects.is_empty() || (action == Action::Promoted && change.run.is_some()) {
            let hash = self.local.append_history(server, model, Some(version), action, &effects, change)?;
            self.mark(client, model, version, hash);
        }
        if !others.is_empty() {
            self.observe(model, &others, "another changed the registry at the same moment", change)?;
            let changes = others.iter().map(ToString::to_string).collect();
            *locked(&self.meanwhile) = Some(Meanwhile { model: model.to_owned(), changes });
        }
        let reference = ModelReference::version(model, version);
        after.find(&reference).cloned().ok_or_else(|| Error::UnknownVersion {
            reference,
            versions: after.versions.iter().map(|version| version.version).collect(),
            aliases: after.aliases.keys().cloned().collect(),
        })
    }

    /// Changes a registered model as `plan` says of what stands there and of what the history tells.
    fn change_by(
        &self,
        model: &str,
        action: Action,
        change: &Change,
        plan: impl FnOnce(&Standing, &[HistoryEntry]) -> Result<(u32, Vec<Effect>), Error>,
    ) -> Result<VersionRecord, Error> {
        let ask = async |registry: Registry<'_>, before: &Registered| {
            let history = self.local.history_of(self.server()?, model)?;
            let (version, effects) = plan(&before.standing(), &history)?;
            if !effects.is_empty() {
                let (server, model, change) = (self.server()?.to_owned(), model.to_owned(), change.clone());
                let begun = Begun { server, model, version, action, effects: effects.clone(), change };
                begun.write(&self.folder)?;
            }
            registry.apply(model, &effects).await.map_err(of_registry)?;
            Ok((version, effects))
        };
        let changed = self.change((model, self.own(model)?), action, change, ask, |after, _, planned| {
            planned.iter().try_for_each(|effect| became(after, effect))
        });
        let is_told = match &changed {
            Ok(_) => true,
            Err(Error::Server(error)) => matches!(**error, ServerError::RaceLost { .. }),
            Err(_) => false,
        };
        if is_told {
            self.settle_marks();
            Begun::remove(&self.folder);
        }
        changed
    }

    /// Tells what the history says of a model on the server.
    fn told(&self, model: &str) -> Result<Standing, Error> {
        Ok(Standing::told(&self.local.history_of(self.server()?, model)?))
    }

    /// Delivers all that a run has logged, and gives what the server calls it.
    fn delivered(&self, run: &str) -> Result<(String, String), Error> {
        let courier = self.courier()?;
        let undelivered = courier.settle(PATIENCE, Some(run))?;
        if let Some(waiting) = undelivered.runs.iter().find(|waiting| waiting.run == run) {
            let server = self.server()?.to_owned();
            return Err(match (&waiting.refused, undelivered.cause) {
                (Some(refused), _) => ServerError::Refused {
                    server,
                    deed: format!("take run {run}"),
                    code: "refused".to_owned(),
                    message: refused.clone(),
                },
                (None, Some(cause)) => return Err(of_registry(cause)),
                (None, None) => {
                    return Err(of_registry(ServerError::Unreachable { server, cause: "it is slow".to_owned() }));
                }
            }
            .into());
        }
        let remote = self.local.remote_run(self.server()?, run)?.unwrap_or_default();
        match (remote.remote, remote.model) {
            (Some(run), Some(model)) => Ok((run, model)),
            _ => Err(Error::IncompleteModel { run: run.to_owned(), paths: vec!["model".to_owned()] }),
        }
    }
}

/// Names the registry where a server that can't be reached is asked for it.
fn of_registry(error: ServerError) -> Error {
    match error {
        ServerError::Unreachable { server, cause } => Error::RegistryUnreachable { server, cause },
        error => error.into(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tracking for MlflowStore {
    fn start_run(&self, run: &NewRun) -> Result<(), Error> {
        self.log(&run.run, &Batch { start: Some(run.clone()), ..Batch::default() })
    }

    fn log_params(&self, run: &str, params: &BTreeMap<String, String>) -> Result<(), Error> {
        self.log(run, &Batch { params: params.clone(), ..Batch::default() })
    }

    fn log_metrics(&self, run: &str, metrics: &[Metric]) -> Result<(), Error> {
        self.log(run, &Batch { metrics: metrics.to_vec(), ..Batch::default() })
    }

    fn set_tags(&self, run: &str, tags: &BTreeMap<String, String>) -> Result<(), Error> {
        self.log(run, &Batch { tags: tags.clone(), ..Batch::default() })
    }

    fn log_input(&self, run: &str, input: &Input) -> Result<(), Error> {
        self.log(run, &Batch { inputs: vec![input.clone()], ..Batch::default() })
    }

    fn log_artifact(&self, run: &str, path: &str, bytes: &[u8]) -> Result<Digest, Error> {
        check(Field::ArtifactPath, path)?;
        let digest = self.local.objects().put(bytes)?;
        self.log(run, &Batch { artifacts: BTreeMap::from([(path.to_owned(), digest)]), ..Batch::default() })?;
        Ok(digest)
    }

    fn log_batch(&self, run: &str, batch: &Batch) -> Result<(), Error> {
        self.log(run, batch)
    }

    fn read_artifact(&self, run: &str, path: &str) -> Result<Vec<u8>, Error> {
        self.local.read_artifact(run, path)
    }

    fn folder_digests(&self, run: &str, folder: &str) -> Result<BTreeMap<String, Digest>, Error> {
        self.local.folder_digests(run, folder)
    }

    fn artifacts(&self, run: &str) -> Result<Vec<ArtifactRecord>, Error> {
        self.local.artifacts(run)
    }

    fn artifacts_at(&self, path: &str) -> Result<Vec<(String, Digest)>, Error> {
        self.local.artifacts_at(path)
    }

    fn end_run(&self, run: &str, status: Status, ended_ms: i64, reason: Option<&Reason>) -> Result<(), Error> {
        let end = End { status, ended_ms, reason: reason.cloned() };
        self.log(run, &Batch { end: Some(end), ..Batch::default() })
    }

    fn run(&self, id: &str) -> Result<Option<RunRecord>, Error> {
        self.local.run(id)
    }

    fn find_run(&self, id: &str) -> Result<RunRecord, Error> {
        self.local.find_run(id)
    }

    fn runs(&self, limit: usize, status: Option<Status>) -> Result<Vec<RunRecord>, Error> {
        self.local.runs(limit, status)
    }

    fn input_before(&self, run: &str, experiment: &str, input: &str) -> Result<Option<(String, Digest)>, Error> {
        self.local.input_before(run, experiment, input)
    }

    fn metric_history(&self, run: &str, key: &str) -> Result<Vec<Metric>, Error> {
        self.local.metric_history(run, key)
    }

    fn create_version(&self, model: &str, version: &NewVersion) -> Result<VersionRecord, Error> {
        check(Field::ModelName, model)?;
        self.local.check_complete(version)?;
        let change = version.change("", Value::Null);
        let (run, logged_model) = self.delivered(&version.run)?;
        let ask = async |registry: Registry<'_>, before: &Registered| {
            self.make_version(registry, before, model, version, &run, &logged_model, "").await
        };
        self.change((model, self.own(model)?), Action::Registered, &change, ask, |_, _, _| Ok(()))
    }

    fn transition(&self, model: &str, version: u32, stage: Stage, change: &Change) -> Result<VersionRecord, Error> {
        self.version_by(&ModelReference::version(model, version))?;
        self.change_by(model, Action::Transitioned, change, |now, _| Ok((version, now.stage(version, stage))))
    }

    fn set_alias(&self, model: &str, alias: &str, version: u32, change: &Change) -> Result<VersionRecord, Error> {
        check(Field::Alias, alias)?;
        self.version_by(&ModelReference::version(model, version))?;
        self.change_by(model, Action::Aliased, change, |now, _| Ok((version, now.alias(alias, version))))
    }

    fn record_decision(&self, model: &str, action: Action, change: &Change) -> Result<(), Error> {
        check(Field::ModelName, model)?;
        self.local.append_decision(self.server()?, model, action, change)
    }

    fn promote_version(
        &self,
        model: &str,
        version: u32,
        stage: Stage,
        alias: Option<&str>,
        change: &Change,
    ) -> Result<VersionRecord, Error> {
        alias.map_or(Ok(()), |alias| check(Field::Alias, alias))?;
        self.version_by(&ModelReference::version(model, version))?;
        self.change_by(model, Action::Promoted, change, |now, _| Ok((version, now.promote(version, stage, alias))))
    }

    fn rollback(&self, model: &str, alias: &str, change: &Change) -> Result<VersionRecord, Error> {
        // Who asks again for one that broke off goes back once.
        let moves = |effect: &Effect| matches!(effect, Effect::Aliased { alias: moved, .. } if moved == alias);
        let is_same =
            |done: &Begun| done.action == Action::RolledBack && done.model == model && done.effects.iter().any(moves);
        if let Some(done) = self.complete()?.filter(is_same) {
            return self.version_by(&ModelReference::version(model, done.version));
        }
        self.version_by(&ModelReference { model: model.to_owned(), which: Which::Latest })?;
        self.change_by(model, Action::RolledBack, change, |now, history| now.rollback(model, alias, history))
    }

    fn archive(&self, model: &str, version: u32, change: &Change) -> Result<VersionRecord, Error> {
        self.version_by(&ModelReference::version(model, version))?;
        self.change_by(model, Action::Archived, change, |now, _| Ok((version, now.archive(version))))
    }

    fn promote(&self, promotion: &Promotion) -> Result<Promoted, Error> {
        let Promotion { model, version: new, stage, alias, .. } = promotion;
        check(Field::ModelName, model)?;
        check(Field::Alias, alias)?;
        self.local.check_complete(new)?;
        let server = self.server()?;
        let done = self
            .local
            .history_of(server, model)?
            .into_iter()
            .rev()
            .find(|entry| entry.action == Action::Promoted && entry.run.as_ref() == Some(&new.run));
        if let Some(number) = done.and_then(|entry| entry.version) {
            let version = self.version_by(&ModelReference::version(model, number))?;
            return Ok(Promoted { version, newly: false });
        }
        let (run, logged_model) = self.delivered(&new.run)?;
        let before = self.own_or_made(model, promotion.expected_head)?;
        let change = new.change(&promotion.reason, promotion.decision.clone());
        let ask = async |registry: Registry<'_>, before: &Registered| {
            // A promotion that died half-way has made its version; one that was put into its place is all but done.
            let (ours, others): (Vec<_>, Vec<_>) =
                before.versions.iter().cloned().partition(|version| version.run == new.run);
            let is_placed = ours.iter().any(|ours| ours.stage != Stage::None || !ours.aliases.is_empty());
            if let Some(expected) = promotion.expected_head
                && !is_placed
                && head_of(model, &others) != expected
            {
                return Err(Error::HeadMoved { model: model.clone() });
            }
            let (number, mut planned) =
                self.make_version(registry, before, model, new, &run, &logged_model, &promotion.reason).await?;
            let mut standing = before.standing();
            standing.replay(&planned);
            planned.extend(standing.promote(number, *stage, Some(alias)));
            let moves: Vec<(String, Option<u32>)> = planned
                .iter()
                .filter_map(|effect| match effect {
                    Effect::Aliased { alias, to, .. } => Some((alias.clone(), *to)),
                    _ => None,
                })
                .collect();
            let (staged, moved) =
                futures_util::future::join(registry.stage(model, number, *stage), registry.alias(model, &moves)).await;
            staged.map_err(of_registry)?;
            moved.map_err(of_registry)?;
            Ok((number, planned))
        };
        let holds = |after: &Registered, version, _: &[Effect]| stands(after, model, version, *stage, Some(alias));
        let version = self.change((model, before), Action::Promoted, &change, ask, holds)?;
        Ok(Promoted { version, newly: true })
    }

    fn find_version(&self, reference: &ModelReference) -> Result<Option<VersionRecord>, Error> {
        Ok(self.registered(&reference.model)?.find(reference).cloned())
    }

    fn versions(&self, model: &str) -> Result<Vec<VersionRecord>, Error> {
        Ok(self.registered(model)?.versions)
    }

    fn models(&self) -> Result<Vec<ModelRecord>, Error> {
        let client = self.client()?;
        client.wait(Registry { client }.models()).map_err(of_registry)
    }

    fn history(&self, model: &str) -> Result<Vec<HistoryEntry>, Error> {
        self.local.history_of(self.server()?, model)
    }

    fn verify_history(&self) -> Result<(), Error> {
        self.local.verify_history()
    }

    fn head(&self, model: &str) -> Result<Digest, Error> {
        Ok(head_of(model, &self.registered(model)?.versions))
    }

    fn reference_uses(&self, split_version: u32, reference: &Digest) -> Result<u64, Error> {
        self.local.reference_uses(split_version, reference)
    }

    fn version_files(&self, version: &VersionRecord) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        // What this project made is here; what another made, under whatever name of a run, is on the server.
        if let Some(made) = self.local.version_made(&version.model, version.version, &version.digest)?
            && let Ok(files) = self.local.read_folder(&made.run, &made.artifact_path)
            && !files.is_empty()
        {
            return Ok(files);
        }
        let client = self.client()?;
        let files = async {
            let address = Registry { client }.files(&version.model, version.version).await?;
            let place = Place::of(&address).map_err(|cause| ServerError::NoArtifacts {
                server: client.server().to_owned(),
                place: address.clone(),
                cause,
            })?;
            place.get(client).await
        };
        Ok(client.wait(files).map_err(of_registry)?.into_iter().collect())
    }

    fn version_digests(&self, version: &VersionRecord) -> Result<BTreeMap<String, Digest>, Error> {
        let made = self.local.version_made(&version.model, version.version, &version.digest)?;
        match made.map(|made| self.local.folder_digests(&made.run, &made.artifact_path)) {
            Some(Ok(files)) if !files.is_empty() => Ok(files),
            // A version never changes: its own digest stands for its files.
            _ => Ok(BTreeMap::from([(String::new(), version.digest)])),
        }
    }

    fn reach(&self, experiment: &str) -> Result<(), Error> {
        Ok(self.courier()?.reach(experiment)?)
    }

    fn call(&self, experiment: &str, limit: Duration) -> Result<Option<Answered>, Error> {
        Ok(Some(self.client()?.call(experiment, limit)?))
    }

    fn waiting_elsewhere(&self) -> Result<Vec<String>, Error> {
        self.local.waiting_elsewhere(self.server()?)
    }

    fn waiting(&self) -> Result<Option<Undelivered>, Error> {
        let server = self.server()?;
        Ok(Some(Undelivered::of(server, self.local.waiting(server)?)))
    }

    fn settle(&self, patience: Duration) -> Result<Option<Undelivered>, Error> {
        // Who has just waited for it in vain waits no second time as long.
        let patience = if self.client()?.gave_up_lately() { patience.min(SHORT) } else { patience };
        self.settle_for(patience)
    }

    fn sync(&self, patience: Duration) -> Result<Option<Undelivered>, Error> {
        self.local.forgive(self.server()?)?;
        self.settle_for(patience)
    }

    fn broke_off(&self) -> bool {
        Begun::exists(&self.folder)
    }

    fn take_meanwhile(&self) -> Option<Meanwhile> {
        locked(&self.meanwhile).take()
    }
}

impl MlflowStore {
    fn settle_for(&self, patience: Duration) -> Result<Option<Undelivered>, Error> {
        let undelivered = self.courier()?.settle(patience, None)?;
        self.settle_marks();
        Ok((!undelivered.runs.is_empty()).then_some(undelivered))
    }
}

impl Drop for MlflowStore {
    fn drop(&mut self) {
        self.settle_marks();
    }
}

impl MlflowStore {
    /// Finds the version that a run has made before, or makes it; gives what that changes.
    #[expect(clippy::too_many_arguments, reason = "each says another thing of the one version")]
    async fn make_version(
        &self,
        registry: Registry<'_>,
        before: &Registered,
        model: &str,
        new: &NewVersion,
        run: &str,
        logged_model: &str,
        description: &str,
    ) -> Result<(u32, Vec<Effect>), Error> {
        if let Some(made) = before.versions.iter().find(|version| version.run == new.run) {
            if made.digest != new.digest {
                let (stored, offered) = (made.digest, new.digest);
                return Err(Error::VersionConflict { version: made.version, run: new.run.clone(), stored, offered });
            }
            return Ok((made.version, Vec::new()));
        }
        let made = Made { project: &self.project, run, logged_model, description };
        let version = registry.create(model, new, &made, before).await.map_err(of_registry)?;
        Ok((version, vec![Effect::Created { version, digest: new.digest }]))
    }
}

/// Says whether a change that was asked for is there; else what stands there.
fn became(after: &Registered, effect: &Effect) -> Result<(), String> {
    match effect {
        Effect::Created { .. } | Effect::Deleted { .. } => Ok(()),
        Effect::Staged { version, to, .. } => match after.standing().versions.get(version) {
            Some(held) if held.stage == *to => Ok(()),
            Some(held) => Err(format!("v{version} is in {}, not in {to}", held.stage)),
            None => Err(format!("v{version} is gone")),
        },
        Effect::Aliased { alias, to, .. } => match after.aliases.get(alias).copied() {
            holder if holder == *to => Ok(()),
            holder => Err(points(alias, holder)),
        },
    }
}

/// Says whether a version has the stage, and the alias, that it was given; else what stands there.
fn stands(after: &Registered, model: &str, version: u32, stage: Stage, alias: Option<&String>) -> Result<(), String> {
    if let Some(alias) = alias {
        let holder = after.aliases.get(alias).copied();
        if holder != Some(version) {
            return Err(points(alias, holder));
        }
    }
    let found = after.find(&ModelReference::version(model, version)).map(|version| version.stage);
    match found {
        Some(found) if found == stage => Ok(()),
        Some(found) => Err(format!("v{version} is in {found}, not in {stage}")),
        None => Err(format!("v{version} is gone")),
    }
}

fn points(alias: &str, holder: Option<u32>) -> String {
    match holder {
        Some(holder) => format!("{alias} points at v{holder}"),
        None => format!("{alias} points nowhere"),
    }
}
