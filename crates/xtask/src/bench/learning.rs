//! Single stages of the learning core beside the libraries that a team would call.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::measure::{Taken, in_turn, take};
use super::places::{Places, finish};
use super::tables::Spread;

pub(super) const TIMES: usize = 3;

/// A stage of both sides.
pub(super) struct Stage {
    /// What it is, in the table.
    pub(super) words: &'static str,
    /// The data that the peer makes for it; none where it reads the customers.
    pub(super) data: Option<&'static str>,
    /// The stage's name on our side.
    pub(super) ours: &'static str,
    /// The peer's words, and its name in the table.
    pub(super) peer: &'static [&'static str],
    pub(super) library: &'static str,
    /// How many times faster than the peer it is to be.
    pub(super) goal: f64,
    /// What the quality is.
    pub(super) quality: &'static str,
    /// What is added up, where additions are what cannot be left out.
    pub(super) additions: &'static str,
}

/// The words of a stage that is measured beside a second library.
const THE_SAME: &str = "the same";

const STAGES: [Stage; 8] = [
    Stage {
        words: "boosting, 1,000,000 × 28, 100 trees of depth 6 and at most 63 leaves",
        data: Some("particles"),
        ours: "boosting",
        peer: &["boosting"],
        library: "LightGBM",
        goal: 1.5,
        quality: "roc_auc on 250,000 other rows",
        additions: "additions to histograms",
    },
    Stage {
        words: THE_SAME,
        data: Some("particles"),
        ours: "boosting",
        peer: &["boosting", "--engine", "xgboost"],
        library: "XGBoost",
        goal: 1.5,
        quality: "roc_auc on 250,000 other rows",
        additions: "additions to histograms",
    },
    Stage {
        words: "100 fits on folds of 4,225 customers, 100 trees each",
        data: Some("customers"),
        ours: "folds",
        peer: &["folds"],
        library: "LightGBM",
        goal: 3.0,
        quality: "mean roc_auc",
        additions: "",
    },
    Stage {
        words: "random forest, 100,000 × 20, 100 trees of depth 10",
        data: Some("narrow"),
        ours: "random_forest",
        peer: &["forest", "--engine", "random_forest"],
        library: "scikit-learn",
        goal: 5.0,
        quality: "roc_auc on 100,000 other rows",
        additions: "cells of tried columns",
    },
    Stage {
        words: "extra trees, 100,000 × 20, 100 trees of depth 10",
        data: Some("narrow"),
        ours: "extra_trees",
        peer: &["forest", "--engine", "extra_trees"],
        library: "scikit-learn",
        goal: 5.0,
        quality: "roc_auc on 100,000 other rows",
        additions: "cells of tried columns",
    },
    Stage {
        words: "contributions of 28 features to 100,000 rows, 100 trees of depth 6",
        data: Some("fewer"),
        ours: "shap",
        peer: &["shap"],
        library: "LightGBM's `pred_contrib`",
        goal: 2.0,
        quality: "what a row's sum misses of its margin at most",
        additions: "contributions of a leaf to a column",
    },
    Stage {
        words: "logistic regression, 100,000 × 500",
        data: Some("wide"),
        ours: "logistic",
        peer: &["logistic"],
        library: "scikit-learn's lbfgs",
        goal: 2.0,
        quality: "mean objective, the lower the better",
        additions: "",
    },
    Stage {
        words: "one customer from raw values, the 95th percentile of 10,000, 1 thread",
        data: None,
        ours: "row",
        peer: &["row"],
        library: "scikit-learn's pipeline with LightGBM",
        goal: 12.0,
        quality: "mean probability",
        additions: "",
    },
];

/// The head of a table of stages.
pub(super) const HEAD: &str = "| work | beside | seconds | peer's seconds | ratio | goal | MiB | peer's MiB | quality | peer's quality |\n\
     |---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";

/// Measures every stage and gives the table.
pub(super) fn measured(places: &Places) -> Result<String, String> {
    let folder = places.kept("learning")?;
    let mut table = HEAD.to_owned();
    let machine = take(places.stages().arg("machine"))?;
    let mut limits = limits_head(&machine);
    for stage in &STAGES {
        let peer = |words: &[&str], data: &Path| {
            let mut command = places.learn();
            command.arg(words[0]).arg(data).args(&words[1..]);
            command
        };
        let (ours, theirs) = match stage.data {
            Some(name) => {
                let data = data(places, name, &folder)?;
                let ours = || take(places.stages().arg(stage.ours).arg(&data));
                in_turn(TIMES, ours, || take(&mut peer(stage.peer, &data)))?
            }
            None => {
                let (model, customers) = (model(places)?, places.customers()?);
                let ours = || take(places.stages().arg(stage.ours).arg(&model).arg(&customers));
                in_turn(TIMES, ours, || take(&mut peer(stage.peer, &customers)))?
            }
        };
        line(&mut table, stage, &ours, &theirs);
        if stage.words != THE_SAME {
            limits_line(&mut limits, stage, &machine, &ours);
        }
    }
    Ok(format!("{table}\n{limits}"))
}

