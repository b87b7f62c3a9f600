//! Synthetic tables: what they promise.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use rayon::ThreadPoolBuilder;
use trainyard_data::synth::{Classification, Format, Regression, bike, churn, classification, regression, write};
use trainyard_data::to_parquet;
use trainyard_files::DiskIo;

use crate::given::{read_bytes, types, values};

fn floats(table: &RecordBatch, column: &str) -> Vec<f64> {
    let array = table.column_by_name(column).unwrap().as_primitive::<Float64Type>();
    array.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    let product = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>()
    };
    product(a, ma, b, mb) / (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt()
}

fn positive(table: &RecordBatch, column: &str, label: &str) -> Vec<f64> {
    let labels = table.column_by_name(column).unwrap().as_string::<i64>();
    labels.iter().map(|value| f64::from(u8::from(value == Some(label)))).collect()
}

#[test]
fn the_customers_have_the_real_tables_columns_rate_and_dirt() {
    let table = churn(100_000, 1);
    let rate = mean(&positive(&table, "Churn", "Yes"));
    assert!((rate - 0.265).abs() < 0.005, "{rate}");
    let ids = table.column_by_name("customerID").unwrap().as_string::<i64>();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 100_000);
    let (tenure, total) = (values(&table, "tenure"), values(&table, "TotalCharges"));
    assert!(tenure.iter().zip(&total).all(|(tenure, total)| (*tenure == 0) == total.is_null()));
    assert!(total.iter().any(serde_json::Value::is_null));
    let floats = ["MonthlyCharges", "TotalCharges"];
    let integers = ["SeniorCitizen", "tenure"];
    let kinds = types(&table);
    assert_eq!(kinds.len(), 21);
    for (name, kind) in &kinds {
        let expected = match name.as_str() {
            name if floats.contains(&name) => "Float64",
            name if integers.contains(&name) => "Int64",
            _ => "LargeUtf8",
        };
        assert_eq!(kind, expected, "{name}");
    }
    if let Some(real) = trainyard_judges::shared("data/telco_churn/customers.csv") {
        let real = read_bytes("rows.csv", &std::fs::read(real).unwrap(), &Default::default()).unwrap();
        let names = |table: &RecordBatch| -> Vec<String> {
            table.schema().fields().iter().map(|field| field.name().clone()).collect()
        };
        assert_eq!((names(&table), types(&table)), (names(&real), types(&real)));
        let real_rate = mean(&positive(&real, "Churn", "Yes"));
        assert!((rate - real_rate).abs() < 0.005, "{rate} and {real_rate}");
    }
}

#[test]
fn the_hours_have_the_real_tables_columns_and_grow_in_time() {
    let table = bike(17_520, 1);
    let rentals: Vec<f64> = values(&table, "cnt").iter().filter_map(serde_json::Value::as_f64).collect();
    let parts = values(&table, "casual").into_iter().zip(values(&table, "registered"));
    let sums: Vec<f64> = parts.map(|(a, b)| a.as_f64().unwrap() + b.as_f64().unwrap()).collect();
    assert_eq!(rentals, sums);
    assert!((100.0..300.0).contains(&mean(&rentals)), "{}", mean(&rentals));
    assert!(mean(&rentals[8760..]) > 1.3 * mean(&rentals[..8760]));
    assert_eq!(values(&table, "dteday")[8760], "2012-01-01");
    let night =
        values(&table, "hr").into_iter().zip(&rentals).filter(|(hour, _)| *hour == 3).map(|(_, rentals)| *rentals);
    assert!(mean(&night.collect::<Vec<_>>()) < 0.5 * mean(&rentals));
    assert_eq!(bike(100, 3), bike(500, 3).slice(0, 100));
    assert_ne!(bike(100, 4), bike(100, 3));
    if let Some(real) = trainyard_judges::shared("data/bike_sharing/hour.csv") {
        let real = read_bytes("rows.csv", &std::fs::read(real).unwrap(), &Default::default()).unwrap();
        assert_eq!(types(&table), types(&real));
    }
}

