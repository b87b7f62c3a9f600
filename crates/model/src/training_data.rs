//! What the training rows held in the columns that a model reads, so that rows of another world can be told.

use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::{Deserialize, Serialize};
use trainyard_diagnostics::{Diagnostic, count, nearest};

use crate::{Error, Model};

/// The file in the open form of a model's folder.
pub(crate) const FILE: &str = "training_data.json";

/// The format that this version writes and knows.
const FORMAT: u64 = 1;

/// A column of more different texts has no set of categories.
const MOST_CATEGORIES: usize = 1000;

/// The most unseen categories that are named.
const NAMED: usize = 5;

/// Knows what the training rows held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingData {
    format: u64,
    rows: usize,
    /// The raw columns that the model reads, in its order.
    columns: Vec<ColumnData>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnData {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    missing: usize,
    /// The least and the greatest finite number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<[f64; 2]>,
    /// Texts that repeat, with their rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    categories: Option<BTreeMap<String, u64>>,
}

/// What rows to predict hold in one column that the training rows did not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Oddity {
    /// Categories that the model has never seen.
    UnseenCategories {
        /// The column.
        column: String,
        /// The rows that hold one.
        rows: u64,
        /// How many different ones there are.
        different: usize,
        /// The most frequent ones.
        named: Vec<Unseen>,
    },
    /// Numbers that lie further outside of the training range than that is wide.
    FarOutside {
        /// The column.
        column: String,
        /// The rows that hold one.
        rows: u64,
        /// The one that lies furthest away.
        furthest: f64,
        /// The least and the greatest number of the training rows.
        range: [f64; 2],
    },
    /// Missing cells in a column that had none.
    NewlyMissing {
        /// The column.
        column: String,
        /// The rows without a value.
        rows: u64,
    },
}

/// A category that the training rows do not have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unseen {
    /// The category.
    pub category: String,
    /// Its rows.
    pub rows: u64,
    /// The known one that it was perhaps meant to be.
    pub near: Option<String>,
}

