//! The transforms against scikit-learn 1.9, on ordinary and on nasty columns.

use serde_json::{Value as Json, json};
use trainyard_features::FeatureTable;
use trainyard_judges::{json_number, number, python};
use trainyard_random::Key;

use crate::given::{floats, planned, table, texts};

const IMPUTE_AND_SCALE: &str = "
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, MinMaxScaler, RobustScaler, FunctionTransformer
def column(values):
    return np.array([[np.nan if v is None else v] for v in values], dtype=float)
impute = {'none': None, 'mean': SimpleImputer(strategy='mean', keep_empty_features=True),
          'median': SimpleImputer(strategy='median', keep_empty_features=True),
          'most_frequent': SimpleImputer(strategy='most_frequent', keep_empty_features=True),
          '{constant: -2.5}': SimpleImputer(strategy='constant', fill_value=-2.5, keep_empty_features=True)}
scale = {'none': None, 'standard': StandardScaler, 'min_max': MinMaxScaler, 'robust': RobustScaler}
answer = []
for case in data:
    steps = [impute[case['impute']], scale[case['scale']] and scale[case['scale']]()]
    pipeline = make_pipeline(*[s for s in steps if s is not None] or [FunctionTransformer()])
    pipeline.fit(column(case['train']))
    answer.append(pipeline.transform(column(case['test']))[:, 0].tolist())
";

/// Columns that have broken scalers: huge and tiny numbers, an offset, constants, gaps, one value, none.
fn columns() -> Vec<(&'static str, Vec<Option<f64>>)> {
    let key = Key::new(11, "columns");
    let draw = |row: u64| key.uniform(row);
    let of = |make: &dyn Fn(u64) -> Option<f64>| (0..101).map(make).collect::<Vec<_>>();
    vec![
        ("uniform", of(&|row| Some(draw(row)))),
        ("gaps", of(&|row| (draw(row) > 0.3).then(|| 100.0 * draw(row + 1000) - 50.0))),
        ("skewed", of(&|row| Some(libm_exp(20.0 * draw(row))))),
        ("offset", of(&|row| Some(1e9 + draw(row)))),
        ("tiny", of(&|row| Some(1e-200 * draw(row)))),
        ("huge", of(&|row| Some(1e150 * (draw(row) - 0.5)))),
        ("integers", of(&|row| Some((draw(row) * 5.0).floor()))),
        ("constant", of(&|_| Some(0.1))),
        ("almost constant", of(&|row| Some(if row == 3 { 0.1 + 1e-17 } else { 0.1 }))),
        ("constant with gaps", of(&|row| (row % 2 == 0).then_some(-7.5))),
        ("zeros of both signs", of(&|row| Some(if row % 2 == 0 { 0.0 } else { -0.0 }))),
        ("one value", of(&|row| (row == 50).then_some(3.0))),
        ("no value", of(&|_| None)),
        ("even count", (0..100).map(|row| Some(draw(row))).collect()),
        ("one row", vec![Some(2.5)]),
        ("one missing row", vec![None]),
    ]
}

/// Grows like `exp` without the C library: that of the test need not be exact.
fn libm_exp(x: f64) -> f64 {
    let mut power = 1.0 + x / 1024.0;
    for _ in 0..10 {
        power *= power;
    }
    power
}

#[test]
fn imputing_and_scaling_are_those_of_scikit_learn() {
    let Some(judge) = python("core") else { return };
    let mut cases = Vec::new();
    let mut ours = Vec::new();
    let mut names = Vec::new();
    for (name, train) in columns() {
        let test = [train.clone(), vec![None, Some(0.0), Some(-3.25), Some(1e12)]].concat();
        for impute in ["none", "mean", "median", "most_frequent", "{constant: -2.5}"] {
            for scale in ["none", "standard", "min_max", "robust"] {
                let features = format!("groups: [{{numeric: [x], impute: {impute}, scale: {scale}}}]");
                let plan = planned(&features, &table(vec![("x", floats(&train))]));
                let fitted = plan.fit(&table(vec![("x", floats(&train))])).unwrap();
                let features = fitted.transform(&table(vec![("x", floats(&test))])).unwrap();
                ours.push(features.columns[0].clone());
                cases.push(json!({"impute": impute, "scale": scale, "train": train, "test": test}));
                names.push(format!("{name}, {impute}, {scale}"));
            }
        }
    }
    let theirs = judge.run(IMPUTE_AND_SCALE, &Json::from(cases));
    for ((ours, theirs), name) in ours.iter().zip(theirs.as_array().unwrap()).zip(&names) {
        let theirs: Vec<f64> = theirs.as_array().unwrap().iter().map(number).collect();
        assert_eq!(ours.len(), theirs.len());
        // A column that never had a value: scikit-learn scales by NaN, here new values stay as they are.
        let empty = name.starts_with("no value, none") || name.starts_with("one missing row, none");
        let never = empty && !name.ends_with("none, none");
        let theirs = if never { &theirs[..theirs.len() - 4] } else { &theirs[..] };
        for (row, (a, b)) in ours.iter().zip(theirs).enumerate() {
            // Where a large mean is taken away, both have lost the digits below its last bit.
            let lost = if name.starts_with("offset") { 1e-6 } else { 0.0 };
            let close = (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * b.abs().max(1.0) + lost;
            assert!(close, "{name}: row {row} is {a}, scikit-learn has {b}");
        }
    }
}

const ENCODE: &str = "
import numpy as np, warnings
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
def column(values):
    return np.array([[v] for v in values], dtype=object)
def nan(values):
    return np.array([[np.nan if v is None else v] for v in values], dtype=object)
answer = []
for case in data:
    train, test = nan(case['train']), nan(case['test'])
    if case['impute'] == 'most_frequent':
        imputer = SimpleImputer(strategy='most_frequent').fit(train)
        train, test = imputer.transform(train), imputer.transform(test)
    if case['encode'] == 'one_hot':
        encoder = OneHotEncoder(handle_unknown='infrequent_if_exist', min_frequency=case['min_frequency'], sparse_output=False)
    else:
        encoder = OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1, min_frequency=case['min_frequency'])
    answer.append(encoder.fit(train).transform(test).T.tolist())
