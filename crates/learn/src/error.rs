//! What can be wrong with what a learner or a metric is given.

use std::fmt;

use trainyard_diagnostics::{Diagnostic, Fault};

/// Says why a learner or a metric cannot work with its input.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// There are no rows.
    Empty {
        /// What was asked for, such as `gradient boosting`.
        operation: &'static str,
    },
    /// Two inputs that belong together differ in length.
    Length {
        /// What was asked for.
        operation: &'static str,
        /// The input that does not fit, such as `weights`.
        input: &'static str,
        /// The length that the other inputs have.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// A matrix has another number of columns than the model or binning.
    Columns {
        /// What was asked for.
        operation: &'static str,
        /// The number of columns of the fit.
        expected: usize,
        /// The number of columns given.
        got: usize,
    },
    /// A cell is NaN, infinite or beyond 1e150 where the learner needs a finite number.
    NotFinite {
        /// What was asked for.
        operation: &'static str,
        /// The column, counted from 0 (messages count from 1).
        column: usize,
        /// The first such row, counted from 0 (messages count from 1).
        row: usize,
        /// The cell.
        value: f64,
    },
    /// A target is not finite (or beyond 1e150, whose square is not), or is not the number of a class where there are classes.
    Target {
        /// What was asked for.
        operation: &'static str,
        /// The first such row, counted from 0 (messages count from 1).
        row: usize,
        /// The target.
        value: f64,
    },
    /// A target is below 0 where it counts something.
    NegativeTarget {
        /// What was asked for.
        operation: &'static str,
        /// The first such row, counted from 0 (messages count from 1).
        row: usize,
        /// The target.
        value: f64,
    },
    /// No target that counts is above 0 where the logarithm of their mean is needed.
    NoPositiveTarget {
        /// What was asked for.
        operation: &'static str,
    },
    /// A prediction is NaN, or not a probability where one is needed.
    Prediction {
        /// What was asked for.
        operation: &'static str,
        /// The first such row, counted from 0 (messages count from 1).
        row: usize,
        /// The prediction.
        value: f64,
    },
    /// A weight is negative or not finite.
    Weight {
        /// What was asked for.
        operation: &'static str,
        /// The first such row, counted from 0 (messages count from 1).
        row: usize,
        /// The weight.
        value: f64,
    },
    /// The weights do not add up to a positive number.
    Weights {
        /// What was asked for.
        operation: &'static str,
        /// What they add up to.
        total: f64,
    },
    /// All targets are of one class.
    OneClass {
        /// What was asked for.
        operation: &'static str,
        /// The class: 0 or 1.
        class: f64,
    },
    /// A class has no rows, or none that counts.
    NoRowsOfClass {
        /// What was asked for.
        operation: &'static str,
        /// The class, counted from 0.
        class: usize,
    },
    /// A parameter lies outside its range.
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed, such as `above 0`.
        allowed: &'static str,
    },
    /// A direction of columns is asked for where it cannot be kept.
    Monotonic {
        /// What was asked for.
        operation: &'static str,
        /// Beside what it cannot be kept, such as `with several classes`.
        with: &'static str,
    },
    /// No choice meets a bound.
    Unreachable {
        /// What is bounded, such as `precision`.
        what: &'static str,
        /// The least that was asked for.
        bound: f64,
        /// The best that can be had.
        best: f64,
    },
    /// The numbers of a fit left the range of doubles.
    Diverged {
        /// What was asked for.
        operation: &'static str,
    },
    /// No metric of the task has this name.
    UnknownMetric {
        /// The name.
        name: String,
        /// The names there are.
        known: &'static [&'static str],
    },
    /// What is to say when a fit stops has no value on the rows that it would be measured on.
    NoScore {
        /// What was asked for.
        operation: &'static str,
    },
    /// The caller's progress function asked to stop.
    Stopped {
        /// The number of finished iterations.
        iterations: usize,
    },
    /// A stored model contradicts itself, such as a child that is not there.
    Damaged {
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The largest target or cell: the square of one beyond it is not a double.
pub(crate) const LARGEST: f64 = 1e150;

/// Where no direction can be kept, whatever the loss.
pub(crate) const OF_CATEGORIES: &str = "on a column of categories, which have no order";

const LIMIT_IS: &str = "beyond 1e150 its square is no longer a number";

/// Writes a number in few digits: from 1e15 on with an exponent.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        let is_short = size == 0.0 || !size.is_finite() || (1e-5..1e15).contains(&size);
        if is_short { write!(out, "{}", self.0) } else { write!(out, "{:e}", self.0) }
    }
}

