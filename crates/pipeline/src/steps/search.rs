//! From the spec of a search to a space, and from a trial's values to a fit.

use serde_json::Value;
use trainyard_model::{Error, FoldScorer, Progress};
use trainyard_spec::{EstimatorSpec, Range, SearchRange};
use trainyard_tune::{Distribution, Ended, Objective, Parameter, Space, Trial, Watch, When};

/// The parameter of a joint search that says which candidate a trial is of.
pub(super) const CANDIDATE: &str = "candidate";

/// One candidate of a search.
pub(super) struct Searched<'s> {
    /// Its name.
    pub(super) name: &'s str,
    /// Its parameters as they are written.
    pub(super) spec: &'s EstimatorSpec,
    /// What is sought.
    pub(super) ranges: Vec<(String, SearchRange)>,
}

impl Searched<'_> {
    /// Says whether the number of bins is one of the things that are sought.
    pub(super) fn changes_bins(&self) -> bool {
        self.ranges.iter().any(|(name, _)| name == "max_bins")
    }

    /// Gives the most trees that a trial may grow; 1 where nothing is told on the way.
    fn most_iterations(&self) -> u64 {
        let EstimatorSpec::GradientBoosting(written) = self.spec else { return 1 };
        let sought = self.ranges.iter().find(|(name, _)| name == "max_iter");
        let most = sought.and_then(|(_, range)| match &range.range.value {
            Range::Float { .. } => None,
            Range::Int { high, .. } => u64::try_from(*high).ok(),
            Range::Choice(choices) => choices.iter().filter_map(Value::as_u64).max(),
        });
        most.unwrap_or(0).max(u64::from(written.max_iter.value))
    }
}

/// One search: of one candidate, or of several together.
pub(super) struct Search<'s> {
    /// Its name: that of the candidate, or [`CANDIDATE`].
    pub(super) name: String,
    /// The candidates.
    pub(super) candidates: Vec<Searched<'s>>,
    /// Whether the candidate is one of the things that are chosen, under [`CANDIDATE`].
    pub(super) is_joint: bool,
    /// What is chosen.
    pub(super) space: Space,
}

impl<'s> Search<'s> {
    /// Makes a search of one candidate.
    ///
    /// # Errors
    /// What a range cannot be, which the spec has refused.
    pub(super) fn of_one(searched: Searched<'s>) -> Result<Search<'s>, trainyard_tune::Error> {
        let mut parameters = Vec::new();
        extend(&mut parameters, &searched, "", None)?;
        let space = Space::new(parameters)?;
        Ok(Search { name: searched.name.to_owned(), is_joint: false, space, candidates: vec![searched] })
    }

    /// Makes one search of several candidates: which one is chosen, and then its parameters.
    ///
    /// # Errors
    /// As [`Search::of_one`].
    pub(super) fn together(candidates: Vec<Searched<'s>>) -> Result<Search<'s>, trainyard_tune::Error> {
        let names = candidates.iter().map(|one| trainyard_tune::Value::Text(one.name.to_owned())).collect();
        let distribution = Distribution::categorical(names)?;
        let mut parameters = vec![Parameter { name: CANDIDATE.to_owned(), distribution, when: None }];
        for (at, searched) in candidates.iter().enumerate() {
            let when = When { parent: 0, choices: vec![at] };
            extend(&mut parameters, searched, &format!("{}.", searched.name), Some(when))?;
        }
        Ok(Search { name: CANDIDATE.to_owned(), is_joint: true, space: Space::new(parameters)?, candidates })
    }

    /// Gives the candidate of a trial and the values of its parameters, by their own names.
    pub(super) fn setting(&self, values: &[Option<f64>]) -> (&Searched<'s>, Vec<(String, Value)>) {
        let is_joint = self.is_joint;
        let at = if is_joint { values.first().copied().flatten().unwrap_or(0.0) as usize } else { 0 };
        let searched = &self.candidates[at];
        let prefix = if is_joint { format!("{}.", searched.name) } else { String::new() };
        let mut setting = Vec::new();
        for (parameter, value) in self.space.parameters().iter().zip(values) {
            if let (Some(name), Some(value)) = (parameter.name.strip_prefix(&prefix), value)
                && !(is_joint && parameter.name == CANDIDATE)
            {
                setting.push((name.to_owned(), to_json(parameter.distribution.external(*value))));
            }
        }
        (searched, setting)
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
        self.candidates.iter().map(Searched::most_iterations).max().unwrap_or(1).saturating_add(1)
    }
}

/// Adds the parameters of a candidate, each behind the one on which it depends.
fn extend(
    parameters: &mut Vec<Parameter>,
    searched: &Searched<'_>,
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

/// Writes a value as the spec does.
pub(super) fn to_json(value: trainyard_tune::Value) -> Value {
    match value {
        trainyard_tune::Value::Null => Value::Null,
        trainyard_tune::Value::Bool(value) => value.into(),
        trainyard_tune::Value::Int(value) => value.into(),
        trainyard_tune::Value::Float(value) => value.into(),
        trainyard_tune::Value::Text(value) => value.into(),
    }
}

/// Trials judged on folds.
pub(super) struct OnFolds<'a> {
    pub(super) search: &'a Search<'a>,
    pub(super) folds: &'a FoldScorer<'a>,
    /// The threads that compute.
    pub(super) pool: &'a rayon::ThreadPool,
    /// Whether anybody asks on the way.
    pub(super) is_heard: bool,
}

impl Objective for OnFolds<'_> {
    fn parts(&self) -> usize {
        self.folds.folds()
    }

    fn stride(&self) -> u64 {
        self.search.stride()
    }

    fn evaluate(&self, trial: &Trial, part: usize, watch: &Watch<'_>) -> Result<f64, Ended> {
        let (searched, setting) = self.search.setting(&trial.values);
        let spec = searched.spec.with(&setting).map_err(|problems| {
            let titles: Vec<&str> = problems.as_slice().iter().map(|problem| problem.title.as_str()).collect();
            Ended::Failed(titles.join("; "))
        })?;
        let hear = |iterations: usize, value: f64| watch.report(iterations as u64, value);
        let hear: Option<&(dyn Fn(usize, f64) -> bool + Sync)> = if self.is_heard { Some(&hear) } else { None };
        let goes_on = |_: &Progress<'_>| watch.goes_on();
        // Among the threads that compute, a fit shares its work out.
        let scored = self.pool.install(|| self.folds.score(searched.name, &spec, part, hear, &goes_on));
        scored.map_err(|error| match error {
            Error::Stopped => Ended::Cancelled,
            error => Ended::Failed(error.diagnostic().title),
        })
    }
}
