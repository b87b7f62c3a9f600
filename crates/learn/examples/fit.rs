//! Times a fit: `cargo run --release -p trainyard-learn --example fit -- [ROWS] [COLUMNS] [THREADS]`.

use std::time::Instant;

use trainyard_learn::{
    Binning, BoostingParameters, LogisticParameters, Matrix, Objective, boost, logistic_regression, metrics,
};
use trainyard_random::Key;

#[expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example talks to its reader")]
fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let (rows, columns) = (arguments.first().copied().unwrap_or(4_225), arguments.get(1).copied().unwrap_or(45));
    let threads = arguments.get(2).copied().unwrap_or(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let key = Key::new(1, "example");
        // Three numeric columns; the others are flags, as one-hot encoding makes them, unless there are few of them.
        let cell = |row: usize, column: usize| {
            let draw = key.derive(column as u64).uniform(row as u64);
            if column < 3 || columns < 30 { draw } else { f64::from(u8::from(draw < 0.3)) }
        };
        let table: Vec<Vec<f64>> =
            (0..columns).map(|column| (0..rows).map(|row| cell(row, column)).collect()).collect();
        let margin = |row: usize| {
            let [a, b] = [table[0][row], table[1][row]];
            3.0 * (a - 0.7)
                + 2.0 * (a - 0.5) * (b - 0.5)
                + (3..columns).map(|column| table[column][row] * 0.1).sum::<f64>()
        };
        let noise = key.derive(1 << 40);
        let targets: Vec<f64> = (0..rows)
            .map(|row| f64::from(u8::from(noise.uniform(row as u64) < trainyard_learn::sigmoid(margin(row) - 1.5))))
            .collect();
        let matrix = Matrix::of(&table, rows);
        let mut at = Instant::now();
        let mut lap = |what: &str| {
            println!("{what:<28}{:>10.2} ms", at.elapsed().as_secs_f64() * 1e3);
            at = Instant::now();
        };
        let binning = Binning::fit(&matrix, 255);
        lap("fit bins");
        let binned = binning.apply(&matrix);
        lap("apply bins");
        let parameters = BoostingParameters::default();
        let fit =
            boost(&binned, &binning, &targets, None, &parameters, Objective::BinaryLogLoss, None, &|_| true).unwrap();
        lap("boost 100 trees");
        let margins = fit.ensemble().predict_margin(&matrix);
        lap("predict");
        let probabilities: Vec<f64> = margins.iter().map(|&margin| trainyard_learn::sigmoid(margin)).collect();
        println!("roc_auc {:.4}", metrics::roc_auc(&targets, &probabilities).unwrap());
        lap("roc_auc");
        let linear = logistic_regression(&matrix, &targets, None, &LogisticParameters::default()).unwrap();
        lap(&format!("logistic ({} iterations)", linear.iterations));
        metrics::bootstrap(metrics::Task::Binary, &targets, &probabilities, 0.5, 1000, 1).unwrap();
        lap("bootstrap 1,000");
    });
}
