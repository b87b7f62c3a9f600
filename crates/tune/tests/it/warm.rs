//! Spaces that changed, and what an earlier study is worth then.

use trainyard_tune::{Difference, Direction, Distribution, Rule, Space, State, StudyError, Value, Warm, When};

use crate::fixtures::{Learner, Way, parameter, record, space};

#[test]
fn a_changed_space_is_told_in_words() {
    let study = record().study;
    assert_eq!(study.differs(&space()), []);
    let learners = ["trees", "line", "none"].map(|name| Value::Text(name.to_owned()));
    let changed = Space::new(vec![
        parameter("learner", Distribution::categorical(learners.to_vec()).unwrap(), None),
        parameter("rate", Distribution::float(1e-3, 2.0, false, None).unwrap(), None),
        parameter("depth", Distribution::int(1, 9, false, 1).unwrap(), Some(When { parent: 0, choices: vec![0, 2] })),
        parameter("rows", Distribution::int(10, 100, false, 10).unwrap(), None),
    ]);
    let differences: Vec<String> = study.differs(&changed.unwrap()).iter().map(ToString::to_string).collect();
    let expected = [
        "`rate` was numbers from 0.001 to 1 (logarithmic), and is numbers from 0.001 to 2",
        "`learner` was one of trees, line, and is one of trees, line, none",
        "`depth` existed where `learner` is trees, and exists where `learner` is trees or none",
        "`share` is gone",
        "`rows` is new",
    ];
    assert_eq!(differences, expected);
    let mut other = space().parameters().to_vec();
    other.swap(2, 3);
    assert_eq!(study.differs(&Space::new(other).unwrap()), [Difference::Order]);
}

#[test]
fn trials_that_are_no_trials_of_the_new_space_are_left_out_and_counted() {
    let learner = Learner { parts: 1, iterations: 1, sleep: 0, seed: 0, is_frail: true };
    let mut old = record();
    crate::fixtures::silently(|| Way { rules: &[Rule::Trials(40)], ..Way::default() }.run(&mut old, &learner).unwrap());
    let trials = &old.study.trials;
    let complete = trials.iter().filter(|trial| trial.state == State::Complete).count() as u64;
    assert!(complete < 40);
    // A narrower range, in another order, whole numbers where there were such numbers.
    let learners = ["line", "trees"].map(|name| Value::Text(name.to_owned()));
    let when = Some(When { parent: 0, choices: vec![1] });
    let narrow = Space::new(vec![
        parameter("learner", Distribution::categorical(learners.to_vec()).unwrap(), None),
        parameter("depth", Distribution::float(0.5, 6.5, false, None).unwrap(), when),
        parameter("share", Distribution::float(0.1, 1.0, false, Some(0.1)).unwrap(), None),
        parameter("rate", Distribution::float(1e-2, 1.0, true, None).unwrap(), None),
    ]);
    let warm = Warm::from(&old.study, Direction::Minimize, &narrow.unwrap()).unwrap();
    let is_inside = |trial: &&trainyard_tune::Trial| {
        trial.state == State::Complete
            && trial.values[0].unwrap() >= 1e-2
            && trial.values[2].is_none_or(|depth| depth <= 6.0)
    };
    let inside: Vec<_> = trials.iter().filter(is_inside).collect();
    assert!(inside.len() > 5 && inside.len() < complete as usize);
    assert_eq!(warm.trials.len(), inside.len());
    for ((new, old), number) in warm.trials.iter().zip(inside).zip(0..) {
        let moved = [old.values[1].map(|choice| 1.0 - choice), old.values[2], old.values[3], old.values[0]];
        assert_eq!((new.number, &new.values[..], new.value), (number, &moved[..], old.value));
    }
    assert_eq!((warm.lacking, warm.beyond, warm.outside), (0, 0, complete - warm.trials.len() as u64));
    let lacks = Space::new(vec![parameter("rate", Distribution::float(1e-4, 1.0, true, None).unwrap(), None)]).unwrap();
    let warm = Warm::from(&old.study, Direction::Minimize, &lacks).unwrap();
    assert_eq!((warm.trials.len(), warm.beyond), (0, complete));
    let expected = [
        "0 trials of an earlier study are known".to_owned(),
        format!("{complete} trials left out: with a parameter that this space lacks"),
    ];
    assert_eq!(warm.words(), expected);
    let other = Warm::from(&old.study, Direction::Maximize, &space());
    assert_eq!(other, Err(StudyError::OtherDirection { study: "churn".to_owned() }));
}
