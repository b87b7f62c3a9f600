//! Explanations: what each column adds to a row's prediction, and to the predictions as a whole.

mod linear;
mod permutation;
mod quadrature;
mod tree;

pub use self::linear::LinearExplainer;
pub use self::permutation::{PermutationImportance, permutation_importance};
pub use self::tree::TreeExplainer;

use rayon::prelude::*;

const OPERATION: &str = "explanation";

/// Holds, for each row, what every column adds to its margin, and the expected margin from which they start.
///
/// Shapley values (Lundberg and Lee: "A unified approach to interpreting model predictions", 2017): the numbers of a row
/// add up to its margin, up to rounding. Units are those of the margin, such as log-odds.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    features: usize,
    /// Row after row, the expected margin last.
    values: Vec<f64>,
}

impl Contributions {
    /// Makes the contributions of a margin that is the same for every row: no column adds anything.
    pub fn constant(features: usize, rows: usize, margin: f64) -> Contributions {
        let row = std::iter::repeat_n(0.0, features).chain([margin]);
        Contributions { features, values: std::iter::repeat_n(row, rows).flatten().collect() }
    }

    /// Gives the number of columns that are explained.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Gives the number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / (self.features + 1)
    }

    /// Gives all numbers, row-major: rows × (features + 1), the last column the expected margin.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Gives the `features + 1` numbers of `row`.
    ///
    /// # Panics
    /// Panics when there is no such row.
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.features + 1;
        &self.values[row * width..(row + 1) * width]
    }

    /// Gives the mean over rows of each column's absolute contribution: the global importance (Lundberg and others:
    /// "From local explanations to global understanding with explainable AI for trees", 2020); zeros without rows.
    ///
    /// The sums are exact, so the order of the rows changes nothing.
    pub fn mean_absolute(&self) -> Vec<f64> {
        let rows = self.values.chunks_exact(self.features + 1);
        let mean = |column: usize| {
            let sizes = rows.clone().map(|row| row[column].abs());
            sizes.collect::<trainyard_exact::ExactSum>().mean().unwrap_or(0.0)
        };
        (0..self.features).into_par_iter().map(mean).collect()
    }
}
