//! Journals in.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::choices::{to_distribution, to_space, to_value};
use super::json::{number, parse};
use super::write::Log;
use super::{PARTS, REASON, RUNG, RUNGS, SPACE, STOPPED, operation};
use crate::problem::{Damage, StudyError};
use crate::record::{Record, Stopped, trials as counted};
use crate::{Direction, Distribution, Parameter, Report, Space, State, Study, Trial, Values, When};

/// A study from a journal.
#[derive(Debug, Clone)]
pub struct Read {
    /// The study.
    pub record: Record,
    /// Knows what the journal holds, to go on with it.
    pub log: Log,
    /// The number of bytes that are whole lines; what stands behind was cut, and goes before anything is added.
    pub whole: usize,
    /// What was passed over or cannot be as it was, a sentence each.
    pub notes: Vec<String>,
}

/// Reads the study `name` of a journal; without a name, the only one.
///
/// What Optuna passes over is passed over: operations on studies that are gone and on trials that have ended. A study
/// that is not ours has no space; it gets the ranges that its trials had, and conditions where a choice decides
/// whether a parameter is there.
///
/// # Errors
/// A line that is no operation; no study, none of this name, several and no name, or one of several values a trial.
pub fn read(text: &str, name: Option<&str>) -> Result<Read, StudyError> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut journal = Journal::default();
    for (at, line) in text[..whole].lines().enumerate() {
        journal.line = at + 1;
        journal.apply(line).map_err(|what| StudyError::Line { line: at + 1, what })?;
    }
    let mut notes = Vec::new();
    if whole < text.len() {
        notes.push(format!("line {} was cut; what stands before it counts", journal.line + 1));
    }
    if journal.passed > 0 {
        notes.push(format!("operations on what was gone or had ended, passed over: {}", journal.passed));
    }
    let id = journal.find(name)?;
    let (record, mut log) = journal.study(id, &mut notes)?;
    log.next = journal.trials.len() as u64;
    Ok(Read { record, log, whole, notes })
}

type Damaged<T> = Result<T, Damage>;

/// A study as its lines made it.
#[derive(Debug, Default)]
struct RawStudy {
    name: String,
    directions: Vec<u64>,
    user: BTreeMap<String, (usize, Json)>,
    trials: Vec<usize>,
    /// By parameter, the distribution that it had first.
    first: BTreeMap<String, Distribution>,
    is_gone: bool,
}

/// A trial as its lines made it.
#[derive(Debug)]
struct RawTrial {
    study: usize,
    line: usize,
    state: State,
    values: Option<Vec<f64>>,
    chosen: Vec<(String, f64, Distribution)>,
    reports: BTreeMap<u64, f64>,
    user: Map<String, Json>,
    system: Map<String, Json>,
}

#[derive(Debug, Default)]
struct Journal {
    studies: Vec<RawStudy>,
    trials: Vec<RawTrial>,
    /// Distributions by their text, which is the same in most lines.
    known: BTreeMap<String, Distribution>,
    line: usize,
    passed: u64,
}

fn field<'a>(line: &'a Json, name: &'static str) -> Damaged<&'a Json> {
    line.get(name).ok_or(Damage::Field(name))
}

fn whole(line: &Json, name: &'static str) -> Damaged<u64> {
    field(line, name)?.as_u64().ok_or(Damage::Field(name))
}

fn text<'a>(line: &'a Json, name: &'static str) -> Damaged<&'a str> {
    field(line, name)?.as_str().ok_or(Damage::Field(name))
}

/// Gives the numbers of a list; none where it is `null` or left out.
fn numbers(line: &Json, name: &'static str) -> Damaged<Option<Vec<f64>>> {
    match line.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Array(values)) => {
            values.iter().map(number).collect::<Option<Vec<f64>>>().map(Some).ok_or(Damage::Field(name))
        }
        Some(_) => Err(Damage::Field(name)),
    }
}

/// Gives an object; an empty one where it is left out.
fn object(line: &Json, name: &'static str) -> Damaged<Map<String, Json>> {
    match line.get(name) {
        None => Ok(Map::new()),
        Some(Json::Object(fields)) => Ok(fields.clone()),
        Some(_) => Err(Damage::Field(name)),
    }
}

fn state_of(code: &Json) -> Damaged<State> {
    Ok(match code.as_u64() {
        Some(0) => State::Running,
        Some(1) => State::Complete,
        Some(2) => State::Pruned,
        Some(3) => State::Failed,
        Some(4) => State::Waiting,
        _ => return Err(Damage::Field("state")),
    })
}

