//! The step that compares the data with what the model in service was trained on.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_pipeline::engine::Action;
use trainyard_pipeline::{
    Cancel, Failure, Request, RunResult, Silent, StepStatus, plan, run, step, tracking, verify, why,
};
use trainyard_tracking::{Status, Tracking};

use crate::shop;

const SOURCE: &str = "data/raw/table.csv";

struct Shop(TempDir);

impl Shop {
    /// Makes the project `shop` with a section of drift.
    fn with(section: &str) -> Shop {
        let shop = Shop(shop::project());
        let path = shop.root().join("trainyard.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}\ndrift: {section}\n")).unwrap();
        shop
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("shop")
    }

    /// Puts another section of drift, or none, in the place of the one that is there.
    fn asks(&self, section: &str) {
        let path = self.root().join("trainyard.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let rest: String =
            text.lines().filter(|line| !line.starts_with("drift:")).map(|line| format!("{line}\n")).collect();
        fs::write(path, format!("{rest}{section}\n")).unwrap();
    }

    fn request(&self) -> Request {
        shop::request(&self.root())
    }

    fn run(&self) -> Result<RunResult, Failure> {
        run(&self.request(), Arc::new(Silent), &Cancel::default())
    }

    /// Moves the column `size` of the source, and adds rows, so that it is another table.
    fn moves(&self, by: usize) {
        let path = self.root().join(SOURCE);
        let mut lines = vec!["id,size,bought\n".to_owned()];
        for row in 0..640 {
            let size = row * 37 % 101;
            let bought = if size + row * 13 % 29 > 60 { "yes" } else { "no" };
            lines.push(format!("{row},{},{bought}\n", size + by));
        }
        fs::write(path, lines.concat()).unwrap();
    }

    fn page(&self) -> bool {
        self.root().join(".trainyard/reports/drift.html").exists()
    }
}

fn statuses(result: &RunResult, wanted: StepStatus) -> Vec<&str> {
    result.steps.iter().filter(|step| step.status == wanted).map(|step| step.name.as_str()).collect()
}

#[test]
fn the_first_run_says_that_there_is_nothing_to_compare_with() {
    let shop = Shop::with("{}");
    let first = shop.run().unwrap();
    let why = first.drift["skipped"].as_str().unwrap();
    assert!(why.starts_with("there is no "), "{why}");
    assert_eq!((first.decision.as_deref(), shop.page()), (Some("promoted"), false));
    // The data is what it was, but for the rows that do not train.
    let second = shop.run().unwrap();
    assert_eq!((&second.drift["drift"], &second.drift["compared"]), (&json!(false), &json!(2)), "{}", second.drift);
    assert!(shop.page());
    // Nothing has changed since: not even the comparison is made again.
    let third = shop.run().unwrap();
    assert!(statuses(&third, StepStatus::Cached).contains(&"drift"), "{:?}", third.steps);
    assert_eq!(third.drift, second.drift);
}

#[test]
fn drift_is_told_and_kept_and_repeats_itself() {
    let shop = Shop::with("{share: 0.4, tests: {numeric: [ks, psi], categorical: [chisquare]}}");
    shop.run().unwrap();
    shop.moves(40);
    let result = shop.run().unwrap();
    assert_eq!((&result.drift["drift"], &result.drift["drifted"]), (&json!(true), &json!(1)), "{}", result.drift);
    assert_eq!(result.drift["moved"][0]["column"], "size");
    let store = tracking(&shop.root()).unwrap();
    let record = store.find_run(&result.run).unwrap();
    assert_eq!((record.tags["drift"].as_str(), record.metrics["drift_share"]), ("true", 0.5));
    let report: Value = serde_json::from_slice(&store.read_artifact(&result.run, "drift.json").unwrap()).unwrap();
    let tests = report["columns"][0]["tests"].as_array().unwrap();
    assert_eq!(tests.iter().map(|test| &test["test"]).collect::<Vec<_>>(), ["ks", "psi"]);
    assert_eq!(report["columns"][1]["is_target"], json!(true));
    assert!(store.read_artifact(&result.run, "drift.html").unwrap().starts_with(b"<!doctype html>"));
    // The same bytes at any number of threads, whatever has been promoted since.
    shop.moves(80);
    shop.run().unwrap();
    let verified = verify(&shop.request(), &result.run, &[1, 2, 8], Arc::new(Silent), &Cancel::default()).unwrap();
    assert!(verified.identical, "{verified:?}");
    assert!(verified.replays[0].artifacts.iter().any(|artifact| artifact.artifact == "page"));
}

