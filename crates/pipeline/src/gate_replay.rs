//! Decisions of the past, judged again by another policy.
//!
//! Each decision is taken by itself, against the model that stood there then: what another one would have led to is not
//! followed. The history and the run's record say what was measured; what they do not say is computed from stored
//! objects by the code that a run uses. *Never*: trains, asks a server, writes.

mod evidence;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;
use trainyard_diagnostics::{Diagnostic, nearest};
use trainyard_model::{Comparison, Decision, Rules, Verdict, decide};
use trainyard_spec::{Policy, Resolved};
use trainyard_tracking::{Action, Error, HistoryEntry, Standing, Tracking};

use crate::project::Request;
use crate::report::GateLine;
use crate::stores::Stores;
use evidence::Evidence;

/// A decision of a run, and what it would have been.
#[derive(Debug, Clone, Serialize)]
pub struct Rejudged {
    /// The place of the decision in the history.
    pub sequence: u64,
    /// When it fell, in milliseconds since 1970.
    pub at_ms: i64,
    /// Where the registry is: empty for the project's own, else the address of a server.
    pub registry: String,
    /// The registered model.
    pub model: String,
    /// The run.
    pub run: String,
    /// The version that the run made, where it was promoted.
    pub version: Option<u32>,
    /// What was decided.
    pub then: Decision,
    /// What the policy decides; null where that can't be told.
    pub now: Option<Decision>,
    /// Whether that is known and something else.
    pub changed: bool,
    /// Why, in words.
    pub why: String,
    /// The gates of the policy that could be judged.
    pub gates: Vec<GateLine>,
    /// The comparison that the policy rests on; null where gates alone decide, and where that can't be told.
    pub comparison: Option<Comparison>,
    /// The verdict; null where it can't be told.
    pub verdict: Option<Verdict>,
    /// What was computed anew, since it was not recorded: `metrics`, `slices`, `comparison`.
    pub computed: Vec<&'static str>,
}

/// What a policy would have changed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GateReplay {
    /// Every decision of a run, the oldest first.
    pub decisions: Vec<Rejudged>,
    /// How many would have been others.
    pub changed: usize,
    /// Of how many that can't be told.
    pub unknown: usize,
    /// How many changes were made by hand: no policy decides those.
    pub by_hand: usize,
}

/// Why a decision can't be judged again, in words.
type Unknown = String;

/// How the judging of one decision ended.
enum Judged {
    Known(Box<Verdict>, Option<Comparison>),
    Unknown(Unknown),
}

/// Judges the decisions of runs in the history again: of one model or of all, and from a moment on, in milliseconds since
/// 1970.
///
/// # Errors
/// No project, a history that was altered, a model that it does not know, and a policy that fits none of the runs.
pub fn replay_gates(
    request: &Request,
    policy: &Policy,
    model: Option<&str>,
    since_ms: Option<i64>,
) -> Result<GateReplay, Vec<Diagnostic>> {
    let told = |error: Error| vec![error.diagnostic()];
    // Whoever is in no project is told so.
    crate::look::tracking(&request.root)?;
    let stores = Stores::look(&request.io, &request.root)?;
    stores.tracking.verify_history().map_err(told)?;
    let chain = stores.tracking.chain().map_err(told)?;
    if let Some(asked) = model.filter(|asked| chain.iter().all(|entry| entry.model != *asked)) {
        return Err(told(unknown_model(asked, &chain)));
    }
    let is_asked = |entry: &HistoryEntry| {
        model.is_none_or(|model| entry.model == model) && since_ms.is_none_or(|since| entry.at_ms >= since)
    };
    let judged = request.on_threads(|| {
        let mut found = GateReplay::default();
        let mut misfit = Misfit::default();
        let mut standings: BTreeMap<(&str, &str), Standing> = BTreeMap::new();
        for entry in &chain {
            let standing = standings.entry((&entry.registry, &entry.model)).or_default();
            if is_asked(entry) {
                match (decided(entry), &entry.run) {
                    (Some(then), Some(run)) => {
                        let evidence = Evidence::new(&stores, entry, run, standing);
                        found.decisions.push(judge(&evidence, policy, then, &mut misfit));
                    }
                    _ if is_by_hand(entry) => found.by_hand += 1,
                    _ => {}
                }
            }
            standing.replay(&entry.effects);
        }
        if let Some(problems) = misfit.problems.filter(|_| misfit.runs == found.decisions.len()) {
            return Err(problems);
        }
        found.changed = found.decisions.iter().filter(|one| one.changed).count();
        found.unknown = found.decisions.iter().filter(|one| one.now.is_none()).count();
        Ok(found)
    });
    judged.map_err(|problem| vec![problem])?
}