impl TrainingData {
    /// Looks at the columns of `train` that `model` reads.
    pub(crate) fn of(model: &Model, train: &RecordBatch) -> TrainingData {
        let column = |(name, kind): (String, trainyard_features::Type)| {
            let array = train.column_by_name(&name);
            let numbers = array.map(|array| numbers(array.as_ref())).unwrap_or_default();
            let counts = array.map(|array| texts(array.as_ref())).unwrap_or_default();
            let values: u64 = counts.values().sum();
            let repeats = !counts.is_empty() && counts.len() <= MOST_CATEGORIES && 2 * counts.len() as u64 <= values;
            let categories = counts.into_iter().map(|(text, rows)| (text.to_owned(), rows));
            ColumnData {
                kind: kind.name().to_owned(),
                missing: array.map_or(0, |array| missing(array.as_ref())),
                range: range(&numbers),
                categories: repeats.then(|| categories.collect()),
                name,
            }
        };
        TrainingData {
            format: FORMAT,
            rows: train.num_rows(),
            columns: model.inputs().into_iter().map(column).collect(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads it from the files of a model's folder; `None` where the folder is of an earlier version and has none.
    ///
    /// # Errors
    /// A file of a later format, or one that can't be read.
    pub fn in_folder(folder: &BTreeMap<String, Vec<u8>>) -> Result<Option<TrainingData>, Error> {
        let Some(bytes) = folder.get(FILE) else {
            return Ok(None);
        };
        let damaged = |error: serde_json::Error| Error::Damaged { path: FILE.to_owned(), what: error.to_string() };
        let document: serde_json::Value = serde_json::from_slice(bytes).map_err(damaged)?;
        match document.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > FORMAT => Err(Error::Format { path: FILE.to_owned(), found, known: FORMAT }),
            _ => serde_json::from_value(document).map(Some).map_err(damaged),
        }
    }

    /// Says what rows to predict hold that the training rows did not, column by column.
    pub fn oddities(&self, table: &RecordBatch) -> Vec<Oddity> {
        let mut found = Vec::new();
        for known in &self.columns {
            let Some(array) = table.column_by_name(&known.name) else { continue };
            let column = || known.name.clone();
            let rows = missing(array.as_ref()) as u64;
            if known.missing == 0 && self.rows > 0 && rows > 0 {
                found.push(Oddity::NewlyMissing { column: column(), rows });
            }
            if let Some(range) = known.range {
                let width = range[1] - range[0];
                let away = |value: f64| (range[0] - value).max(value - range[1]);
                let far: Vec<f64> = numbers(array.as_ref()).into_iter().filter(|value| away(*value) > width).collect();
                let furthest = far.iter().copied().max_by(|a, b| away(*a).total_cmp(&away(*b)));
                if let Some(furthest) = furthest {
                    found.push(Oddity::FarOutside { column: column(), rows: far.len() as u64, furthest, range });
                }
            }
            if let Some(categories) = &known.categories {
                let counts = texts(array.as_ref());
                let mut unseen: Vec<(&str, u64)> =
                    counts.into_iter().filter(|(text, _)| !categories.contains_key(*text)).collect();
                unseen.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
                let named = unseen.iter().take(NAMED).map(|(category, rows)| Unseen {
                    category: (*category).to_owned(),
                    rows: *rows,
                    near: nearest(category, categories.keys().map(String::as_str)).map(str::to_owned),
                });
                if !unseen.is_empty() {
                    let rows = unseen.iter().map(|(_, rows)| rows).sum();
                    let named = named.collect();
                    found.push(Oddity::UnseenCategories { column: column(), rows, different: unseen.len(), named });
                }
            }
        }
        found
    }
}

impl Oddity {
    /// Tells the user, as a warning.
    pub fn diagnostic(&self) -> Diagnostic {
        let of_rows = |rows: u64| format!("{} {}", count(rows), if rows == 1 { "row" } else { "rows" });
        match self {
            Oddity::UnseenCategories { column, rows, different, named } => {
                let what = if *different == 1 { "a category" } else { "categories" };
                let title = format!("{column}: {} with {what} that the training rows do not have", of_rows(*rows));
                let warning = Diagnostic::warning("predict/unseen-category", title);
                let line = |unseen: &Unseen| {
                    let near = unseen.near.as_ref().map(|near| format!(", perhaps {near:?}")).unwrap_or_default();
                    format!("{:?}: {}{near}", unseen.category, of_rows(unseen.rows))
                };
                let warning = named.iter().map(line).fold(warning, Diagnostic::note);
                let more = different.saturating_sub(named.len());
                let warning =
                    if more == 0 { warning } else { warning.note(format!("and {} more", count(more as u64))) };
                warning.help("write them as the training rows do; to the model they are all one unknown category")
            }
            Oddity::FarOutside { column, rows, furthest, range: [least, greatest] } => {
                let title = format!("{column}: {} far outside of the training range", of_rows(*rows));
                Diagnostic::warning("predict/out-of-range", title)
                    .note(format!("trained on {least} to {greatest}; {furthest} lies furthest away"))
                    .help("look at the unit and the decimal mark; a model knows nothing of what it has not seen")
            }
            Oddity::NewlyMissing { column, rows } => {
                let title = format!("{column}: {} without a value, which every training row has", of_rows(*rows));
                Diagnostic::warning("predict/newly-missing", title)
                    .help("look where the values were lost; predictions take what `impute` says in their place")
            }
        }
    }
}

/// Gives the finite numbers of a column.
fn numbers(array: &dyn Array) -> Vec<f64> {
    let numbers: Vec<f64> = match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().flatten().collect(),
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().flatten().map(|value| value as f64).collect(),
        _ => Vec::new(),
    };
    numbers.into_iter().filter(|value| value.is_finite()).collect()
}

fn range(numbers: &[f64]) -> Option<[f64; 2]> {
    let least = numbers.iter().copied().reduce(f64::min)?;
    Some([least, numbers.iter().copied().reduce(f64::max)?])
}

/// Counts the texts of a column.
fn texts(array: &dyn Array) -> HashMap<&str, u64> {
    let mut counts = HashMap::new();
    if let Some(texts) = array.as_string_opt::<i64>() {
        texts.iter().flatten().for_each(|text| *counts.entry(text).or_insert(0) += 1);
    }
    counts
}

fn missing(array: &dyn Array) -> usize {
    let is_nan = |floats: &arrow_array::Float64Array| floats.iter().flatten().filter(|value| value.is_nan()).count();
    array.null_count() + array.as_primitive_opt::<Float64Type>().map_or(0, is_nan)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, LargeStringArray};