impl Error {
    /// Gives the code of the diagnostic: `learn/` and what is wrong.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Empty { .. } => "learn/no-rows",
            Error::Length { .. } => "learn/lengths-differ",
            Error::Columns { .. } => "learn/columns-differ",
            Error::NotFinite { .. } => "learn/not-finite",
            Error::Target { .. } => "learn/bad-target",
            Error::NegativeTarget { .. } => "learn/negative-target",
            Error::NoPositiveTarget { .. } => "learn/no-positive-target",
            Error::Prediction { .. } => "learn/bad-prediction",
            Error::Weight { .. } => "learn/bad-weight",
            Error::Weights { .. } => "learn/bad-weights",
            Error::OneClass { .. } => "learn/one-class",
            Error::NoRowsOfClass { .. } => "learn/no-rows-of-class",
            Error::Parameter { .. } => "learn/parameter-out-of-range",
            Error::Monotonic { .. } => "learn/monotonic",
            Error::Unreachable { .. } => "learn/unreachable-bound",
            Error::Diverged { .. } => "learn/diverged",
            Error::UnknownMetric { .. } => "learn/unknown-metric",
            Error::NoScore { .. } => "learn/no-score",
            Error::Stopped { .. } => "learn/stopped",
            Error::Damaged { .. } => "learn/damaged-model",
        }
    }

    /// Says the same to a user, with one thing to do.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.code(), self.to_string());
        match self {
            Error::Empty { .. } => diagnostic.help("look at the split: every part that is used needs rows"),
            Error::NotFinite { value, .. } if value.is_nan() => {
                diagnostic.help("give the column an `impute:`; only trees take missing values as they are")
            }
            Error::NotFinite { value, .. } if value.is_finite() => {
                diagnostic.help(format!("derive a smaller column, in another unit or as a logarithm: {LIMIT_IS}"))
            }
            Error::NotFinite { .. } => {
                diagnostic.help("guard the column's expression against division by zero or overflow")
            }
            Error::Target { value, .. } if value.abs() > LARGEST && value.is_finite() => {
                diagnostic.help(format!("bring the target into another unit: {LIMIT_IS}"))
            }
            Error::Target { .. } => diagnostic.help("look at the target column, and at `data.target`"),
            Error::NegativeTarget { .. } => diagnostic
                .help("choose another `loss`, such as `squared_error`, or predict a count or another amount from 0"),
            Error::NoPositiveTarget { .. } => {
                diagnostic.help("choose another `loss`, such as `squared_error`, or look at the target column")
            }
            Error::Monotonic { with: OF_CATEGORIES, .. } => {
                diagnostic.help("take the column out of `monotonic_cst`, or encode it as ordinal")
            }
            Error::Monotonic { .. } => diagnostic.help("leave `monotonic_cst` out, or choose another `loss`"),
            Error::OneClass { .. } | Error::NoRowsOfClass { .. } => {
                diagnostic.help("stratify the split, use fewer folds, or bring more rows")
            }
            Error::Unreachable { what, best, .. } => {
                diagnostic.help(format!("ask for a {what} of at most {}, or for a better model", Number(*best)))
            }
            Error::Diverged { .. } => {
                diagnostic.help("bring columns of extreme size into another unit, or set a penalty nearer to 1")
            }
            Error::Parameter { name: "early_stopping", .. } => {
                diagnostic.help("set `early_stopping: false`, or hand in validation rows")
            }
            Error::Parameter { name: "columns of categories", .. } => {
                diagnostic.help("encode the categories as numbers, or leave them to `gradient_boosting`")
            }
            Error::Parameter { name, allowed, .. } => diagnostic.help(format!("set `{name}` to a value {allowed}")),
            Error::UnknownMetric { name, known } => match trainyard_diagnostics::nearest(name, known.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("the metrics of this task are {}", known.join(", "))),
            },
            Error::NoScore { .. } => diagnostic.help("leave `scoring` out, so that the loss says when to stop"),
            Error::Stopped { .. } => diagnostic.with_fault(Fault::Interrupted),
            Error::Damaged { .. } => diagnostic.help("fetch the model again from where it was registered"),
            Error::Length { .. }
            | Error::Columns { .. }
            | Error::Prediction { .. }
            | Error::Weight { .. }
            | Error::Weights { .. } => diagnostic.with_fault(Fault::Internal),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty { operation } => write!(out, "{operation} needs at least one row"),
            Error::Length { operation, input, expected, got } => {
                write!(out, "{operation}: there are {got} {input} for {expected} rows")
            }
            Error::Columns { operation, expected, got } => {
                write!(out, "{operation}: expected {expected} columns, got {got}")
            }
            Error::NotFinite { operation, column, row, value } => {
                let wanted = if value.is_finite() { "numbers up to 1e150" } else { "finite numbers" };
                let (column, value, row) = (column + 1, Number(*value), row + 1);
                write!(out, "{operation} needs {wanted}, but column {column} has {value} in row {row}")
            }
            Error::Target { operation, row, value } => {
                let limit = if value.is_finite() && value.abs() > LARGEST { ", which is beyond 1e150" } else { "" };
                write!(out, "{operation} cannot work with the target {} of row {}{limit}", Number(*value), row + 1)
            }
            Error::NegativeTarget { operation, row, value } => write!(
                out,
                "{operation} with the loss `poisson` needs targets from 0, but row {} has {}",
                row + 1,
                Number(*value)
            ),
            Error::NoPositiveTarget { operation } => {
                write!(out, "{operation} with the loss `poisson` needs a target above 0, but there is none that counts")
            }
            Error::Prediction { operation, row, value } => {
                write!(out, "{operation} cannot work with the prediction {} of row {}", Number(*value), row + 1)
            }
            Error::Weight { operation, row, value } => {
                write!(out, "{operation} cannot work with the weight {} of row {}", Number(*value), row + 1)
            }
            Error::Weights { operation, total } => {
                write!(out, "{operation} cannot work with weights that add up to {}", Number(*total))
            }
            Error::Monotonic { operation, with } => write!(out, "{operation} cannot keep `monotonic_cst` {with}"),
            Error::Unreachable { what, bound, best } => {
                write!(out, "no threshold has a {what} of at least {}: the best is {}", Number(*bound), Number(*best))
            }
            Error::Diverged { operation } => {
                write!(out, "{operation} found no solution: its numbers left the range of doubles")
            }
            Error::OneClass { operation, class } => {
                write!(out, "{operation} needs rows of both classes, but every row is of class {class}")
            }
            Error::NoRowsOfClass { operation, class } => {
                write!(out, "{operation} needs rows of every class, but none is of class {class}")
            }
            Error::Parameter { name, value, allowed } => {
                write!(out, "`{name}` is {}, but must be {allowed}", Number(*value))
            }
            Error::UnknownMetric { name, .. } => write!(out, "there is no metric `{name}` for this task"),
            Error::NoScore { operation } => {
                write!(out, "{operation} is to stop by a metric that has no value on the rows of the fold")
            }
            Error::Stopped { iterations } => write!(out, "stopped after {iterations} iterations, as asked"),
            Error::Damaged { what } => write!(out, "the stored model is damaged: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        error.diagnostic()
    }
}

