//! Metrics as scikit-learn computes them.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::Error;
use trainyard_learn::metrics::{self, Task};
use trainyard_random::Key;

use crate::data::{Table, json, with_threads};

const BINARY: &str = r#"
import numpy as np
from sklearn import metrics as m
answer = []
for case in data:
    y, p = np.array(case["y"]), np.array(case["p"])
    c = (p >= case["threshold"]).astype(float)
    fpr, tpr, at = m.roc_curve(y, p, drop_intermediate=False)
    precision, recall, pr_at = m.precision_recall_curve(y, p)
    answer.append(dict(
        accuracy=m.accuracy_score(y, c), precision=m.precision_score(y, c, zero_division=0),
        recall=m.recall_score(y, c, zero_division=0), f1=m.f1_score(y, c, zero_division=0),
        roc_auc=m.roc_auc_score(y, p), average_precision=m.average_precision_score(y, p),
        log_loss=m.log_loss(y, p, labels=[0, 1]), brier=m.brier_score_loss(y, p, pos_label=1, labels=[0, 1]),
        confusion=m.confusion_matrix(y, c, labels=[0, 1]), fpr=fpr, tpr=tpr, at=at,
        curve_precision=precision, curve_recall=recall, pr_at=pr_at))
"#;

const REGRESSION: &str = r#"
import numpy as np
from sklearn import metrics as m
answer = []
for case in data:
    y, p = np.array(case["y"]), np.array(case["p"])
    answer.append(dict(rmse=m.root_mean_squared_error(y, p), mae=m.mean_absolute_error(y, p), r2=m.r2_score(y, p),
                       median_absolute_error=m.median_absolute_error(y, p)))
"#;

fn agree(what: &str, ours: f64, theirs: &Value) {
    let theirs = number(theirs);
    let close = (ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0);
    assert!(
        close || ours == theirs || (ours.is_nan() && theirs.is_nan()),
        "{what}: ours {ours}, scikit-learn {theirs}"
    );
}

fn agree_all(what: &str, ours: &[f64], theirs: &Value) {
    let theirs = theirs.as_array().expect("a list");
    assert_eq!(ours.len(), theirs.len(), "{what}");
    ours.iter().zip(theirs).for_each(|(ours, theirs)| agree(what, *ours, theirs));
}

fn binary_cases() -> Vec<(Vec<f64>, Vec<f64>, f64)> {
    let key = Key::new(1, "learn/tests/metrics");
    let noise = |rows: u64, levels: f64| -> (Vec<f64>, Vec<f64>) {
        let p: Vec<f64> = (0..rows).map(|row| (key.uniform(row) * levels).floor() / levels).collect();
        let y =
            p.iter().enumerate().map(|(row, p)| f64::from(u8::from(key.uniform(1 << 40 | row as u64) < *p))).collect();
        (y, p)
    };
    let (y, p) = noise(1_000, 1e9);
    let (tied_y, tied_p) = noise(1_000, 7.0);
    let (few_y, few_p) = noise(9, 3.0);
    vec![
        (y.clone(), p.clone(), 0.5),
        (y.clone(), p.clone(), 0.0),
        (y.clone(), p, 1.1),
        (tied_y.clone(), tied_p.clone(), 3.0 / 7.0),
        (few_y, few_p, 0.5),
        (y.clone(), vec![0.5; 1_000], 0.5),
        (y.clone(), y.clone(), 0.5),
        (y.clone(), y.iter().map(|y| 1.0 - y).collect(), 0.5),
        (vec![1.0; 40], tied_p[..40].to_vec(), 0.5),
        (vec![0.0; 40], tied_p[..40].to_vec(), 0.5),
        (vec![1.0], vec![0.3], 0.5),
        (vec![0.0], vec![0.3], 0.5),
        (vec![0.0, 1.0], vec![1e-300, 1e-20], 0.5),
    ]
}

