//! Numbers that JSON has no word for.

use std::collections::BTreeMap;
use std::sync::Arc;

use trainyard_files::{Digest, DiskIo};
use trainyard_pipeline::engine::{Entry, Journal, Logged, Output, Record};

use crate::given::World;

fn record() -> Record {
    let values = [0.1 + 0.2, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300];
    let metrics = values.iter().enumerate().map(|(step, value)| ("loss".to_owned(), step as i64, *value)).collect();
    Record {
        step: "evaluate".to_owned(),
        key: Digest::of(b"key"),
        code: Digest::of(b"code"),
        inputs: Vec::new(),
        output: Output {
            measurements: BTreeMap::from([("latency".to_owned(), f64::NAN), ("seconds".to_owned(), 0.25)]),
            logged: Logged { metrics, ..Logged::default() },
            ..Output::default()
        },
        run: "r".to_owned(),
    }
}

fn bits(record: &Record) -> Vec<u64> {
    let metrics = record.output.logged.metrics.iter().map(|(_, _, value)| value);
    metrics.chain(record.output.measurements.values()).map(|value| value.to_bits()).collect()
}

#[test]
fn an_undefined_metric_leaves_the_journal_readable() {
    let world = World::new();
    let journal = Journal::open(Arc::new(DiskIo), world.journal());
    journal.write(&[Entry::StepDone { record: Box::new(record()), cached: false, seconds: 0.5 }]).unwrap();
    let done = Journal::done(&world.entries());
    assert_eq!(bits(&done["evaluate"].0), bits(&record()));
}

#[test]
fn an_undefined_metric_leaves_the_cache_usable() {
    let world = World::new();
    world.cache().keep(&record()).unwrap();
    let found = world.cache().find("evaluate", &record().key).unwrap();
    assert_eq!(bits(&found), bits(&record()));
    assert_eq!(bits(&world.cache().latest("evaluate").unwrap()), bits(&record()));
}
