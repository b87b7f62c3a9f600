//! The paired test, judged by SciPy.

use serde_json::json;
use trainyard_judges::{number, python};
use trainyard_random::Key;
use trainyard_tune::{Direction, paired};

#[test]
fn the_paired_test_is_that_of_scipy() {
    let Some(judge) = python("core") else { return };
    let mut cases = Vec::new();
    for case in 0..60_u64 {
        let mut stream = Key::new(case, "tune/tests/significance").stream();
        let folds = 2 + (case % 19) as usize;
        let shift = stream.uniform() - 0.4;
        let tuned: Vec<f64> = (0..folds).map(|_| stream.uniform() + shift).collect();
        let baseline: Vec<f64> = (0..folds).map(|_| stream.uniform()).collect();
        cases.push((tuned, baseline));
    }
    let script = r"
from scipy import stats
answer = []
for tuned, baseline in data:
    plain = stats.ttest_rel(tuned, baseline, alternative='greater')
    low = plain.confidence_interval(0.95).low
    answer.append([plain.statistic, plain.pvalue, low])
";
    let answers = judge.run(script, &json!(cases));
    for ((tuned, baseline), answer) in cases.iter().zip(answers.as_array().unwrap()) {
        let test = paired(Direction::Maximize, tuned, baseline, 0.0).unwrap();
        for (ours, theirs) in [test.t, test.p, test.lower].into_iter().zip(answer.as_array().unwrap()) {
            let theirs = number(theirs);
            assert!((ours - theirs).abs() <= 1e-10 * theirs.abs().max(1e-3), "{test:?} {theirs}");
        }
        // What is lost is what the other side wins.
        let turned = paired(Direction::Minimize, tuned, baseline, 0.0).unwrap();
        assert_eq!((turned.t, turned.gain), (-test.t, -test.gain));
        // Folds that share rows say less.
        let shared = paired(Direction::Maximize, tuned, baseline, 1.0 / (tuned.len() - 1) as f64).unwrap();
        let count = tuned.len() as f64;
        let wider = ((1.0 / count + 1.0 / (count - 1.0)) * count).sqrt();
        assert!((shared.error - test.error * wider).abs() < 1e-12 && (shared.p - 0.5).abs() < (test.p - 0.5).abs());
    }
}

#[test]
fn what_cannot_be_tested_is_not() {
    let test = |tuned: &[f64], baseline: &[f64]| paired(Direction::Maximize, tuned, baseline, 0.25);
    assert_eq!(test(&[1.0], &[0.0]), None);
    assert_eq!(test(&[1.0, 2.0], &[0.0]), None);
    assert_eq!(test(&[1.0, f64::NAN], &[0.0, 0.0]), None);
    // Without spread there is no doubt.
    let sure = test(&[2.0, 3.0, 4.0], &[1.0, 2.0, 3.0]).unwrap();
    assert_eq!((sure.gain, sure.error, sure.p, sure.lower), (1.0, 0.0, 0.0, 1.0));
    let same = test(&[2.0, 3.0, 4.0], &[2.0, 3.0, 4.0]).unwrap();
    assert_eq!((same.t, same.p, same.lower), (0.0, 0.5, 0.0));
}
