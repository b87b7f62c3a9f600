//! Calibration as scikit-learn does it, and its own promises.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::{
    CalibrationMethod, Calibrator, Error, IsotonicCalibrator, MulticlassCalibrator, SigmoidCalibrator, sigmoid,
};
use trainyard_random::Key;

use crate::data::{json, with_threads};

const METHODS: [CalibrationMethod; 2] = [CalibrationMethod::Sigmoid, CalibrationMethod::Isotonic];

const JUDGE: &str = r#"
import numpy as np
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
answer = []
for case in data:
    s, y, at = (np.array(case[name], dtype=float) for name in ("s", "y", "at"))
    w = None if case["w"] is None else np.array(case["w"], dtype=float)
    with np.errstate(all="ignore"):
        sigmoid = _SigmoidCalibration().fit(s, y, w)
        isotonic = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(s, y, sample_weight=w)
        answer.append(dict(sigmoid=sigmoid.predict(s), elsewhere=sigmoid.predict(at), isotonic=isotonic.predict(at)))
"#;

/// Judges several classes as `CalibratedClassifierCV` puts its calibrators together.
const CLASSES: &str = r#"
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import _fit_calibrator
class Scores(ClassifierMixin, BaseEstimator):
    def __init__(self, classes):
        self.classes_ = classes
    def decision_function(self, X):
        return X
    def fit(self, X, y):
        return self
answer = []
for case in data:
    s, y, w, at = (np.array(case[name], dtype=float) for name in ("s", "y", "w", "at"))
    classes = np.arange(s.shape[1]).astype(float)
    calibrated = _fit_calibrator(Scores(classes), s, y, classes, case["method"], np, w)
    answer.append(calibrated.predict_proba(at).ravel())
"#;

struct Case {
    name: &'static str,
    scores: Vec<f64>,
    targets: Vec<f64>,
    weights: Option<Vec<f64>>,
}

fn case(name: &'static str, scores: Vec<f64>, targets: Vec<f64>, weights: Option<Vec<f64>>) -> Case {
    Case { name, scores, targets, weights }
}

/// Draws margins and targets whose log-odds are a wavy function of them.
fn drawn(rows: u64, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let key = Key::new(seed, "learn/tests/calibration");
    let scores: Vec<f64> = (0..rows).map(|row| key.uniform(row) * 8.0 - 3.0).collect();
    let is_positive = |(row, score): (usize, &f64)| key.uniform(1 << 40 | row as u64) < sigmoid(0.6 * score - 0.4);
    let targets = scores.iter().enumerate().map(|row| f64::from(u8::from(is_positive(row)))).collect();
    (scores, targets)
}

fn cases() -> Vec<Case> {
    let key = Key::new(7, "learn/tests/calibration");
    let (scores, targets) = drawn(800, 1);
    let weights: Vec<f64> = (0..800).map(|row| (key.uniform(row) * 4.0 - 1.0).max(0.0)).collect();
    let map = |change: &dyn Fn(f64) -> f64| scores.iter().map(|score| change(*score)).collect::<Vec<f64>>();
    let (few, few_targets) = drawn(7, 2);
    vec![
        case("margins", scores.clone(), targets.clone(), None),
        case("weights, some 0", scores.clone(), targets.clone(), Some(weights.clone())),
        case("probabilities", map(&sigmoid), targets.clone(), None),
        case("ties", map(&|score| score.round()), targets.clone(), None),
        case("weighted ties", map(&|score| score.round()), targets.clone(), Some(weights)),
        case("falling", map(&|score| -score), targets.clone(), None),
        case("large margins", map(&|score| score * 1e3), targets.clone(), None),
        case("enormous", map(&|score| score * 1e299), targets.clone(), None),
        case("few", few, few_targets, None),
        case("negatives", scores.clone(), vec![0.0; 800], None),
        case("positives", scores.clone(), vec![1.0; 800], None),
        case("separated", scores.clone(), map(&|score| f64::from(u8::from(score > 1.0))), None),
        case("one negative", vec![0.3], vec![0.0], None),
        case("one positive", vec![-4.0], vec![1.0], None),
        case("two", vec![-1.0, 1.0], vec![0.0, 1.0], None),
        case("two, enormous", vec![1e300, -1e300, 0.0], vec![1.0, 0.0, 1.0], None),
        case("one counts", vec![1.0, 2.0, 3.0], vec![1.0, 0.0, 1.0], Some(vec![0.0, 2.5, 0.0])),
        case("small weights", vec![1.0, 2.0, 3.0, 2.0], vec![1.0, 0.0, 1.0, 1.0], Some(vec![1e-3, 2e-3, 5e-3, 1e-4])),
        case("close", vec![0.5, 0.5 + 4e-16, 0.5 + 1.2e-15, 0.5 + 3e-15], vec![1.0, 0.0, 0.0, 1.0], None),
        case("zeros", vec![0.0, -0.0, 0.0, 1.0], vec![1.0, 0.0, 0.0, 1.0], None),
        case("constant", vec![0.7; 9], [[1.0; 3], [0.0; 3], [1.0; 3]].concat(), None),
    ]
}

