//! Shapley values of trees.
//!
//! A leaf is reached, when only some columns are known, with a product over the columns of its path: whether the row
//! agrees for a known one, the share of the training rows that went its way for another. The Shapley values of such a
//! product are integrals of a polynomial (Owen: "Multilinear extensions of games", 1972), which a Gauss–Legendre rule
//! gives without rounding away small terms, as unwinding a path can.
//!
//! They depend on the row only through which columns agree. So a part of a tree with few such bits has a table with a
//! line for each combination of them (after Yang: "Fast TreeSHAP", 2021, version 2, which has a table a leaf).

use rayon::prelude::*;

use super::quadrature::Rule;
use super::{Contributions, OPERATION};
use crate::ensemble::{Node, Tree, TreeEnsemble};
use crate::{CategorySet, Error, Matrix};

/// Rows that one task explains; for fewer, no tables are made.
const BLOCK_ROWS: usize = 256;

/// Bits of a table's key; a table has 2⁸ lines of up to 8 doubles, 16 KiB, and one tree's lie in the cache.
const KEY_BITS: usize = 8;

/// Trees whose tables are held at once.
const TABLED_TREES: usize = 8;

/// Explains the margins of an ensemble, exactly and path-dependent.
///
/// A column that is not known takes both ways of a split, in the proportion of the training rows that did (Lundberg and
/// others: "Consistent individualized feature attribution for tree ensembles", 2018, algorithm 1; the values are those
/// of its algorithm 2). A missing value goes its side and counts as known.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeExplainer {
    features: usize,
    expected: f64,
    trees: Vec<Vec<Part>>,
    /// At `n`, the rule of `n` points.
    rules: Vec<Rule>,
}

/// A test of one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Test {
    column: usize,
    accepts: Accepts,
    missing: bool,
}

/// What a test takes besides missing values.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Accepts {
    /// Values above `low` and up to `high`; `low` is NaN where there is no lower end: minus infinity is a value, too.
    Between { low: f64, high: f64 },
    /// These categories.
    Categories(CategorySet),
}

impl Test {
    /// Makes the test that a split asks for on one of its sides.
    fn of(tree: &Tree, node: &Node, is_left: bool) -> Test {
        let accepts = match tree.set(node) {
            Some(set) => Accepts::Categories(if is_left { *set } else { set.others() }),
            None if is_left => Accepts::Between { low: f64::NAN, high: node.threshold },
            None => Accepts::Between { low: node.threshold, high: f64::INFINITY },
        };
        Test { column: node.feature as usize, accepts, missing: node.missing_left == is_left }
    }

    /// Makes the test that holds where both do, which are of one column.
    fn and(self, other: Test) -> Test {
        let accepts = match (self.accepts, other.accepts) {
            // The greater of NaN and a number is the number.
            (Accepts::Between { low, high }, Accepts::Between { low: other_low, high: other_high }) => {
                Accepts::Between { low: low.max(other_low), high: high.min(other_high) }
            }
            (Accepts::Categories(set), Accepts::Categories(other)) => Accepts::Categories(set.and(other)),
            // An ensemble splits a column in one way alone.
            (_, accepts) => accepts,
        };
        Test { accepts, missing: self.missing && other.missing, ..self }
    }

    #[inline]
    fn holds(&self, value: f64) -> bool {
        match self.accepts {
            Accepts::Between { low, high } => is_between(low, high, self.missing, value),
            Accepts::Categories(set) => set.has(value).unwrap_or(self.missing),
        }
    }

    /// Sets a bit of each key whose cell holds.
    fn mark(&self, keys: &mut [u8], cells: &[f64], bit: usize) {
        let each = keys.iter_mut().zip(cells);
        match self.accepts {
            Accepts::Between { low, high } => {
                each.for_each(|(key, cell)| *key |= u8::from(is_between(low, high, self.missing, *cell)) << bit);
            }
            Accepts::Categories(_) => each.for_each(|(key, cell)| *key |= u8::from(self.holds(*cell)) << bit),
        }
    }
}

#[inline]
fn is_between(low: f64, high: f64, missing: bool, value: f64) -> bool {
    // Without branches, so that a block of rows is tested side by side.
    let inside = (value <= high) & ((value > low) | low.is_nan());
    if value.is_nan() { missing } else { inside }
}

/// A column of a path: all that the splits on it ask, and the share of the training rows that went that way at them.
#[derive(Debug, Clone, Copy)]
struct Step {
    test: Test,
    share: f64,
}

