//! Histograms of gradients, in integers.

use std::mem;

use rayon::prelude::*;

use super::gradients::Sums;
use super::lanes::{Lane, Lanes, fold};
use crate::binning::{BLOCK, MISSING};

/// Cells of work below which one thread is faster than several.
const PARALLEL_CELLS: usize = 1 << 19;

/// The fewest rows worth a thread of their own.
const PARALLEL_ROWS: usize = 1 << 15;

/// One full-width histogram a lane of a block, so that a byte can never index outside.
pub(crate) type Scratch = [[Sums; 256]; BLOCK];

/// Knows which columns a tree looks at and where each one's bins lie in a histogram.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    lanes: &'a Lanes<'a>,
    /// In increasing order of their index.
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

/// The lanes of one word that hold chosen columns, and the part of the histogram that they fill.
#[derive(Debug)]
struct Block {
    index: usize,
    first: usize,
    length: usize,
    lanes: Vec<usize>,
    /// Where the histogram of each column begins, after that of the block; a column that is not chosen has none.
    places: Vec<Option<usize>>,
}

impl<'a> Layout<'a> {
    /// Lays out the columns for which `chosen` holds.
    pub(crate) fn new(lanes: &'a Lanes<'a>, chosen: impl Fn(usize) -> bool) -> Layout<'a> {
        let mut layout = Layout { lanes, columns: Vec::new(), blocks: Vec::new(), length: 0 };
        for (index, members) in lanes.lanes.chunks(BLOCK).enumerate() {
            let first = layout.length;
            let mut block = Block { index, first, length: 0, lanes: Vec::new(), places: Vec::new() };
            for (slot, lane) in members.iter().enumerate() {
                let mut place = |index: usize, value_bins: usize| {
                    chosen(index).then(|| {
                        layout.columns.push(Column { index, first: layout.length, value_bins });
                        layout.length += value_bins + 1;
                        layout.length - value_bins - 1 - first
                    })
                };
                let places: Vec<Option<usize>> = match lane {
                    Lane::Column { index, value_bins } => vec![place(*index, *value_bins)],
                    Lane::Shared(fields) => fields.iter().map(|field| place(field.index, field.value_bins)).collect(),
                };
                if places.iter().any(Option::is_some) {
                    block.lanes.push(slot);
                    block.places.extend(places);
                }
            }
            block.length = layout.length - first;
            if !block.lanes.is_empty() {
                layout.blocks.push(block);
            }
        }
        layout.columns.sort_unstable_by_key(|column| column.index);
        layout
    }

    /// Fills `histogram` from `rows`, whose pairs are `pairs` in the same order.
    pub(crate) fn fill(&self, histogram: &mut [Sums], rows: &[u32], pairs: &[Sums], scratch: &mut Scratch) {
        let threads = rayon::current_num_threads();
        if threads == 1 || rows.len() * self.lanes.lanes.len() < PARALLEL_CELLS {
            for block in &self.blocks {
                let region = &mut histogram[block.first..block.first + block.length];
                block.fill(region, self.lanes, rows, pairs, scratch);
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
                block.fill(&mut sums, self.lanes, rows, pairs, &mut new_scratch());
                sums
            };
            if parts == 1 {
                block.fill(region, self.lanes, rows, pairs, &mut new_scratch());
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
    fn fill(&self, region: &mut [Sums], lanes: &Lanes<'_>, rows: &[u32], pairs: &[Sums], scratch: &mut Scratch) {
        let task = Task { words: &lanes.blocks[self.index], rows, pairs };
        match self.lanes.len() {
            1 => task.run::<1>(&self.lanes, scratch),
            2 => task.run::<2>(&self.lanes, scratch),
            3 => task.run::<3>(&self.lanes, scratch),
            4 => task.run::<4>(&self.lanes, scratch),
            5 => task.run::<5>(&self.lanes, scratch),
            6 => task.run::<6>(&self.lanes, scratch),
            7 => task.run::<7>(&self.lanes, scratch),
            _ => task.run::<8>(&self.lanes, scratch),
        }
        let mut places = self.places.iter();
        for (full, slot) in scratch.iter_mut().zip(&self.lanes) {
            match &lanes.lanes[self.index * BLOCK + slot] {
                Lane::Column { value_bins, .. } => {
                    let Some(Some(at)) = places.next() else { continue };
                    for (target, sums) in region[*at..at + value_bins].iter_mut().zip(full.iter_mut()) {
                        *target = mem::take(sums);
                    }
                    region[at + value_bins] = mem::take(&mut full[usize::from(MISSING)]);
                }
                Lane::Shared(fields) => fold(fields, full, |_, sums| {
                    if let Some(Some(at)) = places.next() {
                        region[*at..at + sums.len()].copy_from_slice(sums);
                    }
                }),
            }
        }
    }
}

/// One pass over the rows of a node for the lanes of one block.
struct Task<'a> {
    words: &'a [u64],
    rows: &'a [u32],
    pairs: &'a [Sums],
}

impl Task<'_> {
    fn run<const LANES: usize>(&self, slots: &[usize], scratch: &mut Scratch) {
        let Some((scratch, _)) = scratch.split_first_chunk_mut::<LANES>() else { return };
        let mut shifts = [0; LANES];
        shifts.iter_mut().zip(slots).for_each(|(shift, slot)| *shift = 8 * *slot as u32);
        let all_rows = self.rows.len() == self.words.len();
        let adjacent = slots.iter().enumerate().all(|(place, slot)| place == *slot);
        let gathered = self.rows.iter().map(|&row| self.words[row as usize]);
        // Four copies of one loop: with constant shifts, and without the look-up where every row takes part.
        match (all_rows, adjacent) {
            (true, true) => self.add(self.words.iter().copied(), |place| 8 * place as u32, scratch),
            (false, true) => self.add(gathered, |place| 8 * place as u32, scratch),
            (true, false) => self.add(self.words.iter().copied(), |place| shifts[place], scratch),
            (false, false) => self.add(gathered, |place| shifts[place], scratch),
        }
    }

    #[inline(always)]
    fn add<const LANES: usize>(
        &self,
        words: impl Iterator<Item = u64>,
        shift: impl Fn(usize) -> u32,
        scratch: &mut [[Sums; 256]; LANES],
    ) {
        for (word, &[gradient, hessian]) in words.zip(self.pairs) {
            for (place, sums) in scratch.iter_mut().enumerate() {
                let sums = &mut sums[usize::from((word >> shift(place)) as u8)];
                *sums = [sums[0].wrapping_add(gradient), sums[1].wrapping_add(hessian)];
            }
        }
    }
}
