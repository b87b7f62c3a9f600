//! The records of finished steps.

use std::path::PathBuf;
use std::sync::Arc;

use trainyard_files::{Io, ObjectStore};
use trainyard_pipeline::engine::{Cache, Record};

use crate::memory::Memory;

/// Checks one record.
pub fn check(input: &[u8]) {
    let memory = Arc::new(Memory::with("cache/step/latest.json", input));
    let cache = cache(&memory);
    assert!(cache.knows("step"));
    let Some(record) = cache.latest("step") else { return };
    let kept = Arc::new(Memory::default());
    let cache = self::cache(&kept);
    cache.keep(&record).expect("memory can be written");
    assert_eq!(cache.latest(&record.step).as_ref().map(text), Some(text(&record)));
    assert_eq!(cache.stored(&record.step, &record.key).as_ref().map(text), Some(text(&record)));
    // No object lies in the store: only a record of none may stand for a run of its step.
    let whole = record.output.artifacts.is_empty() && record.output.logged.files.is_empty();
    assert_eq!(cache.damaged(&record).is_none(), whole);
    assert_eq!(cache.find(&record.step, &record.key).is_some(), whole);
}

/// Gives a record as a text, in which a number that is none equals itself.
fn text(record: &Record) -> String {
    serde_json::to_string(record).expect("a record is JSON")
}

fn cache(memory: &Arc<Memory>) -> Cache {
    let io: Arc<dyn Io> = Arc::<Memory>::clone(memory);
    let objects = Arc::new(ObjectStore::open(Arc::clone(&io), PathBuf::from("objects")));
    Cache::new(io, PathBuf::from("cache"), objects)
}
