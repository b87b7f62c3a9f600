//! The policy of promotion, sentence by sentence, in whole runs.

use std::collections::BTreeSet;
use std::fs;

use arrow_array::cast::AsArray;
use serde_json::{Value, json};
use trainyard_judges::number;

use crate::project::{CUSTOMERS, Project, REFERENCE};
use crate::registry::{MODEL, failed, shown};
use crate::text;

/// Models of a version file each: hardly one, and some of which each is a little better than the one before.
pub(crate) const STUMP: (u32, &str) = (2, "{n_estimators: 3, learning_rate: 0.02, max_leaf_nodes: 2}");
pub(crate) const GOOD: (u32, &str) =
    (3, "{n_estimators: 100, learning_rate: 0.05, max_leaf_nodes: 15, min_samples_leaf: 20}");
pub(crate) const BETTER: (u32, &str) =
    (4, "{n_estimators: 60, learning_rate: 0.05, max_leaf_nodes: 15, min_samples_leaf: 20}");
const BEST: (u32, &str) = (5, "{n_estimators: 60, learning_rate: 0.05, max_leaf_nodes: 4, min_samples_leaf: 20}");

/// Makes a project whose promotion is written in this way, and that refuses no model by a gate.
pub(crate) fn with_promotion(project: Project, promote: &str) -> Project {
    let text = project.read("trainyard.yaml");
    let kept = text.lines().filter(|line| !line.starts_with("promote:") && !line.starts_with("  at_"));
    let kept = kept.filter(|line| !line.starts_with("gates:")).map(|line| format!("{line}\n"));
    project.write("trainyard.yaml", kept.chain([format!("promote: {promote}\n")]).collect::<String>());
    for (version, parameters) in [STUMP, GOOD, BETTER, BEST] {
        let model =
            format!("seed: 0\ncandidates:\n  gradient_boosting: {parameters}\ncross_validation: {{folds: 2}}\n");
        project.write(&format!("versions/models/v{version}.yaml"), model);
    }
    project
}

/// Runs a version of the model under a policy; gives the exit code and the result.
pub(crate) fn run(project: &Project, (version, _): (u32, &str), policy: &[&str]) -> (i32, Value) {
    let version = version.to_string();
    let set = policy.iter().flat_map(|key| ["--set", key]);
    let words: Vec<&str> = ["run", "--model", &version, "--json"].into_iter().chain(set).collect();
    let output = project.call(&words);
    let result = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code().unwrap(), result)
}

/// Runs, and gives what was decided in a word with why.
fn decided(project: &Project, model: (u32, &str), policy: &[&str]) -> (String, String, Value) {
    let (code, result) = run(project, model, policy);
    let word = |name: &str| result[name].as_str().unwrap().to_owned();
    let expected = if word("decision") == "refused" { (3, "REFUSED") } else { (0, "FINISHED") };
    assert_eq!((code, result["status"].as_str().unwrap()), expected, "{result:#}");
    (word("decision"), word("reason"), result)
}

#[test]
fn each_sentence_of_the_policy_holds() {
    let project = with_promotion(Project::new(), "{to: Production, alias: champion}");
    let significant = "promote.significant=0.05";
    // There is no model in production: the first goes there, whatever else is asked for.
    let (decision, reason, _) = decided(&project, STUMP, &[significant, "promote.minimum_gain=0.4"]);
    assert_eq!((decision.as_str(), reason.as_str()), ("promoted", "there was no model in its place"));
    // The same again is kept, and makes no version.
    let (decision, reason, _) = decided(&project, STUMP, &[]);
    assert_eq!((decision.as_str(), reason.as_str()), ("kept", "it is the model already in its place"));
    assert_eq!(shown(&project), ["1 Production champion"]);
    // Much better, by more than chance explains.
    let (decision, _, clear) = decided(&project, GOOD, &[significant, "promote.minimum_gain=0.05"]);
    assert_eq!(decision, "promoted");
    assert!(clear["comparison"]["p_value"].as_f64().unwrap() < 0.05);
    assert_eq!(shown(&project), ["2 Production champion", "1 Archived previous"]);
    // Worse is kept back, and refused where it loses what it may not; the loss itself is said.
    let (decision, reason, _) = decided(&project, STUMP, &[]);
    assert_eq!((decision.as_str(), reason.contains("is not better")), ("kept", true), "{reason}");
    let (decision, reason, _) = decided(&project, STUMP, &["promote.may_lose={f1: 0.05}"]);
    assert_eq!((decision.as_str(), reason.contains("f1 lost") && reason.contains("may lose 0.05")), ("refused", true));
    // Better within noise is kept, and says how likely chance is.
    let (decision, reason, noise) = decided(&project, BETTER, &[significant]);
    let gain = noise["comparison"]["difference"].as_f64().unwrap();
    assert!(gain > 0.0 && noise["comparison"]["p_value"].as_f64().unwrap() > 0.05);
    assert_eq!((decision.as_str(), reason.contains("may be chance (p = ")), ("kept", true), "{reason}");
    // So is what gains less than is asked for; both numbers are said, so that they can be told apart.
    let minimum = format!("promote.minimum_gain={}", gain + 0.00002);
    let (decision, reason, _) = decided(&project, BETTER, &[&minimum]);
    let said = format!("roc_auc +{gain:.5} is less than the {} asked for", gain + 0.00002);
    assert_eq!((decision.as_str(), reason), ("kept", said));
    // Both must hold, and either alone keeps it.
    let enough = format!("promote.minimum_gain={gain}");
    let (decision, reason, _) = decided(&project, BETTER, &[significant, &enough]);
    assert_eq!((decision.as_str(), reason.contains("may be chance")), ("kept", true), "{reason}");
    assert_eq!(shown(&project), ["2 Production champion", "1 Archived previous"]);
    let (decision, _, _) = decided(&project, BETTER, &[&enough]);
    assert_eq!(decision, "promoted");
    assert_eq!(shown(&project), ["3 Production champion", "2 Archived previous", "1 Archived"]);
    // A gain is one to the better side: of a loss, less.
    let (decision, reason, _) = decided(&project, BEST, &["promote.metric=log_loss", "promote.minimum_gain=0.9"]);
    assert_eq!((decision.as_str(), reason.starts_with("log_loss +0.")), ("kept", true), "{reason}");
    judged(&project, &clear, [2, 1]);
    judged(&project, &noise, [3, 2]);
}

