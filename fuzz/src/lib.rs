//! What every reader of bytes holds, whatever the bytes: no panic, every place inside its text, and what is read comes
//! back the same when it is written and read again.
//!
//! Each module checks one reader; `fuzz_targets/` hands its inputs to libFuzzer, `tests/corpus.rs` replays them without.

pub mod cache;
pub mod condition;
pub mod csv;
pub mod date;
pub mod expression;
pub mod images;
pub mod journal;
mod memory;
pub mod model;
pub mod parquet;
mod places;
pub mod record;
pub mod spec;
pub mod study;
pub mod suite;

/// A reader's name, which its target and the folder of its corpus share, and the check of one input.
pub type Target = (&'static str, fn(&[u8]));

/// Every reader.
pub const TARGETS: &[Target] = &[
    ("cache", cache::check),
    ("condition", condition::check),
    ("csv", csv::check),
    ("date", date::check),
    ("expression", expression::check),
    ("images", images::check),
    ("journal", journal::check),
    ("model", model::check),
    ("parquet", parquet::check),
    ("record", record::check),
    ("spec", spec::check),
    ("study", study::check),
    ("suite", suite::check),
];
