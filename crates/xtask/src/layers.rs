//! The layers: what each crate may use, held against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::{Outcome, root};

/// Compares the table in ARCHITECTURE.md with the normal dependencies of every crate.
pub(crate) fn check() -> Outcome {
    let text =
        std::fs::read_to_string(root().join("ARCHITECTURE.md")).map_err(|error| format!("ARCHITECTURE.md: {error}"))?;
    let allowed = table(&text);
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let Some(name) = package["name"].as_str().and_then(|name| name.strip_prefix("trainyard-")) else { continue };
        let Some(may) = allowed.get(name) else {
            problems.push(format!("crate {name} is not in ARCHITECTURE.md's table of layers"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(used) = dependency["name"].as_str().and_then(|name| name.strip_prefix("trainyard-")) else {
                continue;
            };
            if dependency["kind"].is_null() && !may.contains(used) {
                problems.push(format!("{name} uses {used}, which its layer may not"));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n       ")) }
}

/// Reads rows of the form `| name | may use |` between the two marks.
fn table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let inside = text.split("<!-- layers -->").nth(1).unwrap_or_default();
    let rows = inside.lines().filter_map(|line| {
        let mut cells = line.trim().trim_matches('|').split('|').map(str::trim);
        let (name, may) = (cells.next()?.trim_matches('`'), cells.next()?);
        let may = may.split([' ', ',']).map(|word| word.trim_matches('`').to_owned()).filter(|word| !word.is_empty());
        Some((name.to_owned(), may.collect()))
    });
    rows.collect()
}
