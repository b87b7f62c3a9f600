//! Categorical columns: what is learned about one, and how a value becomes features.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};
use trainyard_expression::Value;
use trainyard_spec::{CategoricalImpute, Encode};

use crate::{Encoder, Error};

/// The most features that one column may become; beyond it a column is an identifier, not a category.
const MOST_FEATURES: usize = 10_000;

/// The most categories that are left to trees: with one for missing values, as many as a byte tells apart.
const MOST_NATIVE: usize = 255;

/// Up to this many categories a walk along them is faster than a hash.
const FEW: usize = 12;

/// How categories or bins become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoding {
    /// One feature a category, 1 where it holds.
    OneHot,
    /// One feature: the category's place in sorted order.
    Ordinal,
    /// One feature of codes, which trees split by sets.
    Native,
}

impl Encoding {
    pub(crate) fn of(encode: Encode) -> Encoding {
        match encode {
            Encode::OneHot => Encoding::OneHot,
            Encode::Ordinal => Encoding::Ordinal,
        }
    }
}

/// Maps one categorical column to its features.
///
/// One-hot features stand in the order categories, missing, rare. An unseen value counts as rare where the training
/// rows had rare ones, else as nothing. Ordinal codes count the categories from 0, then rare; an unseen value is −1 and
/// a missing one NaN. Native codes count the most frequent categories from 0, at most 255; all else is NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Category {
    /// The column, raw or derived.
    pub(crate) column: String,
    pub(crate) encode: Encoding,
    /// What replaces a missing value; `None` leaves it missing.
    pub(crate) fill: Option<String>,
    /// The frequent values of the training rows, sorted by their bytes.
    pub(crate) categories: Vec<String>,
    /// The infrequent values of the training rows, sorted by their bytes; one-hot needs only to know that there are any.
    pub(crate) infrequent: Vec<String>,
    /// Whether missing has a feature of its own (one-hot).
    pub(crate) has_missing: bool,
    /// Whether there is a feature or code for the rare.
    pub(crate) has_rare: bool,
}

/// Where a value belongs, before encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Known(usize),
    Rare,
    Missing,
    Unseen,
}

