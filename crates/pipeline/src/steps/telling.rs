//! How far a search is, for the screen.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use trainyard_tune::{Event, Record, State};

use super::search::Search;
use crate::engine::Scope;
use crate::report::figure;

/// Says how far a search is.
pub(super) struct Telling<'a> {
    scope: &'a Scope,
    search: &'a str,
    most: u64,
    begun: Instant,
    /// The trials that an earlier run had ended.
    before: u64,
    state: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    ended: u64,
    pruned: u64,
    running: u64,
    best: Option<f64>,
}

impl<'a> Telling<'a> {
    pub(super) fn new(scope: &'a Scope, search: &'a Search<'_>, most: u64, record: &Record) -> Telling<'a> {
        let of = |is: fn(State) -> bool| record.study.trials.iter().filter(|trial| is(trial.state)).count() as u64;
        let state = Told {
            ended: of(State::is_finished),
            pruned: of(|state| state == State::Pruned),
            running: 0,
            best: record.study.best().and_then(|trial| trial.value),
        };
        let (begun, before) = (Instant::now(), state.ended);
        Telling { scope, search: &search.name, most, begun, before, state: Mutex::new(state) }
    }

    pub(super) fn hear(&self, event: &Event<'_>) {
        let mut told = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Begun(_) => told.running += 1,
            Event::Ended { trial, .. } => {
                told.running = told.running.saturating_sub(1);
                told.ended += 1;
                told.pruned += u64::from(trial.state == State::Pruned);
            }
            Event::Best(trial) => told.best = trial.value,
            Event::Reported { .. } | Event::Stopped(_) => return,
        }
        let mut parts = vec![self.search.replace('_', " ")];
        parts.extend(told.best.map(|best| format!("best {}", figure(best))));
        parts.extend((told.running > 1).then(|| format!("{} running", told.running)));
        parts.extend((told.pruned > 0).then(|| format!("{} pruned", told.pruned)));
        let done = told.ended - self.before;
        if done > 0 && told.ended < self.most {
            // A guess from the trials so far; a clock that only the screen sees.
            let left = self.begun.elapsed().as_secs_f64() / done as f64 * (self.most - told.ended) as f64;
            parts.push(format!("{left:.0} s left"));
        }
        self.scope.progress(&parts.join(", "), told.ended, self.most);
    }
}
