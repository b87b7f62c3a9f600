//! Columns centred and scaled on the way to a solver, block of rows by block of rows.

use std::ops::Range;

use rayon::prelude::*;

use super::symmetric::dot;
use crate::Matrix;

/// Rows that are copied, centred and scaled together, so that a block stays in the cache.
pub(crate) const BLOCK_ROWS: usize = 256;

/// The fewest rows of a part; parts depend on the number of rows alone, so sums do not depend on threads.
const PART_ROWS: usize = 2048;

/// The most parts.
const MOST_PARTS: usize = 32;

/// Cells of work below which one thread is faster than several.
const PARALLEL_CELLS: usize = 1 << 16;

/// Shows a matrix with each column centred at its mean and scaled by its largest distance from it.
///
/// A solver then sees numbers of one size, whatever the units; its solution is taken back by [`Standardized::restore`].
#[derive(Debug)]
pub(crate) struct Standardized<'a> {
    matrix: &'a Matrix<'a>,
    pub(crate) means: Vec<f64>,
    pub(crate) scales: Vec<f64>,
}

impl<'a> Standardized<'a> {
    pub(crate) fn new(matrix: &'a Matrix<'a>, weights: Option<&[f64]>) -> Standardized<'a> {
        let total: f64 = weights.map_or(matrix.rows() as f64, |weights| weights.iter().sum());
        let measure = |column: &&[f64]| {
            let first = column.first().copied().unwrap_or(0.0);
            // A constant column must become exactly 0, not the rounding of its mean.
            if column.iter().all(|&value| value == first) {
                return (first, 1.0);
            }
            let mean = match weights {
                None => column.iter().map(|value| value / total).sum::<f64>(),
                Some(weights) => column.iter().zip(weights).map(|(value, weight)| value * (weight / total)).sum(),
            };
            let largest = column.iter().fold(0.0f64, |largest, value| largest.max((value - mean).abs()));
            (mean, if largest > 1e-100 { largest } else { 1.0 })
        };
        let (means, scales) = if matrix.rows() * matrix.columns().len() < PARALLEL_CELLS {
            matrix.columns().iter().map(measure).unzip()
        } else {
            matrix.columns().par_iter().map(measure).collect::<Vec<_>>().into_iter().unzip()
        };
        Standardized { matrix, means, scales }
    }

    pub(crate) fn columns(&self) -> usize {
        self.means.len()
    }

    /// Folds `visit(state, first row, block)` over the blocks of each part of the rows; gives the states in order.
    ///
    /// A block holds [`BLOCK_ROWS`] cells (fewer are meant in the last) of one column after another.
    pub(crate) fn fold<S: Send>(
        &self,
        start: impl Fn() -> S + Sync,
        visit: impl Fn(&mut S, Range<usize>, &[f64]) + Sync,
    ) -> Vec<S> {
        let rows = self.matrix.rows();
        let parts = (rows / PART_ROWS).clamp(1, MOST_PARTS);
        let part = |part: usize| {
            let mut state = start();
            let mut block = vec![0.0; BLOCK_ROWS * self.columns()];
            let (mut row, end) = (rows * part / parts, rows * (part + 1) / parts);
            while row < end {
                let range = row..(row + BLOCK_ROWS).min(end);
                self.copy(range.clone(), &mut block);
                visit(&mut state, range, &block);
                row += BLOCK_ROWS;
            }
            state
        };
        if rows * self.columns() < PARALLEL_CELLS {
            (0..parts).map(part).collect()
        } else {
            (0..parts).into_par_iter().map(part).collect()
        }
    }

    /// Gives the sum of squares of each standardized column.
    pub(crate) fn squares(&self) -> Vec<f64> {
        let parts = self.fold(
            || vec![0.0; self.columns()],
            |sums, rows, block| {
                for (sum, cells) in sums.iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                    *sum += dot(&cells[..rows.len()], &cells[..rows.len()]);
                }
            },
        );
        let mut sums = vec![0.0; self.columns()];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, part): (&mut f64, f64)| *sum += part);
        }
        sums
    }

    /// Takes coefficients of the standardized columns and their intercept back to the columns as they are.
    pub(crate) fn restore(&self, coefficients: &[f64], intercept: f64) -> (Vec<f64>, f64) {
        let coefficients: Vec<f64> =
            coefficients.iter().zip(&self.scales).map(|(value, scale)| value / scale).collect();
        let shift: f64 = coefficients.iter().zip(&self.means).map(|(coefficient, mean)| coefficient * mean).sum();
        (coefficients, intercept - shift)
    }

    fn copy(&self, rows: Range<usize>, block: &mut [f64]) {
        let columns = self.matrix.columns().iter().zip(self.means.iter().zip(&self.scales));
        for (cells, (column, (mean, scale))) in block.chunks_exact_mut(BLOCK_ROWS).zip(columns) {
            let inverse = 1.0 / scale;
            for (cell, value) in cells.iter_mut().zip(&column[rows.clone()]) {
                *cell = (value - mean) * inverse;
            }
        }
    }
}
