//! Runs a study, batch by batch.
//!
//! What a trial is, and where it ends, follows from earlier batches and from what the lower-numbered trials of its
//! batch had said when they were as far; `docs/design/0019-studies.md` says how. Threads work ahead and their order is
//! forgotten.

use std::time::Duration;

use crate::batch::{Batch, Slot};
use crate::problem::StudyError;
use crate::pruners::{Pruner, Seen};
use crate::record::{Record, Stopped};
use crate::stopping::{self, Rule};
use crate::{Objective, Report, State, Study, Trial, Values};

pub use crate::batch::Watch;

/// How a study is run.
pub struct Plan<'a> {
    /// The number of trials in a batch, at least 1. It belongs to the study: another number gives other trials.
    pub parallel: u64,
    /// The number of threads, at least 1. It changes nothing but the time.
    pub threads: usize,
    /// Ends trials that cannot win.
    pub pruner: &'a dyn Pruner,
    /// When the study stops. Each is asked at the border of two batches; [`Rule::Trials`] also cuts a batch short.
    pub rules: &'a [Rule],
    /// What the rules that look at the time are told: how long the study has run.
    pub elapsed: &'a (dyn Fn() -> Duration + Sync),
    /// Stops as a former run did, whatever the rules that look at the time say.
    pub replay: Option<Stopped>,
    /// Trials that the sampler may learn from and that do not count, numbered from 0.
    pub warm: &'a [Trial],
    /// Says whether to end at once, for instance since the user asked; polled often.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
    /// Hears what happens, one event at a time, while all threads that report wait; it must not run a study.
    pub hear: &'a (dyn Fn(Event<'_>) + Sync),
}

