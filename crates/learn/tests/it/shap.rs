//! Explanations against their definition, LightGBM and scikit-learn.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{
    BoostingParameters, CategorySet, Contributions, Error, LinearExplainer, LinearModel, Matrix, Node, Objective, Tree,
    TreeEnsemble, TreeExplainer, metrics, permutation_importance, ridge,
};
use trainyard_random::{Key, Stream};

use crate::boosting::fit;
use crate::data::{LIGHTGBM_NODES, Table, json, json_columns, with_threads};

const LIGHTGBM: &str = r#"
import numpy as np, lightgbm as lgb
X, y = np.array(data["columns"]).T, np.array(data["targets"])
params = dict(objective="regression", num_leaves=data["leaves"], max_depth=data["depth"], learning_rate=0.2,
              min_child_samples=5, verbose=-1, num_threads=1, deterministic=True)
model = lgb.train(params, lgb.Dataset(X, y), 30)
trees = [nodes(tree["tree_structure"]) for tree in model.dump_model()["tree_info"]]
answer = dict(trees=trees, contributions=model.predict(np.array(data["rows"]).T, pred_contrib=True).tolist())
"#;

const PERMUTATION: &str = r#"
import numpy as np
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
X, y = np.array(data["columns"]).T, np.array(data["targets"])
model = LinearRegression().fit(X, y)
model.coef_, model.intercept_ = np.array(data["coefficients"]), data["intercept"]
found = permutation_importance(model, X, y, scoring="neg_root_mean_squared_error", n_repeats=20, random_state=1)
answer = dict(means=found.importances_mean, deviations=found.importances_std)
"#;

fn split(feature: u32, threshold: f64, rows: u64, left: u32, right: u32) -> Node {
    Node { threshold, feature, left, right, ..Node::leaf(0.0, rows) }
}

/// Says which columns of random trees hold categories.
fn is_categorical(feature: usize) -> bool {
    feature % 3 == 2
}

fn ensemble(features: usize, base: f64, trees: Vec<Vec<Node>>) -> TreeEnsemble {
    let trees = trees.into_iter().map(|nodes| Tree::new(nodes).expect("a tree")).collect();
    TreeEnsemble::new(features, base, trees).expect("an ensemble")
}

fn explained(ensemble: &TreeEnsemble, matrix: &Matrix<'_>) -> Contributions {
    TreeExplainer::new(ensemble).expect("an explainer").contributions(matrix).expect("contributions")
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn assert_close(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}, {place}: {ours} {theirs}");
    }
}

/// Grows a random tree below a node of `rows` rows, with thresholds on a coarse grid, and sets of few categories; gives
/// the place of the node.
fn random_nodes(
    draw: &mut Stream,
    nodes: &mut Vec<Node>,
    sets: &mut Vec<CategorySet>,
    features: u64,
    rows: u64,
    depth: usize,
) -> u32 {
    let at = nodes.len();
    if depth == 0 || rows < 2 || draw.uniform() < 0.15 {
        nodes.push(Node::leaf(draw.uniform() * 4.0 - 2.0, rows));
        return at as u32;
    }
    // Now and then no training row goes left.
    let left_rows = draw.below(rows);
    let threshold = draw.below(9) as f64 / 8.0;
    nodes.push(split(draw.below(features) as u32, threshold, rows, 0, 0));
    nodes[at].missing_left = draw.uniform() < 0.5;
    if is_categorical(nodes[at].feature as usize) {
        // Code 6 is in no set.
        sets.push((0..6).filter(|code| *code == threshold as u8 || draw.uniform() < 0.4).collect());
        nodes[at].threshold = 0.0;
        nodes[at].set = NonZeroU16::new(sets.len() as u16);
    }
    nodes[at].left = random_nodes(draw, nodes, sets, features, left_rows, depth - 1);
    nodes[at].right = random_nodes(draw, nodes, sets, features, rows - left_rows, depth - 1);
    at as u32
}

fn random_ensemble(seed: u64, features: usize, trees: usize, depth: usize) -> TreeEnsemble {
    let mut draw = Key::new(seed, "learn/tests/shap/trees").stream();
    let tree = |_| {
        let (mut nodes, mut sets) = (Vec::new(), Vec::new());
        random_nodes(&mut draw, &mut nodes, &mut sets, features as u64, 5_000, depth);
        Tree::with_sets(nodes, &sets).expect("a tree")
    };
    let trees = (0..trees).map(tree).collect();
    TreeEnsemble::new(features, 0.25, trees).expect("an ensemble")
}

