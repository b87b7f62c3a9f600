//! What predicts from features, and its fit.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainyard_learn::metrics::Task;
use trainyard_learn::{LinearModel, Matrix, Node, Tree, TreeEnsemble, exp, sigmoid, softmax};

/// Maps the margins of a row to what is predicted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// A log-odds to the probability of the positive class.
    Logit,
    /// One margin a class to one probability a class.
    Softmax,
    /// The logarithm of a value to the value.
    Exp,
    /// A value to itself.
    Identity,
    /// A share of rows to itself, kept from the last bit above 1 that a sum of hundredths may end in.
    Share,
}

impl Link {
    /// Gives the link of margins that are log-odds where there are classes, else values.
    pub(crate) fn of_margins(task: Task) -> Link {
        match task {
            Task::Binary => Link::Logit,
            Task::Multiclass { .. } => Link::Softmax,
            Task::Regression => Link::Identity,
        }
    }

    /// Says whether margins are log-odds.
    pub(crate) fn is_odds(self) -> bool {
        matches!(self, Link::Logit | Link::Softmax)
    }

    /// Gives the predictions of rows whose margins lie in one list a margin: row after row.
    pub(crate) fn of_rows(self, margins: &[Vec<f64>]) -> Vec<f64> {
        let rows = margins.first().map_or(0, Vec::len);
        let mut predictions = Vec::with_capacity(rows * margins.len());
        for row in 0..rows {
            let start = predictions.len();
            predictions.extend(margins.iter().map(|margins| margins[row]));
            self.apply(&mut predictions[start..]);
        }
        predictions
    }

    /// Gives the predictions of rows whose margins lie row after row, `outputs` each.
    pub(crate) fn of_table(self, mut margins: Vec<f64>, outputs: usize) -> Vec<f64> {
        if self != Link::Identity {
            let rows = margins.par_chunks_mut(outputs.max(1));
            rows.with_min_len(4096).for_each(|row| self.apply(row));
        }
        margins
    }

    /// Replaces the margins of a row.
    fn apply(self, margins: &mut [f64]) {
        match self {
            Link::Logit => margins.iter_mut().for_each(|margin| *margin = sigmoid(*margin)),
            Link::Softmax => _ = softmax(margins),
            Link::Exp => margins.iter_mut().for_each(|margin| *margin = exp(*margin)),
            Link::Share => margins.iter_mut().for_each(|share| *share = share.min(1.0)),
            Link::Identity => {}
        }
    }
}

/// Predicts from features: the probability of the positive class or of each of several, or a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Estimator {
    /// Boosted trees.
    Boosting {
        /// The trees of each margin.
        ensembles: Vec<TreeEnsemble>,
        /// From margins to predictions.
        link: Link,
    },
    /// Averaged trees, whose leaves hold their part of the average.
    Forest {
        /// The trees of each prediction.
        ensembles: Vec<TreeEnsemble>,
        /// From averages to predictions.
        link: Link,
    },
    /// A linear model.
    Linear {
        /// Intercept and coefficients of each margin.
        models: Vec<LinearModel>,
        /// What replaces a missing feature: its mean over the training rows.
        fill: Vec<f64>,
        /// From margins to predictions.
        link: Link,
    },
    /// The same prediction for every row.
    Constant {
        /// The prediction: one value, or one a class.
        values: Vec<f64>,
    },
}

impl Estimator {
    /// Predicts every row: [`Estimator::outputs`] values, row after row.
    ///
    /// # Panics
    /// Panics when `matrix` has fewer columns than the fit had.
    pub fn predict(&self, matrix: &Matrix<'_>) -> Vec<f64> {
        self.linked(self.margins(matrix))
    }

    /// Predicts one row, with the bits of [`Estimator::predict`].
    pub fn predict_row(&self, row: &[f64]) -> Vec<f64> {
        let mut margins = self.margins_row(row);
        self.link().apply(&mut margins);
        margins
    }