#[test]
fn a_row_depends_on_the_seed_and_its_place_alone() {
    let table = churn(5000, 3);
    let bytes = to_parquet(&table).unwrap();
    for threads in [1, 2, 8] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| to_parquet(&churn(5000, 3)).unwrap()), bytes, "{threads} threads");
    }
    assert_eq!(churn(100, 3), table.slice(0, 100));
    assert_ne!(churn(100, 4), table.slice(0, 100));
    assert_eq!(churn(0, 3).num_rows(), 0);
}

fn classes() -> Classification {
    Classification {
        rows: 20_000,
        features: 6,
        informative: 2,
        redundant: 2,
        seed: 5,
        class_separation: 2.0,
        balance: 0.2,
        drift: 0.0,
    }
}

#[test]
fn classes_are_as_balanced_and_as_far_apart_as_asked() {
    let table = classification(&classes());
    let target = positive(&table, "target", "yes");
    assert!((mean(&target) - 0.2).abs() < 0.01);
    // Over both informative columns the means are two standard deviations apart, as asked.
    let apart = |column: &str, table: &RecordBatch, target: &[f64]| {
        let of = |class: f64| -> Vec<f64> {
            let pairs = floats(table, column).into_iter().zip(target);
            pairs.filter(|(_, found)| **found == class).map(|(value, _)| value).collect()
        };
        mean(&of(1.0)) - mean(&of(0.0))
    };
    let distance = ["feature_0", "feature_1"].map(|column| apart(column, &table, &target));
    assert!((distance[0].hypot(distance[1]) - 2.0).abs() < 0.1, "{distance:?}");
    for noise in ["feature_4", "feature_5"] {
        assert!(apart(noise, &table, &target).abs() < 0.1);
    }
}

#[test]
fn the_further_apart_the_classes_the_fewer_errors() {
    // The sum of the informative columns is the best score there is.
    let right = |class_separation: f64| {
        let table = classification(&Classification { class_separation, balance: 0.5, ..classes() });
        let (a, b) = (floats(&table, "feature_0"), floats(&table, "feature_1"));
        let target = positive(&table, "target", "yes");
        let right = target.iter().zip(a.iter().zip(&b)).filter(|(class, (a, b))| (**a + **b > 0.0) == (**class > 0.5));
        right.count() as f64 / 20_000.0
    };
    // The normal distribution at half the distance.
    for (separation, expected) in [(0.0, 0.5), (1.0, 0.6915), (2.0, 0.8413), (4.0, 0.9772)] {
        assert!((right(separation) - expected).abs() < 0.015, "{separation}: {}", right(separation));
    }
}

#[test]
fn made_tables_are_the_same_at_any_thread_count_and_begin_alike() {
    let numbers = |rows: u64, seed: u64| {
        regression(&Regression { rows, features: 4, informative: 2, redundant: 1, seed, noise: 1.0, drift: 0.0 })
    };
    let labels = |rows: u64, seed: u64| classification(&Classification { rows, seed, ..classes() });
    for make in [&numbers as &(dyn Fn(u64, u64) -> RecordBatch + Sync), &labels] {
        let table = make(3000, 1);
        for threads in [1, 2, 8] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| make(3000, 1)), table, "{threads} threads");
        }
        assert_eq!(make(100, 1), table.slice(0, 100));
        assert_ne!(make(100, 2), table.slice(0, 100));
    }
}

