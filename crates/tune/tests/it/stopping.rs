//! When a search is over.

use trainyard_random::Key;
use trainyard_tune::pruners::Never;
use trainyard_tune::{Direction, Distribution, Ended, Objective, Record, Rule, Space, Trial, Watch};

use crate::fixtures::{Way, line, parameter};

/// Gives each trial a value from a list; NaN fails.
struct Listed<'a>(&'a [f64]);

impl Objective for Listed<'_> {
    fn parts(&self) -> usize {
        1
    }

    fn evaluate(&self, trial: &Trial, _: usize, _: &Watch<'_>) -> Result<f64, Ended> {
        Ok(self.0[trial.number as usize])
    }
}

fn stops(values: &[f64], rules: &[Rule], parallel: u64) -> (u64, String) {
    let space = line();
    let mut record = Record::new("rules", Direction::Maximize, space);
    let rules: Vec<Rule> = rules.iter().cloned().chain([Rule::Trials(values.len() as u64)]).collect();
    Way { parallel, rules: &rules, pruner: &Never, ..Way::default() }
        .run(&mut record, &Listed(values))
        .expect("a search");
    let stopped = record.stopped.expect("a rule");
    (stopped.after, stopped.why)
}

#[test]
fn each_rule_fires_where_it_says() {
    let values = [0.1, 0.5, 0.4, f64::NAN, 0.55, 0.54, f64::NAN, 0.3, 0.2, 0.9];
    for (rule, parallel, after, why) in [
        (Rule::Reached(0.5), 1, 2, "0.5 reaches 0.5"),
        (Rule::Reached(0.5), 4, 4, "0.5 reaches 0.5"),
        (Rule::Reached(0.95), 1, 10, "10 trials were asked for"),
        (Rule::Stalled { by: 0.0, within: 2 }, 1, 8, "nothing was better in 2 trials"),
        (Rule::Stalled { by: 0.1, within: 3 }, 1, 6, "nothing was better by 0.1 in 3 trials"),
        (Rule::Failing { share: 0.2, after: 4 }, 1, 4, "1 of 4 trials failed"),
        (Rule::Failing { share: 0.25, after: 2 }, 1, 7, "2 of 7 trials failed"),
    ] {
        assert_eq!(stops(&values, std::slice::from_ref(&rule), parallel), (after, why.to_owned()), "{rule:?}");
    }
}

/// A bowl in three parameters, with folds that differ by chance.
struct Bowl(u64);

impl Objective for Bowl {
    fn parts(&self) -> usize {
        5
    }

    fn evaluate(&self, trial: &Trial, part: usize, _: &Watch<'_>) -> Result<f64, Ended> {
        let square: f64 = trial.values.iter().flatten().map(|x| (x - 0.4) * (x - 0.4)).sum();
        let fold = Key::new(self.0, "tune/tests/fold").uniform(part as u64);
        Ok(square + 0.5 * fold)
    }
}

#[test]
fn a_bound_on_the_regret_holds_as_often_as_it_says() {
    let axis = || Distribution::float(0.0, 1.0, false, None).unwrap();
    let names = ["x", "y", "z"];
    let space = Space::new(names.iter().map(|name| parameter(name, axis(), None)).collect()).unwrap();
    let (mut stopped, mut held) = (0, 0);
    for seed in 0..60 {
        let mut record = Record::new(format!("bowl {seed}"), Direction::Minimize, space.clone());
        let bowl = Bowl(seed);
        // The seed moves the draws, since they follow what was said.
        let rules = [Rule::NoProgress { after: 20 }, Rule::Trials(400)];
        Way { parallel: 5, rules: &rules, ..Way::default() }.run(&mut record, &bowl).unwrap();
        let why = record.stopped.clone().unwrap().why;
        if let Some(rest) = why.strip_prefix("at 90 % confidence no choice is better by ") {
            let bound: f64 = rest.split(',').next().unwrap().parse().unwrap();
            let folds = (0..5).map(|part| Key::new(seed, "tune/tests/fold").uniform(part)).sum::<f64>() / 5.0 * 0.5;
            stopped += 1;
            held += u64::from(record.best().unwrap().value.unwrap() - folds <= bound);
        }
    }
    assert!(stopped >= 55, "{stopped}");
    assert!(held * 100 >= stopped * 80, "{held} of {stopped}");
}
