//! Search for parameters: what can be chosen, how it is sought, and when to stop.

mod range;
mod usual;

pub use range::{Condition, Range, SearchRange};

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::declare::{
    Decoder, Definitions, Record, Section, Shape, bare, boolean, choice, defaulted, integer, list, map, named, number,
    optional, or_empty, rec, record, unless_given,
};
use crate::error::Error;
use crate::metric::Metric;
use crate::tree::{Content, Kind, Node};
use crate::{EstimatorSpec, FeatureSpec, Located, Origin};

use range::{AnyScalar, RangeShape, node_of};

named! {
    /// How values are sought.
    pub enum SearchSampler {
        /// By turns where a Gaussian process expects the most, and as `tpe`.
        Auto = "auto",
        /// Tree-structured Parzen estimators, as Optuna defines them.
        Tpe = "tpe",
        /// By chance.
        Random = "random",
        /// Spread evenly.
        QuasiRandom = "quasi_random",
        /// Every combination.
        Grid = "grid",
    }
}

named! {
    /// What stops a trial that cannot win.
    pub enum SearchPruner {
        /// Nothing.
        None = "none",
        /// Being worse than the median of earlier trials.
        Median = "median",
        /// Not being among the best quarter that got as far.
        SuccessiveHalving = "successive_halving",
        /// Successive halving, begun at several places.
        Hyperband = "hyperband",
        /// After some folds, being too far behind the best trial on the same folds.
        Race = "race",
    }
}

named! {
    /// On which rows a trial is judged.
    pub enum ValidationStrategy {
        /// On each fold of train, fitted on the others.
        CrossValidation = "cross_validation",
        /// On one fold of train, fitted on the others.
        Holdout = "holdout",
    }
}

record! {
    /// A search for the parameters of candidates, on folds of train.
    pub struct TuneSpec {
        /// How values are sought.
        sampler: Located<SearchSampler> = defaulted(choice(), SearchSampler::Auto),
        /// The most trials of each search; a grid has as many as it has combinations, if these are fewer.
        trials or ["n_trials"]: Located<u32> = defaulted(integer(1, 1_000_000), 20),
        /// The trials of a batch: they are chosen together and run side by side. It decides what is found; the number
        /// of threads does not.
        parallel: u32 = unless_given(bare(integer(1, 1024)), 1),
        /// On which rows a trial is judged.
        validation_strategy: ValidationStrategy = unless_given(bare(choice()), ValidationStrategy::CrossValidation),
        /// The folds of train. Default: those of `cross_validation`.
        folds or ["cv"]: Option<Located<u32>> = optional(integer(2, 100)),
        /// The metric that is made best. Default: that by which a candidate is chosen.
        metric or ["scoring"]: Option<Located<String>> = optional(Metric),
        /// What stops a trial that cannot win.
        pruner: Located<SearchPruner> = defaulted(choice(), SearchPruner::None),
        /// The most seconds of a search; it ends behind the batch in which they are over.
        max_seconds or ["timeout"]: Option<Located<f64>> = optional(number().above(0.0)),
        /// When a search ends before its trials are used up.
        stop: Option<StopSpec> = optional(rec()),
        /// What this search learns from: the number of an earlier model version, or the file of an Optuna journal.
        warm_start: Option<Located<WarmStart>> = optional(VersionOrFile),
        /// Values that are tried first, by candidate.
        enqueue: Vec<(Located<String>, Vec<Enqueued>)> = or_empty(map(list(map(AnyScalar)))),
        /// Whether all candidates are one search, the candidate being one of the things that are chosen.
        together: bool = unless_given(bare(boolean()), false),
        /// The parameters that are sought, by candidate, with their ranges; of a candidate with `default`, and where the
        /// section is left out of every candidate, the usual ones.
        space: Vec<(Located<String>, Vec<(Located<String>, SearchRange)>)> = or_empty(map(SpaceShape)),
        /// What is sought of the features: a key of their groups, such as `numeric.scale`, `categorical.min_frequency` or
        /// `text.max_features`, with its range; it is set in every group of that kind that has it. Of one candidate, or with
        /// `together`.
        features: Vec<(Located<String>, SearchRange)> = or_empty(map(RangeShape)),
        /// The p-value of a paired test over the folds up to which the best trial counts as better than the baseline.
        significant: f64 = unless_given(bare(number().above(0.0).below(1.0)), 0.05),
    }
    check check_tune
}

