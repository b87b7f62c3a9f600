//! Tables and specs to test with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use arrow_schema::{Field, Schema};
use trainyard_diagnostics::{Problems, Source, Style, render};
use trainyard_features::{Plan, plan};
use trainyard_random::Key;
use trainyard_spec::{Choice, Resolved, SpecFiles, resolve};

pub(crate) const PROJECT: &str = "\
name: churn
data:
  source: data/raw/customers.csv
  key: id
  target: {column: Churn, positive: \"Yes\"}
  drop: [internal]
active: {split: 1, features: 1, model: 1}
";

const SPLIT: &str = "\
seed: 42
stratify: true
shares: {train: 0.8, reference_test: 0.2}
";

const MODEL: &str = "\
baseline: {dummy: {}}
candidates:
  gradient_boosting: {}
";

/// Resolves a project whose feature version is `features`.
pub(crate) fn resolved(features: &str) -> Resolved {
    let source = |name: &str, text: &str| Arc::new(Source { name: name.into(), text: text.into(), first_line: 1 });
    let version = |folder: &str, text: &str| BTreeMap::from([(1, source(&format!("versions/{folder}/v1.yaml"), text))]);
    let files = SpecFiles {
        project: source("trainyard.yaml", PROJECT),
        environment: None,
        known_environments: Vec::new(),
        overrides: Vec::new(),
        splits: version("splits", SPLIT),
        features: version("features", features),
        models: version("models", MODEL),
        lock: None,
        choose: Choice::default(),
    };
    match resolve(&files) {
        Ok(resolved) => resolved,
        Err(problems) => panic!("the test's own spec does not resolve:\n{}", drawn(problems)),
    }
}

/// Plans `features` for the columns of `table`.
pub(crate) fn planned(features: &str, table: &RecordBatch) -> Plan {
    let resolved = resolved(features);
    match plan(&resolved.features.spec, &table.schema(), &resolved.project.data) {
        Ok(plan) => plan,
        Err(problems) => panic!("the test's own features do not fit:\n{}", drawn(problems)),
    }
}

/// Draws problems without colour.
pub(crate) fn drawn(problems: Problems) -> String {
    let style = Style { color: false, width: 120 };
    let drawn: Vec<String> = problems.into_iter().map(|problem| render(&problem, &style)).collect();
    drawn.join("\n")
}

pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

pub(crate) fn floats(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(crate) fn integers(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

pub(crate) fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(LargeStringArray::from(values.to_vec()))
}

pub(crate) fn booleans(values: &[Option<bool>]) -> ArrayRef {
    Arc::new(BooleanArray::from(values.to_vec()))
}

/// Makes `rows` customers: numbers with gaps, categories rare and frequent, a target and a key.
pub(crate) fn customers(rows: u64, seed: u64) -> RecordBatch {
    let key = |purpose: &str| Key::new(seed, purpose);
    let draw = |purpose: &str, row: u64| key(purpose).uniform(row);
    let pick = |purpose: &str, row: u64, from: &[Option<&'static str>]| {
        // Squared, so that the later ones are rare.
        let draw = draw(purpose, row);
        from[(draw * draw * from.len() as f64) as usize]
    };
    let all = || 0..rows;
    let contracts = [Some("Month-to-month"), Some("One year"), None, Some("Two year"), Some("Größe ß"), Some("")];
    let contract: Vec<Option<&str>> = all().map(|row| pick("contract", row, &contracts)).collect();
    let charges: Vec<Option<f64>> =
        all().map(|row| (draw("gap", row) > 0.1).then(|| 20.0 + 100.0 * draw("charges", row))).collect();
    let tenure: Vec<Option<i64>> = all().map(|row| Some((draw("tenure", row) * 73.0) as i64)).collect();
    let zone: Vec<Option<i64>> =
        all().map(|row| (draw("zone gap", row) > 0.05).then(|| (draw("zone", row) * 9.0) as i64 - 4)).collect();
    let senior: Vec<Option<bool>> = all().map(|row| Some(draw("senior", row) < 0.2)).collect();
    let ids: Vec<String> = all().map(|row| format!("c{row}")).collect();
    let churn: Vec<Option<&str>> = all().map(|row| Some(if draw("churn", row) < 0.3 { "Yes" } else { "No" })).collect();
    table(vec![
        ("id", texts(&ids.iter().map(|id| Some(id.as_str())).collect::<Vec<_>>())),
        ("tenure", integers(&tenure)),
        ("MonthlyCharges", floats(&charges)),
        ("Contract", texts(&contract)),
        ("zone", integers(&zone)),
        ("senior", booleans(&senior)),
        ("internal", floats(&vec![Some(1.0); rows as usize])),
        ("Churn", texts(&churn)),
    ])
}

/// A feature version that uses everything.
pub(crate) const EVERYTHING: &str = "\
columns:
  high: \"spend > fitted_median(spend) AND Contract = 'Month-to-month'\"
  spend: \"tenure * COALESCE(MonthlyCharges, fitted_mean(MonthlyCharges))\"
  band: \"CASE WHEN tenure < 12 THEN 'new' WHEN tenure < 48 THEN 'known' ELSE 'old' END\"
groups:
  - {numeric: [tenure, MonthlyCharges, spend], impute: median, scale: standard}
  - {categorical: [Contract, band], encode: one_hot, min_frequency: 10}
  - {categorical: [zone, senior], encode: ordinal, impute: most_frequent}
  - {categorical: [Contract, band], encode: native, min_frequency: 10}
  - {numeric: [MonthlyCharges, spend, senior], bins: {n_bins: 7}}
  - {numeric: [tenure], bins: {strategy: uniform}}
  - {text: Contract, tfidf: {ngram_range: [1, 2]}}
";
