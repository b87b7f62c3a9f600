//! One fit of one estimator.

use std::collections::BTreeMap;
use std::sync::Arc;

use trainyard_engines::Engines;
use trainyard_learn::metrics::{Scored, Task, roc_auc};
use trainyard_learn::{
    BoostingParameters, CategoryParameters, Criterion, ElasticNetParameters, ForestParameters, GrowPolicy, Iteration,
    LinearModel, LogisticParameters, Matrix, Monotonic, Objective, Score, Tree, TreeEnsemble, Validation, boost,
    elastic_net, grow_forest, logistic_regression, multinomial_regression, ridge,
};
use trainyard_spec::{
    BoostingSpec, ClassWeight, ElasticNetSpec, EstimatorSpec, ForestSpec, LassoSpec, Located, Loss, MaxFeatures,
    metric_higher_is_better,
};

use crate::class_weight::RowWeights;
use crate::estimator::{Filled, Link, means};
use crate::external::Native;
use crate::prepared::{Binned, Prepared};
use crate::progress::{Part, Progress, Report};
use crate::{Error, Estimator};

/// What a fit gives.
#[derive(Debug, Clone)]
pub(crate) struct Fitted {
    pub(crate) estimator: Estimator,
    pub(crate) train_loss: Vec<f64>,
    pub(crate) held_loss: Vec<f64>,
    /// What it predicts of the held rows, where the fit has found that on its way.
    pub(crate) held: Option<Vec<f64>>,
    /// Whether an iterative fit reached its tolerance.
    pub(crate) converged: bool,
    /// The accuracy or R² of a forest on rows that a tree did not see, where it was asked for.
    pub(crate) out_of_bag: Option<f64>,
    /// The model as an external engine wrote it.
    pub(crate) native: Option<Native>,
}

impl Fitted {
    /// Predicts the held rows of the fit; none where there are no such rows.
    pub(crate) fn held_predictions(&self, rows: &Prepared<'_>) -> Vec<f64> {
        let known = self.held.clone();
        let predict = || rows.held.as_ref().map(|held| self.estimator.predict(&held.matrix())).unwrap_or_default();
        known.unwrap_or_else(predict)
    }
}

/// Hears how many iterations there are, with what gives the predictions of the held rows; gives false to stop.
pub(crate) type Watch<'a> = dyn Fn(usize, &dyn Fn() -> Vec<f64>) -> bool + Sync + 'a;

/// A candidate and where its fit belongs.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a EstimatorSpec,
    pub(crate) part: Part,
    pub(crate) task: Task,
    /// The names of the classes; none in regression.
    pub(crate) classes: &'a [String],
    pub(crate) seed: u64,
    /// From which probability on a metric takes a row for positive.
    pub(crate) threshold: f64,
    /// The number of trees where folds have found it: then nothing stops early.
    pub(crate) trees: Option<usize>,
    pub(crate) progress: &'a Report<'a>,
    /// Hears what boosted trees predict of the held rows after each iteration, and may stop them.
    pub(crate) watch: Option<&'a Watch<'a>>,
    /// Whether anybody looks at the losses of the held rows where trees stop by a metric.
    pub(crate) keeps_losses: bool,
    /// The external engines.
    pub(crate) engines: &'a Engines,
    /// The threads of a fit of theirs.
    pub(crate) engine_threads: u32,
}

