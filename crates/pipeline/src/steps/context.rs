//! What all steps of one run share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_array::RecordBatch;
use serde_json::Value;
use trainyard_data::Master;
use trainyard_diagnostics::{Diagnostic, Fault, conceal, shell_word};
use trainyard_engines::{Engine, Engines};
use trainyard_files::{Digest, Io, ObjectStore};
use trainyard_model::pictures::{Picture, Theme};
use trainyard_model::{Model, Target};
use trainyard_sources::{Listing, Runtime};
use trainyard_spec::{Origin, Resolved, SliceSpec};
use trainyard_tracking::{Batch, Metric, Tracking, VersionRecord};
use trainyard_versioning::Settings;

use crate::engine::{Failure, Input, Output, Read, Record, Scope};
use crate::project::source_path;

/// The files of a model folder, in order.
pub(crate) const MODEL_FILES: [&str; 3] = ["model.json", "seen_rows.bin", "signature.json"];

/// How often rows are drawn again for an interval.
pub(crate) const RESAMPLES: usize = 1000;

/// Whether a run leaves its marks, or only repeats what another did.
pub(crate) enum Mode {
    /// Files, lock, tracking and registry are written.
    Live,
    /// Nothing is written: the records of the run that is repeated stand for what the world was then.
    Replay {
        /// Its records by step.
        recorded: BTreeMap<String, Record>,
        /// The store that holds its artifacts.
        objects: Arc<ObjectStore>,
        /// Where the master data is.
        source: SourceAt,
        /// The model that it was compared with, where the registry of that time is not at hand.
        incumbent: Option<Box<StoredIncumbent>>,
    },
}

/// Where a replay finds the master data.
#[derive(Clone)]
pub(crate) enum SourceAt {
    /// Where the project in this folder has it, as long as it is what the run read; else the stored table stands for it.
    Project(PathBuf),
    /// In this file.
    File(PathBuf),
    /// Nowhere: the stored table stands for it.
    Nowhere,
}

/// A model in service as a run found it, its files among the objects.
#[derive(Clone)]
pub(crate) struct StoredIncumbent {
    /// Its version.
    pub(crate) version: VersionRecord,
    /// The files of its native form.
    pub(crate) files: BTreeMap<String, Digest>,
}

/// The project, the configuration and the stores of one run.
pub(crate) struct Context {
    /// The project's folder.
    pub(crate) root: PathBuf,
    /// The disk.
    pub(crate) io: Arc<dyn Io>,
    /// The configuration.
    pub(crate) resolved: Resolved,
    /// The configuration as a document, once somebody asked for it.
    pub(crate) document: OnceLock<Arc<Value>>,
    /// The run's id.
    pub(crate) run: String,
    /// Artifacts' bytes.
    pub(crate) objects: Arc<ObjectStore>,
    /// Runs and models.
    pub(crate) tracking: Arc<dyn Tracking>,
    /// Live or replay.
    pub(crate) mode: Mode,
    /// Where external engines are.
    pub(crate) engines: Arc<Engines>,
    /// What waits for the servers of sources.
    pub(crate) runtime: Arc<Runtime>,
    /// Where DVC's settings lie.
    pub(crate) data_settings: Settings,
    /// The moment that the run takes for now, in microseconds since 1970; unset where nothing runs.
    pub(crate) as_of: OnceLock<i64>,
    /// The time, which only tracking sees.
    pub(crate) now_ms: fn() -> i64,
    /// Says who asks.
    pub(crate) who: fn() -> String,
    /// Uses of reference tests that are not logged yet.
    pub(crate) reference_uses: Mutex<Vec<(u32, Digest)>>,
    /// Tables already decoded, by the digest of their bytes.
    pub(crate) tables: Mutex<BTreeMap<Digest, Arc<RecordBatch>>>,
    /// The source as it was read to check the features before anything is written, by the source's digest; what was read
    /// of a database stays here until it is stored.
    pub(crate) read_ahead: Mutex<Option<(Digest, Master)>>,
    /// What the source's server said of its objects, which stands for the whole command.
    pub(crate) listing: Mutex<Option<Listing>>,
}

