//! The part of the card that only the evaluation knows: how the finished model does on rows that it never saw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use trainyard_diagnostics::count;

use super::{code, number};
use crate::slices::{Slice, worst};

/// A finished model on one test set.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The name of an optional test; `None` for the reference test.
    pub optional: Option<String>,
    /// Its rows.
    pub rows: usize,
    /// The metrics.
    pub metrics: BTreeMap<String, f64>,
    /// Their 95 % bootstrap intervals.
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// The metrics of the baseline on the same rows.
    pub baseline: BTreeMap<String, f64>,
    /// The model on slices of the test set, where they are asked for.
    pub slices: Vec<Slice>,
}

/// Adds to a model card how the model does on each test set: metrics with intervals beside the baseline, and slices
/// with the worst one by `metric` named.
///
/// `weight` is the column that rows count by, where there is one, and `resamples` how often rows were drawn for an
/// interval. Equal results give equal bytes.
pub fn card_with(card: &str, judged: &[Judged], metric: &str, weight: Option<&str>, resamples: usize) -> String {
    let mut text = format!(
        "{card}\n## Rows that decided nothing\n\nThe finished model, as it predicts. Intervals hold \
         95 % of {} draws of the rows.",
        count(resamples as u64)
    );
    if let Some(weight) = weight {
        _ = write!(text, " Rows count by their {}.", code(weight));
    }
    text.push('\n');
    for set in judged {
        let name = set
            .optional
            .as_ref()
            .map_or_else(|| "The reference test".to_owned(), |name| format!("The optional test {}", code(name)));
        _ = write!(
            text,
            "\n### {name}\n\n{} rows.\n\n| Metric | Value | 95 % interval | Baseline |\n|---|---|---|---|\n",
            count(set.rows as u64)
        );
        for (name, value) in &set.metrics {
            let baseline = set.baseline.get(name).copied().unwrap_or(f64::NAN);
            let interval = interval(set.intervals.get(name));
            _ = writeln!(text, "| `{name}` | {} | {interval} | {} |", number(*value), number(baseline));
        }
        if !set.slices.is_empty() {
            text.push_str(&slices(&set.slices, metric));
        }
    }
    text
}

/// Tells the worst slice, and the metrics of all.
fn slices(slices: &[Slice], metric: &str) -> String {
    let mut text = match worst(slices, metric) {
        Some((slice, value)) => format!(
            "\nThe worst slice is {}: `{metric}` {} on {} rows, 95 % interval {}.\n",
            code(&slice.words()),
            number(value),
            count(slice.rows),
            interval(slice.intervals.get(metric))
        ),
        None => format!("\nNo slice has rows enough and a value of `{metric}` to be the worst one.\n"),
    };
    // The metric that ranks stands first.
    let measured: BTreeSet<&str> = slices.iter().flat_map(|slice| slice.metrics.keys()).map(String::as_str).collect();
    let names: Vec<&str> = [metric].into_iter().chain(measured.into_iter().filter(|name| *name != metric)).collect();
    text.push_str("\n| Slice | Rows |");
    names.iter().for_each(|name| _ = write!(text, " `{name}` |"));
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(names.len()));
    text.push('\n');
    for slice in slices {
        _ = write!(text, "| {} | {} |", code(&slice.words()), count(slice.rows));
        for name in &names {
            match slice.metrics.get(*name) {
                Some(value) => {
                    let bounds = slice.intervals.get(*name);
                    let bounds = bounds.map(|bounds| format!(" ({})", interval(Some(bounds))));
                    _ = write!(text, " {}{} |", short(*value), bounds.unwrap_or_default());
                }
                None => text.push_str(" – |"),
            }
        }
        text.push('\n');
    }
    text
}

fn interval(bounds: Option<&[f64; 2]>) -> String {
    match bounds {
        Some([low, high]) if low.is_finite() && high.is_finite() => {
            format!("{} to {}", short(*low), short(*high))
        }
        _ => "–".to_owned(),
    }
}

/// Writes a number with three significant digits.
fn short(value: f64) -> String {
    crate::report::significant(value, 3)
}
