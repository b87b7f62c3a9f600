//! Ridge regression.

use super::standardized::{BLOCK_ROWS, Standardized};
use super::symmetric::{Symmetric, dot};
use super::{LinearModel, largest};
use crate::error::{check_targets, check_weights};
use crate::{Error, Matrix};

const OPERATION: &str = "ridge regression";

/// The most columns whose normal equations are built: they take the square of that in memory for each part of the rows.
const GRAM_COLUMNS: usize = 1024;

/// The most directions of one solution by conjugate gradients.
const MOST_DIRECTIONS: usize = 2000;

/// The share of the first rest that conjugate gradients leave; corrections take the remainder.
const CONJUGATE_TOLERANCE: f64 = 1e-10;

/// Corrections after the first solution; each takes away what rounding or a singular matrix left.
const MOST_CORRECTIONS: usize = 20;

/// The last correction, as a share of the solution, with which the fit counts as converged.
const TOLERANCE: f64 = 1e-9;

/// The slope, as a share of the targets' size, that rounding alone leaves; no fit can do better.
const ROUNDING: f64 = 1e-13;

/// Fits least squares with the penalty `alpha · ‖coefficients‖²`; the intercept is not penalised.
///
/// The normal equations of centred, scaled columns are solved by Cholesky, or beyond 1,024 columns, where they would be too
/// large, by conjugate gradients without being built; then the solution is corrected from the residuals of the rows.
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
    let columns = Standardized::new(OPERATION, matrix, weights, true)?;
    let penalties = columns.scales.iter().map(|scale| alpha / scale / scale).collect();
    let total = weights.map_or(targets.len() as f64, |weights| weights.iter().sum());
    let problem = Problem { columns: &columns, targets, weights, total, penalties };
    let course = if columns.columns() <= GRAM_COLUMNS {
        let factor = problem.gram().factor();
        problem.correct(|right| factor.solve(right))?
    } else {
        problem.correct(|right| problem.conjugate(right))?
    };
    let (coefficients, intercept) = columns.restore(&course.solution, course.intercept);
    let model = LinearModel { coefficients, intercept, converged: course.converged, iterations: course.iterations };
    if model.is_finite() { Ok(model) } else { Err(Error::Diverged { operation: OPERATION }) }
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
        let columns: Vec<usize> = (0..self.columns.columns()).collect();
        let mut gram = Symmetric::sum(columns.len(), self.columns.gram(&columns, self.weights));
        for (column, penalty) in self.penalties.iter().enumerate() {
            gram.add_to_diagonal(column, *penalty);
        }
        gram
    }

    /// Folds each row's `residual(row, sum of its terms)`, weighted, into one sum a column, and one of all.
    fn products(&self, solution: &[f64], residual: impl Fn(usize, f64) -> f64 + Sync) -> (Vec<f64>, f64) {
        let size = solution.len();
        let parts = self.columns.fold_rows(
            || vec![0.0; size + 1],
            |sums, rows| {
                let mut residuals = [0.0; BLOCK_ROWS];
                let residuals = &mut residuals[..rows.len()];
                self.columns.add_terms(rows.clone(), solution, residuals);
                for (value, row) in residuals.iter_mut().zip(rows.clone()) {
                    *value = residual(row, *value) * self.weight(row);
                }
                self.columns.add_products(rows, residuals, sums);
                sums[size] += residuals.iter().sum::<f64>();
            },
        );
        let mut sums = vec![0.0; size + 1];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        let rest = sums[size];
        sums.truncate(size);
        (sums, rest)
    }

    /// Gives what the residuals say about each coefficient, penalty included, and the sum of the residuals.
    fn slope(&self, solution: &[f64], intercept: f64) -> (Vec<f64>, f64) {
        let (mut slope, rest) = self.products(solution, |row, sum| self.targets[row] - intercept - sum);
        for ((slope, value), penalty) in slope.iter_mut().zip(solution).zip(&self.penalties) {
            *slope -= value * penalty;
        }
        (slope, rest)
    }

    /// Solves the normal equations for another right side without building them (Hestenes and Stiefel: "Methods of
    /// conjugate gradients for solving linear systems", 1952), columns scaled by the diagonal.
    fn conjugate(&self, right: &[f64]) -> Vec<f64> {
        let inverse =
            |(square, penalty): (&f64, &f64)| if square + penalty > 0.0 { 1.0 / (square + penalty) } else { 0.0 };
        let inverse: Vec<f64> = self.columns.squares.iter().zip(&self.penalties).map(inverse).collect();
        let scaled =
            |rest: &[f64]| -> Vec<f64> { rest.iter().zip(&inverse).map(|(rest, inverse)| rest * inverse).collect() };
        let mut solution = vec![0.0; right.len()];
        let mut rest = right.to_vec();
        let mut direction = scaled(&rest);
        let mut size = dot(&rest, &direction);
        let enough = CONJUGATE_TOLERANCE * CONJUGATE_TOLERANCE * size;
        for _ in 0..MOST_DIRECTIONS {
            if size.is_nan() || size <= enough {
                break;
            }
            let (mut bent, _) = self.products(&direction, |_, sum| sum);
            for ((bent, value), penalty) in bent.iter_mut().zip(&direction).zip(&self.penalties) {
                *bent += value * penalty;
            }
            let product = dot(&direction, &bent);
            if product <= 0.0 {
                break;
            }
            let length = size / product;
            solution.iter_mut().zip(&direction).for_each(|(value, direction)| *value += length * direction);
            rest.iter_mut().zip(&bent).for_each(|(rest, bent)| *rest -= length * bent);
            let next = scaled(&rest);
            let next_size = dot(&rest, &next);
            let share = next_size / size;
            direction.iter_mut().zip(&next).for_each(|(direction, next)| *direction = next + share * *direction);
            size = next_size;
        }
        solution
    }

    /// Solves, and corrects the solution until corrections are rounding.
    fn correct(&self, solve: impl Fn(&[f64]) -> Vec<f64>) -> Result<Course, Error> {
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
            let step = solve(&slope);
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