impl Journal {
    fn apply(&mut self, line: &str) -> Damaged<()> {
        let line = parse(line).filter(Json::is_object).ok_or(Damage::NoObject)?;
        let code = field(&line, "op_code")?;
        match code.as_u64() {
            Some(operation::CREATE_STUDY) => self.create_study(&line),
            Some(operation::DELETE_STUDY) => {
                let Some(study) = self.known_study(&line)? else { return Ok(()) };
                self.studies[study].is_gone = true;
                Ok(())
            }
            Some(operation::STUDY_USER) => {
                let Some(study) = self.known_study(&line)? else { return Ok(()) };
                let at = self.line;
                let attributes = object(&line, "user_attr")?.into_iter().map(|(key, value)| (key, (at, value)));
                self.studies[study].user.extend(attributes);
                Ok(())
            }
            Some(operation::STUDY_SYSTEM | operation::DISCARD) => Ok(()),
            Some(operation::CREATE_TRIAL) => self.create_trial(&line),
            Some(operation::PARAMETER) => self.choose(&line),
            Some(operation::STATE) => {
                let state = state_of(field(&line, "state")?)?;
                let values = numbers(&line, "values")?;
                let Some(trial) = self.open_trial(&line)? else { return Ok(()) };
                trial.state = state;
                trial.values = values.or(trial.values.take());
                Ok(())
            }
            Some(operation::REPORT) => {
                let step = field(&line, "step")?;
                let value = number(field(&line, "intermediate_value")?).ok_or(Damage::Field("intermediate_value"))?;
                let step = step.as_u64().ok_or(Damage::Field("step"))?;
                let Some(trial) = self.open_trial(&line)? else { return Ok(()) };
                trial.reports.insert(step, value);
                Ok(())
            }
            Some(operation::TRIAL_USER) => {
                let attributes = object(&line, "user_attr")?;
                let Some(trial) = self.open_trial(&line)? else { return Ok(()) };
                trial.user.extend(attributes);
                Ok(())
            }
            Some(operation::TRIAL_SYSTEM) => {
                let attributes = object(&line, "system_attr")?;
                let Some(trial) = self.open_trial(&line)? else { return Ok(()) };
                trial.system.extend(attributes);
                Ok(())
            }
            _ => Err(Damage::Operation(code.to_string())),
        }
    }

    /// Gives the study of a line; none where it is gone or was never there.
    fn known_study(&mut self, line: &Json) -> Damaged<Option<usize>> {
        let id = usize::try_from(whole(line, "study_id")?).unwrap_or(usize::MAX);
        let known = self.studies.get(id).filter(|study| !study.is_gone).map(|_| id);
        self.passed += u64::from(known.is_none());
        Ok(known)
    }

    /// Gives the trial of a line; none where it has ended or was never there.
    fn open_trial(&mut self, line: &Json) -> Damaged<Option<&mut RawTrial>> {
        let id = usize::try_from(whole(line, "trial_id")?).unwrap_or(usize::MAX);
        let trial = self.trials.get_mut(id).filter(|trial| !trial.state.is_finished());
        self.passed += u64::from(trial.is_none());
        Ok(trial)
    }

    fn create_study(&mut self, line: &Json) -> Damaged<()> {
        let name = text(line, "study_name")?.to_owned();
        let directions = field(line, "directions")?.as_array().ok_or(Damage::Field("directions"))?;
        let directions: Option<Vec<u64>> =
            directions.iter().map(|one| one.as_u64().filter(|code| matches!(code, 1 | 2))).collect();
        let directions = directions.filter(|all| !all.is_empty()).ok_or(Damage::Field("directions"))?;
        if self.studies.iter().any(|study| !study.is_gone && study.name == name) {
            self.passed += 1;
        } else {
            self.studies.push(RawStudy { name, directions, ..RawStudy::default() });
        }
        Ok(())
    }

    fn distribution(&mut self, name: &str, text: &str) -> Damaged<Distribution> {
        if let Some(known) = self.known.get(text) {
            return Ok(known.clone());
        }
        let distribution = to_distribution(text).ok_or_else(|| Damage::Distribution(name.to_owned()))?;
        self.known.insert(text.to_owned(), distribution.clone());
        Ok(distribution)
    }

