//! Tables as expectations see them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use arrow_select::take::take;

use super::value::{Cell, Value};

/// Holds one column.
#[derive(Debug, Clone)]
pub enum Column {
    /// Truth values.
    Bool(BooleanArray),
    /// Integers.
    Int(Int64Array),
    /// Doubles; NaN counts as missing.
    Float(Float64Array),
    /// Texts.
    Text(LargeStringArray),
    /// Days.
    Date(Date32Array),
    /// Moments.
    Moment(TimestampMicrosecondArray),
    /// Scalars of several types, as a list of JSON objects may hold them.
    Mixed(Vec<Value>),
}

/// Holds named columns of one length.
#[derive(Debug, Clone)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
    /// The names of all columns, where those above are some of them.
    all: Option<Vec<String>>,
}

impl Table {
    /// Makes a table of columns of one length; `None` where a column has another number of rows.
    pub fn new(columns: Vec<(String, Column)>, rows: usize) -> Option<Table> {
        let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        columns.iter().all(|column| column.len() == rows).then_some(Table { names, columns, rows, all: None })
    }

    /// Takes a table as `data` reads it, without copying its cells; columns of other than the canonical types
    /// are left out.
    pub fn of(batch: &RecordBatch) -> Table {
        let schema = batch.schema();
        let named = schema.fields().iter().zip(batch.columns());
        let columns = named.filter_map(|(field, array)| Some((field.name().clone(), Column::of(array.as_ref())?)));
        let (names, columns) = columns.unzip();
        Table { names, columns, rows: batch.num_rows(), all: None }
    }

    /// Makes a table that has columns, but of which nobody asks for a cell.
    pub(crate) fn without_cells(names: Vec<String>, rows: usize) -> Table {
        Table { names: Vec::new(), columns: Vec::new(), rows, all: Some(names) }
    }

    /// Says that the table has more columns, which nobody asks for the cells of: `names` are those of all, in their order.
    pub fn among(self, names: Vec<String>) -> Table {
        Table { all: Some(names), ..self }
    }

    /// Gives the names of all columns, also of those whose cells are not here.
    pub(crate) fn all_names(&self) -> &[String] {
        self.all.as_deref().unwrap_or(&self.names)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub(crate) fn column(&self, position: usize) -> &Column {
        &self.columns[position]
    }
}

macro_rules! each_array {
    ($column:expr, $array:ident => $body:expr, $values:ident => $mixed:expr) => {
        match $column {
            Column::Bool($array) => $body,
            Column::Int($array) => $body,
            Column::Float($array) => $body,
            Column::Text($array) => $body,
            Column::Date($array) => $body,
            Column::Moment($array) => $body,
            Column::Mixed($values) => $mixed,
        }
    };
}

impl Column {
    pub(crate) fn of(array: &dyn Array) -> Option<Column> {
        Some(match array.data_type() {
            DataType::Boolean => Column::Bool(array.as_boolean().clone()),
            DataType::Int64 => Column::Int(array.as_primitive::<Int64Type>().clone()),
            DataType::Float64 => Column::Float(array.as_primitive::<Float64Type>().clone()),
            DataType::LargeUtf8 => Column::Text(array.as_string::<i64>().clone()),
            DataType::Date32 => Column::Date(array.as_primitive::<Date32Type>().clone()),
            DataType::Timestamp(..) => Column::Moment(array.as_primitive_opt::<TimestampMicrosecondType>()?.clone()),
            _ => return None,
        })
    }

    pub(crate) fn len(&self) -> usize {
        each_array!(self, array => array.len(), values => values.len())
    }

    /// Gives the cell in a row.
    pub(crate) fn cell(&self, row: usize) -> Cell<'_> {
        let is_null = each_array!(self, array => array.is_null(row), _values => false);
        if is_null {
            return Cell::Missing;
        }
        match self {
            Column::Bool(array) => Cell::Bool(array.value(row)),
            Column::Int(array) => Cell::Int(array.value(row)),
            Column::Float(array) => Cell::float(array.value(row)),
            Column::Text(array) => Cell::Text(array.value(row)),
            Column::Date(array) => Cell::Date(array.value(row)),
            Column::Moment(array) => Cell::Moment(array.value(row)),
            Column::Mixed(values) => Cell::of(&values[row]).unwrap_or(Cell::Missing),
        }
    }

    pub(crate) fn is_missing(&self, row: usize) -> bool {
        match self {
            Column::Float(array) => array.is_null(row) || array.value(row).is_nan(),
            Column::Mixed(_) => self.cell(row).is_missing(),
            other => each_array!(other, array => array.is_null(row), _values => false),
        }
    }

    /// Gives the cells of some rows.
    pub(crate) fn take(&self, rows: &[u32]) -> Column {
        if let Column::Mixed(values) = self {
            return Column::Mixed(rows.iter().map(|row| values[*row as usize].clone()).collect());
        }
        let indices = arrow_array::UInt32Array::from(rows.to_vec());
        let taken = each_array!(self, array => take(array, &indices, None), _values => return self.clone());
        // Rows of the column itself are always there to be taken, and keep its type.
        taken.ok().and_then(|array| Column::of(array.as_ref())).unwrap_or_else(|| Column::Mixed(Vec::new()))
    }

    /// Gives the name of the type in the words of NumPy and pandas.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Column::Bool(_) if !self.has_missing() => "bool",
            Column::Int(_) => "int64",
            Column::Float(_) => "float64",
            Column::Moment(_) => "datetime64",
            Column::Bool(_) | Column::Text(_) | Column::Date(_) | Column::Mixed(_) => "object_",
        }
    }

    fn has_missing(&self) -> bool {
        (0..self.len()).any(|row| self.is_missing(row))
    }
}
