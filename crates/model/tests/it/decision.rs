//! Every way a decision can fall.

use std::collections::BTreeMap;

use trainyard_model::{Comparison, Decision, Measured, Reason, Rules, Verdict, decide};
use trainyard_spec::When;

fn measured(candidate: &[(&str, f64)], incumbent: &[(&str, f64)], p_value: f64) -> Comparison {
    let map = |values: &[(&str, f64)]| values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let (candidate, incumbent): (BTreeMap<String, f64>, BTreeMap<String, f64>) = (map(candidate), map(incumbent));
    Comparison::Measured(Measured {
        rows: 1000,
        excluded: 0,
        difference: candidate["roc_auc"] - incumbent["roc_auc"],
        candidate,
        incumbent,
        metric: "roc_auc".into(),
        low: -0.01,
        high: 0.01,
        p_value,
    })
}

fn rules(metric: &str, when: When, may_lose: &[(&str, f64)], significant: Option<f64>) -> Rules {
    let may_lose = may_lose.iter().map(|(name, limit)| ((*name).to_owned(), *limit)).collect();
    Rules { metric: metric.into(), when, may_lose, significant, minimum_gain: None }
}

/// Names a verdict in a word and the kind of its reason.
fn name(verdict: &Verdict) -> String {
    let json = serde_json::to_value(verdict).unwrap();
    format!("{} {}", json["decision"].as_str().unwrap(), json["reason"]["kind"].as_str().unwrap())
}

#[test]
fn with_an_incumbent_that_was_measured() {
    use When::{Better, NotWorse};
    // (metric, when, roc_auc of both, f1 of both, log_loss of both, what f1 and log_loss may lose, significant, p, outcome)
    type Pair = (f64, f64);
    type Case<'a> = (&'a str, When, Pair, Pair, Pair, &'a [(&'a str, f64)], Option<f64>, f64, &'a str);
    let same = (0.6, 0.6);
    let loss = (0.4, 0.4);
    let f1: &[(&str, f64)] = &[("f1", 0.05)];
    let both: &[(&str, f64)] = &[("f1", 0.05), ("log_loss", 0.01)];
    let cases: Vec<Case<'_>> = vec![
        // Better: strictly, by the point estimate.
        ("roc_auc", Better, (0.85, 0.84), same, loss, &[], None, 0.9, "promoted better"),
        ("roc_auc", Better, (0.84, 0.84), same, loss, &[], None, 0.0, "kept not_better"),
        ("roc_auc", Better, (0.83, 0.84), same, loss, &[], None, 0.0, "kept not_better"),
        // A lower log loss is better.
        ("log_loss", Better, (0.8, 0.9), same, (0.39, 0.4), &[], None, 0.9, "promoted better"),
        ("log_loss", Better, (0.9, 0.8), same, (0.41, 0.4), &[], None, 0.9, "kept not_better"),
        // Significant: below the limit, not at it; an unknown p-value is no evidence.
        ("roc_auc", Better, (0.85, 0.84), same, loss, &[], Some(0.05), 0.049, "promoted better"),
        ("roc_auc", Better, (0.85, 0.84), same, loss, &[], Some(0.05), 0.05, "kept not_significant"),
        ("roc_auc", Better, (0.85, 0.84), same, loss, &[], Some(0.05), f64::NAN, "kept not_significant"),
        ("roc_auc", Better, (0.83, 0.84), same, loss, &[], Some(0.05), 0.001, "kept not_better"),
        // What may be lost: up to the limit, in spite of rounding (0.80 − 0.75 is above 0.05 in doubles).
        ("roc_auc", Better, (0.85, 0.84), (0.75, 0.80), loss, f1, None, 0.5, "promoted better"),
        ("roc_auc", Better, (0.85, 0.84), (0.74, 0.80), loss, f1, None, 0.5, "refused lost"),
        ("roc_auc", Better, (0.85, 0.84), (0.90, 0.80), (0.42, 0.40), both, None, 0.5, "refused lost"),
        ("roc_auc", Better, (0.85, 0.84), (0.90, 0.80), (0.40, 0.42), both, None, 0.5, "promoted better"),
        // A limit that does not hold refuses also what would be kept.
        ("roc_auc", Better, (0.83, 0.84), (0.74, 0.80), loss, f1, None, 0.5, "refused lost"),
        ("roc_auc", Better, (0.85, 0.84), (0.74, 0.80), loss, f1, Some(0.05), 0.5, "refused lost"),
        // Not worse: every limit holds, whatever the metric does.
        ("roc_auc", NotWorse, (0.83, 0.84), same, loss, f1, None, 0.5, "promoted not_worse"),
        ("roc_auc", NotWorse, (0.85, 0.84), (0.74, 0.80), loss, f1, None, 0.5, "refused lost"),
        ("roc_auc", NotWorse, (0.83, 0.84), same, loss, &[("roc_auc", 0.005)], None, 0.5, "refused lost"),
        ("roc_auc", NotWorse, (0.836, 0.84), same, loss, &[("roc_auc", 0.005)], None, 0.5, "promoted not_worse"),
        // Without limits the metric itself may not be lower.
        ("roc_auc", NotWorse, (0.84, 0.84), same, loss, &[], None, 0.5, "promoted not_worse"),
        ("roc_auc", NotWorse, (0.85, 0.84), same, loss, &[], Some(0.05), 0.5, "promoted not_worse"),
        ("roc_auc", NotWorse, (0.83, 0.84), same, loss, &[], None, 0.5, "kept not_better"),
        ("log_loss", NotWorse, (0.83, 0.84), same, (0.39, 0.4), &[], None, 0.5, "promoted not_worse"),
        // A metric without a value decides nothing.
        ("roc_auc", Better, (f64::NAN, 0.84), same, loss, &[], None, 0.5, "kept no_value"),
        ("roc_auc", NotWorse, (0.85, f64::NAN), same, loss, &[], None, 0.5, "kept no_value"),
        ("roc_auc", Better, (0.85, 0.84), (f64::NAN, 0.8), loss, f1, None, 0.5, "kept no_value"),
        ("roc_auc", Better, (0.85, 0.84), same, loss, &[("latency_p95_ms", 1.0)], None, 0.5, "kept no_value"),
        ("training_seconds", Better, (0.85, 0.84), same, loss, &[], None, 0.5, "kept no_value"),
    ];
    for (row, (metric, when, auc, f1, log_loss, may_lose, significant, p_value, expected)) in cases.iter().enumerate() {
        let comparison = measured(
            &[("roc_auc", auc.0), ("f1", f1.0), ("log_loss", log_loss.0)],
            &[("roc_auc", auc.1), ("f1", f1.1), ("log_loss", log_loss.1)],
            *p_value,
        );
        let rules = rules(metric, *when, may_lose, *significant);
        assert_eq!(name(&decide(&rules, &[], &comparison)), *expected, "case {row}");
        // Gates come before everything.
        let refused = decide(&rules, &["precision".into()], &comparison);
        assert_eq!(refused.decision, Decision::Refused);
        assert_eq!(refused.reason, Reason::Gates { failed: vec!["precision".into()] });
    }
}

