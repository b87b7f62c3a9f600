//! Splits at thresholds that are drawn.
//!
//! Such a split needs the least and the greatest bin of a node's rows and the sums on one side, no histogram. The cells
//! of a few columns are brought together, and from there on are looked at many at a time.

use std::ops::Range;

use trainyard_random::Stream;

use super::{BINS, Grower, Open, Split, add};
use crate::binning::{Binning, MISSING};
use crate::forest::rows::Drawn;
use crate::spread::Threshold;

/// Columns whose cells are brought together.
const COLUMNS: usize = 8;

/// Bytes that are counted together, no more than a byte can count, and those of the rest.
const LONG: usize = 240;
const SHORT: usize = 16;

/// The cells of a node in a few columns.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The columns that are there.
    columns: Vec<usize>,
    /// The cells of one column after another.
    bins: Vec<u8>,
    /// The rows before the first of class 1, where rows are counted.
    zeros: usize,
    /// The sums of the rows with a missing cell.
    missing: Vec<i64>,
}

/// Where the values of a column lie in a node.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Extent {
    low: u8,
    high: u8,
    /// The rows in those two bins; 0 where nobody asks for them.
    rows: [usize; 2],
    has_missing: bool,
}

impl Grower<'_> {
    /// Finds the split of highest score among the drawn ones of drawn columns, of equal ones the first; gives it and what
    /// it gains.
    pub(super) fn split_at_random(
        &mut self,
        leaf: &mut Open,
        drawn: &Drawn<'_>,
        stream: &mut Stream,
    ) -> Option<(Split, f64)> {
        self.batch.columns.clear();
        let total = match self.rows.ones_from {
            Some(ones_from) if leaf.histogram.is_none() && !self.keeps_histogram(leaf.rows.len()) => {
                let ones = self.ones(&leaf.rows, ones_from);
                self.batch.zeros = leaf.rows.len() - ones;
                vec![self.rows.word(leaf.rows.len()), ones as i64]
            }
            _ => {
                if leaf.histogram.is_none() {
                    self.gather(leaf.rows.clone(), drawn);
                }
                self.total(leaf)
            }
        };
        let columns = self.table.columns.len();
        let (mut best, mut varies, mut visited) = (None, false, 0);
        while visited < columns && (visited < self.wanted || !varies) {
            let until = if visited < self.wanted { self.wanted.min(visited + COLUMNS) } else { visited + 1 };
            if self.wanted < columns {
                for place in visited..until {
                    let other = place + stream.below((columns - place) as u64) as usize;
                    self.order.swap(place, other);
                }
            }
            if leaf.histogram.is_none() {
                let order = std::mem::take(&mut self.order);
                self.bring_together(&order[visited..until], leaf.rows.clone());
                self.order = order;
            }
            for place in visited..until {
                let column = self.order[place];
                varies |= match &leaf.histogram {
                    Some(histogram) => {
                        let length = BINS * self.rows.stride;
                        let bins = &histogram[column * length..(column + 1) * length];
                        self.sum_histogram(column, bins, stream, &total, &mut best)
                    }
                    None => {
                        let rows = leaf.rows.len();
                        let cells = (place - visited) * rows..(place - visited + 1) * rows;
                        self.sum_cells(column, cells, stream, &total, &mut best)
                    }
                };
            }
            visited = until;
        }
        // A split that gains nothing may come out below zero by rounding.
        best.map(|split: Split| (split, (split.score - self.rows.score(&total)).max(0.0)))
    }

    /// Reorders the rows of a node as [`Grower::cut`] does.
    pub(super) fn cut_at_random(&mut self, range: Range<usize>, split: &Split) -> usize {
        let rows = range.len();
        let place = match self.batch.columns.iter().position(|column| *column == split.column) {
            Some(place) => place,
            None => {
                self.bring_together(&[split.column], range.clone());
                0
            }
        };
        let bins = &self.batch.bins[place * rows..(place + 1) * rows];
        // One more, missing values become the least of all.
        let more = u8::from(split.missing_left);
        let limit = split.bin + more;
        let (front, scratch) = (&mut self.partition[range.clone()], &mut self.scratch[range.clone()]);
        let (mut lefts, mut rights) = (0, 0);
        for (index, bin) in bins.iter().enumerate() {
            // Both sides are written and one counter moves: no branch to mispredict.
            let row = front[index];
            let left = usize::from(bin.wrapping_add(more) <= limit);
            front[lefts] = row;
            scratch[rights] = row;
            lefts += left;
            rights += 1 - left;
        }
        front[lefts..].copy_from_slice(&scratch[..rights]);
        range.start + lefts
    }

    /// Copies the cells of the rows of `range` in some columns.
    fn bring_together(&mut self, columns: &[usize], range: Range<usize>) {
        let (rows, count) = (&self.partition[range], self.rows.targets.len());
        let Batch { columns: there, bins, .. } = &mut self.batch;
        there.clear();
        there.extend_from_slice(columns);
        bins.resize(columns.len() * rows.len(), 0);
        let column = |column: &usize| &self.table.columns[*column][..count];
        let (fours, rest) = columns.as_chunks::<4>();
        let (four_bins, rest_bins) = bins.split_at_mut(fours.len() * 4 * rows.len());
        // A row's number is read once for four columns.
        for (columns, bins) in fours.iter().zip(four_bins.chunks_exact_mut(4 * rows.len())) {
            let (front, back) = bins.split_at_mut(2 * rows.len());
            let ((a, b), (c, d)) = (front.split_at_mut(rows.len()), back.split_at_mut(rows.len()));
            let [of_a, of_b, of_c, of_d] = columns.each_ref().map(column);
            for ((((&row, a), b), c), d) in rows.iter().zip(a).zip(b).zip(c).zip(d) {
                let row = row as usize;
                (*a, *b, *c, *d) = (of_a[row], of_b[row], of_c[row], of_d[row]);
            }
        }
        for (column, bins) in rest.iter().map(column).zip(rest_bins.chunks_exact_mut(rows.len())) {
            rows.iter().zip(bins).for_each(|(&row, bin)| *bin = column[row as usize]);
        }
    }

    /// Scores the drawn splits of a column by its cells in the batch; says whether it holds more than one value.
    fn sum_cells(
        &mut self,
        column: usize,
        cells: Range<usize>,
        stream: &mut Stream,
        total: &[i64],
        best: &mut Option<Split>,
    ) -> bool {
        let spread = self.table.binning.spread(column);
        let Some(extent) = Extent::of(&self.batch.bins[cells.clone()], |bin| spread.is_outermost(bin)) else {
            return false;
        };
        let threshold = self.draw(column, &extent, stream);
        let mut left = std::mem::take(&mut self.left);
        let mut missing = std::mem::take(&mut self.batch.missing);
        missing.resize(left.len(), 0);
        let bins = &self.batch.bins[cells];
        if let Some(threshold) = threshold {
            self.sum(bins, |bin| bin <= threshold.bin, &mut left);
        }
        if extent.has_missing {
            self.sum(bins, |bin| bin == MISSING, &mut missing);
        }
        self.judge(column, &extent, threshold, [&mut left, &mut missing], total, best);
        (self.left, self.batch.missing) = (left, missing);
        true
    }

    /// Scores the drawn splits of a column by its histogram, as [`Grower::sum_cells`] does.
    fn sum_histogram(
        &mut self,
        column: usize,
        bins: &[i64],
        stream: &mut Stream,
        total: &[i64],
        best: &mut Option<Split>,
    ) -> bool {
        let stride = self.rows.stride;
        let sums = |bin: u8| &bins[usize::from(bin) * stride..][..stride];
        self.find_occupied(column, bins);
        let (Some(&low), Some(&high)) = (self.occupied.first(), self.occupied.last()) else { return false };
        let has_missing = sums(MISSING)[0] != 0;
        if low == high && !has_missing {
            return false;
        }
        let spread = self.table.binning.spread(column);
        let rows = |bin: u8| if spread.is_outermost(bin) { self.rows.count(sums(bin)[0]) } else { 0 };
        let extent = Extent { low, high, rows: [low, high].map(rows), has_missing };
        let threshold = self.draw(column, &extent, stream);
        let mut left = std::mem::take(&mut self.left);
        left.fill(0);
        for bin in self.occupied.iter().take_while(|bin| threshold.is_some_and(|threshold| **bin <= threshold.bin)) {
            add(&mut left, sums(*bin));
        }
        let mut missing = sums(MISSING).to_vec();
        self.judge(column, &extent, threshold, [&mut left, &mut missing], total, best);
        self.left = left;
        true
    }

    /// Draws a threshold; `None` where there is one value beside missing ones.
    fn draw(&self, column: usize, extent: &Extent, stream: &mut Stream) -> Option<Threshold> {
        let looked_at = Binning::looked_at(self.rows.targets.len());
        let rows = extent.rows.map(|rows| rows as f64 * looked_at);
        let spread = self.table.binning.spread(column);
        (extent.low < extent.high).then(|| spread.draw(extent.low, extent.high, rows, stream.uniform()))
    }

    /// Adds up what the rows add whose bin `belongs`.
    #[inline]
    fn sum(&self, bins: &[u8], belongs: impl Fn(u8) -> bool, sums: &mut [i64]) {
        if self.rows.ones_from.is_some() {
            let (zeros, ones) = bins.split_at(self.batch.zeros);
            let [zeros, ones] = [zeros, ones].map(|bins| count(bins, &belongs));
            sums.copy_from_slice(&[self.rows.word(zeros + ones), ones as i64]);
            return;
        }
        sums.fill(0);
        if self.rows.outputs == 1 {
            let mut both = [0i64; 2];
            for (&bin, pair) in bins.iter().zip(&self.pairs) {
                let mask = -i64::from(belongs(bin));
                both = [both[0].wrapping_add(pair[0] & mask), both[1].wrapping_add(pair[1] & mask)];
            }
            sums.copy_from_slice(&both);
            return;
        }
        for ((&bin, pair), &slot) in bins.iter().zip(&self.pairs).zip(&self.slots) {
            let mask = -i64::from(belongs(bin));
            sums[0] = sums[0].wrapping_add(pair[0] & mask);
            sums[slot] += pair[1] & mask;
        }
    }

    /// Scores the drawn threshold with missing cells on either side, and those apart from all values, against `best`.
    fn judge(
        &mut self,
        column: usize,
        extent: &Extent,
        threshold: Option<Threshold>,
        [left, missing]: [&mut [i64]; 2],
        total: &[i64],
        best: &mut Option<Split>,
    ) {
        let whole = self.rows.score(total);
        let mut judge = |left: &[i64], right: &mut [i64], bin: u8, share: f64, missing_left: bool| {
            right.iter_mut().zip(total).zip(left).for_each(|((right, total), left)| *right = total.wrapping_sub(*left));
            let fewest = self.rows.count(left[0]).min(self.rows.count(right[0]));
            if fewest < self.parameters.min_samples_leaf {
                return;
            }
            let score = self.rows.score(left) + self.rows.score(right);
            // At the value itself fewer rows are cut off than at the edge, and what few rows gain grows with their number.
            let worth = if share < 1.0 { whole + share * (score - whole) } else { score };
            if best.is_none_or(|best| worth > best.worth) {
                let all_values = bin == extent.high;
                let saw_missing = extent.has_missing;
                *best = Some(Split { score, worth, column, bin, all_values, missing_left, saw_missing });
            }
        };
        let right = &mut self.right;
        if let Some(Threshold { bin, share }) = threshold {
            judge(left, right, bin, share, false);
            if extent.has_missing {
                add(left, missing);
                judge(left, right, bin, share, true);
            }
        }
        if extent.has_missing {
            left.iter_mut().zip(total).zip(&*missing).for_each(|((left, total), missing)| {
                *left = total.wrapping_sub(*missing);
            });
            judge(left, right, extent.high, 1.0, false);
        }
    }
}

