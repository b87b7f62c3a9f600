//! Rows of a PostgreSQL server.

mod binary;
mod login;
mod named;
mod tls;

use std::path::Path;

use futures_util::{StreamExt, pin_mut};
use tokio_postgres::error::{ErrorPosition, SqlState};
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error as Failure, Statement};
use trainyard_data::ReadOptions;
use trainyard_diagnostics::Place;
use trainyard_spec::{ColumnType, Parameter, PostgresAddress, Rows, SourceSpec};

use crate::attempt::{Stop, TRIES, WAITS};
use crate::table::{Growing, Known, To};
use crate::{Error, Runtime, Sink};
use binary::{Decoder, Kind};
pub use login::Server;
use login::{Login, Met};
use named::Numbered;

/// Reads a table or the rows of a query, in one transaction that only reads and sees one snapshot.
///
/// What a try gave that broke off is void: the next one begins anew.
pub(crate) fn pour(
    runtime: &Runtime,
    root: &Path,
    address: &PostgresAddress,
    rows: &Rows,
    source: &SourceSpec,
    options: &ReadOptions,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    let login = Login::of(root, address)?;
    let reading = Reading { server: login.server(), rows, source, options };
    runtime.block_on(async {
        let (mut waits, mut met) = (WAITS.iter(), Met::Nobody);
        loop {
            let stop = match attempt(&login, &reading, &mut met, sink).await {
                Ok(()) => return Ok(()),
                Err(stop) => stop,
            };
            let cause = match stop {
                Stop::Told(error) => return Err(error),
                Stop::Lost(cause) => cause,
            };
            let Some(wait) = waits.next() else {
                let server = login.server();
                return Err(match met {
                    Met::Nobody => Error::Unreachable { server, cause },
                    Met::Server => Error::Server { server, cause },
                    Met::Database => Error::CutOff { server, cause, tries: TRIES },
                });
            };
            tokio::time::sleep(*wait).await;
        }
    })?
}

async fn attempt(login: &Login, reading: &Reading<'_>, met: &mut Met, sink: &mut dyn Sink) -> Result<(), Stop> {
    let (client, connection) = login.connect(met).await?;
    let served = tokio::spawn(connection);
    let poured = reading.pour(&client, sink).await;
    drop(client);
    served.abort();
    poured
}

/// What is read.
struct Reading<'a> {
    server: Server,
    rows: &'a Rows,
    source: &'a SourceSpec,
    options: &'a ReadOptions,
}

