//! What was learned from the training rows, and its use.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainyard_expression::{Column, Row, Settings, Type, Value, compile};

use crate::bins::Bins;
use crate::categories::{Category, Encoding};
use crate::columns::{self, Input};
use crate::derived::{Columns, Derived, StoredDerived};
use crate::numbers::Number;
use crate::plan::is_category;
use crate::targets::Encoder;
use crate::words::Terms;
use crate::{Error, FeatureTable};

/// The latest format of stored features that this version knows: categories that are left to trees.
const FORMAT: u64 = 3;
/// The format of features without these: bins, encodings by the target, and texts.
const SECOND: u64 = 2;
/// The format of features without any of that, which earlier versions read too.
const FIRST: u64 = 1;

/// Turns raw columns into features, by what the training rows taught.
///
/// Stored as JSON in a fixed order, doubles bit for bit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct FittedFeatures {
    inputs: Vec<Input>,
    pub(crate) derived: Vec<Derived>,
    pub(crate) features: Vec<Feature>,
    names: Vec<String>,
}

/// One column's way to its features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    Number(Number),
    Bins(Bins),
    Category(Category),
    Target(Encoder),
    Text(Terms),
}

impl Feature {
    pub(crate) fn column(&self) -> &str {
        match self {
            Feature::Number(number) => &number.column,
            Feature::Bins(bins) => &bins.column,
            Feature::Category(category) => &category.column,
            Feature::Target(encoder) => &encoder.category.column,
            Feature::Text(terms) => &terms.column,
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Feature::Number(number) => vec![number.column.clone()],
            Feature::Bins(bins) => bins.names(),
            Feature::Category(category) => category.names(),
            Feature::Target(encoder) => encoder.names(),
            Feature::Text(terms) => terms.names(),
        }
    }

    /// Gives the number of features.
    pub(crate) fn width(&self) -> usize {
        match self {
            Feature::Number(_) => 1,
            Feature::Bins(bins) => bins.width(),
            Feature::Category(category) => category.width(),
            Feature::Target(encoder) => encoder.features.len(),
            Feature::Text(terms) => terms.width(),
        }
    }
}

/// The stored form.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u64,
    inputs: Vec<Input>,
    derived: Vec<StoredDerived>,
    features: Vec<Feature>,
}

impl FittedFeatures {
    pub(crate) fn new(inputs: Vec<Input>, derived: Vec<Derived>, features: Vec<Feature>) -> FittedFeatures {
        let names = distinct(features.iter().flat_map(Feature::names).collect());
        FittedFeatures { inputs, derived, features, names }
    }

    /// Gives the names of the features, in the order of their columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Gives the raw columns that the features read, with their types in the training rows.
    pub fn inputs(&self) -> Vec<(String, Type)> {
        self.inputs.iter().map(|input| (input.name.clone(), input.kind)).collect()
    }

    /// Computes the features of every row.
    ///
    /// The table may have more columns, in any order. An integer column stands for a float one, whole floats for an
    /// integer one, and a column without any value for any.
    ///
    /// # Errors
    /// Columns that are absent or of another type, infinite numbers, and expressions that fail for a row.
    pub fn transform(&self, table: &RecordBatch) -> Result<FeatureTable, Error> {
        self.features_of(&self.evaluated(table)?)
    }

    /// Takes the raw columns out of `table` and computes the derived ones.
    pub(crate) fn evaluated(&self, table: &RecordBatch) -> Result<Columns, Error> {
        let arrays = columns::of_table(&self.inputs, table)?;
        let names = self.inputs.iter().map(|input| input.name.clone());
        let mut columns = Columns::new(names, arrays, table.num_rows());
        for derived in &self.derived {
            let array = derived.evaluate(&columns)?;
            columns.insert(&derived.stored.name, array);
        }
        Ok(columns)
    }

