//! What `baseline`, `train` and `calibrate` have in common: what they read, and a fit from stored tables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use trainyard_engines::Engine;
use trainyard_files::Digest;
use trainyard_model::{CalibrationReport, Error, Model, OpenRequest, Progress, TrainRequest, Trained};
use trainyard_spec::{EstimatorSpec, FeatureSpec, ModelSpec};

use super::context::{Context, to_json};
use crate::engine::{Failure, Input, Output, Read, Scope};

/// The beginning of the name of an input that is an external library.
pub(crate) const ENGINE: &str = "engine.";

/// Names what a training reads.
pub(super) fn training_reads(context: &Context) -> Vec<Read> {
    let mut reads = vec![Read::new("ingest", "target"), Read::new("split", "train")];
    if context.resolved.split.spec.has_validation() {
        reads.push(Read::new("split", "validation"));
    }
    reads
}

/// Declares what a training of the candidates depends on besides, but for the keys of the model version that later steps
/// read.
pub(super) fn training_inputs(context: &Context, later: &[&str]) -> Vec<Input> {
    let candidates = context.resolved.model.spec.candidates.iter().map(|(_, spec)| spec);
    inputs(context, later, candidates)
}

/// Declares what a search depends on besides: it judges the baseline as well.
pub(super) fn tuning_inputs(context: &Context, later: &[&str]) -> Vec<Input> {
    let model = &context.resolved.model.spec;
    inputs(context, later, model.candidates.iter().map(|(_, spec)| spec).chain([&model.baseline.value]))
}

/// Declares what a training of the baseline depends on besides.
pub(super) fn baseline_inputs(context: &Context, later: &[&str]) -> Vec<Input> {
    inputs(context, later, [&context.resolved.model.spec.baseline.value])
}

fn inputs<'s>(context: &Context, later: &[&str], fitted: impl IntoIterator<Item = &'s EstimatorSpec>) -> Vec<Input> {
    let mut inputs: Vec<Input> = ["data", "split", "features"].map(|part| context.section(part)).into();
    inputs.push(context.section_without("model", later));
    let engines: BTreeSet<Engine> = fitted.into_iter().filter_map(|spec| Engine::by_name(spec.name())).collect();
    for engine in engines {
        // Nothing was ever fitted by one that is not there, so that no stored result has this input.
        let digest = context.engines.library(engine).map_or_else(|_| Digest::of(b"absent"), |library| library.digest);
        inputs.push(Input::new(format!("{ENGINE}{}", engine.name()), digest));
    }
    inputs
}

