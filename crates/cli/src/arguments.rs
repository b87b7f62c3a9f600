//! The command line as typed.

mod exchange;
mod gate;
mod models;
mod runs;
mod shared;
mod synth;
mod tune;
mod versioned;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use exchange::Import;
pub(crate) use gate::{Gate, Replay};
pub(crate) use models::Models;
pub(crate) use runs::{Output, Runs};
pub(crate) use shared::Shared;
pub(crate) use synth::{Columns, Digits, Format, Synth};
pub(crate) use tune::{Tune, Which};
pub(crate) use versioned::Versioned;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "trainyard",
    version,
    about = "From a table to a gated, compared and promoted model, the same way every time",
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "EXAMPLES:
  trainyard init churn --from customers.csv --target Churn
  trainyard run churn
  trainyard predict --project churn --model churn --input new.csv

Exit codes: 0 done, 1 something that you can fix, 2 wrong command line, 3 a gate said no,
70 a defect of Trainyard, 130 interrupted."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The project's folder, or its trainyard.yaml [default: the current folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// An environment out of environments/ [default: the variable TRAINYARD_ENV]
    #[arg(long = "env", global = true, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Replaces a value of the spec, such as data.source=new.csv; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) overrides: Vec<(String, String)>,
    /// How many threads work at most; results do not depend on it [default: one per processor]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Prints one JSON document on stdout, and events as JSON lines on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Prints no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Prints more of what happens
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, such as data.source=new.csv".to_owned()),
    }
}

/// Which versions to use instead of the active ones.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Choose {
    /// The version of the split [default: the active one]
    #[arg(long, value_name = "N")]
    pub(crate) split: Option<u32>,
    /// The version of the features [default: the active one]
    #[arg(long, value_name = "N")]
    pub(crate) features: Option<u32>,
    /// The version of the model [default: the active one]
    #[arg(long, value_name = "N")]
    pub(crate) model: Option<u32>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a project for a table, complete and ready to run
    #[command(after_help = "EXAMPLES:
  trainyard init churn --from customers.csv --target Churn
  trainyard init churn --from customers.csv --target Churn --positive Yes --key customerID
  trainyard init digits --from digits.csv --target digit --task multiclass")]
    Init(Init),
    /// Writes a synthetic table whose truth is known
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "EXAMPLES:
  trainyard synth churn --rows 7043 --seed 1 --output customers.csv
  trainyard synth classification --rows 10000 --balance 0.1 --output rare.parquet"
    )]
    Synth {
        #[command(subcommand)]
        table: Synth,
    },
    /// Says whether the project could run: everything that is knowable without training
    #[command(after_help = "EXAMPLES:
  trainyard check
  trainyard check examples/churn --set data.source=new.csv")]
    Check(Project),
    /// Lists the steps, and which of them would run
    #[command(after_help = "EXAMPLES:
  trainyard plan
  trainyard plan --features 2 --json")]
    Plan(Project),
    /// Runs the project: split, features, training, evaluation, gates, comparison, promotion
    #[command(after_help = "EXAMPLES:
  trainyard run
  trainyard run examples/churn
  trainyard run --split 1 --features 2 --model 1
  trainyard run --env production --json > result.json
  trainyard run --as-of 2026-01-31T06:00:00")]
    Run {
        #[command(flatten)]
        project: Project,
        /// What expectations that ask for now() take for it, in UTC [default: the run's begin]
        #[arg(long, value_name = "TIME", value_parser = moment)]
        as_of: Option<i64>,
    },
    /// Goes on with a run that was interrupted or failed
    #[command(after_help = "EXAMPLES:
  trainyard resume
  trainyard resume 7f3a")]
    Resume {
        /// The run [default: the latest that can go on]
        run: Option<String>,
    },
    /// Runs one step of a run, for schedulers that drive the steps themselves
    #[command(after_help = "EXAMPLES:
  trainyard step resolve --run nightly-1
  trainyard step ingest --run nightly-1
  trainyard step validate --run nightly-1
  trainyard step train --run nightly-1 --json

