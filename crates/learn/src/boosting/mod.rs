//! Gradient boosting: histogram trees, grown best leaf first, in integers.
//!
//! The algorithm is LightGBM's (Ke and others, 2017) with gradients and hessians rounded to integers (after Shi and
//! others: "Quantized training of gradient boosting decision trees", 2022, but with 30 bits instead of 3), so that a
//! histogram is the same however its rows were shared out among threads.

pub(crate) mod gradients;
mod grow;
mod histogram;
pub(crate) mod lanes;
mod logistic;
mod parameters;
pub(crate) mod partition;
mod quantile;
mod sets;
mod split;
mod walk;

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;
use trainyard_random::Key;

pub use self::parameters::{BoostingParameters, CategoryParameters, GrowPolicy, Monotonic};

use self::gradients::Gradients;
use self::grow::{Grower, Grown};
use self::histogram::Layout;
use self::lanes::Packed;
use crate::ensemble::{Tree, TreeEnsemble};
use crate::error::OF_CATEGORIES;
use crate::widest::{Work, widest};
use crate::{BinnedMatrix, Binning, Error, Objective};

const OPERATION: &str = "gradient boosting";

/// Rows of a tree walk below which one thread is faster than several.
const PARALLEL_ROWS: usize = 1 << 14;

/// Rows that are drawn together.
const DRAWN: usize = 128;

/// Holds a fitted ensemble and its course.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostingFit {
    /// The trees of each margin: those up to `best_iteration` where early stopping was asked for, else all.
    pub ensembles: Vec<TreeEnsemble>,
    /// The mean loss on the training rows after each iteration.
    pub train_loss: Vec<f64>,
    /// The mean loss on the validation rows after each iteration; empty without them, and where nobody asked for it.
    pub validation_loss: Vec<f64>,
    /// The margins of the validation rows by these trees, a list for each margin; empty without such rows.
    pub validation_margins: Vec<Vec<f64>>,
    /// The number of iterations up to the highest score of the validation rows, or up to the lowest loss where they have
    /// none; without validation rows, of all.
    pub best_iteration: usize,
    /// How many pairs of gradient and hessian were added to histograms, those of trees that are not kept included.
    pub histogram_additions: u64,
}

impl BoostingFit {
    /// Gives the trees of the first margin, which is the only one of an objective without classes.
    pub fn ensemble(&self) -> &TreeEnsemble {
        &self.ensembles[0]
    }
}

