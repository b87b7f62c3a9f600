//! Columns of a file judged while they pass by, a batch at a time, so that no column is held but one whose deviation is asked for.
//!
//! As long as every cell is as expected, there is no row to name: what passed is all that the result is made of. Where
//! one is not, and for all that takes a look at several cells, the columns are read whole.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Float64Array, LargeStringArray, RecordBatch, new_empty_array};
use arrow_schema::DataType;
use rayon::prelude::*;
use serde_json::json;
use trainyard_exact::{ExactSum, Spread};

use super::catalog::Domain;
use super::condition::Values;
use super::facts::Facts;
use super::judge::{Found, Options, View, in_form, judge, observed, validate};
use super::limit::Limits;
use super::result::{Judgement, ResultFormat, Validation};
use super::suite::{Expectation, Suite};
use super::table::{Column, Table};
use super::value::{Cell, Class, Value};
use super::{aggregate, map, scan, types};

/// The columns of a table that lies in a file.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// The names of all columns.
    pub names: &'a [String],
    /// The number of rows.
    pub rows: usize,
    /// Gives the type that a column passes in, with its size in bytes: `Int64`, `Float64`, or
    /// `Dictionary(Int32, LargeUtf8)`; `None` where it can't pass.
    pub kind: &'a (dyn Fn(&str) -> Option<(DataType, u64)> + Sync),
    /// Gives the cells of a column in batches until one is answered with `false`; tells whether all were given.
    pub pass: &'a Pass<'a>,
}

/// Gives a column, by its name, to what takes its batches.
type Pass<'a> = dyn Fn(&str, &mut dyn FnMut(&ArrayRef) -> bool) -> bool + Sync + 'a;

/// Reads some columns whole, or all of them, and gives the names of all columns with them.
type Read<'a, E> = dyn Fn(Option<BTreeSet<String>>) -> Result<(RecordBatch, Vec<String>), E> + Sync + 'a;

/// Holds a table that lies in a file against every expectation of `suite`, as [`validate`] holds the table itself.
/// Columns pass by where that says enough, one on each thread, and `read` reads the others.
///
/// # Errors
/// Those of `read`.
pub fn validate_passing<E: Send>(
    suite: &Suite,
    columns: &Columns<'_>,
    read: &Read<'_, E>,
    options: &Options,
) -> Result<Validation, E> {
    let expectations = suite.expectations();
    let whole = |chosen: &[usize]| -> Result<Vec<(usize, Judgement)>, E> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let part = Suite::new(suite.name(), chosen.iter().map(|at| expectations[*at].clone()).collect());
        let mut wanted = part.columns();
        wanted.iter_mut().for_each(|wanted| wanted.extend(options.result_format.index_columns.iter().cloned()));
        let (table, names) = read(wanted)?;
        let validation = validate(&part, &Table::of(&table).among(names), options);
        Ok(chosen.iter().copied().zip(validation.judgements).collect())
    };
    let (jobs, rest) = plan(suite, columns, options);
    let table = Table::without_cells(columns.names.to_vec(), columns.rows);
    let view = View::without_cells(&table);
    let passed = || {
        let jobs = jobs.par_iter().with_max_len(1);
        jobs.map(|job| job.judge(expectations, columns, &view, options)).collect::<Vec<_>>()
    };
    let (passed, read) = rayon::join(passed, || whole(&rest));
    let mut judged = read?;
    let mut again = Vec::new();
    for (job, passed) in jobs.iter().zip(passed) {
        match passed {
            Some(found) => judged.extend(job.expectations.iter().zip(found).map(|(at, found)| {
                let (expectation, (success, result)) = (expectations[*at].clone(), found);
                (*at, Judgement { expectation, success, result, exception: None })
            })),
            None => again.extend_from_slice(&job.expectations),
        }
    }
    judged.extend(whole(&again)?);
    judged.sort_unstable_by_key(|(at, _)| *at);
    Ok(Validation::of(suite, judged.into_iter().map(|(_, judgement)| judgement).collect()))
}

