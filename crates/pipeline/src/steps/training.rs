//! What `baseline` and `train` have in common: what they read, and a fit from stored tables.

use std::collections::BTreeMap;

use serde_json::json;
use trainyard_model::{Error, Model, Progress, TrainRequest, Trained};

use super::context::{Context, to_json};
use crate::engine::{Failure, Input, Output, Read, Scope};

/// Names what a training reads.
pub(super) fn training_reads(context: &Context) -> Vec<Read> {
    let mut reads = vec![Read::new("ingest", "target"), Read::new("split", "train")];
    if context.resolved.split.spec.has_validation() {
        reads.push(Read::new("split", "validation"));
    }
    reads
}

/// Declares what a training depends on besides.
pub(super) fn training_inputs(context: &Context) -> Vec<Input> {
    ["data", "split", "features", "model"].map(|part| context.section(part)).into()
}

/// Trains by `how` and gives the model with the files of its folder.
pub(super) fn fit(
    context: &Context,
    scope: &Scope,
    how: fn(&TrainRequest<'_>) -> Result<Trained, Error>,
) -> Result<(Trained, BTreeMap<String, Vec<u8>>), Failure> {
    let resolved = &context.resolved;
    let table = context.table(scope, "split", "train")?;
    let validation = match resolved.split.spec.has_validation() {
        true => Some(context.table(scope, "split", "validation")?),
        false => None,
    };
    let target = context.target(scope)?;
    let plan = trainyard_features::plan(&resolved.features.spec, &table.schema(), &resolved.project.data)
        .map_err(|problems| Failure::Problems(problems.into_vec()))?;
    let progress = |progress: &Progress<'_>| match *progress {
        Progress::Iteration { candidate, part, done, of, .. } => {
            scope.progress(&format!("{candidate}, {part}"), done as u64, of as u64)
        }
        Progress::Fitted { candidate, part } => scope.progress(&format!("{candidate}, {part}"), 0, 0),
    };
    let trained = how(&TrainRequest {
        train: &table,
        validation: validation.as_deref(),
        data: &resolved.project.data,
        target: &target,
        plan: &plan,
        spec: &resolved.model.spec,
        split: &resolved.split.spec,
        progress: &progress,
    });
    scope.check()?;
    let trained = trained.map_err(|error| context.explain(&error, "train or validation"))?;
    let folder = trained.model.to_folder();
    Ok((trained, folder))
}

/// Stores a model's folder and its report.
pub(super) fn stored(scope: &Scope, trained: &Trained, folder: &BTreeMap<String, Vec<u8>>) -> Result<Output, Failure> {
    let mut output = Output { facts: json!({ "digest": Model::digest(folder).to_string() }), ..Output::default() };
    for (path, bytes) in folder {
        output.artifacts.insert(format!("model/{path}"), scope.store(bytes)?);
    }
    output.artifacts.insert("report".to_owned(), scope.store(&to_json(&trained.report))?);
    Ok(output)
}
