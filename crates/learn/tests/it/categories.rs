//! Splits by sets of categories: the best there are, LightGBM's, and what a fit with them promises.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{
    Binning, BoostingFit, BoostingParameters, CategoryParameters, GrowPolicy, Objective, TreeEnsemble, TreeExplainer,
    Validation, boost, metrics, permutation_importance, sigmoid, stratified_folds,
};
use trainyard_random::{Key, Stream};

use crate::data::{LIGHTGBM_NODES, Table, json, json_columns};
use crate::objectives::largest_difference;

/// Makes a table of two uniform columns and three of categories: few, some of them missing, and very many; targets are
/// 0 or 1. Gives the columns of categories, too.
pub(crate) fn synthetic(rows: usize, seed: u64) -> (Table, Vec<usize>) {
    let key = Key::new(seed, "learn/tests/categories");
    let mut columns = vec![Vec::new(); 5];
    let mut targets = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut draw = key.derive(row as u64).stream();
        let (x, y) = (draw.uniform(), draw.uniform());
        // The greater a code, the rarer.
        let mut code = |codes: f64| (draw.uniform() * draw.uniform() * codes).floor();
        let (few, some, many) = (code(4.0), code(12.0), code(255.0));
        let is_missing = draw.uniform() < 0.1;
        let effect = |code: f64| key.uniform(1 << 40 | code as u64) - 0.5;
        let score = x
            + 2.0 * effect(few)
            + 2.0 * effect(100.0 + some) * f64::from(u8::from(!is_missing))
            + effect(200.0 + many);
        targets.push(f64::from(u8::from(score + 0.5 * draw.uniform() > 0.75)));
        let some = if is_missing { f64::NAN } else { some };
        columns.iter_mut().zip([x, few, some, y, many]).for_each(|(column, cell)| column.push(cell));
    }
    (Table { columns, targets }, vec![1, 2, 4])
}

pub(crate) fn fit(
    table: &Table,
    categorical: &[usize],
    parameters: &BoostingParameters,
    objective: Objective,
) -> (Binning, BoostingFit) {
    let binning = Binning::fit_mixed(&table.matrix(), parameters.max_bins, |column| categorical.contains(&column));
    let binned = binning.apply(&table.matrix());
    let fit = boost(&binned, &binning, &table.targets, None, parameters, objective, None, &|_| true);
    (binning, fit.expect("a fit"))
}

/// One split, of whatever gains anything.
fn stump(categories: CategoryParameters) -> BoostingParameters {
    BoostingParameters {
        max_iter: 1,
        max_leaf_nodes: 2,
        min_samples_leaf: 1,
        min_hessian: 0.0,
        learning_rate: 1.0,
        categories,
        ..BoostingParameters::default()
    }
}

/// Draws a few rows of at most eight categories and missing values, with weights.
fn drawn(draw: &mut Stream) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (rows, codes) = (2 + draw.below(40), 1 + draw.below(8));
    let mut cells = Vec::new();
    let (mut targets, mut weights) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let code = draw.below(codes + 1);
        cells.push(if code == codes { f64::NAN } else { code as f64 });
        targets.push(draw.uniform() * 8.0 - 4.0);
        weights.push(0.25 + draw.uniform());
    }
    (cells, targets, weights)
}

/// Gives the greatest gain of a split of `cells`, of those groups of categories and missing values that `allowed`
/// takes.
fn best_gain(cells: &[f64], targets: &[f64], weights: &[f64], l2: f64, allowed: impl Fn(u32) -> bool) -> f64 {
    let total: f64 = weights.iter().sum();
    let mean = targets.iter().zip(weights).map(|(target, weight)| target * weight).sum::<f64>() / total;
    let group = |cell: f64| if cell.is_nan() { 8 } else { cell as u32 };
    let score = |is_in: &dyn Fn(u32) -> bool| {
        let rows = (0..cells.len()).filter(|row| is_in(group(cells[*row])));
        let sums = rows.fold((0.0, 0.0), |(gradient, hessian), row| {
            (gradient + (mean - targets[row]) * weights[row], hessian + weights[row])
        });
        if sums.1 > 0.0 { sums.0 * sums.0 / (sums.1 + l2) } else { f64::NAN }
    };
    let whole = score(&|_| true);
    let gain = |set: u32| score(&|group| set >> group & 1 == 1) + score(&|group| set >> group & 1 == 0) - whole;
    (0..1 << 9).filter(|set| allowed(*set)).map(gain).filter(|gain| !gain.is_nan()).fold(0.0, f64::max)
}

