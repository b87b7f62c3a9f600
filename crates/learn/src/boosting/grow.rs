//! Growth of one tree, best or uppermost leaf first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::gradients::{Gradients, Sums};
use super::histogram::{self, Layout, Scratch};
use super::parameters::{BoostingParameters, GrowPolicy};
use super::partition::Partition;
use super::quantile;
use super::split::{Bounds, Cut, Rules, Split};
use super::walk::Walk;
use crate::binning::{BinnedMatrix, Binning, MISSING};
use crate::ensemble::{Node, Tree, set_number};
use crate::{CategorySet, Error};

/// Rows that one thread sums faster than several.
const PARALLEL_ROWS: usize = 1 << 15;

/// Rows that one thread sums at a time.
const SUMMED_ROWS: usize = 1 << 13;

/// Grows the trees of one fit; keeps its working space from tree to tree.
pub(crate) struct Grower<'a> {
    matrix: &'a BinnedMatrix,
    binning: &'a Binning,
    parameters: &'a BoostingParameters,
    partition: Partition,
    scratch: Scratch,
    spare: Vec<Vec<Sums>>,
    /// How many pairs of gradient and hessian were added to histograms, in all trees.
    pub(crate) additions: u64,
}

/// A tree over bins and over doubles at once.
#[derive(Debug)]
pub(crate) struct Grown {
    pub(crate) nodes: Vec<Node>,
    /// The bins that go left at each node.
    cuts: Vec<Cut>,
    /// The leaves: node, and the range of the partition that holds its rows.
    pub(crate) leaves: Vec<(usize, std::ops::Range<usize>)>,
}

/// A leaf that may still be split.
struct Leaf {
    /// See [`Grower::priority`].
    priority: f64,
    node: usize,
    depth: usize,
    rows: std::ops::Range<usize>,
    bounds: Bounds,
    split: Split,
    total: Sums,
    histogram: Vec<Sums>,
}

impl Ord for Leaf {
    fn cmp(&self, other: &Leaf) -> Ordering {
        // Of equal ones the older leaf goes first.
        self.priority.total_cmp(&other.priority).then(other.node.cmp(&self.node))
    }
}

