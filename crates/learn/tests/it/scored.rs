//! Every metric that a report may name, weighted and not, as scikit-learn computes it.

use serde_json::{Value, json};
use trainyard_judges::number;
use trainyard_learn::Error;
use trainyard_learn::metrics::{self, Scored, Task, WeightedConfusion};
use trainyard_random::Key;

use crate::data::{json, with_threads};

const CLASSES: &str = r#"
import numpy as np
import warnings
from sklearn import metrics as m
warnings.simplefilter("ignore")
answer = []
for case in data:
    y, p = np.array(case["y"]), np.array(case["p"])
    w = None if case["w"] is None else np.array(case["w"])
    k = case["classes"]
    labels = np.arange(k).astype(float)
    if k == 2:
        c = (p >= case["threshold"]).astype(float)
        both = np.column_stack([1 - p, p])
        by = dict(pos_label=1)
    else:
        p = p.reshape(-1, k)
        both, c = p, p.argmax(axis=1).astype(float)
        by = dict(average="macro", labels=labels)
    one = dict(sample_weight=w, zero_division=0)
    c_m = m.confusion_matrix(y, c, labels=labels, sample_weight=w)
    others = c_m.sum() - c_m.sum(axis=1)
    right = others - (c_m.sum(axis=0) - np.diag(c_m))
    specificity = np.divide(right, others, out=np.zeros(k), where=others > 0)
    def area(average):
        held = y if w is None else y[w > 0]
        if len(np.unique(held)) < k:
            return np.nan
        if k == 2:
            return m.roc_auc_score(y, p, sample_weight=w)
        return m.roc_auc_score(y, p, multi_class="ovr", average=average, labels=labels, sample_weight=w)
    def precision(of):
        return m.average_precision_score((y == of).astype(int), both[:, of], sample_weight=w)
    answer.append(dict(
        accuracy=m.accuracy_score(y, c, sample_weight=w), precision=m.precision_score(y, c, **by, **one),
        recall=m.recall_score(y, c, **by, **one), f1=m.f1_score(y, c, **by, **one),
        roc_auc=area("macro"), average_precision=precision(1) if k == 2 else np.mean([precision(i) for i in range(k)]),
        log_loss=m.log_loss(y, both, labels=labels, sample_weight=w),
        brier=m.brier_score_loss(y, both, labels=labels, sample_weight=w, scale_by_half=k == 2),
        balanced_accuracy=m.balanced_accuracy_score(y, c, sample_weight=w),
        cohen_kappa=m.cohen_kappa_score(y, c, labels=labels, sample_weight=w),
        matthews_corrcoef=m.matthews_corrcoef(y, c, sample_weight=w),
        d2_brier=m.d2_brier_score(y, both, labels=labels, sample_weight=w),
        d2_log_loss=m.d2_log_loss_score(y, both, labels=labels, sample_weight=w),
        f0_5=m.fbeta_score(y, c, beta=0.5, **by, **one), f2=m.fbeta_score(y, c, beta=2, **by, **one),
        f1_macro=m.f1_score(y, c, average="macro", labels=labels, **one),
        f1_weighted=m.f1_score(y, c, average="weighted", labels=labels, **one),
        precision_weighted=m.precision_score(y, c, average="weighted", labels=labels, **one),
        recall_weighted=m.recall_score(y, c, average="weighted", labels=labels, **one),
        roc_auc_weighted=area("weighted"), jaccard=m.jaccard_score(y, c, **by, **one),
        specificity=specificity[1] if k == 2 else specificity.mean()))
"#;

