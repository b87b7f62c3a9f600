//! Importances, judged by Optuna's.

use serde_json::json;
use trainyard_judges::{number, python};
use trainyard_random::Key;
use trainyard_tune::{Direction, Distribution, Space, State, Study, Trial, Value, When, importance, slices};

use crate::fixtures::{parameter, sound, space_of};

/// The share of each parameter, by name, and its number of trials.
fn shares(study: &Study, seed: u64) -> Vec<(String, f64, u64)> {
    importance(study, seed).into_iter().map(|one| (one.name, one.share, one.trials)).collect()
}

fn study(space: Space, trials: u64, value: impl Fn(&[Option<f64>]) -> f64) -> Study {
    let trial = |number| {
        let mut stream = Key::new(7, "tune/tests/importance").derive(number).stream();
        let values = space.fill(|_, parameter| parameter.distribution.at(stream.uniform()));
        Trial { state: State::Complete, value: Some(value(&values)), ..Trial::begun(number, values) }
    };
    let trials = (0..trials).map(trial).collect();
    Study { name: "importance".to_owned(), direction: Direction::Minimize, space, trials }
}

fn flat_space() -> Space {
    let kinds = ["a", "b", "c"].map(|kind| Value::Text(kind.to_owned()));
    space_of(vec![
        parameter("x", sound(Distribution::float(-1.0, 3.0, false, None)), None),
        parameter("rate", sound(Distribution::float(1e-3, 1.0, true, None)), None),
        parameter("kind", sound(Distribution::categorical(kinds.to_vec())), None),
        parameter("depth", sound(Distribution::int(1, 9, false, 2)), None),
        parameter("idle", sound(Distribution::float(0.0, 1.0, false, None)), None),
        parameter("fixed", sound(Distribution::int(4, 4, false, 1)), None),
    ])
}

const FANOVA: &str = r#"
import optuna, warnings
optuna.logging.set_verbosity(optuna.logging.ERROR)
from optuna.distributions import *
space = {
    "x": FloatDistribution(-1, 3), "rate": FloatDistribution(1e-3, 1, log=True),
    "kind": CategoricalDistribution(["a", "b", "c"]), "depth": IntDistribution(1, 9, step=2),
    "idle": FloatDistribution(0, 1), "fixed": IntDistribution(4, 4),
}
answer = []
for trials in data:
    study = optuna.create_study()
    for params, value in trials:
        params = {name: int(v) if name in ("depth", "fixed") else v for name, v in params.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=value))
    means = dict.fromkeys(space, 0.0)
    for seed in range(2):
        found = optuna.importance.FanovaImportanceEvaluator(seed=seed).evaluate(study)
        for name in means:
            means[name] += found[name] / 2
    answer.append(means)
"#;

/// A function of the values of a trial.
type Function = fn(&[Option<f64>]) -> f64;

