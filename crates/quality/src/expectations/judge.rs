//! Holds a table against a suite: one pass for each column, what several expectations need found once.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::catalog::Domain;
use super::condition::{self, Condition};
use super::facts::Facts;
use super::result::{Detail, Judgement, ResultFormat, Validation};
use super::suite::{Expectation, Suite};
use super::table::{Column, Table};
use super::{aggregate, map, shape};

/// Says how a suite is judged.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What results hold, where the expectation itself says nothing.
    pub result_format: ResultFormat,
    /// The moment that `now()` stands for, in microseconds from 1970-01-01 UTC; without it, what asks for it fails.
    pub now: Option<i64>,
    /// Whether somebody wants the judging to end early.
    pub stop: Stop,
}

/// Asks whether judging shall end early; by default nobody wants that.
///
/// What was not judged then is not met and says so: who asked for the stop has no use for the result.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Ends when `is_wanted` says so; it is asked often, from any thread.
    pub fn when(is_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Stop {
        Stop(Some(Arc::new(is_wanted)))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.0 {
            Some(is_wanted) if is_wanted() => Err("judging was stopped before this".to_owned()),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Stop(when asked)" } else { "Stop(never)" })
    }
}

/// What judging one expectation found, or why it could not.
pub(crate) type Found = Result<(bool, Map<String, Json>), String>;

/// Holds the rows that an expectation is held against.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The whole table.
    pub(crate) whole: &'a Table,
    /// The numbers of the rows in the whole table; all rows where none are given.
    rows: Option<&'a [u32]>,
    /// The facts of the columns that are judged.
    facts: Vec<(&'a str, Facts<'a>)>,
}

impl<'a> View<'a> {
    /// Holds all rows of a table of which no cell is asked for.
    pub(crate) fn without_cells(whole: &'a Table) -> View<'a> {
        View { whole, rows: None, facts: Vec::new() }
    }

    /// Counts the rows.
    pub(crate) fn count(&self) -> usize {
        self.rows.map_or(self.whole.rows(), <[u32]>::len)
    }

    /// Gives a row's number in the whole table.
    pub(crate) fn row(&self, row: usize) -> usize {
        self.rows.map_or(row, |rows| rows[row] as usize)
    }

    /// Gives the facts of a column.
    pub(crate) fn facts(&self, name: &str) -> Result<&Facts<'a>, String> {
        condition::find(self.whole, name)?;
        let found = self.facts.iter().find(|(known, _)| *known == name);
        found.map(|(_, facts)| facts).ok_or_else(|| format!("there is no column {name}"))
    }
}

/// Holds `table` against every expectation of `suite`; the result is the same at any thread count.
///
/// An expectation that can't be judged, as of a column that is not there, is not met and says why.
pub fn validate(suite: &Suite, table: &Table, options: &Options) -> Validation {
    let expectations = suite.expectations();
    let mut conditions: Vec<&Condition> = Vec::new();
    let domains: Vec<Option<usize>> = expectations
        .iter()
        .map(|expectation| {
            let condition = expectation.condition.as_ref()?;
            let known = conditions.iter().position(|known| *known == condition);
            Some(known.unwrap_or_else(|| {
                conditions.push(condition);
                conditions.len() - 1
            }))
        })
        .collect();
    let chosen: Vec<Result<Vec<u32>, String>> = conditions
        .par_iter()
        .map(|condition| options.stop.check().and_then(|()| condition.rows(table)))
        .map(|rows| {
            rows.map_err(|error| match error.starts_with("row_condition") {
                true => error,
                false => format!("row_condition: {error}"),
            })
        })
        .collect();
    let mut jobs = jobs(expectations, &domains);
    // What takes longest begins first, so that no thread waits for it at the end.
    let is_of_texts = |job: &Vec<usize>| {
        let columns = expectations[job[0]].columns();
        let text = |name: &&str| table.position(name).is_some_and(|at| matches!(table.column(at), Column::Text(_)));
        columns.iter().any(text)
    };
    jobs.sort_by_key(|job| !is_of_texts(job));
    let mut found: Vec<(usize, Found)> = jobs
        .iter()
        // In this order, to whichever thread is free: halves of the list would give one thread all that takes long.
        .par_bridge()
        .flat_map_iter(|job| {
            let rows = domains[job[0]].map(|domain| chosen[domain].as_ref().map(Vec::as_slice)).transpose();
            let found = rows.map(|rows| judge_job(job, expectations, table, rows, options));
            found.unwrap_or_else(|error| job.iter().map(|at| (*at, Err(error.clone()))).collect())
        })
        .collect();
    found.sort_unstable_by_key(|(at, _)| *at);
    let judgements = expectations.iter().zip(found).map(|(expectation, (_, found))| {
        let expectation = expectation.clone();
        match found {
            Ok((success, result)) => Judgement { expectation, success, result, exception: None },
            Err(exception) => Judgement { expectation, success: false, result: Map::new(), exception: Some(exception) },
        }
    });
    Validation::of(suite, judgements.collect())
}

