//! The point that promises most: drawn anywhere and around the best ones, then climbed to.

use libm::{exp, log, sqrt};
use trainyard_random::{Key, Stream};

use super::cube::Cube;
use super::process::{Belief, Process, Scratch};
use crate::samplers::normal;

/// Points that are drawn anywhere.
const ANYWHERE: usize = 48;
/// Points that are drawn around the best ones, of which each has one moved coordinate at least.
const AROUND: usize = 72;
/// How far, in length scales.
const WIDTHS: [f64; 4] = [0.5, 0.2, 0.07, 0.02];
/// From so many of them is climbed, by so many steps.
const CLIMBS: usize = 3;
const STEPS: usize = 14;

/// What is wanted of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The least loss that is likely.
    Least,
    /// The most that is to be expected below the best.
    Improvement,
}

/// A search for the point that promises most.
pub(super) struct Search<'a> {
    process: &'a Process,
    cube: &'a Cube<'a>,
    goal: Goal,
    /// The points that have losses, the likely best first.
    points: Vec<Vec<f64>>,
    /// The least loss that is likely at one of them: what was seen there may be luck.
    best: f64,
    stream: Stream,
    scratch: Scratch,
    /// What was drawn, and what it promises.
    found: Vec<(f64, Vec<f64>)>,
}

