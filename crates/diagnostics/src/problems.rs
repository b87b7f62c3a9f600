//! Many problems found in one pass.

use std::fmt;

use crate::{Diagnostic, Severity};

/// Gathers problems, so that the user sees all of them at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Diagnostic>);

impl Problems {
    /// Starts with nothing wrong.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds a problem.
    pub fn push(&mut self, problem: impl Into<Diagnostic>) {
        self.0.push(problem.into());
    }

    /// Says whether nothing was found, not even a warning.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the number of problems of either severity.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Counts the problems that keep work from going on.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// Gives the problems in the order in which they were found.
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// Walks over the problems in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Gives up the problems in the order in which they were found.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }

    /// Gives `value` if there is no error.
    ///
    /// # Errors
    /// All problems, warnings included, if one of them is an error.
    pub fn into_result<T>(self, value: T) -> Result<T, Problems> {
        if self.errors() == 0 { Ok(value) } else { Err(self) }
    }
}

impl Extend<Diagnostic> for Problems {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl FromIterator<Diagnostic> for Problems {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(problems: I) -> Problems {
        Problems(problems.into_iter().collect())
    }
}

impl From<Diagnostic> for Problems {
    fn from(problem: Diagnostic) -> Problems {
        Problems(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
