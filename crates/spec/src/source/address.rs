//! What the address of a source says.

use std::collections::BTreeMap;

use trainyard_diagnostics::{is_password, nearest, one_of, password};

use super::{Parameter, SourceSpec, place_in_words, wrong};
use crate::declare::named;
use crate::error::Error;

named! {
    /// How a connection to PostgreSQL is kept from others.
    pub enum SslMode {
        /// Not at all.
        Disable = "disable",
        /// Encrypted where the server can.
        Prefer = "prefer",
        /// Encrypted, whoever the server is.
        Require = "require",
        /// Encrypted, and the server proves by a certificate that it is the one that was named.
        VerifyFull = "verify-full",
    }
}

/// Where a source is.
#[derive(Debug, Clone, PartialEq)]
pub enum Address {
    /// A file, or a pattern of files.
    File(String),
    /// A file of SQLite.
    Sqlite {
        /// Its path, relative to the project or absolute.
        path: String,
        /// What of it.
        rows: Rows,
    },
    /// A database of a PostgreSQL server.
    Postgres {
        /// Which.
        server: PostgresAddress,
        /// What of it.
        rows: Rows,
    },
    /// An object of a store, or several by a pattern.
    Object(ObjectAddress),
    /// A query over files, which has no address: `sql` and `tables` of the source.
    Query,
}

/// What keeps objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Amazon S3, or a server that speaks as it does.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// A web server: it gives what is named, and lists nothing.
    Web,
}

/// An object of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAddress {
    /// What keeps it.
    pub store: Store,
    /// The bucket or container; of the web the scheme with the host, `https://host:port`.
    pub bucket: String,
    /// The account of Azure where the address names it.
    pub account: Option<String>,
    /// The name within the bucket, taken as it stands, or a pattern of names; of the web the path with the query.
    pub name: String,
}

impl ObjectAddress {
    /// Gives the pattern that the last part of the name is, and what is before it, where it is one.
    pub fn pattern(&self) -> Option<(&str, &str)> {
        let (folder, last) = self.name.rsplit_once('/').unwrap_or(("", &self.name));
        (self.store != Store::Web && last.contains(['*', '?'])).then_some((folder, last))
    }
}

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// Who asks; nothing for what the environment says.
    pub user: Option<String>,
    /// The host, or the folder of a socket; nothing for what the environment says.
    pub host: Option<String>,
    /// The port; nothing for what the environment says.
    pub port: Option<u16>,
    /// The database; nothing for what the environment says.
    pub database: Option<String>,
    /// Whether the connection is encrypted.
    pub ssl: SslMode,
    /// A file of certificates that the server's must come from; nothing for those of the system.
    pub roots: Option<String>,
}

/// The rows of a database that are the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// All of a table: the parts of its name, schema first.
    Table(Vec<String>),
    /// Those of a query, with the values of its parameters.
    Query(String, BTreeMap<String, Parameter>),
}

const SCHEMES: [&str; 10] = ["sqlite", "postgresql", "postgres", "s3", "gs", "az", "abfs", "abfss", "http", "https"];

/// Says of the address of a database whether it names the rows that are the table, as `?table=NAME` does; nothing of
/// any other address.
pub fn names_rows(url: &str) -> Option<bool> {
    let (scheme, rest) = url.split_once("://")?;
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    let keys = || options.split('&').map(|option| option.split('=').next().unwrap_or(option));
    matches!(scheme, "sqlite" | "postgresql" | "postgres").then(|| keys().any(|key| matches!(key, "table" | "query")))
}

/// Reads the address of a source.
pub(super) fn parse(source: &SourceSpec) -> Result<Address, Error> {
    let url = &source.url;
    if source.sql.is_some() || source.tables.is_some() {
        return over_files(source);
    }
    let Some((scheme, rest)) = url.value.split_once("://") else {
        return file(source);
    };
    if password(rest, matches!(scheme, "postgresql" | "postgres")).is_some() {
        return Err(Error::PasswordInSource { place: place_in_words(&url.origin), scheme: scheme.to_owned() });
    }
    let options = || rest.split_once('?').map_or("", |(_, options)| options);
    if options().split('&').any(is_password) {
        return Err(Error::PasswordInSource { place: place_in_words(&url.origin), scheme: scheme.to_owned() });
    }
    match scheme {
        "sqlite" => sqlite(source, rest),
        "postgresql" | "postgres" => postgres(source, rest),
        "s3" => object(source, Store::S3, rest),
        "gs" => object(source, Store::Google, rest),
        "az" | "abfs" | "abfss" => object(source, Store::Azure, rest),
        "http" | "https" => web(source, rest),
        other => {
            let near = nearest(other, SCHEMES).map(|near| format!("did you mean `{near}://`? "));
            let help = format!("{}known are {}", near.unwrap_or_default(), one_of(&SCHEMES, usize::MAX));
            Err(wrong(url, "", format!("no table can be read from {other}://"), help))
        }
    }
}

