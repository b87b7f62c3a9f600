//! Logistic regression.

use super::standardized::{BLOCK_ROWS, Standardized};
use super::symmetric::{Symmetric, dot};
use super::{LinearModel, largest};
use crate::error::{check_targets, check_weights};
use crate::{Error, Matrix};

const OPERATION: &str = "logistic regression";

/// The most columns for which the matrix of second derivatives is built and factored.
const NEWTON_COLUMNS: usize = 256;

/// The pairs that the limited-memory method remembers.
const MEMORY: usize = 20;

/// Both methods go on to this share of the tolerance, which costs Newton's method one step more.
const BEYOND: f64 = 1e-4;

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
    let rules = [
        ("c", parameters.c, parameters.c > 0.0, "above 0"),
        ("tol", parameters.tol, parameters.tol.is_finite() && parameters.tol > 0.0, "above 0"),
        ("max_iter", parameters.max_iter as f64, parameters.max_iter >= 1, "at least 1"),
    ];
    if let Some((name, value, _, allowed)) = rules.into_iter().find(|(_, _, holds, _)| !holds) {
        return Err(Error::Parameter { name, value, allowed });
    }
    check_targets(OPERATION, targets, matrix.rows(), true)?;
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

/// The loss at a point, its slope and, where asked for, its second derivatives.
struct Value {
    loss: f64,
    slope: Vec<f64>,
    curvature: Symmetric,
}

struct Course {
    point: Vec<f64>,
    converged: bool,
    /// Whether the slope where it ended is no number.
    is_nan: bool,
    iterations: usize,
}

impl Course {
    /// Ends a course of `iterations` at `point`, where the slope is `slope`.
    fn end(point: Vec<f64>, slope: &[f64], iterations: usize, parameters: &LogisticParameters) -> Course {
        let slope = largest(slope);
        Course { point, converged: slope <= parameters.tol.max(ROUNDING), is_nan: slope.is_nan(), iterations }
    }
}

impl Problem<'_> {
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

    /// Walks from `point` along `step`, halving it until the loss falls enough; `None` when it never does.
    fn search(&self, point: &[f64], value: &Value, step: &[f64], with_curvature: bool) -> Option<(Vec<f64>, Value)> {
        let fall = dot(&value.slope, step);
        let rounding = 4.0 * f64::EPSILON * value.loss.abs();
        let mut length = 1.0;
        while length > 1e-12 {
            let next: Vec<f64> = point.iter().zip(step).map(|(value, step)| value + length * step).collect();
            let there = self.at(&next, with_curvature);
            if there.loss <= value.loss + 1e-4 * length * fall + rounding {
                return Some((next, there));
            }
            length *= 0.5;
        }
        None
    }
}

fn newton(problem: &Problem<'_>, mut point: Vec<f64>, parameters: &LogisticParameters) -> Course {
    let mut value = problem.at(&point, true);
    let mut iterations = 0;
    let mut stalled = false;
    while iterations < parameters.max_iter && !stalled && largest(&value.slope) > parameters.tol * BEYOND {
        iterations += 1;
        let factor = value.curvature.factor();
        let mut step = factor.solve(&value.slope);
        step.iter_mut().for_each(|step| *step = -*step);
        let Some((next, there)) = problem.search(&point, &value, &step, true) else { break };
        // At the bottom the slope is rounding: it no longer falls, and neither does the loss.
        stalled = there.loss >= value.loss && largest(&there.slope) >= largest(&value.slope);
        if !stalled {
            (point, value) = (next, there);
        }
    }
    Course::end(point, &value.slope, iterations, parameters)
}

/// The slope that rounding alone leaves; no fit can do better.
const ROUNDING: f64 = 1e-13;

fn limited_memory(problem: &Problem<'_>, mut point: Vec<f64>, parameters: &LogisticParameters) -> Course {
    let inverse_curvature = rough_inverse_curvature(problem);
    let mut value = problem.at(&point, false);
    let mut pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    let mut iterations = 0;
    while iterations < parameters.max_iter && largest(&value.slope) > parameters.tol * BEYOND {
        iterations += 1;
        let mut step: Vec<f64> = value.slope.iter().map(|slope| -slope).collect();
        let mut shares = Vec::with_capacity(pairs.len());
        for (moved, turned, product) in pairs.iter().rev() {
            let share = dot(moved, &step) / product;
            step.iter_mut().zip(turned).for_each(|(step, turned)| *step -= share * turned);
            shares.push(share);
        }
        // The diagonal is right up to a factor, which the newest pair knows.
        let factor = pairs.last().map_or(1.0, |(_, turned, product)| {
            let bent: f64 =
                turned.iter().zip(&inverse_curvature).map(|(turned, inverse)| turned * turned * inverse).sum();
            product / bent
        });
        step.iter_mut().zip(&inverse_curvature).for_each(|(step, inverse)| *step *= inverse * factor);
        for ((moved, turned, product), share) in pairs.iter().zip(shares.into_iter().rev()) {
            let back = share - dot(turned, &step) / product;
            step.iter_mut().zip(moved).for_each(|(step, moved)| *step += back * moved);
        }
        let Some((next, there)) = problem.search(&point, &value, &step, false) else {
            if pairs.is_empty() {
                break;
            }
            // What was remembered misleads: forget it and go straight down.
            pairs.clear();
            continue;
        };
        let moved: Vec<f64> = next.iter().zip(&point).map(|(next, point)| next - point).collect();
        let turned: Vec<f64> = there.slope.iter().zip(&value.slope).map(|(next, slope)| next - slope).collect();
        let product = dot(&moved, &turned);
        if product > 1e-10 * dot(&turned, &turned).sqrt() * dot(&moved, &moved).sqrt() {
            pairs.push((moved, turned, product));
            if pairs.len() > MEMORY {
                pairs.remove(0);
            }
        }
        (point, value) = (next, there);
    }
    Course::end(point, &value.slope, iterations, parameters)
}

/// Gives the inverse of the diagonal of the second derivatives where every probability is one half.
fn rough_inverse_curvature(problem: &Problem<'_>) -> Vec<f64> {
    let size = problem.columns.columns();
    let parts = problem.columns.fold(
        || vec![0.0; size],
        |sums, rows, block| {
            for (sum, cells) in sums.iter_mut().zip(block.chunks_exact(BLOCK_ROWS)) {
                *sum += dot(&cells[..rows.len()], &cells[..rows.len()]);
            }
        },
    );
    let mut sums = vec![0.0; size];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, part): (&mut f64, f64)| *sum += part);
    }
    let rows = problem.targets.len() as f64;
    let inverse = |(sum, penalty): (&f64, &f64)| 1.0 / (0.25 * sum / rows + penalty).max(1e-12);
    let mut inverses: Vec<f64> = sums.iter().zip(&problem.penalties).map(inverse).collect();
    inverses.push(4.0);
    inverses
}
