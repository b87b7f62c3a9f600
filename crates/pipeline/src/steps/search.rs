//! From the spec of a search to a space, and from a trial's values to a fit.

use serde_json::Value;
use trainyard_diagnostics::Problems;
use trainyard_model::{Error, FoldScorer, OtherFeatures, Progress};
use trainyard_spec::{EstimatorSpec, FeatureSpec, Located, Range, SearchRange, SearchedCandidate};
use trainyard_tune::{Distribution, Ended, Objective, Parameter, Space, Trial, Watch, When};

/// The parameter of a joint search that says which candidate a trial is of.
pub(super) const CANDIDATE: &str = "candidate";

/// The learning rates of trees that together have learned most of what there is.
const LEARNED: f64 = 5.0;

/// What the names of parameters of the features begin with.
const FEATURES: &str = "features.";

/// What is sought of the features.
#[derive(Clone, Copy)]
pub(super) struct Features<'s> {
    /// The features as they are written.
    pub(super) spec: &'s FeatureSpec,
    /// The keys with their ranges.
    pub(super) ranges: &'s [(Located<String>, SearchRange)],
}

impl Features<'_> {
    fn parameters(&self) -> Result<Vec<Parameter>, trainyard_tune::Error> {
        let one = |(key, range): &(Located<String>, SearchRange)| {
            let (name, distribution) = (format!("{FEATURES}{}", key.value), distribution(&range.range.value)?);
            Ok(Parameter { name, distribution, when: None })
        };
        self.ranges.iter().map(one).collect()
    }
}

/// Says whether the number of bins is one of the things that are sought.
pub(super) fn changes_bins(searched: &SearchedCandidate<'_>) -> bool {
    searched.ranges.iter().any(|(name, _)| name == "max_bins")
}

/// Gives the most trees that a trial may grow; 1 where nothing is told on the way.
fn most_iterations(searched: &SearchedCandidate<'_>) -> u64 {
    let (name, written) = match searched.spec {
        EstimatorSpec::GradientBoosting(spec) => ("max_iter", &spec.max_iter),
        EstimatorSpec::Xgboost(spec) => ("n_estimators", &spec.n_estimators),
        EstimatorSpec::Lightgbm(spec) => ("n_estimators", &spec.n_estimators),
        _ => return 1,
    };
    let sought = searched.ranges.iter().find(|(sought, _)| sought == name);
    let most = sought.and_then(|(_, range)| match &range.range.value {
        Range::Float { .. } => None,
        Range::Int { high, .. } => u64::try_from(*high).ok(),
        Range::Choice(choices) => choices.iter().filter_map(Value::as_u64).max(),
    });
    most.unwrap_or(0).max(u64::from(written.value))
}

/// One search: of one candidate, or of several together.
pub(super) struct Search<'s> {
    /// Its name: that of the candidate, or [`CANDIDATE`].
    pub(super) name: String,
    /// The candidates.
    pub(super) candidates: Vec<SearchedCandidate<'s>>,
    /// Whether the candidate is one of the things that are chosen, under [`CANDIDATE`].
    pub(super) is_joint: bool,
    /// What is chosen: first of the features, then of the candidates.
    pub(super) space: Space,
    /// The features as they are written.
    pub(super) features: &'s FeatureSpec,
    /// How many of the parameters are of the features.
    pub(super) of_features: usize,
}

/// What the values of a trial mean.
pub(super) struct Setting<'r, 's> {
    /// The candidate.
    pub(super) searched: &'r SearchedCandidate<'s>,
    /// The values of its parameters, by their own names.
    pub(super) values: Vec<(String, Value)>,
    /// The keys of the features' groups with their values.
    pub(super) features: Vec<(String, Value)>,
}

