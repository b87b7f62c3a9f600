//! What can be wrong with rows that features are fitted on or computed for.

use std::fmt;

use trainyard_diagnostics::Diagnostic;
use trainyard_expression::{RuntimeError, Type};
use trainyard_spec::Located;

/// Says why features cannot be fitted, computed or read back.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The table lacks columns that the features need.
    MissingColumns {
        /// Each of them, with the nearest name that the table has.
        missing: Vec<MissingColumn>,
    },
    /// A column has another type than in the training rows.
    WrongType {
        /// The column.
        column: String,
        /// The type it had.
        expected: Type,
        /// The type it has.
        found: String,
        /// The first row to blame, counted from 0, where a row is.
        row: Option<usize>,
    },
    /// A number is infinite.
    Infinite {
        /// The column, raw or derived.
        column: String,
        /// The first such row, counted from 0; `None` for a single row.
        row: Option<usize>,
    },
    /// A value lies so far from the training rows' that scaled it is infinite.
    TooFar {
        /// The column.
        column: String,
        /// The first such row, counted from 0; `None` for a single row.
        row: Option<usize>,
    },
    /// The values of a column lie too far apart for its spread to be a double.
    TooWide {
        /// The column.
        column: String,
    },
    /// A column has too many distinct values to become one feature each.
    TooManyCategories {
        /// The column.
        column: String,
        /// How many it has.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// No term of a text column is left to become a feature.
    NoTerms {
        /// The column.
        column: String,
    },
    /// A text column has too many terms to become one feature each.
    TooManyTerms {
        /// The column.
        column: String,
        /// How many it has.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A derived column cannot be computed for a row.
    Expression {
        /// The derived column.
        column: String,
        /// What went wrong.
        error: Box<RuntimeError>,
    },
    /// There are no training rows.
    NoRows,
    /// A feature learns from the target, and the training rows have none.
    NoTargets {
        /// The column that it encodes.
        column: String,
    },
    /// A feature learns from the target, and the training rows are not in two folds or more.
    NoFolds {
        /// The column that it encodes.
        column: String,
    },
    /// Stored features were written by a later version.
    Format {
        /// The format they have.
        found: u64,
        /// The latest format that is understood.
        known: u64,
    },
    /// Stored features contradict themselves.
    Damaged {
        /// How.
        what: String,
    },
}

/// A column that a table lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingColumn {
    /// Its name.
    pub name: String,
    /// The nearest name that the table has.
    pub nearest: Option<String>,
}

impl MissingColumn {
    pub(crate) fn new(name: &str, nearest: Option<&str>) -> MissingColumn {
        MissingColumn { name: name.to_owned(), nearest: nearest.map(str::to_owned) }
    }
}

impl Error {
    /// Tells the user what is wrong and what to do.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Error::MissingColumns { missing } => {
                let near = missing.iter().filter_map(|column| Some((&column.name, column.nearest.as_ref()?)));
                let hints = near.map(|(name, nearest)| format!("is `{name}` called `{nearest}` there?"));
                let diagnostic = Diagnostic::error("features/missing-column", self.to_string());
                hints.fold(diagnostic, Diagnostic::help)
            }
            Error::WrongType { column, expected, .. } => Diagnostic::error("features/wrong-type", self.to_string())
                .help(format!(
                    "give `{column}` as {expected}, for a text file with `data.types: {{{column}: {expected}}}`"
                )),
            Error::Infinite { column, .. } => Diagnostic::error("features/infinite", self.to_string()).help(format!(
                "leave the cell empty where `{column}` is unknown; in SQL, NULLIF(x, 0) keeps a divisor from being 0"
            )),
            Error::TooFar { column, .. } => Diagnostic::error("features/too-far", self.to_string())
                .help(format!("correct the value of `{column}`, or leave the cell empty where it is unknown")),
            Error::TooWide { column } => Diagnostic::error("features/too-wide", self.to_string())
                .help(format!("use `scale: none` for `{column}`, or correct its extreme values")),
            Error::TooManyCategories { column, .. } => {
                Diagnostic::error("features/too-many-categories", self.to_string()).help(format!(
                    "set `min_frequency`, encode `{column}` as ordinal, or leave it out if it is an identifier"
                ))
            }
            Error::NoTerms { column } => Diagnostic::error("features/no-terms", self.to_string())
                .help(format!("lower `min_df`, raise `max_df`, or put `{column}` under `categorical`")),
            Error::TooManyTerms { limit, .. } => Diagnostic::error("features/too-many-terms", self.to_string())
                .help(format!("set `max_features` to {limit} or less, or raise `min_df`")),
            Error::Expression { column, error } => Diagnostic::error("features/expression", self.to_string())
                .note(format!("`{column}` is {}", error.sql))
                .help("guard the expression, for instance with CASE, NULLIF or TRY_CAST"),
            Error::NoRows => {
                Diagnostic::error("features/no-rows", self.to_string()).help("give the training part a larger share")
            }
            Error::NoTargets { .. } => Diagnostic::error("features/no-targets", self.to_string())
                .help("give each training row its target, or encode the column by itself"),
            Error::NoFolds { column } => Diagnostic::error("features/no-folds", self.to_string())
                .help(format!("bring more rows that differ, or encode `{column}` as one_hot")),
            Error::Format { .. } => Diagnostic::error("features/format", self.to_string())
                .help("use the version of trainyard that wrote them, or a later one"),
            Error::Damaged { .. } => {
                Diagnostic::error("features/damaged", self.to_string()).help("fetch the model again, or train it again")
            }
        }
    }
}