impl PartialOrd for Leaf {
    fn partial_cmp(&self, other: &Leaf) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Leaf {
    fn eq(&self, other: &Leaf) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Leaf {}

impl<'a> Grower<'a> {
    pub(crate) fn new(
        matrix: &'a BinnedMatrix,
        binning: &'a Binning,
        parameters: &'a BoostingParameters,
    ) -> Grower<'a> {
        Grower {
            matrix,
            binning,
            parameters,
            partition: Partition::default(),
            scratch: Scratch::new(),
            spare: Vec::new(),
            additions: 0,
        }
    }

    /// Grows a tree on `rows` (increasing) and the columns of `layout`.
    pub(crate) fn grow(
        &mut self,
        layout: &Layout<'_>,
        rows: impl Iterator<Item = u32>,
        gradients: &Gradients,
    ) -> Grown {
        let scale = gradients.scale;
        let rules = Rules {
            scale,
            min_rows: self.parameters.min_samples_leaf as u64,
            min_hessian: self.parameters.min_hessian,
            l1: self.parameters.reg_alpha / scale.gradient_unit,
            l2: self.parameters.l2_regularization,
            monotonic: self.parameters.is_constrained().then_some(self.parameters.monotonic_cst.as_slice()),
            categories: &self.parameters.categories,
            binning: self.binning,
        };
        self.partition.reset(rows);
        let all = 0..self.partition.rows().len();
        let total = self.total(gradients);
        let mut grown = Grown { nodes: Vec::new(), cuts: Vec::new(), leaves: Vec::new() };
        grown.push(scale.count(total));
        let mut open = BinaryHeap::new();
        let mut root = None;
        if self.may_split(total, 0, &rules) {
            let mut histogram = self.new_histogram(layout);
            self.fill(layout, &mut histogram, all.clone(), gradients);
            root = rules.best(layout, &histogram, total, Bounds::NONE).map(|split| (split, histogram));
        }
        match root {
            Some((split, histogram)) => {
                let (priority, rows, bounds) = (self.priority(&split, 0), all, Bounds::NONE);
                open.push(Leaf { priority, node: 0, depth: 0, rows, bounds, split, total, histogram });
            }
            None => grown.leaves.push((0, all)),
        }
        // A tree of one leaf adds nothing: the base already is the best constant.
        let mut totals = vec![([0, total[1]], Bounds::NONE, 0.0)];
        let mut leaves = 1;
        while leaves < self.parameters.max_leaf_nodes {
            let Some(leaf) = open.pop() else { break };
            leaves += 1;
            let is_last = leaves == self.parameters.max_leaf_nodes;
            let split = leaf.split;
            let middle = leaf.rows.start + self.cut(leaf.rows.clone(), &split);
            let right_total = [leaf.total[0] - split.left[0], leaf.total[1].wrapping_sub(split.left[1])];
            let (left, right) = grown.split(leaf.node, &split, self.binning, &scale, right_total);
            let [left_bounds, right_bounds] = rules.child_bounds(&split, right_total, leaf.bounds);
            totals.extend([(split.left, left_bounds, split.l2), (right_total, right_bounds, split.l2)]);
            let depth = leaf.depth + 1;
            let sides = [
                ((left, depth, leaf.rows.start..middle), split.left, left_bounds),
                ((right, depth, middle..leaf.rows.end), right_total, right_bounds),
            ];
            let may = sides.each_ref().map(|(_, total, _)| !is_last && self.may_split(*total, depth, &rules));
            if !may[0] && !may[1] {
                self.spare.push(leaf.histogram);
                grown.leaves.extend(sides.map(|((node, _, rows), ..)| (node, rows)));
                continue;
            }
            // Only the smaller child is counted; the larger one is what remains of the parent.
            let smaller = usize::from(scale.count(right_total) < scale.count(split.left));
            let mut small = self.new_histogram(layout);
            self.fill(layout, &mut small, sides[smaller].0.2.clone(), gradients);
            let mut large = leaf.histogram;
            histogram::subtract(&mut large, &small);
            let histograms = if smaller == 0 { [small, large] } else { [large, small] };
            let candidate = |side: usize| may[side].then_some((&*histograms[side], sides[side].1, sides[side].2));
            let splits = rules.best_of_both(layout, [candidate(0), candidate(1)]);
            for ((((node, depth, rows), total, bounds), split), histogram) in
                sides.into_iter().zip(splits).zip(histograms)
            {
                match split {
                    Some(split) => {
                        let priority = self.priority(&split, depth);
                        open.push(Leaf { priority, node, depth, rows, bounds, split, total, histogram });
                    }
                    None => {
                        self.spare.push(histogram);
                        grown.leaves.push((node, rows));
                    }
                }
            }
        }
        for leaf in open.into_vec() {
            grown.leaves.push((leaf.node, leaf.rows));
            self.spare.push(leaf.histogram);
        }
        grown.leaves.sort_unstable_by_key(|(node, _)| *node);
        for (node, _) in &grown.leaves {
            let (sums, bounds, l2) = totals[*node];
            grown.nodes[*node].value = rules.stricter(l2).value(sums, bounds) * self.parameters.learning_rate;
        }
        grown
    }

    /// Sets each leaf to the quantile at `share` of its rows' residuals, the learning rate included (Friedman: "Greedy
    /// function approximation", 2001, algorithm 3); a leaf whose rows weigh nothing to 0.
    pub(crate) fn refit(
        &self,
        grown: &mut Grown,
        residual: impl Fn(usize) -> f64 + Sync,
        weights: Option<&[f64]>,
        share: f64,
    ) {
        let value = |(_, range): &(usize, std::ops::Range<usize>)| {
            let rows = self.partition.rows()[range.clone()].iter().copied();
            quantile::of_rows(rows, &residual, weights, share).unwrap_or(0.0) * self.parameters.learning_rate
        };
        let values: Vec<f64> = if self.partition.rows().len() < PARALLEL_ROWS / 8 {
            grown.leaves.iter().map(value).collect()
        } else {
            grown.leaves.par_iter().map(value).collect()
        };
        for ((node, _), value) in grown.leaves.iter().zip(values) {
            grown.nodes[*node].value = value;
        }
    }

    /// Adds each leaf's value to the margins of its rows.
    pub(crate) fn add_to(&self, grown: &Grown, margins: &mut [f64]) {
        self.partition.add_to(&grown.leaves, &grown.nodes, margins);
    }

    /// Says whether a node can have two sides that are large enough.
    fn may_split(&self, total: Sums, depth: usize, rules: &Rules<'_>) -> bool {
        // Hessians are whole multiples of a power of two, so that those of two sides add up to that of the node exactly.
        rules.scale.count(total) >= 2 * rules.min_rows
            && rules.scale.hessian(total) >= 2.0 * rules.min_hessian
            && self.parameters.max_depth.is_none_or(|most| depth < most)
    }

    /// Gives what is greatest in the leaf that is split next.
    fn priority(&self, split: &Split, depth: usize) -> f64 {
        match self.parameters.grow_policy {
            GrowPolicy::Lossguide => split.gain,
            GrowPolicy::Depthwise => -(depth as f64),
        }
    }

    fn new_histogram(&mut self, layout: &Layout<'_>) -> Vec<Sums> {
        let mut histogram = self.spare.pop().unwrap_or_default();
        // Filling writes every bin, so old sums need not be cleared.
        histogram.resize(layout.length, [0; 2]);
        histogram
    }

    fn fill(
        &mut self,
        layout: &Layout<'_>,
        histogram: &mut [Sums],
        range: std::ops::Range<usize>,
        gradients: &Gradients,
    ) {
        self.additions += range.len() as u64 * layout.lanes_of_row();
        layout.fill(histogram, &self.partition.rows()[range], gradients, &mut self.scratch);
    }

    /// Reorders the rows of a leaf by `split`; gives the number that goes left.
    fn cut(&mut self, range: std::ops::Range<usize>, split: &Split) -> usize {
        let bins = self.matrix.column(split.column);
        let bin = |row: u32| bins[row as usize];
        match split.cut {
            Cut::Bins { highest, .. } => {
                self.partition.cut(range, |row| goes_left(bin(row), highest, split.missing_left))
            }
            Cut::Set(set) => self.partition.cut(range, |row| set.contains(bin(row))),
        }
    }

    fn total(&self, gradients: &Gradients) -> Sums {
        let add = |total: Sums, pair: Sums| [total[0] + pair[0], total[1].wrapping_add(pair[1])];
        let of_row = |row: u32| gradients.scale.of_row(gradients.pairs[row as usize]);
        let sum = |rows: &[u32]| rows.iter().fold([0, 0], |total, &row| add(total, of_row(row)));
        let rows = self.partition.rows();
        if rows.len() < PARALLEL_ROWS {
            sum(rows)
        } else {
            rows.par_chunks(SUMMED_ROWS).map(sum).reduce(|| [0, 0], add)
        }
    }
}

#[inline]
fn goes_left(bin: u8, highest: u8, missing_left: bool) -> bool {
    (bin <= highest) | ((bin == MISSING) & missing_left)
}

impl Grown {
    fn push(&mut self, rows: u64) -> usize {
        self.nodes.push(Node::leaf(0.0, rows));
        self.cuts.push(Cut::Bins { highest: 0, all_values: false });
        self.nodes.len() - 1
    }

