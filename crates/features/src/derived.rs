//! Derived columns: an SQL expression with what it learned, evaluated over tables and rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainyard_expression::{Bound, Expression, RuntimeError, Type, Value};

use crate::Error;

/// Rows that one thread evaluates at a time.
const CHUNK: usize = 1 << 16;

/// A derived column, ready to compute.
#[derive(Debug, Clone)]
pub(crate) struct Derived {
    pub(crate) stored: StoredDerived,
    pub(crate) bound: Bound,
    /// The columns that the expression reads.
    reads: Vec<String>,
}

/// What is kept of a derived column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredDerived {
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) kind: Type,
    /// The values of its fitted aggregates, in their order.
    pub(crate) fitted: Vec<Value>,
}

impl Derived {
    /// Joins an expression with the values of its fitted aggregates.
    pub(crate) fn new(name: &str, expression: &Expression, fitted: Vec<Value>) -> Derived {
        let stored =
            StoredDerived { name: name.to_owned(), sql: expression.sql().to_owned(), kind: expression.kind(), fitted };
        let bound = expression.bind(&stored.fitted);
        Derived { stored, bound, reads: expression.columns().into_iter().collect() }
    }

    /// Fits the aggregates of `expression` on the columns of the training rows.
    pub(crate) fn fit(name: &str, expression: &Expression, columns: &Columns) -> Result<Derived, Error> {
        let failed = |error| Error::Expression { column: name.to_owned(), error: Box::new(error) };
        let reads: Vec<String> = expression.columns().into_iter().collect();
        let table = columns.table(&reads)?;
        let fit = |aggregate: &trainyard_expression::Aggregate| aggregate.fit(&table);
        let fitted: Result<Vec<Value>, RuntimeError> = expression.aggregates().iter().map(fit).collect();
        Ok(Derived::new(name, expression, fitted.map_err(failed)?))
    }

    /// Computes the column for all rows; large tables in stretches, in parallel.
    pub(crate) fn evaluate(&self, columns: &Columns) -> Result<ArrayRef, Error> {
        let table = columns.table(&self.reads)?;
        let rows = table.num_rows();
        let failed = |first: usize, mut error: RuntimeError| {
            error.row = error.row.map(|row| first + row);
            Error::Expression { column: self.stored.name.clone(), error: Box::new(error) }
        };
        if rows <= CHUNK {
            return self.bound.evaluate(&table).map_err(|error| failed(0, error));
        }
        let stretches = rows.div_ceil(CHUNK);
        let evaluate = |stretch: usize| {
            let first = stretch * CHUNK;
            let part = table.slice(first, CHUNK.min(rows - first));
            self.bound.evaluate(&part).map_err(|error| failed(first, error))
        };
        let parts: Vec<Result<ArrayRef, Error>> = (0..stretches).into_par_iter().map(evaluate).collect();
        // In the order of the rows, so that of several failures the first row is named.
        let parts = parts.into_iter().collect::<Result<Vec<ArrayRef>, Error>>()?;
        let parts: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
        arrow_select::concat::concat(&parts).map_err(|error| Error::Damaged { what: error.to_string() })
    }

    /// Computes the column for one row.
    pub(crate) fn evaluate_row(&self, cell: &dyn Fn(&str) -> Option<Value>) -> Result<Value, Error> {
        self.bound
            .evaluate_row(cell)
            .map_err(|error| Error::Expression { column: self.stored.name.clone(), error: Box::new(error) })
    }
}

/// The raw and derived columns of a table while features are fitted or computed.
#[derive(Debug)]
pub(crate) struct Columns {
    arrays: BTreeMap<String, ArrayRef>,
    rows: usize,
}

impl Columns {
    pub(crate) fn new(names: impl Iterator<Item = String>, arrays: Vec<ArrayRef>, rows: usize) -> Columns {
        Columns { arrays: names.zip(arrays).collect(), rows }
    }

    pub(crate) fn insert(&mut self, name: &str, array: ArrayRef) {
        self.arrays.insert(name.to_owned(), array);
    }

    pub(crate) fn get(&self, name: &str) -> Result<&ArrayRef, Error> {
        self.arrays.get(name).ok_or_else(|| Error::Damaged { what: format!("nothing gives the column `{name}`") })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Makes a table of some of the columns; of none, a table that has only its number of rows.
    pub(crate) fn table(&self, names: &[String]) -> Result<RecordBatch, Error> {
        let arrays = names.iter().map(|name| self.get(name).cloned()).collect::<Result<Vec<ArrayRef>, Error>>()?;
        let fields = names.iter().zip(&arrays).map(|(name, array)| Field::new(name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(schema, arrays, &options)
            .map_err(|error| Error::Damaged { what: error.to_string() })
    }
}