/// A part of a tree below one node, small enough for a table; or one leaf whose path has more columns than a key.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    /// One test a bit of the key.
    tests: Vec<Test>,
    /// The columns that its paths look at.
    columns: Vec<usize>,
    leaves: Vec<Leaf>,
}

#[derive(Debug, Clone, PartialEq)]
struct Leaf {
    value: f64,
    elements: Vec<Element>,
}

/// A column of the path to a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Element {
    /// Its place among the columns of the part.
    place: usize,
    share: f64,
    /// The row agrees where all of these bits are set …
    set: u8,
    /// … and none of these. Where the path has too many columns for a key, both are 0 and the test at `place` decides.
    clear: u8,
}

impl TreeExplainer {
    /// Prepares the explanation of `ensemble`.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the rows of a split are none or not those of its children together, a node has two
    /// parents, a threshold is NaN, or a leaf's value is not finite.
    pub fn new(ensemble: &TreeEnsemble) -> Result<TreeExplainer, Error> {
        ensemble.trees().iter().try_for_each(check)?;
        let trees: Vec<Vec<Part>> = ensemble.trees().par_iter().map(parts).collect();
        let leaves = || trees.iter().flatten().flat_map(|part| &part.leaves);
        let weighted = |leaf: &Leaf| leaf.elements.iter().fold(leaf.value, |value, element| value * element.share);
        let expected = leaves().fold(ensemble.base(), |sum, leaf| sum + weighted(leaf));
        let longest = leaves().map(|leaf| leaf.elements.len()).max().unwrap_or(0);
        let rules = (0..=longest.div_ceil(2)).into_par_iter().map(Rule::new).collect();
        Ok(TreeExplainer { features: ensemble.features(), expected, trees, rules })
    }

    /// Gives the margin that is expected where no column is known: the base plus each tree's mean over its training rows.
    pub fn expected(&self) -> f64 {
        self.expected
    }

    /// Explains every row, in the units of [`TreeEnsemble::predict_margin`]; a row gets the same bits alone and among
    /// others.
    ///
    /// # Errors
    /// [`Error::Columns`] when the matrix has another number of columns than the ensemble.
    pub fn contributions(&self, matrix: &Matrix<'_>) -> Result<Contributions, Error> {
        let (expected, got) = (self.features, matrix.columns().len());
        if expected != got {
            return Err(Error::Columns { operation: OPERATION, expected, got });
        }
        let width = self.features + 1;
        let mut values = vec![0.0; matrix.rows() * width];
        for trees in self.trees.chunks(TABLED_TREES) {
            let parts: Vec<&Part> = trees.iter().flatten().collect();
            let table = |part: &&Part| {
                let pays = matrix.rows() >= BLOCK_ROWS && part.has_key();
                if pays { part.table(&self.rules) } else { Vec::new() }
            };
            let tables: Vec<Vec<f64>> = parts.par_iter().map(table).collect();
            values.par_chunks_mut(BLOCK_ROWS * width).enumerate().for_each(|(block, values)| {
                let mut scratch = Scratch::default();
                for (part, table) in parts.iter().zip(&tables) {
                    part.add_to(values, width, matrix, block * BLOCK_ROWS, table, &self.rules, &mut scratch);
                }
            });
        }
        values.par_chunks_mut(width).for_each(|row| row[self.features] = self.expected);
        Ok(Contributions { features: self.features, values })
    }
}

/// Room for the numbers of one leaf.
#[derive(Default)]
struct Scratch {
    agrees: Vec<bool>,
    factors: Vec<f64>,
    after: Vec<f64>,
    before: Vec<f64>,
    line: Vec<f64>,
}

impl Part {
    fn has_key(&self) -> bool {
        self.tests.len() <= KEY_BITS
    }

    /// Gives the line of every key.
    fn table(&self, rules: &[Rule]) -> Vec<f64> {
        let mut scratch = Scratch::default();
        let mut table = Vec::with_capacity(self.columns.len() << self.tests.len());
        for key in 0..1usize << self.tests.len() {
            self.line(key as u8, rules, &mut scratch);
            table.extend_from_slice(&scratch.line);
        }
        table
    }

    /// Leaves in `scratch.line` what each column of the part gets for `key`: the sum over its leaves, in their order.
    fn line(&self, key: u8, rules: &[Rule], scratch: &mut Scratch) {
        scratch.line.clear();
        scratch.line.resize(self.columns.len(), 0.0);
        for leaf in &self.leaves {
            scratch.agrees.clear();
            let agrees = |element: &Element| key & (element.set | element.clear) == element.set;
            scratch.agrees.extend(leaf.elements.iter().map(agrees));
            leaf.add_to_line(rules, scratch);
        }
    }

