//! Shapes of lists and of sections whose keys the user names.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{Decoder, Definitions, Shape};
use crate::error::Error;
use crate::tree::{Content, Node};

/// A list.
pub(crate) struct List<S> {
    item: S,
    filled: bool,
}

/// Takes a list of what `item` takes.
pub(crate) fn list<S>(item: S) -> List<S> {
    List { item, filled: false }
}

impl<S> List<S> {
    /// Takes no empty list.
    pub(crate) fn filled(self) -> List<S> {
        List { filled: true, ..self }
    }
}

impl<S: Shape> Shape for List<S> {
    type Value = Vec<S::Value>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value> {
        let Content::Sequence(items) = &node.content else {
            decoder.wrong_type(node, "a list");
            return None;
        };
        if self.filled && items.is_empty() {
            let spot = decoder.spot(node);
            decoder.errors.push(Error::Empty { spot, needs: "one item or more" });
            return None;
        }
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let key = Located::new((index + 1).to_string(), first_line(item));
            values.push(decoder.under(&key, |decoder| self.item.decode(item, decoder)));
        }
        values.into_iter().collect()
    }

    fn encode(&self, value: &Self::Value) -> Value {
        value.iter().map(|item| self.item.encode(item)).collect()
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let mut schema = json!({ "type": "array", "items": self.item.schema(definitions) });
        if self.filled {
            schema["minItems"] = 1.into();
        }
        schema
    }
}

/// Gives the first key of an item that is a section, else the item: what a message about the item points at.
fn first_line(item: &Node) -> crate::Origin {
    match &item.content {
        Content::Mapping(entries) if !item.on_one_line() => {
            entries.first().map_or_else(|| item.origin.clone(), |(key, _)| key.origin.clone())
        }
        _ => item.origin.clone(),
    }
}

fn pairs<S: Shape>(
    shape: &S,
    node: &Node,
    expected: &str,
    decoder: &mut Decoder,
) -> Option<Vec<(Located<String>, S::Value)>> {
    let entries = decoder.entries(node, expected)?;
    let mut pairs = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if key.value.trim().is_empty() {
            let spot = decoder.under(key, |decoder| decoder.here(node));
            decoder.errors.push(Error::Empty { spot, needs: "a name" });
        }
        let value = decoder.under(key, |decoder| shape.decode(value, decoder));
        pairs.push(value.map(|value| (key.clone(), value)));
    }
    pairs.into_iter().collect()
}

/// Says why a text cannot be a name.
type Objection = fn(&str) -> Option<String>;

/// Names and values in the order written.
pub(crate) struct Mapping<S> {
    value: S,
    objection: Option<Objection>,
}

/// Takes names that the user chooses, each with what `value` takes.
pub(crate) fn map<S>(value: S) -> Mapping<S> {
    Mapping { value, objection: None }
}

impl<S> Mapping<S> {
    /// Takes no name that there is something to say against.
    pub(crate) fn unless(self, objection: Objection) -> Mapping<S> {
        Mapping { objection: Some(objection), ..self }
    }
}

impl<S: Shape> Shape for Mapping<S> {
    type Value = Vec<(Located<String>, S::Value)>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value> {
        if let (Some(objection), Content::Mapping(entries)) = (self.objection, &node.content) {
            for (key, _) in entries {
                if let Some(why) = objection(&key.value) {
                    let spot = decoder.under(key, |decoder| decoder.here(node));
                    decoder.errors.push(Error::BadName { spot, name: key.value.clone(), why });
                }
            }
        }
        pairs(&self.value, node, "names with a value each", decoder)
    }

    fn encode(&self, value: &Self::Value) -> Value {
        let entries = value.iter().map(|(name, value)| (name.value.clone(), self.value.encode(value)));
        Value::Object(entries.collect())
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "type": "object", "additionalProperties": self.value.schema(definitions) })
    }
}

/// Names and values in the order of the names.
pub(crate) struct SortedMap<S>(S);

/// Takes names that the user chooses, each with what `value` takes, whose order means nothing.
pub(crate) fn sorted_map<S>(value: S) -> SortedMap<S> {
    SortedMap(value)
}

impl<S: Shape> Shape for SortedMap<S> {
    type Value = BTreeMap<String, S::Value>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value> {
        let pairs = pairs(&self.0, node, "names with a value each", decoder)?;
        Some(pairs.into_iter().map(|(name, value)| (name.value, value)).collect())
    }

    fn encode(&self, value: &Self::Value) -> Value {
        Value::Object(value.iter().map(|(name, value)| (name.clone(), self.0.encode(value))).collect())
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({ "type": "object", "additionalProperties": self.0.schema(definitions) })
    }
}

/// Version numbers with a value each.
pub(crate) struct Numbered<S>(S);

/// Takes version numbers, each with what `value` takes.
pub(crate) fn numbered<S>(value: S) -> Numbered<S> {
    Numbered(value)
}

impl<S: Shape> Shape for Numbered<S> {
    type Value = BTreeMap<u32, S::Value>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value> {
        let number = |key: &str| key.parse::<u32>().ok().filter(|number| *number > 0 && number.to_string() == key);
        let expected = "version numbers with a value each";
        for (key, _) in decoder.entries(node, expected)?.iter().filter(|(key, _)| number(&key.value).is_none()) {
            let spot = decoder.under(key, |decoder| decoder.here(node));
            let range = "a version number, from 1".to_owned();
            decoder.errors.push(Error::OutOfRange { spot, value: key.value.clone(), range, whose: None });
        }
        let pairs = pairs(&self.0, node, expected, decoder)?;
        pairs.into_iter().map(|(key, value)| Some((number(&key.value)?, value))).collect()
    }

    fn encode(&self, value: &Self::Value) -> Value {
        Value::Object(value.iter().map(|(number, value)| (number.to_string(), self.0.encode(value))).collect())
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        json!({
            "type": "object",
            "patternProperties": { "^[1-9][0-9]*$": self.0.schema(definitions) },
            "additionalProperties": false,
        })
    }
}
