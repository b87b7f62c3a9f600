//! Descent to the lowest point of a smooth convex loss.

use super::largest;
use super::preconditioner::Preconditioner;
use super::symmetric::{Symmetric, dot};

/// The pairs that the limited-memory method remembers.
const MEMORY: usize = 20;

/// The pairs from which on all of them are asked for the size of second derivatives: the first go along the
/// coefficients themselves, where the loss bends less than elsewhere.
const FEW: usize = 4;

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

/// What is known of where a step ended.
pub(super) struct Arrival {
    pub(super) point: Vec<f64>,
    pub(super) value: Value,
    /// By how much a row bends the loss here, on average.
    pub(super) bend: f64,
    /// The second derivatives here times the step that led here, where they were asked for; else empty.
    pub(super) turned: Vec<f64>,
}

impl Arrival {
    /// Gives what no rows tell.
    pub(super) fn of_no_rows(places: usize) -> Arrival {
        let value = Value { loss: 0.0, slope: vec![0.0; places] };
        Arrival { point: Vec::new(), value, bend: 0.0, turned: vec![0.0; places] }
    }

    /// Adds what more rows tell.
    pub(super) fn add(&mut self, rows: Arrival) {
        self.value.loss += rows.value.loss;
        self.bend += rows.bend;
        self.value.slope.iter_mut().zip(rows.value.slope).for_each(|(sum, part)| *sum += part);
        self.turned.iter_mut().zip(rows.turned).for_each(|(sum, part)| *sum += part);
    }

    /// Turns sums over rows that weigh `total` into how the mean loss bends, with its L2 penalties on the way from
    /// `start` to `point`; the value is left as it is.
    pub(super) fn mean(mut self, point: Vec<f64>, start: Option<&[f64]>, total: f64, penalties: &[f64]) -> Arrival {
        self.bend /= total;
        let moved = start.map(|start| point.iter().zip(start).map(|(point, start)| point - start));
        for ((turned, moved), penalty) in
            self.turned.iter_mut().zip(moved.into_iter().flatten()).zip(penalties.iter().cycle())
        {
            *turned = *turned / total + penalty * moved;
        }
        if start.is_none() {
            self.turned.clear();
        }
        Arrival { point, ..self }
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
}

/// A loss that tells how it bends from the same look at its rows that tells its slope.
pub(super) trait Curved: Loss {
    /// Looks at a point; with a `start`, where nothing but intercepts is not 0, also at how the loss bends along the
    /// step from there.
    fn arrive(&self, point: Vec<f64>, start: Option<&[f64]>) -> Arrival;

    /// Guesses how often the first step is best gone, from a sample of the rows.
    fn length(&self, _point: &[f64], _step: &[f64]) -> f64 {
        1.0
    }
}

/// Walks from `point` along `step`, halving it until the loss that a look tells falls enough; `None` when it never does.
fn search<T>(
    (point, value): (&[f64], &Value),
    step: &[f64],
    look: impl Fn(Vec<f64>) -> T,
    loss: impl Fn(&T) -> f64,
) -> Option<T> {
    let fall = dot(&value.slope, step);
    let rounding = 4.0 * f64::EPSILON * value.loss.abs();
    let mut length = 1.0;
    while length > 1e-12 {
        let there = look(point.iter().zip(step).map(|(value, step)| value + length * step).collect());
        if loss(&there) <= value.loss + 1e-4 * length * fall + rounding {
            return Some(there);
        }
        length *= 0.5;
    }
    None
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
        let look = |next: Vec<f64>| {
            let there = problem.at(&next);
            (next, there)
        };
        let Some((next, there)) = search((&point, &value), &step, look, |(_, there)| there.loss) else { break };
        // At the bottom the slope is rounding: it no longer falls, and neither does the loss.
        stalled = there.loss >= value.loss && largest(&there.slope) >= largest(&value.slope);
        if !stalled {
            (point, value) = (next, there);
        }
    }
    Course::end(point, largest(&value.slope), iterations, limits)
}