#[test]
fn binary_metrics_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let cases = binary_cases();
    let request: Vec<Value> =
        cases.iter().map(|(y, p, threshold)| json!({"y": json(y), "p": json(p), "threshold": threshold})).collect();
    let answers = judge.run(BINARY, &Value::from(request));
    for (index, (y, p, threshold)) in cases.iter().enumerate() {
        let answer = &answers[index];
        for (name, value) in metrics::binary(y, p, *threshold).expect("metrics") {
            agree(&format!("case {index}, {name}"), value, &answer[&name]);
            let alone = metrics::by_name(&name, Task::Binary, y, p, *threshold).expect("a metric");
            assert_eq!(alone.to_bits(), value.to_bits(), "case {index}, {name}");
        }
        assert_eq!(json!(metrics::confusion(y, p, *threshold).expect("counts")), answer["confusion"], "case {index}");
        let roc = metrics::roc(y, p, None).expect("a curve");
        let column = |of: &dyn Fn(&metrics::RocPoint) -> f64| roc.iter().map(of).collect::<Vec<f64>>();
        agree_all("fpr", &column(&|point| point.false_positive_rate), &answer["fpr"]);
        agree_all("tpr", &column(&|point| point.true_positive_rate), &answer["tpr"]);
        agree_all("roc threshold", &column(&|point| point.threshold), &answer["at"]);
        let curve = metrics::precision_recall(y, p, None).expect("a curve");
        let column = |of: &dyn Fn(&metrics::PrecisionRecallPoint) -> f64| curve.iter().map(of).collect::<Vec<f64>>();
        agree_all("precision", &column(&|point| point.precision), &answer["curve_precision"]);
        agree_all("recall", &column(&|point| point.recall), &answer["curve_recall"]);
        agree_all("threshold", &column(&|point| point.threshold)[..curve.len() - 1], &answer["pr_at"]);
    }
}

#[test]
fn the_area_alone_is_that_of_all_metrics() {
    let key = Key::new(5, "test");
    for (rows, levels) in [(1, 1), (2, 1), (300, 1), (300, 7), (300, 1_000_000)] {
        for share in [0.0, 0.3, 1.0] {
            let targets: Vec<f64> = (0..rows).map(|row| f64::from(u8::from(key.uniform(2 * row) < share))).collect();
            let prediction = |row: u64| (key.uniform(2 * row + 1) * f64::from(levels)).floor() / f64::from(levels);
            let predictions: Vec<f64> = (0..rows).map(prediction).collect();
            let alone = metrics::roc_auc(&targets, &predictions).expect("an area");
            let all = metrics::binary(&targets, &predictions, 0.5).expect("all");
            assert_eq!(alone.to_bits(), all["roc_auc"].to_bits(), "{rows} rows, {levels} levels, {share} positive");
        }
    }
}

#[test]
fn regression_metrics_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let key = Key::new(2, "learn/tests/metrics");
    let y: Vec<f64> = (0..1_001).map(|row| key.uniform(row) * 1e4 - 3e3).collect();
    let p: Vec<f64> = y.iter().enumerate().map(|(row, y)| y + key.uniform(1 << 40 | row as u64) * 500.0).collect();
    let cases = [
        (y.clone(), p.clone()),
        (y[..1_000].to_vec(), p[..1_000].to_vec()),
        (y.clone(), y.clone()),
        (y, vec![7.0; 1_001]),
        (vec![2.0; 5], vec![2.0; 5]),
        (vec![2.0; 5], vec![2.0, 2.0, 2.0, 2.0, 3.0]),
        (vec![2.0], vec![3.0]),
        (vec![1.0, 2.0], vec![1.0, 4.0]),
    ];
    let request: Vec<Value> = cases.iter().map(|(y, p)| json!({"y": json(y), "p": json(p)})).collect();
    let answers = judge.run(REGRESSION, &Value::from(request));
    for (index, (y, p)) in cases.iter().enumerate() {
        for (name, value) in metrics::regression(y, p).expect("metrics") {
            agree(&format!("case {index}, {name}"), value, &answers[index][&name]);
            let alone = metrics::by_name(&name, Task::Regression, y, p, 0.5).expect("a metric");
            assert_eq!(alone.to_bits(), value.to_bits(), "case {index}, {name}");
        }
    }
}

