//! The DAG runner. It names no concrete step: a step declares what it reads, the engine decides when it runs.
//!
//! Never: knows a spec, a table or a model; prints; reads a clock for anything that is hashed.

mod cache;
mod event;
mod graph;
mod journal;
mod resume;
mod runner;
mod scope;
mod step;
mod why;

pub use cache::Cache;
pub use event::{Cancel, Event, Reporter, Silent, StepStatus};
pub use graph::{Graph, GraphError};
pub use journal::{Entry, Journal, JournalError};
pub use resume::still_done;
pub use runner::{Done, Engine, Finished, Outcome, Sink};
pub(crate) use runner::{journal_problem, start_threads, threads_refused};
pub use scope::Scope;
pub use step::{Failure, Input, Logged, Output, Read, Record, Step, key};
pub use why::{Action, Planned, plan};
