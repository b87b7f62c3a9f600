//! The expression as its user sees it.

use std::collections::BTreeSet;

use arrow_array::{ArrayRef, RecordBatch};

use crate::aggregate::Aggregate;
use crate::problem::{Problem, ProblemKind};
use crate::runtime::RuntimeError;
use crate::value::{Column, Type, Value};

/// What an expression may read and use.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The columns of the table.
    pub columns: &'a [Column],
    /// Columns that must not be read, each with the reason.
    pub forbidden: &'a [(&'a str, &'a str)],
    /// Whether `fitted_*` aggregates are allowed.
    pub fitted: bool,
}

/// A checked expression.
#[derive(Debug, Clone)]
pub struct Expression {
    sql: String,
}

/// An expression whose fitted aggregates have values, ready to evaluate.
#[derive(Debug, Clone)]
pub struct Bound {
    sql: String,
}

/// Parses and checks an expression. All problems are reported in one pass.
pub fn compile(_sql: &str, _settings: &Settings<'_>) -> Result<Expression, Vec<Problem>> {
    Err(vec![Problem { kind: ProblemKind::Empty, span: 0..0 }])
}

impl Expression {
    /// Returns the type of the result.
    pub fn kind(&self) -> Type {
        Type::Boolean
    }

    /// Returns the columns that the expression reads, those of its fitted aggregates included.
    pub fn columns(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Returns the fitted aggregates, in the order in which [`Expression::bind`] takes their values.
    pub fn aggregates(&self) -> &[Aggregate] {
        &[]
    }

    /// Returns the SQL text.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Supplies the values of the fitted aggregates, in their order.
    pub fn bind(&self, _fitted: &[Value]) -> Bound {
        Bound { sql: self.sql.clone() }
    }
}

impl Bound {
    /// Evaluates over a table: one value a row.
    pub fn evaluate(&self, table: &RecordBatch) -> Result<ArrayRef, RuntimeError> {
        Ok(arrow_array::new_null_array(&arrow_schema::DataType::Boolean, table.num_rows() + 0 * self.sql.len()))
    }

    /// Evaluates over one row, with the same bits as over a table.
    pub fn evaluate_row(&self, _row: &dyn Fn(&str) -> Option<Value>) -> Result<Value, RuntimeError> {
        Ok(Value::Null)
    }
}
