//! A project's life: run, cached, verified, grown, damaged, frozen, refused by its gates.

use std::fs;

use serde_json::{Value, json};

use crate::project::{CUSTOMERS, Project, REFERENCE, candidate, steps};
use crate::text;

const STEPS: [&str; 10] =
    ["resolve", "ingest", "split", "features", "baseline", "train", "evaluate", "gate", "compare", "promote"];

#[test]
fn a_first_run_promotes_and_says_so_in_full() {
    let result = Project::new().run();
    assert_eq!((&result["status"], &result["decision"]), (&json!("FINISHED"), &json!("promoted")));
    assert_eq!(result["versions"], json!({"split": 1, "features": 1, "model": 1}));
    assert_eq!(steps(&result, "ran"), STEPS);
    assert!(result["steps"].as_array().unwrap().iter().all(|step| step["seconds"].is_number()));
    for of in ["reference", "baseline"] {
        for metric in ["accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "log_loss", "brier"] {
            assert!(result["metrics"][of][metric].is_number(), "{of} {metric}: {}", result["metrics"]);
        }
        assert!(result["metrics"][of]["roc_auc"].as_f64().unwrap() > 0.75);
    }
    let gates = result["gates"].as_array().unwrap();
    let judged = |gate: &Value| gate["passed"] == true && gate["limit"].is_number() && gate["value"].is_number();
    assert!(gates.len() == 3 && gates.iter().all(judged), "{gates:?}");
    assert!(!result["comparison"].is_null());
    let model = &result["model"];
    assert_eq!((&model["name"], &model["version"]), (&json!("churn-predictor"), &json!(1)));
    assert_eq!((&model["stage"], &model["aliases"]), (&json!("Staging"), &json!(["challenger"])));
    assert_eq!(model["digest"], result["candidate"]["digest"]);
}

#[test]
fn a_second_run_comes_from_the_cache_and_keeps_the_model() {
    let project = Project::new();
    let (first, second) = (project.run(), project.run());
    assert_eq!(steps(&second, "ran"), ["compare", "promote"]);
    assert_eq!(steps(&second, "cached"), STEPS[..8]);
    assert_eq!((&second["decision"], candidate(&second)), (&json!("kept"), candidate(&first)));
}

