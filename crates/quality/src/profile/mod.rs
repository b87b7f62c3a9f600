//! The profile of a table: what its columns hold, seen in one pass of its batches and in bounded memory.
//!
//! What is small is exact: columns of few different values, tables of few different rows. What is larger is sketched,
//! with an error that stands beside the number. Rows are taken in pieces whose borders depend on the row's number
//! alone, each column by one thread, so that the profile depends neither on how the rows came in batches nor on the
//! number of threads. Nothing is drawn: what is sampled is chosen by a hash.

mod column;
mod counted;
mod distinct;
mod duplicates;
mod frequent;
mod hash;
mod leaks;
mod levels;
mod limits;
mod moments;
mod ordered;
mod page;
mod quantiles;
mod report;
mod texts;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema;
use rayon::prelude::*;

use column::{Column, Finished};
use duplicates::Rows;
use leaks::{Sample, predictors};
use levels::{Levels, Tables};
use moments::{Moments, Pairs};

pub use limits::Limits;
pub use page::page;
pub use report::{
    ColumnProfile, Correlation, Distinct, Duplicates, Histogram, Kind, Length, Note, Numbers, Predictor, Predictors,
    Profile, Quantile, Quantiles, Scalar, TargetProfile, Top,
};

/// The first so many numeric columns are compared with one another.
pub const MOST_NUMERIC: usize = 128;

/// The first so many columns of categories are compared with one another.
pub const MOST_CATEGORICAL: usize = 50;

/// Takes the batches of a table, in the order of its rows.
#[derive(Debug)]
pub struct Profiler {
    limits: Limits,
    columns: Vec<Column>,
    /// The places of the columns that are compared with one another.
    numeric: Vec<usize>,
    categorical: Vec<usize>,
    uncorrelated: usize,
    target: Option<usize>,
    sample: Sample,
    pairs: Pairs,
    tables: Tables,
    rows: Rows,
    seen: u64,
    /// Rows of the block so far.
    in_block: usize,
}

impl Profiler {
    /// Begins with a table's columns, which are of the canonical types, and the name of the one to predict.
    pub fn new(schema: &Schema, target: Option<&str>) -> Profiler {
        Profiler::with_limits(schema, target, Limits::of(schema.fields().len()))
    }