impl Job<'_> {
    /// Refuses estimators and parameters that are not made for the task, and weights of classes that there are not.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let has_classes = self.task != Task::Regression;
        if !EstimatorSpec::is_for(self.spec.name(), has_classes) {
            let (candidate, estimator) = (self.name.to_owned(), self.spec.name().to_owned());
            return Err(Error::WrongTask { candidate, estimator, has_classes });
        }
        let wrong =
            |parameter: String| Err(Error::WrongParameter { candidate: self.name.to_owned(), parameter, has_classes });
        if let EstimatorSpec::GradientBoosting(spec) = self.spec
            && let Some(loss) = &spec.loss
            && (loss.value == Loss::LogLoss) != has_classes
        {
            return wrong(format!("loss: {}", loss.value));
        }
        if let EstimatorSpec::GradientBoosting(spec) = self.spec
            && let Some(metric) = spec.scoring.as_ref().filter(|metric| !self.task.has_metric(metric))
        {
            return wrong(format!("scoring: {}", metric.value));
        }
        match self.class_weight() {
            Some(_) if !has_classes => wrong("class_weight".into()),
            Some(ClassWeight::Classes(weights)) => match weights.keys().find(|class| !self.classes.contains(class)) {
                Some(class) => Err(Error::UnknownClass {
                    candidate: self.name.to_owned(),
                    class: class.clone(),
                    known: self.classes.to_vec(),
                }),
                None => Ok(()),
            },
            Some(ClassWeight::Balanced) | None => Ok(()),
        }
    }

    pub(crate) fn class_weight(&self) -> Option<&ClassWeight> {
        let weight = match self.spec {
            EstimatorSpec::LogisticRegression(spec) => &spec.class_weight,
            EstimatorSpec::GradientBoosting(spec) => &spec.class_weight,
            EstimatorSpec::RandomForest(spec) | EstimatorSpec::ExtraTrees(spec) => &spec.class_weight,
            EstimatorSpec::Ridge { .. }
            | EstimatorSpec::Lasso(_)
            | EstimatorSpec::ElasticNet(_)
            | EstimatorSpec::Dummy { .. } => return None,
            EstimatorSpec::Xgboost(spec) => &spec.class_weight,
            EstimatorSpec::Lightgbm(spec) => &spec.class_weight,
        };
        weight.as_ref().map(|weight| &weight.value)
    }

    /// Fits the estimator on the training part of `rows`; the held part is only watched.
    pub(crate) fn fit(&self, rows: &Prepared<'_>) -> Result<Fitted, Error> {
        self.check()?;
        let link = Link::of_margins(self.task);
        let (targets, weights) = (rows.train.targets, rows.train.weights);
        let (estimator, converged) = match self.spec {
            EstimatorSpec::GradientBoosting(spec) => return self.boost(spec, rows),
            EstimatorSpec::RandomForest(spec) => {
                return self.forest(ForestParameters::random_forest(self.criterion()), spec, rows);
            }
            EstimatorSpec::ExtraTrees(spec) => {
                return self.forest(ForestParameters::extra_trees(self.criterion()), spec, rows);
            }
            EstimatorSpec::LogisticRegression(spec) => {
                let parameters = LogisticParameters {
                    c: spec.inverse_strength(),
                    l1_ratio: spec.l1_share(),
                    fit_intercept: spec.fit_intercept.as_ref().is_none_or(|fit| fit.value),
                    max_iter: spec.max_iter.value as usize,
                    tol: spec.tol.value,
                };
                let weights = RowWeights::new(self.class_weight(), self.classes, targets).of(targets, weights);
                let weights = weights.as_deref();
                self.linear(rows, link, |matrix| match self.task {
                    Task::Multiclass { classes } => {
                        multinomial_regression(matrix, targets, classes, weights, &parameters)
                    }
                    Task::Binary | Task::Regression => {
                        logistic_regression(matrix, targets, weights, &parameters).map(|model| vec![model])
                    }
                })?
            }
            EstimatorSpec::Ridge { alpha } => {
                self.linear(rows, link, |matrix| ridge(matrix, targets, weights, alpha.value).map(|model| vec![model]))?
            }
            EstimatorSpec::Lasso(LassoSpec { alpha, max_iter, tol }) => {
                let (alpha, max_iter, tol) = (alpha.value, max_iter.value as usize, tol.value);
                self.elastic_net(rows, ElasticNetParameters { alpha, l1_ratio: 1.0, max_iter, tol })?
            }
            EstimatorSpec::ElasticNet(ElasticNetSpec { alpha, l1_ratio, max_iter, tol }) => {
                let (alpha, max_iter, tol) = (alpha.value, max_iter.value as usize, tol.value);
                self.elastic_net(rows, ElasticNetParameters { alpha, l1_ratio: l1_ratio.value, max_iter, tol })?
            }
            EstimatorSpec::Xgboost(spec) => return self.external(spec.into(), rows),
            EstimatorSpec::Lightgbm(spec) => return self.external(spec.into(), rows),
            EstimatorSpec::Dummy { .. } => (Estimator::Constant { values: self.means(targets, weights) }, true),
        };
        if !(self.progress)(&Progress::Fitted { candidate: self.name, part: self.part }) {
            return Err(Error::Stopped);
        }
        let (train_loss, held_loss) = (Vec::new(), Vec::new());
        let fitted = Fitted { estimator, train_loss, held_loss, held: None, converged, out_of_bag: None, native: None };
        self.checked(fitted, rows)
    }

    fn elastic_net(&self, rows: &Prepared<'_>, parameters: ElasticNetParameters) -> Result<(Estimator, bool), Error> {
        let (targets, weights) = (rows.train.targets, rows.train.weights);
        self.linear(rows, Link::Identity, |matrix| {
            elastic_net(matrix, targets, weights, &parameters).map(|model| vec![model])
        })
    }

    fn linear(
        &self,
        rows: &Prepared<'_>,
        link: Link,
        fit: impl Fn(&Matrix<'_>) -> Result<Vec<LinearModel>, trainyard_learn::Error>,
    ) -> Result<(Estimator, bool), Error> {
        let matrix = rows.train.matrix();
        let fill = means(&matrix);
        let filled = Filled::new(&matrix, &fill);
        let models = fit(&filled.matrix(&matrix)).map_err(|error| self.failed(error))?;
        let converged = models.iter().all(|model| model.converged);
        Ok((Estimator::Linear { models, fill, link }, converged))
    }

    /// Gives the mean target, or the share of each of several classes.
    fn means(&self, targets: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let total = weights.map_or(targets.len() as f64, |weights| weights.iter().sum());
        let share = |row: usize| weights.map_or(1.0, |weights| weights[row]) / total;
        let rows = targets.iter().enumerate();
        match self.task {
            Task::Multiclass { classes } => (0..classes)
                .map(|class| rows.clone().filter(|(_, of)| **of == class as f64).map(|(row, _)| share(row)).sum())
                .collect(),
            Task::Binary | Task::Regression => {
                vec![rows.map(|(row, target)| weights.map_or(target / total, |_| target * share(row))).sum()]
            }
        }
    }

    fn boost(&self, spec: &BoostingSpec, rows: &Prepared<'_>) -> Result<Fitted, Error> {
        let mut parameters = boosting_parameters(spec, self.seed);
        parameters.monotonic_cst = self.directions(spec.monotonic_cst.as_ref(), rows.features.names())?;
        if let Some(trees) = self.trees {
            parameters.early_stopping = false;
            parameters.max_iter = trees;
        }
        let binned = self.binned(rows, parameters.max_bins)?;
        let (objective, link) = self.objective(spec);
        let weights = RowWeights::new(self.class_weight(), self.classes, rows.train.targets);
        let held = binned.held.as_ref().zip(rows.held.as_ref());
        let held_weights = rows.held.as_ref().and_then(|held| weights.of(held.targets, held.weights));
        let scoring = spec.scoring.as_ref().filter(|_| parameters.early_stopping);
        let score = rows.held.as_ref().zip(scoring).map(|(held, metric)| {
            // As metrics are reported: with the weights of the rows, without those of classes.
            let (task, targets, weights, threshold) = (self.task, held.targets, held.weights, self.threshold);
            let is_higher_better = metric_higher_is_better(metric).unwrap_or(true);
            move |margins: &[Vec<f64>]| {
                // What has no value never is the best.
                let value = match margins {
                    // Log-odds are in the order of their probabilities, which is all that the area asks for.
                    [margins] if metric.value == "roc_auc" && weights.is_none() => roc_auc(targets, margins),
                    margins => {
                        let predictions = link.of_rows(margins);
                        Scored { task, targets, predictions: &predictions, weights, threshold }.metric(metric)
                    }
                };
                let value = value.unwrap_or(f64::NAN);
                if is_higher_better { value } else { -value }
            }
        });
        let held = held.map(|(matrix, held)| Validation {
            matrix,
            targets: held.targets,
            weights: held_weights.as_deref(),
            score: score.as_ref().map(|score| score as &Score<'_>),
            losses: self.keeps_losses,
        });
        let report = |at: &Iteration<'_>| {
            let (done, of, loss) = (at.done, at.of, Some(at.loss));
            let goes_on = self.watch.is_none_or(|watch| watch(done, &|| link.of_rows(at.held)));
            goes_on && (self.progress)(&Progress::Iteration { candidate: self.name, part: self.part, done, of, loss })
        };
        let (targets, weights) = (rows.train.targets, weights.of(rows.train.targets, rows.train.weights));
        let weights = weights.as_deref();
        let fit = boost(&binned.train, &binned.binning, targets, weights, &parameters, objective, held, &report)
            .map_err(|error| self.failed(error))?;
        let fitted = Fitted {
            estimator: Estimator::Boosting { ensembles: fit.ensembles, link },
            train_loss: fit.train_loss,
            held_loss: fit.validation_loss,
            held: rows.held.as_ref().map(|_| link.of_rows(&fit.validation_margins)),
            converged: true,
            out_of_bag: None,
            native: None,
        };
        self.checked(fitted, rows)
    }

    /// Gives what the trees make small, and how their margins become predictions.
    fn objective(&self, spec: &BoostingSpec) -> (Objective, Link) {
        match (self.task, spec.loss.as_ref().map(|loss| loss.value)) {
            (Task::Binary, _) => (Objective::BinaryLogLoss, Link::Logit),
            (Task::Multiclass { classes }, _) => (Objective::MulticlassLogLoss { classes }, Link::Softmax),
            (Task::Regression, Some(Loss::AbsoluteError)) => (Objective::AbsoluteError, Link::Identity),
            (Task::Regression, Some(Loss::Quantile)) => {
                let quantile = spec.quantile.as_ref().map_or(0.5, |quantile| quantile.value);
                (Objective::Quantile { quantile }, Link::Identity)
            }
            (Task::Regression, Some(Loss::Poisson)) => (Objective::Poisson, Link::Exp),
            (Task::Regression, Some(Loss::SquaredError | Loss::LogLoss) | None) => {
                (Objective::SquaredError, Link::Identity)
            }
        }
    }

    /// Gives the direction of each feature; none where all are free.
    pub(crate) fn directions(
        &self,
        wanted: Option<&BTreeMap<String, Located<trainyard_spec::Monotonic>>>,
        names: &[String],
    ) -> Result<Vec<Monotonic>, Error> {
        let Some(wanted) = wanted else { return Ok(Vec::new()) };
        if let Some(feature) = wanted.keys().find(|name| !names.contains(name)) {
            let (candidate, feature) = (self.name.to_owned(), feature.clone());
            return Err(Error::UnknownFeature { candidate, feature, known: names.to_vec() });
        }
        let direction = |name: &String| match wanted.get(name).map(|way| way.value) {
            Some(trainyard_spec::Monotonic::Increase) => Monotonic::Increase,
            Some(trainyard_spec::Monotonic::Decrease) => Monotonic::Decrease,
            Some(trainyard_spec::Monotonic::Free) | None => Monotonic::Free,
        };
        Ok(names.iter().map(direction).collect())
    }

    fn binned(&self, rows: &Prepared<'_>, max_bins: usize) -> Result<Arc<Binned>, Error> {
        let allowed = "one that bins were made for";
        let refused = trainyard_learn::Error::Parameter { name: "max_bins", value: max_bins as f64, allowed };
        rows.binned(max_bins).ok_or_else(|| self.failed(refused))
    }

    fn criterion(&self) -> Criterion {
        match self.task {
            Task::Binary => Criterion::Gini { classes: 2 },
            Task::Multiclass { classes } => Criterion::Gini { classes },
            Task::Regression => Criterion::SquaredError,
        }
    }

    fn forest(&self, defaults: ForestParameters, spec: &ForestSpec, rows: &Prepared<'_>) -> Result<Fitted, Error> {
        let parameters = forest_parameters(defaults, spec, self.seed);
        let binned = self.binned(rows, FOREST_BINS)?;
        let report = |done: usize, of: usize| {
            (self.progress)(&Progress::Iteration { candidate: self.name, part: self.part, done, of, loss: None })
        };
        let targets = rows.train.targets;
        let weights = RowWeights::new(self.class_weight(), self.classes, targets).of(targets, rows.train.weights);
        let weights = weights.as_deref();
        let fit = grow_forest(&binned.train, &binned.binning, targets, weights, &parameters, &report)
            .map_err(|error| self.failed(error))?;
        let mut ensembles = fit.ensembles;
        if let (Task::Multiclass { classes: 2 }, [positive]) = (self.task, ensembles.as_slice()) {
            let rest = others(positive).map_err(|error| self.failed(error))?;
            ensembles.insert(0, rest);
        }
        let link = if self.task == Task::Regression { Link::Identity } else { Link::Share };
        let estimator = Estimator::Forest { ensembles, link };
        let out_of_bag = fit.out_of_bag.and_then(|out_of_bag| out_of_bag.score);
        let (train_loss, held_loss) = (Vec::new(), Vec::new());
        let fitted = Fitted { estimator, train_loss, held_loss, held: None, converged: true, out_of_bag, native: None };
        self.checked(fitted, rows)
    }

    pub(crate) fn checked(&self, fitted: Fitted, rows: &Prepared<'_>) -> Result<Fitted, Error> {
        if fitted.estimator.is_sound(&rows.features.categories(), self.task.outputs()) {
            Ok(fitted)
        } else {
            Err(Error::NotFinite { candidate: self.name.to_owned() })
        }
    }

    fn failed(&self, error: trainyard_learn::Error) -> Error {
        match error {
            trainyard_learn::Error::Stopped { .. } => Error::Stopped,
            error => Error::Learn { candidate: self.name.to_owned(), part: self.part.to_string(), error },
        }
    }
}

