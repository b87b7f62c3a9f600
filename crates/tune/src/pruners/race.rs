//! A trial against the best one, part by part.

use super::{Pruner, View};
use crate::student;
use crate::{Report, State};

/// Ends a trial after a part, such as a fold, when it cannot beat the best complete trial.
///
/// Twice: when values as good as can be in all parts that are left would not make its mean better, which is certain;
/// and after two parts or more, when a one-sided paired t test of its parts against the same parts of the best trial
/// says that it is worse. That is racing as in Maron and Moore, "Hoeffding Races" (NIPS 1993), with Student's bound.
/// The test is made anew after each part, and each time it errs with the probability `risk`, if the differences of the
/// parts were independent and normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Race {
    /// The probability of ending a trial that is as good as the best, above 0 and below 0.5.
    pub risk: f64,
    /// The best value that a part can have, if there is one: 1 for an accuracy to maximize, 0 for an error to minimize.
    pub bound: Option<f64>,
}

impl Default for Race {
    fn default() -> Race {
        Race { risk: 0.05, bound: None }
    }
}

impl Pruner for Race {
    fn report(&self, _view: &View<'_>, _rungs: &mut Vec<Report>) -> Option<String> {
        None
    }

    fn part(&self, view: &View<'_>) -> Option<String> {
        let parts = view.trial.parts;
        let complete = view.others().filter(|seen| seen.state == State::Complete && seen.parts.len() == view.parts);
        let value = |seen: &super::Seen<'_>| seen.value.unwrap_or(f64::NAN);
        let best = complete.reduce(
            |best, seen| {
                if view.direction.is_better(value(seen), value(best)) { seen } else { best }
            },
        )?;
        let left = view.parts.saturating_sub(parts.len());
        if let Some(bound) = self.bound {
            let total = (0..left).fold(parts.iter().sum::<f64>(), |total, _| total + bound);
            let mean = total / view.parts as f64;
            if !view.direction.is_better(mean, value(best)) {
                return Some(format!(
                    "after {} of {} parts, with {bound} in all others it would come to {mean}, and trial {} has {}",
                    parts.len(),
                    view.parts,
                    best.number,
                    value(best)
                ));
            }
        }
        let losses = parts.iter().zip(best.parts).map(|(own, other)| view.direction.loss(*own - *other));
        let losses: Vec<f64> = losses.collect();
        let probability = student::mean_above_zero(&losses, 1.0 / losses.len() as f64)?;
        (probability < self.risk).then(|| {
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            format!(
                "after {} of {} parts it is worse than trial {} by {mean} on average (p = {probability:.2e})",
                parts.len(),
                view.parts,
                best.number
            )
        })
    }
}
