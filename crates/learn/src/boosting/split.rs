//! The best split of a node.

use rayon::prelude::*;

use super::gradients::{Scale, Sums};
use super::histogram::{Column, Layout};
use super::parameters::{CategoryParameters, Monotonic};
use crate::widest::{Work, widest};
use crate::{Binning, CategorySet};

/// Bins of a node below which one thread is faster than several.
const PARALLEL_BINS: usize = 16_384;

/// Bins of a node below which one thread looks at both children.
const PARALLEL_CHILDREN: usize = 4_096;

/// A gain below this share of the children's scores is rounding, not structure.
const NOISE: f64 = 1e-12;

/// A split whose score, without rounding, would be below this share of the best is worse than it with rounding too.
const NEARLY: f64 = 1.0 - 1e-9;

/// Bins that are judged side by side, and how many make that worth while.
const LANES: usize = 4;
const MANY_BINS: usize = 24;

/// Rows up to which a sum of gradients is below 2^51.
const FEW_ROWS: u64 = 1 << 20;

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
#[derive(Debug, Clone, PartialEq)]
struct Found {
    /// The score of both children.
    score: f64,
    column: usize,
    highest: u8,
    all_values: bool,
    missing_left: bool,
    left: Sums,
}

/// Working space: what lies to the left of each bin of a column, and of it.
type Lefts = [Sums; 256];

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
        let look = |mut best: Best, column: &Column| {
            self.look(&mut best, column, histogram, total, bounds, &mut [[0; 2]; 256]);
            best
        };
        // A later column must be strictly better, so the order of columns decides ties, never that of threads.
        let or = |best: Best, later: Best| Best {
            of_values: first_of_greatest(best.of_values, later.of_values, |found| found.score),
            of_categories: first_of_greatest(best.of_categories, later.of_categories, |split| split.gain),
        };
        let best = if layout.length < PARALLEL_BINS || rayon::current_num_threads() == 1 {
            widest(Look { rules: self, layout, histogram, total, bounds })
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

    /// Looks at the splits of a column.
    #[inline(always)]
    fn look(
        &self,
        best: &mut Best,
        column: &Column,
        histogram: &[Sums],
        total: Sums,
        bounds: Bounds,
        lefts: &mut Lefts,
    ) {
        let bins = &histogram[column.first..column.first + column.value_bins + 1];
        if self.binning.is_categorical(column.index) {
            let split = self.best_of_categories(column.index, bins, total, bounds);
            best.of_categories = first_of_greatest(best.of_categories, split, |split| split.gain);
        } else if self.monotonic.is_some() || self.l1 != 0.0 {
            self.scan(column.index, bins, total, bounds, &mut best.of_values);
        } else if column.value_bins < MANY_BINS || self.scale.count(total) >= FEW_ROWS {
            self.scan_plain(column.index, bins, total, &mut best.of_values);
        } else {
            self.scan_many(column.index, bins, total, &mut best.of_values, lefts);
        }
    }

    /// Looks at every split of a column of values; keeps in `best` one that is better.
    fn scan(&self, column: usize, bins: &[Sums], total: Sums, bounds: Bounds, best: &mut Option<Found>) {
        let Some((missing, values)) = bins.split_last() else { return };
        let rows = self.scale.count(total);
        let has_missing = self.scale.count(*missing) > 0;
        if !has_missing && values.len() < 2 {
            return;
        }
        let direction = self.direction(column);
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
                let score = if self.monotonic.is_none() {
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
        if let Some(place) = found {
            *best = Some(self.found(column, values.len(), has_missing, rows, highest, place));
        }
    }

    /// Does what [`Rules::scan`] does where no column has a direction and there is no L1 penalty, several times faster: a
    /// split that is clearly worse than the best so far is passed over without a division and without a branch on whether
    /// its bin is empty.
    #[inline(always)]
    fn scan_plain(&self, column: usize, bins: &[Sums], total: Sums, best: &mut Option<Found>) {
        let Some((missing, values)) = bins.split_last() else { return };
        let rows = self.scale.count(total);
        let has_missing = self.scale.count(*missing) > 0;
        if !has_missing && values.len() < 2 {
            return;
        }
        let mut highest = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.score);
        let mut found: Option<(usize, bool, Sums)> = None;
        let ends = [values.len() - usize::from(!has_missing), values.len() - 1];
        let most_left_rows = rows.saturating_sub(self.min_rows);
        for (missing_left, end) in [(false, ends[0]), (true, ends[1])] {
            if missing_left && !has_missing {
                break;
            }
            let mut left = if missing_left { *missing } else { [0; 2] };
            // An empty bin splits as the one before it does, which came first; before the first there is none.
            let Some(first) = values[..end].iter().position(|sums| sums[1] != 0) else { continue };
            let mut bins = values[first..end].iter().enumerate();
            // Up to the fewest rows of a side.
            let mut at = loop {
                let Some((place, sums)) = bins.next() else { break None };
                left = [left[0] + sums[0], left[1].wrapping_add(sums[1])];
                if self.scale.count(left) >= self.min_rows {
                    break Some(place);
                }
            };
            while let Some(place) = at {
                if self.scale.count(left) > most_left_rows {
                    break;
                }
                let right = [total[0] - left[0], total[1].wrapping_sub(left[1])];
                let (left_hessian, right_hessian) = (self.scale.hessian(left), self.scale.hessian(right));
                if right_hessian < self.min_hessian {
                    break;
                }
                let enough = left_hessian >= self.min_hessian;
                let (left_hessian, right_hessian) = (left_hessian + self.l2, right_hessian + self.l2);
                let (left_gradient, right_gradient) = (left[0] as f64, right[0] as f64);
                let (left_square, right_square) = (left_gradient * left_gradient, right_gradient * right_gradient);
                let across = left_square * right_hessian + right_square * left_hessian;
                let bar = highest * (left_hessian * right_hessian) * NEARLY;
                // Written so that a bar that is no number passes nothing over.
                let is_worse = across < bar;
                if enough & !is_worse && left_hessian > 0.0 && right_hessian > 0.0 {
                    let score = left_square / left_hessian + right_square / right_hessian;
                    let bin = first + place;
                    let is_first = score == highest && found.is_some_and(|(lowest, ..)| bin < lowest);
                    if score > highest || is_first {
                        highest = score;
                        found = Some((bin, missing_left, left));
                    }
                }
                at = bins.next().map(|(place, sums)| {
                    left = [left[0] + sums[0], left[1].wrapping_add(sums[1])];
                    place
                });
            }
        }
        if let Some(place) = found {
            *best = Some(self.found(column, values.len(), has_missing, rows, highest, place));
        }
    }

    /// Does what [`Rules::scan_plain`] does, several splits side by side: of those, few are not clearly worse than the
    /// best so far, and only then is one after another looked at.
    #[inline(always)]
    fn scan_many(&self, column: usize, bins: &[Sums], total: Sums, best: &mut Option<Found>, lefts: &mut Lefts) {
        let Some((missing, values)) = bins.split_last() else { return };
        let rows = self.scale.count(total);
        let has_missing = self.scale.count(*missing) > 0;
        let Some(first) = values.iter().position(|sums| sums[1] != 0) else { return };
        let all = [total[0] as f64, self.scale.hessian(total)];
        let mut highest = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.score);
        let mut found: Option<(usize, bool, Sums)> = None;
        let ends = [values.len() - usize::from(!has_missing), values.len() - 1];
        let most_left_rows = rows.saturating_sub(self.min_rows);
        for (missing_left, end) in [(false, ends[0]), (true, ends[1])] {
            if missing_left && !has_missing {
                break;
            }
            let mut left = if missing_left { *missing } else { [0; 2] };
            for (place, sums) in lefts.iter_mut().zip(&values[..end]) {
                left = [left[0] + sums[0], left[1].wrapping_add(sums[1])];
                *place = left;
            }
            // Rows to the left grow from bin to bin.
            let rows_left = |sums: &Sums| self.scale.count(*sums);
            let from = lefts[..end].partition_point(|sums| rows_left(sums) < self.min_rows).max(first);
            let to = lefts[..end].partition_point(|sums| rows_left(sums) <= most_left_rows);
            let mut start = from;
            while start < to {
                // The last bins are looked at with some before them, which changes nothing.
                let window = start.min(256 - LANES);
                let Some(side) = lefts[window..].first_chunk::<LANES>() else { break };
                let judged = Judged::of(self, side, all);
                if judged.may_beat(highest, self.min_hessian) {
                    for lane in start - window..LANES.min(to - window) {
                        let Some(score) = judged.score(lane, highest, self.min_hessian) else { continue };
                        let bin = window + lane;
                        if score > highest || score == highest && found.is_some_and(|(lowest, ..)| bin < lowest) {
                            highest = score;
                            found = Some((bin, missing_left, lefts[bin]));
                        }
                    }
                }
                start = window + LANES;
            }
        }
        if let Some(place) = found {
            *best = Some(self.found(column, values.len(), has_missing, rows, highest, place));
        }
    }

    /// Describes the best split of a column: its bin, whether missing rows go left, and the sums of the left side.
    fn found(
        &self,
        column: usize,
        values: usize,
        has_missing: bool,
        rows: u64,
        score: f64,
        (bin, missing_left, left): (usize, bool, Sums),
    ) -> Found {
        // Without missing rows there is nothing to learn: they follow the larger side.
        let missing_left = if has_missing { missing_left } else { self.scale.count(left) * 2 > rows };
        let all_values = has_missing && !missing_left && bin + 1 == values;
        Found { score, column, highest: bin as u8, all_values, missing_left, left }
    }

    /// Gives what the score of two children is above that of their node; `None` where it is not.
    pub(super) fn gain(&self, score: f64, total: Sums, bounds: Bounds) -> Option<f64> {
        let gain = score - self.score(total, bounds);
        if gain.is_nan() || gain <= score.abs() * NOISE { None } else { Some(gain) }
    }
}

