//! Rows of a file of SQLite.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error as Failure, ErrorCode, OpenFlags, Statement};
use trainyard_data::cells::Cell;
use trainyard_data::{Error as DataError, ReadOptions};
use trainyard_diagnostics::nearest;
use trainyard_files::Io;
use trainyard_spec::{Parameter, Rows, SourceSpec};

use crate::table::{Growing, Known, To};
use crate::{Error, Pass, Sink};

/// How long another process that writes is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is read.
pub(crate) struct Database<'a> {
    pub(crate) path: &'a str,
    pub(crate) rows: &'a Rows,
    pub(crate) source: &'a SourceSpec,
}

impl Database<'_> {
    /// Reads a table or the rows of a query, in one transaction of a connection that can't write.
    pub(crate) fn pour(
        &self,
        io: &dyn Io,
        root: &Path,
        options: &ReadOptions,
        pass: Pass,
        sink: &mut dyn Sink,
    ) -> Result<(), Error> {
        let file = root.join(self.path);
        if !io.exists(&file) {
            return Err(Error::Data(missing(io, &file, self.path)));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&file, flags).map_err(|error| self.failed(None, error))?;
        let failed = |error| self.failed(Some(&connection), error);
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        connection.execute_batch("BEGIN").map_err(failed)?;
        let sql = match self.rows {
            Rows::Table(parts) => {
                let quoted: Vec<String> =
                    parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
                format!("SELECT * FROM {}", quoted.join("."))
            }
            Rows::Query(query, _) => query.clone(),
        };
        let mut statement = connection.prepare(&sql).map_err(failed)?;
        if statement.column_count() == 0 || !statement.readonly() {
            return Err(self.query("it gives no rows", None, "write one SELECT"));
        }
        bind(&mut statement, self.rows, self)?;
        let shown = self.source.shown();
        let columns = statement.column_names().map(|name| (name.to_owned(), Known::Nothing)).collect();
        if pass == Pass::Whole {
            let table = Growing::new(&shown, columns, options, To::Whole(sink))?;
            return grow(&mut statement, table, &failed).map(drop);
        }
        // The transaction holds the snapshot between the two.
        let found = grow(&mut statement, Growing::new(&shown, columns, options, To::Types)?, &failed)?;
        let table = Growing::new(&shown, found, options, To::Batches(sink))?;
        grow(&mut statement, table, &failed).map(drop)
    }
}

/// Takes all rows of a statement from its first one on; says which types the columns have where they were looked for.
fn grow(
    statement: &mut Statement<'_>,
    mut table: Growing<'_>,
    failed: &dyn Fn(Failure) -> Error,
) -> Result<Vec<(String, Known)>, Error> {
    let columns = statement.column_count();
    let mut found = statement.raw_query();
    while let Some(row) = found.next().map_err(failed)? {
        for at in 0..columns {
            let cell = match row.get_ref(at).map_err(failed)? {
                ValueRef::Null => Cell::Missing,
                ValueRef::Integer(value) => Cell::Integer(value),
                ValueRef::Real(value) => Cell::Float(value),
                ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => Cell::Text(text),
                    Err(_) => return Err(table.refuse_text(at, bytes)),
                },
                ValueRef::Blob(bytes) => {
                    let help = "leave the column out in a `query`, or make text of it there: `hex(…)`";
                    return Err(table.refuse(at, "a number or text", &format!("{} bytes", bytes.len()), help));
                }
            };
            table.append(at, cell)?;
        }
        table.end_row()?;
    }
    table.finish()
}

/// Gives the query its parameters: all that it names, and no other.
fn bind(statement: &mut Statement<'_>, rows: &Rows, database: &Database<'_>) -> Result<(), Error> {
    let Rows::Query(_, parameters) = rows else { return Ok(()) };
    let names: Vec<Option<String>> = (1..=statement.parameter_count())
        .map(|at| Some(statement.parameter_name(at)?.trim_start_matches([':', '@', '$']).to_owned()))
        .collect();
    let known: Vec<String> = names.iter().flatten().cloned().collect();
    if let Some(name) = parameters.keys().find(|name| !known.contains(name)) {
        return Err(database.unused(name, known));
    }
    for (at, name) in names.iter().enumerate() {
        let value = name.as_ref().and_then(|name| parameters.get(name));
        let bound = match value {
            None => return Err(database.unbound(name.as_deref().unwrap_or("?"))),
            Some(Parameter::Boolean(value)) => statement.raw_bind_parameter(at + 1, value),
            Some(Parameter::Integer(value)) => statement.raw_bind_parameter(at + 1, value),
            Some(Parameter::Float(value)) => statement.raw_bind_parameter(at + 1, value),
            Some(Parameter::Text(value)) => statement.raw_bind_parameter(at + 1, value),
        };
        bound.map_err(|error| database.failed(None, error))?;
    }
    Ok(())
}

