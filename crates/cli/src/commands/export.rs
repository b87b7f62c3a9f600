//! `trainyard export`.

use std::path::{Path, PathBuf};

use serde_json::json;
use trainyard_diagnostics::{Diagnostic, Fault, conceal};
use trainyard_files::{Error as FileError, Operation};
use trainyard_pipeline::{Cancel, Failure, Request, export, tracking};
use trainyard_tracking::{ExportError, RunRecord, Tracking, export_mlruns};

use crate::printer::{Ink, Printer};
use crate::signal::{Current, Way, watch};
use crate::stop::{NOTHING, Stop};
use crate::table::{clean, count, counted};

pub(super) fn run(
    request: &Request,
    run: &str,
    bundles: &[PathBuf],
    is_whole: bool,
    printer: Printer,
) -> Result<u8, Stop> {
    let [bundle] = bundles else {
        let title = "one run goes into one bundle, and more than one file was named";
        let diagnostic = Diagnostic::error("command-line/wrong", title).with_fault(Fault::CommandLine);
        return Err(vec![diagnostic.help("export each run by itself, or all into a folder: --to DIR")].into());
    };
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

/// Writes runs into a folder as MLflow's own store of files has them.
pub(super) fn folder(
    request: &Request,
    to: &str,
    first: Option<&str>,
    more: &[PathBuf],
    printer: Printer,
) -> Result<u8, Stop> {
    if to.contains("://") {
        let title = format!("{} is neither a folder nor a server", conceal(to));
        let diagnostic = Diagnostic::error("export/no-folder", title);
        let help = "name a folder that is not there yet, such as mlruns, or a server as http://HOST:PORT";
        return Err(vec![diagnostic.help(help)].into());
    }
    let store = tracking(&request.root)?;
    let mut runs = Vec::new();
    for id in first.into_iter().map(str::to_owned).chain(more.iter().map(|id| id.display().to_string())) {
        let run = store.find_run(&id)?;
        if runs.iter().all(|known: &RunRecord| known.run != run.run) {
            runs.push(run);
        }
    }
    if first.is_none() {
        runs = store.runs(usize::MAX, None)?;
    }
    if runs.is_empty() {
        let diagnostic = Diagnostic::error("export/no-run", "there is no run to export");
        return Err(vec![diagnostic.help("`trainyard run` makes one")].into());
    }
    let folder = whole(Path::new(to))?;
    let cancel = Cancel::default();
    watch(&cancel, &Current::new(Way::resume(String::new())), printer)?;
    let done = export_mlruns(&store, &*request.io, &folder, &runs, &|| cancel.is_cancelled());
    let done = done.map_err(|error: ExportError| match error.diagnostic(to) {
        Some(diagnostic) => Stop::from(vec![diagnostic]),
        None => Stop::Interrupted { way: None },
    })?;
    printer.result(
        || {
            let mut document = json!(done);
            document["folder"] = json!(folder.display().to_string());
            document
        },
        |paint| {
            let shown = paint.ink(Ink::Strong, &clean(to));
            let head =
                format!("{shown} holds {} of {}", counted(done.runs, "run"), counted(done.experiments, "experiment"));
            let files = format!("{} in {} bytes", counted(done.artifacts, "artifact"), count(done.bytes));
            let models = format!("{} in {}", counted(done.versions, "version"), counted(done.models, "model"));
            let mut text = format!("{head}\n\n  files     {files}\n  registry  {models}\n");
            if done.cut > 0 {
                let values = counted(done.cut, "value");
                text.push_str(&format!(
                    "  cut       {values} longer than MLflow keeps; the tag trainyard.cut names them\n"
                ));
            }
            let uri = folder.display();
            text.push_str(&format!("  open      MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {uri}\n"));
            text
        },
    )?;
    Ok(0)
}

/// Gives the whole path of a folder that may not be there: MLflow's addresses name artifacts by it.
fn whole(folder: &Path) -> Result<PathBuf, Stop> {
    let absolute = std::path::absolute(folder).map_err(|error| FileError::io(Operation::Open, folder, error))?;
    let parent = absolute.parent().and_then(|parent| parent.canonicalize().ok());
    Ok(match (parent, absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    })
}
