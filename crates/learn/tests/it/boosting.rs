//! What a boosted fit promises.

use trainyard_learn::{
    BinnedMatrix, Binning, BoostingFit, BoostingParameters, Error, Matrix, Objective, Score, Validation, boost,
    metrics, sigmoid,
};

use crate::data::Table;

pub(crate) fn fit(
    table: &Table,
    parameters: &BoostingParameters,
    objective: Objective,
) -> (Binning, BinnedMatrix, BoostingFit) {
    let binning = Binning::fit(&table.matrix(), parameters.max_bins);
    let binned = binning.apply(&table.matrix());
    let fit = boost(&binned, &binning, &table.targets, None, parameters, objective, None, &|_| true);
    (binning, binned, fit.expect("a fit"))
}

fn few_trees() -> BoostingParameters {
    BoostingParameters { max_iter: 20, ..BoostingParameters::default() }
}

#[test]
fn bins_and_doubles_go_the_same_way_at_every_split() {
    let mut table = Table::synthetic(3_000, 7, 1);
    table.columns[3][5] = f64::INFINITY;
    table.columns[3][6] = f64::NEG_INFINITY;
    let (binning, binned, fit) = fit(&table, &few_trees(), Objective::BinaryLogLoss);
    let mut splits = 0;
    for node in fit.ensemble().trees().iter().flat_map(|tree| tree.nodes()).filter(|node| !node.is_leaf()) {
        let column = node.feature as usize;
        let edges = binning.edges(column);
        // Infinite: every value goes left, and only missing cells go right.
        let highest = edges.iter().position(|edge| *edge == node.threshold).unwrap_or(edges.len());
        assert!(highest < edges.len() || node.threshold == f64::INFINITY);
        for row in 0..table.rows() {
            let value = table.columns[column][row];
            if !value.is_nan() {
                assert_eq!(value <= node.threshold, usize::from(binned.bin(row, column)) <= highest);
            }
        }
        splits += 1;
    }
    assert!(splits > 100, "{splits}");
}

#[test]
fn reported_losses_are_those_of_the_predictions() {
    let table = Table::synthetic(2_000, 6, 2);
    let (_, _, fit) = fit(&table, &few_trees(), Objective::BinaryLogLoss);
    let probabilities: Vec<f64> =
        fit.ensemble().predict_margin(&table.matrix()).iter().map(|&margin| sigmoid(margin)).collect();
    let loss = metrics::log_loss(&table.targets, &probabilities).expect("a loss");
    let last = *fit.train_loss.last().expect("a loss an iteration");
    assert_eq!(fit.train_loss.len(), 20);
    assert!((loss - last).abs() < 1e-12, "{loss} {last}");
    assert!(fit.train_loss.windows(2).all(|pair| pair[1] < pair[0]));
}

#[test]
fn one_row_is_predicted_as_in_a_table() {
    let table = Table::synthetic(1_003, 6, 3);
    let (_, _, fit) = fit(&table, &few_trees(), Objective::BinaryLogLoss);
    for (row, margin) in fit.ensemble().predict_margin(&table.matrix()).iter().enumerate() {
        assert_eq!(margin.to_bits(), fit.ensemble().predict_margin_row(&table.row(row)).to_bits());
    }
}

#[test]
fn leaves_of_one_row_fit_everything() {
    let rows = 64;
    let column: Vec<f64> = (0..rows).map(|row| f64::from(row * 37 % rows)).collect();
    let targets: Vec<f64> = column.iter().map(|value| value * value).collect();
    let table = Table { columns: vec![column], targets };
    let parameters = BoostingParameters {
        learning_rate: 1.0,
        max_iter: 1,
        max_leaf_nodes: 64,
        min_samples_leaf: 1,
        min_hessian: 0.0,
        ..BoostingParameters::default()
    };
    let (_, _, fit) = fit(&table, &parameters, Objective::SquaredError);
    for (got, wanted) in fit.ensemble().predict_margin(&table.matrix()).iter().zip(&table.targets) {
        assert!((got - wanted).abs() < 1e-5, "{got} {wanted}");
    }
    assert_eq!(fit.ensemble().trees()[0].nodes().iter().filter(|node| node.is_leaf()).count(), 64);
}

