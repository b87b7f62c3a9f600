//! Tells what features do: contributions to single predictions, and importance.

use std::sync::Arc;

use serde_json::json;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::Digest;
use trainyard_model::{ExplainRequest, explain, pictures};

use super::context::{Context, count, log_picture, model_reads, to_json};
use super::training::training_reads;
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};
use crate::report::figure;

/// How many columns the terminal names.
const NAMED: usize = 3;

pub(crate) struct Explain(pub(crate) Arc<Context>);

impl Step for Explain {
    fn name(&self) -> &'static str {
        "explain"
    }

    fn reads(&self) -> Vec<Read> {
        let mut reads = training_reads(&self.0);
        reads.extend(model_reads(self.0.last_fit()));
        reads
    }

    fn after(&self) -> Vec<&'static str> {
        vec!["evaluate"]
    }

    fn code(&self) -> Digest {
        code::digest("explain", &["model"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        let read_earlier = ["baseline", "candidates", "cross_validation", "refit", "calibrate"];
        Ok(vec![self.0.section("data"), self.0.section_without("model", &read_earlier)])
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let resolved = &self.0.resolved;
        let spec = &resolved.model.spec;
        let Some(wanted) = &spec.explain else { return Ok(Output::default()) };
        let (model, _) = self.0.model(scope, self.0.last_fit())?;
        // The reference test judges models and does nothing else.
        let set = if resolved.split.spec.has_validation() { "validation" } else { "train" };
        let table = self.0.table(scope, "split", set)?;
        let target = self.0.target(scope)?;
        let targets = trainyard_data::targets(&table, &target).map_err(|error| error.diagnostic())?;
        let weights = trainyard_data::weights(&table, &resolved.project.data).map_err(|error| error.diagnostic())?;
        let request = ExplainRequest {
            table: &table,
            targets: &targets,
            weights: weights.as_deref(),
            key: resolved.project.data.key.as_ref().map(|key| key.value.as_str()),
            rows: wanted.rows as usize,
            permutations: wanted.permutations as usize,
            metric: &spec.metric.value,
            seed: spec.seed.value,
        };
        let found = explain(&model, &request).map_err(|error| self.0.explain(&error, set))?;
        if found.importance.metric.is_none() && wanted.permutations > 0 {
            scope.warn(nothing_falls(&spec.metric.value, set));
        }
        let table = found.table(&model, &request).map_err(|error| error.diagnostic())?;
        let bytes = trainyard_data::to_parquet(&table).map_err(|error| error.diagnostic())?;
        let mut output = Output::default();
        let files = [
            ("contributions", "explanation/contributions.parquet", bytes),
            ("importance", "explanation/importance.json", to_json(&found.importance)),
        ];
        for (artifact, path, bytes) in files {
            let digest = scope.store(&bytes)?;
            output.artifacts.insert(artifact.to_owned(), digest);
            output.logged.files.insert(path.to_owned(), digest);
        }
        log_picture(scope, &mut output, "explanation/contributions", &pictures::contributions(&found))?;
        let mut columns: Vec<(&String, &f64)> = found.importance.columns.iter().collect();
        columns.sort_by(|a, b| b.1.total_cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let named: Vec<String> =
            columns.iter().take(NAMED).map(|(column, size)| format!("{column} {}", figure(**size))).collect();
        output.facts = json!({ "rows": found.rows.len(), "set": set, "columns": found.importance.columns });
        output.headline = (format!("{set}, {} rows", count(found.rows.len())), named.join(", "));
        Ok(output)
    }
}

/// Says that shuffling shows nothing.
fn nothing_falls(metric: &str, set: &str) -> Diagnostic {
    Diagnostic::warning(
        "explain/no-metric",
        format!("{metric} has no value on the rows of {set}, so that none can fall"),
    )
    .note("permutation importance is left out; contributions need no metric")
    .help("give the set rows of every class, or set `metric` to one that has a value")
}
