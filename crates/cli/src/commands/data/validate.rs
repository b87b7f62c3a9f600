//! `trainyard data validate`: a table against what is expected of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use trainyard_data::{Error, Passing, ReadOptions};
use trainyard_diagnostics::{Diagnostic, Fault};
use trainyard_files::{DiskIo, Io, write_atomic};
use trainyard_pipeline::{Given, Request};
use trainyard_quality::expectations::{
    Columns, Options, Severity, Suite, Table, Validation, missing_suite, propose_from, validate, validate_passing,
};

use crate::arguments::{Rows, Validate, ValidateAction};
use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, clean, count, counted, table};

pub(super) fn run(arguments: &Validate, request: &Request, printer: Printer) -> Result<u8, Stop> {
    match &arguments.action {
        Some(ValidateAction::Init { file, rows, out }) => init(file, rows, out.as_deref(), request, printer),
        None => judge(arguments, request, printer),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn judge(arguments: &Validate, request: &Request, printer: Printer) -> Result<u8, Stop> {
    // Both are there wherever no subcommand is.
    let file = arguments.file.clone().unwrap_or_default();
    let path = arguments.suite.clone().unwrap_or_default();
    let bytes = DiskIo.read(&path).map_err(|error| {
        let command = format!("trainyard data validate init {}", super::words(&file, &arguments.rows));
        Stop::from(vec![missing_suite(&shown(&path), &error, &command)])
    })?;
    let suite = Suite::from_bytes(&bytes, &shown(&path)).map_err(|problems| problems.into_vec())?;
    let table = super::only(request, &file, &arguments.rows)?;
    let this_moment =
        || SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_micros()).ok());
    let now = arguments.as_of.or_else(this_moment);
    let options = Options { now, ..Options::default() };
    let (validation, sizes) = super::as_project(&table, |reading| validated(&suite, &table, reading, &options))?;
    let is_refused = validation.failed(Severity::Critical).next().is_some();
    printer.result(|| validation.to_json(), |paint| text_of(&validation, &table.shown, sizes, paint))?;
    Ok(if is_refused { Fault::Refused.exit_code() } else { 0 })
}

/// Holds a table against a suite; a Parquet file passes by, and any other is read. Gives the table's rows and columns, too.
fn validated(
    suite: &Suite,
    table: &Given,
    reading: &ReadOptions,
    options: &Options,
) -> Result<(Validation, (usize, usize)), Error> {
    let read = |columns: Option<BTreeSet<String>>| {
        let reading = ReadOptions { columns, ..reading.clone() };
        trainyard_data::read_part(&DiskIo, &table.path, &table.shown, &reading)
    };
    let io: Arc<dyn Io> = Arc::new(DiskIo);
    let Some(file) = Passing::open(&io, &table.path, reading) else {
        let (batch, names) = read(suite.columns())?;
        let sizes = (batch.num_rows(), names.len());
        return Ok((validate(suite, &Table::of(&batch).among(names), options), sizes));
    };
    let columns = Columns {
        names: file.names(),
        rows: file.rows(),
        kind: &|column| file.kind(column),
        pass: &|column, take| file.pass(column, take),
    };
    Ok((validate_passing(suite, &columns, &read, options)?, (file.rows(), file.names().len())))
}

fn text_of(validation: &Validation, file: &str, sizes: (usize, usize), paint: Paint) -> String {
    let mut text = format!(
        "{}: {} × {}, held against {}\n\n",
        clean(file),
        counted(sizes.0, "row"),
        counted(sizes.1, "column"),
        match validation.suite.as_str() {
            "" => "a suite without a name".to_owned(),
            name => format!("the suite {}", clean(name)),
        },
    );
    let mut rows = vec![["", "expectation", "column", "severity", "found"].map(str::to_owned).to_vec()];
    for judgement in &validation.judgements {
        let expectation = &judgement.expectation;
        let name = expectation.name();
        rows.push(vec![
            if judgement.success { "✓" } else { "✗" }.to_owned(),
            name.strip_prefix("expect_").unwrap_or(&name).to_owned(),
            match expectation.columns().as_slice() {
                [] => "–".to_owned(),
                columns if columns.len() > 3 => counted(columns.len(), "column"),
                columns => columns.join(", "),
            },
            if judgement.success { String::new() } else { expectation.severity().name().to_owned() },
            judgement.found(),
        ]);
    }
    text.push_str(&table(&[Side::Left; 5], &rows));
    let (met, total) = (validation.met(), validation.judgements.len());
    let verdict = format!("{} of {} met", count(met as u64), counted(total, "expectation"));
    text.push_str(&format!("\n{}", paint.ink(Ink::Strong, &verdict)));
    let failed = |severity: Severity| validation.failed(severity).count();
    let unmet = [Severity::Critical, Severity::Warning, Severity::Info]
        .into_iter()
        .filter(|severity| failed(*severity) > 0)
        .map(|severity| format!("{} {}", count(failed(severity) as u64), severity.name()));
    let unmet: Vec<String> = unmet.collect();
    if !unmet.is_empty() {
        text.push_str(&format!("; not met: {}", unmet.join(", ")));
    }
    text.push('\n');
    text
}

fn init(file: &Path, rows: &Rows, out: Option<&Path>, request: &Request, printer: Printer) -> Result<u8, Stop> {
    let name = super::asked(rows).name_of(file);
    let path = out.map_or_else(|| PathBuf::from(format!("expectations/{name}.json")), Path::to_path_buf);
    if DiskIo.metadata(&path).is_ok() {
        let title = format!("{} is there already, and may hold what somebody wrote", shown(&path));
        let problem = Diagnostic::error("expectations/exists", title).help("name another file with --out");
        return Err(vec![problem].into());
    }
    let table = super::only(request, file, rows)?;
    let suite = propose_from(&name, &super::profile::of(&table)?);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DiskIo.create_dir_all(folder).map_err(|error| {
            let title = format!("the folder {} can't be made: {error}", shown(folder));
            Stop::from(vec![Diagnostic::error("expectations/no-folder", title).help("name another file with --out")])
        })?;
    }
    write_atomic(&DiskIo, &path, suite.write().as_bytes())?;
    let total = suite.expectations().len();
    printer.result(
        || json!({ "suite": shown(&path), "expectations": total }),
        |_| {
            let what = counted(total, "expectation");
            let then = format!(
                "trainyard data validate {} --suite {}",
                super::words(file, rows),
                crate::commands::quoted_path(&path)
            );
            format!("Wrote   {}: {what}. Read them, then `{}`\n", clean(&shown(&path)), clean(&then))
        },
    )?;
    Ok(0)
}
