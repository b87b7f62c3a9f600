//! Columns to a feature matrix: derived columns, fitted aggregates, transforms.
//!
//! [`plan`] checks a feature version against the columns of a table before any row is read. [`Plan::fit`] learns from
//! the rows that it is given, and from no other; [`FittedFeatures::transform`] and [`FittedFeatures::transform_row`]
//! apply what was learned to a table and to one row, with the same bits.
//!
//! Features that learn from the target are fitted by [`Plan::fit_to`] or, with the features that an estimator may be fitted
//! on, by [`Plan::fit_transform`].
//!
//! What the transforms mean is scikit-learn's `SimpleImputer`, `StandardScaler`, `MinMaxScaler`, `RobustScaler`,
//! `KBinsDiscretizer`, `OneHotEncoder`, `OrdinalEncoder`, `TargetEncoder` and `TfidfVectorizer`, with these differences: a missing numeric value without `impute` stays missing (NaN); a column
//! without any value is kept; a missing category that the training rows did not have counts as an unseen one; and an
//! unseen category counts as rare where there are rare ones.
//!
//! Never: a file, a clock, a random number, a floating sum whose order depends on threads.

mod bins;
mod categories;
mod clusters;
mod columns;
mod derived;
mod error;
mod fitted;
mod numbers;
mod order;
mod plan;
mod problems;
mod targets;
mod view;
mod words;

pub use columns::Input;
pub use error::{Error, MissingColumn};
pub use fitted::FittedFeatures;
pub use plan::{Plan, plan};
pub use targets::{Folds, Targets};
pub use trainyard_expression::{Cell, Graph, Row, Type, Value, row_of};
pub use view::{DerivedColumn, Divisor, Encoder, FittedColumn};
pub use words::words;

/// Holds the features of a table: one column of doubles each, NaN where missing.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureTable {
    /// The names of the features.
    pub names: Vec<String>,
    /// Their values, each column [`FeatureTable::rows`] long.
    pub columns: Vec<Vec<f64>>,
    /// The number of rows.
    pub rows: usize,
}
