//! A shuffled target cannot be predicted, on real data and whatever the features.

use std::io::Read;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use serde_json::{Value, json};
use trainyard_data::{ReadOptions, read};
use trainyard_features::{Folds, Targets};
use trainyard_files::DiskIo;
use trainyard_judges::shared;
use trainyard_learn::metrics;
use trainyard_model::fit_fold;
use trainyard_random::Key;

use crate::given::{Project, fifths};

const MODELS: &str = "\
baseline: {logistic_regression: {}}
candidates:
  logistic_regression: {}
  boosted: {estimator: gradient_boosting, max_iter: 10, max_leaf_nodes: 7, subsample: 0.8, colsample_bytree: 0.8}
  forest: {estimator: random_forest, n_estimators: 10, min_samples_leaf: 3}
cross_validation: {folds: 5}
";

/// The column that holds the shuffled target; the true one stays among the features.
const SHUFFLED: &str = "shuffled target";

fn is_long() -> bool {
    std::env::var_os("TRAINYARD_LONG").is_some()
}

fn text(column: &ArrayRef, row: usize) -> String {
    if let Some(values) = column.as_any().downcast_ref::<LargeStringArray>() {
        values.value(row).to_owned()
    } else if let Some(values) = column.as_any().downcast_ref::<Int64Array>() {
        values.value(row).to_string()
    } else {
        column.as_any().downcast_ref::<Float64Array>().unwrap().value(row).to_string()
    }
}

/// Takes at most `most` rows, drawn by chance, in an order drawn by chance.
fn sample(table: &RecordBatch, most: usize) -> RecordBatch {
    let mut rows: Vec<u64> = (0..table.num_rows() as u64).collect();
    Key::new(1, "canaries/sample").stream().shuffle(&mut rows);
    rows.truncate(most);
    arrow_select::take::take_record_batch(table, &UInt64Array::from(rows)).unwrap()
}

/// Gives the class of each row: as the data has it, or, of a number, on which side of the median it lies.
fn classes(table: &RecordBatch, target: &str, is_number: bool) -> Vec<String> {
    let column = table.column_by_name(target).unwrap();
    let texts: Vec<String> = (0..table.num_rows()).map(|row| text(column, row)).collect();
    if !is_number {
        return texts;
    }
    let values: Vec<f64> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    values.iter().map(|value| if *value < median { "low" } else { "high" }.to_owned()).collect()
}

fn with_shuffled(table: &RecordBatch, mut classes: Vec<String>, seed: u64) -> RecordBatch {
    Key::new(seed, "canaries/shuffled target").stream().shuffle(&mut classes);
    let mut fields: Vec<_> = table.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(SHUFFLED, DataType::LargeUtf8, true)));
    let shuffled = Arc::new(LargeStringArray::from(classes)) as ArrayRef;
    let columns = table.columns().iter().cloned().chain([shuffled]).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Gives feature versions over all columns, keys and true target included.
