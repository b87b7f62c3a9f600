//! The best split of a node.

use rayon::prelude::*;

use super::gradients::{Scale, Sums};
use super::histogram::{Column, Layout};
use super::parameters::{CategoryParameters, Monotonic};
use crate::{Binning, CategorySet};

/// Bins of a node below which one thread is faster than several.
const PARALLEL_BINS: usize = 16_384;

/// Bins of a node below which one thread looks at both children.
const PARALLEL_CHILDREN: usize = 4_096;

/// A gain below this share of the children's scores is rounding, not structure.
const NOISE: f64 = 1e-12;

/// What a split must leave on each side, and how it is scored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) scale: Scale,
    pub(crate) min_rows: u64,
    pub(crate) min_hessian: f64,
    /// In units of a quantised gradient.
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    /// The direction of each column; `None` where all are free.
    pub(crate) monotonic: Option<&'a [Monotonic]>,
    pub(crate) categories: &'a CategoryParameters,
    /// Says which columns hold categories.
    pub(crate) binning: &'a Binning,
}

/// What a leaf's value may be, in units of a quantised gradient over a hessian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    pub(crate) const NONE: Bounds = Bounds { low: f64::NEG_INFINITY, high: f64::INFINITY };
}

/// A split of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// The gain in units of squared quantised gradients: comparable within a tree.
    pub(crate) gain: f64,
    pub(crate) column: usize,
    pub(crate) cut: Cut,
    pub(crate) missing_left: bool,
    pub(crate) left: Sums,
    /// What is added to the L2 penalty on the values of both sides.
    pub(crate) l2: f64,
}

/// Says which bins go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cut {
    /// Value bins up to the highest; and whether that is every value bin, so that only missing values go right.
    Bins { highest: u8, all_values: bool },
    /// These bins, that of missing values included.
    Set(CategorySet),
}

/// The best splits of some columns.
#[derive(Default)]
struct Best {
    of_values: Option<Found>,
    of_categories: Option<Split>,
}

/// A split of a column of values, before its gain is known.
struct Found {
    /// The score of both children.
    score: f64,
    column: usize,
    highest: u8,
    all_values: bool,
    missing_left: bool,
    left: Sums,
}

/// Gives the greater of two, the first of equal ones.
fn first_of_greatest<T>(first: Option<T>, second: Option<T>, size: impl Fn(&T) -> f64) -> Option<T> {
    match (first, second) {
        (Some(first), Some(second)) => Some(if size(&second) > size(&first) { second } else { first }),
        (first, second) => first.or(second),
    }
}