/// Holds difference and p-value against scikit-learn's metric, a paired bootstrap of its own, and DeLong's test.
fn judged(project: &Project, result: &Value, versions: [u32; 2]) {
    let Some(judge) = trainyard_judges::python("core") else { return };
    let probabilities = versions.map(|version| {
        let model = format!("{MODEL}/{version}");
        let predicted = project.json(&["predict", "--model", &model, "--input", REFERENCE]);
        let rows = predicted["predictions"].as_array().unwrap();
        rows.iter().map(|row| row["probability"].as_f64().unwrap()).collect::<Vec<_>>()
    });
    let script = r#"
import numpy as np, pyarrow.parquet as pq
from scipy.stats import norm, rankdata
from sklearn.metrics import roc_auc_score
y = np.array([value == "Yes" for value in pq.read_table(data["reference"])["Churn"].to_pylist()])
a, b = (np.array(values) for values in data["probabilities"])
draws = np.random.default_rng(7).integers(0, len(y), (1000, len(y)))
gain = lambda rows: roc_auc_score(y[rows], a[rows]) - roc_auc_score(y[rows], b[rows])
gains = np.array([gain(rows) for rows in draws])
def placed(values):
    ranks, positive, negative = rankdata(values), rankdata(values[y]), rankdata(values[~y])
    return (ranks[y] - positive) / (~y).sum(), 1 - (ranks[~y] - negative) / y.sum()
(ya, na), (yb, nb) = placed(a), placed(b)
deviation = np.sqrt((ya - yb).var(ddof=1) / y.sum() + (na - nb).var(ddof=1) / (~y).sum())
difference = roc_auc_score(y, a) - roc_auc_score(y, b)
answer = {"difference": difference, "delong": 2 * norm.sf(abs(difference) / deviation),
          "bootstrap": min(1, 2 * min((gains <= 0).mean(), (gains >= 0).mean()))}
"#;
    let theirs = judge.run(script, &json!({ "reference": project.path(REFERENCE), "probabilities": probabilities }));
    let ours = |name: &str| result["comparison"][name].as_f64().unwrap();
    assert!((ours("difference") - number(&theirs["difference"])).abs() < 1e-12, "{theirs}");
    // A thousand draws tell a probability to 0.05 and better.
    for test in ["bootstrap", "delong"] {
        assert!((ours("p_value") - number(&theirs[test])).abs() < 0.08, "{test}: {} and {theirs}", ours("p_value"));
    }
}