#[test]
fn no_two_sets_gain_more_than_those_that_are_found() {
    let mut draw = Key::new(1, "learn/tests/categories/sets").stream();
    let ordered = CategoryParameters {
        cat_smooth: 0.0,
        cat_l2: 0.0,
        max_cat_threshold: 255,
        min_data_per_group: 1,
        max_cat_to_onehot: 1,
    };
    let alone = CategoryParameters { max_cat_to_onehot: 255, ..ordered };
    let mut splits = 0;
    for _ in 0..400 {
        let (cells, targets, weights) = drawn(&mut draw);
        let table = Table { columns: vec![cells], targets };
        // The order of ratios is the best there is where nothing but them decides (Fisher, 1958).
        for (categories, l2) in [(ordered, 0.0), (alone, 1.5)] {
            let parameters = BoostingParameters { l2_regularization: l2, ..stump(categories) };
            let binning = Binning::fit_mixed(&table.matrix(), 2, |_| true);
            let (binned, objective) = (binning.apply(&table.matrix()), Objective::SquaredError);
            let fit = boost(&binned, &binning, &table.targets, Some(&weights), &parameters, objective, None, &|_| true)
                .expect("a fit");
            let tree = &fit.ensemble().trees()[0];
            let root = &tree.nodes()[0];
            let all = |set: u32| l2 == 0.0 || set.count_ones() == 1;
            let best = best_gain(&table.columns[0], &table.targets, &weights, l2, all);
            assert!((root.gain - best).abs() < 1e-6 * best.max(1.0), "{} {best}", root.gain);
            if root.is_leaf() {
                continue;
            }
            splits += 1;
            let lefts = table.columns[0].iter().filter(|cell| tree.goes_left(root, **cell)).count();
            assert_eq!(lefts as u64, tree.nodes()[root.left as usize].rows);
            assert_eq!(root.rows - lefts as u64, tree.nodes()[root.right as usize].rows);
        }
    }
    assert!(splits > 700, "{splits}");
}

#[test]
fn missing_values_alone_are_a_group() {
    // Only missing cells are positive: all categories go left, and one that was not seen goes with the missing.
    let cells: Vec<f64> = (0..400).map(|row| if row % 4 == 0 { f64::NAN } else { f64::from(row % 3 * 2) }).collect();
    let targets: Vec<f64> = cells.iter().map(|cell| f64::from(u8::from(cell.is_nan()))).collect();
    let table = Table { columns: vec![cells], targets };
    for max_cat_to_onehot in [1, 255] {
        let categories = CategoryParameters { max_cat_to_onehot, ..CategoryParameters::default() };
        let (_, fit) = fit(&table, &[0], &stump(categories), Objective::BinaryLogLoss);
        let tree = &fit.ensemble().trees()[0];
        let root = &tree.nodes()[0];
        let codes: Vec<u8> = tree.set(root).expect("a set").codes().collect();
        assert_eq!((codes, root.missing_left), (vec![0, 2, 4], false));
        let margin = |cell: f64| fit.ensemble().predict_margin_row(&[cell]);
        assert!(margin(f64::NAN) > margin(0.0) && margin(2.0) == margin(0.0));
        assert!([1.0, 3.0, 5.0, 0.5, -1.0, 300.0].iter().all(|cell| margin(*cell) == margin(f64::NAN)));
    }
    // Where nothing is missing, what was not seen goes with most rows.
    let cells: Vec<f64> = (0..400).map(|row| if row % 4 == 0 { 3.0 } else { f64::from(row % 2) }).collect();
    let targets: Vec<f64> = cells.iter().map(|cell| f64::from(u8::from(*cell == 3.0))).collect();
    let table = Table { columns: vec![cells], targets };
    let (_, fit) = self::fit(&table, &[0], &stump(CategoryParameters::default()), Objective::BinaryLogLoss);
    let margin = |cell: f64| fit.ensemble().predict_margin_row(&[cell]);
    assert!(margin(3.0) > margin(1.0) && margin(2.0) == margin(1.0) && margin(f64::NAN) == margin(1.0));
}

