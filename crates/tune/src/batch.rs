//! One batch of trials: threads work ahead, and transcripts are read in order.
//!
//! A transcript is what a trial says, ordered by step, wherever and whenever it was said. Each place in it has a key:
//! that of step `s` is `2 (s + 1)`, that of the end of a part lies between the part's last step and the next part's
//! first. A place is decided once every lower-numbered trial is as far or has ended, so that what a decision sees is
//! the same whoever was faster.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pruners::{Seen, View};
use crate::run::{Event, Plan};
use crate::{Ended, Objective, Report, State, Study, Trial};

/// What one part said.
#[derive(Debug, Default)]
struct Transcript {
    /// Its iterations and values, by ascending iteration.
    reports: Vec<(u64, f64)>,
    /// How it ended.
    end: Option<Result<f64, String>>,
}

/// One trial of a batch.
#[derive(Debug)]
pub(crate) struct Slot {
    trial: Trial,
    rungs: Vec<Report>,
    transcripts: Vec<Transcript>,
    /// The part that is read.
    part: usize,
    /// How many reports of that part were read.
    read: usize,
    /// The key of the last place that was decided; 0 before the first.
    decided: u64,
    is_ended: bool,
    is_begun: bool,
    /// The first part that failed, behind which nothing matters.
    failed: usize,
}

impl Slot {
    /// Takes a trial that is to be judged.
    pub(crate) fn begun(trial: Trial) -> Slot {
        let (rungs, transcripts) = (Vec::new(), Vec::new());
        let (part, read, decided, failed) = (0, 0, 0, usize::MAX);
        Slot { trial, rungs, transcripts, part, read, decided, is_ended: false, is_begun: false, failed }
    }

    /// Takes a trial that ended in an earlier run.
    pub(crate) fn ended(trial: Trial, rungs: Vec<Report>) -> Slot {
        Slot { rungs, is_ended: true, ..Slot::begun(trial) }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub(crate) fn into_trial(self) -> (Trial, Vec<Report>) {
        (self.trial, self.rungs)
    }

    /// Gives the key of the end of a trial that has ended.
    fn end(&self, stride: u64) -> u64 {
        let parts = self.trial.parts.len() as u64;
        match self.trial.state {
            State::Failed => end_of(parts, stride),
            // Within a part, or between two.
            _ => match self.trial.reports.last() {
                Some(last) if last.step / stride >= parts => key_of(last.step),
                _ => end_of(parts.saturating_sub(1), stride),
            },
        }
    }

    /// Shows the trial as it was at a place.
    fn seen(&self, key: u64, stride: u64) -> Seen<'_> {
        let until = |reports: &[Report]| reports.partition_point(|report| key_of(report.step) <= key);
        let parts = (0..self.trial.parts.len() as u64).take_while(|part| end_of(*part, stride) <= key).count();
        let is_over = self.is_ended && self.end(stride) <= key;
        Seen {
            number: self.trial.number,
            state: if is_over { self.trial.state } else { State::Running },
            value: self.trial.value.filter(|_| is_over),
            reports: &self.trial.reports[..until(&self.trial.reports)],
            parts: &self.trial.parts[..parts],
            rungs: &self.rungs[..until(&self.rungs)],
        }
    }
}

fn key_of(step: u64) -> u64 {
    step.saturating_add(1).saturating_mul(2)
}

fn end_of(part: u64, stride: u64) -> u64 {
    part.saturating_add(1).saturating_mul(stride).saturating_mul(2).saturating_add(1)
}

/// What is decided next of a trial.
enum Place {
    Report(u64, f64),
    End(f64),
    Failure(String),
}

struct Shared {
    slots: Vec<Slot>,
    /// How many pairs of slot and part were taken.
    next: usize,
    best: Option<f64>,
}

/// A batch that is judged.
pub(crate) struct Batch<'a> {
    study: &'a Study,
    earlier: &'a [Seen<'a>],
    objective: &'a dyn Objective,
    plan: &'a Plan<'a>,
    parts: usize,
    stride: u64,
    /// The pairs of slot and part, in the order in which they are taken.
    order: Vec<(usize, usize)>,
    /// The parts of each trial that can still change what becomes of it, those below this number: as
    /// [`Batch::matters`] says, for those who are not to wait while somebody writes under the lock.
    open: Vec<AtomicUsize>,
    is_interrupted: AtomicBool,
    state: Mutex<Shared>,
}

/// Tells a part of a trial whether to go on.
pub struct Watch<'a> {
    batch: &'a Batch<'a>,
    slot: usize,
    part: usize,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("slot", &self.slot).field("part", &self.part).finish()
    }
}

