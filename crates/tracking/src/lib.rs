//! Runs and the model registry, behind one trait.
//!
//! Times that are recorded are handed in by callers; a clock is read here only to wait. Nothing that was logged is ever
//! deleted.

mod embedded;
mod error;
mod history;
mod limits;
mod mlflow;
mod mlruns;
mod reference;
mod registry;
mod run;
mod search;
mod standing;
mod tracking;

pub use embedded::{Answer, Cell, EmbeddedStore, FILE_NAME, QueryError, SCHEMA_VERSION, VIEWS, View};
pub use error::{Error, HistoryFault};
pub use history::{Action, Effect, HistoryEntry};
pub use limits::{Field, PARAM_VALUE_LIMIT, TAG_VALUE_LIMIT, check_artifact_path};
pub use mlflow::{
    Answered, Brought, BroughtModel, Fetched, FetchedRun, Fetching, IMPORTED_TAG, MlflowServer, MlflowStore,
    ServerError, Undelivered, Waiting,
};
pub use mlruns::{ExportError, Exported, export_mlruns};
pub use reference::{ModelReference, Which};
pub use registry::{
    Change, Meanwhile, ModelRecord, NewVersion, PREVIOUS, Promoted, Promotion, VersionRecord, parse_stage,
};
pub use run::{ArtifactRecord, Batch, End, Input, Metric, NewRun, Reason, RunRecord, Status};
pub use search::{
    Attribute, Condition, Dataset, FilterError, Order, OrderBy, Search, Subject, Test, parse_filter, parse_order,
};
pub use standing::{Held, Standing};
pub use tracking::Tracking;
