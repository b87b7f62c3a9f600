//! What random forests and extremely randomised trees promise, and how good they are beside scikit-learn's.

use serde_json::json;
use trainyard_judges::number;
use trainyard_learn::{
    Binning, Criterion, Error, ForestFit, ForestParameters, MaxFeatures, Tree, grow_forest, metrics,
};
use trainyard_random::Key;

use crate::data::{Table, json, json_columns, with_threads};

const BINARY: Criterion = Criterion::Gini { classes: 2 };

fn run(table: &Table, weights: Option<&[f64]>, parameters: &ForestParameters) -> Result<ForestFit, Error> {
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    grow_forest(&binned, &binning, &table.targets, weights, parameters, &|_, _| true)
}

fn fit(table: &Table, parameters: &ForestParameters) -> ForestFit {
    run(table, None, parameters).expect("a forest")
}

/// Both kinds of forest, with few trees.
fn kinds(criterion: Criterion) -> [ForestParameters; 2] {
    [ForestParameters::random_forest(criterion), ForestParameters::extra_trees(criterion)]
        .map(|parameters| ForestParameters { n_estimators: 20, ..parameters })
}

/// A table with the same columns as [`Table::synthetic`] and targets of three kinds.
fn table(rows: usize, seed: u64, criterion: Criterion) -> Table {
    let mut table = Table::synthetic(rows, 8, seed);
    let key = Key::new(seed, "learn/tests/forest");
    let score = |row: usize| {
        let [a, b, c] = [0, 1, 3].map(|column| table.columns[column][row]);
        4.0 * a * b + c * c + 0.4 * key.uniform(row as u64)
    };
    table.targets = match criterion {
        Criterion::SquaredError => (0..rows).map(score).collect(),
        Criterion::Gini { classes: 2 } => (0..rows).map(|row| f64::from(u8::from(score(row) > 1.4))).collect(),
        Criterion::Gini { classes } => {
            (0..rows).map(|row| (score(row) * 0.6 * classes as f64 / 3.0).floor().min(classes as f64 - 1.0)).collect()
        }
    };
    table
}

fn depths(tree: &Tree) -> Vec<usize> {
    let mut depths = vec![0; tree.nodes().len()];
    for (index, node) in tree.nodes().iter().enumerate().filter(|(_, node)| !node.is_leaf()) {
        depths[node.left as usize] = depths[index] + 1;
        depths[node.right as usize] = depths[index] + 1;
    }
    depths
}

const SCRIPT: &str = r#"
import numpy as np
from sklearn import ensemble
from sklearn.metrics import accuracy_score, roc_auc_score, root_mean_squared_error
classes = data["classes"]
kind = ("RandomForest" if data["best"] else "ExtraTrees") + ("Classifier" if classes else "Regressor")
answer = []
for table in data["tables"]:
    X = np.array([[float(v) for v in c] for c in table["columns"]]).T
    y = np.array(table["targets"])
    half = len(y) // 2
    model = getattr(ensemble, kind)(n_estimators=50, max_depth=8, min_samples_leaf=3, oob_score=data["best"],
                                    bootstrap=data["best"], random_state=table["seed"])
    model.fit(X[:half], y[:half])
    if classes == 2:
        quality = roc_auc_score(y[half:], model.predict_proba(X[half:])[:, 1])
    elif classes:
        quality = accuracy_score(y[half:], model.predict(X[half:]))
    else:
        quality = root_mean_squared_error(y[half:], model.predict(X[half:]))
    answer.append([quality, model.oob_score_ if data["best"] else 0.0])
"#;

