//! Casts: how each type is written as text and read from it, and how numbers become one another.

use std::fmt::Write;

use super::calendar::{self, Civil, civil, split};

/// Rounds a float to an integer, halves to even; `None` where it does not fit.
#[inline]
pub(crate) fn float_to_integer(value: f64) -> Option<i64> {
    let rounded = value.round_ties_even();
    // 2^63 is the first float that is too large; -2^63 still fits.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded);
    if fits { Some(rounded as i64) } else { None }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// Reads an integer as DuckDB does: spaces around, a decimal part that rounds halves away from zero, an exponent,
/// underscores between digits, and `0x` or `0b` in front.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(is_space);
    if let Ok(plain) = text.parse::<i64>() {
        return Some(plain);
    }
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    for (prefixes, radix) in [(["0x", "0X"], 16), (["0b", "0B"], 2)] {
        for prefix in prefixes {
            if let Some(rest) = unsigned.strip_prefix(prefix) {
                let rest = without_underscores(rest)?;
                // A second sign is not for the parser to accept.
                let value = if rest.starts_with(['+', '-']) { None } else { i64::from_str_radix(&rest, radix).ok() };
                return if negative { None } else { value };
            }
        }
    }
    let unsigned = without_underscores(unsigned)?;
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, unsigned.get(at + 1..)?.parse::<i64>().ok()?),
        None => (unsigned.as_str(), 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    rounded(&digits, i64::try_from(whole.len()).ok()?.checked_add(exponent)?, negative)
}

/// Gives the integer whose decimal point stands after `point` of the digits.
fn rounded(digits: &[u8], point: i64, negative: bool) -> Option<i64> {
    let mut value: i128 = 0;
    for place in 0..point {
        let digit = usize::try_from(place).ok().and_then(|place| digits.get(place));
        match digit {
            Some(digit) => value = value * 10 + i128::from(digit - b'0'),
            // Zeros after the last digit: zero stays zero however many there are.
            None if value == 0 => break,
            None => value *= 10,
        }
        if value > i128::from(u64::MAX) {
            return None;
        }
    }
    let next = usize::try_from(point).ok().and_then(|point| digits.get(point));
    if next.is_some_and(|digit| *digit >= b'5') {
        value += 1;
    }
    i64::try_from(if negative { -value } else { value }).ok()
}

/// Takes out underscores that stand between digits; `None` where one stands elsewhere.
fn without_underscores(text: &str) -> Option<String> {
    if !text.contains('_') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('_') {
        let digit = |place: Option<usize>| place.and_then(|place| bytes.get(place)).is_some_and(u8::is_ascii_hexdigit);
        if !digit(at.checked_sub(1)) || !digit(Some(at + 1)) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// Reads a float: spaces around, underscores between digits, `inf`, `infinity` and `nan` in any case.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_space);
    match text.parse::<f64>() {
        Ok(value) => Some(value),
        Err(_) if text.contains('_') => without_underscores(text)?.parse().ok(),
        Err(_) => None,
    }
}

/// Reads `true`, `t`, `yes`, `y`, `1` and their opposites in any case.
pub(crate) fn parse_boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["true", "t", "yes", "y", "1"]) {
        Some(true)
    } else if is(&["false", "f", "no", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// Appends an integer.
pub(crate) fn write_integer(value: i64, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

/// Appends a float: the fewest digits that read back as the same float, with an exponent from 1e16 and below 1e-4.
pub(crate) fn write_float(value: f64, out: &mut String) {
    if !value.is_finite() {
        out.push_str(if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        });
        return;
    }
    let magnitude = value.abs();
    let _ = if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        write!(out, "{value:?}")
    } else {
        let scientific = format!("{value:e}");
        match scientific.split_once('e') {
            Some((mantissa, exponent)) => {
                let (sign, digits) = match exponent.strip_prefix('-') {
                    Some(digits) => ('-', digits),
                    None => ('+', exponent),
                };
                write!(out, "{mantissa}e{sign}{digits:0>2}")
            }
            None => write!(out, "{scientific}"),
        }
    };
}

/// Appends a date as `2024-02-29`, or `0044-03-15 (BC)` for years before 1.
pub(crate) fn write_date(days: i64, out: &mut String) {
    let Civil { year, month, day } = civil(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " (BC)") };
    let _ = write!(out, "{year:04}-{month:02}-{day:02}{era}");
}