/// Values that are tried first.
pub type Enqueued = Vec<(Located<String>, Located<Value>)>;

/// What a search learns from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WarmStart {
    /// The latest search of this model version.
    Version(u32),
    /// The study in this file, an Optuna journal.
    File(String),
}

/// Takes the number of a version, or a path.
struct VersionOrFile;

impl Shape for VersionOrFile {
    type Value = Located<WarmStart>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<WarmStart>> {
        let warm = match scalar_value(node) {
            Some(Value::Number(_)) => WarmStart::Version(bare(integer(1, u64::from(u32::MAX))).decode(node, decoder)?),
            Some(Value::String(path)) if !path.is_empty() => WarmStart::File(path),
            _ => {
                decoder.wrong_type(node, "the number of a model version, or a file such as study.journal");
                return None;
            }
        };
        Some(Located::new(warm, node.origin.clone()))
    }

    fn encode(&self, value: &Located<WarmStart>) -> Value {
        match &value.value {
            WarmStart::Version(version) => (*version).into(),
            WarmStart::File(path) => path.clone().into(),
        }
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": u32::MAX }, { "type": "string", "minLength": 1 }] })
    }
}

record! {
    /// When a search ends before its trials are used up; each is asked behind every batch.
    pub struct StopSpec {
        /// So many trials in a row were no better than the best before them.
        no_better_in: Option<Located<u32>> = optional(integer(1, 1_000_000)),
        /// By how much a trial has to be better to count; for `no_better_in`. Default: 0.
        by: Option<Located<f64>> = optional(number().at_least(0.0)),
        /// The best trial is at least so good.
        reaches: Option<Located<f64>> = optional(number()),
        /// More than this share of the trials failed, once there are ten. Default: 1, never.
        failed_share: Option<Located<f64>> = optional(number().at_least(0.0).below(1.0)),
        /// What can still be gained is less than what the folds can tell apart; asked from twenty trials on.
        no_progress: Option<bool> = optional(bare(boolean())),
    }
    check check_stop
}

fn check_stop(stop: &mut StopSpec, section: &Section<'_>, decoder: &mut Decoder) {
    if stop.by.is_some()
        && stop.no_better_in.is_none()
        && let Some((key, _)) = section.entries.iter().find(|(key, _)| key.value == "by")
    {
        let why = "how many trials have to be better by that must be said";
        decoder.errors.push(Error::LoneParameter { key: key.clone(), needs: "no_better_in: 20", why });
    }
}

/// Refuses what a grid cannot walk through.
fn check_tune(spec: &mut TuneSpec, section: &Section<'_>, decoder: &mut Decoder) {
    if spec.sampler.value != SearchSampler::Grid {
        return;
    }
    let of_candidates = spec.space.iter().map(|(candidate, ranges)| (format!("space.{}", candidate.value), ranges));
    for (section, ranges) in of_candidates.chain([("features".to_owned(), &spec.features)]) {
        for (parameter, range) in ranges.iter().filter(|(_, range)| range.range.value.count().is_none()) {
            let path = format!("{}{section}.{}", prefix(decoder), parameter.value);
            let spot = crate::Spot { path, origin: range.range.origin.clone() };
            let what = "a grid cannot walk through every number of a range".to_owned();
            let help = "give it a `step`, or list the values: [0.01, 0.1]".to_owned();
            decoder.errors.push(Error::SearchRange { spot, what, help });
        }
    }
    if (spec.space.is_empty() || spec.space.iter().any(|(_, ranges)| ranges.is_empty()))
        && let Some((key, _)) = section.entries.iter().find(|(key, _)| key.value == "sampler")
    {
        let why = "the usual ranges have no steps";
        let needs = "space: {gradient_boosting: {learning_rate: [0.01, 0.1]}}";
        decoder.errors.push(Error::LoneParameter { key: key.clone(), needs, why });
    }
}

fn prefix(decoder: &Decoder) -> String {
    match decoder.path() {
        path if path.is_empty() => path,
        path => format!("{path}."),
    }
}

/// The ranges of one candidate, or `default`.
struct SpaceShape;

const DEFAULT: &str = "default";

