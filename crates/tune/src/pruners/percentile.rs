//! A trial against the others at the same step.

use super::{Pruner, View};
use crate::{Direction, Report, State};

/// Ends a trial whose best report so far is strictly worse than a percentile of what complete trials reported at the
/// same step, as Optuna 5's `PercentilePruner`; with 50 %, its `MedianPruner`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentile {
    /// The percentile, from 0 to 100: the share of trials, in percent, that go on.
    pub percentile: f64,
    /// The number of complete trials from which on trials are ended.
    pub startup: u64,
    /// The step from which on trials are ended.
    pub warmup: u64,
    /// Every how many steps a trial is looked at, at least 1.
    pub interval: u64,
    /// The least number of reports at the step.
    pub least: usize,
}

impl Percentile {
    /// Ends trials that are worse than the median, from five complete trials on.
    pub fn median() -> Percentile {
        Percentile { percentile: 50.0, startup: 5, warmup: 0, interval: 1, least: 1 }
    }
}

impl Pruner for Percentile {
    fn report(&self, view: &View<'_>, _rungs: &mut Vec<Report>) -> Option<String> {
        let reports = view.trial.reports;
        let (last, before) = reports.split_last()?;
        if last.step < self.warmup {
            return None;
        }
        let interval = self.interval.max(1);
        let begin = (last.step - self.warmup) / interval * interval + self.warmup;
        if before.last().is_some_and(|report| report.step >= begin) {
            return None;
        }
        let complete = || view.others().filter(|seen| seen.state == State::Complete);
        let count = complete().count() as u64;
        if count == 0 || count < self.startup {
            return None;
        }
        let mut best = f64::NAN;
        for report in reports {
            if view.direction.is_better(report.value, best) {
                best = report.value;
            }
        }
        if best.is_nan() {
            return Some("every report so far is NaN".to_owned());
        }
        let at_step = |reports: &[Report]| {
            let at = reports.binary_search_by_key(&last.step, |report| report.step).ok()?;
            Some(reports[at].value)
        };
        let mut values: Vec<f64> = complete().filter_map(|seen| at_step(seen.reports)).collect();
        if values.len() < self.least {
            return None;
        }
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        let percentile = match view.direction {
            Direction::Minimize => self.percentile,
            Direction::Maximize => 100.0 - self.percentile,
        };
        let limit = quantile(&values, percentile / 100.0)?;
        view.direction.is_better(limit, best).then(|| {
            let which =
                if self.percentile == 50.0 { "median".to_owned() } else { format!("{percentile}th percentile") };
            format!("its best report, {best}, is worse than {limit}, the {which} at step {}", last.step)
        })
    }
}

/// Gives the quantile between the sorted `values` at `share`, from 0 to 1, as NumPy's `linear` method rounds it; none
/// of nothing.
fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let at = (values.len().checked_sub(1)?) as f64 * share;
    let (below, above) = (libm::floor(at), libm::ceil(at));
    let (low, high) = (values[below as usize], values[(above as usize).min(values.len() - 1)]);
    let (part, gap) = (at - below, high - low);
    Some(if part >= 0.5 { high - gap * (1.0 - part) } else { low + gap * part })
}
