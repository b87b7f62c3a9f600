//! Gradient boosting: histogram trees, grown best leaf first, in integers.
//!
//! The algorithm is LightGBM's (Ke and others, 2017) with gradients and hessians rounded to integers (after Shi and
//! others: "Quantized training of gradient boosting decision trees", 2022, but with 30 bits instead of 3), so that a
//! histogram is the same however its rows were shared out among threads.

mod gradients;
mod grow;
mod histogram;
mod lanes;
mod parameters;
mod partition;
mod split;

use rayon::prelude::*;
use trainyard_random::Key;

pub use self::parameters::BoostingParameters;

use self::gradients::Gradients;
use self::grow::{Grower, Grown};
use self::histogram::Layout;
use self::lanes::Lanes;
use crate::ensemble::{Tree, TreeEnsemble};
use crate::{BinnedMatrix, Binning, Error, Objective};

const OPERATION: &str = "gradient boosting";

/// Rows of a tree walk below which one thread is faster than several.
const PARALLEL_ROWS: usize = 1 << 14;

/// Holds a fitted ensemble and its course.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostingFit {
    /// The trees: those up to `best_iteration` where early stopping was asked for, else all.
    pub ensemble: TreeEnsemble,
    /// The mean loss on the training rows after each iteration.
    pub train_loss: Vec<f64>,
    /// The mean loss on the validation rows after each iteration; empty without them.
    pub validation_loss: Vec<f64>,
    /// The number of trees at the lowest validation loss; without validation rows, of all trees.
    pub best_iteration: usize,
}

/// Boosts trees on binned rows.
///
/// `binning` is the one that binned `train` and `validation`. The base score is the log-odds or mean of the targets.
/// `progress(done, of, train_loss)` is called after each iteration; the fit ends when it gives false. Missing values go
/// to the side that lowers the loss more; where a node saw none, to the side with more rows.
///
/// # Errors
/// No rows, lengths or columns that differ, targets that are not finite (or not 0 or 1), one class, weights that are
/// negative or all zero, parameters outside their range, early stopping without validation rows, [`Error::Stopped`].
#[expect(
    clippy::too_many_arguments,
    reason = "a fit needs its rows, its rules and its listener; a struct would only rename them"
)]
pub fn boost(
    train: &BinnedMatrix,
    binning: &Binning,
    targets: &[f64],
    weights: Option<&[f64]>,
    parameters: &BoostingParameters,
    objective: Objective,
    validation: Option<(&BinnedMatrix, &[f64])>,
    progress: &(dyn Fn(usize, usize, f64) -> bool + Sync),
) -> Result<BoostingFit, Error> {
    parameters.check(validation.is_some())?;
    check_rows(train, binning, targets, objective)?;
    crate::error::check_weights(OPERATION, weights, train.rows())?;
    if let Some((matrix, targets)) = validation {
        check_rows(matrix, binning, targets, objective)?;
    }
    let base = base_score(targets, weights, objective)?;
    let mut gradients = Gradients::new(train.rows(), base, weights);
    let mut validation = validation.map(|(matrix, targets)| (matrix, targets, vec![base; matrix.rows()]));
    let mut fit = Course { trees: Vec::new(), train_loss: Vec::new(), validation_loss: Vec::new() };
    let key = Key::new(parameters.seed, "learn/boosting");
    let mut grower = Grower::new(train, binning, parameters);
    let lanes = Lanes::new(train, binning);
    let mut layout = Layout::new(&lanes, |_| true);
    gradients.update(objective, targets, weights);
    let mut best = (f64::INFINITY, 0);
    for iteration in 0..parameters.max_iter {
        let key = key.derive(iteration as u64);
        if parameters.colsample_bytree < 1.0 {
            let chosen = sample_columns(&key, binning.columns(), parameters.colsample_bytree);
            layout = Layout::new(&lanes, |column| chosen.binary_search(&column).is_ok());
        }
        let grown = if parameters.subsample < 1.0 {
            let rows = sample_rows(&key, train.rows(), parameters.subsample);
            let grown = grower.grow(&layout, rows.into_iter(), &gradients);
            add_tree(&grown, train, &mut gradients.margins);
            grown
        } else {
            let grown = grower.grow(&layout, 0..train.rows() as u32, &gradients);
            grower.add_to(&grown, &mut gradients.margins);
            grown
        };
        let loss = gradients.update(objective, targets, weights);
        if !loss.is_finite() {
            let allowed = "small enough that the loss stays finite";
            return Err(Error::Parameter { name: "learning_rate", value: parameters.learning_rate, allowed });
        }
        fit.train_loss.push(loss);
        if let Some((matrix, targets, margins)) = &mut validation {
            add_tree(&grown, matrix, margins);
            let loss = gradients::mean_loss(objective, margins, targets);
            fit.validation_loss.push(loss);
        }
        fit.trees.push(Tree::new(grown.nodes)?);
        if !progress(iteration + 1, parameters.max_iter, loss) {
            return Err(Error::Stopped { iterations: iteration + 1 });
        }
        if let (true, Some(&loss)) = (parameters.early_stopping, fit.validation_loss.last()) {
            if loss < best.0 - parameters.tol {
                best = (loss, iteration + 1);
            } else if iteration + 1 - best.1 >= parameters.n_iter_no_change {
                break;
            }
        }
    }
    fit.finish(train.columns(), base, parameters.early_stopping)
}

