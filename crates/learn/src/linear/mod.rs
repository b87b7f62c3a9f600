//! Linear models: logistic regression of two and of several classes, ridge, lasso and elastic net.

mod descent;
mod elastic_net;
mod logistic;
mod multinomial;
mod preconditioner;
mod proximal;
mod quadratic;
mod ridge;
mod standardized;
mod symmetric;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::elastic_net::{ElasticNetParameters, elastic_net};
pub use self::logistic::{LogisticParameters, logistic_regression};
pub use self::multinomial::multinomial_regression;
pub use self::ridge::ridge;

use crate::Matrix;

/// Rows that are predicted together.
const BLOCK_ROWS: usize = 1024;

/// Gives the largest absolute value; NaN when there is one.
fn largest(values: &[f64]) -> f64 {
    // `max` passes over NaN.
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Holds a fitted linear model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearModel {
    /// What one unit of each column adds.
    pub coefficients: Vec<f64>,
    /// The value where every column is 0.
    pub intercept: f64,
    /// Whether the fit reached its tolerance; a caller warns when it did not.
    pub converged: bool,
    /// The iterations that the fit took.
    pub iterations: usize,
}

impl LinearModel {
    /// Says whether intercept and coefficients are finite.
    pub fn is_finite(&self) -> bool {
        self.coefficients.iter().chain([&self.intercept]).all(|value| value.is_finite())
    }

    /// Predicts every row: the intercept plus the columns' terms in their order. A log-odds for logistic regression.
    ///
    /// # Panics
    /// Panics when the matrix has fewer columns than there are coefficients.
    pub fn predict(&self, matrix: &Matrix<'_>) -> Vec<f64> {
        assert!(matrix.columns().len() >= self.coefficients.len(), "the matrix has the columns of the fit");
        let mut sums = vec![self.intercept; matrix.rows()];
        let predict = |(block, sums): (usize, &mut [f64])| {
            let first = block * BLOCK_ROWS;
            for (coefficient, column) in self.coefficients.iter().zip(matrix.columns()) {
                for (sum, value) in sums.iter_mut().zip(&column[first..]) {
                    *sum += coefficient * value;
                }
            }
        };
        if matrix.rows() <= 8 * BLOCK_ROWS {
            sums.chunks_mut(BLOCK_ROWS).enumerate().for_each(predict);
        } else {
            sums.par_chunks_mut(BLOCK_ROWS).enumerate().for_each(predict);
        }
        sums
    }

    /// Predicts one row, with the bits of [`LinearModel::predict`].
    pub fn predict_row(&self, row: &[f64]) -> f64 {
        self.coefficients.iter().zip(row).fold(self.intercept, |sum, (coefficient, value)| sum + coefficient * value)
    }
}
