//! Trees that were grown: prediction, importance, and their stored form.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{CategorySet, Error, Matrix};

/// Rows that walk one tree after another together, while the tree lies in the cache.
const BLOCK_ROWS: usize = 256;

/// Holds boosted trees; a row's margin is the base plus one leaf of each tree, added in the order of the trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredEnsemble")]
pub struct TreeEnsemble {
    features: usize,
    base: f64,
    trees: Vec<Tree>,
}

/// Holds one binary tree; node 0 is the root, and children follow their parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "StoredTree", try_from = "StoredTree")]
pub struct Tree {
    nodes: Vec<Node>,
    /// The sets of the nodes that have one, in the order of the nodes.
    sets: Vec<CategorySet>,
}

/// Holds a split, or a leaf when both children are 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// `x <= threshold` goes left; 0 where a set decides.
    pub threshold: f64,
    /// The value of a leaf, learning rate included; 0 in a split.
    pub value: f64,
    /// The loss that the split takes away, in units of the objective summed over rows; 0 in a leaf.
    pub gain: f64,
    /// The training rows that came here.
    pub rows: u64,
    /// The column that a split looks at.
    pub feature: u32,
    /// The child of lower values.
    pub left: u32,
    /// The child of higher values.
    pub right: u32,
    /// Whether a missing value goes left.
    pub missing_left: bool,
    /// The number of the set of categories that goes left, among those of the tree from 1; `None` where the threshold
    /// decides.
    pub set: Option<NonZeroU16>,
}

impl Node {
    /// Makes a leaf.
    pub fn leaf(value: f64, rows: u64) -> Node {
        Node { threshold: 0.0, value, gain: 0.0, rows, feature: 0, left: 0, right: 0, missing_left: false, set: None }
    }

    /// Says whether the node is a leaf.
    pub fn is_leaf(&self) -> bool {
        self.left == 0
    }
}

impl Tree {
    /// Makes a tree of its nodes.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a child does not exist or does not follow its parent, so that a walk always ends.
    pub fn new(nodes: Vec<Node>) -> Result<Tree, Error> {
        Tree::with_sets(nodes, &[])
    }

    /// Makes a tree of its nodes and of the sets whose numbers they hold; the tree numbers them anew, in the order of
    /// its nodes.
    ///
    /// # Errors
    /// As [`Tree::new`]; a set that does not exist, that is empty, or that a leaf has.
    pub fn with_sets(mut nodes: Vec<Node>, sets: &[CategorySet]) -> Result<Tree, Error> {
        if nodes.is_empty() {
            return Err(Error::Damaged { what: "a tree has no nodes" });
        }
        for (index, node) in nodes.iter().enumerate() {
            let follows = |child: u32| child as usize > index && (child as usize) < nodes.len();
            let is_leaf = node.left == 0 && node.right == 0;
            let is_split = follows(node.left) && follows(node.right);
            if !(is_leaf || is_split) {
                return Err(Error::Damaged { what: "a tree's child does not follow its parent" });
            }
        }
        let mut ordered = Vec::new();
        for node in nodes.iter_mut().filter(|node| node.set.is_some()) {
            let set = node.set.and_then(|number| sets.get(usize::from(number.get()) - 1)).filter(|set| !set.is_empty());
            let (Some(set), false) = (set, node.is_leaf()) else {
                return Err(Error::Damaged { what: "the set of a tree's split is absent or empty, or a leaf has one" });
            };
            ordered.push(*set);
            node.set = set_number(ordered.len())?;
        }
        Ok(Tree { nodes, sets: ordered })
    }

    /// Gives the nodes, the root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Gives the set of categories that goes left at a node of the tree; `None` where the threshold decides.
    #[inline]
    pub fn set(&self, node: &Node) -> Option<&CategorySet> {
        node.set.and_then(|number| self.sets.get(usize::from(number.get()) - 1))
    }

    /// Says whether a cell goes left at a split of the tree; where a set decides, a cell without a code is missing.
    #[inline]
    pub fn goes_left(&self, node: &Node, cell: f64) -> bool {
        match self.set(node) {
            None => {
                if cell.is_nan() {
                    node.missing_left
                } else {
                    cell <= node.threshold
                }
            }
            Some(set) => set.has(cell).unwrap_or(node.missing_left),
        }
    }

    /// Gives the leaf that `cell`, which maps a column to its value, leads to.
    #[inline]
    fn leaf(&self, cell: impl Fn(usize) -> f64) -> f64 {
        let mut node = &self.nodes[0];
        while !node.is_leaf() {
            let left = self.goes_left(node, cell(node.feature as usize));
            node = &self.nodes[if left { node.left } else { node.right } as usize];
        }
        node.value
    }
}

