//! Trains the candidates and chooses one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use trainyard_files::{Digest, Io, write_atomic};
use trainyard_model::{Error, Model, Progress, TrainRequest, Trained, train};
use trainyard_spec::{Lock, VersionLock};

use super::context::{Context, count, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Record, Scope, Step};
use crate::project;

pub(crate) struct Train(pub(crate) Arc<Context>);

/// Names what a training reads.
pub(super) fn training_reads(context: &Context) -> Vec<Read> {
    let mut reads = vec![Read::new("ingest", "target"), Read::new("split", "train")];
    if context.resolved.split.spec.shares.validation.is_some() {
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
    let validation = match &resolved.split.spec.shares.validation {
        Some(_) => Some(context.table(scope, "split", "validation")?),
        None => None,
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
        versions: context.versions(),
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

impl Step for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    fn reads(&self) -> Vec<Read> {
        training_reads(&self.0)
    }

    fn after(&self) -> Vec<&'static str> {
        vec!["features"]
    }

    fn code(&self) -> Digest {
        code::digest("train", &["model"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(training_inputs(&self.0))
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let started = std::time::Instant::now();
        let (trained, folder) = fit(&self.0, scope, train)?;
        let seconds = started.elapsed().as_secs_f64();
        let mut output = stored(scope, &trained, &folder)?;
        output.measurements.insert("training_seconds".to_owned(), seconds);
        let model = &trained.model;
        for (artifact, digest) in output.artifacts.clone() {
            if artifact.starts_with("model/") {
                output.logged.files.insert(artifact, digest);
            }
        }
        output.logged.files.insert("training_report.json".to_owned(), output.artifacts["report"]);
        output.logged.params = model.parameters.clone();
        output.logged.params.insert("estimator".to_owned(), model.estimator_name.clone());
        let target = self.0.target(scope)?;
        let mut sets = vec![("train", self.0.table(scope, "split", "train")?)];
        if self.0.resolved.split.spec.shares.validation.is_some() {
            sets.push(("validation", self.0.table(scope, "split", "validation")?));
        }
        let mut shown = serde_json::Map::new();
        for (name, table) in &sets {
            let predictions = model.predict(table).map_err(|error| self.0.explain(&error, name))?;
            let metrics =
                model.metrics(&self.0.targets(&target, table)?, &predictions).map_err(|error| error.diagnostic())?;
            for (metric, value) in &metrics {
                output.logged.metrics.push((format!("{name}_{metric}"), 0, *value));
            }
            shown.insert((*name).to_owned(), json!(metrics));
        }
        let report = &trained.report;
        let chosen = report.candidates.iter().find(|candidate| candidate.name == report.chosen);
        if let Some(chosen) = chosen {
            for (metric, spread) in &chosen.cross_validation {
                output.logged.metrics.push((format!("cv_{metric}_mean"), 0, spread.mean));
                output.logged.metrics.push((format!("cv_{metric}_std"), 0, spread.std));
            }
            for (name, losses) in [("train_loss", &chosen.train_loss), ("validation_loss", &chosen.validation_loss)] {
                let steps = losses.iter().enumerate();
                output.logged.metrics.extend(steps.map(|(step, loss)| (name.to_owned(), step as i64, *loss)));
            }
        }
        output.facts = json!({
            "digest": output.facts["digest"],
            "chosen": report.chosen,
            "estimator": model.estimator_name,
            "rows": sets[0].1.num_rows(),
            "metrics": shown,
        });
        let cv = chosen.and_then(|chosen| chosen.cross_validation.get(&report.metric));
        let detail = match cv {
            Some(spread) => format!("cv {} {:.3} ± {:.3}", report.metric, spread.mean, spread.std),
            None => format!("{} rows", count(sets[0].1.num_rows())),
        };
        output.headline = (report.chosen.replace('_', " "), detail);
        Ok(output)
    }

    fn publish(&self, _scope: &Scope, _record: &Record) -> Result<(), Failure> {
        if !self.0.is_live() {
            return Ok(());
        }
        lock_versions(&self.0)
    }
}

/// Writes into the lock that a model was made with these versions.
fn lock_versions(context: &Context) -> Result<(), Failure> {
    let resolved = &context.resolved;
    let entry = |digest: &str| VersionLock { digest: digest.to_owned(), first_run: Some(context.run.clone()) };
    change_lock(&*context.io, &context.root, |lock| {
        lock.features.entry(resolved.features.version).or_insert_with(|| entry(&resolved.features.digest));
        lock.models.entry(resolved.model.version).or_insert_with(|| entry(&resolved.model.digest));
    })
}

/// Changes the lock file, when there is something to change.
pub(super) fn change_lock(io: &dyn Io, root: &std::path::Path, change: impl FnOnce(&mut Lock)) -> Result<(), Failure> {
    let mut lock = project::read_lock(io, root).map_err(Failure::Problems)?;
    let before = lock.clone();
    change(&mut lock);
    if lock == before {
        return Ok(());
    }
    write_atomic(io, &root.join(project::LOCK), lock.to_yaml().as_bytes()).map_err(|error| error.diagnostic().into())
}