#[test]
fn redundant_columns_are_mixtures_of_informative_ones() {
    let table = classification(&classes());
    let [a, b] = ["feature_0", "feature_1"].map(|column| floats(&table, column));
    for redundant in ["feature_2", "feature_3"] {
        let mixed = floats(&table, redundant);
        // Two rows give the two weights; all others follow.
        let determinant = a[0] * b[1] - a[1] * b[0];
        let (x, y) =
            ((mixed[0] * b[1] - mixed[1] * b[0]) / determinant, (a[0] * mixed[1] - a[1] * mixed[0]) / determinant);
        let wrong = (0..mixed.len()).map(|row| (mixed[row] - x * a[row] - y * b[row]).abs()).fold(0.0, f64::max);
        assert!(wrong < 1e-9, "{redundant}: {wrong}");
    }
}

#[test]
fn numbers_follow_the_informative_columns_and_the_noise_asked_for() {
    let asked = Regression { rows: 20_000, features: 4, informative: 1, redundant: 1, seed: 2, noise: 0.0, drift: 0.0 };
    let exact = regression(&asked);
    let of = |table: &RecordBatch, column: &str| correlation(&floats(table, column), &floats(table, "target"));
    assert!((of(&exact, "feature_0") - 1.0).abs() < 1e-12);
    assert!((of(&exact, "feature_1").abs() - 1.0).abs() < 1e-12);
    assert!(of(&exact, "feature_2").abs() < 0.03);
    let noisy = regression(&Regression { noise: 50.0, ..asked });
    let noise: Vec<f64> =
        floats(&noisy, "target").iter().zip(floats(&exact, "target")).map(|(noisy, exact)| noisy - exact).collect();
    let deviation = (noise.iter().map(|value| value * value).sum::<f64>() / noise.len() as f64).sqrt();
    assert!((deviation - 50.0).abs() < 1.0, "{deviation}");
}

#[test]
fn drift_moves_the_means_from_the_first_row_to_the_last() {
    let still = classification(&classes());
    let moving = classification(&Classification { drift: 3.0, ..classes() });
    for column in ["feature_0", "feature_1", "feature_4"] {
        let (before, after) = (floats(&still, column), floats(&moving, column));
        let by = |row: usize| after[row] - before[row];
        assert!(by(0).abs() < 1e-9 && (by(19_999) - 3.0).abs() < 1e-9 && (by(10_000) - 1.5).abs() < 1e-3, "{column}");
    }
}

#[test]
fn csv_parquet_and_sqlite_hold_the_same_table() {
    let table = churn(300, 9);
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [("t.csv", Format::Csv), ("t.parquet", Format::Parquet), ("t.db", Format::Sqlite)] {
        let path = folder.path().join(name);
        write(&DiskIo, &table, &path, format).unwrap();
        if format == Format::Sqlite {
            let connection = rusqlite::Connection::open(&path).unwrap();
            let name: String = connection
                .query_row("SELECT name FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
                .unwrap();
            let mut select = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let names: Vec<String> = select.column_names().map(str::to_owned).collect();
            assert_eq!(names, table.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>());
            let columns: Vec<Vec<serde_json::Value>> = names.iter().map(|name| values(&table, name)).collect();
            let mut rows = select.query([]).unwrap();
            for at in 0..300 {
                let row = rows.next().unwrap().unwrap();
                for (column, expected) in columns.iter().enumerate() {
                    let found: serde_json::Value = match row.get::<_, rusqlite::types::Value>(column).unwrap() {
                        rusqlite::types::Value::Null => serde_json::Value::Null,
                        rusqlite::types::Value::Integer(value) => value.into(),
                        rusqlite::types::Value::Real(value) => value.into(),
                        rusqlite::types::Value::Text(value) => value.into(),
                        rusqlite::types::Value::Blob(_) => panic!("{} is a blob", names[column]),
                    };
                    assert_eq!(found, expected[at], "{} in row {at}", names[column]);
                }
            }
            assert!(rows.next().unwrap().is_none());
        } else {
            let again = read_bytes(name, &std::fs::read(&path).unwrap(), &Default::default()).unwrap();
            assert_eq!(to_parquet(&again).unwrap(), to_parquet(&table).unwrap(), "{name}");
        }
    }
}
