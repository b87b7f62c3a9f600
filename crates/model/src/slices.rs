//! A model on slices of a test set: where it does worse than the whole shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use serde::{Deserialize, Serialize};
use trainyard_data::Target;
use trainyard_data::slices::{Kind, Slicing};
use trainyard_learn::metrics::{Scored, Task};
use trainyard_spec::metric_higher_is_better;

use crate::{Error, Model};

/// What rows of all classes are not needed for.
const OF_EACH_ROW: [&str; 3] = ["accuracy", "brier", "log_loss"];

/// What needs rows of two classes, but not of all.
const OF_CLASSES_THERE: [&str; 6] =
    ["balanced_accuracy", "cohen_kappa", "f1_weighted", "matthews_corrcoef", "precision_weighted", "recall_weighted"];

/// Predictions of a test set, cut into slices.
#[derive(Debug)]
pub struct SliceRequest<'a> {
    /// How each column cuts rows.
    pub slicings: &'a [Slicing],
    /// The rows.
    pub table: &'a RecordBatch,
    /// Their predictions beside what happened.
    pub scored: Scored<'a>,
    /// The metrics that are asked for beside those of every report.
    pub more: &'a [&'a str],
    /// Values with fewer rows are put together.
    pub least_rows: usize,
    /// How often rows are drawn again.
    pub resamples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

/// A model on one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The column.
    pub column: String,
    /// Its value, a range of its values, or what the slice gathers.
    pub slice: String,
    /// Which of them that is.
    pub kind: SliceKind,
    /// Its rows.
    pub rows: u64,
    /// Whether it has the rows to be the worst one.
    pub counts: bool,
    /// The metrics that it has.
    pub metrics: BTreeMap<String, f64>,
    /// Their 95 % bootstrap intervals, where they have one.
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// Why it does not have the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, String>,
}

/// What the rows of a slice have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceKind {
    /// A value.
    Value,
    /// A range of numbers, days or moments.
    Range,
    /// That their value has no slice of its own, or that they have none.
    Rest,
}

impl Slice {
    /// Names it for people: `Contract = Two year`, `tenure ≤ 9`, `tenure 9 to 29`.
    pub fn words(&self) -> String {
        let sign = match self.kind {
            SliceKind::Value => " =",
            SliceKind::Range => "",
            SliceKind::Rest => ":",
        };
        format!("{}{sign} {}", self.column, self.slice)
    }
}

/// Measures a model on each slice of each column; those without rows are left out.
///
/// A value with fewer than `least_rows` rows joins the other values. Intervals are of rows drawn inside the slice, keyed by
/// `seed`. A metric that the rows of a slice do not have, as `roc_auc` of one class, is absent with the reason.
///
/// # Errors
/// A column that the table does not have; targets that do not fit the task.
pub fn slices(model: &Model, request: &SliceRequest<'_>) -> Result<Vec<Slice>, Error> {
    let mut found = Vec::new();
    for slicing in request.slicings {
        let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); slicing.names.len()];
        for (row, slice) in slicing.of_rows(request.table)?.into_iter().enumerate() {
            rows_of[slice].push(row);
        }
        let named = slicing.names.len().saturating_sub(2);
        for slice in 0..named {
            if rows_of[slice].len() < request.least_rows {
                let few = std::mem::take(&mut rows_of[slice]);
                rows_of[named].extend(few);
            }
        }
        for (place, mut rows) in rows_of.into_iter().enumerate() {
            if !rows.is_empty() {
                // Slices that were put together keep the order of the table.
                rows.sort_unstable();
                found.push(measured(model, request, slicing, place, &rows)?);
            }
        }
    }
    Ok(found)
}

impl SliceKind {
    /// Gives its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            SliceKind::Value => "value",
            SliceKind::Range => "range",
            SliceKind::Rest => "rest",
        }
    }
}

/// Gives the worst slice by a metric: of those with enough rows and a value, of equal ones the first.
pub fn worst<'s>(slices: &'s [Slice], metric: &str) -> Option<(&'s Slice, f64)> {
    let higher = metric_higher_is_better(metric).unwrap_or(true);
    let mut worst: Option<(&Slice, f64)> = None;
    for slice in slices.iter().filter(|slice| slice.counts) {
        let Some(value) = slice.metrics.get(metric).copied() else { continue };
        let is_worse = worst.is_none_or(|(_, least)| if higher { value < least } else { value > least });
        if is_worse {
            worst = Some((slice, value));
        }
    }
    worst
}

