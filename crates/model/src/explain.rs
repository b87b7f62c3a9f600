//! Why a model predicts what it predicts: contributions of features to single rows, and importance over many.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{Field, Schema};
use serde::{Deserialize, Serialize};
use trainyard_learn::{Contributions, LinearExplainer, Matrix, TreeExplainer, permutation_importance};
use trainyard_random::Key;
use trainyard_spec::metric_higher_is_better;

use crate::estimator::Filled;
use crate::{Error, Estimator, Model};

/// What is explained, and how.
#[derive(Debug, Clone, Copy)]
pub struct ExplainRequest<'a> {
    /// The rows.
    pub table: &'a RecordBatch,
    /// The target of each.
    pub targets: &'a [f64],
    /// How much each counts for the metric; without, each counts once.
    pub weights: Option<&'a [f64]>,
    /// The column that names rows, where there is one.
    pub key: Option<&'a str>,
    /// The most rows that are explained one by one; of more, a sample is drawn.
    pub rows: usize,
    /// How often each feature is shuffled; 0 leaves that importance out.
    pub permutations: usize,
    /// The metric that falls when a feature is shuffled.
    pub metric: &'a str,
    /// The seed of the sample and of the shuffling.
    pub seed: u64,
}

/// Contributions of single rows, and importance.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The rows that are explained one by one, by their place in the table.
    pub rows: Vec<usize>,
    /// The features' names.
    pub features: Vec<String>,
    /// The features' values in those rows, feature after feature.
    pub values: Vec<Vec<f64>>,
    /// What each margin is of: of several classes the class, else the target.
    pub outputs: Vec<String>,
    /// For each margin what every feature adds to it.
    pub contributions: Vec<Contributions>,
    /// How much features and columns matter.
    pub importance: Importance,
}

/// How much features and columns matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The rows that contributions are averaged over.
    pub rows: usize,
    /// The metric whose fall is measured; absent where nothing was shuffled.
    pub metric: Option<String>,
    /// The features, in their order.
    pub features: Vec<FeatureImportance>,
    /// The mean size of what all features of a column add together, by column; summed over margins.
    pub columns: BTreeMap<String, f64>,
}

/// How much one feature matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureImportance {
    /// Its name.
    pub feature: String,
    /// The estimator's own: the gain of its splits, or the size of its coefficients.
    pub of_estimator: f64,
    /// The mean size of its contributions, summed over margins.
    pub mean_absolute_contribution: f64,
    /// How much the metric falls when it is shuffled, mean and deviation; the unit is that of the metric, and more is
    /// worse.
    pub permutation: Option<[f64; 2]>,
}

/// Explains the predictions of a model.
///
/// Contributions are exact Shapley values in the units of the margins, such as log-odds, of the model before its
/// calibration: a row's add up, with the expected margin, to its margin. Trees are explained by the paths that their
/// training rows took, linear models around the means of theirs.
///
/// # Errors
/// As [`Model::predict`]; an infinite feature of a linear model.
pub fn explain(model: &Model, request: &ExplainRequest<'_>) -> Result<Explanation, Error> {
    let failed = |error| Error::Learn { candidate: model.name.clone(), part: "explanation".into(), error };
    let made = model.features.transform(request.table)?;
    let key = Key::new(request.seed, "model/explain");
    let rows = sample(made.rows, request.rows, key);
    let values: Vec<Vec<f64>> =
        made.columns.iter().map(|column| rows.iter().map(|row| column[*row]).collect()).collect();
    let features = model.features.names().to_vec();
    let contributions = contributions(&model.estimator, &Matrix::of(&values, rows.len())).map_err(failed)?;
    let whole = Matrix::of(&made.columns, made.rows);
    let higher = metric_higher_is_better(request.metric).unwrap_or(true);
    let score = |predictions: &[f64]| {
        let value = model.scored(request.targets, predictions, request.weights).metric(request.metric)?;
        Ok(if higher { value } else { -value })
    };
    // A metric that these rows do not have, as where they are all of one class, can't fall.
    let has_metric = score(&model.predict_features(&whole)).is_ok_and(|score: f64| score.is_finite());
    let permutation = match request.permutations {
        0 => None,
        _ if !has_metric => None,
        repeats => {
            let predict = |matrix: &Matrix<'_>| model.predict_features(matrix);
            Some(permutation_importance(predict, &whole, score, key.derive(1), repeats).map_err(failed)?)
        }
    };
    let mut mean_absolute = vec![0.0; features.len()];
    for of_margin in &contributions {
        mean_absolute.iter_mut().zip(of_margin.mean_absolute()).for_each(|(sum, value)| *sum += value);
    }
    let of_estimator = model.estimator.importance(features.len());
    let of_features = features.iter().enumerate().map(|(at, feature)| FeatureImportance {
        feature: feature.clone(),
        of_estimator: of_estimator[at],
        mean_absolute_contribution: mean_absolute[at],
        permutation: permutation.as_ref().map(|of| [of[at].mean, of[at].standard_deviation]),
    });
    let importance = Importance {
        rows: rows.len(),
        metric: permutation.as_ref().map(|_| request.metric.to_owned()),
        features: of_features.collect(),
        columns: by_column(model, &contributions),
    };
    let outputs = match &model.target.classes {
        Some(classes) if contributions.len() > 1 => classes.clone(),
        _ => vec![model.target.positive().unwrap_or(&model.target.column).to_owned()],
    };
    Ok(Explanation { rows, features, values, outputs, contributions, importance })
}