impl Category {
    /// Learns the column from the training rows.
    ///
    /// # Errors
    /// [`Error::TooManyCategories`] when one-hot features would be more than 10,000.
    pub(crate) fn fit(
        column: &str,
        array: &ArrayRef,
        encode: Encoding,
        min_frequency: Option<u32>,
        impute: &CategoricalImpute,
    ) -> Result<Category, Error> {
        let (mut counts, mut missing) = count(array);
        let fill = match impute {
            CategoricalImpute::None => None,
            CategoricalImpute::Constant(value) => Some(value.clone()),
            CategoricalImpute::MostFrequent => most_frequent(&counts),
        };
        if let (Some(fill), true) = (&fill, missing > 0) {
            match counts.binary_search_by(|(text, _)| text.cmp(fill)) {
                Ok(at) => counts[at].1 += missing,
                Err(at) => counts.insert(at, (fill.clone(), missing)),
            }
            missing = 0;
        }
        let least = u64::from(min_frequency.unwrap_or(0));
        let (mut frequent, infrequent): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(_, count)| *count >= least);
        if encode == Encoding::Native {
            keep_most_frequent(&mut frequent, MOST_NATIVE);
        }
        let names = |counts: Vec<(String, u64)>| counts.into_iter().map(|(text, _)| text).collect::<Vec<String>>();
        let (categories, infrequent) = (names(frequent), names(infrequent));
        if encode == Encoding::OneHot && categories.len() > MOST_FEATURES {
            return Err(Error::TooManyCategories {
                column: column.to_owned(),
                found: categories.len(),
                limit: MOST_FEATURES,
            });
        }
        let one_hot = encode == Encoding::OneHot;
        let has_missing = one_hot && missing > 0 && missing >= least;
        let has_rare =
            encode != Encoding::Native && (!infrequent.is_empty() || (one_hot && missing > 0 && missing < least));
        // Only an ordinal code tells a rare value from an unseen one, so that others do not need the list of rare ones.
        let infrequent = if encode == Encoding::Ordinal { infrequent } else { Vec::new() };
        Ok(Category { column: column.to_owned(), encode, fill, categories, infrequent, has_missing, has_rare })
    }

    /// Gives the names of the features.
    pub(crate) fn names(&self) -> Vec<String> {
        match self.encode {
            Encoding::Ordinal | Encoding::Native => vec![self.column.clone()],
            Encoding::OneHot => {
                let missing = self.has_missing.then_some("(missing)");
                let rare = self.has_rare.then_some("(rare)");
                let categories = self.categories.iter().map(String::as_str);
                categories.chain(missing).chain(rare).map(|category| format!("{}={category}", self.column)).collect()
            }
        }
    }

    /// Gives the number of features.
    pub(crate) fn width(&self) -> usize {
        match self.encode {
            Encoding::Ordinal | Encoding::Native => 1,
            Encoding::OneHot => self.categories.len() + usize::from(self.has_missing) + usize::from(self.has_rare),
        }
    }

    /// Gives the features of every row, one vector a feature.
    pub(crate) fn apply(&self, array: &ArrayRef) -> Vec<Vec<f64>> {
        let rows = array.len();
        match self.encode {
            Encoding::Ordinal | Encoding::Native => {
                let mut codes = vec![0.0; rows];
                self.each_place(array, |row, place| codes[row] = self.code(place));
                vec![codes]
            }
            Encoding::OneHot => {
                let mut features = vec![vec![0.0; rows]; self.width()];
                self.each_place(array, |row, place| {
                    if let Some(feature) = self.slot(place).and_then(|at| features.get_mut(at)) {
                        feature[row] = 1.0;
                    }
                });
                features
            }
        }
    }

    /// Calls `with` for every row in order; an integer is written out once for each distinct value.
    pub(crate) fn each_place(&self, array: &ArrayRef, mut with: impl FnMut(usize, Place)) {
        let lookup = Lookup::new(self);
        let missing = self.place(&lookup, None);
        if let Some(texts) = array.as_string_opt::<i64>() {
            for (row, text) in texts.iter().enumerate() {
                with(row, text.map_or(missing, |text| self.place(&lookup, Some(text))));
            }
        } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
            let mut known: HashMap<i64, Place> = HashMap::new();
            for (row, integer) in integers.iter().enumerate() {
                let place = integer.map(|integer| {
                    *known.entry(integer).or_insert_with(|| self.place(&lookup, Some(&integer.to_string())))
                });
                with(row, place.unwrap_or(missing));
            }
        } else if let Some(booleans) = array.as_boolean_opt() {
            let places = [false, true].map(|value| self.place(&lookup, Some(boolean(value))));
            for (row, value) in booleans.iter().enumerate() {
                with(row, value.map_or(missing, |value| places[usize::from(value)]));
            }
        } else {
            // Only a column without any value may have another type.
            (0..array.len()).for_each(|row| with(row, missing));
        }
    }

    /// Appends the features of one value, with the bits of [`Category::apply`].
    pub(crate) fn apply_one(&self, value: &Value, features: &mut Vec<f64>) {
        let place = self.place_of(value);
        match self.encode {
            Encoding::Ordinal | Encoding::Native => features.push(self.code(place)),
            Encoding::OneHot => {
                let first = features.len();
                features.resize(first + self.width(), 0.0);
                if let Some(feature) = self.slot(place).and_then(|at| features.get_mut(first + at)) {
                    *feature = 1.0;
                }
            }
        }
    }

    /// Gives the place of one value.
    pub(crate) fn place_of(&self, value: &Value) -> Place {
        self.place(&Lookup::None, text_of(value).as_deref())
    }

    /// Gives the number of a place where categories count from 0 and missing comes behind them; `None` for others.
    pub(crate) fn level(&self, place: Place) -> Option<usize> {
        match place {
            Place::Known(at) => Some(at),
            Place::Missing => Some(self.categories.len()),
            Place::Rare | Place::Unseen => None,
        }
    }

    /// Says what becomes of each value, for a translation.
    pub(crate) fn encoder(&self) -> Encoder<'_> {
        let missing = self.place(&Lookup::None, None);
        match self.encode {
            Encoding::OneHot => Encoder::OneHot {
                categories: &self.categories,
                missing: self.slot(missing),
                unseen: self.slot(Place::Unseen),
                width: self.width(),
            },
            Encoding::Ordinal | Encoding::Native => {
                let codes = (0..self.categories.len()).map(Place::Known);
                let codes = codes.chain(self.infrequent.iter().map(|_| Place::Rare));
                Encoder::Codes {
                    values: self.categories.iter().chain(&self.infrequent).map(String::as_str).collect(),
                    codes: codes.map(|place| vec![self.code(place)]).collect(),
                    missing: vec![self.code(missing)],
                    unseen: vec![self.code(Place::Unseen)],
                }
            }
        }
    }

    /// Says whether the stored lists can have come from a fit.
    pub(crate) fn is_sound(&self) -> bool {
        let sorted = |list: &[String]| list.windows(2).all(|pair| pair[0] < pair[1]);
        let is_native = self.encode == Encoding::Native;
        let has_others = !self.infrequent.is_empty() || self.has_missing || self.has_rare;
        let fits = !is_native || (self.categories.len() <= MOST_NATIVE && !has_others);
        sorted(&self.categories) && sorted(&self.infrequent) && fits
    }

    fn place(&self, lookup: &Lookup<'_>, text: Option<&str>) -> Place {
        let Some(text) = text.or(self.fill.as_deref()) else { return Place::Missing };
        match lookup.find(&self.categories, text) {
            Some(at) => Place::Known(at),
            None if self.encode != Encoding::Ordinal => Place::Unseen,
            None if self.infrequent.binary_search_by(|rare| rare.as_str().cmp(text)).is_ok() => Place::Rare,
            None => Place::Unseen,
        }
    }

    /// Gives the one-hot feature that is 1.
    fn slot(&self, place: Place) -> Option<usize> {
        let rare = self.has_rare.then(|| self.categories.len() + usize::from(self.has_missing));
        match place {
            Place::Known(at) => Some(at),
            Place::Missing if self.has_missing => Some(self.categories.len()),
            Place::Rare | Place::Missing | Place::Unseen => rare,
        }
    }

    fn code(&self, place: Place) -> f64 {
        match place {
            Place::Known(at) => at as f64,
            Place::Rare => self.categories.len() as f64,
            Place::Unseen if self.encode == Encoding::Ordinal => -1.0,
            Place::Unseen | Place::Missing => f64::NAN,
        }
    }
}

