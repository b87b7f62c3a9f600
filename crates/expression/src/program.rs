//! The typed program that an expression becomes, and its two ways to run.
//!
//! A block is a list of steps over a stack, so that a long chain of operators needs no recursion. Only what must be lazy
//! nests: a branch of CASE and an argument of COALESCE run for the rows that reach them and for no others.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};

use crate::operation::{Operation, Vector};
use crate::runtime::Fault;
use crate::value::{Type, Value};

/// Steps that leave one result on the stack.
#[derive(Clone, Default)]
pub(crate) struct Block {
    pub(crate) steps: Vec<Step>,
}

/// One step.
#[derive(Clone)]
pub(crate) enum Step {
    /// Pushes a column, by its place among the columns that the expression reads.
    Column(usize),
    /// Pushes a constant.
    Constant(Value),
    /// Pushes the value of a fitted aggregate.
    Fitted(usize),
    /// Pops `arity` arguments and pushes the result.
    Apply { operation: Arc<dyn Operation>, arity: usize, span: Range<usize> },
    /// Pops the operand, if there is one to compare with, and pushes the result of the first arm that holds.
    Case(Arc<Case>),
    /// Pushes the first value that is not NULL.
    Coalesce(Arc<Coalesce>),
}

/// A CASE expression.
pub(crate) struct Case {
    /// Compares the operand with the value of an arm; absent when the arms hold conditions.
    pub(crate) compare: Option<Arc<dyn Operation>>,
    pub(crate) arms: Vec<(Block, Block)>,
    pub(crate) otherwise: Block,
    pub(crate) kind: Type,
}

/// A COALESCE expression.
pub(crate) struct Coalesce {
    pub(crate) blocks: Vec<Block>,
    pub(crate) kind: Type,
}

/// A fault with the part of the text and, in a batch, the row that it belongs to.
pub(crate) struct Failure {
    pub(crate) fault: Box<Fault>,
    pub(crate) span: Range<usize>,
    pub(crate) row: Option<usize>,
}

/// The rows that a block runs over.
#[derive(Clone, Copy)]
struct Frame<'a> {
    columns: &'a [ArrayRef],
    fitted: &'a [Value],
    /// Which rows of the columns, in ascending order; `None` means all.
    selection: Option<&'a [u32]>,
    rows: usize,
}

/// Runs a block over whole columns of `rows` rows.
pub(crate) fn run_batch(
    block: &Block,
    columns: &[ArrayRef],
    fitted: &[Value],
    rows: usize,
    kind: Type,
) -> Result<ArrayRef, Failure> {
    if rows == 0 {
        return Ok(new_null_array(&kind.arrow(), 0));
    }
    let result = Frame { columns, fitted, selection: None, rows }.run(block)?;
    Ok(spread(&result, kind, rows))
}

impl<'a> Frame<'a> {
    fn run(&self, block: &Block) -> Result<Vector, Failure> {
        let mut stack: Vec<Vector> = Vec::with_capacity(8);
        for step in &block.steps {
            let next = match step {
                Step::Column(index) => Vector::Array(match self.selection {
                    None => Arc::clone(&self.columns[*index]),
                    Some(selection) => gather(&self.columns[*index], selection),
                }),
                Step::Constant(value) => Vector::Constant(value.clone()),
                Step::Fitted(index) => Vector::Constant(self.fitted[*index].clone()),
                Step::Apply { operation, arity, span } => {
                    let arguments = &stack[stack.len() - arity..];
                    let result = apply(operation.as_ref(), arguments, self.rows);
                    let result = result.map_err(|(row, fault)| self.failure(row, fault, span))?;
                    stack.truncate(stack.len() - arity);
                    result
                }
                Step::Case(case) => {
                    let operand = if case.compare.is_some() { stack.pop() } else { None };
                    self.run_case(case, operand.as_ref())?
                }
                Step::Coalesce(coalesce) => self.run_coalesce(coalesce)?,
            };
            stack.push(next);
        }
        Ok(stack.pop().unwrap_or(Vector::Constant(Value::Null)))
    }

    fn failure(&self, row: usize, fault: Box<Fault>, span: &Range<usize>) -> Failure {
        let row = match self.selection {
            None => row,
            Some(selection) => selection[row] as usize,
        };
        Failure { fault, span: span.clone(), row: Some(row) }
    }

