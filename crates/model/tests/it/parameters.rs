//! What the parameters of boosted trees and forests come to in a whole model.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use serde_json::json;
use trainyard_data::synth;
use trainyard_model::{Error, Model};

use crate::given::{CHURN, CHURN_FEATURES, Project, bits, churn, fifths};

const BIKES: &str = "\
name: bikes
data:
  source: data/hour.csv
  target: {column: cnt, task: regression}
active: {split: 1, features: 1, model: 1}
";

const BIKE_FEATURES: &str = "groups: [{numeric: [hr, temp, hum, windspeed]}]\n";

fn models(candidates: &str) -> String {
    format!("baseline: {{dummy: {{}}}}\ncandidates: {candidates}\ncross_validation: {{folds: 0}}\n")
}

fn bikes(parameters: &str, table: &RecordBatch) -> Project {
    let candidates = models(&format!("{{only: {{estimator: gradient_boosting, max_iter: 20{parameters}}}}}"));
    Project::new(BIKES, BIKE_FEATURES, &candidates, table)
}

/// Adds a column of weights: those of the classes No and Yes.
fn weighed(table: &RecordBatch, weights: [f64; 2]) -> RecordBatch {
    let targets = churn(&models("{dummy: {}}"), table).targets(table);
    let weights: Float64Array = targets.iter().map(|target| Some(weights[*target as usize])).collect();
    let field = Field::new("seen", DataType::Float64, false);
    let fields: Vec<_> = table.schema().fields().iter().cloned().chain([Arc::new(field)]).collect();
    let columns = table.columns().iter().cloned().chain([Arc::new(weights) as ArrayRef]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn parameters_that_are_left_out_are_not_listed() {
    let table = synth::churn(300, 1);
    let candidates = models("{gradient_boosting: {max_iter: 2}, random_forest: {n_estimators: 2}}");
    let trained = churn(&candidates, &table).train(&fifths(&table, &[0, 1, 2]), Some(&fifths(&table, &[3]))).unwrap();
    let names = |candidate: usize| {
        trained.report.candidates[candidate].parameters.keys().cloned().collect::<Vec<String>>().join(" ")
    };
    assert_eq!(
        names(0),
        "colsample_bytree early_stopping l2_regularization learning_rate max_bins max_depth max_iter max_leaf_nodes \
         min_samples_leaf n_iter_no_change subsample tol"
    );
    assert_eq!(names(1), "bootstrap max_depth max_features min_samples_leaf min_samples_split n_estimators");
    let baseline = churn(&models("{logistic_regression: {}}"), &table).train(&table, None).unwrap().model.parameters;
    assert_eq!(baseline.keys().cloned().collect::<Vec<String>>().join(" "), "C max_iter tol");
    assert!(!serde_json::to_string(&trained.report).unwrap().contains("out_of_bag"));
    let given = churn(&models("{gradient_boosting: {max_iter: 2, class_weight: balanced, reg_alpha: 0}}"), &table);
    let parameters = given.train(&table, None).unwrap().model.parameters;
    assert_eq!((parameters["class_weight"].as_str(), parameters["reg_alpha"].as_str()), ("\"balanced\"", "0.0"));
}

#[test]
fn weights_of_classes_are_weights_of_their_rows() {
    let plain = synth::churn(800, 2);
    let Some(judge) = trainyard_judges::python("core") else { return };
    let targets = churn(&models("{dummy: {}}"), &plain).targets(&plain);
    let script = "
from sklearn.utils.class_weight import compute_class_weight
import numpy as np
answer = list(compute_class_weight('balanced', classes=np.array([0, 1]), y=np.array(data)))
";
    let balanced = judge.run(script, &json!(targets));
    let [no, yes] = [0, 1].map(|class| trainyard_judges::number(&balanced[class]));
    let cases = [("balanced", [no, yes]), ("{\"Yes\": 2.5}", [1.0, 2.5]), ("{\"No\": 0.25, \"Yes\": 4}", [0.25, 4.0])];
    for (class_weight, weights) in cases {
        for estimator in [
            "gradient_boosting: {max_iter: 5",
            "random_forest: {n_estimators: 5",
            "extra_trees: {n_estimators: 5",
            "logistic_regression: {l1_ratio: 0.5",
        ] {
            let by_class = churn(&models(&format!("{{{estimator}, class_weight: {class_weight}}}}}")), &plain);
            let table = weighed(&plain, weights);
            let project = CHURN.replace("  types:", "  weight: seen\n  types:");
            let by_row = Project::new(&project, CHURN_FEATURES, &models(&format!("{{{estimator}}}}}")), &table);
            let estimator_of = |model: Model| serde_json::to_string(&model.estimator).unwrap();
            let (by_class, by_row) = (by_class.train(&plain, None).unwrap(), by_row.train(&table, None).unwrap());
            assert!(estimator_of(by_class.model) == estimator_of(by_row.model), "{estimator}, {class_weight}");
        }
    }
}

#[test]
fn weights_of_classes_and_of_rows_multiply() {
    let plain = synth::churn(500, 3);
    let of = |row: f64, class_weight: &str| {
        let table = weighed(&plain, [1.0, row]);
        let project = CHURN.replace("  types:", "  weight: seen\n  types:");
        let candidates = models(&format!("{{gradient_boosting: {{max_iter: 5{class_weight}}}}}"));
        Project::new(&project, CHURN_FEATURES, &candidates, &table).train(&table, None).unwrap().model.estimator
    };
    assert_eq!(of(2.0, ", class_weight: {\"Yes\": 3}"), of(6.0, ""));
}

#[test]
fn held_rows_count_by_the_weights_of_the_classes_of_the_fit() {
    let table = synth::churn(600, 4);
    let candidates = "{only: {estimator: gradient_boosting, max_iter: 8, class_weight: {\"Yes\": 3}}}";
    let trained =
        churn(&models(candidates), &table).train(&fifths(&table, &[0, 1, 2]), Some(&fifths(&table, &[3]))).unwrap();
    let held = fifths(&table, &[3]);
    let targets = churn(&models(candidates), &table).targets(&held);
    let shares = trained.model.predict(&held).unwrap();
    // Three copies count as a row of weight 3.
    let copies = |row: &usize| std::iter::repeat_n(*row, if targets[*row] == 1.0 { 3 } else { 1 });
    let rows: Vec<usize> = (0..targets.len()).collect();
    let of = |values: &[f64]| rows.iter().flat_map(copies).map(|row| values[row]).collect::<Vec<f64>>();
    let loss = trained.model.metrics(&of(&targets), &of(&shares)).unwrap()["log_loss"];
    let reported = trained.report.candidates[0].validation_loss[7];
    assert!((reported - loss).abs() < 1e-12, "{reported} {loss}");
}

#[test]
fn losses_predict_what_they_are_for() {
    let table = synth::bike(2_000, 5);
    let trained = |parameters: &str| {
        let project = bikes(parameters, &table);
        let model = project.train(&table, None).unwrap().model;
        let predictions = model.predict(&table).unwrap();
        for row in [0, 7, 1_999] {
            let single = model.predict_row(&trainyard_features::row_of(&table, row)).unwrap();
            assert_eq!(bits(&single), bits(&predictions[row..=row]));
        }
        let read = Model::from_folder(&model.to_folder()).unwrap();
        assert_eq!(bits(&read.predict(&table).unwrap()), bits(&predictions));
        (project.targets(&table), predictions)
    };
    let share_below = |(targets, predictions): (Vec<f64>, Vec<f64>)| {
        targets.iter().zip(&predictions).filter(|(target, prediction)| target < prediction).count() as f64 / 2_000.0
    };
    for quantile in [0.1, 0.5, 0.9] {
        let share = share_below(trained(&format!(", loss: quantile, quantile: {quantile}")));
        assert!((share - quantile).abs() < 0.1, "{quantile}: {share}");
    }
    let (targets, medians) = trained(", loss: absolute_error");
    let error = |predictions: &[f64]| -> f64 {
        targets.iter().zip(predictions).map(|(target, prediction)| (target - prediction).abs()).sum()
    };
    assert!(error(&medians) < error(&trained("").1));
    let (_, counts) = trained(", loss: poisson");
    assert!(counts.iter().all(|count| *count > 0.0));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / 2_000.0;
    assert!((mean(&counts) / mean(&targets) - 1.0).abs() < 0.02, "{} {}", mean(&counts), mean(&targets));
}

#[test]
fn directions_belong_to_features_by_name() {
    let table = synth::bike(1_500, 6);
    let warmer = |parameters: &str| {
        let model = bikes(parameters, &table).train(&table, None).unwrap().model;
        let temp = table.column_by_name("temp").unwrap();
        let temp = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Float64Type>(temp);
        let warm: Float64Array = temp.iter().map(|value| value.map(|value| value + 0.2)).collect();
        let warm = crate::given::replaced(&table, "temp", Arc::new(warm));
        let (before, after) = (model.predict(&table).unwrap(), model.predict(&warm).unwrap());
        before.iter().zip(&after).filter(|(before, after)| **before - **after > 1e-9 * before.abs()).count()
    };
    assert!(warmer("") > 0);
    assert_eq!(warmer(", monotonic_cst: {temp: increase, hum: 0}"), 0);
    assert_eq!(warmer(", loss: poisson, monotonic_cst: {temp: 1}, grow_policy: depthwise, reg_alpha: 2"), 0);
    let error = bikes(", monotonic_cst: {tmep: 1}", &table).train(&table, None).unwrap_err();
    assert!(matches!(&error, Error::UnknownFeature { feature, .. } if feature == "tmep"), "{error:?}");
    assert_eq!(error.diagnostic().help, ["did you mean `temp`?"]);
}

#[test]
fn a_score_out_of_bag_is_reported() {
    let table = synth::churn(900, 7);
    let candidates = models("{random_forest: {n_estimators: 40, oob_score: true, max_depth: 6}}");
    let trained = churn(&candidates, &table).train(&table, None).unwrap();
    let score = trained.report.candidates[0].out_of_bag_score.unwrap();
    assert!((0.6..0.95).contains(&score), "{score}");
    let text = serde_json::to_string(&trained.report).unwrap();
    let read: trainyard_model::TrainReport = serde_json::from_str(&text).unwrap();
    assert_eq!(read, trained.report);
    let without =
        churn(&models("{random_forest: {n_estimators: 40, max_depth: 6}}"), &table).train(&table, None).unwrap();
    assert_eq!(without.model.estimator, trained.model.estimator);
}

/// The coefficients of the only linear model of a fit, and its intercept.
fn linear(model: &Model) -> (Vec<f64>, f64) {
    let text = serde_json::to_value(&model.estimator).unwrap();
    let of = text.as_object().unwrap().values().find_map(|value| value.get("models")).unwrap_or(&text["models"]);
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    (of[0]["coefficients"].as_array().unwrap().iter().map(number).collect(), number(&of[0]["intercept"]))
}

#[test]
fn names_of_penalties_mean_shares_of_them() {
    let table = synth::churn(500, 10);
    let fit = |parameters: &str| {
        let candidates = models(&format!("{{only: {{estimator: logistic_regression{parameters}}}}}"));
        churn(&candidates, &table).train(&table, None).unwrap().model
    };
    let (plain, sparse) = (fit(""), fit(", C: 0.05, penalty: l1"));
    assert_eq!(plain.estimator, fit(", penalty: l2").estimator);
    assert_eq!(sparse.estimator, fit(", C: 0.05, l1_ratio: 1").estimator);
    assert_eq!(fit(", penalty: elasticnet, l1_ratio: 0.3").estimator, fit(", l1_ratio: 0.3").estimator);
    let zeros = |model: &Model| linear(model).0.iter().filter(|coefficient| **coefficient == 0.0).count();
    assert!(zeros(&sparse) > zeros(&plain) + 3, "{:?}", linear(&sparse));
    let size = |model: &Model| linear(model).0.iter().map(|coefficient| coefficient.abs()).sum::<f64>();
    assert!(size(&fit(", penalty: none, max_iter: 1000")) > size(&plain));
    assert_eq!(linear(&fit(", fit_intercept: false")).1, 0.0);
    assert!(linear(&plain).1 != 0.0);
}

#[test]
fn lasso_and_elastic_net_leave_features_out() {
    let table = synth::bike(1_500, 11);
    let fit = |candidate: &str| {
        let project = Project::new(BIKES, BIKE_FEATURES, &models(&format!("{{{candidate}}}")), &table);
        project.train(&table, None).unwrap().model
    };
    let (lasso, all) = (fit("lasso: {alpha: 1e6}"), fit("ridge: {}"));
    assert!(linear(&lasso).0.iter().all(|coefficient| *coefficient == 0.0));
    assert!(linear(&all).0.iter().all(|coefficient| *coefficient != 0.0));
    assert_eq!(fit("lasso: {alpha: 2}").estimator, fit("elastic_net: {alpha: 2, l1_ratio: 1}").estimator);
    let both = linear(&fit("elastic_net: {alpha: 2}")).0;
    let size = |coefficients: &[f64]| coefficients.iter().map(|coefficient| coefficient.abs()).sum::<f64>();
    assert!(size(&both) < size(&linear(&all).0), "{both:?}");
}

#[test]
fn threads_change_no_byte() {
    let customers = synth::churn(700, 8);
    let hours = synth::bike(900, 9);
    let of_classes = churn(
        "seed: 3
baseline: {dummy: {}}
candidates:
  bounded: {estimator: gradient_boosting, max_iter: 10, class_weight: balanced, monotonic_cst: {tenure: -1}, subsample: 0.8, reg_alpha: 0.2, min_child_weight: 2, grow_policy: depthwise}
  random_forest: {n_estimators: 20, class_weight: balanced, oob_score: true}
  logistic_regression: {l1_ratio: 0.7, class_weight: balanced}
cross_validation: {folds: 3}
",
        &customers,
    );
    let of_numbers = Project::new(
        BIKES,
        BIKE_FEATURES,
        "baseline: {dummy: {}}
candidates:
  median: {estimator: gradient_boosting, max_iter: 10, loss: absolute_error, early_stopping: true}
  upper: {estimator: gradient_boosting, max_iter: 10, loss: quantile, quantile: 0.9, subsample: 0.7}
  counts: {estimator: gradient_boosting, max_iter: 10, loss: poisson}
  lasso: {alpha: 0.5}
  elastic_net: {alpha: 0.5}
cross_validation: {folds: 3}
",
        &hours,
    );
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            [(&of_classes, &customers), (&of_numbers, &hours)].map(|(project, table)| {
                let trained = project.train(&fifths(table, &[0, 1, 2]), Some(&fifths(table, &[3]))).unwrap();
                (trained.model.to_folder(), serde_json::to_string(&trained.report).unwrap())
            })
        })
    };
    let one = with_threads(1);
    assert!(one == with_threads(2));
    assert!(one == with_threads(8));
}

