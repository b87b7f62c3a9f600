//! The table that the rows of a database become.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use trainyard_data::cells::{Cell, Cells};
use trainyard_data::{Declared, Error as DataError, ReadOptions};
use trainyard_spec::ColumnType;

use crate::Error;

fn of_rows(error: DataError, help: impl Into<String>) -> Error {
    Error::Rows { error, help: help.into() }
}

/// A table that grows row by row.
pub(crate) struct Growing {
    source: String,
    columns: Vec<(String, Cells)>,
    rows: usize,
}

impl Growing {
    /// Starts a table of columns with these names, of a type where the source tells it.
    ///
    /// # Errors
    /// A column without a name, two of one name, or a declared type of no column.
    pub(crate) fn new(
        source: &str,
        columns: Vec<(String, Option<ColumnType>)>,
        options: &ReadOptions,
    ) -> Result<Growing, Error> {
        let file = || source.to_owned();
        let mut growing: Vec<(String, Cells)> = Vec::with_capacity(columns.len());
        for (at, (name, kind)) in columns.into_iter().enumerate() {
            if name.trim().is_empty() {
                let error = DataError::EmptyName { file: file(), line: None, position: at + 1 };
                return Err(of_rows(error, "name it in a `query`: `SELECT … AS name`"));
            }
            if growing.iter().any(|(known, _)| *known == name) {
                let help = format!("name one of them otherwise in the query: `… AS other_{name}`");
                let error = DataError::DuplicateColumn { file: file(), line: None, name };
                return Err(of_rows(error, help));
            }
            let cells = match kind {
                Some(kind) => Cells::typed(&name, kind, options),
                None => Cells::new(&name, options),
            };
            growing.push((name, cells));
        }
        let names: Vec<String> = growing.iter().map(|(name, _)| name.clone()).collect();
        options.check_typed(&names).map_err(Error::Data)?;
        Ok(Growing { source: file(), columns: growing, rows: 0 })
    }

    /// Says whether a column's values are floats without a declaration.
    pub(crate) fn is_float(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|(_, cells)| cells.is_float())
    }

    /// Takes the next cell of the row that is being read, column by column.
    pub(crate) fn append(&mut self, column: usize, cell: Cell<'_>) -> Result<(), Error> {
        let Some((name, cells)) = self.columns.get_mut(column) else { return Ok(()) };
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
            column: self.columns.get(column).map(|(name, _)| name.clone()).unwrap_or_default(),
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
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Gives the table.
    ///
    /// # Errors
    /// A table without rows.
    pub(crate) fn finish(self) -> Result<RecordBatch, Error> {
        let source = self.source;
        if self.rows == 0 || self.columns.is_empty() {
            let help = "put rows into the table, or mend a query that leaves out all of them";
            return Err(of_rows(DataError::NoRows { file: source }, help));
        }
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (name, cells) in self.columns {
            let array = cells.finish();
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|error| Error::Data(DataError::Unreadable { file: source, cause: error.to_string() }))
    }
}
