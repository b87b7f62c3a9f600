//! Through a whole run: what the reference test holds does not reach the candidate.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use tempfile::TempDir;
use trainyard_data::ReadOptions;
use trainyard_files::DiskIo;
use trainyard_pipeline::{Cancel, Silent, run};

use crate::shop;

const ROWS: i64 = 500;

/// Makes a project of rows that all differ; those that `is_changed` names have other values and the other class.
fn project(is_changed: impl Fn(i64) -> bool) -> TempDir {
    let mut table = String::from("id,size,colour,bought\n");
    for row in 0..ROWS {
        let changed = is_changed(row);
        let size = (row * 7919 % 10_007) as f64 / 100.0;
        let colour = if changed { "violet" } else { ["red", "green", "blue"][row as usize % 3] };
        let bought = (size + (row * 13 % 29) as f64 > 60.0) != changed;
        let size = if changed { size * -1000.0 - 1.0 } else { size };
        table.push_str(&format!("{row},{size},{colour},{}\n", if bought { "yes" } else { "no" }));
    }
    let folder = shop::project_of(&table);
    // The classes of the rows would otherwise say which of them are drawn.
    let split = folder.path().join("shop/versions/splits/v1.yaml");
    let text = fs::read_to_string(&split).unwrap();
    fs::write(split, text.replace("stratify: true", "stratify: false")).unwrap();
    folder
}

/// Runs the project; gives the candidate's digest and the keys of the reference test.
fn judged(project: &TempDir) -> (String, BTreeSet<i64>) {
    let root = project.path().join("shop");
    let result = run(&shop::request(&root), Arc::new(Silent), &Cancel::default()).unwrap();
    let path = root.join("data/reference/tests/v1/test_reference.parquet");
    let table = trainyard_data::read(&DiskIo, &path, "the reference", &ReadOptions::default()).unwrap();
    let keys = table.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().iter().copied().collect();
    (result.candidate["digest"].as_str().unwrap().to_owned(), keys)
}

#[test]
fn no_value_and_no_target_of_the_reference_test_reaches_the_candidate() {
    let (digest, reference) = judged(&project(|_| false));
    assert!((90..=110).contains(&reference.len()), "{}", reference.len());
    assert_eq!(judged(&project(|row| reference.contains(&row))), (digest.clone(), reference.clone()));
    // The same change of as many other rows is seen.
    let others: BTreeSet<i64> = (0..ROWS).filter(|row| !reference.contains(row)).take(reference.len()).collect();
    let (other, same) = judged(&project(|row| others.contains(&row)));
    assert!(other != digest && same == reference);
}
