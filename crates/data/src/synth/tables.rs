//! Tables for classification and regression with known informative, redundant and noise columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use rayon::prelude::*;
use trainyard_random::Key;

use super::{Draws, table};

/// What a classification table is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// Rows.
    pub rows: u64,
    /// All feature columns, noise included.
    pub features: usize,
    /// Columns that carry the signal.
    pub informative: usize,
    /// Columns that are mixtures of informative ones.
    pub redundant: usize,
    /// The seed.
    pub seed: u64,
    /// The distance of the two classes' means in standard deviations, over all informative columns.
    pub class_separation: f64,
    /// The share of the positive class.
    pub balance: f64,
    /// By how many standard deviations the means have moved at the last row.
    pub drift: f64,
}

/// What a regression table is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    /// Rows.
    pub rows: u64,
    /// All feature columns, noise included.
    pub features: usize,
    /// Columns that carry the signal.
    pub informative: usize,
    /// Columns that are mixtures of informative ones.
    pub redundant: usize,
    /// The seed.
    pub seed: u64,
    /// The standard deviation of the noise on the target.
    pub noise: f64,
    /// By how many standard deviations the means have moved at the last row.
    pub drift: f64,
}

struct Columns {
    features: usize,
    informative: usize,
    redundant: usize,
}

impl Columns {
    /// Draws the features of one row; `shift` moves the informative ones.
    fn draw(&self, draws: &mut Draws, weights: &Key, shift: f64, drift: f64) -> Vec<f64> {
        let informative = self.informative.min(self.features);
        let redundant = self.redundant.min(self.features - informative);
        let mut values: Vec<f64> = (0..informative).map(|_| draws.normal() + shift + drift).collect();
        for mixture in 0..redundant {
            let weight = |column: usize| 2.0 * weights.uniform((mixture * informative + column) as u64) - 1.0;
            let mixed = (0..informative).map(|column| weight(column) * values[column]).sum();
            values.push(mixed);
        }
        while values.len() < self.features {
            values.push(draws.normal() + drift);
        }
        values
    }
}

fn progress(row: u64, rows: u64) -> f64 {
    if rows > 1 { row as f64 / (rows - 1) as f64 } else { 0.0 }
}

fn with_features(rows: &[(Vec<f64>, f64)], features: usize, last: (String, ArrayRef)) -> RecordBatch {
    let ids: Int64Array = (0..rows.len() as i64).map(Some).collect();
    let mut columns: Vec<(String, ArrayRef)> = vec![("id".to_owned(), Arc::new(ids))];
    for feature in 0..features {
        let values: Float64Array = rows.iter().map(|(values, _)| Some(values[feature])).collect();
        columns.push((format!("feature_{feature}"), Arc::new(values)));
    }
    columns.push(last);
    table(columns)
}

/// Makes a table `id, feature_0 …, target` whose target is `yes` or `no`.
pub fn classification(wanted: &Classification) -> RecordBatch {
    let family = Key::new(wanted.seed, "synth/classification");
    let weights = Key::new(wanted.seed, "synth/mixtures");
    let columns = Columns { features: wanted.features, informative: wanted.informative, redundant: wanted.redundant };
    let spread = wanted.class_separation / (wanted.informative.max(1) as f64).sqrt();
    let made: Vec<(Vec<f64>, f64)> = (0..wanted.rows)
        .into_par_iter()
        .map(|row| {
            let mut draws = Draws::of(&family, row);
            let positive = draws.chance(wanted.balance);
            let shift = if positive { spread / 2.0 } else { -spread / 2.0 };
            let drift = wanted.drift * progress(row, wanted.rows);
            (columns.draw(&mut draws, &weights, shift, drift), f64::from(positive))
        })
        .collect();
    let labels: LargeStringArray =
        made.iter().map(|(_, class)| Some(if *class > 0.5 { "yes" } else { "no" })).collect();
    with_features(&made, wanted.features, ("target".to_owned(), Arc::new(labels)))
}

/// Makes a table `id, feature_0 …, target` whose target is a number.
pub fn regression(wanted: &Regression) -> RecordBatch {
    let family = Key::new(wanted.seed, "synth/regression");
    let weights = Key::new(wanted.seed, "synth/mixtures");
    let slopes = Key::new(wanted.seed, "synth/slopes");
    let columns = Columns { features: wanted.features, informative: wanted.informative, redundant: wanted.redundant };
    let made: Vec<(Vec<f64>, f64)> = (0..wanted.rows)
        .into_par_iter()
        .map(|row| {
            let mut draws = Draws::of(&family, row);
            let values = columns.draw(&mut draws, &weights, 0.0, wanted.drift * progress(row, wanted.rows));
            let signal = values.iter().take(wanted.informative.min(wanted.features)).enumerate();
            let signal: f64 = signal.map(|(column, value)| (10.0 + 90.0 * slopes.uniform(column as u64)) * value).sum();
            (values, signal + wanted.noise * draws.normal())
        })
        .collect();
    let targets: Float64Array = made.iter().map(|(_, target)| Some(*target)).collect();
    with_features(&made, wanted.features, ("target".to_owned(), Arc::new(targets)))
}
