//! Linear models at scikit-learn's optimum.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{Error, LinearModel, LogisticParameters, logistic_regression, ridge};
use trainyard_random::Key;

use crate::data::{Table, json, json_columns};

const LOGISTIC: &str = r#"
import numpy as np
from sklearn.linear_model import LogisticRegression
answer = []
for case in data:
    X, y = np.array(case["columns"]).T, np.array(case["targets"])
    w = None if case["weights"] is None else np.array(case["weights"])
    model = LogisticRegression(C=case["strength"], tol=1e-13, max_iter=20000, solver="newton-cholesky")
    model.fit(X, y, sample_weight=w)
    answer.append(dict(coefficients=model.coef_[0], intercept=model.intercept_[0]))
"#;

const RIDGE: &str = r#"
import numpy as np
from sklearn.linear_model import Ridge
answer = []
for case in data:
    X, y = np.array(case["columns"]).T, np.array(case["targets"])
    w = None if case["weights"] is None else np.array(case["weights"])
    model = Ridge(alpha=case["strength"], solver="svd").fit(X, y, sample_weight=w)
    answer.append(dict(coefficients=model.coef_, intercept=model.intercept_, predictions=model.predict(X)))
"#;

/// A fit to compare: `strength` is the `c` of logistic regression and the `alpha` of ridge.
struct Case<'a> {
    name: &'static str,
    table: &'a Table,
    weights: Option<&'a [f64]>,
    strength: f64,
}

fn case<'a>(name: &'static str, table: &'a Table, strength: f64) -> Case<'a> {
    Case { name, table, weights: None, strength }
}