fn plans(table: &RecordBatch) -> Vec<(&'static str, Value)> {
    let schema = table.schema();
    let of = |kinds: &[DataType]| -> Vec<String> {
        let fields = schema.fields().iter().filter(|field| kinds.contains(field.data_type()));
        fields.map(|field| field.name().clone()).collect()
    };
    let numbers = of(&[DataType::Int64, DataType::Float64]);
    let categories = of(&[DataType::LargeUtf8, DataType::Boolean]);
    let texts = of(&[DataType::LargeUtf8]);
    let mut plans = Vec::new();
    if !numbers.is_empty() {
        plans.push(("numbers", json!({"groups": [{"numeric": numbers, "impute": "median", "scale": "standard"}]})));
        let mut columns = serde_json::Map::new();
        for (place, name) in numbers.iter().take(5).enumerate() {
            for function in ["mean", "median", "min", "max"] {
                let sql = format!("\"{name}\" - fitted_{function}(\"{name}\")");
                columns.insert(format!("{function}_{place}"), sql.into());
            }
            let sql = format!("\"{name}\" > fitted_quantile(\"{name}\", 0.9)");
            columns.insert(format!("quantile_{place}"), format!("CASE WHEN {sql} THEN 1 ELSE 0 END").into());
            let sql = format!("\"{name}\" / (1 + fitted_stddev(\"{name}\")) + fitted_count(\"{name}\")");
            columns.insert(format!("spread_{place}"), sql.into());
        }
        let derived: Vec<String> = columns.keys().cloned().collect();
        let groups = json!([{"numeric": derived, "impute": "mean", "scale": "min_max"}]);
        plans.push(("aggregates", json!({"columns": columns, "groups": groups})));
        plans.push(("bins", json!({"groups": [{"numeric": numbers, "impute": "most_frequent", "bins": {}}]})));
    }
    if !categories.is_empty() {
        let one_hot = json!({"categorical": categories, "encode": "one_hot", "min_frequency": 3});
        plans.push(("one_hot", json!({"groups": [one_hot]})));
        let ordinal = json!({"categorical": categories, "encode": "ordinal", "impute": "most_frequent"});
        plans.push(("ordinal", json!({"groups": [ordinal]})));
        plans.push(("target", json!({"groups": [{"categorical": categories, "encode": "target"}]})));
    }
    if !texts.is_empty() {
        let mut columns = serde_json::Map::new();
        for (place, name) in texts.iter().enumerate() {
            columns.insert(format!("length_{place}"), format!("length(\"{name}\")").into());
            let sql = format!("CASE WHEN contains(lower(\"{name}\"), 'free') THEN 1 ELSE 0 END");
            columns.insert(format!("contains_{place}"), sql.into());
        }
        let derived: Vec<String> = columns.keys().cloned().collect();
        let groups: Vec<Value> =
            texts.iter().map(|name| json!({"text": name, "tfidf": {"max_features": 30, "min_df": 2}})).collect();
        plans.push(("tfidf", json!({"groups": groups})));
        plans.push(("texts", json!({"columns": columns, "groups": [{"numeric": derived, "impute": {"constant": 0}}]})));
    }
    plans
}

/// Says by how many standard errors the area under the curve differs from 0.5.
///
/// The error is that of Mann and Whitney's statistic where scores and classes are independent; ties only lower it.
fn deviation(is_of: &[f64], scores: &[f64]) -> f64 {
    let positive: f64 = is_of.iter().sum();
    let rows = is_of.len() as f64;
    let error = ((rows + 1.0) / (12.0 * positive * (rows - positive))).sqrt();
    (metrics::roc_auc(is_of, scores).unwrap() - 0.5) / error
}

fn one_against_rest(targets: &[f64], predictions: &[f64]) -> Vec<f64> {
    let outputs = predictions.len() / targets.len();
    let classes = if outputs == 1 { 1..2 } else { 0..outputs };
    let of_class = |class: usize| {
        let is_of: Vec<f64> = targets.iter().map(|target| f64::from(*target as usize == class)).collect();
        let scores: Vec<f64> = predictions.iter().skip(class % outputs).step_by(outputs).copied().collect();
        deviation(&is_of, &scores)
    };
    classes.map(of_class).collect()
}

fn project(table: &RecordBatch, features: &Value) -> Project {
    let mut classes = classes(table, SHUFFLED, false);
    classes.sort_unstable();
    classes.dedup();
    let target = match classes.as_slice() {
        [_, positive] => json!({"column": SHUFFLED, "positive": positive}),
        _ => json!({"column": SHUFFLED, "task": "multiclass"}),
    };
    let data = json!({"source": "data.csv", "target": target});
    let project = json!({"name": "shuffled", "data": data, "active": {"split": 1, "features": 1, "model": 1}});
    Project::new(&project.to_string(), &features.to_string(), MODELS, table)
}

