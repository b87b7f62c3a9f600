//! Losses of numbers beside scikit-learn, with the same parameters.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{Binning, BoostingParameters, Error, Objective, TreeEnsemble, boost};

use crate::boosting::fit;
use crate::data::{Table, json, json_columns};

const SCRIPT: &str = r#"
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, HistGradientBoostingClassifier
kinds = dict(regressor=HistGradientBoostingRegressor, classifier=HistGradientBoostingClassifier)
X = np.array(data["columns"], dtype=float).T
T = np.array(data["test"], dtype=float).T
weights = None if data["weights"] is None else np.array(data["weights"])
model = kinds[data["kind"]](early_stopping=False, **data["parameters"]).fit(X, data["targets"], sample_weight=weights)
answer = [float(v) for v in (model.predict(T) if data["kind"] == "regressor" else model.decision_function(T))]
"#;

/// Gives what scikit-learn predicts: values, or log-odds where the `kind` is `classifier`.
pub(crate) fn scikit_learn(
    kind: &str,
    train: &Table,
    weights: Option<&[f64]>,
    test: &Table,
    parameters: &Value,
) -> Option<Vec<f64>> {
    let request = json!({
        "kind": kind, "columns": json_columns(&train.columns), "targets": json(&train.targets),
        "weights": weights.map(json), "test": json_columns(&test.columns), "parameters": parameters,
    });
    let answer = trainyard_judges::python("core")?.run(SCRIPT, &request);
    Some(answer.as_array().expect("a list").iter().map(number).collect())
}

/// Leaves each column at most `values` values, so that both libraries cut between the same ones.
pub(crate) fn coarse(table: &Table, values: f64) -> Table {
    let column = |column: &Vec<f64>| {
        let present = || column.iter().copied().filter(|value| !value.is_nan());
        let (least, most) = (present().fold(f64::INFINITY, f64::min), present().fold(f64::NEG_INFINITY, f64::max));
        column.iter().map(|value| ((value - least) / (most - least) * (values - 1.0)).round()).collect()
    };
    Table { columns: table.columns.iter().map(column).collect(), targets: table.targets.clone() }
}

pub(crate) fn largest_difference(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let size = theirs.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
    ours.iter().zip(theirs).fold(0.0, |largest: f64, (ours, theirs)| largest.max((ours - theirs).abs())) / size
}

fn bikes() -> Option<Table> {
    let mut table = Table::shared("data/bike_sharing/hour.csv", "cnt", None)?;
    // The last two columns are the parts of the target.
    table.columns.truncate(table.columns.len() - 2);
    Some(table)
}

/// Weights that scikit-learn takes for what they are, some of them 0.
fn weights(rows: usize) -> Vec<f64> {
    (0..rows).map(|row| (row % 5) as f64 / 2.0).collect()
}

fn fitted(
    table: &Table,
    weights: Option<&[f64]>,
    parameters: &BoostingParameters,
    objective: Objective,
) -> TreeEnsemble {
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    let fit = boost(&binned, &binning, &table.targets, weights, parameters, objective, None, &|_| true);
    fit.expect("a fit").ensembles.swap_remove(0)
}

#[test]
fn few_trees_are_those_of_scikit_learn() {
    let Some(table) = Table::california_housing().map(|table| coarse(&table, 60.0).filter(|row| row % 4 == 0)) else {
        return;
    };
    let weights = weights(table.rows());
    let quantile = Objective::Quantile { quantile: 0.8 };
    for (objective, loss, depth, trees, tolerance) in [
        (Objective::AbsoluteError, json!({"loss": "absolute_error"}), 1, 1, 1e-12),
        (Objective::AbsoluteError, json!({"loss": "absolute_error"}), 4, 10, 1e-12),
        (quantile, json!({"loss": "quantile", "quantile": 0.8}), 1, 1, 1e-12),
        (quantile, json!({"loss": "quantile", "quantile": 0.8}), 4, 10, 1e-12),
        // The gradients of scikit-learn have 24 bits.
        (Objective::Poisson, json!({"loss": "poisson"}), 1, 1, 1e-6),
        (Objective::Poisson, json!({"loss": "poisson"}), 4, 10, 1e-5),
    ] {
        for weights in [None, Some(weights.as_slice())] {
            let parameters =
                BoostingParameters { max_iter: trees, max_depth: Some(depth), ..BoostingParameters::default() };
            let mut request = json!({"max_iter": trees, "max_depth": depth});
            request.as_object_mut().expect("an object").extend(loss.as_object().expect("an object").clone());
            let Some(theirs) = scikit_learn("regressor", &table, weights, &table, &request) else { return };
            let mut ours = fitted(&table, weights, &parameters, objective).predict_margin(&table.matrix());
            if objective == Objective::Poisson {
                ours.iter_mut().for_each(|margin| *margin = libm::exp(*margin));
            }
            let difference = largest_difference(&ours, &theirs);
            let weighted = weights.is_some();
            assert!(difference < tolerance, "{objective:?}, {trees} trees, weighted: {weighted}: {difference}");
        }
    }
}

