//! Journals that Optuna writes, reads and goes on with.

use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value as Json, json};
use trainyard_judges::python;
use trainyard_tune::journal::{Log, read, write};
use trainyard_tune::pruners::{Percentile, SuccessiveHalving};
use trainyard_tune::{
    Damage, Direction, Distribution, Event, Outcome, Record, Report, Rule, State, StudyError, Trial, Value,
};

use crate::fixtures::{Learner, Way, parameter, record, silently, sound, space_of};

/// A study in which everything happened.
fn eventful() -> Record {
    let learner = Learner { parts: 2, iterations: 4, sleep: 0, seed: 0, is_frail: true };
    let halving = SuccessiveHalving { resource: Some(1), factor: 2, ..SuccessiveHalving::default() };
    let mut record = record();
    let way = Way { pruner: &halving, rules: &[Rule::Trials(23)], ..Way::default() };
    silently(|| way.run(&mut record, &learner)).expect("a search");
    let begun = |number: u64| Trial::begun(number, record.study.trials[0].values.clone());
    let report = |step, value| Report { step, value };
    let strange = Trial {
        state: State::Pruned,
        reports: vec![report(0, f64::NEG_INFINITY), report(3, f64::INFINITY), report(7, f64::NAN)],
        parts: vec![f64::INFINITY, -0.0],
        reason: Some("\"größer\"\n\u{0} NaN".to_owned()),
        ..begun(24)
    };
    let infinite = Trial { state: State::Complete, value: Some(f64::INFINITY), ..begun(25) };
    let failed = Trial { state: State::Failed, reason: Some("no memory".to_owned()), parts: vec![0.5], ..begun(23) };
    record.study.trials.extend([failed, strange, infinite, begun(26)]);
    record.rungs.resize(27, Vec::new());
    record.enqueue(&[("depth".to_owned(), Value::Int(3))]).expect("a depth");
    record
}

fn same(one: &Record, other: &Record) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

#[test]
fn a_study_comes_back_from_its_journal() {
    let record = eventful();
    for state in [State::Complete, State::Pruned, State::Failed, State::Running, State::Waiting] {
        assert!(record.study.trials.iter().any(|trial| trial.state == state), "{state:?}");
    }
    assert!(record.rungs.iter().any(|rungs| rungs.len() > 1) && record.stopped.is_some());
    let text = write(&record);
    assert_eq!(text.lines().count(), 2 + record.study.trials.len() + 1);
    let again = read(&text, Some("churn")).unwrap();
    same(&again.record, &record);
    assert_eq!((again.whole, again.notes), (text.len(), vec![]));
    assert_eq!(write(&again.record), text);
    // Nothing is missing.
    let (mut log, mut lines) = (again.log, String::new());
    log.append(&record, &mut lines);
    assert_eq!(lines, "");
}

