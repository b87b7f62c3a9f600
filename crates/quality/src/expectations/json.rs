//! Reads JSON as Python does (`NaN` and `Infinity` are numbers), and knows where each value stands.
//!
//! A suite is read strictly: what stands twice in it was meant otherwise. A cell of a table is read as `json.loads` does.

use std::collections::HashMap;
use std::ops::Range;

use super::value::Value;

/// How deep lists and objects of a suite may nest.
const DEEPEST: usize = 128;

/// How deep those of a cell may nest: about as deep as Python's own recursion goes.
const DEEPEST_OF_DATA: usize = 1000;

/// The most digits of an integer that Python reads.
const MOST_DIGITS: usize = 4300;

/// Objects of up to this many keys are looked through one by one.
const FEW: usize = 16;

/// Says what is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) span: Range<usize>,
}

/// Holds a value, its place, and the places of what it holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) inner: Inner,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Inner {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(String, Range<usize>, Node)>),
}

impl Node {
    pub(crate) fn value(&self) -> Value {
        match &self.inner {
            Inner::Scalar(value) => value.clone(),
            Inner::List(items) => Value::List(items.iter().map(Node::value).collect()),
            Inner::Map(entries) => {
                Value::Map(entries.iter().map(|(key, _, node)| (key.clone(), node.value())).collect())
            }
        }
    }
}

/// Reads a whole text, in which no key may stand twice in one object.
pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    read(text, true)
}

/// Reads a whole text as Python's `json.loads` does: of a key that stands twice the last value counts, and half of a
/// surrogate pair, which no text of ours can hold, becomes U+FFFD.
pub(crate) fn loads(text: &str) -> Result<Value, Fault> {
    read(text, false).map(|node| node.value())
}

fn read(text: &str, strict: bool) -> Result<Node, Fault> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, strict };
    reader.blank();
    let node = reader.node(0)?;
    reader.blank();
    if reader.at < text.len() {
        return Err(reader.fault("something follows the value", reader.at..text.len()));
    }
    Ok(node)
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    strict: bool,
}

/// Gives the place of a key among those before it. Many keys are kept in `known`, which is filled at need.
fn place_of(key: &str, entries: &[(String, Range<usize>, Node)], known: &mut HashMap<String, usize>) -> Option<usize> {
    if entries.len() < FEW {
        return entries.iter().position(|(other, ..)| other == key);
    }
    for (at, (other, ..)) in entries.iter().enumerate().skip(known.len()) {
        known.insert(other.clone(), at);
    }
    known.get(key).copied()
}

