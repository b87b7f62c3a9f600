//! Several classes: metrics, fits and their promises.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::metrics::{self, Scored, Task};
use trainyard_learn::{
    Binning, BoostingFit, BoostingParameters, Error, LinearModel, LogisticParameters, Matrix, Objective, Validation,
    boost, multinomial_regression, softmax, stratified_folds,
};
use trainyard_random::Key;

use crate::data::{Table, json, json_columns, with_threads};

const METRICS: &str = r#"
import numpy as np
from sklearn import metrics as m
answer = []
for case in data:
    y, k = np.array(case["y"], dtype=int), case["classes"]
    p = np.array(case["p"]).reshape(-1, k)
    c, every = p.argmax(1), list(range(k))
    one = np.eye(k)[y]
    whole = len(set(y)) == k
    macro = dict(labels=every, average="macro", zero_division=0)
    answer.append(dict(
        accuracy=m.accuracy_score(y, c), precision=m.precision_score(y, c, **macro),
        recall=m.recall_score(y, c, **macro), f1=m.f1_score(y, c, **macro),
        log_loss=m.log_loss(y, p, labels=every), brier=m.brier_score_loss(y, p, labels=every),
        roc_auc=m.roc_auc_score(one, p, average="macro") if whole else None,
        average_precision=m.average_precision_score(one, p, average="macro") if whole else None,
        confusion=m.confusion_matrix(y, c, labels=every)))
"#;

const MULTINOMIAL: &str = r#"
import numpy as np
from sklearn.linear_model import LogisticRegression
answer = []
for case in data:
    X, y = np.array(case["columns"]).T, np.array(case["targets"])
    w = None if case["weights"] is None else np.array(case["weights"])
    model = LogisticRegression(C=case["strength"], tol=1e-12, max_iter=50000, solver="lbfgs").fit(X, y, sample_weight=w)
    for _ in range(20):  # Newton-CG ends nearer to the optimum than L-BFGS can measure
        model.set_params(solver="newton-cg", warm_start=True, tol=1e-13).fit(X, y, sample_weight=w)
    answer.append(dict(coefficients=model.coef_, intercepts=model.intercept_))
"#;

const BOOSTING: &str = r#"
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, accuracy_score
X, y, folds = np.array(data["columns"]).T, np.array(data["targets"]), np.array(data["folds"])
answer = []
for fold in range(5):
    train, test = folds != fold, folds == fold
    model = HistGradientBoostingClassifier(early_stopping=False, max_iter=data["trees"]).fit(X[train], y[train])
    p = model.predict_proba(X[test])
    answer.append([log_loss(y[test], p), accuracy_score(y[test], p.argmax(1))])
"#;

const DIGITS: &str = r#"
from sklearn.datasets import load_digits
digits = load_digits()
answer = dict(columns=digits.data.T, targets=digits.target.astype(float))
"#;

/// Reads scikit-learn's digits: 1,797 rows of 64 pixels, ten classes.
fn digits() -> Option<Table> {
    let answer = trainyard_judges::python("core")?.run(DIGITS, &Value::Null);
    let list = |value: &Value| value.as_array().expect("a list").iter().map(number).collect::<Vec<f64>>();
    Some(Table {
        columns: answer["columns"].as_array().expect("a list").iter().map(list).collect(),
        targets: list(&answer["targets"]),
    })
}

/// Draws `rows` probabilities of `classes` classes in `levels` steps, and targets that follow them.
fn drawn(rows: u64, classes: usize, levels: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let key = Key::new(seed, "learn/tests/multiclass");
    let (mut targets, mut predictions) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let weights: Vec<f64> =
            (0..classes as u64).map(|class| 1.0 + (key.uniform(row * 64 + class) * levels).floor()).collect();
        let total: f64 = weights.iter().sum();
        let mut left = key.uniform(1 << 40 | row) * total;
        let class = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        targets.push(class.unwrap_or(0) as f64);
        predictions.extend(weights.iter().map(|weight| weight / total));
    }
    (targets, predictions)
}

