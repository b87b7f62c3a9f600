//! Pruners decide as Optuna's do.

use serde_json::{Value as Json, json};
use trainyard_judges::{json_number, python};
use trainyard_random::Key;
use trainyard_tune::pruners::{Hyperband, Percentile, Pruner, Race, SuccessiveHalving};
use trainyard_tune::{Direction, Ended, Objective, Record, Rule, State, Trial, Watch};

use crate::fixtures::{Way, line};

/// Reports what is written: by trial, pairs of step and value.
struct Script(Vec<Vec<(u64, f64)>>);

impl Objective for Script {
    fn parts(&self) -> usize {
        1
    }

    fn stride(&self) -> u64 {
        1_000
    }

    fn evaluate(&self, trial: &Trial, _: usize, watch: &Watch<'_>) -> Result<f64, Ended> {
        let lines = &self.0[trial.number as usize];
        for (step, value) in lines {
            if !watch.report(*step, *value) {
                return Err(Ended::Cancelled);
            }
        }
        if trial.number % 7 == 3 { Err(Ended::Failed("as written".to_owned())) } else { Ok(lines.len() as f64) }
    }
}

fn script(seed: u64, trials: u64) -> Script {
    let mut stream = Key::new(seed, "tune/tests/transcripts").stream();
    let is_dense = !seed.is_multiple_of(3);
    let length = [12, 40, 130][(seed % 3) as usize];
    let lines = (0..trials).map(|_| {
        let mut steps: Vec<u64> = (u64::from(seed.is_multiple_of(2))..length).collect();
        steps.retain(|_| is_dense || stream.uniform() < 0.3);
        let (height, slope) = (stream.uniform(), stream.uniform());
        let value = |step: u64, draw: f64, noise: f64| match draw {
            draw if draw < 0.01 => f64::NAN,
            draw if draw < 0.013 => f64::INFINITY,
            draw if draw < 0.016 => f64::NEG_INFINITY,
            // Some values are equal.
            _ => ((height + slope / (step + 1) as f64 + 0.1 * noise) * 50.0).round() / 50.0,
        };
        steps.into_iter().map(|step| (step, value(step, stream.uniform(), stream.uniform()))).collect()
    });
    Script(lines.collect())
}

fn cases() -> Vec<(Box<dyn Pruner>, &'static str)> {
    let halving = SuccessiveHalving::default();
    vec![
        (Box::new(Percentile::median()), "MedianPruner()"),
        (
            Box::new(Percentile { percentile: 25.0, startup: 3, warmup: 4, interval: 3, least: 4 }),
            "PercentilePruner(25.0, n_startup_trials=3, n_warmup_steps=4, interval_steps=3, n_min_trials=4)",
        ),
        (
            Box::new(Percentile { percentile: 80.0, startup: 0, warmup: 0, interval: 1, least: 1 }),
            "PercentilePruner(80.0, n_startup_trials=0)",
        ),
        (Box::new(halving), "SuccessiveHalvingPruner()"),
        (
            Box::new(SuccessiveHalving { resource: Some(2), factor: 2, rate: 1, bootstrap: 2 }),
            "SuccessiveHalvingPruner(2, 2, 1, 2)",
        ),
        (Box::new(SuccessiveHalving { resource: Some(1), factor: 3, ..halving }), "SuccessiveHalvingPruner(1, 3)"),
        (Box::new(Hyperband::default()), "HyperbandPruner()"),
        (Box::new(Hyperband { least: 2, most: Some(100), factor: 2, bootstrap: 1 }), "HyperbandPruner(2, 100, 2, 1)"),
    ]
}

const REPLAY: &str = r#"
import optuna
from optuna.pruners import *
optuna.logging.set_verbosity(optuna.logging.ERROR)
answer = []
for case in data:
    study = optuna.create_study(study_name="replayed", direction=case["direction"], pruner=eval(case["pruner"]))
    ends = []
    for number, lines in enumerate(case["script"]):
        trial = study.ask()
        pruned, last = False, -1
        for step, value in lines:
            trial.report(value, int(step))
            last = step
            if trial.should_prune():
                pruned = True
                break
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif number % 7 == 3:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, float(len(lines)))
        ends.append([["complete", "failed"][number % 7 == 3] if not pruned else "pruned", last])
    answer.append(ends)
"#;

