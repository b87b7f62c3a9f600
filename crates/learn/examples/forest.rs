//! Times forests: `cargo run --release -p trainyard-learn --example forest -- [ROWS] [COLUMNS] [THREADS]`.

use std::time::Instant;

use trainyard_learn::{Binning, Criterion, ForestParameters, Matrix, grow_forest, metrics};
use trainyard_random::Key;

#[expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example talks to its reader")]
fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let at = |place: usize, usual: usize| arguments.get(place).copied().unwrap_or(usual);
    let (rows, columns, threads) = (at(0, 100_000), at(1, 20), at(2, 2));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let key = Key::new(1, "example");
        let table: Vec<Vec<f64>> = (0..columns as u64)
            .map(|column| (0..rows as u64).map(|row| key.derive(column).uniform(row)).collect())
            .collect();
        let score = |row: usize| {
            4.0 * table[0][row] * table[1][row] + table[2][row] + 0.4 * key.derive(1 << 40).uniform(row as u64)
        };
        let values: Vec<f64> = (0..rows).map(score).collect();
        let classes: Vec<f64> = values.iter().map(|value| f64::from(u8::from(*value > 1.7))).collect();
        let matrix = Matrix::of(&table, rows);
        let (gini, squared) = (Criterion::Gini { classes: 2 }, Criterion::SquaredError);
        for (name, parameters) in [
            ("random forest, classes", ForestParameters::random_forest(gini)),
            ("extra trees, classes", ForestParameters::extra_trees(gini)),
            ("random forest, values", ForestParameters::random_forest(squared)),
            ("extra trees, values", ForestParameters::extra_trees(squared)),
        ] {
            let targets = if parameters.criterion == gini { &classes } else { &values };
            let start = Instant::now();
            let binning = Binning::fit(&matrix, 255);
            let binned = binning.apply(&matrix);
            let bins = start.elapsed().as_secs_f64();
            let parameters = ForestParameters { max_depth: Some(10), ..parameters };
            let fit = grow_forest(&binned, &binning, targets, None, &parameters, &|_, _| true).unwrap();
            let all = start.elapsed().as_secs_f64();
            let predictions = &fit.predict(&matrix)[0];
            let quality = match parameters.criterion {
                Criterion::Gini { .. } => metrics::roc_auc(targets, predictions),
                Criterion::SquaredError => metrics::rmse(targets, predictions),
            };
            println!("{name:<24} {all:>7.2} s ({bins:.2} s of it bins), {:.4} on its own rows", quality.unwrap());
        }
    });
}
