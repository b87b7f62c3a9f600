//! `trainyard data`: versions of data, and tables, whatever project they are of.

mod attended;
mod drift;
mod profile;
mod shared;
mod validate;
mod versioned;

use std::path::Path;

use arrow_array::RecordBatch;
use trainyard_data::{Error, ReadOptions};
use trainyard_diagnostics::{Diagnostic, shell_word, there_are};
use trainyard_files::DiskIo;
use trainyard_pipeline::{Asked, Given, Request, pass_over, read_options};

use crate::arguments::{Data, Rows};
use crate::printer::Printer;
use crate::stop::Stop;

pub(super) use versioned::settings;

pub(super) fn run(action: &Data, request: &Request, printer: Printer) -> Result<u8, Stop> {
    match action {
        Data::Drift(arguments) => drift::run(arguments, request, printer),
        Data::Profile(arguments) => profile::run(arguments, request, printer),
        Data::Validate(arguments) => validate::run(arguments, request, printer),
        Data::Shared(action) => shared::run(action, &request.root, printer),
        Data::Versioned(action) => versioned::run(action, &request.root, printer),
    }
}

/// Finds the one table that a command names, as the project reads its own, where there is one.
fn only(request: &Request, path: &Path, rows: &Rows) -> Result<Given, Stop> {
    asked(rows).check(&[path])?;
    given(request, path, rows)
}

/// Finds one of the tables that a command names.
fn given(request: &Request, path: &Path, rows: &Rows) -> Result<Given, Stop> {
    let options = read_options(request)?;
    Ok(trainyard_pipeline::given(request, path, asked(rows), options)?)
}

fn asked(rows: &Rows) -> Asked<'_> {
    Asked { table: rows.table.as_deref(), query: rows.query.as_deref() }
}

/// Gives the words that name a table on a command line.
fn words(path: &Path, rows: &Rows) -> String {
    let flag = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(" {name} {}", shell_word(value))).unwrap_or_default()
    };
    format!("{}{}{}", super::quoted_path(path), flag("--table", &rows.table), flag("--query", &rows.query))
}

/// Reads a table as the project reads its own, where there is one.
fn read_as_project(given: &Given) -> Result<RecordBatch, Stop> {
    as_project(given, |options| trainyard_data::read(&DiskIo, &given.path, &given.shown, options))
}

/// Does `read` with what the project says of its own data, where there is one. What it says of columns that the table does
/// not have is passed over.
fn as_project<T>(given: &Given, read: impl Fn(&ReadOptions) -> Result<T, Error>) -> Result<T, Stop> {
    let mut options = given.options.clone();
    loop {
        match read(&options) {
            Err(error) if pass_over(&mut options, &error) => {}
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
