//! What a trial is judged by.

use crate::Trial;
use crate::run::Watch;

/// Judges trials, part by part; a fold is a part.
///
/// Parts of one trial, and several trials, are judged at the same time on several threads. What a part says must follow
/// from the trial and the part alone: then a study is the same whatever the threads do.
pub trait Objective: Sync {
    /// Gives the number of parts, at least 1. A trial's value is the mean of theirs, in order.
    fn parts(&self) -> usize;

    /// Gives the number of iterations that a part may report, at least 1: iteration `i` of part `p` is the step
    /// `p × stride + i` of its trial.
    fn stride(&self) -> u64 {
        1
    }

    /// Guesses how much work a part of a trial is beside one of another trial. It changes nothing but the time: what is
    /// large is begun first, so that no thread is left alone with it at the end of a batch.
    fn size(&self, _trial: &Trial) -> f64 {
        1.0
    }

    /// Judges one part of a trial.
    ///
    /// It may say how far it is by [`Watch::report`], and gives up with [`Ended::Cancelled`] when that says so. A part
    /// that never reports has its value reported at its last iteration.
    ///
    /// # Errors
    /// [`Ended::Cancelled`] when it was told to give up, [`Ended::Failed`] with the reason when it cannot judge.
    fn evaluate(&self, trial: &Trial, part: usize, watch: &Watch<'_>) -> Result<f64, Ended>;
}

/// Why a part has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was told to give up.
    Cancelled,
    /// It could not be judged, for this reason.
    Failed(String),
}
