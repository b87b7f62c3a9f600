//! Trains the candidates and chooses one.

use std::sync::Arc;

use serde_json::json;
use trainyard_files::Digest;
use trainyard_model::{pictures, train};
use trainyard_spec::VersionLock;

use super::context::{Context, count, log_picture};
use super::training::{fit, measured, store_open_form, stored, training_inputs, training_reads};
use super::tuned::{tuned, tuned_reads};
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
        training_reads(&self.0).into_iter().chain(tuned_reads(&self.0)).collect()
    }

    fn after(&self) -> Vec<&'static str> {
        vec!["features"]
    }

    fn code(&self) -> Digest {
        code::digest("train", &["model"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(training_inputs(&self.0, &["calibrate", "explain", "tune"]))
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let started = std::time::Instant::now();
        let tuned = tuned(&self.0, scope)?;
        let (trained, folder) = fit(&self.0, scope, &tuned.model, &tuned.features, train)?;
        let seconds = started.elapsed().as_secs_f64();
        let mut output = stored(scope, &trained, &folder)?;
        output.measurements.insert("training_seconds".to_owned(), seconds);
        let model = &trained.model;
        store_open_form(&self.0, scope, &trained, None, &mut output)?;
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
        let (rows, shown) = measured(&self.0, scope, model, &mut output)?;
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
            if !chosen.train_loss.is_empty() {
                let picture = pictures::learning_curve(&chosen.name, &chosen.train_loss, &chosen.validation_loss);
                log_picture(scope, &mut output, "learning_curve", &picture)?;
            }
        }
        output.facts = json!({
            "digest": output.facts["digest"],
            "chosen": report.chosen,
            "estimator": model.estimator_name,
            "rows": rows,
            "metrics": shown,
        });
        let cv = chosen.and_then(|chosen| chosen.cross_validation.get(&report.metric));
        let detail = match cv {
            Some(spread) => {
                let fits = chosen.and_then(|chosen| chosen.repeats).map(|repeats| format!(", {} fits", repeats.fits));
                let (mean, deviation) = (figure(spread.mean), figure(spread.std));
                format!("cv {} {mean} ± {deviation}{}", report.metric, fits.unwrap_or_default())
            }
            None => format!("{} rows", count(rows)),
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
