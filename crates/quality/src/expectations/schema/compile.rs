//! Reads schemas.

use std::collections::HashMap;

use trainyard_diagnostics::nearest;

use super::{Id, Kind, Measured, Needed, Node, Rule, Schema};
use crate::expectations::pattern::Pattern;
use crate::expectations::value::Value;

/// Keywords that say nothing about a value, or that another one reads.
const ANNOTATIONS: &[&str] = &[
    "$schema",
    "$comment",
    "$vocabulary",
    "$anchor",
    "$dynamicAnchor",
    "$recursiveAnchor",
    "id",
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$id",
];

/// Keywords that say something.
const RULES: &[&str] = &[
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "type",
    "enum",
    "const",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "required",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "$defs",
    "definitions",
];

/// The drafts that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Draft {
    Four,
    SixOrSeven,
    Later,
}

struct Compiler<'a> {
    root: &'a Value,
    /// The name of the whole schema, which references may begin with.
    base: &'a str,
    draft: Draft,
    anchors: HashMap<&'a str, &'a Value>,
    /// The schemas that were met, each once.
    met: Vec<&'a Value>,
    places: HashMap<*const Value, Id>,
}

pub(super) fn compile(root: &Value) -> Result<Schema, String> {
    let text = |key: &str| root.get(key).and_then(Value::as_text).unwrap_or_default();
    let uri = text("$schema");
    if uri.contains("draft-03") {
        return Err("`$schema`: draft 3 is not known; 4, 6, 7, 2019-09 and 2020-12 are".to_owned());
    }
    let draft = match uri {
        uri if uri.contains("draft-04") => Draft::Four,
        uri if uri.contains("draft-06") || uri.contains("draft-07") => Draft::SixOrSeven,
        _ => Draft::Later,
    };
    let base = text(if draft == Draft::Four { "id" } else { "$id" }).trim_end_matches('#');
    let mut compiler = Compiler { root, base, draft, anchors: anchors(root), met: Vec::new(), places: HashMap::new() };
    compiler.place(root);
    let mut nodes = Vec::new();
    // What a schema holds and refers to is met while it is read, and read in its turn.
    while let Some(schema) = compiler.met.get(nodes.len()).copied() {
        nodes.push(compiler.node(schema)?);
    }
    Ok(Schema { nodes })
}

