//! `trainyard models promote`, `rollback`, `archive`, `history`, `as-of` and `audit`.

use serde_json::{Value, json};
use trainyard_diagnostics::Diagnostic;
use trainyard_pipeline::{ByHand, Changed, Request, as_of, audit, promote_version, put_away, registry, roll_back};
use trainyard_tracking::{HistoryEntry, ModelReference, Which};

use super::models::title;
use crate::arguments::Models;
use crate::printer::{Ink, Printer};
use crate::stop::{NOTHING, Stop};
use crate::table::{Side, clean, counted, moment, number, table};

pub(super) fn run(request: &Request, action: &Models, printer: Printer) -> Result<(), Stop> {
    match action {
        Models::Promote { name, to, alias, reason, force } => {
            let reference: ModelReference = name.parse()?;
            let asked = ByHand { reference, stage: *to, alias: alias.clone(), reason: reason.clone(), force: *force };
            changed(promote_version(request, &asked), printer)
        }
        Models::Rollback { name, alias, reason } => {
            changed(roll_back(request, name, alias.as_deref(), reason), printer)
        }
        Models::Archive { name, reason } => changed(put_away(request, &name.parse()?, reason), printer),
        Models::History { name } => history(request, name, printer),
        Models::AsOf { time, name } => stood(request, time.div_euclid(1000), name.as_deref(), printer),
        Models::Audit { expect } => audited(request, expect.as_deref(), printer),
        // The others only look at what is there now.
        Models::List | Models::Show { .. } | Models::Export { .. } => Ok(()),
    }
}

fn changed(outcome: Result<Changed, Vec<Diagnostic>>, printer: Printer) -> Result<(), Stop> {
    // A server that fails, or another who was faster, may have left half of it.
    let may_be_half_done = |problem: &Diagnostic| {
        let code = problem.code.as_str();
        code.starts_with("tracking/server") || matches!(code, "tracking/race-lost" | "tracking/registry-unreachable")
    };
    let Changed { version, warning } = outcome.map_err(|diagnostics| {
        let state = if diagnostics.iter().any(may_be_half_done) { String::new() } else { NOTHING.to_owned() };
        Stop::Problems { diagnostics, state }
    })?;
    printer.warnings(warning.as_slice());
    printer.result(
        || json!(&version),
        |paint| {
            let aliases = match version.aliases.as_slice() {
                [] => String::new(),
                aliases => format!(", {}", aliases.join(", ")),
            };
            format!("{}: {}{aliases}\n", paint.ink(Ink::Strong, &title(&version)), version.stage)
        },
    )
}

fn history(request: &Request, name: &str, printer: Printer) -> Result<(), Stop> {
    let store = registry(request)?;
    let reference: ModelReference = name.parse()?;
    let mut entries = store.history(&reference.model)?;
    // A model that was only refused has a history and no version.
    if entries.is_empty() || reference.which != Which::Default {
        store.version_by(&reference)?;
    }
    // What was altered behind the registry's back is said, not shown as history.
    store.verify_history()?;
    if let Which::Version(version) = reference.which {
        entries.retain(|entry| entry.version == Some(version));
    }
    printer.result(
        || json!({"name": reference.model, "history": entries}),
        |_| {
            let head = ["at", "version", "what", "why", "gates", "who", "run"];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            let dash = || "–".to_owned();
            for entry in &entries {
                rows.push(vec![
                    moment(entry.at_ms),
                    entry.version.map_or_else(dash, |version| format!("v{version}")),
                    what(entry),
                    entry.reason.clone(),
                    gates(&entry.decision),
                    entry.who.clone().unwrap_or_else(dash),
                    entry.run.clone().unwrap_or_else(dash),
                ]);
            }
            let (left, right) = (Side::Left, Side::Right);
            table(&[left, right, left, left, left, left, left], &rows)
        },
    )
}

fn what(entry: &HistoryEntry) -> String {
    let effects = entry.effects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let action = entry.action.name().replace('_', " ");
    if effects.is_empty() { action } else { format!("{action}: {effects}") }
}

/// Counts the gates that passed, and names those that did not.
fn gates(decision: &Value) -> String {
    let Some(gates) = decision["gates"].as_array().filter(|gates| !gates.is_empty()) else { return "–".to_owned() };
    let missed: Vec<String> = gates
        .iter()
        .filter(|gate| gate["passed"] != json!(true))
        .map(|gate| {
            let (name, bound) = (gate["name"].as_str().unwrap_or("?"), gate["bound"].as_str().unwrap_or_default());
            format!("{name} {}, not {bound} {}", number(gate["value"].as_f64()), gate["limit"])
        })
        .collect();
    let passed = format!("{} of {} passed", gates.len() - missed.len(), gates.len());
    if missed.is_empty() { passed } else { format!("{passed}: {}", missed.join("; ")) }
}

fn stood(request: &Request, at_ms: i64, name: Option<&str>, printer: Printer) -> Result<(), Stop> {
    let models = as_of(request, at_ms, name)?;
    printer.result(
        || json!({"at_ms": at_ms, "models": models}),
        |_| {
            let mut rows = vec![["model", "version", "stage", "aliases", "digest"].map(str::to_owned).to_vec()];
            for (model, standing) in &models {
                for (version, held) in standing.versions.iter().rev() {
                    let aliases = standing.aliases.iter().filter(|(_, holder)| *holder == version);
                    rows.push(vec![
                        model.clone(),
                        format!("v{version}"),
                        held.stage.name().to_owned(),
                        aliases.map(|(alias, _)| alias.as_str()).collect::<Vec<_>>().join(", "),
                        held.digest.short(),
                    ]);
                }
            }
            if rows.len() == 1 {
                return format!("No model was registered at {}.\n", moment(at_ms));
            }
            table(&[Side::Left, Side::Right, Side::Left, Side::Left, Side::Left], &rows)
        },
    )
}

fn audited(request: &Request, expect: Option<&str>, printer: Printer) -> Result<(), Stop> {
    let mut report = audit(request, expect)?;
    if !report.problems.is_empty() {
        let diagnostics = std::mem::take(&mut report.problems);
        return Err(Stop::Problems { diagnostics, state: NOTHING.to_owned() });
    }
    printer.result(
        || json!(report),
        |paint| {
            let head = report.head.map_or_else(|| "none: nothing was recorded".to_owned(), |head| head.to_string());
            let mut rows = vec![
                vec!["history".to_owned(), format!("{}, none changed", counted_entries(report.entries))],
                vec!["models".to_owned(), format!("{} as registered", counted(report.whole, "version"))],
            ];
            if !report.foreign.is_empty() {
                let others = report.foreign.join(", ");
                rows.push(vec!["not examined".to_owned(), format!("{} of others", clean(&others))]);
            }
            if !report.clock_went_back.is_empty() {
                let entries: Vec<String> = report.clock_went_back.iter().map(u64::to_string).collect();
                rows.push(vec!["the clock went back".to_owned(), format!("at entry {}", entries.join(", "))]);
            }
            rows.extend(report.expected_at.map(|at| vec!["expected".to_owned(), format!("is entry {at}")]));
            rows.push(vec!["head".to_owned(), head]);
            format!(
                "{}\n{}",
                paint.ink(Ink::Strong, "The registry is what was recorded."),
                table(&[Side::Left; 2], &rows)
            )
        },
    )
}

fn counted_entries(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}
