//! Row-wise SQL expressions: parsed, typed, evaluated with the same bits on one row and on a million.
//!
//! [`compile`] turns the text of one SQL expression into an [`Expression`]: parsed by `sqlparser`, checked against the
//! columns of a table before any row is read, and held as a small typed program. [`Expression::bind`] supplies what its
//! `fitted_*` aggregates learned, and [`Bound`] evaluates over an Arrow record batch or over one row.
//!
//! The meaning of every operator and function is DuckDB's, with these differences, all of them deliberate:
//!
//! * A number with a decimal point is a double (`DOUBLE`), never a `DECIMAL`; a whole number is a 64-bit integer.
//! * Transcendental functions come from one portable implementation and may differ from DuckDB's in the last bit.
//! * Text is never converted to a number, date or timestamp without a cast, except where it is a literal.
//! * An expression may not look outside its row: aggregates (but `fitted_*`), window functions, subqueries and volatile
//!   functions are problems.
//!
//! Integer overflow, a failed cast and an argument outside a function's domain are runtime errors that name the row,
//! as they are errors in DuckDB. This crate never reads a file, a clock, the environment or a random number.

mod aggregate;
mod check;
mod explain;
mod expression;
mod functions;
mod kernel;
mod lifted;
mod operation;
mod parse;
mod problem;
mod program;
mod runtime;
mod value;

pub use aggregate::{Aggregate, AggregateFunction};
pub use expression::{Bound, Expression, Settings, compile};
pub use functions::{FunctionDoc, functions};
pub use problem::{Problem, ProblemKind};
pub use runtime::{Fault, RuntimeError};
pub use value::{Column, Row, Type, Value, row_of};
