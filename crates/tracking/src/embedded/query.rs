//! One SELECT over views whose names and columns stay as they are.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use trainyard_diagnostics::{Diagnostic, Place, Source, nearest};

use super::fault::Fault;
use crate::Error;

/// Is a table that queries may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in their order.
    pub columns: &'static [&'static str],
}

const fn view(name: &'static str, columns: &'static [&'static str]) -> View {
    View { name, columns }
}

/// Lists what queries may name. `views.sql` makes them.
pub const VIEWS: [View; 12] = [
    view(
        "runs",
        &[
            "run_id",
            "experiment_name",
            "name",
            "status",
            "start_time",
            "end_time",
            "seconds",
            "reason_code",
            "reason_message",
            "start_ms",
            "end_ms",
        ],
    ),
    view("params", &["run_id", "key", "value"]),
    view("tags", &["run_id", "key", "value"]),
    view("metrics", &["run_id", "key", "step", "value", "is_nan", "timestamp", "timestamp_ms"]),
    view("latest_metrics", &["run_id", "key", "step", "value", "is_nan"]),
    view("inputs", &["run_id", "name", "digest", "source", "rows"]),
    view("artifacts", &["run_id", "path", "digest", "size"]),
    view("models", &["name", "created", "created_ms"]),
    view(
        "versions",
        &["model", "version", "run_id", "digest", "artifact_path", "stage", "rows", "created", "created_ms"],
    ),
    view("aliases", &["model", "alias", "version"]),
    view(
        "history",
        &[
            "sequence", "registry", "model", "version", "action", "who", "run_id", "reason", "effects", "decision",
            "at", "at_ms", "hash",
        ],
    ),
    view("mlflow_metrics", &["experiment_name", "run_id", "metric_name", "metric_value", "timestamp", "step"]),
];

/// How long a query may go on after it was to stop.
const ATTENTION: Duration = Duration::from_millis(20);

/// Is one value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing; also what a metric has that is NaN.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number; an infinity is one.
    Real(f64),
    /// A text; what of it is no UTF-8 is replaced.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Is what a query found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The names of the columns, as the query says them.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// Says why a query has no answer.
#[derive(Debug)]
pub enum QueryError {
    /// It was stopped.
    Stopped,
    /// It is not what may be asked; drawn with its place.
    Wrong(Diagnostic),
    /// The store does not answer.
    Store(Error),
}

impl QueryError {
    fn wrong(diagnostic: Diagnostic) -> Box<Self> {
        Box::new(Self::Wrong(diagnostic))
    }
}

/// Makes the views, of which the connection alone knows. Their names hide the tables' until they are dropped.
fn make_views(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "query_only", false)?;
    connection.execute_batch(include_str!("views.sql"))?;
    // A name between double quotes that no column has would be a text, without a word.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    // Whatever a statement says of itself.
    connection.pragma_update(None, "query_only", true)
}

fn drop_views(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "query_only", false)?;
    VIEWS.iter().try_for_each(|view| connection.execute_batch(&format!("DROP VIEW IF EXISTS temp.{}", view.name)))
}

pub(super) fn answer(
    connection: &Connection,
    path: &Path,
    name: &str,
    sql: &str,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Answer, Box<QueryError>> {
    let source = Source::new(name, sql);
    let reads = only_reads(&source)?;
    let was_only_reading = connection.query_row("PRAGMA query_only", [], |row| row.get::<_, bool>(0)).unwrap_or(true);
    let outcome = make_views(connection).and_then(|()| asked(connection, &source.text[reads], is_stopped));
    let dropped = drop_views(connection).and_then(|()| connection.pragma_update(None, "query_only", was_only_reading));
    outcome.and_then(|answer| dropped.map(|()| answer)).map_err(|error| told(error, path, &source))?.ok_or_else(|| {
        let whole = Place::new(Arc::clone(&source), 0..sql.len());
        QueryError::wrong(not_a_select(whole, "the statement"))
    })
}

/// Runs the statement; nothing where it would do more than read.
fn asked(
    connection: &Connection,
    sql: &str,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> rusqlite::Result<Option<Answer>> {
    let mut statement = connection.prepare(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    if !statement.readonly() || columns.is_empty() {
        return Ok(None);
    }
    let interrupt = connection.get_interrupt_handle();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = thread::Builder::new().name("query".to_owned()).spawn_scoped(scope, || {
            while !is_done.load(Ordering::Acquire) {
                if is_stopped() {
                    interrupt.interrupt();
                }
                thread::park_timeout(ATTENTION);
            }
        });
        let outcome = rows(&mut statement, columns.len());
        is_done.store(true, Ordering::Release);
        // Without a watcher the query ends with the process.
        if let Ok(watch) = &watch {
            watch.thread().unpark();
        }
        outcome.map(|rows| Some(Answer { columns, rows }))
    })
}

fn rows(statement: &mut rusqlite::Statement<'_>, width: usize) -> rusqlite::Result<Vec<Vec<Cell>>> {
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let cells = (0..width).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::Integer(value),
                ValueRef::Real(value) => Cell::Real(value),
                ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
            })
        });
        found.push(cells.collect::<rusqlite::Result<_>>()?);
    }
    Ok(found)
}