    /// Gives what a calibration maps, in the places of the predictions: the margins of every row where they mean log-odds,
    /// else the predictions (scikit-learn's `decision_function`, else `predict_proba`).
    ///
    /// # Panics
    /// As [`Estimator::predict`].
    pub fn scores(&self, matrix: &Matrix<'_>) -> Vec<f64> {
        let margins = self.margins(matrix);
        if self.link().is_odds() { margins } else { self.linked(margins) }
    }

    /// Scores one row, with the bits of [`Estimator::scores`].
    pub fn scores_row(&self, row: &[f64]) -> Vec<f64> {
        if self.link().is_odds() { self.margins_row(row) } else { self.predict_row(row) }
    }

    /// Gives the predictions that scores stand for.
    pub(crate) fn predictions_of(&self, scores: Vec<f64>) -> Vec<f64> {
        if self.link().is_odds() { self.linked(scores) } else { scores }
    }

    pub(crate) fn link(&self) -> Link {
        match self {
            Estimator::Boosting { link, .. } | Estimator::Forest { link, .. } | Estimator::Linear { link, .. } => *link,
            Estimator::Constant { .. } => Link::Identity,
        }
    }

    /// Links the margins of rows.
    fn linked(&self, margins: Vec<f64>) -> Vec<f64> {
        self.link().of_table(margins, self.outputs())
    }

    /// Gives the margins of every row, row after row.
    fn margins(&self, matrix: &Matrix<'_>) -> Vec<f64> {
        match self {
            Estimator::Boosting { ensembles, .. } | Estimator::Forest { ensembles, .. } => {
                side_by_side(ensembles.iter().map(|ensemble| ensemble.predict_margin(matrix)).collect())
            }
            Estimator::Linear { models, fill, .. } => {
                let filled = Filled::new(matrix, fill);
                let matrix = filled.matrix(matrix);
                side_by_side(models.iter().map(|model| model.predict(&matrix)).collect())
            }
            Estimator::Constant { values } => values.repeat(matrix.rows()),
        }
    }

    fn margins_row(&self, row: &[f64]) -> Vec<f64> {
        match self {
            Estimator::Boosting { ensembles, .. } | Estimator::Forest { ensembles, .. } => {
                ensembles.iter().map(|ensemble| ensemble.predict_margin_row(row)).collect()
            }
            Estimator::Linear { models, fill, .. } => {
                let filled: Option<Vec<f64>> = row
                    .iter()
                    .any(|value| value.is_nan())
                    .then(|| row.iter().zip(fill).map(|(value, fill)| or(*value, *fill)).collect());
                let row = filled.as_deref().unwrap_or(row);
                models.iter().map(|model| model.predict_row(row)).collect()
            }
            Estimator::Constant { values } => values.clone(),
        }
    }

    /// Gives the number of values that predict a row: 1, or the number of several classes.
    pub fn outputs(&self) -> usize {
        match self {
            Estimator::Boosting { ensembles, .. } | Estimator::Forest { ensembles, .. } => ensembles.len(),
            Estimator::Linear { models, .. } => models.len(),
            Estimator::Constant { values } => values.len(),
        }
    }

    /// Gives the importance of each feature: the gain of its splits, or the size of its coefficients, summed over margins.
    pub fn importance(&self, features: usize) -> Vec<f64> {
        let mut sums = vec![0.0; features];
        let mut add = |of_margin: Vec<f64>| sums.iter_mut().zip(of_margin).for_each(|(sum, value)| *sum += value);
        match self {
            // Every class of a forest has the same splits.
            Estimator::Forest { ensembles, .. } => {
                ensembles.first().into_iter().for_each(|ensemble| add(ensemble.importance_gain()));
            }
            Estimator::Boosting { ensembles, .. } => {
                ensembles.iter().for_each(|ensemble| add(ensemble.importance_gain()));
            }
            Estimator::Linear { models, .. } => {
                models.iter().for_each(|model| add(model.coefficients.iter().map(|value| value.abs()).collect()));
            }
            Estimator::Constant { .. } => {}
        }
        sums
    }

