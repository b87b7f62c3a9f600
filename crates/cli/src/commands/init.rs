//! `trainyard init`.

use serde_json::json;
use trainyard_pipeline::init;

use crate::arguments::Init;
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::clean;

pub(super) fn run(arguments: &Init, printer: Printer) -> Result<u8, Stop> {
    let report = init(&trainyard_pipeline::Init {
        folder: arguments.folder.clone(),
        from: arguments.from.clone(),
        target: arguments.target.clone(),
        key: arguments.key.clone(),
        positive: arguments.positive.clone(),
        name: arguments.name.clone(),
    })?;
    let folder = arguments.folder.display().to_string();
    printer.result(
        || json!({"folder": folder, "files": report.files}),
        |_| {
            let files: String = report.files.iter().map(|file| format!("  {}\n", clean(file))).collect();
            format!("Project {} is ready\n\n{files}\n  next   trainyard run {}\n", clean(&folder), clean(&folder))
        },
    )?;
    Ok(0)
}
