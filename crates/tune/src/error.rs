//! What can be wrong with a space.

use std::fmt;

/// What is wrong with a space or one of its ranges.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A bound that is not finite, or a whole number beyond 2^53.
    Endless,
    /// The least value is above the greatest.
    Inverted,
    /// Logarithms of a number that is not above 0.
    LogOfZero,
    /// Logarithms together with a step.
    LogWithStep,
    /// A step that is not above 0, or too small to be counted.
    Step,
    /// A choice among nothing.
    NoChoices,
    /// A choice that is there twice.
    ChoiceTwice(String),
    /// A parameter that is there twice.
    NameTwice(String),
    /// A parameter whose condition names no choice of a parameter before it.
    Condition(String),
    /// A grid over a parameter whose range has no steps.
    WithoutSteps(String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Endless => f.write_str("a bound is not a number that can be counted to"),
            Error::Inverted => f.write_str("the lower bound is above the upper one"),
            Error::LogOfZero => f.write_str("logarithms need a lower bound above 0"),
            Error::LogWithStep => f.write_str("logarithms have no steps"),
            Error::Step => f.write_str("a step is not above 0, or too small to be counted"),
            Error::NoChoices => f.write_str("there is nothing to choose from"),
            Error::ChoiceTwice(choice) => write!(f, "the choice {choice} is there twice"),
            Error::NameTwice(name) => write!(f, "the parameter {name} is there twice"),
            Error::Condition(name) => write!(f, "the condition of {name} names no choice of a parameter before it"),
            Error::WithoutSteps(name) => write!(f, "the range of {name} has no steps, which a grid needs"),
        }
    }
}
