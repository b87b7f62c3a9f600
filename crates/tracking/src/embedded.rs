//! Runs and models in one SQLite file, artifacts' bytes in the object store.

mod fault;
mod history;
mod open;
mod outbox;
mod query;
mod registry;
mod runs;
mod search;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use trainyard_files::{Digest, ObjectStore};
use trainyard_spec::Stage;

use crate::limits::{Field, check};
use crate::tracking::inside;
use crate::{
    Action, ArtifactRecord, Batch, Change, Effect, Error, HistoryEntry, Input, Metric, ModelRecord, ModelReference,
    NewRun, NewVersion, Promoted, Promotion, Reason, RunRecord, Search, Standing, Status, Tracking, VersionRecord,
};
use fault::Fault;

pub(crate) use outbox::{Pending, RemoteRun};

pub use open::{FILE_NAME, SCHEMA_VERSION};
pub use query::{Answer, Cell, QueryError, VIEWS, View};

/// The longest log, in bytes, that stays when a store is closed: about five runs. Whoever opens the store reads it all.
const KEPT_LOG: u64 = 512 * 1024;

/// Keeps runs and models in the file `tracking.db` of a folder.
///
/// The file is in SQLite's WAL mode with `synchronous=FULL`: what was written survives a power cut, readers and the
/// writer do not wait for one another, and writers take turns. It may be used by many threads and processes.
#[derive(Debug)]
pub struct EmbeddedStore {
    connection: Mutex<Connection>,
    path: PathBuf,
    objects: Arc<ObjectStore>,
    /// Whether the connection could write, were it allowed to.
    can_write: bool,
}

impl EmbeddedStore {
    /// Opens the store in the folder `dir`, and makes one where there is none.
    pub fn open(dir: &Path, objects: Arc<ObjectStore>) -> Result<Self, Error> {
        let (connection, path) = open::writable(dir)?;
        Ok(Self { connection: Mutex::new(connection), path, objects, can_write: true })
    }

    /// Opens the store in the folder `dir` for reading only, where there is one. The folder may be read-only.
    pub fn open_existing(dir: &Path, objects: Arc<ObjectStore>) -> Result<Option<Self>, Error> {
        let opened = open::readable(dir)?;
        let store =
            |(connection, path, can_write)| Self { connection: Mutex::new(connection), path, objects, can_write };
        Ok(opened.map(store))
    }

    /// Opens the store in the folder `dir` for looking only: where there is none, one without runs and models that
    /// lives in memory. Nothing is written.
    pub fn look(dir: &Path, objects: Arc<ObjectStore>) -> Result<Self, Error> {
        if let Some(store) = Self::open_existing(dir, Arc::clone(&objects))? {
            return Ok(store);
        }
        let (connection, path) = open::empty(dir)?;
        Ok(Self { connection: Mutex::new(connection), path, objects, can_write: false })
    }

    /// Lets a store that was opened for looking write from now on. Says whether it can: one in memory, or in a folder
    /// that may not be written, has to be opened anew.
    pub fn allow_writing(&self) -> Result<bool, Error> {
        if !self.can_write {
            return Ok(false);
        }
        let connection = self.lock();
        if connection.is_readonly(rusqlite::MAIN_DB).unwrap_or(false) {
            return Err(Error::ReadOnly { path: self.path.clone() });
        }
        let allowed = connection.pragma_update(None, "query_only", false);
        allowed.map_err(|error| Fault::from(error).at(&self.path))?;
        Ok(true)
    }

    /// Lists the runs that are looked for, in their order.
    pub fn search(&self, search: &Search) -> Result<Vec<RunRecord>, Error> {
        self.read(|tx| search::runs(tx, search))
    }