/// Gives the slices of test sets as a table: a row for each set, slice and metric that it has.
///
/// # Errors
/// None that a user could cause.
pub fn slice_table(sets: &[(String, Vec<Slice>)]) -> Result<RecordBatch, Error> {
    let each = sets.iter().flat_map(|(set, slices)| slices.iter().map(move |slice| (set, slice)));
    let each: Vec<(&String, &Slice, &String, f64)> = each
        .flat_map(|(set, slice)| slice.metrics.iter().map(move |(metric, value)| (set, slice, metric, *value)))
        .collect();
    let texts = |of: Vec<&str>| -> ArrayRef { Arc::new(LargeStringArray::from(of)) };
    let bound = |at: usize| -> ArrayRef {
        let bounds = each.iter().map(|(_, slice, metric, _)| slice.intervals.get(*metric).map(|bounds| bounds[at]));
        Arc::new(bounds.collect::<Float64Array>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("set", texts(each.iter().map(|(set, ..)| set.as_str()).collect())),
        ("column", texts(each.iter().map(|(_, slice, ..)| slice.column.as_str()).collect())),
        ("slice", texts(each.iter().map(|(_, slice, ..)| slice.slice.as_str()).collect())),
        // A value may be called as the rest is.
        ("kind", texts(each.iter().map(|(_, slice, ..)| slice.kind.name()).collect())),
        ("rows", Arc::new(each.iter().map(|(_, slice, ..)| slice.rows as i64).collect::<Int64Array>())),
        ("metric", texts(each.iter().map(|(_, _, metric, _)| metric.as_str()).collect())),
        ("value", Arc::new(each.iter().map(|(.., value)| *value).collect::<Float64Array>())),
        ("low", bound(0)),
        ("high", bound(1)),
    ];
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| Error::Table { what: error.to_string() })
}

fn measured(
    model: &Model,
    request: &SliceRequest<'_>,
    slicing: &Slicing,
    place: usize,
    rows: &[usize],
) -> Result<Slice, Error> {
    let whole = &request.scored;
    let outputs = whole.task.outputs();
    let targets: Vec<f64> = rows.iter().map(|row| whole.targets[*row]).collect();
    let predictions: Vec<f64> =
        rows.iter().flat_map(|row| &whole.predictions[row * outputs..][..outputs]).copied().collect();
    let weights: Option<Vec<f64>> = whole.weights.map(|weights| rows.iter().map(|row| weights[*row]).collect());
    let mut told = Slice {
        column: slicing.column.clone(),
        slice: slicing.names[place].clone(),
        kind: match slicing.kind(place) {
            Kind::Value => SliceKind::Value,
            Kind::Range => SliceKind::Range,
            Kind::Rest => SliceKind::Rest,
        },
        rows: rows.len() as u64,
        counts: rows.len() >= request.least_rows,
        metrics: BTreeMap::new(),
        intervals: BTreeMap::new(),
        absent: BTreeMap::new(),
    };
    let names = whole.task.metrics().iter().copied().chain(crate::model::of_task(whole.task, request.more));
    if weights.as_ref().is_some_and(|weights| weights.iter().all(|weight| *weight == 0.0)) {
        told.absent = names.map(|name| (name.to_owned(), "no row of it counts".to_owned())).collect();
        return Ok(told);
    }
    let scored = Scored { targets: &targets, predictions: &predictions, weights: weights.as_deref(), ..*whole };
    let failed = |error| Error::Learn { candidate: model.name.clone(), part: "slices".into(), error };
    let values = scored.metrics(&crate::model::of_task(whole.task, request.more)).map_err(failed)?;
    let intervals = scored.bootstrap(&crate::model::of_task(whole.task, request.more), request.resamples, request.seed);
    let mut intervals = intervals.map_err(failed)?;
    let lacking = classes_without_rows(&scored, &model.target);
    for (name, value) in values {
        match why_absent(&name, value, &lacking, &scored) {
            Some(why) => {
                told.absent.insert(name, why);
            }
            None => {
                let interval = intervals.remove(&name).filter(|interval| interval.low.is_finite());
                if let Some(interval) = interval {
                    told.intervals.insert(name.clone(), [interval.low, interval.high]);
                }
                told.metrics.insert(name, value);
            }
        }
    }
    Ok(told)
}

/// The classes of which no row counts, and whether two or more are left.
struct Lacking {
    classes: Vec<String>,
    several_left: bool,
}

fn classes_without_rows(scored: &Scored<'_>, target: &Target) -> Lacking {
    let classes = target.classes.as_deref().unwrap_or_default();
    let counts = |row: usize| scored.weights.is_none_or(|weights| weights[row] > 0.0);
    let mut has = vec![false; classes.len()];
    for (_, class) in scored.targets.iter().enumerate().filter(|(row, _)| counts(*row)) {
        if let Some(has) = has.get_mut(*class as usize) {
            *has = true;
        }
    }
    let absent = classes.iter().zip(&has).filter(|(_, has)| !**has).map(|(class, _)| class.clone()).collect();
    Lacking { classes: absent, several_left: has.iter().filter(|has| **has).count() > 1 }
}

/// Says why a slice does not have a metric; nothing where it has.
fn why_absent(name: &str, value: f64, lacking: &Lacking, scored: &Scored<'_>) -> Option<String> {
    let is_of_rows = OF_EACH_ROW.contains(&name) || (lacking.several_left && OF_CLASSES_THERE.contains(&name));
    if let (false, [first, others @ ..]) = (is_of_rows || scored.task == Task::Regression, lacking.classes.as_slice()) {
        let more = if others.is_empty() { String::new() } else { format!(" and of {} more classes", others.len()) };
        return Some(format!("no row of {first}{more}"));
    }
    if value.is_finite() {
        return None;
    }
    Some(match (scored.task, scored.targets.len()) {
        (Task::Regression, 1) => "one row".to_owned(),
        (Task::Regression, _) => "undefined for a target or a prediction in it".to_owned(),
        _ => "undefined for its classes".to_owned(),
    })
}
