//! A resolved configuration as the record of a run, and back.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use trainyard_diagnostics::{Problems, Source, conceal};

use crate::declare::{Decoder, Record};
use crate::error::Error;
use crate::tree;
use crate::{KeptSchema, Lock, Project, Resolved, Versioned};

/// The format of the record.
const FORMAT: u64 = 1;

impl Resolved {
    /// Gives the whole configuration in one order, defaults included, from which [`Resolved::from_json`] makes it again.
    ///
    /// Origins and warnings are not part of it.
    pub fn to_json(&self) -> Value {
        // What of a source lets somebody in is kept nowhere.
        let overrides: Vec<(&str, String)> =
            self.overrides.iter().map(|(key, value)| (key.as_str(), conceal(value).into_owned())).collect();
        let mut whole = json!({
            "format": FORMAT,
            "environment": self.environment,
            "overrides": overrides,
            "project": self.project.encode(),
            "split": version_json(&self.split),
            "features": version_json(&self.features),
            "model": version_json(&self.model),
            "lock": self.lock.encode(),
        });
        if !self.schema.is_empty() {
            whole["schema"] = Value::Object(self.schema.encode());
        }
        whole
    }

    /// Reads what [`Resolved::to_json`] gave; every origin is then [`crate::Origin::Default`].
    ///
    /// # Errors
    /// What is no such record, or the record of a later format.
    pub fn from_json(value: &Value) -> Result<Resolved, Problems> {
        let problem = |what: &str| Problems::from(Error::Record { what: what.to_owned() }.diagnostic());
        match value.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(_) => return Err(problem("it was written by a later version of Trainyard")),
            None => return Err(problem("it has no format")),
        }
        let strings = |value: &Value| -> Option<(String, String)> {
            match value.as_array()?.as_slice() {
                [Value::String(key), Value::String(value)] => Some((key.clone(), value.clone())),
                _ => None,
            }
        };
        let overrides = value.get("overrides").and_then(Value::as_array).map(|list| list.iter().map(strings).collect());
        let environment = match value.get("environment") {
            Some(Value::Null) => Some(None),
            Some(Value::String(name)) => Some(Some(name.clone())),
            _ => None,
        };
        Ok(Resolved {
            project: section::<Project>(value, "project")?,
            split: version(value, "split")?,
            features: version(value, "features")?,
            model: version(value, "model")?,
            lock: section::<Lock>(value, "lock")?,
            // Where nothing is kept yet there is none.
            schema: match value.get("schema") {
                Some(_) => section::<KeptSchema>(value, "schema")?,
                None => KeptSchema::default(),
            },
            environment: environment.ok_or_else(|| problem("`environment` is no name"))?,
            overrides: overrides.flatten().ok_or_else(|| problem("`overrides` is no list of keys and values"))?,
            warnings: Vec::new(),
        })
    }

    /// Gives what one part of the configuration says, of the document that [`Resolved::to_json`] made, for the key of a
    /// step that depends on it: `data`, `validate`, `drift`, `versioning`, `evaluate`, `gates`, `promote`, `tracking`,
    /// `active`, `split`, `features`, `model`;
    /// null for a section that is left out, and for any other name.
    pub fn section_of<'a>(document: &'a Value, part: &str) -> &'a Value {
        match part {
            "split" | "features" | "model" => &document[part]["spec"],
            "data" | "validate" | "drift" | "versioning" | "evaluate" | "gates" | "promote" | "tracking" | "active" => {
                &document["project"][part]
            }
            _ => &Value::Null,
        }
    }
}

fn version_json<T: Record>(version: &Versioned<T>) -> Value {
    let mut object = Map::new();
    object.insert("version".into(), version.version.into());
    object.insert("digest".into(), version.digest.clone().into());
    object.insert("file".into(), version.source.name.clone().into());
    object.insert("text".into(), version.source.text.clone().into());
    object.insert("spec".into(), Value::Object(version.spec.encode()));
    Value::Object(object)
}

fn section<T: Record>(value: &Value, key: &str) -> Result<T, Problems> {
    let empty = Value::Null;
    let mut decoder = Decoder::new("the record of a run");
    let decoded = T::decode(&tree::from_json(value.get(key).unwrap_or(&empty)), &mut decoder);
    match decoded {
        Some(decoded) if decoder.errors.is_empty() => Ok(decoded),
        _ => Err(decoder.errors.iter().map(Error::diagnostic).collect()),
    }
}

fn version<T: Record>(value: &Value, key: &str) -> Result<Versioned<T>, Problems> {
    let version = value.get(key).unwrap_or(&Value::Null);
    let problem = || Problems::from(Error::Record { what: format!("`{key}` is no version") }.diagnostic());
    let text = |name: &str| version.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(problem);
    let number = version.get("version").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    Ok(Versioned {
        version: number.ok_or_else(problem)?,
        spec: section(version, "spec")?,
        source: Arc::new(Source { name: text("file")?, text: text("text")?, first_line: 1 }),
        digest: text("digest")?,
    })
}