/// Refuses targets of the wrong number or kind.
pub(crate) fn check_targets(
    operation: &'static str,
    targets: &[f64],
    rows: usize,
    classes: Option<usize>,
) -> Result<(), Error> {
    check_length(operation, "targets", rows, targets.len())?;
    if rows == 0 {
        return Err(Error::Empty { operation });
    }
    let is_good = |value: f64| match classes {
        Some(classes) => value >= 0.0 && value < classes as f64 && value.fract() == 0.0,
        None => value.abs() <= LARGEST,
    };
    match targets.iter().position(|&value| !is_good(value)) {
        Some(row) => Err(Error::Target { operation, row, value: targets[row] }),
        None => Ok(()),
    }
}

/// Refuses weights of the wrong number, negative or not finite ones, and a sum of zero.
pub(crate) fn check_weights(operation: &'static str, weights: Option<&[f64]>, rows: usize) -> Result<(), Error> {
    let Some(weights) = weights else { return Ok(()) };
    check_length(operation, "weights", rows, weights.len())?;
    if let Some(row) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        return Err(Error::Weight { operation, row, value: weights[row] });
    }
    let total: f64 = weights.iter().sum();
    if total > 0.0 && total.is_finite() { Ok(()) } else { Err(Error::Weights { operation, total }) }
}

/// Refuses an input whose length differs from that of the others.
pub(crate) fn check_length(
    operation: &'static str,
    input: &'static str,
    expected: usize,
    got: usize,
) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::Length { operation, input, expected, got }) }
}
