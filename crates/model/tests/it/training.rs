//! Which rows decide what, and what training says.

use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use trainyard_data::synth;
use trainyard_model::{ChosenBy, Error, Estimator, Part, Progress, Spread, TrainRequest, train};

use crate::given::{MODELS, Project, churn, fifths};

#[test]
fn validation_chooses_where_there_is_any() {
    let table = synth::churn(1500, 7);
    let project = churn(MODELS, &table);
    let (rows, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let trained = project.train(&rows, Some(&validation)).unwrap();
    let report = &trained.report;
    assert_eq!(report.chosen_by, ChosenBy::Validation);
    let best = report.candidates.iter().max_by(|a, b| a.validation["roc_auc"].total_cmp(&b.validation["roc_auc"]));
    assert_eq!(report.chosen, best.unwrap().name);
    let predicted = trained.model.predict(&validation).unwrap();
    let metrics = trained.model.metrics(&project.targets(&validation), &predicted).unwrap();
    assert_eq!(metrics, best.unwrap().validation);
    // The rows that chose have been seen; those of the reference have not.
    let seen =
        |table: &RecordBatch| trained.model.seen.in_table(table).unwrap().into_iter().filter(|seen| *seen).count();
    assert_eq!((seen(&rows), seen(&validation), seen(&fifths(&table, &[4]))), (900, 300, 0));
}

#[test]
fn out_of_fold_predictions_choose_where_there_is_no_validation() {
    let table = synth::churn(1200, 8);
    let trained = churn(MODELS, &table).train(&table, None).unwrap();
    let report = &trained.report;
    assert_eq!(report.chosen_by, ChosenBy::OutOfFold);
    let best = report.candidates.iter().max_by(|a, b| a.out_of_fold["roc_auc"].total_cmp(&b.out_of_fold["roc_auc"]));
    assert_eq!(report.chosen, best.unwrap().name);
    for candidate in &report.candidates {
        assert!(candidate.validation.is_empty());
        assert_eq!(candidate.train_loss.len(), candidate.trees.unwrap());
        let Spread { mean, std, folds } = &candidate.cross_validation["roc_auc"];
        assert_eq!(folds.len(), 3);
        assert!((mean - folds.iter().sum::<f64>() / 3.0).abs() < 1e-15);
        let variance = folds.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / 3.0;
        assert!((std - variance.sqrt()).abs() < 1e-15);
    }
}

#[test]
fn one_candidate_needs_no_choice() {
    let table = synth::churn(600, 9);
    let models = "baseline: {logistic_regression: {}}\ncandidates: {only: {estimator: gradient_boosting, max_iter: 5}}\ncross_validation: {folds: 0}\n";
    let (rows, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let trained = churn(models, &table).train(&rows, Some(&validation)).unwrap();
    assert_eq!(trained.report.chosen_by, ChosenBy::OnlyCandidate);
    assert!(trained.report.candidates[0].cross_validation.is_empty());
    // Nothing was chosen on the validation rows, so they may judge the model.
    assert_eq!(trained.model.seen.len(), 360);
}

#[test]
fn early_stopping_takes_its_trees_from_the_folds() {
    let table = synth::churn(1500, 10);
    let models = "\
seed: 7
baseline: {logistic_regression: {}}
candidates: {only: {estimator: gradient_boosting, max_iter: 300, learning_rate: 0.3, early_stopping: true, n_iter_no_change: 5}}
cross_validation: {folds: 4}
";
    let project = churn(models, &table);
    let last = Mutex::new([0_usize; 4]);
    let listen = |progress: &Progress<'_>| {
        if let Progress::Iteration { part: Part::Fold { fold, .. }, done, .. } = progress {
            last.lock().unwrap()[*fold] = *done;
        }
        true
    };
    let trained = train(&TrainRequest { progress: &listen, ..project.request(&table, None) }).unwrap();
    // Each fold went five iterations beyond its best one.
    let best: Vec<usize> = last.into_inner().unwrap().iter().map(|done| done - 5).collect();
    let mean = (best.iter().sum::<usize>() as f64 / 4.0 + 0.5).floor() as usize;
    assert!(mean < 200, "{best:?}");
    assert_eq!(trained.model.estimator.trees(), Some(mean), "{best:?}");
    assert_eq!(trained.model.parameters["trees"], mean.to_string());
    assert_eq!(trained.report.candidates[0].train_loss.len(), mean);
    // A refit keeps the trees.
    let project = churn(&format!("{models}refit: train_and_validation\n"), &table);
    let (rows, validation) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3]));
    let trained = project.train(&rows, Some(&validation)).unwrap();
    assert_eq!(trained.model.estimator.trees(), trained.report.candidates[0].trees);
    assert_eq!(trained.model.seen.len(), 1200);
}

