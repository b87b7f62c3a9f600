//! Growth of one tree, depth first.

mod random;

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use rayon::prelude::*;
use trainyard_random::Stream;

use self::random::Batch;
use super::parameters::{ForestParameters, Splitter};
use super::rows::{Drawn, Rows};
use crate::binning::{BinnedMatrix, Binning, MISSING};
use crate::boosting::partition::cut_chunk;
use crate::ensemble::{Node, Tree};
use crate::{Criterion, Error};

/// The bins of a column's histogram, that of missing values included.
const BINS: usize = 256;

/// Rows of a node below which its bins are marked one by one rather than looked for in the histogram.
const FEW_ROWS: usize = 128;

/// Holds the bins column by column: a node reads few columns, and of those every byte.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    columns: Vec<Cow<'a, [u8]>>,
    binning: &'a Binning,
}

impl<'a> Table<'a> {
    /// Shows the bins of all rows, or copies those of `order` in that order.
    pub(crate) fn new(matrix: &'a BinnedMatrix, binning: &'a Binning, order: Option<&[u32]>) -> Table<'a> {
        let column = |column: usize| {
            let bins = matrix.column(column);
            match order {
                None => Cow::Borrowed(bins),
                Some(order) => Cow::Owned(order.iter().map(|&row| bins[row as usize]).collect()),
            }
        };
        Table { columns: (0..matrix.columns()).into_par_iter().map(column).collect(), binning }
    }
}

/// A tree over bins and over doubles at once.
#[derive(Debug)]
pub(crate) struct Grown {
    nodes: Vec<Node>,
    /// The highest bin that goes left at each node.
    bins: Vec<u8>,
    outputs: usize,
    /// What each node predicts, output by output; 0 in a split.
    values: Vec<f64>,
    /// A bit a row: whether the tree saw it. Empty unless it was asked for.
    seen: Vec<u64>,
}

/// A node that may still be split.
struct Open {
    node: usize,
    depth: usize,
    rows: Range<usize>,
    /// The sums of all columns, where those were worth keeping.
    histogram: Option<Vec<i64>>,
}

/// A split of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    score: f64,
    /// What splits are chosen by: the score, or less.
    worth: f64,
    column: usize,
    bin: u8,
    /// Whether that is every value, so that only missing values go right.
    all_values: bool,
    missing_left: bool,
    /// Whether a cell of the node is missing.
    saw_missing: bool,
}

/// Grows the trees of one thread; keeps its working space from tree to tree, and nothing else.
pub(crate) struct Grower<'a> {
    table: &'a Table<'a>,
    rows: &'a Rows<'a>,
    parameters: &'a ForestParameters,
    /// The columns that a node draws.
    wanted: usize,
    order: Vec<usize>,
    partition: Vec<u32>,
    scratch: Vec<u32>,
    /// What each row of the node at hand adds, in the order of its rows, and where classes have words of their own, to
    /// which.
    pairs: Vec<[i64; 2]>,
    slots: Vec<usize>,
    /// The histogram of one column; zero between uses.
    single: Vec<i64>,
    /// The value bins that hold rows, in increasing order.
    occupied: Vec<u8>,
    left: Vec<i64>,
    right: Vec<i64>,
    spare: Vec<Vec<i64>>,
    /// The working space of thresholds that are drawn.
    batch: Batch,
}

