//! What can go wrong with remotes, and with objects on their way.

use std::fmt;

use trainyard_diagnostics::{Diagnostic, Fault, nearest, one_of};
use trainyard_spec::Store;

use crate::Error;

/// Says what is wrong with a remote, or with objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No remote is named, and none is the usual one.
    None {
        /// The remotes that there are.
        known: Vec<String>,
    },
    /// No remote of that name.
    Unknown {
        /// The name.
        name: String,
        /// The remotes that there are.
        known: Vec<String>,
    },
    /// The address of a remote can't be used.
    Url {
        /// The remote.
        remote: String,
        /// Its address.
        url: String,
        /// Why.
        why: String,
    },
    /// The settings of a remote, or the environment's, make no connection.
    Settings {
        /// The remote.
        remote: String,
        /// Why.
        cause: String,
    },
    /// Nobody is named who asks.
    Nobody {
        /// The remote.
        remote: String,
        /// What keeps it.
        store: Store,
        /// Where it was looked for.
        cause: String,
    },
    /// The remote's folder, bucket or container is not there.
    Absent {
        /// The remote.
        remote: String,
        /// Its address.
        url: String,
    },
    /// Who asks may not.
    Denied {
        /// The remote.
        remote: String,
        /// Its address.
        url: String,
        /// What the server says.
        cause: String,
    },
    /// The server says no for another reason.
    Refused {
        /// The remote.
        remote: String,
        /// Its address.
        url: String,
        /// What it says.
        cause: String,
    },
    /// No server answers, or the connection broke again and again.
    Lost {
        /// The remote.
        remote: String,
        /// Its address.
        url: String,
        /// What happened last.
        cause: String,
        /// How many objects came through before.
        arrived: usize,
        /// Of how many; 0 where nothing was on its way yet.
        of: usize,
    },
    /// The remote does not have objects.
    Lacks {
        /// The remote.
        remote: String,
        /// Some of the files that they are of.
        files: Vec<String>,
        /// How many objects.
        count: usize,
    },
    /// Objects are neither in the cache nor at the remote.
    Nowhere {
        /// The remote.
        remote: String,
        /// Some of the files that they are of.
        files: Vec<String>,
        /// How many objects.
        count: usize,
    },
    /// What a remote gave for objects is something else.
    Bytes {
        /// The remote.
        remote: String,
        /// Some of the files that they are of.
        files: Vec<String>,
        /// How many objects.
        count: usize,
    },
    /// Objects of the cache are not what their names say.
    Damaged {
        /// Some of the files that they are of.
        files: Vec<String>,
        /// How many objects.
        count: usize,
    },
    /// Objects are longer than a web server is sent.
    Long {
        /// The remote.
        remote: String,
        /// Some of the files that they are of.
        files: Vec<String>,
        /// How many objects.
        count: usize,
        /// The most bytes of one.
        most: u64,
    },
    /// The system gives no room to wait for a server.
    Runtime {
        /// Why.
        cause: String,
    },
    /// The user stopped it.
    Interrupted,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Remote(Box::new(problem))
    }
}

fn there_are(known: &[String]) -> String {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    format!("there are {}", one_of(&names, 8))
}

