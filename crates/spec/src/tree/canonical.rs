//! Nodes as JSON and back.

use serde_json::{Map, Number, Value};

use crate::tree::{Content, Kind, Node, Scalar};
use crate::{Located, Origin};

/// Gives what a text says, whatever its comments, quotes and layout: keys and items in the order written.
pub(crate) fn canonical(node: &Node, without: &[&str]) -> Value {
    match &node.content {
        Content::Scalar(scalar) => match scalar.kind() {
            Kind::Null => Value::Null,
            Kind::Boolean(value) => Value::Bool(value),
            Kind::Integer(value) => match (u64::try_from(value), i64::try_from(value)) {
                (Ok(value), _) => value.into(),
                (_, Ok(value)) => value.into(),
                _ => scalar.text.clone().into(),
            },
            Kind::Float(value) => match Number::from_f64(value) {
                Some(number) => Value::Number(number),
                None => scalar.text.clone().into(),
            },
            Kind::Text => scalar.text.clone().into(),
        },
        Content::Sequence(items) => items.iter().map(|item| canonical(item, &[])).collect(),
        Content::Mapping(entries) => {
            let kept = entries.iter().filter(|(key, _)| !without.contains(&key.value.as_str()));
            Value::Object(kept.map(|(key, value)| (key.value.clone(), canonical(value, &[]))).collect::<Map<_, _>>())
        }
    }
}

/// Makes nodes of a recorded value; they have no place.
pub(crate) fn from_json(value: &Value) -> Node {
    let scalar = |text: String, plain| Content::Scalar(Scalar { text, plain });
    let content = match value {
        Value::Null => scalar(String::new(), true),
        Value::Bool(value) => scalar(value.to_string(), true),
        Value::Number(number) => scalar(number.to_string(), true),
        Value::String(text) => scalar(text.clone(), false),
        Value::Array(items) => Content::Sequence(items.iter().map(from_json).collect()),
        Value::Object(entries) => Content::Mapping(
            entries.iter().map(|(key, value)| (Located::of_default(key.clone()), from_json(value))).collect(),
        ),
    };
    Node { content, origin: Origin::Default }
}