    use super::*;

    fn table(plan: &[Option<&str>], months: &[Option<i64>], charge: &[f64]) -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("plan", Arc::new(LargeStringArray::from(plan.to_vec()))),
            ("months", Arc::new(Int64Array::from(months.to_vec()))),
            ("charge", Arc::new(Float64Array::from(charge.to_vec()))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn known() -> TrainingData {
        let column = |name: &str, kind: &str, range, categories: Option<&[(&str, u64)]>| ColumnData {
            name: name.to_owned(),
            kind: kind.to_owned(),
            missing: 0,
            range,
            categories: categories.map(|all| all.iter().map(|(text, rows)| ((*text).to_owned(), *rows)).collect()),
        };
        TrainingData {
            format: FORMAT,
            rows: 4,
            columns: vec![
                column("plan", "text", None, Some(&[("monthly", 2), ("yearly", 2)])),
                column("months", "integer", Some([0.0, 72.0]), None),
                column("charge", "float", Some([5.0, 5.0]), None),
            ],
        }
    }

    #[test]
    fn rows_like_those_of_training_are_not_odd() {
        let same = table(&[Some("monthly"), Some("yearly")], &[Some(-72), Some(144)], &[5.0, 5.0]);
        assert_eq!(known().oddities(&same), []);
    }

    #[test]
    fn what_training_did_not_have_is_counted_and_the_nearest_named() {
        let odd = table(
            &[Some("montly"), Some("weekly plan"), Some("montly"), None],
            &[Some(-73), Some(145), Some(7000), Some(1)],
            &[5.0, f64::NAN, 5.5, 5.0],
        );
        let found = known().oddities(&odd);
        let unseen = |category: &str, rows, near: Option<&str>| Unseen {
            category: category.to_owned(),
            rows,
            near: near.map(str::to_owned),
        };
        let named = vec![unseen("montly", 2, Some("monthly")), unseen("weekly plan", 1, None)];
        assert_eq!(
            found,
            [
                Oddity::NewlyMissing { column: "plan".to_owned(), rows: 1 },
                Oddity::UnseenCategories { column: "plan".to_owned(), rows: 3, different: 2, named },
                Oddity::FarOutside { column: "months".to_owned(), rows: 3, furthest: 7000.0, range: [0.0, 72.0] },
                Oddity::NewlyMissing { column: "charge".to_owned(), rows: 1 },
                Oddity::FarOutside { column: "charge".to_owned(), rows: 1, furthest: 5.5, range: [5.0, 5.0] },
            ]
        );
        let told = found[1].diagnostic();
        assert_eq!(told.notes, ["\"montly\": 2 rows, perhaps \"monthly\"", "\"weekly plan\": 1 row"]);
    }

    #[test]
    fn it_comes_back_as_it_was_and_a_later_format_is_refused() {
        let folder = |bytes: Vec<u8>| BTreeMap::from([(FILE.to_owned(), bytes)]);
        let bytes = known().to_bytes();
        assert_eq!(TrainingData::in_folder(&folder(bytes.clone())).unwrap(), Some(known()));
        assert_eq!(TrainingData::in_folder(&BTreeMap::new()).unwrap(), None);
        let later = String::from_utf8(bytes.clone()).unwrap().replace("\"format\": 1", "\"format\": 2, \"new\": 1");
        assert!(matches!(TrainingData::in_folder(&folder(later.into_bytes())), Err(Error::Format { found: 2, .. })));
        let cut = TrainingData::in_folder(&folder(bytes[..bytes.len() / 2].to_vec()));
        assert!(matches!(cut, Err(Error::Damaged { .. })));
    }
}
