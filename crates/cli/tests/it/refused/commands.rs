//! What is wrong with a command about runs, models or tables.

use std::fs;

use rusqlite::Connection;

use super::{Case, TRACKING, begun, objects, without_promotion};
use crate::project::{CUSTOMERS, Project};

/// Makes a database of one row.
fn shop(project: &Project) {
    let database = Connection::open(project.path("shop.db")).unwrap();
    database.execute_batch("CREATE TABLE customers (tenure); INSERT INTO customers VALUES (1)").unwrap();
}

pub(super) const CASES: &[Case] = &[
    (
        "two runs meant",
        |project| ["nightly-1", "nightly-2"].iter().for_each(|run| begun(project, run)),
        &["verify", "nightly"],
    ),
    (
        "other flags for a run",
        |project| begun(project, "nightly"),
        &["step", "ingest", "--run", "nightly", "--features", "2"],
    ),
    (
        "run without a configuration",
        |project| {
            begun(project, "nightly");
            project.write(".trainyard/runs/nightly/configuration.json", "{");
        },
        &["resume", "nightly"],
    ),
    (
        "damaged journal",
        |project| {
            begun(project, "nightly");
            let journal = ".trainyard/runs/nightly/journal.jsonl";
            project.write(journal, format!("lost\n{}", project.read(journal)));
        },
        &["resume", "nightly"],
    ),
    ("no step of this name", |_| {}, &["step", "trian", "--run", "nightly"]),
    ("run named with a blank", |_| {}, &["step", "resolve", "--run", "nightly 3"]),
    ("step of a run that was never begun", |_| {}, &["step", "ingest", "--run", "nightly"]),
    (
        "step that is left out",
        |project| {
            without_promotion(project);
            begun(project, "nightly");
        },
        &["step", "promote", "--run", "nightly"],
    ),
    ("step before its time", |project| begun(project, "nightly"), &["step", "split", "--run", "nightly"]),
    (
        "column that no table has",
        |_| {},
        &["data", "drift", CUSTOMERS, CUSTOMERS, "--column", "tenur", "--column", "Contract"],
    ),
    ("profile of a target that is no column", |_| {}, &["data", "profile", CUSTOMERS, "--target", "Chrun"]),
    (
        "profile of a broken row",
        |project| project.write("rows.csv", "a,b\n1,2\n1,2,3\n"),
        &["data", "profile", "rows.csv"],
    ),
    ("database without a table", shop, &["data", "profile", "sqlite:///shop.db"]),
    ("table of a file", |_| {}, &["data", "profile", CUSTOMERS, "--table", "customers"]),
    (
        "table of an address that names one",
        shop,
        &["data", "drift", CUSTOMERS, "sqlite:///shop.db?table=customers", "--table", "later"],
    ),
    ("misspelt table of a database", shop, &["data", "profile", "sqlite:///shop.db", "--table", "custmers"]),
    (
        "misspelt column of a query",
        shop,
        &["data", "profile", "sqlite:///shop.db", "--query", "SELECT tenur FROM customers"],
    ),
    (
        "query with a parameter",
        shop,
        &["data", "profile", "sqlite:///shop.db", "--query", "SELECT * FROM customers WHERE tenure > :least"],
    ),
    ("misspelt database", shop, &["data", "drift", CUSTOMERS, "sqlite:///shp.db?table=customers"]),
    (
        "server that is down",
        |_| {},
        &["data", "validate", "init", "postgresql://ada@127.0.0.1:1/shop", "--table", "customers"],
    ),
    (
        "password on the command line",
        |_| {},
        &["data", "profile", "postgresql://ada:s3cr3t@127.0.0.1:1/shop", "--table", "customers"],
    ),
    (
        "tables with nothing in common",
        |project| project.write("days.csv", "day\n2024-01-01\n2024-01-02\n"),
        &["data", "drift", CUSTOMERS, "days.csv", "--column", "day"],
    ),
    ("run without a model", |project| begun(project, "nightly"), &["verify", "nightly"]),
    (
        "damaged object",
        |project| {
            project.run();
            objects(project).iter().for_each(|path| project.write(path, "lost"));
        },
        &["predict", "--model", "churn-predictor", "--input", CUSTOMERS],
    ),
    (
        "lost object",
        |project| {
            project.run();
            objects(project).iter().for_each(|path| fs::remove_file(project.path(path)).unwrap());
        },
        &["predict", "--model", "churn-predictor", "--input", CUSTOMERS],
    ),
    ("file in the place of a folder", |project| project.write(".trainyard", ""), &["run"]),
    ("tracking store of another program", |project| project.customers(10, 1, TRACKING), &["runs", "list"]),
    (
        "damaged tracking store",
        |project| {
            project.write(TRACKING, "lost".repeat(1000));
        },
        &["runs", "list"],
    ),
    (
        "stage that is none",
        |project| begun(project, "nightly"),
        &["predict", "--model", "churn/Stagin", "--input", CUSTOMERS],
    ),
    (
        "colon in the name of a model",
        |project| begun(project, "nightly"),
        &["predict", "--model", "a:b", "--input", CUSTOMERS],
    ),
    ("version that is not registered", |project| drop(project.run()), &["models", "show", "churn-predictor/9"]),
    (
        "folder for a model that is not empty",
        |project| drop(project.run()),
        &["models", "export", "churn-predictor", "--output", "data"],
    ),
    (
        "absent folder for predictions",
        |_| {},
        &["predict", "--model", "churn", "--input", CUSTOMERS, "--output", "out/new.csv"],
    ),
    (
        "workbook for predictions",
        |_| {},
        &["predict", "--model", "churn", "--input", CUSTOMERS, "--output", "new.xlsx"],
    ),
    (
        "more columns than features",
        |_| {},
        &["synth", "classification", "--features", "5", "--informative", "4", "--redundant", "2", "--output", "t.csv"],
    ),
    ("unknown code", |_| {}, &["explain", "data/raged-row"]),
    ("project over files", |_| {}, &["init", "data", "--from", CUSTOMERS, "--target", "Churn"]),
    (
        "project out of several files",
        |project| ["part-1.csv", "part-2.csv"].iter().for_each(|file| project.write(file, "a,b\n1,2\n")),
        &["init", "new", "--from", "part-*.csv", "--target", "b"],
    ),
    ("project for a misspelt target", |_| {}, &["init", "new", "--from", CUSTOMERS, "--target", "churn"]),
    (
        "project for a target with holes",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replacen(",Yes\n", ",\n", 2)),
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn"],
    ),
    (
        "project for a constant target",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replace(",Yes\n", ",No\n")),
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn"],
    ),
    (
        "project for an absent class",
        |_| {},
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn", "--positive", "yes"],
    ),
    (
        "project for three classes",
        |_| {},
        &["init", "new", "--from", CUSTOMERS, "--target", "Contract", "--task", "binary"],
    ),
    (
        "project without features",
        |project| project.write(CUSTOMERS, "id,Churn\na,No\nb,Yes\nc,No\nd,Yes\n"),
        &["init", "new", "--from", CUSTOMERS, "--target", "Churn"],
    ),
];