#[test]
fn shares_are_those_of_optuna() {
    let Some(judge) = python("tuning") else { return };
    let functions: [Function; 3] = [
        // Additive, with shares that are far apart.
        |at| {
            let at: Vec<f64> = at.iter().map(|value| value.unwrap_or(0.0)).collect();
            2.0 * at[0] + 3.0 * at[1] + [0.0, 1.0, 4.0][at[2] as usize] + 0.1 * at[3]
        },
        |at| at[3].unwrap_or(0.0) + 0.5 * at[0].unwrap_or(0.0) * at[0].unwrap_or(0.0),
        // One parameter decides what another does.
        |at| if at[2] == Some(1.0) { at[0].unwrap_or(0.0) } else { -at[0].unwrap_or(0.0) },
    ];
    let studies: Vec<Study> = functions.into_iter().map(|value| study(flat_space(), 80, value)).collect();
    let asked: Vec<Vec<_>> = studies
        .iter()
        .map(|study| {
            let params = |trial: &Trial| {
                let parameters = study.space.parameters().iter().zip(&trial.values);
                let named = parameters.map(|(one, value)| {
                    let value = value.unwrap_or(0.0);
                    let value = match one.distribution.external(value) {
                        Value::Text(text) => json!(text),
                        _ => json!(value),
                    };
                    (one.name.clone(), value)
                });
                named.collect::<serde_json::Map<_, _>>()
            };
            study.trials.iter().map(|trial| json!([params(trial), trial.value])).collect()
        })
        .collect();
    let answers = judge.run(FANOVA, &json!(asked));
    for (study, answer) in studies.iter().zip(answers.as_array().unwrap()) {
        let runs: Vec<_> = (0..2).map(|seed| shares(study, seed)).collect();
        let mut pairs: Vec<(f64, f64)> = Vec::new();
        for parameter in study.space.parameters() {
            let ours = runs.iter().flatten().filter(|(name, ..)| *name == parameter.name).map(|(_, share, _)| share);
            let (ours, theirs) = (ours.sum::<f64>() / 2.0, number(&answer[&parameter.name]));
            // 128 trees a side, whose shares spread by 0.1 or so.
            assert!((ours - theirs).abs() < 0.03, "{}: {ours} {theirs}", parameter.name);
            pairs.push((ours, theirs));
        }
        for (one, other) in pairs.iter().flat_map(|one| pairs.iter().map(move |other| (one, other))) {
            assert!(one.1 < other.1 + 0.06 || one.0 > other.0, "{pairs:?}");
        }
    }
}

#[test]
fn a_conditional_parameter_is_judged_where_it_exists() {
    let learners = ["trees", "line"].map(|name| Value::Text(name.to_owned()));
    let when = |choice| Some(When { parent: 0, choices: vec![choice] });
    let space = space_of(vec![
        parameter("learner", sound(Distribution::categorical(learners.to_vec())), None),
        parameter("depth", sound(Distribution::int(1, 9, false, 1)), when(0)),
        parameter("rows", sound(Distribution::float(0.0, 1.0, false, None)), when(0)),
        parameter("penalty", sound(Distribution::float(0.0, 1.0, false, None)), when(1)),
    ]);
    let value = |at: &[Option<f64>]| at[1].unwrap_or(0.0) + 0.1 * at[2].unwrap_or(0.0) + 20.0 * at[0].unwrap_or(0.0);
    let mut study = study(space, 150, value);
    study.trials[3].value = Some(f64::INFINITY);
    let found = importance(&study, 0);
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["learner", "depth", "rows", "penalty"]);
    assert_eq!(found.iter().map(|one| one.is_conditional).collect::<Vec<_>>(), [false, true, true, true]);
    assert!(found[0].share > 0.99 && found[1].share > 0.9 && found[2].share < 0.05, "{found:?}");
    // All trials with it have one value.
    assert_eq!(found[3].share, 0.0);
    assert_eq!((found[0].trials, found[1].trials + found[3].trials), (149, 149));

    let slices = slices(&study);
    let points: Vec<usize> = slices.iter().map(|slice| slice.points.len()).collect();
    assert_eq!(points, [150, points[1], points[1], 150 - points[1]]);
    let first = &slices[1].points[0];
    let trial = &study.trials[first.trial as usize];
    assert_eq!((Some(first.place), Some(first.value)), (trial.values[1], trial.value));
    assert_eq!(first.chosen, Value::Int(first.place as i64));
}

#[test]
fn nothing_matters_where_there_is_nothing_to_tell() {
    for trials in [0, 1, 20] {
        let study = study(flat_space(), trials, |_| 1.0);
        assert!(importance(&study, 0).iter().all(|one| one.share == 0.0 && one.trials == trials));
    }
    let study = study(flat_space(), 50, |at| at[0].unwrap_or(0.0) + at[4].unwrap_or(0.0));
    assert_eq!(importance(&study, 1), importance(&study, 1));
    assert_ne!(importance(&study, 1), importance(&study, 2));
}