#[test]
fn what_cannot_be_split_is_not() {
    let same = |cells: Vec<f64>| {
        let targets = (0..cells.len()).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        let table = Table { columns: vec![cells], targets };
        let (_, fit) = fit(&table, &[0], &stump(CategoryParameters::default()), Objective::BinaryLogLoss);
        fit.ensemble().trees()[0].nodes().len()
    };
    assert_eq!([same(vec![f64::NAN; 60]), same(vec![254.0; 60]), same(vec![-3.0; 60])], [1; 3]);
    // Five groups of twelve rows: no two of them differ by the hundred rows of `min_data_per_group`.
    assert_eq!(same((0..60).map(|row| f64::from(row % 5)).collect()), 1);
}

const LIGHTGBM: &str = r#"
import numpy as np, lightgbm as lgb
X = np.array(data["columns"], dtype=float).T
y = np.array(data["targets"])
params = dict(data["parameters"], objective="regression", learning_rate=0.1, verbose=-1, num_threads=1,
              deterministic=True, min_data_in_bin=1, feature_pre_filter=False, boost_from_average=True)
model = lgb.train(params, lgb.Dataset(X, y, params=params, categorical_feature=data["categorical"]), data["trees"])
trees = [t["tree_structure"] for t in model.dump_model()["tree_info"]]
def kinds(node):
    if "left_child" not in node:
        return []
    return [node["decision_type"]] + kinds(node["left_child"]) + kinds(node["right_child"])
sets = sum(kinds(tree).count("==") for tree in trees)
answer = dict(margins=[float(v) for v in model.predict(X, raw_score=True)], sets=sets)
"#;

/// Incomes with all their columns; what is missing is a category.
fn incomes() -> Option<(Table, Vec<usize>)> {
    let path = trainyard_judges::shared("data/adult/adult.csv")?;
    let (mut table, categorical) = Table::read_mixed(&path, "income", ">50K");
    for column in &categorical {
        let column = &mut table.columns[*column];
        let missing = column.iter().copied().fold(0.0, f64::max) + 1.0;
        column.iter_mut().filter(|cell| cell.is_nan()).for_each(|cell| *cell = missing);
    }
    Some((table, categorical))
}

