//! One declaration per record, from which its struct, its decoder, its known keys and its JSON Schema come.
//!
//! A [`record!`] lists keys with a rule each: a [`Presence`] (required, optional, with a default) around a [`Shape`] (what
//! stands under the key). A shape decodes a node, encodes a value in the same form, and says its schema, so that the
//! three cannot drift.

mod collection;
mod decoder;
mod presence;
mod record;
mod scalar;

pub(crate) use collection::{list, map, numbered, sorted_map};
pub use decoder::Spot;
pub(crate) use decoder::{Decoder, Section};
pub(crate) use presence::{Presence, decided, defaulted, optional, or_empty, required, ruled, unless_given};
pub(crate) use record::{FieldInfo, Record, doc, key, named, rec, record};
pub(crate) use scalar::{Integer, Named, Number, bare, boolean, character, choice, integer, number, quoting, text};

use std::collections::BTreeMap;

use serde_json::Value;

use crate::tree::Node;

/// Schemas of records by name, referred to as `#/$defs/NAME`.
pub(crate) type Definitions = BTreeMap<String, Value>;

/// What may stand under a key.
pub(crate) trait Shape {
    /// What it becomes.
    type Value;

    /// Gives the value of a node, or nothing after telling the decoder why not.
    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Self::Value>;

    /// Gives the form that decodes to the same value.
    fn encode(&self, value: &Self::Value) -> Value;

    /// Gives the JSON Schema of that form.
    fn schema(&self, definitions: &mut Definitions) -> Value;
}
