//! `trainyard tune`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value, json};
use trainyard_diagnostics::{Diagnostic, one_of, there_are};
use trainyard_files::{DiskIo, Io, write_atomic};
use trainyard_pipeline::{Studies, studies, study_of_file};
use trainyard_tune::{Direction, Parameter, Record, State, Trial, importance, journal};

use super::in_project;
use crate::arguments::{Tune, Which};
use crate::printer::{Ink, Paint, Printer};
use crate::stop::{NOTHING, Stop};
use crate::table::{Side, counted, number, table};

/// The columns of a bar.
const BAR: f64 = 30.0;

/// The seed of the forests that importance is read from: the same search says the same.
const SEED: u64 = 0;

pub(super) fn run(root: &Path, action: &Tune, printer: Printer) -> Result<u8, Stop> {
    match action {
        Tune::Show { which, limit } => show(root, &chosen(root, which)?, *limit, printer),
        Tune::Best(which) => best(&chosen(root, which)?, printer),
        Tune::Importance(which) => important(&chosen(root, which)?, printer),
        Tune::Export { which, out } => export(&chosen(root, which)?, out, printer),
    }?;
    Ok(0)
}

/// Gives the searches that are meant.
fn chosen(root: &Path, which: &Which) -> Result<Studies, Stop> {
    let mut found = match &which.file {
        Some(file) => study_of_file(file, which.search.as_deref()),
        None => studies(root, which.run.as_deref()),
    }
    .map_err(|diagnostics| Stop::Problems { diagnostics, state: NOTHING.to_owned() })?;
    if let Some(name) = &which.search {
        if !found.studies.contains_key(name) {
            let known: Vec<&str> = found.studies.keys().map(String::as_str).collect();
            let diagnostic = Diagnostic::error("tune/unknown-search", format!("the run has no search `{name}`"));
            return Err(diagnostic.help(there_are("searches", &known, name)).into());
        }
        found.studies.retain(|search, _| search == name);
    }
    Ok(found)
}

/// Gives the finished trials, the best first: complete ones by value, then pruned ones by how far they came, then failed ones.
fn ranked(record: &Record) -> Vec<&Trial> {
    let direction = record.study.direction;
    let mut trials: Vec<&Trial> = record.study.trials.iter().filter(|trial| trial.state.is_finished()).collect();
    let loss = |trial: &Trial| {
        let last = trial.reports.last().map(|report| report.value);
        direction.loss(trial.value.or(last).unwrap_or(f64::NAN))
    };
    let place = |trial: &Trial| match trial.state {
        State::Complete => (0, 0),
        State::Pruned => (1, u64::MAX - trial.reports.last().map_or(0, |report| report.step)),
        State::Waiting | State::Running | State::Failed => (2, 0),
    };
    trials.sort_by(|one, other| {
        place(one).cmp(&place(other)).then(loss(one).total_cmp(&loss(other))).then(one.number.cmp(&other.number))
    });
    trials
}

fn word(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Running => "running",
        State::Complete => "complete",
        State::Pruned => "pruned",
        State::Failed => "failed",
    }
}

/// Writes a value as a spec does, a number with few places.
fn shown(parameter: &Parameter, value: f64) -> String {
    match parameter.distribution.external(value) {
        trainyard_tune::Value::Float(value) if value != 0.0 && (value.abs() < 1e-3 || value.abs() >= 1e5) => {
            format!("{value:.2e}")
        }
        trainyard_tune::Value::Float(value) => {
            let places = if value.abs() < 1.0 { 4 } else { 3 };
            format!("{value:.places$}")
        }
        other => other.to_string(),
    }
}

/// Gives the values of a trial by the parameters' names.
fn values(record: &Record, trial: &Trial) -> Map<String, Value> {
    let all = record.study.space.parameters().iter().zip(&trial.values);
    let chosen = all.filter_map(|(parameter, value)| Some((parameter, (*value)?)));
    chosen.map(|(parameter, value)| (parameter.name.clone(), parameter.distribution.external(value).into())).collect()
}

fn document(found: &Studies, of: impl Fn(&str, &Record) -> Value) -> Value {
    let searches: Map<String, Value> =
        found.studies.iter().map(|(name, read)| (name.clone(), of(name, &read.record))).collect();
    json!({ "run": found.run, "report": found.report, "searches": searches, "unfinished": found.unfinished })
}

/// Names what the values of a search are.
fn metric(found: &Studies) -> String {
    found.report["metric"].as_str().unwrap_or("value").to_owned()
}