/// What happens in a study.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A trial began.
    Begun(&'a Trial),
    /// A trial said how far it is.
    Reported {
        /// Its number.
        number: u64,
        /// What it said.
        report: Report,
    },
    /// A trial ended: complete, pruned or failed, with the rungs that it completed.
    Ended {
        /// The trial.
        trial: &'a Trial,
        /// Its rungs.
        rungs: &'a [Report],
    },
    /// A complete trial is better than all before it.
    Best(&'a Trial),
    /// The study stopped.
    Stopped(&'a Stopped),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// At the border of a batch, since a rule said so or the sampler had nothing left.
    Stopped(Stopped),
    /// At once, as was asked. Trials that had ended are kept; the next run comes to the same as if this one had gone
    /// on.
    Interrupted,
}

/// Chooses the values of the trial of a number, given the trials below it: those of earlier batches as they ended,
/// those of its own batch as running. None when there is nothing left to choose.
pub type Suggest<'a> = dyn FnMut(&Study, u64) -> Option<Values> + 'a;

/// Why a study stops whose sampler has nothing left.
const EXHAUSTED: &str = "every choice of the space was tried";

/// Runs a study until a rule says stop, the sampler has nothing left, or it is interrupted.
///
/// Trials that wait come first. A trial whose objective fails or panics is kept as failed, and the study goes on.
///
/// # Errors
/// The rules allow no trial; the sampler gave values that the space does not contain.
pub fn run(
    record: &mut Record,
    suggest: &mut Suggest<'_>,
    objective: &dyn Objective,
    plan: &Plan<'_>,
) -> Result<Outcome, StudyError> {
    if plan.rules.contains(&Rule::Trials(0)) {
        return Err(StudyError::NoTrials);
    }
    record.stopped = None;
    record.rungs.resize(record.study.trials.len(), Vec::new());
    for trial in record.study.trials.iter_mut().filter(|trial| trial.state == State::Running) {
        trial.state = State::Failed;
        trial.reason = Some("it was begun elsewhere and never ended".to_owned());
    }
    let parallel = plan.parallel.max(1);
    let mut known = plan.warm.to_vec();
    loop {
        let trials = &record.study.trials;
        let next = trials.iter().position(|trial| !trial.state.is_finished()).unwrap_or(trials.len()) as u64;
        let start = next / parallel * parallel;
        if let Some(stopped) = stopping(record, plan, next, next == start) {
            return Ok(stop(record, plan, stopped));
        }
        let limit = plan.rules.iter().filter_map(|rule| match rule {
            Rule::Trials(limit) => Some(*limit),
            _ => None,
        });
        let end = limit.chain(plan.replay.as_ref().map(|replay| replay.after)).fold(start + parallel, u64::min);
        extend(&mut known, plan.warm.len(), &record.study.trials[..start as usize]);
        let Some(slots) = begin(record, suggest, plan, &mut known, start..end)? else {
            let stopped = Stopped { after: next, why: EXHAUSTED.to_owned() };
            return Ok(stop(record, plan, stopped));
        };
        if !judge(record, objective, plan, start, slots) {
            return Ok(Outcome::Interrupted);
        }
    }
}

/// Says whether to stop with the first `next` trials.
fn stopping(record: &Record, plan: &Plan<'_>, next: u64, is_border: bool) -> Option<Stopped> {
    if let Some(replay) = plan.replay.as_ref().filter(|replay| next >= replay.after) {
        return Some(replay.clone());
    }
    let elapsed = || plan.replay.is_none().then(plan.elapsed);
    let is_asked = |rule: &&Rule| matches!(rule, Rule::Trials(_)) || is_border && next > 0;
    let trials = &record.study.trials[..next as usize];
    let why =
        plan.rules.iter().filter(is_asked).find_map(|rule| stopping::holds(rule, &record.study, trials, &elapsed));
    why.map(|why| Stopped { after: next, why })
}

fn stop(record: &mut Record, plan: &Plan<'_>, stopped: Stopped) -> Outcome {
    (plan.hear)(Event::Stopped(&stopped));
    record.stopped = Some(stopped.clone());
    Outcome::Stopped(stopped)
}

/// Brings what a sampler knows to the trials of all earlier batches.
fn extend(known: &mut Vec<Trial>, warm: usize, trials: &[Trial]) {
    let first = known[warm..].iter().position(|trial| trial.state == State::Running).unwrap_or(known.len() - warm);
    known.truncate(warm + first.min(trials.len()));
    for trial in &trials[known.len() - warm..] {
        known.push(Trial { number: known.len() as u64, ..trial.clone() });
    }
}

/// Chooses the trials of a batch, up to the first for which the sampler has nothing left; none where all of them ended
/// in an earlier run.
fn begin(
    record: &Record,
    suggest: &mut Suggest<'_>,
    plan: &Plan<'_>,
    known: &mut Vec<Trial>,
    numbers: std::ops::Range<u64>,
) -> Result<Option<Vec<Slot>>, StudyError> {
    let space = &record.study.space;
    let mut view = Study { trials: std::mem::take(known), ..empty(&record.study) };
    let mut slots = Vec::new();
    for number in numbers {
        let place = plan.warm.len() as u64 + number;
        let there = record.study.trials.get(number as usize);
        let values = match there {
            Some(trial) if trial.state.is_finished() => Some(trial.values.clone()),
            Some(trial) if space.contains(&trial.values) => Some(trial.values.clone()),
            Some(trial) => {
                let chosen = suggest(&view, place).unwrap_or_else(|| space.fill(|_, one| one.distribution.at(0.5)));
                let value = |at: usize| trial.values[at].or(chosen.get(at).copied().flatten());
                Some(space.fill(|at, parameter| value(at).unwrap_or_else(|| parameter.distribution.at(0.5))))
            }
            None => suggest(&view, place),
        };
        let Some(values) = values else { break };
        let finished = there.filter(|trial| trial.state.is_finished());
        if finished.is_none() && !space.contains(&values) {
            return Err(StudyError::Suggested { number });
        }
        view.trials.push(Trial::begun(place, values.clone()));
        slots.push(match finished {
            Some(trial) => Slot::ended(trial.clone(), record.rungs[number as usize].clone()),
            None => Slot::begun(Trial::begun(number, values)),
        });
    }
    *known = view.trials;
    Ok((!slots.iter().all(Slot::is_ended)).then_some(slots))
}

fn empty(study: &Study) -> Study {
    let (name, space) = (study.name.clone(), study.space.clone());
    Study { name, direction: study.direction, space, trials: Vec::new() }
}

/// Judges a batch and keeps what came of it; says whether all of it has ended.
fn judge(record: &mut Record, objective: &dyn Objective, plan: &Plan<'_>, start: u64, slots: Vec<Slot>) -> bool {
    let earlier: Vec<Seen<'_>> = record.study.trials[..start as usize]
        .iter()
        .zip(&record.rungs)
        .map(|(trial, rungs)| Seen {
            number: trial.number,
            state: trial.state,
            value: trial.value,
            reports: &trial.reports,
            parts: &trial.parts,
            rungs,
        })
        .collect();
    let best = record.study.best().and_then(|trial| trial.value);
    let batch = Batch::new(&record.study, &earlier, best, objective, plan, slots);
    batch.work(plan.threads.max(1));
    let mut slots = batch.into_slots();
    let is_whole = slots.iter().all(Slot::is_ended);
    // A sampled trial that has not ended is chosen again; it only holds the place of those behind it that have.
    let there = (record.study.trials.len() as u64).saturating_sub(start) as usize;
    let last = slots.iter().rposition(Slot::is_ended).map_or(0, |last| last + 1);
    slots.truncate(last.max(there));
    for (at, slot) in slots.into_iter().enumerate() {
        let number = start as usize + at;
        let is_ended = slot.is_ended();
        let (mut trial, rungs) = slot.into_trial();
        if !is_ended {
            trial = Trial { state: State::Waiting, ..Trial::begun(trial.number, trial.values) };
        }
        match record.study.trials.get_mut(number) {
            Some(place) if is_ended => {
                *place = trial;
                record.rungs[number] = rungs;
            }
            Some(_) => {}
            None => record.push(trial, rungs),
        }
    }
    is_whole
}
