//! What the first run found the columns to be holds for the data of later runs.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;

use crate::project::{CUSTOMERS, Project, candidate, steps};
use crate::text;

const SCHEMA: &str = "versions/schema.yaml";

fn reasons(why: &Value) -> String {
    why["reasons"].to_string()
}

/// Runs, wants a refusal and gives its words; nothing but that was written.
fn refused(project: &Project) -> String {
    let before = project.files();
    let output = project.call(&["run"]);
    assert!(!output.status.success());
    let after: Vec<_> = project.files().into_iter().filter(|(path, _)| !path.ends_with("tracking.db-shm")).collect();
    let before: Vec<_> = before.into_iter().filter(|(path, _)| !path.ends_with("tracking.db-shm")).collect();
    assert!(after == before, "something was written");
    text(&output.stderr)
}

#[test]
fn the_first_run_keeps_the_types_and_the_second_is_cached() {
    let project = Project::new();
    project.call(&["check"]);
    project.call(&["plan"]);
    assert!(!project.path(SCHEMA).exists(), "a look writes nothing");
    let first = project.run();
    let kept = project.read(SCHEMA);
    assert!(kept.contains("\n  MonthlyCharges: float\n") && kept.contains("\n  customerID: text\n"), "{kept}");
    assert_eq!(project.json(&["why", "ingest"])["action"], "cached");
    let again = project.run();
    assert!(!steps(&again, "ran").iter().any(|step| ["resolve", "ingest", "split", "train"].contains(&step.as_str())));
    assert_eq!(candidate(&again), candidate(&first));
    assert_eq!(project.read(SCHEMA), kept);
    let report = project.json(&["verify", first["run"].as_str().unwrap(), "--at", "1"]);
    assert_eq!(report["identical"], true);
    // Without it the types are found again, and what was stored stands.
    fs::remove_file(project.path(SCHEMA)).unwrap();
    assert!(steps(&project.run(), "cached").contains(&"ingest".to_owned()));
    assert_eq!(project.read(SCHEMA), kept);
}

#[test]
fn a_value_that_breaks_a_kept_type_stops_the_run_until_the_line_is_edited() {
    let project = Project::new();
    project.run();
    let rows = project.read(CUSTOMERS);
    let tenure = rows.lines().next().unwrap().split(',').position(|name| name == "tenure").unwrap();
    let row: Vec<&str> = rows.lines().nth(1).unwrap().split(',').collect();
    let odd: Vec<&str> = row.iter().enumerate().map(|(at, cell)| if at == tenure { "3.5" } else { cell }).collect();
    let odd = odd.join(",").replacen(row[0], "9999-ODDLY", 1);
    project.write(CUSTOMERS, format!("{rows}{odd}\n"));
    let words = refused(&project);
    assert!(words.contains("line 1502: column tenure was integer so far but holds \"3.5\""), "{words}");
    assert!(words.contains("edit the line of tenure in versions/schema.yaml"), "{words}");
    project.edit(SCHEMA, "tenure: integer", "tenure: float");
    let why = project.json(&["why", "ingest"]);
    assert!(reasons(&why).contains("versions/schema.yaml changed"), "{why}");
    assert!(steps(&project.run(), "ran").contains(&"ingest".to_owned()));
    assert!(project.read(SCHEMA).contains("tenure: float"));
    assert!(steps(&project.run(), "cached").contains(&"train".to_owned()));
}

#[test]
fn columns_that_go_stop_the_run_and_new_ones_are_told_once() {
    let project = Project::new();
    project.run();
    let rows = project.read(CUSTOMERS);
    let lines = |change: &dyn Fn(usize, &str) -> String| -> String {
        rows.lines().enumerate().map(|(at, line)| change(at, line) + "\n").collect()
    };
    project.write(CUSTOMERS, lines(&|_, line| line.replacen("PaperlessBilling", "Paperless", 1)));
    let words = refused(&project);
    assert!(words.contains("column PaperlessBilling is gone"), "{words}");
    project.write(
        CUSTOMERS,
        lines(&|at, line| format!("{line},{}", if at == 0 { "city,later".to_owned() } else { format!("town {at},") })),
    );
    // A frozen reference test has the columns of its day.
    project.write("versions/splits/v2.yaml", project.read("versions/splits/v1.yaml"));
    let output = project.call(&["run", "--split", "2"]);
    let words = text(&output.stderr);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("versions/schema.yaml has no column city yet"), "{words}");
    let kept = project.read(SCHEMA);
    assert!(kept.contains("\n  city: text\n"), "{kept}");
    assert!(!kept.contains("later"), "of which type it is nobody knows yet: {kept}");
    let again = project.call(&["run", "--split", "2"]);
    assert!(!text(&again.stderr).contains("has no column"), "{}", text(&again.stderr));
}

