//! The best split of a node by a column of categories.

use super::gradients::Sums;
use super::parameters::{CategoryParameters, Monotonic};
use super::split::{Bounds, Cut, Rules, Split};
use crate::CategorySet;
use crate::binning::MISSING;

/// The best group of bins so far.
struct Group<'b> {
    score: f64,
    bins: &'b [usize],
    sums: Sums,
}

impl Rules<'_> {
    /// Finds the two sets of categories of greatest gain; `bins` has one a code, and that of missing values last.
    ///
    /// As LightGBM: where the node has few categories, each is held against all others. Otherwise those with enough
    /// rows are ordered by gradient over hessian, and groups are taken from both ends of that order. Ties go to the
    /// lower end, then to fewer categories.
    pub(super) fn best_of_categories(
        &self,
        column: usize,
        bins: &[Sums],
        total: Sums,
        bounds: Bounds,
    ) -> Option<Split> {
        let parameters = self.categories;
        let rows = |bin: usize| self.scale.count(bins[bin]);
        let mut seen: Vec<usize> = (0..bins.len()).filter(|bin| rows(*bin) > 0).collect();
        if seen.len() < 2 {
            return None;
        }
        let l2 = if seen.len() <= parameters.max_cat_to_onehot { 0.0 } else { parameters.cat_l2 };
        let rules = self.stricter(l2);
        let descending: Vec<usize>;
        let best = if seen.len() <= parameters.max_cat_to_onehot {
            rules.best_alone(&seen, bins, total, bounds)
        } else {
            seen.retain(|bin| rows(*bin) as f64 >= parameters.cat_smooth);
            self.order(&mut seen, bins, parameters.cat_smooth);
            descending = seen.iter().rev().copied().collect();
            let ends = [&seen, &descending].map(|order| rules.best_prefix(order, bins, total, bounds, parameters));
            let [low, high] = ends;
            match (low, high) {
                (Some(low), Some(high)) => Some(if high.score > low.score { high } else { low }),
                (low, high) => low.or(high),
            }
        };
        let Group { score, bins: group, sums } = best?;
        let gain = self.gain(score, total, bounds)?;
        let missing = bins.len() - 1;
        let (has_missing, missing_in) = (rows(missing) > 0, group.contains(&missing));
        // A set has a code at least: where only missing values make the group, the others go left in its place.
        let others = group == [missing];
        let goes_left = |bin: usize| group.contains(&bin) != others;
        let left = if others { [total[0] - sums[0], total[1].wrapping_sub(sums[1])] } else { sums };
        // Without missing rows there is nothing to learn: they follow the larger side, and so do categories that the
        // node did not see.
        let missing_left =
            if has_missing { missing_in != others } else { self.scale.count(left) * 2 > self.scale.count(total) };
        let codes = (0..missing).filter(|bin| if rows(*bin) > 0 { goes_left(*bin) } else { missing_left });
        let mut set: CategorySet = codes.map(|bin| bin as u8).collect();
        if missing_left {
            set.insert(MISSING);
        }
        Some(Split { gain, column, cut: Cut::Set(set), missing_left, left, l2 })
    }

    /// Sorts bins by gradient over smoothed hessian, equal ones by their code.
    fn order(&self, seen: &mut [usize], bins: &[Sums], smooth: f64) {
        let ratio = |bin: &usize| {
            let hessian = self.scale.hessian(bins[*bin]) + smooth;
            if hessian > 0.0 { bins[*bin][0] as f64 / hessian } else { 0.0 }
        };
        seen.sort_by(|left, right| ratio(left).total_cmp(&ratio(right)));
    }

    /// Finds the best bin to hold against all others.
    fn best_alone<'b>(&self, seen: &'b [usize], bins: &[Sums], total: Sums, bounds: Bounds) -> Option<Group<'b>> {
        let mut best: Option<Group<'b>> = None;
        for group in seen.chunks(1) {
            let sums = bins[group[0]];
            if self.lacks(sums) || self.lacks(rest(total, sums)) {
                continue;
            }
            best = self.better(best, group, sums, total, bounds);
        }
        best
    }

    /// Finds the best number of bins from the beginning of an order.
    fn best_prefix<'b>(
        &self,
        order: &'b [usize],
        bins: &[Sums],
        total: Sums,
        bounds: Bounds,
        parameters: &CategoryParameters,
    ) -> Option<Group<'b>> {
        let mut best: Option<Group<'b>> = None;
        // From each end up to the middle of the order; the other end has the rest.
        let most = parameters.max_cat_threshold.min(order.len().div_ceil(2));
        let (mut sums, mut new_rows) = ([0; 2], 0);
        let least = parameters.min_data_per_group as u64;
        for (place, bin) in order.iter().enumerate().take(most) {
            sums = [sums[0] + bins[*bin][0], sums[1].wrapping_add(bins[*bin][1])];
            new_rows += self.scale.count(bins[*bin]);
            if self.lacks(sums) {
                continue;
            }
            let right = rest(total, sums);
            if self.lacks(right) || self.scale.count(right) < least {
                break;
            }
            if new_rows < least {
                continue;
            }
            new_rows = 0;
            best = self.better(best, &order[..=place], sums, total, bounds);
        }
        best
    }

    /// Says whether a side has too few rows or too little hessian.
    fn lacks(&self, sums: Sums) -> bool {
        self.scale.count(sums) < self.min_rows || self.scale.hessian(sums) < self.min_hessian
    }

    /// Gives the better of the best group so far and another; of equal ones the earlier.
    fn better<'b>(
        &self,
        best: Option<Group<'b>>,
        bins: &'b [usize],
        sums: Sums,
        total: Sums,
        bounds: Bounds,
    ) -> Option<Group<'b>> {
        let right = rest(total, sums);
        if [sums, right].iter().any(|side| self.scale.hessian(*side) + self.l2 <= 0.0) {
            return best;
        }
        let score = match self.monotonic {
            None => Some(self.score(sums, bounds) + self.score(right, bounds)),
            Some(_) => self.bounded_score([sums, right], Monotonic::Free, bounds),
        };
        match score {
            Some(score) if best.as_ref().is_none_or(|best| score > best.score) => Some(Group { score, bins, sums }),
            _ => best,
        }
    }
}

/// Gives what remains of a node.
fn rest(total: Sums, part: Sums) -> Sums {
    [total[0] - part[0], total[1].wrapping_sub(part[1])]
}