fn show(root: &Path, found: &Studies, limit: usize, printer: Printer) -> Result<(), Stop> {
    let trial = |record: &Record, trial: &Trial| {
        json!({
            "number": trial.number, "state": word(trial.state), "value": trial.value, "folds": trial.parts,
            "values": values(record, trial), "reason": trial.reason,
            "reports": trial.reports.iter().map(|report| json!([report.step, report.value])).collect::<Vec<_>>(),
        })
    };
    let whole = |_: &str, record: &Record| {
        json!({
            "direction": match record.study.direction { Direction::Minimize => "minimize", Direction::Maximize => "maximize" },
            "trials": record.study.trials.iter().map(|one| trial(record, one)).collect::<Vec<_>>(),
            "stopped": record.stopped.as_ref().map(|stopped| json!({ "after": stopped.after, "why": stopped.why })),
        })
    };
    printer.result(
        || document(found, whole),
        |paint| {
            let mut text = String::new();
            for (name, read) in &found.studies {
                text.push_str(&search(found, name, &read.record, limit, paint));
                for note in &read.notes {
                    let _ = writeln!(text, "  {}", paint.ink(Ink::Faint, note));
                }
            }
            if found.unfinished > 0 {
                let was = if found.unfinished == 1 { "was" } else { "were" };
                let searches = match found.unfinished {
                    1 => "1 search".to_owned(),
                    more => format!("{more} searches"),
                };
                let command = format!("trainyard run{}", in_project(root));
                let _ = writeln!(text, "\n{searches} {was} begun and not ended; `{command}` goes on.");
            }
            text
        },
    )
}

/// Draws one search.
fn search(found: &Studies, name: &str, record: &Record, limit: usize, paint: Paint) -> String {
    let metric = metric(found);
    let study = &record.study;
    let of = |state: State| study.trials.iter().filter(|trial| trial.state == state).count();
    let better = match study.direction {
        Direction::Minimize => "less is better",
        Direction::Maximize => "more is better",
    };
    let states: Vec<String> = [State::Complete, State::Pruned, State::Failed]
        .into_iter()
        .filter(|state| of(*state) > 0)
        .map(|state| format!("{} {}", of(state), word(state)))
        .collect();
    let whose = found.run.as_ref().map(|run| format!(" of run {run}")).unwrap_or_default();
    let mut text = format!(
        "Search {}{whose}: {} ({}), {metric}, {better}\n",
        paint.ink(Ink::Strong, name),
        counted(study.trials.iter().filter(|trial| trial.state.is_finished()).count(), "trial"),
        states.join(", "),
    );
    if let Some(stopped) = &record.stopped {
        let _ = writeln!(text, "  ended after {}: {}", counted(stopped.after as usize, "trial"), stopped.why);
    }
    if let Some(test) = found.report["searches"][name]["against_baseline"].as_object() {
        let of = |key: &str| test.get(key).and_then(Value::as_f64);
        let verdict = match test.get("beats").and_then(Value::as_bool) {
            Some(true) => paint.ink(Ink::Good, "better than the baseline"),
            _ => paint.ink(Ink::Bad, "not better than the baseline"),
        };
        let by = trainyard_pipeline::figure(of("gain").unwrap_or(f64::NAN));
        let _ = writeln!(text, "  {verdict}: by {by} on average, p {:.3}", of("p").unwrap_or(f64::NAN));
    }
    text.push('\n');
    let trials = ranked(record);
    let listed = if limit == 0 { trials.len() } else { limit.min(trials.len()) };
    let all = study.space.parameters();
    // What nobody chose has no column.
    let used: Vec<usize> =
        (0..all.len()).filter(|at| trials[..listed].iter().any(|trial| trial.values[*at].is_some())).collect();
    let mut head = vec!["trial".to_owned(), metric, "± folds".to_owned()];
    head.extend(used.iter().map(|at| all[*at].name.clone()));
    let mut rows = vec![head];
    for trial in &trials[..listed] {
        let value = match trial.state {
            State::Complete => number(trial.value),
            other => word(other).to_owned(),
        };
        let mut row = vec![trial.number.to_string(), value, spread(trial)];
        row.extend(used.iter().map(|at| trial.values[*at].map_or("–".to_owned(), |value| shown(&all[*at], value))));
        rows.push(row);
    }
    let mut sides = vec![Side::Right; 3];
    sides.extend(used.iter().map(|_| Side::Right));
    text.push_str(&table(&sides, &rows));
    if listed < trials.len() {
        let _ =
            writeln!(text, "  {}", paint.ink(Ink::Faint, &format!("and {} more: --limit 0", trials.len() - listed)));
    }
    for (why, count) in record.failures() {
        let _ = writeln!(text, "  {} {}: {why}", counted(count as usize, "trial"), paint.ink(Ink::Bad, "failed"));
    }
    text
}