/// Compares the mean quality over several seeds; gives ours and theirs, each with the out-of-bag score.
#[expect(clippy::print_stdout, reason = "the numbers are worth a look: `--no-capture` shows them")]
fn compare(criterion: Criterion, best: bool) -> Option<([f64; 2], [f64; 2])> {
    let judge = trainyard_judges::python("core")?;
    let tables: Vec<Table> = (0..5).map(|seed| table(3_000, seed, criterion)).collect();
    let classes = match criterion {
        Criterion::Gini { classes } => classes,
        Criterion::SquaredError => 0,
    };
    let request = json!({
        "classes": classes, "best": best,
        "tables": tables.iter().enumerate().map(|(seed, table)| json!({
            "columns": json_columns(&table.columns), "targets": json(&table.targets), "seed": seed,
        })).collect::<Vec<_>>(),
    });
    let mean = |pairs: Vec<[f64; 2]>| [0, 1].map(|at| pairs.iter().map(|pair| pair[at]).sum::<f64>() / 5.0);
    let answer = judge.run(SCRIPT, &request);
    let pairs = answer.as_array().expect("a list").iter().map(|pair| [number(&pair[0]), number(&pair[1])]);
    let theirs = mean(pairs.collect());
    let usual =
        if best { ForestParameters::random_forest(criterion) } else { ForestParameters::extra_trees(criterion) };
    let ours = tables.iter().enumerate().map(|(seed, table)| {
        let (train, test) = (table.filter(|row| row < 1_500), table.filter(|row| row >= 1_500));
        let fit = fit(
            &train,
            &ForestParameters {
                n_estimators: 50,
                max_depth: Some(8),
                min_samples_leaf: 3,
                oob_score: best,
                seed: seed as u64,
                ..usual.clone()
            },
        );
        let predictions = fit.predict(&test.matrix());
        let quality = match criterion {
            Criterion::SquaredError => metrics::rmse(&test.targets, &predictions[0]).expect("a metric"),
            Criterion::Gini { classes: 2 } => metrics::roc_auc(&test.targets, &predictions[0]).expect("a metric"),
            Criterion::Gini { .. } => {
                let likeliest = |row: usize| {
                    metrics::most_likely(&predictions.iter().map(|class| class[row]).collect::<Vec<f64>>()) as f64
                };
                (0..1_500).filter(|&row| likeliest(row) == test.targets[row]).count() as f64 / 1_500.0
            }
        };
        [quality, fit.out_of_bag.and_then(|rows| rows.score).unwrap_or(0.0)]
    });
    let ours = mean(ours.collect());
    println!("{criterion:?}, best thresholds {best}: ours {ours:.4?}, scikit-learn {theirs:.4?}");
    Some((ours, theirs))
}

#[test]
fn as_good_as_scikit_learn() {
    for best in [true, false] {
        for criterion in [BINARY, Criterion::Gini { classes: 3 }] {
            let Some((ours, theirs)) = compare(criterion, best) else { return };
            assert!((ours[0] - theirs[0]).abs() < 0.015, "{criterion:?} {best}: ours {ours:?}, theirs {theirs:?}");
            assert!((ours[1] - theirs[1]).abs() < 0.015, "{criterion:?} {best}: ours {ours:?}, theirs {theirs:?}");
        }
        let Some((ours, theirs)) = compare(Criterion::SquaredError, best) else { return };
        assert!((ours[0] / theirs[0] - 1.0).abs() < 0.04, "{best}: ours {ours:?}, theirs {theirs:?}");
        assert!((ours[1] - theirs[1]).abs() < 0.015, "{best}: ours {ours:?}, theirs {theirs:?}");
    }
}

const EXTRA: &str = r#"
import numpy as np
from sklearn import ensemble
from sklearn.metrics import r2_score, roc_auc_score
X, y = np.array(data["columns"]).T, np.array(data["targets"])
answer = []
for seed in range(data["seeds"]):
    train = np.arange(len(y)) % data["seeds"] != seed
    kind = ensemble.ExtraTreesClassifier if data["classes"] else ensemble.ExtraTreesRegressor
    model = kind(n_estimators=100, max_depth=data["depth"], random_state=seed).fit(X[train], y[train])
    if data["classes"]:
        answer.append(roc_auc_score(y[~train], model.predict_proba(X[~train])[:, 1]))
    else:
        answer.append(r2_score(y[~train], model.predict(X[~train])))
"#;

