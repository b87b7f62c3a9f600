//! A whole model against the same pipeline in scikit-learn, on the real customers.

use serde_json::json;
use trainyard_judges::{number, python, shared};

use crate::given::{CHURN, CHURN_FEATURES, MODELS, Project, fifths};
use crate::real::telco;

const PIPELINE: &str = "
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.metrics import roc_auc_score, f1_score
t = pd.read_csv(data['path'], keep_default_na=False)
t['TotalCharges'] = pd.to_numeric(t['TotalCharges'], errors='coerce')
t['total_amount'] = t['tenure'] * t['MonthlyCharges']
place = np.arange(len(t)) % 5
train, test = t[place < 3], t[place == 4]
numeric = ['tenure', 'MonthlyCharges', 'TotalCharges', 'total_amount']
high = lambda x: ((x['Contract'] == 'Month-to-month') & (x['MonthlyCharges'] > train['MonthlyCharges'].median())).astype(float)
train, test = train.assign(is_high_risk=high(train)), test.assign(is_high_risk=high(test))
columns = ColumnTransformer([
    ('numeric', make_pipeline(SimpleImputer(strategy='median'), StandardScaler()), numeric),
    ('categorical', OneHotEncoder(min_frequency=10, handle_unknown='infrequent_if_exist'), data['categorical']),
    ('derived', 'passthrough', ['is_high_risk'])])
model = make_pipeline(columns, LogisticRegression(solver='newton-cholesky', tol=1e-12)).fit(train, train['Churn'] == 'Yes')
p = model.predict_proba(test)[:, 1]
y = test['Churn'] == 'Yes'
answer = {'p': p, 'roc_auc': roc_auc_score(y, p), 'f1': f1_score(y, p >= 0.5), 'features': model[0].get_feature_names_out().shape[0]}
";

#[test]
fn the_baseline_is_the_pipeline_of_scikit_learn() {
    let (Some(judge), Some(path)) = (python("core"), shared("data/telco_churn/customers.csv")) else { return };
    let Some(table) = telco() else { return };
    let project = Project::new(CHURN, CHURN_FEATURES, MODELS, &table);
    let model = project.baseline(&fifths(&table, &[0, 1, 2])).unwrap().model;
    let test = fifths(&table, &[4]);
    let predictions = model.predict(&test).unwrap();
    let list = CHURN_FEATURES.split("categorical: [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let categorical: Vec<&str> = list.split(", ").collect();
    let theirs = judge.run(PIPELINE, &json!({"path": path, "categorical": categorical}));
    assert_eq!(theirs["features"], json!(model.features.names().len()));
    let metrics = model.metrics(&project.targets(&test), &predictions).unwrap();
    for metric in ["roc_auc", "f1"] {
        assert!((metrics[metric] - number(&theirs[metric])).abs() < 1e-12, "{metric}: {metrics:?} {}", theirs[metric]);
    }
    for (row, (ours, theirs)) in predictions.iter().zip(theirs["p"].as_array().unwrap()).enumerate() {
        assert!((ours - number(theirs)).abs() < 1e-7, "row {row}: {ours}, scikit-learn has {theirs}");
    }
}
