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

/// Gives two artifacts of a run digests that begin alike.
fn twin(project: &Project, run: &str) {
    let journal = format!(".trainyard/runs/{run}/journal.jsonl");
    let lines = project.read(&journal);
    let mut entry: serde_json::Value = serde_json::from_str(lines.trim_end().lines().last().unwrap()).unwrap();
    assert_eq!(entry["entry"], "step_done", "{entry}");
    for (artifact, end) in [("table", "0"), ("target", "1")] {
        entry["record"]["output"]["artifacts"][artifact] = format!("abcdef{}", end.repeat(58)).into();
    }
    let (before, _) = lines.trim_end().rsplit_once('\n').unwrap();
    project.write(&journal, format!("{before}\n{entry}\n"));
}

/// Says what a bundle holds that has one file.
fn manifest(path: &str, bytes: u64) -> String {
    let digest = "0".repeat(64);
    serde_json::json!({
        "format": 1, "made_by": "trainyard 0.1.0", "run": "nightly", "status": "FINISHED", "project": "churn",
        "data": {"form": "ingested_table", "source": CUSTOMERS, "because": "it is a database"},
        "engines": {}, "code": {}, "incumbent": null, "artifacts": [],
        "members": [{"path": path, "digest": digest, "bytes": bytes}],
    })
    .to_string()
}

/// Writes an archive of these files with the system's tar.
fn bundle(project: &Project, files: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = std::process::Command::new("tar");
    tar.args(["--zstd", "-cf"]).arg(project.path("run.tar.zst")).arg("-C").arg(folder.path());
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        tar.arg(name);
    }
    assert!(tar.status().unwrap().success());
}

