//! The commands of gates.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::moment;

/// What to ask of gates.
#[derive(Debug, Subcommand)]
pub(crate) enum Gate {
    /// Judges the decisions of past runs again by another policy, without training
    #[command(after_help = "EXAMPLES:
  trainyard gate replay stricter.yaml
  trainyard gate replay trainyard.yaml --model churn --since 2026-01-31 --changed
  trainyard gate replay trainyard.yaml --set promote.minimum_gain=0.005 --json

The file has `gates`, `promote` or both, as trainyard.yaml has them; a whole trainyard.yaml is
taken, too, and only these sections of it are read. One that is left out is as it was in each run.
Every decision is judged by itself, against the model that stood there then, by what was recorded;
what was not is computed from the stored models and the stored reference test. Changes by hand are
counted and left alone. Nothing is written.")]
    Replay(Replay),
}

/// Arguments of `gate replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The policy
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only decisions about this model [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Only decisions from this moment on: a date, or a date and a time, without a zone in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<i64>,
    /// Shows only decisions that would have been others
    #[arg(long)]
    pub(crate) changed: bool,
}
