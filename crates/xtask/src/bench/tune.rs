//! What the search for parameters costs beside Optuna's and Rustuna's, and beside whole searches of the peers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::measure::{Taken, in_turn, take};
use super::places::{Places, finish};
use super::tables::Spread;
use crate::campaigns::copy_folder;
use crate::{judges, root, say};

/// The steps before `tune`, which both sides leave out of what is measured.
const BEFORE: [&str; 5] = ["resolve", "ingest", "split", "features", "baseline"];

/// Our samplers.
const SAMPLERS: [&str; 2] = ["tpe", "auto"];

/// A sampler of another library.
struct Sampled {
    library: &'static str,
    words: &'static str,
    /// How many times less one of ours is to cost; no goal where it is 0.
    goal: f64,
    /// Whether both sides write each trial to the disk.
    is_durable: bool,
    /// How often it is measured.
    times: usize,
}

const SAMPLED: [Sampled; 3] = [
    Sampled { library: "Rustuna", words: "rustuna", goal: 2.0, is_durable: false, times: 3 },
    Sampled { library: "Optuna", words: "optuna", goal: 0.0, is_durable: false, times: 1 },
    Sampled { library: "Optuna with SQLite, 200 trials", words: "durable", goal: 100.0, is_durable: true, times: 1 },
];

/// A search of the native engine beside one of the peers' scripts.
struct Searched {
    words: &'static str,
    /// The project in `benches/tune`.
    project: &'static str,
    /// The version of its model.
    version: u32,
    /// The peer's engine.
    engine: &'static str,
    /// How often both sides are measured, each time with other folds.
    times: usize,
}

const SEARCHED: [Searched; 3] = [
    Searched {
        words: "churn, XGBoost's space, 20 × 5 folds",
        project: "churn",
        version: 1,
        engine: "xgboost",
        times: 3,
    },
    Searched {
        words: "churn, LightGBM's space, 20 × 5 folds",
        project: "churn",
        version: 2,
        engine: "lightgbm",
        times: 3,
    },
    Searched {
        words: "e-mails, XGBoost's space, 20 × a hold-out",
        project: "spam",
        version: 1,
        engine: "xgboost",
        times: 1,
    },
];

/// The pruners that are measured, with what a search with each is to be faster by.
const PRUNERS: [(&str, f64); 3] = [("none", 5.0), ("median", 10.0), ("race", 10.0)];

/// Measures samplers, searches and the example, and gives the tables.
pub(super) fn measured(places: &Places) -> Result<String, String> {
    judges::install(&root().join("benches/peers/tune.txt"), &places.environment("peers-tune"))?;
    let samplers = sampled(places)?;
    let Some(peers) = places.shared("peers") else {
        say("skipped: the searches; TRAINYARD_SHARED names no folder with the peers' scripts");
        return Ok(samplers);
    };
    let searches = searched(places, &peers)?;
    let additions = additions(places)?;
    let example = example(places, &peers)?;
    Ok(format!("{samplers}\n{searches}\n{additions}\n{example}"))
}

/// Counts what a search adds to histograms, beside that without which its trees could not be.
fn additions(places: &Places) -> Result<String, String> {
    let customers = super::learning::data(places, "customers", &places.kept("learning")?)?;
    let machine = take(places.stages().arg("machine"))?;
    let search = take(places.stages().arg("search").arg(&customers))?;
    let of = |taken: &Taken, name: &str| taken.result[name].as_f64().unwrap_or(f64::NAN);
    let [made, least] = ["made", "additions"].map(|name| of(&search, name));
    let table = format!(
        "| the search alone, XGBoost's space, 20 × 5 folds | trees | additions made, billions | the floor, billions | \
         the machine's best for those made, s | the search, s |\n|---|---:|---:|---:|---:|---:|\n\
         | customers of `learn.py` | {} | {:.2} | {:.2} | {:.2} | {:.2} |\n",
        of(&search, "trees"),
        made / 1e9,
        least / 1e9,
        made / of(&machine, "additions_per_second"),
        of(&search, "seconds"),
    );
    say(table.lines().last().unwrap_or_default());
    Ok(table)
}

fn sampled(places: &Places) -> Result<String, String> {
    let mut table =
        "| a trial of ten numbers, mean of 1,000 | beside | cpu, ms | peer's cpu, ms | ratio | goal | wall, ms | \
                     peer's wall, ms | best loss | peer's |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for one in &SAMPLED {
        let mut of_ours: Vec<Vec<Taken>> = SAMPLERS.iter().map(|_| Vec::new()).collect();
        let mut of_peer = Vec::new();
        for _ in 0..one.times {
            for (sampler, taken) in SAMPLERS.iter().zip(&mut of_ours) {
                let mut command = places.stages();
                command.args(["tune", sampler]);
                if one.is_durable {
                    command.arg(places.fresh("tune-journal")?);
                }
                taken.push(take(&mut command)?);
            }
            let mut command = places.tune();
            command.arg(one.words);
            if one.is_durable {
                command.arg(places.fresh("tune-sqlite")?);
            }
            of_peer.push(take(&mut command)?);
        }
        for (sampler, ours) in SAMPLERS.iter().zip(&of_ours) {
            let line = sampler_line(sampler, one, ours, &of_peer);
            say(line.trim_end());
            table.push_str(&line);
        }
    }
    Ok(table)
}

