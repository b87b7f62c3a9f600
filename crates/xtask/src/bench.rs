//! Trainyard beside its peers on this machine: runs both in turn and writes the tables of `docs/benchmarks.md`.

mod data;
mod floor;
mod learning;
mod measure;
mod places;
mod quality;
mod tables;
mod tracking;
mod tune;
mod versioning;

use std::fs;
use std::path::Path;

use crate::{Outcome, call, root, say};
use measure::{Taken, in_turn};
use places::Places;
use tables::{Size, beside, by_step, per_row};

/// What is measured when nothing is named; `rows-large` takes long and much memory, and must be asked for.
const USUAL: [&str; 11] =
    ["version", "cached", "cold", "where", "rows", "learning", "data", "tune", "versioning", "quality", "tracking"];

/// Measures what `names` say, or all but `rows-large`, and writes the tables.
pub(crate) fn run(names: &[&str]) -> Outcome {
    let names = if names.is_empty() { &USUAL[..] } else { names };
    if let Some(unknown) = names.iter().find(|name| !USUAL.contains(name) && **name != "rows-large") {
        return Err(format!("there is no benchmark {unknown}; there are {} and rows-large", USUAL.join(", ")));
    }
    let places = Places::ready()?;
    for name in names {
        say(&format!("→ bench {name}"));
        let machine = places.machine();
        let table = match *name {
            "version" => version(&places)?,
            "cached" => cached(&places)?,
            "cold" => cold(&places)?,
            "where" => whereabouts(&places)?,
            "rows" => rows(&places, &[10_000, 100_000, 1_000_000])?,
            "learning" => {
                call("cargo", &["build", "--release", "--locked", "--quiet", "-p", "trainyard-stages"], &[])?;
                learning::measured(&places)?
            }
            "data" => {
                call("cargo", &["build", "--release", "--locked", "--quiet", "-p", "trainyard-stages"], &[])?;
                data::measured(&places)?
            }
            "tune" => {
                call("cargo", &["build", "--release", "--locked", "--quiet", "-p", "trainyard-stages"], &[])?;
                tune::measured(&places)?
            }
            "versioning" => versioning::measured(&places)?,
            "quality" => quality::measured(&places)?,
            "tracking" => {
                call("cargo", &["build", "--release", "--locked", "--quiet", "-p", "trainyard-stages"], &[])?;
                tracking::measured(&places)?
            }
            _ => rows(&places, &[10_000_000])?,
        };
        say(&table);
        publish(&root().join("docs/benchmarks.md"), name, &format!("{table}\n{machine}\n"))?;
    }
    Ok(())
}

/// Replaces what stands between the markers of `name`.
fn publish(page: &Path, name: &str, text: &str) -> Outcome {
    let before = fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let marker = format!("<!-- bench {name} -->\n");
    let parts: Vec<&str> = before.split(&marker).collect();
    let [above, _, below] = parts.as_slice() else {
        return Err(format!("{} has no two lines {}", page.display(), marker.trim_end()));
    };
    let after = format!("{above}{marker}\n{text}\n{marker}{below}");
    fs::write(page, after).map_err(|error| format!("{}: {error}", page.display()))
}

fn version(places: &Places) -> Result<String, String> {
    let (ours, peer) = in_turn(
        20,
        || measure::take(places.trainyard().arg("--version")),
        || measure::take(places.peer("dvc").arg("--version")),
    )?;
    Ok(beside("trainyard --version", &ours, "dvc --version", &peer))
}

fn cached(places: &Places) -> Result<String, String> {
    let project = places.project("cached", None)?;
    let ours = || measure::take(places.trainyard().arg("run").arg(&project));
    let repository = places.dvc_repository("cached-dvc")?;
    let peer = || measure::take(places.peer("dvc").arg("repro").current_dir(&repository));
    // The second run compares with the model that the first one promoted; from the third on nothing changes.
    for _ in 0..2 {
        ours()?;
    }
    peer()?;
    let (ours, peer) = in_turn(10, ours, peer)?;
    Ok(beside("trainyard run", &ours, "dvc repro", &peer))
}

fn cold(places: &Places) -> Result<String, String> {
    let (ours, peer) = cold_runs(places, 5)?;
    Ok(beside("trainyard run", &ours, "churn.py", &peer))
}

fn cold_runs(places: &Places, times: usize) -> Result<(Vec<Taken>, Vec<Taken>), String> {
    let data = places.customers()?;
    in_turn(
        times,
        || measure::take(places.trainyard().args(["run", "--json"]).arg(places.project("cold", None)?)),
        || measure::take(&mut places.churn(&data, &places.fresh("cold-peer")?)),
    )
}

fn whereabouts(places: &Places) -> Result<String, String> {
    let (ours, peer) = cold_runs(places, 5)?;
    let left = places.project("where", None)?;
    measure::take(places.trainyard().arg("run").arg(&left))?;
    let floor = floor::measured(&places.customers()?, &left, &places.fresh("floor")?, &peer)?;
    Ok(format!("{}\n{floor}", by_step(&ours, &peer)?))
}

fn rows(places: &Places, sizes: &[u64]) -> Result<String, String> {
    // Beyond this the peer takes minutes for each run.
    let peers_largest = 100_000;
    let mut measured = Vec::new();
    for &size in sizes {
        let data = places.synthetic(size)?;
        let ours = measure::take(
            places.trainyard().args(["run", "--json"]).arg(places.project(&format!("rows-{size}"), Some(&data))?),
        )?;
        let peer = match size <= peers_largest {
            true => Some(measure::take(&mut places.churn(&data, &places.fresh("rows-peer")?))?),
            false => None,
        };
        measured.push(Size { rows: size, ours, peer });
    }
    per_row(&measured)
}
