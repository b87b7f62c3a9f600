//! JSON Schema, as far as it says something about one JSON value (drafts 4 to 2020-12; `format` is not checked, as in
//! Python's `jsonschema` by default).

use super::pattern::Pattern;
use super::value::Value;

/// How often a reference may lead to another.
const DEEPEST: usize = 64;

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Says what keeps `schema` from being a schema, first thing first.
pub(crate) fn fault(schema: &Value) -> Option<String> {
    let Value::Map(entries) = schema else {
        return match schema {
            Value::Bool(_) => None,
            other => Some(format!("a schema is an object, not {}", other.kind())),
        };
    };
    entries.iter().find_map(|(key, value)| match (key.as_str(), value) {
        ("type", Value::Text(name)) if !TYPES.contains(&name.as_str()) => Some(format!("no JSON type is {name:?}")),
        ("type", Value::List(names)) => names
            .iter()
            .find(|name| !name.as_text().is_some_and(|name| TYPES.contains(&name)))
            .map(|name| format!("no JSON type is {}", name.to_json())),
        ("type", Value::Text(_)) => None,
        ("type", other) => Some(format!("`type` is a name, not {}", other.kind())),
        ("pattern", Value::Text(pattern)) => Pattern::new(pattern).err().map(|error| format!("`pattern`: {error}")),
        ("properties" | "patternProperties" | "definitions" | "$defs", Value::Map(inner)) => {
            inner.iter().find_map(|(_, schema)| fault(schema))
        }
        ("properties" | "patternProperties" | "definitions" | "$defs", other) => {
            Some(format!("`{key}` is an object, not {}", other.kind()))
        }
        ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Value::List(inner)) => inner.iter().find_map(fault),
        (
            "items"
            | "additionalItems"
            | "additionalProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames",
            inner,
        ) => fault(inner),
        ("required", Value::List(names)) if names.iter().all(|name| name.as_text().is_some()) => None,
        ("required", Value::Bool(_)) => None,
        ("required", _) => Some("`required` is a list of names".to_owned()),
        _ => None,
    })
}

/// Tells whether `value` is what `schema` says.
///
/// # Errors
/// A reference that leads nowhere or in a circle, a pattern that explodes.
pub(crate) fn holds(value: &Value, schema: &Value) -> Result<bool, String> {
    Judge { root: schema }.holds(value, schema, 0)
}

struct Judge<'a> {
    root: &'a Value,
}

