//! Contributions and importance of whole models.

use arrow_array::{Float64Array, RecordBatch};
use trainyard_features::Value;
use trainyard_learn::Matrix;
use trainyard_model::{ExplainRequest, Explanation, Model, calibrate, explain, pictures};

use crate::given::{CHURN_FEATURES, Project, churn, fifths};

fn asked<'a>(table: &'a RecordBatch, targets: &'a [f64]) -> ExplainRequest<'a> {
    ExplainRequest {
        table,
        targets,
        weights: None,
        key: Some("customerID"),
        rows: 60,
        permutations: 3,
        metric: "roc_auc",
        seed: 5,
    }
}

fn only(candidate: &str) -> String {
    format!("seed: 7\ncandidates: {{only: {candidate}}}\ncross_validation: {{folds: 0}}\n")
}

/// Gives the margins of a model before its link.
fn margins(model: &Model, table: &RecordBatch) -> Vec<f64> {
    let features = model.features.transform(table).unwrap();
    model.estimator.scores(&Matrix::of(&features.columns, features.rows))
}

fn floats<'a>(table: &'a RecordBatch, name: &str) -> &'a Float64Array {
    table.column_by_name(name).unwrap().as_any().downcast_ref().unwrap()
}

#[test]
fn contributions_add_up_to_the_margin_of_every_estimator() {
    let table = trainyard_data::synth::churn(900, 3);
    for candidate in [
        "{estimator: gradient_boosting, max_iter: 20}",
        "{estimator: random_forest, n_estimators: 12, max_depth: 6}",
        "{estimator: logistic_regression}",
        "{estimator: dummy}",
    ] {
        let project = churn(&only(candidate), &table);
        let rows = fifths(&table, &[0, 1, 2]);
        let model = project.train(&rows, None).unwrap().model;
        let held = fifths(&table, &[3]);
        let targets = project.targets(&held);
        let request = asked(&held, &targets);
        let found = explain(&model, &request).unwrap();
        let shown = found.table(&model, &request).unwrap();
        let margins = margins(&model, &held);
        assert_eq!(found.rows.len(), 60);
        let key = |table: &RecordBatch, row: usize| Value::of_array(table.column_by_name("customerID").unwrap(), row);
        for (at, row) in found.rows.iter().enumerate() {
            let margin = floats(&shown, "margin").value(at);
            assert!((margin - margins[*row]).abs() < 1e-9, "{candidate}: {margin} {}", margins[*row]);
            assert_eq!(key(&shown, at), key(&held, *row));
        }
        let of = |name: &str| found.importance.columns[name];
        if candidate.contains("dummy") {
            assert!(found.importance.columns.values().all(|size| *size == 0.0));
            assert!(found.importance.features.iter().all(|feature| feature.permutation == Some([0.0, 0.0])));
        } else {
            assert!(of("Contract") > of("gender"), "{candidate}: {:?}", found.importance.columns);
        }
        assert!(pictures::contributions(&found).to_svg().ends_with(b"</svg>\n"));
    }
}

#[test]
fn a_calibration_changes_no_contribution() {
    let table = trainyard_data::synth::churn(900, 3);
    let rows = fifths(&table, &[0, 1, 2]);
    let held = fifths(&table, &[3]);
    let project = churn(
        &(only("{estimator: gradient_boosting, max_iter: 20}") + "calibrate: {method: isotonic, folds: 3}\n"),
        &table,
    );
    let plain = project.train(&rows, None).unwrap().model;
    let calibrated = calibrate(&project.request(&rows, None), plain.clone()).unwrap().model;
    let targets = project.targets(&held);
    let of = |model: &Model| explain(model, &asked(&held, &targets)).unwrap();
    assert_eq!(of(&plain).contributions, of(&calibrated).contributions);
}

#[test]
fn several_classes_have_a_row_for_each() {
    let table = trainyard_data::synth::digits(500, 3);
    let project = "\
name: digits
data:
  source: digits.csv
  key: id
  target: {column: digit, task: multiclass}
active: {split: 1, features: 1, model: 1}
";
    let features = "groups: [{numeric: [pixel_2_3, pixel_3_3, pixel_4_4, pixel_5_2]}]\n";
    let models = only("{estimator: gradient_boosting, max_iter: 5}");
    let project = Project::new(project, features, &models, &table);
    let model = project.train(&fifths(&table, &[0, 1, 2]), None).unwrap().model;
    let held = fifths(&table, &[3]);
    let targets = project.targets(&held);
    let request = ExplainRequest { key: None, metric: "log_loss", rows: 1000, ..asked(&held, &targets) };
    let found = explain(&model, &request).unwrap();
    let shown = found.table(&model, &request).unwrap();
    assert_eq!(shown.num_rows(), held.num_rows() * 10);
    let margins = margins(&model, &held);
    for (at, margin) in margins.iter().enumerate() {
        assert!((floats(&shown, "margin").value(at) - margin).abs() < 1e-9, "{at}");
    }
    assert!(found.importance.features.iter().any(|feature| feature.permutation.unwrap()[0] > 0.0));
}

#[test]
fn what_is_found_is_the_same_on_any_number_of_threads() {
    let table = trainyard_data::synth::churn(900, 3);
    let project = churn(&only("{estimator: gradient_boosting, max_iter: 20}"), &table);
    let rows = fifths(&table, &[0, 1, 2]);
    let model = project.train(&rows, None).unwrap().model;
    let targets = project.targets(&rows);
    let of = |threads: usize| -> (Explanation, Vec<u8>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| explain(&model, &asked(&rows, &targets)).unwrap());
        let picture = pictures::contributions(&found).to_png(pictures::Theme::Light);
        (found, picture)
    };
    let one = of(1);
    assert!(one == of(2) && one == of(8));
}

#[test]
fn one_class_alone_leaves_the_metric_out() {
    let table = trainyard_data::synth::churn(900, 3);
    let project =
        Project::new(crate::given::CHURN, CHURN_FEATURES, &only("{estimator: gradient_boosting, max_iter: 5}"), &table);
    let model = project.train(&fifths(&table, &[0, 1, 2]), None).unwrap().model;
    let held = fifths(&table, &[3]);
    let targets = vec![0.0; held.num_rows()];
    let found = explain(&model, &asked(&held, &targets)).unwrap();
    assert_eq!(found.importance.metric, None);
    assert!(found.importance.features.iter().all(|feature| feature.permutation.is_none()));
}