/// Boosts trees on binned rows.
///
/// `binning` is the one that binned `train` and `validation`. The base score is the log-odds or mean of the targets; of a
/// class the logarithm of its share. An iteration grows one tree a margin, all from the gradients before it (Friedman:
/// "Greedy function approximation", 2001, section 4.6). `progress` is called after each iteration;
/// the fit ends when it gives false. Missing values go to the side that lowers the loss more; where a node saw none, to
/// the side with more rows.
///
/// A column that `binning` has as one of categories is split into two sets of them, as LightGBM does: in the order of
/// their gradients over their hessians (Fisher: "On grouping for maximum homogeneity", 1958), or one against all others
/// where the node has few. Missing values are one category more; a category that the node did not see goes with them.
///
/// # Errors
/// No rows, lengths or columns that differ, targets that are not finite (or no class), a class without rows, weights that
/// are negative or all zero, parameters outside their range, early stopping without validation rows, a score that never is
/// a number, [`Error::Stopped`].
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
    validation: Option<Validation<'_>>,
    progress: &(dyn Fn(&Iteration<'_>) -> bool + Sync),
) -> Result<BoostingFit, Error> {
    parameters.check(validation.is_some())?;
    if let Objective::Quantile { quantile: value } = objective
        && !(value > 0.0 && value < 1.0)
    {
        return Err(Error::Parameter { name: "quantile", value, allowed: "above 0 and below 1" });
    }
    check_directions(parameters, binning, objective)?;
    check_rows(train, binning, targets, weights, objective)?;
    if let Some(rows) = &validation {
        check_rows(rows.matrix, binning, rows.targets, rows.weights, objective)?;
    }
    let bases = base_scores(targets, weights, objective)?;
    let mut outputs: Vec<Gradients> = bases.iter().map(|base| Gradients::new(train.rows(), *base)).collect();
    let mut watched = validation.map(|rows| {
        let margins: Vec<Vec<f64>> = bases.iter().map(|base| vec![*base; rows.matrix.rows()]).collect();
        (rows, margins)
    });
    let trees = bases.iter().map(|_| Vec::new()).collect();
    let mut fit = Course { trees, train_loss: Vec::new(), validation_loss: Vec::new(), best: None };
    let key = Key::new(parameters.seed, "learn/boosting");
    let mut grower = Grower::new(train, binning, parameters);
    let packed = Packed::of(train, binning);
    let mut layout = Layout::new(packed.lanes(), |_| true);
    gradients::update(&mut outputs, objective, targets, weights);
    let refit = |grower: &Grower<'_>, grown: &mut Grown, margins: &[f64]| {
        if let Some(share) = objective.quantile() {
            grower.refit(grown, |row| targets[row] - margins[row], weights, share);
        }
    };
    // What must fall: how far it last fell by enough, and after which iteration.
    let mut last_fall = (f64::INFINITY, 0);
    for iteration in 0..parameters.max_iter {
        let key = key.derive(iteration as u64);
        let sample = (parameters.subsample < 1.0).then(|| Sample::draw(&key, train.rows(), parameters.subsample));
        for (margin, output) in outputs.iter_mut().enumerate() {
            if parameters.colsample_bytree < 1.0 {
                let chosen = sample_columns(&key, margin, binning.columns(), parameters.colsample_bytree);
                layout = Layout::new(packed.lanes(), |column| chosen.binary_search(&column).is_ok());
            }
            let grown = if let Some(sample) = &sample {
                let mut grown = grower.grow(&layout, sample.chosen.iter().copied(), output);
                refit(&grower, &mut grown, &output.margins);
                add_sampled(&grower, &grown, sample, train, &mut output.margins);
                grown
            } else {
                let mut grown = grower.grow(&layout, 0..train.rows() as u32, output);
                refit(&grower, &mut grown, &output.margins);
                grower.add_to(&grown, &mut output.margins);
                grown
            };
            if let Some((rows, margins)) = &mut watched {
                add_tree(&grown, rows.matrix, &mut margins[margin]);
            }
            fit.trees[margin].push(grown.into_tree()?);
        }
        let loss = gradients::update(&mut outputs, objective, targets, weights);
        if !loss.is_finite() {
            let allowed = "small enough that the loss stays finite";
            return Err(Error::Parameter { name: "learning_rate", value: parameters.learning_rate, allowed });
        }
        fit.train_loss.push(loss);
        if let Some((rows, margins)) = &watched {
            if rows.losses || rows.score.is_none() {
                fit.validation_loss.push(gradients::mean_loss(objective, margins, rows.targets, rows.weights));
            }
            let last_loss = fit.validation_loss.last().copied().unwrap_or(f64::NAN);
            let value = rows.score.map_or(last_loss, |score| -score(margins));
            fit.watch(value, margins, parameters.early_stopping);
            if value < last_fall.0 - parameters.tol {
                last_fall = (value, iteration + 1);
            }
        }
        let held = watched.as_ref().map_or(&[][..], |(_, margins)| margins.as_slice());
        if !progress(&Iteration { done: iteration + 1, of: parameters.max_iter, loss, held }) {
            return Err(Error::Stopped { iterations: iteration + 1 });
        }
        if parameters.early_stopping && iteration + 1 - last_fall.1 >= parameters.n_iter_no_change {
            break;
        }
    }
    if validation.is_some_and(|rows| rows.score.is_some()) && fit.best.is_none() {
        return Err(Error::NoScore { operation: OPERATION });
    }
    let margins = watched.map(|(_, margins)| margins);
    fit.finish(train.columns(), &bases, margins, parameters.early_stopping, grower.additions)
}

/// How far a fit is.
#[derive(Debug, Clone, Copy)]
pub struct Iteration<'a> {
    /// The iterations so far.
    pub done: usize,
    /// The most that there may be.
    pub of: usize,
    /// The mean loss on the training rows.
    pub loss: f64,
    /// The margins of the validation rows, one list a margin; empty without such rows.
    pub held: &'a [Vec<f64>],
}