/// Trains by `how`, as `spec` and `features` say, and gives the model with the files of its folder.
pub(super) fn fit(
    context: &Context,
    scope: &Scope,
    spec: &ModelSpec,
    features: &FeatureSpec,
    how: fn(&TrainRequest<'_>) -> Result<Trained, Error>,
) -> Result<(Trained, BTreeMap<String, Vec<u8>>), Failure> {
    let trained = with_training(context, scope, spec, features, how)?;
    let folder = trained.model.to_folder();
    Ok((trained, folder))
}

/// Does work on the stored tables of a training.
pub(super) fn with_training<T>(
    context: &Context,
    scope: &Scope,
    spec: &ModelSpec,
    features: &FeatureSpec,
    work: impl FnOnce(&TrainRequest<'_>) -> Result<T, Error>,
) -> Result<T, Failure> {
    let resolved = &context.resolved;
    let table = context.table(scope, "split", "train")?;
    let validation = match resolved.split.spec.has_validation() {
        true => Some(context.table(scope, "split", "validation")?),
        false => None,
    };
    let target = context.target(scope)?;
    let plan = trainyard_features::plan(features, &table.schema(), &resolved.project.data)
        .map_err(|problems| Failure::Problems(problems.into_vec()))?;
    let progress = |progress: &Progress<'_>| match *progress {
        Progress::Iteration { candidate, part, done, of, .. } => {
            scope.progress(&format!("{candidate}, {part}"), done as u64, of as u64)
        }
        Progress::Waiting => scope.check().is_ok(),
        Progress::Fitted { candidate, part } => scope.progress(&format!("{candidate}, {part}"), 0, 0),
    };
    let done = work(&TrainRequest {
        train: &table,
        validation: validation.as_deref(),
        data: &resolved.project.data,
        target: &target,
        plan: &plan,
        spec,
        split: &resolved.split.spec,
        progress: &progress,
        engines: &context.engines,
    });
    scope.check()?;
    done.map_err(|error| context.explain(&error, "train or validation").into())
}

/// Stores a model's folder and its report.
pub(super) fn stored(scope: &Scope, trained: &Trained, folder: &BTreeMap<String, Vec<u8>>) -> Result<Output, Failure> {
    let mut output = Output { facts: json!({ "digest": Model::digest(folder).to_string() }), ..Output::default() };
    stored_model(scope, folder, &mut output)?;
    output.artifacts.insert("report".to_owned(), scope.store(&to_json(&trained.report))?);
    Ok(output)
}

/// Stores the files of a model's folder.
pub(super) fn stored_model(
    scope: &Scope,
    folder: &BTreeMap<String, Vec<u8>>,
    output: &mut Output,
) -> Result<(), Failure> {
    for (path, bytes) in folder {
        output.artifacts.insert(format!("model/{path}"), scope.store(bytes)?);
    }
    Ok(())
}

/// Stores the files of a model's folder that are not the native form, which alone is its digest.
pub(super) fn store_open_form(
    context: &Context,
    scope: &Scope,
    trained: &Trained,
    calibration: Option<&CalibrationReport>,
    output: &mut Output,
) -> Result<(), Failure> {
    let resolved = &context.resolved;
    let validation_rows = match resolved.split.spec.has_validation() {
        true => Some(context.table(scope, "split", "validation")?.num_rows()),
        false => None,
    };
    let train = context.table(scope, "split", "train")?;
    let baseline = resolved.model.spec.baseline.value.name();
    let weight = resolved.project.data.weight.as_ref().map(|weight| weight.value.as_str());
    let request = OpenRequest { train: &train, weight, validation_rows, baseline, calibration };
    let files = trained.to_open_form(&request).map_err(|error| context.explain(&error, "train"))?;
    stored_model(scope, &files, output)
}

/// Measures a model on the rows of train and of validation, weighted where the data is, logs that as `train_*` and
/// `validation_*`, and gives the number of training rows with the metrics of each set.
pub(super) fn measured(
    context: &Context,
    scope: &Scope,
    model: &Model,
    output: &mut Output,
) -> Result<(usize, Map<String, Value>), Failure> {
    let target = context.target(scope)?;
    let mut sets = vec![("train", context.table(scope, "split", "train")?)];
    if context.resolved.split.spec.has_validation() {
        sets.push(("validation", context.table(scope, "split", "validation")?));
    }
    let mut shown = Map::new();
    for (name, table) in &sets {
        let predictions = model.predict(table).map_err(|error| context.explain(&error, name))?;
        let targets = trainyard_data::targets(table, &target).map_err(|error| error.diagnostic())?;
        let data = &context.resolved.project.data;
        let weights = trainyard_data::weights(table, data).map_err(|error| error.diagnostic())?;
        let scored = model.scored(&targets, &predictions, weights.as_deref());
        let by = context.resolved.model.spec.metric.value.as_str();
        let metrics = model.measure(&scored, &[by]).map_err(|error| error.diagnostic())?;
        for (metric, value) in &metrics {
            output.logged.metrics.push((format!("{name}_{metric}"), 0, *value));
        }
        shown.insert((*name).to_owned(), json!(metrics));
    }
    Ok((sets[0].1.num_rows(), shown))
}
