//! A study with all that has to be kept of it.

use std::collections::BTreeMap;

use trainyard_diagnostics::nearest;

use crate::problem::StudyError;
use crate::{Direction, Report, Space, State, Study, Trial, Value};

/// When a study stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The number of trials that it had.
    pub after: u64,
    /// Why, in words.
    pub why: String,
}

/// A study, what its pruner remembers, and why it stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was tried.
    pub study: Study,
    /// By trial: where it completed the rungs of successive halving, by ascending rung, and with which values.
    pub rungs: Vec<Vec<Report>>,
    /// When and why it stopped; none while it has not.
    pub stopped: Option<Stopped>,
}

impl Record {
    /// Makes a study without trials.
    pub fn new(name: impl Into<String>, direction: Direction, space: Space) -> Record {
        let study = Study { name: name.into(), direction, space, trials: Vec::new() };
        Record { study, rungs: Vec::new(), stopped: None }
    }

    /// Adds a trial that comes before those that a sampler chooses, and gives its number. Parameters that are left out
    /// are chosen by the sampler when it begins.
    ///
    /// # Errors
    /// A parameter that the space lacks, or a value that its parameter cannot take.
    pub fn enqueue(&mut self, chosen: &[(String, Value)]) -> Result<u64, StudyError> {
        let space = &self.study.space;
        let mut values = vec![None; space.parameters().len()];
        for (name, value) in chosen {
            let Some(at) = space.position(name) else {
                let names = space.parameters().iter().map(|parameter| parameter.name.as_str());
                let near = nearest(name, names).map(str::to_owned);
                return Err(StudyError::UnknownParameter { name: name.clone(), near });
            };
            let Some(internal) = space.parameters()[at].distribution.internal(value) else {
                return Err(StudyError::Outside { name: name.clone(), value: value.to_string() });
            };
            values[at] = Some(internal);
        }
        let number = self.study.trials.len() as u64;
        self.push(Trial { state: State::Waiting, ..Trial::begun(number, values) }, Vec::new());
        Ok(number)
    }

    /// Gives the reasons of the failed trials and how many trials each has, the most frequent first.
    pub fn failures(&self) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for trial in self.study.trials.iter().filter(|trial| trial.state == State::Failed) {
            *counts.entry(trial.reason.as_deref().unwrap_or("no reason is known")).or_default() += 1;
        }
        let mut groups: Vec<(String, u64)> = counts.into_iter().map(|(why, count)| (why.to_owned(), count)).collect();
        groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        groups
    }

    /// Gives the best trial.
    ///
    /// # Errors
    /// No trial is complete: why those that ended did not.
    pub fn best(&self) -> Result<&Trial, StudyError> {
        let trials = self.study.trials.len() as u64;
        self.study.best().ok_or_else(|| StudyError::NoneComplete { trials, failures: self.failures() })
    }

    pub(crate) fn push(&mut self, trial: Trial, rungs: Vec<Report>) {
        self.study.trials.push(trial);
        self.rungs.resize(self.study.trials.len() - 1, Vec::new());
        self.rungs.push(rungs);
    }
}

/// Writes a number of trials.
pub(crate) fn trials(number: u64) -> String {
    match number {
        1 => "1 trial".to_owned(),
        _ => format!("{} trials", trainyard_diagnostics::count(number)),
    }
}
