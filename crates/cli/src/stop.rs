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
        /// How it goes on; nothing where no run had begun.
        way: Option<WayOut>,
    },
}

/// How things go on after a stop.
#[derive(Debug)]
pub(crate) struct WayOut {
    /// What is kept, as a sentence.
    pub(crate) kept: String,
    /// What the command does: `Go on with`.
    pub(crate) verb: &'static str,
    /// The command.
    pub(crate) command: String,
}

impl Stop {
    /// Adds the project's place to the commands that libraries advise: they speak as if typed in its folder.
    pub(crate) fn placed(self, place: &str) -> Self {
        match self {
            Self::Problems { mut diagnostics, state } if !place.is_empty() => {
                let advice =
                    diagnostics.iter_mut().flat_map(|problem| problem.help.iter_mut().chain(&mut problem.notes));
                advice.for_each(|text| *text = with_place(text, place));
                Self::Problems { diagnostics, state }
            }
            other => other,
        }
    }
}

/// Ends every command of a project that stands between backticks with the project's place.
pub(crate) fn with_place(text: &str, place: &str) -> String {
    let is_command = |part: &str| {
        let verb = part.strip_prefix("trainyard ").and_then(|rest| rest.split_whitespace().next());
        verb.is_some_and(|verb| !matches!(verb, "init" | "synth" | "explain" | "engines"))
            && !part.contains("--project")
    };
    let parts = text.split('`').enumerate().map(|(at, part)| {
        // Every other part stands between backticks.
        if at % 2 == 1 && is_command(part) { format!("{part}{place}") } else { part.to_owned() }
    });
    parts.collect::<Vec<_>>().join("`")
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

#[cfg(test)]
mod tests {
    use super::with_place;

    #[test]
    fn advised_commands_name_the_project() {
        let cases = [
            ("`trainyard resume` goes on", "`trainyard resume --project p` goes on"),
            ("a `x` and `trainyard runs list`", "a `x` and `trainyard runs list --project p`"),
            ("trainyard run", "trainyard run"),
            ("`trainyard init NEW`", "`trainyard init NEW`"),
            ("`trainyard data validate p/a.csv`", "`trainyard data validate p/a.csv --project p`"),
            ("`trainyard run --project q`", "`trainyard run --project q`"),
        ];
        for (text, expected) in cases {
            assert_eq!(with_place(text, " --project p"), expected);
        }
    }
}
