//! The result document of a run.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use trainyard_diagnostics::{Diagnostic, conceal, shell_word};
use trainyard_tracking::ModelReference;

use crate::engine::{Finished, StepStatus};
use crate::session::Failure;
use crate::steps::Context;

/// One step of a result.
#[derive(Debug, Clone, Serialize)]
pub struct StepLine {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: StepStatus,
    /// Wall time.
    pub seconds: f64,
    /// What it worked on.
    pub subject: String,
    /// What came out.
    pub result: String,
}

/// One gate of a result.
#[derive(Debug, Clone, Serialize)]
pub struct GateLine {
    /// The metric.
    pub name: String,
    /// `≥` or `≤`.
    pub bound: String,
    /// The limit.
    pub limit: f64,
    /// The value; null where it is undefined.
    pub value: f64,
    /// Whether it passed.
    pub passed: bool,
    /// The slice that the value is of, where the worst one is bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
}

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub struct RunResult {
    /// Its id.
    pub run: String,
    /// FINISHED or REFUSED.
    pub status: String,
    /// `promoted`, `kept` or `refused`.
    pub decision: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// The command that does the same again.
    pub again: String,
    /// Wall time.
    pub seconds: f64,
    /// `split`, `features`, `model`.
    pub versions: BTreeMap<String, u32>,
    /// The steps in order.
    pub steps: Vec<StepLine>,
    /// `reference`, `baseline`, `intervals` and one entry for each optional test.
    pub metrics: Value,
    /// The column by which rows count in the metrics; absent where each counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted_by: Option<String>,
    /// The metric that names the worst slice, and that slice of each test set; null without slices.
    pub slices: Value,
    /// Rows of the reference test.
    pub reference_rows: u64,
    /// How many runs were judged on this reference test, this one included.
    pub reference_uses: u64,
    /// The gates in the spec's order.
    pub gates: Vec<GateLine>,
    /// How candidate and incumbent compare.
    pub comparison: Value,
    /// How many expectations there are and are met, and what is told of those that are not; null without a `validate`
    /// section.
    pub validation: Value,
    /// Whether the data drifted, and which columns; why nothing was compared; null without a `drift` section.
    pub drift: Value,
    /// The model that this run made; null where the run ended before.
    pub candidate: Value,
    /// What validation and drift warn of, whether they ran or were cached.
    pub warnings: Vec<Value>,
    /// The registered version that it became, or that already is the same model; null otherwise.
    pub model: Option<Value>,
    /// The model that it was compared with.
    pub incumbent: Option<Value>,
}

impl RunResult {
    /// Gives the exit code: 3 when a gate or `may_lose` said no.
    pub fn exit_code(&self) -> u8 {
        if self.status == "REFUSED" { 3 } else { 0 }
    }
}

/// What gates and promotion said.
pub(crate) struct Verdict {
    gates: Vec<GateLine>,
    decision: String,
    /// Why, in words.
    pub(crate) reason: String,
}

impl Verdict {
    /// Gives FINISHED or REFUSED.
    pub(crate) fn status(&self) -> &'static str {
        if self.decision == "refused" { "REFUSED" } else { "FINISHED" }
    }
}

fn facts(steps: &[Finished], name: &str) -> Value {
    let found = steps.iter().find(|step| step.name == name).and_then(|step| step.record.as_ref());
    found.map_or(Value::Null, |record| record.output.facts.clone())
}

/// Reads from the steps of a whole run how it ended.
pub(crate) fn verdict_of(steps: &[Finished]) -> Verdict {
    let gate_lines = facts(steps, "gate")["gates"].as_array().cloned().unwrap_or_default();
    let gates: Vec<GateLine> = gate_lines
        .iter()
        .map(|line| GateLine {
            name: line["name"].as_str().unwrap_or_default().to_owned(),
            bound: line["bound"].as_str().unwrap_or_default().to_owned(),
            limit: line["limit"].as_f64().unwrap_or(f64::NAN),
            value: line["value"].as_f64().unwrap_or(f64::NAN),
            passed: line["passed"] == json!(true),
            slice: line["slice"].as_str().map(str::to_owned),
        })
        .collect();
    let failed: Vec<String> = gates
        .iter()
        .filter(|gate| !gate.passed)
        .map(|gate| format!("{} {} {}", gate.name, gate.bound, gate.limit))
        .collect();
    let promoted = facts(steps, "promote");
    let (decision, reason) = match promoted["decision"].as_str() {
        Some(decision) => (decision.to_owned(), promoted["reason"].as_str().unwrap_or_default().to_owned()),
        None if facts(steps, "drift")["drift"] == json!(false) && facts(steps, "train").is_null() => {
            ("kept".to_owned(), "the data has not drifted, so that nothing was trained".to_owned())
        }
        None if !failed.is_empty() => ("refused".to_owned(), format!("gate {} said no", failed.join(", "))),
        None => ("kept".to_owned(), "trainyard.yaml has no `promote` section".to_owned()),
    };
    Verdict { gates, decision, reason }
}

