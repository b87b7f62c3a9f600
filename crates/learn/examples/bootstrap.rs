//! Times the bootstrap on synthetic rows and prints a digest of its intervals, to compare two versions of the code.
//!
//! `cargo run --release -p trainyard-learn --example bootstrap -- ROWS RESAMPLES`

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::time::Instant;

use trainyard_learn::metrics::{self, Task};
use trainyard_random::Key;

fn main() {
    let argument = |place: usize| std::env::args().nth(place).and_then(|text| text.parse().ok());
    let (rows, resamples) = (argument(1).unwrap_or(100_000), argument(2).unwrap_or(200));
    let key = Key::new(1, "learn/examples/bootstrap");
    let [score, other, class] = [0, 1, 2].map(|column| key.derive(column));
    let a: Vec<f64> = (0..rows as u64).map(|row| score.uniform(row)).collect();
    let b: Vec<f64> =
        a.iter().zip(0..).map(|(a, row)| ((0.8 * a + 0.2 * other.uniform(row)) * 1e3).round() / 1e3).collect();
    let y: Vec<f64> = a.iter().zip(0..).map(|(a, row)| f64::from(u8::from(class.uniform(row) < *a))).collect();
    for (task, pair) in [(Task::Binary, "roc_auc"), (Task::Binary, "f1"), (Task::Regression, "rmse")] {
        let start = Instant::now();
        let intervals = metrics::bootstrap(task, &y, &a, 0.5, resamples, 7).expect("intervals");
        let all = start.elapsed();
        let start = Instant::now();
        let paired = metrics::paired_bootstrap(pair, task, &y, &a, &b, 0.5, resamples, 7).expect("a pair");
        let bounds = intervals.values().flat_map(|interval| [interval.low, interval.high]);
        let digest = bounds
            .chain([paired.difference, paired.low, paired.high, paired.p_value])
            .fold(0u64, |digest, value| (digest ^ value.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        println!("{task:?}, all: {all:.2?}; paired {pair}: {:.2?}; digest {digest:016x}", start.elapsed());
    }
}
