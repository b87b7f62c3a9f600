//! The same study whatever the threads do, and however often it was interrupted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trainyard_tune::pruners::{Hyperband, Never, Percentile, Pruner, Race, SuccessiveHalving};
use trainyard_tune::{
    Ended, Event, Objective, Outcome, Plan, Record, Rule, State, Stopped, StudyError, Trial, Value, Warm, Watch, run,
};

use crate::fixtures::{Learner, Way, draw, record, silently};

fn pruners() -> Vec<(&'static str, Box<dyn Pruner + Send>)> {
    let early = Percentile { startup: 2, ..Percentile::median() };
    let all: Vec<Box<dyn Pruner + Send>> = vec![Box::new(early), Box::new(Race { risk: 0.2, bound: Some(0.0) })];
    vec![
        ("never", Box::new(Never)),
        ("median", Box::new(early)),
        ("halving", Box::new(SuccessiveHalving { resource: Some(2), factor: 2, ..SuccessiveHalving::default() })),
        ("hyperband", Box::new(Hyperband::default())),
        ("race", Box::new(Race { risk: 0.3, bound: Some(0.0) })),
        ("median and race", Box::new(all)),
    ]
}

fn text(record: &Record) -> String {
    trainyard_tune::journal::write(record)
}

#[test]
fn threads_and_their_speed_change_nothing() {
    silently(|| {
        for (name, pruner) in pruners() {
            let mut texts = Vec::new();
            for (threads, seed) in [(1, 1), (2, 2), (8, 3), (8, 4), (3, 5)] {
                let learner = Learner { parts: 3, iterations: 5, sleep: 300, seed, is_frail: true };
                let mut record = record();
                let way = Way { threads, pruner: &*pruner, rules: &[Rule::Trials(22)], ..Way::default() };
                way.run(&mut record, &learner).unwrap();
                let ended = |state| record.study.trials.iter().filter(|trial| trial.state == state).count();
                assert_eq!(record.study.trials.len(), 22);
                assert!(ended(State::Complete) > 1 && ended(State::Failed) > 0, "{name}: {}", text(&record));
                assert_eq!(ended(State::Pruned) > 0, name != "never", "{name}");
                texts.push(text(&record));
            }
            assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
        }
    });
}

#[test]
fn an_interrupted_study_ends_as_if_nothing_had_happened() {
    silently(|| {
        // How often a trial had ended while one before it had not.
        let mut gaps = 0;
        for (name, pruner) in pruners() {
            let learner = |seed| Learner { parts: 2, iterations: 4, sleep: 60, seed, is_frail: true };
            let way = Way { threads: 2, pruner: &*pruner, rules: &[Rule::Trials(14)], ..Way::default() };
            let mut whole = record();
            whole.enqueue(&[("rate".to_owned(), Value::Float(0.1)), ("depth".to_owned(), Value::Int(4))]).unwrap();
            let begun = whole.clone();
            way.run(&mut whole, &learner(0)).unwrap();
            let mut interruptions = 0;
            for after in (0..100).step_by(7) {
                let mut resumed = begun.clone();
                let mut left = 40;
                loop {
                    let asked = AtomicU64::new(0);
                    let interrupted = || asked.fetch_add(1, Ordering::Relaxed) >= after + 40 - left;
                    let way = Way { interrupted: &interrupted, ..way };
                    match way.run(&mut resumed, &learner(after)).unwrap() {
                        Outcome::Stopped(_) => break,
                        Outcome::Interrupted => interruptions += 1,
                    }
                    let running = resumed.study.trials.iter().filter(|trial| trial.state == State::Running).count();
                    assert_eq!(running, 0, "{name}");
                    let waiting = resumed.study.trials.iter().filter(|trial| trial.state == State::Waiting);
                    gaps += waiting.filter(|trial| trial.number > 0).count();
                    let last = resumed.study.trials.last().unwrap();
                    assert!(last.state.is_finished() || last.number == 0);
                    left = if left == 1 { break } else { left - 1 };
                }
                way.run(&mut resumed, &learner(after)).unwrap();
                assert_eq!(text(&resumed), text(&whole), "{name}, interrupted after {after}");
            }
            assert!(interruptions > 20, "{name}: {interruptions}");
        }
        assert!(gaps > 0);
    });
}

