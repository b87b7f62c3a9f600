//! Random forests and extremely randomised trees over bins.
//!
//! Breiman: "Random forests", 2001; Geurts, Ernst and Wehenkel: "Extremely randomized trees", 2006. Each tree is grown
//! by one thread from a key of its number, splits are judged by sums of integers, and leaves are averaged in the order of
//! the rows: neither the number of threads nor their order can change a byte.

mod grow;
mod parameters;
mod rows;

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use trainyard_random::Key;

pub use self::parameters::{Criterion, ForestParameters, MaxFeatures, Splitter};

use self::grow::{Grower, Grown, Table};
use self::rows::{Drawn, Rows, in_order_of_class};
use crate::ensemble::TreeEnsemble;
use crate::{BinnedMatrix, Binning, Error, Matrix, metrics};

const OPERATION: &str = "a forest";

/// Rows that one thread predicts out of bag at a time.
const CHUNK: usize = 4096;

/// Holds a grown forest.
///
/// It predicts the average of its trees' leaves: shares of a class, or means. Leaves hold that value over the number of
/// trees, and every base is 0, so that the average is the sum which [`TreeEnsemble`] gives: storage, prediction and
/// explanation need no second form. From three classes on there is an ensemble a class, of the same splits.
///
/// A node's `rows` counts a row as often as it was drawn. Its `gain` is what the split takes from the mean impurity of
/// the tree's rows, over the number of trees: summed up, scikit-learn's importances before they are normalised. It
/// stands in the ensemble of every class.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestFit {
    /// What the splits made small.
    pub criterion: Criterion,
    /// The trees of class 1, or of each class from three classes on, or of the value.
    pub ensembles: Vec<TreeEnsemble>,
    /// What the trees say of rows that they did not see; absent unless it was asked for.
    pub out_of_bag: Option<OutOfBag>,
}

/// Holds the predictions of training rows by the trees that did not see them.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfBag {
    /// One list for each ensemble, in the order of the rows; NaN where every tree saw the row.
    pub predictions: Vec<Vec<f64>>,
    /// The accuracy of the likeliest class, or R², over the rows that have a prediction, each counted once; absent
    /// where there are none, or one alone has no R².
    pub score: Option<f64>,
}

impl ForestFit {
    /// Predicts every row: one list for each ensemble, in the order of [`ForestFit::ensembles`]. Probabilities
    /// of several classes sum to 1 but for rounding.
    ///
    /// # Panics
    /// Panics when the matrix has fewer columns than the fit.
    pub fn predict(&self, matrix: &Matrix<'_>) -> Vec<Vec<f64>> {
        let mut predictions: Vec<Vec<f64>> =
            self.ensembles.iter().map(|ensemble| ensemble.predict_margin(matrix)).collect();
        if self.criterion.classes().is_some() {
            // A sum of hundredths may end just above 1.
            predictions.iter_mut().flatten().for_each(|share| *share = share.min(1.0));
        }
        predictions
    }
}

