//! Values as MLflow's files hold them.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A value of a YAML document.
pub(super) enum Yaml<'a> {
    Text(&'a str),
    Number(i64),
    Null,
    NoList,
}

/// Writes a YAML document of names and values.
pub(super) fn yaml(pairs: &[(&str, Yaml<'_>)]) -> String {
    let value = |value: &Yaml<'_>| match value {
        Yaml::Text(text) => quoted(text),
        Yaml::Number(number) => number.to_string(),
        Yaml::Null => "null".to_owned(),
        Yaml::NoList => "[]".to_owned(),
    };
    pairs.iter().map(|(name, given)| format!("{name}: {}\n", value(given))).collect()
}

/// Writes a text between double quotes, all but plain letters by their numbers: readers of YAML refuse some.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match (c, u32::from(c)) {
            ('"' | '\\', _) => quoted.extend(['\\', c]),
            (_, 0x20..=0x7e) => quoted.push(c),
            (_, code @ 0..=0xffff) => quoted.push_str(&format!("\\u{code:04x}")),
            (_, code) => quoted.push_str(&format!("\\U{code:08x}")),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes an absolute path as an address.
pub(super) fn file_uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
