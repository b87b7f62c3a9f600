//! Projects whose data is a query over files, with its engine built in: what runs again, and that threads change nothing.

use std::fmt::Write;

use serde_json::json;

use crate::project::{Project, candidate, steps};
use crate::text;

const SQL: &str = "SELECT c.customerID, c.tenure, c.Churn, sum(p.amount) AS paid, count(p.amount) AS payments
      FROM customers AS c LEFT JOIN payments AS p ON p.customer = c.customerID
      GROUP BY c.customerID, c.tenure, c.Churn";

/// Writes customers and their payments as two files; gives the table that the query makes of them.
fn tables(project: &Project, customers: u32) -> String {
    let mut whole = "customerID,tenure,Churn,paid,payments\n".to_owned();
    let (mut accounts, mut payments) = ("customerID,tenure,Churn\n".to_owned(), "customer,amount\n".to_owned());
    for id in 0..customers {
        let (tenure, count) = (id * 7 % 60, id % 4);
        let churn = if tenure < 20 { "Yes" } else { "No" };
        writeln!(accounts, "c{id:04},{tenure},{churn}").unwrap();
        let amounts: Vec<u32> = (0..count).map(|at| 10 + (id + at * 13) % 50).collect();
        amounts.iter().for_each(|amount| writeln!(payments, "c{id:04},{amount}").unwrap());
        let paid = if count == 0 { String::new() } else { amounts.iter().sum::<u32>().to_string() };
        writeln!(whole, "c{id:04},{tenure},{churn},{paid},{count}").unwrap();
    }
    project.write("data/raw/accounts.csv", accounts);
    project.write("data/raw/payments.csv", payments);
    whole
}

/// Makes a project of little work, which learns from `source`.
fn small(project: &Project, source: &str) {
    let head = format!("name: churn\ndata:\n  source: {source}\n  key: customerID\n");
    let target = "  target: {column: Churn, positive: \"Yes\"}\nactive: {split: 1, features: 1, model: 1}\n";
    project.write("trainyard.yaml", head + target);
    project.write("versions/splits/v1.yaml", "seed: 1\nshares: {train: 0.7, reference_test: 0.3}\n");
    project.write(
        "versions/features/v1.yaml",
        "groups:\n  - {numeric: [tenure, paid, payments], impute: median, scale: standard}\n",
    );
    project.write("versions/models/v1.yaml", "baseline: {dummy: {}}\ncandidates: {logistic_regression: {}}\n");
}

fn query(sql: &str) -> String {
    let tables = "{customers: data/raw/accounts.csv, payments: data/raw/payments.csv}";
    format!("\n    sql: |\n      {sql}\n    tables: {tables}")
}

#[test]
fn a_query_makes_the_model_of_the_table_that_it_gives() {
    let project = Project::with_rows(20);
    let whole = tables(&project, 400);
    project.write("data/raw/whole.csv", whole);
    small(&project, "data/raw/whole.csv");
    let of_file = project.run();
    let project = Project::with_rows(20);
    tables(&project, 400);
    small(&project, &query(SQL));
    let checked = project.json(&["check"]);
    assert_eq!((&checked["rows"], &checked["columns"]), (&json!(400), &json!(5)));
    let first = project.json(&["run", "--threads", "1"]);
    assert_eq!(candidate(&first), candidate(&of_file), "the key's order is that of the file");
    let again = project.json(&["run", "--threads", "4"]);
    let ran = steps(&again, "ran");
    assert!(ran.iter().all(|step| step == "resolve"), "{ran:?}");
    let run = first["run"].as_str().unwrap();
    let report = project.json(&["verify", run, "--at", "3"]);
    assert_eq!((&report["identical"], &report["source_changed"]), (&json!(true), &json!(false)));
    // Words of the query that change nothing of its rows reach no further than ingest.
    project.edit("trainyard.yaml", "AS paid,", "AS paid /* in euros */,");
    assert_eq!(steps(&project.run(), "ran"), ["resolve", "ingest"]);
    let payments = project.read("data/raw/payments.csv");
    project.write("data/raw/payments.csv", payments + "c0000,5000\n");
    let why = project.json(&["why", "ingest"]);
    assert_eq!(why["action"], "run", "{why}");
    assert_ne!(candidate(&project.run()), candidate(&first));
}

#[test]
fn what_is_wrong_with_a_query_is_shown_in_the_specification_and_nothing_is_written() {
    let project = Project::with_rows(20);
    tables(&project, 40);
    for (sql, code, marked) in [
        ("SELECT * FORM customers", "query/syntax", "FORM"),
        ("SELECT * FROM custmers", "query/unknown-table", "custmers"),
        ("SELECT p.amunt FROM payments AS p", "query/unknown-column", "amunt"),
        ("SELECT *, random() AS r FROM customers", "query/volatile", "random"),
    ] {
        small(&project, &query(sql));
        let before = project.files();
        for command in ["check", "run"] {
            let output = project.call(&[command]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(&format!("[{code}]")), "{said}");
            let caret = format!("{}\n", "^".repeat(marked.len()));
            let carets = said.lines().any(|line| line.contains(caret.trim()) && line.contains('│'));
            assert!(carets && said.contains("trainyard.yaml:5:"), "{said}");
        }
        assert!(project.files() == before, "{sql}");
    }
}
