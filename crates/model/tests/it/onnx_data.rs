//! Graphs of the examples and of real data, beside their models on every row.

use std::fs;
use std::io::Read;
use std::sync::Arc;

use arrow_array::{ArrayRef, LargeStringArray, RecordBatch, UInt64Array};
use trainyard_data::images::with_pixels;
use trainyard_data::{ReadOptions, read};
use trainyard_features::row_of;
use trainyard_files::DiskIo;
use trainyard_judges::{repository, shared};
use trainyard_model::calibrate;
use trainyard_spec::{ColorMode, Pixels};

use crate::given::{Project, fifths};
use crate::onnx::{judge, nasty, only};

/// Trains on three fifths, and judges every row and what nobody expects in its place.
fn judged(project: &Project, table: &RecordBatch) {
    let rows = fifths(table, &[0, 1, 2]);
    let mut model = project.train(&rows, None).unwrap().model;
    if project.resolved.model.spec.calibrate.is_some() {
        model = calibrate(&project.request(&rows, None), model).unwrap().model;
    }
    let odd = nasty(table);
    // A row may overflow in SQL, or become infinite: then there is nothing to compare.
    let kept: UInt64Array = (0..odd.num_rows())
        .filter(|row| model.predict_row(&row_of(&odd, *row)).is_ok())
        .map(|row| row as u64)
        .collect();
    assert!(kept.len() * 3 > odd.num_rows(), "{} of {}", kept.len(), odd.num_rows());
    let odd = arrow_select::take::take_record_batch(&odd, &kept).unwrap();
    judge(&model, &[table, &odd]);
}

#[test]
fn the_examples() {
    for name in ["churn", "digits", "bike"] {
        let folder = repository().join("examples").join(name);
        let text = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
        let models = text("versions/models/v1.yaml");
        // Folds choose among candidates and change none.
        let first = models.lines().filter(|line| !line.starts_with("cross_validation")).collect::<Vec<_>>().join("\n");
        let models = format!("{first}\ncross_validation: {{folds: 0}}\n");
        let (spec, features) = (text("trainyard.yaml"), text("versions/features/v1.yaml"));
        let source = spec.lines().find_map(|line| line.trim().strip_prefix("source: ")).unwrap();
        let table = read(&DiskIo, &folder.join(source), "data.csv", &ReadOptions::default()).unwrap();
        let pixels = (name == "digits").then(|| Pixels {
            column: "path".to_owned(),
            height: 8,
            width: 8,
            mode: ColorMode::Gray,
        });
        let images = folder.join(source).parent().unwrap().to_owned();
        let table =
            with_pixels(&DiskIo, &images, &table, "data.csv", pixels.as_slice(), &|_, _| true).unwrap().unwrap().table;
        judged(&Project::new(&spec, &features, &models, &table), &table);
    }
}

fn project(target: &str, more: &str) -> String {
    format!(
        "name: x\ndata:\n  source: data/raw/x.csv\n  target: {{{target}}}\n{more}active: {{split: 1, features: 1, model: 1}}\n"
    )
}

/// Reads a shared table, with missing cells as the data set writes them.
fn load(path: &str) -> Option<RecordBatch> {
    let options = ReadOptions { missing: vec!["NA".into(), "?".into(), " ?".into()], ..ReadOptions::default() };
    Some(read(&DiskIo, &shared(path)?, "data.csv", &options).unwrap())
}

const BOOSTED: &str = "{estimator: gradient_boosting, max_iter: 40}";
const FOREST: &str = "{estimator: random_forest, n_estimators: 25, max_depth: 9}";

#[test]
fn tables_of_classes() {
    let calibrated = "calibrate: {method: isotonic, folds: 3}\n";
    for (path, target, more, features, candidate, calibration) in [
        (
            "data/telco_churn/customers.csv",
            "column: Churn, positive: \"Yes\"",
            "  key: customerID\n",
            "groups: [{numeric: [tenure, MonthlyCharges], impute: mean, bins: {n_bins: 6}}, \
             {categorical: [Contract, PaymentMethod, InternetService], encode: target}, \
             {categorical: [gender, Partner, TechSupport], encode: ordinal}]\n",
            BOOSTED,
            calibrated,
        ),
        (
            "data/adult/adult.csv",
            "column: income, positive: \" >50K\"",
            "",
            "columns: {gain: \"round(ln(1 + greatest(\\\"capital-gain\\\", 0)), 2)\", \
             where_from: \"coalesce(\\\"native-country\\\", 'nowhere') || '/' || race\"}\n\
             groups: [{numeric: [age, gain, hours-per-week], scale: robust}, \
             {categorical: [workclass, education, occupation, where_from], encode: target}, \
             {categorical: [sex, relationship], encode: one_hot}]\n",
            FOREST,
            "",
        ),
        (
            "data/german_credit/german_credit.csv",
            "column: class, positive: \"2\"",
            "",
            "columns: {burden: \"trunc(credit_amount / duration_months, 1)\"}\n\
             groups: [{numeric: [age, burden], bins: {n_bins: 9, encode: ordinal}}, \
             {categorical: [status, purpose, savings, installment_rate], encode: one_hot, min_frequency: 15}]\n",
            "{estimator: logistic_regression}",
            "calibrate: {method: sigmoid, folds: 3}\n",
        ),
        (
            "data/penguins/penguins.csv",
            "column: species, task: multiclass",
            "",
            "groups: [{numeric: [bill_length_mm, body_mass_g], bins: {n_bins: 5}}, \
             {categorical: [island, sex, year], encode: target}]\n",
            BOOSTED,
            calibrated,
        ),
        (
            "data/sklearn_tables/wine.csv",
            "column: target, task: multiclass",
            "",
            "groups: [{numeric: [alcohol, malic_acid, color_intensity, hue], scale: min_max}, \
             {numeric: [proline], bins: {n_bins: 3, strategy: uniform}}]\n",
            FOREST,
            "",
        ),
        (
            "data/sklearn_tables/breast_cancer.csv",
            "column: target, positive: malignant",
            "",
            "groups: [{numeric: [mean radius, mean texture, worst area, worst concavity], scale: standard}]\n",
            "{estimator: extra_trees, n_estimators: 20}",
            "",
        ),
    ] {
        let Some(table) = load(path) else { return };
        let models = format!("{}{calibration}", only(candidate, "dummy"));
        judged(&Project::new(&project(target, more), features, &models, &table), &table);
    }
}

