//! `trainyard check`.

use serde_json::json;
use trainyard_diagnostics::{Diagnostic, conceal, shell_word};
use trainyard_pipeline::{Request, check};

use super::{is_here, quoted_path};
use crate::printer::{Ink, Printer};
use crate::stop::Stop;
use crate::table::{clean, count, counted};

pub(super) fn run(request: &Request, printer: Printer) -> Result<u8, Stop> {
    let report = check(request)?;
    if !printer.json {
        printer.warnings(&report.warnings);
    }
    let document = || {
        let warnings: Vec<_> = report.warnings.iter().map(Diagnostic::to_json).collect();
        let mut document = json!(report);
        document["warnings"] = json!(warnings);
        document
    };
    printer.result(document, |paint| {
        let warned = if report.warnings.is_empty() {
            String::new()
        } else {
            format!(", {}", counted(report.warnings.len(), "warning"))
        };
        format!(
            "{}   {}: {} over {}, {} rows × {} columns{warned}\n\n  steps     {}\n  next      {}\n",
            paint.ink(Ink::Good, "Sound"),
            clean(&report.project),
            counted(report.steps.len(), "step"),
            clean(&report.source),
            count(report.rows as u64),
            count(report.columns as u64),
            report.steps.join(" → "),
            next(request),
        )
    })?;
    Ok(0)
}

/// Gives the command that runs what was checked.
fn next(request: &Request) -> String {
    let mut command = "trainyard run".to_owned();
    if !is_here(&request.root) {
        command.push_str(&format!(" {}", quoted_path(&request.root)));
    }
    let chosen = request.choose;
    for (flag, version) in [("split", chosen.split), ("features", chosen.features), ("model", chosen.model)] {
        if let Some(version) = version {
            command.push_str(&format!(" --{flag} {version}"));
        }
    }
    if let Some(environment) = &request.environment {
        command.push_str(&format!(" --env {}", shell_word(environment)));
    }
    for (key, value) in &request.overrides {
        command.push_str(&format!(" --set {}", shell_word(&format!("{key}={}", conceal(value)))));
    }
    command
}
