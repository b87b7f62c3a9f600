//! What must hold for any data: nothing leaks, nothing depends on threads, files and rows give the same bits.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use trainyard_features::{FeatureTable, FittedFeatures, row_of};

use crate::given::{EVERYTHING, customers, floats, integers, planned, table, texts};

fn bits(features: &FeatureTable) -> Vec<Vec<u64>> {
    features.columns.iter().map(|column| column.iter().map(|value| value.to_bits()).collect()).collect()
}

#[test]
fn rows_not_given_to_fit_leave_no_trace() {
    let customers = customers(400, 1);
    let train = customers.slice(0, 250);
    let before = planned(EVERYTHING, &customers).fit(&train).unwrap().to_json();
    // Every cell of the other rows changes, target and key included.
    let rows = 150;
    let other = table(vec![
        ("id", texts(&vec![Some("x"); rows])),
        ("tenure", integers(&vec![Some(i64::from(u32::MAX)); rows])),
        ("MonthlyCharges", floats(&vec![Some(-1e300); rows])),
        ("Contract", texts(&vec![Some("never seen"); rows])),
        ("zone", integers(&vec![None; rows])),
        ("senior", crate::given::booleans(&vec![None; rows])),
        ("internal", floats(&vec![None; rows])),
        ("Churn", texts(&vec![Some("No"); rows])),
    ]);
    let changed = arrow_select::concat::concat_batches(&customers.schema(), [&train, &other]).unwrap();
    let fitted = planned(EVERYTHING, &changed).fit(&changed.slice(0, 250)).unwrap();
    assert_eq!(fitted.to_json(), before);
    // The test would notice: one training cell is enough to change the bytes.
    let rows: UInt64Array = (1..250).collect();
    let fewer = arrow_select::take::take_record_batch(&customers, &rows).unwrap();
    assert_ne!(planned(EVERYTHING, &customers).fit(&fewer).unwrap().to_json(), before);
}

#[test]
fn the_target_leaves_no_trace() {
    let customers = customers(200, 2);
    let before = planned(EVERYTHING, &customers).fit(&customers).unwrap().to_json();
    let at = customers.schema().index_of("Churn").unwrap();
    let mut columns: Vec<ArrayRef> = customers.columns().to_vec();
    columns[at] = texts(&vec![Some("Yes"); 200]);
    let changed = RecordBatch::try_new(customers.schema(), columns).unwrap();
    assert_eq!(planned(EVERYTHING, &changed).fit(&changed).unwrap().to_json(), before);
}

#[test]
fn one_row_and_a_table_give_the_same_bits() {
    let customers = customers(300, 3);
    let fitted = planned(EVERYTHING, &customers).fit(&customers.slice(0, 200)).unwrap();
    let whole = fitted.transform(&customers).unwrap();
    assert_eq!(whole.names, fitted.names());
    assert_eq!(whole.columns.len(), whole.names.len());
    for row in 0..300 {
        let single = fitted.transform_row(&row_of(&customers, row)).unwrap();
        let of_table: Vec<u64> = whole.columns.iter().map(|column| column[row].to_bits()).collect();
        assert_eq!(single.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), of_table, "row {row}");
    }
}

#[test]
fn json_keeps_every_bit() {
    let customers = customers(300, 4);
    let fitted = planned(EVERYTHING, &customers).fit(&customers).unwrap();
    let text = fitted.to_json();
    let read = FittedFeatures::from_json(&text).unwrap();
    assert_eq!(read, fitted);
    assert_eq!(read.to_json(), text);
    assert_eq!(bits(&read.transform(&customers).unwrap()), bits(&fitted.transform(&customers).unwrap()));
}

#[test]
fn threads_change_nothing() {
    // More rows than one thread evaluates at a time.
    let customers = customers(140_000, 5);
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let fitted = planned(EVERYTHING, &customers).fit(&customers.slice(0, 100_000)).unwrap();
            (fitted.to_json(), bits(&fitted.transform(&customers).unwrap()))
        })
    };
    let one = with_threads(1);
    assert!(one == with_threads(2));
    assert!(one == with_threads(8));
}