#[test]
fn a_study_that_stopped_goes_on_as_if_it_had_not() {
    let pruner = Percentile { startup: 2, ..Percentile::median() };
    let learner = Learner { parts: 2, iterations: 3, sleep: 0, seed: 0, is_frail: false };
    let run = |record: &mut Record, trials| {
        Way { threads: 2, pruner: &pruner, rules: &[Rule::Trials(trials)], ..Way::default() }
            .run(record, &learner)
            .unwrap();
    };
    let mut whole = record();
    run(&mut whole, 19);
    assert_eq!(whole.stopped, Some(Stopped { after: 19, why: "19 trials were asked for".to_owned() }));
    for trials in 1..19 {
        let mut record = record();
        run(&mut record, trials);
        assert_eq!(record.study.trials.len() as u64, trials);
        assert_eq!(record.study.trials[..], whole.study.trials[..trials as usize]);
        run(&mut record, 19);
        assert_eq!(text(&record), text(&whole), "stopped after {trials}");
    }
}

#[test]
fn a_time_budget_ends_at_a_border_and_can_be_replayed() {
    let learner = Learner { parts: 2, iterations: 3, sleep: 0, seed: 0, is_frail: false };
    let asked = AtomicU64::new(0);
    let elapsed = || Duration::from_secs(asked.fetch_add(1, Ordering::Relaxed));
    let rules = [Rule::Trials(100), Rule::Time(Duration::from_secs(2))];
    let plan = Plan {
        parallel: 4,
        threads: 2,
        pruner: &Never,
        rules: &rules,
        elapsed: &elapsed,
        replay: None,
        warm: &[],
        interrupted: &|| false,
        hear: &|_| {},
    };
    let mut first = record();
    let outcome = run(&mut first, &mut draw, &learner, &plan).unwrap();
    let stopped = Stopped { after: 12, why: "2 s were given".to_owned() };
    assert_eq!(outcome, Outcome::Stopped(stopped.clone()));
    assert_eq!((first.study.trials.len(), asked.load(Ordering::Relaxed)), (12, 3));
    let mut again = record();
    let plan = Plan { elapsed: &|| Duration::MAX, replay: Some(stopped), ..plan };
    run(&mut again, &mut draw, &learner, &plan).unwrap();
    assert_eq!(again, first);
}

#[test]
fn what_was_chosen_beforehand_comes_first_and_is_completed() {
    let learner = Learner { parts: 1, iterations: 1, sleep: 0, seed: 0, is_frail: false };
    let mut record = record();
    let named = |name: &str, value| (name.to_owned(), value);
    let whole = [
        named("rate", Value::Float(0.5)),
        named("learner", Value::Text("line".to_owned())),
        named("share", Value::Float(0.1)),
    ];
    assert_eq!(record.enqueue(&whole), Ok(0));
    assert_eq!(record.enqueue(&[named("learner", Value::Text("trees".to_owned()))]), Ok(1));
    let near = Err(StudyError::UnknownParameter { name: "dept".to_owned(), near: Some("depth".to_owned()) });
    assert_eq!(record.enqueue(&[named("dept", Value::Int(3))]), near);
    let outside = Err(StudyError::Outside { name: "depth".to_owned(), value: "10".to_owned() });
    assert_eq!(record.enqueue(&[named("depth", Value::Int(10))]), outside);
    Way { rules: &[Rule::Trials(6)], ..Way::default() }.run(&mut record, &learner).unwrap();
    let trials = &record.study.trials;
    assert_eq!(trials[0].values, [Some(0.5), Some(1.0), None, Some(0.1)]);
    assert_eq!(trials[1].values[1], Some(0.0));
    assert!(trials[1].values[2].is_some() && trials.iter().all(|trial| trial.state == State::Complete));
}