#[test]
fn metrics_agree_with_scikit_learn() {
    let (y, p) = drawn(1_000, 3, 1e6, 1);
    let (tied_y, tied_p) = drawn(1_000, 4, 3.0, 2);
    let (many_y, many_p) = drawn(600, 10, 20.0, 3);
    let certain: Vec<f64> =
        y.iter().flat_map(|y| (0..3).map(move |class| f64::from(u8::from(class as f64 == *y)))).collect();
    let cases = [
        (y.clone(), p.clone(), 3),
        (tied_y, tied_p, 4),
        (many_y, many_p, 10),
        (y.clone(), certain, 3),
        (y.clone(), vec![1.0 / 3.0; 3_000], 3),
        // The last class has no row, and none is predicted.
        (vec![0.0, 1.0, 1.0], vec![0.6, 0.3, 0.1, 0.5, 0.4, 0.1, 0.2, 0.7, 0.1], 3),
    ];
    let Some(judge) = trainyard_judges::python("core") else { return };
    let request = cases.iter().map(|(y, p, classes)| json!({"y": json(y), "p": json(p), "classes": classes})).collect();
    let answers = judge.run(METRICS, &request);
    for ((y, p, classes), theirs) in cases.iter().zip(answers.as_array().expect("a list")) {
        let task = Task::Multiclass { classes: *classes };
        for (name, ours) in metrics::multiclass(y, p, *classes).expect("metrics") {
            let alone = metrics::by_name(&name, task, y, p, 0.5).expect("a metric");
            assert_eq!(alone.to_bits(), ours.to_bits(), "{name}");
            if theirs[&name].is_null() {
                assert!(ours.is_nan() || name == "average_precision", "{name}: {ours}");
            } else {
                let theirs = number(&theirs[&name]);
                assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{name}: {ours} {theirs}");
            }
        }
        let scored = Scored { task, targets: y, predictions: p, weights: None, threshold: 0.5 };
        let counts: Vec<Vec<u64>> =
            scored.confusion().expect("counts").iter().map(|row| row.iter().map(|of| *of as u64).collect()).collect();
        assert_eq!(json!(counts), theirs["confusion"]);
    }
}

#[test]
fn metrics_refuse_what_is_no_class_and_no_probability() {
    let task = Task::Multiclass { classes: 3 };
    let refused = |y: &[f64], p: &[f64]| metrics::by_name("f1", task, y, p, 0.5).expect_err("a refusal");
    assert!(matches!(refused(&[3.0], &[0.2, 0.3, 0.5]), Error::Target { row: 0, .. }));
    assert!(matches!(refused(&[0.5], &[0.2, 0.3, 0.5]), Error::Target { row: 0, .. }));
    assert!(matches!(refused(&[0.0, 1.0], &[0.2, 0.3, 0.5, 0.1, 1.1, 0.0]), Error::Prediction { row: 1, .. }));
    assert!(matches!(refused(&[0.0, 1.0], &[0.2, 0.3]), Error::Length { expected: 6, got: 2, .. }));
    assert!(matches!(refused(&[], &[]), Error::Empty { .. }));
    let unknown = metrics::by_name("rmse", task, &[0.0], &[1.0, 0.0, 0.0], 0.5).expect_err("a refusal");
    assert!(matches!(unknown, Error::UnknownMetric { .. }));
}

