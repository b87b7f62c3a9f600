//! One parameter's range.

use serde_json::{Value, json};

use super::scalar_value;
use crate::declare::{Decoder, Definitions, Shape, bare, boolean, list, number, optional, rec, record, unless_given};
use crate::error::Error;
use crate::tree::{Content, Node};
use crate::{Located, Origin, Spot};

/// The values of a parameter that a search may choose.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// Numbers from `low` to `high`.
    Float {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
        /// Whether orders of magnitude count alike.
        log: bool,
        /// The distance of neighbours.
        step: Option<f64>,
    },
    /// Whole numbers from `low` to `high`.
    Int {
        /// The least.
        low: i64,
        /// The greatest.
        high: i64,
        /// Whether orders of magnitude count alike.
        log: bool,
        /// The distance of neighbours, from 1.
        step: i64,
    },
    /// These values: null, truth values, numbers, texts.
    Choice(Vec<Value>),
}

impl Range {
    /// Gives the number of values; none where it is every number between two.
    pub fn count(&self) -> Option<u64> {
        match self {
            Range::Float { low, high, .. } if low == high => Some(1),
            Range::Float { step: None, .. } => None,
            Range::Float { low, high, step: Some(step), .. } => Some(((high - low) / step + 1e-8) as u64 + 1),
            Range::Int { low, high, step, .. } => Some(((high - low) / step) as u64 + 1),
            Range::Choice(choices) => Some(choices.len() as u64),
        }
    }

    /// Gives the values by which a range is judged: both ends, or every listed value.
    pub(crate) fn ends(&self) -> Vec<Value> {
        match self {
            Range::Float { low, high, .. } => vec![(*low).into(), (*high).into()],
            Range::Int { low, high, .. } => vec![(*low).into(), (*high).into()],
            // Nothing stands for a parameter that is left out.
            Range::Choice(choices) => choices.iter().filter(|choice| !choice.is_null()).cloned().collect(),
        }
    }
}

/// A parameter's range, and when it exists.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRange {
    /// Its values.
    pub range: Located<Range>,
    /// When it exists; left out, always.
    pub when: Option<Condition>,
}

/// The values of another parameter under which one exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The other parameter.
    pub parameter: Located<String>,
    /// Its values.
    pub values: Vec<Located<Value>>,
}

/// Takes nothing, a truth value, a finite number or a text.
pub(super) struct AnyScalar;

impl Shape for AnyScalar {
    type Value = Located<Value>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<Value>> {
        match scalar_value(node) {
            Some(value) => Some(Located::new(value, node.origin.clone())),
            None => {
                decoder.wrong_type(node, "a finite number, a text, a truth value or null");
                None
            }
        }
    }

    fn encode(&self, value: &Located<Value>) -> Value {
        value.value.clone()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": ["null", "boolean", "number", "string"] })
    }
}

/// Makes a node of a scalar.
pub(super) fn node_of(value: &Value, origin: &Origin) -> Node {
    crate::tree::from_json(value).moved_to(origin)
}

record! {
    /// The range of a parameter that is searched: `float`, `int` or `choice`; a list alone is a `choice`.
    pub(super) struct SearchRangeSpec {
        /// The least and the greatest number.
        float: Option<Vec<Located<f64>>> = optional(list(number())),
        /// The least and the greatest whole number.
        int: Option<Vec<Located<i64>>> = optional(list(WholeNumber)),
        /// The values.
        choice or ["categorical"]: Option<Vec<Located<Value>>> = optional(list(AnyScalar)),
        /// Whether orders of magnitude count alike.
        log: bool = unless_given(bare(boolean()), false),
        /// The distance of neighbours.
        step: Option<Located<f64>> = optional(number().above(0.0)),
        /// The parameter, of listed values, under whose value or values this one exists.
        when: Option<Condition> = optional(ConditionShape),
    }
}