/// Takes the path of a file.
fn file(source: &SourceSpec) -> Result<Address, Error> {
    no_database(source)?;
    Ok(Address::File(source.url.value.clone()))
}

/// Takes `BUCKET/NAME`, with `CONTAINER@ACCOUNT…/NAME` for Azure. Names are no addresses: nothing in them is decoded.
fn object(source: &SourceSpec, store: Store, rest: &str) -> Result<Address, Error> {
    no_database(source)?;
    let url = &source.url;
    let (scheme, _) = url.value.split_once("://").unwrap_or_default();
    let (bucket, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (bucket, account) = match bucket.split_once('@').filter(|_| store == Store::Azure) {
        Some((container, host)) => (container, Some(host.split('.').next().unwrap_or(host).to_owned())),
        None => (bucket, None),
    };
    let what = if store == Store::Azure { "container" } else { "bucket" };
    let help = format!("write {scheme}://{}/FOLDER/FILE.csv", what.to_uppercase());
    if bucket.is_empty() || account.as_ref().is_some_and(String::is_empty) {
        return Err(wrong(url, "", format!("the address names no {what}"), help));
    }
    if name.is_empty() || name.ends_with('/') {
        return Err(wrong(url, "", format!("the address names no object of the {what}"), help));
    }
    if name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        let what = format!("`{name}` is not the name of an object: a part of it is empty, `.` or `..`");
        return Err(wrong(url, "", what, help));
    }
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    if bucket.contains(['*', '?']) || folder.contains(['*', '?']) {
        return Err(wrong(url, "", "a pattern stands only in the last part of an address", help));
    }
    let (bucket, name) = (bucket.to_owned(), name.to_owned());
    Ok(Address::Object(ObjectAddress { store, bucket, account, name }))
}

/// Takes `HOST/PATH?QUERY`.
fn web(source: &SourceSpec, rest: &str) -> Result<Address, Error> {
    no_database(source)?;
    let url = &source.url;
    let (scheme, _) = url.value.split_once("://").unwrap_or_default();
    let (host, name) = rest.split_once('/').unwrap_or((rest, ""));
    let path = name.split(['?', '#']).next().unwrap_or_default();
    let help = format!("write {scheme}://HOST/FOLDER/FILE.csv");
    if host.is_empty() || host.contains(['?', '#', '@', ' ']) {
        return Err(wrong(url, "", "the address names no host", help));
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(wrong(url, "", "the address names no file of the web server", help));
    }
    if path.contains('*') {
        let what = "a web server does not say which files it has: a pattern finds none";
        return Err(wrong(url, "", what, "name one file, or take the files from a bucket or a folder"));
    }
    let name = name.split('#').next().unwrap_or(name).to_owned();
    Ok(Address::Object(ObjectAddress { store: Store::Web, bucket: format!("{scheme}://{host}"), account: None, name }))
}

/// Refuses what only a database has.
fn no_database(source: &SourceSpec) -> Result<(), Error> {
    let help = "name a database: sqlite:///FILE or postgresql://USER@HOST/DATABASE";
    let asked = [(&source.table, ".table", "a table"), (&source.query, ".query", "a query")];
    for (value, key, what) in asked {
        if let Some(value) = value {
            return Err(wrong(value, key, format!("{what} is asked of what is no database"), help));
        }
    }
    if !source.parameters.is_empty() {
        return Err(wrong(&source.url, "", "parameters are given without a query", help));
    }
    Ok(())
}

/// Refuses what a query over files has no use for.
fn over_files(source: &SourceSpec) -> Result<Address, Error> {
    let help = "keep `sql` and `tables` for a query over files, or `url` and what belongs to it";
    let url = (!source.url.is_empty()).then_some(&source.url);
    let others = [(url, ".url"), (source.table.as_ref(), ".table"), (source.query.as_ref(), ".query")];
    for (value, key) in others {
        if let Some(value) = value {
            return Err(wrong(value, key, format!("a query over files has no `{}`", &key[1..]), help));
        }
    }
    if !source.parameters.is_empty() {
        return Err(wrong(source, "", "a query over files has no `parameters`", "write the values into the query"));
    }
    Ok(Address::Query)
}