#[test]
fn every_decision_is_that_of_optuna() {
    let Some(judge) = python("tuning") else { return };
    let space = line();
    let (mut ours, mut asked) = (Vec::new(), Vec::new());
    let mut pruned = Vec::new();
    for (at, (pruner, words)) in cases().into_iter().enumerate() {
        let mut count = 0;
        for seed in 0..6 {
            for direction in [Direction::Minimize, Direction::Maximize] {
                let script = script(seed + 10 * at as u64, 40);
                let mut record = Record::new("replayed", direction, space.clone());
                let way = Way { parallel: 1, pruner: &*pruner, rules: &[Rule::Trials(40)], ..Way::default() };
                way.run(&mut record, &script).unwrap();
                let ends = record.study.trials.iter().map(|trial| {
                    let state = match trial.state {
                        State::Pruned => "pruned",
                        State::Failed => "failed",
                        _ => "complete",
                    };
                    count += u64::from(trial.state == State::Pruned);
                    // Where nothing was reported there is our report of the value.
                    let last = if script.0[trial.number as usize].is_empty() { None } else { trial.reports.last() };
                    json!([state, last.map_or(-1, |last| last.step as i64)])
                });
                ours.push((words, seed, direction, Json::Array(ends.collect())));
                let lines: Vec<Vec<(u64, Json)>> = script
                    .0
                    .iter()
                    .map(|lines| lines.iter().map(|(step, value)| (*step, json_number(*value))).collect())
                    .collect();
                let word = if direction == Direction::Minimize { "minimize" } else { "maximize" };
                asked.push(json!({"direction": word, "pruner": words, "script": lines}));
            }
        }
        pruned.push(count);
    }
    let answers = judge.run(REPLAY, &Json::Array(asked));
    for ((words, seed, direction, ends), answer) in ours.iter().zip(answers.as_array().unwrap()) {
        assert_eq!(ends.as_array().unwrap().len(), answer.as_array().unwrap().len());
        for (number, (end, theirs)) in ends.as_array().unwrap().iter().zip(answer.as_array().unwrap()).enumerate() {
            assert_eq!(end, theirs, "{words}, transcripts {seed}, {direction:?}, trial {number}");
        }
    }
    // Each ended some and let others go on.
    assert!(pruned.iter().all(|count| (20..440).contains(count)), "{pruned:?}");
}

/// Gives the values of folds.
struct Folds(Vec<Vec<f64>>);

impl Objective for Folds {
    fn parts(&self) -> usize {
        self.0[0].len()
    }

    fn evaluate(&self, trial: &Trial, part: usize, _: &Watch<'_>) -> Result<f64, Ended> {
        Ok(self.0[trial.number as usize][part])
    }
}

#[test]
fn a_race_ends_what_cannot_win() {
    let folds = Folds(vec![
        vec![0.90, 0.80, 0.85, 0.95, 0.88],
        // Worse on each fold by about as much.
        vec![0.80, 0.70, 0.74, 0.86, 0.78],
        // Worse on average, but not beyond chance.
        vec![0.70, 0.85, 0.80, 0.94, 0.86],
        // Four perfect folds could not make up for the first.
        vec![0.30, 1.00, 1.00, 1.00, 1.00],
        vec![0.91, 0.82, 0.86, 0.96, 0.89],
        // Four perfect folds would make it equal, which is not better.
        vec![0.44, 1.00, 1.00, 1.00, 1.00],
    ]);
    let ends = |race: Race| {
        let space = line();
        let mut record = Record::new("race", Direction::Maximize, space);
        let way = Way { parallel: 1, pruner: &race, rules: &[Rule::Trials(6)], ..Way::default() };
        way.run(&mut record, &folds).unwrap();
        record.study.trials.iter().map(|trial| (trial.state == State::Pruned, trial.parts.len())).collect::<Vec<_>>()
    };
    let whole = (false, 5);
    assert_eq!(ends(Race { risk: 0.05, bound: None }), [whole, (true, 2), whole, whole, whole, whole]);
    assert_eq!(ends(Race { risk: 0.05, bound: Some(1.0) }), [whole, (true, 2), (true, 3), (true, 1), whole, (true, 1)]);
    assert_eq!(ends(Race { risk: 0.0, bound: Some(1.0) }), [whole, (true, 3), (true, 3), (true, 1), whole, (true, 1)]);
}
