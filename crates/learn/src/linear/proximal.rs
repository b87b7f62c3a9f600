//! Descent where the penalty has a corner at 0.

use super::descent::{BEYOND, Course, Limits, Loss, Value};
use super::largest;
use super::quadratic::{Quadratic, steepness};

/// The most places that move in one iteration; what bounds the matrix of second derivatives.
const MOST_PLACES: usize = 1024;

/// The fewest places that may move in one iteration.
const FEWEST_PLACES: usize = 64;

/// A smooth convex loss beside an L1 penalty.
pub(super) trait Penalised: Loss {
    /// Gives what multiplies the absolute value at a place.
    fn linear(&self, place: usize) -> f64;

    /// Says how far a point is from the lowest; `worst` is the largest slope of loss and penalty together.
    fn distance(&self, _point: &[f64], _value: &Value, worst: f64) -> f64 {
        worst
    }

    /// Gives loss and penalty together.
    fn whole(&self, point: &[f64], value: &Value) -> f64 {
        value.loss + point.iter().enumerate().map(|(place, value)| self.linear(place) * value.abs()).sum::<f64>()
    }
}

/// Descends by a proximal Newton's method: each iteration finds the lowest point of the penalty and of the loss's parabola.
///
/// Only what is not 0, or falls from there, moves: the second derivatives of other places are never looked at. Where more
/// than 1,024 places would move, those of the steepest fall do. It begins at a point with this value.
pub(super) fn proximal_newton(
    problem: &impl Penalised,
    mut point: Vec<f64>,
    mut value: Value,
    limits: &Limits,
) -> Course {
    let places = problem.places();
    let mut iterations = 0;
    loop {
        let steepness = all_steepness(problem, &places, &point, &value);
        let distance = distance(problem, &point, &value, &steepness);
        // NaN ends the course as well.
        if iterations == limits.max_iter || distance.is_nan() || distance <= limits.tol * BEYOND {
            return Course::end(point, distance, iterations, limits);
        }
        iterations += 1;
        let moving = moving(problem, &places, &point, &steepness);
        let quadratic = Quadratic {
            curvature: problem.curvature(&point, &moving),
            slope: moving.iter().map(|place| value.slope[*place]).collect(),
            from: moving.iter().map(|place| point[*place]).collect(),
            linear: moving.iter().map(|place| problem.linear(*place)).collect(),
        };
        let lowest = quadratic.lowest();
        let Some((next, there)) = search(problem, &point, &value, &moving, &lowest) else {
            return Course::end(point, distance, iterations, limits);
        };
        // At the bottom steps are rounding: they no longer lower anything.
        let next_distance = self::distance(problem, &next, &there, &all_steepness(problem, &places, &next, &there));
        let stalled = problem.whole(&next, &there) >= problem.whole(&point, &value) && next_distance >= distance;
        if stalled {
            return Course::end(point, distance, iterations, limits);
        }
        (point, value) = (next, there);
    }
}

fn all_steepness(problem: &impl Penalised, places: &[usize], point: &[f64], value: &Value) -> Vec<f64> {
    places.iter().map(|place| steepness(point[*place], value.slope[*place], problem.linear(*place))).collect()
}

fn distance(problem: &impl Penalised, point: &[f64], value: &Value, steepness: &[f64]) -> f64 {
    let slope = largest(&value.slope);
    if slope.is_nan() { slope } else { problem.distance(point, value, largest(steepness)) }
}

/// Gives the places that move next, in their order.
fn moving(problem: &impl Penalised, places: &[usize], point: &[f64], steepness: &[f64]) -> Vec<usize> {
    let is_used = |place: usize| point[place] != 0.0 || problem.linear(place) == 0.0;
    let used = places.iter().filter(|place| is_used(**place)).count();
    let mut moving: Vec<(f64, usize)> = steepness
        .iter()
        .zip(places)
        .map(|(steepness, place)| (*steepness, *place))
        .filter(|(steepness, place)| *steepness > 0.0 || is_used(*place))
        .collect();
    let most = (2 * used).clamp(FEWEST_PLACES, MOST_PLACES);
    if moving.len() > most {
        // What is used comes first, as long as all of it fits: it may have to make room for what joins.
        let rank = |(steepness, place): &(f64, usize)| {
            if used < most && is_used(*place) { f64::INFINITY } else { *steepness }
        };
        moving.sort_by(|one, other| rank(other).total_cmp(&rank(one)).then(one.1.cmp(&other.1)));
        moving.truncate(most);
    }
    let mut moving: Vec<usize> = moving.into_iter().map(|(_, place)| place).collect();
    moving.sort_unstable();
    moving
}

/// Walks towards the lowest point of the parabola, halving the way until loss and penalty fall enough; `None` when they
/// never do.
fn search(
    problem: &impl Penalised,
    point: &[f64],
    value: &Value,
    moving: &[usize],
    lowest: &[f64],
) -> Option<(Vec<f64>, Value)> {
    let whole = problem.whole(point, value);
    let fall: f64 = moving
        .iter()
        .zip(lowest)
        .map(|(place, lowest)| {
            let from = point[*place];
            value.slope[*place] * (lowest - from) + problem.linear(*place) * (lowest.abs() - from.abs())
        })
        .sum();
    let rounding = 4.0 * f64::EPSILON * whole.abs();
    let mut length = 1.0;
    while length > 1e-12 {
        let mut next = point.to_vec();
        for (place, lowest) in moving.iter().zip(lowest) {
            // The whole way ends exactly where it should, at 0 above all.
            next[*place] = if length == 1.0 { *lowest } else { point[*place] + length * (lowest - point[*place]) };
        }
        let there = problem.at(&next);
        if problem.whole(&next, &there) <= whole + 1e-4 * length * fall.min(0.0) + rounding {
            return Some((next, there));
        }
        length *= 0.5;
    }
    None
}