pub(super) const CASES: &[Case] = &[
    (
        "policy with wrong keys",
        |project| {
            let gates = "gates:\n  at_least: {roc_acu: 0.8}\n  max_f1_regresion: 0.05\n";
            project.write("policy.yaml", format!("{gates}promote: {{alias: champion, minimum_gian: 0.005}}\n"));
        },
        &["gate", "replay", "policy.yaml"],
    ),
    (
        "policy that says nothing of promotion",
        |project| project.write("policy.yaml", "name: churn\ntracking: {experiment: churn}\n"),
        &["gate", "replay", "policy.yaml"],
    ),
    (
        "policy that may lose without a promotion",
        |project| project.write("policy.yaml", "gates: {max_f1_regression: 0.05}\n"),
        &["gate", "replay", "policy.yaml"],
    ),
    (
        "policy of another task",
        |project| {
            project.run();
            project.write("policy.yaml", "promote: {alias: challenger, metric: rmse}\n");
        },
        &["gate", "replay", "policy.yaml"],
    ),
    ("policy that is not there", |_| {}, &["gate", "replay", "trainyrd.yaml"]),
    (
        "policy for a model that nobody decided about",
        |project| drop(project.run()),
        &["gate", "replay", "trainyard.yaml", "--model", "churn-predicter"],
    ),
    ("filter with or", |_| {}, &["runs", "list", "--where", "metrics.auc > 0.8 or status = 'failed'"]),
    ("filter of an unknown name", |_| {}, &["runs", "list", "--where", "metrcs.auc > 0.8 and status = 'failed'"]),
    ("filter that compares a text by size", |_| {}, &["runs", "list", "--where", "params.depth > '3'"]),
    ("filter of a status that no run has", |_| {}, &["runs", "list", "--where", "status = 'finishd'"]),
    ("order by nothing known", |_| {}, &["runs", "list", "--order-by", "strat_time desc"]),
    ("SQL over a table that is not there", |_| {}, &["runs", "sql", "SELECT run_id FROM runz"]),
    (
        "SQL over a column that is not there",
        |_| {},
        &["runs", "sql", "SELECT run_id,\n       metric_vlue\nFROM mlflow_metrics"],
    ),
    ("SQL that is broken", |_| {}, &["runs", "sql", "SELECT run_id FORM runs"]),
    ("SQL that writes", |_| {}, &["runs", "sql", "DELETE FROM history"]),
    ("SQL that is nothing", |_| {}, &["runs", "sql", "-- nothing"]),
    (
        "SQL that is no text",
        |project| project.write("query.sql", [0xff, 0xfe, 0x00]),
        &["runs", "sql", "--file", "query.sql"],
    ),
    ("rows in a format that is none", |_| {}, &["runs", "sql", "SELECT 1", "--output", "rows.xlsx"]),
    ("rows into a folder that is not there", |_| {}, &["runs", "list", "--output", "reports/runs.csv"]),
    (
        "export into a folder that holds something",
        |project| {
            begun(project, "nightly");
            project.write("mlruns/mine.txt", "mine");
        },
        &["export", "--to", "mlruns"],
    ),
    ("export of no run", |_| {}, &["export", "--to", "mlruns"]),
    ("export to a bucket", |_| {}, &["export", "--to", "s3://team/mlruns"]),
    ("import from a folder", |_| {}, &["import", "mlruns"]),
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
        "archived version promoted without force",
        |project| {
            project.run();
            project.json(&["models", "archive", "churn-predictor/1"]);
        },
        &["models", "promote", "churn-predictor/1", "--to", "Production"],
    ),
    ("promotion of no model", |_| {}, &["models", "promote", "churn-predictor/1", "--to", "Staging"]),
    ("rollback to nothing", |project| drop(project.run()), &["models", "rollback", "churn-predictor"]),
    ("head of another history", |project| drop(project.run()), &["models", "audit", "--expect", "00c0ffee"]),
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
    ("lineage of nothing that is known", |project| begun(project, "nightly"), &["lineage", "nihgtly"]),
    ("lineage before the first run", |_| {}, &["lineage", "latest"]),
    (
        "lineage of a file that changed",
        |project| {
            begun(project, "nightly");
            project.json(&["step", "ingest", "--run", "nightly"]);
            let rows = project.read(CUSTOMERS);
            project.write(CUSTOMERS, rows.trim_end().rsplit_once('\n').unwrap().0);
        },
        &["lineage", CUSTOMERS],
    ),
    (
        "lineage of two digests",
        |project| {
            begun(project, "nightly");
            project.json(&["step", "ingest", "--run", "nightly"]);
            twin(project, "nightly");
        },
        &["lineage", "abcdef"],
    ),
    ("lineage of no version of a model", |project| drop(project.run()), &["lineage", "churn-predictor/9"]),
    (
        "lineage without a run that can't be read",
        |project| {
            ["nightly-1", "nightly-2"].iter().for_each(|run| begun(project, run));
            project.write(".trainyard/runs/nightly-1/journal.jsonl", "lost\n");
        },
        &["lineage", "nightly-2", "--up"],
    ),
    ("export of an unknown run", |project| begun(project, "nightly"), &["export", "nihgtly", "run.tar.zst"]),
    (
        "export of a run that trained nothing",
        |project| begun(project, "nightly"),
        &["export", "nightly", "run.tar.zst"],
    ),
    ("bundle that is not there", |_| {}, &["verify", "run.tar.zst"]),
    ("bundle that is none", |project| project.write("run.tar.zst", "no archive"), &["verify", "run.tar.zst"]),
    (
        "bundle of a later version",
        |project| bundle(project, &[("manifest.json", r#"{"format": 2, "made_by": "trainyard 9.0.0"}"#)]),
        &["verify", "run.tar.zst"],
    ),
    (
        "bundle whose names lead out",
        |project| bundle(project, &[("manifest.json", &manifest("../../.profile", 4))]),
        &["verify", "run.tar.zst"],
    ),
    (
        "bundle of an absurd size",
        |project| bundle(project, &[("manifest.json", &manifest("run/journal.jsonl", u64::MAX))]),
        &["verify", "run.tar.zst"],
    ),
    (
        "bundle that was altered",
        |project| {
            let manifest = manifest("run/journal.jsonl", 4);
            bundle(project, &[("manifest.json", &manifest), ("run/journal.jsonl", "lost")]);
        },
        &["verify", "run.tar.zst"],
    ),
    (
        "bundle that was cut",
        |project| bundle(project, &[("manifest.json", &manifest("run/journal.jsonl", 4))]),
        &["verify", "run.tar.zst"],
    ),
];
