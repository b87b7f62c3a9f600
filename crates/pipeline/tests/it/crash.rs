//! The process dies at any change that it makes to the disk: what is told next is true, and the resumed run ends with the
//! same bytes. With `TRAINYARD_LONG=1` at every change, otherwise at a sample of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trainyard_faults::{Process, RecordingIo, Then, arguments, text};

use crate::whole::{Whole, half_written, run_on, sampled};

#[test]
fn a_death_at_any_change_of_the_disk_loses_nothing() {
    dies_at_any_change("a_death_at_any_change_of_the_disk_loses_nothing", Whole::new, 41);
}

#[test]
fn a_death_in_a_run_with_nothing_changed_loses_nothing() {
    dies_at_any_change("a_death_in_a_run_with_nothing_changed_loses_nothing", Whole::again, 3);
}

fn dies_at_any_change(test: &str, whole: impl Fn() -> Whole, step: usize) {
    if let Some(told) = arguments() {
        let [root, at] = told.as_slice() else { panic!("{told:?}") };
        let io = RecordingIo::failing(Path::new(root), at.parse().unwrap(), Then::Dies);
        run_on(Path::new(root), Arc::new(io)).unwrap();
        return;
    }
    let whole = whole();
    for at in sampled(whole.changes().len(), step) {
        let project = whole.fresh();
        Process::start(&format!("crash::{test}"), &[text(project.path()), &at.to_string()]).ends();
        // Clean-up after the end may have fewer changes.
        whole.recovers(project.path(), &["crashed", "ended"], &format!("change {at}"));
        assert_eq!(half_written(project.path()), Vec::<PathBuf>::new(), "change {at}");
    }
}
