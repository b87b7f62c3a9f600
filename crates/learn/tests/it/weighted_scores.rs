//! Metrics with weights, as scikit-learn computes them.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::Error;
use trainyard_learn::metrics::{self, KappaWeights, WeightedConfusion};
use trainyard_random::Key;

use crate::data::json;

const CLASSES: &str = r#"
import numpy as np
from sklearn import metrics as m
answer = []
for case in data:
    y, p, s = (np.array(case[name]) for name in ("y", "p", "s"))
    w = None if case["w"] is None else np.array(case["w"])
    k = case["classes"]
    labels = np.arange(k).astype(float)
    per_class = dict(labels=labels, average=None, zero_division=0, sample_weight=w)
    c = m.confusion_matrix(y, p, labels=labels, sample_weight=w)
    others = c.sum() - c.sum(axis=1)
    right = others - (c.sum(axis=0) - np.diag(c))
    scores = s[:, 1] if k == 2 else s
    answer.append(dict(
        balanced=m.balanced_accuracy_score(y, p, sample_weight=w), mcc=m.matthews_corrcoef(y, p, sample_weight=w),
        kappa=[m.cohen_kappa_score(y, p, labels=labels, weights=by, sample_weight=w)
               for by in (None, "linear", "quadratic")],
        zero_one=m.zero_one_loss(y, p, sample_weight=w), hamming=m.hamming_loss(y, p, sample_weight=w),
        jaccard=m.jaccard_score(y, p, **per_class), f2=m.fbeta_score(y, p, beta=2, **per_class),
        specificity=np.divide(right, others, out=np.zeros(k), where=others > 0),
        top=[np.nan if k == 2 else m.top_k_accuracy_score(y, scores, k=top, labels=labels, sample_weight=w)
             for top in (1, 2)]))
"#;

const ERRORS: &str = r#"
import numpy as np
from sklearn import metrics as m
answer = []
for case in data:
    y, p = np.array(case["y"]), np.array(case["p"])
    w = None if case["w"] is None else np.array(case["w"])
    answer.append(dict(
        max=m.max_error(y, p), mape=m.mean_absolute_percentage_error(y, p, sample_weight=w),
        msle=m.mean_squared_log_error(y, p, sample_weight=w),
        explained=m.explained_variance_score(y, p, sample_weight=w),
        pinball=[m.mean_pinball_loss(y, p, alpha=q, sample_weight=w) for q in (0, 0.1, 0.5, 0.9, 1)],
        tweedie=[m.mean_tweedie_deviance(y, p, power=t, sample_weight=w) for t in (-1.5, 0, 1, 1.5, 2, 3)]))
"#;

fn agree(what: &str, ours: f64, theirs: &Value) {
    let theirs = number(theirs);
    let is_near = (ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0) || (ours.is_nan() && theirs.is_nan());
    assert!(is_near, "{what}: ours {ours}, scikit-learn {theirs}");
}

fn agree_all(what: &str, ours: &[f64], theirs: &Value) {
    let theirs = theirs.as_array().expect("a list");
    assert_eq!(ours.len(), theirs.len(), "{what}");
    ours.iter().zip(theirs).for_each(|(ours, theirs)| agree(what, *ours, theirs));
}

/// Draws numbers from 0 up to `below`.
fn drawn(rows: u64, below: f64, name: u64) -> Vec<f64> {
    let key = Key::new(name, "learn/tests/weighted_scores");
    (0..rows).map(|row| key.uniform(row) * below).collect()
}

#[test]
fn scores_of_classes_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let whole =
        |rows, below: usize, name| drawn(rows, below as f64, name).into_iter().map(f64::floor).collect::<Vec<f64>>();
    let weights = Some(drawn(300, 3.0, 9).into_iter().map(|weight| (weight - 1.0).max(0.0)).collect::<Vec<f64>>());
    let near: Vec<f64> =
        whole(300, 5, 1).iter().zip(drawn(300, 1.0, 3)).map(|(y, u)| if u < 0.6 { *y } else { 4.0 - y }).collect();
    let cases = [
        (whole(300, 2, 1), whole(300, 2, 2), 2, None),
        (whole(300, 5, 1), near.clone(), 5, None),
        (whole(300, 5, 1), near, 5, weights.clone()),
        (whole(300, 2, 1), vec![1.0; 300], 2, weights.clone()),
        (whole(300, 3, 4), whole(300, 2, 5), 4, weights),
        (vec![0.0; 5], vec![0.0, 1.0, 0.0, 2.0, 0.0], 3, None),
    ];
    let scores = |rows: usize, classes: usize| whole((rows * classes) as u64, 6, 8);
    let request = |(y, p, classes, w): &(Vec<f64>, Vec<f64>, usize, Option<Vec<f64>>)| {
        let scores: Value = scores(y.len(), *classes).chunks(*classes).map(json).collect();
        json!({"y": json(y), "p": json(p), "s": scores, "classes": classes, "w": w.as_ref().map(|w| json(w))})
    };
    let answers = judge.run(CLASSES, &cases.iter().map(request).collect());
    for (index, (y, p, classes, weights)) in cases.iter().enumerate() {
        let (answer, weights) = (&answers[index], weights.as_deref());
        let ours = WeightedConfusion::new(y, p, *classes, weights).expect("a confusion");
        let each = |of: &dyn Fn(usize) -> f64| (0..*classes).map(of).collect::<Vec<f64>>();
        let named = |name: &str| format!("case {index}, {name}");
        agree(&named("balanced"), ours.balanced_accuracy(), &answer["balanced"]);
        agree(&named("mcc"), ours.matthews_corrcoef(), &answer["mcc"]);
        let kappas = [KappaWeights::Equal, KappaWeights::Linear, KappaWeights::Quadratic];
        agree_all(&named("kappa"), &kappas.map(|by| ours.cohen_kappa(by)), &answer["kappa"]);
        agree(&named("zero_one"), ours.zero_one_loss(), &answer["zero_one"]);
        agree(&named("hamming"), ours.zero_one_loss(), &answer["hamming"]);
        agree_all(&named("jaccard"), &each(&|class| ours.jaccard(class)), &answer["jaccard"]);
        agree_all(&named("f2"), &each(&|class| ours.fbeta(class, 2.0).expect("an F2")), &answer["f2"]);
        agree_all(&named("specificity"), &each(&|class| ours.specificity(class)), &answer["specificity"]);
        if *classes > 2 {
            let scores = scores(y.len(), *classes);
            let top = |k| metrics::top_k_accuracy(y, &scores, *classes, k, weights).expect("a share");
            agree_all(&named("top"), &[top(1), top(2)], &answer["top"]);
        }
        let huge: Vec<f64> =
            (0..y.len()).map(|row| weights.map_or(1.0, |w| w[row]) * libm::pow(2.0, 1_000.0)).collect();
        assert_eq!(WeightedConfusion::new(y, p, *classes, Some(&huge)).expect("a confusion"), ours);
    }
}

