//! Stored results of steps, found by key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use trainyard_files::{Digest, Error, Io, ObjectStore, write_atomic};

use super::Record;

/// Finds and keeps the records of finished steps; their artifacts lie in the object store.
///
/// A record that was read once is known to the cache and its clones from then on, as one command needs it twice: to say
/// what would run, and to run. Its objects are looked at each time.
#[derive(Debug, Clone)]
pub struct Cache {
    io: Arc<dyn Io>,
    folder: PathBuf,
    objects: Arc<ObjectStore>,
    known: Arc<Mutex<BTreeMap<PathBuf, Record>>>,
}

impl Cache {
    /// Opens the cache in `folder`, which is made when the first record is kept.
    pub fn new(io: Arc<dyn Io>, folder: PathBuf, objects: Arc<ObjectStore>) -> Cache {
        Cache { io, folder, objects, known: Arc::default() }
    }

    /// Gives the record under `key` when it can be read and each object of it is intact.
    ///
    /// A damaged record or object counts as absent: the step runs again and puts it right.
    pub fn find(&self, step: &str, key: &Digest) -> Option<Record> {
        let path = self.path(step, key);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        let is_new = known.is_none();
        let record = known.or_else(|| self.read(path.clone()))?;
        let whole = record.step == step && record.key == *key && self.damaged(&record).is_none();
        if whole && is_new {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(path, record.clone());
        }
        whole.then_some(record)
    }

    /// Names the first object of a record that is absent or damaged.
    pub fn damaged(&self, record: &Record) -> Option<String> {
        let objects = record.output.artifacts.iter().chain(&record.output.logged.files);
        objects
            .into_iter()
            .find(|(_, digest)| !self.objects.verify(digest).unwrap_or(false))
            .map(|(name, _)| name.clone())
    }

    /// Keeps a record under its key and as the latest of its step.
    pub fn keep(&self, record: &Record) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(record).unwrap_or_default();
        let path = self.path(&record.step, &record.key);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&path);
        write_atomic(&*self.io, &path, &bytes)?;
        write_atomic(&*self.io, &self.folder.join(&record.step).join("latest.json"), &bytes)
    }

    /// Gives the latest record of a step, whole or not, to tell what changed since.
    pub fn latest(&self, step: &str) -> Option<Record> {
        self.read(self.folder.join(step).join("latest.json"))
    }

    /// Says whether a step has ever left a record, readable or not.
    pub fn knows(&self, step: &str) -> bool {
        self.io.exists(&self.folder.join(step).join("latest.json"))
    }

    /// Reads the record under `key` without looking at its objects.
    pub fn stored(&self, step: &str, key: &Digest) -> Option<Record> {
        self.read(self.path(step, key))
    }

    fn read(&self, path: PathBuf) -> Option<Record> {
        serde_json::from_slice(&self.io.read(&path).ok()?).ok()
    }

    fn path(&self, step: &str, key: &Digest) -> PathBuf {
        self.folder.join(step).join(format!("{key}.json"))
    }
}
