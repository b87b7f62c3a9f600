//! Adding an interval to a date or timestamp.

use super::calendar::{Civil, DAY, Part, checked_days, civil, days, month_days, split, timestamp};
use crate::operation::Outcome;
use crate::runtime::Fault;

/// A span of time in three parts that do not convert into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    months: i64,
    days: i64,
    microseconds: i64,
}

impl Interval {
    /// Gives `count` units of a part; `None` where the part is no unit or the interval gets too long.
    pub(crate) fn of(count: i64, unit: Part) -> Option<Interval> {
        let months = |each: i64| {
            let months = count.checked_mul(each).filter(|months| i32::try_from(*months).is_ok())?;
            Some(Interval { months, ..Interval::default() })
        };
        let days = |each: i64| {
            let days = count.checked_mul(each).filter(|days| i32::try_from(*days).is_ok())?;
            Some(Interval { days, ..Interval::default() })
        };
        let microseconds = |each: i64| {
            let microseconds = count.checked_mul(each)?;
            Some(Interval { microseconds, ..Interval::default() })
        };
        match unit {
            Part::Millennium => months(12_000),
            Part::Century => months(1200),
            Part::Decade => months(120),
            Part::Year => months(12),
            Part::Quarter => months(3),
            Part::Month => months(1),
            Part::Week => days(7),
            Part::Day => days(1),
            Part::Hour => microseconds(3_600_000_000),
            Part::Minute => microseconds(60_000_000),
            Part::Second => microseconds(1_000_000),
            Part::Millisecond => microseconds(1000),
            Part::Microsecond => microseconds(1),
            _ => None,
        }
    }

    /// Tells whether a part can be the unit of an interval.
    pub(crate) fn is_unit(part: Part) -> bool {
        Interval::of(0, part).is_some()
    }

    /// Reads `3 days` or `1 month -2 hours`; a number without a unit takes `unit`.
    pub(crate) fn parse(text: &str, unit: Option<Part>) -> Option<Interval> {
        let mut sum = Interval::default();
        let mut words = text.split_ascii_whitespace().peekable();
        words.peek()?;
        while let Some(word) = words.next() {
            let end = word.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(word.len());
            let (number, glued) = word.split_at(end);
            let count: i64 = number.strip_prefix('+').unwrap_or(number).parse().ok()?;
            let part = match (glued, unit) {
                ("", Some(unit)) => unit,
                ("", None) => Part::named(words.next()?)?,
                (glued, None) => Part::named(glued)?,
                (_, Some(_)) => return None,
            };
            let next = Interval::of(count, part)?;
            sum.months = sum.months.checked_add(next.months)?;
            sum.days = sum.days.checked_add(next.days)?;
            sum.microseconds = sum.microseconds.checked_add(next.microseconds)?;
        }
        Some(sum)
    }

    /// Gives the interval the other way.
    pub(crate) fn negated(self) -> Option<Interval> {
        Some(Interval { months: -self.months, days: -self.days, microseconds: self.microseconds.checked_neg()? })
    }

    fn after(self, moment: i64) -> Option<i64> {
        let (mut day, time) = split(moment);
        if self.months != 0 {
            let Civil { year, month, day: of_month } = civil(day);
            let months = year * 12 + (month - 1) + self.months;
            let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
            // The last days of a long month move to the last day of a short one.
            day = i64::from(days(year, month, of_month.min(month_days(year, month)))?);
        }
        day = i64::from(checked_days(day + self.days)?);
        let time = i128::from(time) + i128::from(self.microseconds);
        let day = i128::from(day) + time.div_euclid(i128::from(DAY));
        let time = time.rem_euclid(i128::from(DAY));
        timestamp(i64::try_from(day).ok()?, i64::try_from(time).ok()?)
    }
}

/// Adds an interval to a timestamp: months first, then days, then the time.
pub(crate) fn add(moment: i64, interval: Option<Interval>) -> Outcome<i64> {
    match interval.and_then(|interval| interval.after(moment)) {
        Some(moment) => Ok(Some(moment)),
        None => Err(Box::new(Fault::DateRange)),
    }
}
