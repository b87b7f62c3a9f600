//! Decision thresholds against trying every one, and DeLong's test against its definition.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::Error;
use trainyard_learn::metrics::{self, Threshold, ThresholdRule, choose_threshold, delong};
use trainyard_random::Key;

use crate::data::json;

const DELONG: &str = r#"
import numpy as np
from scipy.stats import norm
answer = []
for case in data:
    y, a, b = (np.array(case[name]) for name in ("y", "a", "b"))
    def components(p):
        x, z = p[y == 1][:, None], p[y == 0][None, :]
        psi = (x > z) + 0.5 * (x == z)
        return psi.mean(axis=1), psi.mean(axis=0), psi.mean()
    (a10, a01, first), (b10, b01, second) = components(a), components(b)
    s10, s01 = np.cov(a10, b10), np.cov(a01, b01)
    s = s10 / len(a10) + s01 / len(a01)
    error = np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
    z = (first - second) / error
    answer.append(dict(first=first, second=second, error=error, z=z, p=2 * norm.sf(abs(z))))
"#;

fn drawn(rows: u64, levels: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let key = Key::new(seed, "learn/tests/thresholds");
    let p: Vec<f64> = (0..rows).map(|row| (key.uniform(row) * levels).floor() / levels).collect();
    let y = p.iter().zip(0..).map(|(p, row)| f64::from(key.uniform(1 << 40 | row) < *p)).collect();
    (y, p)
}

/// Measures every distinct score by the metrics of this crate.
fn tried(y: &[f64], p: &[f64]) -> Vec<Threshold> {
    let mut distinct = p.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let measured = |threshold: f64| Threshold {
        threshold,
        precision: metrics::precision(y, p, threshold).expect("a precision"),
        recall: metrics::recall(y, p, threshold).expect("a recall"),
        f1: metrics::f1(y, p, threshold).expect("an F1"),
    };
    distinct.into_iter().map(measured).collect()
}

#[test]
fn thresholds_are_the_best_of_all() {
    for seed in 0..60 {
        let (rows, levels) = ([3, 9, 40, 200][seed as usize % 4], [3.0, 8.0, 1e9][seed as usize % 3]);
        let (mut y, p) = drawn(rows, levels, seed);
        y[0] = 1.0;
        let tried = tried(&y, &p);
        let best = |keep: &dyn Fn(&Threshold) -> bool, key: &dyn Fn(&Threshold) -> [f64; 2]| {
            let better = |a: &&Threshold, b: &&Threshold| key(a).partial_cmp(&key(b)).expect("numbers");
            tried.iter().filter(|at| keep(at)).max_by(better).copied()
        };
        let choose = |rule| choose_threshold(&y, &p, None, rule);
        let by_f1 = best(&|_| true, &|at| [at.f1, at.recall]);
        assert_eq!(choose(ThresholdRule::MaxF1).ok(), by_f1, "seed {seed}");
        for bound in [0.0, 0.25, 0.5, 0.6, 0.8, 0.95, 1.0] {
            let precise = best(&|at| at.precision >= bound && at.recall > 0.0, &|at| [at.recall, at.precision]);
            match (choose(ThresholdRule::PrecisionAtLeast(bound)), precise) {
                (Ok(ours), Some(best)) => assert_eq!(ours, best, "seed {seed}, precision {bound}"),
                (Err(Error::Unreachable { what: "precision", bound: asked, best }), None) => {
                    let highest = tried.iter().map(|at| at.precision).fold(0.0, f64::max);
                    assert_eq!((asked, best), (bound, highest), "seed {seed}");
                }
                (ours, best) => panic!("seed {seed}, precision {bound}: {ours:?} {best:?}"),
            }
            let found = best(&|at| at.recall >= bound, &|at| [at.precision, at.recall]);
            assert_eq!(choose(ThresholdRule::RecallAtLeast(bound)).ok(), found, "seed {seed}, recall {bound}");
        }
        for threshold in [-1.0, 0.0, 0.5, p[1], 2.0] {
            let fixed = choose(ThresholdRule::Fixed(threshold)).expect("a threshold");
            let f1 = metrics::f1(&y, &p, threshold).expect("an F1");
            let precision = metrics::precision(&y, &p, threshold).expect("a precision");
            assert_eq!((fixed.threshold, fixed.f1, fixed.precision), (threshold, f1, precision));
        }
    }
}

