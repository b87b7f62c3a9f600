//! `trainyard runs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;
use trainyard_pipeline::{run_states, tracking};
use trainyard_tracking::{Input, RunRecord, Status, Tracking};

use super::in_project;
use crate::arguments::Runs;
use crate::printer::{Ink, Paint, Printer};
use crate::stop::Stop;
use crate::table::{Side, count, difference, moment, number, seconds, table};

/// The metrics that stand for a run in a list, in the order of preference.
const HEADLINES: [&str; 2] = ["reference_roc_auc", "reference_rmse"];

pub(super) fn run(root: &Path, action: &Runs, printer: Printer) -> Result<u8, Stop> {
    match action {
        Runs::List { limit, status } => list(root, usize::try_from(*limit).unwrap_or(usize::MAX), *status, printer),
        Runs::Show { run } => show(root, run, printer),
        Runs::Compare { a, b } => compare(root, a, b, printer),
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

fn states(root: &Path) -> Result<BTreeMap<String, String>, Stop> {
    Ok(run_states(root)?.into_iter().map(|state| (state.run, state.state.to_string())).collect())
}

fn took(record: &RunRecord) -> String {
    record.ended_ms.map_or_else(|| "–".to_owned(), |ended| seconds((ended - record.started_ms).max(0) as f64 / 1000.0))
}

fn list(root: &Path, limit: usize, status: Option<Status>, printer: Printer) -> Result<(), Stop> {
    let runs = tracking(root)?.runs(limit, status)?;
    let states = states(root)?;
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
            return match status {
                Some(status) => format!("No run is {status}. All runs: trainyard runs list{}\n", in_project(root)),
                None => format!("There are no runs yet. Make one: trainyard run{}\n", in_project(root)),
            };
        }
        let mut rows = vec![["run", "status", "started", "took", "reference"].map(str::to_owned).to_vec()];
        for record in &runs {
            let headline = HEADLINES.iter().find_map(|name| Some((*name, *record.metrics.get(*name)?)));
            let headline = headline.map_or_else(String::new, |(name, value)| {
                format!("{} {}", name.trim_start_matches("reference_"), number(Some(value)))
            });
            let standing = standing(record, &states);
            rows.push(vec![record.run.clone(), standing, moment(record.started_ms), took(record), headline]);
        }
        table(&[Side::Left, Side::Left, Side::Left, Side::Right, Side::Left], &rows)
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
    let artifacts = store.artifacts(&record.run)?;
    let standing = standing(&record, &states(root)?);
    let document = || {
        let mut document = json!(record);
        document["state"] = json!(standing);
        document["artifacts"] = json!(artifacts);
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

fn compare(root: &Path, a: &str, b: &str, printer: Printer) -> Result<(), Stop> {
    let store = tracking(root)?;
    let (a, b) = (store.find_run(a)?, store.find_run(b)?);
    let names: BTreeSet<&String> = a.metrics.keys().chain(b.metrics.keys()).collect();
    let metrics: Vec<_> = names
        .into_iter()
        .map(|name| {
            let (one, other) = (a.metrics.get(name).copied(), b.metrics.get(name).copied());
            (name, one, other, one.zip(other).map(|(one, other)| other - one))
        })
        .collect();
    let names: BTreeSet<&String> = a.params.keys().chain(b.params.keys()).collect();
    let params: Vec<_> = names
        .into_iter()
        .map(|name| (name, a.params.get(name), b.params.get(name)))
        .filter(|(_, one, other)| one != other)
        .collect();
    let names: BTreeSet<&String> = a.inputs.iter().chain(&b.inputs).map(|input| &input.name).collect();
    let input = |run: &RunRecord, name: &str| run.inputs.iter().find(|input| input.name == name).cloned();
    let inputs: Vec<(&String, Option<Input>, Option<Input>)> = names
        .into_iter()
        .map(|name| (name, input(&a, name), input(&b, name)))
        .filter(|(_, one, other)| one != other)
        .collect();
    let document = || {
        let metric = |(name, one, other, difference): &(&String, Option<f64>, Option<f64>, Option<f64>)| json!({"name": name, "a": one, "b": other, "difference": difference});
        let param = |(name, one, other): &(&String, Option<&String>, Option<&String>)| json!({"name": name, "a": one, "b": other});
        json!({
            "a": a.run, "b": b.run,
            "metrics": metrics.iter().map(metric).collect::<Vec<_>>(),
            "params": params.iter().map(param).collect::<Vec<_>>(),
            "inputs": inputs.iter().map(|(name, one, other)| json!({"name": name, "a": one, "b": other})).collect::<Vec<_>>(),
        })
    };
    printer.result(document, |paint| {
        let mut rows = vec![vec![String::new(), a.run.clone(), b.run.clone(), "difference".to_owned()]];
        for (name, one, other, by) in &metrics {
            let by = by.map_or_else(|| "–".to_owned(), difference);
            rows.push(vec![(*name).clone(), number(*one), number(*other), by]);
        }
        let text = |value: &Option<&String>| value.map_or_else(|| "–".to_owned(), Clone::clone);
        let changed: Vec<_> =
            params.iter().map(|(name, one, other)| vec![(*name).clone(), text(one), text(other)]).collect();
        let metrics = table(&[Side::Left, Side::Right, Side::Right, Side::Right], &rows);
        let params = part(paint, "Parameters that differ", &[Side::Left; 3], &changed);
        let held = |input: &Option<Input>| {
            input.as_ref().map_or_else(
                || "–".to_owned(),
                |input| format!("{} rows, {} of {}", count(input.rows), input.digest.short(), input.source),
            )
        };
        let inputs: Vec<_> =
            inputs.iter().map(|(name, one, other)| vec![(*name).clone(), held(one), held(other)]).collect();
        let inputs = part(paint, "Inputs that differ", &[Side::Left; 3], &inputs);
        let same = if changed.is_empty() { "\nBoth runs have the same parameters.\n" } else { "" };
        format!("{metrics}{params}{same}{inputs}")
    })
}
