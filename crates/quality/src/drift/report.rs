//! The report of drift, as values and as JSON.

use serde::Serialize;
use trainyard_exact::json;
use trainyard_spec::DriftTest;

use super::{Kind, Request};

/// What two tables have become to one another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the share of drifted columns is the limit or above.
    pub drift: bool,
    /// How many columns drifted; those that could be compared before and no longer can are among them.
    pub drifted: usize,
    /// How many columns were compared, the target among them, or could be before.
    pub compared: usize,
    /// Their share, from 0 to 1; 0 where no column was compared.
    pub share: f64,
    /// The share from which on the table has drifted.
    pub limit: f64,
    /// Whether the column to predict drifted; absent where it was not compared.
    pub target_drift: Option<bool>,
    /// The reference.
    pub reference: Table,
    /// The current table.
    pub current: Table,
    /// Every column that was compared, in the current table's order.
    pub columns: Vec<ColumnDrift>,
    /// Every column that could be compared before and no longer can, in the same order.
    pub broken: Vec<Broken>,
    /// Every column that was not compared, the broken ones among them.
    pub left_out: Vec<LeftOut>,
}

/// The size of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Its rows.
    pub rows: usize,
}

/// A column that was not compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub column: String,
    /// Why, in words.
    pub why: String,
    /// Whether it could be compared before: the reference has values of a kind that is compared.
    pub is_broken: bool,
    /// How the reference's values were compared, of a broken column.
    #[serde(skip)]
    pub(super) was: Option<Kind>,
}

/// A column that could be compared before and no longer can.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    /// Its name.
    pub column: String,
    /// Whether it is the one to predict.
    pub is_target: bool,
    /// How the reference's values were compared.
    pub kind: Kind,
    /// Whether it drifted: always, for nothing moves further.
    pub drifted: bool,
    /// Why it can't be compared, in words.
    pub why: String,
    /// How many of the compared columns stand before it.
    #[serde(skip)]
    place: usize,
}

/// A column that counts: it drifted or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judged<'a> {
    /// It was compared; with its place among those that were.
    Compared(usize, &'a ColumnDrift),
    /// It no longer can be.
    Broken(&'a Broken),
}

/// What a column has become.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnDrift {
    /// Its name.
    pub column: String,
    /// Whether it is the one to predict.
    pub is_target: bool,
    /// How its values were compared.
    pub kind: Kind,
    /// Whether it drifted: what the first test says.
    pub drifted: bool,
    /// The deciding test, then those that were asked for.
    pub tests: Vec<Outcome>,
    /// The reference.
    pub reference: Side,
    /// The current table.
    pub current: Side,
    /// Both distributions over the same bins or categories.
    pub distribution: Distribution,
}

/// What a test says of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The test.
    #[serde(serialize_with = "name")]
    pub test: DriftTest,
    /// The p-value or the distance; absent where the values are too few to have one.
    #[serde(with = "json::option")]
    pub value: Option<f64>,
    /// The statistic behind a p-value.
    #[serde(with = "json::option", skip_serializing_if = "Option::is_none")]
    pub statistic: Option<f64>,
    /// The value from which on there is drift.
    pub threshold: f64,
    /// Whether there is.
    pub drifted: bool,
}

impl Outcome {
    /// Writes from which value on there is drift, such as `≥ 0.1`.
    pub fn bound(&self) -> String {
        let sign = match self.test {
            test if !test.is_p_value() => "≥",
            test if test.finds(0.5, 0.5) => "≤",
            _ => "<",
        };
        format!("{sign} {}", self.threshold)
    }
}

fn name<S: serde::Serializer>(test: &DriftTest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(test.name())
}

/// What a column holds in one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// How many values were compared.
    pub values: usize,
    /// How many are missing or infinite.
    pub missing: usize,
    /// How many values differ.
    pub distinct: usize,
    /// Of numbers, and of the lengths of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// The size of numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The mean.
    #[serde(with = "json")]
    pub mean: f64,
    /// The standard deviation of the values themselves.
    #[serde(with = "json")]
    pub deviation: f64,
    /// Least, first quartile, median, third quartile, largest.
    #[serde(with = "json::list")]
    pub quartiles: Vec<f64>,
}

/// Two distributions over the same bins or categories, as shares from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// The edges of bins, one more than there are shares; empty for categories.
    #[serde(with = "json::list", skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
    /// The categories, the most frequent first, the last one perhaps for all others; empty for bins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// The reference's shares.
    pub reference: Vec<f64>,
    /// The current table's shares.
    pub current: Vec<f64>,
}

impl Report {
    /// Takes what was found of every column, in the current table's order.
    pub(super) fn of(request: &Request<'_>, found: Vec<Result<ColumnDrift, LeftOut>>) -> Report {
        let (mut columns, mut broken, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for one in found {
            match one {
                Ok(column) => columns.push(column),
                Err(left) => {
                    broken.extend(Broken::of(&left, request, columns.len()));
                    left_out.push(left);
                }
            }
        }
        let drifted = columns.iter().filter(|column| column.drifted).count() + broken.len();
        let compared = columns.len() + broken.len();
        let share = if compared == 0 { 0.0 } else { drifted as f64 / compared as f64 };
        Report {
            drift: share >= request.rules.share,
            drifted,
            compared,
            share,
            limit: request.rules.share,
            target_drift: match columns.iter().find(|column| column.is_target) {
                Some(target) => Some(target.drifted),
                None => broken.iter().any(|column| column.is_target).then_some(true),
            },
            reference: Table { rows: request.reference.num_rows() },
            current: Table { rows: request.current.num_rows() },
            columns,
            broken,
            left_out,
        }
    }

    /// Gives every column that counts, in the current table's order.
    pub fn judged(&self) -> Vec<Judged<'_>> {
        let mut broken = self.broken.iter().peekable();
        let mut judged = Vec::with_capacity(self.columns.len() + self.broken.len());
        for (at, column) in self.columns.iter().enumerate() {
            while let Some(before) = broken.next_if(|broken| broken.place <= at) {
                judged.push(Judged::Broken(before));
            }
            judged.push(Judged::Compared(at, column));
        }
        judged.extend(broken.map(Judged::Broken));
        judged
    }
}

impl Broken {
    fn of(left: &LeftOut, request: &Request<'_>, place: usize) -> Option<Broken> {
        let is_target = request.target == Some(left.column.as_str());
        Some(Broken {
            column: left.column.clone(),
            is_target,
            kind: if is_target && request.target_is_label { Kind::Categorical } else { left.was? },
            drifted: true,
            why: left.why.clone(),
            place,
        })
        .filter(|_| left.is_broken)
    }
}

impl ColumnDrift {
    /// Gives what the deciding test said.
    pub fn deciding(&self) -> Option<&Outcome> {
        self.tests.first()
    }
}
