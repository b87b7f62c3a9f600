//! Permutation importance.

use rayon::prelude::*;
use trainyard_exact::Spread;
use trainyard_random::Key;

use crate::error::check_length;
use crate::{Error, Matrix};

/// Holds how much a score falls when one column is shuffled, in the units of the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PermutationImportance {
    /// The mean fall over the repeats; negative where shuffling helped.
    pub mean: f64,
    /// The standard deviation over the repeats, by their number.
    pub standard_deviation: f64,
}

/// Measures, for each column, how much the score falls when the column's cells are shuffled among the rows.
///
/// Breiman: "Random forests", 2001, section 10, on any model and metric (Fisher, Rudin and Dominici: "All models are
/// wrong, but many are useful", 2019). `model` maps a matrix to predictions, as many for each row; `metric` maps these
/// to a score of which more is better. Repeat `r` of column `c` is shuffled by `key.derive(c).derive(r)`, so that neither the
/// number of threads nor other columns change its draw. A column that the model does not look at has exactly 0.
///
/// # Errors
/// No rows, no repeats, a model that gives another number of predictions than there are rows, an error of `metric`, and
/// [`Error::Diverged`] when a score is not finite.
pub fn permutation_importance(
    model: impl Fn(&Matrix<'_>) -> Vec<f64> + Sync,
    matrix: &Matrix<'_>,
    metric: impl Fn(&[f64]) -> Result<f64, Error> + Sync,
    key: Key,
    repeats: usize,
) -> Result<Vec<PermutationImportance>, Error> {
    let operation = "permutation importance";
    let rows = matrix.rows();
    if rows == 0 {
        return Err(Error::Empty { operation });
    }
    if repeats == 0 {
        return Err(Error::Parameter { name: "repeats", value: 0.0, allowed: "from 1 on" });
    }
    let score = |matrix: &Matrix<'_>| {
        let predictions = model(matrix);
        check_length(operation, "predictions", rows * (predictions.len() / rows).max(1), predictions.len())?;
        let score = metric(&predictions)?;
        if score.is_finite() { Ok(score) } else { Err(Error::Diverged { operation }) }
    };
    let whole = score(matrix)?;
    let fall = |draw: usize| {
        let (column, repeat) = (draw / repeats, draw % repeats);
        let mut shuffled = matrix.columns()[column].to_vec();
        key.derive(column as u64).derive(repeat as u64).stream().shuffle(&mut shuffled);
        let mut columns = matrix.columns().to_vec();
        columns[column] = &shuffled;
        Ok(whole - score(&Matrix::new(columns, rows))?)
    };
    let draws = matrix.columns().len() * repeats;
    let outcomes: Vec<Result<f64, Error>> = (0..draws).into_par_iter().map(fall).collect();
    // The first error in the order of columns, whichever thread met one first.
    let falls = outcomes.into_iter().collect::<Result<Vec<f64>, Error>>()?;
    let summary = |falls: &[f64]| {
        let spread = Spread::of(falls).ok_or(Error::Empty { operation })?;
        let standard_deviation = spread.population_variance().sqrt();
        Ok(PermutationImportance { mean: spread.mean, standard_deviation })
    };
    falls.chunks_exact(repeats).map(summary).collect()
}
