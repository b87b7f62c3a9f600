//! What each training row adds to a histogram, in integers.

use std::borrow::Cow;

use trainyard_exact::power_of_two;
use trainyard_random::Key;

use super::parameters::{Criterion, ForestParameters};
use crate::boosting::gradients::{nearest, scale_for};

/// The most bits of a rounded weight or value.
const BITS: i32 = 30;

/// Weights below this share of the largest count as none, so that no sum of weights that count can be lost.
const LEAST_SHARE: i32 = -512;

/// Holds the training rows as integers.
///
/// A bin holds `stride` words. The first has the number of rows in its highest bits and the sum of weights below, which
/// can never carry into the number. The others hold the weight of each class, or one sum: of weight times target less
/// the mean, or of the weight of class 1 where there are two. The squares of those over the weight are, but for a
/// constant, what both Gini impurity and variance leave to gain.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) targets: &'a [f64],
    pub(crate) outputs: usize,
    pub(crate) stride: usize,
    /// The rows that weigh anything, in increasing order.
    pub(crate) present: Vec<u32>,
    /// The weights that leaves are averaged with, the largest between 1 and 2.
    pub(crate) weights: Option<Vec<f64>>,
    /// What a row adds to the first word and to its other word.
    pairs: Vec<[i64; 2]>,
    /// The first row of class 1 where all those of class 0 come before it and every row counts as one.
    pub(crate) ones_from: Option<usize>,
    weight_mask: i64,
    count_shift: u32,
    /// What a score over a weight is worth as impurity.
    pub(crate) gain_unit: f64,
}

