//! What was learned, laid open for a translation into another form.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
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
    /// A number for each value and feature. Values are as in `OneHot`.
    Codes {
        /// The known values.
        values: Vec<&'a str>,
        /// Their codes, one list a value with one code a feature.
        codes: Vec<Vec<f64>>,
        /// The codes of a missing value, NaN where it stays missing.
        missing: Vec<f64>,
        /// The codes of any other.
        unseen: Vec<f64>,
    },
    /// The bin of a number, which is the number of edges that are not above it, a missing number first replaced by
    /// `fill`.
    Bins {
        /// What replaces a missing value.
        fill: Option<f64>,
        /// Where a bin ends and the next begins, ascending.
        edges: &'a [f64],
        /// The number of features, of which that of the bin is 1, and of a number that stays missing the one behind the
        /// last bin's where there is one. `None` for one feature: the bin itself, NaN where missing.
        one_hot: Option<usize>,
    },
    /// The weights of the terms that stand in a text.
    Text {
        /// Whether the text is lowered before its words are found, as [`words`] does.
        lowercase: bool,
        /// The terms, one a feature: words with one blank between two.
        terms: &'a [String],
        /// What a count of each term is multiplied with.
        weights: &'a [f64],
        /// Whether a count n becomes 1 + ln n.
        sublinear: bool,
        /// What the features of a text are divided by.
        divisor: Divisor,
    },
}

/// What the features of a text are divided by, where that is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divisor {
    /// Nothing.
    None,
    /// The sum of their sizes.
    L1,
    /// The root of the sum of their squares.
    L2,
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
                Feature::Bins(bins) => bins.encoder(),
                Feature::Text(terms) => terms.encoder(),
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
