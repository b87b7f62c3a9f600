//! Holds values against schemas.

use std::cell::Cell as Counter;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Id, Kind, Measured, Needed, Node, Rule, Schema};
use crate::expectations::value::{Cell, Value};

/// How many keywords one value may be held against, references and repetitions counted.
const MOST_STEPS: u64 = 10_000_000;

/// How many schemas may be at work within one another.
const DEEPEST: usize = 1000;

/// Objects of up to this many keys are compared one by one.
const FEW: usize = 16;

/// Where a judgement stands.
#[derive(Debug, Clone, Copy)]
struct Depth {
    /// How many schemas are at work.
    all: usize,
    /// How many of them are at work on this very value: more than there are lead in a circle.
    in_place: usize,
}

impl Depth {
    fn inside(self) -> Depth {
        Depth { in_place: 0, ..self }
    }
}

struct Judge<'a> {
    schema: &'a Schema,
    steps: Counter<u64>,
}

/// What of a value the keywords that hold have looked at.
#[derive(Debug, Default)]
struct Evaluated<'a> {
    names: BTreeSet<&'a str>,
    items: BTreeSet<usize>,
}

pub(super) fn holds(schema: &Schema, value: &Value) -> Result<bool, String> {
    Judge { schema, steps: Counter::new(0) }.holds(value, 0, Depth { all: 0, in_place: 0 })
}

impl<'a> Judge<'a> {
    fn node(&self, id: Id, depth: Depth) -> Result<(&'a Node, Depth), String> {
        if depth.in_place > self.schema.nodes.len() {
            return Err("references of the schema lead in a circle".to_owned());
        }
        if depth.all > DEEPEST {
            return Err(format!("schema and value lie in one another more than {DEEPEST} deep"));
        }
        let node = self.schema.nodes.get(id).ok_or("the schema is not whole")?;
        Ok((node, Depth { all: depth.all + 1, in_place: depth.in_place + 1 }))
    }