/// What has happened so far.
struct Course {
    trees: Vec<Tree>,
    train_loss: Vec<f64>,
    validation_loss: Vec<f64>,
}

impl Course {
    fn finish(self, columns: usize, base: f64, keep_best: bool) -> Result<BoostingFit, Error> {
        let lowest =
            |best: usize, at: usize| if self.validation_loss[at] < self.validation_loss[best] { at } else { best };
        let best_iteration = (0..self.validation_loss.len()).reduce(lowest).map_or(self.trees.len(), |best| best + 1);
        let mut ensemble = TreeEnsemble::new(columns, base, self.trees)?;
        if keep_best {
            ensemble.truncate(best_iteration);
        }
        Ok(BoostingFit { ensemble, train_loss: self.train_loss, validation_loss: self.validation_loss, best_iteration })
    }
}

fn check_rows(matrix: &BinnedMatrix, binning: &Binning, targets: &[f64], objective: Objective) -> Result<(), Error> {
    if matrix.columns() != binning.columns() {
        return Err(Error::Columns { operation: OPERATION, expected: binning.columns(), got: matrix.columns() });
    }
    crate::error::check_targets(OPERATION, targets, matrix.rows(), objective == Objective::BinaryLogLoss)
}

/// Gives the constant of least loss.
fn base_score(targets: &[f64], weights: Option<&[f64]>, objective: Objective) -> Result<f64, Error> {
    let mean = match weights {
        None => targets.iter().sum::<f64>() / targets.len() as f64,
        Some(weights) => {
            let total: f64 = weights.iter().sum();
            targets.iter().zip(weights).map(|(target, weight)| target * (weight / total)).sum()
        }
    };
    match objective {
        Objective::SquaredError => Ok(mean),
        Objective::BinaryLogLoss if mean > 0.0 && mean < 1.0 => Ok(libm::log(mean / (1.0 - mean))),
        Objective::BinaryLogLoss => {
            Err(Error::OneClass { operation: OPERATION, class: if mean > 0.0 { 1.0 } else { 0.0 } })
        }
    }
}

/// Chooses a tree's columns: a share of them, at least one, in increasing order.
fn sample_columns(key: &Key, columns: usize, share: f64) -> Vec<usize> {
    let wanted = ((columns as f64 * share).round() as usize).clamp(columns.min(1), columns);
    let mut chosen: Vec<usize> = (0..columns).collect();
    key.derive(0).stream().shuffle(&mut chosen);
    chosen.truncate(wanted);
    chosen.sort_unstable();
    chosen
}

/// Chooses a tree's rows: each with probability `share`.
fn sample_rows(key: &Key, rows: usize, share: f64) -> Vec<u32> {
    let key = key.derive(1);
    let is_in = |row: &u32| key.uniform(u64::from(*row)) < share;
    if rows < PARALLEL_ROWS {
        (0..rows as u32).filter(is_in).collect()
    } else {
        (0..rows as u32).into_par_iter().filter(is_in).collect()
    }
}

fn add_tree(grown: &Grown, matrix: &BinnedMatrix, margins: &mut [f64]) {
    if margins.len() < PARALLEL_ROWS {
        margins.iter_mut().enumerate().for_each(|(row, margin)| *margin += grown.value(matrix, row));
    } else {
        let rows = margins.par_iter_mut().with_min_len(PARALLEL_ROWS / 4).enumerate();
        rows.for_each(|(row, margin)| *margin += grown.value(matrix, row));
    }
}
