//! What a YAML text says, before anyone asks what it means: nodes with their origins.

mod canonical;
mod difference;
mod merge;
mod parse;
mod scalar;

pub(crate) use canonical::{canonical, from_json};
pub use difference::Difference;
pub(crate) use difference::differences;
pub(crate) use merge::{merge, set};
pub(crate) use parse::parse;
pub(crate) use scalar::scalar_range;

use trainyard_diagnostics::Place;

use crate::{Located, Origin};

/// One value of a YAML text.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) origin: Origin,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Located<String>, Node)>),
}

/// A text, which is a number, a truth value or nothing only where it stands without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) plain: bool,
}

/// What a scalar is by YAML's core schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Null,
    Boolean(bool),
    /// A whole number that fits no wider than `i128`.
    Integer(i128),
    Float(f64),
    Text,
}

impl Scalar {
    pub(crate) fn kind(&self) -> Kind {
        if !self.plain {
            return Kind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
            "true" | "True" | "TRUE" => return Kind::Boolean(true),
            "false" | "False" | "FALSE" => return Kind::Boolean(false),
            ".nan" | ".NaN" | ".NAN" => return Kind::Float(f64::NAN),
            _ => {}
        }
        let unsigned = self.text.strip_prefix(['+', '-']).unwrap_or(&self.text);
        if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
            return Kind::Float(if self.text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        if !unsigned.is_empty()
            && unsigned.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = self.text.parse()
        {
            return Kind::Integer(number);
        }
        if is_float(unsigned) { self.text.parse().map_or(Kind::Text, Kind::Float) } else { Kind::Text }
    }
}

/// Says whether a text without its sign is a number as YAML writes it: `[0-9]*\.?[0-9]*([eE][-+]?[0-9]+)?`, with a digit
/// before the exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    whole.len() + fraction.len() > 0 && digits(whole) && digits(fraction) && exponent_fits
}

impl Node {
    /// Makes a plain scalar, as a flag gives it.
    pub(crate) fn plain(text: impl Into<String>, origin: Origin) -> Node {
        Node { content: Content::Scalar(Scalar { text: text.into(), plain: true }), origin }
    }

    /// Makes an empty mapping.
    pub(crate) fn empty(origin: Origin) -> Node {
        Node { content: Content::Mapping(Vec::new()), origin }
    }

    /// Says whether the node is nothing: absent, `null` or `~`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.kind() == Kind::Null)
    }

    /// Gives the value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node),
            Content::Scalar(_) | Content::Sequence(_) => None,
        }
    }

    /// Gives the same node as if it had come from somewhere else.
    pub(crate) fn moved_to(self, origin: &Origin) -> Node {
        let content = match self.content {
            Content::Scalar(scalar) => Content::Scalar(scalar),
            Content::Sequence(items) => {
                Content::Sequence(items.into_iter().map(|item| item.moved_to(origin)).collect())
            }
            Content::Mapping(entries) => Content::Mapping(
                entries
                    .into_iter()
                    .map(|(key, value)| (Located::new(key.value, origin.clone()), value.moved_to(origin)))
                    .collect(),
            ),
        };
        Node { content, origin: origin.clone() }
    }

    /// Gives the section with only some of its keys; of what is no section, an empty one.
    pub(crate) fn only(&self, keys: &[&str]) -> Node {
        let mut only = Node::empty(self.origin.clone());
        if let (Content::Mapping(kept), Content::Mapping(entries)) = (&mut only.content, &self.content) {
            kept.extend(entries.iter().filter(|(key, _)| keys.contains(&key.value.as_str())).cloned());
        }
        only
    }

    /// Says in words what the node is.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.content {
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a section",
            Content::Scalar(scalar) => match scalar.kind() {
                Kind::Null => "nothing",
                Kind::Boolean(_) => "a truth value",
                Kind::Integer(_) => "a whole number",
                Kind::Float(_) => "a number",
                Kind::Text => "text",
            },
        }
    }

    /// Says whether the node stands on one line, so that a message can point at all of it.
    pub(crate) fn on_one_line(&self) -> bool {
        match &self.origin {
            Origin::File(Place { source, span }) => {
                let text = source.text.get(span.clone()).unwrap_or_default().trim_end();
                !text.is_empty() && !text.contains('\n')
            }
            _ => true,
        }
    }
}