/// Grows a forest on binned rows.
///
/// `binning` is the one that binned `train`. Weights multiply what a row counts for; a row of weight 0, or below 2^-512
/// of the largest, is as good as absent. Of the columns that a node draws the best split is taken, even one that gains
/// nothing: a node is a leaf when its targets are all the same, a limit says so or no column has a split. Missing
/// values go to the better side; where a node saw none, to the side with more rows. `progress(done, of)` is called after each
/// tree, from any thread; the fit ends when it gives false.
///
/// Trees are shared out among the threads of the current pool, a tree to one thread. Working space is about 50 bytes a
/// row and thread, besides a byte a cell where rows are put in the order of their classes.
///
/// # Errors
/// No rows, lengths or columns that differ, a binning with columns of categories, which a forest would take for
/// numbers, targets that are not finite (or no class), a class without rows (also where there is one class alone),
/// weights that are negative or all zero, parameters outside their range, [`Error::Stopped`].
pub fn grow_forest(
    train: &BinnedMatrix,
    binning: &Binning,
    targets: &[f64],
    weights: Option<&[f64]>,
    parameters: &ForestParameters,
    progress: &(dyn Fn(usize, usize) -> bool + Sync),
) -> Result<ForestFit, Error> {
    parameters.check()?;
    if train.columns() != binning.columns() {
        return Err(Error::Columns { operation: OPERATION, expected: binning.columns(), got: train.columns() });
    }
    let categorical = (0..binning.columns()).filter(|column| binning.is_categorical(*column)).count();
    if categorical > 0 {
        let allowed = "0 for a forest, which splits numbers alone";
        return Err(Error::Parameter { name: "columns of categories", value: categorical as f64, allowed });
    }
    crate::error::check_targets(OPERATION, targets, train.rows(), parameters.criterion.classes())?;
    crate::error::check_weights(OPERATION, weights, train.rows())?;
    // Where rows are no more than counted their order is free.
    let order = (parameters.counts_rows() && weights.is_none()).then(|| in_order_of_class(targets));
    let ordered: Option<Vec<f64>> =
        order.as_ref().map(|order| order.iter().map(|&row| targets[row as usize]).collect());
    let rows = match &ordered {
        Some(targets) => Rows::of_ordered_classes(targets),
        None => Rows::new(targets, weights, parameters.criterion),
    };
    check_classes(&rows, parameters.criterion)?;
    let table = Table::new(train, binning, order.as_deref());
    let key = Key::new(parameters.seed, "learn/forest");
    let done = AtomicUsize::new(0);
    let grow = |grower: &mut Grower<'_>, tree: usize| {
        let key = key.derive(tree as u64);
        let drawn = Drawn::new(&rows, parameters, &key.derive(0));
        let grown = grower.grow(&drawn, key.derive(1).stream());
        let iterations = done.fetch_add(1, Ordering::Relaxed) + 1;
        let goes_on = progress(iterations, parameters.n_estimators);
        if goes_on { Ok(grown) } else { Err(Error::Stopped { iterations }) }
    };
    let grown: Vec<Grown> = (0..parameters.n_estimators)
        .into_par_iter()
        .map_init(|| Grower::new(&table, &rows, parameters), grow)
        .collect::<Result<_, Error>>()?;
    let out_of_bag = parameters.oob_score.then(|| out_of_bag(&table, &grown, &rows, parameters.criterion));
    let ensemble = |output: usize| {
        let trees = grown.iter().map(|grown| grown.tree(output, parameters.n_estimators));
        TreeEnsemble::new(train.columns(), 0.0, trees.collect::<Result<_, Error>>()?)
    };
    let ensembles = (0..rows.outputs).map(ensemble).collect::<Result<_, Error>>()?;
    Ok(ForestFit { criterion: parameters.criterion, ensembles, out_of_bag })
}

/// Refuses classes without a row that counts.
fn check_classes(rows: &Rows<'_>, criterion: Criterion) -> Result<(), Error> {
    let Some(classes) = criterion.classes() else { return Ok(()) };
    let mut counts = vec![0usize; classes];
    rows.present.iter().for_each(|&row| counts[rows.targets[row as usize] as usize] += 1);
    match counts.iter().position(|count| *count == 0) {
        Some(class) if classes == 2 => Err(Error::OneClass { operation: OPERATION, class: 1.0 - class as f64 }),
        Some(class) => Err(Error::NoRowsOfClass { operation: OPERATION, class }),
        None => Ok(()),
    }
}

/// Predicts each row by the trees that did not see it, in the order of the trees.
fn out_of_bag(table: &Table<'_>, grown: &[Grown], rows: &Rows<'_>, criterion: Criterion) -> OutOfBag {
    let outputs = rows.outputs;
    let mut flat = vec![0.0; rows.targets.len() * outputs];
    flat.par_chunks_mut(CHUNK * outputs).enumerate().for_each(|(chunk, values)| {
        let mut counts = vec![0usize; values.len() / outputs];
        for tree in grown {
            for (place, values) in values.chunks_exact_mut(outputs).enumerate() {
                let row = chunk * CHUNK + place;
                if !tree.saw(row) {
                    counts[place] += 1;
                    values.iter_mut().zip(tree.values(table, row)).for_each(|(sum, value)| *sum += value);
                }
            }
        }
        for (values, count) in values.chunks_exact_mut(outputs).zip(counts) {
            // No trees: 0 / 0 is the NaN that says so.
            values.iter_mut().for_each(|value| *value /= count as f64);
        }
    });
    let score = score(&flat, rows.targets, criterion);
    let of_output = |output: usize| flat.iter().skip(output).step_by(outputs).copied().collect();
    OutOfBag { predictions: (0..outputs).map(of_output).collect(), score }
}

/// Gives accuracy or R² over the rows that are predicted.
fn score(flat: &[f64], targets: &[f64], criterion: Criterion) -> Option<f64> {
    let rows = flat.chunks_exact(criterion.outputs()).zip(targets).filter(|(values, _)| !values[0].is_nan());
    let (values, targets): (Vec<&[f64]>, Vec<f64>) = rows.unzip();
    if criterion.classes().is_none() {
        let values: Vec<f64> = values.into_iter().flatten().copied().collect();
        return metrics::r2(&targets, &values).ok().filter(|score| score.is_finite());
    }
    // Of equal shares the lowest class, as scikit-learn has it.
    let likeliest = |values: &[f64]| match values {
        [share] => usize::from(*share > 0.5),
        shares => metrics::most_likely(shares),
    };
    let right = values.iter().zip(&targets).filter(|(values, target)| likeliest(values) as f64 == **target).count();
    (!targets.is_empty()).then(|| right as f64 / targets.len() as f64)
}