const NUMBERS: &str = r#"
import numpy as np
import warnings
from sklearn import metrics as m
warnings.simplefilter("ignore")
answer = []
for case in data:
    y, p = np.array(case["y"]), np.array(case["p"])
    w = None if case["w"] is None else np.array(case["w"])
    one = dict(sample_weight=w)
    if w is not None:
        y_in, p_in, one = y[w > 0], p[w > 0], dict(sample_weight=w[w > 0])
    else:
        y_in, p_in = y, p
    def within(of, fits, **more):
        try:
            return of(y_in, p_in, **one, **more) if fits else np.nan
        except ZeroDivisionError:
            return np.nan
    counts = (y_in >= 0).all() and (p_in > 0).all()
    amounts = (y_in > 0).all() and (p_in > 0).all()
    logs = (y_in > -1).all() and (p_in > -1).all()
    answer.append(dict(
        rmse=m.root_mean_squared_error(y, p, sample_weight=w), mae=m.mean_absolute_error(y, p, sample_weight=w),
        r2=m.r2_score(y, p, sample_weight=w), median_absolute_error=m.median_absolute_error(y, p, sample_weight=w),
        mse=m.mean_squared_error(y, p, sample_weight=w), mape=m.mean_absolute_percentage_error(y, p, sample_weight=w),
        msle=within(m.mean_squared_log_error, logs), rmsle=within(m.root_mean_squared_log_error, logs),
        max_error=m.max_error(y_in, p_in), explained_variance=m.explained_variance_score(y, p, sample_weight=w),
        poisson_deviance=within(m.mean_poisson_deviance, counts),
        gamma_deviance=within(m.mean_gamma_deviance, amounts),
        d2_absolute_error=m.d2_absolute_error_score(y, p, sample_weight=w),
        d2_poisson=within(m.d2_tweedie_score, counts and len(np.unique(y_in)) > 1, power=1),
        d2_gamma=within(m.d2_tweedie_score, amounts and len(np.unique(y_in)) > 1, power=2),
        pinball=[m.d2_pinball_score(y, p, sample_weight=w, alpha=q) for q in (0.1, 0.5, 0.9)],
        tweedie=[within(m.d2_tweedie_score, counts and len(np.unique(y_in)) > 1, power=t) for t in (0, 1.5)]))
"#;

const RANKS: &str = r#"
import numpy as np
from sklearn import metrics as m
answer = []
for case in data:
    y, s, g, w = (np.array(case[name]) for name in ("y", "s", "g", "w"))
    values = dict(dcg=[], ndcg=[])
    for k in (None, 1, 3):
        for name, of in (("dcg", m.dcg_score), ("ndcg", m.ndcg_score)):
            groups = np.unique(g)
            each = [of(y[g == i][None], s[g == i][None], k=k) for i in groups]
            values[name].append([np.mean(each), np.average(each, weights=[w[g == i].mean() for i in groups])])
    binary = (y > 0).astype(int)
    fpr, fnr, at = m.det_curve(binary, s)
    one = (s >= np.median(s)).astype(int)
    ratios = m.class_likelihood_ratios(binary, one, sample_weight=w)
    hinge = [m.hinge_loss(binary, s), m.hinge_loss(binary, s, sample_weight=w)]
    answer.append(dict(values, fpr=fpr, fnr=fnr, at=at, ratios=list(ratios), hinge=hinge, cut=np.median(s)))
"#;

fn agree(what: &str, ours: f64, theirs: &Value) {
    let theirs = number(theirs);
    let is_near = (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0) || (ours.is_nan() && theirs.is_nan());
    assert!(is_near, "{what}: ours {ours}, scikit-learn {theirs}");
}

fn drawn(rows: u64, name: u64) -> Vec<f64> {
    let key = Key::new(name, "learn/tests/scored");
    (0..rows).map(|row| key.uniform(row)).collect()
}

/// Weights of which some are 0 and one outweighs a thousand others.
fn weights(rows: u64) -> Vec<f64> {
    let mut weights: Vec<f64> = drawn(rows, 99).into_iter().map(|weight| (3.0 * weight - 1.0).max(0.0)).collect();
    weights[rows as usize / 2] = 1e3;
    weights
}

struct Case {
    task: Task,
    y: Vec<f64>,
    p: Vec<f64>,
    w: Option<Vec<f64>>,
    threshold: f64,
}

