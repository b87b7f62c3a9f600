//! Named parameters of a query, which the server knows by number.

use std::collections::BTreeMap;

use trainyard_spec::Parameter;

/// A statement with numbers for names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Numbered {
    /// The statement.
    pub(super) text: String,
    /// The parameters in the order of their numbers.
    pub(super) values: Vec<(String, Parameter)>,
    /// For each number that stands in the statement: its byte there, its length, and how long its name was.
    put: Vec<(usize, usize, usize)>,
    /// Whether the user wrote the statement.
    is_written: bool,
}

/// What of names and values does not fit.
#[derive(Debug, PartialEq)]
pub(super) enum Wrong {
    /// A value that no name stands for.
    Unused { name: String, known: Vec<String> },
    /// A name without a value, and its byte in the query.
    Unbound { name: String, at: usize },
}

impl Numbered {
    /// Selects all rows of a table, whose name is quoted.
    pub(super) fn of_table(table: &str) -> Numbered {
        Numbered { text: format!("SELECT * FROM {table}"), values: Vec::new(), put: Vec::new(), is_written: false }
    }

    /// Puts numbers in the place of `:name`, but for texts, quoted names and comments.
    pub(super) fn of_query(query: &str, parameters: &BTreeMap<String, Parameter>) -> Result<Numbered, Wrong> {
        let query = query.trim_end().trim_end_matches(';').trim_end();
        let mut numbered = Numbered { text: String::new(), values: Vec::new(), put: Vec::new(), is_written: true };
        let mut at = 0;
        for (start, end) in names(query) {
            let name = &query[start + 1..end];
            let Some(value) = parameters.get(name) else {
                return Err(Wrong::Unbound { name: name.to_owned(), at: start });
            };
            let known = numbered.values.iter().position(|(known, _)| known == name);
            let number = known.unwrap_or_else(|| {
                numbered.values.push((name.to_owned(), value.clone()));
                numbered.values.len() - 1
            });
            numbered.text.push_str(&query[at..start]);
            let put = format!("${}", number + 1);
            numbered.put.push((numbered.text.len(), put.len(), end - start));
            numbered.text.push_str(&put);
            at = end;
        }
        numbered.text.push_str(&query[at..]);
        let used = |name: &String| numbered.values.iter().any(|(used, _)| used == name);
        match parameters.keys().find(|name| !used(name)) {
            Some(name) => {
                let known = numbered.values.iter().map(|(name, _)| name.clone()).collect();
                Err(Wrong::Unused { name: name.clone(), known })
            }
            None => Ok(numbered),
        }
    }

    /// Gives the byte of the user's query that the server speaks of: it counts letters from 1.
    pub(super) fn written_at(&self, position: u32) -> Option<usize> {
        if !self.is_written {
            return None;
        }
        let letter = usize::try_from(position).ok()?.checked_sub(1)?;
        let mut at = self.text.char_indices().map(|(at, _)| at).nth(letter)?;
        let mut shift = 0;
        for (start, length, name) in &self.put {
            if at >= start + length {
                shift += name.wrapping_sub(*length) as isize;
            } else if at >= *start {
                at = *start;
            }
        }
        at.checked_add_signed(shift)
    }
}