#[test]
fn limits_of_a_tree_are_kept() {
    let table = Table::synthetic(2_000, 6, 4);
    let parameters = BoostingParameters { max_leaf_nodes: 9, max_depth: Some(4), min_samples_leaf: 50, ..few_trees() };
    let (_, _, fit) = fit(&table, &parameters, Objective::BinaryLogLoss);
    for tree in fit.ensemble().trees() {
        let leaves: Vec<_> = tree.nodes().iter().filter(|node| node.is_leaf()).collect();
        assert!((2..=9).contains(&leaves.len()));
        assert!(leaves.iter().all(|leaf| leaf.rows >= 50));
        assert_eq!(leaves.iter().map(|leaf| leaf.rows).sum::<u64>(), 2_000);
        let mut depths = vec![0; tree.nodes().len()];
        for (index, node) in tree.nodes().iter().enumerate().filter(|(_, node)| !node.is_leaf()) {
            depths[node.left as usize] = depths[index] + 1;
            depths[node.right as usize] = depths[index] + 1;
        }
        assert!(depths.iter().all(|depth| *depth <= 4));
    }
}

#[test]
fn a_constant_target_or_column_gives_the_mean() {
    let constant = Table { columns: vec![vec![1.0; 100]], targets: (0..100).map(f64::from).collect() };
    let (_, _, flat) = fit(&constant, &few_trees(), Objective::SquaredError);
    assert!(flat.ensemble().predict_margin(&constant.matrix()).iter().all(|value| *value == 49.5));
    let still = Table { columns: vec![(0..100).map(f64::from).collect()], targets: vec![2.5; 100] };
    let (_, _, same) = fit(&still, &few_trees(), Objective::SquaredError);
    assert!(same.ensemble().predict_margin(&still.matrix()).iter().all(|value| *value == 2.5));
    let no_columns = Table { columns: Vec::new(), targets: vec![0.0, 1.0, 1.0, 1.0] };
    let (_, _, base) = fit(&no_columns, &few_trees(), Objective::BinaryLogLoss);
    assert_eq!(base.ensemble().predict_margin_row(&[]), libm::log(3.0));
}

#[test]
fn the_side_of_missing_cells_is_learned() {
    // Missing means positive; present cells say nothing.
    let rows = 400;
    let column: Vec<f64> = (0..rows).map(|row| if row % 4 == 0 { f64::NAN } else { f64::from(row % 7) }).collect();
    let targets: Vec<f64> = column.iter().map(|value| f64::from(u8::from(value.is_nan()))).collect();
    let table = Table { columns: vec![column], targets };
    let (_, _, fit) = fit(&table, &few_trees(), Objective::BinaryLogLoss);
    assert!(fit.ensemble().predict_margin_row(&[f64::NAN]) > 0.0);
    assert!(fit.ensemble().predict_margin_row(&[3.0]) < 0.0);
    // A column that never was missing sends missing cells with most rows.
    let skewed = Table {
        columns: vec![(0..200).map(|row| f64::from(u8::from(row < 60))).collect()],
        targets: (0..200).map(|row| f64::from(u8::from(row < 60))).collect(),
    };
    let (_, _, fit) = self::fit(&skewed, &few_trees(), Objective::SquaredError);
    assert_eq!(fit.ensemble().predict_margin_row(&[f64::NAN]), fit.ensemble().predict_margin_row(&[0.0]));
}

