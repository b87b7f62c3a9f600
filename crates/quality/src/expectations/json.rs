//! Reads JSON as Python does (`NaN` and `Infinity` are numbers), and knows where each value stands.

use std::ops::Range;

use super::value::Value;

/// How deep lists and objects may nest.
const DEEPEST: usize = 128;

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

/// Reads a whole text.
pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
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
        if depth > DEEPEST {
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
            if entries.iter().any(|(known, ..)| *known == key) {
                return Err(self.fault("this key stands here twice", span));
            }
            self.blank();
            if !self.take(":") {
                return Err(self.wanted("`:`"));
            }
            self.blank();
            let node = self.node(depth + 1)?;
            entries.push((key, span, node));
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
                if (0xD800..0xDC00).contains(&first) && self.take("\\u") {
                    let second = self.hex(from)?;
                    let joined = 0x10000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF);
                    if (0xDC00..0xE000).contains(&second) {
                        return char::from_u32(joined).ok_or_else(|| self.fault("no character", from..self.at));
                    }
                    return Err(self.fault("half of a surrogate pair is no character", from..self.at));
                }
                char::from_u32(first)
                    .ok_or_else(|| self.fault("half of a surrogate pair is no character", from..self.at))?
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
        let integer = if is_integer { text.parse().ok() } else { None };
        Ok(match integer {
            Some(integer) => Value::Int(integer),
            None => Value::Float(text.parse().unwrap_or(f64::NAN)),
        })
    }
}
