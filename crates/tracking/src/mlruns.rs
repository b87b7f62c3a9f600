//! Runs and the registry as the plain folder that MLflow's own store of files reads: `mlruns`.
//!
//! Everything is written into a folder beside the one that is wanted, forced to the disk, and given its name in one
//! step: the folder is there whole, or not at all.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::json;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{Digest, Error as FileError, Io, Operation, create_folder, temporary_path};

use crate::limits::cut;
use crate::{
    EmbeddedStore, Error, Input, PARAM_VALUE_LIMIT, RunRecord, Status, TAG_VALUE_LIMIT, Tracking, VersionRecord,
};
use text::{Yaml, file_uri, yaml};

/// What MLflow keeps beside the runs of an experiment, so that no run may be called so.
const TAKEN: [&str; 4] = ["tags", "datasets", "traces", "models"];
/// The most characters of a data set's digest that MLflow takes.
const DATASET_DIGEST: usize = 36;
/// The tag that names values that were cut, with their lengths.
const CUT: &str = "trainyard.cut";
/// The tag that names what is called otherwise here: a file cannot be a folder too.
const RENAMED: &str = "trainyard.renamed";

/// Counts what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Experiments.
    pub experiments: usize,
    /// Runs.
    pub runs: usize,
    /// Artifacts of runs.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Registered models.
    pub models: usize,
    /// Their versions.
    pub versions: usize,
    /// Values longer than MLflow keeps, cut with a mark and named in the tag `trainyard.cut`.
    pub cut: usize,
}

/// Says why nothing was exported.
#[derive(Debug)]
pub enum ExportError {
    /// Something lies in the folder.
    NotEmpty,
    /// It was stopped.
    Stopped,
    /// A run, an artifact or a file.
    Store(Error),
}

impl ExportError {
    /// Draws the error for a user who calls the folder `shown`; nothing for who stopped it.
    pub fn diagnostic(&self, shown: &str) -> Option<Diagnostic> {
        match self {
            Self::NotEmpty => Some(
                Diagnostic::error("export/not-empty", format!("{shown} is there and not empty"))
                    .help("name a folder that is not there yet; nothing is added to one, or written over"),
            ),
            Self::Stopped => None,
            Self::Store(error) => Some(error.diagnostic()),
        }
    }
}

impl From<Error> for ExportError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<FileError> for ExportError {
    fn from(error: FileError) -> Self {
        Self::Store(Error::Files(error))
    }
}

/// Writes runs, and the versions of models that they made, into a new folder; its path has to be absolute.
pub fn export_mlruns(
    store: &EmbeddedStore,
    io: &dyn Io,
    folder: &Path,
    runs: &[RunRecord],
    is_stopped: &dyn Fn() -> bool,
) -> Result<Exported, ExportError> {
    if io.exists(folder) && io.list(folder).map_or(true, |entries| !entries.is_empty()) {
        return Err(ExportError::NotEmpty);
    }
    let parent = folder.parent().unwrap_or(folder);
    create_folder(io, parent)?;
    let made_in = temporary_path(parent);
    let mut export = Export { store, io, folder, made_in: &made_in, done: Exported::default() };
    let outcome = export.all(runs, is_stopped).and_then(|()| export.publish(parent));
    if outcome.is_err() {
        // What stays behind is a hidden folder that costs space only.
        let _ = io.remove_dir_all(&made_in);
    }
    outcome.map(|()| export.done)
}

struct Export<'a> {
    store: &'a EmbeddedStore,
    io: &'a dyn Io,
    /// Where it will lie.
    folder: &'a Path,
    /// Where it is made.
    made_in: &'a Path,
    done: Exported,
}

/// Gives the id of an experiment: digits, the same for the same name.
fn experiment_id(name: &str) -> String {
    if name == "Default" {
        return "0".to_owned();
    }
    let digest = Digest::of(format!("mlflow experiment {name}").as_bytes()).to_string();
    let number = digest.get(..15).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    // Eighteen digits, as MLflow's own.
    (100_000_000_000_000_000 + number % 900_000_000_000_000_000).to_string()
}

