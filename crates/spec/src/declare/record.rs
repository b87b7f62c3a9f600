//! Records: sections whose keys are known.

use std::marker::PhantomData;

use serde_json::{Map, Value, json};

use crate::declare::{Decoder, Definitions, Shape};
use crate::tree::Node;

/// What is known of one key of a record.
pub(crate) struct FieldInfo {
    pub(crate) key: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) description: String,
    pub(crate) schema: Value,
    pub(crate) required: bool,
    /// Whether a list of parameters names it where it is left out.
    pub(crate) listed: bool,
}

/// A type declared by [`record!`].
pub(crate) trait Record: Sized {
    /// The name of the type.
    const NAME: &'static str;
    /// The known keys, aliases included.
    const KEYS: &'static [&'static str];

    fn description() -> String;
    fn fields(definitions: &mut Definitions) -> Vec<FieldInfo>;
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self>;
    fn encode(&self) -> Map<String, Value>;

    /// Gives the schema of the section itself, not a reference to it.
    fn schema(definitions: &mut Definitions) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in Self::fields(definitions) {
            let mut schema = field.schema;
            // What is said of the key stands above what is said of its values.
            let meaning = describe(&mut schema, &field.description);
            for alias in field.aliases {
                let mut other = schema.clone();
                describe(&mut other, &format!("Another name of `{}`. {meaning}", field.key));
                properties.insert((*alias).to_owned(), other);
            }
            properties.insert(field.key.to_owned(), schema);
            if field.required {
                required.push(field.key);
            }
        }
        let mut schema = json!({
            "description": Self::description(),
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema
    }
}

fn describe(schema: &mut Value, text: &str) -> String {
    if let Value::Object(object) = schema {
        object.insert("description".into(), text.into());
    }
    text.to_owned()
}

/// Joins the lines of a doc comment.
pub(crate) fn doc(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ").trim().to_owned()
}

/// A record as a shape.
pub(crate) struct Rec<T>(PhantomData<T>);

/// Takes a section that is declared as a record.
pub(crate) fn rec<T: Record>() -> Rec<T> {
    Rec(PhantomData)
}

impl<T: Record> Shape for Rec<T> {
    type Value = T;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<T> {
        T::decode(node, decoder)
    }

    fn encode(&self, value: &T) -> Value {
        Value::Object(value.encode())
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        if !definitions.contains_key(T::NAME) {
            definitions.insert(T::NAME.to_owned(), Value::Null);
            let schema = T::schema(definitions);
            definitions.insert(T::NAME.to_owned(), schema);
        }
        json!({ "$ref": format!("#/$defs/{}", T::NAME) })
    }
}

/// Declares a record: the struct, its decoder, its known keys and its schema.
///
/// `key as "name" or ["alias"]: Type = rule` gives a key another name in YAML and aliases. `check path` names a function
/// `fn(&mut Self, &Section, &mut Decoder)` that is run on a record that decoded.
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        $(#[derive($($derive:ident),+)])?
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])+
                $field:ident $(as $key:literal)? $(or [$($alias:literal),+])? : $type:ty = $rule:expr
            ),* $(,)?
        }
        $(check $check:path)?
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq $(, $($derive),+)?)]
        $visibility struct $name {
            $( $(#[doc = $field_doc])+ $visibility $field: $type, )*
        }

        impl $crate::declare::Record for $name {
            const NAME: &'static str = stringify!($name);
            const KEYS: &'static [&'static str] =
                &[$( $crate::declare::key!($field $($key)?), $( $($alias,)+ )? )*];

            fn description() -> String {
                $crate::declare::doc(&[$($doc),+])
            }

            fn fields(definitions: &mut $crate::declare::Definitions) -> Vec<$crate::declare::FieldInfo> {
                vec![$( $crate::declare::FieldInfo {
                    key: $crate::declare::key!($field $($key)?),
                    aliases: &[$( $($alias),+ )?],
                    description: $crate::declare::doc(&[$($field_doc),+]),
                    schema: $crate::declare::Presence::schema(&$crate::declare::ruled::<$type, _>($rule), definitions),
                    required: $crate::declare::Presence::is_required(&$crate::declare::ruled::<$type, _>($rule)),
                    listed: $crate::declare::Presence::is_listed(&$crate::declare::ruled::<$type, _>($rule)),
                } ),*]
            }

            fn decode(node: &$crate::tree::Node, decoder: &mut $crate::declare::Decoder) -> Option<$name> {
                let section = decoder.section(node, <$name as $crate::declare::Record>::KEYS)?;
                $(
                    let aliases: &[&str] = &[$( $($alias),+ )?];
                    let rule = $crate::declare::ruled::<$type, _>($rule);
                    let $field = $crate::declare::Presence::decode(&rule, &section, $crate::declare::key!($field $($key)?), aliases, decoder);
                )*
                let record = $name { $( $field: $field? ),* };
                $( let mut record = record; $check(&mut record, &section, decoder); )?
                Some(record)
            }

            fn encode(&self) -> serde_json::Map<String, serde_json::Value> {
                let mut object = serde_json::Map::new();
                $(
                    let rule = $crate::declare::ruled::<$type, _>($rule);
                    $crate::declare::Presence::encode(&rule, $crate::declare::key!($field $($key)?), &self.$field, &mut object);
                )*
                object
            }
        }
    };
}

/// Gives the name of a key in YAML.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

/// Declares a type with a name for each value.
macro_rules! named {
    (
        $(#[doc = $doc:literal])+
        $visibility:vis enum $name:ident {
            $( $(#[doc = $value_doc:literal])+ $value:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name {
            $( $(#[doc = $value_doc])+ $value ),+
        }

        impl $crate::declare::Named for $name {
            const ALL: &'static [(&'static str, $name, &'static str)] =
                &[$( ($text, $name::$value, concat!($($value_doc),+)) ),+];
        }

        impl $name {
            /// Gives the name as specs write it.
            $visibility fn name(self) -> &'static str {
                $crate::declare::Named::named(self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

pub(crate) use {key, named, record};
