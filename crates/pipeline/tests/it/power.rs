//! The power is cut after any operation of a run: what is told next is true, and the run ends with the same bytes. With
//! `TRAINYARD_LONG=1` after every operation, otherwise after a sample of them.
//!
//! SQLite writes the tracking file by itself; it forces each of its commits, so the file and its log are found as they
//! were when the run's next operation began, or with a part of what was added since the one before. What a writer left
//! half-written stays for a day after a power cut, under a name that nobody reads: it is not looked at here.

use tempfile::TempDir;
use trainyard_faults::{Cut, Platter};

use crate::whole::{Whole, is_versioning, sampled};

#[test]
fn a_power_cut_after_any_operation_loses_nothing() {
    cut_after_any_operation(&Whole::new(), 23);
}

#[test]
fn a_power_cut_in_a_run_with_nothing_changed_loses_nothing() {
    cut_after_any_operation(&Whole::again(), 5);
}

#[test]
fn a_power_cut_while_data_is_versioned_loses_nothing() {
    let whole = Whole::versioned();
    // The other operations are those of a run without versions.
    let after: Vec<usize> = (1..=whole.ops.len()).filter(|at| is_versioning(&whole.ops[at - 1])).collect();
    assert!(after.len() > 19);
    cut_after(&whole, sampled(after.len(), 19).map(|number| after[number]));
}

fn cut_after_any_operation(whole: &Whole, step: usize) {
    cut_after(whole, sampled(whole.ops.len() + 1, step));
}

fn cut_after(whole: &Whole, operations: impl Iterator<Item = usize>) {
    let mut platter = Platter::holding(&whole.template());
    let mut done = 0;
    for at in operations {
        whole.ops[done..at].iter().for_each(|op| platter.replay(op));
        done = at;
        let last: String = format!("{:?}", whole.ops[..at].last()).chars().take(200).collect();
        let key = at as u64;
        for cut in [Cut::Everything, Cut::Forced, Cut::Part(2 * key), Cut::Part(2 * key + 1)] {
            let project = TempDir::new().unwrap();
            platter.lay(cut, project.path());
            whole.recovers(project.path(), &["crashed", "ended"], &format!("{cut:?} after operation {at}, {last}"));
        }
    }
}