    /// Gives the ways of the columns, in the order of the plan.
    pub(crate) fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Computes the features of prepared columns, in parallel.
    pub(crate) fn features_of(&self, columns: &Columns) -> Result<FeatureTable, Error> {
        let apply = |feature: &Feature| -> Result<Vec<Vec<f64>>, Error> {
            let array = columns.get(feature.column())?;
            Ok(match feature {
                Feature::Category(category) => category.apply(array),
                Feature::Target(encoder) => encoder.apply(array),
                Feature::Text(terms) => terms.apply(array),
                Feature::Bins(bins) => bins.apply(&columns::numbers(&bins.column, array)?),
                Feature::Number(number) => {
                    let mut values = columns::numbers(&number.column, array)?;
                    values.iter_mut().for_each(|value| *value = number.apply(*value));
                    match values.iter().position(|value| value.is_infinite()) {
                        Some(row) => return Err(Error::TooFar { column: number.column.clone(), row: Some(row) }),
                        None => vec![values],
                    }
                }
            })
        };
        let parts: Vec<Result<Vec<Vec<f64>>, Error>> = self.features.par_iter().map(apply).collect();
        let mut features = Vec::with_capacity(self.names.len());
        for part in parts {
            features.extend(part?);
        }
        Ok(FeatureTable { names: self.names.clone(), columns: features, rows: columns.rows() })
    }

    /// Computes the features of one row, with the bits of [`FittedFeatures::transform`].
    ///
    /// # Errors
    /// As [`FittedFeatures::transform`]; a key that is absent from the row is a missing column, not a missing value.
    pub fn transform_row(&self, row: &Row) -> Result<Vec<f64>, Error> {
        let mut values: Vec<Value> = Vec::with_capacity(self.inputs.len() + self.derived.len());
        columns::of_row(&self.inputs, row, &mut values)?;
        let names = self.inputs.iter().map(|input| input.name.as_str());
        let mut cells: BTreeMap<&str, Value> = names.zip(values).collect();
        for derived in &self.derived {
            let value = derived.evaluate_row(&|name| cells.get(name).cloned())?;
            cells.insert(&derived.stored.name, value);
        }
        let mut features = Vec::with_capacity(self.names.len());
        for feature in &self.features {
            let value = cells.get(feature.column()).unwrap_or(&Value::Null);
            match feature {
                Feature::Category(category) => category.apply_one(value, &mut features),
                Feature::Target(encoder) => encoder.apply_one(value, &mut features),
                Feature::Text(terms) => terms.apply_one(value, &mut features),
                Feature::Bins(bins) => bins.apply_one(columns::number(&bins.column, value)?, &mut features),
                Feature::Number(number) => {
                    let scaled = number.apply(columns::number(&number.column, value)?);
                    if scaled.is_infinite() {
                        return Err(Error::TooFar { column: number.column.clone(), row: None });
                    }
                    features.push(scaled);
                }
            }
        }
        Ok(features)
    }

