//! `trainyard synth`.

use std::path::Path;

use arrow_array::RecordBatch;
use serde_json::json;
use trainyard_data::synth;
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::DiskIo;

use crate::arguments::{Digits, Format, Synth};
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{clean, count};

pub(super) fn run(table: &Synth, printer: Printer) -> Result<u8, Stop> {
    let (output, named, seed) = match table {
        Synth::Churn(target) | Synth::Bike(target) => (&target.output, target.format, target.seed),
        Synth::Classification(wanted) => (&wanted.target.output, wanted.target.format, wanted.target.seed),
        Synth::Regression(wanted) => (&wanted.target.output, wanted.target.format, wanted.target.seed),
        Synth::Digits(digits) if digits.wants_images() => return draw(digits, printer),
        Synth::Digits(digits) => (&digits.output, digits.format, digits.seed),
    };
    let format = format(output, named)?;
    let made = make(table)?;
    synth::write(&DiskIo, &made, output, format).map_err(|error| Stop::from(error.diagnostic()))?;
    let file = output.display().to_string();
    let columns = made.num_columns();
    printer.result(
        || json!({"file": file, "rows": made.num_rows(), "columns": columns, "seed": seed}),
        |_| {
            let rows = count(made.num_rows() as u64);
            format!("{}: {rows} rows × {columns} columns, seed {seed}\n", clean(&file))
        },
    )?;
    Ok(0)
}

/// Draws images of digits into a folder.
fn draw(digits: &Digits, printer: Printer) -> Result<u8, Stop> {
    let Digits { rows, seed, size, output, .. } = digits;
    let made = synth::digit_images(&DiskIo, output, *rows, *seed, *size);
    let columns = made.map_err(|error| Stop::from(error.diagnostic()))?.num_columns();
    let file = output.join("labels.csv").display().to_string();
    printer.result(
        || json!({"file": file, "rows": rows, "columns": columns, "seed": seed, "images": rows, "size": [size, size]}),
        |_| format!("{}: {} images of {size} × {size} pixels, seed {seed}\n", clean(&file), count(*rows)),
    )?;
    Ok(0)
}

fn make(table: &Synth) -> Result<RecordBatch, Stop> {
    Ok(match table {
        Synth::Churn(target) => synth::churn(target.rows, target.seed),
        Synth::Bike(target) => synth::bike(target.rows, target.seed),
        Synth::Digits(digits) => synth::digits_of(digits.rows, digits.seed, digits.size),
        Synth::Classification(wanted) => {
            enough(&wanted.columns)?;
            synth::classification(&synth::Classification {
                rows: wanted.target.rows,
                seed: wanted.target.seed,
                features: usize::from(wanted.columns.features),
                informative: usize::from(wanted.columns.informative),
                redundant: usize::from(wanted.columns.redundant),
                class_separation: wanted.separation,
                balance: wanted.balance,
                drift: wanted.columns.drift,
            })
        }
        Synth::Regression(wanted) => {
            enough(&wanted.columns)?;
            synth::regression(&synth::Regression {
                rows: wanted.target.rows,
                seed: wanted.target.seed,
                features: usize::from(wanted.columns.features),
                informative: usize::from(wanted.columns.informative),
                redundant: usize::from(wanted.columns.redundant),
                noise: wanted.noise,
                drift: wanted.columns.drift,
            })
        }
    })
}

fn enough(columns: &crate::arguments::Columns) -> Result<(), Stop> {
    let asked = u32::from(columns.informative) + u32::from(columns.redundant);
    if asked <= u32::from(columns.features) {
        return Ok(());
    }
    Err(Diagnostic::error(
        "command-line/too-few-features",
        format!("{asked} informative and redundant columns do not fit into {} features", columns.features),
    )
    .with_fault(Fault::CommandLine)
    .help("raise --features, or lower --informative or --redundant")
    .into())
}

fn format(output: &Path, named: Option<Format>) -> Result<synth::Format, Stop> {
    if let Some(format) = named {
        return Ok(match format {
            Format::Csv => synth::Format::Csv,
            Format::Parquet => synth::Format::Parquet,
            Format::Sqlite => synth::Format::Sqlite,
        });
    }
    let ending = output.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "csv" => Ok(synth::Format::Csv),
        "parquet" => Ok(synth::Format::Parquet),
        "db" | "sqlite" | "sqlite3" => Ok(synth::Format::Sqlite),
        _ => Err(Diagnostic::error(
            "command-line/unknown-format",
            format!("the ending of {} names no format", output.display()),
        )
        .with_fault(Fault::CommandLine)
        .help("end it in .csv, .parquet or .db, or name the format with --format")
        .into()),
    }
}
