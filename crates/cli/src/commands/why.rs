//! `trainyard why`.

use serde_json::json;
use trainyard_pipeline::{Request, why};

use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::clean;

pub(super) fn run(request: &Request, step: &str, printer: Printer) -> Result<u8, Stop> {
    let report = why(request, step)?;
    let document = || json!({"step": report.step, "action": report.action, "reasons": report.reasons});
    printer.result(document, |_| {
        let what = match json!(report.action).as_str().unwrap_or_default() {
            "cached" => "is cached and would not run".to_owned(),
            "run" => "would run".to_owned(),
            "depends" => "runs if what it needs changes".to_owned(),
            "skip" => "would be left out".to_owned(),
            other => other.to_owned(),
        };
        let reasons = report.reasons.iter().map(|reason| format!("  {}\n", clean(reason)));
        format!("{} {what}\n\n{}", report.step, reasons.collect::<String>())
    })?;
    Ok(0)
}
