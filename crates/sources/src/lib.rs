//! Tables from databases (SQLite and PostgreSQL) and from stores of objects (S3, Google Cloud Storage, Azure, the web).
//!
//! A database is always read, in one transaction that sees one snapshot; what was read is known by its content
//! ([`content`]). Its rows are sorted by the project's key, or stand in the order in which they came where there is none.
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
mod runtime;
mod sqlite;
mod table;

pub use content::content;
pub use error::Error;
pub use objects::{Listing, Object, download, fetch, look};
pub use order::by_key;
pub use postgres::Server;
pub use runtime::Runtime;

use std::path::Path;

use arrow_array::RecordBatch;
use trainyard_data::ReadOptions;
use trainyard_files::Io;
use trainyard_spec::{Address, DataSpec};

/// Says whether a project's data comes from a database.
pub fn is_database(data: &DataSpec) -> bool {
    matches!(data.source.address(), Ok(Address::Sqlite { .. } | Address::Postgres { .. }))
}

/// Says whether a project's data comes from a store of objects.
pub fn is_object(data: &DataSpec) -> bool {
    matches!(data.source.address(), Ok(Address::Object(_)))
}

/// Reads the rows of the database that `data.source` names; paths are relative to `root`. `runtime` waits for its server.
///
/// # Errors
/// [`Error`], each with what the user can do. A connection that is lost is tried again, three times in all.
pub fn read(io: &dyn Io, root: &Path, runtime: &Runtime, data: &DataSpec) -> Result<RecordBatch, Error> {
    let options = ReadOptions::of(data);
    let address = data.source.address().map_err(Error::Address)?;
    let table = match &address {
        Address::Sqlite { path, rows } => sqlite::read(io, root, path, rows, data, &options)?,
        Address::Postgres { server, rows } => postgres::read(runtime, root, server, rows, data, &options)?,
        Address::File(_) | Address::Object(_) | Address::Query => {
            return Err(Error::NoDatabase { source: data.source.shown() });
        }
    };
    let table = trainyard_data::without(table, &data.source.shown(), &options).map_err(Error::Data)?;
    order::by_key(table, data.key.as_ref().map(|key| key.value.as_str()))
}
