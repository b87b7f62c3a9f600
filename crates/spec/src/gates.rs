//! Gates: what a model must reach on the reference test.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use crate::Located;
use crate::declare::{Decoder, Definitions, Number, Shape, Spot, number};
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

    /// Gives the sign between a value and its limit.
    pub fn sign(self) -> &'static str {
        match self {
            Bound::AtLeast => "≥",
            Bound::AtMost => "≤",
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
    /// Whether it bounds the worst slice of the reference test, and not the whole of it.
    pub of_worst_slice: bool,
}

impl Gate {
    /// Says whether a value keeps to the limit; an undefined one keeps to none.
    pub fn passes(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtLeast => value >= self.limit.value,
            Bound::AtMost => value <= self.limit.value,
        }
    }

    /// Says the limit: `roc_auc ≥ 0.75`.
    pub fn words(&self) -> String {
        format!("{} {} {}", self.name(), self.bound.sign(), self.limit.value)
    }

    /// Names what is bounded: `roc_auc`, `worst_slice.roc_auc`.
    pub fn name(&self) -> String {
        if self.of_worst_slice { format!("{WORST_SLICE}.{}", self.metric.value) } else { self.metric.value.clone() }
    }
}

/// The key under which limits on the worst slice stand.
const WORST_SLICE: &str = "worst_slice";
const WORST_SLICE_SECTION: &str = "gates.worst_slice";

/// All limits: those of `at_least`, then those of `at_most`, each in the order written, and then those of the worst slice.
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
    /// Reads `worst_slice`, which holds sides of its own.
    fn worst_slice(&self, node: &Node, gates: &mut Vec<(Located<String>, Gate)>, decoder: &mut Decoder) -> Option<()> {
        let before = gates.len();
        let mut whole = Some(());
        for (key, value) in decoder.entries(node, "a section with `at_least` and `at_most`")? {
            let read = decoder.under(key, |decoder| match key.value.as_str() {
                "at_least" => self.side(value, Bound::AtLeast, gates, decoder),
                "at_most" => self.side(value, Bound::AtMost, gates, decoder),
                _ => {
                    let known = ["at_least", "at_most"].map(str::to_owned).into();
                    let (section, file) = (WORST_SLICE_SECTION.to_owned(), decoder.file);
                    decoder.errors.push(Error::UnknownKey { key: key.clone(), section, file, known });
                    None
                }
            });
            whole = whole.and(read);
        }
        for (key, gate) in gates.iter_mut().skip(before) {
            gate.of_worst_slice = true;
            if find(&gate.metric.value).is_some_and(MetricInfo::is_clock) {
                let path = format!("{WORST_SLICE_SECTION}.{}.{}", gate.bound.name(), key.value);
                let spot = Spot { path, origin: key.origin.clone() };
                decoder.errors.push(Error::Measured { spot, name: gate.metric.value.clone() });
                whole = None;
            }
        }
        whole
    }

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
    let metric = Located::new(metric.name.to_owned(), key.origin.clone());
    Some(Gate { metric, limit, bound, of_worst_slice: false })
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
                (WORST_SLICE, _) => self.worst_slice(value, &mut gates, decoder),
                (_, Some(Short::Limit(metric, bound))) => {
                    gate(key, metric, bound, value, decoder).map(|gate| gates.push((key.clone(), gate)))
                }
                (_, Some(Short::Loss(metric))) => limit_of_loss().decode(value, decoder).map(|limit| {
                    let metric = Located::new(metric.name.to_owned(), key.origin.clone());
                    decoder.may_lose.push((metric, limit));
                }),
                (_, None) => Some(()),
            });
            let is_section = matches!(key.value.as_str(), "at_least" | "at_most" | WORST_SLICE);
            if !is_section && short(&key.value).is_none() {
                let known =
                    ["at_least", "at_most", WORST_SLICE].map(str::to_owned).into_iter().chain(short_keys()).collect();
                let (section, file) = (decoder.path(), decoder.file);
                decoder.errors.push(Error::UnknownKey { key: key.clone(), section, file, known });
                whole = None;
            }
            whole = whole.and(read);
        }
        for (index, (key, gate)) in gates.iter().enumerate() {
            let same = |(_, other): &&(Located<String>, Gate)| other.name() == gate.name() && other.bound == gate.bound;
            if let Some((first, _)) = gates.iter().take(index).find(same) {
                let metric = gate.name();
                decoder.errors.push(Error::DuplicateGate { key: key.clone(), first: first.clone(), metric });
            }
        }
        // One order whichever of their names the limits stand under.
        gates.sort_by_key(|(_, gate)| (gate.of_worst_slice, gate.bound == Bound::AtMost));
        whole.map(|()| Gates(gates.into_iter().map(|(_, gate)| gate).collect()))
    }

    fn encode(&self, value: &Gates) -> Value {
        let side = |bound, of_worst_slice| -> Value {
            let side = value.iter().filter(|gate| gate.bound == bound && gate.of_worst_slice == of_worst_slice);
            Value::Object(side.map(|gate| (gate.metric.value.clone(), gate.limit.value.into())).collect())
        };
        let sides = |of| json!({ "at_least": side(Bound::AtLeast, of), "at_most": side(Bound::AtMost, of) });
        let mut all = sides(false);
        if value.iter().any(|gate| gate.of_worst_slice) {
            all[WORST_SLICE] = sides(true);
        }
        all
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
        let mut of_slices = Map::new();
        for (bound, meaning) in [(Bound::AtLeast, "the limit or more"), (Bound::AtMost, "the limit or less")] {
            let clocks = METRICS.iter().filter(|metric| metric.is_clock()).flat_map(names);
            let mut sides = sides.clone();
            clocks.for_each(|clock| {
                sides.remove(clock);
            });
            of_slices.insert(
                bound.name().to_owned(),
                json!({
                    "description": format!("Metrics of the worst slice that must be {meaning}."),
                    "type": ["object", "null"],
                    "properties": sides,
                    "additionalProperties": false,
                }),
            );
        }
        properties.insert(
            WORST_SLICE.to_owned(),
            json!({
                "description": "What the worst slice of the reference test must reach; needs `evaluate.slices`.",
                "type": ["object", "null"],
                "properties": of_slices,
                "additionalProperties": false,
            }),
        );
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