    fn create_trial(&mut self, line: &Json) -> Damaged<()> {
        let Some(study) = self.known_study(line)? else { return Ok(()) };
        let state = line.get("state").map_or(Ok(State::Running), state_of)?;
        let value = match line.get("value") {
            None | Some(Json::Null) => None,
            Some(value) => Some(vec![number(value).ok_or(Damage::Field("value"))?]),
        };
        let values = numbers(line, "values")?.or(value);
        let distributions = object(line, "distributions")?;
        let mut chosen = Vec::new();
        for (name, value) in object(line, "params")? {
            let value = number(&value).ok_or(Damage::Field("params"))?;
            let text = distributions.get(&name).and_then(Json::as_str);
            let distribution = match text {
                Some(text) => self.distribution(&name, text)?,
                None => return Err(Damage::Distribution(name)),
            };
            self.studies[study].first.entry(name.clone()).or_insert_with(|| distribution.clone());
            chosen.push((name, value, distribution));
        }
        let mut reports = BTreeMap::new();
        for (step, value) in object(line, "intermediate_values")? {
            let step = step.parse().map_err(|_| Damage::Field("intermediate_values"))?;
            reports.insert(step, number(&value).ok_or(Damage::Field("intermediate_values"))?);
        }
        let (user, system) = (object(line, "user_attrs")?, object(line, "system_attrs")?);
        self.studies[study].trials.push(self.trials.len());
        let line = self.line;
        self.trials.push(RawTrial { study, line, state, values, chosen, reports, user, system });
        Ok(())
    }

    fn choose(&mut self, line: &Json) -> Damaged<()> {
        let name = text(line, "param_name")?.to_owned();
        let value = field(line, "param_value_internal")?;
        let value = number(value).ok_or(Damage::Field("param_value_internal"))?;
        let distribution = self.distribution(&name, text(line, "distribution")?)?;
        let Some(trial) = self.open_trial(line)? else { return Ok(()) };
        trial.chosen.retain(|(other, ..)| *other != name);
        trial.chosen.push((name.clone(), value, distribution.clone()));
        let study = trial.study;
        self.studies[study].first.entry(name).or_insert(distribution);
        Ok(())
    }

    fn find(&self, name: Option<&str>) -> Result<usize, StudyError> {
        let there: Vec<usize> = (0..self.studies.len()).filter(|&id| !self.studies[id].is_gone).collect();
        let known = || there.iter().map(|&id| self.studies[id].name.clone()).collect();
        match (name, &there[..]) {
            (_, []) => Err(StudyError::NoStudy),
            (None, [one]) => Ok(*one),
            (None, _) => Err(StudyError::SeveralStudies { known: known() }),
            (Some(name), _) => {
                let named = there.iter().copied().find(|&id| self.studies[id].name == name);
                named.ok_or_else(|| StudyError::UnknownStudy { name: name.to_owned(), known: known() })
            }
        }
    }

    /// Makes a study of what its lines say.
    fn study(&self, id: usize, notes: &mut Vec<String>) -> Result<(Record, Log), StudyError> {
        let raw = &self.studies[id];
        let [direction] = raw.directions[..] else {
            return Err(StudyError::SeveralObjectives { study: raw.name.clone(), count: raw.directions.len() });
        };
        let direction = if direction == 1 { Direction::Minimize } else { Direction::Maximize };
        let damaged = |line: usize, what| StudyError::Line { line, what };
        let trials: Vec<&RawTrial> = raw.trials.iter().map(|&trial| &self.trials[trial]).collect();
        let own = match raw.user.get(SPACE) {
            Some((line, json)) => Some(to_space(json).ok_or_else(|| damaged(*line, Damage::Field(SPACE)))?),
            None => None,
        };
        let space = match &own {
            Some(space) => space.clone(),
            None => space_of(raw, &trials, notes)?,
        };
        let mut log = Log::empty(id as u64);
        log.space = own;
        let study = Study { name: raw.name.clone(), direction, space, trials: Vec::new() };
        let mut record = Record { study, rungs: Vec::new(), stopped: None };
        let (mut beyond, mut lacking) = (0, 0);
        for (number, trial) in (0..).zip(&trials) {
            let (read, rungs, has_unknown) = trial.read(number, &record.study.space)?;
            beyond += u64::from(has_unknown);
            lacking += u64::from(read.value.is_some() && !record.study.space.contains(&read.values));
            if !read.state.is_finished() {
                log.open.insert(number);
            }
            log.ids.push(raw.trials[number as usize] as u64);
            record.push(read, rungs);
        }
        for (number, why) in [
            (beyond, "have a parameter that the space lacks, or a value outside of it; that parameter is left out"),
            (lacking, "have not just the parameters that exist under their choices"),
        ] {
            if number > 0 {
                notes.push(format!("{} of {} {why}", counted(number), raw.name));
            }
        }
        if let Some((line, json)) = raw.user.get(STOPPED).filter(|(_, json)| !json.is_null()) {
            let stopped = || Some((json.get("after")?.as_u64()?, json.get("why")?.as_str()?.to_owned()));
            let (after, why) = stopped().ok_or_else(|| damaged(*line, Damage::Field(STOPPED)))?;
            record.stopped = Some(Stopped { after, why });
        }
        log.stopped.clone_from(&record.stopped);
        Ok((record, log))
    }
}