impl Error {
    /// Tells the same and points into the SQL of the derived column that failed, where its specification is at hand.
    pub fn diagnostic_in(&self, derived: &[(Located<String>, Located<String>)]) -> Diagnostic {
        let Error::Expression { column, error } = self else { return self.diagnostic() };
        match derived.iter().find(|(name, _)| name.value == *column) {
            Some((_, sql)) => error.diagnostic(|part| sql.place_of(part), &format!("the derived column `{column}`")),
            None => self.diagnostic(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::MissingColumns { missing } => {
                let names: Vec<String> = missing.iter().map(|column| format!("`{}`", column.name)).collect();
                match names.as_slice() {
                    [name] => write!(formatter, "the rows lack the column {name}, which the features need"),
                    _ => write!(
                        formatter,
                        "the rows lack {} columns that the features need: {}",
                        names.len(),
                        names.join(", ")
                    ),
                }
            }
            Error::WrongType { column, expected, found, row } => {
                write!(formatter, "the column `{column}` is {found}; in the training rows it was {expected}")?;
                row.map_or(Ok(()), |row| write!(formatter, " (row {})", row + 1))
            }
            Error::Infinite { column, row } => {
                write!(formatter, "the column `{column}` holds an infinite number")?;
                row.map_or(Ok(()), |row| write!(formatter, " in row {}", row + 1))
            }
            Error::TooFar { column, row } => {
                write!(formatter, "a value of `{column}` lies too far from those of the training rows")?;
                row.map_or(Ok(()), |row| write!(formatter, " in row {}", row + 1))
            }
            Error::TooWide { column } => {
                write!(formatter, "the values of `{column}` lie too far apart to be scaled in doubles")
            }
            Error::TooManyCategories { column, found, limit } => {
                write!(formatter, "`{column}` has {found} distinct values; one-hot encoding takes at most {limit}")
            }
            Error::NoTerms { column } => write!(formatter, "no word of `{column}` is left to become a feature"),
            Error::TooManyTerms { column, found, limit } => {
                write!(formatter, "`{column}` has {found} terms; at most {limit} can become features")
            }
            Error::Expression { column, error } => {
                write!(formatter, "the derived column `{column}` cannot be computed: {error}")
            }
            Error::NoRows => formatter.write_str("there are no rows to fit features on"),
            Error::NoTargets { column } => {
                write!(formatter, "`{column}` is encoded by the target, and the training rows have none")
            }
            Error::NoFolds { column } => {
                write!(
                    formatter,
                    "`{column}` is encoded by the target of other rows, and there are none in another fold"
                )
            }
            Error::Format { found, known } => {
                write!(
                    formatter,
                    "the features have format {found}; this version of trainyard reads up to format {known}"
                )
            }
            Error::Damaged { what } => write!(formatter, "the stored features are damaged: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        error.diagnostic()
    }
}
