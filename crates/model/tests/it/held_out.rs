//! Random tables, features and estimators: no held-out row reaches a fold's fit or the final one.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use serde_json::json;
use trainyard_model::{TrainRequest, fit_fold, train};
use trainyard_random::{Key, Stream};

use crate::given::{Project, bits, fifths};

const ROWS: usize = 150;

/// What the cells of a column are drawn from: the usual, or what no training row ever had.
#[derive(Clone, Copy)]
struct Draw {
    is_strange: bool,
}

impl Draw {
    fn number(self, stream: &mut Stream) -> Option<f64> {
        // No infinity: features refuse one wherever it stands. Nothing near 1e300: metrics refuse what they cannot square.
        let strange = [1e9, -1e9, 1e-300, -7.5, f64::NAN];
        match stream.below(8) {
            0 => None,
            place if self.is_strange => Some(strange[place as usize % strange.len()]),
            _ => Some((stream.uniform() * 40.0).round() / 4.0),
        }
    }

    fn text(self, stream: &mut Stream) -> Option<String> {
        match stream.below(8) {
            0 => None,
            _ if self.is_strange => Some(format!("never seen {}", stream.below(9))),
            _ => Some(["red", "green", "blue", "rare blue"][(stream.below(13) / 4) as usize].to_owned()),
        }
    }

    fn day(self, stream: &mut Stream) -> Option<i32> {
        let day = stream.below(400) as i32;
        (stream.below(8) > 0).then_some(if self.is_strange { day - 90_000 } else { day + 19_000 })
    }
}

