//! Which rows lie in which leaf: one list of row numbers, cut again and again.

use std::ops::Range;

use rayon::prelude::*;

use crate::ensemble::Node;

/// Rows of a cut below which one thread is faster than several.
const PARALLEL_ROWS: usize = 1 << 15;

/// Rows that one thread cuts at a time.
const CHUNK: usize = 1 << 13;

/// Holds the rows of each leaf next to each other, in increasing order.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    rows: Vec<u32>,
    scratch: Vec<u32>,
    joined: Vec<u32>,
}

impl Partition {
    /// Starts with one leaf of `rows`.
    pub(crate) fn reset(&mut self, rows: impl Iterator<Item = u32>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.scratch.resize(self.rows.len(), 0);
        self.joined.resize(self.rows.len(), 0);
    }

    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Brings the rows of `range` that go left to its front, keeping their order; gives their number.
    pub(crate) fn cut(&mut self, range: Range<usize>, goes_left: impl Fn(u32) -> bool + Sync) -> usize {
        let rows = &mut self.rows[range.clone()];
        let scratch = &mut self.scratch[range.clone()];
        if rows.len() < PARALLEL_ROWS || rayon::current_num_threads() == 1 {
            let lefts = cut_chunk(rows, scratch, goes_left);
            let rights = rows.len() - lefts;
            rows[lefts..].copy_from_slice(&scratch[..rights]);
            return lefts;
        }
        let chunks = rows.par_chunks_mut(CHUNK).zip(scratch.par_chunks_mut(CHUNK));
        let lefts: Vec<usize> = chunks.map(|(rows, scratch)| cut_chunk(rows, scratch, &goes_left)).collect();
        let all_lefts: usize = lefts.iter().sum();
        // Lefts wait at the front of each chunk of `rows`, rights at the front of each chunk of `scratch`.
        let joined = &mut self.joined[range];
        let (mut left_rest, mut right_rest) = joined.split_at_mut(all_lefts);
        let mut moves = Vec::with_capacity(2 * lefts.len());
        for ((rows, scratch), &count) in rows.chunks(CHUNK).zip(scratch.chunks(CHUNK)).zip(&lefts) {
            let (to_left, left_after) = left_rest.split_at_mut(count);
            let (to_right, right_after) = right_rest.split_at_mut(rows.len() - count);
            moves.push((to_left, &rows[..count]));
            moves.push((to_right, &scratch[..rows.len() - count]));
            (left_rest, right_rest) = (left_after, right_after);
        }
        moves.into_par_iter().for_each(|(to, from)| to.copy_from_slice(from));
        let copies = rows.par_chunks_mut(CHUNK).zip(joined.par_chunks(CHUNK));
        copies.for_each(|(rows, joined)| rows.copy_from_slice(joined));
        all_lefts
    }

    /// Adds the value of each leaf to the margins of its rows.
    pub(crate) fn add_to(&self, leaves: &[(usize, Range<usize>)], nodes: &[Node], margins: &mut [f64]) {
        let parallel = margins.len() >= PARALLEL_ROWS && rayon::current_num_threads() > 1;
        let chunk = if parallel { CHUNK } else { margins.len().max(1) };
        let add = |(index, margins): (usize, &mut [f64])| {
            let first = (index * chunk) as u32;
            let end = first + margins.len() as u32;
            for (node, range) in leaves {
                let value = nodes[*node].value;
                let rows = &self.rows[range.clone()];
                let from = rows.partition_point(|&row| row < first);
                let to = rows.partition_point(|&row| row < end);
                for &row in &rows[from..to] {
                    margins[(row - first) as usize] += value;
                }
            }
        };
        if parallel {
            margins.par_chunks_mut(chunk).enumerate().for_each(add);
        } else {
            margins.chunks_mut(chunk).enumerate().for_each(add);
        }
    }
}

/// Brings lefts to the front of `rows` and rights to the front of `scratch`; gives the number of lefts.
pub(crate) fn cut_chunk(rows: &mut [u32], scratch: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let (mut lefts, mut rights) = (0, 0);
    for index in 0..rows.len() {
        // Both sides are written and one counter moves: no branch to mispredict.
        let row = rows[index];
        let left = goes_left(row);
        rows[lefts] = row;
        scratch[rights] = row;
        lefts += usize::from(left);
        rights += usize::from(!left);
    }
    lefts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_the_order_at_any_number_of_threads() {
        let rows = 300_000u32;
        let cut = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let mut partition = Partition::default();
                partition.reset(0..rows);
                let lefts = partition.cut(5..rows as usize, |row| row % 3 == 0);
                (lefts, partition.rows)
            })
        };
        let (lefts, order) = cut(1);
        assert_eq!(lefts, (5..rows).filter(|row| row % 3 == 0).count());
        assert!(order[5..5 + lefts].windows(2).all(|pair| pair[0] < pair[1] && pair[0] % 3 == 0));
        assert!(order[5 + lefts..].windows(2).all(|pair| pair[0] < pair[1] && pair[0] % 3 != 0));
        assert_eq!((lefts, order), cut(3));
    }
}