    /// Begins with limits of one's own. Columns of other than the canonical types are left out.
    pub fn with_limits(schema: &Schema, target: Option<&str>, limits: Limits) -> Profiler {
        let columns: Vec<Column> =
            schema.fields().iter().filter_map(|field| Column::new(field.name(), field.data_type(), limits)).collect();
        let places = |wanted: fn(&Column) -> bool| {
            columns.iter().enumerate().filter(move |(_, column)| wanted(column)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        let mut numeric = places(|column| column.kind.is_numeric());
        let mut categorical = places(Column::is_category);
        let all = numeric.len() + categorical.len();
        numeric.truncate(MOST_NUMERIC);
        categorical.truncate(MOST_CATEGORICAL);
        Profiler {
            limits,
            uncorrelated: all - numeric.len() - categorical.len(),
            pairs: Pairs::new(numeric.len()),
            tables: Tables::new(categorical.len()),
            numeric,
            categorical,
            target: target.and_then(|target| columns.iter().position(|column| column.name == target)),
            sample: Sample::new(limits.sample),
            rows: Rows::new(limits.rows),
            columns,
            seen: 0,
            in_block: 0,
        }
    }

    /// Takes the next batch.
    pub fn add(&mut self, batch: &RecordBatch) {
        let schema = batch.schema();
        let arrays: Vec<Option<&ArrayRef>> =
            self.columns.iter().map(|column| schema.index_of(&column.name).ok().map(|at| batch.column(at))).collect();
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = (self.limits.block - self.in_block).min(batch.num_rows() - at);
            self.piece(&arrays, at, rows);
            at += rows;
        }
    }

    /// Takes rows that lie in one block.
    fn piece(&mut self, arrays: &[Option<&ArrayRef>], at: usize, rows: usize) {
        let picked = if self.target.is_some() { self.sample.pick(self.seen, rows) } else { Vec::new() };
        self.columns.par_iter_mut().zip(arrays).for_each(|(column, array)| {
            if let Some(array) = array {
                column.add(&array.slice(at, rows), &picked);
            }
        });
        if let Some(kept) = self.sample.thin() {
            self.columns.par_iter_mut().for_each(|column| column.thin(&kept));
        }
        for row in 0..rows {
            let cells = self.columns.iter().filter_map(|column| column.hashes.get(row));
            self.rows.add(hash::mix(cells.fold(0, |before, cell| hash::then(before, *cell))));
        }
        self.seen += rows as u64;
        self.in_block += rows;
        if self.in_block == self.limits.block {
            self.close();
        }
    }

    /// Ends a block.
    fn close(&mut self) {
        self.in_block = 0;
        self.columns.par_iter_mut().for_each(|column| column.moments.close());
        let mut pairs = std::mem::replace(&mut self.pairs, Pairs::new(0));
        let mut tables = std::mem::replace(&mut self.tables, Tables::new(0));
        let (numbers, levels) = self.compared();
        rayon::join(|| pairs.add(&numbers), || tables.add(&levels));
        (self.pairs, self.tables) = (pairs, tables);
        self.columns.iter_mut().for_each(|column| column.levels.clear());
    }

    fn compared(&self) -> (Vec<&Moments>, Vec<&Levels>) {
        let column = |at: &usize| self.columns.get(*at);
        let numbers = self.numeric.iter().filter_map(column).map(|column| &column.moments).collect();
        let levels = self.categorical.iter().filter_map(column).map(|column| &column.levels).collect();
        (numbers, levels)
    }

    /// Gives the profile of all rows.
    pub fn finish(mut self) -> Profile {
        if self.in_block > 0 {
            self.close();
        }
        let correlations = self.correlations();
        let duplicates = self.rows.finish();
        let columns: Vec<Finished> = self.columns.into_par_iter().map(Column::finish).collect();
        let target = self.target.and_then(|at| target(&self.sample, &columns, at));
        let mut columns: Vec<ColumnProfile> = columns.into_iter().map(|column| column.profile).collect();
        if let Some(column) = self.target.and_then(|at| columns.get_mut(at)) {
            column.is_target = true;
        }
        Profile { rows: self.seen, columns, duplicates, correlations, uncorrelated: self.uncorrelated, target }
    }

    fn correlations(&self) -> Vec<Correlation> {
        let name = |places: &[usize], at: usize| {
            let column = places.get(at).and_then(|place| self.columns.get(*place));
            column.map_or_else(String::new, |column| column.name.clone())
        };
        let pearson = self.pairs.finish().map(|(a, b, rows, value)| Correlation {
            a: name(&self.numeric, a),
            b: name(&self.numeric, b),
            measure: "pearson",
            value,
            rows,
        });
        let (_, levels) = self.compared();
        let cramer = self.tables.finish(&levels).into_iter().map(|(a, b, rows, value)| Correlation {
            a: name(&self.categorical, a),
            b: name(&self.categorical, b),
            measure: "cramers_v",
            value,
            rows,
        });
        pearson.chain(cramer).collect()
    }
}

fn target(sample: &Sample, columns: &[Finished], at: usize) -> Option<TargetProfile> {
    let target = columns.get(at)?;
    let others: Vec<_> =
        columns.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, column)| column.predicting()).collect();
    let kind = target.profile.kind;
    let found = match (&target.classes, target.number) {
        (None, None) if kind == Kind::Text => Err("it has too many different texts to be classes".to_owned()),
        (None, None) => Err(format!("nothing is predicted of a {}", kind.name())),
        (_, number) => predictors(sample, target.predicting().cells, number, &others),
    };
    let (predictors, why) = match found {
        Ok(predictors) => (Some(predictors), None),
        Err(why) => (None, Some(why)),
    };
    let classes = target.classes.as_ref().filter(|classes| classes.len() <= levels::MOST_LEVELS);
    let column = target.profile.column.clone();
    Some(TargetProfile { column, classes: classes.cloned(), predictors, why })
}
