//! Who connects to which server, and what a refusal means.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::config::SslMode as Ssl;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Connection, Error as Failure, Socket};
use trainyard_spec::{PostgresAddress, SslMode};

use super::Stop;
use super::tls::{Tls, TlsStream};
use crate::Error;

/// How long a server may take to answer at first.
const PATIENCE: Duration = Duration::from_secs(10);

const PORT: u16 = 5432;

/// A server and a database in words, without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    user: String,
    host: String,
    port: u16,
    database: String,
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "postgresql://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

/// Who answered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Met {
    Nobody,
    /// A server that takes no connection: it begins, ends, or has too many.
    Server,
    Database,
}

/// All that a connection needs.
pub(super) struct Login {
    server: Server,
    config: Config,
    tls: Tls,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Login {
    /// Fills up an address by what the environment says, under the names that PostgreSQL's own programs know.
    pub(super) fn of(root: &Path, address: &PostgresAddress) -> Result<Login, Error> {
        let written = |part: &Option<String>, name: &str| part.clone().or_else(|| variable(name));
        let user = written(&address.user, "PGUSER").or_else(|| variable("USER")).or_else(|| variable("LOGNAME"));
        let user = user.unwrap_or_else(|| "postgres".to_owned());
        let database = written(&address.database, "PGDATABASE").unwrap_or_else(|| user.clone());
        let host = written(&address.host, "PGHOST").unwrap_or_else(|| "localhost".to_owned());
        let port = address.port.or_else(|| variable("PGPORT")?.parse().ok()).unwrap_or(PORT);
        let server = Server { user, host, port, database };
        let mut config = Config::new();
        config.user(&server.user).dbname(&server.database).host(&server.host).port(port);
        config.application_name("trainyard").connect_timeout(PATIENCE);
        config.ssl_mode(match address.ssl {
            SslMode::Disable => Ssl::Disable,
            SslMode::Prefer => Ssl::Prefer,
            SslMode::Require | SslMode::VerifyFull => Ssl::Require,
        });
        if let Some(password) = variable("PGPASSWORD").or_else(|| stored(&server)) {
            config.password(password);
        }
        let tls = Tls::of(address.ssl, root, address.roots.as_deref())?;
        Ok(Login { server, config, tls })
    }

    pub(super) fn server(&self) -> Server {
        self.server.clone()
    }

    /// Connects; says in `met` who answered, if somebody did.
    pub(super) async fn connect(&self, met: &mut Met) -> Result<(Client, Connection<Socket, TlsStream<Socket>>), Stop> {
        let connected = self.config.connect(self.tls.clone()).await;
        let now = match &connected {
            Ok(_) => Met::Database,
            Err(error) if error.as_db_error().is_some() => Met::Server,
            Err(_) => Met::Nobody,
        };
        *met = now.max(*met);
        connected.map_err(|error| stop(&self.server, &error))
    }
}

/// Reads the password of a server from `.pgpass`, as PostgreSQL's own programs do: not where others may read the file.
fn stored(server: &Server) -> Option<String> {
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let path = variable("PGPASSFILE").map(PathBuf::from).or_else(home)?;
    let mode = fs::metadata(&path).ok()?.permissions().mode();
    if mode & 0o077 != 0 {
        return None;
    }
    password_in(&fs::read_to_string(path).ok()?, server)
}

/// Finds the first line `host:port:database:user:password` that is of the server; `*` is every one.
fn password_in(text: &str, server: &Server) -> Option<String> {
    // The folder of a socket is on this machine.
    let host = if server.host.starts_with('/') { "localhost" } else { &server.host };
    let port = server.port.to_string();
    let wanted = [host, &port, &server.database, &server.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let parts = cut(line);
        let [host, port, database, user, password] = parts.as_slice() else { return None };
        let is_of =
            [host, port, database, user].iter().zip(wanted).all(|(part, wanted)| *part == "*" || *part == wanted);
        is_of.then(|| password.clone())
    })
}

/// Cuts a line at its colons; a backslash keeps what is behind it.
fn cut(line: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let last = parts.len() - 1;
        match letter {
            '\\' => parts[last].extend(letters.next()),
            // What follows the fourth is the password, colons and all.
            ':' if last < 4 => parts.push(String::new()),
            other => parts[last].push(other),
        }
    }
    parts
}

/// Says what an error of a connection means; nothing of a password is in it.
pub(super) fn stop(server: &Server, error: &Failure) -> Stop {
    let cause = causes(error);
    if let Some(told) = error.as_db_error() {
        let code = told.code();
        let message = told.message().to_owned();
        let is_lost = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
        ];
        return match code {
            code if is_lost.contains(code) || code.code().starts_with("08") => Stop::Lost(message),
            code if code.code().starts_with("28") => Error::Login { server: server.clone(), cause: message }.into(),
            code if *code == SqlState::INVALID_CATALOG_NAME => Error::NoSuchDatabase { server: server.clone() }.into(),
            _ => Error::Server { server: server.clone(), cause: message }.into(),
        };
    }
    let what = error.to_string();
    if what.starts_with("error performing TLS") {
        return Error::Tls { server: server.clone(), cause }.into();
    }
    // The server asks for a password, and there is none; or the two know no common way to prove one.
    if what.starts_with("authentication error") || what.starts_with("invalid configuration") {
        return Error::Login { server: server.clone(), cause }.into();
    }
    Stop::Lost(cause)
}

/// Gives the innermost of the causes, which says most.
fn causes(error: &Failure) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Server, password_in};

    #[test]
    fn the_first_line_of_the_server_has_the_password() {
        let server = |host: &str| Server {
            user: "ada".to_owned(),
            host: host.to_owned(),
            port: 5432,
            database: "shop:1".to_owned(),
        };
        let text =
            "# a comment\nelsewhere:*:*:*:no\nlocalhost:5433:*:*:no\nlocalhost:*:shop\\:1:ada:a:b\\\\c\n*:*:*:*:late\n";
        assert_eq!(password_in(text, &server("localhost")).as_deref(), Some("a:b\\c"));
        assert_eq!(password_in(text, &server("/run/postgresql")).as_deref(), Some("a:b\\c"));
        assert_eq!(password_in(text, &server("db.example")).as_deref(), Some("late"));
        assert_eq!(password_in("db:5432:shop", &server("db")), None);
        assert!(!server("db").to_string().contains("late"));
    }
}
