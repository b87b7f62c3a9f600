//! Studies as Optuna's journal file: JSON lines, one operation each.
//!
//! [`write`] gives the journal of a study, which `optuna.load_study` opens and continues; [`read`] reads one, ours or
//! Optuna's; a [`Log`] gives the lines that keep a file up to date while a study runs. What a study knows beyond Optuna
//! stands in user attributes whose keys begin with `trainyard:`. Text in, text out: files and locks are the caller's.

mod choices;
mod json;
mod read;
mod write;

pub use read::{Read, read};
pub use write::{Log, write};

/// The study attribute with the space, conditions and all.
const SPACE: &str = "trainyard:space";
/// The study attribute that says when and why the study stopped.
const STOPPED: &str = "trainyard:stopped";
/// The trial attribute with the values of the parts.
const PARTS: &str = "trainyard:parts";
/// The trial attribute with the reason of the state.
const REASON: &str = "trainyard:reason";
/// The trial attribute with the steps at which rungs were completed.
const RUNGS: &str = "trainyard:rungs";
/// What Optuna's successive halving writes before the number of a rung.
const RUNG: &str = "completed_rung_";

/// What an operation does: the numbers of Optuna's journal.
mod operation {
    pub(super) const CREATE_STUDY: u64 = 0;
    pub(super) const DELETE_STUDY: u64 = 1;
    pub(super) const STUDY_USER: u64 = 2;
    pub(super) const STUDY_SYSTEM: u64 = 3;
    pub(super) const CREATE_TRIAL: u64 = 4;
    pub(super) const PARAMETER: u64 = 5;
    pub(super) const STATE: u64 = 6;
    pub(super) const REPORT: u64 = 7;
    pub(super) const TRIAL_USER: u64 = 8;
    pub(super) const TRIAL_SYSTEM: u64 = 9;
    /// Written by Optuna's port to Rust, passed over by Optuna.
    pub(super) const DISCARD: u64 = 10;
}
