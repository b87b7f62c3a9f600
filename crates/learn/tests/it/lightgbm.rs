//! Accuracy beside LightGBM, with the same parameters and folds.

use serde_json::json;
use trainyard_judges::number;
use trainyard_learn::{BoostingParameters, Objective, metrics, stratified_folds};
use trainyard_random::Key;

use crate::boosting::fit;
use crate::data::{Table, json, json_columns};

const SCRIPT: &str = r#"
import numpy as np, lightgbm as lgb
from sklearn.metrics import roc_auc_score
X = np.array(data["columns"]).T
y = np.array(data["targets"])
folds = np.array(data["folds"])
answer = []
for fold in range(5):
    train, test = folds != fold, folds == fold
    params = dict(objective="binary", num_leaves=31, learning_rate=0.1,
                  min_child_samples=20, min_child_weight=1e-3, verbose=-1, num_threads=1, deterministic=True)
    model = lgb.train(params, lgb.Dataset(X[train], y[train]), 100)
    answer.append(roc_auc_score(y[test], model.predict(X[test])))
"#;

/// Holds the mean ROC AUC over five folds against LightGBM's.
#[expect(clippy::print_stdout, reason = "the numbers are worth a look: `--no-capture` shows them")]
fn auc_is_as_good(name: &str, table: Option<Table>) {
    let Some((table, judge)) = table.zip(trainyard_judges::python("core")) else { return };
    let strata: Vec<u32> = table.targets.iter().map(|target| *target as u32).collect();
    let groups: Vec<u64> = (0..table.rows() as u64).collect();
    let folds = stratified_folds(&strata, &groups, 5, 42);
    let request = json!({ "columns": json_columns(&table.columns), "targets": json(&table.targets), "folds": folds });
    let theirs: Vec<f64> = judge.run(SCRIPT, &request).as_array().expect("a list").iter().map(number).collect();
    let ours = (0..5).map(|fold| {
        let (train, test) = (table.filter(|row| folds[row] != fold), table.filter(|row| folds[row] == fold));
        let (_, _, fit) = fit(&train, &BoostingParameters::default(), Objective::BinaryLogLoss);
        metrics::roc_auc(&test.targets, &fit.ensemble().predict_margin(&test.matrix())).expect("a metric")
    });
    let (ours, theirs) = (ours.sum::<f64>() / 5.0, theirs.iter().sum::<f64>() / 5.0);
    println!("{name}: ours {ours:.5}, LightGBM {theirs:.5}");
    assert!(ours >= theirs - 0.003, "{name}: ours {ours}, LightGBM {theirs}");
}

#[test]
fn adult_with_missing_cells() {
    let Some(mut table) = Table::adult() else { return };
    let key = Key::new(3, "learn/tests/missing");
    for (index, column) in table.columns.iter_mut().enumerate() {
        let key = key.derive(index as u64);
        // The larger half is missing more often, so that being missing says something.
        let mut sorted = column.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let median = sorted[sorted.len() / 2];
        for (row, value) in column.iter_mut().enumerate() {
            if key.uniform(row as u64) < if *value > median { 0.4 } else { 0.1 } {
                *value = f64::NAN;
            }
        }
    }
    auc_is_as_good("adult with missing cells", Some(table));
}
