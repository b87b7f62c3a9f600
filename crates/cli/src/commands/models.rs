//! `trainyard models`.

use std::path::Path;

use serde_json::json;
use trainyard_diagnostics::Diagnostic;
use trainyard_files::{DiskIo, Io, write_atomic};
use trainyard_pipeline::{Request, registry};
use trainyard_tracking::{ModelReference, VersionRecord, Which};

use super::{in_project, registry as changes};
use crate::arguments::Models;
use crate::printer::{Ink, Printer};
use crate::stop::Stop;
use crate::table::{Side, clean, count, counted, moment, table};

pub(super) fn run(request: &Request, action: &Models, printer: Printer) -> Result<u8, Stop> {
    match action {
        Models::List => list(request, printer),
        Models::Show { name } => show(request, name, printer),
        Models::Export { name, output } => export(request, name, output, printer),
        Models::Promote { .. }
        | Models::Rollback { .. }
        | Models::Archive { .. }
        | Models::History { .. }
        | Models::AsOf { .. }
        | Models::Audit { .. } => changes::run(request, action, printer),
    }?;
    Ok(0)
}

fn list(request: &Request, printer: Printer) -> Result<(), Stop> {
    let models = registry(request)?.models()?;
    printer.result(
        || json!({"models": models}),
        |_| {
            if models.is_empty() {
                let place = in_project(&request.root);
                return format!("There are no models yet. A run whose gates pass makes one: trainyard run{place}\n");
            }
            let mut rows = vec![["model", "latest", "aliases", "since"].map(str::to_owned).to_vec()];
            for model in &models {
                let aliases = model.aliases.iter().map(|(alias, version)| format!("{alias} → v{version}"));
                let aliases = aliases.collect::<Vec<_>>().join(", ");
                rows.push(vec![model.name.clone(), format!("v{}", model.latest), aliases, moment(model.created_ms)]);
            }
            table(&[Side::Left, Side::Right, Side::Left, Side::Left], &rows)
        },
    )
}

fn show(request: &Request, name: &str, printer: Printer) -> Result<(), Stop> {
    let store = registry(request)?;
    let reference: ModelReference = name.parse()?;
    // The default version stands for the model, so that an unknown name is refused with the known ones.
    let chosen = store.version_by(&reference)?;
    if reference.which != Which::Default {
        return printer.result(|| json!(chosen), |paint| version(&chosen, &paint.ink(Ink::Strong, &title(&chosen))));
    }
    let versions = store.versions(&reference.model)?;
    printer.result(
        || json!({"name": reference.model, "default": chosen.version, "versions": versions}),
        |paint| {
            let mut rows = vec![["version", "stage", "aliases", "run", "made", "digest"].map(str::to_owned).to_vec()];
            for one in &versions {
                rows.push(vec![
                    format!("v{}", one.version),
                    one.stage.name().to_owned(),
                    one.aliases.join(", "),
                    one.run.clone(),
                    moment(one.created_ms),
                    one.digest.short(),
                ]);
            }
            let sides = [Side::Right, Side::Left, Side::Left, Side::Left, Side::Left, Side::Left];
            format!("{}\n{}", paint.ink(Ink::Strong, &clean(&reference.model)), table(&sides, &rows))
        },
    )
}

pub(super) fn title(version: &VersionRecord) -> String {
    clean(&format!("{} v{}", version.model, version.version))
}

fn version(version: &VersionRecord, title: &str) -> String {
    let mut rows = vec![
        vec!["stage".to_owned(), version.stage.name().to_owned()],
        vec!["aliases".to_owned(), version.aliases.join(", ")],
        vec!["run".to_owned(), version.run.clone()],
        vec!["made".to_owned(), moment(version.created_ms)],
        vec!["digest".to_owned(), version.digest.to_string()],
    ];
    rows.extend(version.rows.iter().map(|(name, rows)| vec![format!("{name} rows"), count(*rows)]));
    format!("{title}\n{}", table(&[Side::Left; 2], &rows))
}

fn export(request: &Request, name: &str, output: &Path, printer: Printer) -> Result<(), Stop> {
    let store = registry(request)?;
    let version = store.version_by(&name.parse::<ModelReference>()?)?;
    let folder = store.version_files(&version)?;
    let shown = output.display().to_string();
    // Files of another model would stand among those of this one.
    if DiskIo.exists(output) && !DiskIo.list(output).is_ok_and(|inside| inside.is_empty()) {
        let title = format!("{} is not an empty folder", clean(&shown));
        return Err(Diagnostic::error("model/export-not-empty", title).help("name a new folder with --output").into());
    }
    for (path, bytes) in &folder {
        write_atomic(&DiskIo, &output.join(path), bytes)?;
    }
    let files: Vec<&String> = folder.keys().collect();
    printer.result(
        || json!({"model": version.model, "version": version.version, "output": shown, "files": files}),
        |_| format!("{}: {} in {}\n", title(&version), counted(files.len(), "file"), clean(&shown)),
    )
}
