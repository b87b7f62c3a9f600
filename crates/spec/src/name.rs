//! Names that become parts of other things: paths, references, metrics.

use serde_json::{Value, json};

use crate::Located;
use crate::declare::{Decoder, Definitions, Shape, text};
use crate::error::Error;
use crate::tree::Node;

/// A name with rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// A registered model: stands in `name@alias` and `name/3`.
    Model,
    /// An alias of a model version.
    Alias,
    /// The name of a project.
    Project,
}

impl Name {
    /// Says why a text cannot be such a name.
    fn objection(self, name: &str) -> Option<String> {
        let graphic = |name: &str| !name.chars().any(char::is_control) && name.trim() == name;
        match self {
            Name::Model | Name::Project => {
                if let Some(c) = name.chars().find(|c| matches!(c, '/' | ':' | '@')) {
                    return Some(format!(
                        "a name of a model holds no `{c}`: it stands in references such as name@alias and name/3"
                    ));
                }
                (!graphic(name)).then(|| "a name holds no control characters and no blanks at its ends".to_owned())
            }
            Name::Alias => {
                let number = name.strip_prefix(['v', 'V']).unwrap_or_default();
                if name.eq_ignore_ascii_case("latest") {
                    return Some("`latest` always means the newest version".to_owned());
                }
                if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Some("v and a number is a version, not an alias".to_owned());
                }
                if name.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Some("a number is a version, not an alias".to_owned());
                }
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                (!name.chars().all(fits)).then(|| "an alias is made of letters, digits, `_` and `-`".to_owned())
            }
        }
    }
}

impl Shape for Name {
    type Value = Located<String>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<String>> {
        let name = text().decode(node, decoder)?;
        match self.objection(&name.value) {
            None => Some(name),
            Some(why) => {
                let spot = decoder.spot(node);
                decoder.errors.push(Error::BadName { spot, name: name.value, why });
                None
            }
        }
    }

    fn encode(&self, value: &Located<String>) -> Value {
        value.value.clone().into()
    }

    fn schema(&self, definitions: &mut Definitions) -> Value {
        match self {
            Name::Model | Name::Project => {
                let mut schema = text().schema(definitions);
                schema["pattern"] = "^[^/:@]+$".into();
                schema
            }
            Name::Alias => json!({
                "type": "string",
                "pattern": "^[A-Za-z0-9_-]+$",
                "not": { "pattern": "^([Ll][Aa][Tt][Ee][Ss][Tt]|[vV]?[0-9]+)$" },
            }),
        }
    }
}