/// Judges expectations of one set of columns and rows. What is found of the columns, and a copy of their chosen cells, is
/// let go of at the end.
fn judge_job(
    job: &[usize],
    expectations: &[Expectation],
    table: &Table,
    rows: Option<&[u32]>,
    options: &Options,
) -> Vec<(usize, Found)> {
    let mut names = expectations[job[0]].columns();
    names.sort_unstable();
    names.dedup();
    let known = names.into_iter().filter_map(|name| Some((name, table.column(table.position(name)?))));
    let columns: Vec<(&str, Cow<'_, Column>)> = known
        .map(|(name, column)| match rows {
            Some(rows) => (name, Cow::Owned(column.take(rows))),
            None => (name, Cow::Borrowed(column)),
        })
        .collect();
    let facts = columns.iter().map(|(name, column)| (*name, Facts::new(column))).collect();
    let view = View { whole: table, rows, facts };
    let judged = |at: &usize| (*at, options.stop.check().and_then(|()| judge(&expectations[*at], &view, options)));
    job.iter().map(judged).collect()
}

/// Puts expectations that share a column's facts into one job, so that no thread waits for what another one finds.
fn jobs(expectations: &[Expectation], domains: &[Option<usize>]) -> Vec<Vec<usize>> {
    let key = |at: usize| (domains[at], expectations[at].columns());
    let mut jobs: Vec<Vec<usize>> = Vec::new();
    for at in 0..expectations.len() {
        match jobs.iter_mut().find(|job| key(job[0]) == key(at)) {
            Some(job) => job.push(at),
            None => jobs.push(vec![at]),
        }
    }
    jobs
}

pub(crate) fn judge(expectation: &Expectation, view: &View<'_>, options: &Options) -> Found {
    let definition = expectation.definition;
    in_form(expectation, options, |format| match definition.domain {
        _ if definition.is_map => map::judge(expectation, view, format, options),
        Domain::Table => shape::judge(expectation, view, options),
        _ if definition.name == "column_to_exist" => shape::judge(expectation, view, options),
        _ => aggregate::judge(expectation, view, format, options),
    })
}

/// Gives what `find` finds in the form that is asked for.
pub(crate) fn in_form(
    expectation: &Expectation,
    options: &Options,
    find: impl FnOnce(&ResultFormat) -> Found,
) -> Found {
    let format = match expectation.argument("result_format") {
        Some(format) => ResultFormat::of(format)?,
        None => options.result_format.clone(),
    };
    let (success, mut result) = find(&format)?;
    if format.detail == Detail::BooleanOnly {
        result.clear();
    }
    Ok((success, result))
}

/// Makes a result that holds one observed value.
pub(crate) fn observed(value: Json) -> Map<String, Json> {
    Map::from_iter([("observed_value".to_owned(), json!(value))])
}
