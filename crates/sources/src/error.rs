//! What can be wrong with a database or a store of objects.

use trainyard_diagnostics::{Diagnostic, Place, nearest, one_of};
use trainyard_spec::Store;
use trainyard_stores::NoRuntime;

use crate::postgres::Server;

/// The most names that a message lists.
const LISTED: usize = 10;

/// Why a database or a store gives no table.
#[expect(missing_docs, reason = "each variant says what happened; its fields are what its message names")]
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The rows are no table, or there is no such file.
    Data(trainyard_data::Error),
    /// The rows of a database are no table; what to do there is not what files need.
    Rows { error: trainyard_data::Error, help: String },
    /// The address is none, which decoding has told.
    Address(trainyard_spec::Error),
    /// The source is a file or an object.
    NoDatabase { source: String },
    /// A file is no database, or a broken one.
    Damaged { file: String, cause: String },
    /// Another process keeps writing.
    Busy { file: String },
    /// There is no such table.
    UnknownTable { table: String, known: Vec<String>, source: String, place: Option<Place> },
    /// There is no such column.
    UnknownColumn { column: String, known: Vec<String>, source: String, place: Option<Place> },
    /// The query is none, or not allowed.
    Query { source: String, cause: String, place: Option<Place>, help: String },
    /// The query names a parameter that has no value.
    UnboundParameter { name: String, place: Option<Place> },
    /// A value is given for a parameter that the query does not name.
    UnusedParameter { name: String, known: Vec<String>, place: Option<Place> },
    /// No connection to the server.
    Unreachable { server: Server, cause: String },
    /// The connection broke again and again.
    CutOff { server: Server, cause: String, tries: usize },
    /// The server does not let the user in.
    Login { server: Server, cause: String },
    /// The server has no such database.
    NoSuchDatabase { server: Server },
    /// No encrypted connection came about.
    Tls { server: Server, cause: String },
    /// The certificates to trust can't be read.
    Certificates { file: Option<String>, cause: String },
    /// The server says no for another reason.
    Server { server: Server, cause: String },
    /// The system gives no room for connections.
    Runtime { cause: String },
    /// The source is no object.
    NoStore { source: String },
    /// The store has nothing of that name.
    NoObject { address: String, store: Store, pattern: bool, near: Vec<String> },
    /// There is no such bucket.
    NoBucket { bucket: String, store: Store },
    /// Who asks may not read it.
    Denied { address: String, store: Store, cause: String },
    /// Nobody is known who could ask.
    NoCredentials { store: Store, cause: String },
    /// What the environment says of a store is wrong.
    Settings { store: Store, cause: String },
    /// No server answers.
    NoAnswer { address: String, cause: String },
    /// The connection broke again and again.
    Broken { address: String, cause: String, tries: usize },
    /// The store says no for another reason.
    Refused { address: String, cause: String, help: String },
    /// The object changed whenever it was read.
    Changed { address: String },
    /// The address is that of a record, which holds no signature.
    Hidden { address: String },
    /// What is fetched can't be written.
    File(Box<Diagnostic>),
    /// The user asked to stop.
    Interrupted,
}

fn at(diagnostic: Diagnostic, place: &Option<Place>, text: &str) -> Diagnostic {
    match place {
        Some(place) => diagnostic.at(place.clone(), text),
        None => diagnostic,
    }
}

/// Names what is near to a name, or all that there is.
fn instead(diagnostic: Diagnostic, name: &str, known: &[String], what: &str) -> Diagnostic {
    let names = || known.iter().map(String::as_str);
    match nearest(name, names()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.help(format!("there is no {what} that this user may read")),
        None => diagnostic.help(format!("the {what}s are {}", one_of(&names().collect::<Vec<_>>(), LISTED))),
    }
}

/// Names the variables by which somebody is known to a store.
fn variables(store: Store) -> &'static str {
    match store {
        Store::S3 => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN where there is one) of somebody who may \
             read it; AWS_SKIP_SIGNATURE=true for what everybody may read"
        }
        Store::Google => {
            "set GOOGLE_APPLICATION_CREDENTIALS to the file of an account that may read it; GOOGLE_SKIP_SIGNATURE=true for \
             what everybody may read"
        }
        Store::Azure => {
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN; \
             AZURE_SKIP_SIGNATURE=true for what everybody may read"
        }
        Store::Web => "take an address that you may read; one that is signed may have run out",
    }
}

