//! From scores to probabilities and to a threshold: which rows decide, and what is left in the model.

use arrow_array::RecordBatch;
use trainyard_learn::metrics::{ThresholdRule, choose_threshold};
use trainyard_learn::{CalibrationMethod, Calibrator, Matrix, MulticlassCalibrator, stratified_folds};
use trainyard_model::{Calibrated, Calibration, Error, Model, calibrate, fit_fold};

use crate::given::{Project, bits, churn, fifths, replaced};

const ONE: &str = "\
seed: 7
candidates: {gradient_boosting: {max_iter: 15, max_leaf_nodes: 7}}
cross_validation: {folds: 3}
";

fn models(more: &str) -> String {
    format!("{ONE}{more}\n")
}

fn customers() -> RecordBatch {
    trainyard_data::synth::churn(1_500, 3)
}

fn calibrated(project: &Project, train: &RecordBatch, validation: Option<&RecordBatch>) -> Result<Calibrated, Error> {
    let trained = project.train(train, validation).unwrap();
    calibrate(&project.request(train, validation), trained.model)
}

fn scores(model: &Model, table: &RecordBatch) -> Vec<f64> {
    let features = model.features.transform(table).unwrap();
    model.estimator.scores(&Matrix::of(&features.columns, features.rows))
}

#[test]
fn folds_give_every_row_the_score_of_a_fit_that_has_not_seen_it() {
    let table = customers();
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let project = churn(&models("calibrate: {method: isotonic, folds: 3}"), &table);
    let found = calibrated(&project, &train, Some(&validation)).unwrap();
    // By hand: the folds are those of the cross-validation, since there are as many.
    let request = project.request(&train, None);
    let plain = project.train(&train, None).unwrap().model;
    let folds = folds_of(&project, &train);
    let mut by_row = vec![f64::NAN; train.num_rows()];
    for fold in 0..3 {
        let fits = fit_fold(&request, &folds, fold, 3).unwrap();
        let rows: arrow_array::UInt64Array = fits.rows.iter().map(|row| *row as u64).collect();
        let held = arrow_select::take::take_record_batch(&train, &rows).unwrap();
        let model = Model { features: fits.features, estimator: fits.candidates[0].estimator.clone(), ..plain.clone() };
        for (row, score) in fits.rows.iter().zip(scores(&model, &held)) {
            by_row[*row] = score;
        }
    }
    let targets = project.targets(&train);
    let expected = Calibrator::fit(CalibrationMethod::Isotonic, &by_row, &targets, None).unwrap();
    assert_eq!(found.model.calibration, Some(Calibration::Binary(expected.clone())));
    assert_eq!(found.report.count, train.num_rows());
    // What is predicted is the map of the one model's margins, of a table and of a row alike.
    let rest = fifths(&table, &[4]);
    let predictions = found.model.predict(&rest).unwrap();
    assert_eq!(bits(&predictions), bits(&expected.predict(&scores(&plain, &rest)).unwrap()));
    for (row, prediction) in predictions.iter().enumerate() {
        let alone = found.model.predict_row(&trainyard_features::row_of(&rest, row)).unwrap();
        assert_eq!(bits(&alone), bits(&[*prediction]));
    }
    let (before, after) = (found.report.before.unwrap(), found.report.after.unwrap());
    assert!(after.brier <= before.brier, "isotonic regression is least squares: {before:?} {after:?}");
}

/// Gives each training row its fold of three, as training does.
fn folds_of(project: &Project, train: &RecordBatch) -> Vec<u32> {
    let digests = trainyard_data::rows::digests(train, Some("customerID"));
    let groups = trainyard_data::split::groups(train, &digests, &project.resolved.split.spec);
    let strata: Vec<u32> = project.targets(train).iter().map(|target| *target as u32).collect();
    stratified_folds(&strata, &groups, 3, project.resolved.model.spec.seed.value)
}

