//! Slices, weights, further metrics and repeated folds in a whole run.

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project, candidate, steps};
use crate::text;

const PROJECT: &str = "trainyard.yaml";
const MODEL: &str = "versions/models/v1.yaml";

/// The files of a run in tracking.
fn artifacts(project: &Project, run: &Value) -> Vec<String> {
    let shown = project.json(&["runs", "show", run["run"].as_str().unwrap()]);
    let paths = shown["artifacts"].as_array().unwrap().iter();
    paths.map(|artifact| artifact["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_worst_slice_is_named_and_a_gate_bounds_it() {
    let project = Project::new();
    let plain = project.run();
    assert!(plain["slices"].is_null() && plain.get("weighted_by").is_none());
    project.edit(PROJECT, "promote:", "evaluate: {slices: [Contract, SeniorCitizen, tenure], metrics: [f2]}\npromote:");
    let sliced = project.run();
    // Nothing is fitted again.
    assert_eq!(steps(&sliced, "ran"), ["resolve", "evaluate", "gate", "compare", "promote"]);
    assert_eq!(candidate(&sliced), candidate(&plain));
    let worst = &sliced["slices"]["sets"]["reference"]["worst"];
    assert_eq!(sliced["slices"]["metric"], "roc_auc");
    assert!(sliced["slices"]["sets"]["new_customers"]["slices"].as_u64().unwrap() > 1);
    let (value, whole) =
        (worst["value"].as_f64().unwrap(), sliced["metrics"]["reference"]["roc_auc"].as_f64().unwrap());
    assert!(value < whole && worst["rows"].as_u64().unwrap() >= 30);
    assert!(worst["interval"][0].as_f64().unwrap() <= value && value <= worst["interval"][1].as_f64().unwrap());
    assert!(sliced["metrics"]["reference"]["f2"].is_number() && plain["metrics"]["reference"].get("f2").is_none());
    for metric in plain["metrics"]["reference"].as_object().unwrap().keys() {
        assert_eq!(sliced["metrics"]["reference"][metric], plain["metrics"]["reference"][metric], "{metric}");
    }
    let files = artifacts(&project, &sliced);
    assert!(["slices.json", "slices.parquet"].iter().all(|file| files.iter().any(|path| path == file)), "{files:?}");
    let shown = project.json(&["runs", "show", sliced["run"].as_str().unwrap()]);
    assert_eq!(shown["metrics"]["reference_worst_slice_roc_auc"], worst["value"]);

    let bounded = |limit: f64| {
        let limit = format!("gates.worst_slice.at_least.roc_auc={limit}");
        project.call(&["run", "--set", &limit])
    };
    let refused = bounded(value + 0.001);
    assert_eq!(refused.status.code(), Some(3));
    let said = text(&refused.stdout);
    let slice = worst["slice"].as_str().unwrap();
    assert!(said.contains(&format!("worst slice {slice}: roc_auc ")), "{said}");
    assert!(said.contains(&format!("worst_slice.roc_auc ({slice})")) && said.contains("is below the limit"), "{said}");
    assert_eq!(bounded(value - 0.001).status.code(), Some(0));

    let replay = project.json(&["verify", sliced["run"].as_str().unwrap()]);
    assert_eq!(replay["identical"], json!(true), "{replay}");
    // The table is looked at again where columns of slices are new, though no feature changed.
    project.edit(PROJECT, "[Contract, SeniorCitizen, tenure]", "[Contrct]");
    let wrong = project.call(&["run"]);
    assert!(text(&wrong.stderr).contains("did you mean `Contract`?"), "{}", text(&wrong.stderr));
}

#[test]
fn weights_reach_every_metric_and_the_report_says_so() {
    let project = Project::new();
    project.edit(PROJECT, "promote:", "evaluate: {slices: [Contract]}\npromote:");
    let plain = project.run();
    let table = project.read(CUSTOMERS);
    let weighed: String = table
        .lines()
        .enumerate()
        .map(|(row, line)| if row == 0 { format!("{line},seen\n") } else { format!("{line},{}\n", (row * 7) % 4) })
        .collect();
    let other = Project::new();
    other.write(CUSTOMERS, weighed);
    other.edit(PROJECT, "promote:", "evaluate: {slices: [Contract]}\npromote:");
    other.edit(PROJECT, "  key:", "  weight: seen\n  key:");
    other.edit(MODEL, "baseline: {logistic_regression: {}}", "baseline: {dummy: {}}");
    let result = other.run();
    assert_eq!(result["weighted_by"], "seen");
    // Everybody's share predicts as everybody else's does: its accuracy is the weight of the larger class.
    let baseline = result["metrics"]["baseline"]["accuracy"].as_f64().unwrap();
    let rows = result["reference_rows"].as_u64().unwrap() as f64;
    assert!(((baseline * rows).round() - baseline * rows).abs() > 1e-9, "{baseline} of {rows} rows counts rows");
    let [low, high] = [0, 1].map(|at| result["metrics"]["intervals"]["accuracy"][at].as_f64().unwrap());
    let accuracy = result["metrics"]["reference"]["accuracy"].as_f64().unwrap();
    assert!(low < accuracy && accuracy < high);
    assert_ne!(result["metrics"]["reference"]["accuracy"], plain["metrics"]["reference"]["accuracy"]);
    let again = other.call(&["run"]);
    assert!(text(&again.stdout).contains(" rows by seen "), "{}", text(&again.stdout));
}

#[test]
fn the_card_of_a_model_tells_how_it_was_judged() {
    let project = Project::new();
    project.edit(PROJECT, "promote:", "evaluate: {slices: [Contract, tenure]}\npromote:");
    let run = project.run();
    let copy = project.path("copy");
    let export = project.call(&["models", "export", "churn-predictor@challenger", "--output", copy.to_str().unwrap()]);
    assert_eq!(export.status.code(), Some(0), "{}", text(&export.stderr));
    let card = std::fs::read_to_string(copy.join("model_card.md")).unwrap();
    assert!(card.contains("# A model of `Churn`") && card.contains("## Limits"), "{card}");
    let judged = &card[card.find("### The reference test").unwrap()..card.find("### The optional test").unwrap()];
    assert!(judged.contains("300 rows.") && card.contains("### The optional test `new_customers`"), "{card}");
    let reference = &run["metrics"]["reference"];
    let six = |value: &Value| format!("{:.5e}", value.as_f64().unwrap()).parse::<f64>().unwrap();
    for (metric, value) in reference.as_object().unwrap() {
        let line = judged.lines().find(|line| line.starts_with(&format!("| `{metric}` | {} | ", six(value))));
        let cells = line.unwrap_or_else(|| panic!("{metric} {value}\n{judged}")).split(" | ").collect::<Vec<_>>();
        assert!(cells[2].contains(" to ") && cells.len() == 4, "{cells:?}");
    }
    let worst = &run["slices"]["sets"]["reference"]["worst"];
    let named =
        format!("The worst slice is `{}`: `roc_auc` {} on", worst["slice"].as_str().unwrap(), six(&worst["value"]));
    assert!(judged.contains(&named) && judged.contains("| `Contract = Two year` |"), "{named}\n{judged}");
    // The same evaluation from the cache leaves the same card, and another one leaves another, of the same model.
    let card_of = |run: &Value| {
        let shown = project.json(&["runs", "show", run["run"].as_str().unwrap()]);
        let files = shown["artifacts"].as_array().unwrap().iter();
        files.clone().find(|file| file["path"] == "model/model_card.md").unwrap()["digest"].clone()
    };
    let again = project.run();
    assert_eq!((steps(&again, "cached").contains(&"evaluate".to_owned()), card_of(&again)), (true, card_of(&run)));
    project.edit(PROJECT, "[Contract, tenure]", "[Contract]");
    let other = project.run();
    assert_eq!(candidate(&other), candidate(&run));
    assert_ne!(card_of(&other), card_of(&run));
    let replay = project.json(&["verify", run["run"].as_str().unwrap()]);
    assert_eq!(replay["identical"], json!(true), "{replay}");
}

#[test]
fn repeated_folds_tell_the_number_of_fits_and_leave_the_model() {
    let (once, thrice) = (Project::new(), Project::new());
    thrice.edit(MODEL, "{folds: 5}", "{folds: 3, repeats: 3}");
    once.edit(MODEL, "{folds: 5}", "{folds: 3}");
    let (first, second) = (once.run(), thrice.run());
    assert_eq!(candidate(&first), candidate(&second));
    let line = |result: &Value| {
        let steps = result["steps"].as_array().unwrap().iter();
        steps.clone().find(|step| step["name"] == "train").unwrap()["result"].as_str().unwrap().to_owned()
    };
    assert!(line(&second).ends_with(", 9 fits") && !line(&first).contains("fits"), "{}", line(&second));
    let spread = |project: &Project, result: &Value| {
        let shown = project.json(&["runs", "show", result["run"].as_str().unwrap()]);
        shown["metrics"]["cv_roc_auc_std"].as_f64().unwrap()
    };
    assert_ne!(spread(&once, &first), spread(&thrice, &second));
}