    /// Narrows to some of this frame's rows.
    fn narrow<'b>(&self, rows: &[u32], space: &'b mut Vec<u32>) -> Frame<'b>
    where
        'a: 'b,
    {
        space.clear();
        match self.selection {
            None => space.extend_from_slice(rows),
            Some(selection) => space.extend(rows.iter().map(|row| selection[*row as usize])),
        }
        Frame { columns: self.columns, fitted: self.fitted, selection: Some(space), rows: rows.len() }
    }

    /// Runs a block for some rows, given by their places in this frame, without narrowing where that is all of them.
    fn run_for(&self, block: &Block, rows: &[u32]) -> Result<Vector, Failure> {
        if rows.len() == self.rows {
            return self.run(block);
        }
        let mut space = Vec::new();
        self.narrow(rows, &mut space).run(block)
    }

    fn run_case(&self, case: &Case, operand: Option<&Vector>) -> Result<Vector, Failure> {
        let mut merge = Merge::new(self.rows, case.kind);
        let mut remaining: Vec<u32> = (0..self.rows as u32).collect();
        for (when, then) in &case.arms {
            if remaining.is_empty() {
                break;
            }
            let mut holds = self.run_for(when, &remaining)?;
            if let (Some(compare), Some(operand)) = (&case.compare, operand) {
                let operand = match operand {
                    Vector::Array(array) if remaining.len() < self.rows => Vector::Array(gather(array, &remaining)),
                    other => other.clone(),
                };
                let compared = apply(compare.as_ref(), &[operand, holds], remaining.len());
                // A comparison of two values of one type cannot fail; were it to, the first row would be named.
                holds = compared.map_err(|(row, fault)| self.failure(row, fault, &(0..0)))?;
            }
            let (hit, rest) = part(&remaining, &holds);
            if !hit.is_empty() {
                merge.put(&self.run_for(then, &hit)?, &hit);
            }
            remaining = rest;
        }
        if !remaining.is_empty() {
            merge.put(&self.run_for(&case.otherwise, &remaining)?, &remaining);
        }
        Ok(merge.finish())
    }

    fn run_coalesce(&self, coalesce: &Coalesce) -> Result<Vector, Failure> {
        let mut merge = Merge::new(self.rows, coalesce.kind);
        let mut remaining: Vec<u32> = (0..self.rows as u32).collect();
        for block in &coalesce.blocks {
            if remaining.is_empty() {
                break;
            }
            let result = self.run_for(block, &remaining)?;
            merge.put(&result, &remaining);
            remaining = match &result {
                Vector::Constant(Value::Null) => remaining,
                Vector::Constant(_) => Vec::new(),
                Vector::Array(array) => {
                    let places = remaining.iter().enumerate();
                    places.filter(|(place, _)| array.is_null(*place)).map(|(_, row)| *row).collect()
                }
            };
        }
        Ok(merge.finish())
    }
}

/// Results of branches on their way back into one column.
struct Merge {
    /// The first array is NULL, for rows that no branch reached.
    arrays: Vec<ArrayRef>,
    places: Vec<(usize, usize)>,
    kind: Type,
}

impl Merge {
    fn new(rows: usize, kind: Type) -> Merge {
        Merge { arrays: vec![new_null_array(&kind.arrow(), 1)], places: vec![(0, 0); rows], kind }
    }

    fn put(&mut self, result: &Vector, rows: &[u32]) {
        let index = self.arrays.len();
        match result {
            Vector::Array(array) => {
                self.arrays.push(Arc::clone(array));
                rows.iter().enumerate().for_each(|(place, row)| self.places[*row as usize] = (index, place));
            }
            Vector::Constant(_) => {
                self.arrays.push(spread(result, self.kind, 1));
                rows.iter().for_each(|row| self.places[*row as usize] = (index, 0));
            }
        }
    }

    fn finish(self) -> Vector {
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        let merged = arrow_select::interleave::interleave(&arrays, &self.places);
        Vector::Array(merged.unwrap_or_else(|_| new_null_array(&self.kind.arrow(), self.places.len())))
    }
}

