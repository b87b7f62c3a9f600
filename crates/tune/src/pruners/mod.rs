//! Says which trials cannot win.
//!
//! A pruner decides from what it is shown and nothing else. It is shown earlier batches whole, and of lower-numbered
//! trials of the same batch what they had said when they were as far.

mod halving;
mod hyperband;
mod percentile;
mod race;

pub use halving::SuccessiveHalving;
pub use hyperband::Hyperband;
pub use percentile::Percentile;
pub use race::Race;

use crate::{Direction, Report, State};

/// A trial as far as a decision may know it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its place in the study.
    pub number: u64,
    /// What had become of it.
    pub state: State,
    /// Its value, if it was complete.
    pub value: Option<f64>,
    /// What it had said, by ascending step.
    pub reports: &'a [Report],
    /// The values of the parts that it had finished, in order.
    pub parts: &'a [f64],
    /// Where it had completed the rungs of successive halving, and with which values.
    pub rungs: &'a [Report],
}

/// What a decision may know.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The name of the study.
    pub study: &'a str,
    /// Which values are better.
    pub direction: Direction,
    /// The number of parts of a trial.
    pub parts: usize,
    /// The number of trials in a batch: trial `n` belongs to batch `n / parallel`.
    pub parallel: u64,
    /// The trials of earlier batches, by ascending number.
    pub earlier: &'a [Seen<'a>],
    /// The lower-numbered trials of the same batch.
    pub peers: &'a [Seen<'a>],
    /// The trial that is judged.
    pub trial: Seen<'a>,
}

impl<'a> View<'a> {
    /// Gives all trials but the judged one, by ascending number.
    pub fn others(&self) -> impl Iterator<Item = &'a Seen<'a>> {
        self.earlier.iter().chain(self.peers)
    }

    /// Gives the highest last step among the trials that were complete when a trial first had the chance to learn from
    /// one: those of the batches before the first that reports and has a complete one before it. Later ones change it
    /// no more, so that a measure taken by it stays the same for the whole study.
    fn first_length(&self) -> Option<u64> {
        let mut length: Option<u64> = None;
        let (mut batch, mut pending) = (0, None);
        for seen in self.others().chain([&self.trial]) {
            if seen.number / self.parallel != batch {
                batch = seen.number / self.parallel;
                length = length.max(pending.take());
            }
            let Some(last) = seen.reports.last() else { continue };
            if length.is_some() {
                return length;
            }
            if seen.state == State::Complete {
                pending = pending.max(Some(last.step));
            }
        }
        None
    }
}

/// Judges trials on their way.
pub trait Pruner: Sync {
    /// Says why the trial ends with its last report, or nothing when it goes on. `rungs` are those of the trial; what
    /// is added stays with it.
    fn report(&self, view: &View<'_>, rungs: &mut Vec<Report>) -> Option<String>;

    /// Says why the trial ends with the part that it just finished, which is not its last, or nothing when it goes on.
    fn part(&self, _view: &View<'_>) -> Option<String> {
        None
    }

    /// Says whether any trial may be ended.
    fn prunes(&self) -> bool {
        true
    }
}

/// Lets every trial come to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Never;

impl Pruner for Never {
    fn report(&self, _view: &View<'_>, _rungs: &mut Vec<Report>) -> Option<String> {
        None
    }

    fn prunes(&self) -> bool {
        false
    }
}

/// Asks one pruner after the other; the first that says no has said it.
impl Pruner for Vec<Box<dyn Pruner + Send>> {
    fn report(&self, view: &View<'_>, rungs: &mut Vec<Report>) -> Option<String> {
        self.iter().find_map(|pruner| pruner.report(view, rungs))
    }

    fn part(&self, view: &View<'_>) -> Option<String> {
        self.iter().find_map(|pruner| pruner.part(view))
    }
}
