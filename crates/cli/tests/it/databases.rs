//! `trainyard data` on databases: what it says of their rows is what it says of a file with them.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use trainyard_judges::{PASSWORD, postgres};

use crate::project::{CUSTOMERS, Project};
use crate::text;

/// The columns of the customers with their types in SQL.
fn columns(project: &Project) -> String {
    let table = project.read(CUSTOMERS);
    let kind = |name: &str| match name {
        "SeniorCitizen" | "tenure" => "integer",
        "MonthlyCharges" | "TotalCharges" => "double precision",
        _ => "text",
    };
    let columns: Vec<String> =
        table.lines().next().unwrap().split(',').map(|name| format!("\"{name}\" {}", kind(name))).collect();
    columns.join(", ")
}

/// Makes a table of `shop.db` of a CSV file; empty cells are missing.
fn table(project: &Project, name: &str, csv: &str) {
    let connection = Connection::open(project.path("shop.db")).unwrap();
    connection.execute_batch(&format!("CREATE TABLE {name} ({})", columns(project))).unwrap();
    let mut reader = csv::Reader::from_path(project.path(csv)).unwrap();
    let marks = vec!["NULLIF(?, '')"; reader.headers().unwrap().len()].join(", ");
    connection.execute_batch("BEGIN").unwrap();
    for row in reader.records() {
        let row = row.unwrap();
        connection
            .execute(&format!("INSERT INTO {name} VALUES ({marks})"), rusqlite::params_from_iter(row.iter()))
            .unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// Gives what a profile says of the columns that a database holds as CSV does.
fn told(mut profile: Value) -> Value {
    let columns = profile["columns"].as_array_mut().unwrap();
    columns.retain(|column| column["type"] != "boolean" && column["type"] != "text");
    assert!(columns.len() >= 3, "{columns:?}");
    json!([profile["columns"], profile["rows"], profile["duplicates"]])
}

/// Wants nothing of what was fetched to be there any more.
fn nothing_left(folder: &Path) {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().all(|name| !name.contains("fetch-")), "{names:?}");
}

#[test]
fn rows_of_sqlite_are_told_as_those_of_a_file() {
    let project = Project::with_rows(1200);
    table(&project, "customers", CUSTOMERS);
    project.customers(1000, 8, "later.csv");
    table(&project, "later", "later.csv");
    let (file, temporary) = (project.json(&["data", "profile", CUSTOMERS]), tempfile::tempdir().unwrap());
    let call = |arguments: &[&str]| {
        let output = project.command(arguments).env("TMPDIR", temporary.path()).output().unwrap();
        nothing_left(temporary.path());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for words in [
        &["sqlite:///shop.db", "--table", "customers"][..],
        &["sqlite:///shop.db?table=customers"],
        &["sqlite:///shop.db", "--query", "SELECT * FROM customers"],
    ] {
        let (code, said, wrong) = call(&[&["data", "profile", "--json"], words].concat());
        assert_eq!((code, wrong.as_str()), (Some(0), ""), "{words:?}");
        assert_eq!(told(serde_json::from_str(&said).unwrap()), told(file.clone()), "{words:?}");
    }
    assert!(!project.path(".trainyard").exists(), "who only looks leaves a project as it was");
    let (_, said, _) = call(&["data", "profile", "sqlite:///shop.db", "--table", "customers"]);
    assert!(said.contains("sqlite:///shop.db table customers: 1,200 rows × 21 columns"), "{said}");

    let (code, said, wrong) = call(&["data", "validate", "init", "sqlite:///shop.db", "--table", "customers"]);
    assert_eq!((code, wrong.as_str()), (Some(0), ""));
    let next = "trainyard data validate sqlite:///shop.db --table customers --suite expectations/customers.json";
    assert!(said.contains(next), "{said}");
    let words: Vec<&str> = next.split(' ').skip(1).collect();
    let (code, said, _) = call(&words);
    assert!(code == Some(0) && said.contains("1,200 rows × 21 columns"), "{said}");
    let half = "SELECT * FROM customers WHERE tenure < 20";
    let (code, said, wrong) =
        call(&["data", "validate", "sqlite:///shop.db", "--query", half, "--suite", "expectations/customers.json"]);
    assert!(code == Some(0) && said.contains("sqlite:///shop.db query"), "{said}{wrong}");

    let (code, said, wrong) = call(&["data", "drift", CUSTOMERS, "sqlite:///shop.db", "--table", "later"]);
    assert!(code == Some(0) && said.contains("sqlite:///shop.db table later (1,000 rows)"), "{said}{wrong}");
    let both = ["data", "drift", "sqlite:///shop.db?table=customers", "sqlite:///shop.db", "--query", half, "--json"];
    let (_, said, _) = call(&both);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["reference"]["rows"], 1200);
    let tenure = report["columns"].as_array().unwrap().iter().find(|column| column["column"] == "tenure").unwrap();
    assert_eq!(tenure["drifted"], true);

    // In a project with a folder of its own the rows lie there meanwhile, and its types count.
    std::fs::create_dir(project.path(".trainyard")).unwrap();
    project.edit("trainyard.yaml", "data:\n", "data:\n  drop: [gender]\n  types: {tenure: text, nowhere: float}\n");
    let profile = project.json(&["data", "profile", "sqlite:///shop.db", "--table", "customers"]);
    let columns = profile["columns"].as_array().unwrap();
    let tenure = columns.iter().find(|column| column["column"] == "tenure").unwrap();
    assert_eq!((columns.len(), &tenure["type"]), (20, &json!("text")));
    nothing_left(&project.path(".trainyard"));
}

#[test]
fn what_a_killed_command_left_is_removed() {
    let project = Project::with_rows(600);
    table(&project, "customers", CUSTOMERS);
    let temporary = tempfile::tempdir().unwrap();
    // Of this system's processes none has the first number; the own one lives; a container has numbers of its own.
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let own: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    let folder = |system: &str, process: u32| format!("trainyard-fetch-{system}-{process}-1-0");
    let left = [folder(&own, u32::MAX), folder("1", u32::MAX), folder(&own, std::process::id())];
    left.iter().for_each(|name| std::fs::create_dir(temporary.path().join(name)).unwrap());
    let mut command = project.command(&["data", "profile", "sqlite:///shop.db", "--table", "customers"]);
    assert!(command.env("TMPDIR", temporary.path()).status().unwrap().success());
    let mut names: Vec<String> = std::fs::read_dir(temporary.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, left[1..]);
}

#[test]
fn rows_of_a_server_are_told_and_the_password_is_not() {
    let Some(server) = postgres() else { return };
    let project = Project::with_rows(1200);
    let csv = project.read(CUSTOMERS);
    let (header, rows) = csv.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    // The last digits of a moment depend on the order, in which a server's COPY does not keep rows.
    rows.sort_by_key(|row| row.split(',').next().unwrap());
    project.write(CUSTOMERS, format!("{header}\n{}\n", rows.join("\n")));
    server.load("customers", &columns(&project), &project.path(CUSTOMERS));
    let file = project.json(&["data", "profile", CUSTOMERS]);
    let url = server.url("").replace("postgresql://", "postgres://");
    let call = |arguments: &[&str], password: &str| {
        let output = project.command(arguments).env("PGPASSWORD", password).output().unwrap();
        let (result, said) = (text(&output.stdout), text(&output.stderr));
        assert!(!result.contains(password) && !said.contains(password), "{arguments:?}: {result}{said}");
        (output.status.code(), result, said)
    };
    let (code, said, wrong) = call(&["data", "profile", &url, "--table", "public.customers", "--json"], PASSWORD);
    assert_eq!((code, wrong.as_str()), (Some(0), ""));
    let profile: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(profile["file"], json!(format!("{url} table public.customers")));
    assert_eq!(profile["rows"], 1200);
    let ordered = "SELECT * FROM customers ORDER BY \"customerID\"";
    let (_, said, _) = call(&["data", "profile", &url, "--query", ordered, "--json"], PASSWORD);
    assert_eq!(told(serde_json::from_str(&said).unwrap()), told(file));
    let (code, said, wrong) = call(&["data", "drift", CUSTOMERS, &url, "--table", "customers", "--refuse"], PASSWORD);
    assert!(code == Some(0) && said.contains("has not drifted"), "{said}{wrong}");
    let (code, said, wrong) = call(&["data", "validate", "init", &url, "--query", "SELECT * FROM customers"], PASSWORD);
    assert!(code == Some(0) && said.contains("Wrote   expectations/shop.json"), "{said}{wrong}");

    let (code, _, said) = call(&["data", "profile", &url, "--table", "custmers"], PASSWORD);
    assert!(code == Some(1) && said.contains("[source/unknown-table]"), "{said}");
    assert!(said.contains("did you mean `customers`?") && said.contains("--table custmers"), "{said}");
    // The caret is below the word in the query as it was typed.
    let (_, _, said) = call(&["data", "profile", &url, "--query", "SELECT tenur FROM customers"], PASSWORD);
    let line = said.lines().find(|line| line.contains("--query SELECT")).unwrap();
    let caret = said.lines().find(|line| line.contains('^')).unwrap();
    assert_eq!(line.find("tenur"), caret.find('^'), "{said}");
    let (code, _, said) = call(&["data", "profile", &url, "--table", "customers"], "a-wr0ng-one");
    assert!(code == Some(1) && said.contains("[source/login]"), "{said}");
    let open = url.replace("ada@", "ada:an0ther-secret@");
    let (code, _, said) = call(&["data", "profile", &open, "--table", "customers"], "an0ther-secret");
    assert!(code == Some(1) && said.contains("[spec/password]") && said.contains("the command line"), "{said}");
}
