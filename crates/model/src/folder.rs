//! A model as files: exact, in a fixed order, with nothing of time, identity or place inside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use trainyard_data::Target;
use trainyard_features::FittedFeatures;
use trainyard_files::{Digest, Digester};
use trainyard_spec::Task;

use crate::model::learn_task;
use crate::{Calibration, Error, Estimator, Link, Model, SeenRows};

/// The latest format that this version knows: splits by sets of categories, and features of the third format.
const FORMAT: u64 = 4;
/// The format of models without these: a calibration, counts, and features of the second format.
const EARLIER: u64 = 3;
/// The format of models without any of that, which earlier versions read too.
const PLAIN: u64 = 2;

const MODEL: &str = "model.json";
const SIGNATURE: &str = "signature.json";
const SEEN: &str = "seen_rows.bin";

/// The stored form of a model but its seen rows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u64,
    name: String,
    estimator_name: String,
    parameters: BTreeMap<String, String>,
    target: Target,
    threshold: f64,
    features: FittedFeatures,
    estimator: Estimator,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibration>,
}

impl Model {
    /// Writes the model: its files by their path in the folder.
    ///
    /// `model.json` is the exact native form, `seen_rows.bin` the digests of the rows that may not judge it, and
    /// `signature.json` says what it takes and gives and holds the digests of the other two. Equal models give equal
    /// bytes.
    pub fn to_folder(&self) -> BTreeMap<String, Vec<u8>> {
        let stored = Stored {
            format: self.format(),
            name: self.name.clone(),
            estimator_name: self.estimator_name.clone(),
            parameters: self.parameters.clone(),
            target: self.target.clone(),
            threshold: self.threshold,
            features: self.features.clone(),
            estimator: self.estimator.clone(),
            calibration: self.calibration.clone(),
        };
        // Maps have text for keys and memory can be written to: this does not fail.
        let mut model = serde_json::to_vec(&stored).unwrap_or_default();
        model.push(b'\n');
        let seen = self.seen.to_bytes();
        let signature = self.signature(&model, &seen);
        BTreeMap::from([(MODEL.into(), model), (SEEN.into(), seen), (SIGNATURE.into(), signature)])
    }

    /// Reads a folder that [`Model::to_folder`] wrote; further files in it do not matter.
    ///
    /// # Errors
    /// A file that is absent, of a later format, cut, altered, or that contradicts itself or another one.
    pub fn from_folder(folder: &BTreeMap<String, Vec<u8>>) -> Result<Model, Error> {
        let file = |path: &str| folder.get(path).ok_or_else(|| Error::MissingFile { path: path.to_owned() });
        let damaged = |path: &str, what: String| Error::Damaged { path: path.to_owned(), what };
        let (model, signature, seen) = (file(MODEL)?, file(SIGNATURE)?, file(SEEN)?);
        check_format(MODEL, model)?;
        check_format(SIGNATURE, signature)?;
        let stated: serde_json::Value =
            serde_json::from_slice(signature).map_err(|error| damaged(SIGNATURE, error.to_string()))?;
        for (path, bytes) in [(MODEL, model), (SEEN, seen)] {
            let digest = stated.get("files").and_then(|files| files.get(path)).and_then(serde_json::Value::as_str);
            if digest != Some(Digest::of(bytes).to_string().as_str()) {
                return Err(damaged(path, format!("its bytes are not those that {SIGNATURE} states")));
            }
        }
        let read = Model::from_files(model, seen)?;
        if read.signature(model, seen) != *signature {
            return Err(damaged(SIGNATURE, format!("it is not the signature of {MODEL}")));
        }
        Ok(read)
    }

