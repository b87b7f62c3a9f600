//! Calibration curves as scikit-learn draws them.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::Error;
use trainyard_learn::metrics::{CalibrationBins, calibration_curve, expected_calibration_error};
use trainyard_random::Key;

use crate::data::json;

const JUDGE: &str = r#"
import numpy as np
from sklearn.calibration import calibration_curve
answer = []
for case in data:
    y, p, bins = np.array(case["y"]), np.array(case["p"]), case["bins"]
    curve = lambda strategy: calibration_curve(y, p, pos_label=1, n_bins=bins, strategy=strategy)
    # Guo et al.: bin m holds the predictions in ((m - 1) / M, m / M]; 0 belongs to the first.
    edges = np.linspace(0, 1, bins + 1)
    ece = 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (p > low) & (p <= high) | (p == 0) & (low == 0)
        if inside.any():
            ece += inside.sum() / len(y) * abs(y[inside].mean() - p[inside].mean())
    answer.append(dict(uniform=curve("uniform"), quantile=curve("quantile"), ece=ece))
"#;

fn cases() -> Vec<(Vec<f64>, Vec<f64>, usize)> {
    let key = Key::new(1, "learn/tests/calibration_metrics");
    let drawn = |rows: u64, levels: f64| -> (Vec<f64>, Vec<f64>) {
        let p: Vec<f64> = (0..rows).map(|row| (key.uniform(row) * levels).floor() / levels).collect();
        let y = (0..rows).map(|row| f64::from(key.uniform(1 << 40 | row) < p[row as usize] * p[row as usize]));
        (y.collect(), p)
    };
    let mut cases = Vec::new();
    for (rows, levels) in [(1_000, 1e9), (1_000, 10.0), (500, 7.0), (37, 1e9), (5, 3.0), (1, 1e9)] {
        let (y, p) = drawn(rows, levels);
        cases.extend([1, 2, 3, 5, 7, 10, 15, 49, 100].map(|bins| (y.clone(), p.clone(), bins)));
    }
    cases.push((vec![0.0, 1.0, 1.0, 0.0], vec![0.0, 1.0, 0.0, 1.0], 10));
    cases.push((vec![1.0; 20], vec![0.4; 20], 5));
    cases.push((vec![0.0; 3], vec![1e-300, 0.0, 0.2], 5));
    cases
}

#[test]
fn calibration_metrics_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let cases = cases();
    let request: Value = cases.iter().map(|(y, p, bins)| json!({"y": json(y), "p": json(p), "bins": bins})).collect();
    let answers = judge.run(JUDGE, &request);
    for (index, (y, p, bins)) in cases.iter().enumerate() {
        for (name, placed) in [("uniform", CalibrationBins::Uniform), ("quantile", CalibrationBins::Quantile)] {
            let ours = calibration_curve(y, p, None, *bins, placed).expect("a curve");
            assert_eq!(ours.iter().map(|point| point.rows).sum::<u64>(), y.len() as u64);
            let shares: Vec<f64> = ours.iter().map(|point| point.positive_share).collect();
            let means: Vec<f64> = ours.iter().map(|point| point.mean_prediction).collect();
            for (ours, theirs) in [shares, means].iter().zip(answers[index][name].as_array().expect("two lists")) {
                let theirs: Vec<f64> = theirs.as_array().expect("a list").iter().map(number).collect();
                assert_eq!(ours.len(), theirs.len(), "case {index}, {name}");
                let is_near = ours.iter().zip(&theirs).all(|(ours, theirs)| (ours - theirs).abs() <= 1e-12);
                assert!(is_near, "case {index}, {name}: {ours:?} {theirs:?}");
            }
        }
        let (ours, theirs) =
            (expected_calibration_error(y, p, *bins, None).expect("an error"), number(&answers[index]["ece"]));
        assert!((ours - theirs).abs() <= 1e-12, "case {index}: {ours} {theirs}");
    }
}

#[test]
fn the_error_of_calibration_is_the_gap_by_rows() {
    // The lower half is right; the upper half says 0.9 where 0.5 happens.
    let (y, p) = ([0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.9, 0.9]);
    let error = expected_calibration_error(&y, &p, 2, None).expect("an error");
    assert!((error - 0.5 * 0.4).abs() < 1e-15, "{error}");
}

#[test]
fn bad_input_of_calibration_metrics_is_a_typed_error() {
    let curve = |y: &[f64], p: &[f64], bins| calibration_curve(y, p, None, bins, CalibrationBins::Quantile);
    assert!(matches!(curve(&[], &[], 5), Err(Error::Empty { .. })));
    assert!(matches!(curve(&[1.0], &[0.5], 0), Err(Error::Parameter { name: "bins", .. })));
    assert!(matches!(curve(&[1.0, 0.0], &[0.5, 1.5], 5), Err(Error::Prediction { row: 1, .. })));
    assert!(matches!(expected_calibration_error(&[3.0], &[0.5], 5, None), Err(Error::Target { row: 0, .. })));
}
