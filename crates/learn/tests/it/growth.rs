//! Penalties, directions and the order of growth beside scikit-learn and LightGBM, with the same parameters.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{
    Binning, BoostingParameters, Error, GrowPolicy, Monotonic, Objective, Tree, TreeEnsemble, boost,
};
use trainyard_random::Key;

use crate::boosting::fit;
use crate::data::{Table, json, json_columns};
use crate::objectives::{coarse, largest_difference, scikit_learn};

const LIGHTGBM: &str = r#"
import numpy as np, lightgbm as lgb
X = np.array(data["columns"], dtype=float).T
params = dict(data["parameters"], learning_rate=0.1, verbose=-1, num_threads=1, deterministic=True,
              min_data_in_bin=1, feature_pre_filter=False)
model = lgb.train(params, lgb.Dataset(X, np.array(data["targets"]), params=params), data["trees"])
answer = [float(v) for v in model.predict(X, raw_score=True)]
"#;

fn lightgbm(table: &Table, trees: usize, parameters: &Value) -> Option<Vec<f64>> {
    let request = json!({
        "columns": json_columns(&table.columns), "targets": json(&table.targets), "trees": trees,
        "parameters": parameters,
    });
    let answer = trainyard_judges::python("core")?.run(LIGHTGBM, &request);
    Some(answer.as_array().expect("a list").iter().map(number).collect())
}

/// Houses with few values a column and prices in 100,000.
fn houses() -> Option<Table> {
    let mut table = coarse(&Table::california_housing()?, 60.0).filter(|row| row % 4 == 0);
    table.targets.iter_mut().for_each(|price| *price /= 1e5);
    Some(table)
}

fn incomes() -> Option<Table> {
    Some(coarse(&Table::adult()?, 60.0).filter(|row| row % 4 == 0))
}

fn margins(table: &Table, parameters: &BoostingParameters, objective: Objective) -> Vec<f64> {
    fit(table, parameters, objective).2.ensemble().predict_margin(&table.matrix())
}

#[test]
fn an_l1_penalty_is_that_of_lightgbm() {
    let Some(table) = houses() else { return };
    // Where LightGBM finds no split on a column, it looks at that column in no node below; a penalty makes that happen in
    // deeper trees.
    for (reg_alpha, l2_regularization, leaves) in [(20.0, 0.0, 2), (150.0, 3.0, 2), (900.0, 0.0, 2), (1.0, 2.0, 15)] {
        let request = json!({"objective": "regression", "num_leaves": leaves, "reg_alpha": reg_alpha, "reg_lambda": l2_regularization});
        let Some(theirs) = lightgbm(&table, 20, &request) else { return };
        let parameters = BoostingParameters {
            max_iter: 20,
            max_leaf_nodes: leaves,
            reg_alpha,
            l2_regularization,
            ..BoostingParameters::default()
        };
        let ours = margins(&table, &parameters, Objective::SquaredError);
        let difference = largest_difference(&ours, &theirs);
        assert!(difference < 1e-6, "{reg_alpha}, {l2_regularization}, {leaves} leaves: {difference}");
        let without = BoostingParameters { reg_alpha: 0.0, ..parameters };
        assert!(largest_difference(&margins(&table, &without, Objective::SquaredError), &theirs) > 1e-4);
    }
}

#[test]
fn a_penalty_beyond_every_gradient_leaves_the_mean() {
    let table = Table::synthetic(500, 4, 1);
    let parameters = BoostingParameters { reg_alpha: 1e6, max_iter: 3, ..BoostingParameters::default() };
    let ensemble = fit(&table, &parameters, Objective::SquaredError).2.ensembles.swap_remove(0);
    assert!(ensemble.trees().iter().all(|tree| tree.nodes().len() == 1));
    assert_eq!(ensemble.predict_margin_row(&[0.5; 4]), ensemble.base());
}

