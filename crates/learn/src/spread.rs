//! Where the values of a column lie within its bins.

use serde::{Deserialize, Serialize};

/// Knows the values that a column was binned by well enough to draw one between those of some rows.
///
/// Of an inner bin its middle stands for every value. The first and the last bin have no outer edge, and their values
/// may lie far apart, so some of those are kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// Half-way between the least and the greatest value of each bin.
    #[serde(with = "trainyard_exact::json::list")]
    middles: Vec<f64>,
    lowest: Tail,
    highest: Tail,
}

/// A threshold that was drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Threshold {
    /// The highest bin that goes left.
    pub(crate) bin: u8,
    /// Where the value fell among those of an outermost bin: about the share of its rows that are cut off by the value
    /// itself, of all that are cut off by the edge. Otherwise 1.
    pub(crate) share: f64,
}

/// Some values of an outermost bin, from its outer end on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Tail {
    /// The rows of the bin.
    rows: usize,
    /// The values of ranks 0, 1, 3, 7 and so on, at last that of the innermost row.
    #[serde(with = "trainyard_exact::json::list")]
    values: Vec<f64>,
}

impl Spread {
    /// Measures `distinct` values in increasing order, each with its rows, in bins between `edges`.
    pub(crate) fn new(distinct: &[(f64, usize)], edges: &[f64]) -> Spread {
        let mut bins = Vec::with_capacity(edges.len() + 1);
        let mut rest = distinct;
        for edge in edges.iter().copied().chain([f64::INFINITY]) {
            let (bin, above) = rest.split_at(rest.partition_point(|(value, _)| *value <= edge));
            bins.push(bin);
            rest = above;
        }
        let middle = |bin: &&[(f64, usize)]| match bin {
            [first, .., last] if first.0.is_finite() || last.0.is_finite() => first.0 * 0.5 + last.0 * 0.5,
            [first, ..] => first.0,
            [] => 0.0,
        };
        let lowest = Tail::new(bins.first().into_iter().copied().flatten());
        let highest = Tail::new(bins.last().into_iter().copied().flatten().rev());
        Spread { middles: bins.iter().map(middle).collect(), lowest, highest }
    }

    /// Draws a value evenly between the least and the greatest of some rows and gives the bin whose upper edge it falls to,
    /// from `low` to below `high`, the bins of those two values.
    ///
    /// `rows` tells how many of the rows lie in `low` and in `high`, as a share of those that the bins were fitted on;
    /// `uniform` is the draw in [0, 1). Where values are infinite or further apart than a double, each edge is as likely as
    /// the next.
    pub(crate) fn draw(&self, low: u8, high: u8, rows: [f64; 2], uniform: f64) -> Threshold {
        let (first, last) = (usize::from(low), usize::from(high));
        let middle = |at: usize| self.middles.get(at).copied().unwrap_or(f64::NAN);
        let has_lowest = low == 0;
        let has_highest = last + 1 == self.middles.len();
        let least = if has_lowest { self.lowest.outermost(rows[0]) } else { middle(first) };
        let greatest = if has_highest { self.highest.outermost(rows[1]) } else { middle(last) };
        let range = greatest - least;
        if !range.is_finite() || range <= 0.0 {
            return Threshold { bin: low + (uniform * f64::from(high - low)) as u8, share: 1.0 };
        }
        let value = least + uniform * range;
        let below = if has_lowest { self.lowest.share(rows[0], |other| other <= value, value) } else { 1.0 };
        let above = if has_highest { self.highest.share(rows[1], |other| other >= value, value) } else { 1.0 };
        let inner = &self.middles[first + 1..last];
        Threshold { bin: low + inner.partition_point(|middle| *middle <= value) as u8, share: f64::min(below, above) }
    }

    /// Says whether it can have been measured in so many bins.
    pub(crate) fn is_of(&self, bins: usize) -> bool {
        let is_number = |value: &f64| !value.is_nan();
        self.middles.len() == bins
            && self.middles.iter().all(is_number)
            && self.lowest.is_sound(|outer, inner| outer <= inner)
            && self.highest.is_sound(|outer, inner| outer >= inner)
    }

    /// Says whether a bin is the first or the last.
    pub(crate) fn is_outermost(&self, bin: u8) -> bool {
        bin == 0 || usize::from(bin) + 1 == self.middles.len()
    }
}

