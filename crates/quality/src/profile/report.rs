//! The profile of a table, as values and as JSON.

use serde::{Serialize, Serializer};
use trainyard_exact::json;

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Its rows.
    pub rows: u64,
    /// Its columns, in their order.
    pub columns: Vec<ColumnProfile>,
    /// Rows that are equal in everything.
    pub duplicates: Duplicates,
    /// Every pair of columns that was compared: numbers with numbers, categories with categories.
    pub correlations: Vec<Correlation>,
    /// How many columns were compared with no other, since there are too many.
    pub uncorrelated: usize,
    /// What there is to predict, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetProfile>,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// True or false.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Float,
    /// Texts.
    Text,
    /// Days.
    Date,
    /// Points in time.
    Timestamp,
}

impl Kind {
    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::Float => "float",
            Kind::Text => "text",
            Kind::Date => "date",
            Kind::Timestamp => "timestamp",
        }
    }

    /// Says whether its values are numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, Kind::Integer | Kind::Float)
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// A text, a day or a point in time.
    Text(String),
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Scalar::Boolean(value) => serializer.serialize_bool(*value),
            Scalar::Integer(value) => serializer.serialize_i64(*value),
            Scalar::Float(value) => json::serialize(value, serializer),
            Scalar::Text(value) => serializer.serialize_str(value),
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// Its name.
    pub column: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it is the one to predict.
    pub is_target: bool,
    /// How many cells have a value; NaN is one.
    pub values: u64,
    /// How many have none.
    pub missing: u64,
    /// How many values differ; NaN is not counted.
    pub distinct: Distinct,
    /// The least finite number or the first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<Scalar>,
    /// The largest finite number or the last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<Scalar>,
    /// Of numbers and days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Quantiles>,
    /// Of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// Of texts: their lengths in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// The most frequent values, the most frequent one first.
    pub top: Vec<Top>,
    /// By how many rows a count of `top` may be too low; 0 where they are exact.
    pub top_error: u64,
    /// Of numbers and days; of the lengths of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// What somebody should look at.
    pub notes: Vec<Note>,
}

/// A number of different values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distinct {
    /// The number.
    pub count: u64,
    /// Whether it was counted, not estimated.
    pub exact: bool,
    /// The standard error of an estimate, as a share of the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
}

/// Values below which a share of all lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quantiles {
    /// By how much the share of a value may be off, for certain; 0 where they are exact.
    pub rank_error: f64,
    /// The shares, from 0 to 1, with their values; exact ones are linear between values, as NumPy's.
    pub values: Vec<Quantile>,
}

/// A value below which a share of all lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quantile {
    /// The share.
    pub share: f64,
    /// The value.
    pub value: Scalar,
}

impl Quantiles {
    /// Gives the value of a share.
    pub fn at(&self, share: f64) -> Option<&Scalar> {
        self.values.iter().find(|quantile| quantile.share == share).map(|quantile| &quantile.value)
    }
}

/// The size and shape of numbers. Infinities and NaN are counted, and left out of the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Numbers {
    /// The mean.
    #[serde(with = "json::option")]
    pub mean: Option<f64>,
    /// The standard deviation, by the number of values less one.
    #[serde(with = "json::option")]
    pub deviation: Option<f64>,
    /// The skewness, adjusted for small samples as in pandas; absent where all values are equal.
    #[serde(with = "json::option")]
    pub skewness: Option<f64>,
    /// The kurtosis, 0 for the normal distribution, adjusted as in pandas; absent where all values are equal.
    #[serde(with = "json::option")]
    pub kurtosis: Option<f64>,
    /// How many are 0.
    pub zeros: u64,
    /// How many are below 0.
    pub negative: u64,
    /// How many are positive or negative infinity.
    pub infinite: u64,
    /// How many are NaN.
    pub not_a_number: u64,
}

/// The lengths of texts, in characters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Length {
    /// The shortest.
    pub least: u64,
    /// The mean.
    #[serde(with = "json")]
    pub mean: f64,
    /// The median.
    #[serde(with = "json")]
    pub median: f64,
    /// The longest.
    pub most: u64,
}