The steps: resolve begins the run; then ingest, validate, drift, split, version, features, baseline,
tune, train, calibrate, evaluate, explain, gate, compare, promote, without those that the project leaves out.")]
    Step {
        /// The step, such as validate
        name: String,
        /// The run that it belongs to; the first step of a new run makes it
        #[arg(long)]
        run: String,
        /// What expectations that ask for now() take for it, in UTC, for the step that begins the run
        /// [default: the run's begin]
        #[arg(long, value_name = "TIME", value_parser = moment)]
        as_of: Option<i64>,
        #[command(flatten)]
        choose: Choose,
    },
    /// Says why a step would run, or why not
    #[command(after_help = "EXAMPLES:
  trainyard why train
  trainyard why features --features 2")]
    Why {
        /// The step
        step: String,
        #[command(flatten)]
        choose: Choose,
    },
    /// Replays a run, or a bundle of one, and compares every byte that it made
    #[command(after_help = "EXAMPLES:
  trainyard verify 7f3a
  trainyard verify 7f3a --at 1,2,8
  trainyard verify run.tar.zst

A bundle needs no project and no network: `trainyard export` writes one.")]
    Verify {
        /// The run, or the file of a bundle
        #[arg(value_name = "RUN|BUNDLE")]
        run: String,
        /// The numbers of threads to replay at
        #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2,8",
              value_parser = clap::value_parser!(u16).range(1..=1024))]
        at: Vec<u16>,
    },
    /// Writes a run into one file that `verify` repeats, or runs into MLflow's folder or server
    #[command(
        override_usage = "trainyard export [OPTIONS] <RUN> <BUNDLE.tar.zst>
       trainyard export [OPTIONS] --to <DIR|SERVER> [RUN]...",
        after_help = "EXAMPLES:
  trainyard export 7f3a run.tar.zst
  trainyard export 7f3a run.tar.zst --whole
  trainyard verify run.tar.zst
  trainyard export --to mlruns
  trainyard export --to mlruns 7f3a 91c0
  trainyard export --to http://mlflow.example:5000

The bundle holds the configuration and the version files, the data that was read, the expectations, the model
that the candidate was compared with, the run's journal and the digest of every artifact; of an engine only the
name and the digest of its library. The same run gives the same bytes.

The folder of --to holds experiments, runs with the whole history of their metrics, data sets, artifacts and
registered models, as MLflow's store of files has them: its client and its pages open it with
MLFLOW_ALLOW_FILE_STORE=true and the tracking URI file:///…/mlruns.

An MLflow server gets the same over its REST API, with the versions of registered models, their stages and
aliases. Again brings what is missing there: nothing is there twice. Who asks, and whom to trust, say the
variables MLFLOW_TRACKING_…"
    )]
    Export {
        /// The run; with --to any number, all where none is named
        #[arg(value_name = "RUN", required_unless_present = "to")]
        run: Option<String>,
        /// The file to write
        #[arg(value_name = "BUNDLE.tar.zst", required_unless_present = "to")]
        bundle: Vec<PathBuf>,
        /// Holds the bytes of every artifact, tables and large ones too
        #[arg(long, conflicts_with = "to")]
        whole: bool,
        /// The folder to write runs into, as MLflow's store of files, which may not be there or has to be empty; or the
        /// address of an MLflow server
        #[arg(long, value_name = "DIR|SERVER")]
        to: Option<String>,
    },
    /// Brings runs of an MLflow server into the project
    #[command(after_help = "EXAMPLES:
  trainyard import http://mlflow.example:5000
  trainyard import http://mlflow.example:5000 --experiment churn
  trainyard import http://mlflow.example:5000 --where \"metrics.accuracy > 0.8 and tags.team = 'growth'\"
  trainyard import http://mlflow.example:5000 --run 3f0c9a1be2d84e6f8a7b5c4d3e2f1a0b