impl Case {
    fn scored(&self) -> Scored<'_> {
        let (task, threshold, weights) = (self.task, self.threshold, self.w.as_deref());
        Scored { task, targets: &self.y, predictions: &self.p, weights, threshold }
    }

    fn json(&self) -> Value {
        let classes = match self.task {
            Task::Multiclass { classes } => classes,
            _ => 2,
        };
        let w = self.w.as_ref().map(|w| json(w));
        json!({"y": json(&self.y), "p": json(&self.p), "w": w, "classes": classes, "threshold": self.threshold})
    }
}

fn binary_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (levels, threshold) in [(1e9, 0.5), (7.0, 3.0 / 7.0), (2.0, 0.5), (1e9, 1.1), (1e9, 0.0)] {
        let p: Vec<f64> = drawn(400, 1).iter().map(|p| (p * levels).floor() / levels).collect();
        let y: Vec<f64> = drawn(400, 2).iter().zip(&p).map(|(u, p)| f64::from(u < p)).collect();
        for w in [None, Some(weights(400)), Some(vec![1e-60; 400]), Some(vec![0.1; 400])] {
            cases.push(Case { task: Task::Binary, y: y.clone(), p: p.clone(), w, threshold });
        }
    }
    // The only positive, and the only negative, count nothing.
    let p = vec![0.1, 0.9, 0.9, 0.2];
    for (y, w) in
        [(vec![0.0, 1.0, 0.0, 0.0], vec![1.0, 2.0, 1.0, 0.5]), (vec![1.0, 1.0, 0.0, 1.0], vec![1.0, 2.0, 1.0, 0.5])]
    {
        cases.push(Case { task: Task::Binary, y, p: p.clone(), w: Some(w), threshold: 0.5 });
    }
    cases
}

fn multiclass_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for classes in [3, 6] {
        let raw = drawn(300 * classes as u64, 3);
        let p: Vec<f64> = raw
            .chunks(classes)
            .flat_map(|row| {
                let total: f64 = row.iter().sum();
                row.iter().map(move |value| value / total).collect::<Vec<f64>>()
            })
            .collect();
        let y: Vec<f64> = drawn(300, 4)
            .iter()
            .zip(p.chunks(classes))
            .map(
                |(u, row)| if *u < 0.5 { metrics::most_likely(row) as f64 } else { (u * 1e3).floor() % classes as f64 },
            )
            .collect();
        for w in [None, Some(weights(300))] {
            cases.push(Case { task: Task::Multiclass { classes }, y: y.clone(), p: p.clone(), w, threshold: 0.5 });
        }
    }
    cases
}

fn number_cases() -> Vec<Case> {
    let y: Vec<f64> = drawn(501, 5).iter().map(|y| (y * 40.0).floor() / 4.0 + 0.25).collect();
    let p: Vec<f64> = y.iter().zip(drawn(501, 6)).map(|(y, u)| y * (0.5 + u)).collect();
    let whole: Vec<f64> = drawn(500, 7).iter().map(|w| (w * 4.0).floor()).collect();
    let case = |y: &[f64], p: &[f64], w: Option<Vec<f64>>| Case {
        task: Task::Regression,
        y: y.to_vec(),
        p: p.to_vec(),
        w,
        threshold: 0.0,
    };
    let shifted: Vec<f64> = y.iter().map(|y| y - 5.0).collect();
    vec![
        case(&y, &p, None),
        case(&y[..500], &p[..500], None),
        case(&y, &p, Some(weights(501))),
        case(&y[..500], &p[..500], Some(whole)),
        case(&shifted, &p, None),
        case(&shifted, &p, Some(weights(501))),
        case(&y, &y, Some(weights(501))),
        case(&[0.0, 0.0, 3.0], &[0.5, 0.25, 1.0], Some(vec![1.0, 0.0, 2.0])),
        case(&[2.0; 5], &[2.0; 5], Some(vec![1.0, 2.0, 3.0, 0.0, 1.0])),
        case(&[2.0; 5], &[2.0, 2.0, 2.0, 2.0, 3.0], None),
        case(&[1e-300, 2e-300, 1e-310], &[1e-300, 1e-300, 1e-300], None),
        case(&[1e15, 1e15 + 1.0, 1e15 + 2.0], &[1e15, 1e15, 1e15 + 4.0], Some(vec![1.0, 2.0, 1.0])),
    ]
}