    /// Answers one SELECT over [`VIEWS`], `name` being what the user knows its text by. Nothing can be written by it.
    /// It ends early when `is_stopped` says so.
    pub fn query(
        &self,
        name: &str,
        sql: &str,
        is_stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<Answer, Box<QueryError>> {
        query::answer(&self.lock(), &self.path, name, sql, is_stopped)
    }

    /// Returns the store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks the whole file, and the registry's history: [`Error::Damaged`], [`Error::HistoryBroken`].
    pub fn check(&self) -> Result<(), Error> {
        let found: String = self.read(|tx| Ok(tx.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?))?;
        if found != "ok" {
            return Err(Error::Damaged { path: self.path.clone(), detail: found });
        }
        self.verify_history()
    }

    /// Logs a batch, and in the same transaction that a server has to be told of it.
    pub(crate) fn log_batch_for(&self, run: &str, batch: &Batch, server: Option<&str>) -> Result<(), Error> {
        batch.start.iter().try_for_each(check_start)?;
        check_params(&batch.params)?;
        check_metrics(&batch.metrics)?;
        check_tags(&batch.tags)?;
        let mut artifacts = Vec::with_capacity(batch.artifacts.len());
        for (path, digest) in &batch.artifacts {
            check(Field::ArtifactPath, path)?;
            artifacts.push(ArtifactRecord { path: path.clone(), digest: *digest, size: self.objects.size(digest)? });
        }
        self.write(|tx| {
            // The end is written with all the rest: a run that has ended so has all of the batch.
            let end = batch.end.as_ref().map(|end| end.status).filter(|end| !end.can_resume());
            if end.is_some() && end == runs::status(tx, run)? {
                return Ok(());
            }
            if let Some(start) = &batch.start {
                runs::start(tx, start)?;
            }
            let told =
                server.map(|server| Ok::<_, Fault>((server, outbox::without_known(tx, run, batch)?))).transpose()?;
            runs::log_params(tx, run, &batch.params)?;
            runs::log_metrics(tx, run, &batch.metrics)?;
            runs::set_tags(tx, run, &batch.tags)?;
            runs::log_inputs(tx, run, &batch.inputs)?;
            runs::log_artifacts(tx, run, &artifacts)?;
            for (split_version, reference) in &batch.reference_uses {
                runs::count_reference_use(tx, *split_version, reference, run)?;
            }
            if let Some(end) = &batch.end {
                runs::end(tx, run, end.status, end.ended_ms, end.reason.as_ref())?;
            }
            told.map_or(Ok(()), |(server, batch)| outbox::add(tx, server, run, &batch))
        })
    }

    /// Has a server told what a run logged before: in place of what waits of it, or where nothing does. The run itself stays
    /// as it is.
    pub(crate) fn tell(&self, server: &str, run: &str, batches: &[Batch], anew: bool) -> Result<(), Error> {
        self.write(|tx| {
            if anew {
                outbox::delivered(tx, server, run, i64::MAX)?;
            }
            if outbox::pending(tx, server, run, 1)?.is_empty() {
                batches.iter().try_for_each(|batch| outbox::add(tx, server, run, batch))?;
            }
            Ok(())
        })
    }

    /// Finds the run that a server calls so.
    pub(crate) fn run_called(&self, server: &str, remote: &str) -> Result<Option<String>, Error> {
        self.read(|tx| outbox::run_called(tx, server, remote))
    }

    /// Lists the first `limit` of what a server has still to be told of a run.
    pub(crate) fn pending(&self, server: &str, run: &str, limit: usize) -> Result<Vec<Pending>, Error> {
        self.read(|tx| outbox::pending(tx, server, run, limit))
    }

    /// Lists the other servers that have still to be told something.
    pub(crate) fn waiting_elsewhere(&self, server: &str) -> Result<Vec<String>, Error> {
        self.read(|tx| outbox::elsewhere(tx, server))
    }

    /// Lists the pages that servers have of a run.
    pub fn pages(&self, run: &str) -> Result<Vec<String>, Error> {
        self.read(|tx| outbox::pages(tx, run))
    }

    /// Says whether runs of this store were ever told to a server.
    pub fn knows_a_server(&self) -> Result<bool, Error> {
        self.read(|tx| Ok(tx.prepare_cached("SELECT 1 FROM remote_runs LIMIT 1")?.exists([])?))
    }

    /// Counts what a server has still to be told of each run, and says why it takes no more of one.
    pub(crate) fn waiting(&self, server: &str) -> Result<Vec<(String, u64, Option<String>)>, Error> {
        self.read(|tx| outbox::waiting(tx, server))
    }

    /// Takes out what a server has of a run.
    pub(crate) fn delivered(&self, server: &str, run: &str, up_to: i64) -> Result<(), Error> {
        self.write(|tx| outbox::delivered(tx, server, run, up_to))
    }

    /// Says what a server calls a run; none where it was never asked to make it.
    pub(crate) fn remote_run(&self, server: &str, run: &str) -> Result<Option<RemoteRun>, Error> {
        self.read(|tx| outbox::remote(tx, server, run))
    }

    /// Keeps what a server calls a run.
    pub(crate) fn set_remote_run(&self, server: &str, run: &str, remote: &RemoteRun) -> Result<(), Error> {
        self.write(|tx| outbox::set_remote(tx, server, run, remote))
    }

    /// Lets a server be asked again for the runs that it refused.
    pub(crate) fn forgive(&self, server: &str) -> Result<(), Error> {
        self.write(|tx| outbox::forgive(tx, server))
    }

    /// Lists what happened to a model of a registry elsewhere, the oldest first.
    pub(crate) fn history_of(&self, registry: &str, model: &str) -> Result<Vec<HistoryEntry>, Error> {
        self.read(|tx| history::entries(tx, registry, model))
    }

    /// Adds an entry about a registry elsewhere to the history; gives its hash.
    pub(crate) fn append_history(
        &self,
        registry: &str,
        model: &str,
        version: Option<u32>,
        action: Action,
        effects: &[Effect],
        change: &Change,
    ) -> Result<Digest, Error> {
        self.write(|tx| history::append(tx, &history::Entry { registry, model, version, action, effects, change }))
    }

    /// Adds a run's decision to the history, unless it is there.
    pub(crate) fn append_decision(
        &self,
        registry: &str,
        model: &str,
        action: Action,
        change: &Change,
    ) -> Result<(), Error> {
        let entry = history::Entry { registry, model, version: None, action, effects: &[], change };
        self.write(|tx| history::append_once(tx, &entry))
    }

    /// Lists the whole history, of all models and registries, the oldest first.
    pub fn chain(&self) -> Result<Vec<HistoryEntry>, Error> {
        self.read(history::chain)
    }

    /// Returns the objects that artifacts' bytes lie in.
    pub(crate) fn objects(&self) -> &Arc<ObjectStore> {
        &self.objects
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic cut short was rolled back; the connection is as good as before.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transaction<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let mut connection = self.lock();
        let outcome = (|| {
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        outcome.map_err(|fault: Fault| fault.at(&self.path))
    }

    /// Reads one state of the store, however many queries it takes.
    fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, Error> {
        self.transaction(TransactionBehavior::Deferred, work)
    }

    /// Does all of it or nothing. The lock is taken at once, so that two writers wait instead of failing half-way.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, Error> {
        self.transaction(TransactionBehavior::Immediate, work)
    }

    /// Refuses a model whose files are not all stored and whole. Hashing them needs no lock.
    pub(crate) fn check_complete(&self, version: &NewVersion) -> Result<(), Error> {
        let folder = &version.artifact_path;
        let mut paths = Vec::new();
        let mut any = false;
        for artifact in self.artifacts(&version.run)? {
            let inside = artifact.path.strip_prefix(folder.as_str());
            if !inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                continue;
            }
            any = true;
            if !self.objects.verify(&artifact.digest)? {
                paths.push(artifact.path);
            }
        }
        if !any {
            paths.push(folder.clone());
        }
        if paths.is_empty() { Ok(()) } else { Err(Error::IncompleteModel { run: version.run.clone(), paths }) }
    }
}

impl Drop for EmbeddedStore {
    /// Leaves a short log as it is, for the next to read: putting its pages into the file and removing it takes four waits
    /// for the disk. Who only looked leaves a long one too.
    fn drop(&mut self) {
        let connection = self.lock();
        let only_looked = connection.query_row("PRAGMA query_only", [], |row| row.get::<_, bool>(0)).unwrap_or(false);
        if only_looked || open::log_bytes(&self.path) <= KEPT_LOG {
            // Where that can't be set, SQLite does the whole work.
            let _ = open::keep_log(&connection);
        }
    }
}

impl Tracking for EmbeddedStore {
    fn start_run(&self, run: &NewRun) -> Result<(), Error> {
        check_start(run)?;
        self.write(|tx| runs::start(tx, run))
    }

