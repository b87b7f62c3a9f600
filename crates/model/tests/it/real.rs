//! The real Telco customers and the California houses, in place.

use arrow_array::RecordBatch;
use trainyard_data::{ReadOptions, read};
use trainyard_features::row_of;
use trainyard_files::DiskIo;
use trainyard_judges::shared;
use trainyard_model::{Model, pictures};

use crate::given::{CHURN, CHURN_FEATURES, Project, bits, fifths};

fn load(path: &str, options: &ReadOptions) -> Option<RecordBatch> {
    let path = shared(path)?;
    Some(read(&DiskIo, &path, "data.csv", options).unwrap())
}

/// Trains, writes, reads, predicts, at several numbers of threads; gives the metrics on the last fifth.
fn end_to_end(project: &Project, table: &RecordBatch) -> std::collections::BTreeMap<String, f64> {
    let (rows, validation, reference) = (fifths(table, &[0, 1, 2]), fifths(table, &[3]), fifths(table, &[4]));
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let model = project.train(&rows, Some(&validation)).unwrap().model;
            let predictions = model.predict(&reference).unwrap();
            (model.to_folder(), bits(&predictions))
        })
    };
    let (folder, predicted) = with_threads(1);
    for threads in [2, 8] {
        assert!((folder.clone(), predicted.clone()) == with_threads(threads), "{threads} threads");
    }
    let model = Model::from_folder(&folder).unwrap();
    let predictions = model.predict(&reference).unwrap();
    assert_eq!(bits(&predictions), predicted);
    for row in (0..reference.num_rows()).step_by(17) {
        assert_eq!(model.predict_row(&row_of(&reference, row)).unwrap()[0].to_bits(), predicted[row], "row {row}");
    }
    let picture = pictures::feature_importance(&model.importance()).to_png(pictures::Theme::Dark);
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    model.metrics(&project.targets(&reference), &predictions).unwrap()
}

const BOOSTING: &str = "\
baseline: {logistic_regression: {}}
candidates: {boosted: {estimator: gradient_boosting, learning_rate: 0.05, max_leaf_nodes: 15}}
cross_validation: {folds: 3}
";

/// Reads the Telco customers.
pub(crate) fn telco() -> Option<RecordBatch> {
    let options = ReadOptions {
        types: [("TotalCharges".to_owned(), trainyard_spec::ColumnType::Float)].into(),
        ..ReadOptions::default()
    };
    load("data/telco_churn/customers.csv", &options)
}

#[test]
fn telco_customers() {
    let Some(table) = telco() else { return };
    assert_eq!((table.num_rows(), table.num_columns()), (7043, 21));
    let project = Project::new(CHURN, CHURN_FEATURES, BOOSTING, &table);
    let metrics = end_to_end(&project, &table);
    assert!(metrics["roc_auc"] > 0.82, "{metrics:?}");
    let reference = fifths(&table, &[4]);
    let baseline = project.baseline(&fifths(&table, &[0, 1, 2])).unwrap().model;
    let of_baseline = baseline.metrics(&project.targets(&reference), &baseline.predict(&reference).unwrap()).unwrap();
    assert!(of_baseline["roc_auc"] > 0.82, "{of_baseline:?}");
}

#[test]
fn california_houses() {
    let Some(table) = load("data/california_housing/housing.csv", &ReadOptions::default()) else { return };
    let project = "\
name: houses
data:
  source: data/raw/housing.csv
  target: {column: median_house_value, task: regression}
active: {split: 1, features: 1, model: 1}
";
    let features = "\
columns: {rooms_per_household: \"total_rooms / NULLIF(households, 0)\"}
groups:
  - {numeric: [longitude, latitude, housing_median_age, total_rooms, total_bedrooms, population, households, median_income, rooms_per_household], impute: median, scale: standard}
  - {categorical: [ocean_proximity], encode: one_hot}
";
    let models = BOOSTING.replace("logistic_regression", "ridge");
    let project = Project::new(project, features, &models, &table);
    let metrics = end_to_end(&project, &table);
    assert!(metrics["r2"] > 0.78, "{metrics:?}");
}
