//! Encodings by the target in a training: folds of their own, keyed by the seed, that cut no group.

use std::sync::Arc;

use arrow_array::{LargeStringArray, RecordBatch};
use trainyard_data::synth;
use trainyard_learn::Matrix;
use trainyard_model::{Error, Model};
use trainyard_spec::Located;

use crate::given::{CHURN, MODELS, Project, bits, fifths, replaced};

const FEATURES: &str = "\
groups:
  - {numeric: [tenure, MonthlyCharges], impute: median, bins: {n_bins: 6}}
  - {categorical: [Contract, PaymentMethod, gender], encode: {target: {smooth: 3, cv: 4}}}
  - {categorical: [InternetService], encode: target}
";

fn project(models: &str, table: &RecordBatch) -> Project {
    Project::new(CHURN, FEATURES, models, table)
}

#[test]
fn threads_change_no_byte() {
    let table = synth::churn(900, 21);
    for refit in ["", "refit: train_and_validation\n"] {
        let project = project(&format!("{MODELS}{refit}"), &table);
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let trained = project.train(&fifths(&table, &[0, 1, 2]), Some(&fifths(&table, &[3]))).unwrap();
                (trained.model.to_folder(), serde_json::to_string(&trained.report).unwrap())
            })
        };
        let one = with_threads(1);
        assert!(one == with_threads(2));
        assert!(one == with_threads(8));
        let model = Model::from_folder(&one.0).unwrap();
        let predicted = model.predict(&table).unwrap();
        for (row, value) in predicted.iter().enumerate().take(100) {
            let single = model.predict_row(&trainyard_features::row_of(&table, row)).unwrap();
            assert_eq!(bits(&single), bits(&[*value]), "row {row}");
        }
    }
}

#[test]
fn the_seed_says_how_rows_are_encoded_and_the_stored_encoder_knows_none() {
    let table = synth::churn(600, 22);
    let model = |seed: &str| project(&MODELS.replace("seed: 7", seed), &table).train(&table, None).unwrap().model;
    let (one, other) = (model("seed: 7"), model("seed: 8"));
    assert_eq!(one, model("seed: 7"));
    // The encoder learns from all training rows; only what the estimator is fitted on depends on folds.
    assert_eq!(one.features, other.features);
    let linear =
        "seed: 7\nbaseline: {logistic_regression: {}}\ncandidates: {linear: {estimator: logistic_regression}}\n";
    let linear = |seed: &str| project(&linear.replace("seed: 7", seed), &table).train(&table, None).unwrap().model;
    assert_ne!(linear("seed: 7").estimator, linear("seed: 8").estimator);
}

#[test]
fn the_folds_of_an_encoding_cut_no_group() {
    // Each customer has a target and a city of their own: an encoding that cuts customers shows their target.
    let table = synth::churn(1_000, 23);
    let key = trainyard_random::Key::new(1, "target encoding/groups");
    let customer = |row: usize| row % 100;
    let city: LargeStringArray = (0..1_000).map(|row| Some(format!("city {}", customer(row)))).collect();
    let churn = |row: usize| if key.uniform(customer(row) as u64) < 0.4 { "Yes" } else { "No" };
    let churn: LargeStringArray = (0..1_000).map(|row| Some(churn(row))).collect();
    let table = replaced(&replaced(&table, "Contract", Arc::new(city)), "Churn", Arc::new(churn));
    let features = "groups: [{categorical: [Contract], encode: {target: {smooth: 0, cv: 5}}}]";
    let models = "baseline: {logistic_regression: {}}\ncandidates: {linear: {estimator: logistic_regression}}\n";
    let mut project = Project::new(CHURN, features, models, &table);
    // How much more likely the model finds a customer of a city where everybody left than of one where nobody did.
    let slope = |project: &Project| {
        let estimator = project.train(&table, None).unwrap().model.estimator;
        let predicted = estimator.predict(&Matrix::of(&[vec![0.0, 1.0]], 2));
        predicted[1] - predicted[0]
    };
    // Encoded by other rows of the same customer a city says everything, and by other customers nothing.
    let cut = slope(&project);
    assert!(cut > 0.8, "{cut}");
    project.resolved.split.spec.by_group = Some(Located::of_default("Contract".into()));
    let whole = slope(&project);
    assert!(whole < 0.1, "{whole}");
    // All rows of one group: nothing is outside of any fold.
    let one = replaced(&table, "Contract", Arc::new(LargeStringArray::from(vec!["x"; table.num_rows()])));
    let error = project.baseline(&one).unwrap_err();
    assert_eq!(
        error,
        Error::TooFewForFolds {
            key: "encode: {target: {cv: …}}",
            folds: 5,
            what: "groups".into(),
            needed: 2,
            found: 1
        }
    );
}