/// Gives the id of a run as MLflow has it: its own, but where a folder of MLflow has that name.
fn run_id(run: &str) -> String {
    if TAKEN.contains(&run) { hexadecimal(run) } else { run.to_owned() }
}

/// Gives 32 hexadecimal digits that are the same for the same text.
fn hexadecimal(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string().chars().take(32).collect()
}

/// Names the files of keys: where one is the folder of another, it gets a sign at its end.
fn files<'k>(keys: impl Iterator<Item = &'k String>) -> BTreeMap<&'k str, String> {
    let keys: BTreeSet<&'k str> = keys.map(String::as_str).collect();
    let is_folder =
        |name: &str| keys.iter().any(|key| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')));
    keys.iter()
        .map(|key| {
            let mut name = (*key).to_owned();
            while is_folder(&name) || (name != *key && keys.contains(name.as_str())) {
                name.push('_');
            }
            (*key, name)
        })
        .collect()
}

impl Export<'_> {
    fn write(&self, inside: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.made_in.join(inside);
        let failed = |source| FileError::io(Operation::Write, &path, source);
        if let Some(parent) = path.parent() {
            self.io.create_dir_all(parent).map_err(failed)?;
        }
        let mut file = self.io.create(&path).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.flush()).map_err(failed)?;
        Ok(())
    }

    /// Gives the address under which MLflow will find a file.
    fn uri(&self, inside: &str) -> String {
        file_uri(&self.folder.join(inside))
    }

    /// Forces everything to the disk, and gives the folder its name.
    fn publish(&self, parent: &Path) -> Result<(), ExportError> {
        let failed = |source| FileError::io(Operation::Write, self.folder, source);
        self.io.sync_all(self.made_in).map_err(failed)?;
        self.io.rename(self.made_in, self.folder).map_err(failed)?;
        self.io.sync_dir(parent).map_err(failed)?;
        Ok(())
    }

    fn all(&mut self, runs: &[RunRecord], is_stopped: &dyn Fn() -> bool) -> Result<(), ExportError> {
        self.io.create_dir_all(self.made_in).map_err(|source| FileError::io(Operation::Write, self.made_in, source))?;
        let mut experiments: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for run in runs {
            let ends = experiments.entry(&run.experiment).or_insert((run.started_ms, run.started_ms));
            *ends = (ends.0.min(run.started_ms), ends.1.max(run.ended_ms.unwrap_or(run.started_ms)));
        }
        // MLflow takes a folder without this one for one that is not ready.
        experiments.entry("Default").or_insert((0, 0));
        for (name, (first, last)) in &experiments {
            let id = experiment_id(name);
            let meta = yaml(&[
                ("artifact_location", Yaml::Text(&self.uri(&id))),
                ("creation_time", Yaml::Number(*first)),
                ("experiment_id", Yaml::Text(&id)),
                ("last_update_time", Yaml::Number(*last)),
                ("lifecycle_stage", Yaml::Text("active")),
                ("name", Yaml::Text(name)),
            ]);
            self.write(&format!("{id}/meta.yaml"), meta.as_bytes())?;
        }
        self.done.experiments = experiments.len();
        let mut datasets = BTreeSet::new();
        for run in runs {
            if is_stopped() {
                return Err(ExportError::Stopped);
            }
            self.run(run, &mut datasets)?;
        }
        self.models(runs)
    }

    fn run(&mut self, run: &RunRecord, datasets: &mut BTreeSet<String>) -> Result<(), ExportError> {
        let experiment = experiment_id(&run.experiment);
        let id = run_id(&run.run);
        let folder = format!("{experiment}/{id}");
        // A run that a gate refused has failed, to MLflow: the tag says more.
        let status = match run.status {
            Status::Running => 1,
            Status::Finished => 3,
            Status::Failed | Status::Refused => 4,
            Status::Killed => 5,
        };
        let meta = yaml(&[
            ("artifact_uri", Yaml::Text(&self.uri(&format!("{folder}/artifacts")))),
            ("end_time", run.ended_ms.map_or(Yaml::Null, Yaml::Number)),
            ("entry_point_name", Yaml::Text("")),
            ("experiment_id", Yaml::Text(&experiment)),
            ("lifecycle_stage", Yaml::Text("active")),
            ("run_id", Yaml::Text(&id)),
            ("run_name", Yaml::Text(&run.name)),
            ("source_name", Yaml::Text("")),
            ("source_type", Yaml::Number(4)),
            ("source_version", Yaml::Text("")),
            ("start_time", Yaml::Number(run.started_ms)),
            ("status", Yaml::Number(status)),
            ("tags", Yaml::NoList),
            ("user_id", Yaml::Text(run.tags.get("mlflow.user").map_or("unknown", String::as_str))),
        ]);
        self.write(&format!("{folder}/meta.yaml"), meta.as_bytes())?;
        for kind in ["metrics", "params", "artifacts", "tags"] {
            let path = self.made_in.join(&folder).join(kind);
            self.io.create_dir_all(&path).map_err(|source| FileError::io(Operation::Write, &path, source))?;
        }
        let (mut cuts, mut renamed) = (BTreeMap::new(), BTreeMap::new());
        for (key, file) in files(run.metrics.keys()) {
            let mut lines = String::new();
            for metric in self.store.metric_history(&run.run, key)? {
                lines.push_str(&format!("{} {} {}\n", metric.timestamp_ms, metric.value, metric.step));
            }
            self.write(&format!("{folder}/metrics/{file}"), lines.as_bytes())?;
            if file != key {
                renamed.insert(format!("metrics.{key}"), file);
            }
        }
        let mut tags = run.tags.clone();
        tags.entry("mlflow.runName".to_owned()).or_insert_with(|| run.name.clone());
        tags.insert("trainyard.run".to_owned(), run.run.clone());
        tags.insert("trainyard.status".to_owned(), run.status.name().to_owned());
        if let Some(reason) = &run.reason {
            tags.insert("trainyard.reason".to_owned(), format!("{}: {}", reason.code, reason.message));
        }
        for (kind, values, limit) in [("params", &run.params, PARAM_VALUE_LIMIT), ("tags", &tags, TAG_VALUE_LIMIT)] {
            for (key, file) in files(values.keys()) {
                let (value, whole) = cut(values.get(key).map_or("", String::as_str), limit);
                if let Some(length) = whole {
                    cuts.insert(format!("{kind}.{key}"), length);
                }
                self.write(&format!("{folder}/{kind}/{file}"), value.as_bytes())?;
                if file != key {
                    renamed.insert(format!("{kind}.{key}"), file);
                }
            }
        }
        self.done.cut += cuts.len();
        for (tag, told) in [(CUT, json!(cuts)), (RENAMED, json!(renamed))] {
            if told.as_object().is_some_and(|told| !told.is_empty()) {
                self.write(&format!("{folder}/tags/{tag}"), cut(&told.to_string(), TAG_VALUE_LIMIT).0.as_bytes())?;
            }
        }
        for input in &run.inputs {
            self.input(&experiment, &folder, &id, input, datasets)?;
        }
        for artifact in self.store.artifacts(&run.run)? {
            let bytes = self.store.read_artifact(&run.run, &artifact.path)?;
            self.write(&format!("{folder}/artifacts/{}", artifact.path), &bytes)?;
            self.done.artifacts += 1;
            self.done.bytes += bytes.len() as u64;
        }
        self.done.runs += 1;
        Ok(())
    }

    fn input(
        &self,
        experiment: &str,
        folder: &str,
        run: &str,
        input: &Input,
        datasets: &mut BTreeSet<String>,
    ) -> Result<(), ExportError> {
        let whole = input.digest.to_string();
        let id = hexadecimal(&format!("{experiment} {} {whole}", input.name));
        if datasets.insert(id.clone()) {
            let digest: String = whole.chars().take(DATASET_DIGEST).collect();
            let profile = json!({"num_rows": input.rows}).to_string();
            let source = json!({"uri": input.source}).to_string();
            let meta = yaml(&[
                ("digest", Yaml::Text(&digest)),
                ("name", Yaml::Text(&input.name)),
                ("profile", Yaml::Text(&profile)),
                ("schema", Yaml::Null),
                ("source", Yaml::Text(&source)),
                ("source_type", Yaml::Text("local")),
            ]);
            self.write(&format!("{experiment}/datasets/{id}/meta.yaml"), meta.as_bytes())?;
        }
        let meta = yaml(&[
            ("destination_id", Yaml::Text(run)),
            ("destination_type", Yaml::Text("RUN")),
            ("source_id", Yaml::Text(&id)),
            ("source_type", Yaml::Text("DATASET")),
        ]);
        let tags = format!("tags:\n  {}", yaml(&[("mlflow.data.context", Yaml::Text(&input.name))]));
        let link = hexadecimal(&format!("{id} {run}"));
        self.write(&format!("{folder}/inputs/{link}/meta.yaml"), format!("{meta}{tags}").as_bytes())
    }

    fn models(&mut self, runs: &[RunRecord]) -> Result<(), ExportError> {
        let exported: BTreeMap<&str, &RunRecord> = runs.iter().map(|run| (run.run.as_str(), run)).collect();
        for model in self.store.models()? {
            let mut versions = self.store.versions(&model.name)?;
            versions.retain(|version| exported.contains_key(version.run.as_str()));
            let Some(latest) = versions.iter().map(|version| version.created_ms).max() else { continue };
            let folder = format!("models/{}", model.name);
            let first = versions.iter().map(|version| version.created_ms).min().unwrap_or(latest);
            let meta = yaml(&[
                ("creation_timestamp", Yaml::Number(first)),
                ("description", Yaml::Null),
                ("last_updated_timestamp", Yaml::Number(latest)),
                ("name", Yaml::Text(&model.name)),
            ]);
            self.write(&format!("{folder}/meta.yaml"), meta.as_bytes())?;
            for version in &versions {
                self.version(&folder, &model.name, version)?;
            }
            for (alias, version) in &model.aliases {
                if versions.iter().any(|kept| kept.version == *version) {
                    self.write(&format!("{folder}/aliases/{alias}"), version.to_string().as_bytes())?;
                }
            }
            self.done.models += 1;
            self.done.versions += versions.len();
        }
        Ok(())
    }

    fn version(&self, folder: &str, model: &str, version: &VersionRecord) -> Result<(), ExportError> {
        let run = run_id(&version.run);
        let source = format!("runs:/{run}/{}", version.artifact_path);
        let meta = yaml(&[
            ("creation_timestamp", Yaml::Number(version.created_ms)),
            ("current_stage", Yaml::Text(version.stage.name())),
            ("description", Yaml::Null),
            ("last_updated_timestamp", Yaml::Number(version.created_ms)),
            ("name", Yaml::Text(model)),
            ("run_id", Yaml::Text(&run)),
            ("run_link", Yaml::Null),
            ("source", Yaml::Text(&source)),
            ("status", Yaml::Text("READY")),
            ("status_message", Yaml::Null),
            ("storage_location", Yaml::Text(&source)),
            ("user_id", Yaml::Null),
            ("version", Yaml::Number(i64::from(version.version))),
        ]);
        let inside = format!("{folder}/version-{}", version.version);
        self.write(&format!("{inside}/meta.yaml"), meta.as_bytes())?;
        self.write(&format!("{inside}/tags/trainyard.digest"), version.digest.to_string().as_bytes())
    }
}
