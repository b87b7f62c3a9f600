//! Target encodings: scikit-learn's numbers, and no row that meets its own target.

use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use serde_json::{Value as Json, json};
use trainyard_features::{Error, FittedFeatures, Folds, Targets, row_of};
use trainyard_judges::{number, python};
use trainyard_random::Key;

use crate::given::{integers, planned, table, texts};

const ENCODE: &str = "
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.model_selection import PredefinedSplit
from sklearn.preprocessing import TargetEncoder
def column(values):
    return np.array([[np.nan if v is None else v] for v in values], dtype=object)
answer = []
for case in data:
    train, test = column(case['train']), column(case['test'])
    if case['impute'] == 'most_frequent':
        imputer = SimpleImputer(strategy='most_frequent').fit(train)
        train, test = imputer.transform(train), imputer.transform(test)
    y = np.array(case['targets'], dtype=float if case['kind'] == 'continuous' else int)
    encoder = TargetEncoder(smooth=case['smooth'], target_type=case['kind'], cv=PredefinedSplit(case['folds']))
    crossed = encoder.fit_transform(train, y)
    answer.append([crossed.T.tolist(), encoder.transform(test).T.tolist()])
";

const CLASSES: [&str; 3] = ["high", "low", "middle"];

/// Columns and targets that are ordinary, tied, constant, far apart, rare in a fold, or of one row a category.
fn columns(seed: u64) -> Vec<(&'static str, Vec<Option<&'static str>>)> {
    let key = Key::new(seed, "targets/columns");
    let pools: [(&str, &[Option<&'static str>]); 5] = [
        ("ordinary", &[Some("a"), Some("b"), Some("c"), Some("d"), Some("e")]),
        ("gaps", &[Some("a"), None, Some("b"), Some("rare")]),
        ("odd texts", &[Some(""), Some(" "), Some("ß"), Some("ẞ"), Some("e\u{301}"), Some("é"), Some("😀")]),
        ("constant", &[Some("only")]),
        ("all missing but one", &[None, None, None, Some("x")]),
    ];
    let mut columns: Vec<(&str, Vec<Option<&str>>)> = Vec::new();
    for (place, (name, pool)) in pools.into_iter().enumerate() {
        let draw = |row: u64| key.derive(place as u64).uniform(row);
        let cells = (0..60).map(|row| pool[(draw(row) * draw(row + 100) * pool.len() as f64) as usize]);
        columns.push((name, cells.collect()));
    }
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    columns.push(("one row each", letters.into_iter().map(Some).collect()));
    columns.push(("two rows", vec![Some("a"), Some("b")]));
    columns
}

fn targets(kind: &str, rows: usize, seed: u64) -> Vec<f64> {
    let key = Key::new(seed, "targets/targets");
    let draw = |row: usize| key.uniform(row as u64);
    match kind {
        "binary" => (0..rows).map(|row| f64::from(u8::from(row % 2 == 0 || draw(row) < 0.3))).collect(),
        "multiclass" => (0..rows).map(|row| if row < 3 { row as f64 } else { (draw(row) * 3.0).floor() }).collect(),
        "continuous" => (0..rows).map(|row| (draw(row) - 0.5) * if row % 7 == 0 { 1e6 } else { 1.0 }).collect(),
        "constant" => vec![0.1; rows],
        _ => (0..rows).map(|row| 1e150 * (draw(row) - 0.5)).collect(),
    }
}

fn group(smooth: &str, impute: &str) -> String {
    format!("groups: [{{categorical: [x], impute: {impute}, encode: {{target: {{smooth: {smooth}, cv: 3}}}}}}]")
}

fn classes(kind: &str) -> Vec<String> {
    let count = match kind {
        "binary" => 2,
        "multiclass" => 3,
        _ => 0,
    };
    CLASSES[..count].iter().map(|class| (*class).to_owned()).collect()
}

#[test]
fn target_encoding_is_that_of_scikit_learn() {
    let Some(judge) = python("core") else { return };
    let (mut cases, mut ours, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..3 {
        for (name, train) in columns(seed) {
            for kind in ["binary", "multiclass", "continuous", "constant", "huge"] {
                if kind == "multiclass" && train.len() < 3 {
                    continue;
                }
                let targets = targets(kind, train.len(), seed);
                let key = Key::new(seed, "targets/folds");
                let fold = |row: usize| if row < 2 { row as u32 } else { (key.uniform(row as u64) * 3.0) as u32 };
                let folds: Vec<u32> = (0..train.len()).map(fold).collect();
                let test = [train.clone(), vec![Some("unseen"), None, Some("A")]].concat();
                for smooth in ["auto", "0", "2.5", "1000"] {
                    for impute in ["none", "most_frequent"] {
                        // scikit-learn drops a column without any value.
                        if impute == "most_frequent" && train.iter().all(Option::is_none) {
                            continue;
                        }
                        let train_table = table(vec![("x", texts(&train))]);
                        let classes = classes(kind);
                        let learned = Targets { values: &targets, classes: &classes };
                        let folds_of = Folds::from([(3, folds.clone())]);
                        let plan = planned(&group(smooth, impute), &train_table);
                        let (fitted, crossed) = plan.fit_transform(&train_table, &learned, &folds_of).unwrap();
                        let transformed = fitted.transform(&table(vec![("x", texts(&test))])).unwrap();
                        ours.push((crossed.columns, transformed.columns));
                        let kind = if ["constant", "huge"].contains(&kind) { "continuous" } else { kind };
                        let smooth: Json = smooth.parse::<f64>().map_or_else(|_| smooth.into(), Json::from);
                        cases.push(json!({
                            "train": train, "test": test, "targets": targets, "folds": folds, "smooth": smooth,
                            "kind": kind, "impute": impute,
                        }));
                        names.push(format!("{name}, {kind}, {smooth}, {impute}"));
                    }
                }
            }
        }
    }
    let theirs = judge.run(ENCODE, &Json::from(cases));
    let mut worst = 0.0f64;
    for (((crossed, transformed), theirs), name) in ours.iter().zip(theirs.as_array().unwrap()).zip(&names) {
        for (ours, theirs) in [(crossed, &theirs[0]), (transformed, &theirs[1])] {
            assert_eq!(ours.len(), theirs.as_array().unwrap().len(), "{name}");
            for (ours, theirs) in ours.iter().zip(theirs.as_array().unwrap()) {
                for (a, b) in ours.iter().zip(theirs.as_array().unwrap()) {
                    let b = number(b);
                    let distance = (a - b).abs() / b.abs().max(1.0);
                    worst = worst.max(distance);
                    assert!(distance <= 1e-9, "{name}: {a}, scikit-learn has {b}");
                }
            }
        }
    }
    assert!(worst <= 1e-9, "{worst}");
}

fn small() -> (RecordBatch, Vec<f64>, Folds) {
    let kinds = [Some("a"), Some("a"), Some("b"), None, Some("b"), Some("a"), Some("c"), None];
    let zones = [Some(10), Some(9), Some(10), None, Some(9), Some(10), Some(9), Some(-1)];
    let columns: Vec<(&str, ArrayRef)> = vec![("x", texts(&kinds)), ("zone", integers(&zones))];
    (table(columns), vec![1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0], Folds::from([(4, vec![0, 1, 2, 3, 0, 1, 2, 3])]))
}

const SMALL: &str = "\
groups:
  - {numeric: [zone], impute: median}
  - {categorical: [x], encode: one_hot}
  - {categorical: [x, zone], encode: {target: {cv: 4}}}
";

#[test]
fn no_row_meets_its_own_target() {
    let (table, targets, folds) = small();
    let plan = planned(SMALL, &table);
    let encode =
        |targets: &[f64]| plan.fit_transform(&table, &Targets { values: targets, classes: &[] }, &folds).unwrap();
    let (fitted, before) = encode(&targets);
    assert_eq!(before.names, ["zone", "x=a", "x=b", "x=c", "x=(missing)", "target(x)", "target(zone)"]);
    let mut noticed = 0;
    for row in 0..targets.len() {
        let mut changed = targets.clone();
        changed[row] = 1.0 - changed[row];
        let (fitted_on_changed, after) = encode(&changed);
        // Neither the row's own encoding changes nor that of any other row of its fold.
        for (before, after) in before.columns.iter().zip(&after.columns) {
            for (other, fold) in folds[&4].iter().enumerate().filter(|(_, fold)| **fold == folds[&4][row]) {
                assert_eq!(before[other].to_bits(), after[other].to_bits(), "row {row}, fold {fold}");
            }
        }
        noticed += usize::from(before != after);
        // What is stored learns from all rows: an encoding by it would meet the row's own target.
        assert_ne!(fitted_on_changed.to_json(), fitted.to_json());
        let leaky = |fitted: &FittedFeatures| fitted.transform(&table).unwrap().columns[5][row];
        assert_ne!(leaky(&fitted_on_changed), leaky(&fitted), "row {row}");
    }
    assert_eq!(noticed, targets.len());
}

#[test]
fn rows_tables_and_files_give_the_same_bits() {
    let (table, targets, folds) = small();
    let classes = CLASSES.map(str::to_owned);
    let values: Vec<f64> =
        targets.iter().enumerate().map(|(row, target)| target + f64::from(u8::from(row == 5))).collect();
    let learned = Targets { values: &values, classes: &classes };
    let plan = planned(SMALL, &table);
    let (fitted, crossed) = plan.fit_transform(&table, &learned, &folds).unwrap();
    assert_eq!(fitted.names()[5..8], ["target(x)=high", "target(x)=low", "target(x)=middle"]);
    assert_eq!(crossed.columns.len(), fitted.names().len());
    assert_eq!(plan.fit_to(&table, &learned).unwrap(), fitted);
    let read = FittedFeatures::from_json(&fitted.to_json()).unwrap();
    assert_eq!((&read, read.to_json()), (&fitted, fitted.to_json()));
    let whole = fitted.transform(&table).unwrap();
    for row in 0..table.num_rows() {
        let of_table: Vec<u64> = whole.columns.iter().map(|column| column[row].to_bits()).collect();
        let single = read.transform_row(&row_of(&table, row)).unwrap();
        assert_eq!(single.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), of_table, "row {row}");
    }
    let damaged = fitted.to_json().replace("\"of\":[", "\"of\":[0.5,0.5,");
    assert!(matches!(FittedFeatures::from_json(&damaged), Err(Error::Damaged { .. })));
}

#[test]
fn without_targets_or_folds_nothing_is_encoded() {
    let (table, targets, folds) = small();
    let plan = planned(SMALL, &table);
    assert_eq!(plan.folds().into_iter().collect::<Vec<u32>>(), [4]);
    let no_targets = Error::NoTargets { column: "x".into() };
    assert_eq!(plan.fit(&table).unwrap_err(), no_targets);
    let few = Targets { values: &targets[1..], classes: &[] };
    assert_eq!(plan.fit_to(&table, &few).unwrap_err(), no_targets);
    let all = Targets { values: &targets, classes: &[] };
    for folds in [Folds::new(), Folds::from([(4, vec![0; 7])]), Folds::from([(4, vec![2; 8])])] {
        assert_eq!(plan.fit_transform(&table, &all, &folds).unwrap_err(), Error::NoFolds { column: "x".into() });
    }
    assert!(plan.fit_transform(&table, &all, &folds).is_ok());
    // Features that learn nothing from the target need none.
    let plain = planned("groups: [{categorical: [x]}]", &table);
    assert!(plain.folds().is_empty());
    let (fitted, features) = plain.fit_transform(&table, &few, &Folds::new()).unwrap();
    assert_eq!(plain.fit(&table).unwrap(), fitted);
    assert_eq!(fitted.transform(&table).unwrap(), features);
}

#[test]
fn the_order_of_rows_changes_no_encoding() {
    let (table, targets, folds) = small();
    let plan = planned(SMALL, &table);
    let fitted = plan.fit_to(&table, &Targets { values: &targets, classes: &[] }).unwrap();
    let rows: Vec<u64> = vec![7, 2, 5, 0, 1, 6, 4, 3];
    let indices = UInt64Array::from(rows.clone());
    let turned = arrow_select::take::take_record_batch(&table, &indices).unwrap();
    let pick = |values: &[f64]| rows.iter().map(|row| values[*row as usize]).collect::<Vec<f64>>();
    let picked = pick(&targets);
    let turned_folds = Folds::from([(4, rows.iter().map(|row| folds[&4][*row as usize]).collect())]);
    let learned = Targets { values: &picked, classes: &[] };
    let (again, crossed) = plan.fit_transform(&turned, &learned, &turned_folds).unwrap();
    assert_eq!(again.to_json(), fitted.to_json());
    let (_, before) = plan.fit_transform(&table, &Targets { values: &targets, classes: &[] }, &folds).unwrap();
    assert_eq!(crossed.columns, before.columns.iter().map(|column| pick(column)).collect::<Vec<_>>());
}