/// Numbers a set, from 1.
pub(crate) fn set_number(number: usize) -> Result<Option<NonZeroU16>, Error> {
    let number = u16::try_from(number).map_err(|_| Error::Damaged { what: "a tree has more than 65,535 sets" })?;
    Ok(NonZeroU16::new(number))
}

impl TreeEnsemble {
    /// Makes an ensemble over `features` columns.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a tree looks at a column that is not there, or when one column is split both by
    /// thresholds and by sets of categories.
    pub fn new(features: usize, base: f64, trees: Vec<Tree>) -> Result<TreeEnsemble, Error> {
        let nodes = || trees.iter().flat_map(Tree::nodes).filter(|node| !node.is_leaf());
        if nodes().any(|node| node.feature as usize >= features) {
            return Err(Error::Damaged { what: "a tree looks at a column that is not there" });
        }
        if trees.iter().any(|tree| !tree.sets.is_empty()) {
            // The number of columns may be any that a file tells.
            let mut has_sets = BTreeMap::new();
            if nodes().any(|node| *has_sets.entry(node.feature).or_insert(node.set.is_some()) != node.set.is_some()) {
                return Err(Error::Damaged { what: "a column is split by thresholds and by sets of categories" });
            }
        }
        Ok(TreeEnsemble { features, base, trees })
    }

    /// Gives the number of columns it was fitted on.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Gives the margin before any tree.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// Gives the trees in the order in which they were grown.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Keeps the first `trees` trees.
    pub fn truncate(&mut self, trees: usize) {
        self.trees.truncate(trees);
    }

    /// Predicts the margin of every row: a log-odds or a value, after the objective.
    ///
    /// # Panics
    /// Panics when the matrix has fewer columns than [`TreeEnsemble::features`].
    pub fn predict_margin(&self, matrix: &Matrix<'_>) -> Vec<f64> {
        assert!(matrix.columns().len() >= self.features, "the matrix has the columns of the fit");
        let mut margins = vec![self.base; matrix.rows()];
        let columns = matrix.columns();
        let walks: Vec<Walk<'_>> = self.trees.iter().map(Walk::new).collect();
        let predict = |(block, margins): (usize, &mut [f64])| {
            let first = block * BLOCK_ROWS;
            for walk in &walks {
                let mut lanes = margins.chunks_exact_mut(LANES);
                let mut row = first;
                for margins in &mut lanes {
                    walk.add_to(margins, |column, lane| columns[column][row + lane]);
                    row += LANES;
                }
                for margin in lanes.into_remainder() {
                    walk.add_to(std::slice::from_mut(margin), |column, _| columns[column][row]);
                    row += 1;
                }
            }
        };
        if matrix.rows() <= BLOCK_ROWS {
            margins.chunks_mut(BLOCK_ROWS).enumerate().for_each(predict);
        } else {
            margins.par_chunks_mut(BLOCK_ROWS).enumerate().for_each(predict);
        }
        margins
    }

    /// Predicts the margin of one row, with the bits of [`TreeEnsemble::predict_margin`]; an absent cell is missing.
    pub fn predict_margin_row(&self, row: &[f64]) -> f64 {
        let cell = |column: usize| row.get(column).copied().unwrap_or(f64::NAN);
        self.trees.iter().fold(self.base, |margin, tree| margin + tree.leaf(cell))
    }

    /// Gives, for each column, the sum of the gains of its splits.
    pub fn importance_gain(&self) -> Vec<f64> {
        let mut importance = vec![0.0; self.features];
        for node in self.trees.iter().flat_map(Tree::nodes).filter(|node| !node.is_leaf()) {
            importance[node.feature as usize] += node.gain;
        }
        importance
    }
}

/// Rows that walk down a tree side by side.
const LANES: usize = 8;

/// A tree laid out for walking: a leaf leads to itself, so that several rows take the same number of steps and no
/// branch is mispredicted.
struct Walk<'a> {
    tree: &'a Tree,
    steps: Vec<Step>,
    values: Vec<f64>,
    depth: usize,
}

#[derive(Clone, Copy)]
struct Step {
    threshold: f64,
    feature: u32,
    /// Where to go when the value is above the threshold, and when it is not.
    next: [u32; 2],
    missing: u32,
}

