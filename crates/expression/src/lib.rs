//! Row-wise SQL expressions: parsed, typed, evaluated with the same bits on one row and on a million.
//!
//! [`compile`] turns the text of one SQL expression into an [`Expression`]: parsed by `sqlparser`, checked against the
//! columns of a table before any row is read, and held as a small typed program. [`Expression::bind`] supplies what its
//! `fitted_*` aggregates learned, and [`Bound`] evaluates over an Arrow record batch or over one row.
//!
//! # Meaning
//!
//! The meaning of every operator and function is that of DuckDB 2.0. The differences are deliberate:
//!
//! * There are six types. A number with a decimal point is a double, never a `DECIMAL`; every integer has 64 bits, so that
//!   `CAST(x AS INTEGER)` overflows later than in DuckDB, and `FLOAT` names a double.
//! * Nothing but a literal converts from text on its own, and nothing to or from boolean: where DuckDB would compare a
//!   text column with a number, or take a number for a condition, a problem asks for the cast.
//! * Transcendental functions come from `libm`, the same on every machine, and may differ in the last bits.
//! * NaN has no sign: it is written `nan`, where DuckDB may write `-nan`.
//! * Dates and timestamps have no infinities, and a text with a time zone other than UTC is no timestamp, where DuckDB
//!   would silently drop the zone.
//! * The pattern, options and replacement of `regexp_…` and the format of `strftime` and `strptime` are literals.
//! * A function makes no text longer than 256 MiB.
//! * An expression sees one row: aggregates (but `fitted_…`), window functions, subqueries and volatile functions are
//!   problems.
//!
//! Integer overflow, a division by zero under `//` or `%`, a failed cast and an argument outside a function's domain are
//! runtime errors that name the row, as they are errors in DuckDB. As there, AND and OR evaluate both sides; only CASE,
//! `if` and `coalesce` protect a branch.
//!
//! This crate never reads a file, a clock, the environment or a random number.

mod aggregate;
mod check;
mod explain;
mod expression;
mod functions;
mod kernel;
mod lifted;
mod meaning;
mod onnx;
mod operation;
mod parse;
mod problem;
mod program;
mod runtime;
mod value;

/// The proleptic Gregorian calendar.
pub mod calendar {
    pub use crate::kernel::calendar::{Civil, DAY, civil, days, month_days};
}

pub use aggregate::{Aggregate, AggregateFunction};
pub use expression::{Bound, Expression, Settings, compile};
pub use functions::{FunctionDoc, functions};
pub use onnx::{Cell, Graph, Untranslatable};
pub use problem::{Problem, ProblemKind};
pub use runtime::{Fault, RuntimeError};
pub use value::{Column, Row, Type, Value, row_of};
