//! Gates: what a model must reach on the reference test.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use crate::Located;
use crate::declare::{Decoder, Definitions, Number, Shape, number};
use crate::error::Error;
use crate::metric::{METRICS, MetricInfo, find, limit_of_loss};
use crate::tree::Node;

/// The side on which a limit bounds a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The metric must be the limit or more.
    AtLeast,
    /// The metric must be the limit or less.
    AtMost,
}

impl Bound {
    /// Gives the key under which such limits stand.
    pub fn name(self) -> &'static str {
        match self {
            Bound::AtLeast => "at_least",
            Bound::AtMost => "at_most",
        }
    }
}

/// One limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The metric, by its own name whatever alias was written.
    pub metric: Located<String>,
    /// The limit.
    pub limit: Located<f64>,
    /// Its side.
    pub bound: Bound,
}

/// All limits: those of `at_least`, then those of `at_most`, each in the order written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gates(pub Vec<Gate>);

impl Deref for Gates {
    type Target = [Gate];

    fn deref(&self) -> &[Gate] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Gates {
    type Item = &'a Gate;
    type IntoIter = std::slice::Iter<'a, Gate>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// What a key directly under `gates` means.
enum Short {
    Limit(&'static MetricInfo, Bound),
    /// A limit on what may be lost against the model in production.
    Loss(&'static MetricInfo),
}

/// Reads `min_accuracy`, `max_inference_time_ms`, `f1_threshold`, `max_f1_regression` and their like.
fn short(key: &str) -> Option<Short> {
    if let Some(metric) = key.strip_prefix("max_").and_then(|rest| rest.strip_suffix("_regression")).and_then(find) {
        return (!metric.is_clock()).then_some(Short::Loss(metric));
    }
    if let Some(metric) = key.strip_prefix("min_").and_then(find) {
        return Some(Short::Limit(metric, Bound::AtLeast));
    }
    if let Some(metric) = key.strip_prefix("max_").and_then(find) {
        return Some(Short::Limit(metric, Bound::AtMost));
    }
    let metric = key.strip_suffix("_threshold").and_then(find)?;
    Some(Short::Limit(metric, if metric.higher_is_better { Bound::AtLeast } else { Bound::AtMost }))
}

/// Gives every name of a metric.
fn names(metric: &'static MetricInfo) -> impl Iterator<Item = &'static str> {
    std::iter::once(metric.name).chain(metric.aliases.iter().copied())
}

/// Gives every key that may stand directly under `gates` beside `at_least` and `at_most`.
fn short_keys() -> Vec<String> {
    let mut keys = Vec::new();
    for metric in METRICS {
        for name in names(metric) {
            keys.extend([format!("min_{name}"), format!("max_{name}"), format!("{name}_threshold")]);
            if !metric.is_clock() {
                keys.push(format!("max_{name}_regression"));
            }
        }
    }
    keys
}

/// Gives the shape of a limit for a metric.
fn limit(metric: &MetricInfo) -> Number {
    let shape = number();
    let shape = metric.range.0.map_or(shape, |least| shape.at_least(least));
    metric.range.1.map_or(shape, |most| shape.at_most(most))
}

/// The `gates` section.
pub(crate) struct GatesShape;

impl GatesShape {
    fn side(
        &self,
        node: &Node,
        bound: Bound,
        gates: &mut Vec<(Located<String>, Gate)>,
        decoder: &mut Decoder,
    ) -> Option<()> {
        let mut whole = Some(());
        for (key, value) in decoder.entries(node, "metrics with a limit each")? {
            let gate = decoder.under(key, |decoder| match find(&key.value) {
                Some(metric) => gate(key, metric, bound, value, decoder),
                None => {
                    let known = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
                    let spot = decoder.here(value);
                    decoder.errors.push(Error::UnknownMetric { spot, name: key.value.clone(), known });
                    None
                }
            });
            match gate {
                Some(gate) => gates.push((key.clone(), gate)),
                None => whole = None,
            }
        }
        whole
    }
}

fn gate(key: &Located<String>, metric: &MetricInfo, bound: Bound, value: &Node, decoder: &mut Decoder) -> Option<Gate> {
    let limit = limit(metric).decode(value, decoder)?;
    Some(Gate { metric: Located::new(metric.name.to_owned(), key.origin.clone()), limit, bound })
}

impl Shape for GatesShape {
    type Value = Gates;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Gates> {
        let mut gates: Vec<(Located<String>, Gate)> = Vec::new();
        let mut whole = Some(());
        for (key, value) in decoder.entries(node, "a section with `at_least` and `at_most`")? {
            let read = decoder.under(key, |decoder| match (key.value.as_str(), short(&key.value)) {
                ("at_least", _) => self.side(value, Bound::AtLeast, &mut gates, decoder),
                ("at_most", _) => self.side(value, Bound::AtMost, &mut gates, decoder),
                (_, Some(Short::Limit(metric, bound))) => {
                    gate(key, metric, bound, value, decoder).map(|gate| gates.push((key.clone(), gate)))
                }
                (_, Some(Short::Loss(metric))) => limit_of_loss().decode(value, decoder).map(|limit| {
                    let metric = Located::new(metric.name.to_owned(), key.origin.clone());
                    decoder.may_lose.push((metric, limit));
                }),
                (_, None) => Some(()),
            });
            if !matches!(key.value.as_str(), "at_least" | "at_most") && short(&key.value).is_none() {
                let known = ["at_least", "at_most"].map(str::to_owned).into_iter().chain(short_keys()).collect();
                let (section, file) = (decoder.path(), decoder.file);
                decoder.errors.push(Error::UnknownKey { key: key.clone(), section, file, known });
                whole = None;
            }
            whole = whole.and(read);
        }
        for (index, (key, gate)) in gates.iter().enumerate() {
            let same = |(_, other): &&(Located<String>, Gate)| other.metric == gate.metric && other.bound == gate.bound;
            if let Some((first, _)) = gates.iter().take(index).find(same) {
                let metric = gate.metric.value.clone();
                decoder.errors.push(Error::DuplicateGate { key: key.clone(), first: first.clone(), metric });
            }
        }
        // One order whichever of their names the limits stand under.
        gates.sort_by_key(|(_, gate)| gate.bound == Bound::AtMost);
        whole.map(|()| Gates(gates.into_iter().map(|(_, gate)| gate).collect()))
    }

    fn encode(&self, value: &Gates) -> Value {
        let side = |bound| -> Value {
            let side = value.iter().filter(|gate| gate.bound == bound);
            Value::Object(side.map(|gate| (gate.metric.value.clone(), gate.limit.value.into())).collect())
        };
        json!({ "at_least": side(Bound::AtLeast), "at_most": side(Bound::AtMost) })
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let mut sides = Map::new();
        for metric in METRICS {
            for name in names(metric) {
                let mut schema = limit(metric).schema(definitions);
                if name != metric.name {
                    schema["description"] = format!("Another name of `{}`.", metric.name).into();
                }
                sides.insert(name.to_owned(), schema);
            }
        }
        let mut properties = Map::new();
        for (bound, meaning) in [(Bound::AtLeast, "the limit or more"), (Bound::AtMost, "the limit or less")] {
            properties.insert(
                bound.name().to_owned(),
                json!({
                    "description": format!("Metrics of the reference test that must be {meaning}."),
                    "type": ["object", "null"],
                    "properties": sides,
                    "additionalProperties": false,
                }),
            );
        }
        for key in short_keys() {
            let (schema, meaning) = match short(&key) {
                Some(Short::Limit(metric, bound)) => {
                    (limit(metric).schema(definitions), format!("Another name of `{}.{}`.", bound.name(), metric.name))
                }
                Some(Short::Loss(metric)) => (
                    limit_of_loss().schema(definitions),
                    format!("Another name of `promote.may_lose.{}`.", metric.name),
                ),
                None => continue,
            };
            let mut schema = schema;
            schema["description"] = meaning.into();
            properties.insert(key, schema);
        }
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }
}