/// Gives scores to predict: those of the fit, between them and beyond them.
fn places(scores: &[f64]) -> Vec<f64> {
    let between = scores.windows(2).map(|pair| pair[0] / 2.0 + pair[1] / 2.0);
    scores.iter().copied().chain(between).chain([-1e300, -50.0, 0.0, 0.1, 50.0, 1e300]).collect()
}

#[test]
fn calibrators_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let cases = cases();
    let request = |case: &Case| {
        let weights = case.weights.as_ref().map(|weights| json(weights));
        json!({"s": json(&case.scores), "y": json(&case.targets), "w": weights, "at": json(&places(&case.scores))})
    };
    let answers = judge.run(JUDGE, &cases.iter().map(request).collect());
    for (index, Case { name, scores, targets, weights }) in cases.iter().enumerate() {
        let agree = |what: &str, ours: &[f64], allowed: f64| {
            let theirs = answers[index][what].as_array().expect("a list");
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                let theirs = number(theirs);
                assert!((ours - theirs).abs() <= allowed, "{name}, {what}: ours {ours}, scikit-learn {theirs}");
            }
        };
        let [platt, isotonic] =
            METHODS.map(|method| Calibrator::fit(method, scores, targets, weights.as_deref()).expect("a fit"));
        let at = places(scores);
        // scikit-learn stops at a slope of the summed loss, which weights or scores can make small far from the optimum.
        if !["small weights", "close"].contains(name) {
            agree("sigmoid", &platt.predict(scores).expect("probabilities"), 1e-6);
        }
        agree("isotonic", &isotonic.predict(&at).expect("probabilities"), 1e-9);
        // With one distinct score that counts, any line through its log-odds is as good; ours is level.
        if !["constant", "one negative", "one positive", "one counts", "small weights", "close"].contains(name) {
            agree("elsewhere", &platt.predict(&at).expect("probabilities"), 1e-6);
        }
    }
}

