//! What is wrong with packed files, JSON lines, several files, queries over files, databases, and objects of stores.

use rusqlite::Connection;

use super::{Case, HEADER, PROJECT};
use crate::project::{CUSTOMERS, Project};

/// Reads another file than the project's table.
fn source(project: &Project, file: &str, bytes: &[u8]) {
    project.edit(PROJECT, "data/raw/customers.csv", file);
    project.write(file, bytes);
}

/// Reads JSON lines.
fn lines(project: &Project, text: &str) {
    source(project, "data/raw/customers.jsonl", text.as_bytes());
}

/// Makes the source what a section says of a database of two rows.
fn shop(project: &Project, section: &str) {
    project.edit(PROJECT, "data/raw/customers.csv", section);
    let database = Connection::open(project.path("data/raw/shop.db")).unwrap();
    let sql = "CREATE TABLE customers (customerID TEXT, tenure INTEGER, MonthlyCharges REAL, Churn TEXT);
               INSERT INTO customers VALUES ('a', 1, 2.5, 'No'), ('b', 3, 2.5, 'Yes');";
    database.execute_batch(sql).unwrap();
}

/// Reads the rows of a query.
fn query(project: &Project, query: &str, parameters: &str) {
    let section = format!("{{url: \"sqlite:///data/raw/shop.db\", query: \"{query}\", parameters: {{{parameters}}}}}");
    shop(project, &section);
}

/// Makes the source an address.
fn address(project: &Project, address: &str) {
    project.edit(PROJECT, "data/raw/customers.csv", &format!("\"{address}\""));
}

