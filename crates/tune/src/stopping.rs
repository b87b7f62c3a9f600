//! When a search is over.

use std::time::Duration;

use crate::record::trials as counted;
use crate::{Direction, State, Study, Trial};

/// A rule that ends a study at the border of two batches.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// There are so many trials; failed and pruned ones count.
    Trials(u64),
    /// The study has run for so long.
    Time(Duration),
    /// A trial has this value or a better one.
    Reached(f64),
    /// The last so many complete and pruned trials did not make the best value better by so much.
    Stalled {
        /// By how much, 0 or above; with 0, by anything.
        by: f64,
        /// The number of trials.
        within: u64,
    },
    /// After so many trials more than this share of them failed.
    Failing {
        /// The share, from 0 to 1.
        share: f64,
        /// The number of trials.
        after: u64,
    },
    /// What can still be gained is less than what the parts can tell apart.
    ///
    /// As in Makarova et al. ("Automatic Termination for Hyperparameter Optimization", AutoML 2022), two numbers are
    /// compared. The error of the best trial's mean over `k` parts is `√((1/k + 1/(k−1)) s²)` (Nadeau and Bengio,
    /// 2003). The bound on the regret, the distance from the best value `y₁` to that of the best choice there is, needs
    /// no model of the values: if `n` of them are drawn alike and near the best choice the loss grows as the square of
    /// the distance in `d` parameters, then `(y₁ − m)/(yₖ − m)` to the power `d/2` is the least of `k − 1` uniform
    /// numbers, so that with a confidence of 90 % `y₁ − m ≤ (yₖ − y₁) c/(1 − c)`, `c = (1 − 0.1^(1/(k−1)))^(2/d)`, here
    /// with `k = ⌈√n⌉ + 1` (de Haan, "Estimation of the Minimum of a Function Using Order Statistics", JASA 76, 1981).
    /// A sampler that draws more near the best than elsewhere makes the bound wider than it must be, never narrower, as
    /// long as the best choice is where it looks. Never holds for one part, nor where the best parts have no spread.
    NoProgress {
        /// The number of complete trials from which on it is asked, at least 5.
        after: u64,
    },
}

/// Says why a rule holds after `trials`, in words, or nothing where it does not. `elapsed` is none where time does not
/// count.
pub(crate) fn holds(
    rule: &Rule,
    study: &Study,
    trials: &[Trial],
    elapsed: &dyn Fn() -> Option<Duration>,
) -> Option<String> {
    let direction = study.direction;
    let count = trials.len() as u64;
    match rule {
        Rule::Trials(limit) => (count >= *limit)
            .then(|| format!("{} {} asked for", counted(*limit), if *limit == 1 { "was" } else { "were" })),
        Rule::Time(limit) => {
            elapsed().filter(|elapsed| elapsed >= limit).map(|_| format!("{} s were given", limit.as_secs_f64()))
        }
        Rule::Reached(value) => {
            let best = best(direction, trials)?;
            reaches(direction, best, *value).then(|| format!("{best} reaches {value}"))
        }
        Rule::Stalled { by, within } => {
            let tried = |trial: &Trial| matches!(trial.state, State::Complete | State::Pruned);
            let mut recent = trials.iter().enumerate().rev().filter(|(_, trial)| tried(trial));
            let (first, _) = recent.nth(within.checked_sub(1)? as usize)?;
            let before = best(direction, &trials[..first])?;
            let after = best(direction, &trials[first..]).unwrap_or(f64::NAN);
            let gain = direction.loss(before) - direction.loss(after);
            let is_better = direction.is_better(after, before) && gain >= *by;
            let better = if *by == 0.0 { "better".to_owned() } else { format!("better by {by}") };
            (!is_better).then(|| format!("nothing was {better} in {}", counted(*within)))
        }
        Rule::Failing { share, after } => {
            let failed = trials.iter().filter(|trial| trial.state == State::Failed).count() as u64;
            let is_over = count >= (*after).max(1) && failed as f64 > share * count as f64;
            is_over.then(|| format!("{failed} of {} failed", counted(count)))
        }
        Rule::NoProgress { after } => {
            let (regret, error) = progress(study, trials, *after)?;
            (regret < error).then(|| {
                format!("at 90 % confidence no choice is better by {regret:.3e}, and the parts tell {error:.3e} apart")
            })
        }
    }
}

fn best(direction: Direction, trials: &[Trial]) -> Option<f64> {
    let values = trials.iter().filter(|trial| trial.state == State::Complete).filter_map(|trial| trial.value);
    values.reduce(|best, value| if direction.is_better(value, best) { value } else { best })
}

fn reaches(direction: Direction, value: f64, wanted: f64) -> bool {
    value == wanted || direction.is_better(value, wanted)
}

/// Gives the bound on the regret and the error of the best trial's mean; none where there is too little to say.
fn progress(study: &Study, trials: &[Trial], after: u64) -> Option<(f64, f64)> {
    let mut complete: Vec<(f64, &Trial)> = trials
        .iter()
        .filter(|trial| trial.state == State::Complete)
        .filter_map(|trial| Some((study.direction.loss(trial.value.filter(|value| value.is_finite())?), trial)))
        .collect();
    if (complete.len() as u64) < after.max(5) {
        return None;
    }
    complete.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (first, best) = complete[0];
    let parts = &best.parts;
    if parts.len() < 2 {
        return None;
    }
    let count = parts.len() as f64;
    let mean = parts.iter().sum::<f64>() / count;
    let variance = parts.iter().map(|part| (part - mean) * (part - mean)).sum::<f64>() / count;
    let error = libm::sqrt((1.0 / count + 1.0 / (count - 1.0)) * variance);
    let free = study.space.parameters().iter().zip(&best.values);
    let dimensions = free.filter(|(one, value)| value.is_some() && !one.distribution.is_single()).count().max(1);
    let order = libm::ceil(libm::sqrt(complete.len() as f64)) as usize;
    let (other, _) = complete[order.min(complete.len() - 1)];
    let ratio = libm::pow(1.0 - libm::pow(0.1, 1.0 / order as f64), 2.0 / dimensions as f64);
    Some(((other - first) * ratio / (1.0 - ratio), error))
}
