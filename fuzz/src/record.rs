//! The configuration that a run recorded, as JSON.

use serde_json::Value;
use trainyard_spec::Resolved;

use crate::places;

/// Checks one record.
pub fn check(input: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    match Resolved::from_json(&value) {
        Ok(resolved) => comes_back(&resolved),
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without a word");
            places::check_all(&problems);
        }
    }
}

/// Checks that a configuration is read from its record as it was written, by way of the text that is stored.
pub(crate) fn comes_back(resolved: &Resolved) {
    let written = resolved.to_json();
    let text = written.to_string();
    let stored: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut read = Resolved::from_json(&stored).unwrap_or_else(|problems| panic!("{problems}: {text}"));
    assert_eq!(read.to_json().to_string(), text);
    read.warnings.clone_from(&resolved.warnings);
    assert!(read == *resolved, "it came back as another one: {text}");
}
