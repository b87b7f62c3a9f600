//! A Gaussian process over the cube, which says of each point what loss is likely there, and how surely.
//!
//! Its covariance is the rational quadratic kernel (C. Rasmussen, C. Williams: "Gaussian processes for machine
//! learning", 2006, section 4.2) with a length scale for each coordinate: a mixture of all scales around it, and
//! neither a root nor a power to compute.

use libm::exp;

use super::scales::{Scales, signal};
use super::triangle::{backward, dot, factor, forward};

/// One coordinate of all points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) places: Vec<f64>,
    /// Whether two places only are equal or not.
    pub(super) is_choice: bool,
}

impl Column {
    /// Adds `factor` times the squared distances of `place` to the places from `from` on.
    pub(super) fn add_squares(&self, place: f64, factor: f64, from: usize, squares: &mut [f64]) {
        let pairs = squares.iter_mut().zip(&self.places[from..]);
        if self.is_choice {
            pairs.for_each(|(square, other)| *square += if *other == place { 0.0 } else { factor });
        } else {
            pairs.for_each(|(square, other)| *square += factor * ((place - other) * (place - other)));
        }
    }
}

/// Gives the correlation of points at a squared distance.
pub(super) fn correlation(square: f64) -> f64 {
    let inverse = 1.0 / (1.0 + 0.25 * square);
    inverse * inverse
}

/// Gives the derivative of the correlation.
pub(super) fn slope(square: f64) -> f64 {
    let inverse = 1.0 / (1.0 + 0.25 * square);
    -0.5 * inverse * inverse * inverse
}

/// What losses at some points say of other points.
#[derive(Debug)]
pub(super) struct Process {
    columns: Vec<Column>,
    factors: Vec<f64>,
    /// The factor of the covariance of all points.
    triangle: Vec<f64>,
    /// The losses, multiplied by the inverse of their covariance.
    solved: Vec<f64>,
    signal: f64,
    count: usize,
}

/// A loss that is likely, and how surely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Belief {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

/// Room for numbers that are needed once, and for slopes along the coordinates.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    squares: Vec<f64>,
    solved: Vec<f64>,
    /// Of the mean.
    pub(super) mean: Vec<f64>,
    /// Of the variance.
    pub(super) variance: Vec<f64>,
}

impl Process {
    /// Makes the process of points, of which the first have losses. The others, which are being tried, have the losses
    /// that those foretell, and make it surer around them. None where the covariance has no factor.
    pub(super) fn new(columns: Vec<Column>, losses: &[f64], scales: &Scales) -> Option<Process> {
        let count = columns.first()?.places.len();
        let factors: Vec<f64> = scales.inverse.iter().map(|inverse| exp(*inverse)).collect();
        let mut triangle = vec![0.0; count * count];
        for at in 0..count {
            let entries = &mut triangle[at * count + at..at * count + count];
            for (column, factor) in columns.iter().zip(&factors) {
                column.add_squares(column.places[at], *factor, at, entries);
            }
            entries.iter_mut().for_each(|entry| *entry = correlation(*entry));
            entries[0] += exp(scales.noise);
        }
        if !factor(&mut triangle, count) {
            return None;
        }
        let mut solved = losses.to_vec();
        forward(&triangle, count, 0, &mut solved);
        let signal = signal(dot(&solved, &solved), losses.len());
        backward(&triangle, count, &mut solved);
        Some(Process { columns, factors, triangle, solved, signal, count })
    }

    /// Gives the length scales.
    pub(super) fn lengths(&self) -> Vec<f64> {
        self.factors.iter().map(|factor| libm::sqrt(1.0 / factor)).collect()
    }

    /// Gives the loss that is likely at a point.
    pub(super) fn mean(&self, point: &[f64], scratch: &mut Scratch) -> f64 {
        scratch.squares.clear();
        scratch.squares.resize(self.count, 0.0);
        for ((column, factor), place) in self.columns.iter().zip(&self.factors).zip(point) {
            column.add_squares(*place, *factor, 0, &mut scratch.squares);
        }
        scratch.solved.clear();
        scratch.solved.extend(scratch.squares.iter().map(|square| correlation(*square)));
        dot(&scratch.solved[..self.solved.len()], &self.solved)
    }

