//! JSON values as a suite holds them: with infinities and NaN, as Python writes them.

use std::cmp::Ordering;

use serde_json::json;
use trainyard_expression::calendar::DAY;

/// Holds one value of a suite.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without point and exponent.
    Int(i64),
    /// Any other number; may be infinite or NaN.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object, its keys in the order of the text.
    Map(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl Value {
    /// Reads JSON as Python's `json.loads` does: `NaN` and `Infinity` are numbers, and of a key that stands twice the
    /// last one counts. `None` where the text is none.
    pub fn read(text: &str) -> Option<Value> {
        super::json::loads(text).ok()
    }

    /// Gives what an object holds under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Gives the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Gives the list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Gives the number, if it is one; `true` and `false` are none.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Gives the texts of a list of texts.
    pub fn as_texts(&self) -> Option<Vec<&str>> {
        self.as_list()?.iter().map(Value::as_text).collect()
    }

    /// Says what it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
        }
    }

    /// Gives it as plain JSON, where infinities are the texts `inf` and `-inf`, and NaN is `null`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => json!(value),
            Value::Int(value) => json!(value),
            Value::Float(value) => number(*value),
            Value::Text(text) => json!(text),
            Value::List(items) => items.iter().map(Value::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// Writes it as Python's `json.dumps(…, indent=2, sort_keys=True, ensure_ascii=False)` does.
    pub(crate) fn write(&self, indent: usize, out: &mut String) {
        match self {
            Value::Float(value) => out.push_str(&python_number(*value)),
            Value::List(items) if !items.is_empty() => {
                let items = items.iter().map(|item| (None, item));
                write_nested(items, ('[', ']'), indent, out);
            }
            Value::Map(entries) if !entries.is_empty() => {
                let mut entries: Vec<_> = entries.iter().map(|(key, value)| (Some(key.as_str()), value)).collect();
                entries.sort_by_key(|(key, _)| *key);
                write_nested(entries.into_iter(), ('{', '}'), indent, out);
            }
            other => out.push_str(&other.to_json().to_string()),
        }
    }
}

fn write_nested<'a>(
    items: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
    (open, close): (char, char),
    indent: usize,
    out: &mut String,
) {
    out.push(open);
    for (index, (key, value)) in items.enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&" ".repeat(indent + 2));
        if let Some(key) = key {
            out.push_str(&json!(key).to_string());
            out.push_str(": ");
        }
        value.write(indent + 2, out);
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}

/// Gives a double as JSON.
pub(crate) fn number(value: f64) -> serde_json::Value {
    if value.is_nan() {
        serde_json::Value::Null
    } else if value.is_infinite() {
        json!(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        json!(value)
    }
}

/// Writes a double as Python's `json` does.
fn python_number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        python_text(value)
    }
}

/// Writes a double as Python's `repr` does: the shortest digits, with an exponent from 1e16 and below 1e-4.
pub(crate) fn python_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{value:?}")
}

/// Compares an integer with a double that is not NaN, exactly: beyond 2^53 not every integer is a double.
fn beside_float(integer: i64, float: f64) -> Ordering {
    if float >= TWO_TO_63 {
        Ordering::Less
    } else if float < -TWO_TO_63 {
        Ordering::Greater
    } else {
        // What is cut off decides between integers that are equal.
        integer.cmp(&(float as i64)).then_with(|| 0.0_f64.total_cmp(&(float.fract() + 0.0)))
    }
}

/// Holds one cell of a table.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Nothing, or NaN.
    Missing,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double that is not NaN.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// A day, counted from 1970-01-01.
    Date(i32),
    /// A moment in microseconds from 1970-01-01.
    Moment(i64),
}

/// Tells cells of one value from others; `1`, `1.0` and `true` are one, as in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key<'a> {
    Missing,
    Int(i64),
    Float(u64),
    Text(&'a str),
    Moment(i128),
}

/// The classes of values between which there is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Missing,
    Number,
    Text,
    Moment,
}

impl Class {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Missing => "nothing",
            Class::Number => "numbers",
            Class::Text => "texts",
            Class::Moment => "dates",
        }
    }
}

/// The least power of two above the range of `i64`.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

impl<'a> Cell<'a> {
    /// Takes a scalar of a suite; lists and objects are no cells.
    pub(crate) fn of(value: &'a Value) -> Option<Cell<'a>> {
        Some(match value {
            Value::Null => Cell::Missing,
            Value::Bool(value) => Cell::Bool(*value),
            Value::Int(value) => Cell::Int(*value),
            Value::Float(value) => Cell::float(*value),
            Value::Text(text) => Cell::Text(text),
            Value::List(_) | Value::Map(_) => return None,
        })
    }

    pub(crate) fn float(value: f64) -> Cell<'a> {
        if value.is_nan() { Cell::Missing } else { Cell::Float(value) }
    }

