//! `trainyard check`.

use serde_json::json;
use trainyard_diagnostics::Diagnostic;
use trainyard_pipeline::{Request, check};

use crate::printer::{Ink, Printer};
use crate::stop::Stop;
use crate::table::{clean, counted};

pub(super) fn run(request: &Request, printer: Printer) -> Result<u8, Stop> {
    let report = check(request)?;
    if !printer.json {
        printer.warnings(&report.warnings);
    }
    let document = || {
        let warnings: Vec<_> = report.warnings.iter().map(Diagnostic::to_json).collect();
        json!({"project": report.project, "source": report.source, "steps": report.steps, "warnings": warnings})
    };
    printer.result(document, |paint| {
        let warned = if report.warnings.is_empty() {
            String::new()
        } else {
            format!(", {}", counted(report.warnings.len(), "warning"))
        };
        format!(
            "{}   {}: {} over {}{warned}\n\n  steps     {}\n  next      trainyard run\n",
            paint.ink(Ink::Good, "Sound"),
            clean(&report.project),
            counted(report.steps.len(), "step"),
            clean(&report.source),
            report.steps.join(" → "),
        )
    })?;
    Ok(0)
}