impl RawTrial {
    /// Gives the trial, its rungs, and whether something that was chosen is not in the space.
    fn read(&self, place: u64, space: &Space) -> Result<(Trial, Vec<Report>, bool), StudyError> {
        let damaged = |name| StudyError::Line { line: self.line, what: Damage::Field(name) };
        let mut values: Values = vec![None; space.parameters().len()];
        let mut has_unknown = false;
        let mut choose = |name: &str, internal: &dyn Fn(&Distribution) -> Option<f64>| {
            let place = space.position(name).map(|at| (at, &space.parameters()[at].distribution));
            match place.and_then(|(at, distribution)| Some((at, internal(distribution)?))) {
                Some((at, internal)) => values[at] = Some(internal),
                None => has_unknown = true,
            }
        };
        for (name, value, own) in &self.chosen {
            choose(name, &|distribution| moved(own, *value, distribution));
        }
        if self.state == State::Waiting {
            for (name, value) in self.system.get("fixed_params").and_then(Json::as_object).into_iter().flatten() {
                choose(name, &|distribution| distribution.internal(&to_value(value)?));
            }
        }
        let mut trial = Trial { state: self.state, ..Trial::begun(place, values) };
        if self.state == State::Waiting {
            return Ok((trial, Vec::new(), has_unknown));
        }
        trial.reports = self.reports.iter().map(|(step, value)| Report { step: *step, value: *value }).collect();
        if self.state == State::Complete {
            let value = self.values.as_ref().and_then(|values| values.first().copied());
            trial.value = Some(value.filter(|value| !value.is_nan()).ok_or_else(|| damaged("values"))?);
        }
        if let Some(parts) = self.user.get(PARTS) {
            let parts = parts.as_array().and_then(|parts| parts.iter().map(number).collect());
            trial.parts = parts.ok_or_else(|| damaged(PARTS))?;
        }
        if let Some(reason) = self.user.get(REASON) {
            trial.reason = Some(reason.as_str().ok_or_else(|| damaged(REASON))?.to_owned());
        }
        let rungs = self.rungs(&trial.reports).ok_or_else(|| damaged(RUNGS))?;
        Ok((trial, rungs, has_unknown))
    }

    /// Gives the rungs that the trial completed. Optuna keeps their values alone; then a step is the first that it can
    /// be.
    fn rungs(&self, reports: &[Report]) -> Option<Vec<Report>> {
        let steps = match self.user.get(RUNGS) {
            Some(steps) => steps.as_array()?.iter().map(Json::as_u64).collect::<Option<Vec<u64>>>()?,
            None => Vec::new(),
        };
        let mut rungs: Vec<Report> = Vec::new();
        while let Some(value) = self.system.get(&format!("{RUNG}{}", rungs.len())) {
            let value = number(value)?;
            let from = rungs.last().map_or(0, |rung| rung.step);
            let at = reports.iter().find(|report| report.step >= from && report.value == value);
            let step = steps.get(rungs.len()).copied().or(at.map(|report| report.step)).unwrap_or(from);
            rungs.push(Report { step, value });
        }
        Some(rungs)
    }
}

/// Gives the double of a choice of `own` in another distribution; none where that does not contain it.
fn moved(own: &Distribution, value: f64, other: &Distribution) -> Option<f64> {
    match (own, other) {
        (Distribution::Categorical { .. }, _) | (_, Distribution::Categorical { .. }) => {
            other.internal(&own.contains(value).then(|| own.external(value))?)
        }
        // The last of some steps, counted in decimals there, may lie behind ours by what rounding moved it.
        (_, Distribution::Float { high, step: Some(step), .. }) if value > *high && value - high < 1e-8 * step => {
            Some(*high)
        }
        _ => other.contains(value).then_some(value),
    }
}

