//! The commands of searches.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with searches.
#[derive(Debug, Subcommand)]
pub(crate) enum Tune {
    /// Lists the trials, the best first
    #[command(after_help = "EXAMPLES:
  trainyard tune show
  trainyard tune show 7f3a --search gradient_boosting --limit 50
  trainyard tune show --file optuna.journal --json")]
    Show {
        #[command(flatten)]
        which: Which,
        /// The most trials; 0 for all
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: usize,
    },
    /// Writes the values of the best trial
    #[command(after_help = "EXAMPLES:
  trainyard tune best
  trainyard tune best 7f3a --json")]
    Best(Which),
    /// Says which parameters matter: the share of the spread that each explains
    #[command(after_help = "EXAMPLES:
  trainyard tune importance
  trainyard tune importance --file optuna.journal --search study")]
    Importance(Which),
    /// Writes a search as a journal that optuna.load_study opens and continues
    #[command(after_help = "EXAMPLES:
  trainyard tune export --out study.journal
  trainyard tune export 7f3a --search gradient_boosting --out study.journal

In Python:
  storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend('study.journal'))
  study = optuna.load_study(study_name='gradient_boosting', storage=storage)")]
    Export {
        #[command(flatten)]
        which: Which,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Which search.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The run [default: the latest that has a search]
    #[arg(value_name = "RUN", conflicts_with = "file")]
    pub(crate) run: Option<String>,
    /// The search, which has the name of its candidate; of a file, the study [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) search: Option<String>,
    /// An Optuna journal instead of a run
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