/// Takes a whole number up to 2^53 on either side of 0, which doubles hold exactly.
struct WholeNumber;

impl Shape for WholeNumber {
    type Value = Located<i64>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<i64>> {
        match scalar_value(node) {
            Some(Value::Number(value)) if value.as_i64().is_some_and(|value| value.abs() <= 1 << 53) => {
                Some(Located::new(value.as_i64()?, node.origin.clone()))
            }
            Some(Value::Number(value)) if !value.is_f64() => {
                let range = "a whole number from -9007199254740992 to 9007199254740992".to_owned();
                let spot = decoder.spot(node);
                decoder.errors.push(Error::OutOfRange { spot, value: value.to_string(), range, whose: None });
                None
            }
            _ => {
                decoder.wrong_type(node, "a whole number");
                None
            }
        }
    }

    fn encode(&self, value: &Located<i64>) -> Value {
        value.value.into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": "integer" })
    }
}

/// A condition: `{booster: gbtree}`, `{booster: [gbtree, dart]}`.
struct ConditionShape;

impl Shape for ConditionShape {
    type Value = Condition;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Condition> {
        let entries = match &node.content {
            Content::Mapping(entries) => entries.as_slice(),
            Content::Scalar(_) | Content::Sequence(_) => &[],
        };
        let [(parameter, values)] = entries else {
            decoder.wrong_type(node, "one parameter with its value, such as {grow_policy: lossguide}");
            return None;
        };
        let values = decoder.under(parameter, |decoder| match &values.content {
            Content::Sequence(_) => list(AnyScalar).filled().decode(values, decoder),
            Content::Scalar(_) | Content::Mapping(_) => AnyScalar.decode(values, decoder).map(|value| vec![value]),
        })?;
        Some(Condition { parameter: parameter.clone(), values })
    }

