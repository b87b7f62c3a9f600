//! JSON Schema, as far as it says something about one JSON value: drafts 4 to 2020-12, by default the last one. `format`
//! and the `content…` keywords are not checked, as in Python's `jsonschema` by default.
//!
//! A schema is read once: its patterns, its references, and every keyword, of which an unknown one would hold silently.

mod compile;
mod judge;

use std::collections::{HashMap, HashSet};

use super::pattern::Pattern;
use super::value::Value;

/// The place of a schema among all of one document.
type Id = usize;

/// Holds a schema with all that it refers to; the first one is the whole.
#[derive(Debug)]
pub(crate) struct Schema {
    nodes: Vec<Node>,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// A keyword that is not known, one whose value has another form, a reference that leads nowhere.
    pub(crate) fn new(schema: &Value) -> Result<Schema, String> {
        compile::compile(schema)
    }

    /// Tells whether `value` is what the schema says.
    ///
    /// # Errors
    /// References that lead in a circle, a pattern that explodes, more steps than one value may take.
    pub(crate) fn holds(&self, value: &Value) -> Result<bool, String> {
        judge::holds(self, value)
    }
}

#[derive(Debug)]
enum Node {
    /// What is said by `true` or `false`.
    Always(bool),
    Rules(Vec<Rule>),
}

/// What one keyword says, with those that only make sense beside it.
#[derive(Debug)]
enum Rule {
    Ref(Id),
    Type(Vec<Kind>),
    Enum(Vec<Value>),
    Const(Value),
    All(Vec<Id>),
    Any(Vec<Id>),
    One(Vec<Id>),
    Not(Id),
    If {
        when: Id,
        then: Option<Id>,
        otherwise: Option<Id>,
    },
    Bound {
        limit: Value,
        is_least: bool,
        is_strict: bool,
    },
    Multiple(Value),
    Size {
        of: Measured,
        limit: f64,
        is_least: bool,
    },
    Pattern(Pattern),
    /// The first items, each by a schema of its own.
    Prefix(Vec<Id>),
    /// The items from one on.
    Items {
        from: usize,
        schema: Id,
    },
    Contains {
        schema: Id,
        least: f64,
        most: f64,
    },
    Unique,
    Properties(HashMap<String, Id>),
    PatternProperties(Vec<(Pattern, Id)>),
    /// The properties that neither a name nor a pattern tells.
    Additional {
        names: HashSet<String>,
        patterns: Vec<Pattern>,
        schema: Id,
    },
    Names(Id),
    Required(Vec<String>),
    /// What has to be where a property is.
    Dependent(Vec<(String, Needed)>),
    UnevaluatedItems(Id),
    UnevaluatedProperties(Id),
}

/// What a property asks for.
#[derive(Debug)]
enum Needed {
    /// Other properties.
    Names(Vec<String>),
    /// That the whole object is what a schema says.
    Schema(Id),
}

/// What a length is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measured {
    Text,
    List,
    Map,
}

/// A JSON type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    /// A whole number, `1.0` among them.
    Integer,
    /// A whole number without a point, as draft 4 has it.
    PlainInteger,
    Number,
    String,
    Array,
    Object,
}