impl Walk<'_> {
    fn new(tree: &Tree) -> Walk<'_> {
        let mut depths = vec![0; tree.nodes.len()];
        for (index, node) in tree.nodes.iter().enumerate().filter(|(_, node)| !node.is_leaf()) {
            // Children follow their parent.
            depths[node.left as usize] = depths[index] + 1;
            depths[node.right as usize] = depths[index] + 1;
        }
        let step = |(index, node): (usize, &Node)| {
            let here = index as u32;
            if node.is_leaf() {
                return Step { threshold: 0.0, feature: 0, next: [here; 2], missing: here };
            }
            let missing = if node.missing_left { node.left } else { node.right };
            Step { threshold: node.threshold, feature: node.feature, next: [node.right, node.left], missing }
        };
        Walk {
            tree,
            steps: tree.nodes.iter().enumerate().map(step).collect(),
            values: tree.nodes.iter().map(|node| node.value).collect(),
            depth: depths.into_iter().max().unwrap_or(0),
        }
    }

    /// Adds the leaf of each of up to [`LANES`] rows to its margin.
    #[inline]
    fn add_to(&self, margins: &mut [f64], cell: impl Fn(usize, usize) -> f64) {
        if !self.tree.sets.is_empty() {
            for (lane, margin) in margins.iter_mut().enumerate() {
                *margin += self.tree.leaf(|column| cell(column, lane));
            }
            return;
        }
        let mut at = [0u32; LANES];
        for _ in 0..self.depth {
            for (lane, at) in at[..margins.len()].iter_mut().enumerate() {
                let step = &self.steps[*at as usize];
                let value = cell(step.feature as usize, lane);
                let next = step.next[usize::from(value <= step.threshold)];
                *at = if value.is_nan() { step.missing } else { next };
            }
        }
        for (margin, at) in margins.iter_mut().zip(at) {
            *margin += self.values[at as usize];
        }
    }
}

/// What is read from a file, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEnsemble {
    features: usize,
    base: f64,
    trees: Vec<Tree>,
}

impl TryFrom<StoredEnsemble> for TreeEnsemble {
    type Error = Error;

    fn try_from(stored: StoredEnsemble) -> Result<TreeEnsemble, Error> {
        TreeEnsemble::new(stored.features, stored.base, stored.trees)
    }
}

/// The stored form of a tree: one list a field, short and quick to read; leaves have 0 in `left` and `right`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTree {
    feature: Vec<u32>,
    #[serde(with = "trainyard_exact::json::list")]
    threshold: Vec<f64>,
    missing_left: Vec<u8>,
    left: Vec<u32>,
    right: Vec<u32>,
    #[serde(with = "trainyard_exact::json::list")]
    value: Vec<f64>,
    #[serde(with = "trainyard_exact::json::list")]
    gain: Vec<f64>,
    rows: Vec<u64>,
    /// The splits that a set of categories decides, in the order of the nodes; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sets: Vec<StoredSet>,
}

/// The categories that go left at a node, in increasing order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSet {
    node: usize,
    left: Vec<u8>,
}

impl From<Tree> for StoredTree {
    fn from(tree: Tree) -> StoredTree {
        let with_sets = tree.nodes.iter().enumerate().filter_map(|(node, of)| Some((node, tree.set(of)?)));
        let sets = with_sets.map(|(node, set)| StoredSet { node, left: set.codes().collect() }).collect();
        let nodes = tree.nodes;
        StoredTree {
            feature: nodes.iter().map(|node| node.feature).collect(),
            threshold: nodes.iter().map(|node| node.threshold).collect(),
            missing_left: nodes.iter().map(|node| u8::from(node.missing_left)).collect(),
            left: nodes.iter().map(|node| node.left).collect(),
            right: nodes.iter().map(|node| node.right).collect(),
            value: nodes.iter().map(|node| node.value).collect(),
            gain: nodes.iter().map(|node| node.gain).collect(),
            rows: nodes.iter().map(|node| node.rows).collect(),
            sets,
        }
    }
}

impl TryFrom<StoredTree> for Tree {
    type Error = Error;

    fn try_from(stored: StoredTree) -> Result<Tree, Error> {
        let nodes = stored.feature.len();
        let lengths = [
            stored.threshold.len(),
            stored.missing_left.len(),
            stored.left.len(),
            stored.right.len(),
            stored.value.len(),
            stored.gain.len(),
            stored.rows.len(),
        ];
        if lengths.iter().any(|&length| length != nodes) {
            return Err(Error::Damaged { what: "the lists of a tree differ in length" });
        }
        let node = |index: usize| Node {
            threshold: stored.threshold[index],
            value: stored.value[index],
            gain: stored.gain[index],
            rows: stored.rows[index],
            feature: stored.feature[index],
            left: stored.left[index],
            right: stored.right[index],
            missing_left: stored.missing_left[index] != 0,
            set: None,
        };
        let mut nodes: Vec<Node> = (0..nodes).map(node).collect();
        let mut sets = Vec::with_capacity(stored.sets.len());
        let mut next = 0;
        for StoredSet { node, left } in stored.sets {
            let rises = node >= next && left.windows(2).all(|pair| pair[0] < pair[1]) && left.last() != Some(&u8::MAX);
            let Some(place) = nodes.get_mut(node).filter(|_| rises) else {
                return Err(Error::Damaged { what: "the sets of a tree are not in order" });
            };
            next = node + 1;
            sets.push(left.into_iter().collect());
            place.set = set_number(sets.len())?;
        }
        Tree::with_sets(nodes, &sets)
    }
}
