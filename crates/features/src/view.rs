//! What was learned, laid open for a translation into another form.

use arrow_array::RecordBatch;
use trainyard_expression::{Bound, Type};

use crate::fitted::Feature;
use crate::{Error, FittedFeatures};

/// A derived column: an expression with what it learned.
#[derive(Debug, Clone, Copy)]
pub struct DerivedColumn<'a> {
    /// The column's name.
    pub name: &'a str,
    /// The type of its values.
    pub kind: Type,
    /// What computes it, from raw columns and derived ones before it.
    pub expression: &'a Bound,
}

/// One column's way to its features.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedColumn<'a> {
    /// The column, raw or derived.
    pub column: &'a str,
    /// The names of its features, which stand side by side.
    pub features: &'a [String],
    /// How a value becomes features.
    pub encoder: Encoder<'a>,
}

/// How a value becomes features.
#[derive(Debug, Clone, PartialEq)]
pub enum Encoder<'a> {
    /// One feature: `(x - center) / scale`, a missing `x` first replaced by `fill`, NaN without one.
    Number {
        /// What replaces a missing value.
        fill: Option<f64>,
        /// What is subtracted.
        center: f64,
        /// What the difference is divided by; never 0.
        scale: f64,
    },
    /// `width` features, of which at most one is 1 and the others are 0. Text counts as it is, integers in decimal digits,
    /// booleans as `true` and `false`.
    OneHot {
        /// The values of the first features, sorted by their bytes.
        categories: &'a [String],
        /// The feature that is 1 where the value is missing.
        missing: Option<usize>,
        /// The feature that is 1 where the value is any other.
        unseen: Option<usize>,
        /// The number of features.
        width: usize,
    },
    /// One feature: a number for each value.
    Ordinal {
        /// The code of each known value.
        codes: Vec<(&'a str, f64)>,
        /// The code of a missing value, NaN where it stays missing.
        missing: f64,
        /// The code of any other.
        unseen: f64,
    },
    /// A transform that is not laid open.
    Closed,
}

impl FittedFeatures {
    /// Gives the derived columns, each after those that it reads.
    pub fn derived(&self) -> impl Iterator<Item = DerivedColumn<'_>> {
        self.derived.iter().map(|derived| DerivedColumn {
            name: &derived.stored.name,
            kind: derived.stored.kind,
            expression: &derived.bound,
        })
    }

    /// Gives each column's way to its features, in the order of the features.
    pub fn columns(&self) -> Vec<FittedColumn<'_>> {
        let mut names = self.names();
        let mut columns = Vec::with_capacity(self.features.len());
        for feature in &self.features {
            let encoder = match feature {
                Feature::Number(number) => {
                    Encoder::Number { fill: number.fill, center: number.center, scale: number.scale }
                }
                Feature::Category(category) => category.encoder(),
                Feature::Target(target) => target.encoder(),
                Feature::Bins(_) | Feature::Text(_) => Encoder::Closed,
            };
            let (features, rest) = names.split_at(feature.width().min(names.len()));
            names = rest;
            columns.push(FittedColumn { column: feature.column(), features, encoder });
        }
        columns
    }

    /// Gives the raw columns that the features read, with their types, and the derived ones after them.
    ///
    /// # Errors
    /// As [`FittedFeatures::transform`], but for what the transforms refuse.
    pub fn prepared(&self, table: &RecordBatch) -> Result<RecordBatch, Error> {
        let columns = self.evaluated(table)?;
        let raw = self.inputs().into_iter().map(|(name, _)| name);
        columns.table(&raw.chain(self.derived().map(|column| column.name.to_owned())).collect::<Vec<_>>())
    }
}
