//! What can keep an engine from fitting.

use std::fmt;
use std::path::PathBuf;

use trainyard_diagnostics::Diagnostic;

use crate::Engine;

/// Says why an engine is not there or gave no model.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The engine's shared object is nowhere.
    Absent {
        /// The engine.
        engine: Engine,
    },
    /// A variable names a file that cannot be read.
    NotThere {
        /// The engine.
        engine: Engine,
        /// The path.
        path: PathBuf,
        /// What the system says.
        what: String,
    },
    /// A shared object that was added is not the file that it was then.
    Altered {
        /// The engine.
        engine: Engine,
        /// The path.
        path: PathBuf,
    },
    /// What is there is no shared object for this machine.
    NotALibrary {
        /// The engine.
        engine: Engine,
        /// The path.
        path: PathBuf,
        /// What it is instead: `is no shared object`.
        what: String,
    },
    /// The engine has a version that is not known to work.
    Version {
        /// The engine.
        engine: Engine,
        /// The path.
        path: PathBuf,
        /// The version.
        found: String,
    },
    /// No child process could be started or talked to.
    Start {
        /// The engine.
        engine: Engine,
        /// What the system says.
        what: String,
    },
    /// The library could not be loaded.
    NotLoaded {
        /// The engine.
        engine: Engine,
        /// The words of the system's loader.
        words: String,
    },
    /// The library refused.
    Refused {
        /// The engine.
        engine: Engine,
        /// Its own words.
        words: String,
    },
    /// The child process ended before the model was there.
    Died {
        /// The engine.
        engine: Engine,
        /// How: `was killed by signal 11`, `ended with exit code 0`.
        how: String,
        /// The last that it said on stderr; may be empty.
        words: String,
    },
    /// What came back is no model.
    Garbled {
        /// The engine.
        engine: Engine,
        /// What is wrong with it.
        what: String,
    },
    /// The listener asked to stop.
    Stopped,
    /// There is no `pip`.
    NoPip {
        /// The engine to be added.
        engine: Engine,
    },
    /// `pip` did not bring the package.
    Pip {
        /// The engine.
        engine: Engine,
        /// The last that it said.
        words: String,
    },
    /// There is no place to keep it: neither `XDG_DATA_HOME` nor `HOME` is set.
    NoPlace,
    /// What was brought could not be put in its place.
    Keep {
        /// The place.
        path: PathBuf,
        /// What the system says.
        what: String,
    },
}

impl Error {
    /// Tells the user what is wrong and what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        let error = |code: &str| Diagnostic::error(code, self.to_string());
        match self {
            Error::Absent { engine } => error("engines/absent").help(how_to_add(*engine)),
            Error::NotThere { engine, .. } => error("engines/not-there").help(format!(
                "set {} to the path of {}, or unset it",
                engine.variable(),
                engine.in_packages()[2]
            )),
            Error::Altered { engine, .. } => {
                error("engines/altered").help(format!("`trainyard engines add {}` brings it anew", engine.name()))
            }
            Error::NotALibrary { engine, .. } => error("engines/not-a-library").help(how_to_add(*engine)),
            Error::Version { engine, path, .. } => {
                error("engines/version").note(path.display().to_string()).help(how_to_add(*engine))
            }
            Error::Start { .. } => error("engines/start")
                .help("end other programs, or raise the limits of processes and of memory, and repeat the command"),
            Error::NotLoaded { engine, words } => said(error("engines/not-loaded"), words)
                .help(if words.contains("libgomp.so") { LIBGOMP.to_owned() } else { how_to_add(*engine) }),
            Error::Refused { words, .. } => said(error("engines/refused"), words).help(if is_of_device(words) {
                "leave `device` out, or name a shared object that was built for the device, on a machine that has one"
            } else {
                "change the parameters or the data as the library asks"
            }),
            Error::Died { words, .. } => said(error("engines/died"), words)
                .help("the run is kept and can be resumed; give it more memory, or try another version of the library"),
            Error::Garbled { engine, what } => error("engines/garbled")
                .note(what.clone())
                .help(format!("use a version that is known to work: `trainyard engines add {}`", engine.name())),
            Error::Stopped => Diagnostic::error("engines/stopped", self.to_string())
                .with_fault(trainyard_diagnostics::Fault::Interrupted),
            Error::NoPip { engine } => error("engines/no-pip").help(format!(
                "install Python with pip, or set {} to the path of {}",
                engine.variable(),
                engine.in_packages()[2]
            )),
            Error::Pip { words, .. } => {
                said(error("engines/pip"), words).help("see to what pip says, such as its index or a proxy, and repeat")
            }
            Error::NoPlace => error("engines/no-place").help("set HOME or XDG_DATA_HOME"),
            Error::Keep { .. } => error("engines/keep").help("see to the folder's permissions and to the disk's space"),
        }
    }
}

/// What LightGBM's wheel does not bring; that of XGBoost has one of its own, under another name.
const LIBGOMP: &str =
    "install libgomp, which the library needs: the package libgomp1 of Debian and Ubuntu, libgomp of Fedora";

/// Says whether a library speaks of a device that it cannot use.
fn is_of_device(words: &str) -> bool {
    ["CUDA", "GPU", "OpenCL"].iter().any(|word| words.contains(word))
}

fn how_to_add(engine: Engine) -> String {
    format!("`trainyard engines add {}` brings it, or {} names its shared object", engine.name(), engine.variable())
}

/// Adds the words of a foreign program, a note a line.
fn said(diagnostic: Diagnostic, words: &str) -> Diagnostic {
    words.lines().map(str::trim).filter(|line| !line.is_empty()).fold(diagnostic, Diagnostic::note)
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Absent { engine } => write!(formatter, "{} is not on this machine", engine.title()),
            Error::NotThere { engine, path, what } => {
                write!(formatter, "{} names {}, which cannot be read: {what}", engine.variable(), path.display())
            }
            Error::Altered { engine, path } => {
                write!(formatter, "{} is not the {} that was added: its digest differs", path.display(), engine.title())
            }
            Error::NotALibrary { engine, path, what } => {
                write!(formatter, "{} cannot be {}: it {what}", path.display(), engine.title())
            }
            Error::Version { engine, found, .. } => {
                let [(major, minor), (below, _)] = engine.tested();
                let title = engine.title();
                write!(formatter, "{title} {found} is not known to work: from {major}.{minor}, before {below}.0, it is")
            }
            Error::Start { engine, what } => {
                write!(formatter, "no process for {} could be started: {what}", engine.title())
            }
            Error::NotLoaded { engine, .. } => write!(formatter, "{} cannot be loaded", engine.title()),
            Error::Refused { engine, .. } => write!(formatter, "{} refused", engine.title()),
            Error::Died { engine, how, .. } => {
                write!(formatter, "the process of {} {how} before the model was there", engine.title())
            }
            Error::Garbled { engine, .. } => {
                write!(formatter, "what {} gave is no model that can be read", engine.title())
            }
            Error::Stopped => formatter.write_str("fitting was stopped"),
            Error::NoPip { engine } => write!(formatter, "{} is brought by pip, and there is none", engine.title()),
            Error::Pip { engine, .. } => write!(formatter, "pip did not bring {}", engine.title()),
            Error::NoPlace => {
                formatter.write_str("there is no place for engines: neither XDG_DATA_HOME nor HOME is set")
            }
            Error::Keep { path, what } => write!(formatter, "{} cannot be written: {what}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        error.diagnostic()
    }
}