/// A value with its rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Top {
    /// The value; a long text is cut, and ends in `…`.
    pub value: Scalar,
    /// Its rows.
    pub count: u64,
    /// Their share in the rows that have a value.
    pub share: f64,
}

/// Counts of values in bins of equal width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// What is counted: `values` or `lengths`.
    pub of: &'static str,
    /// The edges, one more than there are counts: days since 1970 for days, microseconds for points in time.
    #[serde(with = "json::list")]
    pub edges: Vec<f64>,
    /// How the first and the last edge are told.
    pub ends: [String; 2],
    /// The rows of each bin, its lower edge included; the last one has both.
    pub counts: Vec<u64>,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What it is about, in one word or two: `constant`, `key`, `mixed`, ….
    pub about: &'static str,
    /// What it says.
    pub text: String,
}

/// Rows that are equal to an earlier one in all columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Duplicates {
    /// How many.
    pub rows: u64,
    /// Their share in all.
    pub share: f64,
    /// Whether they were counted, not estimated.
    pub exact: bool,
    /// The standard error of an estimate, in rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// The first of them, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// How much two columns have to do with one another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlation {
    /// One column.
    pub a: String,
    /// The other.
    pub b: String,
    /// `pearson` for numbers, from −1 to 1; `cramers_v` for categories, from 0 to 1.
    pub measure: &'static str,
    /// The value; absent where a column is constant in the rows of both.
    #[serde(with = "json::option")]
    pub value: Option<f64>,
    /// The rows where both have a value.
    pub rows: u64,
}

/// The column to predict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetProfile {
    /// Its name.
    pub column: String,
    /// Its classes, the most frequent first; absent for a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<Top>>,
    /// How well each other column alone predicts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictors: Option<Predictors>,
    /// Why there are no predictors, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How well each column alone predicts the target, on rows whose own target was not used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predictors {
    /// `roc_auc` for two classes, `lambda` for more, `r_squared` for a number.
    pub measure: &'static str,
    /// A column from this value on is a suspect: it may know the target.
    pub threshold: f64,
    /// The rows that were looked at.
    pub rows: u64,
    /// Whether these are a sample of all.
    pub sampled: bool,
    /// The columns, the best predictor first.
    pub columns: Vec<Predictor>,
}

/// A column that predicts the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predictor {
    /// Its name.
    pub column: String,
    /// The value of the measure.
    #[serde(with = "json")]
    pub value: f64,
    /// Whether it is a suspect.
    pub suspect: bool,
}

impl Duplicates {
    /// Says how many there are.
    pub fn told(&self) -> String {
        let count = trainyard_diagnostics::count;
        match (self.rows, self.standard_error) {
            (0, None) => "No row occurs twice.".to_owned(),
            (0, Some(_)) => "No row occurs twice in a sample.".to_owned(),
            (1, None) => "1 row repeats an earlier one.".to_owned(),
            (rows, None) => format!("{} rows repeat earlier ones.", count(rows)),
            (rows, Some(error)) => {
                format!("About {} rows (± {}) repeat earlier ones.", count(rows), count(error.round() as u64))
            }
        }
    }
}

impl Profile {
    /// Adds to the notes of a column.
    pub fn note(&mut self, column: &str, note: Note) {
        if let Some(profile) = self.columns.iter_mut().find(|profile| profile.column == column) {
            profile.notes.push(note);
        }
    }

    /// Gives the pairs that have more than a little to do with one another, the closest first.
    pub fn closest(&self) -> Vec<&Correlation> {
        let size = |one: &Correlation| one.value.map_or(0.0, f64::abs);
        let mut close: Vec<&Correlation> = self.correlations.iter().filter(|one| size(one) >= CLOSE).collect();
        close.sort_by(|a, b| size(b).total_cmp(&size(a)));
        close
    }
}

/// From which correlation on two columns are told to be close.
pub(super) const CLOSE: f64 = 0.8;