#[test]
fn a_warm_start_is_known_and_does_not_count() {
    let learner = Learner { parts: 1, iterations: 1, sleep: 0, seed: 0, is_frail: false };
    let mut old = record();
    Way::default().run(&mut old, &learner).unwrap();
    let warm = Warm::from(&old.study, old.study.direction, &old.study.space).unwrap();
    let views = Mutex::new(Vec::new());
    let mut new = record();
    let plan = Plan {
        parallel: 2,
        threads: 1,
        pruner: &Never,
        rules: &[Rule::Trials(4)],
        elapsed: &|| Duration::ZERO,
        replay: None,
        warm: &warm.trials,
        interrupted: &|| false,
        hear: &|_| {},
    };
    let mut suggest = |study: &trainyard_tune::Study, number: u64| {
        assert!(study.trials.iter().zip(0..).all(|(trial, at)| trial.number == at));
        let running = study.trials.iter().filter(|trial| trial.state == State::Running).count();
        views.lock().unwrap().push((number, study.trials.len(), running));
        draw(study, number)
    };
    run(&mut new, &mut suggest, &learner, &plan).unwrap();
    assert_eq!(*views.lock().unwrap(), [(20, 20, 0), (21, 21, 1), (22, 22, 0), (23, 23, 1)]);
    assert_eq!(new.study.trials.len(), 4);
}