impl Explanation {
    /// Gives a table with a row for each row and margin: the key, or the row's place; of several classes the class; the
    /// expected margin, what each feature adds, and the margin that they add up to. A key that is named like one of these
    /// columns becomes `margin#2`.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn table(&self, model: &Model, request: &ExplainRequest<'_>) -> Result<RecordBatch, Error> {
        let outputs = self.contributions.len();
        let each: UInt64Array = self.rows.iter().flat_map(|row| std::iter::repeat_n(*row as u64, outputs)).collect();
        let named = request.key.and_then(|key| Some((key, request.table.column_by_name(key)?)));
        let (name, first): (&str, ArrayRef) = match named {
            Some((key, column)) => {
                let taken = arrow_select::take::take(column, &each, None);
                (key, taken.map_err(|error| Error::Table { what: error.to_string() })?)
            }
            None => ("row", Arc::new(each)),
        };
        let taken = |name: &str| {
            ["class", "expected", "margin"].contains(&name)
                || self.features.iter().any(|feature| name == format!("contribution({feature})"))
        };
        let others = (2..).map(|number| format!("{name}#{number}"));
        let name = std::iter::once(name.to_owned()).chain(others).find(|name| !taken(name)).unwrap_or_default();
        let mut columns: Vec<(String, ArrayRef)> = vec![(name, first)];
        if let (Some(classes), true) = (&model.target.classes, outputs > 1) {
            let class: StringArray =
                self.rows.iter().flat_map(|_| classes.iter().take(outputs)).map(|class| Some(class.as_str())).collect();
            columns.push(("class".to_owned(), Arc::new(class)));
        }
        let cells = |of: &dyn Fn(&[f64]) -> f64| -> ArrayRef {
            let rows = 0..self.rows.len();
            let all = rows.flat_map(|row| self.contributions.iter().map(move |margin| margin.row(row)));
            Arc::new(all.map(of).collect::<Float64Array>())
        };
        columns.push(("expected".to_owned(), cells(&|row| row.last().copied().unwrap_or_default())));
        for (at, feature) in self.features.iter().enumerate() {
            columns.push((format!("contribution({feature})"), cells(&|row| row[at])));
        }
        columns.push(("margin".to_owned(), cells(&|row| trainyard_exact::sum(row.iter().copied()))));
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|error| Error::Table { what: error.to_string() })
    }
}

/// Explains the margins of every row.
fn contributions(estimator: &Estimator, matrix: &Matrix<'_>) -> Result<Vec<Contributions>, trainyard_learn::Error> {
    match estimator {
        Estimator::Boosting { ensembles, .. } | Estimator::Forest { ensembles, .. } => {
            ensembles.iter().map(|ensemble| TreeExplainer::new(ensemble)?.contributions(matrix)).collect()
        }
        Estimator::Linear { models, fill, .. } => {
            let filled = Filled::new(matrix, fill);
            let matrix = filled.matrix(matrix);
            models.iter().map(|model| LinearExplainer::new(model, fill)?.contributions(&matrix)).collect()
        }
        Estimator::Constant { values } => {
            let nothing = |value: &f64| Contributions::constant(matrix.columns().len(), matrix.rows(), *value);
            Ok(values.iter().map(nothing).collect())
        }
    }
}

/// Gives the mean size of what the features of each raw or derived column add together.
fn by_column(model: &Model, contributions: &[Contributions]) -> BTreeMap<String, f64> {
    let mut columns: BTreeMap<String, f64> = BTreeMap::new();
    let mut first = 0;
    for column in model.features.columns() {
        let places = first..first + column.features.len();
        first = places.end;
        let size = |margin: &Contributions| {
            let of_row = |row: usize| trainyard_exact::sum(margin.row(row)[places.clone()].iter().copied()).abs();
            trainyard_exact::mean(&(0..margin.rows()).map(of_row).collect::<Vec<f64>>()).unwrap_or(0.0)
        };
        *columns.entry(column.column.to_owned()).or_default() += contributions.iter().map(size).sum::<f64>();
    }
    columns
}

/// Draws at most `most` of `rows` rows, in their order.
fn sample(rows: usize, most: usize, key: Key) -> Vec<usize> {
    let mut drawn: Vec<usize> = (0..rows).collect();
    if rows > most {
        drawn.sort_by_key(|row| (key.at(*row as u64), *row));
        drawn.truncate(most);
        drawn.sort_unstable();
    }
    drawn
}
