//! Projects whose data is in a database or in several files: what runs again, what is recorded, what is kept secret.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use trainyard_judges::{PASSWORD, postgres};

use crate::project::{CUSTOMERS, Project, candidate, steps};
use crate::text;

const SOURCE: &str = "data/raw/customers.csv";

/// Makes a table of a database of the project's CSV file; empty cells are missing.
fn database(project: &Project) -> Connection {
    let connection = Connection::open(project.path("shop.db")).unwrap();
    let mut reader = csv::Reader::from_path(project.path(CUSTOMERS)).unwrap();
    let columns: Vec<String> = reader.headers().unwrap().iter().map(|name| format!("\"{name}\" NUMERIC")).collect();
    connection.execute_batch(&format!("CREATE TABLE customers ({})", columns.join(", "))).unwrap();
    let marks = vec!["NULLIF(?, '')"; columns.len()].join(", ");
    let insert = format!("INSERT INTO customers VALUES ({marks})");
    connection.execute_batch("BEGIN").unwrap();
    for row in reader.records() {
        connection.execute(&insert, rusqlite::params_from_iter(row.unwrap().iter())).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    connection
}

fn run_of(result: &Value) -> &str {
    result["run"].as_str().unwrap()
}

/// The steps that always run.
fn always(ran: &[String]) -> bool {
    ran.iter().all(|step| ["resolve", "compare", "promote"].contains(&step.as_str()))
}

#[test]
fn a_database_runs_again_only_what_its_rows_change() {
    let project = Project::new();
    let connection = database(&project);
    project.edit("trainyard.yaml", SOURCE, "\"sqlite:///shop.db?table=customers\"");
    let first = project.run();
    let again = project.run();
    assert!(always(&steps(&again, "ran")), "{:?}", steps(&again, "ran"));
    assert_eq!(candidate(&again), candidate(&first));
    // Rows that moved in the file are the same data.
    connection
        .execute_batch(
            "CREATE TABLE moved AS SELECT * FROM customers ORDER BY customerID DESC; DELETE FROM customers;
             INSERT INTO customers SELECT * FROM moved;",
        )
        .unwrap();
    assert_eq!(project.json(&["why", "ingest"])["action"], "cached");
    assert!(always(&steps(&project.run(), "ran")));
    let report = project.json(&["verify", run_of(&first), "--at", "1"]);
    assert_eq!((&report["identical"], &report["source_changed"]), (&json!(true), &json!(false)));
    connection.execute_batch("UPDATE customers SET tenure = tenure + 1 WHERE rowid % 7 = 0").unwrap();
    let why = project.json(&["why", "ingest"]);
    assert_eq!(why["action"], "run");
    assert!(why["reasons"][0].as_str().unwrap().starts_with("source changed"), "{why}");
    let changed = project.run();
    assert!(steps(&changed, "ran").contains(&"train".to_owned()));
    let compared = project.json(&["runs", "compare", run_of(&first), run_of(&changed)]);
    let master = compared["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "master").unwrap();
    assert_ne!(master["a"]["digest"], master["b"]["digest"]);
    assert_eq!(master["b"]["source"], "sqlite:///shop.db?table=customers");
    let said = text(&project.call(&["runs", "compare", run_of(&first), run_of(&changed)]).stdout);
    assert!(said.contains("Inputs that differ"), "{said}");
    // The old rows are gone from the database, and the run can be repeated all the same.
    let report = project.json(&["verify", run_of(&first), "--at", "1"]);
    assert_eq!((&report["identical"], &report["source_changed"]), (&json!(true), &json!(true)));
    std::fs::remove_file(project.path("shop.db")).unwrap();
    assert_eq!(project.json(&["verify", run_of(&first), "--at", "1"])["identical"], true);
}

#[test]
fn a_run_records_the_columns_of_its_data() {
    let project = Project::new();
    let result = project.run();
    let shown = project.json(&["runs", "show", run_of(&result)]);
    let master = shown["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "master").unwrap();
    assert_eq!((&master["rows"], &master["source"]), (&json!(1500), &json!(SOURCE)));
    let files = shown["artifacts"].as_array().unwrap();
    assert!(files.iter().any(|file| file["path"] == "data/schema.json"), "{files:?}");
}

#[test]
fn several_files_are_one_table_and_a_new_one_is_new_data() {
    let project = Project::new();
    let table = project.read(CUSTOMERS);
    let (header, rows) = table.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let part = |rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    let whole = project.run();
    for (at, rows) in rows.chunks(600).enumerate() {
        project.write(&format!("data/parts/part-{at}.csv"), part(rows));
    }
    project.edit("trainyard.yaml", SOURCE, "data/parts/part-*.csv");
    let parts = project.run();
    assert_eq!(candidate(&parts), candidate(&whole), "the same rows in the same order");
    assert!(always(&steps(&project.run(), "ran")));
    project.customers(1800, 7, "more.csv");
    let more = project.read("more.csv");
    project.write("data/parts/part-9.csv", part(&more.lines().skip(1501).collect::<Vec<_>>()));
    assert!(steps(&project.run(), "ran").contains(&"ingest".to_owned()));
}

/// Says which file below a folder holds a text.
fn holding(folder: &Path, wanted: &str) -> Option<std::path::PathBuf> {
    let (_, files) = crate::project::below(folder);
    files.into_iter().find(|file| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
    })
}

#[test]
fn rows_of_a_server_make_the_model_of_their_file_and_the_password_is_nowhere() {
    let Some(server) = postgres() else { return };
    let project = Project::new();
    let table = project.read(CUSTOMERS);
    let (header, rows) = table.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_by_key(|row| row.split(',').next().unwrap());
    project.write(CUSTOMERS, format!("{header}\n{}\n", rows.join("\n")));
    let from_file = project.run();
    let columns: Vec<String> = header
        .split(',')
        .map(|name| {
            let kind = match name {
                "SeniorCitizen" | "tenure" => "integer",
                "MonthlyCharges" | "TotalCharges" => "numeric",
                _ => "text",
            };
            format!("\"{name}\" {kind}")
        })
        .collect();
    server.load("customers", &columns.join(", "), &project.path(CUSTOMERS));
    let section = format!("{{url: \"{}\", query: 'SELECT * FROM customers'}}", server.url(""));
    project.edit("trainyard.yaml", SOURCE, &section);
    let call = |arguments: &[&str], password: &str| {
        let output = project.command(arguments).env("PGPASSWORD", password).output().unwrap();
        let (result, said) = (text(&output.stdout), text(&output.stderr));
        assert!(!result.contains(password) && !said.contains(password), "{arguments:?}: {result}{said}");
        (output.status.code(), result, said)
    };
    let (code, _, said) = call(&["run"], "a-wr0ng-one");
    assert!(code == Some(1) && said.contains("[source/login]"), "{said}");
    let (code, result, said) = call(&["run", "--json"], PASSWORD);
    assert_eq!(code, Some(0), "{said}");
    let from_server: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(candidate(&from_server), candidate(&from_file));
    let (_, result, _) = call(&["run", "--json"], PASSWORD);
    assert!(always(&steps(&serde_json::from_str(&result).unwrap(), "ran")), "{result}");
    for arguments in [["runs", "list"], ["models", "list"], ["doctor", "--json"]] {
        call(&arguments, PASSWORD);
    }
    assert_eq!(holding(&project.path(""), PASSWORD), None);
    // Somebody writes it into the address: it is refused, and still not shown.
    project.edit("trainyard.yaml", "ada@", "ada:an0ther-secret@");
    let (code, _, said) = call(&["run"], "an0ther-secret");
    assert!(code == Some(1) && said.contains("[spec/password]"), "{said}");
    let (code, _, said) =
        call(&["run", "--set", "data.source=postgresql://ada:an0ther-secret@host/shop?table=t"], "an0ther-secret");
    assert!(code != Some(0) && said.contains("[spec/password]"), "{said}");
}