#[test]
fn intervals_hold_the_value_and_do_not_depend_on_threads_or_rows() {
    let (y, p) = drawn(3_000, 3, 9.0, 4);
    let (_, other) = drawn(3_000, 3, 9.0, 5);
    let task = Task::Multiclass { classes: 3 };
    let values = metrics::multiclass(&y, &p, 3).expect("metrics");
    let intervals = |y: &[f64], p: &[f64]| metrics::bootstrap(task, y, p, 0.5, 200, 1).expect("intervals");
    let alone = with_threads(1, || intervals(&y, &p));
    for (name, interval) in &alone {
        assert!(interval.low < values[name] && values[name] < interval.high, "{name}: {interval:?}");
        // Of 3,000 rows a 95 % interval of any of these is narrower than this.
        assert!(interval.high - interval.low < 0.06 && interval.skipped == 0, "{name}: {interval:?}");
    }
    assert_eq!(with_threads(8, || intervals(&y, &p)), alone);
    let mut order: Vec<usize> = (0..3_000).collect();
    Key::new(1, "learn/tests/order").stream().shuffle(&mut order);
    let rows =
        |values: &[f64]| order.iter().flat_map(|row| values[row * 3..row * 3 + 3].to_vec()).collect::<Vec<f64>>();
    let shuffled: Vec<f64> = order.iter().map(|row| y[*row]).collect();
    assert_eq!(intervals(&shuffled, &rows(&p)), alone);
    for metric in task.metrics() {
        let pair = |y: &[f64], a: &[f64], b: &[f64]| {
            metrics::paired_bootstrap(metric, task, y, a, b, 0.5, 200, 1).expect("a pair")
        };
        let found = pair(&y, &p, &other);
        assert!(found.p_value < 0.02 && found.low * found.high > 0.0, "{metric}: {found:?}");
        assert_eq!(pair(&shuffled, &rows(&p), &rows(&other)), found, "{metric}");
        assert_eq!(pair(&y, &p, &p).difference, 0.0);
    }
}

