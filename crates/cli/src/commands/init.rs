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
        missing: arguments.missing.clone(),
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
            text += &row("target", format!("{}: {}", arguments.target, report.task));
            if let (Some(class), Some(why)) = (&report.positive, &report.positive_reason) {
                let rows = |class: &String| count(report.classes.get(class).copied().unwrap_or(0) as u64);
                let others = report.classes.keys().filter(|other| *other != class);
                let others: String = others.map(|other| format!("; {other:?} has {} rows", rows(other))).collect();
                text += &row("positive", format!("{class:?}, {why}: {} rows{others}", rows(class)));
            }
            text += &row(
                "key",
                match (&report.key, &report.key_reason) {
                    (Some(key), Some(why)) => format!("{key}, {why}"),
                    _ => "none: whole rows tell rows apart".to_owned(),
                },
            );
            for missing in &report.missing {
                let why = missing.why();
                text += &row("missing", format!("{:?} counts as missing in every column: {why}", missing.cell));
            }
            for (column, reason) in &report.left_out {
                text += &row("left out", format!("{column}: {reason}"));
            }
            text + &row("next", format!("trainyard run {}", report.folder))
        },
    )?;
    Ok(0)
}
