//! `versions/lock.yaml`: what runs have used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use trainyard_diagnostics::{Problems, Source};

use crate::Located;
use crate::declare::{
    Decoder, Definitions, Record, Shape, bare, integer, numbered, optional, or_empty, rec, record, required, text,
};
use crate::error::Error;
use crate::tree::{self, Node};

record! {
    /// What runs have used: the digest of every version file, and of each frozen reference test. Written by Trainyard.
    #[derive(Default)]
    pub struct Lock {
        /// Split versions that runs have used.
        splits: BTreeMap<u32, SplitLock> = or_empty(numbered(rec())),
        /// Feature versions that runs have used.
        features: BTreeMap<u32, VersionLock> = or_empty(numbered(rec())),
        /// Model versions that runs have used.
        models: BTreeMap<u32, VersionLock> = or_empty(numbered(rec())),
        /// Reference tests, each by the split version that froze it.
        references: BTreeMap<u32, ReferenceLock> = or_empty(numbered(rec())),
    }
}

record! {
    /// A split version that a run has used.
    pub struct SplitLock {
        /// The digest of what the version file says.
        digest: String = required(bare(HexDigest), "…"),
        /// The column that identified a row.
        key: Option<String> = optional(bare(text())),
        /// The column to predict.
        target: String = required(bare(text()), "Churn"),
        /// The class whose probability is predicted.
        positive: Option<String> = optional(bare(text())),
        /// The run that first used it.
        first_run as "run": Option<String> = optional(bare(text())),
    }
}

record! {
    /// A version that a run has used.
    pub struct VersionLock {
        /// The digest of what the version file says.
        digest: String = required(bare(HexDigest), "…"),
        /// The run that first used it.
        first_run as "run": Option<String> = optional(bare(text())),
    }
}

record! {
    /// A frozen reference test.
    pub struct ReferenceLock {
        /// The digest of its rows.
        digest: String = required(bare(HexDigest), "…"),
        /// The number of its rows.
        rows: u64 = required(bare(integer(1, u64::MAX)), "1409"),
        /// The data that it was frozen from.
        source: String = required(bare(text()), "data/raw/customers.csv"),
    }
}

/// 64 hexadecimal digits.
struct HexDigest;

impl Shape for HexDigest {
    type Value = Located<String>;

    fn decode(&self, node: &Node, decoder: &mut Decoder) -> Option<Located<String>> {
        let digest = text().decode(node, decoder)?;
        if digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Some(digest);
        }
        let (spot, range) = (decoder.spot(node), "a digest of 64 hexadecimal digits".to_owned());
        decoder.errors.push(Error::OutOfRange { spot, value: digest.value, range, whose: None });
        None
    }

    fn encode(&self, value: &Located<String>) -> Value {
        value.value.clone().into()
    }

    fn schema(&self, _: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

/// What stands above every lock.
const HEADING: &str = "\
# Which version files and reference tests runs have used. Written by trainyard; commit it, and do not edit it.
";

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(source: &Arc<Source>) -> Result<Lock, Problems> {
        Lock::read(source).map_err(|errors| errors.iter().map(Error::diagnostic).collect())
    }

    pub(crate) fn read(source: &Arc<Source>) -> Result<Lock, Vec<Error>> {
        let mut decoder = Decoder::new("the lock");
        let lock = tree::parse(source, &mut decoder.errors).and_then(|node| Record::decode(&node, &mut decoder));
        match lock {
            Some(lock) if decoder.errors.is_empty() => Ok(lock),
            _ => Err(decoder.errors.into_iter().map(|error| Error::Lock { error: Box::new(error) }).collect()),
        }
    }

    /// Writes the lock: the same text for the same content.
    pub fn to_yaml(&self) -> String {
        let mut text = HEADING.to_owned();
        for (section, entries) in self.encode() {
            let Value::Object(entries) = entries else { continue };
            if entries.is_empty() {
                continue;
            }
            text.push_str(&format!("{section}:\n"));
            for (number, entry) in entries {
                text.push_str(&format!("  {number}:\n"));
                let Value::Object(entry) = entry else { continue };
                for (key, value) in entry {
                    let value = value.as_str().map_or_else(|| value.to_string(), quoted);
                    text.push_str(&format!("    {key}: {value}\n"));
                }
            }
        }
        text
    }
}

/// Writes a text in double quotes, so that it cannot be taken for anything else.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                // Writing into a text cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
