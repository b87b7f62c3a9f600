//! Histograms of gradients, in integers.

use std::mem;

use rayon::prelude::*;

use super::gradients::{Gradients, Pair, Scale, Sums};
use super::lanes::{BLOCK, Lane, Lanes, fold};
use crate::binning::MISSING;

/// Cells of work below which one thread is faster than several.
const PARALLEL_CELLS: usize = 1 << 18;

/// The fewest rows worth histograms of their own, which are cleared before and added up afterwards.
const PARALLEL_ROWS: usize = 1 << 12;

/// Words of a row that are read together: half a line of the cache.
const GROUP: usize = 4;

/// Rows that are gathered before they are counted. Gathering alone, the processor waits for many rows at once; what is
/// gathered and the histograms of a block (44 KiB together) stay in its nearest caches.
const GATHERED: usize = 512;

/// Working space of one thread.
pub(crate) struct Scratch {
    /// One full-width histogram a lane, block after block of a group, so that a byte can never index outside; zeros in
    /// between.
    full: Vec<[[Sums; 256]; BLOCK]>,
    words: [Vec<u64>; GROUP],
    pairs: Vec<Sums>,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        let words = std::array::from_fn(|_| vec![0; GATHERED]);
        Scratch { full: Vec::new(), words, pairs: vec![[0; 2]; GATHERED] }
    }
}

/// Knows which columns a tree looks at and where each one's bins lie in a histogram.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    lanes: &'a Lanes,
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
    length: usize,
    lanes: Vec<usize>,
    /// Where the histogram of each column begins, after that of the block; a column that is not chosen has none.
    places: Vec<Option<usize>>,
}

