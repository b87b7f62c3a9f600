//! Slices of a test set, weights, and the names of metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, UInt64Array};
use trainyard_data::slices::Slicing;
use trainyard_data::synth;
use trainyard_learn::metrics::{Task, by_name};
use trainyard_model::{Comparison, Model, Slice, SliceKind, SliceRequest, of_task, slice_table, slices, worst};
use trainyard_spec::{Located, SliceSpec, metric_reference};

use crate::given::{CHURN, CHURN_FEATURES, MODELS, Project, churn, fifths, replaced};

fn spec(columns: &[&str]) -> SliceSpec {
    SliceSpec {
        columns: columns.iter().map(|name| Located::of_default((*name).to_owned())).collect(),
        metric: Located::of_default("roc_auc".to_owned()),
        values: 10,
        bins: 4,
        least_rows: 30,
    }
}

struct Setting {
    project: Project,
    train: RecordBatch,
    test: RecordBatch,
    model: Model,
}

fn setting() -> Setting {
    let table = synth::churn(2_000, 11);
    let project = churn("candidates: {gradient_boosting: {max_iter: 15, max_leaf_nodes: 7}}\n", &table);
    let (train, test) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3, 4]));
    let model = project.train(&train, None).unwrap().model;
    Setting { project, train, test, model }
}

impl Setting {
    fn sliced(&self, spec: &SliceSpec, test: &RecordBatch, weights: Option<&[f64]>) -> Vec<Slice> {
        let (targets, predictions) = (self.project.targets(test), self.model.predict(test).unwrap());
        let request = SliceRequest {
            slicings: &Slicing::learn(spec, &self.train).unwrap(),
            table: test,
            scored: self.model.scored(&targets, &predictions, weights),
            more: &["balanced_accuracy", "mape"],
            least_rows: spec.least_rows as usize,
            resamples: 50,
            seed: 3,
        };
        slices(&self.model, &request).unwrap()
    }
}

fn rows_where(table: &RecordBatch, keep: impl Fn(usize) -> bool) -> RecordBatch {
    let rows: UInt64Array = (0..table.num_rows()).filter(|row| keep(*row)).map(|row| row as u64).collect();
    arrow_select::take::take_record_batch(table, &rows).unwrap()
}

fn texts(table: &RecordBatch, name: &str) -> Vec<String> {
    let column = table.column_by_name(name).unwrap();
    let texts = column.as_any().downcast_ref::<LargeStringArray>().unwrap();
    texts.iter().map(|text| text.unwrap().to_owned()).collect()
}

#[test]
fn a_slice_has_the_metrics_of_its_rows() {
    let setting = setting();
    let found = setting.sliced(&spec(&["Contract", "tenure"]), &setting.test, None);
    let contracts = texts(&setting.test, "Contract");
    let of_contract: Vec<&Slice> = found.iter().filter(|slice| slice.column == "Contract").collect();
    assert_eq!(
        of_contract.iter().map(|slice| slice.slice.as_str()).collect::<Vec<_>>(),
        ["Month-to-month", "One year", "Two year"]
    );
    for slice in of_contract {
        let rows = rows_where(&setting.test, |row| contracts[row] == slice.slice);
        assert_eq!((slice.rows, slice.kind), (rows.num_rows() as u64, SliceKind::Value));
        let (targets, predictions) = (setting.project.targets(&rows), setting.model.predict(&rows).unwrap());
        let scored = setting.model.scored(&targets, &predictions, None);
        let expected = setting.model.measure(&scored, &["balanced_accuracy"]).unwrap();
        assert_eq!(slice.metrics, expected);
        let [low, high] = slice.intervals["roc_auc"];
        assert!(low < slice.metrics["roc_auc"] && slice.metrics["roc_auc"] < high);
        assert_eq!(slice.words(), format!("Contract = {}", slice.slice));
    }
    let of_tenure: Vec<&Slice> = found.iter().filter(|slice| slice.column == "tenure").collect();
    assert_eq!(of_tenure.len(), 4);
    assert_eq!(of_tenure.iter().map(|slice| slice.rows).sum::<u64>(), setting.test.num_rows() as u64);
    assert!(of_tenure.iter().all(|slice| slice.kind == SliceKind::Range));
    assert!(of_tenure[0].words().starts_with("tenure ≤ "), "{}", of_tenure[0].words());
    let (least, value) = worst(&found, "roc_auc").unwrap();
    assert!(found.iter().filter_map(|slice| slice.metrics.get("roc_auc")).all(|other| *other >= value));
    assert_eq!(least.metrics["roc_auc"], value);
    let most = worst(&found, "log_loss").unwrap().1;
    assert!(found.iter().filter_map(|slice| slice.metrics.get("log_loss")).all(|other| *other <= most));
    let cells: usize = found.iter().map(|slice| slice.metrics.len()).sum();
    assert_eq!(slice_table(&[("reference".to_owned(), found)]).unwrap().num_rows(), cells);
}