    fn log_params(&self, run: &str, params: &BTreeMap<String, String>) -> Result<(), Error> {
        check_params(params)?;
        self.write(|tx| runs::log_params(tx, run, params))
    }

    fn log_metrics(&self, run: &str, metrics: &[Metric]) -> Result<(), Error> {
        check_metrics(metrics)?;
        self.write(|tx| runs::log_metrics(tx, run, metrics))
    }

    fn set_tags(&self, run: &str, tags: &BTreeMap<String, String>) -> Result<(), Error> {
        check_tags(tags)?;
        self.write(|tx| runs::set_tags(tx, run, tags))
    }

    fn log_input(&self, run: &str, input: &Input) -> Result<(), Error> {
        self.write(|tx| runs::log_inputs(tx, run, std::slice::from_ref(input)))
    }

    fn log_artifact(&self, run: &str, path: &str, bytes: &[u8]) -> Result<Digest, Error> {
        check(Field::ArtifactPath, path)?;
        self.read(|tx| runs::expect_running(tx, run))?;
        let digest = self.objects.put(bytes)?;
        let artifact = ArtifactRecord { path: path.to_owned(), digest, size: bytes.len() as u64 };
        self.write(|tx| runs::log_artifacts(tx, run, &[artifact]))?;
        Ok(digest)
    }

