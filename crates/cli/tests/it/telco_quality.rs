//! The booster beside LightGBM on the real Telco file: the same splits, the same parameters.

use std::process::Command;

use serde_json::{Value, json};

/// How far the mean over 20 split seeds may lie below LightGBM's.
const MARGIN: f64 = 0.003;

#[test]
fn mean_reference_roc_auc_over_twenty_splits_is_that_of_lightgbm() {
    let (Some(data), Some(judge)) =
        (trainyard_judges::shared("data/telco_churn/customers.csv"), trainyard_judges::python("core"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let example = trainyard_judges::repository().join("examples/churn");
    let mut ours = Vec::new();
    for seed in 1..=20 {
        let project = folder.path().join(seed.to_string());
        for file in
            ["trainyard.yaml", "versions/splits/v1.yaml", "versions/features/v1.yaml", "versions/models/v1.yaml"]
        {
            let text =
                std::fs::read_to_string(example.join(file)).unwrap().replace("seed: 42", &format!("seed: {seed}"));
            let target = project.join(file);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::write(target, text).unwrap();
        }
        let output = Command::new(env!("CARGO_BIN_EXE_trainyard"))
            .args(["run", "--json", "--set", &format!("data.source={}", data.display())])
            .arg(&project)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["reference_rows"], json!(1409));
        ours.push(result["metrics"]["reference"]["roc_auc"].as_f64().unwrap());
    }
    let theirs = judge.run(LIGHTGBM, &json!({ "folder": folder.path().to_str().unwrap() }));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let theirs: Vec<f64> = theirs.as_array().unwrap().iter().map(trainyard_judges::number).collect();
    let (ours, theirs) = (mean(&ours), mean(&theirs));
    assert!(ours >= theirs - MARGIN, "ours {ours}, LightGBM {theirs}");
}

const LIGHTGBM: &str = r#"
import re
import lightgbm, pandas
from sklearn.metrics import roc_auc_score
def features(table, median):
    x = table.drop(columns=["customerID", "Churn"])
    x["total_amount"] = x.tenure * x.MonthlyCharges
    x["average_charges"] = x.MonthlyCharges / (x.tenure + 1)
    x["is_high_risk"] = ((x.Contract == "Month-to-month") & (x.MonthlyCharges > median)).astype(int)
    return pandas.get_dummies(x)
answer = []
for seed in range(1, 21):
    project = f"{data['folder']}/{seed}/data"
    train = pandas.read_parquet(f"{project}/splits/v1/train.parquet")
    test = pandas.read_parquet(f"{project}/reference/tests/v1/test_reference.parquet")
    median = train.MonthlyCharges.median()
    x = features(train, median)
    z = features(test, median).reindex(columns=x.columns, fill_value=0)
    x.columns = z.columns = [f"{re.sub(r'[^A-Za-z0-9]', '_', name)}_{at}" for at, name in enumerate(x.columns)]
    model = lightgbm.LGBMClassifier(n_estimators=100, learning_rate=0.05, num_leaves=15, min_child_samples=20, n_jobs=1, verbose=-1)
    model.fit(x, (train.Churn == "Yes").astype(int))
    answer.append(roc_auc_score((test.Churn == "Yes").astype(int), model.predict_proba(z)[:, 1]))
"#;
