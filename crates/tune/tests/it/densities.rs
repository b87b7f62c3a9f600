//! The densities of `tpe` are those of Optuna, to nine digits.

use serde_json::{Value as Json, json};
use trainyard_judges::{json_number, number, python};
use trainyard_random::{Key, Stream};
use trainyard_tune::{
    Direction, Distribution, Parameter, Report, Space, State, Study, Tpe, Trial, Value, Values, When,
};

/// A space with every kind of parameter, some of them only under one choice.
fn space() -> Space {
    let free = |name: &str, distribution| Parameter { name: name.to_owned(), distribution, when: None };
    let when = Some(When { parent: 0, choices: vec![1, 2] });
    let under = |name: &str, distribution| Parameter { name: name.to_owned(), distribution, when: when.clone() };
    let choices = ["tree", "linear", "net"].map(|name| Value::Text(name.to_owned())).to_vec();
    Space::new(vec![
        free("learner", Distribution::categorical(choices).unwrap()),
        free("share", Distribution::float(-1.5, 2.0, false, None).unwrap()),
        free("rate", Distribution::float(1e-5, 0.3, true, None).unwrap()),
        free("depth", Distribution::int(-2, 12, false, 1).unwrap()),
        free("leaves", Distribution::int(2, 96, true, 1).unwrap()),
        free("rows", Distribution::float(0.5, 1.0, false, Some(0.1)).unwrap()),
        free("block", Distribution::int(4, 64, false, 4).unwrap()),
        under("alpha", Distribution::float(1e-3, 10.0, true, None).unwrap()),
        under("single", Distribution::float(2.0, 2.0, false, None).unwrap()),
        under("bias", Distribution::categorical(vec![Value::Bool(false), Value::Bool(true)]).unwrap()),
    ])
    .unwrap()
}

/// Draws values in clumps and on bounds, since distances to neighbours decide the widths of kernels.
fn draw(space: &Space, stream: &mut Stream) -> Values {
    space.fill(|_, parameter| {
        let share = match stream.below(8) {
            0 => 0.0,
            1 => 1.0 - 1e-12,
            2 | 3 => 0.4 + 0.01 * stream.uniform(),
            _ => stream.uniform(),
        };
        parameter.distribution.at(share)
    })
}

fn study(direction: Direction, trials: u64, key: Key) -> Study {
    let space = space();
    let mut stream = key.stream();
    let trial = |number| {
        let mut trial = Trial::begun(number, draw(&space, &mut stream));
        trial.reports = (0..stream.below(4))
            .map(|step| Report { step, value: if stream.below(9) == 0 { f64::NAN } else { stream.uniform() } })
            .collect();
        trial.state = match stream.below(12) {
            0 => State::Running,
            1 => State::Failed,
            2 | 3 => State::Pruned,
            _ => State::Complete,
        };
        // Some values are equal, so that the order of trials decides.
        trial.value = (trial.state == State::Complete).then(|| libm::floor(stream.uniform() * 40.0) - 20.0);
        trial
    };
    let trials = (0..trials).map(trial).collect();
    Study { name: "densities".to_owned(), direction, space, trials }
}