fn judged(script: &str, cases: &[Case]) {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let answers = judge.run(script, &cases.iter().map(Case::json).collect());
    for (index, case) in cases.iter().enumerate() {
        let (scored, answer) = (case.scored(), &answers[index]);
        let all = scored.metrics(case.task.more_metrics()).expect("metrics");
        assert_eq!(all.len(), case.task.metrics().len() + case.task.more_metrics().len());
        for (name, value) in &all {
            // Of one class scikit-learn divides by the rounding of 0.
            let counts =
                |class: f64| case.y.iter().enumerate().any(|(row, y)| *y == class && scored_weight(case, row) > 0.0);
            let one_class = case.task == Task::Binary && !(counts(0.0) && counts(1.0));
            if one_class && (name.starts_with("d2_") || name.starts_with("roc_auc")) {
                assert!(value.is_nan(), "case {index}, {name}: {value}");
                continue;
            }
            agree(&format!("case {index}, {name}"), *value, &answer[name]);
            let alone = scored.metric(name).expect("a metric");
            assert_eq!(alone.to_bits(), value.to_bits(), "case {index}, {name}");
        }
        if case.task == Task::Regression {
            let w = case.w.as_deref();
            for (at, quantile) in [0.1, 0.5, 0.9].into_iter().enumerate() {
                let ours = metrics::d2_pinball(&case.y, &case.p, quantile, w).expect("a share");
                agree(&format!("case {index}, d2_pinball {quantile}"), ours, &answer["pinball"][at]);
            }
            let spread = metrics::d2_absolute_error(&case.y, &case.p, w).expect("a share");
            assert_eq!(spread, metrics::d2_pinball(&case.y, &case.p, 0.5, w).expect("a share"));
            let outside = metrics::d2_tweedie(&case.y, &case.p, 1.0, w).is_err();
            if !outside {
                for (at, power) in [0.0, 1.5].into_iter().enumerate() {
                    let ours = metrics::d2_tweedie(&case.y, &case.p, power, w).expect("a share");
                    agree(&format!("case {index}, d2_tweedie {power}"), ours, &answer["tweedie"][at]);
                }
            }
        }
    }
}

fn scored_weight(case: &Case, row: usize) -> f64 {
    case.w.as_ref().map_or(1.0, |w| w[row])
}

#[test]
fn metrics_of_two_classes_are_scikit_learns() {
    judged(CLASSES, &binary_cases());
}

#[test]
fn metrics_of_several_classes_are_scikit_learns() {
    judged(CLASSES, &multiclass_cases());
}

#[test]
fn metrics_of_numbers_are_scikit_learns() {
    judged(NUMBERS, &number_cases());
}