    /// Says whether the estimator fits features of so many `categories` (`None` of numbers), gives `outputs` values a
    /// row and holds finite numbers.
    pub(crate) fn is_sound(&self, categories: &[Option<usize>], outputs: usize) -> bool {
        let features = categories.len();
        // A set holds codes that its feature has.
        let has_codes = |tree: &Tree, node: &Node| {
            let codes = categories.get(node.feature as usize).copied().flatten().unwrap_or(0);
            tree.set(node).is_none_or(|set| set.codes().all(|code| usize::from(code) < codes))
        };
        let holds = match self {
            Estimator::Boosting { ensembles, .. } | Estimator::Forest { ensembles, .. } => {
                ensembles.iter().all(|ensemble| {
                    let is_sound =
                        |tree: &Tree| tree.nodes().iter().all(|node| node.value.is_finite() && has_codes(tree, node));
                    ensemble.features() == features
                        && ensemble.base().is_finite()
                        && ensemble.trees().iter().all(is_sound)
                })
            }
            Estimator::Linear { models, fill, .. } => {
                let is_sound = |model: &LinearModel| model.coefficients.len() == features && model.is_finite();
                fill.len() == features && fill.iter().all(|number| number.is_finite()) && models.iter().all(is_sound)
            }
            Estimator::Constant { values } => values.iter().all(|value| value.is_finite()),
        };
        holds && self.outputs() == outputs
    }

    /// Gives the number of trees of a margin, where there are any.
    pub fn trees(&self) -> Option<usize> {
        match self {
            Estimator::Boosting { ensembles, .. } | Estimator::Forest { ensembles, .. } => {
                ensembles.first().map(|ensemble| ensemble.trees().len())
            }
            Estimator::Linear { .. } | Estimator::Constant { .. } => None,
        }
    }
}

/// Columns with their missing cells filled; those without any are borrowed.
pub(crate) struct Filled {
    columns: Vec<Option<Vec<f64>>>,
}

impl Filled {
    pub(crate) fn new(matrix: &Matrix<'_>, fill: &[f64]) -> Filled {
        let columns: Vec<(&[f64], f64)> = matrix.columns().iter().copied().zip(fill.iter().copied()).collect();
        let filled = |(column, fill): &(&[f64], f64)| {
            let has_missing = column.iter().any(|value| value.is_nan());
            has_missing.then(|| column.iter().map(|value| or(*value, *fill)).collect())
        };
        Filled { columns: columns.par_iter().map(filled).collect() }
    }

    pub(crate) fn matrix<'a>(&'a self, matrix: &Matrix<'a>) -> Matrix<'a> {
        let columns = self.columns.iter().zip(matrix.columns());
        let columns = columns.map(|(filled, column)| filled.as_deref().unwrap_or(column));
        Matrix::new(columns.collect(), matrix.rows())
    }
}

/// Gives the mean of each column's values that are there, 0 for a column without any.
pub(crate) fn means(matrix: &Matrix<'_>) -> Vec<f64> {
    let mean = |column: &&[f64]| {
        let present = || column.iter().copied().filter(|value| !value.is_nan());
        let count = present().count();
        if count == 0 { 0.0 } else { present().map(|value| value / count as f64).sum() }
    };
    matrix.columns().par_iter().map(mean).collect()
}

/// Puts the margins of each row side by side.
fn side_by_side(mut margins: Vec<Vec<f64>>) -> Vec<f64> {
    if margins.len() == 1 {
        return margins.swap_remove(0);
    }
    let count = margins.first().map_or(0, Vec::len);
    (0..count).flat_map(|row| margins.iter().map(move |margins| margins[row])).collect()
}

fn or(value: f64, fill: f64) -> f64 {
    if value.is_nan() { fill } else { value }
}
