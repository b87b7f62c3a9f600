//! Single stages at size, of the learning core and of tables: each run is one stage, told by one line of JSON.
//!
//! Only `cargo xtask bench` starts it, beside `benches/peers/{learn,data,tune,tracking}.py`, which make the data and know
//! the same stages. Both tell the seconds of the work alone, without reading the data, and how good the result is.

mod database;
mod limits;
mod numbers;
mod row;
mod search;
mod tables;
mod tracking;
mod tune;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use rayon::prelude::*;
use serde_json::{Value, json};
use trainyard_learn::{
    Binning, BoostingParameters, Criterion, ForestParameters, LogisticParameters, Objective, TreeExplainer, boost,
    grow_forest, logistic_regression, metrics, sigmoid,
};

use crate::numbers::Numbers;

const HELP: &str = "stages boosting|folds|search|random_forest|extra_trees|shap|logistic DATA, row MODEL CSV, read TABLE, postgres URL, \
                    suite|checks TABLE SUITE, drift THEN NOW, tune SAMPLER [FOLDER], tracking DEED FOLDER, or machine";
/// The threads of every stage but `row` and `tune`.
const THREADS: usize = 2;
/// The fits of `folds`, and into how many parts the rows are cut.
const FITS: usize = 100;
const FOLDS: usize = 5;

/// What a stage tells, or what went wrong in words.
type Told = Result<Value, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().map_err(words_of);
    let told = pool.and_then(|pool| match words.as_slice() {
        ["machine"] => pool.install(limits::machine),
        ["row", model, data] => row::measure(Path::new(model), Path::new(data)),
        ["tune", sampler] => tune::measure(sampler),
        ["tune", sampler, folder] => tune::durable(sampler, Path::new(folder)),
        ["tracking", deed, folder] => tracking::measure(deed, Path::new(folder)),
        // A reading waits for its server on one thread.
        ["postgres", url] => database::read(url),
        ["read", table] => pool.install(|| tables::read(Path::new(table))),
        ["suite", table, suite] => pool.install(|| tables::judge(Path::new(table), Path::new(suite), false)),
        ["checks", table, suite] => pool.install(|| tables::judge(Path::new(table), Path::new(suite), true)),
        ["drift", then, now] => pool.install(|| tables::compare(Path::new(then), Path::new(now))),
        [stage, data] => pool.install(|| run(stage, Path::new(data))),
        _ => Err(HELP.to_owned()),
    });
    say(&told)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the program that measures reads what is told")]
fn say(told: &Told) -> ExitCode {
    match told {
        Ok(value) => println!("{value}"),
        Err(problem) => eprintln!("stages: {problem}"),
    }
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn words_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn run(stage: &str, data: &Path) -> Told {
    let numbers = Numbers::read(data)?;
    match stage {
        "boosting" => boosting(numbers),
        "folds" => folds(&numbers),
        "search" => search::measure(&numbers),
        "random_forest" => forest(numbers, &ForestParameters::random_forest(Criterion::Gini { classes: 2 })),
        "extra_trees" => forest(numbers, &ForestParameters::extra_trees(Criterion::Gini { classes: 2 })),
        "shap" => shap(&numbers),
        "logistic" => logistic(&numbers),
        _ => Err(HELP.to_owned()),
    }
}

/// 100 trees of at most 63 leaves and depth 6.
fn deep() -> BoostingParameters {
    BoostingParameters { max_leaf_nodes: 63, max_depth: Some(6), ..BoostingParameters::default() }
}

fn boosting(mut train: Numbers) -> Told {
    let test = train.split_off(0.8);
    let started = Instant::now();
    let parameters = deep();
    let binning = Binning::fit(&train.matrix(), parameters.max_bins);
    let binned = binning.apply(&train.matrix());
    let fit = boost(&binned, &binning, train.targets(), None, &parameters, Objective::BinaryLogLoss, None, &|_| true)
        .map_err(words_of)?;
    let seconds = started.elapsed().as_secs_f64();
    let margins = fit.ensemble().predict_margin(&test.matrix());
    let auc = metrics::roc_auc(test.targets(), &margins).map_err(words_of)?;
    let additions = limits::boosting_additions(fit.ensemble(), train.columns());
    Ok(json!({"seconds": seconds, "quality": auc, "additions": additions}))
}

/// Fits 100 small models, each on four fifths of the rows; what is binned of a fold serves every fit of it.
fn folds(numbers: &Numbers) -> Told {
    let started = Instant::now();
    let parameters = BoostingParameters { learning_rate: 0.05, max_leaf_nodes: 15, ..BoostingParameters::default() };
    let parts: Vec<_> = (0..FOLDS)
        .into_par_iter()
        .map(|fold| {
            let (train, held) = numbers.without_fold(fold, FOLDS);
            let binning = Binning::fit(&train.matrix(), parameters.max_bins);
            let binned = binning.apply(&train.matrix());
            (train, held, binning, binned)
        })
        .collect();
    let fit = |number: usize| -> Result<f64, String> {
        let (train, held, binning, binned) = &parts[number % FOLDS];
        let objective = Objective::BinaryLogLoss;
        let fit =
            boost(binned, binning, train.targets(), None, &parameters, objective, None, &|_| true).map_err(words_of)?;
        metrics::roc_auc(held.targets(), &fit.ensemble().predict_margin(&held.matrix())).map_err(words_of)
    };
    let scores = (0..FITS).into_par_iter().map(fit).collect::<Result<Vec<f64>, String>>()?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({"seconds": seconds, "quality": scores.iter().sum::<f64>() / FITS as f64}))
}