#[test]
fn few_rows_join_the_others_and_one_class_has_no_curve() {
    let setting = setting();
    let targets = setting.project.targets(&setting.test);
    // The test set keeps the rows of one class among those of two years, and few of those of one.
    let contracts = texts(&setting.test, "Contract");
    let mut seen = 0;
    let keep: Vec<bool> = (0..targets.len())
        .map(|row| match contracts[row].as_str() {
            "Two year" => targets[row] == 0.0,
            "One year" => {
                seen += 1;
                seen <= 20
            }
            _ => true,
        })
        .collect();
    let test = rows_where(&setting.test, |row| keep[row]);
    let found = setting.sliced(&spec(&["Contract"]), &test, None);
    let [monthly, two_years, others] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((others.slice.as_str(), others.rows, others.counts), ("other values", 20, false));
    assert_eq!(others.words(), "Contract: other values");
    assert!(monthly.absent.is_empty() && monthly.counts);
    assert_eq!(two_years.metrics.keys().map(String::as_str).collect::<Vec<_>>(), ["accuracy", "brier", "log_loss"]);
    assert_eq!(two_years.absent["roc_auc"], "no row of Yes");
    assert!(two_years.absent.contains_key("balanced_accuracy"));
    // Neither a slice without a value nor one of few rows is the worst.
    assert_eq!(worst(&found, "roc_auc").unwrap().0.slice, "Month-to-month");
    assert!(serde_json::to_string(&found).unwrap().contains("no row of Yes"));
}

#[test]
fn weights_count_in_slices_and_rows_without_weight_do_not() {
    let setting = setting();
    let contracts = texts(&setting.test, "Contract");
    let weights: Vec<f64> =
        contracts.iter().enumerate().map(|(row, of)| if of == "Two year" { 0.0 } else { (row % 3) as f64 }).collect();
    let found = setting.sliced(&spec(&["Contract"]), &setting.test, Some(&weights));
    let of = |name: &str| found.iter().find(|slice| slice.slice == name).unwrap();
    assert!(of("Two year").metrics.is_empty());
    assert_eq!(of("Two year").absent["accuracy"], "no row of it counts");
    let rows = rows_where(&setting.test, |row| contracts[row] == "One year");
    let held: Vec<f64> = weights.iter().zip(&contracts).filter(|(_, of)| *of == "One year").map(|(w, _)| *w).collect();
    let (targets, predictions) = (setting.project.targets(&rows), setting.model.predict(&rows).unwrap());
    let scored = setting.model.scored(&targets, &predictions, Some(&held));
    assert_eq!(of("One year").metrics["roc_auc"], scored.metric("roc_auc").unwrap());
}

#[test]
fn slices_of_several_classes_lack_what_needs_all_of_them() {
    let table = synth::churn(1_500, 12);
    let kinds = texts(&table, "Contract");
    let project = CHURN.replace("{column: Churn, positive: \"Yes\"}", "{column: Contract, task: multiclass}");
    let features = "groups:\n  - {numeric: [tenure, MonthlyCharges], impute: median}\n";
    let project = Project::new(&project, features, "candidates: {logistic_regression: {}}\n", &table);
    let model = project.train(&table, None).unwrap().model;
    // The first half lacks the class of two years, the second has one class alone.
    let side: LargeStringArray =
        kinds.iter().map(|kind| Some(if kind == "Two year" { "alone" } else { "both" })).collect();
    let test = replaced(&table, "gender", Arc::new(side) as ArrayRef);
    let (targets, predictions) = (project.targets(&test), model.predict(&test).unwrap());
    let request = SliceRequest {
        slicings: &Slicing::learn(&spec(&["gender"]), &test).unwrap(),
        table: &test,
        scored: model.scored(&targets, &predictions, None),
        more: &["balanced_accuracy", "jaccard"],
        least_rows: 1,
        resamples: 20,
        seed: 1,
    };
    let found = slices(&model, &request).unwrap();
    let [alone, both] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(alone.metrics.len(), 3);
    assert_eq!(alone.absent["f1"], "no row of Month-to-month and of 1 more classes");
    assert!(both.metrics.contains_key("balanced_accuracy") && !both.metrics.contains_key("jaccard"));
    assert_eq!(both.absent["roc_auc"], "no row of Two year");
}

/// Adds a column of weights to customers.
fn weighed(table: &RecordBatch) -> RecordBatch {
    let weights: Float64Array = (0..table.num_rows()).map(|row| Some(((row * 7) % 5) as f64)).collect();
    let tenure: Int64Array = (0..table.num_rows()).map(|row| Some(row as i64)).collect();
    assert_eq!(tenure.len(), table.num_rows());
    let mut fields: Vec<_> = table.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(arrow_schema::Field::new("worth", arrow_schema::DataType::Float64, true)));
    let columns = table.columns().iter().cloned().chain([Arc::new(weights) as ArrayRef]).collect();
    RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(fields)), columns).unwrap()
}