impl Reading<'_> {
    async fn pour(&self, client: &Client, sink: &mut dyn Sink) -> Result<(), Stop> {
        let begun = client.batch_execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await;
        begun.map_err(|error| login::stop(&self.server, &error))?;
        let numbered = match self.rows {
            Rows::Table(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| quoted(part)).collect();
                Numbered::of_table(&parts.join("."))
            }
            Rows::Query(query, parameters) => {
                Numbered::of_query(query, parameters).map_err(|wrong| self.wrong_parameter(wrong))?
            }
        };
        let described = match client.prepare(&numbered.text).await {
            Ok(described) => described,
            Err(error) => return Err(self.failed(client, &error, &numbered).await),
        };
        if described.columns().is_empty() {
            let (source, place) = (self.source.shown(), self.place());
            let (cause, help) = ("it gives no rows".to_owned(), "write one SELECT".to_owned());
            return Err(Error::Query { source, cause, place, help }.into());
        }
        let kinds: Vec<Kind> = described.columns().iter().map(|column| Kind::of(column.type_())).collect();
        let columns = described.columns().iter().zip(&kinds);
        let columns = columns.map(|(column, kind)| (column.name().to_owned(), Known::Told(kind.column()))).collect();
        let mut table = Growing::new(&self.source.shown(), columns, self.options, To::Batches(sink))?;
        let selected = selected(&described, &kinds, &numbered.text);
        if numbered.values.is_empty() {
            self.copy(client, &selected, &kinds, &mut table).await?;
        } else {
            self.rows(client, &selected, &numbered, &kinds, &mut table).await?;
        }
        // A transaction that only read needs no end; but its failure would be that of the connection.
        client.batch_execute("COMMIT").await.map_err(|error| login::stop(&self.server, &error))?;
        table.finish()?;
        Ok(())
    }

    /// Takes the rows in the binary form of COPY.
    async fn copy(&self, client: &Client, select: &str, kinds: &[Kind], table: &mut Growing<'_>) -> Result<(), Stop> {
        // The line end ends what may be a comment.
        let copied = client.copy_out(format!("COPY ({select}\n) TO STDOUT (FORMAT binary)").as_str()).await;
        let copied = copied.map_err(|error| self.refused(&error))?;
        pin_mut!(copied);
        let mut decoder = Decoder::default();
        while let Some(part) = copied.next().await {
            let part = part.map_err(|error| self.refused(&error))?;
            decoder.take(&part, kinds, table)?;
        }
        if decoder.is_done() { Ok(()) } else { Err(Stop::Lost("the rows ended before their end".to_owned())) }
    }

    /// Takes the rows of a statement with parameters, as they come.
    async fn rows(
        &self,
        client: &Client,
        select: &str,
        numbered: &Numbered,
        kinds: &[Kind],
        table: &mut Growing<'_>,
    ) -> Result<(), Stop> {
        let statement = client.prepare(select).await.map_err(|error| self.refused(&error))?;
        let values: Vec<Written> = numbered.values.iter().map(|(_, value)| Written(text(value))).collect();
        let rows = client.query_raw(&statement, values).await.map_err(|error| self.refused(&error))?;
        pin_mut!(rows);
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| self.refused(&error))?;
            for (at, kind) in kinds.iter().enumerate() {
                let field: Option<Field<'_>> = row.try_get(at).map_err(|error| self.refused(&error))?;
                binary::append(table, at, *kind, field.map(|field| field.0))?;
            }
            table.end_row()?;
        }
        Ok(())
    }

    fn place(&self) -> Option<Place> {
        let source = self.source;
        let written = source.query.as_ref().or(source.table.as_ref());
        written.unwrap_or(&source.url).place()
    }

    /// Says that the server refuses, where it was well asked for.
    fn refused(&self, error: &Failure) -> Stop {
        self.refused_at(error, self.place())
    }

    fn refused_at(&self, error: &Failure, place: Option<Place>) -> Stop {
        let source = self.source;
        match (login::stop(&self.server, error), error.as_db_error()) {
            (Stop::Told(Error::Server { .. }), Some(told)) => {
                let help = match (told.hint(), told.code()) {
                    (Some(hint), _) => format!("the server says: {hint}"),
                    (None, &SqlState::INSUFFICIENT_PRIVILEGE) => {
                        "ask who runs the server for the right to read it".to_owned()
                    }
                    (None, &SqlState::QUERY_CANCELED) => {
                        "repeat the command later, ask who runs the server for more time, or read less by a `query`"
                            .to_owned()
                    }
                    (None, _) if source.query.is_some() => "mend the query".to_owned(),
                    (None, _) => "mend the view that it is, or ask who runs the server".to_owned(),
                };
                Error::Query { source: source.shown(), cause: told.message().to_owned(), place, help }.into()
            }
            (stop, _) => stop,
        }
    }

    fn wrong_parameter(&self, wrong: named::Wrong) -> Error {
        let source = self.source;
        match wrong {
            named::Wrong::Unused { name, known } => {
                let place = source.parameters.get(&name).and_then(|value| value.place());
                Error::UnusedParameter { name, known, place }
            }
            named::Wrong::Unbound { name, at } => {
                let place = source.query.as_ref().and_then(|query| query.place_of(at..at + name.len() + 1));
                Error::UnboundParameter { name, place: place.or_else(|| self.place()) }
            }
        }
    }

    /// Says what an error of the server means.
    async fn failed(&self, client: &Client, error: &Failure, numbered: &Numbered) -> Stop {
        let Some(told) = error.as_db_error() else { return login::stop(&self.server, error) };
        let source = self.source;
        let at = match told.position() {
            Some(ErrorPosition::Original(position)) => numbered.written_at(*position),
            _ => None,
        };
        let place = at.and_then(|at| source.query.as_ref()?.place_of(at..at + 1)).or_else(|| self.place());
        match *told.code() {
            SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => {
                let table = match self.rows {
                    Rows::Table(parts) => parts.join("."),
                    Rows::Query(..) => named_in(told.message()),
                };
                let known = names(
                    client,
                    "SELECT CASE WHEN table_schema = ANY (current_schemas(false)) THEN table_name \
                     ELSE table_schema || '.' || table_name END FROM information_schema.tables \
                     WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
                );
                Error::UnknownTable { table, known: known.await, source: self.server.to_string(), place }.into()
            }
            SqlState::UNDEFINED_COLUMN => {
                let known = names(
                    client,
                    "SELECT DISTINCT column_name FROM information_schema.columns \
                     WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
                );
                let column = named_in(told.message());
                Error::UnknownColumn { column, known: known.await, source: self.server.to_string(), place }.into()
            }
            _ => self.refused_at(error, place),
        }
    }
}

/// Gives the first column of a query's rows, of a server whose transaction has failed.
async fn names(client: &Client, sql: &str) -> Vec<String> {
    if client.batch_execute("ROLLBACK").await.is_err() {
        return Vec::new();
    }
    let rows = client.query(sql, &[]).await.unwrap_or_default();
    rows.iter().filter_map(|row| row.try_get(0).ok()).collect()
}

/// Gives the name that a message speaks of: `column t.tenur does not exist`, `relation "custmers" does not exist`.
fn named_in(message: &str) -> String {
    let quoted = message.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
    let bare = || message.split(' ').nth(1);
    let name = quoted.or_else(bare).unwrap_or(message);
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Selects the columns of a statement: those of a type that is not taken in its binary form as text.
fn selected(described: &Statement, kinds: &[Kind], text: &str) -> String {
    let columns: Vec<String> = described
        .columns()
        .iter()
        .zip(kinds)
        .map(|(column, kind)| {
            let name = quoted(column.name());
            if *kind == Kind::Cast { format!("{name}::text") } else { name }
        })
        .collect();
    format!("SELECT {} FROM ({text}\n) AS source", columns.join(", "))
}

/// Writes a parameter's value as the server reads it, whatever type it is to have there.
fn text(value: &Parameter) -> String {
    match value {
        Parameter::Boolean(value) => value.to_string(),
        Parameter::Integer(value) => value.to_string(),
        Parameter::Float(value) => value.to_string(),
        Parameter::Text(value) => value.clone(),
    }
}

/// A parameter's value in text form: the server reads it in the type that the query gives it.
#[derive(Debug)]
struct Written(String);

impl ToSql for Written {
    fn to_sql(&self, _: &Type, out: &mut bytes::BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A field as the server sent it.
struct Field<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Field<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Field<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Field(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Kind {
    /// Gives the type of column that it is without a declaration.
    fn column(self) -> ColumnType {
        match self {
            Kind::Boolean => ColumnType::Boolean,
            Kind::Int2 | Kind::Int4 | Kind::Int8 => ColumnType::Integer,
            Kind::Float4 | Kind::Float8 | Kind::Numeric => ColumnType::Float,
            Kind::Text | Kind::Cast => ColumnType::Text,
            Kind::Date => ColumnType::Date,
            Kind::Timestamp => ColumnType::Timestamp,
        }
    }
}