impl<'a> Layout<'a> {
    /// Lays out the columns for which `chosen` holds.
    pub(crate) fn new(lanes: &'a Lanes, chosen: impl Fn(usize) -> bool) -> Layout<'a> {
        let mut layout = Layout { lanes, columns: Vec::new(), blocks: Vec::new(), length: 0 };
        for (index, members) in lanes.lanes.chunks(BLOCK).enumerate() {
            let first = layout.length;
            let mut block = Block { index, length: 0, lanes: Vec::new(), places: Vec::new() };
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
                    Lane::Shared(fields) => {
                        let members =
                            fields.iter().flat_map(|field| field.members.iter().map(move |one| (*one, field)));
                        members.map(|(index, field)| place(index, field.value_bins)).collect()
                    }
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

    /// Gives how many bytes of a row are counted.
    pub(crate) fn lanes_of_row(&self) -> u64 {
        self.blocks.iter().map(|block| block.lanes.len() as u64).sum()
    }

    /// Fills `histogram` from `rows`, of which each adds its gradient and hessian.
    pub(crate) fn fill(&self, histogram: &mut [Sums], rows: &[u32], gradients: &Gradients, scratch: &mut Scratch) {
        if self.blocks.is_empty() {
            // Every column of the tree has a single state.
            return;
        }
        let threads = rayon::current_num_threads();
        let mut groups = Vec::with_capacity(self.blocks.len().div_ceil(GROUP));
        let mut rest = histogram;
        for blocks in self.blocks.chunks(GROUP) {
            let (region, after) = rest.split_at_mut(blocks.iter().map(|block| block.length).sum());
            groups.push((Group { lanes: self.lanes, blocks, pairs: &gradients.pairs, scale: gradients.scale }, region));
            rest = after;
        }
        if threads == 1 || rows.len() * self.lanes.lanes.len() < PARALLEL_CELLS {
            groups.into_iter().for_each(|(group, region)| group.fill(region, rows, scratch));
            return;
        }
        // Integer sums are the same however rows are shared out, so the number of parts may follow the threads.
        let parts = (2 * threads).div_ceil(groups.len()).min(rows.len() / PARALLEL_ROWS).max(1);
        groups.into_par_iter().for_each(|(group, region)| {
            if parts == 1 {
                return group.fill(region, rows, &mut Scratch::new());
            }
            let partial = |rows: &[u32]| {
                let mut sums = vec![[0; 2]; region.len()];
                group.fill(&mut sums, rows, &mut Scratch::new());
                sums
            };
            let partials: Vec<Vec<Sums>> = rows.par_chunks(rows.len().div_ceil(parts)).map(partial).collect();
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

/// Turns a parent's histogram into that of one child, given that of the other.
pub(crate) fn subtract(parent: &mut [Sums], child: &[Sums]) {
    for (total, part) in parent.iter_mut().zip(child) {
        total[0] -= part[0];
        total[1] = total[1].wrapping_sub(part[1]);
    }
}

/// The blocks whose words are read together, and what each row adds.
struct Group<'a> {
    lanes: &'a Lanes,
    blocks: &'a [Block],
    pairs: &'a [Pair],
    scale: Scale,
}

impl Group<'_> {
    fn fill(&self, region: &mut [Sums], rows: &[u32], scratch: &mut Scratch) {
        let Scratch { full, words, pairs } = scratch;
        if full.len() < self.blocks.len() {
            full.resize(self.blocks.len(), [[[0; 2]; 256]; BLOCK]);
        }
        for rows in rows.chunks(GATHERED) {
            let pairs = &mut pairs[..rows.len()];
            match self.blocks.len() {
                1 => self.gather::<1>(rows, words, pairs),
                2 => self.gather::<2>(rows, words, pairs),
                3 => self.gather::<3>(rows, words, pairs),
                _ => self.gather::<GROUP>(rows, words, pairs),
            }
            for ((block, words), full) in self.blocks.iter().zip(words.iter()).zip(full.iter_mut()) {
                block.add(&words[..rows.len()], pairs, full);
            }
        }
        let mut rest = region;
        for (block, full) in self.blocks.iter().zip(full) {
            let (region, after) = rest.split_at_mut(block.length);
            block.collect(self.lanes, region, full);
            rest = after;
        }
    }

    /// Copies words and pairs of `rows` to where they lie one after another.
    fn gather<const WORDS: usize>(&self, rows: &[u32], words: &mut [Vec<u64>; GROUP], pairs: &mut [Sums]) {
        let mut indices = [0; WORDS];
        indices.iter_mut().zip(self.blocks).for_each(|(index, block)| *index = block.index);
        for (place, (pair, &row)) in pairs.iter_mut().zip(rows).enumerate() {
            let row = row as usize;
            let of_row = self.lanes.of_row(row);
            for (words, index) in words.iter_mut().zip(indices) {
                words[place] = of_row[index];
            }
            *pair = self.scale.of_row(self.pairs[row]);
        }
    }
}

impl Block {
    /// Adds each pair to the histograms of its word's lanes.
    fn add(&self, words: &[u64], pairs: &[Sums], scratch: &mut [[Sums; 256]; BLOCK]) {
        match self.lanes.len() {
            1 => add::<1>(&self.lanes, words, pairs, scratch),
            2 => add::<2>(&self.lanes, words, pairs, scratch),
            3 => add::<3>(&self.lanes, words, pairs, scratch),
            4 => add::<4>(&self.lanes, words, pairs, scratch),
            5 => add::<5>(&self.lanes, words, pairs, scratch),
            6 => add::<6>(&self.lanes, words, pairs, scratch),
            7 => add::<7>(&self.lanes, words, pairs, scratch),
            _ => add::<BLOCK>(&self.lanes, words, pairs, scratch),
        }
    }

    /// Moves what was counted to the block's part of a histogram, which leaves zeros.
    fn collect(&self, lanes: &Lanes, region: &mut [Sums], scratch: &mut [[Sums; 256]; BLOCK]) {
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

fn add<const LANES: usize>(slots: &[usize], words: &[u64], pairs: &[Sums], scratch: &mut [[Sums; 256]; BLOCK]) {
    let Some((scratch, _)) = scratch.split_first_chunk_mut::<LANES>() else { return };
    let mut shifts = [0; LANES];
    shifts.iter_mut().zip(slots).for_each(|(shift, slot)| *shift = 8 * *slot as u32);
    // Two copies of one loop: with constant shifts where the lanes lie side by side.
    if slots.iter().enumerate().all(|(place, slot)| place == *slot) {
        add_lanes(words, pairs, |place| 8 * place as u32, scratch);
    } else {
        add_lanes(words, pairs, |place| shifts[place], scratch);
    }
}

#[inline(always)]
fn add_lanes<const LANES: usize>(
    words: &[u64],
    pairs: &[Sums],
    shift: impl Fn(usize) -> u32,
    scratch: &mut [[Sums; 256]; LANES],
) {
    for (word, &[gradient, hessian]) in words.iter().zip(pairs) {
        for (place, sums) in scratch.iter_mut().enumerate() {
            let sums = &mut sums[usize::from((word >> shift(place)) as u8)];
            *sums = [sums[0].wrapping_add(gradient), sums[1].wrapping_add(hessian)];
        }
    }
}

#[cfg(test)]
mod tests {
    use trainyard_random::Key;

    use super::*;
    use crate::{Binning, Matrix};

    #[test]
    fn filling_gives_what_a_plain_loop_gives() {
        let rows = 20_000;
        let key = Key::new(3, "test");
        // Flags, flags with missing rows, some values, many values, a constant: more than one group of blocks.
        let states = |column: usize| [2, 2, 3, 300, 2, 5, 40, 16, 300, 1][column % 10] as f64;
        let cell = |column: usize, row: usize| {
            let value = (key.derive(column as u64).uniform(row as u64) * states(column)).floor();
            if column % 3 == 1 && row.is_multiple_of(11) { f64::NAN } else { value }
        };
        for (columns, rows) in [(3, 700), (70, 700), (70, rows)] {
            let table: Vec<Vec<f64>> =
                (0..columns).map(|column| (0..rows).map(|row| cell(column, row)).collect()).collect();
            let matrix = Matrix::of(&table, rows);
            let binning = Binning::fit(&matrix, 255);
            let binned = binning.apply(&matrix);
            let lanes = Lanes::new(&binned, &binning);
            let mut gradients = Gradients::new(rows, 0.0);
            for (row, pair) in gradients.pairs.iter_mut().enumerate() {
                *pair = [row as i32 % 1001 - 500, row as i32 % 7];
            }
            for every in [1, 2] {
                let layout = Layout::new(&lanes, |column| column % every == 0);
                let of_leaf: Vec<u32> = (0..rows as u32).filter(|row| row % 5 != 0).collect();
                let mut histogram = vec![[77; 2]; layout.length];
                layout.fill(&mut histogram, &of_leaf, &gradients, &mut Scratch::new());
                for column in &layout.columns {
                    let mut wanted = vec![[0; 2]; column.value_bins + 1];
                    for &row in &of_leaf {
                        let bin = usize::from(binned.bin(row as usize, column.index)).min(column.value_bins);
                        let [gradient, hessian] = gradients.scale.of_row(gradients.pairs[row as usize]);
                        wanted[bin] = [wanted[bin][0] + gradient, wanted[bin][1] + hessian];
                    }
                    let found = &histogram[column.first..=column.first + column.value_bins];
                    assert_eq!(found, wanted, "column {} of {columns}, every {every}", column.index);
                }
                let wanted = (0..columns).filter(|column| column % every == 0 && column % 10 != 9).count();
                assert!(layout.columns.len() >= wanted, "{} columns of {columns}", layout.columns.len());
            }
        }
    }
}