/// Says what it is told to say.
struct Told(fn(&Trial, usize, &Watch<'_>) -> Result<f64, Ended>, usize);

impl Objective for Told {
    fn parts(&self) -> usize {
        self.1
    }

    fn evaluate(&self, trial: &Trial, part: usize, watch: &Watch<'_>) -> Result<f64, Ended> {
        (self.0)(trial, part, watch)
    }
}

#[test]
fn what_has_no_value_fails_with_its_reason_and_the_study_goes_on() {
    let told = Told(
        |trial, part, watch| match trial.number {
            0 => Ok(f64::NAN),
            1 if part == 1 => Err(Ended::Failed("the disk is full".to_owned())),
            2 => Err(Ended::Cancelled),
            3 => panic!("index {} out of bounds", 7),
            4 => {
                watch.report(1, 0.5);
                Ok(1.0)
            }
            5 if part == 1 => Ok(f64::NEG_INFINITY),
            5 => Ok(f64::INFINITY),
            _ => Ok(part as f64),
        },
        2,
    );
    let mut record = record();
    silently(|| Way { threads: 2, rules: &[Rule::Trials(8)], ..Way::default() }.run(&mut record, &told).unwrap());
    let reasons: Vec<Option<&str>> = record.study.trials.iter().map(|trial| trial.reason.as_deref()).collect();
    let expected = [
        Some("part 0 came to NaN"),
        Some("the disk is full"),
        Some("part 0 gave up unasked"),
        Some("it panicked: index 7 out of bounds"),
        Some("it reported iteration 1, and a part has 1"),
        Some("its mean is NaN"),
        None,
        None,
    ];
    assert_eq!(reasons, expected);
    assert_eq!(record.best().map(|trial| (trial.number, trial.value)), Ok((6, Some(0.5))));
    assert_eq!(record.study.trials[1].parts, [0.0]);
    assert_eq!(
        record.study.trials[6].reports.iter().map(|said| (said.step, said.value)).collect::<Vec<_>>(),
        [(0, 0.0), (1, 0.5)]
    );
}

#[test]
fn a_study_in_which_everything_fails_says_why() {
    let told =
        Told(|trial, _, _| Err(Ended::Failed(["no memory", "no rows"][(trial.number % 3 / 2) as usize].into())), 2);
    let mut record = record();
    assert_eq!(record.best(), Err(StudyError::NoneComplete { trials: 0, failures: vec![] }));
    Way { rules: &[Rule::Trials(6)], ..Way::default() }.run(&mut record, &told).unwrap();
    let error = record.best().unwrap_err();
    let failures = vec![("no memory".to_owned(), 4), ("no rows".to_owned(), 2)];
    assert_eq!(error, StudyError::NoneComplete { trials: 6, failures });
    let diagnostic = error.diagnostic();
    assert_eq!(diagnostic.title, "none of 6 trials came to a value");
    assert_eq!(diagnostic.notes, ["4 trials: no memory", "2 trials: no rows"]);
    let none = Way { rules: &[Rule::Trials(0)], ..Way::default() }.run(&mut record, &told);
    assert_eq!(none, Err(StudyError::NoTrials));
}

#[test]
fn a_sampler_that_has_nothing_left_ends_the_study() {
    let learner = Learner { parts: 2, iterations: 1, sleep: 0, seed: 0, is_frail: false };
    for (left, parallel) in [(7, 4), (8, 4), (0, 1), (3, 1)] {
        let mut record = record();
        let plan = Plan {
            parallel,
            threads: 2,
            pruner: &Never,
            rules: &[],
            elapsed: &|| Duration::ZERO,
            replay: None,
            warm: &[],
            interrupted: &|| false,
            hear: &|_| {},
        };
        let mut suggest =
            |study: &trainyard_tune::Study, number| if number < left { draw(study, number) } else { None };
        let outcome = run(&mut record, &mut suggest, &learner, &plan).unwrap();
        let stopped = Stopped { after: left, why: "every choice of the space was tried".to_owned() };
        assert_eq!(outcome, Outcome::Stopped(stopped));
        assert_eq!(record.study.trials.len() as u64, left);
    }
    let mut wrong = |_: &trainyard_tune::Study, _| Some(vec![None; 4]);
    let plan = Plan {
        parallel: 1,
        threads: 1,
        pruner: &Never,
        rules: &[],
        elapsed: &|| Duration::ZERO,
        replay: None,
        warm: &[],
        interrupted: &|| false,
        hear: &|_| {},
    };
    let refused = run(&mut record(), &mut wrong, &learner, &plan);
    assert_eq!(refused, Err(StudyError::Suggested { number: 0 }));
}

#[test]
fn events_tell_the_whole_study() {
    let pruner = Percentile { startup: 2, ..Percentile::median() };
    let learner = Learner { parts: 2, iterations: 3, sleep: 50, seed: 0, is_frail: false };
    let (ended, reports, best) = (Mutex::new(Vec::new()), AtomicU64::new(0), Mutex::new(Vec::new()));
    let begun = AtomicU64::new(0);
    let hear = |event: Event<'_>| match event {
        Event::Begun(trial) => {
            assert_eq!(trial.state, State::Running);
            begun.fetch_add(1, Ordering::Relaxed);
        }
        Event::Reported { .. } => {
            reports.fetch_add(1, Ordering::Relaxed);
        }
        Event::Ended { trial, .. } => ended.lock().unwrap().push(trial.clone()),
        Event::Best(trial) => best.lock().unwrap().push(trial.value.unwrap()),
        Event::Stopped(stopped) => assert_eq!(stopped.after, 20),
    };
    let mut record = record();
    Way { threads: 4, pruner: &pruner, hear: &hear, ..Way::default() }.run(&mut record, &learner).unwrap();
    let mut ended = ended.into_inner().unwrap();
    ended.sort_by_key(|trial| trial.number);
    assert_eq!(ended, record.study.trials);
    assert_eq!(begun.into_inner(), 20);
    let kept: usize = record.study.trials.iter().map(|trial| trial.reports.len()).sum();
    assert_eq!(reports.into_inner(), kept as u64);
    let best = best.into_inner().unwrap();
    assert!(best.is_sorted_by(|one, next| one > next), "{best:?}");
    assert_eq!(best.last().copied(), record.best().unwrap().value);
}
