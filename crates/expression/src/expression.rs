//! The expression as its user sees it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};

use crate::aggregate::Aggregate;
use crate::check::Checker;
use crate::parse::{STACK, parse};
use crate::problem::{Problem, ProblemKind};
use crate::program::{Block, Failure, run_batch, run_row};
use crate::runtime::{Fault, RuntimeError};
use crate::value::{Column, Type, Value};

/// What an expression may read and use.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The columns of the table.
    pub columns: &'a [Column],
    /// Columns that must not be read, each with the reason, such as "it is the target".
    pub forbidden: &'a [(&'a str, &'a str)],
    /// Whether `fitted_*` aggregates are allowed.
    pub fitted: bool,
}

/// A checked expression. Cloning is cheap.
#[derive(Clone)]
pub struct Expression {
    program: Arc<Program>,
    aggregates: Vec<Aggregate>,
}

/// An expression whose fitted aggregates have values, ready to evaluate. Cloning is cheap.
#[derive(Clone)]
pub struct Bound {
    pub(crate) program: Arc<Program>,
    pub(crate) fitted: Vec<Value>,
}

pub(crate) struct Program {
    pub(crate) sql: String,
    pub(crate) block: Block,
    /// The columns in the order in which the steps number them.
    pub(crate) columns: Vec<Column>,
    pub(crate) kind: Type,
    /// The type of each fitted value.
    fitted: Vec<Type>,
}

/// Parses and checks an expression against the columns it may read.
///
/// A column's name matches exactly or, where that finds none, in any case if only one column does. `"Date Egg"` in double
/// quotes names any column.
///
/// # Errors
/// Gives every problem found, in the order of the text. A syntax error hides what comes after it.
pub fn compile(sql: &str, settings: &Settings<'_>) -> Result<Expression, Vec<Problem>> {
    // The parser and the check recurse as deep as the expression nests, and the caller's stack may be small.
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("expression".to_owned()).stack_size(STACK);
        match builder.spawn_scoped(scope, || compile_here(sql, settings)).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => compile_here(sql, settings),
        }
    })
}

fn compile_here(sql: &str, settings: &Settings<'_>) -> Result<Expression, Vec<Problem>> {
    let (tree, tokens) = parse(sql).map_err(|problem| vec![problem])?;
    let mut checker = Checker::new(&tokens, settings);
    let typed = checker.check(&tree);
    if let Some(typed) = &typed
        && typed.kind.is_none()
        && checker.problems.is_empty()
    {
        let span = tokens.bytes(tokens.all());
        return Err(vec![Problem { kind: ProblemKind::NullType, span }]);
    }
    match typed {
        Some(typed) if checker.problems.is_empty() => {
            let kind = typed.kind.unwrap_or(Type::Integer);
            let block = Block { steps: typed.steps };
            Ok(Expression::new(sql.to_owned(), block, checker.columns, kind, checker.aggregates))
        }
        _ => {
            let mut problems = checker.problems;
            problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
            Err(problems)
        }
    }
}

impl Expression {
    pub(crate) fn new(
        sql: String,
        block: Block,
        columns: Vec<Column>,
        kind: Type,
        aggregates: Vec<Aggregate>,
    ) -> Expression {
        let fitted = aggregates.iter().map(Aggregate::kind).collect();
        Expression { program: Arc::new(Program { sql, block, columns, kind, fitted }), aggregates }
    }

    /// Returns the type of the result.
    pub fn kind(&self) -> Type {
        self.program.kind
    }

    /// Returns the columns that the expression reads, those of its fitted aggregates included.
    pub fn columns(&self) -> BTreeSet<String> {
        let own = self.program.columns.iter().map(|column| column.name.clone());
        own.chain(self.aggregates.iter().flat_map(|aggregate| aggregate.argument.columns())).collect()
    }

    /// Returns the fitted aggregates, in the order in which [`Expression::bind`] takes their values.
    pub fn aggregates(&self) -> &[Aggregate] {
        &self.aggregates
    }

    /// Returns the SQL text. Together with the values of the fitted aggregates it is all that has to be stored.
    pub fn sql(&self) -> &str {
        &self.program.sql
    }

    /// Supplies the values of the fitted aggregates, in their order.
    ///
    /// A value that is missing or of the wrong type is found when the result is evaluated: [`Fault::Fitted`].
    pub fn bind(&self, fitted: &[Value]) -> Bound {
        Bound { program: Arc::clone(&self.program), fitted: fitted.to_vec() }
    }
}

impl Bound {
    /// Returns the type of the result.
    pub fn kind(&self) -> Type {
        self.program.kind
    }

    /// Evaluates over a table: one value a row, of the Arrow type of [`Bound::kind`].
    ///
    /// # Errors
    /// Fails where the table lacks a column, and for the first row found that overflows, fails a cast or is otherwise
    /// outside what a function takes.
    pub fn evaluate(&self, table: &RecordBatch) -> Result<ArrayRef, RuntimeError> {
        self.check_fitted()?;
        let mut columns = Vec::with_capacity(self.program.columns.len());
        for Column { name, kind } in &self.program.columns {
            let Some(array) = table.column_by_name(name) else {
                return Err(self.whole(Fault::MissingColumn { name: name.clone() }));
            };
            if *array.data_type() != kind.arrow() {
                let found = Type::of_arrow(array.data_type());
                let found = found.map_or_else(|| array.data_type().to_string(), |found| found.to_string());
                return Err(self.whole(Fault::ColumnType { name: name.clone(), expected: *kind, found }));
            }
            columns.push(Arc::clone(array));
        }
        let program = &self.program;
        let result = run_batch(&program.block, &columns, &self.fitted, table.num_rows(), program.kind);
        result.map_err(|failure| self.failed(failure))
    }

    /// Evaluates over one row, with the same bits as over a table.
    ///
    /// # Errors
    /// As [`Bound::evaluate`]. A column for which `row` gives `None` is missing; NULL is `Some(Value::Null)`.
    pub fn evaluate_row(&self, row: &dyn Fn(&str) -> Option<Value>) -> Result<Value, RuntimeError> {
        self.check_fitted()?;
        let mut columns = Vec::with_capacity(self.program.columns.len());
        for Column { name, kind } in &self.program.columns {
            let Some(value) = row(name) else {
                return Err(self.whole(Fault::MissingColumn { name: name.clone() }));
            };
            if let Some(found) = value.kind().filter(|found| found != kind) {
                let found = found.to_string();
                return Err(self.whole(Fault::ColumnType { name: name.clone(), expected: *kind, found }));
            }
            columns.push(value);
        }
        run_row(&self.program.block, &columns, &self.fitted).map_err(|failure| self.failed(failure))
    }

    fn check_fitted(&self) -> Result<(), RuntimeError> {
        for (index, expected) in self.program.fitted.iter().enumerate() {
            let fits = self.fitted.get(index).is_some_and(|value| value.kind().is_none_or(|kind| kind == *expected));
            if !fits {
                return Err(self.whole(Fault::Fitted { index, expected: *expected }));
            }
        }
        Ok(())
    }

    fn whole(&self, fault: Fault) -> RuntimeError {
        let sql = self.program.sql.clone();
        RuntimeError { fault, row: None, span: 0..sql.len(), sql }
    }

    fn failed(&self, failure: Failure) -> RuntimeError {
        let Failure { fault, span, row } = failure;
        RuntimeError { fault: *fault, row, span, sql: self.program.sql.clone() }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Expression({} as {})", self.program.sql, self.program.kind)
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Bound({} with {:?})", self.program.sql, self.fitted)
    }
}