/// The most bins of a column that a forest looks at.
const FOREST_BINS: usize = 255;

/// Gives the shares of the other one of two classes: what each tree's leaf leaves of its part of the average.
fn others(ensemble: &TreeEnsemble) -> Result<TreeEnsemble, trainyard_learn::Error> {
    let part = 1.0 / ensemble.trees().len() as f64;
    let other = |tree: &Tree| {
        let mut nodes = tree.nodes().to_vec();
        nodes.iter_mut().filter(|node| node.is_leaf()).for_each(|node| node.value = part - node.value);
        Tree::new(nodes)
    };
    let trees = ensemble.trees().iter().map(other).collect::<Result<_, _>>()?;
    TreeEnsemble::new(ensemble.features(), 0.0, trees)
}

fn forest_parameters(defaults: ForestParameters, spec: &ForestSpec, seed: u64) -> ForestParameters {
    ForestParameters {
        n_estimators: spec.n_estimators.value as usize,
        max_depth: spec.max_depth.as_ref().map(|depth| depth.value as usize),
        min_samples_split: spec.min_samples_split.value as usize,
        min_samples_leaf: spec.min_samples_leaf.value as usize,
        max_features: match spec.max_features.as_ref().map(|features| features.value) {
            None => defaults.max_features,
            Some(MaxFeatures::Sqrt) => trainyard_learn::MaxFeatures::Sqrt,
            Some(MaxFeatures::Log2) => trainyard_learn::MaxFeatures::Log2,
            Some(MaxFeatures::Share(share)) => trainyard_learn::MaxFeatures::Share(share),
            Some(MaxFeatures::Count(count)) => trainyard_learn::MaxFeatures::Count(count as usize),
        },
        bootstrap: spec.bootstrap.as_ref().map_or(defaults.bootstrap, |bootstrap| bootstrap.value),
        oob_score: spec.oob_score.as_ref().is_some_and(|score| score.value),
        seed,
        ..defaults
    }
}