fn sampler_line(sampler: &str, one: &Sampled, ours: &[Taken], peer: &[Taken]) -> String {
    let [cpu, wall, quality] =
        ["cpu_ms_per_trial", "wall_ms_per_trial", "quality"].map(|name| [ours, peer].map(|side| told(side, name)));
    let place = if one.is_durable { "on the disk" } else { "in memory" };
    let goal = if one.goal > 0.0 { one.goal.to_string() } else { "–".to_owned() };
    format!(
        "| `{sampler}`, {place} | {} | {} | {} | {:.1} | {goal} | {} | {} | {:.4} | {:.4} |\n",
        one.library,
        cpu[0],
        cpu[1],
        cpu[1].median / cpu[0].median,
        wall[0],
        wall[1],
        quality[0].median,
        quality[1].median,
    )
}

/// What one search took.
struct Took {
    wall: f64,
    cpu: f64,
    quality: f64,
    /// The peer's best setting with the same number of trees in each fold.
    steady: f64,
}

fn searched(places: &Places, peers: &Path) -> Result<String, String> {
    let mut table =
        "| search | pruner | wall, s | peer's wall, s | ratio | cpu, s | peer's cpu, s | ratio | goal | roc_auc | \
                     peer's roc_auc | peer's, steady |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for one in &SEARCHED {
        let Some(data) = data(places, one, peers)? else { continue };
        let mut of_ours: Vec<Vec<Took>> = PRUNERS.iter().map(|_| Vec::new()).collect();
        let mut of_peer = Vec::new();
        for seed in 1..=one.times {
            let mut rows = PathBuf::new();
            for (at, (pruner, _)) in PRUNERS.iter().enumerate() {
                let project = project(places, one, &data, pruner, seed)?;
                of_ours[at].push(our_search(places, one, &project)?);
                rows = project.join("data/splits/v1/train.parquet");
            }
            let mut command = places.tune();
            command.args([one.project, one.engine]).arg(peers).arg(&rows).arg(seed.to_string());
            let taken = take(&mut command)?;
            let of = |name: &str| taken.result[name].as_f64().unwrap_or(f64::NAN);
            let (wall, cpu) = (of("seconds"), of("cpu_seconds"));
            of_peer.push(Took { wall, cpu, quality: of("quality"), steady: of("steady") });
        }
        for ((pruner, goal), ours) in PRUNERS.iter().zip(&of_ours) {
            let line = search_line(one.words, pruner, *goal, ours, &of_peer);
            say(line.trim_end());
            table.push_str(&line);
        }
    }
    Ok(table)
}

fn search_line(words: &str, pruner: &str, goal: f64, ours: &[Took], peer: &[Took]) -> String {
    let of = |side: &[Took], figure: fn(&Took) -> f64| Spread::of(side.iter().map(figure));
    let mean = |side: &[Took], figure: fn(&Took) -> f64| side.iter().map(figure).sum::<f64>() / side.len() as f64;
    let [wall, cpu] =
        [(|took| took.wall) as fn(&Took) -> f64, |took| took.cpu].map(|figure| [of(ours, figure), of(peer, figure)]);
    format!(
        "| {words} | `{pruner}` | {} | {} | {:.1} | {} | {} | {:.1} | {goal} | {:.4} | {:.4} | {:.4} |\n",
        wall[0],
        wall[1],
        wall[1].median / wall[0].median,
        cpu[0],
        cpu[1],
        cpu[1].median / cpu[0].median,
        mean(ours, |took| took.quality),
        mean(peer, |took| took.quality),
        mean(peer, |took| took.steady),
    )
}

/// Finds the rows of a search; none, and a line that says so, where they are absent.
fn data(places: &Places, one: &Searched, peers: &Path) -> Result<Option<PathBuf>, String> {
    let file =
        if one.project == "churn" { "data/telco_churn/customers.csv" } else { "data/email_spam/emails.jsonl.gz" };
    let Some(path) = places.shared(file) else {
        say(&format!("skipped: {}; {file} is absent", one.words));
        return Ok(None);
    };
    if one.project == "churn" {
        return Ok(Some(path));
    }
    // Without duplicates and with dates read, as the peer reads them.
    let messages = places.fresh("tune-messages")?.join("messages.parquet");
    finish(places.tune().arg("messages").arg(peers).arg(path).arg(&messages))?;
    Ok(Some(messages))
}

