//! How good boosted trees are on real tables, beside LightGBM's with the same parameters, folds and categories.
//!
//! `cargo xtask bench quality` runs these tests and makes a table of the scores that they write.

use std::path::PathBuf;

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{BoostingParameters, Objective, metrics, sigmoid, softmax};

use crate::categories::fit;
use crate::data::Table;

/// By how many standard errors of the paired differences we may be worse.
const NOISE: f64 = 2.0;

/// By what share of LightGBM's score we may be worse in any case: five folds alone may agree by chance.
const MARGIN: f64 = 0.002;

const SCRIPT: &str = "
sys.dont_write_bytecode = True
sys.path.insert(0, data['peers'])
import quality
answer = quality.measured(data['name'], data['shared'])
";

/// Compares the scores on all folds; fails where ours are worse by more than noise and by more than the margin.
fn compare(name: &str) {
    let (Some(judge), Some(shared)) = (trainyard_judges::python("core"), trainyard_judges::shared("data")) else {
        return;
    };
    let peers = trainyard_judges::repository().join("benches/peers");
    let told = judge.run(SCRIPT, &json!({"name": name, "peers": peers, "shared": shared}));
    let list = |value: &Value| -> Vec<f64> { value.as_array().expect("a list").iter().map(number).collect() };
    let columns = told["columns"].as_array().expect("columns").iter().map(list).collect();
    let table = Table { columns, targets: list(&told["targets"]) };
    let categorical: Vec<usize> = list(&told["categorical"]).into_iter().map(|column| column as usize).collect();
    let classes = number(&told["classes"]) as usize;
    let given = |key: &str| number(&told["parameters"][key]);
    let parameters = BoostingParameters {
        max_iter: number(&told["trees"]) as usize,
        max_leaf_nodes: given("num_leaves") as usize,
        learning_rate: given("learning_rate"),
        min_samples_leaf: given("min_child_samples") as usize,
        min_hessian: given("min_child_weight"),
        l2_regularization: given("reg_lambda"),
        max_bins: given("max_bin") as usize,
        ..BoostingParameters::default()
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (folds, scores) in
        told["folds"].as_array().into_iter().flatten().zip(told["scores"].as_array().expect("scores"))
    {
        let folds = list(folds);
        for (fold, score) in list(scores).into_iter().enumerate() {
            let (held, rest) =
                (table.filter(|row| folds[row] == fold as f64), table.filter(|row| folds[row] != fold as f64));
            ours.push(scored(&rest, &held, &categorical, classes, &parameters));
            theirs.push(score);
        }
    }
    let metric = match classes {
        0 => "rmse",
        2 => "roc_auc",
        _ => "log_loss",
    };
    if let Some(folder) = std::env::var_os("TRAINYARD_QUALITY") {
        let told = json!({
            "rows": table.rows(), "columns": table.columns.len(), "categorical": categorical.len(), "metric": metric,
            "ours": ours, "theirs": theirs,
        });
        let path = PathBuf::from(folder).join(format!("{name}.json"));
        std::fs::write(path, told.to_string()).expect("the folder of the bench is there");
    }
    let count = ours.len() as f64;
    let sign = if metric == "roc_auc" { 1.0 } else { -1.0 };
    let better: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| sign * (ours - theirs)).collect();
    let mean = better.iter().sum::<f64>() / count;
    let variance = better.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    let of_theirs = theirs.iter().sum::<f64>() / count;
    assert!(
        mean >= -NOISE * error || mean >= -MARGIN * of_theirs,
        "{name}: {metric} {} beside LightGBM's {of_theirs}, {} standard errors worse",
        ours.iter().sum::<f64>() / count,
        -mean / error
    );
}

/// Fits on some rows and scores the others.
fn scored(rest: &Table, held: &Table, categorical: &[usize], classes: usize, parameters: &BoostingParameters) -> f64 {
    let objective = match classes {
        0 => Objective::SquaredError,
        2 => Objective::BinaryLogLoss,
        _ => Objective::MulticlassLogLoss { classes },
    };
    let (_, fit) = fit(rest, categorical, parameters, objective);
    let margins: Vec<Vec<f64>> = fit.ensembles.iter().map(|ensemble| ensemble.predict_margin(&held.matrix())).collect();
    let found = match classes {
        0 => metrics::rmse(&held.targets, &margins[0]),
        2 => metrics::roc_auc(&held.targets, &margins[0].iter().map(|margin| sigmoid(*margin)).collect::<Vec<f64>>()),
        _ => {
            let of_row = |row: usize| {
                let mut of_row: Vec<f64> = margins.iter().map(|margins| margins[row]).collect();
                softmax(&mut of_row);
                of_row
            };
            let probabilities: Vec<f64> = (0..held.rows()).flat_map(of_row).collect();
            metrics::multiclass(&held.targets, &probabilities, classes).map(|all| all["log_loss"])
        }
    };
    found.expect("a metric")
}

#[test]
fn churn() {
    compare("churn");
}

#[test]
fn adult() {
    compare("adult");
}

#[test]
fn german_credit() {
    compare("german_credit");
}

#[test]
fn breast_cancer() {
    compare("breast_cancer");
}

#[test]
fn wine() {
    compare("wine");
}

#[test]
fn digits() {
    compare("digits");
}

#[test]
fn california_housing() {
    compare("california_housing");
}

#[test]
fn bike_sharing() {
    compare("bike_sharing");
}