#[test]
fn values_at_the_end_of_steps_come_back() {
    let steps = Distribution::float(0.1, 0.3, false, Some(0.1)).unwrap();
    let last = steps.nth(2);
    // Three tenths by steps are a bit more than 0.3.
    assert!(last == 0.3 && 0.1 + 2.0 * 0.1 > 0.3);
    let mut record = Record::new("steps", Direction::Maximize, space_of(vec![parameter("x", steps, None)]));
    let trial = Trial { state: State::Complete, value: Some(1.0), ..Trial::begun(0, vec![Some(last)]) };
    record.study.trials.push(trial);
    record.rungs.push(Vec::new());
    let text = write(&record);
    assert!(text.contains(r#"\"high\":0.3,"#), "{text}");
    same(&read(&text, None).unwrap().record, &record);
}

#[test]
fn a_file_that_grows_says_the_same_as_one_that_is_written_at_once() {
    let pruner = Percentile { startup: 2, ..Percentile::median() };
    let learner = Learner { parts: 2, iterations: 3, sleep: 80, seed: 0, is_frail: false };
    let grow = |threads| {
        let mut record = record();
        let (log, text) = Log::begin(&record);
        let file = Mutex::new((log, text));
        let space = record.study.space.clone();
        let hear = |event: Event<'_>| {
            if let Event::Ended { trial, rungs } = event {
                let (log, text) = &mut *file.lock().unwrap();
                log.ended(&space, trial, rungs, text);
            }
        };
        Way { threads, pruner: &pruner, hear: &hear, ..Way::default() }.run(&mut record, &learner).unwrap();
        let (mut log, mut text) = file.into_inner().unwrap();
        log.append(&record, &mut text);
        (record, text)
    };
    let (record, text) = grow(1);
    assert_eq!(text, write(&record));
    assert_eq!(grow(8).1, text);
}

#[test]
fn a_study_lives_in_its_file_however_often_it_is_interrupted() {
    let pruner = Percentile { startup: 2, ..Percentile::median() };
    let learner = Learner { parts: 2, iterations: 3, sleep: 80, seed: 0, is_frail: true };
    let mut whole = record();
    whole.enqueue(&[("depth".to_owned(), Value::Int(4))]).unwrap();
    let mut file = write(&whole);
    let way = Way { threads: 3, pruner: &pruner, ..Way::default() };
    silently(|| way.run(&mut whole, &learner)).unwrap();
    let mut runs = 0;
    loop {
        let said = Mutex::new(0);
        let interrupted = || {
            let mut said = said.lock().unwrap();
            *said += 1;
            *said > 25 + runs
        };
        let known = read(&file, Some("churn")).unwrap();
        assert_eq!(known.notes, Vec::<String>::new());
        let mut record = known.record;
        let space = record.study.space.clone();
        let growing = Mutex::new((known.log, file));
        let hear = |event: Event<'_>| {
            if let Event::Ended { trial, rungs } = event {
                let (log, text) = &mut *growing.lock().unwrap();
                log.ended(&space, trial, rungs, text);
                // Killed here, what the file has can be gone on with.
                assert_eq!(read(text, None).unwrap().notes, Vec::<String>::new());
            }
        };
        let way = Way { interrupted: &interrupted, hear: &hear, ..way };
        let outcome = silently(|| way.run(&mut record, &learner)).unwrap();
        let (mut log, text) = growing.into_inner().unwrap();
        file = text;
        log.append(&record, &mut file);
        same(&read(&file, None).unwrap().record, &record);
        runs += 1;
        if outcome != Outcome::Interrupted {
            break;
        }
        // A power cut in the middle of a line.
        let cut = format!("{file}{{\"op_code\":4,\"wor");
        let torn = read(&cut, None).unwrap();
        assert_eq!(torn.whole, file.len());
        let words = format!("line {} was cut; what stands before it counts", file.lines().count() + 1);
        assert_eq!(torn.notes, [words]);
        same(&torn.record, &record);
    }
    assert!(runs > 3, "{runs}");
    same(&read(&file, None).unwrap().record, &whole);
}