fn name_of(store: Store) -> &'static str {
    match store {
        Store::S3 => "S3",
        Store::Google => "Google Cloud Storage",
        Store::Azure => "Azure Blob Storage",
        Store::Web => "the web server",
    }
}

impl From<NoRuntime> for Error {
    fn from(none: NoRuntime) -> Self {
        Self::Runtime { cause: none.cause }
    }
}

impl Error {
    /// Says whether it is the user's wish to stop.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Error::Interrupted)
    }

    /// Says it to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Error::Data(error) => error.diagnostic(),
            Error::Rows { error, help } => Diagnostic { help: vec![help.clone()], ..error.diagnostic() },
            Error::Address(error) => error.diagnostic(),
            Error::NoDatabase { source } => Diagnostic::error("source/no-database", format!("{source} is no database"))
                .help("name one: sqlite:///FILE?table=NAME or postgresql://USER@HOST/DATABASE?table=NAME"),
            Error::Damaged { file, cause } => {
                Diagnostic::error("source/damaged-database", format!("{file} can't be read as SQLite: {cause}"))
                    .help("name a file of SQLite, or bring this one back from a copy")
            }
            Error::Busy { file } => {
                Diagnostic::error("source/busy", format!("{file} is locked: another process writes into it"))
                    .help("wait until that is done, and repeat the command")
            }
            Error::UnknownTable { table, known, source, place } => {
                let problem = Diagnostic::error("source/unknown-table", format!("{source} has no table {table}"));
                instead(at(problem, place, "not a table there"), table, known, "table")
            }
            Error::UnknownColumn { column, known, source, place } => {
                let problem = Diagnostic::error("source/unknown-column", format!("{source} has no column {column}"));
                instead(at(problem, place, "not a column there"), column, known, "column")
            }
            Error::Query { source, cause, place, help } => {
                let problem = Diagnostic::error("source/query", format!("{source} can't be read: {cause}"));
                at(problem, place, "asked for here").help(help.clone())
            }
            Error::UnboundParameter { name, place } => {
                let title = format!("the query names the parameter :{name}, which has no value");
                let is_typed = place.as_ref().is_some_and(|place| place.source.text.starts_with("--query "));
                at(Diagnostic::error("source/parameter", title), place, "no value for this").help(match is_typed {
                    true => "write the value itself into the query".to_owned(),
                    false => format!("give it one: `parameters: {{{name}: VALUE}}` beside the query"),
                })
            }
            Error::UnusedParameter { name, known, place } => {
                let title = format!("the query does not name the parameter {name}");
                let problem = at(Diagnostic::error("source/parameter", title), place, "its value");
                match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("write :{name} into the query where it belongs, or leave it out")),
                }
            }
            Error::Unreachable { server, cause } => {
                Diagnostic::error("source/unreachable", format!("no connection to {server}: {cause}"))
                    .help("start the server, or mend host and port in the address")
            }
            Error::CutOff { server, cause, tries } => {
                Diagnostic::error("source/cut-off", format!("the connection to {server} broke {tries} times: {cause}"))
                    .note("nothing of what was read so far is used")
                    .help("ask who runs the server what ends connections, and repeat the command")
            }
            Error::Login { server, cause } => {
                Diagnostic::error("source/login", format!("{server} does not let the user in: {cause}")).help(
                    "put the password into the variable PGPASSWORD, or into ~/.pgpass, which nobody else may read",
                )
            }
            Error::NoSuchDatabase { server } => {
                Diagnostic::error("source/unknown-database", format!("there is no database at {server}"))
                    .help("mend its name in the address")
            }
            Error::Tls { server, cause } => Diagnostic::error(
                "source/tls",
                format!("no encrypted connection to {server}: {cause}"),
            )
            .help(
                "name the file of the certificates to trust, `sslmode=verify-full&sslrootcert=FILE`, or take another \
                     `sslmode`",
            ),
            Error::Certificates { file, cause } => {
                let file = file.as_deref().unwrap_or("the system's store of certificates");
                Diagnostic::error("source/certificates", format!("{file} gives no certificate to trust: {cause}"))
                    .help("name a file of certificates in PEM form: `sslrootcert=FILE`")
            }
            Error::Server { server, cause } => Diagnostic::error("source/server", format!("{server} refuses: {cause}"))
                .help("repeat the command later, or ask who runs the server"),
            Error::Runtime { cause } => {
                Diagnostic::error("source/runtime", format!("no connection could be prepared: {cause}"))
                    .help("end other programs, or raise the limit of open files, and repeat the command")
            }
            _ => self.of_store(),
        }
    }
}

