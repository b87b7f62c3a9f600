//! Curves, confusion and thresholds of rows that count by their weight.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::Error;
use trainyard_learn::metrics::{
    self, CalibrationBins, Scored, Task, Threshold, ThresholdRule, calibration_curve, choose_threshold,
};
use trainyard_random::Key;

use crate::data::json;

const JUDGE: &str = r#"
import numpy as np
import warnings
from sklearn import metrics as m
warnings.simplefilter("ignore")
answer = []
for case in data:
    y, p, w = (np.array(case[name]) for name in ("y", "p", "w"))
    fpr, tpr, at = m.roc_curve(y, p, sample_weight=w, drop_intermediate=False, pos_label=1)
    precision, recall, pr_at = m.precision_recall_curve(y, p, sample_weight=w, pos_label=1)
    c = (p >= case["threshold"]).astype(float)
    means, shares = [], []
    # scikit-learn's calibration_curve with weighted means.
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], p)
    for number in range(10):
        inside = (bins == number) & (w > 0)
        if inside.any():
            # By weights near 1: their sum of products stays inside the range.
            near = w[inside] / w[inside].max()
            means.append(np.average(p[inside], weights=near))
            shares.append(np.average(y[inside], weights=near))
    both = len(np.unique(y[w > 0])) == 2
    det = [list(of) for of in m.det_curve(y, p, sample_weight=w, pos_label=1)] if both else None
    answer.append(dict(fpr=fpr, tpr=tpr, at=at, precision=precision, recall=recall, pr_at=pr_at, means=means,
                       shares=shares, det=det, confusion=m.confusion_matrix(y, c, labels=[0, 1], sample_weight=w)))
"#;

const CLASSES: &str = r#"
import numpy as np
from sklearn import metrics as m
answer = []
for case in data:
    y, p, w = (np.array(case[name]) for name in ("y", "p", "w"))
    answer.append(m.confusion_matrix(y, p.reshape(len(y), -1).argmax(axis=1), labels=range(case["k"]), sample_weight=w))
"#;

struct Case {
    y: Vec<f64>,
    p: Vec<f64>,
    w: Vec<f64>,
    threshold: f64,
}

impl Case {
    fn drawn(rows: u64, levels: f64, seed: u64, weight: impl Fn(f64) -> f64) -> Case {
        let key = Key::new(seed, "learn/tests/weighted_curves");
        let p: Vec<f64> = (0..rows).map(|row| (key.uniform(row) * levels).floor() / levels).collect();
        let y = p.iter().zip(0..).map(|(p, row)| f64::from(key.uniform(1 << 40 | row) < *p)).collect();
        let w = (0..rows).map(|row| weight(key.uniform(2 << 40 | row))).collect();
        let threshold = p[0];
        Case { y, p, w, threshold }
    }

    fn scored(&self) -> Scored<'_> {
        let Case { y, p, w, threshold } = self;
        Scored { task: Task::Binary, targets: y, predictions: p, weights: Some(w), threshold: *threshold }
    }

    /// Gives each row as often as it weighs, without weights.
    fn repeated(&self) -> (Vec<f64>, Vec<f64>) {
        let repeat = |of: &[f64]| -> Vec<f64> {
            of.iter().zip(&self.w).flat_map(|(value, weight)| std::iter::repeat_n(*value, *weight as usize)).collect()
        };
        (repeat(&self.y), repeat(&self.p))
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, (rows, levels)) in [(800, 1e9), (800, 7.0), (60, 4.0), (9, 3.0)].into_iter().enumerate() {
        let seed = seed as u64;
        cases.push(Case::drawn(rows, levels, seed, |u| u * 3.0));
        // Many rows of weight 0, and weights of any size.
        cases.push(Case::drawn(rows, levels, seed + 10, |u| (u * 3.0 - 2.0).max(0.0)));
        cases.push(Case::drawn(rows, levels, seed + 20, |u| libm::pow(10.0, u * 12.0 - 6.0)));
        cases.push(Case::drawn(rows, levels, seed + 30, |u| u * 1e300));
        cases.push(Case::drawn(rows, levels, seed + 40, |u| u * 1e-290));
    }
    // Every positive, and every negative, of weight 0.
    for class in [0.0, 1.0] {
        let mut case = Case::drawn(40, 6.0, 50, |u| u + 0.1);
        case.w.iter_mut().zip(&case.y).filter(|(_, y)| **y == class).for_each(|(w, _)| *w = 0.0);
        cases.push(case);
    }
    cases.push(Case { y: vec![1.0], p: vec![0.3], w: vec![0.7], threshold: 0.5 });
    cases
}

