//! What the trials before one have said, from best to worst.

use crate::{Direction, State, Study, Trial};

/// The rank of a finished trial: lower is better, and no two are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rank {
    /// 0 of a complete trial, else 1.
    tier: u8,
    /// Of a complete trial its loss. Of a pruned one what it reached, negative; of one that said nothing, 1.
    first: f64,
    /// Of a pruned trial its last loss.
    second: f64,
    number: u64,
}

impl Rank {
    /// Ranks a trial; none of one that says nothing.
    pub(crate) fn of(trial: &Trial, direction: Direction) -> Option<Rank> {
        // Adding 0 makes both zeros equal.
        let rank = |tier, first: f64, second: f64| Rank {
            tier,
            first: first + 0.0,
            second: second + 0.0,
            number: trial.number,
        };
        match trial.state {
            State::Complete => {
                let value = trial.value.filter(|value| !value.is_nan())?;
                Some(rank(0, direction.loss(value), 0.0))
            }
            State::Pruned => Some(match trial.reports.last() {
                Some(report) if report.value.is_nan() => rank(1, -(report.step as f64), f64::INFINITY),
                Some(report) => rank(1, -(report.step as f64), direction.loss(report.value)),
                None => rank(1, 1.0, 0.0),
            }),
            _ => None,
        }
    }

    /// Gives the loss of a complete trial.
    pub(crate) fn loss(&self) -> Option<f64> {
        (self.tier == 0).then_some(self.first)
    }

    /// Gives the last loss of a pruned trial that said one.
    pub(crate) fn last_loss(&self) -> Option<f64> {
        (self.tier == 1 && self.first <= 0.0).then_some(self.second)
    }

    /// Compares two ranks.
    pub(crate) fn order(&self, other: &Rank) -> std::cmp::Ordering {
        let tier = self.tier.cmp(&other.tier);
        let value = || self.first.total_cmp(&other.first).then(self.second.total_cmp(&other.second));
        tier.then_with(value).then(self.number.cmp(&other.number))
    }
}

/// The trials below a number that say something, each part by number.
#[derive(Debug)]
pub(crate) struct History<'a> {
    /// The finished ones.
    pub(crate) finished: Vec<(&'a Trial, Rank)>,
    /// The running ones.
    pub(crate) running: Vec<&'a Trial>,
}

impl<'a> History<'a> {
    /// Reads a study.
    pub(crate) fn of(study: &'a Study, number: u64) -> History<'a> {
        let mut history = History { finished: Vec::with_capacity(study.trials.len()), running: Vec::new() };
        for trial in study.trials.iter().take_while(|trial| trial.number < number) {
            match Rank::of(trial, study.direction) {
                Some(rank) => history.finished.push((trial, rank)),
                None if trial.state == State::Running => history.running.push(trial),
                None => {}
            }
        }
        history
    }

    /// Gives the best `count` trials, and all others with the running ones; both by number.
    pub(crate) fn split(&self, count: usize) -> (Vec<&'a Trial>, Vec<&'a Trial>) {
        let mut ranks: Vec<Rank> = self.finished.iter().map(|(_, rank)| *rank).collect();
        // The first rank that is not among the best.
        let border = (count < ranks.len()).then(|| *ranks.select_nth_unstable_by(count, Rank::order).1);
        let is_best = |rank: &Rank| border.is_none_or(|border| rank.order(&border).is_lt());
        let (mut best, mut others) = (Vec::with_capacity(count), Vec::with_capacity(self.finished.len()));
        let mut running = self.running.iter().peekable();
        for (trial, rank) in &self.finished {
            while let Some(earlier) = running.next_if(|earlier| earlier.number < trial.number) {
                others.push(*earlier);
            }
            if is_best(rank) { best.push(*trial) } else { others.push(*trial) }
        }
        others.extend(running);
        (best, others)
    }
}