#[test]
fn the_least_hessian_is_that_of_lightgbm() {
    let Some(table) = incomes() else { return };
    let request =
        json!({"objective": "binary", "num_leaves": 31, "min_sum_hessian_in_leaf": 12.5, "min_data_in_leaf": 1});
    let Some(theirs) = lightgbm(&table, 5, &request) else { return };
    let parameters =
        BoostingParameters { max_iter: 5, min_samples_leaf: 1, min_hessian: 12.5, ..BoostingParameters::default() };
    let difference = largest_difference(&margins(&table, &parameters, Objective::BinaryLogLoss), &theirs);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn directions_are_kept_as_scikit_learn_keeps_them() {
    let (Some(houses), Some(incomes)) = (houses(), incomes()) else { return };
    for (name, kind, table, objective) in [
        ("houses", "regressor", &houses, Objective::SquaredError),
        ("incomes", "classifier", &incomes, Objective::BinaryLogLoss),
    ] {
        let directions = [1, -1, 0, 1, -1, 0, 0, 1, 0];
        let directions: Vec<i32> = directions.into_iter().take(table.columns.len()).collect();
        let of = |direction: &i32| match direction {
            1 => Monotonic::Increase,
            -1 => Monotonic::Decrease,
            _ => Monotonic::Free,
        };
        let parameters = BoostingParameters {
            max_iter: 10,
            monotonic_cst: directions.iter().map(of).collect(),
            ..BoostingParameters::default()
        };
        let request = json!({"max_iter": 10, "monotonic_cst": directions});
        let Some(theirs) = scikit_learn(kind, table, None, table, &request) else { return };
        let difference = largest_difference(&margins(table, &parameters, objective), &theirs);
        assert!(difference < 1e-5, "{name}: {difference}");
        let free = BoostingParameters { monotonic_cst: Vec::new(), ..parameters };
        assert!(largest_difference(&margins(table, &free, objective), &theirs) > 1e-2);
    }
}

#[test]
fn rows_weighed_by_class_are_those_of_scikit_learn() {
    let Some(table) = incomes() else { return };
    let rows = table.targets.len() as f64;
    let positive: f64 = table.targets.iter().sum();
    // What `balanced` means: the rows over those of the class, shared out among two classes.
    let weight = |target: &f64| rows / (2.0 * if *target == 1.0 { positive } else { rows - positive });
    let weights: Vec<f64> = table.targets.iter().map(weight).collect();
    let request = json!({"max_iter": 10, "class_weight": "balanced"});
    let Some(theirs) = scikit_learn("classifier", &table, None, &table, &request) else { return };
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    let parameters = BoostingParameters { max_iter: 10, ..BoostingParameters::default() };
    let (weights, objective) = (Some(weights.as_slice()), Objective::BinaryLogLoss);
    let fit = boost(&binned, &binning, &table.targets, weights, &parameters, objective, None, &|_| true);
    let ours = fit.expect("a fit").ensemble().predict_margin(&table.matrix());
    let difference = largest_difference(&ours, &theirs);
    assert!(difference < 1e-5, "{difference}");
}

/// Asks how far predictions ever go against the directions of columns 0 (up) and 1 (down).
fn goes_against(ensemble: &TreeEnsemble) -> f64 {
    let key = Key::new(4, "learn/tests/directions");
    let mut worst = 0.0f64;
    for row in 0..300 {
        let mut cells: Vec<f64> = (0..4).map(|column| key.uniform(row * 8 + column)).collect();
        if row % 3 == 0 {
            cells[2] = f64::NAN;
        }
        for (column, sign) in [(0, 1.0), (1, -1.0)] {
            let mut cells = cells.clone();
            let along: Vec<f64> = (0..60)
                .map(|step| {
                    cells[column] = f64::from(step) / 60.0;
                    ensemble.predict_margin_row(&cells)
                })
                .collect();
            worst = along.windows(2).fold(worst, |worst, pair| worst.max((pair[0] - pair[1]) * sign));
        }
    }
    worst
}

#[test]
fn predictions_go_no_way_that_is_forbidden() {
    let noisy = Table::synthetic(3_000, 4, 5);
    let key = Key::new(1, "learn/tests/noise");
    let targets: Vec<f64> = (0..3_000).map(|row| f64::from(u8::from(key.uniform(row) < 0.4))).collect();
    let table = Table { targets, ..noisy };
    let mut directions = vec![Monotonic::Free; 4];
    let free = BoostingParameters { max_iter: 30, min_samples_leaf: 5, ..BoostingParameters::default() };
    (directions[0], directions[1]) = (Monotonic::Increase, Monotonic::Decrease);
    for objective in [Objective::BinaryLogLoss, Objective::SquaredError, Objective::Poisson] {
        for (reg_alpha, grow_policy, subsample) in
            [(0.0, GrowPolicy::Lossguide, 1.0), (0.5, GrowPolicy::Depthwise, 0.7)]
        {
            let parameters = BoostingParameters { reg_alpha, grow_policy, subsample, ..free.clone() };
            assert!(goes_against(fit(&table, &parameters, objective).2.ensemble()) > 1e-3);
            let parameters = BoostingParameters { monotonic_cst: directions.clone(), ..parameters };
            // A sum of trees may go the other way by its rounding.
            let worst = goes_against(fit(&table, &parameters, objective).2.ensemble());
            assert!(worst < 1e-12, "{objective:?}, {grow_policy:?}: {worst}");
        }
    }
}

#[test]
fn free_columns_change_nothing() {
    let table = Table::synthetic(2_000, 4, 5);
    let usual = BoostingParameters { max_iter: 5, ..BoostingParameters::default() };
    let free = BoostingParameters { monotonic_cst: vec![Monotonic::Free; 4], ..usual.clone() };
    let fits = [usual, free].map(|parameters| fit(&table, &parameters, Objective::BinaryLogLoss).2);
    assert_eq!(fits[0], fits[1]);
}

#[test]
fn directions_that_cannot_be_kept_are_refused() {
    let table = Table::synthetic(60, 3, 9);
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    let run = |columns: usize, objective| {
        let monotonic_cst = vec![Monotonic::Increase; columns];
        let parameters = BoostingParameters { max_iter: 1, monotonic_cst, ..BoostingParameters::default() };
        boost(&binned, &binning, &table.targets, None, &parameters, objective, None, &|_| true)
    };
    assert!(matches!(run(2, Objective::SquaredError), Err(Error::Columns { expected: 3, got: 2, .. })));
    for objective in
        [Objective::AbsoluteError, Objective::Quantile { quantile: 0.5 }, Objective::MulticlassLogLoss { classes: 2 }]
    {
        let refused = run(3, objective).expect_err("an error");
        assert!(matches!(refused, Error::Monotonic { .. }));
        assert!(refused.to_string().starts_with("gradient boosting cannot keep `monotonic_cst` with "));
    }
    let wild = BoostingParameters { reg_alpha: -1.0, ..BoostingParameters::default() };
    let objective = Objective::SquaredError;
    let refused = boost(&binned, &binning, &table.targets, None, &wild, objective, None, &|_| true);
    assert!(matches!(refused, Err(Error::Parameter { name: "reg_alpha", .. })));
}

#[test]
fn categories_have_no_direction() {
    let (table, categorical) = crate::categories::synthetic(60, 9);
    let binning = Binning::fit_mixed(&table.matrix(), 255, |column| categorical.contains(&column));
    let binned = binning.apply(&table.matrix());
    let run = |directed: usize| {
        let way = |column: usize| if column == directed { Monotonic::Increase } else { Monotonic::Free };
        let monotonic_cst = (0..table.columns.len()).map(way).collect();
        let parameters = BoostingParameters { max_iter: 1, monotonic_cst, ..BoostingParameters::default() };
        let objective = Objective::SquaredError;
        boost(&binned, &binning, &table.targets, None, &parameters, objective, None, &|_| true)
    };
    let said = "gradient boosting cannot keep `monotonic_cst` on a column of categories, which have no order";
    assert_eq!(run(categorical[0]).expect_err("an error").to_string(), said);
    assert!(run(0).is_ok());
}

fn depths(tree: &Tree) -> Vec<usize> {
    let mut depths = vec![0; tree.nodes().len()];
    for (index, node) in tree.nodes().iter().enumerate().filter(|(_, node)| !node.is_leaf()) {
        depths[node.left as usize] = depths[index] + 1;
        depths[node.right as usize] = depths[index] + 1;
    }
    depths
}

#[test]
fn trees_that_only_depth_limits_are_those_of_scikit_learn() {
    let Some(table) = houses() else { return };
    let parameters = BoostingParameters {
        max_iter: 10,
        max_depth: Some(5),
        max_leaf_nodes: 32,
        grow_policy: GrowPolicy::Depthwise,
        ..BoostingParameters::default()
    };
    let request = json!({"max_iter": 10, "max_depth": 5, "max_leaf_nodes": null});
    let Some(theirs) = scikit_learn("regressor", &table, None, &table, &request) else { return };
    let difference = largest_difference(&margins(&table, &parameters, Objective::SquaredError), &theirs);
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn levels_are_filled_before_the_next() {
    let Some(table) = houses() else { return };
    let parameters = BoostingParameters {
        max_iter: 5,
        max_leaf_nodes: 11,
        min_samples_leaf: 1,
        grow_policy: GrowPolicy::Depthwise,
        ..BoostingParameters::default()
    };
    for tree in fit(&table, &parameters, Objective::SquaredError).2.ensemble().trees() {
        let depths = depths(tree);
        // Eight leaves on the third level, of which the first three are split.
        assert_eq!(tree.nodes().len(), 21);
        assert_eq!([1, 2, 3, 4].map(|depth| depths.iter().filter(|of| **of == depth).count()), [2, 4, 8, 6]);
        let split: Vec<bool> =
            (0..21).filter(|node| depths[*node] == 3).map(|node| !tree.nodes()[node].is_leaf()).collect();
        assert_eq!(split, [true, true, true, false, false, false, false, false]);
    }
}
