//! What fits tell on the way of rows that are held out, and their end where that is not good enough.

use std::sync::Mutex;

use trainyard_engines::{Engine, Error, FitRequest, FitRows, Heard, Held, Kept};
use trainyard_learn::Matrix;
use trainyard_learn::metrics::Task;

use crate::kept::{counted, processes};
use crate::{Table, judged_engines, on, owned, request};

const TOLD: [usize; 3] = [5, 10, 20];

/// What is told after so many iterations is what a fit of so many predicts; and a fit that tells, whether it stops early
/// or not, gives the bytes of one that does not, also where both have the same process.
#[test]
fn what_is_told_is_what_a_fit_of_so_many_iterations_predicts() {
    let (table, whole, mut held) = (Table::new(1200), Table::seeded(500, 5), Table::seeded(500, 5));
    // Cells that are missing where none was in training.
    held.columns[0][100..180].fill(f64::NAN);
    let (matrix, held_matrix) = (Matrix::of(&table.columns, table.rows), Matrix::of(&held.columns, held.rows));
    for engine in Engine::ALL {
        let Some(engines) = judged_engines(engine) else { return };
        for task in [Task::Binary, Task::Multiclass { classes: 3 }, Task::Regression] {
            let (targets, held_targets) = (table.noisy(task), whole.noisy(task));
            let held_rows = FitRows { matrix: &held_matrix, targets: &held_targets, weights: None };
            let own = owned(&[("learning_rate", "0.2"), ("subsample", "0.7"), ("bagging_freq", "1")]);
            let silent = FitRequest { parameters: &own, iterations: 24, ..request(engine, task, &matrix, &targets) };
            let kept = Kept::lasting();
            for patience in [None, Some(4)] {
                let watched = patience.map(|_| Held { rows: held_rows, patience, told: &[] });
                let silent = FitRequest { held: watched, ..silent };
                let told = Held { rows: held_rows, patience, told: &TOLD };
                let telling = FitRequest { held: Some(told), kept: Some(&kept), ..silent };
                let heard = Mutex::new(Vec::new());
                let listen = |one| {
                    if let Heard::Predicted { iterations, margins } = one {
                        heard.lock().unwrap().push((iterations, margins));
                    }
                    true
                };
                let fit = engines.fit(&telling, &listen).unwrap();
                assert!(fit == engines.fit(&silent, &on).unwrap(), "{engine:?} {task:?} {patience:?}");
                let heard = heard.into_inner().unwrap();
                let after: Vec<usize> = heard.iter().map(|(iterations, _)| *iterations).collect();
                assert_eq!(after, TOLD[..after.len()], "{engine:?} {task:?} {patience:?}");
                assert!(patience.is_some() || after.len() == TOLD.len());
                for (iterations, margins) in heard {
                    let alone = FitRequest { iterations, held: None, ..silent };
                    let ensembles = engines.fit(&alone, &on).unwrap().ensembles;
                    let outputs = ensembles.len();
                    for (margin, ensemble) in ensembles.iter().enumerate() {
                        for (row, theirs) in ensemble.predict_margin(&held_matrix).into_iter().enumerate() {
                            let ours = margins[row * outputs + margin];
                            // XGBoost adds the leaves in singles; LightGBM's sums have the same bits.
                            let bound = if engine == Engine::LightGbm { 0.0 } else { 1e-6 * (1.0 + theirs.abs()) };
                            assert!((ours - theirs).abs() <= bound, "{engine:?} {task:?} {row}: {ours} {theirs}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_fit_that_is_not_good_enough_is_stopped_and_leaves_its_process_to_the_next() {
    let (table, held) = (Table::new(600), Table::seeded(200, 5));
    let (matrix, held_matrix) = (Matrix::of(&table.columns, table.rows), Matrix::of(&held.columns, held.rows));
    let (targets, held_targets) = (table.noisy(Task::Binary), held.noisy(Task::Binary));
    let rows = FitRows { matrix: &held_matrix, targets: &held_targets, weights: None };
    for engine in Engine::ALL {
        if judged_engines(engine).is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (engines, lines) = counted(folder.path());
        let kept = Kept::lasting();
        let one = FitRequest {
            held: Some(Held { rows, patience: None, told: &TOLD }),
            kept: Some(&kept),
            ..request(engine, Task::Binary, &matrix, &targets)
        };
        let whole = engines.fit(&one, &on).unwrap();
        let last = Mutex::new(0);
        let until_ten = |heard| match heard {
            Heard::Done { iterations, .. } => {
                *last.lock().unwrap() = iterations;
                true
            }
            Heard::Predicted { iterations, .. } => iterations < 10,
            Heard::Waiting => true,
        };
        assert_eq!(engines.fit(&one, &until_ten), Err(Error::Stopped), "{engine:?}");
        assert_eq!(*last.lock().unwrap(), 10, "{engine:?} grew no further tree");
        assert!(engines.fit(&one, &on).unwrap() == whole, "{engine:?}");
        assert_eq!(processes(&lines).len(), 1, "{engine:?}");
    }
}
