//! The commands of synthetic tables and images.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use trainyard_data::synth::DIGITS_SIDE;

/// The kinds of synthetic tables.
#[derive(Debug, Subcommand)]
pub(crate) enum Synth {
    /// Customers of a telephone company, some of whom leave
    #[command(after_help = "EXAMPLES:
  trainyard synth churn --rows 7043 --seed 1 --output customers.csv")]
    Churn(Target),
    /// Bicycles rented in each hour, in the order of time
    #[command(after_help = "EXAMPLES:
  trainyard synth bike --rows 8760 --seed 1 --output hours.csv")]
    Bike(Target),
    /// Written digits, as a table of eight by eight pixels or as images with their labels
    #[command(after_help = "EXAMPLES:
  trainyard synth digits --rows 2000 --output digits.csv
  trainyard synth digits --rows 600 --seed 42 --output data/raw
  trainyard synth digits --rows 600 --size 28 --output images28")]
    Digits(Digits),
    /// Two classes, with informative, redundant and noise columns
    #[command(after_help = "EXAMPLES:
  trainyard synth classification --rows 10000 --output table.parquet
  trainyard synth classification --rows 10000 --separation 0.5 --balance 0.1 --output hard.csv")]
    Classification(Classification),
    /// A number to predict, with informative, redundant and noise columns
    #[command(after_help = "EXAMPLES:
  trainyard synth regression --rows 10000 --seed 2 --output table.csv")]
    Regression(Regression),
}

/// How many rows, and where they go.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// How many rows
    #[arg(long, value_name = "N", default_value_t = 7043, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rows: u64,
    /// The same seed gives the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The file
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The file's format [default: by its ending: .csv, .parquet, .db]
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// Arguments of `synth digits`.
#[derive(Debug, Args)]
pub(crate) struct Digits {
    /// How many digits
    #[arg(long, value_name = "N", default_value_t = 7043, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rows: u64,
    /// The same seed gives the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many pixels along a side
    #[arg(long, value_name = "PIXELS", default_value_t = DIGITS_SIDE, value_parser = clap::value_parser!(u16).range(4..=512))]
    pub(crate) size: u16,
    /// The file of a table of pixels; or a folder, for PNG files in images/ and their labels.csv
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The table's format [default: by its ending: .csv, .parquet, .db]
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

impl Digits {
    /// Says whether images are wanted: a table has an ending.
    pub(crate) fn wants_images(&self) -> bool {
        self.format.is_none() && (self.output.extension().is_none() || self.output.is_dir())
    }
}

/// The formats of a written table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A SQLite database.
    Sqlite,
}

/// The columns of a synthetic table.
#[derive(Debug, Args)]
pub(crate) struct Columns {
    /// How many features
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) features: u16,
    /// How many of them say something
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) informative: u16,
    /// How many are mixed from those
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(crate) redundant: u16,
    /// How far the features move away from where they were, in standard deviations
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = finite, allow_negative_numbers = true)]
    pub(crate) drift: f64,
}

/// Arguments of `synth classification`.
#[derive(Debug, Args)]
pub(crate) struct Classification {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) columns: Columns,
    /// How far the classes are apart
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub(crate) separation: f64,
    /// The share of the positive class
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    pub(crate) balance: f64,
}

/// Arguments of `synth regression`.
#[derive(Debug, Args)]
pub(crate) struct Regression {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) columns: Columns,
    /// The standard deviation of the noise in the target
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = not_negative)]
    pub(crate) noise: f64,
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| "expected a number".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    finite(text).and_then(|value| if value > 0.0 { Ok(value) } else { Err("expected a number above 0".to_owned()) })
}

fn not_negative(text: &str) -> Result<f64, String> {
    finite(text).and_then(|value| if value >= 0.0 { Ok(value) } else { Err("expected 0 or above".to_owned()) })
}

fn share(text: &str) -> Result<f64, String> {
    let value = finite(text)?;
    if value > 0.0 && value < 1.0 { Ok(value) } else { Err("expected a share above 0 and below 1".to_owned()) }
}