/// Makes the project of a search, with this pruner and these folds.
fn project(places: &Places, one: &Searched, data: &Path, pruner: &str, seed: usize) -> Result<PathBuf, String> {
    let (from, folder) = (root().join("benches/tune").join(one.project), places.fresh("tune-project")?);
    copy_folder(&from, &folder)?;
    let problem = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let version = folder.join(format!("versions/models/v{}.yaml", one.version));
    let text = fs::read_to_string(&version).map_err(|error| problem(&version, error))?;
    let text =
        text.replace("pruner: none", &format!("pruner: {pruner}")).replace("seed: 1\n", &format!("seed: {seed}\n"));
    fs::write(&version, text).map_err(|error| problem(&version, error))?;
    let raw = folder.join("data/raw");
    fs::create_dir_all(&raw).map_err(|error| problem(&raw, error))?;
    let place = raw.join(data.file_name().unwrap_or_default());
    fs::copy(data, &place).map_err(|error| problem(data, error))?;
    Ok(folder)
}

/// Measures the step `tune` in a process of its own: its start, the reading of rows, features and bins are counted in.
fn our_search(places: &Places, one: &Searched, project: &Path) -> Result<Took, String> {
    let step = |name: &str| {
        let mut command = places.trainyard();
        command.args(["step", name, "--run", "bench", "--json", "--model", &one.version.to_string(), "--project"]);
        command.arg(project);
        command
    };
    for name in BEFORE {
        finish(&mut step(name))?;
    }
    let taken = take(&mut step("tune"))?;
    let shown = take(places.trainyard().args(["tune", "show", "bench", "--json", "--project"]).arg(project))?;
    let quality = shown.result["report"]["searches"]["gradient_boosting"]["best"]["value"].as_f64();
    let quality = quality.ok_or_else(|| format!("{}: the search tells no best value", project.display()))?;
    Ok(Took { wall: taken.wall, cpu: taken.cpu, quality, steady: f64::NAN })
}

/// The whole example beside the peer's whole script, on the same rows.
fn example(places: &Places, peers: &Path) -> Result<String, String> {
    let example = root().join("examples/quickstart");
    let table = places.fresh("tune-table")?.join("table.csv");
    finish(places.tune().arg("rows").arg(example.join("data/raw/classification.db")).arg(&table))?;
    let ours = || {
        let folder = places.fresh("tune-quickstart")?;
        // Nothing that an earlier run of the example may have left.
        for part in ["versions/splits", "versions/features", "versions/models", "data/raw"] {
            copy_folder(&example.join(part), &folder.join(part))?;
        }
        fs::copy(example.join("trainyard.yaml"), folder.join("trainyard.yaml")).map_err(|error| error.to_string())?;
        take(places.trainyard().args(["run", "--json"]).arg(&folder))
    };
    let peer = || {
        let out = places.fresh("tune-workflow")?;
        let mut command = places.python_of("peers-tune");
        take(command.arg(peers.join("spec_workflow.py")).arg("--data").arg(&table).arg("--out").arg(out))
    };
    let (ours, peer) = in_turn(1, ours, peer)?;
    let [wall, cpu] = [(|taken| taken.wall) as fn(&Taken) -> f64, |taken| taken.cpu]
        .map(|figure| [&ours, &peer].map(|side| Spread::of(side.iter().map(figure))));
    let run = ours.last().and_then(|taken| taken.result["run"].as_str()).unwrap_or_default();
    let folder = places.kept("tune-quickstart")?;
    let shown = take(places.trainyard().args(["runs", "show", run, "--json", "--project"]).arg(folder))?;
    let ours = shown.result["metrics"]["cv_accuracy_mean"].as_f64().unwrap_or(f64::NAN);
    let [grid, calibrated] = ["grid_best", "cv_accuracy"].map(|name| told(&peer, name).median);
    let mut lines = "| `examples/quickstart`, nothing stored | trainyard run | spec_workflow.py | ratio | goal |\n\
                     |---|---:|---:|---:|---:|\n"
        .to_owned();
    for (name, [ours, peer], goal) in [("wall, s", wall, "20"), ("processor, s", cpu, "20")] {
        let _ = writeln!(lines, "| {name} | {ours} | {peer} | {:.1} | {goal} |", peer.median / ours.median);
    }
    let _ = writeln!(
        lines,
        "| accuracy of the best of the grid, 5 folds of train | {ours:.4} | {grid:.4} | – | no lower |"
    );
    let _ = writeln!(lines, "| the same, calibrated, 5 folds of all rows | – | {calibrated:.4} | – | – |");
    Ok(lines)
}

fn told(side: &[Taken], name: &str) -> Spread {
    Spread::of(side.iter().filter_map(|taken| taken.result[name].as_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_told_with_both_ratios_and_qualities() {
        let took = |wall, cpu, quality, steady| Took { wall, cpu, quality, steady };
        let ours = [took(2.0, 3.0, 0.85, f64::NAN), took(2.0, 3.0, 0.86, f64::NAN)];
        let peer = [took(10.0, 18.0, 0.84, 0.83), took(10.0, 18.0, 0.84, 0.83)];
        let cells = "| 2.0000 (2.0000..2.0000) | 10.0 (10.0..10.0) | 5.0 | 3.0000 (3.0000..3.0000) | 18.0 (18.0..18.0) | 6.0 | 5 \
                     | 0.8550 | 0.8400 | 0.8300 |\n";
        assert_eq!(search_line("made", "none", 5.0, &ours, &peer), format!("| made | `none` {cells}"));
    }
}
