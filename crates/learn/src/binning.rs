//! Doubles to at most 255 value bins and one bin for missing values.

use std::hint::select_unpredictable;
use std::mem;
use std::sync::OnceLock;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainyard_random::Key;

use crate::Error;
use crate::Matrix;
use crate::boosting::lanes::Lanes;
use crate::categories::code_of;
use crate::spread::Spread;

/// The bin of a missing value (NaN), whatever the number of value bins.
pub(crate) const MISSING: u8 = u8::MAX;

/// The most rows that edges are fitted on; more are sampled, as LightGBM and scikit-learn do.
const SAMPLE: usize = 200_000;

/// Values that are searched for side by side, so that one does not wait for another.
const LANES: usize = 8;

/// Cells below this number are binned by one thread.
const PARALLEL_CELLS: usize = 100_000;

/// Knows the edges of each column's bins.
///
/// The bin of `x` is the number of edges below `x`: `x <= edges[b]` exactly when its bin is at most `b`, so that a tree
/// grown on bins and one that compares doubles agree on every row. Infinities are ordinary extreme values.
///
/// In a column of categories each code is its own bin, with edges half-way between; a cell that holds no code of the
/// fit counts as missing.
///
/// One that is read back is refused where its bins do not increase or do not fit one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredBinning")]
pub struct Binning {
    columns: Vec<Edges>,
    /// The columns of categories, in increasing order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categorical: Vec<usize>,
    spreads: Vec<Spread>,
}

/// A binning as it is read, before anything of it is believed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBinning {
    columns: Vec<Edges>,
    #[serde(default)]
    categorical: Vec<usize>,
    spreads: Vec<Spread>,
}

impl TryFrom<StoredBinning> for Binning {
    type Error = Error;

