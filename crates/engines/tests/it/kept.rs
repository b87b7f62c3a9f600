//! Processes that serve several fits of the same rows: fewer of them, and the same bytes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use trainyard_engines::{Engine, Engines, FitRequest, FitRows, Held, Kept, Places, Worker};
use trainyard_learn::Matrix;
use trainyard_learn::metrics::Task;

use crate::{Table, judged_engines, on, owned, request, worker};

/// Parameters of one fit.
type Set = &'static [(&'static str, &'static str)];

/// Gives the engines of the judge with a worker that leaves a line for each of its processes.
pub(crate) fn counted(folder: &Path) -> (Engines, PathBuf) {
    let (script, lines) = (folder.join("worker"), folder.join("lines"));
    let program = worker().program;
    fs::write(&script, format!("#!/bin/sh\necho $$ >> {lines:?}\nexec {program:?}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let environments = vec![trainyard_judges::environments().join("core")];
    let worker = Worker { program: script, arguments: Vec::new() };
    (Engines::new(Places { environments, ..Places::default() }, worker), lines)
}

pub(crate) fn processes(lines: &Path) -> Vec<String> {
    fs::read_to_string(lines).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn is_there(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

/// Every parameter is changed from one fit to the next, with weights and without, so that what a library keeps of the
/// rows must be made anew for some and not for others.
#[test]
fn fits_that_share_a_process_give_the_bytes_of_fits_that_do_not() {
    let sets: [(Engine, &[Set]); 2] = [
        (
            Engine::LightGbm,
            &[
                &[],
                &[("num_leaves", "7"), ("learning_rate", "0.3"), ("reg_lambda", "2.5"), ("min_split_gain", "0.01")],
                &[("subsample", "0.7"), ("subsample_freq", "1"), ("colsample_bytree", "0.5"), ("max_depth", "4")],
                &[("max_bin", "15")],
                &[("min_child_samples", "300")],
                &[("extra_trees", "true"), ("path_smooth", "2"), ("reg_alpha", "0.1")],
                &[("min_child_weight", "5"), ("feature_fraction_bynode", "0.5")],
                &[("monotone_constraints", "1,0,0,0,0,0")],
                &[],
            ],
        ),
        (
            Engine::XgBoost,
            &[
                &[],
                &[("max_depth", "3"), ("learning_rate", "0.1"), ("reg_lambda", "2.5"), ("gamma", "0.1")],
                &[("subsample", "0.7"), ("colsample_bytree", "0.5"), ("min_child_weight", "5")],
                &[("max_bin", "15")],
                &[("tree_method", "approx")],
                &[("tree_method", "approx"), ("subsample", "0.5")],
                &[("colsample_bylevel", "0.5"), ("colsample_bynode", "0.5"), ("max_delta_step", "1")],
                &[("grow_policy", "lossguide"), ("max_leaves", "9"), ("reg_alpha", "0.1")],
                &[("tree_method", "exact")],
                &[("monotone_constraints", "(1,0,0,0,0,0)")],
                &[],
            ],
        ),
    ];
    let (table, held) = (Table::new(900), Table::seeded(300, 5));
    let (targets, held_targets) = (table.noisy(Task::Binary), held.noisy(Task::Binary));
    let (matrix, held_matrix) = (Matrix::of(&table.columns, table.rows), Matrix::of(&held.columns, held.rows));
    let (weights, held_weights) = (table.weights(), held.weights());
    for (engine, sets) in sets {
        if judged_engines(engine).is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (engines, lines) = counted(folder.path());
        let fits = 4 * sets.len();
        let kept = Kept::expecting(vec![engine; fits]);
        for (index, own) in sets.iter().enumerate() {
            let own = owned(own);
            for (is_weighted, stops) in [(false, false), (true, true), (true, false), (false, true)] {
                let rows =
                    FitRows { matrix: &matrix, targets: &targets, weights: is_weighted.then_some(weights.as_slice()) };
                let held = FitRows {
                    matrix: &held_matrix,
                    targets: &held_targets,
                    weights: is_weighted.then_some(held_weights.as_slice()),
                };
                let held = stops.then_some(Held { rows: held, patience: Some(3), told: &[] });
                let plain = request(engine, Task::Binary, &matrix, &targets);
                let alone = FitRequest { parameters: &own, rows, held, ..plain };
                let shared = FitRequest { kept: Some(&kept), ..alone };
                let (alone, shared) = (engines.fit(&alone, &on).unwrap(), engines.fit(&shared, &on).unwrap());
                assert!(alone == shared, "{engine:?} {own:?} weighted {is_weighted} stops {stops} ({index})");
            }
        }
        let words = "two for all that share, with rows held out and without, one for each that does not";
        assert_eq!(processes(&lines).len(), fits + 2, "{words}");
    }
}

#[test]
fn a_process_ends_with_the_last_fit_that_was_expected_and_with_what_keeps_it() {
    let table = Table::new(300);
    let targets = table.noisy(Task::Regression);
    let matrix = Matrix::of(&table.columns, table.rows);
    if judged_engines(Engine::LightGbm).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (engines, lines) = counted(folder.path());
    let of = |kept| {
        let shared = FitRequest { kept, ..request(Engine::LightGbm, Task::Regression, &matrix, &targets) };
        engines.fit(&shared, &on).unwrap();
        let process = processes(&lines).pop().unwrap();
        let is_there = is_there(&process);
        (process, is_there)
    };
    let kept = Kept::expecting([Engine::LightGbm, Engine::XgBoost, Engine::LightGbm]);
    let (first, is_kept) = of(Some(&kept));
    assert!(is_kept, "another fit is to come");
    assert_eq!(of(Some(&kept)), (first, false), "the same process, which ends with the last of them");
    assert!(!of(Some(&kept)).1, "one more than was expected keeps nothing");
    assert!(!of(None).1);
    let kept = Kept::expecting([Engine::LightGbm; 2]);
    let (process, is_kept) = of(Some(&kept));
    assert!(is_kept);
    drop(kept);
    assert!(!is_there(&process));
}