/// Rows that watch a fit.
#[derive(Clone, Copy)]
pub struct Validation<'a> {
    /// The rows, binned as those of the fit.
    pub matrix: &'a BinnedMatrix,
    /// Their targets.
    pub targets: &'a [f64],
    /// How much each counts in the loss; all the same where absent.
    pub weights: Option<&'a [f64]>,
    /// What is to grow, computed of their margins; the mean loss is to fall where absent.
    pub score: Option<&'a Score<'a>>,
    /// Whether their mean loss is computed after each iteration where a score is there too.
    pub losses: bool,
}

impl fmt::Debug for Validation<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = out.debug_struct("Validation");
        written.field("matrix", self.matrix).field("targets", &self.targets).field("weights", &self.weights);
        written.field("has_score", &self.score.is_some()).field("losses", &self.losses).finish()
    }
}

/// Says how good the margins of some rows are, a list for each margin; the greater the better.
pub type Score<'a> = dyn Fn(&[Vec<f64>]) -> f64 + Sync + 'a;

/// What has happened so far.
struct Course {
    /// The trees of each margin.
    trees: Vec<Vec<Tree>>,
    train_loss: Vec<f64>,
    validation_loss: Vec<f64>,
    best: Option<Best>,
}

/// The best iteration so far.
struct Best {
    /// What must fall.
    value: f64,
    iteration: usize,
    /// The margins of the validation rows, where they are kept.
    margins: Vec<Vec<f64>>,
}

impl Course {
    /// Notes what the last iteration made of the validation rows; of equal values the first is best, and one that is no
    /// number never is.
    fn watch(&mut self, value: f64, margins: &[Vec<f64>], keep: bool) {
        if value.is_nan() || self.best.as_ref().is_some_and(|best| value >= best.value) {
            return;
        }
        let mut kept = self.best.take().map_or_else(Vec::new, |best| best.margins);
        if keep {
            kept.resize(margins.len(), Vec::new());
            kept.iter_mut().zip(margins).for_each(|(kept, margins)| kept.clone_from(margins));
        }
        self.best = Some(Best { value, iteration: self.train_loss.len(), margins: kept });
    }

    fn finish(
        self,
        columns: usize,
        bases: &[f64],
        last_margins: Option<Vec<Vec<f64>>>,
        keep_best: bool,
        histogram_additions: u64,
    ) -> Result<BoostingFit, Error> {
        let Course { trees, train_loss, validation_loss, best } = self;
        let (best_iteration, validation_margins) = match (best, last_margins) {
            (Some(best), _) if keep_best => (best.iteration, best.margins),
            (Some(best), last) => (best.iteration, last.unwrap_or_default()),
            (None, last) => (train_loss.len(), last.unwrap_or_default()),
        };
        let ensemble = |(trees, base): (Vec<Tree>, &f64)| {
            let mut ensemble = TreeEnsemble::new(columns, *base, trees)?;
            if keep_best {
                ensemble.truncate(best_iteration);
            }
            Ok(ensemble)
        };
        let ensembles = trees.into_iter().zip(bases).map(ensemble).collect::<Result<Vec<_>, Error>>()?;
        Ok(BoostingFit {
            ensembles,
            train_loss,
            validation_loss,
            validation_margins,
            best_iteration,
            histogram_additions,
        })
    }
}

/// Refuses directions that could not be kept, and those of other columns.
fn check_directions(parameters: &BoostingParameters, binning: &Binning, objective: Objective) -> Result<(), Error> {
    let columns = binning.columns();
    let got = parameters.monotonic_cst.len();
    if got != 0 && got != columns {
        return Err(Error::Columns { operation: OPERATION, expected: columns, got });
    }
    if !parameters.is_constrained() {
        return Ok(());
    }
    let mut directions = parameters.monotonic_cst.iter().enumerate();
    if directions.any(|(column, way)| *way != Monotonic::Free && binning.is_categorical(column)) {
        return Err(Error::Monotonic { operation: OPERATION, with: OF_CATEGORIES });
    }
    match objective {
        Objective::BinaryLogLoss | Objective::SquaredError | Objective::Poisson => Ok(()),
        Objective::MulticlassLogLoss { .. } => {
            Err(Error::Monotonic { operation: OPERATION, with: "with several classes" })
        }
        Objective::AbsoluteError | Objective::Quantile { .. } => {
            Err(Error::Monotonic { operation: OPERATION, with: "with the losses `absolute_error` and `quantile`" })
        }
    }
}