#[test]
fn ranks_and_margins_are_scikit_learns() {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let mut cases = Vec::new();
    for levels in [1e9, 4.0] {
        let y: Vec<f64> = drawn(120, 8).iter().map(|y| (y * 5.0 - 1.0).floor().max(0.0)).collect();
        let s: Vec<f64> =
            drawn(120, 9).iter().zip(&y).map(|(u, y)| ((u * 3.0 + y * 0.3 - 1.0) * levels).floor() / levels).collect();
        let g: Vec<u64> = drawn(120, 10).iter().map(|g| (g * 9.0) as u64 * 7).collect();
        let by_group: Vec<f64> = g.iter().map(|g| 0.5 + (*g % 5) as f64).collect();
        cases.push((y, s, g, by_group));
    }
    // A group without anything relevant gains nothing.
    cases.push((vec![0.0, 0.0, 2.0, 1.0], vec![1.0, 2.0, 0.5, 0.5], vec![1, 1, 2, 2], vec![1.0, 1.0, 2.0, 2.0]));
    let request = cases.iter().map(|(y, s, g, w)| json!({"y": json(y), "s": json(s), "g": g, "w": json(w)}));
    let answers = judge.run(RANKS, &request.collect());
    for (index, (y, s, g, w)) in cases.iter().enumerate() {
        let answer = &answers[index];
        for (at, most) in [None, Some(1), Some(3)].into_iter().enumerate() {
            for (name, of) in [("dcg", metrics::dcg as fn(_, _, _, _, _) -> _), ("ndcg", metrics::ndcg)] {
                for (weighted, weights) in [(0, None), (1, Some(w.as_slice()))] {
                    let ours: Result<f64, Error> = of(y, s, g, most, weights);
                    let theirs = &answer[name][at][weighted];
                    agree(&format!("case {index}, {name} of {most:?}"), ours.expect("a gain"), theirs);
                }
            }
        }
        let binary: Vec<f64> = y.iter().map(|y| f64::from(*y > 0.0)).collect();
        let det = metrics::det(&binary, s, None).expect("a curve");
        for (threshold, [wrong, missed]) in det_of(answer) {
            let point = det.iter().find(|point| point.threshold == threshold).expect("a point");
            let (wrong, missed) = (point.false_positive_rate - wrong, point.false_negative_rate - missed);
            assert!(wrong.abs() <= 1e-12 && missed.abs() <= 1e-12, "case {index}, at {threshold}");
        }
        let cut = number(&answer["cut"]);
        let predicted: Vec<f64> = s.iter().map(|s| f64::from(*s >= cut)).collect();
        let confusion = WeightedConfusion::new(&binary, &predicted, 2, Some(w)).expect("a confusion");
        let (positive, negative) = confusion.likelihood_ratios();
        for (ours, theirs) in [(positive, &answer["ratios"][0]), (negative, &answer["ratios"][1])] {
            if !number(theirs).is_nan() {
                agree(&format!("case {index}, likelihood ratio"), ours, theirs);
            }
        }
        for (weights, theirs) in [(None, &answer["hinge"][0]), (Some(w.as_slice()), &answer["hinge"][1])] {
            agree("hinge", metrics::hinge_loss(&binary, s, weights).expect("a loss"), theirs);
        }
    }
}

/// Gives the points of a curve of scikit-learn, which leaves some of ours out.
fn det_of(answer: &Value) -> Vec<(f64, [f64; 2])> {
    let list = |name: &str| -> Vec<f64> { answer[name].as_array().expect("a list").iter().map(number).collect() };
    let rates = list("fpr").into_iter().zip(list("fnr")).map(|(wrong, missed)| [wrong, missed]);
    let points: Vec<(f64, [f64; 2])> = list("at").into_iter().zip(rates).collect();
    assert!(!points.is_empty());
    // An infinite threshold predicts nothing: no prediction of ours is there.
    points.into_iter().filter(|(at, _)| at.is_finite()).collect()
}

#[test]
fn whole_weights_count_as_repeated_rows() {
    let whole: Vec<f64> = drawn(200, 11).iter().map(|w| (w * 4.0).floor()).collect();
    let mut cases = vec![];
    cases.extend(binary_cases().into_iter().take(1));
    cases.extend(multiclass_cases().into_iter().take(1));
    cases.extend(number_cases().into_iter().take(1));
    for case in cases {
        let outputs = case.task.outputs();
        let rows: Vec<usize> = (0..200).flat_map(|row| vec![row; whole[row] as usize]).collect();
        let repeated = Case {
            task: case.task,
            y: rows.iter().map(|row| case.y[*row]).collect(),
            p: rows.iter().flat_map(|row| case.p[row * outputs..][..outputs].to_vec()).collect(),
            w: None,
            threshold: 0.5,
        };
        let once = Case {
            task: case.task,
            y: case.y[..200].to_vec(),
            p: case.p[..200 * outputs].to_vec(),
            w: Some(whole.clone()),
            threshold: 0.5,
        };
        let theirs = repeated.scored().metrics(case.task.more_metrics()).expect("metrics");
        for (name, value) in once.scored().metrics(case.task.more_metrics()).expect("metrics") {
            let other = theirs[&name];
            assert!((value - other).abs() <= 1e-12 * other.abs().max(1.0), "{name}: {value} {other}");
        }
    }
}

