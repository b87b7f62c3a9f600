//! External engines through the binary: a run with the real libraries, one without any, one whose library crashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project, steps};
use crate::text;

const MODEL: &str = "\
baseline: {logistic_regression: {}}
candidates:
  lightgbm: {n_estimators: 30, num_leaves: 7, subsample: 0.7, subsample_freq: 1}
  xgboost: {n_estimators: 10, max_depth: 3}
cross_validation: {folds: 2}
";

/// The churn example with both engines as candidates, and a home without any.
struct Engined {
    project: Project,
    libraries: Vec<(&'static str, PathBuf)>,
}

impl Engined {
    fn new(libraries: Vec<(&'static str, PathBuf)>) -> Engined {
        let project = Project::with_rows(1200);
        project.write("versions/models/v1.yaml", MODEL);
        Engined { project, libraries }
    }

    /// A made table of 1,500 rows with numbers for features.
    fn synthetic(
        libraries: Vec<(&'static str, PathBuf)>,
        kind: &str,
        key: &str,
        target: &str,
        columns: &[&str],
    ) -> Engined {
        let engined = Engined::new(libraries);
        let project = &engined.project;
        let table = project.path("table.csv");
        let made = crate::trainyard(&["synth", kind, "--rows", "1500", "--output", table.to_str().unwrap()]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        project.write(
            "trainyard.yaml",
            format!(
                "name: {kind}\nmodel: {kind}\ndata:\n  source: table.csv\n  key: {key}\n  target: {target}\n\
                 active: {{split: 1, features: 1, model: 1}}\npromote: {{to: Staging, alias: champion}}\n"
            ),
        );
        project
            .write("versions/splits/v1.yaml", "seed: 1\nshares: {train: 0.7, validation: 0.1, reference_test: 0.2}\n");
        project.write("versions/features/v1.yaml", format!("groups: [{{numeric: [{}]}}]\n", columns.join(", ")));
        engined
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command(arguments);
        for variable in ["TRAINYARD_LIGHTGBM", "TRAINYARD_XGBOOST", "VIRTUAL_ENV", "CONDA_PREFIX"] {
            command.env_remove(variable);
        }
        command.env("XDG_DATA_HOME", self.project.path("home"));
        command.envs(self.libraries.iter().map(|(name, path)| (*name, path)));
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.call(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Finds the real libraries in the environment of the judge.
fn real() -> Option<Vec<(&'static str, PathBuf)>> {
    trainyard_judges::python("core")?;
    let packages = trainyard_judges::environments().join("core/lib");
    let python = fs::read_dir(packages).ok()?.flatten().map(|entry| entry.path()).next()?;
    let at = |path: &str| python.join("site-packages").join(path);
    Some(vec![
        ("TRAINYARD_LIGHTGBM", at("lightgbm/lib/lib_lightgbm.so")),
        ("TRAINYARD_XGBOOST", at("xgboost/lib/libxgboost.so")),
    ])
}

/// Compiles a LightGBM that does `act` when it is given the rows; none where there is no C compiler.
fn fake(folder: &Path, act: &str) -> Option<PathBuf> {
    let (source, object) = (folder.join("fake.c"), folder.join("fake.so"));
    let names = [
        "GetLastError",
        "DatasetSetField",
        "DatasetFree",
        "BoosterCreate",
        "BoosterAddValidData",
        "BoosterUpdateOneIter",
        "BoosterGetEvalCounts",
        "BoosterGetEval",
        "BoosterCalcNumPredict",
        "BoosterPredictForMat",
        "BoosterSaveModelToString",
        "BoosterFree",
    ];
    let rest: String = names.map(|name| format!("int LGBM_{name}() {{ return 0; }}\n")).concat();
    let text = format!("{rest}int LGBM_DatasetCreateFromMat() {{ {act}; return 0; }}\n");
    let text = format!("#include <stdio.h>\n#include <unistd.h>\n{text}");
    fs::write(&source, text).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(&object).arg(&source).status();
    compiled.ok().filter(|status| status.success()).map(|_| object)
}

#[test]
fn the_libraries_train_are_proven_and_are_not_needed_to_predict() {
    let Some(libraries) = real() else { return };
    let mut engined = Engined::new(libraries);
    let run = engined.json(&["run"]);
    assert!(run["metrics"]["reference"]["roc_auc"].as_f64().unwrap() > 0.75, "{}", run["metrics"]);
    let id = run["run"].as_str().unwrap();
    let verified = engined.json(&["verify", id, "--at", "1,2"]);
    assert_eq!(verified["identical"], true, "{verified}");
    let kinds = |step: &str| {
        let artifacts = verified["replays"][0]["artifacts"].as_array().unwrap().iter();
        let of_step = artifacts.filter(|artifact| artifact["step"] == step);
        of_step.map(|artifact| artifact["kind"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert!(
        kinds("train").iter().all(|kind| *kind == "external")
            && ["split", "baseline"].iter().all(|step| kinds(step).iter().all(|kind| *kind == "native"))
    );
    let again = engined.json(&["run"]);
    assert!(!steps(&again, "ran").contains(&"train".to_owned()), "{again}");

    // Another file is another library, though it does the same.
    let other = engined.project.path("other.so");
    let mut bytes = fs::read(&engined.libraries[0].1).unwrap();
    bytes.push(0);
    fs::write(&other, bytes).unwrap();
    let own = std::mem::replace(&mut engined.libraries[0].1, other);
    let why = engined.json(&["why", "train"]);
    assert!(why.to_string().contains("engine.lightgbm"), "{why}");
    engined.libraries[0].1 = own;

    let exported = engined.project.path("exported");
    engined.json(&["models", "export", "churn-predictor/1", "--output", exported.to_str().unwrap()]);
    let stated: Value = serde_json::from_slice(&fs::read(exported.join("model.json")).unwrap()).unwrap();
    let native = match stated["estimator_name"].as_str().unwrap() {
        "lightgbm" => exported.join("lightgbm/model.txt"),
        _ => exported.join("xgboost/model.json"),
    };
    assert!(native.is_file(), "{}", native.display());

    engined.libraries.clear();
    let predicted = engined.json(&["predict", "--model", "churn-predictor", "--input", CUSTOMERS]);
    assert_eq!(predicted["predictions"].as_array().unwrap().len(), 1200);
}

#[test]
fn a_bundle_of_a_librarys_model_is_verified_where_the_library_is_and_names_it_elsewhere() {
    let Some(libraries) = real() else { return };
    let mut engined = Engined::new(libraries);
    let run = engined.json(&["run"]);
    let bundle = engined.project.path("run.tar.zst").to_str().unwrap().to_owned();
    engined.json(&["export", run["run"].as_str().unwrap(), &bundle]);
    let verified = engined.json(&["verify", &bundle, "--at", "1,2"]);
    assert_eq!((&verified["identical"], &verified["other_engines"]), (&json!(true), &json!([])), "{verified}");

    // Another file of the library is another library: what differs could be its doing.
    let other = engined.project.path("other.so");
    let mut bytes = fs::read(&engined.libraries[0].1).unwrap();
    bytes.push(0);
    fs::write(&other, bytes).unwrap();
    let own = std::mem::replace(&mut engined.libraries[0].1, other);
    let verified = engined.json(&["verify", &bundle, "--at", "2"]);
    assert_eq!((&verified["identical"], &verified["other_engines"]), (&json!(true), &json!(["lightgbm"])));
    engined.libraries[0].1 = own;

    engined.libraries.clear();
    let before = engined.project.files();
    let refused = engined.call(&["verify", &bundle, "--at", "2"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("error[engines/absent]: LightGBM is not on this machine"), "{said}");
    assert!(said.contains("`trainyard engines add lightgbm` brings it"), "{said}");
    assert!(before == engined.project.files(), "nothing was written");
}

const LOADED: &str = r#"
import numpy as np, lightgbm, xgboost
rows = np.array(data["rows"], dtype=float)
if data["engine"] == "lightgbm":
    booster = lightgbm.Booster(model_file=data["native"])
    answer = {"trees": booster.current_iteration(), "columns": booster.num_feature(),
              "predictions": booster.predict(rows).ravel().tolist()}
else:
    booster = xgboost.Booster(model_file=data["native"])
    answer = {"trees": booster.num_boosted_rounds(), "columns": booster.num_features(),
              "predictions": booster.predict(xgboost.DMatrix(rows, nthread=1)).ravel().tolist()}
"#;

/// Fits that stop early, with all that may stand beside that: the library reads its file out of the model's folder and
/// predicts what Trainyard predicts.
#[test]
fn what_the_library_wrote_loads_there_and_predicts_the_same_for_every_task() {
    let (Some(libraries), Some(judge)) = (real(), trainyard_judges::python("core")) else { return };
    let churn = ["tenure", "MonthlyCharges", "TotalCharges"];
    let pixels: Vec<String> = (0..64).map(|cell| format!("pixel_{}_{}", cell / 8, cell % 8)).collect();
    let pixels: Vec<&str> = pixels.iter().map(String::as_str).collect();
    let cases = [
        ("churn", "customerID", "{column: Churn, positive: \"Yes\"}", &churn[..], "class_weight: balanced, "),
        ("digits", "id", "{column: digit, task: multiclass}", &pixels[..], "class_weight: {\"3\": 2.5}, "),
        ("bike", "instant", "{column: cnt, task: regression}", &["hr", "temp", "hum", "windspeed"][..], ""),
    ];
    for (kind, key, target, columns, weights) in cases {
        let engined = Engined::synthetic(libraries.clone(), kind, key, target, columns);
        let table = engined.project.path("table.csv");
        for engine in ["lightgbm", "xgboost"] {
            for used in [".trainyard", "data/reference", "data/splits"] {
                let _ = fs::remove_dir_all(engined.project.path(used));
            }
            let _ = fs::remove_file(engined.project.path("versions/lock.yaml"));
            engined.project.write(
                "versions/models/v1.yaml",
                format!(
                    "baseline: {{dummy: {{}}}}\ncandidates:\n  {engine}: {{n_estimators: 400, learning_rate: 0.3, \
                     max_depth: 4, {weights}early_stopping_rounds: 5, \
                     monotone_constraints: {{{}: increase}}}}\ncross_validation: {{folds: 3}}\n",
                    columns[1]
                ),
            );
            let run = engined.json(&["run"]);
            let exported = engined.project.path(&format!("exported-{engine}"));
            engined.json(&["models", "export", kind, "--output", exported.to_str().unwrap()]);
            let stated: Value = serde_json::from_slice(&fs::read(exported.join("model.json")).unwrap()).unwrap();
            let trees: u64 = stated["parameters"]["trees"].as_str().unwrap().parse().unwrap();
            assert!((1..400).contains(&trees), "{kind}, {engine} stopped at {trees}");
            let native = exported.join(if engine == "lightgbm" { "lightgbm/model.txt" } else { "xgboost/model.json" });

            let table = fs::read_to_string(&table).unwrap();
            let names: Vec<&str> = table.lines().next().unwrap().split(',').collect();
            let at: Vec<usize> =
                columns.iter().map(|column| names.iter().position(|name| name == column).unwrap()).collect();
            let cells = |line: &str| {
                let cells: Vec<&str> = line.split(',').collect();
                at.iter().map(|at| cells[*at].parse().map_or(json!("NaN"), |cell: f64| json!(cell))).collect::<Value>()
            };
            let rows: Vec<Value> = table.lines().skip(1).map(cells).collect();
            let theirs = judge.run(LOADED, &json!({"engine": engine, "native": native, "rows": rows}));
            assert_eq!((&theirs["trees"], &theirs["columns"]), (&json!(trees), &json!(columns.len())));
            let ours = engined.json(&["predict", "--model", kind, "--input", "table.csv"]);
            let ours: Vec<f64> = ours["predictions"].as_array().unwrap().iter().flat_map(of_row).collect();
            let theirs: Vec<f64> =
                theirs["predictions"].as_array().unwrap().iter().map(trainyard_judges::number).collect();
            assert_eq!(ours.len(), theirs.len(), "{kind}, {engine}");
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!((ours - theirs).abs() <= 2e-6 * (1.0 + theirs.abs()), "{kind}, {engine}: {ours}, {theirs}");
            }
            let verified = engined.json(&["verify", run["run"].as_str().unwrap(), "--at", "1,2"]);
            assert_eq!(verified["identical"], true, "{verified}");
        }
    }
}

/// Searches a grid of 10 and 20 trees: what 20 are worth after 10 is what 10 are worth.
#[test]
fn a_search_hears_on_the_way_what_the_trees_of_a_library_are_worth() {
    let Some(libraries) = real() else { return };
    let cases = [
        ("churn", "customerID", "{column: Churn, positive: \"Yes\"}", &["tenure", "MonthlyCharges"][..], "log_loss"),
        ("digits", "id", "{column: digit, task: multiclass}", &["pixel_2_3", "pixel_4_5", "pixel_5_2"], "log_loss"),
        ("bike", "instant", "{column: cnt, task: regression}", &["hr", "temp", "hum", "windspeed"], "rmse"),
    ];
    for (kind, key, target, columns, metric) in cases {
        let engined = Engined::synthetic(libraries.clone(), kind, key, target, columns);
        engined.project.write(
            "versions/models/v1.yaml",
            format!(
                "baseline: {{dummy: {{}}}}\ncandidates:\n  lightgbm: {{n_estimators: 20, num_leaves: 7}}\n  \
                 xgboost: {{n_estimators: 20, max_depth: 3}}\ncross_validation: {{folds: 2}}\n\
                 tune:\n  sampler: grid\n  pruner: median\n  metric: {metric}\n  space: \
                 {{lightgbm: {{n_estimators: [10, 20]}}, xgboost: {{n_estimators: [10, 20]}}}}\n"
            ),
        );
        engined.json(&["run"]);
        let shown = engined.json(&["tune", "show", "--limit", "0"]);
        for engine in ["lightgbm", "xgboost"] {
            let trials = shown["searches"][engine]["trials"].as_array().unwrap();
            let of = |trees: u64| -> (Vec<(u64, f64)>, Vec<f64>) {
                let trial = trials.iter().find(|trial| trial["values"]["n_estimators"] == trees).unwrap();
                let reports = trial["reports"].as_array().unwrap().iter();
                let reports = reports.map(|report| (report[0].as_u64().unwrap(), report[1].as_f64().unwrap()));
                let folds = trial["folds"].as_array().unwrap().iter().map(|fold| fold.as_f64().unwrap());
                (reports.collect(), folds.collect())
            };
            let (ten, twenty) = (of(10), of(20));
            let steps = |reports: &[(u64, f64)]| reports.iter().map(|(step, _)| *step).collect::<Vec<_>>();
            assert_eq!(steps(&twenty.0), [5, 10, 20, 26, 31, 41], "{kind}, {engine}");
            let is_near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 1e-6 * (1.0 + theirs.abs());
            let at = |reports: &[(u64, f64)], step: u64| reports.iter().find(|(of, _)| *of == step).unwrap().1;
            // In the second fold a report is the mean of what the first is worth and it.
            for (step, trees, worth) in [
                (10, &ten, ten.1[0]),
                (10, &twenty, ten.1[0]),
                (20, &twenty, twenty.1[0]),
                (31, &ten, (ten.1[0] + ten.1[1]) / 2.0),
                (31, &twenty, (twenty.1[0] + ten.1[1]) / 2.0),
                (41, &twenty, (twenty.1[0] + twenty.1[1]) / 2.0),
            ] {
                assert!(is_near(at(&trees.0, step), worth), "{kind}, {engine}, {step}: {ten:?}, {twenty:?}");
            }
            assert!(!is_near(at(&twenty.0, 10), twenty.1[0]), "{kind}, {engine}: {twenty:?}");
        }
    }
}

#[test]
fn a_trial_of_a_library_is_pruned_within_a_fold() {
    let Some(libraries) = real() else { return };
    let good: String = (10..15).map(|rate| format!("{{learning_rate: 0.{rate}}}, ")).collect();
    for engine in ["lightgbm", "xgboost"] {
        let engined = Engined::new(libraries.clone());
        engined.project.write(
            "versions/models/v1.yaml",
            format!(
                "baseline: {{dummy: {{}}}}\ncandidates: {{{engine}: {{n_estimators: 30}}}}\n\
                 cross_validation: {{folds: 2}}\ntune:\n  trials: 7\n  parallel: 1\n  sampler: random\n  \
                 pruner: median\n  metric: log_loss\n  \
                 enqueue: {{{engine}: [{good}{{learning_rate: 0.0001}}, {{learning_rate: 0.2}}]}}\n  \
                 space: {{{engine}: {{learning_rate: {{float: [0.0001, 0.3], log: true}}}}}}\n"
            ),
        );
        let run = engined.json(&["run"]);
        let shown = engined.json(&["tune", "show", "--limit", "0"]);
        let trials = shown["searches"][engine]["trials"].as_array().unwrap();
        let states: Vec<&str> = trials.iter().map(|trial| trial["state"].as_str().unwrap()).collect();
        assert_eq!(states[..6], ["complete", "complete", "complete", "complete", "complete", "pruned"], "{shown:#}");
        let reports = trials[5]["reports"].as_array().unwrap();
        assert!(reports.len() == 1 && reports[0][0] == 5, "after five trees of the first fold: {:#}", trials[5]);
        let next = trials[6]["reports"].as_array().unwrap();
        assert!(next.len() > 1 && states[6] != "failed", "the fit after the one that was stopped: {:#}", trials[6]);
        let verified = engined.json(&["verify", run["run"].as_str().unwrap(), "--at", "1,2"]);
        assert_eq!(verified["identical"], true, "{verified}");
    }
}

/// Gives what a library says of a predicted row: the probability of the positive class, those of all, or a value.
fn of_row(row: &Value) -> Vec<f64> {
    let row = row.as_object().unwrap();
    let classes: Vec<f64> =
        (0..10).filter_map(|class| row.get(&format!("probability_{class}"))).filter_map(Value::as_f64).collect();
    let one = row.get("probability").or(row.get("prediction")).and_then(Value::as_f64);
    if classes.is_empty() { one.into_iter().collect() } else { classes }
}

#[test]
fn a_file_that_cannot_be_used_is_refused_before_anything_is_run() {
    let mut engined = Engined::new(Vec::new());
    engined.project.write(
        "versions/models/v1.yaml",
        "candidates: {lightgbm: {}}\nbaseline: {logistic_regression: {}}\ncross_validation: {folds: 0}\n",
    );
    let path = engined.project.path("data/lib_lightgbm.so");
    engined.libraries = vec![("TRAINYARD_LIGHTGBM", path.clone())];
    let mut cases: Vec<(&str, Vec<u8>)> = vec![("engines/not-a-library", b"#!/bin/sh\n".to_vec())];
    if let Some(libraries) = real() {
        let [lightgbm, xgboost] = [0, 1].map(|library: usize| fs::read(&libraries[library].1).unwrap());
        // What is cut short begins as a library does; another library has other functions.
        cases.push(("engines/not-loaded", lightgbm[..4096].to_vec()));
        cases.push(("engines/not-loaded", xgboost));
    }
    for (code, bytes) in cases {
        fs::write(&path, bytes).unwrap();
        let before = engined.project.files();
        for command in ["check", "run"] {
            let output = engined.call(&[command]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(code) && said.contains("versions/models/v1.yaml:1:14"), "{command}: {said}");
            assert!(said.contains("trainyard engines add lightgbm"), "{command}: {said}");
        }
        assert!(before == engined.project.files(), "{code}: nothing was written");
    }
}

#[test]
fn without_the_library_nothing_is_run_and_the_command_that_brings_it_is_named() {
    let engined = Engined::new(Vec::new());
    let before = engined.project.files();
    for command in ["check", "run"] {
        let output = engined.call(&[command]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains("error[engines/absent]: LightGBM is not on this machine"), "{said}");
        assert!(said.contains("versions/models/v1.yaml:3:3") && said.contains("XGBoost is not on this"), "{said}");
        assert!(said.contains("`trainyard engines add lightgbm` brings it"), "{said}");
    }
    assert!(before == engined.project.files(), "nothing was written");
    let listed = engined.call(&["engines", "list"]);
    assert!(text(&listed.stdout).contains("absent: trainyard engines add xgboost"), "{}", text(&listed.stdout));
    assert_eq!(engined.json(&["engines", "list"])["engines"][0]["found"], false);
}

#[test]
fn a_library_that_falls_fails_the_run_which_goes_on_with_a_sound_one() {
    let Some(libraries) = real() else { return };
    let mut engined = Engined::new(libraries);
    let Some(falling) = fake(&engined.project.path("data"), "*(volatile int*)0 = 1") else { return };
    let sound = std::mem::replace(&mut engined.libraries[0].1, falling);
    let output = engined.call(&["run"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error[engines/died]: the process of LightGBM was killed by signal 11"), "{said}");
    assert!(said.contains("while fitting `lightgbm` (fold 1 of 2)") && said.contains("trainyard resume"), "{said}");
    engined.libraries[0].1 = sound;
    let resumed = engined.json(&["resume"]);
    assert!(steps(&resumed, "ran").contains(&"train".to_owned()), "{resumed}");
    assert_eq!(engined.json(&["engines", "list"])["engines"][0]["version"], "4.7.0");
}

/// Says whether a process does anything any more; one that nobody has buried does not.
fn is_alive(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Starts a run whose library sleeps, and waits until it does; gives the run, the process of the library and the project.
fn sleeping() -> Option<(Child, String, Engined)> {
    let mut engined = Engined::new(Vec::new());
    let mark = engined.project.path("data/process");
    let act = format!("FILE* f = fopen({mark:?}, \"w\"); fprintf(f, \"%d.\", getpid()); fclose(f); sleep(600)");
    let sleeping = fake(&engined.project.path("data"), &act)?;
    engined.libraries = vec![("TRAINYARD_LIGHTGBM", sleeping)];
    engined.project.write(
        "versions/models/v1.yaml",
        "candidates: {lightgbm: {}}\nbaseline: {logistic_regression: {}}\ncross_validation: {folds: 0}\n",
    );
    let mut command = engined.command(&["run"]);
    let running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let process = marked(&mark);
    assert!(is_alive(&process));
    Some((running, process, engined))
}

/// Waits until the library has written its process into a file.
fn marked(mark: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let said = fs::read_to_string(mark).unwrap_or_default();
        if let Some(process) = said.strip_suffix('.') {
            return process.to_owned();
        }
        assert!(Instant::now() < deadline, "the library was never called");
        sleep(Duration::from_millis(20));
    }
}

fn wait_for_end(process: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while is_alive(process) {
        assert!(Instant::now() < deadline, "process {process} outlives its parent");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_library_at_work_ends_with_the_command_that_started_it() {
    let Some((mut running, process, _engined)) = sleeping() else { return };
    running.kill().unwrap();
    running.wait().unwrap();
    wait_for_end(&process);
}

#[test]
fn a_library_that_hangs_is_ended_by_an_interruption_which_keeps_the_run() {
    let Some((running, process, engined)) = sleeping() else { return };
    let pid = running.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = running.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("trainyard resume"), "{said}");
    wait_for_end(&process);
    let listed = engined.json(&["runs", "list"]);
    assert!(!listed.to_string().contains("crashed"), "it was stopped in good order: {listed}");
}

#[test]
fn a_share_of_rows_that_lightgbm_does_not_draw_is_warned_of() {
    let Some(libraries) = real() else { return };
    let engined = Engined::new(libraries);
    engined.project.edit("versions/models/v1.yaml", ", subsample_freq: 1", "");
    let checked = engined.json(&["check"]);
    assert_eq!(checked["warnings"][0]["code"], "spec/no-bagging", "{checked}");
}

#[test]
fn a_worker_that_is_told_nothing_ends() {
    let output = crate::trainyard(&["engine-worker"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(70), 0));
}
