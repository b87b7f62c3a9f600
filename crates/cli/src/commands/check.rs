//! `trainyard check`.

use std::path::Path;

use serde_json::json;
use trainyard_diagnostics::Diagnostic;
use trainyard_pipeline::{Request, check};

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
            "{}   {}: {} over {}, {} rows × {} columns{warned}\n\n  steps     {}\n  next      trainyard run{}\n",
            paint.ink(Ink::Good, "Sound"),
            clean(&report.project),
            counted(report.steps.len(), "step"),
            clean(&report.source),
            count(report.rows as u64),
            count(report.columns as u64),
            report.steps.join(" → "),
            if request.root == Path::new(".") { String::new() } else { format!(" {}", super::quoted(&request.root)) },
        )
    })?;
    Ok(0)
}
