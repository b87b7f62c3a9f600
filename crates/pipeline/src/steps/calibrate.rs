//! Maps the scores of the trained model to probabilities, and finds its threshold.

use std::sync::Arc;

use serde_json::json;
use trainyard_files::Digest;
use trainyard_model::{Model, Trained, calibrate};

use super::context::{Context, json as parse, model_reads, to_json};
use super::training::{measured, store_open_form, stored_model, training_inputs, training_reads, with_training};
use super::tuned::{tuned, tuned_reads};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};
use crate::report::figure;

pub(crate) struct Calibrate(pub(crate) Arc<Context>);

impl Step for Calibrate {
    fn name(&self) -> &'static str {
        "calibrate"
    }

    fn reads(&self) -> Vec<Read> {
        let mut reads = training_reads(&self.0);
        reads.extend(tuned_reads(&self.0));
        reads.extend(model_reads("train"));
        reads.push(Read::new("train", "report"));
        reads
    }

    fn code(&self) -> Digest {
        code::digest("calibrate", &["model"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(training_inputs(&self.0, &["explain", "tune"]))
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let (model, _) = self.0.model(scope, "train")?;
        let tuned = tuned(&self.0, scope)?;
        let calibrated =
            with_training(&self.0, scope, &tuned.model, &tuned.features, |request| calibrate(request, model))?;
        let report = &calibrated.report;
        let trained =
            Trained { model: calibrated.model, report: parse(&scope.read("train", "report")?)?, native: None };
        let model = &trained.model;
        let folder = model.to_folder();
        let mut output = Output::default();
        stored_model(scope, &folder, &mut output)?;
        store_open_form(&self.0, scope, &trained, Some(report), &mut output)?;
        output.logged.files.extend(output.artifacts.clone());
        let file = scope.store(&to_json(report))?;
        output.artifacts.insert("report".to_owned(), file);
        output.logged.files.insert("calibration_report.json".to_owned(), file);
        let (_, shown) = measured(&self.0, scope, model, &mut output)?;
        output.facts = json!({ "digest": Model::digest(&folder).to_string(), "metrics": shown });
        if let Some(threshold) = report.threshold {
            output.logged.metrics.push(("threshold".to_owned(), 0, threshold));
        }
        let subject = match (&report.method, &report.rows) {
            (Some(method), Some(rows)) => format!("{method}, {}", rows.replace('_', " ")),
            _ => "threshold".to_owned(),
        };
        let brier = report
            .before
            .zip(report.after)
            .map(|(before, after)| format!("brier {} → {}", figure(before.brier), figure(after.brier)));
        let threshold = match (report.threshold, &report.rule) {
            (Some(threshold), Some(_)) => Some(format!("threshold {}", figure(threshold))),
            _ => None,
        };
        let result: Vec<String> = brier.into_iter().chain(threshold).collect();
        output.headline = (subject, result.join(", "));
        Ok(output)
    }
}
