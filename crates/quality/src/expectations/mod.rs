//! Expectations: what the owner of a table expects of it, in the suites of Great Expectations.
//!
//! [`Suite::read`] reads a suite with every problem in one pass; [`validate`] holds a table against it; [`propose`]
//! writes a first suite from a table. Definitions and results are those of Great Expectations 1.24 on pandas, but that
//! the distinct values are given where it gives none (`observed_value`), a column's index 0 is looked at, and missing
//! integers leave a column one of integers.

mod aggregate;
mod catalog;
mod condition;
mod dates;
mod dateutil;
mod divergence;
mod error;
mod facts;
mod json;
mod judge;
mod limit;
mod map;
mod parameter;
mod passing;
mod pattern;
mod propose;
mod result;
mod scan;
mod schema;
mod shape;
mod strptime;
mod suite;
mod table;
mod types;
mod value;

pub(crate) use dates::write_date;
pub use dates::write_moment;
pub use dateutil::moment as read_moment;
pub use error::{Error, missing_suite};
pub use judge::{Options, Stop, validate};
pub use passing::{Columns, validate_passing};
pub use propose::{propose, propose_from};
pub use result::{Detail, Judgement, ResultFormat, Validation};
pub use suite::{Expectation, Severity, Suite};
pub use table::{Column, Table};
pub use value::{Cell, Value};
