//! What every sampler keeps, and what a grid is.

use trainyard_random::Key;
use trainyard_tune::{
    Auto, Distribution, Error, Grid, Parameter, QuasiRandom, Random, Report, Sampler, Space, State, Study, Tpe, Trial,
    Value, Values, When,
};

use crate::problems;

type Make = fn() -> Box<dyn Sampler>;

const MAKES: [(&str, Make); 4] = [
    ("random", || Box::new(Random::new(7))),
    ("quasi-random", || Box::new(QuasiRandom::new(7))),
    ("tpe", || Box::new(Tpe::new(7))),
    ("auto", || Box::new(Auto::new(7))),
];

/// Runs a study in batches of four, in which trials fail and are pruned, and gives what was suggested. A fresh sampler
/// is asked the same as one that lived through all.
fn live(problem: &problems::Problem, make: Make, trials: u64) -> Vec<Values> {
    let mut study = problems::study(&problem.space);
    let (mut sampler, mut suggested) = (make(), Vec::new());
    let chance = Key::new(3, "test/live");
    for number in 0..trials {
        let values = sampler.suggest(&study, number).unwrap();
        assert!(problem.space.contains(&values), "{values:?}");
        assert_eq!(make().suggest(&study, number).as_ref(), Some(&values), "{} {number}", problem.name);
        suggested.push(values.clone());
        study.trials.push(Trial::begun(number, values));
        if number % 4 == 3 {
            for trial in study.trials.iter_mut().filter(|trial| trial.state == State::Running) {
                let loss = (problem.loss)(&problems::numbers(&trial.values));
                trial.reports.push(Report { step: trial.number % 3, value: loss * 1.1 });
                trial.state = [State::Complete, State::Complete, State::Complete, State::Pruned, State::Failed]
                    [chance.derive(trial.number).stream().below(5) as usize];
                let value = if trial.number % 17 == 5 { f64::NAN } else { loss };
                trial.value = (trial.state == State::Complete).then_some(value);
            }
        }
    }
    suggested
}

#[test]
fn a_fresh_sampler_says_what_one_says_that_lived_through_all() {
    for problem in problems::reference().iter().chain(&problems::further()) {
        if !["branin", "mixed_catlog", "conditional", "plateau"].contains(&problem.name) {
            continue;
        }
        for (name, make) in MAKES {
            let suggested = live(problem, make, 72);
            let tried_twice = (1..suggested.len()).filter(|&at| suggested[..at].contains(&suggested[at])).count();
            assert!(tried_twice < 24, "{name} {}: {tried_twice}", problem.name);
        }
    }
}

#[test]
fn a_sampler_may_be_handed_another_study() {
    let problems = problems::reference();
    let run = |at: usize, sampler: &mut dyn Sampler| problems::run(&problems[at], sampler, 1, 30);
    for (name, make) in MAKES {
        let mut used = make();
        run(6, used.as_mut());
        run(3, used.as_mut());
        assert_eq!(run(6, used.as_mut()), run(6, make().as_mut()), "{name}");
    }
}

#[test]
fn what_failed_or_is_no_number_says_nothing() {
    let problem = &problems::reference()[0];
    let mut study = problems::study(&problem.space);
    for number in 0..40 {
        let values = Random::new(9).suggest(&study, number).unwrap();
        let mut trial = Trial::begun(number, values);
        trial.state = State::Complete;
        trial.value = Some((problem.loss)(&problems::numbers(&trial.values)));
        study.trials.push(trial);
    }
    let mut silent = study.clone();
    for number in 40..60 {
        let mut trial = Trial::begun(number, vec![Some(5.0); 5]);
        trial.state = if number % 2 == 0 { State::Failed } else { State::Complete };
        trial.value = (number % 2 == 1).then_some(f64::NAN);
        trial.reports = vec![Report { step: 9, value: -1e9 }];
        silent.trials.push(trial);
    }
    for (name, make) in MAKES {
        assert_eq!(make().suggest(&silent, 60), make().suggest(&study, 60), "{name}");
        // A trial sees none that has its number or a higher one.
        assert_eq!(make().suggest(&silent, 20), make().suggest(&cut(&study, 20), 20), "{name}");
    }
}

fn cut(study: &Study, trials: usize) -> Study {
    Study { trials: study.trials[..trials].to_vec(), ..study.clone() }
}

#[test]
fn quasi_random_points_are_evener_than_chance() {
    // The first parameter has base 2 and the second base 3, so each of 4 × 9 rectangles gets every 36th point.
    let space = Space::new(
        (0..4)
            .map(|at| Parameter {
                name: format!("x{at}"),
                distribution: Distribution::float(0.0, 1.0, false, None).unwrap(),
                when: None,
            })
            .collect(),
    )
    .unwrap();
    let unevenness = |sampler: &mut dyn Sampler| {
        let mut counts = [0.0f64; 36];
        for number in 0..216 {
            let point = sampler.suggest(&problems::study(&space), number).unwrap();
            let place = |at: usize, parts: f64| (point[at].unwrap() * parts) as usize;
            counts[place(0, 4.0) * 9 + place(1, 9.0)] += 1.0;
        }
        counts.iter().map(|count| (count - 6.0) * (count - 6.0)).sum::<f64>()
    };
    for seed in 0..20 {
        assert_eq!(unevenness(&mut QuasiRandom::new(seed)), 0.0, "{seed}");
        assert!(unevenness(&mut Random::new(seed)) > 70.0, "{seed}");
    }
}

#[test]
fn a_grid_has_every_combination_once_the_last_parameter_fastest() {
    let choices = ["plain", "deep"].map(|name| Value::Text(name.to_owned())).to_vec();
    let when = Some(When { parent: 0, choices: vec![1] });
    let parameter = |name: &str, distribution, when| Parameter { name: name.to_owned(), distribution, when };
    let space = Space::new(vec![
        parameter("kind", Distribution::categorical(choices).unwrap(), None),
        parameter("depth", Distribution::int(2, 6, false, 2).unwrap(), when),
        parameter("rows", Distribution::float(0.5, 0.75, false, Some(0.25)).unwrap(), None),
    ])
    .unwrap();
    let expected = [
        [Some(0.0), None, Some(0.5)],
        [Some(0.0), None, Some(0.75)],
        [Some(1.0), Some(2.0), Some(0.5)],
        [Some(1.0), Some(2.0), Some(0.75)],
        [Some(1.0), Some(4.0), Some(0.5)],
        [Some(1.0), Some(4.0), Some(0.75)],
        [Some(1.0), Some(6.0), Some(0.5)],
        [Some(1.0), Some(6.0), Some(0.75)],
    ];
    for known in [None, Some(expected[4].to_vec())] {
        let mut study = problems::study(&space);
        study.trials.extend(known.iter().map(|values| Trial::begun(0, values.clone())));
        let mut grid = Grid::new(&space).unwrap();
        while let Some(values) = grid.suggest(&study, study.trials.len() as u64) {
            study.trials.push(Trial::begun(study.trials.len() as u64, values));
        }
        let mut expected: Vec<Values> = expected.iter().map(|values| values.to_vec()).collect();
        if known.is_some() {
            let first = expected.remove(4);
            expected.insert(0, first);
        }
        assert_eq!(study.trials.iter().map(|trial| trial.values.clone()).collect::<Vec<_>>(), expected);
    }
    let open = problems::reference().remove(3).space;
    assert_eq!(Grid::new(&open).unwrap_err(), Error::WithoutSteps("x0".to_owned()));
}
