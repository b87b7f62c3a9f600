//! Logistic regression.

use super::LinearModel;
use super::descent::{Loss, Value, limited_memory, newton};
use super::standardized::{BLOCK_ROWS, Standardized};
use super::symmetric::{Symmetric, dot};
use crate::error::{check_targets, check_weights};
use crate::{Error, Matrix};

const OPERATION: &str = "logistic regression";

/// The most columns for which the matrix of second derivatives is built and factored.
const NEWTON_COLUMNS: usize = 256;

/// Says how to fit a logistic regression; names and defaults are scikit-learn's.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticParameters {
    /// The inverse of the penalty; above 0, infinite for none.
    pub c: f64,
    /// The most iterations; at least 1.
    pub max_iter: usize,
    /// The largest slope of the mean loss, for columns scaled to within ±1, at which the fit counts as converged; above 0.
    pub tol: f64,
}

impl Default for LogisticParameters {
    fn default() -> LogisticParameters {
        LogisticParameters { c: 1.0, max_iter: 100, tol: 1e-4 }
    }
}

impl LogisticParameters {
    pub(super) fn check(&self) -> Result<(), Error> {
        let rules = [
            ("c", self.c, self.c > 0.0, "above 0"),
            ("tol", self.tol, self.tol.is_finite() && self.tol > 0.0, "above 0"),
            ("max_iter", self.max_iter as f64, self.max_iter >= 1, "at least 1"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((name, value, _, allowed)) => Err(Error::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }
}

/// Minimises `c · Σ weight · log loss + ½ ‖coefficients‖²`; the intercept is not penalised.
///
/// Up to 256 columns by Newton's method, beyond by L-BFGS (Nocedal and Wright: "Numerical Optimization", 2006, chapters
/// 3 and 7). A fit that runs out of iterations is given with `converged: false`.
///
/// # Errors
/// No rows, lengths that differ, cells that are not finite, targets other than 0 and 1, one class, weights that are
/// negative or all zero, parameters outside their range; [`Error::Diverged`] when a number on the way is not finite.
pub fn logistic_regression(
    matrix: &Matrix<'_>,
    targets: &[f64],
    weights: Option<&[f64]>,
    parameters: &LogisticParameters,
) -> Result<LinearModel, Error> {
    parameters.check()?;
    check_targets(OPERATION, targets, matrix.rows(), Some(2))?;
    check_weights(OPERATION, weights, matrix.rows())?;
    matrix.check_finite(OPERATION)?;
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = (0..targets.len()).map(weight).sum();
    let positive: f64 = targets.iter().enumerate().map(|(row, target)| target * weight(row)).sum();
    if positive <= 0.0 || positive >= total {
        return Err(Error::OneClass { operation: OPERATION, class: if positive > 0.0 { 1.0 } else { 0.0 } });
    }
    let columns = Standardized::new(matrix, weights);
    let strength = 1.0 / (parameters.c * total);
    let mut penalties: Vec<f64> = columns.scales.iter().map(|scale| strength / scale / scale).collect();
    penalties.push(0.0);
    let problem = Problem { columns: &columns, targets, weights, total, penalties };
    let mut start = vec![0.0; columns.columns() + 1];
    start[columns.columns()] = libm::log(positive / (total - positive));
    let course = if columns.columns() <= NEWTON_COLUMNS {
        newton(&problem, start, parameters)
    } else {
        limited_memory(&problem, start, parameters)
    };
    let (solution, intercept) = course.point.split_at(columns.columns());
    let (coefficients, intercept) = columns.restore(solution, intercept.iter().sum());
    if course.is_nan || !coefficients.iter().chain([&intercept]).all(|value| value.is_finite()) {
        return Err(Error::Diverged { operation: OPERATION });
    }
    Ok(LinearModel { coefficients, intercept, converged: course.converged, iterations: course.iterations })
}

/// The penalised mean log loss as a function of standardized coefficients, the intercept last.
struct Problem<'a> {
    columns: &'a Standardized<'a>,
    targets: &'a [f64],
    weights: Option<&'a [f64]>,
    total: f64,
    penalties: Vec<f64>,
}

impl Loss for Problem<'_> {
    fn at(&self, point: &[f64], with_curvature: bool) -> Value {
        let size = self.columns.columns();
        let start = || Value {
            loss: 0.0,
            slope: vec![0.0; size + 1],
            curvature: Symmetric::new(if with_curvature { size + 1 } else { 0 }),
        };
        let parts = self.columns.fold(start, |value, rows, block| {
            let length = rows.len();
            let mut slopes = [point[size]; BLOCK_ROWS];
            for (cells, coefficient) in block.chunks_exact(BLOCK_ROWS).zip(point) {
                slopes.iter_mut().zip(cells).for_each(|(margin, cell)| *margin += cell * coefficient);
            }
            let mut bends = [0.0; BLOCK_ROWS];
            for ((slope, bend), row) in slopes.iter_mut().zip(&mut bends).zip(rows) {
                let weight = self.weights.map_or(1.0, |weights| weights[row]);
                let margin = *slope;
                let is_positive = self.targets[row] > 0.5;
                let tail = libm::exp(-margin.abs());
                let (large, small) = (1.0 / (1.0 + tail), tail / (1.0 + tail));
                let (positive, negative) = if margin >= 0.0 { (large, small) } else { (small, large) };
                *slope = if is_positive { -negative } else { positive } * weight;
                *bend = large * small * weight;
                let linear = if is_positive { (-margin).max(0.0) } else { margin.max(0.0) };
                value.loss += (linear + libm::log1p(tail)) * weight;
            }
            let (slopes, bends) = (&slopes[..length], &bends[..length]);
            for (sum, cells) in value.slope.iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                *sum += dot(slopes, &cells[..length]);
            }
            value.slope[size] += slopes.iter().sum::<f64>();
            if !with_curvature {
                return;
            }
            let mut bent = [0.0; BLOCK_ROWS];
            for (column, cells) in block.chunks_exact(BLOCK_ROWS).enumerate() {
                bent.iter_mut().zip(cells.iter().zip(bends)).for_each(|(bent, (cell, bend))| *bent = cell * bend);
                let row = value.curvature.row_mut(column);
                for (sum, other) in row.iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                    *sum += dot(&bent[..length], &other[..length]);
                }
                value.curvature.row_mut(size)[column] += bent[..length].iter().sum::<f64>();
            }
            value.curvature.row_mut(size)[size] += bends.iter().sum::<f64>();
        });
        let mut sum = start();
        for part in parts {
            sum.loss += part.loss;
            sum.slope.iter_mut().zip(part.slope).for_each(|(sum, part)| *sum += part);
            sum.curvature.cells.iter_mut().zip(part.curvature.cells).for_each(|(sum, part)| *sum += part);
        }
        sum.loss /= self.total;
        sum.slope.iter_mut().for_each(|slope| *slope /= self.total);
        sum.curvature.cells.iter_mut().for_each(|cell| *cell /= self.total);
        for (place, (value, penalty)) in point.iter().zip(&self.penalties).enumerate() {
            sum.loss += 0.5 * penalty * value * value;
            sum.slope[place] += penalty * value;
            if with_curvature {
                sum.curvature.add_to_diagonal(place, *penalty);
            }
        }
        sum
    }

    /// Takes every probability to be one half.
    fn rough_inverse_curvature(&self) -> Vec<f64> {
        let rows = self.targets.len() as f64;
        let inverse = |(square, penalty): (f64, &f64)| 1.0 / (0.25 * square / rows + penalty).max(1e-12);
        let squares = self.columns.squares();
        let mut inverses: Vec<f64> = squares.into_iter().zip(&self.penalties).map(inverse).collect();
        inverses.push(4.0);
        inverses
    }
}
