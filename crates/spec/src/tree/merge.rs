//! Layers of values, one over the other.

use crate::error::Error;
use crate::tree::{Content, Node};
use crate::{Located, Origin};

/// Lays `over` on `base`: sections are merged key by key, everything else is replaced, `null` takes a value away.
pub(crate) fn merge(base: &mut Node, over: Node) {
    match (&mut base.content, over.content) {
        (Content::Mapping(entries), Content::Mapping(above)) => {
            for (key, value) in above {
                match entries.iter_mut().find(|(known, _)| known.value == key.value) {
                    Some((known, below)) => {
                        if !matches!((&below.content, &value.content), (Content::Mapping(_), Content::Mapping(_))) {
                            *known = key;
                        }
                        merge(below, value);
                    }
                    None => entries.push((key, value)),
                }
            }
        }
        (_, content) => *base = Node { content, origin: over.origin },
    }
}

/// Lays the value of `--set path=value` on `base`.
///
/// # Errors
/// A path with an empty part or an open quote, and one that leads through a value that is no section.
pub(crate) fn set(base: &mut Node, path: &str, value: Node, flag: &Origin) -> Result<(), Box<Error>> {
    let parts = parts(path).filter(|parts| parts.len() <= MOST_PARTS);
    let parts = parts.ok_or_else(|| Box::new(Error::SetPath { flag: flag.clone() }))?;
    set_under(base, &parts, &mut String::new(), value, flag)
}

/// No path of a specification is longer; a deeper one would only use up the stack.
const MOST_PARTS: usize = 16;

fn set_under(
    node: &mut Node,
    parts: &[String],
    walked: &mut String,
    value: Node,
    flag: &Origin,
) -> Result<(), Box<Error>> {
    let Some((part, rest)) = parts.split_first() else {
        *node = value;
        return Ok(());
    };
    if node.is_null() {
        *node = Node::empty(flag.clone());
    }
    let Content::Mapping(entries) = &mut node.content else {
        return Err(
            Error::SetThrough { flag: flag.clone(), through: walked.clone(), value: node.origin.clone() }.into()
        );
    };
    if !walked.is_empty() {
        walked.push('.');
    }
    walked.push_str(part);
    match entries.iter_mut().find(|(key, _)| key.value == *part) {
        Some((key, below)) => {
            if rest.is_empty() {
                key.origin = flag.clone();
            }
            set_under(below, rest, walked, value, flag)
        }
        None => {
            let mut below = Node::empty(flag.clone());
            set_under(&mut below, rest, walked, value, flag)?;
            entries.push((Located::new(part.clone(), flag.clone()), below));
            Ok(())
        }
    }
}

/// Splits a path at its dots; a part in double quotes may hold dots.
fn parts(path: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = path;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => match rest.find('.') {
                Some(dot) => rest.split_at(dot),
                None => (rest, ""),
            },
        };
        if part.trim().is_empty() {
            return None;
        }
        parts.push(part.to_owned());
        if after.is_empty() {
            return Some(parts);
        }
        rest = after.strip_prefix('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn paths_split_at_dots_outside_quotes() {
        let split = |path| parts(path).map(|parts| parts.join("|"));
        assert_eq!(split("name").as_deref(), Some("name"));
        assert_eq!(split("data.types.\"a.b\"").as_deref(), Some("data|types|a.b"));
        assert_eq!(split("data..key"), None);
        assert_eq!(split("data."), None);
        assert_eq!(split(""), None);
        assert_eq!(split("data.\"open"), None);
        assert_eq!(split("\"a\"b"), None);
    }
}