    fn holds(&self, value: &Value, id: Id, depth: Depth) -> Result<bool, String> {
        let (node, depth) = self.node(id, depth)?;
        let rules = match node {
            Node::Always(holds) => return Ok(*holds),
            Node::Rules(rules) => rules,
        };
        for rule in rules {
            self.steps.set(self.steps.get() + 1);
            if self.steps.get() > MOST_STEPS {
                return Err(format!("the schema takes more than {MOST_STEPS} steps on one value"));
            }
            if !self.rule(value, id, rule, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts the schemas that hold.
    fn met(&self, value: &Value, schemas: &[Id], depth: Depth) -> Result<usize, String> {
        let mut met = 0;
        for schema in schemas {
            met += usize::from(self.holds(value, *schema, depth)?);
        }
        Ok(met)
    }

    /// Tells whether a schema holds for each of several parts.
    fn each<'b>(&self, parts: impl Iterator<Item = (&'b Value, Id)>, depth: Depth) -> Result<bool, String> {
        for (part, schema) in parts {
            if !self.holds(part, schema, depth.inside())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn rule(&self, value: &Value, id: Id, rule: &'a Rule, depth: Depth) -> Result<bool, String> {
        Ok(match (rule, value) {
            (Rule::Ref(schema), _) => self.holds(value, *schema, depth)?,
            (Rule::Type(kinds), _) => kinds.iter().any(|kind| is_of(value, *kind)),
            (Rule::Enum(values), _) => values.iter().any(|other| equal(other, value)),
            (Rule::Const(other), _) => equal(other, value),
            (Rule::All(schemas), _) => self.met(value, schemas, depth)? == schemas.len(),
            (Rule::Any(schemas), _) => self.met(value, schemas, depth)? > 0,
            (Rule::One(schemas), _) => self.met(value, schemas, depth)? == 1,
            (Rule::Not(schema), _) => !self.holds(value, *schema, depth)?,
            (Rule::If { when, then, otherwise }, _) => {
                let branch = if self.holds(value, *when, depth)? { then } else { otherwise };
                branch.map_or(Ok(true), |branch| self.holds(value, branch, depth))?
            }
            (Rule::Bound { limit, is_least, is_strict }, Value::Int(_) | Value::Float(_)) => {
                let order = Cell::of(value).zip(Cell::of(limit)).and_then(|(value, limit)| value.compare(limit));
                let order = order.map(|order| if *is_least { order } else { order.reverse() });
                order.is_none_or(|order| order.is_gt() || (order.is_eq() && !is_strict))
            }
            (Rule::Multiple(of), Value::Int(_) | Value::Float(_)) => is_multiple(value, of),
            (Rule::Size { of: Measured::Text, limit, is_least }, Value::Text(text)) => {
                is_within(text.chars().count(), *limit, *is_least)
            }
            (Rule::Size { of: Measured::List, limit, is_least }, Value::List(items)) => {
                is_within(items.len(), *limit, *is_least)
            }
            (Rule::Size { of: Measured::Map, limit, is_least }, Value::Map(entries)) => {
                is_within(entries.len(), *limit, *is_least)
            }
            (Rule::Pattern(pattern), Value::Text(text)) => pattern.is_in(text)?,
            (Rule::Prefix(schemas), Value::List(items)) => {
                self.each(items.iter().zip(schemas.iter().copied()), depth)?
            }
            (Rule::Items { from, schema }, Value::List(items)) => {
                self.each(items.iter().skip(*from).map(|item| (item, *schema)), depth)?
            }
            (Rule::Contains { schema, least, most }, Value::List(items)) => {
                let mut met = 0;
                for item in items {
                    met += usize::from(self.holds(item, *schema, depth.inside())?);
                }
                (*least..=*most).contains(&(met as f64))
            }
            (Rule::Unique, Value::List(items)) => is_unique(items),
            (Rule::UnevaluatedItems(schema), Value::List(items)) => {
                let mut seen = Evaluated::default();
                self.evaluated(value, id, depth, true, &mut seen)?;
                let rest = items.iter().enumerate().filter(|(at, _)| !seen.items.contains(at));
                self.each(rest.map(|(_, item)| (item, *schema)), depth)?
            }
            (_, Value::Map(entries)) => self.property(value, entries, id, rule, depth)?,
            _ => true,
        })
    }

    /// Judges what a rule says of an object.
    fn property(
        &self,
        value: &Value,
        entries: &[(String, Value)],
        id: Id,
        rule: &'a Rule,
        depth: Depth,
    ) -> Result<bool, String> {
        Ok(match rule {
            Rule::Properties(schemas) => {
                let known = entries.iter().filter_map(|(name, value)| Some((value, *schemas.get(name)?)));
                self.each(known, depth)?
            }
            Rule::PatternProperties(patterns) => {
                for (name, value) in entries {
                    for (pattern, schema) in patterns {
                        if pattern.is_in(name)? && !self.holds(value, *schema, depth.inside())? {
                            return Ok(false);
                        }
                    }
                }
                true
            }
            Rule::Additional { schema, .. } => {
                for (name, value) in entries {
                    if is_additional(rule, name)? && !self.holds(value, *schema, depth.inside())? {
                        return Ok(false);
                    }
                }
                true
            }
            Rule::Names(schema) => {
                for (name, _) in entries {
                    if !self.holds(&Value::Text(name.clone()), *schema, depth.inside())? {
                        return Ok(false);
                    }
                }
                true
            }
            Rule::Required(names) => names.iter().all(|name| value.get(name).is_some()),
            Rule::Dependent(needed) => {
                for (_, needed) in needed.iter().filter(|(name, _)| value.get(name).is_some()) {
                    let is_met = match needed {
                        Needed::Names(names) => names.iter().all(|name| value.get(name).is_some()),
                        Needed::Schema(schema) => self.holds(value, *schema, depth)?,
                    };
                    if !is_met {
                        return Ok(false);
                    }
                }
                true
            }
            Rule::UnevaluatedProperties(schema) => {
                let mut seen = Evaluated::default();
                self.evaluated(value, id, depth, true, &mut seen)?;
                let rest = entries.iter().filter(|(name, _)| !seen.names.contains(name.as_str()));
                self.each(rest.map(|(_, value)| (value, *schema)), depth)?
            }
            _ => true,
        })
    }

    /// Collects what of `value` the keywords of a schema that holds look at, those of the schemas in its place included;
    /// `own` leaves the `unevaluated…` keywords out, which ask for this.
    fn evaluated<'b>(
        &self,
        value: &'b Value,
        id: Id,
        depth: Depth,
        own: bool,
        seen: &mut Evaluated<'b>,
    ) -> Result<(), String> {
        let (Node::Rules(rules), depth) = self.node(id, depth)? else {
            return Ok(());
        };
        for rule in rules {
            self.steps.set(self.steps.get() + 1);
            match (rule, value) {
                (Rule::Ref(schema), _) => self.evaluated(value, *schema, depth, false, seen)?,
                (Rule::All(schemas) | Rule::Any(schemas) | Rule::One(schemas), _) => {
                    for schema in schemas {
                        if self.holds(value, *schema, depth)? {
                            self.evaluated(value, *schema, depth, false, seen)?;
                        }
                    }
                }
                (Rule::If { when, then, otherwise }, _) => {
                    let holds = self.holds(value, *when, depth)?;
                    let branches = if holds { [Some(*when), *then] } else { [None, *otherwise] };
                    for branch in branches.into_iter().flatten() {
                        self.evaluated(value, branch, depth, false, seen)?;
                    }
                }
                (Rule::Dependent(needed), _) => {
                    for (_, needed) in needed.iter().filter(|(name, _)| value.get(name).is_some()) {
                        if let Needed::Schema(schema) = needed {
                            self.evaluated(value, *schema, depth, false, seen)?;
                        }
                    }
                }
                (Rule::Prefix(schemas), Value::List(items)) => seen.items.extend(0..items.len().min(schemas.len())),
                (Rule::Items { from, .. }, Value::List(items)) => seen.items.extend(*from..items.len()),
                (Rule::Contains { schema, .. }, Value::List(items)) => {
                    for (at, item) in items.iter().enumerate() {
                        if self.holds(item, *schema, depth.inside())? {
                            seen.items.insert(at);
                        }
                    }
                }
                (Rule::UnevaluatedItems(_), Value::List(items)) if !own => seen.items.extend(0..items.len()),
                (_, Value::Map(entries)) => {
                    for (name, _) in entries {
                        let is_seen = match rule {
                            Rule::Properties(schemas) => schemas.contains_key(name),
                            Rule::PatternProperties(patterns) => {
                                let mut found = false;
                                for (pattern, _) in patterns {
                                    found = found || pattern.is_in(name)?;
                                }
                                found
                            }
                            Rule::Additional { .. } => is_additional(rule, name)?,
                            Rule::UnevaluatedProperties(_) => !own,
                            _ => false,
                        };
                        if is_seen {
                            seen.names.insert(name);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Tells whether a property is told by neither a name nor a pattern beside `additionalProperties`.
fn is_additional(rule: &Rule, name: &str) -> Result<bool, String> {
    let Rule::Additional { names, patterns, .. } = rule else {
        return Ok(false);
    };
    let mut is_known = names.contains(name);
    for pattern in patterns {
        is_known = is_known || pattern.is_in(name)?;
    }
    Ok(!is_known)
}

fn is_within(size: usize, limit: f64, is_least: bool) -> bool {
    if is_least { size as f64 >= limit } else { size as f64 <= limit }
}

fn is_of(value: &Value, kind: Kind) -> bool {
    match value {
        Value::Null => kind == Kind::Null,
        Value::Bool(_) => kind == Kind::Boolean,
        Value::Int(_) => matches!(kind, Kind::Integer | Kind::PlainInteger | Kind::Number),
        Value::Float(value) => kind == Kind::Number || (kind == Kind::Integer && value.fract() == 0.0),
        Value::Text(_) => kind == Kind::String,
        Value::List(_) => kind == Kind::Array,
        Value::Map(_) => kind == Kind::Object,
    }
}

/// Tells whether a number is a multiple, as Python's `jsonschema` computes it.
fn is_multiple(value: &Value, of: &Value) -> bool {
    match (value, of) {
        (Value::Int(value), Value::Int(of)) => value.checked_rem(*of) == Some(0),
        (_, Value::Float(of)) => {
            let value = value.as_number().unwrap_or(f64::NAN);
            let quotient = value / of;
            // Where the quotient has no end, the rest is computed without it.
            if quotient.is_finite() { quotient.fract() == 0.0 } else { value % of == 0.0 }
        }
        _ => value.as_number().zip(of.as_number()).is_some_and(|(value, of)| value % of == 0.0),
    }
}

/// Compares two values as JSON Schema does: numbers by value, objects in any order.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Map(entries), Value::Map(others)) => {
            if entries.len() != others.len() {
                return false;
            }
            if entries.len() <= FEW {
                return entries.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)));
            }
            let others: HashMap<&str, &Value> = others.iter().map(|(key, value)| (key.as_str(), value)).collect();
            entries.iter().all(|(key, value)| others.get(key.as_str()).is_some_and(|other| equal(value, other)))
        }
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let order = Cell::of(left).zip(Cell::of(right)).and_then(|(left, right)| left.compare(right));
            order.is_some_and(|order| order.is_eq())
        }
        _ => left == right,
    }
}

/// Tells whether no two items are equal; only those of one hash are compared.
fn is_unique(items: &[Value]) -> bool {
    let mut known: HashMap<u64, Vec<&Value>> = HashMap::new();
    items.iter().all(|item| {
        let same = known.entry(hash(item)).or_default();
        let is_new = !same.iter().any(|other| equal(other, item));
        same.push(item);
        is_new
    })
}

/// Gives equal values one number.
fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Null => 0.hash(&mut hasher),
        Value::Bool(value) => (1, value).hash(&mut hasher),
        Value::Int(_) | Value::Float(_) => (2, Cell::of(value).map(Cell::key)).hash(&mut hasher),
        Value::Text(text) => (3, text).hash(&mut hasher),
        Value::List(items) => items.iter().for_each(|item| hash(item).hash(&mut hasher)),
        Value::Map(entries) => {
            let entry = |(key, value): &(String, Value)| {
                let mut hasher = DefaultHasher::new();
                (key, hash(value)).hash(&mut hasher);
                hasher.finish()
            };
            entries.iter().map(entry).fold(0_u64, u64::wrapping_add).hash(&mut hasher);
        }
    }
    hasher.finish()
}