impl Shape for SpaceShape {
    type Value = Vec<(Located<String>, SearchRange)>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value> {
        if matches!(&node.content, Content::Scalar(scalar) if scalar.text == DEFAULT) {
            return Some(Vec::new());
        }
        let ranges = map(RangeShape).decode(node, decoder)?;
        if ranges.is_empty() {
            let spot = decoder.here(node);
            decoder.errors.push(Error::Empty { spot, needs: "a parameter with its range, or `default`" });
            return None;
        }
        Some(ranges)
    }

    fn encode(&self, value: &Self::Value) -> Value {
        if value.is_empty() { DEFAULT.into() } else { map(RangeShape).encode(value) }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [{ "const": DEFAULT }, map(RangeShape).schema(definitions)] })
    }
}

/// A candidate that is searched.
#[derive(Debug, Clone)]
pub struct SearchedCandidate<'s> {
    /// Its name.
    pub name: &'s str,
    /// Its parameters as they are written.
    pub spec: &'s EstimatorSpec,
    /// The parameters that are sought, by their own names, at least one.
    pub ranges: Vec<(String, SearchRange)>,
}

impl TuneSpec {
    /// Gives the candidates that are searched, with what is sought, in the order of `candidates`.
    pub fn spaces<'s>(&self, candidates: &'s [(Located<String>, EstimatorSpec)]) -> Vec<SearchedCandidate<'s>> {
        let of = |(name, spec): &'s (Located<String>, EstimatorSpec)| {
            let given = self.space.iter().find(|(candidate, _)| candidate.value == name.value);
            let ranges = match given {
                Some((_, ranges)) if !ranges.is_empty() => {
                    ranges.iter().map(|(name, range)| (name.value.clone(), range.clone())).collect()
                }
                None if !self.space.is_empty() => return None,
                Some(_) | None => usual::space(spec),
            };
            Some(SearchedCandidate { name: &name.value, spec, ranges }).filter(|searched| !searched.ranges.is_empty())
        };
        candidates.iter().filter_map(of).collect()
    }
}

/// Holds the ranges against the candidates that they are of: names, bounds, conditions. Other names of parameters and a
/// pipeline's `classifier__` before them become the names that parameters have.
pub(crate) fn check_against(
    tune: &mut TuneSpec,
    candidates: &[(Located<String>, EstimatorSpec)],
    decoder: &mut Decoder,
) {
    let names: Vec<String> = candidates.iter().map(|(name, _)| name.value.clone()).collect();
    let find = |name: &str| candidates.iter().find(|(candidate, _)| candidate.value == name).map(|(_, spec)| spec);
    let at = |text: &str| Located::new(text.to_owned(), Origin::Default);
    let stranger = |name: &Located<String>, decoder: &mut Decoder| {
        let spot = crate::Spot { path: decoder.path(), origin: name.origin.clone() };
        decoder.errors.push(Error::NotOneOf { spot, value: name.value.clone(), known: names.clone() });
    };
    let searched: Vec<String> = tune.spaces(candidates).iter().map(|searched| searched.name.to_owned()).collect();
    if searched.is_empty() && tune.space.is_empty() {
        let spot = crate::Spot { path: "tune".to_owned(), origin: tune.sampler.origin.clone() };
        let what = "no candidate has parameters to search for".to_owned();
        let help = "add a candidate such as gradient_boosting, or leave `tune` out".to_owned();
        decoder.errors.push(Error::SearchRange { spot, what, help });
    }
    let TuneSpec { space, enqueue, .. } = tune;
    decoder.under(&at("tune"), |decoder| {
        decoder.under(&at("space"), |decoder| {
            for (candidate, ranges) in space.iter_mut() {
                match find(&candidate.value) {
                    Some(spec) => decoder.under(candidate, |decoder| {
                        check_ranges(spec, ranges, decoder);
                        if ranges.is_empty() && usual::space(spec).is_empty() {
                            let spot = crate::Spot { path: decoder.path(), origin: candidate.origin.clone() };
                            let what = format!("{} has no parameters to search for", spec.name());
                            let help = "leave it out of `space`".to_owned();
                            decoder.errors.push(Error::SearchRange { spot, what, help });
                        }
                    }),
                    None => stranger(candidate, decoder),
                }
            }
        });
        decoder.under(&at("enqueue"), |decoder| {
            for (candidate, all) in enqueue.iter_mut() {
                match find(&candidate.value) {
                    Some(spec) => decoder.under(candidate, |decoder| {
                        for values in all {
                            check_names(spec, values, decoder);
                            for (name, value) in values.iter().filter(|(_, value)| !value.value.is_null()) {
                                check_value(spec, name, &value.value, &value.origin, decoder);
                            }
                        }
                        if !searched.contains(&candidate.value) {
                            let spot = crate::Spot { path: decoder.path(), origin: candidate.origin.clone() };
                            let what = format!("`{}` is not among the candidates of `space`", candidate.value);
                            let help = "add it there, or leave it out here".to_owned();
                            decoder.errors.push(Error::SearchRange { spot, what, help });
                        }
                    }),
                    None => stranger(candidate, decoder),
                }
            }
        });
    });
}

