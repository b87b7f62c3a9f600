//! Registers the candidate and moves alias and stage, when gates and comparison say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use trainyard_diagnostics::Diagnostic;
use trainyard_files::Digest;
use trainyard_model::{Comparison, Decision, Reason, Rules, Verdict, decide};
use trainyard_spec::Resolved;
use trainyard_tracking::{Action, Change, HistoryEntry, Meanwhile, ModelReference, NewVersion, Promotion};

use super::context::{Context, json as parse};
use crate::code;
use crate::engine::{Failure, Input, Output, Read, Scope, Step};
use crate::report::decimals_apart;

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

    fn warnings(&self, output: &Output) -> Vec<Diagnostic> {
        let meanwhile = Meanwhile::deserialize(&output.facts["meanwhile"]).ok();
        meanwhile.iter().map(Meanwhile::diagnostic).collect()
    }

    fn run(&self, scope: &Scope) -> Result<Output, Failure> {
        let project = &self.0.resolved.project;
        let Some(promote) = &project.promote else { return Ok(Output::default()) };
        let comparison: Comparison = parse(&scope.read("compare", "comparison")?)?;
        let failed = match project.gates.is_empty() {
            true => Vec::new(),
            false => failed_gates(&parse(&scope.read("gate", "gates")?)?),
        };
        let mut verdict = decide(&Rules::of(promote), &failed, &comparison);
        let mut reason = words(&verdict.reason);
        if verdict.decision == Decision::Kept && matches!(verdict.reason, Reason::SameModel) && self.is_begun()? {
            verdict.decision = Decision::Promoted;
            reason = "the promotion that broke off".to_owned();
        }
        let digest = scope.output("compare").and_then(|output| output.facts["digest"].as_str()?.parse::<Digest>().ok());
        let head = scope.output("compare").and_then(|output| output.facts["head"].as_str()?.parse::<Digest>().ok());
        let change = self.change(scope, &verdict, &reason, &comparison);
        let mut outcome = json!(verdict.decision).as_str().unwrap_or_default().to_owned();
        let mut model = Value::Null;
        let kept_back = match verdict.decision {
            Decision::Promoted => None,
            Decision::Kept => Some(Action::Kept),
            Decision::Refused => Some(Action::Refused),
        };
        if let Some(action) = kept_back {
            let recorded = self.0.tracking.record_decision(&project.model.value, action, &change);
            recorded.map_err(|error| error.diagnostic())?;
        }
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
                    who: change.who,
                    created_ms: change.at_ms,
                },
                stage: promote.to,
                alias: promote.alias.value.clone(),
                reason: reason.clone(),
                decision: change.decision,
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
        if let Some(meanwhile) = self.0.tracking.take_meanwhile() {
            output.facts["meanwhile"] = json!(meanwhile);
        }
        output.logged.tags.insert("decision".to_owned(), decision);
        Ok(output)
    }
}

impl Promote {
    /// Describes the decision for the history: what decided, and by which policy.
    fn change(&self, scope: &Scope, verdict: &Verdict, reason: &str, comparison: &Comparison) -> Change {
        let fact = |step: &'static str, name: &str| scope.output(step).map(|output| output.facts[name].clone());
        let document = self.0.document();
        let mut decision = json!(verdict);
        decision["gates"] = json!(fact("gate", "gates").unwrap_or_else(|| json!([])));
        decision["comparison"] = json!(comparison);
        decision["candidate"] = json!(fact("compare", "digest"));
        decision["incumbent"] = json!(fact("compare", "incumbent"));
        let reference = scope.output("split").and_then(|output| output.artifacts.get("reference"));
        decision["reference"] = json!(reference.map(ToString::to_string));
        decision["policy"] = json!({
            "promote": Resolved::section_of(document, "promote"), "gates": Resolved::section_of(document, "gates"),
        });
        Change {
            at_ms: (self.0.now_ms)(),
            who: (self.0.who)(),
            run: Some(self.0.run.clone()),
            reason: reason.to_owned(),
            decision,
        }
    }
}

impl Promote {
    /// Says whether a promotion by this very run broke off on a server when it had put the model into its place.
    fn is_begun(&self) -> Result<bool, Failure> {
        let project = &self.0.resolved.project;
        let Some(promote) = project.promote.as_ref().filter(|_| self.0.asks_a_registry()) else { return Ok(false) };
        let reference = ModelReference::alias(&project.model.value, &promote.alias.value);
        let told = |error: trainyard_tracking::Error| error.diagnostic();
        let holder = self.0.tracking.find_version(&reference).map_err(told)?;
        if holder.is_none_or(|holder| holder.run != self.0.run) {
            return Ok(false);
        }
        let history = self.0.tracking.history(&project.model.value).map_err(told)?;
        let is_done = |entry: &HistoryEntry| {
            entry.action == Action::Promoted && entry.run.as_deref() == Some(self.0.run.as_str())
        };
        Ok(!history.iter().any(is_done))
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
        Reason::SmallGain { metric, by, minimum } => {
            let decimals = decimals_apart(*by, *minimum);
            format!("{metric} {by:+.decimals$} is less than the {minimum} asked for")
        }
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