#[test]
fn weighted_metrics_do_not_depend_on_rows_order_or_threads() {
    for case in [binary_cases().remove(1), multiclass_cases().remove(1), number_cases().remove(2)] {
        let (rows, outputs) = (case.y.len(), case.task.outputs());
        let order: Vec<usize> = (0..rows).map(|row| (row * 7 + 3) % rows).collect();
        let shuffled = Case {
            task: case.task,
            y: order.iter().map(|row| case.y[*row]).collect(),
            p: order.iter().flat_map(|row| case.p[row * outputs..][..outputs].to_vec()).collect(),
            w: case.w.as_ref().map(|w| order.iter().map(|row| w[*row]).collect()),
            threshold: case.threshold,
        };
        let more = case.task.more_metrics();
        let bits = |case: &Case| {
            let values = case.scored().metrics(more).expect("metrics");
            values.into_values().map(f64::to_bits).collect::<Vec<u64>>()
        };
        assert_eq!(bits(&case), bits(&shuffled));
        let intervals = |case: &Case| format!("{:?}", case.scored().bootstrap(more, 40, 3).expect("intervals"));
        assert_eq!(with_threads(1, || intervals(&case)), with_threads(3, || intervals(&shuffled)));
    }
}

#[test]
fn weighted_intervals_are_those_of_metrics_on_resampled_rows() {
    for case in [binary_cases().remove(1), multiclass_cases().remove(1), number_cases().remove(2)] {
        let (rows, outputs) = (60, case.task.outputs());
        let w: Vec<f64> = drawn(60, 12);
        let (y, p) = (case.y[..rows].to_vec(), case.p[..rows * outputs].to_vec());
        let case = Case { task: case.task, y, p, w: Some(w), threshold: 0.5 };
        let w = case.w.clone().unwrap_or_default();
        let of = |row: usize| &case.p[row * outputs..][..outputs];
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|&a, &b| {
            let by_prediction = of(a).iter().zip(of(b)).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
            case.y[a]
                .total_cmp(&case.y[b])
                .then(by_prediction.unwrap_or(std::cmp::Ordering::Equal))
                .then(w[a].total_cmp(&w[b]))
        });
        let key = Key::new(5, "learn/bootstrap");
        let values: Vec<_> = (0..50)
            .map(|resample| {
                let mut stream = key.derive(resample).stream();
                let drawn: Vec<usize> =
                    (0..rows).map(|_| order[((u128::from(stream.next_u64()) * rows as u128) >> 64) as usize]).collect();
                let again = Case {
                    task: case.task,
                    y: drawn.iter().map(|row| case.y[*row]).collect(),
                    p: drawn.iter().flat_map(|row| of(*row).to_vec()).collect(),
                    w: Some(drawn.iter().map(|row| w[*row]).collect()),
                    threshold: 0.5,
                };
                again.scored().metrics(case.task.more_metrics()).expect("metrics")
            })
            .collect();
        let intervals = case.scored().bootstrap(case.task.more_metrics(), 50, 5).expect("intervals");
        for (name, interval) in intervals {
            let mut of: Vec<f64> = values.iter().map(|all| all[&name]).filter(|value| !value.is_nan()).collect();
            of.sort_by(f64::total_cmp);
            assert_eq!(interval.skipped, 50 - of.len(), "{name}");
            let quantile = |share: f64| {
                let place = share * (of.len() - 1) as f64;
                let below = of[place as usize];
                below + (of[(place as usize + 1).min(of.len() - 1)] - below) * place.fract()
            };
            for (ours, plain) in [(interval.low, quantile(0.025)), (interval.high, quantile(0.975))] {
                assert!((ours - plain).abs() <= 1e-9 * plain.abs().max(1.0), "{name}: {ours} {plain}");
            }
        }
    }
}