Each run comes with its params, tags, data sets, the whole history of its metrics, artifacts and models, or not
at all; what is here already is not read again. The tag trainyard.imported names its page on the server. Who asks,
and whom to trust, say the variables MLFLOW_TRACKING_…")]
    Import(Import),
    /// Says what something was made from, and what was made of it
    #[command(after_help = "EXAMPLES:
  trainyard lineage latest
  trainyard lineage churn@champion --up
  trainyard lineage data/raw/customers.csv --down
  trainyard lineage 7f3a --format mermaid --output lineage.mmd
  trainyard lineage churn/3 --format openlineage --output events.jsonl")]
    Lineage(Lineage),
    /// Looks at runs
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "EXAMPLES:
  trainyard runs list
  trainyard runs list --where \"metrics.reference_roc_auc > 0.8\"
  trainyard runs sql \"SELECT run_id, status, seconds FROM runs\"
  trainyard runs show 7f3a
  trainyard runs compare 7f3a 91c0"
    )]
    Runs {
        #[command(subcommand)]
        action: Runs,
    },
    /// Looks at searches for parameters
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "EXAMPLES:
  trainyard tune show
  trainyard tune best 7f3a
  trainyard tune export --out study.journal"
    )]
    Tune {
        #[command(subcommand)]
        action: Tune,
    },
    /// Looks at registered models, promotes them and takes that back
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "EXAMPLES:
  trainyard models list
  trainyard models show churn@champion
  trainyard models promote churn/3 --to Production
  trainyard models history churn"
    )]
    Models {
        #[command(subcommand)]
        action: Models,
    },
    /// Asks what other gates and rules of promotion would have decided
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "EXAMPLES:
  trainyard gate replay stricter.yaml"
    )]
    Gate {
        #[command(subcommand)]
        action: Gate,
    },
    /// Predicts the rows of a table with a registered model
    #[command(after_help = "EXAMPLES:
  trainyard predict --model churn --input new.csv > predictions.csv
  trainyard predict --model churn@champion --input new.parquet --output predictions.parquet
  trainyard predict --model churn/3 --input new.csv --json")]
    Predict(Predict),
    /// Versions data, and looks at tables
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "EXAMPLES:
  trainyard data add data/raw
  trainyard data status
  trainyard data validate init customers.csv
  trainyard data validate customers.csv --suite expectations/customers.json
  trainyard data drift customers.csv new.csv"
    )]
    Data {
        #[command(subcommand)]
        action: Data,
    },
    /// Says what is wrong with the machine, the project or an engine, and how to mend it
    #[command(after_help = "EXAMPLES:
  trainyard doctor
  trainyard doctor --project churn --json")]
    Doctor,
    /// Finds and brings the libraries of external engines
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "EXAMPLES:
  trainyard engines list
  trainyard engines add lightgbm"
    )]
    Engines {
        #[command(subcommand)]
        action: Engines,
    },
    /// Fits with the library of an external engine, told what by its parent
    #[command(hide = true)]
    EngineWorker,
    /// Explains the code of an error or warning; without one, lists all
    #[command(after_help = "EXAMPLES:
  trainyard explain data/ragged-row
  trainyard explain data
  trainyard explain")]
    Explain {
        /// Codes as they stand in brackets in messages, or the part before the slash
        #[arg(value_name = "CODE")]
        codes: Vec<String>,
    },
}

/// Arguments of `lineage`.
#[derive(Debug, Args)]
pub(crate) struct Lineage {
    /// A run or the beginning of its id, or latest; NAME, NAME@ALIAS or NAME/VERSION of a model; a file of the project;
    /// or the beginning of a digest
    #[arg(value_name = "RUN|MODEL|FILE")]
    pub(crate) what: String,
    /// Only what it was made from
    #[arg(long)]
    pub(crate) up: bool,
    /// Only what was made of it
    #[arg(long)]
    pub(crate) down: bool,
    /// As what it is written [default: tree; json with --json]
    #[arg(long, value_name = "FORMAT", hide_default_value = true)]
    pub(crate) format: Option<LineageFormat>,
    /// The file to write [default: the standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// As what a lineage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineageFormat {
    /// Lines for a terminal
    Tree,
    /// One document of nodes and edges
    Json,
    /// A flowchart in Mermaid's text
    Mermaid,
    /// OpenLineage's events, one a line
    Openlineage,
}