/// Draws cells that meet thresholds, lie between and beyond them, and are missing or infinite; codes likewise, and what
/// is none.
fn random_cells(seed: u64, features: usize, rows: usize) -> Vec<Vec<f64>> {
    let mut draw = Key::new(seed, "learn/tests/shap/cells").stream();
    let mut cell = |feature: usize| match draw.below(20) {
        0..3 => f64::NAN,
        3 => f64::INFINITY,
        4 => f64::NEG_INFINITY,
        other if is_categorical(feature) => [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 254.0, 255.0, 1.5][other as usize % 10],
        other => other as f64 / 16.0 - 0.125,
    };
    (0..features).map(|feature| (0..rows).map(|_| cell(feature)).collect()).collect()
}

fn goes_left(tree: &Tree, node: &Node, value: f64) -> bool {
    match tree.set(node) {
        Some(_) if !(0..255).any(|code| f64::from(code) == value) => node.missing_left,
        Some(set) => set.codes().any(|code| f64::from(code) == value),
        None if value.is_nan() => node.missing_left,
        None => value <= node.threshold,
    }
}

/// Gives the expectation of a tree where the columns in the bits of `known` are known.
fn conditional(tree: &Tree, row: &[f64], known: u32, at: usize) -> f64 {
    let node = &tree.nodes()[at];
    let (left, right) = (node.left as usize, node.right as usize);
    if node.is_leaf() {
        node.value
    } else if known >> node.feature & 1 == 1 {
        let child = if goes_left(tree, node, row[node.feature as usize]) { left } else { right };
        conditional(tree, row, known, child)
    } else {
        let [left_rows, right_rows] = [left, right].map(|child| tree.nodes()[child].rows as f64);
        let sum = left_rows * conditional(tree, row, known, left) + right_rows * conditional(tree, row, known, right);
        sum / node.rows as f64
    }
}

/// Gives the Shapley values by their definition: over all sets of columns.
fn by_subsets(ensemble: &TreeEnsemble, row: &[f64]) -> Vec<f64> {
    let features = ensemble.features();
    let value = |known: u32| -> f64 {
        ensemble.base() + ensemble.trees().iter().map(|tree| conditional(tree, row, known, 0)).sum::<f64>()
    };
    let values: Vec<f64> = (0..1 << features).map(value).collect();
    let factorial = |n: usize| (1..=n).map(|factor| factor as f64).product::<f64>();
    let of = |column: usize| {
        let without = (0..1usize << features).filter(|known| known >> column & 1 == 0);
        let term = |known: usize| {
            let size = known.count_ones() as usize;
            let weight = factorial(size) * factorial(features - size - 1) / factorial(features);
            weight * (values[known | 1 << column] - values[known])
        };
        without.map(term).sum()
    };
    (0..features).map(of).chain([values[0]]).collect()
}

/// Gives the Shapley values leaf by leaf, from the sums over the sets of each size: for paths too long for subsets.
fn by_sizes(ensemble: &TreeEnsemble, row: &[f64]) -> Vec<f64> {
    let mut values = vec![0.0; ensemble.features() + 1];
    *values.last_mut().expect("the expected value") = ensemble.base();
    for tree in ensemble.trees() {
        let mut open = vec![(0usize, BTreeMap::new())];
        while let Some((at, path)) = open.pop() {
            let node = &tree.nodes()[at];
            if !node.is_leaf() {
                for (child, is_left) in [(node.left as usize, true), (node.right as usize, false)] {
                    let mut path = path.clone();
                    let element = path.entry(node.feature as usize).or_insert((1.0, 1.0));
                    element.0 *= f64::from(u8::from(goes_left(tree, node, row[node.feature as usize]) == is_left));
                    element.1 *= tree.nodes()[child].rows as f64 / node.rows as f64;
                    open.push((child, path));
                }
                continue;
            }
            *values.last_mut().expect("the expected value") += path.values().fold(node.value, |all, one| all * one.1);
            for (column, (agrees, share)) in &path {
                let mut of_size = vec![1.0];
                for (_, (agrees, share)) in path.iter().filter(|(other, _)| *other != column) {
                    of_size.push(0.0);
                    for size in (0..of_size.len()).rev() {
                        let smaller = if size > 0 { of_size[size - 1] } else { 0.0 };
                        of_size[size] = of_size[size] * share + smaller * agrees;
                    }
                }
                let mut choices = 1.0;
                for (size, sum) in of_size.iter().enumerate() {
                    let weight = 1.0 / (path.len() as f64 * choices);
                    values[*column] += node.value * (agrees - share) * weight * sum;
                    choices *= (path.len() - 1 - size) as f64 / (size + 1) as f64;
                }
            }
        }
    }
    values
}

