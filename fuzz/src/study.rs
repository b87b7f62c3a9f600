//! The journal of a search: ours, Optuna's, torn or damaged.

use trainyard_tune::StudyError;
use trainyard_tune::journal::{read, write};

/// Checks one journal.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let known = match read(text, None) {
        Ok(known) => known,
        Err(error) => {
            let whole = text.bytes().filter(|byte| *byte == b'\n').count();
            if let StudyError::Line { line, .. } = error {
                assert!((1..=whole).contains(&line), "line {line}");
            }
            assert!(!error.diagnostic().title.is_empty(), "refused without a word");
            return;
        }
    };
    let says = format!("{:?}", known.record);
    let again = read(&write(&known.record), None).unwrap_or_else(|error| panic!("{error}: {}", write(&known.record)));
    assert_eq!(format!("{:?}", again.record), says, "written and read again");
    // What is added to a file says nothing new of what it has.
    let (mut log, mut grown) = (known.log, text[..known.whole].to_owned());
    log.append(&known.record, &mut grown);
    let grown = read(&grown, Some(&known.record.study.name)).unwrap_or_else(|error| panic!("{error}: {grown}"));
    assert_eq!(format!("{:?}", grown.record), says, "grown and read again");
}
