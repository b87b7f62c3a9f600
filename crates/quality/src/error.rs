//! What can be wrong with what judges a table.

use std::fmt;

use trainyard_diagnostics::Diagnostic;

/// Says what is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A suite of expectations.
    Expectations(crate::expectations::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.diagnostic().title)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Says it to the user.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Error::Expectations(error) => error.diagnostic(),
        }
    }
}