impl Problem {
    /// Draws the problem for a user.
    pub fn diagnostic(&self) -> Diagnostic {
        let title = self.to_string();
        match self {
            Self::None { known } if known.is_empty() => Diagnostic::error("versioned/no-remote", title).help(
                "name one in .dvc/config: a section ['remote \"NAME\"'] with its url, and remote = NAME in [core]",
            ),
            Self::None { known } => Diagnostic::error("versioned/no-remote", title)
                .note(there_are(known))
                .help("name one by --remote, or for all as remote = NAME in [core] of .dvc/config"),
            Self::Unknown { name, known } => {
                let help = match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => {
                        "name it in .dvc/config: a section ['remote \"NAME\"'] with its url".to_owned()
                    }
                    None => there_are(known),
                };
                Diagnostic::error("versioned/unknown-remote", title).help(help)
            }
            Self::Url { url, why, .. } => Diagnostic::error("versioned/remote-url", title)
                .note(if url.is_empty() { why.clone() } else { format!("{url}: {why}") })
                .help("correct its section in .dvc/config, or use `dvc` for this remote"),
            Self::Settings { cause, .. } => Diagnostic::error("versioned/remote-settings", title)
                .note(cause.clone())
                .help("correct its section in .dvc/config, or the variables of the environment that name the store"),
            Self::Nobody { store, cause, .. } => {
                Diagnostic::error("versioned/remote-credentials", title).note(cause.clone()).help(variables(*store))
            }
            Self::Absent { url, .. } => Diagnostic::error("versioned/remote-absent", title)
                .note(url.clone())
                .help("check the url, mount the disk or make the bucket; the first push makes a folder"),
            Self::Denied { url, cause, .. } => Diagnostic::error("versioned/remote-denied", title)
                .note(format!("{url}: {cause}"))
                .help("ask who keeps the remote to let you in, or check who the environment says you are"),
            Self::Refused { url, cause, .. } => Diagnostic::error("versioned/remote-refused", title)
                .note(format!("{url}: {cause}"))
                .help("check the url and the settings of the remote in .dvc/config, or ask who keeps it"),
            Self::Lost { url, cause, arrived, of, .. } => {
                let problem = Diagnostic::error("versioned/remote-lost", title).note(format!("{url}: {cause}"));
                let problem = match of {
                    0 => problem,
                    _ => problem.note(format!("{arrived} of {of} objects came through, and stay")),
                };
                problem.help("check the url and the network, and repeat the command: it goes on where it broke off")
            }
            Self::Lacks { files, count, .. } => told(Diagnostic::error("versioned/remote-lacks", title), files, *count)
                .help("`trainyard data push` where the data was added sends them; or name another by --remote"),
            Self::Nowhere { files, count, .. } => {
                told(Diagnostic::error("versioned/objects-lost", title), files, *count)
                    .help("`trainyard data pull` from another remote, or add the data again where it still is")
            }
            Self::Bytes { files, count, .. } => told(Diagnostic::error("versioned/remote-bytes", title), files, *count)
                .note("none of it was stored")
                .help("remove them there, and push them again from a cache that `trainyard data fsck` finds whole"),
            Self::Damaged { files, count } => told(Diagnostic::error("versioned/damaged-object", title), files, *count)
                .note("they were not sent")
                .help("`trainyard data fsck --repair` sets them aside and fetches them again"),
            Self::Long { files, count, most, .. } => {
                let most = format!("a web server takes an object in one piece, of at most {} MiB here", most >> 20);
                told(Diagnostic::error("versioned/object-too-long", title), files, *count).note(most).help(
                    "split the file; or push to a folder, S3, Google Cloud Storage or Azure, which take any length",
                )
            }
            Self::Runtime { cause } => Diagnostic::error("versioned/no-runtime", title)
                .note(cause.clone())
                .help("end other programs, or raise the limit of open files, and repeat the command"),
            Self::Interrupted => {
                let mut problem = Diagnostic::error("versioned/interrupted", title)
                    .help("the same command goes on where it was stopped");
                problem.fault = Fault::Interrupted;
                problem
            }
        }
    }
}

/// Names some of the files.
fn told(problem: Diagnostic, files: &[String], count: usize) -> Diagnostic {
    let problem = files.iter().fold(problem, |problem, file| problem.note(file.clone()));
    let more = count.saturating_sub(files.len());
    if more > 0 && !files.is_empty() { problem.note(format!("and {more} more")) } else { problem }
}

/// Says where a store's credentials are looked for.
fn variables(store: Store) -> &'static str {
    match store {
        Store::S3 => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
             `aws configure export-credentials --profile NAME --format env` prints those of a profile"
        }
        Store::Google => "set GOOGLE_SERVICE_ACCOUNT to the file of a service account, or `gcloud auth` as usual",
        Store::Azure => {
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or another of its ways to sign in"
        }
        Store::Web => "name them in the url of .dvc/config.local",
    }
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None { .. } => f.write_str("no remote is named"),
            Self::Unknown { name, .. } => write!(f, "there is no remote {name}"),
            Self::Url { remote, .. } => write!(f, "the remote {remote} can't be used here"),
            Self::Settings { remote, .. } => write!(f, "the remote {remote} can't be asked with these settings"),
            Self::Nobody { remote, .. } => write!(f, "nobody is named who asks the remote {remote}"),
            Self::Absent { remote, .. } => write!(f, "the remote {remote} is not there"),
            Self::Denied { remote, .. } => write!(f, "the remote {remote} does not let you in"),
            Self::Refused { remote, .. } => write!(f, "the remote {remote} refuses"),
            Self::Lost { remote, .. } => write!(f, "the remote {remote} can't be reached, or broke off"),
            Self::Lacks { remote, count, .. } => write!(f, "the remote {remote} lacks {}", objects(*count)),
            Self::Nowhere { remote, count, .. } => {
                write!(f, "{} neither in the cache nor at the remote {remote}", objects(*count))
            }
            Self::Bytes { remote, count, .. } => {
                write!(f, "the remote {remote} gives other bytes for {}", objects(*count))
            }
            Self::Damaged { count, .. } => write!(f, "the cache holds other bytes for {}", objects(*count)),
            Self::Long { remote, count, .. } => {
                write!(f, "{} too long for the remote {remote}", objects(*count))
            }
            Self::Runtime { .. } => f.write_str("no connection could be prepared"),
            Self::Interrupted => f.write_str("stopped"),
        }
    }
}