#[test]
fn parameters_of_another_task_are_refused_where_only_the_data_tells_the_task() {
    let table = synth::churn(300, 13);
    let project = CHURN.replace("{column: Churn, positive: \"Yes\"}", "MonthlyCharges");
    let refused = |parameters: &str| {
        let candidates = models(&format!("{{only: {{estimator: {parameters}}}}}"));
        Project::new(&project, "groups: [{numeric: [tenure]}]\n", &candidates, &table).train(&table, None).unwrap_err()
    };
    for parameters in ["gradient_boosting, loss: log_loss", "random_forest, class_weight: balanced"] {
        let error = refused(parameters);
        assert!(matches!(error, Error::WrongParameter { has_classes: false, .. }), "{error:?}");
    }
    let error = refused("logistic_regression, l1_ratio: 1");
    assert!(matches!(error, Error::WrongTask { has_classes: false, .. }), "{error:?}");
    let project = CHURN.replace("{column: Churn, positive: \"Yes\"}", "{column: Contract, task: multiclass}");
    let candidates = models("{only: {estimator: gradient_boosting, monotonic_cst: {tenure: 1}}}");
    let features = "groups: [{numeric: [tenure]}]\n";
    let error = Project::new(&project, features, &candidates, &table).train(&table, None).unwrap_err();
    assert_eq!(error.diagnostic().code, "learn/monotonic");
    let error = churn(&models("{random_forest: {class_weight: {yes: 2}}}"), &table).train(&table, None).unwrap_err();
    assert!(matches!(&error, Error::UnknownClass { class, .. } if class == "yes"), "{error:?}");
    let negative = bikes(", loss: poisson", &synth::bike(100, 1));
    let mut table = synth::bike(100, 1);
    let below: Vec<i64> = (0..100).map(|row| row - 3).collect();
    table = crate::given::replaced(&table, "cnt", Arc::new(arrow_array::Int64Array::from(below)));
    let error = negative.train(&table, None).unwrap_err();
    assert_eq!(error.diagnostic().code, "learn/negative-target");
}
