//! What can keep a model from being trained, read or used.

use std::fmt;

use trainyard_diagnostics::Diagnostic;

/// Says why a model cannot be trained, read or used.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// Rows do not become features.
    Features(trainyard_features::Error),
    /// Rows do not become targets.
    Data(Box<Diagnostic>),
    /// A learner or a metric refused.
    Learn {
        /// The candidate, or `baseline`.
        candidate: String,
        /// Where: `fold 2`, `train`, …
        part: String,
        /// What it said.
        error: trainyard_learn::Error,
    },
    /// An external engine is not there or gave no model.
    Engine {
        /// The candidate, or `baseline`.
        candidate: String,
        /// Where: `fold 2`, `train`, …
        part: String,
        /// What went wrong.
        error: trainyard_engines::Error,
    },
    /// An estimator is not made for the task.
    WrongTask {
        /// The candidate, or `baseline`.
        candidate: String,
        /// The estimator.
        estimator: String,
        /// Whether the task has classes.
        has_classes: bool,
    },
    /// A parameter is not made for the task.
    WrongParameter {
        /// The candidate, or `baseline`.
        candidate: String,
        /// The parameter: `class_weight`, `loss: poisson`.
        parameter: String,
        /// Whether the task has classes.
        has_classes: bool,
    },
    /// A weight is given to a class that there is not.
    UnknownClass {
        /// The candidate, or `baseline`.
        candidate: String,
        /// The class.
        class: String,
        /// The classes there are.
        known: Vec<String>,
    },
    /// A direction is given to a feature that there is not.
    UnknownFeature {
        /// The candidate, or `baseline`.
        candidate: String,
        /// The feature.
        feature: String,
        /// The features there are.
        known: Vec<String>,
    },
    /// A class has no row to learn from.
    NoRowsOfClass {
        /// The class.
        class: String,
        /// The rows that lack it: `the training rows`.
        rows: String,
    },
    /// No row counts, or all together count more than a double holds.
    Weights {
        /// The rows: `the training rows of fold 2 of 5`.
        rows: String,
        /// What their weights add up to.
        total: f64,
    },
    /// There are too few rows for the folds.
    TooFewForFolds {
        /// What asks for them, such as `cross_validation: {folds: …}`, else what would do without.
        key: &'static str,
        /// The folds asked for.
        folds: usize,
        /// What is too few: `rows that differ`, `rows of class …`.
        what: String,
        /// How many there must be.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Early stopping needs folds, whose mean best iteration is the number of trees.
    EarlyStoppingWithoutFolds {
        /// The candidate, or `baseline`.
        candidate: String,
    },
    /// Several candidates, and neither validation rows nor folds to choose by.
    NothingToChooseBy {
        /// The candidates.
        candidates: Vec<String>,
    },
    /// No candidate has a value of the metric that chooses.
    NoChoice {
        /// The metric.
        metric: String,
    },
    /// There are no candidates.
    NoCandidates,
    /// A fit ended in numbers that are not finite.
    NotFinite {
        /// The candidate, or `baseline`.
        candidate: String,
    },
    /// Rows could not be taken out of or put into a table.
    Table {
        /// What Arrow says.
        what: String,
    },
    /// The listener asked to stop.
    Stopped,
    /// A file of a model folder is absent.
    MissingFile {
        /// Its path in the folder.
        path: String,
    },
    /// A model folder was written by a version of trainyard that writes another format.
    Format {
        /// Its path in the folder.
        path: String,
        /// The format it has.
        found: u64,
        /// The format that is understood.
        known: u64,
    },
    /// A file of a model folder is not what was written.
    Damaged {
        /// Its path in the folder.
        path: String,
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// Tells the user what is wrong and what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        let error = |code: &str| Diagnostic::error(code, self.to_string());
        match self {
            Error::Features(error) => error.diagnostic(),
            Error::Data(diagnostic) => (**diagnostic).clone(),
            Error::Learn { candidate, part, error } => {
                error.diagnostic().note(format!("while fitting `{candidate}` ({part})"))
            }
            Error::Engine { candidate, part, error } => {
                error.diagnostic().note(format!("while fitting `{candidate}` ({part})"))
            }
            Error::WrongTask { has_classes, .. } => error("model/wrong-task").help(if *has_classes {
                "use logistic_regression, gradient_boosting, xgboost, lightgbm, random_forest, extra_trees or dummy"
            } else {
                "use ridge, lasso, elastic_net, gradient_boosting, xgboost, lightgbm, random_forest, extra_trees or dummy"
            }),
            Error::WrongParameter { parameter, has_classes, .. } => {
                error("model/wrong-parameter").help(match (parameter.as_str(), *has_classes) {
                    (parameter, _) if parameter.starts_with("scoring") => {
                        "choose a metric of the task, or leave `scoring` out"
                    }
                    (_, true) => "leave `loss` out: classes have the log loss",
                    ("class_weight", false) => "leave `class_weight` out; `data.weight` names a column of weights",
                    (_, false) => "choose the loss squared_error, absolute_error, quantile or poisson",
                })
            }
            Error::UnknownClass { class, known, .. } => {
                error("model/unknown-class").help(near_or_all(class, known, "classes"))
            }
            Error::UnknownFeature { feature, known, .. } => {
                error("model/unknown-feature").help(near_or_all(feature, known, "features"))
            }
            Error::NoRowsOfClass { .. } => error("model/no-rows-of-class").help(
                "bring more rows of it, use fewer folds, join it with another class, or take its rows out of the data",
            ),
            Error::Weights { .. } => error("model/weights").help(
                "use fewer folds, or a weight that some row of every fold has; leave `data.weight` out to count all",
            ),
            Error::TooFewForFolds { key, .. } => error("model/too-few-for-folds").help(match key.strip_suffix('}') {
                Some(_) => format!("set a lower number in `{key}`, or train on more rows"),
                None => format!("ask for {key}, or train on more rows"),
            }),
            Error::EarlyStoppingWithoutFolds { .. } => error("model/early-stopping-without-folds")
                .help("set `cross_validation: {folds: 5}`, or leave early stopping out and fix the number of trees"),
            Error::NothingToChooseBy { .. } => error("model/nothing-to-choose-by")
                .help("give the split a validation share, or set `cross_validation: {folds: 5}`"),
            Error::NoChoice { metric } => error("model/no-choice")
                .help(format!("look at the validation rows: `{metric}` may need rows of every class")),
            Error::NoCandidates => error("model/no-candidates").help("add one under `candidates`"),
            Error::NotFinite { .. } => {
                error("model/not-finite").help("look for extreme values in the target and in unscaled features")
            }
            Error::Table { .. } => error("model/table").with_fault(trainyard_diagnostics::Fault::Internal),
            Error::Stopped => Diagnostic::error("model/stopped", self.to_string())
                .with_fault(trainyard_diagnostics::Fault::Interrupted)
                .help("`trainyard resume` goes on from the last finished step"),
            Error::MissingFile { .. } => error("model/missing-file").help("fetch the model again, or train it again"),
            Error::Format { found, known, .. } if found < known => error("model/format").help("train the model again"),
            Error::Format { .. } => {
                error("model/format").help("use the version of trainyard that wrote the model, or a later one")
            }
            Error::Damaged { .. } => error("model/damaged").help("fetch the model again, or train it again"),
        }
    }
}

