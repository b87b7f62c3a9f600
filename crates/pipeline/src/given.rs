//! Tables that commands name: files, objects of stores, rows of databases.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use trainyard_data::{Declared, Error as DataError, ReadOptions};
use trainyard_diagnostics::{Diagnostic, Fault, conceal};
use trainyard_files::{Error as FileError, Io, Operation};
use trainyard_sources::Error as SourceError;
use trainyard_spec::{Address, Located, Origin, Rows, SourceSpec, names_rows};

use crate::project::{Request, STATE};
use crate::stores::{FETCH, Scratch, abandoned, now_ms};

/// Gives what the name of a folder begins with that is in no project: processes are told apart by their numbers only
/// inside a namespace, and containers may share the folder that it lies in.
fn outside() -> String {
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let number: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("trainyard-fetch-{number}-")
}

/// Where large files may lie for a while: `/tmp` is memory on many systems.
const LARGE: &str = "/var/tmp";

/// Nobody but its owner enters a folder.
const PRIVATE: u32 = 0o700;

/// Names a folder that nobody else fetches into.
pub(crate) fn fetch_folder(parent: &Path, prefix: &str) -> Scratch {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Scratch(parent.join(format!("{prefix}{}-{}-{number}", std::process::id(), now_ms())))
}

/// What of a database is the table, where its address does not say it; one of both at most.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The value of `--table`.
    pub table: Option<&'a str>,
    /// The value of `--query`.
    pub query: Option<&'a str>,
}