/// Writes the standard deviation of a trial over its folds.
fn spread(trial: &Trial) -> String {
    let count = trial.parts.len() as f64;
    if trial.parts.len() < 2 || trial.state != State::Complete {
        return String::new();
    }
    let mean = trial.parts.iter().sum::<f64>() / count;
    let squares = trial.parts.iter().map(|part| (part - mean) * (part - mean)).sum::<f64>();
    number(Some((squares / count).sqrt()))
}

fn best(found: &Studies, printer: Printer) -> Result<(), Stop> {
    let mut all: BTreeMap<&str, &Trial> = BTreeMap::new();
    for (name, read) in &found.studies {
        all.insert(name, read.record.best().map_err(|error| error.diagnostic())?);
    }
    let of = |name: &str, record: &Record| {
        let trial = all[name];
        json!({ "trial": trial.number, "value": trial.value, "folds": trial.parts, "values": values(record, trial) })
    };
    printer.result(
        || document(found, of),
        |paint| {
            let metric = metric(found);
            let mut text = String::new();
            for (name, read) in &found.studies {
                let trial = all[name.as_str()];
                let value = number(trial.value);
                let comment = format!("# {metric} {value}, trial {}", trial.number);
                let _ = writeln!(text, "{}\n{name}:", paint.ink(Ink::Faint, &comment));
                for (parameter, value) in values(&read.record, trial) {
                    let _ = writeln!(text, "  {parameter}: {value}");
                }
            }
            text
        },
    )
}

fn important(found: &Studies, printer: Printer) -> Result<(), Stop> {
    let all: BTreeMap<&str, _> =
        found.studies.iter().map(|(name, read)| (name.as_str(), importance(&read.record.study, SEED))).collect();
    let of = |name: &str, _: &Record| {
        let one = |one: &trainyard_tune::Importance| {
            json!({ "parameter": one.name, "share": one.share, "spread": one.spread, "trials": one.trials,
                    "conditional": one.is_conditional })
        };
        Value::Array(all[name].iter().map(one).collect())
    };
    printer.result(
        || document(found, of),
        |paint| {
            let mut text = String::new();
            for (name, shares) in &all {
                let _ = writeln!(
                    text,
                    "Search {}: the share of the spread of {} that each parameter explains (fANOVA)\n",
                    paint.ink(Ink::Strong, name),
                    metric(found)
                );
                let rows: Vec<Vec<String>> = shares
                    .iter()
                    .map(|one| {
                        let bar = "█".repeat((one.share * BAR).round().clamp(0.0, BAR) as usize);
                        let note = if one.is_conditional {
                            format!("of {}", counted(one.trials as usize, "trial"))
                        } else {
                            String::new()
                        };
                        vec![one.name.clone(), number(Some(one.share.max(0.0))), bar, note]
                    })
                    .collect();
                text.push_str(&match rows.is_empty() {
                    true => "  two complete trials that differ are needed\n".to_owned(),
                    false => table(&[Side::Left, Side::Right, Side::Left, Side::Left], &rows),
                });
            }
            text
        },
    )
}

fn export(found: &Studies, out: &Path, printer: Printer) -> Result<(), Stop> {
    let names: Vec<&str> = found.studies.keys().map(String::as_str).collect();
    let [(name, read)] = found.studies.iter().collect::<Vec<_>>()[..] else {
        let title = format!("there are {} searches, and a journal is of one", names.len());
        let help = format!("choose by --search: {}", one_of(&names, 14));
        return Err(Diagnostic::error("tune/several-searches", title).help(help).into());
    };
    // Optuna may have gone on in it.
    if DiskIo.metadata(out).is_ok() {
        let title = format!("{} is there already, and may hold other trials", out.display());
        return Err(Diagnostic::error("tune/exists", title).help("name another file with --out").into());
    }
    let text = journal::write(&read.record);
    write_atomic(&DiskIo, out, text.as_bytes()).map_err(|error| error.diagnostic())?;
    let trials = read.record.study.trials.len();
    printer.result(
        || json!({ "search": name, "trials": trials, "file": out.display().to_string() }),
        |_| format!("{} holds the study {name} with {}.\n", out.display(), counted(trials, "trial")),
    )
}