impl<'a> Grower<'a> {
    pub(crate) fn new(table: &'a Table<'a>, rows: &'a Rows<'a>, parameters: &'a ForestParameters) -> Grower<'a> {
        Grower {
            table,
            rows,
            parameters,
            wanted: parameters.max_features.of(table.columns.len()),
            order: Vec::new(),
            partition: Vec::new(),
            scratch: Vec::new(),
            pairs: Vec::new(),
            slots: Vec::new(),
            single: vec![0; BINS * rows.stride],
            occupied: Vec::with_capacity(BINS),
            left: vec![0; rows.stride],
            right: vec![0; rows.stride],
            spare: Vec::new(),
            batch: Batch::default(),
        }
    }

    /// Grows a tree on the rows that were drawn, with the draws of `stream`.
    pub(crate) fn grow(&mut self, drawn: &Drawn<'_>, mut stream: Stream) -> Grown {
        // The draws of a tree may not depend on the trees that this thread grew before.
        self.order.clear();
        self.order.extend(0..self.table.columns.len());
        self.partition.clear();
        self.partition.extend_from_slice(&drawn.rows);
        self.scratch.resize(drawn.rows.len(), 0);
        let words = drawn.rows.iter().map(|&row| drawn.pairs[row as usize][0]);
        let weight = self.rows.weight(words.fold(0, i64::wrapping_add));
        let gain_unit = self.rows.gain_unit / weight / self.parameters.n_estimators as f64;
        let mut grown = Grown {
            nodes: Vec::new(),
            bins: Vec::new(),
            outputs: self.rows.outputs,
            values: Vec::new(),
            seen: Vec::new(),
        };
        grown.push();
        let mut open = vec![Open { node: 0, depth: 0, rows: 0..drawn.rows.len(), histogram: None }];
        while let Some(mut leaf) = open.pop() {
            let found = match self.parameters.splitter {
                _ if !self.may_split(&leaf) => None,
                Splitter::Best => self.split(&mut leaf, drawn, &mut stream),
                Splitter::Random => self.split_at_random(&mut leaf, drawn, &mut stream),
            };
            let Some((mut split, gain)) = found else {
                self.spare.extend(leaf.histogram);
                self.finish(&mut grown, leaf.node, leaf.rows, drawn);
                continue;
            };
            let middle = match self.parameters.splitter {
                Splitter::Best => self.cut(leaf.rows.clone(), &split),
                Splitter::Random => self.cut_at_random(leaf.rows.clone(), &split),
            };
            let (lefts, rights) = (leaf.rows.start..middle, middle..leaf.rows.end);
            if !split.saw_missing {
                // There is nothing to learn: they follow the larger side.
                split.missing_left = lefts.len() > rights.len();
            }
            let [left, right] = grown.split(leaf.node, &split, self.table.binning, gain * gain_unit);
            let depth = leaf.depth + 1;
            let [of_left, of_right] = self.children(leaf.histogram, depth, &lefts, &rights, drawn);
            open.push(Open { node: right, depth, rows: rights, histogram: of_right });
            open.push(Open { node: left, depth, rows: lefts, histogram: of_left });
        }
        grown.count_rows();
        if self.parameters.oob_score {
            grown.seen = vec![0; self.rows.targets.len().div_ceil(64)];
            drawn.rows.iter().for_each(|&row| grown.seen[row as usize / 64] |= 1 << (row % 64));
        }
        grown
    }

    fn may_split(&self, leaf: &Open) -> bool {
        let rows = leaf.rows.len();
        rows >= self.parameters.min_samples_split
            && rows / 2 >= self.parameters.min_samples_leaf
            && self.parameters.max_depth.is_none_or(|most| leaf.depth < most)
            && self.is_mixed(&leaf.rows)
    }

    /// Says whether the targets of some rows differ.
    fn is_mixed(&self, range: &Range<usize>) -> bool {
        if let Some(ones_from) = self.rows.ones_from {
            return !matches!(self.ones(range, ones_from), ones if ones == 0 || ones == range.len());
        }
        let mut targets = self.partition[range.clone()].iter().map(|&row| self.rows.targets[row as usize]);
        targets.next().is_some_and(|first| targets.any(|target| target != first))
    }

    /// Counts the rows of class 1, which come after those of class 0.
    fn ones(&self, range: &Range<usize>, ones_from: usize) -> usize {
        range.len() - self.partition[range.clone()].partition_point(|&row| (row as usize) < ones_from)
    }

    /// Says whether the sums of all columns are worth keeping: bins cost less than rows.
    fn keeps_histogram(&self, rows: usize) -> bool {
        self.wanted == self.table.columns.len() && rows >= BINS * self.rows.stride
    }

    /// Finds the split of highest score among drawn columns, of equal ones the first; gives it and what it gains.
    fn split(&mut self, leaf: &mut Open, drawn: &Drawn<'_>, stream: &mut Stream) -> Option<(Split, f64)> {
        let stride = self.rows.stride;
        if leaf.histogram.is_none() {
            self.gather(leaf.rows.clone(), drawn);
        }
        let total = self.total(leaf);
        let columns = self.table.columns.len();
        let (mut best, mut varies) = (None, false);
        for visited in 0..columns {
            if visited >= self.wanted && varies {
                break;
            }
            let mut column = visited;
            if self.wanted < columns {
                let other = visited + stream.below((columns - visited) as u64) as usize;
                self.order.swap(visited, other);
                column = self.order[visited];
            }
            varies |= match &leaf.histogram {
                Some(histogram) => {
                    let bins = &histogram[column * BINS * stride..(column + 1) * BINS * stride];
                    self.find_occupied(column, bins);
                    self.consider(column, bins, &total, &mut best)
                }
                None => {
                    let mut bins = mem::take(&mut self.single);
                    self.fill(column, leaf.rows.clone(), &mut bins);
                    if leaf.rows.len() < FEW_ROWS {
                        self.mark_occupied(column, leaf.rows.clone());
                    } else {
                        self.find_occupied(column, &bins);
                    }
                    let varies = self.consider(column, &bins, &total, &mut best);
                    for bin in self.occupied.iter().copied().chain([MISSING]) {
                        bins[usize::from(bin) * stride..][..stride].fill(0);
                    }
                    self.single = bins;
                    varies
                }
            };
        }
        // A split that gains nothing may come out below zero by rounding.
        best.map(|split: Split| (split, (split.score - self.rows.score(&total)).max(0.0)))
    }

    /// Sums up the gathered rows of a node, or its histogram; makes that where it is worth keeping.
    fn total(&mut self, leaf: &mut Open) -> Vec<i64> {
        let stride = self.rows.stride;
        let mut total = vec![0i64; stride];
        if let Some(first) = leaf.histogram.as_ref().and_then(|histogram| histogram.get(..BINS * stride)) {
            first.chunks_exact(stride).for_each(|bin| add(&mut total, bin));
            return total;
        }
        for (index, pair) in self.pairs.iter().enumerate() {
            total[0] = total[0].wrapping_add(pair[0]);
            total[if stride == 2 { 1 } else { self.slots[index] }] += pair[1];
        }
        if self.keeps_histogram(leaf.rows.len()) {
            leaf.histogram = Some(self.all_columns(leaf.rows.clone()));
        }
        total
    }

    /// Scores the splits of one column against `best`; says whether the column holds more than one value.
    fn consider(&mut self, column: usize, bins: &[i64], total: &[i64], best: &mut Option<Split>) -> bool {
        let stride = self.rows.stride;
        let sums = |bin: u8| &bins[usize::from(bin) * stride..][..stride];
        let missing = sums(MISSING);
        let has_missing = missing[0] != 0;
        let (Some(&low), Some(&high)) = (self.occupied.first(), self.occupied.last()) else { return false };
        if low == high && !has_missing {
            return false;
        }
        for missing_left in [false, true] {
            if missing_left && !has_missing {
                break;
            }
            self.left.fill(0);
            if missing_left {
                add(&mut self.left, missing);
            }
            for (place, &bin) in self.occupied.iter().enumerate() {
                let next = self.occupied.get(place + 1).copied();
                // Where cells are missing, all values to the left and missing ones to the right is a split too.
                if next.is_none() && (missing_left || !has_missing) {
                    break;
                }
                add(&mut self.left, sums(bin));
                // Half-way between the neighbours in this node, as CART has it.
                let threshold = next.map_or(bin, |next| ((u16::from(bin) + u16::from(next) - 1) / 2) as u8);
                let left_rows = self.rows.count(self.left[0]);
                let right_rows = self.rows.count(total[0]) - left_rows;
                if left_rows < self.parameters.min_samples_leaf {
                    continue;
                }
                if right_rows < self.parameters.min_samples_leaf {
                    break;
                }
                self.right
                    .iter_mut()
                    .zip(total)
                    .zip(&self.left)
                    .for_each(|((right, total), left)| *right = total.wrapping_sub(*left));
                let score = self.rows.score(&self.left) + self.rows.score(&self.right);
                if best.is_none_or(|best| score > best.worth) {
                    let (bin, all_values) = (threshold, next.is_none());
                    let saw_missing = has_missing;
                    *best = Some(Split { score, worth: score, column, bin, all_values, missing_left, saw_missing });
                }
            }
        }
        true
    }

    /// Copies what the rows of a node add, once for all its columns.
    fn gather(&mut self, range: Range<usize>, drawn: &Drawn<'_>) {
        let rows = &self.partition[range];
        self.pairs.clear();
        self.pairs.extend(rows.iter().map(|&row| drawn.pairs[row as usize]));
        if self.rows.outputs > 1 {
            self.slots.clear();
            self.slots.extend(rows.iter().map(|&row| self.rows.slot(row as usize)));
        }
    }

    /// Adds the gathered rows of `range` to the histogram of a column.
    fn fill(&self, column: usize, range: Range<usize>, bins: &mut [i64]) {
        let column = &self.table.columns[column];
        let rows = self.partition[range].iter().zip(&self.pairs);
        if self.rows.outputs == 1 {
            let (bins, _) = bins.as_chunks_mut::<2>();
            let Some(bins) = bins.first_chunk_mut::<BINS>() else { return };
            for (&row, pair) in rows {
                let sums = &mut bins[usize::from(column[row as usize])];
                *sums = [sums[0].wrapping_add(pair[0]), sums[1].wrapping_add(pair[1])];
            }
            return;
        }
        for ((&row, pair), &slot) in rows.zip(&self.slots) {
            let sums = &mut bins[usize::from(column[row as usize]) * self.rows.stride..][..self.rows.stride];
            sums[0] = sums[0].wrapping_add(pair[0]);
            sums[slot] += pair[1];
        }
    }

    /// Gives the histogram of all columns over the gathered rows of `range`.
    fn all_columns(&mut self, range: Range<usize>) -> Vec<i64> {
        let length = BINS * self.rows.stride;
        let mut histogram = self.spare.pop().unwrap_or_default();
        histogram.clear();
        histogram.resize(length * self.table.columns.len(), 0);
        for (column, bins) in histogram.chunks_exact_mut(length).enumerate() {
            self.fill(column, range.clone(), bins);
        }
        histogram
    }

    /// Turns the histogram of a split node into those of its children, counting the smaller one alone.
    fn children(
        &mut self,
        parent: Option<Vec<i64>>,
        depth: usize,
        lefts: &Range<usize>,
        rights: &Range<usize>,
        drawn: &Drawn<'_>,
    ) -> [Option<Vec<i64>>; 2] {
        let Some(mut large) = parent else { return [None, None] };
        let is_last = self.parameters.max_depth.is_some_and(|most| depth >= most);
        if is_last || !self.keeps_histogram(lefts.len().max(rights.len())) {
            self.spare.push(large);
            return [None, None];
        }
        let left_is_smaller = lefts.len() <= rights.len();
        let smaller = if left_is_smaller { lefts } else { rights };
        self.gather(smaller.clone(), drawn);
        let small = self.all_columns(smaller.clone());
        large.iter_mut().zip(&small).for_each(|(total, part)| *total = total.wrapping_sub(*part));
        if left_is_smaller { [Some(small), Some(large)] } else { [Some(large), Some(small)] }
    }

    /// Looks through a histogram for value bins that hold rows.
    fn find_occupied(&mut self, column: usize, bins: &[i64]) {
        let values = self.table.binning.edges(column).len() + 1;
        let words = bins.iter().step_by(self.rows.stride).take(values).enumerate();
        self.occupied.clear();
        self.occupied.extend(words.filter(|(_, word)| **word != 0).map(|(bin, _)| bin as u8));
    }

    /// Marks the value bins of few rows.
    fn mark_occupied(&mut self, column: usize, range: Range<usize>) {
        let mut marks = [0u64; BINS / 64];
        for &row in &self.partition[range] {
            let bin = self.table.columns[column][row as usize];
            marks[usize::from(bin / 64)] |= 1 << (bin % 64);
        }
        marks[BINS / 64 - 1] &= !(1 << (MISSING % 64));
        self.occupied.clear();
        for (word, mut marks) in (0u8..).zip(marks) {
            while marks != 0 {
                self.occupied.push(word * 64 + marks.trailing_zeros() as u8);
                marks &= marks - 1;
            }
        }
    }

    /// Reorders the rows of a node by `split`; gives where its right rows begin.
    fn cut(&mut self, range: Range<usize>, split: &Split) -> usize {
        let column = &self.table.columns[split.column];
        let rows = &mut self.partition[range.clone()];
        let scratch = &mut self.scratch[range.clone()];
        let lefts = cut_chunk(rows, scratch, |row| goes_left(column[row as usize], split.bin, split.missing_left));
        let rights = rows.len() - lefts;
        rows[lefts..].copy_from_slice(&scratch[..rights]);
        range.start + lefts
    }

    /// Averages the targets of a leaf in the order of its rows.
    fn finish(&self, grown: &mut Grown, node: usize, range: Range<usize>, drawn: &Drawn<'_>) {
        if let Some(ones_from) = self.rows.ones_from {
            grown.values[node] = self.ones(&range, ones_from) as f64 / range.len() as f64;
            grown.nodes[node].rows = range.len() as u64;
            return;
        }
        let rows = &self.partition[range];
        let outputs = grown.outputs;
        let values = &mut grown.values[node * outputs..(node + 1) * outputs];
        // Summed from the first target on, so that equal targets have their own value as their mean.
        let base = match (self.parameters.criterion, rows.first()) {
            (Criterion::SquaredError, Some(&row)) => self.rows.targets[row as usize],
            _ => 0.0,
        };
        let (mut total, mut count) = (0.0, 0);
        for row in rows.iter().map(|&row| row as usize) {
            let times = drawn.times(row);
            let weight = self.rows.weights.as_ref().map_or(1.0, |weights| weights[row]) * f64::from(times);
            count += u64::from(times);
            total += weight;
            if outputs == 1 {
                values[0] += weight * (self.rows.targets[row] - base);
            } else {
                values[self.rows.slot(row) - 1] += weight;
            }
        }
        values.iter_mut().for_each(|value| *value = base + *value / total);
        grown.nodes[node].rows = count;
    }
}

/// Adds one bin to a sum.
#[inline]
fn add(total: &mut [i64], bin: &[i64]) {
    total.iter_mut().zip(bin).for_each(|(total, part)| *total = total.wrapping_add(*part));
}

#[inline]
fn goes_left(bin: u8, highest: u8, missing_left: bool) -> bool {
    // The bin of missing values is above every other.
    (bin <= highest) | ((bin == MISSING) & missing_left)
}

impl Grown {
    fn push(&mut self) -> usize {
        self.nodes.push(Node::leaf(0.0, 0));
        self.bins.push(0);
        self.values.resize(self.values.len() + self.outputs, 0.0);
        self.nodes.len() - 1
    }

