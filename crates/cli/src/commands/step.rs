//! `trainyard step`.

use serde_json::json;
use trainyard_pipeline::{Request, StepStatus, step};

use super::{engaged, outcome};
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{clean, seconds};

pub(super) fn run(request: &Request, name: &str, run: &str, printer: Printer) -> Result<u8, Stop> {
    let report = engaged(printer, request, |reporter, cancel| step(request, name, run, reporter, cancel))?;
    let document = || {
        json!({
            "run": report.run, "name": report.name, "status": report.status, "seconds": report.seconds,
            "subject": report.subject, "result": report.result, "ended": report.ended,
        })
    };
    printer.result(document, |paint| {
        let how = match report.status {
            StepStatus::Ran => format!("ran in {}", seconds(report.seconds)),
            StepStatus::Cached => "was cached".to_owned(),
            StepStatus::Skipped => "was skipped".to_owned(),
            StepStatus::Failed => "failed".to_owned(),
        };
        let result = clean(format!("{} {}", report.subject, report.result).trim());
        let ended = report.ended.as_ref().map(|ended| format!("\n{}", outcome::text(ended, paint)));
        format!("Step {} of run {} {how}: {result}\n{}", report.name, report.run, ended.unwrap_or_default())
    })?;
    Ok(report.ended.as_ref().map_or(0, trainyard_pipeline::RunResult::exit_code))
}