#[test]
fn a_weighted_pair_is_the_difference_of_the_two() {
    let case = binary_cases().remove(1);
    let other: Vec<f64> = case.p.iter().map(|p| p * p).collect();
    let scored = case.scored();
    for name in ["roc_auc", "f1", "balanced_accuracy", "log_loss"] {
        let pair = scored.paired(&other, name, 200, 1).expect("a pair");
        let second = Scored { predictions: &other, ..scored }.metric(name).expect("a metric");
        assert_eq!(pair.difference, scored.metric(name).expect("a metric") - second, "{name}");
        assert!(pair.low <= pair.difference && pair.difference <= pair.high, "{name}: {pair:?}");
    }
    // The square keeps the ranks.
    assert_eq!(scored.paired(&other, "roc_auc", 200, 1).expect("a pair").high, 0.0);
}

#[test]
fn a_weighted_calibration_error_weighs_the_gaps() {
    let (y, p) = ([0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.9, 0.9]);
    let error = |w: &[f64]| metrics::expected_calibration_error(&y, &p, 2, Some(w)).expect("an error");
    let plain = metrics::expected_calibration_error(&y, &p, 2, None).expect("an error");
    assert!((error(&[3.0; 4]) - plain).abs() < 1e-15);
    // The upper half is right where nine of its ten parts are positive.
    assert!(error(&[1.0, 1.0, 9.0, 1.0]).abs() < 1e-15);
    let none = metrics::expected_calibration_error(&y, &p, 2, Some(&[0.0; 4]));
    assert!(matches!(none, Err(Error::Weights { .. })));
}

#[test]
fn weights_of_any_size_and_equal_errors_count_as_they_are() {
    let scored =
        Scored { task: Task::Binary, targets: &[0.0, 1.0], predictions: &[0.1, 0.9], weights: None, threshold: 0.5 };
    for size in [1e-320, 1e-170, 1e160, 1e307] {
        let weights = [size, size];
        let scored = Scored { weights: Some(&weights), ..scored };
        for name in ["roc_auc", "average_precision", "roc_auc_weighted", "accuracy"] {
            let value = scored.metric(name).expect("a metric");
            assert!((value - 1.0).abs() < 1e-12, "{name} of weights {size:e}: {value}");
        }
    }
    for rows in [3, 6, 12, 24] {
        let (targets, predictions, weights) = (vec![0.0; rows], vec![-0.1; rows], vec![1.0; rows]);
        let scored = Scored {
            task: Task::Regression,
            targets: &targets,
            predictions: &predictions,
            weights: Some(&weights),
            threshold: 0.5,
        };
        assert_eq!(scored.metric("explained_variance").expect("a metric"), 1.0, "{rows} rows");
    }
}

#[test]
fn bad_input_of_scores_is_a_typed_error() {
    let scored =
        Scored { task: Task::Binary, targets: &[1.0, 0.0], predictions: &[0.5, 0.6], weights: None, threshold: 0.5 };
    assert!(matches!(scored.metric("rmse"), Err(Error::UnknownMetric { .. })));
    assert!(matches!(scored.metrics(&["mape"]), Err(Error::UnknownMetric { .. })));
    assert!(matches!(scored.bootstrap(&[], 0, 1), Err(Error::Parameter { name: "resamples", .. })));
    let weighted = |weights| Scored { weights: Some(weights), ..scored }.metric("f1");
    assert!(matches!(weighted(&[0.0, 0.0]), Err(Error::Weights { .. })));
    assert!(matches!(weighted(&[1.0]), Err(Error::Length { .. })));
    assert!(matches!(weighted(&[1.0, -1.0]), Err(Error::Weight { .. })));
    assert!(matches!(metrics::ndcg(&[-1.0], &[1.0], &[1], None, None), Err(Error::NegativeTarget { .. })));
    assert!(matches!(metrics::dcg(&[1.0], &[1.0], &[1], Some(0), None), Err(Error::Parameter { name: "most", .. })));
    assert!(matches!(metrics::ndcg(&[1.0], &[1.0], &[], None, None), Err(Error::Length { input: "groups", .. })));
    assert!(matches!(metrics::det(&[1.0], &[1.0], None), Err(Error::OneClass { .. })));
    assert!(matches!(metrics::hinge_loss(&[2.0], &[1.0], None), Err(Error::Target { .. })));
    assert!(metrics::d2_tweedie(&[2.0; 3], &[1.0; 3], 1.0, None).expect("a share").is_nan());
}