impl Error {
    /// Says what is wrong with a store.
    fn of_store(&self) -> Diagnostic {
        match self {
            Error::NoObject { address, store, pattern, near } => {
                let title = match pattern {
                    true => format!("no object has a name of {address}"),
                    false => format!("there is no {address}"),
                };
                let problem = Diagnostic::error("source/no-object", title);
                let wanted = address.rsplit('/').next().unwrap_or(address);
                let names = || near.iter().map(String::as_str);
                match nearest(wanted, names()) {
                    _ if *store == Store::Web => problem.help("mend the address in `data.source`"),
                    Some(name) if !pattern => problem.help(format!("did you mean `{name}`?")),
                    _ if near.is_empty() => problem.help("mend the name: nothing can be listed beside it"),
                    _ => problem.help(format!("beside it there are {}", one_of(&names().collect::<Vec<_>>(), LISTED))),
                }
            }
            Error::NoBucket { bucket, store } => {
                let what = if *store == Store::Azure { "container" } else { "bucket" };
                Diagnostic::error("source/no-bucket", format!("{} has no {what} {bucket}", name_of(*store)))
                    .help(format!("mend the name of the {what} in `data.source`"))
            }
            Error::Denied { address, store, cause } => {
                Diagnostic::error("source/not-allowed", format!("{address} may not be read: {cause}"))
                    .help(variables(*store))
            }
            Error::NoCredentials { store, cause } => {
                let title = format!("nobody is named who asks {}: {cause}", name_of(*store));
                Diagnostic::error("source/no-credentials", title).help(variables(*store))
            }
            Error::Settings { store, cause } => {
                let title = format!("{} can't be asked with these settings: {cause}", name_of(*store));
                let variables = match store {
                    Store::S3 => "AWS_…",
                    Store::Google => "GOOGLE_…",
                    Store::Azure => "AZURE_…",
                    Store::Web => "HTTPS_PROXY and NO_PROXY",
                };
                Diagnostic::error("source/settings", title).help(format!("mend the variables {variables}"))
            }
            Error::NoAnswer { address, cause } => {
                Diagnostic::error("source/unreachable", format!("no answer about {address}: {cause}"))
                    .help("start the server, or mend its name in `data.source` or in the variable that names it")
            }
            Error::Broken { address, cause, tries } => {
                Diagnostic::error("source/cut-off", format!("fetching {address} broke off {tries} times: {cause}"))
                    .note("nothing of what was read so far is used")
                    .help("ask who runs the server what ends connections, and repeat the command")
            }
            Error::Refused { address, cause, help } => {
                Diagnostic::error("source/server", format!("{address} can't be read: {cause}")).help(help.clone())
            }
            Error::Changed { address } => {
                Diagnostic::error("source/changed", format!("{address} changed while it was read"))
                    .note("nothing of what was read so far is used")
                    .help("wait until nobody writes it, and repeat the command")
            }
            Error::Hidden { address } => {
                let title = format!("{address} can't be read again: a run does not keep what lets somebody in");
                Diagnostic::error("source/signature", title)
                    .help("write the same address, signed, into `data.source`; or start another run")
            }
            Error::File(problem) => (**problem).clone(),
            Error::Interrupted => {
                Diagnostic::error("source/cut-off", "reading the source was stopped").help("repeat the command")
            }
            // All others are said above.
            other => {
                let source = if let Error::NoStore { source } = other { source.as_str() } else { "the source" };
                Diagnostic::error("source/no-store", format!("{source} is no object of a store"))
                    .help("name one: s3://BUCKET/NAME, gs://BUCKET/NAME, az://CONTAINER/NAME or https://HOST/FILE")
            }
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.diagnostic().title)
    }
}

impl std::error::Error for Error {}