pub(crate) fn result_of(context: &Context, steps: &[Finished], seconds: f64) -> Result<RunResult, Failure> {
    let facts = |name: &str| facts(steps, name);
    let (evaluated, compared, promoted, trained) =
        (facts("evaluate"), facts("compare"), facts("promote"), facts("train"));
    let sets = &evaluated["sets"];
    let mut metrics = json!({
        "reference": sets["reference"]["metrics"],
        "baseline": sets["reference"]["baseline"],
        "intervals": sets["reference"]["intervals"],
    });
    for (name, set) in sets.as_object().into_iter().flatten().filter(|(name, _)| *name != "reference") {
        metrics[name] = set.clone();
    }
    let verdict = verdict_of(steps);
    let last_fit = facts(context.last_fit());
    let digest = last_fit["digest"].as_str().unwrap_or_default();
    let candidate = match trained.is_null() {
        true => Value::Null,
        false => json!({
            "digest": digest, "name": trained["chosen"], "estimator": trained["estimator"],
            "metrics": last_fit["metrics"],
        }),
    };
    let measured = compared["comparison"]["outcome"] == json!("measured");
    let incumbent = Some(compared["incumbent"].clone()).filter(|incumbent| !incumbent.is_null());
    let incumbent = incumbent.map(|mut incumbent| {
        // Only a comparison measures both models on the same rows.
        incumbent["metrics"] = if measured { compared["comparison"]["incumbent"].clone() } else { Value::Null };
        incumbent
    });
    let model =
        if promoted["model"].is_null() { same_model(context, digest)? } else { Some(promoted["model"].clone()) };
    let resolved = &context.resolved;
    let reference = steps.iter().find(|step| step.name == "split").and_then(|step| step.record.as_ref());
    let reference = reference.and_then(|record| record.output.artifacts.get("reference"));
    let uses = match reference {
        Some(digest) => context.tracking.reference_uses(resolved.split.version, digest),
        None => Ok(0),
    };
    Ok(RunResult {
        run: context.run.clone(),
        status: verdict.status().to_owned(),
        decision: Some(verdict.decision),
        reason: verdict.reason,
        again: again(context, facts("validate")["as_of"].as_str()),
        seconds,
        versions: [
            ("split".to_owned(), resolved.split.version),
            ("features".to_owned(), resolved.features.version),
            ("model".to_owned(), resolved.model.version),
        ]
        .into(),
        steps: steps.iter().map(line).collect(),
        metrics,
        weighted_by: context.resolved.project.data.weight.as_ref().map(|weight| weight.value.clone()),
        slices: evaluated["slices"].clone(),
        reference_rows: sets["reference"]["rows"].as_u64().unwrap_or_default(),
        reference_uses: uses.map_err(|error| error.diagnostic())?,
        gates: verdict.gates,
        comparison: compared["comparison"].clone(),
        validation: facts("validate"),
        drift: facts("drift"),
        candidate,
        warnings: steps.iter().flat_map(|step| &step.warnings).map(Diagnostic::to_json).collect(),
        model,
        incumbent,
    })
}

fn line(step: &Finished) -> StepLine {
    let headline = step.record.as_ref().map(|record| record.output.headline.clone()).unwrap_or_default();
    StepLine {
        name: step.name.clone(),
        status: step.status,
        seconds: step.seconds,
        subject: headline.0,
        result: headline.1,
    }
}

/// Gives the version behind the alias when it is the very model that this run made.
fn same_model(context: &Context, digest: &str) -> Result<Option<Value>, Failure> {
    let project = &context.resolved.project;
    let Some(promote) = &project.promote else { return Ok(None) };
    let reference = format!("{}@{}", project.model.value, promote.alias.value).parse::<ModelReference>();
    let Ok(reference) = reference else { return Ok(None) };
    let found = context.tracking.find_version(&reference).map_err(|error| Failure::from(error.diagnostic()))?;
    Ok(found.filter(|version| version.digest.to_string() == digest).map(|version| {
        json!({
            "name": version.model, "version": version.version, "stage": version.stage.name(),
            "aliases": version.aliases, "digest": digest,
        })
    }))
}

/// Gives the command that does the same again; with the moment that expectations took for now, where they asked for it.
fn again(context: &Context, as_of: Option<&str>) -> String {
    let resolved = &context.resolved;
    let mut text = "trainyard run".to_owned();
    if context.root != std::path::Path::new(".") {
        text.push_str(&format!(" {}", shell_word(&context.root.display().to_string())));
    }
    text.push_str(&format!(
        " --split {} --features {} --model {}",
        resolved.split.version, resolved.features.version, resolved.model.version
    ));
    if let Some(environment) = &resolved.environment {
        text.push_str(&format!(" --env {environment}"));
    }
    for (key, value) in &resolved.overrides {
        text.push_str(&format!(" --set {}", shell_word(&format!("{key}={}", conceal(value)))));
    }
    if let Some(as_of) = as_of {
        text.push_str(&format!(" --as-of {as_of}"));
    }
    text
}

/// Writes a metric for people: about five digits, of which at most three are decimals.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "–".to_owned(),
        _ if size > 0.0 && size < 0.0005 => format!("{value:.1e}"),
        _ if size < 100.0 => format!("{value:.3}"),
        _ if size < 1000.0 => format!("{value:.2}"),
        _ if size < 10_000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Gives how many decimals it takes to tell two numbers apart: three, or as many more as it takes, up to twelve.
pub(crate) fn decimals_apart(one: f64, other: f64) -> usize {
    (3..12).find(|decimals| format!("{one:.decimals$}") != format!("{other:.decimals$}")).unwrap_or(12)
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_have_the_digits_that_people_read() {
        let told = [0.0, 0.84567, -0.5, 12.3456, 170.249, 2139.761, 47953.69, 1e9, 0.00012, f64::NAN].map(figure);
        let expected = ["0.000", "0.846", "-0.500", "12.346", "170.25", "2139.8", "47954", "1000000000", "1.2e-4", "–"];
        assert_eq!(told, expected);
    }
}
