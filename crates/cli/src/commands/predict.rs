//! `trainyard predict`.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use chrono::{DateTime, Days, NaiveDate};
use serde_json::{Map, Value, json};
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{DiskIo, write_atomic};
use trainyard_pipeline::{Request, predict};

use crate::arguments::Predict;
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{clean, counted};

pub(super) fn run(request: &Request, arguments: &Predict, printer: Printer) -> Result<u8, Stop> {
    let parquet = match arguments.output.as_ref().map(|path| path.extension().unwrap_or_default().to_ascii_lowercase())
    {
        None => false,
        Some(ending) if ending == "csv" => false,
        Some(ending) if ending == "parquet" => true,
        Some(_) => return Err(unknown_ending(arguments)),
    };
    if let Some(folder) = arguments.output.as_deref().and_then(Path::parent)
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        let title = format!("there is no folder {} to write the predictions to", folder.display());
        return Err(
            vec![Diagnostic::error("predict/no-folder", title).help("make it, or name another with --output")].into()
        );
    }
    let made = predict(request, &arguments.model, &arguments.input)?;
    let warnings: Vec<Diagnostic> = made.oddities.iter().map(|oddity| oddity.diagnostic()).collect();
    printer.warnings(&warnings);
    let head = json!({"model": made.model, "version": made.version, "rows": made.rows, "oddities": made.oddities});
    let Some(path) = &arguments.output else {
        if printer.json {
            let mut document = head;
            document["predictions"] = records(&made.table);
            printer.result(|| document, |_| String::new())?;
        } else {
            printer.write_out(&csv(&made.table)?)?;
        }
        return Ok(0);
    };
    let bytes = if parquet {
        trainyard_data::to_parquet(&made.table).map_err(|error| Stop::from(error.diagnostic()))?
    } else {
        csv(&made.table)?
    };
    write_atomic(&DiskIo, path, &bytes)?;
    let file = path.display().to_string();
    printer.result(
        || {
            let mut document = head;
            document["output"] = json!(file);
            document
        },
        |_| {
            let rows = counted(made.table.num_rows(), "row");
            format!("{}: {rows} predicted by {} v{}\n", clean(&file), clean(&made.model), made.version)
        },
    )?;
    Ok(0)
}

fn unknown_ending(arguments: &Predict) -> Stop {
    let file = arguments.output.as_deref().unwrap_or(&arguments.input).display();
    Diagnostic::error("command-line/unknown-format", format!("the ending of {file} names no format"))
        .with_fault(Fault::CommandLine)
        .help("end it in .csv or .parquet")
        .into()
}

/// Gives a cell as a value; numbers keep all their digits.
fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::LargeUtf8 => json!(column.as_string::<i64>().value(row)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Date32 => json!(date(column.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(_, _) => {
            let value = column.as_primitive_opt::<TimestampMicrosecondType>().map(|column| column.value(row));
            let time = value.and_then(DateTime::from_timestamp_micros);
            json!(time.map(|time| time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()))
        }
        _ => Value::Null,
    }
}

fn date(days: i32) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let by = Days::new(u64::from(days.unsigned_abs()));
    let date = if days < 0 { epoch.checked_sub_days(by) } else { epoch.checked_add_days(by) };
    date.map(|date| date.to_string())
}

fn records(table: &RecordBatch) -> Value {
    let schema = table.schema();
    let record = |row| {
        let cells = schema.fields().iter().zip(table.columns());
        Value::Object(cells.map(|(field, column)| (field.name().clone(), cell(column, row))).collect::<Map<_, _>>())
    };
    (0..table.num_rows()).map(record).collect()
}

fn csv(table: &RecordBatch) -> Result<Vec<u8>, Stop> {
    let failed = |error: &dyn std::fmt::Display| {
        Stop::from(Diagnostic::error("output/csv", format!("the predictions cannot be written: {error}")))
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let schema = table.schema();
    writer.write_record(schema.fields().iter().map(|field| field.name())).map_err(|error| failed(&error))?;
    for row in 0..table.num_rows() {
        for column in table.columns() {
            let text = match cell(column, row) {
                Value::Null => String::new(),
                Value::String(text) => text,
                other => other.to_string(),
            };
            writer.write_field(text).map_err(|error| failed(&error))?;
        }
        writer.write_record(None::<&[u8]>).map_err(|error| failed(&error))?;
    }
    writer.flush().map_err(|error| failed(&error))?;
    writer.into_inner().map_err(|error| failed(&error))
}