#[test]
fn a_replay_at_one_two_and_eight_threads_is_identical_also_without_the_source() {
    let project = Project::new();
    let run = project.run()["run"].as_str().unwrap().to_owned();
    fs::remove_file(project.path(crate::project::CUSTOMERS)).unwrap();
    let result = project.json(&["verify", &run]);
    assert_eq!(result["identical"], true);
    let replays = result["replays"].as_array().unwrap();
    assert_eq!(replays.iter().map(|replay| replay["threads"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 8]);
    for replay in replays {
        let artifacts = replay["artifacts"].as_array().unwrap();
        assert!(artifacts.len() >= 15, "{artifacts:?}");
        assert!(artifacts.iter().all(|artifact| artifact["recorded"] == artifact["replayed"]));
    }
}

#[test]
fn threads_and_steps_one_by_one_make_the_same_model() {
    let digests = ["1", "2", "8"].map(|threads| candidate(&Project::new().json(&["run", "--threads", threads])));
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    let project = Project::new();
    let reports = STEPS.map(|step| project.json(&["step", step, "--run", "by-hand"]));
    assert_eq!(candidate(&reports[9]["ended"]), digests[0]);
    assert_eq!(reports[9]["ended"]["decision"], "promoted");
}

#[test]
fn the_master_may_grow_and_the_reference_stays() {
    let project = Project::new();
    let first = project.run();
    let before = fs::read(project.path(REFERENCE)).unwrap();
    project.customers(150, 8, "more.csv");
    project.grow("more.csv");
    let output = project.call(&["run", "--json"]);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Whether ten per cent more rows make a better model is for the numbers to say; that they are compared is not.
    assert_eq!(result["comparison"]["outcome"], "measured", "{}", text(&output.stderr));
    let refused = result["decision"] == "refused";
    assert_eq!(output.status.code(), Some(if refused { 3 } else { 0 }), "{}", result["decision"]);
    assert_eq!(&steps(&result, "ran")[..2], ["ingest", "split"]);
    assert_eq!(result["reference_rows"], first["reference_rows"]);
    assert_eq!(fs::read(project.path(REFERENCE)).unwrap(), before);
}

#[test]
fn a_damaged_object_runs_its_step_again_and_nothing_else() {
    let project = Project::new();
    let first = project.run();
    for (step, artifact) in [("ingest", "table"), ("train", "model/model.json")] {
        let record: Value =
            serde_json::from_str(&project.read(&format!(".trainyard/cache/{step}/latest.json"))).unwrap();
        let object = record["output"]["artifacts"][artifact].as_str().unwrap_or_else(|| panic!("{record:#}"));
        project.flip(&format!(".trainyard/objects/{}/{}", &object[..2], &object[2..]));
        let again = project.run();
        // The comparison with an incumbent is new once, then cached.
        let ran: Vec<String> = steps(&again, "ran").into_iter().filter(|name| name != "compare").collect();
        assert_eq!(ran, [step, "promote"]);
        assert_eq!(candidate(&again), candidate(&first));
    }
}

#[test]
fn a_model_file_that_was_altered_after_train_makes_evaluate_fail() {
    let project = Project::new();
    for step in &STEPS[..6] {
        project.json(&["step", step, "--run", "by-hand"]);
    }
    let record: Value = serde_json::from_str(&project.read(".trainyard/cache/train/latest.json")).unwrap();
    let files: Vec<&str> = record["output"]["artifacts"].as_object().unwrap().keys().map(String::as_str).collect();
    let files: Vec<&str> = files.into_iter().filter(|artifact| artifact.starts_with("model/")).collect();
    let native = ["model/model.json", "model/seen_rows.bin", "model/signature.json"];
    assert!(native.iter().all(|file| files.contains(file)) && files.contains(&"model/model.onnx"), "{files:?}");
    for file in files {
        let object = record["output"]["artifacts"][file].as_str().unwrap();
        let object = format!(".trainyard/objects/{}/{}", &object[..2], &object[2..]);
        project.flip(&object);
        let output = project.call(&["step", "evaluate", "--run", "by-hand"]);
        assert_eq!(output.status.code(), Some(1), "{file}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("train"), "{file}: {}", text(&output.stderr));
        project.flip(&object);
    }
    project.json(&["step", "evaluate", "--run", "by-hand"]);
}

#[test]
fn strict_gates_refuse_with_exit_code_three() {
    let output = Project::new().call(&["run", "--env", "strict", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["status"], &result["decision"]), (&json!("REFUSED"), &json!("refused")));
    assert!(result["model"].is_null());
}

#[test]
fn rows_of_another_world_are_predicted_and_warned_of() {
    let project = Project::with_rows(600);
    project.run();
    let source = project.read(CUSTOMERS);
    let mut lines: Vec<Vec<String>> =
        source.lines().take(41).map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let place = |name: &str, lines: &[Vec<String>]| lines[0].iter().position(|cell| cell == name).unwrap();
    let (contract, charges) = (place("Contract", &lines), place("MonthlyCharges", &lines));
    let predict = |lines: &[Vec<String>]| {
        let rows: Vec<String> = lines.iter().map(|line| line.join(",")).collect();
        project.write("new.csv", rows.join("\n") + "\n");
        project.call(&["predict", "--model", "churn-predictor", "--input", "new.csv", "--json"])
    };
    let like_training: Value = serde_json::from_slice(&predict(&lines).stdout).unwrap();
    assert_eq!(like_training["oddities"], json!([]));
    for line in &mut lines[1..4] {
        line[contract] = "Month to month".to_owned();
        line[charges] = "99999.5".to_owned();
    }
    let output = predict(&lines);
    let said = text(&output.stderr);
    let odd: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), odd["predictions"].as_array().unwrap().len()), (Some(0), 40), "{said}");
    let found =
        |what: &str| odd["oddities"].as_array().unwrap().iter().find(|odd| odd["what"] == what).unwrap().clone();
    let unseen = found("unseen_categories");
    assert_eq!((&unseen["column"], &unseen["rows"]), (&json!("Contract"), &json!(3)));
    assert_eq!(unseen["named"][0], json!({"category": "Month to month", "rows": 3, "near": "Month-to-month"}));
    assert_eq!(found("far_outside")["furthest"], 99_999.5);
    for code in ["predict/unseen-category", "predict/out-of-range"] {
        assert!(said.contains(code), "{said}");
    }
}