#[test]
fn extra_trees_of_real_tables_are_as_good_as_scikit_learn() {
    const SEEDS: usize = 5;
    let Some(judge) = trainyard_judges::python("core") else { return };
    let thin = |table: Table, most: usize| {
        let step = table.rows().div_ceil(most);
        table.filter(|row| row % step == 0).complete()
    };
    // Heavy tails, columns of few values, and columns of many; the mean over folds may fall behind by chance.
    let tables = [
        ("adult", Table::adult(), BINARY, 0.003),
        ("german credit", Table::german_credit(), BINARY, 0.012),
        ("breast cancer", Table::breast_cancer(), BINARY, 0.004),
        ("california housing", Table::california_housing(), Criterion::SquaredError, 0.004),
        ("diabetes", Table::diabetes(), Criterion::SquaredError, 0.015),
    ];
    for (name, table, criterion, chance) in tables {
        let Some(table) = table.map(|table| thin(table, 6_000)) else { return };
        let depth = (table.rows() > 2_000).then_some(10);
        let request = json!({
            "columns": json_columns(&table.columns), "targets": json(&table.targets), "seeds": SEEDS,
            "classes": criterion != Criterion::SquaredError, "depth": depth,
        });
        let theirs: f64 = judge.run(EXTRA, &request).as_array().expect("a list").iter().map(number).sum();
        let of_seed = |seed: usize| {
            let (train, test) = (table.filter(|row| row % SEEDS != seed), table.filter(|row| row % SEEDS == seed));
            let usual = ForestParameters::extra_trees(criterion);
            let fit = fit(&train, &ForestParameters { max_depth: depth, seed: seed as u64, ..usual });
            let predicted = &fit.predict(&test.matrix())[0];
            match criterion {
                Criterion::SquaredError => metrics::r2(&test.targets, predicted),
                Criterion::Gini { .. } => metrics::roc_auc(&test.targets, predicted),
            }
            .expect("a metric")
        };
        let ours = (0..SEEDS).map(of_seed).sum::<f64>() / SEEDS as f64;
        let theirs = theirs / SEEDS as f64;
        println!("{name}: ours {ours:.4}, scikit-learn {theirs:.4}");
        assert!(ours > theirs - chance, "{name}: ours {ours}, theirs {theirs}");
    }
}

const TREE: &str = r#"
import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
X = np.array([[float(v) for v in c] for c in data["columns"]]).T
y, w = np.array(data["targets"]), np.array(data["weights"])
limits = dict(max_depth=5, min_samples_leaf=4, random_state=0)
if data["classes"]:
    model = DecisionTreeClassifier(**limits).fit(X, y, sample_weight=w)
    answer = model.predict_proba(X).T[-1 if data["classes"] == 2 else 0:].tolist()
else:
    model = DecisionTreeRegressor(**limits).fit(X, y, sample_weight=w)
    answer = [model.predict(X).tolist()]
answer = dict(predictions=answer, importances=model.tree_.compute_feature_importances(normalize=False).tolist())
"#;