/// Appends a timestamp as `2024-02-29 12:30:00`, with microseconds where there are any.
pub(crate) fn write_timestamp(timestamp: i64, out: &mut String) {
    let (days, time) = split(timestamp);
    write_date(days, out);
    let (hour, minute, second) = (time / 3_600_000_000, time / 60_000_000 % 60, time / 1_000_000 % 60);
    let _ = write!(out, " {hour:02}:{minute:02}:{second:02}");
    let micros = time % 1_000_000;
    if micros > 0 {
        let fraction = format!("{micros:06}");
        let _ = write!(out, ".{}", fraction.trim_end_matches('0'));
    }
}

/// Reads one or two digits.
fn two_digits(text: &str) -> Option<(i64, &str)> {
    let count = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    Some((text.get(..count)?.parse().ok()?, text.get(count..)?))
}

/// Reads a date at the start of a text and gives what follows it.
fn leading_date(text: &str) -> Option<(i32, &str)> {
    let text = text.trim_start_matches(is_space);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    if count > 7 {
        return None;
    }
    let mut year: i64 = text.get(..count)?.parse().ok()?;
    let rest = text.get(count..)?;
    let separator = rest.chars().next().filter(|separator| matches!(separator, '-' | '/' | '\\' | ' '))?;
    let (month, rest) = two_digits(rest.strip_prefix(separator)?)?;
    let (day, rest) = two_digits(rest.strip_prefix(separator)?)?;
    if negative {
        year = -year;
    }
    let mut after = rest;
    if let Some(before_christ) = rest.strip_prefix(is_space).and_then(|rest| rest.strip_prefix("(BC)")) {
        if negative || year == 0 {
            return None;
        }
        year = 1 - year;
        after = before_christ;
    }
    Some((calendar::days(year, month, day)?, after))
}

/// Reads a date, `2024-02-29`; a time of day may follow and is dropped.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    if text.trim_matches(is_space).eq_ignore_ascii_case("epoch") {
        return Some(0);
    }
    let (days, rest) = leading_date(text)?;
    if rest.trim_matches(is_space).is_empty() {
        return Some(days);
    }
    i32::try_from(split(parse_timestamp(text)?).0).ok()
}

/// Reads a timestamp, `2024-02-29 12:30[:15[.25]]`, with ` ` or `T` between. `Z` and `UTC` may follow; any other zone is
/// refused, since the type has none.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    if text.trim_matches(is_space).eq_ignore_ascii_case("epoch") {
        return Some(0);
    }
    let (days, rest) = leading_date(text)?;
    if rest.trim_matches(is_space).is_empty() {
        return calendar::timestamp(i64::from(days), 0);
    }
    let rest = rest.strip_prefix('T').or_else(|| rest.strip_prefix(is_space))?;
    let (hour, rest) = two_digits(rest.trim_start_matches(is_space))?;
    let (minute, mut rest) = two_digits(rest.strip_prefix(':')?)?;
    let (mut second, mut micros) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        rest = after;
        if let Some((seconds, after)) = two_digits(after) {
            second = seconds;
            rest = after;
            if let Some(after) = rest.strip_prefix('.') {
                let count = after.bytes().take_while(u8::is_ascii_digit).count();
                let digits = after.get(..count.min(6))?;
                micros = format!("{digits:0<6}").parse().ok()?;
                rest = after.get(count..)?;
            }
        }
    }
    if !matches!(rest.trim_matches(is_space), "" | "Z" | "UTC" | "+00" | "+00:00") {
        return None;
    }
    let within = (hour < 24 && minute < 60 && second < 60) || (hour == 24 && minute == 0 && second == 0 && micros == 0);
    if !within {
        return None;
    }
    calendar::timestamp(i64::from(days), ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}