/// Names the nearest of the known names, else the first of them.
fn near_or_all(name: &str, known: &[String], what: &str) -> String {
    match trainyard_diagnostics::nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("the {what} are {}", trainyard_diagnostics::one_of(&known, 20))
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Features(error) => error.fmt(formatter),
            Error::Data(diagnostic) => formatter.write_str(&diagnostic.title),
            Error::Learn { candidate, part, error } => {
                write!(formatter, "`{candidate}` cannot be fitted ({part}): {error}")
            }
            Error::Engine { candidate, part, error } => {
                write!(formatter, "`{candidate}` cannot be fitted ({part}): {error}")
            }
            Error::WrongTask { candidate, estimator, has_classes } => {
                let task = if *has_classes { "classification" } else { "regression" };
                write!(formatter, "`{candidate}` is a {estimator}, which is not made for {task}")
            }
            Error::WrongParameter { candidate, parameter, has_classes } => {
                let task = if *has_classes { "classification" } else { "regression" };
                write!(formatter, "`{candidate}` has `{parameter}`, which is not made for {task}")
            }
            Error::UnknownClass { candidate, class, .. } => {
                write!(formatter, "`{candidate}` weighs the class `{class}`, which the target does not have")
            }
            Error::UnknownFeature { candidate, feature, .. } => {
                write!(formatter, "`{candidate}` gives a direction to `{feature}`, which is not among the features")
            }
            Error::Weights { rows, total } => {
                write!(formatter, "the weights of {rows} add up to {total}: no fit can use them")
            }
            Error::NoRowsOfClass { class, rows } => write!(formatter, "none of {rows} is of class `{class}`"),
            Error::TooFewForFolds { folds, what, needed, found, .. } => {
                write!(formatter, "{folds} folds need at least {needed} {what}; there are {found}")
            }
            Error::EarlyStoppingWithoutFolds { candidate } => write!(
                formatter,
                "`{candidate}` stops early, but without folds there is nothing to take its number of trees from"
            ),
            Error::NothingToChooseBy { candidates } => write!(
                formatter,
                "there are {} candidates ({}) and neither validation rows nor folds to choose by",
                candidates.len(),
                candidates.join(", ")
            ),
            Error::NoChoice { metric } => write!(formatter, "no candidate has a value of `{metric}` to be chosen by"),
            Error::NoCandidates => formatter.write_str("there is no candidate to train"),
            Error::NotFinite { candidate } => {
                write!(formatter, "the fit of `{candidate}` ended in numbers that are not finite")
            }
            Error::Table { what } => write!(formatter, "rows cannot be taken out of the table: {what}"),
            Error::Stopped => formatter.write_str("training was stopped"),
            Error::MissingFile { path } => write!(formatter, "the model folder lacks {path}"),
            Error::Format { path, found, known } => {
                write!(formatter, "{path} has format {found}; this version of trainyard reads format {known}")
            }
            Error::Damaged { path, what } => write!(formatter, "{path} of the model folder is damaged: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        error.diagnostic()
    }
}

impl From<trainyard_features::Error> for Error {
    fn from(error: trainyard_features::Error) -> Error {
        Error::Features(error)
    }
}

impl From<trainyard_data::Error> for Error {
    fn from(error: trainyard_data::Error) -> Error {
        Error::Data(Box::new(error.diagnostic()))
    }
}