/// Gives the part of the text that is its one statement, which has to begin as one that reads does: SQLite says of
/// ATTACH, of PRAGMA and of BEGIN too that they change no table.
fn only_reads(source: &Arc<Source>) -> Result<Range<usize>, Box<QueryError>> {
    let text = source.text.as_str();
    let place = |span: Range<usize>| Place::new(Arc::clone(source), span);
    let start = skipped(text, 0);
    let word = |at: usize| {
        let rest = &text[at..];
        at..at + rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
    };
    if start == text.len() {
        let diagnostic = Diagnostic::error("sql/no-query", "there is no query").at(place(0..text.len()), "");
        return Err(QueryError::wrong(diagnostic.help("write one SELECT")));
    }
    let first = word(start);
    let is =
        |span: &Range<usize>, words: &[&str]| words.iter().any(|word| text[span.clone()].eq_ignore_ascii_case(word));
    let mut begins = first.clone();
    if is(&begins, &["EXPLAIN"]) {
        begins = word(skipped(text, begins.end));
        if is(&begins, &["QUERY"]) {
            begins = word(skipped(text, word(skipped(text, begins.end)).end));
        }
    }
    // What begins with a bracket, or with a word that SQL does not know, is for SQLite to refuse.
    const OTHERS: [&str; 22] = [
        "ALTER",
        "ANALYZE",
        "ATTACH",
        "BEGIN",
        "COMMIT",
        "CREATE",
        "DELETE",
        "DETACH",
        "DROP",
        "END",
        "INSERT",
        "PRAGMA",
        "REINDEX",
        "RELEASE",
        "REPLACE",
        "ROLLBACK",
        "SAVEPOINT",
        "TRUNCATE",
        "UPDATE",
        "UPSERT",
        "VACUUM",
        "GRANT",
    ];
    if !is(&begins, &["SELECT", "WITH", "VALUES"]) {
        if is(&begins, &OTHERS) {
            let said = format!("`{}`", text[begins.clone()].to_uppercase());
            return Err(QueryError::wrong(not_a_select(place(begins), &said)));
        }
        let near =
            nearest(&text[begins.clone()].to_uppercase(), ["SELECT", "WITH", "VALUES", "EXPLAIN"]).map(str::to_owned);
        let title = "the query does not begin as one";
        let help = near.map_or_else(|| "write one SELECT".to_owned(), |near| format!("did you mean `{near}`?"));
        let end = begins.end.max(begins.start + text[begins.start..].chars().next().map_or(0, char::len_utf8));
        let diagnostic = Diagnostic::error("sql/wrong", title).at(place(begins.start..end), "").help(help);
        return Err(QueryError::wrong(diagnostic));
    }
    let end = statement_end(text, start);
    let after = skipped(text, (end + 1).min(text.len()));
    if after < text.len() {
        let second = Diagnostic::error("sql/not-a-select", "there are two statements")
            .at(place(after..text.trim_end().len()), "the second one")
            .help("ask one after the other");
        return Err(QueryError::wrong(second));
    }
    Ok(0..end)
}

fn not_a_select(place: Place, what: &str) -> Diagnostic {
    Diagnostic::error("sql/not-a-select", format!("{what} does more than read"))
        .at(place, "")
        .help("write one SELECT: runs and their history are never changed by hand")
}

/// Gives the first place at or behind `at` that is neither blank nor comment.
fn skipped(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let blanks = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';').len();
        let rest = &rest[blanks..];
        let comment = if rest.starts_with("--") {
            rest.find('\n').map_or(rest.len(), |end| end + 1)
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            0
        };
        at += blanks + comment;
        if comment == 0 {
            return at;
        }
    }
}

/// Gives the place of the semicolon that ends the statement, or the end of the text.
fn statement_end(text: &str, start: usize) -> usize {
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        at += match c {
            ';' => return at,
            '\'' | '"' | '`' => rest[1..].find(c).map_or(rest.len(), |end| end + 2),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |end| end + 1),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            other => other.len_utf8(),
        };
    }
    text.len()
}