impl Context {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.mode, Mode::Live)
    }

    /// Gives the folder from which the source is named: the project's own, in a replay too.
    pub(crate) fn source_root(&self) -> &Path {
        match &self.mode {
            Mode::Replay { source: SourceAt::Project(root), .. } => root,
            _ => &self.root,
        }
    }

    /// Says whether a server keeps the registry.
    pub(crate) fn asks_a_registry(&self) -> bool {
        self.is_live() && !self.resolved.project.tracking.uri.value.is_empty()
    }

    /// Says whether data is put under versions, which a replay leaves alone.
    pub(crate) fn versions_data(&self) -> bool {
        self.is_live() && self.resolved.project.versioning.is_some()
    }

    /// Gives the record of the repeated run, in a replay.
    pub(crate) fn recorded(&self, step: &str) -> Option<&Record> {
        match &self.mode {
            Mode::Live => None,
            Mode::Replay { recorded, .. } => recorded.get(step),
        }
    }

    /// Reads an object that the repeated run left; in a run of its own, one of the store.
    pub(crate) fn recorded_object(&self, digest: &Digest) -> Result<Vec<u8>, String> {
        let objects = match &self.mode {
            Mode::Replay { objects, .. } => objects,
            Mode::Live => &self.objects,
        };
        objects.get(digest).map_err(|error| error.to_string())
    }

    /// Writes a path of the project as it is typed where the command was.
    pub(crate) fn typed(&self, path: &str) -> String {
        typed_word(&self.root.join(path))
    }

    /// Writes the source as it is typed where the command was.
    pub(crate) fn typed_source(&self) -> String {
        let source = &self.resolved.project.data.source;
        if source.sql.is_some() || trainyard_sources::is_database(&self.resolved.project.data) {
            // Its rows lie in no file: a command that takes one is shown where its name belongs.
            return "TABLE".to_owned();
        }
        let source = &source.url.value;
        // What has a scheme is no path.
        if source.contains("://") {
            return shell_word(&conceal(source));
        }
        typed_word(&source_path(&self.root, &self.resolved.overrides, source))
    }

    /// Gives the configuration as a document.
    pub(crate) fn document(&self) -> &Value {
        self.document.get_or_init(|| Arc::new(self.resolved.to_json()))
    }

    /// Declares a section of the configuration as an input. Where the source lies is none; what it holds is.
    pub(crate) fn section(&self, part: &str) -> Input {
        self.section_without(part, if part == "data" { &["source"] } else { &[] })
    }

    /// Declares a section of the configuration without the keys that are read by other steps alone.
    pub(crate) fn section_without(&self, part: &str, without: &[&str]) -> Input {
        let section = Resolved::section_of(self.document(), part);
        let text = match section.as_object() {
            Some(object) if !without.is_empty() => {
                let read = object.iter().filter(|(key, _)| !without.contains(&key.as_str()));
                Value::from_iter(read.map(|(key, value)| (key.clone(), value.clone()))).to_string()
            }
            _ => section.to_string(),
        };
        Input::new(format!("spec.{part}"), Digest::of(text.as_bytes()))
    }

    /// Declares the metrics that are computed because the configuration names them.
    pub(crate) fn further_metrics(&self) -> Input {
        Input::new("spec.metrics", Digest::of(self.resolved.further_metrics().join(",").as_bytes()))
    }

    /// Gives how the test sets are cut into slices, where they are.
    pub(crate) fn slices(&self) -> Option<&SliceSpec> {
        self.resolved.project.evaluate.as_ref()?.slices.as_ref()
    }

    /// Gives the external engines that baseline and candidates ask for, with where they do.
    pub(crate) fn engines_asked(&self) -> BTreeMap<Engine, Origin> {
        let model = &self.resolved.model.spec;
        let candidates = model.candidates.iter().map(|(name, spec)| (spec, &name.origin));
        let all = candidates.chain([(&model.baseline.value, &model.baseline.origin)]);
        let external = all.filter_map(|(spec, origin)| Some((Engine::by_name(spec.name())?, origin.clone())));
        // Of several askers the first is shown.
        external.rev().collect()
    }

    /// Tells of each engine that is asked for and is not there, or, with `load`, cannot be loaded.
    pub(crate) fn engine_problems(&self, load: bool) -> Vec<Diagnostic> {
        let works = |engine: Engine| {
            let found = self.engines.library(engine)?;
            if load { self.engines.load(found.engine, &|| true).map(drop) } else { Ok(()) }
        };
        let asked = self.engines_asked().into_iter();
        asked
            .filter_map(|(engine, origin)| {
                let problem = works(engine).err()?.diagnostic();
                Some(origin.point(problem, format!("is fitted by {}", engine.title())))
            })
            .collect()
    }

    /// Counts that this run is judged on the reference test; twice in a run is once. It reaches tracking with what the
    /// step logs, and nobody sees the judgement before that.
    pub(crate) fn count_use(&self, reference: &Digest) {
        if self.is_live() {
            let mut uses = self.reference_uses.lock().unwrap_or_else(PoisonError::into_inner);
            uses.push((self.resolved.split.version, *reference));
        }
    }

    /// Stores a table as Parquet and remembers it.
    pub(crate) fn store_table(&self, scope: &Scope, table: RecordBatch) -> Result<Digest, Failure> {
        let bytes = trainyard_data::to_parquet(&table).map_err(|error| error.diagnostic())?;
        let digest = scope.store(&bytes)?;
        self.remember(digest, Arc::new(table));
        Ok(digest)
    }

    pub(crate) fn remember(&self, digest: Digest, table: Arc<RecordBatch>) {
        if let Ok(mut tables) = self.tables.lock() {
            tables.insert(digest, table);
        }
    }

    /// Lets go of a table that no later step reads; it stays in the store.
    pub(crate) fn forget(&self, digest: &Digest) {
        if let Ok(mut tables) = self.tables.lock() {
            tables.remove(digest);
        }
    }

    /// Reads a table that a step declared.
    pub(crate) fn table(&self, scope: &Scope, step: &'static str, artifact: &str) -> Result<Arc<RecordBatch>, Failure> {
        let digest = scope.digest(step, artifact)?;
        if let Some(table) = self.tables.lock().ok().and_then(|tables| tables.get(&digest).cloned()) {
            return Ok(table);
        }
        let bytes = scope.read(step, artifact)?;
        let table = trainyard_data::from_parquet(&bytes, artifact).map_err(|error| error.diagnostic())?;
        let table = Arc::new(table);
        self.remember(digest, Arc::clone(&table));
        Ok(table)
    }

    /// Reads what is predicted, as ingest found it.
    pub(crate) fn target(&self, scope: &Scope) -> Result<Target, Failure> {
        json(&scope.read("ingest", "target")?)
    }

    /// Tells what failed on `rows` (`train`, `reference` …), pointing into the feature version where its SQL did.
    pub(crate) fn explain(&self, error: &trainyard_model::Error, rows: &str) -> Diagnostic {
        match error {
            trainyard_model::Error::Features(error) => {
                error.diagnostic_in(&self.resolved.features.spec.columns).note(format!("counted in the rows of {rows}"))
            }
            other => other.diagnostic(),
        }
    }

    /// Names the step that leaves the model as it is judged and promoted.
    pub(crate) fn last_fit(&self) -> &'static str {
        if self.resolved.model.spec.is_calibrated() { "calibrate" } else { "train" }
    }

    /// Logs what a step that fails leaves: the report is what says why.
    pub(crate) fn log_of_failed(&self, output: &Output) -> Result<(), Failure> {
        let now = (self.now_ms)();
        let metric = |(key, step, value): &(String, i64, f64)| Metric {
            key: key.clone(),
            value: *value,
            step: *step,
            timestamp_ms: now,
        };
        let batch = Batch {
            metrics: output.logged.metrics.iter().map(metric).collect(),
            tags: output.logged.tags.clone(),
            artifacts: output.logged.files.clone(),
            ..Batch::default()
        };
        self.tracking.log_batch(&self.run, &batch).map_err(|error| error.diagnostic().into())
    }

    /// Names the steps that judge the data before anything is made of it.
    pub(crate) fn before_split(&self) -> Vec<&'static str> {
        let project = &self.resolved.project;
        let steps = [("validate", project.validate.is_some()), ("drift", project.drift.is_some())];
        steps.into_iter().filter(|(_, is_asked)| *is_asked).map(|(step, _)| step).collect()
    }

    /// Names the steps that gates and comparison come after, besides those that they read: what is promoted was explained,
    /// and what it learned from is versioned.
    pub(crate) fn before_promotion(&self) -> Vec<&'static str> {
        let explains = self.resolved.model.spec.explain.is_some();
        let steps = [("evaluate", true), ("explain", explains), ("version", self.versions_data())];
        steps.into_iter().filter(|(_, is_there)| *is_there).map(|(step, _)| step).collect()
    }

    /// Reads a model that a step declared.
    pub(crate) fn model(&self, scope: &Scope, step: &'static str) -> Result<(Model, Digest), Failure> {
        let mut folder = BTreeMap::new();
        for file in MODEL_FILES {
            folder.insert(file.to_owned(), scope.read(step, &format!("model/{file}"))?);
        }
        let model = Model::from_folder(&folder).map_err(|error| error.diagnostic())?;
        Ok((model, Model::digest(&folder)))
    }
}

