//! Judges the model, reloaded from tracking, on the frozen reference test and on the optional tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use trainyard_data::slices::Slicing;
use trainyard_diagnostics::Diagnostic;
use trainyard_features::row_of;
use trainyard_files::Digest;
use trainyard_learn::metrics::{Scored, Task};
use trainyard_model::{
    Curves, Judged, Measures, Model, Slice, SliceRequest, card_with, of_task, pictures, slice_table, slices, worst,
};

use super::context::{Context, MODEL_FILES, RESAMPLES, count, log_picture, model_reads, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Record, Scope, Step};
use crate::report::figure;

/// The model's card. What it says of rows that the model never saw is written here, where that is known; the model's
/// digest is of its native files alone.
const CARD: &str = "model/model_card.md";

/// How many rows are predicted one at a time to measure latency.
const TIMED_ROWS: usize = 300;

pub(crate) struct Evaluate(pub(crate) Arc<Context>);

impl Evaluate {
    /// Gives the model as the tracking store gives it back, proven to be what the last fit left.
    fn reloaded(&self, scope: &Scope) -> Result<(Model, Digest), Failure> {
        let (model, digest) = self.0.model(scope, self.0.last_fit())?;
        if !self.0.is_live() {
            return Ok((model, digest));
        }
        let mut folder = BTreeMap::new();
        for file in MODEL_FILES {
            let bytes = self.0.tracking.read_artifact(&self.0.run, &format!("model/{file}"));
            folder.insert(file.to_owned(), bytes.map_err(|error| error.diagnostic())?);
        }
        let reloaded = Model::from_folder(&folder).map_err(|error| error.diagnostic())?;
        if Model::digest(&folder) != digest {
            return Err(super::context::internal("the model in the tracking store is not the one that was fitted"));
        }
        Ok((reloaded, digest))
    }

    fn sets(&self) -> Vec<(String, String)> {
        let optional = self.0.resolved.split.spec.optional_tests.iter();
        let optional = optional.map(|(name, _)| (name.value.clone(), format!("optional_tests/{}", name.value)));
        std::iter::once(("reference".to_owned(), "reference".to_owned())).chain(optional).collect()
    }
}