/// Says how many bins an estimator wants, where it wants any.
pub(crate) fn max_bins(spec: &EstimatorSpec) -> Option<usize> {
    match spec {
        EstimatorSpec::GradientBoosting(spec) => Some(spec.max_bins.value as usize),
        EstimatorSpec::RandomForest(_) | EstimatorSpec::ExtraTrees(_) => Some(FOREST_BINS),
        EstimatorSpec::LogisticRegression(_)
        | EstimatorSpec::Ridge { .. }
        | EstimatorSpec::Lasso(_)
        | EstimatorSpec::ElasticNet(_)
        | EstimatorSpec::Dummy { .. } => None,
        EstimatorSpec::Xgboost(_) | EstimatorSpec::Lightgbm(_) => None,
    }
}

/// Says whether folds decide the number of trees.
pub(crate) fn stops_early(spec: &EstimatorSpec) -> bool {
    match spec {
        EstimatorSpec::GradientBoosting(spec) => spec.early_stopping.value,
        EstimatorSpec::Xgboost(spec) => spec.early_stopping_rounds.is_some(),
        EstimatorSpec::Lightgbm(spec) => spec.early_stopping_round.is_some(),
        EstimatorSpec::LogisticRegression(_)
        | EstimatorSpec::Ridge { .. }
        | EstimatorSpec::Lasso(_)
        | EstimatorSpec::ElasticNet(_)
        | EstimatorSpec::Dummy { .. }
        | EstimatorSpec::RandomForest(_)
        | EstimatorSpec::ExtraTrees(_) => false,
    }
}

