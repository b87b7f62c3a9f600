//! What can go wrong with runs, models and the file that holds them.

use std::fmt;
use std::path::PathBuf;

use trainyard_diagnostics::{Diagnostic, Fault, nearest};
use trainyard_files::Digest;

use crate::{Field, ModelReference, ServerError, Status, Which};

/// Lists names, and how many are left out.
fn list(names: &[String], limit: usize) -> String {
    let mut text = names.iter().take(limit).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > limit {
        text.push_str(&format!(" and {} more", names.len() - limit));
    }
    text
}

/// Says what is wrong with the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFault {
    /// The entry's content does not have its hash.
    Altered,
    /// The entry does not hold the hash of the one before, or its number is not the next.
    Unlinked,
    /// The entry can't be read.
    Unreadable,
    /// The registry's tables are not what the entries up to here give.
    Disagrees,
}

/// Says what went wrong.
#[derive(Debug)]
pub enum Error {
    /// An MLflow server was not told, or did not do, something.
    Server(Box<ServerError>),
    /// A decision needs the registry, whose server can't be reached.
    RegistryUnreachable {
        /// The server's address.
        server: String,
        /// What was seen.
        cause: String,
    },
    /// An artifact's bytes could not be stored or read.
    Files(trainyard_files::Error),
    /// The store is damaged, or is no store.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The file is a database of another program.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The store was written by a later version of this program.
    Later {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The last version known here.
        known: i64,
    },
    /// Another process kept the store locked for too long.
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The store may not be written.
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The store could not be opened.
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Anything else that SQLite says.
    Store {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// A name or value is not allowed.
    Invalid {
        /// Which one.
        field: Field,
        /// What was given.
        value: String,
    },
    /// No run has this id, and none begins with it.
    UnknownRun {
        /// What was asked for.
        asked: String,
        /// A run whose id is near.
        nearest: Option<String>,
        /// The newest runs.
        recent: Vec<String>,
    },
    /// Several runs begin with this.
    AmbiguousRun {
        /// What was asked for.
        asked: String,
        /// The runs, the newest first.
        candidates: Vec<String>,
    },
    /// The run has ended.
    RunEnded {
        /// The run.
        run: String,
        /// How it ended.
        status: Status,
    },
    /// A parameter was logged before with another value.
    ParamChanged {
        /// The run.
        run: String,
        /// The parameter.
        key: String,
        /// The value that stands.
        stored: String,
        /// The value that was offered.
        offered: String,
    },
    /// The run has no such artifact.
    UnknownArtifact {
        /// The run.
        run: String,
        /// What was asked for.
        path: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A text points at no model.
    BadReference {
        /// The text.
        text: String,
        /// The part that is neither a version nor a stage.
        part: String,
    },
    /// No model has this name.
    UnknownModel {
        /// What was asked for.
        asked: String,
        /// A model whose name is near.
        nearest: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// The model has no such version, or nothing holds the alias or stage.
    UnknownVersion {
        /// What was asked for.
        reference: ModelReference,
        /// The versions that there are, the newest first.
        versions: Vec<u32>,
        /// The aliases that there are.
        aliases: Vec<String>,
    },
    /// The run has made another version of the model before.
    VersionConflict {
        /// The version that it made.
        version: u32,
        /// The run.
        run: String,
        /// The digest of that version.
        stored: Digest,
        /// The digest that was offered.
        offered: Digest,
    },
    /// Files of the model are not stored, or damaged.
    IncompleteModel {
        /// The run.
        run: String,
        /// The paths that are missing or damaged.
        paths: Vec<String>,
    },
    /// The history knows no holder of an alias before the one that it has.
    NothingBefore {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
        /// The versions that it could go back to, were they not deleted.
        gone: Vec<u32>,
    },
    /// The registry has changed since the decision.
    HeadMoved {
        /// The model.
        model: String,
    },
    /// The history is not what was written.
    HistoryBroken {
        /// The first entry at which it shows.
        sequence: u64,
        /// What is wrong.
        fault: HistoryFault,
    },
}

impl Error {
    /// Says that a model is not known, and which ones are.
    pub(crate) fn unknown_model<'a>(asked: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        Self::UnknownModel {
            asked: asked.to_owned(),
            nearest: nearest(asked, known.clone()).map(str::to_owned),
            known: known.map(str::to_owned).collect(),
        }
    }

    /// Draws the error for a user.
    pub fn diagnostic(&self) -> Diagnostic {
        let say = |code: &str| Diagnostic::error(code, self.to_string());
        match self {
            Self::Files(error) => error.diagnostic(),
            Self::Server(error) => error.diagnostic(),
            Self::RegistryUnreachable { cause, .. } => say("tracking/registry-unreachable")
                .note(cause.clone())
                .note("the candidate is kept; nothing was decided")
                .help("`trainyard resume` decides once the server answers"),
            Self::Damaged { detail, .. } => say("tracking/damaged-store")
                .note(format!("SQLite says: {detail}"))
                .help("put back a copy of the file; nothing was written to it"),
            Self::Foreign { .. } => {
                say("tracking/foreign-store").help("move the file away, or choose another project folder")
            }
            Self::Later { found, known, .. } => say("tracking/later-store")
                .note(format!("its schema is version {found}; this program knows up to {known}"))
                .help("update trainyard; nothing was changed"),
            Self::Busy { .. } => {
                say("tracking/busy-store").help("wait until the other process is done and repeat the command")
            }
            Self::Full { .. } => say("tracking/disk-full").help("free some space and repeat the command"),
            Self::ReadOnly { .. } => {
                say("tracking/read-only-store").help("give this user permission to write the file and its folder")
            }
            Self::CannotOpen { detail, .. } => say("tracking/cannot-open-store")
                .note(format!("SQLite says: {detail}"))
                .help("check the permissions of the file and its folder"),
            Self::Store { detail, .. } => say("tracking/store")
                .note(format!("SQLite says: {detail}"))
                .help("repeat the command; if it fails again, check the disk"),
            Self::Invalid { field, .. } => say("tracking/invalid-name").help(format!("give {}", field.rule())),
            Self::UnknownRun { nearest, recent, .. } => {
                let diagnostic = say("tracking/unknown-run");
                match (nearest, recent.is_empty()) {
                    (Some(near), _) => diagnostic.help(format!("did you mean {near}?")),
                    (None, false) => diagnostic.help(format!("the newest runs are {}", list(recent, 5))),
                    (None, true) => diagnostic.help("there is no run yet: `trainyard run` makes one"),
                }
            }
            Self::AmbiguousRun { candidates, .. } => {
                say("tracking/ambiguous-run").help(format!("give more of the id: {}", list(candidates, 5)))
            }
            Self::RunEnded { status, .. } => say("tracking/run-ended").help(if status.can_resume() {
                "`trainyard resume` goes on with it"
            } else {
                "start a new run"
            }),
            Self::ParamChanged { stored, offered, .. } => say("tracking/param-changed")
                .note(format!("it was logged as `{stored}`, and now as `{offered}`"))
                .help("parameters of a run never change: start a new run"),
            Self::UnknownArtifact { path, known, .. } => {
                let diagnostic = say("tracking/unknown-artifact");
                match nearest(path, known.iter().map(String::as_str)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None if known.is_empty() => diagnostic.help("the run has stored nothing: resume it, or run again"),
                    None => diagnostic.help(format!("it has {}", list(known, 8))),
                }
            }
            Self::BadReference { part, .. } => {
                let help = match nearest(part, ["None", "Staging", "Production", "Archived"]) {
                    Some(stage) => format!("did you mean the stage `{stage}`?"),
                    None => "write name, name@alias, name/3 or name/Staging".to_owned(),
                };
                say("tracking/bad-reference").with_fault(Fault::CommandLine).help(help)
            }
            Self::UnknownModel { nearest, known, .. } => {
                let diagnostic = say("tracking/unknown-model");
                match (nearest, known.is_empty()) {
                    (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
                    (None, false) => diagnostic.help(format!("the registered models are {}", list(known, 8))),
                    (None, true) => diagnostic.help("no model is registered yet: a run that promotes one does it"),
                }
            }
            Self::UnknownVersion { reference, versions, aliases } => {
                let numbers: Vec<String> = versions.iter().map(u32::to_string).collect();
                let mut diagnostic =
                    say("tracking/unknown-version").note(format!("its versions: {}", list(&numbers, 8)));
                if !aliases.is_empty() {
                    diagnostic = diagnostic.note(format!("its aliases: {}", list(aliases, 8)));
                }
                let near = match &reference.which {
                    Which::Alias(alias) => nearest(alias, aliases.iter().map(String::as_str)),
                    _ => None,
                };
                diagnostic.help(match near {
                    Some(alias) => format!("did you mean `{}@{alias}`?", reference.model),
                    None => format!("`trainyard models show {}` lists all of them", reference.model),
                })
            }
            Self::VersionConflict { stored, offered, .. } => say("tracking/version-conflict")
                .note(format!("that version has the digest {}, the model offered {}", stored.short(), offered.short()))
                .help("start a new run"),
            Self::IncompleteModel { paths, .. } => say("tracking/incomplete-model")
                .note(format!("missing or damaged: {}", list(paths, 5)))
                .help("run the step that trains the model again"),
            Self::NothingBefore { model, gone, .. } => {
                let told = say("tracking/nothing-before");
                let told = match gone.as_slice() {
                    [] => told.note("versions that were rolled back, or archived by hand, are not gone back to"),
                    gone => {
                        let gone: Vec<String> = gone.iter().map(|version| format!("v{version}")).collect();
                        told.note(format!("deleted from the registry: {}", list(&gone, 5)))
                    }
                };
                told.help(format!("`trainyard models history {model}` tells what there was"))
            }
            Self::HeadMoved { .. } => say("tracking/head-moved")
                .note("nothing was promoted")
                .help("run again, to be compared with what is there now"),
            Self::HistoryBroken { .. } => say("tracking/broken-history")
                .note("somebody has written to the file past this program")
                .help("compare it with a copy of the file, and put the copy back"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(error) => error.fmt(f),
            Self::Server(error) => error.fmt(f),
            Self::RegistryUnreachable { server, .. } => {
                write!(f, "the registry of the tracking server {server} can't be reached")
            }
            Self::Damaged { path, .. } => write!(f, "the tracking store {} is damaged", path.display()),
            Self::Foreign { path } => write!(f, "{} is not a tracking store of trainyard", path.display()),
            Self::Later { path, .. } => {
                write!(f, "the tracking store {} was written by a later version of trainyard", path.display())
            }
            Self::Busy { path } => write!(f, "another process keeps the tracking store {} locked", path.display()),
            Self::Full { path } => write!(f, "cannot write the tracking store {}: the disk is full", path.display()),
            Self::ReadOnly { path } => write!(f, "the tracking store {} is read-only", path.display()),
            Self::CannotOpen { path, .. } => write!(f, "cannot open the tracking store {}", path.display()),
            Self::Store { path, .. } => write!(f, "the tracking store {} does not answer", path.display()),
            Self::Invalid { field, value } => {
                let shown: String = value.chars().take(60).collect();
                let more = if shown.len() < value.len() { "…" } else { "" };
                write!(f, "`{}{more}` is no {}", shown.escape_debug(), field.name())
            }
            Self::UnknownRun { asked, .. } => write!(f, "there is no run {asked}"),
            Self::AmbiguousRun { asked, .. } => write!(f, "several runs begin with {asked}"),
            Self::RunEnded { run, status } => write!(f, "run {run} has ended: {status}"),
            Self::ParamChanged { run, key, .. } => {
                write!(f, "the parameter {key} of run {run} has another value already")
            }
            Self::UnknownArtifact { run, path, .. } => write!(f, "run {run} has no artifact {path}"),
            Self::BadReference { text, part } => {
                write!(f, "`{part}` in `{text}` is neither a version number nor a stage")
            }
            Self::UnknownModel { asked, .. } => write!(f, "there is no model `{asked}`"),
            Self::UnknownVersion { reference, .. } => write!(f, "there is no `{reference}`"),
            Self::VersionConflict { version, run, .. } => {
                write!(f, "run {run} has registered another model before, as version {version}")
            }
            Self::IncompleteModel { run, .. } => write!(f, "the model of run {run} is not complete"),
            Self::NothingBefore { model, alias, .. } => {
                write!(f, "there is no version of `{model}` that `{alias}` could go back to")
            }
            Self::HeadMoved { model } => write!(f, "the versions of `{model}` have changed since the comparison"),
            Self::HistoryBroken { sequence, fault } => {
                let words = match fault {
                    HistoryFault::Altered => "was altered",
                    HistoryFault::Unlinked => "does not follow the one before",
                    HistoryFault::Unreadable => "cannot be read",
                    HistoryFault::Disagrees => "does not lead to what is registered",
                };
                write!(f, "entry {sequence} of the registry's history {words}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Files(error) => Some(error),
            Self::Server(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<trainyard_files::Error> for Error {
    fn from(error: trainyard_files::Error) -> Self {
        Self::Files(error)
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        error.diagnostic()
    }
}