#[test]
fn prefit_maps_what_the_fit_on_train_says_of_the_validation_rows() {
    let table = customers();
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let alone = churn(ONE, &table).train(&train, Some(&validation)).unwrap().model;
    let project = |refit: &str| churn(&models(&format!("calibrate: {{folds: prefit}}\nrefit: {refit}")), &table);
    let targets = churn(ONE, &table).targets(&validation);
    let scores = scores(&alone, &validation);
    let expected = Calibrator::fit(CalibrationMethod::Sigmoid, &scores, &targets, None).unwrap();
    for refit in ["train", "train_and_validation"] {
        let project = project(refit);
        let found = calibrated(&project, &train, Some(&validation)).unwrap();
        assert_eq!(found.model.calibration, Some(Calibration::Binary(expected.clone())), "{refit}");
        assert_eq!(found.report.rows.as_deref(), Some("validation"), "{refit}");
        let seen = found.model.seen.in_table(&validation).unwrap();
        assert!(seen.into_iter().all(|seen| seen), "{refit}: rows that calibrated may not judge");
    }
}

#[test]
fn thresholds_follow_their_rule_on_rows_that_the_model_has_not_seen() {
    let table = customers();
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    for (rule, expected) in [
        ("max_f1", ThresholdRule::MaxF1),
        ("{rule: precision_at_least, value: 0.6}", ThresholdRule::PrecisionAtLeast(0.6)),
        ("{rule: recall_at_least, value: 0.8}", ThresholdRule::RecallAtLeast(0.8)),
    ] {
        for calibration in ["", "calibrate: {method: sigmoid, folds: 4}\n"] {
            let project = churn(&models(&format!("{calibration}threshold: {rule}")), &table);
            let model = calibrated(&project, &train, Some(&validation)).unwrap().model;
            let predictions = model.predict(&validation).unwrap();
            let found = choose_threshold(&project.targets(&validation), &predictions, None, expected).unwrap();
            assert_eq!(model.threshold.to_bits(), found.threshold.to_bits(), "{rule} {calibration}");
            assert!(model.seen.in_table(&validation).unwrap().into_iter().all(|seen| seen));
            // Without a validation share the held-out scores of train decide.
            let without = Project::with_split(
                crate::given::CHURN,
                "shares: {train: 0.8, reference_test: 0.2}\n",
                crate::given::CHURN_FEATURES,
                &models(&format!("{calibration}threshold: {rule}")),
                &table,
            );
            let found = calibrated(&without, &train, None).unwrap();
            assert_eq!(found.report.threshold_rows.as_deref(), Some("out_of_fold"));
            assert_eq!(found.model.calibration.is_some(), !calibration.is_empty());
        }
    }
}

#[test]
fn thresholds_count_rows_by_their_weight() {
    let table = customers();
    let weights: Vec<f64> = (0..table.num_rows()).map(|row| [0.0, 0.25, 1.0, 7.5][row % 7 % 4]).collect();
    let weights = arrow_array::Float64Array::from(weights);
    let table = RecordBatch::try_from_iter(
        table
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .zip(table.columns().to_vec())
            .chain([("seen".to_owned(), std::sync::Arc::new(weights) as arrow_array::ArrayRef)]),
    )
    .unwrap();
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let project = crate::given::CHURN.replace("  types:", "  weight: seen\n  types:");
    let spec = models("calibrate: {folds: prefit}\nthreshold: max_f1");
    let project = Project::new(&project, crate::given::CHURN_FEATURES, &spec, &table);
    let found = calibrated(&project, &train, Some(&validation)).unwrap();
    let predictions = found.model.predict(&validation).unwrap();
    let weights = trainyard_data::weights(&validation, &project.resolved.project.data).unwrap().unwrap();
    let choose =
        |weights| choose_threshold(&project.targets(&validation), &predictions, weights, ThresholdRule::MaxF1).unwrap();
    let expected = choose(Some(&weights));
    assert_ne!(expected.threshold, choose(None).threshold, "the weights would not matter");
    assert_eq!(found.model.threshold.to_bits(), expected.threshold.to_bits());
    assert_eq!(found.report.at_threshold, Some([expected.precision, expected.recall, expected.f1]));
}

