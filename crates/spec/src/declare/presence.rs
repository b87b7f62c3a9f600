//! Whether a key must be there, and what holds if it is not.

use serde_json::{Map, Value};

use crate::Located;
use crate::declare::{Decoder, Definitions, Section, Shape};
use crate::error::Error;

/// The rule of one key of a record.
pub(crate) trait Presence {
    /// What the key becomes.
    type Value;

    /// Gives the value of a key of a section.
    fn decode(&self, section: &Section<'_>, key: &str, aliases: &[&str], decoder: &mut Decoder) -> Option<Self::Value>;

    /// Writes the value under its key, or leaves the key out.
    fn encode(&self, key: &str, value: &Self::Value, object: &mut Map<String, Value>);

    /// Gives the schema of what stands under the key, its default included.
    fn schema(&self, definitions: &mut Definitions) -> Value;

    /// Says whether the key must be there.
    fn is_required(&self) -> bool {
        false
    }

    /// Says whether a list of parameters names the key where it is left out.
    fn is_listed(&self) -> bool {
        true
    }
}

fn found<S: Shape>(
    shape: &S,
    section: &Section<'_>,
    key: &str,
    aliases: &[&str],
    decoder: &mut Decoder,
) -> Option<Option<S::Value>> {
    let (key, node) = section.entry(key, aliases, decoder).filter(|(_, node)| !node.is_null())?;
    Some(decoder.under(key, |decoder| shape.decode(node, decoder)))
}

/// A key that must be there.
pub(crate) struct Required<S> {
    shape: S,
    example: &'static str,
}

/// Asks for a key; `example` shows what could stand there.
pub(crate) fn required<S>(shape: S, example: &'static str) -> Required<S> {
    Required { shape, example }
}

impl<S: Shape> Presence for Required<S> {
    type Value = S::Value;

    fn decode(&self, section: &Section<'_>, key: &str, aliases: &[&str], decoder: &mut Decoder) -> Option<S::Value> {
        match found(&self.shape, section, key, aliases, decoder) {
            Some(value) => value,
            None if section.misspells(key) => None,
            None => {
                let (section, file) = (decoder.here(section.node), decoder.file);
                decoder.errors.push(Error::MissingKey { section, file, key: key.to_owned(), example: self.example });
                None
            }
        }
    }

    fn encode(&self, key: &str, value: &S::Value, object: &mut Map<String, Value>) {
        object.insert(key.to_owned(), self.shape.encode(value));
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        self.shape.schema(definitions)
    }

    fn is_required(&self) -> bool {
        true
    }
}

/// A key that may be left out.
pub(crate) struct Optional<S> {
    shape: S,
    listed: bool,
}

/// Lets a key be left out.
pub(crate) fn optional<S>(shape: S) -> Optional<S> {
    Optional { shape, listed: true }
}

impl<S> Optional<S> {
    /// Names the key in no list of parameters that leaves it out, so that a later key changes no earlier list.
    pub(crate) fn unlisted(self) -> Optional<S> {
        Optional { listed: false, ..self }
    }
}

impl<S: Shape> Presence for Optional<S> {
    type Value = Option<S::Value>;

    fn decode(&self, section: &Section<'_>, key: &str, aliases: &[&str], decoder: &mut Decoder) -> Option<Self::Value> {
        match found(&self.shape, section, key, aliases, decoder) {
            Some(value) => value.map(Some),
            None => Some(None),
        }
    }

    fn encode(&self, key: &str, value: &Self::Value, object: &mut Map<String, Value>) {
        if let Some(value) = value {
            object.insert(key.to_owned(), self.shape.encode(value));
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        nullable(self.shape.schema(definitions))
    }

    fn is_listed(&self) -> bool {
        self.listed
    }
}

/// A key with a default.
pub(crate) struct Defaulted<S: Shape> {
    shape: S,
    default: S::Value,
}

/// Gives a key a default, whose origin is that nobody wrote it.
pub(crate) fn defaulted<T, S: Shape<Value = Located<T>>>(shape: S, default: T) -> Defaulted<S> {
    Defaulted { shape, default: Located::of_default(default) }
}

/// Gives a key whose value keeps no origin of its own a default.
pub(crate) fn unless_given<S: Shape>(shape: S, default: S::Value) -> Defaulted<S> {
    Defaulted { shape, default }
}

/// Ties a rule to the type of its field.
pub(crate) fn ruled<T, P: Presence<Value = T>>(rule: P) -> P {
    rule
}

/// Gives a key an empty default.
pub(crate) fn or_empty<S: Shape>(shape: S) -> Defaulted<S>
where
    S::Value: Default,
{
    Defaulted { shape, default: S::Value::default() }
}

impl<S: Shape> Presence for Defaulted<S>
where
    S::Value: Clone,
{
    type Value = S::Value;

    fn decode(&self, section: &Section<'_>, key: &str, aliases: &[&str], decoder: &mut Decoder) -> Option<S::Value> {
        found(&self.shape, section, key, aliases, decoder).unwrap_or_else(|| Some(self.default.clone()))
    }

    fn encode(&self, key: &str, value: &S::Value, object: &mut Map<String, Value>) {
        object.insert(key.to_owned(), self.shape.encode(value));
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        let mut schema = nullable(self.shape.schema(definitions));
        if let Value::Object(object) = &mut schema {
            object.insert("default".into(), self.shape.encode(&self.default));
        }
        schema
    }
}

/// A text whose default is decided when the whole record or project is known.
pub(crate) struct Decided<S>(S);

/// Leaves a text empty for the record's check to judge, or for [`crate::resolve`] to fill.
pub(crate) fn decided<S>(shape: S) -> Decided<S> {
    Decided(shape)
}

impl<S: Shape<Value = Located<String>>> Presence for Decided<S> {
    type Value = Located<String>;

    fn decode(&self, section: &Section<'_>, key: &str, aliases: &[&str], decoder: &mut Decoder) -> Option<Self::Value> {
        found(&self.0, section, key, aliases, decoder).unwrap_or_else(|| Some(Located::of_default(String::new())))
    }

    fn encode(&self, key: &str, value: &Self::Value, object: &mut Map<String, Value>) {
        if !value.is_empty() {
            object.insert(key.to_owned(), self.0.encode(value));
        }
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        nullable(self.0.schema(definitions))
    }
}

/// Allows nothing beside what a schema allows: a `null` leaves a key out.
fn nullable(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        let mut kinds = match kind.take() {
            Value::Array(kinds) => kinds,
            one => vec![one],
        };
        kinds.push("null".into());
        *kind = Value::Array(kinds);
        return schema;
    }
    if let Some(Value::Array(names)) = schema.get_mut("enum") {
        names.push(Value::Null);
        return schema;
    }
    serde_json::json!({ "anyOf": [schema, { "type": "null" }] })
}