    /// Adds the part's contributions to the rows from `first` on.
    #[expect(clippy::too_many_arguments, reason = "called in one place; a struct would only rename them")]
    fn add_to(
        &self,
        values: &mut [f64],
        width: usize,
        matrix: &Matrix<'_>,
        first: usize,
        table: &[f64],
        rules: &[Rule],
        scratch: &mut Scratch,
    ) {
        let rows = values.len() / width;
        if !self.has_key() {
            for (row, out) in values.chunks_exact_mut(width).enumerate() {
                scratch.agrees.clear();
                let agrees = |test: &Test| test.holds(matrix.columns()[test.column][first + row]);
                scratch.agrees.extend(self.tests.iter().map(agrees));
                scratch.line.clear();
                scratch.line.resize(self.columns.len(), 0.0);
                self.leaves.iter().for_each(|leaf| leaf.add_to_line(rules, scratch));
                add_line(out, &self.columns, &scratch.line);
            }
            return;
        }
        let mut keys = [0u8; BLOCK_ROWS];
        for (bit, test) in self.tests.iter().enumerate() {
            let cells = &matrix.columns()[test.column][first..first + rows];
            test.mark(&mut keys, cells, bit);
        }
        let length = self.columns.len();
        for (out, key) in values.chunks_exact_mut(width).zip(keys) {
            if table.is_empty() {
                self.line(key, rules, scratch);
                add_line(out, &self.columns, &scratch.line);
            } else {
                let at = usize::from(key) * length;
                add_line(out, &self.columns, &table[at..at + length]);
            }
        }
    }
}

#[inline]
fn add_line(out: &mut [f64], columns: &[usize], line: &[f64]) {
    for (column, value) in columns.iter().zip(line) {
        out[*column] += value;
    }
}

impl Leaf {
    /// Adds to `scratch.line` what each column of the path gets, where `scratch.agrees` says which columns agree:
    ///
    /// φᵢ = value · (aᵢ − shareᵢ) · ∫₀¹ ∏_{j≠i} (aⱼ t + shareⱼ (1 − t)) dt, aⱼ being 1 where column j agrees, else 0.
    fn add_to_line(&self, rules: &[Rule], scratch: &mut Scratch) {
        let Scratch { agrees, factors, after, before, line } = scratch;
        let depth = self.elements.len();
        // The product has degree depth − 1.
        let rule = &rules[depth.div_ceil(2)];
        let points = rule.points.len();
        factors.clear();
        for (element, agrees) in self.elements.iter().zip(&*agrees) {
            let known = f64::from(u8::from(*agrees));
            let factor = |(point, complement): (&f64, &f64)| known * point + element.share * complement;
            factors.extend(rule.points.iter().zip(&rule.complements).map(factor));
        }
        // Products of what follows and of what precedes, so that nothing is divided by a share of 0.
        after.clear();
        after.resize(depth * points, 1.0);
        for at in (0..depth.saturating_sub(1) * points).rev() {
            after[at] = after[at + points] * factors[at + points];
        }
        before.clear();
        before.extend_from_slice(&rule.weights);
        for (index, (element, agrees)) in self.elements.iter().zip(&*agrees).enumerate() {
            let here = index * points..(index + 1) * points;
            let terms = before.iter().zip(&after[here.clone()]);
            let integral: f64 = terms.map(|(before, after)| before * after).sum();
            let known = f64::from(u8::from(*agrees));
            line[element.place] += self.value * (known - element.share) * integral;
            before.iter_mut().zip(&factors[here]).for_each(|(before, factor)| *before *= factor);
        }
    }
}

/// Refuses a tree whose shares do not exist, or whose walk would come to a node twice.
fn check(tree: &Tree) -> Result<(), Error> {
    let nodes = tree.nodes();
    let mut has_parent = vec![false; nodes.len()];
    for node in nodes {
        if node.is_leaf() {
            if !node.value.is_finite() {
                return Err(Error::Damaged { what: "the value of a tree's leaf is not finite" });
            }
            continue;
        }
        let [left, right] = [node.left as usize, node.right as usize];
        if node.rows == 0 || nodes[left].rows.checked_add(nodes[right].rows) != Some(node.rows) {
            return Err(Error::Damaged { what: "a split of a tree has no rows, or others than its children" });
        }
        if node.threshold.is_nan() {
            return Err(Error::Damaged { what: "a threshold of a tree is NaN" });
        }
        for child in [left, right] {
            if std::mem::replace(&mut has_parent[child], true) {
                return Err(Error::Damaged { what: "a node of a tree has two parents" });
            }
        }
    }
    Ok(())
}

