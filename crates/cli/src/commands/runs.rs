//! `trainyard runs`.

mod compare;
mod found;
mod sql;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use trainyard_pipeline::{run_states, tracking};
use trainyard_tracking::{RunRecord, Status, Tracking};

use super::in_project;
use crate::arguments::{Output, Runs};
use crate::cells;
use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, count, moment, number, seconds, table};

/// The metrics that stand for a run in a list, in the order of preference.
const HEADLINES: [&str; 2] = ["reference_roc_auc", "reference_rmse"];

pub(super) fn run(root: &Path, action: &Runs, printer: Printer) -> Result<u8, Stop> {
    match action {
        Runs::List { limit, status, filter, order_by, output } => {
            let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
            let asked = found::Asked { limit, status: *status, filter: filter.as_deref(), order: order_by.as_deref() };
            list(root, &asked, output, printer)
        }
        Runs::Sql { query, file, output } => sql::run(root, query.as_deref(), file.as_deref(), output, printer),
        Runs::Show { run } => show(root, run, printer),
        Runs::Compare { runs, output } => compare::run(root, runs, output, printer),
        // It needs the whole project.
        Runs::Sync { .. } => Ok(()),
    }?;
    Ok(0)
}

/// Tells how a run stands: what is recorded as running may have died, or wait for its next step.
fn standing(record: &RunRecord, states: &BTreeMap<String, String>) -> String {
    match (record.status, states.get(&record.run).map(String::as_str)) {
        (Status::Running, Some("crashed")) => "CRASHED".to_owned(),
        (Status::Running, Some("interrupted")) => Status::Killed.name().to_owned(),
        (Status::Running, Some("open")) => "OPEN".to_owned(),
        (status, _) => status.name().to_owned(),
    }
}

/// Reads how the runs stand that are recorded as running; the others are what they are recorded as.
fn states<'a>(root: &Path, mut runs: impl Iterator<Item = &'a RunRecord>) -> Result<BTreeMap<String, String>, Stop> {
    if !runs.any(|record| record.status == Status::Running) {
        return Ok(BTreeMap::new());
    }
    Ok(run_states(root)?.into_iter().map(|state| (state.run, state.state.to_string())).collect())
}

fn took(record: &RunRecord) -> String {
    record.ended_ms.map_or_else(|| "–".to_owned(), |ended| seconds((ended - record.started_ms).max(0) as f64 / 1000.0))
}

fn list(root: &Path, asked: &found::Asked<'_>, output: &Output, printer: Printer) -> Result<(), Stop> {
    cells::check(output)?;
    let found = found::runs(root, asked)?;
    printer.warnings(&found.warnings);
    let runs = &found.runs;
    if cells::written(&found::answer(runs), output, printer)? {
        return Ok(());
    }
    let states = states(root, runs.iter())?;
    let document = || {
        let rows = runs.iter().map(|record| {
            let mut row = json!(record);
            row["state"] = json!(standing(record, &states));
            row
        });
        json!({"runs": rows.collect::<Vec<_>>()})
    };
    printer.result(document, |_| {
        if runs.is_empty() {
            let all = format!("All runs: trainyard runs list{}\n", in_project(root));
            return match (asked.filter, asked.status) {
                (Some(_), _) => format!("No run meets the filter. {all}"),
                (None, Some(status)) => format!("No run is {status}. {all}"),
                (None, None) => format!("There are no runs yet. Make one: trainyard run{}\n", in_project(root)),
            };
        }
        let mut heads = ["run", "status", "started", "took"].map(str::to_owned).to_vec();
        let mut sides = vec![Side::Left, Side::Left, Side::Left, Side::Right];
        if found.subjects.is_empty() {
            heads.push("reference".to_owned());
            sides.push(Side::Left);
        }
        for subject in &found.subjects {
            let (name, side) = found::heading(subject);
            heads.push(name);
            sides.push(side);
        }
        let mut rows = vec![heads];
        for record in runs {
            let standing = standing(record, &states);
            let mut row = vec![record.run.clone(), standing, moment(record.started_ms), took(record)];
            if found.subjects.is_empty() {
                let headline = HEADLINES.iter().find_map(|name| Some((*name, *record.metrics.get(*name)?)));
                row.push(headline.map_or_else(String::new, |(name, value)| {
                    format!("{} {}", name.trim_start_matches("reference_"), number(Some(value)))
                }));
            }
            row.extend(found.subjects.iter().map(|subject| found::shown(record, subject)));
            rows.push(row);
        }
        table(&sides, &rows)
    })
}

/// Draws a part under its name; nothing for no rows.
fn part(paint: Paint, name: &str, sides: &[Side], rows: &[Vec<String>]) -> String {
    if rows.is_empty() { String::new() } else { format!("\n{}\n{}", paint.ink(Ink::Strong, name), table(sides, rows)) }
}

fn pairs(all: &BTreeMap<String, String>) -> Vec<Vec<String>> {
    all.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect()
}

fn show(root: &Path, run: &str, printer: Printer) -> Result<(), Stop> {
    let store = tracking(root)?;
    let record = store.find_run(run)?;
    let (artifacts, pages) = (store.artifacts(&record.run)?, store.pages(&record.run)?);
    let standing = standing(&record, &states(root, std::iter::once(&record))?);
    let document = || {
        let mut document = json!(record);
        document["state"] = json!(standing);
        document["artifacts"] = json!(artifacts);
        document["pages"] = json!(pages);
        document
    };
    printer.result(document, |paint| {
        let mut head = vec![
            vec!["status".to_owned(), standing.clone()],
            vec!["name".to_owned(), record.name.clone()],
            vec!["experiment".to_owned(), record.experiment.clone()],
            vec!["started".to_owned(), moment(record.started_ms)],
            vec!["took".to_owned(), took(&record)],
        ];
        head.extend(record.reason.iter().map(|reason| vec!["reason".to_owned(), reason.message.clone()]));
        head.extend(pages.iter().map(|page| vec!["page".to_owned(), page.clone()]));
        let metrics: Vec<_> =
            record.metrics.iter().map(|(name, value)| vec![name.clone(), number(Some(*value))]).collect();
        let inputs: Vec<_> = record
            .inputs
            .iter()
            .map(|input| {
                vec![input.name.clone(), count(input.rows) + " rows", input.digest.short(), input.source.clone()]
            })
            .collect();
        let files: Vec<_> = artifacts
            .iter()
            .map(|file| vec![file.path.clone(), count(file.size) + " bytes", file.digest.short()])
            .collect();
        let (left, right) = (Side::Left, Side::Right);
        [
            format!("Run {}\n{}", paint.ink(Ink::Strong, &record.run), table(&[left; 2], &head)),
            part(paint, "Metrics", &[left, right], &metrics),
            part(paint, "Parameters", &[left; 2], &pairs(&record.params)),
            part(paint, "Inputs", &[left, right, left, left], &inputs),
            part(paint, "Tags", &[left; 2], &pairs(&record.tags)),
            part(paint, "Artifacts", &[left, right, left], &files),
        ]
        .concat()
    })
}
