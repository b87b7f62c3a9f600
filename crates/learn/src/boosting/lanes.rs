//! Columns packed for counting: narrow ones share a byte.
//!
//! A flag (two bins) needs one bit, so eight of them are counted by one addition to a joint histogram of 256 codes,
//! from which the histogram of each is folded out. Flags of which a row has at most one, as one-hot encoding makes,
//! need fewer bits together than one by one (after Ke and others: "LightGBM", 2017, section 4, but without conflicts).
//! Sums are integers, so the result is the same.

use rayon::prelude::*;

use super::gradients::Sums;
use crate::binning::{BinnedMatrix, Binning, MISSING};

/// The lanes of a word.
pub(crate) const BLOCK: usize = 8;

/// The bytes of a line of the cache.
const LINE: usize = 64;

/// Rows that are packed by one thread at a time.
const PACKED_ROWS: usize = 1 << 14;

/// The most bits of a column that shares its byte; beyond, sharing would not spare a byte.
const NARROW_BITS: u32 = 4;

/// The bits of a byte that columns share, and rows below which there are fewer: a joint histogram of 64 codes is folded in a
/// quarter of the time of one of 256, which weighs where leaves have hundreds of rows.
const SHARED_BITS: u32 = 8;
const SHARED_BITS_OF_FEW: u32 = 6;
const FEW_ROWS: usize = 1 << 14;

/// Holds the rows of a fit one after another, eight lanes in a word: a leaf's rows are scattered, and what is read of each
/// lies together.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(crate) lanes: Vec<Lane>,
    words: Vec<u64>,
    /// Where the first row begins: at the begin of a line of the cache, so that as few rows as may be lie in two.
    first: usize,
    /// The words of a row.
    width: usize,
}

/// What a byte holds: one column's bin, or the states of several narrow columns.
#[derive(Debug, Clone)]
pub(crate) enum Lane {
    Column { index: usize, value_bins: usize },
    Shared(Vec<Field>),
}

/// The bits of a narrow column, or of flags of which a row has at most one, above those of the fields before it.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The column, or the flags, by their indices.
    pub(crate) members: Vec<usize>,
    /// Of each of them.
    pub(crate) value_bins: usize,
    /// Whether any row of the column is missing; then the state after the last value bin says so.
    has_missing: bool,
    /// Of flags, the state of a row that has the first; before it is that of rows that have none, where there are any.
    first: usize,
    bits: u32,
}

impl Lanes {
    /// Packs the columns of `matrix`; where narrow ones share a byte, those with a single state are left out, since nothing
    /// can split on them.
    pub(crate) fn new(matrix: &BinnedMatrix, binning: &Binning) -> Lanes {
        let lanes = choose(matrix, binning);
        let width = lanes.len().div_ceil(BLOCK);
        let mut words = vec![0u64; matrix.rows() * width + LINE / size_of::<u64>()];
        let first = words.as_ptr().align_offset(LINE).min(LINE / size_of::<u64>());
        let pack = |(chunk, words): (usize, &mut [u64])| {
            for (place, lane) in lanes.iter().enumerate() {
                let words = words.iter_mut().skip(place / BLOCK).step_by(width);
                lane.pack(matrix, chunk * PACKED_ROWS, words, (place % BLOCK * 8) as u32);
            }
        };
        let used = &mut words[first..][..matrix.rows() * width];
        match used.len() {
            0 => {}
            _ if is_few(matrix) => used.chunks_mut(PACKED_ROWS * width).enumerate().for_each(pack),
            _ => used.par_chunks_mut(PACKED_ROWS * width).enumerate().for_each(pack),
        }
        Lanes { lanes, words, first, width }
    }

    /// Gives the words of a row.
    #[inline]
    pub(crate) fn of_row(&self, row: usize) -> &[u64] {
        &self.words[self.first + row * self.width..][..self.width]
    }
}

/// The columns of a matrix, packed: those of few rows once for all fits.
#[derive(Debug)]
pub(crate) enum Packed<'a> {
    Kept(&'a Lanes),
    Own(Lanes),
}

