//! Tables from databases (SQLite and PostgreSQL) and from stores of objects (S3, Google Cloud Storage, Azure, the web).
//!
//! A database is always read, in one transaction that sees one snapshot; what was read is known by its content
//! ([`content`]). As a table in memory ([`read`]) its rows are sorted by the project's key, or stand in the order in
//! which they came where there is none; as a stream ([`stream`]) they come in batches, in the database's order.
//! A password comes from the environment or from `.pgpass` and is in no error.
//!
//! Objects are known by what their server says of them ([`look`]), and fetched only where that is new ([`fetch`]).
//!
//! Never: writes into a database or a store; puts a value into SQL; gives rows of a reading that broke off.

mod attempt;
mod content;
mod error;
mod objects;
mod order;
mod postgres;
mod sink;
mod sqlite;
mod table;

pub use content::content;
pub use error::Error;
pub use objects::{Listing, Object, download, fetch, look};
pub use order::by_key;
pub use postgres::Server;
pub use sink::Sink;
pub use trainyard_stores::Runtime;

use std::path::Path;

use arrow_array::RecordBatch;
use trainyard_data::ReadOptions;
use trainyard_files::Io;
use trainyard_spec::{Address, DataSpec, SourceSpec};

use sink::{Held, Kept, Spool};

/// Says whether a project's data comes from a database.
pub fn is_database(data: &DataSpec) -> bool {
    matches!(data.source.address(), Ok(Address::Sqlite { .. } | Address::Postgres { .. }))
}

/// Says whether a project's data comes from a store of objects.
pub fn is_object(data: &DataSpec) -> bool {
    matches!(data.source.address(), Ok(Address::Object(_)))
}

/// How a database whose values tell their types is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Once: all rows become one batch, whose memory its reader wants to have anyway.
    Whole,
    /// Twice in one snapshot, first for the types: then batch by batch.
    Batches,
}

/// Reads the rows of the database that `data.source` names; paths are relative to `root`. `runtime` waits for its server.
///
/// # Errors
/// [`Error`], each with what the user can do. A connection that is lost is tried again, three times in all.
pub fn read(io: &dyn Io, root: &Path, runtime: &Runtime, data: &DataSpec) -> Result<RecordBatch, Error> {
    let mut held = Held::default();
    pour(io, root, runtime, &data.source, &ReadOptions::of(data), Pass::Whole, &mut held)?;
    order::by_key(held.table(&data.source.shown())?, data.key.as_ref().map(|key| key.value.as_str()))
}

/// Hands the rows of the database that `source` names to `sink` as they come, at most 65,536 of them or some 16 MiB of
/// values at a time; nothing else of them is held. The types are those of [`read`], the order is the database's.
///
/// All rows are of one snapshot. Those of SQLite tell their types by their values: they are gone through twice in it.
/// Where a connection is lost the sink begins anew: what it took counts once this comes back.
///
/// # Errors
/// Those of [`read`], and those of the sink.
pub fn stream(
    io: &dyn Io,
    root: &Path,
    runtime: &Runtime,
    source: &SourceSpec,
    options: &ReadOptions,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    pour(io, root, runtime, source, options, Pass::Batches, sink)
}

/// Writes the rows of the database that `source` names into a new file of Arrow at `file`, as [`stream`] gives them.
///
/// # Errors
/// Those of [`stream`], and what keeps the file from being written. The file may be there then, and is none.
pub fn spool(
    io: &dyn Io,
    root: &Path,
    runtime: &Runtime,
    source: &SourceSpec,
    options: &ReadOptions,
    file: &Path,
) -> Result<(), Error> {
    let mut spool = Spool::new(io, file);
    stream(io, root, runtime, source, options, &mut spool)?;
    spool.finish()
}

fn pour(
    io: &dyn Io,
    root: &Path,
    runtime: &Runtime,
    source: &SourceSpec,
    options: &ReadOptions,
    pass: Pass,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    let shown = source.shown();
    let sink = &mut Kept { source: &shown, options, to: sink };
    match &source.address().map_err(Error::Address)? {
        Address::Sqlite { path, rows } => {
            let database = sqlite::Database { path, rows, source };
            database.pour(io, root, options, pass, sink)
        }
        Address::Postgres { server, rows } => postgres::pour(runtime, root, server, rows, source, options, sink),
        Address::File(_) | Address::Object(_) | Address::Query => Err(Error::NoDatabase { source: shown }),
    }
}