fn check_rows(
    matrix: &BinnedMatrix,
    binning: &Binning,
    targets: &[f64],
    weights: Option<&[f64]>,
    objective: Objective,
) -> Result<(), Error> {
    if matrix.columns() != binning.columns() {
        return Err(Error::Columns { operation: OPERATION, expected: binning.columns(), got: matrix.columns() });
    }
    crate::error::check_targets(OPERATION, targets, matrix.rows(), objective.classes())?;
    if let (Objective::Poisson, Some(row)) = (objective, targets.iter().position(|target| *target < 0.0)) {
        return Err(Error::NegativeTarget { operation: OPERATION, row, value: targets[row] });
    }
    crate::error::check_weights(OPERATION, weights, matrix.rows())
}

/// Gives the constants of least loss.
fn base_scores(targets: &[f64], weights: Option<&[f64]>, objective: Objective) -> Result<Vec<f64>, Error> {
    let mean = |value: &dyn Fn(f64) -> f64| match weights {
        None => targets.iter().map(|target| value(*target)).sum::<f64>() / targets.len() as f64,
        Some(weights) => {
            let total: f64 = weights.iter().sum();
            targets.iter().zip(weights).map(|(target, weight)| value(*target) * (weight / total)).sum()
        }
    };
    // A rounded mean does not say whether a class counts at all.
    let counts = |class: f64| {
        let mut of_class = targets.iter().enumerate().filter(|(_, target)| **target == class);
        of_class.any(|(row, _)| weights.is_none_or(|weights| weights[row] > 0.0))
    };
    match objective {
        Objective::SquaredError => Ok(vec![mean(&|target| target)]),
        Objective::Poisson => {
            let mean = mean(&|target| target);
            if mean > 0.0 { Ok(vec![libm::log(mean)]) } else { Err(Error::NoPositiveTarget { operation: OPERATION }) }
        }
        Objective::AbsoluteError | Objective::Quantile { .. } => {
            let share = objective.quantile().unwrap_or(0.5);
            let rows = 0..targets.len() as u32;
            Ok(vec![quantile::of_rows(rows, |row| targets[row], weights, share).unwrap_or(0.0)])
        }
        Objective::BinaryLogLoss if !counts(0.0) => Err(Error::OneClass { operation: OPERATION, class: 1.0 }),
        Objective::BinaryLogLoss if !counts(1.0) => Err(Error::OneClass { operation: OPERATION, class: 0.0 }),
        Objective::BinaryLogLoss => {
            let share = mean(&|target| target);
            let odds = share / (1.0 - share);
            if odds > 0.0 && odds.is_finite() {
                return Ok(vec![libm::log(odds)]);
            }
            // One class weighs so little beside the other that its share was rounded away.
            let weight = |class: f64| -> f64 {
                let of_class = targets.iter().enumerate().filter(|(_, target)| **target == class);
                of_class.map(|(row, _)| weights.map_or(1.0, |weights| weights[row])).sum()
            };
            Ok(vec![libm::log(weight(1.0)) - libm::log(weight(0.0))])
        }
        Objective::MulticlassLogLoss { classes } => (0..classes)
            .map(|class| {
                let share = mean(&|target| if target == class as f64 { 1.0 } else { 0.0 });
                if share > 0.0 {
                    Ok(libm::log(share))
                } else {
                    Err(Error::NoRowsOfClass { operation: OPERATION, class })
                }
            })
            .collect(),
    }
}

/// Chooses the columns of a margin's tree: a share of them, at least one, in increasing order.
fn sample_columns(key: &Key, margin: usize, columns: usize, share: f64) -> Vec<usize> {
    let wanted = ((columns as f64 * share).round() as usize).clamp(columns.min(1), columns);
    let mut chosen: Vec<usize> = (0..columns).collect();
    // Even numbers draw columns, 1 draws rows.
    key.derive(2 * margin as u64).stream().shuffle(&mut chosen);
    chosen.truncate(wanted);
    chosen.sort_unstable();
    chosen
}

/// The rows of an iteration's trees; of few rows also all others, which then find their leaf by going down the tree. Both
/// in increasing order.
struct Sample {
    chosen: Vec<u32>,
    others: Vec<u32>,
}

