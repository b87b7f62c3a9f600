//! Columns packed for counting: narrow ones share a byte.
//!
//! A flag (two bins) needs one bit, so eight of them, as one-hot encoding makes, are counted by one addition to a joint
//! histogram of 256 codes, from which the histogram of each is folded out. Sums are integers, so the result is the same.

use std::borrow::Cow;

use rayon::prelude::*;

use super::gradients::Sums;
use crate::binning::{BLOCK, BinnedMatrix, Binning, MISSING};

/// The most bits of a column that shares its byte; beyond, sharing would not spare a byte.
const NARROW_BITS: u32 = 4;

/// Holds the rows of a fit, eight lanes in a word.
#[derive(Debug)]
pub(crate) struct Lanes<'a> {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) blocks: Cow<'a, [Vec<u64>]>,
}

/// What a byte holds: one column's bin, or the states of several narrow columns.
#[derive(Debug, Clone)]
pub(crate) enum Lane {
    Column { index: usize, value_bins: usize },
    Shared(Vec<Field>),
}

/// The bits of a narrow column, above those of the fields before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) index: usize,
    pub(crate) value_bins: usize,
    /// Whether any row is missing; then the state after the last value bin says so.
    has_missing: bool,
    bits: u32,
}

impl Lanes<'_> {
    /// Packs the columns of `matrix`; those with a single state are left out, since nothing can split on them.
    pub(crate) fn new<'a>(matrix: &'a BinnedMatrix, binning: &Binning) -> Lanes<'a> {
        let fields: Vec<Field> =
            (0..matrix.columns()).into_par_iter().map(|index| field(matrix, binning, index)).collect();
        let is_narrow = |field: &&Field| field.bits <= NARROW_BITS;
        let (mut lanes, mut shared, mut used) = (Vec::new(), Vec::new(), 0);
        for field in fields.iter().filter(is_narrow).filter(|field| field.bits > 0) {
            if used + field.bits > 8 {
                lanes.push(Lane::Shared(std::mem::take(&mut shared)));
                used = 0;
            }
            used += field.bits;
            shared.push(*field);
        }
        if !shared.is_empty() {
            lanes.push(Lane::Shared(shared));
        }
        let column = |field: &Field| Lane::Column { index: field.index, value_bins: field.value_bins };
        if lanes.len() >= fields.iter().filter(is_narrow).count() {
            // Sharing spares nothing, so the bins serve as they are.
            return Lanes { lanes: fields.iter().map(column).collect(), blocks: Cow::Borrowed(&matrix.blocks) };
        }
        lanes.extend(fields.iter().filter(|field| !is_narrow(field)).map(column));
        let pack = |lanes: &[Lane]| {
            let mut words = vec![0; matrix.rows()];
            for (slot, lane) in lanes.iter().enumerate() {
                lane.pack(matrix, slot as u32 * 8, &mut words);
            }
            words
        };
        let blocks = lanes.par_chunks(BLOCK).map(pack).collect();
        Lanes { lanes, blocks: Cow::Owned(blocks) }
    }
}

/// Measures a column: its states and whether any row is missing.
fn field(matrix: &BinnedMatrix, binning: &Binning, index: usize) -> Field {
    let value_bins = binning.edges(index).len() + 1;
    let has_missing = bins(matrix, index).any(|bin| bin == MISSING);
    let states = value_bins + usize::from(has_missing);
    Field { index, value_bins, has_missing, bits: states.next_power_of_two().trailing_zeros() }
}

fn bins(matrix: &BinnedMatrix, index: usize) -> impl Iterator<Item = u8> {
    matrix.blocks[index / BLOCK].iter().map(move |word| (word >> (index % BLOCK * 8)) as u8)
}