impl<'a> Search<'a> {
    /// Begins a search; `points` are those with losses.
    pub(super) fn new(
        process: &'a Process,
        cube: &'a Cube<'a>,
        points: Vec<Vec<f64>>,
        goal: Goal,
        key: Key,
    ) -> Search<'a> {
        let mut scratch = Scratch::default();
        let mut points: Vec<(f64, Vec<f64>)> =
            points.into_iter().map(|point| (process.mean(&point, &mut scratch), point)).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let best = points.first().map_or(0.0, |point| point.0);
        let points = points.into_iter().map(|(_, point)| point).collect();
        Search { process, cube, goal, points, best, stream: key.stream(), scratch, found: Vec::new() }
    }

    /// Gives points by what they promise, the most first.
    pub(super) fn run(&mut self) -> Vec<Vec<f64>> {
        for _ in 0..ANYWHERE {
            let point = (0..self.cube.dimensions()).map(|at| self.cube.random(at, &mut self.stream)).collect();
            self.consider(point);
        }
        let lengths = self.process.lengths();
        for at in 0..AROUND {
            let point = self.around(at, &lengths);
            self.consider(point);
        }
        self.sort();
        let starts: Vec<Vec<f64>> = self.found.iter().take(CLIMBS).map(|(_, point)| point.clone()).collect();
        for start in starts {
            let point = self.climb(start);
            self.consider(point);
        }
        self.sort();
        self.found.drain(..).map(|(_, point)| point).collect()
    }

    fn sort(&mut self) {
        self.found.sort_by(|one, other| other.0.total_cmp(&one.0));
    }

    /// Adds the point that has values next to `point`.
    fn consider(&mut self, point: Vec<f64>) {
        let point = self.cube.settle(&point);
        let promise = match self.goal {
            Goal::Least => -self.process.mean(&point, &mut self.scratch),
            Goal::Improvement => {
                let belief = self.process.believe(&point, &mut self.scratch);
                self.gain(belief)
            }
        };
        self.found.push((promise, point));
    }

    /// Draws a point around one of the best.
    fn around(&mut self, at: usize, lengths: &[f64]) -> Vec<f64> {
        let (cube, stream) = (self.cube, &mut self.stream);
        let dimensions = cube.dimensions();
        let centre = if at % 3 == 2 { stream.below(self.points.len().min(5) as u64) as usize } else { 0 };
        let mut point = self.points[centre].clone();
        // Many coordinates at once find valleys, few of them what only some depend on.
        let share = [1.0, 0.5, 2.0 / dimensions as f64][stream.below(3) as usize];
        let width = WIDTHS[stream.below(WIDTHS.len() as u64) as usize];
        let always = stream.below(dimensions as u64) as usize;
        for (at, length) in lengths.iter().enumerate() {
            if at == always || stream.uniform() < share {
                cube.perturb(at, &mut point, width * length.min(0.5), stream);
            }
        }
        point
    }

    /// Gives the logarithm of how much below the best is to be expected.
    fn gain(&self, belief: Belief) -> f64 {
        let width = sqrt(belief.variance);
        log(width) + log_gain((self.best - belief.mean) / width)
    }

    /// Climbs along the signs of the slopes, with a step for each coordinate that grows while its sign stays.
    fn climb(&mut self, mut point: Vec<f64>) -> Vec<f64> {
        let (mut steps, mut last) = (vec![0.02; point.len()], vec![0.0; point.len()]);
        let (mut best, mut most) = (point.clone(), f64::NEG_INFINITY);
        let is_free: Vec<bool> = (0..point.len()).map(|at| self.cube.is_free(at, &point)).collect();
        for _ in 0..STEPS {
            let promise = self.slopes(&point);
            if promise > most {
                most = promise;
                best.clone_from(&point);
            }
            for at in (0..point.len()).filter(|&at| is_free[at]) {
                let slope = self.scratch.mean[at];
                let turn = slope * last[at];
                if turn > 0.0 {
                    steps[at] = (steps[at] * 1.5f64).min(0.2);
                } else if turn < 0.0 {
                    steps[at] *= 0.4;
                }
                last[at] = slope;
                if slope != 0.0 {
                    point[at] = (point[at] + steps[at].copysign(slope)).clamp(0.0, 1.0);
                }
            }
        }
        best
    }

    /// Gives what a point promises, and leaves the slopes, up to a positive factor, in the place of the mean's.
    fn slopes(&mut self, point: &[f64]) -> f64 {
        let scratch = &mut self.scratch;
        match self.goal {
            Goal::Least => {
                let mean = self.process.mean_slopes(point, scratch);
                scratch.mean.iter_mut().for_each(|slope| *slope = -*slope);
                -mean
            }
            Goal::Improvement => {
                let belief = self.process.slopes(point, scratch);
                let width = sqrt(belief.variance);
                let z = (self.best - belief.mean) / width;
                // How much the mean counts beside the width: the share below z by the density there.
                let ratio =
                    if z > -30.0 { normal::below(z) / exp(-0.5 * z * z - normal::LOG_ROOT_TAU) } else { -1.0 / z };
                for (mean, variance) in scratch.mean.iter_mut().zip(&scratch.variance) {
                    *mean = variance / (2.0 * width) - ratio.min(1e12) * *mean;
                }
                self.gain(belief)
            }
        }
    }
}

/// Gives the logarithm of the mean of what a standard normal number lies below `z`, 0 where it lies above.
fn log_gain(z: f64) -> f64 {
    if z > -6.0 {
        return log(exp(-0.5 * z * z - normal::LOG_ROOT_TAU) + z * normal::below(z));
    }
    let square = 1.0 / (z * z);
    -0.5 * z * z - normal::LOG_ROOT_TAU + log(square * (1.0 - 3.0 * square + 15.0 * square * square))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_gain_is_the_integral_of_the_share_below() {
        for z in [-9.0, -7.0, -6.5, -5.5, -3.0, 0.0, 2.0] {
            // Simpson's rule over the 12 widths below z.
            let (low, parts) = (z - 12.0, 24_000);
            let step = (z - low) / f64::from(parts);
            let weight = |at: i32| if at == 0 || at == parts { 1.0 } else { 2.0 + 2.0 * f64::from(at % 2) };
            let sum: f64 = (0..=parts).map(|at| weight(at) * normal::below(low + step * f64::from(at))).sum();
            let wanted = log(sum * step / 3.0);
            assert!((log_gain(z) - wanted).abs() < 2e-3, "{z}: {} {wanted}", log_gain(z));
        }
    }
}
