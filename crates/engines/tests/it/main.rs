//! The engines, held against their own Python packages and against libraries that misbehave.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod failing;
mod judged;
mod kept;
mod places;
mod told;

use std::path::PathBuf;

use trainyard_engines::{Engine, Engines, FitRequest, FitRows, Heard, Places, Worker};
use trainyard_learn::Matrix;
use trainyard_learn::metrics::Task;

/// Gives the worker that was built beside this test.
fn worker() -> Worker {
    Worker { program: PathBuf::from(env!("CARGO_BIN_EXE_engine-worker")), arguments: Vec::new() }
}

/// Gives the engines of the judge's Python environment, where they are.
fn judged_engines(engine: Engine) -> Option<Engines> {
    trainyard_judges::python("core")?;
    let environments = vec![trainyard_judges::environments().join("core")];
    let engines = Engines::new(Places { environments, ..Places::default() }, worker());
    assert!(engines.library(engine).is_ok(), "the judge has {}", engine.title());
    Some(engines)
}

/// Gives a library alone.
fn engines_of(engine: Engine, path: PathBuf) -> Engines {
    Engines::new(Places { named: vec![(engine, path)], ..Places::default() }, worker())
}

/// A table with missing cells, ties, a constant column, and a column that has none missing.
struct Table {
    columns: Vec<Vec<f64>>,
    rows: usize,
}

impl Table {
    fn new(rows: usize) -> Table {
        Table::seeded(rows, 7)
    }

    fn seeded(rows: usize, seed: u64) -> Table {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut columns = vec![Vec::new(); 6];
        for _ in 0..rows {
            let (a, b, c) = (draw() * 10.0 - 5.0, draw(), draw());
            columns[0].push(a);
            columns[1].push(if draw() < 0.2 { f64::NAN } else { b });
            columns[2].push((c * 6.0).floor());
            columns[3].push(if draw() < 0.5 { 0.0 } else { draw() * 1e-3 });
            columns[4].push(3.0);
            columns[5].push(if c < 0.3 { f64::NAN } else { a * b + draw() });
        }
        Table { columns, rows }
    }

    fn targets(&self, task: Task) -> Vec<f64> {
        self.blurred(task, 0.0)
    }

    /// Targets that no tree can learn whole.
    fn noisy(&self, task: Task) -> Vec<f64> {
        self.blurred(task, 6.0)
    }

    fn blurred(&self, task: Task, blur: f64) -> Vec<f64> {
        let noise = |row: usize| (self.columns[0][row] * 1e6).rem_euclid(1.0) - 0.5;
        let value = |row: usize| {
            let [a, b, c] = [0, 1, 2].map(|column| self.columns[column][row]);
            let b = if b.is_nan() { 0.9 } else { b };
            a.abs() + 2.0 * b * c - if self.columns[3][row] > 0.0 { 1.0 } else { 0.0 } + blur * noise(row)
        };
        let of = |value: f64| match task {
            Task::Binary => f64::from(value > 4.0),
            Task::Multiclass { classes } => (value / 3.0).floor().clamp(0.0, classes as f64 - 1.0),
            Task::Regression => value,
        };
        (0..self.rows).map(|row| of(value(row))).collect()
    }

    fn weights(&self) -> Vec<f64> {
        (0..self.rows).map(|row| 0.5 + (row % 7) as f64 / 4.0).collect()
    }
}

/// Gives a request over a table that stops nowhere.
fn request<'a>(engine: Engine, task: Task, matrix: &'a Matrix<'a>, targets: &'a [f64]) -> FitRequest<'a> {
    FitRequest {
        engine,
        parameters: &[],
        iterations: 20,
        task,
        seed: 3,
        threads: 1,
        rows: FitRows { matrix, targets, weights: None },
        held: None,
        kept: None,
    }
}

fn owned(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Listens and goes on.
fn on(_: Heard) -> bool {
    true
}
