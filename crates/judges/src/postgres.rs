//! A PostgreSQL server of a test's own, from the system's package: in a temporary folder, on a free port, ended after.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::skip;

/// The owner of its databases.
pub const USER: &str = "ada";

/// The owner's password; nothing may show it.
pub const PASSWORD: &str = "s3cr3t:w@rd";

/// The database that tests use.
pub const DATABASE: &str = "shop";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Servers that this process has started.
static SERVERS: AtomicUsize = AtomicUsize::new(0);

/// A running server, which speaks TLS with a certificate of its own.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    server: Option<Child>,
}

/// Starts a server; prints why a test is skipped where the programs are absent.
///
/// # Panics
/// Panics when they are absent although `TRAINYARD_REQUIRE_JUDGES` is set, and when a server does not start.
pub fn postgres() -> Option<Postgres> {
    let Some(programs) = programs() else {
        assert!(std::env::var_os("TRAINYARD_REQUIRE_JUDGES").is_none(), "PostgreSQL is required but absent");
        skip("PostgreSQL is absent; `cargo xtask judges` installs it");
        return None;
    };
    let number = SERVERS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("trainyard-postgres-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder takes a folder");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port();
    let mut server = Postgres { folder, programs, port, server: None };
    server.make();
    server.start();
    server.call("createdb", &["--maintenance-db=postgres", DATABASE], "");
    Some(server)
}

fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    versions.sort();
    versions.into_iter().rfind(|programs| programs.join("initdb").is_file())
}

fn number_of(what: &str) -> Option<u32> {
    let output = Command::new("id").args([what, "postgres"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

impl Postgres {
    fn program(&self, name: &str) -> Command {
        as_its_user(&self.programs.join(name))
    }

    fn make(&self) {
        if number_of_self() == Some(0) {
            chown(&self.folder, number_of("-u"), number_of("-g")).expect("the superuser may give a folder away");
        }
        let password = self.folder.join("password");
        fs::write(&password, PASSWORD).expect("the folder takes a file");
        let mut command = self.program("initdb");
        command.current_dir(&self.folder).args(["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256"]);
        command.args(["-U", USER, "-D"]).arg(self.folder.join("data")).arg("--pwfile").arg(&password);
        finished(command, "initdb");
        let about = self.folder.join("data/about.txt");
        fs::write(&about, "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
            .expect("the folder takes a file");
        for arguments in [
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -keyout authority.key -out authority.crt",
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
            "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 -extfile about.txt \
             -out server.crt",
        ] {
            let mut command = as_its_user(Path::new("openssl"));
            command.current_dir(self.folder.join("data")).args(arguments.split_whitespace());
            finished(command, "openssl");
        }
    }

    /// Starts the server, and waits until it answers.
    ///
    /// # Panics
    /// Panics when it does not.
    pub fn start(&mut self) {
        let log = fs::File::create(self.folder.join("log")).expect("the folder takes a file");
        let mut command = self.program("postgres");
        command.current_dir(&self.folder).arg("-D").arg(self.folder.join("data"));
        command.args(["-p", &self.port.to_string(), "-k", &self.folder.display().to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "ssl=on", "max_connections=20"] {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.server = Some(command.spawn().expect("the server can be started"));
        let begun = Instant::now();
        while !self.answers() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL did not start: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let mut command = self.client("psql");
        command.args(["-d", "postgres", "-c", "SELECT 1"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Ends the server at once, and its connections with it.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let mut command = self.program("pg_ctl");
        command.args(["stop", "-m", "immediate", "-D"]).arg(self.folder.join("data"));
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = server.kill();
        let _ = server.wait();
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER]).env("PGPASSWORD", PASSWORD);
        command.current_dir("/");
        command
    }

    fn call(&self, name: &str, arguments: &[&str], input: &str) {
        let mut command = self.client(name);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the client can be started");
        child.stdin.take().expect("it is a pipe").write_all(input.as_bytes()).expect("the client reads");
        let output = child.wait_with_output().expect("the client ends");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Does SQL in the tests' database.
    ///
    /// # Panics
    /// Panics when the server refuses it.
    pub fn sql(&self, sql: &str) {
        self.call("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-d", DATABASE], sql);
    }

    /// Writes every statement of the tests' database into the log from now on.
    pub fn log_statements(&self) {
        self.sql(&format!("ALTER DATABASE {DATABASE} SET log_statement = 'all'"));
    }

    /// Gives how many of the statements in the log hold these words.
    pub fn statements(&self, words: &str) -> usize {
        let log = fs::read(self.folder.join("log")).expect("the server has a log");
        let is_statement = |line: &&str| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ");
        String::from_utf8_lossy(&log).lines().filter(is_statement).filter(|line| line.contains(words)).count()
    }

    /// Copies a CSV file with a header into a table, whose columns are made as `columns` says.
    pub fn load(&self, table: &str, columns: &str, csv: &Path) {
        let copy = format!("\\copy {table} FROM '{}' WITH (FORMAT csv, HEADER, NULL '')", csv.display());
        self.sql(&format!("CREATE TABLE {table} ({columns});\n{copy}\n"));
    }

    /// Gives the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives the address of the tests' database, with what follows it: `?table=customers`.
    pub fn url(&self, rest: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{DATABASE}{rest}", self.port)
    }

    /// Gives the file of the certificate that the server's comes from; that is of `localhost`.
    pub fn certificate(&self) -> PathBuf {
        let copy = self.folder.join("certificate.pem");
        fs::copy(self.folder.join("data/authority.crt"), &copy).expect("the certificate can be copied");
        copy
    }
}

/// Gives a command as the user of the server: the superuser may not run one.
fn as_its_user(program: &Path) -> Command {
    if number_of_self() != Some(0) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn number_of_self() -> Option<u32> {
    let output = Command::new("id").arg("-u").output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn finished(mut command: Command, name: &str) {
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