/// Gives each parameter its own name, and refuses those that the estimator does not have.
fn check_names<T>(spec: &EstimatorSpec, entries: &mut Vec<(Located<String>, T)>, decoder: &mut Decoder) {
    let names = spec.parameter_names();
    let mut found: Vec<Located<String>> = Vec::new();
    entries.retain_mut(|(key, _)| {
        let bare = key.value.rsplit_once("__").map_or(key.value.as_str(), |(_, name)| name);
        let Some((name, _)) = names.iter().find(|(name, aliases)| *name == bare || aliases.contains(&bare)) else {
            let known = names.iter().map(|(name, _)| (*name).to_owned()).collect();
            let key = Located::new(bare.to_owned(), key.origin.clone());
            decoder.errors.push(Error::UnknownKey { key, section: decoder.path(), file: decoder.file, known });
            return false;
        };
        if let Some(first) = found.iter().find(|first| first.value == *name) {
            let (key, first) = (key.clone(), first.clone());
            decoder.errors.push(Error::SameThing { key, first, name: (*name).to_owned() });
            return false;
        }
        key.value = (*name).to_owned();
        found.push(key.clone());
        true
    });
}

fn check_ranges(spec: &EstimatorSpec, ranges: &mut Vec<(Located<String>, SearchRange)>, decoder: &mut Decoder) {
    check_names(spec, ranges, decoder);
    for (name, range) in ranges.iter() {
        for value in range.range.value.ends() {
            if !check_value(spec, name, &value, &range.range.origin, decoder) {
                break;
            }
        }
    }
    let known = ranges.clone();
    for (name, range) in ranges.iter_mut() {
        let Some(when) = &mut range.when else { continue };
        let choices = |name: &str| {
            let parent = known.iter().find(|(other, _)| other.value == name)?;
            match &parent.1.range.value {
                Range::Choice(choices) => Some(choices),
                Range::Float { .. } | Range::Int { .. } => None,
            }
        };
        let parameter = &mut when.parameter;
        let bare = parameter.value.rsplit_once("__").map_or(parameter.value.clone(), |(_, name)| name.to_owned());
        parameter.value = bare;
        decoder.under(name, |decoder| {
            decoder.under(&Located::new("when".to_owned(), parameter.origin.clone()), |decoder| {
                let path = decoder.path();
                let spot = |origin: &Origin| crate::Spot { path: path.clone(), origin: origin.clone() };
                let Some(choices) = choices(&parameter.value).filter(|_| parameter.value != name.value) else {
                    let lists = known.iter().filter(|(other, range)| {
                        matches!(range.range.value, Range::Choice(_)) && other.value != name.value
                    });
                    let known: Vec<String> = lists.map(|(name, _)| name.value.clone()).collect();
                    let spot = spot(&parameter.origin);
                    decoder.errors.push(match known.is_empty() {
                        false => Error::NotOneOf { spot, value: parameter.value.clone(), known },
                        true => Error::SearchRange {
                            spot,
                            what: format!("`{}` is no parameter with listed values", parameter.value),
                            help: "a condition names another parameter of this space whose values are a list".into(),
                        },
                    });
                    return;
                };
                let known: Vec<String> = choices.iter().map(shown).collect();
                for value in when.values.iter().filter(|value| !choices.contains(&value.value)) {
                    let (spot, value) = (spot(&value.origin), shown(&value.value));
                    decoder.errors.push(Error::NotOneOf { spot, value, known: known.clone() });
                }
            });
        });
    }
    check_cycles(ranges, decoder);
}

