//! How binned rows find their leaf in a tree that others have grown.

use std::hint::select_unpredictable;

use super::split::Cut;
use crate::ensemble::Node;
use crate::{BinnedMatrix, CategorySet};

/// Rows that walk down side by side, so that one does not wait for another.
const LANES: usize = 8;

/// A tree laid out for walking: a leaf leads to itself, so that several rows take the same steps, and which way each goes
/// is no branch.
pub(super) struct Walk<'a> {
    steps: Vec<Step<'a>>,
    nodes: &'a [Node],
    sets: Vec<CategorySet>,
}

#[derive(Clone, Copy)]
struct Step<'a> {
    /// The column that is looked at, a byte a row.
    bins: &'a [u8],
    /// Where to go to the right, and to the left.
    next: [u32; 2],
    /// A bin goes left where, after `shift`, it is at most this; the bin of missing values becomes 0 by a shift of 1.
    highest: u8,
    shift: u8,
    /// The set that goes left in place of that, counted from 1.
    set: u16,
}

impl<'a> Walk<'a> {
    /// Lays out a tree for the rows of `matrix`.
    pub(super) fn new(nodes: &'a [Node], cuts: &[Cut], matrix: &'a BinnedMatrix) -> Walk<'a> {
        let mut walk = Walk { steps: Vec::with_capacity(nodes.len()), nodes, sets: Vec::new() };
        // What a leaf reads changes nothing; it is what the row read first.
        let first = nodes.first().map_or(0, |root| root.feature as usize);
        for (index, (node, cut)) in nodes.iter().zip(cuts).enumerate() {
            if node.is_leaf() {
                let bins = if index > 0 { matrix.column(first) } else { &[] };
                walk.steps.push(Step { bins, next: [index as u32; 2], highest: 0, shift: 0, set: 0 });
                continue;
            }
            let bins = matrix.column(node.feature as usize);
            let mut step = Step { bins, next: [node.right, node.left], highest: 0, shift: 0, set: 0 };
            match cut {
                Cut::Bins { highest, .. } => {
                    step.shift = u8::from(node.missing_left);
                    step.highest = highest + step.shift;
                }
                Cut::Set(set) => {
                    walk.sets.push(*set);
                    step.set = walk.sets.len() as u16;
                }
            }
            walk.steps.push(step);
        }
        walk
    }

    /// Adds the value of its leaf to the margin of each row; `margins` are those of the rows from `first` on.
    pub(super) fn add_to_all(&self, first: usize, margins: &mut [f64]) {
        let mut lanes = margins.chunks_exact_mut(LANES);
        let mut row = first;
        for margins in &mut lanes {
            let leaves = self.leaves(&std::array::from_fn::<usize, LANES, _>(|lane| row + lane));
            for (margin, leaf) in margins.iter_mut().zip(leaves) {
                *margin += self.nodes[leaf as usize].value;
            }
            row += LANES;
        }
        for margin in lanes.into_remainder() {
            *margin += self.value(row);
            row += 1;
        }
    }

    /// Adds the value of its leaf to the margin of each of `rows`.
    pub(super) fn add_to(&self, rows: &[u32], margins: &mut [f64]) {
        let (lanes, rest) = rows.as_chunks::<LANES>();
        for rows in lanes {
            for (row, leaf) in rows.iter().zip(self.leaves(&rows.map(|row| row as usize))) {
                margins[*row as usize] += self.nodes[leaf as usize].value;
            }
        }
        for row in rest {
            margins[*row as usize] += self.value(*row as usize);
        }
    }

    fn value(&self, row: usize) -> f64 {
        let [leaf] = self.leaves(&[row]);
        self.nodes[leaf as usize].value
    }

    #[inline]
    fn leaves<const ROWS: usize>(&self, rows: &[usize; ROWS]) -> [u32; ROWS] {
        if self.sets.is_empty() {
            self.down(rows, |step, bin| bin.wrapping_add(step.shift) <= step.highest)
        } else {
            self.down(rows, |step, bin| match step.set {
                0 => bin.wrapping_add(step.shift) <= step.highest,
                set => self.sets[usize::from(set) - 1].contains(bin),
            })
        }
    }

    #[inline(always)]
    fn down<const ROWS: usize>(&self, rows: &[usize; ROWS], left: impl Fn(&Step<'_>, u8) -> bool) -> [u32; ROWS] {
        let mut at = [0; ROWS];
        if self.steps.len() == 1 {
            return at;
        }
        loop {
            let mut moved = 0;
            for (at, row) in at.iter_mut().zip(rows) {
                let step = &self.steps[*at as usize];
                let next = select_unpredictable(left(step, step.bins[*row]), step.next[1], step.next[0]);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                return at;
            }
        }
    }
}