/// Finds `:name`: its first byte and the one behind it.
fn names(query: &str) -> Vec<(usize, usize)> {
    let bytes = query.as_bytes();
    let is_word = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let find = |from: usize, what: &str| query.get(from..).and_then(|rest| rest.find(what)).map(|at| from + at);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        at = match bytes[at] {
            quote @ (b'\'' | b'"') => {
                // In E'…' a backslash keeps the quote behind it from being the end.
                let escapes =
                    quote == b'\'' && at > 0 && matches!(bytes[at - 1], b'e' | b'E') && !is_word(at.wrapping_sub(2));
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != quote {
                    end += if escapes && bytes[end] == b'\\' { 2 } else { 1 };
                }
                end + 1
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => find(at, "\n").unwrap_or(bytes.len()),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'$' if !is_word(at.wrapping_sub(1)) => {
                let tag = (at + 1..bytes.len()).find(|at| !is_word(*at)).filter(|end| bytes[*end] == b'$');
                match tag {
                    Some(end) => find(end + 1, &query[at..=end]).map_or(bytes.len(), |close| close + end + 1 - at),
                    None => at + 1,
                }
            }
            b':' if bytes.get(at + 1) == Some(&b':') => at + 2,
            // `a[1:n]` cuts an array.
            b':' if is_word(at + 1)
                && !bytes[at + 1].is_ascii_digit()
                && !is_word(at.wrapping_sub(1))
                && !matches!(bytes.get(at.wrapping_sub(1)), Some(b']' | b')')) =>
            {
                let end = (at + 1..bytes.len()).find(|at| !is_word(*at)).unwrap_or(bytes.len());
                found.push((at, end));
                end
            }
            _ => at + 1,
        };
    }
    found
}

/// Comments of this kind lie in one another.
fn comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Numbered, Wrong};
    use trainyard_spec::Parameter;

    fn numbered(query: &str) -> Result<Numbered, Wrong> {
        let values = ["least", "kind"].map(|name| (name.to_owned(), Parameter::Integer(1)));
        Numbered::of_query(query, &values.into_iter().filter(|(name, _)| query.contains(name)).collect())
    }

    #[test]
    fn names_become_numbers_outside_of_texts_and_comments() {
        let cases = [
            ("SELECT * FROM t WHERE a > :least AND b = :kind;", "SELECT * FROM t WHERE a > $1 AND b = $2"),
            ("SELECT :least, :least", "SELECT $1, $1"),
            ("SELECT a::text, :least::int4", "SELECT a::text, $1::int4"),
            ("SELECT ':least', \":kind\" -- :least\n FROM t", "SELECT ':least', \":kind\" -- :least\n FROM t"),
            ("SELECT E'\\':least', /* :kind /* */ :kind */ a", "SELECT E'\\':least', /* :kind /* */ :kind */ a"),
            ("SELECT $$ :least $$, $a$ :kind $$ $a$", "SELECT $$ :least $$, $a$ :kind $$ $a$"),
            ("SELECT a[1:least], b[c:kind]", "SELECT a[1:least], b[c:kind]"),
            ("SELECT 'é', :least", "SELECT 'é', $1"),
        ];
        for (query, expected) in cases {
            let values: BTreeMap<String, Parameter> = ["least", "kind"]
                .into_iter()
                .filter(|name| {
                    expected.contains('$') && !expected.contains(&format!(":{name}")) && query.contains(name)
                })
                .map(|name| (name.to_owned(), Parameter::Integer(1)))
                .collect();
            assert_eq!(Numbered::of_query(query, &values).map(|numbered| numbered.text), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let none = BTreeMap::new();
        let unbound = Numbered::of_query("SELECT :tenure", &none);
        assert_eq!(unbound, Err(Wrong::Unbound { name: "tenure".to_owned(), at: 7 }));
        let one = BTreeMap::from([("tenur".to_owned(), Parameter::Integer(1))]);
        let unused = Numbered::of_query("SELECT 1", &one);
        assert_eq!(unused, Err(Wrong::Unused { name: "tenur".to_owned(), known: Vec::new() }));
    }

    #[test]
    fn the_servers_letters_are_found_in_the_written_query() {
        let query = "SELECT 'é' WHERE a = :least AND bad = :kind";
        let numbered = numbered(query).expect("both have values");
        let letter = |text: &str| numbered.text[..numbered.text.find(text).expect("it is there")].chars().count() + 1;
        for text in ["a =", "bad", "'é'"] {
            assert_eq!(numbered.written_at(letter(text) as u32), query.find(text));
        }
        assert_eq!(numbered.written_at(letter("$2") as u32), query.find(":kind"));
        assert_eq!(numbered.written_at(0), None);
        assert_eq!(numbered.written_at(9999), None);
    }
}