/// Finds the schemas that have a name of their own.
fn anchors(root: &Value) -> HashMap<&str, &Value> {
    let mut found = HashMap::new();
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::List(items) => open.extend(items),
            Value::Map(entries) => {
                for (key, inner) in entries {
                    match (key.as_str(), inner) {
                        ("$anchor" | "$dynamicAnchor", Value::Text(name)) => {
                            found.insert(name.as_str(), value);
                        }
                        // As the drafts before 2019-09 write it.
                        ("$id" | "id", Value::Text(name)) if name.starts_with('#') => {
                            found.insert(&name[1..], value);
                        }
                        // What stands there is a value, not a schema.
                        ("enum" | "const" | "default" | "examples", _) => {}
                        _ => open.push(inner),
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Decodes `%2F` and its like.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

impl<'a> Compiler<'a> {
    /// Gives the place of a schema, which is read when its turn comes.
    fn place(&mut self, schema: &'a Value) -> Id {
        let next = self.met.len();
        let id = *self.places.entry(std::ptr::from_ref(schema)).or_insert(next);
        if id == next {
            self.met.push(schema);
        }
        id
    }

    fn places(&mut self, schemas: &'a [Value]) -> Vec<Id> {
        schemas.iter().map(|schema| self.place(schema)).collect()
    }

    fn named(&mut self, key: &str, value: &'a Value) -> Result<Vec<(&'a str, Id)>, String> {
        match value {
            Value::Map(entries) => {
                Ok(entries.iter().map(|(name, schema)| (name.as_str(), self.place(schema))).collect())
            }
            other => Err(format!("`{key}` is an object, not {}", other.kind())),
        }
    }

    fn resolve(&self, reference: &str) -> Option<&'a Value> {
        let inside = reference.strip_prefix(self.base).filter(|_| !self.base.is_empty()).unwrap_or(reference);
        let path = if inside.is_empty() { String::new() } else { decoded(inside.strip_prefix('#')?)? };
        if !path.starts_with('/') {
            return if path.is_empty() { Some(self.root) } else { self.anchors.get(path.as_str()).copied() };
        }
        path.split('/').skip(1).try_fold(self.root, |at, part| {
            let part = part.replace("~1", "/").replace("~0", "~");
            match at {
                Value::List(items) => items.get(part.parse::<usize>().ok()?),
                other => other.get(&part),
            }
        })
    }

    fn node(&mut self, schema: &'a Value) -> Result<Node, String> {
        let entries = match schema {
            Value::Bool(holds) => return Ok(Node::Always(*holds)),
            Value::Map(entries) => entries,
            other => return Err(format!("a schema is an object, not {}", other.kind())),
        };
        // Up to draft 7 a reference stands for the whole schema.
        let alone = self.draft < Draft::Later && schema.get("$ref").is_some();
        let mut rules = Vec::new();
        for (key, value) in entries.iter().filter(|(key, _)| !alone || key == "$ref") {
            rules.extend(self.rule(key, value, schema)?);
        }
        Ok(Node::Rules(rules))
    }

    fn rule(&mut self, key: &str, value: &'a Value, schema: &'a Value) -> Result<Option<Rule>, String> {
        let wanted = |what: &str| format!("`{key}` is {what}, not {}", value.kind());
        let list = || value.as_list().ok_or_else(|| wanted("a list"));
        let prefix = |key: &str| schema.get(key).and_then(Value::as_list).map_or(0, <[Value]>::len);
        Ok(Some(match key {
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                let reference = value.as_text().ok_or_else(|| wanted("a text"))?;
                let found = self.resolve(reference);
                let found = found.ok_or_else(|| format!("the reference {reference:?} leads nowhere in the schema"))?;
                Rule::Ref(self.place(found))
            }
            "type" => Rule::Type(self.kinds(value)?),
            "enum" => Rule::Enum(list()?.to_vec()),
            "const" => Rule::Const(value.clone()),
            "allOf" => Rule::All(self.places(list()?)),
            "anyOf" => Rule::Any(self.places(list()?)),
            "oneOf" => Rule::One(self.places(list()?)),
            "not" => Rule::Not(self.place(value)),
            "if" => {
                let mut branch = |key| schema.get(key).map(|schema| self.place(schema));
                let (then, otherwise) = (branch("then"), branch("else"));
                Rule::If { when: self.place(value), then, otherwise }
            }
            "then" | "else" => return Ok(self.only_read(value)),
            // In draft 4 the exclusive bounds are flags beside the bounds.
            "exclusiveMinimum" | "exclusiveMaximum" if matches!(value, Value::Bool(_)) => return Ok(None),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                value.as_number().ok_or_else(|| wanted("a number"))?;
                let is_least = key.ends_with("inimum");
                let flag = if is_least { "exclusiveMinimum" } else { "exclusiveMaximum" };
                let is_strict = key == flag || schema.get(flag) == Some(&Value::Bool(true));
                Rule::Bound { limit: value.clone(), is_least, is_strict }
            }
            "multipleOf" => match value.as_number() {
                Some(number) if number > 0.0 => Rule::Multiple(value.clone()),
                _ => return Err("`multipleOf` is a number above 0".to_owned()),
            },
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                let of = match &key[3..] {
                    "Length" => Measured::Text,
                    "Items" => Measured::List,
                    _ => Measured::Map,
                };
                Rule::Size { of, limit: count(key, value)?, is_least: key.starts_with("min") }
            }
            "pattern" => {
                let pattern = value.as_text().ok_or_else(|| wanted("a regular expression"))?;
                Rule::Pattern(Pattern::new(pattern).map_err(|error| format!("`pattern`: {error}"))?)
            }
            "prefixItems" => Rule::Prefix(self.places(list()?)),
            "items" => match value {
                Value::List(schemas) => Rule::Prefix(self.places(schemas)),
                schema => Rule::Items { from: prefix("prefixItems"), schema: self.place(schema) },
            },
            "additionalItems" => match schema.get("items") {
                Some(Value::List(_)) => Rule::Items { from: prefix("items"), schema: self.place(value) },
                _ => return Ok(self.only_read(value)),
            },
            "contains" => {
                let bound = |key: &str, open| schema.get(key).map_or(Ok(open), |value| count(key, value));
                let (least, most) = (bound("minContains", 1.0)?, bound("maxContains", f64::INFINITY)?);
                Rule::Contains { schema: self.place(value), least, most }
            }
            "minContains" | "maxContains" => {
                count(key, value)?;
                return Ok(None);
            }
            "uniqueItems" => match value {
                Value::Bool(true) => Rule::Unique,
                Value::Bool(false) => return Ok(None),
                _ => return Err(wanted("true or false")),
            },
            "properties" => {
                let named = self.named(key, value)?.into_iter();
                Rule::Properties(named.map(|(name, id)| (name.to_owned(), id)).collect())
            }
            "patternProperties" => {
                let named = self.named(key, value)?.into_iter();
                Rule::PatternProperties(
                    named.map(|(name, id)| Ok((property(name)?, id))).collect::<Result<_, String>>()?,
                )
            }
            "additionalProperties" => {
                let keys = |key| match schema.get(key) {
                    Some(Value::Map(entries)) => entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
                    _ => Vec::new(),
                };
                let names = keys("properties").into_iter().map(str::to_owned).collect();
                let patterns = keys("patternProperties").into_iter().map(property).collect::<Result<_, _>>()?;
                Rule::Additional { names, patterns, schema: self.place(value) }
            }
            "propertyNames" => Rule::Names(self.place(value)),
            "required" => Rule::Required(texts(value).ok_or("`required` is a list of names")?),
            "dependentRequired" | "dependentSchemas" | "dependencies" => {
                return self.dependencies(key, value).map(Some);
            }
            "unevaluatedItems" => Rule::UnevaluatedItems(self.place(value)),
            "unevaluatedProperties" => Rule::UnevaluatedProperties(self.place(value)),
            "$defs" | "definitions" => {
                self.named(key, value)?;
                return Ok(None);
            }
            "$id" if !std::ptr::eq(schema, self.root) && !value.as_text().is_some_and(|name| name.starts_with('#')) => {
                return Err("`$id`: a schema inside of another one can't have a name of its own".to_owned());
            }
            known if ANNOTATIONS.contains(&known) || known.starts_with("x-") => return Ok(None),
            other => return Err(unknown(other)),
        }))
    }

    /// Has a schema read that another keyword takes, or that nothing asks for.
    fn only_read(&mut self, schema: &'a Value) -> Option<Rule> {
        self.place(schema);
        None
    }

    fn kinds(&self, value: &Value) -> Result<Vec<Kind>, String> {
        let names = match value {
            Value::Text(_) => std::slice::from_ref(value),
            Value::List(names) => names,
            other => return Err(format!("`type` is a name, not {}", other.kind())),
        };
        let kind = |name: &Value| {
            Some(match name.as_text()? {
                "null" => Kind::Null,
                "boolean" => Kind::Boolean,
                "integer" if self.draft == Draft::Four => Kind::PlainInteger,
                "integer" => Kind::Integer,
                "number" => Kind::Number,
                "string" => Kind::String,
                "array" => Kind::Array,
                "object" => Kind::Object,
                _ => return None,
            })
        };
        names.iter().map(|name| kind(name).ok_or_else(|| format!("no JSON type is {}", name.to_json()))).collect()
    }

    fn dependencies(&mut self, key: &str, value: &'a Value) -> Result<Rule, String> {
        let Value::Map(entries) = value else {
            return Err(format!("`{key}` is an object, not {}", value.kind()));
        };
        let needed = |(name, needed): &'a (String, Value)| {
            let needed = match (key, texts(needed)) {
                ("dependentRequired" | "dependencies", Some(names)) => Needed::Names(names),
                ("dependentRequired", None) => return Err(format!("`{key}` gives each name a list of names")),
                _ => Needed::Schema(self.place(needed)),
            };
            Ok((name.clone(), needed))
        };
        Ok(Rule::Dependent(entries.iter().map(needed).collect::<Result<_, String>>()?))
    }
}

/// Reads what a property's name has to look like.
fn property(pattern: &str) -> Result<Pattern, String> {
    Pattern::new(pattern).map_err(|error| format!("`patternProperties`: {error}"))
}

/// Reads a number of things, 0 or more.
fn count(key: &str, value: &Value) -> Result<f64, String> {
    let whole = value.as_number().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    whole.ok_or_else(|| format!("`{key}` is a whole number, 0 or more"))
}

fn texts(value: &Value) -> Option<Vec<String>> {
    Some(value.as_texts()?.into_iter().map(str::to_owned).collect())
}

fn unknown(key: &str) -> String {
    let known = RULES.iter().chain(ANNOTATIONS).copied();
    match nearest(key, known) {
        Some(near) => format!("`{key}` is no keyword of JSON Schema; did you mean `{near}`?"),
        None => format!(
            "`{key}` is no keyword of JSON Schema, and would hold for anything; a note of your own begins with x-"
        ),
    }
}
