//! Holds a table against a suite: one pass for each column, what several expectations need found once.

use rayon::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::catalog::Domain;
use super::condition::{self, Condition};
use super::facts::Facts;
use super::result::{Judgement, ResultFormat, Validation};
use super::suite::{Expectation, Suite};
use super::table::Table;
use super::{aggregate, map, shape};

/// Says how a suite is judged.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What results hold, where the expectation itself says nothing.
    pub result_format: ResultFormat,
    /// The moment that `now()` stands for, in microseconds from 1970-01-01 UTC; without it, what asks for it fails.
    pub now: Option<i64>,
}

/// What judging one expectation found, or why it could not.
pub(crate) type Found = Result<(bool, Map<String, Json>), String>;

/// Holds the rows that an expectation is held against.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The whole table.
    pub(crate) whole: &'a Table,
    /// The table of the rows.
    pub(crate) table: &'a Table,
    /// Their numbers in the whole table; all rows where none are given.
    pub(crate) rows: Option<&'a [u32]>,
    /// A place for the facts of each column.
    pub(crate) facts: Vec<Facts<'a>>,
}

impl<'a> View<'a> {
    fn new(whole: &'a Table, table: &'a Table, rows: Option<&'a [u32]>) -> View<'a> {
        let facts = (0..table.names().len()).map(|position| Facts::new(table.column(position))).collect();
        View { whole, table, rows, facts }
    }

    /// Gives a row's number in the whole table.
    pub(crate) fn row(&self, row: usize) -> usize {
        self.rows.map_or(row, |rows| rows[row] as usize)
    }

    /// Gives the facts of a column.
    pub(crate) fn facts(&self, name: &str) -> Result<&Facts<'a>, String> {
        condition::find(self.table, name)?;
        let position = self.table.position(name).ok_or_else(|| format!("there is no column {name}"))?;
        Ok(&self.facts[position])
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
    let chosen: Vec<Result<(Vec<u32>, Table), String>> = conditions
        .par_iter()
        .map(|condition| condition.rows(table).map(|rows| (rows.clone(), table.take(&rows))))
        .collect();
    let whole = View::new(table, table, None);
    let views: Vec<Result<View<'_>, String>> = chosen
        .iter()
        .map(|chosen| match chosen {
            Ok((rows, part)) => Ok(View::new(table, part, Some(rows))),
            Err(error) => Err(format!("row_condition: {error}")),
        })
        .collect();
    let mut found: Vec<(usize, Found)> = jobs(expectations, &domains)
        .par_iter()
        .flat_map_iter(|job| {
            job.iter().map(|at| {
                let view = match domains[*at] {
                    None => Ok(&whole),
                    Some(domain) => views[domain].as_ref().map_err(Clone::clone),
                };
                (*at, view.and_then(|view| judge(&expectations[*at], view, options)))
            })
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

fn judge(expectation: &Expectation, view: &View<'_>, options: &Options) -> Found {
    let format = match expectation.argument("result_format") {
        Some(format) => ResultFormat::of(format)?,
        None => options.result_format.clone(),
    };
    let definition = expectation.definition;
    if definition.is_map {
        return map::judge(expectation, view, &format, options);
    }
    match definition.domain {
        Domain::Table => shape::judge(expectation, view, options),
        _ if definition.name == "column_to_exist" => shape::judge(expectation, view, options),
        _ => aggregate::judge(expectation, view, &format, options),
    }
}

/// Makes a result that holds one observed value.
pub(crate) fn observed(value: Json) -> Map<String, Json> {
    Map::from_iter([("observed_value".to_owned(), json!(value))])
}
