//! What is wrong with the table.

use super::{Case, HEADER, PROJECT, SCHEMA, regression};
use crate::project::CUSTOMERS;

pub(super) const CASES: &[Case] = &[
    ("missing file", |project| project.edit(PROJECT, "raw/customers.csv", "raw/custmers.csv"), &["run"]),
    ("missing folder", |project| project.edit(PROJECT, "data/raw/customers.csv", "data/rwa/customers.csv"), &["run"]),
    ("empty file", |project| project.write(CUSTOMERS, ""), &["run"]),
    ("header only", |project| project.write(CUSTOMERS, HEADER), &["run"]),
    ("ragged row", |project| project.write(CUSTOMERS, format!("{HEADER}a,1,2.5,No\nb,3,Yes\n")), &["run"]),
    ("duplicate column", |project| project.edit(CUSTOMERS, "gender,SeniorCitizen", "gender,gender"), &["run"]),
    (
        "wrong encoding",
        |project| {
            let mut bytes = format!("{HEADER}a,1,2.5,No\nMuel").into_bytes();
            bytes.extend(b"\xfcller,1,2.5,Yes\n");
            project.write(CUSTOMERS, bytes);
        },
        &["run"],
    ),
    (
        "type that changes half-way",
        |project| {
            let rows: String = (0..1200).map(|row| format!("c{row},{},2.5,No\n", row % 60)).collect();
            project.write(CUSTOMERS, format!("{HEADER}{rows}c1200,new,2.5,Yes\n"));
        },
        &["run"],
    ),
    (
        "value of another type than before",
        |project| project.write(SCHEMA, "columns:\n  customerID: text\n  tenure: boolean\n"),
        &["run"],
    ),
    (
        "column that is gone",
        |project| {
            project.write(SCHEMA, "columns:\n  customerID: text\n  tenure: integer\n");
            project.edit(CUSTOMERS, "tenure", "Tenure");
        },
        &["run"],
    ),
    (
        "kept types that are none",
        |project| project.write(SCHEMA, "columns:\n  tenure: int\n  Churn: [text]\nrows: 1500\n"),
        &["run"],
    ),
    ("target absent", |project| project.edit(PROJECT, "column: Churn,", "column: Chrun,"), &["run"]),
    (
        "target constant",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replace(",Yes\n", ",No\n")),
        &["run"],
    ),
    (
        "third class",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replacen(",Yes\n", ",Maybe\n", 3)),
        &["run"],
    ),
    (
        "positive label that never occurs",
        |project| project.edit(PROJECT, "positive: \"Yes\"", "positive: \"yes\""),
        &["run"],
    ),
    (
        "missing target",
        |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replacen(",Yes\n", ",\n", 2)),
        &["run"],
    ),
    (
        "duplicate keys",
        |project| {
            let table = project.read(CUSTOMERS);
            let again: String = table.lines().skip(1).take(2).map(|line| format!("{line}\n")).collect();
            project.write(CUSTOMERS, table + &again);
        },
        &["run"],
    ),
    ("folder for a table", |project| project.edit(PROJECT, "data/raw/customers.csv", "data/raw"), &["run"]),
    (
        "unknown ending",
        |project| {
            project.edit(PROJECT, "customers.csv", "customers.xlsx");
            project.write("data/raw/customers.xlsx", "a workbook");
        },
        &["run"],
    ),
    ("unclosed quote", |project| project.write(CUSTOMERS, format!("{HEADER}a,1,2.5,No\n\"b,3,2.5,Yes\n")), &["run"]),
    ("column without a name", |project| project.edit(CUSTOMERS, "customerID,gender", "customerID,"), &["run"]),
    ("semicolons", |project| project.write(CUSTOMERS, project.read(CUSTOMERS).replace(',', ";")), &["run"]),
    (
        "type of an unknown column",
        |project| project.edit(PROJECT, "  key:", "  types: {tenur: integer}\n  key:"),
        &["run"],
    ),
    (
        "damaged Parquet",
        |project| {
            project.edit(PROJECT, "customers.csv", "customers.parquet");
            project.write("data/raw/customers.parquet", project.read(CUSTOMERS));
        },
        &["run"],
    ),
    ("positive class not said", |project| project.edit(PROJECT, ", positive: \"Yes\"", ""), &["run"]),
    ("two numbers for a target", |project| regression(project, "{column: SeniorCitizen}"), &["check"]),
    ("text for a number", |project| regression(project, "{column: Contract, task: regression}"), &["run"]),
    ("as many classes as customers", |project| regression(project, "{column: customerID, task: multiclass}"), &["run"]),
    (
        "negative weight",
        |project| {
            project.edit(PROJECT, "  key:", "  weight: tenure\n  key:");
            project.write(CUSTOMERS, format!("{HEADER}a,1,2.5,No\nb,-3,2.5,Yes\n"));
        },
        &["run"],
    ),
    (
        "no weight at all",
        |project| {
            project.edit(PROJECT, "  key:", "  weight: tenure\n  key:");
            project.write(CUSTOMERS, format!("{HEADER}a,0,2.5,No\nb,0,2.5,Yes\n"));
        },
        &["run"],
    ),
    (
        "missing keys",
        |project| {
            let table = project.read(CUSTOMERS);
            let first = table.lines().nth(1).and_then(|row| row.split(',').next()).unwrap();
            project.edit(CUSTOMERS, first, "");
        },
        &["run"],
    ),
    (
        "two rows",
        |project| {
            let table = project.read(CUSTOMERS);
            let rows = ["No", "Yes"].map(|label| table.lines().find(|row| row.ends_with(label)).unwrap());
            project.write(CUSTOMERS, format!("{}\n{}\n", table.lines().next().unwrap(), rows.join("\n")));
        },
        &["run"],
    ),
    ("key absent", |project| project.edit(PROJECT, "key: customerID", "key: customerId2"), &["run"]),
    (
        "unknown column left out of drift",
        |project| project.write(PROJECT, format!("{}drift: {{leave_out: [tenur]}}\n", project.read(PROJECT))),
        &["check"],
    ),
    (
        "drift against no file",
        |project| {
            project.write(PROJECT, format!("{}drift: {{against: data/raw/custmers.csv}}\n", project.read(PROJECT)))
        },
        &["run"],
    ),
    (
        "drift that ends the run",
        |project| {
            let before: String = (1..100).map(|row| format!("{},{}\n", row % 4, row % 7)).collect();
            project.write("before.csv", format!("tenure,MonthlyCharges\n{before}"));
            let section = "drift: {against: before.csv, on_drift: stop}";
            project.write(PROJECT, format!("{}{section}\n", project.read(PROJECT)));
        },
        &["run"],
    ),
];
