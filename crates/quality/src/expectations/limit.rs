//! Bounds of values: numbers, texts, dates and parameters.

use std::cmp::Ordering;

use super::condition::unlike;
use super::dateutil;
use super::judge::Options;
use super::parameter::{self, Parameter};
use super::suite::Expectation;
use super::value::{Cell, Class, Value};

/// Holds one bound.
#[derive(Debug, Clone)]
enum Limit {
    Value(Value),
    Moment(i64),
}

/// Holds the bounds of an expectation.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    least: Option<Limit>,
    most: Option<Limit>,
    strict_min: bool,
    strict_max: bool,
}

/// Gives a number, which may be a parameter.
pub(crate) fn number(value: &Value, options: &Options) -> Result<f64, String> {
    match parameter::expression(value) {
        Some(expression) => match parameter::evaluate(expression, options.now)? {
            Parameter::Number(number) => Ok(number),
            _ => Err(format!("{expression:?} is no number")),
        },
        None => value.as_number().ok_or_else(|| format!("{} is no number", value.to_json())),
    }
}

/// Gives a number as a cell, in which an integer keeps all its digits; it may be a parameter.
pub(crate) fn cell<'a>(value: &'a Value, options: &Options) -> Result<Cell<'a>, String> {
    match (Cell::of(value), parameter::expression(value)) {
        (Some(cell), None) => Ok(cell),
        _ => number(value, options).map(Cell::float),
    }
}

fn limit(expectation: &Expectation, name: &str, of_moments: bool, options: &Options) -> Result<Option<Limit>, String> {
    let Some(value) = expectation.argument(name) else {
        return Ok(None);
    };
    if let Some(expression) = parameter::expression(value) {
        return Ok(Some(match parameter::evaluate(expression, options.now)? {
            Parameter::Moment(moment) => Limit::Moment(moment),
            Parameter::Number(number) => Limit::Value(Value::Float(number)),
            Parameter::Span(_) => return Err(format!("{expression:?} is a span, no bound")),
        }));
    }
    match value.as_text() {
        Some(text) if of_moments => {
            let moment = dateutil::moment(text).ok_or_else(|| format!("{name}: {text:?} is no date"))?;
            Ok(Some(Limit::Moment(moment)))
        }
        _ => Ok(Some(Limit::Value(value.clone()))),
    }
}

impl Limit {
    /// Compares a cell with the bound; texts are read as dates where the bound is a moment.
    fn compare(&self, cell: Cell<'_>) -> Result<Ordering, String> {
        let (cell, bound) = match (self, cell) {
            (Limit::Moment(bound), Cell::Text(text)) => {
                let moment = dateutil::moment(text).ok_or_else(|| format!("{text:?} is no date"))?;
                (Cell::Moment(moment), Cell::Moment(*bound))
            }
            (Limit::Moment(bound), cell) => (cell, Cell::Moment(*bound)),
            (Limit::Value(value), cell) => (cell, Cell::of(value).unwrap_or(Cell::Missing)),
        };
        cell.compare(bound).ok_or_else(|| unlike(cell.class(), bound.class()))
    }
}

/// Up to here every integer is a double.
const TWO_TO_53: i64 = 1 << 53;

/// Gives a bound as a double, if it is one exactly and a number.
fn as_double(limit: &Limit) -> Option<f64> {
    match limit {
        Limit::Value(Value::Int(value)) => (-TWO_TO_53..=TWO_TO_53).contains(value).then_some(*value as f64),
        Limit::Value(Value::Float(value)) => (!value.is_nan()).then_some(*value),
        _ => None,
    }
}

/// Gives the integers from a bound on: upwards from the least, downwards from the most.
fn as_integer(limit: &Limit, is_strict: bool, upwards: bool) -> Option<i64> {
    let (value, is_in) = match limit {
        Limit::Value(Value::Int(value)) => (*value, true),
        Limit::Value(Value::Float(value)) if value.abs() <= TWO_TO_53 as f64 => {
            let rounded = if upwards { value.ceil() } else { value.floor() };
            (rounded as i64, rounded == *value)
        }
        _ => return None,
    };
    match is_strict && is_in {
        true => value.checked_add(if upwards { 1 } else { -1 }),
        false => Some(value),
    }
}

impl Limits {
    /// Gives the least and the greatest double that holds; `None` where a bound has to be looked at value by value.
    pub(crate) fn doubles(&self) -> Option<(f64, f64)> {
        let least = match &self.least {
            Some(least) => as_double(least).filter(|least| !self.strict_min || *least < f64::INFINITY)?,
            None => f64::NEG_INFINITY,
        };
        let most = match &self.most {
            Some(most) => as_double(most).filter(|most| !self.strict_max || *most > f64::NEG_INFINITY)?,
            None => f64::INFINITY,
        };
        let strict_min = self.strict_min && self.least.is_some();
        let strict_max = self.strict_max && self.most.is_some();
        Some((if strict_min { least.next_up() } else { least }, if strict_max { most.next_down() } else { most }))
    }

    /// Gives the least and the greatest integer that holds; `None` where a bound has to be looked at value by value.
    pub(crate) fn integers(&self) -> Option<(i64, i64)> {
        let least = self.least.as_ref().map(|least| as_integer(least, self.strict_min, true));
        let most = self.most.as_ref().map(|most| as_integer(most, self.strict_max, false));
        Some((least.unwrap_or(Some(i64::MIN))?, most.unwrap_or(Some(i64::MAX))?))
    }

    /// Takes `min_value`, `max_value`, `strict_min` and `strict_max` for values of a class.
    pub(crate) fn of(expectation: &Expectation, class: Option<Class>, options: &Options) -> Result<Limits, String> {
        let of_moments = class == Some(Class::Moment);
        Ok(Limits {
            least: limit(expectation, "min_value", of_moments, options)?,
            most: limit(expectation, "max_value", of_moments, options)?,
            strict_min: expectation.flag("strict_min"),
            strict_max: expectation.flag("strict_max"),
        })
    }

    /// Tells whether a cell lies between the bounds.
    pub(crate) fn hold(&self, cell: Cell<'_>) -> Result<bool, String> {
        let above = match &self.least {
            Some(least) => {
                let order = least.compare(cell)?;
                order.is_gt() || (order.is_eq() && !self.strict_min)
            }
            None => true,
        };
        let below = match &self.most {
            Some(most) => {
                let order = most.compare(cell)?;
                order.is_lt() || (order.is_eq() && !self.strict_max)
            }
            None => true,
        };
        Ok(above && below)
    }
}