impl LineageFormat {
    /// Gives the name that is typed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Json => "json",
            Self::Mermaid => "mermaid",
            Self::Openlineage => "openlineage",
        }
    }
}

/// What to do with data.
#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Holds a table against a suite of expectations; exit code 3 where a critical one is not met
    #[command(
        subcommand_negates_reqs = true,
        args_conflicts_with_subcommands = true,
        after_help = "EXAMPLES:
  trainyard data validate init customers.csv
  trainyard data validate customers.csv --suite expectations/customers.json
  trainyard data validate customers.parquet --suite expectations/customers.json --json
  trainyard data validate sqlite:///shop.db --table customers --suite expectations/customers.json

In a project, and with --project, the table is read as the project reads its own: `missing`, `types`
and `drop` of its `data` section count, and so do the types kept in versions/schema.yaml."
    )]
    Validate(Validate),
    /// Says what a table holds: types, gaps, distributions, correlations, duplicates, what may know the target
    #[command(after_help = "EXAMPLES:
  trainyard data profile customers.csv
  trainyard data profile customers.csv --target Churn --html profile.html
  trainyard data profile customers.parquet --json
  trainyard data profile postgresql://ada@db.example/shop --table sales.customers
  trainyard data profile sqlite:///shop.db --query \"SELECT * FROM customers WHERE tenure > 5\"

In a project, and with --project, the table is read as the project reads its own: `missing`, `types`
and `drop` of its `data` section count, and so do the types kept in versions/schema.yaml.")]
    Profile(Profile),
    /// Says which columns of a table are not distributed as they were in another
    #[command(after_help = "EXAMPLES:
  trainyard data drift customers.csv new.csv
  trainyard data drift train.parquet new.parquet --test ks --test psi --html drift.html
  trainyard data drift customers.csv new.csv --column tenure --refuse
  trainyard data drift train.parquet postgresql://ada@db.example/shop --table customers
  trainyard data drift 'sqlite:///shop.db?table=june' 'sqlite:///shop.db?table=july'

In a project, and with --project, both are read as the project reads its own table: `missing`, `types`
and `drop` of its `data` section count, and so do the types kept in versions/schema.yaml.")]
    Drift(Drift),
    #[command(flatten)]
    Versioned(Versioned),
    #[command(flatten)]
    Shared(Shared),
}

/// What of a database is the table.
#[derive(Debug, Default, Args)]
pub(crate) struct Rows {
    /// The table of a database whose address names none: NAME or SCHEMA.NAME
    #[arg(long, value_name = "NAME", conflicts_with = "query")]
    pub(crate) table: Option<String>,
    /// One SELECT to such a database, whose rows are the table
    #[arg(long, value_name = "SELECT")]
    pub(crate) query: Option<String>,
}

/// Arguments of `data profile`.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// The table, of any size: a file, several by a pattern in quotes, or the address of an object or a database
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) rows: Rows,
    /// The column to predict: its classes, and which columns alone predict it too well
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: Option<String>,
    /// Writes the profile with pictures as one page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Arguments of `data validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    #[command(subcommand)]
    pub(crate) action: Option<ValidateAction>,
    /// The table: a file, several by a pattern in quotes, or the address of an object or a database
    #[arg(value_name = "FILE", required = true)]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rows: Rows,
    /// The suite, in the JSON of Great Expectations
    #[arg(long, value_name = "SUITE", required = true)]
    pub(crate) suite: Option<PathBuf>,
    /// What expectations that ask for now() take for it, in UTC [default: this moment]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) as_of: Option<i64>,
}

/// Reads a moment as ISO 8601 writes it, a day alone as its midnight; gives microseconds since 1970 UTC.
fn moment(text: &str) -> Result<i64, String> {
    let wanted = || "expected a time such as 2026-01-31T06:00:00 or 2026-01-31".to_owned();
    if let Ok(zoned) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(zoned.timestamp_micros());
    }
    let time = text.parse::<chrono::NaiveDateTime>().ok();
    let time = time.or_else(|| text.parse::<chrono::NaiveDate>().ok()?.and_hms_opt(0, 0, 0));
    Ok(time.ok_or_else(wanted)?.and_utc().timestamp_micros())
}