pub(super) const CASES: &[Case] = &[
    ("damaged archive", |project| source(project, "data/raw/customers.csv.gz", HEADER.as_bytes()), &["run"]),
    ("damaged Arrow", |project| source(project, "data/raw/customers.arrow", HEADER.as_bytes()), &["run"]),
    ("a line that is no JSON", |project| lines(project, "{\"customerID\": \"a\"}\n{\"customerID\": NaN}\n"), &["run"]),
    ("a line that is no object", |project| lines(project, "[{\"customerID\": \"a\"},\n"), &["run"]),
    ("a list in a line", |project| lines(project, "[\"a\", 1]\n"), &["run"]),
    (
        "an object in a row",
        |project| lines(project, "{\"customerID\": \"a\", \"address\": {\"city\": \"Bonn\"}}\n"),
        &["run"],
    ),
    ("a key written twice", |project| lines(project, "{\"customerID\": \"a\", \"customerID\": \"b\"}\n"), &["run"]),
    (
        "names for keys",
        |project| {
            let text: String = (0..10_001).map(|row| format!("{{\"customer{row}\": {row}}}\n")).collect();
            lines(project, &text);
        },
        &["run"],
    ),
    (
        "no file of a pattern",
        |project| project.edit(PROJECT, "data/raw/customers.csv", "data/raw/part-*.csv"),
        &["run"],
    ),
    (
        "files of other columns",
        |project| {
            project.edit(PROJECT, "data/raw/customers.csv", "data/raw/part-*.csv");
            project.write("data/raw/part-1.csv", format!("{HEADER}a,1,2.5,No\n"));
            project.write("data/raw/part-2.csv", "customerID,tenur,MonthlyCharges,Churn\nb,2,2.5,Yes\n");
        },
        &["run"],
    ),
    (
        "files of other types",
        |project| {
            project.edit(PROJECT, "data/raw/customers.csv", "data/raw/part-*.csv");
            project.write("data/raw/part-1.csv", format!("{HEADER}a,1,2.5,No\n"));
            project.write("data/raw/part-2.csv", format!("{HEADER}b,new,2.5,Yes\n"));
        },
        &["run"],
    ),
    ("no table named", |project| shop(project, "\"sqlite:///data/raw/shop.db\""), &["run"]),
    (
        "an unknown scheme",
        |project| project.edit(PROJECT, "data/raw/customers.csv", "\"postgre://ada@host/shop?table=customers\""),
        &["run"],
    ),
    (
        "a password in the source",
        |project| {
            project.edit(PROJECT, "data/raw/customers.csv", "\"postgresql://ada:s3cr3t@host/shop?table=customers\"")
        },
        &["run"],
    ),
    (
        "a query of a file",
        |project| project.edit(PROJECT, "data/raw/customers.csv", "{url: data/raw/customers.csv, query: SELECT 1}"),
        &["run"],
    ),
    (
        "a query over files without its engine",
        |project| {
            let sql = "SELECT * FROM customers JOIN calls USING (customerID)";
            let tables = "{customers: data/raw/customers.csv, calls: data/raw/calls.parquet}";
            project.edit(PROJECT, "data/raw/customers.csv", &format!("{{sql: {sql}, tables: {tables}}}"));
        },
        &["run"],
    ),
    ("no such table", |project| shop(project, "\"sqlite:///data/raw/shop.db?table=custmers\""), &["run"]),
    ("no such column", |project| query(project, "SELECT customerID, tenur, Churn FROM customers", ""), &["run"]),
    ("no SQL", |project| query(project, "SELECT * FORM customers", ""), &["run"]),
    ("a query that changes", |project| query(project, "DELETE FROM customers", ""), &["run"]),
    (
        "a parameter without a value",
        |project| query(project, "SELECT * FROM customers WHERE tenure > :least", ""),
        &["run"],
    ),
    (
        "a value without a parameter",
        |project| query(project, "SELECT * FROM customers WHERE tenure > :least", "least: 1, most: 3"),
        &["run"],
    ),
    (
        "no database",
        |project| {
            project.edit(PROJECT, "data/raw/customers.csv", "\"sqlite:///data/raw/customers.csv?table=customers\"")
        },
        &["run"],
    ),
    (
        "no server",
        |project| {
            project.edit(PROJECT, "data/raw/customers.csv", "\"postgresql://ada@127.0.0.1:1/shop?table=customers\"")
        },
        &["run"],
    ),
    (
        "no certificates",
        |project| {
            let source =
                "\"postgresql://ada@127.0.0.1:1/shop?table=customers&sslmode=verify-full&sslrootcert=none.pem\"";
            project.edit(PROJECT, "data/raw/customers.csv", source);
        },
        &["run"],
    ),
    (
        "two types in a database",
        |project| {
            shop(project, "\"sqlite:///data/raw/shop.db?table=customers\"");
            let database = Connection::open(project.path("data/raw/shop.db")).unwrap();
            database.execute("UPDATE customers SET tenure = 'new' WHERE customerID = 'b'", []).unwrap();
        },
        &["run"],
    ),
    ("no bucket in an address", |project| address(project, "s3:///customers.csv"), &["run"]),
    ("no object in an address", |project| address(project, "az://shop/raw/"), &["run"]),
    ("a pattern of folders", |project| address(project, "gs://shop/*/customers.csv"), &["run"]),
    ("a pattern of a web server", |project| address(project, "https://files.example/part-*.csv"), &["run"]),
    ("a password for a store", |project| address(project, "s3://ada:s3cr3t@shop/customers.csv"), &["run"]),
    (
        "an object of no known ending",
        |project| address(project, "https://127.0.0.1:1/customers.xlsx?sig=s3cr3t"),
        &["run"],
    ),
    ("no web server", |project| address(project, "http://127.0.0.1:1/customers.csv?version=2&sig=s3cr3t"), &["run"]),
    ("an empty line of JSON", |project| lines(project, "\n \n"), &["run"]),
    (
        "a file of a database that is absent",
        |project| {
            shop(project, "\"sqlite:///data/raw/shp.db?table=customers\"");
            project.write(CUSTOMERS, HEADER);
        },
        &["run"],
    ),
];
