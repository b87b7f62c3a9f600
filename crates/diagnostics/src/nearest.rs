//! Names near to one that is not known.

use strsim::osa_distance;

/// The longest name, in characters, that is compared; longer ones are no slips of the finger.
const LONGEST: usize = 64;

/// Gives the known name that `name` was probably meant to be, if there is one.
///
/// Compares without regard to case and to `_`, `-` and blanks, by the number of letters inserted, removed, changed or
/// swapped with their neighbour, of which about one in three may be wrong; parts in another order (`auc_roc`, `roc_auc`)
/// count as near, and so does a name cut short (`int`, `integer`). The first of equally near ones wins.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name)?;
    let parts = sorted_parts(name);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in known {
        let Some(other) = folded(candidate) else { continue };
        let mut distance = if sorted_parts(candidate) == parts { 0 } else { osa_distance(&wanted, &other) };
        let longest = wanted.chars().count().max(other.chars().count());
        let mut allowed = if longest < 3 { 0 } else { (longest / 3).clamp(1, 4) };
        if distance > allowed && wanted.len() >= 3 && other.starts_with(&wanted) {
            // Behind every slip: a name cut short.
            allowed = 5;
            distance = 5;
        }
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Gives a name in lower case without separators, or nothing for one that is not worth comparing.
fn folded(name: &str) -> Option<String> {
    if name.len() > 4 * LONGEST {
        return None;
    }
    let folded: String = name.chars().filter(|c| !is_separator(*c)).flat_map(char::to_lowercase).collect();
    let length = folded.chars().count();
    (1..=LONGEST).contains(&length).then_some(folded)
}

fn sorted_parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = name.split(is_separator).map(str::to_lowercase).collect();
    parts.sort();
    parts
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-') || c.is_whitespace()
}

/// The most names that help names where one is not known.
const LISTED: usize = 8;

/// Helps who wrote a `name` that is not among the `known`: the near one, and what there is of this kind (`columns`).
pub fn there_are(kind: &str, known: &[&str], name: &str) -> String {
    let near = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    format!("{}the {kind} are {}", near.unwrap_or_default(), one_of(known, LISTED))
}

/// Lists names as a sentence does: `a, b or c`; beyond `limit` names `a, b or 7 more`.
pub fn one_of<S: AsRef<str>>(list: &[S], limit: usize) -> String {
    let mut names: Vec<String> = list.iter().take(limit).map(|name| name.as_ref().to_owned()).collect();
    if list.len() > limit {
        names.push(format!("{} more", list.len() - limit));
    }
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{nearest, one_of};

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["PaymentMethod", "Contract", "roc_auc", "f1", "tenure"];
        let near = |name| nearest(name, known);
        assert_eq!(near("PaymentMetod"), Some("PaymentMethod"));
        assert_eq!(near("payment_method"), Some("PaymentMethod"));
        assert_eq!(near("auc_roc"), Some("roc_auc"));
        assert_eq!(near("tenrue"), Some("tenure"));
        assert_eq!(near("F1"), Some("f1"));
        assert_eq!(near("pay"), Some("PaymentMethod"));
        assert_eq!(near("pa"), None);
        assert_eq!(near("f2"), None);
        assert_eq!(near("customerID"), None);
        assert_eq!(near(""), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), known), None);
        assert_eq!(nearest("ab", ["abc", "abd"]), Some("abc"));
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(one_of::<&str>(&[], 3), "");
        assert_eq!(one_of(&["a"], 3), "a");
        assert_eq!(one_of(&["a", "b", "c"], 3), "a, b or c");
        assert_eq!(one_of(&["a", "b", "c", "d"], 2), "a, b or 2 more");
    }
}