impl Reader<'_> {
    fn fault(&self, what: &str, span: Range<usize>) -> Fault {
        Fault { what: what.to_owned(), span }
    }

    fn wanted(&self, what: &str) -> Fault {
        let end = self.text[self.at..].chars().next().map_or(self.at, |found| self.at + found.len_utf8());
        match end == self.at {
            true => self.fault(&format!("{what} is expected where the text ends"), self.at..end),
            false => self.fault(&format!("{what} is expected here"), self.at..end),
        }
    }

    fn blank(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn node(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.at;
        if depth > if self.strict { DEEPEST } else { DEEPEST_OF_DATA } {
            return Err(self.fault("lists and objects nest too deeply", start..start + 1));
        }
        let inner = match self.bytes.get(self.at) {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Inner::Scalar(Value::Text(self.string()?)),
            _ => Inner::Scalar(self.word()?),
        };
        Ok(Node { span: start..self.at, inner })
    }

    fn map(&mut self, depth: usize) -> Result<Inner, Fault> {
        self.at += 1;
        let mut entries: Vec<(String, Range<usize>, Node)> = Vec::new();
        let mut known = HashMap::new();
        self.blank();
        if self.take("}") {
            return Ok(Inner::Map(entries));
        }
        loop {
            self.blank();
            let start = self.at;
            if self.bytes.get(self.at) != Some(&b'"') {
                return Err(self.wanted("a key in double quotes"));
            }
            let key = self.string()?;
            let span = start..self.at;
            let before = place_of(&key, &entries, &mut known);
            if before.is_some() && self.strict {
                return Err(self.fault("this key stands here twice", span));
            }
            self.blank();
            if !self.take(":") {
                return Err(self.wanted("`:`"));
            }
            self.blank();
            let node = self.node(depth + 1)?;
            match before.and_then(|at| entries.get_mut(at)) {
                Some(entry) => entry.2 = node,
                None => entries.push((key, span, node)),
            }
            self.blank();
            if self.take("}") {
                return Ok(Inner::Map(entries));
            }
            if !self.take(",") {
                return Err(self.wanted("`,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Inner, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.take("]") {
            return Ok(Inner::List(items));
        }
        loop {
            self.blank();
            items.push(self.node(depth + 1)?);
            self.blank();
            if self.take("]") {
                return Ok(Inner::List(items));
            }
            if !self.take(",") {
                return Err(self.wanted("`,` or `]`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(character) = rest.chars().next() else {
                return Err(self.fault("a quote is opened here and never closed", start..start + 1));
            };
            let from = self.at;
            self.at += character.len_utf8();
            match character {
                '"' => return Ok(text),
                '\\' => text.push(self.escape(from)?),
                character if (character as u32) < 0x20 => {
                    return Err(self.fault("a control character is written as an escape, such as \\n", from..self.at));
                }
                character => text.push(character),
            }
        }
    }

    fn escape(&mut self, from: usize) -> Result<char, Fault> {
        let Some(kind) = self.text[self.at..].chars().next() else {
            return Err(self.fault("the text ends within an escape", from..self.at));
        };
        self.at += kind.len_utf8();
        Ok(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hex(from)?;
                let behind = self.at;
                if (0xD800..0xDC00).contains(&first) && self.take("\\u") {
                    let second = self.hex(from)?;
                    let joined = 0x10000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF);
                    if (0xDC00..0xE000).contains(&second) {
                        return char::from_u32(joined).ok_or_else(|| self.fault("no character", from..self.at));
                    }
                    // The second one stands for itself.
                    self.at = behind;
                }
                match char::from_u32(first) {
                    Some(character) => character,
                    None if self.strict => {
                        return Err(self.fault("half of a surrogate pair is no character", from..self.at));
                    }
                    None => char::REPLACEMENT_CHARACTER,
                }
            }
            _ => return Err(self.fault("JSON has no such escape", from..self.at)),
        })
    }

    fn hex(&mut self, from: usize) -> Result<u32, Fault> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at = (self.at + 4).min(self.text.len());
        code.ok_or_else(|| self.fault("four hexadecimal digits are expected behind \\u", from..from + 2))
    }

    fn word(&mut self) -> Result<Value, Fault> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in words {
            if self.take(word) {
                return Ok(value);
            }
        }
        let start = self.at;
        let mut at = self.at + usize::from(self.bytes.get(self.at) == Some(&b'-'));
        let digits = |at: &mut usize| {
            let from = *at;
            while self.bytes.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            *at - from
        };
        let first = at;
        let whole = digits(&mut at);
        let mut is_number = whole == 1 || (whole > 1 && self.bytes[first] != b'0');
        let mut is_integer = true;
        if is_number && self.bytes.get(at) == Some(&b'.') {
            at += 1;
            is_integer = false;
            is_number = digits(&mut at) > 0;
        }
        if is_number && matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(self.bytes.get(at + 1), Some(b'+' | b'-')));
            is_integer = false;
            is_number = digits(&mut at) > 0;
        }
        if !is_number {
            return Err(self.wanted("a value"));
        }
        self.at = at;
        let text = &self.text[start..at];
        if is_integer && whole > MOST_DIGITS {
            return Err(self.fault("an integer has 4300 digits at most", start..at));
        }
        let integer = if is_integer { text.parse().ok() } else { None };
        Ok(match integer {
            Some(integer) => Value::Int(integer),
            None => Value::Float(text.parse().unwrap_or(f64::NAN)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_python_reads_them_and_suites_more_strictly() {
        let twice = r#"{"a": 1, "b": 2, "a": 3}"#;
        let last = [("a", 3), ("b", 2)].map(|(key, value)| (key.to_owned(), Value::Int(value)));
        assert_eq!(loads(twice), Ok(Value::Map(last.to_vec())));
        assert_eq!(parse(twice).unwrap_err().span, 17..20);
        for (text, held) in [(r#""\ud83d""#, "\u{fffd}"), (r#""\ude00x""#, "\u{fffd}x"), (r#""\ud83d\ude00""#, "😀")]
        {
            assert_eq!(loads(text), Ok(Value::Text(held.to_owned())), "{text}");
        }
        assert_eq!(loads(r#""\ud83d\u0041""#), Ok(Value::Text("\u{fffd}A".to_owned())));
        assert!(parse(r#""\ud83d""#).is_err() && loads(r#""\ud83d\u00""#).is_err());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(loads(&nested(DEEPEST_OF_DATA)).is_ok() && loads(&nested(DEEPEST_OF_DATA + 2)).is_err());
        assert!(loads(&"1".repeat(MOST_DIGITS)).is_ok() && loads(&"1".repeat(MOST_DIGITS + 1)).is_err());
    }

    #[test]
    fn an_object_of_many_keys_finds_each_again() {
        let keys: Vec<String> = (0..500).map(|key| format!("\"{key}\": {key}")).collect();
        let text = format!("{{{}, \"250\": \"again\"}}", keys.join(", "));
        let Ok(Value::Map(entries)) = loads(&text) else { panic!("{text}") };
        assert_eq!((entries.len(), &entries[250].1), (500, &Value::Text("again".to_owned())));
        assert_eq!(parse(&text).unwrap_err().what, "this key stands here twice");
    }
}