fn pinball(quantile: f64, targets: &[f64], predictions: &[f64]) -> f64 {
    let loss = |(target, prediction): (&f64, &f64)| {
        let residual = target - prediction;
        if residual < 0.0 { residual * (quantile - 1.0) } else { residual * quantile }
    };
    targets.iter().zip(predictions).map(loss).sum::<f64>() / targets.len() as f64
}

fn poisson_deviance(targets: &[f64], predictions: &[f64]) -> f64 {
    let loss = |(target, prediction): (&f64, &f64)| {
        let log = if *target > 0.0 { target * libm::log(target / prediction) } else { 0.0 };
        2.0 * (log - target + prediction)
    };
    targets.iter().zip(predictions).map(loss).sum::<f64>() / targets.len() as f64
}

#[test]
fn held_out_losses_are_as_low_as_those_of_scikit_learn() {
    let (Some(houses), Some(bikes)) = (Table::california_housing(), bikes()) else { return };
    for (name, table, objective, loss) in [
        ("california, absolute error", &houses, Objective::AbsoluteError, json!({"loss": "absolute_error"})),
        (
            "california, quantile 0.1",
            &houses,
            Objective::Quantile { quantile: 0.1 },
            json!({"loss": "quantile", "quantile": 0.1}),
        ),
        (
            "california, quantile 0.9",
            &houses,
            Objective::Quantile { quantile: 0.9 },
            json!({"loss": "quantile", "quantile": 0.9}),
        ),
        ("bikes, Poisson", &bikes, Objective::Poisson, json!({"loss": "poisson"})),
        (
            "bikes, quantile 0.5",
            &bikes,
            Objective::Quantile { quantile: 0.5 },
            json!({"loss": "quantile", "quantile": 0.5}),
        ),
    ] {
        let measure = |test: &Table, predictions: &[f64]| match objective {
            Objective::Quantile { quantile } => pinball(quantile, &test.targets, predictions),
            Objective::Poisson => poisson_deviance(&test.targets, predictions),
            _ => pinball(0.5, &test.targets, predictions) * 2.0,
        };
        let (mut ours, mut theirs) = (0.0, 0.0);
        for part in 0..3 {
            let (train, test) = (table.filter(|row| row % 5 != part), table.filter(|row| row % 5 == part));
            let Some(predictions) = scikit_learn("regressor", &train, None, &test, &loss) else { return };
            theirs += measure(&test, &predictions) / 3.0;
            let ensemble = fitted(&train, None, &BoostingParameters::default(), objective);
            let mut predictions = ensemble.predict_margin(&test.matrix());
            if objective == Objective::Poisson {
                predictions.iter_mut().for_each(|margin| *margin = libm::exp(*margin));
            }
            ours += measure(&test, &predictions) / 3.0;
        }
        println!("{name}: ours {ours:.5}, scikit-learn {theirs:.5}");
        assert!(ours <= theirs * 1.01, "{name}: ours {ours}, scikit-learn {theirs}");
    }
}

