//! Nothing that was held out reaches what was fitted.

use std::sync::Arc;

use arrow_array::{ArrayRef, LargeStringArray, RecordBatch};
use trainyard_data::synth;
use trainyard_learn::{Matrix, metrics};
use trainyard_model::fit_fold;

use crate::given::{MODELS, churn, fifths, replaced};

fn flipped(table: &RecordBatch) -> RecordBatch {
    let churn = table.column_by_name("Churn").unwrap();
    let churn = churn.as_any().downcast_ref::<LargeStringArray>().unwrap();
    let turned: LargeStringArray =
        churn.iter().map(|value| Some(if value == Some("Yes") { "No" } else { "Yes" })).collect();
    replaced(table, "Churn", Arc::new(turned) as ArrayRef)
}

#[test]
fn validation_rows_do_not_reach_the_model_that_train_rows_make() {
    let table = synth::churn(900, 3);
    let (rows, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let models = MODELS.replace("  larger", "  # larger");
    let project = churn(&models, &table);
    let before = project.train(&rows, Some(&validation)).unwrap();
    let after = project.train(&rows, Some(&flipped(&validation))).unwrap();
    assert_eq!(after.model.to_folder(), before.model.to_folder());
    // They are watched all the same.
    assert_ne!(after.report.candidates[0].validation, before.report.candidates[0].validation);
    // And with a refit they do reach it.
    let project = churn(&format!("{models}refit: train_and_validation\n"), &table);
    let before = project.train(&rows, Some(&validation)).unwrap().model.to_folder();
    assert_ne!(project.train(&rows, Some(&flipped(&validation))).unwrap().model.to_folder(), before);
}

#[test]
fn rows_that_a_fold_holds_out_do_not_reach_its_fit() {
    let table = synth::churn(600, 4);
    let project = churn(MODELS, &table);
    let folds: Vec<u32> = (0..600).map(|row| row % 3).collect();
    let bytes = |table: &RecordBatch| {
        let fits = fit_fold(&project.request(table, None), &folds, 1, 3).unwrap();
        let estimators: Vec<_> = fits.candidates.iter().map(|fit| fit.estimator.clone()).collect();
        (fits.features.to_json(), serde_json::to_string(&estimators).unwrap())
    };
    let before = bytes(&table);
    // Every held-out row gets another target, another key and other values; what is left is a third of the table.
    let changed = |is_changed: &dyn Fn(usize) -> bool| {
        let other = flipped(&synth::churn(600, 99));
        let indices: Vec<(usize, usize)> = (0..600).map(|row| (usize::from(is_changed(row)), row)).collect();
        let columns = table.columns().iter().zip(other.columns());
        let columns =
            columns.map(|(own, other)| arrow_select::interleave::interleave(&[own, other], &indices).unwrap());
        RecordBatch::try_new(table.schema(), columns.collect()).unwrap()
    };
    assert!(bytes(&changed(&|row| row % 3 == 1)) == before);
    // One row outside the fold is enough to be noticed.
    assert!(bytes(&changed(&|row| row == 0)) != before);
}

#[test]
fn noise_cannot_be_predicted_out_of_fold() {
    // With targets that have nothing to do with the rows, any leak into a fold's fit shows as skill.
    let table = synth::churn(3000, 5);
    let key = trainyard_random::Key::new(1, "noise");
    let noise: LargeStringArray =
        (0..3000).map(|row| Some(if key.uniform(row) < 0.4 { "Yes" } else { "No" })).collect();
    let table = replaced(&table, "Churn", Arc::new(noise));
    let project = churn(MODELS, &table);
    let trained = project.train(&table, None).unwrap();
    let of_fold = trained.report.candidates[1].out_of_fold["roc_auc"];
    assert!((of_fold - 0.5).abs() < 0.04, "{of_fold}");
    let features = trained.model.features.transform(&table).unwrap();
    let fitted = trained.model.estimator.predict(&Matrix::of(&features.columns, features.rows));
    let on_train = metrics::roc_auc(&project.targets(&table), &fitted).unwrap();
    assert!(on_train > 0.6, "the model can learn the noise by heart: {on_train}");
}
