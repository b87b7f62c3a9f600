//! Transforms in the graph beside those of the model: bins, encodings by the target, texts.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, LargeStringArray, RecordBatch};
use serde_json::json;
use trainyard_data::synth;
use trainyard_features::{Value, words};
use trainyard_judges::{number, python};
use trainyard_model::{Input, Model, Source};

use crate::given::{CHURN, Project, fifths};
use crate::onnx::{DIGITS, ODD, RUN, feed, judge, nasty, odd_table, only, put};

fn train(project: &str, features: &str, candidate: &str, table: &RecordBatch) -> Model {
    let models = only(candidate, "dummy");
    Project::new(project, features, &models, table).train(&fifths(table, &[0, 1, 2]), None).unwrap().model
}

const BOOSTED: &str = "{estimator: gradient_boosting, max_iter: 20, min_samples_leaf: 5}";
const LINEAR: &str = "{estimator: logistic_regression, max_iter: 50}";

/// Puts edges of bins, what is beyond all of them, and NaN into a column.
fn on_the_edges(table: &RecordBatch, name: &str) -> RecordBatch {
    let floats = [29.85, 29.849999999999998, f64::NAN, -1e308, 1e308, 0.0, -0.0, 5e-324];
    put(table, name, |row, value| match (row % 3, value) {
        (0, Value::Float(_)) => Value::Float(floats[row % floats.len()]),
        (_, value) => value,
    })
}

#[test]
fn bins() {
    let table = synth::churn(1200, 6);
    for bins in [
        "{n_bins: 4}",
        "{n_bins: 7, strategy: uniform}",
        "{n_bins: 6, strategy: kmeans}",
        "{n_bins: 4, strategy: kmeans, encode: ordinal}",
        "{n_bins: 5, encode: ordinal}",
        "{n_bins: 200, encode: one_hot, strategy: quantile}",
    ] {
        for impute in ["", ", impute: median"] {
            let features = format!(
                "columns: {{rate: \"TotalCharges / NULLIF(tenure, 0)\", same: \"if(tenure > 3, 1, 1)\"}}\n\
                 groups: [{{numeric: [MonthlyCharges, TotalCharges, tenure, rate, same], bins: {bins}{impute}}}, \
                 {{categorical: [Contract]}}]\n"
            );
            for candidate in [BOOSTED, LINEAR] {
                let model = train(CHURN, &features, candidate, &table);
                // The values at which the bins end.
                let text = String::from_utf8(model.to_folder()["model.json"].clone()).unwrap();
                let stored: serde_json::Value = serde_json::from_str(&text).unwrap();
                let edges = stored["features"]["features"][0]["bins"]["edges"].as_array().unwrap().clone();
                let at_edges = put(&table, "MonthlyCharges", |row, value| match row % 2 {
                    0 => Value::Float(number(&edges[row / 2 % edges.len()])),
                    _ => value,
                });
                let tables = [&table, &nasty(&table), &on_the_edges(&table, "TotalCharges"), &at_edges];
                let Some(graph) = judge(&model, &tables) else { return };
                assert!(graph.inputs.iter().all(|input| input.source == Source::Raw), "{:?}", graph.inputs);
            }
        }
    }
}

#[test]
fn an_infinite_number_in_a_bin_gives_nothing() {
    let Some(judge) = python("onnx") else { return };
    let table = synth::churn(300, 6);
    let model = train(CHURN, "groups: [{numeric: [TotalCharges], bins: {n_bins: 3}}]\n", LINEAR, &table);
    let infinite = put(&table, "TotalCharges", |row, value| match row % 3 {
        0 => Value::Float(f64::INFINITY),
        1 => Value::Float(f64::NEG_INFINITY),
        _ => value,
    });
    assert!(model.predict(&infinite).is_err());
    let found = judge.run(RUN, &json!([feed(&model, &model.to_onnx().unwrap(), &infinite)]));
    for row in 0..table.num_rows() {
        assert_eq!(found[0]["found"][0][row] == "", row % 3 < 2, "row {row}");
        assert_eq!(number(&found[0]["found"][1][row][1]).is_nan(), row % 3 < 2, "row {row}");
    }
}

#[test]
fn encodings_by_the_target_of_two_classes_of_several_and_of_a_number() {
    let customers = synth::churn(1200, 6);
    let of_two =
        "groups: [{numeric: [tenure]}, {categorical: [Contract, PaymentMethod, SeniorCitizen], encode: target}]\n";
    let digits = synth::digits(700, 3);
    let of_several = "\
columns: {dark: \"CAST(pixel_3_3 / 4 AS INTEGER)\", left: \"if(pixel_3_2 > 8, 'yes', NULL)\", up: \"pixel_2_3 > 3\"}
groups: [{categorical: [dark, left, up], encode: {target: {smooth: 3}}}, {numeric: [pixel_4_4]}]
";
    let odd = odd_table();
    let of_a_number = "groups: [{categorical: [s, i, p], encode: target}, {categorical: [t], encode: target, impute: most_frequent}]\n";
    let number_of = "{estimator: gradient_boosting, max_iter: 20, min_samples_leaf: 5}";
    for (project, features, table, candidates) in [
        (CHURN, of_two, &customers, [BOOSTED, LINEAR]),
        (DIGITS, of_several, &digits, [BOOSTED, LINEAR]),
        (ODD, of_a_number, &odd, [number_of, "{estimator: ridge}"]),
    ] {
        for candidate in candidates {
            let model = train(project, features, candidate, table);
            // The odd table is nasty as it is.
            let other = if project == ODD { table.clone() } else { nasty(table) };
            let Some(graph) = judge(&model, &[table, &other]) else { return };
            assert!(graph.inputs.iter().all(|input| input.source == Source::Raw), "{:?}", graph.inputs);
        }
    }
}

