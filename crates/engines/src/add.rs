//! Brings an engine with the machine's own `pip`.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::ended_within;
use crate::find::{RECORD, Record, in_folder, library};
use crate::{Engine, Error, Library, Places};

/// The ways in which `pip` is called, the first that exists.
const PIPS: [&[&str]; 3] = [&["pip"], &["pip3"], &["python3", "-m", "pip"]];

/// The last lines of what `pip` says that are told.
const WORDS: usize = 6;

/// Installs an engine's wheel into the folder of added engines and records the digest of its shared object.
///
/// The folder `NAME-VERSION` appears when everything is in it; one that is there already is replaced.
///
/// # Errors
/// [`Error::NoPlace`], [`Error::NoPip`], [`Error::Pip`] and [`Error::Keep`].
pub fn add(engine: Engine, places: &Places) -> Result<Library, Error> {
    let home = places.added.as_deref().ok_or(Error::NoPlace)?;
    let fresh = home.join(format!(".{}.{}", engine.name(), std::process::id()));
    let added = install(engine, &fresh).and_then(|()| settle(engine, home, &fresh));
    if added.is_err() {
        // Nothing was there before; what cannot be removed does not hinder anyone.
        let _ = std::fs::remove_dir_all(&fresh);
    }
    added
}

/// What is known of the machine's `pip`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pip {
    /// What the first that works says of itself: `pip 25.0 from … (python 3.12)`.
    Says(String),
    /// There is one, and it did not answer in time.
    Silent,
    /// There is none that works.
    Absent,
}

/// Asks the ways in which `pip` is called, one after the other, each for no longer than `patience`.
pub fn pip(patience: Duration) -> Pip {
    let mut is_silent = false;
    for pip in PIPS {
        match asked(pip, patience) {
            Ok(said) if !said.is_empty() => return Pip::Says(said),
            Err(error) if error.kind() == ErrorKind::TimedOut => is_silent = true,
            Ok(_) | Err(_) => {}
        }
    }
    if is_silent { Pip::Silent } else { Pip::Absent }
}

/// Gives what one way says of its version; nothing where it fails.
fn asked(pip: &[&str], patience: Duration) -> std::io::Result<String> {
    let started = Instant::now();
    let (program, arguments) = pip.split_first().unwrap_or((&"pip", &[]));
    let mut command = Command::new(program);
    command.args(arguments).arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let (sender, said) = channel();
    let stdout = child.stdout.take();
    // On a thread of its own, since whoever else holds the pipe may never close it.
    let reader = move || {
        let mut text = Vec::new();
        let read = stdout.map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut text));
        let _ = sender.send(read.map(|_| text));
    };
    let answer = thread::Builder::new().name("pip".to_owned()).spawn(reader).and_then(|_| {
        let text = said.recv_timeout(patience).map_err(|_| ErrorKind::TimedOut)??;
        let status =
            ended_within(patience.saturating_sub(started.elapsed()), &mut child)?.ok_or(ErrorKind::TimedOut)?;
        Ok(if status.success() { String::from_utf8_lossy(&text).trim().to_owned() } else { String::new() })
    });
    if answer.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    answer
}

fn install(engine: Engine, target: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(target).map_err(|error| kept(target, &error))?;
    for pip in PIPS {
        match called(pip, target.as_os_str(), engine.requirement()) {
            Ok(output) if output.status.success() => return Ok(()),
            // A Python without pip says so; the next way may have it.
            Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named pip") => {}
            Ok(output) => return Err(Error::Pip { engine, words: last_words(&output) }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Pip { engine, words: error.to_string() }),
        }
    }
    Err(Error::NoPip { engine })
}

fn called(pip: &[&str], target: &OsStr, requirement: &str) -> std::io::Result<Output> {
    let (program, arguments) = pip.split_first().unwrap_or((&"pip", &[]));
    Command::new(program)
        .args(arguments)
        .args([
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--target",
        ])
        .arg(target)
        .arg(requirement)
        .stdin(Stdio::null())
        .output()
}

fn last_words(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(WORDS)..].join("\n")
}

/// Gives what was installed its record and its place.
fn settle(engine: Engine, home: &Path, fresh: &Path) -> Result<Library, Error> {
    let path = in_folder(engine, fresh);
    let bytes = std::fs::read(&path).map_err(|_| {
        let words = format!("{} is not in what it installed", engine.in_packages().join("/"));
        Error::Pip { engine, words }
    })?;
    let found = library(engine, path, &bytes);
    let version = found.version.unwrap_or_else(|| found.digest.short());
    let record = serde_json::to_vec_pretty(&Record { version: version.clone(), digest: found.digest });
    std::fs::write(fresh.join(RECORD), record.unwrap_or_default()).map_err(|error| kept(fresh, &error))?;
    let place = home.join(format!("{}-{version}", engine.name()));
    match std::fs::remove_dir_all(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(kept(&place, &error)),
        Ok(()) | Err(_) => {}
    }
    std::fs::rename(fresh, &place).map_err(|error| kept(&place, &error))?;
    Ok(library(engine, in_folder(engine, &place), &bytes))
}

fn kept(path: &Path, error: &std::io::Error) -> Error {
    Error::Keep { path: path.to_path_buf(), what: error.to_string() }
}