/// Tells what the machine does in a second, above the table of limits.
fn limits_head(machine: &Taken) -> String {
    let billions = |name: &str| machine.result[name].as_f64().unwrap_or(f64::NAN) / 1e9;
    format!(
        "In a program that does nothing else, both threads together add {:.2} billion times a second to cells of small \
        histograms, and read {:.1} GB a second from memory.\n\n\
        | work | what cannot be left out | the machine's best, s | ours, s | share of the best |\n|---|---|---:|---:|---:|\n",
        billions("additions_per_second"),
        billions("bytes_per_second"),
    )
}

/// Tells how long what a stage cannot do without would take alone.
fn limits_line(table: &mut String, stage: &Stage, machine: &Taken, ours: &[Taken]) {
    let seconds = Spread::of(ours.iter().filter_map(|taken| taken.result["seconds"].as_f64())).median;
    let needed = |name: &str| ours.first().and_then(|taken| taken.result[name].as_f64());
    let rate = |name: &str| machine.result[name].as_f64().unwrap_or(f64::NAN);
    let (what, least) = match (needed("additions"), needed("bytes")) {
        (Some(additions), _) => {
            (format!("{:.2} billion {}", additions / 1e9, stage.additions), additions / rate("additions_per_second"))
        }
        (None, Some(bytes)) => {
            (format!("{:.1} GB of memory, read once an iteration", bytes / 1e9), bytes / rate("bytes_per_second"))
        }
        (None, None) => return,
    };
    let _ =
        writeln!(table, "| {} | {what} | {least:.2} | {seconds:.2} | {:.0} % |", stage.words, 100.0 * least / seconds);
}

/// Tells what both sides of a stage took.
pub(super) fn line(table: &mut String, stage: &Stage, ours: &[Taken], peer: &[Taken]) {
    let of = |side: &[Taken], name: &str| Spread::of(side.iter().filter_map(|taken| taken.result[name].as_f64()));
    let memory = |side: &[Taken]| Spread::of(side.iter().map(|taken| taken.peak as f64 / f64::from(1 << 20))).median;
    let (seconds, theirs) = (of(ours, "seconds"), of(peer, "seconds"));
    let written = |seconds: Spread| match seconds.median < 0.01 {
        true => format!("{:.7}", seconds.median),
        false => seconds.to_string(),
    };
    let ratio = theirs.median / seconds.median;
    let quality = |side: &[Taken]| {
        let quality = of(side, "quality").median;
        match quality.abs() {
            size if size >= 1.0 && quality.fract() == 0.0 => format!("{quality:.0}"),
            size if size < 1e-4 => format!("{quality:.1e}"),
            _ => format!("{quality:.7}"),
        }
    };
    let _ = writeln!(
        table,
        "| {} | {} | {} | {} | {ratio:.1} | {} | {:.0} | {:.0} | {}, {} | {} |",
        stage.words,
        stage.library,
        written(seconds),
        written(theirs),
        stage.goal,
        memory(ours),
        memory(peer),
        quality(ours),
        stage.quality,
        quality(peer),
    );
}

/// Makes a stage's data, or finds what was made before.
pub(super) fn data(places: &Places, name: &str, folder: &Path) -> Result<PathBuf, String> {
    let starts = format!("{name}-");
    let made = || -> Option<PathBuf> {
        let mut files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        files.find(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&starts)))
    };
    if made().is_none() {
        finish(places.learn().args(["make", name]).arg(folder).arg(places.customers()?))?;
    }
    made().ok_or_else(|| format!("{}: no file {name}-….f32 was made", folder.display()))
}

/// Trains the example's model and gives its folder.
fn model(places: &Places) -> Result<PathBuf, String> {
    let project = places.project("learning-row", None)?;
    finish(places.trainyard().arg("run").arg(&project))?;
    let output = places.fresh("learning-row-model")?.join("model");
    let named = ["models", "export", "churn-predictor/1", "--output"];
    let mut command: Command = places.trainyard();
    finish(command.args(named).arg(&output).arg("--project").arg(&project))?;
    Ok(output)
}
