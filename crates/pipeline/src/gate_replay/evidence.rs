//! What is known of one decision: what was recorded, and what can be computed from what is stored.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::Value;
use trainyard_data::slices::Slicing;
use trainyard_files::Digest;
use trainyard_model::{Comparison, Incumbent, Measured, Model, Rules, Slice, SliceRequest, slices, worst};
use trainyard_spec::{Gate, Resolved, When, metric_reference};
use trainyard_tracking::{HistoryEntry, RunRecord, Standing, Tracking, VersionRecord};

use super::Unknown;
use crate::steps::{MODEL_FILES, compared, metrics_of};
use crate::stores::Stores;

/// A version of a model, by number and digest.
type Version = (u32, Digest);

/// Reads what a run left, each thing once and only when it is asked for.
pub(super) struct Evidence<'a> {
    stores: &'a Stores,
    pub(super) entry: &'a HistoryEntry,
    pub(super) run: &'a str,
    /// What the registry was before the decision.
    standing: &'a Standing,
    record: OnceCell<Option<RunRecord>>,
    evaluation: OnceCell<BTreeMap<String, f64>>,
    candidate: OnceCell<Result<(Model, Digest), Unknown>>,
    reference: OnceCell<Result<Arc<RecordBatch>, Unknown>>,
    measured: OnceCell<Result<BTreeMap<String, f64>, Unknown>>,
    slices: OnceCell<Result<Vec<Slice>, Unknown>>,
    computed: RefCell<Vec<&'static str>>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(
        stores: &'a Stores,
        entry: &'a HistoryEntry,
        run: &'a str,
        standing: &'a Standing,
    ) -> Evidence<'a> {
        Evidence {
            stores,
            entry,
            run,
            standing,
            record: OnceCell::new(),
            evaluation: OnceCell::new(),
            candidate: OnceCell::new(),
            reference: OnceCell::new(),
            measured: OnceCell::new(),
            slices: OnceCell::new(),
            computed: RefCell::new(Vec::new()),
        }
    }

    /// Names what was not recorded and had to be computed.
    pub(super) fn computed(&self) -> Vec<&'static str> {
        self.computed.borrow().clone()
    }

    fn computes(&self, what: &'static str) {
        let mut computed = self.computed.borrow_mut();
        if !computed.contains(&what) {
            computed.push(what);
        }
    }

    /// Gives the configuration that the run recorded, from among its artifacts or from its folder.
    pub(super) fn configuration(&self) -> Result<Resolved, Unknown> {
        let stored = self.artifact("configuration.json").and_then(|value| Resolved::from_json(&value).ok());
        stored.map_or_else(|| self.stores.recorded(self.run), Ok).map_err(|problems| title(&problems))
    }

    /// Gives what a gate bounds, and the slice that it is of where it bounds the worst one.
    pub(super) fn value(&self, gate: &Gate, now: &Resolved) -> Result<(f64, Option<String>), Unknown> {
        let (name, metric) = (gate.name(), gate.metric.value.as_str());
        let mut lines = self.entry.decision["gates"].as_array().into_iter().flatten();
        if let Some(line) = lines.find(|line| line["name"] == name.as_str()) {
            let slice = line["slice"].as_str().map(str::to_owned);
            return Ok((line["value"].as_f64().unwrap_or(f64::NAN), slice));
        }
        if gate.of_worst_slice {
            let slices = self.slices(metric, now)?;
            let found = worst(&slices, metric);
            return Ok((found.map_or(f64::NAN, |(_, value)| value), found.map(|(slice, _)| slice.words())));
        }
        if is_of_the_clock(metric) {
            let measured = self.record().and_then(|record| record.metrics.get(metric).copied());
            return Ok((measured.ok_or_else(|| format!("{metric} was not recorded"))?, None));
        }
        let recorded = self.evaluation().get(metric).copied();
        let recorded = recorded.or_else(|| self.record()?.metrics.get(&format!("reference_{metric}")).copied());
        let value = match recorded {
            Some(value) => value,
            // A metric that the task does not have bounds nothing that there is.
            None => self.measured(now)?.get(metric).copied().unwrap_or(f64::NAN),
        };
        Ok((value, None))
    }

    /// Gives how the candidate compares with the model that stood under the alias: as recorded where that says enough.
    pub(super) fn comparison(
        &self,
        now: &Resolved,
        rules: &Rules,
        alias_then: &str,
        alias: &str,
    ) -> Result<Comparison, Unknown> {
        let decision = &self.entry.decision;
        let recorded = match &decision["comparison"] {
            Value::Null => self.artifact("comparison.json"),
            recorded => Some(recorded.clone()),
        };
        let recorded: Option<Comparison> = recorded.and_then(|value| serde_json::from_value(value).ok());
        let stood = |alias: &str| -> Option<Version> {
            let version = *self.standing.aliases.get(alias)?;
            Some((version, self.standing.versions.get(&version)?.digest))
        };
        // The first schema's entries do not name it.
        let then = match decision.get("incumbent") {
            Some(incumbent) => version_in(incumbent),
            None => stood(alias_then),
        };
        let incumbent = if alias == alias_then { then } else { stood(alias) };
        match recorded.filter(|_| incumbent == then) {
            Some(Comparison::SameModel) if self.entry.version.is_some() => {
                Err("its promotion broke off on the server, and what stood there before was not compared".to_owned())
            }
            Some(Comparison::Measured(measured)) if !suffices(&measured, rules) => self.compare(now, rules, incumbent),
            Some(comparison) => Ok(comparison),
            None => self.compare(now, rules, incumbent),
        }
    }

    fn compare(&self, now: &Resolved, rules: &Rules, incumbent: Option<Version>) -> Result<Comparison, Unknown> {
        let Some((number, digest)) = incumbent else { return Ok(Comparison::NoIncumbent) };
        self.computes("comparison");
        let (candidate, candidate_digest) = self.candidate()?;
        let loaded = self.version(number, digest)?;
        let reference = self.reference()?;
        let beside = Incumbent { digest, model: loaded.as_ref().map_err(Clone::clone) };
        compared(now, &rules.metric, (candidate, *candidate_digest), Some(beside), reference)
            .map_err(|error| error.to_string())
    }

    /// Reads a version's model; the inner error is that of a model that a run could not have read either.
    fn version(&self, number: u32, digest: Digest) -> Result<Result<Model, String>, Unknown> {
        let model = &self.entry.model;
        let gone = |why: String| format!("{model} v{number} can't be read: {why}");
        let tracking = &self.stores.tracking;
        let made = tracking.version_made(model, number, &digest).map_err(|error| gone(error.to_string()))?;
        let version: VersionRecord = made.ok_or_else(|| gone("no run of this project has made it".to_owned()))?;
        let folder = self.native(&version.run, &version.artifact_path).map_err(gone)?;
        if Model::digest(&folder) != digest {
            return Err(gone("its bytes are not those that stood there".to_owned()));
        }
        Ok(Model::from_folder(&folder).map_err(|error| error.to_string()))
    }

    /// Reads the native files of a model among a run's artifacts.
    fn native(&self, run: &str, folder: &str) -> Result<BTreeMap<String, Vec<u8>>, Unknown> {
        let read = |file: &&str| {
            let bytes = self.stores.tracking.read_artifact(run, &format!("{folder}/{file}"));
            Ok(((*file).to_owned(), bytes.map_err(|error| error.to_string())?))
        };
        MODEL_FILES.iter().map(read).collect()
    }

    fn candidate(&self) -> Result<&(Model, Digest), Unknown> {
        let read = || {
            let gone = |why: String| format!("the candidate can't be read: {why}");
            let folder = self.native(self.run, "model").map_err(gone)?;
            let digest = Model::digest(&folder);
            let judged = self.entry.decision["candidate"].as_str();
            if judged.is_some_and(|judged| judged != digest.to_string()) {
                return Err(gone("its bytes are not those that were judged".to_owned()));
            }
            Ok((Model::from_folder(&folder).map_err(|error| gone(error.to_string()))?, digest))
        };
        self.candidate.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    fn reference(&self) -> Result<&RecordBatch, Unknown> {
        let read = || {
            let recorded = self.entry.decision["reference"].as_str().and_then(|digest| digest.parse().ok());
            let digest = recorded.or_else(|| self.input("reference"));
            self.table(digest, "the reference test").map(Arc::new)
        };
        self.reference.get_or_init(read).as_ref().map(|table| &**table).map_err(Clone::clone)
    }

    fn table(&self, digest: Option<Digest>, what: &str) -> Result<RecordBatch, Unknown> {
        let gone = |why: String| format!("{what} can't be read: {why}");
        let digest = digest.ok_or_else(|| gone("the run recorded none".to_owned()))?;
        let bytes = self.stores.objects.get(&digest).map_err(|error| gone(error.to_string()))?;
        trainyard_data::from_parquet(&bytes, what).map_err(|error| gone(error.to_string()))
    }

    /// Gives the metrics of the candidate on the reference test, those that the policy names among them.
    fn measured(&self, now: &Resolved) -> Result<&BTreeMap<String, f64>, Unknown> {
        let measure = || {
            self.computes("metrics");
            let ((model, _), table) = (self.candidate()?, self.reference()?);
            let scores = Scores::of(model, table, now)?;
            model.measure(&scores.scored(model), &now.further_metrics()).map_err(|error| error.to_string())
        };
        self.measured.get_or_init(measure).as_ref().map_err(Clone::clone)
    }

    /// Gives the slices of the reference test: as stored where each has the metric, or why it has not.
    fn slices(&self, metric: &str, now: &Resolved) -> Result<Vec<Slice>, Unknown> {
        let stored = self.artifact("slices.json").map(|mut sets| sets["sets"]["reference"]["slices"].take());
        let stored: Option<Vec<Slice>> = stored.and_then(|slices| serde_json::from_value(slices).ok());
        let has = |slice: &Slice| slice.metrics.contains_key(metric) || slice.absent.contains_key(metric);
        match stored.filter(|stored| stored.iter().all(has)) {
            Some(stored) => Ok(stored),
            None => self.slices.get_or_init(|| self.sliced(now)).clone(),
        }
    }

    fn sliced(&self, now: &Resolved) -> Result<Vec<Slice>, Unknown> {
        let spec = now.project.evaluate.as_ref().and_then(|evaluate| evaluate.slices.as_ref());
        let spec = spec.ok_or_else(|| "its tests were not cut into slices".to_owned())?;
        self.computes("slices");
        let train = self.table(self.input("train"), "the training rows")?;
        let slicings = Slicing::learn(spec, &train).map_err(|error| error.to_string())?;
        let ((model, _), table) = (self.candidate()?, self.reference()?);
        let scores = Scores::of(model, table, now)?;
        let request = SliceRequest {
            slicings: &slicings,
            table,
            scored: scores.scored(model),
            more: &now.further_metrics(),
            least_rows: spec.least_rows as usize,
            // Nobody asks for their intervals.
            resamples: 1,
            seed: now.split.spec.seed.value,
        };
        slices(model, &request).map_err(|error| error.to_string())
    }

    fn record(&self) -> Option<&RunRecord> {
        self.record.get_or_init(|| self.stores.tracking.run(self.run).ok().flatten()).as_ref()
    }

    /// Gives the digest of a data set that the run recorded.
    fn input(&self, name: &str) -> Option<Digest> {
        self.record()?.inputs.iter().find(|input| input.name == name).map(|input| input.digest)
    }

    fn evaluation(&self) -> &BTreeMap<String, f64> {
        self.evaluation.get_or_init(|| {
            let sets = self.artifact("evaluation.json");
            sets.map(|sets| metrics_of(&sets["reference"]["metrics"])).unwrap_or_default()
        })
    }

    fn artifact(&self, path: &str) -> Option<Value> {
        serde_json::from_slice(&self.stores.tracking.read_artifact(self.run, path).ok()?).ok()
    }
}

