//! `trainyard gate`.

use serde_json::json;
use trainyard_pipeline::{GateReplay, Rejudged, Request, read_policy, replay_gates};

use super::in_project;
use crate::arguments::{Gate, Replay};
use crate::printer::Printer;
use crate::stop::Stop;
use crate::table::{Side, count, counted, moment, table};

pub(super) fn run(request: &Request, action: &Gate, printer: Printer) -> Result<u8, Stop> {
    match action {
        Gate::Replay(asked) => replay(request, asked, printer),
    }?;
    Ok(0)
}

fn replay(request: &Request, asked: &Replay, printer: Printer) -> Result<(), Stop> {
    let policy = read_policy(request, &asked.file)?;
    let since = asked.since.map(|since| since.div_euclid(1000));
    let found = replay_gates(request, &policy, asked.model.as_deref(), since)?;
    let shown: Vec<&Rejudged> = found.decisions.iter().filter(|one| one.changed || !asked.changed).collect();
    printer.result(
        || {
            json!({
                "policy": asked.file.display().to_string(), "judged": found.decisions.len(), "changed": found.changed,
                "unknown": found.unknown, "by_hand": found.by_hand, "decisions": shown,
            })
        },
        |_| {
            if found.decisions.is_empty() {
                return none(request, since);
            }
            let rows = rows(&shown);
            let lines = if shown.is_empty() { String::new() } else { table(&vec![Side::Left; rows[0].len()], &rows) };
            let gap = if lines.is_empty() { "" } else { "\n" };
            format!("{lines}{gap}{}\n", closing(&found))
        },
    )
}

fn none(request: &Request, since: Option<i64>) -> String {
    match since {
        Some(since) => format!("No run has decided anything since {}.\n", moment(since)),
        None => {
            let place = in_project(&request.root);
            format!(
                "No run has decided anything yet. With `promote` in trainyard.yaml one does: trainyard run{place}\n"
            )
        }
    }
}

/// Gives a heading and a row for each decision; the model is told where there are several.
fn rows(shown: &[&Rejudged]) -> Vec<Vec<String>> {
    let is_several = shown.iter().any(|one| one.model != shown[0].model);
    let model = |name: &str| is_several.then(|| name.to_owned());
    let row = |cells: [String; 3], name: &str, [change, why]: [String; 2]| {
        let mut row: Vec<String> = cells.into();
        row.extend(model(name));
        row.extend([change, why]);
        row
    };
    let head = ["at", "run", "version"].map(str::to_owned);
    let mut rows = vec![row(head, "model", ["decision", "why"].map(str::to_owned))];
    for one in shown {
        let version = one.version.map_or_else(|| "–".to_owned(), |version| format!("v{version}"));
        let cells = [moment(one.at_ms), one.run.clone(), version];
        rows.push(row(cells, &one.model, [change(one), one.why.clone()]));
    }
    rows
}

/// Says what was decided, and what would be where that is something else.
fn change(one: &Rejudged) -> String {
    let then = one.then.name();
    match one.now {
        None => format!("{then} → unknown"),
        Some(_) if !one.changed => then.to_owned(),
        Some(now) => format!("{then} → {}", now.name()),
    }
}

fn closing(found: &GateReplay) -> String {
    let all = counted(found.decisions.len(), "decision");
    let changed = match found.changed {
        0 => format!("None of {all} would have been another"),
        1 => format!("1 of {all} would have been another"),
        changed => format!("{} of {all} would have been others", count(changed as u64)),
    };
    let unknown = match found.unknown {
        0 => String::new(),
        1 => "; 1 is unknown".to_owned(),
        unknown => format!("; {} are unknown", count(unknown as u64)),
    };
    let by_hand = match found.by_hand {
        0 => String::new(),
        1 => " 1 change by hand is left as it was.".to_owned(),
        changes => format!(" {} changes by hand are left as they were.", count(changes as u64)),
    };
    format!("{changed}{unknown}.{by_hand}")
}