/// Checks every plan, candidate and class of a table.
///
/// Of several hundred such figures one lies beyond three standard errors by chance; four times as many shuffles then tell
/// chance, which is spent by then, from a leak, which shows twice as clearly.
fn cannot_be_predicted(name: &str, table: &RecordBatch, target: &str, is_number: bool) {
    let table = sample(table, if is_long() { 4000 } else { 600 });
    let shuffles = if is_long() { 10 } else { 1 };
    let folds: Vec<u32> = (0..table.num_rows()).map(|row| row as u32 % 5).collect();
    for (plan, features) in plans(&table) {
        let mut sums: Vec<f64> = Vec::new();
        let mut add = |seed: u64| {
            let table = with_shuffled(&table, classes(&table, target, is_number), seed);
            let project = project(&table, &features);
            let fits = fit_fold(&project.request(&table, None), &folds, seed as usize % 5, 5).unwrap();
            let all = project.targets(&table);
            let targets: Vec<f64> = fits.rows.iter().map(|row| all[*row]).collect();
            let of_seed = fits.candidates.iter().flat_map(|fit| one_against_rest(&targets, &fit.predictions));
            let of_seed: Vec<f64> = of_seed.collect();
            sums.resize(of_seed.len(), 0.0);
            sums.iter_mut().zip(of_seed).for_each(|(sum, z)| *sum += z);
            // Shuffles are independent of each other, so that their sum has the variance of their number.
            sums.iter().map(|sum| sum / ((seed + 1) as f64).sqrt()).collect::<Vec<f64>>()
        };
        let is_near = |z: &[f64]| z.iter().all(|z| z.abs() <= 3.0);
        let z = (0..shuffles).map(&mut add).last().unwrap();
        if !is_near(&z) {
            let again = (shuffles..4 * shuffles).map(add).last().unwrap();
            assert!(is_near(&again), "{name}, {plan}: {z:?}, then {again:?} standard errors from 0.5");
        }
    }
}

fn table(path: &str, missing: &str) -> Option<RecordBatch> {
    let options = ReadOptions { missing: vec![missing.to_owned()], ..ReadOptions::default() };
    Some(read(&DiskIo, &shared(path)?, path, &options).unwrap())
}

#[test]
fn two_classes() {
    for (path, target) in [
        ("data/telco_churn/customers.csv", "Churn"),
        ("data/adult/adult.csv", "income"),
        ("data/german_credit/german_credit.csv", "class"),
        ("data/sklearn_tables/breast_cancer.csv", "target"),
    ] {
        let Some(table) = table(path, "?") else { continue };
        cannot_be_predicted(path, &table, target, false);
    }
}

#[test]
fn several_classes() {
    for (path, target) in [
        ("data/penguins/penguins.csv", "species"),
        ("data/penguins/penguins_raw.csv", "Species"),
        ("data/sklearn_tables/wine.csv", "target"),
        ("data/digits_png/labels.csv", "label"),
    ] {
        let Some(table) = table(path, "NA") else { continue };
        cannot_be_predicted(path, &table, target, false);
    }
}

#[test]
fn numbers_on_either_side_of_their_median() {
    for (path, target) in [
        ("data/california_housing/housing.csv", "median_house_value"),
        ("data/bike_sharing/hour.csv", "cnt"),
        ("data/bike_sharing/day.csv", "cnt"),
        ("data/sklearn_tables/diabetes.csv", "target"),
    ] {
        let Some(table) = table(path, "NA") else { continue };
        cannot_be_predicted(path, &table, target, true);
    }
}

fn of_texts(columns: &[(&str, Vec<Option<String>>)]) -> RecordBatch {
    let array = |values: &Vec<Option<String>>| Arc::new(LargeStringArray::from(values.clone())) as ArrayRef;
    RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(name, values)| (*name, array(values), true))).unwrap()
}

#[test]
fn short_messages() {
    let Some(path) = shared("data/sms_spam/messages.tsv") else { return };
    // Quotes are literal in this file, as no reader of CSV would take them.
    let content = std::fs::read_to_string(path).unwrap();
    let (labels, texts) = content.lines().filter_map(|line| line.split_once('\t')).unzip::<_, _, Vec<_>, Vec<_>>();
    let owned = |values: Vec<&str>| values.into_iter().map(|value| Some(value.to_owned())).collect();
    let table = of_texts(&[("label", owned(labels)), ("text", owned(texts))]);
    cannot_be_predicted("messages", &table, "label", false);
}