#[test]
fn a_gain_must_reach_the_minimum() {
    // (metric, roc_auc of both, log_loss of both, minimum, significant, p, outcome)
    type Case<'a> = (&'a str, (f64, f64), (f64, f64), f64, Option<f64>, f64, &'a str);
    let loss = (0.4, 0.4);
    let cases: &[Case<'_>] = &[
        ("roc_auc", (0.842, 0.84), loss, 0.005, None, 0.9, "kept small_gain"),
        ("roc_auc", (0.846, 0.84), loss, 0.005, None, 0.9, "promoted better"),
        // At the minimum, in spite of rounding: 0.80 − 0.75 is above 0.05 in doubles, 0.85 − 0.80 below.
        ("roc_auc", (0.85, 0.80), loss, 0.05, None, 0.9, "promoted better"),
        ("roc_auc", (0.80, 0.75), loss, 0.05, None, 0.9, "promoted better"),
        // To the better side, whichever way the metric points.
        ("log_loss", (0.9, 0.8), (0.396, 0.4), 0.005, None, 0.9, "kept small_gain"),
        ("log_loss", (0.8, 0.9), (0.39, 0.4), 0.005, None, 0.9, "promoted better"),
        ("log_loss", (0.9, 0.8), (0.41, 0.4), 0.005, None, 0.9, "kept not_better"),
        // No better is no gain, also where none is asked for.
        ("roc_auc", (0.84, 0.84), loss, 0.0, None, 0.9, "kept not_better"),
        ("roc_auc", (0.8400001, 0.84), loss, 0.0, None, 0.9, "promoted better"),
        // Both must hold.
        ("roc_auc", (0.846, 0.84), loss, 0.005, Some(0.05), 0.2, "kept not_significant"),
        ("roc_auc", (0.842, 0.84), loss, 0.005, Some(0.05), 0.001, "kept small_gain"),
        ("roc_auc", (0.846, 0.84), loss, 0.005, Some(0.05), 0.001, "promoted better"),
    ];
    for (row, (metric, auc, log_loss, minimum, significant, p_value, expected)) in cases.iter().enumerate() {
        let comparison = measured(
            &[("roc_auc", auc.0), ("log_loss", log_loss.0)],
            &[("roc_auc", auc.1), ("log_loss", log_loss.1)],
            *p_value,
        );
        let rules = Rules { minimum_gain: Some(*minimum), ..rules(metric, When::Better, &[], *significant) };
        let verdict = decide(&rules, &[], &comparison);
        assert_eq!(name(&verdict), *expected, "case {row}");
        let json = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
    }
}

#[test]
fn without_a_measured_incumbent() {
    let text = |text: &str| text.to_owned();
    let cases = [
        (Comparison::NoIncumbent, "promoted no_incumbent"),
        (Comparison::SameModel, "kept same_model"),
        (Comparison::TooFewRows { rows: 99, excluded: 1, smallest_class: None }, "kept too_few_rows"),
        (Comparison::SeenUnknown { missing: vec![text("x")] }, "kept seen_unknown"),
        (Comparison::OtherTarget { candidate: text("a"), incumbent: text("b") }, "kept other_target"),
        (Comparison::IncumbentFails { error: text("no column") }, "kept incumbent_fails"),
    ];
    for (comparison, expected) in cases {
        for when in [When::Better, When::NotWorse] {
            let rules = rules("roc_auc", when, &[("f1", 0.05)], Some(0.05));
            assert_eq!(name(&decide(&rules, &[], &comparison)), expected);
            assert_eq!(name(&decide(&rules, &["f1".into()], &comparison)), "refused gates");
        }
    }
}

#[test]
fn verdicts_and_comparisons_survive_json() {
    let comparison = measured(&[("roc_auc", f64::NAN)], &[("roc_auc", 0.5)], f64::NAN);
    let json = serde_json::to_string(&comparison).unwrap();
    let read: Comparison = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
    let verdict = decide(&rules("roc_auc", When::Better, &[], None), &[], &comparison);
    let json = serde_json::to_string(&verdict).unwrap();
    assert_eq!(json, r#"{"decision":"kept","reason":{"kind":"no_value","metric":"roc_auc"}}"#);
    assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
}
