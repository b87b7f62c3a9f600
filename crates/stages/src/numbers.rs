//! Numbers in a file, column after column, the target last.

use std::path::Path;

use trainyard_learn::Matrix;

/// Columns of features and a target in {0, 1}.
pub(crate) struct Numbers {
    columns: Vec<Vec<f64>>,
    targets: Vec<f64>,
}

impl Numbers {
    /// Reads little-endian floats of 32 bits; the file's name ends in `-COLUMNS.f32`, the target counted in.
    pub(crate) fn read(path: &Path) -> Result<Numbers, String> {
        let problem = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let columns: Option<usize> = name.rsplit('-').next().and_then(|columns| columns.parse().ok());
        let columns = columns.filter(|columns| *columns >= 2).ok_or_else(|| problem(&"its name has no columns"))?;
        let bytes = std::fs::read(path).map_err(|error| problem(&error))?;
        let width = bytes.len() / columns;
        let column = |bytes: &[u8]| -> Vec<f64> {
            let (floats, _) = bytes.as_chunks::<4>();
            floats.iter().map(|float| f64::from(f32::from_le_bytes(*float))).collect()
        };
        let mut columns: Vec<Vec<f64>> = bytes.chunks_exact(width.max(1)).map(column).collect();
        let targets = columns.pop().ok_or_else(|| problem(&"it is empty"))?;
        Ok(Numbers { columns, targets })
    }

    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix::of(&self.columns, self.targets.len())
    }

    /// Gives the number of columns of features.
    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// Keeps the first rows; gives the others.
    pub(crate) fn split_off(&mut self, share: f64) -> Numbers {
        let first = (self.targets.len() as f64 * share).round() as usize;
        let split_off = |column: &mut Vec<f64>| {
            let others = column.split_off(first);
            column.shrink_to_fit();
            others
        };
        Numbers { columns: self.columns.iter_mut().map(split_off).collect(), targets: split_off(&mut self.targets) }
    }

    /// Gives the rows that are not of a fold, and those that are: each fold has every so many-th row.
    pub(crate) fn without_fold(&self, fold: usize, folds: usize) -> (Numbers, Numbers) {
        (self.rows(|row| row % folds != fold), self.rows(|row| row % folds == fold))
    }

    fn rows(&self, is_wanted: impl Fn(usize) -> bool) -> Numbers {
        let wanted = |column: &Vec<f64>| -> Vec<f64> {
            column.iter().enumerate().filter(|(row, _)| is_wanted(*row)).map(|(_, value)| *value).collect()
        };
        Numbers { columns: self.columns.iter().map(wanted).collect(), targets: wanted(&self.targets) }
    }
}