fn boosting_parameters(spec: &BoostingSpec, seed: u64) -> BoostingParameters {
    let defaults = BoostingParameters::default();
    BoostingParameters {
        learning_rate: spec.learning_rate.value,
        max_iter: spec.max_iter.value as usize,
        max_leaf_nodes: spec.max_leaf_nodes.value as usize,
        max_depth: spec.max_depth.as_ref().map(|depth| depth.value as usize),
        min_samples_leaf: spec.min_samples_leaf.value as usize,
        l2_regularization: spec.l2_regularization.value,
        max_bins: spec.max_bins.value as usize,
        subsample: spec.subsample.value,
        colsample_bytree: spec.colsample_bytree.value,
        early_stopping: spec.early_stopping.value,
        n_iter_no_change: spec.n_iter_no_change.value as usize,
        tol: spec.tol.value,
        reg_alpha: spec.reg_alpha.as_ref().map_or(defaults.reg_alpha, |alpha| alpha.value),
        min_hessian: spec.min_child_weight.as_ref().map_or(defaults.min_hessian, |weight| weight.value),
        grow_policy: match spec.grow_policy.as_ref().map(|policy| policy.value) {
            Some(trainyard_spec::GrowPolicy::Depthwise) => GrowPolicy::Depthwise,
            Some(trainyard_spec::GrowPolicy::Lossguide) | None => GrowPolicy::Lossguide,
        },
        categories: category_parameters(spec),
        seed,
        ..defaults
    }
}

