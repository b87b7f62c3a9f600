//! Fitted aggregates: what an expression learns from the training rows.

mod exact;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};

use crate::aggregate::exact::ExactSum;
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
        Ok(match self.function {
            AggregateFunction::Count => Value::Integer(present(&values).count() as i64),
            AggregateFunction::Minimum => extreme(&values, false),
            AggregateFunction::Maximum => extreme(&values, true),
            AggregateFunction::Mean => mean(&values).map_or(Value::Null, Value::Float),
            AggregateFunction::StandardDeviation => deviation(&values).map_or(Value::Null, Value::Float),
            AggregateFunction::Median => {
                let sorted = sorted(&values);
                let middle = sorted.len() / 2;
                match (sorted.len() % 2, middle.checked_sub(1).and_then(|below| sorted.get(below)), sorted.get(middle))
                {
                    (_, _, None) => Value::Null,
                    (0, Some(below), Some(above)) => Value::Float(halfway(*below, *above)),
                    (_, _, Some(above)) => Value::Float(*above),
                }
            }
            AggregateFunction::Quantile(share) => quantile(&sorted(&values), share).map_or(Value::Null, Value::Float),
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

fn sorted(values: &ArrayRef) -> Vec<f64> {
    let mut sorted = numbers(values);
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn mean(values: &ArrayRef) -> Option<f64> {
    if let Some(integers) = values.as_primitive_opt::<Int64Type>() {
        let count = present(values).count();
        let sum: i128 = present(values).map(|row| i128::from(integers.value(row))).sum();
        return if count == 0 { None } else { Some(sum as f64 / count as f64) };
    }
    ExactSum::of(numbers(values)).mean()
}

/// In two passes: the mean, then the exact sum of the squared distances from it.
fn deviation(values: &ArrayRef) -> Option<f64> {
    let mean = mean(values)?;
    let numbers = numbers(values);
    if numbers.len() < 2 {
        return None;
    }
    let squares = ExactSum::of(numbers.iter().map(|number| (number - mean) * (number - mean)));
    Some((squares.total() / (numbers.len() - 1) as f64).sqrt())
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

/// Gives the mean of two values without overflow.
fn halfway(below: f64, above: f64) -> f64 {
    let sum = below + above;
    if sum.is_finite() || !below.is_finite() || !above.is_finite() { sum / 2.0 } else { below / 2.0 + above / 2.0 }
}

/// Interpolates as NumPy does: from the nearer end, so that equal neighbours give exactly their value.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = place.floor();
    let weight = place - below;
    let low = *sorted.get(below as usize)?;
    let high = *sorted.get(below as usize + 1).unwrap_or(&low);
    let step = high - low;
    if low == high {
        return Some(low);
    }
    Some(if weight < 0.5 { low + step * weight } else { high - step * (1.0 - weight) })
}
