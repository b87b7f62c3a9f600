//! The models that the fuzzer starts from: one of every kind, written by `TRAINYARD_BLESS=1`.

use std::fs;

use trainyard_data::synth;
use trainyard_judges::repository;
use trainyard_model::{Model, calibrate};

use crate::given::{CHURN, Project};
use crate::onnx::{DIGITS, ODD, odd_table, only};
use crate::onnx_transforms::{MAIL, texts};

/// Trains a small model on all rows of a table.
fn model(project: &str, features: &str, candidate: &str, more: &str, table: &arrow_array::RecordBatch) -> Model {
    let project = Project::new(project, features, &format!("{}{more}", only(candidate, "dummy")), table);
    let model = project.train(table, None).unwrap().model;
    if more.is_empty() { model } else { calibrate(&project.request(table, None), model).unwrap().model }
}

fn models() -> Vec<(&'static str, Model)> {
    let (customers, digits, odd, mails) = (synth::churn(150, 1), synth::digits(150, 1), odd_table(), texts());
    let numbers = "\
columns: {total: \"round(tenure * MonthlyCharges, 1)\", high: \"MonthlyCharges > fitted_median(MonthlyCharges)\"}
groups: [{numeric: [tenure, total, high], impute: median, scale: standard}, {categorical: [Contract], encode: one_hot}]
";
    let bins = "\
groups: [{numeric: [tenure, MonthlyCharges], bins: {n_bins: 3}},
  {categorical: [Contract, SeniorCitizen], encode: ordinal, min_frequency: 30},
  {numeric: [TotalCharges], impute: mean, bins: {n_bins: 4, encode: ordinal}}]
";
    let by_target = "groups: [{categorical: [Contract, PaymentMethod], encode: target}]\n";
    let of_digits = "\
columns: {dark: \"CAST(pixel_3_3 / 4 AS INTEGER)\"}
groups: [{categorical: [dark], encode: target}, {numeric: [pixel_4_4, pixel_2_3]}]
";
    let of_odd = "groups: [{numeric: [i]}, {categorical: [s, p], encode: target}]\n";
    let words = "groups: [{text: body, tfidf: {max_features: 6, ngram_range: [1, 2]}}, {numeric: [size]}]\n";
    let boosting = "{estimator: gradient_boosting, max_iter: 2, max_leaf_nodes: 3, min_samples_leaf: 5}";
    let forest = "{estimator: random_forest, n_estimators: 2, max_depth: 2}";
    let logistic = "{estimator: logistic_regression}";
    let sigmoid = "calibrate: {method: sigmoid, folds: 3}\nthreshold: max_f1\n";
    let isotonic = "calibrate: {method: isotonic, folds: 3}\n";
    vec![
        ("boosting", model(CHURN, numbers, boosting, "", &customers)),
        ("boosting_calibrated", model(CHURN, bins, boosting, isotonic, &customers)),
        ("boosting_of_classes", model(DIGITS, of_digits, boosting, "", &digits)),
        ("boosting_of_counts", model(ODD, of_odd, &boosting.replace("max_iter", "loss: poisson, max_iter"), "", &odd)),
        ("constant", model(CHURN, by_target, "{estimator: dummy}", "", &customers)),
        ("forest", model(CHURN, by_target, forest, "", &customers)),
        ("forest_of_classes_calibrated", model(DIGITS, of_digits, forest, isotonic, &digits)),
        ("linear", model(CHURN, numbers, logistic, sigmoid, &customers)),
        ("linear_of_classes", model(MAIL, words, logistic, "", &mails)),
        ("linear_of_numbers", model(ODD, of_odd, "{estimator: ridge}", "", &odd)),
    ]
}

/// Leaves of a model what a value of another length could not stand for: the kinds of its parts.
fn kinds(model: &Model) -> Vec<String> {
    let stored: serde_json::Value = serde_json::from_slice(&model.to_folder()["model.json"]).unwrap();
    let features = stored["features"]["features"].as_array().unwrap();
    let mut kinds: Vec<String> =
        features.iter().flat_map(|feature| feature.as_object().unwrap().keys().cloned()).collect();
    let calibration = stored["calibration"].as_object().and_then(|calibration| calibration.keys().next().cloned());
    kinds.extend(calibration);
    kinds.push(format!("{} {}", stored["estimator"]["kind"], stored["target"]["task"]));
    kinds
}

#[test]
fn the_fuzzer_starts_from_every_kind_of_model() {
    let folder = repository().join("fuzz/corpus/model");
    let seen = Model::to_folder(&models()[0].1)["seen_rows.bin"].clone();
    for (name, model) in models() {
        let path = folder.join(name);
        if std::env::var_os("TRAINYARD_BLESS").is_some() {
            fs::write(&path, &model.to_folder()["model.json"]).unwrap();
        }
        let stored = Model::from_files(&fs::read(&path).unwrap(), &seen).unwrap();
        assert_eq!(kinds(&stored), kinds(&model), "{name}");
    }
}
