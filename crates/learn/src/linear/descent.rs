//! Descent to the lowest point of a smooth convex loss.

use super::LogisticParameters;
use super::largest;
use super::symmetric::{Symmetric, dot};

/// The pairs that the limited-memory method remembers.
const MEMORY: usize = 20;

/// Both methods go on to this share of the tolerance, which costs Newton's method one step more.
const BEYOND: f64 = 1e-4;

/// The slope that rounding alone leaves; no fit can do better.
const ROUNDING: f64 = 1e-13;

/// The loss at a point, its slope and, where asked for, its second derivatives.
pub(super) struct Value {
    pub(super) loss: f64,
    pub(super) slope: Vec<f64>,
    pub(super) curvature: Symmetric,
}

/// Where a descent ended.
pub(super) struct Course {
    pub(super) point: Vec<f64>,
    pub(super) converged: bool,
    /// Whether the slope where it ended is no number.
    pub(super) is_nan: bool,
    pub(super) iterations: usize,
}

impl Course {
    /// Ends a course of `iterations` at `point`, where the slope is `slope`.
    fn end(point: Vec<f64>, slope: &[f64], iterations: usize, parameters: &LogisticParameters) -> Course {
        let slope = largest(slope);
        Course { point, converged: slope <= parameters.tol.max(ROUNDING), is_nan: slope.is_nan(), iterations }
    }
}

/// A smooth convex loss over points.
pub(super) trait Loss {
    /// Gives loss, slope and, `with_curvature`, second derivatives at a point.
    fn at(&self, point: &[f64], with_curvature: bool) -> Value;

    /// Gives about the inverse of the diagonal of the second derivatives, right up to a factor.
    fn rough_inverse_curvature(&self) -> Vec<f64>;

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

/// Descends by Newton's method.
pub(super) fn newton(problem: &impl Loss, mut point: Vec<f64>, parameters: &LogisticParameters) -> Course {
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

/// Descends by L-BFGS.
pub(super) fn limited_memory(problem: &impl Loss, mut point: Vec<f64>, parameters: &LogisticParameters) -> Course {
    let inverse_curvature = problem.rough_inverse_curvature();
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
