//! Why a command ends without its result.

use trainyard_diagnostics::Diagnostic;

/// What things are in after a problem in a command that writes nothing.
pub(crate) const NOTHING: &str = "Nothing was run and nothing was written.";

/// Why a command ends without its result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something is wrong.
    Problems {
        /// What.
        diagnostics: Vec<Diagnostic>,
        /// What state things are in now.
        state: String,
    },
    /// The user stopped it.
    Interrupted {
        /// What was kept, and the command that goes on with it.
        way: Option<(String, String)>,
    },
}

impl From<Vec<Diagnostic>> for Stop {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Problems { diagnostics, state: NOTHING.to_owned() }
    }
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Problems { diagnostics: vec![diagnostic], state: String::new() }
    }
}

impl From<trainyard_tracking::Error> for Stop {
    fn from(error: trainyard_tracking::Error) -> Self {
        error.diagnostic().into()
    }
}

impl From<trainyard_files::Error> for Stop {
    fn from(error: trainyard_files::Error) -> Self {
        error.diagnostic().into()
    }
}