#[test]
fn one_tree_on_all_rows_is_a_decision_tree() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    for criterion in [BINARY, Criterion::Gini { classes: 4 }, Criterion::SquaredError] {
        let mut table = table(3_000, 21, criterion);
        table.columns.truncate(4);
        // Few values, so that every one has its bin; a column with missing cells; weights that leave no two splits equal.
        for (place, column) in table.columns.iter_mut().enumerate() {
            column.iter_mut().for_each(|value| *value = (*value * (40.0 + place as f64)).floor());
        }
        assert!(table.columns[2].iter().any(|value| value.is_nan()));
        let key = Key::new(5, "learn/tests/weights");
        let weights: Vec<f64> = (0..3_000).map(|row| 0.5 + key.uniform(row)).collect();
        let classes = if let Criterion::Gini { classes } = criterion { classes } else { 0 };
        let answer = judge.run(
            TREE,
            &json!({
                "columns": json_columns(&table.columns), "targets": json(&table.targets),
                "weights": json(&weights), "classes": classes,
            }),
        );
        let fit = run(
            &table,
            Some(&weights),
            &ForestParameters {
                n_estimators: 1,
                bootstrap: false,
                max_features: MaxFeatures::All,
                max_depth: Some(5),
                min_samples_leaf: 4,
                ..ForestParameters::random_forest(criterion)
            },
        )
        .expect("a tree");
        for (output, ours) in fit.predict(&table.matrix()).iter().enumerate() {
            for (row, ours) in ours.iter().enumerate() {
                let theirs = number(&answer["predictions"][output][row]);
                assert!((ours - theirs).abs() < 1e-9, "{criterion:?}, row {row}: {ours} {theirs}");
            }
        }
        for (column, ours) in fit.ensembles[0].importance_gain().iter().enumerate() {
            let theirs = number(&answer["importances"][column]);
            assert!((ours - theirs).abs() < 1e-6, "{criterion:?}, column {column}: {ours} {theirs}");
        }
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    for criterion in [BINARY, Criterion::Gini { classes: 3 }, Criterion::SquaredError] {
        for parameters in kinds(criterion) {
            let parameters = ForestParameters { oob_score: parameters.bootstrap, ..parameters };
            let table = table(6_000, 3, criterion);
            let bytes = |threads| {
                let fit = with_threads(threads, || fit(&table, &parameters));
                (serde_json::to_string(&fit.ensembles).expect("text"), format!("{:?}", fit.out_of_bag))
            };
            let one = bytes(1);
            assert!(one == bytes(2) && one == bytes(8), "{criterion:?}");
        }
    }
}