#[test]
fn a_precision_out_of_reach_names_the_best() {
    let rule = ThresholdRule::PrecisionAtLeast(0.9);
    let error = choose_threshold(&[0.0, 1.0, 1.0, 0.0], &[0.9, 0.8, 0.7, 0.1], None, rule).expect_err("an error");
    assert_eq!(error, Error::Unreachable { what: "precision", bound: 0.9, best: 2.0 / 3.0 });
    assert_eq!(error.code(), "learn/unreachable-bound");
    assert!(error.to_string().contains("0.6666666666666666"), "{error}");
}

#[test]
fn bad_input_of_thresholds_and_of_delong_is_a_typed_error() {
    let choose = |y: &[f64], p: &[f64], rule| choose_threshold(y, p, None, rule);
    assert!(matches!(choose(&[], &[], ThresholdRule::MaxF1), Err(Error::Empty { .. })));
    assert!(matches!(choose(&[0.0], &[0.5], ThresholdRule::MaxF1), Err(Error::OneClass { .. })));
    assert!(choose(&[0.0], &[0.5], ThresholdRule::Fixed(0.5)).is_ok());
    for rule in [ThresholdRule::PrecisionAtLeast(1.1), ThresholdRule::RecallAtLeast(f64::NAN)] {
        assert!(matches!(choose(&[1.0], &[0.5], rule), Err(Error::Parameter { .. })));
    }
    assert!(matches!(choose(&[1.0], &[0.5], ThresholdRule::Fixed(f64::NAN)), Err(Error::Parameter { .. })));
    assert!(matches!(delong(&[1.0], &[0.5], &[0.5]), Err(Error::OneClass { class: 1.0, .. })));
    assert!(matches!(delong(&[1.0, 0.0], &[0.5, 0.5], &[0.5]), Err(Error::Length { .. })));
    assert!(matches!(delong(&[1.0, 0.0], &[0.5, 0.5], &[0.5, f64::NAN]), Err(Error::Prediction { row: 1, .. })));
}

#[test]
fn delongs_test_is_its_definition() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let mut cases = Vec::new();
    for (seed, (rows, levels)) in [(400, 1e9), (400, 6.0), (30, 1e9), (30, 3.0), (700, 50.0)].into_iter().enumerate() {
        let key = Key::new(seed as u64, "learn/tests/delong");
        let (mut y, a) = drawn(rows, levels, seed as u64);
        y[..4].copy_from_slice(&[0.0, 1.0, 0.0, 1.0]);
        let noise = |row: usize, size: f64| (a[row] + size * key.uniform(row as u64)) * 5.0;
        let b: Vec<f64> = (0..a.len()).map(|row| noise(row, 0.3)).collect();
        let tied: Vec<f64> = (0..a.len()).map(|row| noise(row, 1.5).round()).collect();
        cases.extend([(y.clone(), a.clone(), b.clone()), (y.clone(), a, tied.clone()), (y, tied, b)]);
    }
    let request: Value = cases.iter().map(|(y, a, b)| json!({"y": json(y), "a": json(a), "b": json(b)})).collect();
    let answers = judge.run(DELONG, &request);
    for (index, (y, a, b)) in cases.iter().enumerate() {
        let ours = delong(y, a, b).expect("a test");
        let all = [ours.first, ours.second, ours.standard_error, ours.z, ours.p_value];
        for (name, ours) in ["first", "second", "error", "z", "p"].into_iter().zip(all) {
            let theirs = number(&answers[index][name]);
            assert!((ours - theirs).abs() <= 1e-10 * theirs.abs().max(1.0), "case {index}, {name}: {ours} {theirs}");
        }
        assert_eq!(ours.first, metrics::roc_auc(y, a).expect("an area"));
        let other = delong(y, b, a).expect("a test");
        assert_eq!((other.z, other.p_value), (-ours.z, ours.p_value));
        let same = delong(y, a, a).expect("a test");
        assert_eq!((same.standard_error, same.z, same.p_value), (0.0, 0.0, 1.0));
    }
    let few = delong(&[1.0, 0.0, 0.0], &[0.3, 0.2, 0.4], &[0.5, 0.2, 0.1]).expect("a test");
    assert_eq!((few.first, few.second), (0.5, 1.0));
    assert!(few.standard_error.is_nan() && few.z.is_nan() && few.p_value.is_nan());
}