/// The look at all columns of a node by one thread.
struct Look<'a, 'r> {
    rules: &'a Rules<'r>,
    layout: &'a Layout<'a>,
    histogram: &'a [Sums],
    total: Sums,
    bounds: Bounds,
}

impl Work for Look<'_, '_> {
    type Output = Best;

    #[inline(always)]
    fn run(self) -> Best {
        let (mut best, mut lefts) = (Best::default(), [[0; 2]; 256]);
        for column in &self.layout.columns {
            self.rules.look(&mut best, column, self.histogram, self.total, self.bounds, &mut lefts);
        }
        best
    }
}

/// Some splits of a column, as far as they are known without a division.
struct Judged {
    /// The squares of the gradients to the left and to the right.
    squares: [[f64; LANES]; 2],
    /// The hessians, without what is added to them and with it.
    bare: [[f64; LANES]; 2],
    hessians: [[f64; LANES]; 2],
}

impl Judged {
    /// Takes sums to the left, and the gradient and hessian of both sides together.
    ///
    /// Sums of fewer than 2^20 rows are whole numbers below 2^51, which doubles hold: what is left of all of them to the
    /// right is exact. Added to the bits of 1.5 · 2^52, such a number is the double's fraction.
    #[inline(always)]
    fn of(rules: &Rules<'_>, lefts: &[Sums; LANES], all: [f64; 2]) -> Judged {
        const SIGNED: f64 = 6_755_399_441_055_744.0;
        const UNSIGNED: f64 = 4_503_599_627_370_496.0;
        let zeros = [[0.0; LANES]; 2];
        let mut judged = Judged { squares: zeros, bare: zeros, hessians: zeros };
        let mask = rules.scale.hessian_mask();
        for (lane, &[gradient, hessian]) in lefts.iter().enumerate() {
            let gradient = f64::from_bits(SIGNED.to_bits().wrapping_add(gradient as u64)) - SIGNED;
            let hessian = f64::from_bits(UNSIGNED.to_bits() | (hessian as u64 & mask)) - UNSIGNED;
            let hessian = hessian * rules.scale.hessian_unit;
            let right = [all[0] - gradient, all[1] - hessian];
            judged.squares[0][lane] = gradient * gradient;
            judged.squares[1][lane] = right[0] * right[0];
            judged.bare[0][lane] = hessian;
            judged.bare[1][lane] = right[1];
            judged.hessians[0][lane] = hessian + rules.l2;
            judged.hessians[1][lane] = right[1] + rules.l2;
        }
        judged
    }

