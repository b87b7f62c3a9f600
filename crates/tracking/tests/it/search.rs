//! Runs found by MLflow's filters, in the order that was asked for.

use std::collections::BTreeMap;

use trainyard_files::Digest;
use trainyard_tracking::{
    EmbeddedStore, Input, Metric, NewRun, QueryError, Search, Status, Tracking, parse_filter, parse_order,
};

use crate::given::{map, new_run, store};

fn metric(key: &str, value: f64, step: i64) -> Metric {
    Metric { key: key.to_owned(), value, step, timestamp_ms: 5 }
}

/// Five runs: `a` to `d` with metrics that rise, fall, tie and are NaN, `e` with none.
fn filled() -> (tempfile::TempDir, EmbeddedStore) {
    let (dir, store) = store();
    let auc = [("a", Some(0.9)), ("b", Some(0.7)), ("c", Some(0.9)), ("d", Some(f64::NAN)), ("e", None)];
    for (number, (run, value)) in auc.into_iter().enumerate() {
        let started_ms = 1000 * (number as i64 + 1);
        let experiment = if run == "e" { "spam" } else { "churn" }.to_owned();
        store.start_run(&NewRun { started_ms, experiment, ..new_run(run) }).unwrap();
        store.log_params(run, &map([("model_version", if number < 2 { "1" } else { "2" })])).unwrap();
        if let Some(value) = value {
            // The last step counts, in whatever order they come.
            store.log_metrics(run, &[metric("auc", value, 7), metric("auc", 0.1, 3)]).unwrap();
            store.log_metrics(run, &[metric("auc", 0.2, 5), metric("loss 1/x", number as f64, 0)]).unwrap();
        }
    }
    store.log_params("a", &map([("Kind", "XGBoost_2"), ("note", "it's 100% [a]*")])).unwrap();
    store.set_tags("b", &map([("team", "Search"), ("mlflow.user", "ada")])).unwrap();
    let input = |name: &str| Input {
        name: name.to_owned(),
        digest: Digest::of(name.as_bytes()),
        source: String::new(),
        rows: 1,
    };
    store.log_input("c", &input("master")).unwrap();
    store.end_run("a", Status::Finished, 9000, None).unwrap();
    store.end_run("b", Status::Failed, 8000, None).unwrap();
    (dir, store)
}

fn asked(store: &EmbeddedStore, filter: &str, order: &str, limit: usize) -> String {
    let conditions = parse_filter("--where", filter).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
    let order = parse_order("--order-by", order).unwrap_or_else(|error| panic!("{order}: {error:?}"));
    let found = store.search(&Search { conditions, order, limit }).unwrap();
    found.into_iter().map(|run| run.run).collect()
}

#[test]
fn filters_let_through_what_mlflow_says() {
    let (_dir, store) = filled();
    for (filter, expected) in [
        ("", "edcba"),
        ("metrics.auc > 0.7", "ca"),
        ("metrics.auc >= 0.7 and params.model_version = '1'", "ba"),
        ("metric.auc != 0.9", "db"),
        ("metrics.auc < 1e0 AND metrics.`loss 1/x` <= +1", "ba"),
        ("metrics.\"loss 1/x\" == 2", "c"),
        ("metrics.auc IS NULL", "e"),
        ("metrics.auc is not null", "dcba"),
        ("params.model_version != '1'", "edc"),
        ("params.Kind LIKE 'XGB%'", "a"),
        ("params.Kind LIKE 'xgb%'", ""),
        ("params.Kind ILIKE 'xgboost\\_2'", ""),
        ("params.Kind ILIKE 'xgboost__'", "a"),
        ("params.note = 'it''s 100% [a]*'", "a"),
        ("params.note LIKE '%[a]*'", "a"),
        ("params.note LIKE '%[b]*'", ""),
        ("params.note is null and tags.team = 'growth'", "edc"),
        ("tags.mlflow.user = 'ada'", "b"),
        ("tags.`mlflow.user` = \"ada\"", "b"),
        ("status = 'finished'", "a"),
        ("attributes.status IN ('FINISHED', 'failed')", "ba"),
        ("status NOT IN ('running')", "ba"),
        ("run_id = 'c' and experiment = 'churn'", "c"),
        ("experiment != 'churn'", "e"),
        ("attr.run_name LIKE 'run _'", "edcba"),
        ("start_time > 2000 and start_time <= 4000", "dc"),
        ("end_time IS NULL", "edc"),
        ("datasets.name = 'master'", "c"),
        ("dataset.digest is null", "edba"),
        ("params.model_version = '1' and metrics.auc > 0.7 and tags.team LIKE 'g%'", "a"),
    ] {
        assert_eq!(asked(&store, filter, "", 10), expected, "{filter}");
    }
}

