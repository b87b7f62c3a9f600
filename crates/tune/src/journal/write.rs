//! Journals out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::choices::{from_distribution, from_space, from_value};
use super::json::{push_list, push_number, push_text};
use super::{PARTS, REASON, RUNG, RUNGS, SPACE, STOPPED, operation};
use crate::record::{Record, Stopped};
use crate::{Direction, Distribution, Report, Space, State, Trial};

/// The moment that every trial is said to have begun and ended: Optuna wants one, and a clock would make two equal
/// studies differ.
const MOMENT: &str = "1970-01-01T00:00:00.000000+00:00";

/// Gives the journal of a study, a line for each trial: equal studies give equal texts.
pub fn write(record: &Record) -> String {
    Log::begin(record).1
}

/// Knows what a journal holds of a study, and gives the lines that it lacks.
///
/// Trials have no ids but their places in the file: where somebody else may have added to it, it is read again.
#[derive(Debug, Clone)]
pub struct Log {
    pub(super) study: u64,
    /// The ids of the study's trials in the file, by number.
    pub(super) ids: Vec<u64>,
    /// The id of the next trial in the file.
    pub(super) next: u64,
    /// The numbers of those trials in the file that have not ended there.
    pub(super) open: BTreeSet<u64>,
    /// Lines of trials that ended before one below them is in the file, by number.
    late: BTreeMap<u64, String>,
    /// The space that the file holds.
    pub(super) space: Option<Space>,
    pub(super) stopped: Option<Stopped>,
    /// By parameter: its name and its distribution, as they stand in a line.
    forms: Vec<[String; 2]>,
}

impl Log {
    /// Gives the journal of a study, and what knows it.
    pub fn begin(record: &Record) -> (Log, String) {
        let direction = match record.study.direction {
            Direction::Minimize => 1,
            Direction::Maximize => 2,
        };
        let mut text = line(operation::CREATE_STUDY);
        text.push_str("\"study_name\":");
        push_text(&mut text, &record.study.name);
        let _ = writeln!(text, ",\"directions\":[{direction}]}}");
        let mut log = Log::empty(0);
        log.append(record, &mut text);
        (log, text)
    }

    /// Knows of a study without trials.
    pub(super) fn empty(study: u64) -> Log {
        Log {
            study,
            ids: Vec::new(),
            next: 0,
            open: BTreeSet::new(),
            late: BTreeMap::new(),
            space: None,
            stopped: None,
            forms: Vec::new(),
        }
    }

    /// Adds the lines of a trial that has ended. Where one below it has not, they wait for it, so that a file is
    /// the same whichever ended first; [`Log::append`] adds them at once.
    pub fn ended(&mut self, space: &Space, trial: &Trial, rungs: &[Report], text: &mut String) {
        self.know(space, text);
        let known = self.ids.len() as u64;
        if trial.number < known {
            self.change(space, trial, rungs, text);
            return;
        }
        let mut own = String::new();
        self.create(space, trial, rungs, &mut own);
        self.late.insert(trial.number, own);
        while let Some(ready) = self.late.remove(&(self.ids.len() as u64)) {
            text.push_str(&ready);
            self.ids.push(self.next);
            self.next += 1;
        }
    }

    /// Adds the lines of all that the file lacks: the space, trials that wait, that run or have ended, and the stop.
    pub fn append(&mut self, record: &Record, text: &mut String) {
        let study = &record.study;
        self.know(&study.space, text);
        let rungs = |number: u64| record.rungs.get(number as usize).map_or(&[][..], Vec::as_slice);
        for number in self.open.clone() {
            if let Some(trial) = study.trials.get(number as usize).filter(|trial| trial.state.is_finished()) {
                self.change(&study.space, trial, rungs(number), text);
            }
        }
        self.late.clear();
        for trial in study.trials.iter().skip(self.ids.len()) {
            self.create(&study.space, trial, rungs(trial.number), text);
            if !trial.state.is_finished() {
                self.open.insert(trial.number);
            }
            self.ids.push(self.next);
            self.next += 1;
        }
        if self.stopped != record.stopped {
            let stopped = record.stopped.as_ref().map(|stopped| json!({"after": stopped.after, "why": stopped.why}));
            self.attribute(text, STOPPED, &stopped.unwrap_or(Json::Null).to_string());
            self.stopped.clone_from(&record.stopped);
        }
    }

    /// Adds the line of the space, if the file has another.
    fn know(&mut self, space: &Space, text: &mut String) {
        let is_known = self.space.as_ref() == Some(space);
        if !is_known {
            self.attribute(text, SPACE, &from_space(space).to_string());
            self.space = Some(space.clone());
        }
        if !is_known || self.forms.len() != space.parameters().len() {
            let form = |text: &str| Json::from(text).to_string();
            let parameters = space.parameters().iter();
            self.forms = parameters.map(|one| [form(&one.name), form(&from_distribution(&one.distribution))]).collect();
        }
    }

    fn attribute(&self, text: &mut String, key: &str, value: &str) {
        let _ = writeln!(
            text,
            "{}\"study_id\":{},\"user_attr\":{{\"{key}\":{value}}}}}",
            line(operation::STUDY_USER),
            self.study
        );
    }

