//! Ridge regression.

use super::standardized::{BLOCK_ROWS, Standardized};
use super::symmetric::{Factor, Symmetric, dot};
use super::{LinearModel, largest};
use crate::error::{check_targets, check_weights};
use crate::{Error, Matrix};

const OPERATION: &str = "ridge regression";

/// Corrections after the first solution; each takes away what rounding or a singular matrix left.
const MOST_CORRECTIONS: usize = 20;

/// The last correction, as a share of the solution, with which the fit counts as converged.
const TOLERANCE: f64 = 1e-9;

/// The slope, as a share of the targets' size, that rounding alone leaves; no fit can do better.
const ROUNDING: f64 = 1e-13;

/// Fits least squares with the penalty `alpha · ‖coefficients‖²`; the intercept is not penalised.
///
/// The normal equations of centred, scaled columns are solved by Cholesky and corrected from the residuals of the rows.
/// Where columns are combinations of others and `alpha` is 0, the solution of (nearly) least norm is given. A fit whose
/// corrections did not shrink to rounding is given with `converged: false`, unless the loss is flat where it ended.
///
/// # Errors
/// No rows, lengths that differ, cells or targets that are not finite, weights that are negative or all zero, a negative
/// `alpha`; [`Error::Diverged`] when a number on the way is not finite.
pub fn ridge(matrix: &Matrix<'_>, targets: &[f64], weights: Option<&[f64]>, alpha: f64) -> Result<LinearModel, Error> {
    if !(alpha.is_finite() && alpha >= 0.0) {
        return Err(Error::Parameter { name: "alpha", value: alpha, allowed: "at least 0" });
    }
    check_targets(OPERATION, targets, matrix.rows(), None)?;
    check_weights(OPERATION, weights, matrix.rows())?;
    matrix.check_finite(OPERATION)?;
    let columns = Standardized::new(matrix, weights);
    let penalties = columns.scales.iter().map(|scale| alpha / scale / scale).collect();
    let total = weights.map_or(targets.len() as f64, |weights| weights.iter().sum());
    let problem = Problem { columns: &columns, targets, weights, total, penalties };
    let course = problem.correct(&problem.gram().factor())?;
    let (coefficients, intercept) = columns.restore(&course.solution, course.intercept);
    if !coefficients.iter().chain([&intercept]).all(|value| value.is_finite()) {
        return Err(Error::Diverged { operation: OPERATION });
    }
    Ok(LinearModel { coefficients, intercept, converged: course.converged, iterations: course.iterations })
}

/// Least squares over standardized columns.
struct Problem<'a> {
    columns: &'a Standardized<'a>,
    targets: &'a [f64],
    weights: Option<&'a [f64]>,
    total: f64,
    penalties: Vec<f64>,
}

/// Where the corrections have led.
struct Course {
    solution: Vec<f64>,
    intercept: f64,
    converged: bool,
    iterations: usize,
}

impl Problem<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// Gives the matrix of the normal equations: the columns' weighted products, and the penalties.
    fn gram(&self) -> Symmetric {
        let parts = self.columns.fold(
            || Symmetric::new(self.columns.columns()),
            |gram, rows, block| {
                let length = rows.len();
                let mut weighted = [0.0; BLOCK_ROWS];
                for (column, cells) in block.chunks_exact(BLOCK_ROWS).enumerate() {
                    for ((target, cell), row) in weighted.iter_mut().zip(cells).zip(rows.clone()) {
                        *target = cell * self.weight(row);
                    }
                    let others = block.chunks_exact(BLOCK_ROWS);
                    for (sum, other) in gram.row_mut(column).iter_mut().zip(others) {
                        *sum += dot(&weighted[..length], &other[..length]);
                    }
                }
            },
        );
        let mut gram = Symmetric::new(self.columns.columns());
        for part in parts {
            gram.cells.iter_mut().zip(part.cells).for_each(|(sum, part)| *sum += part);
        }
        for (column, penalty) in self.penalties.iter().enumerate() {
            gram.add_to_diagonal(column, *penalty);
        }
        gram
    }

    /// Gives what the residuals say about each coefficient, penalty included, and the sum of the residuals.
    fn slope(&self, solution: &[f64], intercept: f64) -> (Vec<f64>, f64) {
        let size = solution.len();
        let parts = self.columns.fold(
            || vec![0.0; size + 1],
            |sums, rows, block| {
                let length = rows.len();
                let mut residuals = [0.0; BLOCK_ROWS];
                residuals[..length].copy_from_slice(&self.targets[rows.clone()]);
                residuals.iter_mut().for_each(|residual| *residual -= intercept);
                for (cells, coefficient) in block.chunks_exact(BLOCK_ROWS).zip(solution) {
                    residuals.iter_mut().zip(cells).for_each(|(residual, cell)| *residual -= cell * coefficient);
                }
                residuals.iter_mut().zip(rows).for_each(|(residual, row)| *residual *= self.weight(row));
                for (sum, cells) in sums.iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                    *sum += dot(&residuals[..length], &cells[..length]);
                }
                sums[size] += residuals[..length].iter().sum::<f64>();
            },
        );
        let mut slope = vec![0.0; size + 1];
        for part in parts {
            slope.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        let rest = slope[size];
        slope.truncate(size);
        for ((slope, value), penalty) in slope.iter_mut().zip(solution).zip(&self.penalties) {
            *slope -= value * penalty;
        }
        (slope, rest)
    }

    /// Solves, and corrects the solution until corrections are rounding.
    fn correct(&self, factor: &Factor) -> Result<Course, Error> {
        let share = |(row, target): (usize, &f64)| target * (self.weight(row) / self.total);
        let mean = self.targets.iter().enumerate().map(share).sum::<f64>();
        let flat = self.flat(mean);
        let mut course =
            Course { solution: vec![0.0; self.columns.columns()], intercept: mean, converged: false, iterations: 0 };
        let mut last_step = f64::INFINITY;
        while course.iterations <= MOST_CORRECTIONS {
            course.iterations += 1;
            let (slope, rest) = self.slope(&course.solution, course.intercept);
            course.intercept += rest / self.total;
            let step = factor.solve(&slope);
            let step_size = largest(&step);
            course.converged = step_size <= TOLERANCE * largest(&course.solution) || largest(&slope) <= flat;
            if step_size.is_nan() || course.intercept.is_nan() {
                return Err(Error::Diverged { operation: OPERATION });
            }
            // Corrections shrink until they are rounding; one that does not shrink any more is not worth taking.
            if step_size >= last_step * 0.5 {
                break;
            }
            course.solution.iter_mut().zip(&step).for_each(|(value, step)| *value += step);
            if step_size <= largest(&course.solution) * 1e-16 {
                break;
            }
            last_step = step_size;
        }
        Ok(course)
    }

    /// Gives the slope at which the loss counts as flat; cells are at most 1, so it is a share of the largest slope.
    fn flat(&self, mean: f64) -> f64 {
        let size = |(row, target): (usize, &f64)| self.weight(row) * ((target - mean).abs() + target.abs());
        ROUNDING * self.targets.iter().enumerate().map(size).sum::<f64>()
    }
}
