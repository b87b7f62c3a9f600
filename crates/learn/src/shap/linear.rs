//! Shapley values of linear models.

use rayon::prelude::*;

use super::{Contributions, OPERATION};
use crate::error::check_length;
use crate::{Error, LinearModel, Matrix};

/// Rows that one task explains.
const BLOCK_ROWS: usize = 1024;

/// Explains a linear model whose columns are taken as independent.
///
/// A column adds its coefficient times the distance of its value from its mean; the expected value is the prediction at
/// the means (Lundberg and Lee: "A unified approach to interpreting model predictions", 2017, corollary 1).
#[derive(Debug, Clone, PartialEq)]
pub struct LinearExplainer {
    coefficients: Vec<f64>,
    means: Vec<f64>,
    expected: f64,
}

impl LinearExplainer {
    /// Makes the explainer of `model`, with the mean of each of its columns.
    ///
    /// # Errors
    /// [`Error::Length`] when there is not one mean a coefficient.
    pub fn new(model: &LinearModel, means: &[f64]) -> Result<LinearExplainer, Error> {
        check_length(OPERATION, "means", model.coefficients.len(), means.len())?;
        let expected = model.predict_row(means);
        Ok(LinearExplainer { coefficients: model.coefficients.clone(), means: means.to_vec(), expected })
    }

    /// Makes the explainer of `model` with the column means of `background`, such as the training rows.
    ///
    /// # Errors
    /// No rows, another number of columns than the model has, cells that are not finite or beyond 1e150.
    pub fn of(model: &LinearModel, background: &Matrix<'_>) -> Result<LinearExplainer, Error> {
        if background.rows() == 0 {
            return Err(Error::Empty { operation: OPERATION });
        }
        check(&model.coefficients, background)?;
        // Exact sums: neither the order of the rows nor the number of threads changes a mean.
        let mean = |column: &&[f64]| trainyard_exact::mean(column).unwrap_or(0.0);
        let means: Vec<f64> = background.columns().par_iter().map(mean).collect();
        LinearExplainer::new(model, &means)
    }

    /// Gives the prediction at the means.
    pub fn expected(&self) -> f64 {
        self.expected
    }

    /// Gives the mean of each column.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Explains every row, in the units of [`LinearModel::predict`].
    ///
    /// # Errors
    /// Another number of columns than the model has, cells that are not finite or beyond 1e150.
    pub fn contributions(&self, matrix: &Matrix<'_>) -> Result<Contributions, Error> {
        check(&self.coefficients, matrix)?;
        let features = self.coefficients.len();
        let mut values = vec![0.0; matrix.rows() * (features + 1)];
        values.par_chunks_mut(BLOCK_ROWS * (features + 1)).enumerate().for_each(|(block, values)| {
            for (offset, out) in values.chunks_exact_mut(features + 1).enumerate() {
                let row = block * BLOCK_ROWS + offset;
                for (column, out) in out[..features].iter_mut().enumerate() {
                    *out = self.coefficients[column] * (matrix.columns()[column][row] - self.means[column]);
                }
                out[features] = self.expected;
            }
        });
        Ok(Contributions { features, values })
    }
}

fn check(coefficients: &[f64], matrix: &Matrix<'_>) -> Result<(), Error> {
    let (expected, got) = (coefficients.len(), matrix.columns().len());
    if expected != got {
        return Err(Error::Columns { operation: OPERATION, expected, got });
    }
    matrix.check_finite(OPERATION)
}