/// Makes a space of what trials chose from.
fn space_of(raw: &RawStudy, trials: &[&RawTrial], notes: &mut Vec<String>) -> Result<Space, StudyError> {
    let mut names: Vec<&str> = Vec::new();
    let mut merged: BTreeMap<&str, Distribution> = BTreeMap::new();
    let mut moved: Vec<&str> = Vec::new();
    for trial in trials {
        for (name, _, distribution) in &trial.chosen {
            let Some(known) = merged.get(name.as_str()) else {
                names.push(name);
                merged.insert(name, distribution.clone());
                continue;
            };
            if known != distribution {
                let damage = || Damage::Space(format!("`{name}` has numbers and choices"));
                let both =
                    merge(known, distribution).ok_or_else(|| StudyError::Line { line: trial.line, what: damage() })?;
                merged.insert(name, both);
                if !moved.contains(&name.as_str()) {
                    moved.push(name);
                }
            }
        }
    }
    for name in moved {
        notes.push(format!("`{name}` was chosen from several ranges; the study has the one that holds them all"));
    }
    let mut parameters: Vec<Parameter> = Vec::new();
    for name in names {
        let Some(distribution) = merged.remove(name) else { continue };
        let when = condition(name, &parameters, trials);
        parameters.push(Parameter { name: name.to_owned(), distribution, when });
    }
    let line = trials.first().map_or(1, |trial| trial.line);
    let damaged = |error: crate::Error| StudyError::Line { line, what: Damage::Space(error.to_string()) };
    let space = Space::new(parameters).map_err(damaged)?;
    if !raw.trials.is_empty() {
        notes.push("the journal has no space; it is made of what the trials chose from".to_owned());
    }
    Ok(space)
}

/// Gives the distribution that has the values of both; none where one has numbers and the other choices.
fn merge(one: &Distribution, other: &Distribution) -> Option<Distribution> {
    use Distribution::{Categorical, Float, Int};
    match (one, other) {
        (Categorical { choices }, Categorical { choices: more }) => {
            let new = more.iter().filter(|choice| !choices.contains(choice));
            Distribution::categorical(choices.iter().chain(new).cloned().collect()).ok()
        }
        (Int { low, high, log, step }, Int { low: below, high: above, log: with_log, step: by }) => {
            let is_same = step == by && (low - below) % step == 0;
            let (log, step) = (*log && *with_log, if is_same { *step } else { 1 });
            Distribution::int(*low.min(below), *high.max(above), log, step).ok()
        }
        (Categorical { .. }, _) | (_, Categorical { .. }) => None,
        _ => {
            let bounds = |distribution: &Distribution| match *distribution {
                Float { low, high, log, .. } => (low, high, log),
                Int { low, high, log, .. } => (low as f64, high as f64, log),
                Categorical { .. } => (0.0, 0.0, false),
            };
            let ((low, high, log), (below, above, with_log)) = (bounds(one), bounds(other));
            Distribution::float(low.min(below), high.max(above), log && with_log, None).ok()
        }
    }
}

/// Finds the choice that decides whether a parameter is there, among those before it.
fn condition(name: &str, before: &[Parameter], trials: &[&RawTrial]) -> Option<When> {
    let judged = || trials.iter().filter(|trial| matches!(trial.state, State::Complete | State::Pruned));
    let has = |trial: &RawTrial| trial.chosen.iter().any(|(other, ..)| other == name);
    if judged().all(|trial| has(trial)) {
        return None;
    }
    before.iter().enumerate().find_map(|(parent, parameter)| {
        let Distribution::Categorical { choices } = &parameter.distribution else { return None };
        let mut is_there: Vec<Option<bool>> = vec![None; choices.len()];
        for trial in judged() {
            let chosen = trial.chosen.iter().find(|(other, ..)| *other == parameter.name);
            let choice = chosen
                .filter(|(_, value, own)| own.contains(*value))
                .and_then(|(_, value, own)| parameter.distribution.internal(&own.external(*value)));
            match choice {
                Some(choice) if is_there[choice as usize].unwrap_or(has(trial)) == has(trial) => {
                    is_there[choice as usize] = Some(has(trial));
                }
                None if !has(trial) => {}
                _ => return None,
            }
        }
        let choices: Vec<usize> = (0..choices.len()).filter(|&choice| is_there[choice] == Some(true)).collect();
        (!choices.is_empty()).then_some(When { parent, choices })
    })
}