impl Watch<'_> {
    /// Says that the part has `value` after `iteration`, counted from 0 and below the objective's stride; gives whether
    /// to go on. Iterations ascend; one that was reported before is passed over.
    pub fn report(&self, iteration: u64, value: f64) -> bool {
        if self.batch.is_interrupted() {
            return false;
        }
        let mut state = self.batch.state();
        if !self.batch.matters(&state, self.slot, self.part) {
            return false;
        }
        let slot = &mut state.slots[self.slot];
        let transcript = &mut slot.transcripts[self.part];
        if iteration >= self.batch.stride {
            let why = format!("it reported iteration {iteration}, and a part has {}", self.batch.stride);
            transcript.end = Some(Err(why));
            slot.failed = slot.failed.min(self.part);
            self.batch.open[self.slot].fetch_min(self.part, Ordering::Relaxed);
        } else if transcript.reports.last().is_none_or(|(last, _)| *last < iteration) {
            transcript.reports.push((iteration, value));
        }
        self.batch.advance(&mut state, self.slot);
        self.batch.matters(&state, self.slot, self.part)
    }

    /// Says whether to go on.
    pub fn goes_on(&self) -> bool {
        !self.batch.is_interrupted() && self.part < self.batch.open[self.slot].load(Ordering::Relaxed)
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        study: &'a Study,
        earlier: &'a [Seen<'a>],
        best: Option<f64>,
        objective: &'a dyn Objective,
        plan: &'a Plan<'a>,
        mut slots: Vec<Slot>,
    ) -> Batch<'a> {
        let parts = objective.parts().max(1);
        for slot in &mut slots {
            slot.transcripts.resize_with(parts, Transcript::default);
        }
        let open = slots.iter().map(|slot| AtomicUsize::new(if slot.is_ended { 0 } else { usize::MAX })).collect();
        let order = order(&slots, parts, objective, plan.pruner.prunes());
        Batch {
            study,
            earlier,
            objective,
            plan,
            parts,
            order,
            open,
            stride: objective.stride().max(1),
            is_interrupted: AtomicBool::new(false),
            state: Mutex::new(Shared { slots, next: 0, best }),
        }
    }

    /// Judges what is to be judged, on so many threads; ends when all is, or when it is interrupted.
    pub(crate) fn work(&self, threads: usize) {
        let open = self.state().slots.iter().filter(|slot| !slot.is_ended).count();
        let threads = threads.min(open * self.parts);
        if threads == 1 {
            return self.take();
        }
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.take());
            }
        });
    }

    pub(crate) fn into_slots(self) -> Vec<Slot> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).slots
    }

    /// Takes one part of one trial after the other.
    fn take(&self) {
        while let Some((at, part, trial)) = self.next() {
            let watch = Watch { batch: self, slot: at, part };
            let judged = catch_unwind(AssertUnwindSafe(|| self.objective.evaluate(&trial, part, &watch)));
            let end = match judged {
                Ok(Ok(value)) if value.is_nan() => Err(format!("part {part} came to NaN")),
                Ok(Ok(value)) => Ok(value),
                Ok(Err(Ended::Failed(why))) => Err(why),
                Ok(Err(Ended::Cancelled)) if self.is_interrupted() => return,
                Ok(Err(Ended::Cancelled)) => Err(format!("part {part} gave up unasked")),
                Err(panic) => Err(format!("it panicked: {}", said(panic.as_ref()))),
            };
            let mut state = self.state();
            if !self.matters(&state, at, part) {
                continue;
            }
            if end.is_err() {
                state.slots[at].failed = part;
                self.open[at].fetch_min(part, Ordering::Relaxed);
            }
            state.slots[at].transcripts[part].end = Some(end);
            self.advance(&mut state, at);
        }
    }

    fn next(&self) -> Option<(usize, usize, Trial)> {
        if self.is_interrupted() {
            return None;
        }
        let mut state = self.state();
        while let Some((at, part)) = self.order.get(state.next).copied() {
            state.next += 1;
            if self.matters(&state, at, part) {
                let slot = &mut state.slots[at];
                if !slot.is_begun {
                    slot.is_begun = true;
                    (self.plan.hear)(Event::Begun(&slot.trial));
                }
                return Some((at, part, Trial::begun(slot.trial.number, slot.trial.values.clone())));
            }
        }
        None
    }

    /// Says whether a part can still change what becomes of its trial.
    fn matters(&self, state: &Shared, at: usize, part: usize) -> bool {
        let slot = &state.slots[at];
        !slot.is_ended && part < slot.failed
    }

    fn is_interrupted(&self) -> bool {
        if !self.is_interrupted.load(Ordering::Relaxed) && (self.plan.interrupted)() {
            self.is_interrupted.store(true, Ordering::Relaxed);
        }
        self.is_interrupted.load(Ordering::Relaxed)
    }

    /// Gives what the threads share. A panic under the lock can only come from a callback, between two changes.
    fn state(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads on in the transcripts from that of a slot, as far as can be decided. Those of lower-numbered trials do not
    /// depend on it.
    fn advance(&self, state: &mut Shared, from: usize) {
        let reach = |slot: &Slot| if slot.is_ended { u64::MAX } else { slot.decided };
        let mut reached = state.slots[..from].iter().map(reach).min().unwrap_or(u64::MAX);
        for at in from..state.slots.len() {
            while let Some((key, place)) = self.place(&state.slots[at]).filter(|(key, _)| *key <= reached) {
                self.decide(state, at, key, place);
            }
            reached = reached.min(reach(&state.slots[at]));
        }
    }

    /// Gives the next place of a transcript, if it was said already.
    fn place(&self, slot: &Slot) -> Option<(u64, Place)> {
        if slot.is_ended {
            return None;
        }
        let transcript = &slot.transcripts[slot.part];
        let first = slot.part as u64 * self.stride;
        if let Some((iteration, value)) = transcript.reports.get(slot.read) {
            return Some((key_of(first + iteration), Place::Report(first + iteration, *value)));
        }
        let end = end_of(slot.part as u64, self.stride);
        Some(match transcript.end.as_ref()? {
            // A part that never reported has its value reported at its last iteration.
            Ok(value) if slot.read == 0 => {
                let step = first + self.stride - 1;
                (key_of(step), Place::Report(step, *value))
            }
            Ok(value) => (end, Place::End(*value)),
            Err(why) => (end, Place::Failure(why.clone())),
        })
    }

    fn decide(&self, state: &mut Shared, at: usize, key: u64, place: Place) {
        let (lower, rest) = state.slots.split_at_mut(at);
        let Some(slot) = rest.first_mut() else { return };
        slot.decided = key;
        let (mut pruned, mut ended) = (None, None);
        match place {
            Place::Report(step, value) => {
                slot.read += 1;
                let value = slot.trial.parts.iter().chain([&value]).sum::<f64>() / (slot.part + 1) as f64;
                let report = Report { step, value };
                slot.trial.reports.push(report);
                (self.plan.hear)(Event::Reported { number: slot.trial.number, report });
                // Where the last part has its value there is nothing left to save.
                let is_known = slot.part + 1 == self.parts && slot.transcripts[slot.part].reports.is_empty();
                if !is_known {
                    let mut rungs = slot.rungs.clone();
                    pruned = self.asked(lower, slot, key, |view| self.plan.pruner.report(view, &mut rungs));
                    slot.rungs = rungs;
                }
            }
            Place::End(value) => {
                slot.trial.parts.push(value);
                (slot.part, slot.read) = (slot.part + 1, 0);
                if slot.part == self.parts {
                    let mean = slot.trial.parts.iter().sum::<f64>() / self.parts as f64;
                    ended = Some(if mean.is_nan() { Err("its mean is NaN".to_owned()) } else { Ok(mean) });
                } else {
                    pruned = self.asked(lower, slot, key, |view| self.plan.pruner.part(view));
                }
            }
            Place::Failure(why) => ended = Some(Err(why)),
        }
        (slot.trial.state, slot.trial.value, slot.trial.reason) = match (pruned, ended) {
            (Some(why), _) => (State::Pruned, None, Some(why)),
            (None, Some(Ok(value))) => (State::Complete, Some(value), None),
            (None, Some(Err(why))) => (State::Failed, None, Some(why)),
            (None, None) => return,
        };
        slot.is_ended = true;
        self.open[at].store(0, Ordering::Relaxed);
        slot.transcripts = Vec::new();
        (self.plan.hear)(Event::Ended { trial: &slot.trial, rungs: &slot.rungs });
        let is_better = |value: &f64| state.best.is_none_or(|best| self.study.direction.is_better(*value, best));
        if let Some(value) = slot.trial.value.filter(is_better) {
            state.best = Some(value);
            (self.plan.hear)(Event::Best(&slot.trial));
        }
    }

    /// Asks about a trial, which is shown with all that the place allows to know.
    fn asked(
        &self,
        lower: &[Slot],
        slot: &Slot,
        key: u64,
        ask: impl FnOnce(&View<'_>) -> Option<String>,
    ) -> Option<String> {
        let peers: Vec<Seen<'_>> = lower.iter().map(|peer| peer.seen(key, self.stride)).collect();
        let view = View {
            study: &self.study.name,
            direction: self.study.direction,
            parts: self.parts,
            parallel: self.plan.parallel.max(1),
            earlier: self.earlier,
            peers: &peers,
            trial: slot.seen(key, self.stride),
        };
        ask(&view)
    }
}

/// Chooses the order in which parts are judged, as pairs of slot and part.
///
/// Where trials may be ended: the first part of every trial, then the second, so that decisions come before what they
/// make needless. Otherwise whole trials, the largest first, so that what is left at the end is small.
fn order(slots: &[Slot], parts: usize, objective: &dyn Objective, may_end: bool) -> Vec<(usize, usize)> {
    if may_end {
        return (0..parts).flat_map(|part| (0..slots.len()).map(move |at| (at, part))).collect();
    }
    let sizes: Vec<f64> = slots.iter().map(|slot| objective.size(&slot.trial)).collect();
    let mut largest: Vec<usize> = (0..slots.len()).collect();
    largest.sort_by(|left, right| sizes[*right].total_cmp(&sizes[*left]));
    largest.into_iter().flat_map(|at| (0..parts).map(move |part| (at, part))).collect()
}

/// Gives what a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("nothing was said")
}
