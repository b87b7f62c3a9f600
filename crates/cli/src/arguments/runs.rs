//! The commands of runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use trainyard_tracking::Status;

/// What to see of runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// Lists runs, the newest first, or those that a filter lets through
    #[command(after_help = "EXAMPLES:
  trainyard runs list
  trainyard runs list --limit 5 --status refused
  trainyard runs list --where \"metrics.reference_roc_auc > 0.8 and params.model_version = '1'\"
  trainyard runs list --where \"tags.team = 'growth'\" --order-by \"metrics.reference_roc_auc desc\"
  trainyard runs list --where \"status = 'finished'\" --limit 1000 --output runs.parquet

A filter is MLflow's: conditions joined by `and`, of metrics.NAME with > >= = != < <=, of params.NAME and
tags.NAME with = != LIKE ILIKE, of attributes (run_id, run_name, experiment, status, start_time, end_time)
and of datasets.name and datasets.digest with IN and NOT IN too; all with IS NULL and IS NOT NULL.")]
    List {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Only those that stand so: running, finished, failed, killed or refused
        #[arg(long, value_parser = status)]
        status: Option<Status>,
        /// Only those that meet a filter
        #[arg(long = "where", value_name = "FILTER")]
        filter: Option<String>,
        /// What they are ordered by, with asc or desc, between commas [default: the newest first]
        #[arg(long, value_name = "NAMES")]
        order_by: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Answers a SELECT over runs, params, metrics, tags, models and their history
    #[command(after_help = "EXAMPLES:
  trainyard runs sql \"SELECT run_id, status, seconds FROM runs ORDER BY start_time DESC LIMIT 5\"
  trainyard runs sql \"SELECT run_id, metric_value FROM mlflow_metrics WHERE metric_name = 'reference_roc_auc'\"
  trainyard runs sql --file history.sql --output history.parquet
  echo 'SELECT model, alias, version FROM aliases' | trainyard runs sql - --csv

The tables: runs, params, tags, metrics (every step), latest_metrics, inputs, artifacts, models, versions,
aliases, history, mlflow_metrics. The SQL is SQLite's; nothing can be written by it.")]
    Sql {
        /// The query; - reads it from the standard input
        #[arg(value_name = "SELECT", required_unless_present = "file", allow_hyphen_values = true)]
        query: Option<String>,
        /// A file that holds the query
        #[arg(long, value_name = "FILE", conflicts_with = "query")]
        file: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Shows a run's parameters, metrics, inputs and artifacts
    #[command(after_help = "EXAMPLES:
  trainyard runs show 7f3a")]
    Show {
        /// The run, or the beginning of its id
        run: String,
    },
    /// Puts runs side by side: metrics with their intervals, parameters, data and code; what differs first
    #[command(after_help = "EXAMPLES:
  trainyard runs compare 7f3a 91c0
  trainyard runs compare 7f3a 91c0 c0de --csv > compared.csv")]
    Compare {
        /// The runs, or the beginnings of their ids
        #[arg(value_name = "RUN", required = true, num_args = 2..)]
        runs: Vec<String>,
        #[command(flatten)]
        output: Output,
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

/// As what rows are written, and where to.
#[derive(Debug, Default, Args)]
pub(crate) struct Output {
    /// Writes CSV in place of a table
    #[arg(long)]
    pub(crate) csv: bool,
    /// Writes a file that ends in .csv, .json, .jsonl or .parquet
    #[arg(long, value_name = "FILE", conflicts_with = "csv")]
    pub(crate) output: Option<PathBuf>,
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| "expected running, finished, failed, killed or refused".to_owned())
}
