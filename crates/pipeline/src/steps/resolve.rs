//! Records the whole configuration of the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use trainyard_files::Digest;

use super::context::{Context, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};

pub(crate) struct Resolve(pub(crate) Arc<Context>);

impl Resolve {
    /// Gives the configuration without the lock and the kept schema, which the run itself may extend.
    fn configuration(&self) -> Vec<u8> {
        let mut value = self.0.document().clone();
        if let Some(object) = value.as_object_mut() {
            object.remove("lock");
            object.remove("schema");
        }
        to_json(&value)
    }
}

impl Step for Resolve {
    fn name(&self) -> &'static str {
        "resolve"
    }

    fn reads(&self) -> Vec<Read> {
        Vec::new()
    }

    fn code(&self) -> Digest {
        code::digest("resolve", &["spec"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(vec![Input::new("configuration", Digest::of(&self.configuration()))])
    }

    fn computes(&self) -> bool {
        false
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let resolved = &self.0.resolved;
        let versions = [
            ("split_version", resolved.split.version),
            ("feature_version", resolved.features.version),
            ("model_version", resolved.model.version),
        ];
        let configuration = scope.store(&self.configuration())?;
        let mut output = Output {
            artifacts: BTreeMap::from([("configuration".to_owned(), configuration)]),
            facts: json!({ "versions": BTreeMap::from(versions) }),
            headline: (
                resolved.project.name.value.clone(),
                versions.map(|(name, version)| format!("{} v{version}", name.trim_end_matches("_version"))).join(", "),
            ),
            ..Output::default()
        };
        output.logged.params = versions.map(|(name, version)| (name.to_owned(), version.to_string())).into();
        output.logged.files = BTreeMap::from([("configuration.json".to_owned(), configuration)]);
        Ok(output)
    }
}