#[test]
fn letters() {
    let Some(path) = shared("data/email_spam/emails.jsonl.gz") else { return };
    let mut content = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut content).unwrap();
    let letters: Vec<Value> = content.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    let column = |name: &'static str| {
        (name, letters.iter().map(|letter| letter[name].as_str().map(str::to_owned)).collect::<Vec<_>>())
    };
    let table = of_texts(&["message_id", "group", "sender", "subject", "body", "label"].map(column));
    cannot_be_predicted("letters", &table, "label", false);
}

#[test]
fn a_model_that_saw_the_judging_rows_is_caught() {
    let Some(table) = table("data/sklearn_tables/breast_cancer.csv", "?") else { return };
    let (_, features) = plans(&table).swap_remove(0);
    let table = with_shuffled(&table, classes(&table, "target", false), 0);
    let project = project(&table, &features);
    let held_out = fifths(&table, &[0]);
    let leaky = project.train(&table, None).unwrap().model;
    let z = deviation(&project.targets(&held_out), &leaky.predict(&held_out).unwrap());
    assert!(z > 3.0, "{z}");
}

/// A column of as many categories as there are halves of rows, and a shuffled target: nothing to learn, much to leak.
fn of_many_categories(seed: u64) -> RecordBatch {
    let key = Key::new(seed, "canaries/many categories");
    let rows = 2_000;
    let city: Vec<Option<String>> = (0..rows).map(|row| Some(format!("city {}", key.at(row) % (rows / 2)))).collect();
    let target: Vec<String> = (0..rows).map(|row| if row % 2 == 0 { "no" } else { "yes" }.to_owned()).collect();
    with_shuffled(&of_texts(&[("city", city)]), target, seed)
}

const BY_TARGET: &str = r#"{"groups": [{"categorical": ["city"], "encode": {"target": {"smooth": 0, "cv": 5}}}]}"#;

#[test]
fn an_encoding_by_a_shuffled_target_says_nothing_of_it() {
    for seed in 0..if is_long() { 20 } else { 5 } {
        let table = of_many_categories(seed);
        let project = project(&table, &serde_json::from_str(BY_TARGET).unwrap());
        let folds: Vec<u32> = (0..table.num_rows()).map(|row| row as u32 % 5).collect();
        let fits = fit_fold(&project.request(&table, None), &folds, 0, 5).unwrap();
        let all = project.targets(&table);
        let held: Vec<f64> = fits.rows.iter().map(|row| all[*row]).collect();
        for fit in &fits.candidates {
            let z = deviation(&held, &fit.predictions);
            assert!(z.abs() <= 3.0, "seed {seed}: {z}");
        }
        // What a model may be fitted on says nothing of the rows' own targets, whoever looks; what is stored does.
        let learned = Targets { values: &all, classes: project.target.classes.as_deref().unwrap() };
        let rows = Folds::from([(5, folds)]);
        let (fitted, crossed) = project.plan.fit_transform(&table, &learned, &rows).unwrap();
        let z = deviation(&all, &crossed.columns[0]);
        assert!(z.abs() <= 3.0, "seed {seed}: {z}");
        let leaky = deviation(&all, &fitted.transform(&table).unwrap().columns[0]);
        assert!(leaky > 3.0, "seed {seed}: {leaky}");
    }
}

#[test]
fn an_encoding_that_saw_the_judging_rows_is_caught() {
    let table = of_many_categories(0);
    let project = project(&table, &serde_json::from_str(BY_TARGET).unwrap());
    let (train, held_out) = (fifths(&table, &[1, 2, 3, 4]), fifths(&table, &[0]));
    let of_all = project.targets(&table);
    let classes = project.target.classes.as_deref().unwrap();
    let leaky = project.plan.fit_to(&table, &Targets { values: &of_all, classes }).unwrap();
    // Only the encoding leaks: the estimator is fitted on the training rows alone.
    let mut model = project.train(&train, None).unwrap().model;
    let honest = deviation(&project.targets(&held_out), &model.predict(&held_out).unwrap());
    assert!(honest.abs() <= 3.0, "{honest}");
    model.features = leaky;
    let features = model.features.transform(&held_out).unwrap();
    let z = deviation(&project.targets(&held_out), &features.columns[0]);
    assert!(z > 3.0, "{z}");
}
