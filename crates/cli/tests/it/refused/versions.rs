//! What is wrong with a version that was used or is asked for.

use std::fs;

use super::{Case, FEATURES, MODEL, PROJECT, SPLIT, used};
use crate::project::{CUSTOMERS, REFERENCE};

pub(super) const CASES: &[Case] = &[
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
    (
        "new column under a used split",
        |project| {
            used(project);
            let table = project.read(CUSTOMERS);
            let (header, rows) = table.split_once('\n').unwrap();
            project.write(CUSTOMERS, format!("{header},region\n{}", rows.replace('\n', ",north\n")));
        },
        &["run"],
    ),
    (
        "reference that nobody knows",
        |project| {
            used(project);
            fs::remove_file(project.path("versions/lock.yaml")).unwrap();
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