/// What to do beside validating.
#[derive(Debug, Subcommand)]
pub(crate) enum ValidateAction {
    /// Writes a first suite from what a table holds
    #[command(after_help = "EXAMPLES:
  trainyard data validate init customers.csv
  trainyard data validate init customers.csv --out expectations/strict.json
  trainyard data validate init sqlite:///shop.db --table customers")]
    Init {
        /// The table: a file, several by a pattern in quotes, or the address of an object or a database
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        rows: Rows,
        /// The suite to write [default: expectations/NAME.json]
        #[arg(long, value_name = "SUITE")]
        out: Option<PathBuf>,
    },
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder to make
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The table: one file
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// The column to predict
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: String,
    /// The column that names a row [default: found in the table]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,
    /// The value of the target that is to be found [default: yes of yes and no, true of true and false, 1 of 1 and 0,
    /// a word like spam or churned; else the rarer value]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) positive: Option<String>,
    /// What is predicted [default: binary of two classes, regression of a number, multiclass of several labels]
    #[arg(long, value_name = "TASK", value_parser = ["binary", "multiclass", "regression"])]
    pub(crate) task: Option<String>,
    /// Leave the rows without a target out, in every run
    #[arg(long)]
    pub(crate) drop_missing_target: bool,
    /// A cell that counts as missing, may be repeated [default: NA, null, ? and the like in columns of numbers]
    #[arg(long, value_name = "CELL", allow_negative_numbers = true)]
    pub(crate) missing: Vec<String>,
    /// The project's name [default: the folder's]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// Arguments of the commands that work on a whole project.
#[derive(Debug, Args)]
pub(crate) struct Project {
    /// The project's folder, the same as --project
    #[arg(value_name = "DIR", conflicts_with = "project")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) choose: Choose,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// The model: NAME, NAME@ALIAS, NAME/VERSION or NAME/STAGE
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: String,
    /// The table: a file, or several by a pattern in quotes
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where predictions go, .csv or .parquet [default: CSV on stdout]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Arguments of `data drift`.
#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// The table to compare with: a file, several by a pattern in quotes, or the address of an object or a database
    pub(crate) reference: PathBuf,
    /// The table as it is now
    pub(crate) current: PathBuf,
    #[command(flatten)]
    pub(crate) rows: Rows,
    /// A column to compare, may be repeated [default: all that both tables have]
    #[arg(long = "column", value_name = "COLUMN")]
    pub(crate) columns: Vec<String>,
    /// The column to predict, told apart
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: Option<String>,
    /// A test to report beside the one that decides, may be repeated: ks, wasserstein, psi, kl_div, jensen_shannon,
    /// hellinger, chisquare, z
    #[arg(long = "test", value_name = "TEST", value_parser = drift_test)]
    pub(crate) tests: Vec<trainyard_spec::DriftTest>,
    /// Writes the report with pictures as one page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Ends with exit code 3 when the data has drifted
    #[arg(long)]
    pub(crate) refuse: bool,
}

fn drift_test(name: &str) -> Result<trainyard_spec::DriftTest, String> {
    trainyard_spec::DriftTest::by_name(name)
        .ok_or_else(|| format!("expected one of {}", trainyard_spec::DriftTest::names().join(", ")))
}

/// What to do about external engines.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Engines {
    /// Lists the engines: version, digest and path, or how to add it
    #[command(after_help = "EXAMPLES:
  trainyard engines list
  trainyard engines list --json")]
    List,
    /// Brings the library of an engine with the machine's own pip
    #[command(after_help = "EXAMPLES:
  trainyard engines add lightgbm
  trainyard engines add xgboost")]
    Add {
        /// The engine: lightgbm or xgboost
        #[arg(value_parser = engine)]
        name: trainyard_engines::Engine,
    },
}

fn engine(name: &str) -> Result<trainyard_engines::Engine, String> {
    trainyard_engines::Engine::by_name(name).ok_or_else(|| "expected lightgbm or xgboost".to_owned())
}