fn category_parameters(spec: &BoostingSpec) -> CategoryParameters {
    let defaults = CategoryParameters::default();
    let number = |given: &Option<Located<f64>>, default| given.as_ref().map_or(default, |given| given.value);
    let count = |given: &Option<Located<u32>>, default| given.as_ref().map_or(default, |given| given.value as usize);
    CategoryParameters {
        cat_smooth: number(&spec.cat_smooth, defaults.cat_smooth),
        cat_l2: number(&spec.cat_l2, defaults.cat_l2),
        max_cat_threshold: count(&spec.max_cat_threshold, defaults.max_cat_threshold),
        min_data_per_group: count(&spec.min_data_per_group, defaults.min_data_per_group),
        max_cat_to_onehot: count(&spec.max_cat_to_onehot, defaults.max_cat_to_onehot),
    }
}

/// Says whether an estimator reads the values of the training rows, not their bins alone.
pub(crate) fn reads_values(spec: &EstimatorSpec) -> bool {
    match spec {
        EstimatorSpec::LogisticRegression(_)
        | EstimatorSpec::Ridge { .. }
        | EstimatorSpec::Lasso(_)
        | EstimatorSpec::ElasticNet(_)
        | EstimatorSpec::Xgboost(_)
        | EstimatorSpec::Lightgbm(_) => true,
        EstimatorSpec::GradientBoosting(_)
        | EstimatorSpec::RandomForest(_)
        | EstimatorSpec::ExtraTrees(_)
        | EstimatorSpec::Dummy { .. } => false,
    }
}