    /// Says whether any of them may have a score that is not below `highest`.
    #[inline(always)]
    fn may_beat(&self, highest: f64, min_hessian: f64) -> bool {
        let mut any = false;
        for lane in 0..LANES {
            any |= self.is_candidate(lane, highest, min_hessian);
        }
        any
    }

    #[inline(always)]
    fn is_candidate(&self, lane: usize, highest: f64, min_hessian: f64) -> bool {
        let [left, right] = self.hessians.each_ref().map(|side| side[lane]);
        let across = self.squares[0][lane] * right + self.squares[1][lane] * left;
        let bar = highest * (left * right) * NEARLY;
        // Written so that a bar that is no number passes nothing over.
        let is_worse = across < bar;
        !is_worse & (self.bare[0][lane] >= min_hessian) & (self.bare[1][lane] >= min_hessian)
    }

    /// Gives the score of a split; none of one that is clearly below `highest` or leaves too little on a side.
    #[inline(always)]
    fn score(&self, lane: usize, highest: f64, min_hessian: f64) -> Option<f64> {
        let [left, right] = self.hessians.each_ref().map(|side| side[lane]);
        let is_sound = self.is_candidate(lane, highest, min_hessian) && left > 0.0 && right > 0.0;
        is_sound.then(|| self.squares[0][lane] / left + self.squares[1][lane] / right)
    }
}

