//! Searches in a run: what is found is trained, a death costs nothing, and the field's tool opens the study.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::interrupted::started;
use crate::project::{Project, candidate, steps};
use crate::text;

const MODEL: &str = "versions/models/v1.yaml";

/// A project whose candidate is searched as `tune` says.
fn searching(rows: u32, tune: &str) -> Project {
    let project = Project::with_rows(rows);
    let model = format!(
        "baseline: {{dummy: {{}}}}\ncandidates: {{gradient_boosting: {{max_iter: 30}}, random_forest: {{n_estimators: \
         10}}}}\ncross_validation: {{folds: 3}}\ntune: {tune}\n"
    );
    project.write(MODEL, model);
    project
}

const SPACE: &str = "{gradient_boosting: {learning_rate: {float: [0.02, 0.3], log: true}, max_iter: [10, 20, 40], \
                     max_leaf_nodes: {int: [4, 32], log: true}}}";

fn trials(project: &Project, search: &str) -> Vec<Value> {
    let shown = project.json(&["tune", "show", "--limit", "0"]);
    shown["searches"][search]["trials"].as_array().unwrap_or_else(|| panic!("{shown:#}")).clone()
}

/// Runs a model version to its decision, whichever that is.
fn decided(project: &Project, model: &str) -> Value {
    let output = project.call(&["run", "--model", model, "--json"]);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_best_trial_is_trained_and_the_run_is_the_same_at_any_thread_count() {
    let tune = format!("{{trials: 9, parallel: 2, pruner: median, metric: log_loss, space: {SPACE}}}");
    let project = searching(1500, &tune);
    let result = project.run();
    assert!(steps(&result, "ran").contains(&"tune".to_owned()), "{result:#}");
    let trials = trials(&project, "gradient_boosting");
    assert_eq!(trials.len(), 9);
    let best = project.json(&["tune", "best"]);
    let best = &best["searches"]["gradient_boosting"];
    let complete = trials.iter().filter(|trial| trial["state"] == "complete");
    let least = complete.map(|trial| trial["value"].as_f64().unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!(best["value"].as_f64(), Some(least));
    // What was found is what was fitted.
    let run = project.json(&["runs", "show", result["run"].as_str().unwrap()]);
    for (name, value) in best["values"].as_object().unwrap() {
        assert_eq!(run["params"][name], value.to_string(), "{name}");
    }
    assert!(run["metrics"]["tune_gradient_boosting_log_loss"].as_f64() == Some(least), "{run:#}");
    // Its cross-validation is that of the trial: the folds are the same.
    assert_eq!(run["metrics"]["cv_log_loss_mean"].as_f64().map(f64::to_bits), Some(least.to_bits()));
    let report = project.json(&["verify", result["run"].as_str().unwrap(), "--at", "1,2,8"]);
    assert_eq!(report["identical"], true, "{report:#}");
    let again = project.run();
    assert!(steps(&again, "cached").contains(&"tune".to_owned()), "{again:#}");
    let beats = &project.json(&["tune", "show"])["report"]["searches"]["gradient_boosting"]["against_baseline"];
    assert_eq!(beats["beats"], true, "{beats:#}");
    // A space that changed is another version's.
    project.edit(MODEL, "max_iter: [10, 20, 40]", "max_iter: [10, 20, 80]");
    let refused = project.call(&["run"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = "`tune.space.gradient_boosting.max_iter` was [10,20,40], is [10,20,80]";
    assert!(text(&refused.stderr).contains(told), "{}", text(&refused.stderr));
}

#[test]
fn a_search_that_is_killed_goes_on_where_it_was() {
    let tune = format!("{{trials: 25, parallel: 2, space: {SPACE}}}");
    let whole = searching(6000, &tune);
    let result = whole.run();
    let project = searching(6000, &tune);
    let mut child = started(project.command(&["run", "--json"]), "tune");
    let ended = |project: &Project| {
        let files = fs::read_dir(project.path(".trainyard/studies")).into_iter().flatten();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap_or_default());
        texts.map(|text| text.lines().filter(|line| line.contains("\"op_code\":4")).count()).sum::<usize>()
    };
    let begun = Instant::now();
    while ended(&project) < 5 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no trial ended");
        assert!(child.try_wait().unwrap().is_none(), "it was over too soon");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = ended(&project);
    assert!((5..25).contains(&kept), "{kept}");
    let output = project.call(&["tune", "show"]);
    assert!(text(&output.stderr).contains("has not ended"), "{}", text(&output.stderr));
    let resumed = project.json(&["resume"]);
    assert_eq!(candidate(&resumed), candidate(&result));
    assert_eq!(trials(&project, "gradient_boosting"), trials(&whole, "gradient_boosting"));
}

#[test]
fn optuna_opens_a_search_and_goes_on_and_its_study_warms_the_next() {
    let Some(judge) = trainyard_judges::python("tuning") else { return };
    let project = searching(900, &format!("{{trials: 6, space: {SPACE}}}"));
    project.run();
    let file = project.path("study.journal");
    let said = project.json(&["tune", "export", "--out", file.to_str().unwrap()]);
    assert_eq!((&said["search"], &said["trials"]), (&json!("gradient_boosting"), &json!(6)));
    let found = judge.run(
        "
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(data['file']))
study = optuna.load_study(study_name='gradient_boosting', storage=storage, sampler=optuna.samplers.TPESampler(seed=1))
answer = {'direction': study.direction.name, 'values': [trial.value for trial in study.trials],
          'params': [trial.params for trial in study.trials]}
def objective(trial):
    trial.suggest_float('learning_rate', 0.02, 0.3, log=True)
    trial.suggest_categorical('max_iter', [10, 20, 40])
    trial.suggest_int('max_leaf_nodes', 4, 32, log=True)
    return 0.5
study.optimize(objective, n_trials=4)
",
        &json!({ "file": file }),
    );
    let own = trials(&project, "gradient_boosting");
    assert_eq!(found["direction"], "MAXIMIZE");
    for (at, trial) in own.iter().enumerate() {
        assert_eq!(found["values"][at], trial["value"]);
        assert_eq!(found["params"][at], trial["values"]);
    }
    let shown = project.json(&["tune", "show", "--file", file.to_str().unwrap()]);
    assert_eq!(shown["searches"]["gradient_boosting"]["trials"].as_array().unwrap().len(), 10);
    let important = project.json(&["tune", "importance", "--file", file.to_str().unwrap()]);
    let shares = important["searches"]["gradient_boosting"].as_array().unwrap();
    let sum: f64 = shares.iter().map(|one| one["share"].as_f64().unwrap()).sum();
    // What parameters explain only together belongs to none of them.
    assert!(shares.len() == 3 && sum > 0.5 && sum < 1.0 + 1e-9, "{shares:?}");
    // The next search learns from what Optuna added.
    let warm = project.read(MODEL).replace("trials: 6", "trials: 2, warm_start: study.journal");
    project.write("versions/models/v2.yaml", warm);
    let result = decided(&project, "2");
    let report = project.json(&["tune", "show"])["report"].clone();
    assert_eq!(report["searches"]["gradient_boosting"]["notes"][0], "10 trials of an earlier study are known");
    fs::remove_file(&file).unwrap();
    let verified = project.json(&["verify", result["run"].as_str().unwrap(), "--at", "2"]);
    assert_eq!(verified["identical"], true, "{verified:#}");
}

#[test]
fn a_later_version_learns_from_an_earlier_one() {
    let project = searching(900, &format!("{{trials: 12, space: {SPACE}}}"));
    project.run();
    let wider = project
        .read(MODEL)
        .replace("trials: 12", "trials: 3, warm_start: 1")
        .replace("[10, 20, 40]", "[10, 20, 40, 80]");
    project.write("versions/models/v2.yaml", wider);
    // Whether it is promoted is another's business.
    let result = decided(&project, "2");
    let report = project.json(&["tune", "show"])["report"].clone();
    let notes = &report["searches"]["gradient_boosting"]["notes"];
    assert_eq!(notes[0], "12 trials of an earlier study are known", "{report:#}");
    // Ten trials by chance are not needed where twelve are known.
    let cold = project.read("versions/models/v2.yaml").replace(", warm_start: 1", "");
    project.write("versions/models/v3.yaml", cold);
    let warm_trials = trials(&project, "gradient_boosting");
    decided(&project, "3");
    assert_ne!(trials(&project, "gradient_boosting"), warm_trials);
    let report = project.json(&["verify", result["run"].as_str().unwrap(), "--at", "2"]);
    assert_eq!(report["identical"], true, "{report:#}");
    project.write("versions/models/v4.yaml", project.read(MODEL).replace("trials: 12", "trials: 3, warm_start: 7"));
    let output = project.call(&["run", "--model", "4"]);
    let words = text(&output.stderr);
    assert!(words.contains("no finished run of model version 7 has a search"), "{words}");
}

#[test]
fn candidates_are_searched_one_by_one_or_together() {
    let space = "{gradient_boosting: {max_leaf_nodes: {int: [4, 32]}, grow_policy: [lossguide, depthwise], \
                 max_depth: {int: [2, 6], when: {grow_policy: depthwise}}}, random_forest: {max_depth: {int: [2, 9]}}}";
    let project = searching(900, &format!("{{trials: 5, sampler: random, space: {space}}}"));
    project.run();
    for trial in trials(&project, "gradient_boosting") {
        let values = &trial["values"];
        assert_eq!(values.get("max_depth").is_some(), values["grow_policy"] == "depthwise", "{values}");
    }
    assert_eq!(trials(&project, "random_forest").len(), 5);
    let project = searching(900, &format!("{{trials: 14, sampler: random, together: true, space: {space}}}"));
    project.run();
    let trials = trials(&project, "candidate");
    assert_eq!(trials.len(), 14);
    for trial in trials {
        let values = trial["values"].as_object().unwrap();
        let of = |name: &str| values.keys().any(|key| key.starts_with(name));
        let is_forest = values["candidate"] == "random_forest";
        assert_eq!((of("random_forest."), of("gradient_boosting.")), (is_forest, !is_forest), "{values:?}");
    }
}

#[test]
fn features_are_searched_with_the_candidate_and_the_model_has_those_of_the_best_trial() {
    let space = "{logistic_regression: {C: {float: [0.001, 10], log: true}}}";
    let features = "{numeric.scale: [standard, min_max], categorical.min_frequency: {int: [5, 400], log: true}}";
    let project = searching(900, &format!("{{trials: 8, sampler: random, features: {features}, space: {space}}}"));
    project.edit(
        MODEL,
        "{gradient_boosting: {max_iter: 30}, random_forest: {n_estimators: 10}}",
        "{logistic_regression: {}}",
    );
    let result = project.run();
    let report = project.json(&["tune", "show"])["report"].clone();
    let best = &report["searches"]["logistic_regression"]["best"];
    let scales: std::collections::BTreeSet<String> = trials(&project, "logistic_regression")
        .iter()
        .map(|trial| trial["values"]["features.numeric.scale"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(scales.len(), 2, "both were tried");
    // The run cross-validates what it fits: on the same folds, with the same features.
    let run = project.json(&["runs", "show", result["run"].as_str().unwrap()]);
    let mean = run["metrics"]["cv_roc_auc_mean"].as_f64().unwrap();
    assert_eq!(best["value"].as_f64().map(f64::to_bits), Some(mean.to_bits()), "{best:#}");
    let report = project.json(&["verify", result["run"].as_str().unwrap(), "--at", "1,2"]);
    assert_eq!(report["identical"], true, "{report:#}");
}

#[test]
fn a_grid_tries_everything_once_and_known_values_come_first() {
    let space =
        "{gradient_boosting: {classifier__n_estimators: [10, 20], classifier__learning_rate: [0.05, 0.1, 0.2]}}";
    let project = searching(900, &format!("{{sampler: grid, space: {space}}}"));
    project.run();
    let mut seen: Vec<String> =
        trials(&project, "gradient_boosting").iter().map(|trial| trial["values"].to_string()).collect();
    assert_eq!(seen.len(), 6);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
    let enqueue = "enqueue: {gradient_boosting: [{learning_rate: 0.2, max_iter: 40}, {max_iter: 20}]}";
    let project = searching(900, &format!("{{trials: 4, {enqueue}, space: {SPACE}}}"));
    project.run();
    let trials = trials(&project, "gradient_boosting");
    assert_eq!((&trials[0]["values"]["learning_rate"], &trials[0]["values"]["max_iter"]), (&json!(0.2), &json!(40)));
    assert_eq!(trials[1]["values"]["max_iter"], 20);
}

#[test]
fn time_ends_a_search_at_the_border_of_a_batch_and_the_count_is_replayed() {
    let project = searching(900, &format!("{{trials: 500, parallel: 3, max_seconds: 0.5, space: {SPACE}}}"));
    let result = project.run();
    let count = trials(&project, "gradient_boosting").len();
    assert!(count.is_multiple_of(3) && (3..500).contains(&count), "{count}");
    let stopped = &project.json(&["tune", "show"])["searches"]["gradient_boosting"]["stopped"];
    assert_eq!(stopped["after"], count);
    let report = project.json(&["verify", result["run"].as_str().unwrap(), "--at", "1,2"]);
    assert_eq!(report["identical"], true, "{report:#}");
}

#[test]
fn rules_end_a_search_and_are_named() {
    let stop = "stop: {no_better_in: 4, by: 0.5}";
    let project = searching(900, &format!("{{trials: 40, {stop}, space: {SPACE}}}"));
    project.run();
    assert!(trials(&project, "gradient_boosting").len() < 12);
    let output = project.call(&["tune", "show"]);
    assert!(text(&output.stdout).contains("nothing was better by 0.5 in 4 trials"), "{}", text(&output.stdout));
}

#[test]
fn a_search_whose_trials_all_fail_says_why() {
    // A weight for a class that there is not is seen at the fit alone.
    let space = "{gradient_boosting: {quantile: {float: [0.1, 0.9]}}}";
    let project = searching(900, &format!("{{trials: 3, space: {space}}}"));
    let output = project.call(&["run"]);
    let words = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("tune/") && words.contains("3 trials") && words.contains("quantile"), "{words}");
}

#[test]
fn a_search_that_is_not_there_is_said() {
    let project = Project::new();
    let output = project.call(&["tune", "show"]);
    assert!(text(&output.stderr).contains("no run has a search"), "{}", text(&output.stderr));
    project.run();
    let output = project.call(&["tune", "best"]);
    assert!(text(&output.stderr).contains("tune: {}"), "{}", text(&output.stderr));
    let searched = searching(900, &format!("{{trials: 2, space: {SPACE}}}"));
    searched.run();
    let output = searched.call(&["tune", "show", "--search", "gradient_bosting"]);
    assert!(text(&output.stderr).contains("did you mean `gradient_boosting`"), "{}", text(&output.stderr));
    let output = searched.call(&["tune", "show", "--file", "trainyard.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
}