impl<'a> Packed<'a> {
    pub(crate) fn of(matrix: &'a BinnedMatrix, binning: &Binning) -> Packed<'a> {
        // Of many rows they take as much memory as the bins, and little of the time of a fit.
        if is_few(matrix) { Packed::Kept(matrix.lanes(binning)) } else { Packed::Own(Lanes::new(matrix, binning)) }
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        match self {
            Packed::Kept(lanes) => lanes,
            Packed::Own(lanes) => lanes,
        }
    }
}

/// Says whether a matrix is packed by one thread, as it must be where others wait for it: one that waited for its part
/// could take up a fit that waits.
fn is_few(matrix: &BinnedMatrix) -> bool {
    matrix.rows() < FEW_ROWS
}

/// Chooses what each byte holds.
fn choose(matrix: &BinnedMatrix, binning: &Binning) -> Vec<Lane> {
    let of = |index| field(matrix, binning, index);
    let fields: Vec<Field> = if is_few(matrix) {
        (0..matrix.columns()).map(of).collect()
    } else {
        (0..matrix.columns()).into_par_iter().map(of).collect()
    };
    let is_narrow = |field: &&Field| field.bits <= NARROW_BITS;
    let most_bits = if is_few(matrix) { SHARED_BITS_OF_FEW } else { SHARED_BITS };
    let (mut lanes, mut shared, mut used) = (Vec::new(), Vec::new(), 0);
    for field in bundled(matrix, fields.iter().filter(is_narrow).filter(|field| field.bits > 0)) {
        if used + field.bits > most_bits {
            lanes.push(Lane::Shared(std::mem::take(&mut shared)));
            used = 0;
        }
        used += field.bits;
        shared.push(field);
    }
    if !shared.is_empty() {
        lanes.push(Lane::Shared(shared));
    }
    let column = |field: &Field| Lane::Column { index: field.members[0], value_bins: field.value_bins };
    if lanes.len() >= fields.iter().filter(is_narrow).count() {
        // Sharing spares nothing, so the bins serve as they are.
        return fields.iter().map(column).collect();
    }
    lanes.extend(fields.iter().filter(|field| !is_narrow(field)).map(column));
    lanes
}

/// Measures a column: its states and whether any row is missing.
fn field(matrix: &BinnedMatrix, binning: &Binning, index: usize) -> Field {
    let value_bins = binning.edges(index).len() + 1;
    let has_missing = matrix.column(index).contains(&MISSING);
    let states = value_bins + usize::from(has_missing);
    Field { members: vec![index], value_bins, has_missing, first: 0, bits: bits_of(states) }
}

fn bits_of(states: usize) -> u32 {
    states.next_power_of_two().trailing_zeros()
}

/// Puts neighbouring flags together of which a row has at most one, where that spares bits.
fn bundled<'f>(matrix: &BinnedMatrix, fields: impl Iterator<Item = &'f Field>) -> Vec<Field> {
    let mut all: Vec<Field> = Vec::new();
    // The rows that have one of the last field's flags; none where those are no flags.
    let mut taken: Option<Vec<u64>> = None;
    for field in fields {
        if field.value_bins != 2 || field.has_missing {
            taken = None;
            all.push(field.clone());
            continue;
        }
        let rows = rows_of(matrix.column(field.members[0]));
        let is_apart = |taken: &Vec<u64>| taken.iter().zip(&rows).all(|(taken, rows)| taken & rows == 0);
        match (taken.as_mut().filter(|taken| is_apart(taken)), all.last_mut()) {
            (Some(taken), Some(bundle)) if bundle.members.len() + 1 < 1 << NARROW_BITS => {
                taken.iter_mut().zip(rows).for_each(|(taken, rows)| *taken |= rows);
                bundle.members.push(field.members[0]);
                let count: u32 = taken.iter().map(|rows| rows.count_ones()).sum();
                bundle.first = usize::from((count as usize) < matrix.rows());
                bundle.bits = bits_of(bundle.members.len() + bundle.first);
            }
            _ => {
                taken = Some(rows);
                all.push(field.clone());
            }
        }
    }
    all
}

/// Gives a bit for each row, set where the flag is.
fn rows_of(flag: &[u8]) -> Vec<u64> {
    flag.chunks(64).map(|bins| bins.iter().rev().fold(0, |rows, bin| rows << 1 | u64::from(*bin))).collect()
}

impl Field {
    fn is_bundle(&self) -> bool {
        self.members.len() > 1
    }

    /// Gives the state of each row from `first` on.
    fn states(&self, matrix: &BinnedMatrix, first: usize, rows: usize) -> Vec<u8> {
        let mut states = vec![0; rows];
        for (place, member) in self.members.iter().enumerate() {
            let of_rows = states.iter_mut().zip(&matrix.column(*member)[first..]);
            if self.is_bundle() {
                let state = (self.first + place) as u8;
                of_rows.for_each(|(to, bin)| *to |= state * bin);
            } else {
                let missing = self.value_bins as u8;
                of_rows.for_each(|(to, bin)| *to = if *bin == MISSING { missing } else { *bin });
            }
        }
        states
    }
}

