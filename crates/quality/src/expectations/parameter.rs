//! Parameters of a suite: arithmetic of dates, such as `now() - timedelta(days=2)`.

use trainyard_expression::calendar::DAY;

use super::dates::Civil;
use super::value::Value;

/// The key of an object that stands for a value.
pub(crate) const KEY: &str = "$PARAMETER";

/// Holds what an expression comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parameter {
    /// A moment in microseconds from 1970-01-01.
    Moment(i64),
    /// A span in microseconds.
    Span(i64),
    /// A number.
    Number(f64),
}

/// Gives the expression of a value that is a parameter.
pub(crate) fn expression(value: &Value) -> Option<&str> {
    value.get(KEY)?.as_text()
}

/// Tells whether an expression reads the clock.
pub(crate) fn reads_clock(expression: &str) -> bool {
    expression.split("now").skip(1).any(|rest| rest.trim_start().starts_with('('))
}

/// Computes an expression; `now` is the moment that `now()` stands for.
///
/// # Errors
/// Text that is no such expression, a sum of two moments, `now()` where no moment is given.
pub(crate) fn evaluate(expression: &str, now: Option<i64>) -> Result<Parameter, String> {
    let mut reader = Reader { rest: expression.trim_start(), now };
    let mut value = reader.term()?;
    while !reader.rest.is_empty() {
        let adds = reader.take("+");
        if !adds && !reader.take("-") {
            return Err(format!("{:?} is not expected in a parameter", reader.rest));
        }
        let right = reader.term()?;
        value = match (value, right) {
            (Parameter::Moment(left), Parameter::Span(right)) => Parameter::Moment(shifted(left, right, adds)?),
            (Parameter::Span(left), Parameter::Span(right)) => Parameter::Span(shifted(left, right, adds)?),
            (Parameter::Span(left), Parameter::Moment(right)) if adds => Parameter::Moment(shifted(right, left, true)?),
            (Parameter::Number(left), Parameter::Number(right)) => {
                Parameter::Number(if adds { left + right } else { left - right })
            }
            _ => return Err(format!("{expression:?} adds what has no sum")),
        };
    }
    Ok(value)
}

fn shifted(left: i64, right: i64, adds: bool) -> Result<i64, String> {
    let moved = if adds { left.checked_add(right) } else { left.checked_sub(right) };
    moved.ok_or_else(|| "the parameter lies outside the calendar".to_owned())
}

struct Reader<'a> {
    rest: &'a str,
    now: Option<i64>,
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> String {
        let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == '.';
        let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        self.rest = self.rest[end..].trim_start();
        word
    }

    fn number(&mut self) -> Result<f64, String> {
        let sign = if self.take("-") { -1.0 } else { 1.0 };
        let word = self.word();
        word.parse::<f64>().map(|value| sign * value).map_err(|_| format!("{word:?} is no number"))
    }

    fn term(&mut self) -> Result<Parameter, String> {
        if self.rest.starts_with(|character: char| character.is_ascii_digit() || character == '-') {
            return Ok(Parameter::Number(self.number()?));
        }
        let name = self.word();
        if !self.take("(") {
            return Err(format!("{name:?} is neither now(), datetime(…), timedelta(…) nor a number"));
        }
        let arguments = self.arguments()?;
        match name.as_str() {
            "now" if arguments.is_empty() => {
                self.now.map(Parameter::Moment).ok_or_else(|| "there is no clock here for now()".to_owned())
            }
            "datetime" => datetime(&arguments),
            "timedelta" => timedelta(&arguments),
            _ => Err(format!("{name:?} is neither now(), datetime(…), timedelta(…) nor a number")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<(String, f64)>, String> {
        let mut arguments = Vec::new();
        while !self.take(")") {
            let is_named = self.rest.starts_with(|character: char| character.is_alphabetic());
            let name = if is_named { self.word() } else { String::new() };
            if is_named && !self.take("=") {
                return Err(format!("`=` is expected behind {name:?}"));
            }
            arguments.push((name, self.number()?));
            if !self.take(",") && !self.rest.starts_with(')') {
                return Err("`,` or `)` is expected in a parameter".to_owned());
            }
        }
        Ok(arguments)
    }
}

fn datetime(arguments: &[(String, f64)]) -> Result<Parameter, String> {
    let names = ["year", "month", "day", "hour", "minute", "second", "microsecond"];
    let mut parts = [0.0; 7];
    for (position, (name, value)) in arguments.iter().enumerate() {
        let at = if name.is_empty() { Some(position) } else { names.iter().position(|known| known == name) };
        let part = at.and_then(|at| parts.get_mut(at)).ok_or_else(|| format!("datetime has no argument {name:?}"))?;
        *part = *value;
    }
    let [year, month, day, hour, minute, second, microsecond] = parts.map(|part| part as u32);
    let civil = Civil { year: i64::from(year), month, day, hour, minute, second, microsecond };
    civil.moment().map(Parameter::Moment).ok_or_else(|| "datetime(…) names no day that there is".to_owned())
}

fn timedelta(arguments: &[(String, f64)]) -> Result<Parameter, String> {
    let day = DAY as f64;
    let units = [
        ("days", day),
        ("seconds", 1e6),
        ("microseconds", 1.0),
        ("milliseconds", 1e3),
        ("minutes", 6e7),
        ("hours", 3.6e9),
        ("weeks", 7.0 * day),
    ];
    let mut span = 0.0;
    for (position, (name, value)) in arguments.iter().enumerate() {
        let unit = match name.is_empty() {
            true => units.get(position),
            false => units.iter().find(|(known, _)| known == name),
        };
        let (_, size) = unit.ok_or_else(|| format!("timedelta has no argument {name:?}"))?;
        span += value * size;
    }
    Ok(Parameter::Span(span as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_computed() {
        let day = DAY;
        assert_eq!(evaluate("now() - timedelta(weeks=1, days=2)", Some(10 * day)), Ok(Parameter::Moment(day)));
        assert_eq!(evaluate("datetime(1970, 1, 2)", None), Ok(Parameter::Moment(day)));
        assert_eq!(evaluate("timedelta(1) + datetime(1970, 1, 1)", None), Ok(Parameter::Moment(day)));
        assert_eq!(evaluate("3 - -1", None), Ok(Parameter::Number(4.0)));
        for wrong in ["now()", "now() + now()", "datetime(2023, 2, 30)", "now(", "", "f(1)", "timedelta(years=1)"] {
            assert!(evaluate(wrong, if wrong == "now()" { None } else { Some(0) }).is_err(), "{wrong}");
        }
    }
}