#[test]
fn runs_come_in_the_order_that_is_asked_for() {
    let (_dir, store) = filled();
    for (filter, order, limit, expected) in [
        // Those that are equal come newest first; NaN before what is absent, and both last.
        ("", "metrics.auc desc", 10, "cabde"),
        ("", "metrics.auc", 10, "bcade"),
        ("", "metrics.auc DESC", 2, "ca"),
        ("", "metrics.auc desc", 4, "cabd"),
        ("metrics.auc != 0.9", "metrics.auc desc", 10, "bd"),
        ("metrics.auc > 0", "metrics.auc asc", 10, "bca"),
        ("metrics.auc is null", "metrics.auc asc", 10, "e"),
        ("experiment = 'churn'", "metrics.auc desc", 10, "cabd"),
        ("", "params.model_version desc, start_time", 10, "cdeab"),
        ("", "metrics.auc desc, metrics.`loss 1/x` asc", 10, "acbde"),
        ("", "end_time", 10, "baedc"),
        ("", "tags.mlflow.user", 3, "bed"),
        ("", "run_id", 10, "abcde"),
    ] {
        assert_eq!(asked(&store, filter, order, limit), expected, "{filter} by {order}");
    }
}

#[test]
fn a_search_gives_whole_records() {
    let (_dir, store) = filled();
    let found = store.search(&Search { limit: 100, ..Search::default() }).unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", store.runs(100, None).unwrap()));
    assert_eq!(found[4].metrics, BTreeMap::from([("auc".to_owned(), 0.9), ("loss 1/x".to_owned(), 0.0)]));
}

#[test]
fn what_is_wrong_with_a_filter_is_shown_in_it() {
    let drawn = |filter: &str| {
        let error = parse_filter("--where", filter).map(|_| panic!("{filter} was read")).unwrap_err().diagnostic();
        let place = error.primary.unwrap().place;
        format!("{} {} | {}", error.code, &place.source.text[place.span], error.help.join(" "))
    };
    for (filter, expected) in [
        (
            "metric.auc > 0.8 or status = 'failed'",
            "filter/syntax or | ask twice, or write the whole as SQL: `trainyard runs sql`",
        ),
        ("metrcs.auc > 0.8", "filter/unknown-name metrcs | did you mean `metrics`?"),
        ("stats = 'failed'", "filter/unknown-name stats | did you mean `status`?"),
        ("status = 'finishd'", "filter/value 'finishd' | did you mean 'finished'?"),
        ("metrics.auc > '0.8'", "filter/value '0.8' | write 0.8 without quotes"),
        ("params.depth = 3", "filter/value 3 | write '3'"),
        (
            "params.depth > '3'",
            "filter/comparator > | for `params.depth` there are =, !=, LIKE, ILIKE, IS NULL and IS NOT NULL",
        ),
        (
            "metrics.auc LIKE 'x'",
            "filter/comparator LIKE | for `metrics.auc` there are >, >=, =, !=, <, <=, IS NULL and IS NOT NULL",
        ),
        ("metrics.auc > 0.8 and", "filter/syntax and | write another condition, or leave `and` out"),
        ("params.a = 'x", "filter/syntax 'x | close it, or double it inside a text"),
        ("status in ()", "filter/value ) | write ')'"),
    ] {
        assert_eq!(drawn(filter), expected, "{filter}");
    }
    // Whatever stands there, the place lies in the text.
    for odd in [
        "é",
        "metrics.",
        "metrics.é >",
        "a.b.c",
        "'",
        "`",
        "\"",
        "= =",
        "metrics.x >= 1e",
        "params.`",
        "status is",
        "ü = 'x' and",
        "- 1",
        "tags.x ilike 日本",
        ",",
        "metrics.auc > 1 metrics.b > 2",
    ] {
        let error = parse_filter("--where", odd).map(|_| panic!("{odd} was read")).unwrap_err().diagnostic();
        let place = error.primary.unwrap().place;
        assert!(place.source.text.get(place.span.clone()).is_some(), "{odd}: {:?}", place.span);
        let _ = parse_order("--order-by", odd);
    }
    for odd in ["metrics.auc up", "datasets.name", "metrics.a desc metrics.b", ","] {
        assert!(parse_order("--order-by", odd).is_err(), "{odd}");
    }
}