impl Lane {
    /// Writes the lane's byte into its place of each word.
    fn pack(&self, matrix: &BinnedMatrix, shift: u32, words: &mut [u64]) {
        match self {
            Lane::Column { index, .. } => {
                words.iter_mut().zip(bins(matrix, *index)).for_each(|(word, bin)| *word |= u64::from(bin) << shift);
            }
            Lane::Shared(fields) => {
                let mut shift = shift;
                for field in fields {
                    let missing = field.value_bins as u64;
                    for (word, bin) in words.iter_mut().zip(bins(matrix, field.index)) {
                        *word |= if bin == MISSING { missing } else { u64::from(bin) } << shift;
                    }
                    shift += field.bits;
                }
            }
        }
    }
}

/// Folds the joint histogram of `fields` into one histogram a field, given to `write`; leaves `joint` zeroed.
pub(crate) fn fold(fields: &[Field], joint: &mut [Sums; 256], mut write: impl FnMut(&Field, &[Sums])) {
    let mut size = 1usize << fields.iter().map(|field| field.bits).sum::<u32>();
    let mut all = [[[0; 2]; 1 + (1 << NARROW_BITS)]; 8];
    // The highest field first: its states are the segments of what is left, which are added up to one.
    for (field, sums) in fields.iter().zip(&mut all).rev() {
        size >>= field.bits;
        let (first, others) = joint.split_at_mut(size);
        for (state, segment) in others.chunks_exact_mut(size).take((1 << field.bits) - 1).enumerate() {
            let mut sum = [0; 2];
            for (target, part) in first.iter_mut().zip(segment) {
                sum = add(sum, *part);
                *target = add(*target, *part);
                *part = [0; 2];
            }
            sums[state + 1] = sum;
        }
    }
    let total = std::mem::take(&mut joint[0]);
    for (field, sums) in fields.iter().zip(&mut all) {
        let states = field.value_bins + usize::from(field.has_missing);
        sums[0] = sums[1..states].iter().fold(total, |rest, sum| [rest[0] - sum[0], rest[1].wrapping_sub(sum[1])]);
        // Without missing rows no state stands for them, and this place still is zero.
        write(field, &sums[..field.value_bins + 1]);
    }
}

#[inline]
fn add(left: Sums, right: Sums) -> Sums {
    [left[0].wrapping_add(right[0]), left[1].wrapping_add(right[1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;
    use trainyard_random::Key;

    #[test]
    fn folding_gives_the_histogram_of_each_column() {
        let rows = 500;
        let key = Key::new(1, "test");
        // Flags, flags with missing rows, a few values, many values, a constant.
        let states = [2, 2, 3, 2, 2, 5, 2, 16, 300, 1, 2, 4];
        let cell = |column: usize, row: usize| {
            let value = (key.derive(column as u64).uniform(row as u64) * states[column] as f64).floor();
            if column % 3 == 1 && row.is_multiple_of(11) { f64::NAN } else { value }
        };
        let columns: Vec<Vec<f64>> =
            (0..states.len()).map(|column| (0..rows).map(|row| cell(column, row)).collect()).collect();
        let matrix = Matrix::of(&columns, rows);
        let binning = Binning::fit(&matrix, 255);
        let binned = binning.apply(&matrix);
        let lanes = Lanes::new(&binned, &binning);
        let mut seen = 0;
        for (place, lane) in lanes.lanes.iter().enumerate() {
            let Lane::Shared(fields) = lane else { continue };
            let mut joint = [[0; 2]; 256];
            for row in 0..rows {
                let code = (lanes.blocks[place / BLOCK][row] >> (place % BLOCK * 8)) as u8;
                joint[usize::from(code)] = add(joint[usize::from(code)], [row as i64, 1]);
            }
            fold(fields, &mut joint, |field, sums| {
                let mut wanted = vec![[0; 2]; field.value_bins + 1];
                for row in 0..rows {
                    let bin = usize::from(binned.bin(row, field.index)).min(field.value_bins);
                    wanted[bin] = add(wanted[bin], [row as i64, 1]);
                }
                assert_eq!(sums, wanted, "column {}", field.index);
                seen += 1;
            });
            assert_eq!(joint, [[0; 2]; 256]);
        }
        assert_eq!(seen, 9);
    }
}
