//! The commands of runs.

use clap::Subcommand;
use trainyard_tracking::Status;

/// What to see of runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// Lists runs, the newest first
    #[command(after_help = "EXAMPLES:
  trainyard runs list
  trainyard runs list --limit 5 --status refused")]
    List {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Only those that stand so: running, finished, failed, killed or refused
        #[arg(long, value_parser = status)]
        status: Option<Status>,
    },
    /// Shows a run's parameters, metrics, inputs and artifacts
    #[command(after_help = "EXAMPLES:
  trainyard runs show 7f3a")]
    Show {
        /// The run, or the beginning of its id
        run: String,
    },
    /// Puts two runs side by side
    #[command(after_help = "EXAMPLES:
  trainyard runs compare 7f3a 91c0")]
    Compare {
        /// The one
        a: String,
        /// The other
        b: String,
    },
    /// Tells the tracking server what it could not be told before
    #[command(after_help = "EXAMPLES:
  trainyard runs sync
  trainyard runs sync --patience 600

Runs that the server refused are tried again, too.")]
    Sync {
        /// How many seconds to wait for a server that does not get on
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        patience: u32,
    },
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| "expected running, finished, failed, killed or refused".to_owned())
}
