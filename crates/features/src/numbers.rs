//! Numeric columns: what is learned about one, and how a value becomes a feature.

use serde::{Deserialize, Serialize};
use trainyard_exact::{self as exact, Spread};
use trainyard_spec::{Impute, Scale};

use crate::Error;

/// Maps one numeric column to one feature: `(x - center) / scale`, a missing `x` first replaced by `fill`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Number {
    /// The column, raw or derived.
    pub(crate) column: String,
    /// What replaces a missing value; `None` leaves it missing.
    #[serde(with = "exact::json::option")]
    pub(crate) fill: Option<f64>,
    /// What is subtracted.
    #[serde(with = "exact::json")]
    pub(crate) center: f64,
    /// What the difference is divided by; never 0.
    #[serde(with = "exact::json")]
    pub(crate) scale: f64,
}

impl Number {
    /// Learns the column from the training rows; NaN is missing, infinities were refused before.
    ///
    /// # Errors
    /// [`Error::TooWide`] when center or scale is beyond the range of doubles.
    pub(crate) fn fit(column: &str, values: &[f64], impute: &Impute, scale: &Scale) -> Result<Number, Error> {
        let Filled { fill, mut values, .. } = Filled::fit(values, impute);
        let (center, scale) = match scale {
            Scale::None => (0.0, 1.0),
            Scale::Standard => standard(&values),
            Scale::MinMax => min_max(&values),
            Scale::Robust => robust(&mut values),
        };
        if !center.is_finite() || !scale.is_finite() {
            return Err(Error::TooWide { column: column.to_owned() });
        }
        Ok(Number { column: column.to_owned(), fill, center, scale })
    }

    /// Gives the feature of one value.
    #[inline]
    pub(crate) fn apply(&self, value: f64) -> f64 {
        let value = match self.fill {
            Some(fill) if value.is_nan() => fill,
            _ => value,
        };
        (value - self.center) / self.scale
    }

    /// Says whether the stored numbers can have come from a fit.
    pub(crate) fn is_sound(&self) -> bool {
        self.center.is_finite()
            && self.scale.is_finite()
            && self.scale != 0.0
            && self.fill.is_none_or(|fill| fill.is_finite())
    }
}

/// The values of the training rows, the missing ones replaced where something replaces them.
pub(crate) struct Filled {
    /// What replaces a missing value; `None` leaves it missing.
    pub(crate) fill: Option<f64>,
    /// The values, those that stay missing left out; in no order.
    pub(crate) values: Vec<f64>,
    /// How many stay missing.
    pub(crate) missing: usize,
}

impl Filled {
    /// Learns what replaces a missing value, which is NaN, and puts it in its places.
    ///
    /// A column without any value is filled with 0 by whatever is learned, as scikit-learn's `keep_empty_features` does.
    pub(crate) fn fit(values: &[f64], impute: &Impute) -> Filled {
        let mut present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let fill = match impute {
            Impute::None => None,
            Impute::Constant(value) => Some(*value),
            Impute::Mean => Some(exact::mean(&present).unwrap_or(0.0)),
            Impute::Median => Some(exact::median(&mut present.clone()).unwrap_or(0.0)),
            Impute::MostFrequent => Some(most_frequent(&mut present).unwrap_or(0.0)),
        };
        let missing = values.len() - present.len();
        if let Some(fill) = fill {
            present.resize(values.len(), fill);
        }
        Filled { fill, values: present, missing: if fill.is_some() { 0 } else { missing } }
    }
}

/// Gives the most frequent value, of several the least, and 0 for either zero; sorts the values.
fn most_frequent(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let longest = values.chunk_by(|a, b| a == b).rev().max_by_key(|equal| equal.len())?;
    longest.first().map(|value| value + 0.0)
}

/// Gives mean and population standard deviation; 1 for a column that is constant up to rounding.
///
/// When a column counts as constant is scikit-learn's `_is_constant_feature`.
fn standard(values: &[f64]) -> (f64, f64) {
    let Some(spread) = Spread::of(values) else { return (0.0, 1.0) };
    let (count, center, variance) = (spread.count as f64, spread.mean, spread.population_variance());
    if !variance.is_finite() {
        return (center, f64::INFINITY);
    }
    let rounding = count * center * f64::EPSILON;
    let is_constant = variance <= count * f64::EPSILON * variance + rounding * rounding;
    (center, not_zero(if is_constant { 1.0 } else { variance.sqrt() }, is_constant))
}

fn min_max(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = most - least;
    (least, not_zero(range, range < 10.0 * f64::EPSILON))
}

/// Gives the median and the distance between the quartiles, as scikit-learn's `RobustScaler`; sorts the values.
fn robust(values: &mut [f64]) -> (f64, f64) {
    let Some(center) = exact::median(values) else { return (0.0, 1.0) };
    values.sort_unstable_by(f64::total_cmp);
    let quartile = |share| exact::quantile(values, share).unwrap_or(center);
    let range = quartile(0.75) - quartile(0.25);
    (center, not_zero(range, range < 10.0 * f64::EPSILON))
}

fn not_zero(scale: f64, is_constant: bool) -> f64 {
    if is_constant || scale == 0.0 { 1.0 } else { scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay_finite_or_are_refused() {
        for impute in [Impute::Mean, Impute::Median] {
            let number = Number::fit("x", &[f64::MAX, f64::NAN, f64::MAX], &impute, &Scale::None).unwrap();
            assert_eq!(number.fill, Some(f64::MAX));
        }
        let wide = Number::fit("x", &[-f64::MAX, f64::MAX], &Impute::None, &Scale::Standard);
        assert_eq!(wide, Err(Error::TooWide { column: "x".into() }));
        let wide = Number::fit("x", &[-f64::MAX, f64::MAX], &Impute::None, &Scale::MinMax);
        assert_eq!(wide, Err(Error::TooWide { column: "x".into() }));
    }

    #[test]
    fn a_column_without_values_is_filled_with_zero() {
        let number = Number::fit("x", &[f64::NAN; 3], &Impute::Median, &Scale::Standard).unwrap();
        assert_eq!(number.apply(f64::NAN), 0.0);
        let number = Number::fit("x", &[], &Impute::None, &Scale::MinMax).unwrap();
        assert!(number.apply(f64::NAN).is_nan());
    }

    #[test]
    fn a_constant_column_is_only_centred() {
        let number = Number::fit("x", &[0.1; 10], &Impute::None, &Scale::Standard).unwrap();
        assert_eq!((number.center, number.scale), (0.1, 1.0));
    }
}