#[cfg(test)]
mod tests {
    use trainyard_random::Key;

    use super::*;
    use crate::boosting::gradients::Gradients;

    #[test]
    fn the_fast_scan_finds_what_the_plain_one_finds() {
        let binning = Binning::fit(&crate::Matrix::of(&[], 0), 255);
        let mut splits = 0;
        for case in 0..20_000u64 {
            let mut stream = Key::new(7, "test").derive(case).stream();
            let mut below = |end: u64| stream.below(end);
            let mut scale = Gradients::new(16_000, 0.0).scale;
            scale.hessian_unit = 0.5;
            // Every third has as many bins as are looked at side by side, and more.
            let values = if case % 3 == 0 { 2 + below(254) as usize } else { 1 + below(12) as usize };
            // Few states, so that ties and empty bins are common.
            let mut sums = |empty_share: u64| -> Sums {
                if below(100) < empty_share {
                    return [0; 2];
                }
                let rows = 1 + below(4);
                [below(5) as i64 - 2, (0..rows).map(|_| scale.of_row([0, 0])[1]).sum::<i64>() + below(3) as i64]
            };
            let mut bins: Vec<Sums> = (0..values).map(|_| sums(50)).collect();
            bins.push(sums(60));
            let total = bins.iter().fold([0; 2], |total, sums| [total[0] + sums[0], total[1] + sums[1]]);
            let rules = Rules {
                scale,
                min_rows: below(3),
                min_hessian: [0.0, 0.5, 1.0][below(3) as usize],
                l1: 0.0,
                l2: [0.0, 1.0][below(2) as usize],
                monotonic: None,
                categories: &CategoryParameters::default(),
                binning: &binning,
            };
            let before = (below(2) == 1).then(|| rules.found(0, 1, false, 1, 1.5, (0, false, [0; 2])));
            let (mut slow, mut fast) = (before.clone(), before.clone());
            rules.scan(1, &bins, total, Bounds::NONE, &mut slow);
            rules.scan_plain(1, &bins, total, &mut fast);
            splits += usize::from(fast.as_ref().is_some_and(|found| found.column == 1));
            assert_eq!(fast, slow, "case {case}: {bins:?}");
            let mut many = before;
            rules.scan_many(1, &bins, total, &mut many, &mut [[0; 2]; 256]);
            assert_eq!(many, slow, "case {case}: {bins:?}");
        }
        assert!(splits > 5_000, "{splits} splits");
    }
}
