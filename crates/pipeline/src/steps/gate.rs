//! Holds the reference metrics and the measured values against the gates.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use trainyard_files::Digest;
use trainyard_model::{Slice, worst};

use super::context::{Context, internal, json as parse, metrics_of, to_json};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};

pub(crate) struct Gate(pub(crate) Arc<Context>);

impl Gate {
    fn bounds_slices(&self) -> bool {
        self.0.resolved.project.gates.iter().any(|gate| gate.of_worst_slice)
    }

    /// Gives the slices of the reference test, where a gate bounds the worst one.
    fn slices(&self, scope: &Scope) -> Result<Vec<Slice>, Failure> {
        if !self.bounds_slices() {
            return Ok(Vec::new());
        }
        let mut sets: Value = parse(&scope.read("evaluate", "slices")?)?;
        let slices = sets["sets"]["reference"]["slices"].take();
        serde_json::from_value(slices).map_err(|error| internal(&format!("stored slices can't be read: {error}")))
    }
}

impl Step for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn reads(&self) -> Vec<Read> {
        let mut reads = vec![Read::new("evaluate", "metrics")];
        if self.bounds_slices() {
            reads.push(Read::new("evaluate", "slices"));
        }
        reads
    }

    fn after(&self) -> Vec<&'static str> {
        self.0.before_promotion()
    }

    fn code(&self) -> Digest {
        code::digest("gate", &["model"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(vec![self.0.section("gates")])
    }

    fn measured(&self) -> Vec<(&'static str, String)> {
        let names = self.0.resolved.project.gates.iter().map(|gate| gate.metric.value.as_str());
        let of_step = |name| match name {
            "latency_p95_ms" => Some("evaluate"),
            "training_seconds" => Some("train"),
            _ => None,
        };
        let mut measured: Vec<_> = names.filter_map(|name| Some((of_step(name)?, name.to_owned()))).collect();
        measured.sort_unstable();
        measured.dedup();
        measured
    }

    fn computes(&self) -> bool {
        false
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let sets: Value = parse(&scope.read("evaluate", "metrics")?)?;
        let metrics = metrics_of(&sets["reference"]["metrics"]);
        // A replay judges what was measured then, not what this machine measures now.
        let mut measured: BTreeMap<String, f64> = BTreeMap::new();
        for step in ["train", "evaluate"] {
            let here = scope.output(step);
            let output = self.0.recorded(step).map(|record| &record.output).or(here);
            measured.extend(output.map(|output| output.measurements.clone()).unwrap_or_default());
        }
        let slices = self.slices(scope)?;
        let (mut lines, mut judged) = (Vec::new(), Vec::new());
        let mut output = Output::default();
        for gate in self.0.resolved.project.gates.iter() {
            let (metric, limit) = (gate.metric.value.as_str(), gate.limit.value);
            let found = if gate.of_worst_slice { worst(&slices, metric) } else { None };
            let value = match gate.of_worst_slice {
                true => found.map(|(_, value)| value),
                false => metrics.get(metric).or_else(|| measured.get(metric)).copied(),
            };
            let value = value.unwrap_or(f64::NAN);
            let (name, sign, passed) = (gate.name(), gate.bound.sign(), gate.passes(value));
            let mut line = json!({ "name": name, "limit": limit, "bound": sign, "value": value, "passed": passed });
            if let Some((slice, _)) = found {
                line["slice"] = json!(slice.words());
            }
            lines.push(line);
            let is_stored = gate.of_worst_slice || metrics.contains_key(metric);
            let stored = if is_stored { json!(value) } else { json!("measured") };
            judged.push(json!({ "gate": gate.words(), "value": stored, "passed": passed }));
        }
        let failed = lines.iter().filter(|line| line["passed"] == json!(false)).count();
        output.artifacts.insert("gates".to_owned(), scope.store(&to_json(&judged))?);
        let noun = if lines.len() == 1 { "gate" } else { "gates" };
        output.headline = (format!("{} {noun}", lines.len()), format!("{} passed", lines.len() - failed));
        output.logged.tags.insert("gates".to_owned(), if failed == 0 { "passed" } else { "failed" }.to_owned());
        output.facts = json!({ "gates": lines });
        Ok(output)
    }
}