impl Extent {
    /// Measures the cells of a column; `None` where they hold one value. Rows are counted in the bins that are `asked` for.
    fn of(bins: &[u8], asked: impl Fn(u8) -> bool) -> Option<Extent> {
        let low = bins.iter().copied().fold(MISSING, u8::min);
        let top = bins.iter().copied().fold(0, u8::max);
        let has_missing = top == MISSING;
        // One more, missing values become the least of all.
        let high = bins.iter().map(|bin| bin.wrapping_add(1)).fold(0, u8::max).wrapping_sub(1);
        if low == MISSING || (low == high && !has_missing) {
            return None;
        }
        let rows = |end: u8| if asked(end) { count(bins, |bin| bin == end) } else { 0 };
        Some(Extent { low, high, rows: [rows(low), rows(high)], has_missing })
    }
}

/// Counts the bytes that `belong`.
#[inline]
fn count(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    let (long, rest) = bytes.as_chunks::<LONG>();
    let (short, rest) = rest.as_chunks::<SHORT>();
    let long: usize = long.iter().map(|bytes| usize::from(ones(bytes, &belongs))).sum();
    let short: usize = short.iter().map(|bytes| usize::from(ones(bytes, &belongs))).sum();
    long + short + rest.iter().filter(|byte| belongs(**byte)).count()
}

