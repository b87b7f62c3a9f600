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
#[inline]
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

fn unsigned(text: &str) -> &[u8] {
    match text.as_bytes() {
        [b'+' | b'-', unsigned @ ..] => unsigned,
        all => all,
    }
}

/// Says whether digits are a code, such as `007`, that a number would not give back.
fn is_code(text: &str) -> bool {
    matches!(unsigned(text), [b'0', b'0'..=b'9', ..])
}

pub(super) fn integer(text: &str) -> Option<i64> {
    let text = trimmed(text);
    if is_code(text) { None } else { text.parse().ok() }
}

#[inline]
pub(super) fn float_with_point(text: &str) -> Option<f64> {
    float_of(trimmed(text))
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

/// Digits that 64 bits hold whatever they are.
const SAFE_DIGITS: usize = 18;

/// Gives the float of a text without blanks around it and with a point before its fraction.
fn float_of(text: &str) -> Option<f64> {
    let first = *text.as_bytes().first()?;
    let is_negative = first == b'-';
    // Which of the numbers have a sign can't be foreseen, so that branches on it would cost as much as some digits.
    let word = &text.as_bytes()[usize::from(is_negative | (first == b'+'))..];
    match word {
        [first @ b'0'..=b'9', b'0'..=b'9', ..] => {
            // A whole number beyond 64 bits is a code as well: a double would give back other digits.
            let is_long =
                || word.len() > SAFE_DIGITS && word.iter().all(u8::is_ascii_digit) && text.parse::<i64>().is_err();
            if *first == b'0' || is_long() {
                return None;
            }
        }
        [b'0'..=b'9' | b'.', ..] => {}
        // Parsers read words such as `infinity` as numbers; in a table only `nan` and `inf` are meant so.
        _ => {
            let known = [&b"nan"[..], b"inf"].iter().any(|known| word.eq_ignore_ascii_case(known));
            return if known { text.parse().ok() } else { None };
        }
    }
    // `1e400` is no infinity, it is a slip.
    let size = fast_float2::parse::<f64, _>(word).ok().filter(|size| size.is_finite())?;
    Some(f64::from_bits(size.to_bits() | u64::from(is_negative) << 63))
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

#[cfg(test)]
mod tests {
    use trainyard_random::{Key, Stream};

    use super::*;

    /// Reads a float by the parser of the standard library, which says what is one.
    fn standard(text: &str) -> Option<f64> {
        let word = text.trim_start_matches(['+', '-']);
        if word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let known = ["nan", "inf"].iter().any(|known| word.eq_ignore_ascii_case(known));
            return if known { text.parse().ok() } else { None };
        }
        let whole = word.bytes().all(|byte| byte.is_ascii_digit());
        let code = word.len() > 1 && word.starts_with('0') && word.as_bytes()[1].is_ascii_digit();
        if code || (whole && text.parse::<i64>().is_err()) {
            return None;
        }
        text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// Says whether it is a number.
    fn check(text: &str) -> bool {
        let (ours, known) = (float_of(text), standard(text));
        assert_eq!(ours.map(f64::to_bits), known.map(f64::to_bits), "{text}: {ours:?}, not {known:?}");
        known.is_some()
    }

    #[test]
    fn floats_are_those_of_the_standard_library() {
        for refused in [
            "",
            "+",
            "-",
            ".",
            "-.",
            "e5",
            "1e",
            "1e+",
            "1e5.0",
            "1_000",
            "0x1f",
            "infinity",
            "-Infinity",
            "nano",
            "--5",
            "+-5",
            "-+inf",
            "++nan",
            "1.5f",
            "1,5",
            "1 5",
            "007",
            "-00.5",
            "1e400",
            "-1e400",
            "9223372036854775808",
            "-9223372036854775809",
            "123456789012345678901",
            "\u{661}",
            "1\u{e9}",
            "\0",
            "1.7976931348623159e308",
        ] {
            assert!(!check(refused), "{refused}");
        }
        for taken in [
            "0",
            "-0",
            "+0.0",
            "5.",
            ".5",
            "-.5e-3",
            "1E5",
            "1e+05",
            "NaN",
            "-nan",
            "+inf",
            "-INF",
            "1e-400",
            "2.2250738585072011e-308",
            "5e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "0e400",
            "9223372036854775807",
            "-9223372036854775808",
            "1.7976931348623157e308",
            "1.7976931348623158079e308",
            "123456789012345678901.0",
            "0.000000000000000000000000000000000000000000000123456789012345678901234567890",
        ] {
            assert!(check(taken), "{taken}");
        }
    }

    #[test]
    fn random_floats_are_those_of_the_standard_library() {
        let digits = |draws: &mut Stream, most: u64| -> String {
            (0..=draws.below(most)).map(|_| char::from(b'0' + draws.below(10) as u8)).collect()
        };
        let letters = b"0123456789+-.eE_naifx";
        let (key, mut numbers, mut others) = (Key::new(5, "floats"), 0, 0);
        for round in 0..20_000 {
            let bits = key.at(round);
            let mut draws = key.derive(round).stream();
            let value = f64::from_bits(bits);
            let denormal = f64::from_bits(bits & 0x800f_ffff_ffff_ffff);
            let places = draws.below(30) as usize;
            // Exactly between two floats, as 54 bits over a power of two, and closely beside that.
            let (odd, power) = (bits >> 11 | 1 << 53 | 1, draws.below(32) as u32);
            let between = u128::from(odd) * 5_u128.pow(power);
            let placed = |number: u128| {
                let number = format!("{number:0>width$}", width = power as usize + 1);
                let (whole, fraction) = number.split_at(number.len() - power as usize);
                format!("{whole}.{fraction}")
            };
            let (whole, fraction) = (digits(&mut draws, 24), digits(&mut draws, 30));
            let exponent = draws.below(700) as i64 - 350;
            let small = draws.below(20);
            let letter = |_| char::from(letters[draws.below(letters.len() as u64) as usize]);
            let noise: String = (0..7).map(letter).take(1 + (round % 7) as usize).collect();
            for text in [
                value.to_string(),
                format!("{value:e}"),
                format!("{:.places$}", value % 1e6),
                denormal.to_string(),
                format!("{denormal:e}"),
                placed(between),
                placed(between) + "0000000000000000001",
                placed(between - 1),
                format!("{between}e{exponent}"),
                format!("{}.{fraction}", round % 100),
                format!("-{whole}.{fraction}e{exponent}"),
                format!("{whole}E+{small}"),
                whole,
                noise,
            ] {
                let count = if check(&text) { &mut numbers } else { &mut others };
                *count += 1;
            }
        }
        assert!(numbers > 150_000 && others > 15_000, "{numbers} numbers, {others} others");
    }
}