/// Sorts what SQLite says: of the query with its place, of the store as ever.
fn told(error: rusqlite::Error, path: &Path, source: &Arc<Source>) -> Box<QueryError> {
    let code = error.sqlite_error_code();
    if code == Some(ErrorCode::OperationInterrupted) {
        return Box::new(QueryError::Stopped);
    }
    let (message, offset) = match &error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok()),
        rusqlite::Error::SqliteFailure(_, message)
            if matches!(code, Some(ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::TooBig)) =>
        {
            (message.clone().unwrap_or_else(|| error.to_string()), None)
        }
        _ => return Box::new(QueryError::Store(Fault::from(error).at(path))),
    };
    QueryError::wrong(explained(&message, offset, source))
}

fn explained(message: &str, offset: Option<usize>, source: &Arc<Source>) -> Diagnostic {
    let text = source.text.as_str();
    let named = |what: &str| message.strip_prefix(what).map(|name| name.trim().to_owned());
    // SQLite gives the place of some mistakes and the name of others.
    let place = |name: &str| {
        let bare = name.rsplit('.').next().unwrap_or(name);
        let at = offset.filter(|at| *at < text.len()).or_else(|| found(text, name)).or_else(|| found(text, bare));
        let at = at.unwrap_or_else(|| text.trim_end().len());
        let length = [name, bare].into_iter().find(|name| starts(&text[floor(text, at)..], name)).map_or(1, str::len);
        Place::new(Arc::clone(source), at..at + length)
    };
    if let Some(name) = named("no such table: ") {
        let bare = name.rsplit('.').next().unwrap_or(&name);
        let views = VIEWS.map(|view| view.name);
        let help = match nearest(bare, views) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the tables are {}", views.join(", ")),
        };
        let title = format!("there is no table `{bare}`");
        return Diagnostic::error("sql/unknown-table", title).at(place(&name), "").help(help);
    }
    if let Some(name) = named("no such column: ") {
        // A name between double quotes that no column has is most often meant as a text.
        let is_quoted = message.contains("should this be a string literal");
        let name = name.split(" - should this").next().unwrap_or_default().to_owned();
        let bare = name.rsplit('.').next().unwrap_or(&name).trim_matches('"');
        let asked: Vec<&View> = VIEWS.iter().filter(|view| found(text, view.name).is_some()).collect();
        let columns = || asked.iter().flat_map(|view| view.columns.iter().copied());
        let help = match nearest(bare, columns()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if asked.is_empty() => format!("the tables are {}", VIEWS.map(|view| view.name).join(", ")),
            None => {
                let each = asked.iter().map(|view| format!("{} has {}", view.name, view.columns.join(", ")));
                each.collect::<Vec<_>>().join("; ")
            }
        };
        let title = format!("there is no column `{bare}`");
        let mut diagnostic = Diagnostic::error("sql/unknown-column", title).at(place(&name), "");
        if is_quoted {
            diagnostic = diagnostic.note("texts stand between single quotes, names between double ones");
        }
        return diagnostic.help(help);
    }
    let token = message.strip_prefix("near \"").and_then(|rest| rest.split("\": ").next()).unwrap_or_default();
    let name = named("no such function: ").unwrap_or_else(|| token.to_owned());
    let help = match message {
        "incomplete input" => "the query ends too early: close what is open, or name what is selected",
        _ if message.starts_with("no such function") => "SQLite's functions are there, and no others",
        _ => "correct the query: it is written in SQLite's SQL",
    };
    let at = if message == "incomplete input" {
        let end = text.trim_end().len();
        Place::new(Arc::clone(source), end..end)
    } else {
        place(&name)
    };
    Diagnostic::error("sql/wrong", format!("the query cannot be answered: {message}")).at(at, "").help(help)
}

/// Finds a name as a word of its own, whatever its case.
fn found(text: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let begins = text.char_indices().filter(|(at, _)| starts(&text[*at..], name)).map(|(at, _)| at);
    (!name.is_empty()).then_some(())?;
    begins.into_iter().find(|at| {
        !text[..*at].chars().next_back().is_some_and(part) && !text[*at + name.len()..].chars().next().is_some_and(part)
    })
}

fn starts(text: &str, name: &str) -> bool {
    !name.is_empty() && text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{VIEWS, make_views};
    use rusqlite::Connection;

    #[test]
    fn the_views_have_the_columns_that_they_are_said_to_have() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema_v1.sql")).unwrap();
        connection.execute_batch(include_str!("schema_v2.sql")).unwrap();
        make_views(&connection).unwrap();
        for view in VIEWS {
            let statement = connection.prepare(&format!("SELECT * FROM {}", view.name)).unwrap();
            assert_eq!(statement.column_names().collect::<Vec<_>>(), view.columns, "{}", view.name);
        }
        let made: i64 = connection.query_row("SELECT count(*) FROM sqlite_temp_master", [], |row| row.get(0)).unwrap();
        assert_eq!(made, VIEWS.len() as i64);
    }
}