    /// Reads `model.json` and `seen_rows.bin` without the signature that proves them to be what was written.
    ///
    /// Whatever the bytes: what is read predicts without a panic.
    ///
    /// # Errors
    /// A file of a later format, one that is cut, and one that contradicts itself.
    pub fn from_files(model: &[u8], seen: &[u8]) -> Result<Model, Error> {
        let damaged = |path: &str, what: String| Error::Damaged { path: path.to_owned(), what };
        check_format(MODEL, model)?;
        let stored: Stored = serde_json::from_slice(model).map_err(|error| damaged(MODEL, error.to_string()))?;
        if !has_its_classes(&stored.target) {
            return Err(damaged(MODEL, "its target does not have the classes of its task".into()));
        }
        let outputs = learn_task(&stored.target).outputs();
        if !stored.estimator.is_sound(&stored.features.categories(), outputs) {
            return Err(damaged(MODEL, "its estimator does not fit its features and target".into()));
        }
        if stored.calibration.as_ref().is_some_and(|calibration| !calibration.is_for(&stored.target)) {
            return Err(damaged(MODEL, "its calibration does not fit its target".into()));
        }
        let seen = SeenRows::from_bytes(seen).map_err(|what| damaged(SEEN, what.into()))?;
        Ok(Model {
            target: stored.target,
            features: stored.features,
            estimator: stored.estimator,
            calibration: stored.calibration,
            threshold: stored.threshold,
            name: stored.name,
            estimator_name: stored.estimator_name,
            parameters: stored.parameters,
            seen,
        })
    }

    /// Gives the digest of a model folder: of its sorted paths and their bytes. A model's own is that of its native
    /// form, which [`Model::to_folder`] gives: see `docs/design/0011-the-digest-of-a-model.md`.
    pub fn digest(folder: &BTreeMap<String, Vec<u8>>) -> Digest {
        let mut digester = Digester::new("trainyard model folder");
        for (path, bytes) in folder {
            digester = digester.text(path).bytes(bytes);
        }
        digester.finish()
    }

    /// Gives the earliest format that holds the model.
    fn format(&self) -> u64 {
        match self.features.format() {
            1 if self.calibration.is_none() && self.estimator.link() != Link::Exp => PLAIN,
            1 | 2 => EARLIER,
            _ => FORMAT,
        }
    }

    fn signature(&self, model: &[u8], seen: &[u8]) -> Vec<u8> {
        let inputs = self.features.inputs();
        let inputs = inputs.iter().map(|(name, kind)| json!({"name": name, "type": kind.name()}));
        let outputs: Vec<serde_json::Value> = match (self.target.positive(), &self.target.classes) {
            (Some(positive), _) => vec![json!({"name": "probability", "type": "float", "of": positive})],
            (None, Some(classes)) => {
                let output = |class| json!({"name": format!("probability_{class}"), "type": "float", "of": class});
                classes.iter().map(output).collect()
            }
            (None, None) => vec![json!({"name": "prediction", "type": "float"})],
        };
        let signature = json!({
            "format": self.format(),
            "task": self.target.task.name(),
            "target": self.target.column,
            "inputs": inputs.collect::<Vec<_>>(),
            "outputs": outputs,
            "files": {MODEL: Digest::of(model).to_string(), SEEN: Digest::of(seen).to_string()},
        });
        let mut bytes = serde_json::to_vec_pretty(&signature).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// Says whether a target has as many classes as its task wants.
fn has_its_classes(target: &Target) -> bool {
    match (target.task, target.classes.as_deref()) {
        (Task::Binary, Some(classes)) => classes.len() == 2,
        (Task::Multiclass, Some(classes)) => classes.len() >= 2,
        (Task::Regression, classes) => classes.is_none(),
        (Task::Binary | Task::Multiclass, None) => false,
    }
}

/// Refuses a file of another format before its other fields are looked at, since they may have changed.
fn check_format(path: &str, bytes: &[u8]) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Head {
        format: u64,
    }
    let head: Head = serde_json::from_slice(bytes)
        .map_err(|error| Error::Damaged { path: path.to_owned(), what: error.to_string() })?;
    if (PLAIN..=FORMAT).contains(&head.format) {
        Ok(())
    } else {
        Err(Error::Format { path: path.to_owned(), found: head.format, known: FORMAT })
    }
}
