//! Logistic regression of several classes.

use super::LinearModel;
use super::descent::{Loss, Value, limited_memory};
use super::logistic::LogisticParameters;
use super::standardized::{BLOCK_ROWS, Standardized};
use super::symmetric::{Symmetric, dot};
use crate::error::{check_targets, check_weights};
use crate::objective::softmax;
use crate::{Error, Matrix};

const OPERATION: &str = "logistic regression";

/// Minimises `c · Σ weight · log loss of the softmax + ½ ‖coefficients‖²`; intercepts are not penalised.
///
/// Every class has coefficients of its own, as in scikit-learn; the intercepts, which the loss knows only up to a common
/// constant, sum to 0. Targets are the classes' numbers, 0 to `classes` − 1. By L-BFGS (Nocedal and Wright: "Numerical
/// Optimization", 2006, chapter 7). A fit that runs out of iterations is given with `converged: false`.
///
/// # Errors
/// No rows, lengths that differ, cells that are not finite, targets that are no class, a class without rows, weights that
/// are negative or all zero, parameters outside their range; [`Error::Diverged`] when a number on the way is not finite.
pub fn multinomial_regression(
    matrix: &Matrix<'_>,
    targets: &[f64],
    classes: usize,
    weights: Option<&[f64]>,
    parameters: &LogisticParameters,
) -> Result<Vec<LinearModel>, Error> {
    parameters.check()?;
    check_targets(OPERATION, targets, matrix.rows(), Some(classes))?;
    check_weights(OPERATION, weights, matrix.rows())?;
    matrix.check_finite(OPERATION)?;
    let mut of_class = vec![0.0; classes];
    for (row, target) in targets.iter().enumerate() {
        of_class[*target as usize] += weights.map_or(1.0, |weights| weights[row]);
    }
    if let Some(class) = of_class.iter().position(|weight| *weight <= 0.0) {
        return Err(Error::NoRowsOfClass { operation: OPERATION, class });
    }
    let total: f64 = of_class.iter().sum();
    let columns = Standardized::new(matrix, weights);
    let strength = 1.0 / (parameters.c * total);
    let mut penalties: Vec<f64> = columns.scales.iter().map(|scale| strength / scale / scale).collect();
    penalties.push(0.0);
    let size = penalties.len();
    let problem = Problem { columns: &columns, targets, weights, classes, total, penalties };
    let mut start = vec![0.0; classes * size];
    for (point, weight) in start.chunks_exact_mut(size).zip(&of_class) {
        point[size - 1] = libm::log(weight / total);
    }
    let course = limited_memory(&problem, start, parameters);
    let mut models: Vec<LinearModel> = course
        .point
        .chunks_exact(size)
        .map(|point| {
            let (coefficients, intercept) = columns.restore(&point[..size - 1], point[size - 1]);
            LinearModel { coefficients, intercept, converged: course.converged, iterations: course.iterations }
        })
        .collect();
    let shift = models.iter().map(|model| model.intercept).sum::<f64>() / classes as f64;
    models.iter_mut().for_each(|model| model.intercept -= shift);
    let is_finite = |model: &LinearModel| model.coefficients.iter().chain([&model.intercept]).all(|v| v.is_finite());
    if course.is_nan || !models.iter().all(is_finite) {
        return Err(Error::Diverged { operation: OPERATION });
    }
    Ok(models)
}

/// The penalised mean log loss as a function of standardized coefficients: class after class, its intercept last.
struct Problem<'a> {
    columns: &'a Standardized<'a>,
    targets: &'a [f64],
    weights: Option<&'a [f64]>,
    classes: usize,
    total: f64,
    penalties: Vec<f64>,
}

impl Loss for Problem<'_> {
    fn at(&self, point: &[f64], _with_curvature: bool) -> Value {
        let size = self.penalties.len();
        let start = || (0.0, vec![0.0; point.len()], vec![0.0; self.classes * BLOCK_ROWS], vec![0.0; self.classes]);
        let parts = self.columns.fold(start, |(loss, slope, margins, row_of), rows, block| {
            let length = rows.len();
            for (margins, point) in margins.chunks_exact_mut(BLOCK_ROWS).zip(point.chunks_exact(size)) {
                margins.fill(point[size - 1]);
                for (cells, coefficient) in block.chunks_exact(BLOCK_ROWS).zip(point) {
                    margins.iter_mut().zip(cells).for_each(|(margin, cell)| *margin += cell * coefficient);
                }
            }
            // The margins become what each adds to the slope.
            for (place, row) in rows.enumerate() {
                let weight = self.weights.map_or(1.0, |weights| weights[row]);
                let truth = self.targets[row] as usize;
                row_of.iter_mut().enumerate().for_each(|(class, one)| *one = margins[class * BLOCK_ROWS + place]);
                let of_truth = row_of[truth];
                *loss += (softmax(row_of) - of_truth) * weight;
                row_of[truth] -= 1.0;
                for (class, one) in row_of.iter().enumerate() {
                    margins[class * BLOCK_ROWS + place] = one * weight;
                }
            }
            for (slope, margins) in slope.chunks_exact_mut(size).zip(margins.chunks_exact(BLOCK_ROWS)) {
                let margins = &margins[..length];
                for (sum, cells) in slope.iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                    *sum += dot(margins, &cells[..length]);
                }
                slope[size - 1] += margins.iter().sum::<f64>();
            }
        });
        let mut value = Value { loss: 0.0, slope: vec![0.0; point.len()], curvature: Symmetric::new(0) };
        for (loss, slope, ..) in parts {
            value.loss += loss;
            value.slope.iter_mut().zip(slope).for_each(|(sum, part)| *sum += part);
        }
        value.loss /= self.total;
        value.slope.iter_mut().for_each(|slope| *slope /= self.total);
        let penalties = self.penalties.iter().cycle();
        for ((slope, value_at), penalty) in value.slope.iter_mut().zip(point).zip(penalties) {
            value.loss += 0.5 * penalty * value_at * value_at;
            *slope += penalty * value_at;
        }
        value
    }

    /// Takes every class to be as likely as the others.
    fn rough_inverse_curvature(&self) -> Vec<f64> {
        let share = 1.0 / self.classes as f64;
        let bend = share * (1.0 - share);
        let rows = self.targets.len() as f64;
        let inverse = |(square, penalty): (f64, &f64)| 1.0 / (bend * square / rows + penalty).max(1e-12);
        let squares = self.columns.squares().into_iter().chain([rows]);
        let of_class: Vec<f64> = squares.zip(&self.penalties).map(inverse).collect();
        of_class.repeat(self.classes)
    }
}
