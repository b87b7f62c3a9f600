//! Runs and the model registry, behind one trait.
//!
//! Times that are recorded are handed in by callers; a clock is read here only to wait. Nothing that was logged is ever
//! deleted.

mod embedded;
mod error;
mod history;
mod limits;
mod mlflow;
mod reference;
mod registry;
mod run;
mod tracking;

pub use embedded::{EmbeddedStore, FILE_NAME, SCHEMA_VERSION};
pub use error::{Error, HistoryFault};
pub use history::{Action, Effect, HistoryEntry};
pub use limits::{Field, check_artifact_path};
pub use mlflow::{MlflowServer, MlflowStore, ServerError, Undelivered, Waiting};
pub use reference::{ModelReference, Which};
pub use registry::{Change, ModelRecord, NewVersion, PREVIOUS, Promoted, Promotion, VersionRecord, parse_stage};
pub use run::{ArtifactRecord, Batch, End, Input, Metric, NewRun, Reason, RunRecord, Status};
pub use tracking::Tracking;