    /// Gives the loss that is likely at a point, and how surely.
    pub(super) fn believe(&self, point: &[f64], scratch: &mut Scratch) -> Belief {
        let mean = self.mean(point, scratch);
        forward(&self.triangle, self.count, 0, &mut scratch.solved);
        let variance = self.signal * (1.0 - dot(&scratch.solved, &scratch.solved)).max(1e-12);
        Belief { mean, variance }
    }

    /// As [`Process::mean`], with its slopes; those of choices are 0.
    pub(super) fn mean_slopes(&self, point: &[f64], scratch: &mut Scratch) -> f64 {
        let mean = self.mean(point, scratch);
        scratch.squares.iter_mut().for_each(|square| *square = slope(*square));
        self.slope_mean(point, scratch);
        mean
    }

    /// As [`Process::believe`], with the slopes of both; those of choices are 0.
    pub(super) fn slopes(&self, point: &[f64], scratch: &mut Scratch) -> Belief {
        let belief = self.believe(point, scratch);
        backward(&self.triangle, self.count, &mut scratch.solved);
        for (solved, square) in scratch.solved.iter_mut().zip(&mut scratch.squares) {
            *square = slope(*square);
            *solved *= *square;
        }
        scratch.variance.clear();
        for ((column, factor), place) in self.columns.iter().zip(&self.factors).zip(point) {
            let slope = along(column, *place, &scratch.solved);
            scratch.variance.push(-4.0 * factor * self.signal * slope);
        }
        self.slope_mean(point, scratch);
        belief
    }

    /// Sets the slopes of the mean; the squares are already slopes of the correlation.
    fn slope_mean(&self, point: &[f64], scratch: &mut Scratch) {
        for (square, solved) in scratch.squares.iter_mut().zip(&self.solved) {
            *square *= solved;
        }
        scratch.mean.clear();
        for ((column, factor), place) in self.columns.iter().zip(&self.factors).zip(point) {
            let slope = along(column, *place, &scratch.squares[..self.solved.len()]);
            scratch.mean.push(2.0 * factor * slope);
        }
    }
}

/// Adds weighted differences along a coordinate.
fn along(column: &Column, place: f64, weights: &[f64]) -> f64 {
    if column.is_choice {
        return 0.0;
    }
    super::triangle::sum(weights, &column.places[..weights.len()], |weight, other| weight * (place - other))
}

#[cfg(test)]
mod tests {
    use trainyard_random::Key;

    use super::*;

    #[test]
    fn slopes_are_those_of_mean_and_variance_and_losses_come_back() {
        let mut stream = Key::new(2, "test/process").stream();
        let mut column = || Column { places: (0..17).map(|_| stream.uniform()).collect(), is_choice: false };
        let columns = vec![column(), column()];
        let losses: Vec<f64> = columns[0].places[..14].iter().map(|place| libm::cos(4.0 * place)).collect();
        let scales = Scales { inverse: vec![2.0, 0.5], noise: -12.0 };
        let process = Process::new(columns.clone(), &losses, &scales).unwrap();
        let mut scratch = Scratch::default();
        for (at, loss) in losses.iter().enumerate() {
            let belief = process.believe(&[columns[0].places[at], columns[1].places[at]], &mut scratch);
            assert!((belief.mean - loss).abs() < 1e-3 && belief.variance < 1e-3 * process.signal, "{belief:?}");
        }
        // A point that is being tried has no loss, but is nearly known.
        let tried = process.believe(&[columns[0].places[15], columns[1].places[15]], &mut scratch);
        assert!(tried.variance < 1e-3 * process.signal);
        let point = [0.37, 0.52];
        let belief = process.slopes(&point, &mut scratch);
        let (mean, variance) = (scratch.mean.clone(), scratch.variance.clone());
        assert_eq!(belief.mean, process.mean_slopes(&point, &mut scratch));
        assert_eq!(mean, scratch.mean);
        for at in 0..2 {
            let mut moved = |by: f64| {
                let mut point = point;
                point[at] += by;
                process.believe(&point, &mut scratch)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            let found = ((up.mean - down.mean) / 2e-5, (up.variance - down.variance) / 2e-5);
            assert!((found.0 - mean[at]).abs() < 1e-5 * (1.0 + mean[at].abs()), "{found:?} {mean:?}");
            assert!((found.1 - variance[at]).abs() < 1e-5 * (1.0 + variance[at].abs()), "{found:?} {variance:?}");
        }
    }
}