/// What is judged of one column in one pass.
struct Job<'a> {
    column: &'a str,
    /// The type that it passes in; `None` for expectations that ask for no cell.
    kind: Option<DataType>,
    bytes: u64,
    expectations: Vec<usize>,
}

/// Says which expectations are judged while their column passes, the largest column first, and which are not.
fn plan<'a>(suite: &'a Suite, columns: &Columns<'_>, options: &Options) -> (Vec<Job<'a>>, Vec<usize>) {
    let (mut jobs, mut rest): (Vec<Job<'a>>, Vec<usize>) = (Vec::new(), Vec::new());
    for (at, expectation) in suite.expectations().iter().enumerate() {
        let Some((column, kind, bytes)) = passing(expectation, columns, options) else {
            rest.push(at);
            continue;
        };
        match jobs.iter_mut().find(|job| job.column == column && job.kind == kind) {
            Some(job) => job.expectations.push(at),
            None => jobs.push(Job { column, kind, bytes, expectations: vec![at] }),
        }
    }
    // What is read whole anyway need not pass as well.
    let read = Suite::new(suite.name(), rest.iter().map(|at| suite.expectations()[*at].clone()).collect()).columns();
    let is_read = |job: &Job<'_>| job.kind.is_some() && read.as_ref().is_none_or(|read| read.contains(job.column));
    rest.extend(jobs.extract_if(.., |job| is_read(job)).flat_map(|job| job.expectations));
    rest.sort_unstable();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
    (jobs, rest)
}

/// Gives the column that an expectation can be judged of while it passes, with its type and size.
fn passing<'a>(
    expectation: &'a Expectation,
    columns: &Columns<'_>,
    options: &Options,
) -> Option<(&'a str, Option<DataType>, u64)> {
    let definition = expectation.definition;
    let format = match expectation.argument("result_format") {
        Some(format) => ResultFormat::of(format).ok()?,
        None => options.result_format.clone(),
    };
    if expectation.condition.is_some() || !format.index_columns.is_empty() {
        return None;
    }
    match definition.domain {
        Domain::Table => Some(("", None, 0)),
        _ if definition.name == "column_to_exist" => Some(("", None, 0)),
        Domain::Column => {
            let column = expectation.text("column")?;
            let (kind, bytes) = (columns.kind)(column)?;
            let of_texts = matches!(kind, DataType::Dictionary(..));
            let passes = match definition.name {
                "column_values_to_not_be_null"
                | "column_values_to_be_between"
                | "column_values_to_be_in_set"
                | "column_values_to_not_be_in_set"
                | "column_values_to_be_of_type"
                | "column_values_to_be_in_type_list" => true,
                "column_mean_to_be_between" | "column_stdev_to_be_between" => !of_texts,
                // These look at several cells, or at those that are missing.
                "column_values_to_be_null"
                | "column_values_to_be_unique"
                | "column_values_to_be_increasing"
                | "column_values_to_be_decreasing"
                | "column_value_z_scores_to_be_less_than" => false,
                _ => of_texts && definition.is_map,
            };
            passes.then_some((column, Some(kind), bytes))
        }
        Domain::Pair | Domain::Columns => None,
    }
}

impl Job<'_> {
    /// Judges every expectation; `None` where one takes the whole column.
    fn judge(
        &self,
        expectations: &[Expectation],
        columns: &Columns<'_>,
        view: &View<'_>,
        options: &Options,
    ) -> Option<Vec<(bool, serde_json::Map<String, serde_json::Value>)>> {
        let chosen = || self.expectations.iter().map(|at| &expectations[*at]);
        let Some(kind) = &self.kind else {
            return chosen().map(|expectation| judge(expectation, view, options).ok()).collect();
        };
        let found = match kind {
            DataType::Dictionary(..) => Passed::texts(self.column, chosen(), columns, options)?,
            kind => Passed::numbers(self.column, kind, chosen(), columns, options)?,
        };
        chosen().map(|expectation| found.judge(expectation, view, options).ok()).collect()
    }
}

