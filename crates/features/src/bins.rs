//! Numeric columns cut into bins: where the bins end, and which of them a value falls into.

use serde::{Deserialize, Serialize};
use trainyard_exact as exact;
use trainyard_spec::{BinStrategy, BinsSpec, Impute};

use crate::categories::Encoding;
use crate::clusters::{borders, edge_of};
use crate::numbers::Filled;
use crate::{Encoder, Error};

/// Bins no wider than this are joined with their neighbour.
const NARROW: f64 = 1e-8;

/// Maps one numeric column to the bins that its values fall into.
///
/// As scikit-learn's `KBinsDiscretizer` on all rows (`subsample=None`, `quantile_method="averaged_inverted_cdf"`). A bin
/// holds its lower edge; values beyond the training rows' fall into the first and the last bin. A missing value without
/// `fill` has a one-hot feature of its own where the training rows had one, and the ordinal code NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bins {
    /// The column, raw or derived.
    pub(crate) column: String,
    pub(crate) encode: Encoding,
    /// What replaces a missing value; `None` leaves it missing.
    #[serde(with = "exact::json::option")]
    pub(crate) fill: Option<f64>,
    /// Where a bin ends and the next begins, ascending; one fewer than bins. Equal ones have an empty bin between them.
    #[serde(with = "exact::json::list")]
    pub(crate) edges: Vec<f64>,
    /// Whether missing has a feature of its own (one-hot).
    pub(crate) has_missing: bool,
}

impl Bins {
    /// Learns the column from the training rows; NaN is missing, infinities were refused before.
    ///
    /// # Errors
    /// [`Error::TooWide`] when the values span more than a double holds.
    pub(crate) fn fit(column: &str, values: &[f64], impute: &Impute, spec: &BinsSpec) -> Result<Bins, Error> {
        let bins = spec.n_bins.value as usize;
        let Filled { fill, mut values, missing } = Filled::fit(values, impute);
        values.sort_unstable_by(f64::total_cmp);
        let (least, most) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
        if !(most - least).is_finite() {
            return Err(Error::TooWide { column: column.to_owned() });
        }
        let edges = match spec.strategy {
            // A column that is constant, or that has no value at all, is one bin.
            _ if least >= most => Vec::new(),
            BinStrategy::Uniform => (1..bins).map(|edge| edge_of(least, most, edge, bins)).collect(),
            BinStrategy::Quantile => wide(quantiles(&values, bins)),
            BinStrategy::Kmeans => wide([vec![least], borders(&values, bins), vec![most]].concat()),
        };
        let encode = Encoding::of(spec.encode);
        let has_missing = encode == Encoding::OneHot && missing > 0;
        Ok(Bins { column: column.to_owned(), encode, fill, edges, has_missing })
    }

    /// Gives the names of the features.
    pub(crate) fn names(&self) -> Vec<String> {
        if self.encode == Encoding::Ordinal {
            return vec![self.column.clone()];
        }
        let mut names = Vec::with_capacity(self.width());
        for bin in 0..=self.edges.len() {
            let from = bin.checked_sub(1).and_then(|below| self.edges.get(below));
            let bin = match (from, self.edges.get(bin)) {
                (None, None) => "any".to_owned(),
                (None, Some(to)) => format!("below {}", plain(*to)),
                (Some(from), Some(to)) => format!("{} to {}", plain(*from), plain(*to)),
                (Some(from), None) => format!("from {}", plain(*from)),
            };
            names.push(format!("{}={bin}", self.column));
        }
        names.extend(self.has_missing.then(|| format!("{}=(missing)", self.column)));
        names
    }

    /// Gives the number of features.
    pub(crate) fn width(&self) -> usize {
        match self.encode {
            Encoding::Ordinal | Encoding::Native => 1,
            Encoding::OneHot => self.edges.len() + 1 + usize::from(self.has_missing),
        }
    }

    /// Gives the features of every row, one vector a feature.
    pub(crate) fn apply(&self, values: &[f64]) -> Vec<Vec<f64>> {
        match self.encode {
            Encoding::Ordinal | Encoding::Native => vec![values.iter().map(|value| self.code(*value)).collect()],
            Encoding::OneHot => {
                let mut features = vec![vec![0.0; values.len()]; self.width()];
                for (row, value) in values.iter().enumerate() {
                    if let Some(feature) = features.get_mut(self.slot(*value)) {
                        feature[row] = 1.0;
                    }
                }
                features
            }
        }
    }

    /// Appends the features of one value, with the bits of [`Bins::apply`].
    pub(crate) fn apply_one(&self, value: f64, features: &mut Vec<f64>) {
        match self.encode {
            Encoding::Ordinal | Encoding::Native => features.push(self.code(value)),
            Encoding::OneHot => {
                let slot = self.slot(value);
                features.extend((0..self.width()).map(|place| f64::from(u8::from(place == slot))));
            }
        }
    }

    /// Says what becomes of each value, for a translation.
    pub(crate) fn encoder(&self) -> Encoder<'_> {
        let one_hot = (self.encode == Encoding::OneHot).then(|| self.width());
        Encoder::Bins { fill: self.fill, edges: &self.edges, one_hot }
    }

    /// Says whether the stored edges can have come from a fit.
    pub(crate) fn is_sound(&self) -> bool {
        self.encode != Encoding::Native
            && self.edges.iter().all(|edge| edge.is_finite())
            && self.edges.windows(2).all(|pair| pair[0] <= pair[1])
            && self.fill.is_none_or(f64::is_finite)
    }

    /// Gives the bin that holds a value; `None` for a missing one.
    fn bin(&self, value: f64) -> Option<usize> {
        let value = if value.is_nan() { self.fill? } else { value };
        Some(self.edges.partition_point(|edge| *edge <= value))
    }

    /// Gives the one-hot feature that is 1; one beyond the last where none is.
    fn slot(&self, value: f64) -> usize {
        self.bin(value).unwrap_or(self.edges.len() + 1)
    }

    fn code(&self, value: f64) -> f64 {
        self.bin(value).map_or(f64::NAN, |bin| bin as f64)
    }
}

/// Gives the edges of bins of equally many values, which are sorted, with both ends.
///
/// Definition 2 of Hyndman and Fan ("Sample Quantiles in Statistical Packages", 1996): a step of the distribution
/// function, and in the middle of two steps where a level falls between them. Levels are rounded as NumPy rounds them.
fn quantiles(sorted: &[f64], bins: usize) -> Vec<f64> {
    let count = sorted.len();
    let at = |place: usize| sorted.get(place.min(count.saturating_sub(1))).copied().unwrap_or(0.0);
    let step = 100.0 / bins as f64;
    let edge = |bin: usize| {
        let level = if bin == bins { 1.0 } else { bin as f64 * step / 100.0 };
        let place = count as f64 * level - 1.0;
        if place < 0.0 {
            return at(0);
        }
        let (lower, upper) = (at(place as usize), at(place as usize + 1));
        if place.fract() == 0.0 { upper - (upper - lower) * 0.5 } else { upper }
    };
    (0..=bins).map(edge).collect()
}

/// Gives the inner edges; narrow bins are left out.
fn wide(edges: Vec<f64>) -> Vec<f64> {
    let wide = edges.windows(2).filter(|pair| pair[1] - pair[0] > NARROW).map(|pair| pair[1]);
    let mut kept: Vec<f64> = wide.collect();
    kept.pop();
    kept
}

/// Writes a number without a point where it is whole and short.
fn plain(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