    pub(crate) fn is_missing(self) -> bool {
        matches!(self, Cell::Missing)
    }

    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Cell::Bool(value) => Some(f64::from(u8::from(value))),
            Cell::Int(value) => Some(value as f64),
            Cell::Float(value) => Some(value),
            _ => None,
        }
    }

    /// Gives the microseconds since 1970; those of a date may be more than a moment can have.
    pub(crate) fn moment(self) -> Option<i128> {
        match self {
            Cell::Date(day) => Some(i128::from(day) * i128::from(DAY)),
            Cell::Moment(moment) => Some(i128::from(moment)),
            _ => None,
        }
    }

    pub(crate) fn class(self) -> Class {
        match self {
            Cell::Missing => Class::Missing,
            Cell::Bool(_) | Cell::Int(_) | Cell::Float(_) => Class::Number,
            Cell::Text(_) => Class::Text,
            Cell::Date(_) | Cell::Moment(_) => Class::Moment,
        }
    }

    pub(crate) fn key(self) -> Key<'a> {
        match self {
            Cell::Missing => Key::Missing,
            Cell::Bool(value) => Key::Int(i64::from(value)),
            Cell::Int(value) => Key::Int(value),
            Cell::Float(value) => {
                let is_integer = value.trunc() == value && (-TWO_TO_63..TWO_TO_63).contains(&value);
                if is_integer { Key::Int(value as i64) } else { Key::Float(value.to_bits()) }
            }
            Cell::Text(text) => Key::Text(text),
            Cell::Date(_) | Cell::Moment(_) => Key::Moment(self.moment().unwrap_or(0)),
        }
    }

    /// Compares two cells of one class, integers of any size without rounding; `None` between classes and beside a
    /// missing cell.
    pub(crate) fn compare(self, other: Cell<'_>) -> Option<Ordering> {
        match (self, other) {
            (Cell::Int(left), Cell::Int(right)) => Some(left.cmp(&right)),
            (Cell::Int(left), Cell::Float(right)) => Some(beside_float(left, right)),
            (Cell::Float(left), Cell::Int(right)) => Some(beside_float(right, left).reverse()),
            (Cell::Text(left), Cell::Text(right)) => Some(left.cmp(right)),
            _ => match (self.number(), other.number()) {
                (Some(left), Some(right)) => left.partial_cmp(&right),
                _ => Some(self.moment()?.cmp(&other.moment()?)),
            },
        }
    }

    /// Orders cells of all classes: nothing, numbers, texts, moments.
    pub(crate) fn order(self, other: Cell<'_>) -> Ordering {
        (self.class() as u8).cmp(&(other.class() as u8)).then_with(|| self.compare(other).unwrap_or(Ordering::Equal))
    }

    /// Gives it as JSON; dates and moments as ISO 8601 texts.
    pub(crate) fn to_json(self) -> serde_json::Value {
        match self {
            Cell::Missing => serde_json::Value::Null,
            Cell::Bool(value) => json!(value),
            Cell::Int(value) => json!(value),
            Cell::Float(value) => number(value),
            Cell::Text(text) => json!(text),
            Cell::Date(day) => json!(super::dates::write_date(i64::from(day))),
            Cell::Moment(moment) => json!(super::dates::write_moment(moment)),
        }
    }

    /// Gives it as Python's `str` writes it, which lengths and patterns are taken of.
    pub(crate) fn text(self) -> std::borrow::Cow<'a, str> {
        match self {
            Cell::Text(text) => text.into(),
            Cell::Missing => "nan".into(),
            Cell::Bool(value) => if value { "True" } else { "False" }.into(),
            Cell::Int(value) => value.to_string().into(),
            Cell::Float(value) => python_text(value).into(),
            Cell::Date(day) => super::dates::write_date(i64::from(day)).into(),
            Cell::Moment(moment) => super::dates::write_moment(moment).replacen('T', " ", 1).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_beyond_every_moment_is_later_than_each() {
        let (first, last) = (Cell::Date(i32::MIN), Cell::Date(i32::MAX));
        for moment in [i64::MIN, 0, i64::MAX] {
            assert_eq!(first.compare(Cell::Moment(moment)), Some(Ordering::Less));
            assert_eq!(last.compare(Cell::Moment(moment)), Some(Ordering::Greater));
        }
        assert_eq!(last.compare(Cell::Date(i32::MAX - 1)), Some(Ordering::Greater));
        assert_ne!(last.key(), Cell::Date(i32::MAX - 1).key());
        assert_eq!(Cell::Date(1).key(), Cell::Moment(DAY).key());
    }
}