fn part(rows: &[u32], holds: &Vector) -> (Vec<u32>, Vec<u32>) {
    match holds {
        Vector::Constant(Value::Boolean(true)) => (rows.to_vec(), Vec::new()),
        Vector::Constant(_) => (Vec::new(), rows.to_vec()),
        Vector::Array(array) => {
            let array = array.as_boolean();
            let mut place = 0;
            rows.iter().partition(|_| {
                let here = array.is_valid(place) && array.value(place);
                place += 1;
                here
            })
        }
    }
}

fn apply(operation: &dyn Operation, arguments: &[Vector], rows: usize) -> Result<Vector, (usize, Box<Fault>)> {
    let constants: Option<Vec<Value>> = arguments
        .iter()
        .map(|argument| match argument {
            Vector::Constant(value) => Some(value.clone()),
            Vector::Array(_) => None,
        })
        .collect();
    match constants {
        Some(values) => operation.row(&values).map(Vector::Constant).map_err(|fault| (0, fault)),
        None => operation.batch(arguments, rows).map(Vector::Array),
    }
}

fn gather(array: &ArrayRef, rows: &[u32]) -> ArrayRef {
    let indices = UInt32Array::from(rows.to_vec());
    let taken = arrow_select::take::take(array.as_ref(), &indices, None);
    taken.unwrap_or_else(|_| new_null_array(array.data_type(), rows.len()))
}

/// Makes a column of a vector.
fn spread(vector: &Vector, kind: Type, rows: usize) -> ArrayRef {
    use arrow_array::{
        BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, TimestampMicrosecondArray,
    };
    match vector {
        Vector::Array(array) => Arc::clone(array),
        Vector::Constant(Value::Null) => new_null_array(&kind.arrow(), rows),
        Vector::Constant(Value::Boolean(value)) => Arc::new(BooleanArray::from(vec![*value; rows])),
        Vector::Constant(Value::Integer(value)) => Arc::new(Int64Array::from(vec![*value; rows])),
        Vector::Constant(Value::Float(value)) => Arc::new(Float64Array::from(vec![*value; rows])),
        Vector::Constant(Value::Text(value)) => {
            Arc::new(LargeStringArray::from_iter_values(std::iter::repeat_n(value, rows)))
        }
        Vector::Constant(Value::Date(value)) => Arc::new(Date32Array::from(vec![*value; rows])),
        Vector::Constant(Value::Timestamp(value)) => Arc::new(TimestampMicrosecondArray::from(vec![*value; rows])),
    }
}

/// Runs a block over one row, whose columns come in the order in which the expression reads them.
pub(crate) fn run_row(block: &Block, columns: &[Value], fitted: &[Value]) -> Result<Value, Failure> {
    let mut stack: Vec<Value> = Vec::with_capacity(8);
    for step in &block.steps {
        let next = match step {
            Step::Column(index) => columns[*index].clone(),
            Step::Constant(value) => value.clone(),
            Step::Fitted(index) => fitted[*index].clone(),
            Step::Apply { operation, arity, span } => {
                let result = operation.row(&stack[stack.len() - arity..]);
                stack.truncate(stack.len() - arity);
                result.map_err(|fault| Failure { fault, span: span.clone(), row: None })?
            }
            Step::Case(case) => {
                let operand = if case.compare.is_some() { stack.pop() } else { None };
                row_case(case, operand.as_ref(), columns, fitted)?
            }
            Step::Coalesce(coalesce) => {
                let mut first = Value::Null;
                for block in &coalesce.blocks {
                    first = run_row(block, columns, fitted)?;
                    if first != Value::Null {
                        break;
                    }
                }
                first
            }
        };
        stack.push(next);
    }
    Ok(stack.pop().unwrap_or(Value::Null))
}

fn row_case(case: &Case, operand: Option<&Value>, columns: &[Value], fitted: &[Value]) -> Result<Value, Failure> {
    for (when, then) in &case.arms {
        let mut holds = run_row(when, columns, fitted)?;
        if let (Some(compare), Some(operand)) = (&case.compare, operand) {
            let compared = compare.row(&[operand.clone(), holds]);
            holds = compared.map_err(|fault| Failure { fault, span: 0..0, row: None })?;
        }
        if holds == Value::Boolean(true) {
            return run_row(then, columns, fitted);
        }
    }
    run_row(&case.otherwise, columns, fitted)
}