impl Sample {
    /// Chooses each row with probability `share`, rounded to a multiple of 2^-32 above 0.
    fn draw(key: &Key, rows: usize, share: f64) -> Sample {
        let key = key.derive(1);
        let bound = (share * 4_294_967_296.0).round().max(1.0) as u64;
        let is_in = |word: u32| u64::from(word) < bound;
        // Four rows share a block of the generator.
        let blocks = 0..rows.div_ceil(4) as u64;
        if rows >= PARALLEL_ROWS {
            let of_block = |block: u64| {
                let words = (4 * block as u32..rows as u32).zip(key.words(block));
                words.filter(|(_, word)| is_in(*word)).map(|(row, _)| row)
            };
            return Sample { chosen: blocks.into_par_iter().flat_map_iter(of_block).collect(), others: Vec::new() };
        }
        let mut sample = Sample { chosen: vec![0; rows], others: vec![0; rows] };
        let (mut chosen, mut others) = (0, 0);
        for first in (0..rows).step_by(DRAWN) {
            let rows = first as u32..rows.min(first + DRAWN) as u32;
            let (to_chosen, to_others) = (&mut sample.chosen[chosen..], &mut sample.others[others..]);
            let (more_chosen, more_others) = widest(Draw { key: &key, bound, rows, lists: [to_chosen, to_others] });
            (chosen, others) = (chosen + more_chosen, others + more_others);
        }
        sample.chosen.truncate(chosen);
        sample.others.truncate(others);
        sample
    }
}

/// The draw of at most [`DRAWN`] rows, of which the first begins a block of the generator.
struct Draw<'a> {
    key: &'a Key,
    bound: u64,
    rows: Range<u32>,
    /// Where those that are chosen go, and all others.
    lists: [&'a mut [u32]; 2],
}

impl Work for Draw<'_> {
    type Output = (usize, usize);

    #[inline(always)]
    fn run(self) -> (usize, usize) {
        let mut words = [[0; 4]; DRAWN / 4];
        let (groups, _) = words.as_chunks_mut::<8>();
        for (group, words) in (0..).zip(groups) {
            *words = self.key.many_words(u64::from(self.rows.start / 4) + 8 * group);
        }
        let [to_chosen, to_others] = self.lists;
        let (mut chosen, mut others) = (0, 0);
        for (row, word) in self.rows.zip(words.as_flattened()) {
            // Both lists are written and one counter moves: no branch to mispredict.
            let is_in = u64::from(*word) < self.bound;
            to_chosen[chosen] = row;
            to_others[others] = row;
            chosen += usize::from(is_in);
            others += usize::from(!is_in);
        }
        (chosen, others)
    }
}

/// Adds a tree that only the rows of `sample` have grown.
fn add_sampled(grower: &Grower<'_>, grown: &Grown, sample: &Sample, matrix: &BinnedMatrix, margins: &mut [f64]) {
    if margins.len() >= PARALLEL_ROWS {
        return add_tree(grown, matrix, margins);
    }
    // Which leaf the sampled rows are in is known; only the others go down the tree.
    grown.walk(matrix).add_to(&sample.others, margins);
    grower.add_to(grown, margins);
}

fn add_tree(grown: &Grown, matrix: &BinnedMatrix, margins: &mut [f64]) {
    let walk = grown.walk(matrix);
    if margins.len() < PARALLEL_ROWS {
        walk.add_to_all(0, margins);
    } else {
        let size = PARALLEL_ROWS / 4;
        margins.par_chunks_mut(size).enumerate().for_each(|(chunk, margins)| walk.add_to_all(chunk * size, margins));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_drawn_alike_however_many_there_are() {
        let key = Key::new(9, "test");
        let (few, many) = (PARALLEL_ROWS - 1, PARALLEL_ROWS + 3);
        for share in [1e-12, 0.3, 0.9999] {
            let [below, above] = [few, many].map(|rows| Sample::draw(&key, rows, share));
            let shared: Vec<u32> = above.chosen.iter().copied().filter(|row| (*row as usize) < few).collect();
            assert_eq!(below.chosen, shared, "{share}");
            let mut all = [below.chosen.clone(), below.others].concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..few as u32), "{share}");
            let wanted = share * few as f64;
            assert!((below.chosen.len() as f64 - wanted).abs() < 5.0 * wanted.sqrt() + 1.0, "{}", below.chosen.len());
        }
    }
}