#[test]
fn trees_have_their_shapley_values_by_definition() {
    for seed in 0..60 {
        let features = 1 + seed as usize % 5;
        let ensemble = random_ensemble(seed, features, 3, 6);
        let cells = random_cells(seed, features, 20);
        let contributions = explained(&ensemble, &Matrix::of(&cells, 20));
        for row in 0..20 {
            let cells: Vec<f64> = cells.iter().map(|column| column[row]).collect();
            assert_close("by subsets", contributions.row(row), &by_subsets(&ensemble, &cells), 1e-10);
            assert_close("by sizes", contributions.row(row), &by_sizes(&ensemble, &cells), 1e-10);
        }
    }
}

#[test]
fn paths_of_many_columns_have_their_shapley_values() {
    let ensemble = random_ensemble(7, 30, 4, 14);
    let cells = random_cells(7, 30, 300);
    let contributions = explained(&ensemble, &Matrix::of(&cells, 300));
    for row in (0..300).step_by(23) {
        let cells: Vec<f64> = cells.iter().map(|column| column[row]).collect();
        assert_close("a row", contributions.row(row), &by_sizes(&ensemble, &cells), 1e-10);
    }
}

#[test]
fn chains_of_a_hundred_splits_are_explained() {
    for features in [100, 70, 9, 3] {
        let chain = |at: u32| {
            let rows = 100_000 - 900 * u64::from(at / 2);
            if at == 200 {
                Node::leaf(3.0, rows)
            } else if at % 2 == 1 {
                Node::leaf(f64::from(at % 7) - 3.0, 900)
            } else {
                split(at / 2 % features as u32, f64::from(at) / 250.0, rows, at + 1, at + 2)
            }
        };
        let ensemble = ensemble(features, -1.0, vec![(0..=200).map(chain).collect()]);
        let mut cells = random_cells(3, features, 12);
        // These rows go all the way.
        cells.iter_mut().for_each(|column| column[..2].fill(2.0));
        let contributions = explained(&ensemble, &Matrix::of(&cells, 12));
        for row in 0..12 {
            let cells: Vec<f64> = cells.iter().map(|column| column[row]).collect();
            assert_close("a row", contributions.row(row), &by_sizes(&ensemble, &cells), 1e-10);
        }
    }
}

#[test]
fn a_root_that_is_a_leaf_is_expected() {
    let ensemble = ensemble(2, 0.5, vec![vec![Node::leaf(2.0, 0)], vec![Node::leaf(-0.25, 9)]]);
    let columns = vec![vec![1.0; 300], vec![f64::NAN; 300]];
    let contributions = explained(&ensemble, &Matrix::of(&columns, 300));
    assert_eq!((contributions.rows(), contributions.features()), (300, 2));
    assert!(contributions.values().chunks(3).all(|row| row == [0.0, 0.0, 2.25]));
    let nothing = explained(&ensemble, &Matrix::new(vec![&[], &[]], 0));
    assert_eq!((nothing.rows(), nothing.mean_absolute()), (0, vec![0.0, 0.0]));
}

fn assert_adds_up(ensemble: &TreeEnsemble, matrix: &Matrix<'_>) -> Contributions {
    let contributions = explained(ensemble, matrix);
    let sums: Vec<f64> = (0..matrix.rows()).map(|row| contributions.row(row).iter().sum()).collect();
    assert_close("the sum of a row", &sums, &ensemble.predict_margin(matrix), 1e-9);
    contributions
}

