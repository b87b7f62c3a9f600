//! Reads dates as people write them, by the rules of Python's `dateutil.parser.parse`.
//!
//! What `dateutil` takes from the clock is fixed here: a year of two digits below 69 is of this century. A text without
//! a year is a date all the same, but no moment. Digits are those of ASCII.

use super::dates::{Civil, days_in_month};

/// Says that a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoDate;

type Parsed<T> = Result<T, NoDate>;

const JUMPS: [&str; 17] =
    [" ", ".", ",", ";", "-", "/", "'", "at", "on", "and", "ad", "m", "t", "of", "st", "nd", "rd"];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Tells whether `text` is a date or a time.
pub(crate) fn is_date(text: &str) -> bool {
    read(text).is_ok()
}

/// Gives the moment that `text` names in microseconds from 1970-01-01, in UTC where it names a zone; `None` where it is
/// no date, lacks a year, or names a zone of a day or more, which Python refuses to reckon with.
pub fn moment(text: &str) -> Option<i64> {
    let (civil, offset) = read(text).ok()?;
    if civil.year == 0 || offset.abs() >= 86_400 {
        return None;
    }
    Some(civil.moment()? - offset * 1_000_000)
}

fn read(text: &str) -> Parsed<(Civil, i64)> {
    let mut state = State { tokens: split(text), ..State::default() };
    let mut at = 0;
    while at < state.tokens.len() {
        at = state.step(at)? + 1;
    }
    state.finish()
}

/// Splits a text as `dateutil`'s lexer does: words, numbers with at most one point, and single other characters.
fn split(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().filter(|character| *character != '\0').collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let first = text[at];
        at += 1;
        if !first.is_alphabetic() && !first.is_numeric() {
            tokens.push(if first.is_whitespace() { " ".to_owned() } else { first.to_string() });
            continue;
        }
        let (mut is_word, mut letters, mut points) = (first.is_alphabetic(), first.is_alphabetic(), false);
        let mut token = first.to_string();
        while let Some(next) = text.get(at).copied() {
            let behind_point = token.ends_with('.');
            if next == '.' || (next == ',' && !is_word && !points && token.len() >= 2) {
                points = true;
            } else if next.is_alphabetic() && (is_word || (points && behind_point)) {
                (is_word, letters) = (true, true);
            } else if next.is_numeric() && (!is_word || (points && behind_point)) {
                is_word = false;
            } else {
                break;
            }
            token.push(next);
            at += 1;
        }
        let dots = token.matches('.').count();
        if points && (letters || dots > 1 || token.ends_with(['.', ','])) {
            tokens.extend(token.split_inclusive(['.', ',']).flat_map(parts));
        } else {
            tokens.push(if dots == 0 { token.replace(',', ".") } else { token });
        }
    }
    tokens
}

/// Cuts the point off the end of a part.
fn parts(part: &str) -> impl Iterator<Item = String> {
    let end = part.trim_end_matches(['.', ',']).len();
    [&part[..end], &part[end..]]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

fn is_jump(token: &str) -> bool {
    let token = token.to_lowercase();
    token == "th" || JUMPS.contains(&token.as_str())
}

fn position_of(token: &str, names: &[&str], extra: Option<(&str, usize)>) -> Option<usize> {
    let token = token.to_lowercase();
    if let Some((name, position)) = extra
        && token == name
    {
        return Some(position);
    }
    names.iter().position(|name| token == *name || token == name[..3])
}

fn month(token: &str) -> Option<u32> {
    position_of(token, &MONTHS, Some(("sept", 8))).map(|position| position as u32 + 1)
}

/// Gives the unit of a word of time: 0 hours, 1 minutes, 2 seconds.
fn unit(token: &str) -> Option<usize> {
    match token.to_lowercase().as_str() {
        "h" | "hour" | "hours" => Some(0),
        "m" | "minute" | "minutes" => Some(1),
        "s" | "second" | "seconds" => Some(2),
        _ => None,
    }
}

/// Tells the afternoon from the morning.
fn half_of_day(token: &str) -> Option<bool> {
    match token.to_lowercase().as_str() {
        "am" | "a" => Some(false),
        "pm" | "p" => Some(true),
        _ => None,
    }
}

fn twelve_hours(hour: u32, afternoon: bool) -> u32 {
    match (hour, afternoon) {
        (12, false) => 0,
        (hour, true) if hour < 12 => hour + 12,
        (hour, _) => hour,
    }
}

fn digits(text: &str) -> Parsed<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoDate);
    }
    text.parse().map_err(|_| NoDate)
}

fn part(text: &str, range: std::ops::Range<usize>) -> Parsed<u32> {
    digits(text.get(range).ok_or(NoDate)?)
}