    /// Gives the stored form as JSON text; equal features give equal bytes.
    pub fn to_json(&self) -> String {
        // Only maps with keys other than text and a failing writer can make this fail; there are neither.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Gives the earliest format that holds them: 1, 2 or 3.
    pub fn format(&self) -> u64 {
        let of = |feature: &Feature| match feature {
            Feature::Category(category) if category.encode == Encoding::Native => FORMAT,
            Feature::Number(_) | Feature::Category(_) => FIRST,
            Feature::Bins(_) | Feature::Target(_) | Feature::Text(_) => SECOND,
        };
        self.features.iter().map(of).max().unwrap_or(FIRST)
    }

    /// Gives, for each feature that is left to splits by sets, the number of its categories, at most 255: its values
    /// are their codes, from 0, NaN where there is none. `None` for features that are numbers.
    pub fn categories(&self) -> Vec<Option<usize>> {
        let of = |feature: &Feature| match feature {
            Feature::Category(category) if category.encode == Encoding::Native => vec![Some(category.categories.len())],
            feature => vec![None; feature.width()],
        };
        self.features.iter().flat_map(of).collect()
    }

    /// Reads what [`FittedFeatures::to_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Format`] for a later format, else [`Error::Damaged`].
    pub fn from_json(text: &str) -> Result<FittedFeatures, Error> {
        let damaged = |error: serde_json::Error| Error::Damaged { what: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(text).map_err(damaged)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(FIRST..=FORMAT) => FittedFeatures::try_from(serde_json::from_value::<Stored>(value).map_err(damaged)?),
            Some(found) => Err(Error::Format { found, known: FORMAT }),
            None => Err(Error::Damaged { what: "it does not say its format".into() }),
        }
    }
}

impl PartialEq for FittedFeatures {
    fn eq(&self, other: &FittedFeatures) -> bool {
        let derived = self.derived.iter().map(|derived| &derived.stored);
        self.inputs == other.inputs
            && self.features == other.features
            && derived.eq(other.derived.iter().map(|derived| &derived.stored))
    }
}

impl From<FittedFeatures> for Stored {
    fn from(fitted: FittedFeatures) -> Stored {
        Stored {
            format: fitted.format(),
            inputs: fitted.inputs,
            derived: fitted.derived.into_iter().map(|derived| derived.stored).collect(),
            features: fitted.features,
        }
    }
}

impl TryFrom<Stored> for FittedFeatures {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<FittedFeatures, Error> {
        if !(FIRST..=FORMAT).contains(&stored.format) {
            return Err(Error::Format { found: stored.format, known: FORMAT });
        }
        let damaged = |what: String| Error::Damaged { what };
        let mut known: Vec<Column> =
            stored.inputs.iter().map(|input| Column { name: input.name.clone(), kind: input.kind }).collect();
        let mut derived = Vec::with_capacity(stored.derived.len());
        for column in stored.derived {
            let settings = Settings { columns: &known, forbidden: &[], fitted: true };
            let expression = compile(&column.sql, &settings)
                .map_err(|_| damaged(format!("the expression of `{}` does not compile", column.name)))?;
            let learned = expression.aggregates().iter().zip(&column.fitted);
            let is_learned = expression.aggregates().len() == column.fitted.len()
                && learned.into_iter().all(|(by, value)| value.kind().is_none_or(|kind| kind == by.kind()));
            if expression.kind() != column.kind || !is_learned {
                return Err(damaged(format!("the expression of `{}` does not fit what it learned", column.name)));
            }
            known.push(Column { name: column.name.clone(), kind: column.kind });
            derived.push(Derived::new(&column.name, &expression, column.fitted));
        }
        if known.iter().map(|column| &column.name).collect::<BTreeSet<_>>().len() != known.len() {
            return Err(damaged("two columns have the same name".into()));
        }
        for feature in &stored.features {
            let name = feature.column();
            let kind = known.iter().find(|column| column.name == name).map(|column| column.kind);
            let kind = kind.ok_or_else(|| damaged(format!("nothing gives the column `{name}`")))?;
            let is_sound = match feature {
                Feature::Number(number) => columns::is_number(kind) && number.is_sound(),
                Feature::Bins(bins) => columns::is_number(kind) && bins.is_sound(),
                Feature::Category(category) => is_category(kind) && category.is_sound(),
                Feature::Target(encoder) => is_category(kind) && encoder.is_sound(),
                Feature::Text(terms) => kind == Type::Text && terms.is_sound(),
            };
            if !is_sound {
                return Err(damaged(format!("what was learned about `{name}` contradicts itself")));
            }
        }
        Ok(FittedFeatures::new(stored.inputs, derived, stored.features))
    }
}

/// Makes names differ where a category spells another feature's name: the second `a=b` becomes `a=b#2`.
fn distinct(mut names: Vec<String>) -> Vec<String> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for name in &mut names {
        let mut number = 2;
        let plain = name.clone();
        while !taken.insert(name.clone()) {
            *name = format!("{plain}#{number}");
            number += 1;
        }
    }
    names
}
