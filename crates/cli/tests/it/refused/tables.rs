//! What is wrong with the table.

use super::{Case, FEATURES, HEADER, LABELS, PROJECT, SCHEMA, digits, regression};
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
    (
        "images that cannot be used",
        |project| {
            digits(project);
            let whole = std::fs::read(project.path("data/raw/images/000001.png")).unwrap();
            let write = |name: &str, bytes: &[u8]| project.write(&format!("data/raw/images/{name}"), bytes);
            let wrong: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 60)).collect();
            let mut bomb = whole.clone();
            // The header with its checksum, as a bomb has it.
            bomb[16..33].copy_from_slice(b"\0\0\xea\x60\0\0\xea\x60\x08\0\0\0\0\xa5\xb9\x2a\x9e");
            write("cut.png", &whole[..70]);
            write("wrong.png", &wrong);
            write("bomb.png", &bomb);
            write("photo.png", b"\xff\xd8\xff\xe0 a photo");
            write("text.png", b"no image");
            std::fs::create_dir(project.path("data/raw/images/folder.png")).unwrap();
            let names = ["cut", "wrong", "bomb", "photo", "text", "folder", "absent"];
            names.iter().enumerate().for_each(|(row, name)| {
                project.edit(LABELS, &format!("{row:06}.png"), &format!("{name}.png"));
            });
            project.edit(LABELS, "images/000007.png", "../../trainyard.yaml");
        },
        &["run"],
    ),
    (
        "image that is not there",
        |project| {
            digits(project);
            std::fs::remove_file(project.path("data/raw/images/000017.png")).unwrap();
        },
        &["check"],
    ),
    (
        "column of a pixel's name",
        |project| {
            digits(project);
            project.edit(LABELS, "digit", "path_8x8_7_0");
            project.edit(PROJECT, "column: digit", "column: path_8x8_7_0");
        },
        &["run"],
    ),
    (
        "misspelt column of images",
        |project| {
            digits(project);
            project.write(FEATURES, "groups:\n  - image: {column: paht, size: [8, 8]}\n");
        },
        &["run"],
    ),
    (
        "images in a column of numbers",
        |project| {
            digits(project);
            project.write(FEATURES, "groups: [{image: {column: id, size: [8, 8]}}]\n");
        },
        &["run"],
    ),
    (
        "images in a derived column",
        |project| {
            digits(project);
            let image = "image: {column: file, size: [8, 8]}";
            project.write(FEATURES, format!("columns: {{file: \"concat(path, '.png')\"}}\ngroups: [{{{image}}}]\n"));
        },
        &["run"],
    ),
    (
        "images of no pixel and of too many",
        |project| {
            digits(project);
            let image = |rest: &str| format!("  - image: {{column: path, {rest}}}\n");
            let groups = ["size: [0, 8]", "size: [400, 300]", "size: [200, 200], mode: rgb", "size: 8", "mode: grey"];
            project.write(FEATURES, format!("groups:\n{}", groups.map(image).concat()));
        },
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