#[test]
fn weights_count_as_copies() {
    let table = Table::synthetic(900, 5, 6);
    let weights: Vec<f64> = (0..900).map(|row| f64::from(row % 3)).collect();
    let copies: Vec<usize> = (0..900).flat_map(|row| std::iter::repeat_n(row, row % 3)).collect();
    let take = |values: &Vec<f64>| copies.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let copied = Table { columns: table.columns.iter().map(take).collect(), targets: take(&table.targets) };
    let parameters = BoostingParameters { min_samples_leaf: 1, min_hessian: 5.0, max_iter: 10, ..few_trees() };
    let binning = Binning::fit(&table.matrix(), 255);
    let run = |table: &Table, weights: Option<&[f64]>| {
        let binned = binning.apply(&table.matrix());
        boost(&binned, &binning, &table.targets, weights, &parameters, Objective::BinaryLogLoss, None, &|_| true)
            .expect("a fit")
    };
    let (weighted, copied) = (run(&table, Some(&weights)), run(&copied, None));
    for (a, b) in weighted.train_loss.iter().zip(&copied.train_loss) {
        // Rows of weight 0 take part in the choice of the integers' scale, so the last bits may differ.
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn a_class_that_weighs_next_to_nothing_still_counts() {
    let table = Table::synthetic(300, 3, 11);
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    for light in [0.0, 1.0] {
        let weights: Vec<f64> = table.targets.iter().map(|target| if *target == light { 1e-20 } else { 1.0 }).collect();
        let (weights, objective) = (Some(weights.as_slice()), Objective::BinaryLogLoss);
        let fit = boost(&binned, &binning, &table.targets, weights, &few_trees(), objective, None, &|_| true);
        assert!(fit.unwrap().train_loss.iter().all(|loss| loss.is_finite()), "class {light}");
    }
}

#[test]
fn early_stopping_keeps_the_best_trees() {
    let table = Table::synthetic(600, 5, 7);
    let noisy = Table { targets: (0..600).map(|row| f64::from(u8::from(row * 7919 % 13 < 5))).collect(), ..table };
    let (train, held_out) = (noisy.filter(|row| row % 3 > 0), noisy.filter(|row| row % 3 == 0));
    let binning = Binning::fit(&train.matrix(), 255);
    let (binned, binned_held_out) = (binning.apply(&train.matrix()), binning.apply(&held_out.matrix()));
    let parameters = BoostingParameters { early_stopping: true, n_iter_no_change: 5, ..BoostingParameters::default() };
    let validation = Some(Validation {
        matrix: &binned_held_out,
        targets: &held_out.targets,
        weights: None,
        score: None,
        losses: true,
    });
    let objective = Objective::BinaryLogLoss;
    let fit =
        boost(&binned, &binning, &train.targets, None, &parameters, objective, validation, &|_| true).expect("a fit");
    assert_eq!(fit.ensemble().trees().len(), fit.best_iteration);
    assert!(fit.validation_loss.len() < 100);
    let lowest = fit.validation_loss.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(fit.validation_loss[fit.best_iteration - 1], lowest);
    let probabilities: Vec<f64> =
        fit.ensemble().predict_margin(&held_out.matrix()).iter().map(|&margin| sigmoid(margin)).collect();
    let loss = metrics::log_loss(&held_out.targets, &probabilities).expect("a loss");
    assert!((loss - lowest).abs() < 1e-12, "{loss} {lowest}");
}

#[test]
fn a_score_says_when_to_stop_in_place_of_the_loss() {
    let table = Table::synthetic(900, 6, 3);
    let (train, held_out) = (table.filter(|row| row % 3 > 0), table.filter(|row| row % 3 == 0));
    let binning = Binning::fit(&train.matrix(), 255);
    let (binned, binned_held_out) = (binning.apply(&train.matrix()), binning.apply(&held_out.matrix()));
    let told = |losses: bool, score: Option<&Score<'_>>, parameters: &BoostingParameters| {
        let validation =
            Validation { matrix: &binned_held_out, targets: &held_out.targets, weights: None, score, losses };
        let objective = Objective::BinaryLogLoss;
        boost(&binned, &binning, &train.targets, None, parameters, objective, Some(validation), &|_| true)
    };
    let fit = |score: Option<&Score<'_>>, parameters: &BoostingParameters| told(true, score, parameters);
    let stopping = BoostingParameters {
        early_stopping: true,
        n_iter_no_change: 8,
        max_iter: 300,
        subsample: 0.7,
        ..BoostingParameters::default()
    };
    let heard = std::sync::Mutex::new(Vec::new());
    let roc_auc = |margins: &[Vec<f64>]| {
        let value = metrics::roc_auc(&held_out.targets, &margins[0]).expect("a value");
        heard.lock().expect("no panic").push(value);
        value
    };
    let scored = fit(Some(&roc_auc), &stopping).expect("a fit");
    let heard = heard.into_inner().expect("no panic");
    assert_eq!(heard.len(), scored.validation_loss.len());
    assert!(heard.len() < 300);
    let greatest = heard.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(heard.iter().position(|value| *value == greatest), Some(scored.best_iteration - 1));
    assert_eq!(scored.ensemble().trees().len(), scored.best_iteration);
    assert_ne!(scored.best_iteration, fit(None, &stopping).expect("a fit").best_iteration);
    // Where nobody asks for the losses, nothing else changes; where they say when to stop, they are asked for.
    let mut silent = told(false, Some(&roc_auc_of(&held_out)), &stopping).expect("a fit");
    assert!(silent.validation_loss.is_empty());
    silent.validation_loss.clone_from(&scored.validation_loss);
    assert_eq!(silent, scored);
    assert_eq!(told(false, None, &stopping).expect("a fit"), fit(None, &stopping).expect("a fit"));
    // What it says of the held rows is what its trees say of them.
    for fitted in [scored, fit(Some(&roc_auc_of(&held_out)), &few_trees()).expect("a fit")] {
        assert_eq!(fitted.validation_margins, [fitted.ensemble().predict_margin(&held_out.matrix())]);
    }
    let error = fit(Some(&|_: &[Vec<f64>]| f64::NAN), &stopping).expect_err("nothing to go by");
    assert!(matches!(error, Error::NoScore { .. }), "{error}");
}

fn roc_auc_of(table: &Table) -> impl Fn(&[Vec<f64>]) -> f64 + Sync {
    |margins| metrics::roc_auc(&table.targets, &margins[0]).expect("a value")
}

#[test]
fn samples_of_rows_and_columns_follow_the_seed() {
    let table = Table::synthetic(2_000, 8, 8);
    let sampled = |seed| {
        let parameters = BoostingParameters { subsample: 0.5, colsample_bytree: 0.5, seed, ..few_trees() };
        fit(&table, &parameters, Objective::BinaryLogLoss).2
    };
    let first = sampled(1);
    assert_eq!(first, sampled(1));
    assert_ne!(first, sampled(2));
    for tree in first.ensemble().trees() {
        let mut columns: Vec<u32> =
            tree.nodes().iter().filter(|node| !node.is_leaf()).map(|node| node.feature).collect();
        columns.sort_unstable();
        columns.dedup();
        assert!(columns.len() <= 4, "{columns:?}");
        assert!((800..1_200).contains(&tree.nodes()[0].rows));
    }
    let importance = first.ensemble().importance_gain();
    assert!(importance[0] > importance[4] && importance[1] > importance[4], "{importance:?}");
}

#[test]
fn bad_input_is_a_typed_error() {
    let table = Table::synthetic(50, 3, 9);
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    let run = |targets: &[f64], weights: Option<&[f64]>, parameters: &BoostingParameters| {
        boost(&binned, &binning, targets, weights, parameters, Objective::BinaryLogLoss, None, &|at| at.done < 3)
            .expect_err("an error")
    };
    let usual = BoostingParameters::default();
    assert!(matches!(run(&[1.0; 50], None, &usual), Error::OneClass { class: 1.0, .. }));
    assert!(matches!(run(&[0.5; 50], None, &usual), Error::Target { row: 0, .. }));
    assert!(matches!(run(&[1.0; 49], None, &usual), Error::Length { expected: 50, got: 49, .. }));
    assert!(matches!(run(&table.targets, Some(&[-1.0; 50]), &usual), Error::Weight { row: 0, .. }));
    assert!(matches!(run(&table.targets, Some(&[0.0; 50]), &usual), Error::Weights { total: 0.0, .. }));
    let wild = BoostingParameters { subsample: 1.5, ..usual.clone() };
    assert!(matches!(run(&table.targets, None, &wild), Error::Parameter { name: "subsample", .. }));
    for max_bins in [0, 1, 256] {
        let wild = BoostingParameters { max_bins, ..usual.clone() };
        assert!(matches!(run(&table.targets, None, &wild), Error::Parameter { name: "max_bins", .. }));
    }
    // Without validation rows nothing could say when to stop.
    let endless = BoostingParameters { early_stopping: true, ..usual.clone() };
    let refused = run(&table.targets, None, &endless);
    assert!(matches!(refused, Error::Parameter { name: "early_stopping", .. }));
    assert_eq!(refused.to_string(), "`early_stopping` is 1, but must be 0 (false) without validation rows");
    assert!(matches!(run(&table.targets, None, &usual), Error::Stopped { iterations: 3 }));
    let wild = BoostingParameters { learning_rate: 1e300, ..usual.clone() };
    let numbers: Vec<f64> = table.targets.iter().map(|target| target * 1e100).collect();
    let diverged = boost(&binned, &binning, &numbers, None, &wild, Objective::SquaredError, None, &|_| true);
    assert!(matches!(diverged, Err(Error::Parameter { name: "learning_rate", .. })));
    let nothing = Matrix::new(vec![&[], &[], &[]], 0);
    let empty = boost(&binning.apply(&nothing), &binning, &[], None, &usual, Objective::SquaredError, None, &|_| true);
    assert!(matches!(empty, Err(Error::Empty { .. })));
    let message = Error::OneClass { operation: "gradient boosting", class: 1.0 }.diagnostic();
    assert_eq!(message.code, "learn/one-class");
    assert!(!message.help.is_empty());
}