#[test]
fn the_contributions_of_a_row_add_up_to_its_margin() {
    let mut table = Table::synthetic(2_000, 9, 21);
    for (objective, leaves) in [
        (Objective::BinaryLogLoss, 31),
        (Objective::SquaredError, 200),
        (Objective::MulticlassLogLoss { classes: 3 }, 12),
    ] {
        if let Objective::MulticlassLogLoss { .. } = objective {
            let class = |row: usize| (table.columns[0][row] * 3.0).floor();
            table.targets = (0..2_000).map(class).collect();
        }
        let parameters =
            BoostingParameters { max_iter: 25, max_leaf_nodes: leaves, min_samples_leaf: 3, ..Default::default() };
        let (_, _, fit) = fit(&table, &parameters, objective);
        for ensemble in &fit.ensembles {
            let contributions = assert_adds_up(ensemble, &table.matrix());
            // Each tree's mean over all training rows is what it is expected to give.
            let margins = ensemble.predict_margin(&table.matrix());
            let mean = margins.iter().sum::<f64>() / margins.len() as f64;
            let expected = TreeExplainer::new(ensemble).expect("an explainer").expected();
            assert!((expected - mean).abs() < 1e-9, "{expected} {mean}");
            assert_eq!(contributions.row(0)[9], expected);
        }
    }
    let unlike = random_cells(5, 9, 1_000);
    // Trees of samples have the shares of their samples.
    let sampled = BoostingParameters { subsample: 0.6, colsample_bytree: 0.7, max_iter: 40, ..Default::default() };
    let (_, _, fit) = fit(&table, &sampled, Objective::SquaredError);
    assert_adds_up(fit.ensemble(), &Matrix::of(&unlike, 1_000));
}

#[test]
fn a_row_gets_the_same_bits_alone_among_others_and_at_any_thread_count() {
    let ensemble = random_ensemble(11, 20, 30, 9);
    let cells = random_cells(11, 20, 1_500);
    let all = with_threads(1, || explained(&ensemble, &Matrix::of(&cells, 1_500)));
    for threads in [2, 8] {
        let again = with_threads(threads, || explained(&ensemble, &Matrix::of(&cells, 1_500)));
        assert_eq!(bits(again.values()), bits(all.values()));
        let (ours, theirs) = with_threads(threads, || (again.mean_absolute(), all.mean_absolute()));
        assert_eq!(bits(&ours), bits(&theirs));
    }
    for row in [0, 255, 256, 1_499] {
        let alone: Vec<&[f64]> = cells.iter().map(|column| &column[row..=row]).collect();
        assert_eq!(bits(explained(&ensemble, &Matrix::new(alone, 1)).values()), bits(all.row(row)));
    }
}

#[test]
fn the_global_importance_is_the_mean_size() {
    let ensemble = random_ensemble(13, 4, 5, 5);
    let cells = random_cells(13, 4, 400);
    let contributions = explained(&ensemble, &Matrix::of(&cells, 400));
    let mean = |column: usize| (0..400).map(|row| contributions.row(row)[column].abs()).sum::<f64>() / 400.0;
    assert_close("the importance", &contributions.mean_absolute(), &[mean(0), mean(1), mean(2), mean(3)], 1e-12);
    assert!(contributions.mean_absolute().iter().all(|size| *size > 0.0));
}

