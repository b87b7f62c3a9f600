//! The runs that a list asks for.

use std::collections::BTreeSet;
use std::path::Path;

use trainyard_diagnostics::{Diagnostic, nearest};
use trainyard_pipeline::tracking;
use trainyard_tracking::{
    Answer, Attribute, Cell, Condition, EmbeddedStore, FilterError, RunRecord, Search, Status, Subject, Test, Tracking,
    parse_filter, parse_order,
};

use crate::stop::Stop;
use crate::table::{Side, cut, number};

/// The widest that a value stands in a list.
const WIDEST: usize = 40;

/// What a list is asked for.
pub(super) struct Asked<'a> {
    pub(super) limit: usize,
    pub(super) status: Option<Status>,
    pub(super) filter: Option<&'a str>,
    pub(super) order: Option<&'a str>,
}

/// What was found for it.
pub(super) struct Found {
    pub(super) runs: Vec<RunRecord>,
    /// The metrics, parameters and tags that were asked for.
    pub(super) subjects: Vec<Subject>,
    pub(super) warnings: Vec<Diagnostic>,
}

pub(super) fn runs(root: &Path, asked: &Asked<'_>) -> Result<Found, Stop> {
    let wrong = |error: Box<FilterError>| Stop::from(vec![error.diagnostic()]);
    let mut conditions = parse_filter("--where", asked.filter.unwrap_or_default()).map_err(wrong)?;
    let order = parse_order("--order-by", asked.order.unwrap_or_default()).map_err(wrong)?;
    let mut subjects: Vec<Subject> = Vec::new();
    for subject in order.iter().map(|by| &by.subject).chain(conditions.iter().map(|condition| &condition.subject)) {
        let is_own = matches!(subject, Subject::Metric(_) | Subject::Param(_) | Subject::Tag(_));
        if is_own && !subjects.contains(subject) {
            subjects.push(subject.clone());
        }
    }
    let store = tracking(root)?;
    if conditions.is_empty() && order.is_empty() {
        return Ok(Found { runs: store.runs(asked.limit, asked.status)?, subjects, warnings: Vec::new() });
    }
    conditions.extend(asked.status.map(|status| Condition {
        subject: Subject::Attribute(Attribute::Status),
        test: Test::Text(true, status.name().to_owned()),
    }));
    let runs = store.search(&Search { conditions, order, limit: asked.limit })?;
    // What no run found has may be a name that no run ever had.
    let is_absent = |subject: &&Subject| runs.iter().all(|record| value(record, subject) == Cell::Null);
    let warnings = subjects.iter().filter(is_absent).filter_map(|subject| never_logged(&store, subject)).collect();
    Ok(Found { runs, subjects, warnings })
}

/// Warns of a name that no run has logged.
fn never_logged(store: &EmbeddedStore, subject: &Subject) -> Option<Diagnostic> {
    let (table, what, key) = match subject {
        Subject::Metric(key) => ("latest_metrics", "metric", key),
        Subject::Param(key) => ("params", "parameter", key),
        Subject::Tag(key) => ("tags", "tag", key),
        Subject::Attribute(_) | Subject::Dataset(_) => return None,
    };
    let answer = store.query("names", &format!("SELECT DISTINCT key FROM {table}"), &|| false).ok()?;
    let known: BTreeSet<&str> = answer.rows.iter().flatten().filter_map(name).collect();
    if known.contains(key.as_str()) {
        return None;
    }
    let warning = Diagnostic::warning("filter/never-logged", format!("no run has a {what} `{key}`"));
    let near = nearest(key, known.iter().copied());
    Some(warning.help(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`trainyard runs show RUN` lists what a run has".to_owned(),
    }))
}

fn name(cell: &Cell) -> Option<&str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}

fn value(record: &RunRecord, subject: &Subject) -> Cell {
    let text = |text: Option<&String>| text.map_or(Cell::Null, |text| Cell::Text(text.clone()));
    match subject {
        Subject::Metric(key) => record.metrics.get(key).map_or(Cell::Null, |value| Cell::Real(*value)),
        Subject::Param(key) => text(record.params.get(key)),
        Subject::Tag(key) => text(record.tags.get(key)),
        Subject::Attribute(_) | Subject::Dataset(_) => Cell::Null,
    }
}

/// Gives the heading of a column, and the way it leans.
pub(super) fn heading(subject: &Subject) -> (String, Side) {
    match subject {
        Subject::Metric(key) => (key.clone(), Side::Right),
        Subject::Param(key) | Subject::Tag(key) => (key.clone(), Side::Left),
        Subject::Attribute(_) | Subject::Dataset(_) => (String::new(), Side::Left),
    }
}

/// Gives what a run has of it, for people.
pub(super) fn shown(record: &RunRecord, subject: &Subject) -> String {
    match value(record, subject) {
        Cell::Real(value) => number(Some(value)),
        Cell::Text(text) => cut(&text, WIDEST),
        _ => "–".to_owned(),
    }
}

/// Gives runs as rows, a column for every name that one of them has, as MLflow's own tables of runs have them.
pub(super) fn answer(runs: &[RunRecord]) -> Answer {
    let names = |of: fn(&RunRecord) -> Vec<&String>| runs.iter().flat_map(of).collect::<BTreeSet<_>>();
    let metrics = names(|record| record.metrics.keys().collect());
    let params = names(|record| record.params.keys().collect());
    let tags = names(|record| record.tags.keys().collect());
    let fixed = ["run_id", "experiment_name", "name", "status", "start_ms", "end_ms"].map(str::to_owned);
    let mut columns = fixed.to_vec();
    columns.extend(metrics.iter().map(|key| format!("metrics.{key}")));
    columns.extend(params.iter().map(|key| format!("params.{key}")));
    columns.extend(tags.iter().map(|key| format!("tags.{key}")));
    let text = |text: Option<&String>| text.map_or(Cell::Null, |text| Cell::Text(text.clone()));
    let row = |record: &RunRecord| {
        let mut row = vec![
            Cell::Text(record.run.clone()),
            Cell::Text(record.experiment.clone()),
            Cell::Text(record.name.clone()),
            Cell::Text(record.status.name().to_owned()),
            Cell::Integer(record.started_ms),
            record.ended_ms.map_or(Cell::Null, Cell::Integer),
        ];
        row.extend(metrics.iter().map(|key| record.metrics.get(*key).map_or(Cell::Null, |value| Cell::Real(*value))));
        row.extend(params.iter().map(|key| text(record.params.get(*key))));
        row.extend(tags.iter().map(|key| text(record.tags.get(*key))));
        row
    };
    Answer { columns, rows: runs.iter().map(row).collect() }
}