    fn log_batch(&self, run: &str, batch: &Batch) -> Result<(), Error> {
        self.log_batch_for(run, batch, None)
    }

    fn read_artifact(&self, run: &str, path: &str) -> Result<Vec<u8>, Error> {
        let digest = self.read(|tx| runs::artifact(tx, run, path))?;
        Ok(self.objects.get(&digest)?)
    }

    fn folder_digests(&self, run: &str, folder: &str) -> Result<BTreeMap<String, Digest>, Error> {
        let mut digests = BTreeMap::new();
        for ArtifactRecord { path, digest, .. } in self.artifacts(run)? {
            if let Some(inside) = inside(&path, folder) {
                self.objects.size(&digest)?;
                digests.insert(inside.to_owned(), digest);
            }
        }
        Ok(digests)
    }

    fn artifacts(&self, run: &str) -> Result<Vec<ArtifactRecord>, Error> {
        self.read(|tx| runs::artifacts(tx, run))
    }

    fn artifacts_at(&self, path: &str) -> Result<Vec<(String, Digest)>, Error> {
        self.read(|tx| runs::artifacts_at(tx, path))
    }

    fn end_run(&self, run: &str, status: Status, ended_ms: i64, reason: Option<&Reason>) -> Result<(), Error> {
        self.write(|tx| runs::end(tx, run, status, ended_ms, reason))
    }

    fn run(&self, id: &str) -> Result<Option<RunRecord>, Error> {
        self.read(|tx| runs::get(tx, id))
    }

    fn find_run(&self, id: &str) -> Result<RunRecord, Error> {
        self.read(|tx| runs::find(tx, id))
    }

    fn runs(&self, limit: usize, status: Option<Status>) -> Result<Vec<RunRecord>, Error> {
        self.read(|tx| runs::list(tx, limit, status))
    }