impl Step for Evaluate {
    fn name(&self) -> &'static str {
        "evaluate"
    }

    fn reads(&self) -> Vec<Read> {
        let sets = self.sets();
        let mut reads = vec![Read::new("ingest", "target")];
        reads.extend(sets.into_iter().map(|(_, artifact)| Read::new("split", artifact)));
        reads.extend(model_reads(self.0.last_fit()));
        reads.push(Read::new(self.0.last_fit(), CARD));
        reads.extend(model_reads("baseline"));
        if self.0.slices().is_some() {
            // Values and borders of slices are those of the training rows, in every test set the same.
            reads.push(Read::new("split", "train"));
        }
        reads
    }

    fn code(&self) -> Digest {
        code::digest("evaluate", &["model"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(vec![self.0.section("data"), self.0.section("split"), self.0.section("evaluate"), self.0.further_metrics()])
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let (model, digest) = self.reloaded(scope)?;
        let (baseline, _) = self.0.model(scope, "baseline")?;
        let target = self.0.target(scope)?;
        let more = self.0.resolved.further_metrics();
        let slicings = self.slicings(scope)?;
        let mut output = Output::default();
        let mut sliced: Vec<(String, Vec<Slice>)> = Vec::new();
        let mut judged = Vec::new();
        let (mut shown, mut curves) = (serde_json::Map::new(), serde_json::Map::new());
        for (name, artifact) in self.sets() {
            let table = self.0.table(scope, "split", &artifact)?;
            if table.num_rows() == 0 {
                continue;
            }
            scope.progress(&name, 0, 0);
            let targets = trainyard_data::targets(&table, &target).map_err(|error| error.diagnostic())?;
            let predictions = model.predict(&table).map_err(|error| self.0.explain(&error, &name))?;
            let weights = trainyard_data::weights(&table, &self.0.resolved.project.data);
            let weights = weights.map_err(|error| error.diagnostic().note(format!("counted in the rows of {name}")))?;
            let scored = model.scored(&targets, &predictions, weights.as_deref());
            let values = model.measure(&scored, &more).map_err(|error| error.diagnostic())?;
            let beside = baseline.predict(&table).map_err(|error| self.0.explain(&error, &name))?;
            let beside = baseline.scored(&targets, &beside, weights.as_deref());
            let beside = baseline.measure(&beside, &more).map_err(|error| error.diagnostic())?;
            let seed = self.0.resolved.split.spec.seed.value;
            let intervals = scored.bootstrap(&of_task(model.task(), &more), RESAMPLES, seed);
            let intervals = intervals.map_err(|error| error.diagnostic())?;
            if let (Some(spec), false) = (self.0.slices(), slicings.is_empty()) {
                scope.progress(&format!("slices of {name}"), 0, 0);
                let request = SliceRequest {
                    slicings: &slicings,
                    table: &table,
                    scored,
                    more: &more,
                    least_rows: spec.least_rows as usize,
                    resamples: RESAMPLES,
                    seed,
                };
                let found = slices(&model, &request).map_err(|error| self.0.explain(&error, &name))?;
                sliced.push((name.clone(), found));
            }
            let intervals: BTreeMap<String, [f64; 2]> =
                intervals.into_iter().map(|(name, found)| (name, [found.low, found.high])).collect();
            judged.push(Judged {
                optional: (name != "reference").then(|| name.clone()),
                rows: table.num_rows(),
                metrics: values.clone(),
                intervals: intervals.clone(),
                baseline: beside.clone(),
                slices: sliced.last().filter(|(of, _)| *of == name).map(|(_, found)| found.clone()).unwrap_or_default(),
            });
            for (metric, value) in &values {
                output.logged.metrics.push((format!("{name}_{metric}"), 0, *value));
            }
            for (metric, value) in &beside {
                output.logged.metrics.push((format!("baseline_{name}_{metric}"), 0, *value));
            }
            if name == "reference" {
                let classes = target.classes.iter().flatten().enumerate();
                let absent = classes.filter(|(class, _)| targets.iter().all(|target| *target as usize != *class));
                absent.for_each(|(_, class)| scope.warn(class_absent(class)));
                self.pictures(scope, &mut output, &model, &scored)?;
                output.measurements.insert("latency_p95_ms".to_owned(), latency(&model, &table)?);
            }
            let mut set =
                json!({ "rows": table.num_rows(), "metrics": values, "intervals": intervals, "baseline": beside });
            if model.task() != Task::Regression {
                let measure = |probabilities: &[f64]| {
                    let measures = Measures::of(model.task(), &targets, probabilities, weights.as_deref());
                    measures.map_err(|error| error.diagnostic())
                };
                let mut probabilities = json!({ "after": measure(&predictions)? });
                if model.calibration.is_some() {
                    let before = model.predict_uncalibrated(&table).map_err(|error| self.0.explain(&error, &name))?;
                    probabilities["before"] = json!(measure(&before)?);
                }
                set["probabilities"] = probabilities;
                let found = curves_of(&model, &scored)?;
                if name == "reference" {
                    log_picture(scope, &mut output, "curves", &pictures::curves(&found))?;
                }
                curves.insert(name.clone(), json!(found));
            }
            shown.insert(name, set);
        }
        let rows = shown.get("reference").and_then(|set| set["rows"].as_u64()).unwrap_or_default();
        let sets = Value::Object(shown);
        let file = scope.store(&to_json(&sets))?;
        output.artifacts.insert("metrics".to_owned(), file);
        output.logged.files.insert("evaluation.json".to_owned(), file);
        if !curves.is_empty() {
            let file = scope.store(&to_json(&curves))?;
            output.artifacts.insert("curves".to_owned(), file);
            output.logged.files.insert("curves.json".to_owned(), file);
        }
        output.headline.0 = format!("reference, {} rows", count(rows as usize));
        output.facts = json!({ "sets": sets, "digest": digest.to_string() });
        if let Some(spec) = self.0.slices() {
            store_slices(scope, &mut output, &spec.metric.value, &sliced)?;
        }
        self.complete_card(scope, &mut output, &judged)?;
        self.refresh(&mut output);
        Ok(output)
    }

    fn refresh(&self, output: &mut Output) {
        let reference = &output.facts["sets"]["reference"];
        let (metric, value) = self.leading(reference["metrics"].as_object());
        let baseline = reference["baseline"][&metric].as_f64().unwrap_or(f64::NAN);
        output.headline.1 = format!("{metric} {}, baseline {}", figure(value), figure(baseline));
    }

    fn publish(&self, scope: &Scope, _record: &Record) -> Result<(), Failure> {
        self.0.count_use(&scope.digest("split", "reference")?);
        Ok(())
    }
}

impl Evaluate {
    /// Learns how the test sets are cut, where they are.
    fn slicings(&self, scope: &Scope) -> Result<Vec<Slicing>, Failure> {
        let Some(spec) = self.0.slices() else { return Ok(Vec::new()) };
        let train = self.0.table(scope, "split", "train")?;
        Ok(Slicing::learn(spec, &train).map_err(|error| error.diagnostic())?)
    }

    /// Writes into the model's card how the model was judged.
    fn complete_card(&self, scope: &Scope, output: &mut Output, judged: &[Judged]) -> Result<(), Failure> {
        let card = scope.read(self.0.last_fit(), CARD)?;
        let metric = self.0.slices().map_or("", |spec| spec.metric.value.as_str());
        let weight = self.0.resolved.project.data.weight.as_ref().map(|column| column.value.as_str());
        let card = card_with(&String::from_utf8_lossy(&card), judged, metric, weight, RESAMPLES);
        let file = scope.store(card.as_bytes())?;
        output.artifacts.insert("card".to_owned(), file);
        output.logged.files.insert(CARD.to_owned(), file);
        Ok(())
    }

    /// Gives the metric that decides, else the first.
    fn leading(&self, values: Option<&serde_json::Map<String, Value>>) -> (String, f64) {
        let wanted = match &self.0.resolved.project.promote {
            Some(promote) => promote.metric.value.as_str(),
            None => self.0.resolved.model.spec.metric.value.as_str(),
        };
        let found = values.and_then(|values| values.get_key_value(wanted).or_else(|| values.iter().next()));
        found.map_or((wanted.to_owned(), f64::NAN), |(name, value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN)))
    }

    fn pictures(&self, scope: &Scope, output: &mut Output, model: &Model, scored: &Scored<'_>) -> Result<(), Failure> {
        log_picture(scope, output, "feature_importance", &pictures::feature_importance(&model.importance()))?;
        if let Some(classes) = &model.target.classes {
            let counts = scored.confusion().map_err(|error| error.diagnostic())?;
            let weight = self.0.resolved.project.data.weight.as_ref().map(|column| column.value.as_str());
            log_picture(scope, output, "confusion_matrix", &pictures::confusion_matrix(&counts, classes, weight))?;
        }
        if model.task() == Task::Regression {
            log_picture(scope, output, "residuals", &pictures::residuals(scored.targets, scored.predictions))?;
        }
        Ok(())
    }
}