    fn encode(&self, value: &Condition) -> Value {
        json!({ value.parameter.value.clone(): list(AnyScalar).encode(&value.values) })
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({
            "type": "object",
            "additionalProperties": { "anyOf": [
                AnyScalar.schema(definitions), list(AnyScalar).filled().schema(definitions),
            ] },
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

/// Takes a range as [`SearchRangeSpec`] has it, or a list of values.
pub(super) struct RangeShape;

impl Shape for RangeShape {
    type Value = SearchRange;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<SearchRange> {
        let spot = decoder.spot(node);
        let (range, when) = match &node.content {
            Content::Sequence(_) => (choices(list(AnyScalar).decode(node, decoder)?, &spot, decoder)?, None),
            Content::Mapping(_) => {
                let spec = rec::<SearchRangeSpec>().decode(node, decoder)?;
                let kinds = [spec.float.is_some(), spec.int.is_some(), spec.choice.is_some()];
                if kinds.iter().filter(|is_given| **is_given).count() != 1 {
                    let what = "a range is one of float, int and choice".to_owned();
                    let help = "write {float: [0.01, 0.3], log: true}, {int: [2, 9]} or [a, b]".to_owned();
                    decoder.errors.push(Error::SearchRange { spot, what, help });
                    return None;
                }
                let when = spec.when.clone();
                (range(spec, &spot, decoder)?, when)
            }
            Content::Scalar(_) => {
                decoder.wrong_type(node, "a range such as {float: [0.01, 0.3], log: true}, or a list of values");
                return None;
            }
        };
        Some(SearchRange { range: Located::new(range, spot.origin), when })
    }

    fn encode(&self, value: &SearchRange) -> Value {
        let mut encoded = match &value.range.value {
            Range::Float { low, high, log, step } => with_steps(json!({ "float": [low, high] }), *log, *step),
            Range::Int { low, high, log, step } => {
                with_steps(json!({ "int": [low, high] }), *log, (*step != 1).then_some(*step))
            }
            Range::Choice(choices) => json!({ "choice": choices }),
        };
        if let Some(when) = &value.when {
            encoded["when"] = ConditionShape.encode(when);
        }
        encoded
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [rec::<SearchRangeSpec>().schema(definitions), list(AnyScalar).filled().schema(definitions)] })
    }
}

/// Writes what is not as usual of a range's steps.
fn with_steps(mut encoded: Value, log: bool, step: Option<impl Into<Value>>) -> Value {
    if log {
        encoded["log"] = true.into();
    }
    if let Some(step) = step {
        encoded["step"] = step.into();
    }
    encoded
}

fn choices(values: Vec<Located<Value>>, spot: &Spot, decoder: &mut Decoder) -> Option<Range> {
    // 1 and 1.0 are one number.
    let is_same = |one: &Value, other: &Value| one == other || one.is_number() && one.as_f64() == other.as_f64();
    let again =
        (1..values.len()).find(|&at| values[..at].iter().any(|before| is_same(&before.value, &values[at].value)));
    let (what, help) = match again {
        _ if values.is_empty() => ("there is nothing to choose from".to_owned(), "list the values"),
        Some(at) => (format!("the value {} is there twice", super::shown(&values[at].value)), "keep one of them"),
        None => return Some(Range::Choice(values.into_iter().map(|value| value.value).collect())),
    };
    decoder.errors.push(Error::SearchRange { spot: spot.clone(), what, help: help.to_owned() });
    None
}

/// Makes a range of its record, in which one kind is given.
fn range(spec: SearchRangeSpec, spot: &Spot, decoder: &mut Decoder) -> Option<Range> {
    let mut refuse = |what: String, help: &str| {
        let (spot, help) = (spot.clone(), help.to_owned());
        decoder.errors.push(Error::SearchRange { spot, what, help });
        None
    };
    let log = spec.log;
    let bounds = |given: usize| format!("a range has two bounds, and this one has {given}");
    let both = "write the least and the greatest value: [0.01, 0.3]";
    let inverted = |low: String, high: String| format!("the range from {low} to {high} is empty");
    let swap = "write the lower bound first";
    if let Some(values) = spec.choice {
        if log || spec.step.is_some() {
            return refuse("listed values have neither `log` nor `step`".to_owned(), "leave them out");
        }
        return choices(values, spot, decoder);
    }
    if log && spec.step.is_some() {
        return refuse("logarithms have no steps".to_owned(), "leave `log` or `step` out");
    }
    if let Some(values) = spec.float {
        let [low, high] = values.as_slice() else { return refuse(bounds(values.len()), both) };
        let (low, high) = (low.value, high.value);
        if low > high {
            return refuse(inverted(low.to_string(), high.to_string()), swap);
        }
        if log && low <= 0.0 {
            return refuse(format!("there is no logarithm of {low}"), "begin above 0, or leave `log` out");
        }
        if !(high - low).is_finite() {
            return refuse("the range is wider than numbers are".to_owned(), "write bounds that are nearer");
        }
        if spec.step.as_ref().is_some_and(|step| (high - low) / step.value > (1_u64 << 53) as f64) {
            return refuse("its steps are too many to be counted".to_owned(), "write a greater `step`");
        }
        return Some(Range::Float { low, high, log, step: spec.step.map(|step| step.value) });
    }
    let values = spec.int.unwrap_or_default();
    let [low, high] = values.as_slice() else { return refuse(bounds(values.len()), both) };
    let (low, high) = (low.value, high.value);
    if low > high {
        return refuse(inverted(low.to_string(), high.to_string()), swap);
    }
    if log && low < 1 {
        return refuse(format!("there is no logarithm of {low}"), "begin at 1 or above, or leave `log` out");
    }
    let step = spec.step.map_or(1.0, |step| step.value);
    if step.fract() != 0.0 || step > (1_u64 << 53) as f64 {
        return refuse(format!("whole numbers are never {step} apart"), "write a whole `step`");
    }
    Some(Range::Int { low, high, log, step: step as i64 })
}