impl Asked<'_> {
    /// Refuses a flag that none of the names needs, and the address of a database that needs one.
    ///
    /// # Errors
    /// What is wrong with the command line.
    pub fn check(&self, named: &[&Path]) -> Result<(), Diagnostic> {
        let shown = |path: &Path| conceal(&path.display().to_string()).into_owned();
        let wrong = |title: String| Diagnostic::error("command-line/rows", title).with_fault(Fault::CommandLine);
        let rows = |path: &Path| path.to_str().and_then(names_rows);
        let open = named.iter().find(|path| rows(path) == Some(false));
        let flag = if self.table.is_some() { "--table" } else { "--query" };
        match (open, self.table.or(self.query)) {
            (Some(path), None) => {
                let title = format!("{} names a database, but not what of it is the table", shown(path));
                Err(wrong(title).help("add `--table NAME` or `--query \"SELECT …\"`"))
            }
            (None, Some(_)) => match (named.iter().find(|path| rows(path).is_some()), named.first()) {
                (Some(path), _) => {
                    let title = format!("{flag} is given, but {} says itself what is the table", shown(path));
                    Err(wrong(title).help("keep one of both"))
                }
                (None, Some(path)) => {
                    let title = format!("{flag} is given, but {} is no database", shown(path));
                    Err(wrong(title).help("name a database: sqlite:///FILE or postgresql://USER@HOST/DATABASE"))
                }
                (None, None) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Gives the source that an address is.
    fn source(&self, address: &str) -> SourceSpec {
        let flag = |name: &str, value: &str| Located::new(value.to_owned(), Origin::Flag(format!("{name} {value}")));
        let shown = conceal(address).into_owned();
        let mut source = SourceSpec::of(Located::new(address.to_owned(), Origin::Flag(shown)));
        if names_rows(address) == Some(false) {
            source.table = self.table.map(|table| flag("--table", table));
            source.query = self.query.map(|query| flag("--query", query));
        }
        source
    }

    /// Gives a short name for what is made of a table: that of its file, or of the table or else the database.
    pub fn name_of(&self, named: &Path) -> String {
        let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let address = named.to_str().filter(|text| names_rows(text).is_some());
        let table = |rows: &Rows| if let Rows::Table(parts) = rows { parts.last().cloned() } else { None };
        let name = match address.and_then(|address| self.source(address).address().ok()) {
            Some(Address::Sqlite { path, rows }) => table(&rows).unwrap_or_else(|| stem(Path::new(&path))),
            Some(Address::Postgres { server, rows }) => {
                table(&rows).or(server.database).unwrap_or_else(|| "database".to_owned())
            }
            _ => stem(named),
        };
        name.replace('/', "_")
    }
}

/// A table on the disk: a file as it was named, or what was brought of an object or a database, which goes with this.
pub struct Given {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is called in results and messages.
    pub shown: String,
    /// How it is read.
    pub options: ReadOptions,
    _scratch: Option<Scratch>,
}

/// Finds a table that a command names by its file, or by the address of an object or of a database, whose rows come as
/// a stream. It is to be read as `options` say; the rows of a database were.
///
/// # Errors
/// What keeps the object or the rows from coming.
pub fn given(request: &Request, named: &Path, asked: Asked<'_>, mut options: ReadOptions) -> Result<Given, Diagnostic> {
    let here = |options| Given { path: named.to_owned(), shown: named.display().to_string(), options, _scratch: None };
    let Some(address) = named.to_str().filter(|text| text.contains("://") && !request.io.exists(named)) else {
        return Ok(here(options));
    };
    let scratch = scratch(request)?;
    if names_rows(address).is_some() {
        let (source, path) = (asked.source(address), scratch.0.join("rows.arrow"));
        let shown = source.shown();
        loop {
            // The address is typed: a path in it starts from where that was.
            let (io, runtime) = (&*request.io, &*request.runtime);
            match trainyard_sources::spool(io, Path::new("."), runtime, &source, &options, &path) {
                Err(SourceError::Data(error)) if pass_over(&mut options, &error) => {}
                spooled => {
                    spooled.map_err(|error| error.diagnostic())?;
                    return Ok(Given { path, shown, options: ReadOptions::default(), _scratch: Some(scratch) });
                }
            }
        }
    }
    let found = trainyard_sources::download(&request.runtime, &*request.io, &scratch.0, address);
    match found.map_err(|error| error.diagnostic())? {
        Some((path, shown)) => Ok(Given { path, shown, options, _scratch: Some(scratch) }),
        None => Ok(here(options)),
    }
}

/// Makes a folder that only this user enters: the project's, or where there is none one for large files.
fn scratch(request: &Request) -> Result<Scratch, Diagnostic> {
    let (io, state) = (&*request.io, request.root.join(STATE));
    let scratch = match io.exists(&state) {
        true => fetch_folder(&state, FETCH),
        false => outside_folder(io),
    };
    made_private(io, scratch)
}

/// Makes a folder outside of any project, which is gone when it is let go of, for files that only this user may read.
pub(crate) fn outside_scratch(io: &dyn Io) -> Result<Scratch, Diagnostic> {
    made_private(io, outside_folder(io))
}

/// Names a folder outside of any project.
fn outside_folder(io: &dyn Io) -> Scratch {
    let is_chosen = std::env::var_os("TMPDIR").is_some();
    let large = Path::new(LARGE);
    let parent = if !is_chosen && large.is_dir() { large.to_owned() } else { std::env::temp_dir() };
    // What was killed left its folder, which nobody else looks for.
    for left in abandoned(io, &parent, &[&outside()]) {
        let _ = io.remove_dir_all(&left);
    }
    fetch_folder(&parent, &outside())
}

fn made_private(io: &dyn Io, scratch: Scratch) -> Result<Scratch, Diagnostic> {
    let failed = |error| FileError::io(Operation::Create, &scratch.0, error).diagnostic();
    let made = io.create_dir_all(&scratch.0).and_then(|()| io.set_mode(&scratch.0, PRIVATE));
    made.map_err(failed)?;
    Ok(scratch)
}

/// Takes out of the options what they say of a column that the table lacks, or the kept type of one that is of another,
/// where that is what is wrong; says whether it was. What a project says of its own columns holds for other tables as far
/// as they have them, and what their columns are is for drift and expectations to judge.
pub fn pass_over(options: &mut ReadOptions, error: &DataError) -> bool {
    match error {
        DataError::UnknownTyped { name, .. } => options.types.remove(name).is_some(),
        DataError::NoColumn { name, .. } => {
            let before = options.drop.len();
            options.drop.retain(|other| other != name);
            options.drop.len() < before
        }
        error => pass_over_kept(options, error),
    }
}

/// As [`pass_over`], of kept types alone.
pub(crate) fn pass_over_kept(options: &mut ReadOptions, error: &DataError) -> bool {
    let before = options.kept.len();
    match error {
        DataError::Gone { gone, .. } => options.kept.retain(|name, _| !gone.contains(name)),
        DataError::Type { column, declared: Declared::Kept(_), .. }
        | DataError::Value { column, declared: Declared::Kept(_), .. } => {
            options.kept.remove(column);
        }
        _ => {}
    }
    options.kept.len() < before
}
