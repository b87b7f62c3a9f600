//! `trainyard init`.

use serde_json::json;
use trainyard_pipeline::init;

use crate::arguments::Init;
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{clean, count};

pub(super) fn run(arguments: &Init, printer: Printer) -> Result<u8, Stop> {
    let report = init(&trainyard_pipeline::Init {
        folder: arguments.folder.clone(),
        from: arguments.from.clone(),
        target: arguments.target.clone(),
        key: arguments.key.clone(),
        positive: arguments.positive.clone(),
        name: arguments.name.clone(),
    })?;
    printer.result(
        || json!(report),
        |_| {
            let row = |name: &str, text: String| format!("  {name:<10}{}\n", clean(&text));
            let mut text = format!("Project {} is ready\n\n", clean(&report.folder));
            text += &report.files.iter().map(|file| format!("  {}\n", clean(file))).collect::<String>();
            text += "\n";
            text +=
                &row("data", format!("{} rows × {} columns", count(report.rows as u64), count(report.columns as u64)));
            let positive = report.positive.as_ref().map(|label| format!(" is {label:?}")).unwrap_or_default();
            text += &row("target", format!("{}{positive}: {}", arguments.target, report.task));
            text += &row("key", report.key.clone().unwrap_or_else(|| "none: whole rows tell rows apart".to_owned()));
            for (column, reason) in &report.left_out {
                text += &row("left out", format!("{column}: {reason}"));
            }
            text + &row("next", format!("trainyard run {}", report.folder))
        },
    )?;
    Ok(0)
}