impl Tail {
    fn new<'v>(values: impl Iterator<Item = &'v (f64, usize)>) -> Tail {
        let mut tail = Tail::default();
        let (mut next, mut innermost) = (0, None);
        for (value, rows) in values {
            tail.rows += rows;
            while next < tail.rows {
                tail.values.push(*value);
                next = 2 * next + 1;
            }
            innermost = Some(*value);
        }
        tail.values.extend(innermost);
        tail
    }

    /// Says whether there are as many values as rows ask for, in order.
    fn is_sound(&self, in_order: impl Fn(f64, f64) -> bool) -> bool {
        // Ranks 0, 1, 3, 7 below the number of rows, and the innermost.
        let kept = self.rows.checked_ilog2().map_or(0, |doublings| doublings as usize + 2);
        self.values.len() == kept
            && self.values.iter().all(|value| !value.is_nan())
            && self.values.windows(2).all(|pair| in_order(pair[0], pair[1]))
    }

    /// Gives about the outermost value of `rows` of the bin's rows: that of its rank's expectation, were they drawn by chance.
    fn outermost(&self, rows: f64) -> f64 {
        let all = self.rows as f64;
        let rank = ((all + 1.0) / (rows + 1.0) - 1.0).clamp(0.0, (all - 1.0).max(0.0));
        let at = (rank as usize + 1).ilog2() as usize;
        let (Some(outer), Some(inner)) = (self.values.get(at), self.values.get(at + 1)) else { return f64::NAN };
        let (from, to) = (self.rank(at), self.rank(at + 1));
        let part = if to > from { (rank - from) / (to - from) } else { 0.0 };
        outer + (inner - outer) * part
    }

    /// Gives about the share of `rows` of the bin's rows that lie from the outer end to `value`, at least that of one row.
    ///
    /// `is_beyond` says whether another value does.
    fn share(&self, rows: f64, is_beyond: impl Fn(f64) -> bool, value: f64) -> f64 {
        let at = self.values.partition_point(|other| is_beyond(*other));
        let Some(inner) = self.values.get(at) else { return 1.0 };
        let least = 1.0 / rows.max(1.0);
        let Some(before) = at.checked_sub(1) else { return least };
        let (from, to, outer) = (self.rank(before), self.rank(at), self.values[before]);
        let rank = from + (to - from) * ((value - outer) / (inner - outer));
        ((rank + 1.0) / self.rows as f64).clamp(least, 1.0)
    }

    /// Gives the rank of a value that is kept.
    fn rank(&self, at: usize) -> f64 {
        ((1usize << at) - 1).min(self.rows.saturating_sub(1)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of a thousand evenly spaced draws that falls to each bin.
    fn shares(spread: &Spread, low: u8, high: u8, rows: [f64; 2]) -> Vec<f64> {
        let mut shares = vec![0.0; usize::from(high - low)];
        for draw in 0..1_000 {
            let drawn = spread.draw(low, high, rows, (f64::from(draw) + 0.5) / 1_000.0);
            shares[usize::from(drawn.bin - low)] += 1e-3;
        }
        shares
    }

    #[test]
    fn an_edge_is_as_likely_as_its_gap_is_wide() {
        let distinct = [(0.0, 5), (1.0, 1), (100.0, 3), (110.0, 7)];
        let spread = Spread::new(&distinct, &[0.5, 50.5, 105.0]);
        for (got, wanted) in shares(&spread, 0, 3, [5.0, 7.0]).iter().zip([1.0 / 110.0, 0.9, 10.0 / 110.0]) {
            assert!((got - wanted).abs() < 2e-3, "{got} {wanted}");
        }
        let inner = shares(&spread, 1, 3, [1.0, 7.0]);
        assert!((inner[0] - 99.0 / 109.0).abs() < 2e-3, "{inner:?}");
        assert_eq!((spread.is_outermost(0), spread.is_outermost(1), spread.is_outermost(3)), (true, false, true));
    }

    #[test]
    fn fewer_rows_of_an_outermost_bin_reach_less_far() {
        // 100 rows at -1, -2, … below zero, and one above.
        let distinct: Vec<(f64, usize)> = (-100..=0).map(|value| (f64::from(value), 1)).chain([(50.0, 1)]).collect();
        let spread = Spread::new(&distinct, &[-0.5, 25.0]);
        assert_eq!(spread.lowest.outermost(100.0), -100.0);
        assert!((spread.lowest.outermost(1.0) + 50.5).abs() < 1.0, "{}", spread.lowest.outermost(1.0));
        assert!((spread.lowest.outermost(9.0) + 90.9).abs() < 0.2, "{}", spread.lowest.outermost(9.0));
        assert_eq!(spread.highest.outermost(1.0), 50.0);
        // From -100 to 50, and what lies below 0 falls to the first edge.
        assert!((shares(&spread, 0, 2, [100.0, 1.0])[0] - 100.0 / 150.0).abs() < 2e-3);
        assert!((shares(&spread, 0, 2, [1.0, 1.0])[0] - 50.5 / 100.5).abs() < 0.02);
        // At -75 a quarter of those hundred is cut off, above -1 all of them.
        let share = |uniform: f64| spread.draw(0, 2, [100.0, 1.0], uniform).share;
        assert!((share(25.0 / 150.0) - 0.25).abs() < 0.02, "{}", share(25.0 / 150.0));
        assert_eq!((share(0.0), share(0.7), share(0.9)), (0.01, 1.0, 1.0));
    }

    #[test]
    fn values_without_a_distance_leave_the_edges_even() {
        for distinct in [[(f64::NEG_INFINITY, 1), (0.0, 1), (1.0, 1)], [(-f64::MAX, 1), (0.0, 1), (f64::MAX, 1)]] {
            let spread = Spread::new(&distinct, &[-1.0, 0.5]);
            assert!(shares(&spread, 0, 2, [1.0, 1.0]).iter().all(|share| (share - 0.5).abs() < 2e-3));
        }
        // So do bins that nothing is known about.
        assert!(shares(&Spread::default(), 3, 7, [1.0, 1.0]).iter().all(|share| (share - 0.25).abs() < 2e-3));
    }
}
