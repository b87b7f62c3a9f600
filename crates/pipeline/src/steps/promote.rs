//! Registers the candidate and moves alias and stage, when gates and comparison say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use trainyard_files::Digest;
use trainyard_model::{Comparison, Decision, Reason, Rules, decide};
use trainyard_tracking::{NewVersion, Promotion};

use super::context::{Context, json as parse};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};

pub(crate) struct Promote(pub(crate) Arc<Context>);

impl Step for Promote {
    fn name(&self) -> &'static str {
        "promote"
    }

    fn reads(&self) -> Vec<Read> {
        let mut reads = vec![Read::new("compare", "comparison")];
        if !self.0.resolved.project.gates.is_empty() {
            reads.push(Read::new("gate", "gates"));
        }
        reads
    }

    fn code(&self) -> Digest {
        code::digest("promote", &["model", "tracking"])
    }

    fn inputs(&self) -> Result<Vec<Input>, Failure> {
        Ok(vec![self.0.section("promote")])
    }

    fn cacheable(&self) -> bool {
        false
    }

    fn redone_with(&self) -> &'static [&'static str] {
        // The registry's head may have moved since the comparison.
        &["compare"]
    }

    fn logs_first(&self) -> bool {
        false
    }

    fn computes(&self) -> bool {
        false
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let project = &self.0.resolved.project;
        let Some(promote) = &project.promote else { return Ok(Output::default()) };
        let comparison: Comparison = parse(&scope.read("compare", "comparison")?)?;
        let failed = match project.gates.is_empty() {
            true => Vec::new(),
            false => failed_gates(&parse(&scope.read("gate", "gates")?)?),
        };
        let verdict = decide(&Rules::of(promote), &failed, &comparison);
        let reason = words(&verdict.reason);
        let digest = scope.output("compare").and_then(|output| output.facts["digest"].as_str()?.parse::<Digest>().ok());
        let head = scope.output("compare").and_then(|output| output.facts["head"].as_str()?.parse::<Digest>().ok());
        let mut outcome = json!(verdict.decision).as_str().unwrap_or_default().to_owned();
        let mut model = Value::Null;
        if let (Decision::Promoted, Some(digest)) = (verdict.decision, digest) {
            let rows = ["train", "validation", "reference"].map(|set| {
                let rows = scope.output("split").and_then(|output| output.facts[set].as_u64());
                (set.to_owned(), rows.unwrap_or_default())
            });
            scope.log()?;
            let promoted = self.0.tracking.promote(&Promotion {
                model: project.model.value.clone(),
                version: NewVersion {
                    run: self.0.run.clone(),
                    digest,
                    artifact_path: "model".to_owned(),
                    rows: BTreeMap::from(rows),
                    who: (self.0.who)(),
                    created_ms: (self.0.now_ms)(),
                },
                stage: promote.to,
                alias: promote.alias.value.clone(),
                reason: reason.clone(),
                decision: json!(verdict),
                expected_head: head,
            });
            let version = promoted.map_err(|error| error.diagnostic())?.version;
            outcome = format!("{outcome}: v{} → {}", version.version, version.stage.name());
            model = json!({
                "name": version.model, "version": version.version, "stage": version.stage.name(),
                "aliases": version.aliases, "digest": version.digest.to_string(),
            });
        }
        let decision = json!(verdict.decision);
        let decision = decision.as_str().unwrap_or_default().to_owned();
        let mut output = Output {
            facts: json!({ "decision": decision, "reason": reason, "verdict": verdict, "model": model }),
            headline: (project.model.value.clone(), outcome),
            ..Output::default()
        };
        output.logged.tags.insert("decision".to_owned(), decision);
        Ok(output)
    }
}

/// Names the gates that said no.
pub(crate) fn failed_gates(judged: &Value) -> Vec<String> {
    let lines = judged.as_array().into_iter().flatten();
    lines
        .filter(|line| line["passed"] == json!(false))
        .filter_map(|line| Some(line["gate"].as_str()?.to_owned()))
        .collect()
}

/// Says a reason in a user's words.
pub(crate) fn words(reason: &Reason) -> String {
    match reason {
        Reason::NoIncumbent => "there was no model in its place".to_owned(),
        Reason::Better { metric, by } => format!("{metric} {by:+.3}"),
        Reason::NotWorse => "no metric lost more than it may".to_owned(),
        Reason::NotBetter { metric, by } => format!("{metric} {by:+.3} is not better"),
        Reason::NotSignificant { metric, by, p_value, limit } => {
            format!("{metric} {by:+.3} may be chance (p = {p_value:.3}, limit {limit})")
        }
        Reason::SameModel => "it is the model already in its place".to_owned(),
        Reason::TooFewRows { rows, .. } => format!("only {rows} reference rows are new to the model in its place"),
        Reason::SeenUnknown { missing } => {
            format!("the rows that the model in its place has seen can't be told without {}", missing.join(", "))
        }
        Reason::OtherTarget { incumbent, .. } => format!("the model in its place predicts {incumbent}"),
        Reason::IncumbentFails { error } => format!("the model in its place cannot run: {error}"),
        Reason::NoValue { metric } => format!("{metric} is undefined"),
        Reason::Gates { failed } => format!("gate {} said no", failed.join(", ")),
        Reason::Lost { losses } => {
            let lost =
                losses.iter().map(|loss| format!("{} lost {:.3}, may lose {}", loss.metric, loss.lost, loss.limit));
            lost.collect::<Vec<_>>().join("; ")
        }
    }
}