fn missing(io: &dyn Io, file: &Path, shown: &str) -> DataError {
    let neighbours = file.parent().and_then(|folder| io.list(folder).ok()).unwrap_or_default();
    let names: Vec<String> =
        neighbours.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let wanted = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let near = nearest(&wanted, names.iter().map(String::as_str)).map(str::to_owned);
    DataError::Missing { file: shown.to_owned(), near }
}

impl Database<'_> {
    fn query(&self, cause: &str, at: Option<usize>, help: &str) -> Error {
        let source = self.source;
        let place = source.query.as_ref().and_then(|query| match at {
            Some(at) => query.place_of(at..query.value.len().min(at + 1)),
            None => query.place(),
        });
        let place = place.or_else(|| source.url.place());
        Error::Query { source: source.shown(), cause: cause.to_owned(), place, help: help.to_owned() }
    }

    fn unused(&self, name: &str, known: Vec<String>) -> Error {
        let given = self.source.parameters.get(name);
        Error::UnusedParameter { name: name.to_owned(), known, place: given.and_then(|value| value.place()) }
    }

    fn unbound(&self, name: &str) -> Error {
        let query = self.source.query.as_ref();
        let place = query.and_then(|query| {
            let at = query.value.find(&format!(":{name}"))?;
            query.place_of(at..at + name.len() + 1)
        });
        Error::UnboundParameter {
            name: name.to_owned(),
            place: place.or_else(|| query.and_then(|query| query.place())),
        }
    }

    /// Says what an error of SQLite means.
    fn failed(&self, connection: Option<&Connection>, error: Failure) -> Error {
        let (code, message, at) = match &error {
            Failure::SqliteFailure(error, message) => {
                (Some(error.code), message.clone().unwrap_or_else(|| error.to_string()), None)
            }
            Failure::SqlInputError { error, msg, offset, .. } => {
                (Some(error.code), msg.clone(), usize::try_from(*offset).ok())
            }
            other => (None, other.to_string(), None),
        };
        match code {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                return Error::Damaged { file: self.path.to_owned(), cause: message };
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure) => {
                return Error::Data(DataError::Unreadable { file: self.path.to_owned(), cause: message });
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                return Error::Busy { file: self.path.to_owned() };
            }
            _ => {}
        }
        let names = |sql: &str| -> Vec<String> {
            let found = connection.and_then(|connection| {
                let mut statement = connection.prepare(sql).ok()?;
                let names = statement.query_map([], |row| row.get::<_, String>(0)).ok()?;
                Some(names.flatten().collect())
            });
            found.unwrap_or_default()
        };
        let source = self.source;
        let place = || match (self.rows, &source.query) {
            (Rows::Query(..), Some(query)) => {
                at.and_then(|at| query.place_of(at..query.value.len().min(at + 1))).or_else(|| query.place())
            }
            _ => source.table.as_ref().unwrap_or(&source.url).place(),
        };
        if let Some(table) = message.strip_prefix("no such table: ") {
            let known = names("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name");
            let (table, source) = (table.to_owned(), self.path.to_owned());
            return Error::UnknownTable { table, known, source, place: place() };
        }
        if let Some(column) = message.strip_prefix("no such column: ") {
            let known = names(
                "SELECT DISTINCT c.name FROM sqlite_master t, pragma_table_info(t.name) c \
                 WHERE t.type IN ('table', 'view') ORDER BY c.name",
            );
            let (column, source) = (column.to_owned(), self.path.to_owned());
            return Error::UnknownColumn { column, known, source, place: place() };
        }
        Error::Query { source: source.shown(), cause: message, place: place(), help: "mend the query".to_owned() }
    }
}
