//! `trainyard data`: what a table holds, and tables beside one another.

use serde_json::json;

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

#[test]
fn what_can_no_longer_be_compared_has_drifted() {
    let project = Project::with_rows(600);
    let emptied = |(at, line): (usize, &str)| match at {
        0 => format!("{line}\n"),
        // The key and the target stay.
        _ => {
            let cells: Vec<&str> = line.split(',').collect();
            let last = cells.len() - 1;
            let kept = cells.iter().enumerate().map(|(at, cell)| if at == 0 || at == last { cell } else { "" });
            kept.collect::<Vec<_>>().join(",") + "\n"
        }
    };
    project.write("emptied.csv", project.read(CUSTOMERS).lines().enumerate().map(emptied).collect::<String>());
    let command = ["data", "drift", CUSTOMERS, "emptied.csv", "--refuse", "--html", "drift.html"];
    let output = project.call(&command);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("19 of 21 columns drifted") || said.contains("19 of 21 drifted"), "{said}");
    // They stand among the columns, in the order of the table, and are no longer "not compared".
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    let at = |column: &str| lines.iter().position(|line| line.get(1) == Some(&column)).unwrap();
    assert_eq!(lines[at("tenure")].join(" "), "✗ tenure numeric no value in the current table", "{said}");
    assert!(at("customerID") < at("tenure") && at("tenure") < at("Churn") && !said.contains("not compared"), "{said}");
    let page = project.read("drift.html");
    let row = "<tr><td>tenure<td>numeric<td class=\"bad\" colspan=\"3\">no value in the current table";
    assert!(page.contains(row) && !page.contains("Not compared"), "{page}");
    let document = project.call(&[&command[..5], &["--json"]].concat());
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).unwrap();
    let broken = |list: &str| {
        let columns = document[list].as_array().unwrap();
        columns.iter().find(|column| column["column"] == "tenure").unwrap().clone()
    };
    let why = "no value in the current table";
    let expected = json!({"column": "tenure", "is_target": false, "kind": "numeric", "drifted": true, "why": why});
    assert_eq!(broken("broken"), expected);
    assert_eq!(broken("left_out"), json!({"column": "tenure", "why": why, "is_broken": true}));
}

#[test]
fn a_project_says_how_its_tables_are_read() {
    let project = Project::with_rows(600);
    let marked = |(at, line): (usize, &str)| match at {
        580 => {
            let mut cells: Vec<&str> = line.split(',').collect();
            cells[5] = "?";
            cells.join(";") + "\n"
        }
        _ => line.replace(',', ";") + "\n",
    };
    project.write("marked.csv", project.read(CUSTOMERS).lines().enumerate().map(marked).collect::<String>());
    project.edit("trainyard.yaml", "data:\n", "data:\n  missing: [\"?\"]\n  delimiter: \";\"\n");
    let profile = project.json(&["data", "profile", "marked.csv"]);
    let tenure = profile["columns"].as_array().unwrap().iter().find(|column| column["column"] == "tenure").unwrap();
    assert_eq!((&tenure["type"], &tenure["missing"], &tenure["notes"]), (&json!("integer"), &json!(1), &json!([])));
    let report = project.json(&["data", "drift", "marked.csv", "marked.csv"]);
    assert_eq!((&report["drifted"], &report["compared"]), (&json!(0), &json!(21)));
}

#[test]
fn a_profile_is_told_for_people_and_for_programs() {
    let project = Project::with_rows(1200);
    let customers = project.read(CUSTOMERS);
    // A column that is filled in when a customer leaves, and one that breaks its type late.
    let more = |(at, line): (usize, &str)| {
        let left = if line.ends_with(",Yes") { "2024-03-01" } else { "" };
        match at {
            0 => format!("{line},ClosedOn,Visits\n"),
            1150 => format!("{line},{left},\"1,150\"\n"),
            _ => format!("{line},{left},{at}\n"),
        }
    };
    project.write("closed.csv", customers.lines().enumerate().map(more).collect::<String>());
    let command = ["data", "profile", "closed.csv", "--target", "Churn", "--html", "profile.html"];
    let output = project.call(&command);
    let said = text(&output.stdout);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    for told in [
        "Profile   closed.csv: 1,200 rows × 23 columns",
        "  · customerID: a value of its own in every row\n",
        "  · Visits: the first values are whole numbers, but 1 is not, first \"1,150\" in row 1,150: a run refuses",
        "No row occurs twice.",
        "suspects     ClosedOn alone predicts Churn: roc_auc 1.000 (from 0.95 on)\n",
        "by 1,200 rows, each predicted by the others",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
    let page = project.read("profile.html");
    assert!(page.contains("Distribution of tenure") && page.contains("ClosedOn"));
    let document = project.json(&command[..5]);
    assert_eq!((&document["file"], &document["rows"]), (&json!("closed.csv"), &json!(1200)));
    let column = |name: &str| {
        document["columns"].as_array().unwrap().iter().find(|column| column["column"] == name).unwrap().clone()
    };
    assert_eq!((&column("tenure")["type"], &column("Visits")["notes"][0]["about"]), (&json!("integer"), &json!("key")));
    assert_eq!(column("Churn")["is_target"], json!(true));
    let suspects: Vec<_> = document["target"]["predictors"]["columns"].as_array().unwrap().iter().collect();
    assert_eq!((&suspects[0]["column"], &suspects[0]["suspect"]), (&json!("ClosedOn"), &json!(true)));
    assert_eq!(suspects[1]["suspect"], json!(false));
    // A file without a target, in another form.
    let plain = project.json(&["data", "profile", CUSTOMERS]);
    assert_eq!((plain.get("target"), &plain["duplicates"]["rows"]), (None, &json!(0)));
}
