//! How far points depend on each other: what makes the losses likeliest.

use libm::{exp, log};

use super::process::{Column, correlation, slope};
use super::triangle::{backward, dot, factor, forward, sum};

/// The steps of the search for scales.
const STEPS: usize = 24;
/// Before any loss is known a length scale is half the diagonal of the cube, give or take these powers of e.
const LENGTH: f64 = 0.5;
const LENGTH_SPREAD: f64 = 1.5;
/// The logarithm of the noise's variance by the signal's, give or take.
const NOISE: f64 = -8.0;
const NOISE_SPREAD: f64 = 3.0;
/// So many trials is it worth that the signal's variance is near that of the losses.
const SIGNAL_WEIGHT: f64 = 2.0;

/// How far points depend on each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scales {
    /// Of each coordinate the logarithm of one by its length scale squared.
    pub(super) inverse: Vec<f64>,
    /// The logarithm of the noise's variance by the signal's.
    pub(super) noise: f64,
}

impl Scales {
    /// Finds the likeliest scales by steps along the signs of the slopes (M. Riedmiller, H. Braun: "A direct adaptive
    /// method for faster backpropagation learning: the RPROP algorithm", 1993), always from the same beginning.
    pub(super) fn fit(columns: &[Column], losses: &[f64]) -> Scales {
        let dimensions = columns.len();
        let mut scales = Scales { inverse: vec![before(dimensions); dimensions], noise: NOISE };
        let (mut best, mut greatest) = (scales.clone(), f64::NEG_INFINITY);
        let (mut steps, mut last) = (vec![0.5; dimensions + 1], vec![0.0; dimensions + 1]);
        let mut fit = Fit::new(columns, losses);
        for _ in 0..STEPS {
            let Some(likelihood) = fit.likelihood(&scales) else { break };
            if likelihood > greatest {
                greatest = likelihood;
                best.clone_from(&scales);
            }
            for (at, slope) in fit.slopes.iter().enumerate() {
                let step = stride(*slope, &mut last[at], &mut steps[at]);
                match scales.inverse.get_mut(at) {
                    Some(inverse) => *inverse = (*inverse + step).clamp(-7.0, 9.0),
                    None => scales.noise = (scales.noise + step).clamp(-13.0, 2.0),
                }
            }
        }
        best
    }
}

/// Gives a step along the sign of a slope: longer while the sign stays, and shorter, after a rest, once it turned.
fn stride(slope: f64, last: &mut f64, step: &mut f64) -> f64 {
    let turn = slope * *last;
    if turn < 0.0 {
        *step *= 0.5;
        *last = 0.0;
        return 0.0;
    }
    if turn > 0.0 {
        *step = (*step * 1.4).min(1.5);
    }
    *last = slope;
    if slope == 0.0 { 0.0 } else { step.copysign(slope) }
}

fn before(dimensions: usize) -> f64 {
    -2.0 * log(LENGTH) - log(dimensions as f64)
}

/// Gives the variance of the signal where the losses, divided by the factor, have this sum of squares.
pub(super) fn signal(squares: f64, count: usize) -> f64 {
    (squares + SIGNAL_WEIGHT) / (count as f64 + SIGNAL_WEIGHT)
}

/// The likelihood of scales, and its slopes.
struct Fit<'a> {
    columns: &'a [Column],
    losses: &'a [f64],
    /// By rows from the diagonal on: squared distances, covariance and its factor, and what the slopes weigh.
    squares: Vec<f64>,
    triangle: Vec<f64>,
    weights: Vec<f64>,
    /// The inverse of the factor by columns.
    inverse: Vec<f64>,
    slopes: Vec<f64>,
}