/// Reads seconds with a fraction.
fn seconds(text: &str) -> Parsed<(u32, u32)> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return Ok((digits(text)?, 0));
    };
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Ok((digits(whole)?, digits(&fraction)?))
}

/// Reads a plain decimal number; an exponent or a sign makes none.
fn decimal(token: &str) -> Option<f64> {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && token.bytes().any(|byte| byte.is_ascii_digit());
    if is_plain { token.parse().ok() } else { None }
}

#[derive(Debug, Default)]
struct State {
    tokens: Vec<String>,
    /// Numbers of the date in the order of the text.
    numbers: Vec<u32>,
    year_at: Option<usize>,
    month_at: Option<usize>,
    century: bool,
    weekday: bool,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
    microsecond: Option<u32>,
    afternoon: Option<bool>,
    zone: Option<String>,
    offset: Option<i64>,
}

impl State {
    fn token(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).map(String::as_str)
    }

    fn needed(&self, at: usize) -> Parsed<String> {
        self.tokens.get(at).cloned().ok_or(NoDate)
    }

    fn push_text(&mut self, text: &str) -> Parsed<()> {
        let value = digits(text)?;
        if text.len() > 2 {
            self.century = true;
            self.label_year()?;
        }
        self.push(value)
    }

    fn push_number(&mut self, value: f64) -> Parsed<()> {
        if value > 100.0 {
            self.century = true;
            self.label_year()?;
        }
        self.push(value as u32)
    }

    fn label_year(&mut self) -> Parsed<()> {
        if self.year_at.is_some() {
            return Err(NoDate);
        }
        self.year_at = Some(self.numbers.len());
        Ok(())
    }

    fn push(&mut self, value: u32) -> Parsed<()> {
        self.numbers.push(value);
        if self.numbers.len() > 3 { Err(NoDate) } else { Ok(()) }
    }

    fn push_month(&mut self, value: u32) -> Parsed<()> {
        if self.month_at.is_some() {
            return Err(NoDate);
        }
        self.month_at = Some(self.numbers.len());
        self.push(value)
    }

    /// Reads from the token at `at` on; gives the last token read.
    fn step(&mut self, at: usize) -> Parsed<usize> {
        let token = self.needed(at)?;
        if let Some(value) = decimal(&token) {
            return self.number(at, &token, value);
        }
        if position_of(&token, &WEEKDAYS, None).is_some() {
            self.weekday = true;
        } else if let Some(value) = month(&token) {
            return self.month(at, value);
        } else if let Some(afternoon) = half_of_day(&token) {
            let hour = self.hour.filter(|hour| *hour <= 12).ok_or(NoDate)?;
            self.hour = Some(twelve_hours(hour, afternoon));
            self.afternoon = Some(afternoon);
        } else if self.may_be_zone(&token) {
            self.zone = Some(token.clone());
            let is_utc = matches!(token.as_str(), "UTC" | "GMT" | "Z" | "z");
            self.offset = is_utc.then_some(0);
            if let Some(sign @ ("+" | "-")) = self.token(at + 1) {
                // GMT+3 is "my time plus three is GMT".
                self.tokens[at + 1] = if sign == "+" { "-" } else { "+" }.to_owned();
                self.offset = None;
                if is_utc {
                    self.zone = None;
                }
            }
        } else if self.hour.is_some() && (token == "+" || token == "-") {
            return self.zone_offset(at, if token == "+" { 1 } else { -1 });
        } else if !is_jump(&token) {
            return Err(NoDate);
        }
        Ok(at)
    }

    fn may_be_zone(&self, token: &str) -> bool {
        self.hour.is_some()
            && self.zone.is_none()
            && self.offset.is_none()
            && token.len() <= 5
            && (token.bytes().all(|byte| byte.is_ascii_uppercase()) || token == "z")
    }

    fn zone_offset(&mut self, at: usize, sign: i64) -> Parsed<usize> {
        let token = self.needed(at + 1)?;
        let mut last = at + 1;
        let (hours, minutes) = if token.len() == 4 {
            (part(&token, 0..2)?, part(&token, 2..4)?)
        } else if self.token(at + 2) == Some(":") {
            last += 2;
            (digits(&token)?, digits(&self.needed(at + 3)?)?)
        } else if token.len() <= 2 {
            (digits(&token)?, 0)
        } else {
            return Err(NoDate);
        };
        self.offset = Some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60));
        let named = self.token(last + 1).is_some_and(is_jump)
            && self.token(last + 2) == Some("(")
            && self.token(last + 4) == Some(")")
            && self.token(last + 3).is_some_and(|name| name.len() >= 3);
        Ok(if named { last + 4 } else { last })
    }

    fn month(&mut self, at: usize, value: u32) -> Parsed<usize> {
        self.push_month(value)?;
        let mut last = at;
        match self.token(at + 1) {
            Some(separator @ ("-" | "/")) => {
                let separator = separator.to_owned();
                self.push_text(&self.needed(at + 2)?)?;
                last += 2;
                if self.token(at + 3) == Some(&separator) {
                    self.push_text(&self.needed(at + 4)?)?;
                    last += 2;
                }
            }
            Some(" ") if self.token(at + 3) == Some(" ") && self.token(at + 2).is_some_and(|word| word == "of") => {
                // January of 01: the number is a year.
                if let Some(Ok(year)) = self.token(at + 4).map(digits) {
                    self.label_year()?;
                    self.push(if year < 100 { two_digits(year) } else { year })?;
                    self.century = true;
                }
                last += 4;
            }
            _ => {}
        }
        Ok(last)
    }

    fn number(&mut self, at: usize, token: &str, value: f64) -> Parsed<usize> {
        let length = token.len();
        let next = self.token(at + 1).map(str::to_owned);
        let next = next.as_deref();
        let ends = next.is_none_or(|next| next == " " || half_of_day(next).is_some());
        if self.numbers.len() == 3 && (length == 2 || length == 4) && self.hour.is_none() && ends {
            self.hour = Some(part(token, 0..2)?);
            if length == 4 {
                self.minute = Some(part(token, 2..4)?);
            }
        } else if length == 6 || (length > 6 && token.find('.') == Some(6)) {
            if self.numbers.is_empty() && !token.contains('.') {
                for from in [0, 2, 4] {
                    self.push_text(&token[from..from + 2])?;
                }
            } else {
                self.hour = Some(part(token, 0..2)?);
                self.minute = Some(part(token, 2..4)?);
                self.set_seconds(token.get(4..).ok_or(NoDate)?)?;
            }
        } else if matches!(length, 8 | 12 | 14) {
            self.label_year()?;
            self.century = true;
            self.push(part(token, 0..4)?)?;
            self.push_text(&token[4..6])?;
            self.push_text(&token[6..8])?;
            if length > 8 {
                self.hour = Some(part(token, 8..10)?);
                self.minute = Some(part(token, 10..12)?);
                if length > 12 {
                    self.second = Some(part(token, 12..14)?);
                }
            }
        } else if let Some((last, unit)) = self.unit_of(at) {
            self.set_unit(unit, token, value)?;
            return Ok(last);
        } else if next == Some(":") && self.token(at + 2).is_some() {
            self.hour = Some(value as u32);
            let minutes = decimal(&self.needed(at + 2)?).ok_or(NoDate)?;
            self.set_minutes(minutes);
            if self.token(at + 3) == Some(":") && self.token(at + 4).is_some() {
                self.set_seconds(&self.needed(at + 4)?)?;
                return Ok(at + 4);
            }
            return Ok(at + 2);
        } else if let Some(separator @ ("-" | "/" | ".")) = next {
            return self.separated(at, token, separator);
        } else if next.is_none_or(is_jump) {
            let afternoon = self.token(at + 2).and_then(half_of_day);
            if let Some(afternoon) = afternoon {
                self.hour = Some(twelve_hours(value as u32, afternoon));
                return Ok(at + 2);
            }
            self.push_number(value)?;
            return Ok(at + 1);
        } else if let Some(afternoon) = next.and_then(half_of_day)
            && value < 24.0
        {
            self.hour = Some(twelve_hours(value as u32, afternoon));
            return Ok(at + 1);
        } else if self.may_be_day(value) {
            self.push_number(value)?;
        } else {
            return Err(NoDate);
        }
        Ok(at)
    }

    fn separated(&mut self, at: usize, token: &str, separator: &str) -> Parsed<usize> {
        self.push_text(token)?;
        let Some(second) = self.token(at + 2).map(str::to_owned).filter(|second| !is_jump(second)) else {
            return Ok(at + 1);
        };
        match digits(&second) {
            Ok(_) => self.push_text(&second)?,
            Err(NoDate) => self.push_month(month(&second).ok_or(NoDate)?)?,
        }
        if self.token(at + 3) != Some(separator) {
            return Ok(at + 2);
        }
        let third = self.needed(at + 4)?;
        match month(&third) {
            Some(value) => self.push_month(value)?,
            None => self.push_text(&third)?,
        }
        Ok(at + 4)
    }

    /// Finds the word of time beside a number, and the last token that belongs to both.
    fn unit_of(&self, at: usize) -> Option<(usize, usize)> {
        if let Some(unit) = self.token(at + 1).and_then(unit) {
            return Some((at + 1, unit));
        }
        if self.token(at + 1) == Some(" ")
            && let Some(unit) = self.token(at + 2).and_then(unit)
        {
            return Some((at + 2, unit));
        }
        if at > 0
            && let Some(before) = self.token(at - 1).and_then(unit)
        {
            return Some((at, before + 1));
        }
        if at > 1 && at + 1 == self.tokens.len() && self.token(at - 1) == Some(" ") {
            return self.token(at - 2).and_then(unit).map(|before| (at, before + 1));
        }
        None
    }

    fn set_unit(&mut self, unit: usize, token: &str, value: f64) -> Parsed<()> {
        match unit {
            0 => {
                self.hour = Some(value as u32);
                if value.fract() != 0.0 {
                    self.minute = Some((60.0 * value.fract()) as u32);
                }
            }
            1 => self.set_minutes(value),
            2 => self.set_seconds(token)?,
            _ => {}
        }
        Ok(())
    }

    fn set_minutes(&mut self, value: f64) {
        self.minute = Some(value as u32);
        if value.fract() != 0.0 {
            self.second = Some((60.0 * value.fract()) as u32);
        }
    }

    fn set_seconds(&mut self, text: &str) -> Parsed<()> {
        let (second, microsecond) = seconds(text)?;
        (self.second, self.microsecond) = (Some(second), Some(microsecond));
        Ok(())
    }

    fn may_be_day(&self, value: f64) -> bool {
        let most = match (self.month_at, self.year_at) {
            (None, _) => 31,
            (Some(month), None) => days_in_month(2000, self.numbers[month]),
            (Some(month), Some(year)) => days_in_month(i64::from(self.numbers[year]), self.numbers[month]),
        };
        (1.0..=f64::from(most)).contains(&value)
    }

    /// Says which number is year, month and day; zero stands for none.
    fn resolve(&self) -> Parsed<(u32, u32, u32)> {
        let numbers = &self.numbers;
        let labelled = usize::from(self.year_at.is_some()) + usize::from(self.month_at.is_some());
        if !numbers.is_empty() && (numbers.len() == labelled || (numbers.len() == 3 && labelled == 2)) {
            let year = self.year_at.map_or(0, |at| numbers[at]);
            let month = self.month_at.map_or(0, |at| numbers[at]);
            let rest = (0..numbers.len()).find(|at| Some(*at) != self.year_at && Some(*at) != self.month_at);
            return Ok((year, month, rest.map_or(0, |at| numbers[at])));
        }
        Ok(match (numbers.as_slice(), self.month_at) {
            ([], _) => (0, 0, 0),
            ([_], Some(_)) => (0, numbers[0], 0),
            ([only], None) if *only > 31 => (*only, 0, 0),
            ([only], None) => (0, 0, *only),
            ([first, second], Some(at)) => {
                let (month, other) = if at == 0 { (*first, *second) } else { (*second, *first) };
                if other > 31 { (other, month, 0) } else { (0, month, other) }
            }
            ([first, second], None) if *first > 31 => (*first, *second, 0),
            ([first, second], None) if *second > 31 => (*second, *first, 0),
            ([first, second], None) => (0, *first, *second),
            ([first, second, third], Some(0)) if *second > 31 => (*second, *first, *third),
            ([first, second, third], Some(0)) => (*third, *first, *second),
            ([first, second, third], Some(1)) if *first > 31 => (*first, *second, *third),
            ([first, second, third], Some(1)) => (*third, *second, *first),
            ([first, second, third], Some(_)) if *second > 31 => (*second, *third, *first),
            ([first, second, third], Some(_)) => (*first, *third, *second),
            ([first, second, third], None) if *first > 31 || self.year_at == Some(0) => (*first, *second, *third),
            ([first, second, third], None) if *first > 12 => (*third, *second, *first),
            ([first, second, third], None) => (*third, *first, *second),
            _ => return Err(NoDate),
        })
    }

    fn finish(&self) -> Parsed<(Civil, i64)> {
        let (year, month, day) = self.resolve()?;
        let is_empty = self.numbers.is_empty()
            && !self.weekday
            && self.hour.is_none()
            && self.minute.is_none()
            && self.second.is_none();
        if is_empty {
            return Err(NoDate);
        }
        let year = if year > 0 && year < 100 && !self.century { two_digits(year) } else { year };
        let civil = Civil {
            year: i64::from(year),
            // A zero that is written is no month and no day.
            month: if month == 0 && !self.numbers.contains(&0) { 1 } else { month },
            day: if day == 0 && !self.numbers.contains(&0) { 1 } else { day },
            hour: self.hour.unwrap_or(0),
            minute: self.minute.unwrap_or(0),
            second: self.second.unwrap_or(0),
            microsecond: self.microsecond.unwrap_or(0),
        };
        // Only the year may be missing; a leap year takes every day.
        let whole = Civil { year: if year == 0 { 2000 } else { civil.year }, ..civil };
        whole.moment().ok_or(NoDate)?;
        Ok((civil, self.offset.unwrap_or(0)))
    }
}

fn two_digits(year: u32) -> u32 {
    if year < 69 { 2000 + year } else { 1900 + year }
}
