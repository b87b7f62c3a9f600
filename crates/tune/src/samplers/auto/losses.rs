//! Losses as a process can learn them.

use libm::sqrt;

use crate::Trial;
use crate::samplers::history::Rank;

/// How far above the median, in distances from the best to it, a loss still tells more.
const REACH: f64 = 5.0;

/// Gives losses of mean 0 and variance 1.
///
/// What is far above the median is cut off there, so that one that went wrong does not flatten all others. A pruned
/// trial has what it last said, but at least the median: it may have said it early.
pub(super) fn standard(finished: &[(&Trial, Rank)]) -> Vec<f64> {
    let mut complete: Vec<f64> = finished.iter().filter_map(|(_, rank)| rank.loss()).collect();
    complete.retain(|loss| loss.is_finite());
    complete.sort_unstable_by(f64::total_cmp);
    let (Some(&least), Some(&greatest)) = (complete.first(), complete.last()) else {
        return vec![0.0; finished.len()];
    };
    let median = complete[(complete.len() - 1) / 2];
    let reach = median + REACH * (median - least);
    let most = if median > least { reach.min(greatest) } else { greatest };
    let span = most - least;
    if !(span > 0.0 && span.is_finite()) {
        return vec![0.0; finished.len()];
    }
    let loss = |rank: &Rank| rank.loss().unwrap_or_else(|| rank.last_loss().map_or(most, |last| last.max(median)));
    let mut losses: Vec<f64> =
        finished.iter().map(|(_, rank)| (loss(rank).clamp(least, most) - least) / span).collect();
    let count = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / count;
    losses.iter_mut().for_each(|loss| *loss -= mean);
    let spread = sqrt(losses.iter().map(|loss| loss * loss).sum::<f64>() / count);
    if spread > 0.0 {
        losses.iter_mut().for_each(|loss| *loss /= spread);
    }
    losses
}