#[test]
fn tables_of_numbers() {
    for (path, target, more, features, candidate) in [
        (
            "data/california_housing/housing.csv",
            "column: median_house_value, task: regression",
            "",
            "columns: {rooms: \"total_rooms / NULLIF(households, 0)\", block: \"round(latitude) * 1000 + round(longitude)\"}\n\
             groups: [{numeric: [median_income, total_bedrooms, rooms, block], impute: median, scale: standard}, \
             {numeric: [latitude, longitude], bins: {n_bins: 20}}, {categorical: [ocean_proximity], encode: target}]\n",
            BOOSTED,
        ),
        (
            "data/bike_sharing/hour.csv",
            "column: cnt, task: regression",
            "  drop: [casual, registered]\n",
            "groups: [{numeric: [temp, hum], bins: {n_bins: 8, encode: ordinal}}, {categorical: [hr, weekday], encode: target}]\n",
            "{estimator: gradient_boosting, max_iter: 30, loss: poisson}",
        ),
        (
            "data/bike_sharing/day.csv",
            "column: cnt, task: regression",
            "  drop: [casual, registered]\n",
            "groups: [{numeric: [temp, hum, windspeed], scale: robust}, {categorical: [season, weathersit], encode: one_hot}]\n",
            "{estimator: ridge}",
        ),
        (
            "data/sklearn_tables/diabetes.csv",
            "column: target, task: regression",
            "",
            "columns: {group: \"CAST(sex AS INTEGER)\"}\n\
             groups: [{numeric: [age, bmi, bp], bins: {n_bins: 4}}, {numeric: [s1, s5], scale: standard}, \
             {categorical: [group], encode: target}]\n",
            FOREST,
        ),
    ] {
        let Some(table) = load(path) else { return };
        judged(&Project::new(&project(target, more), features, &only(candidate, "ridge"), &table), &table);
    }
}

fn texts(columns: [(&str, Vec<Option<String>>); 2]) -> RecordBatch {
    let columns = columns.map(|(name, texts)| (name, Arc::new(LargeStringArray::from(texts)) as ArrayRef, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn short_messages() {
    let Some(path) = shared("data/sms_spam/messages.tsv") else { return };
    let text = fs::read_to_string(path).unwrap();
    let (labels, bodies) = text.lines().filter_map(|line| line.split_once('\t')).unzip::<_, _, Vec<_>, Vec<_>>();
    let owned = |texts: Vec<&str>| texts.into_iter().map(|text| Some(text.to_owned())).collect();
    let table = texts([("label", owned(labels)), ("body", owned(bodies))]);
    assert_eq!(table.num_rows(), 5574);
    let features = "groups: [{text: body, tfidf: {max_features: 300, ngram_range: [1, 2], sublinear_tf: true}}]\n";
    let models = only("{estimator: logistic_regression}", "dummy");
    judged(&Project::new(&project("column: label, positive: spam", ""), features, &models, &table), &table);
}

#[test]
fn mails() {
    let Some(path) = shared("data/email_spam/emails.jsonl.gz") else { return };
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let (mut labels, mut subjects) = (Vec::new(), Vec::new());
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let mail: serde_json::Value = serde_json::from_str(line).unwrap();
        labels.push(mail["label"].as_str().map(str::to_owned));
        subjects.push(mail["subject"].as_str().map(str::to_owned));
    }
    let table = texts([("label", labels), ("subject", subjects)]);
    assert_eq!(table.num_rows(), 6046);
    let features = "groups: [{text: subject, tfidf: {max_features: 200}}]\n";
    let models = only("{estimator: gradient_boosting, max_iter: 30}", "dummy");
    judged(&Project::new(&project("column: label, positive: spam", ""), features, &models, &table), &table);
}