fn agree(what: &str, ours: f64, theirs: &Value) {
    let theirs = number(theirs);
    let is_near = (ours - theirs).abs() <= 1e-9;
    assert!(is_near || ours == theirs || (ours.is_nan() && theirs.is_nan()), "{what}: {ours}, scikit-learn {theirs}");
}

fn agree_all(what: &str, ours: impl IntoIterator<Item = f64>, theirs: &Value) {
    let (ours, theirs) = (ours.into_iter().collect::<Vec<f64>>(), theirs.as_array().expect("a list"));
    assert_eq!(ours.len(), theirs.len(), "{what}");
    ours.iter().zip(theirs).for_each(|(ours, theirs)| agree(what, *ours, theirs));
}

#[test]
fn weighted_curves_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let cases = cases();
    let request = cases
        .iter()
        .map(|case| json!({"y": json(&case.y), "p": json(&case.p), "w": json(&case.w), "threshold": case.threshold}));
    let answers = judge.run(JUDGE, &request.collect());
    for (index, case) in cases.iter().enumerate() {
        let (Case { y, p, w, .. }, answer) = (case, &answers[index]);
        let what = |name: &str| format!("case {index}, {name}");
        let roc = metrics::roc(y, p, Some(w)).expect("a curve");
        agree_all(&what("fpr"), roc.iter().map(|point| point.false_positive_rate), &answer["fpr"]);
        agree_all(&what("tpr"), roc.iter().map(|point| point.true_positive_rate), &answer["tpr"]);
        agree_all(&what("threshold"), roc.iter().map(|point| point.threshold), &answer["at"]);
        let curve = metrics::precision_recall(y, p, Some(w)).expect("a curve");
        agree_all(&what("precision"), curve.iter().map(|point| point.precision), &answer["precision"]);
        agree_all(&what("recall"), curve.iter().map(|point| point.recall), &answer["recall"]);
        let thresholds = curve.iter().map(|point| point.threshold).filter(|threshold| threshold.is_finite());
        agree_all(&what("threshold"), thresholds, &answer["pr_at"]);
        let curve = calibration_curve(y, p, Some(w), 10, CalibrationBins::Uniform).expect("a curve");
        agree_all(&what("mean prediction"), curve.iter().map(|point| point.mean_prediction), &answer["means"]);
        agree_all(&what("share"), curve.iter().map(|point| point.positive_share), &answer["shares"]);
        assert_eq!(curve.iter().map(|point| point.rows).sum::<u64>(), w.iter().filter(|w| **w > 0.0).count() as u64);
        // Beside the whole weight, which may be any.
        let (confusion, whole) = (case.scored().confusion().expect("a confusion"), w.iter().sum::<f64>());
        for (class, ours) in confusion.iter().enumerate() {
            let theirs = answer["confusion"][class].as_array().expect("a row").iter().map(|of| number(of) / whole);
            agree_all(&what("confusion"), ours.iter().map(|of| of / whole), &theirs.collect());
        }
        match (metrics::det(y, p, Some(w)), answer["det"].as_array()) {
            (Ok(ours), Some(theirs)) => {
                let theirs: Vec<Vec<f64>> =
                    theirs.iter().map(|of| of.as_array().expect("a list").iter().map(number).collect()).collect();
                let points: Vec<usize> = (0..theirs[0].len()).filter(|at| theirs[2][*at].is_finite()).collect();
                assert_eq!(
                    ours.iter().filter(|point| point.threshold.is_finite()).count(),
                    points.len(),
                    "case {index}"
                );
                for at in points {
                    let point = ours.iter().find(|point| point.threshold == theirs[2][at]).expect("a point");
                    agree(&what("det"), point.false_positive_rate, &json!(theirs[0][at]));
                    agree(&what("det"), point.false_negative_rate, &json!(theirs[1][at]));
                }
            }
            (Err(Error::OneClass { .. }), None) => {}
            (ours, theirs) => panic!("case {index}: {ours:?} {theirs:?}"),
        }
    }
}

