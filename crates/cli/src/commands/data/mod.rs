//! `trainyard data`: tables, whatever project they are of.

mod drift;
mod profile;
mod validate;

use arrow_array::RecordBatch;
use trainyard_data::{Error, ReadOptions};
use trainyard_diagnostics::{Diagnostic, there_are};
use trainyard_files::DiskIo;
use trainyard_pipeline::{Given, Request, read_options};

use crate::arguments::Data;
use crate::printer::Printer;
use crate::stop::Stop;

pub(super) fn run(action: &Data, request: &Request, printer: Printer) -> Result<u8, Stop> {
    match action {
        Data::Drift(arguments) => drift::run(arguments, request, printer),
        Data::Profile(arguments) => profile::run(arguments, request, printer),
        Data::Validate(arguments) => validate::run(arguments, request, printer),
    }
}

/// Reads a table as the project reads its own, where there is one.
fn read_as_project(given: &Given, request: &Request) -> Result<RecordBatch, Stop> {
    as_project(request, |options| trainyard_data::read(&DiskIo, &given.path, &given.shown, options))
}

/// Does `read` with what the project says of its own data, where there is one. What it says of columns that the table does
/// not have is passed over.
fn as_project<T>(request: &Request, read: impl Fn(&ReadOptions) -> Result<T, Error>) -> Result<T, Stop> {
    let mut options = read_options(request)?;
    loop {
        match read(&options) {
            Err(Error::UnknownTyped { name, .. }) if options.types.remove(&name).is_some() => {}
            Err(Error::Gone { gone, .. }) => options.kept.retain(|name, _| !gone.contains(name)),
            Err(Error::NoColumn { name, .. }) if options.drop.contains(&name) => {
                options.drop.retain(|other| *other != name);
            }
            read => return read.map_err(|error| error.diagnostic().into()),
        }
    }
}

/// Refuses columns that none of the tables has, all at once.
fn known(code: &str, asked: &[String], tables: &[&RecordBatch]) -> Result<(), Stop> {
    let schemas: Vec<_> = tables.iter().map(|table| table.schema()).collect();
    let mut columns: Vec<&str> = Vec::new();
    for name in schemas.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().as_str())) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let unknown = asked.iter().filter(|name| !columns.contains(&name.as_str()));
    let problem = |name: &String| {
        Diagnostic::error(code, format!("there is no column {name}")).help(there_are("columns", &columns, name))
    };
    let problems: Vec<Diagnostic> = unknown.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}
