//! The divergence of a column's distribution from an expected one (Kullback and Leibler, 1951), with the hold-outs of
//! Great Expectations.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::aggregate::quantile;
use super::facts::Facts;
use super::judge::{Found, Options, observed};
use super::limit;
use super::suite::Expectation;
use super::value::{Cell, Key, Value, number};

/// Holds an expected distribution.
enum Partition<'a> {
    Values { cells: Vec<Cell<'a>>, weights: Vec<f64> },
    Bins { bins: Vec<f64>, weights: Vec<f64>, tails: Option<[f64; 2]> },
}

fn numbers(value: &Value, key: &str) -> Option<Vec<f64>> {
    value.get(key)?.as_list()?.iter().map(Value::as_number).collect()
}

fn is_one(weights: impl Iterator<Item = f64>) -> bool {
    (trainyard_exact::sum(weights) - 1.0).abs() <= 1e-8 + 1e-5
}

impl<'a> Partition<'a> {
    fn of(value: &'a Value) -> Option<Partition<'a>> {
        let weights = numbers(value, "weights")?;
        if let Some(values) = value.get("values").and_then(Value::as_list) {
            let is_valid = values.len() == weights.len() && is_one(weights.iter().copied());
            let cells = values.iter().map(|value| Cell::of(value).unwrap_or(Cell::Missing)).collect();
            return is_valid.then_some(Partition::Values { cells, weights });
        }
        let bins = numbers(value, "bins")?;
        let tails = match value.get("tail_weights") {
            Some(_) => Some(<[f64; 2]>::try_from(numbers(value, "tail_weights")?).ok()?),
            None => None,
        };
        let all = weights.iter().copied().chain(tails.into_iter().flatten());
        let is_valid = bins.len() == weights.len() + 1 && bins.windows(2).all(|pair| pair[0] < pair[1]) && is_one(all);
        is_valid.then_some(Partition::Bins { bins, weights, tails })
    }
}

/// Checks a partition; the error says what is wanted.
pub(crate) fn check_partition(value: &Value) -> Result<(), String> {
    if *value == Value::Null || Partition::of(value).is_some() {
        return Ok(());
    }
    Err("`{\"values\": […], \"weights\": […]}` or `{\"bins\": […], \"weights\": […]}` is expected: weights that add up \
         to 1, bins that rise, one more than weights"
        .to_owned())
}

pub(crate) fn judge(facts: &Facts<'_>, expectation: &Expectation, options: &Options) -> Found {
    let share = |name: &str| expectation.argument(name).map_or(Ok(0.0), |value| limit::number(value, options));
    let (tail, internal) = (share("tail_weight_holdout")?, share("internal_weight_holdout")?);
    let threshold = expectation.argument("threshold").map(|value| limit::number(value, options)).transpose()?;
    let bucketize = expectation.argument("bucketize_data") != Some(&Value::Bool(false));
    let partition = match expectation.argument("partition_object") {
        Some(value) => Partition::of(value).ok_or("the partition is none")?,
        None if bucketize => own_bins(facts)?,
        None => own_values(facts),
    };
    let (divergence, details) = match partition {
        Partition::Values { cells, weights } => {
            if internal > 0.0 {
                return Err("internal_weight_holdout has no meaning for a partition of values".to_owned());
            }
            of_values(facts, &cells, &weights, tail)
        }
        Partition::Bins { .. } if !bucketize => {
            return Err("a partition of bins wants bucketize_data".to_owned());
        }
        Partition::Bins { tails: Some(_), .. } if tail != 0.0 => {
            return Err("tail_weight_holdout has to be 0 beside tail_weights".to_owned());
        }
        Partition::Bins { bins, weights, tails } => {
            let numbers = facts.numbers().ok_or("a partition of bins is of numbers")?;
            of_bins(numbers, &bins, &weights, tails, tail, internal)?
        }
    };
    let success = threshold.is_none_or(|threshold| divergence <= threshold);
    let shown = if divergence.is_finite() { json!(divergence) } else { Json::Null };
    let mut result = observed(shown);
    result.insert("details".to_owned(), details);
    Ok((success, result))
}

/// Gives Σ p·ln(p/q) of weights that are brought to a sum of 1 first.
fn entropy(observed: &[f64], expected: &[f64]) -> f64 {
    let (p_sum, q_sum) = (sum(observed), sum(expected));
    let terms = observed.iter().zip(expected).map(|(p, q)| {
        let (p, q) = (p / p_sum, q / q_sum);
        if p > 0.0 && q > 0.0 {
            p * libm::log(p / q)
        } else if p == 0.0 && q >= 0.0 {
            0.0
        } else if p.is_nan() || q.is_nan() {
            f64::NAN
        } else {
            f64::INFINITY
        }
    });
    trainyard_exact::sum(terms)
}

fn sum(values: &[f64]) -> f64 {
    trainyard_exact::sum(values.iter().copied())
}

fn of_values(facts: &Facts<'_>, expected: &[Cell<'_>], weights: &[f64], tail: f64) -> (f64, Json) {
    let judged = (facts.rows() - facts.missing()) as f64;
    let distinct = facts.distinct();
    let mut places: HashMap<Key<'_>, usize> = HashMap::new();
    for (at, cell) in expected.iter().enumerate() {
        places.entry(cell.key()).or_insert(at);
    }
    let mut names: Vec<Json> = expected.iter().map(|cell| cell.to_json()).collect();
    let mut p: Vec<f64> = vec![0.0; expected.len()];
    let mut q = weights.to_vec();
    let mut unknown = Vec::new();
    for (cell, count) in distinct {
        let share = count as f64 / judged;
        match places.get(&cell.key()) {
            Some(at) => p[*at] = share,
            None => unknown.push((cell, share)),
        }
    }
    if !unknown.is_empty() {
        // What was not expected shares the hold-out.
        q.iter_mut().for_each(|weight| *weight *= 1.0 - tail);
        let part = tail / unknown.len() as f64;
        for (cell, share) in unknown {
            names.push(cell.to_json());
            p.push(share);
            q.push(part);
        }
    }
    let side = |weights: &[f64]| json!({ "values": names, "weights": weights });
    let details = json!({ "observed_partition": side(&p), "expected_partition": side(&q) });
    (entropy(&p, &q), details)
}

