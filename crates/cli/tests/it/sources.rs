//! Projects whose data is in a database or in several files: what runs again, what is recorded, what is kept secret.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use trainyard_judges::{Asked, PASSWORD, Postgres, Reply, Web, postgres, s3};

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
    assert_ne!(master["values"][0]["digest"], master["values"][1]["digest"]);
    assert_eq!(master["values"][1]["source"], "sqlite:///shop.db?table=customers");
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

/// Makes a table of a server of the project's CSV file.
fn load(server: &Postgres, project: &Project) {
    let table = project.read(CUSTOMERS);
    let kind = |name: &str| match name {
        "SeniorCitizen" | "tenure" => "integer",
        "MonthlyCharges" | "TotalCharges" => "numeric",
        _ => "text",
    };
    let names = table.lines().next().unwrap().split(',');
    let columns: Vec<String> = names.map(|name| format!("\"{name}\" {}", kind(name))).collect();
    server.load("customers", &columns.join(", "), &project.path(CUSTOMERS));
}

#[test]
fn each_command_reads_a_server_once_and_what_a_run_stored_is_not_read_again() {
    let Some(server) = postgres() else { return };
    let project = Project::new();
    load(&server, &project);
    project.edit("trainyard.yaml", SOURCE, &format!("{{url: \"{}\", table: customers}}", server.url("")));
    server.log_statements();
    let readings = |arguments: &[&str]| {
        let before = server.statements("COPY (");
        let output = project.command(arguments).env("PGPASSWORD", PASSWORD).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        (server.statements("COPY (") - before, text(&output.stdout))
    };
    // Types that are kept change how it is read: never how often.
    for _ in 0..2 {
        assert_eq!(readings(&["plan"]).0, 1);
        assert_eq!(readings(&["run", "--json"]).0, 1);
        assert_eq!(readings(&["why", "ingest"]).0, 1);
    }
    for step in ["resolve", "ingest"] {
        readings(&["step", step, "--run", "nightly"]);
    }
    let (count, resumed) = readings(&["resume", "nightly", "--json"]);
    assert_eq!((count, resumed.contains("\"train\"")), (0, true));
    assert_eq!(readings(&["verify", "nightly", "--at", "1"]).0, 1);
    server.sql("UPDATE customers SET tenure = tenure + 1");
    assert_eq!(readings(&["run", "--json"]).0, 1);
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
    load(&server, &project);
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

/// Serves what lies in the project, with the digest that its bytes have there as ETag.
fn served(project: &Project) -> Web {
    let file = project.path(CUSTOMERS);
    Web::new(move |asked: &Asked| match std::fs::read(&file) {
        Ok(bytes) => {
            let tag = format!("\"{}\"", trainyard_files::Digest::of(&bytes));
            Reply::file(asked, &bytes, Some(&tag))
        }
        Err(_) => Reply::status(404),
    })
}

#[test]
fn an_object_is_fetched_again_only_when_it_changed() {
    let project = Project::new();
    let web = served(&project);
    let by_file = project.run();
    let url = |secret: &str| format!("{}/customers.csv?version=7&X-Amz-Signature={secret}", web.url());
    project.edit("trainyard.yaml", SOURCE, &format!("\"{}\"", url("f1rst")));
    assert_eq!(project.json(&["check"])["rows"], 1500);
    assert_eq!(web.count("GET"), 1);
    let first = project.run();
    assert_eq!(web.count("GET"), 2);
    // The same rows make the same model, wherever they lie.
    assert_eq!(candidate(&first), candidate(&by_file));
    let fetches = |arguments: &[&str]| {
        let before = web.count("GET");
        let result = project.json(arguments);
        (web.count("GET") - before, result)
    };
    let (fetched, again) = fetches(&["run"]);
    assert!(always(&steps(&again, "ran")), "{:?}", steps(&again, "ran"));
    assert_eq!(fetched, 0);
    // Neither looking nor a signature of another hour fetches it, nor do features of another version.
    project.edit("trainyard.yaml", "f1rst", "s3c0nd");
    for command in [&["plan"][..], &["why", "ingest"], &["check"], &["run"]] {
        assert_eq!(fetches(command).0, 0, "{command:?}");
    }
    project.edit("trainyard.yaml", "features: 1", "features: 2");
    let features = project.read("versions/features/v1.yaml").replacen("impute: median", "impute: mean", 1);
    project.write("versions/features/v2.yaml", features);
    let (fetched, other) = fetches(&["run"]);
    assert_eq!(fetched, 0);
    assert!(steps(&other, "ran").contains(&"train".to_owned()));
    project.edit("trainyard.yaml", "features: 2", "features: 1");
    let (fetched, verified) = fetches(&["verify", run_of(&first), "--at", "1"]);
    assert_eq!((fetched, &verified["identical"]), (1, &json!(true)));
    assert_eq!(verified["source_changed"], false);

    project.customers(300, 9, "more.csv");
    project.grow("more.csv");
    let (fetched, why) = fetches(&["why", "ingest"]);
    assert_eq!((fetched, &why["action"]), (0, &json!("run")));
    let (fetched, grown) = fetches(&["run"]);
    assert_eq!(fetched, 1);
    assert!(steps(&grown, "ran").contains(&"train".to_owned()));
    let verified = project.json(&["verify", run_of(&first), "--at", "1"]);
    assert_eq!((&verified["identical"], &verified["source_changed"]), (&json!(true), &json!(true)));

    // What lets somebody in is in the specification alone, and nothing that was fetched stays.
    let shown = format!("{}/customers.csv?version=7&X-Amz-Signature=******", web.url());
    let compared = project.json(&["runs", "compare", run_of(&first), run_of(&grown)]);
    let master = compared["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "master").unwrap();
    assert_eq!(master["values"][1]["source"], shown);
    assert_eq!(files_with(&project, b"s3c0nd"), ["trainyard.yaml"]);
    assert!(files_with(&project, b"f1rst").is_empty());
    let left = std::fs::read_dir(project.path(".trainyard")).unwrap();
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("fetch-")));
}