/// Texts with everything that words stumble over: case that maps to more letters or by place, marks, digits of other
/// scripts, words of one letter, and none at all.
pub(crate) fn texts() -> RecordBatch {
    let pieces = [
        "free money NOW",
        "İstanbul",
        "straße STRASSE ẞ",
        "ΟΔΟΣ οδος ΟΔΟΣ.",
        "e\u{301}té été ÉTÉ",
        "a b c d",
        "",
        "  ",
        "call 0800-1234 now!",
        "日本語 テキスト",
        "１２３ ٣٤٥ Ⅷ ⅷ",
        "under_score _ __",
        "not a good idea",
        "good idea; not.",
        "\u{0}x\u{0}yy",
        "free\u{a0}money\u{2028}now now NOW",
        "ﬁne ſtop Kelvin K\u{212A}",
        "don't can't",
        "money\tfree\r\nnow",
        "x",
    ];
    let rows = 360;
    let text = |row: usize| {
        (row % 11 != 3).then(|| {
            let words = (0..row % 4).map(|at| pieces[(row * 7 + at * (row % 5 + 1)) % pieces.len()]);
            words.collect::<Vec<_>>().join([" ", ", ", "-"][row % 3])
        })
    };
    let body: ArrayRef = Arc::new((0..rows).map(text).collect::<LargeStringArray>());
    let size: ArrayRef = Arc::new((0..rows).map(|row| Some((row * 37 % 101) as f64)).collect::<Float64Array>());
    let kind = |row: usize| {
        let text = text(row).unwrap_or_default().to_lowercase();
        Some(if text.contains("free") {
            "spam"
        } else if text.contains("good") {
            "list"
        } else {
            "ham"
        })
    };
    let target: ArrayRef = Arc::new((0..rows).map(kind).collect::<LargeStringArray>());
    RecordBatch::try_from_iter([("body", body), ("size", size), ("kind", target)]).unwrap()
}

pub(crate) const MAIL: &str = "\
name: mail
data:
  source: data/raw/mail.csv
  target: {column: kind, task: multiclass}
active: {split: 1, features: 1, model: 1}
";

#[test]
fn texts_go_in_as_words_and_become_terms_in_the_graph() {
    let table = texts();
    for tfidf in [
        "{}",
        "{ngram_range: [1, 3], sublinear_tf: true, min_df: 2}",
        "{ngram_range: [2, 2], norm: l1, lowercase: false}",
        "{norm: none, use_idf: false, max_features: 12}",
        "{smooth_idf: false, ngram_range: [1, 2], norm: none, sublinear_tf: true}",
    ] {
        for candidate in [BOOSTED, LINEAR] {
            let features =
                format!("groups: [{{text: body, tfidf: {tfidf}}}, {{numeric: [size], bins: {{n_bins: 3}}}}]\n");
            let model = train(MAIL, &features, candidate, &table);
            let Some(graph) = judge(&model, &[&table, &table.slice(0, 1)]) else { return };
            let lowercase = !tfidf.contains("lowercase");
            let source = Source::Words { column: "body".into(), lowercase };
            let input = |name: &str, kind, source| Input { name: name.into(), kind, source };
            let kinds = (trainyard_features::Type::Float, trainyard_features::Type::Text);
            assert_eq!(graph.inputs, [input("size", kinds.0, Source::Raw), input("words(body)", kinds.1, source)]);
            let why = if lowercase { "lowering `body` and cutting it into words" } else { "cutting `body` into words" };
            assert_eq!(graph.inputs[1].ready_made().unwrap(), why);
        }
    }
}

#[test]
fn two_texts_and_a_column_that_is_called_like_the_words_of_one() {
    let table = texts();
    let columns = [("body", 0), ("words(body)", 0), ("size", 1), ("kind", 2)];
    let table = RecordBatch::try_from_iter(columns.map(|(name, at)| (name, table.column(at).clone()))).unwrap();
    let features = "\
columns: {subject: \"upper(body)\", line: \"NULLIF(body, '') || '!'\"}
groups:
  - {text: body, tfidf: {max_features: 9}}
  - {text: 'words(body)', tfidf: {max_features: 5}}
  - {text: subject, tfidf: {max_features: 7, lowercase: false}}
  - {categorical: [line], encode: one_hot, min_frequency: 5}
";
    let model = train(MAIL, features, LINEAR, &table);
    let Some(graph) = judge(&model, &[&table]) else { return };
    let names: Vec<&str> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["body", "words(body)#2", "words(words(body))", "words(subject)"]);
}

/// What the guide tells the readers to do in Python.
const PYTHON_WORDS: &str = r#"
import re
answer = [" ".join(re.findall(r"\b\w\w+\b", (text or "").lower())) for text in data]
"#;

#[test]
fn the_words_are_those_of_python() {
    let Some(judge) = python("onnx") else { return };
    let table = texts();
    let cells: Vec<Value> = (0..table.num_rows()).map(|row| Value::of_array(table.column(0), row).unwrap()).collect();
    let texts: Vec<&str> =
        cells.iter().map(|cell| if let Value::Text(text) = cell { text.as_str() } else { "" }).collect();
    let theirs = judge.run(PYTHON_WORDS, &json!(texts));
    for (text, theirs) in texts.iter().zip(theirs.as_array().unwrap()) {
        assert_eq!(words(text, true), theirs.as_str().unwrap(), "{text:?}");
    }
}
