//! Expectations of a whole column: its extremes, mean, distinct values, quantiles.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::condition::{as_moment, is_of_moments, unlike};
use super::divergence;
use super::facts::Facts;
use super::judge::{Found, Options, View, observed};
use super::limit::Limits;
use super::result::{MOST_LISTED, ResultFormat};
use super::suite::Expectation;
use super::table::Column;
use super::value::{Cell, Class, Key, Value, number};

/// How many distinct values the lists of unexpected and missing ones hold.
const MOST_DISTINCT: usize = 20;

pub(crate) fn judge(expectation: &Expectation, view: &View<'_>, format: &ResultFormat, options: &Options) -> Found {
    let facts = view.facts(expectation.text("column").unwrap_or_default())?;
    let no_number = || format!("{} have none", facts.class().map_or("values of several types", Class::name));
    let between = |value| between(value, expectation, options);
    match expectation.definition.name {
        "column_min_to_be_between" => between(extremes(facts)?.map(|(least, _)| least)),
        "column_max_to_be_between" => between(extremes(facts)?.map(|(_, greatest)| greatest)),
        "column_mean_to_be_between" => {
            let (mean, _) = facts.spread().ok_or_else(|| format!("a mean is asked of numbers: {}", no_number()))?;
            between(mean.map(Cell::float))
        }
        "column_stdev_to_be_between" => {
            let (_, deviation) =
                facts.spread().ok_or_else(|| format!("a deviation is asked of numbers: {}", no_number()))?;
            between(deviation.map(Cell::float))
        }
        "column_median_to_be_between" => {
            let sorted = facts.sorted().ok_or_else(|| format!("a median is asked of numbers: {}", no_number()))?;
            between(trainyard_exact::quantile(sorted, 0.5).map(Cell::float))
        }
        "column_sum_to_be_between" => {
            let sum = facts.sum().ok_or_else(|| format!("a sum is asked of numbers: {}", no_number()))?;
            let integer = match facts.column {
                Column::Int(_) | Column::Bool(_) => integer_sum(facts),
                _ => None,
            };
            between(Some(integer.map_or(Cell::float(sum), Cell::Int)))
        }
        "column_unique_value_count_to_be_between" => between(Some(Cell::Int(facts.groups().counts.len() as i64))),
        "column_proportion_of_unique_values_to_be_between" => {
            let judged = facts.rows() - facts.missing();
            let share = if judged == 0 { 0.0 } else { facts.groups().counts.len() as f64 / judged as f64 };
            between(Some(Cell::Float(share)))
        }
        "column_most_common_value_to_be_in_set" => Ok(most_common(facts, expectation)),
        "column_quantile_values_to_be_between" => {
            let sorted = facts.sorted().ok_or_else(|| format!("quantiles are asked of numbers: {}", no_number()))?;
            quantiles(sorted, expectation)
        }
        "column_kl_divergence_to_be_less_than" => divergence::judge(facts, expectation, options),
        "column_distinct_values_to_be_in_set" => Ok(distinct(facts, expectation, format, true, false)),
        "column_distinct_values_to_contain_set" => Ok(distinct(facts, expectation, format, false, true)),
        "column_distinct_values_to_equal_set" => Ok(distinct(facts, expectation, format, true, true)),
        other => Err(format!("expect_{other} is not known")),
    }
}

/// Judges whether what was found of a column lies between the bounds.
pub(super) fn between(value: Option<Cell<'_>>, expectation: &Expectation, options: &Options) -> Found {
    let Some(cell) = value.filter(|cell| !cell.is_missing()) else {
        return Ok((false, observed(Json::Null)));
    };
    let limits = Limits::of(expectation, Some(cell.class()), options)?;
    Ok((limits.hold(cell)?, observed(cell.to_json())))
}

fn extremes<'a>(facts: &Facts<'a>) -> Result<Option<(Cell<'a>, Cell<'a>)>, String> {
    facts.extremes().map_err(|(left, right)| unlike(left, right))
}

/// Adds integers without rounding; `None` beyond the range of the type.
fn integer_sum(facts: &Facts<'_>) -> Option<i64> {
    facts.cells().try_fold(0_i64, |sum, (_, cell)| match cell {
        Cell::Bool(value) => sum.checked_add(i64::from(value)),
        Cell::Int(value) => sum.checked_add(value),
        _ => None,
    })
}

fn keys<'a>(expectation: &'a Expectation, facts: &Facts<'_>) -> Vec<(Key<'a>, Cell<'a>)> {
    let of_moments = is_of_moments(facts.column);
    let values = expectation.argument("value_set").and_then(Value::as_list).unwrap_or_default();
    let mut keys: Vec<(Key<'a>, Cell<'a>)> = Vec::new();
    let mut seen = HashSet::new();
    for cell in values.iter().filter_map(Cell::of) {
        let key = as_moment(cell, of_moments).key();
        if seen.insert(key) {
            keys.push((key, cell));
        }
    }
    keys
}

