//! Columns of doubles.

use crate::Error;
use crate::error::LARGEST;

/// Borrows the columns of a table of doubles; NaN means missing.
#[derive(Debug, Clone)]
pub struct Matrix<'a> {
    columns: Vec<&'a [f64]>,
    rows: usize,
}

impl<'a> Matrix<'a> {
    /// Makes a matrix of `columns`, each `rows` long.
    ///
    /// # Panics
    /// Panics when a column has another length: that is the caller's mistake, never a user's.
    pub fn new(columns: Vec<&'a [f64]>, rows: usize) -> Matrix<'a> {
        assert!(columns.iter().all(|column| column.len() == rows), "every column of a matrix has {rows} rows");
        Matrix { columns, rows }
    }

    /// Makes a matrix of owned columns, such as those of a feature table.
    ///
    /// # Panics
    /// Panics as [`Matrix::new`] does.
    pub fn of(columns: &'a [Vec<f64>], rows: usize) -> Matrix<'a> {
        Matrix::new(columns.iter().map(Vec::as_slice).collect(), rows)
    }

    /// Gives the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Gives the columns.
    pub fn columns(&self) -> &[&'a [f64]] {
        &self.columns
    }

    /// Refuses the first cell that is NaN, infinite or beyond 1e150, whose square is no longer a double.
    pub(crate) fn check_finite(&self, operation: &'static str) -> Result<(), Error> {
        let mut columns = self.columns.iter().enumerate();
        columns.try_for_each(|(column, values)| check_finite(operation, column, values))
    }
}

/// Cells that are looked at together.
const RUN: usize = 512;

/// Refuses the first cell of a column as [`Matrix::check_finite`] does.
pub(crate) fn check_finite(operation: &'static str, column: usize, values: &[f64]) -> Result<(), Error> {
    let is_wrong = |value: &f64| value.is_nan() || value.abs() > LARGEST;
    for (run, cells) in values.chunks(RUN).enumerate() {
        // Without a way out in between, several cells are compared at once.
        if cells.iter().fold(false, |wrong, value| wrong | is_wrong(value))
            && let Some(place) = cells.iter().position(is_wrong)
        {
            return Err(Error::NotFinite { operation, column, row: run * RUN + place, value: cells[place] });
        }
    }
    Ok(())
}
