//! What can be wrong with a study or its journal.

use std::fmt;

use trainyard_diagnostics::{Diagnostic, Fault};

use crate::record::trials;

/// Says why a study can't be read or run.
#[derive(Debug, Clone, PartialEq)]
pub enum StudyError {
    /// There is no trial to run.
    NoTrials,
    /// A sampler gave values that the space does not contain.
    Suggested {
        /// The trial that they were for.
        number: u64,
    },
    /// No trial is complete.
    NoneComplete {
        /// How many there are.
        trials: u64,
        /// The reasons of those that failed, and how many each has.
        failures: Vec<(String, u64)>,
    },
    /// A parameter that the space lacks.
    UnknownParameter {
        /// Its name.
        name: String,
        /// The nearest that the space has.
        near: Option<String>,
    },
    /// A value that its parameter cannot take.
    Outside {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
    },
    /// Trials of a study that looks for the other end of its values.
    OtherDirection {
        /// That study.
        study: String,
    },
    /// A journal without a study.
    NoStudy,
    /// A journal that lacks the study.
    UnknownStudy {
        /// The study.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A journal with several studies, of which none was named.
    SeveralStudies {
        /// Their names.
        known: Vec<String>,
    },
    /// A study with several values a trial.
    SeveralObjectives {
        /// The study.
        study: String,
        /// How many.
        count: usize,
    },
    /// A line of a journal that means nothing.
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: Damage,
    },
}

/// What is wrong with a line of a journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Damage {
    /// It is not a JSON object.
    NoObject,
    /// Its operation is one that nobody knows.
    Operation(String),
    /// A field is missing, or its value cannot be meant.
    Field(&'static str),
    /// The distribution of a parameter makes no sense.
    Distribution(String),
    /// Its trials have parameters that do not fit into one space.
    Space(String),
}

impl std::error::Error for StudyError {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::NoObject => f.write_str("is no JSON object"),
            Damage::Operation(code) => write!(f, "has the unknown op_code {code}"),
            Damage::Field(name) => write!(f, "has no sound `{name}`"),
            Damage::Distribution(name) => write!(f, "has no sound distribution of {name}"),
            Damage::Space(why) => write!(f, "has a space that cannot be: {why}"),
        }
    }
}

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StudyError::NoTrials => f.write_str("a search without trials finds nothing"),
            StudyError::Suggested { number } => {
                write!(f, "the sampler gave trial {number} values that the space does not contain")
            }
            StudyError::NoneComplete { trials: 0, .. } => f.write_str("the study has no trials"),
            StudyError::NoneComplete { trials: number, .. } => write!(f, "none of {} came to a value", trials(*number)),
            StudyError::UnknownParameter { name, .. } => write!(f, "the space has no parameter `{name}`"),
            StudyError::Outside { name, value } => write!(f, "`{name}` cannot be {value}"),
            StudyError::OtherDirection { study } => {
                write!(f, "study `{study}` looks for the other end of its values")
            }
            StudyError::NoStudy => f.write_str("the journal has no study"),
            StudyError::UnknownStudy { name, .. } => write!(f, "the journal has no study `{name}`"),
            StudyError::SeveralStudies { known } => {
                write!(f, "the journal has {} studies, and none was named", known.len())
            }
            StudyError::SeveralObjectives { study, count } => {
                write!(f, "study `{study}` has {count} values a trial, where one is needed")
            }
            StudyError::Line { line, what } => write!(f, "line {line} of the journal {what}"),
        }
    }
}

impl StudyError {
    fn code(&self) -> &'static str {
        match self {
            StudyError::NoTrials => "tune/no-trials",
            StudyError::Suggested { .. } => "tune/bad-suggestion",
            StudyError::NoneComplete { .. } => "tune/none-complete",
            StudyError::UnknownParameter { .. } => "tune/unknown-parameter",
            StudyError::Outside { .. } => "tune/outside",
            StudyError::OtherDirection { .. } => "tune/other-direction",
            StudyError::NoStudy => "tune/no-study",
            StudyError::UnknownStudy { .. } => "tune/unknown-study",
            StudyError::SeveralStudies { .. } => "tune/several-studies",
            StudyError::SeveralObjectives { .. } => "tune/several-objectives",
            StudyError::Line { .. } => "tune/journal-line",
        }
    }

    /// Says it to the user, with what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.code(), self.to_string());
        match self {
            StudyError::NoTrials => diagnostic.help("set `trials` to 1 or more"),
            StudyError::Suggested { .. } => diagnostic.with_fault(Fault::Internal),
            StudyError::NoneComplete { failures, .. } => {
                let notes = failures.iter().map(|(why, number)| format!("{}: {why}", trials(*number)));
                notes.fold(diagnostic, Diagnostic::note)
            }
            StudyError::UnknownParameter { near: Some(near), .. } => diagnostic.help(format!("did you mean `{near}`?")),
            StudyError::UnknownParameter { near: None, .. } => diagnostic,
            StudyError::Outside { .. } => diagnostic.help("choose one of the values that the space gives it"),
            StudyError::OtherDirection { .. } => diagnostic.help("start from a study of the same metric"),
            StudyError::NoStudy => diagnostic.help("look whether the file is the one that was meant"),
            StudyError::UnknownStudy { name, known } => {
                match trainyard_diagnostics::nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("it has {}", known.join(", "))),
                }
            }
            StudyError::SeveralStudies { known } => diagnostic.help(format!("name one of {}", known.join(", "))),
            StudyError::SeveralObjectives { .. } => diagnostic.help("bring a study of one value"),
            StudyError::Line { .. } => diagnostic.help("bring the file again from where it was written"),
        }
    }
}