#[test]
fn drift_that_stops_a_run_leaves_its_report_and_trains_nothing() {
    let shop = Shop::with("{share: 0.4, on_drift: stop}");
    let first = shop.run().unwrap();
    shop.moves(40);
    let Err(Failure::Problems(problems)) = shop.run() else { panic!("it went on") };
    assert_eq!((problems[0].code.as_str(), problems[0].fault.exit_code()), ("drift/stopped", 3));
    assert!(problems[0].notes.iter().any(|note| note.contains("size (ks")), "{problems:?}");
    let store = tracking(&shop.root()).unwrap();
    let latest = store.runs(1, None).unwrap().remove(0);
    assert_ne!(latest.run, first.run);
    assert_eq!((latest.status, latest.reason.unwrap().code.as_str()), (Status::Failed, "drift/stopped"));
    assert!(store.read_artifact(&latest.run, "drift.json").is_ok() && shop.page());
    assert!(!latest.inputs.iter().any(|input| input.name == "train"));
    // Where it has not drifted it goes on.
    shop.moves(0);
    assert!(shop.run().is_ok());
}

#[test]
fn without_drift_nothing_is_trained_where_drift_retrains() {
    let shop = Shop::with("{share: 0.4, on_drift: retrain}");
    let first = shop.run().unwrap();
    assert_eq!(first.decision.as_deref(), Some("promoted"), "nothing to compare with: it trains");
    shop.moves(0);
    let calm = shop.run().unwrap();
    assert_eq!((calm.status.as_str(), calm.decision.as_deref()), ("FINISHED", Some("kept")));
    assert_eq!((calm.reason.contains("not drifted"), &calm.candidate), (true, &Value::Null));
    assert_eq!(statuses(&calm, StepStatus::Skipped)[..2], ["split", "features"]);
    let store = tracking(&shop.root()).unwrap();
    assert_eq!(store.find_run(&calm.run).unwrap().status, Status::Finished);
    // What it did is repeated, although it trained nothing.
    let verified = verify(&shop.request(), &calm.run, &[1, 2], Arc::new(Silent), &Cancel::default()).unwrap();
    assert!(verified.identical, "{verified:?}");
    let repeated = |step: &str| verified.replays[0].artifacts.iter().any(|artifact| artifact.step == step);
    assert_eq!([repeated("drift"), repeated("split")], [true, false]);
    // A scheduler that drives the steps itself is told that this was the last one.
    let step = |name| step(&shop.request(), name, "nightly", Arc::new(Silent), &Cancel::default());
    assert!(step("resolve").unwrap().ended.is_none() && step("ingest").unwrap().ended.is_none());
    assert_eq!(step("drift").unwrap().ended.and_then(|ended| ended.decision).as_deref(), Some("kept"));
    let Err(Failure::Problems(problems)) = step("split") else { panic!("it went on") };
    assert_eq!(problems[0].code, "resume/nothing");
    // Nothing has changed: it would end there again.
    let asked = plan(&shop.request()).unwrap().steps;
    let action = |name: &str| asked.iter().find(|step| step.name == name).unwrap().action;
    assert_eq!([action("drift"), action("split"), action("promote")], [Action::Cached, Action::Skip, Action::Skip]);
    assert_eq!(why(&shop.request(), "train").unwrap().reasons, ["drift ends the run before it"]);
    shop.moves(40);
    let split = why(&shop.request(), "split").unwrap();
    assert_ne!(split.action, Action::Skip);
    assert!(split.reasons.contains(&"it may be left out: drift may end the run before it".to_owned()), "{split:?}");
    assert!(!why(&shop.request(), "drift").unwrap().reasons.iter().any(|reason| reason.contains("left out")));
    let moved = shop.run().unwrap();
    assert!(statuses(&moved, StepStatus::Skipped).is_empty() && moved.candidate.is_object(), "{:?}", moved.steps);
}

#[test]
fn a_run_is_compared_with_the_one_before_or_with_a_file() {
    let shop = Shop::with("{against: previous_run, share: 0.4}");
    assert!(shop.run().unwrap().drift["skipped"].is_string());
    shop.moves(40);
    assert_eq!(shop.run().unwrap().drift["drift"], true);
    // What moved then is what was before now.
    assert_eq!(shop.run().unwrap().drift["drifted"], 0);
    let shop = Shop::with("{against: before.csv, share: 0.4, leave_out: [bought]}");
    fs::write(shop.root().join("before.csv"), "size,bought\n1,yes\n2,no\n3,no\n4,yes\n5,no\n6,yes\n").unwrap();
    let result = shop.run().unwrap();
    assert_eq!((&result.drift["compared"], &result.drift["drift"]), (&json!(1), &json!(true)));
    fs::remove_file(shop.root().join("before.csv")).unwrap();
    let Err(Failure::Problems(problems)) = shop.run() else { panic!("it went on") };
    assert_eq!(problems[0].code, "data/missing-file");
    let verified = verify(&shop.request(), &result.run, &[1], Arc::new(Silent), &Cancel::default()).unwrap();
    assert!(verified.identical);
}