/// Texts put together of these, by a generator that gives the same ones every time.
fn odd_texts(parts: &[&str], count: usize) -> Vec<String> {
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    (0..count)
        .map(|_| {
            let length = 1 + next(9);
            (0..length).map(|_| parts[next(parts.len())]).collect()
        })
        .collect()
}

#[test]
fn whatever_is_asked_has_an_answer_or_a_place_in_its_text() {
    let (_dir, store) = filled();
    let parts = [
        "metrics",
        ".",
        "auc",
        " ",
        ">",
        "=",
        "0.5",
        "'",
        "x",
        "\"",
        "`",
        " and ",
        "params.p",
        " in ",
        "(",
        ")",
        ",",
        "é",
        "🚆",
        "status",
        "'failed'",
        " like ",
        " is ",
        "null",
        "not ",
        "-",
        "e",
        "1",
        "\n",
        "datasets.name",
        "desc",
        "--",
        ";",
    ];
    let mut read = 0;
    for text in odd_texts(&parts, 20_000) {
        let outcome = parse_filter("--where", &text).map(|conditions| {
            store.search(&Search { conditions, limit: 5, ..Search::default() }).unwrap();
            read += 1;
        });
        let ordered = parse_order("--order-by", &text).map(|order| {
            store.search(&Search { order, limit: 5, ..Search::default() }).unwrap();
        });
        for error in [outcome.err(), ordered.err()].into_iter().flatten() {
            let place = error.diagnostic().primary.unwrap().place;
            assert!(place.source.text.get(place.span.clone()).is_some(), "{text:?}: {:?}", place.span);
        }
    }
    assert!(read > 50, "{read} texts were filters");
    let parts = [
        "SELECT ",
        "*",
        " FROM ",
        "runs",
        "metrics",
        " WHERE ",
        "key",
        "=",
        "'",
        "\"",
        "é",
        "(",
        ")",
        ";",
        "--",
        "\n",
        "/*",
        "*/",
        "[",
        "]",
        " ",
        "1",
        ",",
        "WITH ",
        "t",
        " AS ",
        "x.",
        "EXPLAIN ",
        "QUERY PLAN ",
        "VALUES ",
        "DELETE ",
        "PRAGMA ",
        "🚆",
        "`",
        "nope",
    ];
    let mut answered = 0;
    let texts = odd_texts(&parts, 500).into_iter().flat_map(|text| [format!("SELECT 1 {text}"), text]);
    for text in texts {
        match store.query("query", &text, &|| false).map_err(|error| *error) {
            Ok(_) => answered += 1,
            Err(QueryError::Wrong(diagnostic)) => {
                let place = diagnostic.primary.unwrap().place;
                assert!(place.source.text.get(place.span.clone()).is_some(), "{text:?}: {:?}", place.span);
            }
            Err(other) => panic!("{text:?}: {other:?}"),
        }
    }
    assert!(answered > 0, "no text was a query");
    store.check().unwrap();
}
