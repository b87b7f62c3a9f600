//! What an MLflow server does wrong, or says no to.

use std::fmt;

use trainyard_diagnostics::{Diagnostic, conceal};

/// Says why an MLflow server was not told, or did not do, something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerError {
    /// What the environment says of the way to the server makes none.
    Settings {
        /// The server's address.
        server: String,
        /// What is wrong.
        cause: String,
    },
    /// The server can't be reached, or is busy: another try may go well.
    Unreachable {
        /// The server's address.
        server: String,
        /// What was seen.
        cause: String,
    },
    /// The server does not let in who asks.
    Denied {
        /// The server's address.
        server: String,
        /// What it said.
        cause: String,
    },
    /// One side does not trust the other's certificate.
    Untrusted {
        /// The server's address.
        server: String,
        /// What was seen.
        cause: String,
    },
    /// What answers is no MLflow server.
    NotMlflow {
        /// The address.
        server: String,
        /// What it said.
        cause: String,
    },
    /// The experiment was deleted.
    ExperimentDeleted {
        /// The server's address.
        server: String,
        /// The experiment.
        experiment: String,
    },
    /// The server refused what it was asked.
    Refused {
        /// The server's address.
        server: String,
        /// What was asked, in words: `log a batch of run 7f3a`.
        deed: String,
        /// MLflow's code, such as `INVALID_PARAMETER_VALUE`.
        code: String,
        /// What it said.
        message: String,
    },
    /// The registered model belongs to another project.
    OtherProject {
        /// The server's address.
        server: String,
        /// The model.
        model: String,
        /// The project that it belongs to.
        project: String,
    },
    /// Another promotion came between.
    RaceLost {
        /// The server's address.
        server: String,
        /// The model.
        model: String,
        /// The version that was promoted.
        version: u32,
        /// What stands there now, in words.
        found: String,
    },
    /// What was asked for by name is not on the server.
    NotThere {
        /// The server's address.
        server: String,
        /// What it is, and its name: `experiment churn`.
        what: String,
        /// A name that is near, and is there.
        nearest: Option<String>,
    },
    /// The server does not take a filter of runs.
    WrongFilter {
        /// The server's address.
        server: String,
        /// What it said.
        message: String,
    },
    /// Where a run's artifacts lie can't be reached from here.
    NoArtifacts {
        /// The server's address.
        server: String,
        /// The address of the artifacts.
        place: String,
        /// Why.
        cause: String,
    },
}

impl ServerError {
    /// Says whether the same may go well later.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Says whether it is about what was asked, and not about who asks or the server.
    pub(crate) const fn is_of_one(&self) -> bool {
        !matches!(self, Self::Denied { .. } | Self::Settings { .. } | Self::Untrusted { .. } | Self::NotMlflow { .. })
    }

    /// Draws the error for a user.
    pub fn diagnostic(&self) -> Diagnostic {
        let say = |code: &str| Diagnostic::error(code, self.to_string());
        match self {
            Self::Settings { cause, .. } => say("tracking/server-settings")
                .note(cause.clone())
                .help("check `tracking.uri` and the variables MLFLOW_TRACKING_… of the environment"),
            Self::Unreachable { cause, .. } => say("tracking/server-unreachable")
                .note(cause.clone())
                .help("check `tracking.uri` and the network; `trainyard runs sync` delivers what waits"),
            Self::Denied { cause, .. } => say("tracking/server-denied")
                .note(cause.clone())
                .help("set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
            // The server's word for what it misses is an alert.
            Self::Untrusted { cause, .. } if cause.contains("alert") => say("tracking/server-untrusted")
                .note(cause.clone())
                .help("name a certificate that the server takes, with its key, in MLFLOW_TRACKING_CLIENT_CERT_PATH"),
            Self::Untrusted { cause, .. } => say("tracking/server-untrusted")
                .note(cause.clone())
                .help("name the certificate of its authority in MLFLOW_TRACKING_SERVER_CERT_PATH"),
            Self::NotMlflow { cause, .. } => say("tracking/not-mlflow")
                .note(cause.clone())
                .help("check `tracking.uri`; the server's web page shows it"),
            Self::ExperimentDeleted { experiment, .. } => say("tracking/experiment-deleted").help(format!(
                "restore it on the server, or name another as `tracking.experiment` than `{experiment}`"
            )),
            Self::Refused { code, message, .. } => say("tracking/server-refused")
                .note(format!("{code}: {message}"))
                .help("what was logged stays in the project; `trainyard runs sync` tries again"),
            Self::OtherProject { project, .. } => say("tracking/model-of-another-project")
                .note(format!("it was registered by the project {project}"))
                .help("name another `model` in trainyard.yaml, or run the project that it belongs to"),
            Self::RaceLost { found, .. } => say("tracking/race-lost")
                .note(found.clone())
                .help("resume the run, to be compared with what is there now"),
            Self::NotThere { nearest, .. } => say("tracking/not-there").help(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "the server's web page lists what it has".to_owned(),
            }),
            Self::WrongFilter { message, .. } => say("import/filter")
                .note(message.clone())
                .help("a filter is such as: metrics.accuracy > 0.8 and params.depth = '6' and status = 'FINISHED'"),
            Self::NoArtifacts { place, cause, .. } => say("tracking/no-artifacts")
                .note(format!("{}: {cause}", conceal(place)))
                .help("start the server with --artifacts-destination, so that artifacts go through it"),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings { server, .. } => write!(f, "the way to the tracking server {server} is not clear"),
            Self::Unreachable { server, .. } => write!(f, "the tracking server {server} can't be reached"),
            Self::Denied { server, .. } => write!(f, "the tracking server {server} does not let you in"),
            Self::Untrusted { server, cause } if cause.contains("alert") => {
                write!(f, "the tracking server {server} does not trust the certificate of this machine")
            }
            Self::Untrusted { server, .. } => {
                write!(f, "the certificate of the tracking server {server} is not trusted")
            }
            Self::NotMlflow { server, .. } => write!(f, "{server} is no MLflow server"),
            Self::ExperimentDeleted { server, experiment } => {
                write!(f, "the experiment {experiment} of the tracking server {server} was deleted")
            }
            Self::Refused { server, deed, .. } => write!(f, "the tracking server {server} refused to {deed}"),
            Self::OtherProject { server, model, .. } => {
                write!(f, "the model {model} of the tracking server {server} belongs to another project")
            }
            Self::RaceLost { model, version, .. } => {
                write!(f, "the change of {model} v{version} was undone by another at the same time")
            }
            Self::NotThere { server, what, .. } => write!(f, "the tracking server {server} has no {what}"),
            Self::WrongFilter { server, .. } => {
                write!(f, "the tracking server {server} does not take the filter of --where")
            }
            Self::NoArtifacts { server, .. } => {
                write!(f, "the artifacts of the tracking server {server} can't be reached from here")
            }
        }
    }
}

impl std::error::Error for ServerError {}