fn most_common(facts: &Facts<'_>, expectation: &Expectation) -> (bool, Map<String, Json>) {
    let groups = facts.groups();
    let most = groups.counts.iter().copied().max().unwrap_or(0);
    let frequent = groups.first.iter().zip(&groups.counts).filter(|(_, count)| **count == most);
    let mut common: Vec<Cell<'_>> = frequent.map(|(row, _)| facts.column.cell(*row as usize)).collect();
    common.sort_by(|left, right| left.order(*right));
    let expected: HashSet<Key<'_>> = keys(expectation, facts).into_iter().map(|(key, _)| key).collect();
    let known = common.iter().filter(|cell| expected.contains(&cell.key())).count();
    let success = if expectation.flag("ties_okay") { known > 0 } else { common.len() == 1 && known == 1 };
    let shown = common.into_iter().take(MOST_LISTED).map(Cell::to_json).collect();
    (success, observed(shown))
}

fn distinct(
    facts: &Facts<'_>,
    expectation: &Expectation,
    format: &ResultFormat,
    inside: bool,
    whole: bool,
) -> (bool, Map<String, Json>) {
    let found = facts.distinct();
    let expected = keys(expectation, facts);
    let has: HashSet<Key<'_>> = found.iter().map(|(cell, _)| cell.key()).collect();
    let wanted: HashSet<Key<'_>> = expected.iter().map(|(key, _)| *key).collect();
    let unexpected: Vec<Cell<'_>> =
        found.iter().map(|(cell, _)| *cell).filter(|cell| !wanted.contains(&cell.key())).collect();
    let missing: Vec<Cell<'_>> = expected.iter().filter(|(key, _)| !has.contains(key)).map(|(_, cell)| *cell).collect();
    let success = (!inside || unexpected.is_empty()) && (!whole || missing.is_empty());
    let mut result = observed(found.iter().take(MOST_LISTED).map(|(cell, _)| cell.to_json()).collect());
    let lists = [("unexpected", inside, unexpected), ("missing", whole, missing)];
    for (what, _, cells) in lists.iter().filter(|(_, is_asked, _)| *is_asked) {
        result.insert(format!("{what}_count"), json!(cells.len()));
    }
    for (what, _, cells) in lists.iter().filter(|(_, is_asked, _)| *is_asked && format.partial > 0) {
        let shown = cells.iter().take(MOST_DISTINCT).map(|cell| cell.to_json()).collect();
        result.insert(format!("partial_{what}_list"), shown);
    }
    (success, result)
}

fn quantiles(sorted: &[f64], expectation: &Expectation) -> Found {
    let ranges = expectation.argument("quantile_ranges").ok_or("`quantile_ranges` is needed")?;
    let list = |key| ranges.get(key).and_then(Value::as_list).unwrap_or_default();
    let shares: Vec<f64> = list("quantiles").iter().filter_map(Value::as_number).collect();
    let method = expectation.text("allow_relative_error").unwrap_or("nearest");
    let values: Vec<Option<f64>> = shares.iter().map(|share| quantile(sorted, *share, method)).collect();
    let met: Vec<bool> = values
        .iter()
        .zip(list("value_ranges"))
        .map(|(value, range)| {
            let bound = |at: usize, open| range.as_list().and_then(|range| range.get(at)?.as_number()).unwrap_or(open);
            value.is_some_and(|value| is_within(value, bound(0, f64::NEG_INFINITY), bound(1, f64::INFINITY)))
        })
        .collect();
    let shown: Vec<Json> = values.iter().map(|value| value.map_or(Json::Null, number)).collect();
    let mut result = observed(json!({ "quantiles": shares, "values": shown }));
    result.insert("details".to_owned(), json!({ "success_details": met }));
    Ok((met.iter().all(|met| *met), result))
}

/// A quantile may lie off its bounds by one part in ten thousand.
fn is_within(value: f64, lower: f64, upper: f64) -> bool {
    let is_close =
        |bound: f64| value == bound || (bound.is_finite() && (value - bound).abs() <= 1e-8 + 1e-4 * bound.abs());
    is_close(lower) || is_close(upper) || (lower <= value && value <= upper)
}

/// Gives a quantile of sorted values by one of NumPy's methods; `None` without values.
pub(crate) fn quantile(sorted: &[f64], share: f64, method: &str) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(match method {
        "lower" => *below,
        "higher" => *above,
        "midpoint" => trainyard_exact::halfway(*below, *above),
        "linear" => trainyard_exact::quantile(sorted, share)?,
        // The nearest; of two equally near the one at an even place.
        _ => *sorted.get(place.round_ties_even() as usize)?,
    })
}