#[test]
fn a_project_may_move_into_a_database_and_keeps_its_types() {
    let project = Project::new();
    let first = project.run();
    let kept = project.read(SCHEMA);
    let connection = Connection::open(project.path("shop.db")).unwrap();
    let mut reader = csv::Reader::from_path(project.path(CUSTOMERS)).unwrap();
    let columns: Vec<String> = reader.headers().unwrap().iter().map(|name| format!("\"{name}\" TEXT")).collect();
    let marks = vec!["NULLIF(?, '')"; columns.len()].join(", ");
    connection.execute_batch(&format!("CREATE TABLE customers ({}); BEGIN", columns.join(", "))).unwrap();
    for row in reader.records() {
        let cells = rusqlite::params_from_iter(row.as_ref().unwrap().iter());
        connection.execute(&format!("INSERT INTO customers VALUES ({marks})"), cells).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    project.edit("trainyard.yaml", CUSTOMERS, "\"sqlite:///shop.db?table=customers\"");
    let moved = project.run();
    assert_eq!(project.read(SCHEMA), kept);
    let rows = |result: &Value| project.json(&["runs", "show", result["run"].as_str().unwrap()])["inputs"].clone();
    let count = |inputs: &Value| {
        inputs.as_array().unwrap().iter().find(|input| input["name"] == "master").unwrap()["rows"].clone()
    };
    assert_eq!(count(&rows(&moved)), count(&rows(&first)));
    connection.execute_batch("UPDATE customers SET tenure = 'many' WHERE rowid = 4").unwrap();
    let words = refused(&project);
    assert!(words.contains("column tenure was integer so far but holds \"many\""), "{words}");
}

#[test]
fn all_that_is_wrong_with_the_file_is_said_at_once() {
    let project = Project::new();
    project.write(SCHEMA, "columns:\n  tenure: int\n  Churn: txt\nrow: 3\n");
    let words = refused(&project);
    for wanted in ["versions/schema.yaml:2", "versions/schema.yaml:3", "versions/schema.yaml:4", "integer", "text"] {
        assert!(words.contains(wanted), "{wanted}: {words}");
    }
    assert_eq!(project.call(&["check", "--json"]).status.code(), project.call(&["run"]).status.code());
}

#[test]
fn a_run_that_added_a_column_is_verified_as_it_was() {
    let project = Project::new();
    project.run();
    let rows = project.read(CUSTOMERS);
    let more = rows.lines().enumerate().map(|(at, line)| format!("{line},{}\n", if at == 0 { "city" } else { "Bern" }));
    project.write(CUSTOMERS, more.collect::<String>());
    project.write("versions/splits/v2.yaml", project.read("versions/splits/v1.yaml"));
    let added = project.json(&["run", "--split", "2"]);
    let report = project.json(&["verify", added["run"].as_str().unwrap(), "--at", "1"]);
    assert_eq!((&report["identical"], &report["source_changed"]), (&true.into(), &false.into()));
}

#[test]
fn what_is_compared_need_not_have_the_kept_types() {
    let project = Project::new();
    project.run();
    let rows = project.read(CUSTOMERS);
    let tenure = rows.lines().next().unwrap().split(',').position(|name| name == "tenure").unwrap();
    let other = rows.lines().enumerate().map(|(at, line)| {
        let mut cells: Vec<&str> = line.split(',').collect();
        if at > 0 {
            cells[tenure] = "many";
        }
        cells.remove(1);
        cells.join(",") + "\n"
    });
    project.write("other.csv", other.collect::<String>());
    let output = project.call(&["data", "drift", CUSTOMERS, "other.csv"]);
    let words = text(&output.stdout);
    assert!(words.contains("tenure") && words.contains("gender"), "{words} {}", text(&output.stderr));
    // A run whose data has come to have more is compared with what had less.
    project.write("trainyard.yaml", project.read("trainyard.yaml") + "drift: {against: other.csv}\n");
    let output = project.call(&["run"]);
    assert!(!text(&output.stderr).contains("data/column-gone"), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("data/type-change"), "{}", text(&output.stderr));
}
