//! The store on real files: runs, registry, history, faults and dying processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crash;
mod error;
mod exchange;
mod given;
mod history;
mod mlflow;
mod mlruns;
mod query;
mod reference;
mod registry;
mod runs;
mod search;
mod store;
