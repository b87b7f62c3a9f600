//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity`.

use std::fmt::Write;

use serde_json::Value;

/// What stands before the name of a number that JSON lacks, once it is a string.
const MARK: &str = "\\u0000";

/// Reads a value; none where it is none.
pub(super) fn parse(text: &str) -> Option<Value> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return serde_json::from_str(text).ok();
    }
    let mut plain = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(['"', 'N', 'I', '-']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = ["NaN", "Infinity", "-Infinity"].into_iter().find(|name| rest.starts_with(name));
        let length = match name {
            Some(name) => {
                plain.extend(["\"", MARK, name, "\""]);
                name.len()
            }
            None => {
                let length = if rest.starts_with('"') { string_length(rest) } else { 1 };
                plain.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[length..];
    }
    plain.push_str(rest);
    serde_json::from_str(&plain).ok()
}

/// Gives the length of the string literal with which `text` begins.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Gives the number that a value is.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => match text.strip_prefix('\0')? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        other => other.as_f64(),
    }
}

/// Writes a number.
pub(super) fn push_number(text: &mut String, value: f64) {
    if value.is_finite() {
        // A `String` takes everything.
        let _ = write!(text, "{value:?}");
    } else if value.is_nan() {
        text.push_str("NaN");
    } else {
        text.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
}

/// Writes a string.
pub(super) fn push_text(text: &mut String, value: &str) {
    text.push_str(&Value::from(value).to_string());
}

/// Writes what stands between `open` and `close`, with commas.
pub(super) fn push_list<T>(
    text: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut String, T),
) {
    text.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push(text, item);
    }
    text.push(close);
}

#[cfg(test)]
mod tests {
    use super::{number, parse};

    #[test]
    fn numbers_that_json_lacks_are_read_outside_of_strings_alone() {
        let value = parse(r#"{"a":[NaN,-Infinity,Infinity,-1.5],"NaN \" -Infinity":"NaN\\"}"#).unwrap();
        let numbers: Vec<f64> = value["a"].as_array().unwrap().iter().map(|one| number(one).unwrap()).collect();
        assert!(numbers[0].is_nan());
        assert_eq!(numbers[1..], [f64::NEG_INFINITY, f64::INFINITY, -1.5]);
        assert_eq!(value["NaN \" -Infinity"], "NaN\\");
        assert_eq!(number(&value["NaN \" -Infinity"]), None);
        for broken in ["{\"NaN", "[NaN", "NaNNaN", "[Infinity\"]", ""] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }
}
