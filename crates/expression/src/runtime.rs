//! What can go wrong while an expression reads rows.

use std::fmt;
use std::ops::Range;

use crate::value::Type;

/// A failure while an expression was evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeError {
    /// What failed.
    pub fault: Fault,
    /// The row that failed, counted from 0; `None` when no single row is to blame or one row was evaluated.
    pub row: Option<usize>,
    /// The part of the SQL text that failed.
    pub span: Range<usize>,
    /// The whole SQL text.
    pub sql: String,
}

/// The kinds of [`RuntimeError`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The result does not fit into 64 bits.
    Overflow {
        /// The operation.
        operation: &'static str,
        /// Its operands.
        operands: Vec<i64>,
    },
    /// A division by zero that has no result.
    DivisionByZero,
    /// A value cannot be cast.
    Cast {
        /// The value, shortened.
        value: String,
        /// The type asked for.
        to: Type,
    },
    /// An argument is outside what a function takes.
    Domain {
        /// The function.
        function: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// A date or timestamp outside the calendar's range.
    DateRange,
    /// A text does not match the format of `strptime`.
    Format {
        /// The text, shortened.
        value: String,
        /// The format.
        format: String,
    },
    /// The table or row lacks a column.
    MissingColumn {
        /// The column.
        name: String,
    },
    /// A column or cell has another type than the expression was checked for.
    ColumnType {
        /// The column.
        name: String,
        /// The type that the expression was checked for.
        expected: Type,
        /// The type found.
        found: String,
    },
    /// The values given for the fitted aggregates do not fit them.
    Fitted {
        /// Which aggregate, counted from 0.
        index: usize,
        /// Its type.
        expected: Type,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Overflow { operation, operands } => {
                let shown: Vec<String> = operands.iter().map(i64::to_string).collect();
                write!(formatter, "{operation} of {} does not fit into 64 bits", shown.join(" and "))
            }
            Fault::DivisionByZero => formatter.write_str("division by zero"),
            Fault::Cast { value, to } => write!(formatter, "`{value}` cannot be read as {to}"),
            Fault::Domain { function, reason } => write!(formatter, "{function}: {reason}"),
            Fault::DateRange => formatter.write_str("the date or timestamp is outside the calendar's range"),
            Fault::Format { value, format } => write!(formatter, "`{value}` does not match the format `{format}`"),
            Fault::MissingColumn { name } => write!(formatter, "the column `{name}` is missing"),
            Fault::ColumnType { name, expected, found } => {
                write!(formatter, "the column `{name}` is {found}, but {expected} is needed")
            }
            Fault::Fitted { index, expected } => {
                write!(formatter, "the value of fitted aggregate {} is missing or not {expected}", index + 1)
            }
        }
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(formatter, "row {}: {}", row + 1, self.fault),
            None => self.fault.fmt(formatter),
        }
    }
}

impl std::error::Error for RuntimeError {}
