//! `trainyard data`: tables, whatever project they are of.

mod drift;
mod validate;

use std::path::Path;

use arrow_array::RecordBatch;
use trainyard_data::ReadOptions;
use trainyard_diagnostics::{Diagnostic, nearest, one_of};
use trainyard_files::DiskIo;

use crate::arguments::Data;
use crate::printer::Printer;
use crate::stop::Stop;

pub(super) fn run(action: &Data, printer: Printer) -> Result<u8, Stop> {
    match action {
        Data::Drift(arguments) => drift::run(arguments, printer),
        Data::Validate(arguments) => validate::run(arguments, printer),
    }
}

/// Reads a table, with what the file itself says of its types.
fn read(path: &Path) -> Result<RecordBatch, Stop> {
    let shown = path.display().to_string();
    trainyard_data::read(&DiskIo, path, &shown, &ReadOptions::default()).map_err(|error| error.diagnostic().into())
}

/// Refuses columns that none of the tables has, all at once.
fn known(code: &str, asked: &[String], tables: &[&RecordBatch]) -> Result<(), Stop> {
    let schemas: Vec<_> = tables.iter().map(|table| table.schema()).collect();
    let columns: Vec<&str> =
        schemas.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().as_str())).collect();
    let unknown = asked.iter().filter(|name| !columns.contains(&name.as_str()));
    let problems: Vec<Diagnostic> = unknown
        .map(|name| {
            let near = nearest(name, columns.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            let mut listed: Vec<&str> = Vec::new();
            columns.iter().for_each(|column| {
                if !listed.contains(column) {
                    listed.push(column)
                }
            });
            Diagnostic::error(code, format!("there is no column {name}")).help(format!(
                "{}the columns are {}",
                near.unwrap_or_default(),
                one_of(&listed, 8)
            ))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}