    fn split(
        &mut self,
        node: usize,
        split: &Split,
        binning: &Binning,
        scale: &super::gradients::Scale,
        right: Sums,
    ) -> (usize, usize) {
        let (left, right) = (self.push(scale.count(split.left)), self.push(scale.count(right)));
        self.cuts[node] = split.cut;
        let parent = &mut self.nodes[node];
        parent.feature = split.column as u32;
        parent.left = left as u32;
        parent.right = right as u32;
        parent.missing_left = split.missing_left;
        parent.threshold = match split.cut {
            Cut::Bins { all_values: true, .. } => f64::INFINITY,
            Cut::Bins { highest, all_values: false } => binning.edges(split.column)[usize::from(highest)],
            Cut::Set(_) => 0.0,
        };
        // Half of the drop of the second-order loss, as LightGBM reports it but for the factor.
        parent.gain = split.gain * scale.gradient_unit * scale.gradient_unit;
        (left, right)
    }

    /// Lays the tree out for the rows of `matrix`, which others than those have grown.
    pub(crate) fn walk<'g>(&'g self, matrix: &'g BinnedMatrix) -> Walk<'g> {
        Walk::new(&self.nodes, &self.cuts, matrix)
    }

    /// Gives the tree over doubles.
    pub(crate) fn into_tree(mut self) -> Result<Tree, Error> {
        let mut sets: Vec<CategorySet> = Vec::new();
        for (node, cut) in self.nodes.iter_mut().zip(&self.cuts) {
            if let Cut::Set(set) = cut {
                // The bin of missing values is no code: the node says where they go.
                sets.push(set.codes().collect());
                node.set = set_number(sets.len())?;
            }
        }
        Tree::with_sets(self.nodes, &sets)
    }
}
