//! The lowest point of a parabola beside an L1 penalty.

use super::largest;
use super::symmetric::Symmetric;

/// Sweeps over all places between two attempts to solve for those that are not 0.
const SWEEPS: usize = 10;

/// The most attempts.
const MOST_ATTEMPTS: usize = 200;

/// The share of the first slope at which the lowest point counts as found.
const TOLERANCE: f64 = 1e-11;

/// Gives how steeply a loss with a slope and `linear` times the absolute value fall together from a point; 0 where it had
/// best stay.
pub(super) fn steepness(at: f64, slope: f64, linear: f64) -> f64 {
    match at {
        0.0 => (slope.abs() - linear).max(0.0),
        _ => (slope + linear * at.signum()).abs(),
    }
}

/// `½ (x − from)ᵀ curvature (x − from) + slopeᵀ (x − from) + Σ linear · |x|`.
pub(super) struct Quadratic {
    pub(super) curvature: Symmetric,
    pub(super) slope: Vec<f64>,
    pub(super) from: Vec<f64>,
    pub(super) linear: Vec<f64>,
}

impl Quadratic {
    /// Finds the lowest point by cyclic coordinate descent (Friedman, Hastie and Tibshirani: "Regularization paths for
    /// generalized linear models via coordinate descent", 2010, section 2), which finds out what is 0, and by solving for
    /// the rest, which coordinates that depend on each other would reach slowly.
    pub(super) fn lowest(&self) -> Vec<f64> {
        let size = self.from.len();
        let mut cells = vec![0.0; size * size];
        for (row, cells) in cells.chunks_exact_mut(size.max(1)).enumerate() {
            cells.iter_mut().enumerate().for_each(|(column, cell)| *cell = self.curvature.cell(row, column));
        }
        let mut at = self.from.clone();
        let mut slope = self.slope.clone();
        let all = at.iter().zip(&slope).zip(&self.linear).map(|((at, slope), linear)| steepness(*at, *slope, *linear));
        let enough = TOLERANCE * largest(&all.collect::<Vec<f64>>());
        for _ in 0..MOST_ATTEMPTS {
            for _ in 0..SWEEPS {
                if self.sweep(&cells, &mut at, &mut slope) <= enough {
                    return at;
                }
            }
            self.solve(&cells, &mut at, &mut slope);
        }
        at
    }

    /// Moves every place to its lowest point while the others stay; gives the largest slope that was met.
    fn sweep(&self, cells: &[f64], at: &mut [f64], slope: &mut [f64]) -> f64 {
        let size = at.len();
        let mut steepest = 0.0f64;
        for place in 0..size {
            let row = &cells[place * size..(place + 1) * size];
            let (bend, linear) = (row[place], self.linear[place]);
            let old = at[place];
            // Nothing holds a place without curvature but its penalty.
            let new = if bend > 0.0 {
                let target = bend * old - slope[place];
                (target.abs() - linear).max(0.0).copysign(target) / bend
            } else if linear > 0.0 {
                0.0
            } else {
                old
            };
            let change = new - old;
            if change != 0.0 {
                steepest = steepest.max((change * bend).abs());
                at[place] = new;
                slope.iter_mut().zip(row).for_each(|(slope, cell)| *slope += change * cell);
            }
        }
        steepest
    }

    /// Goes to the lowest point of what is not 0, or as far as the first of its places becomes 0.
    fn solve(&self, cells: &[f64], at: &mut [f64], slope: &mut [f64]) {
        let size = at.len();
        let is_free =
            |place: &usize| self.curvature.diagonal(*place) > 0.0 && (at[*place] != 0.0 || self.linear[*place] == 0.0);
        let free: Vec<usize> = (0..size).filter(is_free).collect();
        let mut matrix = Symmetric::new(free.len());
        for (row, place) in free.iter().enumerate() {
            let cells = &cells[place * size..(place + 1) * size];
            matrix.row_mut(row).iter_mut().zip(&free).for_each(|(cell, other)| *cell = cells[*other]);
        }
        let down = |place: &usize| {
            let penalty = if self.linear[*place] == 0.0 { 0.0 } else { self.linear[*place].copysign(at[*place]) };
            -(slope[*place] + penalty)
        };
        let step = matrix.factor().solve(&free.iter().map(down).collect::<Vec<f64>>());
        let mut length = 1.0;
        let mut first = None;
        for (place, step) in free.iter().zip(&step).filter(|(place, _)| self.linear[**place] > 0.0) {
            let to_zero = -at[*place] / step;
            if to_zero > 0.0 && to_zero < length {
                (length, first) = (to_zero, Some(*place));
            }
        }
        for (place, step) in free.iter().zip(&step) {
            at[*place] = if first == Some(*place) { 0.0 } else { at[*place] + length * step };
        }
        // From the start again, so that rounding does not add up.
        slope.copy_from_slice(&self.slope);
        for place in 0..size {
            let moved = at[place] - self.from[place];
            let row = &cells[place * size..(place + 1) * size];
            slope.iter_mut().zip(row).for_each(|(slope, cell)| *slope += moved * cell);
        }
    }
}