#[test]
fn several_classes_are_put_together_as_scikit_learn_does() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let key = Key::new(3, "learn/tests/calibration");
    let targets: Vec<f64> = (0..400).map(|row| (key.uniform(row) * 3.0).floor()).collect();
    let cell = |at: usize| {
        let lift = f64::from(u8::from(targets[at / 3] == (at % 3) as f64));
        lift + key.uniform(1 << 40 | at as u64) * 3.0
    };
    let scores: Vec<f64> = (0..1_200).map(cell).collect();
    let weights: Vec<f64> = (0..400).map(|row| (key.uniform(1 << 50 | row) * 3.0).floor()).collect();
    // In the last row every isotonic calibrator says 0.
    let at = [&scores[..300], &[-9.0; 3]].concat();
    let rows = |cells: &[f64]| cells.chunks(3).map(json).collect::<Value>();
    let request: Value = ["sigmoid", "isotonic"]
        .iter()
        .map(|method| json!({"s": rows(&scores), "y": json(&targets), "w": json(&weights), "at": rows(&at), "method": method}))
        .collect();
    let answers = judge.run(CLASSES, &request);
    for (index, method) in METHODS.into_iter().enumerate() {
        let fit = || MulticlassCalibrator::fit(method, &scores, &targets, 3, Some(&weights)).expect("a fit");
        let ours = fit();
        let predicted = ours.predict(&at).expect("probabilities");
        for (place, (ours, theirs)) in predicted.iter().zip(answers[index].as_array().expect("a list")).enumerate() {
            let theirs = number(theirs);
            assert!((ours - theirs).abs() <= 1e-6, "{method:?}, cell {place}: ours {ours}, scikit-learn {theirs}");
        }
        for threads in [1, 2, 8] {
            let again = with_threads(threads, fit);
            assert_eq!(serde_json::to_string(&again).expect("JSON"), serde_json::to_string(&ours).expect("JSON"));
        }
    }
    let level = MulticlassCalibrator::fit(METHODS[1], &scores, &targets, 3, None).expect("a fit");
    assert_eq!(level.predict(&[-9.0; 3]).expect("probabilities"), [1.0 / 3.0; 3]);
}

#[test]
fn the_sigmoid_is_the_optimum() {
    // Scores that differ in their last bits alone are told apart by a slope of 1e15, whose product is not that precise.
    for Case { name, scores, targets, weights } in cases().into_iter().filter(|case| case.name != "close") {
        let fit = SigmoidCalibrator::fit(&scores, &targets, weights.as_deref()).expect("a fit");
        let weight = |row: usize| weights.as_ref().map_or(1.0, |weights| weights[row]);
        let prior = |class: f64| (0..scores.len()).filter(|row| targets[*row] == class).map(weight).sum::<f64>();
        let smoothed = [1.0 / (prior(0.0) + 2.0), (prior(1.0) + 1.0) / (prior(1.0) + 2.0)];
        let unit = scores.iter().fold(f64::MIN_POSITIVE, |largest: f64, score| largest.max(score.abs()));
        let slopes = (0..scores.len()).fold([0.0, 0.0], |[steep, level], row| {
            let off = weight(row) * (fit.predict_row(scores[row]) - smoothed[usize::from(targets[row] > 0.5)]);
            [steep + off * (scores[row] / unit), level + off]
        });
        let total = prior(0.0) + prior(1.0);
        assert!(slopes.iter().all(|slope| slope.abs() <= 1e-12 * total), "{name}: {slopes:?}");
    }
}

#[test]
fn neither_unit_nor_order_of_the_scores_matters() {
    let (scores, targets) = drawn(500, 4);
    let order: Vec<usize> = (0..500).map(|row| row * 7 % 500).collect();
    let take = |values: &[f64]| order.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    for method in METHODS {
        let fit = Calibrator::fit(method, &scores, &targets, None).expect("a fit");
        assert_eq!(Calibrator::fit(method, &take(&scores), &take(&targets), None).expect("a fit"), fit);
        for unit in [1e-9, 1e-200, 1e200] {
            let other: Vec<f64> = scores.iter().map(|score| score * unit).collect();
            // Isotonic regression takes scores within 1e-15 for one.
            if method == CalibrationMethod::Isotonic && unit < 1e-9 {
                continue;
            }
            let there = Calibrator::fit(method, &other, &targets, None).expect("a fit");
            let pairs = fit.predict(&scores).expect("p").into_iter().zip(there.predict(&other).expect("p"));
            pairs.for_each(|(a, b)| assert!((a - b).abs() <= 1e-9, "{method:?} {unit}: {a} {b}"));
        }
    }
}