/// Counts in bytes, many side by side.
#[inline]
fn ones<const N: usize>(bytes: &[u8; N], belongs: &impl Fn(u8) -> bool) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum + u8::from(belongs(*byte)))
}

#[cfg(test)]
mod tests {
    use trainyard_random::Key;

    use super::*;
    use crate::forest::grow::Table;
    use crate::forest::rows::Rows;
    use crate::{Criterion, ForestParameters, Matrix};

    #[test]
    fn cells_and_histograms_give_the_same_split() {
        let rows = 700;
        let key = Key::new(9, "test");
        let uniform = |column: u64, row: usize| key.derive(column).uniform(row as u64);
        let curve = |row: usize| uniform(0, row) / (1.01 - uniform(0, row));
        let with_missing = |row: usize| if row.is_multiple_of(7) { f64::NAN } else { uniform(1, row) };
        let few = |row: usize| if row.is_multiple_of(3) { f64::NAN } else { (uniform(2, row) * 3.0).floor() };
        let one_or_none = |row: usize| if uniform(3, row) < 0.2 { f64::NAN } else { 4.0 };
        let columns: [Vec<f64>; 5] = [
            (0..rows).map(curve).collect(),
            (0..rows).map(with_missing).collect(),
            (0..rows).map(few).collect(),
            (0..rows).map(one_or_none).collect(),
            vec![1.0; rows],
        ];
        let matrix = Matrix::of(&columns, rows);
        let binning = Binning::fit(&matrix, 200);
        let binned = binning.apply(&matrix);
        let table = Table::new(&binned, &binning, None);
        let weights: Vec<f64> = (0..rows).map(|row| 0.5 + uniform(4, row)).collect();
        let ordered: Vec<f64> = (0..rows).map(|row| f64::from(u8::from(row >= 300))).collect();
        let values: Vec<f64> = (0..rows).map(|row| curve(row) + uniform(5, row)).collect();
        let classes: Vec<f64> = (0..rows).map(|row| (uniform(6, row) * 4.0).floor()).collect();
        let (two, four) = (Criterion::Gini { classes: 2 }, Criterion::Gini { classes: 4 });
        for (all, criterion) in [
            (Rows::of_ordered_classes(&ordered), two),
            (Rows::new(&ordered, Some(&weights), two), two),
            (Rows::new(&values, Some(&weights), Criterion::SquaredError), Criterion::SquaredError),
            (Rows::new(&classes, None, four), four),
        ] {
            let parameters = ForestParameters { min_samples_leaf: 3, ..ForestParameters::extra_trees(criterion) };
            let mut grower = Grower::new(&table, &all, &parameters);
            grower.partition = (0..rows as u32).filter(|row| row % 5 != 1).collect();
            let range = 0..grower.partition.len();
            grower.batch.zeros = grower.partition.iter().filter(|row| **row < 300).count();
            grower.gather(range.clone(), &Drawn::new(&all, &parameters, &key));
            let mut leaf = Open { node: 0, depth: 0, rows: range.clone(), histogram: None };
            let total = grower.total(&mut leaf);
            grower.bring_together(&[0, 1, 2, 3, 4], range.clone());
            let mut found = 0;
            for draw in 0..50 {
                let column = draw % 5;
                let mut bins = vec![0; BINS * all.stride];
                grower.fill(column, range.clone(), &mut bins);
                let cells = column * range.len()..(column + 1) * range.len();
                let stream = key.derive(draw as u64).stream();
                let (mut by_cells, mut by_histogram) = (None, None);
                let varies = grower.sum_cells(column, cells, &mut stream.clone(), &total, &mut by_cells);
                let also = grower.sum_histogram(column, &bins, &mut stream.clone(), &total, &mut by_histogram);
                assert_eq!((varies, by_cells), (also, by_histogram), "{criterion:?}, column {column}");
                assert_eq!(varies, column != 4);
                found += usize::from(by_cells.is_some());
            }
            assert!(found >= 35, "{found}");
        }
    }

