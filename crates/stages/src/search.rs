//! The search for parameters of boosted trees on folds: 20 trials of XGBoost's usual ranges, each on five folds.

use std::time::Instant;

use rayon::prelude::*;
use serde_json::json;
use trainyard_learn::{
    BinnedMatrix, Binning, BoostingFit, BoostingParameters, GrowPolicy, Objective, Validation, boost, metrics,
};
use trainyard_tune::{Direction, Distribution, Error, Parameter, Sampler, Space, State, Study, Tpe, Trial};

use crate::limits::boosting_additions;
use crate::numbers::Numbers;
use crate::{FOLDS, Told, words_of};

const TRIALS: u64 = 20;

/// A fold with its bins.
struct Fold {
    train: Numbers,
    held: Numbers,
    binning: Binning,
    binned: BinnedMatrix,
    binned_held: BinnedMatrix,
}

/// What a fit came to.
struct Scored {
    /// Of the fold's rows.
    roc_auc: f64,
    /// All that were grown.
    trees: usize,
    /// To histograms, by all of them.
    additions: u64,
}

/// Tells the seconds of the search, its best value, its trees, the additions to histograms without which these trees
/// could not be, and those that were made.
pub(crate) fn measure(numbers: &Numbers) -> Told {
    let space = space().map_err(words_of)?;
    let mut sampler = Tpe::new(1);
    let mut study = Study { name: "search".to_owned(), direction: Direction::Maximize, space, trials: Vec::new() };
    let started = Instant::now();
    let folds: Vec<Fold> = (0..FOLDS).into_par_iter().map(|fold| Fold::of(numbers, fold)).collect();
    let mut grown = Vec::new();
    for number in 0..TRIALS {
        let values = sampler.suggest(&study, number).ok_or("nothing is left to try")?;
        let parameters = parameters(&values);
        let fits = folds.par_iter().map(|fold| fold.score(&parameters)).collect::<Result<Vec<_>, String>>()?;
        let mut trial = Trial::begun(number, values);
        trial.value = Some(fits.iter().map(|fit| fit.roc_auc).sum::<f64>() / FOLDS as f64);
        trial.state = State::Complete;
        study.trials.push(trial);
        grown.push((parameters, fits));
    }
    let seconds = started.elapsed().as_secs_f64();
    let all = || grown.iter().flat_map(|(_, fits)| fits);
    let trees: usize = all().map(|fit| fit.trees).sum();
    let made: u64 = all().map(|fit| fit.additions).sum();
    // The trees behind the best number are grown too, and forgotten: once more, and all are kept.
    let mut additions = 0.0;
    for (parameters, fits) in &grown {
        for (fold, Scored { trees, .. }) in folds.iter().zip(fits) {
            let again = BoostingParameters { max_iter: *trees, early_stopping: false, ..parameters.clone() };
            let fit = fold.fit(&again)?;
            let columns = numbers.columns() as f64 * parameters.colsample_bytree;
            additions += boosting_additions(fit.ensemble(), 1) as f64 * columns;
        }
    }
    let quality = study.best().and_then(|best| best.value);
    Ok(json!({"seconds": seconds, "quality": quality, "trees": trees, "additions": additions, "made": made}))
}

impl Fold {
    fn of(numbers: &Numbers, fold: usize) -> Fold {
        let (train, held) = numbers.without_fold(fold, FOLDS);
        let binning = Binning::fit(&train.matrix(), BoostingParameters::default().max_bins);
        let (binned, binned_held) = (binning.apply(&train.matrix()), binning.apply(&held.matrix()));
        Fold { train, held, binning, binned, binned_held }
    }

    fn fit(&self, parameters: &BoostingParameters) -> Result<BoostingFit, String> {
        let score = |margins: &[Vec<f64>]| metrics::roc_auc(self.held.targets(), &margins[0]).unwrap_or(f64::NAN);
        let (matrix, targets) = (&self.binned_held, self.held.targets());
        let watching = Validation { matrix, targets, weights: None, score: Some(&score), losses: false };
        let (targets, objective) = (self.train.targets(), Objective::BinaryLogLoss);
        boost(&self.binned, &self.binning, targets, None, parameters, objective, Some(watching), &|_| true)
            .map_err(words_of)
    }

    fn score(&self, parameters: &BoostingParameters) -> Result<Scored, String> {
        let fit = self.fit(parameters)?;
        let roc_auc = metrics::roc_auc(self.held.targets(), &fit.validation_margins[0]).map_err(words_of)?;
        Ok(Scored { roc_auc, trees: fit.train_loss.len(), additions: fit.histogram_additions })
    }
}

fn space() -> Result<Space, Error> {
    let parameter = |name: &str, distribution| Parameter { name: name.to_owned(), distribution, when: None };
    Space::new(vec![
        parameter("n_estimators", Distribution::int(50, 300, false, 1)?),
        parameter("max_depth", Distribution::int(3, 10, false, 1)?),
        parameter("learning_rate", Distribution::float(0.01, 0.3, true, None)?),
        parameter("subsample", Distribution::float(0.6, 1.0, false, None)?),
        parameter("colsample_bytree", Distribution::float(0.6, 1.0, false, None)?),
        parameter("min_child_weight", Distribution::float(1.0, 10.0, false, None)?),
        parameter("reg_lambda", Distribution::float(0.001, 10.0, true, None)?),
    ])
}

/// Gives the parameters of a trial; nothing else limits a tree.
fn parameters(values: &[Option<f64>]) -> BoostingParameters {
    let value = |at: usize| values.get(at).copied().flatten().unwrap_or_default();
    BoostingParameters {
        max_iter: value(0) as usize,
        max_depth: Some(value(1) as usize),
        learning_rate: value(2),
        subsample: value(3),
        colsample_bytree: value(4),
        min_hessian: value(5),
        l2_regularization: value(6),
        max_leaf_nodes: 1024,
        grow_policy: GrowPolicy::Depthwise,
        min_samples_leaf: 1,
        early_stopping: true,
        n_iter_no_change: 20,
        ..BoostingParameters::default()
    }
}
