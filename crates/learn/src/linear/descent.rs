//! Descent to the lowest point of a smooth convex loss.

use super::largest;
use super::preconditioner::Preconditioner;
use super::symmetric::{Symmetric, dot};

/// The pairs that the limited-memory method remembers.
const MEMORY: usize = 20;

/// Newton's methods go on to this share of the tolerance, which costs one step more.
pub(super) const BEYOND: f64 = 1e-4;

/// The limited-memory method, whose steps gain less, goes on to this share of the tolerance.
const SLOWLY_BEYOND: f64 = 0.1;

/// The slope that rounding alone leaves; no fit can do better.
pub(super) const ROUNDING: f64 = 1e-13;

/// When a descent ends.
pub(super) struct Limits {
    /// The most iterations.
    pub(super) max_iter: usize,
    /// How far from the lowest point it counts as converged.
    pub(super) tol: f64,
}

/// The loss at a point and its slope.
pub(super) struct Value {
    pub(super) loss: f64,
    pub(super) slope: Vec<f64>,
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
    /// Ends a course of `iterations` at `point`, which is as far from the lowest as `distance` says.
    pub(super) fn end(point: Vec<f64>, distance: f64, iterations: usize, limits: &Limits) -> Course {
        Course { point, converged: distance <= limits.tol.max(ROUNDING), is_nan: distance.is_nan(), iterations }
    }
}

/// A smooth convex loss over points.
pub(super) trait Loss {
    /// Gives loss and slope at a point.
    fn at(&self, point: &[f64]) -> Value;

    /// Gives the second derivatives at a point by some of its places.
    fn curvature(&self, point: &[f64], places: &[usize]) -> Symmetric;

    /// Gives the places of a point that may move.
    fn places(&self) -> Vec<usize>;

    /// Walks from `point` along `step`, halving it until the loss falls enough; `None` when it never does.
    fn search(&self, point: &[f64], value: &Value, step: &[f64]) -> Option<(Vec<f64>, Value)> {
        let fall = dot(&value.slope, step);
        let rounding = 4.0 * f64::EPSILON * value.loss.abs();
        let mut length = 1.0;
        while length > 1e-12 {
            let next: Vec<f64> = point.iter().zip(step).map(|(value, step)| value + length * step).collect();
            let there = self.at(&next);
            if there.loss <= value.loss + 1e-4 * length * fall + rounding {
                return Some((next, there));
            }
            length *= 0.5;
        }
        None
    }
}

/// Descends by Newton's method from a point with this value.
pub(super) fn newton(problem: &impl Loss, mut point: Vec<f64>, mut value: Value, limits: &Limits) -> Course {
    let places = problem.places();
    let mut iterations = 0;
    let mut stalled = false;
    while iterations < limits.max_iter && !stalled && largest(&value.slope) > limits.tol * BEYOND {
        iterations += 1;
        let factor = problem.curvature(&point, &places).factor();
        let slope: Vec<f64> = places.iter().map(|place| -value.slope[*place]).collect();
        let mut step = vec![0.0; point.len()];
        places.iter().zip(factor.solve(&slope)).for_each(|(place, change)| step[*place] = change);
        let Some((next, there)) = problem.search(&point, &value, &step) else { break };
        // At the bottom the slope is rounding: it no longer falls, and neither does the loss.
        stalled = there.loss >= value.loss && largest(&there.slope) >= largest(&value.slope);
        if !stalled {
            (point, value) = (next, there);
        }
    }
    Course::end(point, largest(&value.slope), iterations, limits)
}

/// Descends by L-BFGS from a point with this value, and from what `preconditioner` takes the second derivatives to be.
pub(super) fn limited_memory(
    problem: &impl Loss,
    preconditioner: &Preconditioner,
    mut point: Vec<f64>,
    mut value: Value,
    limits: &Limits,
) -> Course {
    let mut pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    let mut iterations = 0;
    while iterations < limits.max_iter && largest(&value.slope) > limits.tol * SLOWLY_BEYOND {
        iterations += 1;
        let mut step: Vec<f64> = value.slope.iter().map(|slope| -slope).collect();
        let mut shares = Vec::with_capacity(pairs.len());
        for (moved, turned, product) in pairs.iter().rev() {
            let share = dot(moved, &step) / product;
            step.iter_mut().zip(turned).for_each(|(step, turned)| *step -= share * turned);
            shares.push(share);
        }
        // The second derivatives are right up to a factor, which the newest pair knows.
        let factor =
            pairs.last().map_or(1.0, |(_, turned, product)| product / dot(turned, &preconditioner.apply(turned)));
        step = preconditioner.apply(&step);
        step.iter_mut().for_each(|step| *step *= factor);
        for ((moved, turned, product), share) in pairs.iter().zip(shares.into_iter().rev()) {
            let back = share - dot(turned, &step) / product;
            step.iter_mut().zip(moved).for_each(|(step, moved)| *step += back * moved);
        }
        let Some((next, there)) = problem.search(&point, &value, &step) else {
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
    Course::end(point, largest(&value.slope), iterations, limits)
}