impl<'s> Search<'s> {
    /// Makes a search of one candidate.
    ///
    /// # Errors
    /// What a range cannot be, which the spec has refused.
    pub(super) fn of_one(
        searched: SearchedCandidate<'s>,
        features: Features<'s>,
    ) -> Result<Search<'s>, trainyard_tune::Error> {
        let mut parameters = features.parameters()?;
        let of_features = parameters.len();
        extend(&mut parameters, &searched, "", None)?;
        let space = Space::new(parameters)?;
        let (name, candidates) = (searched.name.to_owned(), vec![searched]);
        Ok(Search { name, is_joint: false, space, candidates, features: features.spec, of_features })
    }

    /// Makes one search of several candidates: which one is chosen, and then its parameters.
    ///
    /// # Errors
    /// As [`Search::of_one`].
    pub(super) fn together(
        candidates: Vec<SearchedCandidate<'s>>,
        features: Features<'s>,
    ) -> Result<Search<'s>, trainyard_tune::Error> {
        let names = candidates.iter().map(|one| trainyard_tune::Value::Text(one.name.to_owned())).collect();
        let distribution = Distribution::categorical(names)?;
        let mut parameters = features.parameters()?;
        let of_features = parameters.len();
        parameters.push(Parameter { name: CANDIDATE.to_owned(), distribution, when: None });
        for (at, searched) in candidates.iter().enumerate() {
            let when = When { parent: of_features, choices: vec![at] };
            extend(&mut parameters, searched, &format!("{}.", searched.name), Some(when))?;
        }
        let (name, space) = (CANDIDATE.to_owned(), Space::new(parameters)?);
        Ok(Search { name, is_joint: true, space, candidates, features: features.spec, of_features })
    }

    /// Says what the values of a trial mean.
    pub(super) fn setting(&self, values: &[Option<f64>]) -> Setting<'_, 's> {
        let chosen = |from: usize, to: usize| {
            let all = self.space.parameters()[from..to].iter().zip(&values[from..to]);
            all.filter_map(|(parameter, value)| Some((parameter, parameter.distribution.external((*value)?))))
        };
        let at = match self.is_joint {
            true => values[self.of_features].unwrap_or(0.0) as usize,
            false => 0,
        };
        let searched = &self.candidates[at];
        let (prefix, first) = match self.is_joint {
            true => (format!("{}.", searched.name), self.of_features + 1),
            false => (String::new(), self.of_features),
        };
        let own = chosen(first, values.len())
            .filter_map(|(parameter, value)| Some((parameter.name.strip_prefix(&prefix)?.to_owned(), value.into())));
        let of_features = chosen(0, self.of_features)
            .filter_map(|(parameter, value)| Some((parameter.name.strip_prefix(FEATURES)?.to_owned(), value.into())));
        Setting { searched, values: own.collect(), features: of_features.collect() }
    }

    /// Gives the name in the space of a candidate's parameter.
    pub(super) fn parameter(&self, candidate: &str, name: &str) -> String {
        if self.is_joint { format!("{candidate}.{name}") } else { name.to_owned() }
    }

    /// Gives the number of combinations; none where a range has no steps, or where there are more than can be counted.
    pub(super) fn combinations(&self) -> Option<u64> {
        // What exists under a condition makes fewer of them: this is the most.
        let counts = self.space.parameters().iter().map(|parameter| parameter.distribution.count());
        counts.into_iter().try_fold(1_u64, |product, count| product.checked_mul(count?))
    }

    /// Gives the most iterations of a part, and one.
    pub(super) fn stride(&self) -> u64 {
        self.candidates.iter().map(most_iterations).max().unwrap_or(1).saturating_add(1)
    }
}

/// Adds the parameters of a candidate, each behind the one on which it depends.
fn extend(
    parameters: &mut Vec<Parameter>,
    searched: &SearchedCandidate<'_>,
    prefix: &str,
    when: Option<When>,
) -> Result<(), trainyard_tune::Error> {
    let mut waiting: Vec<&(String, SearchRange)> = searched.ranges.iter().collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut still = Vec::new();
        for one in waiting {
            let (name, range) = one;
            let name = format!("{prefix}{name}");
            let when = match &range.when {
                None => when.clone(),
                Some(condition) => {
                    let parent = format!("{prefix}{}", condition.parameter.value);
                    let Some(parent) = parameters.iter().position(|parameter| parameter.name == parent) else {
                        still.push(one);
                        continue;
                    };
                    let position = |value: &Value| match &parameters[parent].distribution {
                        Distribution::Categorical { choices } => {
                            choices.iter().position(|choice| *choice == of_json(value))
                        }
                        Distribution::Float { .. } | Distribution::Int { .. } => None,
                    };
                    let mut choices: Vec<usize> =
                        condition.values.iter().filter_map(|value| position(&value.value)).collect();
                    choices.sort_unstable();
                    choices.dedup();
                    Some(When { parent, choices })
                }
            };
            parameters.push(Parameter { name, distribution: distribution(&range.range.value)?, when });
        }
        if still.len() == before {
            // What waits for itself was refused with the spec.
            return Err(trainyard_tune::Error::Condition(still[0].0.clone()));
        }
        waiting = still;
    }
    Ok(())
}

