//! Ridge regression.

use super::LinearModel;
use super::standardized::{BLOCK_ROWS, Standardized};
use super::symmetric::{Symmetric, dot};
use crate::error::{check_targets, check_weights};
use crate::{Error, Matrix};

const OPERATION: &str = "ridge regression";

/// Corrections after the first solution; each takes away what rounding or a singular matrix left.
const MOST_CORRECTIONS: usize = 20;

/// Fits least squares with the penalty `alpha · ‖coefficients‖²`; the intercept is not penalised.
///
/// The normal equations of centred, scaled columns are solved by Cholesky and corrected from the residuals of the rows.
/// Where columns are combinations of others and `alpha` is 0, the solution of (nearly) least norm is given.
///
/// # Errors
/// No rows, lengths that differ, cells or targets that are not finite, weights that are negative or all zero, a negative
/// `alpha`.
pub fn ridge(matrix: &Matrix<'_>, targets: &[f64], weights: Option<&[f64]>, alpha: f64) -> Result<LinearModel, Error> {
    if !(alpha.is_finite() && alpha >= 0.0) {
        return Err(Error::Parameter { name: "alpha", value: alpha, allowed: "at least 0" });
    }
    check_targets(OPERATION, targets, matrix.rows(), false)?;
    check_weights(OPERATION, weights, matrix.rows())?;
    matrix.check_finite(OPERATION)?;
    let columns = Standardized::new(matrix, weights);
    let size = columns.columns();
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = weights.map_or(targets.len() as f64, |weights| weights.iter().sum());
    let mean = targets.iter().enumerate().map(|(row, target)| target * (weight(row) / total)).sum::<f64>();
    let penalties: Vec<f64> = columns.scales.iter().map(|scale| alpha / scale / scale).collect();

    let grams = columns.fold(
        || Symmetric::new(size),
        |gram, rows, block| {
            let length = rows.len();
            let mut weighted = [0.0; BLOCK_ROWS];
            for (column, cells) in block.chunks_exact(BLOCK_ROWS).enumerate() {
                for ((target, cell), row) in weighted.iter_mut().zip(cells).zip(rows.clone()) {
                    *target = cell * weight(row);
                }
                let others = block.chunks_exact(BLOCK_ROWS);
                for (sum, other) in gram.row_mut(column).iter_mut().zip(others) {
                    *sum += dot(&weighted[..length], &other[..length]);
                }
            }
        },
    );
    let mut gram = Symmetric::new(size);
    for part in grams {
        gram.cells.iter_mut().zip(part.cells).for_each(|(sum, part)| *sum += part);
    }
    for (column, penalty) in penalties.iter().enumerate() {
        gram.add_to_diagonal(column, *penalty);
    }
    let factor = gram.factor();

    let mut solution = vec![0.0; size];
    let mut intercept = mean;
    let mut last_step = f64::INFINITY;
    let mut iterations = 0;
    while iterations <= MOST_CORRECTIONS {
        iterations += 1;
        let parts = columns.fold(
            || vec![0.0; size + 1],
            |sums, rows, block| {
                let length = rows.len();
                let mut residuals = [0.0; BLOCK_ROWS];
                residuals[..length].copy_from_slice(&targets[rows.clone()]);
                residuals.iter_mut().for_each(|residual| *residual -= intercept);
                for (cells, coefficient) in block.chunks_exact(BLOCK_ROWS).zip(&solution) {
                    residuals.iter_mut().zip(cells).for_each(|(residual, cell)| *residual -= cell * coefficient);
                }
                residuals.iter_mut().zip(rows).for_each(|(residual, row)| *residual *= weight(row));
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
        intercept += slope[size] / total;
        slope.truncate(size);
        for ((slope, value), penalty) in slope.iter_mut().zip(&solution).zip(&penalties) {
            *slope -= value * penalty;
        }
        let step = factor.solve(&slope);
        let size_of = |values: &[f64]| values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let step_size = size_of(&step);
        // Corrections shrink until they are rounding; one that does not shrink any more is not worth taking.
        if step_size.is_nan() || step_size >= last_step * 0.5 {
            break;
        }
        solution.iter_mut().zip(&step).for_each(|(value, step)| *value += step);
        if step_size <= size_of(&solution) * 1e-16 {
            break;
        }
        last_step = step_size;
    }
    let (coefficients, intercept) = columns.restore(&solution, intercept);
    Ok(LinearModel { coefficients, intercept, converged: true, iterations })
}