/// Gives the resampled rows of each draw, as the documentation of the bootstrap says: by position among sorted rows.
fn draws(order: &[usize], resamples: u64, seed: u64) -> impl Iterator<Item = Vec<usize>> {
    let key = Key::new(seed, "learn/bootstrap");
    (0..resamples).map(move |resample| {
        let mut stream = key.derive(resample).stream();
        let rows = order.len() as u128;
        order.iter().map(|_| order[((u128::from(stream.next_u64()) * rows) >> 64) as usize]).collect()
    })
}

/// Gives a quantile, linear between values.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (sorted.len() - 1) as f64;
    let below = sorted[place as usize];
    below + (sorted[(place as usize + 1).min(sorted.len() - 1)] - below) * place.fract()
}

#[test]
fn intervals_are_those_of_metrics_on_resampled_rows() {
    for (y, p, threshold) in binary_cases().into_iter().filter(|(y, _, _)| y.len() > 8) {
        let (y, p) = (&y[..y.len().min(300)], &p[..p.len().min(300)]);
        let mut order: Vec<usize> = (0..y.len()).collect();
        order.sort_by(|&a, &b| p[a].total_cmp(&p[b]).then(y[a].total_cmp(&y[b])));
        for task in [Task::Binary, Task::Regression] {
            let intervals = metrics::bootstrap(task, y, p, threshold, 60, 7).expect("intervals");
            for (name, interval) in intervals {
                let values: Vec<f64> = draws(&order, 60, 7)
                    .filter_map(|rows| {
                        let take = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
                        let (y, p) = (take(y), take(p));
                        let undefined = (name == "average_precision" && y.iter().all(|y| *y == 0.0))
                            || (name == "r2" && y.iter().all(|other| *other == y[0]));
                        let value = metrics::by_name(&name, task, &y, &p, threshold).expect("a metric");
                        (!undefined && !value.is_nan()).then_some(value)
                    })
                    .collect();
                assert_eq!(interval.skipped, 60 - values.len(), "{name}");
                if values.is_empty() {
                    assert!(interval.low.is_nan() && interval.high.is_nan());
                    continue;
                }
                for (ours, plain) in
                    [(interval.low, quantile(&values, 0.025)), (interval.high, quantile(&values, 0.975))]
                {
                    assert!((ours - plain).abs() <= 1e-12 * plain.abs().max(1.0), "{name}: {ours} {plain}");
                }
            }
        }
    }
}

#[test]
fn undefined_resamples_are_skipped_and_counted() {
    let (y, p) = ([0.0, 0.0, 0.0, 1.0], [0.1, 0.2, 0.9, 0.8]);
    let intervals = metrics::bootstrap(Task::Binary, &y, &p, 0.5, 1_000, 1).expect("intervals");
    // Without the positive row: (3/4)^4; with it alone: (1/4)^4.
    let skipped = intervals["roc_auc"].skipped as f64 / 1_000.0;
    assert!((skipped - 0.32).abs() < 0.05, "{skipped}");
    assert_eq!(intervals["accuracy"].skipped, 0);
    let one = metrics::bootstrap(Task::Regression, &[1.0], &[2.0], 0.5, 10, 1).expect("intervals");
    assert!(one["r2"].low.is_nan());
    assert_eq!(one["r2"].skipped, 10);
    assert_eq!((one["mae"].low, one["mae"].high), (1.0, 1.0));
}