impl<'a> Rows<'a> {
    /// Rounds `targets` (checked before) and their `weights`.
    pub(crate) fn new(targets: &'a [f64], weights: Option<&[f64]>, criterion: Criterion) -> Rows<'a> {
        let rows = targets.len();
        let count_bits = (usize::BITS - rows.leading_zeros()).clamp(1, 32);
        let count_shift = 64 - count_bits;
        let weights = weights.map(scaled);
        let weight_bits = (count_shift as i32 - count_bits as i32).clamp(0, BITS);
        // The largest weight lies in [1, 2).
        let weight_scale = if weights.is_some() { power_of_two(weight_bits - 1) } else { 1.0 };
        let weight = |row: usize| weights.as_ref().map_or(1.0, |weights| weights[row]);
        let center = targets.iter().sum::<f64>() / rows as f64;
        let deviation = |row: usize| weight(row) * (targets[row] - center);
        let largest = (0..rows).map(|row| deviation(row).abs()).fold(0.0, f64::max);
        let value_scale = scale_for(largest, BITS);
        let pair = |row: usize| {
            let units = i64::from(nearest(weight(row) * weight_scale)).max(i64::from(weight(row) > 0.0));
            let value = match criterion {
                Criterion::Gini { classes: 2 } => units * i64::from(targets[row] == 1.0),
                Criterion::Gini { .. } => units,
                Criterion::SquaredError => i64::from(nearest(deviation(row) * value_scale)),
            };
            [units | (1u64 << count_shift) as i64, value]
        };
        Rows {
            targets,
            ones_from: None,
            outputs: criterion.outputs(),
            stride: 1 + criterion.outputs(),
            present: (0..rows as u32).filter(|&row| weight(row as usize) > 0.0).collect(),
            pairs: (0..rows).map(pair).collect(),
            weight_mask: ((1u64 << count_shift) - 1) as i64,
            count_shift,
            gain_unit: match criterion {
                // p(1 − p) is half the impurity of two classes.
                Criterion::Gini { classes: 2 } => 2.0,
                Criterion::Gini { .. } => 1.0,
                Criterion::SquaredError => weight_scale * weight_scale / value_scale / value_scale,
            },
            weights,
        }
    }

    /// Takes rows as [`in_order_of_class`] gives them, so that a node's rows of each class lie together.
    pub(crate) fn of_ordered_classes(targets: &'a [f64]) -> Rows<'a> {
        let rows = Rows::new(targets, None, Criterion::Gini { classes: 2 });
        Rows { ones_from: Some(targets.partition_point(|target| *target == 0.0)), ..rows }
    }

    /// Gives the number of rows in the first word of a sum, each counted once.
    #[inline]
    pub(crate) fn count(&self, word: i64) -> usize {
        (word as u64 >> self.count_shift) as usize
    }

    /// Gives the first word of the sum of `count` rows without weights, each once.
    #[inline]
    pub(crate) fn word(&self, count: usize) -> i64 {
        (count as i64).wrapping_mul((1u64 << self.count_shift) as i64 | 1)
    }

    /// Gives the weight in the first word of a sum.
    #[inline]
    pub(crate) fn weight(&self, word: i64) -> f64 {
        (word & self.weight_mask) as f64
    }

    /// Gives the sum of squares over the weight, which the best split makes largest; 0 of no rows.
    #[inline]
    pub(crate) fn score(&self, sums: &[i64]) -> f64 {
        let squares = sums[1..].iter().fold(0.0, |total, &sum| total + sum as f64 * sum as f64);
        let weight = self.weight(sums[0]);
        if weight > 0.0 { squares / weight } else { 0.0 }
    }

    /// Gives the word of a bin that a row adds to beside the first.
    #[inline]
    pub(crate) fn slot(&self, row: usize) -> usize {
        if self.outputs == 1 { 1 } else { 1 + self.targets[row] as usize }
    }
}

/// Holds the rows that one tree sees.
#[derive(Debug)]
pub(crate) struct Drawn<'a> {
    /// In increasing order, each once.
    pub(crate) rows: Cow<'a, [u32]>,
    /// How often each row of the table was drawn; empty where all are there once.
    times: Vec<u32>,
    /// What each row of the table adds to a histogram, as often as it was drawn.
    pub(crate) pairs: Cow<'a, [[i64; 2]]>,
}

impl<'a> Drawn<'a> {
    /// Draws rows that weigh anything with replacement, or takes all of those.
    pub(crate) fn new(rows: &'a Rows<'_>, parameters: &ForestParameters, key: &Key) -> Drawn<'a> {
        if !parameters.bootstrap {
            let (rows, pairs) = (rows.present.as_slice(), rows.pairs.as_slice());
            return Drawn { rows: rows.into(), times: Vec::new(), pairs: pairs.into() };
        }
        let wanted = (rows.present.len() as f64 * parameters.max_samples.unwrap_or(1.0)).round().max(1.0) as usize;
        let mut times = vec![0u32; rows.pairs.len()];
        let mut stream = key.stream();
        for _ in 0..wanted {
            times[rows.present[stream.below(rows.present.len() as u64) as usize] as usize] += 1;
        }
        let pair = |(pair, &times): (&[i64; 2], &u32)| {
            let (times, count) = (i64::from(times), pair[0] & !rows.weight_mask);
            [count | ((pair[0] & rows.weight_mask) * times), pair[1] * times]
        };
        let pairs: Vec<[i64; 2]> = rows.pairs.iter().zip(&times).map(pair).collect();
        let rows: Vec<u32> = rows.present.iter().copied().filter(|&row| times[row as usize] > 0).collect();
        Drawn { rows: rows.into(), times, pairs: pairs.into() }
    }

    /// Says how often a row is there.
    pub(crate) fn times(&self, row: usize) -> u32 {
        self.times.get(row).copied().unwrap_or(1)
    }
}

/// Gives the rows of class 0 and then those of class 1.
pub(crate) fn in_order_of_class(targets: &[f64]) -> Vec<u32> {
    let of = |class: f64| (0u32..).zip(targets).filter(move |(_, target)| **target == class).map(|(row, _)| row);
    of(0.0).chain(of(1.0)).collect()
}

/// Brings the largest weight between 1 and 2 by a power of two, which rounds nothing.
fn scaled(weights: &[f64]) -> Vec<f64> {
    let scale = scale_for(weights.iter().copied().fold(0.0, f64::max), 1);
    let least = power_of_two(LEAST_SHARE);
    let weigh = |weight: &f64| if weight * scale >= least { weight * scale } else { 0.0 };
    weights.iter().map(weigh).collect()
}
