//! What runs are looked for, and in which order: MLflow's language of filters.
//!
//! A filter is conditions joined by AND: `metrics.reference_roc_auc > 0.8 and params.model_version = '1'`.

mod read;
mod words;

use std::sync::Arc;

use trainyard_diagnostics::{Diagnostic, Place, Source};

pub use read::{parse_filter, parse_order};

/// What a condition or an order is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A metric, at its last step.
    Metric(String),
    /// A parameter.
    Param(String),
    /// A tag.
    Tag(String),
    /// What every run has.
    Attribute(Attribute),
    /// A data set that the run read.
    Dataset(Dataset),
}

/// What every run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Its id.
    Run,
    /// Its name.
    Name,
    /// Its experiment.
    Experiment,
    /// How it stands.
    Status,
    /// When it began, in milliseconds since 1970.
    Started,
    /// When it ended.
    Ended,
}

/// What is known of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dataset {
    /// What it was to the run.
    Name,
    /// The digest of its content.
    Digest,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What a subject has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A number compared with one.
    Number(Order, f64),
    /// A text that is this one, or is not.
    Text(bool, String),
    /// A text like a pattern of `%` and `_`; upper and lower case are told apart, or not.
    Like(String, bool),
    /// A text out of a list, or none of it.
    In(Vec<String>, bool),
    /// Nothing at all.
    Null,
    /// Anything.
    NotNull,
}

/// Is one of the conditions that a run must meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What is looked at.
    pub subject: Subject,
    /// What it has to be.
    pub test: Test,
}

/// Is one of the things that runs are ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// What is compared; never a data set.
    pub subject: Subject,
    /// Whether the largest comes first. What a run does not have comes last either way.
    pub descending: bool,
}

/// Says which runs are looked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// What each run must meet.
    pub conditions: Vec<Condition>,
    /// What they are ordered by; those that are equal in it, and all without one, the newest first.
    pub order: Vec<OrderBy>,
    /// How many at most.
    pub limit: usize,
}

/// Sorts what may be wrong with a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Syntax,
    UnknownName,
    Comparator,
    Value,
}

/// Says what is wrong with a filter or an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    source: Arc<Source>,
    place: std::ops::Range<usize>,
    fault: Fault,
    title: String,
    label: String,
    help: String,
}

impl FilterError {
    /// Draws the error for a user.
    pub fn diagnostic(&self) -> Diagnostic {
        let place = Place::new(Arc::clone(&self.source), self.place.clone());
        let code = match self.fault {
            Fault::Syntax => "filter/syntax",
            Fault::UnknownName => "filter/unknown-name",
            Fault::Comparator => "filter/comparator",
            Fault::Value => "filter/value",
        };
        Diagnostic::error(code, &self.title).at(place, &self.label).help(&self.help)
    }
}