/// Draws a table whose rows of `strange` are unlike all others, targets included; equal seeds agree on the rest.
fn drawn(seed: u64, strange: &dyn Fn(usize) -> bool) -> RecordBatch {
    let key = Key::new(seed, "canaries/table");
    let mut rows = Vec::with_capacity(ROWS);
    for row in 0..ROWS {
        // Every seventh row repeats an earlier one.
        let source = if row % 7 == 6 && !strange(row) && !strange(row - 6) { row - 6 } else { row };
        let draw = Draw { is_strange: strange(row) };
        let mut stream = key.derive(source as u64).stream();
        let (amount, size) = (draw.number(&mut stream), draw.number(&mut stream));
        let (color, day) = (draw.text(&mut stream), draw.day(&mut stream));
        let is_member = stream.below(2) == 0;
        let score = stream.uniform() + amount.filter(|value| value.is_finite()).unwrap_or(5.0) / 20.0;
        let bought = (score > 0.75) != draw.is_strange;
        let price = if draw.is_strange { 1e6 + score } else { score };
        let kind = ["low", "middle", "high"]
            [(usize::from(score > 0.5) + usize::from(score > 0.9) + usize::from(draw.is_strange)) % 3];
        let worth = if draw.is_strange { 50.0 } else { 0.5 + stream.uniform() };
        rows.push((amount, size, color, day, is_member, bought, price, kind, worth));
    }
    let columns: [(&str, ArrayRef); 11] = [
        ("amount", Arc::new(rows.iter().map(|row| row.0).collect::<Float64Array>())),
        ("size", Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>())),
        ("color", Arc::new(rows.iter().map(|row| row.2.as_deref()).collect::<LargeStringArray>())),
        ("day", Arc::new(rows.iter().map(|row| row.3).collect::<Date32Array>())),
        ("member", Arc::new(rows.iter().map(|row| Some(row.4)).collect::<BooleanArray>())),
        ("visits", Arc::new((0..ROWS).map(|row| (key.at(row as u64) % 9) as i64).collect::<Int64Array>())),
        (
            "bought",
            Arc::new(rows.iter().map(|row| Some(if row.5 { "yes" } else { "no" })).collect::<LargeStringArray>()),
        ),
        ("price", Arc::new(rows.iter().map(|row| Some(row.6)).collect::<Float64Array>())),
        ("kind", Arc::new(rows.iter().map(|row| Some(row.7)).collect::<LargeStringArray>())),
        ("worth", Arc::new(rows.iter().map(|row| Some(row.8)).collect::<Float64Array>())),
        ("at", Arc::new((0..ROWS as i64).collect::<Int64Array>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

fn one_of<T: Clone>(stream: &mut Stream, choices: &[T]) -> T {
    choices[stream.below(choices.len() as u64) as usize].clone()
}

/// Draws features over all columns.
fn features(stream: &mut Stream) -> serde_json::Value {
    let aggregates = [
        "amount - fitted_mean(amount)",
        "size > fitted_median(size)",
        "amount / (1 + fitted_max(amount) - fitted_min(amount))",
        "size / (1 + fitted_stddev(size))",
        "amount > fitted_quantile(amount, 0.8)",
        "visits / fitted_count(amount)",
    ];
    let learned = one_of(stream, &aggregates);
    let columns = json!({
        "learned": if learned.contains('>') { format!("CASE WHEN {learned} THEN 1 ELSE 0 END") } else { learned.into() },
        "letters": "length(color)",
        "month": "month(day)",
    });
    let fills = [json!("mean"), json!("median"), json!("most_frequent"), json!({"constant": 3}), json!("none")];
    let impute = one_of(stream, &fills);
    let filling = one_of(stream, &[json!("most_frequent"), json!({"constant": "red"}), json!("none")]);
    let scale = one_of(stream, &["none", "standard", "min_max", "robust"]);
    let encode = one_of(stream, &["one_hot", "ordinal", "target", "native"]);
    let mut categorical = json!({"categorical": ["color", "member"], "encode": encode, "impute": filling});
    if encode == "one_hot" {
        categorical["min_frequency"] = json!(1 + stream.below(20));
        categorical["categorical"] = json!(["color"]);
    }
    let strategy = one_of(stream, &["uniform", "quantile", "kmeans"]);
    let bins = json!({"numeric": ["amount", "size"], "impute": impute, "bins": {"strategy": strategy}});
    let tfidf = json!({"ngram_range": [1, 1 + stream.below(2)], "max_features": 1 + stream.below(4)});
    let text = json!({"text": "color", "tfidf": tfidf});
    let numeric = ["amount", "size", "visits", "learned", "letters", "month"];
    json!({"columns": columns, "groups": [{"numeric": numeric, "impute": impute, "scale": scale}, categorical, bins, text]})
}

/// Two classes, a number, several classes in turn, and every other three times with weights.
fn project(seed: u64, table: &RecordBatch, split: &str) -> Project {
    let mut stream = Key::new(seed, "canaries/features").stream();
    let features = features(&mut stream).to_string();
    // Categories that are left to the estimator are left to trees that split them by sets.
    let is_native = features.contains("native");
    let (target, linear) = match seed % 3 {
        0 => (json!({"column": "bought", "positive": "yes"}), "logistic_regression"),
        1 => (json!({"column": "price", "task": "regression"}), "ridge"),
        _ => (json!({"column": "kind", "task": "multiclass"}), "logistic_regression"),
    };
    let active = json!({"split": 1, "features": 1, "model": 1});
    let mut data = json!({"source": "drawn.csv", "target": target});
    if seed / 3 % 2 == 1 {
        data["weight"] = json!("worth");
    }
    let project = json!({"name": "drawn", "data": data, "active": active});
    let boosted = json!({
        "estimator": "gradient_boosting", "max_iter": 5, "min_samples_leaf": 3, "subsample": 0.7, "colsample_bytree": 0.7,
    });
    let forest = json!({"estimator": "random_forest", "n_estimators": 4, "min_samples_leaf": 3, "max_features": 0.7});
    let extra = json!({"estimator": "extra_trees", "n_estimators": 4, "max_depth": 5});
    let sets = json!({
        "estimator": "gradient_boosting", "max_iter": 5, "min_samples_leaf": 3, "grow_policy": "depthwise",
        "max_cat_to_onehot": 1, "min_data_per_group": 1, "cat_smooth": 0.5,
    });
    let candidates = match is_native {
        true => json!({"boosted": boosted, "sets": sets, "dummy": {}}),
        false => json!({linear: {}, "boosted": boosted, "forest": forest, "extra": extra, "dummy": {}}),
    };
    let models = json!({
        "baseline": {if is_native { "dummy" } else { linear }: {}},
        "candidates": candidates,
        "cross_validation": {"folds": 3},
    });
    Project::with_split(&project.to_string(), split, &features, &models.to_string(), table)
}

const SHARES: &str = "shares: {train: 0.6, validation: 0.2, reference_test: 0.2}\n";

/// Gives a fold's model as the product writes it, and the bits of its predictions.
fn fitted(project: &Project, table: &RecordBatch, fold: u32) -> (Vec<String>, Vec<Vec<u64>>) {
    let folds: Vec<u32> = (0..ROWS as u32).map(|row| row % 3).collect();
    fitted_on(project, table, &folds, fold)
}

fn fitted_on(project: &Project, table: &RecordBatch, folds: &[u32], fold: u32) -> (Vec<String>, Vec<Vec<u64>>) {
    let fits = fit_fold(&project.request(table, None), folds, fold as usize, 3).unwrap();
    let estimators = fits.candidates.iter().map(|fit| serde_json::to_string(&fit.estimator).unwrap());
    let model = [fits.features.to_json()].into_iter().chain(estimators).collect();
    (model, fits.candidates.iter().map(|fit| bits(&fit.predictions)).collect())
}

fn rounds() -> u64 {
    if std::env::var_os("TRAINYARD_LONG").is_some() { 400 } else { 40 }
}

#[test]
fn held_out_rows_change_no_byte_of_a_fold() {
    let mut noticed = 0;
    for seed in 0..rounds() {
        let table = drawn(seed, &|_| false);
        let project = project(seed, &table, SHARES);
        for fold in 0..3_u32 {
            let before = fitted(&project, &table, fold);
            // Every other row of the fold changes: the rest of it shows the predictions.
            let changes = |row: usize| row as u32 % 3 == fold && row.is_multiple_of(2);
            let after = fitted(&project, &drawn(seed, &changes), fold);
            assert!(after.0 == before.0, "seed {seed}, fold {fold}");
            for (after, before) in after.1.iter().zip(&before.1) {
                let rows: Vec<usize> = (fold as usize..ROWS).step_by(3).collect();
                // Of several classes each row has as many predictions.
                let width = after.len() / rows.len();
                let both = after.chunks(width).zip(before.chunks(width));
                let mut untouched = rows.iter().zip(both).filter(|(row, _)| *row % 2 == 1);
                assert!(untouched.all(|(_, (after, before))| after == before), "seed {seed}, fold {fold}");
            }
            // The same rows leave their mark where they train: a fit on all rows would be caught.
            let elsewhere = fitted(&project, &drawn(seed, &changes), (fold + 1) % 3);
            noticed += u64::from(elsewhere.0 != fitted(&project, &table, (fold + 1) % 3).0);
        }
    }
    assert_eq!(noticed, 3 * rounds());
}

#[test]
fn held_out_rows_change_no_byte_of_the_final_model() {
    for seed in 0..rounds() {
        let table = drawn(seed, &|_| false);
        let project = project(seed, &table, SHARES);
        let (rows, held_out) = (fifths(&table, &[0, 1, 2, 3]), fifths(&table, &[4]));
        let other = drawn(seed, &|row| row % 5 == 4);
        for (name, candidate) in &project.resolved.model.spec.candidates {
            let mut spec = project.resolved.model.spec.clone();
            spec.candidates = vec![(name.clone(), candidate.clone())];
            let model = |rows: &RecordBatch, held_out: &RecordBatch| {
                train(&TrainRequest { spec: &spec, ..project.request(rows, Some(held_out)) }).unwrap().model.to_folder()
            };
            let before = model(&rows, &held_out);
            assert!(model(&rows, &fifths(&other, &[4])) == before, "seed {seed}, {}", name.value);
            // A fit on all rows would be caught, by its bytes and not only by the rows it says it saw.
            let leaky = [&other, &table].map(|rows| model(rows, &held_out)["model.json"].clone());
            assert!(leaky[0] != leaky[1], "seed {seed}, {}", name.value);
        }
    }
}

#[test]
fn with_a_split_by_time_no_later_row_reaches_a_fold() {
    let mut noticed = 0;
    for seed in 0..rounds() / 4 {
        let table = drawn(seed, &|_| false);
        let project = project(seed, &table, &format!("by_time: at\n{SHARES}"));
        let blocks: Vec<u32> = (0..ROWS).map(|row| (row * 4 / ROWS) as u32).collect();
        for fold in 0..3_u32 {
            let before = fitted_on(&project, &table, &blocks, fold);
            // The fold is judged on the block after its own; every other row from there on changes.
            let changes = |row: usize| blocks[row] > fold && row.is_multiple_of(2);
            let after = fitted_on(&project, &drawn(seed, &changes), &blocks, fold);
            assert!(after.0 == before.0, "seed {seed}, fold {fold}");
            let last = fitted_on(&project, &drawn(seed, &|row| blocks[row] == fold && row % 2 == 1), &blocks, fold);
            noticed += u64::from(last.0 != before.0);
        }
    }
    assert_eq!(noticed, 3 * (rounds() / 4));
}
