//! Nothing that was held out reaches what was fitted.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, LargeStringArray, RecordBatch};
use trainyard_data::synth;
use trainyard_learn::{Matrix, metrics};
use trainyard_model::fit_fold;
use trainyard_spec::{Located, TimeSpec};

use crate::given::{MODELS, Project, churn, fifths, replaced};

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
fn rows_that_come_later_do_not_reach_a_fold_by_time() {
    let table = synth::churn(600, 4);
    let project = by_time(churn(MODELS, &table), "tenure");
    let blocks: Vec<u32> = (0..600).map(|row| row / 150).collect();
    let bytes = |table: &RecordBatch| {
        let fits = fit_fold(&project.request(table, None), &blocks, 1, 3).unwrap();
        let estimators: Vec<_> = fits.candidates.iter().map(|fit| fit.estimator.clone()).collect();
        assert_eq!(fits.rows, (300..450).collect::<Vec<usize>>());
        (fits.features.to_json(), serde_json::to_string(&estimators).unwrap())
    };
    let other = synth::churn(600, 99);
    let from = |first: usize, last: usize| {
        let parts = [table.slice(0, first), other.slice(first, last - first), table.slice(last, 600 - last)];
        arrow_select::concat::concat_batches(&table.schema(), &parts).unwrap()
    };
    let before = bytes(&table);
    assert!(bytes(&from(300, 600)) == before);
    assert!(bytes(&from(299, 300)) != before);
}

#[test]
fn no_fold_learns_from_the_groups_that_it_is_judged_on() {
    // A group's target is chance, and a column tells the group: only a fold that cuts groups can predict it.
    let table = synth::churn(3000, 5);
    let key = trainyard_random::Key::new(1, "groups");
    let group = |row: u64| key.at(row) % 150;
    let labels = key.derive(1);
    let chance = |row: u64| Some(if labels.uniform(group(row)) < 0.4 { "Yes" } else { "No" });
    let table = replaced(&table, "Churn", Arc::new((0..3000).map(chance).collect::<LargeStringArray>()));
    let groups: Float64Array = (0..3000).map(|row| Some(group(row) as f64)).collect();
    let table = replaced(&table, "MonthlyCharges", Arc::new(groups));
    let project = churn(MODELS, &table);
    let of_fold = |project: &Project| {
        let report = project.train(&table, None).unwrap().report;
        assert_eq!(report.candidates[1].cross_validation["roc_auc"].folds.len(), 3);
        report.candidates[1].out_of_fold["roc_auc"]
    };
    let cut = of_fold(&project);
    assert!(cut > 0.65, "{cut}");
    let mut project = project;
    project.resolved.split.spec.by_group = Some(Located::of_default("MonthlyCharges".into()));
    let whole = of_fold(&project);
    assert!((whole - 0.5).abs() < 0.12, "{whole}");
    project.resolved.split.spec.by_group = None;
    // By time there are as many folds, and the first block is in none.
    of_fold(&by_time(project, "tenure"));
}

fn by_time(mut project: Project, column: &str) -> Project {
    let column = Located::of_default(column.to_owned());
    project.resolved.split.spec.by_time = Some(TimeSpec { column, validation_from: None, reference_test_from: None });
    project
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