/// Refuses conditions that wait for each other.
fn check_cycles(ranges: &[(Located<String>, SearchRange)], decoder: &mut Decoder) {
    let parent = |name: &str| {
        let found = ranges.iter().find(|(other, _)| other.value == name)?;
        found.1.when.as_ref().map(|when| when.parameter.value.as_str())
    };
    for (name, range) in ranges {
        let mut seen = BTreeSet::from([name.value.as_str()]);
        let mut next = parent(&name.value);
        while let Some(at) = next {
            if at == name.value {
                let path = format!("{}.{}.when", decoder.path(), name.value);
                let spot = crate::Spot { path, origin: range.range.origin.clone() };
                let what = format!("`{}` would exist only under a value that itself waits for it", name.value);
                let help = "leave one of the conditions out".to_owned();
                decoder.errors.push(Error::SearchRange { spot, what, help });
                return;
            }
            if !seen.insert(at) {
                break;
            }
            next = parent(at);
        }
    }
}

/// Refuses a value that the estimator's parameter would not take; says whether it is taken.
fn check_value(
    spec: &EstimatorSpec,
    name: &Located<String>,
    value: &Value,
    origin: &Origin,
    decoder: &mut Decoder,
) -> bool {
    let before = decoder.errors.len();
    let node = Node { content: Content::Mapping(vec![(name.clone(), node_of(value, origin))]), origin: origin.clone() };
    EstimatorSpec::decode(spec.name(), &node, decoder);
    // What one parameter needs beside it is another's business: the trial has it.
    let mut at = before;
    while at < decoder.errors.len() {
        match decoder.errors[at] {
            Error::LoneParameter { .. } | Error::ParameterConflict { .. } => drop(decoder.errors.remove(at)),
            _ => at += 1,
        }
    }
    decoder.errors.len() == before
}

/// Writes a value as a spec does.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl EstimatorSpec {
    /// Gives the same estimator with some parameters, by their own names, set to other values; a null removes one.
    ///
    /// # Errors
    /// Values that the estimator does not take, or not beside each other.
    pub fn with(&self, values: &[(String, Value)]) -> Result<EstimatorSpec, trainyard_diagnostics::Problems> {
        let mut parameters: Map<String, Value> = self.encode();
        for (name, value) in values {
            match value {
                Value::Null => drop(parameters.remove(name)),
                value => drop(parameters.insert(name.clone(), value.clone())),
            }
        }
        // What would stop a trial early is of no use to one that does not.
        let is_chosen = values.iter().any(|(name, _)| name == "scoring");
        if parameters.get("early_stopping") == Some(&Value::Bool(false)) && !is_chosen {
            parameters.remove("scoring");
        }
        let mut decoder = Decoder::new("a trial");
        let node = crate::tree::from_json(&Value::Object(parameters));
        match EstimatorSpec::decode(self.name(), &node, &mut decoder) {
            Some(spec) if decoder.errors.is_empty() => Ok(spec),
            _ => Err(decoder.errors.iter().map(Error::diagnostic).collect()),
        }
    }
}

/// The kinds of groups, and the section of each in which keys stand.
const KINDS: [(&str, Option<&str>); 4] =
    [("numeric", None), ("categorical", None), ("text", Some("tfidf")), ("image", None)];

impl FeatureSpec {
    /// Gives the same features with some keys of groups, named as [`TuneSpec::features`] names them, set to other values.
    ///
    /// # Errors
    /// No group has a key; what groups do not take.
    pub fn with(&self, values: &[(String, Value)]) -> Result<FeatureSpec, trainyard_diagnostics::Problems> {
        let origin = Origin::Default;
        let mut decoder = Decoder::new("a trial");
        let values: Vec<NewValue<'_>> = values.iter().map(|(name, value)| (name.as_str(), value, &origin)).collect();
        match self.changed(&values, &mut decoder) {
            Some(spec) if decoder.errors.is_empty() => Ok(spec),
            _ => Err(decoder.errors.iter().map(Error::diagnostic).collect()),
        }
    }

    fn changed(&self, values: &[NewValue<'_>], decoder: &mut Decoder) -> Option<FeatureSpec> {
        let mut whole = self.encode();
        for (name, value, origin) in values {
            if !set(&mut whole, name, value) {
                let known = searchable(&whole);
                let spot = crate::Spot { path: format!("tune.features.{name}"), origin: (*origin).clone() };
                decoder.errors.push(Error::NotOneOf { spot, value: (*name).to_owned(), known });
            }
        }
        let origin = values.first().map_or(&Origin::Default, |(_, _, origin)| origin);
        Record::decode(&node_of(&Value::Object(whole), origin), decoder)
    }
}

/// A key of groups, its value, and where that was written.
type NewValue<'a> = (&'a str, &'a Value, &'a Origin);

