//! What one text says and another does not.

use serde_json::Value;

use super::{Node, canonical};
use crate::Origin;

/// One value that two texts have differently, each side as JSON on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its keys, joined by dots.
    pub path: String,
    /// What the first says, if anything.
    pub was: Option<String>,
    /// What the second says, if anything.
    pub is: Option<String>,
    /// Where the second says so, or the section that lacks it.
    pub origin: Origin,
}

/// Gives what differs, in the order of the second, then what only the first has; a list or a single value as a whole.
pub(crate) fn differences(old: &Node, new: &Node, without: &[&str]) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&canonical(old, without), &canonical(new, without), new, "", &mut found);
    found
}

fn compare(old: &Value, new: &Value, node: &Node, path: &str, found: &mut Vec<Difference>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        if old != new {
            let (was, is) = (Some(old.to_string()), Some(new.to_string()));
            found.push(Difference { path: path.to_owned(), was, is, origin: node.origin.clone() });
        }
        return;
    };
    for (key, value) in after {
        let of_key = node.get(key).unwrap_or(node);
        match before.get(key) {
            Some(old) => compare(old, value, of_key, &below(key), found),
            None => found.push(Difference {
                path: below(key),
                was: None,
                is: Some(value.to_string()),
                origin: of_key.origin.clone(),
            }),
        }
    }
    for (key, value) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        let was = Some(value.to_string());
        found.push(Difference { path: below(key), was, is: None, origin: node.origin.clone() });
    }
}
