//! Columns centred and scaled on the way to a solver, block of rows by block of rows; the whole is never copied.

use std::ops::Range;

use rayon::prelude::*;

use super::symmetric::{Symmetric, dot, shifted_dot};
use crate::error::LARGEST;
use crate::matrix::check_finite;
use crate::{Error, Matrix};

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
    /// The sum of squares of each standardized column.
    pub(crate) squares: Vec<f64>,
    /// The product of each standardized column with the values that it was measured along; 0 without them.
    pub(crate) products: Vec<f64>,
}

struct Measures {
    mean: f64,
    scale: f64,
    square: f64,
    product: f64,
}

impl<'a> Standardized<'a> {
    /// Measures the columns; without an intercept they are not `centred`, only scaled.
    ///
    /// # Errors
    /// [`Error::NotFinite`], of the first column that has such a cell.
    pub(crate) fn new(
        operation: &'static str,
        matrix: &'a Matrix<'a>,
        weights: Option<&[f64]>,
        centred: bool,
    ) -> Result<Standardized<'a>, Error> {
        Standardized::along(operation, matrix, weights, centred, None)
    }

    /// Measures the columns as [`Standardized::new`] does, and with them their products with `along`, a value a row.
    ///
    /// # Errors
    /// Those of [`Standardized::new`].
    pub(crate) fn along(
        operation: &'static str,
        matrix: &'a Matrix<'a>,
        weights: Option<&[f64]>,
        centred: bool,
        along: Option<&[f64]>,
    ) -> Result<Standardized<'a>, Error> {
        let total: f64 = weights.map_or(matrix.rows() as f64, |weights| weights.iter().sum());
        // A column stays in the cache from its check to its squares.
        let measure = |(column, values): (usize, &&[f64])| {
            let Sweep { sum, least, greatest } = Sweep::over(values);
            // A sum of cells within bounds is NaN when one of them is.
            if sum.is_nan() || least < -LARGEST || greatest > LARGEST {
                check_finite(operation, column, values)?;
            }
            let mean = match weights {
                _ if !centred => 0.0,
                // A constant column must become exactly 0, not the rounding of its mean.
                _ if least >= greatest => values.first().copied().unwrap_or(0.0),
                None => sum / total,
                Some(weights) => values.iter().zip(weights).map(|(value, weight)| value * (weight / total)).sum(),
            };
            let largest = f64::max((greatest - mean).abs(), (least - mean).abs());
            let scale = if largest > 1e-100 { largest } else { 1.0 };
            let square = sum_of_squares(values, mean, 1.0 / scale);
            let product = along.map_or(0.0, |along| shifted_dot(along, values, mean) / scale);
            Ok(Measures { mean, scale, square, product })
        };
        let measured: Result<Vec<Measures>, Error> = if matrix.rows() * matrix.columns().len() < PARALLEL_CELLS {
            matrix.columns().iter().enumerate().map(measure).collect()
        } else {
            // Of several columns that are refused the first is told.
            let measured: Vec<Result<Measures, Error>> = matrix.columns().par_iter().enumerate().map(measure).collect();
            measured.into_iter().collect()
        };
        let measured = measured?;
        Ok(Standardized {
            matrix,
            means: measured.iter().map(|of| of.mean).collect(),
            scales: measured.iter().map(|of| of.scale).collect(),
            squares: measured.iter().map(|of| of.square).collect(),
            products: measured.iter().map(|of| of.product).collect(),
        })
    }

    pub(crate) fn columns(&self) -> usize {
        self.means.len()
    }

    pub(crate) fn rows(&self) -> usize {
        self.matrix.rows()
    }

    /// Folds `visit(state, rows)` over the blocks of each part of the rows, at most [`BLOCK_ROWS`] each; gives the states
    /// in order.
    pub(crate) fn fold_rows<S: Send>(
        &self,
        start: impl Fn() -> S + Sync,
        visit: impl Fn(&mut S, Range<usize>) + Sync,
    ) -> Vec<S> {
        let rows = self.rows();
        let parts = (rows / PART_ROWS).clamp(1, MOST_PARTS);
        let part = |part: usize| {
            let mut state = start();
            let (mut row, end) = (rows * part / parts, rows * (part + 1) / parts);
            while row < end {
                visit(&mut state, row..(row + BLOCK_ROWS).min(end));
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

    /// Folds `visit(state, rows, block)` as [`Standardized::fold_rows`] does, with a standardized copy of some columns; one
    /// past the last is a column of ones.
    ///
    /// A block holds [`BLOCK_ROWS`] cells (fewer are meant in the last) of one column after another.
    pub(crate) fn fold<S: Send>(
        &self,
        columns: &[usize],
        start: impl Fn() -> S + Sync,
        visit: impl Fn(&mut S, Range<usize>, &[f64]) + Sync,
    ) -> Vec<S> {
        let parts = self.fold_rows(
            || (start(), vec![0.0; BLOCK_ROWS * columns.len()]),
            |(state, block), rows| {
                for (cells, column) in block.chunks_exact_mut(BLOCK_ROWS).zip(columns) {
                    self.copy(*column, rows.clone(), cells);
                }
                visit(state, rows, block);
            },
        );
        parts.into_iter().map(|(state, _)| state).collect()
    }

    /// Adds the terms of `coefficients`, one a column, to the sums of some rows.
    pub(crate) fn add_terms(&self, rows: Range<usize>, coefficients: &[f64], sums: &mut [f64]) {
        let term = |(column, coefficient): (usize, &f64)| {
            let cells = &self.matrix.columns()[column][rows.clone()];
            (cells, self.means[column], coefficient / self.scales[column])
        };
        let used = coefficients[..self.columns()].iter().enumerate().filter(|(_, coefficient)| **coefficient != 0.0);
        let terms: Vec<(&[f64], f64, f64)> = used.map(term).collect();
        // Several columns at once keep the memory busier than one after another.
        let (many, rest) = terms.as_chunks::<SIDE_BY_SIDE>();
        for terms in many {
            add_side_by_side(terms, sums);
        }
        for (cells, mean, factor) in rest {
            sums.iter_mut().zip(*cells).for_each(|(sum, cell)| *sum += (cell - mean) * factor);
        }
    }

    /// Adds the products of each column with `values`, one of each of some rows, to one sum a column.
    pub(crate) fn add_products(&self, rows: Range<usize>, values: &[f64], sums: &mut [f64]) {
        let scales = self.means.iter().zip(&self.scales);
        for ((sum, column), (mean, scale)) in sums.iter_mut().zip(self.matrix.columns()).zip(scales) {
            *sum += shifted_dot(values, &column[rows.clone()], *mean) / scale;
        }
    }

    /// Gives the weighted products of each two of some columns, part of the rows by part.
    pub(crate) fn gram(&self, columns: &[usize], weights: Option<&[f64]>) -> Vec<Symmetric> {
        self.fold(
            columns,
            || Symmetric::new(columns.len()),
            |gram, rows, block| {
                let mut weighted = [0.0; BLOCK_ROWS];
                let weighted = &mut weighted[..rows.len()];
                for (column, cells) in block.chunks_exact(BLOCK_ROWS).enumerate() {
                    weighted.copy_from_slice(&cells[..rows.len()]);
                    if let Some(weights) = weights {
                        weighted.iter_mut().zip(&weights[rows.clone()]).for_each(|(cell, weight)| *cell *= weight);
                    }
                    for (sum, other) in gram.row_mut(column).iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                        *sum += dot(weighted, &other[..rows.len()]);
                    }
                }
            },
        )
    }

    /// Gives about `count` rows, evenly spaced, of every column, standardized.
    pub(crate) fn sample(&self, count: usize) -> Vec<Vec<f64>> {
        let stride = self.rows().div_ceil(count.max(1)).max(1);
        let columns = self.matrix.columns().iter().zip(self.means.iter().zip(&self.scales));
        let sample = |(column, (mean, scale)): (&&[f64], (&f64, &f64))| {
            column.iter().step_by(stride).map(|value| (value - mean) / scale).collect()
        };
        columns.map(sample).collect()
    }

    /// Takes coefficients of the standardized columns and their intercept back to the columns as they are.
    pub(crate) fn restore(&self, coefficients: &[f64], intercept: f64) -> (Vec<f64>, f64) {
        let coefficients: Vec<f64> =
            coefficients.iter().zip(&self.scales).map(|(value, scale)| value / scale).collect();
        let shift: f64 = coefficients.iter().zip(&self.means).map(|(coefficient, mean)| coefficient * mean).sum();
        (coefficients, intercept - shift)
    }

    fn copy(&self, column: usize, rows: Range<usize>, cells: &mut [f64]) {
        let Some(values) = self.matrix.columns().get(column) else { return cells.fill(1.0) };
        let (mean, inverse) = (self.means[column], 1.0 / self.scales[column]);
        for (cell, value) in cells.iter_mut().zip(&values[rows]) {
            *cell = (value - mean) * inverse;
        }
    }
}

/// Adds the terms of several columns, each with its mean and its factor, in their order.
fn add_side_by_side(terms: &[(&[f64], f64, f64); SIDE_BY_SIDE], sums: &mut [f64]) {
    // Runs of cells whose number the compiler knows.
    let (runs, rest) = sums.as_chunks_mut::<LANES>();
    let of_columns = terms.map(|(cells, _, _)| cells.as_chunks::<LANES>());
    for (place, run) in runs.iter_mut().enumerate() {
        for ((cells, _), (_, mean, factor)) in of_columns.iter().zip(terms) {
            for (sum, cell) in run.iter_mut().zip(&cells[place]) {
                *sum += (cell - mean) * factor;
            }
        }
    }
    for ((_, cells), (_, mean, factor)) in of_columns.iter().zip(terms) {
        rest.iter_mut().zip(*cells).for_each(|(sum, cell)| *sum += (cell - mean) * factor);
    }
}

/// Sums that run side by side.
const LANES: usize = 8;

/// Columns that are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// What one look at a column tells.
struct Sweep {
    sum: f64,
    least: f64,
    greatest: f64,
}

impl Sweep {
    fn over(values: &[f64]) -> Sweep {
        let (mut sums, mut least, mut greatest) = ([0.0; LANES], [f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let (runs, rest) = values.as_chunks::<LANES>();
        for run in runs {
            for lane in 0..LANES {
                let value = run[lane];
                sums[lane] += value;
                least[lane] = if value < least[lane] { value } else { least[lane] };
                greatest[lane] = if value > greatest[lane] { value } else { greatest[lane] };
            }
        }
        let ends = |start: f64, pick: fn(f64, f64) -> f64, lanes: [f64; LANES]| {
            lanes.iter().chain(rest).copied().fold(start, pick)
        };
        Sweep {
            sum: sums.iter().sum::<f64>() + rest.iter().sum::<f64>(),
            least: ends(f64::INFINITY, f64::min, least),
            greatest: ends(f64::NEG_INFINITY, f64::max, greatest),
        }
    }
}

fn sum_of_squares(values: &[f64], mean: f64, inverse: f64) -> f64 {
    let mut sums = [0.0; LANES];
    for run in values.chunks(LANES) {
        for (sum, value) in sums.iter_mut().zip(run) {
            let distance = (value - mean) * inverse;
            *sum += distance * distance;
        }
    }
    sums.iter().sum()
}
