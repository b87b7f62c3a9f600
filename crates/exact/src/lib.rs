//! Statistics of doubles that no order of rows can change, and doubles in JSON bit for bit.
//!
//! Whatever fits a mean, a spread or a median takes it from here, so that two places never differ in the last bit.
//! Sums are exact and rounded once; what is built on them is a function of the values as a multiset.
//!
//! Never: a floating sum in the order of its terms, a second definition of the same statistic.

pub mod json;
mod order;
mod sum;

pub use order::{halfway, median, quantile};
pub use sum::{ExactSum, Spread, mean, power_of_two, sum};