/// What a model says of a test set, beside what happened.
struct Scores {
    targets: Vec<f64>,
    predictions: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl Scores {
    fn of(model: &Model, table: &RecordBatch, resolved: &Resolved) -> Result<Scores, Unknown> {
        Ok(Scores {
            targets: trainyard_data::targets(table, &model.target).map_err(|error| error.to_string())?,
            predictions: model.predict(table).map_err(|error| error.to_string())?,
            weights: trainyard_data::weights(table, &resolved.project.data).map_err(|error| error.to_string())?,
        })
    }

    fn scored(&self, model: &Model) -> trainyard_learn::metrics::Scored<'_> {
        model.scored(&self.targets, &self.predictions, self.weights.as_deref())
    }
}

/// Says whether a recorded comparison has all that rules ask of one.
fn suffices(measured: &Measured, rules: &Rules) -> bool {
    let has = |metric: &String| measured.candidate.contains_key(metric) && measured.incumbent.contains_key(metric);
    let asks_for_metric = rules.when == When::Better || rules.may_lose.is_empty();
    let asks_for_chance = rules.when == When::Better && rules.significant.is_some();
    rules.may_lose.iter().all(|(metric, _)| has(metric))
        && (!asks_for_metric || has(&rules.metric))
        && (!asks_for_chance || measured.metric == rules.metric)
}

/// Reads the incumbent that an entry names.
fn version_in(incumbent: &Value) -> Option<Version> {
    let number = u32::try_from(incumbent["version"].as_u64()?).ok()?;
    Some((number, incumbent["digest"].as_str()?.parse().ok()?))
}

fn is_of_the_clock(metric: &str) -> bool {
    metric_reference().iter().any(|known| known.name() == metric && known.tasks().is_empty())
}

fn title(problems: &[trainyard_diagnostics::Diagnostic]) -> String {
    problems.first().map(|problem| problem.title.clone()).unwrap_or_default()
}
