//! Values that remember where they came from.

use std::fmt;
use std::ops::{Deref, Range};

use trainyard_diagnostics::{Diagnostic, Fault, Place, Source};

use crate::tree::scalar_range;

/// Says where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file: the project's, an environment's or a version's.
    File(Place),
    /// A flag of the command line, as it was written: `--set data.key=id`, `--split 2`.
    Flag(String),
    /// A variable of the process's environment, by name.
    Environment(String),
    /// versions/schema.yaml, which keeps what was found when the data was read for the first time; with the place where
    /// it stands, if it was read from there.
    Kept(Option<Place>),
    /// Nobody wrote it: it is the default, or it was read back from a run's record.
    Default,
}

impl Origin {
    /// Gives a place to point at; the words of a flag become a text of their own.
    pub fn place(&self) -> Option<Place> {
        match self {
            Origin::File(place) | Origin::Kept(Some(place)) => Some(place.clone()),
            Origin::Flag(words) => Some(Place::new(Source::new("command line", words.clone()), 0..words.len())),
            Origin::Environment(_) | Origin::Kept(None) | Origin::Default => None,
        }
    }

    /// Points a diagnostic at this origin, or says what there is to say in a note; a flag's fault is the command line's.
    pub fn point(&self, diagnostic: Diagnostic, text: impl Into<String>) -> Diagnostic {
        let diagnostic = match self {
            Origin::Flag(_) => diagnostic.with_fault(Fault::CommandLine),
            _ => diagnostic,
        };
        match (self.place(), self) {
            (Some(place), _) => diagnostic.at(place, text),
            (None, Origin::Environment(name)) => diagnostic.note(format!("{name}: {}", text.into())),
            (None, _) => diagnostic.note(text),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(place) | Origin::Kept(Some(place)) => {
                let start = place.start();
                write!(formatter, "{}:{}:{}", place.source.name, start.line, start.column)
            }
            Origin::Flag(words) => formatter.write_str(words),
            Origin::Environment(name) => formatter.write_str(name),
            Origin::Kept(None) => formatter.write_str("versions/schema.yaml"),
            Origin::Default => formatter.write_str("default"),
        }
    }
}

/// Holds a value with its origin; two are equal if their values are.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Located<T> {
    /// Makes a value that came from `origin`.
    pub fn new(value: T, origin: Origin) -> Located<T> {
        Located { value, origin }
    }

    /// Makes a value that nobody wrote.
    pub fn of_default(value: T) -> Located<T> {
        Located { value, origin: Origin::Default }
    }

    /// Gives a place to point at.
    pub fn place(&self) -> Option<Place> {
        self.origin.place()
    }
}

impl Located<String> {
    /// Gives the place of a byte range of this text: inside the quotes, escapes and folded lines of the YAML that it was
    /// written in, or at the end of the flag that it was written behind; the whole where the two cannot be matched.
    pub fn place_of(&self, range: Range<usize>) -> Option<Place> {
        let Origin::File(whole) = &self.origin else {
            let place = self.place()?;
            return Some(match place.text().strip_suffix(self.value.as_str()) {
                Some(flag) => Place::new(place.source.clone(), flag.len() + range.start..flag.len() + range.end),
                None => place,
            });
        };
        match scalar_range(whole.text(), &self.value, range) {
            Some(part) => {
                let start = whole.span.start;
                Some(Place::new(whole.source.clone(), start + part.start..start + part.end))
            }
            None => Some(whole.clone()),
        }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Located<T>) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(formatter)
    }
}
