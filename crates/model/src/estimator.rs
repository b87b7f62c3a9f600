//! What predicts from features, and its fit.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainyard_learn::{LinearModel, Matrix, TreeEnsemble, sigmoid};

/// Maps a margin to a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A log-odds to the probability of the positive class.
    Logit,
    /// A value to itself.
    Identity,
}

impl Link {
    fn apply(self, margin: f64) -> f64 {
        match self {
            Link::Logit => sigmoid(margin),
            Link::Identity => margin,
        }
    }
}

/// Predicts from features: the probability of the positive class, or a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Estimator {
    /// Boosted trees.
    Boosting {
        /// The trees.
        ensemble: TreeEnsemble,
        /// From margin to prediction.
        link: Link,
    },
    /// A linear model.
    Linear {
        /// Intercept and coefficients.
        model: LinearModel,
        /// What replaces a missing feature: its mean over the training rows.
        fill: Vec<f64>,
        /// From margin to prediction.
        link: Link,
    },
    /// The same prediction for every row.
    Constant {
        /// The prediction.
        value: f64,
    },
}

impl Estimator {
    /// Predicts every row.
    ///
    /// # Panics
    /// Panics when `matrix` has fewer columns than the fit had.
    pub fn predict(&self, matrix: &Matrix<'_>) -> Vec<f64> {
        match self {
            Estimator::Boosting { ensemble, link } => linked(ensemble.predict_margin(matrix), *link),
            Estimator::Linear { model, fill, link } => {
                let filled = Filled::new(matrix, fill);
                linked(model.predict(&filled.matrix(matrix)), *link)
            }
            Estimator::Constant { value } => vec![*value; matrix.rows()],
        }
    }

    /// Predicts one row, with the bits of [`Estimator::predict`].
    pub fn predict_row(&self, row: &[f64]) -> f64 {
        match self {
            Estimator::Boosting { ensemble, link } => link.apply(ensemble.predict_margin_row(row)),
            Estimator::Linear { model, fill, link } => {
                if row.iter().any(|value| value.is_nan()) {
                    let filled: Vec<f64> = row.iter().zip(fill).map(|(value, fill)| or(*value, *fill)).collect();
                    link.apply(model.predict_row(&filled))
                } else {
                    link.apply(model.predict_row(row))
                }
            }
            Estimator::Constant { value } => *value,
        }
    }

    /// Gives the importance of each feature: the gain of its splits, or the size of its coefficient.
    pub fn importance(&self, features: usize) -> Vec<f64> {
        match self {
            Estimator::Boosting { ensemble, .. } => ensemble.importance_gain(),
            Estimator::Linear { model, .. } => model.coefficients.iter().map(|value| value.abs()).collect(),
            Estimator::Constant { .. } => vec![0.0; features],
        }
    }

    /// Says whether the estimator fits `features` columns and holds finite numbers.
    pub(crate) fn is_sound(&self, features: usize) -> bool {
        match self {
            Estimator::Boosting { ensemble, .. } => {
                let mut nodes = ensemble.trees().iter().flat_map(|tree| tree.nodes());
                ensemble.features() == features
                    && ensemble.base().is_finite()
                    && nodes.all(|node| node.value.is_finite())
            }
            Estimator::Linear { model, fill, .. } => {
                let numbers = model.coefficients.iter().chain(fill).chain([&model.intercept]);
                model.coefficients.len() == features
                    && fill.len() == features
                    && numbers.into_iter().all(|number| number.is_finite())
            }
            Estimator::Constant { value } => value.is_finite(),
        }
    }

    /// Gives the number of trees, where there are any.
    pub fn trees(&self) -> Option<usize> {
        match self {
            Estimator::Boosting { ensemble, .. } => Some(ensemble.trees().len()),
            Estimator::Linear { .. } | Estimator::Constant { .. } => None,
        }
    }
}

/// Columns with their missing cells filled; those without any are borrowed.
pub(crate) struct Filled {
    columns: Vec<Option<Vec<f64>>>,
}

impl Filled {
    pub(crate) fn new(matrix: &Matrix<'_>, fill: &[f64]) -> Filled {
        let columns: Vec<(&[f64], f64)> = matrix.columns().iter().copied().zip(fill.iter().copied()).collect();
        let filled = |(column, fill): &(&[f64], f64)| {
            let has_missing = column.iter().any(|value| value.is_nan());
            has_missing.then(|| column.iter().map(|value| or(*value, *fill)).collect())
        };
        Filled { columns: columns.par_iter().map(filled).collect() }
    }

    pub(crate) fn matrix<'a>(&'a self, matrix: &Matrix<'a>) -> Matrix<'a> {
        let columns = self.columns.iter().zip(matrix.columns());
        let columns = columns.map(|(filled, column)| filled.as_deref().unwrap_or(column));
        Matrix::new(columns.collect(), matrix.rows())
    }
}

/// Gives the mean of each column's values that are there, 0 for a column without any.
pub(crate) fn means(matrix: &Matrix<'_>) -> Vec<f64> {
    let mean = |column: &&[f64]| {
        let present = || column.iter().copied().filter(|value| !value.is_nan());
        let count = present().count();
        if count == 0 { 0.0 } else { present().map(|value| value / count as f64).sum() }
    };
    matrix.columns().par_iter().map(mean).collect()
}

fn linked(mut margins: Vec<f64>, link: Link) -> Vec<f64> {
    if link == Link::Logit {
        margins.par_iter_mut().with_min_len(4096).for_each(|margin| *margin = link.apply(*margin));
    }
    margins
}

fn or(value: f64, fill: f64) -> f64 {
    if value.is_nan() { fill } else { value }
}