#[test]
fn stages_and_aliases_stay_in_step_through_a_chain_of_changes() {
    let project =
        with_promotion(Project::new(), "{to: Production, alias: champion, when: not_worse, may_lose: {roc_auc: 1}}");
    let by_run = |model: (u32, &str), policy: &[&str]| assert_eq!(decided(&project, model, policy).0, "promoted");
    let by_hand = |words: &[&str]| drop(project.json(&[&["models"], words].concat()));
    let standing = |expected: &[&str]| assert_eq!(shown(&project), expected);
    by_run(STUMP, &[]);
    standing(&["1 Production champion"]);
    by_run(GOOD, &[]);
    standing(&["2 Production champion", "1 Archived previous"]);
    by_run(BETTER, &[]);
    standing(&["3 Production champion", "2 Archived previous", "1 Archived"]);
    // One command restores the one before; again goes back one more.
    by_hand(&["rollback", MODEL]);
    standing(&["3 Archived previous", "2 Production champion", "1 Archived"]);
    by_hand(&["rollback", MODEL]);
    standing(&["3 Archived", "2 Archived previous", "1 Production champion"]);
    assert_eq!(failed(&project, &["models", "rollback", MODEL]), (1, "tracking/nothing-before".to_owned()));
    // A challenger has its own stage, and leaves the champion alone.
    by_run(BEST, &["promote.to=Staging", "promote.alias=challenger"]);
    standing(&["4 Staging challenger", "3 Archived", "2 Archived previous", "1 Production champion"]);
    by_hand(&["promote", "churn-predictor@challenger", "--to", "Production", "--reason", "a good week"]);
    standing(&["4 Production challenger champion", "3 Archived", "2 Archived", "1 Archived previous"]);
    by_hand(&["archive", "churn-predictor/3"]);
    standing(&["4 Production challenger champion", "3 Archived", "2 Archived", "1 Archived previous"]);
    by_hand(&["promote", "churn-predictor/2", "--to", "Production", "--force", "--reason", "v4 fails"]);
    standing(&["4 Archived challenger previous", "3 Archived", "2 Production champion", "1 Archived"]);
    by_hand(&["archive", "churn-predictor/4"]);
    standing(&["4 Archived", "3 Archived", "2 Production champion", "1 Archived"]);
    by_hand(&["promote", "churn-predictor/2", "--to", "None"]);
    standing(&["4 Archived", "3 Archived", "2 None champion", "1 Archived"]);
    by_hand(&["audit"]);
}

#[test]
fn rows_that_the_champion_was_trained_on_judge_nobody() {
    let project = with_promotion(
        Project::with_rows(4000),
        "{to: Production, alias: champion, when: not_worse, may_lose: {roc_auc: 1}}",
    );
    run(&project, GOOD, &[]);
    // Another split draws another reference test: most of its rows were training rows before.
    let split = project.read("versions/splits/v1.yaml").replace("seed: 42", "seed: 43");
    project.write("versions/splits/v2.yaml", split);
    let (_, second) = run(&project, BETTER, &["active.split=2"]);
    let keys = |file: &str| -> BTreeSet<String> {
        let bytes = fs::read(project.path(file)).unwrap();
        let table = trainyard_data::from_parquet(&bytes, file).unwrap();
        let keys = table.column_by_name("customerID").unwrap().as_string::<i64>();
        keys.iter().map(|key| key.unwrap().to_owned()).collect()
    };
    let reference = keys("data/reference/tests/v2/test_reference.parquet");
    // Of one candidate and a threshold that is given, validation rows have chosen nothing.
    let fresh: BTreeSet<String> = reference.difference(&keys("data/splits/v1/train.parquet")).cloned().collect();
    let comparison = &second["comparison"];
    assert!(fresh.len() >= 100 && fresh.len() < reference.len() / 2, "{} of {}", fresh.len(), reference.len());
    assert_eq!(comparison["rows"], json!(fresh.len()));
    assert_eq!(comparison["excluded"], json!(reference.len() - fresh.len()));
    assert_eq!((&second["decision"], &second["incumbent"]["version"]), (&json!("promoted"), &json!(1)));
    // The numbers are those of a comparison on the remaining rows alone.
    let master = project.read(CUSTOMERS);
    let (head, rows) = master.split_once('\n').unwrap();
    let columns: Vec<&str> = head.split(',').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let left: Vec<&str> =
        rows.lines().filter(|row| fresh.contains(row.split(',').nth(at("customerID")).unwrap())).collect();
    assert_eq!(left.len(), fresh.len());
    project.write("left.csv", format!("{head}\n{}\n", left.join("\n")));
    let churned: Vec<bool> = left.iter().map(|row| row.split(',').nth(at("Churn")) == Some("Yes")).collect();
    for (version, whose) in [(2, "candidate"), (1, "incumbent")] {
        let predicted = project.json(&["predict", "--model", &format!("{MODEL}/{version}"), "--input", "left.csv"]);
        let rows = predicted["predictions"].as_array().unwrap();
        let scores: Vec<f64> = rows.iter().map(|row| row["probability"].as_f64().unwrap()).collect();
        let classes: Vec<bool> = rows.iter().map(|row| row["prediction"] == "Yes").collect();
        let right = classes.iter().zip(&churned).filter(|(said, is)| said == is).count();
        let told = |metric: &str| comparison[whose][metric].as_f64().unwrap();
        assert!((told("roc_auc") - area(&scores, &churned)).abs() < 1e-12, "{whose}: {}", told("roc_auc"));
        assert!((told("accuracy") - right as f64 / left.len() as f64).abs() < 1e-12, "{whose}");
    }
}

/// The share of pairs of one that churned and one that did not in which the first has the higher score; a tie is half.
fn area(scores: &[f64], churned: &[bool]) -> f64 {
    let of = |class: bool| scores.iter().zip(churned).filter(move |(_, is)| **is == class).map(|(score, _)| *score);
    let won = |one: f64, other: f64| 0.5 * (f64::from(one > other) + f64::from(one >= other));
    let wins: f64 = of(true).flat_map(|one| of(false).map(move |other| won(one, other))).sum();
    wins / (of(true).count() * of(false).count()) as f64
}