#[test]
fn reports_and_comparisons_weigh_rows() {
    let table = weighed(&synth::churn(2_000, 13));
    let spec = CHURN.replace("  types:", "  weight: worth\n  types:");
    let project = Project::new(&spec, CHURN_FEATURES, MODELS, &table);
    let (train, held) = (fifths(&table, &[0, 1, 2]), fifths(&table, &[3, 4]));
    let trained = project.train(&train, Some(&held)).unwrap();
    let (targets, predictions) = (project.targets(&held), trained.model.predict(&held).unwrap());
    let weights = trainyard_data::weights(&held, &project.resolved.project.data).unwrap().unwrap();
    let scored = trained.model.scored(&targets, &predictions, Some(&weights));
    let weighted = trained.model.measure(&scored, &[]).unwrap();
    let chosen = trained.report.candidates.iter().find(|candidate| candidate.name == trained.report.chosen).unwrap();
    assert_eq!(chosen.validation, weighted);
    assert_ne!(weighted["accuracy"], trained.model.metrics(&targets, &predictions).unwrap()["accuracy"]);
    let other = project.train(&fifths(&table, &[0, 1]), None).unwrap().model;
    let candidate_digest = Model::digest(&trained.model.to_folder());
    let incumbent = Some(trainyard_model::Incumbent { digest: Model::digest(&other.to_folder()), model: Ok(&other) });
    let comparison = trainyard_model::compare(&trainyard_model::CompareRequest {
        candidate: &trained.model,
        candidate_digest,
        incumbent,
        reference: &held,
        data: &project.resolved.project.data,
        more: &["matthews_corrcoef"],
        metric: "matthews_corrcoef",
        resamples: 50,
        seed: 1,
    });
    let Ok(Comparison::Measured(measured)) = comparison else { panic!("{comparison:?}") };
    let of_other = other.predict(&held).unwrap();
    let theirs = other.scored(&targets, &of_other, Some(&weights)).metric("matthews_corrcoef").unwrap();
    assert_eq!(measured.incumbent["matthews_corrcoef"], theirs);
    assert_eq!(measured.candidate["roc_auc"], weighted["roc_auc"]);
    assert_eq!(measured.difference, measured.candidate["matthews_corrcoef"] - theirs);
}

#[test]
fn specs_and_metrics_know_the_same_names() {
    let named = |task: trainyard_spec::Task, further: bool| -> Vec<&str> {
        let all = metric_reference().iter().filter(|metric| metric.is_further() == further);
        let mut names: Vec<&str> =
            all.filter(|metric| metric.tasks().contains(&task)).map(|metric| metric.name()).collect();
        names.sort_unstable();
        names
    };
    let tasks = [
        (trainyard_spec::Task::Binary, Task::Binary),
        (trainyard_spec::Task::Multiclass, Task::Multiclass { classes: 3 }),
        (trainyard_spec::Task::Regression, Task::Regression),
    ];
    for (spec, learn) in tasks {
        assert_eq!(named(spec, false), learn.metrics(), "{spec}");
        assert_eq!(named(spec, true), learn.more_metrics(), "{spec}");
    }
    // What each is for a good and for a bad prediction tells its direction, and lies in its range.
    let (y, good, bad) = ([0.0, 1.0, 1.0, 0.0, 1.0], [0.1, 0.9, 0.8, 0.2, 0.4], [0.9, 0.3, 0.2, 0.7, 0.6]);
    let (n, near, far) = ([1.0, 2.0, 3.0, 5.0, 8.0], [1.1, 2.1, 2.9, 5.2, 7.9], [3.0, 9.0, 1.0, 1.0, 2.0]);
    let mut worse = BTreeMap::new();
    for metric in metric_reference() {
        let (task, [y, good, bad]) = match metric.tasks().first() {
            Some(trainyard_spec::Task::Regression) => (Task::Regression, [n, near, far]),
            Some(_) => (Task::Binary, [y, good, bad]),
            None => continue,
        };
        let of = |p: &[f64]| by_name(metric.name(), task, &y, p, 0.5).unwrap();
        let (good, bad) = (of(&good), of(&bad));
        assert_eq!(good > bad, metric.higher_is_better(), "{}: {good} {bad}", metric.name());
        let (least, most) = metric.range();
        for value in [good, bad] {
            assert!(least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most), "{value}");
        }
        worse.insert(metric.name(), bad);
    }
    assert_eq!(worse.len(), 12 + 25);
    assert_eq!(of_task(Task::Binary, &["f1", "rmse", "f2"]), ["f1", "f2"]);
}
