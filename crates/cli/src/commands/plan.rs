//! `trainyard plan`.

use serde_json::json;
use trainyard_pipeline::{Planned, Request, plan};

use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{Side, counted, table};

pub(super) fn run(request: &Request, printer: Printer) -> Result<u8, Stop> {
    let report = plan(request)?;
    printer.result(
        || json!(report),
        |_| {
            let mut rows = Vec::new();
            for step in &report.steps {
                rows.push(vec![step.name.clone(), action(step), step.reasons.join("; ")]);
                if printer.verbose {
                    let inputs = step.inputs.iter();
                    rows.extend(
                        inputs.map(|(name, value)| vec![String::new(), String::new(), format!("{name}  {value}")]),
                    );
                }
            }
            let cached = report.steps.iter().filter(|step| action(step) == "cached").count();
            let head = format!("{}, {cached} of them cached", counted(report.steps.len(), "step"));
            format!("{head}\n\n{}", table(&[Side::Left; 3], &rows))
        },
    )?;
    Ok(0)
}

/// Names what a step would do, as the document does.
fn action(step: &Planned) -> String {
    json!(step.action).as_str().unwrap_or_default().to_owned()
}