fn typed_word(path: &Path) -> String {
    shell_word(&path.strip_prefix(".").unwrap_or(path).display().to_string())
}

/// Names the artifacts that hold a model of `step`.
pub(crate) fn model_reads(step: &'static str) -> Vec<Read> {
    MODEL_FILES.iter().map(|file| Read::new(step, format!("model/{file}"))).collect()
}

/// Reads JSON that an earlier step wrote.
pub(crate) fn json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| internal(&format!("a stored result can't be read: {error}")))
}

/// Logs a picture as PNG and as SVG.
pub(crate) fn log_picture(scope: &Scope, output: &mut Output, name: &str, picture: &Picture) -> Result<(), Failure> {
    for (ending, bytes) in [("png", picture.to_png(Theme::Light)), ("svg", picture.to_svg())] {
        output.logged.files.insert(format!("{name}.{ending}"), scope.store(&bytes)?);
    }
    Ok(())
}

/// Writes JSON for a later step.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// A mistake of ours.
pub(crate) fn internal(title: &str) -> Failure {
    Diagnostic::error("pipeline/internal", title).with_fault(Fault::Internal).into()
}

/// Reads metrics; an undefined one was written as null.
pub(crate) fn metrics_of(value: &Value) -> BTreeMap<String, f64> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN))).collect()
}

/// Writes a count with commas between thousands.
pub(crate) fn count(number: usize) -> String {
    trainyard_diagnostics::count(number as u64)
}
