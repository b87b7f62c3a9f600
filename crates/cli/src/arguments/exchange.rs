//! The command that brings runs of a server into the project.

use clap::Args;

/// Which runs of which server are brought.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The server's address, as http://HOST:PORT or https://HOST
    #[arg(value_name = "SERVER")]
    pub(crate) from: String,
    /// Only the runs of an experiment; may be given again
    #[arg(long = "experiment", value_name = "NAME", conflicts_with = "runs")]
    pub(crate) experiments: Vec<String>,
    /// Only the runs that meet a filter, in MLflow's language
    #[arg(long = "where", value_name = "FILTER", conflicts_with = "runs")]
    pub(crate) filter: Option<String>,
    /// Only a run, by the server's id of it; may be given again
    #[arg(long = "run", value_name = "ID")]
    pub(crate) runs: Vec<String>,
}