/// Names the files of a project that hold some bytes.
fn files_with(project: &Project, bytes: &[u8]) -> Vec<String> {
    let holds = |text: &[u8]| text.windows(bytes.len()).any(|part| part == bytes);
    let files = project.files().into_iter().filter(|(_, text)| holds(text));
    files.map(|(path, _)| path.strip_prefix(project.path("")).unwrap().display().to_string()).collect()
}

#[test]
fn what_is_typed_is_hidden_as_what_is_written() {
    let project = Project::new();
    let web = served(&project);
    let source = format!("data.source={}/customers.csv?sig=s3cr3t", web.url());
    let output = project.call(&["run", "--set", &source]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("/customers.csv?sig=******") && !said.contains("s3cr3t"), "{said}");
    assert!(files_with(&project, b"s3cr3t").is_empty());
}

#[test]
fn a_run_that_had_its_data_goes_on_without_the_server() {
    let project = Project::new();
    let web = served(&project);
    project.edit("trainyard.yaml", SOURCE, &format!("\"{}/customers.csv?sig=s3cr3t\"", web.url()));
    for step in ["resolve", "ingest"] {
        project.json(&["step", step, "--run", "nightly"]);
    }
    let before = web.heard().len();
    std::fs::remove_file(project.path(CUSTOMERS)).unwrap();
    let resumed = project.json(&["resume", "nightly"]);
    assert!(steps(&resumed, "ran").contains(&"train".to_owned()));
    assert_eq!(web.heard().len(), before);
    // One that had not cannot where the address is no longer in the project: its record holds no signature.
    let other = Project::new();
    let web = served(&other);
    let source = format!("\"{}/customers.csv?sig=s3cr3t\"", web.url());
    other.edit("trainyard.yaml", SOURCE, &source);
    other.json(&["step", "resolve", "--run", "nightly"]);
    other.edit("trainyard.yaml", &source, SOURCE);
    let refused = other.call(&["step", "ingest", "--run", "nightly"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("error[source/signature]"), "{}", text(&refused.stderr));
}

#[test]
fn nothing_half_read_is_ever_used() {
    let project = Project::new();
    let bytes = project.read(CUSTOMERS).into_bytes();
    let web = Web::new(move |asked: &Asked| Reply::file(asked, &bytes, Some("\"one\"")).cut(20_000));
    project.edit("trainyard.yaml", SOURCE, &format!("{}/customers.csv", web.url()));
    let refused = project.call(&["run"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("error[source/cut-off]") && said.contains("nothing was written"), "{said}");
    assert!(!project.path(".trainyard").exists());
}

#[test]
fn a_pattern_of_a_bucket_is_run() {
    let Some(mut server) = s3() else { return };
    let project = Project::new();
    let by_file = project.run();
    let table = project.read(CUSTOMERS);
    let (head, rows) = table.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    server.bucket("shop");
    for (part, rows) in rows.chunks(600).enumerate() {
        let name = format!("part-{part}.csv");
        project.write(&name, format!("{head}\n{}\n", rows.join("\n")));
        server.put("shop", &format!("raw/{name}"), &project.path(&name));
    }
    project.edit("trainyard.yaml", SOURCE, "\"s3://shop/raw/part-*.csv\"");
    let run = || {
        let mut command = project.command(&["run", "--json"]);
        command.env("AWS_ENDPOINT_URL", server.url()).env("AWS_REGION", "us-east-1").env("NO_PROXY", "127.0.0.1");
        command.env("AWS_ACCESS_KEY_ID", "ours").env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(candidate(&run()), candidate(&by_file));
    assert!(always(&steps(&run(), "ran")));
    assert!(files_with(&project, b"s3cr3t").is_empty());
}