/// What is known of a column that has passed, and whose every cell is as expected.
struct Passed {
    /// A column of its type, without cells.
    empty: Column,
    missing: usize,
    mean: Option<f64>,
    spread: Option<Spread>,
}

/// What a number is held against.
enum Check<'a> {
    Limits(Limits),
    Values { values: Values<'a>, is_unexpected: bool },
}

impl<'a> Check<'a> {
    /// Gives what the numbers of a column are held against; `None` where that is none of these.
    fn of(expectation: &'a Expectation, options: &Options) -> Option<Result<Check<'a>, String>> {
        let name = expectation.definition.name;
        match name {
            "column_values_to_be_between" => {
                Some(Limits::of(expectation, Some(Class::Number), options).map(Check::Limits))
            }
            "column_values_to_be_in_set" | "column_values_to_not_be_in_set" => {
                let values = expectation.argument("value_set").and_then(Value::as_list).unwrap_or_default();
                let values = Values::new(values.iter(), false);
                Some(Ok(Check::Values { values, is_unexpected: name == "column_values_to_not_be_in_set" }))
            }
            _ => None,
        }
    }

    fn holds(&self, column: &Column) -> bool {
        let unexpected = match self {
            Check::Limits(limits) => scan::outside(column, limits),
            Check::Values { values, is_unexpected } => scan::among(column, values, *is_unexpected),
        };
        unexpected.is_some_and(|rows| rows.is_empty())
    }
}

fn are_any<'a>(mut expectations: impl Iterator<Item = &'a Expectation>, name: &str) -> bool {
    expectations.any(|expectation| expectation.definition.name == name)
}