#[test]
fn a_broken_line_is_named() {
    let begin = r#"{"op_code":0,"worker_id":"w","study_name":"s","directions":[1]}"#;
    let trial = r#"{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":null}"#;
    let field = Damage::Field;
    for (line, what) in [
        ("", Damage::NoObject),
        ("[1]", Damage::NoObject),
        (r#"{"op_code":4"#, Damage::NoObject),
        ("{}", field("op_code")),
        (r#"{"op_code":11}"#, Damage::Operation("11".to_owned())),
        (r#"{"op_code":"x"}"#, Damage::Operation("\"x\"".to_owned())),
        (r#"{"op_code":0,"study_name":"t","directions":[3]}"#, field("directions")),
        (r#"{"op_code":0,"directions":[1]}"#, field("study_name")),
        (r#"{"op_code":4}"#, field("study_id")),
        (r#"{"op_code":4,"study_id":0,"state":7}"#, field("state")),
        (r#"{"op_code":4,"study_id":0,"params":{"x":1},"distributions":{}}"#, Damage::Distribution("x".to_owned())),
        (r#"{"op_code":4,"study_id":0,"intermediate_values":{"a":1}}"#, field("intermediate_values")),
        (r#"{"op_code":5,"trial_id":0,"param_name":"x"}"#, field("param_value_internal")),
        (
            r#"{"op_code":5,"trial_id":0,"param_name":"x","param_value_internal":1,"distribution":"{}"}"#,
            Damage::Distribution("x".to_owned()),
        ),
        (r#"{"op_code":6,"trial_id":0,"state":1,"values":"x"}"#, field("values")),
        (r#"{"op_code":6,"trial_id":0,"state":1,"values":null}"#, field("values")),
        (r#"{"op_code":7,"trial_id":0,"step":-1,"intermediate_value":1}"#, field("step")),
        (r#"{"op_code":8,"trial_id":0,"user_attr":7}"#, field("user_attr")),
        (r#"{"op_code":2,"study_id":0,"user_attr":{"trainyard:space":[{"name":1}]}}"#, field("trainyard:space")),
        (r#"{"op_code":2,"study_id":0,"user_attr":{"trainyard:stopped":{}}}"#, field("trainyard:stopped")),
    ] {
        let text = format!("{begin}\n{trial}\n{line}\n");
        let error = read(&text, None).unwrap_err();
        // What a trial lacks is told of the line that began it.
        let at = if line.contains("\"state\":1,\"values\":null") { 2 } else { 3 };
        assert_eq!(error, StudyError::Line { line: at, what }, "{line}");
    }
    let error = read(&format!("{begin}\n{{}}\n"), None).unwrap_err();
    assert_eq!(error.to_string(), "line 2 of the journal has no sound `op_code`");
    let passed = r#"{"op_code":7,"trial_id":9,"step":1,"intermediate_value":1}"#;
    let known = read(&format!("{begin}\n{passed}\n"), None).unwrap();
    assert_eq!(known.notes, ["operations on what was gone or had ended, passed over: 1"]);
}

#[test]
fn a_study_is_found_by_its_name() {
    let one = write(&record());
    let other = one.replace("\"churn\"", "\"spam\"").replace("\"study_id\":0", "\"study_id\":1");
    let both = format!("{one}{other}");
    let known = vec!["churn".to_owned(), "spam".to_owned()];
    assert_eq!(read(&both, Some("spam")).unwrap().record.study.name, "spam");
    assert_eq!(read(&both, None).unwrap_err(), StudyError::SeveralStudies { known: known.clone() });
    let unknown = read(&both, Some("span")).unwrap_err();
    assert_eq!(unknown, StudyError::UnknownStudy { name: "span".to_owned(), known });
    assert_eq!(unknown.diagnostic().help, ["did you mean `spam`?"]);
    assert_eq!(read("", None).unwrap_err(), StudyError::NoStudy);
    let two = one.replace("\"directions\":[1]", "\"directions\":[1,2]");
    let several = StudyError::SeveralObjectives { study: "churn".to_owned(), count: 2 };
    assert_eq!(read(&two, None).unwrap_err(), several);
    // A study that was deleted is gone, and its name is free.
    let gone = format!("{one}{{\"op_code\":1,\"study_id\":0}}\n");
    assert_eq!(read(&gone, None).unwrap_err(), StudyError::NoStudy);
    let again = format!("{gone}{}", one.replace("\"study_id\":0", "\"study_id\":1"));
    assert_eq!(read(&again, None).unwrap().record, record());
}

#[test]
fn two_studies_grow_in_one_file() {
    let learner = Learner { parts: 2, iterations: 3, sleep: 0, seed: 0, is_frail: false };
    let names = ["churn", "spam"];
    let mut file = String::new();
    let mut alone = Vec::new();
    for name in names {
        let mut begun = record();
        begun.study.name = name.to_owned();
        // Its lines are changed later, by its place among the trials of both.
        begun.enqueue(&[("depth".to_owned(), Value::Int(4))]).unwrap();
        alone.push(begun);
    }
    for (id, begun) in alone.iter().enumerate() {
        file.push_str(&write(begun).replace("\"study_id\":0", &format!("\"study_id\":{id}")));
    }
    for trials in [3, 7, 9] {
        for (name, alone) in names.iter().zip(&mut alone) {
            let rules = [Rule::Trials(trials)];
            let way = Way { rules: &rules, ..Way::default() };
            let known = read(&file, Some(name)).unwrap();
            let (mut log, mut record) = (known.log, known.record);
            way.run(&mut record, &learner).unwrap();
            log.append(&record, &mut file);
            way.run(alone, &learner).unwrap();
        }
    }
    for (name, alone) in names.iter().zip(&alone) {
        same(&read(&file, Some(name)).unwrap().record, alone);
    }
}

const CONTINUED: &str = r#"
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
import warnings
warnings.simplefilter("error")
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
def load():
    storage = JournalStorage(JournalFileBackend(data["path"]))
    sampler = optuna.samplers.TPESampler(seed=1, n_startup_trials=3)
    pruner = optuna.pruners.SuccessiveHalvingPruner(1, 2)
    return optuna.load_study(study_name="churn", storage=storage, sampler=sampler, pruner=pruner)
study = load()
before = [[t.number, t.state.name, t.value, t.params, list(t.intermediate_values.items()),
           t.user_attrs.get("trainyard:reason")] for t in study.trials]
best = study.best_trial.number
def objective(trial):
    x = trial.suggest_float("rate", 1e-3, 1.0, log=True)
    if trial.suggest_categorical("learner", ["trees", "line"]) == "trees":
        x += trial.suggest_int("depth", 1, 9)
    x += trial.suggest_float("share", 0.1, 1.0, step=0.1)
    for step in range(4):
        trial.report(x + 1 / (step + 1), step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return x
study.optimize(objective, n_trials=8)
copied = optuna.create_study(direction="minimize")
copied.add_trials([t for t in study.trials if t.state.is_finished()])
after = [[t.number, t.state.name, t.value if t.state.name == "COMPLETE" else None, t.params] for t in load().trials]
answer = [before, best, after, len(copied.trials)]
"#;

fn plain(value: &Value) -> Json {
    match value {
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        other => json!(other.to_string()),
    }
}

fn chosen(record: &Record, trial: &Trial) -> Json {
    let parameters = record.study.space.parameters().iter().zip(&trial.values);
    let named =
        parameters.filter_map(|(one, value)| Some((one.name.clone(), plain(&one.distribution.external((*value)?)))));
    Json::Object(named.collect())
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Waiting => "WAITING",
        State::Running => "RUNNING",
        State::Complete => "COMPLETE",
        State::Pruned => "PRUNED",
        State::Failed => "FAIL",
    }
}

fn on_disk(text: &str, work: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.log");
    std::fs::write(&path, text).expect("a file");
    work(&path);
    std::fs::read_to_string(&path).expect("a file")
}

#[test]
fn optuna_opens_our_study_and_goes_on_with_it_and_so_do_we() {
    let Some(judge) = python("tuning") else { return };
    let ours = eventful();
    let mut answer = Json::Null;
    let file = on_disk(&write(&ours), |path| answer = judge.run(CONTINUED, &json!({"path": path})));
    let before = answer[0].as_array().unwrap();
    assert_eq!(before.len(), ours.study.trials.len());
    for (trial, theirs) in ours.study.trials.iter().zip(before) {
        let number = trainyard_judges::json_number;
        let last = trial.reports.last().filter(|_| trial.state == State::Pruned).map(|report| report.value);
        let value = trial.value.or(last.filter(|value| !value.is_nan())).map_or(Json::Null, number);
        let params = if trial.state == State::Waiting { json!({}) } else { chosen(&ours, trial) };
        let reports: Vec<Json> = trial.reports.iter().map(|one| json!([one.step, number(one.value)])).collect();
        let state = state_name(trial.state);
        assert_eq!(*theirs, json!([trial.number, state, value, params, reports, trial.reason]), "{trial:?}");
    }
    assert_eq!(answer[1], ours.study.best().unwrap().number);
    // What Optuna added, its first trial being the one that waited.
    let known = read(&file, Some("churn")).unwrap();
    assert_eq!(known.notes, Vec::<String>::new());
    let after = answer[2].as_array().unwrap();
    assert_eq!(after.len(), ours.study.trials.len() + 7);
    assert_eq!(known.record.study.trials.len(), after.len());
    let mut ended = 0;
    for (trial, theirs) in known.record.study.trials.iter().zip(after) {
        let value = trial.value.map_or(Json::Null, trainyard_judges::json_number);
        let mine = json!([trial.number, state_name(trial.state), value, chosen(&known.record, trial)]);
        assert_eq!(mine, *theirs);
        ended += u64::from(trial.state.is_finished());
    }
    assert_eq!(answer[3], ended);
    assert_eq!(known.record.study.trials[27].values[2], Some(3.0));
    assert!(known.record.rungs[28..].iter().any(|rungs| !rungs.is_empty()));
    // We go on with what Optuna left, and it with that.
    let (mut log, mut record) = (known.log, known.record);
    let learner = Learner { parts: 2, iterations: 4, sleep: 0, seed: 0, is_frail: false };
    let trials = record.study.trials.len() as u64 + 5;
    Way { rules: &[Rule::Trials(trials)], ..Way::default() }.run(&mut record, &learner).unwrap();
    let abandoned = record.study.trials[26].reason.as_deref();
    assert_eq!(abandoned, Some("it was begun elsewhere and never ended"));
    let mut file = file;
    log.append(&record, &mut file);
    same(&read(&file, None).unwrap().record, &record);
    on_disk(&file, |path| answer = judge.run(CONTINUED, &json!({"path": path})));
    assert_eq!(answer[0].as_array().unwrap().len() as u64, trials);
}

const OPTUNAS: &str = r#"
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = JournalStorage(JournalFileBackend(data["path"]))
optuna.create_study(study_name="before", storage=storage).optimize(lambda t: t.suggest_float("a", 0, 1), n_trials=3)
study = optuna.create_study(study_name="theirs", storage=storage, direction="maximize",
    sampler=optuna.samplers.RandomSampler(seed=5), pruner=optuna.pruners.SuccessiveHalvingPruner(1, 2))
study.enqueue_trial({"rate": 0.25, "kind": None})
def objective(trial):
    value = trial.suggest_float("rate", 1e-4, 1, log=True)
    kind = trial.suggest_categorical("kind", ["a", None, True, 2, 0.5])
    if kind in ("a", 2):
        value += trial.suggest_int("depth", 2, 20, step=3)
    value += trial.suggest_float("share", 0.1, 0.8, step=0.1)
    value += trial.suggest_int("rows", 1, 1000 + trial.number, log=True) / 1000
    if trial.number == 4:
        raise ValueError("no")
    for step in range(3):
        trial.report(float("nan") if trial.number == 9 else value - step, 2 * step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return value
study.optimize(objective, n_trials=30, catch=ValueError)
study.ask()
study.enqueue_trial({"rate": 0.5})
answer = [[t.number, t.state.name, t.value if t.state.name == "COMPLETE" else None, t.params] for t in study.trials]
answer = [answer, study.best_trial.number]
"#;

#[test]
fn a_study_of_optunas_is_read() {
    let Some(judge) = python("tuning") else { return };
    let mut answer = Json::Null;
    let file = on_disk("", |path| answer = judge.run(OPTUNAS, &json!({"path": path})));
    let known = read(&file, Some("theirs")).unwrap();
    let record = &known.record;
    assert_eq!(
        known.notes,
        [
            "`rows` was chosen from several ranges; the study has the one that holds them all",
            "the journal has no space; it is made of what the trials chose from",
        ]
    );
    let text = |text: &str| Value::Text(text.to_owned());
    let kinds = vec![text("a"), Value::Null, Value::Bool(true), Value::Int(2), Value::Float(0.5)];
    let when = trainyard_tune::When { parent: 1, choices: vec![0, 3] };
    let expected = space_of(vec![
        parameter("rate", sound(Distribution::float(1e-4, 1.0, true, None)), None),
        parameter("kind", sound(Distribution::categorical(kinds)), None),
        parameter("share", sound(Distribution::float(0.1, 0.8, false, Some(0.1))), None),
        parameter("rows", sound(Distribution::int(1, 1029, true, 1)), None),
        parameter("depth", sound(Distribution::int(2, 20, false, 3)), Some(when)),
    ]);
    assert_eq!(record.study.differs(&expected), []);
    let theirs = answer[0].as_array().unwrap();
    assert_eq!(record.study.trials.len(), theirs.len());
    for (trial, theirs) in record.study.trials.iter().zip(theirs) {
        let mine = json!([trial.number, state_name(trial.state), trial.value]);
        assert_eq!(mine.as_array().unwrap()[..], theirs.as_array().unwrap()[..3], "{trial:?}");
        let parameters = expected.parameters().iter().zip(&trial.values);
        for (parameter, value) in parameters.filter(|_| trial.state != State::Waiting) {
            let value = value.map(|value| match parameter.distribution.external(value) {
                Value::Null => Json::Null,
                Value::Bool(value) => json!(value),
                other => plain(&other),
            });
            assert_eq!(value.as_ref(), theirs[3].get(&parameter.name), "{trial:?}");
        }
    }
    assert_eq!(answer[1], record.study.best().unwrap().number);
    assert!(record.study.trials[9].reports[0].value.is_nan());
    assert!(record.rungs.iter().any(|rungs| rungs.len() > 1));
    let last = record.study.trials.last().unwrap();
    assert_eq!((last.state, last.values[0]), (State::Waiting, Some(0.5)));
    // What was read is ours from here on.
    same(&read(&write(record), None).unwrap().record, record);
}
