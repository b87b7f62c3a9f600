//! What each step would do now, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::{Cache, Failure, Graph, Input, Output, Record, Step, key, runner::declared};

/// What a step would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A stored result stands for it.
    Cached,
    /// It runs.
    Run,
    /// It runs if what it needs comes out differently.
    Depends,
    /// It is left out: the stored result of a step before it ends the run.
    Skip,
}

/// One step of a plan.
#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    /// The step.
    pub name: String,
    /// What it would do.
    pub action: Action,
    /// Why, a line each.
    pub reasons: Vec<String>,
    /// Its inputs: name, shortened digest; those known before anything runs.
    pub inputs: Vec<(String, String)>,
}

/// Says of each step whether it would run, without running any.
pub fn plan(graph: &Graph, cache: &Cache) -> Result<Vec<Planned>, Failure> {
    let mut outputs: BTreeMap<String, Arc<Output>> = BTreeMap::new();
    let mut planned = Vec::new();
    // The steps behind one that ends the run, or that may end it once it has run; with its name.
    let mut ended: BTreeMap<&str, &str> = BTreeMap::new();
    let mut unsure: BTreeMap<&str, &str> = BTreeMap::new();
    for step in graph.steps() {
        if let Some(by) = ended.get(step.name()) {
            let reasons = vec![format!("{by} ends the run before it")];
            planned.push(Planned { name: step.name().to_owned(), action: Action::Skip, reasons, inputs: Vec::new() });
            continue;
        }
        // A step that only comes after another reads nothing of it: what it would do is known all the same.
        let reads: BTreeSet<&str> = step.reads().iter().map(|read| read.step).collect();
        let open: Vec<&str> = reads.into_iter().filter(|need| !outputs.contains_key(*need)).collect();
        let inputs = match declared(&**step, &outputs) {
            Ok(inputs) => inputs,
            Err(Failure::Problems(problems)) if step.asks_a_server() => {
                let reasons = problems.into_iter().map(|problem| problem.title).collect();
                let name = step.name().to_owned();
                planned.push(Planned { name, action: Action::Run, reasons, inputs: Vec::new() });
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let (action, mut reasons) = if !step.cacheable() {
            (Action::Run, vec![step.why_not_cacheable().to_owned()])
        } else if !open.is_empty() {
            let changed = match cache.latest(step.name()) {
                Some(latest) => changes(&**step, &latest, &inputs, &open),
                None => vec![unknown(&**step, cache)],
            };
            let waits = vec![format!("it depends on {}", open.join(", "))];
            let settled = changed.is_empty();
            (if settled { Action::Depends } else { Action::Run }, if settled { waits } else { changed })
        } else {
            look_up(&**step, cache, &inputs, &mut outputs)
        };
        if let Some(by) = unsure.get(step.name()) {
            reasons.push(format!("it may be left out: {by} may end the run before it"));
        }
        let behind = graph.needing(step.name()).into_iter().map(|behind| (behind, step.name()));
        match outputs.get(step.name()) {
            Some(output) if step.ends_run(output) => ended.extend(behind),
            None if step.may_end_run() => unsure.extend(behind),
            _ => {}
        }
        let shown = inputs.iter().map(|input| (input.name.clone(), input.digest.short())).collect();
        planned.push(Planned { name: step.name().to_owned(), action, reasons, inputs: shown });
    }
    Ok(planned)
}

fn look_up(
    step: &dyn Step,
    cache: &Cache,
    inputs: &[Input],
    outputs: &mut BTreeMap<String, Arc<Output>>,
) -> (Action, Vec<String>) {
    let key = key(step.name(), &step.code(), inputs);
    if let Some(record) = cache.find(step.name(), &key) {
        let reason = format!("same inputs and code as in run {}", record.run);
        outputs.insert(step.name().to_owned(), Arc::new(record.output));
        return (Action::Cached, vec![reason]);
    }
    if let Some(object) = cache.stored(step.name(), &key).and_then(|record| cache.damaged(&record)) {
        return (Action::Run, vec![format!("its stored result {object} is absent or damaged")]);
    }
    match cache.latest(step.name()) {
        Some(latest) => {
            let mut reasons = changes(step, &latest, inputs, &[]);
            if reasons.is_empty() {
                reasons.push("its stored result is gone".to_owned());
            }
            (Action::Run, reasons)
        }
        None => (Action::Run, vec![unknown(step, cache)]),
    }
}

/// Tells of a step of which no record can be read.
fn unknown(step: &dyn Step, cache: &Cache) -> String {
    let words = if cache.knows(step.name()) { "its stored results can't be read" } else { "it has never run here" };
    words.to_owned()
}

/// Names what differs from the latest record; inputs of `open` steps are not known yet.
fn changes(step: &dyn Step, latest: &Record, inputs: &[Input], open: &[&str]) -> Vec<String> {
    let mut reasons = Vec::new();
    if latest.code != step.code() {
        reasons.push("its code changed".to_owned());
    }
    let before: BTreeMap<&str, _> = latest.inputs.iter().map(|input| (input.name.as_str(), input.digest)).collect();
    let now: BTreeMap<&str, _> = inputs.iter().map(|input| (input.name.as_str(), input.digest)).collect();
    let names: BTreeSet<&str> = before.keys().chain(now.keys()).copied().collect();
    for name in names {
        if open.iter().any(|step| name.strip_prefix(step).is_some_and(|rest| rest.starts_with('.'))) {
            continue;
        }
        match (before.get(name), now.get(name)) {
            (Some(old), Some(new)) if old != new => {
                reasons.push(format!("{name} changed ({} → {})", old.short(), new.short()));
            }
            (None, Some(_)) => reasons.push(format!("{name} is new")),
            (Some(_), None) => reasons.push(format!("{name} is gone")),
            _ => {}
        }
    }
    reasons
}
