//! Categorical columns encoded by the target: what is learned of one, and how training rows stay apart from their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};
use trainyard_exact::{self as exact, Spread};
use trainyard_expression::Value;
use trainyard_spec::{CategoricalImpute, Smooth};

use crate::Error;
use crate::categories::{Category, Encoding};
use crate::view;

/// Holds what target encodings learn from besides the columns.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// The target of each training row: a number, or the index of its class.
    pub values: &'a [f64],
    /// The classes; none where the target is a number.
    pub classes: &'a [String],
}

/// Gives each training row its fold, by the number of folds.
pub type Folds = BTreeMap<u32, Vec<u32>>;

/// Maps one categorical column to the target's mean over the rows of its category.
///
/// Two classes and numbers give one feature, several classes one each, as scikit-learn's `TargetEncoder`. A missing value
/// is a category of its own where a training row lacked one; unseen categories count as the mean of all training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Encoder {
    /// The column and its categories, by their place in order.
    pub(crate) category: Category,
    /// One for each feature.
    pub(crate) features: Vec<Means>,
}

/// What a feature says of each category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Means {
    /// The class whose share it is, of more than two.
    class: Option<String>,
    /// The mean of all training rows.
    #[serde(with = "exact::json")]
    all: f64,
    /// The smoothed mean of each category, and behind them that of missing values where training rows had any.
    #[serde(with = "exact::json::list")]
    of: Vec<f64>,
}

impl Encoder {
    /// Learns the column from all training rows.
    ///
    /// # Errors
    /// [`Error::NoTargets`] without a target for each row.
    pub(crate) fn fit(
        column: &str,
        array: &ArrayRef,
        smooth: Smooth,
        impute: &CategoricalImpute,
        targets: Option<&Targets<'_>>,
    ) -> Result<Encoder, Error> {
        let targets = targets.filter(|targets| targets.values.len() == array.len());
        let targets = targets.ok_or_else(|| Error::NoTargets { column: column.to_owned() })?;
        let category = Category::fit(column, array, Encoding::Ordinal, None, impute)?;
        let rows = Sorted::new(&category, array);
        let features = targets.features().map(|(class, values)| {
            let (all, of) = rows.means(&values, smooth, |_| true);
            Means { class: class.map(str::to_owned), all, of }
        });
        let features = features.collect();
        Ok(Encoder { category, features })
    }

    /// Encodes the training rows, each by what the rows of the other folds say, one vector a feature.
    ///
    /// # Errors
    /// [`Error::NoFolds`] without a fold for each row, or where no other fold has rows.
    pub(crate) fn cross_fit(
        &self,
        array: &ArrayRef,
        smooth: Smooth,
        targets: &Targets<'_>,
        folds: Option<&Vec<u32>>,
    ) -> Result<Vec<Vec<f64>>, Error> {
        let no_folds = || Error::NoFolds { column: self.category.column.clone() };
        let folds = folds.filter(|folds| folds.len() == array.len()).ok_or_else(no_folds)?;
        let mut distinct = folds.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 2 {
            return Err(no_folds());
        }
        let rows = Sorted::new(&self.category, array);
        let feature = |(_, values): (Option<&str>, Cow<'_, [f64]>)| {
            let mut encoded = vec![0.0; array.len()];
            for fold in &distinct {
                let (_, of) = rows.means(&values, smooth, |row| folds[row] != *fold);
                let of_fold = rows.order.iter().filter(|(_, row)| folds[*row] == *fold);
                of_fold.for_each(|(place, row)| encoded[*row] = of[*place]);
            }
            encoded
        };
        Ok(targets.features().map(feature).collect())
    }

    /// Gives the names of the features.
    pub(crate) fn names(&self) -> Vec<String> {
        let column = &self.category.column;
        let name = |means: &Means| match &means.class {
            Some(class) => format!("target({column})={class}"),
            None => format!("target({column})"),
        };
        self.features.iter().map(name).collect()
    }

    /// Gives the features of every row, one vector a feature.
    pub(crate) fn apply(&self, array: &ArrayRef) -> Vec<Vec<f64>> {
        let mut features = vec![vec![0.0; array.len()]; self.features.len()];
        self.category.each_place(array, |row, place| {
            for (feature, means) in features.iter_mut().zip(&self.features) {
                feature[row] = means.at(self.category.level(place));
            }
        });
        features
    }