#[test]
fn threads_change_no_byte() {
    let table = synth::churn(1000, 11);
    let project = churn(MODELS, &table);
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let trained = project.train(&fifths(&table, &[0, 1, 2]), Some(&fifths(&table, &[3]))).unwrap();
            let baseline = project.baseline(&fifths(&table, &[0, 1, 2])).unwrap();
            (trained.model.to_folder(), serde_json::to_string(&trained.report).unwrap(), baseline.model.to_folder())
        })
    };
    let one = with_threads(1);
    assert!(one == with_threads(2));
    assert!(one == with_threads(8));
}

#[test]
fn a_linear_baseline_takes_missing_values() {
    let table = synth::churn(800, 12);
    let features = "groups: [{numeric: [tenure, TotalCharges]}]\n";
    let project = Project::new(crate::given::CHURN, features, MODELS, &table);
    let model = project.baseline(&table).unwrap().model;
    let Estimator::Linear { fill, .. } = &model.estimator else { panic!("not linear") };
    assert_eq!(fill.len(), 2);
    let predicted = model.predict(&table).unwrap();
    assert!(predicted.iter().all(|value| value.is_finite()));
    for (row, value) in predicted.iter().enumerate() {
        let single = model.predict_row(&trainyard_features::row_of(&table, row)).unwrap();
        assert_eq!(single, [*value], "row {row}");
    }
}

#[test]
fn what_cannot_be_trained_is_said_before_anything_is_fitted() {
    let table = synth::churn(300, 13);
    let candidates = |candidates: &str, more: &str| {
        let models = format!("baseline: {{logistic_regression: {{}}}}\ncandidates: {candidates}\n{more}");
        churn(&models, &table).train(&table, None).unwrap_err()
    };
    let two = "{a: {estimator: gradient_boosting}, b: {estimator: dummy}}";
    let error = candidates(two, "cross_validation: {folds: 0}\n");
    assert_eq!(error, Error::NothingToChooseBy { candidates: vec!["a".into(), "b".into()] });
    let early = "{a: {estimator: gradient_boosting, early_stopping: true}}";
    let error = candidates(early, "cross_validation: {folds: 0}\n");
    assert_eq!(error, Error::EarlyStoppingWithoutFolds { candidate: "a".into() });
    // A target whose task only the data tells: specs alone cannot see that the estimator does not fit.
    let project = crate::given::CHURN.replace("{column: Churn, positive: \"Yes\"}", "MonthlyCharges");
    let project = Project::new(&project, "groups: [{numeric: [tenure]}]\n", MODELS, &table);
    let error = project.baseline(&table).unwrap_err();
    assert!(matches!(error, Error::WrongTask { has_classes: false, .. }), "{error:?}");
    let few = table.slice(0, 4);
    let error = churn(MODELS, &table).train(&few, None).unwrap_err();
    assert!(matches!(error, Error::TooFewForFolds { folds: 3, .. } | Error::Data(_)), "{error:?}");
}

#[test]
fn rows_that_count_nothing_are_named() {
    let table = synth::churn(300, 15);
    let targets = churn(MODELS, &table).targets(&table);
    // One row of each class counts, and each fold is judged on rows that the others do not train on.
    let first = |class: f64| targets.iter().position(|target| *target == class).unwrap();
    let weigh = |counts: &dyn Fn(usize) -> f64| {
        let weights: Float64Array = (0..table.num_rows()).map(|row| Some(counts(row))).collect();
        let field = Field::new("seen", DataType::Float64, false);
        let fields: Vec<_> = table.schema().fields().iter().cloned().chain([Arc::new(field)]).collect();
        let columns = table.columns().iter().cloned().chain([Arc::new(weights) as ArrayRef]).collect();
        let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let project = crate::given::CHURN.replace("  types:", "  weight: seen\n  types:");
        Project::new(&project, crate::given::CHURN_FEATURES, MODELS, &table).train(&table, None).unwrap_err()
    };
    let ones = [first(0.0), first(1.0)];
    match weigh(&|row| if ones.contains(&row) { 1.0 } else { 0.0 }) {
        Error::Weights { rows, .. } | Error::NoRowsOfClass { rows, .. } => assert!(rows.contains("fold"), "{rows}"),
        error => panic!("{error:?}"),
    }
    let error = weigh(&|row| if targets[row] == 1.0 { 0.0 } else { 1.0 });
    assert_eq!(error, Error::NoRowsOfClass { class: "Yes".into(), rows: "the training rows".into() });
}

