//! The walk over nodes that gathers everything that is wrong with them.

use trainyard_diagnostics::{Place, nearest};

use crate::error::Error;
use crate::tree::{Content, Node};
use crate::{Located, Origin};

/// Says where a value stands: under which keys, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The keys that lead to it, `gates.at_least.roc_auc`; empty for a whole file.
    pub path: String,
    /// Where it was written.
    pub origin: Origin,
}

/// Gathers problems on the way through the nodes of one file.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// What the file is, in words: `the project file`.
    pub(crate) file: &'static str,
    pub(crate) errors: Vec<Error>,
    /// Keys that the file as a whole knows beside those of its record.
    pub(crate) about: &'static [&'static str],
    path: Vec<Located<String>>,
    /// Limits on losses that were written as gates: they belong to `promote.may_lose`.
    pub(crate) may_lose: Vec<(Located<String>, Located<f64>)>,
}

impl Decoder {
    pub(crate) fn new(file: &'static str) -> Decoder {
        Decoder { file, errors: Vec::new(), about: &[], path: Vec::new(), may_lose: Vec::new() }
    }

    /// Says where a node stands; a node of many lines is pointed at by its key.
    pub(crate) fn spot(&self, node: &Node) -> Spot {
        let origin = match self.path.last() {
            Some(key) if !node.on_one_line() => key.origin.clone(),
            None => whole(&node.origin),
            _ => node.origin.clone(),
        };
        Spot { path: self.path(), origin }
    }

    /// Says where the section stands that is decoded at the moment.
    pub(crate) fn here(&self, node: &Node) -> Spot {
        let origin = self.path.last().map_or_else(|| whole(&node.origin), |key| key.origin.clone());
        Spot { path: self.path(), origin }
    }

    pub(crate) fn path(&self) -> String {
        let keys: Vec<&str> = self.path.iter().map(|key| key.value.as_str()).collect();
        keys.join(".")
    }

    /// Runs `decode` one key further down.
    pub(crate) fn under<T>(&mut self, key: &Located<String>, decode: impl FnOnce(&mut Decoder) -> T) -> T {
        self.path.push(key.clone());
        let value = decode(self);
        self.path.pop();
        value
    }

    /// Takes a node for a section whose keys are all among `known`; nothing at all is an empty section.
    pub(crate) fn section<'n>(&mut self, node: &'n Node, known: &[&str]) -> Option<Section<'n>> {
        let entries = self.entries(node, "a section of keys and values")?;
        let about = if self.path.is_empty() { self.about } else { &[] };
        let known: Vec<&str> = known.iter().chain(about).copied().collect();
        let mut strangers = Vec::new();
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.value.as_str())) {
            strangers.push(key.value.as_str());
            self.errors.push(Error::UnknownKey {
                key: key.clone(),
                section: self.path(),
                file: self.file,
                known: known.iter().map(|name| (*name).to_owned()).collect(),
            });
        }
        Some(Section { node, entries, strangers })
    }

    /// Gives the entries of a mapping; nothing at all has none.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n [(Located<String>, Node)]> {
        match &node.content {
            Content::Mapping(entries) => Some(entries),
            Content::Scalar(_) if node.is_null() => Some(&[]),
            Content::Scalar(_) | Content::Sequence(_) => {
                self.wrong_type(node, expected);
                None
            }
        }
    }

    /// Refuses the first of two keys of a group where the second stands beside it.
    pub(crate) fn exclude(&mut self, section: &Section<'_>, keys: [&str; 2], why: &'static str, help: &'static str) {
        let written = |name: &str| {
            let (key, _) = section.entries.iter().find(|(key, node)| key.value == name && !node.is_null())?;
            Some(key.clone())
        };
        if let [Some(second), Some(first)] = keys.map(written) {
            self.errors.push(Error::GroupConflict { first, second, why, help });
        }
    }

    pub(crate) fn wrong_type(&mut self, node: &Node, expected: impl Into<String>) {
        self.wrong(node, expected, node.describe());
    }

    /// Tells what a node is in other words than its type's.
    pub(crate) fn wrong(&mut self, node: &Node, expected: impl Into<String>, found: &'static str) {
        let text = match &node.content {
            Content::Scalar(scalar) if !node.is_null() => Some(scalar.text.clone()),
            _ => None,
        };
        let (spot, expected) = (self.spot(node), expected.into());
        self.errors.push(Error::WrongType { spot, expected, found, text });
    }
}

/// Points at the start of a file rather than at all of it.
fn whole(origin: &Origin) -> Origin {
    match origin {
        Origin::File(place) => Origin::File(Place::new(place.source.clone(), place.span.start..place.span.start)),
        other => other.clone(),
    }
}

/// The keys and values of a node that is a section.
#[derive(Debug, Clone)]
pub(crate) struct Section<'n> {
    pub(crate) node: &'n Node,
    pub(crate) entries: &'n [(Located<String>, Node)],
    /// The keys that are not known.
    strangers: Vec<&'n str>,
}

impl<'n> Section<'n> {
    /// Says whether a key is there, but misspelt: which is told already.
    pub(crate) fn misspells(&self, key: &str) -> bool {
        self.strangers.iter().any(|stranger| nearest(stranger, [key]).is_some())
    }

    /// Gives the key and value under a name or one of its aliases; both at once is a problem.
    pub(crate) fn entry(
        &self,
        name: &str,
        aliases: &[&str],
        decoder: &mut Decoder,
    ) -> Option<(&'n Located<String>, &'n Node)> {
        let matches = |key: &&(Located<String>, Node)| key.0.value == name || aliases.contains(&key.0.value.as_str());
        let mut found = self.entries.iter().filter(matches);
        let (key, value) = found.next()?;
        for (other, _) in found {
            decoder.errors.push(Error::SameThing { key: other.clone(), first: key.clone(), name: name.to_owned() });
        }
        Some((key, value))
    }
}
