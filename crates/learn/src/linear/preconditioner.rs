//! What the second derivatives of a logistic loss are about, before its first step.

use rayon::prelude::*;

use super::standardized::Standardized;
use super::symmetric::{Factor, Symmetric, dot};

/// The most columns whose correlations are looked at.
const CORRELATED_COLUMNS: usize = 1024;

/// The rows that a sample has for each column.
const ROWS_OF_COLUMN: usize = 4;

/// One in so many rows of a sample tells whether its correlations are worth all of it.
const TRIAL: usize = 8;

/// The share of the trial's correlations that must be more than chance.
const WORTH: f64 = 0.03;

/// Knows about the inverse of the second derivatives, right up to a factor; the same for each of several classes.
pub(super) struct Preconditioner {
    /// The places of one class: its columns and its intercept.
    size: usize,
    inverse: Inverse,
    /// By how much every row was taken to bend the loss.
    bend: f64,
    /// The mean square and the penalty of each place.
    places: Vec<(f64, f64)>,
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
        let mut squares: Vec<f64> = columns.squares.iter().map(|square| square / rows).collect();
        squares.push(if has_intercept { 1.0 } else { 0.0 });
        let places: Vec<(f64, f64)> = squares.into_iter().zip(penalties.iter().copied()).collect();
        let bends: Vec<f64> = places.iter().map(|(square, _)| bend * square).collect();
        let diagonal: Vec<f64> = places.iter().map(|place| diagonal(bend, place)).collect();
        let Some(mut matrix) = correlations(&columns.sample.columns) else {
            let mut inverse: Vec<f64> = diagonal.iter().map(|bend| 1.0 / bend).collect();
            inverse[size - 1] = if has_intercept { inverse[size - 1] } else { 0.0 };
            return Preconditioner { size, inverse: Inverse::Diagonal(inverse), bend, places };
        };
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
        Preconditioner { size, inverse: Inverse::Correlated(matrix.factor()), bend, places }
    }

    /// Gives how many rows of so many columns are worth a sample.
    pub(super) fn rows_of_sample(columns: usize) -> usize {
        ROWS_OF_COLUMN * columns.min(CORRELATED_COLUMNS * CORRELATED_COLUMNS / columns.max(1))
    }

    /// Gives by what the inverse is to be multiplied where rows bend the loss by `bend`, on average over the places.
    pub(super) fn factor(&self, bend: f64) -> f64 {
        let ratio = |place: &(f64, f64)| diagonal(self.bend, place) / diagonal(bend, place);
        self.places.iter().map(ratio).sum::<f64>() / self.size as f64
    }

    /// Multiplies by the inverse.
    pub(super) fn apply(&self, values: &[f64]) -> Vec<f64> {
        match &self.inverse {
            Inverse::Diagonal(inverse) => values.iter().zip(inverse.iter().cycle()).map(|(a, b)| a * b).collect(),
            Inverse::Correlated(factor) => values.chunks(self.size).flat_map(|values| factor.solve(values)).collect(),
        }
    }
}

/// Gives the second derivative by a place of this mean square and penalty.
fn diagonal(bend: f64, (square, penalty): &(f64, f64)) -> f64 {
    (bend * square + penalty).max(1e-12)
}

/// Gives the correlations of the columns of a sample, shrunk, with a last column that is correlated with none; the
/// diagonal is 0. `None` where there are too many, or where they are hardly more than chance.
fn correlations(sample: &[Vec<f64>]) -> Option<Symmetric> {
    let size = sample.len();
    // The first rows of a sample are as evenly spaced as all of it.
    let trial = |column: &Vec<f64>| column.len().div_ceil(TRIAL);
    if size > CORRELATED_COLUMNS || shrunk(sample, sample.first().map_or(0, trial)).1 < WORTH {
        return None;
    }
    let (rows, kept) = shrunk(sample, sample.first().map_or(0, Vec::len));
    let mut matrix = Symmetric::new(size + 1);
    for (row, correlations) in rows.iter().enumerate() {
        let cells = matrix.row_mut(row);
        cells.iter_mut().zip(correlations).for_each(|(cell, correlation)| *cell = kept * correlation);
    }
    Some(matrix)
}

/// Gives the correlations of each column with those before it in the first `count` rows, and which share is to be kept.
fn shrunk(sample: &[Vec<f64>], count: usize) -> (Vec<Vec<f64>>, f64) {
    let sample: Vec<&[f64]> = sample.iter().map(|column| &column[..count]).collect();
    let lengths: Vec<f64> = sample.iter().map(|column| dot(column, column).sqrt()).collect();
    let row = |row: usize| -> Vec<f64> {
        let correlation = |column: usize| {
            let length = lengths[row] * lengths[column];
            if length > 0.0 { dot(sample[row], sample[column]) / length } else { 0.0 }
        };
        (0..row).map(correlation).collect()
    };
    let rows: Vec<Vec<f64>> = (0..sample.len()).into_par_iter().map(row).collect();
    let squares: f64 = rows.iter().flatten().map(|correlation| correlation * correlation).sum();
    let rest = |correlation: &f64| 1.0 - correlation * correlation;
    let noise: f64 = rows.iter().flatten().map(|correlation| rest(correlation) * rest(correlation)).sum();
    let kept = if squares > 0.0 { (1.0 - noise / count as f64 / squares).max(0.0) } else { 0.0 };
    (rows, kept)
}