/// Gives the most frequent text, of several the first in order.
fn most_frequent(counts: &[(String, u64)]) -> Option<String> {
    let best = counts.iter().map(|(_, count)| *count).max()?;
    counts.iter().find(|(_, count)| *count == best).map(|(text, _)| text.clone())
}

/// Keeps the most frequent texts, of equally many rows the first in order; the order stays.
fn keep_most_frequent(counts: &mut Vec<(String, u64)>, most: usize) {
    if counts.len() > most {
        counts.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        counts.truncate(most);
        counts.sort_unstable();
    }
}

/// Finds a text among the sorted categories.
enum Lookup<'a> {
    None,
    Hash(HashMap<&'a str, usize>),
}

impl<'a> Lookup<'a> {
    fn new(category: &'a Category) -> Lookup<'a> {
        if category.categories.len() <= FEW {
            return Lookup::None;
        }
        Lookup::Hash(category.categories.iter().enumerate().map(|(at, text)| (text.as_str(), at)).collect())
    }

    fn find(&self, categories: &[String], text: &str) -> Option<usize> {
        match self {
            Lookup::Hash(map) => map.get(text).copied(),
            Lookup::None if categories.len() <= FEW => categories.iter().position(|category| category == text),
            Lookup::None => categories.binary_search_by(|category| category.as_str().cmp(text)).ok(),
        }
    }
}

/// Counts the rows of each value, as text in the order of its bytes, and the missing ones.
///
/// Text counts as it is, integers in decimal digits, booleans as `true` and `false`.
fn count(array: &ArrayRef) -> (Vec<(String, u64)>, u64) {
    let mut counts: Vec<(String, u64)> = if let Some(texts) = array.as_string_opt::<i64>() {
        let counted = count_distinct(texts.iter().flatten());
        counted.into_iter().map(|(text, count)| (text.to_owned(), count)).collect()
    } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
        let counted = count_distinct(integers.iter().flatten());
        counted.into_iter().map(|(integer, count)| (integer.to_string(), count)).collect()
    } else if let Some(booleans) = array.as_boolean_opt() {
        let counted = count_distinct(booleans.iter().flatten());
        counted.into_iter().map(|(value, count)| (boolean(value).to_owned(), count)).collect()
    } else {
        Vec::new()
    };
    counts.sort_unstable();
    let present: u64 = counts.iter().map(|(_, count)| count).sum();
    (counts, array.len() as u64 - present)
}

fn count_distinct<T: Eq + std::hash::Hash>(values: impl Iterator<Item = T>) -> HashMap<T, u64> {
    let mut counts = HashMap::new();
    for value in values {
        *counts.entry(value).or_insert(0) += 1;
    }
    counts
}

fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Integer(integer) => Some(Cow::Owned(integer.to_string())),
        Value::Boolean(value) => Some(Cow::Borrowed(boolean(*value))),
        Value::Null | Value::Float(_) | Value::Date(_) | Value::Timestamp(_) => None,
    }
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