fn standardised(table: Table) -> Table {
    let scale = |column: Vec<f64>| {
        let count = column.len() as f64;
        let mean = column.iter().sum::<f64>() / count;
        let deviation = (column.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt();
        column.iter().map(|value| (value - mean) / deviation).collect()
    };
    Table { columns: table.columns.into_iter().map(scale).collect(), targets: table.targets }
}

#[test]
fn multinomial_regression_ends_at_scikit_learns_optimum() {
    let Some((judge, wine)) = trainyard_judges::python("core").zip(Table::wine()) else { return };
    let wine = standardised(wine);
    let raw = Table::penguins().map(|table| table.filter_complete_rows()).expect("the data is there");
    let weights: Vec<f64> = (0..wine.rows()).map(|row| (row % 4) as f64).collect();
    let mut digits = digits().expect("the judge is there");
    digits.columns.iter_mut().flatten().for_each(|cell| *cell /= 16.0);
    let cases = [
        ("digits, more places than Newton's method takes", &digits, None, 1.0),
        ("wine", &wine, None, 1.0),
        ("wine, weighted", &wine, Some(weights.as_slice()), 0.3),
        ("wine, little penalty", &wine, None, 100.0),
        ("penguins, in millimetres and grams", &raw, None, 1.0),
    ];
    let request = cases.iter().map(|(_, table, weights, strength)| {
        json!({
            "columns": json_columns(&table.columns), "targets": json(&table.targets),
            "weights": weights.map(json), "strength": strength,
        })
    });
    let answers = judge.run(MULTINOMIAL, &request.collect());
    for ((name, table, weights, strength), theirs) in cases.iter().zip(answers.as_array().expect("a list")) {
        let parameters = LogisticParameters { c: *strength, tol: 1e-9, max_iter: 20_000, ..Default::default() };
        let classes = theirs["intercepts"].as_array().expect("a list").len();
        let fit = multinomial_regression(&table.matrix(), &table.targets, classes, *weights, &parameters);
        let models = fit.expect("a fit");
        assert!(models.iter().all(|model| model.converged), "{name}");
        // Intercepts are known up to a constant, which moves no probability.
        let theirs_mean: f64 =
            theirs["intercepts"].as_array().expect("a list").iter().map(number).sum::<f64>() / models.len() as f64;
        assert!(models.iter().map(|model| model.intercept).sum::<f64>().abs() < 1e-9, "{name}");
        for (class, model) in models.iter().enumerate() {
            let coefficients = theirs["coefficients"][class].as_array().expect("a list");
            for (ours, theirs) in model.coefficients.iter().zip(coefficients) {
                assert!((ours - number(theirs)).abs() < 1e-6, "{name}: {ours} {theirs}");
            }
            let theirs = number(&theirs["intercepts"][class]) - theirs_mean;
            assert!(
                (model.intercept - theirs).abs() < 2e-4 * theirs.abs().max(1.0),
                "{name}: {} {theirs}",
                model.intercept
            );
        }
    }
}

#[test]
fn a_row_of_weight_two_is_two_rows() {
    let Some(wine) = Table::wine().map(standardised) else { return };
    let weights: Vec<f64> = (0..wine.rows()).map(|row| if row.is_multiple_of(3) { 2.0 } else { 1.0 }).collect();
    let again = wine.filter(|row| row.is_multiple_of(3));
    let columns = wine.columns.iter().zip(&again.columns).map(|(all, again)| [all.as_slice(), again].concat());
    let doubled = Table { columns: columns.collect(), targets: [wine.targets.as_slice(), &again.targets].concat() };
    let parameters = LogisticParameters { tol: 1e-10, max_iter: 5_000, ..Default::default() };
    let fit = |table: &Table, weights: Option<&[f64]>| -> Vec<LinearModel> {
        multinomial_regression(&table.matrix(), &table.targets, 3, weights, &parameters).expect("a fit")
    };
    for (weighted, doubled) in fit(&wine, Some(&weights)).iter().zip(fit(&doubled, None)) {
        for (a, b) in weighted.coefficients.iter().zip(&doubled.coefficients) {
            assert!((a - b).abs() < 1e-8, "{a} {b}");
        }
    }
}

fn boosted(table: &Table, classes: usize, parameters: &BoostingParameters, weights: Option<&[f64]>) -> BoostingFit {
    let binning = Binning::fit(&table.matrix(), parameters.max_bins);
    let binned = binning.apply(&table.matrix());
    let objective = Objective::MulticlassLogLoss { classes };
    boost(&binned, &binning, &table.targets, weights, parameters, objective, None, &|_| true).expect("a fit")
}

fn probabilities(fit: &BoostingFit, matrix: &Matrix<'_>) -> Vec<f64> {
    let margins: Vec<Vec<f64>> = fit.ensembles.iter().map(|ensemble| ensemble.predict_margin(matrix)).collect();
    let row = |row: usize| {
        let mut of_row: Vec<f64> = margins.iter().map(|margins| margins[row]).collect();
        softmax(&mut of_row);
        of_row
    };
    (0..matrix.rows()).flat_map(row).collect()
}

#[expect(clippy::print_stdout, reason = "the numbers are worth a look: `--no-capture` shows them")]
fn is_as_good(name: &str, table: Option<Table>, classes: usize, trees: usize) {
    let Some((judge, table)) = trainyard_judges::python("core").zip(table) else { return };
    let strata: Vec<u32> = table.targets.iter().map(|target| *target as u32).collect();
    let folds = stratified_folds(&strata, &(0..table.rows() as u64).collect::<Vec<u64>>(), 5, 42);
    let request = json!({
        "columns": json_columns(&table.columns), "targets": json(&table.targets), "folds": folds, "trees": trees,
    });
    let theirs = judge.run(BOOSTING, &request);
    let (mut ours_sum, mut theirs_sum) = ([0.0; 2], [0.0; 2]);
    for fold in 0..5 {
        let (train, test) = (table.filter(|row| folds[row] != fold), table.filter(|row| folds[row] == fold));
        let fit = boosted(&train, classes, &BoostingParameters { max_iter: trees, ..Default::default() }, None);
        let found = metrics::multiclass(&test.targets, &probabilities(&fit, &test.matrix()), classes).expect("metrics");
        for (at, metric) in ["log_loss", "accuracy"].into_iter().enumerate() {
            ours_sum[at] += found[metric] / 5.0;
            theirs_sum[at] += number(&theirs[fold as usize][at]) / 5.0;
        }
    }
    println!("{name}: log loss and accuracy {ours_sum:.4?}, scikit-learn {theirs_sum:.4?}");
    assert!(ours_sum[0] <= theirs_sum[0] * 1.05 + 0.005, "{name}: {ours_sum:?} {theirs_sum:?}");
    assert!(ours_sum[1] >= theirs_sum[1] - 0.01, "{name}: {ours_sum:?} {theirs_sum:?}");
}

#[test]
fn boosting_is_as_good_on_penguins() {
    is_as_good("penguins", Table::penguins(), 3, 50);
}

#[test]
fn boosting_is_as_good_on_wine() {
    is_as_good("wine", Table::wine(), 3, 50);
}

#[test]
fn boosting_is_as_good_on_digits() {
    is_as_good("digits", digits(), 10, 50);
}

/// A table of four classes, one of them rare.
fn four_classes(rows: usize, seed: u64) -> Table {
    let table = Table::synthetic(rows, 6, seed);
    let class = |row: usize| {
        let score = table.columns[0][row] + table.columns[1][row];
        if row.is_multiple_of(50) { 3.0 } else { (score * 1.5).floor().min(2.0) }
    };
    Table { targets: (0..rows).map(class).collect(), columns: table.columns }
}

#[test]
fn a_fit_does_not_depend_on_threads() {
    let table = four_classes(20_000, 3);
    let parameters =
        BoostingParameters { max_iter: 4, subsample: 0.7, colsample_bytree: 0.6, seed: 5, ..Default::default() };
    let weights: Vec<f64> = (0..table.rows()).map(|row| 0.5 + (row % 3) as f64).collect();
    let text = |threads| {
        with_threads(threads, || {
            let fit = boosted(&table, 4, &parameters, Some(&weights));
            let linear = table.filter(|_| true).complete();
            let models =
                multinomial_regression(&linear.matrix(), &table.targets, 4, Some(&weights), &Default::default());
            let losses: Vec<u64> = fit.train_loss.iter().map(|loss| loss.to_bits()).collect();
            format!("{:?} {losses:?} {:?}", fit.ensembles, models.expect("a fit"))
        })
    };
    let alone = text(1);
    assert!([2, 3, 8].into_iter().all(|threads| text(threads) == alone));
}

#[test]
fn the_loss_is_that_of_the_probabilities() {
    let table = four_classes(3_000, 6);
    let (train, held) = (table.filter(|row| row % 3 > 0), table.filter(|row| row.is_multiple_of(3)));
    let binning = Binning::fit(&train.matrix(), 255);
    let (binned, watched) = (binning.apply(&train.matrix()), binning.apply(&held.matrix()));
    let weights: Vec<f64> = (0..held.rows()).map(|row| if row < 600 { 1.0 } else { 0.0 }).collect();
    let parameters = BoostingParameters { max_iter: 12, ..Default::default() };
    let objective = Objective::MulticlassLogLoss { classes: 4 };
    let validation =
        Validation { matrix: &watched, targets: &held.targets, weights: Some(&weights), score: None, losses: true };
    let fit = boost(&binned, &binning, &train.targets, None, &parameters, objective, Some(validation), &|_| true)
        .expect("a fit");
    let loss = |table: &Table| {
        metrics::by_name(
            "log_loss",
            Task::Multiclass { classes: 4 },
            &table.targets,
            &probabilities(&fit, &table.matrix()),
            0.5,
        )
        .expect("a loss")
    };
    assert!((fit.train_loss[11] - loss(&train)).abs() < 1e-12);
    assert!((fit.validation_loss[11] - loss(&held.filter(|row| row < 600))).abs() < 1e-12);
    let margins: Vec<Vec<f64>> = fit.ensembles.iter().map(|ensemble| ensemble.predict_margin(&held.matrix())).collect();
    assert_eq!(fit.validation_margins, margins);
    assert!(fit.train_loss.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", fit.train_loss);
}

#[test]
fn a_class_without_rows_is_refused() {
    let table = four_classes(200, 7);
    let no_rows = |error: Error| assert!(matches!(error, Error::NoRowsOfClass { class: 4, .. }), "{error}");
    no_rows(
        multinomial_regression(
            &table.filter(|_| true).complete().matrix(),
            &table.targets,
            5,
            None,
            &Default::default(),
        )
        .expect_err("a refusal"),
    );
    let binning = Binning::fit(&table.matrix(), 255);
    let binned = binning.apply(&table.matrix());
    let objective = Objective::MulticlassLogLoss { classes: 5 };
    let parameters = BoostingParameters::default();
    let fit = boost(&binned, &binning, &table.targets, None, &parameters, objective, None, &|_| true);
    no_rows(fit.expect_err("a refusal"));
    assert_eq!(objective.margins(), 5);
}
