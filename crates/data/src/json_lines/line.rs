//! One line: an object of values.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::ReadOptions;

/// The keys of a row with what they hold, in the order of the line.
pub(super) type Row<'a> = Vec<(Cow<'a, str>, Held<'a>)>;

/// What a key holds.
pub(super) enum Held<'a> {
    /// A value, or none, of a column that is not kept.
    Unwanted,
    Missing,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A list or an object, as JSON.
    Nested {
        json: String,
        found: &'static str,
    },
}

/// Why a line is no row.
pub(super) enum Wrong {
    /// It is no JSON; the cause, and the column of the byte where reading stopped, from 1.
    Syntax { cause: String, column: usize },
    /// It is JSON of another kind.
    NotObject(&'static str),
}

/// Reads a line. Values may lie in one another as deep as serde_json goes, which is 128.
pub(super) fn row<'a>(text: &'a str, options: &ReadOptions) -> Result<Row<'a>, Wrong> {
    let found = match text.trim_start().as_bytes().first() {
        Some(b'{') => {
            let mut reader = serde_json::Deserializer::from_str(text);
            let row = Keys(options).deserialize(&mut reader);
            return row.and_then(|row| reader.end().map(|()| row)).map_err(syntax);
        }
        Some(b'[') => "a list",
        Some(b'"') => "text",
        _ => "a single value",
    };
    // What is no JSON at all is told as such.
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Err(Wrong::NotObject(found)),
        Err(error) => Err(syntax(error)),
    }
}

fn syntax(error: serde_json::Error) -> Wrong {
    let cause = error.to_string();
    // The line of the message is that of the text, which is one line.
    let cause = cause.split(" at line ").next().unwrap_or_default().to_owned();
    Wrong::Syntax { cause, column: error.column() }
}

/// Reads an object, and of its values those of the columns that are kept.
struct Keys<'o>(&'o ReadOptions);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Row<'de>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Row<'de>, D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Row<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
        let mut row = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let held = if self.0.keeps(&name) {
                map.next_value()?
            } else {
                map.next_value::<IgnoredAny>()?;
                Held::Unwanted
            };
            row.push((name, held));
        }
        Ok(row)
    }
}

/// A key, borrowed from the line where nothing is escaped in it.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Name<'de>, D::Error> {
        source.deserialize_str(NameVisitor).map(Name)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Held<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Held<'de>, D::Error> {
        source.deserialize_any(HeldVisitor)
    }
}

struct HeldVisitor;

impl<'de> Visitor<'de> for HeldVisitor {
    type Value = Held<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Held<'de>, E> {
        Ok(Held::Missing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Held<'de>, E> {
        Ok(Held::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Held<'de>, E> {
        Ok(Held::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Held<'de>, E> {
        // As Parquet's unsigned numbers: what no whole number of 64 bits holds is a float.
        Ok(i64::try_from(value).map_or(Held::Float(value as f64), Held::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Held<'de>, E> {
        Ok(Held::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Held<'de>, E> {
        Ok(Held::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Held<'de>, E> {
        Ok(Held::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Held<'de>, A::Error> {
        let json = Value::deserialize(SeqAccessDeserializer::new(items))?.to_string();
        Ok(Held::Nested { json, found: "a list" })
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Held<'de>, A::Error> {
        let json = Value::deserialize(MapAccessDeserializer::new(entries))?.to_string();
        Ok(Held::Nested { json, found: "an object" })
    }
}