#[test]
fn seeds_change_trees() {
    let table = table(500, 4, BINARY);
    for parameters in kinds(BINARY) {
        let other = ForestParameters { seed: 1, ..parameters.clone() };
        assert_ne!(fit(&table, &parameters), fit(&table, &other));
        let trees = fit(&table, &parameters).ensembles[0].trees().to_vec();
        assert!(trees.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

#[test]
fn probabilities_sum_to_one() {
    let criterion = Criterion::Gini { classes: 5 };
    let table = table(1_000, 5, criterion);
    for parameters in kinds(criterion) {
        let predictions = fit(&table, &parameters).predict(&table.matrix());
        assert_eq!(predictions.len(), 5);
        for row in 0..table.rows() {
            assert!(predictions.iter().all(|class| (0.0..=1.0).contains(&class[row])));
            assert!((predictions.iter().map(|class| class[row]).sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
    // Hundred hundredths are more than 1 in doubles.
    let sure = Table { columns: vec![vec![0.0, 1.0]], targets: vec![0.0, 1.0] };
    let parameters = ForestParameters { n_estimators: 100, ..ForestParameters::extra_trees(BINARY) };
    assert_eq!(fit(&sure, &parameters).predict(&sure.matrix()), [[0.0, 1.0]]);
}

#[test]
fn limits_of_a_tree_are_kept() {
    for criterion in [BINARY, Criterion::SquaredError] {
        for parameters in kinds(criterion) {
            let parameters = ForestParameters {
                max_depth: Some(4),
                min_samples_leaf: 30,
                min_samples_split: 150,
                max_features: MaxFeatures::Count(2),
                bootstrap: false,
                ..parameters
            };
            let table = table(2_000, 6, criterion);
            let fit = fit(&table, &parameters);
            assert!(fit.ensembles[0].trees().iter().any(|tree| depths(tree).contains(&4)));
            for tree in fit.ensembles[0].trees() {
                assert!(depths(tree).iter().all(|depth| *depth <= 4));
                assert_eq!(tree.nodes()[0].rows, 2_000);
                for node in tree.nodes() {
                    assert!(node.rows >= if node.is_leaf() { 30 } else { 150 }, "{node:?}");
                }
            }
        }
    }
}

#[test]
fn a_tree_counts_a_row_as_often_as_it_was_drawn() {
    let table = table(1_000, 7, BINARY);
    let parameters = ForestParameters { max_samples: Some(0.25), oob_score: true, ..kinds(BINARY)[0].clone() };
    let fit = fit(&table, &parameters);
    for tree in fit.ensembles[0].trees() {
        assert_eq!(tree.nodes()[0].rows, 250);
        for node in tree.nodes().iter().filter(|node| !node.is_leaf()) {
            let children = [node.left, node.right].map(|child| tree.nodes()[child as usize].rows);
            assert_eq!(children[0] + children[1], node.rows);
        }
    }
}

#[test]
fn out_of_bag_rows_are_those_that_a_tree_did_not_see() {
    // A row's own number as its only column: a tree knows exactly the rows that it saw.
    let rows = 200;
    let table = Table {
        columns: vec![(0..rows).map(f64::from).collect()],
        targets: (0..rows).map(|row| f64::from(row * 37 % rows)).collect(),
    };
    let parameters = ForestParameters {
        n_estimators: 1,
        oob_score: true,
        ..ForestParameters::random_forest(Criterion::SquaredError)
    };
    let fit = fit(&table, &parameters);
    let (all, out) = (fit.predict(&table.matrix()), fit.out_of_bag.expect("it was asked for"));
    let mut outside = 0;
    for ((all, out), target) in all[0].iter().zip(&out.predictions[0]).zip(&table.targets) {
        if out.is_nan() {
            assert_eq!(all, target);
        } else {
            assert_eq!(out, all);
            assert_ne!(all, target);
            outside += 1;
        }
    }
    assert!((50..100).contains(&outside), "{outside}");
}

#[test]
fn out_of_bag_rows_go_the_way_of_the_stored_trees() {
    // Many missing cells and few rows: nodes hold one value and missing ones, and other rows hold higher values.
    let rows = 120_u32;
    let columns: Vec<Vec<f64>> = (1..4)
        .map(|step| (0..rows).map(|row| if row % 3 == 0 { f64::NAN } else { f64::from(row * step * 7 % 11) }).collect())
        .collect();
    let table = Table { columns, targets: (0..rows).map(|row| f64::from(row * 31 % 17)).collect() };
    let forest = ForestParameters::random_forest(Criterion::SquaredError);
    let trees = ForestParameters::extra_trees(Criterion::SquaredError);
    for (kind, seed) in [(forest, 0..20), (trees, 0..20)]
        .into_iter()
        .flat_map(|(kind, seeds)| seeds.map(move |seed| (kind.clone(), seed)))
    {
        let parameters = ForestParameters { n_estimators: 1, oob_score: true, bootstrap: true, seed, ..kind };
        let fit = fit(&table, &parameters);
        let (all, out) = (fit.predict(&table.matrix()), fit.out_of_bag.expect("it was asked for"));
        let pairs = all[0].iter().zip(&out.predictions[0]).filter(|(_, out)| !out.is_nan());
        pairs.for_each(|(all, out)| assert_eq!(all, out, "seed {seed} of {:?}", parameters.splitter));
    }
}

#[test]
fn weights_count_as_copies() {
    for criterion in [BINARY, Criterion::Gini { classes: 3 }, Criterion::SquaredError] {
        let table = table(900, 8, criterion);
        let weights: Vec<f64> = (0..900).map(|row| f64::from(row % 3)).collect();
        let copies: Vec<usize> = (0..900).flat_map(|row| std::iter::repeat_n(row, row % 3)).collect();
        let take = |values: &Vec<f64>| copies.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        let copied = Table { columns: table.columns.iter().map(take).collect(), targets: take(&table.targets) };
        let parameters =
            ForestParameters { bootstrap: false, n_estimators: 5, max_depth: Some(6), ..kinds(criterion)[0].clone() };
        let binning = Binning::fit(&table.matrix(), 255);
        let run = |table: &Table, weights: Option<&[f64]>| {
            let binned = binning.apply(&table.matrix());
            grow_forest(&binned, &binning, &table.targets, weights, &parameters, &|_, _| true).expect("a forest")
        };
        let (weighted, copied) = (run(&table, Some(&weights)), run(&copied, None));
        for (a, b) in
            weighted.predict(&table.matrix()).iter().flatten().zip(copied.predict(&table.matrix()).iter().flatten())
        {
            assert!((a - b).abs() < 1e-12, "{criterion:?}: {a} {b}");
        }
    }
}

#[test]
fn a_row_without_weight_is_as_good_as_absent() {
    let table = table(600, 9, BINARY);
    // A power of two, so that rounding to integers changes nothing.
    let tiny = f64::MIN_POSITIVE;
    let weights: Vec<f64> = (0..600).map(|row| if row % 3 == 0 { 0.0 } else { tiny }).collect();
    let kept = table.filter(|row| row % 3 != 0);
    let binning = Binning::fit(&table.matrix(), 255);
    for parameters in kinds(BINARY) {
        let run = |table: &Table, weights: Option<&[f64]>| {
            let binned = binning.apply(&table.matrix());
            grow_forest(&binned, &binning, &table.targets, weights, &parameters, &|_, _| true).expect("a forest")
        };
        // Only the share that a weight has of the others counts, and no draw is spent on rows without one.
        assert_eq!(run(&table, Some(&weights)).ensembles, run(&kept, None).ensembles);
    }
}

#[test]
fn the_side_of_missing_cells_is_learned() {
    // Missing means 1; present cells say nothing.
    let rows = 400;
    let column: Vec<f64> = (0..rows).map(|row| if row % 4 == 0 { f64::NAN } else { f64::from(row % 7) }).collect();
    let targets = column.iter().map(|value| f64::from(u8::from(value.is_nan()))).collect();
    let missing = Table { columns: vec![column], targets };
    for parameters in kinds(BINARY) {
        let fit = fit(&missing, &parameters);
        assert_eq!(fit.predict(&missing.matrix())[0], missing.targets);
    }
    // Missing cells belong with low values.
    let column: Vec<f64> = (0..rows).map(|row| if row % 4 == 0 { f64::NAN } else { f64::from(row) }).collect();
    let targets = column.iter().map(|value| f64::from(u8::from(value.is_nan() || *value < 200.0))).collect();
    let low = Table { columns: vec![column], targets };
    let stump = ForestParameters { n_estimators: 1, bootstrap: false, max_depth: Some(1), ..kinds(BINARY)[0].clone() };
    assert_eq!(fit(&low, &stump).predict(&low.matrix())[0], low.targets);
    // A column that never was missing sends missing cells with most rows.
    let most = Table {
        columns: vec![(0..200).map(|row| f64::from(u8::from(row < 60))).collect()],
        targets: (0..200).map(|row| f64::from(u8::from(row < 60))).collect(),
    };
    assert_eq!(fit(&most, &stump).ensembles[0].predict_margin_row(&[f64::NAN]), 0.0);
}

#[test]
fn columns_without_a_split_are_passed_over() {
    for parameters in kinds(BINARY) {
        let mut table = table(300, 10, BINARY);
        // One draw a node almost always hits a column of one value; the search goes on to one that has a split.
        table.columns = vec![vec![f64::NAN; 300], vec![1.0; 300], vec![2.0; 300], table.columns[0].clone()];
        let fit = fit(&table, &ForestParameters { max_features: MaxFeatures::Count(1), ..parameters });
        for node in fit.ensembles[0].trees().iter().flat_map(|tree| tree.nodes()) {
            assert!(node.is_leaf() || node.feature == 3);
        }
        assert!(fit.ensembles[0].trees().iter().all(|tree| tree.nodes().len() > 1));
        // None has one: the share of the rows.
        table.columns.truncate(3);
        let flat = self::fit(&table, &ForestParameters { bootstrap: false, ..kinds(BINARY)[0].clone() });
        let share = table.targets.iter().sum::<f64>() / 300.0;
        assert!((flat.ensembles[0].predict_margin_row(&[]) - share).abs() < 1e-12);
    }
}

#[test]
fn one_row_is_its_own_mean_and_one_class_is_refused() {
    let one = Table { columns: vec![vec![3.0]], targets: vec![0.1] };
    for parameters in kinds(Criterion::SquaredError) {
        let fit = fit(&one, &parameters);
        assert!((fit.predict(&one.matrix())[0][0] - 0.1).abs() < 1e-15);
        assert_eq!(fit.ensembles[0].trees()[0].nodes().len(), 1);
    }
    let same = Table { columns: vec![vec![1.0, 2.0]], targets: vec![1.0, 1.0] };
    assert!(matches!(run(&same, None, &kinds(BINARY)[0]), Err(Error::OneClass { class: 1.0, .. })));
    let three = &kinds(Criterion::Gini { classes: 3 })[0];
    assert!(matches!(run(&same, None, three), Err(Error::NoRowsOfClass { class: 0, .. })));
    let mixed = Table { targets: vec![0.0, 1.0], ..same };
    assert!(matches!(run(&mixed, Some(&[0.0, 1.0]), &kinds(BINARY)[0]), Err(Error::OneClass { class: 1.0, .. })));
}

#[test]
fn bad_input_is_a_typed_error() {
    let table = table(50, 11, BINARY);
    let usual = ForestParameters::random_forest(BINARY);
    let refused = |parameters: ForestParameters| match run(&table, None, &parameters) {
        Err(Error::Parameter { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(ForestParameters { n_estimators: 0, ..usual.clone() }), "n_estimators");
    assert_eq!(refused(ForestParameters::random_forest(Criterion::Gini { classes: 1 })), "classes");
    assert_eq!(refused(ForestParameters { max_depth: Some(0), ..usual.clone() }), "max_depth");
    assert_eq!(refused(ForestParameters { min_samples_split: 1, ..usual.clone() }), "min_samples_split");
    assert_eq!(refused(ForestParameters { min_samples_leaf: 0, ..usual.clone() }), "min_samples_leaf");
    for max_features in
        [MaxFeatures::Count(0), MaxFeatures::Share(0.0), MaxFeatures::Share(1.1), MaxFeatures::Share(f64::NAN)]
    {
        assert_eq!(refused(ForestParameters { max_features, ..usual.clone() }), "max_features");
    }
    assert_eq!(refused(ForestParameters { max_samples: Some(0.0), ..usual.clone() }), "max_samples");
    let whole = ForestParameters::extra_trees(BINARY);
    assert_eq!(refused(ForestParameters { max_samples: Some(0.5), ..whole.clone() }), "max_samples");
    assert_eq!(refused(ForestParameters { oob_score: true, ..whole }), "oob_score");
    assert!(matches!(run(&table, Some(&[-1.0; 50]), &usual), Err(Error::Weight { row: 0, .. })));
    assert!(matches!(run(&table, Some(&[0.0; 50]), &usual), Err(Error::Weights { .. })));
    let halves = Table { targets: vec![0.5; 50], ..self::table(50, 11, BINARY) };
    assert!(matches!(run(&halves, None, &usual), Err(Error::Target { row: 0, .. })));
    let empty = Table { columns: vec![Vec::new()], targets: Vec::new() };
    assert!(matches!(run(&empty, None, &usual), Err(Error::Empty { .. })));
    // Codes of categories are no numbers to be ordered.
    let mixed = Binning::fit_mixed(&table.matrix(), 255, |column| column == 1);
    let taken = grow_forest(&mixed.apply(&table.matrix()), &mixed, &table.targets, None, &usual, &|_, _| true);
    let Err(refused @ Error::Parameter { name: "columns of categories", .. }) = taken else { panic!("{taken:?}") };
    assert!(refused.to_string().contains("must be 0 for a forest"), "{refused}");
    let binning = Binning::fit(&table.matrix(), 255);
    let stopped = grow_forest(&binning.apply(&table.matrix()), &binning, &table.targets, None, &usual, &|_, _| false);
    assert!(matches!(stopped, Err(Error::Stopped { .. })));
}
