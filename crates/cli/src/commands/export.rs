//! `trainyard export`.

use std::path::Path;

use serde_json::json;
use trainyard_pipeline::{Failure, Request, export};

use crate::printer::{Ink, Printer};
use crate::stop::{NOTHING, Stop};
use crate::table::{clean, count, counted};

pub(super) fn run(request: &Request, run: &str, bundle: &Path, is_whole: bool, printer: Printer) -> Result<u8, Stop> {
    let report = export(request, run, bundle, is_whole).map_err(|failure| match failure {
        Failure::Problems(diagnostics) => Stop::Problems { diagnostics, state: NOTHING.to_owned() },
        Failure::Interrupted { .. } => Stop::Interrupted { way: None },
    })?;
    printer.result(
        || json!(report),
        |paint| {
            let shown = clean(&report.bundle);
            let head = format!("{} holds run {} ({})", paint.ink(Ink::Strong, &shown), report.run, report.status);
            let size = format!("{} in {} bytes", counted(report.members, "file"), count(report.bytes));
            let data = match &report.because {
                None => "the source itself".to_owned(),
                Some(because) => format!("the ingested table in place of the source: {because}"),
            };
            let mut text = format!("{head}: {size}\n\n  data      {data}\n  digest    {}\n", report.digest);
            for (engine, digest) in &report.engines {
                let short = digest.get(..12).unwrap_or(digest);
                text.push_str(&format!("  engine    {engine} {short}…, whose library is not part of it\n"));
            }
            text.push_str(&format!("  again     trainyard verify {}\n", super::quoted_path(bundle)));
            text
        },
    )?;
    Ok(0)
}