impl<'a> Rules<'a> {
    /// Gives the same rules with a greater L2 penalty.
    pub(super) fn stricter(&self, l2: f64) -> Rules<'a> {
        Rules { l2: self.l2 + l2, ..*self }
    }

    /// Gives the gradient of a sum, brought nearer to 0 by the L1 penalty.
    #[inline]
    pub(super) fn gradient(&self, sums: Sums) -> f64 {
        let gradient = sums[0] as f64;
        if self.l1 == 0.0 { gradient } else { gradient.signum() * (gradient.abs() - self.l1).max(0.0) }
    }

    /// Gives the value of a leaf before the learning rate, in units of a quantised gradient over a hessian.
    #[inline]
    fn step(&self, sums: Sums, bounds: Bounds) -> f64 {
        let hessian = self.scale.hessian(sums) + self.l2;
        let step = if hessian > 0.0 { -self.gradient(sums) / hessian } else { 0.0 };
        step.max(bounds.low).min(bounds.high)
    }

    /// Gives the value of a leaf before the learning rate, in units of the margin.
    pub(crate) fn value(&self, sums: Sums, bounds: Bounds) -> f64 {
        self.step(sums, bounds) * self.scale.gradient_unit
    }

    pub(super) fn score(&self, sums: Sums, bounds: Bounds) -> f64 {
        let gradient = self.gradient(sums);
        if self.monotonic.is_some() {
            return -gradient * self.step(sums, bounds);
        }
        let hessian = self.scale.hessian(sums) + self.l2;
        if hessian > 0.0 { gradient * gradient / hessian } else { 0.0 }
    }

    /// Gives the score of two children of bounded values; `None` where they go against `direction`.
    ///
    /// The algorithm is scikit-learn's: children are bounded by the middle of the values on either side of a split on a
    /// column that has a direction.
    pub(super) fn bounded_score(&self, sides: [Sums; 2], direction: Monotonic, bounds: Bounds) -> Option<f64> {
        let [left, right] = sides.map(|sums| self.step(sums, bounds));
        let goes_against = match direction {
            Monotonic::Free => false,
            Monotonic::Increase => left > right,
            Monotonic::Decrease => left < right,
        };
        (!goes_against).then(|| -(self.gradient(sides[0]) * left) - self.gradient(sides[1]) * right)
    }

    /// Gives the bounds of both children of a split, given those of its node.
    pub(crate) fn child_bounds(&self, split: &Split, right: Sums, bounds: Bounds) -> [Bounds; 2] {
        let middle = || self.step(split.left, bounds) * 0.5 + self.step(right, bounds) * 0.5;
        match self.direction(split.column) {
            Monotonic::Free => [bounds; 2],
            Monotonic::Increase => [Bounds { high: middle(), ..bounds }, Bounds { low: middle(), ..bounds }],
            Monotonic::Decrease => [Bounds { low: middle(), ..bounds }, Bounds { high: middle(), ..bounds }],
        }
    }

    fn direction(&self, column: usize) -> Monotonic {
        self.monotonic.and_then(|directions| directions.get(column)).copied().unwrap_or_default()
    }

    /// Finds the best split of each of two nodes, as [`Rules::best`] does; none of one that is absent.
    pub(crate) fn best_of_both(
        &self,
        layout: &Layout<'_>,
        nodes: [Option<(&[Sums], Sums, Bounds)>; 2],
    ) -> [Option<Split>; 2] {
        let best = |node: Option<(&[Sums], Sums, Bounds)>| {
            node.and_then(|(histogram, total, bounds)| self.best(layout, histogram, total, bounds))
        };
        let [left, right] = nodes;
        if layout.length < PARALLEL_CHILDREN || rayon::current_num_threads() == 1 {
            return [best(left), best(right)];
        }
        let (left, right) = rayon::join(|| best(left), || best(right));
        [left, right]
    }

    /// Finds the split of greatest gain; ties go to the lowest column, then the lowest bin, then missing to the right.
    pub(crate) fn best(&self, layout: &Layout<'_>, histogram: &[Sums], total: Sums, bounds: Bounds) -> Option<Split> {
        let is_plain = self.monotonic.is_none() && self.l1 == 0.0;
        let look = |mut best: Best, column: &Column| {
            let bins = &histogram[column.first..column.first + column.value_bins + 1];
            if self.binning.is_categorical(column.index) {
                let split = self.best_of_categories(column.index, bins, total, bounds);
                best.of_categories = first_of_greatest(best.of_categories, split, |split| split.gain);
            } else if is_plain {
                self.scan::<true>(column.index, bins, total, bounds, &mut best.of_values);
            } else {
                self.scan::<false>(column.index, bins, total, bounds, &mut best.of_values);
            }
            best
        };
        // A later column must be strictly better, so the order of columns decides ties, never that of threads.
        let or = |best: Best, later: Best| Best {
            of_values: first_of_greatest(best.of_values, later.of_values, |found| found.score),
            of_categories: first_of_greatest(best.of_categories, later.of_categories, |split| split.gain),
        };
        let best = if layout.length < PARALLEL_BINS || rayon::current_num_threads() == 1 {
            layout.columns.iter().fold(Best::default(), look)
        } else {
            layout.columns.par_iter().with_min_len(16).fold(Best::default, look).reduce(Best::default, or)
        };
        let of_values = best.of_values.and_then(|found| {
            let gain = self.gain(found.score, total, bounds)?;
            let Found { column, highest, all_values, missing_left, left, .. } = found;
            Some(Split { gain, column, cut: Cut::Bins { highest, all_values }, missing_left, left, l2: 0.0 })
        });
        match (of_values, best.of_categories) {
            (Some(first), Some(second)) if second.column < first.column => {
                first_of_greatest(Some(second), Some(first), |split| split.gain)
            }
            (first, second) => first_of_greatest(first, second, |split| split.gain),
        }
    }

    /// Looks at every split of a column of values; keeps in `best` one that is better. `PLAIN` where no column has a
    /// direction and there is no L1 penalty.
    fn scan<const PLAIN: bool>(
        &self,
        column: usize,
        bins: &[Sums],
        total: Sums,
        bounds: Bounds,
        best: &mut Option<Found>,
    ) {
        let Some((missing, values)) = bins.split_last() else { return };
        let rows = self.scale.count(total);
        let has_missing = self.scale.count(*missing) > 0;
        if !has_missing && values.len() < 2 {
            return;
        }
        let direction = if PLAIN { Monotonic::Free } else { self.direction(column) };
        let mut highest = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.score);
        // The bin, whether missing rows go left, and the sums of the left side.
        let mut found: Option<(usize, bool, Sums)> = None;
        // With missing rows the last value bin is a split too: values to the left, missing to the right.
        let ends = [values.len() - usize::from(!has_missing), values.len() - 1];
        for (missing_left, end) in [(false, ends[0]), (true, ends[1])] {
            if missing_left && !has_missing {
                break;
            }
            let mut left = if missing_left { *missing } else { [0; 2] };
            for (bin, sums) in values[..end].iter().enumerate() {
                if sums[1] == 0 {
                    continue;
                }
                left = [left[0] + sums[0], left[1].wrapping_add(sums[1])];
                let left_rows = self.scale.count(left);
                if left_rows < self.min_rows {
                    continue;
                }
                if rows - left_rows < self.min_rows {
                    break;
                }
                let right = [total[0] - left[0], total[1].wrapping_sub(left[1])];
                let (left_hessian, right_hessian) = (self.scale.hessian(left), self.scale.hessian(right));
                if left_hessian < self.min_hessian {
                    continue;
                }
                if right_hessian < self.min_hessian {
                    break;
                }
                let (left_hessian, right_hessian) = (left_hessian + self.l2, right_hessian + self.l2);
                if left_hessian <= 0.0 || right_hessian <= 0.0 {
                    continue;
                }
                let score = if PLAIN {
                    let (left_gradient, right_gradient) = (left[0] as f64, right[0] as f64);
                    left_gradient * left_gradient / left_hessian + right_gradient * right_gradient / right_hessian
                } else if self.monotonic.is_none() {
                    let (left_gradient, right_gradient) = (self.gradient(left), self.gradient(right));
                    left_gradient * left_gradient / left_hessian + right_gradient * right_gradient / right_hessian
                } else {
                    let Some(score) = self.bounded_score([left, right], direction, bounds) else { continue };
                    score
                };
                if score < highest {
                    continue;
                }
                if score > highest || found.is_some_and(|(lowest, ..)| bin < lowest) {
                    highest = score;
                    found = Some((bin, missing_left, left));
                }
            }
        }
        if let Some((bin, missing_left, left)) = found {
            // Without missing rows there is nothing to learn: they follow the larger side.
            let missing_left = if has_missing { missing_left } else { self.scale.count(left) * 2 > rows };
            let all_values = has_missing && !missing_left && bin + 1 == values.len();
            *best = Some(Found { score: highest, column, highest: bin as u8, all_values, missing_left, left });
        }
    }

    /// Gives what the score of two children is above that of their node; `None` where it is not.
    pub(super) fn gain(&self, score: f64, total: Sums, bounds: Bounds) -> Option<f64> {
        let gain = score - self.score(total, bounds);
        if gain.is_nan() || gain <= score.abs() * NOISE { None } else { Some(gain) }
    }
}