impl<'a> Fit<'a> {
    fn new(columns: &'a [Column], losses: &'a [f64]) -> Fit<'a> {
        let square = || vec![0.0; losses.len() * losses.len()];
        let slopes = vec![0.0; columns.len() + 1];
        let (squares, triangle, weights, inverse) = (square(), square(), vec![0.0; losses.len()], square());
        Fit { columns, losses, squares, triangle, weights, inverse, slopes }
    }

    /// Gives the logarithm of the likelihood of scales and losses together, but for a constant, and sets the slopes;
    /// none where the covariance has no factor.
    fn likelihood(&mut self, scales: &Scales) -> Option<f64> {
        let count = self.losses.len();
        let factors: Vec<f64> = scales.inverse.iter().map(|inverse| exp(*inverse)).collect();
        let noise = exp(scales.noise);
        for at in 0..count {
            let row = at * count + at..at * count + count;
            let squares = &mut self.squares[row.clone()];
            squares.fill(0.0);
            for (column, factor) in self.columns.iter().zip(&factors) {
                column.add_squares(column.places[at], *factor, at, squares);
            }
            for (entry, square) in self.triangle[row].iter_mut().zip(squares) {
                *entry = correlation(*square);
            }
            self.triangle[at * count + at] += noise;
        }
        if !factor(&mut self.triangle, count) {
            return None;
        }
        let mut solved = self.losses.to_vec();
        forward(&self.triangle, count, 0, &mut solved);
        let signal = signal(dot(&solved, &solved), count);
        backward(&self.triangle, count, &mut solved);
        let determinant: f64 = (0..count).map(|at| log(self.triangle[at * count + at])).sum();
        let likelihood = -0.5 * (count as f64 + SIGNAL_WEIGHT) * log(signal) - determinant;
        for at in 0..count {
            let column = &mut self.inverse[at * count..at * count + count];
            column.fill(0.0);
            column[at] = 1.0;
            forward(&self.triangle, count, at, column);
        }
        self.slope(&solved, signal, &factors, noise);
        Some(likelihood + self.expect(scales))
    }

    /// Sets the slopes of the likelihood of the losses.
    fn slope(&mut self, solved: &[f64], signal: f64, factors: &[f64], noise: f64) {
        let count = self.losses.len();
        self.slopes.fill(0.0);
        for at in 0..count {
            let weights = &mut self.weights[..count - at];
            for (offset, weight) in weights.iter_mut().enumerate() {
                let other = at + offset;
                let rest = |column: usize| &self.inverse[column * count + other..column * count + count];
                *weight = solved[at] * solved[other] / signal - dot(rest(at), rest(other));
            }
            self.slopes[factors.len()] += 0.5 * weights[0] * noise;
            for (weight, square) in weights.iter_mut().zip(&self.squares[at * count + at..]) {
                *weight *= slope(*square);
            }
            for ((column, factor), total) in self.columns.iter().zip(factors).zip(&mut self.slopes) {
                let place = column.places[at];
                let others = &column.places[at..];
                *total += factor
                    * if column.is_choice {
                        sum(weights, others, |weight, other| if other == place { 0.0 } else { weight })
                    } else {
                        sum(weights, others, |weight, other| weight * ((other - place) * (other - place)))
                    };
            }
        }
    }

    /// Gives the logarithm of how likely the scales were before any loss, and adds its slopes.
    fn expect(&mut self, scales: &Scales) -> f64 {
        let before = before(self.columns.len());
        let lengths = scales.inverse.iter().map(|inverse| (inverse - before, LENGTH_SPREAD));
        let away = lengths.chain([(scales.noise - NOISE, NOISE_SPREAD)]);
        let mut likelihood = 0.0;
        for (total, (away, spread)) in self.slopes.iter_mut().zip(away) {
            let away = away / spread;
            *total -= away / spread;
            likelihood -= 0.5 * away * away;
        }
        likelihood
    }
}

#[cfg(test)]
mod tests {
    use trainyard_random::Key;

    use super::*;

    fn columns(count: usize) -> Vec<Column> {
        let mut stream = Key::new(1, "test/scales").stream();
        let mut places = |is_choice| {
            let place = |_| if is_choice { stream.below(3) as f64 } else { stream.uniform() };
            Column { places: (0..count).map(place).collect(), is_choice }
        };
        vec![places(false), places(false), places(true)]
    }

    #[test]
    fn the_slopes_are_those_of_the_likelihood() {
        let columns = columns(23);
        let losses: Vec<f64> =
            (0..23).map(|at| libm::sin(7.0 * columns[0].places[at]) + columns[2].places[at]).collect();
        let scales = Scales { inverse: vec![2.0, 0.5, -0.5], noise: -4.0 };
        let mut fit = Fit::new(&columns, &losses);
        fit.likelihood(&scales).unwrap();
        let slopes = fit.slopes.clone();
        for (at, slope) in slopes.iter().enumerate() {
            let mut moved = |by: f64| {
                let mut scales = scales.clone();
                *scales.inverse.get_mut(at).unwrap_or(&mut scales.noise) += by;
                fit.likelihood(&scales).unwrap()
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-5 * (1.0 + slope.abs()), "{at}: {slope} {difference}");
        }
    }

    #[test]
    fn what_does_not_matter_gets_a_long_scale() {
        let columns = columns(40);
        let losses: Vec<f64> = columns[0].places.iter().map(|place| 12.0 * (place - 0.4) * (place - 0.4)).collect();
        let scales = Scales::fit(&columns, &losses);
        assert!(scales.inverse[0] > scales.inverse[1] + 2.0, "{scales:?}");
        assert!(scales.inverse[0] > scales.inverse[2] + 2.0, "{scales:?}");
    }
}