#[test]
fn splits_are_those_of_lightgbm() {
    let Some((table, categorical)) = incomes() else { return };
    // Few values a column, so that both cut the numbers alike.
    let mut table = table.filter(|row| row % 3 == 0);
    for column in (0..table.columns.len()).filter(|column| !categorical.contains(column)) {
        let (least, most) = table.columns[column].iter().fold((f64::MAX, 0.0f64), |(a, b), x| (a.min(*x), b.max(*x)));
        table.columns[column].iter_mut().for_each(|cell| *cell = ((*cell - least) / (most - least) * 60.0).round());
    }
    let usual = json!({"cat_smooth": 10.0, "cat_l2": 10.0, "max_cat_threshold": 32, "min_data_per_group": 100});
    let other = json!({"cat_smooth": 30.0, "cat_l2": 1.0, "max_cat_threshold": 3, "min_data_per_group": 20});
    // LightGBM counts the categories of a column, not those of a node, to tell whether they are few.
    // Where it finds no split on a column, it looks at that column in no node below; penalties make that happen in
    // deeper trees.
    let cases = [(2, 1, &usual), (15, 1, &usual), (2, 1, &other), (8, 1, &other), (2, 255, &usual), (15, 255, &usual)];
    for (leaves, most_alone, lightgbm) in cases {
        let mut parameters = lightgbm.clone();
        parameters["num_leaves"] = json!(leaves);
        parameters["max_cat_to_onehot"] = json!(most_alone);
        let request = json!({
            "columns": json_columns(&table.columns), "targets": json(&table.targets), "trees": 20,
            "categorical": categorical, "parameters": parameters,
        });
        let Some(judge) = trainyard_judges::python("core") else { return };
        let theirs = judge.run(LIGHTGBM, &request);
        let margins: Vec<f64> = theirs["margins"].as_array().expect("a list").iter().map(number).collect();
        let given = |name: &str| number(&parameters[name]);
        let categories = CategoryParameters {
            cat_smooth: given("cat_smooth"),
            cat_l2: given("cat_l2"),
            max_cat_threshold: given("max_cat_threshold") as usize,
            min_data_per_group: given("min_data_per_group") as usize,
            max_cat_to_onehot: most_alone,
        };
        let ours =
            BoostingParameters { max_iter: 20, max_leaf_nodes: leaves, categories, ..BoostingParameters::default() };
        let (_, fit) = fit(&table, &categorical, &ours, Objective::SquaredError);
        let nodes = fit.ensemble().trees().iter().flat_map(|tree| tree.nodes());
        let sets = nodes.filter(|node| node.set.is_some()).count();
        let difference = largest_difference(&fit.ensemble().predict_margin(&table.matrix()), &margins);
        assert!(difference < 1e-6, "{leaves} leaves, {lightgbm}: {difference}, {sets} sets");
        assert_eq!((json!(sets), sets > 5), (theirs["sets"].clone(), true));
    }
}

const FOLDS: &str = r#"
import numpy as np, lightgbm as lgb
from sklearn.metrics import roc_auc_score
X, y, folds = np.array(data["columns"], dtype=float).T, np.array(data["targets"]), np.array(data["folds"])
answer = []
for fold in range(5):
    train, test = folds != fold, folds == fold
    params = dict(objective="binary", verbose=-1, num_threads=1, deterministic=True)
    model = lgb.train(params, lgb.Dataset(X[train], y[train], categorical_feature=data["categorical"]), 100)
    answer.append(roc_auc_score(y[test], model.predict(X[test])))
"#;

#[test]
fn auc_is_as_good_as_that_of_lightgbm() {
    let Some((table, categorical)) = incomes() else { return };
    let Some(judge) = trainyard_judges::python("core") else { return };
    let strata: Vec<u32> = table.targets.iter().map(|target| *target as u32).collect();
    let groups: Vec<u64> = (0..table.rows() as u64).collect();
    let folds = stratified_folds(&strata, &groups, 5, 42);
    let request = json!({
        "columns": json_columns(&table.columns), "targets": json(&table.targets), "folds": folds,
        "categorical": categorical,
    });
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let theirs: Vec<f64> = judge.run(FOLDS, &request).as_array().expect("a list").iter().map(number).collect();
    let of = |categorical: &[usize]| -> Vec<f64> {
        let fold = |fold| {
            let (train, test) = (table.filter(|row| folds[row] != fold), table.filter(|row| folds[row] == fold));
            let (_, fit) = fit(&train, categorical, &BoostingParameters::default(), Objective::BinaryLogLoss);
            metrics::roc_auc(&test.targets, &fit.ensemble().predict_margin(&test.matrix())).expect("a metric")
        };
        (0..5).map(fold).collect()
    };
    let (ours, ordinal, theirs) = (mean(&of(&categorical)), mean(&of(&[])), mean(&theirs));
    println!("adult: sets {ours:.5}, LightGBM {theirs:.5}; the codes as numbers {ordinal:.5}");
    assert!(ours >= theirs - 0.001, "ours {ours}, LightGBM {theirs}");
}