#[test]
fn rows_without_a_say_leave_the_bytes_of_the_model_alone() {
    let table = customers();
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let other = trainyard_data::synth::churn(1_500, 99);
    let other = fifths(&other, &[3]);
    // With folds alone validation rows decide nothing; with a rule they do.
    for (more, same) in [("calibrate: {folds: 3}", true), ("calibrate: {folds: 3}\nthreshold: max_f1", false)] {
        let project = churn(&models(more), &table);
        let folder = |held: &RecordBatch| calibrated(&project, &train, Some(held)).unwrap().model.to_folder();
        assert_eq!(folder(&validation)["model.json"] == folder(&other)["model.json"], same, "{more}");
    }
}

#[test]
fn several_classes_are_calibrated_each_against_the_rest() {
    let table = trainyard_data::synth::digits(700, 5);
    let project = "\
name: digits
data:
  source: digits.csv
  target: {column: digit, task: multiclass}
active: {split: 1, features: 1, model: 1}
";
    let columns: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let pixels: Vec<&String> = columns.iter().filter(|name| !["digit", "id"].contains(&name.as_str())).collect();
    let listed: Vec<&str> = pixels.iter().map(|name| name.as_str()).collect();
    let features = format!("groups:\n  - {{numeric: [{}]}}\n", listed.join(", "));
    let project = Project::new(project, &features, &models("calibrate: {folds: prefit}"), &table);
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3, 4]));
    let found = calibrated(&project, &train, Some(&validation)).unwrap().model;
    let plain = project.train(&train, Some(&validation)).unwrap().model;
    let held = scores(&plain, &validation);
    let targets = project.targets(&validation);
    let expected = MulticlassCalibrator::fit(CalibrationMethod::Sigmoid, &held, &targets, 10, None).unwrap();
    assert_eq!(bits(&found.predict(&validation).unwrap()), bits(&expected.predict(&held).unwrap()));
    assert_eq!(Model::from_folder(&found.to_folder()).unwrap(), found);
}

#[test]
fn the_bytes_are_the_same_on_any_number_of_threads() {
    let table = customers();
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let project = churn(&models("calibrate: {method: isotonic, folds: 4}\nthreshold: max_f1"), &table);
    let bytes = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| calibrated(&project, &train, Some(&validation)).unwrap().model.to_folder())
    };
    let one = bytes(1);
    assert!(one == bytes(2) && one == bytes(8));
    // A map of another task, or one that is cut, is refused.
    let text = String::from_utf8(one["model.json"].clone()).unwrap();
    assert!(text.contains("\"calibration\":{\"binary\""));
}

#[test]
fn early_stopping_does_not_look_at_the_rows_that_are_scored() {
    let table = customers();
    let train = fifths(&table, &[0, 1, 2]);
    let spec = "\
seed: 7
candidates: {gradient_boosting: {max_iter: 60, early_stopping: true, n_iter_no_change: 3}}
cross_validation: {folds: 3}
calibrate: {folds: 3}
";
    let project = churn(spec, &table);
    let found = calibrated(&project, &train, None).unwrap().model;
    let trees = found.estimator.trees().unwrap();
    assert!(trees < 60);
    // As many trees from the start give the same map.
    let fixed = spec.replace("max_iter: 60, early_stopping: true, n_iter_no_change: 3", &format!("max_iter: {trees}"));
    let fixed = calibrated(&churn(&fixed, &table), &train, None).unwrap().model;
    assert_eq!(found.calibration, fixed.calibration);
}

#[test]
fn a_precision_that_nothing_reaches_is_told() {
    let table = customers();
    let (train, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    // A feature that says nothing: no threshold is right every time.
    let constant = std::sync::Arc::new(arrow_array::Float64Array::from(vec![1.0; train.num_rows()]));
    let project = Project::new(
        crate::given::CHURN,
        "groups:\n  - {numeric: [MonthlyCharges]}\n",
        &models("threshold: {rule: precision_at_least, value: 1.0}"),
        &table,
    );
    let train = replaced(&train, "MonthlyCharges", constant);
    let refused = calibrated(&project, &train, Some(&validation)).unwrap_err();
    let words = refused.diagnostic();
    assert!(words.title.contains("precision"), "{words:?}");
}