#[test]
fn the_densities_are_those_of_optuna() {
    let Some(judge) = python("tuning") else { return };
    let mut cases = Vec::new();
    for (at, trials) in [1, 5, 11, 24, 29, 31, 33, 40, 64, 130, 300].into_iter().enumerate() {
        for direction in [Direction::Minimize, Direction::Maximize] {
            let key = Key::new(at as u64, "test/densities").derive(direction as u64);
            let study = study(direction, trials, key);
            let mut stream = key.derive(1).stream();
            let points: Vec<Values> = (0..24).map(|_| draw(&study.space, &mut stream)).collect();
            cases.push((study, points));
        }
    }
    let theirs = judge.run(SCRIPT, &Json::Array(cases.iter().map(|(study, points)| told(study, points)).collect()));
    let (mut compared, mut tpe) = (0, Tpe::new(0));
    for ((study, points), theirs) in cases.iter().zip(theirs.as_array().unwrap()) {
        for (group, theirs) in theirs.as_array().unwrap().iter().enumerate() {
            let members = members(&study.space, group);
            let has_all = |point: &&Values| members.iter().all(|&at| point[at].is_some());
            let values = |point: &Values| members.iter().map(|&at| point[at].unwrap()).collect();
            let points: Vec<Vec<f64>> = points.iter().filter(has_all).map(values).collect();
            let ours = tpe.log_densities(study, study.trials.len() as u64, group, &points);
            assert_eq!(ours.len(), theirs.as_array().unwrap().len());
            for ((good, other), theirs) in ours.into_iter().zip(theirs.as_array().unwrap()) {
                for (ours, theirs) in [(good, number(&theirs[0])), (other, number(&theirs[1]))] {
                    let trials = study.trials.len();
                    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{trials}: {ours} {theirs}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1_500, "{compared}");
}

/// The positions of a group's parameters that have more than one value.
fn members(space: &Space, group: usize) -> Vec<usize> {
    let parameters = space.groups()[group].parameters.iter().copied();
    parameters.filter(|&at| !space.parameters()[at].distribution.is_single()).collect()
}

fn told(study: &Study, points: &[Values]) -> Json {
    let parameter = |parameter: &Parameter| match &parameter.distribution {
        Distribution::Float { low, high, log, step } => json!(["float", low, high, log, step]),
        Distribution::Int { low, high, log, step } => json!(["int", low, high, log, step]),
        Distribution::Categorical { choices } => json!(["choice", choices.len()]),
    };
    let trial = |trial: &Trial| {
        let reports: Vec<Json> =
            trial.reports.iter().map(|report| json!([report.step, json_number(report.value)])).collect();
        json!({"values": trial.values, "state": format!("{:?}", trial.state), "value": trial.value, "reports": reports})
    };
    json!({
        "direction": if study.direction == Direction::Minimize { "minimize" } else { "maximize" },
        "parameters": study.space.parameters().iter().map(parameter).collect::<Vec<_>>(),
        "trials": study.trials.iter().map(trial).collect::<Vec<_>>(),
        "groups": (0..study.space.groups().len()).map(|group| members(&study.space, group)).collect::<Vec<_>>(),
        "points": points,
    })
}

/// Builds Optuna's own estimators. Of kernels with equal middles the first gets the gap on the left: NumPy's sort
/// leaves that open unless it is told to be stable.
const SCRIPT: &str = r#"
import numpy as np, optuna
from optuna.distributions import FloatDistribution, IntDistribution, CategoricalDistribution
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.trial import TrialState, create_trial
optuna.logging.set_verbosity(optuna.logging.ERROR)
unstable = np.argsort
np.argsort = lambda a, *args, **more: unstable(a, kind="stable")
STATES = {"Running": TrialState.RUNNING, "Failed": TrialState.FAIL,
          "Pruned": TrialState.PRUNED, "Complete": TrialState.COMPLETE}

def distribution(p):
    if p[0] == "float":
        return FloatDistribution(p[1], p[2], log=p[3], step=p[4])
    if p[0] == "int":
        return IntDistribution(p[1], p[2], log=p[3], step=p[4])
    return CategoricalDistribution(list(range(p[1])))

answer = []
for case in data:
    kinds = [distribution(p) for p in case["parameters"]]
    study = optuna.create_study(direction=case["direction"])
    for trial in case["trials"]:
        there = [i for i, v in enumerate(trial["values"]) if v is not None]
        study.add_trial(create_trial(
            state=STATES[trial["state"]], value=trial["value"],
            params={f"p{i}": kinds[i].to_external_repr(trial["values"][i]) for i in there},
            distributions={f"p{i}": kinds[i] for i in there},
            intermediate_values={int(s): v for s, v in trial["reports"]}))
    sampler = optuna.samplers.TPESampler(multivariate=True, group=True)
    trials = [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.FAIL]
    n = sum(t.state != TrialState.RUNNING for t in trials)
    good, other = _split_trials(study, trials, default_gamma(n))
    groups = []
    for group in case["groups"]:
        space = {f"p{i}": kinds[i] for i in group}
        good_density = sampler._build_parzen_estimator(study, space, good, handle_below=True)
        other_density = sampler._build_parzen_estimator(study, space, other, handle_below=False)
        points = [p for p in case["points"] if all(p[i] is not None for i in group)]
        points = {f"p{i}": np.array([p[i] for p in points]) for i in group}
        groups.append(np.stack([good_density.log_pdf(points), other_density.log_pdf(points)], axis=1).tolist())
    answer.append(groups)
"#;