fn distribution(range: &Range) -> Result<Distribution, trainyard_tune::Error> {
    match range {
        Range::Float { low, high, log, step } => Distribution::float(*low, *high, *log, *step),
        Range::Int { low, high, log, step } => Distribution::int(*low, *high, *log, *step),
        Range::Choice(choices) => Distribution::categorical(choices.iter().map(of_json).collect()),
    }
}

/// Reads a scalar of the spec.
pub(super) fn of_json(value: &Value) -> trainyard_tune::Value {
    match value {
        Value::Bool(value) => trainyard_tune::Value::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => trainyard_tune::Value::Int(number),
            None => trainyard_tune::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => trainyard_tune::Value::Text(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => trainyard_tune::Value::Null,
    }
}

/// Trials judged on folds.
pub(super) struct OnFolds<'a, 's, 'f> {
    pub(super) search: &'a Search<'s>,
    pub(super) folds: &'a FoldScorer<'f>,
    /// The threads that compute.
    pub(super) pool: &'a rayon::ThreadPool,
    /// Whether anybody asks on the way.
    pub(super) is_heard: bool,
}

impl Objective for OnFolds<'_, '_, '_> {
    fn parts(&self) -> usize {
        self.folds.folds()
    }

    fn stride(&self) -> u64 {
        self.search.stride()
    }

    fn size(&self, trial: &Trial) -> f64 {
        let Setting { searched, values, .. } = self.search.setting(&trial.values);
        searched.spec.with(&values).map_or(1.0, |spec| size(&spec))
    }

    fn evaluate(&self, trial: &Trial, part: usize, watch: &Watch<'_>) -> Result<f64, Ended> {
        let Setting { searched, values, features } = self.search.setting(&trial.values);
        let spec = searched.spec.with(&values).map_err(refused)?;
        let key = serde_json::to_string(&features).unwrap_or_default();
        let changed = match features.as_slice() {
            [] => None,
            some => Some(self.search.features.with(some).map_err(refused)?),
        };
        let features = changed.as_ref().map(|spec| OtherFeatures { key: &key, spec });
        let hear = |iterations: usize, value: f64| watch.report(iterations as u64, value);
        let hear: Option<&(dyn Fn(usize, f64) -> bool + Sync)> = if self.is_heard { Some(&hear) } else { None };
        let goes_on = |_: &Progress<'_>| watch.goes_on();
        // Among the threads that compute, a fit shares its work out.
        let scored =
            self.pool.install(|| self.folds.score(searched.name, &spec, features.as_ref(), part, hear, &goes_on));
        scored.map_err(|error| match error {
            Error::Stopped => Ended::Cancelled,
            error => Ended::Failed(error.diagnostic().title),
        })
    }
}

/// Guesses how long a fit takes beside others of the same candidate: the splits above a leaf of all boosted trees.
fn size(spec: &EstimatorSpec) -> f64 {
    let EstimatorSpec::GradientBoosting(spec) = spec else { return 1.0 };
    let most = f64::from(spec.max_iter.value);
    let trees = match spec.early_stopping.value {
        // They stop once the steps add up to what there is to learn, and a while later.
        true => most.min(f64::from(spec.n_iter_no_change.value) + LEARNED / spec.learning_rate.value),
        false => most,
    };
    let depth = 1 + spec.max_leaf_nodes.value.ilog2();
    trees * f64::from(spec.max_depth.as_ref().map_or(depth, |most| most.value.min(depth)))
}

/// Says why the values of a trial cannot stand.
fn refused(problems: Problems) -> Ended {
    let titles: Vec<&str> = problems.as_slice().iter().map(|problem| problem.title.as_str()).collect();
    Ended::Failed(titles.join("; "))
}