#[test]
fn pairs_share_their_resamples() {
    let table = Table::synthetic(800, 2, 5);
    let pair = |metric, a: &[f64], b: &[f64]| {
        metrics::paired_bootstrap(metric, Task::Binary, &table.targets, a, b, 0.5, 1_000, 1).expect("a pair")
    };
    let (good, bad) = (&table.columns[0], &table.columns[1]);
    let same = pair("roc_auc", good, good);
    assert_eq!((same.difference, same.low, same.high, same.p_value), (0.0, 0.0, 0.0, 1.0));
    // A monotone change keeps the ranks, so the difference is zero in every resample, not only on average.
    let squeezed: Vec<f64> = good.iter().map(|p| p * 0.5).collect();
    let ranks = pair("roc_auc", good, &squeezed);
    assert_eq!((ranks.low, ranks.high), (0.0, 0.0));
    let better = pair("roc_auc", good, bad);
    assert!(better.difference > 0.1 && better.low > 0.0 && better.p_value < 0.01, "{better:?}");
    let worse = pair("roc_auc", bad, good);
    assert!((worse.difference + better.difference).abs() < 1e-15);
    assert!(worse.high < 0.0 && worse.p_value < 0.01);
    let unknown = metrics::paired_bootstrap("rmse", Task::Binary, &table.targets, good, bad, 0.5, 10, 1);
    assert!(matches!(unknown, Err(Error::UnknownMetric { .. })));
    assert_eq!(with_threads(3, || pair("f1", good, bad)), pair("f1", good, bad));
}

#[test]
fn a_pair_is_the_difference_of_the_two_models_resamples() {
    let table = Table::synthetic(250, 2, 6);
    let (y, a) = (&table.targets, &table.columns[0]);
    let b: Vec<f64> = table.columns[1].iter().map(|p| (p * 9.0).round() / 9.0).collect();
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_by(|&i, &j| y[i].total_cmp(&y[j]).then(a[i].total_cmp(&a[j])).then(b[i].total_cmp(&b[j])));
    for task in [Task::Binary, Task::Regression] {
        for name in task.metrics() {
            let pair = metrics::paired_bootstrap(name, task, y, a, &b, 0.4, 80, 3).expect("a pair");
            let of = |rows: &[usize], p: &[f64]| {
                let take = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
                metrics::by_name(name, task, &take(y), &take(p), 0.4).expect("a metric")
            };
            let plain: Vec<f64> = draws(&order, 80, 3).map(|rows| of(&rows, a) - of(&rows, &b)).collect();
            for (ours, plain) in [(pair.low, quantile(&plain, 0.025)), (pair.high, quantile(&plain, 0.975))] {
                assert!((ours - plain).abs() <= 1e-12, "{name}: {ours} {plain}");
            }
        }
        let unknown = metrics::paired_bootstrap("accuracies", task, y, a, &b, 0.4, 80, 3);
        let Err(Error::UnknownMetric { name, known }) = unknown else { panic!("{unknown:?}") };
        assert_eq!((name.as_str(), known), ("accuracies", task.metrics()));
    }
}

#[test]
fn bad_input_is_a_typed_error() {
    assert!(matches!(metrics::binary(&[], &[], 0.5), Err(Error::Empty { .. })));
    assert!(matches!(metrics::regression(&[], &[]), Err(Error::Empty { .. })));
    assert!(matches!(metrics::roc_auc(&[1.0], &[0.5, 0.5]), Err(Error::Length { expected: 1, got: 2, .. })));
    assert!(matches!(metrics::log_loss(&[1.0, 0.0], &[0.5, 1.5]), Err(Error::Prediction { row: 1, .. })));
    assert!(matches!(metrics::roc_auc(&[1.0, 0.0], &[f64::NAN, 1.5]), Err(Error::Prediction { row: 0, .. })));
    assert!(matches!(metrics::accuracy(&[3.0], &[0.5], 0.5), Err(Error::Target { row: 0, .. })));
    let none = metrics::bootstrap(Task::Binary, &[1.0], &[0.5], 0.5, 0, 1);
    assert!(matches!(none, Err(Error::Parameter { name: "resamples", .. })));
}
