//! When: the engine that plans, caches, journals and resumes, and the steps it runs.
//!
//! [`engine`] names no concrete step; the steps call modules; the functions here are what a face calls.
//!
//! Never: prints; lets a clock, an id or a path into anything hashed.

mod bundle;
mod code;
mod difference;
mod doctor;
pub mod engine;
mod exchange;
mod files_query;
mod gate_replay;
mod given;
mod init;
mod lineage;
mod look;
mod predict;
mod project;
mod registry;
mod report;
mod session;
mod sink;
mod steps;
mod stores;
mod studies;
mod sync;
mod used_data;
mod verify;

pub use bundle::{BUNDLE, ExportReport, export};
pub use difference::Difference;
pub use doctor::{Examination, Finding, Health, examine};
pub use engine::{Cancel, Event, Failure as StepFailure, Planned, Reporter, Silent, StepStatus};
pub use exchange::{Sent, fetch, send};
pub use gate_replay::{GateReplay, Rejudged, replay_gates};
pub use given::{Asked, Given, given, pass_over};
pub use init::{Init, InitReport, init};
pub use lineage::{Branch, Direction, Kind as LineageKind, Lineage, lineage, open_lineage};
pub use look::{
    CheckReport, PlanReport, RunState, WhyReport, check, is_project, plan, read_options, registry, run_states,
    step_codes, tracking, why,
};
pub use predict::{Predictions, predict};
pub use project::{Request, read_policy};
pub use registry::{AuditReport, ByHand, Changed, as_of, audit, promote_version, put_away, roll_back};
pub use report::{GateLine, RunResult, StepLine, figure};
pub use session::{Failure, StepReport, resume, run, step};
pub use studies::{Studies, studies, study_of_file};
pub use sync::{Synced, sync};
pub use trainyard_sources::Runtime;
pub use used_data::{UsedBy, runs_by_data};
pub use verify::{Replay, Verified, VerifyReport, verify, verify_bundle};