fn sqlite(source: &SourceSpec, rest: &str) -> Result<Address, Error> {
    let url = &source.url;
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let Some(path) = place.strip_prefix('/').filter(|path| !path.is_empty()) else {
        let help = "write sqlite:///data/raw/file.db for a file of the project, sqlite:////data/file.db for any other";
        return Err(wrong(url, "", "the address names no file of SQLite", help));
    };
    let mut options = options_of(source, options, &["table", "query"])?;
    let rows = rows(source, &mut options)?;
    Ok(Address::Sqlite { path: decoded(source, path)?, rows })
}

fn postgres(source: &SourceSpec, rest: &str) -> Result<Address, Error> {
    let url = &source.url;
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let mut options = options_of(source, options, &["table", "query", "host", "sslmode", "sslrootcert"])?;
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.map(str::parse) {
        None => None,
        Some(Ok(port)) => Some(port),
        Some(Err(_)) => return Err(wrong(url, "", "the port is no number up to 65535", "write HOST:5432")),
    };
    let written = |text: &str| if text.is_empty() { Ok(None) } else { decoded(source, text).map(Some) };
    let ssl = match options.remove("sslmode") {
        None => SslMode::Prefer,
        Some(mode) => {
            let all = [SslMode::Disable, SslMode::Prefer, SslMode::Require, SslMode::VerifyFull];
            let names = all.map(SslMode::name);
            all.into_iter().find(|known| known.name() == mode).ok_or_else(|| {
                let near = nearest(&mode, names).map(|near| format!("did you mean `{near}`? "));
                let help = format!("{}known are {}", near.unwrap_or_default(), one_of(&names, 9));
                wrong(url, "", format!("there is no sslmode `{mode}`"), help)
            })?
        }
    };
    if options.contains_key("sslrootcert") && ssl != SslMode::VerifyFull {
        let what = format!("sslmode `{}` asks for no certificate", ssl.name());
        return Err(wrong(url, "", what, "write sslmode=verify-full, or leave sslrootcert out"));
    }
    let server = PostgresAddress {
        user: written(user)?,
        host: options.remove("host").map_or_else(|| written(host), |host| Ok(Some(host)))?,
        port,
        database: written(database)?,
        ssl,
        roots: options.remove("sslrootcert"),
    };
    Ok(Address::Postgres { server, rows: rows(source, &mut options)? })
}

/// Reads `key=value&key=value`.
fn options_of(source: &SourceSpec, text: &str, known: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    let mut options = BTreeMap::new();
    for option in text.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        if !known.contains(&key) {
            let near = nearest(key, known.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            let help = format!("{}known are {}", near.unwrap_or_default(), one_of(known, 9));
            return Err(wrong(&source.url, "", format!("the address has no option `{key}`"), help));
        }
        options.insert(key.to_owned(), decoded(source, value)?);
    }
    Ok(options)
}

/// Gives what of the database is asked for.
fn rows(source: &SourceSpec, options: &mut BTreeMap<String, String>) -> Result<Rows, Error> {
    let url = &source.url;
    let table = source.table.as_ref().map(|table| table.value.clone()).or_else(|| options.remove("table"));
    let query = source.query.as_ref().map(|query| query.value.clone()).or_else(|| options.remove("query"));
    match (table, query) {
        (Some(table), None) if source.parameters.is_empty() => {
            let parts: Vec<String> = parts_of(&table);
            if parts.len() > 2 || parts.iter().any(String::is_empty) {
                let help = "write `table`, `schema.table`, or \"a.b\" in quotes where a name holds a point";
                return Err(wrong(source.table.as_ref().unwrap_or(url), "", format!("`{table}` names no table"), help));
            }
            Ok(Rows::Table(parts))
        }
        (Some(_), None) => {
            Err(wrong(url, "", "parameters are given, but no query", "write a `query`, or leave `parameters` out"))
        }
        (None, Some(query)) => {
            let parameters = source.parameters.iter().map(|(name, value)| (name.clone(), value.value.clone()));
            Ok(Rows::Query(query, parameters.collect()))
        }
        (None, None) => {
            let help = "write `?table=NAME` after it, or a section: {url: …, query: \"SELECT …\"}";
            Err(wrong(url, "", "the address names a database, but not what of it is the table", help))
        }
        (Some(_), Some(_)) => {
            Err(wrong(url, "", "both a table and a query are asked for", "keep one of `table` and `query`"))
        }
    }
}

/// Cuts a name at its points but for those between double quotes.
fn parts_of(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = parts.len() - 1;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                parts[last].push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            other => parts[last].push(other),
        }
    }
    parts
}

/// Undoes `%20` and its like.
fn decoded(source: &SourceSpec, text: &str) -> Result<String, Error> {
    let bad = || wrong(&source.url, "", format!("`{text}` is not encoded as addresses are"), "write % as %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad())
}
