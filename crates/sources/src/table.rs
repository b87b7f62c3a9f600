//! The rows of a database, as they come, to batches of columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use trainyard_data::cells::{Cell, Cells};
use trainyard_data::{Declared, Error as DataError, ReadOptions};
use trainyard_spec::ColumnType;

use crate::{Error, Sink};

/// The most rows of a batch.
const ROWS: usize = 1 << 16;

/// The most bytes of values in a batch, but for those of its last row.
const BYTES: usize = 1 << 24;

fn of_rows(error: DataError, help: impl Into<String>) -> Error {
    Error::Rows { error, help: help.into() }
}

/// What is known of a column's type before its values come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known {
    /// Nothing: the values tell.
    Nothing,
    /// The source says it.
    Told(ColumnType),
    /// A first pass over all values found it.
    Found(ColumnType),
}

impl Known {
    fn cells(self, name: &str, options: &ReadOptions) -> Cells {
        match self {
            Known::Nothing => Cells::new(name, options),
            Known::Told(kind) => Cells::typed(name, kind, options),
            Known::Found(kind) => Cells::known(name, kind, options),
        }
    }
}

/// Where the rows go.
pub(crate) enum To<'a> {
    /// Nowhere: only the types of their values are kept.
    Types,
    /// Batch by batch to who takes them; each column's type is known.
    Batches(&'a mut dyn Sink),
    /// All at once, when the values have told their types.
    Whole(&'a mut dyn Sink),
}

struct Column {
    name: String,
    known: Known,
    cells: Cells,
}

/// A table that grows row by row, and gives away what has grown.
pub(crate) struct Growing<'a> {
    source: String,
    options: &'a ReadOptions,
    columns: Vec<Column>,
    to: To<'a>,
    /// All rows so far.
    rows: usize,
    /// Rows and bytes of values that were not given away yet.
    held: (usize, usize),
    /// The columns that the sink began with.
    begun: Option<SchemaRef>,
}

