//! Shapes of single values.

use std::marker::PhantomData;

use serde_json::{Map, Value, json};

use crate::Located;
use crate::data::Quote;
use crate::declare::{Decoder, Definitions, Shape};
use crate::error::Error;
use crate::tree::{Content, Kind, Node, Scalar};

fn scalar<'n>(node: &'n Node, expected: &str, decoder: &mut Decoder) -> Option<&'n Scalar> {
    match &node.content {
        Content::Scalar(scalar) if !node.is_null() => Some(scalar),
        _ => {
            decoder.wrong_type(node, expected);
            None
        }
    }
}

/// Text; numbers and truth values count as they are written.
pub(crate) struct Text {
    may_be_empty: bool,
}

/// Takes text that is not empty.
pub(crate) fn text() -> Text {
    Text { may_be_empty: false }
}

impl Text {
    /// Takes empty text, too.
    pub(crate) fn or_empty(self) -> Text {
        Text { may_be_empty: true }
    }
}

impl Shape for Text {
    type Value = Located<String>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<String>> {
        let scalar = scalar(node, "text", decoder)?;
        if !self.may_be_empty && scalar.text.trim().is_empty() {
            let spot = decoder.spot(node);
            decoder.errors.push(Error::Empty { spot, needs: "text" });
            return None;
        }
        Some(Located::new(scalar.text.clone(), node.origin.clone()))
    }

    fn encode(&self, value: &Located<String>) -> Value {
        value.value.clone().into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        let mut schema = json!({ "type": ["string", "number", "boolean"] });
        if !self.may_be_empty {
            schema["pattern"] = "\\S".into();
        }
        schema
    }
}

/// One character.
pub(crate) struct Character;

/// Takes one character of ASCII that can stand between the cells of a line.
pub(crate) fn character() -> Character {
    Character
}

impl Shape for Character {
    type Value = Located<char>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<char>> {
        let scalar = scalar(node, "one character", decoder)?;
        let mut characters = scalar.text.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) if c.is_ascii() && !matches!(c, '"' | '\n' | '\r' | '\0') => {
                Some(Located::new(c, node.origin.clone()))
            }
            _ => {
                let spot = decoder.spot(node);
                let range = "one ASCII character, and no quote or line end".to_owned();
                decoder.errors.push(Error::OutOfRange { spot, value: scalar.text.clone(), range, whose: None });
                None
            }
        }
    }

    fn encode(&self, value: &Located<char>) -> Value {
        value.value.to_string().into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": ["string", "integer"], "minLength": 1, "maxLength": 1 })
    }
}

/// One character that quotes cells, or none.
pub(crate) struct Quoting;

/// Takes one character of ASCII that can stand around a cell, or `none`.
pub(crate) fn quoting() -> Quoting {
    Quoting
}

const NO_QUOTE: &str = "none";

impl Shape for Quoting {
    type Value = Located<Quote>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<Quote>> {
        let scalar = scalar(node, "one character, or none", decoder)?;
        let mut characters = scalar.text.chars();
        let quote = match (characters.next(), characters.next()) {
            _ if scalar.text == NO_QUOTE => Quote::None,
            (Some(c), None) if c.is_ascii_punctuation() => Quote::Mark(c),
            _ => {
                let spot = decoder.spot(node);
                let range = "one mark of ASCII, such as ' or |, or none".to_owned();
                decoder.errors.push(Error::OutOfRange { spot, value: scalar.text.clone(), range, whose: None });
                return None;
            }
        };
        Some(Located::new(quote, node.origin.clone()))
    }