    /// Appends the features of one value, with the bits of [`Encoder::apply`].
    pub(crate) fn apply_one(&self, value: &Value, features: &mut Vec<f64>) {
        let level = self.category.level(self.category.place_of(value));
        features.extend(self.features.iter().map(|means| means.at(level)));
    }

    /// Says what becomes of each value, for a translation.
    pub(crate) fn encoder(&self) -> view::Encoder<'_> {
        let codes = |level: Option<usize>| self.features.iter().map(|means| means.at(level)).collect::<Vec<f64>>();
        view::Encoder::Codes {
            values: self.category.categories.iter().map(String::as_str).collect(),
            codes: (0..self.category.categories.len()).map(|level| codes(Some(level))).collect(),
            missing: codes(self.category.level(self.category.place_of(&Value::Null))),
            unseen: codes(None),
        }
    }

    /// Says whether what is stored can have come from a fit.
    pub(crate) fn is_sound(&self) -> bool {
        let levels = self.category.categories.len();
        let first = self.features.first().map_or(0, |means| means.of.len());
        self.category.is_sound()
            && self.category.encode == Encoding::Ordinal
            && !self.features.is_empty()
            && (levels..=levels + 1).contains(&first)
            && self.features.iter().all(|means| means.of.len() == first)
    }
}

impl Means {
    fn at(&self, level: Option<usize>) -> f64 {
        level.and_then(|level| self.of.get(level)).copied().unwrap_or(self.all)
    }
}

impl<'a> Targets<'a> {
    /// Gives what each feature is the mean of: the target, or whether a row is of a class of more than two.
    fn features(&self) -> impl Iterator<Item = (Option<&'a str>, Cow<'a, [f64]>)> {
        let values = self.values;
        let several = if self.classes.len() > 2 { self.classes } else { &[] };
        let one = several.is_empty().then_some((None, Cow::Borrowed(values)));
        let of_class = move |(class, name): (usize, &'a String)| {
            let is_of: Vec<f64> = values.iter().map(|value| f64::from(u8::from(*value as usize == class))).collect();
            (Some(name.as_str()), Cow::Owned(is_of))
        };
        one.into_iter().chain(several.iter().enumerate().map(of_class))
    }
}

/// The training rows in the order of their categories' places.
struct Sorted {
    /// Place and row.
    order: Vec<(usize, usize)>,
    /// The number of places: one more than categories where a row's is missing.
    places: usize,
}

impl Sorted {
    fn new(category: &Category, array: &ArrayRef) -> Sorted {
        let categories = category.categories.len();
        let mut order = Vec::with_capacity(array.len());
        category.each_place(array, |row, place| order.push((category.level(place).unwrap_or(categories), row)));
        order.sort_unstable();
        let places = order.last().map_or(0, |(place, _)| place + 1).max(categories);
        Sorted { order, places }
    }

    /// Gives the mean of some rows, and the smoothed mean of those at each place.
    ///
    /// By Micci-Barreca ("A preprocessing scheme for high-cardinality categorical attributes in classification and
    /// prediction problems", 2001): equations 5 and 6 where the variances weigh, else equation 7. A place without rows has
    /// the mean of all.
    fn means(&self, values: &[f64], smooth: Smooth, takes: impl Fn(usize) -> bool) -> (f64, Vec<f64>) {
        let taken: Vec<(usize, f64)> =
            self.order.iter().filter(|(_, row)| takes(*row)).map(|(place, row)| (*place, values[*row])).collect();
        let of_all: Vec<f64> = taken.iter().map(|(_, value)| *value).collect();
        let Some(all) = Spread::of(&of_all) else { return (0.0, vec![0.0; self.places]) };
        let variance = all.population_variance();
        let mut means = vec![all.mean; self.places];
        let mut first = 0;
        for rows in taken.chunk_by(|(a, _), (b, _)| a == b) {
            let of_place = &of_all[first..first + rows.len()];
            first += rows.len();
            let (Some((place, _)), Some(spread)) = (rows.first(), Spread::of(of_place)) else { continue };
            let count = spread.count as f64;
            means[*place] = match smooth {
                Smooth::Auto => {
                    let between = variance * count;
                    let share = between / (between + spread.population_variance());
                    // Where neither varies, or a variance is beyond the range of doubles, the mean of all stands.
                    if share.is_nan() { all.mean } else { share * spread.mean + (1.0 - share) * all.mean }
                }
                Smooth::Rows(more) => (more * all.mean + exact::sum(of_place.iter().copied())) / (more + count),
            };
        }
        (all.mean, means)
    }
}