    fn input_before(&self, run: &str, experiment: &str, input: &str) -> Result<Option<(String, Digest)>, Error> {
        self.read(|tx| runs::input_before(tx, run, experiment, input))
    }

    fn metric_history(&self, run: &str, key: &str) -> Result<Vec<Metric>, Error> {
        self.read(|tx| runs::metric_history(tx, run, key))
    }

    fn create_version(&self, model: &str, version: &NewVersion) -> Result<VersionRecord, Error> {
        check(Field::ModelName, model)?;
        self.check_complete(version)?;
        self.write(|tx| registry::create_version(tx, model, version))
    }

    fn transition(&self, model: &str, version: u32, stage: Stage, change: &Change) -> Result<VersionRecord, Error> {
        self.write(|tx| {
            registry::change(tx, model, version, Action::Transitioned, change, |now| now.stage(version, stage))
        })
    }

    fn set_alias(&self, model: &str, alias: &str, version: u32, change: &Change) -> Result<VersionRecord, Error> {
        check(Field::Alias, alias)?;
        self.write(|tx| registry::change(tx, model, version, Action::Aliased, change, |now| now.alias(alias, version)))
    }

    fn promote(&self, promotion: &Promotion) -> Result<Promoted, Error> {
        check(Field::ModelName, &promotion.model)?;
        check(Field::Alias, &promotion.alias)?;
        self.check_complete(&promotion.version)?;
        self.write(|tx| registry::promote(tx, promotion))
    }

    fn record_decision(&self, model: &str, action: Action, change: &Change) -> Result<(), Error> {
        check(Field::ModelName, model)?;
        self.append_decision("", model, action, change)
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
        self.write(|tx| {
            let effects = |now: &Standing| now.promote(version, stage, alias);
            registry::change(tx, model, version, Action::Promoted, change, effects)
        })
    }

    fn rollback(&self, model: &str, alias: &str, change: &Change) -> Result<VersionRecord, Error> {
        self.write(|tx| registry::rollback(tx, model, alias, change))
    }

    fn archive(&self, model: &str, version: u32, change: &Change) -> Result<VersionRecord, Error> {
        self.write(|tx| registry::change(tx, model, version, Action::Archived, change, |now| now.archive(version)))
    }

    fn find_version(&self, reference: &ModelReference) -> Result<Option<VersionRecord>, Error> {
        self.read(|tx| registry::find(tx, reference))
    }

    fn version_made(&self, model: &str, version: u32, digest: &Digest) -> Result<Option<VersionRecord>, Error> {
        self.read(|tx| {
            let own = registry::find(tx, &ModelReference::version(model, version))?;
            match own.filter(|own| own.digest == *digest) {
                Some(own) => Ok(Some(own)),
                None => history::made(tx, model, version, digest),
            }
        })
    }

    fn versions(&self, model: &str) -> Result<Vec<VersionRecord>, Error> {
        self.read(|tx| registry::versions(tx, model))
    }

    fn models(&self) -> Result<Vec<ModelRecord>, Error> {
        self.read(registry::models)
    }

    fn history(&self, model: &str) -> Result<Vec<HistoryEntry>, Error> {
        self.read(|tx| history::entries(tx, "", model))
    }

    fn verify_history(&self) -> Result<(), Error> {
        self.read(history::verify)
    }

    fn head(&self, model: &str) -> Result<Digest, Error> {
        self.read(|tx| registry::head(tx, model))
    }

