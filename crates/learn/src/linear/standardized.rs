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
    /// The product of each standardized column with the values that it was measured along.
    pub(crate) products: Vec<f64>,
    /// Some rows, evenly spaced.
    pub(crate) sample: Sample,
}

/// What a look that measures columns is to gather besides.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    /// Values, one a row, with which each column is multiplied.
    pub(crate) along: Option<&'a [f64]>,
    /// About how many rows are kept as a sample.
    pub(crate) sampled: usize,
}

/// Some rows of standardized columns.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Which rows they are: evenly spaced, and so are their first eighth, their second, and so on.
    pub(crate) rows: Vec<usize>,
    /// What each column has in these rows.
    pub(crate) columns: Vec<Vec<f64>>,
}

struct Measures {
    mean: f64,
    scale: f64,
    square: f64,
    product: f64,
    sample: Vec<f64>,
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
        Standardized::gathering(operation, matrix, weights, centred, &Wanted::default())
    }

    /// Measures the columns as [`Standardized::new`] does, and gathers what is wanted of them.
    ///
    /// # Errors
    /// Those of [`Standardized::new`].
    pub(crate) fn gathering(
        operation: &'static str,
        matrix: &'a Matrix<'a>,
        weights: Option<&[f64]>,
        centred: bool,
        wanted: &Wanted<'_>,
    ) -> Result<Standardized<'a>, Error> {
        let total: f64 = weights.map_or(matrix.rows() as f64, |weights| weights.iter().sum());
        let sum_along: f64 = wanted.along.map_or(0.0, |along| along.iter().sum());
        let sampled = if wanted.sampled > 0 { rows_of_sample(matrix.rows(), wanted.sampled) } else { Vec::new() };
        // A column stays in the cache from its check to its sample.
        let measure = |(column, values): (usize, &&[f64])| {
            let sweep = Sweep::over(values, wanted.along);
            let Sweep { least, greatest, .. } = sweep;
            // A sum of cells within bounds is NaN when one of them is.
            if sweep.sum.is_nan() || least < -LARGEST || greatest > LARGEST {
                check_finite(operation, column, values)?;
            }
            let mean = match weights {
                _ if !centred => 0.0,
                // A constant column must become exactly 0, not the rounding of its mean.
                _ if least >= greatest => sweep.first,
                None => sweep.first + sweep.sum / total,
                Some(weights) => values.iter().zip(weights).map(|(value, weight)| value * (weight / total)).sum(),
            };
            let largest = f64::max((greatest - mean).abs(), (least - mean).abs());
            let scale = if largest > 1e-100 { largest } else { 1.0 };
            let square = sweep.squares_about(mean, values.len() as f64) / scale / scale;
            let product = (sweep.product - (mean - sweep.first) * sum_along) / scale;
            let sample = sampled.iter().map(|row| (values[*row] - mean) / scale).collect();
            // The largest distance alone has the square 1, beside rounding and what is beyond doubles.
            let square = if largest > 1e-100 { square.max(1.0).min(values.len() as f64) } else { 0.0 };
            Ok(Measures { mean, scale, square, product, sample })
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
            sample: Sample { rows: sampled, columns: measured.into_iter().map(|of| of.sample).collect() },
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

    /// Adds the products of each column with two lists of values, as [`Standardized::add_products`] does with one.
    pub(crate) fn add_products_of_two(&self, rows: Range<usize>, values: [&[f64]; 2], sums: [&mut [f64]; 2]) {
        let (columns, rest) = self.matrix.columns().as_chunks::<TOGETHER>();
        let (means, _) = self.means.as_chunks::<TOGETHER>();
        let [ones, others] = sums;
        let mut add = |place: usize, [one, other]: [f64; 2]| {
            ones[place] += one / self.scales[place];
            others[place] += other / self.scales[place];
        };
        for (group, (columns, means)) in columns.iter().zip(means).enumerate() {
            let products = products_of_two(values, columns.map(|column| &column[rows.clone()]), *means);
            products.into_iter().enumerate().for_each(|(at, products)| add(group * TOGETHER + at, products));
        }
        for (column, place) in rest.iter().zip(columns.len() * TOGETHER..) {
            let [products] = products_of_two(values, [&column[rows.clone()]], [self.means[place]]);
            add(place, products);
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

/// Gives about `count` rows, evenly spaced, and so are the first eighth of them, the second, and so on.
fn rows_of_sample(rows: usize, count: usize) -> Vec<usize> {
    let stride = rows.div_ceil(count).max(1);
    (0..EIGHTHS).flat_map(|eighth| (eighth * stride..rows).step_by(EIGHTHS * stride)).collect()
}

/// Adds the terms of several columns, each with its mean and its factor, in their order.
fn add_side_by_side(terms: &[(&[f64], f64, f64); SIDE_BY_SIDE], sums: &mut [f64]) {
    // Runs of cells whose number the compiler knows, so that it keeps their sums in registers.
    let (runs, rest) = sums.as_chunks_mut::<LANES>();
    let of_columns = terms.map(|(cells, _, _)| &cells.as_chunks::<LANES>().0[..runs.len()]);
    for (place, run) in runs.iter_mut().enumerate() {
        let mut sums = *run;
        for (cells, (_, mean, factor)) in of_columns.iter().zip(terms) {
            for (sum, cell) in sums.iter_mut().zip(&cells[place]) {
                *sum += (cell - mean) * factor;
            }
        }
        *run = sums;
    }
    for (cells, mean, factor) in terms {
        let cells = &cells[cells.len() - rest.len()..];
        rest.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += (cell - mean) * factor);
    }
}

/// Gives the products of two lists with what each of several columns is beyond its mean, in a fixed order: two running
/// sums each, then their sum.
fn products_of_two<const COLUMNS: usize>(
    [ones, others]: [&[f64]; 2],
    columns: [&[f64]; COLUMNS],
    means: [f64; COLUMNS],
) -> [[f64; 2]; COLUMNS] {
    // As many running sums as there are registers for.
    let (one_pairs, one_rest) = ones.as_chunks::<2>();
    let (other_pairs, other_rest) = others.as_chunks::<2>();
    let of_columns = columns.map(|cells| &cells.as_chunks::<2>().0[..one_pairs.len()]);
    let mut sums = [[[0.0; 2]; 2]; COLUMNS];
    for (place, (one, other)) in one_pairs.iter().zip(other_pairs).enumerate() {
        for column in 0..COLUMNS {
            let cells = of_columns[column][place];
            for lane in 0..2 {
                let cell = cells[lane] - means[column];
                sums[column][0][lane] += one[lane] * cell;
                sums[column][1][lane] += other[lane] * cell;
            }
        }
    }
    std::array::from_fn(|column| {
        let [one, other] = sums[column].map(|[even, odd]| even + odd);
        let last = columns[column].last().map_or(0.0, |cell| cell - means[column]);
        let rest = |rest: &[f64]| rest.first().map_or(0.0, |value| value * last);
        [one + rest(one_rest), other + rest(other_rest)]
    })
}

/// Sums that run side by side.
const LANES: usize = 16;

/// Columns that are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// Columns that are multiplied with two lists together.
const TOGETHER: usize = 4;

/// Parts of a sample that are evenly spaced themselves.
const EIGHTHS: usize = 8;

/// Sums of each kind that run side by side in a sweep: all of them fit into registers.
const SWEPT: usize = 2;

/// What one look at a column tells; sums are of its cells' distances from the first of them.
struct Sweep {
    first: f64,
    sum: f64,
    squares: f64,
    /// The product with the values that it goes along.
    product: f64,
    least: f64,
    greatest: f64,
}

impl Sweep {
    /// Looks at a column; without values to go along the product means nothing.
    fn over(values: &[f64], along: Option<&[f64]>) -> Sweep {
        // One loop serves both.
        let along = along.unwrap_or(values);
        let first = values.first().copied().unwrap_or(0.0);
        let (mut sums, mut squares, mut products) = ([0.0; SWEPT], [0.0; SWEPT], [0.0; SWEPT]);
        let (mut least, mut greatest) = ([f64::INFINITY; SWEPT], [f64::NEG_INFINITY; SWEPT]);
        let ((runs, rest), (along_runs, along_rest)) = (values.as_chunks::<SWEPT>(), along.as_chunks::<SWEPT>());
        for (run, along) in runs.iter().zip(along_runs) {
            for lane in 0..SWEPT {
                let value = run[lane];
                let distance = value - first;
                sums[lane] += distance;
                squares[lane] += distance * distance;
                products[lane] += along[lane] * distance;
                least[lane] = if value < least[lane] { value } else { least[lane] };
                greatest[lane] = if value > greatest[lane] { value } else { greatest[lane] };
            }
        }
        let rest_of = |term: fn(f64, f64) -> f64| -> f64 {
            rest.iter().zip(along_rest).map(|(value, along)| term(value - first, *along)).sum()
        };
        Sweep {
            first,
            sum: sums.iter().sum::<f64>() + rest_of(|distance, _| distance),
            squares: squares.iter().sum::<f64>() + rest_of(|distance, _| distance * distance),
            product: products.iter().sum::<f64>() + rest_of(|distance, along| along * distance),
            least: least.iter().chain(rest).copied().fold(f64::INFINITY, f64::min),
            greatest: greatest.iter().chain(rest).copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// Gives the sum of squared distances of `rows` cells from `mean`.
    fn squares_about(&self, mean: f64, rows: f64) -> f64 {
        let shift = mean - self.first;
        self.squares - 2.0 * shift * self.sum + rows * shift * shift
    }
}
