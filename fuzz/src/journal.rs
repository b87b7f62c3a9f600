//! The journal of a run: torn anywhere, damaged, or written by another version.

use std::path::Path;
use std::sync::Arc;

use trainyard_pipeline::engine::{Entry, Journal, JournalError};

use crate::memory::Memory;

const PATH: &str = "journal.jsonl";

/// Checks one journal.
pub fn check(input: &[u8]) {
    let read = read(input);
    if let Ok(entries) = &read {
        assert_eq!(texts(&written(entries)), texts(entries), "written and read again");
        // What a crash leaves is a beginning.
        let torn = self::read(&input[..input.len() / 2]).expect("a part of what can be read can be read");
        assert_eq!(texts(&torn), texts(&entries[..torn.len()]));
        assert!(Journal::done(entries).len() <= entries.len());
    }
    // Whatever a crash left: what is written next can be read, and hides nothing.
    let next = Entry::Interrupted { at: 1 };
    let bytes = appended(input, std::slice::from_ref(&next));
    match (read, self::read(&bytes)) {
        (Ok(mut entries), Ok(after)) => {
            entries.push(next);
            assert_eq!(texts(&after), texts(&entries));
        }
        (Err(before), Err(after)) => assert_eq!(before, after),
        (before, after) => panic!("{before:?}, then {after:?}"),
    }
}

/// Reads a journal, or names the line that is none.
fn read(bytes: &[u8]) -> Result<Vec<Entry>, usize> {
    Journal::read(&Memory::with(PATH, bytes), Path::new(PATH)).map_err(|error| match error {
        JournalError::Damaged(_, line) => {
            assert!((1..=bytes.iter().filter(|byte| **byte == b'\n').count()).contains(&line), "line {line}");
            line
        }
        JournalError::Io(..) => panic!("{error}"),
    })
}

fn appended(bytes: &[u8], entries: &[Entry]) -> Vec<u8> {
    let memory = Arc::new(Memory::with(PATH, bytes));
    let journal = Journal::open(Arc::<Memory>::clone(&memory), PATH.into());
    // The first ones as cached steps are written, together, the others one by one.
    let (together, singly) = entries.split_at(entries.len() / 2);
    journal.write(together).expect("memory can be written");
    singly.iter().for_each(|entry| journal.write(std::slice::from_ref(entry)).expect("memory can be written"));
    memory.bytes(PATH)
}

fn written(entries: &[Entry]) -> Vec<Entry> {
    read(&appended(&[], entries)).expect("what was written can be read")
}

/// Gives entries as texts, in which a number that is none equals itself.
fn texts(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| serde_json::to_string(entry).expect("an entry is JSON")).collect()
}
