//! A space, a sampler and objectives for tests.

use std::sync::Mutex;
use std::time::Duration;

use trainyard_random::Key;
use trainyard_tune::pruners::{Never, Pruner};
use trainyard_tune::{
    Direction, Distribution, Ended, Error, Event, Objective, Outcome, Parameter, Plan, Record, Rule, Space, Study,
    StudyError, Trial, Value, Values, Watch, When, run,
};

/// A distribution that is sound.
pub(crate) fn sound(distribution: Result<Distribution, Error>) -> Distribution {
    distribution.expect("a sound distribution")
}

/// A space of such parameters.
pub(crate) fn space_of(parameters: Vec<Parameter>) -> Space {
    Space::new(parameters).expect("a sound space")
}

/// A space of one number.
pub(crate) fn line() -> Space {
    space_of(vec![parameter("x", sound(Distribution::float(0.0, 1.0, false, None)), None)])
}

pub(crate) fn parameter(name: &str, distribution: Distribution, when: Option<When>) -> Parameter {
    Parameter { name: name.to_owned(), distribution, when }
}

/// Gives a space with every kind of parameter and a condition.
pub(crate) fn space() -> Space {
    let learners = ["trees", "line"].map(|name| Value::Text(name.to_owned()));
    let when = When { parent: 1, choices: vec![0] };
    space_of(vec![
        parameter("rate", sound(Distribution::float(1e-3, 1.0, true, None)), None),
        parameter("learner", sound(Distribution::categorical(learners.to_vec())), None),
        parameter("depth", sound(Distribution::int(1, 9, false, 1)), Some(when)),
        parameter("share", sound(Distribution::float(0.1, 1.0, false, Some(0.1))), None),
    ])
}

/// Draws the values of a trial; what earlier trials said moves them, so that a difference there is seen here.
pub(crate) fn draw(study: &Study, number: u64) -> Option<Values> {
    let said = study.trials.iter().map(|trial| trial.value.unwrap_or(0.25) + trial.reports.len() as f64).sum::<f64>();
    let key = Key::new(said.to_bits(), "tune/tests").derive(number);
    let mut stream = key.stream();
    Some(study.space.fill(|_, parameter| parameter.distribution.at(stream.uniform())))
}

/// Learns step by step towards a value that the choices decide, and fails or panics at times.
pub(crate) struct Learner {
    pub(crate) parts: usize,
    pub(crate) iterations: u64,
    /// Sleeps for up to so many microseconds at each iteration.
    pub(crate) sleep: u64,
    /// Keys how long; results do not depend on it.
    pub(crate) seed: u64,
    /// Whether some trials fail and some panic.
    pub(crate) is_frail: bool,
}

impl Learner {
    pub(crate) fn value(trial: &Trial, part: usize, iteration: u64) -> f64 {
        let rate = trial.values[0].unwrap_or(f64::NAN);
        let depth = trial.values[2].unwrap_or(0.0);
        let goal = (rate - 0.1) * (rate - 0.1) + 0.05 * (depth - 4.0).abs() + 0.1 * trial.values[3].unwrap_or(f64::NAN);
        let noise = Key::new(trial.number, "tune/tests/noise").derive(part as u64).uniform(iteration);
        goal + 0.2 * noise + 1.0 / (iteration + 1) as f64
    }
}

impl Objective for Learner {
    fn parts(&self) -> usize {
        self.parts
    }

    fn stride(&self) -> u64 {
        self.iterations
    }

    fn size(&self, trial: &Trial) -> f64 {
        (trial.number % 3) as f64
    }

    fn evaluate(&self, trial: &Trial, part: usize, watch: &Watch<'_>) -> Result<f64, Ended> {
        let fate = Key::new(trial.number, "tune/tests/fate");
        let is_last = part + 1 == self.parts;
        for iteration in 0..self.iterations {
            let sleep = Key::new(self.seed, "tune/tests/sleep").derive(trial.number * 16 + part as u64);
            if self.sleep > 0 {
                std::thread::sleep(Duration::from_micros(sleep.at(iteration) % self.sleep));
            }
            if !watch.report(iteration, Learner::value(trial, part, iteration)) {
                return Err(Ended::Cancelled);
            }
            let is_fated = self.is_frail && is_last && iteration == self.iterations / 2;
            assert!(!is_fated || fate.at(0) % 9 != 1, "trial {} broke", trial.number);
            if is_fated && fate.at(0) % 9 == 2 {
                return Err(Ended::Failed("no memory".to_owned()));
            }
        }
        Ok(Learner::value(trial, part, self.iterations))
    }
}

/// How a test runs a study.
pub(crate) struct Way<'a> {
    pub(crate) parallel: u64,
    pub(crate) threads: usize,
    pub(crate) pruner: &'a dyn Pruner,
    pub(crate) rules: &'a [Rule],
    pub(crate) interrupted: &'a (dyn Fn() -> bool + Sync),
    pub(crate) hear: &'a (dyn Fn(Event<'_>) + Sync),
}

impl Default for Way<'_> {
    fn default() -> Self {
        Way {
            parallel: 4,
            threads: 1,
            pruner: &Never,
            rules: &[Rule::Trials(20)],
            interrupted: &|| false,
            hear: &|_| {},
        }
    }
}

impl Way<'_> {
    pub(crate) fn run(&self, record: &mut Record, objective: &dyn Objective) -> Result<Outcome, StudyError> {
        let plan = Plan {
            parallel: self.parallel,
            threads: self.threads,
            pruner: self.pruner,
            rules: self.rules,
            elapsed: &|| Duration::ZERO,
            replay: None,
            warm: &[],
            interrupted: self.interrupted,
            hear: self.hear,
        };
        run(record, &mut draw, objective, &plan)
    }
}

pub(crate) fn record() -> Record {
    Record::new("churn", Direction::Minimize, space())
}

/// Keeps the default panic message of a test's own panics from its output.
pub(crate) fn silently<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Mutex<()> = Mutex::new(());
    let guard = HOOK.lock().expect("no test fails under the lock");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let done = work();
    std::panic::set_hook(hook);
    drop(guard);
    done
}