impl Lane {
    /// Writes the lane's byte of the rows from `first` on into its place of each word.
    fn pack<'a>(&self, matrix: &BinnedMatrix, first: usize, words: impl Iterator<Item = &'a mut u64>, shift: u32) {
        match self {
            Lane::Column { index, .. } => {
                words.zip(&matrix.column(*index)[first..]).for_each(|(word, bin)| *word |= u64::from(*bin) << shift);
            }
            Lane::Shared(fields) => {
                let mut codes = vec![0; (matrix.rows() - first).min(PACKED_ROWS)];
                let mut bits = 0;
                for field in fields {
                    let states = field.states(matrix, first, codes.len());
                    codes.iter_mut().zip(states).for_each(|(code, state)| *code |= state << bits);
                    bits += field.bits;
                }
                words.zip(codes).for_each(|(word, code)| *word |= u64::from(code) << shift);
            }
        }
    }
}

/// Folds the joint histogram of `fields` into one histogram a column, given to `write` in the order of fields and
/// members; leaves `joint` zeroed.
pub(crate) fn fold(fields: &[Field], joint: &mut [Sums; 256], mut write: impl FnMut(usize, &[Sums])) {
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
        let states = if field.is_bundle() {
            field.first + field.members.len()
        } else {
            field.value_bins + usize::from(field.has_missing)
        };
        sums[0] = sums[1..states].iter().fold(total, |rest, sum| subtract(rest, *sum));
        if field.is_bundle() {
            for (member, of_flag) in field.members.iter().zip(&sums[field.first..]) {
                write(*member, &[subtract(total, *of_flag), *of_flag, [0; 2]]);
            }
        } else {
            // Without missing rows no state stands for them, and this place still is zero.
            write(field.members[0], &sums[..field.value_bins + 1]);
        }
    }
}

#[inline]
fn subtract(left: Sums, right: Sums) -> Sums {
    [left[0] - right[0], left[1].wrapping_sub(right[1])]
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
        let mut columns: Vec<Vec<f64>> =
            (0..states.len()).map(|column| (0..rows).map(|row| cell(column, row)).collect()).collect();
        // Flags of five categories, of the first four of five others, and of more than share a field.
        for (of, kept) in [(5, 5), (5, 4), (20, 20)] {
            let category = |row: usize| (key.derive(of + kept).uniform(row as u64) * of as f64).floor();
            let flag = |which: u64| (0..rows).map(|row| f64::from(category(row) == which as f64)).collect();
            columns.extend((0..kept).map(flag));
        }
        let matrix = Matrix::of(&columns, rows);
        let binning = Binning::fit(&matrix, 255);
        let binned = binning.apply(&matrix);
        let lanes = Lanes::new(&binned, &binning);
        let mut seen = 0;
        for (place, lane) in lanes.lanes.iter().enumerate() {
            let Lane::Shared(fields) = lane else { continue };
            let mut joint = [[0; 2]; 256];
            for row in 0..rows {
                let code = (lanes.of_row(row)[place / BLOCK] >> (place % BLOCK * 8)) as u8;
                joint[usize::from(code)] = add(joint[usize::from(code)], [row as i64, 1]);
            }
            fold(fields, &mut joint, |index, sums| {
                let value_bins = binning.edges(index).len() + 1;
                let mut wanted = vec![[0; 2]; value_bins + 1];
                for row in 0..rows {
                    let bin = usize::from(binned.bin(row, index)).min(value_bins);
                    wanted[bin] = add(wanted[bin], [row as i64, 1]);
                }
                assert_eq!(sums, wanted, "column {index}");
                seen += 1;
            });
            assert_eq!(joint, [[0; 2]; 256]);
        }
        assert_eq!(seen, 9 + 5 + 4 + 20);
        let bundles = lanes.lanes.iter().flat_map(|lane| match lane {
            Lane::Shared(fields) => fields.as_slice(),
            Lane::Column { .. } => &[],
        });
        let sizes: Vec<usize> = bundles.filter(|field| field.is_bundle()).map(|field| field.members.len()).collect();
        assert_eq!(sizes, [5, 4, 15, 5]);
    }
}