/// Counts numbers in bins that hold their lower edge; the last one holds both.
fn histogram(numbers: &[f64], bins: &[f64]) -> Vec<f64> {
    let mut counts = vec![0_u64; bins.len().saturating_sub(1)];
    for value in numbers {
        let at = bins.partition_point(|edge| edge <= value);
        let is_last = bins.last() == Some(value);
        if at > 0 && (at < bins.len() || is_last) && !counts.is_empty() {
            let last = counts.len() - 1;
            counts[(at - 1).min(last)] += 1;
        }
    }
    counts.into_iter().map(|count| count as f64).collect()
}

fn of_bins(
    numbers: &[f64],
    bins: &[f64],
    weights: &[f64],
    tails: Option<[f64; 2]>,
    tail: f64,
    internal: f64,
) -> Result<(f64, Json), String> {
    let judged = numbers.len() as f64;
    let mut observed: Vec<f64> = histogram(numbers, bins).into_iter().map(|count| count / judged).collect();
    let mut expected: Vec<f64> = weights.iter().map(|weight| weight * (1.0 - tail - internal)).collect();
    let empty = expected.iter().filter(|weight| **weight == 0.0).count();
    if internal > 0.0 {
        expected.iter_mut().filter(|weight| **weight == 0.0).for_each(|weight| *weight = internal / empty as f64);
    }
    let (first, last) = (bins[0], bins[bins.len() - 1]);
    let outside = |is_out: &dyn Fn(f64) -> bool| numbers.iter().filter(|value| is_out(**value)).count() as f64 / judged;
    let (below, above) = (outside(&|value| value < first), outside(&|value| value > last));
    let (open_below, open_above) = (first == f64::NEG_INFINITY, last == f64::INFINITY);
    if open_below && open_above && tail > 0.0 {
        return Err("tail_weight_holdout has no meaning for bins without end".to_owned());
    }
    if (open_below || open_above) && tails.is_some() {
        return Err("tail_weights have no meaning for bins without end".to_owned());
    }
    // A bin without end is a tail; where there is none, what lies outside of the bins is.
    let held_out = if open_below || open_above { tail } else { tail / 2.0 };
    let [held_below, held_above] = tails.unwrap_or([held_out; 2]);
    let (all_observed, all_expected);
    let mut bins = bins.to_vec();
    let lower = if open_below {
        bins.remove(0);
        (observed.remove(0), expected.remove(0))
    } else {
        (below, held_below)
    };
    let upper = if open_above {
        bins.pop();
        (observed.pop().unwrap_or(0.0), expected.pop().unwrap_or(0.0))
    } else {
        (above, held_above)
    };
    all_observed = [&[lower.0], observed.as_slice(), &[upper.0]].concat();
    all_expected = [&[lower.1], expected.as_slice(), &[upper.1]].concat();
    let edges: Vec<Json> = bins.iter().map(|edge| number(*edge)).collect();
    let side = |weights: &[f64], tails: [f64; 2]| json!({ "bins": edges, "weights": weights, "tail_weights": tails });
    let details = json!({
        "observed_partition": side(&observed, [lower.0, upper.0]),
        "expected_partition": side(&expected, [lower.1, upper.1]),
    });
    Ok((entropy(&all_observed, &all_expected), details))
}

/// Cuts a column into bins as NumPy's `auto` does: by Freedman and Diaconis, or by Sturges where that gives more.
fn own_bins<'a>(facts: &Facts<'_>) -> Result<Partition<'a>, String> {
    let sorted = facts.sorted().ok_or("bins are cut of numbers")?;
    let count = sorted.len() as f64;
    let at = |share| quantile(sorted, share, "nearest").ok_or_else(|| "there is no value to cut bins of".to_owned());
    let (least, lower, upper, greatest) = (at(0.0)?, at(0.25)?, at(0.75)?, at(1.0)?);
    let sturges = libm::log2(count + 1.0).ceil();
    let spread = upper - lower;
    let bins = match spread < 1e-10 {
        true => sturges,
        false => sturges.max(((greatest - least) / (2.0 * spread / libm::cbrt(count))).ceil()),
    };
    if least >= greatest || !bins.is_finite() || bins > 1e6 {
        return Err("all values are one, or lie too far apart for bins".to_owned());
    }
    let step = (greatest - least) / bins;
    let mut edges: Vec<f64> = (0..bins as usize).map(|at| least + at as f64 * step).collect();
    edges.push(greatest);
    let weights: Vec<f64> = histogram(sorted, &edges).into_iter().map(|part| part / count).collect();
    let rest = (1.0 - sum(&weights)) / 2.0;
    Ok(Partition::Bins { bins: edges, weights, tails: Some([rest, rest]) })
}

fn own_values<'a>(facts: &Facts<'a>) -> Partition<'a> {
    let judged = (facts.rows() - facts.missing()) as f64;
    let (cells, weights) = facts.distinct().into_iter().map(|(cell, count)| (cell, count as f64 / judged)).unzip();
    Partition::Values { cells, weights }
}