    fn reference_uses(&self, split_version: u32, reference: &Digest) -> Result<u64, Error> {
        self.read(|tx| runs::reference_uses(tx, split_version, reference))
    }
}

fn check_start(run: &NewRun) -> Result<(), Error> {
    check(Field::Run, &run.run)?;
    check(Field::Experiment, &run.experiment)?;
    check_tags(&run.tags)
}

fn check_params(params: &BTreeMap<String, String>) -> Result<(), Error> {
    params.keys().try_for_each(|key| check(Field::ParamKey, key))
}

fn check_metrics(metrics: &[Metric]) -> Result<(), Error> {
    metrics.iter().try_for_each(|metric| check(Field::MetricKey, &metric.key))
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    tags.keys().try_for_each(|key| check(Field::TagKey, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainyard_files::DiskIo;

    fn store(dir: &Path) -> EmbeddedStore {
        EmbeddedStore::open(dir, Arc::new(ObjectStore::open(Arc::new(DiskIo), dir.join("objects")))).unwrap()
    }

    fn run(id: &str) -> NewRun {
        let experiment = "churn".to_owned();
        NewRun { run: id.to_owned(), experiment, name: String::new(), tags: BTreeMap::new(), started_ms: 0 }
    }

    #[test]
    fn a_full_disk_is_called_so_and_the_store_goes_on_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        store.start_run(&run("a")).unwrap();
        let pages: i64 = store.read(|tx| Ok(tx.query_row("PRAGMA page_count", [], |row| row.get(0))?)).unwrap();
        let limit = |pages: i64| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            store.lock().query_row(&sql, [], |_| Ok(())).unwrap();
        };
        limit(pages);
        let params: BTreeMap<String, String> = (0..50).map(|number| (format!("p{number}"), "x".repeat(5000))).collect();
        assert!(matches!(store.log_params("a", &params), Err(Error::Full { .. })));
        assert!(store.run("a").unwrap().unwrap().params.is_empty());
        limit(1_000_000);
        store.log_params("a", &params).unwrap();
        assert_eq!(store.run("a").unwrap().unwrap().params, params);
        store.check().unwrap();
    }

    #[test]
    fn what_is_committed_is_forced_to_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let pragma = |name: &str| -> String {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            store.read(|tx| Ok(tx.query_row(&sql, [], |row| row.get(0))?)).unwrap()
        };
        // 2 is FULL.
        assert_eq!((pragma("synchronous"), pragma("journal_mode")), ("2".to_owned(), "wal".to_owned()));
    }

    #[test]
    fn a_panic_inside_a_transaction_undoes_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write(|tx| -> Result<(), Fault> {
                runs::start(tx, &run("a"))?;
                panic!("in the middle")
            })
        }));
        assert!(outcome.is_err());
        assert_eq!(store.run("a").unwrap(), None);
        store.start_run(&run("a")).unwrap();
    }

    #[test]
    fn a_folder_that_may_not_be_written_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("50% of? #odd é");
        let (path, log) = (odd.join(FILE_NAME), odd.join(format!("{FILE_NAME}-wal")));
        let files = || {
            let names = std::fs::read_dir(&odd).unwrap().map(|entry| entry.unwrap().path());
            names.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect::<BTreeMap<PathBuf, Vec<u8>>>()
        };
        let runs = || {
            let connection = open::unshared(&path).ok().flatten().unwrap();
            connection.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        let store = store(&odd);
        store.start_run(&run("a")).unwrap();
        drop(store);
        assert!(log.exists(), "a short log stays");
        // The notes of readers may be lost on the way to here.
        std::fs::remove_file(odd.join(format!("{FILE_NAME}-shm"))).unwrap();
        let before = files();
        assert_eq!((runs(), files()), (1, before), "reading changed something");
        // Another program puts the log's pages into the file.
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM runs", [], |_| Ok(())).unwrap();
        assert!(!log.exists());
        let before = files();
        assert_eq!((runs(), files()), (1, before), "reading changed something");
    }

    #[test]
    fn a_log_stays_as_long_as_it_is_short() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let lengths: Vec<u64> = (0..200)
            .map(|number| {
                store(dir.path()).start_run(&run(&format!("r{number}"))).unwrap();
                open::log_bytes(&path)
            })
            .collect();
        assert!(lengths.iter().all(|length| *length <= KEPT_LOG), "{lengths:?}");
        assert!(lengths.windows(2).any(|pair| pair[1] < pair[0]), "nothing was put into the file: {lengths:?}");
        assert_eq!(store(dir.path()).runs(1000, None).unwrap().len(), 200);
    }
}
