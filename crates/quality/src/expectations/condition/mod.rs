//! Row conditions: which rows an expectation is held against.

mod read;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use trainyard_diagnostics::nearest;
use trainyard_expression::{Settings, Type, compile};

use super::dateutil;
use super::table::{Column, Table};
use super::value::{Cell, Class, Key, Value};

pub(crate) use read::{PARSERS, read};

/// Holds a condition that a row meets or not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Compare {
        left: Operand,
        sign: Sign,
        right: Operand,
    },
    /// Whether a column's value is among some.
    In {
        column: String,
        values: Vec<Value>,
        is_in: bool,
    },
    Missing {
        column: String,
        is_missing: bool,
    },
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// An SQL predicate of the crate `expression`.
    Sql(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Column(String),
    Literal(Value),
    List(Vec<Value>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

const SIGNS: [(&str, Sign); 6] = [
    ("==", Sign::Equal),
    ("!=", Sign::Unequal),
    ("<=", Sign::LessOrEqual),
    (">=", Sign::GreaterOrEqual),
    ("<", Sign::Less),
    (">", Sign::Greater),
];

impl Condition {
    /// Gives the rows that meet the condition, in their order.
    ///
    /// # Errors
    /// A column that is not there, a comparison of texts with numbers, SQL that is wrong.
    pub(crate) fn rows(&self, table: &Table) -> Result<Vec<u32>, String> {
        let meets = self.mask(table)?;
        Ok((0..table.rows() as u32).filter(|row| meets[*row as usize]).collect())
    }

    /// Adds the columns whose cells it looks at; `false` where they can't be told.
    pub(crate) fn name_columns(&self, names: &mut BTreeSet<String>) -> bool {
        match self {
            Condition::All(conditions) | Condition::Any(conditions) => {
                conditions.iter().all(|condition| condition.name_columns(names))
            }
            Condition::Not(condition) => condition.name_columns(names),
            Condition::Missing { column, .. } | Condition::In { column, .. } => {
                names.insert(column.clone());
                true
            }
            Condition::Compare { left, right, .. } => {
                for side in [left, right] {
                    if let Operand::Column(column) = side {
                        names.insert(column.clone());
                    }
                }
                true
            }
            Condition::Sql(_) => false,
        }
    }

    fn mask(&self, table: &Table) -> Result<Vec<bool>, String> {
        let rows = table.rows();
        Ok(match self {
            Condition::All(conditions) => {
                let masks = conditions.iter().map(|condition| condition.mask(table)).collect::<Result<Vec<_>, _>>()?;
                (0..rows).map(|row| masks.iter().all(|mask| mask[row])).collect()
            }
            Condition::Any(conditions) => {
                let masks = conditions.iter().map(|condition| condition.mask(table)).collect::<Result<Vec<_>, _>>()?;
                (0..rows).map(|row| masks.iter().any(|mask| mask[row])).collect()
            }
            Condition::Not(condition) => condition.mask(table)?.into_iter().map(|meets| !meets).collect(),
            Condition::Missing { column, is_missing } => {
                let column = find(table, column)?;
                (0..rows).map(|row| column.is_missing(row) == *is_missing).collect()
            }
            Condition::In { column, values, is_in } => {
                let column = find(table, column)?;
                let values = Values::new(values.iter(), is_of_moments(column));
                (0..rows).map(|row| values.has(column.cell(row)) == *is_in).collect()
            }
            Condition::Compare { left, sign, right } => compare(table, left, *sign, right)?,
            Condition::Sql(text) => sql(table, text)?,
        })
    }
}

pub(crate) fn is_of_moments(column: &Column) -> bool {
    matches!(column, Column::Date(_) | Column::Moment(_))
}

/// Finds a column by its name.
pub(crate) fn find<'a>(table: &'a Table, name: &str) -> Result<&'a Column, String> {
    match table.position(name) {
        Some(position) => Ok(table.column(position)),
        None => Err(match nearest(name, table.all_names().iter().map(String::as_str)) {
            Some(near) => format!("there is no column {name}; did you mean {near}?"),
            None => format!("there is no column {name}"),
        }),
    }
}

/// Holds values that cells are looked for among.
pub(crate) struct Values<'a>(HashSet<Key<'a>>);

