//! `strftime` and `strptime`: formats are literals, read before any row is.

use super::calendar::{
    Civil, civil, day_of_year, days, iso_week, iso_weekday, month_name, starting_name, timestamp, weekday_name,
};

/// One piece of a format.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    /// A specifier and whether `-` takes its leading zeros away.
    Field(char, bool),
}

/// A format that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Format {
    text: String,
    pieces: Vec<Piece>,
}

/// The specifiers that both functions know, and those of `strftime` alone.
const BOTH: &str = "aAbBhdmyYHIpMSfgj";
const WRITTEN: &str = "uwUWVG";

impl Format {
    /// Reads a format; gives the specifier that is unknown, or the empty text for an empty format.
    pub(crate) fn parse(text: &str, reading: bool) -> Result<Format, String> {
        if text.is_empty() {
            return Err(String::new());
        }
        let mut pieces = Vec::new();
        read_pieces(text, reading, &mut pieces)?;
        Ok(Format { text: text.to_owned(), pieces })
    }

    /// Gives the format as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Appends a day and the microseconds since its midnight.
    pub(crate) fn write(&self, day: i64, time: i64, out: &mut String) {
        let date = civil(day);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(field, bare) => write_field(*field, *bare, date, day, time, out),
            }
        }
    }

    /// Reads a timestamp; `None` where the text does not match.
    pub(crate) fn read(&self, text: &str) -> Option<i64> {
        let mut rest = text.trim_start_matches(is_space);
        let mut fields = Fields { year: 1900, month: 1, day: 1, of_year: None, hour: 0, microseconds: 0, half: None };
        for piece in &self.pieces {
            rest = match piece {
                Piece::Text(literal) => skip_literal(rest, literal)?,
                Piece::Field(field, _) => fields.read(*field, rest)?,
            };
        }
        if rest.trim_start_matches(is_space).is_empty() { fields.timestamp() } else { None }
    }
}

fn read_pieces(text: &str, reading: bool, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            plain.push(character);
            continue;
        }
        let mut specifier = characters.next();
        let bare = specifier == Some('-');
        if bare {
            specifier = characters.next();
        }
        let Some(field) = specifier else { return Err("%".to_owned()) };
        let unknown = || Err(format!("%{}{field}", if bare { "-" } else { "" }));
        // The three that stand for a whole format.
        let whole = match field {
            'c' => Some("%Y-%m-%d %H:%M:%S"),
            'x' => Some("%Y-%m-%d"),
            'X' => Some("%H:%M:%S"),
            _ => None,
        };
        match (field, whole) {
            ('%', _) if !bare => plain.push('%'),
            (_, Some(whole)) if !bare => {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                read_pieces(whole, reading, pieces)?;
            }
            (field, None) if BOTH.contains(field) || (!reading && WRITTEN.contains(field)) => {
                if bare && !"dmyHIMSj".contains(field) {
                    return unknown();
                }
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Field(field, bare));
            }
            _ => return unknown(),
        }
    }
    pieces.push(Piece::Text(plain));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    Ok(())
}

fn write_field(field: char, bare: bool, date: Civil, day: i64, time: i64, out: &mut String) {
    let hour = time / 3_600_000_000;
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let mut padded = |value: i64, width: usize| {
        let text = if bare { value.to_string() } else { format!("{value:0width$}") };
        out.push_str(&text);
    };
    match field {
        'd' => padded(date.day, 2),
        'm' => padded(date.month, 2),
        'y' => padded(date.year.abs() % 100, 2),
        'Y' | 'G' => {
            let year = if field == 'Y' { date.year } else { iso_week(day).0 };
            // DuckDB pads years from 0 to 9999 only.
            padded(year, if (0..=9999).contains(&year) { 4 } else { 0 });
        }
        'H' => padded(hour, 2),
        'I' => padded(twelve, 2),
        'M' => padded(time / 60_000_000 % 60, 2),
        'S' => padded(time / 1_000_000 % 60, 2),
        'f' => padded(time % 1_000_000, 6),
        'g' => padded(time / 1000 % 1000, 3),
        'j' => padded(day_of_year(day), 3),
        'u' => padded(iso_weekday(day), 0),
        'w' => padded(iso_weekday(day) % 7, 0),
        // Weeks that begin on Sunday or Monday; the days before the first one are week 0.
        'U' => padded((day_of_year(day) + 6 - iso_weekday(day) % 7) / 7, 2),
        'W' => padded((day_of_year(day) + 6 - (iso_weekday(day) - 1)) / 7, 2),
        'V' => padded(iso_week(day).1, 2),
        'a' => out.push_str(weekday_name(day).get(..3).unwrap_or_default()),
        'A' => out.push_str(weekday_name(day)),
        'b' | 'h' => out.push_str(month_name(date.month).get(..3).unwrap_or_default()),
        'B' => out.push_str(month_name(date.month)),
        'p' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        _ => {}
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// Skips a literal piece; a run of spaces in it stands for one or more spaces.
fn skip_literal<'a>(mut rest: &'a str, literal: &str) -> Option<&'a str> {
    for character in literal.chars() {
        if is_space(character) {
            let after = rest.trim_start_matches(is_space);
            if after.len() == rest.len() {
                return None;
            }
            rest = after;
        } else {
            rest = rest.strip_prefix(character)?;
        }
    }
    Some(rest)
}

