//! A trial goes on while it is among the best of those that came as far.

use super::{Pruner, View};
use crate::{Direction, Report};

/// Lets the best share of trials pass each rung, as Optuna 5's `SuccessiveHalvingPruner` (asynchronous successive
/// halving: Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020).
///
/// Rung `k` is completed at step `resource × factor^(rate + k)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuccessiveHalving {
    /// The least step at which a trial may end; left out, a hundredth of the first complete trials' last step.
    pub resource: Option<u64>,
    /// One trial in so many passes a rung, at least 2.
    pub factor: u64,
    /// The number of rungs that every trial passes.
    pub rate: u32,
    /// The number of trials at a rung from which on one may pass it; before, none does.
    pub bootstrap: usize,
}

impl Default for SuccessiveHalving {
    fn default() -> SuccessiveHalving {
        SuccessiveHalving { resource: None, factor: 4, rate: 0, bootstrap: 0 }
    }
}

impl SuccessiveHalving {
    /// Judges against those trials of the view whose number `is_rival`.
    pub(super) fn judge(
        &self,
        view: &View<'_>,
        rungs: &mut Vec<Report>,
        is_rival: impl Fn(u64) -> bool,
    ) -> Option<String> {
        let last = *view.trial.reports.last()?;
        let resource = match self.resource {
            Some(resource) => resource,
            None => (view.first_length()? / 100).max(1),
        };
        let factor = self.factor.max(2);
        loop {
            let rung = rungs.len();
            let exponent = self.rate.saturating_add(rung as u32);
            let border = resource.saturating_mul(factor.saturating_pow(exponent));
            if last.step < border {
                return None;
            }
            if last.value.is_nan() {
                return Some(format!("it reported NaN at step {}", last.step));
            }
            rungs.push(last);
            let at_rung = view.others().filter(|seen| is_rival(seen.number)).filter_map(|seen| seen.rungs.get(rung));
            let mut values: Vec<f64> = at_rung.map(|report| report.value).chain([last.value]).collect();
            if values.len() <= self.bootstrap {
                return Some(format!("only {} came to rung {rung}, at step {border}", values.len()));
            }
            values.sort_by(|one, other| view.direction.loss(*one).total_cmp(&view.direction.loss(*other)));
            let limit = values[(values.len() / factor as usize).saturating_sub(1)];
            let passes = match view.direction {
                Direction::Minimize => last.value <= limit,
                Direction::Maximize => last.value >= limit,
            };
            if !passes {
                return Some(format!(
                    "{} is not among the best of {} at rung {rung}, at step {border}: those have {limit} or better",
                    last.value,
                    values.len()
                ));
            }
        }
    }
}

impl Pruner for SuccessiveHalving {
    fn report(&self, view: &View<'_>, rungs: &mut Vec<Report>) -> Option<String> {
        self.judge(view, rungs, |_| true)
    }
}