#[test]
fn the_confusion_of_several_classes_is_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let key = Key::new(1, "learn/tests/weighted_curves/classes");
    let drawn = |rows: u64, k: u64, size: f64| {
        let y: Vec<f64> = (0..rows).map(|row| (key.uniform(row) * k as f64).floor()).collect();
        let share = |at: u64| (key.uniform(1 << 40 | at) * 4.0).floor() / 4.0 / k as f64;
        let w: Vec<f64> = (0..rows).map(|row| (key.uniform(2 << 40 | row) - 0.2).max(0.0) * size).collect();
        (y, (0..rows * k).map(share).collect::<Vec<f64>>(), w, k as usize)
    };
    let cases = [drawn(300, 4, 1.0), drawn(50, 12, 1e-200), drawn(3, 3, 1.0)];
    let request = cases.iter().map(|(y, p, w, k)| json!({"y": json(y), "p": json(p), "w": json(w), "k": k}));
    let answers = judge.run(CLASSES, &request.collect());
    for (index, (y, p, w, classes)) in cases.iter().enumerate() {
        let task = Task::Multiclass { classes: *classes };
        let scored = Scored { task, targets: y, predictions: p, weights: Some(w), threshold: 0.5 };
        let (ours, whole) = (scored.confusion().expect("a confusion"), w.iter().sum::<f64>());
        for (class, row) in ours.iter().enumerate() {
            let theirs = answers[index][class].as_array().expect("a row").iter().map(|of| number(of) / whole);
            agree_all("a row", row.iter().map(|of| of / whole), &theirs.collect());
        }
        // Without weights it counts.
        let counts = Scored { weights: None, ..scored }.confusion().expect("a confusion");
        assert_eq!(counts.iter().flatten().sum::<f64>(), y.len() as f64);
    }
    let numbers =
        Scored { task: Task::Regression, targets: &[1.5], predictions: &[2.0], weights: None, threshold: 0.5 };
    assert_eq!(numbers.confusion(), Ok(Vec::new()));
}

const RULES: [ThresholdRule; 5] = [
    ThresholdRule::MaxF1,
    ThresholdRule::PrecisionAtLeast(0.6),
    ThresholdRule::PrecisionAtLeast(0.05),
    ThresholdRule::RecallAtLeast(0.7),
    ThresholdRule::Fixed(0.4),
];

#[test]
fn weights_of_whole_numbers_are_rows_that_are_repeated() {
    for (seed, (rows, levels)) in [(300, 1e9), (300, 6.0), (30, 3.0)].into_iter().enumerate() {
        let case = Case::drawn(rows, levels, 60 + seed as u64, |u| (u * 5.0).floor());
        let (y, p) = case.repeated();
        let weights = Some(case.w.as_slice());
        assert_eq!(metrics::roc(&case.y, &case.p, weights), metrics::roc(&y, &p, None));
        assert_eq!(metrics::precision_recall(&case.y, &case.p, weights), metrics::precision_recall(&y, &p, None));
        assert_eq!(metrics::det(&case.y, &case.p, weights), metrics::det(&y, &p, None));
        for rule in RULES {
            assert_eq!(choose_threshold(&case.y, &case.p, weights, rule), choose_threshold(&y, &p, None, rule));
        }
        let scored = Scored { targets: &y, predictions: &p, weights: None, ..case.scored() };
        assert_eq!(case.scored().confusion(), scored.confusion());
        // Equal weights of any size are none, and the order of rows does not matter.
        let reversed = |of: &[f64]| of.iter().rev().copied().collect::<Vec<f64>>();
        for rule in RULES {
            let plain = choose_threshold(&case.y, &case.p, None, rule);
            assert_eq!(choose_threshold(&case.y, &case.p, Some(&vec![0.1; rows as usize]), rule), plain);
            let other = Case::drawn(rows, levels, 70 + seed as u64, |u| u);
            let there = choose_threshold(&other.y, &other.p, Some(&other.w), rule);
            let back = choose_threshold(&reversed(&other.y), &reversed(&other.p), Some(&reversed(&other.w)), rule);
            assert_eq!(there, back);
        }
    }
}

