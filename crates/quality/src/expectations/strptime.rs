//! Formats of Python's `datetime.strptime`: each becomes a regular expression, as in Python's `_strptime`.

use regex::{Captures, Regex, RegexBuilder};

use super::dates::Civil;
use super::dateutil::MONTHS;

/// Holds a format that texts are held against.
#[derive(Debug)]
pub(crate) struct Format {
    regex: Regex,
}

const DAYS: &str = "monday|tuesday|wednesday|thursday|friday|saturday|sunday";

impl Format {
    /// Reads a format; the error says what Python would refuse.
    pub(crate) fn new(format: &str) -> Result<Format, String> {
        let mut pattern = String::from("^");
        let mut seen: Vec<char> = Vec::new();
        // Composite directives stand for their form in the C locale.
        let format = format
            .replace("%c", "%a %b %d %H:%M:%S %Y")
            .replace("%x", "%m/%d/%y")
            .replace("%X", "%H:%M:%S")
            .replace("%T", "%H:%M:%S")
            .replace("%D", "%m/%d/%y")
            .replace("%F", "%Y-%m-%d")
            .replace("%R", "%H:%M");
        let mut characters = format.chars().peekable();
        while let Some(character) = characters.next() {
            if character.is_whitespace() {
                while characters.peek().is_some_and(|next| next.is_whitespace()) {
                    characters.next();
                }
                pattern.push_str(r"\s+");
                continue;
            }
            if character != '%' {
                pattern.push_str(&regex::escape(&character.to_string()));
                continue;
            }
            let Some(directive) = characters.next() else {
                return Err("the format ends with a single %".to_owned());
            };
            if directive == '%' {
                pattern.push('%');
                continue;
            }
            let part = part_of(directive).ok_or_else(|| format!("%{directive} is no directive of strptime"))?;
            if seen.contains(&directive) {
                return Err(format!("%{directive} stands twice in the format"));
            }
            seen.push(directive);
            pattern.push_str(&format!("(?P<{directive}>{part})"));
        }
        let regex = RegexBuilder::new(&pattern).case_insensitive(true).build().map_err(|error| error.to_string())?;
        Ok(Format { regex })
    }

    /// Tells whether `text` is of the format and names a day that there is.
    pub(crate) fn matches(&self, text: &str) -> bool {
        // As in Python, what is left over is wrong, even where a shorter part before it would leave nothing.
        let found = self.regex.captures(text);
        found.is_some_and(|captures| captures.get_match().end() == text.len() && is_day(&captures))
    }
}

fn part_of(directive: char) -> Option<String> {
    Some(match directive {
        'd' => r"3[0-1]|[1-2]\d|0[1-9]|[1-9]| [1-9]".to_owned(),
        'f' => "[0-9]{1,6}".to_owned(),
        'H' => r"2[0-3]|[0-1]\d|\d".to_owned(),
        'I' => "1[0-2]|0[1-9]|[1-9]| [1-9]".to_owned(),
        'G' | 'Y' => r"\d\d\d\d".to_owned(),
        'j' => r"36[0-6]|3[0-5]\d|[1-2]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9]".to_owned(),
        'm' => "1[0-2]|0[1-9]|[1-9]".to_owned(),
        'M' => r"[0-5]\d|\d".to_owned(),
        'S' => r"6[0-1]|[0-5]\d|\d".to_owned(),
        'U' | 'W' => r"5[0-3]|[0-4]\d|\d".to_owned(),
        'V' => r"5[0-3]|0[1-9]|[1-4]\d|\d".to_owned(),
        'w' => "[0-6]".to_owned(),
        'u' => "[1-7]".to_owned(),
        'y' => r"\d\d".to_owned(),
        'z' => r"[+-]\d\d:?[0-5]\d(:?[0-5]\d(\.\d{1,6})?)?|Z".to_owned(),
        'A' => DAYS.to_owned(),
        'a' => "mon|tue|wed|thu|fri|sat|sun".to_owned(),
        'B' => MONTHS.join("|"),
        'b' => MONTHS.map(|month| &month[..3]).join("|"),
        'p' => "am|pm".to_owned(),
        'Z' => "utc|gmt".to_owned(),
        _ => return None,
    })
}

fn is_day(captures: &Captures<'_>) -> bool {
    let number = |name: &str| captures.name(name).and_then(|found| found.as_str().trim().parse::<i64>().ok());
    let year = match (number("Y"), number("y")) {
        (Some(year), _) => year,
        (None, Some(year)) if year < 69 => 2000 + year,
        (None, Some(year)) => 1900 + year,
        (None, None) => 1900,
    };
    let name = captures.name("B").or_else(|| captures.name("b")).map(|found| found.as_str().to_lowercase());
    let named = name.and_then(|name| MONTHS.iter().position(|month| month.starts_with(&name[..3])));
    let month = named.map(|position| position as i64 + 1).or_else(|| number("m")).unwrap_or(1);
    let day = number("d").unwrap_or(1);
    if number("j").is_some() {
        // A day beyond the year's end counts on into the next one, as in Python.
        return year > 0;
    }
    let (Ok(month), Ok(day)) = (u32::try_from(month), u32::try_from(day)) else {
        return false;
    };
    // 61 is a second of strptime's own, which no datetime has.
    let second = number("S").and_then(|second| u32::try_from(second).ok()).unwrap_or(0);
    Civil { year, month, day, second, ..Civil::default() }.moment().is_some()
}