";

#[test]
fn encoding_is_that_of_scikit_learn() {
    let Some(judge) = python("core") else { return };
    let pools: [&[Option<&str>]; 4] = [
        &[Some("a"), Some("b"), None, Some("c"), Some("d")],
        &[Some("Zürich"), Some("zürich"), Some("Z"), Some(""), Some(" "), Some("ß"), Some("😀"), Some("é")],
        &[Some("10"), Some("9"), Some("-1"), Some("09"), Some("1e1")],
        &[Some("only")],
    ];
    let (mut cases, mut ours, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (pool_index, pool) in pools.iter().enumerate() {
        let key = Key::new(pool_index as u64, "pool");
        let draw = |row: u64| key.uniform(row) * key.uniform(row);
        let train: Vec<Option<&str>> = (0..97).map(|row| pool[(draw(row) * pool.len() as f64) as usize]).collect();
        let test = [train.clone(), vec![Some("unseen"), Some("A"), pool[0]]].concat();
        for encode in ["one_hot", "ordinal"] {
            for min_frequency in [None, Some(5), Some(20), Some(1000)] {
                for impute in ["none", "most_frequent"] {
                    // scikit-learn's ordinal encoder codes a rare missing value as rare; here missing is always missing.
                    let differs = encode == "ordinal" && min_frequency.is_some() && impute == "none" && pool_index == 0;
                    if differs {
                        continue;
                    }
                    let frequency = min_frequency.map_or(String::new(), |least| format!(", min_frequency: {least}"));
                    let features =
                        format!("groups: [{{categorical: [x], encode: {encode}, impute: {impute}{frequency}}}]");
                    let train_table = table(vec![("x", texts(&train))]);
                    let fitted = planned(&features, &train_table).fit(&train_table).unwrap();
                    let transformed: FeatureTable = fitted.transform(&table(vec![("x", texts(&test))])).unwrap();
                    ours.push(transformed.columns);
                    names.push(format!("pool {pool_index}, {encode}, {min_frequency:?}, {impute}"));
                    cases.push(json!({
                        "train": train, "test": test, "encode": encode, "impute": impute, "min_frequency": min_frequency,
                    }));
                }
            }
        }
    }
    let theirs = judge.run(ENCODE, &Json::from(cases));
    for ((ours, theirs), name) in ours.iter().zip(theirs.as_array().unwrap()).zip(&names) {
        let ours: Vec<Vec<Json>> =
            ours.iter().map(|column| column.iter().copied().map(json_number).collect()).collect();
        let theirs: Vec<Vec<Json>> = serde_json::from_value(theirs.clone()).unwrap();
        assert_eq!(ours, theirs, "{name}");
    }
}

const BINS: &str = "
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer
def column(values):
    return np.array([[np.nan if v is None else v] for v in values], dtype=float)
answer = []
for case in data:
    bins = KBinsDiscretizer(case['n_bins'], encode=case['encode'], strategy=case['strategy'], subsample=None,
                            quantile_method='averaged_inverted_cdf')
    impute = SimpleImputer(strategy='median', keep_empty_features=True)
    pipeline = make_pipeline(impute, bins).fit(column(case['train']))
    answer.append([pipeline.transform(column(case['test'])).T.tolist(), bins.bin_edges_[0][1:-1].tolist()])
";

#[test]
fn bins_are_those_of_scikit_learn() {
    let Some(judge) = python("core") else { return };
    let (mut cases, mut ours, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (name, train) in columns() {
        for strategy in ["uniform", "quantile", "kmeans"] {
            for n_bins in [2, 3, 5, 7, 10, 40] {
                // Every training value stands on an edge for some number of bins; and the values between and beyond.
                let test = [train.clone(), vec![None, Some(0.0), Some(-1e300), Some(1e300), Some(0.1)]].concat();
                for encode in ["ordinal", "one_hot"] {
                    // Where all bins are too narrow scikit-learn has none left to encode; here one bin stays.
                    if ["tiny", "almost constant"].contains(&name) && strategy != "uniform" && encode == "one_hot" {
                        continue;
                    }
                    // With more bins than values scikit-learn keeps centres without any, and where several centres have
                    // none at once it moves them in an order of the machine.
                    let is_defined = match name {
                        "integers" => n_bins <= 5,
                        "skewed" => n_bins <= 10,
                        _ => true,
                    };
                    if strategy == "kmeans" && !is_defined {
                        continue;
                    }
                    let bins = format!("{{n_bins: {n_bins}, strategy: {strategy}, encode: {encode}}}");
                    let features = format!("groups: [{{numeric: [x], impute: median, bins: {bins}}}]");
                    let train_table = table(vec![("x", floats(&train))]);
                    let fitted = planned(&features, &train_table).fit(&train_table).unwrap();
                    let transformed = fitted.transform(&table(vec![("x", floats(&test))])).unwrap();
                    assert_eq!(transformed.columns.len(), fitted.names().len());
                    let stored: Json = serde_json::from_str(&fitted.to_json()).unwrap();
                    let edges = stored["features"][0]["bins"]["edges"].clone();
                    let theirs = encode.replace("one_hot", "onehot-dense");
                    cases.push(json!({
                        "train": train, "test": test, "n_bins": n_bins, "strategy": strategy, "encode": theirs,
                    }));
                    ours.push((transformed.columns, edges));
                    names.push(format!("{name}, {strategy}, {n_bins}, {encode}"));
                }
            }
        }
    }
    let theirs = judge.run(BINS, &Json::from(cases));
    for (((ours, edges), theirs), name) in ours.iter().zip(theirs.as_array().unwrap()).zip(&names) {
        let expected: Vec<Vec<f64>> = serde_json::from_value(theirs[0].clone()).unwrap();
        let edges: Vec<f64> = serde_json::from_value(edges.clone()).unwrap();
        let expected_edges: Vec<f64> = serde_json::from_value(theirs[1].clone()).unwrap();
        if !name.contains("kmeans") {
            assert_eq!((ours, edges), (&expected, expected_edges), "{name}");
            continue;
        }
        // Means end in other last bits, which may put a value on an edge into the next bin.
        assert_eq!(edges.len(), expected_edges.len(), "{name}");
        for (ours, theirs) in edges.iter().zip(&expected_edges) {
            assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{name}: {ours} {theirs}");
        }
        if edges == expected_edges {
            assert_eq!(ours, &expected, "{name}");
        }
    }
}

#[test]
fn clusters_of_few_values_and_of_nasty_ones() {
    let edges = |values: &[f64], n_bins: u32| -> Vec<f64> {
        let column: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        let features = format!("groups: [{{numeric: [x], bins: {{n_bins: {n_bins}, strategy: kmeans}}}}]");
        let train = table(vec![("x", floats(&column))]);
        let stored: Json = serde_json::from_str(&planned(&features, &train).fit(&train).unwrap().to_json()).unwrap();
        serde_json::from_value(stored["features"][0]["bins"]["edges"].clone()).unwrap()
    };
    // No more values than bins: a bin each.
    assert_eq!(edges(&[3.0, 1.0, 1.0, 2.0], 3), [1.5, 2.5]);
    assert_eq!(edges(&[3.0, 1.0, 1.0, 2.0], 40), [1.5, 2.5]);
    assert_eq!(edges(&[-0.0, 0.0, 5.0], 2), [2.5]);
    // Squares beyond the range of doubles.
    let huge = [-8e307, -7.9e307, 0.0, 1e306, 8e307, 8.9e307];
    assert_eq!(edges(&huge, 3).len(), 2);
    assert!(edges(&huge, 3).windows(2).all(|pair| pair[0] < 0.0 && pair[1] > 1e306));
    // Two far values leave centres without any, which find the rest; rows in any order give the same.
    let mut column: Vec<f64> = (0..200).map(|row| f64::from(row * row % 97) / 97.0).collect();
    column.extend([1e9, -1e9]);
    let found = edges(&column, 8);
    assert!(found[0] < -4e8 && found[1] > -1.0 && *found.last().unwrap() > 4e8, "{found:?}");
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
    column.reverse();
    assert_eq!(edges(&column, 8), found);
}
