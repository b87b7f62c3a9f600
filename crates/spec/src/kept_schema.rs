//! `versions/schema.yaml`: the types that the columns of the data were found to have.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use trainyard_diagnostics::{Place, Problems, Source};

use crate::declare::{Decoder, Record, choice, or_empty, record, sorted_map};
use crate::error::Error;
use crate::lock::quoted;
use crate::resolve::in_order;
use crate::{ColumnType, DataSpec, Located, Origin, tree};

record! {
    /// The types that the columns of the data were found to have when they were read for the first time. Written by
    /// Trainyard; a line may be changed or taken away.
    #[derive(Default)]
    pub struct KeptSchema {
        /// Each column with its type.
        columns: BTreeMap<String, Located<ColumnType>> = or_empty(sorted_map(choice())),
    }
}

/// What stands above every kept schema.
const HEADING: &str = "\
# The type that each column of the data was found to have. Later data is held to it; commit this file.
# To accept a change, edit the line of the column, or delete it and the type is found anew. Comments are not kept.
";

/// What YAML takes for something else than a text, in any case.
const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// Says whether a name can stand in YAML as it is.
fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Gives the place of a column's name with its type; of the type alone where the name does not stand before it so.
fn line_of(name: &str, kind: &Place) -> Place {
    let before = kind.source.text.get(..kind.span.start).and_then(|text| text.trim_end().strip_suffix(':'));
    let named = before.and_then(|text| text.trim_end_matches(['"', '\'']).strip_suffix(name));
    Place::new(kind.source.clone(), named.map_or(kind.span.start, str::len)..kind.span.end)
}

impl KeptSchema {
    /// Reads a kept schema.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(source: &Arc<Source>) -> Result<KeptSchema, Problems> {
        let mut decoder = Decoder::new("the kept schema");
        let schema = tree::parse(source, &mut decoder.errors).and_then(|node| Record::decode(&node, &mut decoder));
        match schema {
            Some(schema) if decoder.errors.is_empty() => Ok(schema),
            _ => Err(in_order(decoder.errors.iter().map(Error::diagnostic).collect()).into_iter().collect()),
        }
    }

    /// Writes it: the same text for the same content.
    pub fn to_yaml(&self) -> String {
        let mut text = format!("{HEADING}columns:\n");
        for (name, kind) in &self.columns {
            let name = if is_plain(name) { name.clone() } else { quoted(name) };
            text.push_str(&format!("  {name}: {}\n", kind.value));
        }
        text
    }

    /// Says whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Keeps the type of a column that has none yet; says whether that is new.
    pub fn keep(&mut self, column: &str, kind: ColumnType) -> bool {
        let is_new = !self.columns.contains_key(column);
        if is_new {
            self.columns.insert(column.to_owned(), Located::new(kind, Origin::Kept(None)));
        }
        is_new
    }

    /// Lays the kept types under those that `data` declares itself: what it gives is how the source is read.
    pub fn under(&self, data: &DataSpec) -> DataSpec {
        let mut data = data.clone();
        for (name, kind) in &self.columns {
            let origin = || Origin::Kept(kind.place().map(|place| line_of(name, &place)));
            data.types.entry(name.clone()).or_insert_with(|| Located::new(kind.value, origin()));
        }
        data
    }

    /// Gives what it says as JSON, in one order.
    pub fn to_json(&self) -> Value {
        Value::Object(self.encode())
    }
}