impl Passed {
    /// Lets a column of numbers pass.
    fn numbers<'a>(
        column: &str,
        kind: &DataType,
        expectations: impl Iterator<Item = &'a Expectation> + Clone,
        columns: &Columns<'_>,
        options: &Options,
    ) -> Option<Passed> {
        let checks = expectations.clone().filter_map(|expectation| Check::of(expectation, options));
        let checks = checks.collect::<Result<Vec<_>, String>>().ok()?;
        let is_whole = are_any(expectations.clone(), "column_values_to_not_be_null");
        let has_spread = are_any(expectations.clone(), "column_stdev_to_be_between");
        let has_mean = has_spread || are_any(expectations, "column_mean_to_be_between");
        let (mut missing, mut sum) = (0, ExactSum::default());
        // How far numbers lie from their mean takes a second look at each.
        let mut kept: Vec<Float64Array> = Vec::new();
        let mut take = |array: &ArrayRef| -> bool {
            let Some(column) = Column::of(array.as_ref()).filter(|_| options.stop.check().is_ok()) else {
                return false;
            };
            let facts = Facts::new(&column);
            missing += facts.missing();
            if (is_whole && missing > 0) || !checks.iter().all(|check| check.holds(&column)) {
                return false;
            }
            if has_mean {
                let Some(numbers) = facts.numbers() else { return false };
                sum.extend(numbers.iter().copied());
                if has_spread {
                    kept.push(match &column {
                        Column::Float(array) if facts.missing() == 0 => array.clone(),
                        _ => numbers.to_vec().into(),
                    });
                }
            }
            true
        };
        if !(columns.pass)(column, &mut take) {
            return None;
        }
        let mean = sum.mean();
        let parts = || kept.iter().map(|part| &part.values()[..]);
        let spread = mean.filter(|_| has_spread).map(|mean| Spread::around(mean, parts()));
        Some(Passed { empty: Column::of(new_empty_array(kind).as_ref())?, missing, mean, spread })
    }

    /// Lets a column of texts pass; each different text is judged once.
    fn texts<'a>(
        column: &str,
        expectations: impl Iterator<Item = &'a Expectation> + Clone,
        columns: &Columns<'_>,
        options: &Options,
    ) -> Option<Passed> {
        let is_whole = are_any(expectations.clone(), "column_values_to_not_be_null");
        let mut missing = 0;
        let mut dictionaries: Vec<Dictionary> = Vec::new();
        let mut take = |array: &ArrayRef| -> bool {
            let Some(array) = array.as_dictionary_opt::<Int32Type>().filter(|_| options.stop.check().is_ok()) else {
                return false;
            };
            let Some(texts) = array.values().as_string_opt::<i64>().filter(|texts| texts.null_count() == 0) else {
                return false;
            };
            missing += array.null_count();
            if is_whole && missing > 0 {
                return false;
            }
            if !dictionaries.last().is_some_and(|last| last.is_of(texts)) {
                dictionaries.push(Dictionary { texts: texts.clone(), is_seen: vec![false; texts.len()] });
            }
            dictionaries.last_mut().is_some_and(|last| last.see(array.keys()))
        };
        if !(columns.pass)(column, &mut take) {
            return None;
        }
        let texts = LargeStringArray::from_iter_values(dictionaries.iter().flat_map(Dictionary::seen));
        let texts = Column::Text(texts);
        let facts = Facts::new(&texts);
        for expectation in expectations {
            let name = expectation.definition.name;
            let is_known =
                map::is_of_missing(name) || types::whole(&texts, expectation).is_some_and(|_| is_of_type(name));
            if !is_known && !map::single(name, &facts, expectation, options).is_ok_and(|rows| rows.is_empty()) {
                return None;
            }
        }
        let empty = Column::Text(LargeStringArray::from_iter_values([""; 0]));
        Some(Passed { empty, missing, mean: None, spread: None })
    }

    fn judge(&self, expectation: &Expectation, view: &View<'_>, options: &Options) -> Found {
        let name = expectation.definition.name;
        in_form(expectation, options, |format| match name {
            "column_mean_to_be_between" => aggregate::between(self.mean.map(Cell::float), expectation, options),
            "column_stdev_to_be_between" => {
                let deviation = self.spread.and_then(|spread| spread.sample_variance()).map(f64::sqrt);
                aggregate::between(deviation.map(Cell::float), expectation, options)
            }
            _ => match types::whole(&self.empty, expectation).filter(|_| is_of_type(name)) {
                Some((success, type_name)) => Ok((success, observed(json!(type_name)))),
                None => map::as_expected(expectation, view, self.missing, format, options),
            },
        })
    }
}

fn is_of_type(name: &str) -> bool {
    matches!(name, "column_values_to_be_of_type" | "column_values_to_be_in_type_list")
}

/// The texts that some batches in a row choose theirs from.
struct Dictionary {
    texts: LargeStringArray,
    /// Which of them are chosen.
    is_seen: Vec<bool>,
}

impl Dictionary {
    /// Tells whether these are the same texts at the same place of memory, which this keeps from being used again.
    fn is_of(&self, texts: &LargeStringArray) -> bool {
        let place = |texts: &LargeStringArray| (texts.offsets().as_ptr(), texts.values().as_ptr(), texts.len());
        place(&self.texts) == place(texts)
    }

    fn see(&mut self, keys: &arrow_array::Int32Array) -> bool {
        let mut see = |key: i32| {
            let seen = usize::try_from(key).ok().and_then(|key| self.is_seen.get_mut(key));
            seen.map(|seen| *seen = true).is_some()
        };
        match keys.null_count() {
            0 => keys.values().iter().all(|key| see(*key)),
            _ => keys.iter().flatten().all(see),
        }
    }

    fn seen(&self) -> impl Iterator<Item = &str> {
        self.is_seen.iter().enumerate().filter(|(_, is_seen)| **is_seen).map(|(at, _)| self.texts.value(at))
    }
}
