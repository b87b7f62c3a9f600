//! A crash at every byte of the journal: what it tells is true, and the run ends with the same bytes.

use std::fs;

use trainyard_files::DiskIo;
use trainyard_pipeline::StepStatus;
use trainyard_pipeline::engine::{Entry, Journal, JournalError};

use crate::given::{World, codes, diamond, ended, found};

#[test]
fn a_journal_cut_at_any_byte_is_read_and_the_run_resumed() {
    let world = World { threads: 1, ..World::new() };
    let expected = world.run(&diamond());
    let whole = fs::read(world.journal()).unwrap();
    let entries = world.entries();
    assert_eq!(entries.iter().filter(|entry| matches!(entry, Entry::StepDone { .. })).count(), 4);
    for length in 0..=whole.len() {
        fs::write(world.journal(), &whole[..length]).unwrap();
        let left = world.entries();
        assert_eq!(left, entries[..left.len()], "cut at {length}");
        assert_eq!(left.len(), whole[..length].iter().filter(|byte| **byte == b'\n').count());
        // Every line end, and some bytes of every line: a resumed run has the same bytes, and can be read again.
        if length % 97 == 0 || length == whole.len() || whole[length] == b'\n' || whole[length] == b'}' {
            let resumed = world.resume(&diamond());
            assert_eq!(codes(&resumed), [""; 0], "cut at {length}");
            for step in ["a", "b", "c", "d"] {
                let of = |outcome| found(outcome, step).record.as_ref().unwrap().output.clone();
                assert_eq!(of(&resumed), of(&expected), "{step} of the run cut at {length}");
            }
            assert_eq!(Journal::done(&world.entries()).len(), 4, "cut at {length}");
        }
    }
}

#[test]
fn what_is_done_is_not_done_again() {
    let world = World::new();
    world.run(&diamond());
    let steps = diamond();
    let again = world.resume(&steps);
    assert_eq!(ended(&again, StepStatus::Ran).len(), 4);
    assert!(steps.iter().all(|step| step.times_run.load(std::sync::atomic::Ordering::SeqCst) == 0));
}

#[test]
fn a_whole_line_that_is_no_entry_is_named() {
    let world = World::new();
    world.run(&diamond());
    let text = fs::read_to_string(world.journal()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = "{\"entry\":\"step_begun\"}";
    fs::write(world.journal(), lines.join("\n") + "\n").unwrap();
    let error = Journal::read(&DiskIo, &world.journal()).unwrap_err();
    assert!(matches!(&error, JournalError::Damaged(path, 3) if *path == world.journal()), "{error}");
}

#[test]
fn a_run_without_a_journal_has_no_entries() {
    let world = World::new();
    assert_eq!(world.entries(), []);
}