fn forest(mut train: Numbers, usual: &ForestParameters) -> Told {
    let test = train.split_off(0.5);
    let started = Instant::now();
    let parameters = ForestParameters { max_depth: Some(10), ..usual.clone() };
    let binning = Binning::fit(&train.matrix(), 255);
    let binned = binning.apply(&train.matrix());
    let fit = grow_forest(&binned, &binning, train.targets(), None, &parameters, &|_, _| true).map_err(words_of)?;
    let seconds = started.elapsed().as_secs_f64();
    let auc = metrics::roc_auc(test.targets(), &fit.predict(&test.matrix())[0]).map_err(words_of)?;
    // Each split tries the square root of the columns.
    let additions = limits::forest_additions(&fit.ensembles[0], train.columns().isqrt());
    Ok(json!({"seconds": seconds, "quality": auc, "additions": additions}))
}

/// Explains every row; the quality is by how much a row's contributions may miss its margin.
fn shap(numbers: &Numbers) -> Told {
    let matrix = numbers.matrix();
    let parameters = deep();
    let binning = Binning::fit(&matrix, parameters.max_bins);
    let binned = binning.apply(&matrix);
    let objective = Objective::BinaryLogLoss;
    let fit =
        boost(&binned, &binning, numbers.targets(), None, &parameters, objective, None, &|_| true).map_err(words_of)?;
    let started = Instant::now();
    let contributions =
        TreeExplainer::new(fit.ensemble()).and_then(|explainer| explainer.contributions(&matrix)).map_err(words_of)?;
    let seconds = started.elapsed().as_secs_f64();
    let margins = fit.ensemble().predict_margin(&matrix);
    let miss = |(row, margin): (usize, &f64)| (contributions.row(row).iter().sum::<f64>() - margin).abs();
    let misses = margins.iter().enumerate().map(miss);
    let additions = limits::contributions_of_a_row(fit.ensemble()) * margins.len() as u64;
    Ok(json!({"seconds": seconds, "quality": misses.fold(0.0, f64::max), "additions": additions}))
}

/// Fits a logistic regression; the quality is the mean of what it makes small.
fn logistic(numbers: &Numbers) -> Told {
    let (matrix, targets) = (numbers.matrix(), numbers.targets());
    let parameters = LogisticParameters { max_iter: 1000, ..LogisticParameters::default() };
    let started = Instant::now();
    let model = logistic_regression(&matrix, targets, None, &parameters).map_err(words_of)?;
    let seconds = started.elapsed().as_secs_f64();
    let probabilities: Vec<f64> = model.predict(&matrix).into_iter().map(sigmoid).collect();
    let loss = metrics::log_loss(targets, &probabilities).map_err(words_of)?;
    let penalty: f64 = model.coefficients.iter().map(|value| value * value).sum::<f64>() / 2.0;
    // The table is read once before the first iteration and once in each.
    let bytes = (model.iterations + 1) * targets.len() * numbers.columns() * size_of::<f64>();
    Ok(json!({"seconds": seconds, "quality": loss + penalty / targets.len() as f64, "bytes": bytes}))
}