#[test]
fn the_order_of_rows_changes_nothing() {
    let customers = customers(300, 6);
    let groups = [
        "categorical: [Contract], encode: one_hot, min_frequency: 30",
        "categorical: [Contract], encode: native, min_frequency: 30",
        "numeric: [tenure, MonthlyCharges], impute: median, scale: min_max",
        "numeric: [tenure, MonthlyCharges], impute: mean, scale: standard",
        "numeric: [tenure, MonthlyCharges], impute: median, scale: standard",
        "numeric: [tenure, MonthlyCharges], impute: most_frequent, scale: robust",
        "numeric: [tenure, MonthlyCharges], impute: most_frequent, bins: {n_bins: 6}",
        "numeric: [tenure, MonthlyCharges], bins: {n_bins: 6, strategy: uniform, encode: ordinal}",
    ];
    for group in groups {
        let features = format!("groups: [{{{group}}}]");
        let fitted = planned(&features, &customers).fit(&customers).unwrap().to_json();
        for seed in 0..5 {
            let mut order: Vec<u64> = (0..300).collect();
            trainyard_random::Key::new(seed, "features/tests/order").stream().shuffle(&mut order);
            let turned = arrow_select::take::take_record_batch(&customers, &UInt64Array::from(order)).unwrap();
            assert_eq!(planned(&features, &customers).fit(&turned).unwrap().to_json(), fitted, "{group}");
        }
    }
}

#[test]
fn imputed_means_and_medians_are_the_fitted_ones() {
    let key = trainyard_random::Key::new(7, "features/tests/means");
    let draw = |row: u64, size: f64| (key.uniform(row) > 0.1).then(|| (key.at(row) as f64 / 1e19 - 0.9) * size);
    let mixed = |row: u64| draw(row, [1e-12, 1.0, 1e9, 1e17][row as usize % 4]);
    for rows in [2, 3, 1_000, 1_001] {
        let columns = [
            (0..rows).map(|row| draw(row, 1.0)).collect::<Vec<_>>(),
            (0..rows).map(mixed).collect(),
            (0..rows).map(|row| draw(row, 1e308)).collect(),
        ];
        for column in columns {
            let whole = column.iter().map(|value| value.map(|value| value as i64)).collect::<Vec<_>>();
            for values in [floats(&column), integers(&whole)] {
                // The last row is imputed.
                let rows =
                    arrow_select::concat::concat(&[&values, &arrow_array::new_null_array(values.data_type(), 1)]);
                let table = table(vec![("x", rows.unwrap())]);
                for name in ["mean", "median"] {
                    let features =
                        format!("columns: {{fitted: fitted_{name}(x)}}\ngroups: [{{numeric: [x], impute: {name}}}]\n");
                    let features = planned(&features, &table).fit(&table).unwrap().transform(&table).unwrap();
                    let last = |name: &str| {
                        let place = features.names.iter().position(|other| other == name).unwrap();
                        *features.columns[place].last().unwrap()
                    };
                    assert_eq!(
                        last("x").to_bits(),
                        last("fitted").to_bits(),
                        "{name}: {} {}",
                        last("x"),
                        last("fitted")
                    );
                }
            }
        }
    }
}

#[test]
fn names_say_what_a_feature_is() {
    let colors = texts(&[Some("red"), Some("red"), Some("blue"), None, None, Some("green")]);
    let sizes = texts(&[Some("S"), Some("M"), Some("M"), Some("S"), Some("S"), Some("L")]);
    let numbers = floats(&[Some(1.0); 6]);
    let table =
        table(vec![("color", colors), ("size", sizes), ("x", numbers), ("color=red", Arc::new(floats(&[None; 6])))]);
    let features = "\
columns:
  positive: x > 0
  hidden: x + 1
  shown: hidden * 2
groups:
  - {categorical: [color], encode: one_hot, min_frequency: 2}
  - {categorical: [size], encode: ordinal}
  - {numeric: [x, 'color=red']}
";
    let fitted = planned(features, &table).fit(&table).unwrap();
    // A derived column that nothing else uses is a feature as it is; one that another uses is not.
    let expected = ["color=red", "color=(missing)", "color=(rare)", "size", "x", "color=red#2", "positive", "shown"];
    assert_eq!(fitted.names(), expected);
    let inputs: Vec<String> = fitted.inputs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(inputs, ["color", "size", "x", "color=red"]);
}