    /// Adds the line of a trial that the file lacks.
    fn create(&self, space: &Space, trial: &Trial, rungs: &[Report], text: &mut String) {
        let start = if trial.state == State::Waiting { "null".to_owned() } else { format!("\"{MOMENT}\"") };
        let complete =
            if trial.state.is_finished() { format!(",\"datetime_complete\":\"{MOMENT}\"") } else { String::new() };
        let _ = write!(
            text,
            "{}\"study_id\":{},\"datetime_start\":{start},\"state\":{},\"value\":",
            line(operation::CREATE_TRIAL),
            self.study,
            state_of(trial.state)
        );
        push_value(text, trial);
        let _ = write!(text, ",\"values\":null{complete},\"distributions\":");
        let is_waiting = trial.state == State::Waiting;
        let chosen =
            || (0..).zip(&trial.values).filter_map(|(at, value)| Some((at, (*value)?))).filter(|_| !is_waiting);
        push_list(text, ['{', '}'], chosen(), |text, (at, _): (usize, f64)| {
            text.extend([&self.forms[at][0], ":", &self.forms[at][1]]);
        });
        text.push_str(",\"params\":");
        push_list(text, ['{', '}'], chosen(), |text, (at, value)| {
            text.extend([&self.forms[at][0], ":"]);
            push_internal(text, &space.parameters()[at].distribution, value);
        });
        for (name, attributes) in [("user", user(trial, rungs)), ("system", system(space, trial, rungs))] {
            let _ = write!(text, ",\"{name}_attrs\":");
            push_list(text, ['{', '}'], attributes, |text, (key, value)| text.extend(["\"", &key, "\":", &value]));
        }
        text.push_str(",\"intermediate_values\":");
        push_list(text, ['{', '}'], &trial.reports, |text, report| {
            let _ = write!(text, "\"{}\":", report.step);
            push_number(text, report.value);
        });
        text.push_str("}\n");
    }

    /// Adds the lines that end a trial in the file. Its state comes last: cut before, it has not ended.
    fn change(&mut self, space: &Space, trial: &Trial, rungs: &[Report], text: &mut String) {
        if !self.open.remove(&trial.number) {
            return;
        }
        let Some(id) = self.ids.get(trial.number as usize) else { return };
        let begin = |text: &mut String, code| {
            let _ = write!(text, "{}\"trial_id\":{id},", line(code));
        };
        for (at, value) in (0..).zip(&trial.values).filter_map(|(at, value): (usize, _)| Some((at, (*value)?))) {
            begin(text, operation::PARAMETER);
            let _ = write!(text, "\"param_name\":{},\"param_value_internal\":", self.forms[at][0]);
            push_internal(text, &space.parameters()[at].distribution, value);
            let _ = writeln!(text, ",\"distribution\":{}}}", self.forms[at][1]);
        }
        for report in &trial.reports {
            begin(text, operation::REPORT);
            let _ = write!(text, "\"step\":{},\"intermediate_value\":", report.step);
            push_number(text, report.value);
            text.push_str("}\n");
        }
        for (key, value) in user(trial, rungs) {
            begin(text, operation::TRIAL_USER);
            let _ = writeln!(text, "\"user_attr\":{{\"{key}\":{value}}}}}");
        }
        for (key, value) in system(space, trial, rungs) {
            begin(text, operation::TRIAL_SYSTEM);
            let _ = writeln!(text, "\"system_attr\":{{\"{key}\":{value}}}}}");
        }
        begin(text, operation::STATE);
        let _ = write!(text, "\"state\":{},\"values\":", state_of(trial.state));
        let mut value = String::new();
        push_value(&mut value, trial);
        let values = if value == "null" { value } else { format!("[{value}]") };
        let _ = writeln!(text, "{values},\"datetime_complete\":\"{MOMENT}\"}}");
    }
}

/// Begins a line.
fn line(code: u64) -> String {
    format!("{{\"op_code\":{code},\"worker_id\":\"trainyard\",")
}

fn state_of(state: State) -> u64 {
    match state {
        State::Running => 0,
        State::Complete => 1,
        State::Pruned => 2,
        State::Failed => 3,
        State::Waiting => 4,
    }
}

/// Writes the value of a trial; that of a pruned one is its last report, as with Optuna.
fn push_value(text: &mut String, trial: &Trial) {
    let last = trial.reports.last().filter(|_| trial.state == State::Pruned).map(|report| report.value);
    match trial.value.or(last.filter(|value| !value.is_nan())) {
        Some(value) => push_number(text, value),
        None => text.push_str("null"),
    }
}

fn push_internal(text: &mut String, distribution: &Distribution, value: f64) {
    match distribution {
        Distribution::Categorical { .. } => {
            let _ = write!(text, "{}", value as u64);
        }
        _ => push_number(text, value),
    }
}

/// Gives what we know beyond Optuna.
fn user(trial: &Trial, rungs: &[Report]) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    if !trial.parts.is_empty() {
        let mut parts = String::new();
        push_list(&mut parts, ['[', ']'], &trial.parts, |text, value| push_number(text, *value));
        attributes.push((PARTS.to_owned(), parts));
    }
    if let Some(reason) = &trial.reason {
        attributes.push((REASON.to_owned(), Json::from(reason.as_str()).to_string()));
    }
    if !rungs.is_empty() {
        let steps: Vec<u64> = rungs.iter().map(|rung| rung.step).collect();
        attributes.push((RUNGS.to_owned(), Json::from(steps).to_string()));
    }
    attributes
}

/// Gives what Optuna's samplers and pruners look for.
fn system(space: &Space, trial: &Trial, rungs: &[Report]) -> Vec<(String, String)> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for (at, rung) in rungs.iter().enumerate() {
        let mut value = String::new();
        push_number(&mut value, rung.value);
        attributes.push((format!("{RUNG}{at}"), value));
    }
    if trial.state == State::Waiting {
        let chosen = space.parameters().iter().zip(&trial.values);
        let fixed: Map<String, Json> = chosen
            .filter_map(|(one, value)| Some((one.name.clone(), from_value(&one.distribution.external((*value)?)))))
            .collect();
        attributes.push(("fixed_params".to_owned(), Json::Object(fixed).to_string()));
    }
    attributes
}
