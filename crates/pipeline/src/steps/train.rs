//! Trains the candidates and chooses one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use trainyard_files::Digest;
use trainyard_model::{OpenRequest, Trained, train};
use trainyard_spec::VersionLock;

use super::context::{Context, count};
use super::training::{fit, stored, training_inputs, training_reads};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Record, Scope, Step};
use crate::project::change_lock;
use crate::report::figure;

pub(crate) struct Train(pub(crate) Arc<Context>);

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
        for (path, bytes) in self.open_form(scope, &trained)? {
            output.artifacts.insert(format!("model/{path}"), scope.store(&bytes)?);
        }
        for (artifact, digest) in output.artifacts.clone() {
            if artifact.starts_with("model/") {
                output.logged.files.insert(artifact, digest);
            }
        }
        output.logged.files.insert("training_report.json".to_owned(), output.artifacts["report"]);
        output.logged.params = model.parameters.clone();
        // What was fitted is a metric, and which estimator it is a tag: parameters are what was asked for.
        if let Some(trees) = output.logged.params.remove("trees").and_then(|trees| trees.parse().ok()) {
            output.logged.metrics.push(("trees".to_owned(), 0, trees));
        }
        output.logged.tags.insert("estimator".to_owned(), model.estimator_name.clone());
        let target = self.0.target(scope)?;
        let mut sets = vec![("train", self.0.table(scope, "split", "train")?)];
        if self.0.resolved.split.spec.has_validation() {
            sets.push(("validation", self.0.table(scope, "split", "validation")?));
        }
        let mut shown = serde_json::Map::new();
        for (name, table) in &sets {
            let predictions = model.predict(table).map_err(|error| self.0.explain(&error, name))?;
            let targets = trainyard_data::targets(table, &target).map_err(|error| error.diagnostic())?;
            let metrics = model.metrics(&targets, &predictions).map_err(|error| error.diagnostic())?;
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
            if let Some(score) = chosen.out_of_bag_score {
                output.logged.metrics.push(("out_of_bag_score".to_owned(), 0, score));
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
            Some(spread) => format!("cv {} {} ± {}", report.metric, figure(spread.mean), figure(spread.std)),
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

impl Train {
    /// Gives the files of the model's folder that are not the native form, which alone is its digest.
    fn open_form(&self, scope: &Scope, trained: &Trained) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let resolved = &self.0.resolved;
        let validation_rows = match resolved.split.spec.has_validation() {
            true => Some(self.0.table(scope, "split", "validation")?.num_rows()),
            false => None,
        };
        let train = self.0.table(scope, "split", "train")?;
        let request =
            OpenRequest { train: &train, validation_rows, baseline: resolved.model.spec.baseline.value.name() };
        trained.to_open_form(&request).map_err(|error| self.0.explain(&error, "train").into())
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
