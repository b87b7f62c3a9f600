//! Histograms of gradients, in integers.

use std::mem;

use rayon::prelude::*;

use super::gradients::Sums;
use crate::binning::{BLOCK, BinnedMatrix, Binning, MISSING};

/// Cells of work below which one thread is faster than several.
const PARALLEL_CELLS: usize = 1 << 19;

/// The fewest rows worth a thread of their own.
const PARALLEL_ROWS: usize = 1 << 15;

/// One full-width histogram a column of a block, so that a byte can never index outside.
pub(crate) type Scratch = [[Sums; 256]; BLOCK];

/// Knows which columns a tree looks at and where each one's bins lie in a histogram.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) columns: Vec<Column>,
    blocks: Vec<Block>,
    pub(crate) length: usize,
}

/// A column of a [`Layout`]: its value bins from `first` on, then the bin of missing values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) index: usize,
    pub(crate) first: usize,
    pub(crate) value_bins: usize,
}

/// The columns that share a word.
#[derive(Debug, Clone)]
struct Block {
    index: usize,
    first: usize,
    length: usize,
    shifts: Vec<u32>,
    value_bins: Vec<usize>,
}

impl Layout {
    /// Lays out the columns in `chosen`, which are in increasing order.
    pub(crate) fn new(binning: &Binning, chosen: &[usize]) -> Layout {
        let mut layout = Layout { columns: Vec::with_capacity(chosen.len()), blocks: Vec::new(), length: 0 };
        for &index in chosen {
            let value_bins = binning.edges(index).len() + 1;
            if layout.blocks.last().is_none_or(|block| block.index != index / BLOCK) {
                let (shifts, value_bins) = (Vec::new(), Vec::new());
                layout.blocks.push(Block { index: index / BLOCK, first: layout.length, length: 0, shifts, value_bins });
            }
            if let Some(block) = layout.blocks.last_mut() {
                block.shifts.push((index % BLOCK * 8) as u32);
                block.value_bins.push(value_bins);
                block.length += value_bins + 1;
            }
            layout.columns.push(Column { index, first: layout.length, value_bins });
            layout.length += value_bins + 1;
        }
        layout
    }

    /// Fills `histogram` from `rows`, whose pairs are `pairs` in the same order.
    pub(crate) fn fill(
        &self,
        histogram: &mut [Sums],
        matrix: &BinnedMatrix,
        rows: &[u32],
        pairs: &[Sums],
        scratch: &mut Scratch,
    ) {
        let threads = rayon::current_num_threads();
        if threads == 1 || rows.len() * self.columns.len() < PARALLEL_CELLS {
            for block in &self.blocks {
                let region = &mut histogram[block.first..block.first + block.length];
                block.fill(region, matrix, rows, pairs, scratch);
            }
            return;
        }
        // Integer sums are the same however rows are shared out, so the number of parts may follow the threads.
        let parts = (2 * threads).div_ceil(self.blocks.len()).min(rows.len() / PARALLEL_ROWS).max(1);
        let part_rows = rows.len().div_ceil(parts);
        let mut regions = Vec::with_capacity(self.blocks.len());
        let mut rest = histogram;
        for block in &self.blocks {
            let (region, after) = rest.split_at_mut(block.length);
            regions.push((block, region));
            rest = after;
        }
        regions.into_par_iter().for_each(|(block, region)| {
            let partial = |(rows, pairs): (&[u32], &[Sums])| {
                let mut sums = vec![[0; 2]; block.length];
                block.fill(&mut sums, matrix, rows, pairs, &mut new_scratch());
                sums
            };
            if parts == 1 {
                block.fill(region, matrix, rows, pairs, &mut new_scratch());
                return;
            }
            let partials: Vec<Vec<Sums>> =
                rows.par_chunks(part_rows).zip(pairs.par_chunks(part_rows)).map(partial).collect();
            region.fill([0; 2]);
            for sums in partials {
                for (total, part) in region.iter_mut().zip(sums) {
                    total[0] += part[0];
                    total[1] = total[1].wrapping_add(part[1]);
                }
            }
        });
    }
}

/// Makes zeroed working space; every use leaves it zeroed.
pub(crate) fn new_scratch() -> Box<Scratch> {
    Box::new([[[0; 2]; 256]; BLOCK])
}

/// Turns a parent's histogram into that of one child, given that of the other.
pub(crate) fn subtract(parent: &mut [Sums], child: &[Sums]) {
    for (total, part) in parent.iter_mut().zip(child) {
        total[0] -= part[0];
        total[1] = total[1].wrapping_sub(part[1]);
    }
}

impl Block {
    fn fill(&self, region: &mut [Sums], matrix: &BinnedMatrix, rows: &[u32], pairs: &[Sums], scratch: &mut Scratch) {
        let words = &matrix.blocks[self.index];
        let task = Task { words, rows, pairs };
        match self.shifts.len() {
            1 => task.run::<1>(&self.shifts, scratch),
            2 => task.run::<2>(&self.shifts, scratch),
            3 => task.run::<3>(&self.shifts, scratch),
            4 => task.run::<4>(&self.shifts, scratch),
            5 => task.run::<5>(&self.shifts, scratch),
            6 => task.run::<6>(&self.shifts, scratch),
            7 => task.run::<7>(&self.shifts, scratch),
            _ => task.run::<8>(&self.shifts, scratch),
        }
        let mut at = 0;
        for (full, &value_bins) in scratch.iter_mut().zip(&self.value_bins) {
            for (target, sums) in region[at..at + value_bins].iter_mut().zip(full.iter_mut()) {
                *target = mem::take(sums);
            }
            region[at + value_bins] = mem::take(&mut full[usize::from(MISSING)]);
            at += value_bins + 1;
        }
    }
}

/// One pass over the rows of a node for the columns of one block.
struct Task<'a> {
    words: &'a [u64],
    rows: &'a [u32],
    pairs: &'a [Sums],
}

impl Task<'_> {
    fn run<const COLUMNS: usize>(&self, shifts: &[u32], scratch: &mut Scratch) {
        let Some((scratch, _)) = scratch.split_first_chunk_mut::<COLUMNS>() else { return };
        let mut fixed = [0; COLUMNS];
        fixed.copy_from_slice(&shifts[..COLUMNS]);
        let all_rows = self.rows.len() == self.words.len();
        let adjacent = fixed.iter().enumerate().all(|(place, &shift)| shift as usize == 8 * place);
        let gathered = self.rows.iter().map(|&row| self.words[row as usize]);
        // Four copies of one loop: with constant shifts, and without the look-up where every row takes part.
        match (all_rows, adjacent) {
            (true, true) => self.add(self.words.iter().copied(), |place| 8 * place as u32, scratch),
            (false, true) => self.add(gathered, |place| 8 * place as u32, scratch),
            (true, false) => self.add(self.words.iter().copied(), |place| fixed[place], scratch),
            (false, false) => self.add(gathered, |place| fixed[place], scratch),
        }
    }

    #[inline(always)]
    fn add<const COLUMNS: usize>(
        &self,
        words: impl Iterator<Item = u64>,
        shift: impl Fn(usize) -> u32,
        scratch: &mut [[Sums; 256]; COLUMNS],
    ) {
        for (word, &[gradient, hessian]) in words.zip(self.pairs) {
            for (place, sums) in scratch.iter_mut().enumerate() {
                let sums = &mut sums[usize::from((word >> shift(place)) as u8)];
                *sums = [sums[0].wrapping_add(gradient), sums[1].wrapping_add(hessian)];
            }
        }
    }
}