#[test]
fn an_isotonic_calibration_never_falls() {
    for Case { name, scores, targets, weights } in cases() {
        let fit = IsotonicCalibrator::fit(&scores, &targets, weights.as_deref()).expect("a fit");
        let mut at = places(&scores);
        at.extend([f64::MAX, f64::MIN]);
        at.sort_by(f64::total_cmp);
        let values: Vec<f64> = at.iter().map(|score| fit.predict_row(*score)).collect();
        assert!(values.is_sorted(), "{name}");
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{name}");
    }
    // The distance of these knots is beyond the range of doubles.
    let wide = IsotonicCalibrator::fit(&[f64::MIN, f64::MAX], &[0.0, 1.0], None).expect("a fit");
    assert_eq!([f64::MIN, 0.0, f64::MAX].map(|score| wide.predict_row(score)), [0.0, 0.5, 1.0]);
}

#[test]
fn calibrations_come_back_bit_by_bit_and_damaged_ones_do_not() {
    let (scores, targets) = drawn(300, 5);
    for method in METHODS {
        let fit = Calibrator::fit(method, &scores, &targets, None).expect("a fit");
        let text = serde_json::to_string(&fit).expect("JSON");
        let back: Calibrator = serde_json::from_str(&text).expect("a calibrator");
        assert_eq!((&back, serde_json::to_string(&back).expect("JSON")), (&fit, text));
    }
    let refused = |stored: Value| serde_json::from_value::<Calibrator>(stored).expect_err("damage").to_string();
    let knots = |scores: Value, probabilities: Value| {
        refused(json!({"method": "isotonic", "scores": scores, "probabilities": probabilities}))
    };
    assert!(knots(json!([]), json!([])).contains("no knots"));
    assert!(knots(json!([1.0, 2.0]), json!([0.5])).contains("length"));
    assert!(knots(json!([1.0, 1.0]), json!([0.5, 0.5])).contains("order"));
    assert!(knots(json!([1.0, 2.0]), json!([0.5, 1.5])).contains("probability"));
    assert!(knots(json!([1.0, 2.0]), json!([0.5, 0.4])).contains("fall"));
    assert!(refused(json!({"method": "sigmoid", "slope": null, "intercept": 0.0})).contains("null"));
    assert!(refused(json!({"method": "sigmoid", "slope": 1.0, "intercept": 0.0, "extra": 1})).contains("extra"));
    let one = json!({"calibrators": [{"method": "sigmoid", "slope": 1.0, "intercept": 0.0}]});
    assert!(serde_json::from_value::<MulticlassCalibrator>(one).expect_err("damage").to_string().contains("two"));
}

#[test]
fn bad_input_is_a_typed_error() {
    for method in METHODS {
        let fit = |scores: &[f64], targets: &[f64], weights| Calibrator::fit(method, scores, targets, weights);
        assert!(matches!(fit(&[], &[], None), Err(Error::Empty { .. })));
        assert!(matches!(fit(&[1.0], &[], None), Err(Error::Length { .. })));
        assert!(matches!(fit(&[1.0, f64::NAN], &[1.0, 0.0], None), Err(Error::Prediction { row: 1, .. })));
        assert!(matches!(fit(&[1.0], &[2.0], None), Err(Error::Target { row: 0, .. })));
        assert!(matches!(fit(&[1.0], &[1.0], Some(&[0.0])), Err(Error::Weights { .. })));
        assert!(matches!(fit(&[1.0], &[1.0], Some(&[-1.0])), Err(Error::Weight { row: 0, .. })));
        let fitted = fit(&[1.0], &[1.0], None).expect("a fit");
        assert!(matches!(fitted.predict(&[0.0, f64::INFINITY]), Err(Error::Prediction { row: 1, .. })));
        let classes = |scores: &[f64], classes| MulticlassCalibrator::fit(method, scores, &[0.0, 1.0], classes, None);
        assert!(matches!(classes(&[1.0; 2], 1), Err(Error::Parameter { name: "classes", .. })));
        assert!(matches!(classes(&[1.0; 5], 2), Err(Error::Length { .. })));
        let fitted = classes(&[1.0, 2.0, 3.0, 1.0], 2).expect("a fit");
        assert!(matches!(fitted.predict(&[1.0; 3]), Err(Error::Length { expected: 4, got: 3, .. })));
    }
}
