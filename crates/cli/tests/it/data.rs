//! `trainyard data`: tables beside one another.

use crate::project::{CUSTOMERS, Project};
use crate::text;

#[test]
fn drift_is_told_for_people_and_for_programs() {
    let project = Project::with_rows(1200);
    let moved = |line: (usize, &str)| {
        let mut cells: Vec<String> = line.1.split(',').map(str::to_owned).collect();
        if line.0 > 0 {
            // The column after the truth values of a customer.
            cells[5] = (cells[5].parse::<u32>().unwrap() + 30).to_string();
        }
        cells.join(",") + "\n"
    };
    let table = project.read(CUSTOMERS);
    assert_eq!(table.split(',').nth(5), Some("tenure"));
    project.write("moved.csv", table.lines().enumerate().map(moved).collect::<String>());
    let report = project.json(&["data", "drift", CUSTOMERS, "moved.csv", "--target", "Churn", "--test", "ks"]);
    assert_eq!((report["drifted"].as_u64(), report["drift"].as_bool()), (Some(1), Some(false)));
    assert_eq!(
        (report["target_drift"].as_bool(), report["current"]["file"].as_str()),
        (Some(false), Some("moved.csv"))
    );
    let tenure = report["columns"].as_array().unwrap().iter().find(|column| column["column"] == "tenure").unwrap();
    assert_eq!((&tenure["tests"][0]["test"], &tenure["tests"][1]["test"]), (&"wasserstein".into(), &"ks".into()));
    // Of the column alone the data has drifted.
    let alone = ["data", "drift", CUSTOMERS, "moved.csv", "--column", "tenure", "--html", "drift.html"];
    let output = project.call(&alone);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("1 of 1 column drifted, a share of 1.000 (limit 0.5): the data has drifted"));
    assert!(project.read("drift.html").contains("Distribution of tenure"));
    let refused = project.call(&[&alone[..], &["--refuse"]].concat());
    assert_eq!(refused.status.code(), Some(3));
    let calm = project.call(&["data", "drift", CUSTOMERS, CUSTOMERS, "--refuse"]);
    assert_eq!(calm.status.code(), Some(0), "{}", text(&calm.stdout));
}