/// Reads up to `width` digits, and at least one.
fn digits(text: &str, width: usize) -> Option<(i64, usize, &str)> {
    let count = text.bytes().take(width).take_while(u8::is_ascii_digit).count();
    Some((text.get(..count)?.parse().ok()?, count, text.get(count..)?))
}

fn fraction(text: &str, width: usize) -> Option<(i64, &str)> {
    let (value, count, rest) = digits(text, width)?;
    Some((value * 10_i64.pow(6_u32.saturating_sub(u32::try_from(count).ok()?)), rest))
}

struct Fields {
    year: i64,
    month: i64,
    day: i64,
    of_year: Option<i64>,
    hour: i64,
    microseconds: i64,
    /// 0 in the morning, 12 after noon.
    half: Option<i64>,
}

impl Fields {
    fn read<'a>(&mut self, field: char, text: &'a str) -> Option<&'a str> {
        let number = |width: usize, range: std::ops::RangeInclusive<i64>| {
            let (value, _, rest) = digits(text, width)?;
            range.contains(&value).then_some((value, rest))
        };
        let name = |month: bool, long: bool| {
            let (place, length) = starting_name(text, month, long)?;
            Some((place, text.get(length..)?))
        };
        let rest;
        match field {
            'd' => (self.day, rest) = number(2, 1..=31)?,
            'm' => (self.month, rest) = number(2, 1..=12)?,
            'Y' => (self.year, rest) = number(4, 0..=9999)?,
            'y' => {
                let year;
                (year, rest) = number(2, 0..=99)?;
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            'H' => (self.hour, rest) = number(2, 0..=23)?,
            'I' => (self.hour, rest) = number(2, 1..=12)?,
            'M' => {
                let minute;
                (minute, rest) = number(2, 0..=59)?;
                self.microseconds += minute * 60_000_000;
            }
            'S' => {
                let second;
                (second, rest) = number(2, 0..=59)?;
                self.microseconds += second * 1_000_000;
            }
            'f' => {
                let part;
                (part, rest) = fraction(text, 6)?;
                self.microseconds += part;
            }
            'g' => {
                let part;
                (part, rest) = fraction(text, 3)?;
                self.microseconds += part;
            }
            'j' => {
                let of_year;
                (of_year, rest) = number(3, 1..=366)?;
                self.of_year = Some(of_year);
            }
            'b' | 'h' | 'B' => {
                let place;
                (place, rest) = name(true, field == 'B')?;
                self.month = place + 1;
            }
            'a' | 'A' => (_, rest) = name(false, field == 'A')?,
            'p' => {
                let half = text.get(..2)?;
                self.half = if half.eq_ignore_ascii_case("am") {
                    Some(0)
                } else if half.eq_ignore_ascii_case("pm") {
                    Some(12)
                } else {
                    return None;
                };
                rest = text.get(2..)?;
            }
            _ => return None,
        }
        Some(rest)
    }

    fn timestamp(&self) -> Option<i64> {
        let hour = match self.half {
            // A half of the day goes with an hour from 1 to 12.
            Some(_) if self.hour > 12 => return None,
            Some(half) => self.hour % 12 + half,
            None => self.hour,
        };
        let day = match self.of_year {
            Some(of_year) => i64::from(days(self.year, 1, 1)?) + of_year - 1,
            None => i64::from(days(self.year, self.month, self.day)?),
        };
        timestamp(day, hour * 3_600_000_000 + self.microseconds)
    }
}
