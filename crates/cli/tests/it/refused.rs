//! Bad input: what is said, with which exit code, and that nothing is written. Each message is recorded in `tests/refused`;
//! `TRAINYARD_BLESS=1` writes them anew.

use std::fs;

use crate::project::{CUSTOMERS, Project, REFERENCE};
use crate::text;

const PROJECT: &str = "trainyard.yaml";
const SPLIT: &str = "versions/splits/v1.yaml";
const FEATURES: &str = "versions/features/v1.yaml";
const MODEL: &str = "versions/models/v1.yaml";
const HEADER: &str = "customerID,tenure,MonthlyCharges,Churn\n";

/// A name, what is done to a project, and the command that is refused then.
type Case = (&'static str, fn(&Project), &'static [&'static str]);

/// What is wrong with the table.
const TABLES: &[Case] = &[
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
    ("key absent", |project| project.edit(PROJECT, "key: customerID", "key: customerId2"), &["run"]),
];

/// What is wrong with a specification.
const SPECS: &[Case] = &[
    ("unknown key", |project| project.edit(PROJECT, "active:", "activ:"), &["run"]),
    ("unknown key in a version", |project| project.edit(SPLIT, "stratify:", "stratifed:"), &["run"]),
    ("no yaml", |project| project.edit(MODEL, "candidates:", "candidates: ["), &["run"]),
    ("no project", |project| fs::remove_file(project.path(PROJECT)).unwrap(), &["run"]),
    ("shares above 1", |project| project.edit(SPLIT, "train: 0.6", "train: 0.7"), &["run"]),
    (
        "split settings that exclude each other",
        |project| project.edit(SPLIT, "stratify: true", "stratify: true\nby_group: Contract\nby_time: tenure"),
        &["run"],
    ),
    ("split by the target", |project| project.edit(SPLIT, "stratify: true", "by_group: Churn"), &["run"]),
    ("split by groups of one row", |project| project.edit(SPLIT, "stratify: true", "by_group: customerID"), &["run"]),
    ("split by an unknown column", |project| project.edit(SPLIT, "stratify: true", "by_group: Contrakt"), &["run"]),
    ("split by what has no time", |project| project.edit(SPLIT, "stratify: true", "by_time: Contract"), &["run"]),
    (
        "split by missing values",
        |project| {
            project.edit(CUSTOMERS, ",Month-to-month,", ",,");
            project.edit(SPLIT, "stratify: true", "by_group: Contract");
        },
        &["run"],
    ),
    (
        "borders in the wrong order",
        |project| {
            project.write(SPLIT, "by_time: {column: tenure, validation_from: 60, reference_test_from: 48}\n");
        },
        &["run"],
    ),
    (
        "borders and shares",
        |project| project.edit(SPLIT, "stratify: true", "by_time: {column: tenure, reference_test_from: 48}"),
        &["run"],
    ),
    ("misspelt column in a group", |project| project.edit(FEATURES, "[SeniorCitizen]", "[SeniorCitizn]"), &["run"]),
    (
        "misspelt column in SQL",
        |project| project.edit(FEATURES, "tenure * MonthlyCharges", "tenure * MonthlyCharge"),
        &["run"],
    ),
    ("SQL that does not parse", |project| project.edit(FEATURES, "tenure * Month", "tenure * * Month"), &["run"]),
    (
        "SQL that fails on a row",
        |project| project.edit(FEATURES, "tenure * MonthlyCharges", "CAST(Contract AS INTEGER)"),
        &["run"],
    ),
    (
        "SQL that reads the target",
        |project| project.edit(FEATURES, "tenure * MonthlyCharges", "CASE WHEN Churn = 'Yes' THEN 1 ELSE 0 END"),
        &["run"],
    ),
    ("window function", |project| project.edit(FEATURES, "tenure * MonthlyCharges", "AVG(tenure) OVER ()"), &["run"]),
    ("clock", |project| project.edit(FEATURES, "tenure * MonthlyCharges", "year(now())"), &["run"]),
    ("chance", |project| project.edit(FEATURES, "tenure * MonthlyCharges", "tenure * random()"), &["run"]),
    ("aggregate", |project| project.edit(FEATURES, "fitted_median(Monthly", "AVG(Monthly"), &["run"]),
    (
        "many at once",
        |project| {
            project.edit(PROJECT, "when: better", "when: beter");
            project.edit(SPLIT, "train: 0.6", "train: 0.7");
            project.edit(FEATURES, "[SeniorCitizen]", "[SeniorCitizn]");
            project.edit(MODEL, "max_leaf_nodes", "max_leafs");
        },
        &["check"],
    ),
];

/// What is wrong with a version that was used or is asked for.
const VERSIONS: &[Case] = &[
    ("unknown version", |_| {}, &["run", "--features", "7"]),
    ("unknown active version", |project| project.edit(PROJECT, "model: 1}", "model: 3}"), &["run"]),
    ("retired version", |project| project.write(MODEL, format!("status: retired\n{}", project.read(MODEL))), &["run"]),
    (
        "edited version",
        |project| {
            used(project);
            project.edit(FEATURES, "min_frequency: 10", "min_frequency: 11");
        },
        &["run"],
    ),
    (
        "edited split",
        |project| {
            used(project);
            project.edit(SPLIT, "seed: 42", "seed: 43");
        },
        &["run"],
    ),
    (
        "other target under a used split",
        |project| {
            used(project);
            project.edit(PROJECT, "column: Churn,", "column: PaperlessBilling,");
        },
        &["run"],
    ),
    (
        "other positive class under a used split",
        |project| {
            used(project);
            project.edit(PROJECT, "positive: \"Yes\"", "positive: \"No\"");
        },
        &["run"],
    ),
    (
        "altered reference",
        |project| {
            used(project);
            project.flip(REFERENCE);
        },
        &["run"],
    ),
    (
        "absent reference",
        |project| {
            used(project);
            fs::remove_file(project.path(REFERENCE)).unwrap();
        },
        &["run"],
    ),
    (
        "another data set under the same split",
        |project| {
            used(project);
            project.customers(1500, 99, CUSTOMERS);
        },
        &["run"],
    ),
    ("unknown environment", |_| {}, &["run", "--env", "strickt"]),
    ("unknown step", |_| {}, &["why", "trian"]),
    ("unknown run", |_| {}, &["verify", "7f3a"]),
    ("unknown model", |_| {}, &["predict", "--model", "churn", "--input", CUSTOMERS]),
    ("nothing to resume", |_| {}, &["resume"]),
];

/// Uses the versions in a run of a fixed name, as far as the split.
fn used(project: &Project) {
    for step in ["resolve", "ingest", "split", "features", "baseline", "train"] {
        project.json(&["step", step, "--run", "nightly"]);
    }
    fs::remove_dir_all(project.path(".trainyard")).unwrap();
}

/// Puts fixed words in the places of the run's own name and of the seconds that steps took.
fn without_the_run(said: &str) -> String {
    let Some(run) = said.lines().find_map(|line| line.strip_prefix("Running   ")) else { return said.to_owned() };
    let timeless = |line: &str| match line.rsplit_once(' ') {
        Some((start, end))
            if line.starts_with("  ") && end.ends_with('s') && end.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            format!("{start} TIME\n")
        }
        _ => format!("{line}\n"),
    };
    said.replace(run, "RUN").lines().map(timeless).collect()
}

fn compare(cases: &[Case]) {
    let folder = trainyard_judges::crate_folder().join("tests/refused");
    let mut wrong = Vec::new();
    for (name, spoil, command) in cases {
        let project = Project::new();
        spoil(&project);
        let before = project.files();
        let output = project.call(command);
        let errors = without_the_run(&text(&output.stderr));
        let code = output.status.code().unwrap();
        let said = format!("$ trainyard {}\n{}{errors}(exit code {code})\n", command.join(" "), text(&output.stdout));
        if errors.contains("nothing was written") != (project.files() == before) {
            wrong.push(format!("{name}: what it says of what was written is not true:\n{said}"));
        }
        let path = folder.join(format!("{}.txt", name.replace(' ', "_")));
        if std::env::var_os("TRAINYARD_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &said).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(said.as_str()) {
            wrong.push(format!("{name}:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nTRAINYARD_BLESS=1 takes what was found", wrong.join("\n"));
}

#[test]
fn a_wrong_table_is_explained() {
    compare(TABLES);
}

#[test]
fn a_wrong_specification_is_explained() {
    compare(SPECS);
}

#[test]
fn a_wrong_version_is_explained() {
    compare(VERSIONS);
}
