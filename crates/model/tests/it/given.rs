//! Projects and trainings to test with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use trainyard_diagnostics::{Source, Style, render};
use trainyard_engines::Engines;
use trainyard_features::{Plan, plan};
use trainyard_model::{Error, Target, TrainRequest, Trained, train, train_baseline};
use trainyard_spec::{Choice, Resolved, SpecFiles, resolve};

pub(crate) const CHURN: &str = "\
name: churn
data:
  source: data/raw/customers.csv
  key: customerID
  target: {column: Churn, positive: \"Yes\"}
  types: {TotalCharges: float}
active: {split: 1, features: 1, model: 1}
";

pub(crate) const CHURN_FEATURES: &str = "\
columns:
  total_amount: \"tenure * MonthlyCharges\"
  is_high_risk: \"Contract = 'Month-to-month' AND MonthlyCharges > fitted_median(MonthlyCharges)\"
groups:
  - {numeric: [tenure, MonthlyCharges, TotalCharges, total_amount], impute: median, scale: standard}
  - {categorical: [gender, SeniorCitizen, Partner, Dependents, PhoneService, MultipleLines, InternetService, OnlineSecurity, OnlineBackup, DeviceProtection, TechSupport, StreamingTV, StreamingMovies, Contract, PaperlessBilling, PaymentMethod], encode: one_hot, min_frequency: 10}
";

pub(crate) const MODELS: &str = "\
seed: 7
baseline: {logistic_regression: {}}
candidates:
  small: {estimator: gradient_boosting, max_iter: 20, max_leaf_nodes: 7}
  larger: {estimator: gradient_boosting, max_iter: 30, max_leaf_nodes: 15, subsample: 0.8, colsample_bytree: 0.8}
cross_validation: {folds: 3}
";

const SPLIT: &str = "\
seed: 42
stratify: true
shares: {train: 0.6, validation: 0.2, reference_test: 0.2}
";

/// A project whose tables are given.
pub(crate) struct Project {
    pub(crate) resolved: Resolved,
    pub(crate) plan: Plan,
    pub(crate) target: Target,
    engines: Engines,
}

impl Project {
    pub(crate) fn new(project: &str, features: &str, models: &str, table: &RecordBatch) -> Project {
        Project::with_split(project, SPLIT, features, models, table)
    }

    pub(crate) fn with_split(project: &str, split: &str, features: &str, models: &str, table: &RecordBatch) -> Project {
        let source = |name: &str, text: &str| Arc::new(Source { name: name.into(), text: text.into(), first_line: 1 });
        let version =
            |folder: &str, text: &str| BTreeMap::from([(1, source(&format!("versions/{folder}/v1.yaml"), text))]);
        let files = SpecFiles {
            project: source("trainyard.yaml", project),
            environment: None,
            known_environments: Vec::new(),
            overrides: Vec::new(),
            splits: version("splits", split),
            features: version("features", features),
            models: version("models", models),
            lock: None,
            choose: Choice::default(),
        };
        let draw = |problems: trainyard_diagnostics::Problems| -> String {
            let style = Style { color: false, width: 120 };
            problems.into_iter().map(|problem| render(&problem, &style)).collect()
        };
        let resolved = resolve(&files).unwrap_or_else(|problems| panic!("{}", draw(problems)));
        let plan = plan(&resolved.features.spec, &table.schema(), &resolved.project.data)
            .unwrap_or_else(|problems| panic!("{}", draw(problems)));
        let checked = trainyard_data::check(table, &resolved.project.data).unwrap();
        let target = checked.target;
        Project { resolved, plan, target, engines: Engines::none() }
    }

    pub(crate) fn train(&self, table: &RecordBatch, validation: Option<&RecordBatch>) -> Result<Trained, Error> {
        train(&self.request(table, validation))
    }

    pub(crate) fn baseline(&self, table: &RecordBatch) -> Result<Trained, Error> {
        train_baseline(&self.request(table, None))
    }

    pub(crate) fn request<'a>(
        &'a self,
        train: &'a RecordBatch,
        validation: Option<&'a RecordBatch>,
    ) -> TrainRequest<'a> {
        TrainRequest {
            train,
            validation,
            data: &self.resolved.project.data,
            target: &self.target,
            plan: &self.plan,
            spec: &self.resolved.model.spec,
            split: &self.resolved.split.spec,
            progress: &|_| true,
            engines: &self.engines,
        }
    }

    pub(crate) fn targets(&self, table: &RecordBatch) -> Vec<f64> {
        trainyard_data::targets(table, &self.target).unwrap()
    }
}

/// A project of synthetic customers.
pub(crate) fn churn(models: &str, table: &RecordBatch) -> Project {
    Project::new(CHURN, CHURN_FEATURES, models, table)
}

/// Takes the rows whose place modulo five is among `of`.
pub(crate) fn fifths(table: &RecordBatch, of: &[usize]) -> RecordBatch {
    let rows: UInt64Array = (0..table.num_rows()).filter(|row| of.contains(&(row % 5))).map(|row| row as u64).collect();
    arrow_select::take::take_record_batch(table, &rows).unwrap()
}

/// Puts another column in the place of one.
pub(crate) fn replaced(table: &RecordBatch, name: &str, array: ArrayRef) -> RecordBatch {
    let at = table.schema().index_of(name).unwrap();
    let mut columns = table.columns().to_vec();
    assert_eq!(columns[at].len(), array.len());
    columns[at] = array;
    RecordBatch::try_new(table.schema(), columns).unwrap()
}

pub(crate) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}