/// The runs that the policy does not fit, and what is wrong with it for the first of them.
#[derive(Default)]
struct Misfit {
    runs: usize,
    problems: Option<Vec<Diagnostic>>,
}

fn unknown_model(asked: &str, chain: &[HistoryEntry]) -> Error {
    let mut known: Vec<String> = chain.iter().map(|entry| entry.model.clone()).collect();
    known.sort_unstable();
    known.dedup();
    let nearest = nearest(asked, known.iter().map(String::as_str)).map(str::to_owned);
    Error::UnknownModel { asked: asked.to_owned(), nearest, known }
}

/// Gives what a run decided; none where no run did.
fn decided(entry: &HistoryEntry) -> Option<Decision> {
    match (entry.action, &entry.run) {
        (Action::Promoted, Some(_)) => Some(Decision::Promoted),
        (Action::Kept, Some(_)) => Some(Decision::Kept),
        (Action::Refused, Some(_)) => Some(Decision::Refused),
        _ => None,
    }
}

fn is_by_hand(entry: &HistoryEntry) -> bool {
    use Action::{Aliased, Archived, Promoted, Registered, RolledBack, Transitioned};
    let is_change = matches!(entry.action, Promoted | Registered | Transitioned | Aliased | RolledBack | Archived);
    is_change && entry.run.is_none()
}

fn judge(evidence: &Evidence<'_>, policy: &Policy, then: Decision, misfit: &mut Misfit) -> Rejudged {
    let entry = evidence.entry;
    let mut gates = Vec::new();
    let judged = match configured(evidence, policy, misfit) {
        Ok((before, now)) => verdict(evidence, &before, &now, &mut gates),
        Err(why) => Judged::Unknown(why),
    };
    let (verdict, comparison, why) = match judged {
        Judged::Known(verdict, comparison) => {
            let why = words::why(entry, &gates, &verdict);
            (Some(*verdict), comparison, why)
        }
        Judged::Unknown(why) => (None, None, why),
    };
    let now = verdict.as_ref().map(|verdict| verdict.decision);
    Rejudged {
        sequence: entry.sequence,
        at_ms: entry.at_ms,
        registry: entry.registry.clone(),
        model: entry.model.clone(),
        run: evidence.run.to_owned(),
        version: entry.version,
        then,
        now,
        changed: now.is_some_and(|now| now != then),
        why,
        gates,
        comparison,
        verdict,
        computed: evidence.computed(),
    }
}

/// Gives the configuration of a run as it was, and with the policy in its place.
fn configured(evidence: &Evidence<'_>, policy: &Policy, misfit: &mut Misfit) -> Result<(Resolved, Resolved), Unknown> {
    let before = evidence.configuration()?;
    match policy.over(&before) {
        Ok(now) => Ok((before, now)),
        Err(problems) => {
            let why = problems.iter().map(|problem| problem.title.clone()).next().unwrap_or_default();
            // What a run was cut into is no part of a policy.
            if problems.iter().any(|problem| problem.code != "spec/worst-slice-without-slices") {
                misfit.runs += 1;
                misfit.problems.get_or_insert_with(|| problems.into_vec());
            }
            Err(why)
        }
    }
}

/// Judges gates, then the comparison where that still matters.
fn verdict(evidence: &Evidence<'_>, before: &Resolved, now: &Resolved, gates: &mut Vec<GateLine>) -> Judged {
    let (Some(then), Some(promote)) = (&before.project.promote, &now.project.promote) else {
        return Judged::Unknown("its configuration has no `promote`".to_owned());
    };
    let rules = Rules::of(promote);
    let mut failed = Vec::new();
    let mut open = None;
    for gate in &now.project.gates {
        match evidence.value(gate, now) {
            Ok((value, slice)) => {
                let passed = gate.passes(value);
                if !passed {
                    failed.push(gate.words());
                }
                let (name, bound) = (gate.name(), gate.bound.sign().to_owned());
                gates.push(GateLine { name, bound, limit: gate.limit.value, value, passed, slice });
            }
            Err(why) => open = open.or(Some(why)),
        }
    }
    // One that says no is enough, whatever the others would have said.
    if !failed.is_empty() {
        return Judged::Known(Box::new(decide(&rules, &failed, &Comparison::NoIncumbent)), None);
    }
    if let Some(why) = open {
        return Judged::Unknown(why);
    }
    match evidence.comparison(now, &rules, &then.alias.value, &promote.alias.value) {
        Ok(comparison) => Judged::Known(Box::new(decide(&rules, &[], &comparison)), Some(comparison)),
        Err(why) => Judged::Unknown(why),
    }
}