#[test]
fn weighted_thresholds_are_the_best_of_all() {
    for seed in 0..40 {
        let (rows, levels) = ([5, 30, 200][seed as usize % 3], [4.0, 1e9][seed as usize % 2]);
        let mut case = Case::drawn(rows, levels, 100 + seed, |u| (u * 3.0 - 0.5).max(0.0));
        (case.y[0], case.w[0]) = (1.0, 0.3);
        let Case { y, p, w, .. } = &case;
        let measured = |threshold: f64| {
            let scored = Scored { threshold, ..case.scored() };
            let value = |name: &str| scored.metric(name).expect("a metric");
            Threshold { threshold, precision: value("precision"), recall: value("recall"), f1: value("f1") }
        };
        let tried: Vec<Threshold> = p.iter().map(|at| measured(*at)).collect();
        let highest = |keep: &dyn Fn(&Threshold) -> bool, of: &dyn Fn(&Threshold) -> f64| {
            tried.iter().filter(|at| keep(at)).map(of).fold(f64::NEG_INFINITY, f64::max)
        };
        let near = |ours: f64, best: f64| assert!((ours - best).abs() <= 1e-12, "seed {seed}: {ours} {best}");
        let choose = |rule| choose_threshold(y, p, Some(w), rule);
        let found = choose(ThresholdRule::MaxF1).expect("a threshold");
        near(found.f1, highest(&|_| true, &|at| at.f1));
        let there = measured(found.threshold);
        near(found.precision, there.precision);
        near(found.recall, there.recall);
        for bound in [0.15, 0.5, 0.77] {
            match choose(ThresholdRule::PrecisionAtLeast(bound)) {
                Ok(found) => near(found.recall, highest(&|at| at.precision >= bound, &|at| at.recall)),
                Err(Error::Unreachable { best, .. }) => {
                    near(best, highest(&|_| true, &|at| at.precision));
                    assert!(best < bound);
                }
                Err(other) => panic!("{other}"),
            }
            let found = choose(ThresholdRule::RecallAtLeast(bound)).expect("a threshold");
            near(found.precision, highest(&|at| at.recall >= bound, &|at| at.precision));
        }
    }
}

#[test]
fn bad_weights_of_curves_are_typed_errors() {
    let (y, p) = ([0.0, 1.0], [0.2, 0.8]);
    for weights in [vec![1.0], vec![1.0, -1.0], vec![0.0, 0.0], vec![f64::NAN, 1.0], vec![f64::MAX, f64::MAX]] {
        let weights = Some(weights.as_slice());
        assert!(metrics::roc(&y, &p, weights).is_err());
        assert!(metrics::precision_recall(&y, &p, weights).is_err());
        assert!(metrics::det(&y, &p, weights).is_err());
        assert!(calibration_curve(&y, &p, weights, 5, CalibrationBins::Quantile).is_err());
        assert!(choose_threshold(&y, &p, weights, ThresholdRule::MaxF1).is_err());
        let scored = Scored { task: Task::Binary, targets: &y, predictions: &p, weights, threshold: 0.5 };
        assert!(scored.confusion().is_err());
    }
    // Positives without weight are none.
    let one = choose_threshold(&y, &p, Some(&[1.0, 0.0]), ThresholdRule::MaxF1);
    assert!(matches!(one, Err(Error::OneClass { .. })));
}