#[test]
fn reported_losses_are_those_of_the_predictions() {
    let ((table, categorical), (held_out, _)) = (synthetic(3_000, 2), synthetic(1_000, 3));
    for (subsample, grow_policy) in [(1.0, GrowPolicy::Lossguide), (0.7, GrowPolicy::Depthwise)] {
        let parameters = BoostingParameters { max_iter: 20, subsample, grow_policy, ..BoostingParameters::default() };
        let binning = Binning::fit_mixed(&table.matrix(), 255, |column| categorical.contains(&column));
        let (binned, held) = (binning.apply(&table.matrix()), binning.apply(&held_out.matrix()));
        let validation =
            Some(Validation { matrix: &held, targets: &held_out.targets, weights: None, score: None, losses: true });
        let objective = Objective::BinaryLogLoss;
        let fit = boost(&binned, &binning, &table.targets, None, &parameters, objective, validation, &|_| true)
            .expect("a fit");
        let ensemble = fit.ensemble();
        let loss = |table: &Table| {
            let margins = ensemble.predict_margin(&table.matrix());
            let probabilities: Vec<f64> = margins.iter().map(|&margin| sigmoid(margin)).collect();
            for (row, margin) in margins.iter().enumerate() {
                assert_eq!(margin.to_bits(), ensemble.predict_margin_row(&table.row(row)).to_bits());
            }
            metrics::log_loss(&table.targets, &probabilities).expect("a loss")
        };
        assert!((loss(&table) - fit.train_loss[19]).abs() < 1e-12);
        // Held-out rows have codes that the training rows lack; to bins and to doubles they are missing.
        assert!((loss(&held_out) - fit.validation_loss[19]).abs() < 1e-12);
        assert_eq!(fit.validation_margins, [ensemble.predict_margin(&held_out.matrix())]);
        assert!(fit.train_loss[19] < 0.7 * fit.train_loss[0]);
        let nodes = ensemble.trees().iter().flat_map(|tree| tree.nodes());
        assert!(nodes.clone().filter(|node| node.set.is_some()).count() > 30);
        for node in nodes.filter(|node| !node.is_leaf()) {
            assert_eq!(node.set.is_some(), categorical.contains(&(node.feature as usize)));
        }
    }
}

#[test]
fn limits_of_a_tree_are_kept() {
    let (table, categorical) = synthetic(3_000, 4);
    let parameters = BoostingParameters {
        max_iter: 10,
        min_samples_leaf: 60,
        max_leaf_nodes: 9,
        colsample_bytree: 0.6,
        ..BoostingParameters::default()
    };
    let (_, fit) = fit(&table, &categorical, &parameters, Objective::SquaredError);
    // A file may tell any number of columns.
    TreeEnsemble::new(usize::MAX, 0.0, fit.ensemble().trees().to_vec()).expect("an ensemble");
    for tree in fit.ensemble().trees() {
        let leaves: Vec<_> = tree.nodes().iter().filter(|node| node.is_leaf()).collect();
        assert!((2..=9).contains(&leaves.len()) && leaves.iter().all(|leaf| leaf.rows >= 60));
        let columns: std::collections::BTreeSet<u32> =
            tree.nodes().iter().filter(|node| !node.is_leaf()).map(|node| node.feature).collect();
        assert!(columns.len() <= 3);
    }
}