#[test]
fn trees_without_shares_are_refused() {
    let what = |nodes: Vec<Node>| match TreeExplainer::new(&ensemble(1, 0.0, vec![nodes])) {
        Err(Error::Damaged { what }) => what,
        other => panic!("{other:?}"),
    };
    let rows = "a split of a tree has no rows, or others than its children";
    assert_eq!(what(vec![split(0, 0.5, 0, 1, 2), Node::leaf(1.0, 0), Node::leaf(2.0, 0)]), rows);
    assert_eq!(what(vec![split(0, 0.5, 9, 1, 2), Node::leaf(1.0, 4), Node::leaf(2.0, 4)]), rows);
    assert_eq!(what(vec![split(0, 0.5, 9, 1, 2), Node::leaf(1.0, u64::MAX), Node::leaf(2.0, 10)]), rows);
    assert_eq!(what(vec![split(0, 0.5, 8, 1, 1), Node::leaf(1.0, 4)]), "a node of a tree has two parents");
    assert_eq!(
        what(vec![split(0, f64::NAN, 8, 1, 2), Node::leaf(1.0, 4), Node::leaf(1.0, 4)]),
        "a threshold of a tree is NaN"
    );
    assert_eq!(what(vec![Node::leaf(f64::INFINITY, 4)]), "the value of a tree's leaf is not finite");
    let explainer = TreeExplainer::new(&random_ensemble(1, 3, 1, 3)).expect("an explainer");
    let columns = explainer.contributions(&Matrix::new(vec![&[1.0], &[2.0]], 1));
    assert_eq!(columns, Err(Error::Columns { operation: "explanation", expected: 3, got: 2 }));
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// Reads a tree of LightGBM.
fn theirs(nodes: &Value) -> Vec<Node> {
    let node = |node: &Value| {
        let rows = node["rows"].as_u64().expect("a count");
        let Some(feature) = node["feature"].as_u64() else { return Node::leaf(number(&node["value"]), rows) };
        let [left, right] = ["left", "right"].map(|side| node[side].as_u64().expect("a child") as u32);
        let missing_left = node["missing_left"].as_bool().expect("a side");
        Node { missing_left, ..split(feature as u32, number(&node["threshold"]), rows, left, right) }
    };
    nodes.as_array().expect("a list").iter().map(node).collect()
}

#[test]
fn contributions_are_those_of_lightgbm() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    // LightGBM takes a missing cell as 0 in a column that had none while it learned.
    let mut table = Table::synthetic(3_000, 10, 31);
    let key = Key::new(31, "learn/tests/shap/missing");
    for (index, column) in table.columns.iter_mut().enumerate() {
        let key = key.derive(index as u64);
        for (row, value) in column.iter_mut().enumerate().filter(|(row, _)| key.uniform(*row as u64) < 0.1) {
            *value = if row < 2_999 { f64::NAN } else { 0.5 };
        }
    }
    let rows: Vec<Vec<f64>> = table.columns.iter().map(|column| column[..500].to_vec()).collect();
    for (leaves, depth) in [(64, 6), (31, -1), (8, -1)] {
        let request = json!({
            "columns": json_columns(&table.columns), "targets": json(&table.targets), "rows": json_columns(&rows),
            "leaves": leaves, "depth": depth,
        });
        let answer = judge.run(&[LIGHTGBM_NODES, LIGHTGBM].concat(), &request);
        let trees = answer["trees"].as_array().expect("trees").iter().map(theirs).collect();
        let contributions = explained(&ensemble(10, 0.0, trees), &Matrix::of(&rows, 500));
        for (row, theirs) in answer["contributions"].as_array().expect("rows").iter().enumerate() {
            assert_close(&format!("row {row}"), contributions.row(row), &numbers(theirs), 1e-9);
        }
    }
}

#[test]
fn linear_contributions_start_from_the_means() {
    let table = Table::synthetic(5_000, 6, 41).complete();
    let (matrix, columns) = (table.matrix(), table.columns.len());
    let model = ridge(&matrix, &table.targets, None, 1.0).expect("a fit");
    let explainer = LinearExplainer::of(&model, &matrix).expect("an explainer");
    let contributions = explainer.contributions(&matrix).expect("contributions");
    let predictions = model.predict(&matrix);
    let mean = predictions.iter().sum::<f64>() / predictions.len() as f64;
    assert!((explainer.expected() - mean).abs() < 1e-12);
    assert_eq!(explainer.expected(), model.predict_row(explainer.means()));
    for (row, prediction) in predictions.iter().enumerate() {
        let numbers = contributions.row(row);
        assert!((numbers.iter().sum::<f64>() - prediction).abs() < 1e-12, "row {row}");
        for column in 0..columns {
            // The model is additive: a column adds what the prediction loses when the column is at its mean.
            let mut without = table.row(row);
            without[column] = explainer.means()[column];
            assert!((numbers[column] - (prediction - model.predict_row(&without))).abs() < 1e-12);
        }
    }
    let bits_with = |threads| {
        with_threads(threads, || {
            let explainer = LinearExplainer::of(&model, &matrix).expect("an explainer");
            bits(explainer.contributions(&matrix).expect("contributions").values())
        })
    };
    assert_eq!(bits_with(1), bits(contributions.values()));
    assert_eq!(bits_with(8), bits(contributions.values()));
}

#[test]
fn linear_explanations_refuse_what_has_no_mean() {
    let model = LinearModel { coefficients: vec![2.0, -1.0], intercept: 0.5, converged: true, iterations: 1 };
    let operation = "explanation";
    let of = |columns: Vec<&[f64]>, rows| LinearExplainer::of(&model, &Matrix::new(columns, rows)).map(|_| ());
    assert_eq!(of(vec![&[], &[]], 0), Err(Error::Empty { operation }));
    assert_eq!(of(vec![&[1.0]], 1), Err(Error::Columns { operation, expected: 2, got: 1 }));
    let missing = of(vec![&[1.0, 2.0], &[1.0, f64::NAN]], 2);
    assert!(matches!(missing, Err(Error::NotFinite { column: 1, row: 1, .. })), "{missing:?}");
    let short = LinearExplainer::new(&model, &[1.0]).map(|_| ());
    assert_eq!(short, Err(Error::Length { operation, input: "means", expected: 2, got: 1 }));
    let explainer = LinearExplainer::new(&model, &[1.0, 3.0]).expect("an explainer");
    let contributions = explainer.contributions(&Matrix::new(vec![&[4.0], &[5.0]], 1)).expect("contributions");
    assert_eq!(contributions.values(), [6.0, -2.0, -0.5]);
}