impl<'a> Values<'a> {
    /// Takes scalars; beside dates, texts are read as dates.
    pub(crate) fn new(values: impl Iterator<Item = &'a Value>, of_moments: bool) -> Values<'a> {
        Values(values.filter_map(Cell::of).map(|cell| as_moment(cell, of_moments).key()).collect())
    }

    pub(crate) fn has(&self, cell: Cell<'_>) -> bool {
        self.0.contains(&cell.key())
    }

    /// Gives the integers among them, in ascending order.
    pub(crate) fn integers(&self) -> Vec<i64> {
        let of = |key: &Key<'_>| if let Key::Int(value) = key { Some(*value) } else { None };
        let mut integers: Vec<i64> = self.0.iter().filter_map(of).collect();
        integers.sort_unstable();
        integers
    }

    /// Gives the doubles among them, in ascending order; an integer that is no double is none.
    pub(crate) fn doubles(&self) -> Vec<f64> {
        let of = |key: &Key<'_>| match key {
            Key::Int(value) => Some(*value as f64).filter(|double| Cell::Float(*double).key() == *key),
            Key::Float(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        };
        let mut doubles: Vec<f64> = self.0.iter().filter_map(of).collect();
        doubles.sort_unstable_by(f64::total_cmp);
        doubles
    }
}

/// Reads a text as a date where it stands beside dates.
pub(crate) fn as_moment(cell: Cell<'_>, of_moments: bool) -> Cell<'_> {
    match cell {
        Cell::Text(text) if of_moments => dateutil::moment(text).map_or(cell, Cell::Moment),
        other => other,
    }
}

/// One side of a comparison.
enum Side<'a> {
    Column(&'a Column),
    Cell(Cell<'a>),
}

impl<'a> Side<'a> {
    fn of(operand: &'a Operand, table: &'a Table) -> Result<Side<'a>, String> {
        Ok(match operand {
            Operand::Column(name) => Side::Column(find(table, name)?),
            Operand::Literal(value) => Side::Cell(Cell::of(value).ok_or("a value is a number, a text, true or false")?),
            Operand::List(_) => return Err("a list stands behind `in`".to_owned()),
        })
    }

    fn is_of_moments(&self) -> bool {
        matches!(self, Side::Column(column) if is_of_moments(column))
    }

    fn cell(&self, row: usize, of_moments: bool) -> Cell<'a> {
        match self {
            Side::Column(column) => as_moment(column.cell(row), of_moments),
            Side::Cell(cell) => as_moment(*cell, of_moments),
        }
    }
}

fn compare(table: &Table, left: &Operand, sign: Sign, right: &Operand) -> Result<Vec<bool>, String> {
    let (left, right) = (Side::of(left, table)?, Side::of(right, table)?);
    let of_moments = left.is_of_moments() || right.is_of_moments();
    (0..table.rows()).map(|row| meets(left.cell(row, of_moments), sign, right.cell(row, of_moments))).collect()
}

fn meets(left: Cell<'_>, sign: Sign, right: Cell<'_>) -> Result<bool, String> {
    if left.is_missing() || right.is_missing() {
        return Ok(sign == Sign::Unequal);
    }
    let order = left.compare(right);
    Ok(match (sign, order) {
        (Sign::Equal, order) => order.is_some_and(|order| order.is_eq()),
        (Sign::Unequal, order) => !order.is_some_and(|order| order.is_eq()),
        (Sign::Less, Some(order)) => order.is_lt(),
        (Sign::LessOrEqual, Some(order)) => order.is_le(),
        (Sign::Greater, Some(order)) => order.is_gt(),
        (Sign::GreaterOrEqual, Some(order)) => order.is_ge(),
        (_, None) => return Err(unlike(left.class(), right.class())),
    })
}

pub(crate) fn unlike(left: Class, right: Class) -> String {
    format!("{} can't be compared with {}", left.name(), right.name())
}

fn sql(table: &Table, text: &str) -> Result<Vec<bool>, String> {
    let columns: Vec<(String, ArrayRef)> = (0..table.names().len())
        .filter_map(|position| {
            let array: ArrayRef = match table.column(position) {
                Column::Bool(array) => Arc::new(array.clone()),
                Column::Int(array) => Arc::new(array.clone()),
                Column::Float(array) => Arc::new(array.clone()),
                Column::Text(array) => Arc::new(array.clone()),
                Column::Date(array) => Arc::new(array.clone()),
                Column::Moment(array) => Arc::new(array.clone()),
                Column::Mixed(_) => return None,
            };
            Some((table.names()[position].clone(), array))
        })
        .collect();
    let known: Vec<_> = columns
        .iter()
        .filter_map(|(name, array)| {
            Some(trainyard_expression::Column { name: name.clone(), kind: Type::of_arrow(array.data_type())? })
        })
        .collect();
    let settings = Settings { columns: &known, forbidden: &[], fitted: false };
    let compiled = compile(text, &settings).map_err(|problems| {
        let place = trainyard_diagnostics::Source::new("row_condition", text);
        let told = problems.first().map(|problem| {
            let point = |range| Some(trainyard_diagnostics::Place::new(Arc::clone(&place), range));
            problem.diagnostic(point, "row_condition").title
        });
        told.unwrap_or_default()
    })?;
    if compiled.kind() != Type::Boolean {
        return Err(format!("the SQL of row_condition gives {}, not true or false", compiled.kind().name()));
    }
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(table.rows()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
    let batch = batch.map_err(|error| error.to_string())?;
    let found = compiled.bind(&[]).evaluate(&batch).map_err(|error| error.to_string())?;
    let found = found.as_boolean_opt().ok_or("the SQL of row_condition gives no truth values")?;
    Ok((0..table.rows()).map(|row| found.is_valid(row) && found.value(row)).collect())
}
