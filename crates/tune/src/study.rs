//! What was tried, in order.

use crate::Space;

/// Values by position in a space; none where a parameter does not exist.
pub type Values = Vec<Option<f64>>;

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Lower ones.
    Minimize,
    /// Higher ones.
    Maximize,
}

impl Direction {
    /// Says whether `value` is better than `other`; a NaN is never better, and any number is better than a NaN.
    pub fn is_better(self, value: f64, other: f64) -> bool {
        match self {
            _ if value.is_nan() => false,
            _ if other.is_nan() => true,
            Direction::Minimize => value < other,
            Direction::Maximize => value > other,
        }
    }

    /// Gives `value` so that lower is better.
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Direction::Minimize => value,
            Direction::Maximize => -value,
        }
    }
}

/// What became of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was chosen beforehand, and not begun.
    Waiting,
    /// It was begun and has not ended.
    Running,
    /// It ended with a value.
    Complete,
    /// It was stopped, since it could not win.
    Pruned,
    /// It ended without a value.
    Failed,
}

impl State {
    /// Says whether nothing more comes.
    pub fn is_finished(self) -> bool {
        matches!(self, State::Complete | State::Pruned | State::Failed)
    }
}

/// What a trial said on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// How far it was.
    pub step: u64,
    /// Its value so far.
    pub value: f64,
}

/// One choice of values and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its place in the study, from 0.
    pub number: u64,
    /// What was chosen.
    pub values: Values,
    /// What became of it.
    pub state: State,
    /// Its value; of a complete trial alone. What a pruned trial last said is in `reports`, so that no sampler takes it
    /// for a value.
    pub value: Option<f64>,
    /// What it said on its way, by ascending step.
    pub reports: Vec<Report>,
    /// The values of the parts, such as folds, that were finished, in order.
    pub parts: Vec<f64>,
    /// Why it failed, or what stopped it.
    pub reason: Option<String>,
}

impl Trial {
    /// Makes a trial that has just begun.
    pub fn begun(number: u64, values: Values) -> Trial {
        let (reports, parts) = (Vec::new(), Vec::new());
        Trial { number, values, state: State::Running, value: None, reports, parts, reason: None }
    }
}

/// What was tried, and what for.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// Which values are better.
    pub direction: Direction,
    /// What can be chosen.
    pub space: Space,
    /// The trials by number.
    pub trials: Vec<Trial>,
}

impl Study {
    /// Gives the best of the complete trials: of equal ones the first.
    pub fn best(&self) -> Option<&Trial> {
        let complete = self.trials.iter().filter(|trial| trial.state == State::Complete);
        complete.reduce(|best, trial| {
            let value = |trial: &Trial| trial.value.unwrap_or(f64::NAN);
            if self.direction.is_better(value(trial), value(best)) { trial } else { best }
        })
    }
}
