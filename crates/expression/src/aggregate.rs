//! Fitted aggregates: what an expression learns from the training rows.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use trainyard_exact as exact;

use crate::expression::Expression;
use crate::runtime::RuntimeError;
use crate::value::{Type, Value};

/// The functions that an expression may fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AggregateFunction {
    /// `fitted_mean`.
    Mean,
    /// `fitted_median`: of an even number of values the mean of the two in the middle.
    Median,
    /// `fitted_min`.
    Minimum,
    /// `fitted_max`.
    Maximum,
    /// `fitted_stddev`: of the sample, by n − 1.
    StandardDeviation,
    /// `fitted_quantile`, from 0 to 1: linear between the two nearest values, as NumPy's default.
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
    /// Returns the type of the fitted value.
    pub fn kind(&self) -> Type {
        match self.function {
            AggregateFunction::Minimum | AggregateFunction::Maximum => self.argument.kind(),
            AggregateFunction::Count => Type::Integer,
            _ => Type::Float,
        }
    }

    /// Tells whether both fit the same value.
    pub(crate) fn same(&self, other: &Aggregate) -> bool {
        self.function == other.function && self.argument.sql() == other.argument.sql()
    }

    /// Fits the aggregate over a table.
    ///
    /// NULL and NaN are both missing values and are skipped; without any value left, and for a standard deviation with
    /// only one, the result is NULL. Sums are exact and rounded once, so that no result depends on the order of rows.
    ///
    /// # Errors
    /// Fails where the argument fails for a row.
    pub fn fit(&self, table: &RecordBatch) -> Result<Value, RuntimeError> {
        let values = self.argument.bind(&[]).evaluate(table)?;
        let float = |value: Option<f64>| value.map_or(Value::Null, Value::Float);
        Ok(match self.function {
            AggregateFunction::Count => Value::Integer(present(&values).count() as i64),
            AggregateFunction::Minimum => extreme(&values, false),
            AggregateFunction::Maximum => extreme(&values, true),
            AggregateFunction::Mean => float(exact::mean(&numbers(&values))),
            AggregateFunction::StandardDeviation => {
                float(exact::Spread::of(&numbers(&values)).and_then(|spread| spread.sample_variance()).map(f64::sqrt))
            }
            AggregateFunction::Median => float(exact::median(&mut numbers(&values))),
            AggregateFunction::Quantile(share) => {
                let mut numbers = numbers(&values);
                numbers.sort_unstable_by(f64::total_cmp);
                float(exact::quantile(&numbers, share))
            }
        })
    }
}

/// Gives the rows that have a value.
fn present(values: &ArrayRef) -> impl Iterator<Item = usize> {
    let floats = values.as_primitive_opt::<Float64Type>();
    (0..values.len())
        .filter(move |row| values.is_valid(*row) && floats.is_none_or(|floats| !floats.value(*row).is_nan()))
}

/// Gives the numbers that are present; integers become the nearest floats.
fn numbers(values: &ArrayRef) -> Vec<f64> {
    if let Some(floats) = values.as_primitive_opt::<Float64Type>() {
        present(values).map(|row| floats.value(row)).collect()
    } else if let Some(integers) = values.as_primitive_opt::<Int64Type>() {
        present(values).map(|row| integers.value(row) as f64).collect()
    } else {
        Vec::new()
    }
}

fn extreme(values: &ArrayRef, greatest: bool) -> Value {
    let better = |new: &Value, best: &Value| {
        let ordering = match (new, best) {
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            (Value::Integer(a), Value::Integer(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            // The zeros differ here, so that the result does not depend on which comes first.
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            _ => return false,
        };
        if greatest { ordering.is_gt() } else { ordering.is_lt() }
    };
    let mut best = Value::Null;
    for row in present(values) {
        let Some(value) = Value::of_array(values, row) else { break };
        if best == Value::Null || better(&value, &best) {
            best = value;
        }
    }
    best
}