#[test]
fn what_a_cached_comparison_warns_of_is_told_again() {
    let shop = Shop::with("{against: before.csv, share: 0.4}");
    fs::write(shop.root().join("before.csv"), "size,bought,gone\n1,yes,1\n2,no,2\n3,no,3\n4,yes,4\n5,no,5\n6,yes,6\n")
        .unwrap();
    let warned = |result: &RunResult| -> Vec<String> {
        result.warnings.iter().map(|warning| warning["code"].as_str().unwrap().to_owned()).collect()
    };
    let first = shop.run().unwrap();
    assert_eq!(warned(&first), ["drift/broken-column", "drift/found"], "{:?}", first.drift);
    let second = shop.run().unwrap();
    assert!(statuses(&second, StepStatus::Cached).contains(&"drift"));
    assert_eq!(second.warnings, first.warnings);
}

#[test]
fn a_page_of_other_data_does_not_stay() {
    let shop = Shop::with("{}");
    let page = shop.root().join(".trainyard/reports/drift.html");
    fs::create_dir_all(page.parent().unwrap()).unwrap();
    fs::write(&page, "of long ago").unwrap();
    shop.run().unwrap();
    assert!(!shop.page(), "nothing was compared");
    shop.run().unwrap();
    assert!(shop.page());
    shop.asks("");
    shop.run().unwrap();
    assert!(!shop.page(), "nobody asked for a comparison");
}

#[test]
fn the_run_before_is_the_one_before_when_it_goes_on_too() {
    let shop = Shop::with("{against: previous_run, share: 0.4}");
    let first = shop.run().unwrap();
    let request = shop.request();
    let step = |name| step(&request, name, "nightly", Arc::new(Silent), &Cancel::default()).unwrap();
    step("resolve");
    shop.moves(40);
    let later = shop.run().unwrap();
    step("ingest");
    assert_eq!(step("drift").subject, format!("against run {}", first.run));
    assert_eq!(
        shop.run().unwrap().steps.iter().find(|step| step.name == "drift").unwrap().subject,
        format!("against run {}", later.run)
    );
}

#[test]
fn a_reference_that_can_not_be_read_is_not_taken_for_none() {
    let shop = Shop::with("{against: previous_run}");
    let first = shop.run().unwrap();
    let store = tracking(&shop.root()).unwrap();
    let master = store.find_run(&first.run).unwrap().inputs.into_iter().find(|input| input.name == "master").unwrap();
    let digest = master.digest.to_string();
    let object = shop.root().join(".trainyard/objects").join(&digest[..2]).join(&digest[2..]);
    shop.moves(40);
    // A folder in its place is there, and can't be read.
    fs::remove_file(&object).unwrap();
    fs::create_dir(&object).unwrap();
    let Err(Failure::Problems(problems)) = shop.run() else { panic!("it went on") };
    assert!(problems[0].code.starts_with("files/"), "{problems:?}");
    fs::remove_dir(&object).unwrap();
    let why = shop.run().unwrap().drift["skipped"].as_str().unwrap().to_owned();
    assert!(why.ends_with("is no longer stored"), "{why}");
}

#[test]
fn a_file_named_on_the_command_line_lies_where_that_was_typed() {
    let shop = Shop::with("{}");
    // A folder of the one that the tests run in, which the project does not have.
    let folder = tempfile::tempdir_in(".").unwrap();
    let typed = PathBuf::from(folder.path().file_name().unwrap()).join("before.csv");
    fs::write(&typed, "size,bought\n1,yes\n2,no\n3,no\n4,yes\n5,no\n6,yes\n").unwrap();
    let overrides = vec![("drift.against".to_owned(), typed.to_str().unwrap().to_owned())];
    let request = Request { overrides, ..shop.request() };
    let result = run(&request, Arc::new(Silent), &Cancel::default()).unwrap();
    assert_eq!(result.drift["compared"], json!(2), "{}", result.drift);
}
