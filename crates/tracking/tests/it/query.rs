//! SELECTs over the views: what they find, what they refuse, and that nothing is written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trainyard_diagnostics::Diagnostic;
use trainyard_spec::Stage;
use trainyard_tracking::{Cell, EmbeddedStore, Metric, QueryError, Tracking, VIEWS};

use crate::given::{map, new_run, open, promotion, store, trained};

fn found(store: &EmbeddedStore, sql: &str) -> Vec<Vec<Cell>> {
    store.query("query", sql, &|| false).unwrap_or_else(|error| panic!("{sql}: {error:?}")).rows
}

fn wrong(store: &EmbeddedStore, sql: &str) -> Diagnostic {
    match *store.query("query", sql, &|| false).unwrap_err() {
        QueryError::Wrong(diagnostic) => diagnostic,
        other => panic!("{sql}: {other:?}"),
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn filled() -> (tempfile::TempDir, EmbeddedStore) {
    let (dir, store) = store();
    store.promote(&promotion(trained(&store, "a"), Stage::Staging, "challenger")).unwrap();
    let metric = |key: &str, value: f64, step: i64| Metric { key: key.to_owned(), value, step, timestamp_ms: 1500 };
    store
        .log_metrics("a", &[metric("auc", 0.5, 1), metric("auc", f64::NAN, 2), metric("loss", f64::INFINITY, 0)])
        .unwrap();
    store.log_params("a", &map([("note", "日本 é\n\"x\"")])).unwrap();
    (dir, store)
}

/// As the guide writes it.
const OF_THE_GUIDE: &str = "-- Query training history
SELECT 
    experiment_name,
    run_id,
    metric_name,
    metric_value,
    timestamp
FROM mlflow_metrics 
WHERE experiment_name = 'churn'
ORDER BY timestamp DESC;
";

#[test]
fn the_query_of_the_guide_gives_every_metric_of_every_step() {
    let (_dir, store) = filled();
    let answer = store.query("query", OF_THE_GUIDE, &|| false).unwrap();
    assert_eq!(answer.columns, ["experiment_name", "run_id", "metric_name", "metric_value", "timestamp"]);
    let row =
        |key: &str, value: Cell| vec![text("churn"), text("a"), text(key), value, text("1970-01-01 00:00:01.500")];
    let mut rows = answer.rows;
    rows.sort_by_key(|row| format!("{row:?}"));
    let expected = [row("auc", Cell::Null), row("auc", Cell::Real(0.5)), row("loss", Cell::Real(f64::INFINITY))];
    assert_eq!(rows, expected);
}

#[test]
fn every_view_answers() {
    let (_dir, store) = filled();
    for view in VIEWS {
        let answer = store.query("query", &format!("SELECT * FROM {}", view.name), &|| false).unwrap();
        assert_eq!(answer.columns, view.columns);
        assert_eq!(answer.rows.is_empty(), view.name == "inputs", "{}", view.name);
    }
    assert_eq!(found(&store, "SELECT value, is_nan FROM metrics WHERE step = 2"), [[Cell::Null, Cell::Integer(1)]]);
    assert_eq!(found(&store, "SELECT value FROM params"), [[text("日本 é\n\"x\"")]]);
    assert_eq!(found(&store, " ;; /* ; */ with t as (select 1 as x) select x + 1 from t -- ;"), [[Cell::Integer(2)]]);
    assert_eq!(found(&store, "VALUES (x'00ff', ';', 1e999)")[0][0], Cell::Bytes(vec![0, 255]));
    assert_eq!(found(&store, "SELECT model, alias, version FROM aliases")[0][1], text("challenger"));
    assert!(!found(&store, "EXPLAIN QUERY PLAN SELECT * FROM runs").is_empty());
    // A store that asked may write on.
    store.start_run(&new_run("b")).unwrap();
    assert_eq!(found(&store, "SELECT count(*) FROM runs"), [[Cell::Integer(2)]]);
}

#[test]
fn nothing_can_be_written() {
    let (dir, store) = filled();
    drop(store);
    let store = EmbeddedStore::open_existing(dir.path(), crate::given::objects(dir.path())).unwrap().unwrap();
    let elsewhere = dir.path().join("elsewhere.db");
    let before = format!("{:?}", store.run("a").unwrap());
    for sql in [
        "DELETE FROM runs",
        "DELETE FROM main.tags",
        "WITH t AS (SELECT 1) DELETE FROM main.tags",
        "WITH t AS (SELECT 1) INSERT INTO main.tags SELECT 'a', 'x', 'y'",
        "UPDATE main.runs SET name = 'x'",
        "INSERT INTO main.tags VALUES ('a', 'x', 'y')",
        "DROP VIEW runs",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "PRAGMA query_only = 0",
        "PRAGMA user_version = 9",
        "/* SELECT */ PRAGMA query_only = 0",
        "BEGIN IMMEDIATE",
        "VACUUM",
        "SELECT 1; DELETE FROM main.tags",
        "EXPLAIN DELETE FROM main.tags",
        &format!("ATTACH '{}' AS other", elsewhere.display()),
        &format!("VACUUM INTO '{}'", elsewhere.display()),
    ] {
        assert_eq!(wrong(&store, sql).code, "sql/not-a-select", "{sql}");
    }
    // Functions that reach out of the database are not there.
    for sql in ["SELECT load_extension('x')", "SELECT writefile('x', 'y')", "SELECT readfile('x')"] {
        assert!(store.query("query", sql, &|| false).is_err(), "{sql}");
    }
    assert!(!elsewhere.exists());
    assert_eq!(format!("{:?}", store.run("a").unwrap()), before);
    open(dir.path()).check().unwrap();
}

#[test]
fn what_is_wrong_with_a_query_is_shown_in_it() {
    let (_dir, store) = filled();
    for (sql, code, place, says) in [
        ("SELECT * FROM runz", "sql/unknown-table", "runz", "did you mean `runs`?"),
        ("SELECT * FROM main.runz", "sql/unknown-table", "main.runz", "did you mean `runs`?"),
        ("SELECT r.run_idd FROM runs AS r", "sql/unknown-column", "r.run_idd", "did you mean `run_id`?"),
        (
            "SELECT 'run_idd', metric_valu FROM mlflow_metrics",
            "sql/unknown-column",
            "metric_valu",
            "did you mean `metric_value`?",
        ),
        ("SELECT * FROM runs WHERE status = \"FINISHED\"", "sql/unknown-column", "\"FINISHED\"", "runs has run_id"),
        ("SELECT é FORM runs", "sql/wrong", "runs", "SQLite's SQL"),
        ("SELEC * FROM runs", "sql/wrong", "SELEC", "did you mean `SELECT`?"),
        ("SELECT count( FROM runs", "sql/wrong", "FROM", "SQLite's SQL"),
        ("SELECT (1", "sql/wrong", "", "ends too early"),
        ("SELECT foo(1)", "sql/wrong", "foo", "SQLite's functions"),
        ("SELECT 1; SELECT 2", "sql/not-a-select", "SELECT 2", "one after the other"),
        (" -- nothing", "sql/no-query", " -- nothing", "write one SELECT"),
        ("", "sql/no-query", "", "write one SELECT"),
        ("é", "sql/wrong", "é", "write one SELECT"),
        ("(SELECT 1)", "sql/wrong", "(", "write one SELECT"),
        ("SELECT abs(-9223372036854775807 - 1)", "sql/wrong", "", "SQL"),
    ] {
        let diagnostic = wrong(&store, sql);
        let shown = diagnostic.primary.as_ref().unwrap().place.clone();
        let text = shown.source.text.get(shown.span).unwrap().to_owned();
        assert_eq!((diagnostic.code.as_str(), text.as_str()), (code, place), "{sql}: {diagnostic:?}");
        assert!(diagnostic.help.join(" ").contains(says), "{sql}: {diagnostic:?}");
    }
}

#[test]
fn a_query_without_end_stops_when_it_is_told_to() {
    let (_dir, store) = filled();
    let stop = AtomicBool::new(false);
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            stop.store(true, Ordering::Relaxed);
        });
        let outcome = store.query("query", endless, &|| stop.load(Ordering::Relaxed));
        assert!(matches!(outcome.map_err(|error| *error), Err(QueryError::Stopped)));
    });
    assert_eq!(found(&store, "SELECT count(*) FROM runs"), [[Cell::Integer(1)]]);
}