#[test]
fn explanations_add_up_and_importance_finds_the_columns() {
    let (table, categorical) = synthetic(3_000, 5);
    let parameters = BoostingParameters { max_iter: 30, ..BoostingParameters::default() };
    let (_, fit) = fit(&table, &categorical, &parameters, Objective::BinaryLogLoss);
    let ensemble = fit.ensemble();
    let contributions = TreeExplainer::new(ensemble).expect("an explainer").contributions(&table.matrix());
    let contributions = contributions.expect("contributions");
    for (row, margin) in ensemble.predict_margin(&table.matrix()).iter().enumerate() {
        let sum: f64 = contributions.row(row).iter().sum();
        assert!((sum - margin).abs() < 1e-9, "row {row}: {sum} {margin}");
    }
    let score = |margins: &[f64]| metrics::roc_auc(&table.targets, margins);
    let model = |matrix: &trainyard_learn::Matrix<'_>| ensemble.predict_margin(matrix);
    let shuffled = permutation_importance(model, &table.matrix(), score, Key::new(1, "learn/tests"), 3).expect("falls");
    let (gain, size) = (ensemble.importance_gain(), contributions.mean_absolute());
    // The third number has nothing to do with the target.
    for column in [0, 1, 2] {
        assert!(gain[column] > gain[3] && size[column] > size[3] && shuffled[column].mean > 10.0 * shuffled[3].mean);
    }
}

const CONTRIBUTIONS: &str = r#"
import numpy as np, lightgbm as lgb
X, y = np.array(data["columns"], dtype=float).T, np.array(data["targets"])
params = dict(objective="regression", num_leaves=15, verbose=-1, num_threads=1, deterministic=True, min_data_in_bin=1)
model = lgb.train(params, lgb.Dataset(X, y, params=params, categorical_feature=data["categorical"]), 20)
trees = [nodes(tree["tree_structure"]) for tree in model.dump_model()["tree_info"]]
answer = dict(trees=trees, contributions=model.predict(X[:300], pred_contrib=True).tolist())
"#;

/// Writes a tree of LightGBM in the stored form.
fn stored(nodes: &Value) -> Value {
    let nodes = nodes.as_array().expect("a list");
    let list = |name: &str| -> Value { nodes.iter().map(|node| node.get(name).cloned().unwrap_or(json!(0))).collect() };
    let sets = nodes.iter().enumerate().filter_map(|(at, node)| Some(json!({"node": at, "left": node.get("set")?})));
    let sides: Value = nodes.iter().map(|node| json!(u8::from(node["missing_left"] == json!(true)))).collect();
    json!({
        "feature": list("feature"), "threshold": list("threshold"), "missing_left": sides, "left": list("left"),
        "right": list("right"), "value": list("value"), "gain": list("gain"), "rows": list("rows"),
        "sets": sets.collect::<Value>(),
    })
}

#[test]
fn contributions_are_those_of_lightgbm() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let (mut table, categorical) = synthetic(4_000, 6);
    table.columns[2].iter_mut().filter(|cell| cell.is_nan()).for_each(|cell| *cell = 12.0);
    let request = json!({
        "columns": json_columns(&table.columns), "targets": json(&table.targets), "categorical": categorical,
    });
    let answer = judge.run(&[LIGHTGBM_NODES, CONTRIBUTIONS].concat(), &request);
    let trees: Value = answer["trees"].as_array().expect("trees").iter().map(stored).collect();
    let ensemble: trainyard_learn::TreeEnsemble =
        serde_json::from_value(json!({"features": 5, "base": 0.0, "trees": trees})).expect("an ensemble");
    assert!(ensemble.trees().iter().flat_map(|tree| tree.nodes()).filter(|node| node.set.is_some()).count() > 40);
    let rows = table.filter(|row| row < 300);
    let ours =
        TreeExplainer::new(&ensemble).expect("an explainer").contributions(&rows.matrix()).expect("contributions");
    for (row, theirs) in answer["contributions"].as_array().expect("rows").iter().enumerate() {
        for (ours, theirs) in ours.row(row).iter().zip(theirs.as_array().expect("numbers")) {
            assert!((ours - number(theirs)).abs() < 1e-9, "row {row}: {ours} {theirs}");
        }
    }
}
