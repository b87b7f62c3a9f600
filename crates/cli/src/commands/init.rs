//! `trainyard init`.

use serde_json::json;
use trainyard_pipeline::init;
use trainyard_spec::Task;

use crate::arguments::Init;
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{clean, count};

fn task(name: &str) -> Option<Task> {
    [Task::Binary, Task::Multiclass, Task::Regression].into_iter().find(|task| task.name() == name)
}

pub(super) fn run(arguments: &Init, printer: Printer) -> Result<u8, Stop> {
    let report = init(&trainyard_pipeline::Init {
        folder: arguments.folder.clone(),
        from: arguments.from.clone(),
        target: arguments.target.clone(),
        key: arguments.key.clone(),
        positive: arguments.positive.clone(),
        task: arguments.task.as_deref().and_then(task),
        drop_missing_target: arguments.drop_missing_target,
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
            text += &row("target", format!("{}: {}, {}", arguments.target, report.task, report.task_reason));
            if let (Some(class), Some(why)) = (&report.positive, &report.positive_reason) {
                let rows = |class: &String| count(report.classes.get(class).copied().unwrap_or(0) as u64);
                let others = report.classes.keys().filter(|other| *other != class);
                let others: String = others.map(|other| format!("; {other:?} has {} rows", rows(other))).collect();
                text += &row("positive", format!("{class:?}, {why}: {} rows{others}", rows(class)));
            }
            if report.positive.is_none() && !report.classes.is_empty() {
                let rows = |(class, rows): (&String, &usize)| format!("{class} ({})", count(*rows as u64));
                text += &row("classes", report.classes.iter().map(rows).collect::<Vec<String>>().join(", "));
            }
            if report.without_target > 0 {
                text += &row("dropped", format!("{} rows without a target", count(report.without_target as u64)));
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
