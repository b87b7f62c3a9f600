//! Several classes, weights, rows without a target, through the binary.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{text, trainyard};

/// Calls the binary, which must end well, and reads its document.
fn json(arguments: &[&str]) -> Value {
    let output = trainyard(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn synthesise(kind: &str, rows: &str, file: &Path) {
    let output = trainyard(&["synth", kind, "--rows", rows, "--seed", "5", "--output", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Reads the log loss of a run on the reference test.
fn log_loss(project: &str, flags: &[&str]) -> f64 {
    json(&[&["run", project], flags].concat())["metrics"]["reference"]["log_loss"].as_f64().unwrap()
}

#[test]
fn penguins_are_told_apart_and_every_artifact_is_proven() {
    let Some(table) = trainyard_judges::shared("data/penguins/penguins.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("penguins");
    let project = project.to_str().unwrap();
    let made = json(&["init", project, "--from", table.to_str().unwrap(), "--target", "species"]);
    assert_eq!((&made["task"], &made["classes"]["Chinstrap"]), (&"multiclass".into(), &68.into()));
    let run = json(&["run", project]);
    assert!(run["metrics"]["reference"]["accuracy"].as_f64().unwrap() > 0.95, "{}", run["metrics"]);
    let verified = json(&["verify", "--project", project, run["run"].as_str().unwrap()]);
    assert_eq!(verified["identical"], true, "{verified}");
    let predicted =
        json(&["predict", "--project", project, "--model", "penguins-model", "--input", table.to_str().unwrap()]);
    let rows = predicted["predictions"].as_array().unwrap();
    let classes = ["Adelie", "Chinstrap", "Gentoo"];
    for row in rows {
        let share = |class: &str| row[format!("probability_{class}")].as_f64().unwrap();
        assert!((classes.into_iter().map(share).sum::<f64>() - 1.0).abs() < 1e-12, "{row}");
        let best = classes.into_iter().max_by(|a, b| share(a).total_cmp(&share(b)));
        assert_eq!(row["prediction"].as_str(), best, "{row}");
    }
    assert_eq!(rows.len(), 344);
}

#[test]
fn forests_learn_every_task_and_every_artifact_is_proven() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, target, metric, least) in
        [("churn", "Churn", "roc_auc", 0.75), ("digits", "digit", "accuracy", 0.85), ("bike", "cnt", "r2", 0.6)]
    {
        let (table, project) = (folder.path().join(format!("{kind}.csv")), folder.path().join(kind));
        synthesise(kind, "1500", &table);
        let project = project.to_str().unwrap();
        let task = if kind == "digits" { "multiclass" } else { "auto" };
        let init = ["init", project, "--from", table.to_str().unwrap(), "--target", target];
        json(&if task == "auto" { init.to_vec() } else { [&init[..], &["--task", task]].concat() });
        let models = Path::new(project).join("versions/models/v1.yaml");
        for forest in ["random_forest", "extra_trees"] {
            let parameters = "n_estimators: 30, max_features: 0.5, min_samples_leaf: 2, max_depth: 12";
            let text = format!("seed: 7\nbaseline: {{dummy: {{}}}}\ncandidates: {{{forest}: {{{parameters}}}}}\n");
            fs::write(&models, text + "cross_validation: {folds: 3}\n").unwrap();
            fs::remove_file(Path::new(project).join("versions/lock.yaml")).ok();
            let run = json(&["run", project]);
            let reached = run["metrics"]["reference"][metric].as_f64().unwrap();
            assert!(reached > least, "{kind}, {forest}: {reached}");
            let verified = json(&["verify", "--project", project, run["run"].as_str().unwrap()]);
            assert_eq!(verified["identical"], true, "{verified}");
            fs::remove_dir_all(Path::new(project).join(".trainyard")).unwrap();
            fs::remove_dir_all(Path::new(project).join("data/reference")).unwrap();
        }
    }
}

#[test]
fn calibrated_models_are_judged_promoted_and_proven() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, rows, more) in [
        ("churn", "2500", "calibrate: {method: isotonic, folds: 4}\nthreshold: {rule: recall_at_least, value: 0.7}\n"),
        ("churn", "2500", "threshold: max_f1\n"),
        ("digits", "900", "calibrate: {folds: prefit}\nrefit: train_and_validation\n"),
    ] {
        let table = folder.path().join(format!("{kind}.csv"));
        synthesise(kind, rows, &table);
        let project = tempfile::tempdir_in(folder.path()).unwrap();
        let root = project.path().join("project");
        let project = root.to_str().unwrap();
        let target = if kind == "churn" { "Churn" } else { "digit" };
        let task: &[&str] = if kind == "churn" { &[] } else { &["--task", "multiclass"] };
        json(&[&["init", project, "--from", table.to_str().unwrap(), "--target", target], task].concat());
        let models = root.join("versions/models/v1.yaml");
        fs::write(&models, format!("seed: 7\ncandidates: {{gradient_boosting: {{max_iter: 30}}}}\n{more}")).unwrap();
        let run = json(&["run", project]);
        let steps: Vec<&str> =
            run["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
        let at = steps.iter().position(|step| *step == "calibrate").unwrap();
        assert_eq!((steps[at - 1], steps[at + 1]), ("train", "evaluate"));
        // What is registered is the calibrated model, and what it predicts is what was judged.
        assert_eq!(run["model"]["digest"], run["candidate"]["digest"]);
        let evaluated = json(&["step", "--project", project, "evaluate", "--run", run["run"].as_str().unwrap()]);
        assert_eq!(evaluated["status"], "cached");
        let model = run["model"]["name"].as_str().unwrap();
        let predicted = json(&["predict", "--project", project, "--model", model, "--input", table.to_str().unwrap()]);
        assert_eq!(predicted["predictions"].as_array().unwrap().len().to_string(), rows);
        let verified = json(&["verify", "--project", project, run["run"].as_str().unwrap()]);
        assert_eq!(verified["identical"], true, "{verified}");
        let out = root.join("exported");
        json(&["models", "export", "--project", project, model, "--output", out.to_str().unwrap()]);
        let stored: Value = serde_json::from_slice(&fs::read(out.join("model.json")).unwrap()).unwrap();
        assert_eq!(stored.get("calibration").is_some(), more.contains("calibrate"), "{more}");
        assert!(out.join("model.onnx").exists());
    }
}

#[test]
fn explanations_are_left_with_the_run_and_proven() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, target, rows) in [("churn", "Churn", "900"), ("bike", "cnt", "900")] {
        let (table, project) = (folder.path().join(format!("{kind}.csv")), folder.path().join(kind));
        synthesise(kind, rows, &table);
        let project = project.to_str().unwrap();
        json(&["init", project, "--from", table.to_str().unwrap(), "--target", target]);
        let models = Path::new(project).join("versions/models/v1.yaml");
        let spec = |more: &str| format!("seed: 7\ncandidates: {{gradient_boosting: {{max_iter: 20}}}}\n{more}");
        fs::write(&models, spec("explain: {rows: 50, permutations: 2}\n")).unwrap();
        let run = json(&["run", project]);
        let shown = json(&["runs", "show", "--project", project, run["run"].as_str().unwrap()]);
        let artifacts: Vec<&str> =
            shown["artifacts"].as_array().unwrap().iter().map(|artifact| artifact["path"].as_str().unwrap()).collect();
        for file in ["contributions.parquet", "importance.json", "contributions.png", "contributions.svg"] {
            assert!(artifacts.contains(&format!("explanation/{file}").as_str()), "{artifacts:?}");
        }
        let of_task = if kind == "bike" { "residuals" } else { "confusion_matrix" };
        for name in [of_task, "feature_importance", "learning_curve"] {
            for ending in ["png", "svg"] {
                assert!(artifacts.contains(&format!("{name}.{ending}").as_str()), "{artifacts:?}");
            }
        }
        let verified = json(&["verify", "--project", project, run["run"].as_str().unwrap()]);
        assert_eq!(verified["identical"], true, "{verified}");
        // Another question is another version of the model, and nothing is trained for it.
        let second = Path::new(project).join("versions/models/v2.yaml");
        fs::write(second, spec("explain: {rows: 20, permutations: 0}\n")).unwrap();
        let again = json(&["run", project, "--model", "2"]);
        let ran: Vec<&str> = again["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["status"] == "ran")
            .map(|step| step["name"].as_str().unwrap())
            .collect();
        assert!(!ran.contains(&"train") && ran.contains(&"explain"), "{ran:?}");
    }
}

#[test]
fn a_class_that_comes_later_makes_another_target() {
    let folder = tempfile::tempdir().unwrap();
    let (table, project) = (folder.path().join("digits.csv"), folder.path().join("digits"));
    synthesise("digits", "700", &table);
    let text = fs::read_to_string(&table).unwrap();
    let (mut lines, mut nines) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.ends_with(",9") { nines.push(line) } else { lines.push(line) }
    }
    fs::write(&table, lines.join("\n")).unwrap();
    let project = project.to_str().unwrap();
    json(&["init", project, "--from", table.to_str().unwrap(), "--target", "digit", "--task", "multiclass"]);
    // The frozen reference test will hold no row of the new class, and so no `roc_auc`.
    let spec = Path::new(project).join("trainyard.yaml");
    let gates = fs::read_to_string(&spec).unwrap().replace("{roc_auc: 0.5}", "{accuracy: 0.5}");
    fs::write(spec, gates).unwrap();
    assert_eq!(json(&["run", project])["decision"], "promoted");
    let source = Path::new(project).join("data/raw/digits.csv");
    fs::write(source, [lines, nines].concat().join("\n")).unwrap();
    let output = trainyard(&["run", project]);
    let (shown, said) = (crate::text(&output.stdout), crate::text(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(shown.contains("predicts digit of 0, 1, 2, 3, 4, 5, 6, 7, 8") && shown.contains("v1 stays"), "{shown}");
    assert!(said.contains("the reference test has no row of the class 9"), "{said}");
}

#[test]
fn weights_and_their_absence_change_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let (table, project) = (folder.path().join("customers.csv"), folder.path().join("project"));
    synthesise("churn", "800", &table);
    let customers = fs::read_to_string(&table).unwrap();
    let weigh = |weight: &dyn Fn(usize) -> String| {
        let mut lines = customers.lines().enumerate();
        let head = lines.next().map(|(_, head)| format!("{head},seen")).unwrap_or_default();
        lines.fold(head, |text, (row, line)| format!("{text}\n{line},{}", weight(row)))
    };
    fs::write(&table, weigh(&|_| "1.0".into())).unwrap();
    let project = project.to_str().unwrap();
    json(&["init", project, "--from", table.to_str().unwrap(), "--target", "Churn"]);
    let by_weight = ["--set", "data.weight=seen"];
    // A constant column is left out of the first features, so that only the weight's meaning is new.
    let plain = log_loss(project, &[]);
    assert!((log_loss(project, &by_weight) - plain).abs() < 1e-9);
    let source = Path::new(project).join("data/raw/customers.csv");
    fs::write(&source, weigh(&|row| if row % 5 == 0 { "3".into() } else { "0.5".into() })).unwrap();
    assert!((log_loss(project, &by_weight) - plain).abs() > 1e-4);
    let refused = |weight: &dyn Fn(usize) -> String, code: &str| {
        fs::write(&source, weigh(weight)).unwrap();
        // Whatever type the weights had before is not what is wrong with them.
        let _ = fs::remove_file(Path::new(project).join("versions/schema.yaml"));
        let output = trainyard(&["run", project, "--set", "data.weight=seen"]);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(code), "{:?} {said}", output.status);
    };
    refused(&|row| if row == 70 { "-1".into() } else { "1".into() }, "data/bad-weight");
    refused(&|row| if row == 70 { String::new() } else { "1".into() }, "data/bad-weight");
    refused(&|row| if row == 70 { "many".into() } else { "a few".into() }, "data/bad-weight");
    refused(&|_| "0".into(), "data/no-weight");
}

#[test]
fn rows_without_a_target_are_left_out_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let (table, project) = (folder.path().join("customers.csv"), folder.path().join("project"));
    synthesise("churn", "800", &table);
    let customers = fs::read_to_string(&table).unwrap();
    let cut = |(row, line): (usize, &str)| match line.rsplit_once(',') {
        Some((rest, _)) if row % 40 == 7 => format!("{rest},\n"),
        _ => format!("{line}\n"),
    };
    fs::write(&table, customers.lines().enumerate().map(cut).collect::<String>()).unwrap();
    let (project, from) = (project.to_str().unwrap(), table.to_str().unwrap());
    let init = ["init", project, "--from", from, "--target", "Churn"];
    let refused = trainyard(&init);
    assert!(text(&refused.stderr).contains("--drop-missing-target"), "{}", text(&refused.stderr));
    let made = json(&[&init[..], &["--drop-missing-target"]].concat());
    assert_eq!(made["without_target"], 20);
    let output = trainyard(&["run", project]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("780 rows × 21 columns, 20 without a target left out"));
    let output = trainyard(&["run", project, "--set", "data.target.missing=refuse"]);
    assert!(text(&output.stderr).contains("data/missing-target"), "{}", text(&output.stderr));
}