/// Stores the slices of every test set, as JSON and as a table, and tells of the worst ones.
fn store_slices(
    scope: &Scope,
    output: &mut Output,
    metric: &str,
    sliced: &[(String, Vec<Slice>)],
) -> Result<(), Failure> {
    let mut sets = serde_json::Map::new();
    let mut told = serde_json::Map::new();
    for (name, found) in sliced {
        let worst = worst(found, metric).map(|(slice, value)| {
            json!({
                "slice": slice.words(), "rows": slice.rows, "value": value, "interval": slice.intervals.get(metric),
            })
        });
        if let (Some(worst), "reference") = (&worst, name.as_str()) {
            let value = worst["value"].as_f64().unwrap_or(f64::NAN);
            output.logged.metrics.push((format!("reference_worst_slice_{metric}"), 0, value));
        }
        told.insert(name.clone(), json!({ "slices": found.len(), "worst": worst }));
        sets.insert(name.clone(), json!({ "slices": found, "worst": worst }));
    }
    let whole = json!({ "metric": metric, "sets": sets });
    let file = scope.store(&to_json(&whole))?;
    output.artifacts.insert("slices".to_owned(), file);
    output.logged.files.insert("slices.json".to_owned(), file);
    let table = slice_table(sliced).map_err(|error| error.diagnostic())?;
    let bytes = trainyard_data::to_parquet(&table).map_err(|error| error.diagnostic())?;
    let file = scope.store(&bytes)?;
    output.logged.files.insert("slices.parquet".to_owned(), file);
    output.facts["slices"] = json!({ "metric": metric, "sets": told });
    Ok(())
}

/// Gives the curves of the positive class, or of each of several.
fn curves_of(model: &Model, scored: &Scored<'_>) -> Result<Vec<Curves>, Failure> {
    let Scored { targets, predictions, weights, .. } = *scored;
    let classes = model.target.classes.as_deref().unwrap_or_default();
    let of = |class: &str, targets: &[f64], probabilities: &[f64]| {
        Curves::of(class, targets, probabilities, weights).map_err(|error| Failure::from(error.diagnostic()))
    };
    if let Some(positive) = model.target.positive() {
        return Ok(vec![of(positive, targets, predictions)?]);
    }
    let against_others = |(number, class): (usize, &String)| {
        let is_of: Vec<f64> = targets.iter().map(|target| f64::from(*target == number as f64)).collect();
        let probabilities: Vec<f64> = predictions.iter().skip(number).step_by(classes.len()).copied().collect();
        of(class, &is_of, &probabilities)
    };
    classes.iter().enumerate().map(against_others).collect()
}

/// Says that a class cannot be judged.
fn class_absent(class: &str) -> Diagnostic {
    let title = format!("the reference test has no row of the class {class}");
    Diagnostic::warning("evaluate/class-absent", title)
        .note("metrics that look at each class have no value then, and a gate on one says no")
        .help("write the next split version, which freezes a new reference test")
}

/// Measures the 95th percentile of one prediction from raw values, in milliseconds.
fn latency(model: &Model, table: &RecordBatch) -> Result<f64, Failure> {
    let mut times = Vec::new();
    // The first prediction fills caches that every later one finds full.
    if table.num_rows() > 0 {
        model.predict_row(&row_of(table, 0)).map_err(|error| error.diagnostic())?;
    }
    for row in 0..table.num_rows().min(TIMED_ROWS) {
        let values = row_of(table, row);
        let started = Instant::now();
        model.predict_row(&values).map_err(|error| error.diagnostic())?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    // The nearest rank.
    Ok(times.get((times.len() * 95).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default())
}