    fn encode(&self, value: &Located<Quote>) -> Value {
        match value.value {
            Quote::Mark(mark) => mark.to_string().into(),
            Quote::None => NO_QUOTE.into(),
        }
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^([!-/:-@\\[-`{-~]|none)$" })
    }
}

/// A truth value.
pub(crate) struct Boolean;

/// Takes `true` or `false`.
pub(crate) fn boolean() -> Boolean {
    Boolean
}

impl Shape for Boolean {
    type Value = Located<bool>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<bool>> {
        match scalar(node, "true or false", decoder)?.kind() {
            Kind::Boolean(value) => Some(Located::new(value, node.origin.clone())),
            _ => {
                decoder.wrong_type(node, "true or false");
                None
            }
        }
    }

    fn encode(&self, value: &Located<bool>) -> Value {
        value.value.into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": "boolean" })
    }
}

/// A finite number within bounds.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    least: Option<f64>,
    above: Option<f64>,
    most: Option<f64>,
    below: Option<f64>,
    whose: Option<&'static str>,
}

/// Takes any finite number.
pub(crate) fn number() -> Number {
    Number { least: None, above: None, most: None, below: None, whose: None }
}

impl Number {
    pub(crate) fn at_least(self, bound: f64) -> Number {
        Number { least: Some(bound), ..self }
    }

    pub(crate) fn above(self, bound: f64) -> Number {
        Number { above: Some(bound), ..self }
    }

    pub(crate) fn at_most(self, bound: f64) -> Number {
        Number { most: Some(bound), ..self }
    }

    pub(crate) fn below(self, bound: f64) -> Number {
        Number { below: Some(bound), ..self }
    }

    /// Says whose bounds these are.
    pub(crate) fn of(self, library: &'static str) -> Number {
        Number { whose: Some(library), ..self }
    }

    fn holds(&self, value: f64) -> bool {
        value.is_finite()
            && self.least.is_none_or(|bound| value >= bound)
            && self.above.is_none_or(|bound| value > bound)
            && self.most.is_none_or(|bound| value <= bound)
            && self.below.is_none_or(|bound| value < bound)
    }

    fn range(&self) -> String {
        match (self.least, self.above, self.most, self.below) {
            (Some(least), _, Some(most), _) => format!("from {least} to {most}"),
            (Some(least), _, _, Some(below)) => format!("from {least} and below {below}"),
            (Some(least), ..) => format!("from {least}"),
            (_, Some(above), Some(most), _) => format!("above {above} and at most {most}"),
            (_, Some(above), _, Some(below)) => format!("above {above} and below {below}"),
            (_, Some(above), ..) => format!("above {above}"),
            (_, _, Some(most), _) => format!("of at most {most}"),
            (_, _, _, Some(below)) => format!("below {below}"),
            (None, None, None, None) => String::new(),
        }
    }
}

impl Shape for Number {
    type Value = Located<f64>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<f64>> {
        let scalar = scalar(node, "a number", decoder)?;
        let value = match scalar.kind() {
            Kind::Integer(value) => value as f64,
            Kind::Float(value) => value,
            Kind::Null | Kind::Boolean(_) | Kind::Text => {
                decoder.wrong_type(node, "a number");
                return None;
            }
        };
        if self.holds(value) {
            // −0 is 0, and is written so.
            return Some(Located::new(value + 0.0, node.origin.clone()));
        }
        let spot = decoder.spot(node);
        let noun = if value.is_finite() { "a number" } else { "a finite number" };
        let range = format!("{noun} {}", self.range()).trim_end().to_owned();
        decoder.errors.push(Error::OutOfRange { spot, value: scalar.text.clone(), range, whose: self.whose });
        None
    }

    fn encode(&self, value: &Located<f64>) -> Value {
        value.value.into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        let mut schema = Map::new();
        schema.insert("type".into(), "number".into());
        for (key, bound) in [
            ("minimum", self.least),
            ("exclusiveMinimum", self.above),
            ("maximum", self.most),
            ("exclusiveMaximum", self.below),
        ] {
            if let Some(bound) = bound {
                schema.insert(key.into(), bound.into());
            }
        }
        Value::Object(schema)
    }
}

/// A whole number within bounds.
#[derive(Clone, Copy)]
pub(crate) struct Integer<T> {
    least: u64,
    most: u64,
    /// A value below the least that is taken as well.
    or: Option<u64>,
    whose: Option<&'static str>,
    kind: PhantomData<T>,
}

/// Takes a whole number from `least` to `most`.
pub(crate) fn integer<T>(least: u64, most: u64) -> Integer<T> {
    Integer { least, most, or: None, whose: None, kind: PhantomData }
}

impl<T> Integer<T> {
    /// Says whose bounds these are.
    pub(crate) fn of(self, library: &'static str) -> Integer<T> {
        Integer { whose: Some(library), ..self }
    }

    /// Takes one more value.
    pub(crate) fn or(self, value: u64) -> Integer<T> {
        Integer { or: Some(value), ..self }
    }

    fn range(&self) -> String {
        let or = self.or.map_or_else(String::new, |value| format!("{value}, or "));
        match (self.least, self.most) {
            (least, most) if most >= u64::from(u32::MAX) => format!("{or}a whole number from {least}"),
            (least, most) => format!("{or}a whole number from {least} to {most}"),
        }
    }
}

impl<T: TryFrom<u64> + Copy + Into<u64>> Shape for Integer<T> {
    type Value = Located<T>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<T>> {
        let scalar = scalar(node, "a whole number", decoder)?;
        let Kind::Integer(value) = scalar.kind() else {
            decoder.wrong_type(node, "a whole number");
            return None;
        };
        let within = |value: &u64| (self.least..=self.most).contains(value) || self.or == Some(*value);
        let value = u64::try_from(value).ok().filter(within).and_then(|value| T::try_from(value).ok());
        match value {
            Some(value) => Some(Located::new(value, node.origin.clone())),
            None => {
                let (spot, value) = (decoder.spot(node), scalar.text.clone());
                decoder.errors.push(Error::OutOfRange { spot, value, range: self.range(), whose: self.whose });
                None
            }
        }
    }

    fn encode(&self, value: &Located<T>) -> Value {
        value.value.into().into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        let range = json!({ "type": "integer", "minimum": self.least, "maximum": self.most });
        match self.or {
            Some(value) => json!({ "anyOf": [{ "const": value }, range] }),
            None => range,
        }
    }
}

/// A type with a name for each of its values.
pub(crate) trait Named: Copy + PartialEq + 'static {
    /// Every value with its name and what it means.
    const ALL: &'static [(&'static str, Self, &'static str)];

    /// Gives the name of a value.
    fn named(self) -> &'static str {
        Self::ALL.iter().find(|(_, value, _)| *value == self).map_or("", |(name, _, _)| name)
    }
}

/// One of a list of names.
pub(crate) struct OneOf<T>(PhantomData<T>);

/// Takes one of the names of a type's values.
pub(crate) fn choice<T: Named>() -> OneOf<T> {
    OneOf(PhantomData)
}

impl<T: Named> Shape for OneOf<T> {
    type Value = Located<T>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<T>> {
        let known: Vec<&str> = T::ALL.iter().map(|(name, _, _)| *name).collect();
        let expected = trainyard_diagnostics::one_of(&known, usize::MAX);
        let scalar = scalar(node, &expected, decoder)?;
        match T::ALL.iter().find(|(name, _, _)| *name == scalar.text) {
            Some((_, value, _)) => Some(Located::new(*value, node.origin.clone())),
            None => {
                let spot = decoder.spot(node);
                let known = known.into_iter().map(str::to_owned).collect();
                decoder.errors.push(Error::NotOneOf { spot, value: scalar.text.clone(), known });
                None
            }
        }
    }

    fn encode(&self, value: &Located<T>) -> Value {
        value.value.named().into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        let names: Vec<&str> = T::ALL.iter().map(|(name, _, _)| *name).collect();
        let meanings: Vec<String> = T::ALL.iter().map(|(name, _, doc)| format!("{name}: {}", doc.trim())).collect();
        json!({ "enum": names, "description": meanings.join(" ") })
    }
}

/// A value without its origin.
pub(crate) struct Bare<S>(S);

/// Drops the origin of a value.
pub(crate) fn bare<S>(shape: S) -> Bare<S> {
    Bare(shape)
}

impl<T: Clone, S: Shape<Value = Located<T>>> Shape for Bare<S> {
    type Value = T;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<T> {
        Some(self.0.decode(node, decoder)?.value)
    }

    fn encode(&self, value: &T) -> Value {
        self.0.encode(&Located::of_default(value.clone()))
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        self.0.schema(definitions)
    }
}