    #[test]
    fn counts_are_those_of_a_loop() {
        for length in [0, 1, 15, 16, 100, 239, 240, 241, 20_000] {
            let key = Key::new(length as u64, "test");
            let bytes: Vec<u8> = (0..length as u64).map(|at| key.at(at) as u8).collect();
            for limit in [0, 17, 254, 255] {
                let wanted = bytes.iter().filter(|byte| **byte <= limit).count();
                assert_eq!(count(&bytes, |byte| byte <= limit), wanted);
            }
        }
    }

    #[test]
    fn an_extent_passes_over_missing_cells() {
        let of = |bins: &[u8]| Extent::of(bins, |_| true);
        assert_eq!(of(&[MISSING; 3]), None);
        assert_eq!(of(&[7; 40]), None);
        let extent = |low, high, rows, has_missing| Some(Extent { low, high, rows, has_missing });
        assert_eq!(of(&[7, MISSING]), extent(7, 7, [1, 1], true));
        assert_eq!(of(&[0, 3, 254, 3, 0]), extent(0, 254, [2, 1], false));
        assert_eq!(of(&[9, MISSING, 3, 9]), extent(3, 9, [1, 2], true));
        assert_eq!(Extent::of(&[9, 3, 9], |bin| bin == 3), extent(3, 9, [1, 0], false));
    }
}