/// Draws five columns and a target that follows the first three, each less than the one before.
fn clear_problem() -> (Vec<Vec<f64>>, Vec<f64>, LinearModel) {
    let key = Key::new(51, "learn/tests/shap/permutation");
    let column = |column: u64| (0..4_000).map(|row| key.derive(column).uniform(row)).collect();
    let columns: Vec<Vec<f64>> = (0..5).map(column).collect();
    let coefficients = vec![4.0, -2.0, 1.0, 0.3, 0.0];
    let model = LinearModel { coefficients, intercept: 1.0, converged: true, iterations: 1 };
    let noise = |row: usize| 0.2 * key.derive(9).uniform(row as u64);
    let predictions = model.predict(&Matrix::of(&columns, 4_000));
    let targets = predictions.iter().enumerate().map(|(row, value)| value + noise(row)).collect();
    (columns, targets, model)
}

#[test]
fn permutation_importance_is_as_in_scikit_learn() {
    let (columns, targets, model) = clear_problem();
    let matrix = Matrix::of(&columns, 4_000);
    let score = |predictions: &[f64]| metrics::rmse(&targets, predictions).map(|rmse| -rmse);
    let measure = |seed| {
        let key = Key::new(seed, "learn/tests/shap");
        permutation_importance(|matrix| model.predict(matrix), &matrix, score, key, 20).expect("importances")
    };
    let ours = measure(1);
    assert!(ours[..4].windows(2).all(|pair| pair[0].mean > 1.5 * pair[1].mean), "{ours:?}");
    assert_eq!((ours[4].mean, ours[4].standard_deviation), (0.0, 0.0));
    assert_ne!(ours, measure(2));
    for threads in [1, 2, 8] {
        let same = with_threads(threads, || measure(1));
        for (ours, same) in ours.iter().zip(&same) {
            assert_eq!(bits(&[ours.mean, ours.standard_deviation]), bits(&[same.mean, same.standard_deviation]));
        }
    }
    let Some(judge) = trainyard_judges::python("core") else { return };
    let request = json!({
        "columns": json_columns(&columns), "targets": json(&targets), "coefficients": json(&model.coefficients),
        "intercept": model.intercept,
    });
    let answer = judge.run(PERMUTATION, &request);
    let (means, deviations) = (numbers(&answer["means"]), numbers(&answer["deviations"]));
    for (ours, (mean, deviation)) in ours.iter().zip(means.iter().zip(&deviations)) {
        // Two means of 20 draws each: five standard errors of their difference.
        let allowed = 5.0 * deviation.max(ours.standard_deviation) * (2.0f64 / 20.0).sqrt() + 1e-12;
        assert!((ours.mean - mean).abs() <= allowed, "{ours:?} {mean} ± {deviation}");
    }
}

#[test]
fn permutation_importance_refuses_what_it_cannot_measure() {
    let operation = "permutation importance";
    let key = Key::new(1, "learn/tests/shap");
    let cells: [&[f64]; 1] = [&[1.0, 2.0, 3.0]];
    let matrix = Matrix::new(cells.to_vec(), 3);
    let first = |matrix: &Matrix<'_>| matrix.columns()[0].to_vec();
    let mean = |predictions: &[f64]| Ok(predictions.iter().sum::<f64>());
    let empty = permutation_importance(first, &Matrix::new(vec![&[]], 0), mean, key, 3);
    assert_eq!(empty, Err(Error::Empty { operation }));
    let never = permutation_importance(first, &matrix, mean, key, 0);
    assert_eq!(never, Err(Error::Parameter { name: "repeats", value: 0.0, allowed: "from 1 on" }));
    let short = permutation_importance(|_: &Matrix<'_>| vec![0.0], &matrix, mean, key, 3);
    assert_eq!(short, Err(Error::Length { operation, input: "predictions", expected: 3, got: 1 }));
    let infinite = permutation_importance(first, &matrix, |_: &[f64]| Ok(f64::NAN), key, 3);
    assert_eq!(infinite, Err(Error::Diverged { operation }));
}
