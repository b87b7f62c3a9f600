//! The quality of boosted trees on real tables beside LightGBM's, with the same parameters, folds and categories.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use super::places::Places;
use crate::{call, judges};

/// The tables, which are also the tests that measure them.
const TABLES: [&str; 8] =
    ["churn", "adult", "german_credit", "breast_cancer", "wine", "digits", "california_housing", "bike_sharing"];

/// Measures every table by the tests that judge the quality, and gives the table.
///
/// A test that fails has written what it measured, which the table then shows.
pub(super) fn measured(places: &Places) -> Result<String, String> {
    let folder = places.fresh("quality")?;
    let arguments = ["nextest", "run", "--release", "--locked", "--no-fail-fast", "-p", "trainyard-learn", "quality::"];
    judges::make()?;
    let judges = judges::folder();
    let environment = [
        ("TRAINYARD_QUALITY", folder.as_os_str()),
        ("TRAINYARD_JUDGES", judges.as_os_str()),
        ("TRAINYARD_REQUIRE_JUDGES", OsStr::new("1")),
    ];
    let judged = call("cargo", &arguments, &environment);
    let mut table =
        "| data | rows × columns | metric | fits | trainyard | LightGBM | better by, in standard errors |\n\
                     |---|---:|---|---:|---:|---:|---:|\n"
            .to_owned();
    for name in TABLES {
        let Ok(text) = fs::read_to_string(folder.join(format!("{name}.json"))) else {
            judged?;
            return Err(format!("the test `quality::{name}` measured nothing"));
        };
        let told: Value = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        line(&mut table, name, &told);
    }
    Ok(table)
}

fn line(table: &mut String, name: &str, told: &Value) {
    let list =
        |side: &str| -> Vec<f64> { told[side].as_array().into_iter().flatten().filter_map(Value::as_f64).collect() };
    let (ours, theirs) = (list("ours"), list("theirs"));
    let metric = told["metric"].as_str().unwrap_or_default();
    let sign = if metric == "roc_auc" { 1.0 } else { -1.0 };
    let better: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| sign * (ours - theirs)).collect();
    let (mean, deviation) = spread(&better);
    let errors = mean / (deviation / (better.len() as f64).sqrt());
    let side = |values: &[f64]| {
        let (mean, deviation) = spread(values);
        if mean < 10.0 { format!("{mean:.4} ± {deviation:.4}") } else { format!("{mean:.2} ± {deviation:.2}") }
    };
    let _ = writeln!(
        table,
        "| {name} | {} × {} | {metric} | {} | {} | {} | {errors:+.1} |",
        told["rows"],
        told["columns"],
        ours.len(),
        side(&ours),
        side(&theirs),
    );
}

/// Gives the mean and the standard deviation of a sample.
fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_told_in_its_own_standard_errors() {
        let mut table = String::new();
        let told = json!({
            "rows": 9, "columns": 2, "metric": "rmse", "ours": [1.0, 2.0, 3.0], "theirs": [1.1, 2.2, 3.3],
        });
        line(&mut table, "made", &told);
        assert_eq!(table, "| made | 9 × 2 | rmse | 3 | 2.0000 ± 1.0000 | 2.2000 ± 1.1000 | +3.5 |\n");
    }
}
