//! What the embedded store of runs costs, deed by deed; `benches/peers/tracking.py` does the same with MLflow's server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use trainyard_files::{DiskIo, ObjectStore};
use trainyard_tracking::{Batch, EmbeddedStore, Metric, NewRun, Search, Status, Tracking, parse_filter, parse_order};

use crate::Told;
use crate::tune::cpu_seconds;

/// How many metrics a batch has, and how often each deed is done.
const METRICS: usize = 1_000;
const BATCHES: usize = 20;
const RUNS: usize = 100;
const SEARCHES: usize = 20;
/// How many runs are searched, how many of them are wanted, and what each has.
const SEARCHED: usize = 10_000;
const WANTED: usize = 100;
const METRICS_EACH: usize = 10;
const PARAMS_EACH: usize = 5;

const FILTER: &str = "metrics.m0 > 0.2 and params.p0 = 'v1' and tags.team = 'growth'";
const ORDER: &str = "metrics.m0 desc";

/// Does one deed in a store that this folder holds, and tells the milliseconds of each.
pub(crate) fn measure(deed: &str, folder: &Path) -> Told {
    let objects = Arc::new(ObjectStore::open(Arc::new(DiskIo), folder.join("objects")));
    let store = EmbeddedStore::open(folder, objects).map_err(|error| error.to_string())?;
    let times = match deed {
        "batch" => BATCHES,
        "create" => RUNS,
        "search" => SEARCHES,
        other => return Err(format!("there is no deed {other}; there are batch, create and search")),
    };
    if deed == "batch" {
        store.start_run(&new_run("batches", 0)).map_err(|error| error.to_string())?;
    }
    if deed == "search" {
        fill(&store)?;
    }
    let search = Search {
        conditions: parse_filter("filter", FILTER).map_err(|error| error.diagnostic().title)?,
        order: parse_order("order", ORDER).map_err(|error| error.diagnostic().title)?,
        limit: WANTED,
    };
    let mut found = Vec::new();
    let (cpu, wall) = (cpu_seconds()?, Instant::now());
    for time in 0..times {
        let done = match deed {
            "batch" => store.log_metrics("batches", &batch(time)),
            "create" => store.start_run(&new_run(&format!("run-{time}"), time)),
            _ => store.search(&search).map(|runs| found = runs),
        };
        done.map_err(|error| error.to_string())?;
    }
    let each = |seconds: f64| seconds * 1e3 / times as f64;
    let (cpu, wall) = (each(cpu_seconds()? - cpu), each(wall.elapsed().as_secs_f64()));
    let ids: Vec<&str> = found.iter().map(|run| run.run.as_str()).collect();
    Ok(json!({"cpu_ms": cpu, "wall_ms": wall, "found": ids}))
}

fn new_run(run: &str, number: usize) -> NewRun {
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    NewRun {
        run: run.to_owned(),
        experiment: "bench".to_owned(),
        name: format!("run {number}"),
        tags: BTreeMap::from([
            tag("team", if number.is_multiple_of(2) { "growth" } else { "risk" }),
            tag("mlflow.user", "ada"),
        ]),
        started_ms: 1_700_000_000_000 + number as i64,
    }
}

fn metric(key: String, value: f64, step: usize) -> Metric {
    Metric { key, value, step: step as i64, timestamp_ms: 1_700_000_000_000 }
}

/// Gives the metrics of one batch: ten names of a hundred steps each.
fn batch(time: usize) -> Vec<Metric> {
    let steps = METRICS / 10;
    (0..METRICS).map(|at| metric(format!("m{}", at / steps), at as f64, time * steps + at % steps)).collect()
}

/// Writes the runs that are searched.
fn fill(store: &EmbeddedStore) -> Result<(), String> {
    for number in 0..SEARCHED {
        let run = format!("run-{number:05}");
        // Spread over the runs, so that the best are neither the first nor the last.
        let value = |at: usize| ((number * 7919 + at * 104_729) % SEARCHED) as f64 / SEARCHED as f64;
        let batch = Batch {
            start: Some(new_run(&run, number)),
            params: (0..PARAMS_EACH).map(|at| (format!("p{at}"), format!("v{}", number / 2 % 3 + at))).collect(),
            metrics: (0..METRICS_EACH).map(|at| metric(format!("m{at}"), value(at), 0)).collect(),
            end: Some(trainyard_tracking::End { status: Status::Finished, ended_ms: 1_800_000_000_000, reason: None }),
            ..Batch::default()
        };
        store.log_batch(&run, &batch).map_err(|error| error.to_string())?;
    }
    Ok(())
}