#[test]
fn errors_with_weights_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let y: Vec<f64> = drawn(500, 9.0, 1).iter().map(|y| y + 0.1).collect();
    let p: Vec<f64> = y.iter().zip(drawn(500, 2.0, 2)).map(|(y, noise)| y * (0.2 + noise)).collect();
    let weights = drawn(500, 3.0, 3).into_iter().map(f64::floor).collect::<Vec<f64>>();
    let cases = [
        (y.clone(), p.clone(), None),
        (y.clone(), p.clone(), Some(weights)),
        (y.clone(), y.clone(), None),
        (vec![2.0; 4], vec![1.0, 2.0, 2.0, 5.0], Some(vec![0.5, 0.25, 0.0, 1.0])),
        (vec![2.0; 4], vec![3.0; 4], None),
        (vec![2.0], vec![3.0], None),
    ];
    let request = |(y, p, w): &(Vec<f64>, Vec<f64>, Option<Vec<f64>>)| json!({"y": json(y), "p": json(p), "w": w.as_ref().map(|w| json(w))});
    let answers = judge.run(ERRORS, &cases.iter().map(request).collect());
    for (index, (y, p, w)) in cases.iter().enumerate() {
        let (answer, w) = (&answers[index], w.as_deref());
        let named = |name: &str| format!("case {index}, {name}");
        agree(&named("max"), metrics::max_error(y, p).expect("an error"), &answer["max"]);
        agree(&named("mape"), metrics::mean_absolute_percentage_error(y, p, w).expect("an error"), &answer["mape"]);
        agree(&named("msle"), metrics::mean_squared_log_error(y, p, w).expect("an error"), &answer["msle"]);
        agree(&named("explained"), metrics::explained_variance(y, p, w).expect("a share"), &answer["explained"]);
        let pinball = [0.0, 0.1, 0.5, 0.9, 1.0].map(|at| metrics::pinball_loss(y, p, at, w).expect("a loss"));
        agree_all(&named("pinball"), &pinball, &answer["pinball"]);
        let powers = [-1.5, 0.0, 1.0, 1.5, 2.0, 3.0];
        let tweedie = powers.map(|power| metrics::tweedie_deviance(y, p, power, w).expect("a deviance"));
        agree_all(&named("tweedie"), &tweedie, &answer["tweedie"]);
    }
    // Of a target of 0 the Poisson deviance is twice the prediction.
    assert_eq!(metrics::tweedie_deviance(&[0.0], &[0.75], 1.0, None).expect("a deviance"), 1.5);
}

#[test]
fn bad_input_of_weighted_scores_is_a_typed_error() {
    let confusion = |y: &[f64], p: &[f64], w| WeightedConfusion::new(y, p, 2, w);
    assert!(matches!(confusion(&[], &[], None), Err(Error::Empty { .. })));
    assert!(matches!(confusion(&[1.0], &[2.0], None), Err(Error::Target { .. })));
    assert!(matches!(confusion(&[1.0], &[1.0], Some(&[0.0])), Err(Error::Weights { .. })));
    let one = confusion(&[1.0], &[1.0], None).expect("a confusion");
    assert!(matches!(one.fbeta(1, f64::NAN), Err(Error::Parameter { name: "beta", .. })));
    assert!(matches!(metrics::top_k_accuracy(&[1.0], &[0.1, 0.2], 2, 0, None), Err(Error::Parameter { .. })));
    assert!(matches!(metrics::mean_squared_log_error(&[1.0], &[-1.0], None), Err(Error::Prediction { .. })));
    assert!(matches!(metrics::pinball_loss(&[1.0], &[1.0], 1.5, None), Err(Error::Parameter { .. })));
    let tweedie = |y: f64, p: f64, power| metrics::tweedie_deviance(&[y], &[p], power, None);
    assert!(matches!(tweedie(1.0, 1.0, 0.5), Err(Error::Parameter { name: "power", .. })));
    assert!(matches!(tweedie(0.0, 1.0, 2.0), Err(Error::Target { .. })));
    assert!(matches!(tweedie(1.0, 0.0, 1.0), Err(Error::Prediction { .. })));
    assert!(tweedie(-1.0, -1.0, 0.0).is_ok());
}