    fn try_from(stored: StoredBinning) -> Result<Binning, Error> {
        let StoredBinning { columns, categorical, spreads } = stored;
        let damaged = |what| Err(Error::Damaged { what });
        if columns.len() != spreads.len() {
            return damaged("a binning does not know where the values of each column lie");
        }
        // The last bin of all is that of missing values.
        if columns.iter().any(|edges| edges.0.len() >= usize::from(MISSING)) {
            return damaged("a column has more than 255 bins");
        }
        let is_edge = |edge: &f64| *edge < f64::INFINITY;
        let increases = |edges: &[f64]| edges.iter().all(is_edge) && edges.windows(2).all(|pair| pair[0] < pair[1]);
        if !columns.iter().all(|edges| increases(&edges.0)) {
            return damaged("the edges of a column's bins do not increase");
        }
        let is_there = categorical.last().is_none_or(|last| *last < columns.len());
        if !is_there || categorical.windows(2).any(|pair| pair[0] >= pair[1]) {
            return damaged("the columns of categories are not in order, or not there");
        }
        for (index, (edges, spread)) in columns.iter().zip(&spreads).enumerate() {
            if categorical.binary_search(&index).is_ok() {
                if edges.0.iter().zip(0..).any(|(edge, code)| *edge != f64::from(code) + 0.5) {
                    return damaged("the bins of categories are not one for each code");
                }
            } else if !spread.is_of(edges.0.len() + 1) {
                return damaged("what is known of a column's values does not fit its bins");
            }
        }
        Ok(Binning { columns, categorical, spreads })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Edges(#[serde(with = "trainyard_exact::json::list")] Vec<f64>);

/// Holds the bins of every row, a byte each, column after column.
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedMatrix {
    columns: Vec<Vec<u8>>,
    rows: usize,
    kept: Kept,
}

/// What fits have made of the bins; the same of the same bins.
#[derive(Debug, Default)]
struct Kept(OnceLock<Lanes>);

impl Clone for Kept {
    fn clone(&self) -> Kept {
        Kept::default()
    }
}

impl PartialEq for Kept {
    fn eq(&self, _: &Kept) -> bool {
        true
    }
}

impl Binning {
    /// Fits at most `max_bins` (2 to 255) bins a column on all rows of `matrix`, and on no other.
    ///
    /// Up to `max_bins` distinct values get a bin each, with edges half-way between neighbours. More are shared out by
    /// their counts: a value as frequent as a mean bin gets its own, the others fill bins of equal count. Above 200,000
    /// rows one row of each of 200,000 equal stretches is used, drawn by a fixed key.
    pub fn fit(matrix: &Matrix<'_>, max_bins: usize) -> Binning {
        Binning::fit_mixed(matrix, max_bins, |_| false)
    }

    /// Fits as [`Binning::fit`], but for the columns of categories, whose cells are codes: whole numbers from 0 to 254.
    ///
    /// Such a column has a bin for each code up to the highest of `matrix`, whatever `max_bins`.
    pub fn fit_mixed(matrix: &Matrix<'_>, max_bins: usize, is_categorical: impl Fn(usize) -> bool + Sync) -> Binning {
        let max_bins = max_bins.clamp(2, 255);
        let sample = sample(matrix.rows());
        let fit = |(index, column): (usize, &&[f64])| {
            if is_categorical(index) {
                return (Edges(code_edges(column)), Spread::default());
            }
            let (edges, spread) = edges(column, sample.as_deref(), max_bins);
            (Edges(edges), spread)
        };
        let fitted: Vec<(Edges, Spread)> = if matrix.rows() * matrix.columns().len() < PARALLEL_CELLS {
            matrix.columns().iter().enumerate().map(fit).collect()
        } else {
            matrix.columns().par_iter().enumerate().map(fit).collect()
        };
        let (columns, spreads): (Vec<Edges>, Vec<Spread>) = fitted.into_iter().unzip();
        let categorical = (0..columns.len()).filter(|index| is_categorical(*index)).collect();
        Binning { columns, categorical, spreads }
    }

    /// Bins every row of `matrix`.
    ///
    /// # Panics
    /// Panics when the number of columns is not that of the fit.
    pub fn apply(&self, matrix: &Matrix<'_>) -> BinnedMatrix {
        assert_eq!(matrix.columns().len(), self.columns.len(), "a binning is applied to the columns of its fit");
        let bin = |(index, values): (usize, &&[f64])| {
            let edges = &self.columns[index];
            if self.is_categorical(index) { edges.bins_of_codes(values) } else { edges.bins(values) }
        };
        let columns = if matrix.rows() * matrix.columns().len() < PARALLEL_CELLS {
            matrix.columns().iter().enumerate().map(bin).collect()
        } else {
            matrix.columns().par_iter().enumerate().map(bin).collect()
        };
        BinnedMatrix { columns, rows: matrix.rows(), kept: Kept::default() }
    }

    /// Gives the number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Gives the edges of a column: one fewer than its value bins, strictly increasing.
    pub fn edges(&self, column: usize) -> &[f64] {
        self.columns.get(column).map_or(&[], |edges| &edges.0)
    }

    /// Says whether a column holds categories.
    pub fn is_categorical(&self, column: usize) -> bool {
        self.categorical.binary_search(&column).is_ok()
    }

    /// Gives where a column's values lie within its bins.
    pub(crate) fn spread(&self, column: usize) -> &Spread {
        &self.spreads[column]
    }

    /// Gives the share of `rows` that a fit on them looked at.
    pub(crate) fn looked_at(rows: usize) -> f64 {
        SAMPLE.min(rows) as f64 / rows.max(1) as f64
    }
}

impl BinnedMatrix {
    /// Gives the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Gives the number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Gives the columns packed for counting; `binning` is the one that made the bins.
    pub(crate) fn lanes(&self, binning: &Binning) -> &Lanes {
        self.kept.0.get_or_init(|| Lanes::new(self, binning))
    }

    /// Gives the bins of a column, row after row.
    pub(crate) fn column(&self, column: usize) -> &[u8] {
        &self.columns[column]
    }

    /// Gives the bin of a cell; 255 is the bin of missing values.
    ///
    /// # Panics
    /// Panics outside the matrix.
    pub fn bin(&self, row: usize, column: usize) -> u8 {
        self.columns[column][row]
    }
}

impl Edges {
    /// Gives the bin of each value.
    fn bins(&self, values: &[f64]) -> Vec<u8> {
        // Padded with +∞, below which no value lies, so that every search takes the same steps without a branch.
        let mut padded = [f64::INFINITY; 256];
        padded[..self.0.len()].copy_from_slice(&self.0);
        let first_step = (self.0.len() + 1).next_power_of_two() / 2;
        let search = |values: &[f64; LANES]| {
            let mut bins = [0usize; LANES];
            let mut step = first_step;
            while step > 0 {
                for (bin, &value) in bins.iter_mut().zip(values) {
                    *bin += select_unpredictable(padded[(*bin + step - 1) & 255] < value, step, 0);
                }
                step /= 2;
            }
            bins
        };
        let mut all = Vec::with_capacity(values.len());
        let mut push = |bins: [usize; LANES], values: &[f64]| {
            let bins = bins.iter().zip(values);
            all.extend(bins.map(|(bin, value)| if value.is_nan() { MISSING } else { *bin as u8 }));
        };
        let (whole, rest) = values.as_chunks::<LANES>();
        for values in whole {
            push(search(values), values);
        }
        let mut padded_rest = [0.0; LANES];
        padded_rest[..rest.len()].copy_from_slice(rest);
        push(search(&padded_rest), rest);
        all
    }

    /// Gives the code of each cell as its bin.
    fn bins_of_codes(&self, cells: &[f64]) -> Vec<u8> {
        let code = |cell: &f64| code_of(*cell).filter(|code| usize::from(*code) <= self.0.len());
        cells.iter().map(|cell| code(cell).unwrap_or(MISSING)).collect()
    }
}

/// Chooses the rows that edges are fitted on; `None` for all.
fn sample(rows: usize) -> Option<Vec<usize>> {
    if rows <= SAMPLE {
        return None;
    }
    let key = Key::new(0, "learn/binning");
    let start = |stretch: usize| (stretch as u128 * rows as u128 / SAMPLE as u128) as usize;
    let draw = |stretch: usize| {
        let (from, to) = (start(stretch), start(stretch + 1));
        from + ((u128::from(key.at(stretch as u64)) * (to - from) as u128) >> 64) as usize
    };
    Some((0..SAMPLE).map(draw).collect())
}

/// Gives the edges of one column, and where its values lie between them.
fn edges(column: &[f64], sample: Option<&[usize]>, max_bins: usize) -> (Vec<f64>, Spread) {
    let present = |value: &f64| !value.is_nan();
    let mut order: Vec<u64> = match sample {
        None => column.iter().copied().filter(present).map(sortable).collect(),
        Some(rows) => rows.iter().map(|&row| column[row]).filter(present).map(sortable).collect(),
    };
    radix_sort(&mut order);
    let mut distinct: Vec<(f64, usize)> = Vec::new();
    for value in order.into_iter().map(unsortable) {
        match distinct.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => distinct.push((value, 1)),
        }
    }
    let edges = if distinct.len() <= max_bins {
        distinct.windows(2).map(|pair| between(pair[0].0, pair[1].0)).collect()
    } else {
        quantile_edges(&distinct, max_bins)
    };
    let spread = Spread::new(&distinct, &edges);
    (edges, spread)
}

/// Keys below this number are sorted by comparison.
const FEW_KEYS: usize = 1 << 12;

/// Sorts keys byte after byte, the lowest first; a byte that all keys share is left out, as are most of numbers that were
/// read with few digits or as floats of 32 bits.
fn radix_sort(keys: &mut Vec<u64>) {
    if keys.len() < FEW_KEYS {
        return keys.sort_unstable();
    }
    let byte = |key: u64, place: usize| usize::from((key >> (8 * place)) as u8);
    let mut counts = [[0usize; 256]; 8];
    for key in keys.iter() {
        for (place, counts) in counts.iter_mut().enumerate() {
            counts[byte(*key, place)] += 1;
        }
    }
    let mut sorted = vec![0; keys.len()];
    for (place, counts) in counts.iter().enumerate() {
        if counts.contains(&keys.len()) {
            continue;
        }
        let mut next = [0; 256];
        let mut before = 0;
        for (next, count) in next.iter_mut().zip(counts) {
            *next = before;
            before += count;
        }
        for key in keys.iter() {
            let next = &mut next[byte(*key, place)];
            sorted[*next] = *key;
            *next += 1;
        }
        mem::swap(keys, &mut sorted);
    }
}

/// Gives the edges between the codes of a column of categories.
fn code_edges(column: &[f64]) -> Vec<f64> {
    let highest = column.iter().filter_map(|cell| code_of(*cell)).max().unwrap_or(0);
    (0..highest).map(|code| f64::from(code) + 0.5).collect()
}

/// Shares `distinct` values out among `max_bins` bins by their counts.
fn quantile_edges(distinct: &[(f64, usize)], max_bins: usize) -> Vec<f64> {
    let total: usize = distinct.iter().map(|(_, count)| count).sum();
    let mean = total as f64 / max_bins as f64;
    let is_big = |count: usize| count as f64 >= mean;
    // Values that fill a bin alone leave the rest of the rows to the rest of the bins.
    let mut rows_left: usize = distinct.iter().map(|&(_, count)| if is_big(count) { 0 } else { count }).sum();
    let mut bins_left = max_bins - distinct.iter().filter(|(_, count)| is_big(*count)).count();
    let mut edges = Vec::with_capacity(max_bins - 1);
    let mut filled = 0;
    for pair in distinct.windows(2) {
        let ((value, count), (next, next_count)) = (pair[0], pair[1]);
        let big = is_big(count);
        if !big {
            filled += count;
        }
        let target = rows_left as f64 / bins_left.max(1) as f64;
        let full = filled > 0 && (filled as f64 >= target || (is_big(next_count) && filled as f64 >= target * 0.5));
        if (big || full || is_big(next_count)) && edges.len() < max_bins - 1 {
            edges.push(between(value, next));
            if !big {
                rows_left -= filled;
                bins_left = bins_left.saturating_sub(1);
            }
            filled = 0;
        }
    }
    edges
}

/// Gives an edge `e` with `low <= e < high`, half-way where that exists.
fn between(low: f64, high: f64) -> f64 {
    let middle = low * 0.5 + high * 0.5;
    if low <= middle && middle < high { middle } else { low }
}

/// Maps a double that is not NaN to an integer of the same order; -0 becomes 0.
pub(crate) fn sortable(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Inverts [`sortable`].
pub(crate) fn unsortable(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(values: &[f64], max_bins: usize) -> Vec<f64> {
        Binning::fit(&Matrix::new(vec![values], values.len()), max_bins).edges(0).to_vec()
    }

    #[test]
    fn few_values_get_a_bin_each() {
        assert_eq!(fit(&[3.0, 1.0, f64::NAN, 1.0, 2.0], 255), [1.5, 2.5]);
        assert_eq!(fit(&[f64::NAN; 3], 255), [0.0; 0]);
        assert_eq!(fit(&[7.0; 3], 255), [0.0; 0]);
        assert_eq!(fit(&[-0.0, 0.0], 255), [0.0; 0]);
    }

    #[test]
    fn many_keys_are_sorted_as_few_are() {
        let key = Key::new(1, "test");
        let shifts = [0, 29, 56, 63];
        for shift in shifts {
            let mut keys: Vec<u64> =
                (0..2 * FEW_KEYS as u64).map(|place| key.at(place) >> shift << (shift / 2)).collect();
            let mut wanted = keys.clone();
            wanted.sort_unstable();
            radix_sort(&mut keys);
            assert_eq!(keys, wanted, "shift {shift}");
        }
    }

    #[test]
    fn infinities_are_ordinary_extremes() {
        let values = [f64::INFINITY, 1.0, f64::NEG_INFINITY, f64::NAN, f64::MAX, f64::MIN];
        let matrix = Matrix::new(vec![&values], values.len());
        let binning = Binning::fit(&matrix, 255);
        let binned = binning.apply(&matrix);
        let bins: Vec<u8> = (0..values.len()).map(|row| binned.bin(row, 0)).collect();
        assert_eq!(bins, [4, 2, 0, MISSING, 3, 1]);
        let both = [f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(fit(&both, 255), [f64::NEG_INFINITY]);
    }

    #[test]
    fn neighbouring_doubles_are_told_apart() {
        let low = 1.0f64;
        let high = f64::from_bits(low.to_bits() + 1);
        assert_eq!(fit(&[low, high], 255), [low]);
    }

    #[test]
    fn a_bin_counts_the_edges_below() {
        let values: Vec<f64> = (0..10_000u64).map(|row| Key::new(1, "test").uniform(row)).collect();
        for max_bins in [2, 3, 17, 128, 254, 255] {
            let matrix = Matrix::new(vec![&values], values.len());
            let binning = Binning::fit(&matrix, max_bins);
            let (edges, binned) = (binning.edges(0), binning.apply(&matrix));
            assert_eq!(edges.len() + 1, max_bins);
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
            let mut counts = vec![0usize; max_bins];
            for (row, value) in values.iter().enumerate() {
                assert_eq!(usize::from(binned.bin(row, 0)), edges.iter().filter(|edge| *edge < value).count());
                counts[usize::from(binned.bin(row, 0))] += 1;
            }
            let fair = values.len() / max_bins;
            assert!(counts.iter().all(|&count| count >= fair * 9 / 10 && count <= fair * 11 / 10 + 2), "{counts:?}");
        }
    }

    #[test]
    fn frequent_values_keep_their_own_bin() {
        let mut values: Vec<f64> = (0..1_000).map(f64::from).collect();
        values.extend([500.25; 5_000]);
        let edges = fit(&values, 16);
        assert!(edges.contains(&500.125) && edges.contains(&500.625), "{edges:?}");
        assert_eq!(edges.len(), 15);
    }

    #[test]
    fn a_code_is_its_own_bin() {
        let codes = [3.0, 0.0, f64::NAN, 0.0, 1.0, -1.0, 0.5, 300.0];
        let all: Vec<f64> = (0..300).map(f64::from).chain([f64::NAN]).collect();
        let (few, many) = (Matrix::new(vec![&codes, &codes], 8), Matrix::new(vec![&all], 301));
        // As many bins as codes, however few are asked for; the same numbers beside them are cut as ever.
        let binning = Binning::fit_mixed(&few, 2, |column| column == 0);
        assert_eq!((binning.is_categorical(0), binning.is_categorical(1)), (true, false));
        assert_eq!((binning.edges(0).len(), binning.edges(1).len()), (3, 1));
        let binned = binning.apply(&few);
        let bins: Vec<u8> = (0..8).map(|row| binned.bin(row, 0)).collect();
        assert_eq!(bins, [3, 0, MISSING, 0, 1, MISSING, MISSING, MISSING]);
        let binning = Binning::fit_mixed(&many, 255, |_| true);
        let binned = binning.apply(&many);
        assert!((0..255).all(|row| usize::from(binned.bin(row, 0)) == row.min(255)));
        assert!((255..301).all(|row| binned.bin(row, 0) == MISSING));
        // A code that the fit did not see has no bin.
        let unseen = [4.0, 3.0];
        let unseen = Matrix::new(vec![&unseen, &unseen], 2);
        let binned = Binning::fit_mixed(&few, 255, |column| column == 0).apply(&unseen);
        assert_eq!([binned.bin(0, 0), binned.bin(1, 0)], [MISSING, 3]);
    }

    #[test]
    fn sortable_keeps_the_order() {
        let values = [f64::NEG_INFINITY, -1.5, -1e-310, 0.0, 1e-310, 2.0, f64::INFINITY];
        assert!(values.windows(2).all(|pair| sortable(pair[0]) < sortable(pair[1])));
        assert!(values.iter().all(|&value| unsortable(sortable(value)) == value));
        assert_eq!(sortable(-0.0), sortable(0.0));
    }
}
