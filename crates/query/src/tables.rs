//! From the files of a query to the table that it makes of them.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use trainyard_data::{Error as DataError, ReadOptions};
use trainyard_files::Io;
use trainyard_spec::{DataSpec, Located};

use crate::{Error, border, engine};

/// Reads the rows of the query over files that `data.source` is; `path` says where the file of a table lies, given the
/// table's name and the file as the specification writes it.
///
/// `data.types` holds for columns of those names, in the files as in the result; `data.missing` and `data.delimiter` for
/// the files; `data.drop` for the result. Rows are in the order in which the query gives them.
///
/// # Errors
/// [`Error`], each with its place in the specification where there is one.
pub fn read(
    io: &dyn Io,
    data: &DataSpec,
    path: &dyn Fn(&Located<String>, &Located<String>) -> PathBuf,
) -> Result<RecordBatch, Error> {
    let source = &data.source;
    let sql = source.sql.as_ref().ok_or_else(|| Error::NoQuery { source: source.shown() })?;
    let options = ReadOptions::of(data);
    let (mut tables, mut typed) = (Vec::with_capacity(source.tables().len()), Vec::new());
    for (name, file) in source.tables() {
        let table = table(io, &path(name, file), file, &options)?;
        typed.extend(table.schema().fields().iter().map(|field| field.name().clone()));
        tables.push((name.value.clone(), border::into_engine(&table)?));
    }
    let rows = engine::run(sql, tables)?;
    let mut options = options;
    // A type that a column of a file had need not be one of the result, where the query leaves that column out.
    options.types.retain(|name, _| !typed.contains(name) || rows.columns.contains(name));
    trainyard_data::read_arrow_bytes(&rows.bytes, &source.shown(), &options).map_err(Error::Data)
}

/// Reads one table, with the declared types of the columns that it has.
fn table(io: &dyn Io, path: &Path, file: &Located<String>, options: &ReadOptions) -> Result<RecordBatch, Error> {
    // What is kept are the types of the result.
    let mut options = ReadOptions { drop: Vec::new(), kept: Default::default(), ..options.clone() };
    loop {
        match trainyard_data::read(io, path, &file.value, &options) {
            // A reader names one at a time, and knows them before it reads a cell.
            Err(DataError::UnknownTyped { name, .. }) if options.types.remove(&name).is_some() => {}
            read => return read.map_err(|error| Error::Table { error, file: file.clone() }),
        }
    }
}
