//! Why a decision falls as it does now, beside what it was.

use serde_json::{Value, json};
use trainyard_model::{Reason, Verdict};
use trainyard_tracking::HistoryEntry;

use crate::report::{GateLine, decimals_apart};
use crate::steps::words;

/// Says why: which gates say no, or no longer do, and else what the comparison says.
pub(super) fn why(entry: &HistoryEntry, gates: &[GateLine], verdict: &Verdict) -> String {
    if let Reason::Gates { .. } = verdict.reason {
        let missed: Vec<String> = gates.iter().filter(|gate| !gate.passed).map(|gate| told(gate, "not ")).collect();
        return missed.join("; ");
    }
    let mut parts: Vec<String> = failed_then(entry).map(|line| freed(line, gates)).collect();
    parts.push(words(&verdict.reason));
    parts.join("; ")
}

/// Says why a gate that said no does so no longer.
fn freed(line: &Value, gates: &[GateLine]) -> String {
    let name = line["name"].as_str().unwrap_or("?");
    match gates.iter().find(|gate| gate.name == name && json!(gate.bound) == line["bound"]) {
        Some(gate) => told(gate, ""),
        None => format!("no gate on {name}"),
    }
}

/// Writes a value beside its limit, with as many decimals as it takes to tell them apart.
fn told(gate: &GateLine, not: &str) -> String {
    let GateLine { name, bound, limit, value, slice, .. } = gate;
    let name = slice.as_ref().map_or_else(|| name.clone(), |slice| format!("{name} ({slice})"));
    if !value.is_finite() {
        return format!("{name} has no value, {not}{bound} {limit}");
    }
    let decimals = decimals_apart(*value, *limit);
    format!("{name} {value:.decimals$}, {not}{bound} {limit}")
}

fn failed_then(entry: &HistoryEntry) -> impl Iterator<Item = &Value> {
    let lines = entry.decision["gates"].as_array().into_iter().flatten();
    lines.filter(|line| line["passed"] == json!(false))
}
