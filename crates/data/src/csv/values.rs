//! What a cell's text means in each type.

use trainyard_spec::ColumnType;

/// The sign before the fraction of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decimal {
    Point,
    Comma,
}

/// Gives the narrowest type that all values are of.
pub(super) fn infer<'a>(values: impl Iterator<Item = &'a str>, decimal: Decimal) -> ColumnType {
    let values: Vec<&str> = values.collect();
    let all = |parses: &dyn Fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| parses(value));
    if all(&|value| boolean(value).is_some()) {
        ColumnType::Boolean
    } else if all(&|value| integer(value).is_some()) {
        ColumnType::Integer
    } else if all(&|value| float(value, decimal).is_some()) {
        ColumnType::Float
    } else if all(&|value| date(value).is_some()) {
        ColumnType::Date
    } else if all(&|value| timestamp(value).is_some()) {
        ColumnType::Timestamp
    } else {
        ColumnType::Text
    }
}

/// Takes blanks away from both ends, as `trim` does; most cells have none.
pub(super) fn trimmed(text: &str) -> &str {
    let is_plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    if is_plain(text.as_bytes().first()) && is_plain(text.as_bytes().last()) { text } else { text.trim() }
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        value if value.eq_ignore_ascii_case("true") => Some(true),
        value if value.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Says whether digits are a code, such as `007`, that a number would not give back.
fn is_code(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']).as_bytes();
    digits.first() == Some(&b'0') && digits.get(1).is_some_and(u8::is_ascii_digit)
}

pub(super) fn integer(text: &str) -> Option<i64> {
    let text = trimmed(text);
    if is_code(text) { None } else { text.parse().ok() }
}

pub(super) fn float(text: &str, decimal: Decimal) -> Option<f64> {
    let text = trimmed(text);
    match decimal {
        Decimal::Point => float_of(text),
        // Between a comma and a point one would separate thousands, and nobody said which.
        Decimal::Comma if text.contains('.') => None,
        Decimal::Comma if text.contains(',') => float_of(&text.replace(',', ".")),
        Decimal::Comma => float_of(text),
    }
}

/// Gives the float of a text without blanks around it and with a point before its fraction.
fn float_of(text: &str) -> Option<f64> {
    let word = text.trim_start_matches(['+', '-']);
    // Rust reads words such as `infinity` as numbers; in a table only `nan` and `inf` are meant so.
    if word.starts_with(|first: char| first.is_ascii_alphabetic()) {
        let known = ["nan", "inf"].iter().any(|known| word.eq_ignore_ascii_case(known));
        return if known { text.parse().ok() } else { None };
    }
    // A whole number beyond 64 bits is a code as well: a double would give back other digits.
    let whole = word.bytes().all(|byte| byte.is_ascii_digit());
    if is_code(text) || (whole && text.parse::<i64>().is_err()) {
        return None;
    }
    // `1e400` is no infinity, it is a slip.
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Days since 1970-01-01 of an ISO date.
pub(crate) fn date(text: &str) -> Option<i32> {
    // chrono also reads `1-2-3` as a date, which in a table is a number of something.
    let text = text.trim();
    let shape = |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    if text.len() != 10 || !text.bytes().enumerate().all(shape) {
        return None;
    }
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
}

/// Microseconds since 1970-01-01 of an ISO timestamp without zone.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let (day, rest) = text.split_at_checked(10)?;
    let midnight = i64::from(date(day)?) * 86_400_000_000;
    let Some(time) = rest.strip_prefix(['T', ' ']) else { return rest.is_empty().then_some(midnight) };
    let formats = ["%H:%M:%S%.f", "%H:%M"];
    let time = formats.iter().find_map(|format| chrono::NaiveTime::parse_from_str(time, format).ok())?;
    Some(midnight + time.signed_duration_since(chrono::NaiveTime::MIN).num_microseconds()?)
}