impl<'a> Growing<'a> {
    /// Starts a table of these columns.
    ///
    /// # Errors
    /// A column without a name, two of one name, or a declared type of no column; those of the sink.
    pub(crate) fn new(
        source: &str,
        columns: Vec<(String, Known)>,
        options: &'a ReadOptions,
        to: To<'a>,
    ) -> Result<Growing<'a>, Error> {
        let file = || source.to_owned();
        let mut growing: Vec<Column> = Vec::with_capacity(columns.len());
        for (at, (name, known)) in columns.into_iter().enumerate() {
            if name.trim().is_empty() {
                let error = DataError::EmptyName { file: file(), line: None, position: at + 1 };
                return Err(of_rows(error, "name it in a `query`: `SELECT … AS name`"));
            }
            if growing.iter().any(|column| column.name == name) {
                let help = format!("name one of them otherwise in the query: `… AS other_{name}`");
                let error = DataError::DuplicateColumn { file: file(), line: None, name };
                return Err(of_rows(error, help));
            }
            growing.push(Column { cells: known.cells(&name, options), name, known });
        }
        let names: Vec<String> = growing.iter().map(|column| column.name.clone()).collect();
        options.check_typed(&names).and_then(|()| options.check_names(&names)).map_err(Error::Data)?;
        let mut growing = Growing { source: file(), options, columns: growing, to, rows: 0, held: (0, 0), begun: None };
        // Their types are those of a batch without rows.
        let schema = matches!(growing.to, To::Batches(_)).then(|| growing.batch()).transpose()?;
        if let (To::Batches(sink), Some(empty)) = (&mut growing.to, schema) {
            sink.begin(&empty.schema())?;
            growing.begun = Some(empty.schema());
        }
        Ok(growing)
    }

    /// Says whether a column's values are floats without a declaration.
    pub(crate) fn is_float(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.cells.is_float())
    }

    /// Takes the next cell of the row that is being read, column by column.
    pub(crate) fn append(&mut self, column: usize, cell: Cell<'_>) -> Result<(), Error> {
        let Some(Column { name, cells, .. }) = self.columns.get_mut(column) else { return Ok(()) };
        if let Cell::Text(text) = cell {
            self.held.1 += text.len();
        }
        cells.append(cell).map_err(|misfit| {
            Error::Data(DataError::Value {
                file: self.source.clone(),
                row: self.rows + 1,
                column: name.clone(),
                kind: misfit.kind,
                value: cell.text().unwrap_or_default().into_owned(),
                declared: misfit.declared,
            })
        })
    }

    /// Refuses the next cell, whose value no table holds, whatever type is declared.
    pub(crate) fn refuse(&self, column: usize, kind: &'static str, value: &str, help: &str) -> Error {
        let error = DataError::Value {
            file: self.source.clone(),
            row: self.rows + 1,
            column: self.columns.get(column).map(|column| column.name.clone()).unwrap_or_default(),
            kind,
            value: value.to_owned(),
            declared: Declared::No,
        };
        of_rows(error, help)
    }

    /// Refuses the next cell, a text that is not UTF-8.
    pub(crate) fn refuse_text(&self, column: usize, bytes: &[u8]) -> Error {
        let help = "mend the text in the database, or leave the column out in a `query`";
        self.refuse(column, "text in UTF-8", &String::from_utf8_lossy(bytes), help)
    }

    /// Ends the row.
    ///
    /// # Errors
    /// Those of the sink.
    pub(crate) fn end_row(&mut self) -> Result<(), Error> {
        self.rows += 1;
        self.held.0 += 1;
        self.held.1 += self.columns.len() * size_of::<f64>();
        if self.held.0 >= ROWS || self.held.1 >= BYTES { self.give() } else { Ok(()) }
    }

    /// Gives away what has grown, unless all is wanted at once.
    fn give(&mut self) -> Result<(), Error> {
        match &self.to {
            To::Whole(_) => return Ok(()),
            To::Types => self.columns.iter_mut().for_each(|column| column.cells.forget()),
            To::Batches(_) => {
                let batch = self.batch()?;
                if self.begun.as_ref().is_some_and(|begun| *begun != batch.schema()) {
                    // Its types were found in a first pass, in the same snapshot.
                    let cause = "its rows are others each time it is asked".to_owned();
                    let error = DataError::Unreadable { file: self.source.clone(), cause };
                    return Err(of_rows(error, "take functions such as random() out of the query"));
                }
                if let To::Batches(sink) = &mut self.to {
                    sink.take(batch)?;
                }
            }
        }
        self.held = (0, 0);
        Ok(())
    }

    /// Gives the rows since the last batch, and goes on without them.
    fn batch(&mut self) -> Result<RecordBatch, Error> {
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let next = column.known.cells(&column.name, self.options);
            let array = std::mem::replace(&mut column.cells, next).finish();
            fields.push(Field::new(&column.name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        RecordBatch::try_new(schema, arrays)
            .map_err(|error| Error::Data(DataError::Unreadable { file: self.source.clone(), cause: error.to_string() }))
    }

    /// Gives away the rest; where only types were kept, says which the columns have.
    ///
    /// # Errors
    /// A table without rows; those of the sink.
    pub(crate) fn finish(mut self) -> Result<Vec<(String, Known)>, Error> {
        if self.rows == 0 || self.columns.is_empty() {
            let help = "put rows into the table, or mend a query that leaves out all of them";
            return Err(of_rows(DataError::NoRows { file: self.source }, help));
        }
        if self.held.0 > 0 {
            self.give()?;
        }
        let whole = matches!(self.to, To::Whole(_)).then(|| self.batch()).transpose()?;
        match (self.to, whole) {
            (To::Whole(sink), Some(whole)) => {
                sink.begin(&whole.schema())?;
                sink.take(whole)?;
                Ok(Vec::new())
            }
            (To::Types, _) => {
                let columns = self.columns.into_iter();
                Ok(columns.map(|column| (column.name, Known::Found(column.cells.kind().0))).collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}
