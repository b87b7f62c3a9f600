//! What the second derivatives of a logistic loss are about, before its first step.

use rayon::prelude::*;

use super::standardized::Standardized;
use super::symmetric::{Factor, Symmetric, dot};

/// The most columns whose correlations are looked at.
const CORRELATED_COLUMNS: usize = 1024;

/// The rows that a sample has for each column.
const ROWS_OF_COLUMN: usize = 4;

/// Knows about the inverse of the second derivatives, right up to a factor; the same for each of several classes.
pub(super) struct Preconditioner {
    /// The places of one class: its columns and its intercept.
    size: usize,
    inverse: Inverse,
}

enum Inverse {
    Diagonal(Vec<f64>),
    Correlated(Factor),
}

impl Preconditioner {
    /// Takes every row to bend the loss by `bend`; `penalties` are those of the columns and of the intercept, which is
    /// not moved where there is none.
    ///
    /// Correlations come from a sample of evenly spaced rows. They are shrunk towards none by as much as they may be chance
    /// (Schäfer and Strimmer: "A shrinkage approach to large-scale covariance matrix estimation", 2005, section 2.4).
    pub(super) fn new(columns: &Standardized<'_>, bend: f64, penalties: &[f64], has_intercept: bool) -> Preconditioner {
        let rows = columns.rows() as f64;
        let size = columns.columns() + 1;
        let mut bends: Vec<f64> = columns.squares.iter().map(|square| bend * square / rows).collect();
        bends.push(if has_intercept { bend } else { 0.0 });
        let diagonal: Vec<f64> =
            bends.iter().zip(penalties).map(|(bend, penalty)| (bend + penalty).max(1e-12)).collect();
        if columns.columns() > CORRELATED_COLUMNS {
            let mut inverse: Vec<f64> = diagonal.iter().map(|bend| 1.0 / bend).collect();
            inverse[size - 1] = if has_intercept { inverse[size - 1] } else { 0.0 };
            return Preconditioner { size, inverse: Inverse::Diagonal(inverse) };
        }
        let sample = columns.sample(ROWS_OF_COLUMN * columns.columns());
        let mut matrix = correlations(&sample);
        for row in 0..size {
            for column in 0..row {
                let factor = (bends[row] * bends[column]).sqrt();
                matrix.row_mut(row)[column] *= factor;
            }
            matrix.add_to_diagonal(row, diagonal[row]);
        }
        if !has_intercept {
            // The factor leaves a place without any curvature where it is.
            matrix.add_to_diagonal(size - 1, -diagonal[size - 1]);
        }
        Preconditioner { size, inverse: Inverse::Correlated(matrix.factor()) }
    }

    /// Multiplies by the inverse.
    pub(super) fn apply(&self, values: &[f64]) -> Vec<f64> {
        match &self.inverse {
            Inverse::Diagonal(inverse) => values.iter().zip(inverse.iter().cycle()).map(|(a, b)| a * b).collect(),
            Inverse::Correlated(factor) => values.chunks(self.size).flat_map(|values| factor.solve(values)).collect(),
        }
    }
}

/// Gives the correlations of the columns of a sample, shrunk, with a last column that is correlated with none; the diagonal
/// is 0.
fn correlations(sample: &[Vec<f64>]) -> Symmetric {
    let size = sample.len();
    let lengths: Vec<f64> = sample.iter().map(|column| dot(column, column).sqrt()).collect();
    let row = |row: usize| -> Vec<f64> {
        let correlation = |column: usize| {
            let length = lengths[row] * lengths[column];
            if length > 0.0 { dot(&sample[row], &sample[column]) / length } else { 0.0 }
        };
        (0..row).map(correlation).collect()
    };
    let rows: Vec<Vec<f64>> = (0..size).into_par_iter().map(row).collect();
    let squares: f64 = rows.iter().flatten().map(|correlation| correlation * correlation).sum();
    let rest = |correlation: &f64| 1.0 - correlation * correlation;
    let noise: f64 = rows.iter().flatten().map(|correlation| rest(correlation) * rest(correlation)).sum();
    let count = sample.first().map_or(1, Vec::len) as f64;
    let kept = if squares > 0.0 { (1.0 - noise / count / squares).max(0.0) } else { 0.0 };
    let mut matrix = Symmetric::new(size + 1);
    for (row, correlations) in rows.iter().enumerate() {
        let cells = matrix.row_mut(row);
        cells.iter_mut().zip(correlations).for_each(|(cell, correlation)| *cell = kept * correlation);
    }
    matrix
}
