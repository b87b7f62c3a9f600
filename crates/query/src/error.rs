//! What can be wrong with a query over files.

use trainyard_diagnostics::{Diagnostic, Fault, Place, nearest, one_of};
use trainyard_spec::Located;

/// The most names that a message lists.
const LISTED: usize = 10;

/// Why a query over files gives no table.
#[expect(missing_docs, reason = "each variant says what happened; its fields are what its message names")]
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The source is no query over files.
    NoQuery { source: String },
    /// A file can't be read as a table.
    Table { error: trainyard_data::Error, file: Located<String> },
    /// The rows are no table.
    Data(trainyard_data::Error),
    /// The query is no SQL.
    Syntax { cause: String, place: Option<Place> },
    /// The query is another statement, or several.
    NotSelect { place: Option<Place> },
    /// There is no such table.
    UnknownTable { table: String, known: Vec<String>, place: Option<Place> },
    /// There is no such column.
    UnknownColumn { column: String, known: Vec<String>, place: Option<Place> },
    /// Several tables have a column of that name.
    Ambiguous { column: String, place: Option<Place> },
    /// A function answers by the clock or by chance.
    Volatile { function: String, place: Option<Place> },
    /// A column of the result is of a type that no table holds.
    Type { column: String, kind: String, place: Option<Place> },
    /// No row is left.
    NoRows { place: Option<Place> },
    /// The query can't be planned, or fails on a row.
    Failed { cause: String, place: Option<Place> },
    /// The engine could not work.
    Engine { cause: String },
}

fn at(diagnostic: Diagnostic, place: &Option<Place>, text: &str) -> Diagnostic {
    match place {
        Some(place) => diagnostic.at(place.clone(), text),
        None => diagnostic,
    }
}

/// Names what is near to a name, or all that there is.
fn instead(diagnostic: Diagnostic, name: &str, known: &[String], what: &str) -> Diagnostic {
    let name = name.rsplit('.').next().unwrap_or(name);
    let names = || known.iter().map(String::as_str);
    match nearest(name, names()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("the {what} are {}", one_of(&names().collect::<Vec<_>>(), LISTED))),
    }
}

impl Error {
    /// Says it to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Error::NoQuery { source } => {
                Diagnostic::error("query/no-query", format!("{source} is no query over files"))
                    .help("write a section: {sql: \"SELECT …\", tables: {name: file}}")
            }
            Error::Table { error, file } => {
                let problem = error.diagnostic();
                if problem.primary.is_some() { problem } else { file.origin.point(problem, "this is the table") }
            }
            Error::Data(error) => error.diagnostic(),
            Error::Syntax { cause, place } => {
                let problem = Diagnostic::error("query/syntax", format!("the query is no SQL: {cause}"));
                at(problem, place, "reading stopped here").help("mend the query")
            }
            Error::NotSelect { place } => {
                let problem = Diagnostic::error("query/not-a-select", "the query is something else than one SELECT");
                at(problem, place, "asks for no rows").help("write one SELECT; it may begin with WITH")
            }
            Error::UnknownTable { table, known, place } => {
                let title = format!("the query names the table {table}, which `tables` does not list");
                let problem = at(Diagnostic::error("query/unknown-table", title), place, "no table");
                instead(problem, table, known, "tables")
            }
            Error::UnknownColumn { column, known, place } => {
                let title = format!("the query names the column {column}, which no table here has");
                let problem = at(Diagnostic::error("query/unknown-column", title), place, "no column");
                instead(problem, column, known, "columns")
            }
            Error::Ambiguous { column, place } => {
                let title = format!("the name {column} may mean several columns");
                at(Diagnostic::error("query/ambiguous-column", title), place, "which of them?").help(format!(
                    "write the table's name before it, `table.{column}`, or give one another name with AS"
                ))
            }
            Error::Volatile { function, place } => {
                let title = format!("{function}() gives another answer each time, so that no run could be repeated");
                at(Diagnostic::error("query/volatile", title), place, "depends on more than the files")
                    .help("write the value itself, or put it into a file")
            }
            Error::Type { column, kind, place } => {
                let title =
                    format!("the column {column} of the query's rows is of type {kind}, which no feature can use");
                at(Diagnostic::error("query/result-type", title), place, "no number, text, day or moment")
                    .help(format!("cast it, `CAST(… AS VARCHAR) AS {column}`, take a part of it, or leave it out"))
            }
            Error::NoRows { place } => {
                at(Diagnostic::error("query/no-rows", "the query gives no row"), place, "nothing fits this")
                    .help("look at its conditions, and whether the keys of the joined tables are written the same")
            }
            Error::Failed { cause, place } => {
                let problem = Diagnostic::error("query/failed", format!("the query can't be run: {cause}"));
                at(problem, place, "asked for here").help("mend the query")
            }
            Error::Engine { cause } => Diagnostic::error("query/engine", format!("the query's engine failed: {cause}"))
                .with_fault(Fault::Internal)
                .help("report it, with the query"),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.diagnostic().title)
    }
}

impl std::error::Error for Error {}
