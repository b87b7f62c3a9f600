//! JSON Schemas (draft 2020-12) of the files of a project, made of the declarations that the decoder uses.

use serde_json::{Value, json};

use crate::declare::{Definitions, Record};
use crate::resolve::Header;
use crate::{FeatureSpec, KeptSchema, Lock, ModelSpec, Project, SplitSpec};

/// Gives every schema with the name of its file.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("trainyard.schema.json", file::<Project>("trainyard.yaml", false)),
        ("split.schema.json", split()),
        ("features.schema.json", file::<FeatureSpec>("versions/features/v1.yaml", true)),
        ("model.schema.json", file::<ModelSpec>("versions/models/v1.yaml", true)),
        ("lock.schema.json", file::<Lock>("versions/lock.yaml", false)),
        ("kept_schema.schema.json", file::<KeptSchema>("versions/schema.yaml", false)),
    ]
}

/// Gives the schema of a split version: shares may be missing where there are borders, which need their last.
fn split() -> Value {
    let mut schema = file::<SplitSpec>("versions/splits/v1.yaml", true);
    let borders = json!({ "by_time": { "type": "object", "required": ["reference_test_from"] } });
    schema["if"] = json!({ "properties": borders, "required": ["by_time"] });
    schema["else"] = json!({ "required": ["shares"] });
    schema["$defs"]["TimeSpec"]["dependentRequired"] = json!({ "validation_from": ["reference_test_from"] });
    schema
}

/// Gives the schema of one file; a version file holds the keys of [`Header`] as well.
fn file<T: Record>(title: &str, version: bool) -> Value {
    let mut definitions = Definitions::new();
    let mut schema = T::schema(&mut definitions);
    if version
        && let (Value::Object(header), Some(Value::Object(properties))) =
            (Header::schema(&mut definitions)["properties"].take(), schema.get_mut("properties"))
    {
        properties.extend(header);
    }
    let mut whole = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title });
    if let (Value::Object(whole), Value::Object(schema)) = (&mut whole, schema) {
        whole.extend(schema);
        if !definitions.is_empty() {
            whole.insert("$defs".into(), Value::Object(definitions.into_iter().collect()));
        }
    }
    whole
}