/// Fits every case on the judge's side; `None` where there is no judge.
fn judged(script: &str, cases: &[Case<'_>]) -> Option<Vec<Value>> {
    let request = cases.iter().map(|case| {
        json!({
            "columns": json_columns(&case.table.columns), "targets": json(&case.table.targets),
            "weights": case.weights.map(json), "strength": case.strength,
        })
    });
    let answers = trainyard_judges::python("core")?.run(script, &request.collect());
    Some(answers.as_array().expect("a list").clone())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// Asks for coefficients within `tolerance` of the judge's, relative to the largest where that is above 1.
fn close(name: &str, model: &LinearModel, answer: &Value, tolerance: f64) {
    let theirs = numbers(&answer["coefficients"]);
    let largest = theirs.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
    for (ours, theirs) in model.coefficients.iter().zip(&theirs) {
        assert!((ours - theirs).abs() <= tolerance * largest, "{name}: {ours} {theirs}");
    }
    let theirs = number(&answer["intercept"]);
    let size = theirs.abs().max(largest);
    assert!((model.intercept - theirs).abs() <= tolerance * size, "{name}: intercept {} {theirs}", model.intercept);
}

fn logistic_is_close(cases: &[Case<'_>]) {
    for (case, answer) in cases.iter().zip(judged(LOGISTIC, cases).unwrap_or_default()) {
        let parameters = LogisticParameters { c: case.strength, tol: 1e-10, max_iter: 2_000, ..Default::default() };
        let (matrix, targets) = (case.table.matrix(), &case.table.targets);
        let model = logistic_regression(&matrix, targets, case.weights, &parameters).expect("a fit");
        assert!(model.converged, "{}", case.name);
        close(case.name, &model, &answer, 1e-6);
    }
}

fn ridge_is_close(cases: &[Case<'_>]) {
    for (case, answer) in cases.iter().zip(judged(RIDGE, cases).unwrap_or_default()) {
        let matrix = case.table.matrix();
        let model = ridge(&matrix, &case.table.targets, case.weights, case.strength).expect("a fit");
        assert!(model.converged, "{}", case.name);
        close(case.name, &model, &answer, 1e-9);
        for (ours, theirs) in model.predict(&matrix).iter().zip(numbers(&answer["predictions"])) {
            assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{}: {ours} {theirs}", case.name);
        }
    }
}

fn standardized(mut table: Table) -> Table {
    for column in &mut table.columns {
        let mean = column.iter().sum::<f64>() / column.len() as f64;
        let spread =
            (column.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / column.len() as f64).sqrt();
        column.iter_mut().for_each(|value| *value = (*value - mean) / spread);
    }
    table
}

#[test]
fn logistic_regression_on_real_data() {
    let (Some(cancer), Some(credit)) = (Table::breast_cancer(), Table::german_credit()) else { return };
    let plain = standardized(Table { columns: cancer.columns.clone(), targets: cancer.targets.clone() });
    let weights: Vec<f64> = (0..plain.rows()).map(|row| 0.25 * (row % 5) as f64).collect();
    logistic_is_close(&[
        case("breast_cancer as it is", &cancer, 1.0),
        case("breast_cancer, strong penalty", &plain, 0.01),
        case("breast_cancer", &plain, 1.0),
        case("breast_cancer, weak penalty", &plain, 100.0),
        Case { weights: Some(&weights), ..case("breast_cancer weighted", &plain, 1.0) },
        case("german_credit as it is", &credit, 1.0),
    ]);
}

#[test]
fn logistic_regression_on_hard_data() {
    let mut table = Table::synthetic(400, 6, 1).complete();
    let separable = Table {
        targets: table.columns[0].iter().map(|value| f64::from(u8::from(*value > 0.5))).collect(),
        columns: table.columns[..2].to_vec(),
    };
    table.columns.push(table.columns[0].iter().map(|value| 2.0 * value).collect());
    table.columns.push(table.columns[0].clone());
    table.columns.push(vec![3.0; 400]);
    logistic_is_close(&[
        case("collinear and constant columns", &table, 10.0),
        case("separable", &separable, 1.0),
        case("separable, hardly penalised", &separable, 1e6),
    ]);
    let endless = LogisticParameters { c: f64::INFINITY, tol: 1e-10, max_iter: 15, ..Default::default() };
    let model = logistic_regression(&separable.matrix(), &separable.targets, None, &endless).expect("a fit");
    assert!(!model.converged);
    assert!(model.coefficients.iter().all(|value| value.is_finite()));
}

#[test]
fn logistic_regression_of_many_columns() {
    let key = Key::new(2, "learn/tests/wide");
    let (rows, columns) = (500, 300);
    let columns: Vec<Vec<f64>> =
        (0..columns).map(|column| (0..rows).map(|row| key.derive(column).uniform(row) - 0.5).collect()).collect();
    let targets = (0..rows as usize).map(|row| f64::from(u8::from(columns[0][row] + columns[7][row] > 0.1))).collect();
    logistic_is_close(&[case("more columns than Newton's method takes", &Table { columns, targets }, 1.0)]);
}

#[test]
fn logistic_regression_of_many_columns_whose_sample_misleads() {
    let key = Key::new(3, "learn/tests/misleading");
    // Of 1,804 rows every second is sampled.
    let (rows, columns) = (1_804, 260);
    let column = |column: u64| -> Vec<f64> { (0..rows).map(|row| key.derive(column).uniform(row) - 0.5).collect() };
    let mut columns: Vec<Vec<f64>> = (0..columns).map(column).collect();
    for place in 200..260 {
        let (mixed, other) = (columns[place % 7].clone(), 0.1 * (place - 199) as f64);
        columns[place].iter_mut().zip(mixed).for_each(|(cell, mixed)| *cell = (0.1 * *cell + mixed) * 0.1 + other);
    }
    let noisy = |row: u64| columns[0][row as usize] + columns[9][row as usize] + key.derive(1 << 40).uniform(row) > 0.9;
    let honest = (0..rows).map(|row| f64::from(u8::from(noisy(row)))).collect();
    let of_one_class = (0..rows).map(|row| f64::from(u8::from(row % 2 == 0 || noisy(row)))).collect();
    let weights: Vec<f64> = (0..rows).map(|row| (row % 2 * 3) as f64).collect();
    let honest = Table { columns: columns.clone(), targets: honest };
    let of_one_class = Table { columns, targets: of_one_class };
    logistic_is_close(&[
        case("alike columns", &honest, 1.0),
        Case { weights: Some(&weights), ..case("a sample without weight", &honest, 1.0) },
        case("a sample of one class", &of_one_class, 1.0),
    ]);
}

#[test]
fn ridge_of_more_columns_than_normal_equations_are_built_for() {
    let key = Key::new(7, "learn/tests/wide ridge");
    let table = |rows: u64, columns: u64| {
        let column = |column: u64| (0..rows).map(|row| key.derive(column).uniform(row) * 10.0 - 3.0).collect();
        let mut columns: Vec<Vec<f64>> = (0..columns).map(column).collect();
        columns[1] = columns[0].iter().map(|value| 2.0 * value + 1.0).collect();
        columns[2].fill(4.0);
        columns[3].iter_mut().for_each(|value| *value *= 100.0);
        let target = |row: usize| columns[0][row] - columns[5][row] + key.derive(1 << 40).uniform(row as u64);
        let targets = (0..rows as usize).map(target).collect();
        Table { columns, targets }
    };
    let (few, many) = (table(200, 1_300), table(1_500, 1_100));
    ridge_is_close(&[
        case("fewer rows than columns", &few, 1.0),
        case("fewer rows than columns, strong penalty", &few, 1e3),
        case("more rows than columns", &many, 1.0),
    ]);
}

#[test]
fn ridge_on_real_data() {
    let (Some(table), Some(housing)) = (Table::diabetes(), Table::california_housing()) else { return };
    let weights: Vec<f64> = (0..table.rows()).map(|row| 0.5 + (row % 3) as f64).collect();
    let housing = housing.complete();
    let mut cases = vec![case("diabetes without penalty", &table, 0.0), case("california_housing", &housing, 1.0)];
    for alpha in [1e-6, 0.1, 1.0, 1e4] {
        cases.push(case("diabetes", &table, alpha));
        cases.push(Case { weights: Some(&weights), ..case("diabetes weighted", &table, alpha) });
    }
    ridge_is_close(&cases);
}

#[test]
fn ridge_on_hard_data() {
    let mut table = Table::synthetic(300, 6, 3).complete();
    table.columns.push(table.columns[0].iter().map(|value| 2.0 * value).collect());
    table.columns.push(vec![3.0; 300]);
    let few = Table {
        columns: table.columns.iter().map(|column| column[..4].to_vec()).collect(),
        targets: vec![1.0, 0.0, 0.0, 3.0],
    };
    ridge_is_close(&[case("collinear and constant columns", &table, 0.5), case("fewer rows than columns", &few, 0.1)]);
    // Without a penalty the solution is not unique, but what it predicts is.
    let almost = [case("hardly penalised", &table, 1e-9)];
    let model = ridge(&table.matrix(), &table.targets, None, 0.0).expect("a fit");
    assert!(model.converged);
    for answer in judged(RIDGE, &almost).unwrap_or_default() {
        for (ours, theirs) in model.predict(&table.matrix()).iter().zip(numbers(&answer["predictions"])) {
            assert!((ours - theirs).abs() <= 1e-7, "{ours} {theirs}");
        }
    }
}

#[test]
fn a_fit_says_whether_it_converged() {
    let key = Key::new(5, "learn/tests/converged");
    let targets: Vec<f64> = (0..400).map(|row| key.uniform(row)).collect();
    let noise: Vec<f64> = (0..400).map(|row| key.derive(1).uniform(row)).collect();
    let near = |step: f64| -> Vec<f64> {
        noise.iter().zip(0..).map(|(cell, row)| cell + step * key.derive(2).uniform(row)).collect()
    };
    let fit = |columns: Vec<Vec<f64>>| {
        let table = Table { columns, targets: targets.clone() };
        ridge(&table.matrix(), &table.targets, None, 0.0).expect("a fit")
    };
    assert!(fit(vec![noise.clone(), near(1e-3)]).converged);
    // Two columns that differ only in their last digits: 21 corrections do not get to the bottom.
    let model = fit(vec![noise.clone(), near(1e-8)]);
    assert!(!model.converged, "{model:?}");
    assert!(model.coefficients.iter().all(|value| value.is_finite()));
}

#[test]
fn numbers_beyond_doubles_are_a_typed_error() {
    let table = Table { columns: vec![vec![0.0, 1e-90, 2e-90, 0.0]], targets: vec![0.0, 1.0, 0.0, 1.0] };
    // The penalty of the scaled column is infinite.
    let diverged = ridge(&table.matrix(), &table.targets, None, 1e200);
    assert_eq!(diverged, Err(Error::Diverged { operation: "ridge regression" }));
    let endless = LogisticParameters { c: 1e-200, ..LogisticParameters::default() };
    let diverged = logistic_regression(&table.matrix(), &table.targets, None, &endless);
    assert_eq!(diverged, Err(Error::Diverged { operation: "logistic regression" }));
}

#[test]
fn messages_count_rows_from_one_and_write_few_digits() {
    let mut table = Table { columns: vec![vec![1.0; 4], vec![2.0; 4]], targets: vec![0.0, 1.0, 0.0, 1.0] };
    let message = |table: &Table, weights: Option<&[f64]>| {
        let error = ridge(&table.matrix(), &table.targets, weights, 1.0).expect_err("an error").diagnostic();
        format!("{}; {}", error.title, error.help.join("; "))
    };
    assert_eq!(
        message(&table, Some(&[1.0, -1e-30, 1.0, 1.0])),
        "ridge regression cannot work with the weight -1e-30 of row 2; "
    );
    assert_eq!(message(&table, Some(&[0.0; 4])), "ridge regression cannot work with weights that add up to 0; ");
    table.targets[2] = -1e200;
    assert_eq!(
        message(&table, None),
        "ridge regression cannot work with the target -1e200 of row 3, which is beyond 1e150; \
         bring the target into another unit: beyond 1e150 its square is no longer a number"
    );
    table.columns[1][3] = 1e300;
    table.targets[2] = 2.5;
    assert_eq!(
        message(&table, None),
        "ridge regression needs numbers up to 1e150, but column 2 has 1e300 in row 4; derive a smaller column, in \
         another unit or as a logarithm: beyond 1e150 its square is no longer a number"
    );
    table.columns[1][3] = f64::INFINITY;
    assert!(message(&table, None).starts_with("ridge regression needs finite numbers, but column 2 has inf in row 4;"));
    table.targets[0] = f64::NAN;
    assert!(message(&table, None).starts_with("ridge regression cannot work with the target NaN of row 1;"));
}

#[test]
fn without_columns_the_intercept_is_the_mean() {
    let table = Table { columns: Vec::new(), targets: vec![0.0, 1.0, 1.0, 1.0] };
    let model = ridge(&table.matrix(), &table.targets, None, 1.0).expect("a fit");
    assert_eq!((model.intercept, model.coefficients.len()), (0.75, 0));
    let usual = LogisticParameters::default();
    let model = logistic_regression(&table.matrix(), &table.targets, None, &usual).expect("a fit");
    assert!((model.intercept - libm::log(3.0)).abs() < 1e-12 && model.converged);
}

#[test]
fn bad_input_is_a_typed_error() {
    let mut table = Table::synthetic(30, 2, 4);
    let usual = LogisticParameters::default();
    let fit = |table: &Table, targets: &[f64]| logistic_regression(&table.matrix(), targets, None, &usual);
    assert!(matches!(fit(&table, &[0.0; 30]), Err(Error::OneClass { class: 0.0, .. })));
    assert!(matches!(fit(&table, &[2.0; 30]), Err(Error::Target { row: 0, .. })));
    let wrong = LogisticParameters { c: 0.0, ..usual.clone() };
    let answer = logistic_regression(&table.matrix(), &table.targets, None, &wrong);
    assert!(matches!(answer, Err(Error::Parameter { name: "c", .. })));
    assert!(matches!(ridge(&table.matrix(), &table.targets, None, -1.0), Err(Error::Parameter { name: "alpha", .. })));
    table.columns[1][7] = f64::NAN;
    assert!(matches!(fit(&table, &table.targets), Err(Error::NotFinite { column: 1, row: 7, .. })));
    assert!(matches!(
        ridge(&table.matrix(), &table.targets, None, 1.0),
        Err(Error::NotFinite { column: 1, row: 7, .. })
    ));
    table.columns[1][7] = 1e200;
    assert!(matches!(
        ridge(&table.matrix(), &table.targets, None, 1.0),
        Err(Error::NotFinite { column: 1, row: 7, .. })
    ));
    let empty = Table { columns: vec![Vec::new()], targets: Vec::new() };
    assert!(matches!(fit(&empty, &[]), Err(Error::Empty { .. })));
    assert!(matches!(ridge(&empty.matrix(), &[], None, 1.0), Err(Error::Empty { .. })));
}
