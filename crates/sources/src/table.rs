//! The table that the rows of a database become.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use trainyard_data::cells::{Cell, Cells};
use trainyard_data::{Error as DataError, ReadOptions};
use trainyard_spec::ColumnType;

use crate::Error;

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
                return Err(Error::Data(DataError::EmptyName { file: file(), line: None, position: at + 1 }));
            }
            if growing.iter().any(|(known, _)| *known == name) {
                return Err(Error::Data(DataError::DuplicateColumn { file: file(), line: None, name }));
            }
            let cells = match kind {
                Some(kind) => Cells::typed(&name, kind, options),
                None => Cells::new(&name, options),
            };
            growing.push((name, cells));
        }
        if let Some(name) = options.types.keys().find(|name| growing.iter().all(|(known, _)| known != *name)) {
            let columns = growing.into_iter().map(|(name, _)| name).collect();
            return Err(Error::Data(DataError::UnknownTyped { name: name.clone(), columns }));
        }
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

    /// Refuses the next cell, whose value no table holds.
    pub(crate) fn refuse(&self, column: usize, kind: &'static str, value: &str) -> Error {
        Error::Data(DataError::Value {
            file: self.source.clone(),
            row: self.rows + 1,
            column: self.columns.get(column).map(|(name, _)| name.clone()).unwrap_or_default(),
            kind,
            value: value.to_owned(),
            declared: false,
        })
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
            return Err(Error::Data(DataError::NoRows { file: source }));
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