#[test]
fn a_listener_can_stop() {
    let table = synth::churn(500, 14);
    let project = churn(MODELS, &table);
    let stop = |_: &Progress<'_>| false;
    let request = TrainRequest { progress: &stop, ..project.request(&table, None) };
    assert_eq!(train(&request).unwrap_err(), Error::Stopped);
}

const THRICE: &str = "\
seed: 7
candidates: {only: {estimator: gradient_boosting, max_iter: 6, max_leaf_nodes: 7}, other: {estimator: logistic_regression}}
cross_validation: {folds: 3, repeats: REPEATS}
";

#[test]
fn repeats_cut_folds_by_other_chances() {
    let table = synth::churn(900, 21);
    let trained = |models: &str, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| churn(models, &table).train(&table, None).unwrap())
    };
    let of = |repeats: &str| trained(&THRICE.replace("REPEATS", repeats), 2);
    let (once, plain, thrice) = (of("1"), of("null"), of("3"));
    assert_eq!(serde_json::to_string(&once.report).unwrap(), serde_json::to_string(&plain.report).unwrap());
    assert!(!serde_json::to_string(&once.report).unwrap().contains("repeats"));
    for (first, all) in once.report.candidates.iter().zip(&thrice.report.candidates) {
        let (before, after) = (&first.cross_validation["log_loss"], &all.cross_validation["log_loss"]);
        assert_eq!(before.folds, after.folds[..3]);
        assert_eq!(after.folds.len(), 9);
        assert_eq!(Some((3, 9)), all.repeats.map(|repeats| (repeats.repeats, repeats.fits)));
        // No repeat is another one again.
        let repeats: Vec<Vec<u64>> =
            after.folds.chunks(3).map(|folds| folds.iter().map(|value| value.to_bits()).collect()).collect();
        assert!(repeats[0] != repeats[1] && repeats[1] != repeats[2] && repeats[0] != repeats[2]);
        assert!((after.mean - after.folds.iter().sum::<f64>() / 9.0).abs() < 1e-15);
        // The out-of-fold log loss is the mean of that of each repeat, and rows are about evenly spread over folds.
        assert!((all.out_of_fold["log_loss"] - after.mean).abs() < 1e-3);
        assert_ne!(all.out_of_fold["log_loss"], first.out_of_fold["log_loss"]);
    }
    // The model is fitted on all of train, whatever tells how good it is.
    assert_eq!(once.model.to_folder(), thrice.model.to_folder());
    assert_eq!(trained(&THRICE.replace("REPEATS", "3"), 1).report, thrice.report);
}

#[test]
fn early_stopping_takes_the_mean_over_all_repeats() {
    let table = synth::churn(700, 22);
    let models = "seed: 3\ncandidates: {only: {estimator: gradient_boosting, learning_rate: 0.5, early_stopping: true, n_iter_no_change: 2, max_iter: 40}}\ncross_validation: {folds: 2, repeats: 4}\n";
    let stops = Mutex::new(std::collections::BTreeMap::new());
    let project = churn(models, &table);
    let heard = |progress: &Progress<'_>| {
        if let Progress::Iteration { part: Part::Fold { fold, of }, done, .. } = progress {
            assert_eq!(*of, 8);
            stops.lock().unwrap().insert(*fold, *done);
        }
        true
    };
    let request = TrainRequest { progress: &heard, ..project.request(&table, None) };
    let trained = train(&request).unwrap();
    assert_eq!(stops.lock().unwrap().len(), 8);
    let trees = trained.report.candidates[0].trees.unwrap();
    // Of each fit the best iteration lies two before the last.
    let best: Vec<usize> = stops.lock().unwrap().values().map(|done| done - 2).collect();
    let mean = best.iter().sum::<usize>() as f64 / 8.0;
    assert!((trees as f64 - mean).abs() <= 0.5, "{trees} {mean}");
}