/// Cuts a tree into the largest parts that have a key, and leaves beyond.
fn parts(tree: &Tree) -> Vec<Part> {
    let nodes = tree.nodes();
    // Children follow their parent.
    let mut splits = vec![0usize; nodes.len()];
    for (index, node) in nodes.iter().enumerate().rev().filter(|(_, node)| !node.is_leaf()) {
        splits[index] = 1 + splits[node.left as usize] + splits[node.right as usize];
    }
    let mut parts = Vec::new();
    let mut paths: Vec<Option<Vec<Step>>> = vec![None; nodes.len()];
    paths[0] = Some(Vec::new());
    for (index, node) in nodes.iter().enumerate() {
        // Below the root of a part no node has a path.
        let Some(path) = paths[index].take() else { continue };
        if path.len() + splits[index] <= KEY_BITS {
            parts.push(keyed_part(tree, index, &path));
        } else if node.is_leaf() {
            parts.push(long_path(node.value, &path));
        } else {
            for (child, is_left) in [(node.left, true), (node.right, false)] {
                paths[child as usize] = Some(extended(&path, Test::of(tree, node, is_left), share(nodes, node, child)));
            }
        }
    }
    parts
}

/// Gives the share of the rows of `node` that went on to `child`.
fn share(nodes: &[Node], node: &Node, child: u32) -> f64 {
    nodes[child as usize].rows as f64 / node.rows as f64
}

/// Gives the path to a child that `test` leads to.
fn extended(path: &[Step], test: Test, share: f64) -> Vec<Step> {
    let mut path = path.to_vec();
    match path.iter_mut().find(|step| step.test.column == test.column) {
        Some(step) => *step = Step { test: step.test.and(test), share: step.share * share },
        None => path.push(Step { test, share }),
    }
    path
}

/// Starts a part with the tests and columns of the path to it.
fn empty_part(path: &[Step]) -> Part {
    let tests: Vec<Test> = path.iter().map(|step| step.test).collect();
    Part { columns: tests.iter().map(|test| test.column).collect(), tests, leaves: Vec::new() }
}

/// Makes the part of one leaf whose path has more columns than a key has bits.
fn long_path(value: f64, path: &[Step]) -> Part {
    let element = |(place, step): (usize, &Step)| Element { place, share: step.share, set: 0, clear: 0 };
    let elements = path.iter().enumerate().map(element).collect();
    Part { leaves: vec![Leaf { value, elements }], ..empty_part(path) }
}

/// Makes the part below the node at `root`: a bit for each column of the path to it, and one for each split below it.
fn keyed_part(tree: &Tree, root: usize, path: &[Step]) -> Part {
    let mut part = empty_part(path);
    let element = |(place, step): (usize, &Step)| Element { place, share: step.share, set: 1 << place, clear: 0 };
    let elements = path.iter().enumerate().map(element).collect();
    grow(&mut part, tree, root, elements);
    part
}

/// Adds the tests and leaves below the node at `index` to `part`; at most [`KEY_BITS`] splits deep.
fn grow(part: &mut Part, tree: &Tree, index: usize, elements: Vec<Element>) {
    let nodes = tree.nodes();
    let node = &nodes[index];
    if node.is_leaf() {
        part.leaves.push(Leaf { value: node.value, elements });
        return;
    }
    let column = node.feature as usize;
    let bit = 1 << part.tests.len();
    part.tests.push(Test::of(tree, node, true));
    let place = part.columns.iter().position(|known| *known == column).unwrap_or_else(|| {
        part.columns.push(column);
        part.columns.len() - 1
    });
    for (child, is_left) in [(node.left, true), (node.right, false)] {
        let mut elements = elements.clone();
        let at = elements.iter().position(|element| element.place == place).unwrap_or_else(|| {
            elements.push(Element { place, share: 1.0, set: 0, clear: 0 });
            elements.len() - 1
        });
        elements[at].share *= share(nodes, node, child);
        *(if is_left { &mut elements[at].set } else { &mut elements[at].clear }) |= bit;
        grow(part, tree, child as usize, elements);
    }
}