    fn split(&mut self, node: usize, split: &Split, binning: &Binning, gain: f64) -> [usize; 2] {
        let children = [self.push(), self.push()];
        // Values that the node did not see go with all others.
        self.bins[node] = if split.all_values { MISSING - 1 } else { split.bin };
        let parent = &mut self.nodes[node];
        parent.feature = split.column as u32;
        [parent.left, parent.right] = children.map(|child| child as u32);
        parent.missing_left = split.missing_left;
        parent.gain = gain;
        let edges = binning.edges(split.column);
        parent.threshold = if split.all_values { f64::INFINITY } else { edges[usize::from(split.bin)] };
        children
    }

    /// Adds the rows of the leaves up; children follow their parent.
    fn count_rows(&mut self) {
        for node in (0..self.nodes.len()).rev() {
            let Node { left, right, .. } = self.nodes[node];
            if left != 0 {
                self.nodes[node].rows = self.nodes[left as usize].rows + self.nodes[right as usize].rows;
            }
        }
    }

    /// Gives the tree of one output as it stands in a forest of `trees`.
    pub(crate) fn tree(&self, output: usize, trees: usize) -> Result<Tree, Error> {
        let node = |(index, node): (usize, &Node)| Node {
            value: self.values[index * self.outputs + output] / trees as f64,
            ..*node
        };
        Tree::new(self.nodes.iter().enumerate().map(node).collect())
    }

    /// Says whether the tree was grown on a row of the table.
    pub(crate) fn saw(&self, row: usize) -> bool {
        self.seen[row / 64] >> (row % 64) & 1 == 1
    }

    /// Gives what the tree predicts for a row of the table, output by output.
    pub(crate) fn values(&self, table: &Table<'_>, row: usize) -> &[f64] {
        let mut at = 0;
        while !self.nodes[at].is_leaf() {
            let node = &self.nodes[at];
            let bin = table.columns[node.feature as usize][row];
            at = if goes_left(bin, self.bins[at], node.missing_left) { node.left } else { node.right } as usize;
        }
        &self.values[at * self.outputs..(at + 1) * self.outputs]
    }
}