impl<'a> Judge<'a> {
    fn holds(&self, value: &Value, schema: &'a Value, depth: usize) -> Result<bool, String> {
        if depth > DEEPEST {
            return Err("references of the schema lead in a circle".to_owned());
        }
        let entries = match schema {
            Value::Bool(holds) => return Ok(*holds),
            Value::Map(entries) => entries,
            _ => return Ok(true),
        };
        for (key, rule) in entries {
            if !self.rule(value, key, rule, schema, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn resolve(&self, reference: &str) -> Result<&'a Value, String> {
        let nowhere = || format!("the reference {reference:?} leads nowhere in the schema");
        let path = reference.strip_prefix('#').ok_or_else(nowhere)?;
        path.split('/')
            .skip(1)
            .try_fold(self.root, |at, part| {
                let part = part.replace("~1", "/").replace("~0", "~");
                match at {
                    Value::List(items) => items.get(part.parse::<usize>().ok()?),
                    other => other.get(&part),
                }
            })
            .ok_or_else(nowhere)
    }

    fn all(&self, values: impl Iterator<Item = &'a Value>, value: &Value, depth: usize) -> Result<usize, String> {
        let mut met = 0;
        for schema in values {
            met += usize::from(self.holds(value, schema, depth)?);
        }
        Ok(met)
    }

    fn rule(&self, value: &Value, key: &str, rule: &'a Value, schema: &'a Value, depth: usize) -> Result<bool, String> {
        let size = |length: usize, at_least: bool| {
            rule.as_number().is_none_or(|limit| if at_least { length as f64 >= limit } else { length as f64 <= limit })
        };
        let schemas = || rule.as_list().unwrap_or_default();
        Ok(match (key, value) {
            ("$ref", _) => match rule.as_text() {
                Some(reference) => self.holds(value, self.resolve(reference)?, depth)?,
                None => true,
            },
            ("type", _) => match rule {
                Value::Text(name) => is_of_type(value, name),
                Value::List(names) => names.iter().filter_map(Value::as_text).any(|name| is_of_type(value, name)),
                _ => true,
            },
            ("enum", _) => rule.as_list().is_none_or(|items| items.iter().any(|item| equal(item, value))),
            ("const", _) => equal(rule, value),
            ("allOf", _) => self.all(schemas().iter(), value, depth)? == schemas().len(),
            ("anyOf", _) => self.all(schemas().iter(), value, depth)? > 0,
            ("oneOf", _) => self.all(schemas().iter(), value, depth)? == 1,
            ("not", _) => !self.holds(value, rule, depth)?,
            ("if", _) => {
                let branch = if self.holds(value, rule, depth)? { "then" } else { "else" };
                match schema.get(branch) {
                    Some(branch) => self.holds(value, branch, depth)?,
                    None => true,
                }
            }
            ("minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf", _) => {
                match (value.as_number(), rule.as_number()) {
                    (Some(number), Some(limit)) => bounded(number, limit, key, schema),
                    _ => true,
                }
            }
            ("minLength", Value::Text(text)) => size(text.chars().count(), true),
            ("maxLength", Value::Text(text)) => size(text.chars().count(), false),
            ("pattern", Value::Text(text)) => match rule.as_text() {
                Some(pattern) => Pattern::new(pattern)?.is_in(text)?,
                None => true,
            },
            ("minItems", Value::List(items)) => size(items.len(), true),
            ("maxItems", Value::List(items)) => size(items.len(), false),
            ("uniqueItems", Value::List(items)) => {
                *rule != Value::Bool(true)
                    || !items
                        .iter()
                        .enumerate()
                        .any(|(index, item)| items[..index].iter().any(|other| equal(other, item)))
            }
            ("items" | "prefixItems" | "additionalItems" | "contains", Value::List(items)) => {
                self.items(items, key, rule, schema, depth)?
            }
            ("minProperties", Value::Map(entries)) => size(entries.len(), true),
            ("maxProperties", Value::Map(entries)) => size(entries.len(), false),
            ("required", Value::Map(_)) => {
                schemas().iter().filter_map(Value::as_text).all(|name| value.get(name).is_some())
            }
            ("dependentRequired" | "dependencies" | "dependentSchemas", Value::Map(_)) => {
                self.dependencies(value, rule, depth)?
            }
            ("properties" | "patternProperties" | "additionalProperties" | "propertyNames", Value::Map(entries)) => {
                self.properties(entries, key, rule, schema, depth)?
            }
            _ => true,
        })
    }

    fn items(
        &self,
        items: &[Value],
        key: &str,
        rule: &'a Value,
        schema: &'a Value,
        depth: usize,
    ) -> Result<bool, String> {
        let listed = |key| schema.get(key).and_then(Value::as_list);
        let first = match (key, rule) {
            ("contains", _) => {
                for item in items {
                    if self.holds(item, rule, depth)? {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            ("items" | "prefixItems", Value::List(schemas)) => {
                for (item, schema) in items.iter().zip(schemas) {
                    if !self.holds(item, schema, depth)? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            ("additionalItems", _) => match listed("items") {
                Some(schemas) => schemas.len(),
                None => return Ok(true),
            },
            _ => listed("prefixItems").map_or(0, <[Value]>::len),
        };
        for item in items.iter().skip(first) {
            if !self.holds(item, rule, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn dependencies(&self, value: &Value, rule: &'a Value, depth: usize) -> Result<bool, String> {
        let Value::Map(entries) = rule else {
            return Ok(true);
        };
        for (_, needed) in entries.iter().filter(|(name, _)| value.get(name).is_some()) {
            let is_met = match needed {
                Value::List(names) => names.iter().filter_map(Value::as_text).all(|name| value.get(name).is_some()),
                schema => self.holds(value, schema, depth)?,
            };
            if !is_met {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn properties(
        &self,
        entries: &[(String, Value)],
        key: &str,
        rule: &'a Value,
        schema: &'a Value,
        depth: usize,
    ) -> Result<bool, String> {
        let patterns = match schema.get("patternProperties") {
            Some(Value::Map(patterns)) => patterns.as_slice(),
            _ => &[],
        };
        for (name, value) in entries {
            let mut applied: Vec<&'a Value> = Vec::new();
            match key {
                "properties" => applied.extend(rule.get(name)),
                "propertyNames" => {
                    if !self.holds(&Value::Text(name.clone()), rule, depth)? {
                        return Ok(false);
                    }
                }
                _ => {
                    let mut is_known = schema.get("properties").is_some_and(|known| known.get(name).is_some());
                    for (pattern, schema) in patterns {
                        if Pattern::new(pattern)?.is_in(name)? {
                            is_known = true;
                            applied.extend((key == "patternProperties").then_some(schema));
                        }
                    }
                    applied.extend((key == "additionalProperties" && !is_known).then_some(rule));
                }
            }
            for schema in applied {
                if !self.holds(value, schema, depth)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Int(_) => name == "integer" || name == "number",
        Value::Float(value) => name == "number" || (name == "integer" && value.fract() == 0.0),
        Value::Text(_) => name == "string",
        Value::List(_) => name == "array",
        Value::Map(_) => name == "object",
    }
}

fn bounded(number: f64, limit: f64, key: &str, schema: &Value) -> bool {
    // In draft 4 the exclusive bounds are flags beside the bounds.
    let is_exclusive = |flag| schema.get(flag) == Some(&Value::Bool(true));
    match key {
        "minimum" if is_exclusive("exclusiveMinimum") => number > limit,
        "maximum" if is_exclusive("exclusiveMaximum") => number < limit,
        "minimum" => number >= limit,
        "maximum" => number <= limit,
        "exclusiveMinimum" => number > limit,
        "exclusiveMaximum" => number < limit,
        _ => limit == 0.0 || (number / limit).fract() == 0.0,
    }
}

/// Compares two values as JSON Schema does: numbers by value, objects in any order.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Map(entries), Value::Map(others)) => {
            entries.len() == others.len()
                && entries.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => match (left.as_number(), right.as_number()) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
    }
}