/// A step that was gone.
struct Pair {
    moved: Vec<f64>,
    /// The second derivatives times the step, or how the slope changed on the way.
    turned: Vec<f64>,
    /// The product of both.
    product: f64,
    /// The logarithm of the factor by which the preconditioner was right along the step.
    factor: f64,
}

impl Pair {
    /// Gives the step from `before` to `there`; `None` where it says nothing about second derivatives.
    fn between(before: &Arrival, there: &Arrival, preconditioner: &Preconditioner) -> Option<Pair> {
        let moved: Vec<f64> = there.point.iter().zip(&before.point).map(|(there, before)| there - before).collect();
        let turned = if there.turned.is_empty() {
            there.value.slope.iter().zip(&before.value.slope).map(|(there, before)| there - before).collect()
        } else {
            there.turned.clone()
        };
        let product = dot(&moved, &turned);
        let is_bent = product > 1e-10 * dot(&turned, &turned).sqrt() * dot(&moved, &moved).sqrt();
        is_bent.then(|| {
            let factor = libm::log(product / dot(&turned, &preconditioner.apply(&turned)));
            Pair { moved, turned, product, factor }
        })
    }
}

/// Descends by L-BFGS from a start where nothing but intercepts is not 0, and from what `preconditioner` takes the second
/// derivatives to be.
///
/// Of the first step, by far the longest, it remembers how the loss bends where it ended, and not how the slope changed
/// on the way (Byrd, Hansen, Nocedal and Singer: "A stochastic quasi-Newton method for large-scale optimization", 2016,
/// section 2): only this is true of the steps that follow.
pub(super) fn limited_memory(
    problem: &impl Curved,
    preconditioner: &Preconditioner,
    mut here: Arrival,
    limits: &Limits,
) -> Course {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut iterations = 0;
    while iterations < limits.max_iter && largest(&here.value.slope) > limits.tol * SLOWLY_BEYOND {
        iterations += 1;
        let mut step: Vec<f64> = here.value.slope.iter().map(|slope| -slope).collect();
        let mut shares = Vec::with_capacity(pairs.len());
        for pair in pairs.iter().rev() {
            let share = dot(&pair.moved, &step) / pair.product;
            step.iter_mut().zip(&pair.turned).for_each(|(step, turned)| *step -= share * turned);
            shares.push(share);
        }
        // The second derivatives are right up to a factor: what the rows say, later its geometric mean with the pairs'.
        let said = if pairs.len() < FEW { &[] } else { &pairs[..] };
        let sum = libm::log(preconditioner.factor(here.bend)) + said.iter().map(|pair| pair.factor).sum::<f64>();
        let factor = libm::exp(sum / (said.len() + 1) as f64);
        step = preconditioner.apply(&step);
        step.iter_mut().for_each(|step| *step *= factor);
        for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
            let back = share - dot(&pair.turned, &step) / pair.product;
            step.iter_mut().zip(&pair.moved).for_each(|(step, moved)| *step += back * moved);
        }
        if iterations == 1 {
            let length = problem.length(&here.point, &step);
            step.iter_mut().for_each(|step| *step *= length);
        }
        let start = (iterations == 1).then_some(&here.point[..]);
        let look = |next: Vec<f64>| problem.arrive(next, start);
        let Some(there) = search((&here.point, &here.value), &step, look, |there| there.value.loss) else {
            if pairs.is_empty() {
                break;
            }
            // What was remembered misleads: forget it and go straight down.
            pairs.clear();
            continue;
        };
        if let Some(pair) = Pair::between(&here, &there, preconditioner) {
            pairs.push(pair);
            if pairs.len() > MEMORY {
                pairs.remove(0);
            }
        }
        here = there;
    }
    let slope = largest(&here.value.slope);
    Course::end(here.point, slope, iterations, limits)
}