#[test]
fn reported_losses_are_those_of_the_predictions() {
    let synthetic = Table::synthetic(2_000, 6, 2);
    let targets = (0..2_000).map(|row| synthetic.targets[row] * 3.0 + synthetic.columns[0][row]).collect();
    let table = Table { targets, ..synthetic };
    let parameters = BoostingParameters { max_iter: 20, ..BoostingParameters::default() };
    let losses = [Objective::AbsoluteError, Objective::Quantile { quantile: 0.3 }, Objective::Poisson];
    for objective in losses {
        let (_, _, fit) = fit(&table, &parameters, objective);
        let margins = fit.ensemble().predict_margin(&table.matrix());
        let loss = match objective {
            Objective::AbsoluteError => 2.0 * pinball(0.5, &table.targets, &margins),
            Objective::Quantile { quantile } => pinball(quantile, &table.targets, &margins),
            _ => {
                let rows = margins.iter().zip(&table.targets);
                rows.map(|(margin, target)| libm::exp(*margin) - target * margin).sum::<f64>() / 2_000.0
            }
        };
        let last = fit.train_loss[19];
        assert!((loss - last).abs() < 1e-12, "{objective:?}: {loss} {last}");
        assert!(fit.train_loss.windows(2).all(|pair| pair[1] <= pair[0]), "{objective:?}: {:?}", fit.train_loss);
    }
}

#[test]
fn what_has_nothing_to_learn_gives_the_constant_of_least_loss() {
    let parameters = BoostingParameters { max_iter: 3, ..BoostingParameters::default() };
    let targets: Vec<f64> = (0..99).map(f64::from).collect();
    for (columns, rows) in
        [(vec![vec![1.0; 99]], 99), (vec![vec![f64::NAN; 99]], 99), (Vec::new(), 99), (vec![vec![4.0]], 1)]
    {
        let table = Table { columns, targets: targets[99 - rows..].to_vec() };
        let of = |objective| fit(&table, &parameters, objective).2.ensemble().predict_margin_row(&[2.0]);
        let middle = if rows == 1 { 98.0 } else { 49.0 };
        assert_eq!(of(Objective::AbsoluteError), middle);
        assert_eq!(of(Objective::Quantile { quantile: 0.5 }), middle);
        assert!((libm::exp(of(Objective::Poisson)) - middle).abs() < 1e-12);
    }
}

#[test]
fn rows_of_weight_zero_move_no_quantile() {
    let table = Table { columns: vec![(0..100).map(f64::from).collect()], targets: (0..100).map(f64::from).collect() };
    let weights: Vec<f64> = (0..100).map(|row| f64::from(u8::from(row < 50))).collect();
    let parameters = BoostingParameters { max_iter: 5, min_hessian: 0.0, ..BoostingParameters::default() };
    let ensemble = fitted(&table, Some(&weights), &parameters, Objective::AbsoluteError);
    assert!(ensemble.predict_margin(&table.matrix()).iter().all(|value| (0.0..50.0).contains(value)));
}

#[test]
fn targets_and_quantiles_outside_their_range_are_refused() {
    let table = Table::synthetic(50, 3, 9);
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    let run = |targets: &[f64], weights: Option<&[f64]>, objective| {
        let parameters = BoostingParameters { max_iter: 1, ..BoostingParameters::default() };
        boost(&binned, &binning, targets, weights, &parameters, objective, None, &|_| true).expect_err("an error")
    };
    let mut negative = vec![1.0; 50];
    negative[7] = -0.5;
    let refused = run(&negative, None, Objective::Poisson);
    assert!(matches!(refused, Error::NegativeTarget { row: 7, .. }));
    assert_eq!(
        refused.to_string(),
        "gradient boosting with the loss `poisson` needs targets from 0, but row 8 has -0.5"
    );
    assert!(matches!(run(&[0.0; 50], None, Objective::Poisson), Error::NoPositiveTarget { .. }));
    let mut one = vec![0.0; 50];
    (one[0], negative[7]) = (1.0, 0.0);
    let others: Vec<f64> = (0..50).map(|row| f64::from(u8::from(row > 0))).collect();
    assert!(matches!(run(&one, Some(&others), Objective::Poisson), Error::NoPositiveTarget { .. }));
    for quantile in [0.0, 1.0, -0.1, f64::NAN] {
        let refused = run(&one, None, Objective::Quantile { quantile });
        assert!(matches!(refused, Error::Parameter { name: "quantile", .. }));
    }
}
