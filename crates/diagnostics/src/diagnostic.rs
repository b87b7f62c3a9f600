//! The one form of everything that is wrong.

use std::fmt;

use crate::Place;

/// Says how grave a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Nothing can go on.
    Error,
    /// Work goes on; the user should look.
    Warning,
}

/// Says whose fault a problem is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The user can fix it: exit code 1.
    User,
    /// The command line is wrong: exit code 2.
    CommandLine,
    /// A gate said no: exit code 3.
    Refused,
    /// A defect of Trainyard: exit code 70.
    Internal,
    /// The user interrupted: exit code 130.
    Interrupted,
}

impl Fault {
    /// Gives the exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Fault::User => 1,
            Fault::CommandLine => 2,
            Fault::Refused => 3,
            Fault::Internal => 70,
            Fault::Interrupted => 130,
        }
    }
}

/// Says something about a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub place: Place,
    /// What is to be said about it; may be empty.
    pub text: String,
}

/// Says what is wrong, where, which other places make it wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A name for programs, `area/kebab-name`.
    pub code: String,
    /// How grave it is.
    pub severity: Severity,
    /// Whose fault it is.
    pub fault: Fault,
    /// What is wrong, in the user's words, in one line.
    pub title: String,
    /// Where it is wrong.
    pub primary: Option<Label>,
    /// Other places that make it wrong.
    pub secondary: Vec<Label>,
    /// Facts that help to understand.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// Starts an error that the user can fix.
    pub fn error(code: impl Into<String>, title: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code.into(), Severity::Error, title.into())
    }

    /// Starts a warning.
    pub fn warning(code: impl Into<String>, title: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code.into(), Severity::Warning, title.into())
    }

    fn new(code: String, severity: Severity, title: String) -> Diagnostic {
        Diagnostic {
            code,
            severity,
            fault: Fault::User,
            title,
            primary: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Sets whose fault it is.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Diagnostic {
        self.fault = fault;
        self
    }

    /// Points at the place that is wrong.
    #[must_use]
    pub fn at(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.primary = Some(Label { place, text: text.into() });
        self
    }

    /// Points at another place that makes it wrong.
    #[must_use]
    pub fn also(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.secondary.push(Label { place, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Adds a thing to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.title)
    }
}

impl std::error::Error for Diagnostic {}