/// Gives the features with some keys of groups set to other values, where they can be.
pub(crate) fn changed(features: &FeatureSpec, values: &[NewValue<'_>]) -> Option<FeatureSpec> {
    let mut decoder = Decoder::new("a trial");
    features.changed(values, &mut decoder).filter(|_| decoder.errors.is_empty())
}

/// Gives the section of a group in which its keys stand, and its kind.
fn keys_of(group: &mut Value) -> Option<(&'static str, &mut Map<String, Value>)> {
    let (kind, inner) = KINDS.into_iter().find(|(kind, _)| group.get(*kind).is_some())?;
    let keys = match inner {
        Some(inner) => group.get_mut(inner)?,
        None => group,
    };
    keys.as_object_mut().map(|keys| (kind, keys))
}

/// Says whether a group has a key: written, and as something else than none.
fn has(keys: &Map<String, Value>, key: &str) -> bool {
    keys.get(key).is_some_and(|value| !value.is_null() && value != "none" && !value.is_array() && !value.is_object())
}

/// Sets a key of all groups that have it; says whether there are any.
fn set(features: &mut Map<String, Value>, name: &str, value: &Value) -> bool {
    let Some((wanted, key)) = name.split_once('.') else { return false };
    let mut found = false;
    for group in features.get_mut("groups").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some((_, keys)) = keys_of(group).filter(|(kind, _)| *kind == wanted) else { continue };
        // A key of texts is there by its default.
        if has(keys, key) || wanted == "text" && value.is_number() {
            found = true;
            match value {
                Value::Null => drop(keys.remove(key)),
                value => drop(keys.insert(key.to_owned(), value.clone())),
            }
        }
    }
    found
}

/// Names the keys that can be sought.
fn searchable(features: &Map<String, Value>) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut features = features.clone();
    for group in features.get_mut("groups").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some((kind, keys)) = keys_of(group) {
            known.extend(keys.keys().filter(|key| has(keys, key)).map(|key| format!("{kind}.{key}")));
        }
    }
    known.into_iter().collect()
}

/// Holds what is sought of the features against them.
pub(crate) fn check_features(tune: &TuneSpec, features: &FeatureSpec, candidates: usize, errors: &mut Vec<Error>) {
    let mut decoder = Decoder::new("the features");
    for (name, range) in &tune.features {
        if let Some(when) = &range.when {
            let spot = crate::Spot {
                path: format!("tune.features.{}.when", name.value),
                origin: when.parameter.origin.clone(),
            };
            let what = "features have no conditions".to_owned();
            let help = "leave `when` out".to_owned();
            decoder.errors.push(Error::SearchRange { spot, what, help });
        }
        for value in range.range.value.ends() {
            let before = decoder.errors.len();
            let at = |text: &str| Located::new(text.to_owned(), name.origin.clone());
            decoder.under(&at("tune"), |decoder| {
                decoder.under(&at("features"), |decoder| {
                    decoder
                        .under(name, |decoder| features.changed(&[(&name.value, &value, &range.range.origin)], decoder))
                })
            });
            if decoder.errors.len() > before {
                break;
            }
        }
    }
    if let (Some((name, _)), false, true) = (tune.features.first(), tune.together, candidates > 1) {
        let why = "candidates that are searched one by one could want other features, and a model version has one";
        decoder.errors.push(Error::LoneParameter { key: name.clone(), needs: "together: true", why });
    }
    errors.append(&mut decoder.errors);
}

/// Reads a scalar as JSON has it.
fn scalar_value(node: &Node) -> Option<Value> {
    let Content::Scalar(scalar) = &node.content else { return None };
    Some(match scalar.kind() {
        Kind::Null => Value::Null,
        Kind::Boolean(value) => value.into(),
        Kind::Integer(value) => i64::try_from(value).ok()?.into(),
        Kind::Float(value) if value.is_finite() => value.into(),
        Kind::Float(_) => return None,
        Kind::Text => scalar.text.clone().into(),
    })
}
